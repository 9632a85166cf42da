/* Everything printed is a line that the file takes or a comment, so that the output of `check` is a
 * configuration file. */
#include "tool/check.h"

#include <stdio.h>

#include "net/machine.h"
#include "option.h"
#include "option_value.h"
#include "server/server.h"

enum { ORIGIN_BYTES = 256 };

static void print_row(const struct options *o, uint32_t row)
{
	const struct option *option = option_at(row);
	char value[OPTION_VALUE_BYTES_MAX], origin[ORIGIN_BYTES];
	const char *note = "";
	uint32_t i = 0;

	options_origin(o, row, origin, sizeof(origin));
	if (option->kind == OPTION_NOTE)
		note = option->help;
	else if (option->kind == OPTION_COUNT &&
		 option->at == offsetof(struct options, config.connections_max) && o->connections_lowered)
		note = "lowered to what this process may use";
	else if (option->at == offsetof(struct options, api_key_path) && !str_absent(o->api_key_path))
		note = "the key is not shown";
	if (option->at == offsetof(struct options, config.node_id) && o->node_id_drawn) {
		printf("%s = random   # from %s\n", option->name, origin);
		return;
	}
	for (; option_value_put(o, row, i, value); i++)
		/* A file cannot name another. */
		printf("%s%s = %s   # from %s%s%s\n",
		       option->at == offsetof(struct options, config_path) ? "# " : "", option->name, value,
		       origin, *note != '\0' ? "; " : "", note);
	if (i == 0 && option->kind != OPTION_NOTE)
		printf("# %s: %s   # from %s\n", option->name, option->unset, origin);
}

/* MiB with one decimal, rounded up. */
static void print_size(const char *what, size_t bytes)
{
	size_t tenths = bytes / 1048576 * 10 + (bytes % 1048576 * 10 + 1048575) / 1048576;

	printf("# %-12s %6zu.%zu MiB\n", what, tenths / 10, tenths % 10);
}

int check_run(const struct options *o)
{
	void *scratch = machine_memory(server_scratch_bytes());
	struct server_budget b;

	if (scratch == NULL) {
		machine_complain(STR("check: no memory to measure in"), 0);
		return 1;
	}
	for (uint32_t i = 0; i < option_rows(); i++)
		print_row(o, i);
	b = server_measure(&o->config, scratch);
	machine_memory_free(scratch, server_scratch_bytes());
	puts("#\n# Memory, at most (pages count when they are first used):");
	print_size("connections", b.connections);
	print_size("engine", b.engine);
	print_size("frames", b.frames);
	print_size("intake", b.intake);
	print_size("other", b.other);
	print_size("total", b.total);
	return 0;
}
