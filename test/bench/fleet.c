/*
 * Edge-triggered: one epoll_wait entry a client and a batch, so a slot reused inside a batch never sees an old event.
 * A read goes to one shared buffer behind the bytes kept from before; only an incomplete frame is ever stored per client.
 * A read shorter than asked means the socket is empty, except that a FIN may stand behind it: EPOLLRDHUP says so.
 */
#include "fleet.h"

#include "proc.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

static const char expected_accept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; /* RFC 6455 1.3, for the example key */

bool fleet_failed(const struct fleet *f)
{
	return f->fault[0] != '\0';
}

void fleet_fault(struct fleet *f, const char *fmt, ...)
{
	va_list ap;

	if (fleet_failed(f))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(f->fault, sizeof(f->fault), fmt, ap);
	va_end(ap);
}

bool fleet_prepare(int core, unsigned life_seconds)
{
	struct rlimit files;
	cpu_set_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(life_seconds);
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	if (core < 0)
		return true;
	CPU_ZERO(&set);
	CPU_SET((unsigned)core, &set);
	return core < CPU_SETSIZE && sched_setaffinity(0, sizeof(set), &set) == 0;
}

bool fleet_init(struct fleet *f, const struct script *s, struct in_addr addr, uint16_t port, uint32_t clients_max,
                uint32_t sources)
{
	char text[INET_ADDRSTRLEN];

	memset(f, 0, sizeof(*f));
	f->script = s;
	f->server.sin_family = AF_INET;
	f->server.sin_addr = addr;
	f->server.sin_port = htons(port);
	f->sources = sources;
	f->clients_max = clients_max;
	f->small_from = UINT32_MAX;
	(void)snprintf(f->host, sizeof(f->host), "%s:%u", inet_ntop(AF_INET, &addr, text, sizeof(text)), port);
	f->clients = calloc(clients_max, sizeof(*f->clients));
	f->read_buffer = malloc(FLEET_READ_BYTES_MAX);
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fleet_watch(f, "");
	return f->clients != NULL && f->read_buffer != NULL && f->epoll_fd >= 0;
}

void fleet_watch(struct fleet *f, const char *marker)
{
	f->marker = marker;
	f->marker_bytes = strlen(marker);
}

static void forget(struct fleet *f, struct client *c)
{
	if (c->state == CLIENT_READY)
		f->ready--;
	if (c->state != CLIENT_FREE)
		f->open--;
	free(c->part);
	c->part = NULL;
	c->part_bytes = 0;
	c->state = CLIENT_FREE;
}

void fleet_drop(struct fleet *f, struct client *c)
{
	assert(c->state != CLIENT_FREE);
	if (f->way != NULL)
		f->way->close(f, c);
	(void)close(c->fd);
	forget(f, c);
}

void fleet_reset(struct fleet *f, struct client *c)
{
	struct linger reset = { 1, 0 };

	assert(c->state != CLIENT_FREE);
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	fleet_drop(f, c);
}

void fleet_close(struct fleet *f)
{
	uint32_t i;

	for (i = 0; i < f->clients_max; i++)
		if (f->clients[i].state != CLIENT_FREE)
			fleet_reset(f, &f->clients[i]);
	(void)close(f->epoll_fd);
	free(f->clients);
	free(f->read_buffer);
}

void fleet_deafen(struct fleet *f, struct client *c, bool deaf)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };

	assert(c->state == CLIENT_READY && c->deaf != deaf);
	c->deaf = deaf;
	ev.data.u32 = c->slot;
	if (epoll_ctl(f->epoll_fd, deaf ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, c->fd, &ev) != 0)
		fleet_fault(f, "epoll_ctl: %s", strerror(errno));
}

/* The server ended it; false when that is a fault. */
static bool end(struct fleet *f, struct client *c, unsigned code)
{
	if (f->on_end == NULL)
		return false;
	fleet_drop(f, c);
	f->on_end(f->ctx, c, code);
	return true;
}

