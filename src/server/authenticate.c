/*
 * Invariants: a stranger's c->grant holds what its request said (device NUL user id), everybody else's the
 * rooms that their token opens. expires[] counts for LIVE connections: a stranger's auth-timeout, or a
 * token's end.
 */
#include "server/authenticate.h"

#include "server/message.h"
#include "server/outbox.h"
#include "server/state.h"
#include "server/token.h"
#include "server/user_check.h"
#include "server/waiting.h"
#include "wire/ws_frame.h"

enum { NOTICE_MS = 60000 };

/* --- how long --- */

static mono_t *expires_of(const struct server *s, const struct conn *c)
{
	assert(s->expires != NULL);
	return &s->expires[conn_index(s, c)];
}

void authenticate_within(struct server *s, struct conn *c)
{
	int64_t timeout_ms = s->cfg->auth_timeout_ms;

	c->flags |= CONN_STRANGER;
	*expires_of(s, c) = timeout_ms > 0 ? mono_add_ms(s->now.mono, timeout_ms) : MONO_NEVER;
}

void authenticate_until(struct server *s, struct conn *c, wall_t expires)
{
	mono_t at = MONO_NEVER;
	int64_t left_ms;

	if (s->expires == NULL)
		return; /* auth=trust: nothing ends */
	if (expires.ms != WALL_NONE.ms) {
		left_ms = expires.ms - s->now.wall.ms;
		if (left_ms <= 0) /* past already, by no more than the leeway it came in with */
			left_ms += s->cfg->token.leeway_ms;
		at = mono_add_ms(s->now.mono, left_ms > 0 ? left_ms : 0);
	}
	*expires_of(s, c) = at;
	c->flags &= ~(uint32_t)CONN_EXPIRY_TOLD;
}

mono_t authenticate_deadline(const struct server *s, const struct conn *c)
{
	mono_t at;

	if (s->expires == NULL)
		return MONO_NEVER;
	at = *expires_of(s, c);
	if (at.ms == MONO_NEVER.ms || (c->flags & (CONN_STRANGER | CONN_EXPIRY_TOLD)))
		return at;
	return mono_add_ms(at, -NOTICE_MS);
}

static void tell_expiring(struct server *s, struct conn *c)
{
	struct event ev = message_event(s, EV_AUTH_EXPIRING, NULL);

	c->flags |= CONN_EXPIRY_TOLD;
	ev.expires.ms = s->now.wall.ms + mono_since_ms(*expires_of(s, c), s->now.mono);
	outbox_event(s, c, &ev);
}

void authenticate_timer(struct server *s, struct conn *c)
{
	if (mono_before(s->now.mono, authenticate_deadline(s, c)))
		return;
	if (c->flags & CONN_STRANGER) {
		session_close(s, c, WS_CODE_POLICY, STR("not authenticated in time"),
		              REFUSED_UNAUTHENTICATED);
		return;
	}
	if (!(c->flags & CONN_EXPIRY_TOLD) && mono_before(s->now.mono, *expires_of(s, c)))
		tell_expiring(s, c);
	else
		session_close(s, c, SESSION_CLOSE_EXPIRED, STR("token expired"), REFUSED_EXPIRED);
}

/* --- answers --- */

static struct event answer(const struct server *s, enum event_type type, struct str reply_to)
{
	struct event ev = message_event(s, type, NULL);

	ev.command = CMD_AUTHENTICATE;
	ev.reply_to = reply_to;
	return ev;
}

static void failed(struct server *s, struct conn *c, struct str reply_to, struct str reason)
{
	struct event ev = answer(s, EV_AUTH_FAILED, reply_to);

	s->metrics.errors_total++;
	server_refused(s, REFUSED_CREDENTIAL, c);
	ev.text = reason;
	outbox_event(s, c, &ev);
	if (++c->bad_streak >= BAD_MESSAGES_IN_A_ROW_MAX)
		session_close(s, c, WS_CODE_POLICY, STR("too many bad tokens"), REFUSED_CREDENTIAL);
}

