/*
 * server/rest.h: the HTTP interface (CONTRACT 4): one table of routes.
 * REST never waits: every answer is queued when the call returns.
 *
 * The path is split and decoded once; a path is looked for among the fixed ones before those with an {id},
 * whatever the method, so that nobody can be called `health`. Then: method (405), credential (401, 403), body
 * (415, 400), the handler.
 */
#ifndef SERVER_REST_H
#define SERVER_REST_H

#include "server/body.h"
#include "server/conn.h"
#include "server/metrics.h"
#include "server/rest_write.h"

struct server;

/* One request on its way to its handler. Everything borrows the request. */
struct rest_call {
	const struct http_request *request;
	struct str id;           /* the path's {id}: a valid id; absent where the path has none */
	struct body body;        /* open where the route takes a body */
	struct str grant;        /* rooms that its token opens (server/grant.h); absent: all */
};

/* Answers one plain request (not an upgrade) with its whole body.
 * `body` may be changed (JSON is unescaped in place). */
void rest_handle(struct server *, struct conn *, const struct http_request *, uint8_t *body,
                 size_t body_bytes);

/* CORS headers for an allowed Origin: fills `out`, returns how
 * many (0 without an Origin or for one that is not allowed). */
enum { CORS_HEADERS_MAX = 2 };
size_t rest_cors_headers(const struct server *, const struct conn *, const struct http_request *,
                         struct http_header out[CORS_HEADERS_MAX]);

/* --- for the handlers --- */

/* An error answer; the connection goes on. Not for 405. */
void rest_refuse(struct server *, struct conn *, unsigned status, struct str message, enum refusal why);

/* False, and answered 400, when the body was refused. */
bool rest_body_ok(struct server *, struct conn *, const struct body *);

#endif
