/* test/unit/test_dialect_dotted.c: dialect/dotted.c, against seed 001 and CONTRACT 3 `dotted`: every row of both its tables. */
#include "dialect_case.h"

#define ID_TEXT "an id is required: a string of 1 to 128 bytes without control characters"
#define IDS_TEXT "a list of at most 1000 ids: strings of 1 to 128 bytes without control characters"
#define STATUS_TEXT "400 payload.status: one of online, away, busy, dnd, invisible, offline"
#define ROOM_TEXT "400 payload.filters.conversation_id: the topics conversation and typing need one, or conversation_ids"
#define TOPICS_TEXT "user, conversation, presence, typing, calls, notifications"
#define SDP_TEXT "400 payload.sdp: a string or an object is required"
/* 129 bytes */
#define LONG_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef!"

static const struct decode_case decode_cases[] = {
	/* the document's own usage example, as JSON.stringify writes it */
	{ "seed 001", "{\"id\":\"msg_1\",\"type\":\"ping\",\"payload\":{},\"timestamp\":\"2026-01-14T12:00:00.000Z\"}",
		"ping reply_to=\"msg_1\"" },
	{ "seed 001", "{\"id\":\"msg_2\",\"type\":\"subscribe\",\"payload\":{\"topics\":[\"conversation\",\"presence\"],\"filters\":"
		"{\"conversation_id\":\"<conv-uuid>\"}}}", "subscribe topics=6 rooms=[<conv-uuid>] reply_to=\"msg_2\"" },
	/* the rest of its table of messages to the server */
	{ "seed 001", "{\"id\":3,\"type\":\"authenticate\",\"payload\":{\"token\":\"a.b.c\"}}", "authenticate token=a.b.c reply_to=3" },
	{ "seed 001", "{\"type\":\"unsubscribe\",\"payload\":{\"topics\":[\"presence\"]}}", "unsubscribe topics=4 rooms=[]" },
	{ "seed 001", "{\"id\":\"x\",\"type\":\"presence.update\",\"payload\":{\"status\":\"away\",\"custom_status\":\"lunch\","
		"\"custom_status_expires_at\":\"2026-01-14T12:00:00.123Z\",\"metadata\":{\"k\":[1]}}}",
		"presence status=away custom=lunch expires=1768392000123 metadata={\"k\":[1]} reply_to=\"x\"" },
	{ "seed 001", "{\"id\":\"x\",\"type\":\"presence.query\",\"payload\":{\"user_ids\":[\"a\",\"b\"]}}",
		"query users=[a,b] reply_to=\"x\"" },
	{ "3 query of nobody", "{\"id\":\"x\",\"type\":\"presence.query\",\"payload\":{\"user_ids\":[]}}", "query users=[] reply_to=\"x\"" },
	{ "seed 001", "{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"c\"}}", "typing room=c starts" },
	{ "seed 001", "{\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":\"c\"}}", "typing room=c stops" },
	{ "seed 001", "{\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"c\",\"message_id\":\"m\"}}",
		"receipt read room=c messages=[m]" },
	{ "seed 001", "{\"type\":\"mark.delivered\",\"payload\":{\"conversation_id\":\"c\",\"message_ids\":[\"m\",\"n\"],\"sender_id\":\"s\"}}",
		"receipt delivered room=c messages=[m,n] sender=s" },
	{ "seed 001", "{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k\",\"target_user_id\":\"bob\",\"sdp\":{\"type\":\"offer\",\"sdp\":"
		"\"v=0\\r\\n\"}}}", "offer id=k target=bob body={\"type\":\"offer\",\"sdp\":\"v=0\\r\\n\"}" },
	{ "seed 001", "{\"type\":\"call.answer\",\"payload\":{\"call_id\":\"k\",\"sdp\":\"v=0\\r\\n\"}}", "answer id=k body=\"v=0\\r\\n\"" },
	{ "seed 001", "{\"type\":\"call.ice\",\"payload\":{\"call_id\":\"k\",\"candidate\":{\"candidate\":\"\",\"sdpMLineIndex\":0}}}",
		"ice id=k body={\"candidate\":\"\",\"sdpMLineIndex\":0}" },
	{ "seed 001", "{\"type\":\"call.ice\",\"payload\":{\"call_id\":\"k\",\"candidate\":null}}", "ice id=k body=null" },
	{ "seed 001", "{\"type\":\"call.hangup\",\"payload\":{\"call_id\":\"k\"}}", "hangup id=k" },
	/* topics and filters */
	{ "3 topics", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"user\",\"conversation\",\"presence\",\"typing\",\"calls\","
		"\"notifications\"],\"filters\":{\"conversation_id\":\"a\",\"conversation_ids\":[\"b\",\"c\"],\"user_ids\":[\"u\",\"v\"]}}}",
		"subscribe topics=3f rooms=[a,b,c] listed users=[u,v]" },
	{ "3 filters", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],\"filters\":{\"conversation_ids\":[\"b\"]}}}",
		"subscribe topics=8 rooms=[b] listed" },
	{ "3 filters", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"],\"filters\":{\"user_ids\":[]}}}",
		"subscribe topics=4 rooms=[] users=[]" },
	{ "3 filters", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\",\"presence\"],\"filters\":null}}",
		"subscribe topics=4 rooms=[]" },
	{ "3 filters", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"calls\"],\"filters\":{\"conversation_id\":null,\"user_ids\":null,"
		"\"other\":1}}}", "subscribe topics=10 rooms=[]" },
	{ "3 filters", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"user\"],\"filters\":{\"user_ids\":[\"u\"],\"conversation_ids\":"
		"[\"b\"],\"conversation_id\":\"a\"}}}", "subscribe topics=1 rooms=[a,b] listed users=[u]" },
	/* ids of requests */
	{ "3 reply_to", "{\"type\":\"ping\"}", "ping" },
	{ "3 reply_to", "{\"id\":null,\"type\":\"ping\"}", "ping" },
	{ "3 reply_to", "{\"id\":\"\",\"type\":\"ping\"}", "ping reply_to=\"\"" },
	{ "3 reply_to", "{\"id\":-1.50e3,\"type\":\"ping\"}", "ping reply_to=-1.50e3" },
	{ "3 reply_to", "{\"id\":\"a\\u0022\\n\",\"type\":\"ping\"}", "ping reply_to=\"a\\u0022\\n\"" },
	{ "3 reply_to", "{\"id\":true,\"type\":\"ping\"}", "400 id: a string or a number" },
	{ "3 reply_to", "{\"id\":{},\"type\":\"ping\"}", "400 id: a string or a number" },
	{ "3 reply_to", "{\"id\":[1],\"type\":\"ping\"}", "400 id: a string or a number" },
	{ "3 reply_to of an error", "{\"id\":\"q\"}", "400 type: a string is required reply_to=\"q\"" },
	{ "3 reply_to of an error", "{\"id\":\"q\",\"type\":\"nope\"}", "400 type: unknown message type reply_to=\"q\"" },
	{ "3 reply_to of an error", "{\"payload\":{\"status\":1},\"type\":\"presence.update\",\"id\":9}", STATUS_TEXT " reply_to=9" },
	/* missing and ill-typed */
	{ "3 bad", "7", "400 a message is an object" },
	{ "3 bad", "{\"type\":\"call.incoming\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"message.new\"}", "400 type: unknown message type" },
	{ "3 bad", "{\"type\":\"ping\",\"payload\":1}", "400 payload: an object" },
	{ "3 bad", "{\"type\":\"authenticate\"}", "400 payload.token: a string is required" },
	{ "3 bad", "{\"type\":\"authenticate\",\"payload\":{\"token\":null}}", "400 payload.token: a string is required" },
	{ "3 bad", "{\"type\":\"subscribe\"}", "400 payload.topics: a list of one or more of " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":\"presence\"}}", "400 payload.topics: a list of one or more of " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[]}}", "400 payload.topics: a list of one or more of " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[null]}}", "400 payload.topics: a list of one or more of " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\",\"Calls\"]}}",
		"400 payload.topics: unknown topic 'Calls'; there are " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"roster\"]}}",
		"400 payload.topics: unknown topic 'roster'; there are " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"a\\nb\"]}}", "400 payload.topics: a list of one or more of " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"" LONG_ID "\"]}}",
		"400 payload.topics: a list of one or more of " TOPICS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"],\"filters\":[]}}", "400 payload.filters: an object" },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"conversation\"]}}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],\"filters\":{}}}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],\"filters\":{\"conversation_ids\":[]}}}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"unsubscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"user_ids\":[\"a\"]}}}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],\"conversation_id\":\"c\"}}", ROOM_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],\"filters\":{\"conversation_id\":1}}}",
		"400 payload.filters.conversation_id: an id: a string of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],\"filters\":{\"conversation_ids\":\"c\"}}}",
		"400 payload.filters.conversation_ids: " IDS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"typing\"],\"filters\":{\"conversation_ids\":[\"c\",\"" LONG_ID "\"]}}}",
		"400 payload.filters.conversation_ids: " IDS_TEXT },
	{ "3 bad", "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"],\"filters\":{\"user_ids\":{\"a\":1}}}}",
		"400 payload.filters.user_ids: " IDS_TEXT },
	{ "3 bad", "{\"type\":\"presence.update\",\"payload\":{\"online_status\":\"away\"}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence.update\",\"payload\":{\"status\":\"\"}}", STATUS_TEXT },
	{ "3 bad", "{\"type\":\"presence.update\",\"payload\":{\"status\":\"away\",\"custom_status\":{}}}",
		"400 payload.custom_status: a string of at most 256 bytes, or null" },
	{ "3 bad", "{\"type\":\"presence.update\",\"payload\":{\"status\":\"away\",\"metadata\":1}}",
		"400 payload.metadata: an object of at most 2048 bytes, or null" },
	{ "3 bad", "{\"type\":\"presence.update\",\"payload\":{\"status\":\"away\",\"custom_status_expires_at\":\"2026-13-01T00:00:00Z\"}}",
		"400 payload.custom_status_expires_at: an RFC 3339 date and time, or null" },
	{ "3 bad", "{\"type\":\"presence.query\",\"payload\":{}}",
		"400 payload.user_ids: a list of at most 1000 ids is required: strings of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"presence.query\",\"payload\":{\"user_ids\":null}}",
		"400 payload.user_ids: a list of at most 1000 ids is required: strings of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"presence.query\",\"payload\":{\"user_ids\":\"a\"}}",
		"400 payload.user_ids: a list of at most 1000 ids is required: strings of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"typing.start\",\"payload\":{}}", "400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":false}}", "400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"mark.read\",\"payload\":{\"message_id\":\"m\"}}", "400 payload.conversation_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"c\"}}",
		"400 payload.message_id: an id is required, or a list in message_ids" },
	{ "3 bad", "{\"type\":\"mark.delivered\",\"payload\":{\"conversation_id\":\"c\",\"message_ids\":[]}}",
		"400 payload.message_id: an id is required, or a list in message_ids" },
	{ "3 bad", "{\"type\":\"mark.delivered\",\"payload\":{\"conversation_id\":\"c\",\"message_ids\":\"m\"}}",
		"400 payload.message_ids: " IDS_TEXT },
	{ "3 bad", "{\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"c\",\"message_id\":4}}",
		"400 payload.message_id: an id: a string of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"c\",\"message_id\":\"m\",\"sender_id\":\"\"}}",
		"400 payload.sender_id: an id: a string of 1 to 128 bytes without control characters" },
	{ "3 bad", "{\"type\":\"call.offer\",\"payload\":{\"target_user_id\":\"b\",\"sdp\":\"s\"}}", "400 payload.call_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k\",\"sdp\":\"s\"}}", "400 payload.target_user_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k\",\"target_user_id\":\"b\"}}", SDP_TEXT },
	{ "3 bad", "{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k\",\"target_user_id\":\"b\",\"sdp\":null}}", SDP_TEXT },
	{ "3 bad", "{\"type\":\"call.answer\",\"payload\":{\"sdp\":\"s\"}}", "400 payload.call_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"call.answer\",\"payload\":{\"call_id\":\"k\",\"sdp\":7}}", SDP_TEXT },
	{ "3 bad", "{\"type\":\"call.ice\",\"payload\":{\"candidate\":null}}", "400 payload.call_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"call.ice\",\"payload\":{\"call_id\":\"k\"}}",
		"400 payload.candidate: a value is required, null if there is none" },
	{ "3 bad", "{\"type\":\"call.hangup\"}", "400 payload.call_id: " ID_TEXT },
	{ "3 bad", "{\"type\":\"call.hangup\",\"payload\":{\"call_id\":[\"k\"]}}", "400 payload.call_id: " ID_TEXT },
};

