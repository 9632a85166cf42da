/*
 * test/scorecard/flooder.c: says messages to the server at an even pace over --clients connections, whatever it makes of
 * them: answers are read and thrown away, who is closed comes again. `flooder --help` lists the rest.
 *
 * Edge-triggered. A message that a socket does not take whole is gone on with at that link's next turn; meanwhile it says
 * nothing else. What the pace demands and no link can take is counted as not said.
 */
#include "bench/fleet.h"
#include "bench/proc.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	LIFE_SECONDS_MAX = 300, MESSAGE_BYTES_MAX = 131072, MESSAGES_MAX = 20000, EVENTS_MAX = 256, SOURCES = 64,
	PAUSE_NS = 50000, A_GOOD_ONE_IN = 20, SECOND_NS = 1000000000, BURST_MAX = 64, CLIENTS_MAX = 4096
};

static const char usage[] =
	"usage: flooder --port P --messages FILE [options]; `mark` on standard input asks for figures, its end ends it\n"
	"  --messages FILE  one a line   --raw 1  requests: lines with \\r\\n written out; else WebSocket text messages\n"
	"  --clients N (200)   --rate R /s (10000)   --dialect D (rooms)   --core N (1)\n"
	"  --polite 1  every 20th message is a ping: malformed ones in a row close a connection\n";

struct options {
	uint32_t port, clients, rate, raw, polite, core;
	const char *file, *dialect;
};

struct message {
	uint8_t *bytes;
	size_t n;
};

enum link_state { LINK_FREE, LINK_CONNECTING, LINK_UPGRADING, LINK_OPEN };

struct link {
	int fd;
	enum link_state state;
	uint32_t said, next;
	const uint8_t *rest; /* of a message that is on its way */
	size_t rest_bytes;
};

struct flooder {
	const struct options *o;
	struct message *messages;
	uint32_t count;
	struct message ping;
	struct link *links;
	uint32_t turn;
	int epoll_fd;
	bool over;
	uint64_t start_ns, due, said, unsaid, ended, bytes_read, refused, bytes_said;
	uint8_t buffer[262144];
};

/* --- messages --- */

/* A masked text frame of it, or what it says with \r\n as such. */
static struct message message_of(const char *text, size_t n, bool raw)
{
	static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	struct message m = { malloc(n + 14), 0 };
	size_t i;

	if (m.bytes == NULL)
		return m;
	for (i = 0; raw && i < n; i++) {
		bool escaped = text[i] == '\\' && i + 1 < n && (text[i + 1] == 'r' || text[i + 1] == 'n');

		i += escaped;
		m.bytes[m.n++] = (uint8_t)(!escaped ? text[i] : text[i] == 'r' ? '\r' : '\n');
	}
	if (raw)
		return m;
	m.bytes[m.n++] = 0x81;
	m.bytes[m.n++] = (uint8_t)(0x80 | (n < 126 ? n : n < 65536 ? 126 : 127));
	for (i = n < 126 ? 0 : n < 65536 ? 2 : 8; i > 0; i--)
		m.bytes[m.n++] = (uint8_t)((uint64_t)n >> (8 * (i - 1)));
	memcpy(m.bytes + m.n, key, sizeof(key));
	m.n += sizeof(key);
	for (i = 0; i < n; i++)
		m.bytes[m.n++] = (uint8_t)((uint8_t)text[i] ^ key[i & 3]);
	return m;
}

static bool read_messages(struct flooder *x)
{
	static const char ping[] = "{\"type\":\"ping\"}";
	FILE *f = fopen(x->o->file, "r");
	char *line = malloc(MESSAGE_BYTES_MAX);

	x->messages = calloc(MESSAGES_MAX, sizeof(*x->messages));
	while (f != NULL && line != NULL && x->messages != NULL && x->count < MESSAGES_MAX &&
	       fgets(line, MESSAGE_BYTES_MAX, f) != NULL)
		x->messages[x->count++] = message_of(line, strcspn(line, "\n"), x->o->raw != 0);
	if (f != NULL)
		(void)fclose(f);
	free(line);
	x->ping = message_of(ping, sizeof(ping) - 1, false);
	return x->count > 0;
}

/* --- links --- */

