/*
 * A life from its first step to its last: chaos, heal, quiesce.
 */
#include "sim/life.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/state.h"
#include "sim/act.h"
#include "sim/world.h"

enum {
	NODES = 3, CLIENTS = 10, USERS = 5, WORD = 16, TEXT = 256,
	DEBOUNCE_MS = 5000,
	RECONNECT_MS_MAX = 1500,
	HEAL_MS = LEASE_MS + DEBOUNCE_MS + 5000 + RECONNECT_MS_MAX, /* RELIABILITY L */
	CALM_MS = 15000,     /* so long after a fault nothing of it may be felt */
	SETTLED_MS = 3000,   /* a connection that old is known to all */
	SKEW_MS_MAX = 60000, /* far below presence-ttl: who left that long ago is forgotten */
	LEAVE_EVERY = 10,    /* seeds: of these all leave in the end, which takes an hour */
};

#define LIFE_NAME(name, text) text,
const char *const fault_names[FAULTS] = { LIFE_FAULTS(LIFE_NAME) };

/* What stands behind the client of that number. */
struct device {
	uint32_t node, user;
	int64_t open_ms;             /* -1: it is not */
	bool watches;                /* dotted: it has asked to */
	uint32_t lists;              /* roster: that it was told */
	char knows[USERS][WORD];     /* the last status it was told; "": none */
	char told[USERS][TEXT];      /* the last words */
	int online[USERS];           /* by presence.online and presence.offline: 1, 0, or -1: neither yet */
};

struct life {
	struct world w;
	struct device devices[CLIENTS];
	uint64_t dice;
	uint32_t faults;             /* a bit of each that may be */
	bool trace;
	bool maybe_hidden[USERS];
	int64_t skew_ms[NODES + 1];
	int64_t node_bad_ms[NODES + 1], redis_bad_ms; /* when something last befell them; INT64_MAX: it does now */
	uint64_t injected[FAULTS], steps;
	char fault[TEXT];
};

/* --- chance --- */

static uint32_t draw(struct life *l, uint32_t below)
{
	l->dice ^= l->dice >> 12;
	l->dice ^= l->dice << 25;
	l->dice ^= l->dice >> 27;
	return (uint32_t)((l->dice * UINT64_C(0x2545f4914f6cdd1d) >> 32) % below);
}

