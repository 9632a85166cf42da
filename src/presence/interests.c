/*
 * presence/interests.c: see interests.h.
 *
 * Invariants: every interest but a haunt is in its link's list, and the receiver at `pos` of its target names
 * it. It is in the map too exactly if its link is LINK_INDEXED: few interests are found by walking the list,
 * which spares the many links that have few the map's scattered pages. A user has at most one haunt per room,
 * and no more than a link may have interests.
 */
#include "presence/state.h"

struct sought {
	const struct interests *is;
	uint32_t conn, target;
	uint8_t kind;
};

static bool is_sought(const void *ctx, uint32_t i)
{
	const struct sought *s = ctx;
	const struct interest *it = interests_at(s->is, i);

	return it->conn == s->conn && it->target == s->target && it->kind == s->kind;
}

static uint32_t hash_of(const struct interests *is, uint32_t conn, uint8_t kind, uint32_t target)
{
	return map_hash_lead(&is->by_link_and_target, (uint64_t)conn << 32 | target,
			     kind == INTEREST_ROOM ? STR("room") : STR("user"));
}

void interests_init(struct interests *is, struct region *r, uint32_t interests_max, struct siphash_key key)
{
	is->haunts = 0;
	pool_init(&is->cells, r, sizeof(struct interest), interests_max);
	map_init(&is->by_link_and_target, r, interests_max, key, NULL, NULL);
}

static void index_add(struct interests *is, uint32_t i)
{
	const struct interest *it = interests_at(is, i);

	map_insert_hash(&is->by_link_and_target, hash_of(is, it->conn, it->kind, it->target), i);
}

static void index_remove(struct interests *is, uint32_t i)
{
	const struct interest *it = interests_at(is, i);
	bool removed =
		map_remove_hash(&is->by_link_and_target, hash_of(is, it->conn, it->kind, it->target), i);

	assert(removed);
	(void)removed;
}

/* From now on the link's interests are found by the map, until it has none. */
static void index_link(struct interests *is, struct link *l)
{
	l->flags |= LINK_INDEXED;
	for (uint32_t i = list_first(&l->interests); i != POOL_NONE;
	     i = list_next(&is->cells, INTERESTS_OF_LINK, i))
		index_add(is, i);
}

uint32_t interests_find(const struct engine *e, uint32_t conn, enum interest_kind kind, uint32_t target)
{
	const struct interests *is = &e->interests;
	const struct link *l = links_at(&e->links, conn);
	struct sought s = { is, conn, target, (uint8_t)kind };

	if (!(l->flags & LINK_INDEXED)) {
		for (uint32_t i = list_first(&l->interests); i != POOL_NONE;
		     i = list_next(&is->cells, INTERESTS_OF_LINK, i))
			if (is_sought(&s, i))
				return i;
		return MAP_NONE;
	}
	return map_find_hash(&is->by_link_and_target, hash_of(is, conn, (uint8_t)kind, target), is_sought,
			     &s);
}

static struct receivers *receivers_of(const struct engine *e, const struct interest *it)
{
	assert(it->kind != INTEREST_HAUNT);
	return it->kind == INTEREST_ROOM ? &rooms_at(&e->rooms, it->target)->members
					 : &users_at(&e->users, it->target)->watchers;
}

/* The first member came, or the last one went: others need to tell us of the room, or no longer. */
static void want_room(struct engine *e, const struct interest *it, bool wanted)
{
	const struct peerlink *peers = e->config.peers;

	if (it->kind != INTEREST_ROOM || receivers_of(e, it)->count != (wanted ? 1 : 0))
		return;
	e->rooms.here += wanted ? 1 : UINT32_MAX;
	if (peers != NULL)
		peers->room(peers->ctx, rooms_id(&e->rooms, it->target), wanted);
}

static bool is_full(const struct engine *e, enum interest_kind kind, uint32_t target)
{
	return kind == INTEREST_ROOM && e->config.rooms_here_max > 0 &&
	       e->rooms.here >= e->config.rooms_here_max && rooms_at(&e->rooms, target)->members.count == 0;
}

enum interest_outcome interests_add(struct engine *e, uint32_t conn, enum interest_kind kind, uint32_t target)
{
	struct interests *is = &e->interests;
	struct link *l = links_at(&e->links, conn);
	struct interest *it;
	uint32_t i;

	assert(kind != INTEREST_HAUNT);
	if (interests_find(e, conn, kind, target) != MAP_NONE)
		return INTEREST_OK;
	if (l->interest_count >= e->config.subscriptions_per_connection_max)
		return INTEREST_TOO_MANY;
	if (is_full(e, kind, target))
		return INTEREST_FULL;
	i = pool_take(&is->cells);
	if (i == POOL_NONE)
		return INTEREST_FULL;
	it = interests_at(is, i);
	*it = (struct interest){ .target = target, .conn = conn, .kind = (uint8_t)kind };
	it->pos = receivers_add(&e->chunks, receivers_of(e, it), conn, i, 0);
	want_room(e, it, true);
	list_push(&l->interests, &is->cells, INTERESTS_OF_LINK, i);
	l->interest_count++;
	if (l->flags & LINK_INDEXED)
		index_add(is, i);
	else if (l->interest_count > INTERESTS_WALKED_MAX)
		index_link(is, l);
	if (kind == INTEREST_ROOM)
		rooms_at(&e->rooms, target)->refs++;
	else
		users_settle(&e->users, target);
	return INTEREST_OK;
}

