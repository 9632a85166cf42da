/*
 * dialect/member.c: see member.h. Invariant: nothing here opens or closes the object that the members stand
 * in.
 */
#include "dialect/member.h"

#include <assert.h>

void member_strs(struct jsonw *w, struct str key, struct strs values)
{
	assert(values.n == 0 || values.v != NULL);
	jsonw_key(w, key);
	jsonw_arr(w);
	for (uint32_t i = 0; i < values.n; i++)
		jsonw_str(w, values.v[i]);
	jsonw_end_arr(w);
}

void member_auth_success(const struct event *e, struct jsonw *w)
{
	assert(e->type == EV_AUTHENTICATED);
	member_str(w, STR("user_id"), e->user.user_id);
	member_wall(w, STR("expires_at"), e->expires);
}

void member_auth_failed(const struct event *e, struct jsonw *w)
{
	assert(e->type == EV_AUTH_FAILED);
	member_str(w, STR("reason"), e->text);
}

void member_auth_expiring(const struct event *e, struct jsonw *w)
{
	assert(e->type == EV_AUTH_EXPIRING);
	member_wall(w, STR("expires_at"), e->expires);
}

void member_error(const struct event *e, struct jsonw *w)
{
	assert(e->type == EV_ERROR);
	jsonw_key(w, STR("code"));
	jsonw_i64(w, e->code);
	member_str(w, STR("message"), e->text);
}

struct str member_connected_user(const struct event *e)
{
	assert(e->type == EV_CONNECTED);
	return e->anonymous ? STR_NONE : e->user.user_id;
}
