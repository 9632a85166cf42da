/* Everything printed is a line that the file takes or a comment, so that the output of `check` is a
 * configuration file. */
#include "tool/check.h"

#include <stdio.h>
#include <string.h>

#include "cluster/companion.h"
#include "net/certificates.h"
#include "net/machine.h"
#include "net/seccomp.h"
#include "net/socket.h"
#include "net/tls.h"
#include "option.h"
#include "option_value.h"
#include "server/server.h"

enum { ORIGIN_BYTES = 256 };

static bool is_at(const struct option *option, size_t at)
{
	return option->at == at && option->kind != OPTION_NOTE;
}

/* "; 2 keys: RS256 kid=a, ES256": those that a file of public keys came to. */
static void print_keys(const struct jwk_set *set, uint32_t from, uint32_t n)
{
	static const char *const algorithms[] = {
		[JWK_HS256] = "HS256", [JWK_RS256] = "RS256", [JWK_ES256] = "ES256",
	};

	printf("; %u key%s: ", (unsigned)n, n == 1 ? "" : "s");
	for (uint32_t i = from; i < from + n; i++) {
		const struct jwk *key = &set->keys[i];
		char kid[OPTION_QUOTE_BYTES];

		option_value_quote(str_of(key->kid, key->kid_bytes), kid);
		printf("%s%s", i > from ? ", " : "", algorithms[key->algorithm]);
		if (key->kid_bytes > 0)
			printf(" kid=%.*s", (int)strlen(kid) - 2, kid + 1);
	}
}

static void print_note(const struct options *o, const struct option *option)
{
	const struct jwk_set *set = &o->config.token.keys;
	bool jwt = o->config.auth == AUTH_JWT;

	if (option->kind == OPTION_NOTE)
		printf("; %s", option->help);
	else if (is_at(option, offsetof(struct options, config.connections_max)) && o->connections_lowered)
		printf("; lowered to what this process may use");
	else if (is_at(option, offsetof(struct options, api_key_path)))
		printf("; the key is not shown");
	else if (is_at(option, offsetof(struct options, jwt_secret_path)))
		printf("; the secret is not shown");
	else if (is_at(option, offsetof(struct options, config.redis)) && o->config.redis.has_password)
		printf("; the password is not shown");
	else if (is_at(option, offsetof(struct options, jwt_key_path)) && jwt)
		print_keys(set, o->jwks_key_count, o->pem_key_count);
	else if (is_at(option, offsetof(struct options, jwks_path)) && jwt)
		print_keys(set, 0, o->jwks_key_count);
	if (is_at(option, offsetof(struct options, jwks_path)) && set->passed_over > 0)
		printf("; %u not used", (unsigned)set->passed_over);
}

static void print_row(const struct options *o, uint32_t row)
{
	const struct option *option = option_at(row);
	char value[OPTION_VALUE_BYTES_MAX], origin[ORIGIN_BYTES];
	uint32_t i = 0;

	options_origin(o, row, origin, sizeof(origin));
	if (is_at(option, offsetof(struct options, config.node_id)) && o->node_id_drawn) {
		printf("%s = random   # from %s\n", option->name, origin);
		return;
	}
	for (; option_value_put(o, row, i, value); i++) {
		/* A file cannot name another. */
		printf("%s%s = %s   # from %s",
		       is_at(option, offsetof(struct options, config_path)) ? "# " : "", option->name, value,
		       origin);
		print_note(o, option);
		putchar('\n');
	}
	if (i == 0 && option->kind != OPTION_NOTE)
		printf("# %s: %s   # from %s\n", option->name, option->unset, origin);
}

/* MiB with one decimal, rounded up. */
static void print_size(const char *what, size_t bytes)
{
	size_t tenths = bytes / 1048576 * 10 + (bytes % 1048576 * 10 + 1048575) / 1048576;

	printf("# %-12s %6zu.%zu MiB\n", what, tenths / 10, tenths % 10);
}

/* The files of TLS, as the start would read them. */
static bool check_tls(const struct server_config *cfg)
{
	struct certificates_report report;
	struct certificates *read;
	bool good;

	if (!certificates_wanted(cfg))
		return true;
	read = machine_memory(sizeof(*read));
	if (read == NULL) {
		machine_complain(STR("check: no memory to read certificates into"), 0);
		return false;
	}
	good = certificates_load(read, &cfg->tls, machine_now().wall, &report);
	if (report.warning[0] != '\0')
		machine_warn(str_of(report.warning, strlen(report.warning)));
	if (!good)
		machine_complain(str_of(report.error, strlen(report.error)), 0);
	certificates_wipe(read);
	machine_memory_free(read, sizeof(*read));
	return good;
}

static void print_place(const char *path, bool is_directory, bool is_removal)
{
	const char *right = is_removal ? "may remove below" : is_directory ? "may read below" : "may read";

	printf("# %s %s\n", right, path);
}

static void print_no_place(const char *path, bool is_directory, bool is_removal)
{
	(void)path;
	(void)is_directory;
	(void)is_removal;
}

/* What the start would give up, and what is left. */
static void print_walls(const struct options *o)
{
	char text[WALLS_TEXT_BYTES];
	struct walls w;
	const char *name;

	walls_foresee(&w, &o->config, &o->rights, print_no_place);
	walls_text(&w, text);
	printf("#\n# Walls, once it serves: %s\n", text);
	if (!o->rights.sandbox)
		return;
	walls_foresee(&w, &o->config, &o->rights, print_place);
	fputs("# calls:", stdout);
	for (uint32_t i = 0; (name = seccomp_name(w.needs, i)) != NULL; i++)
		printf(" %s", name);
	putchar('\n');
}

int check_run(const struct options *o)
{
	void *scratch = machine_memory(server_scratch_bytes());
	struct server_budget b;
	size_t nodes, redis;

	if (scratch == NULL) {
		machine_complain(STR("check: no memory to measure in"), 0);
		return 1;
	}
	if (!check_tls(&o->config))
		return 2;
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
	if (tls_measure(&o->config) > 0)
		print_size("TLS", tls_measure(&o->config));
	nodes = companion_measure(&o->config, &redis);
	if (nodes > 0) {
		print_size("other nodes", nodes - redis);
		print_size("Redis", redis);
	}
	print_size("total", b.total + tls_measure(&o->config) + nodes);
	printf("# Not in the total: the kernel's memory, at most %d KiB for the socket of each connection\n",
	       SOCKET_KERNEL_BYTES_MAX / 1024);
	print_walls(o);
	return 0;
}
