/*
 * base/rfc3339: RFC 3339 5.6 and 5.7, row by row, against a guard page; then every day of 9999 years,
 * there and back.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/rfc3339.h"
#include "tap.h"

#define YEAR_1_MS (-62135596800000)
#define YEAR_9999_END_MS 253402300799999
#define NO INT64_MIN

static const struct { int64_t ms; const char *text; } formats[] = {
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ -1, "1969-12-31T23:59:59.999Z" },
	{ 1768392000123, "2026-01-14T12:00:00.123Z" },
	{ 951782400000, "2000-02-29T00:00:00.000Z" },
	{ 4107542399999, "2100-02-28T23:59:59.999Z" },
	{ 4107542400000, "2100-03-01T00:00:00.000Z" },
	{ YEAR_1_MS, "0001-01-01T00:00:00.000Z" },
	{ YEAR_1_MS - 1, "0001-01-01T00:00:00.000Z" },
	{ YEAR_9999_END_MS, "9999-12-31T23:59:59.999Z" },
	{ YEAR_9999_END_MS + 1, "9999-12-31T23:59:59.999Z" },
	{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
	{ INT64_MIN + 1, "0001-01-01T00:00:00.000Z" },
};

static const struct { const char *clause, *text; int64_t ms; } parses[] = {
	{ "5.6", "2026-01-14T12:00:00.123Z", 1768392000123 },
	{ "5.6", "2026-01-14T12:00:00Z", 1768392000000 },
	{ "5.6", "2026-01-14t12:00:00z", 1768392000000 },
	{ "5.6", "2026-01-14T12:00:00.1Z", 1768392000100 },
	{ "5.6", "2026-01-14T12:00:00.1239999999999999999999999Z", 1768392000123 },
	{ "5.6", "2026-01-14T13:30:00+01:30", 1768392000000 },
	{ "5.6", "2026-01-14T04:00:00.000-08:00", 1768392000000 },
	{ "4.3", "2026-01-14T12:00:00-00:00", 1768392000000 },
	{ "5.8", "1937-01-01T12:00:27.87+00:20", -1041337172130 },
	{ "5.8", "1985-04-12T23:20:50.52Z", 482196050520 },
	{ "5.8", "1996-12-19T16:39:57-08:00", 851042397000 },
	{ "5.8", "1990-12-31T23:59:60Z", 662688000000 },
	{ "5.8", "1990-12-31T15:59:60-08:00", 662688000000 },
	{ "5.7", "2016-12-31T23:59:60.5Z", 1483228800500 },
	{ "5.6", "1969-12-31T23:59:59.999Z", -1 },
	{ "5.6", "0000-01-01T00:00:00Z", YEAR_1_MS - 366 * INT64_C(86400000) },
	{ "5.6", "0000-01-01T00:00:00+23:59", YEAR_1_MS - 366 * INT64_C(86400000) - 86340000 },
	{ "5.7", "0000-01-01T00:00:60+00:01", YEAR_1_MS - 366 * INT64_C(86400000) },
	{ "5.6", "9999-12-31T23:59:59.999-23:59", YEAR_9999_END_MS + 86340000 },
	{ "5.7", "2024-02-29T00:00:00Z", 1709164800000 },
	{ "5.7", "2000-02-29T00:00:00Z", 951782400000 },
	{ "5.7", "2023-02-29T00:00:00Z", NO },
	{ "5.7", "1900-02-29T00:00:00Z", NO },
	{ "5.7", "2026-04-31T00:00:00Z", NO },
	{ "5.7", "2026-00-01T00:00:00Z", NO },
	{ "5.7", "2026-13-01T00:00:00Z", NO },
	{ "5.7", "2026-01-00T00:00:00Z", NO },
	{ "5.7", "2026-01-32T00:00:00Z", NO },
	{ "5.7", "2026-01-14T24:00:00Z", NO },
	{ "5.7", "2026-01-14T12:60:00Z", NO },
	{ "5.7", "2026-01-14T12:00:60Z", NO },
	{ "5.7", "2026-01-14T23:59:60Z", NO },
	{ "5.7", "2026-01-31T12:00:61Z", NO },
	{ "5.6", "2026-01-14T12:00:00+24:00", NO },
	{ "5.6", "2026-01-14T12:00:00+01:60", NO },
	{ "5.6", "2026-01-14T12:00:00+0100", NO },
	{ "5.6", "2026-01-14T12:00:00+1:00", NO },
	{ "5.6", "2026-01-14T12:00:00", NO },
	{ "5.6", "2026-01-14T12:00:00.Z", NO },
	{ "5.6", "2026-01-14T12:00:00,5Z", NO },
	{ "5.6", "2026-01-14T12:00Z", NO },
	{ "5.6", "2026-01-14 12:00:00Z", NO },
	{ "5.6", "2026-01-14", NO },
	{ "5.6", "20260114T120000Z", NO },
	{ "5.6", "26-01-14T12:00:00Z", NO },
	{ "5.6", "+2026-01-14T12:00:00Z", NO },
	{ "5.6", "-026-01-14T12:00:00Z", NO },
	{ "5.6", "2026-1-14T12:00:00Z", NO },
	{ "5.6", " 2026-01-14T12:00:00Z", NO },
	{ "5.6", "2026-01-14T12:00:00Z ", NO },
	{ "5.6", "2026-01-14T12:00:00ZZ", NO },
	{ "5.6", "2026-01-14T12:00:00Z+00:00", NO },
	{ "5.6", "2026-01-14T12:00:0\xb2Z", NO },
	{ "5.6", "1768392000", NO },
	{ "5.6", "", NO },
};

static char *guard;     /* the byte behind the last that may be read */

