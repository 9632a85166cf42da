/*
 * Invariants: keys and minted tokens are kept for as long as the program runs; the same words give the same bytes.
 */
#include "sim/mint.h"

#include <assert.h>
#include <bearssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

enum {
	KEYS_MAX = 64,
	NAME_MAX = 32,
	RSA_BITS = 2048,
	RSA_BYTES = RSA_BITS / 8,
	RSA_EXPONENT = 65537,
	MINTED_MAX = 512,       /* more are not kept */
	CLAIMS_MAX = 2048,
};

enum kind { SECRET, RSA, EC };

struct key {
	char name[NAME_MAX];
	br_rsa_private_key rsa;
	uint8_t rsa_bytes[BR_RSA_KBUF_PRIV_SIZE(RSA_BITS)], modulus[RSA_BYTES];
	br_ec_private_key ec;
	uint8_t ec_bytes[32], point[65];
};

struct minted {
	char *by, *signing_input, *token;
};

static struct key keys[KEYS_MAX];
static uint32_t key_count;
static struct minted minted[MINTED_MAX];
static uint32_t minted_count;

static enum kind kind_of(struct str name)
{
	return str_has_prefix(name, STR("rs")) ? RSA : str_has_prefix(name, STR("es")) ? EC : SECRET;
}

/* --- keys --- */

void mint_secret(struct str name, uint8_t out[MINT_SECRET_BYTES])
{
	br_sha256_context sha;

	br_sha256_init(&sha);
	br_sha256_update(&sha, "a key of the tests: ", 20);
	br_sha256_update(&sha, name.p, name.n);
	br_sha256_out(&sha, out);
}

static void make_rsa(struct key *k, struct str name)
{
	uint8_t public_bytes[BR_RSA_KBUF_PUB_SIZE(RSA_BITS)];
	br_hmac_drbg_context rng;
	br_rsa_public_key public;

	br_hmac_drbg_init(&rng, &br_sha256_vtable, name.p, name.n);
	if (br_rsa_keygen_get_default()(&rng.vtable, &k->rsa, k->rsa_bytes, &public, public_bytes, RSA_BITS, RSA_EXPONENT) != 1)
		abort();
	assert(public.nlen == RSA_BYTES);
	memcpy(k->modulus, public.n, public.nlen);
}

static void make_ec(struct key *k, struct str name)
{
	uint8_t public_bytes[BR_EC_KBUF_PUB_MAX_SIZE];
	br_ec_public_key public;

	mint_secret(name, k->ec_bytes);
	k->ec_bytes[0] &= 0x7f; /* below the order */
	k->ec = (br_ec_private_key){ .curve = BR_EC_secp256r1, .x = k->ec_bytes, .xlen = sizeof(k->ec_bytes) };
	if (br_ec_compute_pub(br_ec_get_default(), &public, public_bytes, &k->ec) != sizeof(k->point))
		abort();
	memcpy(k->point, public.q, sizeof(k->point));
}

static struct key *key_named(struct str name)
{
	struct key *k;

	for (uint32_t i = 0; i < key_count; i++)
		if (str_eq(str_of(keys[i].name, strlen(keys[i].name)), name))
			return &keys[i];
	if (key_count == KEYS_MAX || name.n == 0 || name.n >= NAME_MAX)
		abort();
	k = &keys[key_count++];
	memcpy(k->name, name.p, name.n);
	if (kind_of(name) == RSA)
		make_rsa(k, name);
	else
		make_ec(k, name);
	return k;
}

