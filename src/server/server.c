/*
 * Invariants: a slot is FREE, or in use by one handle; its generation changes when it is freed, so a
 * readiness event that is still in somebody's hands finds nobody. Slots are freed only at the end of a turn.
 * The lists hold each connection at most once.
 */
#include "server/server.h"

#include "base/hex.h"
#include "server/deadline.h"
#include "server/outbox.h"
#include "server/request.h"
#include "server/session.h"
#include "server/state.h"

enum {
	DRAIN_AT_ONCE_MAX = 1000, /* more connections than this are told to
	                           * go one after the other (CONTRACT 5) */
	DRAIN_STEP_MS = 20,
	TIMERS_DELIVERIES = 20000, /* after so many the other timers wait for the next turn ... */
	TIMERS_MESSAGES = 16,     /* ... and so many more for each connection */
	STALL_MS = 1000,          /* no turn for so long, with a timer due: the process was stopped, or its
	                           * machine */
	SHED_MAX = 64,            /* silent connections that make room at once */
	SHED_SILENCE_MS = 1000,   /* a client in earnest says what it wants by then */
	WRITES_PER_SPARE_EVENT = 32, /* they cost an eighth of the writes, even if all are handshakes */
};

/* --- small things --- */

/* xoshiro256** (Blackman, Vigna 2018). Ids and jitter, no secrets. */
uint64_t server_random(struct server *s)
{
	uint64_t *x = s->random_state, t = x[1] << 17, r = x[1] * 5;

	r = ((r << 7) | (r >> 57)) * 9;
	x[2] ^= x[0];
	x[3] ^= x[1];
	x[1] ^= x[2];
	x[0] ^= x[3];
	x[2] ^= t;
	x[3] = (x[3] << 45) | (x[3] >> 19);
	return r;
}

struct conn_id_text conn_id(const struct conn *c)
{
	struct conn_id_text id;

	hex_put_u64(id.text, c->key);
	id.text[16] = '\0';
	return id;
}

struct log *server_log(struct server *s)
{
	return &s->log;
}

void server_count_accept_error(struct server *s)
{
	s->metrics.accept_errors++;
}

static const char *const refusal_names[] = {
#define METRICS_REFUSAL_NAME(name, label) label,
	METRICS_REFUSALS(METRICS_REFUSAL_NAME)
#undef METRICS_REFUSAL_NAME
};

void server_refused(struct server *s, enum refusal why, const struct conn *c)
{
	uint64_t suppressed;

	assert(why < REFUSED_COUNT);
	s->metrics.refused[why]++;
	if (!log_limit_pass(&s->refusal_limits[why], s->now.mono, &suppressed))
		return;
	if (c == NULL) {
		LOG(&s->log, s->now.wall, LOG_WARN, "Refused",
		    LOG_STR("reason", str_of(refusal_names[why], strlen(refusal_names[why]))),
		    LOG_U64("suppressed", suppressed));
	} else {
		struct conn_id_text id = conn_id(c);

		LOG(&s->log, s->now.wall, LOG_WARN, "Refused",
		    LOG_STR("reason", str_of(refusal_names[why], strlen(refusal_names[why]))),
		    LOG_STR("conn", str_of(id.text, 16)), LOG_U64("suppressed", suppressed));
	}
}

void conn_list_add(struct conn_list *list, struct conn *c, uint32_t ci, enum conn_flag flag)
{
	if (c->flags & flag)
		return;
	c->flags |= (uint32_t)flag;
	list->v[list->n++] = ci;
}

void conn_doom(struct server *s, struct conn *c)
{
	assert(c->state != CONN_FREE);
	conn_leave(s, c);
	conn_list_add(&s->doomed, c, conn_index(s, c), CONN_DOOMED);
}

void conn_leave(struct server *s, struct conn *c)
{
	if (c->flags & CONN_ATTACHED)
		conn_list_add(&s->leaving, c, conn_index(s, c), CONN_LEAVING);
}

void conn_arm(struct server *s, struct conn *c)
{
	mono_t at = deadline_of(s, c);

	if (at.ms == MONO_NEVER.ms)
		wheel_unset(&s->wheel, &c->timer);
	else
		wheel_set(&s->wheel, &c->timer, at);
}

