/*
 * A connection has one timer, set for the earliest of all that it waits for.
 * Activity does not move the timer: when it fires, the stamps in the connection say what is really due.
 */
#include "server/deadline.h"

#include "server/authenticate.h"
#include "server/outbox.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"
#include "wire/ws_frame.h"

enum {
	MESSAGE_MS = 10000,          /* an unfinished message: RELIABILITY F18 */
	MESSAGE_BYTES_PER_MS = 640,  /* and what the largest one may take on top: 5 Mbit/s */
};

int64_t deadline_ping_interval_ms(const struct server *s)
{
	int64_t p = s->cfg->ping_period_ms, h = s->cfg->heartbeat_interval_ms;

	if (p == 0 || (h > 0 && h < p))
		p = h;
	return p;
}

/* Silence for so long ends the connection; 0: never. */
static int64_t silence_max_ms(const struct server *s)
{
	int64_t by_heartbeat = 2 * s->cfg->heartbeat_interval_ms, by_pong = s->cfg->pong_wait_ms;

	if (by_heartbeat == 0 || (by_pong > 0 && by_pong < by_heartbeat))
		return by_pong;
	return by_heartbeat;
}

static mono_t message_deadline(const struct server *s, const struct conn *c)
{
	size_t bytes_max = s->cfg->message_bytes_max[c->dialect];

	if (!ws_dec_in_message(&c->ws))
		return MONO_NEVER;
	return mono_add_ms(c->since, MESSAGE_MS + (int64_t)(bytes_max / MESSAGE_BYTES_PER_MS));
}

static mono_t live_deadline(const struct server *s, const struct conn *c)
{
	mono_t at = mono_min(message_deadline(s, c), authenticate_deadline(s, c));

	if (deadline_ping_interval_ms(s) > 0)
		at = mono_min(at, mono_add_ms(c->pinged, deadline_ping_interval_ms(s)));
	if (silence_max_ms(s) > 0)
		at = mono_min(at, mono_add_ms(c->heard, silence_max_ms(s)));
	return at;
}

/* A reader that takes nothing. Without write-wait, one of HTTP still may not keep its slot for ever. */
static mono_t write_deadline(const struct server *s, const struct conn *c)
{
	int64_t wait_ms = s->cfg->write_wait_ms;

	if (wait_ms == 0 && c->state == CONN_HTTP)
		wait_ms = HTTP_IDLE_MS;
	if (!(c->flags & CONN_BLOCKED) || wait_ms == 0)
		return MONO_NEVER;
	return mono_add_ms(c->blocked_since, wait_ms);
}

/* The next try: counted from when something was taken, so that whatever arms the timer cannot put it off. */
static mono_t retry_deadline(const struct server *s, const struct conn *c)
{
	int64_t past_ms = mono_since_ms(s->now.mono, c->blocked_since);

	if (!(c->flags & CONN_STARVED))
		return MONO_NEVER;
	return mono_add_ms(c->blocked_since, (past_ms / WRITE_RETRY_MS + 1) * WRITE_RETRY_MS);
}

mono_t deadline_of(const struct server *s, const struct conn *c)
{
	mono_t at = MONO_NEVER;

	switch ((enum conn_state)c->state) {
	case CONN_FREE:
		return MONO_NEVER;
	case CONN_HTTP:
		at = request_deadline(s, c);
		break;
	case CONN_LIVE:
		at = live_deadline(s, c);
		break;
	case CONN_CLOSING:
		at = mono_add_ms(c->since, s->draining ? DRAIN_REPLY_MS : WS_CLOSE_DEADLINE_MS);
		break;
	case CONN_LINGER:
		return mono_add_ms(c->since, LINGER_MS);
	case CONN_STATES:
		assert(0);
	}
	return mono_min(at, mono_min(write_deadline(s, c), retry_deadline(s, c)));
}

static bool due(const struct server *s, mono_t at)
{
	return !mono_before(s->now.mono, at);
}

/* A ping that was due before the silence ran out was not sent: it is this process that stood still,
 * so nobody had the chance to answer. Everybody has one ping more then. */
static bool excuse_silence(const struct server *s, struct conn *c)
{
	int64_t ping_ms = deadline_ping_interval_ms(s), silence_ms = silence_max_ms(s);

	if (ping_ms == 0 || !mono_before(mono_add_ms(c->pinged, ping_ms), mono_add_ms(c->heard, silence_ms)))
		return false;
	c->heard = mono_add_ms(s->now.mono, ping_ms - silence_ms);
	return true;
}

static void live_timer(struct server *s, struct conn *c)
{
	authenticate_timer(s, c);
	if (c->state != CONN_LIVE || (c->flags & CONN_DOOMED))
		return;
	if (due(s, message_deadline(s, c))) {
		session_close(s, c, WS_CODE_POLICY, STR("message took too long"), REFUSED_STALLED);
		return;
	}
	if (silence_max_ms(s) > 0 && due(s, mono_add_ms(c->heard, silence_max_ms(s))) &&
	    !excuse_silence(s, c)) {
		session_close(s, c, SESSION_CLOSE_SILENT, STR("heartbeat timeout"), REFUSED_SILENT);
		return;
	}
	if (deadline_ping_interval_ms(s) > 0 &&
	    due(s, mono_add_ms(c->pinged, deadline_ping_interval_ms(s)))) {
		c->pinged = s->now.mono;
		/* No room to ask it: that it reads is the sign of life then. */
		if (!outbox_message(s, c, WS_PING, NULL, 0) && mono_before(c->heard, c->blocked_since))
			c->heard = c->blocked_since;
	}
}

void deadline_passed(struct server *s, struct conn *c)
{
	if (due(s, write_deadline(s, c))) {
		server_refused(s, REFUSED_STALLED, c);
		conn_doom(s, c);
		return;
	}
	if (c->flags & CONN_STARVED)
		outbox_write(s, c);
	if (c->flags & CONN_DOOMED)
		return;
	switch ((enum conn_state)c->state) {
	case CONN_HTTP:
		request_timer(s, c);
		break;
	case CONN_LIVE:
		live_timer(s, c);
		break;
	case CONN_CLOSING:
	case CONN_LINGER:
		if (due(s, deadline_of(s, c)))
			conn_doom(s, c);
		break;
	case CONN_FREE:
	case CONN_STATES:
		assert(0);
	}
	if (!(c->flags & CONN_DOOMED))
		conn_arm(s, c);
}
