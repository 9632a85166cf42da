/*
 * base/log.c: see log.h.
 *
 * Invariants of a line being built:
 * - n <= room <= LOG_LINE_BYTES_MAX; until the tail is written, room leaves LOG_TAIL_BYTES for it, so that
 *   the tail always fits.
 * - A field is written whole or not at all: when it does not fit, n goes back to where it began.
 * - Both formats share one set of escapes, JSON's, which readers of logfmt know as well.
 */
#include "base/log.h"

#include <assert.h>

enum {
	LOG_TAIL_BYTES = 64, /* ,"truncated":true,"time":"2026-01-02T03:04:05.678Z"} and a newline */
	ESCAPE_BYTES = 6,    /* \u001b */
	TIME_BYTES = 24,
};

/* U+2026 */
#define MARK "\xe2\x80\xa6"
#define MS_PER_DAY INT64_C(86400000)
#define WALL_LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

struct line {
	enum log_format format;
	size_t n;
	size_t room;
	bool full; /* something since full was cleared did not fit */
	char buf[LOG_LINE_BYTES_MAX];
};

static void put(struct line *o, const char *p, size_t n)
{
	assert(o->n <= o->room && o->room <= sizeof(o->buf));
	if (n > o->room - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->buf + o->n, p, n);
	o->n += n;
}

static void put_text(struct line *o, const char *text)
{
	put(o, text, strlen(text));
}

/* v in decimal, with zeros in front up to `width`. */
static void put_u64(struct line *o, uint64_t v, unsigned width)
{
	char digits[20];
	size_t i = sizeof(digits);

	assert(width <= sizeof(digits));
	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0 || sizeof(digits) - i < width);
	put(o, digits + i, sizeof(digits) - i);
}

/* The absolute value, right for INT64_MIN too; writes the sign. */
static uint64_t put_sign(struct line *o, int64_t v)
{
	if (v >= 0)
		return (uint64_t)v;
	put_text(o, "-");
	return 0 - (uint64_t)v;
}

/* As Go prints durations: 500ms, 1.5s, 5s, 1m30s, 2h0m5s. */
static void put_duration(struct line *o, int64_t signed_ms)
{
	uint64_t ms = put_sign(o, signed_ms);
	uint64_t s = ms / 1000, frac = ms % 1000;
	unsigned width = 3;

	if (s == 0 && frac != 0) {
		put_u64(o, frac, 1);
		put_text(o, "ms");
		return;
	}
	if (s >= 3600) {
		put_u64(o, s / 3600, 1);
		put_text(o, "h");
	}
	if (s >= 60) {
		put_u64(o, s / 60 % 60, 1);
		put_text(o, "m");
	}
	put_u64(o, s % 60, 1);
	if (frac != 0) {
		for (; frac % 10 == 0; frac /= 10)
			width--;
		put_text(o, ".");
		put_u64(o, frac, width);
	}
	put_text(o, "s");
}

/*
 * RFC 3339 in UTC with milliseconds; years outside 1970 to 9999 are cut to these. Days to date: Hinnant,
 * civil_from_days.
 */
static void put_time(struct line *o, wall_t now)
{
	uint64_t ms = now.ms < 0 ? 0 : (uint64_t)(now.ms < WALL_LAST_MS ? now.ms : WALL_LAST_MS);
	uint64_t day = ms / MS_PER_DAY + 719468; /* since 0000-03-01 */
	uint64_t era = day / 146097, in_era = day % 146097;
	uint64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	uint64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	uint64_t march = (5 * in_year + 2) / 153; /* months since March */
	uint64_t month = march < 10 ? march + 3 : march - 9;
	size_t start = o->n;

	put_u64(o, year + era * 400 + (month <= 2), 4);
	put_text(o, "-");
	put_u64(o, month, 2);
	put_text(o, "-");
	put_u64(o, in_year - (153 * march + 2) / 5 + 1, 2);
	put_text(o, "T");
	put_u64(o, ms / 3600000 % 24, 2);
	put_text(o, ":");
	put_u64(o, ms / 60000 % 60, 2);
	put_text(o, ":");
	put_u64(o, ms / 1000 % 60, 2);
	put_text(o, ".");
	put_u64(o, ms % 1000, 3);
	put_text(o, "Z");
	assert(o->full || o->n - start == TIME_BYTES);
}

/*
 * Bytes of the UTF-8 character at the start of s (RFC 3629 4), its number in *cp; 0 when there is none. s
 * is not empty.
 */
static size_t character(struct str s, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s.p;
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n;

	assert(s.n > 0);
	n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
	if (n == 0 || n > s.n)
		return 0;
	*cp = n == 1 ? p[0] : p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	return *cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000) ? 0 : n;
}

/*
 * What ends a value or a line, or tells a terminal to do something: controls, quotes, line, direction and
 * byte order marks.
 */
static bool unsafe(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0, 0x1f }, { '"', '"' }, { '\\', '\\' }, { 0x7f, 0x9f }, { 0x61c, 0x61c },
		{ 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff },
	};

	assert(cp <= 0x10ffff);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return true;
	return false;
}

static void put_escape(struct line *o, uint32_t cp)
{
	static const char named[][3] = { "\"\"", "\\\\", "\nn", "\rr", "\tt" };
	char u[ESCAPE_BYTES] = { '\\', 'u' };

	assert(cp <= 0xffff);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (cp == (unsigned char)named[i][0]) {
			put_text(o, "\\");
			put(o, &named[i][1], 1);
			return;
		}
	}
	for (size_t i = ESCAPE_BYTES; i-- > 2; cp >>= 4)
		u[i] = "0123456789abcdef"[cp & 0xf];
	put(o, u, sizeof(u));
}

