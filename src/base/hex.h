/* base/hex.h: 64-bit numbers as 16 lowercase hexadecimal digits. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/str.h"

#include <stdint.h>

enum {
	HEX_U64_BYTES = 16,
};

/* Writes exactly HEX_U64_BYTES, no NUL. */
void hex_put_u64(char *out, uint64_t v);

/* True and *v set when s is exactly 16 lowercase digits; else false and *v untouched. */
bool hex_get_u64(struct str s, uint64_t *v);

#endif
