/*
 * Invariants:
 *   - A header with a fault is read a byte at a time, whatever the input's pieces are: the first byte that
 *     cannot be right decides the error, so every split of a stream fails at the same byte for the same
 *     cause.
 *   - Sizes are compared before they are added: message_bytes never passes message_bytes_max by a header's
 *     doing, and in a data frame `remaining` never passes message_bytes. A length is 64 bits unsigned from
 *     header to event, and narrowed only after it was compared with the bytes at hand.
 *   - Control frames come between data frames, never inside one, so `remaining`, `key` and `head` serve both;
 *     what a message keeps across them (message, message_bytes, fragments, text) no control frame touches.
 *   - `at` > 0 in ST_CONTROL means bytes in the scratch block; in every other payload state it is 0.
 */
#include "wire/websocket.h"

#include <assert.h>
#include <string.h>

enum { /* order: header states first, then payload states, then the two that end */
	ST_HEAD = 0,
	ST_LENGTH_7,
	ST_LENGTH_16,
	ST_LENGTH_64,
	ST_KEY,
	ST_DATA,
	ST_CONTROL,
	ST_CLOSED,
	ST_FAILED,
};

enum { /* first two bytes of a frame */
	FIN = 0x80,
	RSV1 = 0x40,
	RSV = 0x70,
	OPCODE = 0x0f,
	CONTROL = 0x08,
	MASKED = 0x80,
	LENGTH = 0x7f,
	LENGTH_16 = 126,
	LENGTH_64 = 127,
};

enum { USUAL_HEAD_BYTES_MAX = 8 }; /* with a length of 7 or 16 bits, masked */

enum { /* ws_dec.message: opcode and RSV1 where a frame has them, and: */
	MESSAGE_SEEN = 0x80, /* a piece of it was handed out */
};

static const struct {
	uint16_t code;
	const char *name;
} errs[] = {
	[WS_OK] = { 0, "ok" },
	[WS_ERR_RSV] = { WS_CODE_PROTOCOL, "reserved_bit" },
	[WS_ERR_OPCODE] = { WS_CODE_PROTOCOL, "unknown_opcode" },
	[WS_ERR_MASK] = { WS_CODE_PROTOCOL, "bad_masking" },
	[WS_ERR_LENGTH] = { WS_CODE_PROTOCOL, "bad_length" },
	[WS_ERR_CONTROL_FRAGMENTED] = { WS_CODE_PROTOCOL, "fragmented_control" },
	[WS_ERR_CONTROL_LONG] = { WS_CODE_PROTOCOL, "long_control" },
	[WS_ERR_CONTINUATION] = { WS_CODE_PROTOCOL, "nothing_to_continue" },
	[WS_ERR_INTERLEAVED] = { WS_CODE_PROTOCOL, "interleaved_message" },
	[WS_ERR_CLOSE_CODE] = { WS_CODE_PROTOCOL, "bad_close_code" },
	[WS_ERR_CLOSE_UTF8] = { WS_CODE_NOT_UTF8, "close_reason_not_utf8" },
	[WS_ERR_UTF8] = { WS_CODE_NOT_UTF8, "text_not_utf8" },
	[WS_ERR_FRAGMENTS] = { WS_CODE_POLICY, "too_many_fragments" },
	[WS_ERR_TOO_BIG] = { WS_CODE_TOO_BIG, "message_too_big" },
};

void ws_dec_init(struct ws_dec *d)
{
	*d = (struct ws_dec){ .state = ST_HEAD };
	assert(ws_dec_between_frames(d) && !ws_dec_in_message(d));
}

/* RFC 6455 5.2 and 5.4: what the first byte alone rules out, given the message that is open. */
static enum ws_err check_head(const struct ws_dec *d, const struct ws_limits *lim, uint8_t b)
{
	unsigned op = b & OPCODE, rsv = b & RSV;
	bool control = (op & CONTROL) != 0;
	bool starts = op == WS_TEXT || op == WS_BINARY;

