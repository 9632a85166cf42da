/*
 * test/bench/hist.h: a log-linear histogram of nanoseconds: 128 slots per power of two, so a quantile is at most 0.8 %
 * above the truth, whatever the range. Same idea as HdrHistogram. Fixed size, no allocation; zeroed memory is an empty one.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

enum {
	HIST_SUB_BITS = 7,
	HIST_SUB = 1 << HIST_SUB_BITS,
	HIST_SLOTS = (64 - HIST_SUB_BITS + 1) * HIST_SUB
};

struct hist {
	uint64_t count;
	uint64_t max; /* exact */
	uint64_t slot[HIST_SLOTS];
};

void hist_reset(struct hist *h);
void hist_add(struct hist *h, uint64_t value);

/* The smallest slot bound that `permille` of 1000 values do not exceed (never above max); 0 when empty. permille <= 1000. */
uint64_t hist_quantile(const struct hist *h, uint32_t permille);

#endif
