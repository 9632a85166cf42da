/*
 * Invariants: all clocks show the same mono time, that of Redis too; a node's cluster lives exactly as long as its server.
 */
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROUNDS_WITHOUT_REST_MAX = 400000, /* of one instant: beyond, they spin */
	HEARD_PER_TURN_MAX = 64,
	CHECK_EVERY_MS = 2000, /* while time passes; after each step too */
	FORGET_MS = 900000, /* twice presence-ttl, and more: beats make an hour long */
};

struct world_node *world_node(struct world *w, uint32_t number)
{
	assert(number >= 1 && number <= WORLD_NODES_MAX);
	return &w->nodes[number - 1];
}

int64_t world_now_ms(const struct world *w)
{
	return w->nodes[0].crowd.sim.now.mono.ms;
}

bool world_is_alive(const struct world *w, uint32_t number)
{
	return w->nodes[number - 1].crowd.sim.server != NULL;
}

const char *world_fault(const struct world *w)
{
	static char text[256];

	for (uint32_t i = 0; i < w->node_count; i++)
		if (w->nodes[i].crowd.sim.fault[0] != '\0') {
			snprintf(text, sizeof(text), "node %u: %s", w->nodes[i].number, w->nodes[i].crowd.sim.fault);
			return w->node_count == 1 ? w->nodes[i].crowd.sim.fault : text;
		}
	return "";
}

/* --- a node hears Redis --- */

static void hear_up(void *ctx)
{
	struct world_node *n = ctx;

	cluster_up(n->cluster, n->crowd.sim.now);
}

static void hear_down(void *ctx)
{
	struct world_node *n = ctx;

	cluster_down(n->cluster, n->crowd.sim.now);
}

static void hear_message(void *ctx, struct str channel, char *payload, size_t bytes)
{
	struct world_node *n = ctx;

	cluster_heard(n->cluster, channel, payload, bytes, n->crowd.sim.now);
}

static void hear_renewed(void *ctx, bool was_there)
{
	struct world_node *n = ctx;

	cluster_renewed(n->cluster, was_there, n->crowd.sim.now);
}

static void hear_refused(void *ctx, struct str code)
{
	struct world_node *n = ctx;

	cluster_refused(n->cluster, code, n->crowd.sim.now);
}

/* --- a node's part in its server's turns --- */

static uint64_t mixed(uint64_t a, uint64_t b)
{
	a = (a + b * UINT64_C(0x9e3779b97f4a7c15)) ^ (a >> 29);
	a *= UINT64_C(0xbf58476d1ce4e5b9);
	return a ^ (a >> 32);
}

static bool join(void *ctx, struct now now)
{
	struct world_node *n = ctx;
	const struct server_config *cfg = &n->crowd.sim.cfg;
	const struct cluster_config config = {
		.node_id = str_of(n->id, strlen(n->id)), .random = { mixed(n->world->seed, 100 * n->boots + n->number), mixed(n->boots, n->number) },
		.users_max = server_users_max(cfg), .presence_ttl_ms = cfg->presence_ttl_ms, .typing_ttl_ms = cfg->typing_ttl_ms,
		.offline_debounce_ms = cfg->offline_debounce_ms, .keys = n->world->keys,
	};
	struct bus bus = redis_model_bus(&n->world->redis, n->number - 1);
	struct region r;

	region_init(&r, NULL, 0);
	cluster_new(&config, &r, &bus, now);
	n->memory = aligned_alloc(64, (region_used(&r) + 63) / 64 * 64);
	if (n->memory == NULL)
		return false;
	memset(n->memory, 0, (region_used(&r) + 63) / 64 * 64);
	region_init(&r, n->memory, region_used(&r));
	n->cluster = cluster_new(&config, &r, &bus, now);
	if (n->cluster == NULL)
		return false;
	n->peers = cluster_peers(n->cluster);
	return true;
}

static void serve(void *ctx, struct server *s)
{
	struct world_node *n = ctx;
	const struct redis_ears ears = {
		.ctx = n, .up = hear_up, .down = hear_down, .heard = hear_message, .renewed = hear_renewed, .refused = hear_refused,
	};

	n->due_known = false;
	cluster_serve(n->cluster, s);
	redis_model_open(&n->world->redis, n->number - 1, &ears);
}

