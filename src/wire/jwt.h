/*
 * wire/jwt.h: JSON Web Tokens in compact form (RFC 7519, RFC 7515 3.1):
 * header.payload.signature, base64url without padding.
 */
#ifndef WIRE_JWT_H
#define WIRE_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/*
 * Writes the payload's bytes, which should be a JSON object, to out and its length to *n. Looks at the
 * form only: three parts of base64url, the first two not empty. False: not that, or it does not fit.
 */
bool jwt_claims(struct str token, uint8_t *out, size_t cap, size_t *n);

#endif
