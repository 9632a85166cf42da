/*
 * net/certificate.h: a server's certificate chain and its key, from PEM (RFC 7468, 5280): what BearSSL signs
 * and sends, and the names and dates that it does not read.
 *
 * RSA keys of 2048 to 4096 bits, EC keys on P-256 and P-384. The key belongs to the first certificate of the
 * file, which is the server's; the others are its issuers, as they will be sent.
 */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include <bearssl.h>

#include "base/clock.h"
#include "base/str.h"

enum {
	CERTIFICATE_CHAIN_MAX = 8,
	CERTIFICATE_CHAIN_BYTES_MAX = 15000, /* with all else of its flight it fits a record's cell */
	CERTIFICATE_NAMES_MAX = 100,         /* more are not looked at */
	CERTIFICATE_SECRET_BYTES_MAX = 5 * 256, /* p, q, dp, dq, iq of RSA-4096 */
	CERTIFICATE_RSA_BITS_MIN = 2048,
	CERTIFICATE_RSA_BITS_MAX = 4096,     /* BearSSL's */
};

/* How well a name was met, best last. */
enum certificate_match { CERTIFICATE_OTHER, CERTIFICATE_WILDCARD, CERTIFICATE_EXACT };

struct certificate {
	br_x509_certificate chain[CERTIFICATE_CHAIN_MAX]; /* point into `der` */
	size_t chain_count;
	int key_type;                     /* BR_KEYTYPE_RSA or BR_KEYTYPE_EC */
	union {                           /* point into `secret` */
		br_rsa_private_key rsa;
		br_ec_private_key ec;
	} key;
	struct str names[CERTIFICATE_NAMES_MAX]; /* dNSNames; without a SAN the common name. Into `der` */
	uint32_t name_count;
	wall_t not_before, not_after;
	uint8_t der[CERTIFICATE_CHAIN_BYTES_MAX];
	uint8_t secret[CERTIFICATE_SECRET_BYTES_MAX];
};

/* Reads the chain, and with it names and dates. NULL, or what is wrong, as a phrase about the file
 * ("holds no certificate"). */
const char *certificate_read_chain(struct certificate *, struct str pem);

/* Reads the key that belongs to the chain, which was read before. `scratch` takes the key's DER and is wiped.
 * NULL, or what is wrong. */
const char *certificate_read_key(struct certificate *, struct str pem, uint8_t *scratch,
                                 size_t scratch_bytes);

/* How well the certificate is one for this host name; a wildcard stands for one label on the left. */
enum certificate_match certificate_matches(const struct certificate *, struct str host);

#endif
