/*
 * test/unit/tls_rig.h: TLS sessions (net/tls.h) against BearSSL's own client, in memory: bytes pass between them as a case says,
 * so many at a time. Between two calls the buffers that all sessions share are filled with rubbish, and cells that were given
 * back are poisoned: whatever the engine still read from there would show.
 */
#ifndef TEST_TLS_RIG_H
#define TEST_TLS_RIG_H

#include <bearssl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "net/tls_state.h"
#include "tap.h"
#include "tls_fixture.h"

enum { LINE_BYTES = 1 << 20, LINKS = 6 };

/* Bytes on their way, one direction. */
struct line {
	uint8_t v[LINE_BYTES];
	size_t from, to;
	bool ended;
};

/* A connection: our session at one end, a client at the other. */
struct link {
	struct line up, down;     /* to the server, to the client */
	size_t takes;             /* bytes that the socket takes until it blocks; SIZE_MAX: all */
	size_t gives;             /* bytes that the socket gives until it blocks */
	uint8_t broken;           /* the socket is: 1 for writes, 2 for reads */
	bool starved;             /* it is writable all along, and takes nothing */
	unsigned writes;          /* calls, so far */
	int fd, handle;
	bool shut, closed, hung, ended, wants_in, wants_out;
	uint8_t got[LINE_BYTES], out[LINE_BYTES]; /* what the server read; what it has to write */
	size_t got_n, out_from, out_to;
	bool echo;
	size_t room;              /* bytes of one read of the server's */
	br_ssl_client_context client;
	br_x509_knownkey_context known;
	br_x509_decoder_context decoder;
	uint8_t client_buffer[BR_SSL_BUFSIZE_BIDI];
	uint8_t said[LINE_BYTES];
	size_t said_n;
};

struct rig {
	struct fixture files;
	struct server_config cfg;
	struct tls *t;
	struct transport transport;
	struct link *links;
	struct log log;
	struct now now;
	char logged[8192];
	int epoll_fd;
};

static struct link *link_of_fd(struct rig *r, int fd)
{
	for (int i = 0; i < LINKS; i++)
		if (r->links[i].fd == fd && !r->links[i].closed)
			return &r->links[i];
	abort();
}

/* --- the socket --- */

static ptrdiff_t plain_read(void *ctx, int fd, void *buf, size_t bytes)
{
	struct link *k = link_of_fd(ctx, fd);
	size_t n = k->up.to - k->up.from;

	if (k->broken & 2)
		return TRANSPORT_GONE;
	if (n == 0 && k->up.ended)
		return 0;
	if (n > bytes)
		n = bytes;
	if (n > k->gives)
		n = k->gives;
	if (n == 0)
		return TRANSPORT_AGAIN;
	memcpy(buf, k->up.v + k->up.from, n);
	k->up.from += n;
	if (k->gives != SIZE_MAX)
		k->gives -= n;
	return (ptrdiff_t)n;
}

static ptrdiff_t plain_writev(void *ctx, int fd, const struct iovec *slices, uint32_t n)
{
	struct link *k = link_of_fd(ctx, fd);
	size_t done = 0;

	assert(!k->shut);
	if (k->broken & 1)
		return TRANSPORT_GONE;
	k->writes++;
	if (k->starved)
		return TRANSPORT_AGAIN;
	for (uint32_t i = 0; i < n; i++) {
		size_t some = slices[i].iov_len < k->takes ? slices[i].iov_len : k->takes;

		if (some > LINE_BYTES - k->down.to)
			some = LINE_BYTES - k->down.to;
		memcpy(k->down.v + k->down.to, slices[i].iov_base, some);
		k->down.to += some;
		done += some;
		if (k->takes != SIZE_MAX)
			k->takes -= some;
	}
	return done > 0 ? (ptrdiff_t)done : TRANSPORT_AGAIN;
}

static void plain_want(void *ctx, int fd, uint32_t conn, uint32_t generation, bool readable, bool writable)
{
	(void)ctx, (void)fd, (void)conn, (void)generation, (void)readable, (void)writable;
}

static void plain_shutdown(void *ctx, int fd)
{
	link_of_fd(ctx, fd)->shut = true;
}

static void plain_close(void *ctx, int fd)
{
	link_of_fd(ctx, fd)->closed = true;
	close(fd);
}

/* --- the server --- */

static void host_write(struct rig *r, struct link *k)
{
	struct iovec v[3];
	size_t left = k->out_to - k->out_from, third = left / 3;
	ptrdiff_t n;

	if (left == 0)
		return;
	v[0] = (struct iovec){ k->out + k->out_from, third };
	v[1] = (struct iovec){ k->out + k->out_from + third, third };
	v[2] = (struct iovec){ k->out + k->out_from + 2 * third, left - 2 * third };
	n = r->transport.writev(r->transport.ctx, k->handle, v, 3);
	if (n > 0)
		k->out_from += (size_t)n;
	if (n == TRANSPORT_GONE)
		k->hung = true;
	k->wants_out = k->out_from < k->out_to;
	r->transport.want(r->transport.ctx, k->handle, (uint32_t)(k - r->links), 7, k->wants_in, k->wants_out);
}

