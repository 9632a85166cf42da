/*
 * presence/announce.c: see announce.h.
 *
 * Invariants: `told` alternates between offline and a visible status with every CHANGE_ONLINE and
 * CHANGE_OFFLINE, for each user; USER_PENDING is set exactly while a difference waits for the rate window, or
 * what was asked for in between, and then the user's timer is set.
 */
#include "presence/announce.h"

#include "presence/pass.h"
#include "presence/query.h"
#include "presence/status.h"
#include "presence/tell.h"

enum {
	ROSTER_GAP_MS = 1000,      /* CONTRACT 3: at most once a second */
	EXPIRY_RECHECK_MS = 60000, /* the wall clock may step: an expiry date is looked at again this often */
	ROSTER_LEAD = 3,           /* tells the roster's hash from others */
};

struct announce_state announce_state_of(const struct engine *e, uint32_t user)
{
	const struct user *u = users_at(&e->users, user);

	return (struct announce_state){ users_status_own(u), users_texts_own(&e->users, u),
					users_texts_shown(&e->users, u) };
}

static void forget_seen(struct engine *e, struct user *u)
{
	struct receivers_walk walk = { 0 };
	struct receivers_chunk *c;
	uint32_t n;

	if ((u->flags & USER_SEEN) == 0)
		return;
	while ((c = receivers_next(&e->chunks, &u->watchers, &walk, &n)) != NULL)
		for (uint32_t i = 0; i < n; i++)
			c->mask[i] &= (uint8_t)~(WATCH_SEEN | WATCH_MISLED);
	u->flags &= (uint8_t)~USER_SEEN;
}

/* What waited is told, or is no news any more. */
static void forget_pending(struct engine *e, struct user *u)
{
	struct profile *p = users_profile(&e->users, u);

	u->flags &= (uint8_t)~USER_PENDING;
	if (p != NULL)
		p->asked = false;
	forget_seen(e, u);
}

/* What was seen is not so any more. */
static void mislead_seen(struct engine *e, const struct user *u)
{
	struct receivers_walk walk = { 0 };
	struct receivers_chunk *c;
	uint32_t n;

	while ((u->flags & USER_SEEN) != 0 &&
	       (c = receivers_next(&e->chunks, &u->watchers, &walk, &n)) != NULL)
		for (uint32_t i = 0; i < n; i++)
			if ((c->mask[i] & WATCH_SEEN) != 0)
				c->mask[i] ^= WATCH_SEEN | WATCH_MISLED;
}

void announce_changed(struct engine *e, uint32_t user, const struct announce_state *before)
{
	struct user *u = users_at(&e->users, user);
	struct announce_state after = announce_state_of(e, user);

	if (users_list(&e->users, user))
		e->roster_hash ^= siphash13_lead(e->users.by_id.key, ROSTER_LEAD, users_id(&e->users, user));
	if (after.status == before->status && after.texts == before->texts &&
	    after.shown_texts == before->shown_texts)
		return;
	u->changed = e->snapshots;
	if ((u->flags & USER_PENDING) == 0)
		u->pending_from = e->snapshots;
	mislead_seen(e, u);
}

/* --- what differs from what was told --- */

static bool others_differ(const struct engine *e, const struct user *u)
{
	const struct profile *p = users_profile(&e->users, u);

	return u->told != users_status_shown(u) ||
	       (p != NULL && p->told_texts != users_texts_shown(&e->users, u));
}

static bool own_differ(const struct engine *e, const struct user *u)
{
	const struct profile *p = users_profile(&e->users, u);

	return u->links > 0 && (u->told_own != users_status_own(u) ||
				(p != NULL && p->told_own_texts != users_texts_own(&e->users, u)));
}

/* Being invisible, or ceasing to be: the user's own connections are told something else than others. */
static bool own_apart(const struct user *u)
{
	return users_status_own(u) == STATUS_INVISIBLE || u->told_own == STATUS_INVISIBLE;
}

