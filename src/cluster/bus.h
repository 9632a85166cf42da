/*
 * cluster/bus.h: the seam to Redis: what the cluster asks of it, and what it hears. cluster/redis does it for
 * real; the simulator has a Redis of its own.
 *
 * Nothing here waits. Everything that is given is copied. A call that gives false did nothing: there is no
 * connection, or so much is on its way that no more fits (bus.space); whoever has to say it keeps it and says
 * it later.
 */
#ifndef CLUSTER_BUS_H
#define CLUSTER_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "base/str.h"

struct bus {
	void *ctx;
	bool (*publish)(void *ctx, struct str channel, struct str payload);
	bool (*subscribe)(void *ctx, struct str channel);
	bool (*unsubscribe)(void *ctx, struct str channel);
	bool (*set)(void *ctx, struct str key, struct str value, int64_t ttl_ms); /* ttl 0: none */
	bool (*del)(void *ctx, struct str key);
	/* The key lives for ttl_ms from now on; cluster_renewed() says whether it was there. */
	bool (*renew)(void *ctx, struct str key, int64_t ttl_ms);
	/* Bytes of commands that may be given now. */
	size_t (*space)(void *ctx);
	/* What was given goes out now, as far as the machine takes it. */
	void (*flush)(void *ctx);
	/* It does not hear, or does not answer: connect anew. */
	void (*reset)(void *ctx);
	/* Lines of /metrics. NULL: none. */
	void (*metrics)(const void *ctx, struct jsonw *out);
};

struct cluster;

/* Both connections stand; nothing is subscribed to. */
void cluster_up(struct cluster *, struct now now);
/* One of them does not. */
void cluster_down(struct cluster *, struct now now);
/* A message on a channel that was subscribed to; `payload` is the callee's to change until this returns. */
void cluster_heard(struct cluster *, struct str channel, char *payload, size_t bytes, struct now now);
/* The answer to bus.renew(). */
void cluster_renewed(struct cluster *, bool was_there, struct now now);
/* A write was refused (READONLY, OOM, NOPERM, ...); `code` is the first word of what Redis said. */
void cluster_refused(struct cluster *, struct str code, struct now now);

#endif
