/*
 * Invariant: every answer is bounded: pages of connections, and
 * at most CLOSE_AT_ONCE_MAX connections closed by one request.
 */
#include "server/admin.h"

#include "base/hex.h"
#include "dialect/status.h"
#include "server/address.h"
#include "server/respond.h"
#include "server/session.h"
#include "server/state.h"
#include "wire/uri.h"

enum {
	CLOSE_AT_ONCE_MAX = 1024,
	PAGE_DEFAULT = 100,
	PAGE_MAX = 500,
	NUMBER_DIGITS_MAX = 10,
	MS_PER_S = 1000,
};

static void member_str(struct jsonw *w, struct str key, struct str value)
{
	jsonw_key(w, key);
	jsonw_str_or_null(w, value);
}

static void member_u64(struct jsonw *w, struct str key, uint64_t value)
{
	jsonw_key(w, key);
	jsonw_u64(w, value);
}

/* --- connections --- */

/* The parameter as a number: `absent` without it; false when it is none. */
static bool number(const struct http_request *req, struct str name, uint64_t absent, uint64_t *out)
{
	char buf[NUMBER_DIGITS_MAX];
	struct str text;
	enum uri_result found = uri_query_get(req->query, name, buf, sizeof(buf), &text);

	*out = absent;
	if (found != URI_OK)
		return found == URI_ABSENT;
	*out = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*out = 10 * *out + (uint64_t)(text.p[i] - '0');
	}
	return text.n > 0;
}

static wall_t wall_of(const struct server *s, mono_t at)
{
	return (wall_t){ s->now.wall.ms - mono_since_ms(s->now.mono, at) };
}

static void write_connection(struct server *s, struct jsonw *w, uint32_t ci)
{
	const struct conn *c = conn_at(s, ci);
	struct conn_id_text id = conn_id(c);
	struct address_text address = address_text(&c->peer);
	struct device_view d = { .connected_at = WALL_NONE };
	struct str user = STR_NONE;

	if (!engine_whois(s->engine, ci, &user, &d, s->now)) {
		d = (struct device_view){ .connected_at = WALL_NONE };
		user = STR_NONE;
	}
	jsonw_obj(w);
	member_str(w, STR("connection_id"), str_of(id.text, HEX_U64_BYTES));
	member_str(w, STR("user_id"), user);
	member_str(w, STR("device_id"), d.device_id);
	member_str(w, STR("dialect"), dialect_name((enum dialect_id)c->dialect));
	member_str(w, STR("address"), address_str(&address));
	jsonw_key(w, STR("connected_at"));
	jsonw_wall(w, d.connected_at);
	jsonw_key(w, STR("last_seen"));
	jsonw_wall(w, wall_of(s, c->heard));
	member_u64(w, STR("queued_messages"), c->queued_messages);
	member_u64(w, STR("queued_bytes"), c->queued_bytes);
	jsonw_end_obj(w);
}

/* WebSocket connections from slot `from` on, at most `limit`.
 * Returns the slot to go on from; conns_high: there are no more. */
static uint32_t write_page(struct server *s, struct jsonw *w, uint64_t from, uint64_t limit)
{
	uint64_t count = 0;
	uint32_t ci = from < s->conns_high ? (uint32_t)from : s->conns_high;

	jsonw_key(w, STR("connections"));
	jsonw_arr(w);
	for (; ci < s->conns_high && count < limit; ci++) {
		if (conn_at(s, ci)->state != CONN_LIVE)
			continue;
		write_connection(s, w, ci);
		count++;
	}
	jsonw_end_arr(w);
	member_u64(w, STR("count"), count);
	while (ci < s->conns_high && conn_at(s, ci)->state != CONN_LIVE)
		ci++;
	return ci;
}

