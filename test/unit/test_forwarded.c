/*
 * forwarded, address: whose address counts when proxies stand between (RELIABILITY H25), and what an address literal is
 * (RFC 4291 2.2).
 */
#include <stdio.h>
#include <stdlib.h>

#include "server/address.h"
#include "server/forwarded.h"
#include "tap.h"

enum { HEADERS_MAX = 4, HOPS = 1000 };

/* trusted-proxies in most rows: 10.0.0.0/8, 192.0.2.7, 2001:db8::/33, and `unix`, which is `::` alone. */
static const struct proxy_network trusted[] = {
	{ { [10] = 0xff, [11] = 0xff, [12] = 10 }, 96 + 8 },
	{ { [10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 7 }, 128 },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 33 },
	{ { 0 }, 128 },
};

static const struct {
	const char *name, *peer; /* the socket's, port 5; "unix": a unix socket's */
	const char *headers[HEADERS_MAX];
	const char *client;
} rows[] = {
	{ "no header", "10.0.0.1", { NULL }, "10.0.0.1:5" },
	{ "one entry", "10.0.0.1", { "198.51.100.1" }, "198.51.100.1:0" },
	{ "H25: from a stranger", "198.51.100.9", { "198.51.100.1" }, "198.51.100.9:5" },
	{ "H25: from loopback, which is not listed", "127.0.0.1", { "198.51.100.1" }, "127.0.0.1:5" },
	{ "what the client invented is left of its address", "10.0.0.1", { "1.1.1.1, 10.0.0.9, 198.51.100.1" }, "198.51.100.1:0" },
	{ "a chain of proxies", "10.0.0.1", { "1.1.1.1,198.51.100.1,192.0.2.7,10.1.2.3" }, "198.51.100.1:0" },
	{ "all are proxies: the first", "10.0.0.1", { "10.0.0.4,10.0.0.3, 10.0.0.2" }, "10.0.0.4:0" },
	{ "just outside a network", "10.0.0.1", { "1.1.1.1, 192.0.2.6" }, "192.0.2.6:0" },
	{ "just outside a prefix of bits", "10.0.0.1", { "1.1.1.1, 2001:db8:8000::1" }, "[2001:db8:8000::1]:0" },
	{ "inside it", "10.0.0.1", { "1.1.1.1, 2001:db8:7fff::1" }, "1.1.1.1:0" },
	{ "an IPv6 peer", "2001:db8::9", { "2001:db9::1" }, "[2001:db9::1]:0" },
	{ "two headers are one list", "10.0.0.1", { "1.1.1.1, 198.51.100.1", "10.0.0.3", "10.0.0.2" }, "198.51.100.1:0" },
	{ "no entry is no address", "10.0.0.1", { "" }, "10.0.0.1:5" },
	{ "blanks and tabs", "10.0.0.1", { " \t198.51.100.1 \t ,\t10.0.0.2 " }, "198.51.100.1:0" },
	{ "an empty entry ends the list", "10.0.0.1", { "198.51.100.1,,10.0.0.2" }, "10.0.0.2:0" },
	{ "a comma at the end too", "10.0.0.1", { "198.51.100.1," }, "10.0.0.1:5" },
	{ "`unknown` ends it", "10.0.0.1", { "198.51.100.1, unknown, 10.0.0.2" }, "10.0.0.2:0" },
	{ "a name ends it", "10.0.0.1", { "198.51.100.1, example.org" }, "10.0.0.1:5" },
	{ "a port", "10.0.0.1", { "198.51.100.1:567" }, "198.51.100.1:567" },
	{ "a port too large", "10.0.0.1", { "198.51.100.1:65536" }, "10.0.0.1:5" },
	{ "no port after its colon", "10.0.0.1", { "198.51.100.1:" }, "10.0.0.1:5" },
	{ "a port of letters", "10.0.0.1", { "198.51.100.1:80a" }, "10.0.0.1:5" },
	{ "a port of six digits", "10.0.0.1", { "198.51.100.1:000080" }, "10.0.0.1:5" },
	{ "a port with a sign", "10.0.0.1", { "198.51.100.1:+80" }, "10.0.0.1:5" },
	{ "brackets", "10.0.0.1", { "[2001:db9::1]" }, "[2001:db9::1]:0" },
	{ "brackets and a port", "10.0.0.1", { "[2001:db9::1]:80" }, "[2001:db9::1]:80" },
	{ "open brackets", "10.0.0.1", { "[2001:db9::1" }, "10.0.0.1:5" },
	{ "something after brackets", "10.0.0.1", { "[2001:db9::1]80" }, "10.0.0.1:5" },
	{ "empty brackets", "10.0.0.1", { "[]" }, "10.0.0.1:5" },
	{ "IPv4 in brackets", "10.0.0.1", { "[1.2.3.4]" }, "10.0.0.1:5" },
	{ "mapped IPv4 is IPv4", "10.0.0.1", { "198.51.100.1, ::ffff:10.0.0.2" }, "198.51.100.1:0" },
	{ "a zone", "10.0.0.1", { "fe80::1%eth0" }, "10.0.0.1:5" },
	{ "quotes", "10.0.0.1", { "\"198.51.100.1\"" }, "10.0.0.1:5" },
	{ "nobody's address", "10.0.0.1", { "::" }, "10.0.0.1:5" },
	{ "a unix socket, listed", "unix", { "198.51.100.1" }, "198.51.100.1:0" },
	{ "a unix socket without the header", "unix", { NULL }, "unix" },
};

