/*
 * The server's bytes. One read of the socket is worked off at once: it is never longer than what the server
 * asked for less what is held already, so its cleartext finds room; only when that is nothing, one record is
 * completed, and what of it the server has no room for waits in its cell.
 */
#include <poll.h>
#include <string.h>

#include "net/tls_state.h"

enum { RECORD_OVERHEAD_MAX = 5 + 8 + 16 }; /* header, nonce and tag of AES-GCM; ChaCha20 has no nonce there */

/* --- reading --- */

bool tls_stream_is_left(const struct tls *t, const struct tls_session *s)
{
	struct tls_held held;

	if (s->phase != TLS_OPEN || (s->flags & TLS_SHUT))
		return false;
	held = tls_engine_held(tls_engine(t, s));
	return (s->flags & TLS_ENDED) || (held.from < held.to && held.to == held.reach);
}

/* Cleartext to the server. */
static size_t fetch(br_ssl_engine_context *e, uint8_t *to, size_t room)
{
	size_t n;
	const unsigned char *from = br_ssl_engine_recvapp_buf(e, &n);

	if (from == NULL || room == 0)
		return 0;
	if (n > room)
		n = room;
	memcpy(to, from, n);
	br_ssl_engine_recvapp_ack(e, n);
	return n;
}

/* Does the engine hold what is not for the server, and it will not look at again? BearSSL reads one handshake
 * message of a record, refuses to renegotiate, and leaves the second where it is. */
static bool is_stuck(const struct tls *t, const struct tls_session *s)
{
	size_t n;

	return tls_stream_is_left(t, s) && !(s->flags & TLS_ENDED) &&
	       br_ssl_engine_recvapp_buf(tls_engine(t, s), &n) == NULL;
}

/* What came from the socket goes through the engine; returns the cleartext of it. */
static size_t feed(struct tls *t, struct tls_session *s, const uint8_t *from, size_t n,
                   uint8_t *to, size_t room)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	size_t got = 0, k;
	unsigned char *at;

	while (n > 0 && (at = br_ssl_engine_recvrec_buf(e, &k)) != NULL) {
		if (k > n)
			k = n;
		if (at != from)
			memcpy(at, from, k);
		br_ssl_engine_recvrec_ack(e, k);
		from += k;
		n -= k;
		got += fetch(e, to + got, room - got);
		tls_out_drain(t, s); /* a renegotiation was asked for and refused, or the end was */
		if (s->phase == TLS_DEAD)
			return got;
		tls_in_settle(t, s);
	}
	if (br_ssl_engine_current_state(e) & BR_SSL_CLOSED)
		tls_engine_closed(t, s);
	else if (n > 0 || is_stuck(t, s))
		tls_fail(t, s, TLS_FAULT_BAD_RECORD);
	return got;
}

/* What a record that is under way holds already, and will bring to light when it is complete. */
static size_t pending(const br_ssl_engine_context *e)
{
	struct tls_held held = tls_engine_held(e);

	return held.to > TLS_HEADER_BYTES ? held.to - TLS_HEADER_BYTES : 0;
}

static ptrdiff_t read_some(struct tls *t, struct tls_session *s, uint8_t *to, size_t room)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	uint8_t *at = t->cipher;
	size_t got, most = TLS_CIPHER_BYTES;
	ptrdiff_t n;

	got = fetch(e, to, room);
	if (got > 0)
		tls_in_settle(t, s);
	if (got == room || tls_stream_is_left(t, s))
		return (ptrdiff_t)got;
	if (room - got <= pending(e)) {
		at = br_ssl_engine_recvrec_buf(e, &most);
		if (at == NULL)
			return TRANSPORT_GONE;
	} else if (most > room - got - pending(e)) {
		most = room - got - pending(e);
	}
	n = t->plain.read(t->plain.ctx, s->fd, at, most);
	if (n == TRANSPORT_AGAIN)
		return got > 0 ? (ptrdiff_t)got : TRANSPORT_AGAIN;
	if (n <= 0) /* without close_notify: cut off, perhaps by somebody in between */
		return got > 0 ? (ptrdiff_t)got : TRANSPORT_GONE;
	got += feed(t, s, at, (size_t)n, to + got, room - got);
	return got > 0 ? (ptrdiff_t)got : TRANSPORT_AGAIN;
}

