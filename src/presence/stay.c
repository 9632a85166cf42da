/*
 * presence/stay.c: see stay.h.
 *
 *	            first device                        last device gone
 *	  OFFLINE -----------------> PRESENT, devices ------------------> PRESENT, debounce
 *	     ^                             ^         a device again              |
 *	     |                             +-------------------------------------+
 *	     +-------------------------------------- offline_ms passed ----------+
 *
 * Invariants: a user with a device is present; USER_PRESENT is set in arrive() and cleared in leave_if_over()
 * alone;
 * a closed link is detached before the sink hears that it is to be closed, so its connection may linger in
 * the server but not here.
 */
#include "presence/stay.h"

#include "presence/announce.h"
#include "presence/calls.h"
#include "presence/pass.h"
#include "presence/status.h"
#include "presence/tell.h"
#include "presence/typing.h"
#include "presence/user_devices.h"

enum {
	SWEEP_BATCH = 64,         /* silent links closed per walk over all links */
	UNKNOWN_AGAIN_MS = 500,   /* until it is looked again whether others are heard */
	PINNED_PER_USER_MAX = 64, /* devices of REST; more: ENGINE_FULL */
};

/* --- devices --- */

static void unpin_device(struct engine *e, uint32_t user, uint32_t d)
{
	devices_unpin(&e->devices, d);
	user_devices_weigh(e, user, d);
	users_unpin(&e->users, user);
	user_devices_free_unused(e, user, d);
}

/* --- coming and going --- */

static void see(struct user *u, struct now now)
{
	if (u->last_seen.ms < now.wall.ms)
		u->last_seen = now.wall;
}

/* The user has a device: online from now on. True when they were not, and the debounce did not run either. */
static bool arrive(struct engine *e, uint32_t user)
{
	struct user *u = users_at(&e->users, user);
	bool came = (u->flags & USER_PRESENT) == 0;

	assert(u->device_count > 0);
	u->flags &= (uint8_t)~USER_LEFT_ELSEWHERE;
	if (came) {
		u->flags |= USER_PRESENT;
		e->users.present++;
	}
	users_weigh_devices(u);
	return came;
}

/* Offline, if nothing keeps the user any more. Who left another node may have come back there unheard. */
static void leave_if_over(struct engine *e, uint32_t user, struct now now)
{
	struct user *u = users_at(&e->users, user);

	if ((u->flags & USER_PRESENT) == 0 || u->device_count > 0 || now.mono.ms < u->offline_ms)
		return;
	if (e->peers_lost && (u->flags & USER_LEFT_ELSEWHERE) != 0) {
		u->offline_ms = mono_add_ms(now.mono, UNKNOWN_AGAIN_MS).ms;
		return;
	}
	u->flags &= (uint8_t) ~(USER_PRESENT | USER_BASE_AWAY);
	assert(e->users.present > 0);
	e->users.present--;
	u->offline_ms = now.mono.ms;
	if ((u->flags & USER_LEFT_ELSEWHERE) == 0)
		tell_note(e, NOTE_WENT_OFFLINE, user, POOL_NONE, 0, now);
}

static void note_arrival(struct engine *e, uint32_t user, uint32_t device, bool came, bool returned,
			 struct now now)
{
	const struct user *u = users_at(&e->users, user);

	if (u->links > 0)
		tell_note(e, NOTE_CONNECTED, user, device, u->links, now);
	if (came)
		tell_note(e, NOTE_CAME_ONLINE, user, device, u->links, now);
	else if (returned)
		tell_note(e, NOTE_RECONNECTED, user, device, u->links, now);
}

static void link_up(struct engine *e, uint32_t conn, uint32_t user, uint32_t device,
		    const struct attachment *a, struct now now)
{
	struct user *u = users_at(&e->users, user);
	uint8_t mask = a->topics;

	if (e->config.audience_rooms)
		mask &= (uint8_t)~TOPIC_PRESENCE;
	*links_at(&e->links, conn) = (struct link){
		.touched_ms = now.mono.ms, .connected_at = now.wall, .user = user,
		.device = device, .dialect = a->dialect,
		.flags = (uint8_t)(((a->topics & TOPIC_PRESENCE) != 0 ? LINK_HEARS : 0) |
		                   (a->hears_own_arrival ? LINK_GREETED : 0)),
	};
	links_push(&e->links, &u->link_plus1, conn);
	u->links++;
	user_devices_join(e, user, device);
	device_add_link(devices_at(&e->devices, device));
	interests_set_topics(e, conn, mask);
}

static void link_down(struct engine *e, uint32_t conn)
{
	struct link *l = links_at(&e->links, conn);
	struct user *u = users_at(&e->users, l->user);

	interests_set_topics(e, conn, 0);
	links_remove(&e->links, &u->link_plus1, conn);
	u->links--;
	device_drop_link(devices_at(&e->devices, l->device));
	user_devices_weigh(e, l->user, l->device);
	l->flags = 0;
}

