/*
 * wire/handshake.h: the server's side of the WebSocket opening handshake, RFC 6455 sections 4.2.1 and 4.2.2.
 *
 * Judges a request that http_parse() accepted, and writes the 101. Routing, identity, Origin policy
 * (wire/origin.h) and the choice of a subprotocol are the caller's. Extensions are not looked at: none is
 * ever negotiated. No I/O, no allocation. A refused handshake ends the connection: bytes behind it may be
 * another party's (RELIABILITY U8).
 */
#ifndef WIRE_HANDSHAKE_H
#define WIRE_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "wire/http.h"

enum handshake_outcome {
	HANDSHAKE_NONE,    /* nothing of the request asks for an upgrade: a plain request */
	HANDSHAKE_OK,      /* `accept` is set */
	HANDSHAKE_REFUSED, /* answer `status` (405 with Allow: GET), close, read nothing more */
};

/* Why it was refused, in the order in which it is checked:
 * name, status, label of the counter, what the peer is told. */
#define HANDSHAKE_REASONS(X) \
	X(METHOD, 405, "method", "a WebSocket begins with GET") \
	X(VERSION, 400, "http_version", "a WebSocket needs version 1.1 of HTTP") \
	X(BODY, 400, "body", "a WebSocket handshake has no body") /* a Content-Length, be it 0 */ \
	/* and no other protocol in it */ \
	X(UPGRADE, 426, "upgrade", "one header is required: Upgrade: websocket") \
	X(CONNECTION, 400, "connection", "a header is required: Connection: Upgrade") \
	X(WS_VERSION, 426, "ws_version", "one header is required: Sec-WebSocket-Version: 13") \
	X(KEY, 400, "key", "one Sec-WebSocket-Key is required: 16 bytes in base64")

#define HANDSHAKE_REASON_ENUM(name, status, label, text) HANDSHAKE_BAD_##name,
enum handshake_reason { HANDSHAKE_GOOD, HANDSHAKE_REASONS(HANDSHAKE_REASON_ENUM) HANDSHAKE_REASON_COUNT };
#undef HANDSHAKE_REASON_ENUM

enum {
	HANDSHAKE_KEY_BYTES = 24,           /* base64 of 16 bytes */
	HANDSHAKE_ACCEPT_BYTES = 28,        /* base64 of SHA-1 */
	HANDSHAKE_RESPONSE_BYTES_MAX = 256, /* room for a 101 with a subprotocol of up to 64 bytes */
};

struct handshake {
	enum handshake_outcome outcome;
	enum handshake_reason reason; /* HANDSHAKE_GOOD unless refused */
	unsigned status;              /* 0 unless refused */
	char accept[HANDSHAKE_ACCEPT_BYTES]; /* Sec-WebSocket-Accept, if OK; no NUL */
};

/*
 * Judges `req`. It counts as an attempt to upgrade if there is an Upgrade header, `upgrade` in Connection, or
 * a Sec-WebSocket-Key or -Version: then it is OK or REFUSED, never a plain request (intermediaries go by the
 * intent).
 */
void handshake_check(const struct http_request *req, struct handshake *hs);

/* A constant for counters: lower case and `_`; "none" for HANDSHAKE_GOOD. */
struct str handshake_reason_name(enum handshake_reason reason);

/* What is wrong, in words for the peer; not for HANDSHAKE_GOOD. */
struct str handshake_reason_text(enum handshake_reason reason);

/*
 * Walks the subprotocols offered, in order, over all Sec-WebSocket-Protocol headers. What is no token is
 * skipped, a duplicate comes twice. All zero but `req` is the start; linear over all. False at the end.
 */
struct handshake_protocols {
	const struct http_request *req;
	size_t header; /* next one to look at */
	struct str rest;
};
bool handshake_protocol_next(struct handshake_protocols *it, struct str *token);

/* Is `token` offered? Exactly, case included (RFC 6455 4.1). */
bool handshake_offers(const struct http_request *req, struct str token);

/*
 * Writes the 101 of an accepted handshake: bytes written, or 0 if it does not fit or `protocol` is no token.
 * `protocol` absent: none chosen. It must be one that was offered; only its syntax is checked here.
 */
size_t handshake_write(const struct handshake *hs, struct str protocol, char *buf, size_t cap);

/* Sec-WebSocket-Accept of a Sec-WebSocket-Key of HANDSHAKE_KEY_BYTES, for either side (RFC 6455 4.2.2, 5.4).
 * No NUL. */
void handshake_accept(struct str key, char accept[HANDSHAKE_ACCEPT_BYTES]);

#endif
