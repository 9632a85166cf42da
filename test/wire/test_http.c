/*
 * wire/http and wire/http_write: every row of RELIABILITY section A that a parser decides, and what the page
 * leaves open. A row's answer is a trace: `bad STATUS label @N` (recognised at the N-th byte of that request,
 * whatever the split), or `ok HEAD_BYTES METHOD PATH[?QUERY] 1.MINOR [@AUTHORITY] [len=N] FLAGS
 * {name=value;...}` per request, then `more` if a further one has begun. Flags: K keep-alive, E expects 100,
 * U Upgrade header, C Connection: upgrade, L Content-Length.
 */
#include <time.h>

#include "feed.h"
#include "wire/http.h"
#include "wire/http_write.h"

#define S(literal) literal, sizeof(literal) - 1
#define GET "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"

struct subject {
	struct http_parser parser;
	size_t base; /* where the current request begins */
	bool dead;
	bool begun;
};

static void begin(void *ctx)
{
	struct subject *s = ctx;

	*s = (struct subject){ 0 };
	http_parser_init(&s->parser);
}

static void say_request(struct feed_trace *t, const struct http_request *r)
{
	feed_say(t, "ok %zu %.*s %.*s", r->head_bytes, (int)r->method_text.n, r->method_text.p,
		 (int)r->path.n, r->path.p);
	if (!str_absent(r->query))
		feed_say(t, "?%.*s", (int)r->query.n, r->query.p);
	feed_say(t, " 1.%u ", r->minor);
	if (!str_absent(r->authority))
		feed_say(t, "@%.*s ", (int)r->authority.n, r->authority.p);
	if (r->content_length > 0)
		feed_say(t, "len=%u ", (unsigned)r->content_length);
	feed_say(t, "%s%s%s%s%s{", r->keep_alive ? "K" : "", r->expect_continue ? "E" : "",
		 r->has_upgrade ? "U" : "", r->connection_upgrade ? "C" : "",
		 r->has_content_length ? "L" : "");
	for (size_t i = 0; i < r->header_count; i++) {
		const struct http_header *h = &r->headers[i];

		if (r->header_count <= 10)
			feed_say(t, "%.*s=%.*s;", (int)h->name.n, h->name.p, (int)h->value.n, h->value.p);
	}
	feed_say(t, "}");
	if (r->header_count > 10)
		feed_say(t, "*%zu", r->header_count);
}

static void step(void *ctx, char *in, size_t n, struct feed_trace *t)
{
	static struct http_request req;
	struct subject *s = ctx;

	while (!s->dead) {
		enum http_result r;

		s->begun = n > s->base;
		memset(&req, 0xa5, sizeof(req));
		r = http_parse(&s->parser, in + s->base, n - s->base, &req);
		if (r == HTTP_BAD) {
			enum http_error e = (enum http_error)s->parser.error;
			struct str name = http_error_name(e);

			feed_say(t, "bad %u %.*s @%u", http_error_status(e), (int)name.n, name.p,
				 s->parser.scanned);
			s->dead = true;
			assert(http_parse(&s->parser, in + s->base, n - s->base, &req) == HTTP_BAD);
			return;
		}
		if (r == HTTP_MORE || n - s->base < req.head_bytes + req.content_length)
			return;
		say_request(t, &req);
		s->base += req.head_bytes + req.content_length;
		http_parser_init(&s->parser);
		if (s->base == n) {
			s->begun = false;
			return;
		}
	}
}

static void end(void *ctx, struct feed_trace *t)
{
	struct subject *s = ctx;

	if (s->begun && !s->dead)
		feed_say(t, "more");
}

static struct subject state;
static const struct feed_subject subject = { &state, begin, step, end, true };

