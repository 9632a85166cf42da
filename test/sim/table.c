/*
 * One pass over the lines: let time pass up to the line's, do what it says, settle, and hold what was heard against what it expects.
 */
#include "sim/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_MAX_BYTES = 65536,
	ITEMS_MAX = 256,
	ANY_NUMBER = -1,
	REPEAT_MAX = 100000,
};

struct item {
	struct str who, text;
	int count;              /* ANY_NUMBER: none or more */
	int64_t at_ms;          /* -1: whenever */
};

struct runner {
	struct crowd crowd;
	const char *path;
	unsigned number;        /* of the line */
	bool show, started;
	uint64_t seed;
	uint64_t heard[CLIENTS_MAX]; /* hashes */
	struct table_result result;
};

/* --- words --- */

static struct str trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_of(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* The first word is taken off. */
static struct str word(struct str *rest)
{
	struct str w = trim(*rest);
	size_t n = 0;

	while (n < w.n && w.p[n] != ' ' && w.p[n] != '\t')
		n++;
	*rest = trim(str_of(w.p + n, w.n - n));
	return str_of(w.p, n);
}

static bool is(struct str s, const char *text)
{
	return str_eq(s, str_of(text, strlen(text)));
}

static int64_t number(struct str s)
{
	char text[32] = "";

	memcpy(text, s.p, s.n < sizeof(text) ? s.n : sizeof(text) - 1);
	return strtoll(text, NULL, 10);
}

/* `x3`, `x*`: taken off. */
static int count_word(struct str *rest)
{
	struct str after = *rest, w = word(&after);

	if (w.n < 2 || w.p[0] != 'x' || (w.p[1] != '*' && (w.p[1] < '0' || w.p[1] > '9')))
		return 1;
	*rest = after;
	return w.p[1] == '*' ? ANY_NUMBER : (int)number(str_of(w.p + 1, w.n - 1));
}

/* Does `text` match `pattern`, where `*` is any run of characters? Backtracks to the last star only. */
static bool matches(struct str pattern, const char *text)
{
	size_t p = 0, star = SIZE_MAX, n = strlen(text), resume = 0, t = 0;

	while (t < n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.n && pattern.p[p] == text[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

/* --- complaints --- */

__attribute__((format(printf, 2, 3))) static void complain(struct runner *r, const char *fmt, ...)
{
	va_list ap;

	r->result.failed++;
	printf("# %s:%u (%s", r->path, r->number, sim_cut_names[r->crowd.sim.cut]);
	if (r->crowd.sim.cut >= SIM_FREE_CUTS)
		printf(" at %zu", r->crowd.sim.cut_at);
	printf("): ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* --- what clients do --- */

static void say(struct runner *r, struct client *cl, const char *fmt, struct str a, struct str b)
{
	char text[8192];
	int n = snprintf(text, sizeof(text), fmt, (int)a.n, a.p, (int)b.n, b.p);

	client_frame(&r->crowd, cl, WS_TEXT, true, text, (size_t)n);
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
static bool say_phrase(struct runner *r, struct client *cl, struct str verb, struct str args)
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
		say(r, cl, words, first, str_of(custom, strlen(custom)));
		return true;
	}
	return false;
}

static void watch(struct runner *r, struct client *cl, struct str users)
{
	char list[2048] = "";
	size_t n = 0;

	if (users.n == 0) {
		say(r, cl, "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"]}}", STR(""), STR(""));
		return;
	}
	while (users.n > 0) {
		struct str u = word(&users);

		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s\"%.*s\"", n > 0 ? "," : "", (int)u.n, u.p);
	}
	say(r, cl, "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"],\"filters\":{\"user_ids\":[%.*s]}}}", str_of(list, n), STR(""));
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

static bool connect(struct runner *r, struct client *cl, struct str args)
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
	client_call(&r->crowd, cl, &call);
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

static bool frame(struct runner *r, struct client *cl, struct str args)
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
			client_frame(&r->crowd, cl, ops[i].op, fin, payload, n);
			return true;
		}
	return false;
}

static bool big(struct runner *r, struct client *cl, struct str args)
{
	size_t n = (size_t)number(args);
	char *text = malloc(n + 1);

	if (text == NULL)
		return false;
	memset(text, 'x', n);
	client_frame(&r->crowd, cl, WS_TEXT, true, text, n);
	free(text);
	return true;
}

