/*
 * wire/jwk.h: the keys that tokens are verified with (RFC 7517, RFC 7518), and the policy that keeps weak
 * ones out.
 *
 * The algorithm is the key's: RS256 for RSA, ES256 for P-256, HS256 for a secret. A key that another
 * algorithm claims (`alg`), that is for something else (`use`, `key_ops`), or that is weak, is not taken:
 * RSA wants an odd modulus of 2048 to 4096 bits and an odd exponent from 65537 up (with e = 1, which BearSSL
 * takes, anybody can sign), EC a point on P-256. Secrets never come from a set (`kty` oct is passed over).
 * RELIABILITY T4 to T6.
 */
#ifndef WIRE_JWK_H
#define WIRE_JWK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/str.h"

enum {
	JWK_KEYS_MAX = 32,
	JWK_ENTRIES_MAX = 64,         /* of a set that are looked at: half may be for something else */
	JWK_KID_BYTES_MAX = 128,
	JWK_MATERIAL_BYTES_MAX = 512, /* an RSA modulus of 4096 bits */
	JWK_EXPONENT_BYTES_MAX = 8,
	JWK_SECRET_BYTES_MIN = 32,    /* RFC 7518 3.2: as long as the hash; shorter: a warning */
};

enum jwk_algorithm { JWK_HS256, JWK_RS256, JWK_ES256 };

struct jwk {
	uint8_t algorithm;                        /* enum jwk_algorithm */
	uint8_t exponent_bytes;
	uint16_t material_bytes;
	uint16_t kid_bytes;                       /* 0: the key has no name, and any token may be its */
	char kid[JWK_KID_BYTES_MAX];
	uint8_t material[JWK_MATERIAL_BYTES_MAX]; /* RS256: modulus without leading zeros;
	                                           * ES256: 0x04 X Y; HS256: the secret */
	uint8_t exponent[JWK_EXPONENT_BYTES_MAX]; /* RS256: without leading zeros */
};

struct jwk_set {
	uint32_t count;
	uint32_t passed_over;                     /* keys of the source that were not taken */
	struct jwk keys[JWK_KEYS_MAX];
};

enum jwk_result {
	JWK_OK = 0,
	JWK_NOT_A_SET,     /* no object with an array `keys` */
	JWK_NO_KEYS,       /* of what there is, none can be used */
	JWK_NOT_PEM,       /* no PEM object, or a broken one */
	JWK_UNKNOWN,       /* PEM: neither an RSA nor a P-256 public key, nor a certificate with one */
	JWK_WEAK,          /* PEM: a key that policy does not take */
	JWK_EMPTY_SECRET,
	JWK_SECRET_TOO_LONG,
	JWK_TOO_MANY,      /* PEM, secret: more than JWK_KEYS_MAX */
	JWK_AMBIGUOUS,     /* PEM, secret: a second nameless key of its algorithm: no token could choose */
};

/*
 * Reads a JWK set (RFC 7517 5) that `j` has just parsed; escaped strings in its text are undone in place.
 * Keys that cannot be used are counted in passed_over: a key without `kid` or with one of more than
 * JWK_KID_BYTES_MAX; every key whose `kid` another signing key has too; numbers with a zero byte in front
 * (RFC 7518 2), an RSA modulus of the generator of CVE-2017-15361, a private key (`d`: it is no secret any
 * more); all beyond JWK_KEYS_MAX and JWK_ENTRIES_MAX. Members that nobody here knows (`x5c`) count for
 * nothing. JWK_OK with at least one key, and then only these are in *set; otherwise *set is untouched.
 */
enum jwk_result jwk_set_read(struct jwk_set *set, struct json *j);

/*
 * Adds the public keys of a PEM text (PUBLIC KEY, RSA PUBLIC KEY, CERTIFICATE: of that the key, whoever
 * signed it and whenever it ends), without names. All or none: after an error *set is as it was.
 */
enum jwk_result jwk_set_add_pem(struct jwk_set *set, struct str pem);

/* The secret that a file holds: all its bytes but one line's end, LF or CR LF, behind them. */
struct str jwk_secret_of_file(struct str file);

/* Adds a secret: all bytes of `secret` count. After an error *set is as it was. */
enum jwk_result jwk_set_add_secret(struct jwk_set *set, struct str secret);

/* For messages to the operator: "has no key that can be used". Static. */
const char *jwk_result_text(enum jwk_result);

#endif
