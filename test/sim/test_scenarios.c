/*
 * Runs every table of test/sim/ (or those named): whole, with the input cut into single bytes, cut at random with short writes and the
 * links served in any order (several seeds), and with pipes to the clients that hold a few bytes. What is heard must be the same. Run
 * twice from one seed, a table must give the same bytes at the same milliseconds.
 *
 *	test_scenarios [--show] [--seed N] [TABLE...]      --show: prints what was heard, for writing a table
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/table.h"
#include "tap.h"

enum { RANDOM_SEEDS = 3 };

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
	struct table_result r = table_run(path, text, cut, seed, false);

	if (r.skipped)
		return;
	tap_ok(r.failed == 0 && r.lines > 0, "%s, %s, seed %" PRIu64 ": %u lines, %" PRIu64 " turns", path, sim_cut_names[cut], seed, r.lines,
	       r.turns);
}

static void run(const char *path, uint64_t seed)
{
	char *text = read_all(path);
	struct table_result a, b;

	if (text == NULL) {
		tap_ok(false, "%s can be read", path);
		return;
	}
	run_cut(path, text, SIM_WHOLE, seed);
	run_cut(path, text, SIM_BYTES, seed);
	for (uint64_t i = 0; i < RANDOM_SEEDS; i++)
		run_cut(path, text, SIM_RANDOM, seed + i);
	run_cut(path, text, SIM_TINY, seed);
	a = table_run(path, text, SIM_RANDOM, seed, false);
	b = table_run(path, text, SIM_RANDOM, seed, false);
	if (!a.skipped)
		tap_ok(a.hash == b.hash && a.turns == b.turns, "%s, seed %" PRIu64 ": the same trace twice", path, seed);
	free(text);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	bool show = false;
	glob_t found;
	int i = 1;

	for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		if (strcmp(argv[i], "--show") == 0)
			show = true;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 0);
	}
	for (int named = i; show && named < argc; named++) {
		char *text = read_all(argv[named]);

		if (text != NULL)
			table_run(argv[named], text, SIM_WHOLE, seed, true);
		free(text);
	}
	if (show)
		return 0;
	for (int named = i; named < argc; named++)
		run(argv[named], seed);
	if (i == argc && glob("test/sim/*.txt", 0, NULL, &found) == 0) {
		for (size_t k = 0; k < found.gl_pathc; k++)
			run(found.gl_pathv[k], seed);
		globfree(&found);
	}
	return tap_done();
}
