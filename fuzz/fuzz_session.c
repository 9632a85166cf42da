/*
 * fuzz/fuzz_session.c: the whole server, from handshake through dialect to engine, on the simulator's pipes and clock: the input says what
 * clients do (test/sim/chaos.h), and with its third byte whether auth=jwt, and with what services. server_valid() holds after every turn;
 * whoever watches knows the truth in the end; an echo says what was said; all that was taken is given back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/chaos.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chaos_result r = chaos_run(data, size, 1, false);

	if (r.fault[0] != '\0') {
		fprintf(stderr, "%s\n", r.fault);
		abort();
	}
	return 0;
}
