/* base/log: seed 003's sample lines, RELIABILITY H24 (injection), D10 (a sink that refuses), bounds. */
#include "base/log.h"

#include "rng.h"
#include "tap.h"

struct sunk {
	char text[LOG_LINE_BYTES_MAX + 1];
	size_t n;
	unsigned lines;
	bool refuse;
};

static struct sunk out;

static bool sink(void *ctx, const char *line, size_t n)
{
	struct sunk *s = ctx;

	if (s->refuse || n > LOG_LINE_BYTES_MAX)
		return false;
	memcpy(s->text, line, n);
	s->text[n] = '\0';
	s->n = n;
	s->lines++;
	return true;
}

static struct log fresh(enum log_format format)
{
	memset(&out, 0, sizeof(out));
	return (struct log){ LOG_INFO, format, STR("presence"), sink, &out, 0 };
}

static void test_samples(void)
{
	struct log l = fresh(LOG_LOGFMT);
	struct str user = STR("user@example.com"), client = STR("abc123");
	wall_t t = { INT64_C(1767323045678) };

	LOG(&l, WALL_NONE, LOG_INFO, "User came online", LOG_STR("user_id", user),
	    LOG_STR("client_id", client));
	tap_is_str(out.text,
		   "level=INFO msg=\"User came online\" service=presence user_id=user@example.com "
		   "client_id=abc123\n",
		   "seed 003, line 1");
	LOG(&l, WALL_NONE, LOG_INFO, "Client disconnected", LOG_STR("user_id", user),
	    LOG_STR("client_id", client), LOG_U64("remaining_connections", 1));
	tap_is_str(out.text,
		   "level=INFO msg=\"Client disconnected\" service=presence user_id=user@example.com "
		   "client_id=abc123 "
		   "remaining_connections=1\n",
		   "seed 003, line 2");
	LOG(&l, t, LOG_INFO, "User has no more connections, scheduling offline event",
	    LOG_STR("user_id", user), LOG_MS("debounce_delay", 5000));
	tap_is_str(
		out.text,
		"level=INFO msg=\"User has no more connections, scheduling offline event\" service=presence "
		"user_id=user@example.com debounce_delay=5s time=2026-01-02T03:04:05.678Z\n",
		"seed 003, line 3, with its time last");
	l.format = LOG_JSON;
	LOG(&l, t, LOG_WARN, "mixed", LOG_STR("s", STR("a b")), LOG_U64("u", UINT64_MAX),
	    LOG_I64("i", INT64_MIN), LOG_BOOL("b", true), LOG_MS("d", 500));
	tap_is_str(out.text,
		   "{\"level\":\"WARN\",\"msg\":\"mixed\",\"service\":\"presence\",\"s\":\"a "
		   "b\",\"u\":18446744073709551615,"
		   "\"i\":-9223372036854775808,\"b\":true,\"d\":\"500ms\",\"time\":\"2026-01-02T03:04:05."
		   "678Z\"}\n",
		   "JSON, every kind");
	LOG(&l, WALL_NONE, LOG_ERROR, "bare");
	tap_is_str(out.text, "{\"level\":\"ERROR\",\"msg\":\"bare\",\"service\":\"presence\"}\n",
		   "no fields");
}

static unsigned evaluated;

static uint64_t count_evaluation(void)
{
	return ++evaluated;
}

