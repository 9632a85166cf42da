/*
 * test/unit/seeds_rig.h: an engine (engine_rig.h), what other programs are told of it (cluster/seeds), and a bus
 * that writes down what it is given:
 *
 *	PUBLISH channel payload | SET key value PX ms | DEL key | SUBSCRIBE channel
 *
 * Lines for seeds_rig_line() are the engine rig's, and
 *
 *	up | ready | down                     seeds_up(), seeds_ready(), seeds_down()
 *	nodes a,m,z                           these live beside this one, which is `k`
 *	peer a hosts bob | peer a drops bob   what a node says of a user
 *	hear CHANNEL PAYLOAD                  a message; the rest of the line is its payload
 *	echo                                  all that was published so far comes back
 *	rewrite | space N | room N            the bus takes N bytes in all, or N commands
 *	who bob                               "= NAME STATUS DEVICES", as others see bob
 *	turn                                  seeds_turn(), as after every line, and as often as the deadline asks
 */
#ifndef TEST_SEEDS_RIG_H
#define TEST_SEEDS_RIG_H

#include "cluster/seeds.h"
#include "cluster/seeds_user.h"
#include "cluster/seeds_write.h"
#include "engine_rig.h"
#include "presence/state.h"

enum { OUT_BYTES = 1 << 21, PUBLISHED_MAX = 4096, RIG_PEERS = 26 };

struct seeds_rig {
	struct rig rig;
	struct seeds seeds;
	struct log log;
	struct peerlink link;
	bool keys, started;
	uint64_t alive;
	uint32_t log_lines;

	char *out;                 /* what the bus was given */
	size_t out_n, from;
	uint32_t commands;
	size_t space;
	int room;                  /* commands that it still takes; -1: any */
	struct str updates[PUBLISHED_MAX]; /* payloads on presence:updates, in out */
	uint32_t updates_n, echoed_n;
	char heard[1 << 16];       /* EV_MESSAGE: "< c1: type data"; what `who` found */
	size_t heard_n;
	void *mem;
	size_t mem_bytes;
};

static bool sr_take(struct seeds_rig *t, size_t bytes)
{
	if (t->room == 0 || t->space < bytes)
		return false;
	t->room -= t->room > 0;
	t->commands++;
	return true;
}

static void sr_put(struct seeds_rig *t, struct str s)
{
	assert(t->out_n + s.n < OUT_BYTES);
	memcpy(t->out + t->out_n, s.p, s.n);
	t->out_n += s.n;
	t->out[t->out_n] = '\0';
}

static bool sr_publish(void *ctx, struct str channel, struct str payload)
{
	struct seeds_rig *t = ctx;

	if (!sr_take(t, payload.n))
		return false;
	sr_put(t, STR("PUBLISH "));
	sr_put(t, channel);
	sr_put(t, STR(" "));
	if (str_eq(channel, SEEDS_UPDATES)) {
		assert(t->updates_n < PUBLISHED_MAX);
		t->updates[t->updates_n++] = str_of(t->out + t->out_n, payload.n);
	}
	sr_put(t, payload);
	sr_put(t, STR("\n"));
	return true;
}

static bool sr_set(void *ctx, struct str key, struct str value, int64_t ttl_ms)
{
	struct seeds_rig *t = ctx;
	char ttl[32];

	if (!sr_take(t, key.n + value.n))
		return false;
	snprintf(ttl, sizeof ttl, " PX %lld\n", (long long)ttl_ms);
	sr_put(t, STR("SET "));
	sr_put(t, key);
	sr_put(t, STR(" "));
	sr_put(t, value);
	sr_put(t, rig_str(ttl));
	return true;
}

static bool sr_word(struct seeds_rig *t, struct str word, struct str arg)
{
	if (!sr_take(t, arg.n))
		return false;
	sr_put(t, word);
	sr_put(t, arg);
	sr_put(t, STR("\n"));
	return true;
}

static bool sr_del(void *ctx, struct str key)
{
	return sr_word(ctx, STR("DEL "), key);
}

static bool sr_subscribe(void *ctx, struct str channel)
{
	return sr_word(ctx, STR("SUBSCRIBE "), channel);
}

static size_t sr_space(void *ctx)
{
	const struct seeds_rig *t = ctx;

	return t->space;
}

static bool sr_log(void *ctx, const char *line, size_t n)
{
	struct seeds_rig *t = ctx;

	t->log_lines += line[n - 1] == '\n';
	return true;
}

/* --- what the engine tells --- */

static void sr_changed(void *ctx, uint32_t user)
{
	seeds_changed(&((struct seeds_rig *)ctx)->seeds, user);
}

static void sr_shown(void *ctx, uint32_t user)
{
	seeds_shown(&((struct seeds_rig *)ctx)->seeds, user);
}

static void sr_roster(void *ctx)
{
	seeds_roster(&((struct seeds_rig *)ctx)->seeds);
}

static void sr_room(void *ctx, struct str room, bool wanted)
{
	(void)ctx, (void)room, (void)wanted;
}

