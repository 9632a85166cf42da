/*
 * test/wire/ws_trace.h: runs a byte stream through the decoder as a connection would, and writes down what
 * came out, so that two ways of cutting the same stream can be compared. Shared by the table test and the
 * fuzz target.
 *
 * A trace is a line of events: text(hi) binary(\xfe) ping() close(1000,bye) fail(1002,bad_length)@7. Pieces
 * of a message are joined; a message that fails half way is not in it. `@` is the number of bytes consumed
 * when the stream failed. A run of one byte repeated is written 125*'a'. Any broken promise of websocket.h
 * aborts.
 */
#ifndef TEST_WS_TRACE_H
#define TEST_WS_TRACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/websocket.h"

#define WS_REQUIRE(cond)                                                                   \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

enum { WS_TRACE_BYTES = 8192 };

struct ws_trace {
	struct ws_dec dec;
	struct ws_limits lim;
	uint8_t *control;      /* lent from WS_EV_NEED_CONTROL until the decoder lets go of it */
	uint8_t *message;      /* the open message so far */
	size_t message_n, message_cap;
	uint64_t consumed;
	uint64_t hash;         /* of every byte of every event, for traces too long to write down */
	unsigned pieces;       /* WS_EV_DATA events */
	bool failed, closed;
	struct ws_event fail;
	size_t n;
	char out[WS_TRACE_BYTES];
};

static void ws_trace_init(struct ws_trace *t, const struct ws_limits *lim)
{
	*t = (struct ws_trace){ .lim = *lim, .hash = 14695981039346656037u };
	ws_dec_init(&t->dec);
}

static void ws_trace_free(struct ws_trace *t)
{
	free(t->control);
	free(t->message);
	t->control = NULL;
	t->message = NULL;
}

static void ws_trace_put(struct ws_trace *t, const char *s)
{
	size_t n = strlen(s);

	if (t->n + n < WS_TRACE_BYTES) {
		memcpy(t->out + t->n, s, n + 1);
		t->n += n;
	}
}

static void ws_trace_bytes(struct ws_trace *t, const uint8_t *p, size_t n)
{
	char buf[40];
	size_t same = 1;

	for (size_t i = 0; i < n; i++)
		t->hash = (t->hash ^ p[i]) * 1099511628211u;
	while (same < n && p[same] == p[0])
		same++;
	if (n > 8 && same == n) {
		bool plain = p[0] >= ' ' && p[0] < 0x7f;

		snprintf(buf, sizeof(buf), plain ? "%zu*'%c'" : "%zu*'\\x%02x'", n, p[0]);
		ws_trace_put(t, buf);
		return;
	}
	if (n > 512) {
		snprintf(buf, sizeof(buf), "%zu bytes", n);
		ws_trace_put(t, buf);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		bool plain = p[i] >= ' ' && p[i] != 0x7f && p[i] != '\\';

		snprintf(buf, sizeof(buf), plain ? "%c" : "\\x%02x", p[i]);
		ws_trace_put(t, buf);
	}
}

static void ws_trace_event(struct ws_trace *t, const char *name, unsigned code, const uint8_t *p, size_t n)
{
	char buf[40];

	t->hash ^= (uint64_t)name[0] ^ (uint64_t)name[1] << 8 ^ (uint64_t)code << 16;
	t->hash *= 1099511628211u;
	ws_trace_put(t, t->n == 0 ? "" : " ");
	ws_trace_put(t, name);
	ws_trace_put(t, "(");
	if (code != 0) {
		snprintf(buf, sizeof(buf), n > 0 ? "%u," : "%u", code);
		ws_trace_put(t, buf);
	}
	ws_trace_bytes(t, p, n);
	ws_trace_put(t, ")");
}

