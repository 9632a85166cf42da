/*
 * wire/jwt.h: JSON Web Tokens in compact form (RFC 7519, RFC 7515 3.1): header.payload.signature, base64url
 * without padding. RELIABILITY T1 to T12, RFC 8725.
 *
 * Verifying takes three steps, of which only the second costs anything worth a budget: jwt_open() looks at
 * the form and the header, jwt_signature_is_valid() at the signature with the key that jwt_key() found,
 * jwt_read() at the claims. A header's jwk, jku, x5u and x5c are never looked at.
 */
#ifndef WIRE_JWT_H
#define WIRE_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "wire/jwk.h"

enum {
	JWT_BYTES_MAX = 8192,
	JWT_SIGNATURE_BYTES_MAX = 512,
	JWT_LEEWAY_MS_MAX = 60000,
};

/* The last second of the year 9999: a later date is a mistake of units, and no date. */
#define JWT_DATE_MS_MAX INT64_C(253402300799999)

enum jwt_result {
	JWT_OK = 0,
	JWT_MALFORMED,     /* not three parts of strict base64url, no JSON objects,
	                    * a field of the wrong type */
	JWT_ALGORITHM,     /* alg is missing, unknown, or not the key's */
	JWT_CRITICAL,      /* `crit` or `b64`: extensions that nobody here knows */
	JWT_NO_KEY,        /* no key of that name: perhaps the next set has one */
	JWT_SIGNATURE,     /* not signed by that key */
	JWT_EXPIRED,       /* exp is past */
	JWT_NO_EXPIRY,     /* no exp */
	JWT_NOT_YET,       /* nbf or iat is in the future */
	JWT_ISSUER,
	JWT_AUDIENCE,
	JWT_SUBJECT,       /* sub is missing or no id */
	JWT_RESULTS
};

struct jwt {
	struct str signing_input;             /* header.payload, as it came; borrowed */
	struct str payload;                   /* base64url; borrowed */
	enum jwk_algorithm algorithm;         /* as the header says, which binds nobody: the key's counts */
	uint32_t kid_bytes;                   /* 0: none */
	char kid[JWK_KID_BYTES_MAX];
	uint32_t signature_bytes;
	uint8_t signature[JWT_SIGNATURE_BYTES_MAX];
};

/* What must stand in a token's claims. Lists that are empty demand nothing. */
struct jwt_policy {
	const struct str *issuers;            /* `iss` is one of these */
	uint32_t issuer_count;
	const struct str *audiences;          /* one of these is in `aud` */
	uint32_t audience_count;
	const struct str *clients;            /* one of these is in `aud` or is `azp` (Keycloak) */
	uint32_t client_count;
	int64_t leeway_ms;                    /* how far clocks may differ */
};

/*
 * Slices point into the decoded payload, and further claims can be asked of the `struct json`, until either
 * is used again.
 */
struct jwt_claims {
	struct str subject;                   /* `sub`: an id */
	struct str username;                  /* `preferred_username`; absent when it is missing or no id */
	wall_t expires;                       /* `exp`, without leeway */
};

/*
 * Takes the token apart into *t and reads its header with `j`; `scratch` (cap bytes) is overwritten.
 * JWT_OK, JWT_MALFORMED, JWT_ALGORITHM or JWT_CRITICAL.
 */
enum jwt_result jwt_open(struct jwt *t, struct str token, struct json *j, uint8_t *scratch, size_t cap);

/*
 * The key of `set` that must have signed: by name; without one in the token, or in the key, the only one of
 * its algorithm. NULL: JWT_NO_KEY, or JWT_ALGORITHM when the key of that name has another algorithm (*why
 * says).
 */
const struct jwk *jwt_key(const struct jwt *t, const struct jwk_set *set, enum jwt_result *why);

/* Is the signature that key's? Costs 1 (HS256) to 400 (ES256) microseconds. Constant time in the secret. */
bool jwt_signature_is_valid(const struct jwt *t, const struct jwk *key);

/*
 * Reads and judges the claims: decodes the payload to scratch[0, cap), where *out's slices point, and parses
 * it with `j`, whose root is the payload afterwards. JWT_OK, JWT_MALFORMED, or the first of the demands that
 * is not met.
 */
enum jwt_result jwt_read(const struct jwt *t, struct json *j, uint8_t *scratch, size_t cap,
                         const struct jwt_policy *policy, wall_t now, struct jwt_claims *out);

/* A clause for who sent it, static: "the token has expired". Tells nothing of the keys. */
const char *jwt_result_text(enum jwt_result);

/* One word, static, for a metric's label: "expired", "signature", "ok". */
const char *jwt_result_label(enum jwt_result);

/*
 * Writes the payload's bytes, which should be a JSON object, to out and its length to *n. Looks at the
 * form only: three parts of base64url, the first two not empty. False: not that, or it does not fit.
 * For auth=trust, where nothing is verified.
 */
bool jwt_payload(struct str token, uint8_t *out, size_t cap, size_t *n);

#endif
