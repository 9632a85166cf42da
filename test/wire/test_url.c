/*
 * wire/url: what an operator may name as a service, and what goes into a path. A row's answer: `TLS-WS-PORT
 * HOST AUTHORITY PATH`, or `no`.
 */
#include "feed.h"
#include "wire/url.h"

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct row {
	const char *id, *in, *want;
} rows[] = {
	{ "3986 3", "http://a", "plain http 80 name a a |" },
	{ "3986 3", "https://a", "tls http 443 name a a |" },
	{ "6455 3", "ws://a/ws?x=1", "plain ws 80 name a a |/ws?x=1" },
	{ "6455 3", "wss://a:8443/", "tls ws 8443 name a a:8443 |/" },
	{ "3986 6.2.2.1", "HtTpS://A.Example/P", "tls http 443 name A.Example A.Example |/P" },
	{ "3986 3.2.2", "http://127.0.0.1:1/", "plain http 1 name 127.0.0.1 127.0.0.1:1 |/" },
	{ "3986 3.2.2", "http://[::1]:8080/x", "plain http 8080 ipv6 ::1 [::1]:8080 |/x" },
	{ "3986 3.2.2", "https://[::ffff:1.2.3.4]", "tls http 443 ipv6 ::ffff:1.2.3.4 [::ffff:1.2.3.4] |" },
	{ "3986 3.4", "http://a?q", "plain http 80 name a a |?q" },
	{ "3986 3.3", "http://a/%7Eb/!$&'()*+,;=:@-._~?/?", "plain http 80 name a a |/%7Eb/!$&'()*+,;=:@-._~?/?" },
	{ "3986 3.3", "http://a//b/../c", "plain http 80 name a a |//b/../c" },
	{ "1034 3.1", "http://a.b./", "plain http 80 name a.b. a.b. |/" },
	{ "1035 2.3.4", "http://" A63 "/", "plain http 80 name " A63 " " A63 " |/" },
	{ "3986 3.2.3", "http://a:65535/", "plain http 65535 name a a:65535 |/" },
	{ "3986 3.2.3", "http://a:080/", "plain http 80 name a a:080 |/" },
	{ "", "", "no" },
	{ "3986 3.1", "http", "no" },
	{ "3986 3.1", "http:", "no" },
	{ "3986 3.1", "http:/a", "no" },
	{ "3986 3.1", "a", "no" },
	{ "3986 3.1", "//a", "no" },
	{ "3986 3.1", "ftp://a", "no" },
	{ "3986 3.1", "file:///etc/passwd", "no" },
	{ "3986 3.1", " http://a", "no" },
	{ "3986 3.1", "httpss://a", "no" },
	{ "3986 3.2.2", "http://", "no" },
	{ "3986 3.2.2", "http:///x", "no" },
	{ "3986 3.2.2", "http://?x", "no" },
	{ "3986 3.2.2", "http://:80/", "no" },
	{ "3986 3.2.1", "http://u@a/", "no" },
	{ "3986 3.2.1", "http://u:p@a/", "no" },
	{ "3986 3.2.3", "http://a:/", "no" },
	{ "3986 3.2.3", "http://a:0/", "no" },
	{ "3986 3.2.3", "http://a:65536/", "no" },
	{ "3986 3.2.3", "http://a:-1/", "no" },
	{ "3986 3.2.3", "http://a:8x/", "no" },
	{ "3986 3.2.2", "http://[::1/", "no" },
	{ "3986 3.2.2", "http://::1/", "no" },
	{ "3986 3.2.2", "http://[::1%25eth0]/", "no" },
	{ "3986 3.2.2", "http://a b/", "no" },
	{ "3986 3.2.2", "http://a%41/", "no" },
	{ "3986 3.2.2", "http://a\\b/", "no" },
	{ "1034 3.1", "http://a..b/", "no" },
	{ "1034 3.1", "http://.a/", "no" },
	{ "1034 3.1", "http://./", "no" },
	{ "1035 2.3.4", "http://" A63 "a/", "no" },
	{ "1035 2.3.4", "http://" A63 "." A63 "." A63 "." A63 "/", "no" },
	{ "3986 3.5", "http://a/#f", "no" },
	{ "3986 3.5", "http://a#f", "no" },
	{ "3986 2.1", "http://a/%", "no" },
	{ "3986 2.1", "http://a/%4", "no" },
	{ "3986 2.1", "http://a/%4g", "no" },
	{ "3986 2.1", "http://a/%%41", "no" },
	{ "H22", "http://a/ b", "no" },
	{ "H22", "http://a/\r\nX: y", "no" },
	{ "H22", "http://a/\x7f", "no" },
	{ "3986 2", "http://a/\xc3\xa4", "no" },
	{ "3986 2", "http://a/[]", "no" },
	{ "3986 2", "http://a/\"", "no" },
	{ "3986 2", "http://a/{id}", "no" },
};

