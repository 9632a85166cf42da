/*
 * cluster/redis_way.h: the way to a Redis that can be used, and back to it: the state machine of
 * cluster/redis.h.
 */
#ifndef CLUSTER_REDIS_WAY_H
#define CLUSTER_REDIS_WAY_H

#include <async.h>

struct redis;

/* WAITING or RESOLVING has taken as long as it may. */
void redis_way_late(struct redis *);

/* The resolver has answered. */
void redis_way_resolved(struct redis *);

/* What a Sentinel says to the question for the master. */
void redis_way_master(struct redis *, const redisReply *);

/* Looks at what became of the connections, and goes on. The ears are told from here. */
void redis_way_settle(struct redis *);

#endif
