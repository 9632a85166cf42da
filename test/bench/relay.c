/*
 * test/bench/relay.c: clients of several nodes at once, for `run --only cluster`. `relay --help` lists what
 * it does.
 *
 * Changer i of node h is user h * NODE_USERS + first + i, and its changes alternate between busy and online;
 * a change is done when the watcher of every watched node has been told of it. One that was not when its
 * user's next came is overtaken: nodes owe the last state, not each. So without --rate, where a user waits
 * for its own change, none is. Loopback only, one thread, and it stops by itself.
 */
#include "fleet.h"
#include "hist.h"
#include "proc.h"
#include "redis_talk.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NODES_MAX = 3,
	NODE_USERS = 100000,
	WATCHER_FIRST = 9000000,
	TALKER_FIRST = 5000000,
	TALKERS = 10,
	SOURCES = 64,
	FLIGHT = 128,
	REST_MS = 150,
	WARM_MS = 200,
	SETTLE_MS = 20,
	DRAIN_MS = 3000,
	FILL_SECONDS = 30,
	LIFE_SECONDS_MAX = 200,
	CATCH_UP_MAX = 64
};

static const char usage[] =
	"usage: relay SCENARIO [options]\n"
	"  floor  PUBLISH to message through a bare Redis, one at a time\n"
	"  load   users change their status, watchers hear; all at once, each after its own, or at a --rate\n"
	"  hold   users connect and stay until standard input ends; says `ready`\n"
	"options:\n"
	"  --node PORT,PID     of a node; once each, at most 3\n"
	"  --redis PORT,PID    between them; none: there is none\n"
	"  --speaking N        nodes that users are at: the first N (1)\n"
	"  --watching N        nodes that have a watcher (1)\n"
	"  --changers N        users of each of these (1)\n"
	"  --first N           the first one's number: who was there before still has the status it had (0)\n"
	"  --rooms N           that changers are in, round (1)\n"
	"  --rate R            changes a second in all; 0: each user's next when all heard its last (0)\n"
	"  --messages R        typing events a second, in rooms with a member at each speaking node (0)\n"
	"  --bytes N           payload of the floor's messages (250)\n"
	"  --seconds S         how long to measure (1)\n"
	"  --core N            to stay on (1; -1: any)\n";

struct options {
	struct { uint16_t port; pid_t pid; } node[NODES_MAX], redis;
	uint32_t nodes, speaking, watching, changers, first, rooms, rate, messages, bytes, ms;
	int core;
};

/* A user's last change. */
struct change {
	uint64_t intended_ns;
	uint8_t missing;   /* bit n: node n's watcher has not heard of it */
	bool busy;
};

struct site {
	struct fleet changers, watcher, talkers;
};

struct relay {
	const struct options *o;
	struct script change, watch, talk;
	struct site site[NODES_MAX];
	struct change *changes;     /* [speaking * changers], node by node */
	uint32_t *again, again_count; /* users whose change is done, to change again */
	uint64_t sent, done, overtaken, said;
	struct hist near, far;      /* to the watcher of the user's own node, and of another */
	int redis;
	bool failed;
};

struct totals {
	struct proc_core core;
	uint64_t cpu_ns[NODES_MAX], redis_ns, done, said, heard;
	struct redis_talk_stats stats;
};

/* --- hearing --- */

static bool number_after(const char *text, size_t n, const char *mark, uint32_t *out)
{
	const char *at = memmem(text, n, mark, strlen(mark));
	const char *end = text + n;

	if (at == NULL)
		return false;
	for (*out = 0, at += strlen(mark); at < end && *at >= '0' && *at <= '9'; at++)
		*out = *out * 10 + (uint32_t)(*at - '0');
	return true;
}

static void heard(void *ctx, struct client *c, const char *text, size_t n)
{
	struct relay *r = ctx;
	bool busy = memmem(text, n, "\"status\":\"busy\"", 15) != NULL;
	uint32_t node = c->identity - WATCHER_FIRST;
	uint32_t user, host;
	struct change *x;

	if (!number_after(text, n, "\"user_id\":\"user-", &user))
		return;
	host = user / NODE_USERS;
	user = user % NODE_USERS - r->o->first;
	if (host >= r->o->speaking || user >= r->o->changers)
		return;
	x = &r->changes[host * r->o->changers + user];
	if ((x->missing >> node & 1) == 0 || busy != x->busy)
		return;
	x->missing &= (uint8_t)~(1U << node);
	hist_add(host == node ? &r->near : &r->far, proc_now_ns() - x->intended_ns);
	if (x->missing != 0)
		return;
	r->done++;
	r->again[r->again_count++] = (uint32_t)(x - r->changes);
}

