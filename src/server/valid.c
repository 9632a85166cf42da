/*
 * Every invariant that the files of this layer state at their heads,
 * in one walk between two turns; see server_valid().
 *
 * Nothing here is cheap: queued references are compared each with each, so that no memory is needed.
 */
#include "server/deadline.h"
#include "server/outbox.h"
#include "server/queue.h"
#include "server/server.h"
#include "server/session.h"
#include "server/state.h"

/* Every queued reference in turn, connection by connection. */
struct walk {
	uint32_t ci;
	bool inside;
	struct queue_walk queue;
};

static uint32_t walk_next(const struct server *s, struct walk *w)
{
	for (; w->ci < s->conns_high; w->ci++, w->inside = false) {
		const struct conn *c = &s->conns[w->ci];

		if (c->state == CONN_FREE)
			continue;
		if (w->inside)
			queue_step(s, &w->queue);
		else
			w->queue = queue_front(c);
		w->inside = true;
		if (w->queue.frame != FRAME_NONE)
			return w->queue.frame;
	}
	return FRAME_NONE;
}

static uint32_t blocks_of(const struct server *s, uint32_t f)
{
	struct iovec slice;
	uint32_t covers, blocks = 0;

	for (uint32_t skip = 0; frame_slices(&s->frames, f, skip, &slice, 1, &covers) > 0; skip += covers)
		blocks++;
	return blocks - 1; /* the first slice lies in the cell */
}

/* Between two turns only queues hold frames: each as many references as it is queued times. */
static bool frames_valid(const struct server *s)
{
	struct walk outer = { 0 };
	uint32_t f, frames = 0, blocks = 0, at = 0;

	for (; (f = walk_next(s, &outer)) != FRAME_NONE; at++) {
		struct walk inner = { 0 };
		uint32_t g, seen = 0, before = 0;

		for (uint32_t i = 0; (g = walk_next(s, &inner)) != FRAME_NONE; i++) {
			seen += g == f;
			before += g == f && i < at;
		}
		if (seen != frame_at(&s->frames, f)->refs)
			return false;
		if (before > 0)
			continue;
		frames++;
		blocks += blocks_of(s, f);
	}
	return s->out.event == NULL && frames == pool_used(&s->frames.cells) &&
	       blocks == pool_used(&s->frames.blocks) && pool_valid(&s->frames.cells) &&
	       pool_valid(&s->frames.blocks);
}

/* *nodes: what its queue holds of them. */
static bool output_valid(const struct server *s, const struct conn *c, uint32_t *nodes)
{
	if (c->head != FRAME_NONE && !(c->flags & (CONN_DIRTY | CONN_BLOCKED | CONN_DOOMED)))
		return false;
	return queue_valid(s, c, nodes);
}

/* What waits has a timer that is not late, or comes up in the next turn anyway. */
static bool timer_valid(const struct server *s, const struct conn *c)
{
	mono_t at = deadline_of(s, c);

	if (at.ms == MONO_NEVER.ms || (c->flags & (CONN_DIRTY | CONN_RESUME | CONN_DOOMED)))
		return true;
	return wheel_at(&s->wheel, &c->timer).ms <= (at.ms > s->now.mono.ms ? at.ms : s->now.mono.ms);
}

/* --- who waits, and who is nobody yet --- */

static const struct waiter *waiter_at(const struct waiting *w, uint32_t i)
{
	return i < w->n ? &w->v[i] : &w->turns[(w->turn_first + i - w->n) % w->cap];
}

/* Whoever waits stands in the lists once; nobody else does, but those who are gone. */
static bool waits_valid(const struct server *s, const struct conn *c)
{
	const struct waiting *w = &s->waiting;
	uint32_t found = 0;

	if (!(c->flags & CONN_WAITING) || (c->flags & CONN_DOOMED) || c->state > CONN_LIVE)
		return true;
	for (uint32_t i = 0; i < w->n + w->turn_count; i++) {
		const struct waiter *e = waiter_at(w, i);

		if (e->conn == conn_index(s, c) && e->generation == c->generation)
			found += (e->cell == POOL_NONE) == (c->state == CONN_HTTP);
	}
	return found == 1 && (c->state == CONN_LIVE || ((c->flags & CONN_PAUSED) && c->intake != POOL_NONE));
}

