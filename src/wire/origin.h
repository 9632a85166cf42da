/*
 * wire/origin.h: the Origin header (RFC 6454 7, RFC 6455 10.2) and comparing it, exactly, never by substring.
 *
 * An origin is scheme://host[:port] and nothing more. `null`, a path, a user, two origins and ports that are
 * none do not parse, so that they equal nothing: the caller answers 403 (RELIABILITY U7). Which origins are
 * welcome is its policy.
 */
#ifndef WIRE_ORIGIN_H
#define WIRE_ORIGIN_H

#include <stdbool.h>

#include "base/str.h"
#include "wire/http.h"
#include "wire/uri.h"

enum origin_result {
	ORIGIN_OK,
	ORIGIN_ABSENT, /* no such header: not a browser */
	ORIGIN_BAD,    /* more than one, `null`, or no origin at all */
};

struct origin {
	struct str scheme;           /* any but empty; compare without case */
	struct uri_authority where;
	uint16_t default_port;       /* of the scheme: 80, 443, or 0 when we know none */
};

/* Parses a header's value or an entry of a list of allowed origins; false and `out` untouched if it is none.
 * `out` borrows `s`. */
bool origin_parse(struct str s, struct origin *out);

/* The request's origin; `out` is only written for ORIGIN_OK and borrows the request's bytes. */
enum origin_result origin_of(const struct http_request *req, struct origin *out);

/* Same scheme, host and port; a missing port is the scheme's. */
bool origin_eq(const struct origin *a, const struct origin *b);

/* Same host and port as `authority` (a request's), whatever the scheme: there may be a TLS proxy before us,
 * so a missing port on either side is the one of the origin's scheme. False for an absent or invalid
 * authority. */
bool origin_is_host(const struct origin *o, struct str authority);

/* http or https on `localhost`, 127.x.y.z written in four plain decimals, or [::1]; any port. */
bool origin_is_loopback(const struct origin *o);

#endif
