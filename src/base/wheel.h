/*
 * base/wheel.h: hierarchical timer wheel (Varghese & Lauck 1987, scheme 6), 1 ms ticks, O(1) set and unset.
 * Never reads a clock.
 *
 * Ownership: `struct timer` is embedded in its owner, who unsets it before that memory is reused; the wheel
 * links timers only. Zeroed memory is a timer that is not set, of kind 0. Timers due at the same
 * millisecond pop in the order they were set. Horizon: 2^42 ms (139 years) after wheel_init(); later
 * deadlines, MONO_NEVER among them, are taken for its end.
 *
 *	while ((t = wheel_pop(w, now)) != NULL)
 *		if (timer_kind(t) == TIMER_PING)
 *			conn_ping(TIMER_OWNER(t, struct conn, ping), now);
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/clock.h"

#include <assert.h>
#include <stddef.h>

enum {
	WHEEL_SLOT_BITS = 6,
	WHEEL_SLOTS = 1 << WHEEL_SLOT_BITS,
	WHEEL_LEVELS = 7,
};

/* Heads of slots and the first part of a timer: a circular list. */
struct wheel_link {
	struct wheel_link *next;
	struct wheel_link *prev;
};

struct timer {
	struct wheel_link link; /* NULL, NULL when not set */
	uint64_t tick_kind;     /* deadline in ms since wheel_init() << 8 | kind */
};

static_assert(sizeof(struct timer) <= 24 || sizeof(void *) != 8, "timers are everywhere: keep them small");

struct wheel {
	int64_t start_ms;                 /* mono time of tick 0 */
	uint64_t tick;                    /* every timer's deadline is at or after it */
	uint64_t busy[WHEEL_LEVELS];      /* bit s: slot s of the level is not empty */
	struct wheel_link slot[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* The struct of type `type` that embeds timer `t` as its member `member`. */
#define TIMER_OWNER(t, type, member) ((type *)(void *)((char *)(t) - offsetof(type, member)))

/*
 * Makes *t an unset timer; `kind` tells the popper what it is embedded in. Not to be called on a set timer.
 */
static inline void timer_init(struct timer *t, uint8_t kind)
{
	t->link.next = NULL;
	t->link.prev = NULL;
	t->tick_kind = kind;
}

static inline bool timer_is_set(const struct timer *t)
{
	return t->link.next != NULL;
}

static inline uint8_t timer_kind(const struct timer *t)
{
	return (uint8_t)(t->tick_kind & 0xff);
}

/* An empty wheel whose time is `now`. The wheel points into itself: do not copy or move it. */
void wheel_init(struct wheel *w, mono_t now);

/*
 * Arms t, again if it was set. A deadline that has passed fires at the next pop; inside a pop loop set only
 * later ones.
 */
void wheel_set(struct wheel *w, struct timer *t, mono_t at);

/* Idempotent. */
void wheel_unset(struct wheel *w, struct timer *t);

/* The deadline of t; MONO_NEVER when it is not set. */
mono_t wheel_at(const struct wheel *w, const struct timer *t);

/* No timer is due before this: exact when it is near, else a lower bound. MONO_NEVER when no timer is set. */
mono_t wheel_next(const struct wheel *w);

/*
 * The timer due first, already unset; NULL when none is due at `now`. A `now` before an earlier one counts
 * as the earlier one. Costs O(1), plus at most WHEEL_LEVELS - 1 moves in the life of a timer, however far
 * `now` jumps.
 */
struct timer *wheel_pop(struct wheel *w, mono_t now);

/* All invariants hold. O(timers); for tests and fuzzers. */
bool wheel_valid(const struct wheel *w);

#endif
