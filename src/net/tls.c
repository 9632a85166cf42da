/*
 * Invariants: a session's generation is odd while its descriptor is open; epoll's tags carry it. It is in
 * `young` until its handshake is over, and in at most one of the lists of work.
 */
#include "net/tls.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/region.h"
#include "net/machine.h"
#include "net/socket.h"
#include "net/tls_state.h"
#include "net/watch.h"

enum {
	SESSIONS_SPARE = 64,    /* as the server has connections to spare */
	BIG_CELLS_MIN = 32,     /* and one for eight sessions: 2 KiB of each, if ever used */
	BIG_CELLS_SHARE = 8,
};

#define RUN_LINK offsetof(struct tls_session, run)
#define AGE_LINK offsetof(struct tls_session, age)

static const struct str fault_names[] = {
#define TLS_FAULT_LABEL(name, label) STR(label),
	TLS_FAULTS(TLS_FAULT_LABEL)
#undef TLS_FAULT_LABEL
};

/* --- lists of work --- */

void tls_list(struct tls *t, struct tls_session *s, enum tls_list list)
{
	uint32_t number = tls_number(t, s);

	if (s->list == list)
		return;
	if (s->list != TLS_NO_LIST)
		list_remove(&t->lists[s->list], &t->sessions, RUN_LINK, number);
	if (list != TLS_NO_LIST)
		list_push(&t->lists[list], &t->sessions, RUN_LINK, number);
	s->list = (uint8_t)list;
}

void tls_grown(struct tls *t, struct tls_session *s)
{
	if (s->phase != TLS_HANDSHAKE)
		return;
	list_remove(&t->young, &t->sessions, AGE_LINK, tls_number(t, s));
	tls_list(t, s, TLS_NO_LIST);
	if (s->flags & TLS_COUNTED) {
		assert(t->users[s->set] > 0);
		t->users[s->set]--;
		s->flags &= (uint16_t)~TLS_COUNTED;
	}
}

/* --- failing --- */

static void log_fault(struct tls *t, enum tls_fault why)
{
	uint64_t suppressed;

	if (!log_limit_pass(&t->limits[why], t->now.mono, &suppressed))
		return;
	LOG(t->log, t->now.wall, LOG_WARN, "Refused", LOG_STR("reason", STR("tls")),
	    LOG_STR("fault", fault_names[why]), LOG_U64("suppressed", suppressed));
}

void tls_fail(struct tls *t, struct tls_session *s, enum tls_fault why)
{
	if (s->phase == TLS_DEAD)
		return;
	if (why != TLS_FAULT_NONE) {
		t->faults[why]++;
		log_fault(t, why);
	}
	tls_grown(t, s);
	s->phase = TLS_DEAD;
	tls_loan_give(t, s, TLS_IN);
	tls_loan_give(t, s, TLS_OUT);
	tls_rewatch(t, s);
	tls_list(t, s, TLS_READY);
}

/* --- epoll --- */

static uint32_t wanted(const struct tls *t, const struct tls_session *s)
{
	bool in = (s->flags & TLS_WANTS_IN) && !tls_stream_is_left(t, s);
	bool out = ((s->flags & TLS_WANTS_OUT) || tls_owes(s)) && !(s->flags & TLS_STARVED);

	switch ((enum tls_phase)s->phase) {
	case TLS_HANDSHAKE:
		return EPOLLIN | EPOLLOUT | EPOLLET;
	case TLS_OPEN:
		return (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);
	case TLS_DEAD:
		break;
	}
	return EPOLLET; /* HUP and ERR come whether watched for or not: once is enough */
}

static bool watch(struct tls *t, struct tls_session *s, int operation)
{
	uint32_t number = tls_number(t, s);
	struct epoll_event ev = { .events = wanted(t, s),
	                          .data.u64 = watch_tag(WATCH_TLS, number, t->generations[number]) };

	s->watched = ev.events;
	return epoll_ctl(t->epoll_fd, operation, s->fd, &ev) == 0;
}

