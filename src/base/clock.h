/*
 * base/clock.h: two kinds of time that cannot be mixed, and the seam through which time enters.
 *
 * Deadlines use mono_t only; wall_t is only printed and compared with expiry dates that clients gave. Both
 * are milliseconds in a struct, so that `now + 30` does not compile. Nothing below the loop reads a clock:
 * `now` is an argument.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t ms; /* since an arbitrary start; never steps back */
} mono_t;

typedef struct {
	int64_t ms; /* since 1970-01-01T00:00:00Z; may step either way; WALL_NONE.ms = no date */
} wall_t;

#define MONO_NEVER ((mono_t){ INT64_MAX })
#define WALL_NONE ((wall_t){ INT64_MIN })

/* Both clocks as they stood when the loop's turn began. */
struct now {
	mono_t mono;
	wall_t wall;
};

/* The seam: the machine's clocks, or the simulator's.
 * `read` is called once per turn of the loop and nowhere else. */
struct clock {
	struct now (*read)(void *ctx);
	void *ctx;
};

static inline mono_t mono_add_ms(mono_t t, int64_t ms)
{
	if (t.ms == INT64_MAX || (ms > 0 && t.ms > INT64_MAX - ms))
		return MONO_NEVER;
	return (mono_t){ t.ms + ms };
}

static inline int64_t mono_since_ms(mono_t now, mono_t then)
{
	return now.ms - then.ms;
}

static inline bool mono_before(mono_t a, mono_t b)
{
	return a.ms < b.ms;
}

static inline mono_t mono_min(mono_t a, mono_t b)
{
	return a.ms < b.ms ? a : b;
}

static inline bool wall_absent(wall_t t)
{
	return t.ms == INT64_MIN;
}

#endif
