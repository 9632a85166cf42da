/*
 * What befalls a world, by chance. Invariants: node_bad_ms and redis_bad_ms say since when nothing is wrong with them.
 */
#include <stdio.h>

#include "presence/state.h"
#include "server/state.h"
#include "sim/living.h"

static void node_bad(struct life *l, uint32_t node)
{
	const struct world_node *n = world_node(&l->w, node);
	bool still = !world_is_alive(&l->w, node) || n->quitting || n->crowd.sim.frozen || l->w.redis.clients[node - 1].cut;

	l->node_bad_ms[node] = still ? INT64_MAX : world_now_ms(&l->w);
	if (!n->crowd.sim.frozen && l->halted[node])
		l->quit_ms[node] = world_now_ms(&l->w);
	l->halted[node] = n->crowd.sim.frozen;
}

static void redis_bad(struct life *l)
{
	const struct redis_model *m = &l->w.redis;
	bool still = m->is_down || m->is_hung || m->refusal != REDIS_ACCEPTS || m->drop_permille + m->double_permille + m->swap_permille > 0;

	l->redis_bad_ms = still ? INT64_MAX : world_now_ms(&l->w);
}

/* --- nodes --- */

/* What a process had shown and told nobody yet of, when it was killed, nobody knows: its last_seen may go back. */
static void boot(struct life *l, uint32_t node)
{
	if (world_is_alive(&l->w, node))
		return;
	life_crowd(l, node)->seen_count = 0;
	l->quits[node] = false;
	life_wait(l, 1); /* no process begins in the millisecond of the one before, by which its epoch is called */
	if (!world_boot(&l->w, node))
		life_fault(l, "node %u does not start", node);
}

static void kill_or_boot(struct life *l, uint32_t node)
{
	if (world_is_alive(&l->w, node))
		world_kill(&l->w, node);
	else
		boot(l, node);
}

static void freeze(struct life *l, uint32_t node, int64_t ms)
{
	bool frozen = life_crowd(l, node)->sim.frozen;

	if (!world_is_alive(&l->w, node) || (frozen && ms > 0))
		return;
	world_freeze(&l->w, node, !frozen);
	l->thaw_ms[node] = ms > 0 ? world_now_ms(&l->w) + ms : 0;
}

bool befall_thaw(struct life *l)
{
	bool any = false;

	for (uint32_t n = 1; n <= l->nodes; n++)
		if (l->thaw_ms[n] > 0 && l->thaw_ms[n] <= world_now_ms(&l->w)) {
			l->thaw_ms[n] = 0;
			world_freeze(&l->w, n, false);
			node_bad(l, n);
			any = true;
		}
	return any;
}

/* Its wall clock is that much before or behind the others'. Between any two of its times lies less than until who left is forgotten. */
static void skew(struct life *l, uint32_t node, int64_t ms)
{
	int64_t max_ms = life_crowd(l, node)->sim.cfg.presence_ttl_ms / 2 - 1, was_ms = witness_wall_ms(l, node, world_now_ms(&l->w));

	if (max_ms < SKEW_MS_MAX)
		ms = ms * max_ms / SKEW_MS_MAX;
	if (was_ms > l->latest_ms[node])
		l->latest_ms[node] = was_ms;
	sim_step_wall(&life_crowd(l, node)->sim, ms - l->skew_ms[node]);
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++) /* by which clock its token is read is not known */
		if (l->guests[i].node == node && l->guests[i].open_ms < 0 && l->guests[i].expires_ms > 0)
			l->guests[i].expires_ms = INT64_MAX / 2;
	l->skew_ms[node] = ms;
}

/* --- pools --- */

enum { POOLS = 16 };

static uint32_t pools_of(struct server *s, struct pool *out[POOLS])
{
	struct engine *e = s->engine;
	struct pool *const pools[] = {
		&s->frames.cells, &s->frames.blocks, &s->nodes, &s->intake.loans, &s->intake.pools[0], &s->intake.pools[1], &s->intake.pools[2],
		&s->address_cells, &s->grants.pools[0], &s->waiting.tokens,
		/* An engine that is alone may say no to who comes; others cannot be told that there is no room for what they say. */
		&e->users.cells, &e->devices.cells, &e->rooms.cells, &e->interests.cells, &e->typings.cells, &e->calls.cells,
	};
	uint32_t n = s->cfg->clustered ? 10 : POOLS;

	for (uint32_t i = 0; i < n; i++)
		out[i] = pools[i];
	return n;
}

