#include "net/x509.h"

#include <string.h>

bool x509_next(struct x509_rest *in, unsigned *tag, struct x509_rest *content)
{
	size_t at = 2, n;

	if (in->n < 2 || (in->p[0] & 0x1f) == 0x1f)
		return false;
	n = in->p[1];
	if (n >= 0x80) {
		size_t bytes = n & 0x7f;

		if (bytes == 0 || bytes > 3 || in->n < 2 + bytes)
			return false;
		for (n = 0; at < 2 + bytes; at++)
			n = n << 8 | in->p[at];
		if (n < 0x80)
			return false; /* the short form would do */
	}
	if (n > in->n - at)
		return false;
	*tag = in->p[0];
	*content = (struct x509_rest){ in->p + at, n };
	in->p += at + n;
	in->n -= at + n;
	return true;
}

bool x509_take(struct x509_rest *in, unsigned tag, struct x509_rest *content)
{
	unsigned got;

	return x509_next(in, &got, content) && got == tag;
}

/* Two digits at p; -1: not digits. */
static int two(const uint8_t *p)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return -1;
	return (p[0] - '0') * 10 + p[1] - '0';
}

/* Days from 1970-01-01 to a day of the Gregorian calendar (Hinnant, days_from_civil). */
static int64_t days(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool x509_time(unsigned tag, struct x509_rest t, int64_t *seconds)
{
	int v[6], century;
	size_t digits = tag == X509_GENERALIZED_TIME ? 14 : 12;

	if ((tag != X509_GENERALIZED_TIME && tag != X509_UTC_TIME) || t.n != digits + 1 || t.p[digits] != 'Z')
		return false;
	century = tag == X509_GENERALIZED_TIME ? two(t.p) : -1;
	for (size_t i = 0; i < 6; i++) {
		v[i] = two(t.p + digits - 12 + 2 * i);
		if (v[i] < 0)
			return false;
	}
	if (tag == X509_UTC_TIME)
		century = v[0] >= 50 ? 19 : 20;
	if (century < 0 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 ||
	    v[4] > 59 || v[5] > 60)
		return false;
	*seconds = days(century * 100 + v[0], v[1], v[2]) * 86400 + v[3] * 3600 + v[4] * 60 + v[5];
	return true;
}
