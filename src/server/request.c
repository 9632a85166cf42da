/*
 * Invariants: in CONN_HTTP the intake, if any, begins with the first byte of the request under way;
 * the parser has seen a prefix of it. A connection whose last response is queued reads no further request.
 */
#include "server/request.h"

#include "server/admission.h"
#include "server/outbox.h"
#include "server/respond.h"
#include "server/rest.h"
#include "server/session.h"
#include "server/state.h"
#include "wire/http_write.h"

static void refuse(struct server *s, struct conn *c, unsigned status, struct str message, enum refusal why)
{
	respond_error(s, c, &(struct respond_error){
		.status = status, .message = message, .last = true, .why = why,
	});
}

/* What can be known of it: an answer to HEAD has no body (RFC 9110 9.3.2), whatever else is wrong. */
static void malformed(struct server *s, struct conn *c, struct str bytes)
{
	enum http_error e = (enum http_error)c->http.error;

	c->flags &= ~(uint32_t)CONN_HEAD_ONLY;
	if (str_has_prefix(bytes, STR("HEAD ")))
		c->flags |= CONN_HEAD_ONLY;
	refuse(s, c, http_error_status(e), http_error_text(e), REFUSED_HTTP_MALFORMED);
}

/* Keeps what is not a whole request yet. */
static void keep(struct server *s, struct conn *c, const uint8_t *bytes, size_t n)
{
	if (n > 0 && (c->flags & CONN_SERVED))
		c->since = s->now.mono;
	if (intake_append(&s->intake, c, bytes, n))
		return;
	c->flags &= ~(uint32_t)CONN_WAITING; /* this is its answer */
	respond_error(s, c, &(struct respond_error){
		.status = 503, .message = STR("no room for the request"),
		.last = true, .why = REFUSED_POOL,
	});
}

static bool wants_more_requests(const struct conn *c)
{
	return c->state == CONN_HTTP && !(c->flags & (CONN_LAST_RESPONSE | CONN_DOOMED));
}

/*
 * Another protocol is offered where no WebSocket begins: `h2c`, by clients that would rather speak HTTP/2.
 * Such an offer may be let be (RFC 9110 7.8).
 */
static bool offers_other(const struct http_request *req)
{
	struct str offered = http_header(req, STR("upgrade")), token;

	if (str_eq(req->path, STR("/")) || str_eq(req->path, STR("/ws")))
		return false;
	if (http_header_count(req, STR("upgrade")) != 1 ||
	    !str_absent(http_header(req, STR("sec-websocket-key"))))
		return false;
	while (http_list_next(&offered, &token))
		if (str_eq_nocase(token, STR("websocket")))
			return false;
	return true;
}

/* A request with its whole body. */
static void serve(struct server *s, struct conn *c, uint8_t *body, size_t body_bytes)
{
	struct handshake hs;

	if (!waiting_is_again(s, c))
		s->metrics.http_requests_total++;
	c->flags &= ~(uint32_t)(CONN_HEAD_ONLY | CONN_CONTINUED);
	if (s->request.method == HTTP_HEAD)
		c->flags |= CONN_HEAD_ONLY;
	handshake_check(&s->request, &hs);
	if (hs.outcome == HANDSHAKE_REFUSED && offers_other(&s->request)) {
		s->request.keep_alive = false; /* a proxy may take what follows for the other protocol */
		hs.outcome = HANDSHAKE_NONE;
	}
	if (hs.outcome == HANDSHAKE_NONE)
		rest_handle(s, c, &s->request, body, body_bytes);
	else
		admission_upgrade(s, c, &s->request, &hs);
}

/* A head whose body is still under way. */
static void await_body(struct server *s, struct conn *c)
{
	if (!s->request.expect_continue || (c->flags & CONN_CONTINUED))
		return;
	c->flags |= CONN_CONTINUED;
	outbox_frame(s, c, frame_of(&s->frames, HTTP_CONTINUE.p, HTTP_CONTINUE.n));
}

/* The connection is a WebSocket now: what came behind the handshake is its first input. */
static void hand_over(struct server *s, struct conn *c, uint8_t *rest, size_t n, bool in_intake)
{
	if (in_intake) {
		if (c->intake == POOL_NONE)
			return; /* the session ended as it began, and gave its input back */
		assert(n <= INTAKE_MEDIUM_BYTES);
		memmove(s->input, rest, n);
		rest = s->input;
		intake_release(&s->intake, c);
	}
	if (n > 0)
		session_input(s, c, rest, n);
}

enum step { STEP_MORE, STEP_SERVED, STEP_UPGRADED, STEP_WAIT, STEP_LAST };

/* One request at bytes[0, n). *used: its bytes, when it was served. */
static enum step step(struct server *s, struct conn *c, uint8_t *bytes, size_t n, size_t *used)
{
	enum http_result r = http_parse(&c->http, (const char *)bytes, n, &s->request);

	if (r == HTTP_MORE)
		return STEP_MORE;
	if (r == HTTP_BAD) {
		malformed(s, c, str_of((const char *)bytes, n));
		return STEP_LAST;
	}
	*used = s->request.head_bytes + s->request.content_length;
	if (n < *used) {
		await_body(s, c);
		return STEP_MORE;
	}
	serve(s, c, bytes + s->request.head_bytes, s->request.content_length);
	waiting_was_again(s); /* what is pipelined behind it did not wait */
	if (c->flags & CONN_WAITING) { /* CONN_HEAD_ONLY too counts for the answer */
		http_parser_init(&c->http); /* to be read again, from its first byte */
		return STEP_WAIT;
	}
	c->flags &= ~(uint32_t)CONN_HEAD_ONLY;
	if (c->state == CONN_LIVE || c->state == CONN_CLOSING)
		return STEP_UPGRADED;
	if (!wants_more_requests(c))
		return STEP_LAST;
	http_parser_init(&c->http);
	c->since = s->now.mono;
	c->flags |= CONN_SERVED;
	return STEP_SERVED;
}

