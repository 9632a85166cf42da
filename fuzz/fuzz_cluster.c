/*
 * fuzz/fuzz_cluster.c: two nodes and a Redis that lies (test/sim/world.h): clients come, speak and go at both, and what the nodes write each
 * other is said again, said late, and said with other bytes in it, as the input has it; and letters of its own are put beside, of up to 256
 * puppets: nodes that say whatever the input wants, well written. Redis goes, hangs, is slow, full, or loses; the nodes are killed, stopped,
 * told to end; their clocks are set.
 *
 * Whatever is heard, no invariant of either node breaks, both come to rest, and when all have left nothing is kept. Every letter that a node
 * writes can be read, and stands in the order that cluster/letter.h promises. When all faults are over, both nodes are soon ready, and know
 * of nobody who is not there; and if nobody lied they know each other, and show the same of every user.
 *
 *	input: options, step...   step: kind, and what it takes
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/post.h"
#include "sim/world.h"

#define CHECK(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { NODES = 2, KEPT = 16, LETTER_MAX = 4096, IN_MAX = 4096, STEPS_MAX = 48, CLIENTS = 6, USERS = 4, PUPPETS = 256, USERS_FEW = 24 };

enum {
	WELL_MS = 25000,   /* all are found, or found gone, and who was only lost is offline */
	DRAINED_MS = 1000, /* beyond drain-timeout: the process has ended */
};

/* Options. LEAVE: these, and everybody leaves in the end. */
enum { ROOMS = 1, NO_DEBOUNCE = 2, NO_KEYS = 4, SLOW = 8, FEW_USERS = 16, NO_NAMES = 32, LEAVE = 0xf0 };

/* The last that was published. */
struct kept {
	char channel[96], payload[LETTER_MAX];
	size_t channel_bytes, bytes;
};

/* One that the input speaks for. */
struct puppet {
	uint64_t epoch, seq; /* epoch 0: it said nothing yet */
	uint32_t cursor;
};

/* What a node wrote last. */
struct wrote {
	uint64_t epoch, seq;
	bool bye;
};

struct fuzz {
	struct world w;
	const uint8_t *p, *end;
	struct kept kept[KEPT];
	uint32_t count;
	bool lying;   /* what is published is ours */
	bool lied, was_set; /* ever; and a clock was */
	unsigned options;
	struct puppet puppets[PUPPETS];
	struct wrote wrote[NODES];
};

static const char *const channels[] = {
	"presenced:nodes", "presenced:users", "presenced:node:n1", "presenced:node:n2", "presenced:all", "presenced:room:r0",
	"presence:updates", "presence:broadcast",
};

static struct str str_from(const char *text)
{
	return str_of(text, strlen(text));
}

/* Node 0 or 1. It may have drawn its name. */
static struct str id_of(const struct fuzz *f, uint32_t i)
{
	const struct world_node *n = &f->w.nodes[i];

	return n->cluster != NULL ? cluster_node_id(n->cluster) : str_from(n->id);
}

static unsigned next(struct fuzz *f)
{
	return f->p < f->end ? *f->p++ : 0;
}

/* --- what nodes write --- */

static struct letter_reader *reader(void)
{
	static _Alignas(64) char mem[1 << 20];
	static struct letter_reader *one;
	struct region r;

	if (one == NULL) {
		region_init(&r, mem, sizeof(mem));
		one = letter_reader_new(&r, 1);
		CHECK(one != NULL);
	}
	return one;
}

/* `bye` is the last of an epoch, letters of users have numbers that grow, and an epoch does not come back. */
static void check_order(struct fuzz *f, struct wrote *last, const struct letter *l)
{
	if (l->epoch != last->epoch) {
		CHECK(l->epoch > last->epoch || f->was_set);
		*last = (struct wrote){ .epoch = l->epoch };
	}
	CHECK(!last->bye && l->seq >= last->seq + (l->type == LETTER_USERS));
	last->seq = l->seq;
	last->bye = l->type == LETTER_BYE;
}

/* Whatever a node writes another can read, where it belongs. */
static void check_letter(struct fuzz *f, struct str channel, struct str payload)
{
	static char copy[LETTER_BYTES_MAX];
	struct peer_user u;
	struct letter l;

	CHECK(payload.n <= sizeof(copy));
	memcpy(copy, payload.p, payload.n);
	CHECK(letter_read(reader(), copy, payload.n, &l) == LETTER_OK);
	CHECK(l.type == LETTER_GONE || (l.type <= LETTER_BYE) == str_eq(channel, POST_NODES));
	CHECK((l.type == LETTER_USERS) == str_eq(channel, POST_USERS));
	while (letter_next_user(reader(), &u))
		CHECK(u.user_id.n > 0);
	for (uint32_t i = 0; i < NODES; i++)
		if (str_eq(l.node, id_of(f, i)))
			check_order(f, &f->wrote[i], &l);
}

