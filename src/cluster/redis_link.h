/*
 * cluster/redis_link.h: one connection to a Redis or a Sentinel. One state machine owns it, and the context
 * of hiredis in it, which hiredis frees by itself when the connection ends (RELIABILITY R6): nobody else
 * keeps it.
 *
 *	CLOSED --open--> CONNECTING --> (SECURING: TLS) --> GREETING --> READY
 *	                 any of them --it broke, time is up, redis_link_end()--> CLOSED, and l->why says why
 *
 * GREETING says, at once: AUTH, SELECT, CLIENT SETNAME, ROLE, PING, as far as they are wanted; READY is when
 * all were answered well. Nothing calls the owner but the two functions of struct redis_link_owner, and these
 * only from within redis_link_event() and redis_link_turn(): who wants to know what became of the connection
 * looks at l->state behind these.
 */
#ifndef CLUSTER_REDIS_LINK_H
#define CLUSTER_REDIS_LINK_H

#include <async.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "cluster/redis_vet.h"
#include "cluster/redis_wire.h"
#include "wire/redis_url.h"

enum {
	REDIS_CONNECT_MS = 2000,        /* a TCP connection, or a TLS handshake, or the greeting: each */
	REDIS_ANSWER_MS = 2000,         /* the oldest command that is not answered (RELIABILITY R3) */
	REDIS_PENDING_MAX = 4096,       /* commands that are not answered */
	REDIS_PENDING_BYTES_MAX = 2 << 20, /* of these: the longest message (1 MiB), and others beside it */
	REDIS_UNCONFIRMED_MAX = 4096,   /* SUBSCRIBEs that are not answered */
	REDIS_COMMAND_BYTES = 96,       /* what one costs beside its arguments, about */
	REDIS_ARGUMENTS_MAX = 6,
	REDIS_WHY_BYTES = 128,
	REDIS_SUBSCRIBE_ROOM_BYTES = 65536, /* hiredis does not look whether its table has got memory */
};

enum redis_link_state { REDIS_CLOSED, REDIS_CONNECTING, REDIS_SECURING, REDIS_GREETING, REDIS_READY };

struct redis_greeting {
	const struct redis_url *url;    /* for user, password, db; NULL: none of them */
	struct str name;                /* for CLIENT SETNAME; "": not said */
	bool master;                    /* ROLE has to answer that it is one */
	struct str host;                /* whose certificate it must be, with TLS */
	wall_t wall;                    /* when it must be valid, with TLS */
};

struct redis_link_owner {
	void *ctx;
	/* The answer to a command of this kind. */
	void (*answered)(void *ctx, uint32_t kind, const redisReply *);
	/* A message; `payload` is the callee's to change until this returns. */
	void (*heard)(void *ctx, struct str channel, char *payload, size_t bytes);
};

struct redis_pending {
	uint32_t kind, bytes;
	mono_t given;
};

struct redis_link {
	enum redis_link_state state;
	bool ended;                     /* redis_link_end(): closed at the next turn */
	bool reached;                   /* somebody took the connection, at least */
	bool refused;                   /* the greeting was answered with an error */
	bool wants_write;               /* hiredis has something to send */
	bool starved;                   /* the socket was writable and took nothing: again at retry_at */
	bool was_read;                  /* in this turn: once is enough */
	uint32_t watched;               /* the events that epoll reports */
	uint32_t number, generation;    /* of its epoll events */
	int epoll_fd;
	const struct anchors *anchors;
	struct redis_greeting greeting;
	redisAsyncContext *ac;          /* GREETING, READY */
	mono_t now, deadline;           /* of the turn; of the state, until READY */
	mono_t retry_at;
	uint32_t greetings;             /* that are not answered */
	uint32_t unconfirmed;           /* SUBSCRIBEs that are not answered */
	mono_t unconfirmed_since;
	uint32_t pending, pending_bytes, oldest; /* of ring */
	uint64_t commands, answers;     /* so far */
	uint64_t failures;              /* of hiredis' memory, when it was last asked */
	struct redis_link_owner owner;
	struct redis_wire wire;
	struct redis_vet vet;
	struct redis_pending ring[REDIS_PENDING_MAX];
	char why[REDIS_WHY_BYTES];      /* of the last CLOSED; NUL-terminated */
};

struct redis_link_config {
	uint32_t number;                /* of its epoll events */
	int epoll_fd;
	struct tls_client *tls;         /* NULL: without; borrowed, as the anchors */
	const struct anchors *anchors;
	uint32_t channels_max;          /* subscribed to at once */
	struct siphash_key key;
	struct redis_link_owner owner;
};

/* A link that is CLOSED, of zeroed memory; or measures. Its tables are taken from `r`. */
void redis_link_init(struct redis_link *, struct region *r, const struct redis_link_config *);

/* A CLOSED one connects. What the greeting points to lives as long as the connection. */
void redis_link_open(struct redis_link *, const struct redis_address *, const struct redis_greeting *,
                     mono_t now);

/* CLOSED, now; not from within a callback. */
void redis_link_close(struct redis_link *);

/* CLOSED at the next redis_link_turn(), and deaf and mute until then; the first reason counts. */
void redis_link_end(struct redis_link *, struct str why);

/* A turn of the loop begins. */
void redis_link_begin(struct redis_link *, mono_t now);

/* Its socket has these epoll events. */
void redis_link_event(struct redis_link *, uint32_t events);

/* All events of the turn were told: sends what was given, ends what takes too long. */
void redis_link_turn(struct redis_link *);

/* When redis_link_turn() has something to do; before `now` when at once. */
mono_t redis_link_deadline(const struct redis_link *);

/* Bytes that a command's arguments may have now; 0: none fits. */
size_t redis_link_space(const struct redis_link *);

/* READY only. False: nothing was done. */
bool redis_link_send(struct redis_link *, uint32_t kind, int n, const struct str *arguments);
bool redis_link_subscribe(struct redis_link *, struct str channel);
bool redis_link_unsubscribe(struct redis_link *, struct str channel);

/* What was given goes out as far as the socket takes it. */
void redis_link_flush(struct redis_link *);

#endif
