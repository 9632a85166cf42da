/*
 * net/x509.h: a walk over a certificate (RFC 5280), in DER (X.690): one-byte tags, definite lengths.
 */
#ifndef NET_X509_H
#define NET_X509_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	X509_BOOLEAN = 0x01,
	X509_OCTET_STRING = 0x04,
	X509_OID = 0x06,
	X509_UTC_TIME = 0x17,
	X509_GENERALIZED_TIME = 0x18,
	X509_SEQUENCE = 0x30,
	X509_SET = 0x31,
};

/* What is left to be walked over; borrowed. */
struct x509_rest {
	const uint8_t *p;
	size_t n;
};

/* Takes the next element off `in`: its tag and what it contains. False: none is left, or it is no DER that
 * ends where it should; `in` is then of no more use. */
bool x509_next(struct x509_rest *in, unsigned *tag, struct x509_rest *content);

/* The same, demanding a tag. */
bool x509_take(struct x509_rest *in, unsigned tag, struct x509_rest *content);

/* Seconds since 1970 of what a UTCTime or GeneralizedTime contains, as RFC 5280 4.1.2.5 writes them. */
bool x509_time(unsigned tag, struct x509_rest content, int64_t *seconds);

#endif