__attribute__((format(printf, 2, 3))) static void fault(struct life *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->fault[0] != '\0')
		return;
	n = snprintf(l->fault, sizeof(l->fault), "at %lld ms: ", (long long)world_now_ms(&l->w));
	va_start(ap, fmt);
	vsnprintf(l->fault + n, sizeof(l->fault) - (size_t)n, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 2, 3))) static void trace(const struct life *l, const char *fmt, ...)
{
	va_list ap;

	if (!l->trace)
		return;
	printf("# %8lld ", (long long)world_now_ms(&l->w));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* --- who is where --- */

static struct crowd *crowd_of(struct life *l, uint32_t node)
{
	return &world_node(&l->w, node)->crowd;
}

static struct client *client_on(struct life *l, uint32_t i, uint32_t node)
{
	char name[8];
	int n = snprintf(name, sizeof(name), "c%u", i);

	return client_named(crowd_of(l, node), name, (size_t)n);
}

static bool is_open(struct life *l, uint32_t i)
{
	const struct client *cl = client_on(l, i, l->devices[i].node);

	return l->devices[i].open_ms >= 0 && cl->link >= 0 && cl->websocket && !cl->close_heard && !cl->close_sent &&
	       world_is_alive(&l->w, l->devices[i].node);
}

static struct str text_of(const char *text)
{
	return str_of(text, strlen(text));
}

static bool calm_since(int64_t bad_ms, int64_t now_ms)
{
	return bad_ms != INT64_MAX && now_ms - bad_ms > CALM_MS;
}

/* Is the user connected for long through a node that nothing befell for long, and hears the watcher's node of it? */
static bool must_be_online(struct life *l, uint32_t user, uint32_t watcher)
{
	int64_t now = world_now_ms(&l->w);

	if (l->maybe_hidden[user] || !calm_since(l->redis_bad_ms, now) || !calm_since(l->node_bad_ms[l->devices[watcher].node], now))
		return false;
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (l->devices[i].user == user && is_open(l, i) && now - l->devices[i].open_ms > SETTLED_MS &&
		    calm_since(l->node_bad_ms[l->devices[i].node], now))
			return true;
	return false;
}

/* --- what is heard --- */

static void learn_one(struct life *l, uint32_t i, const char *status, uint32_t user, const char *words, int online)
{
	struct device *d = &l->devices[i];
	enum dialect_id dialect = client_on(l, i, d->node)->dialect;
	bool whole = dialect == DIALECT_SNAKE || dialect == DIALECT_DOTTED; /* the others' words do not say all that may be new */

	if (words != NULL && whole && strcmp(words, d->told[user]) == 0)
		fault(l, "c%u is told twice: %s", i, words);
	if (online >= 0 && online == d->online[user])
		fault(l, "c%u is told twice that u%u comes or goes: %s", i, user, words);
	if (strcmp(status, "offline") == 0 && words != NULL && must_be_online(l, user, i))
		fault(l, "c%u on node %u is told: %s, who is connected", i, d->node, words);
	snprintf(d->knows[user], WORD, "%s", status);
	snprintf(d->told[user], TEXT, "%s", words == NULL ? "" : words);
	if (online >= 0)
		d->online[user] = online;
}

/* `[{u0,online,1},{u1,offline,0}]`: what one who begins to watch is told. */
static void learn_snapshot(struct life *l, uint32_t i, const char *p)
{
	char status[WORD];
	unsigned user;

	while ((p = strstr(p, "{u")) != NULL) {
		if (sscanf(p, "{u%u,%15[a-z]", &user, status) == 2 && user < USERS) {
			learn_one(l, i, status, user, NULL, -1);
			l->devices[i].online[user] = -1; /* what it shows may be a broadcast that the rate has put off */
		}
		p++;
	}
}

/* The roster is whole: who is not in it is offline. */
static void learn_roster(struct life *l, uint32_t i, const char *list)
{
	char name[WORD];

	l->devices[i].lists++;
	if (strcmp(list, l->devices[i].told[0]) == 0 && l->devices[i].lists > 2) /* the second may be for who joined at the same time */
		fault(l, "c%u is told twice: %s", i, list);
	for (uint32_t u = 0; u < USERS; u++) {
		const char *was = l->devices[i].knows[u], *is;

		snprintf(name, sizeof(name), "u%u", u);
		is = strstr(list, name) != NULL ? "online" : "offline";
		if (strcmp(is, "offline") == 0 && strcmp(was, "online") == 0 && must_be_online(l, u, i))
			fault(l, "c%u on node %u is told: %s, without u%u, who is connected", i, l->devices[i].node, list, u);
		snprintf(l->devices[i].knows[u], WORD, "%s", is);
	}
	snprintf(l->devices[i].told[0], TEXT, "%s", list);
}

static void learn(struct life *l, uint32_t i, const struct client *cl, const char *text)
{
	const char *words = strchr(text, ' ');
	char status[WORD];
	unsigned user;
	int online = -1;

	if (strcmp(text, "open") == 0)
		l->devices[i].open_ms = world_now_ms(&l->w);
	if (words == NULL)
		return;
	words++;
	if (cl->dialect == DIALECT_ROSTER && strncmp(text, "presence.user.online ", 21) == 0) {
		learn_roster(l, i, words);
		return;
	}
	if (strncmp(text, "presence.update [", 17) == 0) {
		learn_snapshot(l, i, words);
		return;
	}
	if (strncmp(text, "presence.online ", 16) == 0)
		online = 1;
	else if (strncmp(text, "presence.offline ", 17) == 0)
		online = 0;
	else if (strncmp(text, "presence_update ", 16) != 0 && strncmp(text, "PRESENCE_UPDATE ", 16) != 0 &&
		 strncmp(text, "presence ", 9) != 0 && strncmp(text, "presence.update ", 16) != 0)
		return;
	if (sscanf(words, cl->dialect == DIALECT_ROOMS ? "u%u %*s %15s" : "u%u %15s", &user, status) == 2 && user < USERS)
		learn_one(l, i, status, user, text, online); /* presence.offline says less than presence.update: not the same */
}

static void listen(struct life *l)
{
	for (uint32_t node = 1; node <= NODES; node++) {
		struct crowd *c = crowd_of(l, node);

		for (size_t k = 0; k < c->heard_count; k++) {
			const struct heard *h = &c->heard[k];
			uint32_t i = (uint32_t)strtoul(c->clients[h->client].name + 1, NULL, 10);

			trace(l, "   %s@%u %s @%lld %s", c->clients[h->client].name, node, h->text, (long long)h->at_ms, h->json == NULL ? "" : h->json);
			if (c->clients[h->client].name[0] == 'c' && l->devices[i].node == node)
				learn(l, i, &c->clients[h->client], h->text);
		}
		crowd_forget(c);
	}
}

/* --- what clients do --- */

static void forget(struct device *d)
{
	d->open_ms = -1;
	d->watches = false;
	d->lists = 0;
	memset(d->knows, 0, sizeof(d->knows));
	memset(d->told, 0, sizeof(d->told));
	for (uint32_t u = 0; u < USERS; u++)
		d->online[u] = -1;
}

static void do_connect(struct life *l, uint32_t i)
{
	static const char *const dialects[] = { "snake", "dotted", "rooms", "roster", "upper", "dotted" };
	uint32_t node = 1 + draw(l, NODES), user = draw(l, USERS);
	const char *dialect = dialects[draw(l, 6)];
	char args[64];

	client_drop(crowd_of(l, l->devices[i].node), client_on(l, i, l->devices[i].node));
	forget(&l->devices[i]);
	l->devices[i].node = node;
	l->devices[i].user = user;
	snprintf(args, sizeof(args), "%s user=u%u device=d%u", dialect, user, i);
	trace(l, "c%u@%u connect %s", i, node, args);
	act_does(crowd_of(l, node), client_on(l, i, node), STR("connect"), text_of(args));
}

static const char *draw_status(struct life *l, uint32_t user)
{
	static const char *const words[] = { "online", "away", "busy", "dnd", "online", "away", "busy", "invisible" };
	const char *word = words[draw(l, l->faults >> INVISIBLE & 1 ? 8 : 7)];

	l->maybe_hidden[user] |= strcmp(word, "invisible") == 0;
	return word;
}

static void say_status(struct life *l, uint32_t i, const char *status, uint32_t custom)
{
	uint32_t node = l->devices[i].node;
	char args[64];

	if (custom > 0 && client_on(l, i, node)->dialect != DIALECT_UPPER)
		snprintf(args, sizeof(args), "%s x%u", status, custom);
	else
		snprintf(args, sizeof(args), "%s", status);
	trace(l, "c%u@%u (u%u) status %s", i, node, l->devices[i].user, args);
	act_does(crowd_of(l, node), client_on(l, i, node), STR("status"), text_of(args));
}

static void put_status(struct life *l, uint32_t user, uint32_t node, const char *status)
{
	struct client *cl = client_named(crowd_of(l, node), "http", 4);
	char path[64], body[128];

	snprintf(path, sizeof(path), "/api/v1/presence/u%u", user);
	snprintf(body, sizeof(body), "{\"online_status\":\"%s\",\"metadata\":{\"n\":%u}}", status, draw(l, 100));
	trace(l, "PUT %s at node %u %s", path, node, body);
	client_request(crowd_of(l, node), cl, "PUT", text_of(path), text_of(body));
}

static void begin_watching(struct life *l)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct client *cl = client_on(l, i, l->devices[i].node);

		if (!is_open(l, i) || cl->dialect != DIALECT_DOTTED || l->devices[i].watches)
			continue;
		l->devices[i].watches = true;
		act_does(crowd_of(l, l->devices[i].node), cl, STR("watch"), STR(""));
	}
}