static void test_levels(void)
{
	struct log l = fresh(LOG_LOGFMT);
	enum log_level level = LOG_DEBUG;
	enum log_format format = LOG_LOGFMT;

	LOG(&l, WALL_NONE, LOG_DEBUG, "hidden", LOG_U64("n", count_evaluation()));
	log_line(&l, WALL_NONE, LOG_DEBUG, "hidden", NULL, 0);
	tap_ok(out.lines == 0 && evaluated == 0, "below the level: no line, fields not evaluated");
	LOG(&l, WALL_NONE, LOG_ERROR, "shown", LOG_U64("n", count_evaluation()));
	tap_ok(out.lines == 1 && evaluated == 1, "above: one line, fields evaluated once");
	tap_ok(log_level_parse(STR("Warning"), &level) && level == LOG_WARN, "level Warning");
	tap_ok(log_level_parse(STR("INFO"), &level) && level == LOG_INFO, "level INFO");
	tap_ok(!log_level_parse(STR("warnin"), &level) && !log_level_parse(STR(""), &level) &&
		       level == LOG_INFO,
	       "no level");
	tap_ok(log_format_parse(STR("JSON"), &format) && format == LOG_JSON, "format JSON");
	tap_ok(!log_format_parse(STR("xml"), &format) && format == LOG_JSON, "no format");
}

/* clang-format off */
static const struct {
	const char *id, *in, *logfmt, *json;
} values[] = {
	{ "plain",              "abc",             "abc",                   "\"abc\"" },
	{ "empty",              "",                "\"\"",                  "\"\"" },
	{ "space",              "a b",             "\"a b\"",               "\"a b\"" },
	{ "equals",             "a=b",             "\"a=b\"",               "\"a=b\"" },
	{ "H24 quote",          "a\" level=\"x",   "\"a\\\" level=\\\"x\"", "\"a\\\" level=\\\"x\"" },
	{ "H24 backslash",      "a\\",             "\"a\\\\\"",             "\"a\\\\\"" },
	{ "H24 newline",        "a\nlevel=ERROR",  "\"a\\nlevel=ERROR\"",   "\"a\\nlevel=ERROR\"" },
	{ "H24 CR, tab",        "\r\t",            "\"\\r\\t\"",            "\"\\r\\t\"" },
	{ "H24 ESC",            "\x1b[2J",         "\"\\u001b[2J\"",        "\"\\u001b[2J\"" },
	{ "H24 DEL",            "\x7f",            "\"\\u007f\"",           "\"\\u007f\"" },
	{ "H24 C1 (CSI)",       "\xc2\x9b" "2J",   "\"\\u009b2J\"",         "\"\\u009b2J\"" },
	{ "H24 line separator", "a\xe2\x80\xa8",   "\"a\\u2028\"",          "\"a\\u2028\"" },
	{ "H24 right to left",  "\xe2\x80\xae" "a", "\"\\u202ea\"",         "\"\\u202ea\"" },
	{ "valid UTF-8",        "J\xc3\xbcrgen\xf0\x9f\x98\x80",
	  "J\xc3\xbcrgen\xf0\x9f\x98\x80", "\"J\xc3\xbcrgen\xf0\x9f\x98\x80\"" },
	{ "RFC 3629 stray",     "a\x80",           "\"a\\ufffd\"",          "\"a\\ufffd\"" },
	{ "RFC 3629 overlong",  "\xc0\xaf",        "\"\\ufffd\\ufffd\"",    "\"\\ufffd\\ufffd\"" },
	{ "RFC 3629 surrogate", "\xed\xa0\x80",    "\"\\ufffd\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\\ufffd\"" },
	{ "RFC 3629 too high",  "\xf4\x90\x80\x80",
	  "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
	{ "RFC 3629 cut",       "\xe2\x82",        "\"\\ufffd\\ufffd\"",    "\"\\ufffd\\ufffd\"" },
};
/* clang-format on */

static void test_values(void)
{
	char want[200];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct log l = fresh(LOG_LOGFMT);
		struct str in = str_of(values[i].in, strlen(values[i].in));

		LOG(&l, WALL_NONE, LOG_INFO, "m", LOG_STR("v", in));
		snprintf(want, sizeof(want), "level=INFO msg=m service=presence v=%s\n", values[i].logfmt);
		tap_is_str(out.text, want, values[i].id);
		l.format = LOG_JSON;
		LOG(&l, WALL_NONE, LOG_INFO, "m", LOG_STR("v", in));
		snprintf(want, sizeof(want),
			 "{\"level\":\"INFO\",\"msg\":\"m\",\"service\":\"presence\",\"v\":%s}\n",
			 values[i].json);
		tap_is_str(out.text, want, values[i].id);
	}
}

