/*
 * presence/hear.c: what peers say is taken in; see peer.h.
 *
 * Invariants: whatever a peer says, in whatever order and however often, the engine stays valid; it says
 * nothing of its own connections that this node would have to believe.
 */
#include "presence/announce.h"
#include "presence/calls_afar.h"
#include "presence/pass.h"
#include "presence/receipts.h"
#include "presence/status.h"
#include "presence/stay.h"
#include "presence/typing.h"
#include "presence/user_devices.h"

/* --- users --- */

/* A peer's clock may be ahead: nobody was seen in the future. */
static void see(struct user *u, wall_t seen, struct now now)
{
	if (seen.ms > now.wall.ms)
		seen = now.wall;
	if (u->last_seen.ms < seen.ms)
		u->last_seen = seen;
}

/* One of whom nothing was known here left some time ago, not now. */
static void date_leaving(const struct engine *e, struct user *u, int64_t left_ago_ms, struct now now)
{
	int64_t over_ms = left_ago_ms - e->config.offline_debounce_ms;

	u->offline_ms = now.mono.ms - (over_ms > 0 ? over_ms : 0);
}

/* What is left of the debounce of one whose last device went, as a peer says. */
static int64_t debounce_left_ms(const struct engine *e, const struct peer_user *p)
{
	int64_t all_ms = e->config.offline_debounce_ms, left_ms = all_ms - p->left_ago_ms;

	if (left_ms < p->grace_ms)
		left_ms = p->grace_ms;
	return left_ms < all_ms ? left_ms : all_ms;
}

static uint64_t version_of(const struct engine *e, uint32_t user)
{
	const struct profile *p = users_profile(&e->users, users_at(&e->users, user));

	return p == NULL ? 0 : p->version;
}

/*
 * What the user set. A host that knows less has forgotten it, or never knew: who is asked there would see
 * something else for good, so it is told. So it is when one who is no host knew more, and tells us of long
 * ago: until the host asks there it may be forgotten.
 */
static bool put_profile(struct engine *e, uint32_t peer, uint32_t user, const struct peer_user *p,
			struct now now)
{
	struct user *u = users_at(&e->users, user);
	uint64_t before = version_of(e, user);
	bool all = status_hear(e, user, &p->profile, now);

	if ((u->flags & USER_PRESENT) == 0 && version_of(e, user) > before) /* as where it was set */
		u->offline_ms = now.mono.ms;
	if (peer != PEER_OUTSIDE && version_of(e, user) > p->profile.version && p->link_count > 0)
		pass_changed(e, user);
	if (e->shares.peers[peer].tells_all && version_of(e, user) > before && p->link_count == 0 &&
	    shares_first(u->share_plus1) != POOL_NONE)
		pass_changed(e, user);
	/* Who remembers may have been forgetting in between, because we said that nothing is set. */
	if (before == 0 && version_of(e, user) > 0 && engine_peer_is_local(e, user))
		pass_changed(e, user);
	return all;
}

/* The rooms of the share become those that were told; those in a new one hear of the user. */
static bool put_rooms(struct engine *e, uint32_t user, uint32_t share, const struct strs *rooms,
		      struct now now)
{
	struct list *haunts = &shares_at(&e->shares, share)->rooms;
	bool all = true;
	uint32_t i, next;

	for (i = list_first(haunts); i != POOL_NONE; i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i))
		interests_at(&e->interests, i)->pos = HAUNT_OLD;
	for (uint32_t n = 0; n < rooms->n; n++) {
		uint32_t room = rooms_make(&e->rooms, rooms->v[n]);

		i = room == MAP_NONE ? POOL_NONE : interests_haunt_in(e, haunts, room);
		if (i != POOL_NONE && interests_at(&e->interests, i)->pos == HAUNT_OLD) {
			interests_at(&e->interests, i)->pos = HAUNT_KEPT;
		} else if (i == POOL_NONE && room != MAP_NONE) {
			all = interests_add_haunt(e, user, haunts, room) && all;
			rooms_settle(&e->rooms, room);
		}
		all = all && room != MAP_NONE;
	}
	announce_entering(e, user, now);
	for (i = list_first(haunts); i != POOL_NONE; i = next) {
		next = list_next(&e->interests.cells, INTERESTS_OF_LINK, i);
		if (interests_at(&e->interests, i)->pos == HAUNT_OLD)
			interests_end_haunt(e, haunts, i);
		else
			interests_at(&e->interests, i)->pos = HAUNT_KEPT;
	}
	return all;
}

