/*
 * presence/calls.h: signalling of calls between two users: offer, answer, ICE candidates, hangup. Bodies pass
 * through unread.
 *
 *	offer ---> RINGING (all the callee's devices) ---answer---> ANSWERED (two links)
 *	              |  hangup, 60 s, caller's link or callee's last link gone      |  hangup, a link gone
 *	              +----------------------------------> ended <-------------------+
 *
 * An id names a call to its two parties only: others may use the same id, and see nothing of this one. The
 * parties' connections may be on different nodes: call.h says who decides then, calls_afar.h what nodes tell
 * each other.
 */
#ifndef PRESENCE_CALLS_H
#define PRESENCE_CALLS_H

#include "presence/call.h"
#include "presence/command.h"

void calls_init(struct calls *cs, struct region *r, uint32_t calls_max);

/* CMD_CALL_*. */
void calls_offer(struct engine *e, uint32_t conn, const struct command *, struct now now);
void calls_answer(struct engine *e, uint32_t conn, const struct command *, struct now now);
void calls_ice(struct engine *e, uint32_t conn, const struct command *, struct now now);
void calls_hangup(struct engine *e, uint32_t conn, const struct command *, struct now now);

/* A link goes (it still is its user's): calls it is in end, as do those that rang only there. */
void calls_end_link(struct engine *e, uint32_t conn, struct now now);

/* A call's timer is due: nobody answered, or the other node has to be asked whether it knows of it still. */
void calls_expire(struct engine *e, struct timer *, struct now now);

bool calls_valid(const struct engine *e);

#endif
