/*
 * presence/query.c: see query.h. Invariant: a list that returned false starts over, so each dialect may
 * encode it in turn.
 */
#include "presence/query.h"

#include "presence/announce.h"
#include "presence/tell.h"

static bool next_online(struct presence_list *list, struct presence_view *out)
{
	const struct query_list *q = list->ctx;
	const struct users *us = &q->e->users;

	if (list->position >= us->roster_count) {
		list->position = 0;
		return false;
	}
	users_view(us, us->roster[list->position++], false, q->now, out);
	assert(out->online);
	return true;
}

static bool next_named(struct presence_list *list, struct presence_view *out)
{
	const struct query_list *q = list->ctx;
	struct str id;
	uint32_t user;

	if (list->position >= q->ids->n) {
		list->position = 0;
		return false;
	}
	id = q->ids->v[list->position++];
	user = users_find(&q->e->users, id);
	if (user == MAP_NONE)
		users_view_unknown(id, out);
	else
		users_view(&q->e->users, user, user == q->viewer, q->now, out);
	return true;
}

struct presence_list *query_online(struct query_list *q, const struct engine *e, struct now now)
{
	*q = (struct query_list){ .list = { next_online, q, 0 }, .e = e, .now = now, .viewer = MAP_NONE };
	return &q->list;
}

struct presence_list *query_users(struct query_list *q, const struct engine *e, const struct strs *ids,
				  uint32_t viewer, struct now now)
{
	*q = (struct query_list){
		.list = { next_named, q, 0 }, .e = e, .now = now, .ids = ids, .viewer = viewer,
	};
	return &q->list;
}

void query_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	struct query_list q;
	struct event ev = { .type = EV_PRESENCE_LIST, .command = cmd->type, .reply_to = cmd->reply_to };

	if (cmd->query.n > BULK_USERS_MAX) {
		tell_error(e, conn, cmd, 400, STR("too many users in one query"), now);
		return;
	}
	ev.list = query_users(&q, e, &cmd->query, links_at(&e->links, conn)->user, now);
	tell_only(e, conn, &ev, now);
	for (uint32_t i = 0; i < cmd->query.n; i++) {
		uint32_t user = users_find(&e->users, cmd->query.v[i]);

		if (user != MAP_NONE)
			announce_asked(e, user);
	}
}
