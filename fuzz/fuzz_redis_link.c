/*
 * fuzz/fuzz_redis_link.c: cluster/redis whole, on real sockets and a clock that the input moves: a Redis, or a Sentinel, that says what it
 * likes on every connection it is dialled on, ends them when it likes, is late, and does not read; in the clear, on a unix socket and in TLS
 * that is well said; names that are resolved to what the input has, when it has it; hiredis' memory full, and no descriptor left.
 * (fuzz_redis.c is hiredis and the vet alone, and faster.)
 *
 * The ears hear `up` and `down` in turns, and of messages only while it is up and on channels that were subscribed to; no more is answered
 * than was given. The bus takes nothing while it is down. What Redis is told is RESP of commands that there are, in the order in which a
 * connection may say them, whatever Redis said.
 *
 *	input: options, piece...   piece: kind + 8 * connection, or MORE + 8 * what; length; so many bytes
 */
#include <alloc.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cluster/redis_memory.h"
#include "cluster/redis_state.h"
#include "net/watch.h"
#include "tls_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { PEERS = 4, TURNS = 6, PIECES_MAX = 64, HOGS_MAX = 256, LARGE_MAX = 2 << 20, CHANNELS_MAX = 10 };

/* Kinds of pieces. */
enum { SAY, SAY_ALL, GREET, WAIT, END, BUS, AGAIN, MORE };

/* Behind MORE. */
enum { RESOLVE, HOG, GIVE, MANY, LARGE, CHANNELS, LEAVE, SCARCE, SLOW, SHUT, RAW, WALL, MESSAGE, BURST, NAMED, MORE_KINDS };

/* Where Redis is. From FIRST_NEW on they are options of their own, below it options % OLD. */
enum { OLD = 5, FIRST_NEW = 0xe0 };

static const struct way {
	const char *url;
	bool sentinel, greets_more, tls; /* asked for the master; a password; and TLS is spoken well */
} ways[] = {
	{ "redis://127.0.0.1:%u", false, false, false },
	{ "redis://:pw@127.0.0.1:%u/2", false, true, false },
	{ "redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/m", true, false, false },
	{ "redis+sentinel://u:pw@127.0.0.1:%u,127.0.0.1:%u/m/1", true, true, false },
	{ "rediss://127.0.0.1:%u", false, false, false },
	{ "redis://a.example:%u", false, false, false },
	{ "redis+sentinel://a.example:%u,127.0.0.1:%u/m", true, false, false },
	{ "rediss://ec.example:%u", false, false, true },
	{ "rediss+sentinel://:pw@ec.example:%u,ec.example:%u/m", true, true, true },
	{ "redis+unix://:pw@/tmp/fuzz_redis_link.%u", false, true, false },
	{ "unix:///tmp/fuzz_redis_link.%u/nobody", false, false, false },
	{ "redis+sentinel://127.0.0.2:%u,[::1]:%u/m", true, false, false },
};

/* Openings that fail, behind the ways. */
enum { NO_CA = FIRST_NEW + (int)(sizeof(ways) / sizeof(ways[0])) - OLD, BAD_CA, NO_DESCRIPTORS };

/* One that Redis' end of a connection was told: commands, as RESP. */
struct told {
	char line[24], name[16];
	uint32_t line_bytes, name_bytes, arguments;
	size_t left;              /* of an argument, with its end */
	uint64_t commands;
	bool pinged;
};

struct peer {
	int fd;
	struct told told;
};

struct world {
	const struct way *way;
	struct redis_url url;
	struct redis *redis;
	struct bus bus;
	struct log log;
	int epoll_fd;
	struct peer peers[PEERS];
	uint32_t at;              /* of peers, the next to be replaced */
	struct now now;
	bool up, slow;
	unsigned ups, downs, scarce, channels;
	unsigned given, renewals; /* that may be answered */
	void *hogs[HOGS_MAX];
	unsigned hog_count;
};

static int listener = -1, unix_listener = -1;
static uint16_t port;
static br_ssl_server_context servers[PEERS];
static uint8_t buffers[PEERS][BR_SSL_BUFSIZE_BIDI];
static char large[LARGE_MAX];
static sem_t permit;                  /* to the resolver: here is what it was asked */
static struct resolver_answer answer;

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
	w->downs++;
	w->given = w->renewals = w->channels = 0;
	CHECK(!w->bus.publish(w->bus.ctx, STR("c"), STR("x")) && w->bus.space(w->bus.ctx) == 0);
}

