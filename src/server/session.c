/*
 * Invariants: in CONN_LIVE the decoder has not failed; the intake holds either the payload so far of an
 * unfinished message, or, with CONN_PAUSED, input that is not decoded yet and begins between two messages:
 * never both. A connection that leaves CONN_LIVE leaves the engine before the turn ends.
 */
#include "server/session.h"

#include "server/authenticate.h"
#include "server/deadline.h"
#include "server/message.h"
#include "server/outbox.h"
#include "server/request.h"
#include "server/state.h"
#include "wire/ws_frame.h"

/* --- the beginning --- */

static void greet(struct server *s, struct conn *c, const struct identity *id)
{
	struct conn_id_text connection = conn_id(c);
	struct event ev = message_event(s, EV_CONNECTED, NULL);

	ev.connection_id = str_of(connection.text, 16);
	ev.session = ev.connection_id;
	ev.device_id = str_absent(id->device_id) ? ev.connection_id : id->device_id;
	ev.anonymous = id->stranger;
	ev.user.user_id = id->user_id;
	ev.user.username = str_absent(id->username) ? id->user_id : id->username;
	ev.heartbeat_interval_s = (uint32_t)((s->cfg->heartbeat_interval_ms + 999) / 1000);
	outbox_event(s, c, &ev);
}

/* What the connection is from now on, before anybody hears of it. */
static void begin(struct server *s, struct conn *c, const struct identity *id)
{
	c->dialect = (uint8_t)id->dialect;
	ws_dec_init(&c->ws);
	c->heard = s->now.mono;
	/* Spread: ten thousand that came together are not pinged together. */
	c->pinged = mono_add_ms(s->now.mono, -(int64_t)(server_random(s) %
		(uint64_t)(deadline_ping_interval_ms(s) / 2 + 1)));
	c->flags |= CONN_GREETED;
	if (s->cfg->command_rate_any)
		memset(&s->command_buckets[(size_t)conn_index(s, c) * CMD_COUNT], 0,
		       CMD_COUNT * sizeof(struct bucket));
	if (id->stranger)
		authenticate_within(s, c);
	else
		authenticate_until(s, c, id->expires);
	s->metrics.connections++;
	s->metrics.connections_total++;
	s->metrics.connections_by_dialect[c->dialect]++;
	conn_to(s, c, CONN_LIVE);
}

void session_start(struct server *s, struct conn *c, const struct identity *id)
{
	begin(s, c, id);
	if (id->dialect == DIALECT_ECHO)
		return;
	if (id->anonymous) {
		session_close(s, c, WS_CODE_PROTOCOL, STR("userId is required"), REFUSED_IDENTITY_MISSING);
		return;
	}
	greet(s, c, id);
	if (!id->stranger)
		session_attach(s, c, id);
}

void session_attach(struct server *s, struct conn *c, const struct identity *id)
{
	const struct dialect *d = dialect_at(id->dialect);
	struct attachment at = {
		.user_id = id->user_id, .username = id->username, .device_id = id->device_id,
		.dialect = (uint8_t)id->dialect, .key = c->key,
		.topics = d->topics, .hears_own_arrival = d->hears_own_arrival,
	};
	enum engine_status attached;

	if (c->state != CONN_LIVE)
		return;
	assert(!(c->flags & (CONN_ATTACHED | CONN_STRANGER)));
	s->acting = c;
	attached = engine_attach(s->engine, conn_index(s, c), &at, s->now);
	s->acting = NULL;
	if (attached != ENGINE_OK) {
		session_close(s, c, WS_CODE_OVERLOAD, STR("no room for another user"), REFUSED_POOL);
		return;
	}
	c->flags |= CONN_ATTACHED;
	if (c->state != CONN_LIVE || (c->flags & CONN_DOOMED))
		conn_leave(s, c); /* what it heard of its own arrival was too much */
}

/* --- frames --- */

