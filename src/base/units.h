/*
 * base/units.h: durations, sizes and counts as people write them, both ways. What is written reads back as
 * the same number.
 *
 * Nothing is borrowed or kept. Errors: false, and the out parameter is untouched; too large a number for the
 * type is one.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { UNITS_BYTES_MAX = 48 }; /* of any text that the writers write */

/* `500ms`, `5s`, `1m30s`, `1h`, or bare seconds: units h, m, s, ms, each once at most, in this order;
 * a fraction before a unit (`1.5s`, `0.5h`: 12 digits at most) is rounded down to milliseconds, and none of
 * them is an error, unless 0 is written. Milliseconds. */
bool units_duration(struct str s, int64_t *ms);

/* Bytes, or with `k`, `m` or `g` (either case) 1024, 1024^2 or 1024^3 of them. */
bool units_size(struct str s, uint64_t *bytes);

/* Decimal digits and nothing else. */
bool units_count(struct str s, uint64_t *n);

/* Write the shortest form (`1m30s`, `64k`) without NUL; return its bytes, at most UNITS_BYTES_MAX. `ms` is
 * not negative. */
size_t units_put_duration(char out[UNITS_BYTES_MAX], int64_t ms);
size_t units_put_size(char out[UNITS_BYTES_MAX], uint64_t bytes);
size_t units_put_count(char out[UNITS_BYTES_MAX], uint64_t n);

#endif
