/*
 * net/leaf.h: a BearSSL X.509 engine that believes every certificate: it takes the key of the first one of
 * the chain, and looks at nothing else, neither who signed it nor whom it names nor when it is valid. It
 * serves a question that needs no trust, whether somebody answers; nothing secret may go where it was used.
 */
#ifndef NET_LEAF_H
#define NET_LEAF_H

#include <bearssl.h>
#include <stdbool.h>

/* Of one handshake; must not move. */
struct leaf {
	const br_x509_class *vtable; /* the first: the engine is given its address */
	br_x509_decoder_context decoder;
	bool begun, ended; /* the first certificate */
};

void leaf_init(struct leaf *l);

#endif
