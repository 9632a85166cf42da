/*
 * echo: C clients with K requests outstanding each: a read that brings n replies is followed by one write of n requests.
 * connect: C clients at a time connect, upgrade, (join,) ask one question, read its answer and close; then the next user.
 * Invariant of echo: requests [got, got + K) of a client are under way; asked_ns is their ring.
 */
#include "scene.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_MS = 400, SETTLE_MS = 100 };

struct asking {
	struct fleet fleet;
	struct script script;
	uint32_t window;
	bool running;
	uint64_t answered;
	uint32_t next_identity;
	struct hist hist;
	uint64_t *asked_ns;      /* clients * window */
	size_t ask_bytes;
	uint8_t asks[SCENE_WINDOW_MAX * SCRIPT_BYTES_MAX]; /* the question, window times */
};

static bool asking_begin(struct asking *x, const struct scene_options *o)
{
	uint32_t i;

	if (!scene_begin(&x->fleet, &x->script, o, o->clients, o->rooms))
		return false;
	x->fleet.ctx = x;
	x->window = o->window;
	x->asked_ns = calloc((size_t)o->clients * o->window, sizeof(*x->asked_ns));
	x->ask_bytes = script_ask(&x->script, x->asks, SCRIPT_BYTES_MAX);
	for (i = 1; i < o->window; i++)
		memcpy(x->asks + i * x->ask_bytes, x->asks, x->ask_bytes);
	fleet_watch(&x->fleet, script_answer_marker(&x->script));
	return x->asked_ns != NULL && x->ask_bytes > 0;
}

static void asking_free(struct asking *x)
{
	free(x->asked_ns);
	free(x);
}

static void ask(struct asking *x, struct client *c, uint64_t first, uint32_t n, uint64_t now)
{
	uint64_t *ring = x->asked_ns + (size_t)c->slot * x->window;
	uint32_t i;

	for (i = 0; i < n; i++)
		ring[(first + i) % x->window] = now;
	fleet_send(&x->fleet, c, x->asks, n * x->ask_bytes);
}

static void echoed(void *ctx, struct client *c, uint32_t n, uint64_t now)
{
	struct asking *x = ctx;
	const uint64_t *ring = x->asked_ns + (size_t)c->slot * x->window;
	uint32_t i;

	if (n > x->window) {
		fleet_fault(&x->fleet, "client %u: %u replies to %u requests", c->slot, n, x->window);
		return;
	}
	for (i = 0; i < n; i++)
		hist_add(&x->hist, now - ring[(c->got + i) % x->window]);
	x->answered += n;
	if (x->running)
		ask(x, c, c->got, n, now);
	c->got += n;
}

static void run_for(struct asking *x, uint32_t ms)
{
	uint64_t until = proc_now_ns() + ms * UINT64_C(1000000);

	while (proc_now_ns() < until && !fleet_failed(&x->fleet))
		fleet_turn(&x->fleet, 0);
}

static void forget_warm_up(struct asking *x)
{
	hist_reset(&x->hist);
	x->answered = 0;
}

static void print(const struct asking *x, const struct scene_options *o, const struct scene_cost *cost, const char *name)
{
	uint64_t wall_ns = cost->to.wall_ns - cost->from.wall_ns;

	(void)printf("scenario=%s dialect=%s clients=%u window=%u operations=%" PRIu64 " per_second=%" PRIu64,
	             o->scenario, o->dialect, o->clients, o->window, x->answered, x->answered * 1000000000U / wall_ns);
	scene_print_cost(cost, x->answered, name);
	scene_print_latency(&x->hist);
	(void)printf("\n");
}

bool scene_echo(const struct scene_options *o)
{
	struct asking *x = calloc(1, sizeof(*x));
	struct scene_cost cost;
	uint32_t i;
	bool ok;

	if (x == NULL || !asking_begin(x, o)) {
		free(x);
		return false;
	}
	fleet_fill(&x->fleet, 0, o->clients, o->flight, scene_fill_deadline());
	scene_pause(&x->fleet, SETTLE_MS);
	x->fleet.on_frames = echoed;
	x->running = true;
	for (i = 0; i < o->clients && !fleet_failed(&x->fleet); i++)
		ask(x, &x->fleet.clients[i], 0, o->window, proc_now_ns());
	run_for(x, WARM_MS);
	forget_warm_up(x);
	scene_cost_from(&cost, o->pid);
	run_for(x, o->seconds_ms);
	scene_cost_to(&cost, o->pid);
	x->running = false;
	if (!fleet_failed(&x->fleet))
		print(x, o, &cost, "request");
	scene_pause(&x->fleet, SETTLE_MS);
	ok = scene_end(&x->fleet, o);
	asking_free(x);
	return ok;
}

static void first_word(void *ctx, struct client *c)
{
	struct asking *x = ctx;

	fleet_send(&x->fleet, c, x->asks, x->ask_bytes);
}

static void first_answer(void *ctx, struct client *c, uint32_t n, uint64_t now)
{
	struct asking *x = ctx;
	uint32_t slot = c->slot;

	assert(n > 0);
	hist_add(&x->hist, now - c->since_ns);
	x->answered++;
	fleet_drop(&x->fleet, c);
	if (x->running)
		fleet_open(&x->fleet, slot, x->next_identity++);
}

/* Identities go round over `users`, so that a user comes back after a while and the server's tables do not fill. */
bool scene_connect(const struct scene_options *o)
{
	struct asking *x = calloc(1, sizeof(*x));
	struct scene_cost cost;
	uint64_t until;
	bool ok;

	if (x == NULL || !asking_begin(x, o)) {
		free(x);
		return false;
	}
	x->fleet.on_ready = first_word;
	x->fleet.on_frames = first_answer;
	x->running = true;
	while (x->next_identity < o->clients && !fleet_failed(&x->fleet)) {
		fleet_open(&x->fleet, x->next_identity, x->next_identity);
		x->next_identity++;
	}
	run_for(x, WARM_MS);
	forget_warm_up(x);
	scene_cost_from(&cost, o->pid);
	run_for(x, o->seconds_ms);
	x->running = false;
	until = proc_now_ns() + 2000000000U;
	while (x->fleet.open > 0 && proc_now_ns() < until && !fleet_failed(&x->fleet))
		fleet_turn(&x->fleet, 0);
	run_for(x, 5); /* the server still reads the last FINs; it sleeps after */
	scene_cost_to(&cost, o->pid);
	if (!fleet_failed(&x->fleet))
		print(x, o, &cost, "connection");
	ok = scene_end(&x->fleet, o);
	asking_free(x);
	return ok;
}