static void keep(void *ctx, struct str channel, struct str payload)
{
	struct fuzz *f = ctx;
	struct kept *k = &f->kept[f->count % KEPT];

	if (!f->lying && str_has_prefix(channel, STR("presenced:")))
		check_letter(f, channel, payload);
	if (f->lying || channel.n > sizeof(k->channel) || payload.n > sizeof(k->payload))
		return;
	memcpy(k->channel, channel.p, channel.n);
	memcpy(k->payload, payload.p, payload.n);
	k->channel_bytes = channel.n;
	k->bytes = payload.n;
	f->count++;
}

static void publish(struct fuzz *f, struct str channel, const char *payload, size_t n)
{
	f->lying = f->lied = true;
	redis_model_publish(&f->w.redis, channel, str_of(payload, n));
	f->lying = false;
}

/* --- clients --- */

static struct client *client_at(struct fuzz *f, unsigned i, struct crowd **crowd)
{
	char name[4] = { 'c', (char)('0' + i % CLIENTS), '\0' };

	*crowd = &world_node(&f->w, 1 + i % NODES)->crowd;
	return client_named(*crowd, name, 2);
}

static void come(struct fuzz *f, unsigned i)
{
	static const enum dialect_id dialects[] = { DIALECT_DOTTED, DIALECT_SNAKE, DIALECT_ROOMS, DIALECT_UPPER, DIALECT_ROSTER, DIALECT_DOTTED };
	struct client_call call = {
		.user = STR_NONE, .device = STR_NONE, .name = STR_NONE, .proto = STR_NONE, .path = STR_NONE, .header = STR_NONE,
		.token = STR_NONE, .bearer = STR_NONE, .peer = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 }, 4000 },
	};
	char user[3] = { 'u', (char)('0' + i % USERS), '\0' };
	struct crowd *crowd;
	struct client *cl = client_at(f, i, &crowd);

	call.dialect = dialects[i % 6];
	call.user = str_of(user, 2);
	if (cl->link < 0)
		client_call(crowd, cl, &call);
	else
		client_drop(crowd, cl);
}

static void say(struct fuzz *f, unsigned i)
{
	static const char *const messages[] = {
		"{\"type\":\"presence.update\",\"payload\":{\"status\":\"busy\",\"metadata\":{\"a\":1}}}",
		"{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"invisible\",\"custom_status\":\"x\"}}",
		"{\"id\":\"q\",\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\",\"typing\",\"conversation\"],\"filters\":{\"conversation_id\":\"r0\"}}}",
		"{\"type\":\"subscribe\",\"channel_id\":\"r0\"}",
		"{\"type\":\"typing\",\"channel_id\":\"r0\"}",
		"{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"r0\"}}",
		"{\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"r0\",\"message_ids\":[\"m\"],\"sender_id\":\"u1\"}}",
		"{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k\",\"target_user_id\":\"u1\",\"sdp\":\"v\"}}",
		"{\"type\":\"call.answer\",\"payload\":{\"call_id\":\"k\",\"sdp\":\"w\"}}",
		"{\"type\":\"call.ice\",\"payload\":{\"call_id\":\"k\",\"candidate\":{}}}",
		"{\"type\":\"call.hangup\",\"payload\":{\"call_id\":\"k\"}}",
		"{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"away\"}}",
		"{\"type\":\"status\",\"status\":\"away\",\"custom_status\":\"z\"}",
	};
	const char *m = messages[next(f) % (sizeof(messages) / sizeof(messages[0]))];
	struct crowd *crowd;
	struct client *cl = client_at(f, i, &crowd);

	if (cl->link >= 0 && cl->websocket)
		client_frame(crowd, cl, WS_TEXT, true, m, strlen(m));
}

static void ask(struct fuzz *f, unsigned i)
{
	struct client *cl;
	struct crowd *crowd = &world_node(&f->w, 1 + i % NODES)->crowd;

	cl = client_named(crowd, "h", 1);
	client_request(crowd, cl, "POST", STR("/api/v1/broadcast"), i & 4 ? STR("{\"all\":true,\"data\":1}") : STR("{\"room\":\"r0\",\"data\":{}}"));
}

