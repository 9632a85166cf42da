/*
 * net/tls_policy.h: which certificate a handshake gets, and what it is offered: BearSSL's
 * br_ssl_server_policy_class over a set of certificates.
 *
 * First the pairs whose names match the name that the client asked for (SNI, RFC 6066 3), exactly before by
 * wildcard, then any; among equals what the client can verify, EC before RSA since it costs a third. A name
 * that nobody has gets the first pair: the client sees for itself.
 */
#ifndef NET_TLS_POLICY_H
#define NET_TLS_POLICY_H

#include "net/certificates.h"

/* One handshake's policy; its address is what the engine keeps. */
struct tls_policy {
	const br_ssl_server_policy_class *vtable;
	const struct certificates *certificates; /* borrowed until the handshake is over */
	const struct certificate *chosen;        /* NULL: not asked (yet): a resumed session never asks */
};

void tls_policy_init(struct tls_policy *, const struct certificates *);

/* Sets versions, suites and the fastest implementations that this processor has, for all sessions alike. */
void tls_policy_profile(br_ssl_server_context *);

#endif
