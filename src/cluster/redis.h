/*
 * cluster/redis.h: `struct bus` on a real Redis: two connections, one for commands and one for subscriptions,
 * to one server, which is found, connected to, and found again when it is lost.
 *
 *	WAITING --time--> CHOSEN a host --> RESOLVING --> OPENING both --> UP
 *	                                      \-> ASKING, a Sentinel --> CHOSEN: what it named, or the next
 *	    any of them --it failed, a connection ended--> WAITING, up to a second (Sentinel) or two
 *
 * Up is when both stand, down when one does not: then both are made anew, so that whoever is told of `up` has
 * to subscribe anew and cannot have missed that he must. Waiting grows from 100 ms by doubling, with full
 * jitter. All of the waiting is the loop's: nothing here blocks.
 *
 * Memory is mapped by redis_open(): hiredis' region (cluster/redis_memory.h), three connections, and 43 KiB
 * for each with TLS.
 */
#ifndef CLUSTER_REDIS_H
#define CLUSTER_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cluster/bus.h"
#include "net/resolver.h"
#include "wire/redis_url.h"

enum {
	REDIS_RETRY_MIN_MS = 100,
	REDIS_RETRY_MAX_MS = 2000,      /* within 5 s of its return all is told again, which takes a while */
	REDIS_RETRY_SENTINEL_MS = 1000, /* a failover takes seconds, and to ask a Sentinel costs nothing */
	REDIS_STEADY_MS = 2000,         /* up for so long: the next wait begins small again */
	REDIS_RESOLVE_MS = 5000,
	REDIS_NAME_BYTES_MAX = 80,      /* of CLIENT SETNAME */
};

struct redis;

/* Who hears: as the functions of cluster/bus.h that go the other way. */
struct redis_ears {
	void *ctx;
	void (*up)(void *ctx, struct now now);
	void (*down)(void *ctx, struct now now);
	void (*heard)(void *ctx, struct str channel, char *payload, size_t bytes, struct now now);
	void (*renewed)(void *ctx, bool was_there, struct now now);
	void (*refused)(void *ctx, struct str code, struct now now);
};

struct redis_config {
	const struct redis_url *url;    /* borrowed for life */
	struct str ca_file;             /* for TLS; absent: none */
	struct str node_id;             /* for CLIENT SETNAME */
	int epoll_fd;                   /* events come with WATCH_COMPANION and redis_event()'s numbers */
	resolver_lookup *lookup;        /* as resolver_open() has it */
	uint32_t channels_max;          /* that may be subscribed to at once, about */
};

enum redis_result {
	REDIS_OPENED,
	REDIS_BAD_CA,  /* TLS, and no `ca-file` that can be used: one line said so */
	REDIS_DENIED,  /* memory or a pipe: errno */
};

/* Reads ca-file; opens the resolver when a host is a name or Sentinel may give one. Connects from the first
 * redis_turn() on. */
enum redis_result redis_open(struct redis **out, const struct redis_config *, struct now now);

/* Starts the resolver's thread, if there is one to start. False with errno: the machine refused. */
bool redis_start(struct redis *);

void redis_close(struct redis *);

/* Both before the first turn. The log is borrowed. */
void redis_listen(struct redis *, const struct redis_ears *);
void redis_set_log(struct redis *, struct log *);

/* Borrows r. */
struct bus redis_bus(struct redis *r);

/* A turn of the loop begins. */
void redis_begin(struct redis *, struct now now);

/* A WATCH_COMPANION event; one that comes late finds nobody. */
void redis_event(struct redis *, uint32_t number, uint32_t generation, uint32_t events);

/* Once a turn, after its events. */
void redis_turn(struct redis *);

/* When redis_turn() has something to do. */
mono_t redis_deadline(const struct redis *);

/* Bytes that redis_open() maps. */
size_t redis_measure(const struct redis_url *, uint32_t channels_max);

#endif