/* Before the next request is looked at: are its predecessors' answers far enough out? */
static bool must_wait(const struct server *s, const struct conn *c, unsigned served)
{
	if (c->http.scanned > 0)
		return false;
	return (c->flags & CONN_STREAMING) || outbox_is_high(s, c) || served == HTTP_REQUESTS_PER_TURN_MAX;
}

static void wait(struct server *s, struct conn *c)
{
	if ((c->flags & CONN_STREAMING) || outbox_is_high(s, c)) {
		c->flags |= CONN_PAUSED;
		conn_want(s, c);
	} else {
		conn_list_add(&s->resume, c, conn_index(s, c), CONN_RESUME);
	}
}

/* Works through the requests in bytes[0, n), and keeps what is left of them. */
static void work(struct server *s, struct conn *c, uint8_t *bytes, size_t n, bool in_intake)
{
	size_t done = 0, used = 0;
	enum step last = STEP_SERVED;
	bool waits = false;

	for (unsigned served = 0; done < n && last == STEP_SERVED && !waits; served++) {
		waits = must_wait(s, c, served);
		if (waits)
			break;
		last = step(s, c, bytes + done, n - done, &used);
		if (last == STEP_SERVED || last == STEP_UPGRADED)
			done += used;
	}
	if (last == STEP_UPGRADED) {
		hand_over(s, c, bytes + done, n - done, in_intake);
		return;
	}
	if (last == STEP_LAST) {
		intake_release(&s->intake, c);
		return;
	}
	if (in_intake)
		intake_consume(&s->intake, c, (uint32_t)done);
	else
		keep(s, c, bytes + done, n - done);
	conn_arm(s, c); /* a request that has begun has less time than one that may come */
	if (waits)
		wait(s, c);
	else if (c->flags & CONN_SERVED)
		conn_arm(s, c); /* it was armed for the time between two requests */
}

void request_input(struct server *s, struct conn *c, uint8_t *bytes, size_t n)
{
	c->heard = s->now.mono;
	if (!wants_more_requests(c))
		return;
	if (c->intake == POOL_NONE) {
		work(s, c, bytes, n, false);
		return;
	}
	assert(n <= INTAKE_MEDIUM_BYTES - c->intake_bytes);
	if (n > 0 && !intake_append(&s->intake, c, bytes, n)) {
		refuse(s, c, 503, STR("no room for the request"), REFUSED_POOL);
		return;
	}
	work(s, c, intake_bytes(&s->intake, c), c->intake_bytes, true);
}

void request_input_end(struct server *s, struct conn *c)
{
	c->flags |= CONN_PEER_CLOSED | CONN_LAST_RESPONSE;
	if (c->head == FRAME_NONE && !(c->flags & CONN_STREAMING))
		conn_doom(s, c);
	else if (!(c->flags & CONN_PAUSED)) {
		/* Its end of stream stays readable for ever: do not look at it again. */
		c->flags |= CONN_PAUSED;
		conn_want(s, c);
	}
}

void request_written(struct server *s, struct conn *c)
{
	if (c->flags & CONN_STREAMING) {
		respond_stream_next(s, c);
		return;
	}
	if (c->flags & CONN_LAST_RESPONSE) {
		if (c->flags & CONN_PEER_CLOSED)
			conn_doom(s, c);
		else
			conn_to(s, c, CONN_LINGER);
		return;
	}
	if (!timer_is_set(&c->timer))
		conn_arm(s, c); /* it fired while the answer waited, with nothing to wait for */
	if ((c->flags & CONN_PAUSED) && !(c->flags & CONN_WAITING)) {
		c->flags &= ~(uint32_t)CONN_PAUSED;
		conn_want(s, c);
		if (c->intake != POOL_NONE)
			conn_list_add(&s->resume, c, conn_index(s, c), CONN_RESUME);
	}
	if (!timer_is_set(&c->timer))
		conn_arm(s, c); /* it waited for nothing but the peer's reading */
}

/* --- time --- */

mono_t request_deadline(const struct server *s, const struct conn *c)
{
	bool answering = c->head != FRAME_NONE || (c->flags & CONN_STREAMING);
	bool between = (c->flags & CONN_SERVED) && c->intake == POOL_NONE;

	(void)s;
	if (answering || (c->flags & CONN_WAITING))
		return MONO_NEVER; /* the peer's reading is watched by write-wait, waiting by waiting.c */
	return mono_add_ms(c->since, between ? HTTP_IDLE_MS : HTTP_HEAD_DEADLINE_MS);
}

void request_timer(struct server *s, struct conn *c)
{
	if (mono_before(s->now.mono, request_deadline(s, c)))
		return;
	if (c->intake != POOL_NONE)
		refuse(s, c, 408, STR("the request took too long"), REFUSED_HTTP_TIMEOUT);
	else
		conn_doom(s, c);
}

void request_drain(struct server *s, struct conn *c)
{
	bool answering = c->head != FRAME_NONE || (c->flags & CONN_STREAMING);

	if (c->flags & CONN_WAITING) {
		c->flags &= ~(uint32_t)CONN_WAITING;
		respond_error(s, c, &(struct respond_error){
			.status = 503, .message = STR("shutting down"), .last = true,
			.why = REFUSED_DRAINING,
		});
		intake_release(&s->intake, c);
		return;
	}
	if (!answering && c->intake != POOL_NONE)
		return; /* it has begun: its answer will be the last, if it comes in time */
	c->flags |= CONN_LAST_RESPONSE;
	if (!answering)
		conn_doom(s, c);
}