/* Comes into rooms, or leaves them: `count` from r0 on. */
static void move(struct fuzz *f, unsigned i)
{
	static const char *const how[] = {
		"{\"type\":\"subscribe\",\"channel_id\":\"r%u\"}",
		"{\"type\":\"unsubscribe\",\"channel_id\":\"r%u\"}",
		"{\"id\":\"q\",\"type\":\"subscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"conversation_id\":\"r%u\"}}}",
		"{\"id\":\"q\",\"type\":\"unsubscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"conversation_id\":\"r%u\"}}}",
	};
	unsigned kind = next(f) % 4, count = next(f) % 64;
	struct crowd *crowd;
	struct client *cl = client_at(f, i, &crowd);
	char m[160];

	for (unsigned k = 0; k <= count && cl->link >= 0 && cl->websocket; k++) {
		int n = snprintf(m, sizeof(m), how[kind], k);

		client_frame(crowd, cl, WS_TEXT, true, m, (size_t)n);
	}
}

static void look(struct fuzz *f, unsigned i)
{
	static const struct str paths[] = { STR("/metrics"), STR("/ready"), STR("/health"), STR("/api/v1/presence/online") };
	struct crowd *crowd = &world_node(&f->w, 1 + i % NODES)->crowd;

	client_request(crowd, client_named(crowd, "h", 1), "GET", paths[i / NODES % 4], STR(""));
}

/* --- letters of others --- */

/* One that was published, with some of its bytes replaced; or as it was. */
static void again(struct fuzz *f, unsigned i)
{
	static char out[2 * LETTER_MAX];
	struct kept *k;
	size_t at, cut, n, rest;

	if (f->count == 0)
		return;
	k = &f->kept[(f->count - 1 - i % (f->count < KEPT ? f->count : KEPT)) % KEPT];
	at = k->bytes == 0 ? 0 : (next(f) | next(f) << 8) % k->bytes;
	cut = next(f) % 32;
	n = next(f) % 32;
	cut = cut < k->bytes - at ? cut : k->bytes - at;
	n = n < (size_t)(f->end - f->p) ? n : (size_t)(f->end - f->p);
	rest = k->bytes - at - cut;
	memcpy(out, k->payload, at);
	memcpy(out + at, f->p, n);
	memcpy(out + at + n, k->payload + at + cut, rest);
	f->p += n;
	publish(f, i & 64 ? str_of(channels[i / 8 % 8], strlen(channels[i / 8 % 8])) : str_of(k->channel, k->channel_bytes), out, at + n + rest);
}

/* The input's own. */
static void invent(struct fuzz *f, unsigned i)
{
	size_t n = (size_t)next(f) | (size_t)(next(f) & 1) << 8;
	const char *channel = channels[i % 8];

	n = n < (size_t)(f->end - f->p) ? n : (size_t)(f->end - f->p);
	publish(f, str_of(channel, strlen(channel)), (const char *)f->p, n);
	f->p += n;
}

static struct str name_of(struct fuzz *f, unsigned puppet, char out[8])
{
	if (puppet < NODES)
		return id_of(f, puppet); /* another process of that name */
	return str_of(out, (size_t)snprintf(out, 8, "p%u", puppet));
}

static void put_users(struct letter_writer *lw, const struct letter *l, unsigned first, unsigned count)
{
	static const struct peer_link phone = { .device_id = STR("phone"), .key = 7, .connected_at = { 1000 } };
	char id[8];

	for (unsigned k = 0; k < count && (l->type == LETTER_USERS || l->type == LETTER_STATE); k++) {
		struct peer_user u = { .last_seen = WALL_NONE, .links = &phone, .link_count = first < 128 };

		u.user_id = str_of(id, (size_t)snprintf(id, sizeof(id), "u%u", first % 128 + k));
		u.profile = (struct peer_profile){ .version = l->seq & 3, .custom_expires = WALL_NONE, .shown_expires = WALL_NONE,
			                           .shown_last_seen = WALL_NONE };
		if (!letter_add_user(lw, &u))
			return;
	}
}

static void send(struct fuzz *f, struct str channel, const struct letter *l, unsigned first, unsigned count)
{
	static char text[LETTER_BYTES_MAX];
	struct letter_writer lw;
	struct jsonw w;

	jsonw_init(&w, text, sizeof(text));
	letter_open(&lw, &w, l);
	put_users(&lw, l, first, count);
	CHECK(letter_close(&lw, l->cursor));
	publish(f, channel, text, jsonw_bytes(&w));
}

