/*
 * base/arena.h: bump allocator over a chain of equal blocks from a pool, up to a bound. One per connection.
 *
 * Everything allocated dies together at arena_reset(): keep no pointer across it. Nothing moves before.
 * Home: an arena may start in a block that its owner took himself (a connection's own cell, past its
 * struct); resets come back to it and never give it away.
 * Units: bytes; results are aligned to 8. Errors: NULL, nothing changes (try smaller, or fail that
 * connection). Debug: under ASan what is not allocated is poisoned. arena_fail_after(a, n) makes the n-th
 * call return NULL (tests).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/pool.h"

enum {
	ARENA_LINK_BYTES = 8, /* head of every chained block */
};

struct arena {
	struct pool *pool;
	uint32_t home;       /* the owner's block; POOL_NONE: none */
	uint32_t top;        /* newest chained block; POOL_NONE: none */
	uint16_t home_bytes; /* of home, that are the owner's */
	uint16_t used;       /* bytes of the current block (top, else home) that are gone */
	uint8_t blocks;      /* chained now */
	uint8_t blocks_max;
	uint16_t fail_after; /* 0: off */
};

/*
 * No block is taken yet. Cells of the pool are at most 65,528 bytes; at most blocks_max of them are
 * chained.
 */
void arena_init(struct arena *a, struct pool *pool, uint8_t blocks_max);

/*
 * The same, starting in block `home`, taken from the same pool by the owner, whose first home_bytes stay
 * the owner's.
 */
void arena_init_home(struct arena *a, struct pool *pool, uint8_t blocks_max, uint32_t home,
                     uint16_t home_bytes);

/*
 * Unspecified bytes, aligned to 8; NULL when bytes exceeds arena_alloc_max(), the bound is reached, or the
 * pool is empty.
 */
void *arena_alloc(struct arena *a, size_t bytes);

/* The largest request that a fresh chained block can serve. */
size_t arena_alloc_max(const struct arena *a);

/* Gives the chain back to the pool. The owner of a home gives that back himself, after this. */
void arena_reset(struct arena *a);

/* Test hook: the n-th arena_alloc() from now (1: the next) returns NULL, once. 0: off. */
void arena_fail_after(struct arena *a, uint16_t n);

#endif