	/* RFC 7692 6.1: RSV1 stands on the first frame of a message only */
	if (rsv != 0 && !(rsv == RSV1 && lim->rsv1 && starts))
		return WS_ERR_RSV;
	if (control ? op > WS_PONG : op > WS_BINARY)
		return WS_ERR_OPCODE;
	if (control)
		return (b & FIN) == 0 ? WS_ERR_CONTROL_FRAGMENTED : WS_OK;
	if (starts)
		return d->message != 0 ? WS_ERR_INTERLEAVED : WS_OK;
	return d->message == 0 ? WS_ERR_CONTINUATION : WS_OK;
}

/* A data frame's length is known: the message begins or grows by it, if it may. */
static enum ws_err begin_data(struct ws_dec *d, const struct ws_limits *lim)
{
	uint64_t max = lim->message_bytes_max;

	assert(lim->fragments_max > 0);
	/* no sum is compared: it may wrap, and the limit may have shrunk below what is there */
	if (d->message_bytes > max || d->remaining > max - d->message_bytes)
		return WS_ERR_TOO_BIG;
	/* streaming writers end a message with an empty frame: it holds nothing, and nothing can follow it */
	if (d->fragments >= lim->fragments_max && !(d->remaining == 0 && (d->head & FIN) != 0))
		return WS_ERR_FRAGMENTS;
	if (d->message == 0) {
		d->message = d->head & (OPCODE | RSV1);
		assert(utf8_complete(&d->text)); /* or the text before had failed */
	}
	d->message_bytes += d->remaining;
	d->fragments++;
	return WS_OK;
}

static void begin_payload(struct ws_dec *d)
{
	d->at = 0;
	d->state = (d->head & CONTROL) != 0 ? ST_CONTROL : ST_DATA;
}

/* The length is complete; `least` is the smallest that needed this form. */
static enum ws_err end_length(struct ws_dec *d, const struct ws_limits *lim, uint64_t least)
{
	enum ws_err err = WS_OK;

	if (d->remaining < least || d->remaining >> 63 != 0)
		return WS_ERR_LENGTH;
	if ((d->head & CONTROL) == 0)
		err = begin_data(d, lim);
	if (err != WS_OK)
		return err;
	d->at = 0;
	if (lim->peer_is_server)
		begin_payload(d);
	else
		d->state = ST_KEY;
	return WS_OK;
}

static enum ws_err take_length_7(struct ws_dec *d, const struct ws_limits *lim, uint8_t b)
{
	uint8_t length = b & LENGTH;

	if (((b & MASKED) != 0) == lim->peer_is_server)
		return WS_ERR_MASK;
	if ((d->head & CONTROL) != 0 && length > WS_CONTROL_BYTES_MAX)
		return WS_ERR_CONTROL_LONG;
	d->at = 0;
	d->remaining = 0;
	if (length == LENGTH_16 || length == LENGTH_64) {
		d->state = length == LENGTH_16 ? ST_LENGTH_16 : ST_LENGTH_64;
		return WS_OK;
	}
	d->remaining = length;
	return end_length(d, lim, 0);
}

static enum ws_err take_length_more(struct ws_dec *d, const struct ws_limits *lim, uint8_t b)
{
	bool wide = d->state == ST_LENGTH_64;

	assert(d->at < 8);
	d->remaining = d->remaining << 8 | b;
	if (++d->at < (wide ? 8 : 2))
		return WS_OK;
	return end_length(d, lim, wide ? (uint64_t)UINT16_MAX + 1 : LENGTH_16);
}

/* One byte of a header. */
static enum ws_err take_head(struct ws_dec *d, const struct ws_limits *lim, uint8_t b)
{
	enum ws_err err;

