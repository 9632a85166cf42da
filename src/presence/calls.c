/*
 * presence/calls.c: see calls.h. Invariants: those of call.c; no call is there that is in no user's list.
 */
#include "presence/calls.h"

#include "presence/calls_afar.h"
#include "presence/pass.h"
#include "presence/state.h"
#include "presence/tell.h"

void calls_init(struct calls *cs, struct region *r, uint32_t calls_max)
{
	pool_init(&cs->cells, r, sizeof(struct call), calls_max);
}

/* --- answers to the sender --- */

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
	uint32_t count, leg = call_find_leg(e, links_at(&e->links, conn)->user, cmd->call.id, &count);

	if (leg == LINK_NONE)
		tell_error(e, conn, cmd, 404, STR("no such call"), now);
	return leg;
}

/* To the nodes that know of the call. False, after an error was told: the body is too long for that. */
static bool may_pass(const struct engine *e, uint32_t conn, const struct command *cmd, uint64_t nodes,
		     struct now now)
{
	if (nodes == 0 || calls_afar_fits(cmd->call.body))
		return true;
	tell_error(e, conn, cmd, 413, STR("too long for a call between nodes"), now);
	return false;
}

/* The sender's end says so to the other one, as far as that is elsewhere. */
static void pass_body(const struct engine *e, const struct call *c, enum peer_message_type type,
		      enum call_role from, struct str body)
{
	struct peer_message m = call_message(e, c, type, from);

	m.body = body;
	if (type == PEER_CALL_ANSWER)
		m.key = call_key(e, c);
	pass_to_nodes(e, call_nodes(c), &m);
}

/* --- commands --- */

static void pass_offer(const struct engine *e, const struct call *c, struct str device_id, struct str body)
{
	struct peer_message m = call_message(e, c, PEER_CALL_OFFER, CALLER);

	m.device_id = device_id;
	m.body = body;
	pass_to_nodes(e, call_nodes(c), &m);
}

/* Rings at the callee's connections here, and has it ring at the other nodes that host any. */
static void place(struct engine *e, uint32_t i, uint32_t conn, const struct command *cmd, struct now now)
{
	struct call *c = call_at(e, i);
	char buf[HEX_U64_BYTES];
	struct str device_id = devices_id(&e->devices, links_at(&e->links, conn)->device, buf);

	c->asked = pass_hosts(e, c->user[CALLEE]);
	if (call_ring(e, c, device_id, cmd->call.body, now) > 0)
		c->flags |= CALL_RINGS_HERE | CALL_RANG;
	if (c->flags == 0 && c->asked == 0) {
		call_forget(e, i);
		tell_refused(e, conn, cmd, STR("unavailable"), now);
		return;
	}
	ack(e, conn, cmd, now);
	pass_offer(e, c, device_id, cmd->call.body);
}

void calls_offer(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t caller = links_at(&e->links, conn)->user;
	uint32_t callee = users_find(&e->users, cmd->call.target);
	uint64_t hosts = callee == MAP_NONE ? 0 : pass_hosts(e, callee);
	uint32_t mine, theirs = 0, i;

	if (callee == caller) {
		tell_error(e, conn, cmd, 400, STR("a call to oneself"), now);
	} else if (call_find_leg(e, caller, cmd->call.id, &mine) != LINK_NONE) {
		tell_error(e, conn, cmd, 409, STR("this call_id is in use"), now);
	} else if (mine >= CALLS_PER_USER_MAX) {
		tell_error(e, conn, cmd, 429, STR("too many calls"), now);
	} else if (callee == MAP_NONE || (users_at(&e->users, callee)->links == 0 && hosts == 0) ||
	           users_status_shown(users_at(&e->users, callee)) == STATUS_OFFLINE) {
		/* an invisible callee would show by ringing */
		tell_refused(e, conn, cmd, STR("unavailable"), now);
	} else if (call_find_leg(e, callee, cmd->call.id, &theirs) != LINK_NONE) {
		tell_error(e, conn, cmd, 409, STR("this call_id is in use"), now);
	} else if (theirs >= CALLS_PER_USER_MAX) {
		tell_refused(e, conn, cmd, STR("busy"), now);
	} else if (may_pass(e, conn, cmd, hosts, now)) {
		i = call_make(e, caller, conn, callee, cmd->call.id, CALL_RING_MS, now);
		if (i == POOL_NONE)
			tell_error(e, conn, cmd, 503, STR("no room for more calls"), now);
		else
			place(e, i, conn, cmd, now);
	}
}

