/* base/wheel against an array of deadlines; RELIABILITY O8 (jumps of hours and days). */
#include "base/wheel.h"

#include "rng.h"
#include "tap.h"

enum {
	TIMERS = 64,
	STEPS = 40000,
};

#define START_MS INT64_C(1234567)

struct owner {
	char before[16];
	struct timer t;
};

static struct wheel w;

static mono_t at(int64_t ms)
{
	return (mono_t){ ms };
}

/* Each row: one timer set `after_ms` after the start; it must not fire a millisecond early, and must fire on
 * time. */
static void test_single(void)
{
	static const int64_t after_ms[] = {
		0,
		1,
		2,
		63,
		64,
		65,
		127,
		128,
		4095,
		4096,
		4097,
		262143,
		262144,
		262145,
		16777216,
		1073741824,
		INT64_C(3600000),
		INT64_C(86400000),
		INT64_C(68719476736),
		(INT64_C(1) << 42) - 1,
	};
	struct owner o = { .before = "" };

	for (size_t i = 0; i < sizeof(after_ms) / sizeof(after_ms[0]); i++) {
		int64_t due = START_MS + after_ms[i];
		bool early = false, ok;

		wheel_init(&w, at(START_MS));
		timer_init(&o.t, 7);
		wheel_set(&w, &o.t, at(due));
		ok = timer_is_set(&o.t) && wheel_at(&w, &o.t).ms == due && wheel_next(&w).ms <= due;
		if (after_ms[i] > 0)
			early = wheel_pop(&w, at(due - 1)) != NULL;
		ok = ok && !early && wheel_valid(&w) && wheel_next(&w).ms <= due &&
		     wheel_next(&w).ms > due - 64;
		ok = ok && wheel_pop(&w, at(due)) == &o.t && !timer_is_set(&o.t) && timer_kind(&o.t) == 7;
		ok = ok && wheel_pop(&w, at(due)) == NULL && wheel_next(&w).ms == INT64_MAX &&
		     wheel_valid(&w);
		tap_ok(ok, "one timer after %" PRId64 " ms", after_ms[i]);
	}
	tap_ok(TIMER_OWNER(&o.t, struct owner, t) == &o, "owner of a timer");
}

static void test_corners(void)
{
	struct timer a, b, c, zero;

	wheel_init(&w, at(START_MS));
	timer_init(&a, 1);
	timer_init(&b, 2);
	timer_init(&c, 255);
	tap_ok(wheel_pop(&w, at(START_MS)) == NULL && wheel_next(&w).ms == INT64_MAX, "an empty wheel");
	wheel_unset(&w, &a);
	tap_ok(!timer_is_set(&a) && wheel_at(&w, &a).ms == INT64_MAX, "unset is idempotent");
	memset(&zero, 0, sizeof(zero));
	wheel_unset(&w, &zero);
	tap_ok(!timer_is_set(&zero) && timer_kind(&zero) == 0, "zeroed memory is an unset timer");

	wheel_set(&w, &a, at(START_MS + 5000));
	wheel_set(&w, &b, at(START_MS + 5000));
	wheel_set(&w, &c, at(START_MS - 99));
	tap_ok(wheel_pop(&w, at(START_MS)) == &c && timer_kind(&c) == 255,
	       "a deadline that has passed fires at once");
	tap_ok(wheel_pop(&w, at(START_MS + 4999)) == NULL, "others wait");
	wheel_set(&w, &c, at(START_MS + 5000));
	tap_ok(wheel_pop(&w, at(START_MS + 9999)) == &a && wheel_pop(&w, at(START_MS + 9999)) == &b &&
		       wheel_pop(&w, at(START_MS + 9999)) == &c,
	       "one deadline: in the order of setting, over levels");
	wheel_set(&w, &a, MONO_NEVER);
	tap_ok(wheel_pop(&w, at(START_MS + (INT64_C(1) << 41))) == NULL && timer_is_set(&a),
	       "never is not in 69 years");
	tap_ok(wheel_pop(&w, at(START_MS)) == NULL && wheel_valid(&w), "time that steps back is ignored");
	wheel_set(&w, &b, at(0));
	tap_ok(wheel_pop(&w, at(START_MS)) == &b, "and timers go on firing");
	wheel_unset(&w, &a);
	tap_ok(wheel_next(&w).ms == INT64_MAX && wheel_valid(&w), "empty again");
	wheel_init(&w, at(INT64_MIN));
	wheel_set(&w, &a, MONO_NEVER);
	tap_ok(wheel_pop(&w, at(INT64_MIN + 5)) == NULL && wheel_valid(&w),
	       "a clock that starts at the lowest number");
}