void fleet_open(struct fleet *f, uint32_t slot, uint32_t identity)
{
	struct client *c = &f->clients[slot];
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	int one = 1;
	int small = 1;

	assert(slot < f->clients_max && c->state == CLIENT_FREE);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		fleet_fault(f, "socket %u: %s", slot, strerror(errno));
		return;
	}
	from.sin_addr.s_addr = htonl(0x7f000101U + (identity % f->sources));
	(void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (slot >= f->small_from)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	c->slot = slot;
	c->identity = identity;
	c->deaf = false;
	c->ended = 0;
	c->got = 0;
	c->since_ns = proc_now_ns();
	c->state = CLIENT_CONNECTING;
	f->open++;
	if (f->way != NULL && !f->way->open(f, c))
		fleet_fault(f, "client %u: no memory for its way", slot);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		fleet_fault(f, "bind %s: %s", inet_ntoa(from.sin_addr), strerror(errno));
	else if (connect(c->fd, (struct sockaddr *)&f->server, sizeof(f->server)) != 0 && errno != EINPROGRESS)
		fleet_fault(f, "connect to %s: %s", f->host, strerror(errno));
	ev.data.u32 = slot;
	if (epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		fleet_fault(f, "epoll_ctl: %s", strerror(errno));
}

void fleet_send(struct fleet *f, struct client *c, const uint8_t *bytes, size_t n)
{
	ssize_t sent;

	if (fleet_failed(f) || n == 0)
		return;
	sent = f->way != NULL ? f->way->send(f, c, bytes, n) : send(c->fd, bytes, n, MSG_NOSIGNAL);
	if (sent < 0 && f->on_end != NULL && (errno == EPIPE || errno == ECONNRESET))
		return; /* the end is told of when it is read */
	if (sent < 0)
		fleet_fault(f, "send on client %u: %s", c->slot, strerror(errno));
	else if ((size_t)sent != n)
		fleet_fault(f, "client %u: the server stopped reading", c->slot);
}

static void send_request(struct fleet *f, struct client *c)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	char request[SCRIPT_BYTES_MAX];
	socklen_t size = sizeof(int);
	int error = 0;

	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0) {
		if (!end(f, c, 0))
			fleet_fault(f, "connect client %u to %s: %s", c->slot, f->host, strerror(error));
		return;
	}
	ev.data.u32 = c->slot;
	(void)epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev); /* EPOLLOUT would report every drained send buffer */
	c->state = CLIENT_UPGRADING;
	fleet_send(f, c, (const uint8_t *)request,
	           script_request(f->script, c->identity, f->host, request, sizeof(request)));
}

static void joined(struct fleet *f, struct client *c)
{
	c->state = CLIENT_READY;
	f->ready++;
	if (f->on_ready != NULL)
		f->on_ready(f->ctx, c);
}

/* Returns the bytes of the response head, 0 while it is incomplete. */
static size_t take_response(struct fleet *f, struct client *c, const uint8_t *in, size_t n)
{
	const uint8_t *end = memmem(in, n, "\r\n\r\n", 4);
	uint8_t join[SCRIPT_BYTES_MAX];
	size_t head_bytes;

	if (end == NULL)
		return 0;
	head_bytes = (size_t)(end - in) + 4;
	if (n > 12 && memcmp(in, "HTTP/1.1 ", 9) == 0 && memcmp(in + 9, "101", 3) != 0 && f->on_end != NULL) {
		c->ended = (uint16_t)strtoul((const char *)in + 9, NULL, 10);
		return 0;
	}
	if (n < 12 || memcmp(in, "HTTP/1.1 101", 12) != 0 ||
	    memmem(in, head_bytes, expected_accept, sizeof(expected_accept) - 1) == NULL) {
		fleet_fault(f, "client %u: upgrade refused: %.*s", c->slot, (int)(n < 120 ? n : 120), (const char *)in);
		return 0;
	}
	c->state = CLIENT_JOINING;
	fleet_send(f, c, join, script_join(f->script, c->identity, join, sizeof(join)));
	if (script_joined(f->script) == NULL)
		joined(f, c);
	return head_bytes;
}