static void succeeded(struct server *s, struct conn *c, struct str reply_to, struct str user_id,
                      wall_t expires)
{
	struct event ev = answer(s, EV_AUTHENTICATED, reply_to);

	c->bad_streak = 0;
	ev.user.user_id = user_id;
	ev.expires = expires;
	outbox_event(s, c, &ev);
}

/* Puts the rooms of a new token in the place of what was kept. False: no room, and nothing changed. */
static bool keep_grant(struct server *s, struct conn *c, struct str grant)
{
	strref kept = strpool_put(&s->grants, grant);

	if (kept == STRREF_FULL)
		return false;
	strpool_drop(&s->grants, c->grant);
	c->grant = kept;
	return true;
}

/* --- strangers --- */

bool authenticate_expect(struct server *s, struct conn *c, struct str device_id, struct str claimed)
{
	char packed[2 * ID_BYTES_MAX + 1];
	size_t n = 0;

	assert(device_id.n <= ID_BYTES_MAX && claimed.n <= ID_BYTES_MAX);
	if (device_id.n > 0)
		memcpy(packed, device_id.p, device_id.n);
	n = device_id.n;
	packed[n++] = '\0';
	if (claimed.n > 0)
		memcpy(packed + n, claimed.p, claimed.n);
	return keep_grant(s, c, str_of(packed, n + claimed.n));
}

/* What authenticate_expect() kept. Slices live until the grant changes. */
static void expected(const struct server *s, const struct conn *c, struct str *device_id, struct str *claimed)
{
	struct str packed = strpool_get(&s->grants, c->grant);
	const char *end = memchr(packed.p, '\0', packed.n);

	assert(end != NULL);
	*device_id = str_of(packed.p, (size_t)(end - packed.p));
	*claimed = str_of(end + 1, packed.n - device_id->n - 1);
}

/* A stranger with a good token. */
static void admit(struct server *s, struct conn *c, const struct token *t, struct str reply_to)
{
	char device[ID_BYTES_MAX];
	struct identity id = { .dialect = (enum dialect_id)c->dialect, .user_id = t->subject,
		               .username = t->username };
	struct str device_id, claimed;

	expected(s, c, &device_id, &claimed);
	if (claimed.n > 0 && !str_eq(claimed, t->subject)) {
		failed(s, c, reply_to, STR("the request named another user"));
		return;
	}
	if (device_id.n > 0) {
		memcpy(device, device_id.p, device_id.n);
		id.device_id = str_of(device, device_id.n);
	}
	if (!keep_grant(s, c, t->grant)) {
		failed(s, c, reply_to, STR("no room for the token's rooms"));
		return;
	}
	c->flags &= ~(uint32_t)CONN_STRANGER;
	authenticate_until(s, c, t->expires);
	succeeded(s, c, reply_to, t->subject, t->expires);
	session_attach(s, c, &id);
	if (c->state == CONN_LIVE)
		conn_arm(s, c); /* the token may end before anything else is due */
}

/* --- renewal --- */

/* Rooms that the new token does not open are left, and the connection hears of it. */
static void leave_closed_rooms(struct server *s, struct conn *c)
{
	struct str grant, room;
	uint32_t ci = conn_index(s, c), n = 0;
	enum room_kind kind;

	if (c->grant == STRREF_NONE)
		return;
	grant = strpool_get(&s->grants, c->grant);
	while (c->state == CONN_LIVE && engine_room_of(s->engine, ci, n, &room, &kind)) {
		struct command cmd = { .type = CMD_UNSUBSCRIBE };
		char copy[ID_BYTES_MAX];
		struct str one;

		if (grant_covers(grant, room)) {
			n++;
			continue;
		}
		memcpy(copy, room.p, room.n);
		one = str_of(copy, room.n);
		cmd.subscription.topics = TOPIC_OF_ROOM;
		cmd.subscription.kind = kind;
		cmd.subscription.rooms = (struct strs){ &one, 1 };
		engine_command(s->engine, ci, &cmd, s->now);
	}
}

