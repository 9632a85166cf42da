/*
 * fuzz/fuzz_words.c: small words from outside, the input as each of them: numbers, durations, times, base64, URLs, addresses, origins,
 * escapes, what a proxy adds. What is taken and written anew is taken again as the same; and where a second reader is short, or
 * libc has one, both say the same.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/rfc3339.h"
#include "base/units.h"
#include "base/utf8.h"
#include "net/resolver.h"
#include "server/address.h"
#include "server/credential.h"
#include "server/forwarded.h"
#include "wire/origin.h"
#include "wire/redis_url.h"
#include "wire/uri.h"
#include "wire/url.h"

#define CHECK(what) ((what) ? (void)0 : abort())

enum { IN_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_inside(struct str s, struct str of)
{
	return str_absent(s) || (s.p >= of.p && s.p + s.n <= of.p + of.n);
}

/* --- numbers --- */

static void check_hex(struct str s)
{
	uint64_t v = 0, naive = 0;
	bool taken = hex_get_u64(s, &v), good = s.n == HEX_U64_BYTES;
	char out[HEX_U64_BYTES];

	for (size_t i = 0; i < s.n && good; i++) {
		const char *at = s.p[i] == '\0' ? NULL : strchr("0123456789abcdef", s.p[i]);

		good = at != NULL;
		naive = naive << 4 | (good ? (uint64_t)(at - "0123456789abcdef") : 0);
	}
	CHECK(taken == good);
	if (!taken)
		return;
	hex_put_u64(out, v);
	CHECK(memcmp(out, s.p, sizeof(out)) == 0);
}

static void check_units(struct str s)
{
	char out[UNITS_BYTES_MAX], text[32];
	uint64_t size, same_size, count;
	int64_t ms, same_ms;

	if (units_duration(s, &ms)) {
		CHECK(ms >= 0 && units_duration(str_of(out, units_put_duration(out, ms)), &same_ms) && same_ms == ms);
	}
	if (units_size(s, &size))
		CHECK(units_size(str_of(out, units_put_size(out, size)), &same_size) && same_size == size);
	if (units_count(s, &count)) {
		size_t zeros = 0, bytes = units_put_count(out, count);

		while (zeros + 1 < s.n && s.p[zeros] == '0')
			zeros++;
		CHECK(str_eq(str_of(out, bytes), str_of(s.p + zeros, s.n - zeros)));
		CHECK(snprintf(text, sizeof(text), "%llu", (unsigned long long)count) == (int)bytes && memcmp(text, out, bytes) == 0);
	}
}

/* --- base64 --- */

static void check_base64(struct str s, enum base64_form form)
{
	uint8_t *out = malloc(BASE64_DECODED_BYTES_MAX(s.n));
	char *again;
	size_t n, none;

	CHECK(out != NULL);
	if (base64_decode(form, s, out, BASE64_DECODED_BYTES_MAX(s.n), &n)) {
		again = malloc(BASE64_ENCODED_BYTES(n) + 1);
		CHECK(again != NULL);
		if (form == BASE64_STD)
			CHECK(base64_encode(again, BASE64_ENCODED_BYTES(n), out, n) == s.n);
		else
			CHECK(base64_encode_url(again, BASE64_ENCODED_BYTES(n), out, n) == s.n);
		CHECK(s.n == 0 || memcmp(again, s.p, s.n) == 0);
		CHECK(n == 0 || !base64_decode(form, s, out, n - 1, &none));
		free(again);
	} else {
		CHECK(n == 0);
	}
	free(out);
}

/* --- times --- */

static bool digits(const char *p, int n, int *v)
{
	*v = 0;
	for (int i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*v = *v * 10 + (p[i] - '0');
	}
	return true;
}