/* A piece of a message: whole ones go on as they are, others are put together. */
static void data(struct server *s, struct conn *c, const struct ws_event *ev)
{
	if (ev->opcode == WS_BINARY && c->dialect != DIALECT_ECHO) {
		session_close(s, c, WS_CODE_UNSUPPORTED, STR("text only"), REFUSED_BINARY);
		return;
	}
	if (ev->first && ev->last) {
		message_take(s, c, ev->opcode, ev->p, ev->n);
		return;
	}
	if (!intake_append(&s->intake, c, ev->p, ev->n)) {
		session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_POOL);
		return;
	}
	if (ev->last) {
		uint32_t held = c->intake;
		uint8_t class = c->intake_class;
		uint8_t none = 0, *p = held == POOL_NONE ? &none : intake_bytes(&s->intake, c);
		size_t n = c->intake_bytes;

		/* Ours while the message is worked on, and the connection's no more:
		 * it may be closed meanwhile. */
		c->intake = POOL_NONE;
		c->intake_bytes = 0;
		message_take(s, c, ev->opcode, p, n);
		if (held != POOL_NONE)
			pool_give(&s->intake.pools[class], held);
	}
}

static void ping(struct server *s, struct conn *c, const struct ws_event *ev)
{
	if (!bucket_take(&c->messages, s->cfg->message_rate, s->cfg->message_burst, s->now.mono)) {
		s->metrics.refused[REFUSED_MESSAGE_RATE]++;
		if (++c->limited_streak >= BAD_MESSAGES_IN_A_ROW_MAX)
			session_close(s, c, WS_CODE_POLICY, STR("too many pings"), REFUSED_MESSAGE_RATE);
		return;
	}
	outbox_message(s, c, WS_PONG, ev->p, ev->n);
}

/* The peer's Close: answered with the same code, once. */
static void peer_close(struct server *s, struct conn *c, const struct ws_event *ev)
{
	unsigned code = ev->code == WS_CODE_NONE ? WS_CODE_NORMAL : ev->code;

	c->flags |= CONN_PEER_CLOSED;
	if (c->state == CONN_LIVE)
		session_close(s, c, code, STR_NONE, REFUSED_COUNT);
	else if (c->flags & CONN_CLOSE_SENT)
		conn_to(s, c, CONN_LINGER);
}

static void event(struct server *s, struct conn *c, const struct ws_event *ev)
{
	switch (ev->type) {
	case WS_EV_DATA:
		if (c->state == CONN_LIVE)
			data(s, c, ev);
		return;
	case WS_EV_PING:
		if (c->state == CONN_LIVE)
			ping(s, c, ev);
		return;
	case WS_EV_CLOSE:
		peer_close(s, c, ev);
		return;
	case WS_EV_FAIL:
		if (c->state == CONN_LIVE)
			session_close(s, c, ev->code, STR_NONE, REFUSED_FRAME);
		c->flags |= CONN_PEER_CLOSED; /* nothing it sends can be understood any more */
		return;
	case WS_EV_PONG:
	case WS_EV_NONE:
	case WS_EV_NEED_CONTROL:
		return;
	}
}

static struct ws_limits limits_of(const struct server *s, const struct conn *c)
{
	struct ws_limits lim = {
		.message_bytes_max = s->cfg->message_bytes_max[c->dialect],
		.fragments_max = s->cfg->fragments_max,
	};

	if ((c->flags & CONN_STRANGER) && lim.message_bytes_max > STRANGER_MESSAGE_BYTES_MAX)
		lim.message_bytes_max = STRANGER_MESSAGE_BYTES_MAX;
	return lim;
}

/* Its own answers have piled up: the rest of its input waits until it has read some. */
static bool pause_input(struct server *s, struct conn *c, const uint8_t *bytes, size_t n)
{
	if (c->state != CONN_LIVE || ws_dec_in_message(&c->ws) || !ws_dec_between_frames(&c->ws) ||
	    !outbox_is_high(s, c))
		return false;
	if (!(c->flags & CONN_BLOCKED))
		outbox_write(s, c);
	if (c->state != CONN_LIVE || (c->flags & CONN_DOOMED) || !outbox_is_high(s, c))
		return false;
	if (!intake_append(&s->intake, c, bytes, n)) {
		session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_POOL);
		return true;
	}
	c->flags |= CONN_PAUSED;
	conn_want(s, c);
	return true;
}

