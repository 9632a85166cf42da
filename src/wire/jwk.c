/*
 * See wire/jwk.h. Every way in, JSON or DER, ends at take_rsa() or take_p256(), where the policy is. A set is
 * read twice: the first time only to know that it has a key, so that a useless one changes nothing.
 */
#include "wire/jwk.h"

#include <assert.h>
#include <bearssl.h>

#include "base/base64.h"
#include "wire/jws.h"
#include "wire/pem.h"
#include "wire/spki.h"

enum {
	MODULUS_BITS_MIN = 2048,
	EXPONENT_MIN = 65537,
	COORDINATE_BYTES = 32,
	POINT_UNCOMPRESSED = 0x04,
	PEM_OBJECT_BYTES_MAX = 4096,      /* a certificate with a long list of names */
	FINGERPRINT_PRIME_MAX = 167,
	OPERATIONS_MAX = 16,              /* RFC 7517 4.3 knows eight; each is compared with each */
};

static uint8_t byte_at(struct str s, size_t i)
{
	assert(i < s.n);
	return (uint8_t)s.p[i];
}

static unsigned remainder_of(struct str big_endian, unsigned divisor)
{
	unsigned r = 0;

	for (size_t i = 0; i < big_endian.n; i++)
		r = (r << 8 | byte_at(big_endian, i)) % divisor;
	return r;
}