static bool failed(struct relay *r)
{
	uint32_t i;

	for (i = 0; i < r->o->nodes && !r->failed; i++) {
		const struct site *s = &r->site[i];
		const char *fault = s->changers.fault[0]  ? s->changers.fault
		                    : s->watcher.fault[0] ? s->watcher.fault
		                                          : s->talkers.fault;

		if (fault[0] == '\0')
			continue;
		(void)fprintf(stderr, "relay: node %u: %s\n", i, fault);
		r->failed = true;
	}
	return r->failed;
}

static void turn(struct relay *r)
{
	uint32_t i;

	for (i = 0; i < r->o->nodes; i++) {
		struct site *s = &r->site[i];

		if (s->changers.open > 0)
			fleet_turn(&s->changers, 0);
		if (s->talkers.open > 0)
			fleet_turn(&s->talkers, 0);
		if (s->watcher.open > 0)
			fleet_turn(&s->watcher, 0);
	}
}

/* --- speaking --- */

static void speak(struct relay *r, uint32_t user, uint64_t intended_ns)
{
	struct fleet *f = &r->site[user / r->o->changers].changers;
	struct change *x = &r->changes[user];
	uint8_t bytes[SCRIPT_BYTES_MAX];

	r->overtaken += x->missing != 0;
	x->busy = !x->busy;
	x->missing = (uint8_t)((1U << r->o->watching) - 1);
	x->intended_ns = intended_ns;
	r->sent++;
	fleet_send(f, &f->clients[user % r->o->changers], bytes,
	           script_event(&r->change, 0, x->busy, bytes, sizeof(bytes)));
}

static void talk(struct relay *r)
{
	uint64_t turn_of = r->said++;
	struct fleet *f = &r->site[turn_of % r->o->speaking].talkers;
	uint8_t bytes[SCRIPT_BYTES_MAX];
	struct client *c;

	turn_of /= r->o->speaking;
	c = &f->clients[turn_of % TALKERS];
	fleet_send(f, c, bytes,
	           script_event(&r->talk, c->identity, turn_of / TALKERS % 2, bytes, sizeof(bytes)));
}

/* How many of `rate` a second should have been by now, at most CATCH_UP_MAX more than were. */
static uint64_t due(uint64_t start, uint32_t rate, uint64_t were)
{
	uint64_t should = (proc_now_ns() - start) * rate / 1000000000U + 1;

	return rate == 0 || should <= were ? 0 : should - were < CATCH_UP_MAX ? should - were : CATCH_UP_MAX;
}

static void speak_all_again(struct relay *r)
{
	uint32_t i;

	for (i = 0; i < r->again_count; i++)
		speak(r, r->again[i], proc_now_ns());
	r->again_count = 0;
}

/* One user of each node in turn. */
static void speak_on_time(struct relay *r, uint64_t start, uint64_t *were)
{
	uint64_t n = due(start, r->o->rate, *were);
	uint32_t k;

	r->again_count = 0;
	for (; n > 0; n--, ++*were) {
		k = (uint32_t)(r->sent % (r->o->speaking * r->o->changers));
		speak(r, k % r->o->speaking * r->o->changers + k / r->o->speaking,
		      start + *were * 1000000000U / r->o->rate);
	}
}

static void run_for(struct relay *r, uint32_t ms)
{
	uint64_t start = proc_now_ns();
	uint64_t changes = 0, messages = 0, n;

	while (proc_now_ns() < start + ms * UINT64_C(1000000) && !failed(r)) {
		if (r->o->rate > 0)
			speak_on_time(r, start, &changes);
		else
			speak_all_again(r);
		for (n = due(start, r->o->messages, messages); n > 0; n--, messages++)
			talk(r);
		turn(r);
	}
}

static uint64_t pending(const struct relay *r)
{
	uint32_t i;
	uint64_t n = 0;

	for (i = 0; i < r->o->speaking * r->o->changers; i++)
		n += r->changes[i].missing != 0;
	return n;
}

static void drain(struct relay *r, uint32_t ms)
{
	uint64_t until = proc_now_ns() + ms * UINT64_C(1000000);

	while (proc_now_ns() < until && pending(r) > 0 && !failed(r))
		turn(r);
}