/* The deadline of a message counts from its first header, though none of its payload may have come. */
static void message_began(struct server *s, struct conn *c)
{
	if (c->state != CONN_LIVE || !ws_dec_in_message(&c->ws))
		return;
	c->since = s->now.mono;
	conn_arm(s, c);
}

void session_input(struct server *s, struct conn *c, uint8_t *bytes, size_t n)
{
	uint8_t *control = c->loan == POOL_NONE ? NULL : intake_loan(&s->intake, c);
	struct ws_event ev;

	c->heard = s->now.mono;
	if (c->flags & CONN_ATTACHED)
		engine_touch(s->engine, conn_index(s, c), s->now);
	while (n > 0 && (c->state == CONN_LIVE || c->state == CONN_CLOSING) && !(c->flags & CONN_DOOMED)) {
		struct ws_limits lim = limits_of(s, c); /* a stranger's grow in the midst of its input */
		bool in_message = ws_dec_in_message(&c->ws);
		size_t used = ws_dec_feed(&c->ws, &lim, control, bytes, n, &ev);

		bytes += used;
		n -= used;
		if (!in_message)
			message_began(s, c);
		if (ev.type == WS_EV_NEED_CONTROL) {
			control = intake_loan(&s->intake, c);
			if (control == NULL) {
				session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_POOL);
				c->flags |= CONN_PEER_CLOSED; /* what follows is lost in this frame */
				return;
			}
			continue;
		}
		event(s, c, &ev);
		if (ev.type == WS_EV_FAIL)
			break;
		if (pause_input(s, c, bytes, n))
			break;
	}
	if (c->loan != POOL_NONE && !ws_dec_keeps_control(&c->ws))
		intake_loan_release(&s->intake, c);
}

void session_input_end(struct server *s, struct conn *c)
{
	if (c->state == CONN_LIVE)
		metrics_close(&s->metrics, WS_CODE_ABNORMAL);
	c->flags |= CONN_PEER_CLOSED;
	conn_doom(s, c);
}

/* --- the end --- */

void session_close(struct server *s, struct conn *c, unsigned code, struct str reason, enum refusal why)
{
	uint8_t frame[WS_FRAME_CONTROL_BYTES_MAX];
	uint32_t f;
	size_t n;

	if (c->state != CONN_LIVE)
		return;
	if (why != REFUSED_COUNT) {
		s->metrics.errors_total++;
		server_refused(s, why, c);
	}
	metrics_close(&s->metrics, code);
	conn_leave(s, c);
	/* A reader that is behind is not made to read it all before it learns. */
	if (c->flags & CONN_BLOCKED)
		outbox_clear(s, c, true);
	intake_release(&s->intake, c);
	if (c->flags & CONN_PAUSED) {
		c->flags &= ~(uint32_t)CONN_PAUSED;
		conn_want(s, c);
	}
	conn_to(s, c, CONN_CLOSING);
	n = ws_frame_close(frame, code, reason);
	f = frame_of(&s->frames, frame, n);
	if (f == FRAME_NONE && outbox_write_early(s, c))
		f = frame_of(&s->frames, frame, n);
	if (f == FRAME_NONE) {
		conn_doom(s, c);
		return;
	}
	frame_at(&s->frames, f)->close_after = 1;
	outbox_frame(s, c, f);
}

/* Reads on where the input was left, once the output has drained. */
static void resume_input(struct server *s, struct conn *c)
{
	if (!(c->flags & CONN_PAUSED) || !outbox_is_low(s, c))
		return;
	c->flags &= ~(uint32_t)CONN_PAUSED;
	conn_want(s, c);
	if (c->intake != POOL_NONE)
		conn_list_add(&s->resume, c, conn_index(s, c), CONN_RESUME);
}

void session_written(struct server *s, struct conn *c)
{
	if (c->state == CONN_HTTP) {
		request_written(s, c);
		return;
	}
	resume_input(s, c);
	if (c->state == CONN_CLOSING && (c->flags & CONN_CLOSE_SENT) && (c->flags & CONN_PEER_CLOSED))
		conn_to(s, c, CONN_LINGER);
}
