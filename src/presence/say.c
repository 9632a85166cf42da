/*
 * presence/say.c: what this node says of its users to others: engine_peer_say() and the walks of peer.h.
 *
 * Invariant: what is said is a function of the engine's state alone: it can be said at any time, and again.
 */
#include "presence/pass.h"

/* --- connections and devices --- */

/* NULL: no more of one user are told of. */
static struct peer_link *next_link(const struct engine *e, struct peer_scratch *s, struct peer_user *out,
				   uint32_t device)
{
	uint32_t n = out->link_count;
	struct peer_link *l = &s->links[n];

	if (n == PEER_LINKS_MAX)
		return NULL;
	out->link_count++;
	*l = (struct peer_link){
		.connected_at = WALL_NONE, .device_id = devices_id(&e->devices, device, s->device_ids[n]),
		.away = (devices_at(&e->devices, device)->links_away & DEVICE_AWAY_HERE) != 0,
	};
	return l;
}

static void say_links(const struct engine *e, const struct user *u, struct peer_scratch *s,
		      struct peer_user *out)
{
	out->links = s->links;
	for (uint32_t c = links_first(u->link_plus1); c != LINK_NONE; c = links_next(&e->links, c)) {
		const struct link *link = links_at(&e->links, c);
		struct peer_link *l = next_link(e, s, out, link->device);

		if (l == NULL)
			return;
		l->key = e->sink->key(e->sink->ctx, c);
		l->connected_at = link->connected_at;
		l->dialect = link->dialect;
	}
	for (uint32_t d = list_first(&u->devices); d != POOL_NONE;
	     d = list_next(&e->devices.cells, DEVICES_OF_USER, d))
		if (device_pinned(devices_at(&e->devices, d)))
			next_link(e, s, out, d);
}

/* --- rooms --- */

static void say_rooms_of(const struct engine *e, const struct list *interests, struct peer_scratch *s,
			 uint32_t *n)
{
	for (uint32_t i = list_first(interests); i != POOL_NONE && *n < PEER_ROOMS_MAX;
	     i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i)) {
		const struct interest *it = interests_at(&e->interests, i);
		struct str id;
		uint32_t known = 0;

		if (it->kind == INTEREST_USER)
			continue;
		id = rooms_id(&e->rooms, it->target);
		while (known < *n && s->rooms[known].p != id.p) /* one room, one place where its id lies */
			known++;
		if (known == *n)
			s->rooms[(*n)++] = id;
	}
}

static void say_rooms(const struct engine *e, const struct user *u, struct peer_scratch *s,
		      struct peer_user *out)
{
	const struct profile *p = users_profile(&e->users, u);
	uint32_t n = 0;

	for (uint32_t c = links_first(u->link_plus1); c != LINK_NONE; c = links_next(&e->links, c))
		say_rooms_of(e, &links_at(&e->links, c)->interests, s, &n);
	if (p != NULL && out->link_count > 0)
		say_rooms_of(e, &p->haunts, s, &n);
	out->rooms = (struct strs){ s->rooms, n };
}

/* --- what the user set --- */

static void say_profile(const struct engine *e, const struct user *u, struct now now,
			struct peer_profile *out)
{
	const struct profile *p = users_profile(&e->users, u);

	*out = (struct peer_profile){
		.custom_expires = WALL_NONE, .shown_expires = WALL_NONE, .shown_last_seen = WALL_NONE,
	};
	if (p == NULL || p->version == 0)
		return;
	out->version = p->version;
	out->override = (enum status)u->override;
	out->mark = (enum status)p->mark;
	out->mark_version = p->mark_version;
	out->marked_ago_ms = p->mark_version == 0 ? 0 : now.mono.ms - p->mark_ms;
	out->override_by = u->override == STATUS_OFFLINE ? 0 : p->override_by;
	out->custom = strpool_get(&e->users.texts, p->custom);
	out->custom_expires = p->custom_expires;
	out->metadata = strpool_get(&e->users.texts, p->metadata);
	if (u->override != STATUS_INVISIBLE)
		return;
	out->shown_custom = strpool_get(&e->users.texts, p->shown_custom);
	out->shown_metadata = strpool_get(&e->users.texts, p->shown_metadata);
	out->shown_expires = p->shown_expires;
	out->shown_last_seen = p->shown_last_seen;
	out->hidden_for_ms = now.mono.ms - p->hidden_ms;
}

