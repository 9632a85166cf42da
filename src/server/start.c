/*
 * Every table of the server, sized from the options, in one place.
 * The same code measures (for the budget) and builds.
 */
#include "server/note.h"
#include "server/outbox.h"
#include "server/server.h"
#include "server/state.h"

enum {
	FRAMES_MIN = 4096,
	FRAMES_PER_CONNECTION = 2,     /* distinct frames in flight; what many receive is one */
	NODES_PER_CONNECTION = 32,     /* queued references behind the first, on average;
	                                * one connection may have client-buffer */
	INTAKE_MEDIUM_COUNT = 256,
	INTAKE_LARGE_COUNT = 4,
	LOANS_PER_16_CONNECTIONS = 1,
	USERS_SPARE = 1024,            /* known by REST or remembered, beyond two per connection */
	ROOMS_MIN = 1024,
	NODES_ASSUMED = 8,             /* as large as this one, unless max-users says more */
};

struct sizes {
	struct engine_config engine;
	uint32_t slots, frames, blocks, nodes;
	uint64_t large_bytes;
	struct intake_counts intake;
	uint32_t grants[STRPOOL_CLASSES];
	uint32_t user_checks;
};

static uint32_t at_most(uint64_t n, uint32_t max)
{
	return n < max ? (uint32_t)n : max;
}

uint32_t server_users_max(const struct server_config *cfg)
{
	uint64_t own = 2 * (uint64_t)cfg->connections_max + USERS_SPARE;

	if (cfg->users_max > 0)
		return cfg->users_max;
	return at_most(cfg->clustered ? own * NODES_ASSUMED : own, 1u << 28);
}

static struct sizes sizes_of(const struct server_config *cfg)
{
	uint32_t users_max = server_users_max(cfg);
	uint64_t n = cfg->connections_max, large = 0, rooms = n + ROOMS_MIN;
	/* Where users are through other nodes has to be known then, and must leave room for who is here. */
	uint64_t nodes = cfg->clustered && cfg->audience == AUDIENCE_ROOMS ? NODES_ASSUMED : 1;
	struct sizes z;

	for (int d = 0; d < DIALECT_COUNT; d++)
		if (cfg->message_bytes_max[d] > large)
			large = cfg->message_bytes_max[d];
	z.slots = cfg->connections_max + SPARE_CONNECTIONS;
	z.frames = FRAMES_MIN + FRAMES_PER_CONNECTION * cfg->connections_max;
	/* One message of the largest size can always leave, and a share for every connection. */
	z.blocks = at_most(2 * (large / FRAME_BLOCK_DATA_BYTES + 1) + 1024 + n, 1u << 24);
	z.nodes = at_most(n * NODES_PER_CONNECTION + 8 * (uint64_t)cfg->client_buffer_messages, 1u << 28);
	z.large_bytes = large;
	z.intake = (struct intake_counts){
		.small = z.slots, .medium = INTAKE_MEDIUM_COUNT, .large = INTAKE_LARGE_COUNT,
		.loans = z.slots / 16 * LOANS_PER_16_CONNECTIONS + 64,
	};
	for (int class = 0; class < STRPOOL_CLASSES; class++)
		z.grants[class] = class < STRPOOL_2054 ? z.slots : z.slots / 16 + 16;
	z.user_checks = at_most(n + 1024, USER_CHECKS_MAX);
	z.engine = (struct engine_config){
		.connections_max = z.slots, .users_max = users_max,
		.remotes_max = cfg->clustered ? users_max : 0,
		.rooms_max = at_most(rooms * nodes, 1u << 28), .rooms_here_max = (uint32_t)rooms,
		.subscriptions_max = at_most(nodes * (4 * n +
			4 * (uint64_t)cfg->subscriptions_per_connection_max + ROOMS_MIN), 1u << 28),
		.typing_max = cfg->connections_max + 64, .calls_max = cfg->connections_max / 2 + 64,
		.metadata_max = (cfg->clustered ? users_max / 8 : cfg->connections_max / 4) + 64,
		.connections_per_user_max = cfg->connections_per_user_max,
		.subscriptions_per_connection_max = cfg->subscriptions_per_connection_max,
		.offline_debounce_ms = cfg->offline_debounce_ms, .stale_timeout_ms = cfg->stale_timeout_ms,
		.cleanup_interval_ms = cfg->cleanup_interval_ms,
		.presence_ttl_ms = cfg->presence_ttl_ms, .typing_ttl_ms = cfg->typing_ttl_ms,
		.presence_rate = cfg->presence_rate, .audience_rooms = cfg->audience == AUDIENCE_ROOMS,
	};
	return z;
}