static void use_bus_once(struct world *w, unsigned what, struct str rest);

static void heard(void *ctx, struct str channel, char *payload, size_t bytes, struct now now)
{
	struct world *w = ctx;

	(void)now;
	CHECK(w->up && channel.n > 0 && (channel.p[0] == 'c' || channel.p[0] == 'd') && (channel.n == 1 || w->channels > 0));
	if (bytes > 1 && payload[0] == 'b') /* who hears may speak */
		use_bus_once(w, (unsigned char)payload[1], str_of(payload + 2, bytes - 2));
	if (bytes > 0)
		payload[bytes - 1] ^= 1; /* it is ours */
}

static void renewed(void *ctx, bool was_there, struct now now)
{
	struct world *w = ctx;

	(void)was_there, (void)now;
	CHECK(w->up && w->renewals > 0 && w->given > 0);
	w->renewals--;
	w->given--;
}

static void refused(void *ctx, struct str code, struct now now)
{
	struct world *w = ctx;

	(void)now;
	CHECK(w->up && !str_absent(code) && w->given > 0);
	w->given--;
}

static bool nobody_reads(void *ctx, const char *line, size_t n)
{
	(void)ctx, (void)line;
	return n > 0;
}

/* --- what Redis is told --- */

static bool is_name(const struct told *t, const char *name)
{
	return t->name_bytes == strlen(name) && memcmp(t->name, name, t->name_bytes) == 0;
}

/* A command has begun with its name. */
static void check_command(const struct world *w, struct told *t)
{
	static const char *const greetings[] = { "AUTH", "SELECT", "CLIENT", "ROLE", "PING" };
	static const char *const commands[] = { "PUBLISH", "SUBSCRIBE", "UNSUBSCRIBE", "SET", "DEL", "PEXPIRE", "SENTINEL", "AUTH" };
	bool known = false;

	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]) && !t->pinged; i++)
		known |= is_name(t, greetings[i]);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && t->pinged; i++)
		known |= is_name(t, commands[i]);
	CHECK(known);
	CHECK(t->commands > 0 || !w->way->greets_more || w->way->sentinel || is_name(t, "AUTH"));
	t->pinged |= is_name(t, "PING");
	t->commands++;
}

/* `*3` or `$5`, and its end. */
static void take_line(struct told *t)
{
	char *end;
	unsigned long long n = strtoull(t->line + 1, &end, 10);

	CHECK(t->line_bytes > 3 && strcmp(end, "\r\n") == 0 && t->line[1] >= '0' && t->line[1] <= '9');
	CHECK(t->line[0] == (t->arguments == 0 ? '*' : '$'));
	if (t->arguments == 0) {
		CHECK(n > 0 && n <= REDIS_ARGUMENTS_MAX);
		t->arguments = (uint32_t)n;
		t->name_bytes = UINT32_MAX;
	} else {
		t->left = n + 2;
		if (t->name_bytes == UINT32_MAX)
			t->name_bytes = 0;
		else
			t->name_bytes |= 0x80000000; /* the name was said */
	}
	t->line_bytes = 0;
}

static size_t take_text(const struct world *w, struct told *t, const char *p, size_t n)
{
	bool naming = (t->name_bytes & 0x80000000) == 0;
	size_t body = t->left > 2 ? t->left - 2 : 0;

	if (body > 0) {
		n = n < body ? n : body;
		for (size_t i = 0; i < n && naming; i++) {
			CHECK(t->name_bytes < sizeof(t->name));
			t->name[t->name_bytes++] = p[i];
		}
	} else {
		n = 1;
		CHECK(*p == (t->left == 2 ? '\r' : '\n'));
	}
	t->left -= n;
	if (t->left > 0)
		return n;
	t->arguments--;
	if (naming)
		check_command(w, t);
	return n;
}

static void tell(const struct world *w, struct told *t, const char *p, size_t n)
{
	while (n > 0) {
		size_t taken = 1;

		if (t->left > 0) {
			taken = take_text(w, t, p, n);
		} else {
			CHECK(t->line_bytes + 1 < sizeof(t->line));
			t->line[t->line_bytes++] = *p;
			t->line[t->line_bytes] = '\0';
			if (*p == '\n')
				take_line(t);
		}
		p += taken;
		n -= taken;
	}
}

/* --- the machine --- */

