/*
 * presence/peer.h: what engines tell each other, so that many are one to their users.
 *
 * Engines share nothing. Each is the only one to say which connections it has; presence is the union of what
 * all say, so it needs no leader and no order between nodes. What a user set about themselves is
 * everybody's: the highest version wins (a Lamport clock [Lamport 1978], ties broken by the node), never a
 * clock on a wall. Everything that is told is whole and can be told again: telling twice, or late, changes
 * nothing.
 *
 * struct peerlink is how an engine speaks; engine_peer_*() is how it hears. Who carries it between the two
 * (Redis, another thread's ring, a test) decides what a peer's number means: 0 .. PEERS_MAX - 1, dense, and
 * given again only after engine_peer_sweep() took away all that the former bearer had told.
 */
#ifndef PRESENCE_PEER_H
#define PRESENCE_PEER_H

#include "base/clock.h"
#include "base/str.h"
#include "presence/command.h"
#include "presence/engine.h"

struct broadcast;

enum {
	PEERS_MAX = 64,         /* other nodes: a set of them is a uint64_t */
	PEER_OUTSIDE = PEERS_MAX, /* other programs that say who is online */
	PEER_LINKS_MAX = 64,    /* connections and devices of one user that are told of, no more */
	PEER_ROOMS_MAX = 256,   /* rooms of one user that are told of */
	PEER_BODY_BYTES_MAX = 61440, /* of a call's body that is told; above: 413 to who sends it. Escaped as
	                              * JSON in a string it may double, and has to go into a letter */
};

/* One connection of a user, or a device of REST. */
struct peer_link {
	struct str device_id;
	uint64_t key;           /* of the connection (its id is the 16 hex digits); 0: a device without one */
	wall_t connected_at;    /* WALL_NONE without a connection */
	uint8_t dialect;
	bool away;              /* its device is */
};

/* What a user set about themselves. */
struct peer_profile {
	uint64_t version;       /* 0: nothing was ever set, and nothing else counts */
	enum status override;   /* STATUS_BUSY, DND, INVISIBLE; STATUS_OFFLINE: none */
	enum status mark;       /* what all devices were marked last: STATUS_ONLINE or STATUS_AWAY;
	                         * STATUS_OFFLINE: they never were */
	uint64_t mark_version;  /* that this came with, at most `version`; 0: never */
	int64_t marked_ago_ms;  /* who came since then is not marked */
	uint32_t override_by;   /* hash of the id of the device that set it; 0: none did */
	struct str custom;      /* absent: none */
	wall_t custom_expires;  /* WALL_NONE: never */
	struct str metadata;    /* raw JSON object; absent: none */
	/* What others see of one who is invisible. */
	struct str shown_custom, shown_metadata;
	wall_t shown_expires, shown_last_seen;
	int64_t hidden_for_ms;
};

/* All that one node says of one user. */
struct peer_user {
	struct str user_id;
	struct str username;    /* as others know it; absent: none was given, or it is not known */
	wall_t last_seen;       /* WALL_NONE: never */
	int64_t left_ago_ms;    /* since the last device there was anywhere went; 0: there is one, or none was
	                         * ever known */
	int64_t grace_ms;       /* not told: others may still say that the user is with them, so not offline
	                         * sooner than in so long */
	const struct peer_link *links; /* that the node hosts; none: nothing keeps the user there */
	uint32_t link_count;
	struct strs rooms;      /* with audience=rooms: where the user is through that node */
	struct peer_profile profile;
};

enum peer_message_type {
	PEER_TYPING,        /* user, room, kind, is_typing; users: to these; none: to the room */
	PEER_RECEIPT,       /* user: the reader; room, kind, is_read, messages; users: to these;
	                     * none: to the room, but not to target, who is told apart */
	PEER_BROADCAST,     /* broadcast */
	PEER_CLOSE,         /* the connection `key` of user has to make room for a newer one */
	PEER_KICK,          /* all connections of user, or the one of `key`: an operator wants it */
	PEER_CALL_OFFER,    /* user: caller, device_id; target: callee; call_id, body */
	PEER_CALL_RANG,     /* user: the caller; target: the callee; call_id; count: connections that ring, or
	                     * have it still */
	PEER_CALL_ANSWER,   /* user: the callee; target: the caller; call_id, key: the connection, body */
	PEER_CALL_ANSWERED, /* user: the caller; target: the callee; call_id; key: who has it, or has
	                     * it still */
	PEER_CALL_ICE,      /* user: from whom; target: to whom; call_id, body */
	PEER_CALL_ENDED,    /* user: from whom; target: to whom; call_id, text: why */
	PEER_MESSAGE_COUNT
};