static bool request(struct runner *r, struct client *cl, struct str verb, struct str args)
{
	static const struct {
		const char *verb, *method;
	} methods[] = { { "get", "GET" }, { "head", "HEAD" }, { "delete", "DELETE" }, { "put", "PUT" }, { "post", "POST" }, { "patch", "PATCH" } };
	struct str path = word(&args);

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (is(verb, methods[i].verb)) {
			if (cl->link < 0)
				client_tcp(&r->crowd, cl, 0, NULL);
			if (is(verb, "head"))
				cl->heads |= 1;
			client_request(&r->crowd, cl, methods[i].method, path, args.n > 0 ? args : STR_NONE);
			return true;
		}
	return false;
}

static bool bytes(struct runner *r, struct client *cl, struct str args)
{
	char out[LINE_MAX_BYTES];

	client_bytes(&r->crowd, cl, out, unescape(args, out));
	return true;
}

/* What a client does that no message is needed for; false: not one of these. */
static bool act(struct runner *r, struct client *cl, struct str verb, struct str args)
{
	struct crowd *c = &r->crowd;

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

static bool does(struct runner *r, struct client *cl, struct str verb, struct str args)
{
	if (act(r, cl, verb, args) || request(r, cl, verb, args))
		return true;
	if (is(verb, "connect"))
		return connect(r, cl, args);
	if (is(verb, "send")) {
		client_frame(&r->crowd, cl, WS_TEXT, true, args.p, args.n);
		return true;
	}
	if (is(verb, "watch")) {
		watch(r, cl, args);
		return true;
	}
	if (is(verb, "frame"))
		return frame(r, cl, args);
	if (is(verb, "big"))
		return big(r, cl, args);
	if (is(verb, "bytes"))
		return bytes(r, cl, args);
	return say_phrase(r, cl, verb, args);
}

static bool limit(struct runner *r, struct str args)
{
	struct str pool = word(&args);
	char name[32] = "", n[32] = "";

	if (pool.n >= sizeof(name) || args.n >= sizeof(n))
		return false;
	memcpy(name, pool.p, pool.n);
	memcpy(n, args.p, args.n);
	return table_limit(r->crowd.sim.server, name, n);
}

/* What the services answer, and what they were asked. False: none of these, or not understood. */
static bool service_does(struct runner *r, struct str verb, struct str args)
{
	struct services *v = &r->crowd.sim.services;
	char got[128];

	if (is(verb, "keys"))
		return services_set_keys(v, args);
	if (is(verb, "users"))
		return services_set_users(v, args);
	if (!is(verb, "asked"))
		return false;
	if (!services_were_asked(v, args, got, sizeof(got)))
		complain(r, "%s", got);
	return true;
}

static bool nobody_does(struct runner *r, struct str verb, struct str args)
{
	struct sim *sim = &r->crowd.sim;
	struct server_config scratch = { .listener_count = 0 };
	char value[32] = "";

	if (verb.n == 0 || service_does(r, verb, args))
		return true;
	if (is(verb, "wall") && args.n > 1 && args.n < sizeof(value)) {
		memcpy(value, args.p + 1, args.n - 1);
		if (!table_option(&scratch, "presence-ttl", value))
			return false;
		sim_step_wall(sim, args.p[0] == '-' ? -scratch.presence_ttl_ms : scratch.presence_ttl_ms);
	} else if (is(verb, "drain")) {
		server_drain(sim->server);
	} else if (is(verb, "drained")) {
		return server_drained(sim->server);
	} else if (is(verb, "limit")) {
		return limit(r, args);
	} else if (is(verb, "freeze")) {
		sim->frozen = true;
	} else if (is(verb, "thaw")) {
		sim->frozen = false;
	} else {
		return false;
	}
	return true;
}

static void do_line(struct runner *r, struct str doing)
{
	struct str who = word(&doing), verb;
	int count = count_word(&doing);
	struct client *cl;

	verb = word(&doing);
	if (is(who, ".")) {
		if (!nobody_does(r, verb, doing))
			complain(r, "cannot: %.*s", (int)verb.n, verb.p);
		return;
	}
	cl = client_named(&r->crowd, who.p, who.n);
	for (int i = 0; i < count && i < REPEAT_MAX; i++)
		if (cl == NULL || !does(r, cl, verb, doing)) {
			complain(r, "%.*s cannot: %.*s", (int)who.n, who.p, (int)verb.n, verb.p);
			return;
		}
}

/* --- what was heard --- */

static bool heard_matches(const struct heard *h, const struct item *it)
{
	if (h == NULL || (it->at_ms >= 0 && h->at_ms != it->at_ms))
		return false;
	if (it->text.n > 0 && it->text.p[0] == '{')
		return h->json != NULL && matches(it->text, h->json);
	return matches(it->text, h->text);
}

/* The client's next that no item took yet. */
static struct heard *next_of(struct runner *r, const struct client *cl)
{
	for (size_t i = 0; i < r->crowd.heard_count; i++)
		if (!r->crowd.heard[i].taken && &r->crowd.clients[r->crowd.heard[i].client] == cl)
			return &r->crowd.heard[i];
	return NULL;
}

static void judge_item(struct runner *r, const struct item *it)
{
	struct client *cl = client_named(&r->crowd, it->who.p, it->who.n);
	struct heard *h;

	if (cl == NULL) {
		complain(r, "no such client: %.*s", (int)it->who.n, it->who.p);
		return;
	}
	for (int i = 0; it->count == ANY_NUMBER || i < it->count; i++) {
		h = next_of(r, cl);
		if (!heard_matches(h, it)) {
			if (it->count == ANY_NUMBER)
				return;
			complain(r, "want  %s %.*s%s", cl->name, (int)it->text.n, it->text.p, it->at_ms >= 0 ? " (at its time)" : "");
			if (h == NULL)
				return;
			printf("#   heard %s %s @%lld %s\n", cl->name, h->text, (long long)h->at_ms, h->json == NULL ? "" : h->json);
		}
		h->taken = true;
	}
}

static void show(struct runner *r)
{
	for (size_t i = 0; i < r->crowd.heard_count; i++) {
		const struct heard *h = &r->crowd.heard[i];
		size_t same = 1;

		while (i + same < r->crowd.heard_count && r->crowd.heard[i + same].client == h->client &&
		       strcmp(r->crowd.heard[i + same].text, h->text) == 0)
			same++;
		printf("      | %s ", r->crowd.clients[h->client].name);
		if (same > 1)
			printf("x%zu ", same);
		printf(h->at_ms == r->crowd.sim.now.mono.ms ? "%s\n" : "%s @%lld\n", h->text, (long long)h->at_ms);
		i += same - 1;
	}
}

/* FNV-1a, with the NUL. */
static void hash_text(uint64_t *hash, const char *text)
{
	do
		*hash = (*hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	while (*text++ != '\0');
}

static void note_heard(struct runner *r)
{
	for (size_t i = 0; i < r->crowd.heard_count; i++) {
		const struct heard *h = &r->crowd.heard[i];
		char when[32];

		snprintf(when, sizeof(when), "%lld", (long long)h->at_ms);
		hash_text(&r->heard[h->client], when);
		hash_text(&r->heard[h->client], h->text);
	}
}

static void judge(struct runner *r, const struct item *items, unsigned n)
{
	struct heard *h;

	for (uint32_t i = 0; i < r->crowd.client_count; i++) {
		const struct client *cl = &r->crowd.clients[i];

		if (cl->link >= 0 && cl->websocket && cl->close_heard && !cl->silent && !cl->stalled && !r->crowd.sim.frozen)
			complain(r, "%s answered Close, and the connection was not ended", cl->name);
	}
	if (r->show) {
		show(r);
	} else {
		for (unsigned i = 0; i < n; i++)
			judge_item(r, &items[i]);
		for (size_t i = 0; i < r->crowd.heard_count; i++) {
			h = &r->crowd.heard[i];
			if (!h->taken)
				complain(r, "heard %s %s @%lld, which nobody expects", r->crowd.clients[h->client].name, h->text, (long long)h->at_ms);
		}
	}
	note_heard(r);
	crowd_forget(&r->crowd);
}

/* --- lines --- */

static const char *find(struct str s, const char *what)
{
	size_t k = strlen(what);

	for (size_t i = 0; i + k <= s.n; i++)
		if (memcmp(s.p + i, what, k) == 0)
			return s.p + i;
	return NULL;
}

static struct item item_of(struct str s)
{
	struct item it = { .at_ms = -1 };
	size_t n;

	it.who = word(&s);
	it.count = count_word(&s);
	for (n = s.n; n > 0 && s.p[n - 1] != ' '; n--) {
	}
	if (n < s.n && s.p[n] == '@') {
		it.at_ms = number(str_of(s.p + n + 1, s.n - n - 1));
		s = trim(str_of(s.p, n));
	}
	it.text = s;
	return it;
}

static unsigned items_of(struct str s, struct item *items)
{
	unsigned n = 0;

	for (s = trim(s); s.n > 0 && n < ITEMS_MAX;) {
		const char *bar = find(s, " | ");
		struct str one = bar == NULL ? s : str_of(s.p, (size_t)(bar - s.p));

		s = bar == NULL ? STR("") : trim(str_of(bar + 3, s.n - (size_t)(bar + 3 - s.p)));
		items[n++] = item_of(trim(one));
	}
	return n;
}

static bool start(struct runner *r)
{
	r->started = true;
	if (!crowd_start(&r->crowd, r->seed)) {
		complain(r, "the server does not start");
		return false;
	}
	return true;
}

static bool directive(struct runner *r, struct str line)
{
	struct str what = word(&line), whole = line, name = word(&line);
	char n[64] = "", v[256] = "";

	if (name.n >= sizeof(n) || line.n >= sizeof(v))
		return false;
	memcpy(n, name.p, name.n);
	memcpy(v, line.p, line.n);
	if (is(what, "option"))
		return table_option(&r->crowd.sim.cfg, n, v);
	if (is(what, "keys") || is(what, "users"))
		return service_does(r, what, whole);
	if (is(what, "pipe")) {
		r->crowd.sim.pipe_bytes = (size_t)number(name);
		return true;
	}
	if (is(what, "cuts")) { /* the table depends on how bytes travel: only so */
		const char *mine = sim_cut_names[r->crowd.sim.cut];

		r->result.skipped = !is(name, mine) && find(line, mine) == NULL;
		return true;
	}
	return false;
}

static void timed(struct runner *r, struct str line)
{
	static struct item items[ITEMS_MAX];
	static char expanded[LINE_MAX_BYTES];
	const char *arrow = find(line, "->");
	struct str doing = arrow == NULL ? line : str_of(line.p, (size_t)(arrow - line.p));
	unsigned n = arrow == NULL ? 0 : items_of(str_of(arrow + 2, line.n - (size_t)(arrow + 2 - line.p)), items);
	int64_t at_ms = number(word(&doing));

	if (at_ms < r->crowd.sim.now.mono.ms) {
		complain(r, "time does not go back");
		return;
	}
	if (r->show)
		printf("%.*s\n", (int)line.n, line.p);
	r->result.lines++;
	sim_advance(&r->crowd.sim, at_ms);
	if (!mint_expand(doing, r->crowd.sim.now.wall, expanded, sizeof(expanded)))
		complain(r, "no such token");
	else
		do_line(r, str_of(expanded, strlen(expanded)));
	sim_settle(&r->crowd.sim);
	judge(r, items, n);
	if (r->crowd.sim.fault[0] != '\0') {
		complain(r, "%s", r->crowd.sim.fault);
		r->result.skipped = true; /* nothing after it means anything */
	}
}

static void line(struct runner *r, struct str text)
{
	text = trim(text);
	if (text.n == 0)
		return;
	if (text.p[0] < '0' || text.p[0] > '9') {
		if (r->started || !directive(r, text))
			complain(r, "not understood: %.*s", (int)text.n, text.p);
		return;
	}
	if (!r->started && !start(r))
		r->result.skipped = true;
	else
		timed(r, text);
}

static void work_off(struct runner *r, const char *table)
{
	static char joined[LINE_MAX_BYTES];
	size_t used = 0;

	for (unsigned n = 1; *table != '\0' && !r->result.skipped; n++) {
		size_t bytes_of = strcspn(table, "\n"), keep = bytes_of;
		const char *hash = find(str_of(table, bytes_of), " # ");

		if (table[0] == '#')
			keep = 0;
		else if (hash != NULL)
			keep = (size_t)(hash - table);
		if (table[0] != ' ' && table[0] != '\t' && table[0] != '#' && bytes_of > 0) {
			line(r, str_of(joined, used));
			used = 0;
			r->number = n;
		}
		if (used + keep + 1 < sizeof(joined)) {
			memcpy(joined + used, table, keep);
			used += keep;
		}
		table += bytes_of + (table[bytes_of] == '\n');
	}
	if (!r->result.skipped)
		line(r, str_of(joined, used));
}

struct table_result table_run(const char *path, const char *table, const struct table_way *way)
{
	static struct runner r;

	r = (struct runner){ .path = path, .show = way->show, .seed = way->seed };
	r.crowd.sim.cut = way->cut;
	r.crowd.sim.cut_at = way->cut_at;
	r.crowd.sim.check_turns = way->cut == SIM_WHOLE;
	sim_config(&r.crowd.sim.cfg);
	work_off(&r, table);
	if (r.started && !r.result.skipped) {
		r.number++;
		sim_leave_all(&r.crowd.sim);
		if (r.crowd.sim.fault[0] != '\0')
			complain(&r, "%s", r.crowd.sim.fault);
	}
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		r.result.heard = r.result.heard * 31 + r.heard[i];
	r.result.up_sizes = r.crowd.sim.up_sizes;
	r.result.down_sizes = r.crowd.sim.down_sizes;
	r.result.hash = r.crowd.sim.hash;
	r.result.turns = r.crowd.sim.turns;
	if (r.started)
		crowd_stop(&r.crowd);
	r.result.skipped &= r.result.failed == 0;
	return r.result;
}
