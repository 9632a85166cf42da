/*
 * Contract in jsonesc.h. Every escape spells fewer bytes of UTF-8 than it takes itself, so undoing one in
 * place never overtakes what is still to be read.
 */
#include "base/jsonesc.h"

#include <assert.h>

/* 0 for what is no escape of two characters; what it spells for one that is. */
static const unsigned char spelt[256] = {
	['"'] = '"', ['\\'] = '\\', ['/'] = '/',
	['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
};

/* The value of a hexadecimal digit and 1; 0 for everything else. */
static const unsigned char digit_plus1[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ['a'] = 11, 12, 13, 14, 15, 16, ['A'] = 11, 12, 13, 14, 15, 16,
};

/* Four hexadecimal digits; -1 when they are not. */
static int hex4(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int digit = digit_plus1[(unsigned char)p[i]];

		if (digit == 0)
			return -1;
		v = v * 16 + digit - 1;
	}
	return v;
}

static size_t refuse(uint32_t *cp, uint32_t why)
{
	*cp = why;
	return 0;
}

/* \u and four hex digits, or two of these. */
static size_t take_u(struct str s, uint32_t *cp)
{
	int hi = s.n < 6 ? -1 : hex4(s.p + 2);
	int lo;

	if (hi < 0)
		return refuse(cp, JSONESC_BAD);
	*cp = (uint32_t)hi;
	if (hi < 0xd800 || hi > 0xdfff)
		return 6;
	lo = s.n >= 12 && s.p[6] == '\\' && s.p[7] == 'u' ? hex4(s.p + 8) : -1;
	if (hi > 0xdbff || lo < 0xdc00 || lo > 0xdfff)
		return refuse(cp, JSONESC_SURROGATE);
	*cp = 0x10000 + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00);
	return 12;
}

size_t jsonesc_take(struct str s, uint32_t *cp)
{
	assert(s.n > 0 && s.p[0] == '\\');
	if (s.n < 2)
		return refuse(cp, JSONESC_BAD);
	*cp = spelt[(unsigned char)s.p[1]];
	if (*cp != 0)
		return 2;
	return s.p[1] == 'u' ? take_u(s, cp) : refuse(cp, JSONESC_BAD);
}

int jsonesc_next(struct jsonesc *c)
{
	uint32_t cp;
	size_t n;

	if (c->held_at < c->held_bytes)
		return c->held[c->held_at++];
	if (c->p == c->end)
		return -1;
	if (*c->p != '\\')
		return (unsigned char)*c->p++;
	n = jsonesc_take(str_of(c->p, (size_t)(c->end - c->p)), &cp);
	c->held_bytes = utf8_encode(c->held, cp);
	assert(n > 0 && c->held_bytes > 0);
	c->p += n;
	c->held_at = 1;
	return c->held[0];
}

int jsonesc_cmp(struct jsonesc a, struct jsonesc b)
{
	for (;;) {
		int x = jsonesc_next(&a);
		int y = jsonesc_next(&b);

		if (x != y)
			return x < y ? -1 : 1;
		if (x < 0)
			return 0;
	}
}

bool jsonesc_spells(struct jsonesc c, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (jsonesc_next(&c) != (unsigned char)s.p[i])
			return false;
	return jsonesc_next(&c) < 0;
}

size_t jsonesc_undo(char *text, size_t n)
{
	size_t to = 0;

	for (size_t at = 0; at < n;) {
		const char *hit = memchr(text + at, '\\', n - at);
		size_t plain = hit == NULL ? n - at : (size_t)(hit - (text + at));
		uint8_t utf8[UTF8_BYTES_MAX];
		uint32_t cp;
		size_t took, bytes;

		memmove(text + to, text + at, plain);
		to += plain;
		at += plain;
		if (at == n)
			break;
		took = jsonesc_take(str_of(text + at, n - at), &cp);
		bytes = utf8_encode(utf8, cp);
		assert(took > 0 && bytes > 0 && bytes < took);
		memcpy(text + to, utf8, bytes);
		to += bytes;
		at += took;
	}
	assert(to <= n);
	return to;
}
