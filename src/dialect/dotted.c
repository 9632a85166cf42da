/*
 * dialect/dotted.c: seed 001, {"id", "type", "payload", "timestamp"}, words.with.dots, topics with filters,
 * receipts, calls. CONTRACT 3, `dotted`.
 *
 * A request with an id is always answered: what has no answer of its own gets its EV_ACK in the words of
 * the event it caused. Without an id nobody could tell the answer from the event, so there is none.
 */
#include <assert.h>

#include "base/limits.h"
#include "dialect/member.h"
#include "dialect/protocol.h"
#include "dialect/topic.h"

/* ---- in ---- */

static bool finish_subscription(struct field_reader *r, struct command *c)
{
	struct json *j = r->msg;
	json_ref list = json_get(j, json_get(j, r->obj, STR("filters")), STR("conversation_ids"));

	c->subscription.users_given = c->subscription.users.v != NULL;
	c->subscription.rooms_listed = json_type(j, list) == JSON_ARRAY;
	if ((c->subscription.topics & TOPIC_OF_ROOM) != 0 && c->subscription.rooms.n == 0)
		return field_refuse(r, STR("payload.filters.conversation_id: "
			"the topics conversation and typing need one, or conversation_ids"));
	return true;
}

static bool finish_typing_start(struct field_reader *r, struct command *c)
{
	(void)r;
	c->typing.is_typing = true;
	return true;
}

static bool finish_delivered(struct field_reader *r, struct command *c)
{
	if (c->receipt.messages.n == 0)
		return field_refuse(r, STR("payload.message_id: "
			"an id is required, or a list in message_ids"));
	return true;
}

static bool finish_read(struct field_reader *r, struct command *c)
{
	c->receipt.is_read = true;
	return finish_delivered(r, c);
}

static const struct field authenticate_fields[] = {
	FIELD("payload.", "token", TOKEN, token),
};

static const struct field subscription_fields[] = {
	FIELD("payload.", "topics", TOPICS, subscription.topics),
	FIELD_INNER("payload.", "filters"),
	FIELD_IN("payload.", "filters", "conversation_id", ID_APPEND, subscription.rooms),
	FIELD_IN("payload.", "filters", "conversation_ids", IDS_APPEND, subscription.rooms),
	FIELD_IN("payload.", "filters", "user_ids", IDS_APPEND, subscription.users),
};

static const struct field presence_fields[] = {
	FIELD("payload.", "status", STATUS, presence),
	FIELD("payload.", "custom_status", CUSTOM, presence),
	FIELD("payload.", "custom_status_expires_at", EXPIRES, presence),
	FIELD("payload.", "metadata", METADATA, presence),
};

static const struct field query_fields[] = {
	FIELD("payload.", "user_ids", IDS, query),
};

static const struct field typing_fields[] = {
	FIELD("payload.", "conversation_id", ID, typing.room),
};

static const struct field receipt_fields[] = {
	FIELD("payload.", "conversation_id", ID, receipt.room),
	FIELD("payload.", "message_id", ID_APPEND, receipt.messages),
	FIELD("payload.", "message_ids", IDS_APPEND, receipt.messages),
	FIELD("payload.", "sender_id", ID_OPTIONAL, receipt.sender),
};

static const struct field offer_fields[] = {
	FIELD("payload.", "call_id", ID, call.id),
	FIELD("payload.", "target_user_id", ID, call.target),
	FIELD("payload.", "sdp", SDP, call.body),
};

static const struct field answer_fields[] = {
	FIELD("payload.", "call_id", ID, call.id),
	FIELD("payload.", "sdp", SDP, call.body),
};

static const struct field ice_fields[] = {
	FIELD("payload.", "call_id", ID, call.id),
	FIELD("payload.", "candidate", JSON, call.body),
};

static const struct field hangup_fields[] = {
	FIELD("payload.", "call_id", ID, call.id),
};