void calls_answer(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t leg = leg_of_command(e, conn, cmd, now);
	struct call *c;

	if (leg == LINK_NONE)
		return;
	c = call_at(e, leg >> 1);
	if ((leg & 1) == CALLER || !call_rings(c)) {
		tell_error(e, conn, cmd, 409,
			   (leg & 1) == CALLER ? STR("one's own call") : STR("already answered"), now);
		return;
	}
	if (!call_is_ours(c) && !may_pass(e, conn, cmd, call_nodes(c), now))
		return;
	c->conn[CALLEE] = conn;
	ack(e, conn, cmd, now);
	if (call_is_ours(c)) {
		call_answered(e, leg >> 1, cmd->call.body, now);
		return;
	}
	/* Whoever the owner takes, nobody else here has it. */
	call_tell_answered_elsewhere(e, c, conn, now);
	pass_body(e, c, PEER_CALL_ANSWER, CALLEE, cmd->call.body);
}

/* The sender is in the call: it is one of its two links, or the call rings at it. */
static bool takes_part(const struct call *c, uint32_t leg, uint32_t conn)
{
	enum call_role role = (enum call_role)(leg & 1);

	return c->conn[role] == conn || (role == CALLEE && call_rings(c));
}

void calls_ice(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t leg = leg_of_command(e, conn, cmd, now);
	enum call_role from = (enum call_role)(leg & 1);
	const struct call *c;
	uint64_t nodes;

	if (leg == LINK_NONE)
		return;
	c = call_at(e, leg >> 1);
	if (!takes_part(c, leg, conn)) {
		tell_error(e, conn, cmd, 409, STR("the call is on another device"), now);
		return;
	}
	/* What a callee says while it rings is for the caller alone. */
	nodes = from == CALLEE && call_is_ours(c) ? 0 : call_nodes(c);
	if (!may_pass(e, conn, cmd, nodes, now))
		return;
	ack(e, conn, cmd, now);
	call_tell_body(e, c, EV_CALL_ICE, from, cmd->call.body, now);
	if (nodes != 0)
		pass_body(e, c, PEER_CALL_ICE, from, cmd->call.body);
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
	call_end(e, leg >> 1, STR("hangup"), str_absent(cmd->reply_to) ? LINK_NONE : conn, now);
}

/* --- ends that nobody asked for --- */

void calls_end_link(struct engine *e, uint32_t conn, struct now now)
{
	uint32_t user = links_at(&e->links, conn)->user, leg = users_call_leg_plus1(&e->users, user) - 1;
	bool is_last = users_at(&e->users, user)->links == 1;

	while (leg != LINK_NONE) {
		uint32_t next = call_next_leg(e, leg), i = leg >> 1;
		struct call *c = call_at(e, i);
		bool rang_here = is_last && (leg & 1) == CALLEE && call_rings(c);

		if (c->conn[leg & 1] == conn || (rang_here && !call_is_ours(c))) {
			call_end(e, i, STR("disconnected"), conn, now);
		} else if (rang_here) {
			c->flags &= (uint8_t)~CALL_RINGS_HERE;
			call_end_if_silent(e, i, conn, now);
		}
		leg = next;
	}
}

void calls_expire(struct engine *e, struct timer *timer, struct now now)
{
	uint32_t i = pool_index(&e->calls.cells, timer);
	const struct call *c = call_at(e, i);

	if (call_rings(c))
		call_end(e, i, call_why_unanswered(c, STR("timeout")), LINK_NONE, now);
	else
		calls_afar_check(e, i, now);
}

/* --- validity --- */

bool calls_valid(const struct engine *e)
{
	uint32_t cursor = 0, legs = 0;

	for (uint32_t u = map_next(&e->users.by_id, &cursor); u != MAP_NONE;
	     u = map_next(&e->users.by_id, &cursor))
		for (uint32_t leg = users_call_leg_plus1(&e->users, u) - 1; leg != LINK_NONE;
		     leg = call_next_leg(e, leg))
			if (++legs > 2 * pool_used(&e->calls.cells) || !call_valid(e, leg, u))
				return false;
	return legs == 2 * pool_used(&e->calls.cells) && pool_valid(&e->calls.cells);
}
