/*
 * presence/typing.h: who is typing where. A start is passed on each time; one that is not renewed within
 * typing_ttl, or whose connection goes, is followed by a stop.
 *
 * A typing is told either to a room or to recipients, by user. At most TYPING_RECIPIENTS_MAX recipients are
 * remembered, each node its own: they are told the stop, whomever else it names, and one when a new start
 * leaves them out. A start to more of them has no automatic stop. An invisible user's typing is told to
 * nobody.
 */
#ifndef PRESENCE_TYPING_H
#define PRESENCE_TYPING_H

#include "base/pool.h"
#include "base/strpool.h"
#include "base/wheel.h"
#include "presence/command.h"
#include "presence/peer.h"

struct engine;

enum {
	TYPING_RECIPIENTS_MAX = 16,
	TYPING_PER_USER_MAX = 32, /* places where one user types at once; above: 429 */
};

struct typing {
	struct timer timer;
	uint32_t user, next_plus1; /* of the user's typings */
	uint32_t conn;             /* that renewed it last; LINK_NONE: REST */
	strref room;               /* id; the room may have no record */
	uint8_t kind;              /* enum room_kind */
	bool heard;                /* another node told of it, and will tell of its end */
	uint8_t recipient_count;   /* 0: told to the room */
	uint32_t recipients[TYPING_RECIPIENTS_MAX]; /* users, pinned */
};

static_assert(TYPING_RECIPIENTS_MAX <= UINT8_MAX, "recipient_count counts them");

struct typings {
	struct pool cells;
};

void typing_init(struct typings *ts, struct region *r, uint32_t typing_max);

/* CMD_TYPING: passes it on, and EV_ACK; 429 or 503 when it cannot be remembered. */
void typing_command(struct engine *e, uint32_t conn, const struct command *, struct now now);

/* The same from REST, in a room. False when the table is full; nothing was told. */
bool typing_from_outside(struct engine *e, uint32_t user, struct str room, bool is_typing, struct now now);

/* PEER_TYPING: at another node; told to this one's connections, and stopped should that node not live to. */
void typing_hear(struct engine *e, uint32_t user, const struct peer_message *, struct now now);

/* Ends with stops what this link started (conn), or all of the user's (LINK_NONE). */
void typing_end(struct engine *e, uint32_t user, uint32_t conn, struct now now);

/* A typing's timer is due: it ends with a stop. */
void typing_expire(struct engine *e, struct timer *, struct now now);

bool typing_valid(const struct engine *e);

#endif