size_t mint_jwks(struct str names, char *out, size_t cap)
{
	int n = snprintf(out, cap, "{\"keys\":[");
	bool first = true;

	while (names.n > 0) {
		const char *blank = memchr(names.p, ' ', names.n);
		struct str name = str_of(names.p, blank == NULL ? names.n : (size_t)(blank - names.p));
		char x[BASE64_ENCODED_BYTES(RSA_BYTES) + 1] = "", y[BASE64_ENCODED_BYTES(32) + 1] = "";
		const struct key *k;

		names = blank == NULL ? STR("") : str_of(blank + 1, names.n - name.n - 1);
		if (name.n == 0)
			continue;
		k = key_named(name);
		n += snprintf(out + n, cap - (size_t)n, "%s{\"kid\":\"%s\",\"use\":\"sig\",", first ? "" : ",", k->name);
		if (kind_of(name) == RSA) {
			x[base64_encode_url(x, sizeof(x), k->modulus, RSA_BYTES)] = '\0';
			n += snprintf(out + n, cap - (size_t)n, "\"kty\":\"RSA\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\"%s\"}", x);
		} else {
			x[base64_encode_url(x, sizeof(x), k->point + 1, 32)] = '\0';
			y[base64_encode_url(y, sizeof(y), k->point + 33, 32)] = '\0';
			n += snprintf(out + n, cap - (size_t)n, "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
		}
		first = false;
	}
	n += snprintf(out + n, cap - (size_t)n, "]}");
	assert((size_t)n < cap);
	return (size_t)n;
}

/* --- signing --- */

/* The signature's bytes to out[RSA_BYTES]. */
static size_t sign(struct str name, const char *input, size_t n, uint8_t *out)
{
	uint8_t hash[32];
	br_sha256_context sha;
	br_hmac_key_context secret;
	br_hmac_context hmac;

	if (kind_of(name) == SECRET) {
		uint8_t bytes[MINT_SECRET_BYTES];

		mint_secret(name, bytes);
		br_hmac_key_init(&secret, &br_sha256_vtable, bytes, sizeof(bytes));
		br_hmac_init(&hmac, &secret, 0);
		br_hmac_update(&hmac, input, n);
		return br_hmac_out(&hmac, out);
	}
	br_sha256_init(&sha);
	br_sha256_update(&sha, input, n);
	br_sha256_out(&sha, hash);
	if (kind_of(name) == EC)
		return br_ecdsa_sign_raw_get_default()(br_ec_get_default(), &br_sha256_vtable, hash, &key_named(name)->ec, out);
	if (br_rsa_pkcs1_sign_get_default()(BR_HASH_OID_SHA256, hash, sizeof(hash), &key_named(name)->rsa, out) != 1)
		abort();
	return RSA_BYTES;
}

/* --- words --- */

bool mint_duration(struct str text, int64_t *ms)
{
	static const struct {
		struct str unit;
		int64_t ms;
	} units[] = { { STR("ms"), 1 }, { STR("s"), 1000 }, { STR("m"), 60000 }, { STR("h"), 3600000 }, { STR("d"), 86400000 } };
	char digits[24] = "", *end;

	if (text.n == 0 || text.n >= sizeof(digits))
		return false;
	memcpy(digits, text.p, text.n);
	*ms = strtoll(digits, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_eq(str_of(end, strlen(end)), units[i].unit)) {
			*ms *= units[i].ms;
			return true;
		}
	return false;
}

struct text {
	char v[CLAIMS_MAX];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->v + t->n, sizeof(t->v) - t->n, fmt, ap);
	va_end(ap);
	assert(n >= 0 && (size_t)n < sizeof(t->v) - t->n);
	t->n += (size_t)n;
}

#define S(s) (int)(s).n, (s).p

/* `a` or `[a,b]` as JSON. */
static void append_value(struct text *t, struct str value)
{
	bool list = value.n >= 2 && value.p[0] == '[';

	if (!list) {
		append(t, "\"%.*s\"", S(value));
		return;
	}
	append(t, "[");
	for (size_t from = 1, at = 1; at < value.n && value.n > 2; at++)
		if (value.p[at] == ',' || value.p[at] == ']') {
			append(t, "%s\"%.*s\"", from > 1 ? "," : "", (int)(at - from), value.p + from);
			from = at + 1;
		}
	append(t, "]");
}

struct order {
	struct str by, kid, alg;
	bool bad_signature;
	int64_t ttl_ms;
	bool forever;
	struct text claims;
};

static bool has_word(const char *const *words, struct str s)
{
	for (; *words != NULL; words++)
		if (str_eq(s, str_of(*words, strlen(*words))))
			return true;
	return false;
}

/* A date of the claims: milliseconds from 1970 as seconds with a fraction. */
static void append_date(struct order *o, const char *name, int64_t ms)
{
	append(&o->claims, ",\"%s\":%lld.%03lld", name, (long long)(ms / 1000), (long long)(ms % 1000));
}

static bool take_member(struct order *o, struct str key, struct str value, wall_t now)
{
	static const char *const texts[] = { "sub", "iss", "aud", "azp", "scope", "jti", "rooms", NULL };
	int64_t ms;

	if (has_word(texts, key)) {
		append(&o->claims, ",\"%.*s\":", S(key));
		append_value(&o->claims, value);
	} else if (str_eq(key, STR("name"))) {
		append(&o->claims, ",\"preferred_username\":\"%.*s\"", S(value));
	} else if (str_eq(key, STR("raw"))) {
		append(&o->claims, ",%.*s", S(value));
	} else if (str_eq(key, STR("ttl"))) {
		o->forever = str_eq(value, STR("none"));
		return o->forever || mint_duration(value, &o->ttl_ms);
	} else if (str_eq(key, STR("nbf")) || str_eq(key, STR("iat"))) {
		if (!mint_duration(value, &ms))
			return false;
		append_date(o, str_eq(key, STR("nbf")) ? "nbf" : "iat", now.ms + ms);
	} else if (str_eq(key, STR("by"))) {
		o->by = value;
	} else if (str_eq(key, STR("kid"))) {
		o->kid = value;
	} else if (str_eq(key, STR("alg"))) {
		o->alg = value;
	} else if (str_eq(key, STR("bad")) && str_eq(value, STR("signature"))) {
		o->bad_signature = true;
	} else {
		return false;
	}
	return true;
}

