/*
 * Client 0 speaks, clients 1 to N hear. Deliveries keep their order on a connection, so the g-th counted frame of a
 * receiver is event g, and events complete in order: one is done when `left` of it is 0. `intended` is when it was sent
 * (closed loop) or should have been (open loop). Events [done, sent) are under way; their slots in the ring are live.
 * flood: the open loop twice, first without and then with handshakes that the server, full, refuses.
 */
#include "flood.h"
#include "scene.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 65536, WARM_MS = 400, DRAIN_MS = 5000 };

struct fanout {
	struct fleet fleet;
	struct script script;
	struct flood *flood; /* NULL: none, or not now */
	uint32_t receivers;
	uint64_t sent, done, deliveries;
	struct hist hist;
	uint32_t left[RING];
	uint64_t intended_ns[RING];
	size_t speech_bytes[2]; /* the two variants, said in turn */
	uint8_t speech[2][SCRIPT_BYTES_MAX];
};

static void heard(void *ctx, struct client *c, uint32_t n, uint64_t now)
{
	struct fanout *x = ctx;
	uint64_t event;

	if (c->slot == 0)
		return; /* some dialects tell the speaker too */
	for (; n > 0; n--) {
		event = c->got++;
		if (event >= x->sent) {
			fleet_fault(&x->fleet, "client %u heard %" PRIu64 " of %" PRIu64 " events", c->slot, c->got,
			            x->sent);
			return;
		}
		hist_add(&x->hist, now - x->intended_ns[event % RING]);
		x->deliveries++;
		if (--x->left[event % RING] == 0)
			x->done++;
	}
}

enum kind { CLOSED, OPEN, FLOODED };

static void make_speech(struct fanout *x)
{
	unsigned i;

	for (i = 0; i < 2; i++)
		x->speech_bytes[i] = script_event(&x->script, 0, i, x->speech[i], sizeof(x->speech[i]));
}

/*
 * Says n events, step_ns apart in intention, the first at first_ns. A write each, as independent events come: the first
 * wakes the server, the rest wait for its next read, so that what it makes of 16 outstanding is its own doing.
 */
static void speak(struct fanout *x, uint32_t n, uint64_t first_ns, uint64_t step_ns)
{
	size_t which;
	uint32_t i;

	assert(n <= SCENE_WINDOW_MAX);
	if (x->sent + n - x->done > RING) {
		fleet_fault(&x->fleet, "the server is %d events behind", RING);
		return;
	}
	for (i = 0; i < n; i++) {
		x->left[x->sent % RING] = x->receivers;
		x->intended_ns[x->sent % RING] = first_ns + i * step_ns;
		which = x->sent++ % 2;
		fleet_send(&x->fleet, &x->fleet.clients[0], x->speech[which], x->speech_bytes[which]);
	}
}

static void turn(struct fanout *x)
{
	fleet_turn(&x->fleet, 0);
	if (x->flood != NULL)
		flood_turn(x->flood, proc_now_ns());
}

static void drain(struct fanout *x)
{
	uint64_t until = proc_now_ns() + DRAIN_MS * UINT64_C(1000000);

	while (x->done < x->sent && !fleet_failed(&x->fleet)) {
		turn(x);
		if (proc_now_ns() > until)
			fleet_fault(&x->fleet, "%" PRIu64 " of %" PRIu64 " events were not heard by all within %d ms",
			            x->sent - x->done, x->sent, DRAIN_MS);
	}
}

static void closed_loop(struct fanout *x, uint32_t window, uint32_t ms)
{
	uint64_t until = proc_now_ns() + ms * UINT64_C(1000000);
	uint64_t now;

	while ((now = proc_now_ns()) < until && !fleet_failed(&x->fleet)) {
		if (x->sent - x->done < window)
			speak(x, window - (uint32_t)(x->sent - x->done), now, 0);
		turn(x);
	}
	drain(x);
}

static void open_loop(struct fanout *x, uint32_t rate, uint32_t ms)
{
	uint64_t step_ns = 1000000000U / rate;
	uint64_t start = proc_now_ns();
	uint64_t events = (uint64_t)ms * rate / 1000;
	uint64_t said = 0;
	uint64_t due;

	while (said < events && !fleet_failed(&x->fleet)) {
		due = (proc_now_ns() - start) / step_ns + 1;
		due = (due < events ? due : events) - said;
		if (due > SCENE_WINDOW_MAX)
			due = SCENE_WINDOW_MAX;
		if (due > 0)
			speak(x, (uint32_t)due, start + said * step_ns, step_ns);
		said += due;
		turn(x);
	}
	drain(x);
}

static void forget_warm_up(struct fanout *x)
{
	hist_reset(&x->hist);
	x->deliveries = 0;
	x->fleet.frames = x->fleet.frames_bytes = 0;
}