static void renew(struct server *s, struct conn *c, const struct token *t, struct str reply_to)
{
	struct device_view unused;
	struct str user_id = STR_NONE;

	if (!engine_whois(s->engine, conn_index(s, c), &user_id, &unused, s->now) ||
	    !str_eq(user_id, t->subject)) {
		failed(s, c, reply_to, STR("the token is another user's"));
		return;
	}
	if (!keep_grant(s, c, t->grant)) {
		failed(s, c, reply_to, STR("no room for the token's rooms"));
		return;
	}
	authenticate_until(s, c, t->expires);
	succeeded(s, c, reply_to, t->subject, t->expires);
	leave_closed_rooms(s, c);
	if (c->state == CONN_LIVE)
		conn_arm(s, c);
}

/* --- one token --- */

static void wait_for(struct server *s, struct conn *c, uint32_t what, struct str token, struct str reply_to)
{
	if ((c->flags & CONN_WAITING) || !waiting_add_token(s, c, what, token, reply_to))
		failed(s, c, reply_to, STR("busy, try again"));
}

/* The token is good: is its user one that may come in? */
static void good(struct server *s, struct conn *c, const struct token *t, struct str token,
                 struct str reply_to)
{
	uint32_t ticket;

	if (!(c->flags & CONN_STRANGER)) {
		renew(s, c, t, reply_to);
		return;
	}
	switch (user_check(s, t->subject, &ticket)) {
	case USER_KNOWN:
		admit(s, c, t, reply_to);
		return;
	case USER_ASKED:
		wait_for(s, c, ticket, token, reply_to);
		return;
	case USER_UNKNOWN:
		failed(s, c, reply_to, STR("unknown user"));
		return;
	case USER_UNANSWERED:
	case USER_CHECK_VERDICTS:
		break;
	}
	failed(s, c, reply_to, STR("whether the user exists cannot be asked now"));
}

static void look_at(struct server *s, struct conn *c, struct str token, struct str reply_to, bool waited)
{
	enum jwt_result why;
	struct token t;

	switch (token_check(s, &c->peer, token, waited, &t, &why)) {
	case TOKEN_VALID:
		good(s, c, &t, token, reply_to);
		return;
	case TOKEN_BAD: {
		const char *text = jwt_result_text(why);

		failed(s, c, reply_to, str_of(text, strlen(text)));
		return;
	}
	case TOKEN_WAIT_KEYS:
		wait_for(s, c, WAIT_KEYS, token, reply_to);
		return;
	case TOKEN_WAIT_TURN:
		wait_for(s, c, WAIT_TURN, token, reply_to);
		return;
	case TOKEN_FLOOD:
		break;
	}
	failed(s, c, reply_to, STR("too many bad tokens from this address"));
}

void authenticate_command(struct server *s, struct conn *c, const struct command *cmd)
{
	struct device_view unused;
	struct str user_id = STR_NONE;

	if (s->cfg->auth == AUTH_JWT) {
		look_at(s, c, cmd->token, cmd->reply_to, false);
		return;
	}
	/* Under trust a token is not looked at: whoever has come in stays in. */
	engine_whois(s->engine, conn_index(s, c), &user_id, &unused, s->now);
	succeeded(s, c, cmd->reply_to, user_id, WALL_NONE);
}

void authenticate_again(struct server *s, struct conn *c, struct str token, struct str reply_to)
{
	look_at(s, c, token, reply_to, true);
}

void authenticate_gave_up(struct server *s, struct conn *c, struct str reply_to)
{
	failed(s, c, reply_to, STR("it could not be checked in time, try again"));
}
