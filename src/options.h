/*
 * options.h: from flags, environment and file to a struct server_config. Flags win over environment,
 * environment over file.
 *
 * Pure but for `struct options_world`, through which files and facts of the machine come in: main gives the
 * real ones, tests and fuzzers their own. No malloc: texts are borrowed from args and env, or lie in struct
 * options itself.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "config_file.h"
#include "server/config.h"

enum {
	OPTIONS_ROWS_MAX = 64,          /* option.c asserts that its table is not longer */
	OPTIONS_FILE_BYTES_MAX = 65536, /* a configuration file */
	OPTIONS_KEY_BYTES_MAX = 1024,   /* an API key; the head of a request that carries it is 8 KiB */
	OPTIONS_TEXT_BYTES_MAX = 64,    /* service-name, node-id, user */
	OPTIONS_ERROR_BYTES = 512,
	OPTIONS_WARNING_BYTES = 4096,   /* all warnings; those that do not fit are left out */
	OPTIONS_DESCRIPTORS_RESERVE = 100, /* listeners, epoll, standard streams, REST and refusals */
};

enum option_source { OPTION_DEFAULT, OPTION_FILE, OPTION_ALIAS, OPTION_ENV, OPTION_FLAG };

/* Where an option's value comes from. */
struct option_state {
	enum option_source source;
	uint32_t line;                  /* OPTION_FILE */
	struct str key;                 /* as written there: OPTION_FILE, OPTION_ALIAS */
};

struct options {
	struct server_config config;    /* its strings live in args, env and this struct: do not move it */
	struct str user;
	struct str api_key_path, config_path; /* absent: not given */
	bool node_id_drawn;             /* node-id is `random` */
	bool connections_lowered;       /* max-connections: to what the machine's limits allow */
	struct str notes[OPTIONS_ROWS_MAX]; /* values that correspond to nothing, by row */
	struct option_state state[OPTIONS_ROWS_MAX];
	uint32_t warning_bytes;
	char warnings[OPTIONS_WARNING_BYTES]; /* lines, each with its newline; NUL-terminated */
	char error[OPTIONS_ERROR_BYTES]; /* one line without newline, after options_load() gave false */
	char node_id[16];
	char api_key[OPTIONS_KEY_BYTES_MAX + 3];
	char file[OPTIONS_FILE_BYTES_MAX + 1];
};

struct options_world {
	/* Reads a whole file into out[0, cap). NULL, or why not ("No such file or directory"); that it has
	 * more than `cap` bytes is a reason. */
	const char *(*read_file)(void *ctx, struct str path, char *out, size_t cap, size_t *n);
	void *ctx;
	bool (*has_user)(void *ctx, struct str user); /* can be become, or need not be:
	                                               * only root becomes another */
	uint64_t descriptors_max;       /* RLIMIT_NOFILE */
	uint64_t memory_max;            /* bytes, a control group's limit; UINT64_MAX: none */
	/* Bytes that a server so configured may come to use; never less with more connections. */
	uint64_t (*memory_of)(void *ctx, const struct server_config *);
	uint64_t random;                /* for a node-id */
};

/*
 * Fills *o, which is zeroed memory. `args` (after the program's name and command) and `env` end with NULL and
 * must outlive *o. False: o->error says what is wrong and where, and *o is of no other use but o->warnings,
 * which holds lines for the operator either way.
 */
bool options_load(struct options *o, const struct options_world *world, char *const *args, char *const *env);

/* Writes where row `row` has its value from ("--typing-ttl", "WS_TYPING_TTL", "FILE:12: typing-ttl",
 * "default"), NUL-terminated. */
void options_origin(const struct options *o, uint32_t row, char *out, size_t cap);

#endif