/* The oldest of the user's connections at other nodes makes room. */
static void replace_elsewhere(const struct engine *e, uint32_t user)
{
	struct shares_walk walk = { 0 };
	const struct remote *r, *oldest = NULL;
	struct peer_message m = { .type = PEER_CLOSE, .user_id = users_id(&e->users, user) };
	uint32_t peer = PEERS_MAX;

	while ((r = shares_each(e, user, &walk)) != NULL) {
		if (r->key == 0 || (oldest != NULL && r->connected_at.ms >= oldest->connected_at.ms))
			continue;
		oldest = r;
		peer = walk.peer;
	}
	if (peer >= PEERS_MAX)
		return;
	m.key = oldest->key;
	pass_to_nodes(e, UINT64_C(1) << peer, &m);
}

/* The longest-silent of the user's links but `conn` makes room for it; if it is alone here, one elsewhere. */
static void replace_one(struct engine *e, uint32_t conn, struct now now)
{
	uint32_t user = links_at(&e->links, conn)->user, silent = LINK_NONE;
	const struct user *u = users_at(&e->users, user);

	if (e->config.connections_per_user_max == 0 ||
	    u->links + shares_connections(e, user) <= e->config.connections_per_user_max)
		return;
	for (uint32_t c = links_first(u->link_plus1); c != LINK_NONE; c = links_next(&e->links, c))
		if (c != conn && (silent == LINK_NONE || links_at(&e->links, c)->touched_ms <=
								 links_at(&e->links, silent)->touched_ms))
			silent = c;
	if (silent == LINK_NONE) {
		replace_elsewhere(e, user);
		return;
	}
	stay_detach(e, silent, now);
	e->sink->close(e->sink->ctx, silent, ENGINE_CLOSE_REPLACED);
}

enum engine_status stay_attach(struct engine *e, uint32_t conn, const struct attachment *a, struct now now)
{
	uint32_t user = users_make(&e->users, a->user_id), device;
	struct announce_state before;
	struct user *u;
	bool came, returned;

	assert(conn < e->links.max && !links_live(&e->links, conn));
	if (user == MAP_NONE)
		return ENGINE_FULL;
	u = users_at(&e->users, user);
	users_blank_if_old(&e->users, user, now.mono);
	before = announce_state_of(e, user);
	returned = (u->flags & USER_PRESENT) != 0 && u->device_count == 0;
	device = user_devices_need(e, user, a->device_id, a->key);
	if (device == POOL_NONE || !users_rename(&e->users, user, a->username)) {
		if (device != POOL_NONE)
			user_devices_free_unused(e, user, device);
		users_settle(&e->users, user);
		return ENGINE_FULL;
	}
	if (device_links(devices_at(&e->devices, device)) > 0)
		devices_keep_id(&e->devices, device);
	link_up(e, conn, user, device, a, now);
	came = arrive(e, user);
	see(u, now);
	announce_changed(e, user, &before);
	if (!a->hears_own_arrival)
		announce_snapshot(e, conn);
	note_arrival(e, user, device, came, returned, now);
	if ((a->topics & TOPIC_ROSTER) != 0)
		announce_roster_to(e, conn, now);
	pass_changed(e, user);
	announce(e, user, now);
	replace_one(e, conn, now);
	return ENGINE_OK;
}

void stay_detach(struct engine *e, uint32_t conn, struct now now)
{
	struct link *l = links_at(&e->links, conn);
	uint32_t user = l->user, device = l->device;
	struct user *u = users_at(&e->users, user);
	struct announce_state before = announce_state_of(e, user);

	typing_end(e, user, conn, now);
	calls_end_link(e, conn, now);
	interests_end_link(e, conn);
	link_down(e, conn);
	tell_note(e, NOTE_DISCONNECTED, user, device, u->links, now);
	user_devices_free_unused(e, user, device);
	users_weigh_devices(u);
	if (u->links == 0)
		u->offline_ms = mono_add_ms(now.mono, e->config.offline_debounce_ms).ms;
	if (u->device_count == 0 && e->config.offline_debounce_ms > 0)
		tell_note(e, NOTE_OFFLINE_SCHEDULED, user, POOL_NONE, e->config.offline_debounce_ms, now);
	leave_if_over(e, user, now);
	announce_changed(e, user, &before);
	pass_changed(e, user);
	announce(e, user, now);
}

void stay_elsewhere(struct engine *e, uint32_t user, int64_t debounce_ms,
		    const struct announce_state *before, struct now now)
{
	struct user *u = users_at(&e->users, user);
	int64_t over_ms = mono_add_ms(now.mono, debounce_ms).ms;

	if (u->device_count > 0) {
		arrive(e, user);
	} else if (debounce_ms >= 0 && ((u->flags & USER_PRESENT) == 0 || over_ms > u->offline_ms)) {
		/* Not before the debounce of the last link here: of those elsewhere we may hear late. */
		u->offline_ms = over_ms;
		u->flags |= USER_LEFT_ELSEWHERE;
	}
	leave_if_over(e, user, now);
	announce_changed(e, user, before);
	announce(e, user, now);
}

