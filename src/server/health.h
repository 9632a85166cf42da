/*
 * server/health.h: what probes, scrapers and lost browsers ask for: /health,
 * /live, /ready, /metrics, /robots.txt, and the WebSocket's paths without an
 * upgrade. Handlers of rest.c's table: each queues one answer.
 */
#ifndef SERVER_HEALTH_H
#define SERVER_HEALTH_H

#include "server/rest.h"

void health_health(struct server *, struct conn *, struct rest_call *);
void health_live(struct server *, struct conn *, struct rest_call *);
void health_ready(struct server *, struct conn *, struct rest_call *);
void health_metrics(struct server *, struct conn *, struct rest_call *);
void health_robots(struct server *, struct conn *, struct rest_call *);
void health_favicon(struct server *, struct conn *, struct rest_call *);
void health_upgrade_required(struct server *, struct conn *, struct rest_call *);

#endif
