/*
 * presence/pass.h: how the engine speaks to its peers (peer.h); nothing when it has none.
 */
#ifndef PRESENCE_PASS_H
#define PRESENCE_PASS_H

#include "presence/peer.h"
#include "presence/state.h"

/* What this node says of the user is to be said again. */
void pass_changed(const struct engine *e, uint32_t user);

/* The user's presence, or the roster, was told to this node's connections. */
void pass_shown(const struct engine *e, uint32_t user);
void pass_roster(const struct engine *e);

/* To all other nodes, to those with members in the room, to the nodes of a set (0: nothing is sent). */
void pass_to_all(const struct engine *e, const struct peer_message *);
void pass_to_room(const struct engine *e, struct str room, const struct peer_message *);
void pass_to_nodes(const struct engine *e, uint64_t nodes, const struct peer_message *);

/* The nodes that host any of them: connections, or devices. */
uint64_t pass_hosts(const struct engine *e, uint32_t user);
uint64_t pass_hosts_of(const struct engine *e, const struct strs *ids);

#endif
