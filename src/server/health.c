/* server/health.c: see health.h. */
#include "server/health.h"

#include "server/respond.h"
#include "server/state.h"

enum { MS_PER_S = 1000 };

void health_health(struct server *s, struct conn *c, struct rest_call *call)
{
	const struct listener_config *l = &s->cfg->listeners[c->listener];
	bool upper = l->has_dialect && l->dialect == DIALECT_UPPER;
	struct response r;

	(void)call;
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	jsonw_key(r.json, STR("status"));
	jsonw_str(r.json, upper ? STR("OK") : STR("healthy")); /* seed 004, seed 002 */
	jsonw_key(r.json, STR("service"));
	jsonw_str(r.json, s->cfg->service_name);
	jsonw_key(r.json, STR("active_connections"));
	jsonw_u64(r.json, s->metrics.connections);
	jsonw_key(r.json, STR("timestamp"));
	jsonw_wall(r.json, s->now.wall);
	jsonw_key(r.json, STR("uptime"));
	jsonw_i64(r.json, mono_since_ms(s->now.mono, s->started_mono) / MS_PER_S);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

void health_live(struct server *s, struct conn *c, struct rest_call *call)
{
	struct response r;

	(void)call;
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	jsonw_key(r.json, STR("status"));
	jsonw_str(r.json, STR("live"));
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, 200, RESPOND_JSON);
}

void health_ready(struct server *s, struct conn *c, struct rest_call *call)
{
	enum peers_health peers = s->cfg->clustered ? s->peers.health(s->peers.link.ctx) : PEERS_READY;
	bool ready = !s->draining && keys_ready(s) && peers == PEERS_READY;
	struct response r;

	(void)call;
	respond_open(s, c, &r);
	jsonw_obj(r.json);
	jsonw_key(r.json, STR("status"));
	jsonw_str(r.json, ready ? STR("ready") : STR("unavailable"));
	jsonw_key(r.json, STR("checks"));
	jsonw_obj(r.json);
	if (s->draining) {
		jsonw_key(r.json, STR("draining"));
		jsonw_bool(r.json, true);
	}
	if (s->cfg->token.has_jwks_url) {
		jsonw_key(r.json, STR("jwks"));
		jsonw_str(r.json, keys_ready(s) ? STR("ok") : STR("unavailable"));
	}
	if (s->cfg->clustered) {
		jsonw_key(r.json, STR("redis"));
		jsonw_str(r.json, peers == PEERS_READY ? STR("ok") :
		                  peers == PEERS_JOINING ? STR("joining") : STR("unavailable"));
	}
	jsonw_end_obj(r.json);
	jsonw_end_obj(r.json);
	respond_close(s, c, &r, ready ? 200 : 503, RESPOND_JSON);
}

void health_metrics(struct server *s, struct conn *c, struct rest_call *call)
{
	struct response r;

	(void)call;
	respond_open(s, c, &r);
	metrics_write(s, r.json);
	respond_close(s, c, &r, 200, RESPOND_METRICS);
}

void health_robots(struct server *s, struct conn *c, struct rest_call *call)
{
	struct response r;

	(void)call;
	respond_open(s, c, &r);
	jsonw_splice(r.json, STR("User-agent: *\nDisallow: /\n"));
	respond_close(s, c, &r, 200, STR("text/plain"));
}

void health_favicon(struct server *s, struct conn *c, struct rest_call *call)
{
	(void)call;
	rest_refuse(s, c, 404, STR("there is no icon"), REFUSED_NOT_FOUND);
}

void health_upgrade_required(struct server *s, struct conn *c, struct rest_call *call)
{
	(void)call;
	respond_error(s, c, &(struct respond_error){
		.status = 426, .message = STR("this path speaks WebSocket"), .last = true,
		.why = REFUSED_HANDSHAKE,
	});
}