void conn_want(struct server *s, struct conn *c)
{
	bool writable = (c->flags & (CONN_BLOCKED | CONN_STARVED)) == CONN_BLOCKED;

	s->transport.want(s->transport.ctx, c->handle, conn_index(s, c), c->generation,
	                  !(c->flags & CONN_PAUSED), writable);
}

void conn_to(struct server *s, struct conn *c, enum conn_state to)
{
	static const uint8_t legal[CONN_STATES] = {
		[CONN_FREE] = 1 << CONN_HTTP,
		[CONN_HTTP] = 1 << CONN_LIVE | 1 << CONN_LINGER | 1 << CONN_FREE,
		[CONN_LIVE] = 1 << CONN_CLOSING | 1 << CONN_FREE,
		[CONN_CLOSING] = 1 << CONN_LINGER | 1 << CONN_FREE,
		[CONN_LINGER] = 1 << CONN_FREE,
	};

	assert(legal[c->state] & (1 << to));
	c->state = (uint8_t)to;
	if (to == CONN_FREE)
		return;
	if (to == CONN_HTTP || to == CONN_CLOSING || to == CONN_LINGER)
		c->since = s->now.mono;
	if (to == CONN_LINGER) {
		conn_leave(s, c);
		intake_release(&s->intake, c);
		outbox_clear(s, c, false);
		c->flags &= ~(uint32_t)(CONN_PAUSED | CONN_BLOCKED | CONN_STARVED);
		conn_want(s, c);
		s->transport.shutdown(s->transport.ctx, c->handle);
	}
	conn_arm(s, c);
}

/* --- accept --- */

static uint32_t take_slot(struct server *s)
{
	if (s->free.n > 0)
		return s->free.v[--s->free.n];
	return s->conns_high < s->conn_slots ? s->conns_high++ : CONN_NONE;
}

bool server_can_accept(const struct server *s)
{
	return s->free.n > 0 || s->conns_high < s->conn_slots;
}

void server_shed(struct server *s)
{
	uint32_t shed = 0;

	for (uint32_t looked = 0; looked < s->conns_high && shed < SHED_MAX; looked++) {
		struct conn *c = conn_at(s, s->shed_cursor++ % s->conns_high);
		uint32_t busy = c->flags & (CONN_STREAMING | CONN_RESUME | CONN_DOOMED | CONN_WAITING);

		if (c->state != CONN_HTTP || c->head != FRAME_NONE || busy != 0)
			continue;
		if (mono_since_ms(s->now.mono, c->heard) < SHED_SILENCE_MS)
			continue;
		server_refused(s, REFUSED_SERVER_FULL, c);
		conn_doom(s, c);
		shed++;
	}
}

uint32_t server_accept(struct server *s, int handle, uint32_t listener, const struct peer *peer,
                       uint32_t *generation)
{
	uint32_t ci = take_slot(s);
	struct conn *c;

	s->metrics.accepted_total++;
	if (ci == CONN_NONE) {
		server_refused(s, REFUSED_SERVER_FULL, NULL);
		return CONN_NONE;
	}
	c = conn_at(s, ci);
	assert(c->state == CONN_FREE);
	*c = (struct conn){
		.handle = handle, .generation = c->generation + 1, .head = FRAME_NONE, .run_last = FRAME_NONE,
		.node_first = POOL_NONE, .node_last = POOL_NONE,
		.listener = (uint8_t)listener, .intake = POOL_NONE, .loan = POOL_NONE, .heard = s->now.mono,
		.pinged = s->now.mono, .key = server_random(s), .peer = *peer,
	};
	timer_init(&c->timer, TIMER_CONN);
	http_parser_init(&c->http);
	*generation = c->generation;
	conn_to(s, c, CONN_HTTP);
	return ci;
}

/* --- readiness --- */

static bool is_current(const struct server *s, uint32_t ci, uint32_t generation)
{
	return ci < s->conn_slots && s->conns[ci].state != CONN_FREE &&
	       s->conns[ci].generation == generation && !(s->conns[ci].flags & CONN_DOOMED);
}

