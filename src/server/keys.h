/*
 * server/keys.h: the keys that tokens are verified with: those from files, and the last good set of
 * `jwks-url`.
 *
 * A set is fetched at start, every hour (with jitter), and when a token names a key that nobody knows, for
 * which there is at most one fetch in 30 seconds: that is claimed before the fetch, whatever comes of it
 * (RELIABILITY T13). A fetch that fails changes nothing but the time of the next (T14). Keys that are gone
 * from a new set verify no token any more; connections that came in with them stay until their token ends
 * (T17).
 */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "base/clock.h"
#include "base/wheel.h"
#include "server/outside.h"
#include "wire/jwt.h"

struct server;

enum keys_fetch { KEYS_FETCHED, KEYS_UNREACHABLE, KEYS_STATUS, KEYS_GARBAGE, KEYS_FETCHES };

struct keys {
	struct jwk_set sets[2];      /* fetched: the one in use, and room for the next */
	uint8_t current;
	bool fetched;                /* sets[current] holds something */
	bool asked;                  /* a fetch is under way */
	uint32_t failures;           /* in a row */
	uint32_t generation;         /* of the set: what was verified with an older one counts no more */
	mono_t next_at;              /* when the timer is set for */
	mono_t wanted_until;         /* somebody waits for the first set until then */
	mono_t unknown_again;        /* from then on an unknown name is worth a fetch */
	struct timer timer;          /* of the next fetch */
	wall_t fetched_at;
	uint64_t fetches[KEYS_FETCHES]; /* by outcome */
};

/* Asks for the first set, if there is a URL. */
void keys_start(struct server *);

/* Is there anything to verify with? */
bool keys_ready(const struct server *);

/* The key that must have signed `t`; NULL: none, and *why says so. */
const struct jwk *keys_find(const struct server *, const struct jwt *t, enum jwt_result *why);

/*
 * A token names a key that nobody knows, or there are none yet. True: a fetch is under way that may bring
 * it.
 */
bool keys_may_come(struct server *);

/* The timer fired; the fetch was answered. */
void keys_timer(struct server *);
void keys_answered(struct server *, enum outside_result, unsigned status, char *body, uint32_t body_bytes);

#endif
