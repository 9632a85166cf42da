/* server/rest_write.c: see rest_write.h. */
#include "server/rest_write.h"

#include <assert.h>

#include "dialect/dialect.h"
#include "dialect/status.h"

static void member_str(struct jsonw *w, struct str key, struct str value)
{
	jsonw_key(w, key);
	jsonw_str_or_null(w, value);
}

static void member_wall(struct jsonw *w, struct str key, wall_t value)
{
	jsonw_key(w, key);
	jsonw_wall(w, value);
}

void rest_write_seed_user(struct jsonw *w, const struct presence_view *v)
{
	jsonw_obj(w);
	member_str(w, STR("user_id"), v->user_id);
	if (v->online || !wall_absent(v->last_seen))
		member_str(w, STR("username"), v->username);
	member_str(w, STR("status"), status_word(v->status));
	member_wall(w, STR("last_seen"), v->last_seen);
	jsonw_end_obj(w);
}

void rest_write_user(struct jsonw *w, const struct presence_view *v)
{
	assert(v->online == (v->status != STATUS_OFFLINE));
	jsonw_obj(w);
	member_str(w, STR("user_id"), v->user_id);
	member_str(w, STR("online_status"), status_word(v->status));
	member_str(w, STR("custom_status"), v->custom);
	jsonw_key(w, STR("metadata"));
	jsonw_raw(w, v->metadata);
	member_wall(w, STR("last_seen"), v->last_seen);
	jsonw_key(w, STR("is_online"));
	jsonw_bool(w, v->online);
	jsonw_key(w, STR("device_count"));
	jsonw_u64(w, v->device_count);
	jsonw_end_obj(w);
}

void rest_write_device(struct jsonw *w, const struct device_view *d, struct str connection_id)
{
	bool has_socket = !str_absent(connection_id);

	jsonw_obj(w);
	member_str(w, STR("device_id"), d->device_id);
	member_str(w, STR("connection_id"), connection_id);
	member_str(w, STR("dialect"), has_socket ? dialect_name((enum dialect_id)d->dialect) : STR_NONE);
	member_wall(w, STR("connected_at"), d->connected_at);
	member_wall(w, STR("last_seen"), d->last_seen);
	jsonw_end_obj(w);
}
