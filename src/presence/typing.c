/*
 * presence/typing.c: see typing.h.
 *
 * Invariants: every typing is in its user's list and its timer is set; (user, room, to recipients or not) is
 * unique; an invisible user has none.
 */
#include "presence/typing.h"

#include "presence/pass.h"
#include "presence/state.h"
#include "presence/tell.h"

/* What one command or one stop says, and to whom. */
struct said {
	uint32_t user;
	struct str room;
	enum room_kind kind;
	bool is_typing;
	const struct strs *recipients;  /* ids; NULL: the room, or the remembered ones of `of` alone */
	const struct typing *of;        /* a stop: of that, told to its remembered ones too; NULL: none is */
	const struct strs *instead;     /* a stop: who is told a start now; their nodes tell the others */
	bool heard;              /* from another node: not passed on */
};

enum {
	HEARD_GRACE_MS = 2000,   /* for the other node's stop to come */
};

enum outcome { TYPING_OK, TYPING_FULL, TYPING_TOO_MANY };

void typing_init(struct typings *ts, struct region *r, uint32_t typing_max)
{
	pool_init(&ts->cells, r, sizeof(struct typing), typing_max);
}

static struct typing *typing_at(const struct engine *e, uint32_t i)
{
	return (struct typing *)pool_at(&e->typings.cells, i);
}

static uint32_t remembered_count(const struct said *s)
{
	return s->of == NULL ? 0 : s->of->recipient_count;
}

static void tell_recipients(const struct engine *e, const struct said *s)
{
	for (uint32_t i = 0; s->recipients != NULL && i < s->recipients->n; i++) {
		uint32_t user = users_find(&e->users, s->recipients->v[i]);

		if (user != MAP_NONE)
			tell_links_of(e, user);
	}
	for (uint32_t i = 0; i < remembered_count(s); i++)
		tell_links_of(e, s->of->recipients[i]);
}

/* To the nodes that host recipients (each remembers whom it told), or that have members in the room. */
static void pass_typing(const struct engine *e, const struct said *s)
{
	struct str ids[TYPING_RECIPIENTS_MAX];
	struct strs remembered = { ids, remembered_count(s) };
	uint64_t nodes;
	struct peer_message m = {
		.type = PEER_TYPING, .user_id = users_id(&e->users, s->user), .room = s->room,
		.kind = s->kind, .is_typing = s->is_typing,
	};

	for (uint32_t i = 0; i < remembered.n; i++)
		ids[i] = users_id(&e->users, s->of->recipients[i]);
	m.users = s->recipients != NULL ? *s->recipients : remembered;
	nodes = pass_hosts_of(e, &m.users) | pass_hosts_of(e, &remembered);
	if (s->instead != NULL)
		nodes &= ~pass_hosts_of(e, s->instead);
	if (m.users.n > 0)
		pass_to_nodes(e, nodes, &m);
	else
		pass_to_room(e, s->room, &m);
}

static void tell_typing(const struct engine *e, const struct said *s, struct now now)
{
	struct event ev = {
		.type = EV_TYPING, .conflation = CONFLATE_TYPING, .room = s->room, .kind = s->kind,
		.is_typing = s->is_typing,
	};
	uint32_t room = rooms_find(&e->rooms, s->room);

	users_view(&e->users, s->user, false, now, &ev.user);
	ev.subject = tell_subject(e, ev.user.user_id, s->room);
	if (room != MAP_NONE)
		ev.kind = rooms_kind(&e->rooms, room, s->kind);
	tell_begin(e, &ev, now);
	tell_skip_links_of(e, s->user);
	if (s->recipients != NULL || remembered_count(s) > 0)
		tell_recipients(e, s);
	else if (room != MAP_NONE)
		tell_receivers(e, &rooms_at(&e->rooms, room)->members, TOPIC_TYPING | TOPIC_CONVERSATION);
	tell_end(e);
	if (e->config.peers != NULL && !s->heard)
		pass_typing(e, s);
}

/* --- what is remembered --- */

static uint32_t find(const struct engine *e, const struct said *s, uint32_t *count)
{
	uint32_t found = POOL_NONE;

	*count = 0;
	for (uint32_t i = users_typing_plus1(&e->users, s->user) - 1; i != POOL_NONE;
	     i = typing_at(e, i)->next_plus1 - 1) {
		const struct typing *t = typing_at(e, i);

		++*count;
		if (str_eq(strpool_get(&e->ids, t->room), s->room) &&
		    (t->recipient_count > 0) == (s->recipients != NULL))
			found = i;
	}
	return found;
}