static void host_input(void *ctx, uint32_t conn, uint32_t generation)
{
	struct rig *r = ctx;
	struct link *k = &r->links[conn];
	uint8_t buf[65536];
	ptrdiff_t n;

	assert(generation == 7 && k->room <= sizeof(buf));
	n = r->transport.read(r->transport.ctx, k->handle, buf, k->room);
	if (n == 0) {
		k->ended = true;
		k->wants_in = false;
		r->transport.want(r->transport.ctx, k->handle, conn, 7, false, k->wants_out);
	}
	if (n == TRANSPORT_GONE)
		k->hung = true;
	if (n <= 0)
		return;
	memcpy(k->got + k->got_n, buf, (size_t)n);
	k->got_n += (size_t)n;
	if (k->echo) {
		memcpy(k->out + k->out_to, buf, (size_t)n);
		k->out_to += (size_t)n;
		host_write(r, k);
	}
}

static void host_output(void *ctx, uint32_t conn, uint32_t generation)
{
	(void)generation;
	host_write(ctx, &((struct rig *)ctx)->links[conn]);
}

static void host_hangup(void *ctx, uint32_t conn, uint32_t generation)
{
	struct link *k = &((struct rig *)ctx)->links[conn];

	(void)generation;
	k->hung = true;
}

static bool keep_line(void *ctx, const char *line, size_t n)
{
	struct rig *r = ctx;

	strncat(r->logged, line, n < sizeof(r->logged) - strlen(r->logged) - 1 ? n : 0);
	return true;
}

/* --- the rig --- */

/* What nobody may count on between two calls. */
static void scribble(struct rig *r)
{
	memset(r->t->in, 0xa5, TLS_IN_BYTES);
	memset(r->t->out, 0xa5, TLS_OUT_BYTES);
	memset(r->t->stage, 0xa5, TLS_STAGE_BYTES);
	memset(r->t->cipher, 0xa5, TLS_CIPHER_BYTES);
	assert(r->t->staged == 0);
}

static void rig_begin(struct rig *r)
{
	struct transport plain = { .ctx = r, .read = plain_read, .writev = plain_writev, .want = plain_want,
		                   .shutdown = plain_shutdown, .close = plain_close };
	struct tls_host host = { r, host_input, host_output, host_hangup };
	struct certificates_report report;

	memset(r, 0, sizeof(*r));
	fixture_begin(&r->files);
	r->cfg.tls = r->files.cfg;
	r->cfg.connections_max = 100;
	r->links = calloc(LINKS, sizeof(*r->links));
	for (int i = 0; i < LINKS; i++)
		r->links[i].closed = true;
	r->now.mono.ms = 1000;
	r->now.wall.ms = INT64_C(1800000000000);
	r->log = (struct log){ .level = LOG_INFO, .sink = keep_line, .sink_ctx = r };
	r->epoll_fd = epoll_create1(0);
	r->t = tls_new(&r->cfg, &plain, r->epoll_fd, r->now, &report);
	if (r->t == NULL)
		printf("# %s\n", report.error);
	assert(r->t != NULL);
	tls_serve(r->t, &host, &r->log);
	r->transport = tls_transport(r->t);
	scribble(r);
}

static void rig_end(struct rig *r)
{
	for (int i = 0; i < LINKS; i++)
		if (!r->links[i].closed)
			r->transport.close(r->transport.ctx, r->links[i].handle);
	assert(pool_used(&r->t->sessions) == 0 && pool_used(&r->t->cells[0].pool) == 0 && pool_used(&r->t->cells[1].pool) == 0);
	assert(r->t->users[0] == 0 && r->t->users[1] == 0);
	tls_free(r->t);
	free(r->links);
	close(r->epoll_fd);
	fixture_end(&r->files);
}

static void known_key(struct link *k, const struct certificates *set, uint32_t pair)
{
	const br_x509_pkey *pk;

	br_x509_decoder_init(&k->decoder, NULL, NULL);
	br_x509_decoder_push(&k->decoder, set->v[pair].chain[0].data, set->v[pair].chain[0].data_len);
	pk = br_x509_decoder_get_pkey(&k->decoder);
	if (pk->key_type == BR_KEYTYPE_RSA)
		br_x509_knownkey_init_rsa(&k->known, &pk->key.rsa, BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX);
	else
		br_x509_knownkey_init_ec(&k->known, &pk->key.ec, BR_KEYTYPE_SIGN | BR_KEYTYPE_KEYX);
	br_ssl_engine_set_x509(&k->client.eng, &k->known.vtable);
}

/* A new connection whose client expects pair `pair`; not started. */
static struct link *dial(struct rig *r, int at, uint32_t pair)
{
	struct link *k = &r->links[at];
	br_x509_minimal_context unused;
	static const br_x509_trust_anchor none;
	br_ssl_session_parameters kept;

