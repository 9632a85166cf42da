/*
 * Clients that send what they like. The first byte's lowest bit: bytes as they are, to a session that has seen nothing, so many
 * at a time as the other bits say; or, in records of any type, properly encrypted, to a session that is open: type, length,
 * payload, as often as there is input, over a socket that takes and gives as the other bits say. With the highest bit besides: a story
 * of several clients, and of what befalls them. Nothing is left behind, whatever came.
 */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <sys/mman.h>

#include "unit/tls_rig.h"

#define CHECK(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void raw(struct rig *r, const uint8_t *data, size_t size, size_t step)
{
	struct link *k = dial(r, 0, 1);

	for (size_t n; size > 0; data += n, size -= n) {
		n = step == 0 || step > size ? size : step;
		memcpy(k->up.v + k->up.to, data, n);
		k->up.to += n;
		turn(r);
	}
	k->up.ended = true;
	turn(r);
	turn(r);
	hang(r, k);
}

/* How it goes besides: the socket takes little, gives little, the server has said its last, in any mixture. */
enum { TAKES_LITTLE = 1, GIVES_LITTLE = 2, ENDS = 4, TAKES_NOTHING = 8, READS_LITTLE = 16, STORY = 64 };

static void hinder(struct rig *r, struct link *k, unsigned how)
{
	if (how & (TAKES_LITTLE | TAKES_NOTHING))
		k->takes = how & TAKES_NOTHING ? 0 : 9;
	if (how & GIVES_LITTLE)
		k->gives = 11;
	if (how & READS_LITTLE)
		k->room = 3;
	if (how & ENDS)
		r->transport.shutdown(r->transport.ctx, k->handle);
}

/* False: the client cannot, now. */
static bool record(struct link *k, unsigned type, const uint8_t *bytes, size_t n)
{
	br_ssl_engine_context *e = &k->client.eng;
	size_t room;
	unsigned char *p = br_ssl_engine_sendapp_buf(e, &room);

	if (p == NULL || room < n)
		return false;
	memcpy(p, bytes, n);
	e->record_type_out = (unsigned char)(20 + (type & 3));
	br_ssl_engine_sendapp_ack(e, n);
	br_ssl_engine_flush(e, 1);
	client_go(k);
	e->record_type_out = 23;
	return true;
}

static void records(struct rig *r, const uint8_t *data, size_t size, unsigned how)
{
	struct link *k = dial(r, 0, 1);

	start(k, "ec.example", true);
	settle(r, k);
	if (!is_open(k))
		abort();
	for (unsigned round = 0; size >= 2 && is_open(k) && !k->hung; round++) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2;

		if (!record(k, data[0], data + 2, n))
			break;
		if (round % 2 == 1)
			hinder(r, k, how);
		turn(r);
		client_go(k);
		turn(r);
		k->takes = k->gives = SIZE_MAX;
		data += 2 + n;
		size -= 2 + n;
	}
	turn(r);
	turn(r);
	if (how == 0 && !k->hung && !k->ended && cells(r) > 0)
		abort();
	hang(r, k);
}

/* --- stories --- */

/*
 * Several clients at once, good ones too: (operation + 32 * client, argument, more arguments)... Of a client whom nobody has hindered in
 * earnest, and who says what it should, all arrives, both ways, and it is not closed; of anybody else nothing but a beginning of it. What
 * is held is given back when time has passed, whatever the peers do.
 */
enum { CLIENTS = 4, SAID_MAX = 150000, SAID_SMALL_MAX = 3000, THROWN_MAX = 300000, STEPS_MAX = 200 };

struct teller {
	uint64_t sent;       /* bytes of its pattern that the client has said */
	size_t got_checked, said_checked;
	size_t thrown;       /* bytes besides */
	bool small;          /* its records are */
	bool dialled, strange; /* strange: not judged by what it should hear */
	bool foreign;        /* it has said what is not of its pattern */
};

struct story {
	struct rig *rig;
	const uint8_t *p, *end;
	struct teller of[CLIENTS];
	bool limited, late;
};

static unsigned next(struct story *s)
{
	return s->p < s->end ? *s->p++ : 0;
}

static uint8_t pattern_at(unsigned client, uint64_t i)
{
	return (uint8_t)((i * 2654435761u >> 13) + client);
}

