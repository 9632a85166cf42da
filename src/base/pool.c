/*
 * base/pool.c: cells and their free list; see pool.h.
 *
 * Invariants:
 * - used + length of the free list == high <= count; used may exceed limit only after pool_limit() lowered
 *   it.
 * - The first four bytes of a free cell below `high` are the next free cell's number + 1, 0 at the end.
 * - Under ASan every cell that is not taken is poisoned whole, its link included: the link is read only
 *   here.
 */
#include "base/pool.h"

#include "base/poison.h"

#include <string.h>

enum {
	CELL_ALIGN = 8,
};

static char *cell_at(const struct pool *p, uint32_t i)
{
	assert(i < p->count);
	return p->mem + (size_t)i * p->cell_bytes;
}

static uint32_t link_get(const struct pool *p, uint32_t i)
{
	uint32_t next_plus1;

	assert(i < p->high);
	memcpy(&next_plus1, cell_at(p, i), sizeof(next_plus1));
	return next_plus1;
}

void pool_init(struct pool *p, struct region *r, uint32_t cell_bytes, uint32_t count)
{
	size_t bytes;

	assert(cell_bytes > 0 && cell_bytes <= UINT32_MAX - CELL_ALIGN && count < POOL_NONE);
	*p = (struct pool){ .cell_bytes = (cell_bytes + CELL_ALIGN - 1) / CELL_ALIGN * CELL_ALIGN };
	p->mem = region_take_array(r, count, p->cell_bytes, REGION_ALIGN);
	if (p->mem == NULL)
		return;
	p->count = count;
	p->limit = count;
	bytes = (size_t)count * p->cell_bytes;
	poison_lay(p->mem, bytes);
}

uint32_t pool_take(struct pool *p)
{
	uint32_t i = p->high;

	if (p->used >= p->limit)
		return POOL_NONE;
	if (p->free_plus1 != 0) {
		i = p->free_plus1 - 1;
		poison_lift(cell_at(p, i), p->cell_bytes);
		p->free_plus1 = link_get(p, i);
	} else {
		p->high++;
		poison_lift(cell_at(p, i), p->cell_bytes);
	}
	p->used++;
	assert(i < p->high && p->used <= p->high);
	return i;
}

void pool_give(struct pool *p, uint32_t i)
{
	char *cell = cell_at(p, i);

	assert(i < p->high && p->used > 0);
	assert(!poison_is_laid(cell)); /* given twice */
	poison_lift(cell, p->cell_bytes);
	memcpy(cell, &p->free_plus1, sizeof(p->free_plus1));
	poison_lay(cell, p->cell_bytes);
	p->free_plus1 = i + 1;
	p->used--;
}

void pool_limit(struct pool *p, uint32_t n)
{
	assert(p->limit <= p->count);
	p->limit = n < p->count ? n : p->count;
}

bool pool_valid(const struct pool *p)
{
	uint32_t free_plus1 = p->free_plus1;
	uint32_t free_n = 0;

	if (p->high > p->count || p->used > p->high || p->limit > p->count)
		return false;
	while (free_plus1 != 0 && free_n <= p->high) {
		char *cell;

		if (free_plus1 > p->high)
			return false;
		cell = cell_at(p, free_plus1 - 1);
		poison_lift(cell, p->cell_bytes);
		free_plus1 = link_get(p, free_plus1 - 1);
		poison_lay(cell, p->cell_bytes);
		free_n++;
	}
	return free_n + p->used == p->high;
}
