#include "sim/invariants.h"

#include <stdio.h>
#include <string.h>

#include "presence/state.h"
#include "server/deadline.h"
#include "server/state.h"
#include "sim/living.h"

enum {
	CONTROL_FRAMES = 2,          /* a Close and a Pong go beside what the queue may hold */
	CONTROL_BYTES = 2 * 140,
	TURNS_OF_STEP_MAX = 20000,
	TURNS_OF_MS = 40,
	DRAIN_LATE_MS = 2000,        /* RELIABILITY S12 */
};

/* --- (1) --- */

/* Devices of the user that the engine has a link of. */
static uint32_t links_of(const struct engine *e, uint32_t user)
{
	char id[WORD];
	uint32_t i;

	snprintf(id, sizeof(id), "u%u", user);
	i = users_find(&e->users, str_of_text(id));
	return i == MAP_NONE ? 0 : users_at(&e->users, i)->links;
}

static bool is_present(const struct engine *e, uint32_t user)
{
	char id[WORD];
	uint32_t i;

	snprintf(id, sizeof(id), "u%u", user);
	i = users_find(&e->users, str_of_text(id));
	return i != MAP_NONE && (users_at(&e->users, i)->flags & USER_PRESENT) != 0;
}

static void check_online(struct life *l, uint32_t node, const struct sim *sim)
{
	const struct engine *e = sim->server->engine;
	int64_t now = sim->now.mono.ms, debounce = sim->cfg.offline_debounce_ms;

	for (uint32_t u = 0; u < USERS; u++) {
		struct sight *s = &l->sights[node][u];
		bool there = links_of(e, u) > 0, kept = beats_keep(l, node, u, 0), present = is_present(e, u);

		if (s->boots != world_node(&l->w, node)->boots + 1)
			*s = (struct sight){ .boots = world_node(&l->w, node)->boots + 1, .at_ms = INT64_MIN / 2, .gone_ms = now };
		if ((there || kept) && !present)
			life_fault(l, "(1) u%u is connected to node %u, or has a device there, and is not online there", u, node);
		if (!there && (s->there || (present && !s->present)))
			s->gone_ms = now; /* or it came and went unseen */
		if (!there && !present && now < s->at_ms + debounce)
			life_fault(l, "(1) u%u was connected to node %u %lld ms ago, and is not online there", u, node, (long long)(now - s->at_ms));
		if (!there && !kept && !beats_doubtful(l, u) && present && l->nodes == 1 && !life_has(l, WITH_NODES) && now >= s->gone_ms + debounce && now >= l->stir_ms[u] + debounce &&
		    now > l->node_bad_ms[node]) /* what is late after a halt is done in the next millisecond */
			life_fault(l, "(1) u%u is not connected since %lld ms, and online", u, (long long)(now - s->gone_ms));
		s->there = there;
		s->present = present;
		if (there)
			s->at_ms = now;
	}
}

/* --- (2) --- */

static void check_refs(struct life *l, uint32_t node, const struct sim *sim)
{
	const struct server *s = sim->server;
	const struct engine *e = s->engine;
	uint32_t attached = 0, links = 0;
	struct engine_stats stats;

	for (uint32_t i = 0; i < s->conns_high; i++)
		attached += s->conns[i].state != CONN_FREE && (s->conns[i].flags & CONN_ATTACHED) != 0;
	for (uint32_t i = 0; i < e->users.cells.high; i++)
		links += users_live(&e->users, i) ? users_at(&e->users, i)->links : 0;
	engine_stats(e, &stats);
	if (attached != links || links != stats.links)
		life_fault(l, "(2) node %u has %u authenticated connections, and its users have %u of %u", node, attached, links, stats.links);
}

/* Who vanished is noticed, unless the node stood still in between: then nobody had the chance to answer. */
static bool is_silent_for_long(const struct life *l, uint32_t i, const struct sim *sim)
{
	const struct guest *d = &l->guests[i];
	int64_t since_ms = d->silent_ms > d->open_ms ? d->silent_ms : d->open_ms; /* it may have been let in late */

	return d->silent_ms > 0 && l->node_bad_ms[d->node] < since_ms &&
	       sim->now.mono.ms > since_ms + 2 * sim->cfg.heartbeat_interval_ms + WS_CLOSE_DEADLINE_MS;
}

/* In no room that its token does not open, or one that is being looked at. */
static void check_rooms(struct life *l, uint32_t i, const struct engine *e, uint32_t conn)
{
	uint32_t opens = tokens_may_open(&l->guests[i]);
	enum room_kind kind;
	struct str room;

	for (uint32_t n = 0; engine_room_of(e, conn, n, &room, &kind); n++)
		if (room.n == 2 && room.p[0] == 'r' && !(opens >> (room.p[1] - '0') & 1))
			life_fault(l, "(8) c%u is in %.*s, which its token does not open", i, (int)room.n, room.p);
}

