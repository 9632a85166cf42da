/* Invariant: redis and cluster are both there from open() to close(), or neither. */
#include "cluster/companion.h"

#include <errno.h>

#include "cluster/cluster.h"
#include "cluster/redis.h"
#include "net/machine.h"
#include "server/server.h"

enum { ROOMS_BESIDE = 1024 }; /* of the engine's table, which has one room for each connection and these */

struct companion {
	const struct server_config *cfg;
	struct redis *redis;
	struct bus bus;
	struct cluster *cluster;
	void *mem;             /* the cluster's */
	size_t mem_bytes;
	struct now now;        /* of the turn */
};

/* --- what Redis says --- */

static void up(void *ctx, struct now now)
{
	cluster_up(((struct companion *)ctx)->cluster, now);
}

static void down(void *ctx, struct now now)
{
	cluster_down(((struct companion *)ctx)->cluster, now);
}

static void heard(void *ctx, struct str channel, char *payload, size_t bytes, struct now now)
{
	cluster_heard(((struct companion *)ctx)->cluster, channel, payload, bytes, now);
}

static void renewed(void *ctx, bool was_there, struct now now)
{
	cluster_renewed(((struct companion *)ctx)->cluster, was_there, now);
}

static void refused(void *ctx, struct str code, struct now now)
{
	cluster_refused(((struct companion *)ctx)->cluster, code, now);
}

/* --- start and end --- */

static uint32_t channels_max(const struct server_config *cfg)
{
	return cfg->connections_max + ROOMS_BESIDE;
}

static struct cluster_config cluster_config(const struct server_config *cfg)
{
	return (struct cluster_config){
		.node_id = cfg->node_id, .users_max = server_users_max(cfg),
		.presence_ttl_ms = cfg->presence_ttl_ms, .typing_ttl_ms = cfg->typing_ttl_ms,
		.offline_debounce_ms = cfg->offline_debounce_ms, .keys = cfg->redis_keys,
	};
}

static size_t cluster_bytes(const struct server_config *cfg)
{
	const struct cluster_config c = cluster_config(cfg);
	const struct bus none = { .ctx = NULL };
	struct region r;

	region_init(&r, NULL, 0);
	cluster_new(&c, &r, &none, (struct now){ .mono = { 0 } });
	return region_used(&r);
}

size_t companion_measure(const struct server_config *cfg, size_t *redis)
{
	*redis = cfg->clustered ? redis_measure(&cfg->redis, channels_max(cfg)) : 0;
	return cfg->clustered ? *redis + cluster_bytes(cfg) : 0;
}

static bool open_cluster(struct companion *c, struct now now)
{
	struct cluster_config config = cluster_config(c->cfg);
	struct region r;

	c->mem_bytes = cluster_bytes(c->cfg);
	c->mem = machine_memory(c->mem_bytes);
	if (c->mem == NULL || !machine_random(config.random, sizeof(config.random)))
		return false;
	region_init(&r, c->mem, c->mem_bytes);
	c->cluster = cluster_new(&config, &r, &c->bus, now);
	return c->cluster != NULL;
}

static void close_all(void *ctx)
{
	struct companion *c = ctx;

	if (c->redis != NULL)
		redis_close(c->redis);
	if (c->mem != NULL)
		machine_memory_free(c->mem, c->mem_bytes);
	machine_memory_free(c, sizeof(*c));
}

static enum loop_result open_all(void *ctx, int epoll_fd, struct peers *peers, struct now now)
{
	struct companion *c = ctx;
	const struct redis_config config = {
		.url = &c->cfg->redis, .ca_file = c->cfg->tls.ca, .node_id = c->cfg->node_id,
		.epoll_fd = epoll_fd, .channels_max = channels_max(c->cfg),
	};
	const struct redis_ears ears = { c, up, down, heard, renewed, refused };
	enum redis_result result = redis_open(&c->redis, &config, now);

	if (result == REDIS_OPENED) {
		c->bus = redis_bus(c->redis);
		redis_listen(c->redis, &ears);
		if (open_cluster(c, now)) {
			*peers = cluster_peers(c->cluster);
			return LOOP_OK;
		}
	}
	if (result != REDIS_BAD_CA)
		machine_complain(STR("redis-url: memory, a pipe or a thread refused"), errno);
	close_all(c);
	return result == REDIS_BAD_CA ? LOOP_BAD_TLS : LOOP_FAILED;
}

static bool serve(void *ctx, struct server *server)
{
	struct companion *c = ctx;

	cluster_serve(c->cluster, server);
	redis_set_log(c->redis, server_log(server));
	return redis_start(c->redis);
}

/* --- turns --- */

static void begin(void *ctx, struct now now)
{
	struct companion *c = ctx;

	c->now = now;
	redis_begin(c->redis, now);
}

static void event(void *ctx, uint32_t number, uint32_t generation, uint32_t events)
{
	redis_event(((struct companion *)ctx)->redis, number, generation, events);
}

static void turn(void *ctx)
{
	struct companion *c = ctx;

	redis_turn(c->redis);
	cluster_turn(c->cluster, c->now);
	c->bus.flush(c->bus.ctx);
}

static mono_t deadline(void *ctx)
{
	const struct companion *c = ctx;

	return mono_min(redis_deadline(c->redis), cluster_deadline(c->cluster));
}

bool companion_new(const struct server_config *cfg, struct loop_companion *out)
{
	struct companion *c = machine_memory(sizeof(*c));

	if (c == NULL)
		return false;
	c->cfg = cfg;
	*out = (struct loop_companion){ c, open_all, serve, begin, event, turn, deadline, close_all };
	return true;
}
