/*
 * wire/spki.h: public keys in DER: SubjectPublicKeyInfo (RFC 5280 4.1.2.7, RFC 3279 2.3.1, RFC 5480 2.1) and
 * RSAPublicKey (RFC 8017 A.1.1). Reads their form; whether a key is any good is for wire/jwk to say.
 */
#ifndef WIRE_SPKI_H
#define WIRE_SPKI_H

#include <stdbool.h>

#include "base/str.h"

/* Slices of the DER bytes. Either the first two or the last are there; the others are absent. */
struct spki {
	struct str modulus;   /* RSA: big-endian, without leading zeros */
	struct str exponent;
	struct str point;     /* P-256: as it stands there; 0x04 X Y when it is in full */
};

/* All of `der` is a "PUBLIC KEY" of RSA or P-256. Else false, *out untouched. */
bool spki_read(struct spki *out, struct str der);

/* All of `der` is an "RSA PUBLIC KEY". Else false, *out untouched. */
bool spki_read_rsa(struct spki *out, struct str der);

#endif
