/*
 * net/fetch against services that do not mean well (test/unit/fetch_service.py), every one of them at once
 * and each on an epoll of its own: what comes of the question, that it comes within its deadline, and how
 * much of the loop's time each step takes. RELIABILITY T14, B2, B3, B5, R4.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/anchors.h"
#include "net/fetch.h"
#include "net/machine.h"
#include "net/watch.h"
#include "tap.h"

enum {
	STEP_CPU_US_MAX = 50000, /* of one call; sanitized code takes several times what ships */
	LATE_MS = 600,           /* a deadline may be seen that much later on a busy machine */
	ROUNDS = 10000,
};

static const char keys[] = "{\"keys\":[]}";

/* --- the services --- */

static char directory[] = "/tmp/test_fetch.XXXXXX";
static pid_t services;
static int services_in;
static struct {
	char name[32];
	int port;
} ports[64];
static size_t port_count;

static int port_of(const char *name)
{
	for (size_t i = 0; i < port_count; i++)
		if (strcmp(ports[i].name, name) == 0)
			return ports[i].port;
	printf("Bail out! no service %s\n", name);
	exit(1);
}

static bool start_services(void)
{
	int in[2], out[2];
	char line[128];
	FILE *f;

	if (mkdtemp(directory) == NULL || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		return false;
	services = fork();
	if (services == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("python3", "python3", "test/unit/fetch_service.py", directory, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	services_in = in[1];
	f = fdopen(out[0], "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL && line[0] != '\n') {
		char *eq = strchr(line, '=');

		if (eq == NULL || port_count == sizeof(ports) / sizeof(ports[0]))
			return false;
		*eq = '\0';
		snprintf(ports[port_count].name, sizeof(ports[0].name), "%.31s", line);
		ports[port_count++].port = (int)strtol(eq + 1, NULL, 10);
	}
	if (f != NULL)
		fclose(f);
	return port_count > 0;
}

static void remove_directory(void)
{
	DIR *d = opendir(directory);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(directory);
}

static void stop_services(void)
{
	close(services_in);
	waitpid(services, NULL, 0);
	remove_directory();
}

/* --- one question --- */

static atomic_uint lookups;

/* A resolver that is slow for some names. Runs on its thread. */
static void look_up(const char *host, struct resolver_answer *a)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f636363) };

	lookups++;
	if (strcmp(host, "slow.test") == 0)
		nanosleep(&(struct timespec){ .tv_sec = 5, .tv_nsec = 500000000 }, NULL);
	if (strcmp(host, "none.test") == 0)
		return;
	if (strcmp(host, "second.test") == 0)
		a->v[a->n++].v4 = nobody;
	a->v[a->n++].v4 = v4;
	if (strcmp(host, "silent.test") == 0) {
		v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
		a->v[a->n++].v4 = v4;
	}
}

struct question {
	const char *id, *name;
	const char *url;   /* with %d for the port */
	const char *port;  /* of which service */
	const char *user;  /* NULL: OUTSIDE_KEYS */
	int want;          /* a status, or 0: failed */
	const char *body;  /* or why it failed; NULL: any */
	bool at_deadline;
	bool real_names;   /* asks the machine's resolver */
	/* What came of it. */
	char url_text[256], body_text[64];
	struct server_config cfg;
	struct fetch *f;
	int epoll_fd;
	mono_t asked, took;
	unsigned answers, status;
	size_t body_bytes;
	enum outside_result result;
	struct str why;
	int64_t worst_us;
};

#define PLAIN "http://127.0.0.1:%d"
#define TLS "https://localhost:%d/ok"

