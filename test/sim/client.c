/*
 * Invariants: `link` is -1 or a link that the client has not left; after the 101 the link's bytes go to the decoder only.
 */
#include "sim/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

enum { TEXT_MAX = 1 << 17, HEAD_MAX = 4096 };

/* RFC 6455 1.3: its example key, and the answer to it. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* --- the crowd --- */

static bool drink(void *ctx);

bool crowd_start(struct crowd *c, uint64_t seed)
{
	c->sim.drink = drink;
	c->sim.drink_ctx = c;
	return sim_start(&c->sim, seed);
}

void crowd_forget(struct crowd *c)
{
	for (size_t i = 0; i < c->heard_count; i++) {
		free(c->heard[i].text);
		free(c->heard[i].json);
	}
	c->heard_count = 0;
}

void crowd_stop(struct crowd *c)
{
	crowd_forget(c);
	free(c->heard);
	for (uint32_t i = 0; i < c->client_count; i++)
		sim_bytes_free(&c->clients[i].in);
	sim_stop(&c->sim);
	*c = (struct crowd){ .heard = NULL };
}

static char *copy_of(const char *text, size_t n)
{
	char *copy = malloc(n + 1);

	if (copy == NULL)
		abort();
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

void client_heard(struct crowd *c, const struct client *cl, const char *text, const char *json, size_t n)
{
	if (c->heard_count == c->heard_cap) {
		c->heard_cap = 2 * c->heard_cap + 64;
		c->heard = realloc(c->heard, c->heard_cap * sizeof(*c->heard));
		if (c->heard == NULL)
			abort();
	}
	c->heard[c->heard_count++] = (struct heard){
		.client = (uint32_t)(cl - c->clients), .at_ms = c->sim.now.mono.ms, .text = copy_of(text, strlen(text)),
		.json = json == NULL ? NULL : copy_of(json, n),
	};
}

static void hear(struct crowd *c, const struct client *cl, const char *text)
{
	client_heard(c, cl, text, NULL, 0);
}

struct client *client_named(struct crowd *c, const char *name, size_t n)
{
	struct client *cl;

	if (n == 0 || n >= CLIENT_NAME_MAX)
		return NULL;
	for (uint32_t i = 0; i < c->client_count; i++)
		if (strlen(c->clients[i].name) == n && memcmp(c->clients[i].name, name, n) == 0)
			return &c->clients[i];
	if (c->client_count == CLIENTS_MAX)
		return NULL;
	cl = &c->clients[c->client_count++];
	*cl = (struct client){ .link = -1 };
	memcpy(cl->name, name, n);
	return cl;
}

/* --- speaking --- */

void client_bytes(struct crowd *c, struct client *cl, const void *bytes, size_t n)
{
	if (cl->link >= 0)
		sim_send(&c->sim, cl->link, bytes, n);
}

void client_tcp(struct crowd *c, struct client *cl, uint32_t listener, const struct peer *peer)
{
	struct sim_bytes in = cl->in;
	char name[CLIENT_NAME_MAX], with[CLIENT_WITH_MAX];

	if (cl->link >= 0)
		client_drop(c, cl);
	memcpy(name, cl->name, sizeof(name));
	memcpy(with, cl->with, sizeof(with));
	sim_bytes_take(&in, in.n);
	*cl = (struct client){ .link = sim_connect(&c->sim, listener, peer), .in = in };
	memcpy(cl->name, name, sizeof(name));
	memcpy(cl->with, with, sizeof(with));
}

struct text {
	char v[HEAD_MAX];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->v + t->n, sizeof(t->v) - t->n, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(t->v) - t->n)
		t->n += (size_t)n;
}

#define S(s) (int)(s).n, (s).p

