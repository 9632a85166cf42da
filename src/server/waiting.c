/*
 * Invariants: a connection with CONN_WAITING that is in HTTP or LIVE stands once in v or in turns; whoever
 * stands there without it, in another state, or with another generation, is gone, and is passed over. A
 * request that waits has its bytes in the intake and is not read from. A cell belongs to one waiter.
 */
#include "server/waiting.h"

#include "server/authenticate.h"
#include "server/request.h"
#include "server/respond.h"
#include "server/state.h"

enum {
	RESUMED_PER_TURN_MAX = 64,
};

void waiting_init(struct waiting *w, struct region *r, uint32_t slots)
{
	w->cap = 2 * slots; /* one may be gone, and its slot's next user wait as well */
	w->v = region_take_array(r, w->cap, sizeof(struct waiter), 64);
	w->turns = region_take_array(r, w->cap, sizeof(struct waiter), 64);
	pool_init(&w->tokens, r, sizeof(struct waiting_token), WAITING_TOKENS_MAX);
	w->again.conn = CONN_NONE;
	timer_init(&w->timer, TIMER_WAITING);
}

static bool is_there(const struct server *s, const struct waiter *e)
{
	const struct conn *c = conn_at(s, e->conn);

	return c->generation == e->generation && (c->flags & CONN_WAITING) && !(c->flags & CONN_DOOMED) &&
	       c->state == (e->cell == POOL_NONE ? CONN_HTTP : CONN_LIVE);
}

static void forget(struct server *s, const struct waiter *e)
{
	if (e->cell != POOL_NONE)
		pool_give(&s->waiting.tokens, e->cell);
}

/* --- beginning to wait --- */

static void push_turn(struct waiting *w, const struct waiter *e)
{
	assert(w->turn_count < w->cap);
	w->turns[(w->turn_first + w->turn_count++) % w->cap] = *e;
}

static void set_timer(struct server *s)
{
	struct waiting *w = &s->waiting;
	mono_t at = MONO_NEVER;

	for (uint32_t i = 0; i < w->n; i++)
		at = mono_min(at, w->v[i].until);
	if (at.ms == MONO_NEVER.ms)
		wheel_unset(&s->wheel, &w->timer);
	else
		wheel_set(&s->wheel, &w->timer, at);
}

/* Takes out who is gone; O(n), and seldom. */
static void purge(struct server *s)
{
	struct waiting *w = &s->waiting;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < w->n; i++)
		if (is_there(s, &w->v[i]))
			w->v[kept++] = w->v[i];
		else
			forget(s, &w->v[i]);
	w->n = kept;
}

static bool add(struct server *s, struct conn *c, uint32_t what, uint32_t cell)
{
	struct waiting *w = &s->waiting;
	struct waiter e = { .conn = conn_index(s, c), .generation = c->generation, .what = what,
		            .cell = cell, .until = mono_add_ms(s->now.mono, WAITING_MS) };

	if (w->again.conn == e.conn && w->again.what == what)
		e.until = w->again.until;

	assert(!(c->flags & CONN_WAITING));
	if (w->n == w->cap)
		purge(s);
	if (w->n == w->cap || w->turn_count + w->n >= w->cap)
		return false; /* room in `turns` for all who wait */
	c->flags |= CONN_WAITING;
	if (what == WAIT_TURN) {
		push_turn(w, &e);
		return true;
	}
	w->v[w->n++] = e;
	if (!timer_is_set(&w->timer) || mono_before(e.until, wheel_at(&s->wheel, &w->timer)))
		wheel_set(&s->wheel, &w->timer, e.until);
	return true;
}

bool waiting_add_request(struct server *s, struct conn *c, uint32_t what)
{
	assert(c->state == CONN_HTTP);
	if (!add(s, c, what, POOL_NONE))
		return false;
	c->flags |= CONN_PAUSED;
	conn_want(s, c);
	return true;
}

