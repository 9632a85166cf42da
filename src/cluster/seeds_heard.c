/*
 * cluster/seeds_heard.c: what other programs publish, and what of it is believed.
 *
 * Whoever can reach Redis can write here: everything is checked as a client's message is, before anything is
 * done; what is not as the documents have it is counted and ignored, whole.
 * Invariant: a broadcast's raw JSON is cut out after all of the text's other strings were read (json_raw()).
 */
#include <assert.h>

#include "cluster/seeds.h"
#include "cluster/seeds_user.h"
#include "cluster/seeds_write.h"
#include "dialect/dialect.h"
#include "dialect/status.h"

/* The device by which a user is present whom other programs say to be online. */
#define OUTSIDE_DEVICE STR("presence:updates")

enum { TYPE_BYTES_MAX = 2 + 6 * ID_BYTES_MAX }; /* a string of so many characters, each escaped */

/* A member's value; null counts as if it were not there. */
static json_ref member(const struct seeds *s, json_ref obj, struct str key)
{
	json_ref ref = json_get(&s->json, obj, key);

	return json_type(&s->json, ref) == JSON_NULL ? JSON_ABSENT : ref;
}

static bool read_root(struct seeds *s, char *payload, size_t bytes, json_ref *root)
{
	if (bytes > SEEDS_HEARD_BYTES_MAX || json_parse(&s->json, payload, bytes) != JSON_OK)
		return false;
	*root = json_root(&s->json);
	return json_type(&s->json, *root) == JSON_OBJECT;
}

/* --- presence:updates --- */

struct word {
	struct str user_id, username; /* username: absent: none was given */
	enum status status;           /* never STATUS_INVISIBLE */
};

static bool read_update(struct seeds *s, char *payload, size_t bytes, struct word *out)
{
	struct json *j = &s->json;
	struct str type, status;
	json_ref root, name;

	*out = (struct word){ .username = STR_NONE };
	if (!read_root(s, payload, bytes, &root))
		return false;
	name = member(s, root, STR("username"));
	if (!json_str(j, json_get(j, root, STR("type")), &type) || !str_eq(type, STR("presence")) ||
	    !json_str_id(j, json_get(j, root, STR("user_id")), &out->user_id) ||
	    (name != JSON_ABSENT && !json_str_id(j, name, &out->username)) ||
	    !json_str(j, json_get(j, root, STR("status")), &status) || !status_of_word(status, &out->status))
		return false;
	if (out->status == STATUS_INVISIBLE)
		out->status = STATUS_OFFLINE;
	return true;
}

/* Copies a text, so that it outlives what it is set in the place of. */
static struct str keep(char *mem, struct str text)
{
	if (str_absent(text))
		return STR_NONE;
	memcpy(mem, text.p, text.n);
	return str_of(mem, text.n);
}

static struct peer_profile nothing_set(void)
{
	return (struct peer_profile){
		.custom_expires = WALL_NONE, .shown_expires = WALL_NONE, .shown_last_seen = WALL_NONE,
	};
}

/*
 * Busy and dnd are the user's own, whoever hosts them: what another program says is set as if the user had.
 * All nodes hear it and come to the same version. One who is invisible here stays so.
 */
static struct peer_profile profile_of(struct seeds *s, uint32_t user, enum status status, struct now now)
{
	enum status want = status == STATUS_BUSY || status == STATUS_DND ? status : STATUS_OFFLINE;
	struct peer_profile p = nothing_set();
	struct peer_user said;

	if (user != UINT32_MAX && engine_peer_say(s->engine, user, now, s->scratch, &said) &&
	    said.profile.version != 0)
		p = said.profile;
	if (p.override == STATUS_INVISIBLE || p.override == want)
		return nothing_set();
	assert(p.custom.n <= CUSTOM_STATUS_BYTES_MAX && p.metadata.n <= METADATA_BYTES_MAX);
	p.custom = keep(s->profile_text, p.custom);
	p.metadata = keep(s->profile_text + CUSTOM_STATUS_BYTES_MAX, p.metadata);
	p.override = want;
	p.override_by = 0;
	p.version++;
	return p;
}

/* Before seeds_turn() looks at what the engine showed for it. */
static void note_word(struct seeds *s, uint32_t user, const struct word *word)
{
	struct seeds_user *u = seeds_user_meet(s, user, word->user_id);

	if (word->status != STATUS_OFFLINE)
		u->flags |= SEEDS_OUTSIDE;
	if ((u->flags & SEEDS_OUTSIDE) != 0)
		u->told = (uint8_t)word->status;
}

