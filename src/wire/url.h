/*
 * wire/url.h: absolute http, https, ws and wss URLs (RFC 3986 3, RFC 6455 3), of services that the operator
 * names.
 */
#ifndef WIRE_URL_H
#define WIRE_URL_H

#include <stdbool.h>
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
 * Slices borrow `s`. False: no such scheme, no or a malformed host or port, user information, a fragment, or
 * a byte that may not stand in a URL; *out is untouched then.
 */
bool url_parse(struct str s, struct url *out);

#endif