static void lift(struct life *l)
{
	for (uint32_t n = 1; n <= l->nodes; n++) {
		struct pool *pools[POOLS];

		if (!world_is_alive(&l->w, n))
			continue;
		for (uint32_t i = pools_of(life_crowd(l, n)->sim.server, pools); i > 0; i--)
			pool_limit(pools[i - 1], POOL_NONE);
	}
	l->limited = false;
}

/* So many cells more than now may be in use. */
static void shrink(struct life *l, uint32_t node)
{
	uint32_t which = life_draw(l, POOLS), more = life_draw(l, 8);
	struct pool *pools[POOLS], *p;

	if (l->limited) {
		life_did(l, "    all pools are as they were");
		lift(l);
		return;
	}
	if (!world_is_alive(&l->w, node))
		return;
	which %= pools_of(life_crowd(l, node)->sim.server, pools);
	p = pools[which];
	life_did(l, "    pool %u has room for %u more than %u", which, more, pool_used(p));
	pool_limit(p, pool_used(p) + more);
	l->limited = l->was_limited = true;
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		l->guests[i].short_changed = true;
}

/* --- clients --- */

static void stall_reader(struct life *l, uint32_t i)
{
	struct client *cl = life_client(l, i);
	uint32_t bytes = life_draw(l, 600);

	if (cl->link < 0 || l->plan->without_clients >> i & 1)
		return;
	if (cl->stalled && life_draw(l, 3) == 0) {
		life_did(l, "    c%u takes %u bytes", i, bytes);
		client_take(life_crowd(l, l->guests[i].node), cl, bytes);
		return;
	}
	cl->stalled = !cl->stalled;
	l->guests[i].behind = true;
	sim_pipe(&life_crowd(l, l->guests[i].node)->sim, cl->link, cl->stalled ? 64 + bytes : 0);
	life_did(l, "    c%u %s", i, cl->stalled ? "stops reading" : "reads again");
}

static void silence(struct life *l, uint32_t i)
{
	struct client *cl = life_client(l, i);

	if (cl->link < 0 || cl->silent || l->plan->without_clients >> i & 1)
		return;
	life_did(l, "    c%u says nothing any more", i);
	cl->silent = true;
	l->guests[i].silent_ms = world_now_ms(&l->w);
}

/* Inside a frame, a message, or a head. */
static void reset(struct life *l, uint32_t i)
{
	static const char *const parts[] = { "\x81", "\x81\xfe\x01", "\x81\x85" "abcd", "\x01\x81" "abcd\x1a", "\x89\x8a" "abcdxx" };
	const char *part = parts[life_draw(l, 5)];
	bool half = life_draw(l, 3) == 0;
	struct crowd *c = life_crowd(l, l->guests[i].node);
	struct client *cl = life_client(l, i);

	if (cl->link < 0 || l->plan->without_clients >> i & 1)
		return;
	life_did(l, "    c%u %s inside a frame", i, half ? "ends" : "is reset");
	client_bytes(c, cl, part, strlen(part));
	l->guests[i].leaving = true;
	if (half) {
		client_end(c, cl);
		return;
	}
	if (life_draw(l, 2) == 0)
		world_settle(&l->w);
	client_drop(c, cl);
	life_forget(l, i);
}

/* --- Redis --- */

