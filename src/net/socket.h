/*
 * net/socket.h: the transport over stream sockets, and the listening ones.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "server/config.h"
#include "server/conn.h"
#include "server/transport.h"

enum {
	/* What the kernel may hold for one connection: both of its buffers, which Linux makes twice as large
	 * as it is told. */
	SOCKET_KERNEL_BYTES_MAX = 196608,
};

/* The transport whose handles are sockets watched by epoll descriptor *epoll_fd, which must outlive it. */
struct transport socket_transport(int *epoll_fd);

/* Watches an accepted socket for input; false: the kernel has no room for another. */
bool socket_watch(int epoll_fd, int fd, uint32_t conn, uint32_t generation);

/* What epoll watches a socket for could not be changed (errno): one line says so, and the connection ends in
 * both directions, which epoll tells whatever it watches for. */
void socket_break(int fd);

/* Listens; the descriptor, or -1 after one line on standard error that names the address. */
int socket_listen(const struct listener_config *);

/* That line, for what else it may fail of. */
void socket_complain(const struct listener_config *, int error);

/* Accepts one connection: the descriptor (non-blocking,
 * close-on-exec) with *peer filled, or -1 with errno. */
int socket_accept(int listen_fd, struct peer *peer);

/* "127.0.0.1:8080" as bound (the port may have been chosen by the kernel), or the path; into buf. */
struct str socket_name(int listen_fd, const struct listener_config *, char *buf, size_t cap);

#endif