static void settle(struct life *l)
{
	world_settle(&l->w);
	listen(l);
	begin_watching(l);
	world_settle(&l->w);
	listen(l);
}

static void wait(struct life *l, int64_t ms)
{
	/* In steps: what must not be is judged by how things stood when it was. */
	for (int64_t until = world_now_ms(&l->w) + ms; world_now_ms(&l->w) < until && l->fault[0] == '\0';) {
		int64_t next = world_now_ms(&l->w) + 500;

		world_advance(&l->w, next < until ? next : until);
		settle(l);
		if (world_fault(&l->w)[0] != '\0')
			return;
	}
}

/* --- what befalls them --- */

static void node_bad(struct life *l, uint32_t node, bool still)
{
	l->node_bad_ms[node] = still ? INT64_MAX : world_now_ms(&l->w);
}

static void redis_bad(struct life *l)
{
	const struct redis_model *m = &l->w.redis;
	bool still = m->is_down || m->is_hung || m->refusal != REDIS_ACCEPTS || m->drop_permille + m->double_permille + m->swap_permille > 0;

	l->redis_bad_ms = still ? INT64_MAX : world_now_ms(&l->w);
}

/* Its wall clock is that much before or behind the others. */
static void skew(struct life *l, uint32_t node, int64_t ms)
{
	sim_step_wall(&world_node(&l->w, node)->crowd.sim, ms - l->skew_ms[node]);
	l->skew_ms[node] = ms;
}

