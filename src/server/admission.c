/*
 * Order of the checks: the handshake itself, the path, the Origin, the dialect, the identity, then what costs
 * others something: caps. Nothing is counted or allocated for a connection that is refused. What is said
 * about a request borrows it or the `struct claim`.
 */
#include "server/admission.h"

#include "base/utf8.h"
#include "server/outbox.h"
#include "server/respond.h"
#include "server/session.h"
#include "server/state.h"
#include "wire/jwt.h"
#include "wire/origin.h"
#include "wire/uri.h"

enum {
	RETRY_AFTER_S = 5,
	RETRY_JITTER_S = 10,      /* those who were refused together do not come back together */
};

static void refuse(struct server *s, struct conn *c, unsigned status, struct str message, enum refusal why)
{
	respond_error(s, c, &(struct respond_error){
		.status = status, .message = message, .last = true, .why = why,
		.allow = status == 405 ? STR("GET") : STR_NONE,
		.retry_after_s = status != 503 && status != 429 ? 0 :
			RETRY_AFTER_S + (unsigned)(server_random(s) % RETRY_JITTER_S),
	});
}

/* --- Origin --- */

bool admission_origin_allowed(const struct server *s, const struct conn *c, const struct http_request *req)
{
	struct origin mine, other;

	switch (origin_of(req, &mine)) {
	case ORIGIN_ABSENT:
		return true;
	case ORIGIN_BAD:
		return s->cfg->origins_any;
	case ORIGIN_OK:
		break;
	}
	if (s->cfg->origins_any)
		return true;
	for (uint32_t i = 0; i < s->cfg->origin_count; i++)
		if (origin_parse(s->cfg->origins[i], &other) && origin_eq(&mine, &other))
			return true;
	if (s->cfg->origins_given)
		return false;
	if (s->cfg->listeners[c->listener].is_loopback && origin_is_loopback(&mine))
		return true;
	return origin_is_host(&mine, req->authority);
}

/* --- what the request says --- */

static struct str parameter(struct claim *cl, const struct http_request *req, struct str name,
                            char *buf, size_t cap)
{
	struct str value = STR_NONE;

	switch (uri_query_get(req->query, name, buf, cap, &value)) {
	case URI_OK:
		return value.n == 0 ? STR_NONE : value; /* empty says nothing */
	case URI_ABSENT:
		return STR_NONE;
	case URI_BAD:
	case URI_DUPLICATE:
	case URI_TOO_LONG:
		break;
	}
	cl->bad = true;
	return STR_NONE;
}

static struct str header(struct claim *cl, const struct http_request *req, struct str name)
{
	struct str value = http_header(req, name);

	if (http_header_count(req, name) > 1)
		cl->bad = true;
	return value.n == 0 ? STR_NONE : value;
}

static struct str bearer(struct claim *cl, const struct http_request *req)
{
	struct str value = header(cl, req, STR("authorization")), scheme = STR("bearer ");

	if (value.n <= scheme.n || !str_eq_nocase(str_of(value.p, scheme.n), scheme))
		return STR_NONE;
	return str_of(value.p + scheme.n, value.n - scheme.n);
}

static bool is_id(struct str s)
{
	return str_absent(s) || utf8_is_id(s);
}

/* Reads everything; false: 400. Two tokens that differ make token.n == 0: 401. */
static bool read_claim(struct claim *cl, const struct http_request *req)
{
	struct str in_query, in_header;

	cl->bad = false;
	cl->snake_id = header(cl, req, STR("x-user-id"));
	cl->dotted_id = parameter(cl, req, STR("user_id"), cl->user_id_text[0], sizeof(cl->user_id_text[0]));
	cl->upper_id = parameter(cl, req, STR("userId"), cl->user_id_text[1], sizeof(cl->user_id_text[1]));
	cl->username = parameter(cl, req, STR("username"), cl->username_text, sizeof(cl->username_text));
	cl->dialect = parameter(cl, req, STR("dialect"), cl->dialect_text, sizeof(cl->dialect_text));
	cl->device_id = header(cl, req, STR("x-device-id"));
	if (str_absent(cl->device_id))
		cl->device_id = parameter(cl, req, STR("device_id"), cl->device_text[0],
		                          sizeof(cl->device_text[0]));
	if (str_absent(cl->device_id))
		cl->device_id = parameter(cl, req, STR("client_id"), cl->device_text[1],
		                          sizeof(cl->device_text[1]));
	in_query = parameter(cl, req, STR("token"), cl->token_text, sizeof(cl->token_text));
	in_header = bearer(cl, req);
	cl->token = str_absent(in_query) ? in_header : in_query;
	if (!str_absent(in_query) && !str_absent(in_header) && !str_eq(in_query, in_header))
		cl->token = str_of("", 0);
	cl->token_id = cl->token_name = cl->grant = STR_NONE;
	return !cl->bad && is_id(cl->snake_id) && is_id(cl->dotted_id) && is_id(cl->upper_id) &&
	       is_id(cl->username) && is_id(cl->device_id);
}