static int listen_at(const struct sockaddr *a, socklen_t bytes)
{
	int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), small = 65536;

	CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) == 0);
	CHECK(bind(fd, a, bytes) == 0 && listen(fd, 16) == 0);
	return fd;
}

static void listen_once(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(a);

	if (listener >= 0)
		return;
	CHECK(sem_init(&permit, 0, 0) == 0);
	listener = listen_at((struct sockaddr *)&a, sizeof(a));
	CHECK(getsockname(listener, (struct sockaddr *)&a, &bytes) == 0);
	port = ntohs(a.sin_port);
}

/* By a reset: an end that waits would use up the machine's ports. */
static void end(struct world *w, uint32_t i)
{
	struct linger none = { 1, 0 };
	int fd = w->peers[i].fd;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
	w->peers[i].fd = -1;
}

static void descriptors(bool any)
{
	static struct rlimit before;
	struct rlimit none;

	if (!any)
		CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
	none = (struct rlimit){ 0, before.rlim_max };
	CHECK(setrlimit(RLIMIT_NOFILE, any ? &before : &none) == 0);
}

static void turn(struct world *w)
{
	struct epoll_event events[8];
	int n = epoll_wait(w->epoll_fd, events, 8, 0);
	bool scarce = w->scarce > 0;

	w->scarce -= scarce;
	if (scarce)
		descriptors(false);
	redis_begin(w->redis, w->now);
	for (int i = 0; i < n; i++)
		redis_event(w->redis, watch_number(events[i].data.u64), watch_generation(events[i].data.u64), events[i].events);
	redis_turn(w->redis);
	if (scarce)
		descriptors(true);
}

/* TLS: what can be given and taken is; true: something was. */
static bool shove(struct world *w, uint32_t i)
{
	br_ssl_engine_context *e = &servers[i].eng;
	int fd = w->peers[i].fd;
	unsigned char *p;
	size_t n;
	ssize_t some;
	bool any = false;

	while ((p = br_ssl_engine_sendrec_buf(e, &n)) != NULL && (some = send(fd, p, n, MSG_NOSIGNAL)) > 0) {
		br_ssl_engine_sendrec_ack(e, (size_t)some);
		any = true;
	}
	while ((p = br_ssl_engine_recvapp_buf(e, &n)) != NULL) {
		tell(w, &w->peers[i].told, (char *)p, n);
		br_ssl_engine_recvapp_ack(e, n);
		any = true;
	}
	while (!w->slow && (p = br_ssl_engine_recvrec_buf(e, &n)) != NULL && (some = recv(fd, p, n, 0)) > 0) {
		br_ssl_engine_recvrec_ack(e, (size_t)some);
		any = true;
	}
	return any;
}

static void take(struct world *w, uint32_t i)
{
	static char taken[65536];
	ssize_t n;

	if (w->peers[i].fd < 0)
		return;
	if (w->way->tls) {
		while (shove(w, i)) {
		}
		return;
	}
	while (!w->slow && (n = recv(w->peers[i].fd, taken, sizeof(taken), 0)) > 0)
		if (!w->url.tls)
			tell(w, &w->peers[i].told, taken, (size_t)n);
}

