/*
 * presence/calls.c: see calls.h.
 *
 * Invariants: a call is in the lists of both its users, who differ; the caller's link lives; the callee has a
 * link, and once it is answered that one lives too; its timer is set exactly while it rings.
 */
#include "presence/calls.h"

#include "presence/state.h"
#include "presence/tell.h"

void calls_init(struct calls *cs, struct region *r, uint32_t calls_max)
{
	pool_init(&cs->cells, r, sizeof(struct call), calls_max);
}

static struct call *call_at(const struct engine *e, uint32_t i)
{
	return (struct call *)pool_at(&e->calls.cells, i);
}

static bool ringing(const struct call *c)
{
	return c->conn[CALLEE] == LINK_NONE;
}

static uint32_t next_leg(const struct engine *e, uint32_t leg)
{
	return call_at(e, leg >> 1)->next_leg_plus1[leg & 1] - 1;
}

/*
 * The user's leg of the call with that id; LINK_NONE when there is none. *count: all legs of the user, if
 * none.
 */
static uint32_t find_leg(const struct engine *e, uint32_t user, struct str id, uint32_t *count)
{
	*count = 0;
	for (uint32_t leg = users_call_leg_plus1(&e->users, user) - 1; leg != LINK_NONE;
	     leg = next_leg(e, leg), ++*count)
		if (str_eq(strpool_get(&e->ids, call_at(e, leg >> 1)->id), id))
			return leg;
	return LINK_NONE;
}

/* --- lists --- */

static void push_leg(struct engine *e, uint32_t i, enum call_role role)
{
	struct call *c = call_at(e, i);
	struct profile *p = users_need_profile(&e->users, c->user[role]);

	c->next_leg_plus1[role] = p->call_leg_plus1;
	p->call_leg_plus1 = (i << 1 | role) + 1;
	users_settle(&e->users, c->user[role]);
}

static void remove_leg(struct engine *e, uint32_t i, enum call_role role)
{
	struct call *c = call_at(e, i);
	uint32_t *from = &users_need_profile(&e->users, c->user[role])->call_leg_plus1;

	while (*from != (i << 1 | role) + 1)
		from = &call_at(e, (*from - 1) >> 1)->next_leg_plus1[(*from - 1) & 1];
	*from = c->next_leg_plus1[role];
	users_settle(&e->users, c->user[role]);
}

static void forget(struct engine *e, uint32_t i)
{
	struct call *c = call_at(e, i);

	wheel_unset(e->wheel, &c->timer);
	remove_leg(e, i, CALLER);
	remove_leg(e, i, CALLEE);
	strpool_drop(&e->ids, c->id);
	pool_give(&e->calls.cells, i);
}

/* --- events --- */

static struct event event_of(const struct engine *e, enum event_type type, const struct call *c,
			     enum call_role from, struct now now)
{
	struct event ev = { .type = type, .call_id = strpool_get(&e->ids, c->id) };

	users_view(&e->users, c->user[from], false, now, &ev.user);
	return ev;
}

/* To everyone in it: the two links, or while it rings the caller's link and all of the callee's. */
static void tell_ended(const struct engine *e, const struct call *c, struct str reason, uint32_t but_conn,
		       struct now now)
{
	struct event ev = event_of(e, EV_CALL_ENDED, c, CALLER, now);

	ev.text = reason;
	tell_begin(e, &ev, now);
	if (but_conn != LINK_NONE)
		tell_skip(e, but_conn);
	tell_link(e, c->conn[CALLER]);
	if (ringing(c))
		tell_links_of(e, c->user[CALLEE]);
	else
		tell_link(e, c->conn[CALLEE]);
	tell_end(e);
}

static void tell_refused(const struct engine *e, uint32_t conn, const struct command *cmd, struct str reason,
			 struct now now)
{
	struct event ev = {
		.type = EV_CALL_ENDED, .command = cmd->type, .reply_to = cmd->reply_to,
		.call_id = cmd->call.id, .text = reason,
	};

	users_view(&e->users, links_at(&e->links, conn)->user, false, now, &ev.user);
	tell_only(e, conn, &ev, now);
}

static void ack(const struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	struct event ev = { .call_id = cmd->call.id };

	tell_ack(e, conn, cmd, &ev, now);
}

/*
 * The sender's leg, or LINK_NONE after an error was told. A foreign call is as unknown as one that never was.
 */
