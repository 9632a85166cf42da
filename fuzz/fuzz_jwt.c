/*
 * Fuzzes wire/jwt both ways round: the input as a token, which nobody here could have signed with the secret, and, with a
 * newline in it, as header and payload of a token that is signed well. What is accepted keeps its promises, and
 * the same claims are refused with a signature bit turned, after they expire, and under a stricter policy only.
 */
#include <assert.h>
#include <bearssl.h>
#include <stdlib.h>

#include "../test/wire/jwt_vectors.h"
#include "base/base64.h"
#include "wire/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { TOKENS = 128, TOKEN_BYTES_MAX = 2 * JWT_BYTES_MAX };

static struct json_tok toks[TOKENS];
static const wall_t now = { INT64_C(1700000000000) };
static const struct str issuer = { "https://id.example/realms/one", 29 };
static const struct str audience = { "presenced", 9 };

/* The URL form of in[0, n), at `out`; returns its bytes. */
static size_t encode(char *out, const uint8_t *in, size_t n)
{
	size_t bytes = base64_encode(out, BASE64_ENCODED_BYTES(n), in, n);

	while (bytes > 0 && out[bytes - 1] == '=')
		bytes--;
	for (size_t i = 0; i < bytes; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	return bytes;
}

/* Both ways to write it agree. */
static void check_encode(const uint8_t *in, size_t n)
{
	static char one[BASE64_ENCODED_BYTES(JWT_BYTES_MAX)], other[BASE64_ENCODED_BYTES(JWT_BYTES_MAX)];
	size_t bytes = encode(one, in, n);

	assert(base64_encode_url(other, sizeof(other), in, n) == bytes && memcmp(one, other, bytes) == 0);
}

static void mac(const struct jwk *key, struct str input, uint8_t out[32])
{
	br_hmac_key_context secret;
	br_hmac_context hmac;

	br_hmac_key_init(&secret, &br_sha256_vtable, key->material, key->material_bytes);
	br_hmac_init(&hmac, &secret, 0);
	br_hmac_update(&hmac, input.p, input.n);
	br_hmac_out(&hmac, out);
}

/* Opens a copy of exactly the token's bytes; the caller frees. */
static char *open_copy(struct jwt *t, struct str token, struct json *j, uint8_t *scratch, size_t cap,
                       enum jwt_result *result)
{
	char *copy = malloc(token.n + !token.n);

	memcpy(copy, token.p, token.n);
	*result = jwt_open(t, str_of(copy, token.n), j, scratch, cap);
	return copy;
}

static void check_claims(const struct jwt *t, struct json *j, uint8_t *scratch, size_t cap)
{
	const struct jwt_policy open = { 0 };
	struct jwt_policy late = open, strict = open;
	struct jwt_claims claims;
	enum jwt_result result = jwt_read(t, j, scratch, cap, &open, now, &claims);

	assert(result != JWT_ALGORITHM && result != JWT_SIGNATURE && result != JWT_ISSUER && result != JWT_AUDIENCE);
	strict.issuers = &issuer;
	strict.issuer_count = 1;
	strict.audiences = &audience;
	strict.audience_count = 1;
	late.leeway_ms = JWT_LEEWAY_MS_MAX;
	if (result == JWT_OK) {
		wall_t end = claims.expires;

		assert(claims.subject.n >= 1 && claims.subject.n <= ID_BYTES_MAX && end.ms > now.ms);
		assert(str_absent(claims.username) || claims.username.n <= ID_BYTES_MAX);
		assert(jwt_read(t, j, scratch, cap, &open, end, &claims) == JWT_EXPIRED);
		end.ms--;
		assert(jwt_read(t, j, scratch, cap, &open, end, &claims) == JWT_OK);
		assert(jwt_read(t, j, scratch, cap, &late, now, &claims) == JWT_OK);
	}
	if (jwt_read(t, j, scratch, cap, &strict, now, &claims) == JWT_OK)
		assert(result == JWT_OK);
}

static void check_signed(const uint8_t *data, size_t n, size_t newline, struct json *j, const struct jwk_set *set)
{
	static char token[TOKEN_BYTES_MAX];
	static uint8_t scratch[JWT_BYTES_MAX];
	size_t bytes = encode(token, data, newline);
	const struct jwk *secret = &set->keys[set->count - 1];
	enum jwt_result result, why;
	uint8_t signature[32];
	struct jwt t;
	char *copy;

	token[bytes++] = '.';
	bytes += encode(token + bytes, data + newline + 1, n - newline - 1);
	mac(secret, str_of(token, bytes), signature);
	token[bytes++] = '.';
	bytes += encode(token + bytes, signature, sizeof(signature));
	copy = open_copy(&t, str_of(token, bytes), j, scratch, sizeof(scratch), &result);
	if (result == JWT_OK && t.algorithm == JWK_HS256) {
		const struct jwk *key = jwt_key(&t, set, &why);

		assert(key == NULL ? why == JWT_ALGORITHM && t.kid_bytes > 0 : key == secret);
		assert(t.signature_bytes == 32 && jwt_signature_is_valid(&t, secret));
		check_claims(&t, j, scratch, sizeof(scratch));
		t.signature[n % 32] ^= 1;
		assert(!jwt_signature_is_valid(&t, secret));
	}
	free(copy);
}

static void check_raw(struct str token, struct json *j, const struct jwk_set *set)
{
	static uint8_t scratch[JWT_BYTES_MAX];
	enum jwt_result result, why = JWT_OK;
	size_t payload_bytes;
	struct jwt t;
	char *copy = open_copy(&t, token, j, scratch, sizeof(scratch), &result);

	if (result == JWT_OK) {
		const struct jwk *key = jwt_key(&t, set, &why);

		assert((key == NULL) == (why != JWT_OK));
		assert(t.signing_input.p == copy && t.signing_input.n < token.n && t.signature_bytes > 0);
		assert(t.payload.p + t.payload.n == copy + t.signing_input.n);
		if (key != NULL && jwt_signature_is_valid(&t, key)) { /* only who wrote the corpus knows how */
			assert(key->algorithm != JWK_HS256);
			check_claims(&t, j, scratch, sizeof(scratch));
			t.signature[0] ^= 1;
			assert(!jwt_signature_is_valid(&t, key));
		}
		jwt_payload(str_of(copy, token.n), scratch, sizeof(scratch), &payload_bytes);
	} else {
		assert(result == JWT_MALFORMED || result == JWT_ALGORITHM || result == JWT_CRITICAL);
	}
	assert(jwt_result_text(result)[0] != '\0' && jwt_result_label(why)[0] != '\0');
	free(copy);
}

/* Keys with names and keys without, as test/wire/jwt_vectors.h has them, whose tokens are in the corpus; the secret last. */
static void fill(struct jwk_set *named, struct jwk_set *nameless, struct json *j)
{
	static char text[sizeof(jwt_set)];
	const struct str secret = STR("a secret that no input can know of");

	memcpy(text, jwt_set, sizeof(text));
	if (json_parse(j, text, sizeof(text) - 1) != JSON_OK || jwk_set_read(named, j) != JWK_OK ||
	    jwk_set_add_pem(nameless, str_of(jwt_rsa_pem, sizeof(jwt_rsa_pem) - 1)) != JWK_OK ||
	    jwk_set_add_pem(nameless, str_of(jwt_ec_pem, sizeof(jwt_ec_pem) - 1)) != JWK_OK ||
	    jwk_set_add_secret(named, secret) != JWK_OK || jwk_set_add_secret(nameless, secret) != JWK_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct jwk_set named, nameless;
	const uint8_t *newline = n == 0 ? NULL : memchr(data, '\n', n);
	struct json j;

	json_init(&j, toks, TOKENS);
	if (named.count == 0)
		fill(&named, &nameless, &j);
	check_raw(str_of((const char *)data, n), &j, &named);
	check_raw(str_of((const char *)data, n), &j, &nameless);
	if (n <= JWT_BYTES_MAX)
		check_encode(data, n);
	if (newline != NULL && n <= JWT_BYTES_MAX / 2) {
		check_signed(data, n, (size_t)(newline - data), &j, &named);
		check_signed(data, n, (size_t)(newline - data), &j, &nameless);
	}
	return 0;
}
