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

#include "base/json.h"
#include "config_file.h"
#include "net/walls.h"
#include "server/config.h"

enum {
	OPTIONS_ROWS_MAX = 96,          /* option.c asserts that its table is not longer */
	OPTIONS_FILE_BYTES_MAX = 65536, /* a configuration file */
	OPTIONS_KEY_BYTES_MAX = 1024,   /* an API key; the head of a request that carries it is 8 KiB */
	OPTIONS_TEXT_BYTES_MAX = 64,    /* service-name, node-id, user, keycloak-realm */
	OPTIONS_MATERIAL_BYTES_MAX = 65536, /* a file of keys: as much as jwks-url may answer */
	OPTIONS_ERROR_BYTES = 512,
	OPTIONS_WARNING_BYTES = 4096,   /* all warnings; those that do not fit are left out */
	OPTIONS_DESCRIPTORS_RESERVE = 100, /* listeners, epoll, standard streams, REST and refusals */
	OPTIONS_DESCRIPTORS_OUTSIDE = 72, /* jwks-url, user-check-url: 64 questions, the resolver */
	OPTIONS_DESCRIPTORS_REDIS = 8,  /* redis-url: three connections, a resolver */
};

/* OPTION_DERIVED: not given; another option's value says it. */
enum option_source { OPTION_DEFAULT, OPTION_DERIVED, OPTION_FILE, OPTION_ALIAS, OPTION_ENV, OPTION_FLAG };

/* Where an option's value comes from. */
struct option_state {
	enum option_source source;
	uint32_t line;                  /* OPTION_FILE */
	uint32_t by;                    /* OPTION_DERIVED: the row of that option, which was given */
	struct str key;                 /* as written there: OPTION_FILE, OPTION_ALIAS */
};

struct options {
	struct server_config config;    /* its strings live in args, env and this struct: do not move it */
	struct walls_config rights;
	/* Absent, empty: not given. */
	struct str api_key_path, config_path;
	struct str jwt_secret_path, jwt_key_path, jwks_path;
	struct str jwks_url, user_check_url, keycloak_url, keycloak_realm;
	struct str redis_url, cpu_affinity; /* as they were written */
	struct name_list keycloak_clients, tls_certs, tls_keys;
	/* Of config.token.keys, first come those of jwks-file, then of jwt-key-file, then the secret. */
	uint32_t jwks_key_count, pem_key_count;
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
	char keycloak_jwks_url[URL_BYTES_MAX + 1], keycloak_issuer[URL_BYTES_MAX + 1];
	/* A file of keys while it is read; wiped then, as far as it was ever filled. */
	size_t material_bytes;
	char material[OPTIONS_MATERIAL_BYTES_MAX];
	struct json json;
	struct json_tok tokens[JSON_TOKENS_MAX];
};

struct options_world {
	/* Reads a whole file into out[0, cap). NULL, or why not ("No such file or directory"); that it has
	 * more than `cap` bytes is a reason. */
	const char *(*read_file)(void *ctx, struct str path, char *out, size_t cap, size_t *n);
	/* Can the file be opened and read? NULL, or why not. */
	const char *(*can_read)(void *ctx, struct str path);
	void *ctx;
	/* Whom to trust without ca-file: the path of the machine's certificates, which outlives the options,
	 * or NULL (bundle.h). */
	const char *(*find_bundle)(void *ctx);
	bool (*has_user)(void *ctx, struct str user); /* can be become, or need not be:
	                                               * only root becomes another */
	bool (*has_cpus)(void *ctx, const struct cpu_set *); /* all of them, for this process */
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