static size_t amount(unsigned draw)
{
	static const size_t amounts[] = { 0, 1, 3, 5, 6, 7, 29, 100, 700, 980, 1000, 1030, 2000, 3000, 5000, 16384, 16385, 20000, 40000, SIZE_MAX };

	return draw < 128 ? draw : amounts[(draw - 128) % (sizeof(amounts) / sizeof(amounts[0]))];
}

static void check_bytes(struct story *s)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		const struct link *k = &s->rig->links[i];
		struct teller *t = &s->of[i];

		if (!t->dialled)
			continue;
		CHECK(k->said_n <= k->out_to && memcmp(k->said + t->said_checked, k->out + t->said_checked, k->said_n - t->said_checked) == 0);
		CHECK(t->foreign || k->got_n <= t->sent);
		for (; t->got_checked < k->got_n && !t->foreign; t->got_checked++)
			CHECK(k->got[t->got_checked] == pattern_at(i, t->got_checked));
		t->said_checked = k->said_n;
		CHECK(!k->hung || t->strange || s->limited || s->late);
	}
}

/* As the server does at the end of a turn. */
static void close_hung(struct story *s)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (s->of[i].dialled && s->rig->links[i].hung) {
			hang(s->rig, &s->rig->links[i]);
			s->of[i].dialled = false;
		}
}

/* What has passed makes room. */
static void forget_passed(struct story *s)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct line *lines[] = { &s->rig->links[i].up, &s->rig->links[i].down };

		for (int n = 0; n < 2; n++)
			if (lines[n]->from == lines[n]->to)
				lines[n]->from = lines[n]->to = 0;
	}
}

static void on_dial(struct story *s, unsigned i, struct link *k)
{
	static const struct {
		const char *host;
		uint32_t pair;
		bool good;
	} names[] = { { "ec.example", 1, true }, { "rsa.example", 0, true }, { "both.example", 1, true }, { "a.wild.example", 1, true },
		      { "p384.example", 2, true }, { "else.example", 1, true }, { NULL, 1, true }, { "rsa.example", 1, false } };
	static const uint16_t suites[][2] = {
		{ 0 }, { BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 },
		{ BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 },
		{ BR_TLS_RSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 },
	};
	static const size_t pieces[] = { 0, 100, 7, 1 };
	static const char *protocols[] = { "http/1.1", "h2", "http/1.1", "spdy/3", "h2" };
	unsigned who = next(s), how = next(s), suite = how % 4, alpn = how / 4 % 4;
	bool resume = who / 8 % 2 == 1, old = who / 16 % 8 == 7;
	unsigned small = how / 16 % 4; /* 2, 3: it wants small records (RFC 6066 4) */
	br_ssl_engine_context *e;

	if (s->of[i].dialled)
		hang(s->rig, k);
	dial(s->rig, (int)i, names[who % 8].pair);
	s->of[i] = (struct teller){ .dialled = true, .small = how / 64 > 0, .strange = !names[who % 8].good || suite == 3 || alpn == 3 || old };
	e = &k->client.eng;
	if (suite > 0)
		br_ssl_engine_set_suites(e, suites[suite], 2);
	if (alpn > 0)
		br_ssl_engine_set_protocol_names(e, protocols + alpn - (alpn < 3), alpn == 1 ? 1 : 2);
	if (old)
		br_ssl_engine_set_versions(e, BR_TLS10, BR_TLS11);
	if (small >= 2)
		br_ssl_engine_set_buffer(e, k->client_buffer, (small == 2 ? 1024 : 512) + 325, 0);
	start(k, names[who % 8].host, resume);
	if (how / 64 > 0) /* whatever it says is in pieces */
		e->max_frag_len = pieces[how / 64];
}

static void on_say(struct story *s, unsigned i, struct link *k)
{
	size_t n = amount(next(s)), room, most = s->of[i].small ? SAID_SMALL_MAX : SAID_MAX;

	if (n > most - s->of[i].sent)
		n = most - (size_t)s->of[i].sent;
	while (n > 0 && is_open(k) && k->up.to < LINE_BYTES / 2) {
		unsigned char *p = br_ssl_engine_sendapp_buf(&k->client.eng, &room);

		if (p == NULL)
			return;
		room = room < n ? room : n;
		for (size_t b = 0; b < room; b++)
			p[b] = pattern_at(i, s->of[i].sent + b);
		s->of[i].sent += room;
		br_ssl_engine_sendapp_ack(&k->client.eng, room);
		br_ssl_engine_flush(&k->client.eng, 0);
		client_go(k);
		n -= room;
	}
}

