/*
 * listener.h: what one `listen` value says: ADDR:PORT or unix:PATH, then parameters. Literal addresses and
 * `localhost` only: nothing is looked up.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "server/config.h"

enum {
	LISTENER_PATH_BYTES_MAX = 107, /* sockaddr_un holds 108, the NUL included */
	LISTENER_TEXT_BYTES_MAX = 192, /* of what listener_put() writes: a path, its parameters, and NUL */
	LISTENER_WHY_BYTES = 160,
};

/*
 * Reads one listener. `localhost` becomes 127.0.0.1, no address at all (`:8080`) 0.0.0.0; IPv6 is written in
 * brackets and kept without. On success out->address is a literal that inet_pton() takes, or a path; it
 * borrows `s` or is static. False: `out` is untouched and `why` holds the reason as one NUL-terminated phrase
 * ("has no port", ...).
 */
bool listener_parse(struct str s, struct listener_config *out, char why[LISTENER_WHY_BYTES]);

/* Writes the canonical text of a listener, which parses to the same; NUL-terminated. Returns its length. */
size_t listener_put(const struct listener_config *l, char out[LISTENER_TEXT_BYTES_MAX]);

/* Same address and port, or same path; two listeners on port 0 are never the same. */
bool listener_same(const struct listener_config *a, const struct listener_config *b);

#endif
