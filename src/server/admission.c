/*
 * Order of the checks: the handshake itself, the path, the Origin, whether there is room (what follows may
 * cost a signature or a question), the dialect, the identity, then what costs others something: caps.
 * Nothing is counted or allocated for a connection that is refused. What is said about a request borrows it
 * or the `struct claim`.
 */
#include "server/admission.h"

#include "base/utf8.h"
#include "server/address.h"
#include "server/authenticate.h"
#include "server/credential.h"
#include "server/forwarded.h"
#include "server/outbox.h"
#include "server/respond.h"
#include "server/session.h"
#include "server/state.h"
#include "wire/origin.h"
#include "wire/uri.h"

static void refuse(struct server *s, struct conn *c, unsigned status, struct str message, enum refusal why)
{
	respond_error(s, c, &(struct respond_error){
		.status = status, .message = message, .last = true, .why = why,
		.allow = status == 405 ? STR("GET") : STR_NONE,
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

static bool is_id(struct str s)
{
	return str_absent(s) || utf8_is_id(s);
}

/* Reads everything; false: 400. A token that is malformed, and two of them, make token.n == 0: 401. */
static bool read_claim(struct claim *cl, const struct http_request *req)
{
	struct str in_query, in_header;
	bool bad;

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
	bad = cl->bad;
	cl->bad = false;
	in_query = parameter(cl, req, STR("token"), cl->token_text, sizeof(cl->token_text));
	in_header = credential_bearer(header(cl, req, STR("authorization")));
	cl->token = str_absent(in_query) ? in_header : in_query;
	if (cl->bad || (!str_absent(in_query) && !str_absent(in_header) && !str_eq(in_query, in_header)))
		cl->token = str_of("", 0);
	return !bad && is_id(cl->snake_id) && is_id(cl->dotted_id) && is_id(cl->upper_id) &&
	       is_id(cl->username) && is_id(cl->device_id);
}

/* --- dialect --- */

struct choice {
	enum dialect_id dialect;
	bool subprotocol;
	bool unknown;             /* a name was given that is none, or one that only a listener may choose */
	bool none;                /* nothing chose one */
	bool named;               /* listener, protocol or parameter did: the request means it */
};

/* The next dialect that is offered as presenced.NAME. */
static bool next_offered(struct handshake_protocols *it, enum dialect_id *d)
{
	const struct str prefix = STR("presenced.");
	struct str token;

	while (handshake_protocol_next(it, &token))
		if (str_has_prefix(token, prefix) &&
		    dialect_find(str_of(token.p + prefix.n, token.n - prefix.n), d))
			return true;
	return false;
}

static bool is_offered(const struct http_request *req, enum dialect_id dialect)
{
	struct handshake_protocols it = { .req = req };
	enum dialect_id d;

	while (next_offered(&it, &d))
		if (d == dialect)
			return true;
	return false;
}

static bool choose_by_subprotocol(const struct http_request *req, struct choice *ch)
{
	struct handshake_protocols it = { .req = req };
	enum dialect_id d;

	while (next_offered(&it, &d)) {
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
		ch.dialect = l->dialect;
		ch.named = true;
		ch.subprotocol = is_offered(req, l->dialect);
		return ch;
	}
	ch.named = choose_by_subprotocol(req, &ch) || !str_absent(cl->dialect);
	if (ch.subprotocol)
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

/* The one id that all the request's ids and the token's subject say; false if they differ. */
static bool one_id(const struct claim *cl, struct str subject, struct str *out)
{
	const struct str all[] = { subject, cl->snake_id, cl->dotted_id, cl->upper_id };

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

/* Puts the request off; false: it was refused instead. */
static void wait_for(struct server *s, struct conn *c, uint32_t what)
{
	if (!waiting_add_request(s, c, what))
		refuse(s, c, 503, STR("too many are waiting"), REFUSED_POOL);
}

/* True: the token is good. False: refused and answered, or put off. */
static bool check_token(struct server *s, struct conn *c, const struct claim *cl, struct token *t)
{
	bool waited = waiting_is_again(s, c);
	enum jwt_result why;

	switch (token_check(s, &c->peer, cl->token, waited, t, &why)) {
	case TOKEN_VALID:
		return true;
	case TOKEN_BAD: {
		const char *text = jwt_result_text(why);

		respond_error(s, c, &(struct respond_error){
			.status = 401, .message = str_of(text, strlen(text)), .bad_token = true,
			.last = true, .why = REFUSED_CREDENTIAL,
		});
		return false;
	}
	case TOKEN_WAIT_KEYS:
		wait_for(s, c, WAIT_KEYS);
		return false;
	case TOKEN_WAIT_TURN:
		wait_for(s, c, WAIT_TURN);
		return false;
	case TOKEN_FLOOD:
		break;
	}
	refuse(s, c, 429, STR("too many bad tokens from this address"), REFUSED_TOKEN_FLOOD);
	return false;
}

/* True: the operator's service knows the user, or is not asked. False: refused and answered, or put off. */
static bool check_user(struct server *s, struct conn *c, struct str user_id)
{
	uint32_t ticket;

	switch (user_check(s, user_id, &ticket)) {
	case USER_KNOWN:
		return true;
	case USER_ASKED:
		wait_for(s, c, ticket);
		return false;
	case USER_UNKNOWN:
		refuse(s, c, 403, STR("unknown user"), REFUSED_USER_UNKNOWN);
		return false;
	case USER_UNANSWERED:
	case USER_CHECK_VERDICTS:
		break;
	}
	refuse(s, c, 503, STR("whether the user exists cannot be asked now"), REFUSED_OUTSIDE);
	return false;
}

/* Nobody says who it is, or under auth=jwt no token proves it. False: refused, and answered. */
static bool without_token(struct server *s, struct conn *c, const struct http_request *req,
                          const struct choice *ch, struct identity *id)
{
	if (s->cfg->auth == AUTH_JWT && ch->dialect == DIALECT_DOTTED && ch->named) {
		id->stranger = true;
		return true;
	}
	id->anonymous = str_absent(id->user_id) && s->cfg->auth == AUTH_TRUST;
	if (s->cfg->auth == AUTH_TRUST && (!id->anonymous || str_eq(req->path, STR("/"))))
		return true;
	refuse(s, c, 401, s->cfg->auth == AUTH_JWT ?
	       STR("a token is required: ?token= or Authorization: Bearer") :
	       STR("who are you? give user_id, userId, X-User-ID or a token"), REFUSED_IDENTITY_MISSING);
	return false;
}

/* --- caps --- */

static bool counts_address(const struct server *s, const struct conn *c)
{
	return s->cfg->connections_per_ip_max > 0 && !address_is_none(c->peer.address);
}

static bool address_is_over(const struct server *s, const struct conn *c)
{
	uint8_t key[ADDRESS_KEY_BYTES];
	const struct address_count *a;
	uint32_t i;

	if (!counts_address(s, c))
		return false;
	address_key(&c->peer, key);
	i = map_find(&s->addresses, str_of((const char *)key, 16));
	a = i == MAP_NONE ? NULL : pool_at(&s->address_cells, i);
	return a != NULL && a->connections >= s->cfg->connections_per_ip_max;
}

/* False: there is no cell for the address. */
static bool take_address(struct server *s, struct conn *c)
{
	uint8_t key[ADDRESS_KEY_BYTES];
	uint32_t i;
	struct address_count *a;

	if (!counts_address(s, c))
		return true;
	address_key(&c->peer, key);
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
	assert(a->connections < s->cfg->connections_per_ip_max);
	a->connections++;
	c->flags |= CONN_SLOT;
	return true;
}

void admission_forget(struct server *s, struct conn *c)
{
	uint8_t key[ADDRESS_KEY_BYTES];
	uint32_t i;
	struct address_count *a;

	strpool_drop(&s->grants, c->grant);
	c->grant = STRREF_NONE;
	if (!(c->flags & CONN_SLOT))
		return;
	c->flags &= ~(uint32_t)CONN_SLOT;
	address_key(&c->peer, key);
	i = map_find(&s->addresses, str_of((const char *)key, 16));
	assert(i != MAP_NONE);
	a = pool_at(&s->address_cells, i);
	if (--a->connections > 0)
		return;
	map_remove(&s->addresses, str_of((const char *)key, 16));
	pool_give(&s->address_cells, i);
}

/* Takes nothing yet. False: refused, and answered. */
static bool has_room(struct server *s, struct conn *c)
{
	if (s->draining) {
		refuse(s, c, 503, STR("shutting down"), REFUSED_DRAINING);
		return false;
	}
	if (s->metrics.connections >= s->cfg->connections_max) {
		refuse(s, c, 503, STR("too many connections"), REFUSED_SERVER_FULL);
		return false;
	}
	if (address_is_over(s, c)) {
		refuse(s, c, 429, STR("too many connections from this address"), REFUSED_ADDRESS_CAP);
		return false;
	}
	return true;
}

/* Behind has_room(), in the same look at the request. False: refused, and answered. */
static bool within_caps(struct server *s, struct conn *c)
{
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

/* Keeps what the connection is allowed, or what a stranger said of itself. False: refused, and answered. */
static bool keep_grant(struct server *s, struct conn *c, const struct identity *id, struct str grant)
{
	bool kept;

	if (id->stranger) {
		kept = authenticate_expect(s, c, id->device_id, id->user_id);
	} else {
		c->grant = strpool_put(&s->grants, grant);
		kept = c->grant != STRREF_FULL;
		c->grant = kept ? c->grant : STRREF_NONE;
	}
	if (!kept)
		refuse(s, c, 503, STR("no room for the token's rooms"), REFUSED_POOL);
	return kept;
}

/* Who it is, by what the request says and its token proves. False: refused and answered, or put off. */
static bool identify(struct server *s, struct conn *c, const struct http_request *req,
                     const struct choice *ch, struct identity *id, struct str *grant)
{
	struct claim *cl = &s->claim;
	struct token t = { .subject = STR_NONE, .username = STR_NONE, .grant = STR_NONE,
		           .expires = WALL_NONE };
	bool has_token = !str_absent(cl->token);

	if (has_token && !check_token(s, c, cl, &t))
		return false;
	*grant = t.grant;
	id->expires = t.expires;
	if (!one_id(cl, t.subject, &id->user_id)) {
		refuse(s, c, 400, STR("the request names different users"), REFUSED_IDENTITY_CONFLICT);
		return false;
	}
	/* A name that anybody can claim to have counts only where ids are believed as well. */
	if (s->cfg->auth == AUTH_JWT || str_absent(id->username))
		id->username = t.username;
	if (has_token || (s->cfg->auth == AUTH_TRUST && !str_absent(id->user_id)))
		return check_user(s, c, id->user_id);
	return without_token(s, c, req, ch, id);
}

/* False: refused and answered, or put off. */
static bool admit(struct server *s, struct conn *c, const struct http_request *req, struct identity *id,
                  struct str *grant)
{
	struct claim *cl = &s->claim;
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
		.username = cl->username, .device_id = cl->device_id, .expires = WALL_NONE,
	};
	*grant = STR_NONE;
	id->anonymous = ch.dialect == DIALECT_ECHO;
	return id->anonymous || identify(s, c, req, &ch, id, grant);
}

void admission_upgrade(struct server *s, struct conn *c, const struct http_request *req,
                       const struct handshake *hs)
{
	struct identity id;
	struct str grant;

	forwarded_apply(s->cfg, req, &c->peer);
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
	if (has_room(s, c) && admit(s, c, req, &id, &grant) && within_caps(s, c) &&
	    keep_grant(s, c, &id, grant))
		upgrade(s, c, hs, &id);
}
