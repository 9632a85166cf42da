/*
 * server/respond.h: HTTP answers, into the connection's queue.
 *
 *	struct response r;
 *	if (respond_open(s, c, &r)) { jsonw_obj(r.json); ...; jsonw_end_obj(r.json); }
 *	respond_close(s, c, &r, 200, RESPOND_JSON);
 */
#ifndef SERVER_RESPOND_H
#define SERVER_RESPOND_H

#include "server/conn.h"
#include "server/frame.h"
#include "server/metrics.h"

struct server;

#define RESPOND_JSON STR("application/json")
#define RESPOND_METRICS STR("text/plain; version=0.0.4; charset=utf-8")

struct response {
	struct frame_writer body;
	struct jsonw *json;      /* write the body through this; valid after respond_open() */
	bool open;
};

/* Starts a body. False (there is no room) may be ignored: json then
 * swallows what is written, and respond_close answers 503. */
bool respond_open(struct server *, struct conn *, struct response *);

/* Ends the body and queues head and body; 503 if it found no room.
 * A head without room ends the connection. */
void respond_close(struct server *, struct conn *, struct response *, unsigned status,
                   struct str content_type);

/* An answer without a body: 204, 202 and the like. */
void respond_empty(struct server *, struct conn *, unsigned status);

/* The answer to OPTIONS: 204 with at most RESPOND_HEADERS_MAX headers of its own. */
enum { RESPOND_HEADERS_MAX = 4 };
void respond_options(struct server *, struct conn *, const struct http_header *own, size_t own_count);

/* The JSON error answer. `allow` only with 405; the connection goes on unless `last`. 503 and 429 say when to
 * come back: those who were refused together not together. */
struct respond_error {
	unsigned status;
	struct str message;
	struct str allow;
	bool bad_token;          /* 401: something was presented */
	bool last;
	enum refusal why;
};
void respond_error(struct server *, struct conn *, const struct respond_error *);

/* GET /presence with many users: pieces of bounded size, the next once the last was written.
 * 503 when too many such answers are under way. */
void respond_stream_presence(struct server *, struct conn *);
/* The next piece; called when all before it has been written. */
void respond_stream_next(struct server *, struct conn *);

#endif
