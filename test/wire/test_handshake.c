/*
 * wire/handshake and wire/origin: every row of RELIABILITY section B that a handshake decides. A request goes
 * through the real parser in every split; the answer is `none`, `ok PROTOCOLS...`, `STATUS reason`, or the
 * parser's `http STATUS label`.
 */
#include "feed.h"
#include "wire/handshake.h"
#include "wire/http_write.h"
#include "wire/origin.h"

#define S(literal) literal, sizeof(literal) - 1
#define GET "GET /ws HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define UP "Upgrade: websocket\r\n"
#define CO "Connection: Upgrade\r\n"
#define VE "Sec-WebSocket-Version: 13\r\n"
#define KE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ALL GET HOST UP CO VE KE

struct subject {
	struct http_parser parser;
	bool done;
};

static struct http_request req;

static void begin(void *ctx)
{
	*(struct subject *)ctx = (struct subject){ 0 };
}

static void step(void *ctx, char *in, size_t n, struct feed_trace *t)
{
	struct subject *s = ctx;
	struct handshake_protocols it = { .req = &req };
	struct handshake hs;
	struct str token, name;
	enum http_result r;

	if (s->done)
		return;
	r = http_parse(&s->parser, in, n, &req);
	s->done = r != HTTP_MORE;
	if (r == HTTP_BAD) {
		name = http_error_name((enum http_error)s->parser.error);
		feed_say(t, "http %u %.*s", http_error_status((enum http_error)s->parser.error), (int)name.n,
			 name.p);
	}
	if (r != HTTP_DONE)
		return;
	handshake_check(&req, &hs);
	name = handshake_reason_name(hs.reason);
	if (hs.outcome == HANDSHAKE_REFUSED)
		feed_say(t, "%u %.*s", hs.status, (int)name.n, name.p);
	else
		feed_say(t, "%s", hs.outcome == HANDSHAKE_OK ? "ok" : "none");
	while (hs.outcome == HANDSHAKE_OK && handshake_protocol_next(&it, &token))
		feed_say(t, " %.*s", (int)token.n, token.p);
}

static struct subject state;
static const struct feed_subject subject = { &state, begin, step, NULL, true };