static bool is_prime(unsigned n)
{
	for (unsigned d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return true;
}

static bool is_power_of_65537(unsigned r, unsigned prime)
{
	unsigned power = 1;

	do {
		if (power == r)
			return true;
		power = power * (EXPONENT_MIN % prime) % prime;
	} while (power != 1);
	return false;
}

/*
 * CVE-2017-15361 (Nemec et al., The Return of Coppersmith's Attack, section 2.2): primes of that generator
 * are powers of 65537 modulo every small prime, and so are their products. Of other moduli less than one in
 * 2^27 is that for all primes to 167.
 */
static bool is_roca(struct str modulus)
{
	for (unsigned prime = 3; prime <= FINGERPRINT_PRIME_MAX; prime += 2)
		if (is_prime(prime) && !is_power_of_65537(remainder_of(modulus, prime), prime))
			return false;
	return true;
}

/* Numbers are in as few bytes as they need: a zero in front is refused (RFC 7518 2, Base64urlUInt). */
static bool is_modulus(struct str n)
{
	return n.n >= MODULUS_BITS_MIN / 8 && n.n <= JWK_MATERIAL_BYTES_MAX && byte_at(n, 0) != 0 &&
	       (n.n > MODULUS_BITS_MIN / 8 || byte_at(n, 0) >= 0x80) && byte_at(n, n.n - 1) % 2 == 1 &&
	       !is_roca(n);
}

static bool is_exponent(struct str e)
{
	uint64_t v = 0;

	if (e.n == 0 || e.n > JWK_EXPONENT_BYTES_MAX || byte_at(e, 0) == 0)
		return false;
	for (size_t i = 0; i < e.n; i++)
		v = v << 8 | byte_at(e, i);
	return v >= EXPONENT_MIN && v % 2 == 1;
}

/* Fills key's algorithm and numbers; false and untouched if policy does not take them. */
static bool take_rsa(struct jwk *key, struct str n, struct str e)
{
	if (!is_modulus(n) || !is_exponent(e))
		return false;
	key->algorithm = JWK_RS256;
	key->material_bytes = (uint16_t)n.n;
	memcpy(key->material, n.p, n.n);
	key->exponent_bytes = (uint8_t)e.n;
	memcpy(key->exponent, e.p, e.n);
	return true;
}

static bool take_p256(struct jwk *key, struct str point)
{
	if (!jws_is_p256_point((const uint8_t *)point.p, point.n))
		return false;
	key->algorithm = JWK_ES256;
	key->material_bytes = (uint16_t)point.n;
	memcpy(key->material, point.p, point.n);
	key->exponent_bytes = 0;
	return true;
}

/* The string of a member; false when it is missing or no string. */
static bool member(struct json *j, json_ref entry, struct str name, struct str *out)
{
	return json_str(j, json_get(j, entry, name), out);
}

static bool member_is(struct json *j, json_ref entry, struct str name, struct str want)
{
	struct str s;

	return member(j, entry, name, &s) && str_eq(s, want);
}

static bool is_absent(struct json *j, json_ref entry, struct str name)
{
	return json_get(j, entry, name) == JSON_ABSENT;
}

/* RFC 7517 4.3: few strings, none of them twice, "verify" among them. */
static bool is_for_verifying(struct json *j, json_ref operations)
{
	bool found = false;
	struct str a, b;

	if (json_type(j, operations) != JSON_ARRAY || json_count(j, operations) > OPERATIONS_MAX)
		return false;
	for (json_ref i = json_first(j, operations); i != JSON_ABSENT; i = json_next(j, i)) {
		if (!json_str(j, i, &a))
			return false;
		for (json_ref k = json_first(j, operations); k != i; k = json_next(j, k)) {
			bool is_text = json_str(j, k, &b);

			assert(is_text); /* it was `a` before */
			if (str_eq(a, b))
				return false;
		}
		found |= str_eq(a, STR("verify"));
	}
	return found;
}

/* Whether the key says that it signs. What is for something else does not even make a name ambiguous. */
static bool signs(struct json *j, json_ref entry)
{
	json_ref operations = json_get(j, entry, STR("key_ops"));

	if (!is_absent(j, entry, STR("use")) && !member_is(j, entry, STR("use"), STR("sig")))
		return false;
	return operations == JSON_ABSENT || is_for_verifying(j, operations);
}

static bool name(struct json *j, json_ref entry, struct str *kid)
{
	return member(j, entry, STR("kid"), kid) && kid->n > 0 && kid->n <= JWK_KID_BYTES_MAX;
}

static bool read_number(struct json *j, json_ref entry, struct str name_, uint8_t *out, size_t cap,
                        struct str *bytes)
{
	struct str text;
	size_t n;

	if (!member(j, entry, name_, &text) || !base64_decode(BASE64_URL, text, out, cap, &n))
		return false;
	*bytes = str_of((const char *)out, n);
	return true;
}

static bool read_rsa(struct jwk *key, struct json *j, json_ref entry)
{
	uint8_t modulus[JWK_MATERIAL_BYTES_MAX], exponent[JWK_EXPONENT_BYTES_MAX];
	struct str n, e;

	return read_number(j, entry, STR("n"), modulus, sizeof(modulus), &n) &&
	       read_number(j, entry, STR("e"), exponent, sizeof(exponent), &e) && take_rsa(key, n, e);
}

static bool read_p256(struct jwk *key, struct json *j, json_ref entry)
{
	uint8_t point[1 + 2 * COORDINATE_BYTES] = { POINT_UNCOMPRESSED };
	struct str x, y;

	return member_is(j, entry, STR("crv"), STR("P-256")) &&
	       read_number(j, entry, STR("x"), point + 1, COORDINATE_BYTES, &x) &&
	       x.n == COORDINATE_BYTES &&
	       read_number(j, entry, STR("y"), point + 1 + COORDINATE_BYTES, COORDINATE_BYTES, &y) &&
	       y.n == COORDINATE_BYTES && take_p256(key, str_of((const char *)point, sizeof(point)));
}

/* Is the key's `alg`, if it says one, ours for that kind? */
static bool alg_is(struct json *j, json_ref entry, struct str alg)
{
	return is_absent(j, entry, STR("alg")) || member_is(j, entry, STR("alg"), alg);
}

/* Reads one entry of a set; false if it cannot be used. `d`: who can read the set can sign with that key. */
static bool read_entry(struct jwk *key, struct json *j, json_ref entry)
{
	struct str kid;

	if (!name(j, entry, &kid) || !signs(j, entry) || !is_absent(j, entry, STR("d")))
		return false;
	key->kid_bytes = (uint16_t)kid.n;
	memcpy(key->kid, kid.p, kid.n);
	if (member_is(j, entry, STR("kty"), STR("RSA")))
		return alg_is(j, entry, STR("RS256")) && read_rsa(key, j, entry);
	if (member_is(j, entry, STR("kty"), STR("EC")))
		return alg_is(j, entry, STR("ES256")) && read_p256(key, j, entry);
	return false;
}

/* Whether another signing key has the same name. */
static bool is_ambiguous(struct json *j, json_ref keys, json_ref entry)
{
	struct str kid, other;

	if (!name(j, entry, &kid))
		return false;
	for (json_ref i = json_first(j, keys); i != JSON_ABSENT; i = json_next(j, i))
		if (i != entry && signs(j, i) && name(j, i, &other) && str_eq(kid, other))
			return true;
	return false;
}

static bool has_key(struct json *j, json_ref keys)
{
	struct jwk key;
	uint32_t looked_at = 0;

	for (json_ref i = json_first(j, keys); i != JSON_ABSENT && looked_at < JWK_ENTRIES_MAX;
	     i = json_next(j, i), looked_at++)
		if (!is_ambiguous(j, keys, i) && read_entry(&key, j, i))
			return true;
	return false;
}

enum jwk_result jwk_set_read(struct jwk_set *set, struct json *j)
{
	json_ref keys = json_get(j, json_root(j), STR("keys"));
	uint32_t looked_at = 0;

	if (json_type(j, keys) != JSON_ARRAY)
		return JWK_NOT_A_SET;
	if (!has_key(j, keys))
		return JWK_NO_KEYS;
	set->count = 0;
	for (json_ref i = json_first(j, keys); i != JSON_ABSENT && looked_at < JWK_ENTRIES_MAX &&
	     set->count < JWK_KEYS_MAX; i = json_next(j, i), looked_at++)
		if (!is_ambiguous(j, keys, i) && read_entry(&set->keys[set->count], j, i))
			set->count++;
	set->passed_over = json_count(j, keys) - set->count;
	assert(set->count > 0);
	return JWK_OK;
}

/* Adds a key without a name, unless no token could ever tell it from another. */
static enum jwk_result add_nameless(struct jwk_set *set, const struct jwk *key)
{
	assert(set->count <= JWK_KEYS_MAX && key->kid_bytes == 0);
	if (set->count == JWK_KEYS_MAX)
		return JWK_TOO_MANY;
	for (uint32_t i = 0; i < set->count; i++)
		if (set->keys[i].algorithm == key->algorithm && set->keys[i].kid_bytes == 0)
			return JWK_AMBIGUOUS;
	set->keys[set->count++] = *key;
	return JWK_OK;
}

static enum jwk_result take_spki(struct jwk *key, const struct spki *spki)
{
	bool taken = str_absent(spki->point) ? take_rsa(key, spki->modulus, spki->exponent)
	                                     : take_p256(key, spki->point);

	return taken ? JWK_OK : JWK_WEAK;
}

static enum jwk_result take_certificate(struct jwk *key, const uint8_t *der, size_t n)
{
	br_x509_decoder_context decoder;
	const br_x509_pkey *found;

	br_x509_decoder_init(&decoder, NULL, NULL);
	br_x509_decoder_push(&decoder, der, n);
	found = br_x509_decoder_get_pkey(&decoder);
	if (found == NULL)
		return JWK_UNKNOWN;
	if (found->key_type == BR_KEYTYPE_RSA) /* its numbers come without the zeros in front */
		return take_spki(key, &(struct spki){
			.modulus = str_of((const char *)found->key.rsa.n, found->key.rsa.nlen),
			.exponent = str_of((const char *)found->key.rsa.e, found->key.rsa.elen) });
	assert(found->key_type == BR_KEYTYPE_EC); /* BearSSL's decoder knows no third */
	if (found->key.ec.curve == BR_EC_secp256r1)
		return take_spki(key, &(struct spki){
			.point = str_of((const char *)found->key.ec.q, found->key.ec.qlen) });
	return JWK_UNKNOWN;
}

static enum jwk_result take_object(struct jwk *key, struct str label, const uint8_t *der, size_t n)
{
	struct str text = str_of((const char *)der, n);
	struct spki spki;

	if (str_eq(label, STR("CERTIFICATE")))
		return take_certificate(key, der, n);
	if ((str_eq(label, STR("PUBLIC KEY")) && spki_read(&spki, text)) ||
	    (str_eq(label, STR("RSA PUBLIC KEY")) && spki_read_rsa(&spki, text)))
		return take_spki(key, &spki);
	return JWK_UNKNOWN;
}

enum jwk_result jwk_set_add_pem(struct jwk_set *set, struct str pem)
{
	uint8_t der[PEM_OBJECT_BYTES_MAX];
	struct pem walk = { .rest = pem };
	struct jwk key = { 0 };
	uint32_t before = set->count;
	enum jwk_result result = JWK_OK;
	enum pem_result object = PEM_OBJECT;

	while (result == JWK_OK && (object = pem_next(&walk, der, sizeof(der))) == PEM_OBJECT) {
		result = take_object(&key, walk.name, der, walk.bytes);
		if (result == JWK_OK)
			result = add_nameless(set, &key);
	}
	if (result == JWK_OK && object == PEM_END && set->count > before)
		return JWK_OK;
	set->count = before;
	return result == JWK_OK ? JWK_NOT_PEM : result;
}

struct str jwk_secret_of_file(struct str file)
{
	if (file.n == 0 || file.p[file.n - 1] != '\n')
		return file;
	file.n--;
	file.n -= file.n > 0 && file.p[file.n - 1] == '\r';
	return file;
}

enum jwk_result jwk_set_add_secret(struct jwk_set *set, struct str secret)
{
	struct jwk key = { .algorithm = JWK_HS256 };

	if (secret.n == 0)
		return JWK_EMPTY_SECRET;
	if (secret.n > JWK_MATERIAL_BYTES_MAX)
		return JWK_SECRET_TOO_LONG;
	key.material_bytes = (uint16_t)secret.n;
	memcpy(key.material, secret.p, secret.n);
	return add_nameless(set, &key);
}

const char *jwk_result_text(enum jwk_result result)
{
	static const char *const texts[] = {
		[JWK_OK] = "is good",
		[JWK_NOT_A_SET] = "is no JSON object with an array `keys`",
		[JWK_NO_KEYS] = "has no key that can be used",
		[JWK_NOT_PEM] = "has no PEM object, or a broken one",
		[JWK_UNKNOWN] = "has something that is neither an RSA nor a P-256 public key, nor a "
		                "certificate with one",
		[JWK_WEAK] = "has a key that is too weak or broken: RSA wants 2048 to 4096 bits and an "
		             "exponent from 65537 up, EC a point on P-256",
		[JWK_EMPTY_SECRET] = "is empty",
		[JWK_SECRET_TOO_LONG] = "is longer than 512 bytes",
		[JWK_TOO_MANY] = "is one key too many",
		[JWK_AMBIGUOUS] = "has a second key for the same algorithm, and neither has a name",
	};

	assert((size_t)result < sizeof(texts) / sizeof(texts[0]));
	return texts[result];
}
