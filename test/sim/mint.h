/*
 * test/sim/mint.h: tokens for the tables, signed in the test itself by keys that are nobody's: a key is its name, and comes out of it.
 * A name that begins with `rs` is an RSA key of 2048 bits, with `es` one of P-256, anything else a secret. What is minted once is kept.
 *
 *	T{sub:ann,ttl:120s,rooms:[a*,b],scope:presence:write}
 *
 * stands for a token in a row of a table. Members, all optional: sub, name (preferred_username), iss, aud, azp, scope, jti, rooms (texts, or
 * lists of them in brackets); ttl (1h; `none`: no exp), nbf, iat: from now, by the wall clock; by (the key; `hs`), kid (its name unless it is
 * a secret; `none`), alg (written in the header, whatever the key), bad:signature (its last byte is another), raw (one more member of the
 * claims, as JSON to the end).
 */
#ifndef TEST_SIM_MINT_H
#define TEST_SIM_MINT_H

#include "base/clock.h"
#include "base/str.h"
#include "wire/jwk.h"

enum { MINT_TOKEN_MAX = 4096, MINT_SET_MAX = 16384, MINT_SECRET_BYTES = 32 };

/* What stands in the braces, as a token into out[MINT_TOKEN_MAX]; false: not understood. */
bool mint_token(struct str spec, wall_t now, char *out);

/* Each T{...} of `in` replaced, into out[0, cap); false: one is not understood, or there is no room. */
bool mint_expand(struct str in, wall_t now, char *out, size_t cap);

/* The JWK set with the public keys of these names (between blanks) into out[0, cap); its bytes. */
size_t mint_jwks(struct str names, char *out, size_t cap);

/* The bytes of the secret of that name. */
void mint_secret(struct str name, uint8_t out[MINT_SECRET_BYTES]);

/* `120s`, `-1m`, `500ms`, `2h`, `1d`: false if it is none. */
bool mint_duration(struct str text, int64_t *ms);

#endif
