/*
 * presence/engine.c: see engine.h. The doors of the engine, each a few lines: find the record, call the noun
 * that knows.
 *
 * Invariants: engine_valid(). A connection that the engine closed is not attached any more: what the server
 * still says of it is ignored.
 */
#include "presence/engine.h"

#include "presence/announce.h"
#include "presence/pass.h"
#include "presence/query.h"
#include "presence/receipts.h"
#include "presence/state.h"
#include "presence/status.h"
#include "presence/stay.h"
#include "presence/subscribe.h"
#include "presence/tell.h"

/* --- building --- */

static uint32_t at_least_1(uint32_t n)
{
	return n > 0 ? n : 1;
}

/*
 * Every id has its cell whatever its length, so that a table with a free record never lacks room for the
 * record's id.
 */
static void init_ids(struct engine *e, struct region *r)
{
	const struct engine_config *c = &e->config;
	uint32_t all = 2 * c->users_max + 2 * c->connections_max + c->remotes_max + c->rooms_max +
		       c->typing_max + c->calls_max;
	uint32_t counts[STRPOOL_CLASSES] = {
		[STRPOOL_14] = all, [STRPOOL_22] = all, [STRPOOL_38] = all, [STRPOOL_70] = all,
		[STRPOOL_134] = all,
	};

	strpool_init(&e->ids, r, counts);
}

static void init_chunks(struct engine *e, struct region *r)
{
	const struct engine_config *c = &e->config;
	uint64_t lists = (uint64_t)c->rooms_max + c->users_max;
	uint64_t chunks = receivers_chunks_max(c->subscriptions_max, lists);

	pool_init(&e->chunks, r, sizeof(struct receivers_chunk), (uint32_t)chunks);
}

static void limit_config(struct engine_config *c)
{
	c->connections_max = at_least_1(c->connections_max);
	c->users_max = at_least_1(c->users_max);
	c->rooms_max = at_least_1(c->rooms_max);
	c->subscriptions_max = at_least_1(c->subscriptions_max);
	if (c->subscriptions_per_connection_max > UINT16_MAX)
		c->subscriptions_per_connection_max = UINT16_MAX;
}

/* Takes every table from `r`, or measures them. */
static void carve(struct engine *e, const struct engine_config *config, struct region *r, struct wheel *wheel,
		  const struct engine_sink *sink)
{
	struct siphash_key key = siphash_key_of(config->hash_key);
	struct users_config users;

	*e = (struct engine){ .config = *config, .sink = sink, .wheel = wheel };
	limit_config(&e->config);
	users = (struct users_config){
		.peers = config->peers, .users_max = e->config.users_max,
		.large_texts_max = config->metadata_max,
		.remember_ms = config->presence_ttl_ms,
		.timer_kind = TIMER_USER, .key = key,
	};

	init_ids(e, r);
	init_chunks(e, r);
	links_init(&e->links, r, e->config.connections_max);
	devices_init(&e->devices, r, e->config.connections_max, e->config.remotes_max, &e->ids);
	shares_init(&e->shares, r, e->config.remotes_max);
	users_init(&e->users, r, &users, &e->ids, wheel);
	rooms_init(&e->rooms, r, e->config.rooms_max, key, &e->ids);
	interests_init(&e->interests, r, e->config.subscriptions_max, key);
	typing_init(&e->typings, r, config->typing_max);
	calls_init(&e->calls, r, config->calls_max);
}

struct engine *engine_new(const struct engine_config *config, struct region *r, struct wheel *wheel,
			  const struct engine_sink *sink, struct now now)
{
	struct engine *e = region_take(r, sizeof *e, REGION_ALIGN);

	if (e == NULL) {
		struct engine measured;

		carve(&measured, config, r, wheel, sink);
		return NULL;
	}
	carve(e, config, r, wheel, sink);
	if (region_failed(r))
		return NULL;
	timer_init(&e->sweep_timer, TIMER_SWEEP);
	timer_init(&e->roster_timer, TIMER_ROSTER);
	e->roster_quiet_until_ms = now.mono.ms;
	e->stalled_ms = now.mono.ms;
	if (config->cleanup_interval_ms > 0)
		stay_sweep_later(e, now);
	return e;
}

void engine_stalled(struct engine *e, struct now now)
{
	e->stalled_ms = now.mono.ms;
}

/* --- connections --- */

enum engine_status engine_attach(struct engine *e, uint32_t conn, const struct attachment *a, struct now now)
{
	return stay_attach(e, conn, a, now);
}

