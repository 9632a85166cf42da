/*
 * wire/jwt, wire/jws: RFC 7515, 7518, 7519, 8725 and RELIABILITY T1 to T3, T7 to T12. The rows are node's
 * (jwt_vectors.mjs); "JWS 46" is the class that Project Wycheproof's json_web_signature vector 46 begins. Each token
 * lies against a guard page, and so does what it is decoded to.
 */
#include <bearssl.h>

#include "feed.h"
#include "jwt_vectors.h"
#include "wire/jwt.h"

enum { TOKENS = 512 };
static const wall_t now = { INT64_C(1700000000000) };

static struct json_tok toks[TOKENS];
static struct json j;
static struct jwk_set set;

static void add_pem(const char *text)
{
	if (jwk_set_add_pem(&set, str_of(text, strlen(text))) != JWK_OK)
		abort();
}

static void add_secret(void)
{
	if (jwk_set_add_secret(&set, str_of(jwt_secret, strlen(jwt_secret))) != JWK_OK)
		abort();
}

static void use_keys(const char *name)
{
	char *copy = strdup(jwt_set);

	memset(&set, 0, sizeof(set));
	if (strcmp(name, "SET") == 0 &&
	    (json_parse(&j, copy, strlen(copy)) != JSON_OK || jwk_set_read(&set, &j) != JWK_OK || set.count != 3))
		abort();
	if (strcmp(name, "RSA4096") == 0)
		add_pem(jwt_rsa4096_pem);
	if (strcmp(name, "RSA") == 0 || strcmp(name, "ALL") == 0)
		add_pem(jwt_rsa_pem);
	if (strcmp(name, "EC") == 0 || strcmp(name, "ALL") == 0)
		add_pem(jwt_ec_pem);
	if (strcmp(name, "SECRET") == 0 || strcmp(name, "ALL") == 0)
		add_secret();
	free(copy);
}

static struct jwt_policy policy_of(const char *name)
{
	static const struct str issuers[] = { { "https://id.example/realms/two", 29 },
	                                      { "https://id.example/realms/one", 29 } };
	static const struct str audiences[] = { { "presenced", 9 }, { "second", 6 } };
	static const struct str clients[] = { { "mobile", 6 }, { "web", 3 } };
	struct jwt_policy p = { 0 };

	if (strcmp(name, "LEEWAY") == 0)
		p.leeway_ms = JWT_LEEWAY_MS_MAX;
	if (strcmp(name, "PARTIES") == 0) {
		p.issuers = issuers;
		p.issuer_count = 2;
		p.audiences = audiences;
		p.audience_count = 2;
	}
	if (strcmp(name, "CLIENT") == 0) {
		p.clients = clients;
		p.client_count = 2;
	}
	return p;
}

/* All three steps; the decoded parts end at the end of their allocation. */
static enum jwt_result verify(struct str token, const struct jwt_policy *policy, struct jwt_claims *claims,
                              uint8_t *scratch, size_t cap)
{
	enum jwt_result result;
	const struct jwk *key;
	struct jwt t;

	result = jwt_open(&t, token, &j, scratch, cap);
	if (result != JWT_OK)
		return result;
	key = jwt_key(&t, &set, &result);
	if (key == NULL)
		return result;
	if (!jwt_signature_is_valid(&t, key))
		return JWT_SIGNATURE;
	return jwt_read(&t, &j, scratch, cap, policy, now, claims);
}

static void check(const struct jwt_row *r)
{
	struct jwt_policy policy = policy_of(r->policy);
	struct jwt_claims claims = { STR_NONE, STR_NONE, WALL_NONE };
	size_t n = strlen(r->token), cap = n * 3 / 4 + 1;
	uint8_t *scratch = malloc(cap);
	enum jwt_result got;

	use_keys(r->keys);
	got = verify(str_of(feed_guarded(r->token, n), n), &policy, &claims, scratch, cap);
	tap_ok(strcmp(jwt_result_label(got), r->want) == 0 && (got == JWT_OK) == !str_absent(claims.subject),
	       "%s: %s", r->clause, r->name);
	if (strcmp(jwt_result_label(got), r->want) != 0)
		printf("# got %s, want %s\n", jwt_result_label(got), r->want);
	free(scratch);
}

static const struct jwt_row *row(const char *name)
{
	for (size_t i = 0; i < sizeof(jwt_rows) / sizeof(jwt_rows[0]); i++)
		if (strcmp(jwt_rows[i].name, name) == 0)
			return &jwt_rows[i];
	abort();
}

/* Room that is too small is never written beyond, and is no other verdict than malformed. */
static void check_room(const char *name)
{
	const struct jwt_row *r = row(name);
	struct jwt_policy policy = { 0 };
	struct jwt_claims claims;
	size_t n = strlen(r->token), fits = 0;
	bool ok = true;

	use_keys(r->keys);
	for (size_t cap = 0; cap < n; cap++) {
		uint8_t *scratch = malloc(cap + !cap);
		enum jwt_result got = verify(str_of(r->token, n), &policy, &claims, scratch, cap);

		ok &= got == (fits > 0 ? JWT_OK : JWT_MALFORMED) || (fits == 0 && got == JWT_OK);
		if (got == JWT_OK && fits == 0)
			fits = cap;
		free(scratch);
	}
	tap_ok(ok && fits > 0, "jwt.h: any room, %s", name);
}

