/*
 * presence/subscribe.c: see subscribe.h.
 *
 * A subscription is made in two passes: the first makes what interests are missing, with empty masks, and can
 * be undone by removing the newest ones of the link; the second sets masks and cannot fail.
 */
#include "presence/subscribe.h"

#include "presence/announce.h"
#include "presence/pass.h"
#include "presence/query.h"
#include "presence/tell.h"

static bool wants_room(const struct command *cmd)
{
	return (cmd->subscription.topics & TOPIC_OF_ROOM) != 0;
}

static bool wants_users(const struct command *cmd)
{
	return (cmd->subscription.topics & TOPIC_PRESENCE) != 0 && cmd->subscription.users_given;
}

/* --- the first pass --- */

static enum interest_outcome make_rooms(struct engine *e, uint32_t conn, const struct command *cmd)
{
	for (uint32_t i = 0; i < cmd->subscription.rooms.n; i++) {
		uint32_t room = rooms_make(&e->rooms, cmd->subscription.rooms.v[i]);
		enum interest_outcome outcome;

		if (room == MAP_NONE)
			return INTEREST_FULL;
		outcome = interests_add(e, conn, INTEREST_ROOM, room);
		if (outcome != INTEREST_OK) {
			rooms_settle(&e->rooms, room);
			return outcome;
		}
	}
	return INTEREST_OK;
}

static enum interest_outcome make_watches(struct engine *e, uint32_t conn, const struct command *cmd)
{
	for (uint32_t i = 0; i < cmd->subscription.users.n; i++) {
		uint32_t user = users_make(&e->users, cmd->subscription.users.v[i]);
		enum interest_outcome outcome;

		if (user == MAP_NONE)
			return INTEREST_FULL;
		outcome = interests_add(e, conn, INTEREST_USER, user);
		if (outcome != INTEREST_OK) {
			users_settle(&e->users, user);
			return outcome;
		}
	}
	return INTEREST_OK;
}

static enum interest_outcome make_interests(struct engine *e, uint32_t conn, const struct command *cmd)
{
	struct link *l = links_at(&e->links, conn);
	uint16_t had = l->interest_count;
	enum interest_outcome outcome = INTEREST_OK;

	if (wants_room(cmd))
		outcome = make_rooms(e, conn, cmd);
	if (outcome == INTEREST_OK && wants_users(cmd))
		outcome = make_watches(e, conn, cmd);
	while (outcome != INTEREST_OK && l->interest_count > had)
		interests_remove(e, l->interests.last_plus1 - 1);
	return outcome;
}

/* --- the second pass --- */

/* Sets the masks of the rooms. Where room mates are the audience, those in the new ones hear of the user. */
static void enter_rooms(struct engine *e, uint32_t conn, const struct command *cmd, uint8_t topics,
			struct now now)
{
	const struct strs *rooms = &cmd->subscription.rooms;
	uint32_t user = links_at(&e->links, conn)->user;
	bool entered = false;

	if (e->config.audience_rooms)
		announce_entering(e, user, now);
	for (uint32_t i = 0; i < rooms->n; i++) {
		uint32_t room = rooms_find(&e->rooms, rooms->v[i]);
		uint8_t *mask = interests_mask(e, interests_find(e, conn, INTEREST_ROOM, room));

		entered = entered || *mask == 0;
		*mask |= topics;
		rooms_name(&e->rooms, room, cmd->subscription.kind);
	}
	if (entered && e->config.audience_rooms)
		pass_changed(e, user);
}

static void set_masks(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	const struct link *l = links_at(&e->links, conn);
	uint8_t topics = cmd->subscription.topics, of_room = topics & TOPIC_OF_ROOM;
	uint8_t of_link = (uint8_t)(topics & ~TOPIC_OF_ROOM);

	if (e->config.audience_rooms && (l->flags & LINK_HEARS) != 0)
		of_room |= TOPIC_ROOM_PRESENCE;
	if (wants_users(cmd))
		of_link &= (uint8_t)~TOPIC_PRESENCE;
	interests_set_topics(e, conn, interests_topics(e, conn) | of_link);
	if (wants_room(cmd))
		enter_rooms(e, conn, cmd, of_room, now);
	for (uint32_t i = 0; wants_users(cmd) && i < cmd->subscription.users.n; i++) {
		uint32_t watch = interests_find(e, conn, INTEREST_USER,
						users_find(&e->users, cmd->subscription.users.v[i]));

		*interests_mask(e, watch) |= TOPIC_PRESENCE;
		announce_seen(e, watch);
	}
}

/* --- answers --- */

static void tell_done(const struct engine *e, uint32_t conn, const struct command *cmd, enum event_type type,
		      struct now now)
{
	struct event ev = {
		.type = type, .command = cmd->type, .reply_to = cmd->reply_to,
		.topics = cmd->subscription.topics,
		.rooms = cmd->subscription.rooms, .users = cmd->subscription.users,
		.users_given = cmd->subscription.users_given,
		.kind = cmd->subscription.kind, .rooms_listed = cmd->subscription.rooms_listed,
	};