/* What a process had shown and told nobody yet of, when it was killed, nobody knows: its last_seen may go back. */
static bool reboot(struct life *l, uint32_t node)
{
	if (!world_is_alive(&l->w, node))
		crowd_of(l, node)->seen_count = 0;
	return world_boot(&l->w, node);
}

static void befall_node(struct life *l, enum fault what, uint32_t node)
{
	bool frozen = world_node(&l->w, node)->crowd.sim.frozen, cut = l->w.redis.clients[node - 1].cut;

	switch (what) {
	case KILL:
		if (world_is_alive(&l->w, node) && !world_node(&l->w, node)->quitting && draw(l, 3) == 0)
			world_quit(&l->w, node);
		else if (world_is_alive(&l->w, node))
			world_kill(&l->w, node);
		else if (!reboot(l, node))
			fault(l, "node %u does not start", node);
		break;
	case STOP:
		world_freeze(&l->w, node, !frozen);
		break;
	case CUT:
		redis_model_cut(&l->w.redis, node - 1, !cut);
		break;
	case DEAF:
		if (draw(l, 2) == 0)
			redis_model_deafen(&l->w.redis, node - 1);
		else
			redis_model_lose(&l->w.redis, node - 1);
		break;
	default:
		skew(l, node, ((int64_t)draw(l, 2 * SKEW_MS_MAX + 1) - SKEW_MS_MAX));
		break;
	}
	frozen = world_node(&l->w, node)->crowd.sim.frozen;
	cut = l->w.redis.clients[node - 1].cut;
	if (what != WALL)
		node_bad(l, node, !world_is_alive(&l->w, node) || world_node(&l->w, node)->quitting || frozen || cut);
}

static void befall_redis(struct life *l, enum fault what)
{
	struct redis_model *m = &l->w.redis;

	switch (what) {
	case DOWN:
		redis_model_down(m, !m->is_down);
		break;
	case HANG:
		m->limbo_runs = draw(l, 2) == 0;
		redis_model_hang(m, !m->is_hung);
		break;
	case NOISE:
		m->drop_permille = m->drop_permille > 0 ? 0 : 1 + draw(l, 100);
		m->double_permille = m->drop_permille > 0 ? draw(l, 100) : 0;
		m->swap_permille = m->drop_permille > 0 ? draw(l, 100) : 0;
		break;
	case FLUSH:
		redis_model_flush(m);
		if (draw(l, 2) == 0)
			redis_model_fail_over(m, draw(l, 20));
		break;
	default:
		if (m->refusal != REDIS_ACCEPTS)
			redis_model_refuse(m, REDIS_ACCEPTS, "");
		else
			redis_model_refuse(m, draw(l, 2) == 0 ? REDIS_REFUSES_WRITES : REDIS_REFUSES_ALL, "READONLY");
		break;
	}
	redis_bad(l);
}