static void test_parse(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		size_t n = strlen(r->in);
		struct feed_trace t = { 0 };
		struct url u;

		if (!url_parse(str_of(feed_guarded(r->in, n), n), &u))
			feed_say(&t, "no");
		else
			feed_say(&t, "%s %s %u %s %.*s %.*s |%.*s", u.tls ? "tls" : "plain",
				 u.websocket ? "ws" : "http", (unsigned)u.port,
				 u.host_is_ipv6 ? "ipv6" : "name", (int)u.host.n, u.host.p,
				 (int)u.authority.n, u.authority.p, (int)u.path.n, u.path.p);
		if (!tap_ok(strcmp(t.text, r->want) == 0, "%s `%.*s`", r->id, (int)strcspn(r->in, "\r"), r->in))
			printf("# got  %s\n# want %s\n", t.text, r->want);
	}
}

static void test_limits(void)
{
	static const char start[] = "http://a/";
	char text[URL_BYTES_MAX + 1];
	struct url u = { .port = 7 };

	memset(text, 'b', sizeof(text));
	memcpy(text, start, sizeof(start) - 1);
	tap_ok(url_parse(str_of(text, URL_BYTES_MAX), &u), "a URL as long as may be");
	u = (struct url){ .port = 7 };
	tap_ok(!url_parse(str_of(text, URL_BYTES_MAX + 1), &u) && u.port == 7,
	       "one byte longer; the result is untouched");
	tap_ok(!url_parse(str_of("http://a/\0b", 11), &u), "H2 a NUL");
	for (size_t n = 0; n < sizeof(start) - 2; n++) /* all but the last cut lack a host */
		tap_ok(!url_parse(str_of(feed_guarded(start, n), n), &u), "cut after %zu bytes", n);
}

static const struct {
	const char *in;
	size_t n;
	const char *want;
} escapes[] = {
	{ "", 0, "" },
	{ "ann", 3, "ann" },
	{ "AZaz09-._~", 10, "AZaz09-._~" },
	{ "a/b", 3, "a%2Fb" },
	{ "../x?y#z", 8, "..%2Fx%3Fy%23z" },
	{ "a%2Fb", 5, "a%252Fb" },
	{ "\r\nX: y", 6, "%0D%0AX%3A%20y" },
	{ "\0\x7f\xff", 3, "%00%7F%FF" },
	{ "\xc3\xa4!$&'()*+,;=:@", 15, "%C3%A4%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40" },
};

static void test_escape(void)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		char out[URL_ESCAPED_BYTES(32)];
		size_t n = url_escape(str_of(feed_guarded(escapes[i].in, escapes[i].n), escapes[i].n), out);

		tap_ok(str_eq(str_of(out, n), str_of(escapes[i].want, strlen(escapes[i].want))),
		       "3986 2.3 escape to %s", escapes[i].want);
	}
}

int main(void)
{
	test_parse();
	test_limits();
	test_escape();
	return tap_done();
}
