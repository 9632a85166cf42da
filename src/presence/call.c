/*
 * presence/call.c: see call.h.
 *
 * Invariants: a call is in the lists of both its users, who differ; at least one of its ends is here. A link
 * in it lives. While it rings the timer is set, and it does ring: a record's callee has links here, an
 * owner's has too or some node was asked that hosts the callee. Once it is answered the timer is set if an
 * end is afar.
 */
#include "presence/call.h"

#include "presence/pass.h"
#include "presence/tell.h"

struct call *call_at(const struct engine *e, uint32_t i)
{
	return (struct call *)pool_at(&e->calls.cells, i);
}

/* --- records --- */

uint32_t call_next_leg(const struct engine *e, uint32_t leg)
{
	return call_at(e, leg >> 1)->next_leg_plus1[leg & 1] - 1;
}

uint32_t call_find_leg(const struct engine *e, uint32_t user, struct str id, uint32_t *count)
{
	*count = 0;
	for (uint32_t leg = users_call_leg_plus1(&e->users, user) - 1; leg != LINK_NONE;
	     leg = call_next_leg(e, leg), ++*count)
		if (str_eq(strpool_get(&e->ids, call_at(e, leg >> 1)->id), id))
			return leg;
	return LINK_NONE;
}

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

uint32_t call_make(struct engine *e, uint32_t caller, uint32_t conn, uint32_t callee, struct str id,
		   int64_t ring_ms, struct now now)
{
	uint32_t i = pool_take(&e->calls.cells);
	struct call *c;
	strref ref;

	assert(caller != callee);
	if (i == POOL_NONE)
		return POOL_NONE;
	ref = strpool_put(&e->ids, id);
	assert(ref != STRREF_FULL);
	c = call_at(e, i);
	*c = (struct call){
		.id = ref, .user = { caller, callee }, .conn = { conn, LINK_NONE }, .peer = PEERS_MAX,
	};
	timer_init(&c->timer, TIMER_CALL);
	wheel_set(e->wheel, &c->timer, mono_add_ms(now.mono, ring_ms));
	push_leg(e, i, CALLER);
	push_leg(e, i, CALLEE);
	return i;
}

void call_forget(struct engine *e, uint32_t i)
{
	struct call *c = call_at(e, i);

	wheel_unset(e->wheel, &c->timer);
	remove_leg(e, i, CALLER);
	remove_leg(e, i, CALLEE);
	strpool_drop(&e->ids, c->id);
	pool_give(&e->calls.cells, i);
}

/* --- who hears of it here --- */

static struct event event_of(const struct engine *e, enum event_type type, const struct call *c,
			     enum call_role from, struct now now)
{
	struct event ev = { .type = type, .call_id = strpool_get(&e->ids, c->id) };

	users_view(&e->users, c->user[from], false, now, &ev.user);
	return ev;
}

/* What is here of that end. */
static void tell_end_of(const struct engine *e, const struct call *c, enum call_role role)
{
	if (c->conn[role] == LINK_NONE)
		tell_links_of(e, c->user[role]);
	else if (c->conn[role] != CALL_AFAR)
		tell_link(e, c->conn[role]);
}

uint32_t call_ring(const struct engine *e, const struct call *c, struct str device_id, struct str body,
		   struct now now)
{
	struct event incoming = event_of(e, EV_CALL_INCOMING, c, CALLER, now);
	uint32_t n;

	incoming.device_id = device_id;
	tell_begin(e, &incoming, now);
	tell_end_of(e, c, CALLEE);
	n = tell_end(e);
	if (n > 0)
		call_tell_body(e, c, EV_CALL_OFFER, CALLER, body, now);
	return n;
}

void call_tell_body(const struct engine *e, const struct call *c, enum event_type type, enum call_role from,
		    struct str body, struct now now)
{
	struct event ev = event_of(e, type, c, from, now);

	ev.body = body;
	tell_begin(e, &ev, now);
	tell_end_of(e, c, from == CALLER ? CALLEE : CALLER);
	tell_end(e);
}

void call_tell_ended(const struct engine *e, const struct call *c, struct str reason, uint32_t but_conn,
		     struct now now)
{
	struct event ev = event_of(e, EV_CALL_ENDED, c, CALLER, now);

	ev.text = reason;
	tell_begin(e, &ev, now);
	if (but_conn != LINK_NONE)
		tell_skip(e, but_conn);
	tell_end_of(e, c, CALLER);
	tell_end_of(e, c, CALLEE);
	tell_end(e);
}

void call_tell_answered_elsewhere(const struct engine *e, const struct call *c, uint32_t but_conn,
				  struct now now)
{
	struct event ev = event_of(e, EV_CALL_ENDED, c, CALLER, now);

