/*
 * wire/jwk, wire/spki, wire/der: RFC 7517, 7518 6, 5280, 8017, 5480 and RELIABILITY T4 to T6, T14. The rows are node's
 * and openssl's (jwt_vectors.mjs); "JWK 9" is a class of Project Wycheproof's json_web_key vectors.
 */
#include <bearssl.h>

#include "base/base64.h"
#include "feed.h"
#include "jwk_vectors.h"
#include "wire/der.h"
#include "wire/jwt.h"
#include "wire/spki.h"

static struct json_tok toks[JSON_TOKENS_MAX];
static struct json j;

static void say_set(struct feed_trace *t, const struct jwk_set *set, bool names)
{
	static const char *const algorithms[] = { "HS256", "RS256", "ES256" };

	for (uint32_t i = 0; i < set->count; i++) {
		const struct jwk *k = &set->keys[i];

		feed_say(t, "%s", algorithms[k->algorithm]);
		if (names)
			feed_say(t, " %.*s", (int)k->kid_bytes, k->kid);
		feed_say(t, ", ");
	}
	feed_say(t, "over %u", set->passed_over);
}

static void check_text(struct feed_trace *t, const char *want, const char *clause, const char *name)
{
	tap_ok(strcmp(t->text, want) == 0, "%s: %s", clause, name);
	if (strcmp(t->text, want) != 0)
		printf("# got  %s\n# want %s\n", t->text, want);
}

static void check_set(const struct jwk_row *r)
{
	static struct jwk_set set, before;
	static struct feed_trace t;
	size_t n = strlen(r->text);
	enum jwk_result result;

	memset(&set, 0x5a, sizeof(set));
	before = set;
	t.n = 0;
	if (json_parse(&j, feed_guarded(r->text, n), n) != JSON_OK)
		feed_say(&t, "no JSON");
	else if ((result = jwk_set_read(&set, &j)) == JWK_OK)
		say_set(&t, &set, true);
	else
		feed_say(&t, "%s%s", result == JWK_NOT_A_SET ? "no set" : result == JWK_NO_KEYS ? "no keys" : "?",
		         memcmp(&set, &before, sizeof(set)) == 0 ? "" : ", and something changed");
	check_text(&t, r->want, r->clause, r->name);
}

static void check_pem(const struct jwk_pem_row *r)
{
	static const char *const words[] = {
		[JWK_NOT_PEM] = "no PEM", [JWK_UNKNOWN] = "unknown", [JWK_WEAK] = "weak", [JWK_AMBIGUOUS] = "ambiguous",
	};
	static struct jwk_set set;
	static struct feed_trace t;
	size_t n = strlen(r->text);
	enum jwk_result result;

	memset(&set, 0, sizeof(set));
	t.n = 0;
	result = jwk_set_add_pem(&set, str_of(feed_guarded(r->text, n), n));
	if (result == JWK_OK)
		say_set(&t, &set, false);
	else
		feed_say(&t, "%s%s", words[result], set.count == 0 ? "" : ", and something came in");
	check_text(&t, r->want, r->clause, r->name);
}

/* T4: what the exponent's policy is for. The signature is the padded hash itself, as anybody can write it. */
static void check_forgery(void)
{
	static struct jwk_set set;
	struct jwk weak = { .algorithm = JWK_RS256, .exponent_bytes = 1, .exponent = { 1 }, .kid_bytes = 1, .kid = "r" };
	uint8_t scratch[1024], got[32];
	br_rsa_public_key rsa;
	char text[1024];
	size_t bytes;
	struct jwt t;
	int n;

	n = snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"n\":\"%s\",\"e\":\"AQ\"}]}",
	             jwk_forged_n);
	tap_ok(json_parse(&j, text, (size_t)n) == JSON_OK && jwk_set_read(&set, &j) == JWK_NO_KEYS,
	       "T4, JWK 9: a key with e = 1 is not taken");
	if (!base64_decode(BASE64_URL, str_of(jwk_forged_n, strlen(jwk_forged_n)), weak.material, 256, &bytes) ||
	    jwt_open(&t, str_of(jwk_forged, strlen(jwk_forged)), &j, scratch, sizeof(scratch)) != JWT_OK)
		abort();
	weak.material_bytes = (uint16_t)bytes;
	rsa = (br_rsa_public_key){ weak.material, bytes, weak.exponent, 1 };
	tap_ok(br_rsa_pkcs1_vrfy_get_default()(t.signature, t.signature_bytes, BR_HASH_OID_SHA256, 32, &rsa, got) == 1 &&
	       jwt_signature_is_valid(&t, &weak), "T4: BearSSL takes a signature that anybody can make, were e = 1");
}