void engine_detach(struct engine *e, uint32_t conn, struct now now)
{
	if (links_live(&e->links, conn))
		stay_detach(e, conn, now);
}

bool engine_attached(const struct engine *e, uint32_t conn)
{
	return links_live(&e->links, conn);
}

uint32_t engine_user_number(const struct engine *e, uint32_t conn)
{
	assert(links_live(&e->links, conn));
	return links_at(&e->links, conn)->user;
}

void engine_touch(struct engine *e, uint32_t conn, struct now now)
{
	if (links_live(&e->links, conn))
		stay_touch(e, conn, now);
}

typedef void (*command_fn)(struct engine *, uint32_t conn, const struct command *, struct now);

/* What the session answers by itself has no row. */
static const command_fn commands[CMD_COUNT] = {
	[CMD_PRESENCE] = status_command,
	[CMD_QUERY] = query_command,
	[CMD_SUBSCRIBE] = subscribe_command,
	[CMD_UNSUBSCRIBE] = subscribe_undo_command,
	[CMD_TYPING] = typing_command,
	[CMD_RECEIPT] = receipts_command,
	[CMD_CALL_OFFER] = calls_offer,
	[CMD_CALL_ANSWER] = calls_answer,
	[CMD_CALL_ICE] = calls_ice,
	[CMD_CALL_HANGUP] = calls_hangup,
};

void engine_command(struct engine *e, uint32_t conn, const struct command *cmd, struct now now)
{
	assert(cmd->type < CMD_COUNT && commands[cmd->type] != NULL);
	if (links_live(&e->links, conn))
		commands[cmd->type](e, conn, cmd, now);
}

void engine_timer(struct engine *e, struct timer *timer, struct now now)
{
	assert(!timer_is_set(timer));
	switch ((enum timer_kind)timer_kind(timer)) {
	case TIMER_USER:
		stay_expire(e, TIMER_OWNER(timer, struct profile, timer)->user, now);
		break;
	case TIMER_TYPING:
		typing_expire(e, timer, now);
		break;
	case TIMER_CALL:
		calls_expire(e, timer, now);
		break;
	case TIMER_SWEEP:
		stay_sweep(e, now);
		break;
	case TIMER_ROSTER:
		announce_roster(e, now);
		break;
	case TIMER_KINDS:
		assert(false);
	}
}

/* --- REST --- */

enum engine_status engine_put_presence(struct engine *e, struct str user_id,
				       const struct presence_patch *patch, struct now now)
{
	return status_put(e, user_id, patch, now);
}

enum engine_status engine_heartbeat(struct engine *e, struct str user_id, struct str device_id,
				    struct now now)
{
	return stay_heartbeat(e, user_id, device_id, now);
}

enum engine_status engine_typing(struct engine *e, struct str room, struct str user_id, bool is_typing,
				 struct now now)
{
	uint32_t user = users_make(&e->users, user_id);
	bool done;

	if (user == MAP_NONE)
		return ENGINE_FULL;
	users_pin(&e->users, user);
	done = typing_from_outside(e, user, room, is_typing, now);
	users_unpin(&e->users, user);
	users_settle(&e->users, user);
	return done ? ENGINE_OK : ENGINE_FULL;
}

/* --- broadcasts from outside --- */

static void tell_topic(const struct engine *e, uint8_t topic)
{
	uint32_t cursor = 0;

	tell_hearing(e, topic & (uint8_t)~TOPIC_OF_ROOM);
	if ((topic & TOPIC_OF_ROOM) == 0)
		return;
	for (uint32_t i = map_next(&e->rooms.by_id, &cursor); i != MAP_NONE;
	     i = map_next(&e->rooms.by_id, &cursor))
		tell_receivers(e, &rooms_at(&e->rooms, i)->members, topic);
}

uint32_t engine_broadcast_local(struct engine *e, const struct broadcast *b, struct now now)
{
	struct event ev = { .type = EV_MESSAGE, .text = b->type, .body = b->data, .room = b->room };
	uint32_t room = str_absent(b->room) ? MAP_NONE : rooms_find(&e->rooms, b->room);

	if (room != MAP_NONE)
		ev.kind = (enum room_kind)rooms_at(&e->rooms, room)->kind;
	tell_begin(e, &ev, now);
	for (uint32_t i = 0; i < b->exclude.n; i++) {
		uint32_t user = users_find(&e->users, b->exclude.v[i]);

		if (user != MAP_NONE)
			tell_skip_links_of(e, user);
	}
	for (uint32_t i = 0; b->users_given && i < b->users.n; i++) {
		uint32_t user = users_find(&e->users, b->users.v[i]);

		if (user != MAP_NONE)
			tell_links_of(e, user);
	}
	if (room != MAP_NONE)
		tell_receivers(e, &rooms_at(&e->rooms, room)->members, TOPIC_CONVERSATION);
	if (b->topic != 0)
		tell_topic(e, b->topic);
	if (b->all)
		tell_hearing(e, LINK_HERE);
	return tell_end(e);
}