static bool begin(struct flooder *x, uint32_t i)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = i };
	struct link *l = &x->links[i];
	int one = 1;

	*l = (struct link){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .state = LINK_CONNECTING };
	l->next = (uint32_t)((uint64_t)i * x->count / x->o->clients) & ~1U; /* pairs of messages stay together */
	from.sin_addr.s_addr = htonl(0x7f000301U + (uint32_t)(i % SOURCES));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)x->o->port);
	if (l->fd < 0)
		return false;
	(void)setsockopt(l->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	(void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return bind(l->fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
	       (connect(l->fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS) &&
	       epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, l->fd, &ev) == 0;
}

static void again(struct flooder *x, struct link *l)
{
	struct linger reset = { 1, 0 };

	x->ended++;
	(void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(l->fd);
	l->state = LINK_FREE;
	if (!begin(x, (uint32_t)(l - x->links)))
		x->over = true;
}

static void upgrade(struct flooder *x, struct link *l)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "GET /ws?user_id=flooder-%u&dialect=%s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
	                 "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
	                 (unsigned)(l - x->links), x->o->dialect);

	l->state = x->o->raw ? LINK_OPEN : LINK_UPGRADING;
	if (!x->o->raw && send(l->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		again(x, l);
}

static void take(struct flooder *x, struct link *l)
{
	ssize_t n;

	while ((n = recv(l->fd, x->buffer, sizeof(x->buffer), 0)) > 0) {
		x->bytes_read += (uint64_t)n;
		x->refused += n > 12 && (memcmp(x->buffer, "HTTP/1.1 4", 10) == 0 || memcmp(x->buffer, "HTTP/1.1 5", 10) == 0);
		if (l->state == LINK_UPGRADING)
			l->state = LINK_OPEN; /* it comes in one piece on loopback; who was refused is closed */
	}
	if (n == 0 || errno != EAGAIN)
		again(x, l);
}

/* False: the socket took nothing. */
static bool push(struct flooder *x, struct link *l, const uint8_t *bytes, size_t n)
{
	ssize_t sent = send(l->fd, bytes, n, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		again(x, l);
	if (sent < 0)
		return false;
	x->bytes_said += (uint64_t)sent;
	l->rest = bytes + sent;
	l->rest_bytes = n - (size_t)sent;
	return true;
}

/* One message by whichever link can take it. */
static bool say(struct flooder *x)
{
	uint32_t tries;

	for (tries = 0; tries < x->o->clients; tries++) {
		struct link *l = &x->links[x->turn++ % x->o->clients];
		const struct message *m;

		if (l->state != LINK_OPEN)
			continue;
		if (l->rest_bytes > 0 && (!push(x, l, l->rest, l->rest_bytes) || l->rest_bytes > 0))
			continue;
		m = x->o->polite && l->said % A_GOOD_ONE_IN == A_GOOD_ONE_IN - 1 ? &x->ping : &x->messages[l->next % x->count];
		if (!push(x, l, m->bytes, m->n))
			continue;
		l->next += m != &x->ping;
		l->said++;
		return true;
	}
	return false;
}

static void turn(struct flooder *x)
{
	const struct timespec pause = { 0, PAUSE_NS };
	struct epoll_event events[EVENTS_MAX];
	uint64_t due = (proc_now_ns() - x->start_ns) * x->o->rate / SECOND_NS;
	int i, n;

	for (i = 0; i < BURST_MAX && x->due < due; i++, x->due++) {
		if (say(x))
			x->said++;
		else
			x->unsaid++;
	}
	n = epoll_pwait2(x->epoll_fd, events, EVENTS_MAX, &pause, NULL);
	for (i = 0; i < n; i++) {
		struct link *l = &x->links[events[i].data.u32];

		if (l->state == LINK_CONNECTING && (events[i].events & EPOLLOUT))
			upgrade(x, l);
		if (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			take(x, l);
	}
}

static void look_at_commands(struct flooder *x)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char text[64];

	if (poll(&in, 1, 0) == 0)
		return;
	if (read(STDIN_FILENO, text, sizeof(text)) <= 0) {
		x->over = true;
		return;
	}
	(void)printf("said=%" PRIu64 " unsaid=%" PRIu64 " ended=%" PRIu64 " refused=%" PRIu64 " mbytes_said=%" PRIu64
	             " mbytes_read=%" PRIu64 "\n", x->said, x->unsaid, x->ended, x->refused, x->bytes_said >> 20, x->bytes_read >> 20);
	(void)fflush(stdout);
	x->said = x->unsaid = x->ended = x->refused = x->bytes_said = x->bytes_read = 0;
}

static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port", 1, NULL, 0 }, { "clients", 1, NULL, 1 }, { "rate", 1, NULL, 2 }, { "raw", 1, NULL, 3 }, { "polite", 1, NULL, 4 },
		{ "core", 1, NULL, 5 }, { "messages", 1, NULL, 6 }, { "dialect", 1, NULL, 7 }, { NULL, 0, NULL, 0 },
	};
	uint32_t *const numbers[] = { &o->port, &o->clients, &o->rate, &o->raw, &o->polite, &o->core };
	int key;

	while ((key = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (key == '?')
			return false;
		if (key == 6)
			o->file = optarg;
		else if (key == 7)
			o->dialect = optarg;
		else
			*numbers[key] = (uint32_t)strtoul(optarg, NULL, 10);
	}
	return optind == argc && o->port > 0 && o->port < 65536 && o->clients > 0 && o->clients <= CLIENTS_MAX && o->rate > 0 &&
	       o->file != NULL;
}

int main(int argc, char **argv)
{
	struct options o = { .clients = 200, .rate = 10000, .core = 1, .dialect = "rooms" };
	struct flooder *x = calloc(1, sizeof(*x));
	uint32_t i;

	if (x == NULL || !parse(&o, argc, argv) || !fleet_prepare((int)o.core, LIFE_SECONDS_MAX)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	x->o = &o;
	x->links = calloc(o.clients, sizeof(*x->links));
	x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (x->links == NULL || !read_messages(x)) {
		(void)fprintf(stderr, "flooder: no messages in %s\n", o.file);
		return 1;
	}
	(void)prctl(PR_SET_TIMERSLACK, 1000); /* or an even pace would come in steps */
	x->start_ns = proc_now_ns();
	for (i = 0; i < o.clients; i++)
		x->over = x->over || !begin(x, i);
	while (!x->over) {
		turn(x);
		look_at_commands(x);
	}
	return 0;
}
