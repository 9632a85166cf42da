/*
 * cluster/seeds_write.h: the texts of seeds 002 and 003, byte for byte: members and their order are the
 * documents', without blanks. Each writes into a buffer that the caller has initialized and tells with
 * jsonw's `failed` when it did not fit. Keys are text, not JSON.
 */
#ifndef CLUSTER_SEEDS_WRITE_H
#define CLUSTER_SEEDS_WRITE_H

#include "base/jsonw.h"
#include "presence/event.h"

enum {
	SEEDS_KEY_BYTES_MAX = 16 + 2 * 128, /* `presence:` or `typing:`, and two ids */
};

#define SEEDS_UPDATES STR("presence:updates")
#define SEEDS_BROADCAST STR("message:broadcast")
#define SEEDS_READY STR("ws.client.ready")
#define SEEDS_DISCONNECTED STR("ws.client.disconnected")
#define SEEDS_ROSTER STR("presence.user.online")

/* The value of presence:{user_id}; connection: 16 digits, or absent: null. */
void seeds_write_user(struct jsonw *, const struct presence_view *, struct str connection);

/* What presence:updates carries. */
void seeds_write_update(struct jsonw *, const struct presence_view *, wall_t at);

/* What ws.client.ready and ws.client.disconnected carry. */
void seeds_write_client(struct jsonw *, struct str user_id, struct str device_id, wall_t at);

/* `presence:{user_id}`, into SEEDS_KEY_BYTES_MAX. */
struct str seeds_write_presence_key(char *out, struct str user_id);

/* `typing:{room}:{user_id}`, into SEEDS_KEY_BYTES_MAX. */
struct str seeds_write_typing_key(char *out, struct str room, struct str user_id);

#endif