/*
 * The peer shows the user as online: they are with a third, who was not heard yet, or were with the peer a
 * moment ago. To say here that they are offline, because of what they set, would be a guess.
 */
static bool is_online_there(const struct engine *e, const struct user *u, const struct peer_user *p)
{
	return (u->flags & USER_PRESENT) == 0 && p->link_count == 0 && !wall_absent(p->last_seen) &&
	       (p->left_ago_ms == 0 || p->left_ago_ms < e->config.offline_debounce_ms);
}

/* While nothing was heard of the peer the user came there and left: that is the debounce that counts. */
static bool was_there_unheard(const struct engine *e, const struct peer_user *p)
{
	return e->peers_lost && p->left_ago_ms > 0 && p->left_ago_ms < e->config.offline_debounce_ms;
}

static enum engine_status put_user(struct engine *e, uint32_t peer, uint32_t user, const struct peer_user *p,
				   struct now now)
{
	struct user *u = users_at(&e->users, user);
	struct announce_state before = announce_state_of(e, user);
	bool counts = u->device_count > 0 || was_there_unheard(e, p), all = true;
	bool is_new = (u->flags & USER_PRESENT) == 0 && wall_absent(u->last_seen);
	uint32_t share;

	if (p->link_count > 0 || is_new) /* who is gone has no newer name there */
		all = users_rename(&e->users, user, p->username);
	all = put_profile(e, peer, user, p, now) && all;
	if (is_online_there(e, u, p))
		announce_hush(e, user);
	if (is_new)
		date_leaving(e, u, p->left_ago_ms, now);
	see(u, p->last_seen, now);
	all = shares_put(e, peer, user, p) && all;
	calls_afar_hear_share(e, user, now);
	stay_elsewhere(e, user, counts ? debounce_left_ms(e, p) : -1, &before, now);
	share = shares_find(e, user, peer);
	if (e->config.audience_rooms && share != POOL_NONE)
		all = put_rooms(e, user, share, &p->rooms, now) && all;
	return all ? ENGINE_OK : ENGINE_FULL;
}

/* Nothing that is worth a record. */
static bool says_nothing(const struct engine *e, const struct peer_user *p)
{
	int64_t ttl_ms = e->config.presence_ttl_ms;
	int64_t over_ms = p->left_ago_ms - e->config.offline_debounce_ms;
	bool recent = !wall_absent(p->last_seen) && (ttl_ms == 0 || over_ms < ttl_ms);

	return p->link_count == 0 && !recent && p->profile.override == STATUS_OFFLINE &&
	       str_absent(p->profile.custom) && str_absent(p->profile.metadata);
}

enum engine_status engine_peer_user(struct engine *e, uint32_t peer, const struct peer_user *p,
				    struct now now)
{
	uint32_t user = users_find(&e->users, p->user_id);
	enum engine_status status;

	assert(peer <= PEERS_MAX && p->link_count <= PEER_LINKS_MAX && p->rooms.n <= PEER_ROOMS_MAX);
	if (user == MAP_NONE && says_nothing(e, p))
		return ENGINE_OK;
	if (user == MAP_NONE)
		user = users_make(&e->users, p->user_id);
	if (user == MAP_NONE)
		return ENGINE_FULL;
	users_blank_if_old(&e->users, user, now.mono);
	users_pin(&e->users, user); /* room for a text may be made at the expense of others only */
	users_settle(&e->users, user);
	status = put_user(e, peer, user, p, now);
	users_unpin(&e->users, user);
	users_settle(&e->users, user);
	return status;
}

