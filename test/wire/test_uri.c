/* wire/uri: decoding once and strictly (RELIABILITY H15), queries, paths, authorities. Inputs end at a guard
 * page. */
#include "feed.h"
#include "wire/uri.h"

#define S(literal) literal, sizeof(literal) - 1

static const char *const result_names[] = { "ok", "absent", "bad", "duplicate", "too long" };

static struct str guarded(const char *p, size_t n)
{
	return str_of(feed_guarded(p, n), n);
}

static const struct decode_row {
	const char *name;
	enum uri_form form;
	const char *in;
	size_t n;
	const char *want; /* NULL: URI_BAD */
	size_t want_n;
} decode_rows[] = {
	{ "plain", URI_PATH, S("alice"), S("alice") },
	{ "empty", URI_PATH, S(""), S("") },
	{ "escapes in both cases", URI_PATH, S("%41%c3%A4"), S("A\xc3\xa4") },
	{ "an encoded slash stays in its segment", URI_PATH, S("a%2Fb"), S("a/b") },
	{ "plus in a path", URI_PATH, S("a+b"), S("a+b") },
	{ "plus in a path, beside an escape", URI_PATH, S("a+%62"), S("a+b") },
	{ "plus in a query is a space", URI_QUERY, S("a+b"), S("a b") },
	{ "encoded plus in a query", URI_QUERY, S("a%2Bb"), S("a+b") },
	{ "a percent sign", URI_PATH, S("100%25"), S("100%") },
	{ "a percent sign and no escape", URI_PATH, S("5%25x1"), S("5%x1") },
	{ "four bytes", URI_QUERY, S("%f0%9f%98%80"), S("\xf0\x9f\x98\x80") },
	{ "U+00A0 is no control", URI_PATH, S("%c2%a0"), S("\xc2\xa0") },
	{ "%00", URI_PATH, S("a%00b"), NULL, 0 },
	{ "raw NUL", URI_PATH, S("a\0b"), NULL, 0 },
	{ "%0d%0a", URI_QUERY, S("a%0d%0ab"), NULL, 0 },
	{ "%1f", URI_PATH, S("%1f"), NULL, 0 },
	{ "DEL", URI_PATH, S("%7f"), NULL, 0 },
	{ "U+0080", URI_PATH, S("%c2%80"), NULL, 0 },
	{ "U+009F", URI_PATH, S("%c2%9f"), NULL, 0 },
	{ "%GG", URI_PATH, S("%GG"), NULL, 0 },
	{ "%4G", URI_PATH, S("%4G"), NULL, 0 },
	{ "% at the end", URI_PATH, S("a%"), NULL, 0 },
	{ "%4 at the end", URI_PATH, S("a%4"), NULL, 0 },
	{ "% x41", URI_PATH, S("% 41"), NULL, 0 },
	{ "%+41", URI_QUERY, S("%+41"), NULL, 0 },
	{ "encoded twice", URI_PATH, S("%2541"), NULL, 0 },
	{ "a dot encoded twice", URI_PATH, S("%252e"), NULL, 0 },
	{ "an escape made of parts", URI_PATH, S("%25%34%31"), NULL, 0 },
	{ "overlong slash", URI_PATH, S("%c0%af"), NULL, 0 },
	{ "overlong NUL", URI_PATH, S("%e0%80%80"), NULL, 0 },
	{ "surrogate", URI_PATH, S("%ed%a0%80"), NULL, 0 },
	{ "over U+10FFFF", URI_PATH, S("%f4%90%80%80"), NULL, 0 },
	{ "cut UTF-8", URI_PATH, S("%c3"), NULL, 0 },
	{ "cut U+0080", URI_PATH, S("%c2"), NULL, 0 },
	{ "raw Latin-1", URI_PATH, S("\xe4"), NULL, 0 },
};

static void test_decode(void)
{
	char buf[32];

	for (size_t i = 0; i < sizeof(decode_rows) / sizeof(decode_rows[0]); i++) {
		const struct decode_row *r = &decode_rows[i];
		struct str out = STR("x");
		enum uri_result got = uri_decode(guarded(r->in, r->n), r->form, buf, sizeof(buf), &out);

		if (r->want == NULL)
			tap_ok(got == URI_BAD && str_absent(out), "H15 %s is refused", r->name);
		else
			tap_ok(got == URI_OK && !str_absent(out) && str_eq(out, str_of(r->want, r->want_n)),
			       "H15 %s", r->name);
	}
}

