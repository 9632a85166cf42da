/*
 * net/tls_engine.h: a BearSSL engine (0.6) that borrows its input buffer: the one place that knows more of
 * the engine than bearssl_ssl.h documents.
 *
 * BearSSL keeps two record buffers per connection, 33 KiB. But its registers are offsets into them
 * (ssl_engine.c, IMPLEMENTATION NOTES: ixa, ixb, ixc, oxa, oxb, oxc), and between two calls nothing else
 * points there, so the buffer may be another one at the next call, as long as the bytes that still count
 * are at the same offsets. Which bytes those are, tls_engine_held() says:
 *	ixa == ixb, ixa < 5:  a record's header came in part: ixa bytes from 0 on;
 *	ixa == ixb, ixa >= 5: its payload came in part: the bytes from 5 to ixa (cleartext is taken at once,
 *	                      and then ixa is 5), ixc still to come. The header itself is no more needed;
 *	ixa < ixb:            payload that nobody has fetched: the bytes from ixa to ixb.
 * After a failure nothing counts. The output buffer is never held: whoever drives the engine takes all that
 * it has to send before another engine gets the buffer (oxa == oxc then).
 *
 * The libraries' version is pinned by hash; what is relied on is asserted here and tested with poisoned
 * buffers in test/unit/test_tls.c.
 */
#ifndef NET_TLS_ENGINE_H
#define NET_TLS_ENGINE_H

#include <bearssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_IN_BYTES = BR_SSL_BUFSIZE_INPUT,   /* 16384 + 325 */
	TLS_OUT_BYTES = BR_SSL_BUFSIZE_OUTPUT, /* 16384 + 85 */
	TLS_HEADER_BYTES = 5,
	/* One name, and room up to the name that BearSSL 0.6 reads when it resumes a session although the
	 * client offers only protocols that are not ours: see tls_engine_protocols(). */
	TLS_PROTOCOL_NAMES = 65535,
};

/* Makes the server context ready for its first byte, out of a template: versions, suites, policy and cache
 * are set there. `random` seeds this connection's generator; the engine opens no file for it. False: it
 * failed. */
bool tls_engine_begin(br_ssl_server_context *, const br_ssl_server_context *template, uint8_t *in,
                      uint8_t *out, const void *random, size_t random_bytes);

/* Fills names[TLS_PROTOCOL_NAMES], zeroed memory, and offers `name` by ALPN. */
void tls_engine_protocols(br_ssl_engine_context *, const char **names, const char *name);

/* Bytes [from, to) of the input buffer still count; `reach`: how far into the buffer the record under way
 * will be written at most. */
struct tls_held {
	size_t from, to, reach;
};
struct tls_held tls_engine_held(const br_ssl_engine_context *);

/* Nothing of a record has come, or been left: any buffer will do. */
bool tls_engine_between_records(const br_ssl_engine_context *);

/* Goes on in another input buffer; what counts has been copied there. It has TLS_IN_BYTES, or at least what
 * tls_engine_held() said, if it is changed before the next record. NULL: until the next call of this. */
void tls_engine_use_in(br_ssl_engine_context *, uint8_t *in);

/* The engine has nothing to send and nothing collected. */
bool tls_engine_out_is_empty(const br_ssl_engine_context *);

/*
 * After a failure that BearSSL has not told the peer of: puts the alert that says so (RFC 5246 7.2.2) into
 * out[TLS_OUT_BYTES], encrypted if records are; returns its bytes and *at where they begin. 0: the peer was
 * told, or told us.
 */
size_t tls_engine_alert(br_ssl_engine_context *, uint8_t *out, uint8_t **at);

#endif
