/*
 * cluster/seeds_roster.h: seed 003's list of everybody online, published by the smallest live node alone.
 * Written in slices, as it may hold tens of thousands. For seeds*.c.
 */
#ifndef CLUSTER_SEEDS_ROSTER_H
#define CLUSTER_SEEDS_ROSTER_H

#include "cluster/seeds.h"

/* Goes on with it. */
void seeds_roster_turn(struct seeds *, struct now);

/* When seeds_roster_turn() has something to do. */
mono_t seeds_roster_deadline(const struct seeds *);

/* It is to be published though it may equal what was published last. */
void seeds_roster_again(struct seeds *);

/* What was begun is worth nothing. */
void seeds_roster_stop(struct seeds *);

#endif