/* The order of the document's table. */
static const struct incoming in[] = {
	{ STR("ping"), CMD_PING, NO_FIELDS, NULL },
	{ STR("authenticate"), CMD_AUTHENTICATE, FIELDS(authenticate_fields), NULL },
	{ STR("subscribe"), CMD_SUBSCRIBE, FIELDS(subscription_fields), finish_subscription },
	{ STR("unsubscribe"), CMD_UNSUBSCRIBE, FIELDS(subscription_fields), finish_subscription },
	{ STR("presence.update"), CMD_PRESENCE, FIELDS(presence_fields), NULL },
	{ STR("presence.query"), CMD_QUERY, FIELDS(query_fields), NULL },
	{ STR("typing.start"), CMD_TYPING, FIELDS(typing_fields), finish_typing_start },
	{ STR("typing.stop"), CMD_TYPING, FIELDS(typing_fields), NULL },
	{ STR("mark.read"), CMD_RECEIPT, FIELDS(receipt_fields), finish_read },
	{ STR("mark.delivered"), CMD_RECEIPT, FIELDS(receipt_fields), finish_delivered },
	{ STR("call.offer"), CMD_CALL_OFFER, FIELDS(offer_fields), NULL },
	{ STR("call.answer"), CMD_CALL_ANSWER, FIELDS(answer_fields), NULL },
	{ STR("call.ice"), CMD_CALL_ICE, FIELDS(ice_fields), NULL },
	{ STR("call.hangup"), CMD_CALL_HANGUP, FIELDS(hangup_fields), NULL },
};

/* ---- out: each writes the members of the payload ---- */

static void connected(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("connection_id"), e->connection_id);
	member_str(w, STR("user_id"), member_connected_user(e));
	member_str(w, STR("device_id"), e->device_id);
	member_u64(w, STR("heartbeat_interval"), e->heartbeat_interval_s);
	member_str(w, STR("session"), e->session);
}

static void user_members(const struct presence_view *u, struct jsonw *w)
{
	member_str(w, STR("user_id"), u->user_id);
	member_status(w, STR("status"), u->status);
	member_str(w, STR("custom_status"), u->custom);
	member_raw(w, STR("metadata"), u->metadata);
	member_wall(w, STR("last_seen"), u->last_seen);
	member_u64(w, STR("device_count"), u->device_count);
}

static void user(const struct event *e, struct jsonw *w)
{
	user_members(&e->user, w);
}

/* Reads the list to its end even when the writer has failed: only then does it rewind (event.h). */
static void users(const struct event *e, struct jsonw *w)
{
	struct presence_view view;

	assert(e->list != NULL);
	jsonw_key(w, STR("users"));
	jsonw_arr(w);
	while (e->list->next(e->list, &view)) {
		jsonw_obj(w);
		user_members(&view, w);
		jsonw_end_obj(w);
	}
	jsonw_end_arr(w);
}

static bool is_arrival(const struct event *e)
{
	return e->change == CHANGE_ONLINE;
}

static bool is_departure(const struct event *e)
{
	return e->change == CHANGE_OFFLINE;
}

static void arrival(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("user_id"), e->user.user_id);
	member_status(w, STR("status"), e->user.status);
	member_wall(w, STR("last_seen"), e->user.last_seen);
	member_u64(w, STR("device_count"), e->user.device_count);
}

/* The filters in the form they were asked in; rooms asked for alone and in a list are told as one list. */
static void subscription(const struct event *e, struct jsonw *w)
{
	jsonw_key(w, STR("topics"));
	topic_write(w, e->topics);
	jsonw_key(w, STR("filters"));
	jsonw_obj(w);
	if (e->rooms.n == 1 && !e->rooms_listed)
		member_str(w, STR("conversation_id"), e->rooms.v[0]);
	else if (e->rooms.n > 0 || e->rooms_listed)
		member_strs(w, STR("conversation_ids"), e->rooms);
	if (e->users_given)
		member_strs(w, STR("user_ids"), e->users);
	jsonw_end_obj(w);
}

static bool is_typing(const struct event *e)
{
	return e->is_typing;
}

static void typing(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("conversation_id"), e->room);
	member_str(w, STR("user_id"), e->user.user_id);
}

static bool is_read(const struct event *e)
{
	return e->is_read;
}

static void receipt(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("conversation_id"), e->room);
	member_strs(w, STR("message_ids"), e->messages);
	member_str(w, STR("user_id"), e->user.user_id);
	member_wall(w, STR("at"), e->at);
}

static void call(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("call_id"), e->call_id);
}

static void call_incoming(const struct event *e, struct jsonw *w)
{
	call(e, w);
	member_str(w, STR("from_user_id"), e->user.user_id);
	member_str(w, STR("from_device_id"), e->device_id);
}

static void call_sdp(const struct event *e, struct jsonw *w)
{
	call(e, w);
	member_raw(w, STR("sdp"), e->body);
}

static void call_ice(const struct event *e, struct jsonw *w)
{
	call(e, w);
	member_raw(w, STR("candidate"), e->body);
}

static void call_ended(const struct event *e, struct jsonw *w)
{
	call(e, w);
	member_str(w, STR("reason"), e->text);
}

/* The answer to who hung up: the reason is theirs. */
static void call_hung_up(const struct event *e, struct jsonw *w)
{
	call(e, w);
	member_str(w, STR("reason"), str_absent(e->text) ? STR("hangup") : e->text);
}

