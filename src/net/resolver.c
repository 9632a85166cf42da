/*
 * See net/resolver.h. Invariant: a question and an answer are each one write of at most PIPE_BUF bytes, so
 * that pipes keep them whole. The thread owns its ends of the pipes and its memory, and shares nothing else.
 */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "net/machine.h"

struct question {
	uint32_t number;
	char host[RESOLVER_HOST_BYTES_MAX + 1];
};

static_assert(sizeof(struct question) <= PIPE_BUF && sizeof(struct resolver_answer) <= PIPE_BUF,
              "pipes keep what is written whole");

/* The thread's. */
struct resolver_worker {
	resolver_lookup *lookup;
	int ask_fd, answer_fd;
};

/* --- on the thread --- */

static void look_up(const char *host, struct resolver_answer *a)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return;
	for (const struct addrinfo *i = list; i != NULL && a->n < RESOLVER_ADDRESSES_MAX; i = i->ai_next) {
		if (i->ai_family == AF_INET && i->ai_addrlen == sizeof(a->v[0].v4))
			memcpy(&a->v[a->n++].v4, i->ai_addr, sizeof(a->v[0].v4));
		else if (i->ai_family == AF_INET6 && i->ai_addrlen == sizeof(a->v[0].v6))
			memcpy(&a->v[a->n++].v6, i->ai_addr, sizeof(a->v[0].v6));
	}
	freeaddrinfo(list);
}

static void free_worker(struct resolver_worker *w)
{
	close(w->ask_fd);
	close(w->answer_fd);
	machine_memory_free(w, sizeof(*w));
}

static void *work(void *arg)
{
	struct resolver_worker *w = arg;
	struct question q;
	ssize_t got;

	for (;;) {
		struct resolver_answer a;

		got = read(w->ask_fd, &q, sizeof(q));
		if (got < 0 && errno == EINTR)
			continue;
		if (got != (ssize_t)sizeof(q))
			break;
		a = (struct resolver_answer){ .question = q.number };
		w->lookup(q.host, &a);
		/* SIGPIPE is blocked here, as all signals are. */
		do
			got = write(w->answer_fd, &a, sizeof(a));
		while (got < 0 && errno == EINTR);
		if (got != (ssize_t)sizeof(a))
			break;
	}
	free_worker(w);
	return NULL;
}

/* --- on the loop's --- */

static int start(struct resolver_worker *w)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_attr_setstacksize(&attr, RESOLVER_STACK_BYTES);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (error == 0)
		error = pthread_create(&thread, &attr, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

static void close_pipe(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static bool open_pipes(int ask[2], int answer[2])
{
	int error;

	if (pipe2(ask, O_CLOEXEC) != 0)
		return false;
	if (pipe2(answer, O_CLOEXEC) != 0) {
		error = errno;
		close_pipe(ask);
		errno = error;
		return false;
	}
	/* The loop's ends never wait; the thread's do. */
	if (fcntl(ask[1], F_SETFL, O_NONBLOCK) == 0 && fcntl(answer[0], F_SETFL, O_NONBLOCK) == 0)
		return true;
	error = errno;
	close_pipe(ask);
	close_pipe(answer);
	errno = error;
	return false;
}

bool resolver_open(struct resolver *r, resolver_lookup *lookup)
{
	int ask[2], answer[2];
	struct resolver_worker *w;

	*r = RESOLVER_NONE;
	if (!open_pipes(ask, answer))
		return false;
	w = machine_memory(sizeof(*w));
	if (w == NULL) {
		close_pipe(ask);
		close_pipe(answer);
		errno = ENOMEM;
		return false;
	}
	*w = (struct resolver_worker){ lookup == NULL ? look_up : lookup, ask[0], answer[1] };
	*r = (struct resolver){ ask[1], answer[0], w };
	return true;
}

bool resolver_start(struct resolver *r)
{
	int error;

	if (r->idle == NULL)
		return true;
	error = start(r->idle);
	if (error == 0)
		r->idle = NULL;
	errno = error;
	return error == 0;
}

void resolver_close(struct resolver *r)
{
	if (r->ask_fd >= 0) {
		close(r->ask_fd);
		close(r->answer_fd);
	}
	if (r->idle != NULL)
		free_worker(r->idle);
	*r = RESOLVER_NONE;
}

bool resolver_ask(const struct resolver *r, uint32_t question, struct str host)
{
	struct question q = { .number = question };

	assert(r->ask_fd >= 0 && host.n > 0 && host.n <= RESOLVER_HOST_BYTES_MAX);
	memcpy(q.host, host.p, host.n);
	return write(r->ask_fd, &q, sizeof(q)) == (ssize_t)sizeof(q);
}

bool resolver_take(const struct resolver *r, struct resolver_answer *a)
{
	assert(r->answer_fd >= 0);
	return read(r->answer_fd, a, sizeof(*a)) == (ssize_t)sizeof(*a) && a->n <= RESOLVER_ADDRESSES_MAX;
}

bool resolver_is_literal(struct str host, struct resolver_address *out)
{
	char text[RESOLVER_HOST_BYTES_MAX + 1];

	if (host.n == 0 || host.n >= sizeof(text))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	*out = (struct resolver_address){ .v6 = { .sin6_family = AF_UNSPEC } };
	if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		return true;
	}
	return false;
}