static size_t take(struct story *s, uint8_t *out, size_t max)
{
	size_t n = next(s);

	if (n > (size_t)(s->end - s->p))
		n = (size_t)(s->end - s->p);
	if (n > max)
		n = max;
	memcpy(out, s->p, n);
	s->p += n;
	return n;
}

/* A record of any type, as often as is said. */
static void on_record(struct story *s, unsigned i, struct link *k)
{
	unsigned type = next(s);
	uint8_t bytes[256];
	size_t n = take(s, bytes, sizeof(bytes));

	s->of[i].strange = s->of[i].foreign = true;
	for (unsigned times = 1 + next(s); times > 0 && is_open(k) && s->of[i].thrown < THROWN_MAX; times--) {
		record(k, type, bytes, n);
		s->of[i].thrown += n + 1;
	}
}

/* Bytes put in where they do not belong. */
static void on_insert(struct story *s, unsigned i, struct link *k)
{
	uint8_t bytes[256];
	size_t n = take(s, bytes, sizeof(bytes));

	s->of[i].strange = true;
	for (unsigned times = 1 + next(s) % 80; times > 0 && s->of[i].thrown < THROWN_MAX; times--) {
		memcpy(k->up.v + k->up.to, bytes, n);
		k->up.to += n;
		s->of[i].thrown += n + 1;
	}
}

/* A byte that is under way is turned: so many before the last, or behind the next. */
static void on_turn_byte(struct story *s, unsigned i, struct link *k)
{
	unsigned at = next(s), with = next(s);
	size_t n = k->up.to - k->up.from;

	if (n <= at / 2 || with == 0)
		return;
	s->of[i].strange = true;
	k->up.v[at % 2 == 0 ? k->up.to - 1 - at / 2 : k->up.from + at / 2] ^= (uint8_t)with;
}

static void on_go(struct story *s, unsigned i, struct link *k)
{
	(void)i;
	for (unsigned n = 1 + next(s) % 16; n > 0; n--) {
		client_go(k);
		turn(s->rig);
	}
	client_go(k);
}

static void on_turn(struct story *s, unsigned i, struct link *k)
{
	(void)i, (void)k;
	for (unsigned n = 1 + next(s) % 16; n > 0; n--)
		turn(s->rig);
}

static void on_client(struct story *s, unsigned i, struct link *k)
{
	(void)s, (void)i;
	client_go(k);
}

static void on_gives(struct story *s, unsigned i, struct link *k)
{
	(void)i;
	k->gives = amount(next(s));
}

static void on_takes(struct story *s, unsigned i, struct link *k)
{
	(void)i;
	k->takes = amount(next(s));
}

static void on_room(struct story *s, unsigned i, struct link *k)
{
	size_t n = amount(next(s));

	(void)i;
	k->room = n == 0 || n > 65536 ? 65536 : n;
}

/* poll() says that nothing can be written, or again that it can. */
static void set_full(struct link *k, bool full)
{
	uint64_t count = UINT64_MAX - 1, unused;

	if (read(k->fd, &unused, sizeof(unused)) < 0 && !full)
		return;
	if (full)
		CHECK(write(k->fd, &count, sizeof(count)) == sizeof(count));
}

static void on_full(struct story *s, unsigned i, struct link *k)
{
	(void)i;
	set_full(k, next(s) % 2 == 0);
}

/* The socket is writable, and the kernel has no memory; or has some again. */
static void on_starve(struct story *s, unsigned i, struct link *k)
{
	(void)s, (void)i;
	k->starved = !k->starved;
}

static void on_end(struct story *s, unsigned i, struct link *k)
{
	s->of[i].strange = true;
	k->up.ended = true;
}

static void on_break(struct story *s, unsigned i, struct link *k)
{
	s->of[i].strange = true;
	k->broken = (uint8_t)(1 + next(s) % 3);
}

