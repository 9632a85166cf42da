/*
 * base/base64.h: RFC 4648 sections 4 and 5, strict, in work that depends on lengths only.
 *
 * Strict: one text for one value. Standard form has its padding, URL form has none; bits that no byte takes
 * are 0; no line breaks. Neither direction looks a byte up in a table or stops early, so that secrets may
 * pass through.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum base64_form {
	BASE64_STD, /* `+`, `/`, padded with `=` */
	BASE64_URL, /* `-`, `_`, not padded (JWT, RFC 7515 2) */
};

/* Bytes that base64_encode() writes for n bytes. */
#define BASE64_ENCODED_BYTES(n) (((n) + 2) / 3 * 4)
/* Room that is enough to decode n bytes of text. */
#define BASE64_DECODED_BYTES_MAX(n) ((n) / 4 * 3 + 2)

/* Writes the standard form of in[0, n) and returns its bytes, BASE64_ENCODED_BYTES(n). `cap` must be at least
 * that. */
size_t base64_encode(char *out, size_t cap, const uint8_t *in, size_t n);

/* The same in the URL form; returns its bytes, which are fewer when padding is left out. */
size_t base64_encode_url(char *out, size_t cap, const uint8_t *in, size_t n);

/*
 * Decodes the whole of `in` into out[0, cap). False if it is not strictly that form, or gives more than `cap`
 * bytes; then *n is 0 and `out` holds nothing of use.
 */
bool base64_decode(enum base64_form form, struct str in, uint8_t *out, size_t cap, size_t *n);

/* Is `c` one of the 64 digits of the form? */
bool base64_is_digit(enum base64_form form, char c);

#endif
