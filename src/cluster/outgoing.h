/*
 * cluster/outgoing.h: the users whose change has not been told yet, in the order of their first change, each
 * once: however long Redis is slow, there are never more of them than users.
 *
 * Ownership: memory comes from a region. O(1) each, but outgoing_clear().
 */
#ifndef CLUSTER_OUTGOING_H
#define CLUSTER_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/region.h"

struct outgoing {
	uint32_t *ring;      /* [users_max]: numbers of users */
	uint64_t *waiting;   /* bit u: user u is in it */
	uint32_t users_max, first, count;
};

/* Takes its memory from `r`, or measures: then it must not be used. */
void outgoing_init(struct outgoing *, struct region *r, uint32_t users_max);

/* Below users_max (asserted). Nothing happens to one that waits already. */
void outgoing_add(struct outgoing *, uint32_t user);

/* Does the user wait? */
bool outgoing_has(const struct outgoing *, uint32_t user);

/* Number i of those that wait, i < count. */
uint32_t outgoing_at(const struct outgoing *, uint32_t i);

/* The first n have been told. */
void outgoing_drop(struct outgoing *, uint32_t n);

/* Nobody needs to be told any more. O(count). */
void outgoing_clear(struct outgoing *);

/* O(users_max); for tests. */
bool outgoing_valid(const struct outgoing *);

#endif
