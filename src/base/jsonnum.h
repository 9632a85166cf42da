/*
 * base/jsonnum.h: numbers as RFC 8259 6 spells them, without floating point. For json.c. Borrows nothing
 * beyond the call.
 */
#ifndef BASE_JSONNUM_H
#define BASE_JSONNUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Whether all of `s` is a number. */
bool jsonnum_is(struct str s);

/*
 * The exact value of a number (jsonnum_is) when that is an integer in range; false and *out untouched
 * otherwise. O(s.n).
 */
bool jsonnum_i64(struct str s, int64_t *out);

#endif