/* An unsigned token: under trust it is believed. */
static void append_token(struct text *t, const struct client_call *call)
{
	struct text claims = { .n = 0 };
	char digits[BASE64_ENCODED_BYTES(HEAD_MAX)];
	size_t n;

	append(&claims, "{\"sub\":\"%.*s\"", S(call->user));
	if (!str_absent(call->name))
		append(&claims, ",\"preferred_username\":\"%.*s\"", S(call->name));
	append(&claims, "}");
	n = base64_encode(digits, sizeof(digits), (const uint8_t *)claims.v, claims.n);
	while (n > 0 && digits[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		digits[i] = digits[i] == '+' ? '-' : digits[i] == '/' ? '_' : digits[i];
	append(t, "token=e30.%.*s.c2ln", (int)n, digits);
}

/* What the dialect's document tells a client to ask for. */
static void append_target(struct text *t, const struct client_call *call)
{
	bool identified = !str_absent(call->user);

	switch (call->dialect) {
	case DIALECT_SNAKE:
		append(t, identified ? "/ws" : "/ws?dialect=snake");
		break;
	case DIALECT_DOTTED:
		append(t, identified ? "/ws?user_id=%.*s" : "/ws?dialect=dotted", S(call->user));
		if (!str_absent(call->device))
			append(t, "&device_id=%.*s", S(call->device));
		break;
	case DIALECT_ROOMS:
		append(t, "/ws?");
		if (!str_absent(call->device))
			append(t, "device_id=%.*s&", S(call->device));
		if (identified)
			append_token(t, call);
		break;
	case DIALECT_ROSTER:
		append(t, identified ? "/ws?dialect=roster&user_id=%.*s" : "/ws?dialect=roster", S(call->user));
		if (!str_absent(call->device))
			append(t, "&client_id=%.*s", S(call->device));
		break;
	case DIALECT_UPPER:
		append(t, identified ? "/ws?userId=%.*s" : "/", S(call->user));
		if (!str_absent(call->device))
			append(t, "%sdevice_id=%.*s", identified ? "&" : "?", S(call->device));
		break;
	case DIALECT_ECHO:
	case DIALECT_COUNT:
		append(t, "/ws");
		break;
	}
}

void client_call(struct crowd *c, struct client *cl, const struct client_call *call)
{
	struct text t = { .n = 0 };

	client_tcp(c, cl, call->listener, &call->peer);
	cl->dialect = call->dialect;
	append(&t, "GET ");
	if (str_absent(call->path))
		append_target(&t, call);
	else
		append(&t, "%.*s", S(call->path));
	if (!str_absent(call->token))
		append(&t, "%stoken=%.*s", memchr(t.v, '?', t.n) == NULL ? "?" : "&", S(call->token));
	append(&t, " HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n");
	if (call->dialect == DIALECT_SNAKE && !str_absent(call->user) && str_absent(call->path))
		append(&t, "X-User-ID: %.*s\r\n", S(call->user));
	if (call->dialect == DIALECT_SNAKE && !str_absent(call->device) && str_absent(call->path))
		append(&t, "X-Device-ID: %.*s\r\n", S(call->device));
	if (!str_absent(call->proto))
		append(&t, "Sec-WebSocket-Protocol: %.*s\r\n", S(call->proto));
	if (!str_absent(call->bearer))
		append(&t, "Authorization: Bearer %.*s\r\n", S(call->bearer));
	if (!str_absent(call->header))
		append(&t, "%.*s\r\n", S(call->header));
	append(&t, "\r\n");
	client_bytes(c, cl, t.v, t.n);
}

void client_request(struct crowd *c, struct client *cl, const char *method, struct str path, struct str body)
{
	struct text t = { .n = 0 };

	if (cl->link < 0)
		client_tcp(c, cl, 0, NULL);
	append(&t, "%s %.*s HTTP/1.1\r\nHost: sim\r\n%s", method, S(path), cl->with);
	if (!str_absent(body))
		append(&t, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.n);
	append(&t, "\r\n");
	if (!str_absent(body))
		append(&t, "%.*s", S(body));
	client_bytes(c, cl, t.v, t.n);
}

void client_frame(struct crowd *c, struct client *cl, enum ws_opcode op, bool fin, const void *payload, size_t n)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d }; /* RFC 6455 5.7 */
	uint8_t *whole = malloc(WS_HEADER_BYTES_MAX + n), key[4];
	size_t header;

	if (whole == NULL)
		abort();
	memcpy(key, mask, sizeof(key));
	header = ws_frame_header_masked(whole, op, fin, n, mask);
	memcpy(whole + header, payload, n);
	ws_frame_mask(whole + header, n, key);
	client_bytes(c, cl, whole, header + n);
	free(whole);
}

