/*
 * cluster/seeds_write.c: see seeds_write.h. Nothing of a peer's is a format here: ids and names are copied by
 * length, escaped in JSON, and hold no control characters (they were checked where they came in).
 */
#include "cluster/seeds_write.h"

#include <assert.h>

#include "base/limits.h"
#include "dialect/member.h"

static_assert(SEEDS_KEY_BYTES_MAX >= 10 + 2 * ID_BYTES_MAX, "the longest key fits");

void seeds_write_user(struct jsonw *w, const struct presence_view *v, struct str connection)
{
	assert(v->status != STATUS_INVISIBLE);
	jsonw_obj(w);
	member_str(w, STR("user_id"), v->user_id);
	member_str(w, STR("username"), v->username);
	member_status(w, STR("status"), v->status);
	member_str(w, STR("connection_id"), connection);
	member_wall(w, STR("last_seen"), v->last_seen);
	jsonw_end_obj(w);
}

void seeds_write_update(struct jsonw *w, const struct presence_view *v, wall_t at)
{
	assert(v->status != STATUS_INVISIBLE);
	jsonw_obj(w);
	member_str(w, STR("type"), STR("presence"));
	member_str(w, STR("user_id"), v->user_id);
	member_str(w, STR("username"), v->username);
	member_status(w, STR("status"), v->status);
	member_wall(w, STR("timestamp"), at);
	jsonw_end_obj(w);
}

void seeds_write_client(struct jsonw *w, struct str user_id, struct str device_id, wall_t at)
{
	assert(!str_absent(user_id));
	jsonw_obj(w);
	member_str(w, STR("user_id"), user_id);
	member_str(w, STR("client_id"), device_id);
	member_wall(w, STR("timestamp"), at);
	jsonw_end_obj(w);
}

static size_t append(char *out, size_t n, struct str s)
{
	assert(n + s.n <= SEEDS_KEY_BYTES_MAX);
	if (s.n > 0)
		memcpy(out + n, s.p, s.n);
	return n + s.n;
}

struct str seeds_write_presence_key(char *out, struct str user_id)
{
	size_t n = append(out, 0, STR("presence:"));

	return str_of(out, append(out, n, user_id));
}

struct str seeds_write_typing_key(char *out, struct str room, struct str user_id)
{
	size_t n = append(out, 0, STR("typing:"));

	n = append(out, n, room);
	n = append(out, n, STR(":"));
	return str_of(out, append(out, n, user_id));
}
