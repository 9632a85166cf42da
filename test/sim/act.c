/*
 * A line's verb is looked up in three places: what needs no message, what is said in the dialect's own words, and the rest.
 */
#include "sim/act.h"

#include <stdio.h>

#include "sim/words.h"

enum { BYTES_MAX = 65536 };

static void say(struct crowd *c, struct client *cl, const char *fmt, struct str a, struct str b)
{
	char text[8192];
	int n = snprintf(text, sizeof(text), fmt, (int)a.n, a.p, (int)b.n, b.p);

	client_frame(c, cl, WS_TEXT, true, text, (size_t)n);
}

/* One thing that can be said, in each dialect's words; NULL: it has none. */
struct phrase {
	const char *verb;
	const char *words[DIALECT_COUNT];
};

#define AUTH_ENVELOPED "{\"type\":\"authenticate\",\"payload\":{\"token\":\"%.*s\"}}"
#define AUTH_REPLIED "{\"id\":\"au\",\"type\":\"authenticate\",\"payload\":{\"token\":\"%.*s\"}}"
#define AUTH_FLAT "{\"type\":\"authenticate\",\"token\":\"%.*s\"}"

static const struct phrase phrases[] = {
	{ "ping", { "{\"type\":\"ping\"}", "{\"type\":\"ping\"}", "{\"type\":\"ping\"}", "{\"type\":\"ping\"}", NULL, NULL } },
	{ "beat", { "{\"type\":\"heartbeat\"}", NULL, NULL, NULL, "{\"type\":\"HEARTBEAT\"}", NULL } },
	{ "status", { "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"%.*s\"%.*s}}",
	              "{\"type\":\"presence.update\",\"payload\":{\"status\":\"%.*s\"%.*s}}", "{\"type\":\"status\",\"status\":\"%.*s\"%.*s}", NULL,
	              "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"%.*s\"%.*s}}", NULL } },
	{ "sub", { "{\"type\":\"subscribe\",\"payload\":{\"conversation_id\":\"%.*s\"}}",
	           "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"conversation_id\":\"%.*s\"}}}",
	           "{\"type\":\"subscribe\",\"channel_id\":\"%.*s\"}", NULL, NULL, NULL } },
	{ "unsub", { "{\"type\":\"unsubscribe\",\"payload\":{\"conversation_id\":\"%.*s\"}}",
	             "{\"type\":\"unsubscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"conversation_id\":\"%.*s\"}}}",
	             "{\"type\":\"unsubscribe\",\"channel_id\":\"%.*s\"}", NULL, NULL, NULL } },
	{ "type", { "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"%.*s\",\"is_typing\":true}}",
	            "{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"%.*s\"}}", "{\"type\":\"typing\",\"channel_id\":\"%.*s\"}", NULL, NULL, NULL } },
	{ "stop", { "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"%.*s\",\"is_typing\":false}}",
	            "{\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":\"%.*s\"}}", NULL, NULL, NULL, NULL } },
	{ "auth", { AUTH_ENVELOPED, AUTH_REPLIED, AUTH_FLAT, AUTH_FLAT, AUTH_ENVELOPED, NULL } },
};

/* A text behind the status becomes the custom status. */
static bool say_phrase(struct crowd *c, struct client *cl, struct str verb, struct str args)
{
	char custom[512] = "";
	struct str first = word(&args);

	if (args.n > 0)
		snprintf(custom, sizeof(custom), ",\"custom_status\":\"%.*s\"", (int)args.n, args.p);
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		const char *words = phrases[i].words[cl->dialect];

		if (!is(verb, phrases[i].verb))
			continue;
		if (words == NULL)
			return false;
		say(c, cl, words, first, str_of(custom, strlen(custom)));
		return true;
	}
	return false;
}

static void watch(struct crowd *c, struct client *cl, struct str users)
{
	char list[2048] = "";
	size_t n = 0;

	if (users.n == 0) {
		say(c, cl, "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"]}}", STR(""), STR(""));
		return;
	}
	while (users.n > 0) {
		struct str u = word(&users);

		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s\"%.*s\"", n > 0 ? "," : "", (int)u.n, u.p);
	}
	say(c, cl, "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"],\"filters\":{\"user_ids\":[%.*s]}}}", str_of(list, n), STR(""));
}

static struct peer peer_of(struct str ip)
{
	struct peer p = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 }, 4000 };
	char text[32] = "";
	unsigned a, b, c, d;

	memcpy(text, ip.p, ip.n < sizeof(text) ? ip.n : sizeof(text) - 1);
	if (sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d) == 4) {
		p.address[12] = (uint8_t)a;
		p.address[13] = (uint8_t)b;
		p.address[14] = (uint8_t)c;
		p.address[15] = (uint8_t)d;
	}
	return p;
}

static bool call_member(struct client_call *call, struct str key, struct str value)
{
	if (is(key, "user"))
		call->user = value;
	else if (is(key, "device"))
		call->device = value;
	else if (is(key, "name"))
		call->name = value;
	else if (is(key, "proto"))
		call->proto = value;
	else if (is(key, "path"))
		call->path = value;
	else if (is(key, "header"))
		call->header = value;
	else if (is(key, "token"))
		call->token = value;
	else if (is(key, "bearer"))
		call->bearer = value;
	else if (is(key, "listener"))
		call->listener = (uint32_t)number(value);
	else if (is(key, "ip"))
		call->peer = peer_of(value);
	else
		return false;
	return true;
}