struct model {
	struct timer t[TIMERS];
	int64_t due[TIMERS]; /* INT64_MAX: not set */
	int64_t now;
	uint64_t popped;
};

static int64_t random_delay(struct rng *r)
{
	static const uint32_t spans[] = { 3, 70, 5000, 300000, 20000000, 2000000000 };

	return (int64_t)rng_below(r, spans[rng_below(r, 6)]) - 1;
}

static int64_t model_first(const struct model *m)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < TIMERS; i++)
		first = m->due[i] < first ? m->due[i] : first;
	return first;
}

/* Pops all that is due, sometimes setting timers meanwhile; false at the first difference from the model. */
static bool model_advance(struct model *m, struct rng *r)
{
	struct timer *t;
	bool ok = true;

	while (ok && (t = wheel_pop(&w, at(m->now))) != NULL) {
		size_t i = (size_t)(t - m->t);

		ok = i < TIMERS && m->due[i] == model_first(m) && m->due[i] <= m->now && !timer_is_set(t);
		m->due[i] = INT64_MAX;
		m->popped++;
		if (ok && rng_below(r, 3) == 0) {
			m->due[i] = m->now + 2 + random_delay(r);
			wheel_set(&w, t, at(m->due[i]));
		}
		ok = ok && wheel_valid(&w);
	}
	return ok && model_first(m) > m->now;
}

static void test_model(struct rng *r)
{
	static struct model m;
	bool ok = true;
	unsigned step;

	m.now = START_MS;
	wheel_init(&w, at(m.now));
	for (size_t i = 0; i < TIMERS; i++) {
		timer_init(&m.t[i], (uint8_t)i);
		m.due[i] = INT64_MAX;
	}
	for (step = 0; ok && step < STEPS; step++) {
		size_t i = rng_below(r, TIMERS);
		uint32_t what = rng_below(r, 8);

		if (what < 4) {
			int64_t due = m.now + random_delay(r);

			wheel_set(&w, &m.t[i], at(due));
			m.due[i] = due < m.now ? m.now : due;
		} else if (what < 6) {
			wheel_unset(&w, &m.t[i]);
			m.due[i] = INT64_MAX;
		} else {
			m.now += 1 + (rng_below(r, 4) == 0 ? random_delay(r) : (int64_t)rng_below(r, 200));
			ok = model_advance(&m, r);
		}
		ok = ok && wheel_valid(&w) && wheel_next(&w).ms <= model_first(&m) &&
		     wheel_next(&w).ms >= m.now;
		ok = ok && timer_is_set(&m.t[i]) == (m.due[i] != INT64_MAX) && timer_kind(&m.t[i]) == i;
	}
	tap_ok(ok, "model of %d timers, %u steps, %" PRIu64 " popped", TIMERS, step, m.popped);
	tap_ok(m.popped > STEPS / 20, "enough of them fired");
}

/* Sleeping until wheel_next() must find every timer on time in few wakeups. */
static void test_next_drives(struct rng *r)
{
	static struct timer t;
	unsigned worst = 0;
	bool ok = true;

	for (int i = 0; i < 1000 && ok; i++) {
		int64_t now = START_MS + (int64_t)(rng_next(r) >> 30),
			due = now + 1 + rng_below(r, 2000000000);
		unsigned wakes = 0;

		wheel_init(&w, at(START_MS));
		timer_init(&t, 0);
		wheel_pop(&w, at(now));
		wheel_set(&w, &t, at(due));
		while (wheel_pop(&w, at(now)) == NULL && wakes++ < 100)
			now = wheel_next(&w).ms;
		ok = now == due;
		worst = wakes > worst ? wakes : worst;
	}
	tap_ok(ok && worst <= WHEEL_LEVELS, "sleeping until wheel_next() is on time, worst %u wakeups",
	       worst);
}

/* An index that is wrong must be seen: the validator is worth something. */
static void test_valid_sees(void)
{
	struct timer t;

	wheel_init(&w, at(0));
	timer_init(&t, 0);
	wheel_set(&w, &t, at(100));
	t.tick_kind += UINT64_C(64) << 8;
	tap_ok(!wheel_valid(&w), "wheel_valid() sees a timer in a wrong slot");
	t.tick_kind -= UINT64_C(64) << 8;
	w.busy[3] |= 1;
	tap_ok(!wheel_valid(&w), "wheel_valid() sees a wrong bit");
	w.busy[3] = 0;
	tap_ok(wheel_valid(&w), "and is content again");
}

int main(int argc, char **argv)
{
	struct rng r = rng_seeded(argc, argv);

	test_single();
	test_corners();
	test_model(&r);
	test_next_drives(&r);
	test_valid_sees();
	return tap_done();
}