static void input(struct server *s, struct conn *c, uint8_t *bytes, size_t n)
{
	switch ((enum conn_state)c->state) {
	case CONN_HTTP:
		request_input(s, c, bytes, n);
		return;
	case CONN_LIVE:
	case CONN_CLOSING:
		session_input(s, c, bytes, n);
		return;
	case CONN_LINGER:
		return;
	case CONN_FREE:
	case CONN_STATES:
		assert(0);
	}
}

static void input_end(struct server *s, struct conn *c)
{
	if (c->state == CONN_HTTP)
		request_input_end(s, c);
	else
		session_input_end(s, c);
}

/* What one read takes: of a request, no more than its buffer has room for. */
static size_t read_max(const struct conn *c)
{
	size_t room = INTAKE_MEDIUM_BYTES - c->intake_bytes;

	if (c->state != CONN_HTTP || room > INPUT_BYTES)
		return INPUT_BYTES;
	assert(room > 0); /* a head and a body, both of the largest size, leave some */
	return room;
}

void server_input(struct server *s, uint32_t ci, uint32_t generation)
{
	struct conn *c;
	ptrdiff_t n;

	if (!is_current(s, ci, generation))
		return;
	c = conn_at(s, ci);
	if (c->flags & (CONN_PAUSED | CONN_RESUME))
		return; /* what came before, an end of stream too, is worked off first */
	n = s->transport.read(s->transport.ctx, c->handle, s->input, read_max(c));
	if (n == TRANSPORT_AGAIN)
		return;
	if (n == TRANSPORT_GONE) {
		if (c->state == CONN_LIVE)
			metrics_close(&s->metrics, WS_CODE_ABNORMAL);
		conn_doom(s, c);
		return;
	}
	if (n == 0) {
		input_end(s, c);
		return;
	}
	s->metrics.bytes_received += (uint64_t)n;
	input(s, c, s->input, (size_t)n);
}

void server_output(struct server *s, uint32_t ci, uint32_t generation)
{
	if (is_current(s, ci, generation) && conn_at(s, ci)->head != FRAME_NONE)
		outbox_write(s, conn_at(s, ci));
}

void server_hangup(struct server *s, uint32_t ci, uint32_t generation)
{
	if (!is_current(s, ci, generation))
		return;
	if (conn_at(s, ci)->flags & CONN_PAUSED)
		conn_doom(s, conn_at(s, ci)); /* nobody would read what it still has,
		                               * and nothing can be written */
	else
		server_input(s, ci, generation);
}

void server_broken(struct server *s, uint32_t ci, uint32_t generation)
{
	if (is_current(s, ci, generation))
		conn_doom(s, conn_at(s, ci));
}

/* Input that was left in the intake because the output was full, or the turn's share was used up. */
static void work_off_resumed(struct server *s)
{
	uint32_t n = s->resume.n;

	for (uint32_t i = 0; i < n; i++) {
		struct conn *c = conn_at(s, s->resume.v[i]);
		uint32_t bytes = c->intake_bytes;

		c->flags &= ~(uint32_t)CONN_RESUME;
		if (c->flags & (CONN_DOOMED | CONN_PAUSED) || bytes == 0)
			continue;
		if (c->state == CONN_HTTP) {
			request_input(s, c, NULL, 0);
		} else if (c->state == CONN_LIVE) {
			memcpy(s->input, intake_bytes(&s->intake, c), bytes);
			intake_release(&s->intake, c);
			session_input(s, c, s->input, bytes);
		}
	}
	s->resume.n -= n;
	memmove(s->resume.v, s->resume.v + n, s->resume.n * sizeof(*s->resume.v));
}

void server_answered(struct server *s, uint32_t ticket, enum outside_result result, unsigned status,
                     char *body, uint32_t body_bytes)
{
	if (ticket == WAIT_KEYS)
		keys_answered(s, result, status, body, body_bytes);
	else
		user_check_answered(s, ticket, result, status);
}

/* --- the turn --- */

/*
 * Has something been due since the last turn for longer than a turn takes? What is late because there is too
 * much to do was due before, and the turns go on.
 */
