/*
 * fuzz/fuzz_exchange.c: a service's bytes over a real pair of sockets to net/exchange, in two sends. It gives up or is done exactly when
 * wire/http_response, given the same bytes, says so, with the same status and body. The first three bytes: options, and where the cut is.
 * With option 4 over TLS, said well by the server of tls_server.h; with 8 the bytes are what stands in TLS' place. With
 * 16 the service is gone before it has heard what it is asked, with 32 before that is said.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/exchange.h"
#include "tls_server.h"

enum { BODY_CAP = 256, IN_MAX = 40000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct exchange x;
static unsigned char scratch[EXCHANGE_READ_BYTES];
static int peer;

static void check_same(enum exchange_result got, const char *body, const uint8_t *in, size_t n, bool head_is_enough)
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
	CHECK(x.response.status == r.status && x.response.body_bytes == r.body_bytes);
	CHECK(body == NULL || memcmp(body, want, r.body_bytes) == 0);
}

/* --- without TLS --- */

static enum exchange_result plain(const uint8_t *data, size_t n, size_t cut)
{
	static char request[EXCHANGE_REQUEST_BYTES_MAX];
	enum exchange_result r = exchange_step(&x, scratch);

	CHECK(r == EXCHANGE_WAIT && x.events == EPOLLIN && recv(peer, request, sizeof(request), 0) == (ssize_t)x.request_bytes);
	if (cut > 0) {
		CHECK(send(peer, data, cut, 0) == (ssize_t)cut);
		r = exchange_step(&x, scratch);
	}
	if (r != EXCHANGE_WAIT)
		return r;
	CHECK(n == cut || send(peer, data + cut, n - cut, 0) == (ssize_t)(n - cut));
	shutdown(peer, SHUT_WR);
	for (int i = 0; i < 4 && r == EXCHANGE_WAIT; i++)
		r = exchange_step(&x, scratch);
	return r;
}

/* --- with TLS --- */

/* The server's end takes and gives what it can; true: it did. */
static bool shove(void)
{
	br_ssl_engine_context *e = &server.eng;
	unsigned char *p;
	size_t n;
	ssize_t some;
	bool any = false;

	while ((p = br_ssl_engine_sendrec_buf(e, &n)) != NULL && (some = send(peer, p, n, MSG_NOSIGNAL)) > 0) {
		br_ssl_engine_sendrec_ack(e, (size_t)some);
		any = true;
	}
	while ((p = br_ssl_engine_recvrec_buf(e, &n)) != NULL && (some = recv(peer, p, n, 0)) > 0) {
		br_ssl_engine_recvrec_ack(e, (size_t)some);
		any = true;
	}
	return any;
}

static enum exchange_result secured(const uint8_t *data, size_t n, size_t cut)
{
	br_ssl_engine_context *e = &server.eng;
	enum exchange_result r = EXCHANGE_WAIT;
	size_t heard = 0, room;
	unsigned char *p;

	for (bool any = true; any && r == EXCHANGE_WAIT;) {
		r = exchange_step(&x, scratch);
		any = shove();
		while ((p = br_ssl_engine_recvapp_buf(e, &room)) != NULL) {
			CHECK(heard + room <= x.request_bytes && memcmp(p, x.request + heard, room) == 0);
			heard += room;
			br_ssl_engine_recvapp_ack(e, room);
			any = true;
		}
		if (heard == x.request_bytes && n > 0 && (p = br_ssl_engine_sendapp_buf(e, &room)) != NULL) {
			cut = cut == 0 || cut > n ? n : cut;
			room = room < cut ? room : cut;
			memcpy(p, data, room);
			br_ssl_engine_sendapp_ack(e, room);
			br_ssl_engine_flush(e, 1);
			data += room;
			n -= room;
			any = true;
		} else if (heard == x.request_bytes && n == 0) {
			br_ssl_engine_close(e);
			any |= shove();
		}
	}
	CHECK(r != EXCHANGE_WAIT);
	return r;
}

/* --- with an end --- */

/* A service that says this and is gone, before it was asked or before it has heard all of it. */
static void ended(const uint8_t *data, size_t n, bool early)
{
	enum exchange_result r = EXCHANGE_WAIT;

	CHECK(send(peer, data, n, 0) == (ssize_t)n);
	if (!early)
		r = exchange_step(&x, scratch);
	close(peer);
	peer = -1;
	for (int i = 0; i < 4 && r == EXCHANGE_WAIT; i++)
		r = exchange_step(&x, scratch);
	CHECK(r != EXCHANGE_WAIT && (r == EXCHANGE_DONE) == (x.why.n == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const unsigned char seed[TLS_CLIENT_SEED_BYTES] = "the same each time";
	static char body[BODY_CAP];
	static struct tls_client tls;
	enum exchange_result r;
	size_t cut;
	int pair[2];

	if (n < 3 || n > IN_MAX)
		return 0;
	cut = (size_t)(data[1] | data[2] << 8) % (n - 2);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	CHECK(exchange_init(&x, STR("/jwks.json"), STR("id.example"), data[0] & 1 ? NULL : body, BODY_CAP));
	x.fd = pair[0];
	peer = pair[1];
	x.head_is_enough = data[0] & 2;
	if (data[0] & 12) {
		server_begin(&pairs[0]);
		CHECK(tls_client_init(&tls, &anchors, STR("ec.example"), (wall_t){ INT64_C(1800000000000) }, seed));
		x.tls = &tls;
	}
	if (data[0] & 16) {
		ended(data + 3, n - 3, data[0] & 32);
	} else if (data[0] & 8) {
		CHECK(send(peer, data + 3, n - 3, 0) >= 0 && shutdown(peer, SHUT_WR) == 0);
		for (int i = 0; i < 4 && (r = exchange_step(&x, scratch)) == EXCHANGE_WAIT; i++) {
		}
		CHECK(r == EXCHANGE_FAILED && x.why.n > 0);
	} else {
		r = data[0] & 4 ? secured(data + 3, n - 3, cut) : plain(data + 3, n - 3, cut);
		CHECK(r != EXCHANGE_WAIT && (r == EXCHANGE_DONE) == (x.why.n == 0));
		check_same(r, data[0] & 1 ? NULL : body, data + 3, n - 3, data[0] & 2);
	}
	close(pair[0]);
	if (peer >= 0)
		close(peer);
	return 0;
}
