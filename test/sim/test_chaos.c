/*
 * Random lives: each seed draws the options, the faults and a few hundred steps (chaos.h). A seed that fails replays:
 *
 *	test_chaos [SEED [COUNT [STEPS]]]      COUNT 1 prints all that is heard
 */
#include <inttypes.h>
#include <stdlib.h>

#include "sim/chaos.h"
#include "tap.h"

enum { LIVES = 60, STEP_BYTES = 1200, STEP_BYTES_MAX = 1 << 20 };

static struct chaos_result live(uint64_t seed, size_t n, bool trace)
{
	static uint8_t bytes[STEP_BYTES_MAX];
	struct sim dice = { .random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1 };

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(sim_random(&dice) >> 32);
	return chaos_run(bytes, n, seed, trace);
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 0) : LIVES;
	size_t n = argc > 3 ? strtoull(argv[3], NULL, 0) : STEP_BYTES;
	int64_t lived_ms = 0;
	uint64_t steps = 0;

	if (n > STEP_BYTES_MAX)
		n = STEP_BYTES_MAX;
	for (uint64_t seed = first; seed < first + count; seed++) {
		struct chaos_result r = live(seed, n, count == 1);

		lived_ms += r.lived_ms;
		steps += r.steps;
		tap_ok(r.fault[0] == '\0', "a life of seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " turns%s%s", seed, r.steps, r.turns,
		       r.fault[0] == '\0' ? "" : ": ", r.fault);
		if (seed == first) {
			struct chaos_result again = live(seed, n, false);

			tap_ok(again.hash == r.hash && again.turns == r.turns, "seed %" PRIu64 " lives the same life twice", seed);
		}
	}
	printf("# %" PRIu64 " steps, %" PRId64 " simulated hours\n", steps, lived_ms / 3600000);
	return tap_done();
}