	assert(k->closed);
	br_ssl_engine_get_session_parameters(&k->client.eng, &kept);
	memset(k, 0, sizeof(*k));
	k->takes = k->gives = SIZE_MAX;
	k->room = 65536;
	k->echo = true;
	k->wants_in = true;
	k->fd = eventfd(0, EFD_NONBLOCK);
	br_ssl_client_init_full(&k->client, &unused, &none, 0);
	br_ssl_engine_set_session_parameters(&k->client.eng, &kept);
	known_key(k, &r->t->sets[r->t->set], pair);
	br_ssl_engine_set_buffer(&k->client.eng, k->client_buffer, sizeof(k->client_buffer), 0);
	br_ssl_engine_inject_entropy(&k->client.eng, "0123456789abcdef0123456789abcdef", 32);
	tls_begin_turn(r->t, r->now);
	k->handle = tls_open(r->t, k->fd);
	assert(k->handle >= TLS_HANDLE_BASE);
	if (!tls_watch(r->t, k->handle, (uint32_t)at, 7))
		abort();
	return k;
}

static void start(struct link *k, const char *name, bool resume)
{
	if (br_ssl_client_reset(&k->client, name, resume) != 1)
		abort();
}

static void ready(struct rig *r, struct link *k, uint32_t events)
{
	uint32_t number = (uint32_t)(k->handle - TLS_HANDLE_BASE);

	tls_ready(r->t, number, r->t->generations[number], events);
	scribble(r);
}

static uint32_t watched(const struct rig *r, const struct link *k)
{
	return tls_at(r->t, (uint32_t)(k->handle - TLS_HANDLE_BASE))->watched;
}

/* A turn of the loop in which the sockets have what they have. */
static void turn(struct rig *r)
{
	tls_begin_turn(r->t, r->now);
	for (int i = 0; i < LINKS; i++) {
		struct link *k = &r->links[i];
		uint32_t events;

		if (k->closed)
			continue;
		events = ((k->up.from < k->up.to && k->gives > 0) || k->up.ended || k->broken ? (uint32_t)EPOLLIN : 0u) |
		         (k->takes > 0 ? (uint32_t)EPOLLOUT : 0u);
		events &= watched(r, k);
		if (k->takes == SIZE_MAX && (watched(r, k) & EPOLLET))
			events &= ~(uint32_t)EPOLLOUT; /* it never was otherwise */
		if (events != 0)
			ready(r, k, events);
	}
	tls_turn(r->t);
	scribble(r);
	tls_work(r->t);
	scribble(r);
}

/* The client takes what has come and says what it has to: one go. */
static void client_go(struct link *k)
{
	br_ssl_engine_context *e = &k->client.eng;
	unsigned char *p;
	size_t n;

	for (bool some = true; some;) {
		some = false;
		p = br_ssl_engine_sendrec_buf(e, &n);
		if (p != NULL) {
			memcpy(k->up.v + k->up.to, p, n);
			k->up.to += n;
			br_ssl_engine_sendrec_ack(e, n);
			some = true;
		}
		p = br_ssl_engine_recvapp_buf(e, &n);
		if (p != NULL) {
			memcpy(k->said + k->said_n, p, n);
			k->said_n += n;
			br_ssl_engine_recvapp_ack(e, n);
			some = true;
		}
		p = br_ssl_engine_recvrec_buf(e, &n);
		if (p != NULL && k->down.from < k->down.to) {
			if (n > k->down.to - k->down.from)
				n = k->down.to - k->down.from;
			memcpy(p, k->down.v + k->down.from, n);
			k->down.from += n;
			br_ssl_engine_recvrec_ack(e, n);
			some = true;
		}
	}
}

static bool is_open(const struct link *k)
{
	return (br_ssl_engine_current_state(&k->client.eng) & BR_SSL_SENDAPP) != 0;
}

static int client_error(const struct link *k)
{
	return br_ssl_engine_last_error(&k->client.eng);
}

/* Until nothing moves. */
static void settle(struct rig *r, struct link *k)
{
	for (int i = 0; i < 12; i++) {
		client_go(k);
		turn(r);
	}
	client_go(k);
}

static void client_say(struct link *k, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;
	size_t room;

	while (n > 0) {
		unsigned char *p = br_ssl_engine_sendapp_buf(&k->client.eng, &room);

		assert(p != NULL);
		if (room > n)
			room = n;
		memcpy(p, from, room);
		br_ssl_engine_sendapp_ack(&k->client.eng, room);
		br_ssl_engine_flush(&k->client.eng, 0);
		from += room;
		n -= room;
		client_go(k);
	}
}

static size_t cells(const struct rig *r)
{
	return pool_used(&r->t->cells[TLS_SMALL].pool) + pool_used(&r->t->cells[TLS_BIG].pool);
}

static struct link *opened(struct rig *r, int at)
{
	struct link *k = dial(r, at, 1);

	start(k, "ec.example", false);
	settle(r, k);
	if (!is_open(k))
		abort();
	return k;
}

static void hang(struct rig *r, struct link *k)
{
	r->transport.close(r->transport.ctx, k->handle);
	scribble(r);
}

#endif
