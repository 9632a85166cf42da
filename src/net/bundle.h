/*
 * net/bundle.h: where this machine keeps the certificates that it trusts, for who was told no `ca-file`: what
 * the variable SSL_CERT_FILE names, as OpenSSL has it, else where the distributions put theirs.
 */
#ifndef NET_BUNDLE_H
#define NET_BUNDLE_H

#define BUNDLE_PLACE_1 "/etc/ssl/certs/ca-certificates.crt"
#define BUNDLE_PLACE_2 "/etc/ssl/cert.pem"
#define BUNDLE_PLACE_3 "/etc/pki/tls/certs/ca-bundle.crt"

/* For the message of who found none. */
#define BUNDLE_LOOKED_IN "SSL_CERT_FILE, " BUNDLE_PLACE_1 ", " BUNDLE_PLACE_2 ", " BUNDLE_PLACE_3

/*
 * The path of the bundle, in the environment or static: what SSL_CERT_FILE says unless it is empty, whether
 * there is such a file or not; else the first place with a file that can be read; NULL: there is none.
 */
const char *bundle_find(void);

#endif
