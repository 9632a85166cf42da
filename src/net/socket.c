#include "net/socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/machine.h"
#include "net/watch.h"

enum {
	BACKLOG = 4096,
	/* What one slow reader can hide from our own queue in the kernel (it doubles the number);
	 * RELIABILITY D4. */
	SOCKET_BUFFER_BYTES = 32768,
	/* What one who sends and does not read can fill there while we do not read on (D4). Doubled it is
	 * what Linux begins with; left to itself it grew until 600 such clients held 141 MB. */
	RECEIVE_BUFFER_BYTES = 65536,
	/* Loopback's segments are larger than that: a peer whose kernel delays
	 * the ACK of a first part of one would get 32 KiB per 40 ms. */
	SEGMENT_BYTES_MAX = SOCKET_BUFFER_BYTES / 2,
	USER_TIMEOUT_MS = 30000, /* unacknowledged data for so long: the peer has vanished */
	NAME_BYTES_MAX = 160,
};

static_assert(2 * (SOCKET_BUFFER_BYTES + RECEIVE_BUFFER_BYTES) == SOCKET_KERNEL_BYTES_MAX,
              "as the header says");

/* --- the transport --- */

static ptrdiff_t outcome(ssize_t n)
{
	if (n >= 0)
		return n;
	/* No memory for this one now is like a full socket buffer:
	 * readiness comes again, or write-wait ends it. */
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM)
		return TRANSPORT_AGAIN;
	return TRANSPORT_GONE;
}

/* Not recv() and send(): musl's are thread cancellation points, which costs each call 2 % and serves nobody
 * here. */
static ptrdiff_t transport_read(void *ctx, int fd, void *buf, size_t bytes)
{
	(void)ctx;
	return outcome(syscall(SYS_recvfrom, fd, buf, bytes, 0, NULL, NULL));
}

static ptrdiff_t transport_writev(void *ctx, int fd, const struct iovec *slices, uint32_t n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)slices };

	(void)ctx;
	msg.msg_iovlen = (__typeof__(msg.msg_iovlen))n; /* int in musl, size_t in glibc */
	if (n == 1)
		return outcome(syscall(SYS_sendto, fd, slices[0].iov_base, slices[0].iov_len,
		                       MSG_NOSIGNAL, NULL, 0));
	return outcome(sendmsg(fd, &msg, MSG_NOSIGNAL));
}

static void transport_want(void *ctx, int fd, uint32_t conn, uint32_t generation,
                           bool readable, bool writable)
{
	const int *epoll_fd = ctx;
	struct epoll_event ev = { .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
	                          .data.u64 = watch_tag(WATCH_CONN, conn, generation) };

	if (epoll_ctl(*epoll_fd, EPOLL_CTL_MOD, fd, &ev) != 0)
		socket_break(fd);
}

static void transport_shutdown(void *ctx, int fd)
{
	(void)ctx;
	shutdown(fd, SHUT_WR);
}

static void transport_close(void *ctx, int fd)
{
	(void)ctx;
	close(fd); /* nothing is ever dup'ed, so this takes it out of the epoll set too */
}

struct transport socket_transport(int *epoll_fd)
{
	return (struct transport){
		.ctx = epoll_fd, .read = transport_read, .writev = transport_writev, .want = transport_want,
		.shutdown = transport_shutdown, .close = transport_close,
	};
}

/* Changing what is watched needs no memory, as Linux does it. */
void socket_break(int fd)
{
	machine_complain(STR("epoll_ctl"), errno);
	(void)shutdown(fd, SHUT_RDWR);
}

bool socket_watch(int epoll_fd, int fd, uint32_t conn, uint32_t generation)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = watch_tag(WATCH_CONN, conn, generation) };

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

/* --- addresses --- */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	};
	socklen_t bytes;
};

