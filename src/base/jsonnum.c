/*
 * Contract in jsonnum.h. The value is summed digit by digit, each times the power of ten of its place, so
 * that neither the number of digits nor the size of the exponent matters: only places 0 to 18 may hold a
 * digit other than 0.
 */
#include "base/jsonnum.h"

#include <assert.h>

/* The first offset from `at` on that holds no digit. */
static size_t digits(const char *p, size_t at, size_t n)
{
	while (at < n && p[at] >= '0' && p[at] <= '9')
		at++;
	return at;
}

/* [ minus ] int [ frac ] [ exp ] */
bool jsonnum_is(struct str s)
{
	size_t at = s.n > 0 && s.p[0] == '-';
	size_t from = at;

	at = digits(s.p, from, s.n);
	if (at == from || (s.p[from] == '0' && at > from + 1))
		return false;
	if (at < s.n && s.p[at] == '.') {
		from = at + 1;
		at = digits(s.p, from, s.n);
		if (at == from)
			return false;
	}
	if (at < s.n && (s.p[at] == 'e' || s.p[at] == 'E')) {
		from = at + 1;
		if (from < s.n && (s.p[from] == '+' || s.p[from] == '-'))
			from++;
		at = digits(s.p, from, s.n);
		if (at == from)
			return false;
	}
	return at == s.n;
}

/*
 * The exponent of a checked number, saturated far outside what any length of digits could make up for; *s
 * loses it.
 */
static int64_t take_exponent(struct str *s)
{
	const int64_t far = INT64_C(1) << 40;
	size_t e = 0;
	int64_t v = 0;
	bool negative;

	while (e < s->n && (s->p[e] | 0x20) != 'e')
		e++;
	if (e == s->n)
		return 0;
	negative = s->p[e + 1] == '-';
	for (size_t i = e + 1; i < s->n; i++)
		if (s->p[i] >= '0' && v < far) /* else the sign, or more than matters */
			v = v * 10 + (s->p[i] - '0');
	s->n = e;
	return negative ? -v : v;
}

/* The value times 10^shift, without what is left behind the point if `cut`, else only if nothing is. */
static bool scaled(struct str s, int shift, bool cut, int64_t *out)
{
	enum { POW10_MAX = 18 };
	static const uint64_t pow10[POW10_MAX + 1] = {
		1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
		10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
		1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u,
	};
	bool negative;
	int64_t power;              /* of the digit at hand */
	uint64_t v = 0;             /* at most 19 digits, one per power: never overflows */
	size_t dot = 0;

	assert(s.n > 0);
	negative = s.p[0] == '-';
	s = str_of(s.p + negative, s.n - negative);
	power = take_exponent(&s) - 1 + shift;
	while (dot < s.n && s.p[dot] != '.')
		dot++;
	power += (int64_t)dot;
	for (size_t i = 0; i < s.n; i++) {
		if (i == dot)
			continue;
		if (s.p[i] != '0' && (power > POW10_MAX || (power < 0 && !cut)))
			return false;
		if (s.p[i] != '0' && power >= 0)
			v += (uint64_t)(s.p[i] - '0') * pow10[power];
		power--;
	}
	if (v > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

bool jsonnum_i64(struct str s, int64_t *out)
{
	return scaled(s, 0, false, out);
}

bool jsonnum_thousandths(struct str s, int64_t *out)
{
	return scaled(s, 3, true, out);
}