static const struct str rooms[] = { STR("<conv-uuid>"), STR("c2") };
static const struct str messages[] = { STR("m1"), STR("m2") };
static const struct presence_view views[] = {
	ALICE(.status = STATUS_DND, .custom = STR("hi"), .metadata = STR("{}")),
	{ .user_id = STR("nobody"), .status = STATUS_OFFLINE, .last_seen = { INT64_MIN } },
};
static const struct view_array both = { views, 2 }, none = { views, 0 };
static struct presence_list list_of_both = { view_array_next, (void *)(uintptr_t)&both, 0 };
static struct presence_list list_of_none = { view_array_next, (void *)(uintptr_t)&none, 0 };

#define TAIL ",\"timestamp\":\"" AT_TEXT "\"}"
#define TAIL_TO(id) ",\"timestamp\":\"" AT_TEXT "\",\"reply_to\":" id "}"
#define ALICE_DND "{\"user_id\":\"user-123\",\"status\":\"dnd\",\"custom_status\":\"hi\",\"metadata\":{},\"last_seen\":\"" BEFORE_TEXT \
	"\",\"device_count\":2}"
#define NOBODY "{\"user_id\":\"nobody\",\"status\":\"offline\",\"custom_status\":null,\"metadata\":null,\"last_seen\":null," \
	"\"device_count\":0}"
