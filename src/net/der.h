/*
 * net/der.h: a walk over DER (X.690), as far as X.509 needs it: one-byte tags, definite lengths.
 */
#ifndef NET_DER_H
#define NET_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DER_BOOLEAN = 0x01,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};

/* What is left to be walked over; borrowed. */
struct der {
	const uint8_t *p;
	size_t n;
};

/* Takes the next element off `in`: its tag and what it contains. False: none is left, or it is no DER that
 * ends where it should; `in` is then of no more use. */
bool der_next(struct der *in, unsigned *tag, struct der *content);

/* The same, demanding a tag. */
bool der_take(struct der *in, unsigned tag, struct der *content);

/* Seconds since 1970 of what a UTCTime or GeneralizedTime contains, as RFC 5280 4.1.2.5 writes them. */
bool der_time(unsigned tag, struct der content, int64_t *seconds);

#endif
