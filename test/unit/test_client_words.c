/*
 * tool/client_words: what the client says is what the server's own codecs understand, and what the server's
 * say answers it; whatever a server sends, no byte is read that is not there.
 */
#include "tool/client_words.h"

#include "feed.h"
#include "rng.h"

static struct json_tok toks[JSON_TOKENS_MAX];
static struct decode_scratch scratch;

static struct str written(enum dialect_id dialect, enum client_verb verb, const char *id, const char *text)
{
	static char out[2048];
	struct client_request r = { .verb = verb, .id = str_of(id, strlen(id)), .text = STR_NONE };
	struct jsonw w;

	if (text != NULL)
		r.text = str_of(text, strlen(text));
	jsonw_init(&w, out, sizeof(out));
	return client_words_write(dialect, &r, 7, &w) ? jsonw_text(&w) : STR_NONE;
}

static void test_commands(void)
{
	static const struct {
		enum dialect_id dialect;
		enum client_verb verb;
		const char *id, *text, *want;
	} rows[] = {
		{ DIALECT_ROOMS, VERB_SUB, "general", NULL, "{'type':'subscribe','channel_id':'general'}" },
		{ DIALECT_ROOMS, VERB_SUB, "dm_1", NULL, "{'type':'subscribe','dm_id':'dm_1'}" },
		{ DIALECT_ROOMS, VERB_UNSUB, "general", NULL, "{'type':'unsubscribe','channel_id':'general'}" },
		{ DIALECT_ROOMS, VERB_TYPING, "general", NULL, "{'type':'typing','channel_id':'general'}" },
		{ DIALECT_ROOMS, VERB_PING, "", NULL, "{'type':'ping'}" },
		{ DIALECT_ROOMS, VERB_STATUS, "away", NULL, "{'type':'status','status':'away'}" },
		{ DIALECT_ROOMS, VERB_STATUS, "away", "x y", "{'type':'status','status':'away','custom_status':'x y'}" },
		{ DIALECT_ROOMS, VERB_STATUS, "online", "-", "{'type':'status','status':'online','custom_status':null}" },
		{ DIALECT_DOTTED, VERB_SUB, "general", NULL, "{'id':'7','type':'subscribe','payload':{'topics':['conversation',"
		  "'typing'],'filters':{'conversation_id':'general'}}}" },
		{ DIALECT_DOTTED, VERB_SUB, "presence", NULL, "{'id':'7','type':'subscribe','payload':{'topics':['presence']}}" },
		{ DIALECT_DOTTED, VERB_UNSUB, "calls", NULL, "{'id':'7','type':'unsubscribe','payload':{'topics':['calls']}}" },
		{ DIALECT_DOTTED, VERB_TYPING, "g", NULL, "{'id':'7','type':'typing.start','payload':{'conversation_id':'g'}}" },
		{ DIALECT_DOTTED, VERB_PING, "", NULL, "{'id':'7','type':'ping'}" },
		{ DIALECT_DOTTED, VERB_STATUS, "busy", "x", "{'id':'7','type':'presence.update','payload':{'status':'busy',"
		  "'custom_status':'x'}}" },
		{ DIALECT_SNAKE, VERB_SUB, "g", NULL, "{'type':'subscribe','payload':{'conversation_id':'g'}}" },
		{ DIALECT_SNAKE, VERB_TYPING, "g", NULL, "{'type':'typing','payload':{'conversation_id':'g','is_typing':true}}" },
		{ DIALECT_SNAKE, VERB_PING, "", NULL, "{'type':'ping'}" },
		{ DIALECT_SNAKE, VERB_STATUS, "dnd", "x", "{'type':'presence_update','payload':{'online_status':'dnd',"
		  "'custom_status':'x'}}" },
		{ DIALECT_UPPER, VERB_PING, "", NULL, "{'type':'HEARTBEAT'}" },
		{ DIALECT_UPPER, VERB_STATUS, "busy", NULL, "{'type':'PRESENCE_UPDATE','payload':{'status':'busy'}}" },
		{ DIALECT_UPPER, VERB_STATUS, "busy", "x", NULL },
		{ DIALECT_UPPER, VERB_SUB, "g", NULL, NULL },
		{ DIALECT_UPPER, VERB_TYPING, "g", NULL, NULL },
		{ DIALECT_ROSTER, VERB_PING, "", NULL, "{'type':'ping'}" },
		{ DIALECT_ROSTER, VERB_STATUS, "away", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str name = dialect_name(rows[i].dialect), verb = client_words_verb(rows[i].verb);
		struct str text = written(rows[i].dialect, rows[i].verb, rows[i].id, rows[i].text);
		struct command command;
		struct decode_error err = { 0 };
		char want[512] = "", got[512];
		struct json j;

		for (size_t k = 0; rows[i].want != NULL && rows[i].want[k] != '\0'; k++)
			want[k] = rows[i].want[k] == '\'' ? '"' : rows[i].want[k];
		snprintf(got, sizeof(got), "%.*s", (int)text.n, str_absent(text) ? "" : text.p);
		if (strcmp(got, want) != 0)
			printf("# %s\n", got);
		tap_ok(strcmp(got, want) == 0, "%.*s: %.*s %s", (int)name.n, name.p, (int)verb.n, verb.p, rows[i].id);
		if (str_absent(text))
			continue;
		json_init(&j, toks, JSON_TOKENS_MAX);
		tap_ok(json_parse(&j, got, text.n) == JSON_OK &&
			       dialect_at(rows[i].dialect)->decode(&j, &scratch, &command, &err),
		       "the server's codec takes it");
	}
}

static void test_hearing(void)
{
	static const struct {
		const char *name, *message, *type, *room, *user, *code, *text;
		bool is_error;
	} rows[] = {
		{ "rooms", "{\"type\":\"subscribed\",\"channel_id\":null,\"dm_id\":\"d\"}", "subscribed", "\"d\"", "", "", "", false },
		{ "a nested type is none", "{\"a\":{\"type\":\"x\"},\"b\":[\"type\",{}],\"type\":\"y\"}", "y", "", "", "", "", false },
		{ "blanks", " { \"type\" : \"y\" , \"payload\" : { \"user_id\" : \"u\" } } ", "y", "", "\"u\"", "", "", false },
		{ "quotes and braces in strings", "{\"a\":\"}\\\"{\\\\\",\"type\":\"y\"}", "y", "", "", "", "", false },
		{ "an error of rooms", "{\"type\":\"error\",\"error\":\"no\",\"code\":403}", "error", "", "", "403", "\"no\"", true },
		{ "an error with a payload", "{\"type\":\"ERROR\",\"payload\":{\"code\":400,\"message\":\"no\"}}", "ERROR", "", "", "400",
		  "\"no\"", true },
		{ "a number is no type", "{\"type\":5}", "", "", "", "", "", false },
		{ "no object", "[\"type\"]", "", "", "", "", "", false },
		{ "nothing", "", "", "", "", "", "", false },
		{ "cut", "{\"type\":\"y\",\"payload\":{\"user_id\":\"u", "y", "", "", "", "", false },
		{ "closed too often", "}}]]{\"type\":\"y\"}", "", "", "", "", "", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].message);
		struct client_heard h;

		client_words_hear(&h, str_of(feed_guarded(rows[i].message, n), n));
		tap_ok(str_eq(h.type, str_of(rows[i].type, strlen(rows[i].type))) &&
			       str_eq(h.room, str_of(rows[i].room, strlen(rows[i].room))) &&
			       str_eq(h.user, str_of(rows[i].user, strlen(rows[i].user))) &&
			       str_eq(h.code, str_of(rows[i].code, strlen(rows[i].code))) &&
			       str_eq(h.text, str_of(rows[i].text, strlen(rows[i].text))) && h.is_error == rows[i].is_error,
		       "%s", rows[i].name);
	}
}

