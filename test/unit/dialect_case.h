/*
 * test/unit/dialect_case.h: runs tables of dialect cases. A decode row is a client's text and what must come of it, as one
 * readable line; an encode row is an event and the exact JSON text, or NULL for "no words".
 *
 * Decode rows are parsed flush against a PROT_NONE page. Encode rows are written whole, in chunks of one byte, and into
 * every buffer that is too small; what comes out must be JSON that our own reader takes.
 */
#ifndef TEST_DIALECT_CASE_H
#define TEST_DIALECT_CASE_H

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/limits.h"
#include "dialect/dialect.h"
#include "dialect/status.h"
#include "tap.h"

struct decode_case {
	const char *clause, *in, *want;
};

struct encode_case {
	const char *clause;
	struct event event;
	const char *want;
};

/* 2026-01-14T12:00:00.123Z, and a minute before. */
#define AT { 1768392000123 }
#define BEFORE { 1768391940123 }
#define AT_TEXT "2026-01-14T12:00:00.123Z"
#define BEFORE_TEXT "2026-01-14T11:59:00.123Z"

/* A user as seen: id, status word, with the rest given. */
#define ALICE(...) { .user_id = STR("user-123"), .username = STR("alice"), .last_seen = BEFORE, .device_count = 2, \
	.custom_expires = { INT64_MIN }, .known = true, __VA_ARGS__ }

/* Text under construction; stops at its end. */
struct line {
	char text[8192];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	l->n += (size_t)n;
	if (l->n >= sizeof(l->text))
		l->n = sizeof(l->text) - 1;
}

static void line_str(struct line *l, const char *name, struct str s)
{
	if (!str_absent(s))
		line_add(l, " %s=%.*s", name, (int)s.n, s.p);
}

static void line_strs(struct line *l, const char *name, struct strs list)
{
	line_add(l, " %s=[", name);
	for (uint32_t i = 0; i < list.n; i++)
		line_add(l, "%s%.*s", i > 0 ? "," : "", (int)list.v[i].n, list.v[i].p);
	line_add(l, "]");
}

static void line_patch(struct line *l, const char *name, enum patch patch, struct str value)
{
	if (patch == PATCH_SET)
		line_str(l, name, value);
	else if (patch == PATCH_CLEAR)
		line_add(l, " %s:clear", name);
}

static void line_presence(struct line *l, const struct presence_patch *p)
{
	if (p->has_status)
		line_str(l, "status", p->status == STATUS_OFFLINE ? STR("OFFLINE?!") : status_word(p->status));
	line_patch(l, "custom", p->custom_patch, p->custom);
	if (p->custom_patch == PATCH_SET && !wall_absent(p->custom_expires))
		line_add(l, " expires=%lld", (long long)p->custom_expires.ms);
	line_patch(l, "metadata", p->metadata_patch, p->metadata);
}

static void line_subscription(struct line *l, const struct command *c)
{
	line_add(l, " topics=%x", (unsigned)c->subscription.topics);
	line_strs(l, c->subscription.kind == ROOM_DM ? "dm" : "rooms", c->subscription.rooms);
	if (c->subscription.rooms_listed)
		line_add(l, " listed");
	if (c->subscription.users_given)
		line_strs(l, "users", c->subscription.users);
}

static void line_typing(struct line *l, const struct command *c)
{
	line_str(l, c->typing.kind == ROOM_DM ? "dm" : "room", c->typing.room);
	line_add(l, c->typing.is_typing ? " starts" : " stops");
	if (c->typing.recipients_given)
		line_strs(l, "to", c->typing.recipients);
}

static void line_command(struct line *l, const struct command *c)
{
	static const char *const names[CMD_COUNT] = {
		"ping", "heartbeat", "authenticate", "leave", "presence", "query", "subscribe", "unsubscribe", "typing", "receipt",
		"offer", "answer", "ice", "hangup",
	};

	line_add(l, "%s", names[c->type]);
	if (c->type == CMD_AUTHENTICATE)
		line_str(l, "token", c->token);
	if (c->type == CMD_PRESENCE)
		line_presence(l, &c->presence);
	if (c->type == CMD_QUERY)
		line_strs(l, "users", c->query);
	if (c->type == CMD_SUBSCRIBE || c->type == CMD_UNSUBSCRIBE)
		line_subscription(l, c);
	if (c->type == CMD_TYPING)
		line_typing(l, c);
	if (c->type == CMD_RECEIPT) {
		line_add(l, c->receipt.is_read ? " read" : " delivered");
		line_str(l, "room", c->receipt.room);
		line_strs(l, "messages", c->receipt.messages);
		line_str(l, "sender", c->receipt.sender);
	}
	if (c->type >= CMD_CALL_OFFER) {
		line_str(l, "id", c->call.id);
		line_str(l, "target", c->call.target);
		line_str(l, "body", c->call.body);
	}
}

/* A copy of text[0, n) whose end is the end of mapped memory. Unmap with guard_free. */
struct guard {
	char *map, *text;
	size_t map_bytes;
};

static struct guard guard_copy(const char *text, size_t n)
{
	const size_t page = 4096;
	size_t body = (n + page - 1) / page * page + page;
	struct guard g = { .map_bytes = body + page };

