/*
 * test/sim/runner.h: many lives, in processes of their own, so that an assertion that fails is a seed's failure like any other. Which seed
 * is told of does not depend on how many processes there are: the lowest that fails.
 */
#ifndef TEST_SIM_RUNNER_H
#define TEST_SIM_RUNNER_H

#include "sim/life.h"

enum { RUNNER_JOBS_MAX = 16, RUNNER_CPU_S_MAX = 60 /* a seed that takes so long does not come to an end */ };

struct runs {
	uint64_t first, count;
	uint32_t jobs, steps;
	uint64_t twice;       /* every so manieth seed lives twice, and must send the same bytes; 0: none */
	bool keep_going;      /* after a failure */
	bool tap, hash;       /* a line for each seed */
};

struct tally {
	uint64_t seeds, steps, turns, injected[FAULTS], lost, cuts, rejected, failed, twice;
	int64_t lived_ms;
	uint64_t bad_seed;    /* the lowest; counts with failed */
	struct outcome bad;
};

struct tally runner_run(const struct runs *);

/* One life in a process of its own. */
struct outcome runner_once(const struct plan *);

#endif
