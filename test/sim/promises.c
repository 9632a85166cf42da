/*
 * Invariant: nothing here changes the server, but by what any server may be told (promises_late()).
 */
#include "sim/promises.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "presence/state.h"
#include "server/grant.h"
#include "server/queue.h"
#include "server/session.h"
#include "server/state.h"

enum {
	MESSAGE_MS_MAX = 10000, /* an unfinished message (RELIABILITY F18) */
	BYTES_PER_MS = 640,
	TEXT_MAX = 128,
};

__attribute__((format(printf, 2, 3))) static void broken(struct sim *sim, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sim_fault(sim, text);
}

/* --- who they are --- */

void promises_begin(struct promises *p)
{
	memset(p, 0, sizeof(*p));
	for (uint32_t i = 0; i < PROMISES_CLIENTS; i++)
		p->of[i] = (struct promised){ .weak = true, .until_ms = INT64_MAX };
}

void promises_come(struct promises *p, const struct sim *sim, uint32_t client, uint32_t user, bool by_token)
{
	struct promised *d = &p->of[client];

	*d = (struct promised){ .user = user, .come_ms = sim->now.mono.ms, .until_ms = by_token ? sim->now.mono.ms : INT64_MAX };
	for (uint32_t u = 0; u < PROMISES_USERS; u++)
		d->told_ms[u] = sim->now.mono.ms;
}

void promises_token(struct promises *p, const struct sim *sim, uint32_t client, wall_t expires)
{
	int64_t until_ms = sim->now.mono.ms + expires.ms - sim->now.wall.ms + sim->cfg.token.leeway_ms;

	if (p->of[client].until_ms < until_ms)
		p->of[client].until_ms = until_ms;
}

void promises_weak(struct promises *p, uint32_t client, bool junk)
{
	p->of[client].weak = true;
	p->of[client].junk |= junk;
}

void promises_wall(struct promises *p)
{
	for (uint32_t i = 0; i < PROMISES_CLIENTS; i++)
		p->of[i].until_ms = INT64_MAX;
}

/* --- what they hear --- */

/* The user whom the word `invisible` at `word` is said of; UINT32_MAX: nobody. */
static uint32_t user_before(const char *text, const char *word)
{
	while (word > text && !(word[-1] == 'u' && word[0] >= '0' && word[0] <= '9'))
		word--;
	return word == text ? UINT32_MAX : (uint32_t)(word[0] - '0');
}

static void judge_invisible(struct sim *sim, const struct promised *d, uint32_t client, const char *text)
{
	for (const char *w = strstr(text, "invisible"); w != NULL; w = strstr(w + 1, "invisible")) {
		uint32_t user = user_before(text, w);

		if (user != UINT32_MAX && user != d->user)
			broken(sim, "c%u is told that u%u is invisible", client, user);
	}
}

/*
 * The broadcasts of one user come at the rate that they may. Who has just come may have met one that waits, and is told of what became of it;
 * and where the table of users is full, those who are gone are forgotten, with when they were told of last.
 */
static void judge_rate(struct sim *sim, struct promised *d, uint32_t client, const struct heard *h)
{
	unsigned user;
	int64_t gap_ms;

	if (sscanf(h->text, "presence_update u%u", &user) != 1 || user >= PROMISES_USERS || user == d->user)
		return;
	gap_ms = h->at_ms - d->told_ms[user];
	if (d->told_ms[user] > d->come_ms + 1000 && sim->cfg.presence_rate == 1 && sim->cfg.audience == AUDIENCE_ALL && sim->cfg.users_max == 0 && gap_ms < 1000)
		broken(sim, "c%u is told of u%u again after %lld ms", client, user, (long long)gap_ms);
	d->told_ms[user] = h->at_ms;
}

static void judge_pongs(struct sim *sim, struct promised *d, uint32_t client, const struct heard *h)
{
	d->answered = true;
	if (d->pongs_ms != h->at_ms)
		d->pongs = 0;
	d->pongs_ms = h->at_ms;
	if (++d->pongs > sim->cfg.message_burst)
		broken(sim, "c%u gets %u answers at once, and may have %u", client, d->pongs, sim->cfg.message_burst);
}