static void on_hangup(struct story *s, unsigned i, struct link *k)
{
	static const uint32_t events[] = { EPOLLHUP, EPOLLERR, EPOLLHUP | EPOLLIN, EPOLLHUP | EPOLLOUT, EPOLLIN, EPOLLOUT };
	unsigned draw = next(s) % 6;

	s->of[i].strange |= draw < 4;
	ready(s->rig, k, events[draw]);
	if (next(s) % 2 == 1)
		k->hung = false; /* the server has not done with what came before */
}

/* The server reads, though nobody has said that there is something. */
static void on_read(struct story *s, unsigned i, struct link *k)
{
	(void)k;
	host_input(s->rig, i, 7);
	scribble(s->rig);
}

static void on_shutdown(struct story *s, unsigned i, struct link *k)
{
	s->of[i].strange = true;
	s->rig->transport.shutdown(s->rig->transport.ctx, k->handle);
	scribble(s->rig);
}

static void on_hang(struct story *s, unsigned i, struct link *k)
{
	hang(s->rig, k);
	s->of[i].dialled = false;
}

static void on_notify(struct story *s, unsigned i, struct link *k)
{
	s->of[i].strange = true;
	br_ssl_engine_close(&k->client.eng);
	client_go(k);
}

static void on_again(struct story *s, unsigned i, struct link *k)
{
	s->of[i].strange = true;
	if (is_open(k))
		br_ssl_engine_renegotiate(&k->client.eng);
	client_go(k);
}

/* The server says something of its own. */
static void on_tell(struct story *s, unsigned i, struct link *k)
{
	size_t n = amount(next(s));

	for (size_t b = 0; b < n && k->out_to < SAID_MAX; b++)
		k->out[k->out_to++] = pattern_at(i + CLIENTS, b);
	host_write(s->rig, k);
	scribble(s->rig);
}

static void on_echo(struct story *s, unsigned i, struct link *k)
{
	(void)s, (void)i;
	k->echo = !k->echo;
}

/* The server does not want to read, or does again. */
static void want_input(struct rig *r, unsigned i, struct link *k, bool wants)
{
	k->wants_in = wants && !k->ended;
	r->transport.want(r->transport.ctx, k->handle, i, 7, k->wants_in, k->wants_out);
	scribble(r);
}

static void on_want(struct story *s, unsigned i, struct link *k)
{
	want_input(s->rig, i, k, !k->wants_in);
}

static void on_time(struct story *s, unsigned i, struct link *k)
{
	static const int64_t times_ms[] = { 1, 100, 1000, 2600, 4999, 5000, 9999, 10000, 20000, 3600000 };
	int64_t ms = times_ms[next(s) % 10];

	(void)i, (void)k;
	s->late = true;
	s->rig->now.mono.ms += ms;
	s->rig->now.wall.ms += ms;
	turn(s->rig);
}

/* Of the small cells each session has its own. */
static void on_limit(struct story *s, unsigned i, struct link *k)
{
	unsigned draw = next(s);
	struct pool *p = &s->rig->t->cells[TLS_BIG].pool;

	(void)i, (void)k;
	s->limited = true;
	pool_limit(p, draw % 8 == 7 ? POOL_NONE : pool_used(p) + draw % 8);
}

static void on_reload(struct story *s, unsigned i, struct link *k)
{
	(void)i, (void)k;
	tls_reload(s->rig->t);
}

/* What epoll may still say of one who was closed. */
static void on_late_event(struct story *s, unsigned i, struct link *k)
{
	uint32_t number = (uint32_t)(k->handle - TLS_HANDLE_BASE);

	(void)i;
	tls_ready(s->rig->t, number, s->rig->t->generations[number] - 1 - next(s) % 3, EPOLLIN | EPOLLOUT | EPOLLHUP);
	scribble(s->rig);
}

