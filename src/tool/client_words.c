/* Messages are looked at, not parsed: a list of all users may have more tokens than json.h takes. */
#include "tool/client_words.h"

#include <assert.h>

#include "base/jsonesc.h"

/* What is sent, and the type of what answers it; absent: nothing does. */
struct phrase {
	struct str type, answer;
};

static const struct phrase phrases[DIALECT_COUNT][VERB_COUNT] = {
	[DIALECT_ROOMS] = {
		[VERB_SUB] = { STR("subscribe"), STR("subscribed") },
		[VERB_UNSUB] = { STR("unsubscribe"), STR("unsubscribed") },
		[VERB_TYPING] = { STR("typing"), STR_NONE },
		[VERB_PING] = { STR("ping"), STR("pong") },
		[VERB_STATUS] = { STR("status"), STR_NONE },
	},
	[DIALECT_DOTTED] = {
		[VERB_SUB] = { STR("subscribe"), STR("subscribed") },
		[VERB_UNSUB] = { STR("unsubscribe"), STR("unsubscribed") },
		[VERB_TYPING] = { STR("typing.start"), STR("typing.start") },
		[VERB_PING] = { STR("ping"), STR("pong") },
		[VERB_STATUS] = { STR("presence.update"), STR("presence.update") },
	},
	[DIALECT_SNAKE] = {
		[VERB_SUB] = { STR("subscribe"), STR("subscribed") },
		[VERB_UNSUB] = { STR("unsubscribe"), STR("unsubscribed") },
		[VERB_TYPING] = { STR("typing"), STR_NONE },
		[VERB_PING] = { STR("ping"), STR("pong") },
		[VERB_STATUS] = { STR("presence_update"), STR("presence_update_ack") },
	},
	[DIALECT_UPPER] = {
		[VERB_PING] = { STR("HEARTBEAT"), STR("HEARTBEAT_ACK") },
		[VERB_STATUS] = { STR("PRESENCE_UPDATE"), STR("PRESENCE_UPDATE") },
	},
	[DIALECT_ROSTER] = {
		[VERB_PING] = { STR("ping"), STR("pong") },
	},
};

static const struct phrase *phrase_of(enum dialect_id dialect, enum client_verb verb)
{
	assert(dialect < DIALECT_COUNT && verb < VERB_COUNT);
	return &phrases[dialect][verb];
}

/* ---- out ---- */

static void member(struct jsonw *w, struct str key, struct str value)
{
	jsonw_key(w, key);
	jsonw_str(w, value);
}

static void put_text(struct jsonw *w, struct str text)
{
	if (str_absent(text))
		return;
	jsonw_key(w, STR("custom_status"));
	jsonw_str_or_null(w, str_eq(text, STR("-")) ? STR_NONE : text);
}

/* Seed 002 names its direct messages dm_...; every other room is a channel. */
static void rooms_members(struct jsonw *w, const struct client_request *r)
{
	if (r->verb == VERB_STATUS) {
		member(w, STR("status"), r->id);
		put_text(w, r->text);
	} else if (r->verb != VERB_PING) {
		member(w, str_has_prefix(r->id, STR("dm_")) ? STR("dm_id") : STR("channel_id"), r->id);
	}
}

static void snake_members(struct jsonw *w, const struct client_request *r)
{
	member(w, r->verb == VERB_STATUS ? STR("online_status") : STR("conversation_id"), r->id);
	put_text(w, r->text);
	if (r->verb == VERB_TYPING) {
		jsonw_key(w, STR("is_typing"));
		jsonw_bool(w, true);
	}
}

