/*
 * Invariants: head and body are queued together or not at all.
 * With CONN_STREAMING the connection's loan block holds the cursor.
 */
#include "server/respond.h"

#include "server/outbox.h"
#include "server/rest.h"
#include "server/state.h"
#include "wire/http_write.h"

enum {
	HEAD_BYTES_MAX = 1024,
	STREAM_PIECE_BYTES = 16384, /* users are added to a piece until it has this size */
	CHUNK_LINE_BYTES_MAX = 16,
	RETRY_AFTER_S = 5,
	RETRY_JITTER_S = 10,
};

static const struct http_request *request(const struct server *s)
{
	return &s->request;
}

/* Counts; a response that ends the connection is marked so. */
static bool finish_headers(struct server *s, struct conn *c, unsigned status)
{
	s->metrics.http_responses[status / 100]++;
	if (!request(s)->keep_alive || s->draining)
		c->flags |= CONN_LAST_RESPONSE;
	return !(c->flags & CONN_LAST_RESPONSE);
}

static bool queue_bytes(struct server *s, struct conn *c, const void *bytes, size_t n)
{
	uint32_t f;

	do
		f = frame_of(&s->frames, bytes, n);
	while (f == FRAME_NONE && outbox_free_frames(s, c));
	if (f == FRAME_NONE) {
		server_refused(s, REFUSED_POOL, c);
		conn_doom(s, c);
		return false;
	}
	return outbox_frame(s, c, f);
}

/* RFC 9110 6.6.1 */
static struct str date(const struct server *s, char out[HTTP_DATE_BYTES])
{
	http_date(s->now.wall, out);
	return str_of(out, HTTP_DATE_BYTES);
}

/* With `own_count` headers more, at most RESPOND_HEADERS_MAX. */
static bool queue_head(struct server *s, struct conn *c, struct http_answer r, const struct http_header *own,
                       size_t own_count)
{
	char head[HEAD_BYTES_MAX], at[HTTP_DATE_BYTES];
	struct http_header extra[CORS_HEADERS_MAX + RESPOND_HEADERS_MAX];
	size_t n;

	assert(own_count <= RESPOND_HEADERS_MAX);
	r.date = date(s, at);
	r.keep_alive = finish_headers(s, c, r.status);
	r.extra = extra;
	r.extra_count = rest_cors_headers(s, c, request(s), extra);
	for (size_t i = 0; i < own_count; i++)
		extra[r.extra_count++] = own[i];
	n = http_write_head(head, sizeof(head), &r);
	assert(n > 0);
	return queue_bytes(s, c, head, n);
}

bool respond_open(struct server *s, struct conn *c, struct response *r)
{
	do
		r->open = frame_open(&s->frames, &r->body, 0);
	while (!r->open && outbox_free_frames(s, c));
	if (!r->open) {
		jsonw_init(&r->body.json, NULL, 0);
		r->body.json.failed = true;
	}
	r->json = &r->body.json;
	return r->open;
}

void respond_close(struct server *s, struct conn *c, struct response *r, unsigned status,
                   struct str content_type)
{
	uint32_t f = r->open ? frame_close(&r->body) : FRAME_NONE;
	struct http_answer head = { .status = status, .content_type = content_type };

	if (f == FRAME_NONE) {
		respond_error(s, c, &(struct respond_error){
			.status = 503, .message = STR("no room for the answer"),
			.last = true, .why = REFUSED_POOL,
		});
		return;
	}
	head.content_length = frame_at(&s->frames, f)->len;
	if (!queue_head(s, c, head, NULL, 0) || (c->flags & CONN_HEAD_ONLY)) {
		frame_drop(&s->frames, f);
		return;
	}
	outbox_frame(s, c, f);
}

void respond_empty(struct server *s, struct conn *c, unsigned status)
{
	const struct http_answer r = {
		.status = status, .content_length = status == 204 ? HTTP_BODY_NONE : 0,
	};

	queue_head(s, c, r, NULL, 0);
}

void respond_options(struct server *s, struct conn *c, const struct http_header *own, size_t own_count)
{
	const struct http_answer r = { .status = 204, .content_length = HTTP_BODY_NONE };

	queue_head(s, c, r, own, own_count);
}

/* Of what passes; 0: nothing is said. */
static unsigned retry_after_s(struct server *s, unsigned status)
{
	if (status != 503 && status != 429)
		return 0;
	return RETRY_AFTER_S + (unsigned)(server_random(s) % RETRY_JITTER_S);
}

