/*
 * Invariants: a process takes the next seed that nobody has taken; once one has failed (and it is not told to keep going) only lower ones
 * are begun. Each writes what it did into its own part of the shared memory, before it takes the next.
 */
#include "sim/runner.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROGRESS_SEEDS = 10000 };

struct part {
	uint64_t seed;  /* the one that it is at */
	bool busy;
	struct tally tally;
};

struct shared {
	_Atomic uint64_t next, lowest_bad, lived, failed;
	struct part parts[RUNNER_JOBS_MAX];
	struct outcome one;
};

static struct shared *share(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		abort();
	s->lowest_bad = UINT64_MAX;
	return s;
}

/* Processor time of this process: a life that spins ends. */
static void limit_time(void)
{
	const struct itimerval limit = { .it_value = { .tv_sec = RUNNER_CPU_S_MAX } };

	setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

static void describe_end(char *out, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGVTALRM)
		snprintf(out, LIFE_TEXT, "(7) it does not come to an end within %d s of processor time", RUNNER_CPU_S_MAX);
	else if (WIFSIGNALED(status))
		snprintf(out, LIFE_TEXT, "died of signal %d", WTERMSIG(status));
	else
		snprintf(out, LIFE_TEXT, "died with code %d", WEXITSTATUS(status));
}

static void put_bad(struct shared *s, struct tally *t, uint64_t seed, const struct outcome *o)
{
	uint64_t lowest = s->lowest_bad;

	if (t->failed++ == 0 || seed < t->bad_seed) {
		t->bad_seed = seed;
		t->bad = *o;
	}
	while (seed < lowest && !atomic_compare_exchange_weak(&s->lowest_bad, &lowest, seed)) {
	}
}

/* Of each seed where that is asked for; else how far it is, and of those that fail, should it go on after the first. */
static void say_seed(struct shared *s, const struct runs *r, uint64_t seed, const struct outcome *o)
{
	bool bad = o->fault[0] != '\0';
	uint64_t lived = atomic_fetch_add(&s->lived, 1) + 1, failed = atomic_fetch_add(&s->failed, bad) + bad;

	if (r->hash)
		printf("%" PRIu64 " %016" PRIx64 "\n", seed, o->hash);
	if (r->tap)
		printf("%sok %" PRIu64 " - seed %" PRIu64 ": %" PRIu64 " steps, %" PRId64 " s%s%s\n", bad ? "not " : "", lived, seed, o->steps,
		       o->lived_ms / 1000, bad ? ": " : "", o->fault);
	else if (bad && r->keep_going)
		printf("# seed %" PRIu64 ": %s\n", seed, o->fault);
	fflush(stdout);
	if (!r->tap && !r->hash && lived % PROGRESS_SEEDS == 0)
		fprintf(stderr, "# %" PRIu64 " of %" PRIu64 " seeds, %" PRIu64 " failed\n", lived, r->count, failed);
}

static void live(struct shared *s, const struct runs *r, struct part *part, uint64_t seed)
{
	const struct plan plan = { .seed = seed, .steps = r->steps };
	struct outcome o = life_run(&plan);
	struct tally *t = &part->tally;

	if (o.fault[0] == '\0' && r->twice > 0 && seed % r->twice == 0) {
		struct outcome again = life_run(&plan);

		t->twice++;
		if (again.hash != o.hash || again.turns != o.turns)
			snprintf(o.fault, sizeof(o.fault), "it did not live the same life twice: %016" PRIx64 ", %016" PRIx64, o.hash, again.hash);
	}
	t->seeds++;
	t->steps += o.steps;
	t->turns += o.turns;
	t->lived_ms += o.lived_ms;
	t->lost += o.lost;
	t->cuts += o.cuts;
	t->rejected += o.rejected;
	for (int f = 0; f < FAULTS; f++)
		t->injected[f] += o.injected[f];
	if (o.fault[0] != '\0')
		put_bad(s, t, seed, &o);
	say_seed(s, r, seed, &o);
}

static void work(struct shared *s, const struct runs *r, struct part *part)
{
	uint64_t seed;

	while ((seed = atomic_fetch_add(&s->next, 1)) < r->first + r->count && (r->keep_going || seed < s->lowest_bad)) {
		part->seed = seed;
		part->busy = true;
		limit_time();
		live(s, r, part, seed);
		part->busy = false;
	}
}

/* As fork(); nothing that waits to be printed is printed twice. */
static pid_t spawn(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		abort();
	return pid;
}

_Noreturn static void leave(void)
{
	fflush(stdout);
	_exit(0);
}

static pid_t start(struct shared *s, const struct runs *r, uint32_t i)
{
	pid_t pid = spawn();

	if (pid == 0) {
		work(s, r, &s->parts[i]);
		leave();
	}
	return pid;
}

/* A process died of the seed that it was at. */
static void bury(struct shared *s, const struct runs *r, struct part *part, int status)
{
	struct outcome o = { .hash = 0 };

	describe_end(o.fault, status);
	part->busy = false;
	part->tally.seeds++;
	put_bad(s, &part->tally, part->seed, &o);
	say_seed(s, r, part->seed, &o);
}

static struct tally sum(const struct shared *s, uint32_t jobs)
{
	struct tally all = { .bad_seed = UINT64_MAX };

	for (uint32_t i = 0; i < jobs; i++) {
		const struct tally *t = &s->parts[i].tally;

		all.seeds += t->seeds;
		all.steps += t->steps;
		all.turns += t->turns;
		all.lived_ms += t->lived_ms;
		all.lost += t->lost;
		all.cuts += t->cuts;
		all.rejected += t->rejected;
		all.failed += t->failed;
		all.twice += t->twice;
		for (int f = 0; f < FAULTS; f++)
			all.injected[f] += t->injected[f];
		if (t->failed > 0 && t->bad_seed < all.bad_seed) {
			all.bad_seed = t->bad_seed;
			all.bad = t->bad;
		}
	}
	return all;
}

struct tally runner_run(const struct runs *r)
{
	struct shared *s = share();
	pid_t pids[RUNNER_JOBS_MAX];
	uint32_t running = r->jobs;
	struct tally all;

	s->next = r->first;
	for (uint32_t i = 0; i < r->jobs; i++)
		pids[i] = start(s, r, i);
	while (running > 0) {
		int status;
		pid_t pid = wait(&status);

		for (uint32_t i = 0; i < r->jobs; i++) {
			if (pids[i] != pid)
				continue;
			if (s->parts[i].busy) {
				bury(s, r, &s->parts[i], status);
				pids[i] = start(s, r, i);
			} else {
				running--;
			}
		}
	}
	all = sum(s, r->jobs);
	munmap(s, sizeof(*s));
	return all;
}

struct outcome runner_once(const struct plan *plan)
{
	struct shared *s = share();
	struct outcome o;
	int status;
	pid_t pid = spawn();

	if (pid == 0) {
		limit_time();
		s->one = life_run(plan);
		leave();
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		describe_end(s->one.fault, status);
	o = s->one;
	munmap(s, sizeof(*s));
	return o;
}