bool announce_due(const struct engine *e, uint32_t user)
{
	const struct user *u = users_at(&e->users, user);

	return others_differ(e, u) || (own_apart(u) && own_differ(e, u));
}

static void set_told(const struct engine *e, struct user *u)
{
	struct profile *p = users_profile(&e->users, u);

	u->told = (uint8_t)users_status_shown(u);
	u->told_own = (uint8_t)users_status_own(u);
	if (p != NULL) {
		p->told_texts = users_texts_shown(&e->users, u);
		p->told_own_texts = users_texts_own(&e->users, u);
	}
}

void announce_hush(const struct engine *e, uint32_t user)
{
	struct user *u = users_at(&e->users, user);
	struct profile *p = users_profile(&e->users, u);

	if (p != NULL && u->told == STATUS_OFFLINE && (u->flags & USER_PENDING) == 0)
		p->told_texts = users_texts_shown(&e->users, u);
}

/* Somebody was told by an answer what the others are not told yet. */
static bool was_asked(const struct engine *e, const struct user *u)
{
	const struct profile *p = users_profile(&e->users, u);

	return p != NULL && p->asked;
}

/* --- who hears it --- */

/* a > b, of two numbers that count snapshots and may wrap. */
static bool snapshot_after(uint32_t a, uint32_t b)
{
	return a != 0 && (int32_t)(a - b) > 0;
}

/*
 * Links that were shown the state that is told now. Only a broadcast that waited can meet any but the user's
 * own.
 */
static void skip_informed(const struct engine *e, const struct user *u)
{
	uint32_t conns[LINKS_BATCH], cursor = 0, n;
	struct receivers_walk walk = { 0 };
	const struct receivers_chunk *c;

	for (uint32_t conn = links_first(u->link_plus1); conn != LINK_NONE;
	     conn = links_next(&e->links, conn))
		if (snapshot_after(links_at(&e->links, conn)->snapshot, u->changed))
			tell_skip(e, conn);
	if ((u->flags & USER_PENDING) == 0 || u->changed == e->snapshots)
		return;
	while (e->links.hearers > 0 &&
	       (n = links_next_hearing(&e->links, TOPIC_PRESENCE, &cursor, conns)) > 0)
		for (uint32_t i = 0; i < n; i++)
			if (snapshot_after(links_at(&e->links, conns[i])->snapshot, u->changed))
				tell_skip(e, conns[i]);
	while ((u->flags & USER_SEEN) != 0 &&
	       (c = receivers_next(&e->chunks, &u->watchers, &walk, &n)) != NULL)
		for (uint32_t i = 0; i < n; i++)
			if ((c->mask[i] & WATCH_SEEN) != 0)
				tell_skip(e, c->conn[i]);
}

/* Where a user's rooms are noted: by links, by other nodes, and as haunts of the user's own. */
struct rooms_walk {
	uint32_t link_plus1, share_plus1;
	bool begun, done;
};

/* One list after another, from a zeroed walk; NULL after the last. */
static const struct list *rooms_of(const struct engine *e, uint32_t user, struct rooms_walk *walk)
{
	const struct user *u = users_at(&e->users, user);
	const struct profile *p = users_profile(&e->users, u);
	uint32_t i;

	if (!walk->begun)
		*walk = (struct rooms_walk){ u->link_plus1, u->share_plus1, true, false };
	if (walk->link_plus1 != 0) {
		i = links_first(walk->link_plus1);
		walk->link_plus1 = links_next(&e->links, i) + 1;
		return &links_at(&e->links, i)->interests;
	}
	if (walk->share_plus1 != 0) {
		i = shares_first(walk->share_plus1);
		walk->share_plus1 = shares_next(&e->shares, i) + 1;
		return &shares_at(&e->shares, i)->rooms;
	}
	if (p == NULL || walk->done)
		return NULL;
	walk->done = true;
	return &p->haunts;
}

