/*
 * One pass over the lines: let time pass up to the line's, do what it says, settle, and hold what was heard against what it expects.
 */
#include "sim/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/act.h"
#include "sim/faults.h"
#include "sim/words.h"

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
	struct world world;
	uint32_t nodes;         /* 0: one, and no Redis */
	struct table_way way;
	const char *path;
	unsigned number;        /* of the line */
	bool show, started;
	uint64_t heard[WORLD_NODES_MAX][CLIENTS_MAX]; /* hashes */
	struct table_result result;
};

static int count_word(struct str *rest)
{
	struct str after = *rest, w = word(&after);

	if (w.n < 2 || w.p[0] != 'x' || (w.p[1] != '*' && (w.p[1] < '0' || w.p[1] > '9')))
		return 1;
	*rest = after;
	return w.p[1] == '*' ? ANY_NUMBER : (int)number(str_of(w.p + 1, w.n - 1));
}

/* --- complaints --- */

__attribute__((format(printf, 2, 3))) static void complain(struct runner *r, const char *fmt, ...)
{
	va_list ap;

	r->result.failed++;
	printf("# %s:%u (%s", r->path, r->number, sim_cut_names[r->way.cut]);
	if (r->way.cut >= SIM_FREE_CUTS)
		printf(" at %zu", r->way.cut_at);
	printf("): ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* --- who does it --- */

/* The node behind an `@` in who does or hears, which is taken off; 0: none is named. */
static uint32_t node_in(struct runner *r, struct str *who)
{
	const char *at = memchr(who->p, '@', who->n);
	int64_t n;

	if (at == NULL)
		return 0;
	n = number(str_of(at + 1, who->n - (size_t)(at + 1 - who->p)));
	who->n = (size_t)(at - who->p);
	return n >= 1 && n <= (int64_t)r->world.node_count ? (uint32_t)n : 0;
}

/* The client of that name, and where it is: on the node that is named, or where it is connected, or was, or on the first. */
static struct client *find_client(struct runner *r, struct str who, struct crowd **crowd)
{
	uint32_t n = node_in(r, &who), was = 0;

	for (uint32_t i = 0; n == 0 && i < r->world.node_count; i++)
		for (uint32_t k = 0; n == 0 && k < r->world.nodes[i].crowd.client_count; k++) {
			const struct client *cl = &r->world.nodes[i].crowd.clients[k];

			if (is(who, cl->name) && cl->link >= 0)
				n = i + 1;
			else if (is(who, cl->name))
				was = i + 1;
		}
	n = n == 0 ? was : n;
	*crowd = &world_node(&r->world, n == 0 ? 1 : n)->crowd;
	return client_named(*crowd, who.p, who.n);
}

static bool limit(struct sim *sim, struct str args)
{
	struct str pool = word(&args);
	char name[32] = "", n[32] = "";

	if (pool.n >= sizeof(name) || args.n >= sizeof(n))
		return false;
	memcpy(name, pool.p, pool.n);
	memcpy(n, args.p, args.n);
	return table_limit(sim->server, name, n);
}

/* What the services answer, and what they were asked. False: none of these, or not understood. */
static bool service_does(struct runner *r, struct services *v, struct str verb, struct str args)
{
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

static bool step_wall(struct sim *sim, struct str args)
{
	struct server_config scratch = { .listener_count = 0 };
	char value[32] = "";

	if (args.n < 2 || args.n >= sizeof(value))
		return false;
	memcpy(value, args.p + 1, args.n - 1);
	if (!table_option(&scratch, "presence-ttl", value))
		return false;
	sim_step_wall(sim, args.p[0] == '-' ? -scratch.presence_ttl_ms : scratch.presence_ttl_ms);
	return true;
}

static bool world_does(struct runner *r, struct str verb, struct str args)
{
	char got[4096];
	bool known = faults_do(&r->world, verb, args, got, sizeof(got));

	if (got[0] != '\0')
		complain(r, "%s", got);
	return known;
}

static bool nobody_does(struct runner *r, uint32_t node, struct str verb, struct str args)
{
	struct sim *sim = &world_node(&r->world, node)->crowd.sim;

	if (verb.n == 0 || world_does(r, verb, args) || service_does(r, &sim->services, verb, args))
		return true;
	if (is(verb, "wall"))
		return step_wall(sim, args);
	if (is(verb, "drained"))
		return server_drained(sim->server);
	if (is(verb, "limit"))
		return limit(sim, args);
	if (is(verb, "drain"))
		server_drain(sim->server);
	else if (is(verb, "freeze") || is(verb, "thaw"))
		sim->frozen = is(verb, "freeze");
	else
		return false;
	return true;
}

static void do_line(struct runner *r, struct str doing)
{
	struct str who = word(&doing), verb;
	int count = count_word(&doing);
	struct crowd *crowd;
	struct client *cl;
	uint32_t node;

	verb = word(&doing);
	if (who.n > 0 && who.p[0] == '.') {
		node = node_in(r, &who);
		if (!nobody_does(r, node == 0 ? 1 : node, verb, doing))
			complain(r, "cannot: %.*s", (int)verb.n, verb.p);
		return;
	}
	cl = find_client(r, who, &crowd);
	for (int i = 0; i < count && i < REPEAT_MAX; i++)
		if (cl == NULL || !act_does(crowd, cl, verb, doing)) {
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
		return h->json != NULL && faults_match(it->text, h->json);
	return faults_match(it->text, h->text);
}

/* The client's next that no item took yet. */
static struct heard *next_of(struct crowd *c, const struct client *cl)
{
	for (size_t i = 0; i < c->heard_count; i++)
		if (!c->heard[i].taken && &c->clients[c->heard[i].client] == cl)
			return &c->heard[i];
	return NULL;
}

static void judge_item(struct runner *r, const struct item *it)
{
	struct crowd *crowd;
	struct client *cl = find_client(r, it->who, &crowd);
	struct heard *h;

	if (cl == NULL) {
		complain(r, "no such client: %.*s", (int)it->who.n, it->who.p);
		return;
	}
	for (int i = 0; it->count == ANY_NUMBER || i < it->count; i++) {
		h = next_of(crowd, cl);
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

static void show(const struct crowd *c)
{
	for (size_t i = 0; i < c->heard_count; i++) {
		const struct heard *h = &c->heard[i];
		size_t same = 1;

		while (i + same < c->heard_count && c->heard[i + same].client == h->client && strcmp(c->heard[i + same].text, h->text) == 0)
			same++;
		printf("      | %s ", c->clients[h->client].name);
		if (same > 1)
			printf("x%zu ", same);
		printf(h->at_ms == c->sim.now.mono.ms ? "%s\n" : "%s @%lld\n", h->text, (long long)h->at_ms);
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

static void note_heard(uint64_t *hashes, const struct crowd *c)
{
	for (size_t i = 0; i < c->heard_count; i++) {
		const struct heard *h = &c->heard[i];
		char when[32];

		snprintf(when, sizeof(when), "%lld", (long long)h->at_ms);
		hash_text(&hashes[h->client], when);
		hash_text(&hashes[h->client], h->text);
	}
}

/* Every item has taken what it is for: what is left nobody expects. */
static void judge_rest(struct runner *r, const struct crowd *c)
{
	for (uint32_t i = 0; i < c->client_count; i++) {
		const struct client *cl = &c->clients[i];

		if (cl->link >= 0 && cl->websocket && cl->close_heard && !cl->silent && !cl->stalled && !c->sim.frozen)
			complain(r, "%s answered Close, and the connection was not ended", cl->name);
	}
	for (size_t i = 0; !r->show && i < c->heard_count; i++) {
		const struct heard *h = &c->heard[i];

		if (!h->taken)
			complain(r, "heard %s %s @%lld, which nobody expects", c->clients[h->client].name, h->text, (long long)h->at_ms);
	}
}

static void judge(struct runner *r, const struct item *items, unsigned n)
{
	for (unsigned i = 0; !r->show && i < n; i++)
		judge_item(r, &items[i]);
	for (uint32_t i = 0; i < r->world.node_count; i++) {
		struct crowd *c = &r->world.nodes[i].crowd;

		if (r->show)
			show(c);
		judge_rest(r, c);
		note_heard(r->heard[i], c);
		crowd_forget(c);
	}
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
	if (!world_start(&r->world, r->nodes == 0 ? 1 : r->nodes, r->nodes > 0)) {
		complain(r, "a server does not start");
		return false;
	}
	return true;
}

/* Of worlds of several servers. */
static bool world_directive(struct runner *r, struct str what, struct str value)
{
	if (is(what, "nodes"))
		r->nodes = (uint32_t)number(value);
	else if (is(what, "delay"))
		r->world.redis.delay_ms = number(value);
	else if (is(what, "reconnect"))
		r->world.redis.reconnect_ms = number(value);
	else if (is(what, "space"))
		r->world.redis.space_bytes = (size_t)number(value);
	else if (is(what, "redis-keys"))
		r->world.keys = is(value, "on");
	else
		return false;
	return r->nodes <= WORLD_NODES_MAX;
}

/* What every node is given. */
static bool node_directive(struct runner *r, struct sim *sim, struct str what, struct str args)
{
	struct str rest = args, name = word(&rest);
	char n[64] = "", v[256] = "";

	if (name.n >= sizeof(n) || rest.n >= sizeof(v))
		return false;
	memcpy(n, name.p, name.n);
	memcpy(v, rest.p, rest.n);
	if (is(what, "option"))
		return table_option(&sim->cfg, n, v);
	if (is(what, "pipe")) {
		sim->pipe_bytes = (size_t)number(name);
		return true;
	}
	return service_does(r, &sim->services, what, args);
}

static bool directive(struct runner *r, struct str line)
{
	struct str what = word(&line);

	if (world_directive(r, what, line))
		return true;
	if (is(what, "cuts")) { /* the table depends on how bytes travel: only so */
		r->result.skipped = find(line, sim_cut_names[r->way.cut]) == NULL;
		return true;
	}
	for (uint32_t i = 0; i < WORLD_NODES_MAX; i++)
		if (!node_directive(r, &r->world.nodes[i].crowd.sim, what, line))
			return false;
	return true;
}

static void timed(struct runner *r, struct str line)
{
	static struct item items[ITEMS_MAX];
	static char expanded[LINE_MAX_BYTES];
	const char *arrow = find(line, "->");
	struct str doing = arrow == NULL ? line : str_of(line.p, (size_t)(arrow - line.p));
	unsigned n = arrow == NULL ? 0 : items_of(str_of(arrow + 2, line.n - (size_t)(arrow + 2 - line.p)), items);
	int64_t at_ms = number(word(&doing));

	if (at_ms < world_now_ms(&r->world)) {
		complain(r, "time does not go back");
		return;
	}
	if (r->show)
		printf("%.*s\n", (int)line.n, line.p);
	r->result.lines++;
	world_advance(&r->world, at_ms);
	if (!mint_expand(doing, r->world.nodes[0].crowd.sim.now.wall, expanded, sizeof(expanded)))
		complain(r, "no such token");
	else
		do_line(r, str_of(expanded, strlen(expanded)));
	world_settle(&r->world);
	judge(r, items, n);
	if (world_fault(&r->world)[0] != '\0') {
		complain(r, "%s", world_fault(&r->world));
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

static void begin(struct runner *r)
{
	world_init(&r->world, r->way.seed);
	for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
		struct sim *sim = &r->world.nodes[i].crowd.sim;

		sim->cut = r->way.cut;
		sim->cut_at = r->way.cut_at;
		sim->check_turns = r->way.cut == SIM_WHOLE;
	}
}

/* Of one node, what it hears and sends; of several, that all do the same again. */
static void sum_up(struct runner *r)
{
	const struct sim *sim = &r->world.nodes[0].crowd.sim;

	r->result.up_sizes = sim->up_sizes;
	r->result.down_sizes = sim->down_sizes;
	for (uint32_t n = 0; n < r->world.node_count; n++) {
		sim = &r->world.nodes[n].crowd.sim;
		r->result.hash = r->result.hash * 31 + sim->hash;
		r->result.turns += sim->turns;
		for (uint32_t i = 0; i < CLIENTS_MAX; i++)
			r->result.heard = r->result.heard * 31 + r->heard[n][i];
	}
}

struct table_result table_run(const char *path, const char *table, const struct table_way *way)
{
	static struct runner r;

	r.way = *way;
	r.path = path;
	r.show = way->show;
	r.started = false;
	r.nodes = r.number = 0;
	r.result = (struct table_result){ .lines = 0 };
	memset(r.heard, 0, sizeof(r.heard));
	begin(&r);
	work_off(&r, table);
	if (r.started && !r.result.skipped) {
		r.number++;
		world_leave_all(&r.world);
		if (world_fault(&r.world)[0] != '\0')
			complain(&r, "%s", world_fault(&r.world));
	}
	sum_up(&r);
	world_stop(&r.world);
	r.result.skipped &= r.result.failed == 0;
	return r.result;
}