static bool connect(struct crowd *c, struct client *cl, struct str args)
{
	struct client_call call = {
		.user = STR_NONE, .device = STR_NONE, .name = STR_NONE, .proto = STR_NONE, .path = STR_NONE, .header = STR_NONE, .token = STR_NONE,
		.bearer = STR_NONE, .peer = peer_of(STR("")),
	};

	if (!dialect_find(word(&args), &call.dialect))
		return false;
	while (args.n > 0) {
		struct str all = args, w = word(&args), value;
		const char *eq = memchr(w.p, '=', w.n);

		if (eq == NULL)
			return false;
		value = str_of(eq + 1, w.n - (size_t)(eq + 1 - w.p));
		w.n = (size_t)(eq - w.p);
		if (is(w, "header")) { /* to the end of the line: it has blanks */
			value = str_of(eq + 1, all.n - (size_t)(eq + 1 - all.p));
			args.n = 0;
		}
		if (!call_member(&call, w, value))
			return false;
	}
	client_call(c, cl, &call);
	return true;
}

/* C escapes: \r \n \t \\ \" \0 \xHH. */
static size_t unescape(struct str in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '\\' || i + 1 == in.n) {
			out[n++] = in.p[i];
			continue;
		}
		switch (in.p[++i]) {
		case 'r': out[n++] = '\r'; break;
		case 'n': out[n++] = '\n'; break;
		case 't': out[n++] = '\t'; break;
		case 's': out[n++] = ' '; break;
		case '0': out[n++] = '\0'; break;
		case 'x': {
			char hex[3] = { i + 1 < in.n ? in.p[i + 1] : '0', i + 2 < in.n ? in.p[i + 2] : '0', '\0' };

			out[n++] = (char)strtoul(hex, NULL, 16);
			i += 2;
			break;
		}
		default: out[n++] = in.p[i];
		}
	}
	return n;
}

static bool frame(struct crowd *c, struct client *cl, struct str args)
{
	static const struct {
		const char *name;
		enum ws_opcode op;
	} ops[] = { { "text", WS_TEXT }, { "cont", WS_CONTINUATION }, { "bin", WS_BINARY }, { "ping", WS_PING }, { "pong", WS_PONG } };
	struct str op = word(&args);
	bool fin = op.n == 0 || op.p[op.n - 1] != '+';
	char payload[8192];
	size_t n = unescape(args, payload);

	op.n -= !fin;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (is(op, ops[i].name)) {
			client_frame(c, cl, ops[i].op, fin, payload, n);
			return true;
		}
	return false;
}

static bool big(struct crowd *c, struct client *cl, struct str args)
{
	size_t n = (size_t)number(args);
	char *text = malloc(n + 1);

	if (text == NULL)
		return false;
	memset(text, 'x', n);
	client_frame(c, cl, WS_TEXT, true, text, n);
	free(text);
	return true;
}

static bool request(struct crowd *c, struct client *cl, struct str verb, struct str args)
{
	static const struct {
		const char *verb, *method;
	} methods[] = { { "get", "GET" }, { "head", "HEAD" }, { "delete", "DELETE" }, { "put", "PUT" }, { "post", "POST" }, { "patch", "PATCH" } };
	struct str path = word(&args);

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (is(verb, methods[i].verb)) {
			if (cl->link < 0)
				client_tcp(c, cl, 0, NULL);
			if (is(verb, "head"))
				cl->heads |= 1;
			client_request(c, cl, methods[i].method, path, args.n > 0 ? args : STR_NONE);
			return true;
		}
	return false;
}

static bool bytes(struct crowd *c, struct client *cl, struct str args)
{
	char out[BYTES_MAX];

	client_bytes(c, cl, out, unescape(args, out));
	return true;
}

/* What a client does that no message is needed for; false: not one of these. */
static bool act(struct crowd *c, struct client *cl, struct str verb, struct str args)
{
	if (is(verb, "drop"))
		client_drop(c, cl);
	else if (is(verb, "end"))
		client_end(c, cl);
	else if (is(verb, "close"))
		client_close(c, cl, args.n > 0 ? (unsigned)number(args) : 1000);
	else if (is(verb, "stall"))
		cl->stalled = true;
	else if (is(verb, "read") && args.n > 0)
		client_take(c, cl, (size_t)number(args));
	else if (is(verb, "read"))
		cl->stalled = false;
	else if (is(verb, "starve") || is(verb, "feed"))
		sim_starve(&c->sim, cl->link, is(verb, "starve"));
	else if (is(verb, "silent"))
		cl->silent = true;
	else if (is(verb, "polite"))
		cl->silent = false;
	else if (is(verb, "tcp"))
		client_tcp(c, cl, 0, NULL);
	else if (is(verb, "with"))
		snprintf(cl->with, sizeof(cl->with), "%.*s%s", (int)args.n, args.p, args.n > 0 ? "\r\n" : "");
	else
		return false;
	return true;
}

bool act_does(struct crowd *c, struct client *cl, struct str verb, struct str args)
{
	if (act(c, cl, verb, args) || request(c, cl, verb, args))
		return true;
	if (is(verb, "connect"))
		return connect(c, cl, args);
	if (is(verb, "send")) {
		client_frame(c, cl, WS_TEXT, true, args.p, args.n);
		return true;
	}
	if (is(verb, "watch")) {
		watch(c, cl, args);
		return true;
	}
	if (is(verb, "frame"))
		return frame(c, cl, args);
	if (is(verb, "big"))
		return big(c, cl, args);
	if (is(verb, "bytes"))
		return bytes(c, cl, args);
	return say_phrase(c, cl, verb, args);
}
