/* presence/rooms.c: see rooms.h. Invariant: between two calls of the engine every room has refs > 0. */
#include "presence/rooms.h"

static struct str key_of(const void *ctx, uint32_t i)
{
	return rooms_id((const struct rooms *)ctx, i);
}

void rooms_init(struct rooms *rs, struct region *r, uint32_t rooms_max, struct siphash_key key,
		struct strpool *ids)
{
	rs->ids = ids;
	rs->here = 0;
	pool_init(&rs->cells, r, sizeof(struct room), rooms_max);
	rs->live = region_take_array(r, rooms_max, 1, 1);
	map_init(&rs->by_id, r, rooms_max, key, key_of, rs);
}

uint32_t rooms_find(const struct rooms *rs, struct str id)
{
	return map_find(&rs->by_id, id);
}

uint32_t rooms_make(struct rooms *rs, struct str id)
{
	uint32_t i = map_find(&rs->by_id, id);
	strref ref;

	assert(id.n >= 1 && id.n <= ID_BYTES_MAX);
	if (i != MAP_NONE)
		return i;
	i = pool_take(&rs->cells);
	if (i == POOL_NONE)
		return MAP_NONE;
	ref = strpool_put(rs->ids, id);
	assert(ref != STRREF_FULL);
	*rooms_at(rs, i) = (struct room){ .id = ref };
	rs->live[i] = 1;
	map_insert(&rs->by_id, id, i);
	return i;
}

enum room_kind rooms_kind(const struct rooms *rs, uint32_t i, enum room_kind said)
{
	const struct room *room = rooms_at(rs, i);

	return room->kind == ROOM_UNNAMED ? said : (enum room_kind)room->kind;
}

void rooms_name(struct rooms *rs, uint32_t i, enum room_kind kind)
{
	rooms_at(rs, i)->kind = (uint8_t)rooms_kind(rs, i, kind);
}

void rooms_settle(struct rooms *rs, uint32_t i)
{
	struct room *room = rooms_at(rs, i);

	if (room->refs > 0)
		return;
	assert(room->members.count == 0);
	map_remove(&rs->by_id, rooms_id(rs, i));
	strpool_drop(rs->ids, room->id);
	rs->live[i] = 0;
	pool_give(&rs->cells, i);
}
