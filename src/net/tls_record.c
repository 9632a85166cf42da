/*
 * Invariants: between two calls of the transport or the loop no engine points into the shared buffers for
 * anything that counts: input is in a cell or in session.header, output was sent or is in a cell, `stage` is
 * empty.
 */
#include <string.h>

#include "net/tls_state.h"

/* --- in --- */

void tls_in_open(struct tls *t, struct tls_session *s)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	struct tls_held held = tls_engine_held(e);

	if (s->loans[TLS_IN].cell != POOL_NONE) {
		tls_engine_use_in(e, tls_loan_at(t, s, TLS_IN));
		return;
	}
	assert(held.to <= sizeof(s->header) || held.from == held.to);
	if (held.from < held.to)
		memcpy(t->in, s->header, held.to);
	tls_engine_use_in(e, t->in);
}

void tls_in_settle(struct tls *t, struct tls_session *s)
{
	br_ssl_engine_context *e = tls_engine(t, s);

	if (s->loans[TLS_IN].cell == POOL_NONE || !tls_engine_between_records(e))
		return;
	tls_loan_give(t, s, TLS_IN);
	tls_engine_use_in(e, t->in);
}

void tls_in_close(struct tls *t, struct tls_session *s)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	struct tls_held held = tls_engine_held(e);

	if (s->phase != TLS_DEAD && held.from < held.to && s->loans[TLS_IN].cell == POOL_NONE) {
		if (held.to <= sizeof(s->header) && held.from == 0)
			memcpy(s->header, t->in, held.to);
		else if (tls_loan_take(t, s, TLS_IN, held.reach))
			memcpy(tls_loan_at(t, s, TLS_IN) + held.from, t->in + held.from, held.to - held.from);
		else
			tls_fail(t, s, TLS_FAULT_POOL);
	} else if (held.from == held.to) {
		tls_loan_give(t, s, TLS_IN);
	} else if (held.to <= sizeof(s->header) && held.from == 0 && s->phase != TLS_DEAD) {
		memcpy(s->header, tls_loan_at(t, s, TLS_IN), held.to);
		tls_loan_give(t, s, TLS_IN);
	}
	tls_engine_use_in(e, NULL);
}

/* --- out --- */

/* How many of the bytes the socket took; all of them when the session fails of it. */
static size_t send_some(struct tls *t, struct tls_session *s, const void *bytes, size_t n)
{
	struct iovec slice = { (void *)(uintptr_t)bytes, n };
	ptrdiff_t sent = t->plain.writev(t->plain.ctx, s->fd, &slice, 1);

	if (sent == TRANSPORT_GONE) {
		tls_fail(t, s, s->phase == TLS_HANDSHAKE ? TLS_FAULT_GONE : TLS_FAULT_NONE);
		return n;
	}
	return sent < 0 ? 0 : (size_t)sent;
}

/* Puts bytes behind what waits already. */
static void keep(struct tls *t, struct tls_session *s, const uint8_t *bytes, size_t n)
{
	struct tls_loan *loan = &s->loans[TLS_OUT];

	if (!tls_owes(s)) {
		if (!tls_loan_take(t, s, TLS_OUT, n)) {
			tls_fail(t, s, TLS_FAULT_POOL);
			return;
		}
	} else if (loan->to + n > tls_loan_bytes(s, TLS_OUT)) {
		/* More than a record, unasked for: somebody makes us answer and does not read. */
		if (loan->size == TLS_BIG || (size_t)(loan->to - loan->from) + n > TLS_IN_BYTES) {
			tls_fail(t, s, TLS_FAULT_STALLED);
			return;
		}
		if (!tls_loan_grow(t, s, TLS_OUT)) {
			tls_fail(t, s, TLS_FAULT_POOL);
			return;
		}
	}
	memcpy(tls_loan_at(t, s, TLS_OUT) + loan->to, bytes, n);
	loan->to = (uint16_t)(loan->to + n);
}

static void put(struct tls *t, struct tls_session *s, const uint8_t *bytes, size_t n)
{
	size_t sent = 0;

	if (s->phase == TLS_DEAD)
		return;
	if (!tls_owes(s))
		sent = send_some(t, s, bytes, n);
	if (sent < n && s->phase != TLS_DEAD)
		keep(t, s, bytes + sent, n - sent);
}

static void unstage(struct tls *t, struct tls_session *s)
{
	size_t n = t->staged;

	t->staged = 0;
	if (n > 0)
		put(t, s, t->stage, n);
}

void tls_out_collect(struct tls *t, struct tls_session *s)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	unsigned char *record;
	size_t n;

	while ((record = br_ssl_engine_sendrec_buf(e, &n)) != NULL) {
		if (n > TLS_SMALL_BYTES || tls_owes(s) || t->staged + n > TLS_STAGE_BYTES)
			unstage(t, s);
		if (n > TLS_SMALL_BYTES || tls_owes(s)) {
			put(t, s, record, n);
		} else {
			memcpy(t->stage + t->staged, record, n);
			t->staged += n;
		}
		br_ssl_engine_sendrec_ack(e, n);
	}
}

void tls_out_drain(struct tls *t, struct tls_session *s)
{
	tls_out_collect(t, s);
	unstage(t, s);
	assert(tls_engine_out_is_empty(tls_engine(t, s)));
}

bool tls_out_resume(struct tls *t, struct tls_session *s)
{
	struct tls_loan *loan = &s->loans[TLS_OUT];
	size_t sent;

	if (!tls_owes(s))
		return true;
	sent = send_some(t, s, tls_loan_at(t, s, TLS_OUT) + loan->from, (size_t)(loan->to - loan->from));
	if (s->phase == TLS_DEAD)
		return true;
	loan->from = (uint16_t)(loan->from + sent);
	if (sent > 0)
		s->flags &= (uint16_t)~TLS_STARVED;
	if (loan->from == loan->to)
		tls_loan_give(t, s, TLS_OUT);
	return sent > 0;
}

void tls_out_last(struct tls *t, struct tls_session *s, const void *bytes, size_t n)
{
	struct iovec slice = { (void *)(uintptr_t)bytes, n };

	if (!tls_owes(s)) /* else it would stand in the middle of a record */
		(void)t->plain.writev(t->plain.ctx, s->fd, &slice, 1);
}

void tls_engine_closed(struct tls *t, struct tls_session *s)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	int error = br_ssl_engine_last_error(e);
	uint8_t *alert;
	size_t n;

	if (error == BR_ERR_OK) {
		s->flags |= TLS_ENDED;
		if (s->phase == TLS_HANDSHAKE)
			tls_fail(t, s, TLS_FAULT_GONE);
		return;
	}
	n = tls_engine_alert(e, t->out, &alert);
	if (n > 0)
		tls_out_last(t, s, alert, n);
	if (error >= BR_ERR_SEND_FATAL_ALERT)
		tls_fail(t, s, TLS_FAULT_REFUSED);
	else
		tls_fail(t, s, error >= BR_ERR_RECV_FATAL_ALERT ? TLS_FAULT_ALERT : TLS_FAULT_BAD_RECORD);
}
