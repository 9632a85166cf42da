/*
 * wire/uri.h: what a request target says (RFC 3986; the WHATWG form encoding for queries), decoded exactly
 * once.
 *
 * Strict (RELIABILITY H15): a broken or cut `%` escape, a control character (%00, DEL, U+0080-009F), text
 * that is not UTF-8 and a result that still holds an escape (double encoding) are URI_BAD, a 400. No I/O, no
 * allocation.
 *
 * Ownership: results borrow from the input where nothing had to be decoded, else from the caller's `buf`.
 * They live as long as both. After any result but URI_OK the out parameter is the absent slice and `buf` is
 * scratch.
 */
#ifndef WIRE_URI_H
#define WIRE_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum uri_result {
	URI_OK,
	URI_ABSENT,    /* no such parameter */
	URI_BAD,       /* see above; or the result has more than `cap` bytes */
	URI_DUPLICATE, /* the parameter is there more than once, be it with the same value */
	URI_TOO_LONG,  /* a path of more than URI_SEGMENTS_MAX segments: no such resource */
};

enum uri_form {
	URI_PATH,  /* `+` is a plus */
	URI_QUERY, /* `+` is a space, as URLSearchParams and HTML forms write it; a plus is %2B */
};

enum { URI_SEGMENTS_MAX = 8 }; /* the longest path that we serve has 5 */

struct uri_path {
	size_t n; /* segments; 0 for `/`. A final `/` makes a last, empty one */
	struct str segments[URI_SEGMENTS_MAX]; /* decoded: may hold `/`, never are `.` or `..` */
};

struct uri_authority {
	struct str host; /* never empty; IPv6 with its brackets */
	bool has_port;
	uint16_t port;   /* 0 without one */
};

/* Decodes one path segment, query name or value. `cap` bounds the result also where nothing is copied. */
enum uri_result uri_decode(struct str in, enum uri_form form, char *buf, size_t cap, struct str *out);

/*
 * Takes the next `name=value` off the front of `rest` (a raw query, may be absent), both raw; a piece without
 * `=` has an absent value; empty pieces are skipped. Only `&` separates. False at the end. Linear over a
 * whole query.
 */
bool uri_query_next(struct str *rest, struct str *name, struct str *value);

/*
 * The decoded value of the one parameter whose decoded name is `name`; empty, not absent, when it has none.
 * Any result but URI_TOO_LONG. A parameter whose name does not decode is no parameter of that name.
 */
enum uri_result uri_query_get(struct str query, struct str name, char *buf, size_t cap, struct str *out);

/*
 * Splits a raw path that begins with `/` at its slashes and decodes each segment. `buf` of as many bytes as
 * the path has is enough. Dot segments, encoded or not, are URI_BAD: nothing here resolves them. `*` has no
 * segments: URI_BAD.
 */
enum uri_result uri_path_split(struct str path, char *buf, size_t cap, struct uri_path *out);

/*
 * host[:port] of Host, of an absolute target and of an Origin. Stricter than RFC 3986 3.2: no user, no
 * escapes, no sub-delims; letters, digits, `-._~`, or an IPv6 address in brackets (its bytes only); port
 * empty or 0 to 65535 in 5 digits at most. False and `out` untouched if it is not that. `out` borrows from
 * `s`.
 */
bool uri_authority(struct str s, struct uri_authority *out);

/* Same host in any case, and same port once `default_port` stands for a missing one. */
bool uri_authority_eq(const struct uri_authority *a, const struct uri_authority *b, uint16_t default_port);

#endif