	ev.text = STR("answered_elsewhere");
	tell_begin(e, &ev, now);
	if (but_conn != LINK_NONE && but_conn != CALL_AFAR)
		tell_skip(e, but_conn);
	tell_links_of(e, c->user[CALLEE]);
	tell_end(e);
}

/* --- and at other nodes --- */

uint64_t call_nodes(const struct call *c)
{
	if (!call_is_ours(c) || c->conn[CALLEE] == CALL_AFAR) {
		assert(c->peer < PEERS_MAX);
		return UINT64_C(1) << c->peer;
	}
	return c->asked;
}

struct peer_message call_message(const struct engine *e, const struct call *c, enum peer_message_type type,
				 enum call_role from)
{
	return (struct peer_message){
		.type = type, .user_id = users_id(&e->users, c->user[from]),
		.target = users_id(&e->users, c->user[from == CALLER ? CALLEE : CALLER]),
		.call_id = strpool_get(&e->ids, c->id),
	};
}

uint64_t call_key(const struct engine *e, const struct call *c)
{
	assert(!call_rings(c));
	return c->conn[CALLEE] == CALL_AFAR ? c->key : e->sink->key(e->sink->ctx, c->conn[CALLEE]);
}

/* --- what happens to it --- */

void call_answered(struct engine *e, uint32_t i, struct str body, struct now now)
{
	struct call *c = call_at(e, i);
	struct peer_message m = call_message(e, c, PEER_CALL_ANSWERED, CALLER);

	assert(call_is_ours(c) && !call_rings(c));
	call_tell_body(e, c, EV_CALL_ANSWER, CALLEE, body, now);
	call_tell_answered_elsewhere(e, c, c->conn[CALLEE], now);
	if (c->asked != 0) {
		m.key = call_key(e, c);
		pass_to_nodes(e, c->asked, &m);
	}
	c->asked = 0;
	c->flags = 0;
	if (c->conn[CALLEE] == CALL_AFAR)
		wheel_set(e->wheel, &c->timer, mono_add_ms(now.mono, CALL_CHECK_MS));
	else
		wheel_unset(e->wheel, &c->timer);
}

void call_end(struct engine *e, uint32_t i, struct str reason, uint32_t but_conn, struct now now)
{
	struct call *c = call_at(e, i);
	struct peer_message m = call_message(e, c, PEER_CALL_ENDED, call_is_ours(c) ? CALLER : CALLEE);

	call_tell_ended(e, c, reason, but_conn, now);
	m.text = reason;
	pass_to_nodes(e, call_nodes(c), &m);
	call_forget(e, i);
}

void call_end_if_silent(struct engine *e, uint32_t i, uint32_t but_conn, struct now now)
{
	const struct call *c = call_at(e, i);

	assert(call_is_ours(c) && call_rings(c));
	if (c->asked == 0 && (c->flags & CALL_RINGS_HERE) == 0)
		call_end(e, i, call_why_unanswered(c, STR("disconnected")), but_conn, now);
}

struct str call_why_unanswered(const struct call *c, struct str if_it_rang)
{
	if (!call_is_ours(c) || (c->flags & CALL_RANG) != 0)
		return if_it_rang;
	return (c->flags & CALL_BUSY) != 0 ? STR("busy") : STR("unavailable");
}

/* --- validity --- */

static bool end_valid(const struct engine *e, const struct call *c, enum call_role role)
{
	uint32_t conn = c->conn[role];

	return conn == CALL_AFAR ||
	       (links_live(&e->links, conn) && links_at(&e->links, conn)->user == c->user[role]);
}

static bool ringing_valid(const struct engine *e, const struct call *c)
{
	bool here = users_at(&e->users, c->user[CALLEE])->links > 0;

	if (!timer_is_set(&c->timer))
		return false;
	if (!call_is_ours(c))
		return here && c->asked == 0;
	if ((c->flags & CALL_RINGS_HERE) != 0 && (!here || (c->flags & CALL_RANG) == 0))
		return false;
	return ((c->flags & CALL_RINGS_HERE) != 0 || c->asked != 0) &&
	       (c->asked & ~pass_hosts(e, c->user[CALLEE])) == 0;
}

bool call_valid(const struct engine *e, uint32_t leg, uint32_t user)
{
	const struct call *c = call_at(e, leg >> 1);
	bool afar = !call_is_ours(c) || c->conn[CALLEE] == CALL_AFAR;

	if (c->user[leg & 1] != user || c->user[CALLER] == c->user[CALLEE] || !end_valid(e, c, CALLER) ||
	    afar != (c->peer < PEERS_MAX))
		return false;
	if (call_rings(c))
		return ringing_valid(e, c);
	return end_valid(e, c, CALLEE) && (c->conn[CALLER] != CALL_AFAR || c->conn[CALLEE] != CALL_AFAR) &&
	       timer_is_set(&c->timer) == afar && c->asked == 0 &&
	       (c->key != 0) == (c->conn[CALLEE] == CALL_AFAR);
}