static void measure(struct fanout *x, const struct scene_options *o, bool open)
{
	struct scene_cost cost;
	uint64_t before;

	closed_loop(x, 1, WARM_MS);
	scene_pause(&x->fleet, 50);
	forget_warm_up(x);
	before = x->sent;
	scene_cost_from(&cost, o->pid);
	if (open)
		open_loop(x, o->rate, o->seconds_ms);
	else
		closed_loop(x, o->window, o->seconds_ms);
	scene_cost_to(&cost, o->pid);
	if (fleet_failed(&x->fleet))
		return;
	(void)printf("scenario=%s dialect=%s receivers=%u window=%u rate=%u events=%" PRIu64 " deliveries=%" PRIu64
	             " payload_bytes=%" PRIu64, o->scenario, o->dialect, x->receivers, open ? 0 : o->window,
	             open ? o->rate : 0, x->sent - before, x->deliveries,
	             x->fleet.frames == 0 ? 0 : x->fleet.frames_bytes / x->fleet.frames);
	scene_print_cost(&cost, x->deliveries, "delivery");
	scene_print_latency(&x->hist);
	(void)printf("\n");
}

static void stretch(struct fanout *x, const struct scene_options *o, struct scene_cost *cost)
{
	scene_pause(&x->fleet, 50);
	forget_warm_up(x);
	scene_cost_from(cost, o->pid);
	open_loop(x, o->rate, o->seconds_ms);
	scene_cost_to(cost, o->pid);
}

/* What a refusal cost the server: the CPU time of the second stretch beyond that of the first, which is as long. */
static uint64_t refusal_ns(const struct scene_cost *quiet, const struct scene_cost *flooded, uint64_t refused)
{
	uint64_t before = quiet->to.server_ns - quiet->from.server_ns;
	uint64_t after = flooded->to.server_ns - flooded->from.server_ns;

	return refused == 0 || after < before ? 0 : (after - before) / refused;
}

static void measure_flood(struct fanout *x, const struct scene_options *o)
{
	struct scene_cost quiet, flooded;
	struct flood flood;

	if (!flood_init(&flood, &x->fleet, o->handshakes, o->hello_port)) {
		fleet_fault(&x->fleet, "no epoll set for the flood");
		return;
	}
	flood.look_from = o->token_count > 0 ? o->clients + 1 : 0;
	open_loop(x, o->rate, WARM_MS);
	stretch(x, o, &quiet);
	if (!fleet_failed(&x->fleet)) {
		(void)printf("scenario=%s dialect=%s receivers=%u rate=%u quiet_p50_ns=%" PRIu64 " quiet_p99_ns=%" PRIu64
		             " quiet_max_ns=%" PRIu64, o->scenario, o->dialect, x->receivers, o->rate,
		             hist_quantile(&x->hist, 500), hist_quantile(&x->hist, 990), x->hist.max);
		x->flood = &flood;
		flood_start(&flood, proc_now_ns());
		open_loop(x, o->rate, WARM_MS);
		flood_start(&flood, proc_now_ns());
		stretch(x, o, &flooded);
		(void)printf(" handshakes_per_second=%" PRIu64 " refused=%" PRIu64,
		             flood.begun * 1000000000U / (flooded.to.wall_ns - flood.start_ns), flood.refused);
		scene_print_cost(&flooded, x->deliveries, "delivery");
		scene_print_latency(&x->hist);
		(void)printf(" refusal_cpu_ns=%" PRIu64 "\n", refusal_ns(&quiet, &flooded, flood.refused));
	}
	x->flood = NULL;
	flood_close(&flood);
}

static bool run(const struct scene_options *o, enum kind kind)
{
	struct fanout *x = calloc(1, sizeof(*x));
	bool ok;

	if (x == NULL || !scene_begin(&x->fleet, &x->script, o, o->clients + 1, 1)) {
		free(x);
		return false;
	}
	x->receivers = o->clients;
	x->fleet.ctx = x;
	make_speech(x);
	fleet_fill(&x->fleet, 0, 1, 1, scene_fill_deadline()); /* the floor takes its first connection for the speaker */
	fleet_fill(&x->fleet, 1, o->clients + 1, o->flight, scene_fill_deadline());
	scene_pause(&x->fleet, 300);
	fleet_watch(&x->fleet, script_event_marker(&x->script));
	x->fleet.on_frames = heard;
	if (kind == FLOODED)
		measure_flood(x, o);
	else
		measure(x, o, kind == OPEN);
	ok = scene_end(&x->fleet, o);
	free(x);
	return ok;
}

bool scene_fanout(const struct scene_options *o)
{
	return run(o, CLOSED);
}

bool scene_rate(const struct scene_options *o)
{
	return run(o, OPEN);
}

bool scene_flood(const struct scene_options *o)
{
	return run(o, FLOODED);
}