static uint32_t leg_of_command(const struct engine *e, uint32_t conn, const struct command *cmd,
			       struct now now)
{
	uint32_t count, leg = find_leg(e, links_at(&e->links, conn)->user, cmd->call.id, &count);

	if (leg == LINK_NONE)
		tell_error(e, conn, cmd, 404, STR("no such call"), now);
	return leg;
}

/* --- commands --- */

static uint32_t make(struct engine *e, uint32_t conn, uint32_t callee, const struct command *cmd,
		     struct now now)
{
	uint32_t i = pool_take(&e->calls.cells);
	struct call *c;
	strref id;

	if (i == POOL_NONE)
		return POOL_NONE;
	id = strpool_put(&e->ids, cmd->call.id);
	assert(id != STRREF_FULL);
	c = call_at(e, i);
	*c = (struct call){
		.id = id, .user = { links_at(&e->links, conn)->user, callee }, .conn = { conn, LINK_NONE },
	};
	timer_init(&c->timer, TIMER_CALL);
	wheel_set(e->wheel, &c->timer, mono_add_ms(now.mono, CALL_RING_MS));
	push_leg(e, i, CALLER);
	push_leg(e, i, CALLEE);
	return i;
}

/* False: none of the callee's devices has words for a call. */
static bool ring(const struct engine *e, uint32_t i, uint32_t conn, struct str sdp, struct now now)
{
	const struct call *c = call_at(e, i);
	struct event incoming = event_of(e, EV_CALL_INCOMING, c, CALLER, now);
	struct event offer = event_of(e, EV_CALL_OFFER, c, CALLER, now);
	char buf[HEX_U64_BYTES];

	incoming.device_id = devices_id(&e->devices, links_at(&e->links, conn)->device, buf);
	tell_begin(e, &incoming, now);
	tell_links_of(e, c->user[CALLEE]);
	if (tell_end(e) == 0)
		return false;
	offer.body = sdp;
	tell_begin(e, &offer, now);
	tell_links_of(e, c->user[CALLEE]);
	tell_end(e);
	return true;
}

void calls_offer(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t caller = links_at(&e->links, conn)->user;
	uint32_t callee = users_find(&e->users, cmd->call.target);
	uint32_t mine, theirs = 0, i;

	if (callee == caller) {
		tell_error(e, conn, cmd, 400, STR("a call to oneself"), now);
	} else if (find_leg(e, caller, cmd->call.id, &mine) != LINK_NONE) {
		tell_error(e, conn, cmd, 409, STR("this call_id is in use"), now);
	} else if (mine >= CALLS_PER_USER_MAX) {
		tell_error(e, conn, cmd, 429, STR("too many calls"), now);
	} else if (callee == MAP_NONE || users_at(&e->users, callee)->links == 0 ||
	           users_status_shown(users_at(&e->users, callee)) == STATUS_OFFLINE) {
		/* an invisible callee would show by ringing */
		tell_refused(e, conn, cmd, STR("unavailable"), now);
	} else if (find_leg(e, callee, cmd->call.id, &theirs) != LINK_NONE) {
		tell_error(e, conn, cmd, 409, STR("this call_id is in use"), now);
	} else if (theirs >= CALLS_PER_USER_MAX) {
		tell_refused(e, conn, cmd, STR("busy"), now);
	} else if ((i = make(e, conn, callee, cmd, now)) == POOL_NONE) {
		tell_error(e, conn, cmd, 503, STR("no room for more calls"), now);
	} else if (!ring(e, i, conn, cmd->call.body, now)) {
		forget(e, i);
		tell_refused(e, conn, cmd, STR("unavailable"), now);
	} else {
		ack(e, conn, cmd, now);
	}
}

void calls_answer(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t leg = leg_of_command(e, conn, cmd, now);
	struct call *c;
	struct event ev;

	if (leg == LINK_NONE)
		return;
	c = call_at(e, leg >> 1);
	if ((leg & 1) == CALLER || !ringing(c)) {
		tell_error(e, conn, cmd, 409,
			   (leg & 1) == CALLER ? STR("one's own call") : STR("already answered"), now);
		return;
	}
	wheel_unset(e->wheel, &c->timer);
	c->conn[CALLEE] = conn;
	ack(e, conn, cmd, now);
	ev = event_of(e, EV_CALL_ANSWER, c, CALLEE, now);
	ev.body = cmd->call.body;
	tell_only(e, c->conn[CALLER], &ev, now);
	ev = event_of(e, EV_CALL_ENDED, c, CALLER, now);
	ev.text = STR("answered_elsewhere");
	tell_begin(e, &ev, now);
	tell_skip(e, conn);
	tell_links_of(e, c->user[CALLEE]);
	tell_end(e);
}

