/*
 * Invariants: no byte reaches hiredis that the guard has not passed. A read takes at most
 * REDIS_WIRE_READ_BYTES_MAX off the socket. Descriptors are never dup'ed, so closing one takes it out of the
 * epoll set.
 */
#include "cluster/redis_wire.h"

#include <assert.h>
#include <async.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sds.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_passing(void)
{
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM;
}

/* --- the socket --- */

static void set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value)); /* a hint */
}

static void set_tcp(int fd)
{
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, REDIS_WIRE_KEEPALIVE_S);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, REDIS_WIRE_KEEPALIVE_S / 3);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

bool redis_wire_dial(struct redis_wire *w, const struct redis_address *a)
{
	struct resolver_address inet = a->inet;
	const struct sockaddr *to = a->is_unix ? (const struct sockaddr *)&a->local : &inet.any;
	bool ipv4 = !a->is_unix && to->sa_family == AF_INET;
	socklen_t bytes = a->is_unix ? sizeof(a->local) : ipv4 ? sizeof(inet.v4) : sizeof(inet.v6);

	assert(w->fd < 0);
	if (ipv4)
		inet.v4.sin_port = htons(a->port);
	else
		inet.v6.sin6_port = htons(a->port);
	w->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		return false;
	if (!a->is_unix)
		set_tcp(w->fd);
	w->more = false;
	resp_guard_init(&w->guard);
	/* Of a unix socket whose backlog is full nobody is told when it is not: EAGAIN is a failure. */
	if (connect(w->fd, to, bytes) != 0 && errno != EINPROGRESS) {
		int error = errno;

		redis_wire_close(w);
		errno = error;
		return false;
	}
	return true;
}

int redis_wire_dialled(const struct redis_wire *w)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	return getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 ? error : errno;
}

void redis_wire_close(struct redis_wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->more = false;
}

/* --- TLS --- */

bool redis_wire_push(struct redis_wire *w)
{
	unsigned char *p;
	size_t n;

	while (w->tls != NULL && (n = tls_client_output(w->tls, &p)) > 0) {
		ssize_t sent = send(w->fd, p, n, MSG_NOSIGNAL);

		if (sent < 0)
			return is_passing();
		w->put += (uint64_t)sent;
		tls_client_sent(w->tls, (size_t)sent);
	}
	return true;
}

bool redis_wire_is_full(const struct redis_wire *w)
{
	unsigned char *p;

	return w->tls != NULL && tls_client_output(w->tls, &p) > 0;
}

/* Takes a part of a record off the socket, *total bytes so far. False: there is none now, or no more ever. */
static bool take_record(struct redis_wire *w, size_t *total, struct str *why)
{
	unsigned char *p;
	size_t room = tls_client_room(w->tls, &p);
	ssize_t n;

	if (room == 0 || *total >= REDIS_WIRE_READ_BYTES_MAX)
		return false;
	n = recv(w->fd, p, room, 0);
	if (n < 0 && is_passing())
		return false;
	if (n < 0) {
		const char *text = strerror(errno);

		*why = str_of(text, strlen(text));
		return false;
	}
	if (n == 0)
		tls_client_end(w->tls);
	else
		tls_client_received(w->tls, (size_t)n);
	*total += (size_t)n;
	return n > 0;
}

enum redis_wire_result redis_wire_shake(struct redis_wire *w, struct str *why)
{
	size_t total = 0;
	bool more;

	do {
		more = false;
		if (!redis_wire_push(w)) {
			*why = STR("the connection broke during the TLS handshake");
			return REDIS_WIRE_FAILED;
		}
		if (tls_client_state(w->tls) == TLS_CLIENT_HANDSHAKE)
			more = take_record(w, &total, why);
	} while (more);
	switch (tls_client_state(w->tls)) {
	case TLS_CLIENT_OPEN: return redis_wire_push(w) ? REDIS_WIRE_DONE : REDIS_WIRE_FAILED;
	case TLS_CLIENT_HANDSHAKE: return str_absent(*why) ? REDIS_WIRE_WAIT : REDIS_WIRE_FAILED;
	case TLS_CLIENT_FAILED: *why = tls_client_why(w->tls); return REDIS_WIRE_FAILED;
	case TLS_CLIENT_CLOSED: *why = STR("TLS was closed"); return REDIS_WIRE_FAILED;
	}
	return REDIS_WIRE_FAILED;
}

