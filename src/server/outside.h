/*
 * server/outside.h: the seam to services that the server asks over HTTP: the JWKS endpoint and
 * `user-check-url`. net/fetch asks them for real; a test answers as it likes.
 *
 * A question is a ticket of the server's choosing. Every ask() that gave true is answered by exactly one
 * server_answered(), never from inside ask(), after five seconds at most.
 */
#ifndef SERVER_OUTSIDE_H
#define SERVER_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct server;

enum outside_service {
	OUTSIDE_KEYS, /* GET jwks-url */
	OUTSIDE_USER, /* GET user-check-url/{user_id} */
};

enum outside_result {
	OUTSIDE_ANSWERED, /* with a status, and for OUTSIDE_KEYS a body */
	OUTSIDE_FAILED,   /* no connection, no such name, bad TLS, not HTTP, too long, too late */
};

enum {
	OUTSIDE_DEADLINE_MS = 5000,     /* in all, from ask() to the last byte */
	OUTSIDE_BODY_BYTES_MAX = 65536,
	OUTSIDE_ASKED_MAX = 64,         /* questions under way at once */
};

struct outside {
	void *ctx;
	/* False: too many are under way. `user_id` counts for OUTSIDE_USER; it is copied. */
	bool (*ask)(void *ctx, uint32_t ticket, enum outside_service, struct str user_id);
};

/* The answer to a ticket; `body` is writable memory that is the server's until this returns.
 * Called between server_begin_turn() and server_end_turn(). */
void server_answered(struct server *, uint32_t ticket, enum outside_result, unsigned status,
                     char *body, uint32_t body_bytes);

#endif