static bool stood_still(const struct server *s, struct now now)
{
	mono_t due = wheel_next(&s->wheel);

	return mono_since_ms(now.mono, mono_before(due, s->now.mono) ? s->now.mono : due) > STALL_MS;
}

void server_begin_turn(struct server *s, struct now now)
{
	if (stood_still(s, now))
		engine_stalled(s->engine, now);
	s->now = now;
	s->turn_messages = 0;
	s->metrics.turns++;
	token_begin_turn(s);
}

static void drain_step(struct server *s);

/*
 * However many users' time is over at once (a node died with all of its), what that tells is written and
 * answered in between. With many receivers more is told at once: each gets it in one piece.
 */
static uint64_t deliveries_enough(const struct server *s)
{
	return s->metrics.deliveries + TIMERS_DELIVERIES + TIMERS_MESSAGES * s->metrics.connections;
}

/* True: there are more that are due. */
static bool run_timers(struct server *s)
{
	uint64_t enough = deliveries_enough(s);
	struct timer *t;

	while (s->metrics.deliveries < enough && (t = wheel_pop(&s->wheel, s->now.mono)) != NULL) {
		if (timer_kind(t) < ENGINE_TIMER_KINDS) {
			engine_timer(s->engine, t, s->now);
		} else if (timer_kind(t) == TIMER_CONN) {
			struct conn *c = TIMER_OWNER(t, struct conn, timer);

			if (!(c->flags & CONN_DOOMED))
				deadline_passed(s, c);
		} else if (timer_kind(t) == TIMER_KEYS) {
			keys_timer(s);
		} else if (timer_kind(t) == TIMER_WAITING) {
			waiting_timer(s);
		} else {
			assert(timer_kind(t) == TIMER_DRAIN);
			drain_step(s);
		}
	}
	return s->metrics.deliveries >= enough;
}

/* Takes the links of those who leave out of the engine; what others hear of it may make more leave. */
static void work_off_leaving(struct server *s)
{
	while (s->leaving.n > 0) {
		struct conn *c = conn_at(s, s->leaving.v[--s->leaving.n]);

		assert(c->flags & CONN_ATTACHED);
		c->flags &= ~(uint32_t)(CONN_LEAVING | CONN_ATTACHED);
		s->acting = c;
		engine_detach(s->engine, conn_index(s, c), s->now);
		s->acting = NULL;
	}
}

static void free_conn(struct server *s, struct conn *c)
{
	uint32_t ci = conn_index(s, c);

	assert(!(c->flags & CONN_ATTACHED));
	wheel_unset(&s->wheel, &c->timer);
	outbox_clear(s, c, false);
	intake_release(&s->intake, c);
	intake_loan_release(&s->intake, c);
	admission_forget(s, c);
	if (c->flags & CONN_GREETED) {
		s->metrics.connections--;
		s->metrics.connections_by_dialect[c->dialect]--;
	}
	s->transport.close(s->transport.ctx, c->handle);
	conn_to(s, c, CONN_FREE);
	c->flags = 0;
	s->free.v[s->free.n++] = ci;
}

static void work_off_doomed(struct server *s)
{
	/* A doomed connection may still stand in the dirty and resume lists:
	 * it is freed once it is out of them. */
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->doomed.n; i++) {
		struct conn *c = conn_at(s, s->doomed.v[i]);

		if (c->flags & (CONN_DIRTY | CONN_RESUME))
			s->doomed.v[kept++] = s->doomed.v[i];
		else
			free_conn(s, c);
	}
	s->doomed.n = kept;
}

uint32_t server_spare_events(const struct server *s, uint32_t max)
{
	uint32_t spare = s->dirty.n / WRITES_PER_SPARE_EVENT;

	if (s->turn_messages >= SLICES_MAX)
		return 0;
	return spare < max ? spare : max;
}

bool server_end_turn(struct server *s, bool timers)
{
	bool late;

	work_off_resumed(s);
	waiting_work_off(s);
	late = timers && run_timers(s);
	work_off_leaving(s);
	if (s->cfg->clustered) /* before those who might ask another node for it hear of it */
		s->peers.flush(s->peers.link.ctx, s->now);
	outbox_flush(s);
	/* Writing may have found more who are gone; what their going causes is written in the next turn. */
	work_off_leaving(s);
	work_off_doomed(s);
	return late || s->dirty.n > 0 || s->resume.n > 0 || s->doomed.n > 0 || waiting_for_turn(s) ||
	       user_checks_may_go_on(s);
}