static void sr_tell(void *ctx, const struct peer_address *to, const struct peer_message *m)
{
	struct seeds_rig *t = ctx;

	(void)to;
	if (m->type == PEER_TYPING)
		seeds_typing(&t->seeds, m->room, m->user_id, m->is_typing);
}

static void sr_note(void *ctx, enum engine_note note, struct str user, struct str device, int64_t number, struct now now)
{
	struct seeds_rig *t = ctx;

	rig_note(&t->rig, note, user, device, number, now);
	seeds_note(&t->seeds, note, user, device, now);
}

static uint32_t sr_end(void *ctx)
{
	struct seeds_rig *t = ctx;
	uint32_t n = rig_end(&t->rig);
	const struct event *ev = &t->rig.ev;

	for (uint32_t c = 0; ev->type == EV_MESSAGE && c < RIG_CONNS; c++)
		if (t->rig.get[c])
			t->heard_n += (size_t)snprintf(t->heard + t->heard_n, sizeof t->heard - t->heard_n, "< c%u: %.*s %.*s\n", c,
						       (int)ev->text.n, ev->text.p == NULL ? "" : ev->text.p, (int)ev->body.n, ev->body.p);
	return n;
}

static void sr_begin(void *ctx, const struct event *ev)
{
	rig_begin(&((struct seeds_rig *)ctx)->rig, ev);
}

static void sr_skip(void *ctx, const uint32_t *conns, uint32_t n)
{
	rig_skip(&((struct seeds_rig *)ctx)->rig, conns, n);
}

static void sr_deliver(void *ctx, const uint32_t *conns, uint32_t n)
{
	rig_deliver(&((struct seeds_rig *)ctx)->rig, conns, n);
}

static void sr_close(void *ctx, uint32_t conn, enum engine_close why)
{
	rig_close(&((struct seeds_rig *)ctx)->rig, conn, why);
}

static uint64_t sr_key(void *ctx, uint32_t conn)
{
	return ((struct seeds_rig *)ctx)->rig.key_of[conn];
}

/* --- life --- */

static void sr_init(struct seeds_rig *t)
{
	memset(t, 0, sizeof *t);
	rig_init(&t->rig);
	t->keys = true;
	t->space = (size_t)1 << 24;
	t->room = -1;
	t->out = malloc(OUT_BYTES);
	assert(t->out != NULL);
	t->out[0] = '\0';
}