/* Only a room's nodes hear what is for a room, only a user's what is for users; a mixture everybody. */
static void pass_broadcast(const struct engine *e, const struct broadcast *b)
{
	struct peer_message m = { .type = PEER_BROADCAST, .broadcast = b };
	bool others = b->all || b->topic != 0;

	if (!others && !b->users_given && !str_absent(b->room))
		pass_to_room(e, b->room, &m);
	else if (!others && str_absent(b->room))
		pass_to_nodes(e, pass_hosts_of(e, &b->users), &m);
	else
		pass_to_all(e, &m);
}

uint32_t engine_broadcast(struct engine *e, const struct broadcast *b, struct now now)
{
	if (e->config.peers != NULL)
		pass_broadcast(e, b);
	return engine_broadcast_local(e, b, now);
}

/* --- queries --- */

void engine_view(const struct engine *e, struct str user_id, struct presence_view *out, struct now now)
{
	uint32_t user = users_find(&e->users, user_id);

	if (user == MAP_NONE)
		users_view_unknown(user_id, out);
	else
		users_view(&e->users, user, false, now, out);
}

bool engine_online_after(const struct engine *e, struct str after, struct presence_view *out, struct now now)
{
	uint32_t at = users_roster_after(&e->users, after);

	if (at == e->users.roster_count)
		return false;
	users_view(&e->users, e->users.roster[at], false, now, out);
	return true;
}

static void view_device(const struct engine *e, uint32_t device, uint32_t conn, struct device_view *out,
			struct now now)
{
	const struct device *d = devices_at(&e->devices, device);
	int64_t seen_ms = device_pinned(d) ? device_expires_ms(d) - e->config.presence_ttl_ms : now.mono.ms;

	*out = (struct device_view){ .conn = conn, .connected_at = WALL_NONE };
	if (conn != LINK_NONE) {
		const struct link *l = links_at(&e->links, conn);

		out->dialect = l->dialect;
		out->connected_at = l->connected_at;
		seen_ms = l->touched_ms;
	}
	out->last_seen = (wall_t){ now.wall.ms - (now.mono.ms - seen_ms) };
	if (out->last_seen.ms < out->connected_at.ms) /* the wall clock was set back since */
		out->last_seen = out->connected_at;
	out->device_id = devices_id(&e->devices, device, out->device_id_text);
}

/* Cursor: 0, then connection + 1, then DEVICES | device + 1, then REMOTES | how many of them were told. */
enum { CURSOR_DEVICES_BIT = 31, CURSOR_REMOTES_BIT = 30 };

static bool next_link(const struct engine *e, const struct user *u, uint32_t *cursor, struct device_view *out,
		      struct now now)
{
	uint32_t conn = *cursor == 0 ? links_first(u->link_plus1) : links_next(&e->links, *cursor - 1);

	if (conn == LINK_NONE)
		return false;
	view_device(e, links_at(&e->links, conn)->device, conn, out, now);
	*cursor = conn + 1;
	return true;
}

static bool next_device(const struct engine *e, const struct user *u, uint32_t *cursor,
			struct device_view *out, struct now now)
{
	const struct pool *cells = &e->devices.cells;
	uint32_t at = *cursor & ~(1U << CURSOR_DEVICES_BIT);
	uint32_t d = (*cursor >> CURSOR_DEVICES_BIT) == 0 ? list_first(&u->devices)
							  : list_next(cells, DEVICES_OF_USER, at - 1);

	while (d != POOL_NONE && (device_links(devices_at(&e->devices, d)) > 0))
		d = list_next(cells, DEVICES_OF_USER, d);
	if (d == POOL_NONE)
		return false;
	view_device(e, d, LINK_NONE, out, now);
	*cursor = (d + 1) | 1U << CURSOR_DEVICES_BIT;
	return true;
}