/* The sender is in the call: it is one of its two links, or the call rings at it. */
static bool takes_part(const struct call *c, uint32_t leg, uint32_t conn)
{
	enum call_role role = (enum call_role)(leg & 1);

	return c->conn[role] == conn || (role == CALLEE && ringing(c));
}

void calls_ice(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t leg = leg_of_command(e, conn, cmd, now);
	const struct call *c;
	struct event ev;

	if (leg == LINK_NONE)
		return;
	c = call_at(e, leg >> 1);
	if (!takes_part(c, leg, conn)) {
		tell_error(e, conn, cmd, 409, STR("the call is on another device"), now);
		return;
	}
	ack(e, conn, cmd, now);
	ev = event_of(e, EV_CALL_ICE, c, (enum call_role)(leg & 1), now);
	ev.body = cmd->call.body;
	tell_begin(e, &ev, now);
	if ((leg & 1) == CALLEE)
		tell_link(e, c->conn[CALLER]);
	else if (ringing(c))
		tell_links_of(e, c->user[CALLEE]);
	else
		tell_link(e, c->conn[CALLEE]);
	tell_end(e);
}

void calls_hangup(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t leg = leg_of_command(e, conn, cmd, now);

	if (leg == LINK_NONE)
		return;
	if (!takes_part(call_at(e, leg >> 1), leg, conn)) {
		tell_error(e, conn, cmd, 409, STR("the call is on another device"), now);
		return;
	}
	ack(e, conn, cmd, now);
	/* Who gave an id has its answer, which says the same. */
	tell_ended(e, call_at(e, leg >> 1), STR("hangup"), str_absent(cmd->reply_to) ? LINK_NONE : conn, now);
	forget(e, leg >> 1);
}

/* --- ends that nobody asked for --- */

void calls_end_link(struct engine *e, uint32_t conn, struct now now)
{
	uint32_t user = links_at(&e->links, conn)->user, leg = users_call_leg_plus1(&e->users, user) - 1;

	while (leg != LINK_NONE) {
		uint32_t next = next_leg(e, leg), i = leg >> 1;
		const struct call *c = call_at(e, i);
		bool rang_only_here = (leg & 1) == CALLEE && ringing(c) &&
			users_at(&e->users, user)->links == 1;

		if (c->conn[leg & 1] == conn || rang_only_here) {
			tell_ended(e, c, STR("disconnected"), conn, now);
			forget(e, i);
		}
		leg = next;
	}
}

void calls_expire(struct engine *e, struct timer *timer, struct now now)
{
	uint32_t i = pool_index(&e->calls.cells, timer);

	tell_ended(e, call_at(e, i), STR("timeout"), LINK_NONE, now);
	forget(e, i);
}

/* --- other nodes --- */

void calls_hear(struct engine *e, uint32_t peer, uint32_t user, const struct peer_message *m, struct now now)
{
	(void)e, (void)peer, (void)user, (void)m, (void)now;
}

void calls_hear_share(struct engine *e, uint32_t user, struct now now)
{
	(void)e, (void)user, (void)now;
}

/* --- validity --- */

static bool call_valid(const struct engine *e, uint32_t leg, uint32_t user)
{
	const struct call *c = call_at(e, leg >> 1);

	if (c->user[leg & 1] != user || c->user[CALLER] == c->user[CALLEE] ||
	    ringing(c) != timer_is_set(&c->timer))
		return false;
	if (users_at(&e->users, user)->links == 0 || !links_live(&e->links, c->conn[CALLER]))
		return false;
	return ringing(c) || links_live(&e->links, c->conn[CALLEE]);
}

bool calls_valid(const struct engine *e)
{
	uint32_t cursor = 0, legs = 0;

	for (uint32_t u = map_next(&e->users.by_id, &cursor); u != MAP_NONE;
	     u = map_next(&e->users.by_id, &cursor))
		for (uint32_t leg = users_call_leg_plus1(&e->users, u) - 1; leg != LINK_NONE;
		     leg = next_leg(e, leg))
			if (++legs > 2 * pool_used(&e->calls.cells) || !call_valid(e, leg, u))
				return false;
	return legs == 2 * pool_used(&e->calls.cells) && pool_valid(&e->calls.cells);
}
