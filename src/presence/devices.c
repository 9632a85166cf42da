/*
 * presence/devices.c: see devices.h.
 *
 * Invariants: a device has a link or is pinned, between two calls of the engine; at most half of the cells
 * are pinned, so that connections always find one; at most connections_max ids are stored for devices with
 * links and as many for pinned ones.
 */
#include "presence/devices.h"

void devices_init(struct devices *ds, struct region *r, uint32_t connections_max, uint32_t remotes_max,
		  struct strpool *ids)
{
	pool_init(&ds->cells, r, sizeof(struct device), connections_max * 2 + remotes_max);
	ds->ids = ids;
	ds->socketless = 0;
	ds->socketless_max = connections_max;
}

uint32_t devices_find(const struct devices *ds, const struct list *of_user, struct str id)
{
	uint64_t key = 0;
	bool hex = hex_get_u64(id, &key);

	for (uint32_t i = list_first(of_user); i != POOL_NONE;
	     i = list_next(&ds->cells, DEVICES_OF_USER, i)) {
		const struct device *d = devices_at(ds, i);

		if (d->id == STRREF_NONE ? hex && d->key == key : str_eq(strpool_get(ds->ids, d->id), id))
			return i;
	}
	return POOL_NONE;
}

uint32_t devices_make(struct devices *ds, struct list *of_user, struct str id, uint64_t key)
{
	uint32_t i = pool_take(&ds->cells);
	struct device *d;
	strref ref;

	if (i == POOL_NONE)
		return POOL_NONE;
	ref = strpool_put(ds->ids, id);
	if (ref == STRREF_FULL) {
		pool_give(&ds->cells, i);
		return POOL_NONE;
	}
	d = devices_at(ds, i);
	*d = (struct device){ .id = ref };
	if (ref == STRREF_NONE)
		d->key = key;
	list_push(of_user, &ds->cells, DEVICES_OF_USER, i);
	return i;
}

struct str devices_id(const struct devices *ds, uint32_t i, char buf[HEX_U64_BYTES])
{
	const struct device *d = devices_at(ds, i);

	if (d->id != STRREF_NONE)
		return strpool_get(ds->ids, d->id);
	hex_put_u64(buf, d->key);
	return str_of(buf, HEX_U64_BYTES);
}

void devices_keep_id(struct devices *ds, uint32_t i)
{
	struct device *d = devices_at(ds, i);
	char buf[HEX_U64_BYTES];

	if (d->id == STRREF_NONE) {
		strref ref = strpool_put(ds->ids, devices_id(ds, i, buf));

		assert(ref != STRREF_FULL);
		d->id = ref;
		d->expires_ms = 0;
	}
}

bool devices_pin(struct devices *ds, uint32_t i, int64_t expires_ms)
{
	struct device *d = devices_at(ds, i);

	assert(expires_ms > 0);
	if (!device_pinned(d)) {
		if (ds->socketless == ds->socketless_max)
			return false;
		ds->socketless++;
		devices_keep_id(ds, i);
	}
	d->expires_ms = expires_ms;
	return true;
}

void devices_unpin(struct devices *ds, uint32_t i)
{
	struct device *d = devices_at(ds, i);

	if (device_pinned(d)) {
		assert(ds->socketless > 0);
		ds->socketless--;
		d->expires_ms = 0;
	}
}

void devices_free(struct devices *ds, struct list *of_user, uint32_t i)
{
	struct device *d = devices_at(ds, i);

	assert(device_links(d) == 0 && !device_pinned(d));
	list_remove(of_user, &ds->cells, DEVICES_OF_USER, i);
	strpool_drop(ds->ids, d->id);
	pool_give(&ds->cells, i);
}
