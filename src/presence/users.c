/*
 * presence/users.c: see users.h.
 *
 * Invariants: the roster holds exactly the users with USER_LISTED, in strictly ascending order of id; the
 * idle list exactly those with USER_IDLE, and those are exactly the ones nothing pins. Between two calls of
 * the engine those have a profile who need one, and nobody else. Ids always find a cell: the engine sized the
 * string classes for as many as there can be.
 */
#include "presence/users.h"

#include "presence/peer.h"

enum {
	EVICT_FOR_TEXT_MAX = 8, /* records given up at most to make room for one text */
};

#define USERS_OF_IDLE offsetof(struct user, of_idle)

static struct str key_of(const void *ctx, uint32_t i)
{
	return users_id((const struct users *)ctx, i);
}

void users_init(struct users *us, struct region *r, const struct users_config *c, struct strpool *ids,
		struct wheel *wheel)
{
	uint32_t counts[STRPOOL_CLASSES] = {
		[STRPOOL_14] = c->users_max,
		[STRPOOL_22] = c->users_max,
		[STRPOOL_38] = c->users_max,
		[STRPOOL_70] = c->users_max / 2 + 1,
		[STRPOOL_134] = c->users_max / 4 + 1,
		[STRPOOL_262] = c->large_texts_max,
		[STRPOOL_2054] = c->large_texts_max,
	};

	*us = (struct users){
		.ids = ids, .wheel = wheel, .peers = c->peers,
		.remember_ms = c->remember_ms, .timer_kind = c->timer_kind,
	};
	pool_init(&us->cells, r, sizeof(struct user), c->users_max);
	pool_init(&us->profiles, r, sizeof(struct profile), c->users_max);
	map_init(&us->by_id, r, c->users_max, c->key, key_of, us);
	strpool_init(&us->texts, r, counts);
	us->live = region_take_array(r, c->users_max, 1, 1);
	us->roster = region_take_array(r, c->users_max, sizeof *us->roster, sizeof *us->roster);
}

/* --- records --- */

static bool pinned(const struct users *us, uint32_t i)
{
	const struct user *u = users_at(us, i);

	return (u->flags & (USER_PRESENT | USER_PENDING)) != 0 || u->device_count != 0 ||
	       u->share_plus1 != 0 || u->watchers.count != 0 || users_pins(us, i) != 0 ||
	       users_typing_plus1(us, i) != 0 ||
	       users_call_leg_plus1(us, i) != 0;
}

/* A record that nobody ever filled is of use to nobody. */
static bool empty(const struct user *u)
{
	return wall_absent(u->last_seen) && (u->flags & USER_DESCRIBED) == 0 && u->override == STATUS_OFFLINE;
}

/* Nothing of the profile is needed: without it the user is the same. */
static bool needless(const struct user *u, const struct profile *p)
{
	return !timer_is_set(&p->timer) && p->pins == 0 && p->typing_plus1 == 0 && p->call_leg_plus1 == 0 &&
	       u->override == STATUS_OFFLINE && p->custom == STRREF_NONE && p->metadata == STRREF_NONE &&
	       p->told_texts == 0 && p->told_own_texts == 0 && p->version == 0 &&
	       wall_absent(p->custom_expires) &&
	       wall_absent(p->shown_expires) && list_first(&p->haunts) == POOL_NONE;
}

static void give_back_profile(struct users *us, uint32_t i)
{
	struct user *u = users_at(us, i);

	if (u->profile != POOL_NONE && needless(u, users_profile(us, u))) {
		pool_give(&us->profiles, u->profile);
		u->profile = POOL_NONE;
	}
}

static void leave_idle(struct users *us, uint32_t i)
{
	struct user *u = users_at(us, i);

	if ((u->flags & USER_IDLE) != 0) {
		list_remove(&us->idle, &us->cells, USERS_OF_IDLE, i);
		u->flags &= (uint8_t)~USER_IDLE;
	}
}

static void drop_text(struct users *us, strref own, strref shown)
{
	strpool_drop(&us->texts, own);
	if (shown != own)
		strpool_drop(&us->texts, shown);
}

/* Forgets all that a user set, and that they were ever seen. */
static void blank(struct users *us, uint32_t i)
{
	struct user *u = users_at(us, i);
	struct profile *p = users_profile(us, u);

	assert((u->flags & (USER_PRESENT | USER_PENDING | USER_LISTED)) == 0);
	if (p != NULL) {
		wheel_unset(us->wheel, &p->timer);
		assert(list_first(&p->haunts) == POOL_NONE);
		drop_text(us, p->custom, p->shown_custom);
		drop_text(us, p->metadata, p->shown_metadata);
		p->custom = p->metadata = p->shown_custom = p->shown_metadata = STRREF_NONE;
		users_show_name(us, p);
		p->custom_expires = p->shown_expires = WALL_NONE;
		p->told_texts = p->told_own_texts = 0;
		p->version = p->mark_version = 0;
		p->mark = STATUS_OFFLINE;
	}
	strpool_drop(us->ids, u->name);
	u->name = STRREF_NONE;
	u->override = STATUS_OFFLINE;
	u->flags &= (uint8_t)~USER_DESCRIBED;
	u->last_seen = WALL_NONE;
	u->told = u->told_own = STATUS_OFFLINE;
	give_back_profile(us, i);
}

