/* cluster/resp_guard. RELIABILITY R1, R2; the rows without an id are the protocol's own (RESP2). */
#include <stdlib.h>

#include "cluster/resp_guard.h"
#include "feed.h"

static void begin(void *ctx)
{
	resp_guard_init(ctx);
}

static void step(void *ctx, char *in, size_t n, struct feed_trace *t)
{
	struct resp_guard *g = ctx;
	bool was_bad = g->state == RESP_GUARD_FAULT;

	if (!resp_guard_feed(g, in, n) && !was_bad)
		feed_say(t, "fault(%.*s)", (int)g->why.n, g->why.p);
}

static void end(void *ctx, struct feed_trace *t)
{
	const struct resp_guard *g = ctx;

	feed_say(t, " replies=%u%s", (unsigned)g->replies,
	         g->state == RESP_GUARD_FAULT                     ? ""
	         : g->state == RESP_GUARD_TYPE && g->depth == 0 ? " done"
	                                                          : " more");
}

static struct resp_guard guard;
static const struct feed_subject subject = { .ctx = &guard, .begin = begin, .step = step, .end = end };

#define ROW(name, text, want) { name, text, sizeof(text) - 1, want }

static const struct {
	const char *name, *text;
	size_t n;
	const char *want;
} rows[] = {
	ROW("nothing", "", " replies=0 done"),
	ROW("a status, an error, a number", "+OK\r\n-ERR no\r\n:-42\r\n", " replies=3 done"),
	ROW("values: empty, binary, none", "$0\r\n\r\n$4\r\n\r\n\0x\r\n$-1\r\n", " replies=3 done"),
	ROW("arrays: empty, none, of arrays", "*0\r\n*-1\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", " replies=3 done"),
	ROW("a message", "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n", " replies=1 done"),
	ROW("an array that ends with an empty one", "*2\r\n:1\r\n*0\r\n:7\r\n", " replies=2 done"),
	ROW("half of a message", "*3\r\n$7\r\nmessage\r\n$1\r\n", " replies=0 more"),
	ROW("an empty status", "+\r\n", " replies=1 done"),
	ROW("the largest and smallest number", ":9223372036854775807\r\n:-9223372036854775807\r\n",
	    " replies=2 done"),
	ROW("R2 a number too large", ":9223372036854775808\r\n", "fault(a number is too large) replies=0"),
	ROW("R2 a number of 20 digits", ":10000000000000000000\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 no number", ":\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 only a sign", ":-\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 minus nothing", ":-0\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 a leading zero", ":01\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 a plus", ":+1\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 a blank", "$ 1\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 hexadecimal", "$0x10\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 two signs", "$--1\r\n", "fault(a malformed number) replies=0"),
	ROW("R2 $-2", "$-2\r\n", "fault(a negative length) replies=0"),
	ROW("R2 *-2", "*-2\r\n", "fault(a negative length) replies=0"),
	ROW("R2 $2147483648", "$2147483648\r\n", "fault(a value is too long) replies=0"),
	ROW("R2 a value one byte too long", "$1048577\r\n", "fault(a value is too long) replies=0"),
	ROW("R2 the longest value", "$1048576\r\n", " replies=0 more"),
	ROW("R2 *4294967295", "*4294967295\r\n", "fault(an array is too long) replies=0"),
	ROW("R2 an element too many", "*1025\r\n", "fault(an array is too long) replies=0"),
	ROW("R2 %2^62", "%4611686018427387904\r\n", "fault(not RESP2) replies=0"),
	ROW("RESP3: a set", "~1\r\n", "fault(not RESP2) replies=0"),
	ROW("RESP3: a push", ">3\r\n", "fault(not RESP2) replies=0"),
	ROW("RESP3: nil, bool, double, big, verbatim, attribute in an array", "*1\r\n_\r\n",
	    "fault(not RESP2) replies=0"),
	ROW("RESP3: a double", "*1\r\n,1.5\r\n", "fault(not RESP2) replies=0"),
	ROW("RESP3: a verbatim text", "=15\r\ntxt:Some string\r\n", "fault(not RESP2) replies=0"),
	ROW("RESP3: an attribute", "|1\r\n", "fault(not RESP2) replies=0"),
	ROW("not Redis: HTTP", "HTTP/1.1 400\r\n", "fault(not RESP2) replies=0"),
	ROW("not Redis: TLS", "\x15\x03\x03", "fault(not RESP2) replies=0"),
	ROW("no CR", "+OK\n", "fault(a line ends without CR) replies=0"),
	ROW("no LF", "+OK\rx", "fault(a line has a CR in it) replies=0"),
	ROW("two CR", "+OK\r\r\n", "fault(a line has a CR in it) replies=0"),
	ROW("a number's line without LF", ":1\rx", "fault(a line has a CR in it) replies=0"),
	ROW("a value longer than it said", "$1\r\nxy\r\n", "fault(a value is longer than it said) replies=0"),
	ROW("a value, and LF alone", "$1\r\nx\n", "fault(a value is longer than it said) replies=0"),
	ROW("a value, and CR alone", "$1\r\nx\rx", "fault(a value is longer than it said) replies=0"),
	ROW("what was good before a fault counts", "+OK\r\n:1\r\n?", "fault(not RESP2) replies=2"),
	ROW("R1 arrays 8 deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n+\r\n", " replies=2 done"),
	ROW("R1 arrays 9 deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
	    "fault(arrays are nested too deep) replies=0"),
	ROW("R1 an empty array at depth 9 nests no further",
	    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n", " replies=1 done"),
};

static void lines(void)
{
	static char text[RESP_LINE_BYTES_MAX + 16];

	for (int over = 0; over < 2; over++) {
		size_t n = RESP_LINE_BYTES_MAX + (size_t)over;

		memset(text, 'x', sizeof(text));
		text[0] = '-';
		memcpy(text + 1 + n, "\r\n", 2);
		feed_check(&subject, text, n + 3,
		           over ? "fault(a line is too long) replies=0" : " replies=1 done",
		           over ? "R2 a line one byte too long" : "R2 the longest line");
	}
}

/* An array of 1024 values of 1 KiB and a little more is within every bound but that of the whole. */
static void whole(void)
{
	static char text[2 << 20];
	size_t n = (size_t)sprintf(text, "*1024\r\n");
	struct resp_guard g;
	bool good;

	for (int i = 0; i < 1024; i++) {
		n += (size_t)sprintf(text + n, "$1100\r\n");
		memset(text + n, 'x', 1100);
		n += 1100;
		n += (size_t)sprintf(text + n, "\r\n");
	}
	resp_guard_init(&g);
	good = resp_guard_feed(&g, text, n);
	tap_ok(!good && g.replies == 0 && str_eq(g.why, STR("an answer is too long")), "R2 an answer too long");
	resp_guard_init(&g);
	n = (size_t)sprintf(text, "$%d\r\n", RESP_BULK_BYTES_MAX);
	memset(text + n, 'x', RESP_BULK_BYTES_MAX);
	n += RESP_BULK_BYTES_MAX;
	n += (size_t)sprintf(text + n, "\r\n");
	good = resp_guard_feed(&g, text, n) && resp_guard_feed(&g, text, n) && resp_guard_feed(&g, text, n);
	tap_ok(good && g.replies == 3, "the longest value, again and again");
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		feed_check(&subject, rows[i].text, rows[i].n, rows[i].want, rows[i].name);
	lines();
	whole();
	return tap_done();
}