/* The seconds of what rfc3339_parse() takes, by libc's calendar. */
static int64_t seconds_of(struct str s)
{
	struct tm tm = { 0 };
	int hours = 0, minutes = 0;
	char sign = s.p[s.n - 6];

	CHECK(s.n >= 20 && digits(s.p, 4, &tm.tm_year) && digits(s.p + 5, 2, &tm.tm_mon) && digits(s.p + 8, 2, &tm.tm_mday));
	CHECK(digits(s.p + 11, 2, &tm.tm_hour) && digits(s.p + 14, 2, &tm.tm_min) && digits(s.p + 17, 2, &tm.tm_sec));
	CHECK(tm.tm_mon >= 1 && tm.tm_mon <= 12 && tm.tm_mday >= 1 && tm.tm_mday <= 31 && tm.tm_hour < 24 && tm.tm_min < 60 && tm.tm_sec <= 60);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	if (s.p[s.n - 1] != 'Z' && s.p[s.n - 1] != 'z')
		CHECK((sign == '+' || sign == '-') && digits(s.p + s.n - 5, 2, &hours) && digits(s.p + s.n - 2, 2, &minutes));
	return (int64_t)timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static void check_time(struct str s)
{
	wall_t at = { 42 }, again;
	char out[RFC3339_BYTES];
	int64_t seconds;

	if (!rfc3339_parse(s, &at)) {
		CHECK(at.ms == 42);
		return;
	}
	seconds = at.ms / 1000 - (at.ms % 1000 < 0);
	CHECK(seconds == seconds_of(s));
	rfc3339_format(at, out);
	CHECK(rfc3339_parse(str_of(out, sizeof(out)), &again));
	if (memcmp(out, "0001-01-01T00:00:00.000Z", 24) != 0 && memcmp(out, "9999-12-31T23:59:59.999Z", 24) != 0)
		CHECK(again.ms == at.ms);
}

/* --- addresses --- */

static void check_address(struct str s)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t a[16] = { 0 }, v6[16], key[ADDRESS_KEY_BYTES];
	char text[64] = "";
	struct resolver_address r;
	bool taken = address_parse(s, a), ipv4, ipv6;
	struct peer peer = { .port = 0 }, again;
	struct address_text out;

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL) {
		CHECK(!taken || s.n >= sizeof(text));
		return;
	}
	memcpy(text, s.p, s.n);
	ipv4 = inet_pton(AF_INET, text, v6 + 12) == 1;
	ipv6 = !ipv4 && inet_pton(AF_INET6, text, v6) == 1;
	if (ipv4)
		memcpy(v6, mapped, sizeof(mapped));
	CHECK(taken == (ipv4 || ipv6) && taken == resolver_is_literal(s, &r));
	if (!taken)
		return;
	CHECK(memcmp(a, v6, sizeof(a)) == 0);
	memcpy(peer.address, a, sizeof(a));
	address_key(&peer, key);
	out = address_text(&peer);
	CHECK(out.n <= sizeof(out.text));
	if (address_is_none(a))
		return;
	/* As a proxy would write it. */
	struct server_config cfg = { .proxy_count = 1 };
	struct http_header header = { STR("X-Forwarded-For"), address_str(&out) };
	struct http_request req = { .header_count = 1 };

	req.headers[0] = header;
	again = (struct peer){ .port = 99 };
	forwarded_apply(&cfg, &req, &again);
	CHECK(memcmp(again.address, a, sizeof(a)) == 0 && again.port == 0);
}

/* Whatever stands in front of an address that is no proxy's was the client's to invent. */
static void check_forwarded(struct str s)
{
	static char more[IN_MAX + 16];
	struct server_config cfg = { .proxy_count = 3 };
	struct http_request req = { .header_count = 3 };
	struct peer unix_peer = { .port = 0 }, first, second;
	const char *proxies[] = { "10.0.0.0", "fd00::", "::1" };

	for (int i = 0; i < 3; i++)
		CHECK(address_parse(str_of(proxies[i], strlen(proxies[i])), cfg.proxies[i].address));
	cfg.proxies[0].prefix_bits = 104;
	cfg.proxies[1].prefix_bits = 9;
	cfg.proxies[2].prefix_bits = 128;
	req.headers[0] = (struct http_header){ STR("x-forwarded-for"), STR("10.1.1.1") };
	req.headers[1] = (struct http_header){ STR("host"), s };
	req.headers[2] = (struct http_header){ STR("X-FORWARDED-FOR"), s };
	forwarded_apply(&cfg, &req, &unix_peer);
	CHECK(address_is_none(unix_peer.address));
	memcpy(unix_peer.address, cfg.proxies[2].address, 16);
	first = second = unix_peer;
	forwarded_apply(&cfg, &req, &first);
	CHECK(!address_is_none(first.address));
	if (first.address[0] == 0xfd || memcmp(first.address, cfg.proxies[0].address, 13) == 0 ||
	    memcmp(first.address, unix_peer.address, 16) == 0)
		return;
	memcpy(more, "6.6.6.6:1,", 10);
	memcpy(more + 10, s.p, s.n);
	req.headers[0].value = STR("7.7.7.7");
	req.headers[2].value = str_of(more, s.n + 10);
	forwarded_apply(&cfg, &req, &second);
	CHECK(memcmp(first.address, second.address, 16) == 0 && first.port == second.port);
}

