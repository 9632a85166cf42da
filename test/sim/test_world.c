/*
 * The simulator (RELIABILITY L): random lives of whole worlds (life.h), one for each seed.
 *
 *	build/sim/sim [--seed N] [--count K] [--jobs J] [--steps S] [--keep-going] [--shrink] [--twice M] [--trace] [--hash] [--tap]
 *
 * --seed N --count K   seeds N .. N+K-1 (1, 1000); stops at the first that fails unless --keep-going
 * --jobs J             processes that share them (1); what is told does not depend on it
 * --steps S            of each life (LIFE_STEPS)
 * --twice M            every M-th seed lives twice, and must send the same bytes at the same times
 * --trace              one seed: prints all that is done, heard, logged and published
 * --hash               prints each seed and the hash of all that was sent
 * --shrink             makes the first failure as small as it gets, and prints what remains of it
 * --tap                a line for each seed; so, with few seeds, without any argument
 *
 * Exit code: 0 all promises were kept, 1 one was not, 2 this is not how it is called. A failure is said in these lines on standard output:
 *
 *	sim: seed 123 fails: at 4711 ms: (4) what is wrong
 *	sim: again: build/sim/sim --seed 123 --count 1 --trace
 *
 * How far it is stands on standard error, every 10,000 seeds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/runner.h"
#include "sim/shrink.h"

enum { SEEDS = 1000, SEEDS_OF_A_TEST = 60, TWICE_IN_A_TEST = 20 };

struct order {
	struct runs runs;
	bool trace, shrink;
};

static bool number_option(struct order *o, const char *name, uint64_t v)
{
	if (strcmp(name, "--seed") == 0)
		o->runs.first = v;
	else if (strcmp(name, "--count") == 0)
		o->runs.count = v;
	else if (strcmp(name, "--jobs") == 0 && v >= 1 && v <= RUNNER_JOBS_MAX)
		o->runs.jobs = (uint32_t)v;
	else if (strcmp(name, "--steps") == 0 && v <= LIFE_STEPS_MAX)
		o->runs.steps = (uint32_t)v;
	else if (strcmp(name, "--twice") == 0)
		o->runs.twice = v;
	else
		return false;
	return true;
}

static bool read_arguments(struct order *o, int argc, char **argv)
{
	bool *flags[] = { &o->runs.keep_going, &o->runs.hash, &o->runs.tap, &o->trace, &o->shrink };
	static const char *const names[] = { "--keep-going", "--hash", "--tap", "--trace", "--shrink" };

	for (int i = 1; i < argc; i++) {
		bool known = false;
		char *end;

		for (int f = 0; f < 5; f++)
			if (strcmp(argv[i], names[f]) == 0)
				*flags[f] = known = true;
		if (known)
			continue;
		if (i + 1 == argc || !number_option(o, argv[i], strtoull(argv[i + 1], &end, 0)) || *end != '\0')
			return false;
		i++;
	}
	return true;
}

static void say_tally(const struct tally *t)
{
	uint64_t faults = t->lost + t->cuts;

	for (int f = 0; f < FAULTS; f++)
		faults += t->injected[f];
	printf("# %" PRIu64 " seeds (%" PRIu64 " of them twice), %" PRIu64 " steps, %" PRIu64 " turns, %" PRId64 ".%03" PRId64 " simulated years, %" PRIu64
	       " faults, %" PRIu64 " violations\n", t->seeds, t->twice, t->steps, t->turns, t->lived_ms / INT64_C(31557600000),
	       t->lived_ms / INT64_C(31557600) % 1000, faults, t->failed);
	printf("# faults: cut reads and writes %" PRIu64 ", lost, doubled or reordered messages %" PRIu64, t->cuts, t->lost);
	for (int f = 0; f < FAULTS; f++)
		printf(", %s %" PRIu64, fault_names[f], t->injected[f]);
	printf("; %" PRIu64 " hostile inputs answered as documented\n", t->rejected);
}

static void say_failure(const struct tally *t, const struct runs *r)
{
	printf("sim: seed %" PRIu64 " fails: %s\n", t->bad_seed, t->bad.fault);
	printf("sim: again: build/sim/sim --seed %" PRIu64 " --count 1", t->bad_seed);
	if (r->steps != LIFE_STEPS)
		printf(" --steps %" PRIu32, r->steps);
	printf(" --trace\n");
}

/* What is left of it when all is left out that can be, as a list of steps. */
static void say_shrunk(const struct tally *t, const struct runs *r)
{
	const struct plan plan = { .seed = t->bad_seed, .steps = r->steps };
	struct shrunk s = shrink(&plan, &t->bad);

	printf("# the least that fails (%" PRIu32 " tries): %" PRIu32 " steps\n", s.runs, s.steps_left);
	s.plan.show = SHOW_STEPS;
	s.outcome = runner_once(&s.plan);
	printf("# %s\n", s.outcome.fault);
}

static int trace(const struct runs *r)
{
	const struct plan plan = { .seed = r->first, .steps = r->steps, .show = SHOW_ALL };
	struct outcome o = life_run(&plan);

	if (o.fault[0] != '\0')
		printf("sim: seed %" PRIu64 " fails: %s\n", r->first, o.fault);
	printf("# hash %016" PRIx64 "\n", o.hash);
	return o.fault[0] != '\0';
}

int main(int argc, char **argv)
{
	struct order o = { .runs = { .first = 1, .count = SEEDS, .jobs = 1, .steps = LIFE_STEPS } };
	struct tally t;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 1)
		o.runs = (struct runs){ .first = 1, .count = SEEDS_OF_A_TEST, .jobs = 1, .steps = LIFE_STEPS, .twice = TWICE_IN_A_TEST, .tap = true };
	if (!read_arguments(&o, argc, argv)) {
		fprintf(stderr, "usage: sim [--seed N] [--count K] [--jobs J] [--steps S] [--keep-going] [--shrink] [--twice M] [--trace] [--hash] [--tap]\n");
		return 2;
	}
	if (o.trace)
		return trace(&o.runs);
	t = runner_run(&o.runs);
	say_tally(&t);
	if (o.runs.tap)
		printf("1..%" PRIu64 "\n", t.seeds);
	if (t.failed > 0)
		say_failure(&t, &o.runs);
	if (t.failed > 0 && o.shrink)
		say_shrunk(&t, &o.runs);
	return t.failed > 0;
}