/* After shutdown() nobody listens. */
static ptrdiff_t discard(struct tls *t, struct tls_session *s)
{
	ptrdiff_t n = t->plain.read(t->plain.ctx, s->fd, t->cipher, TLS_CIPHER_BYTES);

	return n > 0 ? TRANSPORT_AGAIN : n;
}

ptrdiff_t tls_stream_read(struct tls *t, struct tls_session *s, void *buf, size_t bytes)
{
	ptrdiff_t got;

	if (s->phase == TLS_DEAD || (s->flags & TLS_BROKEN))
		return TRANSPORT_GONE;
	if (s->flags & TLS_SHUT)
		return discard(t, s);
	if (s->phase == TLS_HANDSHAKE)
		return TRANSPORT_AGAIN;
	if (s->flags & TLS_ENDED)
		return 0;
	tls_in_open(t, s);
	got = read_some(t, s, buf, bytes);
	tls_in_close(t, s);
	if (got == TRANSPORT_AGAIN && s->phase == TLS_DEAD)
		return TRANSPORT_GONE;
	if (got == TRANSPORT_AGAIN && (s->flags & TLS_ENDED))
		return 0;
	if (s->phase != TLS_DEAD)
		tls_rewatch(t, s);
	return got;
}

/* --- writing --- */

/* A record that the socket would take in part only is not begun: large cells are few. */
static bool is_writable(const struct tls_session *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

/* One record of at most the bytes that are left; how many it took. 0: not now, or never more. */
static size_t write_record(struct tls *t, struct tls_session *s, const struct iovec **slice, size_t *skip,
                           size_t left)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	size_t room, taken = 0;
	unsigned char *at = br_ssl_engine_sendapp_buf(e, &room);

	if (at == NULL || (left + RECORD_OVERHEAD_MAX > TLS_SMALL_BYTES && !is_writable(s)))
		return 0;
	if (left < room)
		room = left;
	while (taken < room) {
		size_t n = (*slice)->iov_len - *skip;

		if (n > room - taken)
			n = room - taken;
		memcpy(at + taken, (const char *)(*slice)->iov_base + *skip, n);
		taken += n;
		*skip += n;
		if (*skip == (*slice)->iov_len) {
			(*slice)++;
			*skip = 0;
		}
	}
	br_ssl_engine_sendapp_ack(e, taken);
	br_ssl_engine_flush(e, 0);
	tls_out_drain(t, s);
	return taken;
}

ptrdiff_t tls_stream_writev(struct tls *t, struct tls_session *s, const struct iovec *slices, uint32_t n)
{
	size_t left = 0, written = 0, skip = 0, k = 1;

	if (s->phase == TLS_DEAD || (s->flags & (TLS_ENDED | TLS_SHUT)))
		return TRANSPORT_GONE;
	if (s->phase == TLS_HANDSHAKE || tls_owes(s))
		return TRANSPORT_AGAIN;
	for (uint32_t i = 0; i < n; i++)
		left += slices[i].iov_len;
	while (left > 0 && k > 0 && !tls_owes(s) && s->phase == TLS_OPEN) {
		k = write_record(t, s, &slices, &skip, left);
		left -= k;
		written += k;
	}
	if (s->phase == TLS_DEAD)
		return TRANSPORT_GONE;
	if (tls_owes(s))
		tls_rewatch(t, s);
	return written > 0 ? (ptrdiff_t)written : TRANSPORT_AGAIN;
}

void tls_stream_shutdown(struct tls *t, struct tls_session *s)
{
	if (s->phase == TLS_DEAD || (s->flags & TLS_SHUT))
		return;
	if (s->phase == TLS_OPEN && !(s->flags & TLS_ENDED)) {
		br_ssl_engine_close(tls_engine(t, s));
		tls_out_drain(t, s);
	}
	if (s->phase == TLS_DEAD)
		return;
	tls_grown(t, s);
	tls_loan_give(t, s, TLS_IN);
	s->phase = TLS_OPEN;
	s->flags |= TLS_SHUT;
	tls_rewatch(t, s);
}
