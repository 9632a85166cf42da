/*
 * Invariants: an epoll event carries what it is about (net/watch.h). One turn: wait, read both clocks, hand
 * every event to the server, end the turn, which writes. Readable sockets are read before timers run, however
 * long the process was stopped.
 */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/region.h"
#include "net/fetch.h"
#include "net/machine.h"
#include "net/socket.h"
#include "net/tls.h"
#include "net/watch.h"
#include "server/server.h"

enum {
	EVENTS_MAX = 512,
	BUSY_TURNS_MAX = 64,        /* after which a drain may end though something still comes */
	LOOKS_PER_TURN_MAX = 8,     /* at what has come, before its outcome is written */
	ACCEPTS_PER_TURN_MAX = 64,  /* of one listener: those who are here already come first */
	LATE_MS = 250,              /* a timer that is so late: this process was stopped */
	LATE_TURNS_MAX = 64,        /* that other nodes are heard in, before timers speak after that */
	ACCEPT_PAUSE_MS = 100,      /* no descriptor left: look again then at the latest (RELIABILITY O1) */
	FULL_PAUSE_MS = 10,         /* no slot left: soon one is free, and until then
	                             * those who are here are served */
};

struct loop {
	const struct server_config *cfg;
	struct server *server;
	struct transport transport; /* of both kinds, if there is TLS */
	struct tls *tls;            /* NULL: no listener wants it */
	struct fetch *fetch;        /* NULL: no service to ask is configured */
	const struct loop_companion *companion; /* NULL: none */
	struct log_limit unanswered; /* lines that say that one did not answer */
	int epoll_fd, signal_fd;
	int listen_fds[LISTENERS_MAX];
	uint32_t listening;         /* the first of these are open */
	bool accept_paused;
	mono_t accept_again;
	int64_t accept_pause_ms;    /* the next one, for want of a descriptor; 0: none was wanting since the
	                             * last newcomer */
	uint32_t full_batches;      /* waits in a row that gave as many events as there is room for */
	int64_t busy_until_us;      /* busy-poll: no sleep before */
	bool quiet;                 /* nothing came in this turn */
	bool heard;                 /* other nodes, in this turn */
	bool stopped;               /* this process was, and timers have not run since */
	uint32_t late_turns;        /* in which they were heard and timers held up, since these were late */
	bool told;                  /* SIGTERM or SIGINT came */
	bool stop_now;
	struct walls walls;
	struct epoll_event events[EVENTS_MAX];
};

/* --- accepting --- */

/* What cannot be done now is tried again after ACCEPT_PAUSE_MS. */
static void watch_listeners(struct loop *l, bool readable, struct now now)
{
	bool done = true;

	for (uint32_t i = 0; i < l->cfg->listener_count; i++) {
		struct epoll_event ev = { .events = readable ? EPOLLIN : 0u,
			                  .data.u64 = watch_tag(WATCH_LISTENER, i, 0) };

		done &= epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, l->listen_fds[i], &ev) == 0;
	}
	l->accept_paused = !readable || !done;
	l->accept_again = mono_add_ms(now.mono, ACCEPT_PAUSE_MS);
}

static void pause_accepting(struct loop *l, struct now now, int64_t pause_ms)
{
	watch_listeners(l, false, now);
	l->accept_again = mono_add_ms(now.mono, pause_ms);
}

/*
 * No descriptor is left. Those of newcomers who are dead already are free again as soon as they were looked
 * at, so whoever could accept some looks again soon, and seldom while nothing changes.
 */
static void starve(struct loop *l, struct now now)
{
	server_count_accept_error(l->server);
	if (l->accept_pause_ms == 0)
		l->accept_pause_ms = 1;
	pause_accepting(l, now, l->accept_pause_ms);
	l->accept_pause_ms *= 2;
	if (l->accept_pause_ms > ACCEPT_PAUSE_MS)
		l->accept_pause_ms = ACCEPT_PAUSE_MS;
}

/* True: try again at once, the fault was the peer's. */
static bool is_passing(int error)
{
	return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
	       error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
	       error == EOPNOTSUPP || error == ENETUNREACH;
}