static void rest(struct relay *r, uint32_t ms)
{
	uint64_t until = proc_now_ns() + ms * UINT64_C(1000000);

	while (proc_now_ns() < until && !failed(r))
		turn(r);
}

/* --- connecting --- */

static void fill(struct fleet *f, uint32_t n)
{
	fleet_fill(f, 0, n, FLIGHT, proc_now_ns() + FILL_SECONDS * UINT64_C(1000000000));
}

static bool open_fleet(struct relay *r, struct fleet *f, const struct script *s, uint32_t node,
                       uint32_t clients, uint32_t first)
{
	struct in_addr here = { .s_addr = htonl(INADDR_LOOPBACK) };

	if (!fleet_init(f, s, here, r->o->node[node].port, clients > 0 ? clients : 1, SOURCES))
		return false;
	f->identity_first = first;
	f->ctx = r;
	return true;
}

static bool connect_site(struct relay *r, uint32_t node)
{
	const struct options *o = r->o;
	struct site *s = &r->site[node];
	uint32_t changers = node < o->speaking ? o->changers : 0;
	uint32_t talkers = node < o->speaking && o->messages > 0 ? TALKERS : 0;

	if (!open_fleet(r, &s->changers, &r->change, node, changers, node * NODE_USERS + o->first) ||
	    !open_fleet(r, &s->watcher, &r->watch, node, 1, WATCHER_FIRST + node) ||
	    !open_fleet(r, &s->talkers, &r->talk, node, talkers, TALKER_FIRST + node * TALKERS))
		return false;
	fill(&s->talkers, talkers);
	fill(&s->changers, changers);
	fleet_watch(&s->changers, "nothing");
	return !failed(r);
}

/* Last: it would have to read of all arrivals meanwhile. */
static void connect_watcher(struct relay *r, uint32_t node)
{
	struct fleet *f = &r->site[node].watcher;

	fill(f, 1);
	fleet_watch(f, script_event_marker(&r->watch));
	f->on_text = heard;
}

static bool begin(struct relay *r)
{
	const struct options *o = r->o;
	uint32_t users = o->speaking * o->changers;
	uint32_t i;

	r->changes = calloc(users, sizeof(*r->changes));
	r->again = calloc(users, sizeof(*r->again));
	r->redis = o->redis.port != 0 ? redis_talk_open(o->redis.port) : -1;
	if (r->changes == NULL || r->again == NULL || (o->redis.port != 0 && r->redis < 0) ||
	    !script_init(&r->change, "changer", 0, 9999999, o->rooms) ||
	    !script_init(&r->watch, "watcher", 0, 9999999, 1) ||
	    !script_init(&r->talk, "dotted", 160, 9999999, TALKERS))
		return false;
	for (i = 0; i < o->nodes; i++)
		if (!connect_site(r, i))
			return false;
	for (i = 0; i < o->watching && !failed(r); i++)
		connect_watcher(r, i);
	rest(r, REST_MS);
	for (i = 0; i < o->nodes; i++)
		fleet_watch(&r->site[i].talkers, script_event_marker(&r->talk));
	return !failed(r);
}

static void end(struct relay *r)
{
	uint32_t i;

	for (i = 0; i < r->o->nodes; i++) {
		struct fleet *fleets[] = { &r->site[i].changers, &r->site[i].watcher, &r->site[i].talkers };
		size_t k;

		for (k = 0; k < 3; k++)
			if (fleets[k]->clients != NULL)
				fleet_close(fleets[k]);
	}
	if (r->redis >= 0)
		(void)close(r->redis);
	free(r->changes);
	free(r->again);
}

/* --- scenarios --- */

static uint64_t messages_heard(const struct relay *r)
{
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < r->o->nodes; i++)
		n += r->site[i].talkers.frames;
	return n;
}

static bool sample(struct relay *r, struct totals *t)
{
	const struct options *o = r->o;
	uint32_t i;
	bool ok = proc_core_sample(getpid(), &t->core) &&
	          proc_cpu_ns(o->redis.pid, &t->redis_ns) == (o->redis.pid != 0);

	t->core.server_ns = t->redis_ns;
	t->done = r->done;
	t->said = r->said;
	t->heard = messages_heard(r);
	for (i = 0; i < o->nodes && ok; i++) {
		ok = proc_cpu_ns(o->node[i].pid, &t->cpu_ns[i]);
		t->core.server_ns += t->cpu_ns[i];
	}
	return ok;
}

