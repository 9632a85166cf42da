/*
 * base/jsonnum.h: numbers as RFC 8259 6 spells them, without floating point. For json.c, and for the dates of
 * wire/jwt. Borrows nothing beyond the call.
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

/*
 * A number (jsonnum_is) in thousandths, what is smaller cut off: 1.0009 is 1000, and so is 1000.9e-3. False
 * and *out untouched when that is out of range. O(s.n).
 */
bool jsonnum_thousandths(struct str s, int64_t *out);

#endif
