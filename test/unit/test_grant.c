/* The `rooms` claim (CONTRACT 3, `rooms`): which patterns there may be, and which rooms they open. */
#include "server/grant.h"
#include "tap.h"

static const struct grant_case {
	const char *name, *claims, *room;
	enum grant_result want;
	bool opens;
} cases[] = {
	{ "no claim opens all", "{\"sub\":\"a\"}", "r", GRANT_ALL, true },
	{ "an empty list opens none", "{\"rooms\":[]}", "r", GRANT_SOME, false },
	{ "a name opens itself", "{\"rooms\":[\"general\"]}", "general", GRANT_SOME, true },
	{ "not what begins with it", "{\"rooms\":[\"general\"]}", "general2", GRANT_SOME, false },
	{ "nor its beginning", "{\"rooms\":[\"general\"]}", "gener", GRANT_SOME, false },
	{ "a prefix", "{\"rooms\":[\"x\",\"team-*\"]}", "team-7", GRANT_SOME, true },
	{ "the prefix itself", "{\"rooms\":[\"team-*\"]}", "team-", GRANT_SOME, true },
	{ "another prefix", "{\"rooms\":[\"team-*\"]}", "tea", GRANT_SOME, false },
	{ "a star opens all", "{\"rooms\":[\"*\"]}", "r", GRANT_SOME, true },
	{ "a star inside is a character", "{\"rooms\":[\"a*b\"]}", "axb", GRANT_SOME, false },
	{ "escapes are read", "{\"rooms\":[\"\\u0061*\"]}", "abc", GRANT_SOME, true },
	{ "not a list", "{\"rooms\":\"general\"}", "general", GRANT_BAD, false },
	{ "null is not a list", "{\"rooms\":null}", "r", GRANT_BAD, false },
	{ "not strings", "{\"rooms\":[1]}", "r", GRANT_BAD, false },
	{ "an empty name", "{\"rooms\":[\"\"]}", "r", GRANT_BAD, false },
	{ "a NUL", "{\"rooms\":[\"a\\u0000\"]}", "a", GRANT_BAD, false },
};

static void run(const struct grant_case *c)
{
	static struct json_tok toks[64];
	char text[128], out[GRANT_BYTES_MAX];
	struct json j;
	size_t n = strlen(c->claims);
	enum grant_result got;

	memcpy(text, c->claims, n);
	json_init(&j, toks, 64);
	tap_ok(json_parse(&j, text, n) == JSON_OK, "%s: is JSON", c->name);
	got = grant_read(&j, out, &n);
	tap_is_u64(got, c->want, c->name);
	if (got == GRANT_SOME)
		tap_ok(grant_covers(str_of(out, n), str_of(c->room, strlen(c->room))) == c->opens, "%s: %s", c->name, c->room);
}

static void test_size(void)
{
	static struct json_tok toks[64];
	char text[GRANT_BYTES_MAX + 64] = "{\"rooms\":[\"", out[GRANT_BYTES_MAX];
	const size_t lead = 11;

	for (size_t extra = 0; extra < 2; extra++) {
		size_t id = GRANT_BYTES_MAX - 1 + extra, n;
		struct json j;

		memset(text + lead, 'r', id);
		memcpy(text + lead + id, "\"]}", 3);
		json_init(&j, toks, 64);
		tap_ok(json_parse(&j, text, lead + id + 3) == JSON_OK, "a claim of %zu bytes is JSON", id);
		tap_is_u64(grant_read(&j, out, &n), extra ? GRANT_BAD : GRANT_SOME, extra ? "one byte too long" : "as long as it may be");
	}
}

static void test_commands(void)
{
	struct str covered[] = { STR("a"), STR("b") }, foreign[] = { STR("a"), STR("z") }, patterns = STR("a\0b\0");
	struct command cmd = { .type = CMD_SUBSCRIBE, .subscription.rooms = { covered, 2 } };

	tap_ok(grant_allows(patterns, &cmd), "subscribing to covered rooms");
	cmd.subscription.rooms.v = foreign;
	tap_ok(!grant_allows(patterns, &cmd), "one foreign room refuses all");
	cmd.type = CMD_UNSUBSCRIBE;
	tap_ok(grant_allows(patterns, &cmd), "leaving is free");
	cmd = (struct command){ .type = CMD_TYPING, .typing.room = STR("z") };
	tap_ok(!grant_allows(patterns, &cmd), "typing is speaking");
	cmd = (struct command){ .type = CMD_RECEIPT, .receipt.room = STR("z") };
	tap_ok(!grant_allows(patterns, &cmd), "so is a receipt");
	cmd = (struct command){ .type = CMD_PING };
	tap_ok(grant_allows(patterns, &cmd), "what names no room is free");
}

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run(&cases[i]);
	test_size();
	test_commands();
	return tap_done();
}