static bool stranger_valid(const struct server *s, const struct conn *c)
{
	bool somebody = (c->flags & CONN_ATTACHED) != 0 || c->dialect == DIALECT_ECHO;

	if (c->flags & CONN_STRANGER)
		return s->cfg->auth == AUTH_JWT && !somebody && c->grant != STRREF_NONE &&
		       c->state != CONN_HTTP && c->state != CONN_FREE;
	return c->state != CONN_LIVE || somebody || (c->flags & CONN_DOOMED);
}

/* Each cell is one waiter's, and somebody is woken for whoever waits too long. */
static bool waiting_valid(const struct server *s)
{
	const struct waiting *w = &s->waiting;
	uint32_t cells = 0;

	for (uint32_t i = 0; i < w->n + w->turn_count; i++) {
		const struct waiter *e = waiter_at(w, i);

		cells += e->cell != POOL_NONE;
		for (uint32_t k = 0; k < i && e->cell != POOL_NONE; k++)
			if (waiter_at(w, k)->cell == e->cell)
				return false;
		if (i < w->n && (e->what == WAIT_TURN || !timer_is_set(&w->timer) ||
		                 wheel_at(&s->wheel, &w->timer).ms > (e->until.ms > s->now.mono.ms ?
		                                                      e->until.ms : s->now.mono.ms)))
			return false;
	}
	return cells == pool_used(&w->tokens) && pool_valid(&w->tokens) && w->again.conn == CONN_NONE &&
	       w->n + w->turn_count <= w->cap;
}

/* A fetch is under way, or there is a time for the next one. */
static bool keys_valid(const struct server *s)
{
	return s->cfg->token.has_jwks_url ? s->keys.asked != timer_is_set(&s->keys.timer)
	                                  : !s->keys.asked && !s->keys.fetched;
}

static bool user_checks_valid(const struct server *s)
{
	const struct user_checks *u = &s->user_checks;

	for (uint32_t i = 0; i < u->count; i++) {
		const struct user_check *cell = &u->cells[i];

		if (cell->bytes > 0 && map_find(&u->by_id, str_of(cell->user_id, cell->bytes)) != i)
			return false;
	}
	return true;
}

static bool conn_valid(const struct server *s, const struct conn *c)
{
	bool attached = engine_attached(s->engine, conn_index(s, c));

	if (!waits_valid(s, c) || !stranger_valid(s, c))
		return false;

	/* A link that the engine closed is gone there at once; here it goes before the turn ends. */
	if (((c->flags & CONN_ATTACHED) != 0) != attached || (c->flags & CONN_LEAVING))
		return false;
	if (attached && (c->state != CONN_LIVE || c->dialect == DIALECT_ECHO || (c->flags & CONN_DOOMED)))
		return false;
	if ((c->intake == POOL_NONE) != (c->intake_bytes == 0))
		return false;
	if ((c->state == CONN_CLOSING || c->state == CONN_LINGER) && c->intake != POOL_NONE)
		return false;
	if ((c->flags & CONN_BLOCKED) && c->head == FRAME_NONE)
		return false;
	if ((c->flags & CONN_STARVED) && !(c->flags & CONN_BLOCKED))
		return false;
	return (c->state == CONN_HTTP || !(c->flags & CONN_STREAMING)) && timer_valid(s, c);
}

/* What all connections hold, added up. */
struct sums {
	uint32_t free, dirty, doomed, resume, attached, greeted, slots, nodes, loans, grants;
	uint32_t by_dialect[DIALECT_COUNT], intake[INTAKE_CLASSES];
	uint64_t free_numbers, free_squares; /* of the free slots: the free list has the same ones */
};