static void welcome(struct world *w, int fd)
{
	int yes = 1;

	/* What is said is there at once, as if nobody's clock ran but ours; a unix socket knows of no such thing. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	end(w, w->at);
	w->peers[w->at] = (struct peer){ .fd = fd };
	if (w->way->tls)
		server_begin_at(&servers[w->at], buffers[w->at], &pairs[0]);
	w->at = (w->at + 1) % PEERS;
}

static void settle(struct world *w)
{
	int at = w->url.kind == REDIS_URL_UNIX ? unix_listener : listener, fd;

	for (int i = 0; i < TURNS; i++) {
		turn(w);
		while (at >= 0 && (fd = accept4(at, NULL, NULL, SOCK_NONBLOCK)) >= 0)
			welcome(w, fd);
		for (uint32_t k = 0; k < PEERS; k++)
			take(w, k);
	}
}

/* --- what Redis does --- */

static void say_raw(struct world *w, uint32_t i, const void *bytes, size_t n)
{
	if (w->peers[i].fd >= 0)
		(void)send(w->peers[i].fd, bytes, n, MSG_NOSIGNAL);
}

static void say(struct world *w, uint32_t i, const void *bytes, size_t n)
{
	br_ssl_engine_context *e = &servers[i].eng;
	const char *from = bytes;
	unsigned char *p;
	size_t room;

	if (!w->way->tls || w->peers[i].fd < 0) {
		say_raw(w, i, bytes, n);
		return;
	}
	while (n > 0 && (p = br_ssl_engine_sendapp_buf(e, &room)) != NULL) {
		room = room < n ? room : n;
		memcpy(p, from, room);
		br_ssl_engine_sendapp_ack(e, room);
		from += room;
		n -= room;
		if (!shove(w, i))
			break;
	}
	br_ssl_engine_flush(e, 0);
	shove(w, i);
}

/* What a good one says first; how & 1: a good Sentinel. */
static void greet(struct world *w, unsigned how)
{
	static const char ok[] = "+OK\r\n", master[] = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n", pong[] = "+PONG\r\n";
	char all[96];

	for (uint32_t i = 0; i < PEERS; i++) {
		size_t n = 0;

		/* SETNAME; before it AUTH and SELECT, of which a Sentinel is told neither at first */
		for (int said = how & 1 || !w->way->greets_more ? 2 : w->url.db == 0 ? 1 : 0; said < 3; said++, n += sizeof(ok) - 1)
			memcpy(all + n, ok, sizeof(ok) - 1);
		if (w->way->sentinel && !(how & 1)) {
			memcpy(all + n, master, sizeof(master) - 1);
			n += sizeof(master) - 1;
		}
		memcpy(all + n, pong, sizeof(pong) - 1);
		say(w, i, all, n + sizeof(pong) - 1);
	}
}

/* A message of so many bytes, on `c`. */
static void say_message(struct world *w, uint32_t i, size_t n)
{
	int head = snprintf(large, sizeof(large), "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%zu\r\n", n);
	size_t all = (size_t)head + n + 2, at = 0;

	CHECK(all <= sizeof(large));
	memset(large + head, 'm', n);
	memcpy(large + head + n, "\r\n", 2);
	for (int rounds = 0; rounds < 64 && at < all && w->peers[i].fd >= 0; rounds++) {
		size_t some = all - at < 32768 ? all - at : 32768;

		say(w, i, large + at, some);
		at += some;
		turn(w);
	}
}

/* --- the bus --- */

/* Was it taken? Then it may be answered. */
static void gave(struct world *w, bool taken, bool renewal)
{
	CHECK(!taken || w->up);
	w->given += taken;
	w->renewals += taken && renewal;
}

static void use_bus_once(struct world *w, unsigned what, struct str rest)
{
	const struct bus *b = &w->bus;
	static char text[16384];
	struct jsonw page;

	switch (what % 8) {
	case 0: gave(w, b->publish(b->ctx, STR("c"), rest), false); break;
	case 1: CHECK(!b->subscribe(b->ctx, STR("d")) || w->up); break;
	case 2: CHECK(!b->unsubscribe(b->ctx, STR("d")) || w->up); break;
	case 3: gave(w, b->set(b->ctx, STR("k"), rest, (int64_t)rest.n), false); break;
	case 4: gave(w, b->del(b->ctx, STR("k")), false); break;
	case 5: gave(w, b->renew(b->ctx, STR("k"), 1000), true); break;
	case 6: b->reset(b->ctx); break;
	case 7:
		CHECK(b->space(b->ctx) == 0 || w->up);
		jsonw_init(&page, text, sizeof(text));
		b->metrics(b->ctx, &page);
		CHECK(!page.failed);
		break;
	}
}

static void use_bus(struct world *w, struct str s)
{
	use_bus_once(w, s.n == 0 ? 0 : (unsigned char)s.p[0], s.n == 0 ? s : str_of(s.p + 1, s.n - 1));
	w->bus.flush(w->bus.ctx);
}

/* All in one turn; and who resets it is told that it is down. */
static void burst(struct world *w, struct str s)
{
	unsigned downs = w->downs;
	bool reset = false, was_up = w->up;

	for (size_t i = 0; i < s.n; i++) {
		use_bus_once(w, (unsigned char)s.p[i], str_of(s.p, i));
		reset |= (unsigned char)s.p[i] % 8 == 6;
	}
	w->bus.flush(w->bus.ctx);
	(void)redis_deadline(w->redis);
	turn(w);
	CHECK(!reset || !was_up || w->downs > downs);
}

static void many(struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		gave(w, w->bus.publish(w->bus.ctx, STR("c"), STR("x")), false);
	w->bus.flush(w->bus.ctx);
}

static void publish_large(struct world *w, size_t n)
{
	size_t space = w->bus.space(w->bus.ctx);
	bool taken;

	memset(large, 'l', n);
	taken = w->bus.publish(w->bus.ctx, STR("c"), str_of(large, n));
	CHECK(!taken || n <= space);
	gave(w, taken, false);
	w->bus.flush(w->bus.ctx);
}

static void channels(struct world *w, size_t n, bool wanted)
{
	char name[8];

	for (unsigned i = 0; i < n; i++) {
		struct str channel = str_of(name, (size_t)snprintf(name, sizeof(name), "c%u", i));
		bool taken = wanted ? w->bus.subscribe(w->bus.ctx, channel) : w->bus.unsubscribe(w->bus.ctx, channel);

		CHECK(!taken || w->up);
		w->channels += taken && wanted;
	}
	w->bus.flush(w->bus.ctx);
}

/* --- what the machine does --- */

/* On the resolver's thread; answers when it may. */
static void lookup(const char *host, struct resolver_answer *a)
{
	CHECK(host[0] != '\0');
	while (sem_wait(&permit) != 0) {
	}
	a->n = answer.n;
	memcpy(a->v, answer.v, sizeof(a->v));
}

/* What was asked is answered, with these addresses. */
static void resolve(struct world *w, struct str s)
{
	static const char *const addresses[] = { "127.0.0.1", "127.0.0.2", "::1", "255.255.255.255" };
	struct pollfd p = { .fd = w->redis->resolver.answer_fd, .events = POLLIN };

	if (!w->redis->resolving)
		return;
	answer.n = (uint32_t)(s.n < RESOLVER_ADDRESSES_MAX ? s.n : RESOLVER_ADDRESSES_MAX);
	for (uint32_t i = 0; i < answer.n; i++) {
		const char *text = addresses[(unsigned char)s.p[i] % 4];

		CHECK(resolver_is_literal(str_of(text, strlen(text)), &answer.v[i]));
	}
	CHECK(sem_post(&permit) == 0 && poll(&p, 1, 10000) == 1);
}

/* hiredis' memory, but for blocks of less than so many bytes. */
static void hog(struct world *w, size_t least)
{
	while (w->hog_count < HOGS_MAX && redis_memory_use().room >= least) {
		w->hogs[w->hog_count] = hi_malloc(redis_memory_use().room);
		CHECK(w->hogs[w->hog_count++] != NULL);
	}
}

static void give_back(struct world *w)
{
	while (w->hog_count > 0)
		hi_free(w->hogs[--w->hog_count]);
}

/* A Sentinel names us, by this name. */
static void name_us(struct world *w, struct str host)
{
	char text[400];
	int n = snprintf(text, sizeof(text), "*2\r\n$%zu\r\n%.*s\r\n$%d\r\n%u\r\n", host.n, (int)host.n, host.p, port < 10000 ? 4 : 5, (unsigned)port);

	for (uint32_t i = 0; i < PEERS; i++)
		say(w, i, text, (size_t)n);
}

static void piece_more(struct world *w, unsigned what, struct str s)
{
	uint32_t i = s.n == 0 ? 0 : (unsigned char)s.p[0] % PEERS;

	switch (what % MORE_KINDS) {
	case RESOLVE: resolve(w, s); break;
	case HOG: hog(w, (size_t)32 << s.n % 20); break;
	case GIVE: give_back(w); break;
	case MANY: many(w, s.n * 33); break;
	case LARGE: publish_large(w, s.n * 8192); break;
	case CHANNELS: channels(w, s.n, true); break;
	case LEAVE: channels(w, s.n, false); break;
	case SCARCE: w->scarce = (unsigned)s.n % 8; break;
	case SLOW: w->slow = s.n % 2; break;
	case SHUT:
		if (w->peers[i].fd >= 0)
			shutdown(w->peers[i].fd, SHUT_WR);
		break;
	case RAW: say_raw(w, i, s.p, s.n); break;
	case WALL: w->now.wall.ms = s.n % 2 ? INT64_C(1800000000000) : 0; break;
	case MESSAGE: say_message(w, i, s.n * 4096); break;
	case BURST: burst(w, s); break;
	case NAMED: name_us(w, s); break;
	}
}

static void piece(struct world *w, unsigned op, struct str s)
{
	static const int64_t times_ms[] = { 1, 50, 200, 1000, 2000, 2001, 4000, 5000 };
	uint32_t i = op / 8 % PEERS;

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
	case AGAIN: name_us(w, STR("127.0.0.1")); break;
	case MORE: piece_more(w, op / 8, s); break;
	}
	settle(w);
}

