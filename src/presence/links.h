/*
 * presence/links.h: one link per identified connection, under the server's dense number for it.
 */
#ifndef PRESENCE_LINKS_H
#define PRESENCE_LINKS_H

#include "base/clock.h"
#include "base/list.h"
#include "base/region.h"

#include <assert.h>
#include <stdint.h>

#define LINK_NONE UINT32_MAX

enum link_flag {
	LINK_ATTACHED = 1 << 0,
	LINK_HEARS = 1 << 1,  /* its dialect hears presence without asking */
	LINK_INDEXED = 1 << 3, /* its interests are in the map (interests.c) */
	LINK_GREETED = 1 << 2, /* its dialect has no greeting: it hears its own arrival */
};

struct link {
	uint64_t key;             /* connection id */
	int64_t touched_ms;       /* mono; last sign of life */
	wall_t connected_at;
	uint32_t user, device;
	uint32_t next_plus1, prev_plus1; /* of the user's links */
	uint32_t all_pos;         /* in the list of all links */
	uint32_t hearer_pos;      /* in the list of those that hear everybody's presence, if it does */
	struct list interests;    /* subscriptions, oldest first */
	uint16_t interest_count;
	uint8_t dialect;
	uint8_t flags;            /* enum link_flag; 0: no such connection */
	uint32_t snapshot;        /* number of the last snapshot it was shown; 0: none that still matters */
};

static_assert(sizeof(struct link) <= 64, "one cache line");

struct links {
	struct link *v;
	uint32_t max, count;
};

void links_init(struct links *ls, struct region *r, uint32_t connections_max);

static inline struct link *links_at(const struct links *ls, uint32_t conn)
{
	assert(conn < ls->max);
	return &ls->v[conn];
}

static inline bool links_live(const struct links *ls, uint32_t conn)
{
	return conn < ls->max && (ls->v[conn].flags & LINK_ATTACHED) != 0;
}

/* First in, and out of, a user's list, whose head is *first_plus1. */
void links_push(struct links *ls, uint32_t *first_plus1, uint32_t conn);
void links_remove(struct links *ls, uint32_t *first_plus1, uint32_t conn);

/* The links of one user: for (c = links_first(head); c != LINK_NONE; c = links_next(ls, c)) */
static inline uint32_t links_first(uint32_t first_plus1)
{
	return first_plus1 - 1;
}

static inline uint32_t links_next(const struct links *ls, uint32_t conn)
{
	return links_at(ls, conn)->next_plus1 - 1;
}

#endif
