/*
 * See wire/uri.h. Decoding is one pass that writes at most as many bytes as it reads; the checks run on the
 * result, so that what is accepted does not depend on how it was spelt.
 */
#include "wire/uri.h"

#include <assert.h>

#include "base/utf8.h"

enum { PORT_DIGITS_MAX = 5, IPV6_BYTES_MAX = 45 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 0 to 15, or 16 for what is no hex digit. */
static unsigned hex_value(char c)
{
	char l = str_ascii_lower(c);

	if (is_digit(c))
		return (unsigned)(c - '0');
	return l >= 'a' && l <= 'f' ? (unsigned)(l - 'a') + 10 : 16;
}

static bool escape_at(struct str s, size_t i)
{
	return s.p[i] == '%' && s.n - i > 2 && hex_value(s.p[i + 1]) < 16 && hex_value(s.p[i + 2]) < 16;
}

/* Takes one decoded byte off the front of `s`; false for a broken escape. */
static bool take(struct str *s, enum uri_form form, char *c)
{
	size_t used = 1;

	assert(s->n > 0);
	*c = s->p[0];
	if (*c == '%') {
		if (!escape_at(*s, 0))
			return false;
		*c = (char)(hex_value(s->p[1]) << 4 | hex_value(s->p[2]));
		used = 3;
	} else if (*c == '+' && form == URI_QUERY) {
		*c = ' ';
	}
	*s = str_of(s->p + used, s->n - used);
	return true;
}

/* Text without control characters in which nothing is left to decode. */
static bool is_clean(struct str s)
{
	if (!utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f || escape_at(s, i))
			return false;
		if (c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0) /* U+0080-009F; valid, so a byte follows */
			return false;
	}
	return true;
}

static bool needs_decoding(struct str in, enum uri_form form)
{
	if (in.n == 0)
		return false;
	return memchr(in.p, '%', in.n) != NULL || (form == URI_QUERY && memchr(in.p, '+', in.n) != NULL);
}

enum uri_result uri_decode(struct str in, enum uri_form form, char *buf, size_t cap, struct str *out)
{
	struct str rest = in, text = in;
	size_t n = 0;

	assert(buf != NULL || cap == 0);
	*out = STR_NONE;
	if (needs_decoding(in, form)) {
		while (rest.n > 0) {
			char c;

			if (n == cap || !take(&rest, form, &c))
				return URI_BAD;
			buf[n++] = c;
		}
		text = str_of(buf, n);
	}
	if (text.n > cap || !is_clean(text))
		return URI_BAD;
	*out = str_absent(text) ? STR("") : text;
	return URI_OK;
}

bool uri_query_next(struct str *rest, struct str *name, struct str *value)
{
	while (rest->n > 0) {
		const char *end = memchr(rest->p, '&', rest->n);
		size_t n = end == NULL ? rest->n : (size_t)(end - rest->p);
		size_t step = end == NULL ? n : n + 1;
		struct str piece = str_of(rest->p, n);
		const char *eq = n == 0 ? NULL : memchr(piece.p, '=', n);

		*rest = str_of(rest->p + step, rest->n - step);
		if (n == 0)
			continue;
		*name = eq == NULL ? piece : str_of(piece.p, (size_t)(eq - piece.p));
		*value = eq == NULL ? STR_NONE : str_of(eq + 1, n - name->n - 1);
		return true;
	}
	return false;
}

/* Does the raw name decode to `name`? */
static bool names(struct str raw, struct str name)
{
	size_t i = 0;

	while (raw.n > 0) {
		char c;

		if (!take(&raw, URI_QUERY, &c) || i == name.n || c != name.p[i])
			return false;
		i++;
	}
	return i == name.n;
}

enum uri_result uri_query_get(struct str query, struct str name, char *buf, size_t cap, struct str *out)
{
	struct str raw_name, raw_value, found = STR_NONE;
	size_t count = 0;

	assert(name.n > 0);
	*out = STR_NONE;
	while (uri_query_next(&query, &raw_name, &raw_value)) {
		if (!names(raw_name, name))
			continue;
		found = raw_value;
		count++;
	}
	if (count == 0)
		return URI_ABSENT;
	return count > 1 ? URI_DUPLICATE : uri_decode(found, URI_QUERY, buf, cap, out);
}

enum uri_result uri_path_split(struct str path, char *buf, size_t cap, struct uri_path *out)
{
	struct str rest;

	out->n = 0;
	if (path.n == 0 || path.p[0] != '/')
		return URI_BAD;
	rest = str_of(path.p + 1, path.n - 1);
	while (rest.n > 0 || out->n > 0) {
		const char *slash = rest.n == 0 ? NULL : memchr(rest.p, '/', rest.n);
		size_t n = slash == NULL ? rest.n : (size_t)(slash - rest.p);
		struct str *segment = &out->segments[out->n];

		if (out->n == URI_SEGMENTS_MAX)
			return URI_TOO_LONG;
		if (uri_decode(str_of(rest.p, n), URI_PATH, buf, cap, segment) != URI_OK)
			return URI_BAD;
		if (str_eq(*segment, STR(".")) || str_eq(*segment, STR("..")))
			return URI_BAD;
		if (segment->p == buf) {
			buf += segment->n;
			cap -= segment->n;
		}
		out->n++;
		if (slash == NULL)
			break;
		rest = str_of(slash + 1, rest.n - n - 1);
	}
	return URI_OK;
}

/* Empty (as RFC 3986 3.2.3 has it), or 0 to 65535. */
static bool parse_port(struct str s, struct uri_authority *out)
{
	uint32_t port = 0;

	if (s.n > PORT_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return false;
		port = port * 10 + (uint32_t)(s.p[i] - '0');
	}
	if (port > UINT16_MAX)
		return false;
	out->has_port = s.n > 0;
	out->port = (uint16_t)port;
	return true;
}

/* Bytes of the host at the start of `s`, 0 if there is none that we take. */
static size_t host_bytes(struct str s)
{
	size_t n = 0, colons = 0;

	if (s.n > 0 && s.p[0] == '[') {
		for (n = 1; n < s.n && (hex_value(s.p[n]) < 16 || s.p[n] == ':' || s.p[n] == '.'); n++)
			colons += s.p[n] == ':';
		return n < s.n && s.p[n] == ']' && colons >= 2 && n <= IPV6_BYTES_MAX + 1 ? n + 1 : 0;
	}
	for (; n < s.n; n++) {
		char c = str_ascii_lower(s.p[n]);

		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '.' && c != '_' && c != '~')
			break;
	}
	return n;
}

bool uri_authority(struct str s, struct uri_authority *out)
{
	struct uri_authority a = { 0 };
	size_t n = host_bytes(s);

	assert(n <= s.n);
	if (n == 0)
		return false;
	a.host = str_of(s.p, n);
	if (n < s.n && (s.p[n] != ':' || !parse_port(str_of(s.p + n + 1, s.n - n - 1), &a)))
		return false;
	*out = a;
	return true;
}

bool uri_authority_eq(const struct uri_authority *a, const struct uri_authority *b, uint16_t default_port)
{
	uint16_t a_port = a->has_port ? a->port : default_port;
	uint16_t b_port = b->has_port ? b->port : default_port;

	assert(a->host.n > 0 && b->host.n > 0);
	return a_port == b_port && str_eq_nocase(a->host, b->host);
}
