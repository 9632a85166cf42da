/*
 * fuzz/fuzz_redis_link.c: cluster/redis whole, on real sockets and a clock that the input moves: a Redis, or a Sentinel, that says what it
 * likes on every connection it is dialled on, ends them when it likes, and is late. (fuzz_redis.c is hiredis and the vet alone, and
 * faster.) The ears hear `up` and `down` in turns, and of messages only while it is up and on channels that were subscribed to.
 *
 *	input: options, piece...   piece: kind + 8 * connection, length, so many bytes
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/redis.h"
#include "net/watch.h"
#include "unit/tls_fixture.h"

#define CHECK(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { PEERS = 4, TURNS = 6, PIECES_MAX = 64 };

enum { SAY, SAY_ALL, GREET, WAIT, END, BUS, AGAIN, KINDS };

struct world {
	struct redis_url url;
	struct redis *redis;
	struct bus bus;
	struct log log;
	int epoll_fd, peers[PEERS];
	uint32_t at;              /* of peers, the next to be replaced */
	struct now now;
	bool up, sentinel, greets_more;
	unsigned ups;
};

static int listener = -1;
static uint16_t port;

/* --- ears --- */

static void up(void *ctx, struct now now)
{
	struct world *w = ctx;

	(void)now;
	CHECK(!w->up);
	w->up = true;
	w->ups++;
	(void)w->bus.subscribe(w->bus.ctx, STR("c"));
}

static void down(void *ctx, struct now now)
{
	struct world *w = ctx;

	(void)now;
	CHECK(w->up);
	w->up = false;
}

static void heard(void *ctx, struct str channel, char *payload, size_t bytes, struct now now)
{
	(void)now;
	CHECK(((struct world *)ctx)->up && channel.n == 1 && (channel.p[0] == 'c' || channel.p[0] == 'd'));
	if (bytes > 0)
		payload[bytes - 1] ^= 1; /* it is ours */
}

static void renewed(void *ctx, bool was_there, struct now now)
{
	(void)was_there, (void)now;
	CHECK(((struct world *)ctx)->up);
}

static void refused(void *ctx, struct str code, struct now now)
{
	(void)ctx, (void)now;
	CHECK(!str_absent(code));
}

static bool nobody_reads(void *ctx, const char *line, size_t n)
{
	(void)ctx, (void)line;
	return n > 0;
}

/* --- the machine --- */

static void listen_once(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(a);

	if (listener >= 0)
		return;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 16) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&a, &bytes) == 0);
	port = ntohs(a.sin_port);
}

/* By a reset: an end that waits would use up the machine's ports. */
static void end(struct world *w, uint32_t i)
{
	struct linger none = { 1, 0 };

	if (w->peers[i] < 0)
		return;
	setsockopt(w->peers[i], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(w->peers[i]);
	w->peers[i] = -1;
}

static void turn(struct world *w)
{
	struct epoll_event events[8];
	int n = epoll_wait(w->epoll_fd, events, 8, 0);

	redis_begin(w->redis, w->now);
	for (int i = 0; i < n; i++)
		redis_event(w->redis, watch_number(events[i].data.u64), watch_generation(events[i].data.u64), events[i].events);
	redis_turn(w->redis);
}

static void settle(struct world *w)
{
	char taken[4096];
	int fd;

	for (int i = 0; i < TURNS; i++) {
		turn(w);
		while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
			end(w, w->at);
			w->peers[w->at] = fd;
			w->at = (w->at + 1) % PEERS;
		}
		for (int k = 0; k < PEERS; k++)
			while (w->peers[k] >= 0 && recv(w->peers[k], taken, sizeof(taken), 0) > 0) {
			}
	}
}

static void say(struct world *w, uint32_t i, const void *bytes, size_t n)
{
	if (w->peers[i] >= 0)
		(void)send(w->peers[i], bytes, n, MSG_NOSIGNAL);
}

/* What a good one says first; how & 1: a good Sentinel. */
static void greet(struct world *w, unsigned how)
{
	static const char ok[] = "+OK\r\n", master[] = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", pong[] = "+PONG\r\n";

	for (uint32_t i = 0; i < PEERS; i++) {
		/* SETNAME; before it AUTH and SELECT, of which a Sentinel is told neither at first */
		for (int said = how & 1 || !w->greets_more ? 2 : 0; said < 3; said++)
			say(w, i, ok, sizeof(ok) - 1);
		if (w->sentinel && !(how & 1))
			say(w, i, master, sizeof(master) - 1);
		say(w, i, pong, sizeof(pong) - 1);
	}
}