static void test_durations_and_times(void)
{
	static const struct {
		int64_t ms;
		const char *want;
	} durations[] = {
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 500, "500ms" },
		{ 999, "999ms" },
		{ 1000, "1s" },
		{ 1500, "1.5s" },
		{ 1050, "1.05s" },
		{ 1001, "1.001s" },
		{ 5000, "5s" },
		{ 60000, "1m0s" },
		{ 90000, "1m30s" },
		{ 3600000, "1h0m0s" },
		{ 86405250, "24h0m5.25s" },
		{ -500, "-500ms" },
		{ -5000, "-5s" },
		{ INT64_MIN, "-2562047788015h12m55.808s" },
	};
	static const struct {
		int64_t ms;
		const char *want;
	} times[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1970-01-01T00:00:00.000Z" },
		{ INT64_C(951782399999), "2000-02-28T23:59:59.999Z" },
		{ INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
		{ INT64_C(1709251199000), "2024-02-29T23:59:59.000Z" },
		{ INT64_C(4107542400000), "2100-03-01T00:00:00.000Z" },
		{ INT64_C(1735689599999), "2024-12-31T23:59:59.999Z" },
		{ INT64_C(1735689600000), "2025-01-01T00:00:00.000Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
	};
	char want[200];

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		struct log l = fresh(LOG_LOGFMT);

		LOG(&l, WALL_NONE, LOG_INFO, "m", LOG_MS("d", durations[i].ms));
		snprintf(want, sizeof(want), "level=INFO msg=m service=presence d=%s\n", durations[i].want);
		tap_is_str(out.text, want, durations[i].want);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct log l = fresh(LOG_LOGFMT);

		LOG(&l, ((wall_t){ times[i].ms }), LOG_INFO, "m");
		snprintf(want, sizeof(want), "level=INFO msg=m service=presence time=%s\n", times[i].want);
		tap_is_str(out.text, want, times[i].want);
	}
}

static void test_bounds(void)
{
	static char big[3000];
	struct log l = fresh(LOG_LOGFMT);
	const char *v;

	memset(big, 'x', sizeof(big));
	LOG(&l, WALL_NONE, LOG_INFO, "m", LOG_STR("v", str_of(big, LOG_VALUE_BYTES_MAX)), LOG_U64("n", 1));
	tap_ok(strstr(out.text, "\xe2\x80\xa6") == NULL && strstr(out.text, " n=1\n") != NULL,
	       "the longest value whole");
	LOG(&l, WALL_NONE, LOG_INFO, "m", LOG_STR("v", str_of(big, LOG_VALUE_BYTES_MAX + 1)),
	    LOG_U64("n", 1));
	v = strstr(out.text, " v=");
	tap_ok(v != NULL && memcmp(v + 3 + LOG_VALUE_BYTES_MAX - 3, "\xe2\x80\xa6 n=1\n", 8) == 0,
	       "one byte more is cut and marked");
	for (size_t i = 1; i + 4 <= sizeof(big); i += 4)
		memcpy(big + i, "\xf0\x9f\x98\x80", 4);
	LOG(&l, WALL_NONE, LOG_INFO, "m", LOG_STR("v", str_of(big, 2001)));
	tap_ok(strstr(out.text, "\x9f\x98\x80\xe2\x80\xa6\n") != NULL, "cut between characters");

	memset(big, 1, sizeof(big));
	l.service = str_of(big, sizeof(big));
	for (int json = 0; json < 2; json++) {
		l.format = json ? LOG_JSON : LOG_LOGFMT;
		LOG(&l, ((wall_t){ 0 }), LOG_INFO, "m", LOG_STR("a", str_of(big, 999)),
		    LOG_STR("b", str_of(big, 999)), LOG_STR("c", str_of(big, 999)),
		    LOG_STR("d", str_of(big, 999)), LOG_U64("n", 7));
		tap_ok(out.n <= LOG_LINE_BYTES_MAX && strstr(out.text, json ? "\"n\":7" : " n=7 ") != NULL &&
			       strstr(out.text,
				      json ? ",\"truncated\":true,\"time\":\"1970-01-01T00:00:00.000Z\"}\n"
					   : " truncated=true time=1970-01-01T00:00:00.000Z\n") != NULL,
		       "a full line leaves fields out, says so, and keeps its end (%s)",
		       json ? "json" : "logfmt");
	}
}

