/* main.c: options -> memory -> server -> loop (the last three are loop_run()'s), and the other commands. */
#include <stdio.h>
#include <string.h>

#include "cluster/companion.h"
#include "net/loop.h"
#include "net/machine.h"
#include "net/walls.h"
#include "options.h"
#include "tool/check.h"
#include "tool/client.h"
#include "tool/healthcheck.h"
#include "tool/help.h"
#include "tool/token.h"
#include "tool/world.h"

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_OPTIONS = 2 };

/* True: the arguments asked for words only, and they were printed. */
static bool say(char *const *args)
{
	for (; *args != NULL; args++) {
		if (strcmp(*args, "--version") == 0)
			puts("presenced " PRESENCED_VERSION);
		else if (strcmp(*args, "--help") == 0 || strcmp(*args, "-h") == 0)
			help_print();
		else if (strcmp(*args, "--help=markdown") == 0)
			help_print_markdown();
		else
			continue;
		return true;
	}
	return false;
}

/* `serving`: what is found is said in the log, whose format the options say, if they can be read. */
static bool load(struct options *o, char *const *args, char *const *env, bool serving)
{
	struct options_world world = world_open();
	bool good = options_load(o, &world, args, env);
	char *line = o->warnings, *end;

	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if (good && serving)
			machine_log_warning(&o->config, line);
		else
			machine_warn(str_of(line, (size_t)(end - line)));
	}
	if (!good)
		fprintf(stderr, "presenced: %s\n", o->error);
	return good;
}

/* What was given with redis-url has been read; its text would stay for all to see in /proc/PID/cmdline. */
static void mask_password(const struct options *o)
{
	struct str password = redis_url_password(o->redis_url);

	if (!str_absent(password))
		memset((char *)password.p, '*', password.n); /* of args, env or the file's text */
}

static enum exit_code serve(const struct options *o)
{
	struct loop_companion companion;

	mask_password(o);
	if (o->config.bound && !machine_bind(&o->config.cpus)) { /* which the options' check could */
		fprintf(stderr, "presenced: cpu-affinity: refused\n");
		return EXIT_OPTIONS;
	}
	machine_lock(&o->config, sizeof(o->config));
	machine_lock(o->api_key, sizeof(o->api_key));
	if (o->config.clustered && !companion_new(&o->config, &companion)) {
		fprintf(stderr, "presenced: memory refused\n");
		return EXIT_FAILED;
	}
	switch (loop_run(&o->config, &o->rights, o->config.clustered ? &companion : NULL)) {
	case LOOP_OK: return EXIT_DONE;
	case LOOP_BAD_LISTENER:
	case LOOP_BAD_TLS:
	case LOOP_BAD_USER: return EXIT_OPTIONS;
	case LOOP_FAILED: break;
	}
	return EXIT_FAILED;
}

/* `code`, unless standard output did not take all that was printed. */
static int printed(int code)
{
	bool good = fflush(stdout) == 0;

	if (good && !ferror(stdout))
		return code;
	fputs("presenced: standard output takes no more\n", stderr);
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

int main(int argc, char **argv, char **env)
{
	static struct options options; /* pages that are not touched cost nothing */
	char *const *args = argv + (argc > 0);
	const char *command = *args != NULL && (*args)[0] != '-' ? *args++ : "serve";

	if (say(args))
		return printed(EXIT_DONE);
	walls_keep_memory_private();
	if (strcmp(command, "healthcheck") == 0)
		return healthcheck_run(args, env);
	if (strcmp(command, "token") == 0)
		return printed(token_run(args));
	if (strcmp(command, "client") == 0)
		return printed(client_run(args));
	if (strcmp(command, "serve") == 0)
		return load(&options, args, env, true) ? (int)serve(&options) : EXIT_OPTIONS;
	if (strcmp(command, "check") == 0)
		return load(&options, args, env, false) ? printed(check_run(&options)) : EXIT_OPTIONS;
	fprintf(stderr,
	        "presenced: \"%.64s\" is no command "
	        "(serve, check, healthcheck, token, client; see --help)\n",
	        command);
	return EXIT_OPTIONS;
}
