/*
 * presence/shares.h: what other nodes host of users: their connections and devices there, and the rooms they
 * are in through that node.
 *
 * A share is what one peer said last of one user. It holds the user's devices as the user's own links do, so
 * that whoever asks whether a user is present need not know where. Shares of a peer are in the order in which
 * they were told, so that those it has not told again are found at the front of the list.
 */
#ifndef PRESENCE_SHARES_H
#define PRESENCE_SHARES_H

#include "base/list.h"
#include "base/pool.h"
#include "presence/peer.h"

#include <stdint.h>

/* A connection, or a device without one, at another node. */
struct remote {
	uint64_t key;             /* of the connection; 0: none */
	wall_t connected_at;
	uint32_t device, next_plus1; /* of the share */
	uint8_t dialect;
	bool away;                /* its device, as that node says */
	bool told;                /* scratch while a telling is compared with what was there */
};

struct share {
	uint32_t user;
	uint32_t next_plus1;      /* of the user's shares */
	struct list_link of_peer;
	uint32_t remotes_plus1;   /* at least one */
	struct list rooms;        /* haunts of the user (interests.h) */
	uint16_t round;           /* of the telling */
	uint8_t peer;
};

static_assert(sizeof(struct share) <= 40, "there is one per user elsewhere");
#define SHARES_OF_PEER offsetof(struct share, of_peer)

struct shares {
	struct pool cells, remotes;
	struct {
		struct list list;
		uint32_t users;
		uint16_t round;
		bool tells_all;   /* from engine_peer_begin() until what it left out was swept */
	} peers[PEERS_MAX + 1];
};

/* Room for `remotes_max` connections elsewhere; 0: this engine is alone. */
void shares_init(struct shares *ss, struct region *r, uint32_t remotes_max);

static inline struct share *shares_at(const struct shares *ss, uint32_t i)
{
	return (struct share *)pool_at(&ss->cells, i);
}

static inline struct remote *shares_remote(const struct shares *ss, uint32_t i)
{
	return (struct remote *)pool_at(&ss->remotes, i);
}

/* The shares of one user: for (i = shares_first(u->share_plus1); i != POOL_NONE; i = shares_next(ss, i)) */
static inline uint32_t shares_first(uint32_t share_plus1)
{
	return share_plus1 - 1;
}

static inline uint32_t shares_next(const struct shares *ss, uint32_t i)
{
	return shares_at(ss, i)->next_plus1 - 1;
}

/*
 * What other nodes host of a user, one after another, from a zeroed walk: NULL after the last. None may come
 * or go meanwhile.
 */
struct shares_walk {
	uint32_t share_plus1, remote_plus1;
	uint8_t peer;             /* whose the last one is */
	bool begun;
};
struct remote *shares_each(const struct engine *e, uint32_t user, struct shares_walk *walk);

/* Connections (with a key) of the user at other nodes. */
uint32_t shares_connections(const struct engine *e, uint32_t user);

/*
 * Makes the peer's share of the user what was told: devices come and go, nothing is announced. Without links
 * the share ends; then its rooms stay haunts of the user until the end of the debounce was told. False: there
 * was no room for all of it.
 */
bool shares_put(struct engine *e, uint32_t peer, uint32_t user, const struct peer_user *);

/* The peer's share of the user; POOL_NONE when there is none. */
uint32_t shares_find(const struct engine *e, uint32_t user, uint32_t peer);

bool shares_valid(const struct engine *e);

#endif
