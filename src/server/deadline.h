/*
 * server/deadline.h: what a connection waits for, by its state: pings, silence,
 * slow heads, unfinished messages, blocked writes, the peer's Close.
 */
#ifndef SERVER_DEADLINE_H
#define SERVER_DEADLINE_H

#include "base/clock.h"
#include "server/conn.h"

struct server;

enum {
	/* When we leave: for a peer's Close, and for the rest of a request that has begun (CONTRACT 5). */
	DRAIN_REPLY_MS = 2000,
};

/* When the connection next has to be looked at; MONO_NEVER if nothing about it is a matter of time. */
mono_t deadline_of(const struct server *, const struct conn *);

/* Its timer fired: does what is due, and arms the timer again unless the connection goes. */
void deadline_passed(struct server *, struct conn *);

/* Between two pings of ours: the shorter of ping-period and heartbeat-interval; 0: none. */
int64_t deadline_ping_interval_ms(const struct server *);

#endif