/* --- under hiredis --- */

static struct redis_wire *wire_of(const redisContext *c)
{
	return c->privdata;
}

static ssize_t fail(redisContext *c, int error, struct str why)
{
	c->err = error;
	snprintf(c->errstr, sizeof(c->errstr), "%.*s", (int)why.n, why.p);
	return -1;
}

static ssize_t fail_errno(redisContext *c)
{
	const char *text = strerror(errno);

	return fail(c, REDIS_ERR_IO, str_of(text, strlen(text)));
}

static ssize_t pass(redisContext *c, const char *bytes, size_t n)
{
	struct redis_wire *w = wire_of(c);

	w->received += n;
	if (resp_guard_feed(&w->guard, bytes, n))
		return (ssize_t)n;
	w->faults++;
	return fail(c, REDIS_ERR_PROTOCOL, w->guard.why);
}

static ssize_t read_plain(redisContext *c, char *out, size_t cap)
{
	ssize_t n = recv(c->fd, out, cap, 0);

	if (n < 0)
		return is_passing() ? 0 : fail_errno(c);
	return n == 0 ? fail(c, REDIS_ERR_EOF, STR("Redis closed the connection")) : pass(c, out, (size_t)n);
}

static ssize_t write_plain(redisContext *c)
{
	ssize_t n = send(c->fd, c->obuf, sdslen(c->obuf), MSG_NOSIGNAL);

	if (n < 0)
		return is_passing() ? 0 : fail_errno(c);
	wire_of(c)->sent += (uint64_t)n;
	wire_of(c)->put += (uint64_t)n;
	return n;
}

static ssize_t read_tls(redisContext *c, char *out, size_t cap)
{
	struct redis_wire *w = wire_of(c);
	struct str why = STR_NONE;
	size_t total = 0, n;
	unsigned char *p;

	while ((n = tls_client_plain(w->tls, &p)) == 0) {
		if (!redis_wire_push(w))
			return fail_errno(c);
		if (!take_record(w, &total, &why))
			break;
	}
	if (n > 0) {
		n = n < cap ? n : cap;
		memcpy(out, p, n);
		tls_client_taken(w->tls, n);
		w->more = tls_client_plain(w->tls, &p) > 0;
		return pass(c, out, n);
	}
	w->more = false;
	switch (tls_client_state(w->tls)) {
	case TLS_CLIENT_FAILED: return fail(c, REDIS_ERR_IO, tls_client_why(w->tls));
	case TLS_CLIENT_CLOSED: return fail(c, REDIS_ERR_EOF, STR("Redis closed the connection"));
	default: return str_absent(why) ? 0 : fail(c, REDIS_ERR_IO, why);
	}
}

static ssize_t write_tls(redisContext *c)
{
	struct redis_wire *w = wire_of(c);
	size_t left = sdslen(c->obuf), put = 0, n;
	unsigned char *p;

	for (;;) {
		if (!redis_wire_push(w))
			return fail_errno(c);
		n = left > 0 ? tls_client_space(w->tls, &p) : 0;
		n = n < left ? n : left;
		if (n == 0)
			break;
		memcpy(p, c->obuf + put, n);
		tls_client_written(w->tls, n);
		put += n;
		left -= n;
		if (left == 0)
			tls_client_flush(w->tls);
	}
	if (tls_client_state(w->tls) != TLS_CLIENT_OPEN)
		return fail(c, REDIS_ERR_IO, STR("TLS has ended"));
	w->sent += put;
	return (ssize_t)put;
}

static void close_socket(redisContext *c)
{
	if (c->fd >= 0)
		redis_wire_close(wire_of(c));
	c->fd = REDIS_INVALID_FD;
}

const redisContextFuncs *redis_wire_funcs(const struct redis_wire *w)
{
	static const redisContextFuncs plain = { close_socket, NULL, redisAsyncRead, redisAsyncWrite,
		                                 read_plain, write_plain };
	static const redisContextFuncs tls = { close_socket, NULL, redisAsyncRead, redisAsyncWrite,
		                               read_tls, write_tls };

	return w->tls != NULL ? &tls : &plain;
}