/* A token cut anywhere, or with any one byte of its signature turned, is refused. */
static void check_cuts(const char *name)
{
	const struct jwt_row *r = row(name);
	struct jwt_policy policy = { 0 };
	struct jwt_claims claims;
	uint8_t scratch[JWT_BYTES_MAX];
	size_t n = strlen(r->token);
	bool ok = true;

	use_keys(r->keys);
	for (size_t cut = 0; cut < n; cut++)
		ok &= verify(str_of(feed_guarded(r->token, cut), cut), &policy, &claims, scratch,
		             sizeof(scratch)) != JWT_OK;
	tap_ok(ok, "T8: every cut, %s", name);
	ok = true;
	for (size_t i = 0; i < n; i++) {
		char *copy = feed_guarded(r->token, n);

		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		ok &= verify(str_of(copy, n), &policy, &claims, scratch, sizeof(scratch)) != JWT_OK;
	}
	tap_ok(ok, "T7: any one digit another, %s", name);
}

static void check_claims(void)
{
	const struct jwt_row *r = row("exp has a fraction");
	struct jwt_policy policy = { 0 };
	struct jwt_claims claims;
	uint8_t scratch[1024];
	int64_t v = 0;

	use_keys(r->keys);
	tap_ok(verify(str_of(r->token, strlen(r->token)), &policy, &claims, scratch, sizeof(scratch)) == JWT_OK &&
	       claims.expires.ms == now.ms + 250 && str_eq(claims.subject, STR("alice")) &&
	       str_absent(claims.username), "jwt.h: subject and expiry, no username");
	r = row("iat is now");
	tap_ok(verify(str_of(r->token, strlen(r->token)), &policy, &claims, scratch, sizeof(scratch)) == JWT_OK &&
	       json_i64(&j, json_get(&j, json_root(&j), STR("iat")), &v) && v == now.ms / 1000,
	       "jwt.h: further claims can be asked for");
}

/* The key's algorithm counts even when the header's was not compared. */
static void check_confusion(void)
{
	const struct jwt_row *r = row("HS256 keyed with our RSA key, its modulus");
	enum jwt_result why;
	uint8_t scratch[1024];
	struct jwk *key;
	struct jwt t;

	use_keys("SET");
	key = &set.keys[0];
	tap_ok(jwt_open(&t, str_of(r->token, strlen(r->token)), &j, scratch, sizeof(scratch)) == JWT_OK &&
	       jwt_key(&t, &set, &why) == NULL && why == JWT_ALGORITHM && !jwt_signature_is_valid(&t, key),
	       "T2: an RSA key never makes a MAC");
	key->algorithm = JWK_HS256;
	tap_ok(jwt_signature_is_valid(&t, key), "T2: which would have been good");
	t.algorithm = JWK_RS256;
	tap_ok(!jwt_signature_is_valid(&t, key), "T2: a header that says another algorithm is never good");
}

/* Why jws.c compares the whole block itself: BearSSL takes the encoding without NULL. */
static void check_no_null(void)
{
	const struct jwt_row *r = row("RS256: no NULL");
	br_rsa_public_key rsa;
	br_sha256_context hash;
	uint8_t scratch[1024], got[32], want[32];
	struct jwt t;

	use_keys("RSA");
	rsa = (br_rsa_public_key){ set.keys[0].material, set.keys[0].material_bytes, set.keys[0].exponent,
	                           set.keys[0].exponent_bytes };
	if (jwt_open(&t, str_of(r->token, strlen(r->token)), &j, scratch, sizeof(scratch)) != JWT_OK)
		abort();
	br_sha256_init(&hash);
	br_sha256_update(&hash, t.signing_input.p, t.signing_input.n);
	br_sha256_out(&hash, want);
	tap_ok(br_rsa_pkcs1_vrfy_get_default()(t.signature, t.signature_bytes, BR_HASH_OID_SHA256, 32, &rsa, got) == 1 &&
	       memcmp(got, want, 32) == 0 && !jwt_signature_is_valid(&t, &set.keys[0]),
	       "RFC 8017 A.2.4: BearSSL's padding parser takes it without NULL, we do not");
}

int main(void)
{
	static const char *const whole[] = { "HS256", "RS256 by kid", "ES256 by kid" };
	struct jwt_policy policy = { 0 };
	struct jwt_claims claims;
	size_t n;
	uint8_t out[64];

	json_init(&j, toks, TOKENS);
	for (size_t i = 0; i < sizeof(jwt_rows) / sizeof(jwt_rows[0]); i++)
		check(&jwt_rows[i]);
	for (size_t i = 0; i < 3; i++)
		check_room(whole[i]);
	for (size_t i = 0; i < 3; i++)
		check_cuts(whole[i]);
	check_claims();
	check_confusion();
	check_no_null();
	use_keys("SECRET");
	tap_ok(verify(STR_NONE, &policy, &claims, NULL, 0) == JWT_MALFORMED, "T8: no token at all");
	tap_ok(verify(str_of("a.b\0.c", 6), &policy, &claims, out, sizeof(out)) == JWT_MALFORMED, "T8: NUL in a token");
	tap_ok(jwt_payload(STR("!.e30.c"), out, sizeof(out), &n) == false &&
	       jwt_payload(STR("e30.e3.c"), out, sizeof(out), &n) == false &&
	       jwt_payload(STR("e30.e30.!"), out, sizeof(out), &n) == false &&
	       jwt_payload(STR("e30.e30"), out, sizeof(out), &n) == false &&
	       jwt_payload(STR("e30.e30."), out, sizeof(out), &n) && n == 2 && memcmp(out, "{}", 2) == 0,
	       "jwt.h: jwt_payload");
	return tap_done();
}
