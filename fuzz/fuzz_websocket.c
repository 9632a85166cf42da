/*
 * wire/websocket and wire/ws_frame. The first byte chooses limits and how to cut, the rest is the stream.
 * Properties: the trace does not depend on how the stream is cut (ws_trace.h asserts websocket.h's promises
 * besides); what the encoder writes, the decoder at the other end reads back.
 */
#include "../test/wire/ws_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Feeds a copy in pieces of the size's own, so that ASan sees one byte too far; `seed` 0: whole, 1: byte by
 * byte. */
static void run(struct ws_trace *t, const struct ws_limits *lim, const uint8_t *data, size_t n, uint32_t seed)
{
	ws_trace_init(t, lim);
	for (size_t at = 0, piece; at < n && !t->failed; at += piece) {
		uint8_t *copy;

		seed = seed > 1 ? seed * 1664525u + 1013904223u : seed;
		piece = seed == 0 ? n : seed == 1 ? 1 : 1 + (seed >> 24) % 19;
		piece = piece < n - at ? piece : n - at;
		copy = malloc(piece);
		WS_REQUIRE(copy != NULL);
		memcpy(copy, data + at, piece);
		ws_trace_feed(t, copy, piece);
		free(copy);
	}
	ws_trace_free(t);
}

static void require_same(const struct ws_trace *a, const struct ws_trace *b)
{
	WS_REQUIRE(a->hash == b->hash && a->n == b->n && memcmp(a->out, b->out, a->n) == 0);
	WS_REQUIRE(a->failed == b->failed && a->closed == b->closed && a->consumed == b->consumed);
	WS_REQUIRE(a->failed || a->closed || memcmp(&a->dec, &b->dec, sizeof(a->dec)) == 0);
}

/* The input as the payload of a binary message in fragments of `step` with a ping in each gap, and of a
 * close. */
static void round_trip(const uint8_t *data, size_t n, size_t step, bool to_server)
{
	static struct ws_trace t, want;
	const struct ws_limits lim = { .message_bytes_max = 1 << 20, .fragments_max = 1 << 20,
	                               .peer_is_server = !to_server };
	uint8_t head[WS_HEADER_BYTES_MAX], control[WS_FRAME_CONTROL_BYTES_MAX], *copy = malloc(n + 1);
	size_t at = 0, piece;
	bool fin;

	WS_REQUIRE(copy != NULL);
	memcpy(copy, data, n);
	ws_trace_init(&t, &lim);
	ws_trace_init(&want, &lim);
	do {
		uint8_t key[4] = { (uint8_t)n, (uint8_t)at, 0x5a, (uint8_t)step };
		enum ws_opcode op = at == 0 ? WS_BINARY : WS_CONTINUATION;

		piece = step < n - at ? step : n - at;
		fin = at + piece == n;
		if (to_server) {
			ws_trace_feed(&t, head, ws_frame_header_masked(head, op, fin, piece, key));
			ws_frame_mask(copy + at, piece, key);
		} else {
			ws_trace_feed(&t, head, ws_frame_header(head, op, fin, piece));
		}
		ws_trace_feed(&t, copy + at, piece);
		at += piece;
		if (!to_server && at < n) {
			ws_trace_feed(&t, control, ws_frame_control(control, WS_PING, STR("gap")));
			ws_trace_event(&want, "ping", 0, (const uint8_t *)"gap", 3);
		}
	} while (at < n);
	ws_trace_event(&want, "binary", 0, data, n);
	if (!to_server) {
		ws_trace_feed(&t, control, ws_frame_close(control, 1001, STR("bye")));
		ws_trace_event(&want, "close", 1001, (const uint8_t *)"bye", 3);
	}
	WS_REQUIRE(!t.failed && t.hash == want.hash && strcmp(t.out, want.out) == 0);
	ws_trace_free(&t);
	free(copy);
}

/* A header of any length that the decoder takes is all it takes: the payload is yet to come. */
static void long_header(const uint8_t *data, size_t n)
{
	static struct ws_trace t;
	const struct ws_limits lim = { .message_bytes_max = 1 << 24, .fragments_max = 5, .peer_is_server = true };
	uint64_t payload = n < 3 ? n : (uint64_t)data[0] << 16 | data[1] << 8 | data[2];
	uint8_t head[WS_HEADER_BYTES_MAX];

	ws_trace_init(&t, &lim);
	ws_trace_feed(&t, head, ws_frame_header(head, WS_BINARY, true, payload));
	WS_REQUIRE(!t.failed && ws_dec_between_frames(&t.dec) == (payload == 0));
	ws_trace_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ws_trace whole, cut;
	struct ws_limits lim = { .message_bytes_max = 1000, .fragments_max = 5 };
	uint8_t how = n > 0 ? data[0] : 0;

	if (n == 0)
		return 0;
	data++, n--;
	lim.rsv1 = (how & 1) != 0;
	lim.peer_is_server = (how & 2) != 0;
	run(&whole, &lim, data, n, 0);
	run(&cut, &lim, data, n, 1);
	require_same(&whole, &cut);
	run(&cut, &lim, data, n, 2u + how);
	require_same(&whole, &cut);
	round_trip(data, n, 1 + how, (how & 4) != 0);
	long_header(data, n);
	return 0;
}
