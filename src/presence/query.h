/*
 * presence/query.h: lists of users, pulled one by one while an event is encoded, and the command that asks
 * for one.
 */
#ifndef PRESENCE_QUERY_H
#define PRESENCE_QUERY_H

#include "presence/state.h"

/* Keeps what a list needs; must outlive the event that carries the list. */
struct query_list {
	struct presence_list list;
	const struct engine *e;
	struct now now;
	const struct strs *ids; /* NULL: the roster */
	uint32_t viewer;        /* sees themselves as they are; MAP_NONE: nobody */
};

/* All users shown as online, by id. */
struct presence_list *query_online(struct query_list *q, const struct engine *e, struct now now);

/* Exactly the users named, in that order, unknown ones too. Borrows `ids`. */
struct presence_list *query_users(struct query_list *q, const struct engine *e, const struct strs *ids,
				  uint32_t viewer, struct now now);

/* CMD_QUERY: EV_PRESENCE_LIST; 400 when it asks for more than BULK_USERS_MAX. */
void query_command(struct engine *e, uint32_t conn, const struct command *, struct now now);

#endif
