/*
 * cluster/redis_wire.h: the bytes below hiredis: a socket that never waits, TLS if it is wanted, and the
 * guard that looks at all that comes (cluster/resp_guard.h). hiredis' own connect would look names up by
 * getaddrinfo(), which waits and allocates, and its send() raises SIGPIPE: neither is used.
 */
#ifndef CLUSTER_REDIS_WIRE_H
#define CLUSTER_REDIS_WIRE_H

#include <hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cluster/resp_guard.h"
#include "net/resolver.h"
#include "net/tls_client.h"

enum {
	REDIS_WIRE_READ_BYTES_MAX = 32768, /* taken off the socket for one read: hiredis asks for 16 KiB */
	REDIS_WIRE_KEEPALIVE_S = 15,
};

/* Where to: exactly one of the two. */
struct redis_address {
	bool is_unix;
	uint16_t port;
	struct resolver_address inet; /* its port does not count */
	struct sockaddr_un local;
};

struct redis_wire {
	int fd;                        /* -1: none */
	struct tls_client *tls;        /* NULL: without; given at start, its owner's */
	bool more;                     /* hiredis has not been given all that was taken off the socket */
	uint64_t received, sent;       /* bytes of RESP, of all connections so far */
	uint64_t put;                  /* bytes that the socket took, likewise */
	uint64_t faults;               /* connections that the guard ended, so far */
	struct resp_guard guard;
};

/* Begins to connect; false: errno. Writable is when it has come to something. */
bool redis_wire_dial(struct redis_wire *, const struct redis_address *);

/* What it has come to: 0, or an errno value. */
int redis_wire_dialled(const struct redis_wire *);

enum redis_wire_result { REDIS_WIRE_WAIT, REDIS_WIRE_DONE, REDIS_WIRE_FAILED };

/* Goes on with a handshake that tls_client_init_bare() began. FAILED: *why, which lives on. */
enum redis_wire_result redis_wire_shake(struct redis_wire *, struct str *why);

/* What waits inside of TLS goes out as far as it can. False: the socket is broken. */
bool redis_wire_push(struct redis_wire *);

/* Does something wait there still? */
bool redis_wire_is_full(const struct redis_wire *);

/* For a context whose privdata is the wire; it owns the socket from then on. */
const redisContextFuncs *redis_wire_funcs(const struct redis_wire *);

void redis_wire_close(struct redis_wire *);

#endif
