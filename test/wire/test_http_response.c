/*
 * wire/http_response: every row of RELIABILITY H1-H11 as a client meets it, and the three ways a body ends. A
 * row's answer is a trace: `head STATUS {header named x}`, then `done BODY @USED` or `bad @USED` (where a
 * verdict falls, whatever the split), or what the end of the stream comes to: `end done BODY`, `end bad`.
 */
#include "feed.h"
#include "base/limits.h"
#include "wire/http_response.h"

#define S(literal) literal, sizeof(literal) - 1
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

enum { CAP = 16 };

struct subject {
	struct http_response r;
	char head[HTTP_RESPONSE_HEAD_BYTES_MAX];
	uint8_t *body;
	size_t cap, used;
	bool drop, head_only, over;
};

static void begin(void *ctx)
{
	struct subject *s = ctx;

	memset(s->head, 0xa5, sizeof(s->head));
	http_response_init(&s->r, s->head, s->drop ? NULL : s->body, s->cap);
	s->r.drop_body = s->drop;
	s->r.head_only = s->head_only;
	s->used = 0;
	s->over = false;
}

static void say_body(const struct subject *s, struct feed_trace *t)
{
	if (s->r.body_bytes > 100)
		feed_say(t, " *%zu", s->r.body_bytes);
	else
		feed_say(t, " `%.*s`", (int)s->r.body_bytes, (const char *)s->r.body);
}

static void step(void *ctx, char *in, size_t n, struct feed_trace *t)
{
	struct subject *s = ctx;
	enum http_response_result result;
	size_t used;

	if (s->over)
		return;
	do {
		struct str x;

		result = http_response_feed(&s->r, (const uint8_t *)in, n, &used);
		assert(used <= n);
		in += used;
		n -= used;
		s->used += used;
		if (result != HTTP_RESPONSE_HEAD)
			break;
		x = http_response_header(&s->r, STR("x"));
		feed_say(t, "head %u", s->r.status);
		if (!str_absent(x))
			feed_say(t, " {%.*s}", (int)x.n, x.p);
		feed_say(t, " ");
	} while (true);
	assert(s->r.body_bytes <= s->cap);
	if (result == HTTP_RESPONSE_MORE) {
		assert(n == 0);
		return;
	}
	s->over = true;
	if (result == HTTP_RESPONSE_DONE) {
		feed_say(t, "done");
		say_body(s, t);
	} else {
		feed_say(t, "bad");
	}
	feed_say(t, " @%zu", s->used);
	assert(http_response_feed(&s->r, (const uint8_t *)"x", 1, &used) == result && used == 0);
}

static void end(void *ctx, struct feed_trace *t)
{
	struct subject *s = ctx;

	if (s->over)
		return;
	if (http_response_end(&s->r) == HTTP_RESPONSE_DONE) {
		feed_say(t, "end done");
		say_body(s, t);
	} else {
		feed_say(t, "end bad");
	}
}

static struct subject state;
static const struct feed_subject subject = { &state, begin, step, end, false };