/* Hands an accepted descriptor over: to the server, and to TLS where the listener says so. */
static void admit(struct loop *l, int fd, uint32_t listener, const struct peer *peer)
{
	bool tls = l->cfg->listeners[listener].tls, watched;
	int handle = tls ? tls_open(l->tls, fd) : fd;
	uint32_t conn, generation;

	if (handle < 0) {
		server_count_accept_error(l->server);
		close(fd);
		return;
	}
	conn = server_accept(l->server, handle, listener, peer, &generation);
	if (conn == CONN_NONE) {
		l->transport.close(l->transport.ctx, handle);
		return;
	}
	watched = tls ? tls_watch(l->tls, handle, conn, generation) :
	                socket_watch(l->epoll_fd, fd, conn, generation);
	if (watched)
		return;
	server_count_accept_error(l->server);
	server_broken(l->server, conn, generation);
}

static void accept_some(struct loop *l, uint32_t listener, struct now now)
{
	for (int i = 0; i < ACCEPTS_PER_TURN_MAX; i++) {
		struct peer peer;
		int fd;

		if (!server_can_accept(l->server)) {
			server_shed(l->server);
			pause_accepting(l, now, FULL_PAUSE_MS);
			return;
		}
		fd = socket_accept(l->listen_fds[listener], &peer);
		if (fd < 0 && is_passing(errno))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN)
				starve(l, now);
			return;
		}
		l->accept_pause_ms = 0;
		admit(l, fd, listener, &peer);
	}
}

/* --- signals --- */

static void take_signal(struct loop *l)
{
	struct signalfd_siginfo si;

	while (read(l->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP && l->tls != NULL)
			tls_reload(l->tls);
		if (si.ssi_signo != SIGTERM && si.ssi_signo != SIGINT)
			continue;
		if (l->told)
			l->stop_now = true;
		l->told = true;
		server_drain(l->server); /* which /admin/drain may have begun */
	}
}

/* --- the turn --- */

static void take_event(struct loop *l, const struct epoll_event *ev, struct now now)
{
	uint32_t number = watch_number(ev->data.u64), generation = watch_generation(ev->data.u64);

	switch (watch_kind(ev->data.u64)) {
	case WATCH_CONN:
		if (ev->events & EPOLLOUT)
			server_output(l->server, number, generation);
		if (ev->events & (EPOLLHUP | EPOLLERR)) /* they come until seen to, asked for or not */
			server_hangup(l->server, number, generation);
		else if (ev->events & EPOLLIN)
			server_input(l->server, number, generation);
		return;
	case WATCH_LISTENER:
		accept_some(l, number, now);
		return;
	case WATCH_SIGNAL:
		take_signal(l);
		return;
	case WATCH_TLS:
		tls_ready(l->tls, number, generation, ev->events);
		return;
	case WATCH_FETCH:
		fetch_event(l->fetch, number, generation);
		return;
	case WATCH_RESOLVER:
		fetch_resolved(l->fetch);
		return;
	case WATCH_COMPANION:
		l->heard = true;
		l->companion->event(l->companion->ctx, number, generation, ev->events);
		return;
	}
	assert(!"an event of a kind that nobody watches");
}

static int timeout_ms(const struct loop *l, bool more, mono_t now)
{
	mono_t at = server_deadline(l->server);

	if (more)
		return 0;
	if (l->accept_paused)
		at = mono_min(at, l->accept_again);
	if (l->tls != NULL)
		at = mono_min(at, tls_deadline(l->tls));
	if (l->fetch != NULL)
		at = mono_min(at, fetch_deadline(l->fetch));
	if (l->companion != NULL)
		at = mono_min(at, l->companion->deadline(l->companion->ctx));
	if (at.ms == MONO_NEVER.ms)
		return -1;
	if (at.ms <= now.ms)
		return 0;
	return at.ms - now.ms > 60000 ? 60000 : (int)(at.ms - now.ms);
}

/*
 * Has everybody who was readable been read? A wait that gives less than it may says so; so does a round:
 * epoll puts those it has told of behind the others, and however many always have something to say, timers
 * run once a round.
 */
static bool all_read(struct loop *l, int n)
{
	if (n == EVENTS_MAX && ++l->full_batches <= l->cfg->connections_max / EVENTS_MAX + 1)
		return false;
	l->full_batches = 0;
	return true;
}

/*
 * All that other nodes say comes through one connection, a piece a turn. After a time in which this process
 * was stopped there may be many pieces: they come first, or who came back meanwhile would be told to be
 * offline. But timers may also be late because there are more than a turn has time for: these are held up
 * once, and not again until they are on time.
 */
