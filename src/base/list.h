/*
 * base/list.h: doubly linked lists of pool cells, by number: 8 bytes a link, 8 a head. O(1) push and remove.
 *
 * The link lies at the same offset in every cell of the pool. Zeroed memory is an empty list and a link of
 * no list. Ownership: a cell is in at most one list per link; remove it before giving it back.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/pool.h"

struct list_link {
	uint32_t next_plus1; /* 0: last */
	uint32_t prev_plus1; /* 0: first */
};

struct list {
	uint32_t first_plus1;
	uint32_t last_plus1;
};

/* First cell; POOL_NONE when empty. */
static inline uint32_t list_first(const struct list *l)
{
	return l->first_plus1 - 1;
}

/* The cell after cell i, whose link is at link_offset; POOL_NONE at the end. Ask before removing i. */
uint32_t list_next(const struct pool *p, size_t link_offset, uint32_t i);

/* Appends cell i, which is in no list through this link. */
void list_push(struct list *l, const struct pool *p, size_t link_offset, uint32_t i);

/* Takes cell i out of l, in which it is. */
void list_remove(struct list *l, const struct pool *p, size_t link_offset, uint32_t i);

#endif
