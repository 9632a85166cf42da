/*
 * Invariants: need is 0 to 3 or UTF8_FAILED; while it is 1 to 3, 0x80 <= lo <= hi <= 0xbf. Only the first
 * continuation byte ever has a range other than 0x80-0xbf: that range is what keeps out overlong forms
 * (after E0, F0), surrogates (after ED) and what lies above U+10FFFF (after F4), so that each of them fails
 * at its second byte, not its last.
 */
#include "base/utf8.h"

#include <assert.h>

#include "base/limits.h"

enum { UTF8_FAILED = 0xff };

#define ASCII_NONE_OF 0x8080808080808080u

/* The bytes at the start of `p` that are ASCII; may stop early at any, never late. */
static inline size_t ascii_run(const uint8_t *p, size_t n)
{
	size_t i = 0;
	uint64_t w[4];

	for (; n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(w, p + i, sizeof(w));
		if (((w[0] | w[1] | w[2] | w[3]) & ASCII_NONE_OF) != 0)
			break;
	}
	for (; n - i >= sizeof(w[0]); i += sizeof(w[0])) {
		memcpy(w, p + i, sizeof(w[0]));
		if ((w[0] & ASCII_NONE_OF) != 0)
			break;
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

/* The state after the first byte of a code point. */
static inline struct utf8 lead(uint8_t b)
{
	if (b < 0x80)
		return (struct utf8){ 0, 0, 0 };
	if (b < 0xc2 || b > 0xf4)
		return (struct utf8){ UTF8_FAILED, 0, 0 };
	if (b < 0xe0)
		return (struct utf8){ 1, 0x80, 0xbf };
	if (b < 0xf0)
		return (struct utf8){ 2, b == 0xe0 ? 0xa0 : 0x80, b == 0xed ? 0x9f : 0xbf };
	return (struct utf8){ 3, b == 0xf0 ? 0x90 : 0x80, b == 0xf4 ? 0x8f : 0xbf };
}

/* The state after one more byte; `u` has not failed. */
static inline struct utf8 step(struct utf8 u, uint8_t b)
{
	assert(u.need != UTF8_FAILED);
	if (u.need == 0)
		return lead(b);
	if (b < u.lo || b > u.hi)
		return (struct utf8){ UTF8_FAILED, 0, 0 };
	return (struct utf8){ (uint8_t)(u.need - 1), 0x80, 0xbf };
}

static inline bool is_continuation(uint8_t b)
{
	return (b & 0xc0) == 0x80;
}

/* Bytes of the code point at `p`, which has UTF8_BYTES_MAX bytes to read and is not ASCII; 0 when it is
 * ill-formed. */
static inline size_t whole(const uint8_t *p)
{
	struct utf8 u;

	assert(p[0] >= 0x80);
	if (p[0] < 0xe0)
		return p[0] >= 0xc2 && is_continuation(p[1]) ? 2 : 0;
	if (p[0] > 0xf4)
		return 0;
	u = lead(p[0]);
	if (p[1] < u.lo || p[1] > u.hi || !is_continuation(p[2]))
		return 0;
	if (p[0] < 0xf0)
		return 3;
	return is_continuation(p[3]) ? 4 : 0;
}

size_t utf8_feed(struct utf8 *u, const uint8_t *p, size_t n)
{
	struct utf8 now = *u;
	size_t i = 0;

	assert(now.need <= 3 || now.need == UTF8_FAILED);
	if (now.need == UTF8_FAILED)
		return 0;
	while (i < n) {
		if (now.need == 0 && p[i] < 0x80) {
			i += ascii_run(p + i, n - i);
			continue;
		}
		/* whole code points in one go; what is cut or wrong falls to step(), which knows the byte */
		if (now.need == 0 && n - i >= UTF8_BYTES_MAX) {
			size_t run = whole(p + i);

			i += run;
			if (run > 0)
				continue;
		}
		now = step(now, p[i]);
		if (now.need == UTF8_FAILED)
			break;
		i++;
	}
	/* one state for "between code points", however the text came */
	*u = now.need == 0 ? (struct utf8){ 0, 0, 0 } : now;
	return i;
}

bool utf8_valid(struct str s)
{
	struct utf8 u = { 0, 0, 0 };

	return utf8_feed(&u, (const uint8_t *)s.p, s.n) == s.n && utf8_complete(&u);
}

bool utf8_is_id(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	if (s.n == 0 || s.n > ID_BYTES_MAX || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
		/* U+0080-009F is C2 80 to C2 9F, and C2 is never a continuation byte; valid text has one
		 * after it */
		if (p[i] == 0xc2 && p[i + 1] < 0xa0)
			return false;
	}
	return true;
}

uint32_t utf8_next(struct str *s)
{
	const uint8_t *p = (const uint8_t *)s->p;
	struct utf8 u;
	uint32_t cp;
	size_t i = 1;

	assert(s->n > 0);
	u = lead(p[0]);
	cp = u.need == 0 ? p[0] : p[0] & (0x3fu >> (u.need & 3));
	while (u.need != 0 && u.need != UTF8_FAILED && i < s->n) {
		u = step(u, p[i]);
		cp = cp << 6 | (p[i++] & 0x3fu);
	}
	if (u.need != 0) {
		cp = UTF8_REPLACEMENT;
		i = 1;
	}
	*s = str_of(s->p + i, s->n - i);
	return cp;
}

size_t utf8_encode(uint8_t out[UTF8_BYTES_MAX], uint32_t cp)
{
	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	if (cp < 0x80) {
		out[0] = (uint8_t)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (uint8_t)(0xc0 | cp >> 6);
		out[1] = (uint8_t)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (uint8_t)(0xe0 | cp >> 12);
		out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | cp >> 18);
	out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (cp & 0x3f));
	return 4;
}

struct str utf8_prefix(struct str s, size_t bytes_max)
{
	size_t n = bytes_max;

	if (s.n <= bytes_max)
		return s;
	while (n > 0 && ((uint8_t)s.p[n] & 0xc0) == 0x80)
		n--;
	return str_of(s.p, n);
}
