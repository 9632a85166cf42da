/*
 * net/resolver.h: names to addresses without stopping the loop. One thread asks getaddrinfo(3), one question
 * after the other; questions and answers go through pipes. When it is stuck, later questions wait, and
 * whoever asked gives up at a deadline of their own: nothing here ever blocks the loop.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

enum {
	RESOLVER_ADDRESSES_MAX = 8,      /* of a name; further ones are not tried */
	RESOLVER_HOST_BYTES_MAX = 253,
	RESOLVER_STACK_BYTES = 262144,   /* musl's default is 128 KiB, and getaddrinfo has large buffers */
};

struct resolver_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

struct resolver_answer {
	uint32_t question;               /* the asker's number */
	uint32_t n;                      /* addresses; 0: no such name, or the resolver failed */
	struct resolver_address v[RESOLVER_ADDRESSES_MAX]; /* the best first (RFC 6724); port 0 */
};

/* Fills *a for a NUL-terminated host. Runs on the resolver's thread, may block there and may allocate. */
typedef void resolver_lookup(const char *host, struct resolver_answer *a);

struct resolver_worker;

struct resolver {
	int ask_fd, answer_fd;           /* -1: not open */
	struct resolver_worker *idle;    /* what the thread will get; NULL once it has */
};

#define RESOLVER_NONE ((struct resolver){ .ask_fd = -1, .answer_fd = -1 })

/* Takes pipes and memory; questions may be asked. `lookup` NULL: getaddrinfo. False with errno: the machine
 * refused. */
bool resolver_open(struct resolver *r, resolver_lookup *lookup);

/*
 * Starts the thread; true at once when it is there, or r is not open. Rights are a thread's own: whoever
 * gives some up does so between the two (net/walls.h). False with errno: the machine refused.
 */
bool resolver_start(struct resolver *r);

/* The thread ends after the question that it is at; nobody waits for it. */
void resolver_close(struct resolver *r);

/* False: so many questions wait that the pipe is full. */
bool resolver_ask(const struct resolver *r, uint32_t question, struct str host);

/* Takes an answer, when r->answer_fd is readable; false: there is none. */
bool resolver_take(const struct resolver *r, struct resolver_answer *a);

/* An address as text needs no question: false if `host` is none. */
bool resolver_is_literal(struct str host, struct resolver_address *out);

#endif