static void unpin_recipients(struct engine *e, struct typing *t)
{
	for (uint32_t i = 0; i < t->recipient_count; i++) {
		users_unpin(&e->users, t->recipients[i]);
		users_settle(&e->users, t->recipients[i]);
	}
	t->recipient_count = 0;
}

/*
 * Those that are known, for a stop that comes by itself. They are pinned so that a number keeps naming the
 * same user.
 */
static void pin_recipients(struct engine *e, struct typing *t, const struct strs *ids)
{
	for (uint32_t i = 0; i < ids->n; i++) {
		uint32_t user = users_find(&e->users, ids->v[i]);

		if (user == MAP_NONE)
			continue;
		users_pin(&e->users, user);
		t->recipients[t->recipient_count++] = user;
		users_settle(&e->users, user);
	}
}

static void forget(struct engine *e, uint32_t i)
{
	struct typing *t = typing_at(e, i);
	uint32_t *from = &users_need_profile(&e->users, t->user)->typing_plus1;

	while (*from != i + 1)
		from = &typing_at(e, *from - 1)->next_plus1;
	*from = t->next_plus1;
	wheel_unset(e->wheel, &t->timer);
	unpin_recipients(e, t);
	users_settle(&e->users, t->user);
	strpool_drop(&e->ids, t->room);
	pool_give(&e->typings.cells, i);
}

static uint32_t make(struct engine *e, const struct said *s)
{
	uint32_t i = pool_take(&e->typings.cells);
	struct profile *p;
	struct typing *t;
	strref room;

	if (i == POOL_NONE)
		return POOL_NONE;
	room = strpool_put(&e->ids, s->room);
	assert(room != STRREF_FULL);
	p = users_need_profile(&e->users, s->user);
	t = typing_at(e, i);
	*t = (struct typing){
		.user = s->user, .next_plus1 = p->typing_plus1, .room = room, .kind = (uint8_t)s->kind,
	};
	timer_init(&t->timer, TIMER_TYPING);
	p->typing_plus1 = i + 1;
	users_settle(&e->users, s->user);
	return i;
}

static bool is_one_of(const struct strs *ids, struct str id)
{
	for (uint32_t i = 0; i < ids->n; i++)
		if (str_eq(ids->v[i], id))
			return true;
	return false;
}

/* A start to others than the one before: whom it leaves out is told a stop. */
static void stop_left_out(struct engine *e, const struct typing *t, const struct said *start, struct now now)
{
	struct str ids[TYPING_RECIPIENTS_MAX];
	struct strs left_out = { ids, 0 };
	struct said s = {
		.user = t->user, .room = start->room, .kind = (enum room_kind)t->kind,
		.recipients = &left_out, .instead = start->recipients, .heard = start->heard,
	};

	for (uint32_t i = 0; i < t->recipient_count; i++) {
		struct str id = users_id(&e->users, t->recipients[i]);

		if (!is_one_of(start->recipients, id))
			ids[left_out.n++] = id;
	}
	if (left_out.n > 0)
		tell_typing(e, &s, now);
}

/* Remembers a start. On anything but TYPING_OK nothing changed. */
static enum outcome remember(struct engine *e, const struct said *s, uint32_t conn, struct now now)
{
	uint32_t count, i = find(e, s, &count);
	struct typing *t;

	if (i != POOL_NONE && s->recipients != NULL)
		stop_left_out(e, typing_at(e, i), s, now);
	if (e->config.typing_ttl_ms == 0 ||
	    (s->recipients != NULL && s->recipients->n > TYPING_RECIPIENTS_MAX))
		return TYPING_OK;
	if (i == POOL_NONE && count >= TYPING_PER_USER_MAX)
		return TYPING_TOO_MANY;
	if (i == POOL_NONE)
		i = make(e, s);
	if (i == POOL_NONE)
		return TYPING_FULL;
	t = typing_at(e, i);
	t->conn = conn;
	t->heard = s->heard;
	if (s->recipients != NULL) {
		unpin_recipients(e, t);
		pin_recipients(e, t, s->recipients);
		if (t->recipient_count == 0) {
			forget(e, i);
			return TYPING_OK;
		}
	}
	wheel_set(e->wheel, &t->timer,
		  mono_add_ms(now.mono, e->config.typing_ttl_ms + (s->heard ? HEARD_GRACE_MS : 0)));
	return TYPING_OK;
}

/* A stop: it is told to those whom it names and to those who were told the start. */
static void stop(struct engine *e, struct said *s, struct now now)
{
	uint32_t count, i = find(e, s, &count);

	s->of = i == POOL_NONE ? NULL : typing_at(e, i);
	tell_typing(e, s, now);
	if (i != POOL_NONE)
		forget(e, i);
}

