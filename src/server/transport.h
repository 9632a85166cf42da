/*
 * server/transport.h: the seam to the bytes.
 * Sockets, TLS over sockets, the simulator's memory pipes, or a kernel-bypass stack.
 *
 * A handle names one accepted connection to the transport; the server never looks at it.
 * No call blocks, none calls back into the server. After close() the handle is dead.
 */
#ifndef SERVER_TRANSPORT_H
#define SERVER_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/str.h"

/* What read and writev return below zero. 0 from read: the peer sends no more. */
enum {
	TRANSPORT_AGAIN = -1, /* nothing now; readiness will be told, perhaps too early (no memory for what is
	                       * written): then nothing is taken again, and it would be told again at once */
	TRANSPORT_GONE = -2,  /* the connection is broken */
};

/* One number of the transport's own, for /metrics. */
struct transport_stat {
	struct str name, help;   /* samples of one name follow each other */
	struct str label, value; /* absent: none */
	bool gauge;              /* else a counter */
	uint64_t number;
};

struct transport {
	void *ctx;
	ptrdiff_t (*read)(void *ctx, int handle, void *buf, size_t bytes);
	ptrdiff_t (*writev)(void *ctx, int handle, const struct iovec *slices, uint32_t n);
	/* Whether server_input and server_output shall be called when the handle is ready.
	 * Readable is wanted from the start. */
	void (*want)(void *ctx, int handle, uint32_t conn, uint32_t generation, bool readable, bool writable);
	void (*shutdown)(void *ctx, int handle); /* no more is written;
	                                          * the peer sees the end once it has read all */
	void (*close)(void *ctx, int handle);
	bool (*stat)(void *ctx, uint32_t i, struct transport_stat *out); /* the i-th; false: no more.
	                                                                  * NULL: there are none */
};

#endif
