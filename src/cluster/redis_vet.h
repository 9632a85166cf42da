/*
 * cluster/redis_vet.h: what the guard cannot see byte by byte: that an answer is one that hiredis 1.2.0
 * expects. It asserts where it should refuse (an answer nobody waits for, a subscription nobody made), and
 * we do not abort for what a peer says: the reader's functions look first (read.h: redisReplyObjectFunctions)
 * and give NULL, at which hiredis ends the connection.
 */
#ifndef CLUSTER_REDIS_VET_H
#define CLUSTER_REDIS_VET_H

#include <async.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/pool.h"
#include "base/region.h"
#include "base/siphash.h"
#include "base/str.h"

enum { REDIS_CHANNEL_BYTES_MAX = 160 };

struct redis_vet {
	redisReplyObjectFunctions fn;   /* the reader's, instead of its own */
	const redisReplyObjectFunctions *own;
	const redisAsyncContext *ac;
	const uint32_t *pending;        /* commands that are not answered */
	struct str why;                 /* absent: nothing was refused */
	/* What is subscribed to, as hiredis counts it in a table that we cannot look into: by keyed hashes of
	 * the names, 64 bits, which nobody can make collide who does not know the key. */
	struct siphash_key key;
	struct pool cells;
	struct map channels;
};

/* For so many subscriptions at once; measures when `r` does. */
void redis_vet_init(struct redis_vet *, struct region *r, uint32_t channels_max, struct siphash_key);

/* Puts itself between the reader of `ac`, which is new, and its functions, and forgets what was subscribed
 * to. `pending` is borrowed. */
void redis_vet_watch(struct redis_vet *, redisAsyncContext *ac, const uint32_t *pending);

/* SUBSCRIBE is about to be said; false: too many, or too long. */
bool redis_vet_subscribe(struct redis_vet *, struct str channel);

/* Is it subscribed to, or was that asked for? */
bool redis_vet_knows(const struct redis_vet *, struct str channel);

/* Redis confirmed it: to be called in hiredis' callback. */
void redis_vet_subscribed(struct redis_vet *, struct str channel);
void redis_vet_unsubscribed(struct redis_vet *, struct str channel);

#endif
