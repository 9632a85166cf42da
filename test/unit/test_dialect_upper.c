/* test/unit/test_dialect_upper.c: dialect/upper.c, against seed 004 and CONTRACT 3 `upper`. */
#include "dialect_case.h"

#define STATUS_TEXT "400 payload.status: one of online, away, busy, dnd, invisible, offline"

static const struct decode_case decode_cases[] = {
	/* the document's own messages, blanks and all */
	{ "seed 004 DISCONNECT", "{\n  \"type\": \"DISCONNECT\",\n  \"timestamp\": \"2024-12-18T10:00:00Z\"\n}", "leave" },
	{ "seed 004 PRESENCE_UPDATE", "{\n  \"type\": \"PRESENCE_UPDATE\",\n  \"payload\": {\n    \"status\": \"online\",\n"
		"    \"metadata\": {\n    }\n  },\n  \"timestamp\": \"2024-12-18T10:00:00Z\"\n}", "presence status=online metadata={\n    }" },
	{ "seed 004 PRESENCE_UPDATE", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"away\"}}", "presence status=away" },
	{ "seed 004 PRESENCE_UPDATE", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"busy\"}}", "presence status=busy" },
	{ "seed 004 Flutter", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"away\"},\"timestamp\":\"2024-12-18T10:00:00.123456\"}",
		"presence status=away" },
	{ "seed 004 HEARTBEAT", "{\n  \"type\": \"HEARTBEAT\",\n  \"timestamp\": \"2024-12-18T10:00:00Z\"\n}", "heartbeat" },
	{ "3 upper", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"dnd\",\"metadata\":null}}", "presence status=dnd metadata:clear" },
	{ "3 upper", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"invisible\"}}", "presence status=invisible" },
	{ "3 upper", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"offline\"}}", "presence status=invisible" },
	{ "extension", "{\"type\":\"authenticate\",\"payload\":{\"token\":\"t\"}}", "authenticate token=t" },
	{ "extension", "{\"type\":\"authenticate\",\"token\":\"t\"}", "authenticate token=t" },
	{ "3 extra", "{\"type\":\"HEARTBEAT\",\"userId\":1,\"payload\":{\"a\":2},\"timestamp\":false}", "heartbeat" },
	/* missing and ill-typed */
	{ "3 bad", "{}", "400 type: a string is required" },
	{ "3 bad", "{\"type\":4}", "400 type: a string is required" },
	{ "3 bad", "{\"type\":\"heartbeat\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"CONNECT\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"PING\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"PRESENCE_UPDATE\"}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"metadata\":{}}}", STATUS_TEXT },
	{ "seed 004 read as JSON", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"online | away | busy\"}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"ONLINE\"}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":\"away\"}", "400 payload: an object" },
	{ "3 bad", "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"away\",\"metadata\":\"m\"}}",
		"400 payload.metadata: an object of at most 2048 bytes, or null" },
	{ "3 bad", "{\"type\":\"authenticate\",\"payload\":{\"token\":1}}", "400 payload.token: a string is required" },
};

#define UPDATE(status) "{\"type\":\"PRESENCE_UPDATE\",\"userId\":\"user-123\",\"payload\":{\"status\":\"" status "\"},\"timestamp\":\"" \
	AT_TEXT "\"}"

static const struct encode_case encode_cases[] = {
	{ "seed 004 CONNECT", { .type = EV_CONNECTED, .at = AT, .user = ALICE(.status = STATUS_ONLINE), .connection_id = STR("c"),
		.device_id = STR("d") }, "{\"type\":\"CONNECT\",\"userId\":\"user-123\",\"timestamp\":\"" AT_TEXT "\"}" },
	{ "seed 004 PRESENCE_UPDATE", { .type = EV_PRESENCE, .at = AT, .status_changed = true,
		.user = ALICE(.status = STATUS_AWAY, .custom = STR("not told"), .metadata = STR("{\"a\":1}")) },
		"{\"type\":\"PRESENCE_UPDATE\",\"userId\":\"user-123\",\"payload\":{\"status\":\"away\",\"metadata\":{\"a\":1}},\"timestamp\":\""
		AT_TEXT "\"}" },
	{ "2 dnd reads busy", { .type = EV_PRESENCE, .at = AT, .user = ALICE(.status = STATUS_DND) }, UPDATE("busy") },
	{ "3 came online", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_ONLINE, .user = ALICE(.status = STATUS_ONLINE) }, UPDATE("online") },
	{ "3 went offline", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_OFFLINE, .user = ALICE(.status = STATUS_OFFLINE) },
		UPDATE("offline") },
	{ "3 the same again", { .type = EV_ACK, .command = CMD_PRESENCE, .at = AT, .unchanged = true, .user = ALICE(.status = STATUS_BUSY) },
		UPDATE("busy") },
	{ "no words: ack before a broadcast", { .type = EV_ACK, .command = CMD_PRESENCE, .at = AT, .user = ALICE(.status = STATUS_BUSY) }, NULL },
	{ "seed 004 HEARTBEAT_ACK", { .type = EV_HEARTBEAT_ACK, .at = AT }, "{\"type\":\"HEARTBEAT_ACK\",\"timestamp\":\"" AT_TEXT "\"}" },
	{ "4 broadcast", { .type = EV_MESSAGE, .at = AT, .body = STR("{\"x\":1}") },
		"{\"type\":\"MESSAGE\",\"payload\":{\"x\":1},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "3 error", { .type = EV_ERROR, .at = AT, .code = 400, .text = STR("type: unknown message type"), .command = CMD_COUNT },
		"{\"type\":\"ERROR\",\"payload\":{\"code\":400,\"message\":\"type: unknown message type\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "auth.success", { .type = EV_AUTHENTICATED, .at = AT, .expires = AT, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"auth.success\",\"payload\":{\"user_id\":\"user-123\",\"expires_at\":\"" AT_TEXT "\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "auth.failed", { .type = EV_AUTH_FAILED, .at = AT, .text = STR("expired") },
		"{\"type\":\"auth.failed\",\"payload\":{\"reason\":\"expired\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "no words: pong", { .type = EV_PONG, .at = AT }, NULL },
	{ "no words: typing", { .type = EV_TYPING, .at = AT, .is_typing = true, .room = STR("c") }, NULL },
	{ "no words: roster", { .type = EV_ROSTER, .at = AT }, NULL },
};

int main(void)
{
	const struct dialect *d = dialect_at(DIALECT_UPPER);

	run_decode(d, ROWS(decode_cases));
	run_encode(d, ROWS(encode_cases));
	tap_ok(d->is_own_type(STR("DISCONNECT")) && d->is_own_type(STR("CONNECT")) && d->is_own_type(STR("ERROR")), "own types");
	tap_ok(!d->is_own_type(STR("ALERT")) && !d->is_own_type(STR("connect")), "not own types");
	return tap_done();
}