static void release(struct users *us, uint32_t i)
{
	struct user *u = users_at(us, i);
	uint32_t removed;

	assert(!pinned(us, i));
	blank(us, i);
	leave_idle(us, i);
	removed = map_remove(&us->by_id, users_id(us, i));
	assert(removed == i);
	(void)removed;
	strpool_drop(us->ids, u->id);
	us->live[i] = 0;
	if (us->peers != NULL)
		us->peers->forgotten(us->peers->ctx, i);
	pool_give(&us->cells, i);
}

static bool evict_oldest(struct users *us)
{
	uint32_t oldest = list_first(&us->idle);

	if (oldest == POOL_NONE)
		return false;
	release(us, oldest);
	return true;
}

uint32_t users_find(const struct users *us, struct str id)
{
	return map_find(&us->by_id, id);
}

uint32_t users_make(struct users *us, struct str id)
{
	uint32_t i = map_find(&us->by_id, id);
	struct user *u;
	strref ref;

	assert(id.n >= 1 && id.n <= ID_BYTES_MAX);
	if (i != MAP_NONE)
		return i;
	i = pool_take(&us->cells);
	if (i == POOL_NONE && evict_oldest(us))
		i = pool_take(&us->cells);
	if (i == POOL_NONE)
		return MAP_NONE;
	ref = strpool_put(us->ids, id);
	assert(ref != STRREF_FULL);
	u = users_at(us, i);
	us->live[i] = 1;
	*u = (struct user){ .id = ref, .profile = POOL_NONE, .last_seen = WALL_NONE };
	map_insert(&us->by_id, id, i);
	return i;
}

void users_settle(struct users *us, uint32_t i)
{
	struct user *u = users_at(us, i);

	give_back_profile(us, i);
	if (pinned(us, i)) {
		leave_idle(us, i);
	} else if (empty(u)) {
		release(us, i);
	} else if ((u->flags & USER_IDLE) == 0) {
		list_push(&us->idle, &us->cells, USERS_OF_IDLE, i);
		u->flags |= USER_IDLE;
	}
}

static bool old(const struct users *us, int64_t since_ms, mono_t now)
{
	return us->remember_ms > 0 && now.ms - since_ms >= us->remember_ms;
}

void users_forget_old(struct users *us, mono_t now)
{
	for (uint32_t i = list_first(&us->idle); i != POOL_NONE; i = list_first(&us->idle)) {
		const struct user *u = users_at(us, i);

		if (!empty(u) && !old(us, u->offline_ms, now))
			break;
		release(us, i);
	}
}

bool users_old(const struct users *us, uint32_t i, mono_t now)
{
	const struct user *u = users_at(us, i);

	return (u->flags & (USER_PRESENT | USER_PENDING)) == 0 && !empty(u) && old(us, u->offline_ms, now);
}

void users_blank_if_old(struct users *us, uint32_t i, mono_t now)
{
	if (users_old(us, i, now))
		blank(us, i);
}

/* A new name would give away who is invisible: others go on seeing the one they know. False: no room. */
static bool freeze_name(struct users *us, uint32_t i)
{
	const struct user *u = users_at(us, i);
	struct profile *p = users_profile(us, u);
	strref ref;

	if (u->override != STATUS_INVISIBLE || p->shown_name != STRREF_NONE)
		return true;
	ref = strpool_put(&us->texts, strpool_get(us->ids, u->name != STRREF_NONE ? u->name : u->id));
	if (ref == STRREF_FULL)
		return false;
	p->shown_name = ref;
	return true;
}

struct str users_name_shown(const struct users *us, const struct user *u)
{
	const struct profile *p = users_profile(us, u);

	if (p != NULL && p->shown_name != STRREF_NONE)
		return strpool_get(&us->texts, p->shown_name);
	return strpool_get(us->ids, u->name);
}

void users_show_name(struct users *us, struct profile *p)
{
	strpool_drop(&us->texts, p->shown_name);
	p->shown_name = STRREF_NONE;
}

bool users_rename(struct users *us, uint32_t i, struct str name)
{
	struct user *u = users_at(us, i);
	strref fresh;

	if (str_absent(name) ||
	    str_eq(name, strpool_get(us->ids, u->name != STRREF_NONE ? u->name : u->id)) ||
	    !freeze_name(us, i))
		return true;
	fresh = strpool_put(us->ids, str_eq(name, users_id(us, i)) ? STR_NONE : name);
	if (fresh == STRREF_FULL)
		return false;
	strpool_drop(us->ids, u->name);
	u->name = fresh;
	return true;
}

