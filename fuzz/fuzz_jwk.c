/*
 * Fuzzes wire/jwk with JWK sets: every key that is taken obeys the policy, names are unlike, a refused set
 * changes nothing, and the taken keys, written anew, are taken again as they were.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/jsonw.h"
#include "wire/jwk.h"
#include "wire/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct json_tok toks[JSON_TOKENS_MAX];

static void write_number(struct jsonw *w, struct str key, const uint8_t *in, size_t n)
{
	char text[BASE64_ENCODED_BYTES(JWK_MATERIAL_BYTES_MAX)];
	size_t bytes = base64_encode(text, sizeof(text), in, n);

	while (bytes > 0 && text[bytes - 1] == '=')
		bytes--;
	for (size_t i = 0; i < bytes; i++)
		text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	jsonw_key(w, key);
	jsonw_str(w, str_of(text, bytes));
}

static void write_key(struct jsonw *w, const struct jwk *k)
{
	jsonw_obj(w);
	jsonw_key(w, STR("kid"));
	jsonw_str(w, str_of(k->kid, k->kid_bytes));
	jsonw_key(w, STR("kty"));
	jsonw_str(w, k->algorithm == JWK_RS256 ? STR("RSA") : STR("EC"));
	if (k->algorithm == JWK_RS256) {
		write_number(w, STR("n"), k->material, k->material_bytes);
		write_number(w, STR("e"), k->exponent, k->exponent_bytes);
	} else {
		jsonw_key(w, STR("crv"));
		jsonw_str(w, STR("P-256"));
		write_number(w, STR("x"), k->material + 1, 32);
		write_number(w, STR("y"), k->material + 33, 32);
	}
	jsonw_end_obj(w);
}

static void check_key(const struct jwk *k)
{
	assert(k->kid_bytes >= 1 && k->kid_bytes <= JWK_KID_BYTES_MAX);
	if (k->algorithm == JWK_RS256) {
		assert(k->material_bytes >= 256 && k->material_bytes <= 512 && k->material[0] != 0);
		assert(k->material[k->material_bytes - 1] % 2 == 1);
		assert(k->exponent_bytes >= 3 && k->exponent_bytes <= 8 && k->exponent[0] != 0);
		assert(k->exponent[k->exponent_bytes - 1] % 2 == 1);
	} else {
		assert(k->algorithm == JWK_ES256 && jws_is_p256_point(k->material, k->material_bytes));
	}
}

static bool same(const struct jwk *a, const struct jwk *b)
{
	return a->algorithm == b->algorithm && a->kid_bytes == b->kid_bytes &&
	       a->material_bytes == b->material_bytes && a->exponent_bytes == b->exponent_bytes &&
	       memcmp(a->kid, b->kid, a->kid_bytes) == 0 &&
	       memcmp(a->material, b->material, a->material_bytes) == 0 &&
	       memcmp(a->exponent, b->exponent, a->exponent_bytes) == 0;
}

static void check_again(const struct jwk_set *set, struct json *j)
{
	static struct jwk_set again;
	static char text[JWK_KEYS_MAX * 2048];
	struct jsonw w;

	jsonw_init(&w, text, sizeof(text));
	jsonw_obj(&w);
	jsonw_key(&w, STR("keys"));
	jsonw_arr(&w);
	for (uint32_t i = 0; i < set->count; i++)
		write_key(&w, &set->keys[i]);
	jsonw_end_arr(&w);
	jsonw_end_obj(&w);
	assert(!w.failed && json_parse(j, text, jsonw_bytes(&w)) == JSON_OK);
	assert(jwk_set_read(&again, j) == JWK_OK && again.count == set->count && again.passed_over == 0);
	for (uint32_t i = 0; i < set->count; i++)
		assert(same(&set->keys[i], &again.keys[i]));
}

/* The input as a file with a secret: the line's end is no part of it; a second one would be ambiguous. */
static void check_secret(struct str file)
{
	static struct jwk_set set;
	struct str secret = jwk_secret_of_file(file);
	enum jwk_result result;

	assert(secret.n <= file.n && secret.n + 2 >= file.n);
	set.count = 0;
	result = jwk_set_add_secret(&set, secret);
	assert(jwk_result_text(result)[0] != '\0' && (result == JWK_OK) == (set.count == 1));
	assert((result == JWK_OK) == (secret.n > 0 && secret.n <= JWK_MATERIAL_BYTES_MAX));
	if (result == JWK_OK)
		assert(jwk_set_add_secret(&set, secret) == JWK_AMBIGUOUS && set.count == 1);
	set.count = JWK_KEYS_MAX;
	assert(result != JWK_OK || jwk_set_add_secret(&set, secret) == JWK_TOO_MANY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct jwk_set set, before;
	char *text = malloc(n + !n);
	enum jwk_result result;
	struct json j;

	if (n > 0)
		memcpy(text, data, n);
	json_init(&j, toks, JSON_TOKENS_MAX);
	check_secret(str_of((const char *)data, n));
	memset(&set, (int)(n & 0xff), sizeof(set));
	memcpy(&before, &set, sizeof(set));
	if (json_parse(&j, text, n) != JSON_OK) {
		assert(jwk_set_read(&set, &j) == JWK_NOT_A_SET);
		free(text);
		return 0;
	}
	result = jwk_set_read(&set, &j);
	if (result != JWK_OK) {
		assert(result == JWK_NOT_A_SET || result == JWK_NO_KEYS);
		assert(memcmp(&set, &before, sizeof(set)) == 0);
	} else {
		assert(set.count >= 1 && set.count <= JWK_KEYS_MAX);
		for (uint32_t i = 0; i < set.count; i++) {
			check_key(&set.keys[i]);
			for (uint32_t k = 0; k < i; k++)
				assert(!str_eq(str_of(set.keys[i].kid, set.keys[i].kid_bytes),
				               str_of(set.keys[k].kid, set.keys[k].kid_bytes)));
		}
		check_again(&set, &j);
	}
	free(text);
	return 0;
}