static void tell_room_mates(const struct engine *e, const struct list *interests)
{
	const struct pool *cells = &e->interests.cells;

	for (uint32_t i = list_first(interests); i != POOL_NONE; i = list_next(cells, INTERESTS_OF_LINK, i)) {
		const struct interest *it = interests_at(&e->interests, i);

		if (it->kind != INTEREST_USER)
			tell_receivers(e, &rooms_at(&e->rooms, it->target)->members, TOPIC_ROOM_PRESENCE);
	}
}

static void tell_audience(const struct engine *e, uint32_t user)
{
	const struct user *u = users_at(&e->users, user);
	struct rooms_walk walk = { 0 };
	const struct list *rooms;

	if (e->links.hearers > 0)
		tell_hearing(e, TOPIC_PRESENCE);
	tell_receivers(e, &u->watchers, TOPIC_PRESENCE);
	if (!e->config.audience_rooms)
		return;
	while ((rooms = rooms_of(e, user, &walk)) != NULL)
		tell_room_mates(e, rooms);
	for (uint32_t c = links_first(u->link_plus1); c != LINK_NONE; c = links_next(&e->links, c))
		if ((links_at(&e->links, c)->flags & LINK_HEARS) != 0)
			tell_link(e, c);
}

bool announce_reaches_own(const struct engine *e, uint32_t conn)
{
	const struct link *l = links_at(&e->links, conn);
	const struct user *u = users_at(&e->users, l->user);
	uint32_t watch = interests_find(e, conn, INTEREST_USER, l->user);

	if (own_apart(u) || (l->flags & LINK_HEARS) != 0 || (interests_topics(e, conn) & TOPIC_PRESENCE) != 0)
		return true;
	return watch != MAP_NONE && (*interests_mask(e, watch) & TOPIC_PRESENCE) != 0;
}

/* --- telling --- */

static struct event event_of(const struct engine *e, uint32_t user, bool own, struct now now)
{
	struct event ev = { .type = EV_PRESENCE, .conflation = CONFLATE_PRESENCE };

	users_view(&e->users, user, own, now, &ev.user);
	ev.subject = tell_subject(e, ev.user.user_id, STR_NONE);
	return ev;
}

static void tell_uninformed(const struct engine *e, uint32_t user, struct event *ev, struct now now)
{
	const struct user *u = users_at(&e->users, user);

	tell_begin(e, ev, now);
	if (own_apart(u))
		tell_skip_links_of(e, user);
	skip_informed(e, u);
	tell_audience(e, user);
	tell_end(e);
}

/*
 * Coming and going may be told without texts. Who comes has some, or had some, or who listens may have begun
 * to while the user was not there; who goes may have changed them in the same moment.
 */
static bool need_texts(const struct engine *e, const struct user *u, enum presence_change change)
{
	const struct profile *p = users_profile(&e->users, u);
	uint64_t texts = users_texts_shown(&e->users, u);

	if (p == NULL || change == CHANGE_UPDATED)
		return false;
	return p->told_texts != texts || (change == CHANGE_ONLINE && texts != 0);
}

static void tell_others(const struct engine *e, uint32_t user, struct now now)
{
	const struct user *u = users_at(&e->users, user);
	struct event ev = event_of(e, user, false, now);

	ev.status_changed = u->told != ev.user.status;
	if (ev.status_changed && u->told == STATUS_OFFLINE)
		ev.change = CHANGE_ONLINE;
	else if (ev.status_changed && ev.user.status == STATUS_OFFLINE)
		ev.change = CHANGE_OFFLINE;
	tell_uninformed(e, user, &ev, now);
	if (need_texts(e, u, ev.change)) {
		ev.type = EV_PRESENCE_TEXTS;
		tell_uninformed(e, user, &ev, now);
	}
}