strref users_put_text(struct users *us, struct str text)
{
	strref ref = strpool_put(&us->texts, text);

	for (uint32_t n = 0; ref == STRREF_FULL && n < EVICT_FOR_TEXT_MAX && evict_oldest(us); n++)
		ref = strpool_put(&us->texts, text);
	return ref;
}

struct profile *users_need_profile(struct users *us, uint32_t i)
{
	struct user *u = users_at(us, i);

	if (u->profile == POOL_NONE) {
		u->profile = pool_take(&us->profiles);
		assert(u->profile != POOL_NONE);
		*users_profile(us, u) = (struct profile){
			.user = i, .custom_expires = WALL_NONE, .shown_expires = WALL_NONE,
			.shown_last_seen = WALL_NONE,
		};
		timer_init(&users_profile(us, u)->timer, us->timer_kind);
	}
	return users_profile(us, u);
}

void users_pin(struct users *us, uint32_t i)
{
	users_need_profile(us, i)->pins++;
}

void users_unpin(struct users *us, uint32_t i)
{
	struct profile *p = users_profile(us, users_at(us, i));

	assert(p != NULL && p->pins > 0);
	p->pins--;
}

void users_wake_at(struct users *us, uint32_t i, mono_t at)
{
	struct profile *p = users_profile(us, users_at(us, i));

	if (at.ms != MONO_NEVER.ms)
		wheel_set(us->wheel, &users_need_profile(us, i)->timer, at);
	else if (p != NULL)
		wheel_unset(us->wheel, &p->timer);
}

bool users_waits(const struct users *us, const struct user *u)
{
	const struct profile *p = users_profile(us, u);

	return p != NULL && timer_is_set(&p->timer);
}

/* --- what is seen --- */

void users_weigh_devices(struct user *u)
{
	assert(u->devices_away <= u->device_count);
	if (u->device_count == 0)
		return;
	if (u->devices_away == u->device_count)
		u->flags |= USER_BASE_AWAY;
	else
		u->flags &= (uint8_t)~USER_BASE_AWAY;
}

enum status users_status_own(const struct user *u)
{
	if ((u->flags & USER_PRESENT) == 0)
		return STATUS_OFFLINE;
	if (u->override != STATUS_OFFLINE)
		return (enum status)u->override;
	return (u->flags & USER_BASE_AWAY) != 0 ? STATUS_AWAY : STATUS_ONLINE;
}

enum status users_status_shown(const struct user *u)
{
	enum status own = users_status_own(u);

	return own == STATUS_INVISIBLE ? STATUS_OFFLINE : own;
}

static uint64_t texts_hash(const struct users *us, strref custom, strref metadata)
{
	uint64_t h = 0;

	if (custom != STRREF_NONE)
		h = siphash13_lead(us->by_id.key, 1, strpool_get(&us->texts, custom));
	if (metadata != STRREF_NONE)
		h = siphash13_lead(us->by_id.key, h ^ 2, strpool_get(&us->texts, metadata));
	return h;
}

uint64_t users_texts_own(const struct users *us, const struct user *u)
{
	const struct profile *p = users_profile(us, u);

	return p == NULL ? 0 : texts_hash(us, p->custom, p->metadata);
}

uint64_t users_texts_shown(const struct users *us, const struct user *u)
{
	const struct profile *p = users_profile(us, u);

	return p == NULL ? 0 : texts_hash(us, p->shown_custom, p->shown_metadata);
}

void users_view_unknown(struct str id, struct presence_view *out)
{
	*out = (struct presence_view){
		.user_id = id, .username = id, .status = STATUS_OFFLINE, .custom_expires = WALL_NONE,
		.last_seen = WALL_NONE,
	};
}

/* An invisible user must fade from memory as an offline one does: from the moment others saw them go. */
static bool faded(const struct users *us, const struct user *u, bool own, mono_t now)
{
	if (!own && u->override == STATUS_INVISIBLE)
		return old(us, users_profile(us, u)->hidden_ms, now);
	return (u->flags & USER_PRESENT) == 0 && (empty(u) || old(us, u->offline_ms, now));
}

