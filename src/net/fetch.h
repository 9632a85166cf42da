/*
 * net/fetch.h: `struct outside` on the loop: the questions that the server asks other services over HTTP and
 * HTTPS, without ever waiting for one.
 *
 * Each question goes through: resolve the name, connect (to one address after the other), TLS, request,
 * response. OUTSIDE_DEADLINE_MS bounds all of it together. Redirects are not followed: they are a status that
 * is not 200, and of such a response only the status is told. What a name resolved to is used for
 * FETCH_ADDRESSES_MS, unless no address of it can be connected to.
 *
 * Memory is mapped by fetch_open() and stays: 64 slots of 12 KiB, with TLS 52 KiB, two bodies.
 */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include "net/resolver.h"
#include "server/config.h"
#include "server/outside.h"

enum {
	FETCH_ADDRESSES_MS = 10000,
	FETCH_BODIES_MAX = 2,       /* OUTSIDE_KEYS under way at once; one after the other in practice */
};

struct fetch;

struct fetch_answer {
	uint32_t ticket;
	enum outside_service service;
	enum outside_result result;
	unsigned status;            /* counts with OUTSIDE_ANSWERED */
	char *body;                 /* of OUTSIDE_KEYS with status 200: the callee's until it returns; NULL
	                             * when it is empty */
	uint32_t body_bytes;
	struct str why;             /* it failed, for a person; lives as long as the program */
};

typedef void fetch_answered(void *ctx, const struct fetch_answer *);

enum fetch_result {
	FETCH_OK,
	FETCH_BAD_CA,  /* an https URL without a `ca-file` that can be used: one line said so */
	FETCH_REFUSED, /* memory or a pipe: errno */
};

/*
 * Reads ca-file when a URL is https, and opens the resolver when a host is a name. `cfg` is borrowed for
 * life. Answers come from fetch_event(), fetch_resolved() and fetch_turn() alone. `lookup` as resolver_open()
 * has it.
 */
enum fetch_result fetch_open(struct fetch **out, const struct server_config *cfg, int epoll_fd,
                             resolver_lookup *lookup, fetch_answered *answered, void *ctx);

/* Starts the resolver's thread, if there is one to start. False with errno: the machine refused. */
bool fetch_start(struct fetch *f);

/* What is under way ends without an answer. */
void fetch_close(struct fetch *f);

/* Borrows f. */
struct outside fetch_outside(struct fetch *f);

/* A WATCH_FETCH event; one that comes late finds nobody. */
void fetch_event(struct fetch *f, uint32_t number, uint32_t generation);

/* A WATCH_RESOLVER event. */
void fetch_resolved(struct fetch *f);

/* Once a turn, after its events: ends what has reached its deadline. */
void fetch_turn(struct fetch *f, mono_t now);

/* When fetch_turn() has something to do. */
mono_t fetch_deadline(const struct fetch *f);

#endif
