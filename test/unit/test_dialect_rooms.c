/* test/unit/test_dialect_rooms.c: dialect/rooms.c, against seed 002 and CONTRACT 3 `rooms`: every message of the document. */
#include "dialect_case.h"

#define ROOM_TEXT "400 channel_id or dm_id: exactly one is required, a string of 1 to 128 bytes without control characters"

static const struct decode_case decode_cases[] = {
	/* the document's own messages, blanks and all */
	{ "seed 002", "{\n  \"type\": \"subscribe\",\n  \"channel_id\": \"channel_general\"\n}", "subscribe topics=2 rooms=[channel_general]" },
	{ "seed 002", "{\n  \"type\": \"subscribe\",\n  \"dm_id\": \"dm_123\"\n}", "subscribe topics=2 dm=[dm_123]" },
	{ "seed 002", "{\n  \"type\": \"unsubscribe\",\n  \"channel_id\": \"channel_general\"\n}",
		"unsubscribe topics=2 rooms=[channel_general]" },
	{ "seed 002", "{\n  \"type\": \"typing\",\n  \"channel_id\": \"channel_general\"\n}", "typing room=channel_general starts" },
	{ "seed 002", "{\n  \"type\": \"ping\"\n}", "ping" },
	{ "seed 002 wscat", "{\"type\": \"subscribe\", \"channel_id\": \"channel_general\"}", "subscribe topics=2 rooms=[channel_general]" },
	{ "seed 002 wscat", "{\"type\": \"typing\", \"channel_id\": \"channel_general\"}", "typing room=channel_general starts" },
	{ "seed 002 wscat", "{\"type\": \"ping\"}", "ping" },
	{ "seed 002", "{\"type\":\"typing\",\"dm_id\":\"dm_123\"}", "typing dm=dm_123 starts" },
	{ "seed 002", "{\"type\":\"unsubscribe\",\"dm_id\":\"dm_123\"}", "unsubscribe topics=2 dm=[dm_123]" },
	{ "the unused key null", "{\"type\":\"subscribe\",\"channel_id\":\"c\",\"dm_id\":null}", "subscribe topics=2 rooms=[c]" },
	{ "the unused key null", "{\"type\":\"subscribe\",\"channel_id\":null,\"dm_id\":\"d\"}", "subscribe topics=2 dm=[d]" },
	{ "3 status", "{\"type\":\"status\",\"status\":\"away\",\"custom_status\":\"...\"}", "presence status=away custom=..." },
	{ "3 status", "{\"type\":\"status\",\"status\":\"dnd\",\"custom_status\":null,\"metadata\":{}}",
		"presence status=dnd custom:clear metadata={}" },
	{ "3 status", "{\"type\":\"status\",\"status\":\"offline\",\"custom_status\":\"x\",\"custom_status_expires_at\":"
		"\"2026-01-14T12:00:00.123Z\"}", "presence status=invisible custom=x expires=1768392000123" },
	{ "extension", "{\"type\":\"authenticate\",\"token\":\"a.b.c\"}", "authenticate token=a.b.c" },
	{ "3 extra", "{\"type\":\"ping\",\"payload\":7,\"id\":[],\"timestamp\":\"?\"}", "ping" },
	/* missing and ill-typed */
	{ "3 bad", "[{\"type\":\"ping\"}]", "400 a message is an object" },
	{ "3 bad", "{}", "400 type: a string is required" },
	{ "3 bad", "{\"type\":[\"ping\"]}", "400 type: a string is required" },
	{ "seed 002 error", "{\"type\":\"nope\"}", "400 Invalid message type" },
	{ "3 bad", "{\"type\":\"message\",\"data\":{}}", "400 Invalid message type" },
	{ "3 bad", "{\"type\":\"presence\"}", "400 Invalid message type" },
	{ "3 bad", "{\"type\":\"subscribe\"}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"channel_id\":null,\"dm_id\":null}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"channel_id\":\"c\",\"dm_id\":\"d\"}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"channel_id\":\"c\",\"dm_id\":0}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"channel_id\":1}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"channel_id\":\"\"}", ROOM_TEXT },
	{ "2 id", "{\"type\":\"subscribe\",\"channel_id\":\"a\\u007fb\"}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"channel_id\":\"c\"}}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"unsubscribe\"}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"unsubscribe\",\"dm_id\":{}}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"typing\"}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"typing\",\"channel_id\":true}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"status\"}", "400 status: one of online, away, busy, dnd, invisible, offline" },
	{ "3 bad", "{\"type\":\"status\",\"status\":\"gone\"}", "400 status: one of online, away, busy, dnd, invisible, offline" },
	{ "3 bad", "{\"type\":\"status\",\"status\":1}", "400 status: one of online, away, busy, dnd, invisible, offline" },
	{ "3 bad", "{\"type\":\"status\",\"status\":\"away\",\"custom_status\":1}",
		"400 custom_status: a string of at most 256 bytes, or null" },
	{ "3 bad", "{\"type\":\"status\",\"status\":\"away\",\"custom_status_expires_at\":1}",
		"400 custom_status_expires_at: an RFC 3339 date and time, or null" },
	{ "3 bad", "{\"type\":\"status\",\"status\":\"away\",\"metadata\":true}",
		"400 metadata: an object of at most 2048 bytes, or null" },
	{ "3 bad", "{\"type\":\"authenticate\"}", "400 token: a string is required" },
	{ "3 bad", "{\"type\":\"authenticate\",\"token\":{}}", "400 token: a string is required" },
};

static const struct str channel[] = { STR("channel_general") }, dm[] = { STR("dm_123") };