static void guard_map(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED || mprotect(mem + page, page, PROT_NONE) != 0)
		abort();
	guard = mem + page;
}

static struct str flush(const char *text, size_t n)
{
	memcpy(guard - n, text, n);
	return str_of(guard - n, n);
}

static void test_parse(void)
{
	for (size_t i = 0; i < sizeof(parses) / sizeof(parses[0]); i++) {
		const char *text = parses[i].text;
		wall_t t = { 42 };
		bool got = rfc3339_parse(flush(text, strlen(text)), &t);
		bool ok = got ? t.ms == parses[i].ms : parses[i].ms == NO && t.ms == 42;

		/* Every true prefix lacks something. */
		for (size_t n = strlen(text); n-- > 0;)
			ok = ok && (parses[i].ms == NO || !rfc3339_parse(flush(text, n), &t));
		if (!tap_ok(ok, "RFC 3339 %s: \"%s\" %s", parses[i].clause, text, parses[i].ms == NO ? "refused" : "read"))
			printf("# got %d, %" PRId64 "\n", got, t.ms);
	}
	tap_ok(!rfc3339_parse(STR_NONE, &(wall_t){ 0 }), "the absent slice is refused");
}

static void test_format(void)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char *out = guard - RFC3339_BYTES;

		rfc3339_format((wall_t){ formats[i].ms }, out);
		tap_ok(memcmp(out, formats[i].text, RFC3339_BYTES) == 0, "format: %s", formats[i].text);
	}
}

/*
 * Every day of the calendar, at a different time of the day each: strictly rising text, and the same time
 * back.
 */
static void test_days(void)
{
	char last[RFC3339_BYTES] = "";
	uint32_t bad = 0;

	for (int64_t day = 0; YEAR_1_MS + day * 86400000 <= YEAR_9999_END_MS; day++) {
		wall_t t = { YEAR_1_MS + day * 86400000 + day * 7919 % 86400000 };
		wall_t back = WALL_NONE;
		char out[RFC3339_BYTES];

		rfc3339_format(t, out);
		bad += memcmp(out, last, sizeof(out)) <= 0;
		bad += !rfc3339_parse(str_of(out, sizeof(out)), &back) || back.ms != t.ms;
		memcpy(last, out, sizeof(out));
	}
	tap_is_u64(bad, 0, "every day from 0001 to 9999, there and back");
}

int main(void)
{
	guard_map();
	test_format();
	test_parse();
	test_days();
	return tap_done();
}
