/*
 * base/rfc3339.h: timestamps as text (RFC 3339 5.6), in UTC with milliseconds. Pure arithmetic; no time
 * zone, no clock, no libc.
 */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/str.h"

enum { RFC3339_BYTES = 24 }; /* 2026-01-14T12:00:00.123Z */

/*
 * Writes exactly RFC3339_BYTES, no NUL. Times before year 0001 or after 9999 become the first or last
 * millisecond of those. `t` is not absent.
 */
void rfc3339_format(wall_t t, char *out);

/*
 * Reads date-time of RFC 3339 5.6 and nothing around it: "T" and "Z" in either case, any offset up to
 * 23:59, any number of fraction digits, of which those beyond milliseconds are cut off. A second of 60 is
 * taken at the end of a UTC month only (5.7), as the second after it. False and *out untouched for all
 * else: impossible dates, a blank instead of T, a missing offset.
 */
bool rfc3339_parse(struct str s, wall_t *out);

#endif
