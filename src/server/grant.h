/*
 * server/grant.h: the rooms that a token opens: its `rooms` claim,
 * a list of names and of `prefix*` (CONTRACT 3, `rooms`).
 *
 * Kept as one string, the patterns one after the other, each ended by a NUL (no id holds one).
 * No claim: every room is open.
 */
#ifndef SERVER_GRANT_H
#define SERVER_GRANT_H

#include "base/json.h"
#include "base/str.h"
#include "presence/command.h"

enum { GRANT_BYTES_MAX = 2048 };

enum grant_result {
	GRANT_ALL,      /* no such claim */
	GRANT_SOME,     /* *out holds the patterns */
	GRANT_BAD,      /* not a list of room ids and prefixes, or longer than GRANT_BYTES_MAX */
};

/* Reads the claim `rooms` of the token's claims; strings in `claims` are unescaped in place.
 * Copies the patterns to out, their bytes to *n; after GRANT_BAD what is there is worth nothing. */
enum grant_result grant_read(struct json *claims, char out[GRANT_BYTES_MAX], size_t *n);

/* Is the room among the patterns? */
bool grant_covers(struct str patterns, struct str room);

/* Are all rooms that the command enters or speaks in covered? Leaving is free. */
bool grant_allows(struct str patterns, const struct command *);

#endif
