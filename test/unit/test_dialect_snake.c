/* test/unit/test_dialect_snake.c: dialect/snake.c, against seed 000 and CONTRACT 3 `snake`. */
#include "dialect_case.h"

#define ID_TEXT "an id is required: a string of 1 to 128 bytes without control characters"
#define STATUS_TEXT "400 payload.online_status: one of online, away, busy, dnd, invisible, offline"

static const struct decode_case decode_cases[] = {
	/* the document's own message, blanks and all */
	{ "seed 000", "{\n  \"type\": \"presence_update\",\n  \"payload\": {\n    \"online_status\": \"away\",\n"
		"    \"custom_status\": \"In a meeting\"\n  }\n}", "presence status=away custom=In a meeting" },
	{ "seed 000", "{\"type\":\"heartbeat\"}", "heartbeat" },
	{ "seed 000", "{\"type\":\"ping\"}", "ping" },
	{ "seed 000", "{\"type\":\"ping\",\"payload\":{},\"timestamp\":\"2026-01-14T12:00:00Z\"}", "ping" },
	{ "3 snake", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c1\",\"is_typing\":true}}", "typing room=c1 starts" },
	{ "3 snake", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c1\",\"is_typing\":false,\"recipient_ids\":[\"a\",\"b\"]}}",
		"typing room=c1 stops to=[a,b]" },
	{ "3 snake", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c1\",\"is_typing\":true,\"recipient_ids\":[]}}",
		"typing room=c1 starts to=[]" },
	{ "3 snake", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c1\",\"is_typing\":true,\"recipient_ids\":null}}",
		"typing room=c1 starts" },
	{ "3 snake", "{\"type\":\"subscribe\",\"payload\":{\"conversation_id\":\"c1\"}}", "subscribe topics=2 rooms=[c1]" },
	{ "3 snake", "{\"type\":\"unsubscribe\",\"payload\":{\"conversation_id\":\"c1\"}}", "unsubscribe topics=2 rooms=[c1]" },
	{ "extension", "{\"type\":\"authenticate\",\"payload\":{\"token\":\"a.b.c\"}}", "authenticate token=a.b.c" },
	{ "extension", "{\"type\":\"authenticate\",\"token\":\"a.b.c\"}", "authenticate token=a.b.c" },
	/* CONTRACT 2: statuses, custom status, metadata */
	{ "2 status", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"online\"}}", "presence status=online" },
	{ "2 status", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"busy\"}}", "presence status=busy" },
	{ "2 status", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"dnd\"}}", "presence status=dnd" },
	{ "2 status", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"invisible\"}}", "presence status=invisible" },
	{ "2 status", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"offline\"}}", "presence status=invisible" },
	{ "2 null clears", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status\":null,\"metadata\":null}}",
		"presence status=away custom:clear metadata:clear" },
	{ "2 metadata unchanged", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"metadata\":{\"a\" : [1, 2.50e1,"
		"\"\\u0041\"]}}}", "presence status=away metadata={\"a\" : [1, 2.50e1,\"\\u0041\"]}" },
	{ "2 empty custom status", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status\":\"\"}}",
		"presence status=away custom=" },
	{ "2 expiry", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status\":\"x\","
		"\"custom_status_expires_at\":\"2026-01-14T13:00:00.123+01:00\"}}", "presence status=away custom=x expires=1768392000123" },
	{ "2 expiry", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status\":\"x\","
		"\"custom_status_expires_at\":null}}", "presence status=away custom=x" },
	/* CONTRACT 3: unknown extra fields are ignored, client timestamps never checked */
	{ "3 extra", "{\"type\":\"heartbeat\",\"payload\":{\"x\":1},\"y\":[{}],\"timestamp\":7,\"id\":{}}", "heartbeat" },
	{ "3 payload null", "{\"type\":\"ping\",\"payload\":null}", "ping" },
	/* missing and ill-typed */
	{ "3 bad", "[]", "400 a message is an object" },
	{ "3 bad", "\"ping\"", "400 a message is an object" },
	{ "3 bad", "null", "400 a message is an object" },
	{ "3 bad", "{}", "400 type: a string is required" },
	{ "3 bad", "{\"type\":1}", "400 type: a string is required" },
	{ "3 bad", "{\"type\":null}", "400 type: a string is required" },
	{ "3 bad", "{\"type\":\"\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"Ping\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"ping\\u0000\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"presence_update_ack\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"ping\",\"payload\":[]}", "400 payload: an object" },
	{ "3 bad", "{\"type\":\"ping\",\"payload\":\"{}\"}", "400 payload: an object" },
	{ "3 bad", "{\"type\":\"presence_update\"}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence_update\",\"online_status\":\"away\"}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":null}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":true}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"Away\"}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"do not disturb\"}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status\":5}}",
		"400 payload.custom_status: a string of at most 256 bytes, or null" },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status_expires_at\":1768392000}}",
		"400 payload.custom_status_expires_at: an RFC 3339 date and time, or null" },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"custom_status_expires_at\":\"tomorrow\"}}",
		"400 payload.custom_status_expires_at: an RFC 3339 date and time, or null" },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"metadata\":[]}}",
		"400 payload.metadata: an object of at most 2048 bytes, or null" },
	{ "3 bad", "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\",\"metadata\":\"{}\"}}",
		"400 payload.metadata: an object of at most 2048 bytes, or null" },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"is_typing\":true}}", "400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"is_typing\":true,\"recipient_ids\":[\"a\"]}}",
		"400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":7,\"is_typing\":true}}", "400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"\",\"is_typing\":true}}", "400 payload.conversation_id: " ID_TEXT },
	{ "2 id", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"a\\nb\",\"is_typing\":true}}", "400 payload.conversation_id: " ID_TEXT },
	{ "2 id", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"a\\u0000b\",\"is_typing\":true}}",
		"400 payload.conversation_id: " ID_TEXT },
	{ "2 id", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"a\\u0085b\",\"is_typing\":true}}",
		"400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c\"}}", "400 payload.is_typing: true or false is required" },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c\",\"is_typing\":\"true\"}}",
		"400 payload.is_typing: true or false is required" },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c\",\"is_typing\":1}}",
		"400 payload.is_typing: true or false is required" },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c\",\"is_typing\":true,\"recipient_ids\":\"a\"}}",
		"400 payload.recipient_ids: a list of at most 1000 ids: strings of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"c\",\"is_typing\":true,\"recipient_ids\":[\"a\",null]}}",
		"400 payload.recipient_ids: a list of at most 1000 ids: strings of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"subscribe\"}", "400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"conversation_id\":null}}", "400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"unsubscribe\",\"payload\":{\"conversation_id\":[]}}",
		"400 payload.conversation_id: an id: a string of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"authenticate\",\"payload\":{}}", "400 payload.token: a string is required" },
	{ "3 bad", "{\"type\":\"authenticate\",\"payload\":{\"token\":\"\"}}", "400 payload.token: a string is required" },
	{ "3 bad", "{\"type\":\"authenticate\",\"token\":1}", "400 payload.token: a string is required" },
};