static bool all_heard(struct loop *l, struct now now)
{
	if (!l->stopped && mono_since_ms(now.mono, server_deadline(l->server)) <= LATE_MS) {
		l->late_turns = 0;
	} else if (l->heard && l->late_turns < LATE_TURNS_MAX) {
		l->late_turns++;
		return false;
	}
	l->stopped = false;
	return true;
}

/*
 * Takes the n events that are there. When what they cause is written to many, that takes long enough for more
 * to come: a look at what has, before and not after it, lets one write to each receiver carry all of it.
 * Newcomers wait.
 */
static void take_events(struct loop *l, int n, struct now now)
{
	int later = 0; /* events of other looks than the first */

	for (int look = 1; n > 0; look++) {
		for (int i = 0; i < n; i++)
			if (look == 1 || watch_kind(l->events[i].data.u64) != WATCH_LISTENER)
				take_event(l, &l->events[i], now);
		if (look == LOOKS_PER_TURN_MAX)
			return;
		n = (int)server_spare_events(l->server, EVENTS_MAX) - later;
		if (n > 0)
			n = epoll_wait(l->epoll_fd, l->events, n, 0);
		later += n;
	}
}

/*
 * As long as more may soon come: looks instead of sleeping. How many events there are; if none, *timeout is
 * what is left of it, and whoever waits that long looks once more.
 */
static int look_busily(struct loop *l, int *timeout)
{
	int64_t now_us = machine_us(), end_us = *timeout < 0 ? INT64_MAX : now_us + *timeout * INT64_C(1000);
	int n = 0;

	while (n == 0 && now_us < l->busy_until_us && now_us < end_us) {
		n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, 0);
		now_us = machine_us();
	}
	if (*timeout >= 0)
		*timeout = now_us < end_us ? (int)((end_us - now_us + 999) / 1000) : 0;
	return n;
}

/*
 * How many events there are, after so long at most. No signal has a handler, so EINTR says that the process
 * was stopped in the wait, and goes on; it comes before all that came meanwhile.
 */
static int wait_for(struct loop *l, int timeout)
{
	int n = timeout != 0 && l->cfg->busy_poll_us > 0 ? look_busily(l, &timeout) : 0;

	if (n > 0)
		return n;
	n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, timeout);
	if (n >= 0 || errno != EINTR)
		return n;
	l->stopped = true;
	return epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, 0);
}

/* Returns whether there is work left that should not wait. */
static bool turn(struct loop *l, int timeout)
{
	int n = wait_for(l, timeout);
	struct now now = machine_now();
	int64_t began_us = machine_us();
	bool more;

	l->quiet = n <= 0;
	if (!l->quiet)
		l->busy_until_us = began_us + l->cfg->busy_poll_us;
	server_begin_turn(l->server, now);
	if (l->tls != NULL)
		tls_begin_turn(l->tls, now);
	l->heard = false;
	if (l->companion != NULL)
		l->companion->begin(l->companion->ctx, now);
	take_events(l, n, now);
	if (l->accept_paused && !mono_before(now.mono, l->accept_again))
		watch_listeners(l, true, now);
	if (l->tls != NULL)
		tls_turn(l->tls);
	if (l->fetch != NULL)
		fetch_turn(l->fetch, now.mono);
	if (l->companion != NULL)
		l->companion->turn(l->companion->ctx);
	more = server_end_turn(l->server, all_read(l, n) && all_heard(l, now));
	server_turn_took(l->server, machine_us() - began_us);
	if (l->tls != NULL && tls_work(l->tls))
		more = true;
	return more;
}

/*
 * It ends only after a turn in which nothing came: whose connection waits to be accepted, or whose request to
 * be read, is answered first. However many always have something to say, they do not hold up the end. Who had
 * to wait outside for want of a descriptor is let in once all others have gone.
 */
static void serve(struct loop *l)
{
	bool more = false, let_in = false;
	int busy = 0; /* turns in a row, while draining */

	while (!l->stop_now) {
		if ((busy == 0 || busy > BUSY_TURNS_MAX) && server_drained(l->server)) {
			if (!l->accept_paused || let_in)
				return;
			watch_listeners(l, true, machine_now());
			let_in = true;
			busy = 1;
		}
		more = turn(l, busy > 0 ? 0 : timeout_ms(l, more, machine_now().mono));
		busy = l->quiet || !server_draining(l->server) ? 0 : busy + 1;
	}
}