void tls_starved(struct tls *t, struct tls_session *s)
{
	assert(tls_owes(s));
	s->flags |= TLS_STARVED;
	t->retry_at = mono_min(t->retry_at, mono_add_ms(t->now.mono, WRITE_RETRY_MS));
}

void tls_rewatch(struct tls *t, struct tls_session *s)
{
	if (s->phase == TLS_OPEN && (s->flags & (TLS_SHUT | TLS_SHUT_SENT)) == TLS_SHUT && !tls_owes(s)) {
		t->plain.shutdown(t->plain.ctx, s->fd);
		s->flags |= TLS_SHUT_SENT;
	}
	if (s->conn != CONN_NONE && s->watched != wanted(t, s) && !watch(t, s, EPOLL_CTL_MOD))
		socket_break(s->fd);
	if (s->phase == TLS_OPEN && (s->flags & TLS_WANTS_IN) && tls_stream_is_left(t, s))
		tls_list(t, s, TLS_READY);
}

/* --- sessions --- */

int tls_open(struct tls *t, int fd)
{
	uint32_t number = pool_take(&t->sessions);
	struct tls_session *s;

	if (number == POOL_NONE)
		return -1;
	s = tls_at(t, number);
	*s = (struct tls_session){
		.fd = fd, .conn = CONN_NONE, .phase = TLS_HANDSHAKE, .flags = TLS_WANTS_IN,
		.accepted = t->now.mono,
		.loans = { { .cell = POOL_NONE }, { .cell = POOL_NONE } },
	};
	t->generations[number]++;
	assert(t->generations[number] & 1);
	list_push(&t->young, &t->sessions, AGE_LINK, number);
	return TLS_HANDLE_BASE + (int)number;
}

bool tls_watch(struct tls *t, int handle, uint32_t conn, uint32_t generation)
{
	struct tls_session *s = tls_at(t, (uint32_t)(handle - TLS_HANDLE_BASE));

	s->conn = conn;
	s->generation = generation;
	if (watch(t, s, EPOLL_CTL_ADD))
		return true;
	s->flags |= TLS_BROKEN;
	return false;
}

static void close_session(struct tls *t, struct tls_session *s)
{
	uint32_t number = tls_number(t, s);

	tls_grown(t, s);
	tls_list(t, s, TLS_NO_LIST);
	tls_loan_give(t, s, TLS_IN);
	tls_loan_give(t, s, TLS_OUT);
	if (s->flags & TLS_BEGUN)
		explicit_bzero(&t->contexts[number], sizeof(t->contexts[number]));
	t->plain.close(t->plain.ctx, s->fd);
	t->generations[number]++;
	pool_give(&t->sessions, number);
}

/* --- readiness --- */

static void call_host(struct tls *t, struct tls_session *s, bool readable, bool writable)
{
	if (s->phase == TLS_DEAD) {
		t->host.hangup(t->host.ctx, s->conn, s->generation);
		return;
	}
	if (writable && (s->flags & TLS_WANTS_OUT) && !tls_owes(s))
		t->host.output(t->host.ctx, s->conn, s->generation);
	if (readable && (s->flags & TLS_WANTS_IN))
		t->host.input(t->host.ctx, s->conn, s->generation);
}

/* The socket ought to take something of what is owed. */
static void resume(struct tls *t, struct tls_session *s)
{
	if (!tls_out_resume(t, s))
		tls_starved(t, s);
	tls_rewatch(t, s);
}

void tls_ready(struct tls *t, uint32_t number, uint32_t generation, uint32_t events)
{
	struct tls_session *s;
	bool readable;

	if (t->generations[number] != generation)
		return;
	s = tls_at(t, number);
	if (s->phase == TLS_HANDSHAKE) {
		if ((events & ~(uint32_t)EPOLLOUT) || tls_owes(s))
			tls_list(t, s, s->flags & TLS_BEGUN ? TLS_GOING : TLS_FRESH);
		return;
	}
	if ((events & EPOLLOUT) && tls_owes(s)) {
		resume(t, s);
		events &= ~(uint32_t)EPOLLOUT; /* whether it still is writable has to be told anew */
	}
	readable = (events & EPOLLIN) && (s->flags & TLS_WANTS_IN);
	if (!readable && (events & (EPOLLHUP | EPOLLERR)) && s->phase != TLS_DEAD) {
		s->flags |= TLS_BROKEN;
		t->host.hangup(t->host.ctx, s->conn, s->generation);
		return;
	}
	call_host(t, s, readable, events & EPOLLOUT);
}

