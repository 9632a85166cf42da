/* server/address.c: see address.h. */
#include "server/address.h"

#include <assert.h>
#include <string.h>

enum { GROUPS = 8 };

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

struct address_text address_text(const struct peer *peer, bool is_unix)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct address_text a = { .n = 0 };

	if (is_unix) {
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
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memcpy(out, p->address, ADDRESS_KEY_BYTES);
	if (memcmp(out, mapped, sizeof(mapped)) != 0)
		memset(out + ADDRESS_KEY_BYTES / 2, 0, ADDRESS_KEY_BYTES / 2);
}
