/*
 * Runs every table of test/sim/ (or those named): whole, with the input cut into single bytes, cut at random with short writes and the
 * links served in any order (several seeds), with pipes to the clients that hold a few bytes, and cut in two everywhere. What is heard
 * must be the same. Run twice from one seed, a table must give the same bytes at the same milliseconds.
 *
 * Cut in two: run k of a table hands the server the first k bytes of each of its clients' writes (a handshake, a request, a frame), and
 * the rest, with what follows, in a later turn; k goes from 1 to the longest write, so that each is cut at each of its bytes. The other
 * way (RELIABILITY O6) each write of the server's is short, and takes k bytes. In a table with a write longer than EVERY_CUT_MAX only
 * some k are tried: the first BEGIN_BYTES, around powers of two, and the last ENDS_BYTES of each write; the test's name says "some".
 * That is most of the work: a build with sanitizers tries one k in FEW, and test/sim/cuts runs the fast build, which tries all.
 *
 *	test_scenarios [--show | --cuts] [--seed N] [TABLE...]
 *
 * --show: prints what was heard, for writing a table. --cuts: tries the cuts in two alone, at all k.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/table.h"
#include "tap.h"

enum {
	RANDOM_SEEDS = 3,
	EVERY_CUT_MAX = 1200,
	BEGIN_BYTES = 256,
	ENDS_BYTES = 32,
	FEW = 8,
};

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = NULL;
	long n;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && (text = calloc(1, (size_t)n + 1)) != NULL) {
		rewind(f);
		if (fread(text, 1, (size_t)n, f) != (size_t)n)
			text[0] = '\0';
	}
	fclose(f);
	return text;
}

static void run_cut(const char *path, const char *text, enum sim_cut cut, uint64_t seed)
{
	struct table_result r = table_run(path, text, &(struct table_way){ .cut = cut, .seed = seed });

	if (r.skipped)
		return;
	tap_ok(r.failed == 0 && r.lines > 0, "%s, %s, seed %" PRIu64 ": %u lines, %" PRIu64 " turns", path, sim_cut_names[cut], seed, r.lines,
	       r.turns);
}

/* Is it worth a run to cut writes of these lengths there? */
static bool is_cut(const struct sim_sizes *sizes, size_t at)
{
	if (sizes->longest <= EVERY_CUT_MAX || at <= BEGIN_BYTES)
		return true;
	if (((at - 1) & (at - 2)) == 0 || (at & (at - 1)) == 0 || ((at + 1) & at) == 0)
		return true;
	for (uint32_t i = 0; i < sizes->n; i++)
		if (at < sizes->v[i] && sizes->v[i] - at <= ENDS_BYTES)
			return true;
	return false;
}

/* One table, cut in two at every byte; or, of `few` of them, at one. */
static void run_cuts(const char *path, const char *text, enum sim_cut cut, uint64_t seed, size_t few)
{
	struct table_result whole = table_run(path, text, &(struct table_way){ .cut = SIM_WHOLE, .seed = seed });
	const struct sim_sizes *sizes = cut == SIM_SPLIT ? &whole.up_sizes : &whole.down_sizes;
	const char *what = cut == SIM_SPLIT ? "its clients' writes" : "the server's writes, short";
	bool some = sizes->longest > EVERY_CUT_MAX || few > 1, same = true;
	unsigned runs = 0;

	for (size_t at = 1 + (size_t)seed % few; at < sizes->longest && same; at += few) {
		struct table_result r;

		if (!is_cut(sizes, at))
			continue;
		r = table_run(path, text, &(struct table_way){ .cut = cut, .cut_at = at, .seed = seed });
		if (r.skipped)
			return;
		runs++;
		same = r.failed == 0 && r.lines == whole.lines && r.heard == whole.heard;
		if (r.failed == 0 && !same)
			printf("# %s (%s at %zu): something else is heard\n", path, sim_cut_names[cut], at);
	}
	tap_ok(same && runs > 0, "%s, %s cut at %s of their up to %zu bytes: %u runs", path, what, some ? "some" : "each", sizes->longest, runs);
}

static void run_ways(const char *path, const char *text, uint64_t seed)
{
	const struct table_way any = { .cut = SIM_RANDOM, .seed = seed };
	struct table_result a, b;

	run_cut(path, text, SIM_WHOLE, seed);
	run_cut(path, text, SIM_BYTES, seed);
	for (uint64_t i = 0; i < RANDOM_SEEDS; i++)
		run_cut(path, text, SIM_RANDOM, seed + i);
	run_cut(path, text, SIM_TINY, seed);
	a = table_run(path, text, &any);
	b = table_run(path, text, &any);
	if (!a.skipped)
		tap_ok(a.hash == b.hash && a.turns == b.turns, "%s, seed %" PRIu64 ": the same trace twice", path, seed);
}

static void run(const char *path, uint64_t seed, bool cuts_only)
{
	char *text = read_all(path);
	size_t few = cuts_only ? 1 : FEW;

	if (text == NULL) {
		tap_ok(false, "%s can be read", path);
		return;
	}
	if (!cuts_only)
		run_ways(path, text, seed);
	run_cuts(path, text, SIM_SPLIT, seed, few);
	run_cuts(path, text, SIM_SHORT, seed, few);
	free(text);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	bool show = false, cuts = false;
	glob_t found;
	int i = 1;

	setvbuf(stdout, NULL, _IOLBF, 0); /* a crash keeps what was said before */
	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (strcmp(argv[i], "--show") == 0)
			show = true;
		else if (strcmp(argv[i], "--cuts") == 0)
			cuts = true;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 0);
	}
	for (int named = i; show && named < argc; named++) {
		char *text = read_all(argv[named]);

		if (text != NULL)
			table_run(argv[named], text, &(struct table_way){ .seed = seed, .show = true });
		free(text);
	}
	if (show)
		return 0;
	for (int named = i; named < argc; named++)
		run(argv[named], seed, cuts);
	if (i == argc && glob("test/sim/*.txt", 0, NULL, &found) == 0) {
		for (size_t k = 0; k < found.gl_pathc; k++)
			run(found.gl_pathv[k], seed, cuts);
		globfree(&found);
	}
	return tap_done();
}
