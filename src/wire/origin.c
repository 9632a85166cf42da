/* See wire/origin.h. Nothing is normalised in place: comparisons fold case and fill in default ports. */
#include "wire/origin.h"

static uint16_t default_port(struct str scheme)
{
	if (str_eq_nocase(scheme, STR("http")) || str_eq_nocase(scheme, STR("ws")))
		return 80;
	return str_eq_nocase(scheme, STR("https")) || str_eq_nocase(scheme, STR("wss")) ? 443 : 0;
}

/* RFC 3986 3.1: bytes of the scheme in front of `://`, 0 if there is none. */
static size_t scheme_bytes(struct str s)
{
	size_t n = 0;

	for (; n < s.n && s.p[n] != ':'; n++) {
		char c = str_ascii_lower(s.p[n]);
		bool letter = c >= 'a' && c <= 'z';
		bool later = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';

		if (!letter && !(later && n > 0))
			return 0;
	}
	return s.n - n > 3 && memcmp(s.p + n, "://", 3) == 0 ? n : 0;
}

bool origin_parse(struct str s, struct origin *out)
{
	struct origin o = { .scheme = str_of(s.p, scheme_bytes(s)) };
	size_t skip = o.scheme.n + 3;

	if (o.scheme.n == 0 || !uri_authority(str_of(s.p + skip, s.n - skip), &o.where))
		return false;
	o.default_port = default_port(o.scheme);
	*out = o;
	return true;
}

enum origin_result origin_of(const struct http_request *req, struct origin *out)
{
	size_t count = http_header_count(req, STR("origin"));

	if (count == 0)
		return ORIGIN_ABSENT;
	return count == 1 && origin_parse(http_header(req, STR("origin")), out) ? ORIGIN_OK : ORIGIN_BAD;
}

bool origin_eq(const struct origin *a, const struct origin *b)
{
	return str_eq_nocase(a->scheme, b->scheme) && uri_authority_eq(&a->where, &b->where, a->default_port);
}

bool origin_is_host(const struct origin *o, struct str authority)
{
	struct uri_authority host;

	return uri_authority(authority, &host) && uri_authority_eq(&o->where, &host, o->default_port);
}

/* 127.x.y.z, each part 0 to 255 without leading zeros, so that no resolver reads it otherwise. */
static bool is_loopback_v4(struct str host)
{
	size_t i = 0;

	for (int part = 0; part < 4; part++) {
		size_t digits = 0;
		unsigned v = 0;

		if (part > 0 && (i == host.n || host.p[i++] != '.'))
			return false;
		for (; i < host.n && host.p[i] >= '0' && host.p[i] <= '9' && digits < 4; i++, digits++)
			v = v * 10 + (unsigned)(host.p[i] - '0');
		if (digits == 0 || v > 255 || (digits > 1 && host.p[i - digits] == '0') ||
		    (part == 0 && v != 127))
			return false;
	}
	return i == host.n;
}

bool origin_is_loopback(const struct origin *o)
{
	struct str host = o->where.host;

	if (!str_eq_nocase(o->scheme, STR("http")) && !str_eq_nocase(o->scheme, STR("https")))
		return false;
	return str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("[::1]")) || is_loopback_v4(host);
}
