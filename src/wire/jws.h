/*
 * wire/jws.h: the three signatures that we take (RFC 7518 3.2 to 3.4): HS256, RS256, ES256. Which of them it
 * is, the key says.
 */
#ifndef WIRE_JWS_H
#define WIRE_JWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "wire/jwk.h"

/*
 * Is signature[0, n) that key's for `input`? Needs 6 KiB of stack. The time that HS256 takes depends on the
 * lengths only, whether the signature is good or not.
 */
bool jws_is_valid(const struct jwk *key, struct str input, const uint8_t *signature, size_t n);

/* Whether 0x04 X Y, in material[0, n), is a point on P-256 (SEC 1 3.2.2.1; BearSSL computes). */
bool jws_is_p256_point(const uint8_t *material, size_t n);

#endif
