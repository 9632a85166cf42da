/*
 * Invariants: in CONN_LIVE the decoder has not failed; the intake holds either the payload so far of an unfinished message, or, with
 * CONN_PAUSED, input that is not decoded yet and begins between two messages: never both.
 * A connection that leaves CONN_LIVE leaves the engine before the turn ends.
 */
#include "server/session.h"

#include "server/outbox.h"
#include "server/request.h"
#include "server/state.h"
#include "wire/ws_frame.h"

enum {
	CLOSE_HEARTBEAT = 4000, /* CONTRACT 3 */
	CLOSE_REPLACED = 4003,
	DRAIN_REPLY_MS = 2000,       /* how long a Close of ours is waited for when we leave (CONTRACT 5) */
	MESSAGE_MS = 10000,          /* an unfinished message: RELIABILITY F18 */
	MESSAGE_BYTES_PER_MS = 640,  /* and what the largest one may take on top: 5 Mbit/s */
};

/* --- answers --- */

static struct event event_of(const struct server *s, enum event_type type, const struct command *cmd)
{
	struct event ev = { .type = type, .at = s->now.wall, .command = CMD_COUNT };

	if (cmd != NULL) {
		ev.command = cmd->type;
		ev.reply_to = cmd->reply_to;
	}
	return ev;
}

static void answer_error(struct server *s, struct conn *c, const struct command *cmd, int code, struct str text)
{
	struct event ev = event_of(s, EV_ERROR, cmd);

	ev.code = code;
	ev.text = text;
	s->metrics.errors_total++;
	outbox_event(s, c, &ev);
}

/* --- the beginning --- */

static int64_t ping_interval_ms(const struct server *s)
{
	int64_t p = s->cfg->ping_period_ms, h = s->cfg->heartbeat_interval_ms;

	if (p == 0 || (h > 0 && h < p))
		p = h;
	return p;
}

static void greet(struct server *s, struct conn *c, const struct identity *id)
{
	struct conn_id_text connection = conn_id(c);
	struct event ev = event_of(s, EV_CONNECTED, NULL);

	ev.connection_id = str_of(connection.text, 16);
	ev.session = ev.connection_id;
	ev.device_id = str_absent(id->device_id) ? ev.connection_id : id->device_id;
	ev.user.user_id = id->user_id;
	ev.user.username = str_absent(id->username) ? id->user_id : id->username;
	ev.heartbeat_interval_s = (uint32_t)((s->cfg->heartbeat_interval_ms + 999) / 1000);
	outbox_event(s, c, &ev);
}

