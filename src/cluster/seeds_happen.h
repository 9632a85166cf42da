/*
 * cluster/seeds_happen.h: what happens once and is told once: clients that come and go, and typing. Kept
 * until the turn's end, because the engine may not be asked while it tells. For seeds*.c.
 */
#ifndef CLUSTER_SEEDS_HAPPEN_H
#define CLUSTER_SEEDS_HAPPEN_H

#include "cluster/seeds.h"

/* Tells what waits. False: the bus had no room for the first of it. */
bool seeds_happen_turn(struct seeds *, struct now);

/* The bus is down: what waits is lost, and counted. */
void seeds_happen_drop(struct seeds *);

#endif
