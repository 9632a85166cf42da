#include "tool/client_session.h"

#include <assert.h>
#include <stdio.h>

#include "base/jsonesc.h"
#include "base/utf8.h"
#include "net/machine.h"
#include "wire/jwt.h"
#include "wire/uri.h"

/* ---- which dialect, and who ---- */

static bool named(struct str name, enum dialect_id *out)
{
	return dialect_find(name, out) && *out != DIALECT_ECHO;
}

static struct str query_of(const struct client_target *t)
{
	return t->query.n > 0 ? str_of(t->query.p + 1, t->query.n - 1) : STR_NONE;
}

/* CONTRACT 2, in its order; what a listener's dialect= decides shows only later. */
static enum dialect_id guess(const struct client_target *t, const char *protocol)
{
	struct str chosen = str_of(protocol, strlen(protocol)), prefix = STR("presenced.");
	struct str query = query_of(t), name, value, rest = query;
	enum dialect_id found;

	if (str_has_prefix(chosen, prefix) && named(str_of(chosen.p + prefix.n, chosen.n - prefix.n), &found))
		return found;
	while (uri_query_next(&rest, &name, &value))
		if (str_eq(name, STR("dialect")) && named(value, &found))
			return found;
	if (t->url.path.n == 0 || str_eq(t->url.path, STR("/")))
		return DIALECT_UPPER;
	for (rest = query; uri_query_next(&rest, &name, &value);)
		if (str_eq(name, STR("userId")))
			return DIALECT_UPPER;
	if (!str_absent(client_open_has(t, STR("x-user-id"))))
		return DIALECT_SNAKE;
	for (rest = query; uri_query_next(&rest, &name, &value);)
		if (str_eq(name, STR("user_id")))
			return DIALECT_DOTTED;
	return DIALECT_ROOMS;
}

static void set_user(struct client_session *s, struct str raw)
{
	if (raw.n > sizeof(s->user) || str_absent(client_words_unquoted(raw)))
		return;
	memcpy(s->user, raw.p, raw.n);
	s->user_bytes = (uint32_t)raw.n;
}

static void set_user_id(struct client_session *s, struct str id)
{
	char text[CLIENT_USER_BYTES];
	struct jsonw w;

	if (!utf8_is_id(id))
		return;
	jsonw_init(&w, text, sizeof(text));
	jsonw_str(&w, id);
	set_user(s, jsonw_text(&w));
}

/* The id that the request carries, a token's `sub` last. */
static void find_user(struct client_session *s, const struct client_target *t)
{
	static const struct str names[] = { STR("user_id"), STR("userId") };
	struct str id = client_open_has(t, STR("x-user-id")), token = t->token, query = query_of(t);
	char *payload = s->out + JWT_BYTES_MAX; /* scratch: nothing was sent yet */
	size_t n;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && str_absent(id); i++)
		uri_query_get(query, names[i], s->out, JWT_BYTES_MAX, &id);
	set_user_id(s, id);
	if (str_absent(token))
		uri_query_get(query, STR("token"), s->out, JWT_BYTES_MAX, &token);
	if (s->user_bytes == 0 && jwt_payload(token, (uint8_t *)payload, JWT_BYTES_MAX, &n))
		set_user(s, client_words_get(str_of(payload, n), STR("sub")));
}

void client_session_begin(struct client_session *s, const struct client_target *t, const char *protocol)
{
	s->dialect = guess(t, protocol);
	s->opened_us = machine_us();
	screen_safe(t->url.authority, s->where, sizeof(s->where));
	find_user(s, t);
}

bool client_session_is_ready(const struct client_session *s, int64_t now_us)
{
	int64_t wait = s->dialect == DIALECT_ROOMS ? CLIENT_GUESS_US : CLIENT_GREETING_US;

	return s->greeted || now_us - s->opened_us >= wait;
}

void client_session_prompt(const struct client_session *s, struct line_edit *edit)
{
	char user[64], prompt[LINE_EDIT_PROMPT_BYTES_MAX];
	struct str name = dialect_name(s->dialect), raw = str_of(s->user, s->user_bytes);

	screen_safe(client_words_unquoted(raw), user, sizeof(user));
	snprintf(prompt, sizeof(prompt), "%s%s%.48s %.*s> ", user, *user != '\0' ? "@" : "", s->where,
		 (int)name.n, name.p);
	line_edit_set_prompt(edit, str_of(prompt, strlen(prompt)));
}

