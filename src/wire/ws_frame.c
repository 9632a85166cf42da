/*
 * Invariants: every header written is the shortest that can say its length, which RFC 6455 5.2 demands; a
 * word of the mask is the key twice as it lies in memory, so that masking by words is the same on either
 * byte order.
 */
#include "wire/ws_frame.h"

#include <assert.h>

#include "base/utf8.h"

enum { FIN = 0x80, MASKED = 0x80, CONTROL = 0x08, LENGTH_16 = 126, LENGTH_64 = 127 };

/* `n` in network byte order. */
static void put_be(uint8_t *out, unsigned bytes, uint64_t n)
{
	assert(bytes > 0 && bytes <= 8);
	for (unsigned i = bytes; i > 0; i--) {
		out[i - 1] = (uint8_t)n;
		n >>= 8;
	}
}

size_t ws_frame_header(uint8_t out[WS_HEADER_BYTES_MAX], enum ws_opcode op, bool fin, uint64_t payload_bytes)
{
	assert((op & CONTROL) == 0 || (fin && payload_bytes <= WS_CONTROL_BYTES_MAX));
	assert(payload_bytes >> 63 == 0);
	out[0] = (uint8_t)((fin ? FIN : 0) | op);
	if (payload_bytes < LENGTH_16) {
		out[1] = (uint8_t)payload_bytes;
		return 2;
	}
	if (payload_bytes <= UINT16_MAX) {
		out[1] = LENGTH_16;
		put_be(out + 2, 2, payload_bytes);
		return 4;
	}
	out[1] = LENGTH_64;
	put_be(out + 2, 8, payload_bytes);
	return 10;
}

size_t ws_frame_header_masked(uint8_t out[WS_HEADER_BYTES_MAX], enum ws_opcode op, bool fin,
                              uint64_t payload_bytes, const uint8_t key[4])
{
	size_t n = ws_frame_header(out, op, fin, payload_bytes);

	assert(n + 4 <= WS_HEADER_BYTES_MAX);
	out[1] |= MASKED;
	memcpy(out + n, key, 4);
	return n + 4;
}

size_t ws_frame_control(uint8_t out[WS_FRAME_CONTROL_BYTES_MAX], enum ws_opcode op, struct str payload)
{
	assert((op & CONTROL) != 0 && payload.n <= WS_CONTROL_BYTES_MAX);
	assert(op != WS_CLOSE || payload.n == 0);
	out[0] = (uint8_t)(FIN | op);
	out[1] = (uint8_t)payload.n;
	if (payload.n > 0)
		memcpy(out + 2, payload.p, payload.n);
	return 2 + payload.n;
}

size_t ws_frame_close(uint8_t out[WS_FRAME_CONTROL_BYTES_MAX], unsigned code, struct str reason)
{
	struct str cut = utf8_prefix(reason, WS_FRAME_REASON_BYTES_MAX);

	assert(ws_frame_code_valid(code));
	out[0] = FIN | WS_CLOSE;
	out[1] = (uint8_t)(2 + cut.n);
	put_be(out + 2, 2, code);
	if (cut.n > 0)
		memcpy(out + 4, cut.p, cut.n);
	return 4 + cut.n;
}

bool ws_frame_code_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	       (code >= 3000 && code <= 4999);
}

void ws_frame_mask(uint8_t *p, size_t n, uint8_t key[4])
{
	uint64_t mask, w[4];
	uint32_t word;
	uint8_t turned[4];
	size_t i = 0;

	/* Not two copies of 4 bytes read as 8: a processor waits until both have left its store buffer. */
	memcpy(&word, key, 4);
	mask = (uint64_t)word << 32 | word;
	for (; n - i >= sizeof(w); i += sizeof(w)) {
		memcpy(w, p + i, sizeof(w));
		w[0] ^= mask;
		w[1] ^= mask;
		w[2] ^= mask;
		w[3] ^= mask;
		memcpy(p + i, w, sizeof(w));
	}
	for (; n - i >= sizeof(mask); i += sizeof(mask)) {
		memcpy(w, p + i, sizeof(mask));
		w[0] ^= mask;
		memcpy(p + i, w, sizeof(mask));
	}
	for (; i < n; i++)
		p[i] ^= key[i & 3];
	if (n % 4 == 0)
		return;
	for (i = 0; i < 4; i++)
		turned[i] = key[(n + i) & 3];
	memcpy(key, turned, 4);
}