/* --- what comes in --- */

void typing_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	const struct link *l = links_at(&e->links, conn);
	bool to_some = cmd->typing.recipients_given && cmd->typing.recipients.n > 0;
	struct said s = {
		.user = l->user, .room = cmd->typing.room, .kind = cmd->typing.kind,
		.is_typing = cmd->typing.is_typing,
		.recipients = to_some ? &cmd->typing.recipients : NULL,
	};
	struct event ack = { .room = s.room, .kind = s.kind, .is_typing = s.is_typing };
	bool hidden = users_at(&e->users, l->user)->override == STATUS_INVISIBLE;
	enum outcome outcome = hidden || !s.is_typing ? TYPING_OK : remember(e, &s, conn, now);

	if (outcome == TYPING_TOO_MANY) {
		tell_error(e, conn, cmd, 429, STR("typing in too many conversations"), now);
	} else if (outcome == TYPING_FULL) {
		tell_error(e, conn, cmd, 503, STR("no room for more typing"), now);
	} else {
		tell_ack(e, conn, cmd, &ack, now);
		if (!hidden && s.is_typing)
			tell_typing(e, &s, now);
		else if (!hidden)
			stop(e, &s, now);
	}
}

bool typing_from_outside(struct engine *e, uint32_t user, struct str room, bool is_typing, struct now now)
{
	struct said s = { .user = user, .room = room, .is_typing = is_typing };

	if (users_at(&e->users, user)->override == STATUS_INVISIBLE)
		return true;
	if (is_typing && remember(e, &s, LINK_NONE, now) != TYPING_OK)
		return false;
	if (is_typing)
		tell_typing(e, &s, now);
	else
		stop(e, &s, now);
	return true;
}

void typing_hear(struct engine *e, uint32_t user, const struct peer_message *m, struct now now)
{
	struct said s = {
		.user = user, .room = m->room, .kind = m->kind, .is_typing = m->is_typing,
		.recipients = m->users.n > 0 ? &m->users : NULL, .heard = true,
	};
	uint32_t count, i = find(e, &s, &count);

	/* A stop of what has ended by itself was told. What was typed here too ends, or not, by this node. */
	if (users_at(&e->users, user)->override == STATUS_INVISIBLE ||
	    (i == POOL_NONE && !s.is_typing && e->config.typing_ttl_ms > 0 &&
	     m->users.n <= TYPING_RECIPIENTS_MAX) ||
	    (i != POOL_NONE && !typing_at(e, i)->heard))
		return;
	if (!s.is_typing)
		stop(e, &s, now);
	else if (remember(e, &s, LINK_NONE, now) == TYPING_OK)
		tell_typing(e, &s, now);
}

static void lapse(struct engine *e, uint32_t i, struct now now)
{
	const struct typing *t = typing_at(e, i);
	struct said s = { .user = t->user,
			  .room = strpool_get(&e->ids, t->room),
			  .kind = (enum room_kind)t->kind,
			  .of = t,
			  .heard = t->heard };

	tell_typing(e, &s, now);
	forget(e, i);
}

void typing_end(struct engine *e, uint32_t user, uint32_t conn, struct now now)
{
	uint32_t i = users_typing_plus1(&e->users, user) - 1;

	while (i != POOL_NONE) {
		uint32_t next = typing_at(e, i)->next_plus1 - 1;

		if (conn == LINK_NONE || typing_at(e, i)->conn == conn)
			lapse(e, i, now);
		i = next;
	}
}

void typing_expire(struct engine *e, struct timer *timer, struct now now)
{
	lapse(e, pool_index(&e->typings.cells, timer), now);
}

bool typing_valid(const struct engine *e)
{
	uint32_t cursor = 0, count = 0;

	for (uint32_t u = map_next(&e->users.by_id, &cursor); u != MAP_NONE;
	     u = map_next(&e->users.by_id, &cursor)) {
		for (uint32_t i = users_typing_plus1(&e->users, u) - 1; i != POOL_NONE;
		     i = typing_at(e, i)->next_plus1 - 1) {
			const struct typing *t = typing_at(e, i);

			if (++count > pool_used(&e->typings.cells) || t->user != u ||
			    !timer_is_set(&t->timer))
				return false;
			if (t->conn != LINK_NONE &&
			    (!links_live(&e->links, t->conn) || links_at(&e->links, t->conn)->user != u))
				return false;
			if (users_at(&e->users, u)->override == STATUS_INVISIBLE)
				return false;
		}
	}
	return count == pool_used(&e->typings.cells) && pool_valid(&e->typings.cells);
}
