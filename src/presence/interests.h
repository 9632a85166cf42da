/*
 * presence/interests.h: the relation between links and what they listen to: a room, or the presence of one
 * user.
 *
 * An interest is in two lists: the link's own (to end them all when the link goes) and, as a receiver, in the
 * room's members or the user's watchers. A haunt is what is left of an interest in a room when its link dies
 * while presence is told among room mates only (audience_rooms): it hears nothing, but those in the room
 * still hear when the user goes offline.
 */
#ifndef PRESENCE_INTERESTS_H
#define PRESENCE_INTERESTS_H

#include "base/list.h"
#include "base/map.h"

#include <stdint.h>

struct engine;

enum { INTERESTS_WALKED_MAX = 16 }; /* a link with more has them in the map */

enum interest_kind { INTEREST_ROOM, INTEREST_USER, INTEREST_HAUNT };

enum {
	/* In a watcher's mask (announce.h): */
	WATCH_SEEN = 1 << 7,   /* was shown the user's pending state */
	WATCH_MISLED = 1 << 6, /* was shown one that came and went while it was pending */
};

/* Scratch while a share's rooms are told anew (hear.c). */
enum haunt_mark { HAUNT_OLD, HAUNT_KEPT, HAUNT_NEW };

struct interest {
	uint32_t target;          /* room or user */
	uint32_t conn;            /* whose; with INTEREST_HAUNT: the user */
	uint32_t pos;             /* in the target's receivers; of a haunt: enum haunt_mark */
	struct list_link of_link; /* in the link's interests, or the user's haunts */
	uint8_t kind;
};

static_assert(sizeof(struct interest) <= 24, "there may be over a hundred per connection");
#define INTERESTS_OF_LINK offsetof(struct interest, of_link)

struct interests {
	struct pool cells;
	struct map by_link_and_target; /* of links with more than INTERESTS_WALKED_MAX */
	uint32_t haunts;
};

enum interest_outcome { INTEREST_OK, INTEREST_FULL, INTEREST_TOO_MANY };

void interests_init(struct interests *is, struct region *r, uint32_t interests_max, struct siphash_key key);

static inline struct interest *interests_at(const struct interests *is, uint32_t i)
{
	return (struct interest *)pool_at(&is->cells, i);
}

/* MAP_NONE when the link has no such interest. Not for haunts. */
uint32_t interests_find(const struct engine *e, uint32_t conn, enum interest_kind kind, uint32_t target);

/*
 * Makes an interest with an empty mask if there is none. FULL and TOO_MANY (for this link): nothing changed.
 */
enum interest_outcome interests_add(struct engine *e, uint32_t conn, enum interest_kind kind,
				    uint32_t target);

/* What a link hears that is of no room and no one user. */
uint8_t interests_topics(const struct engine *e, uint32_t conn);
void interests_set_topics(struct engine *e, uint32_t conn, uint8_t topics);

/* What it wants to hear; not for haunts. */
uint8_t *interests_mask(const struct engine *e, uint32_t i);

/* The user is in that room by it: not yet by one whose mask is empty, nor by a new haunt. */
bool interests_entered(const struct engine *e, uint32_t i);

/* Ends it: a room may go with it, and a user's record may become idle. */
void interests_remove(struct engine *e, uint32_t i);

/* The link dies: ends all its interests; those in rooms become haunts where the audience is room mates. */
void interests_end_link(struct engine *e, uint32_t conn);

/*
 * A list of haunts of a user that is not the user's own (shares.h): adds the room to it (false: no room for
 * one more), takes one out, and ends the list: what is in it becomes the user's own haunts.
 */
bool interests_add_haunt(struct engine *e, uint32_t user, struct list *haunts, uint32_t room);
void interests_end_haunt(struct engine *e, struct list *haunts, uint32_t i);
void interests_leave_haunts(struct engine *e, uint32_t user, struct list *haunts);

/* The haunt in that room; POOL_NONE when the list has none. */
uint32_t interests_haunt_in(const struct engine *e, const struct list *haunts, uint32_t room);

/* Ends the haunts of a user: all, or (room not MAP_NONE) the one in that room. */
void interests_end_haunts(struct engine *e, uint32_t user, uint32_t room);

bool interests_valid(const struct engine *e);

#endif
