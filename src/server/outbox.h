/*
 * server/outbox.h: from events to bytes on their way: encodes an event once per dialect,
 * queues references, and writes each connection's queue once per turn.
 *
 * A queue is bounded in messages and bytes (client-buffer, client-buffer-bytes; one larger message goes when
 * the queue is empty). A reader that is too slow first loses presence and typing that newer ones have
 * overtaken, then the connection (1013).
 */
#ifndef SERVER_OUTBOX_H
#define SERVER_OUTBOX_H

#include "presence/engine.h"
#include "server/conn.h"

struct server;
struct frame_writer;

/* The engine's sink; `ctx` is the struct server. */
void outbox_begin(void *ctx, const struct event *);
void outbox_skip(void *ctx, const uint32_t *conns, uint32_t n);
void outbox_deliver(void *ctx, const uint32_t *conns, uint32_t n);
uint32_t outbox_end(void *ctx);

/* One event to one connection, whatever its state up to CLOSING;
 * false when its dialect has no words, or it could not be queued. */
bool outbox_event(struct server *, struct conn *, const struct event *);

/* Queues a frame, taking over the caller's reference in any case.
 * False: not queued; the connection may have been closed for it. */
bool outbox_frame(struct server *, struct conn *, uint32_t frame);

/* A data or control frame of given payload. */
bool outbox_message(struct server *, struct conn *, unsigned opcode, const void *payload, size_t n);

/* Writes what is queued as far as the transport takes it. */
void outbox_write(struct server *, struct conn *);

/* Writes all dirty connections. */
void outbox_flush(struct server *);

/*
 * Frames, blocks or nodes are used up. First those who read are written to at once, though the turn is not
 * over; then of those who do not read the one with the longest queue is closed, so that all others hear.
 * `busy` may be NULL: the connection that is being answered. It is not written to, as its end may not come
 * in between. False: there is nothing to free.
 * Afterwards any connection, `busy` too, may be closing or doomed.
 */
bool outbox_free_frames(struct server *, const struct conn *busy);

/* The first half of it. */
bool outbox_write_early(struct server *, const struct conn *busy);

/* Drops what is queued; with `keep_started`, not a frame whose first bytes are already out. */
void outbox_clear(struct server *, struct conn *, bool keep_started);

/* Queued so much that the connection's own input should wait. */
bool outbox_is_high(const struct server *, const struct conn *);
bool outbox_is_low(const struct server *, const struct conn *);

#endif
