/* presence/tell.c: see tell.h. Invariant: no record changes between tell_begin() and tell_end(). */
#include "presence/tell.h"

void tell_begin(const struct engine *e, struct event *ev, struct now now)
{
	ev->at = now.wall;
	e->sink->begin(e->sink->ctx, ev);
}

void tell_skip(const struct engine *e, uint32_t conn)
{
	assert(links_live(&e->links, conn));
	e->sink->skip(e->sink->ctx, &conn, 1);
}

void tell_skip_links_of(const struct engine *e, uint32_t user)
{
	for (uint32_t c = links_first(users_at(&e->users, user)->link_plus1); c != LINK_NONE;
	     c = links_next(&e->links, c))
		tell_skip(e, c);
}

void tell_link(const struct engine *e, uint32_t conn)
{
	assert(links_live(&e->links, conn));
	e->sink->deliver(e->sink->ctx, &conn, 1);
}

void tell_links_of(const struct engine *e, uint32_t user)
{
	for (uint32_t c = links_first(users_at(&e->users, user)->link_plus1); c != LINK_NONE;
	     c = links_next(&e->links, c))
		tell_link(e, c);
}

/* Those of the list that want a bit of mask, chunk by chunk, to deliver() or skip(). */
static void each_receiver(const struct engine *e, const struct receivers *rs, uint8_t mask,
			  void (*to)(void *ctx, const uint32_t *conns, uint32_t n))
{
	struct receivers_walk walk = { 0 };
	const struct receivers_chunk *c;
	uint32_t n;

	while ((c = receivers_next(&e->chunks, rs, &walk, &n)) != NULL) {
		uint32_t conns[RECEIVERS_PER_CHUNK], wanted = 0;

		for (uint32_t i = 0; i < n; i++) {
			conns[wanted] = c->conn[i];
			wanted += (c->mask[i] & mask) != 0;
		}
		if (wanted > 0)
			to(e->sink->ctx, conns, wanted);
	}
}

void tell_receivers(const struct engine *e, const struct receivers *rs, uint8_t mask)
{
	each_receiver(e, rs, mask, e->sink->deliver);
}

void tell_skip_receivers(const struct engine *e, const struct receivers *rs, uint8_t mask)
{
	each_receiver(e, rs, mask, e->sink->skip);
}

void tell_hearing(const struct engine *e, uint8_t topics)
{
	uint32_t conns[LINKS_BATCH], cursor = 0, n;

	while ((n = links_next_hearing(&e->links, topics, &cursor, conns)) > 0)
		e->sink->deliver(e->sink->ctx, conns, n);
}

uint32_t tell_end(const struct engine *e)
{
	return e->sink->end(e->sink->ctx);
}

void tell_only(const struct engine *e, uint32_t conn, struct event *ev, struct now now)
{
	tell_begin(e, ev, now);
	tell_link(e, conn);
	tell_end(e);
}

void tell_error(const struct engine *e, uint32_t conn, const struct command *cmd, int code, struct str text,
		struct now now)
{
	struct event ev = {
		.type = EV_ERROR, .command = cmd->type, .reply_to = cmd->reply_to, .code = code, .text = text
	};

	tell_only(e, conn, &ev, now);
}

void tell_ack(const struct engine *e, uint32_t conn, const struct command *cmd, struct event *ev,
	      struct now now)
{
	ev->type = EV_ACK;
	ev->command = cmd->type;
	ev->reply_to = cmd->reply_to;
	users_view(&e->users, links_at(&e->links, conn)->user, true, now, &ev->user);
	tell_only(e, conn, ev, now);
}

void tell_note(const struct engine *e, enum engine_note note, uint32_t user, uint32_t device, int64_t number,
	       struct now now)
{
	char buf[HEX_U64_BYTES];
	struct str device_id = device == POOL_NONE ? STR_NONE : devices_id(&e->devices, device, buf);
	struct str user_id = user == POOL_NONE ? STR_NONE : users_id(&e->users, user);

	e->sink->note(e->sink->ctx, note, user_id, device_id, number, now);
}

uint32_t tell_subject(const struct engine *e, struct str user, struct str room)
{
	return str_absent(room) ? map_hash(&e->users.by_id, user)
				: map_hash_pair(&e->users.by_id, user, room);
}