	switch (d->state) {
	case ST_HEAD:
		err = check_head(d, lim, b);
		if (err != WS_OK)
			return err;
		d->head = b;
		d->state = ST_LENGTH_7;
		return WS_OK;
	case ST_LENGTH_7:
		return take_length_7(d, lim, b);
	case ST_LENGTH_16:
	case ST_LENGTH_64:
		return take_length_more(d, lim, b);
	default:
		assert(d->state == ST_KEY && d->at < 4);
		d->key[d->at] = b;
		if (++d->at == 4)
			begin_payload(d);
		return WS_OK;
	}
}

/*
 * The header of an unfragmented data message, when it has come whole and nothing is wrong with it, in one go:
 * it leaves the same state as its bytes one after the other. 0: any other; the bytes will tell.
 */
static size_t take_usual_head(struct ws_dec *d, const struct ws_limits *lim, const uint8_t *in, size_t n)
{
	size_t bytes = 2;
	unsigned length;

	if (n < USUAL_HEAD_BYTES_MAX || d->message != 0 || lim->peer_is_server)
		return 0;
	if (in[0] != (FIN | WS_TEXT) && in[0] != (FIN | WS_BINARY))
		return 0;
	length = in[1] ^ MASKED; /* unmasked: above all that follows */
	if (length == LENGTH_16) {
		length = (unsigned)in[2] << 8 | in[3];
		bytes = 4;
		if (length < LENGTH_16)
			return 0;
	} else if (length > LENGTH_16) {
		return 0;
	}
	d->head = in[0];
	d->remaining = length;
	if (begin_data(d, lim) != WS_OK)
		return 0;
	memcpy(d->key, in + bytes, 4);
	begin_payload(d);
	return bytes + 4;
}

/* Says what the piece at `p` is, and closes the message when it is its last. */
static void give_data(struct ws_dec *d, uint8_t *p, size_t n, bool last, struct ws_event *ev)
{
	assert(d->message != 0 && d->remaining <= d->message_bytes);
	*ev = (struct ws_event){
		.type = WS_EV_DATA,
		.opcode = d->message & OPCODE,
		.first = (d->message & MESSAGE_SEEN) == 0,
		.last = last,
		.rsv1 = (d->message & RSV1) != 0,
		.p = p,
		.n = n,
		.message_bytes = d->message_bytes - d->remaining,
		.frame_remaining = d->remaining,
	};
	d->message |= MESSAGE_SEEN;
	if (last) {
		d->message = 0;
		d->message_bytes = 0;
		d->fragments = 0;
	}
}

/* Up to `n` payload bytes of a data frame; the bytes consumed go to `used`. */
static enum ws_err take_data(struct ws_dec *d, const struct ws_limits *lim, uint8_t *in, size_t n,
                             size_t *used, struct ws_event *ev)
{
	size_t piece = d->remaining < n ? (size_t)d->remaining : n;
	bool text = (d->message & (OPCODE | RSV1)) == WS_TEXT;
	bool last;

	*used = piece;
	if (!lim->peer_is_server)
		ws_frame_mask(in, piece, d->key);
	if (text) {
		size_t good = utf8_feed(&d->text, in, piece);

		if (good < piece) {
			*used = good + 1;
			return WS_ERR_UTF8;
		}
	}
	d->remaining -= piece;
	if (d->remaining == 0)
		d->state = ST_HEAD;
	last = d->remaining == 0 && (d->head & FIN) != 0;
	if (last && text && !utf8_complete(&d->text))
		return WS_ERR_UTF8;
	if (piece > 0 || last)
		give_data(d, in, piece, last, ev);
	return WS_OK;
}

/* A whole Close payload. RFC 6455 5.5.1, 7.4. */
static enum ws_err give_close(struct ws_dec *d, uint8_t *p, size_t n, struct ws_event *ev)
{
	unsigned code = n >= 2 ? (unsigned)p[0] << 8 | p[1] : WS_CODE_NONE;
	size_t skip = n >= 2 ? 2 : 0;

