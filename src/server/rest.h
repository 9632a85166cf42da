/*
 * server/rest.h: the HTTP interface (CONTRACT 4): one table of routes. REST never waits: every answer is queued when the call returns.
 */
#ifndef SERVER_REST_H
#define SERVER_REST_H

#include "base/jsonw.h"
#include "presence/event.h"
#include "server/conn.h"

struct server;

/* Answers one plain request (not an upgrade) with its whole body. `body` may be changed (JSON is unescaped in place). */
void rest_handle(struct server *, struct conn *, const struct http_request *, uint8_t *body, size_t body_bytes);

/* CORS headers for an allowed Origin: fills out[2], returns how many (0 without an Origin or for one that is not allowed). */
size_t rest_cors_headers(const struct server *, const struct conn *, const struct http_request *, struct http_header out[2]);

/* A user as in seed 002: {"user_id","username","status","last_seen"}. */
void rest_write_seed_user(struct jsonw *, const struct presence_view *);

#endif