static void judge_close(struct sim *sim, uint32_t client, const char *text, bool limited)
{
	unsigned code = (unsigned)strtoul(text + 6, NULL, 10);

	if (code == SESSION_CLOSE_SILENT && !limited)
		broken(sim, "c%u was never silent, and is ended for it", client);
}

static bool is_pong(const struct heard *h)
{
	return h->json != NULL && (strncmp(h->text, "pong", 4) == 0 || strncmp(h->text, "HEARTBEAT_ACK", 13) == 0);
}

void promises_hear(struct promises *p, struct sim *sim, const struct client *cl, uint32_t client, const struct heard *h, bool limited)
{
	struct promised *d = &p->of[client];

	if (!cl->websocket && strncmp(h->text, "500", 3) == 0)
		broken(sim, "c%u hears 500, which nobody has written down", client);
	if (cl->websocket && h->json != NULL && cl->dialect != DIALECT_ECHO)
		judge_invisible(sim, d, client, h->text);
	if (d->weak)
		return;
	if (is_pong(h))
		judge_pongs(sim, d, client, h);
	else if (strncmp(h->text, "close ", 6) == 0)
		judge_close(sim, client, h->text, limited);
	else if (cl->dialect == DIALECT_SNAKE)
		judge_rate(sim, d, client, h);
}

void promises_heard(struct promises *p, struct sim *sim, const struct client *cl, uint32_t client, bool limited)
{
	struct promised *d = &p->of[client];

	if (d->early && !d->answered && !d->weak && !limited && !sim->frozen && cl->websocket && cl->link >= 0 && !cl->close_heard)
		broken(sim, "c%u asked before it was through, and is not answered", client);
	d->early = d->early && sim->frozen;
}

/* --- tokens --- */

static const struct conn *conn_of(const struct sim *sim, uint32_t client, const struct client *clients)
{
	const struct client *cl = &clients[client];
	const struct sim_link *l = cl->link < 0 ? NULL : &sim->links[cl->link];

	if (l == NULL || !l->accepted || l->server_closed || l->conn == CONN_NONE)
		return NULL;
	return &sim->server->conns[l->conn];
}

static void check_tokens(struct promises *p, struct sim *sim)
{
	const struct crowd *c = sim->drink_ctx;

	for (uint32_t k = 0; k < c->client_count; k++) {
		uint32_t i = (uint32_t)strtoul(c->clients[k].name + 1, NULL, 10);
		const struct conn *conn = conn_of(sim, k, c->clients);

		if (conn != NULL && (conn->flags & CONN_ATTACHED) != 0 && p->of[i].until_ms < sim->now.mono.ms)
			broken(sim, "c%u is in, and its token has ended %lld ms ago", i, (long long)(sim->now.mono.ms - p->of[i].until_ms));
	}
}

static bool opens(const struct server *s, const struct conn *c, struct str room)
{
	return c->grant == STRREF_NONE || (c->flags & CONN_STRANGER) != 0 || grant_covers(strpool_get(&s->grants, c->grant), room);
}

/* Nobody is, or types, in a room that the token does not open. */
static void check_rooms(struct sim *sim)
{
	const struct server *s = sim->server;
	const struct engine *e = s->engine;
	enum room_kind kind;
	struct str room;

	for (uint32_t i = 0; i < s->conns_high; i++)
		for (uint32_t n = 0; (s->conns[i].flags & CONN_ATTACHED) != 0 && engine_room_of(e, i, n, &room, &kind); n++)
			if (!opens(s, &s->conns[i], room))
				broken(sim, "connection %u is in %.*s, which its token does not open", i, (int)room.n, room.p);
	for (uint32_t u = 0; u < e->users.cells.high; u++)
		for (uint32_t t = users_live(&e->users, u) ? users_typing_plus1(&e->users, u) : 0; t != 0;) {
			const struct typing *typing = pool_at(&e->typings.cells, t - 1);

			room = strpool_get(&e->ids, typing->room);
			if (typing->conn != LINK_NONE && !opens(s, &s->conns[typing->conn], room))
				broken(sim, "connection %u types in %.*s, which its token does not open", typing->conn, (int)room.n, room.p);
			t = typing->next_plus1;
		}
}

/* --- who is invisible --- */

