/*
 * presence/call.h: one call: who is in it, how all of them hear of it, and its end.
 *
 * The caller's node owns the call: what it decides holds. Nodes that host the callee besides keep a record of
 * their own, whose caller is afar.
 *
 *	              caller      callee
 *	owner         a link      rings (here, and at the nodes asked) | a link | afar
 *	a record      afar        rings here                           | a link
 */
#ifndef PRESENCE_CALL_H
#define PRESENCE_CALL_H

#include "base/pool.h"
#include "base/strpool.h"
#include "base/wheel.h"
#include "presence/event.h"
#include "presence/peer.h"

struct engine;

enum {
	/* As caller and callee, at every node. Above: 429 to the caller, "busy" where it is the callee that
	 * has too many. */
	CALLS_PER_USER_MAX = 16,
	CALL_GRACE_MS = 5000,   /* a record rings so much longer than its owner, who is to end it */
	CALL_CHECK_MS = 30000,  /* how often two nodes make sure that both still know of an answered call */
};

/* A leg is call << 1 | role. */
enum call_role { CALLER, CALLEE, CALL_ROLES };

/* Instead of a link's number: a connection of another node. */
#define CALL_AFAR (UINT32_MAX - 1)

enum call_flag {
	CALL_RINGS_HERE = 1 << 0, /* at the owner: connections of the callee here had words for it */
	CALL_RANG = 1 << 1,       /* at the owner: somebody's had */
	CALL_BUSY = 1 << 2,       /* at the owner: a node refused because the callee has too many calls */
	CALL_TAKEN = 1 << 3,      /* in a record: the owner took the answer that was given here */
	CALL_KNOWN = 1 << 4,      /* what the other node is known to host had the end that is afar in it */
};

struct call {
	struct timer timer;              /* ringing ends; with an end afar: the next check; else unset */
	uint64_t asked;                  /* at the owner, while it rings: nodes where it may ring */
	uint64_t key;                    /* at the owner: of the callee's connection, if that is afar */
	strref id;
	uint32_t user[CALL_ROLES];
	uint32_t conn[CALL_ROLES];       /* the link in it, or CALL_AFAR; callee's is LINK_NONE while it
	                                  * rings */
	uint32_t next_leg_plus1[CALL_ROLES]; /* in each user's list of legs */
	uint8_t peer;                    /* where the end is that is afar */
	uint8_t flags;                   /* enum call_flag */
};

struct calls {
	struct pool cells;
};

struct call *call_at(const struct engine *e, uint32_t i);

/* Is this node the caller's? */
static inline bool call_is_ours(const struct call *c)
{
	return c->conn[CALLER] != CALL_AFAR;
}

static inline bool call_rings(const struct call *c)
{
	return c->conn[CALLEE] == UINT32_MAX;
}

/* --- records --- */

/* The leg behind this one in its user's list; LINK_NONE: it is the last. */
uint32_t call_next_leg(const struct engine *e, uint32_t leg);

/*
 * The user's leg of the call with that id; LINK_NONE when there is none. *count: all legs of the user, if
 * none.
 */
uint32_t call_find_leg(const struct engine *e, uint32_t user, struct str id, uint32_t *count);

/* A call that rings for `ring_ms`; `conn`: the caller's link, or CALL_AFAR. POOL_NONE: there is no room. */
uint32_t call_make(struct engine *e, uint32_t caller, uint32_t conn, uint32_t callee, struct str id,
		   int64_t ring_ms, struct now now);

/* Nobody hears of it. Its users' records may go with it. */
void call_forget(struct engine *e, uint32_t i);

/* --- who hears of it --- */

/* The connections of the callee here; how many had words for it. */
uint32_t call_ring(const struct engine *e, const struct call *c, struct str device_id, struct str body,
		   struct now now);

/* An offer's, answer's or candidate's body from one end to what is here of the other. */
void call_tell_body(const struct engine *e, const struct call *c, enum event_type type, enum call_role from,
		    struct str body, struct now now);

/* To everyone in it who is here, but one: the links, or while it rings all of the callee's. */
void call_tell_ended(const struct engine *e, const struct call *c, struct str reason, uint32_t but_conn,
		     struct now now);

/* To the callee's connections here but the one that answered, or LINK_NONE, CALL_AFAR. */
void call_tell_answered_elsewhere(const struct engine *e, const struct call *c, uint32_t but_conn,
				  struct now now);

/* The nodes that know of it too. */
uint64_t call_nodes(const struct call *c);

/* A message about it, in the name of one end. */
struct peer_message call_message(const struct engine *e, const struct call *c, enum peer_message_type type,
				 enum call_role from);

/* Of the connection that answered, here or afar. */
uint64_t call_key(const struct engine *e, const struct call *c);

/* --- what happens to it --- */

/* At the owner: the callee's end is set, and has answered so. All hear of it. */
void call_answered(struct engine *e, uint32_t i, struct str body, struct now now);

/* Everyone in it but one hears why, other nodes too, and it is forgotten. */
void call_end(struct engine *e, uint32_t i, struct str reason, uint32_t but_conn, struct now now);

/* At the owner, while it rings: it ends if it rings nowhere any more. */
void call_end_if_silent(struct engine *e, uint32_t i, uint32_t but_conn, struct now now);

/* Why a call ends that nobody answered: whether it rang makes the difference. */
struct str call_why_unanswered(const struct call *c, struct str if_it_rang);

/* The leg, found in the list of that user, and its call. */
bool call_valid(const struct engine *e, uint32_t leg, uint32_t user);

#endif