/* --- beginning and end --- */

static struct str ca(const char *text)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("ca", 0);
	CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && dprintf(fd, "%s", text) > 0);
	CHECK(snprintf(path, sizeof(path), "/proc/self/fd/%d", fd) > 0);
	return str_of(path, strlen(path));
}

static const struct way *way_of(unsigned options)
{
	if (options >= NO_CA)
		return &ways[options == NO_DESCRIPTORS ? OLD : OLD - 1];
	return &ways[options >= FIRST_NEW ? options - FIRST_NEW + OLD : options % OLD];
}

/* False: it is not opened, for the reason that options give. */
static bool open_redis(struct world *w, unsigned options)
{
	struct redis_config c = {
		.ca_file = ca(options == BAD_CA ? "-----BEGIN CERTIFICATE-----\nnothing\n" : fixture_ec_crt), .url = &w->url,
		.node_id = STR("fuzz\tnode"), .epoll_fd = w->epoll_fd, .lookup = lookup, .channels_max = CHANNELS_MAX,
	};
	enum redis_result wanted = options == NO_CA || options == BAD_CA ? REDIS_BAD_CA : options == NO_DESCRIPTORS ? REDIS_DENIED : REDIS_OPENED;

	if (options == NO_CA)
		c.ca_file = STR_NONE;
	if (wanted == REDIS_DENIED)
		descriptors(false);
	CHECK(redis_open(&w->redis, &c, w->now) == wanted && (w->redis != NULL) == (wanted == REDIS_OPENED));
	if (wanted == REDIS_DENIED)
		descriptors(true);
	CHECK(redis_measure(&w->url, CHANNELS_MAX) > sizeof(*w->redis));
	return w->redis != NULL;
}

