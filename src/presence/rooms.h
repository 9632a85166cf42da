/*
 * presence/rooms.h: rooms that somebody is interested in. A room comes with its first subscriber and goes
 * with its last.
 */
#ifndef PRESENCE_ROOMS_H
#define PRESENCE_ROOMS_H

#include "base/map.h"
#include "base/strpool.h"
#include "presence/command.h"
#include "presence/receivers.h"

struct room {
	strref id;
	uint32_t refs;            /* interests in it, those without a receiver too */
	struct receivers members; /* mask: enum topic bits */
	uint8_t kind;             /* enum room_kind, as the first subscription that names one has it */
};

struct rooms {
	struct pool cells;
	uint8_t *live;            /* by number: there is such a room */
	struct map by_id;
	struct strpool *ids;
	uint32_t here;            /* rooms with members; the others are where users are through other nodes */
};

void rooms_init(struct rooms *rs, struct region *r, uint32_t rooms_max, struct siphash_key key,
		struct strpool *ids);

static inline struct room *rooms_at(const struct rooms *rs, uint32_t i)
{
	return (struct room *)pool_at(&rs->cells, i);
}

static inline struct str rooms_id(const struct rooms *rs, uint32_t i)
{
	return strpool_get(rs->ids, rooms_at(rs, i)->id);
}

/* MAP_NONE when there is none. */
uint32_t rooms_find(const struct rooms *rs, struct str id);

/* The room, made (refs 0) when there was none. MAP_NONE when the table is full. */
uint32_t rooms_make(struct rooms *rs, struct str id);

/* Somebody subscribes to it by that kind of name. */
void rooms_name(struct rooms *rs, uint32_t i, enum room_kind kind);

/* What it is when `said` names it, which counts only where nobody did before. */
enum room_kind rooms_kind(const struct rooms *rs, uint32_t i, enum room_kind said);

/* Frees a room that nobody is interested in; else nothing. */
void rooms_settle(struct rooms *rs, uint32_t i);

#endif