static bool attend(void *ctx, struct now now)
{
	struct world_node *n = ctx;

	(void)now;
	n->due_known = false; /* until the turn is over */
	return redis_model_deliver(&n->world->redis, n->number - 1, HEARD_PER_TURN_MAX);
}

static void speak(void *ctx, struct now now)
{
	struct world_node *n = ctx;

	cluster_turn(n->cluster, now);
}

static mono_t due(void *ctx)
{
	struct world_node *n = ctx;
	mono_t heard = { redis_model_client_due(&n->world->redis, n->number - 1) };

	if (!n->due_known)
		n->due = cluster_deadline(n->cluster);
	n->due_known = true;
	return mono_min(heard, n->due);
}

static bool valid(const void *ctx)
{
	const struct world_node *n = ctx;

	return cluster_valid(n->cluster);
}

/* --- beginning and end --- */

void world_init(struct world *w, uint64_t seed)
{
	w->seed = seed;
	w->keys = true;
	w->clustered = false;
	w->node_count = 0;
	w->checked_ms = 0;
	redis_model_start(&w->redis, seed);
	for (uint32_t i = 0; i < WORLD_NODES_MAX; i++) {
		struct world_node *n = &w->nodes[i];

		n->world = w;
		n->number = i + 1;
		n->boots = 0;
		n->cluster = NULL;
		n->memory = NULL;
		n->quitting = false;
		snprintf(n->id, sizeof(n->id), "n%u", i + 1);
		n->crowd.sim = (struct sim){ .drink = NULL };
		sim_config(&n->crowd.sim.cfg);
	}
}

static uint64_t seed_of(const struct world_node *n)
{
	return n->number == 1 && n->boots == 0 ? n->world->seed : mixed(n->world->seed, 1000 * n->boots + n->number);
}

bool world_start(struct world *w, uint32_t nodes, bool redis)
{
	assert(nodes >= 1 && nodes <= WORLD_NODES_MAX && (redis || nodes == 1));
	w->clustered = redis;
	w->node_count = nodes;
	for (uint32_t i = 0; i < nodes; i++) {
		struct world_node *n = &w->nodes[i];

		if (redis) {
			n->crowd.sim.cfg.clustered = true;
			n->crowd.sim.cfg.node_id = str_of(n->id, strlen(n->id));
			n->crowd.sim.company = (struct sim_company){
				.ctx = n, .peers = &n->peers, .join = join, .serve = serve, .attend = attend, .speak = speak, .due = due, .valid = valid,
			};
		}
		if (!crowd_start(&n->crowd, seed_of(n)))
			return false;
	}
	return true;
}

static void forget_cluster(struct world_node *n)
{
	free(n->memory);
	n->memory = NULL;
	n->cluster = NULL;
}

void world_stop(struct world *w)
{
	for (uint32_t i = 0; i < w->node_count; i++) {
		crowd_stop(&w->nodes[i].crowd);
		forget_cluster(&w->nodes[i]);
	}
	redis_model_stop(&w->redis);
	w->node_count = 0;
}

static void end(struct world_node *n, bool politely)
{
	sim_kill(&n->crowd.sim);
	if (n->cluster != NULL)
		redis_model_close(&n->world->redis, n->number - 1, politely);
	forget_cluster(n);
	n->quitting = false;
}

void world_kill(struct world *w, uint32_t number)
{
	if (world_is_alive(w, number))
		end(world_node(w, number), false);
}

bool world_boot(struct world *w, uint32_t number)
{
	struct world_node *n = world_node(w, number);

	if (world_is_alive(w, number))
		return true;
	n->boots++;
	return sim_boot(&n->crowd.sim, seed_of(n));
}

void world_freeze(struct world *w, uint32_t number, bool frozen)
{
	if (world_is_alive(w, number))
		world_node(w, number)->crowd.sim.frozen = frozen;
}

void world_quit(struct world *w, uint32_t number)
{
	if (!world_is_alive(w, number))
		return;
	world_node(w, number)->quitting = true;
	world_node(w, number)->due_known = false;
	server_drain(world_node(w, number)->crowd.sim.server);
}

/* --- time --- */

/* The process that drained ends, as main() does. */
static bool end_quitting(struct world_node *n)
{
	struct sim *sim = &n->crowd.sim;

	if (!n->quitting || sim->server == NULL || !server_drained(sim->server))
		return false;
	end(n, true);
	return true;
}

