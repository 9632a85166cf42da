/* server/address.c: see address.h. */
#include "server/address.h"

#include <assert.h>
#include <string.h>

enum { GROUPS = 8, ADDRESS_BYTES = 16, NO_GAP = ADDRESS_BYTES + 1 };

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* RFC 4291 2.5.5.2 */

/* --- writing --- */

static void put(struct address_text *a, struct str s)
{
	assert(a->n + s.n <= sizeof(a->text));
	memcpy(a->text + a->n, s.p, s.n);
	a->n += s.n;
}

static void put_number(struct address_text *a, unsigned v, unsigned base)
{
	char digits[5];
	size_t at = sizeof(digits);

	do {
		assert(at > 0);
		digits[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v > 0);
	put(a, str_of(digits + at, sizeof(digits) - at));
}

static void put_ipv4(struct address_text *a, const uint8_t *bytes)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			put(a, STR("."));
		put_number(a, bytes[i], 10);
	}
}

static unsigned group(const uint8_t *bytes, int i)
{
	return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* RFC 5952 4.2: the longest run of zero groups, the first of equals, never one group alone. */
static void longest_zeros(const uint8_t *bytes, int *from, int *to)
{
	*from = *to = GROUPS;
	for (int i = 0, run = 0; i < GROUPS; i++) {
		run = group(bytes, i) == 0 ? run + 1 : 0;
		if (run > 1 && run > *to - *from) {
			*to = i + 1;
			*from = *to - run;
		}
	}
}

static void put_ipv6(struct address_text *a, const uint8_t *bytes)
{
	int from, to;

	longest_zeros(bytes, &from, &to);
	for (int i = 0; i < GROUPS; i++) {
		if (i == from) {
			put(a, STR("::"));
			i = to - 1;
			continue;
		}
		if (i > 0 && i != to)
			put(a, STR(":"));
		put_number(a, group(bytes, i), 16);
	}
}

bool address_is_none(const uint8_t address[16])
{
	static const uint8_t none[ADDRESS_BYTES];

	return memcmp(address, none, sizeof(none)) == 0;
}

struct address_text address_text(const struct peer *peer)
{
	struct address_text a = { .n = 0 };

	if (address_is_none(peer->address)) {
		put(&a, STR("unix"));
		return a;
	}
	if (memcmp(peer->address, mapped, sizeof(mapped)) == 0) {
		put_ipv4(&a, peer->address + sizeof(mapped));
	} else {
		put(&a, STR("["));
		put_ipv6(&a, peer->address);
		put(&a, STR("]"));
	}
	put(&a, STR(":"));
	put_number(&a, peer->port, 10);
	return a;
}

void address_key(const struct peer *p, uint8_t out[ADDRESS_KEY_BYTES])
{
	memcpy(out, p->address, ADDRESS_KEY_BYTES);
	if (memcmp(out, mapped, sizeof(mapped)) != 0)
		memset(out + ADDRESS_KEY_BYTES / 2, 0, ADDRESS_KEY_BYTES / 2);
}

/* --- reading --- */

/* Takes digits of `base`, at most `digits_max`, off the front. False: there is none, or a decimal begins with
 * a zero (which others read as octal). */
static bool take_number(struct str *s, unsigned base, unsigned digits_max, unsigned *out)
{
	unsigned n = 0, v = 0;

	for (; n < digits_max && n < s->n; n++) {
		char c = str_ascii_lower(s->p[n]);
		unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
							: base;

		if (digit >= base)
			break;
		v = v * base + digit;
	}
	if (n == 0 || (base == 10 && n > 1 && s->p[0] == '0'))
		return false;
	*s = str_of(s->p + n, s->n - n);
	*out = v;
	return true;
}

static bool take(struct str *s, struct str what)
{
	if (!str_has_prefix(*s, what))
		return false;
	*s = str_of(s->p + what.n, s->n - what.n);
	return true;
}

static bool parse_ipv4(struct str s, uint8_t out[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v;

		if ((i > 0 && !take(&s, STR("."))) || !take_number(&s, 10, 3, &v) || v > UINT8_MAX)
			return false;
		out[i] = (uint8_t)v;
	}
	return s.n == 0;
}

/* Reads groups from the front; *gap is where `::` stands among the bytes, or NO_GAP. The bytes that were
 * read; more than ADDRESS_BYTES: not a literal. */
static size_t parse_groups(struct str s, uint8_t a[ADDRESS_BYTES], size_t *gap)
{
	const size_t bad = ADDRESS_BYTES + 1;
	size_t at = 0;

	*gap = NO_GAP;
	if (take(&s, STR("::")))
		*gap = 0;
	while (s.n > 0) {
		unsigned v;

		if (at + 4 <= ADDRESS_BYTES && parse_ipv4(s, a + at))
			return at + 4;
		if (at == ADDRESS_BYTES || !take_number(&s, 16, 4, &v))
			return bad;
		a[at++] = (uint8_t)(v >> 8);
		a[at++] = (uint8_t)v;
		if (*gap == NO_GAP && take(&s, STR("::")))
			*gap = at;
		else if (s.n > 0 && (!take(&s, STR(":")) || s.n == 0))
			return bad;
	}
	return at;
}

static bool parse_ipv6(struct str s, uint8_t out[ADDRESS_BYTES])
{
	uint8_t a[ADDRESS_BYTES] = { 0 };
	size_t gap, n = parse_groups(s, a, &gap);
	bool has_gap = gap != NO_GAP;

	/* `::` is at least one group. */
	if (n > ADDRESS_BYTES || has_gap != (n < ADDRESS_BYTES))
		return false;
	if (!has_gap)
		gap = n;
	memset(out, 0, ADDRESS_BYTES);
	memcpy(out, a, gap);
	memcpy(out + ADDRESS_BYTES - (n - gap), a + gap, n - gap);
	return true;
}

bool address_parse(struct str s, uint8_t out[16])
{
	uint8_t ipv4[4];

	if (!parse_ipv4(s, ipv4))
		return parse_ipv6(s, out);
	memcpy(out, mapped, sizeof(mapped));
	memcpy(out + sizeof(mapped), ipv4, sizeof(ipv4));
	return true;
}
