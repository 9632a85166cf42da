/*
 * cluster/cluster.h: one node among others: who is there, what they say, and that nothing of it is missed.
 * Sans I/O: Redis is a struct bus, time comes as an argument, memory is given once.
 *
 * Each node says every BEAT_MS on the channel `presenced:nodes` that it lives, its epoch (of this boot) and
 * how many messages it has published; it hears itself, which proves that it hears. What changes about users
 * goes to `presenced:users` with (epoch, sequence); whoever misses one, or meets a node for the first time,
 * asks that node for all it has, which comes in pieces through `presenced:node:ID`. Pub/sub keeps the order
 * of one publisher, so pieces and changes fit together whatever happens meanwhile. A node that was silent
 * for LEASE_MS while this one did hear is gone; while this one hears nothing it takes nobody away.
 *
 * DOWN --cluster_up()--> JOINING --every node found has told all--> READY --cluster_down(), deaf--> DOWN
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "base/region.h"
#include "cluster/bus.h"
#include "server/config.h"
#include "server/peers.h"
#include "server/server.h"

enum {
	BEAT_MS = 2000,          /* CONTRACT 5 */
	LEASE_MS = 5500,         /* within 3 beats */
	NODE_ID_BYTES_MAX = 64,
};

struct cluster;

struct cluster_config {
	struct str node_id;      /* letter_is_node(); absent: made from `random` */
	uint64_t random[2];      /* from getrandom(), or the simulator's */
	uint32_t users_max;      /* as the engine's */
	int64_t presence_ttl_ms, typing_ttl_ms, offline_debounce_ms;
	bool keys;               /* redis-keys: seed 002's per-user keys */
};

/* Carves it from `r`, or measures (NULL). The bus is copied. */
struct cluster *cluster_new(const struct cluster_config *, struct region *r, const struct bus *,
			    struct now now);

/* For server_new(): borrows c. */
struct peers cluster_peers(struct cluster *);

/* Whose engine it speaks for; before anything else. The server's log is used. */
void cluster_serve(struct cluster *, struct server *);

/* Once a turn, between server_begin_turn() and server_end_turn(). */
void cluster_turn(struct cluster *, struct now now);

/* When cluster_turn() has something to do. */
mono_t cluster_deadline(const struct cluster *);

struct str cluster_node_id(const struct cluster *);

/* Every invariant; O(users_max). For tests. */
bool cluster_valid(const struct cluster *);

#endif
