/*
 * presence/status.c: see status.h.
 *
 * Invariants: unless the user is invisible, what others see (shown_*) is the same references as the user's
 * own; while invisible the shown ones stay as they were, and are dropped when the user shows again.
 */
#include "presence/status.h"

#include "presence/announce.h"
#include "presence/tell.h"
#include "presence/typing.h"

/* Texts that found room, before anything changes. */
struct texts {
	strref custom, metadata;
	wall_t custom_expires;
};

static bool invisible(const struct user *u)
{
	return u->override == STATUS_INVISIBLE;
}

/* --- texts --- */

static bool put_texts(struct engine *e, const struct presence_patch *p, struct texts *out, struct now now)
{
	bool expired = !wall_absent(p->custom_expires) && p->custom_expires.ms <= now.wall.ms;

	*out = (struct texts){ .custom_expires = WALL_NONE };
	if (p->custom_patch == PATCH_SET && !expired) {
		out->custom = users_put_text(&e->users, p->custom);
		out->custom_expires = p->custom_expires;
	}
	if (p->metadata_patch == PATCH_SET && out->custom != STRREF_FULL)
		out->metadata = users_put_text(&e->users, p->metadata);
	if (out->custom != STRREF_FULL && out->metadata != STRREF_FULL)
		return true;
	if (out->custom != STRREF_FULL)
		strpool_drop(&e->users.texts, out->custom);
	return false;
}

/* *own becomes `fresh`; *shown too, unless it is frozen. */
static void replace_text(struct engine *e, strref *own, strref *shown, strref fresh, bool frozen)
{
	strref old = *own;

	*own = fresh;
	if (!frozen)
		*shown = fresh;
	if (!frozen || old != *shown)
		strpool_drop(&e->users.texts, old);
}

static void apply_texts(struct engine *e, uint32_t user, const struct presence_patch *patch,
			const struct texts *t)
{
	struct user *u = users_at(&e->users, user);
	bool frozen = invisible(u);
	struct profile *p;

	if (t->custom != STRREF_NONE || t->metadata != STRREF_NONE) {
		users_need_profile(&e->users, user);
		u->flags |= USER_DESCRIBED;
	}
	p = users_profile(&e->users, u);
	if (p == NULL)
		return;
	if (patch->custom_patch != PATCH_KEEP) {
		replace_text(e, &p->custom, &p->shown_custom, t->custom, frozen);
		p->custom_expires = t->custom_expires;
		if (!frozen)
			p->shown_expires = t->custom_expires;
	}
	if (patch->metadata_patch != PATCH_KEEP)
		replace_text(e, &p->metadata, &p->shown_metadata, t->metadata, frozen);
}

static bool passed(wall_t expires, struct now now)
{
	return !wall_absent(expires) && expires.ms <= now.wall.ms;
}

void status_expire(struct engine *e, uint32_t user, struct now now)
{
	struct user *u = users_at(&e->users, user);
	struct profile *p = users_profile(&e->users, u);

	if (p == NULL)
		return;
	if (passed(p->custom_expires, now)) {
		replace_text(e, &p->custom, &p->shown_custom, STRREF_NONE, invisible(u));
		p->custom_expires = WALL_NONE;
		if (!invisible(u))
			p->shown_expires = WALL_NONE;
	}
	/* Frozen: for others it lapses as that of anybody who is offline. */
	if (passed(p->shown_expires, now)) {
		if (p->shown_custom != p->custom)
			strpool_drop(&e->users.texts, p->shown_custom);
		p->shown_custom = STRREF_NONE;
		p->shown_expires = WALL_NONE;
	}
}

/* --- status --- */

static void hide(struct engine *e, uint32_t user, struct now now)
{
	struct profile *p = users_need_profile(&e->users, user);
	struct user *u = users_at(&e->users, user);

	u->flags |= USER_DESCRIBED;
	p->shown_expires = p->custom_expires;
	if ((u->flags & USER_PRESENT) != 0 && u->last_seen.ms < now.wall.ms)
		u->last_seen = now.wall;
	p->shown_last_seen = u->last_seen;
	p->hidden_ms = (u->flags & USER_PRESENT) != 0 ? now.mono.ms : u->offline_ms;
}

static void show(struct engine *e, uint32_t user)
{
	struct profile *p = users_profile(&e->users, users_at(&e->users, user));

	if (p->shown_custom != p->custom)
		strpool_drop(&e->users.texts, p->shown_custom);
	if (p->shown_metadata != p->metadata)
		strpool_drop(&e->users.texts, p->shown_metadata);
	p->shown_custom = p->custom;
	p->shown_metadata = p->metadata;
	p->shown_expires = p->custom_expires;
}