uint8_t interests_topics(const struct engine *e, uint32_t conn)
{
	assert(links_live(&e->links, conn));
	return e->links.topics[conn] & (uint8_t)~LINK_HERE;
}

void interests_set_topics(struct engine *e, uint32_t conn, uint8_t topics)
{
	e->links.hearers -= (interests_topics(e, conn) & TOPIC_PRESENCE) != 0;
	e->links.hearers += (topics & TOPIC_PRESENCE) != 0;
	e->links.topics[conn] = (topics & (uint8_t)~TOPIC_OF_ROOM) | LINK_HERE;
}

uint8_t *interests_mask(const struct engine *e, uint32_t i)
{
	return receivers_mask(&e->chunks, interests_at(&e->interests, i)->pos);
}

bool interests_entered(const struct engine *e, uint32_t i)
{
	const struct interest *it = interests_at(&e->interests, i);

	assert(it->kind != INTEREST_USER);
	return it->kind == INTEREST_HAUNT ? it->pos != HAUNT_NEW : *interests_mask(e, i) != 0;
}

/* Takes it out of everything but its cell and its target's count. */
static void unlink_live(struct engine *e, uint32_t i)
{
	struct interests *is = &e->interests;
	struct interest *it = interests_at(is, i);
	struct link *l = links_at(&e->links, it->conn);
	uint32_t moved;

	if (l->flags & LINK_INDEXED)
		index_remove(is, i);
	if (receivers_remove(&e->chunks, receivers_of(e, it), it->pos, &moved))
		interests_at(is, moved)->pos = it->pos;
	want_room(e, it, false);
	list_remove(&l->interests, &is->cells, INTERESTS_OF_LINK, i);
	if (--l->interest_count == 0)
		l->flags &= (uint8_t)~LINK_INDEXED;
}

/* Frees the cell, and lets go of the target. */
static void let_go(struct engine *e, uint32_t i)
{
	struct interest it = *interests_at(&e->interests, i);

	pool_give(&e->interests.cells, i);
	if (it.kind == INTEREST_USER) {
		users_settle(&e->users, it.target);
	} else {
		rooms_at(&e->rooms, it.target)->refs--;
		rooms_settle(&e->rooms, it.target);
	}
}

void interests_remove(struct engine *e, uint32_t i)
{
	unlink_live(e, i);
	let_go(e, i);
}

uint32_t interests_haunt_in(const struct engine *e, const struct list *haunts, uint32_t room)
{
	uint32_t i = list_first(haunts);

	while (i != POOL_NONE && interests_at(&e->interests, i)->target != room)
		i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i);
	return i;
}

void interests_end_haunt(struct engine *e, struct list *haunts, uint32_t i)
{
	list_remove(haunts, &e->interests.cells, INTERESTS_OF_LINK, i);
	e->interests.haunts--;
	let_go(e, i);
}

bool interests_add_haunt(struct engine *e, uint32_t user, struct list *haunts, uint32_t room)
{
	uint32_t i = pool_take(&e->interests.cells);

	if (i == POOL_NONE)
		return false;
	*interests_at(&e->interests, i) = (struct interest){
		.target = room, .conn = user, .kind = INTEREST_HAUNT, .pos = HAUNT_NEW,
	};
	list_push(haunts, &e->interests.cells, INTERESTS_OF_LINK, i);
	e->interests.haunts++;
	rooms_at(&e->rooms, room)->refs++;
	return true;
}

static uint32_t count_haunts(const struct engine *e, const struct list *haunts)
{
	uint32_t n = 0;

	for (uint32_t i = list_first(haunts); i != POOL_NONE;
	     i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i))
		n++;
	return n;
}

/* The user's own haunts get one for that room: the oldest goes when there are as many as may be. */
static void make_haunt_room(struct engine *e, struct profile *p)
{
	if (count_haunts(e, &p->haunts) >= e->config.subscriptions_per_connection_max)
		interests_end_haunt(e, &p->haunts, list_first(&p->haunts));
}

void interests_leave_haunts(struct engine *e, uint32_t user, struct list *haunts)
{
	for (uint32_t i = list_first(haunts); i != POOL_NONE; i = list_first(haunts)) {
		struct profile *p = users_need_profile(&e->users, user);

		if (interests_haunt_in(e, &p->haunts, interests_at(&e->interests, i)->target) != POOL_NONE) {
			interests_end_haunt(e, haunts, i);
			continue;
		}
		make_haunt_room(e, p);
		list_remove(haunts, &e->interests.cells, INTERESTS_OF_LINK, i);
		list_push(&p->haunts, &e->interests.cells, INTERESTS_OF_LINK, i);
	}
}

