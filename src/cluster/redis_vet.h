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

#include "base/str.h"

enum {
	REDIS_CHANNELS_MAX = 64,        /* subscribed to at once */
	REDIS_CHANNEL_BYTES_MAX = 160,
};

/* As hiredis counts it, in a table that we cannot look into. */
struct redis_channel {
	uint32_t bytes;                 /* 0: free */
	int pending;                    /* SUBSCRIBEs that are not answered */
	char name[REDIS_CHANNEL_BYTES_MAX];
};

struct redis_vet {
	redisReplyObjectFunctions fn;   /* the reader's, instead of its own */
	const redisReplyObjectFunctions *own;
	const redisAsyncContext *ac;
	const uint32_t *pending;        /* commands that are not answered */
	struct str why;                 /* absent: nothing was refused */
	struct redis_channel channels[REDIS_CHANNELS_MAX];
};

/* Puts itself between the reader of `ac`, which is new, and its functions. `pending` is borrowed. */
void redis_vet_watch(struct redis_vet *, redisAsyncContext *ac, const uint32_t *pending);

/* SUBSCRIBE is about to be said; false: too many, or too long. */
bool redis_vet_subscribe(struct redis_vet *, struct str channel);

/* Is it subscribed to, or was that asked for? */
bool redis_vet_knows(struct redis_vet *, struct str channel);

/* Redis confirmed it: to be called in hiredis' callback. */
void redis_vet_subscribed(struct redis_vet *, struct str channel);
void redis_vet_unsubscribed(struct redis_vet *, struct str channel);

#endif