/* Number n of what other nodes host of the user. */
static const struct remote *remote_of(const struct engine *e, uint32_t user, uint32_t n)
{
	struct shares_walk walk = { 0 };
	const struct remote *r;

	while ((r = shares_each(e, user, &walk)) != NULL)
		if (n-- == 0)
			break;
	return r;
}

static bool next_remote(const struct engine *e, uint32_t user, uint32_t *cursor, struct device_view *out,
			struct now now)
{
	uint32_t n = (*cursor >> CURSOR_REMOTES_BIT) == 1 ? *cursor & ~(1U << CURSOR_REMOTES_BIT) : 0;
	const struct remote *r = remote_of(e, user, n);

	if (r == NULL)
		return false;
	view_device(e, r->device, LINK_NONE, out, now);
	out->key = r->key;
	out->dialect = r->dialect;
	out->connected_at = r->connected_at;
	out->last_seen = users_at(&e->users, user)->last_seen;
	*cursor = (n + 1) | 1U << CURSOR_REMOTES_BIT;
	return true;
}

bool engine_devices_next(const struct engine *e, struct str user_id, uint32_t *cursor,
			 struct device_view *out, struct now now)
{
	uint32_t user = users_find(&e->users, user_id);
	const struct user *u;

	if (user == MAP_NONE)
		return false;
	u = users_at(&e->users, user);
	if (u->override == STATUS_INVISIBLE)
		return false;
	if ((*cursor >> CURSOR_REMOTES_BIT) == 0 && next_link(e, u, cursor, out, now))
		return true;
	if ((*cursor >> CURSOR_REMOTES_BIT) != 1 && next_device(e, u, cursor, out, now))
		return true;
	return next_remote(e, user, cursor, out, now);
}

bool engine_whois(const struct engine *e, uint32_t conn, struct str *user_id, struct device_view *out,
		  struct now now)
{
	if (!links_live(&e->links, conn))
		return false;
	*user_id = users_id(&e->users, links_at(&e->links, conn)->user);
	view_device(e, links_at(&e->links, conn)->device, conn, out, now);
	return true;
}

bool engine_room_of(const struct engine *e, uint32_t conn, uint32_t n, struct str *room, enum room_kind *kind)
{
	if (!links_live(&e->links, conn))
		return false;
	for (uint32_t i = list_first(&links_at(&e->links, conn)->interests); i != POOL_NONE;
	     i = list_next(&e->interests.cells, INTERESTS_OF_LINK, i)) {
		const struct interest *it = interests_at(&e->interests, i);

		if (it->kind != INTEREST_ROOM || n-- > 0)
			continue;
		*room = rooms_id(&e->rooms, it->target);
		*kind = (enum room_kind)rooms_at(&e->rooms, it->target)->kind;
		return true;
	}
	return false;
}

uint32_t engine_connections_of(const struct engine *e, struct str user_id, uint32_t *out, uint32_t max)
{
	uint32_t user = users_find(&e->users, user_id), n = 0;

	if (user == MAP_NONE)
		return 0;
	for (uint32_t c = links_first(users_at(&e->users, user)->link_plus1); c != LINK_NONE;
	     c = links_next(&e->links, c)) {
		if (n < max)
			out[n] = c;
		n++;
	}
	return n;
}

uint32_t engine_kick_elsewhere(struct engine *e, struct str user_id)
{
	struct peer_message m = { .type = PEER_KICK, .user_id = user_id };
	uint32_t user = users_find(&e->users, user_id);

	if (user == MAP_NONE)
		return 0;
	pass_to_nodes(e, pass_hosts(e, user), &m);
	return shares_connections(e, user);
}

bool engine_kick_one_elsewhere(struct engine *e, uint64_t key)
{
	uint32_t cursor = 0;

	assert(key != 0);
	for (uint32_t i = map_next(&e->users.by_id, &cursor); i != MAP_NONE;
	     i = map_next(&e->users.by_id, &cursor)) {
		struct peer_message m = { .type = PEER_KICK, .user_id = users_id(&e->users, i), .key = key };
		struct shares_walk walk = { 0 };
		const struct remote *r;

		while ((r = shares_each(e, i, &walk)) != NULL)
			if (r->key == key) {
				assert(walk.peer < PEERS_MAX); /* who comes from outside has no connection */
				pass_to_nodes(e, UINT64_C(1) << walk.peer, &m);
				return true;
			}
	}
	return false;
}

