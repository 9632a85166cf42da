/*
 * base/bucket.c: see bucket.h.
 *
 * Invariant: max(0, full_ns - now) is the debt, the time it takes to refill. It never exceeds a whole
 * bucket, burst * the price of a token, unless the clock stepped back or the limits changed, and then only
 * until the next take.
 */
#include "base/bucket.h"

#include <assert.h>

enum {
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
	BURST_MAX = 1000000, /* times NS_PER_S stays far inside 64 bits */
};

static int64_t price_ns(uint32_t rate_per_s)
{
	assert(rate_per_s > 0);
	return rate_per_s < NS_PER_S ? NS_PER_S / (int64_t)rate_per_s : 1;
}

static int64_t now_ns(mono_t now)
{
	assert(now.ms >= 0);
	return now.ms < INT64_MAX / 4 / NS_PER_MS ? now.ms * NS_PER_MS : INT64_MAX / 4;
}

/* Refill time that is still owed. */
static int64_t debt_ns(const struct bucket *b, int64_t whole, mono_t now)
{
	int64_t debt = b->full_ns - now_ns(now);

	assert(b->full_ns >= 0 && whole > 0);
	if (debt < 0)
		return 0;
	return debt < whole ? debt : whole;
}

static int64_t whole_ns(uint32_t rate_per_s, uint32_t burst)
{
	int64_t tokens = burst == 0 ? 1 : burst;

	assert(rate_per_s > 0);
	return (tokens < BURST_MAX ? tokens : BURST_MAX) * price_ns(rate_per_s);
}

bool bucket_take_n(struct bucket *b, uint32_t n, uint32_t rate_per_s, uint32_t burst, mono_t now)
{
	int64_t whole, debt, cost;

	if (rate_per_s == 0)
		return true;
	whole = whole_ns(rate_per_s, burst);
	debt = debt_ns(b, whole, now);
	cost = (int64_t)n * price_ns(rate_per_s);
	assert(debt >= 0 && debt <= whole);
	/* The clock stepped back or the limits changed: never owe more than a bucket. */
	if (b->full_ns > now_ns(now) + whole)
		b->full_ns = now_ns(now) + whole;
	if (cost > whole - debt)
		return false;
	b->full_ns = now_ns(now) + debt + cost;
	return true;
}

bool bucket_take(struct bucket *b, uint32_t rate_per_s, uint32_t burst, mono_t now)
{
	return bucket_take_n(b, 1, rate_per_s, burst, now);
}

int64_t bucket_wait_ms(const struct bucket *b, uint32_t rate_per_s, uint32_t burst, mono_t now)
{
	int64_t whole, lacking;

	if (rate_per_s == 0)
		return 0;
	whole = whole_ns(rate_per_s, burst);
	lacking = debt_ns(b, whole, now) + price_ns(rate_per_s) - whole;
	assert(lacking <= price_ns(rate_per_s));
	return lacking <= 0 ? 0 : (lacking + NS_PER_MS - 1) / NS_PER_MS;
}
