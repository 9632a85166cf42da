/*
 * See net/fetch.h.
 *
 * Invariants: a slot has a descriptor only while CONNECTING and TALKING. Whatever ends a question puts its
 * slot to SETTLED; deliver() alone gives answers, after the slot is free again and never inside ask(), so
 * that the server may ask anew while it is answered. A service has one question at most at the resolver;
 * whoever waits for it is RESOLVING.
 */
#include "net/fetch.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/limits.h"
#include "net/exchange.h"
#include "net/machine.h"
#include "net/watch.h"
#include "wire/url.h"

enum { SERVICES = 2, TARGET_BYTES_MAX = URL_BYTES_MAX + 2 + URL_ESCAPED_BYTES(ID_BYTES_MAX) };

static_assert(TARGET_BYTES_MAX + URL_HOST_BYTES_MAX + 128 <= EXCHANGE_REQUEST_BYTES_MAX, "a request fits");
static_assert((int)OUTSIDE_KEYS < SERVICES && (int)OUTSIDE_USER < SERVICES, "a service is its index");

enum slot_state { FREE, RESOLVING, CONNECTING, TALKING, SETTLED };

struct slot {
	enum slot_state state;
	uint32_t generation;        /* of the slot's use: an event of an earlier one finds nobody */
	uint32_t ticket;
	enum outside_service service;
	mono_t deadline;
	mono_t patience;            /* CONNECTING: with this address */
	mono_t retry_at;            /* TALKING: counts if x.owes */
	uint32_t next_address;
	char *body;                 /* of OUTSIDE_KEYS; NULL */
	enum outside_result result; /* SETTLED */
	unsigned status;
	struct str why;
	struct exchange x;
};

struct service {
	const struct url *url;      /* NULL: not configured */
	bool is_literal;
	bool asking;                /* the resolver */
	mono_t fresh_until;         /* counts for names */
	struct resolver_answer addresses;
};

struct fetch {
	int epoll_fd;
	fetch_answered *answered;
	void *ctx;
	struct resolver resolver;
	struct anchors anchors;
	struct service services[SERVICES];
	uint32_t under_way, settled; /* slots that are not FREE; those of them that are SETTLED */
	struct slot slots[OUTSIDE_ASKED_MAX];
	bool body_taken[FETCH_BODIES_MAX];
	char bodies[FETCH_BODIES_MAX][OUTSIDE_BODY_BYTES_MAX];
	unsigned char scratch[EXCHANGE_READ_BYTES];
	struct tls_client *tls;      /* one for each slot; NULL without https */
};

/* --- slots --- */

static char *take_body(struct fetch *f)
{
	for (int i = 0; i < FETCH_BODIES_MAX; i++) {
		if (f->body_taken[i])
			continue;
		f->body_taken[i] = true;
		return f->bodies[i];
	}
	return NULL;
}

static void give_body_back(struct fetch *f, const char *body)
{
	for (int i = 0; i < FETCH_BODIES_MAX; i++)
		if (body == f->bodies[i])
			f->body_taken[i] = false;
}

static struct slot *take_slot(struct fetch *f)
{
	for (uint32_t i = 0; i < OUTSIDE_ASKED_MAX; i++) {
		struct slot *s = &f->slots[i];

		if (s->state != FREE)
			continue;
		s->generation++;
		f->under_way++;
		return s;
	}
	return NULL;
}

static void hang_up(struct slot *s)
{
	if (s->x.fd >= 0)
		close(s->x.fd); /* nothing is ever dup'ed, so this takes it out of the epoll set too */
	s->x.fd = -1;
}

static void settle(struct fetch *f, struct slot *s, enum outside_result result, unsigned status,
                   struct str why)
{
	assert(s->state != FREE && s->state != SETTLED);
	hang_up(s);
	s->state = SETTLED;
	s->result = result;
	s->status = status;
	s->why = why;
	f->settled++;
}

static void fail(struct fetch *f, struct slot *s, struct str why)
{
	settle(f, s, OUTSIDE_FAILED, 0, why);
}

static void fail_errno(struct fetch *f, struct slot *s, int error)
{
	const char *why = strerror(error);

	fail(f, s, str_of(why, strlen(why)));
}

