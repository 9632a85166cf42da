/*
 * server/waiting.h: who cannot be answered yet: requests and in-band tokens that wait for keys, for the word
 * of `user-check-url`, or for their turn to be verified.
 *
 * A request waits in its connection's intake and is looked at from its beginning again. A token that came in
 * a message waits in a cell of a pool, while its connection's other messages go on.
 */
#ifndef SERVER_WAITING_H
#define SERVER_WAITING_H

#include "base/pool.h"
#include "base/wheel.h"
#include "server/conn.h"
#include "wire/jwt.h"

struct server;

/* What is waited for: the number of a user check, or one of these; also the tickets of server/outside.h. */
enum {
	WAIT_USERS = 0x7ffffffd,      /* that fewer users are asked about */
	WAIT_TURN = 0x7ffffffe,
	WAIT_KEYS = 0x7fffffff,
};

enum {
	WAITING_MS = 5000,            /* CONTRACT 2: 5 s at most, for one thing,
	                               * however often it fails to come */
	WAITING_TOKENS_MAX = 256,
	WAITING_REPLY_BYTES_MAX = 512, /* of a request's raw JSON id */
};

struct waiter {
	uint32_t conn, generation;
	uint32_t what;
	uint32_t cell;                /* of a struct waiting_token; POOL_NONE: a request */
	mono_t until;
};

/* A token that came in a message. */
struct waiting_token {
	uint32_t token_bytes, reply_bytes;
	bool has_reply;
	char token[JWT_BYTES_MAX];
	char reply_to[WAITING_REPLY_BYTES_MAX];
};

struct waiting {
	struct waiter *v;             /* those who wait for an answer, in no order */
	uint32_t n, cap;
	struct waiter *turns;         /* ring: those who wait for their turn, in order */
	uint32_t turn_first, turn_count;
	struct pool tokens;           /* struct waiting_token */
	struct waiter again;          /* who is looked at again just now; conn CONN_NONE: nobody */
	struct timer timer;           /* for the earliest `until` */
};

void waiting_init(struct waiting *, struct region *, uint32_t slots);

/* The request that `c` is working on waits; false: no room, and nothing changed. */
bool waiting_add_request(struct server *, struct conn *c, uint32_t what);

/* A token that came in a message waits; both slices are copied, unless it waited before and is where it was.
 * False: no room, or it is too long. */
bool waiting_add_token(struct server *, struct conn *c, uint32_t what, struct str token, struct str reply_to);

/* Does anybody wait for their turn? */
bool waiting_for_turn(const struct server *);

/* Did the request, or the token, of `c` that is being looked at wait before? Until waiting_was_again(). */
bool waiting_is_again(const struct server *, const struct conn *c);
void waiting_was_again(struct server *);

/* What was waited for is there, or will not come. */
void waiting_answered(struct server *, uint32_t what);

/* The same for `max` of those who wait for it, the first; how many there were. */
uint32_t waiting_some(struct server *, uint32_t what, uint32_t max);

/* Before the turn ends: those whose turn has come are looked at again. */
void waiting_work_off(struct server *);

/* The timer fired: those who waited too long are told. */
void waiting_timer(struct server *);

#endif
