/*
 * base/arena.c: see arena.h.
 *
 * Invariants:
 * - The chain runs from `top` back through the number in the first bytes of each chained block, POOL_NONE
 *   at its end; it is `blocks` long. Allocation happens in top, or in home while there is no chain.
 * - `used` counts bytes of that block from its start, owner's bytes and link included, and is a multiple of
 *   8. With neither home nor chain it equals the cell size, so that the first allocation finds no room.
 */
#include "base/arena.h"

#include "base/poison.h"

#include <string.h>

enum {
	ALIGN = 8,
	BLOCK_BYTES_MAX = 65528,
};

static_assert(ARENA_LINK_BYTES % ALIGN == 0, "the link keeps the alignment");
static_assert(ARENA_LINK_BYTES >= sizeof(uint32_t), "the link fits");

static size_t aligned(size_t bytes)
{
	static_assert((ALIGN & (ALIGN - 1)) == 0, "a power of two");
	return (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* Back to where an empty arena stands. */
static void rewind_home(struct arena *a)
{
	assert(a->top == POOL_NONE && a->blocks == 0);
	a->used = (uint16_t)a->pool->cell_bytes;
	if (a->home == POOL_NONE)
		return;
	a->used = (uint16_t)aligned(a->home_bytes);
	poison_lay((char *)pool_at(a->pool, a->home) + a->used, a->pool->cell_bytes - a->used);
}

void arena_init_home(struct arena *a, struct pool *pool, uint8_t blocks_max, uint32_t home,
                     uint16_t home_bytes)
{
	assert(pool->cell_bytes > ARENA_LINK_BYTES && pool->cell_bytes <= BLOCK_BYTES_MAX);
	assert(home_bytes <= pool->cell_bytes);
	*a = (struct arena){ .pool = pool, .home = home, .top = POOL_NONE };
	a->home_bytes = home_bytes;
	a->blocks_max = blocks_max;
	rewind_home(a);
}

void arena_init(struct arena *a, struct pool *pool, uint8_t blocks_max)
{
	arena_init_home(a, pool, blocks_max, POOL_NONE, 0);
}

size_t arena_alloc_max(const struct arena *a)
{
	assert(a->pool->cell_bytes > ARENA_LINK_BYTES);
	return a->pool->cell_bytes - ARENA_LINK_BYTES;
}

/* Chains a block; false, and nothing changed, at the bound or when the pool is empty. */
static bool grow(struct arena *a)
{
	uint32_t block;
	char *mem;

	if (a->blocks >= a->blocks_max)
		return false;
	block = pool_take(a->pool);
	if (block == POOL_NONE)
		return false;
	mem = pool_at(a->pool, block);
	memcpy(mem, &a->top, sizeof(a->top));
	poison_lay(mem + ARENA_LINK_BYTES, a->pool->cell_bytes - ARENA_LINK_BYTES);
	a->top = block;
	a->blocks++;
	a->used = ARENA_LINK_BYTES;
	return true;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	char *p;

	assert(a->used <= a->pool->cell_bytes && a->used % ALIGN == 0);
	if (a->fail_after != 0 && --a->fail_after == 0)
		return NULL;
	if (bytes == 0)
		bytes = 1; /* so that every result is its own */
	if (bytes > a->pool->cell_bytes - a->used && (bytes > arena_alloc_max(a) || !grow(a)))
		return NULL;
	p = (char *)pool_at(a->pool, a->top != POOL_NONE ? a->top : a->home) + a->used;
	poison_lift(p, bytes);
	a->used = (uint16_t)(a->used + aligned(bytes));
	return p;
}

void arena_reset(struct arena *a)
{
	while (a->top != POOL_NONE) {
		uint32_t block = a->top;

		assert(a->blocks > 0);
		memcpy(&a->top, pool_at(a->pool, block), sizeof(a->top));
		pool_give(a->pool, block);
		a->blocks--;
	}
	rewind_home(a);
}

void arena_fail_after(struct arena *a, uint16_t n)
{
	assert(a->pool != NULL);
	a->fail_after = n;
}
