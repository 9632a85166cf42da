/*
 * Numbers are read by digits_take() alone, which refuses what does not fit 64 bits; every product and sum
 * after it is checked before it is made.
 */
#include "base/units.h"

#include <assert.h>

static const struct {
	struct str name;
	int64_t ms;
} duration_units[] = {
	{ { "h", 1 }, 3600000 },
	{ { "m", 1 }, 60000 },
	{ { "s", 1 }, 1000 },
	{ { "ms", 2 }, 1 },
};

enum {
	DURATION_UNITS = sizeof(duration_units) / sizeof(duration_units[0]),
	FRACTION_DIGITS_MAX = 12, /* times an hour's milliseconds, they fit 64 bits */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Takes the digits at the front of *s; false if there are none or they do not fit. */
static bool digits_take(struct str *s, uint64_t *n)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s->n && is_digit(s->p[i]); i++) {
		uint64_t d = (uint64_t)(s->p[i] - '0');

		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*s = str_of(s->p + i, s->n - i);
	*n = v;
	return i > 0;
}

/* Takes a point and the digits behind it, if they are there: `.25` is 25 of 100. False: a point without
 * digits, or with too many. */
static bool fraction_take(struct str *s, uint64_t *n, uint64_t *of)
{
	size_t before;

	*n = 0;
	*of = 1;
	if (s->n == 0 || s->p[0] != '.')
		return true;
	*s = str_of(s->p + 1, s->n - 1);
	before = s->n;
	if (!digits_take(s, n) || before - s->n > FRACTION_DIGITS_MAX)
		return false;
	for (size_t i = s->n; i < before; i++)
		*of *= 10;
	return true;
}

/* Takes the unit at the front, one of those from `first` on; DURATION_UNITS if there is none. */
static size_t unit_take(struct str *s, size_t first)
{
	size_t n = 0;

	while (n < s->n && !is_digit(s->p[n]))
		n++;
	for (size_t u = first; u < DURATION_UNITS; u++)
		if (str_eq(str_of(s->p, n), duration_units[u].name)) {
			*s = str_of(s->p + n, s->n - n);
			return u;
		}
	return DURATION_UNITS;
}

bool units_duration(struct str s, int64_t *ms)
{
	int64_t sum = 0, part;
	uint64_t n, fraction, of;
	size_t unit = 0;
	bool some = false;

	if (units_count(s, &n)) {
		if (n > INT64_MAX / 1000)
			return false;
		*ms = (int64_t)n * 1000;
		return true;
	}
	if (s.n == 0)
		return false;
	while (s.n > 0) {
		if (!digits_take(&s, &n) || !fraction_take(&s, &fraction, &of))
			return false;
		some |= n > 0 || fraction > 0;
		unit = unit_take(&s, unit);
		if (unit == DURATION_UNITS || n > (uint64_t)((INT64_MAX - sum) / duration_units[unit].ms))
			return false;
		sum += (int64_t)n * duration_units[unit].ms;
		part = (int64_t)(fraction * (uint64_t)duration_units[unit].ms / of);
		if (part > INT64_MAX - sum)
			return false;
		sum += part;
		unit++;
	}
	if (some && sum == 0)
		return false; /* what is too short is not what 0 says */
	*ms = sum;
	return true;
}

bool units_size(struct str s, uint64_t *bytes)
{
	static const char suffixes[] = "kmg";
	uint64_t n;
	unsigned shift = 0;

	if (!digits_take(&s, &n) || s.n > 1)
		return false;
	if (s.n == 1) {
		const char *at = memchr(suffixes, str_ascii_lower(s.p[0]), sizeof(suffixes) - 1);

		if (at == NULL)
			return false;
		shift = 10 * (unsigned)(at - suffixes + 1);
	}
	if (n > UINT64_MAX >> shift)
		return false;
	*bytes = n << shift;
	return true;
}

bool units_count(struct str s, uint64_t *n)
{
	uint64_t v;

	if (!digits_take(&s, &v) || s.n > 0)
		return false;
	*n = v;
	return true;
}

size_t units_put_count(char out[UNITS_BYTES_MAX], uint64_t n)
{
	char reversed[20];
	size_t digits = 0;

	do {
		reversed[digits++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	for (size_t i = 0; i < digits; i++)
		out[i] = reversed[digits - 1 - i];
	return digits;
}

size_t units_put_duration(char out[UNITS_BYTES_MAX], int64_t ms)
{
	size_t n = 0;

	assert(ms >= 0);
	for (size_t u = 0; u < DURATION_UNITS; u++) {
		int64_t count = ms / duration_units[u].ms;

		if (count == 0)
			continue;
		n += units_put_count(out + n, (uint64_t)count);
		memcpy(out + n, duration_units[u].name.p, duration_units[u].name.n);
		n += duration_units[u].name.n;
		ms -= count * duration_units[u].ms;
	}
	if (n == 0)
		out[n++] = '0';
	assert(n <= UNITS_BYTES_MAX);
	return n;
}

size_t units_put_size(char out[UNITS_BYTES_MAX], uint64_t bytes)
{
	static const char suffixes[] = " kmg";
	size_t shifts = 0, n;

	while (shifts < 3 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		shifts++;
	}
	n = units_put_count(out, bytes);
	if (shifts > 0)
		out[n++] = suffixes[shifts];
	return n;
}
