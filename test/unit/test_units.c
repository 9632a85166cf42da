/* base/units: what people write, what it comes to, and that what is written reads back. */
#include "base/units.h"

#include "rng.h"
#include "tap.h"

enum { BAD = -1 };

static struct str from(const char *s)
{
	return str_of(s, strlen(s));
}

static void test_durations(void)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{ "0", 0 }, { "5", 5000 }, { "30", 30000 }, { "0s", 0 }, { "500ms", 500 }, { "5s", 5000 }, { "8s", 8000 },
		{ "1m30s", 90000 }, { "90s", 90000 }, { "5m", 300000 }, { "1h", 3600000 }, { "1h1m1s1ms", 3661001 }, { "1m0s", 60000 },
		{ "1h500ms", 3600500 }, { "007s", 7000 }, { "2m", 120000 }, { "2ms", 2 },
		{ "9223372036854775", INT64_C(9223372036854775000) }, { "9223372036854775807ms", INT64_MAX },
		{ "1.5s", 1500 }, { "0.5h", 1800000 }, { "1.5m", 90000 }, { "1.5h0.5m", 5430000 }, { "0.25s", 250 }, { "1.5ms", 1 },
		{ "1.9999s", 1999 }, { "0.0s", 0 }, { "0.001s", 1 }, { "1.0s", 1000 }, { "1s0.5ms", 1000 }, { "0.000000277778h", 1 },
		{ "0.999999999999h", 3599999 }, { "9223372036854775.807s", INT64_MAX },
		{ "9223372036854775.808s", BAD }, { "9223372036854775807.9ms", INT64_MAX }, { "1.0000000000000s", BAD }, { "0.0001s", BAD },
		{ "0.9ms", BAD }, { "1.5", BAD }, { "1.s", BAD }, { ".5s", BAD }, { "1..5s", BAD }, { "1.5.5s", BAD }, { "1h.5m", BAD }, { "1.", BAD },
		{ ".", BAD }, { "1,5s", BAD }, { "1.18446744073709551616s", BAD }, { "500us", BAD }, { "1.5us", BAD },
		{ "", BAD }, { "s", BAD }, { "5x", BAD }, { "5 s", BAD }, { " 5s", BAD }, { "5s ", BAD }, { "-5s", BAD }, { "+5s", BAD },
		{ "1s1m", BAD }, { "1s1s", BAD }, { "1m30", BAD }, { "5S", BAD }, { "5sec", BAD }, { "ms", BAD },
		{ "1d", BAD }, { "0x5", BAD }, { "5s5", BAD }, { "9223372036854776", BAD }, { "9223372036854775808ms", BAD },
		{ "9223372036854775807ms1", BAD }, { "2562047788016h", BAD }, { "18446744073709551616", BAD }, { "1e3", BAD },
		{ "2562047788015h9223372036854775807ms", BAD }, { "\xc2\xb5s", BAD }, { "5\xc2\xb5s", BAD }, { "5us", BAD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = BAD;
		bool good = units_duration(from(rows[i].text), &ms);

		tap_ok(good == (rows[i].ms != BAD) && ms == rows[i].ms, "duration \"%s\": %" PRId64, rows[i].text, ms);
	}
}

static void test_sizes(void)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t bytes;
	} rows[] = {
		{ "0", true, 0 }, { "1", true, 1 }, { "64k", true, 65536 }, { "64K", true, 65536 }, { "10m", true, 10485760 },
		{ "10485760", true, 10485760 }, { "1G", true, 1073741824 }, { "0k", true, 0 },
		{ "18446744073709551615", true, UINT64_MAX }, { "17179869183g", true, UINT64_C(18446744072635809792) },
		{ "17179869184g", false, 7 }, { "18446744073709551616", false, 7 }, { "", false, 7 }, { "k", false, 7 }, { "10mb", false, 7 },
		{ "10 m", false, 7 }, { "-1", false, 7 }, { "1.5m", false, 7 }, { "1t", false, 7 }, { "64kk", false, 7 }, { "1\xff", false, 7 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t bytes = 7;
		bool good = units_size(from(rows[i].text), &bytes);

		tap_ok(good == rows[i].good && bytes == rows[i].bytes, "size \"%s\": %" PRIu64, rows[i].text, bytes);
	}
	/* A NUL is a byte like others. */
	uint64_t n = 7;
	tap_ok(!units_size(str_of("1\0", 2), &n) && !units_count(str_of("1\0", 2), &n) && n == 7, "a NUL is no suffix");
	tap_ok(units_count(STR("42"), &n) && n == 42 && !units_count(STR("42k"), &n) && !units_count(STR(""), &n), "counts");
}

static bool writes(size_t n, const char *text, const char *want)
{
	return n == strlen(want) && memcmp(text, want, n) == 0;
}

static void test_writing(void)
{
	char out[UNITS_BYTES_MAX];
	struct rng rng = { .s = 7 };
	int wrong = 0;

	tap_ok(writes(units_put_duration(out, 0), out, "0"), "0");
	tap_ok(writes(units_put_duration(out, 90000), out, "1m30s"), "1m30s");
	tap_ok(writes(units_put_duration(out, 3600500), out, "1h500ms"), "1h500ms");
	tap_ok(units_put_duration(out, INT64_MAX) <= UNITS_BYTES_MAX, "the longest duration has room");
	tap_ok(writes(units_put_size(out, 65536), out, "64k"), "64k");
	tap_ok(writes(units_put_size(out, 0), out, "0"), "0 bytes");
	tap_ok(writes(units_put_size(out, 10485761), out, "10485761"), "no suffix fits");
	tap_ok(writes(units_put_size(out, UINT64_C(2048) << 30), out, "2048g"), "nothing above g");
	tap_ok(writes(units_put_count(out, UINT64_MAX), out, "18446744073709551615"), "the largest count");
	for (int i = 0; i < 20000; i++) {
		uint64_t v = rng_next(&rng) >> (rng_next(&rng) % 64), size = 0;
		int64_t ms = -1, want = (int64_t)(v >> 1);

		wrong += !units_size(str_of(out, units_put_size(out, v)), &size) || size != v;
		wrong += !units_duration(str_of(out, units_put_duration(out, want)), &ms) || ms != want;
	}
	tap_is_u64((uint64_t)wrong, 0, "20000 numbers read back as they were written");
}

int main(void)
{
	test_durations();
	test_sizes();
	test_writing();
	return tap_done();
}
