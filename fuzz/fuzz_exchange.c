/*
 * fuzz/fuzz_exchange.c: a service's bytes over a real pair of sockets to net/exchange, in two sends. It gives up or is done exactly when
 * wire/http_response, given the same bytes, says so, with the same status and body. The first three bytes: options, and where the cut is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/exchange.h"

#define CHECK(what) ((what) ? (void)0 : abort())

enum { BODY_CAP = 256, IN_MAX = 40000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_same(const struct exchange *x, enum exchange_result got, const char *body, const uint8_t *in, size_t n, bool head_is_enough)
{
	static char head[HTTP_RESPONSE_HEAD_BYTES_MAX];
	static uint8_t want[BODY_CAP];
	struct http_response r;
	enum http_response_result result;
	size_t used;

	http_response_init(&r, head, body == NULL ? NULL : want, BODY_CAP);
	r.drop_body = body == NULL;
	do {
		result = http_response_feed(&r, in, n, &used);
		in += used;
		n -= used;
		if (result == HTTP_RESPONSE_HEAD && (head_is_enough || r.status != 200))
			result = HTTP_RESPONSE_DONE;
	} while (result == HTTP_RESPONSE_HEAD);
	if (result == HTTP_RESPONSE_MORE)
		result = http_response_end(&r);
	CHECK((got == EXCHANGE_DONE) == (result == HTTP_RESPONSE_DONE));
	if (got != EXCHANGE_DONE)
		return;
	CHECK(x->response.status == r.status && x->response.body_bytes == r.body_bytes);
	CHECK(body == NULL || memcmp(body, want, r.body_bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static unsigned char scratch[EXCHANGE_READ_BYTES];
	static char body[BODY_CAP], request[EXCHANGE_REQUEST_BYTES_MAX];
	static struct exchange x;
	enum exchange_result r;
	size_t cut;
	int pair[2];

	if (n < 3 || n > IN_MAX)
		return 0;
	cut = (size_t)(data[1] | data[2] << 8) % (n - 2);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	CHECK(exchange_init(&x, STR("/jwks.json"), STR("id.example"), data[0] & 1 ? NULL : body, BODY_CAP));
	x.fd = pair[0];
	x.head_is_enough = data[0] & 2;
	r = exchange_step(&x, scratch);
	CHECK(r == EXCHANGE_WAIT && x.events == EPOLLIN && recv(pair[1], request, sizeof(request), 0) == (ssize_t)x.request_bytes);
	if (cut > 0) {
		CHECK(send(pair[1], data + 3, cut, 0) == (ssize_t)cut);
		r = exchange_step(&x, scratch);
	}
	if (r == EXCHANGE_WAIT) {
		CHECK(n - 3 - cut == 0 || send(pair[1], data + 3 + cut, n - 3 - cut, 0) == (ssize_t)(n - 3 - cut));
		shutdown(pair[1], SHUT_WR);
		for (int i = 0; i < 4 && r == EXCHANGE_WAIT; i++)
			r = exchange_step(&x, scratch);
	}
	CHECK(r != EXCHANGE_WAIT && (r == EXCHANGE_DONE) == (x.why.n == 0));
	check_same(&x, r, data[0] & 1 ? NULL : body, data + 3, n - 3, data[0] & 2);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