static struct question questions[] = {
	/* What must work. */
	{ "T14", "an answer", PLAIN "/ok", "plain", .want = 200, .body = keys },
	{ "T14", "in chunks", PLAIN "/chunked", "plain", .want = 200, .body = keys },
	{ "T14", "up to the end of the stream", PLAIN "/end", "plain", .want = 200, .body = keys },
	{ "T14", "a full body", PLAIN "/full", "plain", .want = 200 },
	{ "T14", "an empty body", PLAIN "/empty", "plain", .want = 200, .body = "" },
	{ "R4", "a name by the machine's resolver", "http://localhost:%d/ok", "plain", .want = 200, .body = keys,
	  .real_names = true },
	{ "R4", "a name", "http://one.test:%d/ok", "plain", .want = 200, .body = keys },
	{ "R4", "a name whose first address refuses", "http://second.test:%d/ok", "plain", .want = 200, .body = keys },
	{ "R4", "a name whose first address is silent", "http://silent.test:%d/ok", "late", .want = 200, .body = keys },
	{ "R4", "an address of IPv6", "http://[::1]:%d/ok", "six", .want = 200, .body = keys },
	{ "B6", "TLS, P-256", TLS, "good", .want = 200, .body = keys },
	{ "B6", "TLS, a name in capitals with a dot at its end", "https://LOCALHOST.:%d/ok", "good", .want = 200, .body = keys },
	{ "B6", "TLS, RSA-2048", TLS, "rsa", .want = 200, .body = keys },
	{ "B6", "TLS, P-384", TLS, "p384", .want = 200, .body = keys },
	{ "B3", "TLS, through an intermediate", TLS, "chain", .want = 200, .body = keys },
	{ "B3", "TLS, a wildcard", "https://a.example.test:%d/ok", "wildcard", .want = 200, .body = keys },
	{ "B3", "TLS, an address written as a dNSName", "https://127.0.0.1:%d/ok", "literal", .want = 200, .body = keys },
	{ "B5", "TLS, up to close_notify", "https://localhost:%d/end", "good", .want = 200, .body = keys },
	{ "B5", "TLS, a full body", "https://localhost:%d/full", "good", .want = 200 },
	/* Users. */
	{ "H15", "a user is escaped", PLAIN "/users", "plain", .user = "a/b?#% \xc3\xa4.~", .want = 200, .body = "" },
	{ "H15", "before the query", PLAIN "/users/?x=1", "plain", .user = "a/b?#% \xc3\xa4.~", .want = 200, .body = "" },
	{ "H15", "another user is not there", PLAIN "/users", "plain", .user = "b", .want = 404, .body = "" },
	{ "H15", "`..` is nobody", PLAIN "/users", "plain", .user = "..", .want = 404, .body = "" },
	{ "H15", "`.` is nobody", PLAIN "/users", "plain", .user = ".", .want = 404, .body = "" },
	{ "T14", "a user whose body has no end", PLAIN "/endless", "plain", .user = "x", .want = 200, .body = "" },
	/* Statuses that are no 200. */
	{ "T14", "500", PLAIN "/500", "plain", .want = 500, .body = "" },
	{ "T14", "a redirect is not followed", PLAIN "/redirect", "plain", .want = 302, .body = "" },
	/* What must fail at once. */
	{ "T14", "refused", PLAIN "/ok", "refused", .want = 0, .body = "Connection refused" },
	{ "R4", "no such name", "http://none.test:%d/ok", "plain", .want = 0, .body = "the name has no address" },
	{ "R4", "no such name, by the machine's resolver", "http://no.such.name.invalid:%d/ok", "plain", .want = 0,
	  .real_names = true },
	{ "T14", "1 GB", PLAIN "/huge", "plain", .want = 0, .body = "malformed HTTP, or too long" },
	{ "T14", "1 GB announced", PLAIN "/huge-announced", "plain", .want = 0, .body = "malformed HTTP, or too long" },
	{ "T14", "1 GB in chunks of one byte", PLAIN "/huge-chunks", "plain", .want = 0, .body = "malformed HTTP, or too long" },
	{ "T14", "a head without end", PLAIN "/huge-head", "plain", .want = 0, .body = "malformed HTTP, or too long" },
	{ "T14", "100 Continue without end", PLAIN "/continue", "plain", .want = 0, .body = "malformed HTTP, or too long" },
	{ "T14", "one byte too many", PLAIN "/full+1", "plain", .want = 0, .body = "malformed HTTP, or too long" },
	{ "T14", "garbage", PLAIN "/garbage", "plain", .want = 0, .body = "malformed HTTP, or too long" },
	{ "T14", "nothing", PLAIN "/nothing", "plain", .want = 0, .body = "the connection ended before the response" },
	{ "T14", "half a response", PLAIN "/half", "plain", .want = 0, .body = "the connection ended before the response" },
	{ "T14", "half a head", PLAIN "/half-head", "plain", .want = 0, .body = "the connection ended before the response" },
	{ "T14", "a reset", PLAIN "/reset", "plain", .want = 0, .body = "Connection reset by peer" },
	{ "T14", "1 GB over TLS", "https://localhost:%d/huge", "good", .want = 0, .body = "malformed HTTP, or too long" },
	{ "B5", "FIN without close_notify", "https://localhost:%d/cut", "good", .want = 0,
	  .body = "the connection ended without close_notify" },
	{ "B5", "half a response, then close_notify", "https://localhost:%d/half", "good", .want = 0,
	  .body = "the connection ended before the response" },
	{ "B3", "another host", TLS, "other", .want = 0, .body = "the certificate is for another host" },
	{ "B3", "a common name alone", TLS, "common", .want = 0,
	  .body = "the certificate has no subjectAltName of kind dNSName" },
	{ "B3", "an address as iPAddress", "https://127.0.0.1:%d/ok", "address", .want = 0,
	  .body = "the certificate is for another host" },
	{ "B3", "a wildcard for two labels", "https://a.b.example.test:%d/ok", "wildcard", .want = 0,
	  .body = "the certificate is for another host" },
	{ "B3", "a NUL in the name", TLS, "nul", .want = 0, .body = "the certificate is for another host" },
	{ "B3", "expired", TLS, "expired", .want = 0, .body = "the certificate is not valid now" },
	{ "B3", "not yet valid", TLS, "future", .want = 0, .body = "the certificate is not valid now" },
	{ "B3", "self-signed", TLS, "self", .want = 0, .body = "no certificate of ca-file vouches for the certificate" },
	{ "B3", "signed by a stranger of the CA's name", TLS, "stranger-signed", .want = 0 },
	{ "B3", "signed by one that is no CA", TLS, "signed-by-leaf", .want = 0 },
	{ "B3", "RSA-1024", TLS, "small", .want = 0, .body = "the certificate's key has less than 2048 bits" },
	{ "B3", "signed with SHA-1", TLS, "sha1", .want = 0 },
	{ "B3", "an unknown critical extension", TLS, "critical", .want = 0,
	  .body = "a critical extension of the certificate is not known" },
	{ "B2", "TLS 1.3 only", TLS, "tls13", .want = 0, .body = "the server does not speak TLS 1.2" },
	{ "B6", "no suite in common", TLS, "cbc", .want = 0, .body = "the server refused the handshake" },
	{ "B5", "HTTP where TLS was asked", TLS, "plain", .want = 0,
	  .body = "the server does not speak TLS 1.2" },
	/* What the deadline ends. */
	{ "T14", "nobody accepts", PLAIN "/ok", "full", .want = 0, .at_deadline = true },
	{ "T14", "one byte a second", PLAIN "/drip", "plain", .want = 0, .body = "no answer in time", .at_deadline = true },
	{ "T14", "one byte a second, of the body", PLAIN "/drip-body", "plain", .want = 0, .body = "no answer in time", .at_deadline = true },
	{ "T14", "silence", PLAIN "/silent", "plain", .want = 0, .body = "no answer in time", .at_deadline = true },
	{ "T14", "silence over TLS", "https://localhost:%d/silent", "good", .want = 0, .body = "no answer in time", .at_deadline = true },
	{ "T14", "a byte a second over TLS", "https://localhost:%d/drip-body", "good", .want = 0, .body = "no answer in time",
	  .at_deadline = true },
	{ "R4", "a resolver that is stuck", "http://slow.test:%d/ok", "plain", .want = 0, .body = "no answer in time",
	  .at_deadline = true },
};

enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void answered(void *ctx, const struct fetch_answer *a)
{
	struct question *q = ctx;

	q->took = machine_now().mono;
	q->answers++;
	q->result = a->result;
	q->status = a->result == OUTSIDE_ANSWERED ? a->status : 0;
	q->why = a->why;
	q->body_bytes = a->body_bytes;
	snprintf(q->body_text, sizeof(q->body_text), "%.*s", (int)a->body_bytes, a->body == NULL ? "" : a->body);
	if (a->body != NULL)
		memset(a->body, 'z', a->body_bytes); /* it is ours until we return */
}

static void ask(struct question *q, const char *ca)
{
	int64_t before;
	struct url *url = q->user == NULL ? &q->cfg.token.jwks_url : &q->cfg.user_check_url;
	struct str user = q->user == NULL ? STR_NONE : str_of(q->user, strlen(q->user));
	struct outside o;
	bool asked;
	enum fetch_result opened;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(q->url_text, sizeof(q->url_text), q->url, port_of(q->port));
#pragma GCC diagnostic pop
	q->cfg.token.has_jwks_url = q->user == NULL;
	q->cfg.has_user_check = q->user != NULL;
	q->cfg.tls.ca = str_of(ca, strlen(ca));
	q->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	opened = url_parse(str_of(q->url_text, strlen(q->url_text)), url)
			 ? fetch_open(&q->f, &q->cfg, q->epoll_fd, q->real_names ? NULL : look_up, answered, q)
			 : FETCH_REFUSED;
	if (opened != FETCH_OK || !fetch_start(q->f)) {
		printf("Bail out! %s cannot be asked\n", q->url_text);
		exit(1);
	}
	o = fetch_outside(q->f);
	q->asked = machine_now().mono;
	before = cpu_us();
	asked = o.ask(o.ctx, 7, q->user == NULL ? OUTSIDE_KEYS : OUTSIDE_USER, user);
	q->worst_us = cpu_us() - before;
	if (!asked || q->answers > 0)
		q->answers = 99; /* refused, or answered from inside */
}