/* Outside of what is measured; the word is for who looks at MONITOR. */
static bool mark(struct relay *r, const char *word, struct redis_talk_stats *stats)
{
	return r->redis < 0 || (redis_talk_echo(r->redis, word) && redis_talk_stats(r->redis, stats));
}

static void print_hist(const char *name, const struct hist *h)
{
	(void)printf(" %s=%" PRIu64 " %s_p50_ns=%" PRIu64 " %s_p99_ns=%" PRIu64 " %s_max_ns=%" PRIu64, name,
	             h->count, name, hist_quantile(h, 500), name, hist_quantile(h, 990), name, h->max);
}

static void print_load(const struct relay *r, const struct totals *a, const struct totals *b, uint64_t lost)
{
	uint64_t wall_ns = b->core.wall_ns - a->core.wall_ns;
	uint32_t i;

	(void)printf("scenario=load speaking=%u watching=%u changers=%u rate=%u messages=%u changes=%" PRIu64
	             " done=%" PRIu64 " overtaken=%" PRIu64 " lost=%" PRIu64 " said=%" PRIu64
	             " heard=%" PRIu64 " wall_ns=%" PRIu64 " per_second=%" PRIu64,
	             r->o->speaking, r->o->watching, r->o->changers, r->o->rate, r->o->messages, r->sent,
	             r->done, r->overtaken, lost, b->said - a->said, b->heard - a->heard, wall_ns,
	             (b->done - a->done) * 1000000000U / wall_ns);
	print_hist("near", &r->near);
	print_hist("far", &r->far);
	for (i = 0; i < r->o->nodes; i++)
		(void)printf(" cpu%u_ns=%" PRIu64, i, b->cpu_ns[i] - a->cpu_ns[i]);
	(void)printf(" redis_cpu_ns=%" PRIu64 " foreign_server_pct=%u foreign_load_pct=%u",
	             b->redis_ns - a->redis_ns, proc_foreign_server_pct(&a->core, &b->core),
	             proc_foreign_self_pct(&a->core, &b->core));
	redis_talk_print(&a->stats, &b->stats);
	(void)printf("\n");
}

/* Warm, and at rest again: what is counted from here on is complete. */
static bool warm(struct relay *r)
{
	run_for(r, WARM_MS);
	drain(r, DRAIN_MS);
	rest(r, SETTLE_MS);
	if (pending(r) > 0 && !failed(r))
		(void)fprintf(stderr, "relay: %" PRIu64 " users' changes were not heard by all\n",
		              pending(r));
	hist_reset(&r->near);
	hist_reset(&r->far);
	if (pending(r) > 0)
		return false;
	r->sent = r->done = r->overtaken = 0;
	return !failed(r);
}

static bool load(struct relay *r)
{
	struct totals from = { 0 }, to = { 0 };
	bool ok = begin(r);
	uint32_t i;

	for (i = 0; ok && r->o->rate == 0 && i < r->o->speaking * r->o->changers; i++)
		r->again[r->again_count++] = i;
	ok = ok && warm(r) && mark(r, "begin", &from.stats) && sample(r, &from);
	if (ok) {
		run_for(r, r->o->ms);
		ok = sample(r, &to) && !failed(r);
		drain(r, DRAIN_MS);
		rest(r, SETTLE_MS);
		to.heard = messages_heard(r);
		ok = ok && mark(r, "end", &to.stats) && !failed(r);
	}
	if (ok)
		print_load(r, &from, &to, pending(r));
	return ok;
}

static bool hold(struct relay *r)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	if (!begin(r))
		return false;
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (poll(&in, 1, 20) == 0 && !failed(r))
		turn(r);
	return !failed(r);
}

static bool floor_of(struct relay *r)
{
	if (!redis_talk_round_trips(r->o->redis.port, r->o->bytes, r->o->ms, &r->near)) {
		(void)fprintf(stderr, "relay: no answer from Redis\n");
		return false;
	}
	(void)printf("scenario=floor bytes=%u", r->o->bytes);
	print_hist("near", &r->near);
	(void)printf("\n");
	return true;
}

/* --- the command line --- */

enum key { KEY_NODE, KEY_REDIS, KEY_SECONDS, KEY_CORE, KEY_HELP, KEY_NUMBERS };

