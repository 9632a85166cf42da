/*
 * tool/client_link.h: the client's end of a WebSocket (RFC 6455) over a stream that does not block. Pings are
 * answered here, and a Close by a Close; frames that a server may not send end the link.
 */
#ifndef TOOL_CLIENT_LINK_H
#define TOOL_CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/tls_client.h"
#include "wire/websocket.h"

enum {
	CLIENT_MESSAGE_BYTES_MAX = 16 * 1024 * 1024, /* of the server's; above: 1009 */
	CLIENT_LINE_BYTES_MAX = 1024 * 1024,         /* of ours */
	CLIENT_OUT_BYTES = 2 * CLIENT_LINE_BYTES_MAX,
	CLIENT_IN_BYTES = 65536,
};

enum client_link_event {
	CLIENT_LINK_NONE,   /* nothing for now */
	CLIENT_LINK_TEXT,   /* text */
	CLIENT_LINK_BINARY, /* text: the bytes */
	CLIENT_LINK_PONG,   /* text: its payload */
	CLIENT_LINK_CLOSED, /* a Close came: code (1005: none), text: the reason */
	CLIENT_LINK_FAILED, /* the server broke the protocol: code and text say how; it was sent a Close */
	CLIENT_LINK_LOST,   /* the stream ended without a Close; text says why */
};

struct client_message {
	struct str text; /* until the next call */
	unsigned code;
};

/* Zeroed memory, but for `fd`, is a link just opened. */
struct client_link {
	int fd;
	bool has_tls;
	bool close_sent, ended;
	int error; /* errno of the stream's end; 0: it just ended */
	struct ws_dec dec;
	uint8_t control[WS_CONTROL_BYTES_MAX];
	size_t in_at, in_bytes;   /* of in[]: read, and not decoded */
	size_t out_at, out_bytes; /* of out[]: to be written */
	size_t message_bytes;
	struct tls_client tls;
	uint8_t in[CLIENT_IN_BYTES];
	uint8_t out[CLIENT_OUT_BYTES];
	uint8_t message[CLIENT_MESSAGE_BYTES_MAX];
};

/* Reads from the stream, without waiting: bytes, 0 for none now, or -1: it ended or failed, and
 * client_link_why() says how. The first calls make TLS' handshake. */
long client_link_read(struct client_link *l, void *out, size_t cap);

/* After client_link_read() gave -1. Static. */
struct str client_link_why(const struct client_link *l);

/* POLLIN, POLLOUT: what to wait for. */
short client_link_waits_for(const struct client_link *l);

/* What came next. After CLOSED, FAILED and LOST there is nothing more. */
enum client_link_event client_link_next(struct client_link *l, struct client_message *m);

/* Queues a frame, masked, and writes what can be written. False: there is no room for it now. */
bool client_link_send(struct client_link *l, enum ws_opcode op, struct str payload);

/* Room for a message of this size now. */
bool client_link_has_room(const struct client_link *l, size_t bytes);

/* Sends a Close, once. What the server still says is read until its own Close. */
void client_link_close(struct client_link *l, unsigned code);

/* Writes what waits, as far as that is possible now. */
void client_link_flush(struct client_link *l);

/* Ends the stream. */
void client_link_end(struct client_link *l);

#endif
