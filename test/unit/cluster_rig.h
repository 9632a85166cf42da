/*
 * test/unit/cluster_rig.h: several struct cluster on one model of Redis and one virtual clock, each over an engine that only writes
 * down what it is told. Time goes in steps of 1 ms.
 *
 * What others can see of a node is `said` (hosted, version) per user; what a node holds of another is `told`. rig_agree() holds when
 * every node that runs holds of every other exactly what that one says, and nothing of anybody else.
 */
#ifndef TEST_CLUSTER_RIG_H
#define TEST_CLUSTER_RIG_H

#include "cluster/state.h"
#include "cluster/sync.h"

#include <stdio.h>
#include <stdlib.h>

enum { RIG_USERS = 700, RIG_NODES = 66, RIG_CHANNELS = 600, RIG_ROOMS = 500 };

struct rig_told {
	bool known, fresh, hosted;
	uint64_t version;
};

struct engine {
	bool known[RIG_USERS], hosted[RIG_USERS];
	uint64_t version[RIG_USERS];
	struct rig_told told[PEERS_MAX + 1][RIG_USERS];
	uint32_t begins, swept, messages, rooms;
	bool full;             /* knob: there is no room for what is told */
	bool lost;             /* as engine_peers_lost() said last */
	enum peer_message_type last;
};

struct server {
	struct log log;
	struct engine *engine;
};

struct rig_item {
	struct rig_item *next;
	bool renewed, was_there;
	struct str channel;
	char *payload;
	size_t bytes;
};

struct rig_node {
	struct rig *rig;
	struct cluster *c;
	struct engine engine;
	struct server server;
	struct peers peers;
	void *mem;
	char id[32];
	bool runs, linked, stopped;
	bool wants_reset;
	int64_t up_at;             /* when it is linked again; -1: never */
	bool no_space;             /* knobs: */
	bool deaf;                 /* nothing is brought to it */
	int64_t hears_after_ms;    /* so long after it was linked its subscriptions stand */
	int64_t linked_at;
	uint32_t lose_users, lose_state, double_users, swap_users; /* of so many letters to it */
	struct rig_item *inbox;
	char channels[RIG_CHANNELS][160];
	uint32_t channel_count;
	uint32_t publishes, turns, namesakes, resets, sets;
	char log[4096];
};

struct rig {
	struct now now;
	struct rig_node *nodes; /* [RIG_NODES] */
	uint32_t count;
	bool lease[RIG_NODES];
	bool hung;              /* takes, but brings nothing */
	bool print;
	uint64_t random;
};

static uint64_t rig_random(struct rig *r)
{
	r->random ^= r->random >> 12;
	r->random ^= r->random << 25;
	r->random ^= r->random >> 27;
	return r->random * UINT64_C(0x2545f4914f6cdd1d);
}

/* --- the engine's side --- */

struct engine *server_engine(struct server *s)
{
	return s->engine;
}

struct log *server_log(struct server *s)
{
	return &s->log;
}

bool engine_peer_say(const struct engine *e, uint32_t user, struct now now, struct peer_scratch *s, struct peer_user *out)
{
	static char ids[RIG_USERS][8];

	(void)now;
	if (!e->known[user])
		return false;
	snprintf(ids[user], sizeof(ids[user]), "u%03u", user);
	s->links[0] = (struct peer_link){ .device_id = STR("phone"), .key = user + 1, .connected_at = { 1000 } };
	*out = (struct peer_user){ .user_id = str_of(ids[user], 4), .last_seen = WALL_NONE, .links = s->links,
		.link_count = e->hosted[user] };
	out->profile = (struct peer_profile){ .version = e->version[user] + 1, .custom = STR("at the seaside, until the end of the week"),
		.custom_expires = WALL_NONE, .shown_expires = WALL_NONE, .shown_last_seen = WALL_NONE };
	return true;
}

uint32_t engine_peer_next(const struct engine *e, uint32_t *cursor)
{
	while (*cursor < RIG_USERS && !e->known[*cursor])
		(*cursor)++;
	return *cursor == RIG_USERS ? (*cursor = UINT32_MAX) : (*cursor)++;
}

