/*
 * test/unit/test_dialect.c: what holds for all dialects: the list of them, bounds at their edges, hostile text through and
 * back, and that every word an encoder can say is one that a broadcast may not forge.
 */
#include "dialect_case.h"

#include "dialect/topic.h"

/* Every string as JSON writes it (source) and as bytes; then the same as it must come back. */
static const struct {
	const char *name, *json, *bytes;
	size_t n;
	bool is_id;
} hostile[] = {
	{ "quotes and backslashes", "\\\"\\\\\\\"}],\\\"type\\\":\\\"x", "\"\\\"}],\"type\":\"x", 15, true },
	{ "a solidus, escaped and not", "\\/ /", "/ /", 3, true },
	{ "C0 controls", "\\b\\f\\n\\r\\t\\u0001\\u001f", "\b\f\n\r\t\x01\x1f", 7, false },
	{ "NUL", "a\\u0000b", "a\0b", 3, false },
	{ "DEL and C1", "\\u007f\xc2\x85", "\x7f\xc2\x85", 3, false },
	{ "U+2028, U+2029", "\\u2028\xe2\x80\xa9", "\xe2\x80\xa8\xe2\x80\xa9", 6, true },
	{ "astral, escaped and not", "\\ud83d\\ude00\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 8, true },
	{ "noncharacters, BOM, U+10FFFF", "\\ufffe\\ufeff\\udbff\\udfff", "\xef\xbf\xbe\xef\xbb\xbf\xf4\x8f\xbf\xbf", 10, true },
	{ "HTML", "</script><!--", "</script><!--", 13, true },
	{ "right to left", "\\u202e\\u200f", "\xe2\x80\xae\xe2\x80\x8f", 6, true },
};
enum { HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

static struct json_tok toks[JSON_TOKENS_MAX];

static void test_list_of_dialects(void)
{
	static const char *const names[DIALECT_COUNT] = { "snake", "dotted", "rooms", "roster", "upper", "echo" };
	enum dialect_id id = DIALECT_COUNT;

	for (unsigned i = 0; i < DIALECT_COUNT; i++) {
		const struct dialect *d = dialect_at((enum dialect_id)i);

		tap_ok(dialect_find(str_of(names[i], strlen(names[i])), &id) && id == i, "2: %s is found by name", names[i]);
		tap_ok(str_eq(dialect_name((enum dialect_id)i), str_of(names[i], strlen(names[i]))), "2: and named back");
		tap_ok((d == NULL) == (i == DIALECT_ECHO), "2: only echo has no messages");
		if (d != NULL)
			tap_is_u64(d->message_bytes_max, i == DIALECT_DOTTED ? 10485760 : 65536, "1: max-message-size");
	}
	id = DIALECT_UPPER;
	tap_ok(!dialect_find(STR("Snake"), &id) && !dialect_find(STR(""), &id) && !dialect_find(STR("snak"), &id) &&
		id == DIALECT_UPPER, "2: no other name is found");
}

static void test_words(void)
{
	static const char *const statuses[STATUS_COUNT] = { "offline", "online", "away", "busy", "dnd", "invisible" };
	enum status got;
	enum topic topic;

	for (unsigned i = 0; i < STATUS_COUNT; i++) {
		struct str word = str_of(statuses[i], strlen(statuses[i]));

		tap_ok(str_eq(status_word((enum status)i), word), "2: status %s", statuses[i]);
		got = STATUS_COUNT;
		tap_ok(status_of_word(word, &got) && got == (i == STATUS_OFFLINE ? STATUS_INVISIBLE : i), "2: %s is read", statuses[i]);
	}
	got = STATUS_AWAY;
	tap_ok(!status_of_word(STR("ONLINE"), &got) && !status_of_word(STR(""), &got) && !status_of_word(STR_NONE, &got) &&
		got == STATUS_AWAY, "2: no other status");
	tap_ok(topic_of_word(STR("calls"), &topic) && topic == TOPIC_CALLS && !topic_of_word(STR("roster"), &topic), "3: topics");
}

/* Decodes and leaves the command; `text` is unescaped in place and must stay while it is looked at. */
static bool decode_here(const struct dialect *d, char *text, size_t n, struct command *c)
{
	struct decode_error err;
	struct json j;

	json_init(&j, toks, JSON_TOKENS_MAX);
	return json_parse(&j, text, n) == JSON_OK && d->decode(&j, &case_scratch, c, &err);
}

/* What is known of a message that is refused (dialect.h): the session answers in its name. */
static void test_refused(void)
{
	static const struct {
		const char *in;
		enum command_type type;
		const char *reply_to;
	} rows[] = {
		{ "7", CMD_COUNT, NULL },
		{ "{\"id\":1}", CMD_COUNT, "1" },
		{ "{\"id\":1,\"type\":\"?\"}", CMD_COUNT, "1" },
		{ "{\"id\":true,\"type\":\"ping\"}", CMD_COUNT, NULL },
		{ "{\"type\":\"ping\",\"payload\":0}", CMD_PING, NULL },
		{ "{\"id\":\"a\",\"type\":\"presence.update\"}", CMD_PRESENCE, "\"a\"" },
		{ "{\"id\":\"a\",\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"c\"}}", CMD_RECEIPT, "\"a\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str id = rows[i].reply_to == NULL ? STR_NONE : str_of(rows[i].reply_to, strlen(rows[i].reply_to));
		char text[200];
		struct command c;

		memset(&c, 0xa5, sizeof(c));
		memcpy(text, rows[i].in, strlen(rows[i].in));
		tap_ok(!decode_here(dialect_at(DIALECT_DOTTED), text, strlen(rows[i].in), &c) && c.type == rows[i].type &&
			str_eq(c.reply_to, id) && str_absent(c.reply_to) == str_absent(id), "refused: %s", rows[i].in);
	}
}

/* Limit minus one, limit, limit plus one: bytes of the text as it is, not as it was escaped. */
static void test_bounds(void)
{
	static const struct {
		const char *clause, *format;
		int limit;
		enum dialect_id dialect;
	} bounds[] = {
		{ "2 custom status", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status\":\"%0*d\"}}",
			CUSTOM_STATUS_BYTES_MAX, DIALECT_SNAKE },
		{ "2 custom status, one escape", "{\"type\":\"status\",\"status\":\"away\",\"custom_status\":\"%0*d\\u0041\"}",
			CUSTOM_STATUS_BYTES_MAX - 1, DIALECT_ROOMS },
		{ "2 metadata", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"away\",\"metadata\":{\"a\":\"%0*d\"}}}",
			METADATA_BYTES_MAX - 8, DIALECT_UPPER },
		{ "2 id", "{\"type\":\"typing\",\"channel_id\":\"%0*d\"}", ID_BYTES_MAX, DIALECT_ROOMS },
		{ "2 id, one escape", "{\"type\":\"typing\",\"dm_id\":\"\\u00e9%0*d\"}", ID_BYTES_MAX - 2, DIALECT_ROOMS },
		{ "2 id in a list", "{\"type\":\"presence.query\",\"payload\":{\"user_ids\":[\"%0*d\"]}}", ID_BYTES_MAX, DIALECT_DOTTED },
	};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		for (int n = bounds[i].limit - 1; n <= bounds[i].limit + 1; n++) {
			static struct line text;
			struct command c;

			text.n = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			text.n = (size_t)snprintf(text.text, sizeof(text.text), bounds[i].format, n, 0);
#pragma GCC diagnostic pop
			tap_ok(decode_here(dialect_at(bounds[i].dialect), text.text, text.n, &c) == (n <= bounds[i].limit),
				"%s: limit %+d", bounds[i].clause, n - bounds[i].limit);
		}
	}
}

static bool is_string_at(struct json *j, json_ref obj, struct str key, struct str want)
{
	struct str got;

	return json_str(j, json_get(j, obj, key), &got) && str_eq(got, want);
}

/* A custom status through snake's decoder and out of snake's and dotted's encoders. */
static void test_hostile_text(void)
{
	for (size_t i = 0; i < HOSTILE; i++) {
		char in[512];
		struct command c;
		struct str want = str_of(hostile[i].bytes, hostile[i].n);
		struct event e = { .type = EV_PRESENCE, .at = AT, .user = ALICE(.status = STATUS_AWAY) };
		int n = snprintf(in, sizeof(in), "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status\":"
			"\"%s\",\"metadata\":{\"%zu\":\"%s\"}}}", hostile[i].json, i, hostile[i].json);

		if (!tap_ok(decode_here(dialect_at(DIALECT_SNAKE), in, (size_t)n, &c) && str_eq(c.presence.custom, want),
			"J10 in: %s", hostile[i].name))
			continue;
		e.user.custom = c.presence.custom;
		e.user.metadata = c.presence.metadata;
		for (unsigned d = DIALECT_SNAKE; d <= DIALECT_DOTTED; d++) {
			static char copy[16384];
			const char *text = encode_text(dialect_at((enum dialect_id)d), &e);
			static struct json_tok more[JSON_TOKENS_MAX];
			struct json j;
			json_ref payload, metadata;
			char key[8];

			snprintf(key, sizeof(key), "%zu", i);
			memcpy(copy, text, strlen(text));
			json_init(&j, more, JSON_TOKENS_MAX);
			tap_ok(json_parse(&j, copy, strlen(text)) == JSON_OK, "J10 out: %s is JSON", hostile[i].name);
			payload = json_get(&j, json_root(&j), STR("payload"));
			metadata = json_get(&j, payload, STR("metadata"));
			tap_ok(is_string_at(&j, payload, STR("custom_status"), want), "J10 out: %s is itself", hostile[i].name);
			tap_ok(is_string_at(&j, metadata, str_of(key, strlen(key)), want), "J10 out: and in metadata");
		}
	}
}

/* A room's id through rooms' decoder and encoder. */
static void test_hostile_ids(void)
{
	const struct dialect *rooms = dialect_at(DIALECT_ROOMS);

	for (size_t i = 0; i < HOSTILE; i++) {
		char in[512];
		static char copy[16384];
		static struct json_tok more[JSON_TOKENS_MAX];
		struct command c;
		struct json j;
		const char *text;
		struct event e = { .type = EV_SUBSCRIBED, .at = AT };
		int n = snprintf(in, sizeof(in), "{\"type\":\"subscribe\",\"dm_id\":\"%s\"}", hostile[i].json);

		tap_ok(decode_here(rooms, in, (size_t)n, &c) == hostile[i].is_id, "2 id: %s", hostile[i].name);
		if (!hostile[i].is_id)
			continue;
		e.rooms = c.subscription.rooms;
		e.kind = c.subscription.kind;
		text = encode_text(rooms, &e);
		memcpy(copy, text, strlen(text));
		json_init(&j, more, JSON_TOKENS_MAX);
		tap_ok(json_parse(&j, copy, strlen(text)) == JSON_OK && is_string_at(&j, json_root(&j), STR("dm_id"),
			str_of(hostile[i].bytes, hostile[i].n)), "J10: %s is itself", hostile[i].name);
	}
}

/* Every event that has words, in every shape that changes the word. */
static void test_own_words(void)
{
	static const struct str room[] = { STR("r") };
	static const struct view_array none = { NULL, 0 };
	unsigned said = 0;

	for (unsigned n = 0; n < DIALECT_COUNT * EV_COUNT * CMD_COUNT * 3; n++) {
		const struct dialect *d = dialect_at((enum dialect_id)(n % DIALECT_COUNT));
		unsigned flags = n / (DIALECT_COUNT * EV_COUNT * CMD_COUNT);
		struct presence_list list = { view_array_next, (void *)(uintptr_t)&none, 0 };
		struct event e = { .type = (enum event_type)(n / DIALECT_COUNT % EV_COUNT), .at = AT,
			.command = (enum command_type)(n / DIALECT_COUNT / EV_COUNT % CMD_COUNT), .list = &list, .rooms = { room, 1 },
			.room = room[0], .is_typing = flags > 0, .is_read = flags > 0, .change = (enum presence_change)flags,
			.unchanged = flags > 0, .reply_to = STR("1"), .user = ALICE(.status = STATUS_AWAY) };
		static char copy[16384];
		const char *text = d == NULL ? NULL : encode_text(d, &e);
		struct json j;
		struct str type;

		if (text == NULL)
			continue;
		memcpy(copy, text, strlen(text));
		json_init(&j, toks, JSON_TOKENS_MAX);
		said++;
		if (json_parse(&j, copy, strlen(text)) != JSON_OK || !json_str(&j, json_get(&j, json_root(&j), STR("type")), &type) ||
			!d->is_own_type(type))
			tap_ok(false, "4 own types: %s", text);
	}
	tap_ok(said > 100, "4 own types: all of %u texts", said);
}

int main(void)
{
	test_list_of_dialects();
	test_words();
	test_refused();
	test_bounds();
	test_hostile_text();
	test_hostile_ids();
	test_own_words();
	return tap_done();
}