void server_turn_took(struct server *s, int64_t us)
{
	if (us > s->metrics.turn_us_max)
		s->metrics.turn_us_max = us;
	if (s->turn_messages > 0)
		metrics_latency(&s->metrics, us, s->turn_messages);
}

mono_t server_deadline(const struct server *s)
{
	return wheel_next(&s->wheel);
}

/* --- the end --- */

static mono_t drain_end(const struct server *s)
{
	return mono_add_ms(s->drain_since, s->cfg->drain_timeout_ms);
}

/* Until then a request that has begun may still come to its end. */
static mono_t requests_end(const struct server *s)
{
	return mono_min(mono_add_ms(s->drain_since, DRAIN_REPLY_MS), drain_end(s));
}

/* Tells the next connections to go: all at once when they are few,
 * else spread over half of the time there is. */
static void drain_step(struct server *s)
{
	int64_t half_ms = s->cfg->drain_timeout_ms / 2, past_ms = mono_since_ms(s->now.mono, s->drain_since);
	uint64_t until = s->conns_high;

	if (s->drain_spread && past_ms + DRAIN_STEP_MS < half_ms)
		until = until * (uint64_t)(past_ms + DRAIN_STEP_MS) / (uint64_t)half_ms;
	for (; s->drain_cursor < until; s->drain_cursor++) {
		struct conn *c = conn_at(s, s->drain_cursor);

		if (c->state == CONN_LIVE)
			session_close(s, c, WS_CODE_GOING_AWAY,
			              STR("server is shutting down"), REFUSED_COUNT);
		else if (c->state == CONN_HTTP)
			request_drain(s, c);
		else if (c->state == CONN_CLOSING)
			conn_arm(s, c); /* a reply is waited for less long now */
	}
	if (s->drain_cursor < s->conns_high)
		wheel_set(&s->wheel, &s->drain_timer, mono_add_ms(s->now.mono, DRAIN_STEP_MS));
	else
		s->drain_told = true;
	/* To be woken when the time is over, whatever is waited for. */
	if (s->drain_told && mono_before(s->now.mono, requests_end(s)))
		wheel_set(&s->wheel, &s->drain_timer, requests_end(s));
	else if (s->drain_told && mono_before(s->now.mono, drain_end(s)))
		wheel_set(&s->wheel, &s->drain_timer, drain_end(s));
}

void server_drain(struct server *s)
{
	if (s->draining)
		return;
	s->draining = true;
	s->drain_since = s->now.mono;
	s->drain_cursor = 0;
	s->drain_spread = s->metrics.connections > DRAIN_AT_ONCE_MAX;
	LOG(&s->log, s->now.wall, LOG_INFO, "Draining", LOG_U64("connections", s->metrics.connections));
	drain_step(s);
}

/* Is an answer to a request still on its way, or the request? */
static bool answering(const struct server *s)
{
	bool late = !mono_before(s->now.mono, requests_end(s));

	for (uint32_t ci = 0; ci < s->conns_high; ci++) {
		const struct conn *c = conn_at(s, ci);

		if (c->state != CONN_HTTP || (c->flags & CONN_DOOMED))
			continue;
		if (c->head != FRAME_NONE || (c->flags & CONN_STREAMING) || (c->intake != POOL_NONE && !late))
			return true;
	}
	return false;
}

bool server_emptied(const struct server *s)
{
	return s->draining && s->drain_told && s->metrics.connections == 0;
}

bool server_drained(const struct server *s)
{
	if (!s->draining)
		return false;
	if (!mono_before(s->now.mono, drain_end(s)))
		return true;
	return server_emptied(s) && !answering(s) &&
	       (!s->cfg->clustered || s->peers.leave(s->peers.link.ctx, s->now));
}

struct engine *server_engine(struct server *s)
{
	return s->engine;
}

bool server_draining(const struct server *s)
{
	return s->draining;
}
