/*
 * Invariants: a path matches at most one pattern of the table, the first that fits: rows of one pattern stand
 * side by side, fixed paths come before those with {id}. Every request gets exactly one answer. The path is
 * decoded into the claim, which only handshakes use.
 */
#include "server/rest.h"

#include "base/utf8.h"
#include "server/admin.h"
#include "server/api.h"
#include "server/credential.h"
#include "server/health.h"
#include "server/outbox.h"
#include "server/respond.h"
#include "server/state.h"
#include "wire/uri.h"

enum {
	ALLOW_BYTES = 64,           /* every method's name, with commas */
	ORIGIN_BYTES_MAX = 272,     /* scheme, a DNS name, port: longer ones are nobody's,
	                             * and would not fit an answer's head */
};

enum method_set {
	GET = 1 << HTTP_GET | 1 << HTTP_HEAD,
	POST = 1 << HTTP_POST,
	PUT = 1 << HTTP_PUT,
	DELETE = 1 << HTTP_DELETE,
};

enum body_need { BODY_UNREAD, BODY_MAY, BODY_MUST };

struct route {
	unsigned methods;           /* enum method_set */
	struct str path;            /* segments; {id} stands for any one that is an id */
	enum access access;
	enum body_need body;
	void (*handle)(struct server *, struct conn *, struct rest_call *);
};

static const struct route routes[] = {
	{ GET, STR("/"), ACCESS_FREE, BODY_UNREAD, health_upgrade_required },
	{ GET, STR("/ws"), ACCESS_FREE, BODY_UNREAD, health_upgrade_required },
	{ GET, STR("/health"), ACCESS_FREE, BODY_UNREAD, health_health },
	{ GET, STR("/live"), ACCESS_FREE, BODY_UNREAD, health_live },
	{ GET, STR("/ready"), ACCESS_FREE, BODY_UNREAD, health_ready },
	{ GET, STR("/metrics"), ACCESS_FREE, BODY_UNREAD, health_metrics },
	{ GET, STR("/favicon.ico"), ACCESS_FREE, BODY_UNREAD, health_favicon },
	{ GET, STR("/robots.txt"), ACCESS_FREE, BODY_UNREAD, health_robots },
	{ GET, STR("/presence"), ACCESS_READ, BODY_UNREAD, api_all_presence },
	{ POST, STR("/api/v1/presence/bulk"), ACCESS_READ, BODY_MUST, api_bulk },
	{ POST, STR("/api/v1/typing"), ACCESS_WRITE, BODY_MUST, api_typing },
	{ POST, STR("/api/v1/broadcast"), ACCESS_WRITE, BODY_MUST, api_broadcast },
	{ GET, STR("/admin/connections"), ACCESS_ADMIN, BODY_UNREAD, admin_connections },
	{ GET, STR("/admin/stats"), ACCESS_ADMIN, BODY_UNREAD, admin_stats },
	{ POST, STR("/admin/drain"), ACCESS_ADMIN, BODY_MAY, admin_drain },
	{ DELETE, STR("/admin/connections/{id}"), ACCESS_ADMIN, BODY_MAY, admin_close_connection },
	{ DELETE, STR("/admin/users/{id}"), ACCESS_ADMIN, BODY_MAY, admin_close_user },
	{ GET, STR("/presence/{id}"), ACCESS_READ, BODY_UNREAD, api_seed_presence },
	{ GET, STR("/api/v1/presence/{id}"), ACCESS_READ, BODY_UNREAD, api_presence },
	{ PUT | POST, STR("/api/v1/presence/{id}"), ACCESS_WRITE, BODY_MUST, api_set_presence },
	{ POST, STR("/api/v1/presence/{id}/heartbeat"), ACCESS_WRITE, BODY_MAY, api_heartbeat },
	{ GET, STR("/api/v1/presence/{id}/devices"), ACCESS_READ, BODY_UNREAD, api_devices },
	{ GET, STR("/{id}"), ACCESS_READ, BODY_UNREAD, api_presence },
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* --- answers --- */

void rest_refuse(struct server *s, struct conn *c, unsigned status, struct str message, enum refusal why)
{
	assert(status >= 400 && status != 405);
	respond_error(s, c, &(struct respond_error){
		.status = status, .message = message, .why = why,
	});
}

bool rest_body_ok(struct server *s, struct conn *c, const struct body *b)
{
	if (body_ok(b))
		return true;
	rest_refuse(s, c, 400, b->refused, REFUSED_BODY);
	return false;
}

/* --- routing --- */

/* Takes the next segment of a pattern (behind a slash) off its front. */
static struct str next_segment(struct str *rest)
{
	const char *slash;
	struct str segment;

	assert(rest->n > 0 && rest->p[0] == '/');
	*rest = str_of(rest->p + 1, rest->n - 1);
	slash = rest->n == 0 ? NULL : memchr(rest->p, '/', rest->n);
	segment = str_of(rest->p, slash == NULL ? rest->n : (size_t)(slash - rest->p));
	*rest = str_of(rest->p + segment.n, rest->n - segment.n);
	return segment;
}

static bool fits(struct str pattern, const struct uri_path *path, struct str *id)
{
	*id = STR_NONE;
	if (pattern.n == 1)
		return path->n == 0;
	for (size_t i = 0; i < path->n; i++) {
		struct str want;

		if (pattern.n == 0)
			return false;
		want = next_segment(&pattern);
		if (str_eq(want, STR("{id}")))
			*id = path->segments[i];
		else if (!str_eq(want, path->segments[i]))
			return false;
	}
	return pattern.n == 0 && path->n > 0;
}

/* The first row of the pattern that the path is; ROUTES: none. */
static size_t find(const struct uri_path *path, struct str *id)
{
	size_t i = 0;

	while (i < ROUTES && !fits(routes[i].path, path, id))
		i++;
	return i;
}

static bool same_path(size_t row, size_t first)
{
	return row < ROUTES && str_eq(routes[row].path, routes[first].path);
}

/* The row for the method among those of one pattern; NULL: none takes it. */
static const struct route *row_for(size_t first, enum http_method method)
{
	for (size_t i = first; same_path(i, first); i++)
		if (routes[i].methods & 1u << method)
			return &routes[i];
	return NULL;
}

static unsigned methods_of(size_t first)
{
	unsigned methods = 0;

	for (size_t i = first; same_path(i, first); i++)
		methods |= routes[i].methods;
	return methods;
}

/* The value of Allow, in `buf`. */
static struct str allow(unsigned methods, char buf[ALLOW_BYTES])
{
	static const struct {
		enum http_method method;
		struct str name;
	} names[] = {
		{ HTTP_GET, STR("GET, ") }, { HTTP_HEAD, STR("HEAD, ") }, { HTTP_POST, STR("POST, ") },
		{ HTTP_PUT, STR("PUT, ") }, { HTTP_DELETE, STR("DELETE, ") },
	}, last = { HTTP_OPTIONS, STR("OPTIONS") };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(methods & 1u << names[i].method))
			continue;
		assert(n + names[i].name.n + last.name.n <= ALLOW_BYTES);
		memcpy(buf + n, names[i].name.p, names[i].name.n);
		n += names[i].name.n;
	}
	memcpy(buf + n, last.name.p, last.name.n);
	return str_of(buf, n + last.name.n);
}

