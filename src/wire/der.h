/*
 * wire/der.h: as much of DER (X.690 8 and 10) as a public key is made of: elements with one-byte tags and
 * definite lengths in their shortest form.
 *
 * A reader is the slice of what is left. Contents are slices of the same bytes. Errors: false, and the slice
 * and the out parameter are untouched.
 */
#ifndef WIRE_DER_H
#define WIRE_DER_H

#include <stdbool.h>

#include "base/str.h"

enum der_tag {
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
};

/* Takes an element of that tag off the front; its contents to *content. */
bool der_take(struct str *in, enum der_tag tag, struct str *content);

/* An INTEGER of 0 or more: its bytes without a sign byte, big-endian; no byte for 0. */
bool der_take_unsigned(struct str *in, struct str *magnitude);

/* A BIT STRING of whole bytes. */
bool der_take_bytes(struct str *in, struct str *bytes);

#endif
