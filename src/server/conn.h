/*
 * server/conn.h: one connection as the server holds it, in 192 bytes whatever
 * it does. Its presence is the engine's link of the same number; what it
 * borrows (queue nodes, frames, intake buffers) comes from pools and goes back.
 *
 * The first cache line is all that a fan-out reads and writes;
 * the rest is touched by the connection's own traffic and timer.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <stdalign.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/strpool.h"
#include "base/wheel.h"
#include "wire/http.h"
#include "wire/websocket.h"

#define CONN_NONE UINT32_MAX

/*
 *	FREE --accept--> HTTP --upgraded--> LIVE
 *	LIVE --close decided, Close queued--> CLOSING --written, answered or late--> LINGER --> FREE
 *	HTTP --last response queued--> LINGER (after it is written)
 */
enum conn_state {
	CONN_FREE,
	CONN_HTTP,    /* reading requests, writing responses */
	CONN_LIVE,    /* WebSocket, identified (or echo, or waiting to authenticate) */
	CONN_CLOSING, /* our Close is queued or sent;
	               * input is read for the peer's Close and otherwise ignored */
	CONN_LINGER,  /* all is written and our side is shut;
	               * input is thrown away until the peer ends or the timer does */
	CONN_STATES
};

enum conn_flag {
	CONN_DIRTY = 1 << 0,       /* in the server's list of connections to flush */
	CONN_BLOCKED = 1 << 1,     /* the transport took less than was queued: waiting for writable */
	CONN_ATTACHED = 1 << 2,    /* the engine has a link of this number */
	CONN_GREETED = 1 << 3,     /* counted as a WebSocket connection */
	CONN_PEER_CLOSED = 1 << 4, /* the peer's Close, or its end of stream, was seen */
	CONN_SLOT = 1 << 5,        /* has an entry in the per-address count */
	CONN_PAUSED = 1 << 6,      /* not reading: its own output has to drain first */
	CONN_STREAMING = 1 << 7,   /* a response is being produced piece by piece */
	CONN_LAST_RESPONSE = 1 << 8, /* HTTP: close after what is queued */
	CONN_DOOMED = 1 << 9,      /* in the list of connections to be freed at the end of the turn */
	CONN_RESUME = 1 << 10,     /* in the list of connections with unread input in their intake */
	CONN_PING_SENT = 1 << 11,
	CONN_HEAD_ONLY = 1 << 12,  /* the request being answered was HEAD */
	CONN_CONTINUED = 1 << 13,  /* 100 was sent for the request under way */
	CONN_LEAVING = 1 << 14,    /* in the list of connections whose link
	                            * the engine still has to take away */
	CONN_CLOSE_SENT = 1 << 15, /* CLOSING: our Close was handed to the transport */
	CONN_SERVED = 1 << 16,     /* HTTP: at least one request was answered */
	CONN_WAITING = 1 << 17,    /* HTTP: its request cannot be answered yet;
	                            * LIVE: a token of its cannot (server/waiting.h) */
	CONN_STRANGER = 1 << 18,   /* LIVE: has not authenticated yet */
	CONN_EXPIRY_TOLD = 1 << 19, /* LIVE: was told that its token ends soon */
	CONN_STARVED = 1 << 20,    /* BLOCKED: was writable and took nothing; its timer tries again */
};

/* Where a connection comes from. IPv4 as ::ffff:a.b.c.d; all zero for a unix socket. */
struct peer {
	uint8_t address[16];
	uint16_t port;
};

struct conn {
	/* --- the line of the fan-out --- */
	int32_t handle;
	uint32_t generation;       /* of this slot; part of every readiness event,
	                            * so that a late one is recognised */
	uint32_t mark;             /* serial of the last event delivered here: nobody gets an event twice */
	uint32_t flags;            /* enum conn_flag */
	uint8_t state;             /* enum conn_state; conn_to() alone writes it */
	uint8_t dialect;           /* enum dialect_id */
	uint8_t listener;
	uint8_t intake_class;
	uint32_t head;             /* first queued frame; FRAME_NONE: nothing queued.
	                            * The queue's shape: queue.h */
	uint32_t head_sent;        /* bytes of it already written */
	uint32_t run_last;         /* last frame of the first run */
	uint32_t node_first;       /* the runs behind it, in nodes; POOL_NONE: none */
	uint32_t node_last;
	uint32_t queued_bytes;     /* head_sent not subtracted */
	uint16_t queued_messages;
	uint16_t run_count;        /* frames in the first run, head included */
	uint8_t bad_streak;        /* malformed messages in a row */
	uint8_t limited_streak;    /* messages over a rate limit in a row */
	uint32_t intake;           /* buffer of the message or request that came in part; POOL_NONE */
	uint32_t intake_bytes;     /* held in it */
	uint32_t loan;             /* LIVE: a control frame that came in part;
	                            * HTTP: cursor of a streamed response; POOL_NONE */

	/* --- the rest --- */
	alignas(64) struct timer timer; /* one, for the earliest of all that this connection waits for */
	mono_t heard;              /* last input; or output taken, when there was no room to ping it */
	mono_t pinged;             /* last ping, or when the first is due to be counted from */
	mono_t blocked_since;      /* with CONN_BLOCKED: last progress */
	mono_t since;              /* what is under way began: this HTTP request (the first: the
	                            * connection), this unfinished message, CLOSING, LINGER */
	struct bucket messages;
	union {
		struct http_parser http; /* CONN_HTTP */
		struct ws_dec ws;        /* from CONN_LIVE on */
	};
	uint64_t key;              /* random: the connection id in 16 hex digits */
	struct peer peer;
	strref grant;              /* rooms that its token opens (server/grant.h); STRREF_NONE: all.
	                            * A stranger's: what its request said of it */
};

static_assert(offsetof(struct conn, timer) == 64, "what a fan-out touches is one cache line");
static_assert(sizeof(struct conn) <= 192, "an idle connection is three cache lines");

#endif