void client_close(struct crowd *c, struct client *cl, unsigned code)
{
	const uint8_t body[2] = { (uint8_t)(code >> 8), (uint8_t)code };

	cl->close_sent = true;
	client_frame(c, cl, WS_CLOSE, true, body, code == 0 ? 0 : 2);
}

void client_end(struct crowd *c, struct client *cl)
{
	if (cl->link >= 0)
		sim_end(&c->sim, cl->link);
}

void client_drop(struct crowd *c, struct client *cl)
{
	if (cl->link >= 0) {
		sim_drop(&c->sim, cl->link);
		sim_release(&c->sim, cl->link);
	}
	cl->link = -1;
}

/* --- hearing HTTP --- */

static struct str header_of(struct str head, const char *name)
{
	size_t k = strlen(name);

	for (const char *p = head.p; p + k < head.p + head.n; p++)
		if (p[-1] == '\n' && p[k] == ':' && str_eq_nocase(str_of(p, k), str_of(name, k))) {
			const char *end = memchr(p, '\r', (size_t)(head.p + head.n - p));

			return end == NULL ? STR_NONE : str_of(p + k + 2, (size_t)(end - p) - k - 2);
		}
	return STR_NONE;
}

/* Takes the chunks of a body together, in place; false: the last is still to come. *used: their bytes. */
static bool dechunk(char *body, size_t n, size_t *used, size_t *length)
{
	size_t at = 0, out = 0;

	for (;;) {
		char *line_end = n - at < 3 ? NULL : memchr(body + at, '\n', n - at);
		unsigned long size;

		if (line_end == NULL)
			return false;
		size = strtoul(body + at, NULL, 16);
		at = (size_t)(line_end - body) + 1;
		if (n - at < size + 2)
			return false;
		memmove(body + out, body + at, size);
		at += size + 2;
		out += size;
		if (size == 0) {
			*used = at;
			*length = out;
			return true;
		}
	}
}

/* " clients 2 online 3": what is heard of /metrics; the two others when they count something. */
static void reduce_metrics(char *out, size_t cap, const char *body, size_t n)
{
	static const struct {
		const char *name, *word;
		bool always;
	} shown[] = {
		{ "\nws_clients_current ", "clients", true },
		{ "\npresenced_users_online ", "online", true },
		{ "\npresenced_conflated_total ", "conflated", false },
		{ "\npresenced_dropped_total ", "dropped", false },
	};
	size_t at = 0;

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const char *p = memmem(body, n, shown[i].name, strlen(shown[i].name));

		unsigned long value = p == NULL ? 0 : strtoul(p + strlen(shown[i].name), NULL, 10); /* a newline ends it, and the document */

		if (p != NULL && (value > 0 || shown[i].always))
			at += (size_t)snprintf(out + at, cap - at, " %s %lu", shown[i].word, value);
	}
}

static void hear_answer(struct crowd *c, struct client *cl, struct str head, unsigned status, char *body, size_t n)
{
	static char text[TEXT_MAX];
	size_t at = (size_t)snprintf(text, sizeof(text), "%u", status);

	if ((status == 503 || status == 429) && n > 8 && memcmp(body, "{\"error\"", 8) == 0 && str_absent(header_of(head, "Retry-After")))
		sim_fault(&c->sim, "no Retry-After");
	if (status == 405 && str_absent(header_of(head, "Allow")))
		sim_fault(&c->sim, "no Allow");
	if (n > 0 && body[0] == '{') {
		text[at++] = ' ';
		if (!client_reduce(c, cl, text + at, sizeof(text) - at, body, n))
			sim_fault(&c->sim, "a body that is no JSON");
	} else if (n > 0 && body[0] == '#') {
		reduce_metrics(text + at, sizeof(text) - at, body, n);
	}
	client_heard(c, cl, text, n > 0 ? body : NULL, n);
}

