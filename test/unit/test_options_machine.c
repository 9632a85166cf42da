/* options: what the machine allows: its descriptors, memory and CPUs. Rows name RELIABILITY O12 or CONTRACT 1. */
#include <stdlib.h>

#include "options_fixture.h"
#include "tap.h"

enum { WORDS_MAX = FIXTURE_WORDS_MAX };

static struct options loaded; /* too large for the stack */
static const char *const none[WORDS_MAX];

static bool load(const char *const *args, const char *const *env, struct fixture *f)
{
	return fixture_load_words(&loaded, f, args, env);
}

static void test_cpus(void)
{
	static const struct {
		const char *arg;
		uint64_t words[2];
	} rows[] = {
		{ "--cpu-affinity=0", { 1, 0 } },   { "--cpu-affinity=0,2", { 5, 0 } },      { "--cpu-affinity=1-3", { 14, 0 } },
		{ "--cpu-affinity=64", { 0, 1 } },  { "--cpu-affinity=2,0-1,1", { 7, 0 } }, { "--cpu-affinity= 3 , 64-64", { 8, 1 } },
		{ "--cpu-affinity=off", { 0, 0 } },
	};
	struct fixture f = { .descriptors_max = 65536 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *args[WORDS_MAX] = { rows[i].arg };
		const struct server_config *c = &loaded.config;

		tap_ok(load(args, none, &f) && memcmp(c->cpus.words, rows[i].words, sizeof(rows[i].words)) == 0 &&
		       c->bound == ((rows[i].words[0] | rows[i].words[1]) != 0), "%s", rows[i].arg);
	}
}

static void test_descriptors(void)
{
	static const char *const written[WORDS_MAX] = { "--max-connections=1000" };
	struct fixture f = { .descriptors_max = 1024 };

	tap_ok(load(none, none, &f) && loaded.config.connections_max == 924 && loaded.connections_lowered &&
	       strstr(loaded.warnings, "max-connections is 924, not 10000") != NULL, "O12: a default is lowered, with a warning");
	tap_ok(!load(written, none, &f) && strcmp(loaded.error, "--max-connections: 1000 cannot be met: a process may open 1024 files "
	       "here (ulimit -n), 100 of which are kept back") == 0, "O12: a written value is refused");
	f.descriptors_max = 100;
	tap_ok(!load(none, none, &f) && strstr(loaded.error, "max-connections: 10000 cannot be met") == loaded.error,
	       "O12: no room for any");
	f.descriptors_max = 1100;
	tap_ok(load(written, none, &f) && loaded.config.connections_max == 1000 && !loaded.connections_lowered, "O12: it just fits");
	f.descriptors_max = UINT64_MAX;
	tap_ok(load(none, none, &f) && loaded.config.connections_max == 10000, "no limit");
}

static void test_memory(void)
{
	static const char *const written[WORDS_MAX] = { "--max-connections=2000" };
	struct fixture f = { .descriptors_max = 65536, .memory_max = 2 * 1048576 };

	tap_ok(load(none, none, &f) && loaded.config.connections_max == 1024 && loaded.connections_lowered &&
	       strstr(loaded.warnings, "max-connections is 1024, not 10000: more could need more than the 2 MiB") != NULL,
	       "O12: a default is lowered to the memory limit");
	tap_ok(!load(written, none, &f) && strcmp(loaded.error, "--max-connections: 2000 could need 3 MiB of memory, and this process may "
	       "use 2 MiB; a smaller max-message-size or client-buffer needs less") == 0, "O12: a written value is refused");
	f.memory_max = 1048576;
	tap_ok(!load(none, none, &f) && strstr(loaded.error, "max-connections: 10000 could need") == loaded.error, "O12: no room for any");
	f.memory_max = 1048576 + 1024;
	tap_ok(load(none, none, &f) && loaded.config.connections_max == 1, "O12: room for one");
	f.memory_max = 1048576 + 10000 * 1024;
	tap_ok(load(none, none, &f) && loaded.config.connections_max == 10000 && !loaded.connections_lowered, "O12: it just fits");
}

int main(void)
{
	test_descriptors();
	test_memory();
	test_cpus();
	return tap_done();
}
