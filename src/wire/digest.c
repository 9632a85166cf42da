/* wire/digest.c: see digest.h. */
#include "wire/digest.h"

#include <bearssl.h>

void digest_sha256(struct str s, uint8_t out[DIGEST_BYTES])
{
	br_sha256_context sha;

	br_sha256_init(&sha);
	br_sha256_update(&sha, s.p, s.n);
	br_sha256_out(&sha, out);
}