/* --- OPTIONS and CORS --- */

size_t rest_cors_headers(const struct server *s, const struct conn *c, const struct http_request *req,
                         struct http_header out[CORS_HEADERS_MAX])
{
	struct str origin = http_header(req, STR("origin"));

	if (str_absent(origin) || origin.n > ORIGIN_BYTES_MAX || !admission_origin_allowed(s, c, req))
		return 0;
	/* Not the peer's words where any may come. */
	out[0] = (struct http_header){ STR("Access-Control-Allow-Origin"),
	                               s->cfg->origins_any ? STR("*") : origin };
	out[1] = (struct http_header){ STR("Vary"), STR("Origin") };
	return s->cfg->origins_any ? 1 : 2;
}

/* 204 with what the path allows; to a page of an allowed Origin, what it may send. */
static void options(struct server *s, struct conn *c, const struct http_request *req, unsigned methods)
{
	char allowed[ALLOW_BYTES];
	struct http_header cors[CORS_HEADERS_MAX], own[RESPOND_HEADERS_MAX];
	struct str list = allow(methods, allowed);
	size_t n = 0;

	if (rest_cors_headers(s, c, req, cors) > 0) {
		own[n++] = (struct http_header){ STR("Access-Control-Allow-Methods"), list };
		own[n++] = (struct http_header){ STR("Access-Control-Allow-Headers"),
		                                 STR("Authorization, Content-Type, X-Device-ID") };
		own[n++] = (struct http_header){ STR("Access-Control-Max-Age"), STR("600") };
	}
	own[n++] = (struct http_header){ STR("Allow"), list };
	respond_options(s, c, own, n);
}

/* --- one request --- */

