/* presence/pass.c: see pass.h. */
#include "presence/pass.h"

void pass_changed(const struct engine *e, uint32_t user)
{
	if (e->config.peers != NULL)
		e->config.peers->changed(e->config.peers->ctx, user);
}

void pass_shown(const struct engine *e, uint32_t user)
{
	if (e->config.peers != NULL)
		e->config.peers->shown(e->config.peers->ctx, user);
}

void pass_roster(const struct engine *e)
{
	if (e->config.peers != NULL)
		e->config.peers->roster(e->config.peers->ctx);
}

static void pass(const struct engine *e, const struct peer_address *to, const struct peer_message *m)
{
	if (e->config.peers != NULL)
		e->config.peers->tell(e->config.peers->ctx, to, m);
}

void pass_to_all(const struct engine *e, const struct peer_message *m)
{
	pass(e, &(struct peer_address){ .all = true }, m);
}

void pass_to_room(const struct engine *e, struct str room, const struct peer_message *m)
{
	pass(e, &(struct peer_address){ .room = room }, m);
}

void pass_to_nodes(const struct engine *e, uint64_t nodes, const struct peer_message *m)
{
	if (nodes != 0)
		pass(e, &(struct peer_address){ .nodes = nodes }, m);
}

uint64_t pass_hosts(const struct engine *e, uint32_t user)
{
	uint64_t nodes = 0;

	for (uint32_t i = shares_first(users_at(&e->users, user)->share_plus1); i != POOL_NONE;
	     i = shares_next(&e->shares, i))
		if (shares_at(&e->shares, i)->peer < PEERS_MAX)
			nodes |= UINT64_C(1) << shares_at(&e->shares, i)->peer;
	return nodes;
}

uint64_t pass_hosts_of(const struct engine *e, const struct strs *ids)
{
	uint64_t nodes = 0;

	for (uint32_t i = 0; e->config.peers != NULL && i < ids->n; i++) {
		uint32_t user = users_find(&e->users, ids->v[i]);

		if (user != MAP_NONE)
			nodes |= pass_hosts(e, user);
	}
	return nodes;
}
