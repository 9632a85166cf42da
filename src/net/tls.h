/*
 * net/tls.h: TLS 1.2 (RFC 5246) under the server: a transport whose handles are sessions over sockets, beside
 * those that are sockets. The server does not know which it has.
 *
 * Bounds. Sessions: as many as connections. A session that nothing is under way for holds its engine's
 * context (4 KiB) and nothing else, and before its first byte not even that. Record buffers are shared by
 * all and lent to nobody, but what a record that came in part, or that a socket took in part, leaves is
 * kept in a cell: of 1 KiB, of which each session may have its two; or of a whole record, of which there
 * are fewer. When those are all out, whoever has held one longest is closed; and so is who has held any for
 * TLS_HOLD_MS. Nobody waits for a cell. Handshakes: TLS_HANDSHAKE_MS from accept to established, whatever
 * is sent meanwhile, and TLS_WORK_US of work per turn of the loop, after everybody else's traffic.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/clock.h"
#include "base/log.h"
#include "net/certificates.h"
#include "server/config.h"
#include "server/transport.h"

enum {
	TLS_HANDLE_BASE = 1 << 30, /* handles from here on are sessions; below are descriptors */
	TLS_HANDSHAKE_MS = 5000,   /* RELIABILITY D9 */
	TLS_HOLD_MS = 10000,       /* a half record, or output that is not taken */
	TLS_WORK_US = 250,         /* of handshakes per turn: at least one step, one signature at most */
	TLS_LATE_MS = 1000,        /* hellos have waited so long: newest first, or all are too late */
};

/* What is called when a session is ready; never from inside a call of the transport. */
struct tls_host {
	void *ctx;
	void (*input)(void *ctx, uint32_t conn, uint32_t generation);
	void (*output)(void *ctx, uint32_t conn, uint32_t generation);
	void (*hangup)(void *ctx, uint32_t conn, uint32_t generation);
};

struct tls;

/*
 * Takes its memory from the machine and its certificates from their files. NULL: report->error says which
 * file or option is wrong, or is "" when memory was refused. `plain` carries the bytes and is copied;
 * epoll_fd and `cfg` must outlive it.
 */
struct tls *tls_new(const struct server_config *cfg, const struct transport *plain, int epoll_fd,
                    struct now now, struct certificates_report *report);
void tls_free(struct tls *);

/* The memory that tls_new() will take; 0 when no listener wants TLS. */
size_t tls_measure(const struct server_config *cfg);

/* Before the first session: who is told, and where lines go. */
void tls_serve(struct tls *, const struct tls_host *, struct log *);

/* The transport for both: handles below TLS_HANDLE_BASE go to `plain`. */
struct transport tls_transport(struct tls *);

/* A session over an accepted descriptor, which is its own from now on: a handle; -1: there is none left, the
 * descriptor is still the caller's. */
int tls_open(struct tls *, int fd);

/* Says whose it is and begins to watch it; false: the kernel has no room for another. */
bool tls_watch(struct tls *, int handle, uint32_t conn, uint32_t generation);

/* An event of epoll, by what its tag says (net/watch.h). Within the server's turn. */
void tls_ready(struct tls *, uint32_t number, uint32_t generation, uint32_t events);

/* Begins a turn; and, within the server's turn, works off what was left and what is due. */
void tls_begin_turn(struct tls *, struct now);
void tls_turn(struct tls *);

/* After the server's turn: some handshakes. True: there is work left, do not wait before the next turn. */
bool tls_work(struct tls *);

/* When tls_turn() has something to do next. */
mono_t tls_deadline(const struct tls *);

/* SIGHUP: reads the certificates again, at once or when the last handshake of the set before has ended. New
 * handshakes get them; nobody else notices. What is broken is one line, and what there was stays. */
void tls_reload(struct tls *);

#endif