static void add(struct sums *t, const struct conn *c)
{
	t->dirty += (c->flags & CONN_DIRTY) != 0;
	t->doomed += (c->flags & CONN_DOOMED) != 0;
	t->resume += (c->flags & CONN_RESUME) != 0;
	t->attached += (c->flags & CONN_ATTACHED) != 0;
	t->slots += (c->flags & CONN_SLOT) != 0;
	t->loans += c->loan != POOL_NONE;
	t->grants += c->grant != STRREF_NONE;
	if (c->intake != POOL_NONE)
		t->intake[c->intake_class]++;
	if (c->flags & CONN_GREETED) {
		t->greeted++;
		t->by_dialect[c->dialect]++;
	}
}

static bool list_valid(const struct server *s, const struct conn_list *list, uint32_t flags, uint32_t n)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->v[i] >= s->conns_high || (flags != 0 && !(s->conns[list->v[i]].flags & flags)))
			return false;
	return list->n == n;
}

static bool free_list_valid(const struct server *s, const struct sums *t)
{
	uint64_t numbers = 0, squares = 0;

	for (uint32_t i = 0; i < s->free.n; i++) {
		numbers += s->free.v[i];
		squares += (uint64_t)s->free.v[i] * s->free.v[i];
	}
	return list_valid(s, &s->free, 0, t->free) && numbers == t->free_numbers &&
	       squares == t->free_squares;
}

static bool addresses_valid(const struct server *s, const struct sums *t)
{
	uint32_t cursor = 0, n = 0, sum = 0;

	for (uint32_t i = map_next(&s->addresses, &cursor); i != MAP_NONE;
	     i = map_next(&s->addresses, &cursor)) {
		const struct address_count *a = pool_at(&s->address_cells, i);

		if (a->connections == 0 || a->connections > s->cfg->connections_per_ip_max)
			return false;
		n++;
		sum += a->connections;
	}
	return sum == t->slots && n == pool_used(&s->address_cells);
}

static bool sums_valid(const struct server *s, const struct sums *t)
{
	struct engine_stats e;

	engine_stats(s->engine, &e);
	if (e.links != t->attached || s->metrics.connections != t->greeted ||
	    t->nodes != pool_used(&s->nodes) || t->loans != pool_used(&s->intake.loans) ||
	    t->grants != strpool_used(&s->grants))
		return false;
	for (int d = 0; d < DIALECT_COUNT; d++)
		if (s->metrics.connections_by_dialect[d] != t->by_dialect[d])
			return false;
	for (int i = 0; i < INTAKE_CLASSES; i++)
		if (t->intake[i] != pool_used(&s->intake.pools[i]) || !pool_valid(&s->intake.pools[i]))
			return false;
	return s->leaving.n == 0 && list_valid(s, &s->dirty, CONN_DIRTY, t->dirty) &&
	       list_valid(s, &s->doomed, CONN_DOOMED, t->doomed) &&
	       list_valid(s, &s->resume, CONN_RESUME, t->resume) && free_list_valid(s, t) &&
	       addresses_valid(s, t);
}

bool server_valid(const struct server *s)
{
	struct sums t = { 0 };

	for (uint32_t i = 0; i < s->conns_high; i++) {
		const struct conn *c = &s->conns[i];

		if (c->state == CONN_FREE) {
			if (c->flags != 0 || timer_is_set(&c->timer) || engine_attached(s->engine, i))
				return false;
			t.free++;
			t.free_numbers += i;
			t.free_squares += (uint64_t)i * i;
			continue;
		}
		if (c->state >= CONN_STATES || !conn_valid(s, c) || !output_valid(s, c, &t.nodes))
			return false;
		add(&t, c);
	}
	return sums_valid(s, &t) && waiting_valid(s) && keys_valid(s) && user_checks_valid(s) &&
	       frames_valid(s) && pool_valid(&s->nodes) && pool_valid(&s->intake.loans) &&
	       wheel_valid(&s->wheel) && engine_valid(s->engine);
}