/* The order of the document's table, then the answers. */
static const struct outgoing out[] = {
	{ EV_CONNECTED, STR("connected"), connected, NULL, 0 },
	{ EV_AUTHENTICATED, STR("auth.success"), member_auth_success, NULL, 0 },
	{ EV_AUTH_FAILED, STR("auth.failed"), member_auth_failed, NULL, 0 },
	{ EV_AUTH_EXPIRING, STR("auth.expiring"), member_auth_expiring, NULL, 0 },
	{ EV_SUBSCRIBED, STR("subscribed"), subscription, NULL, 0 },
	{ EV_UNSUBSCRIBED, STR("unsubscribed"), subscription, NULL, 0 },
	{ EV_PONG, STR("pong"), NULL, NULL, 0 },
	{ EV_PRESENCE, STR("presence.online"), arrival, is_arrival, 0 },
	{ EV_PRESENCE, STR("presence.offline"), arrival, is_departure, 0 },
	{ EV_PRESENCE, STR("presence.update"), user, NULL, 0 },
	{ EV_PRESENCE_TEXTS, STR("presence.update"), user, NULL, 0 },
	{ EV_PRESENCE_LIST, STR("presence.update"), users, NULL, 0 },
	{ EV_TYPING, STR("typing.start"), typing, is_typing, 0 },
	{ EV_TYPING, STR("typing.stop"), typing, NULL, 0 },
	{ EV_MESSAGE, STR("message.new"), NULL, NULL, 0 },
	{ EV_RECEIPT, STR("message.read"), receipt, is_read, 0 },
	{ EV_RECEIPT, STR("message.delivered"), receipt, NULL, 0 },
	{ EV_CALL_INCOMING, STR("call.incoming"), call_incoming, NULL, 0 },
	{ EV_CALL_OFFER, STR("call.offer"), call_sdp, NULL, 0 },
	{ EV_CALL_ANSWER, STR("call.answer"), call_sdp, NULL, 0 },
	{ EV_CALL_ICE, STR("call.ice"), call_ice, NULL, 0 },
	{ EV_CALL_ENDED, STR("call.ended"), call_ended, NULL, 0 },
	{ EV_ERROR, STR("error"), member_error, NULL, 0 },
	{ EV_ACK, STR("presence.update"), user, NULL, CMD_PRESENCE },
	{ EV_ACK, STR("typing.start"), typing, is_typing, CMD_TYPING },
	{ EV_ACK, STR("typing.stop"), typing, NULL, CMD_TYPING },
	{ EV_ACK, STR("message.read"), receipt, is_read, CMD_RECEIPT },
	{ EV_ACK, STR("message.delivered"), receipt, NULL, CMD_RECEIPT },
	{ EV_ACK, STR("call.offer"), call, NULL, CMD_CALL_OFFER },
	{ EV_ACK, STR("call.answer"), call, NULL, CMD_CALL_ANSWER },
	{ EV_ACK, STR("call.ice"), call, NULL, CMD_CALL_ICE },
	{ EV_ACK, STR("call.ended"), call_hung_up, NULL, CMD_CALL_HANGUP },
};

static const struct protocol protocol = {
	INCOMING(in), OUTGOING(out), .enveloped = true, .has_request_ids = true,
	.unknown_type = STR("type: unknown message type"),
};

static bool decode(struct json *msg, struct decode_scratch *scratch, struct command *command,
                   struct decode_error *err)
{
	return protocol_decode(&protocol, msg, scratch, command, err);
}

static bool encode(const struct event *e, struct jsonw *w)
{
	const struct outgoing *row = protocol_pick(&protocol, e);

	if (row == NULL || (e->type == EV_ACK && str_absent(e->reply_to)))
		return false;
	jsonw_obj(w);
	if (!str_absent(e->id))
		member_str(w, STR("id"), e->id);
	member_str(w, STR("type"), protocol_type(row, e));
	protocol_write_payload(row, e, w);
	member_wall(w, STR("timestamp"), e->at);
	if (!str_absent(e->reply_to))
		member_raw(w, STR("reply_to"), e->reply_to);
	jsonw_end_obj(w);
	return true;
}

static bool is_own_type(struct str type)
{
	return protocol_owns(&protocol, type);
}

const struct dialect dotted_dialect = {
	.name = STR("dotted"),
	.id = DIALECT_DOTTED,
	.topics = 0,
	.message_bytes_max = MESSAGE_BYTES_MAX_DOTTED,
	.decode = decode,
	.encode = encode,
	.is_own_type = is_own_type,
};