static bool begin(struct world *w, unsigned options)
{
	const struct redis_ears ears = { w, up, down, heard, renewed, refused };
	static char url[128]; /* hosts borrow it */
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	unsigned n = port;

	*w = (struct world){ .way = way_of(options), .now = { { 1000 }, { INT64_C(1800000000000) } } };
	w->epoll_fd = epoll_create1(0);
	for (int i = 0; i < PEERS; i++)
		w->peers[i].fd = -1;
	if (strstr(w->way->url, "unix") != NULL)
		n = (unsigned)getpid();
	snprintf(url, sizeof(url), w->way->url, n, n);
	CHECK(redis_url_parse(str_of(url, strlen(url)), &w->url) == NULL);
	if (w->url.kind == REDIS_URL_UNIX && w->url.has_password) {
		memcpy(a.sun_path, w->url.name, w->url.name_bytes);
		unix_listener = listen_at((struct sockaddr *)&a, sizeof(a));
	}
	if (!open_redis(w, options))
		return false;
	w->redis->random = 1; /* the same waits each time */
	redis_listen(w->redis, &ears);
	w->log = (struct log){ .level = LOG_DEBUG, .format = LOG_LOGFMT, .service = STR("f"), .sink = nobody_reads };
	redis_set_log(w->redis, &w->log);
	w->bus = redis_bus(w->redis);
	CHECK(redis_start(w->redis));
	settle(w);
	return true;
}

static void finish(struct world *w)
{
	if (w->redis != NULL) {
		resolve(w, STR("")); /* no question is left to the thread of the next input */
		give_back(w);
		redis_close(w->redis);
	}
	for (uint32_t i = 0; i < PEERS; i++)
		end(w, i);
	if (unix_listener >= 0) {
		w->url.name[w->url.name_bytes] = '\0';
		CHECK(unlink(w->url.name) == 0);
		close(unix_listener);
	}
	unix_listener = -1;
	close(w->epoll_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct world w;
	bool open;

	if (n == 0 || n > 8192)
		return 0;
	listen_once();
	open = begin(&w, data[0]);
	data++, n--;
	for (int pieces = 0; open && n >= 2 && pieces < PIECES_MAX; pieces++) {
		size_t bytes = data[1] < n - 2 ? data[1] : n - 2;

		piece(&w, data[0], str_of((const char *)data + 2, bytes));
		CHECK(redis_deadline(w.redis).ms > 0);
		data += 2 + bytes;
		n -= 2 + bytes;
	}
	finish(&w);
	return 0;
}
