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
	devices_at(&e->devices, d)->links_away = away ? DEVICE_AWAY | DEVICE_AWAY_HERE : 0;
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

/* Number of the device's links that are other nodes'; *away stays true if all of those say so. */
static uint32_t count_elsewhere(const struct engine *e, uint32_t user, uint32_t d, bool *away)
{
	struct shares_walk walk = { 0 };
	const struct remote *r;
	uint32_t n = 0;

	while ((r = shares_each(e, user, &walk)) != NULL) {
		if (r->device != d)
			continue;
		*away = *away && r->away;
		n++;
	}
	return n;
}

static bool hosts(const struct device *device, uint32_t elsewhere)
{
	return device_links(device) > elsewhere || device_pinned(device);
}

void user_devices_join(struct engine *e, uint32_t user, uint32_t d)
{
	struct device *device = devices_at(&e->devices, d);
	bool unused = true;
	uint32_t elsewhere = count_elsewhere(e, user, d, &unused);

	if (hosts(device, elsewhere))
		return;
	device->links_away &= ~(uint32_t)DEVICE_AWAY_HERE;
	if (device_away(device))
		device->links_away |= DEVICE_AWAY_HERE;
}

void user_devices_weigh(struct engine *e, uint32_t user, uint32_t d)
{
	struct device *device = devices_at(&e->devices, d);
	struct user *u = users_at(&e->users, user);
	bool away = true;
	uint32_t elsewhere = count_elsewhere(e, user, d, &away);

	if (hosts(device, elsewhere))
		away = away && (device->links_away & DEVICE_AWAY_HERE) != 0;
	else if (elsewhere == 0) /* it is about to go */
		return;
	if (device_away(device) == away)
		return;
	device->links_away ^= DEVICE_AWAY;
	if (away)
		u->devices_away++;
	else
		u->devices_away--;
}

void user_devices_mark(struct engine *e, uint32_t user, uint32_t d, bool away)
{
	struct device *device = devices_at(&e->devices, d);

	device->links_away &= ~(uint32_t)DEVICE_AWAY_HERE;
	if (away)
		device->links_away |= DEVICE_AWAY_HERE;
	user_devices_weigh(e, user, d);
}

/* All of its connections to this node did, and there is one. */
static bool came_after(const struct engine *e, const struct user *u, uint32_t device, wall_t by)
{
	bool came = false;

	for (uint32_t c = links_first(u->link_plus1); c != LINK_NONE; c = links_next(&e->links, c)) {
		const struct link *l = links_at(&e->links, c);

		if (l->device == device && l->connected_at.ms <= by.ms)
			return false;
		came = came || l->device == device;
	}
	return came;
}

void user_devices_mark_all(struct engine *e, uint32_t user, bool away, wall_t by)
{
	const struct user *u = users_at(&e->users, user);
	struct shares_walk walk = { 0 };
	struct remote *r;

	while ((r = shares_each(e, user, &walk)) != NULL)
		r->away = away;
	for (uint32_t d = list_first(&u->devices); d != POOL_NONE;
	     d = list_next(&e->devices.cells, DEVICES_OF_USER, d))
		if (!came_after(e, u, d, by))
			user_devices_mark(e, user, d, away);
}