/* Those who were shown by a snapshot what waited, and is not so any more. */
static void tell_shown(const struct engine *e, const struct user *u)
{
	uint32_t conns[LINKS_BATCH], cursor = 0, n;

	while (e->links.hearers > 0 &&
	       (n = links_next_hearing(&e->links, TOPIC_PRESENCE, &cursor, conns)) > 0)
		for (uint32_t i = 0; i < n; i++)
			if (snapshot_after(links_at(&e->links, conns[i])->snapshot, u->pending_from))
				tell_link(e, conns[i]);
	tell_receivers(e, &u->watchers, WATCH_MISLED);
}

/*
 * The user is again as all others know them, and nothing is told; but those who were shown what was pending
 * in between know something else. Who asked for it is not noted: then all are told what most know.
 */
static void tell_misled(const struct engine *e, uint32_t user, struct now now)
{
	const struct user *u = users_at(&e->users, user);
	struct event ev = event_of(e, user, false, now);
	bool asked = was_asked(e, u);

	if (u->pending_from == e->snapshots && !asked)
		return;
	ev.status_changed = true;
	if (ev.user.status == STATUS_OFFLINE && !asked) /* most were told that */
		ev.change = CHANGE_OFFLINE;
	tell_begin(e, &ev, now);
	if (own_apart(u))
		tell_skip_links_of(e, user);
	skip_informed(e, u);
	if (asked)
		tell_audience(e, user);
	else
		tell_shown(e, u);
	tell_end(e);
}

static void tell_own(const struct engine *e, uint32_t user, struct now now)
{
	const struct user *u = users_at(&e->users, user);
	struct event ev = event_of(e, user, true, now);

	ev.status_changed = u->told_own != ev.user.status;
	tell_begin(e, &ev, now);
	skip_informed(e, u);
	tell_links_of(e, user);
	tell_end(e);
}

/* --- those who begin to hear it --- */

/* Those in the room hear of the user already, through it. */
static bool is_in_room(const struct engine *e, uint32_t user, uint32_t room)
{
	const struct user *u = users_at(&e->users, user);
	struct rooms_walk walk;
	const struct list *rooms;
	uint32_t i;

	for (uint32_t c = links_first(u->link_plus1); c != LINK_NONE; c = links_next(&e->links, c)) {
		i = interests_find(e, c, INTEREST_ROOM, room);
		if (i != MAP_NONE && interests_entered(e, i))
			return true;
	}
	walk = (struct rooms_walk){ .share_plus1 = u->share_plus1, .begun = true };
	while ((rooms = rooms_of(e, user, &walk)) != NULL) {
		i = interests_haunt_in(e, rooms, room);
		if (i != POOL_NONE && interests_entered(e, i))
			return true;
	}
	return false;
}

/* Those who hear of the user already. */
static void skip_mates(const struct engine *e, uint32_t user)
{
	const struct pool *cells = &e->interests.cells;
	struct rooms_walk walk = { 0 };
	const struct interest *it;
	const struct list *rooms;
	uint32_t i;

	while ((rooms = rooms_of(e, user, &walk)) != NULL)
		for (i = list_first(rooms); i != POOL_NONE; i = list_next(cells, INTERESTS_OF_LINK, i)) {
			it = interests_at(&e->interests, i);
			if (it->kind != INTEREST_USER && interests_entered(e, i))
				tell_skip_receivers(e, &rooms_at(&e->rooms, it->target)->members,
						    TOPIC_ROOM_PRESENCE);
		}
}

/* The first of the list, from `i` on, by which the user enters a room without being in it. */
static uint32_t entering(const struct engine *e, uint32_t user, uint32_t i)
{
	for (; i != POOL_NONE; i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i)) {
		const struct interest *it = interests_at(&e->interests, i);

		if (it->kind != INTEREST_USER && !interests_entered(e, i) && !is_in_room(e, user, it->target))
			break;
	}
	return i;
}