static struct str from(const char *s)
{
	return str_of(s, strlen(s));
}

static const char *apply(const struct server_config *cfg, const char *socket, struct http_request *req)
{
	static char text[64];
	struct peer peer = { .port = 5 };
	struct address_text a;

	if (strcmp(socket, "unix") != 0 && !address_parse(from(socket), peer.address))
		return "no address";
	forwarded_apply(cfg, req, &peer);
	a = address_text(&peer);
	snprintf(text, sizeof(text), "%.*s", (int)a.n, a.text);
	return text;
}

/* Copies `s` to the end of a heap block, so that a read past it is seen. */
static struct str guarded(const char *s)
{
	size_t n = strlen(s);
	char *copy = malloc(n + 1);

	memcpy(copy, s, n);
	copy = realloc(copy, n > 0 ? n : 1);
	return str_of(copy, n);
}

static void test_rows(const struct server_config *cfg)
{
	static struct http_request req;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		req.header_count = 0;
		req.headers[req.header_count++] = (struct http_header){ STR("Host"), STR("8.8.8.8") };
		for (int h = 0; h < HEADERS_MAX && rows[i].headers[h] != NULL; h++)
			req.headers[req.header_count++] =
				(struct http_header){ h == 1 ? STR("x-FORWARDED-for") : STR("X-Forwarded-For"),
			                              guarded(rows[i].headers[h]) };
		tap_is_str(apply(cfg, rows[i].peer, &req), rows[i].client, rows[i].name);
		for (size_t h = 1; h < req.header_count; h++)
			free((char *)req.headers[h].value.p);
	}
}

static void test_hops(const struct server_config *cfg)
{
	static struct http_request req;
	static char list[HOPS * 12];
	struct server_config all = { .proxy_count = 1 }, none = { .proxy_count = 0 };
	size_t n = 0;

	for (int i = HOPS; i > 0; i--)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s10.0.%d.%d", n > 0 ? "," : "", i / 250, i % 250);
	req.header_count = 1;
	req.headers[0] = (struct http_header){ STR("X-Forwarded-For"), str_of(list, n) };
	tap_is_str(apply(cfg, "10.0.0.1", &req), "10.0.0.32:0", "H25: a 1000-hop list: 32 are looked at");
	tap_is_str(apply(cfg, "198.51.100.1", &req), "198.51.100.1:5", "H25: from a stranger, none");
	tap_is_str(apply(&none, "10.0.0.1", &req), "10.0.0.1:5", "nobody is trusted");
	tap_is_str(apply(&none, "unix", &req), "unix", "not even a unix socket");
	req.headers[0].value = STR("1.2.3.4");
	tap_is_str(apply(&all, "198.51.100.1", &req), "1.2.3.4:0", "::/0 is everybody");
}