enum { TO_OTHER = 8, FIRST = 16, LAST = 32, SKIPS = 64, BEGINS = 128 };

static void say_as(struct fuzz *f, unsigned puppet, unsigned i, unsigned first, unsigned count)
{
	static const struct str gone[] = { STR("p0"), STR("p1"), STR("n1"), STR("n2") };
	static const struct peer_message messages[] = {
		{ .type = PEER_KICK, .user_id = STR("u1") },
		{ .type = PEER_TYPING, .user_id = STR("u9"), .room = STR("r0"), .is_typing = true },
		{ .type = PEER_CALL_OFFER, .user_id = STR("u9"), .target = STR("u1"), .call_id = STR("k"), .device_id = STR("d") },
		{ .type = PEER_CALL_ENDED, .user_id = STR("u9"), .target = STR("u1"), .call_id = STR("k"), .text = STR("busy") },
	};
	struct puppet *p = &f->puppets[puppet % PUPPETS];
	struct letter l = { .type = i % LETTER_COUNT, .first = i & FIRST, .cursor = UINT32_MAX, .message = messages[first % 4] };
	struct str to = POST_NODES;
	struct post_channel own;
	char name[8];

	if (p->epoch == 0 || i & BEGINS)
		*p = (struct puppet){ .epoch = p->epoch + 1 };
	p->seq += (l.type == LETTER_USERS) + (i & SKIPS ? 2 : 0);
	if (l.type == LETTER_SYNC && !(i & LAST))
		l.cursor = first;
	if (l.type == LETTER_STATE && !(i & LAST))
		l.cursor = p->cursor = count == 0 ? 0 : (i & FIRST ? 0 : p->cursor) + count;
	l.node = name_of(f, puppet % PUPPETS, name);
	l.epoch = p->epoch;
	l.seq = p->seq;
	if (l.type == LETTER_SAY || count == 255)
		to = POST_ALL;
	else if (l.type == LETTER_USERS)
		to = POST_USERS;
	else if (l.type > LETTER_BYE)
		to = post_node(&own, id_of(f, i & TO_OTHER ? 1 : 0));
	if (l.node.n > 0)
		send(f, to, &l, first, count);
}

/* One puppet's letter; or the same of many. */
static void puppet(struct fuzz *f, unsigned i)
{
	unsigned who = next(f), first = next(f), count = next(f);

	say_as(f, who, i, first, count);
}

static void puppets(struct fuzz *f, unsigned i)
{
	unsigned from = next(f), n = next(f), first = next(f);

	for (unsigned k = 0; k < n; k++)
		say_as(f, from + k, i, first, first % 4);
}

/* --- time, and what befalls --- */

/* Two seconds at a time, in which all puppets show that they live. */
static void live(struct fuzz *f, unsigned i)
{
	for (unsigned n = i % 8; n > 0; n--) {
		for (unsigned k = NODES; k < PUPPETS; k++)
			if (f->puppets[k].epoch > 0)
				say_as(f, k, LETTER_BEAT, 0, 0);
		world_advance(&f->w, world_now_ms(&f->w) + BEAT_MS);
	}
}

static void wait(struct fuzz *f, unsigned i)
{
	static const int64_t times_ms[] = { 1, 50, 400, 1000, 2000, 5500, 6000, 30000 };

	world_advance(&f->w, world_now_ms(&f->w) + times_ms[i % 8]);
}

/* A process is stopped for so long. */
static void stop(struct fuzz *f, unsigned i)
{
	uint32_t node = 1 + i % NODES;

	world_freeze(&f->w, node, true);
	wait(f, i / NODES);
	world_freeze(&f->w, node, false);
}

/* Not in the millisecond in which it ended: its epoch is the time. */
static void boot(struct fuzz *f, uint32_t node)
{
	if (!world_is_alive(&f->w, node)) {
		world_advance(&f->w, world_now_ms(&f->w) + 1);
		/* By a clock that was set back others were seen in the future, which it does not take from them. */
		if (f->was_set)
			world_node(&f->w, node)->crowd.seen_count = 0;
	}
	CHECK(world_boot(&f->w, node));
}

static void set_clock(struct fuzz *f, unsigned i)
{
	static const int64_t steps_ms[] = { 1, -1, 977, -977, 3600011, -3600011, 86400013, -86400013 };

	f->was_set = true;
	sim_step_wall(&world_node(&f->w, 1 + i % NODES)->crowd.sim, steps_ms[i / NODES % 8]);
}

