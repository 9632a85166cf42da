/*
 * The WebSocket codec against RFC 6455, RELIABILITY section C (F1..F23), and the cases of the Autobahn test
 * suite (AB n.n.n, groups 1 to 7 and 10), as rows: frames in, the whole trace out. Each row runs whole,
 * byte by byte, at every 2-way split (of long rows: at the ends, and every 997 bytes), and each piece lies
 * flush against a guard page.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"
#include "wire/ws_trace.h"

/* How a row spells a frame. `b0` is the first byte as it stands on the wire; RAW copies bytes as they are. */
struct fr {
	uint8_t b0;
	bool raw;
	const char *p;
	size_t n;
	size_t fill; /* bytes of p[0] instead of p */
};

#define S(s) "" s, sizeof(s) - 1, 0
#define TEXT(s) { 0x81, 0, S(s) }
#define TEXT_(s) { 0x01, 0, S(s) }
#define BIN(s) { 0x82, 0, S(s) }
#define BIN_(s) { 0x02, 0, S(s) }
#define CONT(s) { 0x80, 0, S(s) }
#define CONT_(s) { 0x00, 0, S(s) }
#define PING(s) { 0x89, 0, S(s) }
#define PONG(s) { 0x8a, 0, S(s) }
#define CLOSE(s) { 0x88, 0, S(s) }
#define FRAME(b0, s) { b0, 0, S(s) }
#define FILL(b0, c, count) { b0, 0, c, 1, count }
#define RAW(s) { 0, 1, S(s) }

enum { FRAMES_MAX = 14, STREAM_BYTES_MAX = 600000 };

struct ws_case {
	const char *ref, *name;
	struct fr frames[FRAMES_MAX];
	const char *want;
};

static const struct ws_limits echo = { .message_bytes_max = 16 << 20, .fragments_max = 65536 };
static const struct ws_limits tight = { .message_bytes_max = 100, .fragments_max = 4 };
static const struct ws_limits deflated = { .message_bytes_max = 100, .fragments_max = 4, .rsv1 = true };
static const struct ws_limits client = { .message_bytes_max = 100, .fragments_max = 4,
                                         .peer_is_server = true };

#define KOSME "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
#define HELLO "Hello-\xc2\xb5@\xc3\x9f\xc3\xb6\xc3\xa4\xc3\xbc\xc3\xa0\xc3\xa1-UTF-8!!"
#define Z4 "\0\0\0\0"

#include "wire/ws_cases.h"

static uint8_t *guard_end; /* writable bytes before it, none from it on */
static uint8_t stream[STREAM_BYTES_MAX];

static bool guard_init(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (STREAM_BYTES_MAX / page + 1) * page;
	uint8_t *p = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + room, page, PROT_NONE) != 0)
		return false;
	guard_end = p + room;
	return true;
}

static void feed_guarded(struct ws_trace *t, const uint8_t *p, size_t n)
{
	memcpy(guard_end - n, p, n);
	ws_trace_feed(t, guard_end - n, n);
}

/* Runs stream[0..n) in pieces of `first`, then `step` bytes. */
static void run(struct ws_trace *t, const struct ws_limits *lim, size_t n, size_t first, size_t step)
{
	ws_trace_init(t, lim);
	for (size_t at = 0, piece = first; at < n && !t->failed; at += piece, piece = step)
		feed_guarded(t, stream + at, piece = piece < n - at ? piece : n - at);
	ws_trace_free(t);
}

static size_t build(const struct fr *f, bool masked)
{
	size_t n = 0;

	for (unsigned i = 0; i < FRAMES_MAX && f[i].p != NULL; i++) {
		uint8_t key[4] = { (uint8_t)(0x37 + i), 0xfa, 0x21, 0x3d };
		size_t len = f[i].fill > 0 ? f[i].fill : f[i].n, head;

		if (f[i].raw) {
			memcpy(stream + n, f[i].p, len);
			n += len;
			continue;
		}
		/* as text: the row's own first byte may be one that the encoder refuses */
		head = masked ? ws_frame_header_masked(stream + n, WS_TEXT, true, len, key)
		              : ws_frame_header(stream + n, WS_TEXT, true, len);
		stream[n] = f[i].b0;
		n += head;
		for (size_t k = 0; k < len; k++) {
			uint8_t b = (uint8_t)f[i].p[f[i].fill > 0 ? 0 : k];

			stream[n + k] = masked ? b ^ key[k & 3] : b;
		}
		n += len;
	}
	return n;
}

