/*
 * See wire/url.h. Invariant: everything is checked before *out is written.
 */
#include "wire/url.h"

#include <assert.h>

#include "wire/uri.h"

enum { LABEL_BYTES_MAX = 63 }; /* RFC 1035 2.3.4 */

static const struct scheme {
	struct str prefix;
	bool tls, websocket;
	uint16_t port;
} schemes[] = {
	{ { "http://", 7 }, false, false, 80 },
	{ { "https://", 8 }, true, false, 443 },
	{ { "ws://", 5 }, false, true, 80 },
	{ { "wss://", 6 }, true, true, 443 },
};

static bool is_letter_or_digit(char c)
{
	char l = str_ascii_lower(c);

	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
	char l = str_ascii_lower(c);

	return (l >= 'a' && l <= 'f') || (c >= '0' && c <= '9');
}

static bool is_one_of(char c, struct str set)
{
	return memchr(set.p, c, set.n) != NULL;
}

/* RFC 3986 2.3 */
static bool is_unreserved(char c)
{
	return is_letter_or_digit(c) || is_one_of(c, STR("-._~"));
}

/* Names of labels that are neither empty nor too long; one dot may end them. */
static bool is_name(struct str host)
{
	size_t label = 0;

	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] == '.' && label == 0)
			return false;
		label = host.p[i] == '.' ? 0 : label + 1;
		if (label > LABEL_BYTES_MAX)
			return false;
	}
	return true;
}

/* RFC 3986 3.3, 3.4: path and query. */
static bool is_path(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%') {
			if (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
				return false;
			i += 2;
		} else if (!is_unreserved(s.p[i]) && !is_one_of(s.p[i], STR("!$&'()*+,;=:@/?"))) {
			return false;
		}
	}
	return true;
}

static bool parse_authority(struct str s, struct url *u)
{
	struct uri_authority a;

	if (!uri_authority(s, &a) || a.host.n > URL_HOST_BYTES_MAX)
		return false;
	if (a.has_port ? a.port == 0 : a.host.n != s.n)
		return false;
	u->authority = s;
	u->port = a.has_port ? a.port : u->port;
	u->host_is_ipv6 = a.host.p[0] == '[';
	u->host = u->host_is_ipv6 ? str_of(a.host.p + 1, a.host.n - 2) : a.host;
	assert(u->host.n > 0);
	return u->host_is_ipv6 || is_name(u->host);
}

static const struct scheme *scheme_of(struct str s)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t n = schemes[i].prefix.n;

		if (s.n > n && str_eq_nocase(str_of(s.p, n), schemes[i].prefix))
			return &schemes[i];
	}
	return NULL;
}

bool url_parse(struct str s, struct url *out)
{
	const struct scheme *scheme = scheme_of(s);
	size_t from, to;
	struct url u;

	if (scheme == NULL || s.n > URL_BYTES_MAX)
		return false;
	from = to = scheme->prefix.n;
	while (to < s.n && s.p[to] != '/' && s.p[to] != '?')
		to++;
	u = (struct url){ .tls = scheme->tls, .websocket = scheme->websocket, .port = scheme->port };
	u.path = str_of(s.p + to, s.n - to);
	if (!parse_authority(str_of(s.p + from, to - from), &u) || !is_path(u.path))
		return false;
	*out = u;
	return true;
}

size_t url_escape(struct str s, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_unreserved(s.p[i])) {
			out[n++] = s.p[i];
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	assert(n <= URL_ESCAPED_BYTES(s.n));
	return n;
}
