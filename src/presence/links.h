/*
 * presence/links.h: one link per identified connection, under the server's dense number for it.
 *
 * What links hear that is of no room and no one user lies apart, a byte each: who hears
 * a thing is found by walking these bytes in order, eight at a time where nobody does.
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
	LINK_HEARS = 1 << 0,   /* its dialect hears presence without asking */
	LINK_GREETED = 1 << 1, /* its dialect has no greeting: it hears its own arrival */
	LINK_INDEXED = 1 << 2, /* its interests are in the map (interests.c) */
};

enum {
	LINK_HERE = 1 << 7,    /* among a link's topics: there is such a connection */
	LINKS_BATCH = 64,      /* found by one step of a walk at most */
};

struct link {
	int64_t touched_ms;       /* mono; last sign of life */
	wall_t connected_at;
	uint32_t user, device;
	uint32_t next_plus1, prev_plus1; /* of the user's links */
	struct list interests;    /* subscriptions, oldest first */
	uint16_t interest_count;
	uint8_t dialect;
	uint8_t flags;            /* enum link_flag */
	uint32_t snapshot;        /* number of the last snapshot it was shown; 0: none that still matters. Of
	                           * who hears the roster: mark of the set that it was shown last */
};

static_assert(sizeof(struct link) <= 48, "one per idle connection");

struct links {
	struct link *v;
	uint8_t *topics;  /* enum topic bits that are of no room, and LINK_HERE; 0: no such connection */
	uint32_t max, count;
	uint32_t users;   /* with a link */
	uint32_t high;    /* links at and above were never there */
	uint32_t hearers; /* links with TOPIC_PRESENCE */
};

void links_init(struct links *ls, struct region *r, uint32_t connections_max);

static inline struct link *links_at(const struct links *ls, uint32_t conn)
{
	assert(conn < ls->max);
	return &ls->v[conn];
}

static inline bool links_live(const struct links *ls, uint32_t conn)
{
	return conn < ls->high && ls->topics[conn] != 0;
}

/*
 * Walks the links with one of `topics`, in order of their numbers: start with *cursor = 0. Fills conns and
 * returns how many; 0 ends. Topics that are changed meanwhile count, or not, by where the cursor stands.
 */
uint32_t links_next_hearing(const struct links *ls, uint8_t topics, uint32_t *cursor,
			    uint32_t conns[LINKS_BATCH]);

/* The link is there, first in a user's list, whose head is *first_plus1; and gone from both. */
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