/* False: refused and answered, or put off. */
static bool authorised(struct server *s, struct conn *c, struct rest_call *call, enum access access)
{
	struct credential cred;
	enum verdict v = credential_check(s, c, call->request, access, &cred);

	call->grant = cred.grant;
	switch (v) {
	case VERDICT_ALLOWED:
		return true;
	case VERDICT_BAD:
		respond_error(s, c, &(struct respond_error){
			.status = 401, .message = STR("the credential is not valid"), .bad_token = true,
			.why = REFUSED_CREDENTIAL,
		});
		return false;
	case VERDICT_MISSING:
		rest_refuse(s, c, 401, STR("a credential is required"), REFUSED_CREDENTIAL);
		return false;
	case VERDICT_ORIGIN:
		rest_refuse(s, c, 403, STR("this Origin is not allowed"), REFUSED_ORIGIN);
		return false;
	case VERDICT_WAIT:
		if (!waiting_add_request(s, c, cred.what))
			rest_refuse(s, c, 503, STR("too many are waiting"), REFUSED_POOL);
		return false;
	case VERDICT_FLOOD:
		rest_refuse(s, c, 429, STR("too many bad tokens from this address"), REFUSED_TOKEN_FLOOD);
		return false;
	case VERDICT_FORBIDDEN:
		break;
	}
	rest_refuse(s, c, 403, STR("not allowed"), REFUSED_FORBIDDEN);
	return false;
}

/* False: refused, and answered. */
static bool opened(struct server *s, struct conn *c, struct rest_call *call, enum body_need need,
                   uint8_t *body, size_t bytes)
{
	if (need == BODY_UNREAD)
		return true;
	switch (body_open(&call->body, &s->json, s->scratch, call->request, body, bytes)) {
	case BODY_OK:
		return true;
	case BODY_EMPTY:
		if (need == BODY_MUST)
			rest_refuse(s, c, 400, STR("a JSON object is required as body"), REFUSED_BODY);
		return need == BODY_MAY;
	case BODY_MEDIA_TYPE:
		rest_refuse(s, c, 415, STR("the body must be application/json"), REFUSED_MEDIA_TYPE);
		return false;
	case BODY_JSON:
		rest_refuse(s, c, 400, call->body.refused, REFUSED_JSON);
		return false;
	case BODY_OBJECT:
		break;
	}
	rest_refuse(s, c, 400, STR("the body must be a JSON object"), REFUSED_BODY);
	return false;
}

static void serve(struct server *s, struct conn *c, struct rest_call *call, size_t first,
                  uint8_t *body, size_t bytes)
{
	const struct route *r = row_for(first, call->request->method);
	char allowed[ALLOW_BYTES];

	if (!authorised(s, c, call, r == NULL ? ACCESS_FREE : r->access))
		return;
	if (r == NULL) {
		respond_error(s, c, &(struct respond_error){
			.status = 405, .message = STR("method not allowed"),
			.allow = allow(methods_of(first), allowed), .why = REFUSED_METHOD,
		});
		return;
	}
	if (!str_absent(call->id) && !utf8_is_id(call->id)) {
		rest_refuse(s, c, 400, STR("the path holds no valid id"), REFUSED_IDENTITY_BAD);
		return;
	}
	if (!opened(s, c, call, r->body, body, bytes))
		return;
	if (r->access == ACCESS_WRITE && server_emptied(s)) {
		rest_refuse(s, c, 503, STR("shutting down"), REFUSED_DRAINING);
		return;
	}
	s->acting = c;
	r->handle(s, c, call);
	s->acting = NULL;
}

void rest_handle(struct server *s, struct conn *c, const struct http_request *req, uint8_t *body,
                 size_t body_bytes)
{
	struct rest_call call = { .request = req, .body = { .root = JSON_ABSENT }, .grant = STR_NONE };
	struct uri_path path = { .n = 0 };
	enum uri_result split;
	size_t first = ROUTES;

	if (req->method == HTTP_OPTIONS && str_eq(req->path, STR("*"))) {
		options(s, c, req, GET | POST | PUT | DELETE);
		return;
	}
	split = uri_path_split(req->path, s->claim.token_text, sizeof(s->claim.token_text), &path);
	if (split == URI_OK)
		first = find(&path, &call.id);
	if (split != URI_OK && split != URI_TOO_LONG)
		rest_refuse(s, c, 400, STR("the path is malformed"), REFUSED_HTTP_MALFORMED);
	else if (first < ROUTES && req->method == HTTP_OPTIONS)
		options(s, c, req, methods_of(first));
	else if (first < ROUTES)
		serve(s, c, &call, first, body, body_bytes);
	else if (authorised(s, c, &call, ACCESS_FREE)) /* whatever is asked: 401 for a bad credential */
		rest_refuse(s, c, 404, STR("no such path"), REFUSED_NOT_FOUND);
}