static void note_step(struct question *q, int64_t before)
{
	int64_t took = cpu_us() - before;

	q->worst_us = took > q->worst_us ? took : q->worst_us;
}

/* One turn of the loop that belongs to this question. */
static void turn(struct question *q)
{
	struct epoll_event ev[16];
	int n = epoll_wait(q->epoll_fd, ev, 16, 0);
	int64_t before;

	for (int i = 0; i < n; i++) {
		before = cpu_us();
		if (watch_kind(ev[i].data.u64) == WATCH_RESOLVER)
			fetch_resolved(q->f);
		else
			fetch_event(q->f, watch_number(ev[i].data.u64), watch_generation(ev[i].data.u64));
		note_step(q, before);
	}
	before = cpu_us();
	fetch_turn(q->f, machine_now().mono);
	note_step(q, before);
}

static int wait_ms(mono_t at, mono_t now)
{
	if (at.ms == MONO_NEVER.ms)
		return 1000;
	return at.ms <= now.ms ? 0 : (int)(at.ms - now.ms > 1000 ? 1000 : at.ms - now.ms);
}

static void run_all(void)
{
	unsigned open = QUESTIONS;

	for (mono_t end = mono_add_ms(machine_now().mono, 20000); open > 0 && mono_before(machine_now().mono, end);) {
		struct pollfd fds[QUESTIONS];
		mono_t at = MONO_NEVER;

		open = 0;
		for (int i = 0; i < QUESTIONS; i++) {
			turn(&questions[i]);
			open += questions[i].answers == 0;
			at = mono_min(at, fetch_deadline(questions[i].f));
			fds[i] = (struct pollfd){ .fd = questions[i].epoll_fd, .events = POLLIN };
		}
		if (open > 0)
			poll(fds, QUESTIONS, wait_ms(at, machine_now().mono));
	}
}

static bool is_right(const struct question *q)
{
	int64_t took = mono_since_ms(q->took, q->asked);

	if (q->answers != 1 || q->status != (unsigned)q->want)
		return false;
	if ((q->result == OUTSIDE_ANSWERED) != (q->want != 0))
		return false;
	if (q->at_deadline ? took < OUTSIDE_DEADLINE_MS || took > OUTSIDE_DEADLINE_MS + LATE_MS : took >= OUTSIDE_DEADLINE_MS)
		return false;
	if (q->body == NULL)
		return true;
	if (q->want == 0)
		return str_eq(q->why, str_of(q->body, strlen(q->body)));
	return strcmp(q->body, q->body_text) == 0;
}

