/*
 * See wire/jws.h. RSA is judged by building the one encoding that is right and comparing it whole (RFC 8017
 * 8.2.2, 9.2): there is no padding parser that a forger could please. BearSSL's own pkcs1_vrfy also takes the
 * encoding without NULL.
 */
#include "wire/jws.h"

#include <assert.h>
#include <bearssl.h>

enum {
	SHA256_BYTES = br_sha256_SIZE,
	POINT_BYTES = 65,
	P256_SIGNATURE_BYTES = 64,
};

/* DigestInfo of SHA-256, RFC 8017 9.2 note 1, up to the hash. */
static const uint8_t digest_info[] = {
	0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
};

static void sha256(struct str in, uint8_t out[SHA256_BYTES])
{
	br_sha256_context hash;

	br_sha256_init(&hash);
	br_sha256_update(&hash, in.p, in.n);
	br_sha256_out(&hash, out);
}

static bool is_hs256(const struct jwk *key, struct str input, const uint8_t *signature, size_t n)
{
	br_hmac_key_context secret;
	br_hmac_context hmac;
	uint8_t want[SHA256_BYTES], differs = 0;

	if (n != SHA256_BYTES)
		return false;
	br_hmac_key_init(&secret, &br_sha256_vtable, key->material, key->material_bytes);
	br_hmac_init(&hmac, &secret, 0);
	br_hmac_update(&hmac, input.p, input.n);
	br_hmac_out(&hmac, want);
	for (size_t i = 0; i < n; i++)
		differs |= want[i] ^ signature[i];
	return differs == 0;
}

/* EMSA-PKCS1-v1_5 (RFC 8017 9.2) of the hash: 00 01 FF .. FF 00 DigestInfo hash. */
static void encode(uint8_t *out, size_t n, const uint8_t hash[SHA256_BYTES])
{
	size_t tail = sizeof(digest_info) + SHA256_BYTES;

	assert(n >= 11 + tail);
	memset(out, 0xff, n);
	out[0] = 0;
	out[1] = 1;
	out[n - tail - 1] = 0;
	memcpy(out + n - tail, digest_info, sizeof(digest_info));
	memcpy(out + n - SHA256_BYTES, hash, SHA256_BYTES);
}

static bool is_rs256(const struct jwk *key, struct str input, const uint8_t *signature, size_t n)
{
	uint8_t modulus[JWK_MATERIAL_BYTES_MAX], exponent[JWK_EXPONENT_BYTES_MAX];
	uint8_t got[JWK_MATERIAL_BYTES_MAX], want[JWK_MATERIAL_BYTES_MAX];
	br_rsa_public_key rsa = { modulus, key->material_bytes, exponent, key->exponent_bytes };
	uint8_t hash[SHA256_BYTES];

	if (n != key->material_bytes)
		return false;
	memcpy(modulus, key->material, n);
	memcpy(exponent, key->exponent, key->exponent_bytes);
	memcpy(got, signature, n);
	if (br_rsa_public_get_default()(got, n, &rsa) != 1)
		return false;
	sha256(input, hash);
	encode(want, n, hash);
	return memcmp(got, want, n) == 0;
}

static bool is_es256(const struct jwk *key, struct str input, const uint8_t *signature, size_t n)
{
	uint8_t point[POINT_BYTES], hash[SHA256_BYTES];
	br_ec_public_key ec = { BR_EC_secp256r1, point, sizeof(point) };

	if (n != P256_SIGNATURE_BYTES)
		return false;
	memcpy(point, key->material, sizeof(point));
	sha256(input, hash);
	return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, hash, sizeof(hash), &ec, signature, n) == 1;
}

bool jws_is_valid(const struct jwk *key, struct str input, const uint8_t *signature, size_t n)
{
	assert(key->material_bytes <= JWK_MATERIAL_BYTES_MAX);
	assert(key->exponent_bytes <= JWK_EXPONENT_BYTES_MAX);
	switch (key->algorithm) {
	case JWK_HS256:
		return is_hs256(key, input, signature, n);
	case JWK_RS256:
		return is_rs256(key, input, signature, n);
	default:
		assert(key->algorithm == JWK_ES256);
		return is_es256(key, input, signature, n);
	}
}

bool jws_is_p256_point(const uint8_t *material, size_t n)
{
	static const uint8_t one[] = { 1 };
	uint8_t point[POINT_BYTES];

	if (n != sizeof(point) || material[0] != 0x04)
		return false;
	memcpy(point, material, n);
	return br_ec_p256_m31.mul(point, n, one, sizeof(one), BR_EC_secp256r1) == 1;
}