static void befall_redis(struct fuzz *f, unsigned i)
{
	struct redis_model *m = &f->w.redis;

	switch (i % 8) {
	case 0: redis_model_down(m, true); break;
	case 1: redis_model_down(m, false); break;
	case 2: redis_model_hang(m, true); break;
	case 3: redis_model_hang(m, false); break;
	case 4: redis_model_cut(m, i / 8 % NODES, i & 16); break;
	case 5: redis_model_fail_over(m, i / 8); break;
	case 6: m->limbo_runs = i & 8; break;
	case 7: redis_model_refuse(m, REDIS_REFUSES_ALL, i & 8 ? "NOPERM" : "LOADING"); break;
	}
}

/* How well Redis does what it does. */
static void serve_worse(struct fuzz *f, unsigned i)
{
	static const int64_t delays_ms[] = { 0, 20, 150, 300, 900, 1100, 1900, 2500 };
	struct redis_model *m = &f->w.redis;

	switch (i % 8) {
	case 0: m->space_bytes = i < 248 ? i / 8 * 40u : REDIS_SPACE_BYTES; break;
	case 1: m->space_bytes = next(f) * 256u; break;
	case 2: m->delay_ms = delays_ms[i / 8 % 8]; break;
	case 3: m->delay_spread_ms = delays_ms[i / 8 % 8]; break;
	case 4: m->drop_permille = i / 8 * 20; break;
	case 5: m->double_permille = i / 8 * 30; break;
	case 6: m->swap_permille = i / 8 * 30; break;
	case 7: m->output_bytes = i < 248 ? i / 8 * 100u : REDIS_OUTPUT_BYTES; break;
	}
}

static void befall(struct fuzz *f, unsigned i)
{
	uint32_t node = 1 + i % NODES;

	switch (i / 2 % 8) {
	case 0: world_kill(&f->w, node); break;
	case 1: boot(f, node); break;
	case 2: redis_model_lose(&f->w.redis, node - 1); break;
	case 3: redis_model_deafen(&f->w.redis, node - 1); break;
	case 4: redis_model_flush(&f->w.redis); break;
	case 5: redis_model_refuse(&f->w.redis, i & 16 ? REDIS_REFUSES_WRITES : REDIS_ACCEPTS, i & 32 ? "READONLY" : "OOM"); break;
	case 6: f->w.redis.clients[node - 1].drop_next = i / 16; break;
	case 7: world_freeze(&f->w, node, i & 16); break;
	}
}

/* --- steps --- */

/* Kinds that older inputs do not have. */
static void step_more(struct fuzz *f, unsigned kind, unsigned i)
{
	switch (kind % 16) {
	case 0:
	case 1: puppet(f, i); break;
	case 2: puppets(f, i); break;
	case 3: live(f, i); break;
	case 4: move(f, i); break;
	case 5: look(f, i); break;
	case 6: stop(f, i); break;
	case 7: world_quit(&f->w, 1 + i % NODES); break;
	case 8:
	case 9: befall_redis(f, i); break;
	case 10:
	case 11: serve_worse(f, i); break;
	case 12: set_clock(f, i); break;
	default: wait(f, i); break;
	}
}

static void step(struct fuzz *f)
{
	unsigned kind = next(f), i = next(f);

	if (kind >= 0x80 && kind < 0xc0)
		step_more(f, kind, i);
	else
		switch (kind % 8) {
		case 0: come(f, i); break;
		case 1: say(f, i); break;
		case 2:
		case 3: again(f, i); break;
		case 4: invent(f, i); break;
		case 5: wait(f, i); break;
		case 6: ask(f, i); break;
		case 7: befall(f, i); break;
		}
	world_settle(&f->w);
	for (uint32_t k = 1; k <= NODES; k++)
		crowd_forget(&world_node(&f->w, k)->crowd);
}

static void configure(struct fuzz *f)
{
	f->options = next(f);
	for (uint32_t i = 1; i <= NODES; i++) {
		struct server_config *cfg = &world_node(&f->w, i)->crowd.sim.cfg;

		cfg->connections_max = 10;
		cfg->audience = f->options & ROOMS ? AUDIENCE_ROOMS : AUDIENCE_ALL;
		cfg->offline_debounce_ms = f->options & NO_DEBOUNCE ? 0 : 5000;
		if (f->options >= LEAVE)
			continue;
		if (f->options & FEW_USERS)
			cfg->users_max = USERS_FEW;
		if (f->options & NO_NAMES)
			world_node(&f->w, i)->id[0] = '\0';
	}
	f->w.keys = !(f->options & NO_KEYS);
	f->w.redis.delay_ms = f->options & SLOW ? 20 : 0;
	f->w.redis.tap = keep;
	f->w.redis.tap_ctx = f;
}