void engine_stats(const struct engine *e, struct engine_stats *out)
{
	uint32_t cursor = 0;

	*out = (struct engine_stats){
		.links = e->links.count, .users_linked = e->links.users,
		.users_online = e->users.present,
		.users_known = pool_used(&e->users.cells),
		.devices = pool_used(&e->devices.cells), .rooms = pool_used(&e->rooms.cells),
		.typing = pool_used(&e->typings.cells), .calls = pool_used(&e->calls.cells),
	};
	for (uint32_t i = map_next(&e->users.by_id, &cursor); i != MAP_NONE;
	     i = map_next(&e->users.by_id, &cursor)) {
		out->users_by_status[users_status_own(users_at(&e->users, i))]++;
		out->watches += users_at(&e->users, i)->watchers.count;
	}
	out->subscriptions = pool_used(&e->interests.cells) - e->interests.haunts - out->watches;
}

/* --- validity --- */

static bool links_valid(const struct engine *e)
{
	uint32_t count = 0, hearers = 0;

	for (uint32_t conn = 0; conn < e->links.max; conn++) {
		uint8_t topics = e->links.topics[conn];

		if (topics != 0 && (conn >= e->links.high || (topics & TOPIC_OF_ROOM) != LINK_HERE))
			return false;
		count += topics != 0;
		hearers += (topics & TOPIC_PRESENCE) != 0;
	}
	return count == e->links.count && hearers == e->links.hearers;
}

/* A user's links and devices, counted one by one, are what the record says; and what waits has its timer. */
static bool stays_valid(const struct engine *e, uint32_t user, uint32_t *devices)
{
	const struct user *u = users_at(&e->users, user);
	uint32_t links = 0, remotes = 0, of_devices = 0, device_count = 0, away = 0;
	bool debounce = (u->flags & USER_PRESENT) != 0 && u->device_count == 0;
	struct shares_walk walk = { 0 };

	for (uint32_t c = links_first(u->link_plus1); c != LINK_NONE && links <= u->links;
	     c = links_next(&e->links, c)) {
		links++;
		if (!links_live(&e->links, c) || links_at(&e->links, c)->user != user)
			return false;
	}
	while (shares_each(e, user, &walk) != NULL)
		remotes++;
	for (uint32_t d = list_first(&u->devices); d != POOL_NONE;
	     d = list_next(&e->devices.cells, DEVICES_OF_USER, d)) {
		const struct device *device = devices_at(&e->devices, d);

		if (++device_count > u->device_count ||
		    (device_links(device) == 0 && !device_pinned(device)))
			return false;
		of_devices += device_links(device);
		away += device_away(device);
	}
	*devices += device_count;
	if ((debounce || (u->flags & USER_PENDING) != 0) && !users_waits(&e->users, u))
		return false;
	if ((u->flags & USER_PENDING) == 0 && announce_due(e, user))
		return false;
	return links == u->links && of_devices == links + remotes && device_count == u->device_count &&
	       away == u->devices_away;
}

/* Every stored id belongs to a record: none leaks, none is shared. */
static bool ids_valid(const struct engine *e)
{
	uint32_t cursor = 0,
		 ids = pool_used(&e->rooms.cells) + pool_used(&e->typings.cells) + pool_used(&e->calls.cells);

	for (uint32_t i = map_next(&e->users.by_id, &cursor); i != MAP_NONE;
	     i = map_next(&e->users.by_id, &cursor)) {
		const struct user *u = users_at(&e->users, i);

		ids += u->name != STRREF_NONE ? 2 : 1;
		for (uint32_t d = list_first(&u->devices); d != POOL_NONE;
		     d = list_next(&e->devices.cells, DEVICES_OF_USER, d))
			ids += devices_at(&e->devices, d)->id != STRREF_NONE;
	}
	return ids == strpool_used(&e->ids);
}

bool engine_valid(const struct engine *e)
{
	uint32_t cursor = 0, devices = 0, links = 0, linked = 0;

	for (uint32_t i = map_next(&e->users.by_id, &cursor); i != MAP_NONE;
	     i = map_next(&e->users.by_id, &cursor)) {
		if (!stays_valid(e, i, &devices))
			return false;
		links += users_at(&e->users, i)->links;
		linked += users_at(&e->users, i)->links > 0;
	}
	return devices == pool_used(&e->devices.cells) && links == e->links.count &&
	       linked == e->links.users && links_valid(e) && users_valid(&e->users) && shares_valid(e) &&
	       interests_valid(e) && typing_valid(e) && calls_valid(e) && ids_valid(e) &&
	       pool_valid(&e->chunks) && pool_valid(&e->devices.cells);
}
