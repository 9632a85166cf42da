/*
 * presence/status.c: see status.h.
 *
 * Invariants: unless the user is invisible, what others see (shown_*) is the same references as the user's
 * own; while invisible the shown ones stay as they were, and are dropped when the user shows again.
 */
#include "presence/status.h"

#include "presence/announce.h"
#include "presence/pass.h"
#include "presence/tell.h"
#include "presence/typing.h"
#include "presence/user_devices.h"

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

bool status_lapses(const struct engine *e, uint32_t user, struct now now)
{
	const struct profile *p = users_profile(&e->users, users_at(&e->users, user));

	return p != NULL && (passed(p->custom_expires, now) || passed(p->shown_expires, now));
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
	users_show_name(&e->users, p);
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

/* The same on every node, so without a secret: whose ids collide has only themselves to blame. */
static uint32_t device_hash(const struct engine *e, uint32_t device)
{
	static const struct siphash_key known = { 0 };
	char buf[HEX_U64_BYTES];
	uint32_t h = (uint32_t)siphash13(known, devices_id(&e->devices, device, buf));

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
		user_devices_mark_all(e, user, away, (wall_t){ INT64_MAX });
		mark_base(u, away);
	} else {
		user_devices_mark(e, user, device, away);
	}
	if (!away || device == POOL_NONE || set_by(e, u, by))
		set_override(e, user, STATUS_OFFLINE, 0, now);
}

/* --- versions (peer.h) --- */

enum { VERSION_NODE_BITS = 24 };

/*
 * A thousand changes a second come so far in two years. A peer that says more is mistaken: all versions above
 * would be spent, and nothing that is set would count any more.
 */
#define VERSION_AHEAD_MAX (UINT64_C(1) << 36)
#define VERSION_LAMPORT_MAX ((UINT64_C(1) << (64 - VERSION_NODE_BITS)) - 1)

/* What was set here just now is newer than all that was ever heard of. */
static void date(struct engine *e, uint32_t user, enum status mark, struct now now)
{
	uint32_t tag = e->config.node_tag & ((1U << VERSION_NODE_BITS) - 1);
	struct profile *p = users_need_profile(&e->users, user);

	e->lamport += e->lamport < VERSION_LAMPORT_MAX;
	p->version = e->lamport << VERSION_NODE_BITS | tag;
	if (mark == STATUS_OFFLINE)
		return;
	p->mark_version = p->version;
	p->mark_ms = now.mono.ms;
	p->mark = (uint8_t)mark;
}

/* REST is any device and all: whoever hosts one marks it. */
static enum status mark_of(uint32_t device, const struct presence_patch *patch)
{
	bool marks = patch->has_status && (patch->status == STATUS_ONLINE || patch->status == STATUS_AWAY);

	return device == POOL_NONE && marks ? patch->status : STATUS_OFFLINE;
}

/* Marking a device says nothing about the user that others would have to agree on; all else does. */
static bool is_of_user(const struct presence_patch *patch, bool had_override, const struct user *u)
{
	bool marks = !patch->has_status || patch->status == STATUS_AWAY;

	return !marks || patch->custom_patch != PATCH_KEEP || patch->metadata_patch != PATCH_KEEP ||
	       (had_override && u->override == STATUS_OFFLINE);
}

/* --- commands --- */

/* Applies all of a patch or nothing. False when a text found no room. */
static bool apply(struct engine *e, uint32_t user, uint32_t device, const struct presence_patch *patch,
		  struct now now)
{
	struct announce_state before = announce_state_of(e, user);
	bool had_override = users_at(&e->users, user)->override != STATUS_OFFLINE;
	enum status mark = mark_of(device, patch);
	struct texts texts;

	assert(patch->custom.n <= CUSTOM_STATUS_BYTES_MAX && patch->metadata.n <= METADATA_BYTES_MAX);
	if (!put_texts(e, patch, &texts, now))
		return false;
	if (patch->has_status)
		apply_status(e, user, device, patch->status, now);
	apply_texts(e, user, patch, &texts);
	users_weigh_devices(users_at(&e->users, user));
	announce_changed(e, user, &before);
	if (e->config.peers != NULL &&
	    (mark != STATUS_OFFLINE || is_of_user(patch, had_override, users_at(&e->users, user))))
		date(e, user, mark, now);
	pass_changed(e, user);
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

/* --- what was set at another node --- */

/* *shown becomes the same reference as own when it says the same. */
static bool put_shown_text(struct engine *e, struct str text, strref own, strref *shown)
{
	if (str_absent(text)) {
		*shown = STRREF_NONE;
	} else if (own != STRREF_NONE && str_eq(strpool_get(&e->users.texts, own), text)) {
		*shown = own;
	} else {
		*shown = users_put_text(&e->users, text);
	}
	return *shown != STRREF_FULL;
}

static void drop_all(struct engine *e, const struct profile *p)
{
	strpool_drop(&e->users.texts, p->custom);
	strpool_drop(&e->users.texts, p->metadata);
	if (p->shown_custom != p->custom)
		strpool_drop(&e->users.texts, p->shown_custom);
	if (p->shown_metadata != p->metadata)
		strpool_drop(&e->users.texts, p->shown_metadata);
}

/* Texts of *out that were put, when one of them found no room. */
static bool drop_new(struct engine *e, const struct profile *out)
{
	struct profile put = *out;
	strref *refs[] = { &put.custom, &put.metadata, &put.shown_custom, &put.shown_metadata };

	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++)
		if (*refs[i] == STRREF_FULL)
			*refs[i] = STRREF_NONE;
	drop_all(e, &put);
	return false;
}

