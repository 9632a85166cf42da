/*
 * server/session.h: one WebSocket connection after its handshake: from frames to whole messages, which
 * message.h takes, and how it ends. Errors never come back to the caller: they close the connection, with a
 * code and a reason for the peer, and are counted.
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "presence/engine.h"
#include "server/conn.h"
#include "server/metrics.h"

struct server;

/* Close codes of our own (CONTRACT 3); the RFC's are in wire/ws_frame.h. */
enum {
	SESSION_CLOSE_SILENT = 4000,
	SESSION_CLOSE_EXPIRED = 4001,
	SESSION_CLOSE_KICKED = 4002,
	SESSION_CLOSE_REPLACED = 4003,
};

/* Who a handshake said it is. Slices borrow the request. */
struct identity {
	enum dialect_id dialect;
	bool subprotocol;        /* presenced.NAME was offered and is echoed */
	bool anonymous;          /* echo, or nobody at all (closed 1002 after the upgrade) */
	bool stranger;           /* may authenticate in-band; user_id is what its request claims, or absent */
	struct str user_id, username, device_id;
	wall_t expires;          /* of the token that said so; WALL_NONE: never */
};

/* The upgrade was answered with 101: greets and attaches.
 * The connection becomes LIVE (or CLOSING when there is no room). */
void session_start(struct server *, struct conn *, const struct identity *);

/*
 * A connection that was greeted is who `id` says: makes it known to the engine. Closes it when there is no
 * room.
 */
void session_attach(struct server *, struct conn *, const struct identity *id);

/* Bytes from the peer, lent for the call; may be changed. All are consumed, or kept in the intake. */
void session_input(struct server *, struct conn *, uint8_t *bytes, size_t n);

/* The peer ended its stream. */
void session_input_end(struct server *, struct conn *);

/* Sends Close (after what is queued, if the peer reads) and takes the connection's presence away.
 * Only in LIVE; later, nothing: the first reason counts. `reason` is copied.
 * `why`: REFUSED_COUNT when nobody is at fault. */
void session_close(struct server *, struct conn *, unsigned code, struct str reason, enum refusal why);

/* All that was queued has been written. */
void session_written(struct server *, struct conn *);

#endif