static void test_sink(void)
{
	struct log l = fresh(LOG_LOGFMT);
	struct log_limit lim = { 0 };
	uint64_t suppressed = 99;
	bool ok;

	out.refuse = true;
	LOG(&l, WALL_NONE, LOG_INFO, "m");
	LOG(&l, WALL_NONE, LOG_DEBUG, "m");
	tap_is_u64(l.dropped, 1, "D10 a refused line is counted, and that is all");

	ok = log_limit_pass(&lim, (mono_t){ 5 }, &suppressed) && suppressed == 0;
	tap_ok(ok, "H24 the first line of a reason passes");
	ok = true;
	for (int64_t ms = 5; ms < 1005; ms++)
		ok = ok && !log_limit_pass(&lim, (mono_t){ ms }, &suppressed);
	tap_ok(ok && suppressed == 0, "H24 then none for a second");
	tap_ok(log_limit_pass(&lim, (mono_t){ 1005 }, &suppressed) && suppressed == 1000,
	       "H24 the next says how many");
	tap_ok(log_limit_pass(&lim, (mono_t){ 9999 }, &suppressed) && suppressed == 0,
	       "H24 and the count starts anew");
}

/* Whatever the bytes: one line, one newline, no control, balanced quotes, within bounds. */
static bool line_is_safe(void)
{
	bool quoted = false;

	if (out.n == 0 || out.n > LOG_LINE_BYTES_MAX || out.text[out.n - 1] != '\n')
		return false;
	for (size_t i = 0; i + 1 < out.n; i++) {
		unsigned char c = (unsigned char)out.text[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		if (c == '\\' && !quoted)
			return false;
		if (c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
	}
	return !quoted;
}

static void test_random(struct rng *r)
{
	char in[3][600];
	bool ok = true;

	for (int run = 0; ok && run < 20000; run++) {
		struct log l = fresh(run % 2 ? LOG_JSON : LOG_LOGFMT);
		struct str s[3];

		for (int k = 0; k < 3; k++) {
			size_t n = rng_below(r, rng_below(r, 10) == 0 ? 600 : 30);
			uint32_t span = rng_below(r, 2) ? 256 : 128;

			for (size_t i = 0; i < n; i++)
				in[k][i] = (char)rng_below(r, span);
			s[k] = str_of(in[k], n);
		}
		LOG(&l, ((wall_t){ (int64_t)rng_next(r) }), LOG_INFO, "m", LOG_STR("a", s[0]),
		    LOG_STR("b", s[1]), LOG_STR("c", s[2]), LOG_I64("i", (int64_t)rng_next(r)),
		    LOG_MS("d", (int64_t)rng_next(r)));
		ok = l.dropped == 0 && out.lines == 1 && line_is_safe();
	}
	tap_ok(ok, "H24 random bytes never break out of a line");
}

int main(int argc, char **argv)
{
	struct rng r = rng_seeded(argc, argv);

	test_samples();
	test_levels();
	test_values();
	test_durations_and_times();
	test_bounds();
	test_sink();
	test_random(&r);
	return tap_done();
}