bool engine_peer_room_next(const struct engine *e, uint32_t *cursor, struct str *room)
{
	static char name[16];

	if (*cursor >= e->rooms)
		return false;
	*room = str_of(name, (size_t)snprintf(name, sizeof(name), "room%u", (*cursor)++));
	return true;
}

void engine_peers_lost(struct engine *e, bool lost)
{
	e->lost = lost;
}

void engine_peer_begin(struct engine *e, uint32_t peer)
{
	e->begins++;
	for (int u = 0; u < RIG_USERS; u++)
		e->told[peer][u].fresh = false;
}

enum engine_status engine_peer_user(struct engine *e, uint32_t peer, const struct peer_user *u, struct now now)
{
	uint32_t i = (uint32_t)(u->user_id.p[1] - '0') * 100 + (uint32_t)(u->user_id.p[2] - '0') * 10 + (uint32_t)(u->user_id.p[3] - '0');

	(void)now;
	assert(u->user_id.n == 4 && i < RIG_USERS && u->profile.version > 0);
	if (e->full)
		return ENGINE_FULL;
	e->told[peer][i] = (struct rig_told){ true, true, u->link_count > 0, u->profile.version - 1 };
	return ENGINE_OK;
}

bool engine_peer_sweep(struct engine *e, uint32_t peer, uint32_t max, struct now now)
{
	(void)now;
	for (int u = 0; u < RIG_USERS; u++) {
		struct rig_told *t = &e->told[peer][u];

		if (!t->known || t->fresh)
			continue;
		if (max-- == 0)
			return true;
		e->swept += t->hosted;
		*t = (struct rig_told){ .known = false };
	}
	return false;
}

void engine_peer_message(struct engine *e, uint32_t peer, const struct peer_message *m, struct now now)
{
	(void)peer, (void)now;
	e->messages++;
	e->last = m->type;
}

uint32_t engine_peer_users(const struct engine *e, uint32_t peer)
{
	uint32_t n = 0;

	for (int u = 0; u < RIG_USERS; u++)
		n += e->told[peer][u].hosted;
	return n;
}

/* --- what only seeds.h asks; here no program of theirs is there --- */

uint64_t engine_peer_hosts(const struct engine *e, uint32_t user)
{
	(void)e, (void)user;
	return 0;
}

bool engine_peer_is_local(const struct engine *e, uint32_t user)
{
	return e->hosted[user];
}

uint32_t engine_user_find(const struct engine *e, struct str user_id)
{
	(void)e, (void)user_id;
	return UINT32_MAX;
}

bool engine_user_view(const struct engine *e, uint32_t user, struct presence_view *out, struct now now)
{
	(void)e, (void)user, (void)out, (void)now;
	return false;
}

void engine_view(const struct engine *e, struct str user_id, struct presence_view *out, struct now now)
{
	(void)e, (void)user_id, (void)now;
	*out = (struct presence_view){ .known = false };
}

bool engine_online_after(const struct engine *e, struct str after, struct presence_view *out, struct now now)
{
	(void)e, (void)after, (void)out, (void)now;
	return false;
}

uint32_t engine_broadcast_local(struct engine *e, const struct broadcast *b, struct now now)
{
	(void)e, (void)b, (void)now;
	return 0;
}

/* --- Redis --- */

static bool rig_hears(const struct rig_node *n, struct str channel)
{
	for (uint32_t i = 0; i < n->channel_count; i++)
		if (str_eq(str_of(n->channels[i], strlen(n->channels[i])), channel))
			return n->rig->now.mono.ms >= n->linked_at + n->hears_after_ms;
	return false;
}

static void rig_put(struct rig_node *n, struct rig_item item)
{
	struct rig_item **at = &n->inbox, *copy = malloc(sizeof(*copy));
	char *channel = malloc(item.channel.n + 1);

	assert(copy != NULL && channel != NULL);
	*copy = item;
	copy->next = NULL;
	if (item.bytes > 0) {
		copy->payload = malloc(item.bytes);
		assert(copy->payload != NULL);
		memcpy(copy->payload, item.payload, item.bytes);
	}
	if (item.channel.n > 0)
		memcpy(channel, item.channel.p, item.channel.n);
	copy->channel.p = channel;
	while (*at != NULL)
		at = &(*at)->next;
	*at = copy;
}

