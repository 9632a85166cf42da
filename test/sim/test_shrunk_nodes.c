/*
 * Two nodes on a Redis, and a pool of one of them shrunk to 0 cells beyond what is in use, to 1, 2, 3 ... until nobody notices any more,
 * while users on both live a busy life. Each time: all that must always hold does, on both; who is refused is told 503 or 1013; who needs
 * nothing of that pool is answered; and once the pool is whole again both nodes come to see every user alike, within a lease and some
 * seconds; when all have left, nothing is kept.
 *
 *	test_shrunk_nodes [POOL [SIZE]]        both: prints what was heard
 */
#include <stdlib.h>
#include <string.h>

#include "presence/state.h"
#include "server/state.h"
#include "sim/act.h"
#include "sim/verdict.h"
#include "sim/words.h"
#include "sim/world.h"
#include "tap.h"

enum { NODES = 2, SIZES_MAX = 64, HEAL_MS = 60000, VIEW_BYTES = 512 };

#define TEXT_40 "forty characters of no great importance "

/* NODE WHO VERB...; `+MS`: time passes. */
static const char *const life[] = {
	"1 an connect snake user=ann device=a",
	"1 bo connect dotted user=bob device=b",
	"1 bo watch",
	"1 bo sub r",
	"1 de connect roster user=dee",
	"2 cy connect rooms user=cy",
	"2 cy sub r",
	"2 ev connect upper user=eve",
	"2 ev status busy",
	"2 fa connect dotted user=fay device=f",
	"2 f2 connect dotted user=fay device=f2",
	"2 a2 connect snake user=ann device=a2",
	"1 an status away " TEXT_40,
	"2 cy status busy",
	"2 a2 sub r",
	"2 fa sub r2",
	"1 an sub r2",
	"2 cy type r",
	"1 bo type r",
	"2 gu connect snake user=gus",
	"2 gu status dnd " TEXT_40 TEXT_40,
	"2 hi connect rooms user=hil",
	"+3000",
	"2 fa send {\"type\":\"call.offer\",\"id\":1,\"payload\":{\"call_id\":\"k\",\"target_user_id\":\"bob\",\"sdp\":\"v=0\"}}",
	"1 bo send {\"type\":\"call.answer\",\"id\":2,\"payload\":{\"call_id\":\"k\",\"sdp\":\"v=1\"}}",
	"1 bo send {\"type\":\"call.hangup\",\"id\":3,\"payload\":{\"call_id\":\"k\"}}",
	"2 h post /api/v1/presence/zoe/heartbeat {\"device_id\":\"z\"}",
	"2 h put /api/v1/presence/zoe {\"online_status\":\"busy\",\"custom_status\":\"" TEXT_40 "\"}",
	"2 h post /api/v1/broadcast {\"room\":\"r\",\"data\":{\"n\":1}}",
	"2 f2 drop",
	"1 an drop",
	"2 hi close",
	"+8000",
	"1 hi connect rooms user=hil",
	"2 ev status away",
	"2 bo connect dotted user=bob device=b2",
	"+3000",
};

static const char *const users[] = { "ann", "bob", "cy", "dee", "eve", "fay", "gus", "hil", "zoe", "by1", "by2" };

struct shrunk {
	const char *name;
	struct pool *pool;
	bool speech;
};

enum { POOLS = 12 };

static void pools_of(struct server *s, struct shrunk v[POOLS])
{
	struct engine *e = s->engine;
	const struct shrunk all[POOLS] = {
		{ "frames", &s->frames.cells, true }, { "users", &e->users.cells, false }, { "devices", &e->devices.cells, false },
		{ "rooms", &e->rooms.cells, false }, { "interests", &e->interests.cells, false }, { "typing", &e->typings.cells, false },
		{ "calls", &e->calls.cells, false }, { "shares", &e->shares.cells, false }, { "remotes", &e->shares.remotes, false },
		{ "texts of 38 bytes", &e->users.texts.pools[STRPOOL_38], false },
		{ "texts of 70 bytes", &e->users.texts.pools[STRPOOL_70], false },
		{ "texts of 134 bytes", &e->users.texts.pools[STRPOOL_134], false },
	};

	memcpy(v, all, sizeof(all));
}

/* --- a life --- */

static struct world world;
static struct verdict verdict;
static bool trace;

static bool is_well(void)
{
	if (world_fault(&world)[0] != '\0')
		verdict_fault(&verdict, "%s", world_fault(&world));
	return verdict_good(&verdict);
}

static struct crowd *crowd_of(uint32_t node)
{
	return &world_node(&world, node)->crowd;
}

static void act(const char *line)
{
	struct str rest = str_of(line, strlen(line)), who, verb;
	struct crowd *crowd;
	struct client *cl;

	if (*line == '+') {
		world_advance(&world, world_now_ms(&world) + strtoll(line + 1, NULL, 10));
		return;
	}
	crowd = crowd_of((uint32_t)number(word(&rest)));
	who = word(&rest);
	verb = word(&rest);
	cl = client_named(crowd, who.p, who.n);
	if (cl == NULL || !act_does(crowd, cl, verb, rest))
		verdict_fault(&verdict, "nobody can do: %.60s", line);
	world_settle(&world);
}

/* What the client of that name heard last, from `from` on; NULL: nothing. */
static const char *last_of(uint32_t node, const char *who, size_t from)
{
	const struct crowd *c = crowd_of(node);
	const char *text = NULL;

	for (size_t i = from; i < c->heard_count; i++)
		if (strcmp(c->clients[c->heard[i].client].name, who) == 0)
			text = c->heard[i].text;
	return text;
}

