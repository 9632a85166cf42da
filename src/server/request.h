/*
 * server/request.h: a connection while it speaks HTTP: collects requests,
 * in order, and hands each to the upgrade or to REST.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "base/clock.h"
#include "server/conn.h"

struct server;

/* Bytes from the peer; n == 0: look again at what the intake holds. */
void request_input(struct server *, struct conn *, uint8_t *bytes, size_t n);

/* The peer ended its stream: what was asked is still answered, half a request is not. */
void request_input_end(struct server *, struct conn *);

/* All that was queued has been written: goes on streaming, reads on, or closes. */
void request_written(struct server *, struct conn *);

/* When patience ends with the request under way, or with the wait for one; and what happens then. */
mono_t request_deadline(const struct server *, const struct conn *);
void request_timer(struct server *, struct conn *);

/* The server is leaving: idle connections go, busy ones after their answer. */
void request_drain(struct server *, struct conn *);

#endif
