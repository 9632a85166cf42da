/*
 * Contract in rfc3339.h. Days are counted in eras of 400 years that begin on 1 March of year 0, so that the
 * leap day is the last of its year and the month lengths follow one linear formula (Hinnant,
 * "chrono-compatible low-level date algorithms"). Every year handled is >= 0 in that count, so the
 * divisions need no rounding rule.
 */
#include "base/rfc3339.h"

#include <assert.h>

enum {
	DAY_MS = 86400000,
	DAYS_TO_1970 = 719468,   /* from 0000-03-01 */
	ERA_DAYS = 146097,
};

#define YEAR_1_MS (-62135596800000)
#define YEAR_10000_MS 253402300800000

struct civil {
	int year, month, day;    /* month and day count from 1 */
};

/* Days since 1970-01-01. Year 0 to 9999. */
static int64_t days_of(struct civil c)
{
	int y = c.year - (c.month <= 2) + 400;  /* one era up: January of year 0 is before the count */
	int era = y / 400;
	int yoe = y % 400;
	int doy = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
	int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return (int64_t)(era - 1) * ERA_DAYS + doe - DAYS_TO_1970;
}

static struct civil civil_of(int64_t days_since_1970)
{
	int z = (int)(days_since_1970 + DAYS_TO_1970);
	int era = z / ERA_DAYS;
	int doe = z % ERA_DAYS;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;
	struct civil c = { .day = doy - (153 * mp + 2) / 5 + 1, .month = mp < 10 ? mp + 3 : mp - 9 };

	assert(z >= 0);
	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

static int month_days(int year, int month)
{
	static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	assert(month >= 1 && month <= 12);
	return days[month - 1] + (month == 2 && leap);
}

/* Two decimal digits of v. */
static inline void put2(char *out, int v)
{
	assert(v >= 0 && v < 100);
	out[0] = (char)('0' + v / 10);
	out[1] = (char)('0' + v % 10);
}

void rfc3339_format(wall_t t, char *out)
{
	int64_t ms = t.ms < YEAR_1_MS ? YEAR_1_MS : t.ms >= YEAR_10000_MS ? YEAR_10000_MS - 1 : t.ms;
	int64_t days = (ms - YEAR_1_MS) / DAY_MS + YEAR_1_MS / DAY_MS;
	int rest = (int)(ms - days * DAY_MS);
	struct civil c = civil_of(days);

	assert(!wall_absent(t));
	assert(rest >= 0 && rest < DAY_MS);
	memcpy(out, "0000-00-00T00:00:00.000Z", RFC3339_BYTES);
	put2(out, c.year / 100);
	put2(out + 2, c.year % 100);
	put2(out + 5, c.month);
	put2(out + 8, c.day);
	put2(out + 11, rest / 3600000);
	put2(out + 14, rest / 60000 % 60);
	put2(out + 17, rest / 1000 % 60);
	put2(out + 21, rest % 100);
	out[20] = (char)('0' + rest % 1000 / 100);
}

/* A cursor whose error is sticky: after the first mismatch every take fails. */
struct scan {
	const char *p, *end;
	bool bad;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool take(struct scan *s, char a, char b)
{
	if (s->bad || s->p == s->end || (*s->p != a && *s->p != b))
		return false;
	s->p++;
	return true;
}

static void need(struct scan *s, char a, char b)
{
	if (!take(s, a, b))
		s->bad = true;
}

/* `digits` digits whose value lies in [min, max]. */
static int number(struct scan *s, int digits, int min, int max)
{
	int v = 0;

	for (; digits > 0 && !s->bad; digits--) {
		if (s->p == s->end || !is_digit(*s->p)) {
			s->bad = true;
			return min;
		}
		v = v * 10 + (*s->p++ - '0');
	}
	if (v < min || v > max)
		s->bad = true;
	return s->bad ? min : v;
}

/* time-secfrac, already past the dot: at least one digit; milliseconds. */
static int fraction_ms(struct scan *s)
{
	int ms = 0;
	int weight = 100;

	assert(!s->bad); /* the dot was taken */
	if (s->p == s->end || !is_digit(*s->p))
		s->bad = true;
	for (; !s->bad && s->p < s->end && is_digit(*s->p); s->p++) {
		ms += (*s->p - '0') * weight;
		weight /= 10;
	}
	return ms;
}

/* time-offset, in minutes east of UTC. */
static int offset_min(struct scan *s)
{
	int sign = 1;
	int hours;

	if (take(s, 'Z', 'z'))
		return 0;
	if (take(s, '-', '-'))
		sign = -1;
	else
		need(s, '+', '+');
	hours = number(s, 2, 0, 23);
	need(s, ':', ':');
	return sign * (hours * 60 + number(s, 2, 0, 59));
}

static bool first_of_month(int64_t days)
{
	/*
	 * One era up keeps civil_of() in its domain for the last day of year -1, which an offset can
	 * reach.
	 */
	return civil_of(days + ERA_DAYS).day == 1;
}

bool rfc3339_parse(struct str str, wall_t *out)
{
	struct scan s = { str.p, str.p, str.n == 0 };
	struct civil c;
	int hour, min, sec, ms, offset;
	int64_t secs;

	assert(out != NULL);
	if (str.n > 0)
		s.end = str.p + str.n;
	c.year = number(&s, 4, 0, 9999);
	need(&s, '-', '-');
	c.month = number(&s, 2, 1, 12);
	need(&s, '-', '-');
	c.day = number(&s, 2, 1, month_days(c.year, c.month));
	need(&s, 'T', 't');
	hour = number(&s, 2, 0, 23);
	need(&s, ':', ':');
	min = number(&s, 2, 0, 59);
	need(&s, ':', ':');
	sec = number(&s, 2, 0, 60);
	ms = take(&s, '.', '.') ? fraction_ms(&s) : 0;
	offset = offset_min(&s);
	if (s.bad || s.p != s.end)
		return false;
	secs = days_of(c) * 86400 + (hour * 60 + min - offset) * 60 + sec;
	if (sec == 60 && (secs % 86400 != 0 || !first_of_month(secs / 86400)))
		return false;
	*out = (wall_t){ secs * 1000 + ms };
	return true;
}
