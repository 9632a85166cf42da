/*
 * See wire/der.h. Every length is compared with what is left before anything is read; nothing is added to an
 * offset that a peer gave.
 */
#include "wire/der.h"

#include <assert.h>
#include <stdint.h>

static uint8_t byte_at(struct str s, size_t i)
{
	assert(i < s.n);
	return (uint8_t)s.p[i];
}

/* Length octets (X.690 8.1.3, 10.1) from s.p[1] on: how long the contents are, and where they begin. */
static bool length(struct str s, size_t *begin, size_t *n)
{
	size_t octets;

	if (s.n < 2)
		return false;
	*n = byte_at(s, 1);
	*begin = 2;
	if (*n < 0x80)
		return true;
	octets = *n & 0x7f;
	if (octets == 0 || octets > 3 || s.n < 2 + octets)
		return false;
	*n = 0;
	for (size_t i = 0; i < octets; i++)
		*n = *n << 8 | byte_at(s, 2 + i);
	*begin = 2 + octets;
	return *n >= 0x80 && *n >> (8 * (octets - 1)) != 0;
}

bool der_take(struct str *in, enum der_tag tag, struct str *content)
{
	size_t begin, n;

	if (in->n == 0 || byte_at(*in, 0) != tag || !length(*in, &begin, &n) || n > in->n - begin)
		return false;
	*content = str_of(in->p + begin, n);
	*in = str_of(in->p + begin + n, in->n - begin - n);
	return true;
}

bool der_take_unsigned(struct str *in, struct str *magnitude)
{
	struct str rest = *in, v;

	if (!der_take(&rest, DER_INTEGER, &v) || v.n == 0 || byte_at(v, 0) >= 0x80)
		return false;
	if (byte_at(v, 0) == 0) {
		v = str_of(v.p + 1, v.n - 1);
		if (v.n > 0 && byte_at(v, 0) < 0x80)
			return false;
	}
	*magnitude = v;
	*in = rest;
	return true;
}

bool der_take_bytes(struct str *in, struct str *bytes)
{
	struct str rest = *in, v;

	if (!der_take(&rest, DER_BIT_STRING, &v) || v.n == 0 || byte_at(v, 0) != 0)
		return false;
	*bytes = str_of(v.p + 1, v.n - 1);
	*in = rest;
	return true;
}
