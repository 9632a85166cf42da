/*
 * base/utf8.h: UTF-8 as RFC 3629 section 4 defines it: no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 *
 * The validator is incremental: text may come in any pieces, and it fails at the first byte that no valid
 * text could have there. Nothing here owns, allocates or keeps a pointer. Lengths and offsets are bytes.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	UTF8_BYTES_MAX = 4,          /* of one code point */
	UTF8_REPLACEMENT = 0xFFFD,   /* what utf8_next() gives for a byte that is not text */
};

/* A validator between two pieces of text. All zero is the start; copy it freely. */
struct utf8 {
	uint8_t need;   /* continuation bytes that the open code point still lacks; 0xff = failed */
	uint8_t lo, hi; /* what the next of them may be; 0 while need == 0 */
};

/*
 * Checks the next `n` bytes of a text. Returns how many are good: `n`, or the offset of the first bad byte.
 * A code point cut at the end is good so far: ask utf8_complete() at the end of the text. Errors are
 * sticky: after one, every call returns 0 (an empty piece included). `p` may be NULL when n == 0.
 */
size_t utf8_feed(struct utf8 *u, const uint8_t *p, size_t n);

/* Whether what was fed so far is a whole text: no error, and no code point left open. */
static inline bool utf8_complete(const struct utf8 *u)
{
	return u->need == 0;
}

/* Whether `s` is valid as a whole. The absent and the empty slice are. */
bool utf8_valid(struct str s);

/* Whether `s` may name a user, device, room, message or call: 1 to ID_BYTES_MAX bytes, valid, without control
 * characters (U+0000-001F, U+007F-009F). */
bool utf8_is_id(struct str s);

/*
 * Takes the first code point off `s`, which must not be empty. In text that was not validated an ill-formed
 * byte gives UTF8_REPLACEMENT and is taken alone; never reads past the slice.
 */
uint32_t utf8_next(struct str *s);

/* Writes `cp`; returns the bytes written, 1 to 4, or 0 with nothing written when `cp` is a surrogate or too
 * large. */
size_t utf8_encode(uint8_t out[UTF8_BYTES_MAX], uint32_t cp);

/* The longest start of `s` that has at most `bytes_max` bytes and does not cut a code point. `s` must be
 * valid. */
struct str utf8_prefix(struct str s, size_t bytes_max);

#endif
