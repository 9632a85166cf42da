/*
 * test/sim/invariants.h: the nine promises of RELIABILITY L, each looked at after every step of a life. What is said of a broken one begins
 * with its number. Where each is:
 *
 *	(1) online(u) == (refs(u) > 0 or in debounce(u))     invariants.c, by what was seen of the user's connections and when; engine_valid()
 *	(2) sum of refs == live authenticated connections,   invariants.c: each client that is in, and each connection that the engine has, is
 *	    no dangling watch                                who it is; engine_valid()
 *	(3) bytes in pools == model, <= budget, every        invariants.c; server_valid(): frames, nodes, loans and grants are as many as
 *	    out-queue <= cap                                 connections hold
 *	(4) streams alternate, and tell what was so          witness.c
 *	(5) no output to a freed connection or generation    sim.c, in every call of the transport
 *	(6) every connection has a deadline                  invariants.c; server_valid(): it is armed in time
 *	(7) the work of a step is bounded                    sim.c: calls and bytes of a turn; invariants.c: turns of a step
 *	(8) no unauthenticated byte reaches presence         hostile.c, witness.c: of the user `ghost` nobody hears, and no node knows
 *	(9) a rejected input got the documented code         hostile.c; witness.c: who did nothing wrong is not closed
 *
 * server_valid() and cluster_valid() are called besides, by world_settle(); what comes true in the end is in truth.c.
 */
#ifndef TEST_SIM_INVARIANTS_H
#define TEST_SIM_INVARIANTS_H

struct life;

void invariants_check(struct life *);

#endif
