/*
 * presence/state.h: everything an engine holds. For presence/'s own .c files; the outside sees engine.h.
 *
 * Layers, lowest first: receivers, devices, links, rooms, users | user_devices, interests | shares | tell |
 * query | announce | typing, call | calls_afar | calls | stay, status | subscribe, receipts, broadcast, hear,
 * say | engine. A file includes this header and calls only files to its left.
 */
#ifndef PRESENCE_STATE_H
#define PRESENCE_STATE_H

#include "presence/calls.h"
#include "presence/devices.h"
#include "presence/engine.h"
#include "presence/interests.h"
#include "presence/links.h"
#include "presence/receivers.h"
#include "presence/rooms.h"
#include "presence/shares.h"
#include "presence/typing.h"
#include "presence/users.h"

enum timer_kind { TIMER_USER, TIMER_TYPING, TIMER_CALL, TIMER_SWEEP, TIMER_ROSTER, TIMER_KINDS };

static_assert((LINK_HERE & ~TOPIC_OF_ROOM) == 0, "a bit that no link's topics use");
static_assert((int)TIMER_KINDS <= (int)ENGINE_TIMER_KINDS, "the engine's kinds fit its share");

struct engine {
	struct engine_config config;
	const struct engine_sink *sink;
	struct wheel *wheel;

	struct strpool ids;     /* of users, names, devices, rooms, typing, calls */
	struct pool chunks;     /* of all receivers */
	struct links links;
	struct devices devices;
	struct users users;
	struct rooms rooms;
	struct shares shares;
	struct interests interests;
	struct typings typings;
	struct calls calls;

	uint64_t lamport;       /* highest version heard of or given (peer.h), without the node's bits */
	uint32_t snapshots;     /* lists of presence shown so far; see announce.h */

	struct timer sweep_timer, roster_timer;
	bool peers_lost;               /* nothing is heard of the other nodes */
	int64_t stalled_ms;            /* mono; when the process last found that it had stood still */
	int64_t roster_quiet_until_ms; /* mono; no roster before */
	uint64_t roster_hash;          /* of the set of users in the roster */
	uint64_t roster_told_hash;
	bool roster_split;             /* a link was given another set than
	                                * the told one since that was told */
};

#endif