static const struct row {
	const char *id, *name;
	const char *in;
	size_t n;
	const char *want;
} rows[] = {
	/* The three ways. */
	{ "9112 6.2", "a length", S(OK "Content-Length: 3\r\n\r\nabc"), "head 200 done `abc` @41" },
	{ "9112 6.2", "a length of 0", S(OK "Content-Length: 0\r\n\r\n"), "head 200 done `` @38" },
	{ "9112 6.2", "what follows stays", S(OK "Content-Length: 3\r\n\r\nabcHTTP"), "head 200 done `abc` @41" },
	{ "9112 6.2", "a cut body", S(OK "Content-Length: 3\r\n\r\nab"), "head 200 end bad" },
	{ "9112 6.3", "up to the end", S(OK "\r\nabc"), "head 200 end done `abc`" },
	{ "9112 6.3", "up to the end, nothing", S(OK "\r\n"), "head 200 end done ``" },
	{ "9112 6.3", "up to the end, HTTP/1.0", S("HTTP/1.0 404 no\r\n\r\nabc"), "head 404 end done `abc`" },
	{ "9112 7.1", "chunks", S(CHUNKED "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nX"), "head 200 done `abcde` @67" },
	{ "9112 7.1", "no chunk but the last", S(CHUNKED "0\r\n\r\n"), "head 200 done `` @52" },
	{ "9112 7.1", "hex of either case", S(CHUNKED "a\r\n0123456789\r\n00006\r\nabcdef\r\n000\r\n\r\n"),
	  "head 200 done `0123456789abcdef` @84" },
	{ "9112 7.1", "size A", S(CHUNKED "A\r\n0123456789\r\n0\r\n\r\n"), "head 200 done `0123456789` @67" },
	{ "9112 7.1.1", "extensions are passed over", S(CHUNKED "1;a=b;c=\"d\"\r\nx\r\n0;z\r\n\r\n"),
	  "head 200 done `x` @70" },
	{ "9112 7.1.2", "trailers are passed over", S(CHUNKED "1\r\nx\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n"),
	  "head 200 done `x` @83" },
	{ "9112 7.1", "cut in a chunk", S(CHUNKED "3\r\nab"), "head 200 end bad" },
	{ "9112 7.1", "cut between chunks", S(CHUNKED "3\r\nabc\r\n"), "head 200 end bad" },
	{ "9112 7.1", "cut before the last empty line", S(CHUNKED "3\r\nabc\r\n0\r\n"), "head 200 end bad" },
	{ "9112 7", "chunked in any case", S(OK "transfer-ENCODING:  Chunked \r\n\r\n0\r\n\r\n"), "head 200 done `` @54" },
	/* Bodies that are not there. */
	{ "9112 6.3", "204", S("HTTP/1.1 204 No Content\r\n\r\nabc"), "head 204 done `` @27" },
	{ "9112 6.3", "204 of length 0", S("HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n"), "head 204 done `` @36" },
	{ "9110 8.6", "204 with a length", S("HTTP/1.1 204 \r\nContent-Length: 1\r\n\r\nx"), "bad @36" },
	{ "9112 6.1", "204 in chunks", S("HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n"), "bad @45" },
	{ "9112 6.3", "304 with a length", S("HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n"), "head 304 done `` @36" },
	{ "6455 4.1", "101 ends with its head", S("HTTP/1.1 101 \r\nx: y\r\n\r\n\x81\x01a"), "head 101 {y} done `` @23" },
	{ "9110 15.2", "1xx are skipped", S("HTTP/1.1 100 Continue\r\nx: 1\r\n\r\nHTTP/1.1 103 \r\nx: 2\r\n\r\n" OK "x: 3\r\n\r\n"),
	  "head 200 {3} end done ``" },
	{ "9110 15.2", "a 1xx and no more", S("HTTP/1.1 100 Continue\r\n\r\n"), "end bad" },
	{ "9110 8.6", "a 1xx with a length", S("HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\n"), "bad @44" },
	{ "9112 6.1", "a 1xx in chunks", S("HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad @53" },
	{ "9110 15.2", "8 of 1xx", S("HTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\n"
		"HTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 404 \r\n\r\n"),
	  "head 404 end done ``" },
	{ "9110 15.2", "9 of 1xx", S("HTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\n"
		"HTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\nHTTP/1.1 102 \r\n\r\n" OK "\r\n"),
	  "bad @153" },
	/* Status lines. */
	{ "9112 4", "no reason", S("HTTP/1.1 200 \r\n\r\n"), "head 200 end done ``" },
	{ "9112 4", "not even the blank before it", S("HTTP/1.1 200\r\n\r\n"), "head 200 end done ``" },
	{ "9112 4", "a reason in Latin-1", S("HTTP/1.1 500 \xe4\t!\r\n\r\n"), "head 500 end done ``" },
	{ "9112 4", "status 599", S("HTTP/1.1 599 \r\n\r\n"), "head 599 end done ``" },
	{ "9110 15", "status 600", S("HTTP/1.1 600 \r\n\r\n"), "bad @10" },
	{ "9110 15", "status 099", S("HTTP/1.1 099 \r\n\r\n"), "bad @10" },
	{ "9112 4", "status of 2 digits", S("HTTP/1.1 20 OK\r\n\r\n"), "bad @12" },
	{ "9112 4", "status of 4 digits", S("HTTP/1.1 2000 OK\r\n\r\n"), "bad @13" },
	{ "9112 4", "status +20", S("HTTP/1.1 +20 OK\r\n\r\n"), "bad @10" },
	{ "9112 4", "two blanks", S("HTTP/1.1  200 OK\r\n\r\n"), "bad @10" },
	{ "9112 4", "a tab", S("HTTP/1.1\t200 OK\r\n\r\n"), "bad @9" },
	{ "H2", "a NUL in the reason", S("HTTP/1.1 200 a\0b\r\n\r\n"), "bad @15" },
	{ "H13", "HTTP/1.2", S("HTTP/1.2 200 OK\r\n\r\n"), "bad @8" },
	{ "H13", "HTTP/2", S("HTTP/2 200 OK\r\n\r\n"), "bad @6" },
	{ "H13", "HTTP/1.11", S("HTTP/1.11 200 OK\r\n\r\n"), "bad @9" },
	{ "H13", "http/1.1", S("http/1.1 200 OK\r\n\r\n"), "bad @1" },
	{ "H13", "ICY 200 OK", S("ICY 200 OK\r\n\r\n"), "bad @1" },
	{ "T14", "another protocol", S("SSH-2.0-x\r\n"), "bad @1" },
	{ "T14", "TLS where HTTP was asked", S("\x15\x03\x01\0\x02\x02\x46"), "bad @1" },
	{ "T14", "HTML alone (HTTP/0.9)", S("<html>"), "bad @1" },
	{ "T14", "nothing", S(""), "end bad" },
	{ "T14", "half a head", S("HTTP/1.1 200 OK\r\nContent-"), "end bad" },
	{ "9112 2.2", "an empty line before it", S("\r\n" OK "\r\n"), "bad @1" },
	{ "H1", "bare LF after the status line", S("HTTP/1.1 200 OK\n\n"), "bad @16" },
	{ "H2", "bare CR after the status line", S("HTTP/1.1 200 OK\r\r\n"), "bad @17" },
	/* Headers. */
	{ "H1", "bare LF after a header", S(OK "a: b\n\r\n"), "bad @22" },
	{ "H1", "bare LF for the empty line", S(OK "a: b\r\n\n"), "bad @24" },
	{ "H2", "bare CR in a value", S(OK "a: b\rc\r\n\r\n"), "bad @23" },
	{ "H2", "a NUL in a value", S(OK "a: \0\r\n\r\n"), "bad @21" },
	{ "H2", "DEL in a value", S(OK "a: \x7f\r\n\r\n"), "bad @21" },
	{ "H2", "CR CR LF", S(OK "\r\r\n"), "bad @19" },
	{ "H3", "obs-fold", S(OK "x: b\r\n c\r\n\r\n"), "bad @24" },
	{ "H3", "obs-fold with a tab", S(OK "x: b\r\n\tc\r\n\r\n"), "bad @24" },
	{ "H3", "a blank before the colon", S(OK "x : b\r\n\r\n"), "bad @19" },
	{ "H3", "a blank before the first header", S(OK " x: b\r\n\r\n"), "bad @18" },
	{ "H4", "no name", S(OK ": b\r\n\r\n"), "bad @18" },
	{ "H4", "no colon", S(OK "x\r\n\r\n"), "bad @19" },
	{ "H5", "no token", S(OK "x\"y: b\r\n\r\n"), "bad @19" },
	{ "H6", "0xa0 is no blank", S(OK "Transfer-Encoding: \xa0" "chunked\r\n\r\n"), "bad @46" },
	{ "9110 5.5", "blanks around a value", S(OK "X:\t  a b \t\r\n\r\n"), "head 200 {a b} end done ``" },
	{ "9110 5.5", "an empty value", S(OK "x:\r\n\r\n"), "head 200 {} end done ``" },
	{ "9110 5.3", "a header twice is not told", S(OK "x: a\r\nX: b\r\n\r\n"), "head 200 end done ``" },
	{ "9110 5.1", "a name that begins like it", S(OK "xy: a\r\n\r\n"), "head 200 end done ``" },
	/* Content-Length. */
	{ "H7", "+3", S(OK "Content-Length: +3\r\n\r\nabc"), "bad @37" },
	{ "H7", "-3", S(OK "Content-Length: -3\r\n\r\nabc"), "bad @37" },
	{ "H7", "0x3", S(OK "Content-Length: 0x3\r\n\r\nabc"), "bad @38" },
	{ "H7", "3 3", S(OK "Content-Length: 3 3\r\n\r\nabc"), "bad @38" },
	{ "H7", "empty", S(OK "Content-Length:\r\n\r\nabc"), "bad @34" },
	{ "H7", "a list", S(OK "Content-Length: 3, 3\r\n\r\nabc"), "bad @39" },
	{ "H7", "003 is decimal", S(OK "Content-Length: 003\r\n\r\nabc"), "head 200 done `abc` @43" },
	{ "H7", "010 is decimal", S(OK "Content-Length: 010\r\n\r\n0123456789"), "head 200 done `0123456789` @50" },
	{ "H7", "2^64", S(OK "Content-Length: 18446744073709551616\r\n\r\n"), "bad @55" },
	{ "H7", "40 digits", S(OK "Content-Length: 0000000000000000000000000000000000000003\r\n\r\n"), "bad @75" },
	{ "H8", "twice, equal", S(OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), "bad @55" },
	{ "H8", "twice, different", S(OK "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), "bad @55" },
	{ "T14", "as much as may be", S(OK "Content-Length: 16\r\n\r\n0123456789abcdef"), "head 200 done `0123456789abcdef` @55" },
	{ "T14", "one byte more, announced", S(OK "Content-Length: 17\r\n\r\n0123456789abcdefg"), "head 200 bad @39" },
	{ "T14", "2^63 - 1 announced", S(OK "Content-Length: 9223372036854775807\r\n\r\n"), "head 200 bad @56" },
	{ "T14", "one byte more, not announced", S(OK "\r\n0123456789abcdefg"), "head 200 bad @35" },
	{ "T14", "as much as may be, not announced", S(OK "\r\n0123456789abcdef"), "head 200 end done `0123456789abcdef`" },
	/* Transfer-Encoding. */
	{ "H9", "CL, then TE", S(OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad @64" },
	{ "H9", "TE, then CL", S(OK "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), "bad @64" },
	{ "H9", "TE in HTTP/1.0", S("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad @45" },
	{ "H10", "gzip, chunked", S(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), "bad @51" },
	{ "H10", ",chunked", S(OK "Transfer-Encoding: ,chunked\r\n\r\n"), "bad @46" },
	{ "H10", "chunked, chunked", S(OK "Transfer-Encoding: chunked, chunked\r\n\r\n"), "bad @54" },
	{ "H10", "twice", S(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad @73" },
	{ "H10", "identity", S(OK "Transfer-Encoding: identity\r\n\r\n"), "bad @46" },
	{ "H10", "blegh", S(OK "Transfer-Encoding: blegh\r\n\r\n"), "bad @43" },
	/* Chunks. */
	{ "H11", "0x2", S(CHUNKED "0x2\r\nab\r\n0\r\n\r\n"), "head 200 bad @49" },
	{ "H11", "-1", S(CHUNKED "-1\r\n"), "head 200 bad @48" },
	{ "H11", "+1", S(CHUNKED "+1\r\n"), "head 200 bad @48" },
	{ "H11", "0_2e", S(CHUNKED "0_2e\r\n"), "head 200 bad @49" },
	{ "H11", "a blank before", S(CHUNKED " 0\r\n\r\n"), "head 200 bad @48" },
	{ "H11", "a blank after", S(CHUNKED "0 \r\n\r\n"), "head 200 bad @49" },
	{ "H11", "no size", S(CHUNKED "\r\n"), "head 200 bad @48" },
	{ "H11", "an extension and no size", S(CHUNKED ";a\r\n"), "head 200 bad @48" },
	{ "H11", "16 digits", S(CHUNKED "0000000000000001\r\nx\r\n0\r\n\r\n"), "head 200 done `x` @73" },
	{ "H11", "17 digits", S(CHUNKED "00000000000000001\r\nx\r\n0\r\n\r\n"), "head 200 bad @64" },
	{ "H11", "2^64 - 1", S(CHUNKED "ffffffffffffffff\r\n"), "head 200 bad @65" },
	{ "H11", "bare LF after a size", S(CHUNKED "1\nx\r\n"), "head 200 bad @49" },
	{ "H11", "bare CR after a size", S(CHUNKED "1\rx\r\n"), "head 200 bad @50" },
	{ "H11", "bare LF after an extension", S(CHUNKED "1;a\nx\r\n"), "head 200 bad @51" },
	{ "H11", "bare CR in an extension", S(CHUNKED "1;a\rb\r\nx\r\n"), "head 200 bad @52" },
	{ "H11", "a chunk longer than its size", S(CHUNKED "1\r\nxy\r\n"), "head 200 bad @52" },
	{ "H11", "bare LF after a chunk", S(CHUNKED "1\r\nx\n0\r\n\r\n"), "head 200 bad @52" },
	{ "H11", "bare CR after a chunk", S(CHUNKED "1\r\nx\rx"), "head 200 bad @53" },
	{ "H11", "a trailer without a colon", S(CHUNKED "0\r\nX\r\n\r\n"), "head 200 bad @52" },
	{ "H11", "a trailer without a name", S(CHUNKED "0\r\n: x\r\n\r\n"), "head 200 bad @51" },
	{ "H11", "a folded trailer", S(CHUNKED "0\r\nX: y\r\n z\r\n\r\n"), "head 200 bad @57" },
	{ "H11", "bare LF after a trailer", S(CHUNKED "0\r\nX: y\n\r\n"), "head 200 bad @55" },
	{ "H11", "bare CR in a trailer", S(CHUNKED "0\r\nX: y\rz"), "head 200 bad @56" },
	{ "H11", "bare CR at the end", S(CHUNKED "0\r\n\rx"), "head 200 bad @52" },
	{ "T14", "as much as may be", S(CHUNKED "8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n"),
	  "head 200 done `0123456701234567` @78" },
	{ "T14", "the chunk that crosses", S(CHUNKED "8\r\n01234567\r\n9\r\n01234567"), "head 200 bad @63" },
};

/* --- rows that are made --- */

static char big[FEED_BYTES_MAX];
static size_t big_bytes;

static void put(const char *text)
{
	memcpy(big + big_bytes, text, strlen(text));
	big_bytes += strlen(text);
}

static void put_times(char c, size_t n)
{
	memset(big + big_bytes, c, n);
	big_bytes += n;
}

static void head_of(size_t bytes)
{
	big_bytes = 0;
	put(OK "Content-Length: 0\r\nx: ");
	put_times('a', bytes - big_bytes - 4);
	put("\r\n\r\n");
}

static void headers(size_t n)
{
	big_bytes = 0;
	put(OK);
	for (size_t i = 0; i < n; i++)
		put("a: b\r\n");
	put("\r\n");
}

static void chunks_of_one(size_t n)
{
	big_bytes = 0;
	put(CHUNKED);
	for (size_t i = 0; i < n; i++)
		put("1\r\nx\r\n");
	put("0\r\n\r\n");
}

static void check_big(const char *want, const char *name)
{
	feed_check(&subject, big, big_bytes, want, name);
}

static void test_limits(void)
{
	char want[64];

	state.cap = 65536;
	head_of(HTTP_RESPONSE_HEAD_BYTES_MAX);
	tap_ok(big_bytes == HTTP_RESPONSE_HEAD_BYTES_MAX, "the row has as many bytes as it should");
	feed_check(&subject, big, big_bytes, NULL, "H16 a head as long as may be");
	tap_ok(state.r.status == 200 && state.over, "H16 and it is complete");
	head_of(HTTP_RESPONSE_HEAD_BYTES_MAX + 1);
	check_big("bad @8193", "H16 one byte longer");
	headers(HTTP_HEADERS_MAX);
	check_big("head 200 end done ``", "H16 as many headers as may be");
	headers(HTTP_HEADERS_MAX + 1);
	snprintf(want, sizeof(want), "bad @%zu", big_bytes - 2);
	check_big(want, "H16 one header more");
	chunks_of_one(2000);
	snprintf(want, sizeof(want), "head 200 done *2000 @%zu", big_bytes);
	check_big(want, "H11 2000 chunks of one byte");
	chunks_of_one(2800);
	check_big("head 200 bad @16430", "H11 2800 chunks of one byte");
	big_bytes = 0;
	put(CHUNKED "1;");
	put_times('a', 100000);
	check_big("head 200 bad @8240", "H11 an endless extension");
	big_bytes = 0;
	put(CHUNKED "0\r\n");
	for (int i = 0; i < 3000; i++)
		put("a: b\r\n");
	check_big("head 200 bad @8240", "H11 endless trailers");
	big_bytes = 0;
	put(OK "\r\n");
	put_times('x', 65536);
	check_big("head 200 end done *65536", "T14 a whole body");
	put_times('x', 1);
	check_big("head 200 bad @65555", "T14 and one byte");
	state.cap = CAP;
}

static void test_choices(void)
{
	state.drop = true;
	feed_check(&subject, S(OK "\r\n0123456789abcdef"), "head 200 end done ``", "a body that is dropped");
	feed_check(&subject, S(OK "\r\n0123456789abcdefg"), "head 200 bad @35", "is counted all the same");
	feed_check(&subject, S(CHUNKED "3\r\nabc\r\n0\r\n\r\n"), "head 200 done `` @60", "in chunks too");
	state.drop = false;
	state.head_only = true;
	feed_check(&subject, S(OK "Content-Length: 99\r\n\r\n"), "head 200 done `` @39", "9112 6.3 the answer to HEAD");
	feed_check(&subject, S(CHUNKED), "head 200 done `` @47", "9112 6.3 and in chunks");
	state.head_only = false;
	state.cap = 0;
	feed_check(&subject, S(OK "Content-Length: 0\r\n\r\n"), "head 200 done `` @38", "no room, no body");
	feed_check(&subject, S(OK "Content-Length: 1\r\n\r\nx"), "head 200 bad @38", "no room, one byte");
	state.cap = CAP;
}

/* After a head that broke off at its limit, asking for headers reads nothing beyond it. */
static void test_header_after_bad(void)
{
	size_t used;

	big_bytes = 0;
	put(OK "x: ");
	put_times('a', HTTP_RESPONSE_HEAD_BYTES_MAX - big_bytes - 1);
	put("\r\n\r\n");
	begin(&state);
	tap_ok(http_response_feed(&state.r, (uint8_t *)big, big_bytes, &used) == HTTP_RESPONSE_BAD,
	       "H16 a head cut at its CR");
	tap_ok(http_response_header(&state.r, STR("y")).p == NULL, "H16 has no such header");
	big_bytes -= 4;
	put("aaaa");
	begin(&state);
	tap_ok(http_response_feed(&state.r, (uint8_t *)big, big_bytes, &used) == HTTP_RESPONSE_BAD,
	       "H16 a head cut within a value");
	tap_ok(http_response_header(&state.r, STR("x")).p == NULL, "H16 that header is not there");
}

/* The end of the stream behind a body that is whole, and behind a malformed one, changes no verdict. */
static void test_end_after_verdict(void)
{
	static const char good[] = OK "Content-Length: 3\r\n\r\nabc", bad[] = OK " x: b\r\n\r\n";
	size_t used;

	begin(&state);
	http_response_feed(&state.r, (const uint8_t *)good, sizeof(good) - 1, &used);
	tap_ok(http_response_feed(&state.r, NULL, 0, &used) == HTTP_RESPONSE_MORE, "9112 6.2 head first, body under way");
	http_response_feed(&state.r, (const uint8_t *)good + 38, 3, &used);
	tap_ok(http_response_end(&state.r) == HTTP_RESPONSE_DONE, "9112 6.2 the end behind a whole body");
	begin(&state);
	http_response_feed(&state.r, (const uint8_t *)bad, sizeof(bad) - 1, &used);
	tap_ok(http_response_end(&state.r) == HTTP_RESPONSE_BAD, "H3 the end behind a malformed head");
}

int main(void)
{
	static uint8_t body[65536];
	char name[160];

	state.body = body;
	state.cap = CAP;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "%s %s", rows[i].id, rows[i].name);
		feed_check(&subject, rows[i].in, rows[i].n, rows[i].want, name);
	}
	test_limits();
	test_choices();
	test_header_after_bad();
	test_end_after_verdict();
	return tap_done();
}