static void (*const operations[])(struct story *, unsigned, struct link *) = {
	on_dial, on_say, on_go, on_turn, on_client, on_gives, on_takes, on_room, on_record, on_insert, on_turn_byte, on_full, on_end, on_break,
	on_hangup, on_shutdown, on_hang, on_notify, on_again, on_tell, on_echo, on_want, on_time, on_limit, on_reload, on_late_event,
	on_read, on_starve,
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

/* However slow this machine is, and has little done in a turn. */
static void finish_handshakes(struct rig *r)
{
	while (list_first(&r->t->lists[TLS_FRESH]) != POOL_NONE || list_first(&r->t->lists[TLS_GOING]) != POOL_NONE) {
		tls_work(r->t);
		scribble(r);
	}
}

/* Nothing hinders anybody any more: what was said arrives. */
static void calm(struct story *s)
{
	struct rig *r = s->rig;

	pool_limit(&r->t->cells[TLS_BIG].pool, POOL_NONE);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct link *k = &r->links[i];

		if (!s->of[i].dialled)
			continue;
		k->takes = k->gives = SIZE_MAX;
		k->starved = false;
		k->room = 65536;
		set_full(k, false);
		want_input(r, i, k, true);
	}
	for (int n = 0; n < 40; n++) {
		for (unsigned i = 0; i < CLIENTS; i++)
			if (s->of[i].dialled)
				client_go(&r->links[i]);
		forget_passed(s);
		r->now.mono.ms += WRITE_RETRY_MS;
		turn(r);
		finish_handshakes(r);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		if (s->of[i].dialled)
			client_go(&r->links[i]);
}

static void check_calm(struct story *s)
{
	check_bytes(s);
	for (unsigned i = 0; i < CLIENTS && !s->limited && !s->late; i++) {
		const struct link *k = &s->rig->links[i];
		const struct teller *t = &s->of[i];

		if (t->dialled && !t->strange)
			CHECK(is_open(k) && !k->hung && k->got_n == t->sent && k->said_n == k->out_to && k->out_from == k->out_to);
	}
}

/* Then nobody speaks any more, and time passes. */
static void check_time(struct story *s)
{
	struct rig *r = s->rig;

	for (int n = 0; n < 3; n++) {
		r->now.mono.ms += TLS_HOLD_MS;
		turn(r);
		close_hung(s);
	}
	CHECK(cells(r) == 0 && list_first(&r->t->young) == POOL_NONE && tls_deadline(r->t).ms == MONO_NEVER.ms);
	CHECK(r->t->users[0] == 0 && r->t->users[1] == 0);
}

static void story(struct rig *r, const uint8_t *data, size_t size)
{
	static const br_ssl_session_parameters none;
	struct story s = { .rig = r, .p = data, .end = data + size };

	for (unsigned i = 0; i < CLIENTS; i++)
		br_ssl_engine_set_session_parameters(&r->links[i].client.eng, &none);
	for (unsigned steps = 0; s.p < s.end && steps < STEPS_MAX; steps++) {
		unsigned op = next(&s), i = op / 32 % CLIENTS;

		if (s.of[i].dialled || op % 32 % OPERATIONS == 0)
			operations[op % 32 % OPERATIONS](&s, i, &r->links[i]);
		check_bytes(&s);
		close_hung(&s);
		forget_passed(&s);
	}
	calm(&s);
	check_calm(&s);
	close_hung(&s);
	check_time(&s);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (s.of[i].dialled)
			hang(r, &r->links[i]);
}

/* Files that are there as long as the program is. */
static void keep_files(struct rig *r)
{
	static const char *const texts[] = { fixture_rsa_crt, fixture_rsa_key, fixture_ec_crt, fixture_ec_key, fixture_p384_crt,
		                             fixture_p384_key };
	static char paths[6][32];

	for (int i = 0; i < 6; i++) {
		int fd = memfd_create("pem", 0);

		CHECK(fd >= 0 && dprintf(fd, "%s", texts[i]) > 0);
		snprintf(paths[i], sizeof(paths[i]), "/proc/self/fd/%d", fd);
		*(i % 2 == 0 ? &r->cfg.tls.pairs[i / 2].cert : &r->cfg.tls.pairs[i / 2].key) = str_of(paths[i], strlen(paths[i]));
	}
	fixture_end(&r->files); /* they have been read, and nobody comes back to remove them */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig rig;

	if (rig.t == NULL) {
		rig_begin(&rig);
		keep_files(&rig);
	}
	if (size == 0 || size > 20000)
		return 0;
	if ((data[0] & 1) && (data[0] >> 1 & STORY))
		story(&rig, data + 1, size - 1);
	else if (data[0] & 1)
		records(&rig, data + 1, size - 1, data[0] >> 1);
	else
		raw(&rig, data + 1, size - 1, data[0] >> 1);
	if (pool_used(&rig.t->sessions) != 0 || cells(&rig) != 0 || rig.t->users[rig.t->set] != 0)
		abort();
	return 0;
}
