/* wire/digest.h: SHA-256 (FIPS 180-4), by BearSSL. */
#ifndef WIRE_DIGEST_H
#define WIRE_DIGEST_H

#include <stdint.h>

#include "base/str.h"

enum { DIGEST_BYTES = 32 };

void digest_sha256(struct str s, uint8_t out[DIGEST_BYTES]);

#endif
