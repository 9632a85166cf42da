/*
 * dialect/rooms.c: seed 002, flat objects, rooms that are a channel_id or a dm_id. CONTRACT 3, `rooms`.
 *
 * Exactly the document's messages, and two extensions: status (the document's "future enhancements") and
 * authenticate. Only presence and pong have a timestamp. There is no greeting: a connection's own arrival
 * is its first presence.
 */
#include <assert.h>

#include "base/limits.h"
#include "dialect/member.h"
#include "dialect/protocol.h"

#define WANT_ROOM "channel_id or dm_id: exactly one is required, " \
	"a string of 1 to 128 bytes without control characters"

/* ---- in ---- */

/* The room a message names. One key must be there, the other absent or null. */
static bool read_room(struct field_reader *r, struct str *room, enum room_kind *kind)
{
	json_ref channel = json_get(r->msg, r->obj, STR("channel_id"));
	json_ref dm = json_get(r->msg, r->obj, STR("dm_id"));
	bool has_channel = channel != JSON_ABSENT && json_type(r->msg, channel) != JSON_NULL;
	bool has_dm = dm != JSON_ABSENT && json_type(r->msg, dm) != JSON_NULL;

	if (has_channel == has_dm || !json_str_id(r->msg, has_dm ? dm : channel, room))
		return field_refuse(r, STR(WANT_ROOM));
	*kind = has_dm ? ROOM_DM : ROOM_CHANNEL;
	return true;
}

static bool finish_subscription(struct field_reader *r, struct command *c)
{
	struct decode_scratch *s = r->scratch;

	assert(s->used == 0);
	if (!read_room(r, &s->strs[0], &c->subscription.kind))
		return false;
	c->subscription.rooms = (struct strs){ s->strs, 1 };
	c->subscription.topics = TOPIC_CONVERSATION;
	s->used = 1;
	return true;
}

static bool finish_typing(struct field_reader *r, struct command *c)
{
	c->typing.is_typing = true;
	return read_room(r, &c->typing.room, &c->typing.kind);
}

static const struct field status_fields[] = {
	FIELD("", "status", STATUS, presence),
	FIELD("", "custom_status", CUSTOM, presence),
	FIELD("", "custom_status_expires_at", EXPIRES, presence),
	FIELD("", "metadata", METADATA, presence),
};

static const struct field authenticate_fields[] = {
	FIELD("", "token", TOKEN, token),
};

static const struct incoming in[] = {
	{ STR("subscribe"), CMD_SUBSCRIBE, NO_FIELDS, finish_subscription },
	{ STR("unsubscribe"), CMD_UNSUBSCRIBE, NO_FIELDS, finish_subscription },
	{ STR("typing"), CMD_TYPING, NO_FIELDS, finish_typing },
	{ STR("ping"), CMD_PING, NO_FIELDS, NULL },
	{ STR("status"), CMD_PRESENCE, FIELDS(status_fields), NULL },
	{ STR("authenticate"), CMD_AUTHENTICATE, FIELDS(authenticate_fields), NULL },
};

/* ---- out: each writes what follows `type` ---- */

static void room_members(struct str room, enum room_kind kind, struct jsonw *w)
{
	member_str(w, STR("channel_id"), kind != ROOM_DM ? room : STR_NONE);
	member_str(w, STR("dm_id"), kind == ROOM_DM ? room : STR_NONE);
}

static bool is_one_room(const struct event *e)
{
	return e->rooms.n == 1;
}

static void subscribed(const struct event *e, struct jsonw *w)
{
	assert(is_one_room(e));
	room_members(e->rooms.v[0], e->kind, w);
}

/* The document's answer has the one key that names the room. */
static void unsubscribed(const struct event *e, struct jsonw *w)
{
	assert(is_one_room(e));
	if (e->kind == ROOM_DM)
		member_str(w, STR("dm_id"), e->rooms.v[0]);
	else
		member_str(w, STR("channel_id"), e->rooms.v[0]);
}

static void user_members(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("user_id"), e->user.user_id);
	member_str(w, STR("username"), str_absent(e->user.username) ? e->user.user_id : e->user.username);
}

/* The document's presence tells a status only: nothing else is news here. */
static bool is_status_news(const struct event *e)
{
	return e->status_changed || e->change != CHANGE_UPDATED;
}

static void presence(const struct event *e, struct jsonw *w)
{
	user_members(e, w);
	member_status(w, STR("status"), e->user.status);
	member_wall(w, STR("timestamp"), e->at);
}

/* The document has no word for the end of typing: it lapses. */
static bool is_typing_in_room(const struct event *e)
{
	return e->is_typing && !str_absent(e->room);
}

static void typing(const struct event *e, struct jsonw *w)
{
	room_members(e->room, e->kind, w);
	user_members(e, w);
}

static void message(const struct event *e, struct jsonw *w)
{
	member_raw(w, STR("data"), e->body);
}

static void pong(const struct event *e, struct jsonw *w)
{
	member_wall(w, STR("timestamp"), e->at);
}

static void error(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("error"), e->text);
	jsonw_key(w, STR("code"));
	jsonw_i64(w, e->code);
}

static const struct outgoing out[] = {
	{ EV_SUBSCRIBED, STR("subscribed"), subscribed, is_one_room, 0 },
	{ EV_UNSUBSCRIBED, STR("unsubscribed"), unsubscribed, is_one_room, 0 },
	{ EV_PRESENCE, STR("presence"), presence, is_status_news, 0 },
	{ EV_TYPING, STR("typing"), typing, is_typing_in_room, 0 },
	{ EV_MESSAGE, STR("message"), message, NULL, 0 },
	{ EV_PONG, STR("pong"), pong, NULL, 0 },
	{ EV_ERROR, STR("error"), error, NULL, 0 },
	{ EV_AUTHENTICATED, STR("auth.success"), member_auth_success, NULL, 0 },
	{ EV_AUTH_FAILED, STR("auth.failed"), member_auth_failed, NULL, 0 },
	{ EV_AUTH_EXPIRING, STR("auth.expiring"), member_auth_expiring, NULL, 0 },
};

static const struct protocol protocol = {
	INCOMING(in), OUTGOING(out), .unknown_type = STR("Invalid message type"),
};

static bool decode(struct json *msg, struct decode_scratch *scratch, struct command *command,
                   struct decode_error *err)
{
	return protocol_decode(&protocol, msg, scratch, command, err);
}

static bool encode(const struct event *e, struct jsonw *w)
{
	return protocol_write_flat(&protocol, e, w);
}

static bool is_own_type(struct str type)
{
	return protocol_owns(&protocol, type);
}

const struct dialect rooms_dialect = {
	.name = STR("rooms"),
	.id = DIALECT_ROOMS,
	.topics = TOPIC_PRESENCE,
	.hears_own_arrival = true,
	.message_bytes_max = MESSAGE_BYTES_MAX_DEFAULT,
	.decode = decode,
	.encode = encode,
	.is_own_type = is_own_type,
};
