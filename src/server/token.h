/*
 * server/token.h: is a token believed, and what does it say? With auth=trust whatever has the form is
 * believed; with auth=jwt what is signed by a key of ours and meets the demands of the options.
 *
 * Verifying costs 100 to 400 microseconds, so a turn does only so much of it: what is over that waits its
 * turn. What was verified once is not verified again while its key set lasts (a REST client sends one token
 * many times).
 */
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include "base/bucket.h"
#include "server/conn.h"
#include "server/grant.h"
#include "wire/digest.h"
#include "wire/jwt.h"

struct server;

enum {
	TOKEN_SEEN_SLOTS = 4096,
	TOKEN_FLOOD_BUCKETS = 4096,
};

/* Tokens whose signature was found good; and who sends bad ones. */
struct verifier {
	struct token_seen {
		uint8_t digest[DIGEST_BYTES];
		uint32_t generation_plus1; /* of keys; 0: empty */
	} *seen;                      /* [TOKEN_SEEN_SLOTS] */
	struct bucket *floods;        /* [TOKEN_FLOOD_BUCKETS], by a hash of the peer's address */
	uint32_t work_left;           /* signatures that this turn may still verify */
	uint64_t results[JWT_RESULTS];
	uint64_t verifications, cache_hits;
};

/* What a token says. Slices point into the server's claim, until the next token is looked at. */
struct token {
	struct str subject, username; /* username: absent when it is not said */
	struct str grant;             /* server/grant.h; absent: every room */
	wall_t expires;               /* WALL_NONE: never (trust) */
	bool may_write;               /* the scope presence:write */
};

enum token_verdict {
	TOKEN_VALID,
	TOKEN_BAD,        /* *why says what is wrong with it */
	TOKEN_WAIT_KEYS,  /* a fetch is under way that may bring its key */
	TOKEN_WAIT_TURN,  /* this turn has verified enough */
	TOKEN_FLOOD,      /* this address sent too many with bad signatures: not looked at */
};

/*
 * Looks at a token that comes from `from`. `waited`: its turn had come before, so it is not put behind others
 * again. Uses the server's JSON and claim.
 */
enum token_verdict token_check(struct server *, const struct peer *from, struct str text, bool waited,
                               struct token *out, enum jwt_result *why);

/* The turn begins: it may verify as much as any. */
void token_begin_turn(struct server *);

#endif