static bool take_turn(struct world_node *n)
{
	struct sim *sim = &n->crowd.sim;
	bool any = sim->server != NULL && !sim->frozen && sim_turn(sim);

	any |= !sim->frozen && sim->drink(sim->drink_ctx);
	any |= !sim->frozen && end_quitting(n);
	return any;
}

static void settle(struct world *w)
{
	bool more[WORLD_NODES_MAX], any = true;

	for (uint32_t i = 0; i < w->node_count; i++)
		more[i] = true;
	for (int rounds = 0; any && world_fault(w)[0] == '\0'; rounds++) {
		uint32_t first = w->nodes[0].crowd.sim.cut == SIM_RANDOM ? (uint32_t)(sim_random(&w->nodes[0].crowd.sim) % w->node_count) : 0;

		any = w->clustered && redis_model_run(&w->redis, world_now_ms(w));
		for (uint32_t i = 0; i < w->node_count; i++) {
			uint32_t k = (first + i) % w->node_count;

			if (more[k] || sim_pending(&w->nodes[k].crowd.sim))
				any |= more[k] = take_turn(&w->nodes[k]);
			any |= sim_pending(&w->nodes[k].crowd.sim);
		}
		any |= w->clustered && redis_model_due(&w->redis) <= world_now_ms(w);
		if (rounds == ROUNDS_WITHOUT_REST_MAX)
			sim_fault(&w->nodes[0].crowd.sim, "the world does not come to rest");
	}
}

static void tidy(struct world *w)
{
	for (uint32_t i = 0; i < w->node_count; i++)
		if (!w->nodes[i].crowd.sim.frozen)
			sim_tidy(&w->nodes[i].crowd.sim);
}

static void check(struct world *w)
{
	w->checked_ms = world_now_ms(w);
	for (uint32_t i = 0; i < w->node_count; i++)
		if (!w->nodes[i].crowd.sim.frozen)
			sim_check(&w->nodes[i].crowd.sim);
}

void world_settle(struct world *w)
{
	settle(w);
	check(w);
}

static void clocks_to(struct world *w, int64_t ms)
{
	for (uint32_t i = 0; i < w->node_count; i++)
		sim_clock(&w->nodes[i].crowd.sim, ms);
	w->redis.now_ms = ms;
}

static int64_t next_due_ms(const struct world *w)
{
	int64_t next = w->clustered ? redis_model_due(&w->redis) : INT64_MAX;

	for (uint32_t i = 0; i < w->node_count; i++) {
		int64_t at = sim_due_ms(&w->nodes[i].crowd.sim);

		next = at < next ? at : next;
	}
	return next;
}

void world_advance(struct world *w, int64_t ms)
{
	while (world_fault(w)[0] == '\0') {
		int64_t next = next_due_ms(w), now = world_now_ms(w);

		if (next > ms)
			break;
		clocks_to(w, next > now ? next : now + 1);
		settle(w);
	}
	if (ms > world_now_ms(w))
		clocks_to(w, ms);
	settle(w);
	if (world_now_ms(w) >= w->checked_ms + CHECK_EVERY_MS)
		check(w);
	else
		tidy(w);
}

/* --- leaks --- */

static void heal(struct world *w)
{
	redis_model_down(&w->redis, false);
	redis_model_hang(&w->redis, false);
	redis_model_refuse(&w->redis, REDIS_ACCEPTS, "");
	w->redis.drop_permille = w->redis.double_permille = w->redis.swap_permille = 0;
	for (uint32_t i = 0; i < WORLD_NODES_MAX; i++)
		redis_model_cut(&w->redis, i, false);
}

void world_leave_all(struct world *w)
{
	if (!w->clustered) {
		if (w->nodes[0].crowd.sim.server != NULL)
			sim_leave_all(&w->nodes[0].crowd.sim);
		return;
	}
	heal(w);
	for (uint32_t i = 0; i < w->node_count; i++)
		sim_drop_all(&w->nodes[i].crowd.sim);
	world_settle(w);
	world_advance(w, world_now_ms(w) + FORGET_MS);
	for (uint32_t i = 0; i < w->node_count; i++)
		sim_check_left(&w->nodes[i].crowd.sim);
}
