/*
 * Edge-triggered: the first event of an asker says that it is connected, a later one that there is something to read, and
 * reading goes on to the end of the stream or EAGAIN. What the pace demands and the bound on askers forbids is begun later.
 */
#include "flood.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* TLS 1.2; ECDHE with ECDSA or RSA and AES-128-GCM; X25519, P-256; SHA-256. The random says nothing. */
static const unsigned char hello[] = {
	0x16, 3, 1, 0, 74, 1, 0, 0, 70, 3, 3, 'a', 'n', 'y', 't', 'h', 'i', 'n', 'g', ' ', 'i', 's', ' ', 'r', 'a', 'n', 'd', 'o',
	'm', ' ', 'o', 'n', 'c', 'e', ',', ' ', 'e', 'v', 'e', 'n', ' ', 't', 'h', 0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0,
	0, 25, 0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 13, 0, 6, 0, 4, 4, 3, 4, 1, 0xff, 1, 0, 1, 0,
};

bool flood_init(struct flood *f, struct fleet *fleet, uint32_t per_second, uint16_t hello_port)
{
	uint32_t i;

	assert(per_second > 0);
	memset(f, 0, sizeof(*f));
	f->fleet = fleet;
	f->to = fleet->server;
	f->hello = hello_port != 0;
	if (f->hello)
		f->to.sin_port = htons(hello_port);
	f->step_ns = 1000000000U / per_second;
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < FLOOD_AT_A_TIME; i++)
		f->askers[i].fd = -1;
	return f->epoll_fd >= 0;
}

void flood_start(struct flood *f, uint64_t now)
{
	f->start_ns = now;
	f->begun = f->refused = 0;
}

/* Resets: no TIME_WAIT is left behind. */
static void leave(struct flood *f, struct flood_asker *a)
{
	struct linger reset = { 1, 0 };

	(void)setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(a->fd);
	a->fd = -1;
	f->under_way--;
}

void flood_close(struct flood *f)
{
	uint32_t i;

	for (i = 0; i < FLOOD_AT_A_TIME; i++)
		if (f->askers[i].fd >= 0)
			leave(f, &f->askers[i]);
	(void)close(f->epoll_fd);
}

static void begin(struct flood *f)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	struct flood_asker *a = f->askers;
	int one = 1;

	while (a->fd >= 0)
		a++;
	assert(a < f->askers + FLOOD_AT_A_TIME);
	a->asked = a->refused = false;
	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0) {
		fleet_fault(f->fleet, "flood: socket: %s", strerror(errno));
		return;
	}
	f->under_way++;
	f->begun++;
	from.sin_addr.s_addr = htonl(0x7f000101U + (uint32_t)(f->begun % f->fleet->sources));
	(void)setsockopt(a->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	ev.data.u32 = (uint32_t)(a - f->askers);
	if (bind(a->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    (connect(a->fd, (struct sockaddr *)&f->to, sizeof(f->to)) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, a->fd, &ev) != 0)
		fleet_fault(f->fleet, "flood: connect: %s", strerror(errno));
}

static void ask(struct flood *f, struct flood_asker *a)
{
	char request[SCRIPT_BYTES_MAX];
	const struct script *script = f->fleet->script;
	uint32_t others = script->token_count - f->look_from;
	size_t n;

	a->asked = true;
	if (f->look_from > 0)
		n = script_look(script, f->look_from + (uint32_t)(f->begun % others), f->fleet->host, request, sizeof(request));
	else
		n = script_request(script, (uint32_t)(f->begun % 8192), f->fleet->host, request, sizeof(request));
	if (f->hello) {
		memcpy(request, hello, sizeof(hello));
		n = sizeof(hello);
	}
	if (send(a->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
		fleet_fault(f->fleet, "flood: send: %s", strerror(errno));
}

static bool is_wanted(const struct flood *f, const char *text)
{
	if (f->look_from > 0)
		return memcmp(text, "HTTP/1.1 200", 12) == 0;
	return memcmp(text, "HTTP/1.1 503", 12) == 0 || memcmp(text, "HTTP/1.1 429", 12) == 0;
}

static void take_answer(struct flood *f, struct flood_asker *a)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(a->fd, text, sizeof(text), 0)) > 0) {
		if (f->hello && text[0] == 0x16) {
			a->refused = true;
			break;
		}
		if (a->refused)
			continue;
		if (n < 12 || !is_wanted(f, text)) {
			fleet_fault(f->fleet, "flood: an answer that is not wanted: %.*s", (int)(n < 60 ? n : 60), text);
			return;
		}
		a->refused = true;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0 || !a->refused)
		fleet_fault(f->fleet, "flood: no answer: %s", n < 0 ? strerror(errno) : "end of the stream");
	f->refused++;
	leave(f, a);
}

void flood_turn(struct flood *f, uint64_t now)
{
	struct epoll_event ev;
	struct flood_asker *a;

	if (fleet_failed(f->fleet))
		return;
	if (f->under_way < FLOOD_AT_A_TIME && f->begun < (now - f->start_ns) / f->step_ns) {
		begin(f);
		return;
	}
	if (f->under_way == 0 || epoll_wait(f->epoll_fd, &ev, 1, 0) != 1)
		return;
	a = &f->askers[ev.data.u32];
	if (!a->asked)
		ask(f, a);
	else
		take_answer(f, a);
}