	users_view(&e->users, links_at(&e->links, conn)->user, true, now, &ev.user);
	if (ev.rooms.n == 1)
		ev.room = ev.rooms.v[0];
	tell_only(e, conn, &ev, now);
}

static void tell_snapshot(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	struct query_list q;
	struct event ev = { .type = EV_PRESENCE_LIST, .command = cmd->type };

	if (cmd->subscription.users_given)
		ev.list = query_users(&q, e, &cmd->subscription.users, links_at(&e->links, conn)->user, now);
	else
		ev.list = query_online(&q, e, now);
	if (!cmd->subscription.users_given)
		announce_snapshot(e, conn);
	tell_only(e, conn, &ev, now);
}

void subscribe_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	if (wants_room(cmd) && cmd->subscription.rooms.n == 0) {
		tell_error(e, conn, cmd, 400, STR("this topic needs a conversation id"), now);
		return;
	}
	switch (make_interests(e, conn, cmd)) {
	case INTEREST_TOO_MANY:
		tell_error(e, conn, cmd, 429, STR("too many subscriptions on this connection"), now);
		return;
	case INTEREST_FULL:
		tell_error(e, conn, cmd, 503, STR("no room for more subscriptions"), now);
		return;
	case INTEREST_OK:
		break;
	}
	set_masks(e, conn, cmd, now);
	tell_done(e, conn, cmd, EV_SUBSCRIBED, now);
	if ((cmd->subscription.topics & TOPIC_PRESENCE) != 0)
		tell_snapshot(e, conn, cmd, now);
}

/* --- unsubscribing --- */

/* Takes bits away; an interest that wants nothing more goes. TOPIC_ROOM_PRESENCE only accompanies others. */
static void clear_mask(struct engine *e, uint32_t interest, uint8_t bits)
{
	uint8_t *mask = interests_mask(e, interest);

	*mask &= (uint8_t)~bits;
	if ((*mask & (uint8_t)~(TOPIC_ROOM_PRESENCE | WATCH_SEEN)) == 0)
		interests_remove(e, interest);
}

static void leave_room(struct engine *e, uint32_t conn, struct str id, uint8_t topics)
{
	uint32_t room = rooms_find(&e->rooms, id), interest;

	if (room == MAP_NONE)
		return;
	interests_end_haunts(e, links_at(&e->links, conn)->user, room);
	users_settle(&e->users, links_at(&e->links, conn)->user);
	room = rooms_find(&e->rooms, id);
	interest = room == MAP_NONE ? MAP_NONE : interests_find(e, conn, INTEREST_ROOM, room);
	if (interest != MAP_NONE)
		clear_mask(e, interest, topics & TOPIC_OF_ROOM);
	if (e->config.audience_rooms)
		pass_changed(e, links_at(&e->links, conn)->user);
}

static void leave_users(struct engine *e, uint32_t conn, const struct strs *ids)
{
	for (uint32_t i = 0; i < ids->n; i++) {
		uint32_t user = users_find(&e->users, ids->v[i]);
		uint32_t watch = user == MAP_NONE ? MAP_NONE : interests_find(e, conn, INTEREST_USER, user);

		if (watch != MAP_NONE)
			interests_remove(e, watch);
	}
}

static void leave_all_users(struct engine *e, uint32_t conn)
{
	uint32_t i = list_first(&links_at(&e->links, conn)->interests);

	while (i != POOL_NONE) {
		uint32_t next = list_next(&e->interests.cells, INTERESTS_OF_LINK, i);

		if (interests_at(&e->interests, i)->kind == INTEREST_USER)
			interests_remove(e, i);
		i = next;
	}
}

void subscribe_undo_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	uint8_t topics = cmd->subscription.topics;
	uint8_t of_link = (uint8_t)(topics & ~TOPIC_OF_ROOM);

	if (wants_room(cmd) && cmd->subscription.rooms.n == 0) {
		tell_error(e, conn, cmd, 400, STR("this topic needs a conversation id"), now);
		return;
	}
	for (uint32_t i = 0; wants_room(cmd) && i < cmd->subscription.rooms.n; i++)
		leave_room(e, conn, cmd->subscription.rooms.v[i], topics);
	if (wants_users(cmd))
		leave_users(e, conn, &cmd->subscription.users);
	else if ((topics & TOPIC_PRESENCE) != 0)
		leave_all_users(e, conn);
	if (wants_users(cmd))
		of_link &= (uint8_t)~TOPIC_PRESENCE;
	interests_set_topics(e, conn, interests_topics(e, conn) & (uint8_t)~of_link);
	tell_done(e, conn, cmd, EV_UNSUBSCRIBED, now);
}