/* T4: what a PEM of an RSA key with this exponent comes to; the modulus is a good one. */
static enum jwk_result exponent_in_pem(struct str e)
{
	static const uint8_t front[] = { 0x30, 0x82, 0x01, 0, 0x02, 0x82, 0x01, 0x01, 0x00 };
	static struct jwk_set set;
	uint8_t der[512];
	char text[1024];
	size_t n, at = sizeof(front) + 256;

	memcpy(der, front, sizeof(front));
	if (!base64_decode(BASE64_URL, str_of(jwk_forged_n, strlen(jwk_forged_n)), der + sizeof(front), 256, &n) || n != 256)
		abort();
	der[at++] = 0x02;
	der[at++] = (uint8_t)e.n;
	memcpy(der + at, e.p, e.n);
	at += e.n;
	der[3] = (uint8_t)(at - 4 - 256);
	n = (size_t)snprintf(text, sizeof(text), "-----BEGIN RSA PUBLIC KEY-----\n");
	n += base64_encode(text + n, sizeof(text) - n, der, at);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\n-----END RSA PUBLIC KEY-----\n");
	set.count = 0;
	return jwk_set_add_pem(&set, str_of(text, n));
}

static void check_exponents(void)
{
	tap_ok(exponent_in_pem(STR("\1\0\1")) == JWK_OK, "T4: e of 3 bytes, 65537");
	tap_ok(exponent_in_pem(STR("\1\0\0\0\0\0\0\1")) == JWK_OK, "T4: e of 8 bytes");
	tap_ok(exponent_in_pem(STR("\1\0\0\0\0\0\0\0\1")) == JWK_WEAK, "T4: e of 9 bytes");
	tap_ok(exponent_in_pem(STR("\1\0\0")) == JWK_WEAK, "T4: e that is even");
}

static void check_secrets(void)
{
	static struct jwk_set set;
	char text[JWK_MATERIAL_BYTES_MAX + 1];
	uint64_t words = 0;

	memset(text, 's', sizeof(text));
	tap_ok(jwk_set_add_secret(&set, STR("")) == JWK_EMPTY_SECRET && set.count == 0, "JWK 16: empty secret");
	tap_ok(jwk_set_add_secret(&set, str_of(text, sizeof(text))) == JWK_SECRET_TOO_LONG && set.count == 0,
	       "jwk.h: secret of 513 bytes");
	tap_ok(jwk_set_add_secret(&set, str_of(text, sizeof(text) - 1)) == JWK_OK && set.count == 1 &&
	       set.keys[0].algorithm == JWK_HS256 && set.keys[0].material_bytes == 512 && set.keys[0].kid_bytes == 0,
	       "jwk.h: secret of 512 bytes");
	tap_ok(jwk_set_add_secret(&set, STR("x")) == JWK_AMBIGUOUS && set.count == 1, "jwk.h: a second secret");
	tap_ok(jwk_secret_of_file(STR("")).n == 0 && jwk_secret_of_file(STR("\n")).n == 0 &&
	       str_eq(jwk_secret_of_file(STR("k\r\n")), STR("k")) && str_eq(jwk_secret_of_file(STR("k\n\n")), STR("k\n")),
	       "jwk.h: one line end at the end of a file is not the secret's");
	set.count = JWK_KEYS_MAX;
	tap_ok(jwk_set_add_secret(&set, STR("x")) == JWK_TOO_MANY && set.count == JWK_KEYS_MAX, "jwk.h: a full set");
	for (int i = 0; i <= JWK_AMBIGUOUS; i++)
		words += strlen(jwk_result_text((enum jwk_result)i)) > 3;
	tap_is_u64(words, JWK_AMBIGUOUS + 1, "jwk.h: a text for every result");
}

#define D(x) { x, sizeof(x) - 1 }
#define A16 "aaaaaaaaaaaaaaaa"
#define A128 A16 A16 A16 A16 A16 A16 A16 A16