void session_start(struct server *s, struct conn *c, const struct identity *id)
{
	const struct dialect *d = dialect_at(id->dialect);
	struct attachment at = {
		.user_id = id->user_id, .username = id->username, .device_id = id->device_id, .dialect = (uint8_t)id->dialect,
		.key = c->key,
	};
	enum engine_status attached;

	c->dialect = (uint8_t)id->dialect;
	ws_dec_init(&c->ws);
	c->heard = s->now.mono;
	/* Spread: ten thousand that came together are not pinged together. */
	c->pinged = mono_add_ms(s->now.mono, -(int64_t)(server_random(s) % (uint64_t)(ping_interval_ms(s) / 2 + 1)));
	c->flags |= CONN_GREETED;
	if (s->cfg->command_rate_any)
		memset(&s->command_buckets[(size_t)conn_index(s, c) * CMD_COUNT], 0, CMD_COUNT * sizeof(struct bucket));
	s->metrics.connections++;
	s->metrics.connections_total++;
	s->metrics.connections_by_dialect[c->dialect]++;
	conn_to(s, c, CONN_LIVE);
	if (id->dialect == DIALECT_ECHO)
		return;
	if (id->anonymous) {
		session_close(s, c, WS_CODE_PROTOCOL, STR("userId is required"), REFUSED_IDENTITY_MISSING);
		return;
	}
	greet(s, c, id);
	if (c->state != CONN_LIVE)
		return;
	at.topics = d->topics;
	at.hears_own_arrival = d->hears_own_arrival;
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

/* --- messages --- */

/* Over a limit: an error, and after many in a row the end. True: the message is not to be looked at. */
static bool limited(struct server *s, struct conn *c, const struct command *cmd)
{
	s->metrics.refused[REFUSED_MESSAGE_RATE]++;
	if (++c->limited_streak >= BAD_MESSAGES_IN_A_ROW_MAX) {
		session_close(s, c, WS_CODE_POLICY, STR("too many messages"), REFUSED_MESSAGE_RATE);
		return true;
	}
	answer_error(s, c, cmd, 429, STR("too many messages"));
	return true;
}

static bool over_message_rate(struct server *s, struct conn *c)
{
	uint32_t user;

	if (!bucket_take(&c->messages, s->cfg->message_rate, s->cfg->message_burst, s->now.mono))
		return true;
	if (s->cfg->user_message_rate == 0 || !(c->flags & CONN_ATTACHED))
		return false;
	user = engine_user_number(s->engine, conn_index(s, c));
	return !bucket_take(&s->user_buckets[user], s->cfg->user_message_rate, s->cfg->user_message_rate, s->now.mono);
}

static bool over_command_rate(struct server *s, const struct conn *c, enum command_type type)
{
	struct bucket *b;

	if (!s->cfg->command_rate_any || s->cfg->command_rate[type] == 0)
		return false;
	b = &s->command_buckets[(size_t)conn_index(s, c) * CMD_COUNT + type];
	return !bucket_take(b, s->cfg->command_rate[type], s->cfg->command_rate[type], s->now.mono);
}

static void bad_message(struct server *s, struct conn *c, const struct command *cmd, int code, struct str text, enum refusal why)
{
	s->metrics.refused[why]++;
	if (++c->bad_streak >= BAD_MESSAGES_IN_A_ROW_MAX) {
		session_close(s, c, WS_CODE_POLICY, STR("too many malformed messages"), why);
		return;
	}
	answer_error(s, c, cmd, code, text);
}

/* Under trust a token is not looked at: whoever has come in stays in. */
static void authenticate(struct server *s, struct conn *c, const struct command *cmd)
{
	struct event ev = event_of(s, EV_AUTHENTICATED, cmd);
	struct device_view unused;
	struct str user_id = STR_NONE;

	engine_whois(s->engine, conn_index(s, c), &user_id, &unused, s->now);
	ev.user.user_id = user_id;
	ev.expires = WALL_NONE;
	outbox_event(s, c, &ev);
}

static void run(struct server *s, struct conn *c, const struct command *cmd)
{
	struct event ev;

	s->metrics.commands[cmd->type]++;
	switch (cmd->type) {
	case CMD_PING:
	case CMD_HEARTBEAT:
		ev = event_of(s, cmd->type == CMD_PING ? EV_PONG : EV_HEARTBEAT_ACK, cmd);
		outbox_event(s, c, &ev);
		return;
	case CMD_AUTHENTICATE:
		authenticate(s, c, cmd);
		return;
	case CMD_LEAVE:
		session_close(s, c, WS_CODE_NORMAL, STR("bye"), REFUSED_COUNT);
		return;
	case CMD_PRESENCE:
	case CMD_QUERY:
	case CMD_SUBSCRIBE:
	case CMD_UNSUBSCRIBE:
	case CMD_TYPING:
	case CMD_RECEIPT:
	case CMD_CALL_OFFER:
	case CMD_CALL_ANSWER:
	case CMD_CALL_ICE:
	case CMD_CALL_HANGUP:
		engine_command(s->engine, conn_index(s, c), cmd, s->now);
		return;
	case CMD_COUNT:
		break;
	}
	assert(!"a dialect made a command that does not exist");
}

static void text_message(struct server *s, struct conn *c, uint8_t *p, size_t n)
{
	const struct dialect *d = dialect_at(c->dialect);
	struct command cmd = { .type = CMD_COUNT };
	struct decode_error err = { 400, STR("not understood") };
	enum json_err json;

	if (over_message_rate(s, c)) {
		limited(s, c, NULL);
		return;
	}
	json = json_parse_utf8(&s->json, (char *)p, n);
	if (json != JSON_OK) {
		const char *text = json_err_text(json);

		bad_message(s, c, NULL, 400, str_of(text, strlen(text)), REFUSED_JSON);
		return;
	}
	s->scratch->used = 0;
	if (!d->decode(&s->json, s->scratch, &cmd, &err)) {
		bad_message(s, c, &cmd, err.code, err.text, REFUSED_MESSAGE);
		return;
	}
	c->bad_streak = 0;
	if (over_command_rate(s, c, cmd.type)) {
		limited(s, c, &cmd);
		return;
	}
	c->limited_streak = 0;
	if (c->grant != STRREF_NONE && !grant_allows(strpool_get(&s->grants, c->grant), &cmd))
		answer_error(s, c, &cmd, 403, STR("your token does not open this room"));
	else
		run(s, c, &cmd);
}

static void message(struct server *s, struct conn *c, unsigned opcode, uint8_t *p, size_t n)
{
	s->turn_messages++;
	s->metrics.messages_received++;
	metrics_message_size(&s->metrics, n);
	if (c->dialect == DIALECT_ECHO)
		outbox_message(s, c, opcode, p, n);
	else
		text_message(s, c, p, n);
}

/* A piece of a message: whole ones go on as they are, others are put together. */
static void data(struct server *s, struct conn *c, const struct ws_event *ev)
{
	if (ev->opcode == WS_BINARY && c->dialect != DIALECT_ECHO) {
		session_close(s, c, WS_CODE_UNSUPPORTED, STR("text only"), REFUSED_BINARY);
		return;
	}
	if (ev->first && ev->last) {
		message(s, c, ev->opcode, ev->p, ev->n);
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

		/* Ours while the message is worked on, and the connection's no more: it may be closed meanwhile. */
		c->intake = POOL_NONE;
		c->intake_bytes = 0;
		message(s, c, ev->opcode, p, n);
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
	return (struct ws_limits){
		.message_bytes_max = s->cfg->message_bytes_max[c->dialect],
		.fragments_max = s->cfg->fragments_max,
	};
}

/* Its own answers have piled up: the rest of its input waits until it has read some. */
static bool pause_input(struct server *s, struct conn *c, const uint8_t *bytes, size_t n)
{
	if (c->state != CONN_LIVE || ws_dec_in_message(&c->ws) || !ws_dec_between_frames(&c->ws) || !outbox_is_high(s, c))
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
	struct ws_limits lim = limits_of(s, c);
	uint8_t *control = c->loan == POOL_NONE ? NULL : intake_loan(&s->intake, c);
	struct ws_event ev;

	c->heard = s->now.mono;
	if (c->flags & CONN_ATTACHED)
		engine_touch(s->engine, conn_index(s, c), s->now);
	while (n > 0 && (c->state == CONN_LIVE || c->state == CONN_CLOSING) && !(c->flags & CONN_DOOMED)) {
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
		s->metrics.closes_abnormal++; /* 1006: no Close came first */
	c->flags |= CONN_PEER_CLOSED;
	conn_doom(s, c);
}

/* --- the end --- */

static void count_close(struct metrics *m, unsigned code)
{
	if (code == WS_CODE_NORMAL)
		m->closes_1000++;
	else if (code == WS_CODE_GOING_AWAY)
		m->closes_1001++;
	else
		m->closes_other++;
}

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
	count_close(&s->metrics, code);
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

/* --- time --- */

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
	if (!ws_dec_in_message(&c->ws))
		return MONO_NEVER;
	return mono_add_ms(c->since, MESSAGE_MS + (int64_t)(s->cfg->message_bytes_max[c->dialect] / MESSAGE_BYTES_PER_MS));
}

static mono_t live_deadline(const struct server *s, const struct conn *c)
{
	mono_t at = message_deadline(s, c);

	if (ping_interval_ms(s) > 0)
		at = mono_min(at, mono_add_ms(c->pinged, ping_interval_ms(s)));
	if (silence_max_ms(s) > 0)
		at = mono_min(at, mono_add_ms(c->heard, silence_max_ms(s)));
	return at;
}

mono_t session_deadline(const struct server *s, const struct conn *c)
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
	if ((c->flags & CONN_BLOCKED) && s->cfg->write_wait_ms > 0)
		at = mono_min(at, mono_add_ms(c->blocked_since, s->cfg->write_wait_ms));
	return at;
}

static bool due(const struct server *s, mono_t at)
{
	return !mono_before(s->now.mono, at);
}

/* A ping that was due before the silence ran out was not sent: it is this process that stood still, so nobody had the chance to answer.
 * Everybody has one ping more then. */
static bool excuse_silence(const struct server *s, struct conn *c)
{
	int64_t ping_ms = ping_interval_ms(s), silence_ms = silence_max_ms(s);

	if (ping_ms == 0 || !mono_before(mono_add_ms(c->pinged, ping_ms), mono_add_ms(c->heard, silence_ms)))
		return false;
	c->heard = mono_add_ms(s->now.mono, ping_ms - silence_ms);
	return true;
}

static void live_timer(struct server *s, struct conn *c)
{
	if (due(s, message_deadline(s, c))) {
		session_close(s, c, WS_CODE_POLICY, STR("message took too long"), REFUSED_STALLED);
		return;
	}
	if (silence_max_ms(s) > 0 && due(s, mono_add_ms(c->heard, silence_max_ms(s))) && !excuse_silence(s, c)) {
		session_close(s, c, CLOSE_HEARTBEAT, STR("heartbeat timeout"), REFUSED_SILENT);
		return;
	}
	if (ping_interval_ms(s) > 0 && due(s, mono_add_ms(c->pinged, ping_interval_ms(s)))) {
		c->pinged = s->now.mono;
		/* No room to ask it: that it reads is the sign of life then. */
		if (!outbox_message(s, c, WS_PING, NULL, 0) && mono_before(c->heard, c->blocked_since))
			c->heard = c->blocked_since;
	}
}

void session_timer(struct server *s, struct conn *c)
{
	if ((c->flags & CONN_BLOCKED) && s->cfg->write_wait_ms > 0 &&
	    due(s, mono_add_ms(c->blocked_since, s->cfg->write_wait_ms))) {
		server_refused(s, REFUSED_STALLED, c);
		conn_doom(s, c);
		return;
	}
	switch ((enum conn_state)c->state) {
	case CONN_HTTP:
		request_timer(s, c);
		break;
	case CONN_LIVE:
		live_timer(s, c);
		break;
	case CONN_CLOSING:
	case CONN_LINGER:
		if (due(s, session_deadline(s, c)))
			conn_doom(s, c);
		break;
	case CONN_FREE:
	case CONN_STATES:
		assert(0);
	}
	if (!(c->flags & CONN_DOOMED))
		conn_arm(s, c);
}

/* --- what the engine says of connections --- */

void session_engine_close(void *ctx, uint32_t conn, enum engine_close why)
{
	struct server *s = ctx;
	struct conn *c = conn_at(s, conn);

	if (why == ENGINE_CLOSE_REPLACED)
		session_close(s, c, CLOSE_REPLACED, STR("replaced by a newer connection"), REFUSED_REPLACED);
	else
		session_close(s, c, CLOSE_HEARTBEAT, STR("stale"), REFUSED_STALE);
}

void session_engine_note(void *ctx, enum engine_note note, struct str user, struct str device, int64_t number, struct now now)
{
	struct server *s = ctx;
	struct log *l = &s->log;
	struct conn_id_text id = s->acting == NULL ? (struct conn_id_text){ "" } : conn_id(s->acting);
	struct log_field conn = LOG_STR("conn", str_of(id.text, strlen(id.text)));

	switch (note) {
	case NOTE_CAME_ONLINE:
		LOG(l, now.wall, LOG_INFO, "User came online", LOG_STR("user_id", user), LOG_STR("client_id", device), conn);
		return;
	case NOTE_CONNECTED:
		LOG(l, now.wall, LOG_DEBUG, "Client connected", LOG_STR("user_id", user), LOG_STR("client_id", device),
		    LOG_I64("connections", number), conn);
		return;
	case NOTE_DISCONNECTED:
		LOG(l, now.wall, LOG_INFO, "Client disconnected", LOG_STR("user_id", user), LOG_STR("client_id", device),
		    LOG_I64("remaining_connections", number), conn);
		return;
	case NOTE_OFFLINE_SCHEDULED:
		LOG(l, now.wall, LOG_INFO, "User has no more connections, scheduling offline event", LOG_STR("user_id", user),
		    LOG_MS("debounce_delay", number), conn);
		return;
	case NOTE_RECONNECTED:
		LOG(l, now.wall, LOG_INFO, "User reconnected during debounce period, staying online", LOG_STR("user_id", user),
		    LOG_I64("connections", number), conn);
		return;
	case NOTE_WENT_OFFLINE:
		LOG(l, now.wall, LOG_INFO, "User went offline", LOG_STR("user_id", user));
		return;
	case NOTE_RATE_LIMITED:
		LOG(l, now.wall, LOG_DEBUG, "Presence update rate limited", LOG_STR("user_id", user));
		return;
	case NOTE_ROSTER_CHANGED:
		LOG(l, now.wall, LOG_DEBUG, "Online users changed", LOG_I64("users", number));
		return;
	}
}
