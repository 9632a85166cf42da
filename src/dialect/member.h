/*
 * dialect/member.h: writes members of an object, key and value in one line; and the few payloads that
 * several dialects share.
 */
#ifndef DIALECT_MEMBER_H
#define DIALECT_MEMBER_H

#include "base/jsonw.h"
#include "base/str.h"
#include "dialect/status.h"
#include "presence/event.h"

/* null for the absent slice. */
static inline void member_str(struct jsonw *w, struct str key, struct str value)
{
	jsonw_key(w, key);
	jsonw_str_or_null(w, value);
}

/* Raw JSON; null for the absent slice. */
static inline void member_raw(struct jsonw *w, struct str key, struct str value)
{
	jsonw_key(w, key);
	jsonw_raw(w, value);
}

static inline void member_u64(struct jsonw *w, struct str key, uint64_t value)
{
	jsonw_key(w, key);
	jsonw_u64(w, value);
}

static inline void member_bool(struct jsonw *w, struct str key, bool value)
{
	jsonw_key(w, key);
	jsonw_bool(w, value);
}

/* null for WALL_NONE. */
static inline void member_wall(struct jsonw *w, struct str key, wall_t value)
{
	jsonw_key(w, key);
	jsonw_wall(w, value);
}

static inline void member_status(struct jsonw *w, struct str key, enum status value)
{
	jsonw_key(w, key);
	jsonw_str(w, status_word(value));
}

void member_strs(struct jsonw *w, struct str key, struct strs values);

/* Of EV_AUTHENTICATED: user_id, expires_at. */
void member_auth_success(const struct event *e, struct jsonw *w);

/* Of EV_AUTH_FAILED: reason. */
void member_auth_failed(const struct event *e, struct jsonw *w);

/* Of EV_AUTH_EXPIRING: expires_at. */
void member_auth_expiring(const struct event *e, struct jsonw *w);

/* Of EV_ERROR: code, message. */
void member_error(const struct event *e, struct jsonw *w);

/* The user's id in EV_CONNECTED; absent before authentication. */
struct str member_connected_user(const struct event *e);

#endif