/* Literals, and what they are written as; NULL: none. */
static void test_literals(void)
{
	static const struct {
		const char *text, *again;
	} literals[] = {
		{ "0.0.0.0", "0.0.0.0" }, { "255.255.255.255", "255.255.255.255" }, { "1.2.3", NULL }, { "1.2.3.4.5", NULL },
		{ "1.2.3.256", NULL }, { "1.2.3.1000", NULL }, { "01.2.3.4", NULL }, { "1.2.3.", NULL }, { ".1.2.3", NULL },
		{ "1.2.3.4 ", NULL }, { "0x1.2.3.4", NULL }, { "1.2.3.a", NULL }, { "", NULL }, { "1", NULL },
		{ "::1", "[::1]" }, { "1::", "[1::]" }, { "::ffff:1.2.3.4", "1.2.3.4" }, { "::1.2.3.4", "[::102:304]" },
		{ "1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]" }, { "1:2:3:4:5:6:1.2.3.4", "[1:2:3:4:5:6:102:304]" },
		{ "1:2:3:4:5:6:7::", "[1:2:3:4:5:6:7:0]" }, { "::2:3:4:5:6:7:8", "[0:2:3:4:5:6:7:8]" }, { "1:2::7:8", "[1:2::7:8]" },
		{ "FE80::ABCD", "[fe80::abcd]" }, { "0001:02::", "[1:2::]" }, { "1:2:3:4:5:6:7:8::", NULL },
		{ "1:2:3:4::5:6:7:8", NULL }, { "1:2:3:4:5:6:7", NULL }, { "1:2:3:4:5:6:7:8:9", NULL }, { "1:2:3:4:5:6:7:1.2.3.4", NULL },
		{ "::1.2.3.4:1", NULL }, { ":::", NULL }, { "1:::2", NULL }, { "1::2::3", NULL }, { ":1", NULL }, { "1:", NULL },
		{ "::1:", NULL }, { ":", NULL }, { "12345::", NULL }, { "::g", NULL }, { "[::1]", NULL }, { "fe80::1%1", NULL },
		{ "::1.2.3", NULL }, { "::1.2.3.04", NULL },
	};

	for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
		struct str text = guarded(literals[i].text);
		struct peer peer = { .port = 0 };
		struct address_text a;
		char got[64] = "none";

		if (address_parse(text, peer.address)) {
			a = address_text(&peer);
			snprintf(got, sizeof(got), "%.*s", (int)a.n - 2, a.text);
		} else if (!address_is_none(peer.address)) {
			snprintf(got, sizeof(got), "written to");
		}
		tap_ok(strcmp(got, literals[i].again == NULL ? "none" : literals[i].again) == 0, "literal \"%s\": %s", literals[i].text,
		       got);
		free((char *)text.p);
	}
}

/* address.h: what limits count by: an IPv4 address whole, of IPv6 the network of 64 bits that one customer has. */
static void test_keys(void)
{
	static const struct {
		const char *a, *b;
		bool same;
	} keys[] = {
		{ "198.51.100.1", "198.51.100.1", true }, { "198.51.100.1", "198.51.100.2", false },
		{ "198.51.100.1", "::ffff:198.51.100.1", true }, { "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", false },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct peer a = { .port = 1 }, b = { .port = 2 };
		uint8_t of_a[ADDRESS_KEY_BYTES], of_b[ADDRESS_KEY_BYTES];
		bool read = address_parse(str_of(keys[i].a, strlen(keys[i].a)), a.address) &&
			    address_parse(str_of(keys[i].b, strlen(keys[i].b)), b.address);

		address_key(&a, of_a);
		address_key(&b, of_b);
		tap_ok(read && (memcmp(of_a, of_b, sizeof(of_a)) == 0) == keys[i].same, "address.h: %s and %s count %s", keys[i].a,
		       keys[i].b, keys[i].same ? "together" : "apart");
	}
}

int main(void)
{
	static struct server_config cfg;

	cfg.proxy_count = sizeof(trusted) / sizeof(trusted[0]);
	memcpy(cfg.proxies, trusted, sizeof(trusted));
	test_rows(&cfg);
	test_hops(&cfg);
	test_literals();
	test_keys();
	return tap_done();
}
