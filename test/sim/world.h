/*
 * test/sim/world.h: up to four servers, each with its clients (client.h) and a struct cluster, on one model Redis and one virtual clock. All
 * in one thread: they take turns until nothing is left to do at an instant, then time goes on to the next one. Nodes have numbers from 1.
 *
 *	world_init(&w); ...change w.nodes[i].crowd.sim.cfg, w.redis.delay_ms...; world_start(&w, 3, true, seed);
 *	struct crowd *c = &world_node(&w, 2)->crowd; ...its clients do something...; world_settle(&w);
 *	world_kill(&w, 2); world_advance(&w, 20000);
 */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include "cluster/cluster.h"
#include "sim/client.h"
#include "sim/redis_model.h"

enum { WORLD_NODES_MAX = REDIS_CLIENTS_MAX };

struct world;

struct world_node {
	struct world *world;
	uint32_t number;         /* 1 ... */
	char id[8];              /* n1 ...: the same after each start */
	struct crowd crowd;
	struct cluster *cluster; /* NULL: it is alone, or killed */
	struct peers peers;
	void *memory;            /* the cluster's */
	uint64_t boots;
	bool due_known;          /* since its last turn nothing has changed: */
	mono_t due;              /* what cluster_deadline() said */
	bool quitting;           /* drains, and ends when it may */
};

struct world {
	struct redis_model redis;
	struct world_node nodes[WORLD_NODES_MAX];
	uint32_t node_count;
	bool clustered, keys;    /* keys: redis-keys */
	uint64_t seed;
	int64_t checked_ms;      /* all that is valid was, then */
};

/* Zeroed, or after world_stop(): every node has sim_config()'s options, Redis no delay. */
void world_init(struct world *, uint64_t seed);

/* Starts `nodes` of them; without `redis`, which takes one node only, there is no cluster. False: one does not start. */
bool world_start(struct world *, uint32_t nodes, bool redis);
void world_stop(struct world *);

struct world_node *world_node(struct world *, uint32_t number);
int64_t world_now_ms(const struct world *);

/* Turns of all until nothing is left to do now; or until the clocks show `ms`. */
void world_settle(struct world *);
void world_advance(struct world *, int64_t ms);

/* The first broken promise of any node, told with its name; "". */
const char *world_fault(const struct world *);

/* kill -9, and a start with a new epoch; SIGSTOP and SIGCONT; SIGTERM, which ends the process once the drain is over. */
void world_kill(struct world *, uint32_t number);
bool world_boot(struct world *, uint32_t number);
void world_freeze(struct world *, uint32_t number, bool frozen);
void world_quit(struct world *, uint32_t number);
bool world_is_alive(const struct world *, uint32_t number);

/* All faults end, everybody leaves, time passes: world_fault() says what was not given back. */
void world_leave_all(struct world *);

#endif