static void hear_upgraded(struct crowd *c, struct client *cl, struct str head)
{
	struct str protocol = header_of(head, "Sec-WebSocket-Protocol");
	char text[128] = "open";

	if (!str_eq(header_of(head, "Sec-WebSocket-Accept"), STR(ACCEPT)))
		sim_fault(&c->sim, "Sec-WebSocket-Accept is not the key's");
	if (!str_absent(protocol))
		snprintf(text, sizeof(text), "open %.*s", S(protocol));
	cl->websocket = true;
	ws_dec_init(&cl->dec);
	hear(c, cl, text);
}

static void websocket_input(struct crowd *c, struct client *cl, uint8_t *bytes, size_t n);

/* True: an answer was taken off. */
static bool http_answer(struct crowd *c, struct client *cl)
{
	uint8_t *all = sim_bytes_at(&cl->in);
	size_t n = cl->in.n, length = 0, used = 0;
	uint8_t *blank = n < 16 ? NULL : memmem(all, n, "\r\n\r\n", 4);
	unsigned status;
	struct str head, given;
	bool bodiless;

	if (blank == NULL)
		return false;
	head = str_of((const char *)all, (size_t)(blank - all) + 4);
	status = (unsigned)strtoul(head.p + 9, NULL, 10);
	given = header_of(str_of(head.p + 8, head.n - 8), "Content-Length");
	bodiless = status < 200 || status == 204 || (cl->heads & 1) != 0;
	if (status == 101) {
		struct sim_bytes rest = { 0 };

		hear_upgraded(c, cl, str_of(head.p + 8, head.n - 8));
		sim_bytes_take(&cl->in, head.n);
		sim_bytes_put(&rest, sim_bytes_at(&cl->in), cl->in.n);
		sim_bytes_take(&cl->in, cl->in.n);
		if (rest.n > 0)
			websocket_input(c, cl, rest.v, rest.n);
		sim_bytes_free(&rest);
		return false;
	}
	if (!bodiless && !str_absent(header_of(str_of(head.p + 8, head.n - 8), "Transfer-Encoding"))) {
		if (!dechunk((char *)blank + 4, n - head.n, &used, &length))
			return false;
	} else if (!bodiless) {
		length = used = str_absent(given) ? n - head.n : strtoul(given.p, NULL, 10);
		if (n - head.n < used)
			return false;
	}
	hear_answer(c, cl, str_of(head.p + 8, head.n - 8), status, (char *)blank + 4, length);
	if (status >= 200)
		cl->heads >>= 1;
	sim_bytes_take(&cl->in, head.n + used);
	return true;
}

/* --- hearing WebSocket --- */

static void hear_message(struct crowd *c, struct client *cl, const struct ws_event *ev)
{
	static char text[TEXT_MAX];
	const char *p;
	size_t n;

	sim_bytes_put(&cl->in, ev->p, ev->n);
	if (!ev->last)
		return;
	p = (const char *)sim_bytes_at(&cl->in);
	n = cl->in.n;
	if (cl->dialect == DIALECT_ECHO) {
		snprintf(text, sizeof(text), "%s%s%.*s", ev->opcode == WS_TEXT ? "text" : "binary", n > 0 ? " " : "", (int)n, n > 0 ? p : "");
		hear(c, cl, text);
	} else if (ev->opcode != WS_TEXT || n == 0 || !client_reduce(c, cl, text, sizeof(text), p, n)) {
		hear(c, cl, "not JSON");
	} else {
		client_heard(c, cl, text, p, n);
	}
	sim_bytes_take(&cl->in, n);
}

