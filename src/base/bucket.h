/*
 * base/bucket.h: token bucket in 8 bytes, as a virtual schedule (GCRA, ITU-T I.371): it keeps the instant
 * at which the bucket will be full again. No wrap, no rounding drift: nanoseconds in 64 bits last 292
 * years. Zeroed memory is a full bucket.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include "base/clock.h"

struct bucket {
	int64_t full_ns; /* mono time at which all tokens are back; passed: full */
};

/*
 * Takes one token if there is one: true; else false. Refills at rate_per_s up to burst (0 counts as 1, at
 * most 10^6 counts). rate_per_s 0: no limit, always true. now.ms >= 0. Rate and burst may change between
 * calls.
 */
bool bucket_take(struct bucket *b, uint32_t rate_per_s, uint32_t burst, mono_t now);

/* The same for n tokens at once, all or none; n above burst is never granted. */
bool bucket_take_n(struct bucket *b, uint32_t n, uint32_t rate_per_s, uint32_t burst, mono_t now);

/* Milliseconds until bucket_take() would succeed, rounded up; 0: now. For retry_after. */
int64_t bucket_wait_ms(const struct bucket *b, uint32_t rate_per_s, uint32_t burst, mono_t now);

#endif
