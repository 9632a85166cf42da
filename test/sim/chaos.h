/*
 * test/sim/chaos.h: a world driven by bytes: a fuzzer's, or a seed's. Each byte says what happens next (connect, speak, break, wait, shrink
 * a pool, stop the process, one thing many times, many at once...); after each, everything that always holds is checked (RELIABILITY L,
 * safety), and at the end, when all is well again, what must come true in the end (liveness): whoever still watches knows the truth, and
 * when all have left nothing is kept.
 */
#ifndef TEST_SIM_CHAOS_H
#define TEST_SIM_CHAOS_H

#include "sim/client.h"

enum { CHAOS_CLIENTS = 12, CHAOS_USERS = 5, CHAOS_FAULT_BYTES = 256 };

struct chaos_result {
	char fault[CHAOS_FAULT_BYTES]; /* "": all promises were kept */
	uint64_t hash, turns, steps;
	int64_t lived_ms;
};

struct chaos_result chaos_run(const uint8_t *bytes, size_t n, uint64_t seed, bool trace);

#endif