static bool needs_quotes(const struct line *o, struct str s)
{
	if (o->format == LOG_JSON || s.n == 0)
		return true;
	while (s.n > 0) {
		uint32_t cp = 0;
		size_t n = character(s, &cp);

		if (n == 0 || unsafe(cp) || cp == ' ' || cp == '=')
			return true;
		assert(n <= s.n);
		s = str_of(s.p + n, s.n - n);
	}
	return false;
}

static void put_value(struct line *o, struct str s)
{
	bool quotes = needs_quotes(o, s);
	size_t start, cut;

	if (quotes)
		put_text(o, "\"");
	start = o->n;
	cut = start;
	while (s.n > 0 && !o->full) {
		uint32_t cp = 0;
		size_t n = character(s, &cp);

		if (n == 0)
			put_escape(o, 0xfffd);
		else if (unsafe(cp))
			put_escape(o, cp);
		else
			put(o, s.p, n);
		n = n == 0 ? 1 : n;
		s = str_of(s.p + n, s.n - n);
		if (o->n - start > LOG_VALUE_BYTES_MAX) {
			o->n = cut;
			put_text(o, MARK);
			break;
		}
		if (o->n - start <= LOG_VALUE_BYTES_MAX - (sizeof(MARK) - 1))
			cut = o->n;
	}
	assert(o->n - start <= LOG_VALUE_BYTES_MAX);
	if (quotes)
		put_text(o, "\"");
}

static void put_name(struct line *o, const char *name)
{
	bool json = o->format == LOG_JSON;

	assert(name != NULL);
	if (o->n > 0)
		put_text(o, json ? "," : " ");
	else if (json)
		put_text(o, "{");
	put_text(o, json ? "\"" : "");
	put_text(o, name);
	put_text(o, json ? "\":" : "=");
}

static void put_field(struct line *o, const struct log_field *f)
{
	const char *quote = o->format == LOG_JSON && f->kind == LOG_KIND_MS ? "\"" : "";

	put_name(o, f->name);
	switch (f->kind) {
	case LOG_KIND_STR:
		put_value(o, f->v.str);
		break;
	case LOG_KIND_U64:
		put_u64(o, f->v.u64, 1);
		break;
	case LOG_KIND_I64:
		put_u64(o, put_sign(o, f->v.i64), 1);
		break;
	case LOG_KIND_BOOL:
		put_text(o, f->v.u64 != 0 ? "true" : "false");
		break;
	case LOG_KIND_MS:
		put_text(o, quote);
		put_duration(o, f->v.i64);
		put_text(o, quote);
		break;
	}
}

/* What every line ends with; there is always room for it. */
static void put_tail(struct line *o, wall_t now, bool truncated)
{
	o->room = sizeof(o->buf);
	if (truncated)
		put_field(o, &LOG_BOOL("truncated", true));
	if (!wall_absent(now)) {
		put_name(o, "time");
		put_text(o, o->format == LOG_JSON ? "\"" : "");
		put_time(o, now);
		put_text(o, o->format == LOG_JSON ? "\"" : "");
	}
	put_text(o, o->format == LOG_JSON ? "}\n" : "\n");
	assert(!o->full);
}

static const char level_names[LOG_ERROR + 1][6] = { "DEBUG", "INFO", "WARN", "ERROR" };

static struct str text_of(const char *text)
{
	return str_of(text, strlen(text));
}

void log_line(struct log *l, wall_t now, enum log_level level, const char *msg,
              const struct log_field *fields, size_t fields_n)
{
	const struct log_field head[] = {
		LOG_STR("level", text_of(level_names[level])),
		LOG_STR("msg", text_of(msg)),
		LOG_STR("service", l->service),
	};
	struct line o;
	bool truncated = false;

	assert(level <= LOG_ERROR && l->sink != NULL);
	if (level < l->level)
		return;
	o.format = l->format;
	o.n = 0;
	o.room = sizeof(o.buf) - LOG_TAIL_BYTES;
	o.full = false;
	for (size_t i = 0; i < 3; i++)
		put_field(&o, &head[i]);
	assert(!o.full);
	for (size_t i = 0; i < fields_n; i++) {
		size_t start = o.n;

		put_field(&o, &fields[i]);
		if (o.full) {
			o.n = start;
			o.full = false;
			truncated = true;
		}
	}
	put_tail(&o, now, truncated);
	if (!l->sink(l->sink_ctx, o.buf, o.n))
		l->dropped++;
}

bool log_level_parse(struct str s, enum log_level *level)
{
	static const struct {
		struct str name;
		enum log_level level;
	} levels[] = {
		{ { "debug", 5 }, LOG_DEBUG },  { { "info", 4 }, LOG_INFO },   { { "warn", 4 }, LOG_WARN },
		{ { "warning", 7 }, LOG_WARN }, { { "error", 5 }, LOG_ERROR },
	};

	assert(level != NULL);
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (str_eq_nocase(s, levels[i].name)) {
			*level = levels[i].level;
			return true;
		}
	}
	return false;
}

bool log_format_parse(struct str s, enum log_format *format)
{
	assert(format != NULL);
	if (str_eq_nocase(s, STR("logfmt")))
		*format = LOG_LOGFMT;
	else if (str_eq_nocase(s, STR("json")))
		*format = LOG_JSON;
	else
		return false;
	return true;
}

bool log_limit_pass(struct log_limit *lim, mono_t now, uint64_t *suppressed)
{
	assert(suppressed != NULL);
	if (now.ms < lim->next_ms) {
		lim->suppressed++;
		return false;
	}
	*suppressed = lim->suppressed;
	lim->suppressed = 0;
	lim->next_ms = mono_add_ms(now, LOG_LIMIT_MS).ms;
	return true;
}