static struct str address_key_of(const void *ctx, uint32_t value)
{
	const struct server *s = ctx;
	const struct address_count *a = pool_at(&s->address_cells, value);

	return str_of((const char *)a->address, sizeof(a->address));
}

static void lists_init(struct server *s, struct region *r, uint32_t slots)
{
	s->free.v = region_take_array(r, slots, sizeof(uint32_t), 64);
	s->dirty.v = region_take_array(r, 2 * (size_t)slots, sizeof(uint32_t), 64);
	s->leaving.v = region_take_array(r, slots, sizeof(uint32_t), 64);
	s->doomed.v = region_take_array(r, slots, sizeof(uint32_t), 64);
	s->resume.v = region_take_array(r, 2 * (size_t)slots, sizeof(uint32_t), 64);
}

/* Carves everything but the engine; `s` itself is the caller's. */
static void tables_init(struct server *s, struct region *r, const struct sizes *z, struct siphash_key key,
                        struct server_budget *b)
{
	size_t mark = region_used(r);

	s->conn_slots = z->slots;
	s->conns = region_take_array(r, z->slots, sizeof(struct conn), 64);
	lists_init(s, r, z->slots);
	strpool_init(&s->grants, r, z->grants);
	pool_init(&s->address_cells, r, sizeof(struct address_count),
	          s->cfg->connections_per_ip_max > 0 ? z->slots : 1);
	map_init(&s->addresses, r, s->cfg->connections_per_ip_max > 0 ? z->slots : 1, key, address_key_of, s);
	if (s->cfg->user_message_rate > 0)
		s->user_buckets = region_take_array(r, z->engine.users_max, sizeof(struct bucket), 64);
	if (s->cfg->command_rate_any)
		s->command_buckets = region_take_array(r, (size_t)z->slots * CMD_COUNT,
		                                       sizeof(struct bucket), 64);
	waiting_init(&s->waiting, r, s->cfg->auth == AUTH_JWT || s->cfg->has_user_check ? z->slots : 1);
	user_checks_init(&s->user_checks, r, s->cfg->has_user_check ? z->user_checks : 1, key);
	if (s->cfg->auth == AUTH_JWT) {
		s->expires = region_take_array(r, z->slots, sizeof(mono_t), 64);
		s->verifier.seen = region_take_array(r, TOKEN_SEEN_SLOTS, sizeof(struct token_seen), 64);
		s->verifier.floods = region_take_array(r, TOKEN_FLOOD_BUCKETS, sizeof(struct bucket), 64);
	}
	b->connections = region_used(r) - mark;
	mark = region_used(r);
	frames_init(&s->frames, r, z->frames, z->blocks);
	pool_init(&s->nodes, r, sizeof(struct queue_run), z->nodes);
	b->frames = region_used(r) - mark;
	mark = region_used(r);
	intake_init(&s->intake, r, z->large_bytes, &z->intake);
	b->intake = region_used(r) - mark;
	s->staging.bytes = region_take(r, STAGING_BYTES, 64);
	s->input = region_take(r, INTAKE_MEDIUM_BYTES, 64);
	s->tokens = region_take_array(r, JSON_TOKENS_MAX, sizeof(struct json_tok), 64);
	s->scratch = region_take(r, sizeof(*s->scratch), 64);
}

