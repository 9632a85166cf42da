/*
 * net/tls_client.h: the client's side of one TLS 1.2 connection (RFC 5246) over BearSSL: bytes in, bytes out.
 * No socket, no clock, no allocation: a loop moves the bytes (net/fetch, the terminal client).
 *
 *	size_t n = tls_client_output(t, &p);     -> send n bytes at p, then tls_client_sent(t, how many);
 *	size_t n = tls_client_room(t, &p);       -> receive up to n bytes to p, then tls_client_received();
 *	size_t n = tls_client_plain(t, &p);      -> n bytes from the server at p, then tls_client_taken();
 *	size_t n = tls_client_space(t, &p);      -> put up to n bytes for it to p, then tls_client_written()
 *	                                            and, at the end of a message, tls_client_flush();
 *
 * 0 means: not now. Each pair changes nothing before its second half, which may change what the others say:
 * go round until all are 0 or the socket has to be waited for.
 *
 * ECDHE with AES-GCM or ChaCha20-Poly1305 only; no renegotiation, no resumption. The chain must lead to an
 * anchor, be of RSA keys of 2048 bits at least or EC keys, signed with SHA-2, and valid at the time given;
 * the server's certificate must name the host in a subjectAltName of kind dNSName: a common name counts for
 * nothing (RFC 9525 2). Wildcards stand for one label. BearSSL 0.6 knows no names of kind iPAddress: a host
 * that is an address matches only a certificate that bears that address, as text, as a dNSName; else name the
 * server. Revocation is not looked at, and neither are name constraints of a CA: a certificate with a
 * critical extension that BearSSL does not know, those among them, is refused.
 */
#ifndef NET_TLS_CLIENT_H
#define NET_TLS_CLIENT_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/anchors.h"
#include "net/leaf.h"

enum tls_client_state {
	TLS_CLIENT_HANDSHAKE,
	TLS_CLIENT_OPEN,   /* the server is who it should be: bytes may go both ways */
	TLS_CLIENT_CLOSED, /* the server said that it has nothing more to say (close_notify) */
	TLS_CLIENT_FAILED, /* tls_client_why() says why; nothing goes either way */
};

enum { TLS_CLIENT_HOST_BYTES_MAX = 253, TLS_CLIENT_SEED_BYTES = 32 };

struct tls_client {
	br_ssl_client_context cc;
	union {
		br_x509_minimal_context xc;
		struct leaf leaf;   /* instead, when nobody is verified */
	};
	br_name_element name;       /* the first dNSName of the server's certificate */
	char name_text[TLS_CLIENT_HOST_BYTES_MAX + 3];
	bool open;                  /* was, once */
	bool unverified;            /* names count for nothing */
	bool nameless;              /* no dNSName */
	bool cut;                   /* the stream ended without close_notify */
	unsigned char in[BR_SSL_BUFSIZE_INPUT];
	unsigned char out[BR_SSL_BUFSIZE_OUTPUT];
};

/*
 * Begins a handshake with `host` (copied; a dot at its end does not count). `a` is borrowed for the life of
 * *t. `seed` are fresh random bytes. False, and FAILED: the host is too long. *t must not move.
 */
bool tls_client_init(struct tls_client *t, const struct anchors *a, struct str host, wall_t now,
                     const unsigned char seed[TLS_CLIENT_SEED_BYTES]);

/* The same without ALPN (RFC 7301): for what is not HTTP. */
bool tls_client_init_bare(struct tls_client *t, const struct anchors *a, struct str host, wall_t now,
                          const unsigned char seed[TLS_CLIENT_SEED_BYTES]);

/*
 * The same with whoever is there: no name is sent, and every certificate will do. It keeps out nobody: not
 * for what is secret, nor for what is believed. For `presenced healthcheck`, which asks its own machine.
 */
void tls_client_init_unverified(struct tls_client *t, const unsigned char seed[TLS_CLIENT_SEED_BYTES]);

enum tls_client_state tls_client_state(const struct tls_client *t);

size_t tls_client_output(const struct tls_client *t, unsigned char **p);
void tls_client_sent(struct tls_client *t, size_t n);
size_t tls_client_room(const struct tls_client *t, unsigned char **p);
void tls_client_received(struct tls_client *t, size_t n);
size_t tls_client_plain(const struct tls_client *t, unsigned char **p);
void tls_client_taken(struct tls_client *t, size_t n);
size_t tls_client_space(const struct tls_client *t, unsigned char **p);
void tls_client_written(struct tls_client *t, size_t n);
void tls_client_flush(struct tls_client *t);

/* Says close_notify: send what tls_client_output() has then. What the server still sends is dropped. */
void tls_client_close(struct tls_client *t);

/* The stream from the server has ended: FAILED unless it was CLOSED. */
void tls_client_end(struct tls_client *t);

/* Why it FAILED, for a person; "" else. */
struct str tls_client_why(const struct tls_client *t);

#endif