static void befall_redis(struct life *l, enum fault what)
{
	struct redis_model *m = &l->w.redis;
	uint32_t a = life_draw(l, 100), b = life_draw(l, 100), c = life_draw(l, 100);

	switch (what) {
	case DOWN:
		redis_model_down(m, !m->is_down);
		break;
	case HANG:
		m->limbo_runs = a < 50;
		redis_model_hang(m, !m->is_hung);
		break;
	case NOISE:
		m->drop_permille = m->drop_permille > 0 ? 0 : 1 + a;
		m->double_permille = m->drop_permille > 0 ? b : 0;
		m->swap_permille = m->drop_permille > 0 ? c : 0;
		break;
	case FLUSH:
		redis_model_flush(m);
		break;
	case FAILOVER:
		redis_model_fail_over(m, a % 20);
		break;
	default:
		if (m->refusal != REDIS_ACCEPTS)
			redis_model_refuse(m, REDIS_ACCEPTS, "");
		else
			redis_model_refuse(m, a < 50 ? REDIS_REFUSES_WRITES : REDIS_REFUSES_ALL, b < 50 ? "READONLY" : "LOADING");
		break;
	}
	redis_bad(l);
}

/* --- all --- */

static void befall_node(struct life *l, enum fault what, uint32_t node)
{
	static const int64_t stalls_ms[] = { 100, 500, 1000, 2000, 4000, 6000, 15000, 60000 };
	int64_t stall_ms = stalls_ms[life_draw(l, 8)], skew_ms = (int64_t)life_draw(l, 2 * SKEW_MS_MAX + 1) - SKEW_MS_MAX;

	switch (what) {
	case KILL:
		kill_or_boot(l, node);
		break;
	case QUIT:
		if (world_is_alive(&l->w, node) && !world_node(&l->w, node)->quitting) {
			l->quits[node] = true;
			l->quit_ms[node] = world_now_ms(&l->w);
			world_quit(&l->w, node);
		} else {
			boot(l, node);
		}
		break;
	case STOP:
		freeze(l, node, 0);
		break;
	case STALL:
		freeze(l, node, stall_ms);
		break;
	case CUT:
		redis_model_cut(&l->w.redis, node - 1, !l->w.redis.clients[node - 1].cut);
		break;
	case DEAF:
		redis_model_deafen(&l->w.redis, node - 1);
		break;
	case LOSE:
		redis_model_lose(&l->w.redis, node - 1);
		break;
	default:
		skew(l, node, skew_ms);
		return;
	}
	node_bad(l, node);
}

void befall(struct life *l)
{
	enum fault what = (enum fault)life_draw(l, HOSTILE);
	uint32_t node = 1 + life_draw(l, NODES_MAX) % l->nodes, i = life_draw(l, LIFE_CLIENTS);
	bool of_redis = what == DOWN || what == HANG || what == NOISE || what == FLUSH || what == FAILOVER || what == REFUSE;

	if (!life_may(l, what) || ((of_redis || what == CUT || what == DEAF || what == LOSE) && !life_has(l, WITH_NODES)))
		return;
	l->injected[what]++;
	life_did(l, "=== %s, node %u", fault_names[what], node);
	if (of_redis)
		befall_redis(l, what);
	else if (what == POOL)
		shrink(l, node);
	else if (what == ACCEPT)
		sim_fail_accepts(&life_crowd(l, node)->sim, life_draw(l, 4), 100 * (int64_t)life_draw(l, 4));
	else if (what == SLOW)
		stall_reader(l, i);
	else if (what == SILENCE)
		silence(l, i);
	else if (what == RESET)
		reset(l, i);
	else
		befall_node(l, what, node);
}

void befall_heal(struct life *l)
{
	struct redis_model *m = &l->w.redis;

	redis_model_down(m, false);
	redis_model_hang(m, false);
	redis_model_refuse(m, REDIS_ACCEPTS, "");
	m->drop_permille = m->double_permille = m->swap_permille = 0;
	redis_bad(l);
	lift(l);
	for (uint32_t n = 1; n <= l->nodes; n++) {
		redis_model_cut(m, n - 1, false);
		world_freeze(&l->w, n, false);
		l->thaw_ms[n] = 0;
		sim_fail_accepts(&life_crowd(l, n)->sim, 0, 0);
		if (world_node(&l->w, n)->quitting)
			world_kill(&l->w, n);
		boot(l, n);
		if (l->node_bad_ms[n] == INT64_MAX)
			node_bad(l, n);
	}
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++) {
		struct client *cl = life_client(l, i);

		if (cl->stalled && cl->link >= 0)
			sim_pipe(&life_crowd(l, l->guests[i].node)->sim, cl->link, 0);
		cl->stalled = false;
	}
}
