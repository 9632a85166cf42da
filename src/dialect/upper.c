/*
 * dialect/upper.c: seed 004, {"type", "payload"?, "timestamp"}, WORDS_IN_CAPITALS, userId beside the type.
 * CONTRACT 3, `upper`.
 *
 * PRESENCE_UPDATE is answered by its own broadcast; only where none follows, because nothing changed, by
 * the EV_ACK. The document knows online, away and busy: dnd reads busy. authenticate is an extension, in
 * the words it has elsewhere.
 */
#include <assert.h>

#include "base/limits.h"
#include "dialect/member.h"
#include "dialect/protocol.h"

static const struct field presence_fields[] = {
	FIELD("payload.", "status", STATUS, presence),
	FIELD("payload.", "metadata", METADATA, presence),
};

static const struct field authenticate_fields[] = {
	FIELD("payload.", "token", TOKEN, token),
};

static const struct incoming in[] = {
	{ STR("DISCONNECT"), CMD_LEAVE, NO_FIELDS, NULL },
	{ STR("PRESENCE_UPDATE"), CMD_PRESENCE, FIELDS(presence_fields), NULL },
	{ STR("HEARTBEAT"), CMD_HEARTBEAT, NO_FIELDS, NULL },
	{ STR("authenticate"), CMD_AUTHENTICATE, FIELDS(authenticate_fields), NULL },
};

/* ---- out: each writes what stands between `type` and `timestamp` ---- */

static void connect(const struct event *e, struct jsonw *w)
{
	member_str(w, STR("userId"), member_connected_user(e));
}

static void presence_update(const struct event *e, struct jsonw *w)
{
	const struct presence_view *u = &e->user;

	member_str(w, STR("userId"), u->user_id);
	jsonw_key(w, STR("payload"));
	jsonw_obj(w);
	member_status(w, STR("status"), u->status == STATUS_DND ? STATUS_BUSY : u->status);
	if (!str_absent(u->metadata))
		member_raw(w, STR("metadata"), u->metadata);
	jsonw_end_obj(w);
}

static bool is_unchanged(const struct event *e)
{
	return e->unchanged;
}

static void message(const struct event *e, struct jsonw *w)
{
	member_raw(w, STR("payload"), e->body);
}

static void payload(const struct event *e, struct jsonw *w,
                    void (*members)(const struct event *, struct jsonw *))
{
	jsonw_key(w, STR("payload"));
	jsonw_obj(w);
	members(e, w);
	jsonw_end_obj(w);
}

static void error(const struct event *e, struct jsonw *w)
{
	payload(e, w, member_error);
}

static void auth_success(const struct event *e, struct jsonw *w)
{
	payload(e, w, member_auth_success);
}

static void auth_failed(const struct event *e, struct jsonw *w)
{
	payload(e, w, member_auth_failed);
}

static void auth_expiring(const struct event *e, struct jsonw *w)
{
	payload(e, w, member_auth_expiring);
}

static const struct outgoing out[] = {
	{ EV_CONNECTED, STR("CONNECT"), connect, NULL, 0 },
	{ EV_PRESENCE, STR("PRESENCE_UPDATE"), presence_update, NULL, 0 },
	{ EV_ACK, STR("PRESENCE_UPDATE"), presence_update, is_unchanged, CMD_PRESENCE },
	{ EV_HEARTBEAT_ACK, STR("HEARTBEAT_ACK"), NULL, NULL, 0 },
	{ EV_MESSAGE, STR("MESSAGE"), message, NULL, 0 },
	{ EV_ERROR, STR("ERROR"), error, NULL, 0 },
	{ EV_AUTHENTICATED, STR("auth.success"), auth_success, NULL, 0 },
	{ EV_AUTH_FAILED, STR("auth.failed"), auth_failed, NULL, 0 },
	{ EV_AUTH_EXPIRING, STR("auth.expiring"), auth_expiring, NULL, 0 },
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
	if (row->write != NULL)
		row->write(e, w);
	member_wall(w, STR("timestamp"), e->at);
	jsonw_end_obj(w);
	return true;
}

static bool is_own_type(struct str type)
{
	return protocol_owns(&protocol, type);
}

const struct dialect upper_dialect = {
	.name = STR("upper"),
	.id = DIALECT_UPPER,
	.topics = TOPIC_PRESENCE,
	.message_bytes_max = MESSAGE_BYTES_MAX_DEFAULT,
	.decode = decode,
	.encode = encode,
	.is_own_type = is_own_type,
};
