/*
 * See base/base64.h. Characters are mapped by arithmetic on ranges: every comparison is made for every
 * character, and a bad one only sets a bit that is read at the end.
 */
#include "base/base64.h"

#include <assert.h>

/* All ones when lo <= c <= hi, else 0, without a branch. c, lo, hi < 256. */
static unsigned in_range(unsigned c, unsigned lo, unsigned hi)
{
	return 0u - (((lo - 1 - c) & (c - 1 - hi)) >> 31);
}

/* 0 to 63, or 64 for what is no digit. */
static unsigned digit_value(enum base64_form form, unsigned char c)
{
	unsigned c62 = form == BASE64_STD ? '+' : '-';
	unsigned c63 = form == BASE64_STD ? '/' : '_';
	unsigned upper = in_range(c, 'A', 'Z'), lower = in_range(c, 'a', 'z'), digit = in_range(c, '0', '9');
	unsigned is62 = in_range(c, c62, c62), is63 = in_range(c, c63, c63);
	unsigned none = ~(upper | lower | digit | is62 | is63);

	return (upper & (c - 'A')) | (lower & (c - 'a' + 26u)) | (digit & (c - '0' + 52u)) | (is62 & 62) |
	       (is63 & 63) | (none & 64);
}

static char digit_of(enum base64_form form, unsigned v)
{
	unsigned c62 = form == BASE64_STD ? '+' : '-';
	unsigned c63 = form == BASE64_STD ? '/' : '_';

	assert(v < 64);
	return (char)((in_range(v + 1, 1, 26) & (v + 'A')) | (in_range(v, 26, 51) & (v - 26 + 'a')) |
		      (in_range(v, 52, 61) & (v - 52 + '0')) | (in_range(v, 62, 62) & c62) |
		      (in_range(v, 63, 63) & c63));
}

bool base64_is_digit(enum base64_form form, char c)
{
	return digit_value(form, (unsigned char)c) < 64;
}

/* Padded in either form. */
static size_t encode(enum base64_form form, char *out, const uint8_t *in, size_t n)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned v = (unsigned)in[i] << 16;

		if (left > 1)
			v |= (unsigned)in[i + 1] << 8;
		if (left > 2)
			v |= in[i + 2];
		out[o++] = digit_of(form, v >> 18);
		out[o++] = digit_of(form, v >> 12 & 63);
		out[o++] = left > 1 ? digit_of(form, v >> 6 & 63) : '=';
		out[o++] = left > 2 ? digit_of(form, v & 63) : '=';
	}
	return o;
}

size_t base64_encode(char *out, size_t cap, const uint8_t *in, size_t n)
{
	assert(n <= SIZE_MAX / 2 && cap >= BASE64_ENCODED_BYTES(n));
	return encode(BASE64_STD, out, in, n);
}

size_t base64_encode_url(char *out, size_t cap, const uint8_t *in, size_t n)
{
	assert(n <= SIZE_MAX / 2 && cap >= BASE64_ENCODED_BYTES(n));
	return encode(BASE64_URL, out, in, n) - (3 - n % 3) % 3;
}

/* Digits without their padding; false if the padding is not what the form asks for. */
static bool strip_padding(enum base64_form form, struct str *in)
{
	if (form == BASE64_URL)
		return in->n % 4 != 1;
	if (in->n % 4 != 0)
		return false;
	for (size_t pads = 0; pads < 2 && in->n > 0 && in->p[in->n - 1] == '='; pads++)
		in->n--;
	return true;
}

bool base64_decode(enum base64_form form, struct str in, uint8_t *out, size_t cap, size_t *n)
{
	size_t o = 0;
	unsigned bits = 0, held = 0, bad = 0;

	assert(out != NULL || cap == 0);
	*n = 0;
	if (!strip_padding(form, &in) || in.n / 4 * 3 + in.n % 4 * 3 / 4 > cap)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		unsigned v = digit_value(form, (unsigned char)in.p[i]);

		bad |= v & 64;
		bits = (bits << 6 | (v & 63)) & 0xfff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[o++] = (uint8_t)(bits >> held);
		}
	}
	bad |= bits & ((1u << held) - 1);
	if (bad != 0)
		return false;
	*n = o;
	return true;
}
