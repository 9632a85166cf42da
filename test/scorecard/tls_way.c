/*
 * What is said before the handshake is over waits in `first`; it is the request alone. Whatever a read lets the engine say
 * is sent in the same call: nothing here is ever more than a socket takes.
 */
#include "tls_way.h"

#include "net/tls_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

struct session {
	br_ssl_session_parameters parameters;
	bool known;
};

struct tls_way {
	bool resume;
	uint32_t done, resumed;
	struct session *sessions;    /* by slot */
	struct tls_link **links;
};

struct tls_link {
	struct tls_client tls;
	bool open;
	size_t first_bytes;
	uint8_t first[SCRIPT_BYTES_MAX];
};

static struct tls_way *of(struct fleet *f)
{
	return f->way_ctx;
}

static uint32_t believe(const br_ec_impl *impl, const void *hash, size_t hash_bytes, const br_ec_public_key *key,
                        const void *signature, size_t signature_bytes)
{
	(void)impl, (void)hash, (void)hash_bytes, (void)key, (void)signature, (void)signature_bytes;
	return 1;
}

static bool way_open(struct fleet *f, struct client *c)
{
	struct tls_link *l = of(f)->links[c->slot] = malloc(sizeof(*l));
	unsigned char seed[TLS_CLIENT_SEED_BYTES];

	if (l == NULL || getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return false;
	l->open = false;
	l->first_bytes = 0;
	tls_client_init_unverified(&l->tls, seed);
	br_ssl_engine_set_ecdsa(&l->tls.cc.eng, believe);
	if (of(f)->sessions[c->slot].known) {
		br_ssl_engine_set_session_parameters(&l->tls.cc.eng, &of(f)->sessions[c->slot].parameters);
		(void)br_ssl_client_reset(&l->tls.cc, NULL, 1);
	}
	return true;
}

static bool flush(struct client *c, struct tls_link *l)
{
	unsigned char *p;
	size_t n;

	while ((n = tls_client_output(&l->tls, &p)) > 0) {
		ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		tls_client_sent(&l->tls, (size_t)sent);
	}
	return true;
}

static bool write_all(struct client *c, struct tls_link *l, const uint8_t *bytes, size_t n)
{
	unsigned char *p;
	size_t room;

	while (n > 0) {
		room = tls_client_space(&l->tls, &p);
		if (room == 0) {
			errno = EPIPE;
			return false;
		}
		room = room < n ? room : n;
		memcpy(p, bytes, room);
		tls_client_written(&l->tls, room);
		tls_client_flush(&l->tls);
		if (!flush(c, l))
			return false;
		bytes += room;
		n -= room;
	}
	return true;
}

/* The handshake is over. */
static void opened(struct fleet *f, struct client *c, struct tls_link *l)
{
	struct session *s = &of(f)->sessions[c->slot];
	br_ssl_session_parameters now;

	l->open = true;
	br_ssl_engine_get_session_parameters(&l->tls.cc.eng, &now);
	of(f)->done++;
	of(f)->resumed += s->known && now.session_id_len > 0 && now.session_id_len == s->parameters.session_id_len &&
	                  memcmp(now.session_id, s->parameters.session_id, now.session_id_len) == 0;
	s->parameters = now;
	s->known = of(f)->resume && now.session_id_len > 0;
	(void)write_all(c, l, l->first, l->first_bytes);
}

static ssize_t way_send(struct fleet *f, struct client *c, const uint8_t *bytes, size_t n)
{
	struct tls_link *l = of(f)->links[c->slot];

	if (l->open)
		return write_all(c, l, bytes, n) ? (ssize_t)n : -1;
	if (n > sizeof(l->first) - l->first_bytes) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(l->first + l->first_bytes, bytes, n);
	l->first_bytes += n;
	return flush(c, l) ? (ssize_t)n : -1;
}

static ssize_t way_recv(struct fleet *f, struct client *c, uint8_t *out, size_t n)
{
	struct tls_link *l = of(f)->links[c->slot];
	unsigned char *p;
	size_t have;
	ssize_t got;

	for (;;) {
		have = tls_client_plain(&l->tls, &p);
		if (have > 0) {
			have = have < n ? have : n;
			memcpy(out, p, have);
			tls_client_taken(&l->tls, have);
			return (ssize_t)have;
		}
		have = tls_client_room(&l->tls, &p);
		if (have == 0) {
			errno = EPROTO;
			return tls_client_state(&l->tls) == TLS_CLIENT_CLOSED ? 0 : -1;
		}
		got = recv(c->fd, p, have, 0);
		if (got <= 0)
			return got;
		tls_client_received(&l->tls, (size_t)got);
		(void)flush(c, l);
		if (!l->open && tls_client_state(&l->tls) == TLS_CLIENT_OPEN)
			opened(f, c, l);
	}
}

static void way_close(struct fleet *f, struct client *c)
{
	free(of(f)->links[c->slot]);
	of(f)->links[c->slot] = NULL;
}

bool tls_way_begin(struct fleet *f, bool resume)
{
	static const struct fleet_way way = { way_open, way_send, way_recv, way_close };
	struct tls_way *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return false;
	w->resume = resume;
	w->sessions = calloc(f->clients_max, sizeof(*w->sessions));
	w->links = calloc(f->clients_max, sizeof(struct tls_link *));
	f->way_ctx = w;
	f->way = &way;
	return w->sessions != NULL && w->links != NULL;
}

void tls_way_count(struct fleet *f, uint32_t *done, uint32_t *resumed)
{
	*done = of(f)->done;
	*resumed = of(f)->resumed;
	of(f)->done = of(f)->resumed = 0;
}

void tls_way_end(struct fleet *f)
{
	free(of(f)->sessions);
	free(of(f)->links);
	free(f->way_ctx);
	f->way_ctx = NULL;
}