void respond_error(struct server *s, struct conn *c, const struct respond_error *e)
{
	char bytes[HTTP_ERROR_BYTES_MAX], at[HTTP_DATE_BYTES];
	struct http_header cors[CORS_HEADERS_MAX];
	struct http_error_answer r = {
		.status = e->status, .date = date(s, at), .message = e->message, .allow = e->allow,
		.retry_after_s = retry_after_s(s, e->status), .bad_token = e->bad_token,
		.head_only = (c->flags & CONN_HEAD_ONLY) != 0, .extra = cors,
	};
	size_t n;

	if (e->why != REFUSED_COUNT)
		server_refused(s, e->why, c);
	if (e->last)
		c->flags |= CONN_LAST_RESPONSE;
	else
		r.extra_count = rest_cors_headers(s, c, request(s), cors);
	r.keep_alive = e->last ? false : finish_headers(s, c, e->status);
	if (e->last)
		s->metrics.http_responses[e->status / 100]++;
	n = http_write_error(bytes, sizeof(bytes), &r);
	assert(n > 0);
	queue_bytes(s, c, bytes, n);
}

/* --- streaming --- */

struct cursor {
	uint32_t users;               /* written so far */
	uint16_t id_bytes;            /* of the last of them; 0: none yet */
	bool chunked;                 /* else the end of the connection ends the body */
	char id[ID_BYTES_MAX];
};

static_assert(sizeof(struct cursor) <= INTAKE_LOAN_BYTES, "the cursor fits its block");

void respond_stream_presence(struct server *s, struct conn *c)
{
	struct cursor *cur = intake_loan(&s->intake, c);
	struct http_answer head = { .status = 200, .content_type = RESPOND_JSON };

	if (cur == NULL) {
		respond_error(s, c, &(struct respond_error){
			.status = 503, .message = STR("too many long answers under way"),
			.why = REFUSED_POOL,
		});
		return;
	}
	*cur = (struct cursor){ .chunked = request(s)->minor >= 1 };
	if (!cur->chunked)
		c->flags |= CONN_LAST_RESPONSE;
	head.content_length = cur->chunked ? HTTP_BODY_CHUNKED : HTTP_BODY_NONE;
	if (!queue_head(s, c, head, NULL, 0) || (c->flags & CONN_HEAD_ONLY))
		intake_loan_release(&s->intake, c);
	else
		c->flags |= CONN_STREAMING;
}

/* Users after the cursor until the piece is large enough. True: there are more. */
static bool write_piece(struct server *s, struct cursor *cur, struct jsonw *w)
{
	struct presence_view v;
	bool more;

	if (cur->users == 0)
		jsonw_splice(w, STR("{\"users\":["));
	/* A piece begins with a fresh writer, which knows nothing of the comma owed. */
	w->comma = cur->users > 0;
	while ((more = engine_online_after(s->engine, cur->id_bytes == 0 ? STR_NONE :
	                                   str_of(cur->id, cur->id_bytes), &v, s->now)) &&
	       jsonw_bytes(w) < STREAM_PIECE_BYTES) {
		rest_write_seed_user(w, &v);
		cur->users++;
		cur->id_bytes = (uint16_t)v.user_id.n;
		memcpy(cur->id, v.user_id.p, v.user_id.n);
	}
	if (!more) {
		jsonw_splice(w, STR("],\"count\":"));
		jsonw_u64(w, cur->users);
		jsonw_splice(w, STR("}"));
	}
	return more;
}

void respond_stream_next(struct server *s, struct conn *c)
{
	struct cursor *cur = intake_loan(&s->intake, c);
	char size[CHUNK_LINE_BYTES_MAX];
	struct frame_writer fw;
	uint32_t f = FRAME_NONE;
	bool more = false;

	if (frame_open(&s->frames, &fw, CHUNK_LINE_BYTES_MAX)) {
		more = write_piece(s, cur, &fw.json);
		if (cur->chunked) {
			frame_prepend(&fw, size,
			              http_write_chunk_size(size, sizeof(size), frame_written(&fw)));
			jsonw_splice(&fw.json, STR("\r\n"));
			if (!more)
				jsonw_splice(&fw.json, HTTP_LAST_CHUNK);
		}
		f = frame_close(&fw);
	}
	if (!more) {
		intake_loan_release(&s->intake, c);
		c->flags &= ~(uint32_t)CONN_STREAMING;
	}
	if (f == FRAME_NONE)
		conn_doom(s, c);
	else
		outbox_frame(s, c, f);
}