static void test_questions(void)
{
	char ca[64];
	int64_t worst = 0;
	const char *worst_name = "";

	snprintf(ca, sizeof(ca), "%s/bundle.pem", directory);
	for (int i = 0; i < QUESTIONS; i++) {
		if (port_of(questions[i].port) == 0) /* this machine has none: another stands in */
			questions[i].url = PLAIN "/ok", questions[i].port = "plain";
		ask(&questions[i], ca);
	}
	run_all();
	for (int i = 0; i < QUESTIONS; i++) {
		struct question *q = &questions[i];

		if (!tap_ok(is_right(q), "%s %s", q->id, q->name))
			printf("# answers %u, status %u, %zu bytes `%s`, why `%.*s`, after %d ms\n", q->answers, q->status,
			       q->body_bytes, q->body_text, (int)q->why.n, q->why.p,
			       (int)mono_since_ms(q->took, q->asked));
		tap_ok(fetch_deadline(q->f).ms == MONO_NEVER.ms, "%s and nothing is left of it", q->name);
		if (q->worst_us > worst) {
			worst = q->worst_us;
			worst_name = q->name;
		}
		fetch_close(q->f);
		close(q->epoll_fd);
	}
	printf("# the longest step: %d us of processor time, in `%s`\n", (int)worst, worst_name);
	tap_ok(worst < STEP_CPU_US_MAX, "T14 no step holds the loop up");
}

/* --- many --- */

/* Answers in turn: well, with 500, with half a response, with a reset. */
static void *serve_many(void *arg)
{
	int listen_fd = *(int *)arg;
	unsigned count = 0;

	for (;;) {
		static const char *const answers[] = {
			"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 500 no\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-", "",
		};
		int fd = accept(listen_fd, NULL, NULL);
		const char *answer = answers[count++ % 4];
		char request[2048];

		if (fd < 0)
			return NULL;
		if (read(fd, request, sizeof(request)) > 0 && write(fd, answer, strlen(answer)) < 0)
			perror("write");
		if (answer[0] == '\0')
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
		close(fd);
	}
}

static int listen_here(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 256) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		exit(1);
	*port = ntohs(a.sin_port);
	return fd;
}

static unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

struct many {
	unsigned asked, answered, good, refused;
	bool seen[ROUNDS], twice;
	struct outside outside;
};

static void many_ask(struct many *m)
{
	while (m->asked < ROUNDS && m->outside.ask(m->outside.ctx, m->asked, OUTSIDE_USER, STR("ann")))
		m->asked++;
	m->refused += m->asked < ROUNDS;
}

static void many_answered(void *ctx, const struct fetch_answer *a)
{
	struct many *m = ctx;

	m->twice = m->twice || a->ticket >= ROUNDS || m->seen[a->ticket];
	m->seen[a->ticket] = true;
	m->answered++;
	m->good += a->result == OUTSIDE_ANSWERED;
	many_ask(m); /* from inside the answer, as the server may */
}

static void test_many(void)
{
	static struct many m;
	static struct server_config cfg = { .has_user_check = true };
	char text[64];
	int port, listen_fd = listen_here(&port), epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	unsigned before;
	struct fetch *f;
	pthread_t thread;

	snprintf(text, sizeof(text), "http://one.test:%d/u", port);
	if (!url_parse(str_of(text, strlen(text)), &cfg.user_check_url) ||
	    fetch_open(&f, &cfg, epoll_fd, look_up, many_answered, &m) != FETCH_OK || !fetch_start(f))
		exit(1);
	before = descriptors();
	lookups = 0;
	pthread_create(&thread, NULL, serve_many, &listen_fd);
	m.outside = fetch_outside(f);
	many_ask(&m);
	tap_ok(m.asked == OUTSIDE_ASKED_MAX && m.refused == 1, "one question more than may be under way is refused");
	while (m.answered < ROUNDS) {
		struct epoll_event ev[64];
		int n = epoll_wait(epoll_fd, ev, 64, wait_ms(fetch_deadline(f), machine_now().mono));

		for (int i = 0; i < n; i++) {
			if (watch_kind(ev[i].data.u64) == WATCH_RESOLVER)
				fetch_resolved(f);
			else
				fetch_event(f, watch_number(ev[i].data.u64), watch_generation(ev[i].data.u64));
		}
		fetch_turn(f, machine_now().mono);
	}
	tap_ok(m.asked == ROUNDS && m.answered == ROUNDS && !m.twice, "%u questions are answered once each", ROUNDS);
	tap_ok(m.good == ROUNDS / 2, "half of them well");
	tap_is_u64(descriptors(), before, "and no descriptor is left of them");
	tap_ok(lookups < 5, "R4 their name was looked up once in ten seconds");
	tap_ok(fetch_deadline(f).ms == MONO_NEVER.ms, "nothing is under way");
	fetch_close(f);
	close(epoll_fd);
	shutdown(listen_fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listen_fd);
}