static bool answers(enum dialect_id dialect, enum client_verb verb, const char *id, const char *message)
{
	struct client_asked asked = { .verb = verb, .number = 7, .id_bytes = (uint32_t)strlen(id) };
	struct client_heard h;

	memcpy(asked.id, id, strlen(id));
	client_words_hear(&h, str_of(message, strlen(message)));
	return client_words_answers(dialect, &h, &asked, STR("\"ann\""));
}

static void test_answers(void)
{
	tap_ok(answers(DIALECT_ROOMS, VERB_SUB, "a", "{\"type\":\"subscribed\",\"channel_id\":\"a\",\"dm_id\":null}"), "the room");
	tap_ok(!answers(DIALECT_ROOMS, VERB_SUB, "a", "{\"type\":\"subscribed\",\"channel_id\":\"b\",\"dm_id\":null}"), "another room");
	tap_ok(answers(DIALECT_SNAKE, VERB_SUB, "a\"\xc3\xbc", "{\"type\":\"subscribed\",\"payload\":{\"conversation_id\":"
		       "\"a\\\"\\u00fc\"}}"), "the room, escaped");
	tap_ok(!answers(DIALECT_ROOMS, VERB_SUB, "a", "{\"type\":\"unsubscribed\",\"channel_id\":\"a\"}"), "another answer");
	tap_ok(answers(DIALECT_ROOMS, VERB_PING, "", "{\"type\":\"error\",\"error\":\"x\",\"code\":400}"), "an error");
	tap_ok(!answers(DIALECT_ROOMS, VERB_PING, "", "{\"type\":\"presence\"}"), "an event");
	tap_ok(answers(DIALECT_DOTTED, VERB_PING, "", "{\"type\":\"pong\",\"reply_to\":\"7\"}"), "reply_to");
	tap_ok(!answers(DIALECT_DOTTED, VERB_PING, "", "{\"type\":\"pong\",\"reply_to\":\"77\"}"), "another's reply_to");
	tap_ok(!answers(DIALECT_DOTTED, VERB_PING, "", "{\"type\":\"error\"}"), "an error about something else");
	tap_ok(answers(DIALECT_UPPER, VERB_STATUS, "", "{\"type\":\"PRESENCE_UPDATE\",\"userId\":\"ann\"}"), "our own broadcast");
	tap_ok(!answers(DIALECT_UPPER, VERB_STATUS, "", "{\"type\":\"PRESENCE_UPDATE\",\"userId\":\"bob\"}"), "another's broadcast");
}

/* Bytes of JSON in any order: it ends, and reads nothing that is not there. */
static void test_anything(void)
{
	static const char bytes[] = "{}[]\":,\\ \n1\"\"type\"payload\"";
	struct rng rng = { .s = 5 };
	char text[48];

	for (int i = 0; i < 20000; i++) {
		size_t n = rng_below(&rng, sizeof(text));
		struct client_heard h;

		for (size_t k = 0; k < n; k++)
			text[k] = bytes[rng_below(&rng, sizeof(bytes) - 1)];
		client_words_hear(&h, str_of(feed_guarded(text, n), n));
	}
	tap_ok(true, "any bytes");
}

int main(void)
{
	test_commands();
	test_hearing();
	test_answers();
	test_anything();
	return tap_done();
}