void admin_connections(struct server *s, struct conn *c, struct rest_call *call)
{
	uint64_t after, limit;
	struct response r;
	uint32_t next;

	if (!number(call->request, STR("after"), 0, &after)) {
		rest_refuse(s, c, 400, STR("after: what an earlier answer gave as next"), REFUSED_BODY);
		return;
	}
	if (!number(call->request, STR("limit"), PAGE_DEFAULT, &limit) || limit < 1 || limit > PAGE_MAX) {
		rest_refuse(s, c, 400, STR("limit: a number from 1 to 500"), REFUSED_BODY);
		return;
	}
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	next = write_page(s, r.json, after, limit);
	jsonw_key(r.json, STR("next"));
	if (next < s->conns_high)
		jsonw_u64(r.json, next);
	else
		jsonw_null(r.json);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

static bool kick(struct server *s, uint32_t ci)
{
	struct conn *c = conn_at(s, ci);

	if (c->state != CONN_LIVE)
		return false;
	session_close(s, c, SESSION_CLOSE_KICKED, STR("closed by an operator"), REFUSED_KICKED);
	return true;
}

void admin_close_connection(struct server *s, struct conn *c, struct rest_call *call)
{
	uint64_t key;

	if (!hex_get_u64(call->id, &key) || key == 0) {
		rest_refuse(s, c, 404, STR("no such connection"), REFUSED_NOT_FOUND);
		return;
	}
	for (uint32_t ci = 0; ci < s->conns_high; ci++) {
		if (conn_at(s, ci)->key == key && kick(s, ci)) {
			respond_empty(s, c, 204);
			return;
		}
	}
	if (engine_kick_one_elsewhere(s->engine, key)) {
		respond_empty(s, c, 204);
		return;
	}
	rest_refuse(s, c, 404, STR("no such connection"), REFUSED_NOT_FOUND);
}

void admin_close_user(struct server *s, struct conn *c, struct rest_call *call)
{
	uint32_t conns[CLOSE_AT_ONCE_MAX];
	uint32_t all = engine_connections_of(s->engine, call->id, conns, CLOSE_AT_ONCE_MAX);
	uint32_t n = all < CLOSE_AT_ONCE_MAX ? all : CLOSE_AT_ONCE_MAX, closed = 0;
	struct response r;

	for (uint32_t i = 0; i < n; i++)
		closed += kick(s, conns[i]);
	closed += engine_kick_elsewhere(s->engine, call->id);
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	member_u64(r.json, STR("closed"), closed);
	member_u64(r.json, STR("remaining"), all - n);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

void admin_drain(struct server *s, struct conn *c, struct rest_call *call)
{
	(void)call;
	/* First the answer: draining closes a connection that waits for none. */
	c->flags |= CONN_LAST_RESPONSE;
	respond_empty(s, c, 202);
	server_drain(s);
}

/* --- stats --- */

static void write_users(struct jsonw *w, const struct engine_stats *st)
{
	jsonw_key(w, STR("users"));
	jsonw_obj(w);
	for (int i = 0; i < STATUS_COUNT; i++)
		member_u64(w, status_word((enum status)i), st->users_by_status[i]);
	member_u64(w, STR("connected"), st->users_online);
	member_u64(w, STR("known"), st->users_known);
	jsonw_end_obj(w);
}

static void write_connections(struct jsonw *w, const struct metrics *m)
{
	member_u64(w, STR("connections"), m->connections);
	jsonw_key(w, STR("connections_by_dialect"));
	jsonw_obj(w);
	for (int d = 0; d < DIALECT_COUNT; d++)
		member_u64(w, dialect_name((enum dialect_id)d), m->connections_by_dialect[d]);
	jsonw_end_obj(w);
}

static void write_memory(struct jsonw *w, const struct server *s)
{
	struct metrics_pool p;

	jsonw_key(w, STR("memory"));
	jsonw_obj(w);
	member_u64(w, STR("reserved_bytes"), s->memory_bytes);
	jsonw_key(w, STR("pools"));
	jsonw_obj(w);
	for (uint32_t i = 0; metrics_pool(s, i, &p); i++) {
		jsonw_key(w, p.name);
		jsonw_obj(w);
		member_u64(w, STR("used"), p.used);
		member_u64(w, STR("size"), p.size);
		jsonw_end_obj(w);
	}
	jsonw_end_obj(w);
	jsonw_end_obj(w);
}

void admin_stats(struct server *s, struct conn *c, struct rest_call *call)
{
	struct engine_stats st;
	struct response r;

	(void)call;
	engine_stats(s->engine, &st);
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	write_connections(r.json, &s->metrics);
	write_users(r.json, &st);
	member_u64(r.json, STR("devices"), st.devices);
	member_u64(r.json, STR("rooms"), st.rooms);
	member_u64(r.json, STR("subscriptions"), st.subscriptions);
	member_u64(r.json, STR("watches"), st.watches);
	member_u64(r.json, STR("typing"), st.typing);
	member_u64(r.json, STR("calls"), st.calls);
	write_memory(r.json, s);
	member_u64(r.json, STR("nodes"), s->cfg->clustered ? s->peers.nodes(s->peers.link.ctx) : 1);
	jsonw_key(r.json, STR("draining"));
	jsonw_bool(r.json, s->draining);
	jsonw_key(r.json, STR("uptime"));
	jsonw_i64(r.json, mono_since_ms(s->now.mono, s->started_mono) / MS_PER_S);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}