/* The only place that writes `override`. `by`: hash of the device that did it; 0: none of them. */
static void set_override(struct engine *e, uint32_t user, enum status override, uint32_t by, struct now now)
{
	struct user *u = users_at(&e->users, user);
	bool was = invisible(u);

	if (override == STATUS_INVISIBLE && !was) {
		typing_end(e, user, LINK_NONE, now);
		hide(e, user, now);
	}
	if (override != STATUS_INVISIBLE && was)
		show(e, user);
	u->override = (uint8_t)override;
	if (override != STATUS_OFFLINE)
		users_need_profile(&e->users, user)->override_by = by;
}

static void mark_device(struct engine *e, uint32_t user, uint32_t d, bool away)
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

static void mark_devices(struct engine *e, uint32_t user, bool away)
{
	const struct list *devices = &users_at(&e->users, user)->devices;

	for (uint32_t d = list_first(devices); d != POOL_NONE;
	     d = list_next(&e->devices.cells, DEVICES_OF_USER, d))
		mark_device(e, user, d, away);
}

/* During the debounce there is no device to mark: the state that holds meanwhile is. */
static void mark_base(struct user *u, bool away)
{
	if (u->device_count > 0 || (u->flags & USER_PRESENT) == 0)
		return;
	if (away)
		u->flags |= USER_BASE_AWAY;
	else
		u->flags &= (uint8_t)~USER_BASE_AWAY;
}

static uint32_t device_hash(const struct engine *e, uint32_t device)
{
	char buf[HEX_U64_BYTES];
	uint32_t h = map_hash(&e->users.by_id, devices_id(&e->devices, device, buf));

	return h != 0 ? h : 1;
}

/* The override is of the device with that hash. */
static bool set_by(const struct engine *e, const struct user *u, uint32_t by)
{
	return u->override != STATUS_OFFLINE && users_profile(&e->users, u)->override_by == by;
}

static void apply_status(struct engine *e, uint32_t user, uint32_t device, enum status status, struct now now)
{
	struct user *u = users_at(&e->users, user);
	uint32_t by = device == POOL_NONE ? 0 : device_hash(e, device);
	bool away = status == STATUS_AWAY;

	assert(status > STATUS_OFFLINE && status < STATUS_COUNT);
	if (status != STATUS_ONLINE && !away) {
		set_override(e, user, status, by, now);
		return;
	}
	if (device == POOL_NONE) {
		mark_devices(e, user, away);
		mark_base(u, away);
	} else {
		mark_device(e, user, device, away);
	}
	if (!away || device == POOL_NONE || set_by(e, u, by))
		set_override(e, user, STATUS_OFFLINE, 0, now);
}

/* Applies all of a patch or nothing. False when a text found no room. */
static bool apply(struct engine *e, uint32_t user, uint32_t device, const struct presence_patch *patch,
		  struct now now)
{
	struct announce_state before = announce_state_of(e, user);
	struct texts texts;

	assert(patch->custom.n <= CUSTOM_STATUS_BYTES_MAX && patch->metadata.n <= METADATA_BYTES_MAX);
	if (!put_texts(e, patch, &texts, now))
		return false;
	if (patch->has_status)
		apply_status(e, user, device, patch->status, now);
	apply_texts(e, user, patch, &texts);
	users_weigh_devices(users_at(&e->users, user));
	announce_changed(e, user, &before);
	return true;
}

void status_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	const struct link *l = links_at(&e->links, conn);
	struct event ack = { .type = EV_ACK };

	if (!apply(e, l->user, l->device, &cmd->presence, now)) {
		tell_error(e, conn, cmd, 503, STR("no room for this text"), now);
		return;
	}
	ack.unchanged = !announce_due(e, l->user) || !announce_reaches_own(e, conn);
	tell_ack(e, conn, cmd, &ack, now);
	announce(e, l->user, now);
}

enum engine_status status_put(struct engine *e, struct str user_id, const struct presence_patch *patch,
			      struct now now)
{
	uint32_t user = users_make(&e->users, user_id);
	struct user *u;
	bool done;

	if (user == MAP_NONE)
		return ENGINE_FULL;
	u = users_at(&e->users, user);
	users_blank_if_old(&e->users, user, now.mono);
	users_pin(&e->users, user); /* room for a text may be made at the expense
	                             * of idle users, but not of this one */
	users_settle(&e->users, user);
	done = apply(e, user, POOL_NONE, patch, now);
	if (done && (u->flags & USER_PRESENT) == 0)
		u->offline_ms = now.mono.ms;
	if (done)
		announce(e, user, now);
	users_unpin(&e->users, user);
	users_settle(&e->users, user);
	return done ? ENGINE_OK : ENGINE_FULL;
}