/* --- all users of a peer --- */

void engine_peers_lost(struct engine *e, bool lost)
{
	e->peers_lost = lost;
}

void engine_peer_begin(struct engine *e, uint32_t peer)
{
	assert(peer <= PEERS_MAX);
	e->shares.peers[peer].round++;
	e->shares.peers[peer].tells_all = true;
}

bool engine_peer_sweep(struct engine *e, uint32_t peer, uint32_t max, struct now now)
{
	uint16_t round = e->shares.peers[peer].round;
	uint32_t i = list_first(&e->shares.peers[peer].list);
	wall_t seen = peer == PEER_OUTSIDE ? WALL_NONE : now.wall; /* as their node may have shown them */

	assert(peer <= PEERS_MAX);
	for (; i != POOL_NONE && shares_at(&e->shares, i)->round != round && max > 0; max--) {
		uint32_t user = shares_at(&e->shares, i)->user;
		struct peer_user none = {
			.user_id = users_id(&e->users, user), .last_seen = seen,
		};

		users_pin(&e->users, user);
		put_user(e, peer, user, &none, now);
		users_unpin(&e->users, user);
		users_settle(&e->users, user);
		i = list_first(&e->shares.peers[peer].list);
	}
	e->shares.peers[peer].tells_all = i != POOL_NONE && shares_at(&e->shares, i)->round != round;
	return e->shares.peers[peer].tells_all;
}

/* --- what is told once --- */

/* Closes the user's connection of that key, or all of them. */
static void hear_close(struct engine *e, uint32_t user, bool all, uint64_t key, enum engine_close why,
		       struct now now)
{
	uint32_t c = links_first(users_at(&e->users, user)->link_plus1), next;

	for (; c != LINK_NONE; c = next) {
		next = links_next(&e->links, c);
		if (!all && e->sink->key(e->sink->ctx, c) != key)
			continue;
		stay_detach(e, c, now);
		e->sink->close(e->sink->ctx, c, why);
	}
}

static void hear_of_user(struct engine *e, uint32_t peer, uint32_t user, const struct peer_message *m,
			 struct now now)
{
	switch (m->type) {
	case PEER_TYPING:
		typing_hear(e, user, m, now);
		return;
	case PEER_RECEIPT:
		receipts_hear(e, user, m, now);
		return;
	case PEER_CLOSE:
		hear_close(e, user, false, m->key, ENGINE_CLOSE_REPLACED, now);
		return;
	case PEER_KICK:
		hear_close(e, user, m->key == 0, m->key, ENGINE_CLOSE_KICKED, now);
		return;
	case PEER_CALL_OFFER:
	case PEER_CALL_RANG:
	case PEER_CALL_ANSWER:
	case PEER_CALL_ANSWERED:
	case PEER_CALL_ICE:
	case PEER_CALL_ENDED:
		calls_afar_hear(e, peer, user, m, now);
		return;
	case PEER_BROADCAST:
	case PEER_MESSAGE_COUNT:
		assert(false);
	}
}

/* Somebody may type or read through REST whom nobody has seen online, or call before it is told that they
 * came: of such a one a record is made for the moment. */
void engine_peer_message(struct engine *e, uint32_t peer, const struct peer_message *m, struct now now)
{
	bool may_be_new = m->type == PEER_TYPING || m->type == PEER_RECEIPT || m->type == PEER_CALL_OFFER;
	uint32_t user;

	assert(peer < PEERS_MAX && m->type < PEER_MESSAGE_COUNT);
	if (m->type == PEER_BROADCAST) {
		engine_broadcast_local(e, m->broadcast, now);
		return;
	}
	user = may_be_new ? users_make(&e->users, m->user_id) : users_find(&e->users, m->user_id);
	if (user == MAP_NONE)
		return;
	users_pin(&e->users, user);
	users_settle(&e->users, user);
	hear_of_user(e, peer, user, m, now);
	users_unpin(&e->users, user);
	users_settle(&e->users, user);
}
