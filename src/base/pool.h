/*
 * base/pool.h: fixed-size cells addressed by number, over region memory. O(1), last given is first taken.
 *
 * The free list is threaded through the free cells; cells never taken lie above a high-water mark and are
 * not touched, so that the pages of a large pool stay unmapped until they are needed. A struct pool of
 * zeros is a pool without cells. Ownership: the taker of a cell gives it back once. What a taken cell holds
 * is unspecified: the taker fills it. Alignment: 8 bytes; 16, 32, 64 when cell_bytes is a multiple of
 * those. Cells never move. Debug: under ASan free cells are poisoned, and giving a cell twice fails an
 * assertion.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/region.h"

#include <assert.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX

struct pool {
	char *mem;
	uint32_t cell_bytes; /* rounded up to a multiple of 8 */
	uint32_t count;      /* cells there are; below POOL_NONE */
	uint32_t limit;      /* cells that may be in use; == count unless pool_limit() lowered it */
	uint32_t used;
	uint32_t high;       /* cells at and above it were never taken */
	uint32_t free_plus1; /* number of the first free cell + 1; 0: none below `high` */
};

/*
 * Takes count * cell_bytes from the region; measures when the region does; a region that fails leaves a
 * pool without cells.
 */
void pool_init(struct pool *p, struct region *r, uint32_t cell_bytes, uint32_t count);

/* The number of a cell, now the caller's; POOL_NONE when `limit` cells are in use. */
uint32_t pool_take(struct pool *p);

/* Gives cell i back; every pointer into it is dead. */
void pool_give(struct pool *p, uint32_t i);

/*
 * Test hook: at most n cells in use from now on (POOL_NONE: all there are again). Cells in use stay in use.
 */
void pool_limit(struct pool *p, uint32_t n);

/* Free list, counts and mark agree. O(free cells); for tests and fuzzers. */
bool pool_valid(const struct pool *p);

/* The memory of cell i, which has been taken. */
static inline void *pool_at(const struct pool *p, uint32_t i)
{
	assert(i < p->high);
	return p->mem + (size_t)i * p->cell_bytes;
}

/* The number of the cell that `ptr` points into, at any offset. */
static inline uint32_t pool_index(const struct pool *p, const void *ptr)
{
	size_t offset = (size_t)((const char *)ptr - p->mem);

	assert((const char *)ptr >= p->mem && offset / p->cell_bytes < p->high);
	return (uint32_t)(offset / p->cell_bytes);
}

static inline uint32_t pool_used(const struct pool *p)
{
	return p->used;
}

/* Cells that may be in use at once. */
static inline uint32_t pool_count(const struct pool *p)
{
	return p->limit;
}

#endif
