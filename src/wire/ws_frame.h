/*
 * wire/ws_frame.h: RFC 6455 section 5.2, outgoing: frame headers and control frames, and the vocabulary
 * that both directions share (opcodes, close codes, masking).
 *
 * A server's frame is ws_frame_header() followed by the payload as it is, so that one encoded frame serves
 * every receiver. A client's is ws_frame_header_masked() followed by the payload run through
 * ws_frame_mask(). Nothing here owns, allocates or fails: what must not be sent is an assertion, because
 * the caller composed it. Lengths are bytes.
 */
#ifndef WIRE_WS_FRAME_H
#define WIRE_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/str.h"

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

/* RFC 6455 7.4.1 and CONTRACT 3; 1005 is what a Close without a code reads as, and is never sent. */
enum {
	WS_CODE_NORMAL = 1000,
	WS_CODE_GOING_AWAY = 1001,
	WS_CODE_PROTOCOL = 1002,
	WS_CODE_UNSUPPORTED = 1003,
	WS_CODE_NONE = 1005,
	WS_CODE_ABNORMAL = 1006, /* as 1005 in no frame: the connection ended without a Close */
	WS_CODE_NOT_UTF8 = 1007,
	WS_CODE_POLICY = 1008,
	WS_CODE_TOO_BIG = 1009,
	WS_CODE_INTERNAL = 1011,
	WS_CODE_OVERLOAD = 1013,
};

enum {
	WS_FRAME_CONTROL_BYTES_MAX = 2 + WS_CONTROL_BYTES_MAX, /* a server's whole control frame */
	WS_FRAME_REASON_BYTES_MAX = WS_CONTROL_BYTES_MAX - 2,  /* of a Close, after its code */
};

/* A server's header, of minimal length and never masked; returns its length, 2, 4 or 10. A control frame
 * must have fin and at most WS_CONTROL_BYTES_MAX of payload; no payload may reach 2^63. */
size_t ws_frame_header(uint8_t out[WS_HEADER_BYTES_MAX], enum ws_opcode op, bool fin, uint64_t payload_bytes);

/* A client's header, which ends in the masking key; returns its length, 6, 8 or 14. The key should be
 * unpredictable (RFC 6455 5.3). */
size_t ws_frame_header_masked(uint8_t out[WS_HEADER_BYTES_MAX], enum ws_opcode op, bool fin,
                              uint64_t payload_bytes, const uint8_t key[4]);

/* A server's whole control frame; returns its length. `payload` is copied: at most WS_CONTROL_BYTES_MAX, and
 * must not overlap `out`. A Close made here is the empty one; see ws_frame_close(). */
size_t ws_frame_control(uint8_t out[WS_FRAME_CONTROL_BYTES_MAX], enum ws_opcode op, struct str payload);

/* A server's whole Close frame; returns its length. `code` must be one that may be sent
 * (ws_frame_code_valid), so not 1005, 1006 or 1015; `reason` must be valid UTF-8, is copied, and is cut at a
 * code point when it is too long. */
size_t ws_frame_close(uint8_t out[WS_FRAME_CONTROL_BYTES_MAX], unsigned code, struct str reason);

/* Whether a Close frame may carry `code`: 1000-1003, 1007-1014, 3000-4999 (RELIABILITY F14). */
bool ws_frame_code_valid(unsigned code);

/* Masks or unmasks `n` bytes in place, which is the same (RFC 6455 5.3), and turns `key` so that the next
 * call goes on where this one ended. */
void ws_frame_mask(uint8_t *p, size_t n, uint8_t key[4]);

#endif