static void deliver(struct fetch *f)
{
	for (uint32_t i = 0; i < OUTSIDE_ASKED_MAX && f->settled > 0; i++) {
		struct slot *s = &f->slots[i];
		struct fetch_answer a = { s->ticket, s->service, s->result, s->status, s->body, 0, s->why };

		if (s->state != SETTLED)
			continue;
		if (a.result == OUTSIDE_ANSWERED)
			a.body_bytes = (uint32_t)s->x.response.body_bytes;
		if (a.body_bytes == 0)
			a.body = NULL;
		s->state = FREE;
		f->settled--;
		f->under_way--;
		f->answered(f->ctx, &a);
		give_body_back(f, s->body);
		s->body = NULL;
	}
}

/* --- connecting --- */

/* False: errno. Nobody would tell what becomes of the connection. */
static bool watch(const struct fetch *f, const struct slot *s, int op)
{
	struct epoll_event ev = {
		.events = s->x.events,
		.data.u64 = watch_tag(WATCH_FETCH, (uint32_t)(s - f->slots), s->generation),
	};

	return epoll_ctl(f->epoll_fd, op, s->x.fd, &ev) == 0;
}

static int dial(struct resolver_address a, uint16_t port)
{
	socklen_t bytes = a.any.sa_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6);
	int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (a.any.sa_family == AF_INET)
		a.v4.sin_port = htons(port);
	else
		a.v6.sin6_port = htons(port);
	if (fd >= 0 && connect(fd, &a.any, bytes) != 0 && errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* Begins with the next address, or fails: `error` is what the last one came to. */
static void connect_next(struct fetch *f, struct slot *s, mono_t now, int error)
{
	struct service *service = &f->services[s->service];
	const struct resolver_answer *a = &service->addresses;

	hang_up(s);
	while (s->next_address < a->n) {
		/* The last one may have all the time that is left, the others leave as much to each after. */
		int64_t share = mono_since_ms(s->deadline, now) / (a->n - s->next_address);

		s->x.fd = dial(a->v[s->next_address++], service->url->port);
		s->x.events = EPOLLOUT;
		if (s->x.fd >= 0 && watch(f, s, EPOLL_CTL_ADD)) {
			s->state = CONNECTING;
			s->patience = mono_add_ms(now, share);
			return;
		}
		error = errno;
		hang_up(s);
	}
	service->fresh_until = now; /* they may have moved */
	if (error == 0)
		fail(f, s, STR("the name has no address"));
	else
		fail_errno(f, s, error);
}

/* --- talking --- */

static void step(struct fetch *f, struct slot *s, mono_t now)
{
	uint32_t before = s->x.events;

	switch (exchange_step(&s->x, f->scratch)) {
	case EXCHANGE_WAIT:
		s->retry_at = mono_add_ms(now, WRITE_RETRY_MS);
		if (s->x.events != before && !watch(f, s, EPOLL_CTL_MOD))
			fail_errno(f, s, errno);
		return;
	case EXCHANGE_DONE:
		settle(f, s, OUTSIDE_ANSWERED, s->x.response.status, STR(""));
		return;
	case EXCHANGE_FAILED:
		fail(f, s, s->x.why);
		return;
	}
}

static void talk(struct fetch *f, struct slot *s, mono_t now)
{
	const struct url *url = f->services[s->service].url;
	unsigned char seed[TLS_CLIENT_SEED_BYTES];

	s->state = TALKING;
	if (url->tls) {
		s->x.tls = &f->tls[s - f->slots];
		if (!machine_random(seed, sizeof(seed)) ||
		    !tls_client_init(s->x.tls, &f->anchors, url->host, machine_now().wall, seed)) {
			fail(f, s, STR("TLS cannot begin"));
			return;
		}
	}
	step(f, s, now);
}

static void connected(struct fetch *f, struct slot *s, mono_t now)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (getsockopt(s->x.fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
		error = errno;
	if (error == 0)
		talk(f, s, now);
	else
		connect_next(f, s, now, error);
}

void fetch_event(struct fetch *f, uint32_t number, uint32_t generation)
{
	struct slot *s = &f->slots[number];
	mono_t now = machine_now().mono;

	assert(number < OUTSIDE_ASKED_MAX);
	if (s->generation != generation)
		return;
	if (s->state == CONNECTING)
		connected(f, s, now);
	else if (s->state == TALKING)
		step(f, s, now);
	deliver(f);
}

/* --- resolving --- */

static void resolve(struct fetch *f, struct slot *s, mono_t now)
{
	struct service *service = &f->services[s->service];

	if (service->is_literal || mono_before(now, service->fresh_until)) {
		connect_next(f, s, now, 0);
		return;
	}
	s->state = RESOLVING;
	if (!service->asking)
		service->asking = resolver_ask(&f->resolver, s->service, service->url->host);
	if (!service->asking)
		fail(f, s, STR("the resolver takes no question"));
}

void fetch_resolved(struct fetch *f)
{
	mono_t now = machine_now().mono;
	struct resolver_answer a;

	while (resolver_take(&f->resolver, &a)) {
		struct service *service = &f->services[a.question];

		assert(a.question < SERVICES && service->asking);
		service->asking = false;
		service->addresses = a;
		service->fresh_until = mono_add_ms(now, FETCH_ADDRESSES_MS);
		for (uint32_t i = 0; i < OUTSIDE_ASKED_MAX; i++)
			if (f->slots[i].state == RESOLVING && f->slots[i].service == a.question)
				connect_next(f, &f->slots[i], now, 0);
	}
	deliver(f);
}

/* --- asking --- */

static size_t append(char *out, size_t n, struct str s)
{
	if (s.n > 0)
		memcpy(out + n, s.p, s.n);
	return n + s.n;
}

/* The path, without a slash at its end, and `/{user_id}` for OUTSIDE_USER; then the query. */
static struct str write_target(const struct url *url, enum outside_service service, struct str user_id,
                               char out[TARGET_BYTES_MAX])
{
	const char *mark = url->path.n == 0 ? NULL : memchr(url->path.p, '?', url->path.n);
	struct str path = url->path, query = STR("");
	size_t n;

	if (mark != NULL) {
		path.n = (size_t)(mark - path.p);
		query = str_of(mark, url->path.n - path.n);
	}
	if (service == OUTSIDE_USER && path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	n = append(out, 0, path);
	if (service == OUTSIDE_USER || n == 0)
		out[n++] = '/';
	if (service == OUTSIDE_USER)
		n += url_escape(user_id, out + n);
	n = append(out, n, query);
	assert(n <= TARGET_BYTES_MAX);
	return str_of(out, n);
}

/* Can it stand in a path, and mean that user there? Dots would be resolved by the service. */
static bool is_askable(struct str user_id)
{
	return user_id.n > 0 && user_id.n <= ID_BYTES_MAX && !str_eq(user_id, STR(".")) &&
	       !str_eq(user_id, STR(".."));
}

static bool ask(void *ctx, uint32_t ticket, enum outside_service service, struct str user_id)
{
	struct fetch *f = ctx;
	const struct url *url = f->services[service].url;
	bool askable = service != OUTSIDE_USER || is_askable(user_id), fits;
	mono_t now = machine_now().mono;
	char target[TARGET_BYTES_MAX], *body = NULL;
	struct slot *s;

	assert(url != NULL);
	if (service == OUTSIDE_KEYS && (body = take_body(f)) == NULL)
		return false;
	s = take_slot(f);
	if (s == NULL) {
		give_body_back(f, body);
		return false;
	}
	s->state = RESOLVING;
	s->ticket = ticket;
	s->service = service;
	s->deadline = mono_add_ms(now, OUTSIDE_DEADLINE_MS);
	s->next_address = 0;
	s->body = body;
	fits = exchange_init(&s->x, write_target(url, service, askable ? user_id : STR("x"), target),
	                     url->authority, body, OUTSIDE_BODY_BYTES_MAX);
	s->x.head_is_enough = service == OUTSIDE_USER;
	if (!fits)
		fail(f, s, STR("the URL is too long"));
	else if (!askable)
		settle(f, s, OUTSIDE_ANSWERED, 404, STR("")); /* nobody there can be called that */
	else
		resolve(f, s, now);
	return true;
}

struct outside fetch_outside(struct fetch *f)
{
	return (struct outside){ .ctx = f, .ask = ask };
}

/* --- time --- */

void fetch_turn(struct fetch *f, mono_t now)
{
	for (uint32_t i = 0; i < OUTSIDE_ASKED_MAX && f->under_way > f->settled; i++) {
		struct slot *s = &f->slots[i];

		if (s->state == FREE || s->state == SETTLED)
			continue;
		if (!mono_before(now, s->deadline))
			fail(f, s, STR("no answer in time"));
		else if (s->state == CONNECTING && !mono_before(now, s->patience))
			connect_next(f, s, now, ETIMEDOUT);
		else if (s->state == TALKING && s->x.owes && !mono_before(now, s->retry_at))
			step(f, s, now);
	}
	deliver(f);
}

mono_t fetch_deadline(const struct fetch *f)
{
	mono_t at = MONO_NEVER;

	if (f->settled > 0)
		return (mono_t){ 0 };
	for (uint32_t i = 0; i < OUTSIDE_ASKED_MAX && f->under_way > 0; i++) {
		const struct slot *s = &f->slots[i];

		if (s->state == CONNECTING)
			at = mono_min(at, s->patience);
		if (s->state == TALKING && s->x.owes)
			at = mono_min(at, s->retry_at);
		if (s->state != FREE)
			at = mono_min(at, s->deadline);
	}
	return at;
}

/* --- start and end --- */

static bool has_tls(const struct fetch *f)
{
	for (int i = 0; i < SERVICES; i++)
		if (f->services[i].url != NULL && f->services[i].url->tls)
			return true;
	return false;
}

/* Which service's name has to be asked for? Literal addresses are noted. */
static bool has_names(struct fetch *f)
{
	bool any = false;

	for (int i = 0; i < SERVICES; i++) {
		struct service *s = &f->services[i];

		if (s->url == NULL)
			continue;
		s->is_literal = resolver_is_literal(s->url->host, &s->addresses.v[0]);
		s->addresses.n = s->is_literal;
		any = any || !s->is_literal;
	}
	return any;
}

static bool open_resolver(struct fetch *f, resolver_lookup *lookup)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = watch_tag(WATCH_RESOLVER, 0, 0) };

	return resolver_open(&f->resolver, lookup) &&
	       epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, f->resolver.answer_fd, &ev) == 0;
}

