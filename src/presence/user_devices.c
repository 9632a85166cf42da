/* presence/user_devices.c: see user_devices.h. Invariant: a user's counts are those of the list. */
#include "presence/user_devices.h"

uint32_t user_devices_need(struct engine *e, uint32_t user, struct str id, uint64_t key)
{
	struct user *u = users_at(&e->users, user);
	uint32_t d = str_absent(id) ? POOL_NONE : devices_find(&e->devices, &u->devices, id);
	bool away =
		u->device_count == 0 && (u->flags & USER_PRESENT) != 0 && (u->flags & USER_BASE_AWAY) != 0;

	if (d != POOL_NONE)
		return d;
	d = devices_make(&e->devices, &u->devices, id, key);
	if (d == POOL_NONE)
		return POOL_NONE;
	devices_at(&e->devices, d)->links_away = away;
	u->device_count++;
	u->devices_away += away;
	return d;
}

void user_devices_free_unused(struct engine *e, uint32_t user, uint32_t d)
{
	struct user *u = users_at(&e->users, user);
	const struct device *device = devices_at(&e->devices, d);

	if (device_links(device) > 0 || device_pinned(device))
		return;
	u->device_count--;
	u->devices_away -= device_away(device);
	devices_free(&e->devices, &u->devices, d);
}

void user_devices_mark(struct engine *e, uint32_t user, uint32_t d, bool away)
{
	struct device *device = devices_at(&e->devices, d);
	struct user *u = users_at(&e->users, user);

	if (device_away(device) == away)
		return;
	device->links_away ^= 1;
	if (away)
		u->devices_away++;
	else
		u->devices_away--;
}

void user_devices_mark_all(struct engine *e, uint32_t user, bool away)
{
	const struct list *devices = &users_at(&e->users, user)->devices;

	for (uint32_t d = list_first(devices); d != POOL_NONE;
	     d = list_next(&e->devices.cells, DEVICES_OF_USER, d))
		user_devices_mark(e, user, d, away);
}