static const struct row {
	const char *id, *name;
	const char *in;
	size_t n;
	const char *want;
} rows[] = {
	{ "6455 4.2.1", "all there", S(ALL "\r\n"), "ok" },
	{ "6455 4.2.1", "any order and case",
	  S(GET "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nCONNECTION: "
		"uPGRADE\r\nupgrade: WebSocket\r\nHOST: a\r\n\r\n"),
	  "ok" },
	{ "6455 4.2.1", "a plain request", S(GET HOST "\r\n"), "none" },
	{ "6455 4.2.1", "a plain request that keeps alive", S(GET HOST "Connection: keep-alive\r\n\r\n"),
	  "none" },
	{ "6455 4.2.1", "Upgrade-Insecure-Requests is no upgrade",
	  S(GET HOST "Upgrade-Insecure-Requests: 1\r\n\r\n"), "none" },
	{ "6455 4.2.1", "bytes behind the head change nothing", S(ALL "\r\n\x81\x80\0\0\0\0"), "ok" },

	{ "U1", "POST", S("POST /ws HTTP/1.1\r\n" HOST UP CO VE KE "\r\n"), "405 method" },
	{ "U1", "HEAD", S("HEAD /ws HTTP/1.1\r\n" HOST UP CO VE KE "\r\n"), "405 method" },
	{ "U1", "HTTP/1.0", S("GET /ws HTTP/1.0\r\n" HOST UP CO VE KE "\r\n"), "400 http_version" },
	{ "U1", "HTTP/2.0", S("GET /ws HTTP/2.0\r\n" HOST UP CO VE KE "\r\n"), "http 505 version" },
	{ "U2", "no Upgrade", S(GET HOST CO VE KE "\r\n"), "426 upgrade" },
	{ "U2", "nothing but a key", S(GET HOST KE "\r\n"), "426 upgrade" },
	{ "U2", "nothing but Upgrade", S(GET HOST UP "\r\n"), "400 connection" },
	{ "U2", "nothing but Connection: Upgrade", S(GET HOST CO "\r\n"), "426 upgrade" },
	{ "U2", "nothing but a version", S(GET HOST VE "\r\n"), "426 upgrade" },
	{ "U2", "Upgrade empty", S(GET HOST "Upgrade:\r\n" CO VE KE "\r\n"), "426 upgrade" },
	{ "U2", "Upgrade: h2c", S(GET HOST "Upgrade: h2c\r\n" CO "\r\n"), "426 upgrade" },
	{ "U2", "Upgrade: websocket, h2c", S(GET HOST "Upgrade: websocket, h2c\r\n" CO VE KE "\r\n"),
	  "426 upgrade" },
	{ "U2", "Upgrade: TLS/1.0", S(GET HOST "Upgrade: TLS/1.0\r\n" CO VE KE "\r\n"), "426 upgrade" },
	{ "U2", "Upgrade: websocket/13", S(GET HOST "Upgrade: websocket/13\r\n" CO VE KE "\r\n"),
	  "426 upgrade" },
	{ "U2", "Upgrade: websockets", S(GET HOST "Upgrade: websockets\r\n" CO VE KE "\r\n"), "426 upgrade" },
	{ "U2", "two Upgrades", S(ALL UP "\r\n"), "426 upgrade" },
	{ "U2", "no Connection", S(GET HOST UP VE KE "\r\n"), "400 connection" },
	{ "U2", "Connection: keep-alive", S(GET HOST UP "Connection: keep-alive\r\n" VE KE "\r\n"),
	  "400 connection" },
	{ "U2", "Connection: upgrade-x", S(GET HOST UP "Connection: upgrade-x\r\n" VE KE "\r\n"),
	  "400 connection" },
	{ "U2", "Connection: keep-alive, Upgrade",
	  S(GET HOST UP "Connection: keep-alive, Upgrade\r\n" VE KE "\r\n"), "ok" },
	{ "U2", "Connection: keep-alive ,UPGRADE",
	  S(GET HOST UP "Connection: keep-alive ,UPGRADE\r\n" VE KE "\r\n"), "ok" },
	{ "U2", "Connection in two headers", S(GET HOST UP "Connection: keep-alive\r\n" CO VE KE "\r\n"),
	  "ok" },
	{ "U3", "no version", S(GET HOST UP CO KE "\r\n"), "426 ws_version" },
	{ "U3", "two versions", S(ALL VE "\r\n"), "426 ws_version" },
	{ "U3", "version 8", S(GET HOST UP CO KE "Sec-WebSocket-Version: 8\r\n\r\n"), "426 ws_version" },
	{ "U3", "version 0", S(GET HOST UP CO KE "Sec-WebSocket-Version: 0\r\n\r\n"), "426 ws_version" },
	{ "U3", "version 13x", S(GET HOST UP CO KE "Sec-WebSocket-Version: 13x\r\n\r\n"), "426 ws_version" },
	{ "U3", "version 013", S(GET HOST UP CO KE "Sec-WebSocket-Version: 013\r\n\r\n"), "426 ws_version" },
	{ "U3", "version 13, 8", S(GET HOST UP CO KE "Sec-WebSocket-Version: 13, 8\r\n\r\n"),
	  "426 ws_version" },
	{ "U3", "version empty", S(GET HOST UP CO KE "Sec-WebSocket-Version:\r\n\r\n"), "426 ws_version" },
	{ "U4", "no key", S(GET HOST UP CO VE "\r\n"), "400 key" },
	{ "U4", "two keys", S(ALL KE "\r\n"), "400 key" },
	{ "U4", "key empty", S(GET HOST UP CO VE "Sec-WebSocket-Key:\r\n\r\n"), "400 key" },
	{ "U4", "key not base64", S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n\r\n"),
	  "400 key" },
	{ "U4", "key in base64url",
	  S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q==\r\n\r\n"), "400 key" },
	{ "U4", "key of 15 bytes", S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n\r\n"),
	  "400 key" },
	{ "U4", "key of 17 bytes", S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU=\r\n\r\n"),
	  "400 key" },
	{ "U4", "key of 18 bytes", S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWVl\r\n\r\n"),
	  "400 key" },
	{ "U4", "key without padding",
	  S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n"), "400 key" },
	{ "U4", "key whose padding is cut short by a digit",
	  S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=x\r\n\r\n"), "400 key" },
	{ "U4", "key with a stray bit is let through",
	  S(GET HOST UP CO VE "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZX==\r\n\r\n"), "ok" },
	{ "U5", "extension named constructor", S(ALL "Sec-WebSocket-Extensions: constructor\r\n\r\n"), "ok" },
	{ "U5", "extensions ,;", S(ALL "Sec-WebSocket-Extensions: ,;\r\n\r\n"), "ok" },
	{ "U5", "extensions twice, permessage-deflate",
	  S(ALL "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Extensions: "
		"permessage-deflate; x=\"\\\"\"\r\n\r\n"),
	  "ok" },
	{ "U6", "one protocol", S(ALL "Sec-WebSocket-Protocol: presenced.snake\r\n\r\n"),
	  "ok presenced.snake" },
	{ "U6", "a list over two headers",
	  S(ALL "Sec-WebSocket-Protocol: a,b ,\tc\r\nsec-websocket-protocol: d\r\n\r\n"), "ok a b c d" },
	{ "U6", "duplicates", S(ALL "Sec-WebSocket-Protocol: a, a\r\n\r\n"), "ok a a" },
	{ "U6", "empty elements", S(ALL "Sec-WebSocket-Protocol: ,, a,,\r\n\r\n"), "ok a" },
	{ "U6", "an empty header", S(ALL "Sec-WebSocket-Protocol:\r\n\r\n"), "ok" },
	{ "U6", "what is no token is none",
	  S(ALL "Sec-WebSocket-Protocol: b   x, a/b, \"q\", \xc3\xa4, ok\r\n\r\n"), "ok ok" },
	{ "U9", "Content-Length", S(ALL "Content-Length: 5\r\n\r\nhello"), "400 body" },
	{ "U9", "Content-Length: 0", S(ALL "Content-Length: 0\r\n\r\n"), "400 body" },
	{ "U9", "Transfer-Encoding", S(ALL "Transfer-Encoding: chunked\r\n\r\n"), "http 400 framing" },
	{ "U9", "Transfer-Encoding, no Upgrade header",
	  S(GET HOST CO VE KE "Transfer-Encoding: chunked\r\n\r\n"), "http 400 framing" },
	{ "U12", "nominated names have no effect",
	  S(GET HOST UP
	    "Connection: Upgrade, authorization, host, sec-websocket-key, sec-websocket-version\r\n" VE KE
	    "\r\n"),
	  "ok" },
	{ "H14", "no Host", S(GET UP CO VE KE "\r\n"), "http 400 host" },
	{ "H20", "Expect on an upgrade", S(ALL "Expect: 100-continue\r\n\r\n"), "ok" },
	{ "H20", "another Expect on an upgrade", S(ALL "Expect: x\r\n\r\n"), "http 417 expect" },
};

static char big[2 * HTTP_HEAD_BYTES_MAX];

/* ALL and a header of `name` whose value is `n` bytes of `fill` between `front` and `back`. */
static size_t long_header(const char *name, const char *front, char fill, size_t n, const char *back)
{
	int head = snprintf(big, sizeof(big), ALL "%s: %s", name, front);

	memset(big + head, fill, n);
	return (size_t)head + n +
	       (size_t)snprintf(big + (size_t)head + n, sizeof(big) - (size_t)head - n, "%s\r\n\r\n", back);
}

static void test_long(void)
{
	size_t n = long_header("Sec-WebSocket-Extensions", "", ',', 7168, "");

	feed_check(&subject, big, n, "ok", "U5 7 KiB of commas");
	n = long_header("Sec-WebSocket-Extensions", "a", ';', 7168, "=");
	feed_check(&subject, big, n, "ok", "U5 7 KiB of junk");
	n = long_header("Sec-WebSocket-Protocol", "b", ' ', 7168, "x");
	feed_check(&subject, big, n, "ok", "U6 b, 7 KiB of spaces, x: no token");
	n = long_header("Sec-WebSocket-Protocol", "b", ' ', 7168, ",x");
	feed_check(&subject, big, n, "ok b x", "U6 b, 7 KiB of spaces, comma, x");
	n = long_header("Sec-WebSocket-Protocol", "b", ',', 7168, "x");
	feed_check(&subject, big, n, "ok b x", "U6 7 KiB of commas");
	n = long_header("Sec-WebSocket-Protocol", "b", ' ', 10000, "x");
	feed_check(&subject, big, n, "http 431 head_size",
		   "U6 over the head's limit (32k spaces in the page)");
}

static bool parse(const char *in, size_t n)
{
	struct http_parser p = { 0 };

	return http_parse(&p, in, n, &req) == HTTP_DONE;
}

/* 6455 1.3 gives key and accept; U11, H22: what a 101 may hold. */
static void test_response(void)
{
	static const char want[] =
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
	struct handshake hs;
	char all[512];
	size_t n, short_ok = 0;

	tap_ok(parse(S(ALL "Sec-WebSocket-Protocol: x, presenced.snake\r\nSec-WebSocket-Extensions: "
			   "permessage-deflate\r\n\r\n")),
	       "a request to answer");
	handshake_check(&req, &hs);
	tap_ok(hs.outcome == HANDSHAKE_OK && hs.reason == HANDSHAKE_GOOD && hs.status == 0, "accepted");
	n = handshake_write(&hs, STR_NONE, big, sizeof(big));
	big[n] = '\0';
	snprintf(all, sizeof(all), "%s\r\n", want);
	tap_is_str(big, all, "U11 exact accept, no length, no extension, no protocol");
	n = handshake_write(&hs, STR("presenced.snake"), big, sizeof(big));
	big[n] = '\0';
	snprintf(all, sizeof(all), "%sSec-WebSocket-Protocol: presenced.snake\r\n\r\n", want);
	tap_is_str(big, all, "U11 with the protocol chosen");
	for (size_t cap = 0; cap < n; cap++)
		short_ok += handshake_write(&hs, STR("presenced.snake"), feed_guarded("", 0) - cap, cap) != 0;
	tap_ok(short_ok == 0 && n <= HANDSHAKE_RESPONSE_BYTES_MAX, "too small a buffer gives 0");
	tap_ok(handshake_write(&hs, STR("a\r\nX: b"), big, sizeof(big)) == 0, "H22 CRLF in a protocol");
	tap_ok(handshake_write(&hs, STR(""), big, sizeof(big)) == 0, "H22 an empty protocol");
	tap_ok(handshake_offers(&req, STR("presenced.snake")) && handshake_offers(&req, STR("x")),
	       "U6 exact matches");
	tap_ok(!handshake_offers(&req, STR("presenced.snak")) &&
		       !handshake_offers(&req, STR("Presenced.snake")) && !handshake_offers(&req, STR("")),
	       "U6 nothing but exact matches");
}

static const char *const origin_rows[][4] = {
	/* name, origin, allowed, equal? */
	{ "exact", "https://app.ok", "https://app.ok", "yes" },
	{ "case of scheme and host", "HTTPS://App.OK", "https://app.ok", "yes" },
	{ "default port written out", "https://app.ok:443", "https://app.ok", "yes" },
	{ "default port of http", "http://app.ok", "http://app.ok:80", "yes" },
	{ "default port of ws", "ws://app.ok", "WS://app.ok:80", "yes" },
	{ "default port of wss", "wss://app.ok:443", "wss://app.ok", "yes" },
	{ "a scheme without a default", "capacitor://localhost", "capacitor://localhost", "yes" },
	{ "3986 3.1 every kind of byte in a scheme", "a0+b-c.d://localhost", "A0+B-C.D://localhost", "yes" },
	{ "3986 3.1 a scheme with a brace", "ht{p://a", "http://a", "none" },
	{ "U7 a colon and no slashes", "http:abcd", "http://a", "none" },
	{ "U7 null", "null", "https://app.ok", "none" },
	{ "U7 suffix", "https://app.ok.evil.io", "https://app.ok", "no" },
	{ "U7 prefix", "https://evilapp.ok", "https://app.ok", "no" },
	{ "U7 sub-domain", "https://x.app.ok", "https://app.ok", "no" },
	{ "U7 a dot at the end", "https://app.ok.", "https://app.ok", "no" },
	{ "U7 http for https", "http://app.ok", "https://app.ok", "no" },
	{ "U7 http on 443", "http://app.ok:443", "https://app.ok", "no" },
	{ "U7 other port", "https://app.ok:444", "https://app.ok", "no" },
	{ "U7 two in one header", "https://app.ok https://evil.io", "https://app.ok", "none" },
	{ "U7 a list", "https://app.ok, https://evil.io", "https://app.ok", "none" },
	{ "U7 http://a:b", "http://a:b", "http://a", "none" },
	{ "U7 port too large", "http://a:65616", "http://a", "none" },
	{ "U7 empty", "", "http://a", "none" },
	{ "U7 no host", "http://", "http://a", "none" },
	{ "U7 no scheme", "://a", "http://a", "none" },
	{ "U7 host alone", "a", "http://a", "none" },
	{ "U7 a path", "http://a/", "http://a", "none" },
	{ "U7 a user", "http://a@evil.io", "http://a", "none" },
	{ "U7 one slash", "http:/a", "http://a", "none" },
	{ "U7 a scheme with a space", "ht tp://a", "http://a", "none" },
	{ "U7 a scheme that begins with a digit", "1http://a", "http://a", "none" },
	{ "U7 a star is no origin", "*", "http://a", "none" },
	{ "U7 a host of a star", "http://*", "http://a", "none" },
};

static const char *const loopback_rows[][2] = {
	{ "http://localhost", "yes" },
	{ "https://LOCALHOST:3000", "yes" },
	{ "http://127.0.0.1:8080", "yes" },
	{ "http://127.255.0.9", "yes" },
	{ "http://[::1]:1", "yes" },
	{ "http://localhost.evil.io", "no" },
	{ "http://127.0.0.1.evil.io", "no" },
	{ "http://127.0.0.1.", "no" },
	{ "http://127.0.0-1", "no" },
	{ "http://127.1", "no" },
	{ "http://127.0.0.256", "no" },
	{ "http://127.0.0.01", "no" },
	{ "http://127.0.0.0001", "no" },
	{ "http://127.0.0.", "no" },
	{ "http://128.0.0.1", "no" },
	{ "http://0127.0.0.1", "no" },
	{ "http://0.0.0.0", "no" },
	{ "http://[::2]", "no" },
	{ "http://evil-localhost", "no" },
	{ "capacitor://localhost", "no" },
	{ "http://10.0.0.1", "no" },
	{ "http://127.0.0.99999999999", "no" },
};

static const char *const host_rows[][3] = {
	/* origin, authority of the request, same? */
	{ "http://a:8080", "a:8080", "yes" },
	{ "http://a", "a", "yes" },
	{ "http://a", "A:80", "yes" },
	{ "https://a", "a", "yes" },
	{ "https://a", "a:443", "yes" },
	{ "https://a", "a:80", "no" },
	{ "http://a:8080", "a", "no" },
	{ "http://a", "a:8080", "no" },
	{ "http://a.b", "a", "no" },
	{ "http://a", "a.b", "no" },
	{ "http://a", "", "no" },
	{ "http://[::1]:1", "[::1]:1", "yes" },
};

static struct str text(const char *s)
{
	return str_of(feed_guarded(s, strlen(s)), strlen(s));
}

static void test_origin(void)
{
	struct origin o, allowed;

	for (size_t i = 0; i < sizeof(origin_rows) / sizeof(origin_rows[0]); i++) {
		const char *const *r = origin_rows[i];
		const char *got = "none";

		if (!origin_parse(str_of(r[2], strlen(r[2])), &allowed))
			got = "bad row";
		else if (origin_parse(text(r[1]), &o))
			got = origin_eq(&o, &allowed) && origin_eq(&allowed, &o) ? "yes" : "no";
		tap_is_str(got, r[3], r[0]);
	}
	for (size_t i = 0; i < sizeof(loopback_rows) / sizeof(loopback_rows[0]); i++)
		tap_is_str(origin_parse(text(loopback_rows[i][0]), &o) && origin_is_loopback(&o) ? "yes"
												 : "no",
			   loopback_rows[i][1], loopback_rows[i][0]);
	for (size_t i = 0; i < sizeof(host_rows) / sizeof(host_rows[0]); i++) {
		const char *const *r = host_rows[i];
		char name[64];

		snprintf(name, sizeof(name), "%s against Host %s", r[0], r[1]);
		tap_is_str(origin_parse(text(r[0]), &o) && origin_is_host(&o, str_of(r[1], strlen(r[1])))
				   ? "yes"
				   : "no",
			   r[2], name);
	}
	tap_ok(parse(S(GET HOST "\r\n")) && origin_of(&req, &o) == ORIGIN_ABSENT, "no Origin");
	tap_ok(parse(S(GET HOST "Origin: http://a\r\n\r\n")) && origin_of(&req, &o) == ORIGIN_OK &&
		       origin_is_host(&o, req.authority),
	       "an Origin that is the Host");
	tap_ok(parse(S(GET HOST "Origin: http://a\r\norigin: http://a\r\n\r\n")) &&
		       origin_of(&req, &o) == ORIGIN_BAD,
	       "U7 two Origins");
	tap_ok(parse(S(GET HOST "Origin:\r\n\r\n")) && origin_of(&req, &o) == ORIGIN_BAD,
	       "U7 an empty Origin");
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char title[160];

		snprintf(title, sizeof(title), "%s %s", rows[i].id, rows[i].name);
		feed_check(&subject, rows[i].in, rows[i].n, rows[i].want, title);
	}
	test_long();
	test_response();
	test_origin();
	return tap_done();
}
