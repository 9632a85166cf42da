/*
 * What is drawn for a seed. Each option has dice of its own: leaving one out changes no other.
 */
#include <stdio.h>

#include "sim/living.h"
#include "sim/table.h"

enum { DICE_OF_OPTIONS = 1 << 20, DICE_OF_FAULTS = DICE_OF_OPTIONS + OPTIONS };

#define LIFE_NAME(name, text) text,
const char *const fault_names[FAULTS] = { LIFE_FAULTS(LIFE_NAME) };
const char *const option_names[OPTIONS] = { LIFE_OPTIONS(LIFE_NAME) };

/* splitmix64: whatever the numbers are, what comes out is not alike. */
static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

void life_roll(struct life *l, uint64_t number)
{
	l->dice = mixed(l->plan->seed * UINT64_C(0x9e3779b97f4a7c15) + mixed(number + 1));
}

uint32_t life_draw(struct life *l, uint32_t below)
{
	l->dice += UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)((mixed(l->dice) >> 32) % below);
}

/* One in `of` seeds has it. */
static bool has(struct life *l, enum life_option o, uint32_t of)
{
	bool drawn;

	life_roll(l, DICE_OF_OPTIONS + (uint64_t)o);
	drawn = life_draw(l, of) == 0 && !(l->plan->without_options >> o & 1);
	l->options |= (uint32_t)drawn << o;
	return drawn;
}

static void draw_nodes(struct life *l)
{
	static const uint32_t nodes[] = { 0, 0, 1, 2, 2, 2, 3, 3, 3, 3 }; /* 0: one, without Redis */

	has(l, WITH_NODES, 1);
	l->nodes = nodes[life_draw(l, 10)];
	if (l->nodes == 0)
		l->options &= ~(1u << WITH_NODES);
	if (!life_has(l, WITH_NODES))
		l->nodes = 1;
}

static void draw_redis(struct life *l)
{
	struct redis_model *m = &l->w.redis;

	m->reconnect_ms = 20;
	if (has(l, WITH_DELAY, 1)) {
		m->delay_ms = life_draw(l, 3) == 0 ? 0 : life_draw(l, 20);
		m->delay_spread_ms = life_draw(l, 2) == 0 ? 0 : life_draw(l, 100);
		m->reconnect_ms = 20 + life_draw(l, 200);
		m->reconnect_spread_ms = life_draw(l, RECONNECT_MS_MAX - 220);
	}
	m->space_bytes = has(l, WITH_SPACE, 8) ? 200000 : REDIS_SPACE_BYTES;
	l->w.keys = !has(l, WITH_KEYS, 4);
}

/* One table of options for all nodes. */
static void draw_config(struct life *l, struct server_config *cfg)
{
	static const int64_t debounces_ms[] = { 0, 1000, 2000, 10000 }, ttls_ms[] = { 8000, 20000, 40000, 90000 };

	cfg->connections_max = 24;
	cfg->users_max = 48;
	cfg->message_bytes_max[DIALECT_DOTTED] = 65536;
	table_option(cfg, "api-key", "sesame");
	cfg->presence_rate = has(l, WITH_RATE, 2) ? 0 : 1;
	if (has(l, WITH_DEBOUNCE, 3))
		cfg->offline_debounce_ms = debounces_ms[life_draw(l, 4)];
	if (has(l, WITH_AUDIENCE, 5))
		cfg->audience = AUDIENCE_ROOMS;
	if (has(l, WITH_USER_CAP, 4))
		cfg->connections_per_user_max = 1 + life_draw(l, 3);
	if (has(l, WITH_IP_CAP, 6))
		cfg->connections_per_ip_max = 3 + life_draw(l, 4);
	if (has(l, WITH_BUFFER, 4)) {
		cfg->client_buffer_messages = 2 + life_draw(l, 16);
		cfg->client_buffer_bytes = 500 + life_draw(l, 4000);
	}
	if (has(l, WITH_SLOW_ENDS, 4))
		cfg->slow_consumer = SLOW_CLOSE;
	if (has(l, WITH_MESSAGE_RATE, 6)) {
		cfg->message_rate = 2;
		cfg->message_burst = 4;
	}
	if (has(l, WITH_SUBSCRIPTIONS, 6))
		cfg->subscriptions_per_connection_max = 1 + life_draw(l, 3);
	if (has(l, WITH_TTL, 2))
		cfg->presence_ttl_ms = ttls_ms[life_draw(l, 4)];
	if (has(l, WITH_JWT, 2)) {
		table_option(cfg, "auth", "jwt");
		table_option(cfg, "jwt-secret", "hs");
		cfg->token.leeway_ms = TOKEN_LEEWAY_MS;
	}
}

static void draw_faults(struct life *l)
{
	static const uint32_t rates[] = { 5, 10, 15, 15, 20, 30, 50 };

	life_roll(l, DICE_OF_FAULTS);
	l->faults = life_draw(l, 5) == 0 ? 0 : life_draw(l, 1u << FAULTS) & life_draw(l, 1u << FAULTS);
	if (life_draw(l, 3) == 0)
		l->faults |= 1u << life_draw(l, FAULTS);
	if (life_draw(l, 4) > 0)
		l->faults |= 1u << HOSTILE;
	l->fault_rate = rates[life_draw(l, 7)];
	l->faults &= ~l->plan->without_faults;
}

void life_draw_options(struct life *l)
{
	struct server_config cfg;
	enum sim_cut cut = SIM_WHOLE;

	draw_nodes(l);
	draw_redis(l);
	sim_config(&cfg);
	draw_config(l, &cfg);
	if (has(l, WITH_BYTES_CUT, 3)) {
		static const enum sim_cut cuts[] = { SIM_RANDOM, SIM_RANDOM, SIM_RANDOM, SIM_BYTES, SIM_TINY };

		cut = cuts[life_draw(l, 5)];
	}
	for (uint32_t n = 1; n <= l->nodes; n++) {
		life_crowd(l, n)->sim.cfg = cfg;
		life_crowd(l, n)->sim.cut = cut;
	}
	draw_faults(l);
}

void life_say_options(const struct life *l)
{
	const struct sim *sim = &l->w.nodes[0].crowd.sim;

	printf("# %u node%s%s; faults in %u steps of 100:", l->nodes, l->nodes == 1 ? "" : "s", life_has(l, WITH_NODES) ? " on Redis" : "", l->fault_rate);
	for (int f = 0; f < FAULTS; f++)
		if (l->faults >> f & 1)
			printf(" %s", fault_names[f]);
	printf("\n# options:");
	for (int o = 0; o < OPTIONS; o++)
		if (l->options >> o & 1)
			printf(" %s", option_names[o]);
	printf("; bytes %s, delay %lld+%lld ms, reconnect %lld+%lld ms, debounce %lld ms, ttl %lld ms, rate %u, per user %u, per address %u, buffer %u of %u bytes, subscriptions %u\n",
	       sim_cut_names[sim->cut], (long long)l->w.redis.delay_ms, (long long)l->w.redis.delay_spread_ms, (long long)l->w.redis.reconnect_ms,
	       (long long)l->w.redis.reconnect_spread_ms, (long long)sim->cfg.offline_debounce_ms, (long long)sim->cfg.presence_ttl_ms, sim->cfg.presence_rate, sim->cfg.connections_per_user_max,
	       sim->cfg.connections_per_ip_max, sim->cfg.client_buffer_messages, sim->cfg.client_buffer_bytes, sim->cfg.subscriptions_per_connection_max);
}