static void check_bystander(uint32_t node)
{
	char line[32];
	size_t from = crowd_of(node)->heard_count;
	const char *heard;

	snprintf(line, sizeof(line), "%u by ping", node);
	act(line);
	heard = last_of(node, "by", from);
	if (heard == NULL || strcmp(heard, "pong") != 0)
		verdict_fault(&verdict, "the bystander of node %u is not answered", node);
}

static void live(bool all_speak)
{
	for (size_t i = 0; i < sizeof(life) / sizeof(life[0]) && is_well(); i++) {
		act(life[i]);
		if (i % 8 != 7)
			continue;
		check_bystander(2);
		if (all_speak)
			check_bystander(1);
	}
}

/* May somebody hear this? "no such call" may follow an offer that found no room. */
static bool is_documented(const char *text)
{
	if (begins(text, "error "))
		return strstr(text, " 503") != NULL || strstr(text, "no such call") != NULL;
	if (begins(text, "close "))
		return begins(text, "close 1013") || begins(text, "close 1000");
	if (is_http_error(text))
		return begins(text, "503 {503,");
	return true;
}

static uint64_t judge_heard(void)
{
	uint64_t h = HEARD_HASH;

	for (uint32_t node = 1; node <= NODES; node++) {
		const struct crowd *c = crowd_of(node);

		for (size_t i = 0; i < c->heard_count; i++) {
			const struct heard *x = &c->heard[i];

			if (trace)
				printf("# %6lld %s@%u %s\n", (long long)x->at_ms, c->clients[x->client].name, node, x->text);
			if (!is_documented(x->text))
				verdict_fault(&verdict, "%s@%u heard: %.200s", c->clients[x->client].name, node, x->text);
			if (strcmp(c->clients[x->client].name, "by") != 0)
				h = heard_hash(h, x);
		}
	}
	return h;
}

/* --- what both nodes see --- */

static void view(uint32_t node, const char *user, char out[VIEW_BYTES])
{
	char line[128];
	size_t from = crowd_of(node)->heard_count;
	const char *heard;

	snprintf(line, sizeof(line), "%u view get /api/v1/presence/%s", node, user);
	act(line);
	heard = last_of(node, "view", from);
	snprintf(out, VIEW_BYTES, "%s", heard == NULL ? "nothing" : heard);
}

static void check_views(void)
{
	char one[VIEW_BYTES], two[VIEW_BYTES];

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]) && is_well(); i++) {
		view(1, users[i], one);
		view(2, users[i], two);
		if (strcmp(one, two) != 0)
			verdict_fault(&verdict, "%s is on node 1: %.200s; on node 2: %.200s", users[i], one, two);
	}
}

/* --- a pool --- */

static bool begin(void)
{
	verdict = (struct verdict){ "" };
	world = (struct world){ .node_count = 0 };
	world_init(&world, 5);
	for (uint32_t i = 0; i < NODES; i++) {
		struct server_config *cfg = &world.nodes[i].crowd.sim.cfg;

		cfg->presence_rate = 0;
		cfg->stale_timeout_ms = cfg->heartbeat_interval_ms = cfg->pong_wait_ms = 0;
		cfg->presence_ttl_ms = 600000;
	}
	if (!world_start(&world, NODES, true))
		return false;
	world_advance(&world, 5000);
	act("1 by connect dotted user=by1 device=by");
	act("2 by connect dotted user=by2 device=by");
	return is_well();
}

static uint64_t usual;

/* False: nobody noticed. */
static bool shrink(uint32_t pool, uint32_t size)
{
	struct shrunk pools[POOLS];
	uint64_t heard;

	if (!begin()) {
		verdict_fault(&verdict, "the world does not start");
		return false;
	}
	pools_of(crowd_of(1)->sim.server, pools);
	if (size != POOL_NONE)
		pool_limit(pools[pool].pool, pool_used(pools[pool].pool) + size);
	live(!pools[pool].speech);
	heard = judge_heard();
	pool_limit(pools[pool].pool, POOL_NONE);
	if (is_well()) {
		world_advance(&world, world_now_ms(&world) + HEAL_MS);
		check_bystander(1);
		check_bystander(2);
		check_views();
	}
	if (is_well())
		world_leave_all(&world);
	is_well();
	world_stop(&world);
	if (size == POOL_NONE)
		usual = heard;
	return heard != usual;
}

static unsigned sizes;

static void shrink_to_all(uint32_t pool, const char *name)
{
	uint32_t size = 0;

	while (size < SIZES_MAX && shrink(pool, size) && verdict_good(&verdict)) {
		sizes++;
		size++;
	}
	tap_ok(verdict_good(&verdict), "%s: from %u on nobody notices%s%s", name, size, verdict_good(&verdict) ? "" : ": ", verdict.fault);
	if (!verdict_good(&verdict))
		printf("# with %u cells more than were in use: test_shrunk_nodes '%s' %u\n", size, name, size);
}

int main(int argc, char **argv)
{
	struct shrunk pools[POOLS];

	setvbuf(stdout, NULL, _IOLBF, 0);
	shrink(0, POOL_NONE);
	tap_ok(verdict_good(&verdict), "a life with all pools whole%s%s", verdict_good(&verdict) ? "" : ": ", verdict.fault);
	if (!begin())
		return 1;
	pools_of(crowd_of(1)->sim.server, pools);
	world_stop(&world);
	for (uint32_t i = 0; i < POOLS; i++) {
		if (argc > 1 && strcmp(argv[1], pools[i].name) != 0)
			continue;
		trace = argc > 2;
		if (trace) {
			shrink(i, (uint32_t)strtoul(argv[2], NULL, 10));
			tap_ok(verdict_good(&verdict), "%s", verdict.fault);
		} else {
			shrink_to_all(i, pools[i].name);
		}
	}
	printf("# %u lives with a pool too small\n", sizes);
	return tap_done();
}