/* --- escapes --- */

static int nibble(char c)
{
	const char *all = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(all, str_ascii_lower(c));

	return at == NULL ? -1 : (int)(at - all);
}

static void check_decode(struct str s, enum uri_form form)
{
	static char buf[IN_MAX], naive[IN_MAX];
	struct str out;
	size_t n = 0;

	if (uri_decode(s, form, buf, sizeof(buf), &out) != URI_OK) {
		CHECK(str_absent(out));
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%') {
			naive[n++] = (char)(nibble(s.p[i + 1]) * 16 + nibble(s.p[i + 2]));
			i += 2;
		} else {
			naive[n++] = s.p[i] == '+' && form == URI_QUERY ? ' ' : s.p[i];
		}
	}
	CHECK(str_eq(out, str_of(naive, n)) && utf8_valid(out));
	for (size_t i = 0; i < out.n; i++)
		CHECK((unsigned char)out.p[i] >= 0x20 && out.p[i] != 0x7f);
	CHECK(n == 0 || uri_decode(s, form, buf, n - 1, &out) != URI_OK);
}

static void check_uri(struct str s)
{
	static char buf[IN_MAX];
	struct str rest = s, name, value, out;
	struct uri_authority a;
	struct uri_path path;
	uint32_t pieces = 0;

	check_decode(s, URI_PATH);
	check_decode(s, URI_QUERY);
	while (uri_query_next(&rest, &name, &value)) {
		CHECK(is_inside(name, s) && is_inside(value, s) && ++pieces <= IN_MAX);
		CHECK(memchr(name.n > 0 ? name.p : "", '&', name.n) == NULL);
	}
	(void)uri_query_get(s, STR("user_id"), buf, sizeof(buf), &out);
	if (s.n > 0 && s.p[0] == '/')
		(void)uri_path_split(s, buf, s.n, &path);
	if (uri_authority(s, &a)) {
		CHECK(a.host.n > 0 && is_inside(a.host, s) && uri_authority_eq(&a, &a, 80) && (a.has_port || a.port == 0));
	}
	if (!str_absent(out = credential_bearer(s)))
		CHECK(is_inside(out, s) && out.p[0] != ' ' && out.p + out.n == s.p + s.n);
}

static void check_origin(struct str s)
{
	static char text[IN_MAX + 16];
	struct http_request req = { .header_count = 1 };
	struct origin o, again;
	int n;

	req.headers[0] = (struct http_header){ STR("Origin"), s };
	CHECK((origin_of(&req, &o) == ORIGIN_OK) == origin_parse(s, &o));
	req.headers[0].name = STR("x");
	CHECK(origin_of(&req, &o) == ORIGIN_ABSENT);
	if (!origin_parse(s, &o))
		return;
	CHECK(is_inside(o.scheme, s) && is_inside(o.where.host, s) && origin_eq(&o, &o));
	n = snprintf(text, sizeof(text), "%.*s://%.*s:%u", (int)o.scheme.n, o.scheme.p, (int)o.where.host.n, o.where.host.p,
	             (unsigned)(o.where.has_port ? o.where.port : o.default_port));
	CHECK(origin_parse(str_of(text, (size_t)n), &again) && origin_eq(&o, &again));
	CHECK(origin_is_loopback(&o) == origin_is_loopback(&again));
	CHECK(origin_is_host(&o, str_of(text + o.scheme.n + 3, (size_t)n - o.scheme.n - 3)));
}

/* --- URLs --- */

