/*
 * server/state.h: everything the server layer holds, in one struct;
 * private to src/server. No globals: a test runs three of these.
 *
 * Reading order: server.c (the turn), request.c (HTTP), admission.c (who may come in), session.c (WebSocket),
 * message.c (from text to the engine), outbox.c (fan-out).
 */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include "base/log.h"
#include "base/map.h"
#include "base/pool.h"
#include "presence/engine.h"
#include "server/admission.h"
#include "server/config.h"
#include "server/conn.h"
#include "server/frame.h"
#include "server/intake.h"
#include "server/keys.h"
#include "server/metrics.h"
#include "server/outside.h"
#include "server/peers.h"
#include "server/server.h"
#include "server/token.h"
#include "server/transport.h"
#include "server/user_check.h"
#include "server/waiting.h"

enum {
	INPUT_BYTES = 65536,            /* what one turn reads from one connection at most */
	STAGING_BYTES = 65536,          /* several small frames for one connection are written as one slice */
	SLICES_MAX = 64,
	QUEUE_MESSAGES_MAX = 65535,     /* whatever client-buffer says: counted in 16 bits */
	SPARE_CONNECTIONS = 64,         /* slots beyond connections_max: REST, health
	                                 * and the 503 for who is too many */
	HTTP_REQUESTS_PER_TURN_MAX = 64, /* pipelined on one connection: the rest waits for the next turn */
	HTTP_IDLE_MS = 60000,           /* between two requests of one connection */
	LINGER_MS = 2000,
	CONFLATE_PONG = 15,             /* beside enum conflation: only the newest
	                                 * unsent Pong is kept for a slow reader */
	CONFLATE_PING = 14,             /* and so a Ping of ours, which may be left out as well */
};

/* Timer kinds of the server; the engine has 0 .. ENGINE_TIMER_KINDS-1. */
enum server_timer { TIMER_CONN = ENGINE_TIMER_KINDS, TIMER_DRAIN, TIMER_KEYS, TIMER_WAITING };

/* Frames that follow each other by frame.next, in a queue behind the connection's own first run (queue.h). */
struct queue_run {
	uint32_t first, last, count;
	uint32_t next;                  /* node of the next run; POOL_NONE */
};

/* One event on its way out: which dialects have encoded it, and to what. */
struct fanout {
	const struct event *event;
	uint32_t serial;
	uint32_t delivered;
	bool tried[DIALECT_COUNT];
	bool no_room[DIALECT_COUNT];    /* who should hear it, and cannot, is closed */
	uint32_t frame[DIALECT_COUNT];  /* FRAME_NONE: no words, or no room */
};

/* What was last put together for writing, so that the next
 * connection with the same queue need not do it again. */
struct staging {
	char *bytes;
	struct iovec whole;             /* what of `bytes` is in use */
	struct iovec slices[SLICES_MAX]; /* scratch for one write;
	                                  * too large to be cleared on the stack each time */
	uint32_t first, count;          /* the run of frames that it holds; FRAME_NONE: nobody's but one's */
	uint32_t opened;                /* frames.opened when it was made: a frame's
	                                 * number may be another frame's by now */
};

struct address_count {
	uint8_t address[16];            /* IPv6 cut to its /64 */
	uint32_t connections;
};

/* Connection numbers, each at most once (a flag of the connection says whether it is in). */
struct conn_list {
	uint32_t *v;
	uint32_t n;
};

struct server {
	const struct server_config *cfg;
	struct transport transport;
	struct peers peers;             /* counts when cfg->clustered */
	struct outside outside;         /* counts with jwks-url or user-check-url */
	struct log log;
	struct log_limit refusal_limits[REFUSED_COUNT];
	struct metrics metrics;
	struct now now;                 /* of this turn */
	wall_t started;
	mono_t started_mono;
	uint64_t random_state[4];       /* xoshiro256**, seeded by the caller: connection keys, jitter */

	struct engine *engine;
	struct engine_sink sink;        /* what the engine calls: outbox and note */
	struct wheel wheel;

	struct conn *conns;
	uint32_t conn_slots;            /* connections_max + SPARE_CONNECTIONS */
	uint32_t conns_high;            /* slots at and above were never used */
	uint32_t shed_cursor;           /* where server_shed() goes on, modulo conns_high */
	struct conn_list free;          /* last in, first out */
	struct conn_list dirty;         /* room for twice the slots: one may
	                                 * come back while it is worked off */
	struct conn_list leaving, doomed, resume;
	struct pool nodes;              /* struct queue_run */
	struct conn conflated;          /* scratch of queue_conflate(): a queue without a connection */
	struct frames frames;
	struct intake intake;
	struct fanout out;
	struct staging staging;
	struct bucket accept_bucket;
	struct bucket *user_buckets;    /* unused unless user-message-rate is set */
	struct bucket *command_buckets; /* [slot][CMD_COUNT]; untouched unless a rate-COMMAND is set */
	struct strpool grants;          /* what tokens with a `rooms` claim open */
	struct keys keys;
	struct verifier verifier;
	struct user_checks user_checks;
	struct waiting waiting;
	mono_t *expires;                /* [slot], of LIVE connections: authenticate.h */
	struct map addresses;
	struct pool address_cells;

	uint8_t *input;                 /* the one read buffer, INTAKE_MEDIUM_BYTES: it also
	                                 * takes what was left unread in an intake */
	struct json json;
	struct json_tok *tokens;
	struct decode_scratch *scratch;
	struct http_request request;
	struct claim claim;

	bool draining;
	bool drain_spread;              /* they are many: one after the other */
	mono_t drain_since;
	uint32_t drain_cursor;          /* slots below it were told to go */
	bool drain_told;                /* all that were there have been */
	struct timer drain_timer;
	uint64_t turn_messages;         /* frames read in this turn, for the latency histogram */
	const struct conn *acting;      /* whose doing the engine is working on, for the log's `conn`;
	                                 * NULL: a timer's */
	bool warned_trust_token;
	size_t memory_bytes;
};

static inline struct conn *conn_at(const struct server *s, uint32_t ci)
{
	assert(ci < s->conn_slots);
	return &s->conns[ci];
}

static inline uint32_t conn_index(const struct server *s, const struct conn *c)
{
	return (uint32_t)(c - s->conns);
}

/* 16 lowercase hex digits and a NUL. */
struct conn_id_text {
	char text[17];
};
struct conn_id_text conn_id(const struct conn *c);

/* Counts a refusal and, at most once a second per reason, logs it. `c` may be NULL. */
void server_refused(struct server *s, enum refusal why, const struct conn *c);

uint64_t server_random(struct server *s);

/* Only way to change a state: legal transitions are asserted, timers re-armed. */
void conn_to(struct server *s, struct conn *c, enum conn_state to);

/* Puts the connection down for freeing at the end of the turn; its engine link goes too. Idempotent. */
void conn_doom(struct server *s, struct conn *c);

/* The connection's link, if any, is taken from the engine before the turn ends. Idempotent. */
void conn_leave(struct server *s, struct conn *c);

/* Works out what the connection waits for next and sets its timer. */
void conn_arm(struct server *s, struct conn *c);

/* Tells the transport what to watch for, from the connection's flags. */
void conn_want(struct server *s, struct conn *c);

/* Adds to a list unless the flag says it is in. */
void conn_list_add(struct conn_list *list, struct conn *c, uint32_t ci, enum conn_flag flag);

#endif