static const struct row {
	const char *id, *name;
	const char *in;
	size_t n;
	const char *want;
} rows[] = {
	/* What must work. */
	{ "9112 3", "the smallest request", S(GET HOST "\r\n"), "ok 27 GET / 1.1 @a K{Host=a;}" },
	{ "9112 3", "a cut request waits", S(GET "Hos"), "more" },
	{ "9112 3", "nothing is not begun", S(""), "" },
	{ "9112 2.2", "one empty line before it", S("\r\n" GET HOST "\r\n"),
	  "ok 29 GET / 1.1 @a K{Host=a;}" },
	{ "9112 2.2", "two empty lines before it", S("\r\n\r\n" GET HOST "\r\n"), "bad 400 method_bytes @3" },
	{ "9112 2.2", "a bare LF before it", S("\n" GET HOST "\r\n"), "bad 400 method_bytes @1" },
	{ "9112 2.2", "a bare CR before it", S("\rGET / HTTP/1.1\r\n"), "bad 400 line_end @2" },
	{ "9112 3.2.1", "path and query", S("GET /ws?a=b?c&d=%20 HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 41 GET /ws?a=b?c&d=%20 1.1 @a K{Host=a;}" },
	{ "9112 3.2.1", "empty query", S("GET /? HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 28 GET /? 1.1 @a K{Host=a;}" },
	{ "9112 3.2.2", "absolute-form, its host wins", S("GET http://b:81/p?q HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 41 GET /p?q 1.1 @b:81 K{Host=a;}" },
	{ "9112 3.2.2", "absolute-form, no path", S("GET HTTPS://b?q HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 37 GET /?q 1.1 @b K{Host=a;}" },
	{ "9112 3.2.2", "absolute-form, nothing behind the host", S("GET http://b HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 34 GET / 1.1 @b K{Host=a;}" },
	{ "9112 3.2.2", "absolute-form, cut behind http://", S("GET http:// HTTP/1.1\r\n"), "bad 400 target @12" },
	{ "9112 3.2.2", "absolute-form, cut behind https://", S("GET https:// HTTP/1.1\r\n"), "bad 400 target @13" },
	{ "9112 3.2.2", "absolute-form, empty host", S("GET http:///p HTTP/1.1\r\n"), "bad 400 target @14" },
	{ "9112 3.2.2", "absolute-form, user", S("GET http://u@b/p HTTP/1.1\r\n"), "bad 400 target @17" },
	{ "9112 3.2.2", "absolute-form, other scheme", S("GET ftp://b/p HTTP/1.1\r\n"),
	  "bad 400 target @14" },
	{ "9112 3.2.4", "asterisk-form", S("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 31 OPTIONS * 1.1 @a K{Host=a;}" },
	{ "9112 3.2.4", "asterisk for GET", S("GET * HTTP/1.1\r\n"), "bad 400 target @6" },
	{ "9112 3.2.4", "asterisk and more", S("OPTIONS *x HTTP/1.1\r\n"), "bad 400 target @11" },
	{ "9112 3.2", "target without slash", S("GET ?userId=a HTTP/1.1\r\n"), "bad 400 target @5" },
	{ "9112 5.1", "spaces around a value go, inside stay", S(GET HOST "v: \t a \t b \t \r\n\r\n"),
	  "ok 42 GET / 1.1 @a K{Host=a;v=a \t b;}" },
	{ "9112 5", "empty value; no space; colons", S(GET HOST "v:\r\nw:  \r\nx::1:\r\n\r\n"),
	  "ok 44 GET / 1.1 @a K{Host=a;v=;w=;x=:1:;}" },
	{ "9110 5.5", "obs-text is a value", S(GET HOST "v: \xc3\xa4\r\n\r\n"),
	  "ok 34 GET / 1.1 @a K{Host=a;v=\xc3\xa4;}" },
	{ "9110 5.6.2", "every tchar in a name", S(GET HOST "!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n"),
	  "ok 53 GET / 1.1 @a K{Host=a;!#$%&'*+-.^_`|~09azAZ=1;}" },
	{ "9112 3.2", "what browsers leave in a query",
	  S("GET /?[]{}|^`\\~!$&'()*+,;=:@- HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 51 GET /?[]{}|^`\\~!$&'()*+,;=:@- 1.1 @a K{Host=a;}" },
	{ "9110 5.1", "names as long as those that mean something",
	  S(GET HOST "abcd: 1\r\nabcdefg: 1\r\nabcdefghij: 1\r\nabcdefghijklmn: 1\r\n\r\n"),
	  "ok 82 GET / 1.1 @a K{Host=a;abcd=1;abcdefg=1;abcdefghij=1;abcdefghijklmn=1;}" },
	{ "9112 9.3", "Connection: close, any case, in a list", S(GET HOST "Connection: x, CLOSE\r\n\r\n"),
	  "ok 49 GET / 1.1 @a {Host=a;Connection=x, CLOSE;}" },
	{ "9112 9.3", "two Connection headers",
	  S(GET HOST "connection: upgrade\r\nConnection: close\r\n\r\n"),
	  "ok 67 GET / 1.1 @a C{Host=a;connection=upgrade;Connection=close;}" },
	{ "9112 9.3", "1.0 closes", S("GET / HTTP/1.0\r\n\r\n"), "ok 18 GET / 1.0 {}" },
	{ "9112 9.3", "1.0 with keep-alive", S("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
	  "ok 42 GET / 1.0 K{Connection=Keep-Alive;}" },
	{ "9112 6.3", "a body", S("POST /x HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"),
	  "ok 48 POST /x 1.1 @a len=3 KL{Host=a;Content-Length=3;}" },
	{ "9112 6.3", "POST without a length has no body", S("POST /x HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 29 POST /x 1.1 @a K{Host=a;}" },
	{ "9112 6.3", "a GET may have a body", S(GET HOST "Content-Length: 1\r\n\r\nx"),
	  "ok 46 GET / 1.1 @a len=1 KL{Host=a;Content-Length=1;}" },

	/* H1 to H6: line ends, spaces, names, values. */
	{ "H1", "bare LF ends the request line", S("GET / HTTP/1.1\nHost: a\n\n"),
	  "bad 400 version_bytes @15" },
	{ "H1", "bare LF ends a header", S(GET "Host: a\n\n"), "bad 400 header_value @24" },
	{ "H1", "bare LF ends the head", S(GET HOST "\n"), "bad 400 header_name @26" },
	{ "H1", "LF CR", S(GET "Host: a\n\r"), "bad 400 header_value @24" },
	{ "H2", "bare CR in a value", S(GET "v: a\rb\r\n"), "bad 400 line_end @22" },
	{ "H2", "CR CR LF", S(GET "v: a\r\r\n"), "bad 400 line_end @22" },
	{ "H2", "head ended by CRLF CR X", S(GET HOST "\rX"), "bad 400 line_end @27" },
	{ "H2", "NUL in a value", S(GET "v: a\0b\r\n"), "bad 400 header_value @21" },
	{ "H2", "other controls in a value", S(GET "v: a\x1b[2J\r\n"), "bad 400 header_value @21" },
	{ "H2", "DEL in a value", S(GET "v: a\x7f\r\n"), "bad 400 header_value @21" },
	{ "H2", "request line ended by CR X", S("GET / HTTP/1.1\rX"), "bad 400 line_end @16" },
	{ "H3", "space before the colon", S(GET "Content-Length : 34\r\n"), "bad 400 header_name @31" },
	{ "H3", "tab before the colon", S(GET "Content-Length\t: 34\r\n"), "bad 400 header_name @31" },
	{ "H3", "space before the first header", S(GET " Host: a\r\n"), "bad 400 header_name @17" },
	{ "H3", "obs-fold", S(GET HOST "v: a\r\n b\r\n\r\n"), "bad 400 header_name @32" },
	{ "H3", "obs-fold with a tab", S(GET HOST "v: a\r\n\tb\r\n\r\n"), "bad 400 header_name @32" },
	{ "H3", "a name split over lines", S(GET "Content-\r\nLength: 1\r\n"), "bad 400 header_name @25" },
	{ "H4", "empty name", S(GET ":\r\n"), "bad 400 header_name @17" },
	{ "H4", "empty name with a value", S(GET ": x\r\n"), "bad 400 header_name @17" },
	{ "H4", "no colon", S(GET HOST "abc\r\n\r\n"), "bad 400 header_name @29" },
	{ "H6", "0xa0 is no space: TE",
	  S(GET HOST "Transfer-Encoding: \xa0"
		     "chunked\r\n\r\n"),
	  "bad 411 transfer_encoding @56" },
	{ "H6", "0xa0 is no space: length",
	  S(GET "Content-Length: \xa0"
		"1\r\n"),
	  "bad 400 content_length @36" },
	{ "H6", "0x85 is no space: Expect", S(GET HOST "Expect: 100-continue\x85\r\n\r\n"),
	  "bad 417 expect @50" },
	{ "H6", "0xff stays in the value",
	  S(GET HOST "v: \xff"
		     "a\xff\r\n\r\n"),
	  "ok 35 GET / 1.1 @a K{Host=a;v=\xff"
	  "a\xff;}" },

	/* H7 to H11, H18, H20: framing. */
	{ "H7", "length +1_0", S(GET "Content-Length: +1_0\r\n"), "bad 400 content_length @38" },
	{ "H7", "length -48", S(GET "Content-Length: -48\r\n"), "bad 400 content_length @37" },
	{ "H7", "length 0x10", S(GET "Content-Length: 0x10\r\n"), "bad 400 content_length @38" },
	{ "H7", "length 1Z", S(GET "Content-Length: 1Z\r\n"), "bad 400 content_length @36" },
	{ "H7", "length empty", S(GET "Content-Length: \r\n"), "bad 400 content_length @34" },
	{ "H7", "length 1,1", S(GET "Content-Length: 1,1\r\n"), "bad 400 content_length @37" },
	{ "H7", "length 1 1", S(GET "Content-Length: 1 1\r\n"), "bad 400 content_length @37" },
	{ "H7", "length 2^63", S(GET "Content-Length: 9223372036854775808\r\n"),
	  "bad 400 content_length @53" },
	{ "H7", "length 2^64", S(GET "Content-Length: 18446744073709551616\r\n"),
	  "bad 400 content_length @54" },
	{ "H7", "length of 40 digits", S(GET "Content-Length: 0000000000000000000000000000000000000001\r\n"),
	  "bad 400 content_length @74" },
	{ "H7", "length 2^63-1 is a number, too large",
	  S(GET HOST "Content-Length: 9223372036854775807\r\n\r\n"), "bad 413 body_size @64" },
	{ "H7", "length 010 is ten", S("PUT / HTTP/1.1\r\n" HOST "Content-Length: 010\r\n\r\n0123456789"),
	  "ok 48 PUT / 1.1 @a len=10 KL{Host=a;Content-Length=010;}" },
	{ "H8", "two lengths, equal", S(GET "Content-Length: 1\r\ncontent-length: 1\r\n"),
	  "bad 400 content_length @54" },
	{ "H8", "two lengths, not equal", S(GET "Content-Length: 1\r\nContent-Length: 2\r\n"),
	  "bad 400 content_length @54" },
	{ "H8", "two lengths, the first too large", S(GET "Content-Length: 99999\r\nContent-Length: 2\r\n"),
	  "bad 400 content_length @58" },
	{ "H9", "length, then TE", S(GET HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
	  "bad 400 framing @74" },
	{ "H9", "TE, then length", S(GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"),
	  "bad 400 framing @74" },
	{ "H9", "TE in 1.0", S("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	  "bad 400 framing @46" },
	{ "H10", "TE chunked, body never parsed", S(GET HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	  "bad 411 transfer_encoding @55" },
	{ "H10", "TE ,chunked", S(GET HOST "Transfer-Encoding: ,chunked\r\n\r\n"),
	  "bad 411 transfer_encoding @56" },
	{ "H10", "two TE headers", S(GET HOST "TRANSFER-ENCODING: a\r\ntransfer-encoding: b\r\n\r\n"),
	  "bad 411 transfer_encoding @71" },
	{ "H10", "TE blegh", S(GET HOST "Transfer-Encoding: blegh\r\n\r\n"),
	  "bad 411 transfer_encoding @53" },
	{ "H10", "TE empty", S(GET HOST "Transfer-Encoding:\r\n\r\n"), "bad 411 transfer_encoding @47" },
	{ "H10", "TE identity", S(GET HOST "Transfer-Encoding: identity\r\n\r\n"),
	  "bad 411 transfer_encoding @56" },
	{ "U9", "TE with an upgrade", S(GET HOST "Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n"),
	  "bad 400 framing @75" },
	{ "H20", "Expect: 100-continue",
	  S("PUT / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx"),
	  "ok 68 PUT / 1.1 @a len=1 KEL{Host=a;Expect=100-Continue;Content-Length=1;}" },
	{ "H20", "without a body nothing is awaited",
	  S("PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n"),
	  "ok 49 PUT / 1.1 @a K{Host=a;Expect=100-continue;}" },
	{ "H20", "in 1.0 it is ignored",
	  S("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"),
	  "ok 59 PUT / 1.0 len=1 L{Expect=100-continue;Content-Length=1;}" },
	{ "H20", "another Expect", S(GET HOST "Expect: 200-ok\r\n\r\n"), "bad 417 expect @43" },
	{ "H20", "one more Expect", S(GET HOST "Expect: 100-continue, x\r\n\r\n"), "bad 417 expect @52" },
	{ "H20", "two Expect, the second unknown", S(GET HOST "Expect: 100-continue\r\nExpect: x\r\n\r\n"),
	  "bad 417 expect @60" },

	/* H12, H13, H21: the request line. */
	{ "H12", "method G=\":<>", S("G=\":<> / HTTP/1.1\r\n"), "bad 400 method_bytes @2" },
	{ "H12", "NUL in the method", S("G\0ET / HTTP/1.1\r\n"), "bad 400 method_bytes @2" },
	{ "H12", "TLS on a plain port", S("\x16\x03\x01"), "bad 400 method_bytes @1" },
	{ "H12", "space before the method", S(" GET / HTTP/1.1\r\n"), "bad 400 method_bytes @1" },
	{ "H12", "control in the target", S("GET /a\x01 HTTP/1.1\r\n"), "bad 400 target @7" },
	{ "H12", "NUL in the target", S("GET /a\0 HTTP/1.1\r\n"), "bad 400 target @7" },
	{ "H12", "0x80 in the target", S("GET /\x80 HTTP/1.1\r\n"), "bad 400 target @6" },
	{ "H12", "UTF-8 in the target", S("GET /\xc3\xa4 HTTP/1.1\r\n"), "bad 400 target @6" },
	{ "H12", "space in the target", S("GET /a b HTTP/1.1\r\n"), "bad 400 version_bytes @8" },
	{ "H12", "DEL in the target", S("GET /\x7f HTTP/1.1\r\n"), "bad 400 target @6" },
	{ "H12", "a quote in the target", S("GET /\" HTTP/1.1\r\n"), "bad 400 target @6" },
	{ "H12", "a fragment", S("GET /a#b HTTP/1.1\r\n"), "bad 400 target @7" },
	{ "H12", "< and >", S("GET /<b> HTTP/1.1\r\n"), "bad 400 target @6" },
	{ "H12", "GET ! HTTP/1.1", S("GET ! HTTP/1.1\r\n"), "bad 400 target @5" },
	{ "H12", "GET {a} HTTP/1.1", S("GET {a} HTTP/1.1\r\n"), "bad 400 target @5" },
	{ "H12", "two spaces before the target", S("GET  / HTTP/1.1\r\n"), "bad 400 target @5" },
	{ "H12", "two spaces behind the target", S("GET /  HTTP/1.1\r\n"), "bad 400 version_bytes @7" },
	{ "H12", "tab behind the method", S("GET\t/ HTTP/1.1\r\n"), "bad 400 method_bytes @4" },
	{ "H12", "tab behind the target", S("GET /\tHTTP/1.1\r\n"), "bad 400 target @6" },
	{ "H12", "space behind the version", S("GET / HTTP/1.1 \r\n"), "bad 400 version_bytes @15" },
	{ "H13", "HTTP/1.32", S("GET / HTTP/1.32\r\n"), "bad 505 version @14" },
	{ "H13", "HTTP/1.10", S("GET / HTTP/1.10\r\n"), "bad 400 version_bytes @15" },
	{ "H13", "HTTP/1.2", S("GET / HTTP/1.2\r\n"), "bad 505 version @14" },
	{ "H13", "HTTP/4294967295.255", S("GET / HTTP/4294967295.255\r\n"), "bad 505 version @12" },
	{ "H13", "HTTP/CRCR1.1", S("GET / HTTP/\r\r1.1\r\n"), "bad 400 version_bytes @12" },
	{ "H13", "HTTP/0.9 with a version", S("GET / HTTP/0.9\r\n"), "bad 505 version @12" },
	{ "H13", "HTTP/0.9 without", S("GET /\r\n"), "bad 400 target @6" },
	{ "H13", "HTTP/2.0", S("GET / HTTP/2.0\r\n"), "bad 505 version @12" },
	{ "H13", "the preface of HTTP/2", S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "bad 505 version @4" },
	{ "H13", "http/1.1", S("GET / http/1.1\r\n"), "bad 400 version_bytes @7" },
	{ "H13", "HTTP/1,1", S("GET / HTTP/1,1\r\n"), "bad 400 version_bytes @13" },
	{ "H13", "HTTP/1.x", S("GET / HTTP/1.x\r\n"), "bad 400 version_bytes @14" },
	{ "H21", "TRACE", S("TRACE / HTTP/1.1\r\n"), "bad 501 method_unknown @6" },
	{ "H21", "CONNECT", S("CONNECT a:1 HTTP/1.1\r\n"), "bad 501 method_unknown @8" },
	{ "H21", "a method nobody knows", S("BREW / HTTP/1.1\r\n"), "bad 501 method_unknown @5" },
	{ "H21", "methods are case-sensitive", S("get / HTTP/1.1\r\n"), "bad 501 method_unknown @4" },
	{ "H21", "longer than any we know", S("PROPFIND / HTTP/1.1\r\n"), "bad 501 method_unknown @8" },
	{ "H21", "HEAD", S("HEAD / HTTP/1.1\r\n" HOST "\r\n"), "ok 28 HEAD / 1.1 @a K{Host=a;}" },
	{ "H21", "DELETE", S("DELETE / HTTP/1.1\r\n" HOST "\r\n"), "ok 30 DELETE / 1.1 @a K{Host=a;}" },
	{ "H21", "PATCH is the server's to refuse", S("PATCH / HTTP/1.1\r\n" HOST "\r\n"),
	  "ok 29 PATCH / 1.1 @a K{Host=a;}" },

	/* H14: Host. */
	{ "H14", "no Host", S(GET "\r\n"), "bad 400 host @18" },
	{ "H14", "no Host, absolute target", S("GET http://a/ HTTP/1.1\r\n\r\n"), "bad 400 host @26" },
	{ "H14", "two Hosts", S(GET HOST HOST), "bad 400 host @34" },
	{ "H14", "two Hosts in 1.0", S("GET / HTTP/1.0\r\n" HOST HOST), "bad 400 host @34" },
	{ "H14", "empty Host", S(GET "Host:\r\n"), "bad 400 host @23" },
	{ "H14", "Host with a space", S(GET "Host: a b\r\n"), "bad 400 host @27" },
	{ "H14", "Host with a user", S(GET "Host: u@a\r\n"), "bad 400 host @27" },
	{ "H14", "Host with a path", S(GET "Host: a/b\r\n"), "bad 400 host @27" },
	{ "H14", "Host with a comma", S(GET "Host: a,b\r\n"), "bad 400 host @27" },
	{ "H14", "Host with port letters", S(GET "Host: a:b\r\n"), "bad 400 host @27" },
	{ "H14", "Host with port 65536", S(GET "Host: a:65536\r\n"), "bad 400 host @31" },
	{ "H14", "Host of an open bracket", S(GET "Host: [::1\r\n"), "bad 400 host @28" },
	{ "H14", "Host IPv6 and port", S(GET "Host: [::1]:65535\r\n\r\n"),
	  "ok 37 GET / 1.1 @[::1]:65535 K{Host=[::1]:65535;}" },
	{ "H14", "Host with an empty port", S(GET "Host: a:\r\n\r\n"), "ok 28 GET / 1.1 @a: K{Host=a:;}" },

	/* H19: pipelining, as far as the parser is concerned. */
	{ "H19", "three requests",
	  S(GET HOST "\r\n"
		     "PUT / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi" GET HOST "\r\n"),
	  "ok 27 GET / 1.1 @a K{Host=a;}ok 46 PUT / 1.1 @a len=2 KL{Host=a;Content-Length=2;}ok 27 GET / 1.1 "
	  "@a K{Host=a;}" },
	{ "H19", "an invalid request behind a valid one",
	  S(GET HOST "\r\n"
		     "GET / HTTP/1.1\n"),
	  "ok 27 GET / 1.1 @a K{Host=a;}bad 400 version_bytes @15" },
	{ "H19", "a cut one behind a valid one", S(GET HOST "\r\nGE"), "ok 27 GET / 1.1 @a K{Host=a;}more" },
};

static char big[3 * HTTP_HEAD_BYTES_MAX];

static void check(const char *id, const char *name, const char *in, size_t n, const char *want)
{
	char title[160];

	snprintf(title, sizeof(title), "%s %s", id, name);
	feed_check(&subject, in, n, want, title);
}

/* H5: each byte, as the first and as a later byte of a name. */
static void test_name_bytes(void)
{
	static const char tchars[] =
		"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t wrong = 0;

	for (int c = 0; c < 256; c++) {
		bool token = c != 0 && strchr(tchars, c) != NULL;

		for (size_t at = 0; at < 2; at++) {
			char in[] = GET "nn";
			const char *want = token ? "more" : "bad 400 header_name";
			struct feed_trace t;

			in[sizeof(GET) - 1 + at] = (char)c;
			feed_run(&subject, in, sizeof(in) - 1, sizeof(in) - 1, 0, &t);
			if (at == 1 && c == ':') /* the end of the name n */
				want = "more";
			else if (at == 0 && c == '\r') /* the end of the head, and no LF */
				want = "bad 400 line_end";
			wrong += strncmp(t.text, want, strlen(want)) != 0;
		}
	}
	tap_is_u64(wrong, 0, "H5 all 256 bytes in a header name");
}

/* H2, 9110 5.5: each byte in a value; H12: in a target and in a method. */
static void test_other_bytes(void)
{
	size_t value = 0, target = 0, method = 0;

	for (int c = 0; c < 256; c++) {
		char v[] = GET "v: a?b", t[] = "GET /?b", m[] = "G?T";
		bool ctl = c < 0x20 || c == 0x7f;
		struct feed_trace tr;

		v[sizeof(v) - 3] = (char)c;
		feed_run(&subject, v, sizeof(v) - 1, sizeof(v) - 1, 0, &tr);
		value += (strcmp(tr.text, "more") == 0) != (!ctl || c == '\t');
		t[5] = (char)c;
		feed_run(&subject, t, sizeof(t) - 1, sizeof(t) - 1, 0, &tr);
		target += (strcmp(tr.text, "more") == 0) ==
			  (ctl || c >= 0x80 || c == ' ' || c == '"' || c == '#' || c == '<' || c == '>');
		m[1] = (char)c;
		feed_run(&subject, m, sizeof(m) - 1, sizeof(m) - 1, 0, &tr);
		method += (strcmp(tr.text, "more") == 0) != http_is_token(str_of(&m[1], 1));
	}
	/* In a value CR makes b the bad byte; in a method a space ends it: both are `bad` and not of that
	 * class. */
	tap_is_u64(value, 0, "H2 all 256 bytes in a value");
	tap_is_u64(target, 0, "H12 all 256 bytes in a target");
	tap_is_u64(method, 0, "H12 all 256 bytes in a method");
}

/* A head of exactly `bytes`, made of one long value; returns `bytes`. */
static size_t long_value(size_t bytes)
{
	size_t n = sizeof(GET HOST "v: ") - 1;

	memcpy(big, GET HOST "v: ", n);
	memset(big + n, 'x', bytes - n);
	memcpy(big + bytes - 4, "\r\n\r\n", 4);
	return bytes;
}

static size_t long_target(size_t bytes)
{
	static const char tail[] = " HTTP/1.1\r\n" HOST "\r\n";
	size_t tail_n = sizeof(tail) - 1;

	memcpy(big, "GET /", 5);
	memset(big + 5, 'x', bytes - 5);
	memcpy(big + bytes - tail_n, tail, tail_n);
	return bytes;
}

static size_t many_headers(size_t count)
{
	size_t n = sizeof(GET HOST) - 1;

	memcpy(big, GET HOST, n);
	for (size_t i = 1; i < count; i++) {
		memcpy(big + n, "v: 1\r\n", 6);
		n += 6;
	}
	memcpy(big + n, "\r\n", 2);
	return n + 2;
}

static void test_limits(void)
{
	char want[128];
	struct feed_trace t;

	/* H16: 8 KiB of head */
	feed_run(&subject, big, long_value(8191), 8191, 0, &t);
	check("H16", "head of limit - 1", big, 8191, t.text);
	tap_ok(strncmp(t.text, "ok 8191 ", 8) == 0, "H16 head of limit - 1 passes");
	feed_run(&subject, big, long_value(8192), 8192, 0, &t);
	check("H16", "head of limit", big, 8192, t.text);
	tap_ok(strncmp(t.text, "ok 8192 ", 8) == 0, "H16 head of limit passes");
	check("H16", "head of limit + 1", big, long_value(8193), "bad 431 head_size @8192");
	check("H16", "a head without end, known at the limit", big, long_value(9000) - 808,
	      "bad 431 head_size @8192");
	check("H16", "not known before", big, long_value(9000) - 809, "more");
	feed_run(&subject, big, long_target(8191), 8191, 0, &t);
	tap_ok(strncmp(t.text, "ok 8191 ", 8) == 0, "H16 request line: head of limit - 1 passes");
	feed_run(&subject, big, long_target(8192), 8192, 0, &t);
	tap_ok(strncmp(t.text, "ok 8192 ", 8) == 0, "H16 request line: head of limit passes");
	check("H16", "request line: head of limit + 1", big, long_target(8193), "bad 431 head_size @8192");
	check("H16", "target over 8 KiB", big, long_target(16000), "bad 431 head_size @8192");
	check("H16", "8 KiB of method", big, (memset(big, 'G', 8192), 8192), "bad 501 method_unknown @8");

	/* H16: 100 headers */
	check("H16", "99 headers", big, many_headers(99), "ok 615 GET / 1.1 @a K{}*99");
	check("H16", "100 headers", big, many_headers(100), "ok 621 GET / 1.1 @a K{}*100");
	check("H16", "101 headers", big, many_headers(101), "bad 431 header_count @620");
	check("H16", "1000 headers", big, many_headers(1000), "bad 431 header_count @620");

	/* H18: 64 KiB of body, decided on the head */
	for (unsigned n = HTTP_BODY_BYTES_MAX - 1; n <= HTTP_BODY_BYTES_MAX + 1; n++) {
		struct http_parser p;
		static struct http_request req;
		enum http_result r;
		int head =
			snprintf(big, sizeof(big), "PUT / HTTP/1.1\r\n" HOST "Content-Length: %u\r\n\r\n", n);

		http_parser_init(&p);
		r = http_parse(&p, big, (size_t)head, &req);
		snprintf(want, sizeof(want), "H18 body of limit %+d", (int)n - HTTP_BODY_BYTES_MAX);
		if (n <= HTTP_BODY_BYTES_MAX)
			tap_ok(r == HTTP_DONE && req.content_length == n && req.head_bytes == (size_t)head,
			       "%s", want);
		else
			tap_ok(r == HTTP_BAD && p.error == HTTP_ERR_BODY_SIZE, "%s", want);
	}
}

static void test_lookup(void)
{
	static const char in[] = GET "hOST: a\r\nX: 1\r\nx: 2\r\nE:\r\n\r\n";
	static struct http_request req;
	struct http_parser p;
	struct str list = STR(" a ,, b\t,c d , "), e;
	size_t n = 0;

	http_parser_init(&p);
	tap_ok(http_parse(&p, in, sizeof(in) - 1, &req) == HTTP_DONE, "a head for the look-up");
	tap_ok(str_eq(http_header(&req, STR("Host")), STR("a")), "9110 5.1 names in any case");
	tap_ok(str_eq(http_header(&req, STR("x")), STR("1")) && http_header_count(&req, STR("X")) == 2,
	       "the first of two, counted");
	tap_ok(str_absent(http_header(&req, STR("y"))) && http_header_count(&req, STR("y")) == 0, "absent");
	tap_ok(!str_absent(http_header(&req, STR("e"))) && http_header(&req, STR("e")).n == 0,
	       "empty is not absent");
	memset(&req, 0, sizeof(req));
	tap_ok(http_parse(&p, in, sizeof(in) - 1, &req) == HTTP_DONE && req.header_count == 4,
	       "filled again after DONE");
	while (http_list_next(&list, &e))
		n = n * 10 + e.n;
	tap_is_u64(n, 113, "9110 5.6.1 list elements a, b, c d");
	tap_ok(sizeof(struct http_parser) <= 32, "the parser is small");
}

struct write_row {
	const char *name;
	struct http_answer r;
	const char *want;
};

static void test_heads(void)
{
	static const struct http_header extra[] = { { { "X-A", 3 }, { "1", 1 } },
						    { { "X-B", 3 }, { "", 0 } } };
	static const struct http_header split = { { "X-A", 3 }, { "1\r\nX-B: 2", 9 } };
	static const struct http_header escape = { { "X-A", 3 }, { "1\x1b[", 3 } };
	static const struct http_header nul = { { "X-A", 3 }, { "1\0", 2 } };
	static const struct http_header tab = { { "X-A", 3 }, { "1\t2", 3 } };
	static const struct http_header del = { { "X-A", 3 }, { "1\x7f", 2 } };
	const struct write_row write_rows[] = {
		{ "200 with a length",
		  { .status = 200,
		    .content_type = STR("text/plain"),
		    .content_length = 12,
		    .keep_alive = true },
		  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nConnection: "
		  "keep-alive\r\n\r\n" },
		{ "200 chunked, extra headers, close",
		  { .status = 200, .content_length = HTTP_BODY_CHUNKED, .extra = extra, .extra_count = 2 },
		  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nX-A: 1\r\nX-B: "
		  "\r\n\r\n" },
		{ "204 has no body headers",
		  { .status = 204, .content_type = STR("a/b"), .content_length = 0, .keep_alive = true },
		  "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n" },
		{ "202 with an empty body",
		  { .status = 202, .content_length = 0, .keep_alive = true },
		  "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n" },
		{ "a body to the end of the connection",
		  { .status = 200, .content_length = HTTP_BODY_NONE },
		  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" },
		{ "a status without a phrase",
		  { .status = 299, .content_length = 0 },
		  "HTTP/1.1 299 Unknown\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" },
		{ "H22 CRLF in a value",
		  { .status = 200, .content_length = 0, .extra = &split, .extra_count = 1 },
		  "" },
		{ "H22 ESC in a value",
		  { .status = 200, .content_length = 0, .extra = &escape, .extra_count = 1 },
		  "" },
		{ "H22 NUL in a value",
		  { .status = 200, .content_length = 0, .extra = &nul, .extra_count = 1 },
		  "" },
		{ "H22 DEL in a value",
		  { .status = 200, .content_length = 0, .extra = &del, .extra_count = 1 },
		  "" },
		{ "9110 5.5 a tab in a value",
		  { .status = 200, .content_length = 0, .extra = &tab, .extra_count = 1 },
		  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nX-A: 1\t2\r\n\r\n" },
		{ "9110 6.6.1 the date",
		  { .status = 200, .date = STR("Sun, 06 Nov 1994 08:49:37 GMT"), .content_length = 0 },
		  "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" },
		{ "9110 15.2 1xx has no body headers",
		  { .status = 100, .content_type = STR("a/b"), .content_length = 0, .keep_alive = true },
		  "HTTP/1.1 100 Continue\r\nConnection: keep-alive\r\n\r\n" },
		{ "H22 LF in a content type",
		  { .status = 200, .content_type = STR("a\nb"), .content_length = 0 },
		  "" },
	};

	for (size_t i = 0; i < sizeof(write_rows) / sizeof(write_rows[0]); i++) {
		const struct write_row *w = &write_rows[i];
		size_t n = http_write_head(big, sizeof(big), &w->r), short_ok = 0;

		big[n] = '\0';
		tap_is_str(big, w->want, w->name);
		for (size_t cap = 0; cap < n; cap++)
			short_ok += http_write_head(feed_guarded("", 0) - cap, cap, &w->r) != 0;
		if (n > 0)
			tap_ok(short_ok == 0 && http_write_head(feed_guarded("", 0) - n, n, &w->r) == n,
			       "%s: at every capacity", w->name);
	}
}

/* Held against what libc says, day by day beside the rows. */
static void test_dates(void)
{
	static const struct { int64_t ms; const char *text; } dates[] = {
		{ 784111777000, "Sun, 06 Nov 1994 08:49:37 GMT" }, /* RFC 9110 5.6.7 */
		{ 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
		{ -1, "Wed, 31 Dec 1969 23:59:59 GMT" },
		{ 951868799999, "Tue, 29 Feb 2000 23:59:59 GMT" },
		{ -62135596800000, "Mon, 01 Jan 0001 00:00:00 GMT" },
		{ INT64_MIN + 1, "Mon, 01 Jan 0001 00:00:00 GMT" },
		{ 253402300799999, "Fri, 31 Dec 9999 23:59:59 GMT" },
	};
	char out[HTTP_DATE_BYTES + 1] = "", want[64];
	uint64_t wrong = 0;

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		http_date((wall_t){ dates[i].ms }, out);
		tap_is_str(out, dates[i].text, "9110 5.6.7 a date");
	}
	for (time_t t = 0; t < 150LL * 365 * 86400; t += 86399) {
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&t));
		http_date((wall_t){ (int64_t)t * 1000 }, out);
		wrong += strcmp(out, want) != 0;
	}
	tap_is_u64(wrong, 0, "9110 5.6.7 every day until 2119");
}

static void test_errors(void)
{
	const struct {
		const char *name;
		struct http_error_answer r;
		const char *want;
	} error_rows[] = {
		{ "4 JSON error",
		  { .status = 404, .keep_alive = true },
		  "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: "
		  "44\r\nConnection: keep-alive\r\n\r\n"
		  "{\"error\":{\"code\":404,\"message\":\"Not Found\"}}" },
		{ "9110 6.6.1 an error's date",
		  { .status = 404, .date = STR("Thu, 01 Jan 1970 00:00:00 GMT"), .message = STR("x") },
		  "HTTP/1.1 404 Not Found\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: application/json\r\n"
		  "Content-Length: 36\r\nConnection: close\r\n\r\n{\"error\":{\"code\":404,\"message\":\"x\"}}" },
		{ "H21 405 carries Allow",
		  { .status = 405, .allow = STR("GET, HEAD"), .message = STR("no"), .keep_alive = true },
		  "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: "
		  "37\r\n"
		  "Connection: keep-alive\r\nAllow: GET, "
		  "HEAD\r\n\r\n{\"error\":{\"code\":405,\"message\":\"no\"}}" },
		{ "H21 HEAD has no body",
		  { .status = 404, .head_only = true },
		  "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: "
		  "44\r\nConnection: close\r\n\r\n" },
		{ "U3 426 says what to upgrade to",
		  { .status = 426, .message = STR("x") },
		  "HTTP/1.1 426 Upgrade Required\r\nContent-Type: application/json\r\nContent-Length: 36\r\n"
		  "Connection: close, upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
		  "{\"error\":{\"code\":426,\"message\":\"x\"}}" },
		{ "U3 426 and the connection stays",
		  { .status = 426, .message = STR("x"), .keep_alive = true },
		  "HTTP/1.1 426 Upgrade Required\r\nContent-Type: application/json\r\nContent-Length: 36\r\n"
		  "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
		  "{\"error\":{\"code\":426,\"message\":\"x\"}}" },
		{ "2 503 says when to come back",
		  { .status = 503, .retry_after_s = 7, .message = STR("x") },
		  "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: "
		  "36\r\n"
		  "Connection: close\r\nRetry-After: 7\r\n\r\n{\"error\":{\"code\":503,\"message\":\"x\"}}" },
		{ "9110 11.6.1 401 names its scheme",
		  { .status = 401, .message = STR("x") },
		  "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 36\r\n"
		  "Connection: close\r\nWWW-Authenticate: "
		  "Bearer\r\n\r\n{\"error\":{\"code\":401,\"message\":\"x\"}}" },
		{ "6750 3.1 401 says that the token was bad",
		  { .status = 401, .message = STR("x"), .bad_token = true },
		  "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 36\r\n"
		  "Connection: close\r\nWWW-Authenticate: "
		  "Bearer error=\"invalid_token\"\r\n\r\n{\"error\":{\"code\":401,\"message\":\"x\"}}" },
		{ "H22 a message cannot leave its string",
		  { .status = 400, .message = STR("\"\\\r\n\x1b\xff") },
		  "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: "
		  "58\r\nConnection: close\r\n\r\n"
		  "{\"error\":{\"code\":400,\"message\":\"\\\"\\\\\\u000d\\u000a\\u001b?\"}}" },
	};

	for (size_t i = 0; i < sizeof(error_rows) / sizeof(error_rows[0]); i++) {
		size_t n = http_write_error(big, sizeof(big), &error_rows[i].r), short_ok = 0;

		big[n] = '\0';
		tap_is_str(big, error_rows[i].want, error_rows[i].name);
		for (size_t cap = 0; cap < n; cap++)
			short_ok += http_write_error(feed_guarded("", 0) - cap, cap, &error_rows[i].r) != 0;
		tap_ok(short_ok == 0, "%s: too small a buffer gives 0", error_rows[i].name);
	}
	big[http_write_chunk_size(big, sizeof(big), 0x1f40)] = '\0';
	tap_is_str(big, "1f40\r\n", "9112 7.1 chunk size");
	tap_ok(http_write_chunk_size(big, 5, 0x1f40) == 0, "9112 7.1 chunk size that does not fit");
}

static void test_tables(void)
{
	size_t wrong = 0;

	for (int e = HTTP_ERR_NONE + 1; e < HTTP_ERROR_COUNT; e++) {
		unsigned status = http_error_status((enum http_error)e);

		wrong += status < 400 || status > 599 || str_eq(http_reason(status), STR("Unknown"));
		wrong += http_error_name((enum http_error)e).n == 0;
		wrong += memchr(http_error_text((enum http_error)e).p, ' ', http_error_text((enum http_error)e).n) == NULL;
	}
	tap_is_u64(wrong, 0, "every error has a status with a phrase, a label, and words");
	tap_ok(str_eq(http_error_name(HTTP_ERR_NONE), STR("none")), "no error is called none");
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].id, rows[i].name, rows[i].in, rows[i].n, rows[i].want);
	test_name_bytes();
	test_other_bytes();
	test_limits();
	test_lookup();
	test_heads();
	test_dates();
	test_errors();
	test_tables();
	return tap_done();
}