/* --- the turn --- */

static void try_reload(struct tls *t)
{
	struct certificates_report report;
	uint8_t other = !t->set;

	if (!t->reload || t->users[other] > 0)
		return;
	t->reload = false;
	if (!certificates_load(&t->sets[other], &t->cfg->tls, t->now.wall, &report)) {
		LOG(t->log, t->now.wall, LOG_WARN, "TLS certificates not loaded, the old ones stay",
		    LOG_STR("error", str_of(report.error, strlen(report.error))));
		return;
	}
	t->set = other;
	if (report.warning[0] != '\0')
		LOG(t->log, t->now.wall, LOG_WARN, "TLS certificate out of date",
		    LOG_STR("warning", str_of(report.warning, strlen(report.warning))));
	LOG(t->log, t->now.wall, LOG_INFO, "TLS certificates loaded",
	    LOG_U64("pairs", t->cfg->tls.pair_count));
}

void tls_reload(struct tls *t)
{
	t->reload = true;
	try_reload(t);
}

void tls_begin_turn(struct tls *t, struct now now)
{
	t->now = now;
}

static void retry(struct tls *t, struct list *holders)
{
	size_t link = offsetof(struct tls_session, loans[TLS_OUT].link);
	uint32_t next;

	for (uint32_t at = list_first(holders); at != POOL_NONE; at = next) {
		struct tls_session *s = tls_at(t, at);

		next = list_next(&t->sessions, link, at);
		if (!(s->flags & TLS_STARVED))
			continue;
		s->flags &= (uint16_t)~TLS_STARVED;
		if (s->phase == TLS_HANDSHAKE)
			tls_list(t, s, TLS_GOING);
		else
			resume(t, s);
	}
}

static void retry_starved(struct tls *t)
{
	if (mono_before(t->now.mono, t->retry_at))
		return;
	t->retry_at = MONO_NEVER;
	for (int size = 0; size < TLS_SIZES; size++)
		retry(t, &t->cells[size].holders[TLS_OUT]);
}

static void expire_young(struct tls *t)
{
	uint32_t first;

	while ((first = list_first(&t->young)) != POOL_NONE &&
	       mono_since_ms(t->now.mono, tls_at(t, first)->accepted) >= TLS_HANDSHAKE_MS)
		tls_fail(t, tls_at(t, first), TLS_FAULT_TIMEOUT);
}

void tls_turn(struct tls *t)
{
	uint32_t last, at;

	expire_young(t);
	tls_loan_expire(t);
	retry_starved(t);
	tls_cache_age(&t->cache, t->now.mono);
	try_reload(t);
	/* Those who come back are for the next turn. */
	last = t->lists[TLS_READY].last_plus1 - 1;
	while ((at = list_first(&t->lists[TLS_READY])) != POOL_NONE) {
		struct tls_session *s = tls_at(t, at);

		tls_list(t, s, TLS_NO_LIST);
		call_host(t, s, true, false);
		/* The server may have had no time for it: a connection is closed at the end of the turn. */
		if (s->phase == TLS_DEAD)
			tls_list(t, s, TLS_READY);
		else
			tls_rewatch(t, s);
		if (at == last)
			break;
	}
}

/* The handshake to go on with: those begun before those that are not, whose work is not lost yet. */
static uint32_t next_handshake(const struct tls *t)
{
	uint32_t first = list_first(&t->lists[TLS_GOING]);

	if (first != POOL_NONE)
		return first;
	first = list_first(&t->lists[TLS_FRESH]);
	if (first != POOL_NONE && mono_since_ms(t->now.mono, tls_at(t, first)->accepted) > TLS_LATE_MS)
		return t->lists[TLS_FRESH].last_plus1 - 1;
	return first;
}