void stay_touch(struct engine *e, uint32_t conn, struct now now)
{
	struct link *l = links_at(&e->links, conn);

	l->touched_ms = now.mono.ms;
	see(users_at(&e->users, l->user), now);
}

/* --- devices of REST --- */

static bool pin_device(struct engine *e, uint32_t user, uint32_t device, struct now now)
{
	bool fresh = !device_pinned(devices_at(&e->devices, device));
	int64_t expires_ms =
		mono_add_ms(now.mono, e->config.presence_ttl_ms > 0 ? e->config.presence_ttl_ms : 1).ms;

	if (fresh && users_pins(&e->users, user) >= PINNED_PER_USER_MAX)
		return false;
	user_devices_join(e, user, device);
	if (!devices_pin(&e->devices, device, expires_ms))
		return false;
	if (fresh)
		users_pin(&e->users, user);
	return true;
}

enum engine_status stay_heartbeat(struct engine *e, struct str user_id, struct str device_id, struct now now)
{
	uint32_t user = users_make(&e->users, user_id), device;
	struct announce_state before;
	struct user *u;
	bool came, returned, fresh;

	if (user == MAP_NONE)
		return ENGINE_FULL;
	u = users_at(&e->users, user);
	users_blank_if_old(&e->users, user, now.mono);
	before = announce_state_of(e, user);
	returned = (u->flags & USER_PRESENT) != 0 && u->device_count == 0;
	device = user_devices_need(e, user, device_id, 0);
	fresh = device != POOL_NONE && !device_pinned(devices_at(&e->devices, device));
	if (device == POOL_NONE || !pin_device(e, user, device, now)) {
		if (device != POOL_NONE)
			user_devices_free_unused(e, user, device);
		users_settle(&e->users, user);
		return ENGINE_FULL;
	}
	came = arrive(e, user);
	see(u, now);
	announce_changed(e, user, &before);
	note_arrival(e, user, device, came, returned, now);
	if (fresh)
		pass_changed(e, user);
	announce(e, user, now);
	return ENGINE_OK;
}

static void expire_devices(struct engine *e, uint32_t user, struct now now)
{
	struct user *u = users_at(&e->users, user);
	uint32_t d = users_pins(&e->users, user) == 0 ? POOL_NONE : list_first(&u->devices);

	while (d != POOL_NONE) {
		uint32_t next = list_next(&e->devices.cells, DEVICES_OF_USER, d);
		int64_t expires_ms = device_expires_ms(devices_at(&e->devices, d));

		if (expires_ms != 0 && expires_ms <= now.mono.ms) {
			unpin_device(e, user, d);
			pass_changed(e, user);
		}
		d = next;
	}
	users_weigh_devices(u);
}

/* --- time --- */

void stay_expire(struct engine *e, uint32_t user, struct now now)
{
	struct announce_state before = announce_state_of(e, user);

	expire_devices(e, user, now);
	status_expire(e, user, now);
	leave_if_over(e, user, now);
	announce_changed(e, user, &before);
	announce(e, user, now);
}

/* At most `max` links that were silent for too long. */
static uint32_t find_stale(struct engine *e, uint32_t *conns, uint32_t max, struct now now)
{
	uint32_t found = 0;

	for (uint32_t c = 0; c < e->links.high && found < max; c++)
		if (links_live(&e->links, c) &&
		    now.mono.ms - links_at(&e->links, c)->touched_ms > e->config.stale_timeout_ms)
			conns[found++] = c;
	return found;
}

/*
 * Snapshots matter for one rate window, so that their numbers can wrap: those that are older than a sweep are
 * forgotten.
 */
static void forget_snapshots(struct engine *e)
{
	for (uint32_t c = 0; c < e->links.high; c++)
		if (links_live(&e->links, c) && links_at(&e->links, c)->snapshot != 0 &&
		    (interests_topics(e, c) & TOPIC_ROSTER) == 0)
			links_at(&e->links, c)->snapshot = 0;
}

void stay_sweep(struct engine *e, struct now now)
{
	uint32_t conns[SWEEP_BATCH], n = SWEEP_BATCH;

	/* Everybody is silent because this process stood still: they get until the next. */
	if (now.mono.ms - e->stalled_ms < e->config.cleanup_interval_ms)
		n = 0;
	while (e->config.stale_timeout_ms > 0 && n == SWEEP_BATCH) {
		n = find_stale(e, conns, SWEEP_BATCH, now);
		for (uint32_t i = 0; i < n; i++) {
			stay_detach(e, conns[i], now);
			e->sink->close(e->sink->ctx, conns[i], ENGINE_CLOSE_STALE);
		}
	}
	if (e->snapshots > UINT32_MAX / 4) {
		forget_snapshots(e);
		e->snapshots = 0;
	}
	users_forget_old(&e->users, now.mono);
	stay_sweep_later(e, now);
}

void stay_sweep_later(struct engine *e, struct now now)
{
	wheel_set(e->wheel, &e->sweep_timer, mono_add_ms(now.mono, e->config.cleanup_interval_ms));
}
