/* cluster/post.h: what this node publishes: every letter leaves through here. */
#ifndef CLUSTER_POST_H
#define CLUSTER_POST_H

#include "cluster/state.h"

/* LETTER_HELLO, LETTER_BEAT, LETTER_BYE. False: it did not go out. */
bool post_short(struct cluster *, enum letter_type);

/*
 * LETTER_GONE: of the epoch `epoch` of `of`, which is over, the letter `seq` was the last that was heard. To
 * all, or to one node (NULL: all). If it does not go out, it is not said.
 */
void post_gone(struct cluster *, const struct node *to, const struct node *of, uint64_t epoch,
	       uint64_t seq);

/* Tells node number `peer` where to go on telling. False: it did not go out. */
bool post_question(struct cluster *, uint32_t peer, uint32_t cursor);

/* Tells node number `peer` a piece of all that this node has. False: there was no space. */
bool post_state(struct cluster *, uint32_t peer, uint32_t cursor);

/* Tells everybody of the users that changed, a few letters; the rest waits for the next turn. */
void post_users(struct cluster *);

void post_message(struct cluster *, const struct peer_address *, const struct peer_message *);

/* presenced:room:ROOM */
struct post_channel {
	char text[192];
	size_t n;
};
struct str post_room(struct post_channel *, struct str room);
/* presenced:node:ID: the channel of that node, and the key of its lease. */
struct str post_node(struct post_channel *, struct str id);

#define POST_NODES STR("presenced:nodes")
#define POST_USERS STR("presenced:users")
#define POST_ALL STR("presenced:all")
#define POST_ROOM STR("presenced:room:")
#define POST_NODE STR("presenced:node:")

/*
 * Is this, heard back, a letter of users that we published? Of our letters these are the long ones, and all
 * that there is to know of them is that they are ours.
 */
bool post_is_own_users(const struct cluster *, const char *payload, size_t bytes);

#endif