static void befall(struct life *l)
{
	enum fault what = (enum fault)draw(l, INVISIBLE);
	uint32_t node = 1 + draw(l, NODES);

	if (!(l->faults >> what & 1))
		return;
	l->injected[what]++;
	trace(l, "=== %s, node %u", fault_names[what], node);
	if (what == KILL || what == STOP || what == CUT || what == DEAF || what == WALL)
		befall_node(l, what, node);
	else
		befall_redis(l, what);
}

/* --- a life --- */

static void step(struct life *l)
{
	static const int64_t waits_ms[] = { 1, 5, 30, 200, 1000, 1000, 2500, 4999, 5500, 8000 };
	uint32_t op = draw(l, 20), i = draw(l, CLIENTS), node = l->devices[i].node;
	struct client *cl = client_on(l, i, node);

	l->steps++;
	if (op < 4) {
		do_connect(l, i);
	} else if (op < 5) {
		trace(l, "c%u@%u drop", i, node);
		client_drop(crowd_of(l, node), cl);
	} else if (op < 6 && is_open(l, i)) {
		trace(l, "c%u@%u close", i, node);
		client_close(crowd_of(l, node), cl, 1000);
	} else if (op < 9 && is_open(l, i)) {
		say_status(l, i, draw_status(l, l->devices[i].user), draw(l, 3));
	} else if (op < 10) {
		uint32_t user = draw(l, USERS);

		put_status(l, user, 1 + draw(l, NODES), draw_status(l, user));
	} else if (op < 13) {
		befall(l);
	} else {
		wait(l, waits_ms[draw(l, 10)]);
	}
	settle(l);
}

static void heal(struct life *l)
{
	struct redis_model *m = &l->w.redis;

	trace(l, "=== healing");
	redis_model_down(m, false);
	redis_model_hang(m, false);
	redis_model_refuse(m, REDIS_ACCEPTS, "");
	m->drop_permille = m->double_permille = m->swap_permille = 0;
	redis_bad(l);
	for (uint32_t n = 1; n <= NODES; n++) {
		redis_model_cut(m, n - 1, false);
		world_freeze(&l->w, n, false);
		if (world_node(&l->w, n)->quitting)
			world_kill(&l->w, n);
		if (!reboot(l, n))
			fault(l, "node %u does not start", n);
		if (l->node_bad_ms[n] == INT64_MAX)
			node_bad(l, n, false);
	}
	settle(l);
	wait(l, HEAL_MS);
}

/* --- the truth --- */

static const char *const status_names[STATUS_COUNT] = { "offline", "online", "away", "busy", "dnd", "invisible" };

static const char *describe(const struct presence_view *v, char out[TEXT])
{
	snprintf(out, TEXT, "%s '%.*s' %.*s %u", status_names[v->status], str_absent(v->custom) ? 0 : (int)v->custom.n, v->custom.p,
		 str_absent(v->metadata) ? 0 : (int)v->metadata.n, v->metadata.p, (unsigned)v->device_count);
	return out;
}

static void view_of(struct life *l, uint32_t user, uint32_t node, struct presence_view *v)
{
	const struct sim *sim = &crowd_of(l, node)->sim;
	char id[WORD];

	snprintf(id, sizeof(id), "u%u", user);
	engine_view(sim->server->engine, text_of(id), v, sim->now);
}

/* All nodes see the same, and as many devices as there are. */
static void check_user(struct life *l, uint32_t user)
{
	struct presence_view first, v;
	char a[TEXT] = "", b[TEXT] = "";
	uint32_t devices = 0;

	for (uint32_t i = 0; i < CLIENTS; i++)
		devices += l->devices[i].user == user && is_open(l, i);
	view_of(l, user, 1, &first);
	for (uint32_t n = 2; n <= NODES; n++) {
		view_of(l, user, n, &v);
		if (strcmp(describe(&first, a), describe(&v, b)) != 0)
			fault(l, "node 1 sees u%u as %s, node %u as %s", user, a, n, b);
	}
	if (first.device_count != devices && !(first.status == STATUS_OFFLINE && l->maybe_hidden[user]))
		fault(l, "u%u has %u devices, and is %s", user, devices, describe(&first, a));
	if ((first.status != STATUS_OFFLINE) != (devices > 0) && !l->maybe_hidden[user])
		fault(l, "u%u has %u devices, and is %s", user, devices, describe(&first, a));
}

