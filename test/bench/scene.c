/* What the scenarios share: setting up, waiting, and printing a cost or a histogram as key=value pairs. */
#include "scene.h"

#include <assert.h>
#include <inttypes.h>

enum { FILL_SECONDS_MAX = 60 };

bool scene_begin(struct fleet *f, struct script *s, const struct scene_options *o, uint32_t clients, uint32_t rooms)
{
	if (!script_init(s, o->dialect, o->event_bytes, o->users, rooms)) {
		(void)fprintf(stderr, "load: no dialect '%s'\n", o->dialect);
		return false;
	}
	s->tokens = o->tokens;
	s->token_count = o->token_count;
	if (!fleet_init(f, s, o->addr, o->port, clients, o->sources)) {
		(void)fprintf(stderr, "load: cannot allocate %u clients\n", clients);
		return false;
	}
	return true;
}

bool scene_end(struct fleet *f, const struct scene_options *o)
{
	bool ok = !fleet_failed(f);

	if (!ok)
		(void)fprintf(stderr, "load: %s %s: %s\n", o->scenario, o->dialect, f->fault);
	fleet_close(f);
	return ok;
}

void scene_pause(struct fleet *f, uint32_t ms)
{
	uint64_t until = proc_now_ns() + (uint64_t)ms * 1000000;

	while (proc_now_ns() < until && !fleet_failed(f))
		fleet_turn(f, 1);
}

uint64_t scene_fill_deadline(void)
{
	return proc_now_ns() + FILL_SECONDS_MAX * UINT64_C(1000000000);
}

void scene_cost_from(struct scene_cost *c, pid_t pid)
{
	(void)proc_core_sample(pid, &c->from);
}

void scene_cost_to(struct scene_cost *c, pid_t pid)
{
	(void)proc_core_sample(pid, &c->to);
}

void scene_print_cost(const struct scene_cost *c, uint64_t operations, const char *name)
{
	uint64_t cpu_ns = c->to.server_ns - c->from.server_ns;
	uint64_t wall_ns = c->to.wall_ns - c->from.wall_ns;

	assert(wall_ns > 0);
	if (operations == 0)
		operations = 1;
	(void)printf(" %s_cpu_ns=%" PRIu64 " server_busy_pct=%" PRIu64 " wall_ms=%" PRIu64
	             " foreign_server_pct=%u foreign_load_pct=%u", name, cpu_ns / operations, cpu_ns * 100 / wall_ns,
	             wall_ns / 1000000, proc_foreign_server_pct(&c->from, &c->to),
	             proc_foreign_self_pct(&c->from, &c->to));
}

void scene_print_latency(const struct hist *h)
{
	(void)printf(" p50_ns=%" PRIu64 " p99_ns=%" PRIu64 " p999_ns=%" PRIu64 " max_ns=%" PRIu64, hist_quantile(h, 500),
	             hist_quantile(h, 990), hist_quantile(h, 999), h->max);
}
