/*
 * presence/shares.c: see shares.h.
 *
 * Invariants: a user has at most one share of a peer; a share has at least one remote, and each of its
 * remotes counts as one link of its device.
 */
#include "presence/shares.h"

#include "presence/state.h"
#include "presence/user_devices.h"

void shares_init(struct shares *ss, struct region *r, uint32_t remotes_max)
{
	pool_init(&ss->cells, r, sizeof(struct share), remotes_max);
	pool_init(&ss->remotes, r, sizeof(struct remote), remotes_max);
}

uint32_t shares_find(const struct engine *e, uint32_t user, uint32_t peer)
{
	uint32_t i = shares_first(users_at(&e->users, user)->share_plus1);

	while (i != POOL_NONE && shares_at(&e->shares, i)->peer != peer)
		i = shares_next(&e->shares, i);
	return i;
}

/* A share has at least one remote, but while it is told. */
struct remote *shares_each(const struct engine *e, uint32_t user, struct shares_walk *walk)
{
	const struct shares *ss = &e->shares;
	struct remote *r;

	while (walk->remote_plus1 == 0) {
		walk->share_plus1 = walk->begun ? shares_at(ss, walk->share_plus1 - 1)->next_plus1
						: users_at(&e->users, user)->share_plus1;
		walk->begun = true;
		if (walk->share_plus1 == 0)
			return NULL;
		walk->peer = shares_at(ss, walk->share_plus1 - 1)->peer;
		walk->remote_plus1 = shares_at(ss, walk->share_plus1 - 1)->remotes_plus1;
	}
	r = shares_remote(ss, walk->remote_plus1 - 1);
	walk->remote_plus1 = r->next_plus1;
	return r;
}

uint32_t shares_connections(const struct engine *e, uint32_t user)
{
	struct shares_walk walk = { 0 };
	const struct remote *r;
	uint32_t n = 0;

	while ((r = shares_each(e, user, &walk)) != NULL)
		n += r->key != 0;
	return n;
}

/* --- remotes --- */

static uint32_t find_remote(const struct engine *e, const struct share *s, const struct peer_link *l)
{
	const struct shares *ss = &e->shares;
	char buf[HEX_U64_BYTES];

	for (uint32_t r = s->remotes_plus1 - 1; r != POOL_NONE; r = shares_remote(ss, r)->next_plus1 - 1)
		if (shares_remote(ss, r)->key == l->key &&
		    str_eq(devices_id(&e->devices, shares_remote(ss, r)->device, buf), l->device_id))
			return r;
	return POOL_NONE;
}

/* An id that was generated for that connection needs not be stored. */
static struct str stored_id(const struct peer_link *l)
{
	uint64_t key;

	return hex_get_u64(l->device_id, &key) && key == l->key ? STR_NONE : l->device_id;
}

static bool add_remote(struct engine *e, struct share *s, const struct peer_link *l)
{
	uint32_t r = pool_take(&e->shares.remotes), device;

	if (r == POOL_NONE)
		return false;
	device = devices_find(&e->devices, &users_at(&e->users, s->user)->devices, l->device_id);
	if (device == POOL_NONE)
		device = user_devices_need(e, s->user, stored_id(l), l->key);
	else
		devices_keep_id(&e->devices, device);
	if (device == POOL_NONE) {
		pool_give(&e->shares.remotes, r);
		return false;
	}
	device_add_link(devices_at(&e->devices, device));
	*shares_remote(&e->shares, r) = (struct remote){
		.key = l->key, .connected_at = l->connected_at, .device = device,
		.next_plus1 = s->remotes_plus1, .dialect = l->dialect, .away = l->away, .told = true,
	};
	s->remotes_plus1 = r + 1;
	return true;
}

/* Takes away what was not told. */
static void drop_untold(struct engine *e, struct share *s)
{
	uint32_t *from = &s->remotes_plus1;

	while (*from != 0) {
		uint32_t r = *from - 1;
		struct remote *remote = shares_remote(&e->shares, r);

		if (remote->told) {
			remote->told = false;
			from = &remote->next_plus1;
			continue;
		}
		*from = remote->next_plus1;
		device_drop_link(devices_at(&e->devices, remote->device));
		user_devices_weigh(e, s->user, remote->device);
		user_devices_free_unused(e, s->user, remote->device);
		pool_give(&e->shares.remotes, r);
	}
}

/* --- shares --- */