static const struct encode_case encode_cases[] = {
	{ "seed 002 Subscription Confirmed", { .type = EV_SUBSCRIBED, .at = AT, .topics = TOPIC_CONVERSATION, .rooms = { channel, 1 } },
		"{\"type\":\"subscribed\",\"channel_id\":\"channel_general\",\"dm_id\":null}" },
	{ "3 subscribed to a dm", { .type = EV_SUBSCRIBED, .at = AT, .topics = TOPIC_CONVERSATION, .rooms = { dm, 1 }, .kind = ROOM_DM },
		"{\"type\":\"subscribed\",\"channel_id\":null,\"dm_id\":\"dm_123\"}" },
	{ "seed 002 Unsubscription Confirmed", { .type = EV_UNSUBSCRIBED, .at = AT, .topics = TOPIC_CONVERSATION, .rooms = { channel, 1 } },
		"{\"type\":\"unsubscribed\",\"channel_id\":\"channel_general\"}" },
	{ "3 unsubscribed from a dm", { .type = EV_UNSUBSCRIBED, .at = AT, .topics = TOPIC_CONVERSATION, .rooms = { dm, 1 }, .kind = ROOM_DM },
		"{\"type\":\"unsubscribed\",\"dm_id\":\"dm_123\"}" },
	{ "seed 002 Presence Update", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_ONLINE, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"presence\",\"user_id\":\"user-123\",\"username\":\"alice\",\"status\":\"online\",\"timestamp\":\"" AT_TEXT "\"}" },
	{ "3 presence, status", { .type = EV_PRESENCE, .at = AT, .status_changed = true, .user = ALICE(.status = STATUS_DND) },
		"{\"type\":\"presence\",\"user_id\":\"user-123\",\"username\":\"alice\",\"status\":\"dnd\",\"timestamp\":\"" AT_TEXT "\"}" },
	{ "3 presence, gone, no username", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_OFFLINE,
		.user = { .user_id = STR("bob"), .status = STATUS_OFFLINE } },
		"{\"type\":\"presence\",\"user_id\":\"bob\",\"username\":\"bob\",\"status\":\"offline\",\"timestamp\":\"" AT_TEXT "\"}" },
	{ "no words: presence without a status", { .type = EV_PRESENCE, .at = AT, .user = ALICE(.status = STATUS_DND) }, NULL },
	{ "seed 002 Typing Broadcast", { .type = EV_TYPING, .at = AT, .room = STR("channel_general"), .is_typing = true,
		.user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing\",\"channel_id\":\"channel_general\",\"dm_id\":null,\"user_id\":\"user-123\",\"username\":\"alice\"}" },
	{ "3 typing in a dm", { .type = EV_TYPING, .at = AT, .room = STR("dm_123"), .kind = ROOM_DM, .is_typing = true,
		.user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing\",\"channel_id\":null,\"dm_id\":\"dm_123\",\"user_id\":\"user-123\",\"username\":\"alice\"}" },
	{ "no words: the end of typing", { .type = EV_TYPING, .at = AT, .room = STR("c"), .user = ALICE(.status = STATUS_ONLINE) }, NULL },
	{ "no words: typing in no room", { .type = EV_TYPING, .at = AT, .is_typing = true, .user = ALICE(.status = STATUS_ONLINE) }, NULL },
	{ "seed 002 Message Broadcast", { .type = EV_MESSAGE, .at = AT, .body = STR("{\"message_id\":\"msg-456\",\"content\":\"Hello, world!\","
		"\"user_id\":\"user-123\",\"channel_id\":\"channel_general\"}") },
		"{\"type\":\"message\",\"data\":{\"message_id\":\"msg-456\",\"content\":\"Hello, world!\",\"user_id\":\"user-123\","
		"\"channel_id\":\"channel_general\"}}" },
	{ "4 broadcast with a type", { .type = EV_MESSAGE, .at = AT, .text = STR("news"), .body = STR("1") },
		"{\"type\":\"news\",\"data\":1}" },
	{ "seed 002 Heartbeat Pong", { .type = EV_PONG, .at = AT }, "{\"type\":\"pong\",\"timestamp\":\"" AT_TEXT "\"}" },
	{ "seed 002 Error", { .type = EV_ERROR, .at = AT, .code = 400, .text = STR("Invalid message type"), .command = CMD_COUNT },
		"{\"type\":\"error\",\"error\":\"Invalid message type\",\"code\":400}" },
	{ "auth.success", { .type = EV_AUTHENTICATED, .at = AT, .expires = { INT64_MIN }, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"auth.success\",\"user_id\":\"user-123\",\"expires_at\":null}" },
	{ "auth.failed", { .type = EV_AUTH_FAILED, .at = AT, .text = STR("expired") }, "{\"type\":\"auth.failed\",\"reason\":\"expired\"}" },
	{ "no words: connected", { .type = EV_CONNECTED, .at = AT }, NULL },
	{ "no words: ack of status", { .type = EV_ACK, .command = CMD_PRESENCE, .at = AT, .unchanged = true,
		.user = ALICE(.status = STATUS_DND) }, NULL },
	{ "no words: receipt", { .type = EV_RECEIPT, .at = AT }, NULL },
};

int main(void)
{
	const struct dialect *d = dialect_at(DIALECT_ROOMS);

	run_decode(d, ROWS(decode_cases));
	run_encode(d, ROWS(encode_cases));
	tap_ok(d->is_own_type(STR("typing")) && d->is_own_type(STR("presence")) && d->is_own_type(STR("status")), "own types");
	tap_ok(!d->is_own_type(STR("news")), "not an own type");
	tap_ok(d->hears_own_arrival && d->topics == TOPIC_PRESENCE, "3: its greeting is its own presence");
	return tap_done();
}
