/*
 * base/wheel.c: seven levels of 64 slots; see wheel.h.
 *
 * Invariants:
 * - A timer's level is that of the highest 6-bit digit in which its deadline differs from w->tick (level 0
 *   if none), and its slot is that digit of the deadline. So on level 0 a slot is one millisecond, and on
 *   each level all timers lie in slots above the level's digit of w->tick (at or above it on level 0).
 * - Therefore the earliest timer is in the lowest busy slot of the lowest busy level, and w->tick may move
 *   freely up to the start of that slot without any timer changing its place.
 * - When w->tick reaches the start of a slot above level 0, the slot's timers are dealt to the levels
 *   below, in order. Timers of one deadline are thus always in one slot, in the order in which they were
 *   set.
 * - Bit s of busy[l] is set if and only if slot[l][s] is not empty.
 */
#include "base/wheel.h"

#define TICK_MAX ((UINT64_C(1) << (WHEEL_SLOT_BITS * WHEEL_LEVELS)) - 1)

enum {
	KIND_BITS = 8,
};

static_assert(WHEEL_SLOTS == 64, "a slot is a bit of busy[]");
static_assert(WHEEL_SLOT_BITS * WHEEL_LEVELS + KIND_BITS <= 64, "a tick and a kind fit tick_kind");
static_assert(offsetof(struct timer, link) == 0, "a link is the start of its timer");

static uint64_t tick_of(const struct timer *t)
{
	return t->tick_kind >> KIND_BITS;
}

static unsigned digit(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * WHEEL_SLOT_BITS)) & (WHEEL_SLOTS - 1);
}

static unsigned lowest(uint64_t bits)
{
	assert(bits != 0);
	return (unsigned)__builtin_ctzll(bits);
}

static unsigned level_of(const struct wheel *w, uint64_t tick)
{
	uint64_t differ = tick ^ w->tick;
	unsigned level = differ == 0 ? 0 : (63 - (unsigned)__builtin_clzll(differ)) / WHEEL_SLOT_BITS;

	assert(level < WHEEL_LEVELS);
	return level;
}

/* Milliseconds since wheel_init(), clamped to what ticks can say; safe for any int64_t. */
static uint64_t tick_at(const struct wheel *w, mono_t at)
{
	uint64_t since;

	if (at.ms <= w->start_ms)
		return 0;
	since = (uint64_t)at.ms - (uint64_t)w->start_ms;
	return since < TICK_MAX ? since : TICK_MAX;
}

static mono_t mono_of(const struct wheel *w, uint64_t tick)
{
	return mono_add_ms((mono_t){ w->start_ms }, (int64_t)tick);
}

static void place(struct wheel *w, struct timer *t)
{
	unsigned level = level_of(w, tick_of(t));
	unsigned s = digit(tick_of(t), level);
	struct wheel_link *head = &w->slot[level][s];

	assert(tick_of(t) >= w->tick);
	t->link.next = head;
	t->link.prev = head->prev;
	head->prev->next = &t->link;
	head->prev = &t->link;
	w->busy[level] |= UINT64_C(1) << s;
}

void wheel_init(struct wheel *w, mono_t now)
{
	w->start_ms = now.ms;
	w->tick = 0;
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		w->busy[l] = 0;
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			w->slot[l][s] = (struct wheel_link){ &w->slot[l][s], &w->slot[l][s] };
	}
}

void wheel_set(struct wheel *w, struct timer *t, mono_t at)
{
	uint64_t tick = tick_at(w, at);

	wheel_unset(w, t);
	if (tick < w->tick)
		tick = w->tick;
	t->tick_kind = tick << KIND_BITS | timer_kind(t);
	place(w, t);
}

void wheel_unset(struct wheel *w, struct timer *t)
{
	struct wheel_link *next = t->link.next, *prev = t->link.prev;

	if (!timer_is_set(t))
		return;
	assert(next->prev == &t->link && prev->next == &t->link);
	next->prev = prev;
	prev->next = next;
	t->link.next = NULL;
	t->link.prev = NULL;
	if (next == prev) { /* only the head is left */
		unsigned level = level_of(w, tick_of(t));
		unsigned s = digit(tick_of(t), level);

		assert(next == &w->slot[level][s]);
		w->busy[level] &= ~(UINT64_C(1) << s);
	}
}

mono_t wheel_at(const struct wheel *w, const struct timer *t)
{
	return timer_is_set(t) ? mono_of(w, tick_of(t)) : MONO_NEVER;
}

/* The lowest busy level; WHEEL_LEVELS when the wheel is empty. */
static unsigned level_first(const struct wheel *w)
{
	unsigned level = 0;

	while (level < WHEEL_LEVELS && w->busy[level] == 0)
		level++;
	return level;
}

/* First tick of the lowest busy slot of a busy level. */
static uint64_t slot_start(const struct wheel *w, unsigned level)
{
	unsigned shift = level * WHEEL_SLOT_BITS;
	uint64_t above = w->tick >> shift >> WHEEL_SLOT_BITS << WHEEL_SLOT_BITS;
	uint64_t start = (above | lowest(w->busy[level])) << shift;

	assert(start >= w->tick);
	return start;
}

mono_t wheel_next(const struct wheel *w)
{
	unsigned level = level_first(w);

	return level == WHEEL_LEVELS ? MONO_NEVER : mono_of(w, slot_start(w, level));
}

/* Deals the timers of a slot, at whose start w->tick is, to lower levels. */
static void cascade(struct wheel *w, unsigned level, unsigned s)
{
	struct wheel_link *head = &w->slot[level][s], *link = head->next;

	assert(level > 0 && link != head);
	head->next = head;
	head->prev = head;
	w->busy[level] &= ~(UINT64_C(1) << s);
	while (link != head) {
		struct wheel_link *next = link->next;

		place(w, (struct timer *)(void *)link);
		link = next;
	}
}

struct timer *wheel_pop(struct wheel *w, mono_t now)
{
	uint64_t tick = tick_at(w, now);
	unsigned level;

	if (tick < w->tick)
		tick = w->tick;
	while ((level = level_first(w)) < WHEEL_LEVELS) {
		uint64_t start = slot_start(w, level);
		unsigned s = lowest(w->busy[level]);

		if (start > tick)
			break;
		w->tick = start;
		if (level == 0) {
			struct timer *t = (struct timer *)(void *)w->slot[0][s].next;

			assert(tick_of(t) == start);
			wheel_unset(w, t);
			return t;
		}
		cascade(w, level, s);
	}
	w->tick = tick;
	return NULL;
}

static bool slot_valid(const struct wheel *w, unsigned level, unsigned s)
{
	const struct wheel_link *head = &w->slot[level][s];
	bool busy = w->busy[level] >> s & 1;

	if (busy != (head->next != head))
		return false;
	for (const struct wheel_link *link = head; link->next != head; link = link->next) {
		const struct timer *t = (const struct timer *)(const void *)link->next;

		if (t->link.prev != link || tick_of(t) < w->tick || tick_of(t) > TICK_MAX)
			return false;
		if (level_of(w, tick_of(t)) != level || digit(tick_of(t), level) != s)
			return false;
	}
	return head->prev->next == head;
}

bool wheel_valid(const struct wheel *w)
{
	if (w->tick > TICK_MAX)
		return false;
	for (unsigned l = 0; l < WHEEL_LEVELS; l++)
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			if (!slot_valid(w, l, s))
				return false;
	return true;
}