bool tls_work(struct tls *t)
{
	int64_t began = machine_us();
	uint32_t next;

	while ((next = next_handshake(t)) != POOL_NONE) {
		struct tls_session *s = tls_at(t, next);

		tls_list(t, s, TLS_NO_LIST);
		tls_handshake_step(t, s);
		if (machine_us() - began >= TLS_WORK_US)
			break;
	}
	return next_handshake(t) != POOL_NONE || list_first(&t->lists[TLS_READY]) != POOL_NONE;
}

mono_t tls_deadline(const struct tls *t)
{
	uint32_t first = list_first(&t->young);
	mono_t at = mono_min(tls_loan_deadline(t), t->retry_at);

	if (first != POOL_NONE)
		at = mono_min(at, mono_add_ms(tls_at(t, first)->accepted, TLS_HANDSHAKE_MS));
	return at;
}

/* --- the transport --- */

static struct tls_session *session_of(struct tls *t, int handle)
{
	return tls_at(t, (uint32_t)(handle - TLS_HANDLE_BASE));
}

static bool is_plain(int handle)
{
	return __builtin_expect(handle < TLS_HANDLE_BASE, 1);
}

static ptrdiff_t transport_read(void *ctx, int handle, void *buf, size_t bytes)
{
	struct tls *t = ctx;

	return is_plain(handle) ? t->plain.read(t->plain.ctx, handle, buf, bytes) :
	                          tls_stream_read(t, session_of(t, handle), buf, bytes);
}

static ptrdiff_t transport_writev(void *ctx, int handle, const struct iovec *slices, uint32_t n)
{
	struct tls *t = ctx;

	return is_plain(handle) ? t->plain.writev(t->plain.ctx, handle, slices, n) :
	                          tls_stream_writev(t, session_of(t, handle), slices, n);
}

static void transport_want(void *ctx, int handle, uint32_t conn, uint32_t generation, bool readable,
                           bool writable)
{
	struct tls *t = ctx;
	struct tls_session *s;

	if (is_plain(handle)) {
		t->plain.want(t->plain.ctx, handle, conn, generation, readable, writable);
		return;
	}
	s = session_of(t, handle);
	s->flags &= (uint16_t)~(TLS_WANTS_IN | TLS_WANTS_OUT);
	s->flags |= (uint16_t)((readable ? TLS_WANTS_IN : 0) | (writable ? TLS_WANTS_OUT : 0));
	tls_rewatch(t, s);
}

static void transport_shutdown(void *ctx, int handle)
{
	struct tls *t = ctx;

	if (is_plain(handle))
		t->plain.shutdown(t->plain.ctx, handle);
	else
		tls_stream_shutdown(t, session_of(t, handle));
}

static void transport_close(void *ctx, int handle)
{
	struct tls *t = ctx;

	if (is_plain(handle))
		t->plain.close(t->plain.ctx, handle);
	else
		close_session(t, session_of(t, handle));
}

/* --- what is counted --- */

static bool transport_stat(void *ctx, uint32_t i, struct transport_stat *out)
{
	const struct tls *t = ctx;
	const struct transport_stat alone[] = {
		{ .name = STR("presenced_tls_sessions"), .help = STR("TLS connections, handshakes included."),
		  .gauge = true, .number = pool_used(&t->sessions) },
		{ .name = STR("presenced_tls_handshakes_total"), .help = STR("TLS handshakes completed."),
		  .number = t->handshakes },
		{ .name = STR("presenced_tls_resumed_total"), .help = STR("Of these, resumed sessions."),
		  .number = t->resumed },
	};
	enum { ALONE = sizeof(alone) / sizeof(alone[0]) };

	if (i < ALONE) {
		*out = alone[i];
		return true;
	}
	i -= ALONE;
	if (i >= TLS_FAULT_COUNT)
		return false;
	*out = (struct transport_stat){
		.name = STR("presenced_tls_failures_total"),
		.help = STR("TLS connections that failed, most in their handshake, by reason."),
		.label = STR("reason"), .value = fault_names[i], .number = t->faults[i],
	};
	return true;
}