/* From the words of a listener; false: not an address. */
static bool address_of(const struct listener_config *l, struct address *a)
{
	char text[NAME_BYTES_MAX];

	if (l->address.n >= sizeof(text))
		return false;
	memcpy(text, l->address.p, l->address.n);
	text[l->address.n] = '\0';
	*a = (struct address){ .bytes = 0 };
	if (l->is_unix) {
		if (l->address.n >= sizeof(a->un.sun_path))
			return false;
		a->un.sun_family = AF_UNIX;
		memcpy(a->un.sun_path, text, l->address.n + 1);
		a->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + l->address.n + 1);
		return true;
	}
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(l->port);
		a->bytes = sizeof(a->v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(l->port);
		a->bytes = sizeof(a->v6);
		return true;
	}
	return false;
}

static void peer_of(const struct address *a, struct peer *p)
{
	*p = (struct peer){ .port = 0 };
	if (a->any.sa_family == AF_INET) {
		p->address[10] = p->address[11] = 0xff;
		memcpy(p->address + 12, &a->v4.sin_addr, 4);
		p->port = ntohs(a->v4.sin_port);
	} else if (a->any.sa_family == AF_INET6) {
		memcpy(p->address, &a->v6.sin6_addr, 16);
		p->port = ntohs(a->v6.sin6_port);
	}
}

/* --- listening --- */

static void set(int fd, int level, int name, int value)
{
	setsockopt(fd, level, name, &value, sizeof(value));
}

/* What accepted sockets inherit from the one that listens, so that accepting costs one system call. */
static void set_inherited(int fd, bool is_unix)
{
	set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
	set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
	if (is_unix)
		return;
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, IPPROTO_TCP, TCP_MAXSEG, SEGMENT_BYTES_MAX);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

void socket_complain(const struct listener_config *l, int error)
{
	char text[NAME_BYTES_MAX + 32];
	int n;

	if (l->is_unix)
		n = snprintf(text, sizeof(text), "--listen unix:%.*s", (int)l->address.n, l->address.p);
	else
		n = snprintf(text, sizeof(text), "--listen %.*s:%u", (int)l->address.n,
		             l->address.p, l->port);
	machine_complain(str_of(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1), error);
}

static int fail(const struct listener_config *l, int fd, int error)
{
	socket_complain(l, error);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A socket file that nobody answers on is a leftover of an earlier run. */
static void remove_leftover(const struct address *a)
{
	struct stat st;
	int fd;

	if (lstat(a->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &a->any, a->bytes) != 0 && errno == ECONNREFUSED)
		unlink(a->un.sun_path);
	if (fd >= 0)
		close(fd);
}

int socket_listen(const struct listener_config *l)
{
	struct address a;
	int fd;

	if (!address_of(l, &a))
		return fail(l, -1, EINVAL);
	if (l->is_unix)
		remove_leftover(&a);
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(l, fd, errno);
	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (a.any.sa_family == AF_INET6)
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	set_inherited(fd, l->is_unix);
	if (bind(fd, &a.any, a.bytes) != 0 || listen(fd, BACKLOG) != 0)
		return fail(l, fd, errno);
	return fd;
}

int socket_accept(int listen_fd, struct peer *peer)
{
	struct address a = { .bytes = sizeof(a) - sizeof(a.bytes) };
	int fd = accept4(listen_fd, &a.any, &a.bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		peer_of(&a, peer);
	return fd;
}

struct str socket_name(int listen_fd, const struct listener_config *l, char *buf, size_t cap)
{
	struct address a = { .bytes = sizeof(a) - sizeof(a.bytes) };
	char host[INET6_ADDRSTRLEN] = "";
	struct peer p;
	int n;

	if (l->is_unix) {
		n = snprintf(buf, cap, "unix:%.*s", (int)l->address.n, l->address.p);
	} else {
		if (getsockname(listen_fd, &a.any, &a.bytes) != 0)
			return l->address;
		peer_of(&a, &p);
		if (a.any.sa_family == AF_INET6)
			inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
		else
			inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
		n = snprintf(buf, cap, a.any.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, p.port);
	}
	return str_of(buf, n < (int)cap ? (size_t)n : cap - 1);
}
