/*
 * server/api.h: presence over HTTP: seed 002's two paths, seed 000's one, and /api/v1.
 * Handlers of rest.c's table: each queues one answer.
 */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "server/rest.h"

/* GET /presence, GET /presence/{id} */
void api_all_presence(struct server *, struct conn *, struct rest_call *);
void api_seed_presence(struct server *, struct conn *, struct rest_call *);

/* GET /{id}, GET /api/v1/presence/{id} */
void api_presence(struct server *, struct conn *, struct rest_call *);

/* Below /api/v1 */
void api_set_presence(struct server *, struct conn *, struct rest_call *);
void api_bulk(struct server *, struct conn *, struct rest_call *);
void api_heartbeat(struct server *, struct conn *, struct rest_call *);
void api_devices(struct server *, struct conn *, struct rest_call *);
void api_typing(struct server *, struct conn *, struct rest_call *);
void api_broadcast(struct server *, struct conn *, struct rest_call *);

#endif