/* What is told once and not kept: it goes to those who are there. Slices borrow, as an event's do. */
struct peer_message {
	enum peer_message_type type;
	struct str user_id, target;
	struct str device_id;
	uint64_t key;
	struct str room;
	enum room_kind kind;
	bool is_typing, is_read;
	struct strs users, messages;
	struct str call_id, body, text;
	uint32_t count;
	const struct broadcast *broadcast;
};

/* To whom: exactly one of these. */
struct peer_address {
	bool all;               /* every other node */
	struct str room;        /* those with members in it; absent: not by room */
	uint64_t nodes;         /* bit n: peer n */
};

/* How an engine speaks. Nothing here may call back into the engine. */
struct peerlink {
	void *ctx;
	/* engine_peer_say() would say something else of this user than it did: tell it, soon and once. */
	void (*changed)(void *ctx, uint32_t user);
	/* There is no user of that number any more: whatever of it still waits to be told cannot be. */
	void (*forgotten)(void *ctx, uint32_t user);
	/* The user's presence was broadcast to this node's connections: debounced, and as often as the rate
	 * allows. */
	void (*shown)(void *ctx, uint32_t user);
	/* So was the set of users that are online. */
	void (*roster)(void *ctx);
	/* The first connection of this node entered the room, or the last one left. */
	void (*room)(void *ctx, struct str room, bool wanted);
	void (*tell)(void *ctx, const struct peer_address *, const struct peer_message *);
};

/* --- what this node says --- */

/* Room for what engine_peer_say() lends. */
struct peer_scratch {
	struct peer_link links[PEER_LINKS_MAX];
	char device_ids[PEER_LINKS_MAX][16];
	struct str rooms[PEER_ROOMS_MAX];
};

/*
 * What this node says of user number `user`; views live until the engine's next call. False: there is no such
 * user (any more), or what is remembered of them does not count any more.
 */
bool engine_peer_say(const struct engine *, uint32_t user, struct now now, struct peer_scratch *,
		     struct peer_user *out);

/*
 * Walks the users of whom a newcomer has to be told: start with *cursor = 0; UINT32_MAX ends. Users that come
 * or go meanwhile count or not: each of these was `changed`.
 */
uint32_t engine_peer_next(const struct engine *, uint32_t *cursor);

/* Walks the rooms with members here: start with *cursor = 0. False: there are no more. Rooms that come or go
 * meanwhile count or not; all others come once. */
bool engine_peer_room_next(const struct engine *, uint32_t *cursor, struct str *room);

/* --- what others say --- */

/*
 * Nothing is heard of the others (lost), or they have told all anew. Who left another node just before is as
 * before in between: they may have come back there.
 */
void engine_peers_lost(struct engine *, bool lost);

/* The peer is about to tell of all its users anew. */
void engine_peer_begin(struct engine *, uint32_t peer);

/*
 * A peer says this of a user. ENGINE_FULL: there is no room for all of it. Ids were checked; `last_seen` may
 * lie in the future by a foreign clock.
 */
enum engine_status engine_peer_user(struct engine *, uint32_t peer, const struct peer_user *, struct now);

/*
 * Takes away what the peer hosted and has not told of since the last engine_peer_begin(): at most `max`
 * users. True: there are more.
 */
bool engine_peer_sweep(struct engine *, uint32_t peer, uint32_t max, struct now);

void engine_peer_message(struct engine *, uint32_t peer, const struct peer_message *, struct now);

/* --- who hosts whom --- */

/* The peers that host connections or devices of the user; PEER_OUTSIDE has no bit. */
uint64_t engine_peer_hosts(const struct engine *, uint32_t user);

/* Has the user a connection or a device here? */
bool engine_peer_is_local(const struct engine *, uint32_t user);

/* The number of the user of that id; UINT32_MAX: none is known. And the other way round. */
uint32_t engine_user_find(const struct engine *, struct str user_id);
bool engine_user_view(const struct engine *, uint32_t user, struct presence_view *out, struct now);

/* Users hosted by that peer. */
uint32_t engine_peer_users(const struct engine *, uint32_t peer);

#endif