/* The next member is taken off the front; commas in brackets are its own. */
static bool next_member(struct str *rest, struct str *key, struct str *value)
{
	const char *colon = memchr(rest->p, ':', rest->n);
	size_t end = 0;
	int depth = 0;

	if (colon == NULL)
		return false;
	*key = str_of(rest->p, (size_t)(colon - rest->p));
	while (end < rest->n && (str_eq(*key, STR("raw")) || depth > 0 || rest->p[end] != ',')) {
		depth += rest->p[end] == '[';
		depth -= rest->p[end] == ']';
		end++;
	}
	*value = str_of(colon + 1, end - key->n - 1);
	*rest = end == rest->n ? STR("") : str_of(rest->p + end + 1, rest->n - end - 1);
	return true;
}

static size_t put_part(char *out, struct str json)
{
	return base64_encode_url(out, MINT_TOKEN_MAX, (const uint8_t *)json.p, json.n);
}

/* Signs what is ordered; the claims have their closing brace. */
static void finish(const struct order *o, char *out)
{
	static const char *const algorithms[] = { "HS256", "RS256", "ES256" };
	struct text header = { .n = 0 };
	uint8_t signature[RSA_BYTES];
	size_t n, signed_bytes;

	append(&header, "{\"typ\":\"JWT\",\"alg\":\"");
	if (str_absent(o->alg))
		append(&header, "%s\"", algorithms[kind_of(o->by)]);
	else
		append(&header, "%.*s\"", S(o->alg));
	if (!str_absent(o->kid) && !str_eq(o->kid, STR("none")))
		append(&header, ",\"kid\":\"%.*s\"", S(o->kid));
	else if (str_absent(o->kid) && kind_of(o->by) != SECRET)
		append(&header, ",\"kid\":\"%.*s\"", S(o->by));
	append(&header, "}");
	n = put_part(out, str_of(header.v, header.n));
	out[n++] = '.';
	n += put_part(out + n, str_of(o->claims.v, o->claims.n));
	signed_bytes = n;
	for (uint32_t i = 0; i < minted_count; i++)
		if (str_eq(o->by, str_of(minted[i].by, strlen(minted[i].by))) && strlen(minted[i].signing_input) == n &&
		    memcmp(minted[i].signing_input, out, n) == 0) {
			memcpy(out, minted[i].token, strlen(minted[i].token) + 1);
			goto minted_before;
		}
	out[n++] = '.';
	n += base64_encode_url(out + n, MINT_TOKEN_MAX - n, signature, sign(o->by, out, signed_bytes, signature));
	out[n] = '\0';
	if (minted_count < MINTED_MAX) {
		struct minted *m = &minted[minted_count++];

		m->by = strndup(o->by.p, o->by.n);
		m->signing_input = strndup(out, signed_bytes);
		m->token = strdup(out);
	}
minted_before:
	if (o->bad_signature) /* in its middle: the last digit may have bits that count for nothing */
		out[strlen(out) - 20] = out[strlen(out) - 20] == 'A' ? 'B' : 'A';
}

bool mint_token(struct str spec, wall_t now, char *out)
{
	static struct order o;
	struct str key, value;

	o = (struct order){ .by = STR("hs"), .kid = STR_NONE, .alg = STR_NONE, .ttl_ms = 3600000 };
	append(&o.claims, "{\"test\":true");
	while (spec.n > 0)
		if (!next_member(&spec, &key, &value) || !take_member(&o, key, value, now))
			return false;
	if (!o.forever)
		append_date(&o, "exp", now.ms + o.ttl_ms);
	append(&o.claims, "}");
	finish(&o, out);
	return true;
}

bool mint_expand(struct str in, wall_t now, char *out, size_t cap)
{
	char token[MINT_TOKEN_MAX];
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		const char *end;
		size_t k = 1;

		if (in.p[i] != 'T' || i + 1 == in.n || in.p[i + 1] != '{' || (end = memchr(in.p + i, '}', in.n - i)) == NULL) {
			token[0] = in.p[i];
		} else {
			if (!mint_token(str_of(in.p + i + 2, (size_t)(end - in.p) - i - 2), now, token))
				return false;
			k = strlen(token);
			i = (size_t)(end - in.p);
		}
		if (k > cap - n)
			return false;
		memcpy(out + n, token, k);
		n += k;
	}
	if (n == cap)
		return false;
	out[n] = '\0';
	return true;
}