static void rig_free_item(struct rig_item *i)
{
	if (i->bytes > 0)
		free(i->payload);
	free((char *)(uintptr_t)i->channel.p);
	free(i);
}

static void rig_empty(struct rig_node *n)
{
	while (n->inbox != NULL) {
		struct rig_item *i = n->inbox;

		n->inbox = i->next;
		rig_free_item(i);
	}
}

static bool rig_take(uint32_t *n)
{
	if (*n == 0)
		return false;
	(*n)--;
	return true;
}

/* What anybody publishes. */
static void rig_publish(struct rig *r, struct str channel, struct str payload)
{
	bool users = str_eq(channel, STR("presenced:users")), state = str_has_prefix(payload, STR("{\"t\":\"state\""));

	for (uint32_t i = 0; i < r->count; i++) {
		struct rig_node *n = &r->nodes[i];
		struct rig_item item = { .channel = channel, .payload = (char *)(uintptr_t)payload.p, .bytes = payload.n };

		if (!n->linked || n->deaf || !rig_hears(n, channel))
			continue;
		if ((users && rig_take(&n->lose_users)) || (state && rig_take(&n->lose_state)))
			continue;
		rig_put(n, item);
		if (users && rig_take(&n->double_users))
			rig_put(n, item);
		if (users && rig_take(&n->swap_users)) { /* before what came last */
			struct rig_item **at = &n->inbox, *last;

			while ((*at)->next != NULL && (*at)->next->next != NULL)
				at = &(*at)->next;
			if ((*at)->next != NULL) {
				last = (*at)->next;
				last->next = *at;
				(*at)->next = NULL;
				*at = last;
			}
		}
	}
}

static bool rig_bus_publish(void *ctx, struct str channel, struct str payload)
{
	struct rig_node *n = ctx;

	if (!n->linked || n->no_space)
		return false;
	n->publishes++;
	rig_publish(n->rig, channel, payload);
	return true;
}

static bool rig_bus_subscribe(void *ctx, struct str channel)
{
	struct rig_node *n = ctx;

	if (!n->linked || n->no_space)
		return false;
	if (rig_hears(n, channel))
		return true;
	assert(n->channel_count < RIG_CHANNELS && channel.n < sizeof(n->channels[0]));
	memcpy(n->channels[n->channel_count], channel.p, channel.n);
	n->channels[n->channel_count++][channel.n] = '\0';
	return true;
}

static bool rig_bus_unsubscribe(void *ctx, struct str channel)
{
	struct rig_node *n = ctx;

	for (uint32_t i = 0; i < n->channel_count; i++)
		if (str_eq(str_of(n->channels[i], strlen(n->channels[i])), channel))
			memcpy(n->channels[i], n->channels[--n->channel_count], sizeof(n->channels[0]));
	return n->linked;
}

static uint32_t rig_index(const struct rig_node *n)
{
	return (uint32_t)(n - n->rig->nodes);
}

static bool rig_bus_set(void *ctx, struct str key, struct str value, int64_t ttl_ms)
{
	struct rig_node *n = ctx;

	(void)key;
	assert(value.n > 0 && ttl_ms == 3 * BEAT_MS);
	if (!n->linked)
		return false;
	n->sets++;
	return n->rig->lease[rig_index(n)] = true;
}

static bool rig_bus_del(void *ctx, struct str key)
{
	struct rig_node *n = ctx;

	(void)key;
	n->rig->lease[rig_index(n)] = false;
	return n->linked;
}

static bool rig_bus_renew(void *ctx, struct str key, int64_t ttl_ms)
{
	struct rig_node *n = ctx;

	(void)key, (void)ttl_ms;
	if (!n->linked)
		return false;
	rig_put(n, (struct rig_item){ .renewed = true, .was_there = n->rig->lease[rig_index(n)] });
	return true;
}

static size_t rig_bus_space(void *ctx)
{
	const struct rig_node *n = ctx;

	return n->linked && !n->no_space ? 1 << 20 : 0;
}

static void rig_bus_flush(void *ctx)
{
	(void)ctx;
}

