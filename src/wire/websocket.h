/*
 * wire/websocket.h: RFC 6455 frames in, events out. No I/O, no allocation, no clock, no pointer kept.
 *
 * Ownership: the caller owns the decoder, the input and the control scratch. Payloads in an event borrow `in`
 *            (unmasked in place) or `control`, and die when the caller reuses either. Units: bytes.
 * Memory:    data payload never needs any here: it is handed on in the pieces it came in, and a whole
 *            message in `in` is one event without a copy. Only a control frame cut by the end of the input is
 *            put together, in a block that the caller lends for as long as ws_dec_keeps_control() says.
 * Errors:    sticky. After WS_EV_FAIL every call consumes 0 and gives the same WS_EV_FAIL, which is never
 *            the same as wanting more bytes (WS_EV_NONE). After WS_EV_CLOSE all is consumed and ignored
 *            (RFC 6455 1.4).
 *
 *	while (n > 0) {
 *		size_t used = ws_dec_feed(&d, &lim, control, in, n, &ev);
 *		in += used, n -= used;
 *		... switch (ev.type); leave on WS_EV_FAIL, lend `control` on WS_EV_NEED_CONTROL
 *	}
 */
#ifndef WIRE_WEBSOCKET_H
#define WIRE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/utf8.h"
#include "wire/ws_frame.h"

/* What a connection may send; shared by many, passed with every call, and free to change between two calls
 * (a limit that shrinks applies from the next frame's header on). */
struct ws_limits {
	uint64_t message_bytes_max; /* payload of a message; above: 1009, on the header that crosses */
	uint32_t fragments_max;     /* frames of a message but for an empty last one, at least 1;
	                             * above: 1008 */
	bool rsv1;                  /* an extension uses RSV1: events carry it, such text is not checked */
	bool peer_is_server;        /* we are the client: frames must come unmasked, instead of masked */
};

enum ws_err {
	WS_OK = 0,
	WS_ERR_RSV,                /* 1002: reserved bit without an extension */
	WS_ERR_OPCODE,             /* 1002: opcode 3-7 or 11-15 */
	WS_ERR_MASK,               /* 1002: unmasked from a client, masked from a server */
	WS_ERR_LENGTH,             /* 1002: not the shortest form, or 2^63 and above */
	WS_ERR_CONTROL_FRAGMENTED, /* 1002: control frame without FIN */
	WS_ERR_CONTROL_LONG,       /* 1002: control frame of more than 125 bytes */
	WS_ERR_CONTINUATION,       /* 1002: continuation of nothing */
	WS_ERR_INTERLEAVED,        /* 1002: a new message inside a fragmented one */
	WS_ERR_CLOSE_CODE,         /* 1002: Close with one byte, or with a code that may not be sent */
	WS_ERR_CLOSE_UTF8,         /* 1007: Close reason is not UTF-8 */
	WS_ERR_UTF8,               /* 1007: text is not UTF-8, or ends inside a code point */
	WS_ERR_FRAGMENTS,          /* 1008 */
	WS_ERR_TOO_BIG,            /* 1009 */
};

enum ws_ev {
	WS_EV_NONE = 0,     /* all consumed, nothing complete: feed more */
	WS_EV_DATA,         /* a piece of a message: opcode and all below it */
	WS_EV_PING,         /* p, n: to be sent back in a Pong */
	WS_EV_PONG,         /* p, n */
	WS_EV_CLOSE,        /* code (WS_CODE_NONE when it has none), p, n: the reason, valid UTF-8 */
	WS_EV_NEED_CONTROL, /* call again with `control`; the payload is not consumed, all before it is */
	WS_EV_FAIL,         /* code to close with, err: the first cause */
};

/* What one call yields; members that its type does not name are 0. */
struct ws_event {
	enum ws_ev type;
	enum ws_err err;
	uint16_t code;
	uint8_t opcode;           /* WS_TEXT or WS_BINARY: the message's, in each of its pieces */
	bool first;               /* no piece of this message came before */
	bool last;                /* the message ends with this piece; a text is then valid UTF-8 */
	bool rsv1;                /* RSV1 stood on the message's first frame */
	uint8_t *p;               /* may be written to; not NULL, even when n == 0, unless `in` was */
	size_t n;                 /* 0 only in the last piece, or in a control frame */
	uint64_t message_bytes;   /* of the message so far, this piece included: at most message_bytes_max */
	uint64_t frame_remaining; /* still to come in this frame, and within the limit: sure to be needed */
};

/* The decoder; it lies in every connection, idle ones included. Private but for its size. */
struct ws_dec {
	uint64_t remaining;     /* payload of the frame not yet consumed; first, the length read so far */
	uint64_t message_bytes; /* what the headers of the open message's frames announced so far */
	uint32_t fragments;     /* frames of the open message */
	uint8_t key[4];         /* turned to the next payload byte */
	struct utf8 text;       /* of the open message, across its frames */
	uint8_t state;
	uint8_t head;           /* first byte of the current frame */
	uint8_t at;             /* bytes of the header field read, then of the control payload kept */
	uint8_t message;        /* opcode and flags of the open message; 0 when none is open */
	uint8_t err;            /* enum ws_err, the first */
};

static_assert(sizeof(struct ws_dec) <= 32, "it lives in the cold part of every idle connection");

/* The state right after the handshake. Nothing is to be released. */
void ws_dec_init(struct ws_dec *d);

/*
 * Takes bytes of the stream until one event is there or all are consumed; returns how many were consumed.
 * `in` may be written to, consumed or not (nothing that is not consumed changes, but after WS_EV_FAIL).
 * `control` is NULL, or WS_CONTROL_BYTES_MAX bytes that stay the same, contents too, from call to call
 * while ws_dec_keeps_control(). n == 0 gives WS_EV_NONE, or the sticky WS_EV_FAIL. On WS_EV_FAIL the
 * offending byte is the last one consumed.
 */
size_t ws_dec_feed(struct ws_dec *d, const struct ws_limits *lim, uint8_t *control, uint8_t *in, size_t n,
                   struct ws_event *ev);

/* Whether part of a control frame lies in the scratch block; if not, the block may go back once the event is
 * dealt with. */
bool ws_dec_keeps_control(const struct ws_dec *d);

/* Whether a message has begun and not ended: what a deadline per message (RELIABILITY F18) hangs on. */
bool ws_dec_in_message(const struct ws_dec *d);

/* Whether the stream stands between two frames: input that ends elsewhere was cut. */
bool ws_dec_between_frames(const struct ws_dec *d);

/* The close code for a cause; 0 for WS_OK. */
uint16_t ws_err_code(enum ws_err err);

/* A word for logs and metric labels, such as "bad_length"; static. */
const char *ws_err_name(enum ws_err err);

#endif
