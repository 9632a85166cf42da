/*
 * Two lists of verbs: those with a node's number, and those of Redis.
 */
#include "sim/faults.h"

#include <stdio.h>

#include "sim/words.h"

enum { CODES_MAX = 16, CODE_BYTES = 16 };

/* Backtracks to the last star only. */
bool faults_match(struct str pattern, const char *text)
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

/* --- of one node --- */

static bool node_verb(struct world *w, struct str verb, uint32_t n, struct str more)
{
	if (is(verb, "kill"))
		world_kill(w, n);
	else if (is(verb, "boot"))
		return world_boot(w, n);
	else if (is(verb, "stop"))
		world_freeze(w, n, true);
	else if (is(verb, "resume"))
		world_freeze(w, n, false);
	else if (is(verb, "quit"))
		world_quit(w, n);
	else if (is(verb, "gone"))
		return !world_is_alive(w, n);
	else if (is(verb, "cut"))
		redis_model_cut(&w->redis, n - 1, true);
	else if (is(verb, "join"))
		redis_model_cut(&w->redis, n - 1, false);
	else if (is(verb, "deafen"))
		redis_model_deafen(&w->redis, n - 1);
	else if (is(verb, "lose"))
		redis_model_lose(&w->redis, n - 1);
	else if (is(verb, "drop"))
		w->redis.clients[n - 1].drop_next = (uint32_t)number(more);
	else
		return false;
	return true;
}

/* --- of Redis --- */

/* What other programs publish, put down as what the client `redis` hears: `CHANNEL MESSAGE`. */
static void tap(void *ctx, struct str channel, struct str payload)
{
	struct world *w = ctx;
	struct crowd *c = &w->nodes[0].crowd;
	struct client *cl = client_named(c, "redis", 5);
	static char text[65536];
	size_t n;

	if (cl == NULL || (channel.n >= 10 && memcmp(channel.p, "presenced:", 10) == 0))
		return;
	n = (size_t)snprintf(text, sizeof(text), "%.*s ", (int)channel.n, channel.p);
	if (!client_reduce(c, cl, text + n, sizeof(text) - n, payload.p, payload.n))
		snprintf(text + n, sizeof(text) - n, "%.*s", (int)payload.n, payload.p);
	client_heard(c, cl, text, payload.p, payload.n);
}

static const char *kept_code(struct str code)
{
	static char codes[CODES_MAX][CODE_BYTES];
	uint32_t i = 0;

	while (i + 1 < CODES_MAX && codes[i][0] != '\0' && !str_eq(code, str_of(codes[i], strlen(codes[i]))))
		i++;
	snprintf(codes[i], CODE_BYTES, "%.*s", (int)code.n, code.p);
	return codes[i];
}

static void look_at_key(struct world *w, struct str key, struct str want, char *got, size_t cap)
{
	const struct redis_key *k = redis_model_get(&w->redis, key);

	if (k == NULL ? is(want, "none") : faults_match(want, k->value))
		return;
	snprintf(got, cap, "%.*s is %s", (int)key.n, key.p, k == NULL ? "none" : k->value);
}

static void look_at_ttl(struct world *w, struct str key, struct str want, char *got, size_t cap)
{
	const struct redis_key *k = redis_model_get(&w->redis, key);
	long long left = k == NULL ? -2 : k->expires_ms == INT64_MAX ? -1 : (long long)(k->expires_ms - w->redis.now_ms);

	if (left != number(want))
		snprintf(got, cap, "%.*s lives for %lld ms", (int)key.n, key.p, left);
}

static bool refuse(struct world *w, struct str args)
{
	struct str what = word(&args);

	if (!is(what, "writes") && !is(what, "all"))
		return false;
	redis_model_refuse(&w->redis, is(what, "all") ? REDIS_REFUSES_ALL : REDIS_REFUSES_WRITES, kept_code(args));
	return true;
}

/* Verbs with a key or a channel. */
static bool data_verb(struct world *w, struct str verb, struct str args, char *got, size_t cap)
{
	struct str name = word(&args);

	if (is(verb, "key")) {
		look_at_key(w, name, args, got, cap);
	} else if (is(verb, "ttl")) {
		look_at_ttl(w, name, args, got, cap);
	} else if (is(verb, "publish")) {
		redis_model_publish(&w->redis, name, args);
	} else if (is(verb, "set")) {
		struct str ttl = word(&args);

		redis_model_set(&w->redis, name, args, number(ttl));
	} else {
		return false;
	}
	return true;
}

static bool redis_verb(struct world *w, struct str verb, struct str args, char *got, size_t cap)
{
	struct redis_model *m = &w->redis;

	if (is(verb, "down") || is(verb, "up"))
		redis_model_down(m, is(verb, "down"));
	else if (is(verb, "hang") || is(verb, "wake"))
		redis_model_hang(m, is(verb, "hang"));
	else if (is(verb, "flush"))
		redis_model_flush(m);
	else if (is(verb, "failover"))
		redis_model_fail_over(m, (uint32_t)number(args));
	else if (is(verb, "refuse"))
		return refuse(w, args);
	else if (is(verb, "accept"))
		redis_model_refuse(m, REDIS_ACCEPTS, "");
	else if (is(verb, "limbo"))
		m->limbo_runs = is(args, "all");
	else if (is(verb, "tap"))
		m->tap = tap, m->tap_ctx = w;
	else
		return data_verb(w, verb, args, got, cap);
	return true;
}

bool faults_do(struct world *w, struct str verb, struct str args, char *got, size_t cap)
{
	struct str first;
	int64_t n;

	got[0] = '\0';
	if (!w->clustered)
		return false;
	first = word(&args);
	if (is(verb, "redis"))
		return redis_verb(w, first, args, got, cap);
	n = number(first);
	return n >= 1 && n <= (int64_t)w->node_count && node_verb(w, verb, (uint32_t)n, args);
}
