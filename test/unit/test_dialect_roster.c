/* test/unit/test_dialect_roster.c: dialect/roster.c, against seed 003 and CONTRACT 3 `roster`. */
#include "dialect_case.h"

static const struct decode_case decode_cases[] = {
	{ "3 roster", "{\"type\":\"ping\"}", "ping" },
	{ "extension", "{\"type\":\"authenticate\",\"token\":\"t\"}", "authenticate token=t" },
	{ "3 bad", "{\"type\":\"authenticate\"}", "400 token: a string is required" },
	{ "3 bad", "{\"type\":\"presence.user.online\",\"users\":[]}", "400 type: unknown message type; this protocol knows ping" },
	{ "3 bad", "{\"type\":\"heartbeat\"}", "400 type: unknown message type; this protocol knows ping" },
	{ "3 bad", "{\"type\":null}", "400 type: a string is required" },
	{ "3 bad", "{\"users\":[]}", "400 type: a string is required" },
	{ "3 bad", "\"ping\"", "400 a message is an object" },
};

static const struct presence_view views[] = {
	{ .user_id = STR("client\\\"1") },
	{ .user_id = STR("user@example.com") },
};
static const struct view_array both = { views, 2 }, none = { views, 0 };
static struct presence_list list_of_both = { view_array_next, (void *)(uintptr_t)&both, 0 };
static struct presence_list list_of_none = { view_array_next, (void *)(uintptr_t)&none, 0 };

static const struct encode_case encode_cases[] = {
	{ "seed 003 users", { .type = EV_ROSTER, .at = AT, .list = &list_of_both },
		"{\"type\":\"presence.user.online\",\"users\":[\"client\\\\\\\"1\",\"user@example.com\"]}" },
	{ "seed 003 nobody", { .type = EV_ROSTER, .at = AT, .list = &list_of_none }, "{\"type\":\"presence.user.online\",\"users\":[]}" },
	{ "3 pong", { .type = EV_PONG, .at = AT }, "{\"type\":\"pong\"}" },
	{ "3 error", { .type = EV_ERROR, .at = AT, .code = 400, .text = STR("t") }, "{\"type\":\"error\",\"code\":400,\"message\":\"t\"}" },
	{ "auth.success", { .type = EV_AUTHENTICATED, .at = AT, .expires = AT, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"auth.success\",\"user_id\":\"user-123\",\"expires_at\":\"" AT_TEXT "\"}" },
	{ "auth.failed", { .type = EV_AUTH_FAILED, .at = AT, .text = STR("expired") }, "{\"type\":\"auth.failed\",\"reason\":\"expired\"}" },
	{ "no words: connected", { .type = EV_CONNECTED, .at = AT }, NULL },
	{ "no words: presence", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_ONLINE }, NULL },
	{ "no words: message", { .type = EV_MESSAGE, .at = AT, .body = STR("1") }, NULL },
	{ "no words: typing", { .type = EV_TYPING, .at = AT, .is_typing = true, .room = STR("c") }, NULL },
};

int main(void)
{
	const struct dialect *d = dialect_at(DIALECT_ROSTER);

	run_decode(d, ROWS(decode_cases));
	run_encode(d, ROWS(encode_cases));
	tap_ok(d->is_own_type(STR("presence.user.online")) && !d->is_own_type(STR("message")), "own types");
	tap_ok(d->topics == TOPIC_ROSTER, "3: it hears the roster and nothing else");
	return tap_done();
}
