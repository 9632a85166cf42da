/*
 * test/sim/promises.h: what always holds in one server's life (chaos.h) beyond what it says of itself (server_valid()): of tokens and the
 * rooms that they open, of who is invisible, of who was polite, of rates and caps, of what is never ended (RELIABILITY L: 3, 5, 6, 8, 9).
 */
#ifndef TEST_SIM_PROMISES_H
#define TEST_SIM_PROMISES_H

#include "sim/client.h"

enum { PROMISES_CLIENTS = 12, PROMISES_USERS = 5 };

/* What stands behind a client, since it came. */
struct promised {
	uint32_t user;
	bool weak;              /* not polite, or slow: what it hears, and when, is not judged */
	bool junk;              /* it said what cannot be understood, or has ended */
	bool early;             /* it asked before it was through, and is to be answered */
	bool answered;
	int64_t until_ms;       /* mono: the end of its best token, with the leeway; INT64_MAX: not judged */
	int64_t come_ms, told_ms[PROMISES_USERS]; /* when it came; when it was told last of that user */
	uint32_t pongs;         /* at pongs_ms */
	int64_t pongs_ms;
};

struct promises {
	struct promised of[PROMISES_CLIENTS];
	struct {
		bool hidden;
		int64_t hidden_ms, last_seen_ms;
	} users[PROMISES_USERS];
};

void promises_begin(struct promises *);

/* The client of that number begins anew as that user. */
void promises_come(struct promises *, const struct sim *, uint32_t client, uint32_t user, bool by_token);
/* It holds a token that ends then. */
void promises_token(struct promises *, const struct sim *, uint32_t client, wall_t expires);
/* `junk`: it said what cannot be understood, or has ended; else it is slow or silent. */
void promises_weak(struct promises *, uint32_t client, bool junk);
/* The wall clock stepped: how long the tokens last that are under way is not known. */
void promises_wall(struct promises *);

/* The client heard this; `limited`: a pool was made too small. Faults are told with sim_fault(). */
void promises_hear(struct promises *, struct sim *, const struct client *, uint32_t client, const struct heard *, bool limited);
/* All that there was to hear now was heard. */
void promises_heard(struct promises *, struct sim *, const struct client *, uint32_t client, bool limited);
/* After each step. */
void promises_check(struct promises *, struct sim *);
/* What epoll may still say of connections that were closed is said. */
void promises_late(struct sim *);

#endif