/* Whoever hears of it later than others starts the debounce later, but not anew. */
static int64_t left_ago_ms(const struct engine *e, const struct user *u, struct now now)
{
	int64_t ago_ms = now.mono.ms - u->offline_ms + e->config.offline_debounce_ms;

	/* In the debounce offline_ms is its end, afterwards when it ended. */
	return u->device_count > 0 || wall_absent(u->last_seen) || ago_ms < 0 ? 0 : ago_ms;
}

/* --- the doors --- */

bool engine_peer_say(const struct engine *e, uint32_t user, struct now now, struct peer_scratch *s,
		     struct peer_user *out)
{
	const struct user *u;

	if (!users_live(&e->users, user) || users_old(&e->users, user, now.mono))
		return false;
	u = users_at(&e->users, user);
	*out = (struct peer_user){
		.user_id = users_id(&e->users, user), .username = users_name_shown(&e->users, u),
		.last_seen = u->last_seen, .left_ago_ms = left_ago_ms(e, u, now),
	};
	say_links(e, u, s, out);
	if (e->config.audience_rooms)
		say_rooms(e, u, s, out);
	say_profile(e, u, now, &out->profile);
	return true;
}

/* Of what others host a newcomer hears from them; of who left, and is remembered, from everybody. */
uint32_t engine_peer_next(const struct engine *e, uint32_t *cursor)
{
	const struct users *us = &e->users;

	for (; *cursor < us->cells.high; ++*cursor) {
		const struct user *u;
		const struct profile *p;

		if (!users_live(us, *cursor))
			continue;
		u = users_at(us, *cursor);
		p = users_profile(us, u);
		if ((p != NULL && p->version != 0) || engine_peer_is_local(e, *cursor) ||
		    (u->device_count == 0 && !wall_absent(u->last_seen)))
			return (*cursor)++;
	}
	return UINT32_MAX;
}

/* By number: in the map others move when one goes. */
bool engine_peer_room_next(const struct engine *e, uint32_t *cursor, struct str *room)
{
	const struct rooms *rs = &e->rooms;

	for (; *cursor < rs->cells.high; ++*cursor) {
		if (rs->live[*cursor] == 0 || rooms_at(rs, *cursor)->members.count == 0)
			continue;
		*room = rooms_id(rs, (*cursor)++);
		return true;
	}
	return false;
}

/* --- who hosts whom --- */

uint64_t engine_peer_hosts(const struct engine *e, uint32_t user)
{
	return users_live(&e->users, user) ? pass_hosts(e, user) : 0;
}

bool engine_peer_is_local(const struct engine *e, uint32_t user)
{
	const struct user *u;

	if (!users_live(&e->users, user))
		return false;
	u = users_at(&e->users, user);
	if (u->links > 0)
		return true;
	for (uint32_t d = list_first(&u->devices); d != POOL_NONE;
	     d = list_next(&e->devices.cells, DEVICES_OF_USER, d))
		if (device_pinned(devices_at(&e->devices, d)))
			return true;
	return false;
}

uint32_t engine_user_find(const struct engine *e, struct str user_id)
{
	return users_find(&e->users, user_id);
}

bool engine_user_view(const struct engine *e, uint32_t user, struct presence_view *out, struct now now)
{
	if (!users_live(&e->users, user))
		return false;
	users_view(&e->users, user, false, now, out);
	return true;
}

uint32_t engine_peer_users(const struct engine *e, uint32_t peer)
{
	assert(peer <= PEERS_MAX);
	return e->shares.peers[peer].users;
}
