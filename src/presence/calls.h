/*
 * presence/calls.h: signalling of calls between two users: offer, answer, ICE candidates, hangup. Bodies pass
 * through unread.
 *
 *	offer ---> RINGING (all the callee's devices) ---answer---> ANSWERED (two links)
 *	              |  hangup, 60 s, caller's link or callee's last link gone      |  hangup, a link gone
 *	              +----------------------------------> ended <-------------------+
 *
 * An id names a call to its two parties only: others may use the same id, and see nothing of this one.
 */
#ifndef PRESENCE_CALLS_H
#define PRESENCE_CALLS_H

#include "base/pool.h"
#include "base/strpool.h"
#include "base/wheel.h"
#include "presence/command.h"
#include "presence/peer.h"

struct engine;

enum {
	/* As caller and callee. Above: 429 to the caller, "busy" where it is the callee that has too many. */
	CALLS_PER_USER_MAX = 16,
};

/* A leg is call << 1 | role. */
enum call_role { CALLER, CALLEE, CALL_ROLES };

struct call {
	struct timer timer;              /* ringing ends; unset once answered */
	strref id;
	uint32_t user[CALL_ROLES];
	uint32_t conn[CALL_ROLES];       /* the link in it; callee's is LINK_NONE while it rings */
	uint32_t next_leg_plus1[CALL_ROLES]; /* in each user's list of legs */
};

struct calls {
	struct pool cells;
};

void calls_init(struct calls *cs, struct region *r, uint32_t calls_max);

/* CMD_CALL_*. */
void calls_offer(struct engine *e, uint32_t conn, const struct command *, struct now now);
void calls_answer(struct engine *e, uint32_t conn, const struct command *, struct now now);
void calls_ice(struct engine *e, uint32_t conn, const struct command *, struct now now);
void calls_hangup(struct engine *e, uint32_t conn, const struct command *, struct now now);

/* A link goes (it still is its user's): calls it is in end, as do those that rang only there. */
void calls_end_link(struct engine *e, uint32_t conn, struct now now);

/* A call's timer is due: nobody answered. */
void calls_expire(struct engine *e, struct timer *, struct now now);

/* PEER_CALL_*; `user` is who m->user_id names. */
void calls_hear(struct engine *e, uint32_t peer, uint32_t user, const struct peer_message *m, struct now now);

/* What other nodes host of the user has changed. */
void calls_hear_share(struct engine *e, uint32_t user, struct now now);

bool calls_valid(const struct engine *e);

#endif