static bool same(const struct ws_trace *t, const char *want, const char *how, size_t at)
{
	if (strcmp(t->out, want) == 0)
		return true;
	printf("# %s %zu\n# got  %s\n# want %s\n", how, at, t->out, want);
	return false;
}

static bool run_every_way(const struct ws_case *c, const struct ws_limits *lim)
{
	static struct ws_trace t;
	size_t n = build(c->frames, !lim->peer_is_server);

	run(&t, lim, n, n, n);
	if (!same(&t, c->want, "whole", n))
		return false;
	run(&t, lim, n, 1, 1);
	if (!same(&t, c->want, "byte by byte", 1))
		return false;
	for (size_t at = 1; at < n; at += n > 2000 && at > 600 && at + 200 < n ? 997 : 1) {
		run(&t, lim, n, at, n);
		if (!same(&t, c->want, "split at", at))
			return false;
	}
	for (size_t step = 2; step < 8; step++) {
		run(&t, lim, n, step, step);
		if (!same(&t, c->want, "in pieces of", step))
			return false;
	}
	return true;
}

static void run_cases(const struct ws_case *c, size_t count, const struct ws_limits *lim)
{
	for (size_t i = 0; i < count; i++)
		tap_ok(run_every_way(&c[i], lim), "%s: %s", c[i].ref, c[i].name);
}

#define RUN_CASES(cases, lim) run_cases(cases, sizeof(cases) / sizeof((cases)[0]), lim)

/* F14: every code there is. */
static void test_close_codes(void)
{
	static struct ws_trace t;
	unsigned wrong = 0;

	for (unsigned code = 0; code <= 65535; code++) {
		bool want = (code >= 1000 && code < 1004) || (code > 1006 && code < 1015) ||
		            (code >= 3000 && code < 5000);
		const uint8_t in[8] = { 0x88, 0x82, 0, 0, 0, 0, (uint8_t)(code >> 8), (uint8_t)code };
		char expect[48];

		snprintf(expect, sizeof(expect), want ? "close(%u)" : "fail(1002,bad_close_code)@8", code);
		memcpy(stream, in, sizeof(in));
		run(&t, &tight, sizeof(in), sizeof(in), 0);
		wrong += strcmp(t.out, expect) != 0 || ws_frame_code_valid(code) != want;
	}
	tap_is_u64(wrong, 0, "F14 AB 7.7 7.9 7.13: all 65536 close codes");
}

/* 5.2: every first byte, between messages and inside one. */
static void test_first_bytes(void)
{
	static struct ws_trace t;
	unsigned wrong = 0;

	for (unsigned b = 0; b < 512; b++) {
		bool inside = b > 255, fin = (b & 0x80) != 0;
		unsigned op = b & 15;
		bool legal = op == 0 ? inside : op <= 2 ? !inside : op >= 8 && op <= 10 && fin;
		bool good = (b & 0x70) == 0 && legal;
		size_t n = inside ? 6 : 0;

		memcpy(stream, "\x01\x80" Z4, n);
		memcpy(stream + n, "\0\x80" Z4, 6);
		stream[n] = (uint8_t)b;
		run(&t, &tight, n + 6, n + 6, 0);
		wrong += t.failed == good || (t.failed && t.consumed != n + 1);
	}
	tap_is_u64(wrong, 0, "F7 F8 F9 F10: all 512 first bytes, judged at the first byte");
}

static void test_mask(void)
{
	uint8_t want[72], got[72];
	unsigned wrong = 0;

	for (unsigned align = 0; align < 8; align++) {
		for (unsigned n = 0; n <= 64; n++) {
			for (unsigned phase = 0; phase < 4; phase++) {
				uint8_t key[4] = { 0x81, 0x42, 0x24, 0x18 }, turned[4];

				for (unsigned i = 0; i < 4; i++)
					turned[i] = key[(phase + i) & 3];
				for (unsigned i = 0; i < sizeof(got); i++)
					want[i] = got[i] = (uint8_t)(i * 7 + n);
				for (unsigned i = 0; i < n; i++)
					want[align + i] ^= key[(phase + i) & 3];
				ws_frame_mask(got + align, n, turned);
				wrong += memcmp(want, got, sizeof(got)) != 0;
				for (unsigned i = 0; i < 4; i++)
					wrong += turned[i] != key[(phase + n + i) & 3];
			}
		}
	}
	tap_is_u64(wrong, 0,
	       "5.3: masking by words is masking by bytes, 8 alignments x 65 lengths x 4 phases");
}