static bool holds(const uint8_t *text, size_t n, const char *what)
{
	return memmem(text, n, what, strlen(what)) != NULL;
}

static void pong(struct fleet *f, struct client *c, const uint8_t *text, size_t n)
{
	uint8_t out[6 + 125] = { 0x8a, (uint8_t)(0x80 | n), 0, 0, 0, 0 };

	f->pings++;
	memcpy(out + 6, text, n); /* a zero key masks to itself */
	fleet_send(f, c, out, 6 + n);
}

static void take_close(struct fleet *f, struct client *c, const uint8_t *text, size_t n)
{
	uint8_t answer[8] = { 0x88, 0x82, 0, 0, 0, 0 };
	unsigned code = n >= 2 ? (unsigned)text[0] << 8 | text[1] : 1005U;

	if (f->on_end == NULL) {
		fleet_fault(f, "client %u: closed by the server, code %u", c->slot, code);
		return;
	}
	answer[6] = (uint8_t)(code >> 8);
	answer[7] = (uint8_t)code;
	fleet_send(f, c, answer, sizeof(answer));
	c->ended = (uint16_t)code;
}

/* Returns 1 when the frame counts. */
static uint32_t take_frame(struct fleet *f, struct client *c, unsigned opcode, const uint8_t *text, size_t n)
{
	if (opcode == 8) {
		take_close(f, c, text, n);
		return 0;
	}
	if (opcode > 8) {
		if (opcode == 9 && n <= 125)
			pong(f, c, text, n);
		return 0;
	}
	if (c->state == CLIENT_JOINING) {
		if (holds(text, n, script_joined(f->script)))
			joined(f, c);
		else if (holds(text, n, "\"error\""))
			fleet_fault(f, "client %u: %.*s", c->slot, (int)(n < 160 ? n : 160), (const char *)text);
		return 0;
	}
	if (f->marker_bytes == 0 || memmem(text, n, f->marker, f->marker_bytes) != NULL) {
		f->frames++;
		f->frames_bytes += n;
		if (f->on_text != NULL)
			f->on_text(f->ctx, c, (const char *)text, n);
		return 1;
	}
	if (c->slot == 0 && holds(text, n, "\"error\"")) /* the one that speaks in a fan-out */
		fleet_fault(f, "client 0: %.*s", (int)(n < 160 ? n : 160), (const char *)text);
	return 0;
}

/* Header and payload length of an unmasked frame; false while the header is incomplete. */
static bool frame_head(const uint8_t *in, size_t n, size_t *head_bytes, size_t *payload_bytes)
{
	size_t i;

	if (n < 2)
		return false;
	*head_bytes = (in[1] & 127) == 127 ? 10 : (in[1] & 127) == 126 ? 4 : 2;
	*payload_bytes = in[1] & 127;
	if (n < *head_bytes)
		return false;
	if (*head_bytes > 2)
		for (*payload_bytes = 0, i = 2; i < *head_bytes; i++)
			*payload_bytes = *payload_bytes << 8 | in[i];
	return true;
}

/* Consumes whole frames; returns the bytes left over. Stops when the client was dropped by a callback, or has ended. */
static size_t take_bytes(struct fleet *f, struct client *c, const uint8_t *in, size_t n)
{
	size_t head = 0;
	size_t payload = 0;
	uint32_t counted = 0;
	size_t at = 0;

	if (c->state == CLIENT_UPGRADING)
		at = take_response(f, c, in, n);
	if (c->state == CLIENT_UPGRADING && c->ended == 0)
		return n;
	while (c->ended == 0 && frame_head(in + at, n - at, &head, &payload)) {
		if (payload > FLEET_PART_BYTES_MAX - head) {
			fleet_fault(f, "client %u: a frame of %zu bytes", c->slot, payload);
			break;
		}
		if (n - at < head + payload)
			break;
		counted += take_frame(f, c, in[at] & 15U, in + at + head, payload);
		at += head + payload;
	}
	if (counted > 0 && f->on_frames != NULL && !fleet_failed(f))
		f->on_frames(f->ctx, c, counted, proc_now_ns());
	return n - at;
}