static const struct str room[] = { STR("c1") };

static const struct encode_case encode_cases[] = {
	{ "seed 000 connection_ack", { .type = EV_CONNECTED, .at = AT, .connection_id = STR("0123456789abcdef"),
		.user = ALICE(.status = STATUS_ONLINE), .device_id = STR("device-123"), .heartbeat_interval_s = 30, .session = STR("s") },
		"{\"type\":\"connection_ack\",\"payload\":{\"connection_id\":\"0123456789abcdef\",\"user_id\":\"user-123\","
		"\"device_id\":\"device-123\",\"heartbeat_interval\":30},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "seed 000 presence_update_ack", { .type = EV_ACK, .command = CMD_PRESENCE, .at = AT,
		.user = ALICE(.status = STATUS_AWAY, .custom = STR("In a meeting")) },
		"{\"type\":\"presence_update_ack\",\"payload\":{\"user_id\":\"user-123\",\"online_status\":\"away\","
		"\"custom_status\":\"In a meeting\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "presence_update_ack of nothing new", { .type = EV_ACK, .command = CMD_PRESENCE, .at = AT, .unchanged = true,
		.user = ALICE(.status = STATUS_INVISIBLE) },
		"{\"type\":\"presence_update_ack\",\"payload\":{\"user_id\":\"user-123\",\"online_status\":\"invisible\","
		"\"custom_status\":null},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "seed 000 heartbeat_ack", { .type = EV_HEARTBEAT_ACK, .at = AT },
		"{\"type\":\"heartbeat_ack\",\"payload\":{},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "seed 000 presence_update", { .type = EV_PRESENCE, .at = AT,
		.user = ALICE(.status = STATUS_AWAY, .custom = STR("In a meeting"), .metadata = STR("{\"a\" : 1}")) },
		"{\"type\":\"presence_update\",\"payload\":{\"user_id\":\"user-123\",\"online_status\":\"away\","
		"\"custom_status\":\"In a meeting\",\"metadata\":{\"a\" : 1},\"last_seen\":\"" BEFORE_TEXT "\",\"device_count\":2},"
		"\"timestamp\":\"" AT_TEXT "\"}" },
	{ "presence_update, offline and never seen", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_OFFLINE,
		.user = { .user_id = STR("bob"), .status = STATUS_OFFLINE, .last_seen = { INT64_MIN } } },
		"{\"type\":\"presence_update\",\"payload\":{\"user_id\":\"bob\",\"online_status\":\"offline\",\"custom_status\":null,"
		"\"metadata\":null,\"last_seen\":null,\"device_count\":0},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "seed 000 typing_indicator", { .type = EV_TYPING, .at = AT, .room = STR("c1"), .is_typing = true,
		.user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing_indicator\",\"payload\":{\"conversation_id\":\"c1\",\"user_id\":\"user-123\",\"is_typing\":true},"
		"\"timestamp\":\"" AT_TEXT "\"}" },
	{ "typing_indicator, end", { .type = EV_TYPING, .at = AT, .room = STR("c1"), .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing_indicator\",\"payload\":{\"conversation_id\":\"c1\",\"user_id\":\"user-123\",\"is_typing\":false},"
		"\"timestamp\":\"" AT_TEXT "\"}" },
	{ "seed 000 pong", { .type = EV_PONG, .at = AT }, "{\"type\":\"pong\",\"payload\":{},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "subscribed", { .type = EV_SUBSCRIBED, .at = AT, .topics = TOPIC_CONVERSATION, .rooms = { room, 1 } },
		"{\"type\":\"subscribed\",\"payload\":{\"conversation_id\":\"c1\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "unsubscribed", { .type = EV_UNSUBSCRIBED, .at = AT, .topics = TOPIC_CONVERSATION, .rooms = { room, 1 } },
		"{\"type\":\"unsubscribed\",\"payload\":{\"conversation_id\":\"c1\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "4 broadcast", { .type = EV_MESSAGE, .at = AT, .body = STR("{\"content\":\"Hello, world!\"}") },
		"{\"type\":\"message\",\"payload\":{\"content\":\"Hello, world!\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "4 broadcast with a type", { .type = EV_MESSAGE, .at = AT, .text = STR("news\"flash"), .body = STR("[1]") },
		"{\"type\":\"news\\\"flash\",\"payload\":[1],\"timestamp\":\"" AT_TEXT "\"}" },
	{ "auth.success", { .type = EV_AUTHENTICATED, .at = AT, .expires = BEFORE, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"auth.success\",\"payload\":{\"user_id\":\"user-123\",\"expires_at\":\"" BEFORE_TEXT "\"},\"timestamp\":\""
		AT_TEXT "\"}" },
	{ "auth.failed", { .type = EV_AUTH_FAILED, .at = AT, .text = STR("expired") },
		"{\"type\":\"auth.failed\",\"payload\":{\"reason\":\"expired\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "3 error", { .type = EV_ERROR, .at = AT, .code = 400, .text = STR("type: unknown message type"), .command = CMD_COUNT },
		"{\"type\":\"error\",\"payload\":{\"code\":400,\"message\":\"type: unknown message type\"},\"timestamp\":\"" AT_TEXT "\"}" },
	{ "no words: ack of typing", { .type = EV_ACK, .command = CMD_TYPING, .at = AT, .room = STR("c1") }, NULL },
	{ "no words: roster", { .type = EV_ROSTER, .at = AT }, NULL },
	{ "no words: list", { .type = EV_PRESENCE_LIST, .at = AT }, NULL },
	{ "no words: receipt", { .type = EV_RECEIPT, .at = AT }, NULL },
	{ "no words: call", { .type = EV_CALL_INCOMING, .at = AT }, NULL },
};

int main(void)
{
	const struct dialect *d = dialect_at(DIALECT_SNAKE);

	run_decode(d, ROWS(decode_cases));
	run_encode(d, ROWS(encode_cases));
	tap_ok(d->is_own_type(STR("presence_update")) && d->is_own_type(STR("typing")) && d->is_own_type(STR("connection_ack")) &&
		d->is_own_type(STR("message")), "own types, both directions");
	tap_ok(!d->is_own_type(STR("news")) && !d->is_own_type(STR("")) && !d->is_own_type(STR("presence.update")), "not own types");
	return tap_done();
}