	if (n == 1 || (n >= 2 && !ws_frame_code_valid(code)))
		return WS_ERR_CLOSE_CODE;
	if (!utf8_valid(str_of((const char *)p + skip, n - skip)))
		return WS_ERR_CLOSE_UTF8;
	d->state = ST_CLOSED;
	*ev = (struct ws_event){ .type = WS_EV_CLOSE, .code = (uint16_t)code, .p = p + skip, .n = n - skip };
	return WS_OK;
}

/* Up to `n` payload bytes of a control frame; the bytes consumed go to `used`. */
static enum ws_err take_control(struct ws_dec *d, const struct ws_limits *lim, uint8_t *control,
                                uint8_t *in, size_t n, size_t *used, struct ws_event *ev)
{
	size_t piece = d->remaining < n ? (size_t)d->remaining : n;
	size_t whole = d->at + (size_t)d->remaining;
	uint8_t *p = in, op;

	assert(whole <= WS_CONTROL_BYTES_MAX);
	assert(d->at == 0 || control != NULL);
	*used = 0;
	if (piece < whole) {
		if (control == NULL) {
			ev->type = WS_EV_NEED_CONTROL;
			return WS_OK;
		}
		memcpy(control + d->at, in, piece);
		p = control + d->at;
	}
	if (!lim->peer_is_server)
		ws_frame_mask(p, piece, d->key);
	*used = piece;
	d->remaining -= piece;
	d->at = (uint8_t)(d->at + piece);
	if (d->remaining > 0)
		return WS_OK;
	p = piece < whole ? control : in;
	d->at = 0;
	d->state = ST_HEAD;
	op = d->head & OPCODE;
	if (op == WS_CLOSE)
		return give_close(d, p, whole, ev);
	*ev = (struct ws_event){ .type = op == WS_PING ? WS_EV_PING : WS_EV_PONG, .p = p, .n = whole };
	return WS_OK;
}

static void give_fail(struct ws_dec *d, enum ws_err err, struct ws_event *ev)
{
	assert(err != WS_OK);
	d->state = ST_FAILED;
	d->err = (uint8_t)err;
	*ev = (struct ws_event){ .type = WS_EV_FAIL, .err = err, .code = ws_err_code(err) };
}

size_t ws_dec_feed(struct ws_dec *d, const struct ws_limits *lim, uint8_t *control, uint8_t *in, size_t n,
                   struct ws_event *ev)
{
	enum ws_err err = WS_OK;
	size_t i = 0, used;

	*ev = (struct ws_event){ .type = WS_EV_NONE };
	if (d->state == ST_CLOSED)
		return n;
	if (d->state == ST_FAILED) {
		give_fail(d, (enum ws_err)d->err, ev);
		return 0;
	}
	if (d->state == ST_HEAD)
		i = take_usual_head(d, lim, in, n);
	/* an empty payload is complete without a further byte */
	while (i < n || (d->state >= ST_DATA && d->remaining == 0)) {
		used = 1;
		if (d->state < ST_DATA)
			err = take_head(d, lim, in[i]);
		else if (d->state == ST_DATA)
			err = take_data(d, lim, in + i, n - i, &used, ev);
		else
			err = take_control(d, lim, control, in + i, n - i, &used, ev);
		i += used;
		if (err != WS_OK)
			give_fail(d, err, ev);
		if (ev->type != WS_EV_NONE)
			break;
	}
	assert(i <= n);
	return i;
}

bool ws_dec_keeps_control(const struct ws_dec *d)
{
	return d->state == ST_CONTROL && d->at > 0;
}

bool ws_dec_in_message(const struct ws_dec *d)
{
	return d->message != 0;
}

bool ws_dec_between_frames(const struct ws_dec *d)
{
	return d->state == ST_HEAD;
}

uint16_t ws_err_code(enum ws_err err)
{
	assert(err <= WS_ERR_TOO_BIG);
	return errs[err].code;
}

const char *ws_err_name(enum ws_err err)
{
	assert(err <= WS_ERR_TOO_BIG);
	return errs[err].name;
}