static void sr_start(struct seeds_rig *t)
{
	struct bus bus = { .ctx = t, .publish = sr_publish, .set = sr_set, .del = sr_del,
			   .subscribe = sr_subscribe, .space = sr_space };
	struct seeds_config c = { .users_max = t->rig.config.users_max, .keys = t->keys,
				  .presence_ttl_ms = t->rig.config.presence_ttl_ms,
				  .typing_ttl_ms = t->rig.config.typing_ttl_ms, .random = { 1, 2 } };
	struct region r;

	region_init(&r, NULL, 0);
	seeds_init(&t->seeds, &r, &c, &bus);
	t->mem_bytes = (region_used(&r) + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
	t->mem = aligned_alloc(REGION_ALIGN, t->mem_bytes);
	memset(t->mem, 0, t->mem_bytes);
	region_init(&r, t->mem, t->mem_bytes);
	seeds_init(&t->seeds, &r, &c, &bus);
	assert(!region_failed(&r));
	t->link = (struct peerlink){ t, sr_changed, sr_shown, sr_shown, sr_roster, sr_room, sr_tell };
	t->rig.config.peers = &t->link;
	t->rig.config.remotes_max = 256;
	t->rig.config.node_tag = 7;
	t->rig.sink = (struct engine_sink){ t, sr_begin, sr_skip, sr_deliver, sr_end, sr_close, sr_note, sr_key };
	rig_start(&t->rig);
	t->log = (struct log){ .level = LOG_INFO, .service = STR("test"), .sink = sr_log, .sink_ctx = t };
	seeds_serve(&t->seeds, t->rig.e, &t->log);
	t->started = true;
}

static void sr_fini(struct seeds_rig *t)
{
	rig_fini(&t->rig);
	free(t->mem);
	free(t->out);
}

/* --- lines --- */

/* Turns, as long as there is something to do at once. */
static void sr_turn(struct seeds_rig *t)
{
	for (int i = 0; i < 10000; i++) {
		seeds_turn(&t->seeds, t->rig.now);
		if (seeds_deadline(&t->seeds).ms > t->rig.now.mono.ms)
			return;
	}
	assert(!"the deadline stays in the past");
}

static void sr_wait(struct seeds_rig *t, int64_t ms)
{
	int64_t end_ms = t->rig.now.mono.ms + ms;

	while (t->rig.now.mono.ms < end_ms) {
		int64_t a = seeds_deadline(&t->seeds).ms, b = wheel_next(&t->rig.wheel).ms, to = a < b ? a : b;

		to = to > end_ms ? end_ms : to;
		rig_wait(&t->rig, to > t->rig.now.mono.ms ? to - t->rig.now.mono.ms : 1);
		sr_turn(t);
	}
}

static void sr_nodes(struct seeds_rig *t, const char *list)
{
	static const char names[] = "abcdefghijklmnopqrstuvwxyz";
	struct str ids[PEERS_MAX] = { { 0 } };

	t->alive = 0;
	for (uint32_t n = 0; n < RIG_PEERS; n++)
		ids[n] = str_of(names + n, 1);
	for (; *list != '\0'; list++)
		if (*list >= 'a' && *list <= 'z')
			t->alive |= UINT64_C(1) << (*list - 'a');
	seeds_nodes(&t->seeds, STR("k"), t->alive, ids);
}

static void sr_peer(struct seeds_rig *t, const char *peer, bool hosts, const char *user)
{
	struct peer_link link = { .device_id = STR("elsewhere"), .key = 0xfeed, .connected_at = t->rig.now.wall, .dialect = 1 };
	struct peer_user u = { .user_id = rig_str(user), .last_seen = t->rig.now.wall, .links = &link, .link_count = hosts,
			       .profile = { .custom_expires = WALL_NONE, .shown_expires = WALL_NONE, .shown_last_seen = WALL_NONE } };

	assert(engine_peer_user(t->rig.e, (uint32_t)(peer[0] - 'a'), &u, t->rig.now) == ENGINE_OK);
}

static void sr_hear(struct seeds_rig *t, struct str channel, struct str payload)
{
	char *copy = malloc(payload.n + 1); /* exactly: what is read beyond is found out */

	memcpy(copy, payload.p, payload.n);
	assert(seeds_heard(&t->seeds, channel, copy, payload.n, t->rig.now));
	free(copy);
}

static void sr_echo(struct seeds_rig *t)
{
	while (t->echoed_n < t->updates_n)
		sr_hear(t, SEEDS_UPDATES, t->updates[t->echoed_n++]);
}

static void sr_who(struct seeds_rig *t, const char *user)
{
	struct presence_view v;

	engine_view(t->rig.e, rig_str(user), &v, t->rig.now);
	t->heard_n += (size_t)snprintf(t->heard + t->heard_n, sizeof t->heard - t->heard_n, "= %.*s %s %u\n", (int)v.username.n,
				       v.username.p, rig_status(v.status), v.device_count);
}

static void sr_own_line(struct seeds_rig *t, char *line)
{
	struct now now = t->rig.now;
	char *arg = strchr(line, ' ');

	arg = arg == NULL ? line + strlen(line) : arg + 1;
	if (strcmp(line, "up") == 0)
		seeds_up(&t->seeds, now);
	else if (strcmp(line, "ready") == 0)
		seeds_ready(&t->seeds, now);
	else if (strcmp(line, "down") == 0)
		seeds_down(&t->seeds, now);
	else if (strcmp(line, "rewrite") == 0)
		seeds_rewrite(&t->seeds);
	else if (strcmp(line, "echo") == 0)
		sr_echo(t);
	else if (strncmp(line, "who ", 4) == 0)
		sr_who(t, arg);
	else if (strncmp(line, "nodes", 5) == 0)
		sr_nodes(t, arg);
	else if (strncmp(line, "peer ", 5) == 0)
		sr_peer(t, line + 5, strstr(line, " hosts ") != NULL, strrchr(line, ' ') + 1);
	else if (strncmp(line, "space ", 6) == 0)
		t->space = (size_t)atoll(arg);
	else if (strncmp(line, "room ", 5) == 0)
		t->room = atoi(arg);
	else if (strncmp(line, "hear ", 5) == 0)
		sr_hear(t, str_of(arg, strcspn(arg, " ")), rig_str(strchr(arg, ' ') + 1));
	else if (strcmp(line, "turn") != 0)
		rig_line(&t->rig, line, strlen(line));
}

/* What was given so far is looked at no more; `echo` knows it still. */
static void sr_forget(struct seeds_rig *t)
{
	t->from = t->out_n;
	t->commands = 0;
	t->heard_n = 0;
	t->heard[0] = '\0';
}

/* What the bus was given since. */
__attribute__((unused)) static const char *sr_out(const struct seeds_rig *t)
{
	return t->out + t->from;
}

/* One line. What the bus was given for it is in sr_out(). */
static void sr_line(struct seeds_rig *t, const char *text)
{
	char line[2048];

	assert(strlen(text) < sizeof line);
	strcpy(line, text);
	if (strncmp(line, "keys off", 8) == 0) {
		t->keys = false;
		return;
	}
	if (strncmp(line, "config", 6) == 0) {
		rig_line(&t->rig, line, strlen(line));
		return;
	}
	if (!t->started)
		sr_start(t);
	sr_forget(t);
	if (line[0] == '+')
		sr_wait(t, atoll(line + 1));
	else
		sr_own_line(t, line);
	sr_turn(t);
}

#endif
