/*
 * From a JSON message to the short line that a table says, in one pass over the text; the rules are in client.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rfc3339.h"
#include "sim/client.h"

enum { DEPTH_MAX = 32 };

struct reduction {
	struct crowd *crowd;
	const struct client *by;
	const char *p, *end;
	char *out;
	size_t n, cap;
	char open[DEPTH_MAX];   /* '{' or '[' */
	bool shown[DEPTH_MAX];  /* its bracket is put down */
	unsigned depth, shown_depth;
	bool first;             /* nothing was put down in the innermost shown bracket */
	struct str key;
	struct str user;        /* the last user_id */
};

static bool is_one_of(struct str s, const char *const *names)
{
	for (; *names != NULL; names++)
		if (str_eq(s, str_of(*names, strlen(*names))))
			return true;
	return false;
}

static void put(struct reduction *r, const char *p, size_t n)
{
	if (n >= r->cap - r->n)
		n = r->cap - r->n - 1;
	memcpy(r->out + r->n, p, n);
	r->n += n;
}

static void separate(struct reduction *r)
{
	if (!r->first)
		put(r, r->shown_depth > 0 ? "," : " ", 1);
	r->first = false;
}

static bool is_timestamp(struct str s)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

	if (s.n != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (shape[i] == 'd' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != shape[i])
			return false;
	return true;
}

static bool is_drawn_id(struct str s)
{
	if (s.n != 16)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (strchr("0123456789abcdef", s.p[i]) == NULL)
			return false;
	return true;
}

/* Who was seen last so long ago, or was not told of for so long, may be forgotten: what others know of them counts then, older as it may be. */
static bool may_be_forgotten(const struct crowd *c, const char *seen, int64_t told_ms)
{
	int64_t ttl_ms = c->sim.cfg.presence_ttl_ms;
	wall_t at;

	return c->sim.now.mono.ms - told_ms >= ttl_ms || (rfc3339_parse(str_of(seen, strlen(seen)), &at) && c->sim.now.wall.ms - at.ms >= ttl_ms);
}

/* RELIABILITY P8. Timestamps have one width: text order is time order. */
static void watch_last_seen(const struct reduction *r, struct str at)
{
	struct crowd *c = r->crowd;
	uint32_t i = 0;

	if (r->user.n >= sizeof(c->seen[0].user) || str_absent(r->user))
		return;
	while (i < c->seen_count && (c->seen[i].by != r->by || strlen(c->seen[i].user) != r->user.n ||
	                             memcmp(c->seen[i].user, r->user.p, r->user.n) != 0))
		i++;
	if (i == SEEN_MAX)
		return;
	if (i == c->seen_count) {
		c->seen_count++;
		c->seen[i].by = r->by;
		memcpy(c->seen[i].user, r->user.p, r->user.n);
		c->seen[i].user[r->user.n] = '\0';
	} else if (memcmp(c->seen[i].at, at.p, at.n) > 0 && !r->by->was_stalled && !may_be_forgotten(c, c->seen[i].at, c->seen[i].told_ms)) {
		sim_fault(&c->sim, "a user's last_seen went back");
	}
	c->seen[i].told_ms = c->sim.now.mono.ms;
	memcpy(c->seen[i].at, at.p, at.n);
	c->seen[i].at[at.n] = '\0';
}

static void string(struct reduction *r, struct str s)
{
	static const char *const times[] = { "timestamp", "last_seen", "at", "expires_at", "connected_at", "custom_status_expires_at", NULL };
	static const char *const users[] = { "user_id", "userId", NULL };
	static const char *const drawn[] = { "id", "connection_id", "session", "device_id", NULL };
	bool quote = s.n == 0 || memchr(s.p, ' ', s.n) != NULL;

	if (is_one_of(r->key, users))
		r->user = s;
	if (is_one_of(r->key, times) && is_timestamp(s)) {
		if (str_eq(r->key, STR("last_seen")))
			watch_last_seen(r, s);
		return;
	}
	if (is_one_of(r->key, drawn) && is_drawn_id(s))
		return;
	separate(r);
	if (str_eq(r->key, STR("reply_to")))
		put(r, "re:", 3);
	else if (str_eq(r->key, STR("dm_id")))
		put(r, "dm ", 3);
	put(r, "\"", quote);
	put(r, s.p, s.n);
	put(r, "\"", quote);
}

static void bare(struct reduction *r, struct str s)
{
	if (str_eq(s, STR("null")))
		return;
	separate(r);
	if (str_eq(r->key, STR("reply_to"))) {
		put(r, "re:", 3);
	} else if (str_eq(s, STR("true")) || str_eq(s, STR("false"))) {
		put(r, r->key.p, r->key.n);
		put(r, "=", 1);
	}
	put(r, s.p, s.n);
}

/* The end of the string whose opening quote is at p. */
static const char *string_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		p += *p == '\\';
	return p;
}

/* The end of the container that opens at p. */
static const char *container_end(const char *p, const char *end)
{
	int depth = 0;

	for (; p < end; p++) {
		if (*p == '"')
			p = string_end(p, end);
		else if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return p;
	}
	return p;
}

static void open_container(struct reduction *r)
{
	static const char *const as_is[] = { "metadata", "data", "sdp", "candidate", NULL };
	bool transparent = *r->p == '{' && (r->depth == 0 || (r->depth == 1 && str_eq(r->key, STR("payload"))));

	if (r->depth > 0 && is_one_of(r->key, as_is)) {
		const char *close = container_end(r->p, r->end);

		separate(r);
		put(r, r->p, (size_t)(close - r->p) + 1);
		r->p = close;
		return;
	}
	if (r->depth == DEPTH_MAX)
		return;
	r->open[r->depth] = *r->p;
	r->shown[r->depth++] = !transparent;
	if (transparent)
		return;
	separate(r);
	put(r, r->p, 1);
	r->shown_depth++;
	r->first = true;
}

static void close_container(struct reduction *r)
{
	if (r->depth == 0 || !r->shown[--r->depth])
		return;
	put(r, r->p, 1);
	r->shown_depth--;
	r->first = false;
}

static void scalar(struct reduction *r)
{
	const char *from = r->p;

	if (*from == '"') {
		r->p = string_end(from, r->end);
		if (r->p + 1 < r->end && r->p[1] == ':')
			r->key = str_of(from + 1, (size_t)(r->p - from) - 1);
		else
			string(r, str_of(from + 1, (size_t)(r->p - from) - 1));
		return;
	}
	while (r->p < r->end && strchr(",]}", *r->p) == NULL)
		r->p++;
	bare(r, str_of(from, (size_t)(r->p - from)));
	r->p--;
}

bool client_reduce(struct crowd *crowd, const struct client *by, char *out, size_t cap, const char *json, size_t n)
{
	static struct json_tok toks[JSON_TOKENS_MAX];
	struct reduction r = { .crowd = crowd, .by = by, .p = json, .end = json + n, .out = out, .cap = cap, .first = true, .key = STR(""), .user = STR_NONE };
	struct json j;
	char *copy = malloc(n + 1);
	bool valid;

	if (copy == NULL)
		abort();
	memcpy(copy, json, n);
	json_init(&j, toks, JSON_TOKENS_MAX);
	valid = json_parse(&j, copy, n) == JSON_OK;
	free(copy);
	for (; valid && r.p < r.end; r.p++) {
		if (*r.p == '{' || *r.p == '[')
			open_container(&r);
		else if (*r.p == '}' || *r.p == ']')
			close_container(&r);
		else if (*r.p != ',' && *r.p != ':' && *r.p != ' ')
			scalar(&r);
	}
	out[r.n] = '\0';
	return valid;
}
