/*
 * dialect/snake.c: seed 000, {"type", "payload", "timestamp"}, words_with_underscores. CONTRACT 3, `snake`.
 *
 * Extensions: subscribe and unsubscribe (the document lets typing go to a conversation but has no way to
 * join one), authenticate, custom_status_expires_at.
 */
#include <assert.h>

#include "base/limits.h"
#include "dialect/member.h"
#include "dialect/protocol.h"

static bool finish_typing(struct field_reader *r, struct command *c)
{
	(void)r;
	c->typing.recipients_given = c->typing.recipients.v != NULL;
	return true;
}

static bool finish_subscription(struct field_reader *r, struct command *c)
{
	assert(c->subscription.rooms.n <= 1);
	if (c->subscription.rooms.n == 0)
		return field_refuse(r, STR("payload.conversation_id: " FIELD_WANT_ID));
	c->subscription.topics = TOPIC_CONVERSATION;
	return true;
}

static const struct field presence_fields[] = {
	FIELD("payload.", "online_status", STATUS, presence),
	FIELD("payload.", "custom_status", CUSTOM, presence),
	FIELD("payload.", "custom_status_expires_at", EXPIRES, presence),
	FIELD("payload.", "metadata", METADATA, presence),
};

static const struct field typing_fields[] = {
	FIELD("payload.", "conversation_id", ID, typing.room),
	FIELD("payload.", "is_typing", BOOL, typing.is_typing),
	FIELD("payload.", "recipient_ids", IDS_APPEND, typing.recipients),
};

static const struct field subscription_fields[] = {
	FIELD("payload.", "conversation_id", ID_APPEND, subscription.rooms),
};

static const struct field authenticate_fields[] = {
	FIELD("payload.", "token", TOKEN, token),
};

static const struct incoming in[] = {
	{ STR("presence_update"), CMD_PRESENCE, FIELDS(presence_fields), NULL },
	{ STR("heartbeat"), CMD_HEARTBEAT, NO_FIELDS, NULL },
	{ STR("typing"), CMD_TYPING, FIELDS(typing_fields), finish_typing },
	{ STR("ping"), CMD_PING, NO_FIELDS, NULL },
	{ STR("subscribe"), CMD_SUBSCRIBE, FIELDS(subscription_fields), finish_subscription },
	{ STR("unsubscribe"), CMD_UNSUBSCRIBE, FIELDS(subscription_fields), finish_subscription },
	{ STR("authenticate"), CMD_AUTHENTICATE, FIELDS(authenticate_fields), NULL },
};

static void connection_ack(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("connection_id"), e->connection_id);
	member_str(w, STR("user_id"), member_connected_user(e));
	member_str(w, STR("device_id"), e->device_id);
	member_u64(w, STR("heartbeat_interval"), e->heartbeat_interval_s);
}

static void presence_update_ack(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("user_id"), e->user.user_id);
	member_status(w, STR("online_status"), e->user.status);
	member_str(w, STR("custom_status"), e->user.custom);
}

static void presence_update(const struct event *e, struct jsonw *w)
{
	presence_update_ack(e, w);
	member_raw(w, STR("metadata"), e->user.metadata);
	member_wall(w, STR("last_seen"), e->user.last_seen);
	member_u64(w, STR("device_count"), e->user.device_count);
}

static void typing_indicator(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("conversation_id"), e->room);
	member_str(w, STR("user_id"), e->user.user_id);
	member_bool(w, STR("is_typing"), e->is_typing);
}

static bool is_one_room(const struct event *e)
{
	return e->rooms.n == 1;
}

static void subscription(const struct event *e, struct jsonw *w)
{
	assert(is_one_room(e));
	member_str(w, STR("conversation_id"), e->rooms.v[0]);
}

static const struct outgoing out[] = {
	{ EV_CONNECTED, STR("connection_ack"), connection_ack, NULL, 0 },
	{ EV_ACK, STR("presence_update_ack"), presence_update_ack, NULL, CMD_PRESENCE },
	{ EV_HEARTBEAT_ACK, STR("heartbeat_ack"), NULL, NULL, 0 },
	{ EV_PRESENCE, STR("presence_update"), presence_update, NULL, 0 },
	{ EV_TYPING, STR("typing_indicator"), typing_indicator, NULL, 0 },
	{ EV_PONG, STR("pong"), NULL, NULL, 0 },
	{ EV_SUBSCRIBED, STR("subscribed"), subscription, is_one_room, 0 },
	{ EV_UNSUBSCRIBED, STR("unsubscribed"), subscription, is_one_room, 0 },
	{ EV_MESSAGE, STR("message"), NULL, NULL, 0 },
	{ EV_AUTHENTICATED, STR("auth.success"), member_auth_success, NULL, 0 },
	{ EV_AUTH_FAILED, STR("auth.failed"), member_auth_failed, NULL, 0 },
	{ EV_AUTH_EXPIRING, STR("auth.expiring"), member_auth_expiring, NULL, 0 },
	{ EV_ERROR, STR("error"), member_error, NULL, 0 },
};

static const struct protocol protocol = {
	INCOMING(in), OUTGOING(out), .enveloped = true, .unknown_type = STR("type: unknown message type"),
};

static bool decode(struct json *msg, struct decode_scratch *scratch, struct command *command,
                   struct decode_error *err)
{
	return protocol_decode(&protocol, msg, scratch, command, err);
}

static bool encode(const struct event *e, struct jsonw *w)
{
	const struct outgoing *row = protocol_pick(&protocol, e);

	if (row == NULL)
		return false;
	jsonw_obj(w);
	member_str(w, STR("type"), protocol_type(row, e));
	protocol_write_payload(row, e, w);
	member_wall(w, STR("timestamp"), e->at);
	jsonw_end_obj(w);
	return true;
}

static bool is_own_type(struct str type)
{
	return protocol_owns(&protocol, type);
}

const struct dialect snake_dialect = {
	.name = STR("snake"),
	.id = DIALECT_SNAKE,
	.topics = TOPIC_PRESENCE,
	.message_bytes_max = MESSAGE_BYTES_MAX_DEFAULT,
	.decode = decode,
	.encode = encode,
	.is_own_type = is_own_type,
};
