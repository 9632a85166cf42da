/*
 * wire/url.h: absolute http, https, ws and wss URLs (RFC 3986 3, RFC 6455 3), of services that the operator
 * names.
 */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { URL_HOST_BYTES_MAX = 253, URL_BYTES_MAX = 1024 };

struct url {
	bool tls;             /* https, wss */
	bool websocket;       /* ws, wss */
	bool host_is_ipv6;    /* was written in brackets, which are not part of `host` */
	uint16_t port;        /* 80 or 443 when none is given */
	struct str host;      /* a name or an address */
	struct str authority; /* host and port as written: the Host header */
	struct str path;      /* with its query; "" when there is none, else it begins with `/` (or `?`) */
};

/*
 * Slices borrow `s`. False: no such scheme, no or a malformed host or port (a colon without digits and port 0
 * too), user information, a fragment, a broken escape, a byte that may not stand in a URL (RFC 3986 2), or
 * more than URL_BYTES_MAX bytes; *out is untouched then. That brackets hold an address is for whoever
 * connects to find out.
 */
bool url_parse(struct str s, struct url *out);

/* Bytes that url_escape() writes at most for n. */
#define URL_ESCAPED_BYTES(n) (3 * (n))

/*
 * Writes `s` as it may stand in one segment of a path: unreserved bytes (RFC 3986 2.3) as they are, every
 * other one as %XX. `out` has room for URL_ESCAPED_BYTES(s.n) bytes; how many were written. The results `.`
 * and `..`, which a server would resolve, cannot be escaped: the caller refuses them.
 */
size_t url_escape(struct str s, char *out);

#endif
