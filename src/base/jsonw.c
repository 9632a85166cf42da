/*
 * Contract in jsonw.h. Invariants: begin <= p <= end; `comma` is true exactly after a value or an end; once
 * `failed` is set p == end, so that the fast paths, which look only at the room left, need no look at
 * `failed`.
 */
#include "base/jsonw.h"

#include <assert.h>

#include "base/jsonplain.h"
#include "base/rfc3339.h"

void jsonw_init_chunks(struct jsonw *w, char *mem, size_t bytes, bool (*more)(struct jsonw *w), void *ctx)
{
	assert(mem != NULL || bytes == 0);
	*w = (struct jsonw){ .p = mem, .end = mem, .begin = mem, .more = more, .ctx = ctx };
	if (bytes > 0)
		w->end = mem + bytes;
}

void jsonw_init(struct jsonw *w, char *mem, size_t bytes)
{
	jsonw_init_chunks(w, mem, bytes, NULL, NULL);
}

size_t jsonw_bytes(const struct jsonw *w)
{
	return w->p == NULL ? w->before_bytes : w->before_bytes + (size_t)(w->p - w->begin);
}

struct str jsonw_text(const struct jsonw *w)
{
	assert(w->more == NULL);
	if (w->failed || w->p == NULL)
		return STR_NONE;
	return str_of(w->begin, (size_t)(w->p - w->begin));
}

static size_t room(const struct jsonw *w)
{
	return w->p == NULL ? 0 : (size_t)(w->end - w->p);
}

/* Asks for the next chunk, the present one being full. */
static bool next_chunk(struct jsonw *w)
{
	size_t before = jsonw_bytes(w);

	assert(w->p == w->end);
	if (w->failed || w->more == NULL || !w->more(w)) {
		w->end = w->p;
		w->failed = true;
		return false;
	}
	assert(w->p < w->end);
	w->begin = w->p;
	w->before_bytes = before;
	return true;
}

/* The way of a run that may not fit the chunk. */
static void put_slow(struct jsonw *w, const char *p, size_t n)
{
	while (n > 0) {
		size_t k = room(w) < n ? room(w) : n;

		if (k == 0 && !next_chunk(w))
			return;
		if (k > 0)
			memcpy(w->p, p, k);
		w->p += k;
		p += k;
		n -= k;
	}
}

static inline void put(struct jsonw *w, const char *p, size_t n)
{
	if (room(w) < n) {
		put_slow(w, p, n);
	} else if (n > 0) {
		memcpy(w->p, p, n);
		w->p += n;
	}
}

static inline void put_char(struct jsonw *w, char c)
{
	if (w->p == w->end && !next_chunk(w))
		return;
	*w->p++ = c;
}

/* Before a key or value. */
static inline void separate(struct jsonw *w)
{
	if (w->comma)
		put_char(w, ',');
	w->comma = true;
}

static void put_escape(struct jsonw *w, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char u[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	assert(!jsonplain_is(c));
	switch (c) {
	case '"':  u[1] = '"'; break;
	case '\\': u[1] = '\\'; break;
	case '\b': u[1] = 'b'; break;
	case '\t': u[1] = 't'; break;
	case '\n': u[1] = 'n'; break;
	case '\f': u[1] = 'f'; break;
	case '\r': u[1] = 'r'; break;
	default: break;
	}
	put(w, u, u[1] == 'u' ? 6 : 2);
}

static void put_string(struct jsonw *w, struct str s)
{
	size_t plain = jsonplain_run(s.p, s.n);

	if (plain == s.n && room(w) >= s.n + 2) {
		*w->p = '"';
		if (s.n > 0)
			memcpy(w->p + 1, s.p, s.n);
		w->p[1 + s.n] = '"';
		w->p += s.n + 2;
		return;
	}
	put_char(w, '"');
	while (s.n > 0) {
		size_t k = jsonplain_run(s.p, s.n);

		put(w, s.p, k);
		if (k < s.n)
			put_escape(w, (unsigned char)s.p[k++]);
		s = str_of(s.p + k, s.n - k);
	}
	put_char(w, '"');
}

static void begin(struct jsonw *w, char c)
{
	separate(w);
	put_char(w, c);
	w->comma = false;
	w->depth++;
}

static void end(struct jsonw *w, char c)
{
	assert(w->depth > 0);
	put_char(w, c);
	w->comma = true;
	w->depth--;
}

void jsonw_obj(struct jsonw *w)
{
	begin(w, '{');
}

void jsonw_end_obj(struct jsonw *w)
{
	end(w, '}');
}

void jsonw_arr(struct jsonw *w)
{
	begin(w, '[');
}

void jsonw_end_arr(struct jsonw *w)
{
	end(w, ']');
}

void jsonw_key(struct jsonw *w, struct str key)
{
	assert(jsonplain_run(key.p, key.n) == key.n);
	separate(w);
	if (room(w) >= key.n + 3) {
		*w->p = '"';
		memcpy(w->p + 1, key.p, key.n);
		memcpy(w->p + 1 + key.n, "\":", 2);
		w->p += key.n + 3;
	} else {
		put_slow(w, "\"", 1);
		put_slow(w, key.p, key.n);
		put_slow(w, "\":", 2);
	}
	w->comma = false;
}

void jsonw_key_str(struct jsonw *w, struct str key)
{
	separate(w);
	put_string(w, key);
	put_char(w, ':');
	w->comma = false;
}

void jsonw_str(struct jsonw *w, struct str s)
{
	assert(!str_absent(s));
	separate(w);
	put_string(w, s);
}

void jsonw_str_or_null(struct jsonw *w, struct str s)
{
	if (str_absent(s))
		jsonw_null(w);
	else
		jsonw_str(w, s);
}

void jsonw_raw(struct jsonw *w, struct str value)
{
	if (str_absent(value)) {
		jsonw_null(w);
		return;
	}
	assert(value.n > 0);
	separate(w);
	put(w, value.p, value.n);
}

void jsonw_splice(struct jsonw *w, struct str bytes)
{
	if (bytes.n > 0)
		put(w, bytes.p, bytes.n);
	w->comma = false;
}

/* Digits of v, after `sign` when that is not 0. */
static void put_number(struct jsonw *w, char sign, uint64_t v)
{
	char buf[21];
	size_t at = sizeof(buf);

	do {
		assert(at > 1);
		buf[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	if (sign != 0)
		buf[--at] = sign;
	separate(w);
	put(w, buf + at, sizeof(buf) - at);
}

void jsonw_i64(struct jsonw *w, int64_t v)
{
	if (v < 0)
		put_number(w, '-', 0 - (uint64_t)v);
	else
		put_number(w, 0, (uint64_t)v);
}

void jsonw_u64(struct jsonw *w, uint64_t v)
{
	put_number(w, 0, v);
}

void jsonw_bool(struct jsonw *w, bool v)
{
	jsonw_raw(w, v ? STR("true") : STR("false"));
}

void jsonw_null(struct jsonw *w)
{
	jsonw_raw(w, STR("null"));
}

void jsonw_wall(struct jsonw *w, wall_t t)
{
	char text[RFC3339_BYTES + 2];

	if (wall_absent(t)) {
		jsonw_null(w);
		return;
	}
	text[0] = '"';
	rfc3339_format(t, text + 1);
	text[RFC3339_BYTES + 1] = '"';
	separate(w);
	put(w, text, sizeof(text));
}