	g.map = mmap(NULL, g.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(g.map != MAP_FAILED);
	assert(mprotect(g.map + body, page, PROT_NONE) == 0);
	g.text = g.map + body - n;
	memcpy(g.text, text, n);
	return g;
}

static void guard_free(struct guard g)
{
	munmap(g.map, g.map_bytes);
}

static struct json_tok case_toks[JSON_TOKENS_MAX];
static struct decode_scratch case_scratch;

/* What comes of text[0, n): "ping reply_to=1", or "400 type: a string is required reply_to=1". */
static void decode_line(const struct dialect *d, const char *text, size_t n, struct line *l)
{
	struct guard g = guard_copy(text, n);
	struct json msg;
	struct command c;
	struct decode_error err = { 0, STR_NONE };
	enum json_err e;

	json_init(&msg, case_toks, JSON_TOKENS_MAX);
	e = json_parse(&msg, g.text, n);
	memset(&case_scratch, 0xa5, sizeof(case_scratch));
	memset(&c, 0xa5, sizeof(c));
	l->n = 0;
	l->text[0] = '\0';
	if (e != JSON_OK)
		line_add(l, "not JSON: %s", json_err_text(e));
	else if (d->decode(&msg, &case_scratch, &c, &err))
		line_command(l, &c);
	else
		line_add(l, "%d %.*s", err.code, (int)err.text.n, err.text.p);
	if (e == JSON_OK)
		line_str(l, "reply_to", c.reply_to);
	guard_free(g);
}

__attribute__((unused)) static void run_decode(const struct dialect *d, const struct decode_case *rows, size_t n)
{
	static struct line got;

	for (size_t i = 0; i < n; i++) {
		char name[400];

		decode_line(d, rows[i].in, strlen(rows[i].in), &got);
		snprintf(name, sizeof(name), "%s: %s", rows[i].clause, rows[i].in);
		for (char *p = name; *p != '\0'; p++)
			if (*p == '\n' || *p == '#')
				*p = ' ';
		tap_is_str(got.text, rows[i].want, name);
	}
}

/* A writer's memory in chunks of one byte. */
struct byte_chunks {
	char bytes[16384];
	size_t used;
};

static bool one_more_byte(struct jsonw *w)
{
	struct byte_chunks *c = w->ctx;

	if (c->used == sizeof(c->bytes))
		return false;
	w->p = c->bytes + c->used++;
	w->end = w->p + 1;
	return true;
}

/* The event's text: NULL if there are no words. Static storage. */
static const char *encode_text(const struct dialect *d, const struct event *e)
{
	static char whole[16384];
	struct jsonw w;

	jsonw_init(&w, whole, sizeof(whole) - 1);
	if (!d->encode(e, &w))
		return NULL;
	assert(!w.failed && w.depth == 0);
	whole[jsonw_bytes(&w)] = '\0';
	return whole;
}

static bool is_same_in_chunks(const struct dialect *d, const struct event *e, const char *whole)
{
	static struct byte_chunks chunks;
	struct jsonw w;
	size_t n = strlen(whole);

	chunks.used = 0;
	jsonw_init_chunks(&w, NULL, 0, one_more_byte, &chunks);
	return d->encode(e, &w) && !w.failed && jsonw_bytes(&w) == n && memcmp(chunks.bytes, whole, n) == 0;
}

/* Too little room fails and nothing else; malloc, so that the sanitizer sees one byte too many. */
static bool is_safe_when_short(const struct dialect *d, const struct event *e, size_t n)
{
	for (size_t room = 0; room < n; room++) {
		char *mem = malloc(room + 1);
		struct jsonw w;
		bool ok;

		assert(mem != NULL);
		mem[room] = '!';
		jsonw_init(&w, mem, room);
		ok = d->encode(e, &w) && w.failed && mem[room] == '!';
		free(mem);
		if (!ok)
			return false;
	}
	return true;
}

static bool is_json(const char *text)
{
	static struct json_tok toks[JSON_TOKENS_MAX];
	size_t n = strlen(text);
	struct guard g = guard_copy(text, n);
	struct json j;
	enum json_err err;

	json_init(&j, toks, JSON_TOKENS_MAX);
	err = json_parse(&j, g.text, n);
	guard_free(g);
	return err == JSON_OK;
}

__attribute__((unused)) static void run_encode(const struct dialect *d, const struct encode_case *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = encode_text(d, &rows[i].event), *again;

		if (rows[i].want == NULL || got == NULL) {
			tap_is_str(got == NULL ? "(no words)" : got, rows[i].want == NULL ? "(no words)" : rows[i].want, rows[i].clause);
			continue;
		}
		tap_is_str(got, rows[i].want, rows[i].clause);
		tap_ok(is_json(got), "%s: is JSON", rows[i].clause);
		tap_ok(is_same_in_chunks(d, &rows[i].event, got), "%s: the same in chunks of a byte", rows[i].clause);
		tap_ok(is_safe_when_short(d, &rows[i].event, strlen(got)), "%s: every smaller buffer fails", rows[i].clause);
		again = encode_text(d, &rows[i].event);
		tap_ok(again != NULL && strcmp(again, rows[i].want) == 0, "%s: the same a second time", rows[i].clause);
	}
}

/* A list over an array of views. */
struct view_array {
	const struct presence_view *v;
	uint32_t n;
};

__attribute__((unused)) static bool view_array_next(struct presence_list *l, struct presence_view *out)
{
	const struct view_array *a = l->ctx;

	if (l->position == a->n) {
		l->position = 0;
		return false;
	}
	*out = a->v[l->position++];
	return true;
}

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])

#endif