/* Questions for keys: two at once, since each has a body. Closing drops what is under way. */
static void test_bodies(void)
{
	static struct question q = { .url = PLAIN "/silent", .port = "plain" };
	unsigned before = descriptors();
	struct outside o;

	ask(&q, "");
	o = fetch_outside(q.f);
	tap_ok(o.ask(o.ctx, 8, OUTSIDE_KEYS, STR_NONE), "a second question for keys");
	tap_ok(!o.ask(o.ctx, 9, OUTSIDE_KEYS, STR_NONE), "a third is refused");
	turn(&q);
	fetch_close(q.f);
	close(q.epoll_fd);
	tap_ok(q.answers == 0, "closing answers nothing");
	tap_is_u64(descriptors(), before, "and leaves no descriptor");
}

/* An answer of the resolver that comes after its asker gave up serves the next one. */
static void test_late_name(void)
{
	static struct question q = { .url = "http://slow.test:%d/ok", .port = "plain" };
	struct outside o;

	ask(&q, "");
	o = fetch_outside(q.f);
	for (int round = 0; round < 2; round++) {
		q.answers = round == 0 ? q.answers : 0;
		if (round == 1 && !o.ask(o.ctx, 8, OUTSIDE_KEYS, STR_NONE))
			break;
		while (q.answers == 0) {
			poll(&(struct pollfd){ .fd = q.epoll_fd, .events = POLLIN }, 1,
			     wait_ms(fetch_deadline(q.f), machine_now().mono));
			turn(&q);
		}
		tap_ok(q.status == (round == 0 ? 0 : 200), "R4 %s", round == 0 ? "a stuck resolver fails a question"
		                                                               : "its late answer serves the next");
	}
	fetch_close(q.f);
	close(q.epoll_fd);
}

/* --- anchors --- */

static const struct {
	const char *file;
	int n, passed_over; /* n 0: refused */
} bundles[] = {
	{ "ca.pem", 1, 0 }, { "bundle.pem", 1, 1 }, { "chain.pem", 2, 0 }, { "p384.pem", 1, 0 }, { "cut.pem", 0, 0 },
	{ "broken.pem", 0, 0 }, { "empty.pem", 0, 0 }, { "ca.key", 0, 0 }, { "weak.pem", 0, 0 }, { "nothing.pem", 0, 0 },
	{ ".", 0, 0 },
};

static void test_anchors(void)
{
	struct anchors a;
	char path[128];

	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		bool good;

		snprintf(path, sizeof(path), "%s/%s", directory, bundles[i].file);
		good = anchors_load(&a, str_of(path, strlen(path)));
		tap_ok(good == (bundles[i].n > 0) && a.n == (uint32_t)bundles[i].n &&
		       (!good || a.passed_over == (uint32_t)bundles[i].passed_over), "B3 ca-file %s", bundles[i].file);
		anchors_free(&a);
	}
}

static void test_bad_ca(void)
{
	static struct server_config cfg = { .has_user_check = true };
	struct fetch *f;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	unsigned before = descriptors();

	if (!url_parse(STR("https://127.0.0.1:1/"), &cfg.user_check_url))
		exit(1);
	tap_ok(fetch_open(&f, &cfg, epoll_fd, NULL, answered, NULL) == FETCH_BAD_CA && f == NULL, "https without ca-file");
	cfg.tls.ca = STR("/nonexistent");
	tap_ok(fetch_open(&f, &cfg, epoll_fd, NULL, answered, NULL) == FETCH_BAD_CA && f == NULL, "https with one that is not there");
	tap_is_u64(descriptors(), before, "and no descriptor is left");
	close(epoll_fd);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (!start_services()) {
		printf("Bail out! no services: python3 and openssl are needed\n");
		return 1;
	}
	test_anchors();
	test_bad_ca();
	test_bodies(); /* those that count descriptors come before threads that close theirs late */
	test_many();
	test_questions();
	test_late_name();
	stop_services();
	return tap_done();
}