/* The names of topics that need no conversation stand for themselves; everything else is a conversation. */
static void dotted_topics(struct jsonw *w, struct str id)
{
	bool alone = str_eq(id, STR("presence")) || str_eq(id, STR("user")) || str_eq(id, STR("calls")) ||
		     str_eq(id, STR("notifications"));

	jsonw_key(w, STR("topics"));
	jsonw_arr(w);
	jsonw_str(w, alone ? id : STR("conversation"));
	if (!alone)
		jsonw_str(w, STR("typing"));
	jsonw_end_arr(w);
	if (alone)
		return;
	jsonw_key(w, STR("filters"));
	jsonw_obj(w);
	member(w, STR("conversation_id"), id);
	jsonw_end_obj(w);
}

static void dotted_members(struct jsonw *w, const struct client_request *r)
{
	if (r->verb == VERB_STATUS) {
		member(w, STR("status"), r->id);
		put_text(w, r->text);
	} else if (r->verb == VERB_TYPING) {
		member(w, STR("conversation_id"), r->id);
	} else {
		dotted_topics(w, r->id);
	}
}

static void payload(enum dialect_id dialect, struct jsonw *w, const struct client_request *r)
{
	jsonw_key(w, STR("payload"));
	jsonw_obj(w);
	if (dialect == DIALECT_SNAKE)
		snake_members(w, r);
	else if (dialect == DIALECT_DOTTED)
		dotted_members(w, r);
	else
		member(w, STR("status"), r->id);
	jsonw_end_obj(w);
}

/* `"7"`, as an id and as the reply_to that has it. */
static struct str quoted(uint32_t number, char out[16])
{
	struct jsonw w;

	jsonw_init(&w, out + 1, 14);
	jsonw_u64(&w, number);
	out[0] = out[jsonw_bytes(&w) + 1] = '"';
	return str_of(out, jsonw_bytes(&w) + 2);
}

bool client_words_write(enum dialect_id dialect, const struct client_request *r, uint32_t number,
			struct jsonw *w)
{
	struct str type = phrase_of(dialect, r->verb)->type;
	char id[16];

	if (str_absent(type) || (dialect == DIALECT_UPPER && !str_absent(r->text)))
		return false;
	jsonw_obj(w);
	if (dialect == DIALECT_DOTTED) {
		jsonw_key(w, STR("id"));
		jsonw_raw(w, quoted(number, id));
	}
	member(w, STR("type"), type);
	if (dialect == DIALECT_ROOMS)
		rooms_members(w, r);
	else if (r->verb != VERB_PING)
		payload(dialect, w, r);
	jsonw_end_obj(w);
	return true;
}

bool client_words_has_answer(enum dialect_id dialect, enum client_verb verb)
{
	return !str_absent(phrase_of(dialect, verb)->answer);
}

/* ---- in ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes one value off the front of `s`: a string, a container with all that is in it, or a word. */
static struct str take_value(struct str *s)
{
	size_t depth = 0, n = 0;
	bool inside = false;

	for (; n < s->n; n++) {
		char c = s->p[n];

		if (inside) {
			if (c == '\\')
				n++;
			else if (c == '"')
				inside = false;
		} else if (depth == 0 && n > 0 &&
			   (is_blank(c) || c == ',' || c == ':' || c == '}' || c == ']')) {
			break;
		} else if (c == '"') {
			inside = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && depth-- <= 1) {
			n++;
			break;
		}
		if (depth == 0 && !inside && c == '"' && n > 0) {
			n++;
			break;
		}
	}
	n = n < s->n ? n : s->n;
	*s = str_of(s->p + n, s->n - n);
	return str_of(s->p - n, n);
}

static void skip(struct str *s, char separator)
{
	while (s->n > 0 && (is_blank(*s->p) || *s->p == separator))
		*s = str_of(s->p + 1, s->n - 1);
}

struct str client_words_get(struct str s, struct str key)
{
	skip(&s, ' ');
	if (s.n == 0 || *s.p != '{')
		return STR_NONE;
	s = str_of(s.p + 1, s.n - 1);
	for (;;) {
		struct str name, value;

		skip(&s, ',');
		if (s.n == 0 || *s.p != '"')
			return STR_NONE;
		name = take_value(&s);
		skip(&s, ':');
		if (s.n == 0)
			return STR_NONE;
		value = take_value(&s);
		if (name.n == key.n + 2 && memcmp(name.p + 1, key.p, key.n) == 0)
			return value;
	}
}