/* auth=trust believes a token without looking at its signature. False: it is none. */
static bool believe_token(struct server *s, struct claim *cl)
{
	size_t n;
	json_ref root;

	if (str_absent(cl->token))
		return true;
	if (!jwt_claims(cl->token, cl->claims_text, sizeof(cl->claims_text), &n))
		return false;
	if (json_parse(&s->json, (char *)cl->claims_text, n) != JSON_OK)
		return false;
	root = json_root(&s->json);
	if (!json_str_id(&s->json, json_get(&s->json, root, STR("sub")), &cl->token_id))
		return false;
	json_str_id(&s->json, json_get(&s->json, root, STR("preferred_username")), &cl->token_name);
	switch (grant_read(&s->json, cl->grant_text, &n)) {
	case GRANT_BAD:
		return false;
	case GRANT_SOME:
		cl->grant = str_of(cl->grant_text, n);
		break;
	case GRANT_ALL:
		break;
	}
	if (!s->warned_trust_token) {
		s->warned_trust_token = true;
		LOG(&s->log, s->now.wall, LOG_WARN, "Tokens are believed unverified (auth=trust)");
	}
	return true;
}

/* --- dialect --- */

struct choice {
	enum dialect_id dialect;
	bool subprotocol;
	bool unknown;             /* a name was given that is none, or one that only a listener may choose */
	bool none;                /* nothing chose one */
};

static bool choose_by_subprotocol(const struct http_request *req, struct choice *ch)
{
	struct handshake_protocols it = { .req = req };
	struct str token, prefix = STR("presenced.");

	while (handshake_protocol_next(&it, &token)) {
		enum dialect_id d;

		if (!str_has_prefix(token, prefix) ||
		    !dialect_find(str_of(token.p + prefix.n, token.n - prefix.n), &d))
			continue;
		if (d == DIALECT_ECHO)
			continue;
		ch->dialect = d;
		ch->subprotocol = true;
		return true;
	}
	return false;
}

static struct choice choose_dialect(const struct server *s, const struct conn *c,
                                    const struct http_request *req, const struct claim *cl)
{
	const struct listener_config *l = &s->cfg->listeners[c->listener];
	struct choice ch = { .dialect = DIALECT_ROOMS };

	if (l->has_dialect) {
		struct choice offered = ch;

		ch.dialect = l->dialect;
		ch.subprotocol = choose_by_subprotocol(req, &offered) && offered.dialect == l->dialect;
		return ch;
	}
	if (choose_by_subprotocol(req, &ch))
		return ch;
	if (!str_absent(cl->dialect))
		ch.unknown = !dialect_find(cl->dialect, &ch.dialect) || ch.dialect == DIALECT_ECHO;
	else if (str_eq(req->path, STR("/")) || !str_absent(cl->upper_id))
		ch.dialect = DIALECT_UPPER;
	else if (!str_absent(cl->snake_id))
		ch.dialect = DIALECT_SNAKE;
	else if (!str_absent(cl->dotted_id))
		ch.dialect = DIALECT_DOTTED;
	else if (!str_absent(cl->token))
		ch.dialect = DIALECT_ROOMS;
	else
		ch.none = true;
	return ch;
}

/* --- identity --- */

/* The one id that all the request's ids say; false if they differ. */
static bool one_id(const struct claim *cl, struct str *out)
{
	const struct str all[] = { cl->token_id, cl->snake_id, cl->dotted_id, cl->upper_id };

	*out = STR_NONE;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (str_absent(all[i]))
			continue;
		if (str_absent(*out))
			*out = all[i];
		else if (!str_eq(*out, all[i]))
			return false;
	}
	return true;
}

/* --- caps --- */