/* Every client that is in, is in as itself. */
static void check_clients(struct life *l)
{
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++) {
		const struct sim *sim = &life_crowd(l, l->guests[i].node)->sim;
		const struct sim_link *link;
		struct device_view device;
		struct str user;

		if (!life_is_open(l, i) || sim->frozen)
			continue;
		link = &sim->links[life_client(l, i)->link];
		if (!link->server_closed && is_silent_for_long(l, i, sim) && engine_whois(sim->server->engine, link->conn, &user, &device, sim->now))
			life_fault(l, "(6) c%u says nothing since %lld ms, and is in", i, (long long)(sim->now.mono.ms - l->guests[i].silent_ms));
		if (link->server_closed || link->server_shut || life_client(l, i)->stalled || l->guests[i].short_changed || life_has(l, WITH_MESSAGE_RATE))
			continue;
		if (l->guests[i].expires_ms > 0 && sim->now.mono.ms > l->guests[i].expires_ms + 1000 && sim->now.mono.ms > l->node_bad_ms[l->guests[i].node] &&
		    engine_whois(sim->server->engine, link->conn, &user, &device, sim->now))
			life_fault(l, "(8) c%u's token has ended, and it is in", i); /* T16 */
		if (!engine_whois(sim->server->engine, link->conn, &user, &device, sim->now))
			life_fault(l, "(2) c%u is in, and node %u does not know it", i, l->guests[i].node);
		else if (user.n != 2 || user.p[1] != (char)('0' + l->guests[i].user))
			life_fault(l, "(2) c%u is u%u, and to node %u %.*s", i, l->guests[i].user, l->guests[i].node, (int)user.n, user.p);
		else
			check_rooms(l, i, sim->server->engine, link->conn);
	}
}

/* --- (3), (6) --- */

static void check_conn(struct life *l, uint32_t node, const struct sim *sim, uint32_t i)
{
	const struct server *s = sim->server;
	const struct conn *c = &s->conns[i];
	uint64_t bytes_max = s->cfg->client_buffer_bytes;

	if (c->head != FRAME_NONE && frame_at(&s->frames, c->head)->len > bytes_max)
		bytes_max = frame_at(&s->frames, c->head)->len;
	if (c->state == CONN_LIVE && (c->queued_messages > s->cfg->client_buffer_messages + CONTROL_FRAMES || c->queued_bytes > bytes_max + CONTROL_BYTES))
		life_fault(l, "(3) at node %u, %u messages of %u bytes are queued for one connection", node, c->queued_messages, c->queued_bytes);
	if (c->flags & (CONN_DIRTY | CONN_RESUME | CONN_DOOMED))
		return; /* its turn comes at once */
	if (!timer_is_set(&c->timer) || deadline_of(s, c).ms == MONO_NEVER.ms)
		life_fault(l, "(6) at node %u, a connection in state %u waits for ever", node, c->state);
}

static void check_budget(struct life *l, uint32_t node, const struct server *s)
{
	const struct engine *e = s->engine;
	const struct pool *const pools[] = {
		&s->frames.cells, &s->frames.blocks, &s->nodes, &s->intake.loans, &s->intake.pools[0], &s->intake.pools[1], &s->intake.pools[2],
		&e->users.cells, &e->devices.cells, &e->rooms.cells, &e->interests.cells, &e->typings.cells, &e->calls.cells, &e->chunks,
	};

	for (uint32_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		if (pools[i]->used > pools[i]->count || pools[i]->high > pools[i]->count)
			life_fault(l, "(3) at node %u, pool %u has %u of %u cells in use", node, i, pools[i]->used, pools[i]->count);
}

/* --- (7) --- */

static void check_turns(struct life *l)
{
	uint64_t turns = 0;
	int64_t now = world_now_ms(&l->w);

	for (uint32_t n = 1; n <= l->nodes; n++)
		turns += life_crowd(l, n)->sim.turns;
	if (turns - l->turns_seen > TURNS_OF_STEP_MAX + (uint64_t)(now - l->turns_ms) * TURNS_OF_MS)
		life_fault(l, "(7) %llu turns in %lld ms", (unsigned long long)(turns - l->turns_seen), (long long)(now - l->turns_ms));
	l->turns_seen = turns;
	l->turns_ms = now;
}

/* Who drains ends in time, whoever its clients are. */
static void check_drain(struct life *l, uint32_t node, const struct sim *sim)
{
	if (world_node(&l->w, node)->quitting && world_now_ms(&l->w) > l->quit_ms[node] + sim->cfg.drain_timeout_ms + DRAIN_LATE_MS)
		life_fault(l, "(7) node %u was told to end %lld ms ago", node, (long long)(world_now_ms(&l->w) - l->quit_ms[node]));
}

void invariants_check(struct life *l)
{
	for (uint32_t n = 1; n <= l->nodes; n++) {
		const struct sim *sim = &life_crowd(l, n)->sim;

		if (sim->server == NULL || sim->frozen)
			continue;
		check_online(l, n, sim);
		check_refs(l, n, sim);
		check_budget(l, n, sim->server);
		check_drain(l, n, sim);
		for (uint32_t i = 0; i < sim->server->conns_high; i++)
			if (sim->server->conns[i].state != CONN_FREE)
				check_conn(l, n, sim, i);
	}
	check_clients(l);
	check_turns(l);
	hostile_check(l);
}
