/*
 * presence/user_devices.h: the devices of one user, counted in the user's record: how many there are, and how
 * many of them are away.
 *
 * A device is away when all nodes that host it say so: what each says is its own, so that all come to the
 * same. (One that moves between nodes is hosted by two for a moment.)
 */
#ifndef PRESENCE_USER_DEVICES_H
#define PRESENCE_USER_DEVICES_H

#include "presence/state.h"

/*
 * The user's device of that id, made if there was none; POOL_NONE when full. Absent id: one is generated from
 * `key`. One that is made in the debounce is away if the user was.
 */
uint32_t user_devices_need(struct engine *e, uint32_t user, struct str id, uint64_t key);

/* Frees a device without links that is not pinned; else nothing. */
void user_devices_free_unused(struct engine *e, uint32_t user, uint32_t device);

/* This node comes to host the device, if it did not: what others say of it holds. Before its first link. */
void user_devices_join(struct engine *e, uint32_t user, uint32_t device);

/* Who hosts the device, or what they say of it, has changed. */
void user_devices_weigh(struct engine *e, uint32_t user, uint32_t device);

/*
 * This node says that the device is away or not; or that all of the user's are but those that connected here
 * after `by`, for the others too until they say.
 */
void user_devices_mark(struct engine *e, uint32_t user, uint32_t device, bool away);
void user_devices_mark_all(struct engine *e, uint32_t user, bool away, wall_t by);

#endif