static const char *shown(enum status s, enum dialect_id d)
{
	if (d == DIALECT_ROSTER)
		return s == STATUS_OFFLINE ? "offline" : "online";
	return s == STATUS_DND && d == DIALECT_UPPER ? "busy" : status_names[s];
}

/* What each who watches was told last. `all`: everybody had something to be told of. */
static void check_watchers(struct life *l, bool all)
{
	for (uint32_t i = 0; i < CLIENTS; i++)
		for (uint32_t u = 0; u < USERS; u++) {
			const struct device *d = &l->devices[i];
			enum dialect_id dialect = client_on(l, i, d->node)->dialect;
			struct presence_view v;
			bool never;

			if (!is_open(l, i) || d->user == u)
				continue;
			view_of(l, u, d->node, &v);
			never = d->knows[u][0] == '\0';
			if (never ? all && v.status != STATUS_OFFLINE : strcmp(shown(v.status, dialect), d->knows[u]) != 0)
				fault(l, "c%u on node %u knows u%u as %s, who is %s", i, d->node, u, never ? "nobody" : d->knows[u],
				      shown(v.status, dialect));
		}
}

static void check_truth(struct life *l, bool all)
{
	for (uint32_t u = 0; u < USERS; u++)
		check_user(l, u);
	check_watchers(l, all);
}

/* All is well: what anybody sets now is what all see. */
static void check_sets(struct life *l)
{
	enum status want[USERS];

	for (uint32_t u = 0; u < USERS; u++) {
		struct presence_view v;
		uint32_t i = draw(l, CLIENTS), tries = CLIENTS;

		view_of(l, u, 1, &v);
		want[u] = v.status == STATUS_BUSY ? STATUS_ONLINE : STATUS_BUSY;
		l->maybe_hidden[u] = false;
		while (tries > 0 && (l->devices[i].user != u || !is_open(l, i) || client_on(l, i, l->devices[i].node)->dialect == DIALECT_ROSTER)) {
			i = (i + 1) % CLIENTS;
			tries--;
		}
		if (tries > 0)
			say_status(l, i, status_names[want[u]], 50 + u);
		else
			put_status(l, u, 1 + draw(l, NODES), status_names[want[u]]);
		settle(l);
		wait(l, 10);
	}
	wait(l, 3000);
	check_truth(l, true);
	for (uint32_t u = 0; u < USERS; u++) {
		struct presence_view v;
		char text[TEXT];

		view_of(l, u, 1, &v);
		if (v.status != STATUS_OFFLINE && v.status != want[u])
			fault(l, "u%u set %s, and is %s", u, status_names[want[u]], describe(&v, text));
	}
}

/* --- a seed --- */

static void configure(struct life *l)
{
	struct redis_model *m = &l->w.redis;

	l->faults = draw(l, 4) == 0 ? 0 : draw(l, 1u << FAULTS) & draw(l, 1u << FAULTS);
	if (draw(l, 3) == 0)
		l->faults |= 1u << draw(l, FAULTS);
	m->delay_ms = draw(l, 3) == 0 ? 0 : draw(l, 20);
	m->delay_spread_ms = draw(l, 2) == 0 ? 0 : draw(l, 100);
	m->reconnect_ms = 20 + draw(l, 200);
	m->reconnect_spread_ms = draw(l, RECONNECT_MS_MAX - 220);
	m->space_bytes = draw(l, 8) == 0 ? 200000 : REDIS_SPACE_BYTES;
	for (uint32_t n = 1; n <= NODES; n++) {
		struct sim *sim = &crowd_of(l, n)->sim;

		sim->cfg.offline_debounce_ms = DEBOUNCE_MS;
		sim->cfg.connections_max = 24;
		sim->cut = draw(l, 4) == 0 ? SIM_RANDOM : SIM_WHOLE;
		sim->cfg.presence_rate = draw(l, 2);
	}
	for (uint32_t n = 2; n <= NODES; n++)
		crowd_of(l, n)->sim.cfg.presence_rate = crowd_of(l, 1)->sim.cfg.presence_rate;
}