static void hear_close(struct crowd *c, struct client *cl, const struct ws_event *ev)
{
	char text[32];

	snprintf(text, sizeof(text), "close %u", ev->code);
	hear(c, cl, text);
	cl->close_heard = true;
	if (!cl->silent && !cl->close_sent)
		client_close(c, cl, ev->code == WS_CODE_NONE ? 0 : ev->code);
}

static void hear_control(struct crowd *c, struct client *cl, const struct ws_event *ev)
{
	char text[160];

	if (ev->type == WS_EV_PING && !cl->silent) {
		client_frame(c, cl, WS_PONG, true, ev->p, ev->n);
		return;
	}
	snprintf(text, sizeof(text), "%s%s%.*s", ev->type == WS_EV_PING ? "ping" : "pong", ev->n > 0 ? " " : "", (int)ev->n, (const char *)ev->p);
	hear(c, cl, text);
}

static void websocket_input(struct crowd *c, struct client *cl, uint8_t *bytes, size_t n)
{
	static const struct ws_limits limits = { .message_bytes_max = 1u << 30, .fragments_max = 1, .peer_is_server = true };
	struct ws_event ev;

	while (n > 0) {
		size_t used = ws_dec_feed(&cl->dec, &limits, cl->control, bytes, n, &ev);

		bytes += used;
		n -= used;
		switch (ev.type) {
		case WS_EV_DATA:
			hear_message(c, cl, &ev);
			break;
		case WS_EV_PING:
		case WS_EV_PONG:
			hear_control(c, cl, &ev);
			break;
		case WS_EV_CLOSE:
			hear_close(c, cl, &ev);
			break;
		case WS_EV_FAIL:
			sim_fault(&c->sim, "the server sent a frame that is none");
			return;
		case WS_EV_NONE:
		case WS_EV_NEED_CONTROL:
			break;
		}
		if (cl->close_heard && n > 0) {
			sim_fault(&c->sim, "bytes behind the server's Close");
			return;
		}
	}
}

/* --- reading --- */

static bool take(struct crowd *c, struct client *cl, size_t max)
{
	uint8_t bytes[4096];
	bool any = false;
	size_t n;

	while (cl->link >= 0 && max > 0 && (n = sim_receive(&c->sim, cl->link, bytes, max < sizeof(bytes) ? max : sizeof(bytes))) > 0) {
		max -= n;
		any = true;
		if (cl->websocket) {
			websocket_input(c, cl, bytes, n);
			continue;
		}
		sim_bytes_put(&cl->in, bytes, n);
		while (!cl->websocket && http_answer(c, cl)) {
		}
	}
	return any;
}

/* The server's side has ended: so does ours. What a polite WebSocket client expected is not put down. */
static void meet_end(struct crowd *c, struct client *cl)
{
	if (cl->websocket ? !cl->close_heard && !ws_dec_between_frames(&cl->dec) : cl->in.n > 0)
		hear(c, cl, "cut short");
	if (cl->silent || !cl->websocket || !cl->close_heard)
		hear(c, cl, "end");
	cl->at_end = true;
	if (!cl->silent) {
		sim_end(&c->sim, cl->link);
		sim_release(&c->sim, cl->link);
		cl->link = -1;
	}
}

void client_take(struct crowd *c, struct client *cl, size_t n)
{
	take(c, cl, n);
}

static bool drink(void *ctx)
{
	struct crowd *c = ctx;
	bool any = false;

	for (uint32_t i = 0; i < c->client_count; i++) {
		struct client *cl = &c->clients[i];

		cl->was_stalled |= cl->stalled;
		if (cl->link < 0 || cl->stalled)
			continue;
		any |= take(c, cl, SIZE_MAX);
		if (cl->link >= 0 && !cl->at_end && sim_at_end(&c->sim, cl->link)) {
			meet_end(c, cl);
			any = true;
		}
	}
	return any;
}
