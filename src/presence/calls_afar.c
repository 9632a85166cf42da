/*
 * presence/calls_afar.c: see calls_afar.h.
 *
 * Invariants: of a call this node believes of each end only what comes from the node that has that end, or
 * may have it; whatever else is said changes nothing.
 */
#include "presence/calls_afar.h"

#include "presence/pass.h"
#include "presence/tell.h"

static uint64_t bit(uint32_t peer)
{
	assert(peer < PEERS_MAX);
	return UINT64_C(1) << peer;
}

bool calls_afar_fits(struct str body)
{
	return str_absent(body) || body.n <= PEER_BODY_BYTES_MAX;
}

/* --- who may say what --- */

/* The call of that message, in which `user`, whom it names first, has the leg; LINK_NONE: not known here. */
static uint32_t leg_of(const struct engine *e, uint32_t user, const struct peer_message *m)
{
	uint32_t count, leg = call_find_leg(e, user, m->call_id, &count);
	const struct call *c;

	if (leg == LINK_NONE)
		return LINK_NONE;
	c = call_at(e, leg >> 1);
	return str_eq(users_id(&e->users, c->user[(leg & 1) ^ 1]), m->target) ? leg : LINK_NONE;
}

/* Is this the node that has the end, or while it rings may come to have it? */
static bool speaks_for(const struct call *c, enum call_role role, uint32_t peer)
{
	if (role == CALLER)
		return !call_is_ours(c) && c->peer == peer;
	if (!call_is_ours(c))
		return false;
	return call_rings(c) ? (c->asked & bit(peer)) != 0 : c->conn[CALLEE] == CALL_AFAR && c->peer == peer;
}

/* The peer believes in a call that is none: `from` is of this node's side. */
static void tell_stray(const struct engine *e, uint32_t peer, const struct peer_message *m, struct str from,
		       struct str to)
{
	struct peer_message ended = {
		.type = PEER_CALL_ENDED, .user_id = from, .target = to, .call_id = m->call_id,
		.text = STR("disconnected"),
	};

	pass_to_nodes(e, bit(peer), &ended);
}

/* Somebody else has it. */
static void tell_who_has(const struct engine *e, uint32_t peer, const struct call *c)
{
	struct peer_message m = call_message(e, c, PEER_CALL_ANSWERED, CALLER);

	m.key = call_key(e, c);
	pass_to_nodes(e, bit(peer), &m);
}

/* --- what the other node hosts --- */

/*
 * The end that is afar was there, and is not any more. What a node hosts is told a little later than calls
 * are, so what was never seen may come yet.
 */
static bool is_gone(const struct engine *e, struct call *c)
{
	const struct shares *ss = &e->shares;
	bool ours = call_is_ours(c), found = false;
	uint32_t share = shares_find(e, c->user[ours ? CALLEE : CALLER], c->peer), remotes = 0;

	for (uint32_t r = share == POOL_NONE ? POOL_NONE : shares_at(ss, share)->remotes_plus1 - 1;
	     r != POOL_NONE; r = shares_remote(ss, r)->next_plus1 - 1, remotes++) {
		uint64_t key = shares_remote(ss, r)->key;

		found = found || (ours ? key == c->key : key != 0);
	}
	if (found)
		c->flags |= CALL_KNOWN;
	/* of one with more connections than that not all are told of */
	return !found && remotes < PEER_LINKS_MAX &&
	       ((c->flags & CALL_KNOWN) != 0 || (ours && share == POOL_NONE));
}

void calls_afar_hear_share(struct engine *e, uint32_t user, struct now now)
{
	uint32_t leg = users_call_leg_plus1(&e->users, user) - 1;
	uint64_t hosts = leg == LINK_NONE ? 0 : pass_hosts(e, user);

	while (leg != LINK_NONE) {
		uint32_t next = call_next_leg(e, leg), i = leg >> 1;
		struct call *c = call_at(e, i);
		uint64_t lost = c->asked & ~hosts;

		if (c->conn[leg & 1] == CALL_AFAR && is_gone(e, c)) {
			call_end(e, i, STR("disconnected"), LINK_NONE, now);
		} else if ((leg & 1) == CALLEE && lost != 0) {
			struct peer_message m = call_message(e, c, PEER_CALL_ENDED, CALLER);

			/* someone may have come back there since, and hear it ring */
			m.text = STR("disconnected");
			pass_to_nodes(e, lost, &m);
			c->asked &= hosts;
			call_end_if_silent(e, i, LINK_NONE, now);
		}
		leg = next;
	}
}

