/*
 * server/admin.h: what an operator asks for and orders, below /admin.
 * Handlers of rest.c's table: each queues one answer.
 */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include "server/rest.h"

/* GET ?after=CURSOR&limit=N (100, at most 500): {"connections":[...],"count":N,"next":CURSOR or null}. */
void admin_connections(struct server *, struct conn *, struct rest_call *);

/* DELETE: closed with 4002. One connection: 204 or 404. All of a user's: 200 {"closed":N,"remaining":N}. */
void admin_close_connection(struct server *, struct conn *, struct rest_call *);
void admin_close_user(struct server *, struct conn *, struct rest_call *);

/* POST: 202; then as after SIGTERM. */
void admin_drain(struct server *, struct conn *, struct rest_call *);

void admin_stats(struct server *, struct conn *, struct rest_call *);

#endif