static bool header_is(enum ws_opcode op, bool fin, uint64_t n, const char *want, size_t want_n)
{
	uint8_t out[WS_HEADER_BYTES_MAX], masked[WS_HEADER_BYTES_MAX], key[4] = { 1, 2, 3, 4 };
	size_t plain_n = ws_frame_header(out, op, fin, n);
	size_t masked_n = ws_frame_header_masked(masked, op, fin, n, key);

	return plain_n == want_n && memcmp(out, want, want_n) == 0 && masked_n == want_n + 4 &&
	       masked[0] == out[0] && masked[1] == (out[1] | 0x80) &&
	       memcmp(masked + 2, out + 2, want_n - 2) == 0 && memcmp(masked + want_n, key, 4) == 0;
}

static void test_encoder(void)
{
	uint8_t out[WS_FRAME_CONTROL_BYTES_MAX];
	char reason[130];
	size_t n;

	tap_ok(header_is(WS_TEXT, true, 0, "\x81\0", 2), "F23 5.2: header for 0 bytes");
	tap_ok(header_is(WS_TEXT, false, 125, "\x01\x7d", 2), "F23 5.2: header for 125 bytes, no FIN");
	tap_ok(header_is(WS_BINARY, true, 126, "\x82\x7e\0\x7e", 4), "F23 5.2: header for 126 bytes");
	tap_ok(header_is(WS_CONTINUATION, true, 65535, "\x80\x7e\xff\xff", 4),
	       "F23 5.2: header for 65535 bytes");
	tap_ok(header_is(WS_TEXT, true, 65536, "\x81\x7f\0\0\0\0\0\1\0\0", 10),
	       "F23 5.2: header for 65536 bytes");
	tap_ok(header_is(WS_TEXT, true, INT64_MAX, "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10),
	       "F23 5.2: header for 2^63-1 bytes");
	tap_ok(header_is(WS_PONG, true, 125, "\x8a\x7d", 2), "F23 5.5: header of the longest pong");

	n = ws_frame_control(out, WS_PONG, STR("Hello"));
	tap_ok(n == 7 && memcmp(out, "\x8a\x05Hello", 7) == 0, "5.7: unmasked pong, the RFC's bytes");
	n = ws_frame_control(out, WS_CLOSE, STR_NONE);
	tap_ok(n == 2 && memcmp(out, "\x88\0", 2) == 0, "5.5.1: empty close");
	n = ws_frame_close(out, 1001, STR("bye"));
	tap_ok(n == 7 && memcmp(out, "\x88\x05\x03\xe9" "bye", 7) == 0,
	       "F23 5.5.1: close with code and reason");
	n = ws_frame_close(out, 4999, STR_NONE);
	tap_ok(n == 4 && memcmp(out, "\x88\x02\x13\x87", 4) == 0, "F23 5.5.1: close without reason");
	memset(reason, 'r', sizeof(reason));
	n = ws_frame_close(out, 1000, str_of(reason, 123));
	tap_ok(n == 127 && out[1] == 125 && out[126] == 'r', "F23 5.5: a reason of 123 bytes is whole");
	memcpy(reason + 121, "\xe2\x82\xac", 3);
	n = ws_frame_close(out, 1000, str_of(reason, 130));
	tap_ok(n == 125 && out[1] == 123 && out[124] == 'r',
	       "F23 5.5: a longer reason is cut before a code point");
}

/* AB 9.3.1: 4 MiB in frames of 64 bytes and an empty one to end it, as the echo listener must take it. */
static void test_many_fragments(void)
{
	static struct ws_trace t;
	enum { FRAME = 64, COUNT = (4 << 20) / FRAME };
	uint8_t frame[6 + FRAME];

	ws_trace_init(&t, &echo);
	for (unsigned i = 0; i < COUNT; i++) {
		memset(frame, '*', sizeof(frame));
		memcpy(frame, "\0\xc0" Z4, 6);
		frame[0] = i == 0;
		ws_trace_feed(&t, frame, sizeof(frame));
	}
	ws_trace_feed(&t, (uint8_t[]){ 0x80, 0x80, 0, 0, 0, 0 }, 6);
	tap_is_str(t.out, "text(4194304*'*')", "F18 AB 9.3.1: 4 MiB in 65536 fragments and their end");
	ws_trace_free(&t);
}

/* The caller's view of what a trace joins: how many pieces, where they lie, what is still to come. */
static void test_pieces(void)
{
	struct ws_dec d;
	struct ws_event ev;
	uint8_t in[] = "\x81\x85\0\0\0\0Hello\x01\xff\0\0\0\0\0\1\0\0\0\0\0\0ab";
	uint8_t control[WS_CONTROL_BYTES_MAX];
	uint8_t ping[] = "\x89\x84" "aaaa" "\x11\x08\x0f\x06";
	struct ws_limits lim = echo;

	ws_dec_init(&d);
	tap_is_u64(ws_dec_feed(&d, &lim, NULL, in, sizeof(in) - 1, &ev), 11, "a whole message is one event");
	tap_ok(ev.first && ev.last && ev.p == in + 6 && ev.n == 5 && ev.frame_remaining == 0,
	       "... and no copy");
	ws_dec_feed(&d, &lim, NULL, in + 11, sizeof(in) - 12, &ev);
	tap_ok(ev.type == WS_EV_DATA && ev.first && !ev.last && ev.n == 2 && ev.frame_remaining == 65534,
	       "a cut frame says how much of it is to come");
	lim.message_bytes_max = 10;
	memset(in, 'x', 11);
	ws_dec_feed(&d, &lim, NULL, in, 11, &ev);
	tap_ok(ev.type == WS_EV_DATA && ev.message_bytes == 13,
	       "a limit that shrinks leaves the begun frame alone");

	ws_dec_init(&d);
	memcpy(in, "\x01\x85" Z4 "Hello\x80\x80", 13);
	lim.message_bytes_max = 5;
	ws_dec_feed(&d, &lim, NULL, in, 11, &ev);
	lim.message_bytes_max = 4;
	tap_ok(ws_dec_feed(&d, &lim, NULL, in + 11, 2, &ev) == 2 && ev.err == WS_ERR_TOO_BIG,
	       "F5: ... and refuses the next, even an empty one");

	ws_dec_init(&d);
	tap_ok(ws_dec_feed(&d, &lim, NULL, ping, 8, &ev) == 6 && ev.type == WS_EV_NEED_CONTROL,
	       "5.5: a cut ping asks for scratch, its payload not consumed");
	tap_ok(ws_dec_feed(&d, &lim, NULL, ping + 6, 2, &ev) == 0 && ev.type == WS_EV_NEED_CONTROL,
	       "... and asks again");
	tap_ok(memcmp(ping + 6, "\x11\x08", 2) == 0 && !ws_dec_keeps_control(&d),
	       "... nor changed, and nothing is kept");
	tap_ok(ws_dec_feed(&d, &lim, control, ping + 6, 2, &ev) == 2 && ev.type == WS_EV_NONE &&
	               ws_dec_keeps_control(&d),
	       "... then keeps what came");
	tap_ok(ws_dec_feed(&d, &lim, control, ping + 8, 2, &ev) == 2 && ev.type == WS_EV_PING &&
	               ev.p == control && ev.n == 4 && memcmp(ev.p, "ping", 4) == 0 &&
	               !ws_dec_keeps_control(&d),
	       "... and gives it whole, from the scratch");
	tap_ok(ws_dec_between_frames(&d), "... and stands between frames");

	ws_dec_init(&d);
	memcpy(ping, "\x89\x84" "aaaa" "\x11\x08\x0f\x06", 10);
	ws_dec_feed(&d, &lim, NULL, ping, 6, &ev);
	tap_ok(ev.type == WS_EV_NONE && ws_dec_feed(&d, &lim, NULL, ping + 6, 4, &ev) == 4 &&
	               ev.type == WS_EV_PING && ev.p == ping + 6,
	       "5.5: a ping cut after its header needs no scratch");
	tap_is_u64(sizeof(struct ws_dec), 32, "the decoder's size");
	for (enum ws_err e = WS_OK; e <= WS_ERR_TOO_BIG; e++)
		if (ws_err_name(e) == NULL || (e != WS_OK && !ws_frame_code_valid(ws_err_code(e))))
			tap_ok(false, "error %d has no name or code", (int)e);
}

int main(void)
{
	if (!tap_ok(guard_init(), "guard page"))
		return tap_done();
	RUN_CASES(echo_cases, &echo);
	RUN_CASES(utf8_cases, &echo);
	RUN_CASES(tight_cases, &tight);
	RUN_CASES(deflated_cases, &deflated);
	RUN_CASES(client_cases, &client);
	test_close_codes();
	test_first_bytes();
	test_mask();
	test_encoder();
	test_many_fragments();
	test_pieces();
	return tap_done();
}