void users_view(const struct users *us, uint32_t i, bool own, struct now now, struct presence_view *out)
{
	const struct user *u = users_at(us, i);
	const struct profile *p = users_profile(us, u);
	bool frozen = !own && u->override == STATUS_INVISIBLE;
	struct str name;

	assert(u->override != STATUS_INVISIBLE || p != NULL);
	users_view_unknown(users_id(us, i), out);
	if (faded(us, u, own, now.mono))
		return;
	name = own ? strpool_get(us->ids, u->name) : users_name_shown(us, u);
	if (!str_absent(name))
		out->username = name;
	out->known = true;
	out->status = own ? users_status_own(u) : users_status_shown(u);
	out->online = out->status != STATUS_OFFLINE;
	out->last_seen = frozen ? p->shown_last_seen : u->last_seen;
	out->device_count = out->online ? u->device_count : 0;
	if (p == NULL)
		return;
	out->custom_expires = own ? p->custom_expires : p->shown_expires;
	out->metadata = strpool_get(&us->texts, own ? p->metadata : p->shown_metadata);
	if (wall_absent(out->custom_expires) || out->custom_expires.ms > now.wall.ms)
		out->custom = strpool_get(&us->texts, own ? p->custom : p->shown_custom);
	else
		out->custom_expires = WALL_NONE;
}

/* --- the roster --- */

uint32_t users_roster_after(const struct users *us, struct str after)
{
	uint32_t low = 0, high = us->roster_count;

	if (str_absent(after))
		return 0;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (str_cmp(users_id(us, us->roster[mid]), after) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool users_list(struct users *us, uint32_t i)
{
	struct user *u = users_at(us, i);
	bool listed = (u->flags & USER_LISTED) != 0;
	bool wanted = users_status_shown(u) != STATUS_OFFLINE;
	uint32_t at;

	if (listed == wanted)
		return false;
	at = users_roster_after(us, users_id(us, i));
	if (wanted) {
		memmove(us->roster + at + 1, us->roster + at, (us->roster_count - at) * sizeof *us->roster);
		us->roster[at] = i;
		us->roster_count++;
	} else {
		assert(at > 0 && us->roster[at - 1] == i);
		memmove(us->roster + at - 1, us->roster + at, (us->roster_count - at) * sizeof *us->roster);
		us->roster_count--;
	}
	u->flags ^= USER_LISTED;
	return true;
}

/* --- validity --- */

static bool user_valid(const struct users *us, uint32_t i)
{
	const struct user *u = users_at(us, i);
	const struct profile *p = users_profile(us, u);

	if (map_find(&us->by_id, users_id(us, i)) != i || !users_live(us, i))
		return false;
	if (((u->flags & USER_LISTED) != 0) != (users_status_shown(u) != STATUS_OFFLINE))
		return false;
	if (u->devices_away > u->device_count || (u->links > 0) != (u->link_plus1 != 0) ||
	    (u->links > 0 && u->device_count == 0))
		return false;
	if (u->device_count > 0 && (u->flags & USER_PRESENT) == 0)
		return false;
	if (((u->flags & USER_IDLE) != 0) == pinned(us, i))
		return false;
	if (p == NULL)
		return u->override == STATUS_OFFLINE;
	if (p->user != i || needless(u, p))
		return false;
	return u->override == STATUS_INVISIBLE ||
	       (p->shown_name == STRREF_NONE && p->custom == p->shown_custom &&
		p->metadata == p->shown_metadata);
}

/* Cells of texts that a profile holds. */
static uint32_t texts_held(const struct profile *p)
{
	uint32_t n = p->custom != STRREF_NONE;

	n += p->shown_name != STRREF_NONE;
	n += p->metadata != STRREF_NONE;
	n += p->shown_custom != STRREF_NONE && p->shown_custom != p->custom;
	return n + (p->shown_metadata != STRREF_NONE && p->shown_metadata != p->metadata);
}

bool users_valid(const struct users *us)
{
	uint32_t cursor = 0, listed = 0, idle = 0, present = 0, texts = 0;

	for (uint32_t i = map_next(&us->by_id, &cursor); i != MAP_NONE; i = map_next(&us->by_id, &cursor)) {
		if (!user_valid(us, i))
			return false;
		listed += (users_at(us, i)->flags & USER_LISTED) != 0;
		present += (users_at(us, i)->flags & USER_PRESENT) != 0;
		texts += users_profile(us, users_at(us, i)) != NULL
				 ? texts_held(users_profile(us, users_at(us, i)))
				 : 0;
	}
	for (uint32_t i = list_first(&us->idle); i != POOL_NONE; i = list_next(&us->cells, USERS_OF_IDLE, i))
		if ((users_at(us, i)->flags & USER_IDLE) == 0 || ++idle > pool_used(&us->cells))
			return false;
	for (uint32_t at = 1; at < us->roster_count; at++)
		if (str_cmp(users_id(us, us->roster[at - 1]), users_id(us, us->roster[at])) >= 0)
			return false;
	return listed == us->roster_count && texts == strpool_used(&us->texts) && present == us->present &&
	       pool_used(&us->cells) == map_count(&us->by_id) && pool_valid(&us->cells) &&
	       pool_valid(&us->profiles) && map_valid(&us->by_id);
}