/* 300 bytes for an id of 128: refused however they are spelt. */
static void test_length(void)
{
	char in[900], buf[128];
	struct str out;

	memset(in, 'a', sizeof(in));
	tap_ok(uri_decode(str_of(in, 300), URI_PATH, buf, sizeof(buf), &out) == URI_BAD,
	       "H15 300 bytes for 128");
	tap_ok(uri_decode(str_of(in, 127), URI_PATH, buf, 128, &out) == URI_OK && out.n == 127,
	       "H15 limit - 1");
	tap_ok(uri_decode(str_of(in, 128), URI_PATH, buf, 128, &out) == URI_OK && out.n == 128, "H15 limit");
	tap_ok(uri_decode(str_of(in, 129), URI_PATH, buf, 128, &out) == URI_BAD, "H15 limit + 1");
	for (size_t i = 0; i < sizeof(in); i += 3)
		memcpy(in + i, "%61", 3);
	tap_ok(uri_decode(str_of(in, 3 * 128), URI_PATH, buf, 128, &out) == URI_OK && out.n == 128,
	       "H15 limit, encoded");
	tap_ok(uri_decode(str_of(in, 3 * 129), URI_PATH, buf, 128, &out) == URI_BAD,
	       "H15 limit + 1, encoded");
	tap_ok(uri_decode(STR_NONE, URI_PATH, NULL, 0, &out) == URI_OK && !str_absent(out),
	       "absent decodes to empty");
	tap_ok(uri_decode(STR("ab"), URI_QUERY, buf, 128, &out) == URI_OK && out.p != buf,
	       "nothing to decode, nothing copied");
}

static const struct query_row {
	const char *name, *query;
	const char *key;
	enum uri_result result;
	const char *want;
} query_rows[] = {
	{ "the first", "user_id=ann&b=1", "user_id", URI_OK, "ann" },
	{ "the last", "b=1&user_id=ann", "user_id", URI_OK, "ann" },
	{ "not there", "b=1", "user_id", URI_ABSENT, "" },
	{ "no query", "", "user_id", URI_ABSENT, "" },
	{ "empty value", "user_id=", "user_id", URI_OK, "" },
	{ "no value", "user_id&b", "user_id", URI_OK, "" },
	{ "no name", "=ann", "user_id", URI_ABSENT, "" },
	{ "a value with =", "a=b=c", "a", URI_OK, "b=c" },
	{ "names are exact", "User_id=1&user_id2=2&user_i=3", "user_id", URI_ABSENT, "" },
	{ "an encoded name", "user%5Fid=ann", "user_id", URI_OK, "ann" },
	{ "a name that does not decode", "user%5id=ann", "user_id", URI_ABSENT, "" },
	{ "twice", "user_id=a&user_id=b", "user_id", URI_DUPLICATE, "" },
	{ "twice the same", "user_id=a&user_id=a", "user_id", URI_DUPLICATE, "" },
	{ "twice, one name encoded", "user_id=a&%75ser_id=b", "user_id", URI_DUPLICATE, "" },
	{ "empty pieces", "&&a=1&&", "a", URI_OK, "1" },
	{ "; does not separate", "a=1;b=2", "a", URI_OK, "1;b=2" },
	{ "plus and escapes", "a=x+y%20z%2B", "a", URI_OK, "x y z+" },
	{ "a bad value", "a=%zz", "a", URI_BAD, "" },
	{ "another's bad value", "b=%zz&a=1", "a", URI_OK, "1" },
};

static void test_query(void)
{
	char buf[32];
	struct str out;

	for (size_t i = 0; i < sizeof(query_rows) / sizeof(query_rows[0]); i++) {
		const struct query_row *r = &query_rows[i];
		struct str query = guarded(r->query, strlen(r->query));
		enum uri_result got =
			uri_query_get(query, str_of(r->key, strlen(r->key)), buf, sizeof(buf), &out);

		tap_ok(got == r->result && str_eq(out, str_of(r->want, strlen(r->want))), "query: %s",
		       r->name);
		if (got != r->result)
			printf("# got %s, want %s\n", result_names[got], result_names[r->result]);
	}
	tap_ok(uri_query_get(STR_NONE, STR("a"), buf, sizeof(buf), &out) == URI_ABSENT, "query: absent");
}