bool waiting_add_token(struct server *s, struct conn *c, uint32_t what, struct str token, struct str reply_to)
{
	struct waiter *again = &s->waiting.again;
	struct waiting_token *t;
	uint32_t cell;

	assert(c->state == CONN_LIVE);
	if (again->conn == conn_index(s, c) && again->cell != POOL_NONE) {
		if (!add(s, c, what, again->cell))
			return false;
		again->cell = POOL_NONE; /* it is the new waiter's */
		return true;
	}
	if (token.n > sizeof(t->token) || reply_to.n > sizeof(t->reply_to))
		return false;
	cell = pool_take(&s->waiting.tokens);
	if (cell == POOL_NONE)
		return false;
	t = pool_at(&s->waiting.tokens, cell);
	t->token_bytes = (uint32_t)token.n;
	memcpy(t->token, token.p, token.n);
	t->has_reply = !str_absent(reply_to);
	t->reply_bytes = (uint32_t)reply_to.n;
	if (reply_to.n > 0)
		memcpy(t->reply_to, reply_to.p, reply_to.n);
	if (add(s, c, what, cell))
		return true;
	pool_give(&s->waiting.tokens, cell);
	return false;
}

bool waiting_for_turn(const struct server *s)
{
	return s->waiting.turn_count > 0;
}

/* --- going on --- */

bool waiting_is_again(const struct server *s, const struct conn *c)
{
	return s->waiting.again.conn == conn_index(s, c);
}

void waiting_was_again(struct server *s)
{
	s->waiting.again.conn = CONN_NONE;
}

uint32_t waiting_some(struct server *s, uint32_t what, uint32_t max)
{
	struct waiting *w = &s->waiting;
	uint32_t kept = 0, gone = 0;

	for (uint32_t i = 0; i < w->n; i++) {
		if (w->v[i].what != what || gone == max) {
			w->v[kept++] = w->v[i];
		} else {
			push_turn(w, &w->v[i]);
			gone++;
		}
	}
	w->n = kept;
	return gone;
}

void waiting_answered(struct server *s, uint32_t what)
{
	waiting_some(s, what, UINT32_MAX);
}

static void resume(struct server *s, const struct waiter *e)
{
	struct conn *c = conn_at(s, e->conn);
	struct waiting *w = &s->waiting;
	const struct waiting_token *t;

	w->again = *e;
	c->flags &= ~(uint32_t)CONN_WAITING;
	if (e->cell == POOL_NONE) {
		c->flags &= ~(uint32_t)CONN_PAUSED;
		conn_want(s, c);
		request_input(s, c, NULL, 0);
	} else {
		t = pool_at(&w->tokens, e->cell);
		authenticate_again(s, c, str_of(t->token, t->token_bytes),
		                   t->has_reply ? str_of(t->reply_to, t->reply_bytes) : STR_NONE);
		forget(s, &w->again);
	}
	waiting_was_again(s);
}

void waiting_work_off(struct server *s)
{
	struct waiting *w = &s->waiting;

	user_checks_go_on(s);
	for (uint32_t n = 0; n < RESUMED_PER_TURN_MAX && w->turn_count > 0; n++) {
		struct waiter e = w->turns[w->turn_first];

		if (s->verifier.work_left == 0)
			return;
		w->turn_first = (w->turn_first + 1) % w->cap;
		w->turn_count--;
		if (is_there(s, &e))
			resume(s, &e);
		else
			forget(s, &e);
	}
}

/* --- too late --- */

static void give_up(struct server *s, const struct waiter *e)
{
	struct conn *c = conn_at(s, e->conn);
	bool keys = e->what == WAIT_KEYS;

	c->flags &= ~(uint32_t)CONN_WAITING;
	if (e->cell != POOL_NONE) {
		const struct waiting_token *t = pool_at(&s->waiting.tokens, e->cell);

		authenticate_gave_up(s, c, t->has_reply ? str_of(t->reply_to, t->reply_bytes) : STR_NONE);
		return;
	}
	respond_error(s, c, &(struct respond_error){
		.status = 503, .last = true, .why = REFUSED_OUTSIDE,
		.message = keys ? STR("the keys for tokens cannot be had now")
		                : STR("whether the user exists cannot be asked now"),
	});
	intake_release(&s->intake, c);
}

void waiting_timer(struct server *s)
{
	struct waiting *w = &s->waiting;
	uint32_t i = 0;

	while (i < w->n) {
		struct waiter e = w->v[i];

		if (is_there(s, &e) && mono_before(s->now.mono, e.until)) {
			i++;
			continue;
		}
		w->v[i] = w->v[--w->n];
		if (is_there(s, &e))
			give_up(s, &e);
		forget(s, &e);
	}
	set_timer(s);
}