/* --- start and end --- */

static bool add(struct loop *l, int fd, enum watch_kind kind, uint32_t number)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = watch_tag(kind, number, 0) };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static bool open_signals(struct loop *l)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	l->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return l->signal_fd >= 0 && add(l, l->signal_fd, WATCH_SIGNAL, 0);
}

static bool open_listeners(struct loop *l)
{
	for (uint32_t i = 0; i < l->cfg->listener_count; i++) {
		l->listen_fds[i] = socket_listen(&l->cfg->listeners[i]);
		if (l->listen_fds[i] < 0)
			return false;
		l->listening++;
		if (!add(l, l->listen_fds[i], WATCH_LISTENER, i)) {
			socket_complain(&l->cfg->listeners[i], errno);
			return false;
		}
	}
	return true;
}

static bool open_server(struct loop *l, const struct peers *peers)
{
	struct server_seed seed;
	struct region r;
	struct outside outside;
	size_t scratch_bytes = server_scratch_bytes(), bytes;
	void *mem = machine_memory(scratch_bytes);

	if (mem == NULL || !machine_random(&seed, sizeof(seed)))
		return false;
	bytes = server_measure(l->cfg, mem).total;
	machine_memory_free(mem, scratch_bytes);
	mem = machine_memory(bytes);
	if (mem == NULL)
		return false;
	region_init(&r, mem, bytes);
	if (l->fetch != NULL)
		outside = fetch_outside(l->fetch);
	l->server = server_new(l->cfg, &r, &l->transport, l->fetch != NULL ? &outside : NULL, peers,
	                       machine_log, NULL, &seed, machine_now());
	return l->server != NULL;
}

static void host_input(void *ctx, uint32_t conn, uint32_t generation)
{
	server_input(((struct loop *)ctx)->server, conn, generation);
}

static void host_output(void *ctx, uint32_t conn, uint32_t generation)
{
	server_output(((struct loop *)ctx)->server, conn, generation);
}

static void host_hangup(void *ctx, uint32_t conn, uint32_t generation)
{
	server_hangup(((struct loop *)ctx)->server, conn, generation);
}

static enum loop_result open_tls(struct loop *l)
{
	struct certificates_report report = { .error = "" };

	l->transport = socket_transport(&l->epoll_fd);
	if (!certificates_wanted(l->cfg))
		return LOOP_OK;
	l->tls = tls_new(l->cfg, &l->transport, l->epoll_fd, machine_now(), &report);
	if (report.warning[0] != '\0')
		machine_log_warning(l->cfg, report.warning);
	if (l->tls == NULL && report.error[0] != '\0') {
		machine_complain(str_of(report.error, strlen(report.error)), 0);
		return LOOP_BAD_TLS;
	}
	if (l->tls == NULL) {
		machine_complain(STR("memory refused for TLS"), errno);
		return LOOP_FAILED;
	}
	l->transport = tls_transport(l->tls);
	return LOOP_OK;
}

/* Why a question failed, for the operator; the server counts. */
static void say_unanswered(struct loop *l, const struct fetch_answer *a)
{
	struct now now = machine_now();
	uint64_t suppressed;

	if (!log_limit_pass(&l->unanswered, now.mono, &suppressed))
		return;
	LOG(server_log(l->server), now.wall, LOG_WARN, "A service did not answer",
	    LOG_STR("asked", a->service == OUTSIDE_KEYS ? STR("jwks-url") : STR("user-check-url")),
	    LOG_STR("reason", a->why), LOG_U64("suppressed", suppressed));
}

static void host_answered(void *ctx, const struct fetch_answer *a)
{
	struct loop *l = ctx;

	if (a->result == OUTSIDE_FAILED)
		say_unanswered(l, a);
	server_answered(l->server, a->ticket, a->result, a->status, a->body, a->body_bytes);
}

static enum loop_result open_fetch(struct loop *l)
{
	if (!l->cfg->token.has_jwks_url && !l->cfg->has_user_check)
		return LOOP_OK;
	switch (fetch_open(&l->fetch, l->cfg, l->epoll_fd, NULL, host_answered, l)) {
	case FETCH_OK: return LOOP_OK;
	case FETCH_BAD_CA: return LOOP_BAD_TLS;
	case FETCH_REFUSED: break;
	}
	machine_complain(STR("asking other services"), errno);
	return LOOP_FAILED;
}

