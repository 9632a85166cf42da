/*
 * Invariants: first < users_max, count <= users_max; bit u of `waiting` is set exactly while u stands in
 * ring[first, first + count), taken round.
 */
#include "cluster/outgoing.h"

#include <assert.h>
#include <stdalign.h>

enum { BITS = 64 };

static uint64_t bit_of(uint32_t user)
{
	return UINT64_C(1) << user % BITS;
}

void outgoing_init(struct outgoing *o, struct region *r, uint32_t users_max)
{
	assert(users_max > 0);
	*o = (struct outgoing){ .users_max = users_max };
	o->ring = region_take_array(r, users_max, sizeof(*o->ring), alignof(uint32_t));
	o->waiting = region_take_array(r, (size_t)users_max / BITS + 1, sizeof(*o->waiting),
				       alignof(uint64_t));
}

bool outgoing_has(const struct outgoing *o, uint32_t user)
{
	assert(user < o->users_max);
	return (o->waiting[user / BITS] & bit_of(user)) != 0;
}

void outgoing_add(struct outgoing *o, uint32_t user)
{
	if (outgoing_has(o, user))
		return;
	assert(o->count < o->users_max);
	o->waiting[user / BITS] |= bit_of(user);
	o->ring[((uint64_t)o->first + o->count) % o->users_max] = user;
	o->count++;
}

uint32_t outgoing_at(const struct outgoing *o, uint32_t i)
{
	assert(i < o->count);
	return o->ring[((uint64_t)o->first + i) % o->users_max];
}

void outgoing_drop(struct outgoing *o, uint32_t n)
{
	assert(n <= o->count);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t user = outgoing_at(o, i);

		o->waiting[user / BITS] &= ~bit_of(user);
	}
	o->first = (uint32_t)(((uint64_t)o->first + n) % o->users_max);
	o->count -= n;
}

void outgoing_clear(struct outgoing *o)
{
	outgoing_drop(o, o->count);
}

bool outgoing_valid(const struct outgoing *o)
{
	uint32_t bits = 0;

	for (uint32_t w = 0; w <= o->users_max / BITS; w++)
		for (uint64_t left = o->waiting[w]; left != 0; left &= left - 1)
			bits++;
	for (uint32_t i = 0; i < o->count; i++) {
		uint32_t u = outgoing_at(o, i);

		if (u >= o->users_max || (o->waiting[u / BITS] & bit_of(u)) == 0)
			return false;
	}
	return o->first < o->users_max && bits == o->count;
}
