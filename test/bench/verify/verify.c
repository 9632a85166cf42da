/*
 * build/bench/verify [SECONDS]: verifications per CPU second of one core, as the server does them: `signature`
 * is jwt_signature_is_valid() alone, `token` all from the text to the claims. One line of key=value each. The
 * tokens are those of test/wire/jwt_vectors.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/jwt.h"
#include "wire/jwt_vectors.h"

enum { TOKENS = 128, AT_ONCE = 32 };

static struct json_tok toks[TOKENS];
static struct json j;
static struct jwk_set set;
static uint8_t scratch[JWT_BYTES_MAX];

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const char *token_named(const char *name)
{
	for (size_t i = 0; i < sizeof(jwt_rows) / sizeof(jwt_rows[0]); i++)
		if (strcmp(jwt_rows[i].name, name) == 0)
			return jwt_rows[i].token;
	abort();
}

static bool open_token(struct jwt *t, const char *text)
{
	return jwt_open(t, str_of(text, strlen(text)), &j, scratch, sizeof(scratch)) == JWT_OK;
}

static bool token(const char *text, const struct jwk *key)
{
	const struct jwt_policy policy = { 0 };
	struct jwt_claims claims;
	struct jwt t;

	return open_token(&t, text) && jwt_signature_is_valid(&t, key) &&
	       jwt_read(&t, &j, scratch, sizeof(scratch), &policy, (wall_t){ INT64_C(1700000000000) },
	                &claims) == JWT_OK;
}

static void measure(const char *name, const char *text, bool whole, double seconds)
{
	double begin, spent;
	const struct jwk *key;
	enum jwt_result why;
	long count = 0;
	struct jwt t;

	if (!open_token(&t, text) || (key = jwt_key(&t, &set, &why)) == NULL)
		abort();
	begin = cpu_seconds();
	do {
		for (int i = 0; i < AT_ONCE; i++)
			if (!(whole ? token(text, key) : jwt_signature_is_valid(&t, key)))
				abort();
		count += AT_ONCE;
		spent = cpu_seconds() - begin;
	} while (spent < seconds);
	printf("what=%s alg=%s per_second=%.0f us=%.2f\n", whole ? "token" : "signature", name,
	       (double)count / spent, spent * 1e6 / (double)count);
}

int main(int argc, char **argv)
{
	static const char *const rows[][2] = {
		{ "RS256-2048", "RS256, key without a name" },
		{ "ES256", "ES256, key without a name" },
		{ "HS256", "HS256" },
	};
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;

	json_init(&j, toks, TOKENS);
	if (jwk_set_add_pem(&set, str_of(jwt_rsa_pem, strlen(jwt_rsa_pem))) != JWK_OK ||
	    jwk_set_add_pem(&set, str_of(jwt_ec_pem, strlen(jwt_ec_pem))) != JWK_OK ||
	    jwk_set_add_secret(&set, str_of(jwt_secret, strlen(jwt_secret))) != JWK_OK)
		abort();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		measure(rows[i][0], token_named(rows[i][1]), false, seconds);
		measure(rows[i][0], token_named(rows[i][1]), true, seconds);
	}
	return 0;
}
