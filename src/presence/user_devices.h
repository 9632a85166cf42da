/*
 * presence/user_devices.h: the devices of one user, counted in the user's record: how many there are, and how
 * many of them are away.
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

/* The device, or all of the user's, is away or not. */
void user_devices_mark(struct engine *e, uint32_t user, uint32_t device, bool away);
void user_devices_mark_all(struct engine *e, uint32_t user, bool away);

#endif
