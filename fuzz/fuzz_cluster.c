/*
 * fuzz/fuzz_cluster.c: two nodes and a Redis that lies (test/sim/world.h): clients come, speak and go at both, and what the nodes write each
 * other is said again, said late, and said with other bytes in it, as the input has it; and letters of its own are put beside.
 * Whatever is heard, no invariant of either node breaks, both come to rest, and when all have left nothing is kept.
 *
 *	input: options, step...   step: kind, and what it takes
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

#define CHECK(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { NODES = 2, KEPT = 16, LETTER_MAX = 4096, IN_MAX = 4096, STEPS_MAX = 48, CLIENTS = 6 };

/* The last that was published. */
struct kept {
	char channel[96], payload[LETTER_MAX];
	size_t channel_bytes, bytes;
};

struct fuzz {
	struct world w;
	const uint8_t *p, *end;
	struct kept kept[KEPT];
	uint32_t count;
	bool lying; /* what is published is ours */
};

static const char *const channels[] = {
	"presenced:nodes", "presenced:users", "presenced:node:n1", "presenced:node:n2", "presenced:all", "presenced:room:r0",
	"presence:updates", "presence:broadcast",
};

static unsigned next(struct fuzz *f)
{
	return f->p < f->end ? *f->p++ : 0;
}

static void keep(void *ctx, struct str channel, struct str payload)
{
	struct fuzz *f = ctx;
	struct kept *k = &f->kept[f->count % KEPT];

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
	f->lying = true;
	redis_model_publish(&f->w.redis, channel, str_of(payload, n));
	f->lying = false;
}

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
	char user[3] = { 'u', (char)('0' + i % 4), '\0' };
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

static void wait(struct fuzz *f, unsigned i)
{
	static const int64_t times_ms[] = { 1, 50, 400, 1000, 2000, 5500, 6000, 30000 };

	world_advance(&f->w, world_now_ms(&f->w) + times_ms[i % 8]);
}

static void befall(struct fuzz *f, unsigned i)
{
	uint32_t node = 1 + i % NODES;

	switch (i / 2 % 8) {
	case 0: world_kill(&f->w, node); break;
	case 1: CHECK(world_boot(&f->w, node)); break;
	case 2: redis_model_lose(&f->w.redis, node - 1); break;
	case 3: redis_model_deafen(&f->w.redis, node - 1); break;
	case 4: redis_model_flush(&f->w.redis); break;
	case 5: redis_model_refuse(&f->w.redis, i & 16 ? REDIS_REFUSES_WRITES : REDIS_ACCEPTS, i & 32 ? "READONLY" : "OOM"); break;
	case 6: f->w.redis.clients[node - 1].drop_next = i / 16; break;
	case 7: world_freeze(&f->w, node, i & 16); break;
	}
}

static void step(struct fuzz *f)
{
	unsigned kind = next(f), i = next(f);

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
	unsigned draw = next(f);

	for (uint32_t i = 1; i <= NODES; i++) {
		struct server_config *cfg = &world_node(&f->w, i)->crowd.sim.cfg;

		cfg->connections_max = 10;
		cfg->audience = draw & 1 ? AUDIENCE_ROOMS : AUDIENCE_ALL;
		cfg->offline_debounce_ms = draw & 2 ? 0 : 5000;
	}
	f->w.keys = !(draw & 4);
	f->w.redis.delay_ms = draw & 8 ? 20 : 0;
	f->w.redis.tap = keep;
	f->w.redis.tap_ctx = f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct fuzz f;

	if (n == 0 || n > IN_MAX)
		return 0;
	f.p = data;
	f.end = data + n;
	f.count = 0;
	world_init(&f.w, 3);
	configure(&f);
	CHECK(world_start(&f.w, NODES, true));
	world_advance(&f.w, 1000);
	for (int steps = 0; f.p < f.end && steps < STEPS_MAX && world_fault(&f.w)[0] == '\0'; steps++)
		step(&f);
	for (uint32_t k = 1; k <= NODES; k++) {
		world_freeze(&f.w, k, false);
		CHECK(world_boot(&f.w, k));
	}
	if (world_fault(&f.w)[0] == '\0' && data[0] >= 0xf0)
		world_leave_all(&f.w);
	else if (world_fault(&f.w)[0] == '\0')
		world_advance(&f.w, world_now_ms(&f.w) + 10000);
	if (world_fault(&f.w)[0] != '\0') {
		fprintf(stderr, "%s\n", world_fault(&f.w));
		abort();
	}
	world_stop(&f.w);
	return 0;
}