static void address_key(const struct conn *c, uint8_t out[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memcpy(out, c->peer.address, 16);
	if (memcmp(out, mapped, 12) != 0)
		memset(out + 8, 0, 8); /* IPv6: a customer has a /64 */
}

static bool take_address(struct server *s, struct conn *c)
{
	uint8_t key[16];
	uint32_t i;
	struct address_count *a;

	if (s->cfg->connections_per_ip_max == 0 || s->cfg->listeners[c->listener].is_unix)
		return true;
	address_key(c, key);
	i = map_find(&s->addresses, str_of((const char *)key, 16));
	if (i == MAP_NONE) {
		i = pool_take(&s->address_cells);
		if (i == POOL_NONE)
			return false;
		a = pool_at(&s->address_cells, i);
		memcpy(a->address, key, 16);
		a->connections = 0;
		map_insert(&s->addresses, str_of((const char *)a->address, 16), i);
	}
	a = pool_at(&s->address_cells, i);
	if (a->connections >= s->cfg->connections_per_ip_max)
		return false;
	a->connections++;
	c->flags |= CONN_SLOT;
	return true;
}

void admission_forget(struct server *s, struct conn *c)
{
	uint8_t key[16];
	uint32_t i;
	struct address_count *a;

	strpool_drop(&s->grants, c->grant);
	c->grant = STRREF_NONE;
	if (!(c->flags & CONN_SLOT))
		return;
	c->flags &= ~(uint32_t)CONN_SLOT;
	address_key(c, key);
	i = map_find(&s->addresses, str_of((const char *)key, 16));
	assert(i != MAP_NONE);
	a = pool_at(&s->address_cells, i);
	if (--a->connections > 0)
		return;
	map_remove(&s->addresses, str_of((const char *)key, 16));
	pool_give(&s->address_cells, i);
}

/* False: refused, and answered. */
static bool within_caps(struct server *s, struct conn *c)
{
	if (s->draining) {
		refuse(s, c, 503, STR("shutting down"), REFUSED_DRAINING);
		return false;
	}
	if (s->metrics.connections >= s->cfg->connections_max) {
		refuse(s, c, 503, STR("too many connections"), REFUSED_SERVER_FULL);
		return false;
	}
	if (!bucket_take(&s->accept_bucket, s->cfg->connection_rate, s->cfg->connection_rate, s->now.mono)) {
		refuse(s, c, 503, STR("too many new connections"), REFUSED_CONNECTION_RATE);
		return false;
	}
	if (!take_address(s, c)) {
		refuse(s, c, 429, STR("too many connections from this address"), REFUSED_ADDRESS_CAP);
		return false;
	}
	return true;
}

/* --- the whole --- */

static void upgrade(struct server *s, struct conn *c, const struct handshake *hs, const struct identity *id)
{
	char head[HANDSHAKE_RESPONSE_BYTES_MAX], protocol[64];
	struct str name = dialect_name(id->dialect), prefix = STR("presenced.");
	uint32_t f;
	size_t n;

	assert(prefix.n + name.n <= sizeof(protocol));
	memcpy(protocol, prefix.p, prefix.n);
	memcpy(protocol + prefix.n, name.p, name.n);
	n = handshake_write(hs, id->subprotocol ? str_of(protocol, prefix.n + name.n) : STR_NONE,
	                    head, sizeof(head));
	assert(n > 0);
	s->metrics.http_responses[1]++;
	do
		f = frame_of(&s->frames, head, n);
	while (f == FRAME_NONE && outbox_free_frames(s, c));
	if (outbox_frame(s, c, f))
		session_start(s, c, id);
	else
		conn_doom(s, c);
}

/* Keeps the rooms that the token opens with the connection. False: refused, and answered. */
static bool keep_grant(struct server *s, struct conn *c, const struct claim *cl)
{
	strref kept = strpool_put(&s->grants, cl->grant);

	if (kept == STRREF_FULL) {
		refuse(s, c, 503, STR("no room for the token's rooms"), REFUSED_POOL);
		return false;
	}
	c->grant = kept;
	return true;
}

/* Fills *id; false: refused, and answered. */
static bool identify(struct server *s, struct conn *c, const struct http_request *req, struct claim *cl,
                     struct identity *id)
{
	struct choice ch;

	if (!read_claim(cl, req)) {
		refuse(s, c, 400, STR("an id or parameter is malformed or given twice"),
		       REFUSED_IDENTITY_BAD);
		return false;
	}
	ch = choose_dialect(s, c, req, cl);
	if (ch.unknown) {
		refuse(s, c, 400, STR("unknown dialect"), REFUSED_DIALECT);
		return false;
	}
	*id = (struct identity){
		.dialect = ch.dialect, .subprotocol = ch.subprotocol,
		.username = cl->username, .device_id = cl->device_id,
	};
	if (ch.dialect == DIALECT_ECHO) {
		id->anonymous = true;
		return true;
	}
	if (!believe_token(s, cl)) {
		refuse(s, c, 401, STR("the token is not one"), REFUSED_CREDENTIAL);
		return false;
	}
	if (!one_id(cl, &id->user_id)) {
		refuse(s, c, 400, STR("the request names different users"), REFUSED_IDENTITY_CONFLICT);
		return false;
	}
	if (str_absent(id->username))
		id->username = cl->token_name;
	id->anonymous = str_absent(id->user_id);
	if (id->anonymous && !str_eq(req->path, STR("/"))) {
		refuse(s, c, 401, STR("who are you? give user_id, userId, X-User-ID or a token"),
		       REFUSED_IDENTITY_MISSING);
		return false;
	}
	return true;
}

void admission_upgrade(struct server *s, struct conn *c, const struct http_request *req,
                       const struct handshake *hs)
{
	struct claim *cl = &s->claim;
	struct identity id;

	if (hs->outcome == HANDSHAKE_REFUSED) {
		refuse(s, c, hs->status, handshake_reason_text(hs->reason), REFUSED_HANDSHAKE);
		return;
	}
	if (!str_eq(req->path, STR("/ws")) && !str_eq(req->path, STR("/"))) {
		refuse(s, c, 404, STR("WebSockets are at /ws and /"), REFUSED_NOT_FOUND);
		return;
	}
	if (!admission_origin_allowed(s, c, req)) {
		refuse(s, c, 403, STR("this Origin is not allowed"), REFUSED_ORIGIN);
		return;
	}
	if (identify(s, c, req, cl, &id) && within_caps(s, c) && keep_grant(s, c, cl))
		upgrade(s, c, hs, &id);
}
