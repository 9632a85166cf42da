/*
 * A life from its first step to its last. Invariants: between two steps nothing is left to do at that instant, and all that was heard has
 * been judged.
 */
#include "sim/living.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/state.h"

enum {
	LEAVE_EVERY = 20, /* seeds: of these all leave in the end, which takes an hour */
	FIND_MS = 1000,   /* the nodes find each other */
	TICK_MS = 500,
	SILENT_MS = 66000, /* who says nothing is gone by then */
	DICE_OF_PHASES = 1 << 21,
};

/* --- telling --- */

void life_fault(struct life *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->fault[0] != '\0')
		return;
	n = snprintf(l->fault, sizeof(l->fault), "step %u, at %lld ms: ", l->step, (long long)world_now_ms(&l->w));
	va_start(ap, fmt);
	vsnprintf(l->fault + n, sizeof(l->fault) - (size_t)n, fmt, ap);
	va_end(ap);
}

void life_did(const struct life *l, const char *fmt, ...)
{
	va_list ap;

	if (l->plan->show == SHOW_NOTHING)
		return;
	printf("# %3u %8lld ", l->step, (long long)world_now_ms(&l->w));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

bool life_is_over(const struct life *l)
{
	return l->fault[0] != '\0' || world_fault(&l->w)[0] != '\0';
}

static void show_message(void *ctx, struct str channel, struct str payload)
{
	const struct life *l = ctx;

	life_did(l, "redis %.*s %.*s", (int)channel.n, channel.p, (int)payload.n, payload.p);
}

/* --- who is where --- */

struct crowd *life_crowd(struct life *l, uint32_t node)
{
	return &world_node(&l->w, node)->crowd;
}

struct client *life_client(struct life *l, uint32_t i)
{
	struct client **found = &l->clients[l->guests[i].node][i];
	char name[8];

	if (*found == NULL)
		*found = client_named(life_crowd(l, l->guests[i].node), name, (size_t)snprintf(name, sizeof(name), "c%u", i));
	return *found;
}

bool life_is_open(struct life *l, uint32_t i)
{
	const struct client *cl = life_client(l, i);

	return l->guests[i].open_ms >= 0 && cl->link >= 0 && cl->websocket && !cl->close_heard && !cl->close_sent && !cl->at_end &&
	       !l->guests[i].stranger && !l->guests[i].outside && !l->guests[i].leaving && world_is_alive(&l->w, l->guests[i].node);
}

void life_forget(struct life *l, uint32_t i)
{
	struct guest *d = &l->guests[i];

	*d = (struct guest){ .node = d->node, .user = d->user, .open_ms = -1, .short_changed = l->limited };
	for (uint32_t u = 0; u < USERS; u++)
		d->online[u] = -1;
	for (uint32_t p = 0; p < LIFE_STEPS_MAX + 64; p++)
		l->phones[p].alive &= ~(1u << i);
}

bool life_has(const struct life *l, enum life_option o)
{
	return l->options >> o & 1;
}

bool life_may(const struct life *l, enum fault f)
{
	return l->faults >> f & 1;
}

/* --- time --- */

/* The world is at rest: what was heard is judged, and answered. */
static void look(struct life *l)
{
	witness_listen(l);
	if (deeds_answer(l)) {
		world_settle(&l->w);
		witness_listen(l);
	}
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		if (life_is_open(l, i))
			l->open_ms[l->guests[i].user] = world_now_ms(&l->w);
	if (!life_is_over(l))
		invariants_check(l);
}

void life_settle(struct life *l)
{
	world_settle(&l->w);
	look(l);
}

/* In steps: what must not be is judged by how things stood when it was. */
void life_wait(struct life *l, int64_t ms)
{
	for (int64_t until = world_now_ms(&l->w) + ms; world_now_ms(&l->w) < until && !life_is_over(l);) {
		int64_t next = world_now_ms(&l->w) + TICK_MS;

		for (uint32_t n = 1; n <= l->nodes; n++)
			if (l->thaw_ms[n] > 0 && l->thaw_ms[n] < next)
				next = l->thaw_ms[n] > world_now_ms(&l->w) ? l->thaw_ms[n] : world_now_ms(&l->w) + 1;
		world_advance(&l->w, next < until ? next : until);
		if (befall_thaw(l))
			life_settle(l);
		else
			look(l);
	}
}

/* --- phases --- */

static void step(struct life *l)
{
	static const int64_t waits_ms[] = { 1, 5, 30, 200, 1000, 1000, 2500, 4999, 1, 5500, 8000 };
	uint32_t op = life_draw(l, 100), rest = life_draw(l, 100);

	l->steps++;
	if (op < l->fault_rate)
		befall(l);
	else if (rest < 10 && life_may(l, HOSTILE))
		hostile_act(l);
	else if (rest < 65)
		deeds_do(l);
	else
		life_wait(l, waits_ms[life_draw(l, 11)]);
	life_settle(l);
}

static bool some_are_silent(struct life *l)
{
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		if (life_client(l, i)->silent)
			return true;
	return false;
}

static void heal(struct life *l)
{
	int64_t debounce_ms = life_crowd(l, 1)->sim.cfg.offline_debounce_ms;

	life_did(l, "=== healing");
	befall_heal(l);
	life_settle(l);
	if (life_has(l, WITH_JWT))
		life_wait(l, 1000 * TOKEN_SHORT_S_MAX + TOKEN_LEEWAY_MS + 1000);
	if (some_are_silent(l))
		life_wait(l, SILENT_MS);
	life_wait(l, LEASE_MS + debounce_ms + 5000 + RECONNECT_MS_MAX); /* RELIABILITY L */
}

static void leave(struct life *l)
{
	life_did(l, "=== all leave");
	world_leave_all(&l->w);
}

static void live(struct life *l)
{
	static void (*const last[])(struct life *) = { truth_check_sets, truth_check_rooms, truth_check_rest, truth_check_calls };
	const struct plan *plan = l->plan;

	life_wait(l, FIND_MS);
	for (uint32_t i = 0; i < plan->steps && !life_is_over(l); i++) {
		l->step = i + 1;
		life_roll(l, l->step);
		if (!(plan->skip[i / 8] >> i % 8 & 1))
			step(l);
	}
	l->step = plan->steps + 1;
	if (!life_is_over(l))
		heal(l);
	if (!life_is_over(l))
		truth_check(l, false);
	for (int i = 0; i < 4 && !life_is_over(l); i++) {
		life_roll(l, DICE_OF_PHASES + (uint64_t)i);
		last[i](l);
	}
	if (!life_is_over(l) && plan->seed % LEAVE_EVERY == 0)
		leave(l);
}

/* --- a seed --- */

static void begin(struct life *l, const struct plan *plan)
{
	memset((char *)l + sizeof(l->w), 0, sizeof(*l) - sizeof(l->w)); /* the world's memory is used again */
	l->plan = plan;
	world_init(&l->w, plan->seed);
	life_draw_options(l);
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++) {
		l->guests[i].node = 1;
		life_forget(l, i);
	}
	if (plan->show != SHOW_NOTHING)
		life_say_options(l);
	if (plan->show != SHOW_ALL)
		return;
	for (uint32_t n = 1; n <= l->nodes; n++)
		life_crowd(l, n)->sim.print_log = true;
	l->w.redis.tap = show_message;
	l->w.redis.tap_ctx = l;
}

static struct outcome end(struct life *l)
{
	struct outcome o = { .steps = l->steps, .rejected = l->rejected, .lived_ms = world_now_ms(&l->w) };

	snprintf(o.fault, sizeof(o.fault), "%s", world_fault(&l->w)[0] != '\0' ? world_fault(&l->w) : l->fault);
	for (uint32_t n = 1; n <= l->nodes; n++) {
		o.hash = o.hash * UINT64_C(0x100000001b3) + life_crowd(l, n)->sim.sent_hash;
		o.turns += life_crowd(l, n)->sim.turns;
		o.cuts += life_crowd(l, n)->sim.cuts;
	}
	memcpy(o.injected, l->injected, sizeof(o.injected));
	o.lost = l->w.redis.stats.dropped + l->w.redis.stats.doubled + l->w.redis.stats.swapped;
	world_stop(&l->w);
	return o;
}

struct outcome life_run(const struct plan *plan)
{
	static struct life l;

	begin(&l, plan);
	if (world_start(&l.w, l.nodes, life_has(&l, WITH_NODES)))
		live(&l);
	else
		life_fault(&l, "a node does not start");
	return end(&l);
}