/* ---- out ---- */

static void remember(struct client_session *s, const struct client_request *r)
{
	struct client_asked *a = &s->asked[s->asked_count];

	assert(s->asked_count < CLIENT_ASKED_MAX);
	if (!client_words_has_answer(s->dialect, r->verb))
		return;
	*a = (struct client_asked){ .verb = r->verb, .number = s->number, .sent_us = machine_us() };
	if (r->verb != VERB_STATUS && r->id.n <= sizeof(a->id)) {
		a->id_bytes = (uint32_t)r->id.n;
		if (r->id.n > 0)
			memcpy(a->id, r->id.p, r->id.n);
	}
	s->asked_count++;
}

enum client_ask client_session_ask(struct client_session *s, const struct client_request *r)
{
	struct jsonw w;
	struct str text;

	if (s->asked_count == CLIENT_ASKED_MAX)
		return CLIENT_NO_ROOM;
	jsonw_init(&w, s->out, sizeof(s->out));
	if (!client_words_write(s->dialect, r, s->number + 1, &w))
		return CLIENT_NO_WORDS;
	text = jsonw_text(&w);
	if (str_absent(text))
		return CLIENT_TOO_LONG;
	if (!client_link_send(&s->link, WS_TEXT, text))
		return CLIENT_NO_ROOM;
	s->number++;
	remember(s, r);
	screen_sent(&s->screen, text);
	return CLIENT_ASKED;
}

bool client_session_send(struct client_session *s, struct str text)
{
	if (!utf8_valid(text) || text.n > CLIENT_LINE_BYTES_MAX) {
		screen_say(&s->screen, SCREEN_RED, "send: that is not UTF-8");
		return false;
	}
	if (!client_link_send(&s->link, WS_TEXT, text))
		return false;
	screen_sent(&s->screen, text);
	return true;
}

/* ---- in ---- */

static void forget(struct client_session *s, uint32_t i)
{
	assert(i < s->asked_count);
	s->asked_count--;
	memmove(&s->asked[i], &s->asked[i + 1], (s->asked_count - i) * sizeof(s->asked[0]));
}

static void greet(struct client_session *s, const struct client_heard *h, struct client_news *news)
{
	enum dialect_id dialect;

	if (s->greeted || !client_words_greeting(h->type, &dialect))
		return;
	news->greets = s->greeted = true;
	/* A presence may be anybody's. */
	if (dialect != DIALECT_ROOMS)
		set_user(s, h->user);
	s->dialect = dialect;
}

struct client_news client_session_hear(struct client_session *s, struct str message)
{
	struct client_news news = { 0 };
	struct client_heard h;

	client_words_hear(&h, message);
	screen_received(&s->screen, message, h.type, h.is_error ? SCREEN_RED : SCREEN_BOLD);
	greet(s, &h, &news);
	news.is_error = h.is_error;
	for (uint32_t i = 0; i < s->asked_count && news.answers == 0; i++) {
		if (!client_words_answers(s->dialect, &h, &s->asked[i], str_of(s->user, s->user_bytes)))
			continue;
		news.answers = s->asked[i].number;
		news.took_us = machine_us() - s->asked[i].sent_us;
		if (s->asked[i].verb == VERB_PING && s->screen.edits)
			screen_say(&s->screen, SCREEN_DIM, "  %lld.%03lld ms",
				   (long long)(news.took_us / 1000), (long long)(news.took_us % 1000));
		forget(s, i);
	}
	return news;
}

uint32_t client_session_expire(struct client_session *s, int64_t now_us)
{
	uint32_t n = 0;

	while (s->asked_count > 0 && now_us - s->asked[0].sent_us >= CLIENT_ANSWER_US) {
		struct str verb = client_words_verb(s->asked[0].verb);

		if (!s->screen.script)
			screen_say(&s->screen, SCREEN_RED, "no answer to %.*s within %d seconds", (int)verb.n,
				   verb.p, CLIENT_ANSWER_US / 1000000);
		forget(s, 0);
		n++;
	}
	return n;
}
