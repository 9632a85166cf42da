/*
 * See net/exchange.h. Invariant: a step that gives EXCHANGE_WAIT has taken out of the TLS engine all that it
 * had, so that only the socket can bring news.
 */
#include "net/exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

bool exchange_init(struct exchange *x, struct str target, struct str host, char *body, uint32_t body_cap)
{
	int n = snprintf(x->request, sizeof(x->request),
	                 "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nAccept: application/json\r\n"
	                 "User-Agent: presenced\r\nConnection: close\r\n\r\n",
	                 (int)target.n, target.p, (int)host.n, host.p);

	if (n <= 0 || (size_t)n >= sizeof(x->request))
		return false;
	x->request_bytes = (uint32_t)n;
	x->request_sent = 0;
	x->fd = -1;
	x->tls = NULL;
	x->head_is_enough = x->deaf = x->owes = false;
	x->events = EPOLLOUT;
	x->why = STR("");
	http_response_init(&x->response, x->head, (uint8_t *)body, body_cap);
	x->response.drop_body = body == NULL;
	return true;
}

static enum exchange_result fail(struct exchange *x, struct str why)
{
	x->why = why;
	return EXCHANGE_FAILED;
}

static enum exchange_result fail_errno(struct exchange *x)
{
	const char *text = strerror(errno);

	return fail(x, str_of(text, strlen(text)));
}

static bool is_passing(void)
{
	return errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM;
}

/* Bytes of the response. */
static enum exchange_result take(struct exchange *x, const unsigned char *bytes, size_t n)
{
	enum http_response_result result;
	size_t used;

	do {
		result = http_response_feed(&x->response, bytes, n, &used);
		bytes += used;
		n -= used;
		if (result == HTTP_RESPONSE_HEAD && (x->head_is_enough || x->response.status != 200))
			return EXCHANGE_DONE;
	} while (result == HTTP_RESPONSE_HEAD);
	if (result == HTTP_RESPONSE_BAD)
		return fail(x, STR("malformed HTTP, or too long"));
	return result == HTTP_RESPONSE_DONE ? EXCHANGE_DONE : EXCHANGE_WAIT;
}

static enum exchange_result end(struct exchange *x)
{
	if (http_response_end(&x->response) == HTTP_RESPONSE_DONE)
		return EXCHANGE_DONE;
	return fail(x, STR("the connection ended before the response"));
}

/* Sends; how many bytes, which is all of them once the service is deaf: its last words count. */
static size_t push(struct exchange *x, const void *bytes, size_t n)
{
	ssize_t sent = x->deaf ? (ssize_t)n : send(x->fd, bytes, n, MSG_NOSIGNAL);

	if (sent >= 0)
		return (size_t)sent;
	x->deaf = !is_passing();
	return x->deaf ? n : 0;
}

/* --- without TLS --- */

static enum exchange_result step_plain(struct exchange *x, unsigned char *scratch)
{
	uint32_t left = x->request_bytes - x->request_sent;
	ssize_t n;

	if (left > 0)
		x->request_sent += (uint32_t)push(x, x->request + x->request_sent, left);
	for (uint32_t total = 0; total < EXCHANGE_STEP_BYTES_MAX; total += (uint32_t)n) {
		enum exchange_result result;

		n = recv(x->fd, scratch, EXCHANGE_READ_BYTES, 0);
		if (n < 0 && is_passing())
			break;
		if (n < 0)
			return fail_errno(x);
		if (n == 0)
			return end(x);
		result = take(x, scratch, (size_t)n);
		if (result != EXCHANGE_WAIT)
			return result;
	}
	x->events = EPOLLIN;
	x->owes = x->request_sent < x->request_bytes;
	return EXCHANGE_WAIT;
}

/* --- with TLS --- */

static void push_records(struct exchange *x)
{
	unsigned char *p;
	size_t n, sent;

	while ((n = tls_client_output(x->tls, &p)) > 0) {
		sent = push(x, p, n);
		if (sent == 0)
			return;
		tls_client_sent(x->tls, sent);
	}
}

/* Hands the request to the engine; true: some of it. */
static bool put_request(struct exchange *x)
{
	size_t left = x->request_bytes - x->request_sent, n;
	unsigned char *p;

	if (left == 0)
		return false;
	n = tls_client_space(x->tls, &p);
	n = n < left ? n : left;
	if (n == 0)
		return false;
	memcpy(p, x->request + x->request_sent, n);
	x->request_sent += (uint32_t)n;
	tls_client_written(x->tls, n);
	tls_client_flush(x->tls);
	return true;
}

/* Everything that needs no byte from the socket. */
static enum exchange_result turn_engine(struct exchange *x)
{
	unsigned char *p;
	size_t n;

	do {
		push_records(x);
		while ((n = tls_client_plain(x->tls, &p)) > 0) {
			enum exchange_result result = take(x, p, n);

			if (result != EXCHANGE_WAIT)
				return result;
			tls_client_taken(x->tls, n);
		}
	} while (put_request(x));
	push_records(x);
	switch (tls_client_state(x->tls)) {
	case TLS_CLIENT_FAILED: return fail(x, tls_client_why(x->tls));
	case TLS_CLIENT_CLOSED: return end(x);
	default: return EXCHANGE_WAIT;
	}
}

static enum exchange_result step_tls(struct exchange *x)
{
	enum exchange_result result;
	unsigned char *p;
	size_t room, total = 0;

	while ((result = turn_engine(x)) == EXCHANGE_WAIT) {
		ssize_t n;

		room = tls_client_room(x->tls, &p);
		if (room == 0 || total >= EXCHANGE_STEP_BYTES_MAX)
			break;
		n = recv(x->fd, p, room, 0);
		if (n < 0 && is_passing())
			break;
		if (n < 0)
			return fail_errno(x);
		if (n == 0) {
			tls_client_end(x->tls);
			continue;
		}
		total += (size_t)n;
		tls_client_received(x->tls, (size_t)n);
	}
	x->events = tls_client_room(x->tls, &p) > 0 ? (uint32_t)EPOLLIN : 0u;
	x->owes = tls_client_output(x->tls, &p) > 0;
	/* A hang-up would wake the loop for nothing, again and again. */
	if (result == EXCHANGE_WAIT && x->events == 0 && !x->owes)
		return fail(x, STR("TLS came to a halt"));
	return result;
}

enum exchange_result exchange_step(struct exchange *x, unsigned char *scratch)
{
	assert(x->fd >= 0);
	return x->tls != NULL ? step_tls(x) : step_plain(x, scratch);
}