void announce_entering(const struct engine *e, uint32_t user, struct now now)
{
	const struct user *u = users_at(&e->users, user);
	const struct pool *cells = &e->interests.cells;
	struct rooms_walk walk = { 0 };
	const struct list *rooms;
	uint32_t i, room;
	struct event ev;
	bool begun = false;

	if (u->told == STATUS_OFFLINE || (u->flags & USER_PENDING) != 0)
		return;
	ev = event_of(e, user, false, now);
	ev.status_changed = true;
	ev.change = CHANGE_ONLINE;
	while ((rooms = rooms_of(e, user, &walk)) != NULL)
		for (i = entering(e, user, list_first(rooms)); i != POOL_NONE;
		     i = entering(e, user, list_next(cells, INTERESTS_OF_LINK, i))) {
			if (!begun) {
				tell_begin(e, &ev, now);
				tell_skip_links_of(e, user);
				skip_mates(e, user);
			}
			begun = true;
			room = interests_at(&e->interests, i)->target;
			tell_receivers(e, &rooms_at(&e->rooms, room)->members, TOPIC_ROOM_PRESENCE);
		}
	if (begun)
		tell_end(e);
}

/* Between two broadcasts of one user. */
static int64_t rate_gap_ms(const struct engine *e)
{
	uint32_t rate = e->config.presence_rate;

	return rate == 0 ? 0 : (999 + rate) / rate;
}

static bool rate_allows(struct engine *e, uint32_t user, struct now now)
{
	struct user *u = users_at(&e->users, user);

	if (e->config.presence_rate == 0 || now.mono.ms >= u->quiet_until_ms) {
		u->quiet_until_ms = now.mono.ms + rate_gap_ms(e);
		return true;
	}
	if ((u->flags & USER_PENDING) == 0)
		tell_note(e, NOTE_RATE_LIMITED, user, POOL_NONE, u->quiet_until_ms - now.mono.ms, now);
	u->flags |= USER_PENDING;
	return false;
}

/* What is told leaves out texts whose time is over: it says all that their timer would say. */
static void let_lapse(struct engine *e, uint32_t user, struct now now)
{
	struct announce_state before;

	if (!status_lapses(e, user, now))
		return;
	before = announce_state_of(e, user);
	status_expire(e, user, now);
	announce_changed(e, user, &before);
}

void announce(struct engine *e, uint32_t user, struct now now)
{
	struct user *u = users_at(&e->users, user);
	bool due;

	let_lapse(e, user, now);
	due = announce_due(e, user);
	if ((!due && !was_asked(e, u)) || rate_allows(e, user, now)) {
		if (others_differ(e, u)) {
			tell_others(e, user, now);
			pass_shown(e, user);
		} else if ((u->flags & USER_PENDING) != 0) {
			tell_misled(e, user, now);
		}
		if (due && own_apart(u) && own_differ(e, u))
			tell_own(e, user, now);
		set_told(e, u);
		forget_pending(e, u);
		if ((u->flags & USER_PRESENT) == 0)
			interests_end_haunts(e, user, MAP_NONE);
	}
	announce_arm(e, user, now);
	announce_roster(e, now);
	users_settle(&e->users, user);
}

/* --- snapshots --- */

void announce_snapshot(struct engine *e, uint32_t conn)
{
	e->snapshots++;
	if (e->snapshots == 0) /* 0 means none */
		e->snapshots++;
	links_at(&e->links, conn)->snapshot = e->snapshots;
}

void announce_seen(struct engine *e, uint32_t interest)
{
	struct user *u = users_at(&e->users, interests_at(&e->interests, interest)->target);

	assert(interests_at(&e->interests, interest)->kind == INTEREST_USER);
	if ((u->flags & USER_PENDING) == 0)
		return;
	e->snapshots++;
	u->flags |= USER_SEEN;
	*interests_mask(e, interest) |= WATCH_SEEN;
}

void announce_asked(struct engine *e, uint32_t user)
{
	struct user *u = users_at(&e->users, user);

	if ((u->flags & USER_PENDING) != 0)
		users_profile(&e->users, u)->asked = true;
}

/* --- the roster --- */