/* --- the end --- */

static void heal(struct fuzz *f)
{
	struct redis_model *m = &f->w.redis;

	redis_model_down(m, false);
	redis_model_hang(m, false);
	redis_model_refuse(m, REDIS_ACCEPTS, "");
	m->drop_permille = m->double_permille = m->swap_permille = 0;
	m->delay_ms = m->delay_spread_ms = 0;
	m->space_bytes = REDIS_SPACE_BYTES;
	m->output_bytes = REDIS_OUTPUT_BYTES;
	for (uint32_t k = 1; k <= NODES; k++) {
		redis_model_cut(m, k - 1, false);
		m->clients[k - 1].drop_next = 0;
		world_freeze(&f->w, k, false);
	}
	world_settle(&f->w);
	for (uint32_t k = 1; k <= NODES; k++) {
		const struct world_node *node = world_node(&f->w, k);

		if (node->quitting)
			world_advance(&f->w, world_now_ms(&f->w) + node->crowd.sim.cfg.drain_timeout_ms + DRAINED_MS);
		if (node->quitting)
			sim_fault(&f->w.nodes[0].crowd.sim, "a node was told to end, and does not");
		else
			boot(f, k);
	}
}

static const char *describe(struct fuzz *f, uint32_t node, unsigned user, char out[256])
{
	const struct sim *sim = &world_node(&f->w, node)->crowd.sim;
	char id[3] = { 'u', (char)('0' + user), '\0' };
	struct presence_view v;

	engine_view(server_engine(sim->server), str_from(id), &v, sim->now);
	snprintf(out, 256, "%s %d '%.*s' %.*s %u", id, (int)v.status, (int)v.custom.n, str_absent(v.custom) ? "" : v.custom.p,
	         (int)v.metadata.n, str_absent(v.metadata) ? "" : v.metadata.p, (unsigned)v.device_count);
	return out;
}

static void wrong(struct fuzz *f, const char *what)
{
	sim_fault(&f->w.nodes[0].crowd.sim, what);
}

static void check_well(struct fuzz *f)
{
	char a[256], b[256];

	for (uint32_t k = 1; k <= NODES; k++) {
		const struct peers *p = &world_node(&f->w, k)->peers;

		if (p->health(p->link.ctx) != PEERS_READY)
			wrong(f, "a node is not ready, and nothing is wrong");
		if (p->nodes(p->link.ctx) > NODES || (!f->lied && p->nodes(p->link.ctx) < NODES))
			wrong(f, "a node does not know who is there");
	}
	for (unsigned u = 0; u < USERS && !f->lied && !(f->options & FEW_USERS); u++)
		if (strcmp(describe(f, 1, u, a), describe(f, 2, u, b)) != 0) {
			fprintf(stderr, "%s\n%s\n", a, b);
			wrong(f, "nodes see a user in different ways");
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct fuzz f;

	if (n == 0 || n > IN_MAX)
		return 0;
	f.p = data;
	f.end = data + n;
	f.count = 0;
	f.lied = f.was_set = false;
	memset(f.puppets, 0, sizeof(f.puppets));
	memset(f.wrote, 0, sizeof(f.wrote));
	world_init(&f.w, 3);
	configure(&f);
	CHECK(world_start(&f.w, NODES, true));
	world_advance(&f.w, 1000);
	for (int steps = 0; f.p < f.end && steps < STEPS_MAX && world_fault(&f.w)[0] == '\0'; steps++)
		step(&f);
	heal(&f);
	if (world_fault(&f.w)[0] == '\0')
		world_advance(&f.w, world_now_ms(&f.w) + WELL_MS);
	if (world_fault(&f.w)[0] == '\0')
		check_well(&f);
	if (world_fault(&f.w)[0] == '\0' && f.options >= LEAVE)
		world_leave_all(&f.w);
	if (world_fault(&f.w)[0] != '\0') {
		fprintf(stderr, "%s\n", world_fault(&f.w));
		abort();
	}
	world_stop(&f.w);
	return 0;
}
