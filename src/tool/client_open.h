/* tool/client_open.h: opens the client's link: name, connection, TLS, and the handshake of RFC 6455 4.1. */
#ifndef TOOL_CLIENT_OPEN_H
#define TOOL_CLIENT_OPEN_H

#include <stdbool.h>

#include "base/str.h"
#include "tool/client_link.h"
#include "wire/http.h"
#include "wire/url.h"

enum { CLIENT_HEADERS_MAX = 32, CLIENT_WHY_BYTES = 512, CLIENT_OPEN_MS = 10000 };

struct client_target {
	struct url url;                /* without its query */
	struct str query;              /* absent: none; else it begins with `?` */
	struct str token;              /* absent: none; sent as Authorization: Bearer */
	const struct anchors *anchors; /* for wss:// */
	uint32_t header_count;
	struct http_header headers[CLIENT_HEADERS_MAX];
};

/* Fills url and query. False: `why` says what is wrong with it. */
bool client_open_parse(struct client_target *t, struct str url, char why[CLIENT_WHY_BYTES]);

/* Adds a header from its line, "Name: value". False: `why` says what is wrong with it. */
bool client_open_header(struct client_target *t, struct str line, char why[CLIENT_WHY_BYTES]);

/* The value of a header that was added; absent when there is none. */
struct str client_open_has(const struct client_target *t, struct str name);

/*
 * Blocks for CLIENT_OPEN_MS at most. `l` is zeroed memory. True: the link is open, and *protocol is what the
 * server chose of the subprotocols offered (absent: none), in protocol_text. False: `why` says why not, fit
 * for a terminal; the link is of no use.
 */
bool client_open(struct client_link *l, const struct client_target *t, char protocol[64],
		 char why[CLIENT_WHY_BYTES]);

#endif
