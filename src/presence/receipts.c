/*
 * presence/receipts.c: see receipts.h. A receipt is an explicit act towards named parties: an invisible
 * user's is delivered.
 */
#include "presence/receipts.h"

#include "presence/pass.h"
#include "presence/tell.h"

/* What one receipt says, and to whom of this node's connections. */
struct receipt {
	uint32_t reader;
	struct event ev;
	bool to_room;
	uint32_t sender;    /* told too; MAP_NONE: nobody */
	uint32_t apart;     /* not told; MAP_NONE: nobody */
};

static void tell(const struct engine *e, struct receipt *r, struct now now)
{
	uint32_t room = rooms_find(&e->rooms, r->ev.room);

	r->ev.type = EV_RECEIPT;
	if (room != MAP_NONE)
		r->ev.kind = rooms_kind(&e->rooms, room, r->ev.kind);
	users_view(&e->users, r->reader, false, now, &r->ev.user);
	tell_begin(e, &r->ev, now);
	tell_skip_links_of(e, r->reader);
	if (r->apart != MAP_NONE)
		tell_skip_links_of(e, r->apart);
	if (r->to_room && room != MAP_NONE)
		tell_receivers(e, &rooms_at(&e->rooms, room)->members, TOPIC_CONVERSATION);
	if (r->sender != MAP_NONE)
		tell_links_of(e, r->sender);
	tell_end(e);
}

/* The room's nodes, and those that host the sender: a connection that is both hears it from the latter. */
static void pass(const struct engine *e, const struct command *cmd, const struct receipt *r)
{
	struct peer_message m = {
		.type = PEER_RECEIPT, .user_id = users_id(&e->users, r->reader), .room = r->ev.room,
		.kind = r->ev.kind, .is_read = r->ev.is_read, .messages = r->ev.messages,
		.target = cmd->receipt.sender,
	};

	if (e->config.peers == NULL)
		return;
	pass_to_room(e, r->ev.room, &m);
	m.target = STR_NONE;
	m.users = (struct strs){ &cmd->receipt.sender, 1 };
	if (r->sender != MAP_NONE)
		pass_to_nodes(e, pass_hosts(e, r->sender), &m);
}

void receipts_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t room = rooms_find(&e->rooms, cmd->receipt.room);
	struct receipt r = {
		.reader = links_at(&e->links, conn)->user, .to_room = true, .apart = MAP_NONE,
		.sender = str_absent(cmd->receipt.sender) ? MAP_NONE :
							    users_find(&e->users, cmd->receipt.sender),
		.ev = { .room = cmd->receipt.room, .is_read = cmd->receipt.is_read,
			.messages = cmd->receipt.messages },
	};

	assert(cmd->receipt.messages.n >= 1);
	if (room != MAP_NONE)
		r.ev.kind = (enum room_kind)rooms_at(&e->rooms, room)->kind;
	tell_ack(e, conn, cmd, &r.ev, now);
	r.ev.reply_to = STR_NONE;
	tell(e, &r, now);
	pass(e, cmd, &r);
}

void receipts_hear(struct engine *e, uint32_t reader, const struct peer_message *m, struct now now)
{
	bool to_some = m->users.n > 0;
	struct receipt r = {
		.reader = reader, .to_room = !to_some,
		.sender = to_some ? users_find(&e->users, m->users.v[0]) : MAP_NONE,
		.apart = to_some || str_absent(m->target) ? MAP_NONE : users_find(&e->users, m->target),
		.ev = { .room = m->room, .kind = m->kind, .is_read = m->is_read, .messages = m->messages },
	};

	tell(e, &r, now);
}