void calls_afar_check(struct engine *e, uint32_t i, struct now now)
{
	struct call *c = call_at(e, i);
	bool ours = call_is_ours(c);
	struct peer_message m = call_message(e, c, ours ? PEER_CALL_ANSWERED : PEER_CALL_RANG, CALLER);

	assert(!call_rings(c));
	/* The answer was lost, or what came of it; or nobody has ever said that the caller is there. */
	if (!ours && (is_gone(e, c) || (c->flags & CALL_TAKEN) == 0 || (c->flags & CALL_KNOWN) == 0)) {
		call_end(e, i, STR("disconnected"), LINK_NONE, now);
		return;
	}
	if (ours)
		m.key = c->key;
	else
		m.count = 1;
	pass_to_nodes(e, bit(c->peer), &m);
	wheel_set(e->wheel, &c->timer, mono_add_ms(now.mono, CALL_CHECK_MS));
}

/* --- offers --- */

static void answer_offer(const struct engine *e, uint32_t peer, const struct peer_message *offer,
			 uint32_t rang)
{
	struct peer_message m = {
		.type = PEER_CALL_RANG, .user_id = offer->user_id, .target = offer->target,
		.call_id = offer->call_id, .count = rang,
	};

	pass_to_nodes(e, bit(peer), &m);
}

static void refuse_as_busy(const struct engine *e, uint32_t peer, const struct peer_message *offer)
{
	struct peer_message m = {
		.type = PEER_CALL_ENDED, .user_id = offer->target, .target = offer->user_id,
		.call_id = offer->call_id, .text = STR("busy"),
	};

	pass_to_nodes(e, bit(peer), &m);
}

/*
 * Two users called each other by one id, at two nodes at the same time: of the two the call stays whose
 * caller has the lower id, which all nodes find alike. The other one yields, here.
 */
static void yield(struct engine *e, uint32_t peer, uint32_t caller, uint32_t callee, struct str id,
		  struct now now)
{
	uint32_t count, leg = call_find_leg(e, callee, id, &count);
	struct call *c;

	if (leg == LINK_NONE || (leg & 1) != CALLER)
		return;
	c = call_at(e, leg >> 1);
	if (c->user[CALLEE] != caller || !call_rings(c) ||
	    str_cmp(users_id(&e->users, caller), users_id(&e->users, callee)) > 0)
		return;
	/* There it yielded too, or was refused; "ended" would be heard of the call that stays. */
	c->asked &= ~bit(peer);
	call_end(e, leg >> 1, STR("busy"), LINK_NONE, now);
}

/* Rings here what rings at its owner; how many connections heard it. */
static uint32_t ring(struct engine *e, uint32_t peer, uint32_t caller, uint32_t callee,
		     const struct peer_message *m, struct now now)
{
	uint32_t i = call_make(e, caller, CALL_AFAR, callee, m->call_id, CALL_RING_MS + CALL_GRACE_MS, now);
	uint32_t rang;
	struct call *c;

	if (i == POOL_NONE)
		return 0;
	c = call_at(e, i);
	c->peer = (uint8_t)peer;
	rang = call_ring(e, c, m->device_id, m->body, now);
	if (rang == 0)
		call_forget(e, i);
	else
		is_gone(e, c); /* no: but it may be known */
	return rang;
}

static void hear_offer(struct engine *e, uint32_t peer, uint32_t caller, const struct peer_message *m,
		       struct now now)
{
	uint32_t callee = users_find(&e->users, m->target), leg = leg_of(e, caller, m), mine, theirs;

	if (leg != LINK_NONE && (leg & 1) == CALLER && speaks_for(call_at(e, leg >> 1), CALLER, peer)) {
		if (call_rings(call_at(e, leg >> 1)))
			answer_offer(e, peer, m, 1); /* heard twice */
		return;
	}
	if (callee == MAP_NONE || callee == caller || users_at(&e->users, callee)->links == 0 ||
	    users_status_shown(users_at(&e->users, callee)) == STATUS_OFFLINE) {
		answer_offer(e, peer, m, 0);
		return;
	}
	yield(e, peer, caller, callee, m->call_id, now);
	if (call_find_leg(e, caller, m->call_id, &mine) != LINK_NONE || mine >= CALLS_PER_USER_MAX ||
	    call_find_leg(e, callee, m->call_id, &theirs) != LINK_NONE)
		answer_offer(e, peer, m, 0);
	else if (theirs >= CALLS_PER_USER_MAX)
		refuse_as_busy(e, peer, m);
	else
		answer_offer(e, peer, m, ring(e, peer, caller, callee, m, now));
}

/* --- at the owner --- */

static void hear_rang(struct engine *e, uint32_t peer, uint32_t caller, const struct peer_message *m,
		      struct now now)
{
	uint32_t leg = leg_of(e, caller, m);
	struct call *c = leg == LINK_NONE || (leg & 1) != CALLER ? NULL : call_at(e, leg >> 1);

	if (c != NULL && speaks_for(c, CALLEE, peer)) {
		if (!call_rings(c))
			return; /* it has the call */
		if (m->count > 0) {
			c->flags |= CALL_RANG;
			return;
		}
		c->asked &= ~bit(peer);
		call_end_if_silent(e, leg >> 1, LINK_NONE, now);
	} else if (m->count > 0) {
		if (c != NULL && call_is_ours(c) && !call_rings(c))
			tell_who_has(e, peer, c);
		else
			tell_stray(e, peer, m, m->user_id, m->target);
	}
}

