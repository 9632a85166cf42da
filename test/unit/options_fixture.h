/* test/unit/options_fixture.h: a world of a few files for options_load(): `c.conf`, `key`, and those of keys. */
#ifndef TEST_OPTIONS_FIXTURE_H
#define TEST_OPTIONS_FIXTURE_H

#include "option.h"
#include "option_value.h"
#include "options_keys.h"

enum { FIXTURE_WORDS_MAX = 10 };

struct fixture {
	struct str config, key;               /* absent: no such file */
	const char *bundle;                   /* what SSL_CERT_FILE says; NULL: nothing, and the machine has none */
	uint64_t descriptors_max, memory_max; /* memory_max 0: no limit */
};

static inline struct str fixture_file(const struct fixture *f, struct str path)
{
	const struct {
		struct str name, text;
	} files[] = {
		{ STR("c.conf"), f->config },
		{ STR("key"), f->key },
		{ STR("secret"), STR("0123456789abcdef0123456789abcdef\n") },
		{ STR("cr"), STR("0123456789abcdef0123456789abcdef\r") },
		{ STR("crlf"), STR("0123456789abcdef0123456789abcdef\r\n") },
		{ STR("short"), STR("c4n4ry") },
		{ STR("newline"), STR("\n") },
		{ STR("rsa.pem"), STR(KEYS_RSA_PEM) },
		{ STR("both.pem"), STR(KEYS_RSA_PEM KEYS_EC_PEM) },
		{ STR("weak.pem"), STR(KEYS_WEAK_PEM) },
		{ STR("jwks"), STR(KEYS_JWKS) },
		{ STR("none.jwks"), STR(KEYS_JWKS_NONE) },
		{ STR("cert"), STR("-") }, /* read by nobody here */
		{ STR("a b"), STR("-") },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (str_eq(path, files[i].name))
			return files[i].text;
	return STR_NONE;
}

static inline const char *fixture_can_read(void *ctx, struct str path)
{
	return str_absent(fixture_file(ctx, path)) ? "No such file or directory" : NULL;
}

static inline const char *fixture_read(void *ctx, struct str path, char *out, size_t cap, size_t *n)
{
	struct str text = fixture_file(ctx, path);

	if (str_absent(text))
		return "No such file or directory";
	if (text.n > cap)
		return "it is too long";
	memcpy(out, text.p, text.n);
	*n = text.n;
	return NULL;
}

static inline const char *fixture_find_bundle(void *ctx)
{
	return ((const struct fixture *)ctx)->bundle;
}

static inline bool fixture_has_user(void *ctx, struct str user)
{
	(void)ctx;
	return !str_eq(user, STR("stranger"));
}

/* 0 to 3, and 64. */
static inline bool fixture_has_cpus(void *ctx, const struct cpu_set *cpus)
{
	bool good = (cpus->words[0] & ~UINT64_C(15)) == 0 && (cpus->words[1] & ~UINT64_C(1)) == 0;

	(void)ctx;
	for (uint32_t i = 2; i < CPUS_MAX / 64; i++)
		good &= cpus->words[i] == 0;
	return good;
}

/* 1 MiB, and 1 KiB a connection. */
static inline uint64_t fixture_memory_of(void *ctx, const struct server_config *c)
{
	(void)ctx;
	return 1048576 + 1024 * (uint64_t)c->connections_max;
}

static inline bool fixture_load(struct options *o, struct fixture *f, char *const *args, char *const *env)
{
	struct options_world w = {
		.read_file = fixture_read,
		.can_read = fixture_can_read,
		.find_bundle = fixture_find_bundle,
		.has_user = fixture_has_user,
		.has_cpus = fixture_has_cpus,
		.ctx = f,
		.descriptors_max = f->descriptors_max,
		.memory_of = fixture_memory_of,
		.memory_max = f->memory_max == 0 ? UINT64_MAX : f->memory_max,
		.random = 0xabcdef,
	};

	memset(o, 0, sizeof(*o));
	return options_load(o, &w, args, env);
}

/* Up to FIXTURE_WORDS_MAX arguments and variables each. */
static inline bool fixture_load_words(struct options *o, struct fixture *f, const char *const *args, const char *const *env)
{
	char *argv[FIXTURE_WORDS_MAX + 1] = { NULL }, *envp[FIXTURE_WORDS_MAX + 1] = { NULL };

	for (int i = 0; i < FIXTURE_WORDS_MAX && args[i] != NULL; i++)
		argv[i] = (char *)args[i];
	for (int i = 0; i < FIXTURE_WORDS_MAX && env[i] != NULL; i++)
		envp[i] = (char *)env[i];
	return fixture_load(o, f, argv, envp);
}

/* Every option that has a value, as lines of a file: what `check` prints, without its comments. Bytes
 * written, no NUL. */
static inline size_t fixture_print(const struct options *o, char *out, size_t cap)
{
	char value[OPTION_VALUE_BYTES_MAX];
	size_t n = 0;

	for (uint32_t row = 0; row < option_rows(); row++)
		for (uint32_t i = 0; option_value_put(o, row, i, value); i++) {
			size_t name = strlen(option_at(row)->name), bytes = strlen(value);

			if (strcmp(option_at(row)->name, "config") == 0)
				continue;
			if (n + name + bytes + 4 > cap)
				return n;
			memcpy(out + n, option_at(row)->name, name);
			memcpy(out + n + name, " = ", 3);
			memcpy(out + n + name + 3, value, bytes);
			n += name + 3 + bytes;
			out[n++] = '\n';
		}
	return n;
}

#endif