static void rig_bus_reset(void *ctx)
{
	struct rig_node *n = ctx;

	n->wants_reset = true;
	n->resets++;
}

/* --- nodes --- */

static bool rig_log(void *ctx, const char *line, size_t bytes)
{
	struct rig_node *n = ctx;
	size_t used = strlen(n->log), keep = bytes < sizeof(n->log) - 1 - used ? bytes : sizeof(n->log) - 1 - used;

	if (n->rig->print)
		printf("# %7lld %s %.*s", (long long)n->rig->now.mono.ms, n->id, (int)bytes, line);
	if (bytes > 0 && memmem(line, bytes, "node-id", 7) != NULL)
		n->namesakes++;
	memcpy(n->log + used, line, keep);
	n->log[used + keep] = '\0';
	return true;
}

/* A process begins: with nothing, but a name it may have had before. Its users are those of n->engine.known. */
static void rig_start(struct rig_node *n, const char *id)
{
	struct cluster_config cfg = { .node_id = str_of(n->id, strlen(id)), .random = { rig_random(n->rig), rig_random(n->rig) },
		.users_max = RIG_USERS };
	struct bus bus = { n, rig_bus_publish, rig_bus_subscribe, rig_bus_unsubscribe, rig_bus_set, rig_bus_del, rig_bus_renew,
		rig_bus_space, rig_bus_flush, rig_bus_reset, NULL };
	struct region r;
	size_t bytes;

	assert(!n->runs && strlen(id) < sizeof(n->id));
	memmove(n->id, id, strlen(id) + 1);
	memset(n->engine.told, 0, sizeof(n->engine.told));
	region_init(&r, NULL, 0);
	assert(cluster_new(&cfg, &r, &bus, n->rig->now) == NULL);
	bytes = (region_used(&r) + 63) / 64 * 64;
	n->mem = aligned_alloc(64, bytes);
	assert(n->mem != NULL);
	memset(n->mem, 0, bytes);
	region_init(&r, n->mem, bytes);
	n->c = cluster_new(&cfg, &r, &bus, n->rig->now);
	assert(n->c != NULL && region_used(&r) <= bytes);
	n->server = (struct server){ .log = { .level = LOG_DEBUG, .service = STR("t"), .sink = rig_log, .sink_ctx = n },
		.engine = &n->engine };
	cluster_serve(n->c, &n->server);
	n->peers = cluster_peers(n->c);
	n->runs = true;
	n->up_at = n->rig->now.mono.ms;
}

static void rig_unlink(struct rig_node *n)
{
	if (!n->linked)
		return;
	n->linked = false;
	n->channel_count = 0;
	rig_empty(n);
	if (n->runs)
		cluster_down(n->c, n->rig->now);
}

static void rig_kill(struct rig_node *n)
{
	n->runs = false;
	rig_unlink(n);
	n->up_at = -1;
	free(n->mem);
	n->mem = NULL;
}

static struct rig_node *rig_add(struct rig *r)
{
	struct rig_node *n = &r->nodes[r->count++];
	char id[24];

	assert(r->count <= RIG_NODES);
	n->rig = r;
	snprintf(id, sizeof(id), "n%u", r->count);
	rig_start(n, id);
	return n;
}

static void rig_open(struct rig *r, uint32_t nodes)
{
	*r = (struct rig){ .now = { { 5000 }, { INT64_C(1768392000000) } }, .random = 88172645463325252u };
	r->nodes = calloc(RIG_NODES, sizeof(*r->nodes));
	assert(r->nodes != NULL);
	for (uint32_t i = 0; i < nodes; i++)
		rig_add(r);
}

static void rig_close(struct rig *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		rig_empty(&r->nodes[i]);
		if (r->nodes[i].runs)
			rig_kill(&r->nodes[i]);
	}
	free(r->nodes);
}

/* --- time --- */

static void rig_deliver(struct rig_node *n)
{
	while (n->inbox != NULL) {
		struct rig_item *i = n->inbox;

		n->inbox = i->next;
		if (i->renewed)
			cluster_renewed(n->c, i->was_there, n->rig->now);
		else
			cluster_heard(n->c, i->channel, i->payload, i->bytes, n->rig->now);
		rig_free_item(i);
	}
}

