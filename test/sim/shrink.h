/*
 * test/sim/shrink.h: from a life that fails to the least of it that still does: options, faults, clients and steps are left out as long as
 * the same invariant is broken.
 */
#ifndef TEST_SIM_SHRINK_H
#define TEST_SIM_SHRINK_H

#include "sim/life.h"

struct shrunk {
	struct plan plan;
	struct outcome outcome;
	uint32_t runs, steps_left;
};

/* `o`: what life_run(plan) came to, a failure. Each attempt is a process of its own. */
struct shrunk shrink(const struct plan *plan, const struct outcome *o);

#endif
