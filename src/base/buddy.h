/*
 * base/buddy.h: blocks of any size from one region of fixed size (Knowlton 1965; Knuth, TAOCP 1, 2.5): for a
 * library that wants malloc and free, where they must not be the program's.
 *
 * A block is the next power of two of what was asked, 32 bytes at least, and begins at a multiple of its own
 * size. Two halves that are both free become one at once, so what is free is found in as few steps as there
 * are sizes. Nothing is written into a free block but its first 8 bytes; what is a block, and whether it is
 * free, stands in a map beside them, where an overflow of a block does not reach.
 */
#ifndef BASE_BUDDY_H
#define BASE_BUDDY_H

#include <stddef.h>
#include <stdint.h>

#include "base/region.h"

enum {
	BUDDY_ORDER_MIN = 5,   /* the smallest block: 32 bytes */
	BUDDY_ORDER_MAX = 29,  /* of the whole region */
};

struct buddy {
	char *mem;
	uint8_t *map;          /* by unit of the smallest block: 0 inside of one, else its order, and FREE */
	unsigned order;        /* of the region */
	uint32_t free[BUDDY_ORDER_MAX + 1]; /* by order: the first free block's unit + 1; 0: none */
	size_t in_use, high_water; /* bytes of blocks that are taken; the most there ever were */
	uint64_t failures;     /* times that nothing was left for what was asked */
};

/* A region of 2^order bytes. Measures when `r` does. */
void buddy_init(struct buddy *b, struct region *r, unsigned order);

/* Not zeroed, aligned to 32 bytes. NULL: nothing is left that is so large; counted. */
void *buddy_take(struct buddy *b, size_t bytes);

/* A block of buddy_take(), which may lie elsewhere then, with what was in it. NULL: `p` is as it was. */
void *buddy_resize(struct buddy *b, void *p, size_t bytes);

/* Bytes of the block that buddy_take() gave. */
size_t buddy_bytes(const struct buddy *b, const void *p);

void buddy_give(struct buddy *b, void *p);

/* The largest that could be taken now. */
size_t buddy_room(const struct buddy *b);

#endif