static void rig_turn(struct rig_node *n)
{
	if (n->wants_reset) {
		n->wants_reset = false;
		rig_unlink(n);
		n->up_at = n->rig->now.mono.ms + 100;
	}
	if (!n->linked && n->up_at >= 0 && n->rig->now.mono.ms >= n->up_at) {
		n->linked = true;
		n->linked_at = n->rig->now.mono.ms;
		cluster_up(n->c, n->rig->now);
	}
	if (!n->rig->hung)
		rig_deliver(n);
	cluster_turn(n->c, n->rig->now);
	n->peers.flush(n->peers.link.ctx, n->rig->now);
	n->turns++;
	assert(cluster_valid(n->c));
}

/* A turn that reads nothing of what is there. */
__attribute__((unused)) static void rig_turn_deaf(struct rig_node *n)
{
	n->rig->hung = true;
	rig_turn(n);
	n->rig->hung = false;
}

static bool rig_wakes(const struct rig_node *n)
{
	return n->runs && !n->stopped && ((n->inbox != NULL && !n->rig->hung) || n->wants_reset || (!n->linked && n->up_at >= 0) ||
	                                  cluster_deadline(n->c).ms <= n->rig->now.mono.ms || n->c->outgoing.count > 0);
}

static void rig_run(struct rig *r, int64_t ms)
{
	for (int64_t end = r->now.mono.ms + ms; r->now.mono.ms < end;) {
		r->now.mono.ms++;
		r->now.wall.ms++;
		for (uint32_t i = 0; i < r->count; i++)
			if (rig_wakes(&r->nodes[i]))
				rig_turn(&r->nodes[i]);
	}
}

/* --- users --- */

static void rig_say(struct rig_node *n, uint32_t user, bool hosted, uint64_t version)
{
	n->engine.known[user] = true;
	n->engine.hosted[user] = hosted;
	n->engine.version[user] = version;
	if (n->runs)
		n->peers.link.changed(n->peers.link.ctx, user);
}

static bool rig_same(const struct rig_told *told, const struct engine *e)
{
	for (int u = 0; u < RIG_USERS; u++) {
		bool hosted = e->known[u] && e->hosted[u];

		if (told[u].hosted != hosted || (hosted && told[u].version != e->version[u]))
			return false;
	}
	return true;
}

/* The number that node a gave to b; -1: none. */
static int rig_peer(const struct rig_node *a, const struct rig_node *b)
{
	for (int i = 0; i < PEERS_MAX; i++)
		if (a->c->nodes[i].state == NODE_HERE && str_eq(str_of(a->c->nodes[i].id, a->c->nodes[i].id_bytes), cluster_node_id(b->c)))
			return i;
	return -1;
}

/* Of b, a holds what b says. */
static bool rig_holds(const struct rig_node *a, const struct rig_node *b)
{
	int peer = rig_peer(a, b);

	return peer >= 0 && rig_same(a->engine.told[peer], &b->engine);
}

static bool rig_agree(const struct rig *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		const struct rig_node *a = &r->nodes[i];
		uint64_t seen = 0;

		if (!a->runs)
			continue;
		for (uint32_t k = 0; k < r->count; k++) {
			if (k == i || !r->nodes[k].runs)
				continue;
			if (!rig_holds(a, &r->nodes[k])) {
				printf("# %s does not hold what %s says\n", a->id, r->nodes[k].id);
				return false;
			}
			seen |= UINT64_C(1) << rig_peer(a, &r->nodes[k]);
		}
		for (uint32_t p = 0; p < PEERS_MAX; p++)
			if ((seen >> p & 1) == 0 && engine_peer_users(&a->engine, p) > 0) {
				printf("# %s holds users of a node that is gone\n", a->id);
				return false;
			}
	}
	return true;
}

static uint32_t rig_swept(const struct rig *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->count; i++)
		n += r->nodes[i].engine.swept;
	return n;
}

static bool rig_all_are(const struct rig *r, enum peers_health health)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (r->nodes[i].runs && r->nodes[i].peers.health(r->nodes[i].peers.link.ctx) != health)
			return false;
	return true;
}

#endif