static struct event roster_event(struct presence_list *list)
{
	return (struct event){ .type = EV_ROSTER, .conflation = CONFLATE_ROSTER, .list = list };
}

/* Of the set as it is. That two in a row have the same happens once in 4 billion; the next one mends it. */
static uint32_t roster_mark(const struct engine *e)
{
	return (uint32_t)e->roster_hash;
}

void announce_roster_to(struct engine *e, uint32_t conn, struct now now)
{
	struct query_list q;
	struct event ev = roster_event(query_online(&q, e, now));

	links_at(&e->links, conn)->snapshot = roster_mark(e);
	if (e->roster_hash != e->roster_told_hash)
		e->roster_split = true;
	tell_only(e, conn, &ev, now);
}

static void tell_roster(const struct engine *e, struct now now)
{
	struct query_list q;
	struct event ev = roster_event(query_online(&q, e, now));
	uint32_t conns[LINKS_BATCH], cursor = 0, n;

	tell_begin(e, &ev, now);
	while ((n = links_next_hearing(&e->links, TOPIC_ROSTER, &cursor, conns)) > 0)
		for (uint32_t i = 0; i < n; i++) {
			struct link *l = links_at(&e->links, conns[i]);

			if (l->snapshot == roster_mark(e))
				continue;
			l->snapshot = roster_mark(e);
			tell_link(e, conns[i]);
		}
	tell_end(e);
}

void announce_roster(struct engine *e, struct now now)
{
	/* Split: a set that is again what was told is news to who joined in between. */
	if (e->roster_hash == e->roster_told_hash && !e->roster_split) {
		wheel_unset(e->wheel, &e->roster_timer);
	} else if (now.mono.ms < e->roster_quiet_until_ms) {
		if (!timer_is_set(&e->roster_timer))
			wheel_set(e->wheel, &e->roster_timer, (mono_t){ e->roster_quiet_until_ms });
	} else {
		wheel_unset(e->wheel, &e->roster_timer);
		e->roster_told_hash = e->roster_hash;
		e->roster_split = false;
		e->roster_quiet_until_ms = now.mono.ms + ROSTER_GAP_MS;
		tell_note(e, NOTE_ROSTER_CHANGED, POOL_NONE, POOL_NONE, e->users.roster_count, now);
		tell_roster(e, now);
		pass_roster(e);
	}
}

/* --- the user's timer --- */

static int64_t expiry_ms(wall_t expires, struct now now)
{
	int64_t left = expires.ms - now.wall.ms; /* dates are those of RFC 3339: no overflow */

	if (left < 1)
		left = 1;
	return now.mono.ms + (left < EXPIRY_RECHECK_MS ? left : EXPIRY_RECHECK_MS);
}

static int64_t min_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void announce_arm(struct engine *e, uint32_t user, struct now now)
{
	struct user *u = users_at(&e->users, user);
	const struct profile *p = users_profile(&e->users, u);
	int64_t at = INT64_MAX;

	if ((u->flags & USER_PRESENT) != 0 && u->device_count == 0)
		at = u->offline_ms;
	if ((u->flags & USER_PENDING) != 0)
		at = min_ms(at, u->quiet_until_ms);
	if (p != NULL && !wall_absent(p->custom_expires))
		at = min_ms(at, expiry_ms(p->custom_expires, now));
	if (p != NULL && !wall_absent(p->shown_expires))
		at = min_ms(at, expiry_ms(p->shown_expires, now));
	for (uint32_t d = users_pins(&e->users, user) == 0 ? POOL_NONE : list_first(&u->devices);
	     d != POOL_NONE; d = list_next(&e->devices.cells, DEVICES_OF_USER, d))
		if (device_pinned(devices_at(&e->devices, d)))
			at = min_ms(at, devices_at(&e->devices, d)->expires_ms);
	users_wake_at(&e->users, user, (mono_t){ at > now.mono.ms ? at : now.mono.ms + 1 });
}