/* The texts of a profile, put into *out; nothing is put when there is no room for all. */
static bool put_profile(struct engine *e, const struct peer_profile *in, struct profile *out, struct now now)
{
	struct presence_patch patch = {
		.custom_patch = str_absent(in->custom) ? PATCH_CLEAR : PATCH_SET, .custom = in->custom,
		.custom_expires = in->custom_expires,
		.metadata_patch = str_absent(in->metadata) ? PATCH_CLEAR : PATCH_SET,
		.metadata = in->metadata,
	};
	struct texts t;

	if (!put_texts(e, &patch, &t, now))
		return false;
	out->custom = out->shown_custom = t.custom;
	out->metadata = out->shown_metadata = t.metadata;
	out->custom_expires = out->shown_expires = t.custom_expires;
	if (in->override != STATUS_INVISIBLE)
		return true;
	out->shown_expires = in->shown_expires;
	out->shown_metadata = STRREF_NONE;
	if (!put_shown_text(e, in->shown_custom, t.custom, &out->shown_custom) ||
	    !put_shown_text(e, in->shown_metadata, t.metadata, &out->shown_metadata))
		return drop_new(e, out);
	return true;
}

/*
 * All devices were marked, with this version or before it: those of this node are that were there, and those
 * of others until they say. Unless something newer than the mark was `known` already: those here are not
 * then, and they are believed to be until we say.
 */
static void hear_mark(struct engine *e, uint32_t user, const struct peer_profile *in, uint64_t known,
		      struct now now)
{
	struct profile *p = users_profile(&e->users, users_at(&e->users, user));
	bool away = in->mark == STATUS_AWAY;

	if (in->mark_version == 0 || p->mark_version >= in->mark_version)
		return;
	p->mark_version = in->mark_version;
	p->mark_ms = now.mono.ms - in->marked_ago_ms;
	p->mark = (uint8_t)in->mark;
	if (known < in->mark_version) {
		user_devices_mark_all(e, user, away, (wall_t){ now.wall.ms - in->marked_ago_ms });
		mark_base(users_at(&e->users, user), away);
	}
	if (engine_peer_is_local(e, user))
		pass_changed(e, user);
}

/* False when a text found no room: nothing changed. */
static bool hear_newer(struct engine *e, uint32_t user, const struct peer_profile *in, struct now now)
{
	struct user *u = users_at(&e->users, user);
	struct profile fresh = { 0 }, *p;

	if (!put_profile(e, in, &fresh, now))
		return false;
	set_override(e, user, in->override, in->override_by, now);
	p = users_need_profile(&e->users, user);
	drop_all(e, p);
	p->version = in->version;
	p->custom = fresh.custom;
	p->custom_expires = fresh.custom_expires;
	p->metadata = fresh.metadata;
	p->shown_custom = fresh.shown_custom;
	p->shown_metadata = fresh.shown_metadata;
	p->shown_expires = fresh.shown_expires;
	if (p->custom != STRREF_NONE || p->metadata != STRREF_NONE)
		u->flags |= USER_DESCRIBED;
	if (in->override == STATUS_INVISIBLE) {
		wall_t seen = in->shown_last_seen.ms < now.wall.ms ? in->shown_last_seen : now.wall;

		p->hidden_ms = now.mono.ms - in->hidden_for_ms;
		if (p->shown_last_seen.ms < seen.ms) /* a peer's clock may be ahead */
			p->shown_last_seen = seen;
		if (u->last_seen.ms < p->shown_last_seen.ms)
			u->last_seen = p->shown_last_seen;
	}
	return true;
}

bool status_hear(struct engine *e, uint32_t user, const struct peer_profile *in, struct now now)
{
	const struct profile *had = users_profile(&e->users, users_at(&e->users, user));
	uint64_t known = had == NULL ? 0 : had->version, lamport = in->version >> VERSION_NODE_BITS;

	if (lamport > e->lamport + VERSION_AHEAD_MAX)
		return true;
	if (lamport > e->lamport)
		e->lamport = lamport;
	if (in->version > known && !hear_newer(e, user, in, now))
		return false;
	if (in->version > 0)
		hear_mark(e, user, in, known, now);
	return true;
}
