/*
 * Invariants: a loan with a cell stands in exactly one list, that of its size and side, by when it was taken.
 * Small cells are two for each session, so they never run out.
 */
#include <string.h>

#include "net/tls_state.h"

static size_t link_of(enum tls_side side)
{
	return offsetof(struct tls_session, loans) + side * sizeof(struct tls_loan) +
	       offsetof(struct tls_loan, link);
}

static mono_t since(const struct tls *t, uint32_t number, enum tls_side side)
{
	return tls_at(t, number)->loans[side].since;
}

/* The one who has held a whole record's cell longest; POOL_NONE. */
static uint32_t longest(const struct tls *t, enum tls_size size)
{
	uint32_t in = list_first(&t->cells[size].holders[TLS_IN]);
	uint32_t out = list_first(&t->cells[size].holders[TLS_OUT]);

	if (in == POOL_NONE || out == POOL_NONE)
		return in == POOL_NONE ? out : in;
	return since(t, out, TLS_OUT).ms < since(t, in, TLS_IN).ms ? out : in;
}

bool tls_loan_take(struct tls *t, struct tls_session *s, enum tls_side side, size_t bytes)
{
	struct tls_loan *loan = &s->loans[side];
	enum tls_size size = bytes <= TLS_SMALL_BYTES ? TLS_SMALL : TLS_BIG;
	uint32_t victim;

	assert(loan->cell == POOL_NONE && bytes <= TLS_IN_BYTES);
	loan->cell = pool_take(&t->cells[size].pool);
	if (loan->cell == POOL_NONE) {
		victim = longest(t, size);
		if (victim == POOL_NONE || victim == tls_number(t, s))
			return false;
		tls_fail(t, tls_at(t, victim), TLS_FAULT_POOL);
		loan->cell = pool_take(&t->cells[size].pool);
	}
	if (loan->cell == POOL_NONE)
		return false;
	loan->size = (uint8_t)size;
	loan->from = loan->to = 0;
	loan->since = t->now.mono;
	list_push(&t->cells[size].holders[side], &t->sessions, link_of(side), tls_number(t, s));
	return true;
}

void tls_loan_give(struct tls *t, struct tls_session *s, enum tls_side side)
{
	struct tls_loan *loan = &s->loans[side];

	if (loan->cell == POOL_NONE)
		return;
	list_remove(&t->cells[loan->size].holders[side], &t->sessions, link_of(side), tls_number(t, s));
	pool_give(&t->cells[loan->size].pool, loan->cell);
	loan->cell = POOL_NONE;
}

bool tls_loan_grow(struct tls *t, struct tls_session *s, enum tls_side side)
{
	struct tls_loan old = s->loans[side];
	size_t bytes = (size_t)(old.to - old.from);
	const char *from = (char *)pool_at(&t->cells[TLS_SMALL].pool, old.cell) + old.from;

	assert(old.cell != POOL_NONE && old.size == TLS_SMALL);
	list_remove(&t->cells[TLS_SMALL].holders[side], &t->sessions, link_of(side), tls_number(t, s));
	s->loans[side].cell = POOL_NONE;
	if (tls_loan_take(t, s, side, TLS_IN_BYTES)) {
		memcpy(tls_loan_at(t, s, side), from, bytes);
		s->loans[side].to = (uint16_t)bytes;
	}
	pool_give(&t->cells[TLS_SMALL].pool, old.cell);
	return s->loans[side].cell != POOL_NONE;
}

uint8_t *tls_loan_at(const struct tls *t, const struct tls_session *s, enum tls_side side)
{
	return pool_at(&t->cells[s->loans[side].size].pool, s->loans[side].cell);
}

size_t tls_loan_bytes(const struct tls_session *s, enum tls_side side)
{
	return s->loans[side].size == TLS_SMALL ? TLS_SMALL_BYTES : TLS_IN_BYTES;
}

mono_t tls_loan_deadline(const struct tls *t)
{
	mono_t at = MONO_NEVER;

	for (int i = 0; i < TLS_SIZES * TLS_SIDES; i++) {
		enum tls_side side = (enum tls_side)(i % TLS_SIDES);
		uint32_t first = list_first(&t->cells[i / TLS_SIDES].holders[side]);

		if (first != POOL_NONE)
			at = mono_min(at, mono_add_ms(since(t, first, side), TLS_HOLD_MS));
	}
	return at;
}

/* Decrypted bytes that the server has not asked for yet are not the peer's fault. */
static bool is_servers(const struct tls *t, const struct tls_session *s, enum tls_side side)
{
	return side == TLS_IN && tls_stream_is_left(t, s);
}

static void expire(struct tls *t, struct list *holders, enum tls_side side)
{
	uint32_t first;

	while ((first = list_first(holders)) != POOL_NONE &&
	       mono_since_ms(t->now.mono, since(t, first, side)) >= TLS_HOLD_MS) {
		struct tls_session *s = tls_at(t, first);

		if (!is_servers(t, s, side)) {
			tls_fail(t, s, TLS_FAULT_STALLED);
			continue;
		}
		list_remove(holders, &t->sessions, link_of(side), first);
		s->loans[side].since = t->now.mono;
		list_push(holders, &t->sessions, link_of(side), first);
	}
}

void tls_loan_expire(struct tls *t)
{
	for (int i = 0; i < TLS_SIZES * TLS_SIDES; i++)
		expire(t, &t->cells[i / TLS_SIDES].holders[i % TLS_SIDES],
		       (enum tls_side)(i % TLS_SIDES));
}
