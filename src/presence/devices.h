/*
 * presence/devices.h: what a user is online with. Connections with one device id share a device; a device of
 * REST has none.
 *
 * A generated device id is not stored: it is the 16 hex digits of the key of the connection it was generated
 * for. Once somebody else names it, it is stored as any other is.
 */
#ifndef PRESENCE_DEVICES_H
#define PRESENCE_DEVICES_H

#include "base/hex.h"
#include "base/list.h"
#include "base/strpool.h"

#include <assert.h>
#include <stdint.h>

enum device_flag {
	DEVICE_AWAY = 1 << 0,      /* as all who host it say */
	DEVICE_AWAY_HERE = 1 << 1, /* as this node does; counts if it hosts it */
	DEVICE_LINKS_SHIFT = 2,
};

struct device {
	union {
		uint64_t key;       /* id absent: of the connection it was generated for */
		int64_t expires_ms; /* else: mono; REST told of it, it stays until then;
		                     * 0: lives by its links */
	};
	strref id;                /* STRREF_NONE: generated */
	struct list_link of_user;
	uint32_t links_away;      /* links << DEVICE_LINKS_SHIFT | enum device_flag */
};

static_assert(sizeof(struct device) <= 24, "one per connection");
#define DEVICES_OF_USER offsetof(struct device, of_user)

struct devices {
	struct pool cells;
	struct strpool *ids;
	uint32_t socketless; /* pinned devices */
	uint32_t socketless_max;
};

/*
 * Room for `connections_max` connections of one device each, as many devices of REST, and remotes_max devices
 * of other nodes.
 */
void devices_init(struct devices *ds, struct region *r, uint32_t connections_max, uint32_t remotes_max,
		  struct strpool *ids);

static inline struct device *devices_at(const struct devices *ds, uint32_t i)
{
	return (struct device *)pool_at(&ds->cells, i);
}

static inline uint32_t device_links(const struct device *d)
{
	return d->links_away >> DEVICE_LINKS_SHIFT;
}

static inline bool device_away(const struct device *d)
{
	return (d->links_away & DEVICE_AWAY) != 0;
}

/* When REST's word for it ends, mono; 0: it never told of it. */
static inline int64_t device_expires_ms(const struct device *d)
{
	return d->id == STRREF_NONE ? 0 : d->expires_ms;
}

static inline bool device_pinned(const struct device *d)
{
	return device_expires_ms(d) != 0;
}

/* The device of that id in a user's list; POOL_NONE when there is none. O(devices of the user). */
uint32_t devices_find(const struct devices *ds, const struct list *of_user, struct str id);

/* A new device without links at the end of the list; POOL_NONE when full. Absent id: generated from key. */
uint32_t devices_make(struct devices *ds, struct list *of_user, struct str id, uint64_t key);

/* One link more, or less: of this node or, told by it, of another. */
static inline void device_add_link(struct device *d)
{
	d->links_away += 1U << DEVICE_LINKS_SHIFT;
}

static inline void device_drop_link(struct device *d)
{
	assert(device_links(d) > 0);
	d->links_away -= 1U << DEVICE_LINKS_SHIFT;
}

/* Its id; generated ones are written to `buf`, which then lends it. */
struct str devices_id(const struct devices *ds, uint32_t i, char buf[HEX_U64_BYTES]);

/* A generated id that a second connection claimed outlives the first: from now on it is stored. */
void devices_keep_id(struct devices *ds, uint32_t i);

/*
 * Told of by REST until expires_ms (mono, > 0). False when there is no room for one more such device; nothing
 * changed.
 */
bool devices_pin(struct devices *ds, uint32_t i, int64_t expires_ms);
void devices_unpin(struct devices *ds, uint32_t i);

/* The device, without links and unpinned, leaves its list. */
void devices_free(struct devices *ds, struct list *of_user, uint32_t i);

#endif
