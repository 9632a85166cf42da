/*
 * Invariant: a handler changes the engine only after the whole request was found good;
 * views are asked for anew after a change.
 */
#include "server/api.h"

#include "base/hex.h"
#include "base/utf8.h"
#include "dialect/topic.h"
#include "server/respond.h"
#include "server/state.h"

enum { USERS_AT_ONCE_MAX = 200 }; /* GET /presence: more are streamed, RELIABILITY H26 */

/* --- reads --- */

static void write_all_online(const struct server *s, struct jsonw *w)
{
	struct str after = STR_NONE;
	struct presence_view v;
	uint32_t users = 0;

	jsonw_obj(w);
	jsonw_key(w, STR("users"));
	jsonw_arr(w);
	while (engine_online_after(s->engine, after, &v, s->now)) {
		rest_write_seed_user(w, &v);
		after = v.user_id;
		users++;
	}
	jsonw_end_arr(w);
	jsonw_key(w, STR("count"));
	jsonw_u64(w, users);
	jsonw_end_obj(w);
}

void api_all_presence(struct server *s, struct conn *c, struct rest_call *call)
{
	struct engine_stats stats;
	struct response r;

	(void)call;
	engine_stats(s->engine, &stats);
	if (stats.users_online > USERS_AT_ONCE_MAX) {
		respond_stream_presence(s, c);
		return;
	}
	respond_open(s, c, &r);
	write_all_online(s, r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

/* One user in one of the two forms. */
static void answer_user(struct server *s, struct conn *c, struct str id,
                        void (*write)(struct jsonw *, const struct presence_view *))
{
	struct presence_view v;
	struct response r;

	engine_view(s->engine, id, &v, s->now);
	respond_open(s, c, &r);
	write(r.json, &v);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

void api_seed_presence(struct server *s, struct conn *c, struct rest_call *call)
{
	answer_user(s, c, call->id, rest_write_seed_user);
}

void api_presence(struct server *s, struct conn *c, struct rest_call *call)
{
	answer_user(s, c, call->id, rest_write_user);
}

void api_devices(struct server *s, struct conn *c, struct rest_call *call)
{
	struct device_view d;
	struct response r;
	uint32_t cursor = 0;

	respond_open(s, c, &r);
	jsonw_obj(r.json);
	jsonw_key(r.json, STR("devices"));
	jsonw_arr(r.json);
	while (engine_devices_next(s->engine, call->id, &cursor, &d, s->now)) {
		uint64_t key = d.conn != CONN_NONE ? conn_at(s, d.conn)->key : d.key;
		char id[HEX_U64_BYTES];

		hex_put_u64(id, key);
		rest_write_device(r.json, &d, key != 0 ? str_of(id, HEX_U64_BYTES) : STR_NONE);
	}
	jsonw_end_arr(r.json);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

void api_bulk(struct server *s, struct conn *c, struct rest_call *call)
{
	struct str want = STR("user_ids: " FIELD_WANT_IDS_APPEND);
	struct presence_view v;
	struct response r;
	struct strs ids;
	bool given;

	ids = body_ids_optional(&call->body, STR("user_ids"), want, &given);
	if (!given)
		body_refuse(&call->body, want);
	if (!rest_body_ok(s, c, &call->body))
		return;
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	jsonw_key(r.json, STR("presences"));
	jsonw_arr(r.json);
	for (uint32_t i = 0; i < ids.n; i++) {
		engine_view(s->engine, ids.v[i], &v, s->now);
		rest_write_user(r.json, &v);
	}
	jsonw_end_arr(r.json);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

/* --- writes --- */

/* False: the engine has no room, and 503 was the answer.
 * An unknown user is no error to a write: nobody hears of it. */
static bool accepted(struct server *s, struct conn *c, enum engine_status status)
{
	if (status != ENGINE_FULL)
		return true;
	rest_refuse(s, c, 503, STR("no room for another user"), REFUSED_ENGINE);
	return false;
}

void api_set_presence(struct server *s, struct conn *c, struct rest_call *call)
{
	static const struct field rows[] = {
		FIELD("", "online_status", STATUS, presence),
		FIELD("", "custom_status", CUSTOM, presence),
		FIELD("", "custom_status_expires_at", EXPIRES, presence),
		FIELD("", "metadata", METADATA, presence),
	};
	struct command cmd = { .type = CMD_PRESENCE };

	body_fields(&call->body, rows, sizeof(rows) / sizeof(rows[0]), &cmd);
	if (!rest_body_ok(s, c, &call->body))
		return;
	if (accepted(s, c, engine_put_presence(s->engine, call->id, &cmd.presence, s->now)))
		answer_user(s, c, call->id, rest_write_user);
}

/* The body's device_id or client_id, or X-Device-ID, or one name for all of REST. */
static struct str device_of(struct rest_call *call)
{
	struct body *b = &call->body;
	struct str device = body_id_optional(b, STR("device_id"), STR("device_id: " FIELD_WANT_ID_OPTIONAL));

	if (str_absent(device))
		device = body_id_optional(b, STR("client_id"), STR("client_id: " FIELD_WANT_ID_OPTIONAL));
	if (str_absent(device)) {
		device = http_header(call->request, STR("x-device-id"));
		if (device.n == 0)
			device = STR("rest");
		else if (!utf8_is_id(device))
			body_refuse(b, STR("X-Device-ID: " FIELD_WANT_ID_OPTIONAL));
	}
	return device;
}

void api_heartbeat(struct server *s, struct conn *c, struct rest_call *call)
{
	struct str device = device_of(call);

	if (!rest_body_ok(s, c, &call->body))
		return;
	if (accepted(s, c, engine_heartbeat(s->engine, call->id, device, s->now)))
		respond_empty(s, c, 204);
}

/* Does its token open the room? False: it does not, and 403 was the answer. */
static bool room_open(struct server *s, struct conn *c, const struct rest_call *call, struct str room)
{
	if (str_absent(call->grant) || str_absent(room) || grant_covers(call->grant, room))
		return true;
	rest_refuse(s, c, 403, STR("your token does not open this room"), REFUSED_FORBIDDEN);
	return false;
}

void api_typing(struct server *s, struct conn *c, struct rest_call *call)
{
	struct body *b = &call->body;
	struct str room = body_id(b, STR("conversation_id"), STR("conversation_id: " FIELD_WANT_ID));
	struct str user = body_id(b, STR("user_id"), STR("user_id: " FIELD_WANT_ID));
	bool is_typing = body_bool(b, STR("is_typing"), STR("is_typing: " FIELD_WANT_BOOL));

	if (!rest_body_ok(s, c, b) || !room_open(s, c, call, room))
		return;
	if (accepted(s, c, engine_typing(s->engine, room, user, is_typing, s->now)))
		respond_empty(s, c, 202);
}

/* --- broadcast --- */

static uint8_t topic_of(struct body *b)
{
	struct str word = body_id_optional(b, STR("topic"), STR("topic: one of " TOPIC_WORDS));
	enum topic topic;

	if (str_absent(word))
		return 0;
	if (topic_of_word(word, &topic))
		return (uint8_t)topic;
	body_refuse(b, STR("topic: one of " TOPIC_WORDS));
	return 0;
}

static struct str type_of(struct body *b)
{
	struct str type = body_id_optional(b, STR("type"), STR("type: "
		"a string of 1 to 128 bytes without control characters"));

	if (!str_absent(type) && dialect_owns_type(type))
		body_refuse(b, STR("type: this one is the protocol's own"));
	return type;
}

static void read_broadcast(struct body *b, struct broadcast *out)
{
	bool unused;

	*out = (struct broadcast){
		.all = body_bool_optional(b, STR("all"), STR("all: true or false")),
		.room = body_id_optional(b, STR("room"), STR("room: " FIELD_WANT_ID_OPTIONAL)),
		.topic = topic_of(b),
		.type = type_of(b),
		.data = body_raw(b, STR("data"), STR("data: " FIELD_WANT_JSON)),
	};
	out->users = body_ids_optional(b, STR("users"), STR("users: " FIELD_WANT_IDS_APPEND),
	                               &out->users_given);
	out->exclude = body_ids_optional(b, STR("exclude"), STR("exclude: " FIELD_WANT_IDS_APPEND), &unused);
	if ((int)out->all + (int)out->users_given + (int)!str_absent(out->room) + (int)(out->topic != 0) != 1)
		body_refuse(b, STR("to whom? exactly one of users, room, topic, or all: true is required"));
}

/*
 * What a broadcast's token has to open. Of topics that rooms' subscribers hear, every room: as the empty
 * name, which only `*` covers.
 */
static struct str room_of(const struct broadcast *b)
{
	return b->topic & TOPIC_OF_ROOM ? STR("") : b->room;
}

void api_broadcast(struct server *s, struct conn *c, struct rest_call *call)
{
	struct broadcast out;
	struct response r;
	uint32_t delivered;

	read_broadcast(&call->body, &out);
	if (!rest_body_ok(s, c, &call->body) || !room_open(s, c, call, room_of(&out)))
		return;
	delivered = engine_broadcast(s->engine, &out, s->now);
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	jsonw_key(r.json, STR("delivered"));
	jsonw_u64(r.json, delivered);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 202, RESPOND_JSON);
}