static void use_bus(struct world *w, struct str s)
{
	const struct bus *b = &w->bus;
	struct str rest = s.n == 0 ? s : str_of(s.p + 1, s.n - 1);
	static char text[16384];
	struct jsonw page;

	switch (s.n == 0 ? 0 : s.p[0] % 8) {
	case 0: (void)b->publish(b->ctx, STR("c"), rest); break;
	case 1: (void)b->subscribe(b->ctx, STR("d")); break;
	case 2: (void)b->unsubscribe(b->ctx, STR("d")); break;
	case 3: (void)b->set(b->ctx, STR("k"), rest, rest.n); break;
	case 4: (void)b->del(b->ctx, STR("k")); break;
	case 5: (void)b->renew(b->ctx, STR("k"), 1000); break;
	case 6: b->reset(b->ctx); break;
	case 7:
		CHECK(b->space(b->ctx) == 0 || w->up);
		jsonw_init(&page, text, sizeof(text));
		b->metrics(b->ctx, &page);
		CHECK(!page.failed);
		break;
	}
	b->flush(b->ctx);
}

static void piece(struct world *w, unsigned op, struct str s)
{
	static const int64_t times_ms[] = { 1, 50, 200, 1000, 2000, 2001, 4000, 5000 };
	uint32_t i = op / 8 % PEERS;
	char text[128];

	switch (op % 8) {
	case SAY: say(w, i, s.p, s.n); break;
	case SAY_ALL:
		for (i = 0; i < PEERS; i++)
			say(w, i, s.p, s.n);
		break;
	case GREET: greet(w, op / 8); break;
	case WAIT: w->now.mono.ms += times_ms[s.n % 8]; break;
	case END: end(w, i); break;
	case BUS: use_bus(w, s); break;
	case AGAIN: /* a Sentinel names us */
		snprintf(text, sizeof(text), "*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%u\r\n", port < 10000 ? 4 : 5, (unsigned)port);
		for (i = 0; i < PEERS; i++)
			say(w, i, text, strlen(text));
		break;
	}
	settle(w);
}

/* For TLS, to which nobody here speaks well (fuzz_tls_client.c does). */
static struct str ca(void)
{
	static char path[32];
	int fd;

	if (path[0] == '\0') {
		fd = memfd_create("ca", 0);
		CHECK(dprintf(fd, "%s", fixture_ec_crt) > 0 && snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) > 0);
	}
	return str_of(path, strlen(path));
}

static void begin(struct world *w, unsigned options)
{
	static const char *const urls[] = { "redis://127.0.0.1:%u", "redis://:pw@127.0.0.1:%u/2", "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/m",
		                            "redis+sentinel://u:pw@127.0.0.1:%u,127.0.0.1:%u/m/1", "rediss://127.0.0.1:%u" };
	const struct redis_ears ears = { w, up, down, heard, renewed, refused };
	struct redis_config c = { .ca_file = ca(), .url = &w->url, .node_id = STR("fuzz"), .channels_max = 10 };
	static char url[128]; /* hosts borrow it */

	*w = (struct world){ .sentinel = (options % 5 & 2) != 0, .greets_more = options % 5 % 2 == 1, .now = { { 1000 }, { INT64_C(1768392000000) } } };
	w->epoll_fd = c.epoll_fd = epoll_create1(0);
	for (int i = 0; i < PEERS; i++)
		w->peers[i] = -1;
	snprintf(url, sizeof(url), urls[options % 5], (unsigned)port, (unsigned)port);
	CHECK(redis_url_parse(str_of(url, strlen(url)), &w->url) == NULL && redis_open(&w->redis, &c, w->now) == REDIS_OPENED);
	redis_listen(w->redis, &ears);
	w->log = (struct log){ .level = LOG_DEBUG, .format = LOG_LOGFMT, .service = STR("f"), .sink = nobody_reads };
	redis_set_log(w->redis, &w->log);
	w->bus = redis_bus(w->redis);
	settle(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct world w;

	if (n == 0 || n > 8192)
		return 0;
	listen_once();
	begin(&w, data[0]);
	data++, n--;
	for (int pieces = 0; n >= 2 && pieces < PIECES_MAX; pieces++) {
		size_t bytes = data[1] < n - 2 ? data[1] : n - 2;

		piece(&w, data[0], str_of((const char *)data + 2, bytes));
		CHECK(redis_deadline(w.redis).ms > 0);
		data += 2 + bytes;
		n -= 2 + bytes;
	}
	redis_close(w.redis);
	for (uint32_t i = 0; i < PEERS; i++)
		end(&w, i);
	close(w.epoll_fd);
	return 0;
}