static void hear_answer(struct engine *e, uint32_t peer, uint32_t callee, const struct peer_message *m,
			struct now now)
{
	uint32_t leg = leg_of(e, callee, m);
	struct call *c;

	if (m->key == 0)
		return;
	if (leg == LINK_NONE || (leg & 1) != CALLEE || !call_is_ours(call_at(e, leg >> 1))) {
		tell_stray(e, peer, m, m->target, m->user_id);
		return;
	}
	c = call_at(e, leg >> 1);
	if (!call_rings(c)) {
		if (!speaks_for(c, CALLEE, peer) || m->key != c->key)
			tell_who_has(e, peer, c);
	} else if (!speaks_for(c, CALLEE, peer)) {
		tell_stray(e, peer, m, m->target, m->user_id);
	} else {
		c->conn[CALLEE] = CALL_AFAR;
		c->peer = (uint8_t)peer;
		c->key = m->key;
		call_answered(e, leg >> 1, m->body, now);
		is_gone(e, c); /* no: but it may be known */
	}
}

/* --- in a record --- */

static void hear_answered(struct engine *e, uint32_t peer, uint32_t caller, const struct peer_message *m,
			  struct now now)
{
	uint32_t leg = leg_of(e, caller, m);
	struct call *c = leg == LINK_NONE || (leg & 1) != CALLER ? NULL : call_at(e, leg >> 1);

	if (c == NULL || !speaks_for(c, CALLER, peer)) {
		tell_stray(e, peer, m, m->target, m->user_id);
	} else if (call_rings(c) || call_key(e, c) != m->key) {
		call_tell_ended(e, c, STR("answered_elsewhere"), LINK_NONE, now);
		call_forget(e, leg >> 1);
	} else if ((c->flags & CALL_TAKEN) == 0) {
		c->flags |= CALL_TAKEN;
		wheel_set(e->wheel, &c->timer, mono_add_ms(now.mono, CALL_CHECK_MS));
	}
}

/* --- both ways --- */

static void hear_ice(struct engine *e, uint32_t peer, uint32_t user, const struct peer_message *m,
		     struct now now)
{
	uint32_t leg = leg_of(e, user, m);
	enum call_role from = (enum call_role)(leg & 1);

	if (leg != LINK_NONE && speaks_for(call_at(e, leg >> 1), from, peer))
		call_tell_body(e, call_at(e, leg >> 1), EV_CALL_ICE, from, m->body, now);
}

/* Clients are told no words but these. */
static struct str reason_of(struct str text)
{
	static const struct str reasons[] = {
		STR("hangup"), STR("timeout"), STR("answered_elsewhere"), STR("busy"),
		STR("unavailable"),
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (str_eq(text, reasons[i]))
			return reasons[i];
	return STR("disconnected");
}

/* A node where it rang says that it does not any more; or that somebody there declined, for all. */
static void hear_silence(struct engine *e, uint32_t peer, uint32_t i, struct str reason, struct now now)
{
	struct call *c = call_at(e, i);

	c->asked &= ~bit(peer);
	if (str_eq(reason, STR("busy")))
		c->flags |= CALL_BUSY;
	if (str_eq(reason, STR("hangup")))
		call_end(e, i, reason, LINK_NONE, now);
	else
		call_end_if_silent(e, i, LINK_NONE, now);
}

static void hear_ended(struct engine *e, uint32_t peer, uint32_t user, const struct peer_message *m,
		       struct now now)
{
	uint32_t leg = leg_of(e, user, m), i = leg >> 1;
	struct str reason = reason_of(m->text);

	if (leg == LINK_NONE || !speaks_for(call_at(e, i), (enum call_role)(leg & 1), peer))
		return;
	if (call_is_ours(call_at(e, i)) && call_rings(call_at(e, i))) {
		hear_silence(e, peer, i, reason, now);
		return;
	}
	call_tell_ended(e, call_at(e, i), reason, LINK_NONE, now);
	call_forget(e, i);
}

void calls_afar_hear(struct engine *e, uint32_t peer, uint32_t user, const struct peer_message *m,
		     struct now now)
{
	typedef void (*hear_fn)(struct engine *, uint32_t, uint32_t, const struct peer_message *, struct now);
	static const hear_fn hear[PEER_MESSAGE_COUNT] = {
		[PEER_CALL_OFFER] = hear_offer, [PEER_CALL_RANG] = hear_rang,
		[PEER_CALL_ANSWER] = hear_answer, [PEER_CALL_ANSWERED] = hear_answered,
		[PEER_CALL_ICE] = hear_ice, [PEER_CALL_ENDED] = hear_ended,
	};

	assert(hear[m->type] != NULL);
	hear[m->type](e, peer, user, m, now);
}