#define CONNECTION .connection_id = STR("0123456789abcdef"), .device_id = STR("d1"), .heartbeat_interval_s = 30

static const struct encode_case told_cases[] = {
	{ "seed 001 connected", { .type = EV_CONNECTED, .at = AT, CONNECTION, .session = STR("s1"), .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"connected\",\"payload\":{\"connection_id\":\"0123456789abcdef\",\"user_id\":\"user-123\",\"device_id\":\"d1\","
		"\"heartbeat_interval\":30,\"session\":\"s1\"}" TAIL },
	{ "3 connected before authentication", { .type = EV_CONNECTED, .at = AT, CONNECTION, .anonymous = true, .session = STR("s1"),
		.id = STR("0000000000000001"), .user = { .user_id = STR("nobody yet") } },
		"{\"id\":\"0000000000000001\",\"type\":\"connected\",\"payload\":{\"connection_id\":\"0123456789abcdef\",\"user_id\":null,"
		"\"device_id\":\"d1\",\"heartbeat_interval\":30,\"session\":\"s1\"}" TAIL },
	{ "seed 001 auth.success", { .type = EV_AUTHENTICATED, .at = AT, .expires = BEFORE, .user = ALICE(.status = STATUS_ONLINE),
		.reply_to = STR("\"a1\"") },
		"{\"type\":\"auth.success\",\"payload\":{\"user_id\":\"user-123\",\"expires_at\":\"" BEFORE_TEXT "\"}" TAIL_TO("\"a1\"") },
	{ "3 auth.success under trust", { .type = EV_AUTHENTICATED, .at = AT, .expires = { INT64_MIN }, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"auth.success\",\"payload\":{\"user_id\":\"user-123\",\"expires_at\":null}" TAIL },
	{ "seed 001 auth.failed", { .type = EV_AUTH_FAILED, .at = AT, .text = STR("expired"), .reply_to = STR("7") },
		"{\"type\":\"auth.failed\",\"payload\":{\"reason\":\"expired\"}" TAIL_TO("7") },
	{ "seed 001 subscribed", { .type = EV_SUBSCRIBED, .at = AT, .topics = TOPIC_CONVERSATION | TOPIC_PRESENCE, .rooms = { rooms, 1 },
		.reply_to = STR("\"msg_2\"") },
		"{\"type\":\"subscribed\",\"payload\":{\"topics\":[\"conversation\",\"presence\"],\"filters\":{\"conversation_id\":"
		"\"<conv-uuid>\"}}" TAIL_TO("\"msg_2\"") },
	{ "3 subscribed to all", { .type = EV_SUBSCRIBED, .at = AT, .topics = 0xff, .rooms = { rooms, 2 }, .rooms_listed = true,
		.users = { messages, 2 }, .users_given = true },
		"{\"type\":\"subscribed\",\"payload\":{\"topics\":[\"user\",\"conversation\",\"presence\",\"typing\",\"calls\",\"notifications\"],"
		"\"filters\":{\"conversation_ids\":[\"<conv-uuid>\",\"c2\"],\"user_ids\":[\"m1\",\"m2\"]}}" TAIL },
	{ "3 subscribed, a list of one", { .type = EV_SUBSCRIBED, .at = AT, .topics = TOPIC_TYPING, .rooms = { rooms, 1 }, .rooms_listed = true },
		"{\"type\":\"subscribed\",\"payload\":{\"topics\":[\"typing\"],\"filters\":{\"conversation_ids\":[\"<conv-uuid>\"]}}" TAIL },
	{ "seed 001 unsubscribed", { .type = EV_UNSUBSCRIBED, .at = AT, .topics = TOPIC_PRESENCE, .users_given = true },
		"{\"type\":\"unsubscribed\",\"payload\":{\"topics\":[\"presence\"],\"filters\":{\"user_ids\":[]}}" TAIL },
	{ "seed 001 presence.update", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_UPDATED,
		.user = ALICE(.status = STATUS_DND, .custom = STR("hi"), .metadata = STR("{}")) },
		"{\"type\":\"presence.update\",\"payload\":" ALICE_DND TAIL },
	{ "seed 001 presence.online", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_ONLINE,
		.user = ALICE(.status = STATUS_ONLINE, .custom = STR("hi")) },
		"{\"type\":\"presence.online\",\"payload\":{\"user_id\":\"user-123\",\"status\":\"online\",\"last_seen\":\"" BEFORE_TEXT
		"\",\"device_count\":2}" TAIL },
	{ "seed 001 presence.offline", { .type = EV_PRESENCE, .at = AT, .change = CHANGE_OFFLINE,
		.user = { .user_id = STR("bob"), .status = STATUS_OFFLINE, .last_seen = BEFORE } },
		"{\"type\":\"presence.offline\",\"payload\":{\"user_id\":\"bob\",\"status\":\"offline\",\"last_seen\":\"" BEFORE_TEXT
		"\",\"device_count\":0}" TAIL },
	{ "3 presence.query answered", { .type = EV_PRESENCE_LIST, .at = AT, .list = &list_of_both, .reply_to = STR("1") },
		"{\"type\":\"presence.update\",\"payload\":{\"users\":[" ALICE_DND "," NOBODY "]}" TAIL_TO("1") },
	{ "3 presence subscribed, nobody there", { .type = EV_PRESENCE_LIST, .at = AT, .list = &list_of_none },
		"{\"type\":\"presence.update\",\"payload\":{\"users\":[]}" TAIL },
	{ "seed 001 typing.start", { .type = EV_TYPING, .at = AT, .room = STR("c"), .is_typing = true, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"c\",\"user_id\":\"user-123\"}" TAIL },
	{ "seed 001 typing.stop", { .type = EV_TYPING, .at = AT, .room = STR("c"), .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":\"c\",\"user_id\":\"user-123\"}" TAIL },
	{ "seed 001 message.new", { .type = EV_MESSAGE, .at = AT, .body = STR("{\"a\":[]}") },
		"{\"type\":\"message.new\",\"payload\":{\"a\":[]}" TAIL },
	{ "4 broadcast with a type", { .type = EV_MESSAGE, .at = AT, .text = STR("order.shipped"), .body = STR("null") },
		"{\"type\":\"order.shipped\",\"payload\":null" TAIL },
	{ "seed 001 message.delivered", { .type = EV_RECEIPT, .at = AT, .room = STR("c"), .messages = { messages, 1 },
		.user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"message.delivered\",\"payload\":{\"conversation_id\":\"c\",\"message_ids\":[\"m1\"],\"user_id\":\"user-123\","
		"\"at\":\"" AT_TEXT "\"}" TAIL },
	{ "seed 001 message.read", { .type = EV_RECEIPT, .at = AT, .room = STR("c"), .messages = { messages, 2 }, .is_read = true,
		.user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"message.read\",\"payload\":{\"conversation_id\":\"c\",\"message_ids\":[\"m1\",\"m2\"],\"user_id\":\"user-123\","
		"\"at\":\"" AT_TEXT "\"}" TAIL },
	{ "seed 001 call.incoming", { .type = EV_CALL_INCOMING, .at = AT, .call_id = STR("k"), .device_id = STR("d1"),
		.user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"call.incoming\",\"payload\":{\"call_id\":\"k\",\"from_user_id\":\"user-123\",\"from_device_id\":\"d1\"}" TAIL },
	{ "seed 001 call.offer", { .type = EV_CALL_OFFER, .at = AT, .call_id = STR("k"), .body = STR("\"v=0\\r\\n\"") },
		"{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k\",\"sdp\":\"v=0\\r\\n\"}" TAIL },
	{ "seed 001 call.answer", { .type = EV_CALL_ANSWER, .at = AT, .call_id = STR("k"), .body = STR("{\"sdp\":\"v\"}") },
		"{\"type\":\"call.answer\",\"payload\":{\"call_id\":\"k\",\"sdp\":{\"sdp\":\"v\"}}" TAIL },
	{ "seed 001 call.ice", { .type = EV_CALL_ICE, .at = AT, .call_id = STR("k"), .body = STR_NONE },
		"{\"type\":\"call.ice\",\"payload\":{\"call_id\":\"k\",\"candidate\":null}" TAIL },
	{ "seed 001 call.ended", { .type = EV_CALL_ENDED, .at = AT, .call_id = STR("k"), .text = STR("answered_elsewhere") },
		"{\"type\":\"call.ended\",\"payload\":{\"call_id\":\"k\",\"reason\":\"answered_elsewhere\"}" TAIL },
	{ "3 call.ended as an answer", { .type = EV_CALL_ENDED, .at = AT, .call_id = STR("k"), .text = STR("unavailable"),
		.reply_to = STR("\"o\"") },
		"{\"type\":\"call.ended\",\"payload\":{\"call_id\":\"k\",\"reason\":\"unavailable\"}" TAIL_TO("\"o\"") },
	{ "seed 001 error", { .type = EV_ERROR, .at = AT, .code = 429, .text = STR("too many"), .command = CMD_PING, .reply_to = STR("2") },
		"{\"type\":\"error\",\"payload\":{\"code\":429,\"message\":\"too many\"}" TAIL_TO("2") },
	{ "seed 001 error of nothing known", { .type = EV_ERROR, .at = AT, .code = 400, .text = STR("t"), .command = CMD_COUNT },
		"{\"type\":\"error\",\"payload\":{\"code\":400,\"message\":\"t\"}" TAIL },
	{ "seed 001 pong", { .type = EV_PONG, .at = AT, .reply_to = STR("\"msg_1\"") },
		"{\"type\":\"pong\",\"payload\":{}" TAIL_TO("\"msg_1\"") },
	{ "no words: heartbeat_ack", { .type = EV_HEARTBEAT_ACK, .at = AT }, NULL },
	{ "no words: roster", { .type = EV_ROSTER, .at = AT, .list = &list_of_none }, NULL },
};

#define ACK(cmd) .type = EV_ACK, .command = cmd, .at = AT, .reply_to = STR("\"r\"")
static const struct encode_case ack_cases[] = {
	{ "3 ack presence", { ACK(CMD_PRESENCE), .user = ALICE(.status = STATUS_DND, .custom = STR("hi"), .metadata = STR("{}")) },
		"{\"type\":\"presence.update\",\"payload\":" ALICE_DND TAIL_TO("\"r\"") },
	{ "3 ack typing.start", { ACK(CMD_TYPING), .room = STR("c"), .is_typing = true, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"c\",\"user_id\":\"user-123\"}" TAIL_TO("\"r\"") },
	{ "3 ack typing.stop", { ACK(CMD_TYPING), .room = STR("c"), .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":\"c\",\"user_id\":\"user-123\"}" TAIL_TO("\"r\"") },
	{ "3 ack mark.read", { ACK(CMD_RECEIPT), .room = STR("c"), .is_read = true, .messages = { messages, 1 },
		.user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"message.read\",\"payload\":{\"conversation_id\":\"c\",\"message_ids\":[\"m1\"],\"user_id\":\"user-123\",\"at\":\""
		AT_TEXT "\"}" TAIL_TO("\"r\"") },
	{ "3 ack mark.delivered", { ACK(CMD_RECEIPT), .room = STR("c"), .messages = { messages, 1 }, .user = ALICE(.status = STATUS_ONLINE) },
		"{\"type\":\"message.delivered\",\"payload\":{\"conversation_id\":\"c\",\"message_ids\":[\"m1\"],\"user_id\":\"user-123\","
		"\"at\":\"" AT_TEXT "\"}" TAIL_TO("\"r\"") },
	{ "3 ack call.offer", { ACK(CMD_CALL_OFFER), .call_id = STR("k") },
		"{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k\"}" TAIL_TO("\"r\"") },
	{ "3 ack call.answer", { ACK(CMD_CALL_ANSWER), .call_id = STR("k") },
		"{\"type\":\"call.answer\",\"payload\":{\"call_id\":\"k\"}" TAIL_TO("\"r\"") },
	{ "3 ack call.ice", { ACK(CMD_CALL_ICE), .call_id = STR("k") },
		"{\"type\":\"call.ice\",\"payload\":{\"call_id\":\"k\"}" TAIL_TO("\"r\"") },
	{ "3 ack call.hangup", { ACK(CMD_CALL_HANGUP), .call_id = STR("k") },
		"{\"type\":\"call.ended\",\"payload\":{\"call_id\":\"k\",\"reason\":\"hangup\"}" TAIL_TO("\"r\"") },
	{ "3 no ack without an id", { .type = EV_ACK, .command = CMD_PRESENCE, .at = AT, .user = ALICE(.status = STATUS_ONLINE) }, NULL },
	{ "3 no ack without an id", { .type = EV_ACK, .command = CMD_CALL_HANGUP, .at = AT, .call_id = STR("k") }, NULL },
};

/* Lists at, and one beyond, the bound on ids in one message (RELIABILITY D6, limits.h). */
static void test_list_bound(const struct dialect *d)
{
	static char text[16384];
	static struct line got;

	for (unsigned n = BULK_USERS_MAX - 1; n <= BULK_USERS_MAX + 1; n++) {
		size_t at = (size_t)snprintf(text, sizeof(text), "{\"type\":\"presence.query\",\"payload\":{\"user_ids\":[\"u\"");

		for (unsigned i = 1; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, ",\"u%u\"", i);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "]}}");
		decode_line(d, text, at, &got);
		tap_ok((strncmp(got.text, "query users=[u,u1,", 18) == 0) == (n <= BULK_USERS_MAX), "D6: %u ids in presence.query", n);
	}
}

/* A request id at, and one beyond, its bound: 128 bytes, or as many escapes. */
static void test_request_id_bound(const struct dialect *d)
{
	static const char *const units[] = { "0", "\\u0041" };
	static char text[2048];
	static struct line got;

	for (size_t u = 0; u < 2; u++)
		for (int n = ID_BYTES_MAX - 1; n <= ID_BYTES_MAX + 1; n++) {
			int at = snprintf(text, sizeof(text), "{\"type\":\"ping\",\"id\":\"");

			for (int i = 0; i < n; i++)
				at += snprintf(text + at, sizeof(text) - (size_t)at, "%s", units[u]);
			at += snprintf(text + at, sizeof(text) - (size_t)at, "\"}");
			decode_line(d, text, (size_t)at, &got);
			if (n <= ID_BYTES_MAX)
				tap_ok(strncmp(got.text, "ping reply_to=\"", 15) == 0, "a request id of %d times %s", n, units[u]);
			else
				tap_is_str(got.text, "400 id: at most 128 bytes", "a request id one byte too long");
		}
}

int main(void)
{
	const struct dialect *d = dialect_at(DIALECT_DOTTED);

	run_decode(d, ROWS(decode_cases));
	run_encode(d, ROWS(told_cases));
	run_encode(d, ROWS(ack_cases));
	test_list_bound(d);
	test_request_id_bound(d);
	tap_ok(d->is_own_type(STR("mark.read")) && d->is_own_type(STR("call.incoming")) && d->is_own_type(STR("message.new")) &&
		d->is_own_type(STR("auth.failed")), "own types, both directions");
	tap_ok(!d->is_own_type(STR("order.shipped")) && !d->is_own_type(STR("presence_update")), "not own types");
	return tap_done();
}
