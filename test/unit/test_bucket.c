/* base/bucket: a table of rates, and the bound that no schedule of takes may break. */
#include "base/bucket.h"

#include "rng.h"
#include "tap.h"

static mono_t at(int64_t ms)
{
	return (mono_t){ ms };
}

static uint32_t drain(struct bucket *b, uint32_t rate, uint32_t burst, int64_t ms)
{
	uint32_t n = 0;

	while (n < 5000 && bucket_take(b, rate, burst, at(ms)))
		n++;
	return n;
}

static void test_table(void)
{
	/* Drained at start_ms; how many tokens are there later_ms after? */
	static const struct {
		uint32_t rate, burst;
		int64_t start_ms, later_ms;
		uint32_t first, then;
	} rows[] = {
		{ 1, 1, 0, 0, 1, 0 },
		{ 1, 1, 0, 999, 1, 0 },
		{ 1, 1, 0, 1000, 1, 1 },
		{ 1, 0, 0, 1000, 1, 1 },
		{ 1, 5, 0, 2999, 5, 2 },
		{ 1, 5, 0, 3000, 5, 3 },
		{ 3, 3, 0, 333, 3, 0 },
		{ 3, 3, 0, 334, 3, 1 },
		{ 3, 3, 0, 1000, 3, 3 },
		{ 100, 200, 12345, 10, 200, 1 },
		{ 100, 200, 12345, 1999, 200, 199 },
		{ 100, 200, 12345, 60000, 200, 200 },
		{ 1000, 1, 0, 1, 1, 1 },
		{ 10000, 1000, 0, 50, 1000, 500 },
		{ 10, 20, INT64_C(4294967290), 1000, 20, 10 }, /* 32-bit milliseconds wrap between */
		{ 10, 20, INT64_C(4294967290), INT64_C(4294967297), 20, 20 }, /* 49.7 days later */
		{ 10, 20, INT64_C(100) * 366 * 86400000, 500, 20, 5 },        /* a century up */
		{ 4000000000, 10, 5, 1, 10, 10 },
		{ 0, 0, 0, 0, 5000, 5000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bucket b = { 0 };
		uint32_t first = drain(&b, rows[i].rate, rows[i].burst, rows[i].start_ms);
		uint32_t then = drain(&b, rows[i].rate, rows[i].burst, rows[i].start_ms + rows[i].later_ms);

		tap_ok(first == rows[i].first && then == rows[i].then,
		       "%" PRIu32 "/s burst %" PRIu32 ", %" PRId64 " ms later: %" PRIu32, rows[i].rate,
		       rows[i].burst, rows[i].later_ms, then);
	}
}

static void test_corners(void)
{
	struct bucket b = { 0 };

	tap_ok(bucket_take_n(&b, 10, 1, 10, at(0)) && !bucket_take_n(&b, 1, 1, 10, at(0)), "ten at once");
	tap_ok(!bucket_take_n(&b, 11, 1, 10, at(1000000)), "more than a burst is never granted");
	tap_ok(bucket_take_n(&b, 10, 1, 10, at(1000000)), "a refusal takes nothing");
	tap_is_u64((uint64_t)bucket_wait_ms(&b, 1, 10, at(1000000)), 1000, "a second to wait");
	tap_is_u64((uint64_t)bucket_wait_ms(&b, 1, 10, at(1000999)), 1, "a millisecond to wait");
	tap_is_u64((uint64_t)bucket_wait_ms(&b, 1, 10, at(1001000)), 0, "none to wait");
	tap_is_u64((uint64_t)bucket_wait_ms(&b, 0, 0, at(0)), 0, "no limit, no wait");
	drain(&b, 1, 10, 5000000);
	tap_is_u64(drain(&b, 1, 10, 1000), 0, "a clock that stepped back gives nothing");
	tap_is_u64(drain(&b, 1, 10, 4000), 3, "and the bucket refills from there");
	drain(&b, 1, 1000, 10000000);
	tap_is_u64(drain(&b, 1, 10, 10000000), 0, "a limit lowered: nothing yet");
	tap_is_u64(drain(&b, 1, 10, 10000000 + 10000), 10,
		   "a limit lowered owes at most a bucket of the new size");
	tap_ok(sizeof(b) == 8, "eight bytes");
}

/* In any window of t ms at most burst + rate * t / 1000 + 1 pass; and whoever waits bucket_wait_ms() is
 * served, not earlier. */
static void test_bound(struct rng *r)
{
	bool ok = true;

	for (int run = 0; ok && run < 500; run++) {
		uint32_t rate = 1 + rng_below(r, 2000), burst = 1 + rng_below(r, 50);
		int64_t start = (int64_t)(rng_next(r) >> 24), now = start;
		struct bucket b = { 0 };
		int64_t passed = 0;

		for (int i = 0; ok && i < 300; i++) {
			int64_t wait = bucket_wait_ms(&b, rate, burst, at(now));
			struct bucket probe = b;

			ok = wait == 0 || !bucket_take(&probe, rate, burst, at(now + wait - 1));
			probe = b;
			ok = ok && bucket_take(&probe, rate, burst, at(now + wait));
			passed += bucket_take(&b, rate, burst, at(now));
			ok = ok && passed * 1000 <= (int64_t)burst * 1000 + rate * (now - start) + 1000;
			now += rng_below(r, 30);
		}
	}
	tap_ok(ok, "never more than burst + rate * time; the wait is exact");
}

int main(int argc, char **argv)
{
	struct rng r = rng_seeded(argc, argv);

	test_table();
	test_corners();
	test_bound(&r);
	return tap_done();
}