/* Others see no more of them than when they hid. */
static void check_hidden(struct promises *p, struct sim *sim)
{
	const struct engine *e = sim->server->engine;

	for (uint32_t u = 0; u < PROMISES_USERS; u++) {
		char id[] = { 'u', (char)('0' + u) };
		uint32_t i = users_find(&e->users, str_of(id, sizeof(id)));
		const struct profile *of = i == MAP_NONE ? NULL : users_profile(&e->users, users_at(&e->users, i));
		struct presence_view v;

		if (of == NULL || users_at(&e->users, i)->override != STATUS_INVISIBLE) {
			p->users[u].hidden = false;
			continue;
		}
		users_view(&e->users, i, false, sim->now, &v);
		if (v.status != STATUS_OFFLINE || v.device_count > 0)
			broken(sim, "u%u is invisible, and others see %u devices", u, v.device_count);
		if (p->users[u].hidden && p->users[u].hidden_ms == of->hidden_ms && v.known && v.last_seen.ms != p->users[u].last_seen_ms)
			broken(sim, "u%u is invisible, and others see that they are there", u);
		p->users[u].hidden = v.known;
		p->users[u].hidden_ms = of->hidden_ms;
		p->users[u].last_seen_ms = v.last_seen.ms;
	}
}

/* --- caps, and what has an end --- */

/* A Close may come behind as many as there may be. */
static void check_queue(struct sim *sim, uint32_t i)
{
	const struct server *s = sim->server;
	uint32_t messages = 0;

	for (struct queue_walk w = queue_front(&s->conns[i]); w.frame != FRAME_NONE; queue_step(s, &w))
		messages += !frame_at(&s->frames, w.frame)->close_after;
	if (messages > s->cfg->client_buffer_messages)
		broken(sim, "%u messages are queued for one connection, which may have %u", messages, s->cfg->client_buffer_messages);
}

static void check_ends(struct sim *sim, uint32_t i)
{
	const struct server *s = sim->server;
	const struct conn *c = &s->conns[i];
	int64_t since_ms = sim->now.mono.ms - c->since.ms;

	if (c->state == CONN_LIVE && ws_dec_in_message(&c->ws) && since_ms > MESSAGE_MS_MAX + (int64_t)(s->cfg->message_bytes_max[c->dialect] / BYTES_PER_MS))
		broken(sim, "connection %u is in a message for %lld ms", i, (long long)since_ms);
	if (c->state == CONN_LIVE && sim->cfg.heartbeat_interval_ms > 0 && sim->now.mono.ms - c->heard.ms > 2 * sim->cfg.heartbeat_interval_ms)
		broken(sim, "connection %u is silent for %lld ms", i, (long long)(sim->now.mono.ms - c->heard.ms));
	if (c->state == CONN_HTTP && c->intake != POOL_NONE && c->head == FRAME_NONE && since_ms > HTTP_HEAD_DEADLINE_MS &&
	    (c->flags & (CONN_STREAMING | CONN_WAITING | CONN_RESUME | CONN_DOOMED)) == 0)
		broken(sim, "connection %u is in a request for %lld ms", i, (long long)since_ms);
}

void promises_check(struct promises *p, struct sim *sim)
{
	const struct server *s = sim->server;

	if (s == NULL || sim->frozen)
		return;
	check_tokens(p, sim);
	check_rooms(sim);
	check_hidden(p, sim);
	if (s->metrics.connections > s->cfg->connections_max)
		broken(sim, "%llu connections are in, of %u", (unsigned long long)s->metrics.connections, s->cfg->connections_max);
	for (uint32_t i = 0; i < s->conns_high; i++) {
		if (s->conns[i].state == CONN_LIVE)
			check_queue(sim, i);
		check_ends(sim, i);
	}
}

/* --- what comes too late --- */

void promises_late(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->links_high && !sim->frozen && sim->server != NULL; i++) {
		const struct sim_link *l = &sim->links[i];

		if (!l->accepted || !l->server_closed || l->conn == CONN_NONE || l->generation == 0)
			continue;
		server_input(sim->server, l->conn, l->generation);
		server_output(sim->server, l->conn, l->generation);
		server_hangup(sim->server, l->conn, l->generation);
	}
}
