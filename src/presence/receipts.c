/*
 * presence/receipts.c: see receipts.h. A receipt is an explicit act towards named parties: an invisible
 * user's is delivered.
 */
#include "presence/receipts.h"

#include "presence/tell.h"

void receipts_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint32_t reader = links_at(&e->links, conn)->user;
	uint32_t room = rooms_find(&e->rooms, cmd->receipt.room);
	uint32_t sender =
		str_absent(cmd->receipt.sender) ? MAP_NONE : users_find(&e->users, cmd->receipt.sender);
	struct event ev = { .room = cmd->receipt.room,
			    .is_read = cmd->receipt.is_read,
			    .messages = cmd->receipt.messages };

	assert(cmd->receipt.messages.n >= 1);
	if (room != MAP_NONE)
		ev.kind = (enum room_kind)rooms_at(&e->rooms, room)->kind;
	tell_ack(e, conn, cmd, &ev, now);
	ev.type = EV_RECEIPT;
	ev.reply_to = STR_NONE;
	users_view(&e->users, reader, false, now, &ev.user);
	tell_begin(e, &ev, now);
	tell_skip_links_of(e, reader);
	if (room != MAP_NONE)
		tell_receivers(e, &rooms_at(&e->rooms, room)->members, TOPIC_CONVERSATION);
	if (sender != MAP_NONE)
		tell_links_of(e, sender);
	tell_end(e);
}