static void check_url(struct str s)
{
	static char text[2 * URL_BYTES_MAX];
	struct url u, again;
	int n;

	if (!url_parse(s, &u))
		return;
	n = snprintf(text, sizeof(text), "%s://%s%.*s%s:%u%.*s", u.websocket ? (u.tls ? "wss" : "ws") : u.tls ? "https" : "http",
	             u.host_is_ipv6 ? "[" : "", (int)u.host.n, u.host.p, u.host_is_ipv6 ? "]" : "", (unsigned)u.port, (int)u.path.n,
	             u.path.p);
	if (n > URL_BYTES_MAX)
		return;
	CHECK(url_parse(str_of(text, (size_t)n), &again) && again.tls == u.tls && again.websocket == u.websocket);
	CHECK(again.port == u.port && again.host_is_ipv6 == u.host_is_ipv6 && str_eq(again.host, u.host) && str_eq(again.path, u.path));
}

static size_t put(char *out, size_t at, const char *text, size_t n)
{
	memcpy(out + at, text, n);
	return at + n;
}

/* The URL that says what *u says, longest form. */
static size_t write_redis(const struct redis_url *u, char *out)
{
	static const char *const schemes[][2] = { { "redis://", "rediss://" }, { "redis+unix://", "" },
		                                  { "redis+sentinel://", "rediss+sentinel://" } };
	const char *scheme = schemes[u->kind][u->tls];
	size_t n = put(out, 0, scheme, strlen(scheme));

	if (u->has_password) {
		n += url_escape(str_of(u->user, u->user_bytes), out + n);
		out[n++] = ':';
		n += url_escape(str_of(u->password, u->password_bytes), out + n);
		out[n++] = '@';
	}
	for (uint32_t i = 0; i < u->host_count; i++) {
		bool ipv6 = memchr(u->hosts[i].name.p, ':', u->hosts[i].name.n) != NULL;

		n += (size_t)sprintf(out + n, "%s%s%.*s%s:%u", i > 0 ? "," : "", ipv6 ? "[" : "", (int)u->hosts[i].name.n, u->hosts[i].name.p,
		                     ipv6 ? "]" : "", (unsigned)u->hosts[i].port);
	}
	if (u->kind != REDIS_URL_UNIX)
		out[n++] = '/';
	for (uint32_t i = 0; i < u->name_bytes; i++)
		n += u->name[i] == '/' && u->kind == REDIS_URL_UNIX ? put(out, n, "/", 1) - n : url_escape(str_of(u->name + i, 1), out + n);
	n += (size_t)sprintf(out + n, "%s%u", u->kind == REDIS_URL_UNIX ? "?db=" : u->kind == REDIS_URL_SENTINEL ? "/" : "", (unsigned)u->db);
	return n;
}

static void check_redis_url(struct str s)
{
	static char text[16384];
	static struct redis_url u, v;
	const char *why = redis_url_parse(s, &u);
	size_t n;

	CHECK(is_inside(redis_url_password(s), s));
	if (why != NULL) {
		CHECK(why[0] != '\0');
		return;
	}
	n = write_redis(&u, text);
	if (n > REDIS_URL_BYTES_MAX)
		return;
	CHECK(redis_url_parse(str_of(text, n), &v) == NULL && v.kind == u.kind && v.tls == u.tls && v.db == u.db);
	CHECK(v.has_password == u.has_password && v.host_count == u.host_count && v.name_bytes == u.name_bytes);
	CHECK(str_eq(str_of(u.name, u.name_bytes), str_of(v.name, v.name_bytes)));
	CHECK(str_eq(str_of(u.password, u.password_bytes), str_of(v.password, v.password_bytes)));
	CHECK(!u.has_password || str_eq(str_of(u.user, u.user_bytes), str_of(v.user, v.user_bytes)));
	for (uint32_t i = 0; i < u.host_count; i++)
		CHECK(str_eq(u.hosts[i].name, v.hosts[i].name) && u.hosts[i].port == v.hosts[i].port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + !n); /* of its own size: the sanitizer sees one byte too many */
	struct str s = str_of(text, n);

	CHECK(text != NULL);
	if (n > 0)
		memcpy(text, data, n);
	if (n <= IN_MAX - 16) {
		check_hex(s);
		check_units(s);
		check_base64(s, BASE64_STD);
		check_base64(s, BASE64_URL);
		check_time(s);
		check_address(s);
		check_forwarded(s);
		check_uri(s);
		check_origin(s);
		check_url(s);
		check_redis_url(s);
	}
	free(text);
	return 0;
}