static void say_config(const struct life *l)
{
	printf("# faults:");
	for (int f = 0; f < FAULTS; f++)
		if (l->faults >> f & 1)
			printf(" %s", fault_names[f]);
	printf("; delay %lld+%lld ms, reconnect %lld+%lld ms, rate %u\n", (long long)l->w.redis.delay_ms, (long long)l->w.redis.delay_spread_ms,
	       (long long)l->w.redis.reconnect_ms, (long long)l->w.redis.reconnect_spread_ms, l->w.nodes[0].crowd.sim.cfg.presence_rate);
}

static bool is_over(const struct life *l)
{
	return l->fault[0] != '\0' || world_fault(&l->w)[0] != '\0';
}

static void show_message(void *ctx, struct str channel, struct str payload)
{
	const struct life *l = ctx;

	trace(l, "redis %.*s %.*s", (int)channel.n, channel.p, (int)payload.n, payload.p);
}

static void live(struct life *l, const struct plan *plan)
{
	wait(l, 1000); /* they find each other */
	for (uint32_t i = 0; i < plan->steps && !is_over(l); i++) {
		l->dice = (plan->seed * UINT64_C(0x9e3779b97f4a7c15) ^ (i + 1) * UINT64_C(0xbf58476d1ce4e5b9)) | 1;
		if (!(plan->skip[i / 8] >> i % 8 & 1))
			step(l);
	}
	if (!is_over(l))
		heal(l);
	if (!is_over(l))
		check_truth(l, false);
	if (!is_over(l))
		check_sets(l);
	if (!is_over(l) && plan->seed % LEAVE_EVERY == 0)
		world_leave_all(&l->w);
}

struct outcome life_run(const struct plan *plan)
{
	static struct life l;
	struct outcome o = { .hash = 0 };

	memset(l.devices, 0, sizeof(l.devices));
	memset(l.maybe_hidden, 0, sizeof(l.maybe_hidden));
	memset(l.node_bad_ms, 0, sizeof(l.node_bad_ms));
	memset(l.skew_ms, 0, sizeof(l.skew_ms));
	memset(l.injected, 0, sizeof(l.injected));
	l.dice = plan->seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	l.redis_bad_ms = 0;
	l.steps = 0;
	l.trace = plan->show == SHOW_ALL;
	l.fault[0] = '\0';
	for (uint32_t i = 0; i < CLIENTS; i++) {
		forget(&l.devices[i]);
		l.devices[i].node = 1;
	}
	world_init(&l.w, plan->seed);
	configure(&l);
	if (l.trace)
		say_config(&l);
	for (uint32_t n = 1; n <= NODES; n++)
		crowd_of(&l, n)->sim.print_log = l.trace;
	if (l.trace) {
		l.w.redis.tap = show_message;
		l.w.redis.tap_ctx = &l;
	}
	if (world_start(&l.w, NODES, true))
		live(&l, plan);
	else
		fault(&l, "a node does not start");
	snprintf(o.fault, sizeof(o.fault), "%s", world_fault(&l.w)[0] != '\0' ? world_fault(&l.w) : l.fault);
	for (uint32_t n = 1; n <= NODES; n++) {
		o.hash = o.hash * 31 + crowd_of(&l, n)->sim.hash;
		o.turns += crowd_of(&l, n)->sim.turns;
	}
	for (int f = 0; f < FAULTS; f++)
		o.injected[f] = l.injected[f];
	o.lost = l.w.redis.stats.dropped + l.w.redis.stats.doubled + l.w.redis.stats.swapped;
	o.steps = l.steps;
	o.lived_ms = world_now_ms(&l.w);
	world_stop(&l.w);
	return o;
}
