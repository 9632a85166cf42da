/*
 * test/bench/floor.c: what the kernel alone costs: a server that parses nothing and knows nobody.
 *
 *	floor PORT fanout|corked|echo [FRAME_BYTES [SECONDS]]
 *
 * Whatever a connection says up to an empty line is answered by a fixed 101. Then, on the first connection each byte is an
 * event: `fanout` makes a plain send() of a ready frame to every other connection per event; `corked` one send() per
 * connection of as many frames as the one read brought events. `echo` sends back what a read brought. 127.0.0.1 only.
 * Stops by itself after SECONDS (600). Invariant: fds[0, n) are the receivers, dense.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 20000, EVENTS_MAX = 512, CORK_MAX = 64, FRAME_BYTES_MAX = 1024, READ_BYTES_MAX = 65536, BACKLOG = 4096 };

enum mode { MODE_FANOUT, MODE_CORKED, MODE_ECHO };

struct floor {
	enum mode mode;
	int epoll_fd, listen_fd;
	int trigger_fd;                  /* -1 until the first connection is upgraded */
	uint32_t n;
	int fds[FDS_MAX];
	int32_t index_of[FDS_MAX];       /* by descriptor: -1 not upgraded, -2 the trigger, else its place in fds */
	size_t frame_bytes;
	uint8_t frames[CORK_MAX * FRAME_BYTES_MAX];
	uint8_t in[READ_BYTES_MAX];
};

static const char answer[] =
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/* A server's text frame of frame_bytes in all, CORK_MAX times one behind the other. */
static void make_frames(struct floor *f)
{
	size_t head = f->frame_bytes - 2 < 126 ? 2 : 4;
	size_t payload = f->frame_bytes - head;
	size_t i;

	memset(f->frames, 'x', f->frame_bytes);
	f->frames[0] = 0x81;
	f->frames[1] = (uint8_t)(head == 2 ? payload : 126);
	if (head == 4) {
		f->frames[2] = (uint8_t)(payload >> 8);
		f->frames[3] = (uint8_t)payload;
	}
	for (i = 1; i < CORK_MAX; i++)
		memcpy(f->frames + i * f->frame_bytes, f->frames, f->frame_bytes);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, BACKLOG) != 0) {
		perror("floor: listen");
		exit(1);
	}
	return fd;
}

/* The sockets block: a full one makes the loop wait instead of losing an event. */
static void accept_all(struct floor *f)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int one = 1;
	int fd;

	while ((fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (fd >= FDS_MAX) {
			(void)close(fd);
			continue;
		}
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		f->index_of[fd] = -1;
		ev.data.fd = fd;
		(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	}
}

static void end(struct floor *f, int fd)
{
	int32_t at = f->index_of[fd];

	if (fd == f->trigger_fd)
		f->trigger_fd = -1;
	if (at >= 0) {
		f->fds[at] = f->fds[--f->n];
		f->index_of[f->fds[at]] = at;
	}
	f->index_of[fd] = -1;
	(void)close(fd);
}

static void upgrade(struct floor *f, int fd, size_t n)
{
	if (n < 4 || memcmp(f->in + n - 4, "\r\n\r\n", 4) != 0)
		return;
	(void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
	if (f->trigger_fd < 0 && f->mode != MODE_ECHO) {
		f->trigger_fd = fd;
		f->index_of[fd] = -2;
		return;
	}
	f->index_of[fd] = (int32_t)f->n;
	f->fds[f->n++] = fd;
}

/* The loop that presenced is held against. */
static void fan_out(const struct floor *f, size_t events)
{
	size_t step = f->mode == MODE_CORKED ? CORK_MAX : 1;
	uint32_t i;
	size_t k;

	for (; events > 0; events -= k) {
		k = events < step ? events : step;
		for (i = 0; i < f->n; i++)
			(void)send(f->fds[i], f->frames, k * f->frame_bytes, MSG_NOSIGNAL);
	}
}

static void readable(struct floor *f, int fd)
{
	ssize_t n = recv(fd, f->in, sizeof(f->in), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		end(f, fd);
	else if (f->index_of[fd] == -1)
		upgrade(f, fd, (size_t)n);
	else if (f->mode == MODE_ECHO)
		(void)send(fd, f->in, (size_t)n, MSG_NOSIGNAL);
	else if (fd == f->trigger_fd)
		fan_out(f, (size_t)n);
}

static bool options(struct floor *f, int argc, char **argv)
{
	static const char *const modes[] = { "fanout", "corked", "echo" };
	size_t i;

	if (argc < 3 || argc > 5)
		return false;
	for (i = 0; i < 3 && strcmp(modes[i], argv[2]) != 0; i++)
		;
	f->mode = (enum mode)i;
	f->frame_bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 164;
	if (i == 3 || f->frame_bytes < 2 || f->frame_bytes > FRAME_BYTES_MAX)
		return false;
	(void)alarm(argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 600);
	return true;
}

int main(int argc, char **argv)
{
	struct floor *f = calloc(1, sizeof(*f));
	struct epoll_event events[EVENTS_MAX];
	struct rlimit files;
	int n, i;

	if (f == NULL || !options(f, argc, argv)) {
		(void)fprintf(stderr, "usage: floor PORT fanout|corked|echo [FRAME_BYTES [SECONDS]]\n");
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	f->trigger_fd = -1;
	make_frames(f);
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->listen_fd = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	events[0] = (struct epoll_event){ .events = EPOLLIN, .data.fd = f->listen_fd };
	(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->listen_fd, &events[0]);
	for (;;) {
		n = epoll_wait(f->epoll_fd, events, EVENTS_MAX, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == f->listen_fd)
				accept_all(f);
			else
				readable(f, events[i].data.fd);
		}
	}
}