static void say_listening(const struct loop *l)
{
	for (uint32_t i = 0; i < l->cfg->listener_count; i++) {
		char buf[160];
		struct str name = socket_name(l->listen_fds[i], &l->cfg->listeners[i], buf, sizeof(buf));

		LOG(server_log(l->server), machine_now().wall, LOG_INFO, "Listening",
		    LOG_STR("address", name));
	}
}

static void say_walls(const struct loop *l)
{
	char text[WALLS_TEXT_BYTES];

	walls_text(&l->walls, text);
	if (walls_gap(&l->walls))
		LOG(server_log(l->server), machine_now().wall, LOG_WARN, "Walls have a gap",
		    LOG_STR("walls", str_of(text, strlen(text))));
	else
		LOG(server_log(l->server), machine_now().wall, LOG_INFO, "Walls are up",
		    LOG_STR("walls", str_of(text, strlen(text))));
}

/* The name goes before the socket: as long as that listens, nobody else takes the name. */
static void close_listeners(const struct loop *l)
{
	for (uint32_t i = 0; i < l->listening; i++) {
		const struct listener_config *cfg = &l->cfg->listeners[i];
		char path[160];

		if (cfg->is_unix && cfg->address.n < sizeof(path)) {
			memcpy(path, cfg->address.p, cfg->address.n);
			path[cfg->address.n] = '\0';
			unlink(path);
		}
		close(l->listen_fds[i]);
	}
}

static enum loop_result open_companion(struct loop *l, struct peers *peers)
{
	enum loop_result result = LOOP_OK;

	assert((l->companion != NULL) == l->cfg->clustered);
	if (l->companion != NULL)
		result = l->companion->open(l->companion->ctx, l->epoll_fd, peers, machine_now());
	if (result != LOOP_OK)
		l->companion = NULL;
	return result;
}

/* Everybody is there: they may know the server now, and start threads. */
static bool introduce(struct loop *l)
{
	if (l->tls != NULL)
		tls_serve(l->tls, &(struct tls_host){ l, host_input, host_output, host_hangup },
		          server_log(l->server));
	if ((l->fetch == NULL || fetch_start(l->fetch)) &&
	    (l->companion == NULL || l->companion->serve(l->companion->ctx, l->server)))
		return true;
	machine_complain(STR("a thread was refused"), errno);
	return false;
}

static void end(struct loop *l)
{
	close_listeners(l);
	if (l->companion != NULL)
		l->companion->close(l->companion->ctx);
	if (l->tls != NULL)
		tls_free(l->tls);
	if (l->fetch != NULL)
		fetch_close(l->fetch);
}

static enum loop_result run(struct loop *l, const struct walls_config *rights)
{
	enum loop_result result;
	struct peers peers;

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0 || !open_signals(l)) {
		machine_complain(STR("epoll or signalfd"), errno);
		return LOOP_FAILED;
	}
	if (!open_listeners(l))
		return LOOP_BAD_LISTENER;
	result = open_tls(l);
	if (result == LOOP_OK)
		result = open_fetch(l);
	if (result == LOOP_OK)
		result = open_companion(l, &peers);
	if (result != LOOP_OK)
		return result;
	if (!open_server(l, l->companion != NULL ? &peers : NULL)) {
		machine_complain(STR("memory or randomness refused"), errno);
		return LOOP_FAILED;
	}
	if (!walls_raise(&l->walls, l->cfg, rights))
		return LOOP_BAD_USER;
	if (!introduce(l))
		return LOOP_FAILED;
	say_listening(l);
	walls_close(&l->walls);
	say_walls(l);
	serve(l);
	end(l);
	return LOOP_OK;
}

enum loop_result loop_run(const struct server_config *cfg, const struct walls_config *rights,
                          const struct loop_companion *companion)
{
	struct loop *l = machine_memory(sizeof(*l));
	enum loop_result result;

	if (l == NULL) {
		machine_complain(STR("memory refused"), errno);
		return LOOP_FAILED;
	}
	l->cfg = cfg;
	l->companion = companion;
	result = run(l, rights);
	if (result != LOOP_OK)
		close_listeners(l); /* nobody is to find a socket that is nobody's */
	machine_memory_free(l, sizeof(*l));
	return result;
}