/* X.690 8.1.3, 8.3, 8.6.2, 10.1. `want` is the content; NULL: refused. */
static const struct der_case {
	const char *name;
	struct str in;
	const char *want;
} sequences[] = {
	{ "empty", D("\x30\x00"), "" },
	{ "one byte, another left", D("\x30\x01" "ab"), "a" },
	{ "nothing", D(""), NULL },
	{ "tag alone", D("\x30"), NULL },
	{ "another tag", D("\x31\x01" "a"), NULL },
	{ "cut", D("\x30\x02" "a"), NULL },
	{ "long form that could be short", D("\x30\x81\x01" "a"), NULL },
	{ "128 bytes", D("\x30\x81\x80" A128), A128 },
	{ "a zero in front of the length", D("\x30\x82\x00\x80" A128), NULL },
	{ "a length beyond 64 bits", D("\x30\x89\x01\x00\x00\x00\x00\x00\x00\x00\x80" A128), NULL },
	{ "indefinite", D("\x30\x80" "a\0\0"), NULL },
	{ "length cut", D("\x30\x82\x01"), NULL },
	{ "long form, cut", D("\x30\x81\x80" "a"), NULL },
	{ "four length bytes", D("\x30\x84\x01\x00\x00\x00"), NULL },
	{ "reserved length", D("\x30\xff"), NULL },
}, integers[] = {
	{ "1", D("\x02\x01\x01"), "\1" },
	{ "128", D("\x02\x02\x00\x80"), "\x80" },
	{ "0", D("\x02\x01\x00"), "" },
	{ "no byte", D("\x02\x00"), NULL },
	{ "negative", D("\x02\x01\x80"), NULL },
	{ "a zero too many", D("\x02\x02\x00\x01"), NULL },
	{ "0 in two bytes", D("\x02\x02\x00\x00"), NULL },
}, strings[] = {
	{ "one byte", D("\x03\x02\x00" "a"), "a" },
	{ "empty", D("\x03\x01\x00"), "" },
	{ "without its first byte", D("\x03\x00"), NULL },
	{ "unused bits", D("\x03\x02\x01" "a"), NULL },
};

static bool take_sequence(struct str *in, struct str *out)
{
	return der_take(in, DER_SEQUENCE, out);
}

static void check_der(const struct der_case *c, size_t count, const char *what,
                      bool (*take)(struct str *, struct str *))
{
	for (size_t i = 0; i < count; i++) {
		struct str in = str_of(feed_guarded(c[i].in.p, c[i].in.n), c[i].in.n), was = in, out = STR_NONE;
		bool taken = take(&in, &out);

		if (c[i].want == NULL)
			tap_ok(!taken && in.p == was.p && in.n == was.n && str_absent(out), "X.690: %s, %s", what,
			       c[i].name);
		else
			tap_ok(taken && str_eq(out, str_of(c[i].want, strlen(c[i].want))) && in.p == out.p + out.n &&
			       in.p + in.n == was.p + was.n, "X.690: %s, %s", what, c[i].name);
	}
}

/* Any byte changed or missing in a good key never reads beyond it, nor gives a key that policy would not take. */
static void check_mutations(const struct jwk_pem_row *r)
{
	static struct jwk_set set;
	size_t n = strlen(r->text);
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		char *copy = feed_guarded(r->text, n);

		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		set.count = 0;
		if (jwk_set_add_pem(&set, str_of(copy, n)) == JWK_OK)
			ok &= set.count == 1 && (set.keys[0].algorithm == JWK_ES256 || set.keys[0].exponent_bytes >= 3);
		set.count = 0;
		ok &= jwk_set_add_pem(&set, str_of(feed_guarded(r->text, i), i)) != JWK_OK || i >= n - 1;
	}
	tap_ok(ok, "jwk.h: any digit another, any cut: %s", r->name);
}

int main(void)
{
	json_init(&j, toks, JSON_TOKENS_MAX);
	for (size_t i = 0; i < sizeof(jwk_sets) / sizeof(jwk_sets[0]); i++)
		check_set(&jwk_sets[i]);
	for (size_t i = 0; i < sizeof(jwk_pems) / sizeof(jwk_pems[0]); i++)
		check_pem(&jwk_pems[i]);
	for (size_t i = 0; i < sizeof(jwk_pems) / sizeof(jwk_pems[0]); i++)
		if (strcmp(jwk_pems[i].clause, "jwk.h") != 0 && strstr(jwk_pems[i].want, "over 0") != NULL)
			check_mutations(&jwk_pems[i]);
	check_forgery();
	check_exponents();
	check_secrets();
	check_der(sequences, sizeof(sequences) / sizeof(sequences[0]), "SEQUENCE", take_sequence);
	check_der(integers, sizeof(integers) / sizeof(integers[0]), "INTEGER", der_take_unsigned);
	check_der(strings, sizeof(strings) / sizeof(strings[0]), "BIT STRING", der_take_bytes);
	return tap_done();
}
