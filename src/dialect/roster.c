/*
 * dialect/roster.c: seed 003, one message: the ids of all users online. CONTRACT 3, `roster`.
 *
 * It listens; the only things it may say are ping and authenticate (an extension).
 */
#include <assert.h>

#include "base/limits.h"
#include "dialect/member.h"
#include "dialect/protocol.h"

static const struct field authenticate_fields[] = {
	FIELD("", "token", TOKEN, token),
};

static const struct incoming in[] = {
	{ STR("ping"), CMD_PING, NO_FIELDS, NULL },
	{ STR("authenticate"), CMD_AUTHENTICATE, FIELDS(authenticate_fields), NULL },
};

/* Reads the list to its end even when the writer has failed: only then does it rewind (event.h). */
static void users(const struct event *e, struct jsonw *w)
{
	struct presence_view view;

	assert(e->list != NULL);
	jsonw_key(w, STR("users"));
	jsonw_arr(w);
	while (e->list->next(e->list, &view))
		jsonw_str(w, view.user_id);
	jsonw_end_arr(w);
}

static const struct outgoing out[] = {
	{ EV_ROSTER, STR("presence.user.online"), users, NULL, 0 },
	{ EV_PONG, STR("pong"), NULL, NULL, 0 },
	{ EV_ERROR, STR("error"), member_error, NULL, 0 },
	{ EV_AUTHENTICATED, STR("auth.success"), member_auth_success, NULL, 0 },
	{ EV_AUTH_FAILED, STR("auth.failed"), member_auth_failed, NULL, 0 },
	{ EV_AUTH_EXPIRING, STR("auth.expiring"), member_auth_expiring, NULL, 0 },
};

static const struct protocol protocol = {
	INCOMING(in), OUTGOING(out),
	.unknown_type = STR("type: unknown message type; this protocol knows ping"),
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

const struct dialect roster_dialect = {
	.name = STR("roster"),
	.id = DIALECT_ROSTER,
	.topics = TOPIC_ROSTER,
	.message_bytes_max = MESSAGE_BYTES_MAX_DEFAULT,
	.decode = decode,
	.encode = encode,
	.is_own_type = is_own_type,
};