static void keep_part(struct fleet *f, struct client *c, const uint8_t *part, size_t n)
{
	if (n > FLEET_PART_BYTES_MAX) {
		fleet_fault(f, "client %u: %zu bytes without an end", c->slot, n);
		return;
	}
	if (c->part == NULL)
		c->part = malloc(FLEET_PART_BYTES_MAX);
	if (c->part == NULL) {
		fleet_fault(f, "out of memory");
		return;
	}
	memcpy(c->part, part, n);
	c->part_bytes = (uint32_t)n;
}

static void unkeep_part(struct client *c)
{
	free(c->part);
	c->part = NULL;
	c->part_bytes = 0;
}

/* Reads until the socket is empty. */
static void read_client(struct fleet *f, struct client *c, bool ended)
{
	size_t have;
	size_t left;
	size_t room;
	ssize_t n;

	do {
		have = c->part_bytes;
		room = FLEET_READ_BYTES_MAX - have;
		if (have > 0)
			memcpy(f->read_buffer, c->part, have);
		if (f->way != NULL)
			n = f->way->recv(f, c, f->read_buffer + have, room);
		else
			n = recv(c->fd, f->read_buffer + have, room, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			if (end(f, c, 0))
				return;
			fleet_fault(f, "client %u: connection ended by the server%s%s", c->slot,
			            n < 0 ? ": " : "", n < 0 ? strerror(errno) : "");
			return;
		}
		left = take_bytes(f, c, f->read_buffer, have + (size_t)n);
		if (c->state == CLIENT_FREE || c->state == CLIENT_CONNECTING || fleet_failed(f))
			return; /* dropped, perhaps reopened, by its callback */
		if (c->ended != 0) {
			(void)end(f, c, c->ended);
			return;
		}
		if (left > 0)
			keep_part(f, c, f->read_buffer + have + (size_t)n - left, left);
		else if (have > 0)
			unkeep_part(c);
	} while ((size_t)n == room || ended || f->way != NULL);
}

void fleet_turn(struct fleet *f, int timeout_ms)
{
	struct epoll_event events[FLEET_EVENTS_MAX];
	int n = epoll_wait(f->epoll_fd, events, FLEET_EVENTS_MAX, timeout_ms);
	int i;

	for (i = 0; i < n && !fleet_failed(f); i++) {
		struct client *c = &f->clients[events[i].data.u32];

		if (c->state == CLIENT_FREE)
			continue;
		if (c->state == CLIENT_CONNECTING)
			send_request(f, c);
		if (c->state == CLIENT_FREE || c->state == CLIENT_CONNECTING)
			continue; /* it failed, and was perhaps opened anew */
		if (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			read_client(f, c, (events[i].events & EPOLLRDHUP) != 0);
	}
}

void fleet_fill(struct fleet *f, uint32_t from, uint32_t to, uint32_t flight_max, uint64_t deadline_ns)
{
	uint32_t want = f->ready + (to - from);

	assert(from <= to && to <= f->clients_max);
	while (f->ready < want && !fleet_failed(f)) {
		while (from < to && f->open - f->ready < flight_max && !fleet_failed(f)) {
			fleet_open(f, from, f->identity_first + from);
			from++;
		}
		fleet_turn(f, 10);
		if (proc_now_ns() > deadline_ns)
			fleet_fault(f, "only %u of %u clients had joined when the time was up", f->ready, want);
	}
}
