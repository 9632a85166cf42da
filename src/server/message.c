/*
 * A message is looked at in this order: limits, JSON, the dialect's words, its command's own limit, whether
 * it has authenticated, the rooms that its token opens. What is refused before its command runs has changed
 * nothing. A goodbye is refused by none of them but the words.
 */
#include "server/message.h"

#include "server/authenticate.h"
#include "server/outbox.h"
#include "server/session.h"
#include "server/state.h"
#include "wire/ws_frame.h"

struct event message_event(const struct server *s, enum event_type type, const struct command *cmd)
{
	struct event ev = { .type = type, .at = s->now.wall, .command = CMD_COUNT };

	if (cmd != NULL) {
		ev.command = cmd->type;
		ev.reply_to = cmd->reply_to;
	}
	return ev;
}

static void answer_error(struct server *s, struct conn *c, const struct command *cmd,
                         int code, struct str text)
{
	struct event ev = message_event(s, EV_ERROR, cmd);

	ev.code = code;
	ev.text = text;
	s->metrics.errors_total++;
	outbox_event(s, c, &ev);
}

/* Over a limit: an error, and after many in a row the end. */
static void limited(struct server *s, struct conn *c, const struct command *cmd)
{
	s->metrics.refused[REFUSED_MESSAGE_RATE]++;
	answer_error(s, c, cmd, 429, STR("too many messages"));
	if (++c->limited_streak >= BAD_MESSAGES_IN_A_ROW_MAX)
		session_close(s, c, WS_CODE_POLICY, STR("too many messages"), REFUSED_MESSAGE_RATE);
}

/* This node's part of what a user may send: nodes that host the user share it evenly, without a word. */
static uint32_t user_rate(const struct server *s, uint32_t user)
{
	uint32_t nodes = 1, rate = s->cfg->user_message_rate;

	if (s->cfg->clustered)
		nodes += (uint32_t)__builtin_popcountll(engine_peer_hosts(s->engine, user));
	return (rate + nodes - 1) / nodes;
}

static bool over_message_rate(struct server *s, struct conn *c)
{
	uint32_t user, rate;

	if (!bucket_take(&c->messages, s->cfg->message_rate, s->cfg->message_burst, s->now.mono))
		return true;
	if (s->cfg->user_message_rate == 0 || !(c->flags & CONN_ATTACHED))
		return false;
	user = engine_user_number(s->engine, conn_index(s, c));
	rate = user_rate(s, user);
	return !bucket_take(&s->user_buckets[user], rate, rate, s->now.mono);
}

static bool over_command_rate(struct server *s, const struct conn *c, enum command_type type)
{
	struct bucket *b;

	if (!s->cfg->command_rate_any || s->cfg->command_rate[type] == 0)
		return false;
	b = &s->command_buckets[(size_t)conn_index(s, c) * CMD_COUNT + type];
	return !bucket_take(b, s->cfg->command_rate[type], s->cfg->command_rate[type], s->now.mono);
}

static void bad_message(struct server *s, struct conn *c, const struct command *cmd, int code,
                        struct str text, enum refusal why)
{
	s->metrics.refused[why]++;
	answer_error(s, c, cmd, code, text);
	if (++c->bad_streak >= BAD_MESSAGES_IN_A_ROW_MAX)
		session_close(s, c, WS_CODE_POLICY, STR("too many malformed messages"), why);
}

static void run(struct server *s, struct conn *c, const struct command *cmd)
{
	struct event ev;

	s->metrics.commands[cmd->type]++;
	switch (cmd->type) {
	case CMD_PING:
	case CMD_HEARTBEAT:
		ev = message_event(s, cmd->type == CMD_PING ? EV_PONG : EV_HEARTBEAT_ACK, cmd);
		outbox_event(s, c, &ev);
		return;
	case CMD_AUTHENTICATE:
		authenticate_command(s, c, cmd);
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

/* REFUSED_COUNT, or why not, with *err said. Of what could be read *cmd holds at least the request's id. */
static enum refusal decode(struct server *s, const struct conn *c, uint8_t *p, size_t n, struct command *cmd,
                           struct decode_error *err)
{
	enum json_err json = json_parse_utf8(&s->json, (char *)p, n);

	*cmd = (struct command){ .type = CMD_COUNT };
	*err = (struct decode_error){ 400, STR("not understood") };
	if (json != JSON_OK) {
		const char *text = json_err_text(json);

		err->text = str_of(text, strlen(text));
		return REFUSED_JSON;
	}
	s->scratch->used = 0;
	return dialect_at(c->dialect)->decode(&s->json, s->scratch, cmd,
	                                      err) ? REFUSED_COUNT : REFUSED_MESSAGE;
}

static void text_message(struct server *s, struct conn *c, uint8_t *p, size_t n)
{
	bool over = over_message_rate(s, c);
	struct command cmd;
	struct decode_error err;
	enum refusal why = decode(s, c, p, n, &cmd, &err);

	if (why == REFUSED_COUNT && cmd.type == CMD_LEAVE) { /* to hold who wants to go serves no limit */
		run(s, c, &cmd);
		return;
	}
	if (over) { /* the answer names the request; who goes on is closed soon */
		limited(s, c, &cmd);
		return;
	}
	if (why != REFUSED_COUNT) {
		bad_message(s, c, &cmd, err.code, err.text, why);
		return;
	}
	if (cmd.type != CMD_AUTHENTICATE) /* whose own failures count in the same streak */
		c->bad_streak = 0;
	if (over_command_rate(s, c, cmd.type)) {
		limited(s, c, &cmd);
		return;
	}
	c->limited_streak = 0;
	if ((c->flags & CONN_STRANGER) && cmd.type != CMD_PING && cmd.type != CMD_AUTHENTICATE)
		answer_error(s, c, &cmd, 401, STR("authenticate first"));
	else if (!(c->flags & CONN_STRANGER) && c->grant != STRREF_NONE &&
	         !grant_allows(strpool_get(&s->grants, c->grant), &cmd))
		answer_error(s, c, &cmd, 403, STR("your token does not open this room"));
	else
		run(s, c, &cmd);
}

void message_take(struct server *s, struct conn *c, unsigned opcode, uint8_t *p, size_t n)
{
	s->turn_messages++;
	s->metrics.messages_received++;
	metrics_message_size(&s->metrics, n);
	if (c->dialect == DIALECT_ECHO)
		outbox_message(s, c, opcode, p, n);
	else
		text_message(s, c, p, n);
}
