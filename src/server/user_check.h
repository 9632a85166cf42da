/*
 * server/user_check.h: does the operator's own service know this user? `user-check-url`, asked before
 * somebody comes in (seed 001's user validation). An answer counts for a minute; no answer is none, and is
 * asked for anew after a second.
 */
#ifndef SERVER_USER_CHECK_H
#define SERVER_USER_CHECK_H

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "server/outside.h"

struct server;

enum { USER_CHECKS_MAX = 16384 }; /* answers remembered at most */

enum user_check_verdict {
	USER_KNOWN,         /* 2xx, or no such option */
	USER_UNKNOWN,       /* 4xx */
	USER_UNANSWERED,    /* any other status, no answer, */
	USER_ASKED,         /* the answer is under way, or too many others are: wait for *ticket */
	USER_CHECK_VERDICTS
};

struct user_check {
	uint8_t verdict;    /* enum user_check_verdict; USER_CHECK_VERDICTS: an empty cell */
	uint8_t bytes;
	char user_id[ID_BYTES_MAX];
	mono_t until;       /* how long the answer counts */
};

struct user_checks {
	struct user_check *cells;
	uint32_t count, next; /* reused in a circle */
	uint32_t under_way;   /* questions that are not answered yet */
	bool crowded;         /* perhaps somebody waits until fewer are */
	struct map by_id;
	uint64_t answers[USER_CHECK_VERDICTS];
};

/* Without the option there are no cells. */
void user_checks_init(struct user_checks *, struct region *, uint32_t count, struct siphash_key key);

enum user_check_verdict user_check(struct server *, struct str user_id, uint32_t *ticket);

/* Each turn: whoever waits to be asked about, and may be now, is looked at again. */
void user_checks_go_on(struct server *);

/* Would that find somebody, perhaps? */
bool user_checks_may_go_on(const struct server *);

void user_check_answered(struct server *, uint32_t ticket, enum outside_result, unsigned status);

#endif