/* Turns a dying link's interest in a room into a haunt of its user; false when there is one already. */
static bool to_haunt(struct engine *e, uint32_t i)
{
	struct interest *it = interests_at(&e->interests, i);
	uint32_t user = links_at(&e->links, it->conn)->user;
	struct profile *p = users_need_profile(&e->users, user);

	if (interests_haunt_in(e, &p->haunts, it->target) != POOL_NONE)
		return false;
	make_haunt_room(e, p);
	unlink_live(e, i);
	it->kind = INTEREST_HAUNT;
	it->conn = user;
	it->pos = HAUNT_OLD;
	list_push(&p->haunts, &e->interests.cells, INTERESTS_OF_LINK, i);
	e->interests.haunts++;
	return true;
}

void interests_end_link(struct engine *e, uint32_t conn)
{
	struct link *l = links_at(&e->links, conn);
	uint32_t i = list_first(&l->interests);

	while (i != POOL_NONE) {
		bool room = interests_at(&e->interests, i)->kind == INTEREST_ROOM;

		if (!e->config.audience_rooms || !room || !to_haunt(e, i))
			interests_remove(e, i);
		i = list_first(&l->interests);
	}
	assert(l->interest_count == 0);
}

void interests_end_haunts(struct engine *e, uint32_t user, uint32_t room)
{
	struct profile *p = users_profile(&e->users, users_at(&e->users, user));
	uint32_t i, next;

	if (p == NULL)
		return;
	for (i = list_first(&p->haunts); i != POOL_NONE; i = next) {
		next = list_next(&e->interests.cells, INTERESTS_OF_LINK, i);
		if (room == MAP_NONE || interests_at(&e->interests, i)->target == room)
			interests_end_haunt(e, &p->haunts, i);
	}
}

/* --- validity --- */

static bool link_valid(const struct engine *e, uint32_t conn, uint32_t *seen, uint32_t *indexed)
{
	const struct link *l = links_at(&e->links, conn);
	uint32_t n = 0;

	for (uint32_t i = list_first(&l->interests); i != POOL_NONE;
	     i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i)) {
		const struct interest *it = interests_at(&e->interests, i);

		if (++n > l->interest_count || it->conn != conn ||
		    interests_find(e, conn, (enum interest_kind)it->kind, it->target) != i)
			return false;
		if (receivers_conn(&e->chunks, it->pos) != conn || receivers_back(&e->chunks, it->pos) != i)
			return false;
	}
	*seen += n;
	*indexed += l->flags & LINK_INDEXED ? n : 0;
	return n == l->interest_count;
}

/* No room twice. */
static bool list_valid(const struct engine *e, const struct list *list, uint32_t user, uint32_t *haunts)
{
	for (uint32_t i = list_first(list); i != POOL_NONE;
	     i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i), ++*haunts) {
		const struct interest *it = interests_at(&e->interests, i);

		if (it->kind != INTEREST_HAUNT || it->conn != user ||
		    interests_haunt_in(e, list, it->target) != i)
			return false;
	}
	return true;
}

/* The user's own are no more than a link may have. */
static bool haunts_valid(const struct engine *e, uint32_t user, uint32_t *haunts)
{
	const struct user *u = users_at(&e->users, user);
	const struct profile *p = users_profile(&e->users, u);
	uint32_t own = 0;

	if (p != NULL && !list_valid(e, &p->haunts, user, &own))
		return false;
	*haunts += own;
	for (uint32_t i = shares_first(u->share_plus1); i != POOL_NONE; i = shares_next(&e->shares, i))
		if (!list_valid(e, &shares_at(&e->shares, i)->rooms, user, haunts))
			return false;
	return own <= e->config.subscriptions_per_connection_max;
}

bool interests_valid(const struct engine *e)
{
	uint32_t seen = 0, indexed = 0, refs = 0, cursor = 0, haunts = 0, here = 0;

	for (uint32_t conn = 0; conn < e->links.max; conn++)
		if (links_live(&e->links, conn) ? !link_valid(e, conn, &seen, &indexed)
						: e->links.v[conn].interest_count != 0)
			return false;
	for (uint32_t i = map_next(&e->rooms.by_id, &cursor); i != MAP_NONE;
	     i = map_next(&e->rooms.by_id, &cursor)) {
		const struct room *room = rooms_at(&e->rooms, i);

		if (room->refs == 0 || room->members.count > room->refs ||
		    !receivers_valid(&e->chunks, &room->members))
			return false;
		refs += room->refs;
		here += room->members.count > 0;
	}
	cursor = 0;
	for (uint32_t i = map_next(&e->users.by_id, &cursor); i != MAP_NONE;
	     i = map_next(&e->users.by_id, &cursor)) {
		if (!receivers_valid(&e->chunks, &users_at(&e->users, i)->watchers) ||
		    !haunts_valid(e, i, &haunts))
			return false;
		refs += users_at(&e->users, i)->watchers.count;
	}
	return here == e->rooms.here && haunts == e->interests.haunts &&
	       indexed == map_count(&e->interests.by_link_and_target) &&
	       seen + haunts == pool_used(&e->interests.cells) && refs == pool_used(&e->interests.cells) &&
	       pool_used(&e->rooms.cells) == map_count(&e->rooms.by_id);
}