static enum fetch_result open_tls(struct fetch *f, const struct tls_config *tls)
{
	if (str_absent(tls->ca)) {
		machine_complain(STR("an https URL (jwks-url, keycloak-url, user-check-url) needs ca-file: "
		                     "the certificates to trust"), 0);
		return FETCH_BAD_CA;
	}
	if (!anchors_load(&f->anchors, tls->ca))
		return FETCH_BAD_CA;
	f->tls = machine_memory(sizeof(*f->tls) * OUTSIDE_ASKED_MAX);
	return f->tls == NULL ? FETCH_REFUSED : FETCH_OK;
}

enum fetch_result fetch_open(struct fetch **out, const struct server_config *cfg, int epoll_fd,
                             resolver_lookup *lookup, fetch_answered *answered, void *ctx)
{
	struct fetch *f = machine_memory(sizeof(*f));
	enum fetch_result result = FETCH_OK;

	*out = NULL;
	if (f == NULL)
		return FETCH_REFUSED;
	f->epoll_fd = epoll_fd;
	f->answered = answered;
	f->ctx = ctx;
	f->resolver = RESOLVER_NONE;
	f->services[OUTSIDE_KEYS].url = cfg->token.has_jwks_url ? &cfg->token.jwks_url : NULL;
	f->services[OUTSIDE_USER].url = cfg->has_user_check ? &cfg->user_check_url : NULL;
	for (int i = 0; i < OUTSIDE_ASKED_MAX; i++)
		f->slots[i].x.fd = -1;
	if (has_tls(f))
		result = open_tls(f, &cfg->tls);
	if (result == FETCH_OK && has_names(f) && !open_resolver(f, lookup))
		result = FETCH_REFUSED;
	if (result == FETCH_OK) {
		*out = f;
		return FETCH_OK;
	}
	fetch_close(f);
	return result;
}

bool fetch_start(struct fetch *f)
{
	return resolver_start(&f->resolver);
}

void fetch_close(struct fetch *f)
{
	for (int i = 0; i < OUTSIDE_ASKED_MAX; i++)
		hang_up(&f->slots[i]);
	resolver_close(&f->resolver);
	anchors_free(&f->anchors);
	if (f->tls != NULL)
		machine_memory_free(f->tls, sizeof(*f->tls) * OUTSIDE_ASKED_MAX);
	machine_memory_free(f, sizeof(*f));
}
