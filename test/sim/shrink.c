/*
 * Invariants: the plan kept is always one that was seen to fail in the same way.
 */
#include "sim/shrink.h"

#include <string.h>

#include "sim/runner.h"

enum { RUNS_MAX = 3000, ROUNDS_MAX = 4 };

struct shrinking {
	struct shrunk best;
	char kind[16];
};

/* `(4)`, `(liveness)`, or what it says when it says none. */
static void kind_of(const struct outcome *o, char out[16])
{
	const char *p = strchr(o->fault, '(');
	size_t n = p == NULL ? strlen(p = o->fault) : strcspn(p, ")");

	n = n < 15 ? n : 15;
	memcpy(out, p, n);
	out[n] = '\0';
}

static bool try(struct shrinking *s, const struct plan *plan)
{
	struct outcome o;
	char kind[16];

	if (s->best.runs >= RUNS_MAX)
		return false;
	s->best.runs++;
	o = runner_once(plan);
	kind_of(&o, kind);
	if (o.fault[0] == '\0' || strcmp(kind, s->kind) != 0)
		return false;
	s->best.plan = *plan;
	s->best.outcome = o;
	return true;
}

static bool is_skipped(const struct plan *p, uint32_t i)
{
	return p->skip[i / 8] >> i % 8 & 1;
}

static uint32_t steps_left(const struct plan *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->steps; i++)
		n += !is_skipped(p, i);
	return n;
}

/* No steps behind the one that fails; if that is the last, fewer and fewer. */
static void shorten(struct shrinking *s)
{
	for (uint32_t cut = s->best.plan.steps / 2; cut > 0; cut /= 2)
		while (cut <= s->best.plan.steps) {
			struct plan p = s->best.plan;

			p.steps -= cut;
			if (!try(s, &p))
				break;
		}
}

/* Leaves out `n` of the steps that are left, from the k-th on. */
static bool leave_out(struct shrinking *s, uint32_t k, uint32_t n)
{
	struct plan p = s->best.plan;

	for (uint32_t i = 0; i < p.steps && n > 0; i++) {
		if (is_skipped(&p, i))
			continue;
		if (k > 0) {
			k--;
			continue;
		}
		p.skip[i / 8] |= (uint8_t)(1u << i % 8);
		n--;
	}
	return try(s, &p);
}

static void thin(struct shrinking *s)
{
	for (uint32_t n = steps_left(&s->best.plan) / 2; n > 0; n /= 2)
		for (uint32_t k = 0; k < steps_left(&s->best.plan);)
			if (!leave_out(s, k, n))
				k += n;
}

static void without(struct shrinking *s)
{
	for (uint32_t bit = 0; bit < OPTIONS + FAULTS + LIFE_CLIENTS; bit++) {
		struct plan p = s->best.plan;
		uint32_t *mask = bit < OPTIONS ? &p.without_options : bit < OPTIONS + FAULTS ? &p.without_faults : &p.without_clients;
		uint32_t of = 1u << (bit < OPTIONS ? bit : bit < OPTIONS + FAULTS ? bit - OPTIONS : bit - OPTIONS - FAULTS);

		if (*mask & of)
			continue;
		*mask |= of;
		try(s, &p);
	}
}

struct shrunk shrink(const struct plan *plan, const struct outcome *o)
{
	struct shrinking s = { .best = { .plan = *plan, .outcome = *o } };

	kind_of(o, s.kind);
	shorten(&s);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		uint32_t before = s.best.runs, left = steps_left(&s.best.plan);

		without(&s);
		thin(&s);
		shorten(&s);
		if (s.best.runs >= RUNS_MAX || s.best.runs == before || steps_left(&s.best.plan) == left)
			break;
	}
	s.best.steps_left = steps_left(&s.best.plan);
	return s.best;
}
