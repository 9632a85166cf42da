/*
 * cluster/seeds_user.h: one user, as other programs are told of them: who speaks, what differs from what was
 * said, and saying it. For seeds*.c.
 */
#ifndef CLUSTER_SEEDS_USER_H
#define CLUSTER_SEEDS_USER_H

#include "cluster/seeds.h"

/* struct seeds_user, flags. */
enum {
	SEEDS_QUEUED = 1 << 0,
	SEEDS_SAY = 1 << 1,     /* the status was shown: say it if it is another one than was told */
	SEEDS_KEY = 1 << 2,     /* the key is to be written */
	SEEDS_OUTSIDE = 1 << 3, /* what was told last was another program's word */
};

/* Does a node host the user: this one, or one that lives? The user exists. */
bool seeds_user_hosted(const struct seeds *, uint32_t user);

/* CONTRACT 2: shown as offline by every output, Redis among them. No such user: false. */
bool seeds_user_invisible(struct seeds *, uint32_t user, struct now);

/* Notes whose number it is: when it was another user's before, what was known is forgotten. */
struct seeds_user *seeds_user_meet(struct seeds *, uint32_t user, struct str user_id);

/*
 * Tells the others what they have to be told of the user, if it is this node that tells it. False: the bus
 * had no room for all of it; what is left is marked in the record, so call again.
 */
bool seeds_user_say(struct seeds *, uint32_t user, struct now);

/* Is there room for n bytes and what others need? */
bool seeds_user_room(const struct seeds *, size_t bytes);

#endif