static uint32_t make(struct engine *e, uint32_t peer, uint32_t user)
{
	struct user *u = users_at(&e->users, user);
	uint32_t i = pool_take(&e->shares.cells);

	if (i == POOL_NONE)
		return POOL_NONE;
	*shares_at(&e->shares, i) = (struct share){
		.user = user, .next_plus1 = u->share_plus1, .peer = (uint8_t)peer,
	};
	u->share_plus1 = i + 1;
	list_push(&e->shares.peers[peer].list, &e->shares.cells, SHARES_OF_PEER, i);
	e->shares.peers[peer].users++;
	return i;
}

static void end(struct engine *e, uint32_t i)
{
	struct share *s = shares_at(&e->shares, i);
	uint32_t *from = &users_at(&e->users, s->user)->share_plus1;

	assert(s->remotes_plus1 == 0);
	interests_leave_haunts(e, s->user, &s->rooms);
	while (*from != i + 1)
		from = &shares_at(&e->shares, *from - 1)->next_plus1;
	*from = s->next_plus1;
	list_remove(&e->shares.peers[s->peer].list, &e->shares.cells, SHARES_OF_PEER, i);
	assert(e->shares.peers[s->peer].users > 0);
	e->shares.peers[s->peer].users--;
	pool_give(&e->shares.cells, i);
}

/* The newest is the last: what is not told again comes to the front. */
static void stamp(struct engine *e, uint32_t i)
{
	struct share *s = shares_at(&e->shares, i);
	struct list *list = &e->shares.peers[s->peer].list;

	s->round = e->shares.peers[s->peer].round;
	if (list->last_plus1 != i + 1) {
		list_remove(list, &e->shares.cells, SHARES_OF_PEER, i);
		list_push(list, &e->shares.cells, SHARES_OF_PEER, i);
	}
}

static bool put_links(struct engine *e, struct share *s, const struct peer_user *p)
{
	bool all = true;

	for (uint32_t i = 0; i < p->link_count; i++) {
		uint32_t r = find_remote(e, s, &p->links[i]);

		if (r != POOL_NONE)
			shares_remote(&e->shares, r)->told = true;
		else
			all = add_remote(e, s, &p->links[i]) && all;
	}
	drop_untold(e, s);
	for (uint32_t i = 0; i < p->link_count; i++) {
		uint32_t r = find_remote(e, s, &p->links[i]);

		if (r == POOL_NONE)
			continue;
		shares_remote(&e->shares, r)->away = p->links[i].away;
		user_devices_weigh(e, s->user, shares_remote(&e->shares, r)->device);
	}
	return all;
}

bool shares_put(struct engine *e, uint32_t peer, uint32_t user, const struct peer_user *p)
{
	uint32_t i = shares_find(e, user, peer);
	struct share *s;
	bool all;

	if (i == POOL_NONE && p->link_count == 0)
		return true;
	if (i == POOL_NONE)
		i = make(e, peer, user);
	if (i == POOL_NONE)
		return false;
	stamp(e, i);
	s = shares_at(&e->shares, i);
	all = put_links(e, s, p);
	if (s->remotes_plus1 == 0)
		end(e, i);
	return all;
}

/* --- validity --- */

static bool share_valid(const struct engine *e, uint32_t i, uint32_t *remotes)
{
	const struct share *s = shares_at(&e->shares, i);
	const struct user *u = users_at(&e->users, s->user);

	if (shares_find(e, s->user, s->peer) != i || s->remotes_plus1 == 0 || (u->flags & USER_PRESENT) == 0)
		return false;
	for (uint32_t r = s->remotes_plus1 - 1; r != POOL_NONE;
	     r = shares_remote(&e->shares, r)->next_plus1 - 1)
		if (++*remotes > pool_used(&e->shares.remotes) || shares_remote(&e->shares, r)->told)
			return false;
	return true;
}

bool shares_valid(const struct engine *e)
{
	uint32_t shares = 0, remotes = 0;

	for (uint32_t peer = 0; peer <= PEERS_MAX; peer++) {
		uint32_t users = 0;

		for (uint32_t i = list_first(&e->shares.peers[peer].list); i != POOL_NONE;
		     i = list_next(&e->shares.cells, SHARES_OF_PEER, i), users++)
			if (shares_at(&e->shares, i)->peer != peer || !share_valid(e, i, &remotes))
				return false;
		if (users != e->shares.peers[peer].users)
			return false;
		shares += users;
	}
	return shares == pool_used(&e->shares.cells) && remotes == pool_used(&e->shares.remotes) &&
	       pool_valid(&e->shares.cells) && pool_valid(&e->shares.remotes);
}