/* Joins the pieces of a message, and holds each to what websocket.h says of it. */
static void ws_trace_data(struct ws_trace *t, const struct ws_event *ev)
{
	static const char *const names[2][2] = { { "text", "text+rsv1" }, { "binary", "binary+rsv1" } };

	WS_REQUIRE(ev->opcode == WS_TEXT || ev->opcode == WS_BINARY);
	WS_REQUIRE(ev->first == (t->message_n == 0));
	WS_REQUIRE(ev->n > 0 || ev->last);
	WS_REQUIRE(!ev->last || ev->frame_remaining == 0);
	WS_REQUIRE(ev->message_bytes == t->message_n + ev->n);
	WS_REQUIRE(ev->message_bytes + ev->frame_remaining <= t->lim.message_bytes_max);
	WS_REQUIRE(!ev->rsv1 || t->lim.rsv1);
	t->pieces++;
	if (t->message_n + ev->n > t->message_cap) {
		t->message_cap = 2 * (t->message_n + ev->n);
		t->message = realloc(t->message, t->message_cap);
		WS_REQUIRE(t->message != NULL);
	}
	if (ev->n > 0)
		memcpy(t->message + t->message_n, ev->p, ev->n);
	t->message_n += ev->n;
	WS_REQUIRE(ws_dec_in_message(&t->dec) == !ev->last);
	if (!ev->last)
		return;
	if (ev->opcode == WS_TEXT && !ev->rsv1)
		WS_REQUIRE(utf8_valid(str_of((char *)t->message, t->message_n)));
	ws_trace_event(t, names[ev->opcode == WS_BINARY][ev->rsv1], 0, t->message, t->message_n);
	t->message_n = 0;
}

static void ws_trace_fail(struct ws_trace *t, const struct ws_event *ev)
{
	const char *name = ws_err_name(ev->err);
	char buf[40];

	WS_REQUIRE(ev->err != WS_OK && ev->code == ws_err_code(ev->err));
	ws_trace_event(t, "fail", ev->code, (const uint8_t *)name, strlen(name));
	snprintf(buf, sizeof(buf), "@%llu", (unsigned long long)t->consumed);
	ws_trace_put(t, buf);
	t->failed = true;
	t->fail = *ev;
}

static void ws_trace_take(struct ws_trace *t, const struct ws_event *ev)
{
	switch (ev->type) {
	case WS_EV_NONE:
	case WS_EV_NEED_CONTROL:
		break;
	case WS_EV_DATA:
		ws_trace_data(t, ev);
		break;
	case WS_EV_PING:
	case WS_EV_PONG:
		WS_REQUIRE(ev->n <= WS_CONTROL_BYTES_MAX);
		ws_trace_event(t, ev->type == WS_EV_PING ? "ping" : "pong", 0, ev->p, ev->n);
		break;
	case WS_EV_CLOSE:
		WS_REQUIRE(!t->closed && utf8_valid(str_of((char *)ev->p, ev->n)));
		ws_trace_event(t, "close", ev->code, ev->p, ev->n);
		t->closed = true;
		break;
	case WS_EV_FAIL:
		ws_trace_fail(t, ev);
		break;
	}
}

/* Feeds one piece of input until it is consumed, or the stream has failed. */
static void ws_trace_feed(struct ws_trace *t, uint8_t *in, size_t n)
{
	struct ws_event ev;

	while (n > 0 && !t->failed) {
		size_t used = ws_dec_feed(&t->dec, &t->lim, t->control, in, n, &ev);

		WS_REQUIRE(used <= n);
		WS_REQUIRE(!t->closed || (used == n && ev.type == WS_EV_NONE));
		WS_REQUIRE(ev.type != WS_EV_NONE || used == n);
		t->consumed += used;
		ws_trace_take(t, &ev);
		in += used;
		n -= used;
		if (ev.type == WS_EV_NEED_CONTROL) {
			WS_REQUIRE(t->control == NULL && n > 0);
			t->control = malloc(WS_CONTROL_BYTES_MAX); /* exactly, for ASan */
			WS_REQUIRE(t->control != NULL);
		} else if (t->control != NULL && !ws_dec_keeps_control(&t->dec)) {
			free(t->control);
			t->control = NULL;
		}
	}
	if (!t->failed)
		return;
	/* sticky: the same cause for ever, nothing consumed */
	for (int i = 0; i < 2; i++) {
		WS_REQUIRE(ws_dec_feed(&t->dec, &t->lim, t->control, in, i == 0 ? 0 : n, &ev) == 0);
		WS_REQUIRE(ev.type == WS_EV_FAIL && ev.err == t->fail.err && ev.code == t->fail.code);
	}
}

#endif
