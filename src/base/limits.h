/*
 * base/limits.h: the bounds of the program that no option changes, each with why, and what happens
 * when it is reached. Relations between them are asserted at the end, at compile time.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <assert.h>

enum {
	/* ids of users, devices, rooms, messages, calls (CONTRACT 2).
	 * Above: the dialect's error, or HTTP 400. */
	ID_BYTES_MAX = 128,
	CUSTOM_STATUS_BYTES_MAX = 256,  /* above: the dialect's error */
	/* A request's own id, raw JSON, said back in reply_to:
	 * 128 characters even if all are escaped. Above: 400. */
	REQUEST_ID_BYTES_MAX = 2 + 6 * 128,
	MESSAGE_BYTES_MAX_DEFAULT = 65536,  /* of max-message-size (CONTRACT 1). Above: close 1009 */
	MESSAGE_BYTES_MAX_DOTTED = 10485760, /* the same in `dotted`: seed 001, max_message_size */
	METADATA_BYTES_MAX = 2048,      /* raw JSON text; above: the dialect's error */

	/* JSON from clients (CONTRACT 3): checked before any cost that is not linear.
	 * Above: a malformed message. */
	JSON_DEPTH_MAX = 16,
	JSON_TOKENS_MAX = 2048,

	/* HTTP (CONTRACT 4). Above: 431, 431, 413. */
	HTTP_HEAD_BYTES_MAX = 8192,
	HTTP_HEADERS_MAX = 100,
	HTTP_BODY_BYTES_MAX = 65536,
	HTTP_HEAD_DEADLINE_MS = 10000,  /* from accept, not per byte: slow heads are dropped */

	/* RFC 6455 5.2: 2 + 8 + 4; 5.5: control frames. */
	WS_HEADER_BYTES_MAX = 14,
	WS_CONTROL_BYTES_MAX = 125,
	WS_CLOSE_DEADLINE_MS = 5000,    /* after our Close: the TCP connection
	                                 * goes with or without the peer's */

	/* Patience with a client that talks nonsense or too much (CONTRACT 3): 20 in a row close 1008. */
	BAD_MESSAGES_IN_A_ROW_MAX = 20,
	PREAUTH_MESSAGE_BYTES_MAX = 8192,

	BULK_USERS_MAX = 1000,          /* REST bulk and presence.query. Above: 400 */
	CALL_RING_MS = 60000,           /* nobody answers: call.ended */

	/* The kernel calls a socket writable and takes nothing, for want of memory: it is not asked any more
	 * whether it is writable, but tried again after so long. 10,000 such cost a tenth of a core. */
	WRITE_RETRY_MS = 100,
};

static_assert(METADATA_BYTES_MAX < HTTP_BODY_BYTES_MAX, "metadata fits a REST body");

#endif
