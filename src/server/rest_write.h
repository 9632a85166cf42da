/*
 * server/rest_write.h: users and devices as JSON, in the words of REST.
 */
#ifndef SERVER_REST_WRITE_H
#define SERVER_REST_WRITE_H

#include "base/jsonw.h"
#include "presence/engine.h"
#include "presence/event.h"

/* A user as in seed 002: {"user_id","username","status","last_seen"}; there is no username where
 * nothing is known. */
void rest_write_seed_user(struct jsonw *, const struct presence_view *);

/* A user as in CONTRACT 4: {user_id, online_status, custom_status,
 * metadata, last_seen, is_online, device_count}. */
void rest_write_user(struct jsonw *, const struct presence_view *);

/* {device_id, connection_id, dialect, connected_at, last_seen};
 * without a socket (no connection_id) null for the second to fourth. */
void rest_write_device(struct jsonw *, const struct device_view *, struct str connection_id);

#endif
