/*
 * presence/receivers.c: see receivers.h.
 *
 * Invariants: every chunk but the last holds RECEIVERS_PER_CHUNK entries, the last at least one; so the count
 * alone tells how full the last one is, and the last entry of the list is found without a walk.
 */
#include "presence/receivers.h"

static struct receivers_chunk *chunk_at(const struct pool *chunks, uint32_t i)
{
	return (struct receivers_chunk *)pool_at(chunks, i);
}

static uint32_t slot_of(uint32_t pos)
{
	uint32_t slot = pos & ((1U << RECEIVERS_SLOT_BITS) - 1);

	assert(slot < RECEIVERS_PER_CHUNK);
	return slot;
}

static uint32_t in_last(const struct receivers *rs)
{
	return rs->count == 0 ? 0 : (rs->count - 1) % RECEIVERS_PER_CHUNK + 1;
}

uint64_t receivers_chunks_max(uint64_t entries, uint64_t lists)
{
	uint64_t partly_filled = lists < entries ? lists : entries;

	return entries / RECEIVERS_PER_CHUNK + partly_filled;
}

uint32_t receivers_add(struct pool *chunks, struct receivers *rs, uint32_t conn, uint32_t back, uint8_t mask)
{
	uint32_t slot = rs->count % RECEIVERS_PER_CHUNK;
	struct receivers_chunk *c;

	if (slot == 0) {
		uint32_t fresh = pool_take(chunks);

		assert(fresh != POOL_NONE);
		c = chunk_at(chunks, fresh);
		c->next_plus1 = 0;
		c->prev_plus1 = rs->last_plus1;
		if (rs->last_plus1 != 0)
			chunk_at(chunks, rs->last_plus1 - 1)->next_plus1 = fresh + 1;
		else
			rs->first_plus1 = fresh + 1;
		rs->last_plus1 = fresh + 1;
	}
	c = chunk_at(chunks, rs->last_plus1 - 1);
	c->conn[slot] = conn;
	c->back[slot] = back;
	c->mask[slot] = mask;
	rs->count++;
	return (rs->last_plus1 - 1) << RECEIVERS_SLOT_BITS | slot;
}

static void drop_last_chunk(struct pool *chunks, struct receivers *rs)
{
	uint32_t dead = rs->last_plus1 - 1;
	uint32_t prev_plus1 = chunk_at(chunks, dead)->prev_plus1;

	rs->last_plus1 = prev_plus1;
	if (prev_plus1 != 0)
		chunk_at(chunks, prev_plus1 - 1)->next_plus1 = 0;
	else
		rs->first_plus1 = 0;
	pool_give(chunks, dead);
}

bool receivers_remove(struct pool *chunks, struct receivers *rs, uint32_t pos, uint32_t *moved_back)
{
	uint32_t last_slot = in_last(rs) - 1;
	struct receivers_chunk *last = chunk_at(chunks, rs->last_plus1 - 1);
	struct receivers_chunk *hole = chunk_at(chunks, pos >> RECEIVERS_SLOT_BITS);
	uint32_t slot = slot_of(pos);
	bool moved = hole != last || slot != last_slot;

	assert(rs->count > 0);
	if (moved) {
		hole->conn[slot] = last->conn[last_slot];
		hole->back[slot] = last->back[last_slot];
		hole->mask[slot] = last->mask[last_slot];
		*moved_back = hole->back[slot];
	}
	if (last_slot == 0)
		drop_last_chunk(chunks, rs);
	rs->count--;
	return moved;
}

uint8_t *receivers_mask(const struct pool *chunks, uint32_t pos)
{
	return &chunk_at(chunks, pos >> RECEIVERS_SLOT_BITS)->mask[slot_of(pos)];
}

uint32_t receivers_conn(const struct pool *chunks, uint32_t pos)
{
	return chunk_at(chunks, pos >> RECEIVERS_SLOT_BITS)->conn[slot_of(pos)];
}

uint32_t receivers_back(const struct pool *chunks, uint32_t pos)
{
	return chunk_at(chunks, pos >> RECEIVERS_SLOT_BITS)->back[slot_of(pos)];
}

struct receivers_chunk *receivers_next(const struct pool *chunks, const struct receivers *rs,
				       struct receivers_walk *walk, uint32_t *n)
{
	struct receivers_chunk *c;

	if (!walk->begun) {
		walk->begun = true;
		walk->chunk_plus1 = rs->first_plus1;
	}
	if (walk->chunk_plus1 == 0)
		return NULL;
	c = chunk_at(chunks, walk->chunk_plus1 - 1);
	*n = c->next_plus1 == 0 ? in_last(rs) : RECEIVERS_PER_CHUNK;
	walk->chunk_plus1 = c->next_plus1;
	return c;
}

bool receivers_valid(const struct pool *chunks, const struct receivers *rs)
{
	uint32_t prev_plus1 = 0, chunk_count = 0;

	for (uint32_t c_plus1 = rs->first_plus1; c_plus1 != 0;
	     c_plus1 = chunk_at(chunks, c_plus1 - 1)->next_plus1) {
		if (chunk_at(chunks, c_plus1 - 1)->prev_plus1 != prev_plus1)
			return false;
		prev_plus1 = c_plus1;
		chunk_count++;
		if (chunk_count > rs->count)
			return false;
	}
	return prev_plus1 == rs->last_plus1 &&
	       chunk_count == (rs->count + RECEIVERS_PER_CHUNK - 1) / RECEIVERS_PER_CHUNK;
}
