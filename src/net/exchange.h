/*
 * net/exchange.h: one request and its response over a connected, non-blocking socket, with or without TLS.
 * Knows no epoll and no deadline: its owner steps it whenever what it waits for is there. What the socket
 * does not take at once, little as it is, there is no memory for: that is waited for by the clock.
 */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/tls_client.h"
#include "wire/http_response.h"

enum {
	EXCHANGE_REQUEST_BYTES_MAX = 2048,
	EXCHANGE_READ_BYTES = 16384,     /* of a read */
	EXCHANGE_STEP_BYTES_MAX = 32768, /* read in a step: one service cannot hold up the loop */
};

enum exchange_result {
	EXCHANGE_WAIT,   /* for x->events; if x->owes, for WRITE_RETRY_MS too */
	EXCHANGE_DONE,   /* x->response has the status, and the body unless only the head was wanted */
	EXCHANGE_FAILED, /* x->why */
};

struct exchange {
	int fd;                       /* the owner's */
	struct tls_client *tls;       /* NULL: without; begun by the owner */
	bool head_is_enough;          /* else so it is only for a status that is not 200 */
	bool deaf;                    /* the service takes nothing any more; what it said may be complete */
	bool owes;                    /* something that the socket did not take */
	uint32_t events;              /* EPOLLIN, or none; EPOLLOUT at first: it is connected */
	uint32_t request_bytes, request_sent;
	struct str why;               /* lives as long as the program */
	struct http_response response;
	char request[EXCHANGE_REQUEST_BYTES_MAX];
	char head[HTTP_RESPONSE_HEAD_BYTES_MAX];
};

/*
 * `GET target` of `host` as a Host header has it. False: that is too long. fd, tls and head_is_enough are the
 * owner's to set. `body` NULL: none is kept.
 */
bool exchange_init(struct exchange *x, struct str target, struct str host, char *body, uint32_t body_cap);

/*
 * Goes as far as the socket allows. `scratch` is of EXCHANGE_READ_BYTES. Not to be called again after DONE or
 * FAILED.
 */
enum exchange_result exchange_step(struct exchange *x, unsigned char *scratch);

#endif