static void believe(struct seeds *s, const struct word *word, struct now now)
{
	uint32_t user = engine_user_find(s->engine, word->user_id);
	bool here = word->status != STATUS_OFFLINE;
	struct peer_link link = { .device_id = OUTSIDE_DEVICE, .connected_at = WALL_NONE,
				  .away = word->status == STATUS_AWAY };
	struct peer_user said = {
		.user_id = word->user_id, .username = word->username,
		.last_seen = here ? now.wall : WALL_NONE,
		.links = &link, .link_count = here ? 1 : 0, .profile = nothing_set(),
	};
	struct presence_view v;
	bool is_whole;

	if (user == UINT32_MAX ? !here : seeds_user_hosted(s, user))
		return;
	if (here)
		said.profile = profile_of(s, user, word->status, now);
	if (here && engine_peer_users(s->engine, PEER_OUTSIDE) == 0)
		s->fade_ms = mono_add_ms(now.mono, s->config.presence_ttl_ms).ms;
	is_whole = engine_peer_user(s->engine, PEER_OUTSIDE, &said, now) == ENGINE_OK;
	s->counts.believed += is_whole;
	s->counts.full += !is_whole;
	user = engine_user_find(s->engine, word->user_id);
	if (user != UINT32_MAX && engine_user_view(s->engine, user, &v, now) && (is_whole || v.online))
		note_word(s, user, word);
}

static void heard_update(struct seeds *s, char *payload, size_t bytes, struct now now)
{
	struct word word;

	if (!s->ready || (bytes > 0 && payload[bytes - 1] == SEEDS_NODE_MARK))
		return;
	if (read_update(s, payload, bytes, &word))
		believe(s, &word, now);
	else
		s->counts.refused++;
}

/* --- message:broadcast --- */

static bool read_ids(struct seeds *s, json_ref array, struct broadcast *out)
{
	uint32_t n = json_count(&s->json, array), i = 0;

	if (json_type(&s->json, array) != JSON_ARRAY || n > BULK_USERS_MAX)
		return false;
	for (json_ref e = json_first(&s->json, array); e != JSON_ABSENT; e = json_next(&s->json, e))
		if (!json_str_id(&s->json, e, &s->ids[i++]))
			return false;
	assert(i == n);
	out->users = (struct strs){ s->ids, n };
	out->users_given = true;
	return true;
}

/*
 * A string's characters, read from a copy in `mem`: the original may be part of what is passed on raw. False:
 * it is no word that a message may be called by.
 */
static bool read_type(struct str raw, char *mem, struct str *out)
{
	struct json_tok tok;
	struct json j;

	if (raw.n > TYPE_BYTES_MAX)
		return false;
	memcpy(mem, raw.p, raw.n);
	json_init(&j, &tok, 1);
	return json_parse(&j, mem, raw.n) == JSON_OK && json_str_id(&j, json_root(&j), out);
}

/* What clients are sent: the `data` of a message as dialect `rooms` has it, or the object as it is. */
static bool read_message(struct seeds *s, json_ref message, char *mem, struct broadcast *out)
{
	struct json *j = &s->json;
	json_ref type = json_get(j, message, STR("type")), data = json_get(j, message, STR("data"));
	bool is_message = false;

	if (json_type(j, message) != JSON_OBJECT)
		return false;
	if (json_type(j, type) == JSON_STRING) {
		if (!read_type(json_raw(j, type), mem, &out->type))
			return false;
		is_message = str_eq(out->type, STR("message"));
		if (!is_message && dialect_owns_type(out->type))
			return false;
	}
	if (is_message)
		out->type = STR_NONE;
	out->data = json_raw(j, json_type(j, type) == JSON_STRING && data != JSON_ABSENT ? data : message);
	return true;
}

static bool read_broadcast(struct seeds *s, char *payload, size_t bytes, char *mem, struct broadcast *out)
{
	json_ref root, room, users;

	*out = (struct broadcast){ .room = STR_NONE, .type = STR_NONE };
	if (!read_root(s, payload, bytes, &root))
		return false;
	room = member(s, root, STR("room_id"));
	users = member(s, root, STR("user_ids"));
	if ((room == JSON_ABSENT) == (users == JSON_ABSENT))
		return false;
	if (room != JSON_ABSENT ? !json_str_id(&s->json, room, &out->room) : !read_ids(s, users, out))
		return false;
	return read_message(s, json_get(&s->json, root, STR("message")), mem, out);
}

static void heard_broadcast(struct seeds *s, char *payload, size_t bytes, struct now now)
{
	char mem[TYPE_BYTES_MAX];
	struct broadcast b;

	if (!read_broadcast(s, payload, bytes, mem, &b)) {
		s->counts.refused++;
		return;
	}
	s->counts.delivered++;
	(void)engine_broadcast_local(s->engine, &b, now);
}

bool seeds_heard(struct seeds *s, struct str channel, char *payload, size_t bytes, struct now now)
{
	assert(s->engine != NULL);
	if (str_eq(channel, SEEDS_UPDATES))
		heard_update(s, payload, bytes, now);
	else if (str_eq(channel, SEEDS_BROADCAST))
		heard_broadcast(s, payload, bytes, now);
	else
		return false;
	return true;
}