static const struct path_row {
	const char *name, *path, *want;
} path_rows[] = {
	{ "the root", "/", "ok 0" },
	{ "one", "/ws", "ok 1 ws" },
	{ "the longest we serve", "/api/v1/presence/ann/devices", "ok 5 api v1 presence ann devices" },
	{ "a final slash", "/ws/", "ok 2 ws " },
	{ "two slashes", "//", "ok 2  " },
	{ "empty inside", "/a//b", "ok 3 a  b" },
	{ "decoded behind the split", "/presence/a%2Fb/%41", "ok 3 presence a/b A" },
	{ "a fixed name, encoded", "/%68ealth", "ok 1 health" },
	{ "dots in a name", "/...", "ok 1 ..." },
	{ "a dot file", "/.a", "ok 1 .a" },
	{ "plus", "/a+b", "ok 1 a+b" },
	{ "H15 .", "/./a", "bad" },
	{ "H15 ..", "/a/..", "bad" },
	{ "H15 %2e%2e", "/presence/%2e%2e", "bad" },
	{ "H15 .%2E", "/presence/.%2E/x", "bad" },
	{ "H15 %2e", "/%2e", "bad" },
	{ "H15 %00", "/presence/a%00", "bad" },
	{ "H15 %GG", "/%GG/a", "bad" },
	{ "H15 double encoding", "/%252e%252e", "bad" },
	{ "H15 overlong", "/%c0%ae%c0%ae", "bad" },
	{ "the asterisk", "*", "bad" },
	{ "nothing", "", "bad" },
	{ "eight segments", "/1/2/3/4/5/6/7/8", "ok 8 1 2 3 4 5 6 7 8" },
	{ "nine segments", "/1/2/3/4/5/6/7/8/9", "too long" },
	{ "eight and a slash", "/1/2/3/4/5/6/7/8/", "too long" },
};

static void test_path(void)
{
	for (size_t i = 0; i < sizeof(path_rows) / sizeof(path_rows[0]); i++) {
		const struct path_row *r = &path_rows[i];
		struct feed_trace t = { 0 };
		struct uri_path path;
		char buf[64];
		size_t n = strlen(r->path);
		enum uri_result got = uri_path_split(guarded(r->path, n), buf, n, &path);

		feed_say(&t, "%s", result_names[got]);
		if (got == URI_OK)
			feed_say(&t, " %zu", path.n);
		for (size_t s = 0; got == URI_OK && s < path.n; s++)
			feed_say(&t, " %.*s", (int)path.segments[s].n, path.segments[s].p);
		tap_is_str(t.text, r->want, r->name);
	}
	{
		struct uri_path path;
		char buf[4];

		tap_ok(uri_path_split(STR("/%41b/%43d"), buf, 4, &path) == URI_OK, "two segments share the room");
		tap_ok(uri_path_split(STR("/%41b/%43d"), buf, 3, &path) == URI_BAD, "and have no more than that");
	}
}

static const struct authority_row {
	const char *in, *want;
} authority_rows[] = {
	{ "a", "a -" },
	{ "A.b-c_d~1", "A.b-c_d~1 -" },
	{ "az09AZ.xyz", "az09AZ.xyz -" },
	{ "[1111:2222:3333:4444:5555:6666:255.255.255.255]:1", "[1111:2222:3333:4444:5555:6666:255.255.255.255] 1" },
	{ "a:0", "a 0" },
	{ "a:65535", "a 65535" },
	{ "a:00080", "a 80" },
	{ "a:", "a -" },
	{ "127.0.0.1:80", "127.0.0.1 80" },
	{ "[::1]", "[::1] -" },
	{ "[::ffff:1.2.3.4]:8", "[::ffff:1.2.3.4] 8" },
	{ "", "no" },
	{ ":80", "no" },
	{ "a:65536", "no" },
	{ "a:000080", "no" },
	{ "a:+1", "no" },
	{ "a:1:2", "no" },
	{ "a:b", "no" },
	{ "u@a", "no" },
	{ "a b", "no" },
	{ "a/", "no" },
	{ "a,b", "no" },
	{ "a%41", "no" },
	{ "[", "no" },
	{ "[]", "no" },
	{ "[1:2", "no" },
	{ "[:]", "no" },
	{ "[::g]", "no" },
	{ "[::1]a", "no" },
	{ "[::1%25eth0]", "no" },
	{ "::1", "no" },
	{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999::]", "no" },
	{ "\xc3\xa4", "no" },
};

static void test_authority(void)
{
	struct uri_authority a, b;

	for (size_t i = 0; i < sizeof(authority_rows) / sizeof(authority_rows[0]); i++) {
		const struct authority_row *r = &authority_rows[i];
		struct feed_trace t = { 0 };

		if (!uri_authority(guarded(r->in, strlen(r->in)), &a))
			feed_say(&t, "no");
		else if (a.has_port)
			feed_say(&t, "%.*s %u", (int)a.host.n, a.host.p, (unsigned)a.port);
		else
			feed_say(&t, "%.*s -", (int)a.host.n, a.host.p);
		tap_ok(strcmp(t.text, r->want) == 0, "H14 authority `%s`: %s", r->in, r->want);
	}
	tap_ok(uri_authority(STR("A:80"), &a) && uri_authority(STR("a"), &b) && uri_authority_eq(&a, &b, 80),
	       "default port");
	tap_ok(!uri_authority_eq(&a, &b, 443), "another default port");
}

int main(void)
{
	test_decode();
	test_length();
	test_query();
	test_path();
	test_authority();
	return tap_done();
}
