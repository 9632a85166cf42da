/*
 * test/unit/rng.h: xorshift64* for model checks. The seed is argv[1] or a constant, and is printed, so that a
 * run replays.
 */
#ifndef TEST_RNG_H
#define TEST_RNG_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct rng {
	uint64_t s;
};

static inline struct rng rng_seeded(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : UINT64_C(0x9e3779b97f4a7c15);

	printf("# seed 0x%" PRIx64 "\n", seed);
	return (struct rng){ seed == 0 ? 1 : seed };
}

static inline uint64_t rng_next(struct rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return r->s * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 to n - 1. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((rng_next(r) >> 32) * n >> 32);
}

#endif
