/*
 * presence/calls_afar.h: calls between users of different nodes: what their nodes tell each other.
 *
 *	owner, the caller's node             nodes that host the callee
 *	        OFFER --------------------------> rings there, or not
 *	        <--------------------------- RANG with how many connections; ENDED "busy"
 *	        <------------------------- ANSWER a connection there took it, and believes so
 *	        ANSWERED -----------------------> the first answer counts, wherever it is from: to all of them
 *	        ICE, ENDED <----------> ICE, ENDED
 *
 * Messages may be lost, with Redis, or come late. So a record rings a little longer than its owner, and when
 * a call is answered each of the two nodes says now and then that it has it: ANSWERED again, or RANG again.
 * Who does not know of it answers ENDED, and to ENDED nobody answers. That a node is gone is heard of through
 * what it hosts.
 */
#ifndef PRESENCE_CALLS_AFAR_H
#define PRESENCE_CALLS_AFAR_H

#include "presence/state.h"

/* PEER_CALL_*; `user` is who m->user_id names, and stays pinned meanwhile. */
void calls_afar_hear(struct engine *e, uint32_t peer, uint32_t user, const struct peer_message *m,
		     struct now now);

/* What other nodes host of the user has changed. */
void calls_afar_hear_share(struct engine *e, uint32_t user, struct now now);

/* The timer of an answered call with an end afar is due. */
void calls_afar_check(struct engine *e, uint32_t i, struct now now);

/* May a body be told to other nodes? */
bool calls_afar_fits(struct str body);

#endif