static bool number_is(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
	char *stop;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &stop, 10);
	*out = (uint32_t)v;
	return errno == 0 && *text >= '0' && *text <= '9' && *stop == '\0' && v >= least && v <= most;
}

/* PORT,PID */
static bool process_is(const char *text, uint16_t *port, pid_t *pid)
{
	unsigned p;
	int id, n = 0;

	if (sscanf(text, "%u,%d%n", &p, &id, &n) != 2 || text[n] != '\0' || p == 0 || p > 65535 || id <= 0)
		return false;
	*port = (uint16_t)p;
	*pid = id;
	return true;
}

static bool option_is(struct options *o, int key, const char *text)
{
	static const uint32_t limits[][2] = { { 1, NODES_MAX }, { 0, NODES_MAX },     { 1, 19000 },
		                              { 1, 100000 },    { 0, 1000000 },       { 0, 1000000 },
		                              { 1, 4096 },      { 0, NODE_USERS / 2 } };
	uint32_t *const numbers[] = { &o->speaking, &o->watching, &o->changers, &o->rooms,
		                      &o->rate,     &o->messages, &o->bytes,    &o->first };
	double s;

	switch (key) {
	case KEY_NODE:
		return o->nodes < NODES_MAX &&
		       process_is(text, &o->node[o->nodes].port, &o->node[o->nodes].pid) && ++o->nodes > 0;
	case KEY_REDIS:
		return process_is(text, &o->redis.port, &o->redis.pid);
	case KEY_SECONDS:
		s = strtod(text, NULL);
		o->ms = s >= 0.05 && s <= 60 ? (uint32_t)(s * 1000) : 0;
		return o->ms > 0;
	case KEY_CORE:
		o->core = (int)strtol(text, NULL, 10);
		return true;
	default:
		key -= KEY_NUMBERS;
		return number_is(text, limits[key][0], limits[key][1], numbers[key]);
	}
}

static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "node", 1, NULL, KEY_NODE },
		{ "redis", 1, NULL, KEY_REDIS },
		{ "seconds", 1, NULL, KEY_SECONDS },
		{ "core", 1, NULL, KEY_CORE },
		{ "help", 0, NULL, KEY_HELP },
		{ "speaking", 1, NULL, KEY_NUMBERS },
		{ "watching", 1, NULL, KEY_NUMBERS + 1 },
		{ "changers", 1, NULL, KEY_NUMBERS + 2 },
		{ "rooms", 1, NULL, KEY_NUMBERS + 3 },
		{ "rate", 1, NULL, KEY_NUMBERS + 4 },
		{ "messages", 1, NULL, KEY_NUMBERS + 5 },
		{ "bytes", 1, NULL, KEY_NUMBERS + 6 },
		{ "first", 1, NULL, KEY_NUMBERS + 7 },
		{ NULL, 0, NULL, 0 },
	};
	int which = 0;
	int key;

	while ((key = getopt_long(argc, argv, "", longs, &which)) != -1) {
		if (key == KEY_HELP) {
			(void)fputs(usage, stdout);
			exit(0);
		}
		if (key == '?' || !option_is(o, key, optarg)) {
			if (key != '?')
				(void)fprintf(stderr, "relay: --%s: bad value '%s'\n", longs[which].name,
				              optarg);
			return false;
		}
	}
	return optind + 1 == argc && o->speaking <= o->nodes + (o->nodes == 0) &&
	       o->watching <= o->nodes + (o->nodes == 0);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; bool (*run)(struct relay *); bool clients; } scenarios[] = {
		{ "floor", floor_of, false }, { "load", load, true }, { "hold", hold, true } };
	struct options o = {
		.speaking = 1, .watching = 1, .changers = 1, .rooms = 1, .bytes = 250, .ms = 1000, .core = 1
	};
	struct relay *r = calloc(1, sizeof(*r));
	bool ok = false;
	size_t i;

	if (r == NULL || !parse(&o, argc, argv)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	r->o = &o;
	r->redis = -1;
	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(scenarios[i].name, argv[optind]) != 0)
			continue;
		ok = fleet_prepare(o.core, LIFE_SECONDS_MAX) && (!scenarios[i].clients || o.nodes > 0) && scenarios[i].run(r);
		if (scenarios[i].clients && o.nodes > 0)
			end(r);
	}
	free(r);
	return ok ? 0 : 1;
}