struct str client_words_unquoted(struct str value)
{
	if (value.n < 2 || value.p[0] != '"' || value.p[value.n - 1] != '"')
		return STR_NONE;
	return str_of(value.p + 1, value.n - 2);
}

/* The first of these that the payload, or the message, has and that is a string. */
static struct str any(struct str message, struct str inner, struct str a, struct str b)
{
	struct str found[] = { client_words_get(inner, a), client_words_get(inner, b),
			       client_words_get(message, a), client_words_get(message, b) };

	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++)
		if (!str_absent(client_words_unquoted(found[i])))
			return found[i];
	return STR_NONE;
}

void client_words_hear(struct client_heard *h, struct str message)
{
	struct str inner = client_words_get(message, STR("payload"));

	*h = (struct client_heard){ .type = client_words_unquoted(client_words_get(message, STR("type"))) };
	h->reply_to = client_words_get(message, STR("reply_to"));
	h->user = any(message, inner, STR("user_id"), STR("userId"));
	h->room = any(message, inner, STR("conversation_id"), STR("channel_id"));
	if (str_absent(h->room))
		h->room = any(message, inner, STR("dm_id"), STR("dm_id"));
	h->is_error = str_eq_nocase(h->type, STR("error"));
	if (!h->is_error)
		return;
	h->code = client_words_get(inner, STR("code"));
	if (str_absent(h->code))
		h->code = client_words_get(message, STR("code"));
	h->text = any(message, inner, STR("message"), STR("error"));
}

bool client_words_greeting(struct str type, enum dialect_id *out)
{
	static const struct {
		struct str type;
		enum dialect_id dialect;
	} greetings[] = {
		{ STR("connection_ack"), DIALECT_SNAKE }, { STR("connected"), DIALECT_DOTTED },
		{ STR("presence"), DIALECT_ROOMS },       { STR("presence.user.online"), DIALECT_ROSTER },
		{ STR("CONNECT"), DIALECT_UPPER },
	};

	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++)
		if (str_eq(greetings[i].type, type)) {
			*out = greetings[i].dialect;
			return true;
		}
	return false;
}

/* An answer that names a room names the one that was asked for. */
static bool is_about(const struct client_heard *h, const struct client_asked *asked)
{
	if ((asked->verb != VERB_SUB && asked->verb != VERB_UNSUB) || str_absent(h->room))
		return true;
	return jsonesc_spells(jsonesc_of(client_words_unquoted(h->room)), str_of(asked->id, asked->id_bytes));
}

bool client_words_answers(enum dialect_id dialect, const struct client_heard *h,
			  const struct client_asked *asked, struct str own)
{
	const struct phrase *phrase = phrase_of(dialect, asked->verb);
	char id[16];

	if (dialect == DIALECT_DOTTED)
		return str_eq(h->reply_to, quoted(asked->number, id)) &&
		       (h->is_error || str_eq(h->type, phrase->answer));
	if (h->is_error)
		return true;
	if (str_absent(phrase->answer) || !str_eq(h->type, phrase->answer))
		return false;
	if (dialect == DIALECT_UPPER && asked->verb == VERB_STATUS)
		return str_absent(own) || str_absent(h->user) || str_eq(own, h->user);
	return is_about(h, asked);
}

struct str client_words_verb(enum client_verb verb)
{
	static const struct str names[VERB_COUNT] = {
		[VERB_SUB] = STR("sub"),   [VERB_UNSUB] = STR("unsub"),   [VERB_TYPING] = STR("typing"),
		[VERB_PING] = STR("ping"), [VERB_STATUS] = STR("status"),
	};

	assert(verb < VERB_COUNT);
	return names[verb];
}