static uint64_t key_of_conn(void *ctx, uint32_t conn)
{
	return conn_at(ctx, conn)->key;
}

static struct engine *engine_init(struct server *s, struct region *r, struct sizes *z,
                                  const struct server_seed *seed, struct now now)
{
	s->sink = (struct engine_sink){
		.ctx = s, .begin = outbox_begin, .skip = outbox_skip, .deliver = outbox_deliver,
		.end = outbox_end, .close = note_close, .note = note_write, .key = key_of_conn,
	};
	if (s->cfg->clustered) {
		z->engine.peers = &s->peers.link;
		z->engine.node_tag = (uint32_t)seed->random[2];
	}

	memcpy(z->engine.hash_key, seed->random, sizeof(z->engine.hash_key));
	return engine_new(&z->engine, r, &s->wheel, &s->sink, now);
}

/* Takes everything from `r`, into *s, which is zeroed; *b says what went where. */
static void build(struct server *s, const struct server_config *cfg, struct region *r,
                  const struct server_seed *seed, struct now now, struct server_budget *b)
{
	struct sizes z = sizes_of(cfg);
	struct siphash_key key;
	size_t mark;

	memcpy(&key, seed->random, sizeof(key));
	s->cfg = cfg;
	s->now = now;
	wheel_init(&s->wheel, now.mono);
	tables_init(s, r, &z, key, b);
	mark = region_used(r);
	s->engine = engine_init(s, r, &z, seed, now);
	b->engine = region_used(r) - mark;
	b->total = region_used(r);
	b->other = b->total - b->connections - b->engine - b->frames - b->intake;
}

static_assert(alignof(struct server) == SERVER_ALIGNMENT, "memory for it is asked for so");

size_t server_scratch_bytes(void)
{
	return sizeof(struct server);
}

struct server_budget server_measure(const struct server_config *cfg, void *scratch)
{
	struct server_budget b = { 0 };
	struct server_seed seed = { { 1 } };
	struct region r;

	region_init(&r, NULL, 0);
	region_take(&r, sizeof(struct server), SERVER_ALIGNMENT);
	assert((uintptr_t)scratch % SERVER_ALIGNMENT == 0);
	build(scratch, cfg, &r, &seed, (struct now){ .mono = { 0 } }, &b);
	return b;
}

struct server *server_new(const struct server_config *cfg, struct region *r,
                          const struct transport *transport, const struct outside *outside,
                          const struct peers *peers, log_sink_fn sink, void *sink_ctx,
                          const struct server_seed *seed, struct now now)
{
	struct server *s = region_take(r, sizeof(struct server), SERVER_ALIGNMENT);
	struct server_budget b = { 0 };

	if (s == NULL)
		return NULL;
	memcpy(s->random_state, seed->random, sizeof(s->random_state));
	s->random_state[0] |= 1; /* never all zero */
	s->log = (struct log){
		.level = cfg->log_level, .format = cfg->log_format, .service = cfg->service_name,
		.sink = sink, .sink_ctx = sink_ctx,
	};
	s->transport = *transport;
	assert(outside != NULL || !(cfg->token.has_jwks_url || cfg->has_user_check));
	if (outside != NULL)
		s->outside = *outside;
	assert((peers != NULL) == cfg->clustered);
	if (peers != NULL)
		s->peers = *peers;
	s->started = now.wall;
	s->started_mono = now.mono;
	timer_init(&s->drain_timer, TIMER_DRAIN);
	build(s, cfg, r, seed, now, &b);
	if (region_failed(r))
		return NULL;
	s->memory_bytes = b.total;
	json_init(&s->json, s->tokens, JSON_TOKENS_MAX);
	s->json.seed = seed->random[3];
	keys_start(s);
	return s;
}