struct transport tls_transport(struct tls *t)
{
	return (struct transport){
		.ctx = t, .read = transport_read, .writev = transport_writev, .want = transport_want,
		.shutdown = transport_shutdown, .close = transport_close, .stat = transport_stat,
	};
}

/* --- start --- */

static void build(struct tls *t, struct region *r, uint32_t sessions, mono_t now)
{
	pool_init(&t->sessions, r, sizeof(struct tls_session), sessions);
	pool_init(&t->cells[TLS_SMALL].pool, r, TLS_SMALL_BYTES, TLS_SIDES * sessions);
	pool_init(&t->cells[TLS_BIG].pool, r, TLS_IN_BYTES, BIG_CELLS_MIN + sessions / BIG_CELLS_SHARE);
	t->generations = region_take_array(r, sessions, sizeof(uint32_t), 64);
	t->contexts = region_take_array(r, sessions, sizeof(br_ssl_server_context), 64);
	t->template = region_take(r, sizeof(br_ssl_server_context), 64);
	t->protocols = region_take_array(r, TLS_PROTOCOL_NAMES, sizeof(char *), 64);
	t->sets = region_take_array(r, 2, sizeof(struct certificates), 64);
	t->in = region_take(r, TLS_IN_BYTES, 64);
	t->out = region_take(r, TLS_OUT_BYTES, 64);
	t->stage = region_take(r, TLS_STAGE_BYTES, 64);
	t->cipher = region_take(r, TLS_CIPHER_BYTES, 64);
	tls_cache_init(&t->cache, r, now);
}

static uint32_t sessions_of(const struct server_config *cfg)
{
	return cfg->connections_max + SESSIONS_SPARE;
}

static size_t measure(const struct server_config *cfg)
{
	struct tls scratch = { .cfg = cfg };
	struct region r;

	region_init(&r, NULL, 0);
	region_take(&r, sizeof(scratch), 64);
	build(&scratch, &r, sessions_of(cfg), (mono_t){ 0 });
	return region_used(&r);
}

size_t tls_measure(const struct server_config *cfg)
{
	return certificates_wanted(cfg) ? measure(cfg) : 0;
}

static void make_template(struct tls *t)
{
	br_ssl_server_zero(t->template);
	tls_policy_profile(t->template);
	tls_engine_protocols(&t->template->eng, t->protocols, "http/1.1");
	br_ssl_server_set_cache(t->template, &t->cache.vtable);
}

struct tls *tls_new(const struct server_config *cfg, const struct transport *plain, int epoll_fd,
                    struct now now, struct certificates_report *report)
{
	size_t bytes = measure(cfg);
	void *mem = machine_memory(bytes);
	struct region r;
	struct tls *t;

	report->error[0] = '\0';
	if (mem == NULL)
		return NULL;
	region_init(&r, mem, bytes);
	t = region_take(&r, sizeof(*t), 64);
	build(t, &r, sessions_of(cfg), now.mono);
	assert(!region_failed(&r));
	t->region = r;
	t->cfg = cfg;
	t->plain = *plain;
	t->epoll_fd = epoll_fd;
	t->now = now;
	t->retry_at = MONO_NEVER;
	machine_lock(t->sets, 2 * sizeof(*t->sets));
	if (!certificates_load(&t->sets[0], &cfg->tls, now.wall, report)) {
		tls_free(t);
		return NULL;
	}
	make_template(t);
	return t;
}

void tls_free(struct tls *t)
{
	struct region r = t->region;

	certificates_wipe(&t->sets[0]);
	certificates_wipe(&t->sets[1]);
	region_end(&r);
	machine_memory_free(r.mem, r.bytes);
}

void tls_serve(struct tls *t, const struct tls_host *host, struct log *log)
{
	t->host = *host;
	t->log = log;
}
