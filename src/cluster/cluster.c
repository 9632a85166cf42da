/*
 * Invariants: every way in sets c->now first. Nothing is published while the bus is down: what changes then
 * is forgotten, because on return everybody asks for everything. What is heard is looked at in this order: is
 * it a letter, does it belong on its channel, is it our own, is its node known, was it heard before; only
 * then is anything of it used.
 */
#include "cluster/cluster.h"

#include <assert.h>
#include <stdalign.h>

#include "base/hex.h"
#include "cluster/life.h"
#include "cluster/nodes.h"
#include "cluster/post.h"
#include "cluster/sync.h"

uint32_t cluster_random(struct cluster *c, uint32_t below)
{
	assert(below > 0);
	c->random ^= c->random >> 12;
	c->random ^= c->random << 25;
	c->random ^= c->random >> 27;
	return (uint32_t)((c->random * UINT64_C(0x2545f4914f6cdd1d) >> 32) * below >> 32);
}

static void name(struct cluster *c)
{
	struct str id = c->cfg.node_id;

	static_assert((int)NODE_ID_BYTES_MAX >= (int)HEX_U64_BYTES, "there is room for one that is made");
	assert(id.n <= sizeof(c->id));
	if (id.n > 0) {
		memcpy(c->id, id.p, id.n);
		c->id_bytes = (uint32_t)id.n;
	} else {
		hex_put_u64(c->id, c->cfg.random[0]);
		c->id_bytes = HEX_U64_BYTES;
	}
	assert(letter_is_node(cluster_node_id(c)));
}

struct cluster *cluster_new(const struct cluster_config *cfg, struct region *r, const struct bus *bus,
			    struct now now)
{
	struct cluster *c = region_take(r, sizeof(*c), alignof(struct cluster));
	char *text = region_take(r, LETTER_BYTES_MAX, 1);
	struct letter_reader *reader = letter_reader_new(r, cfg->random[1]);
	const struct seeds_config seeds = {
		.users_max = cfg->users_max, .presence_ttl_ms = cfg->presence_ttl_ms,
		.typing_ttl_ms = cfg->typing_ttl_ms, .keys = cfg->keys,
		.random = { cfg->random[1], cfg->random[0] },
	};
	struct outgoing outgoing;
	struct seeds measured;

	outgoing_init(&outgoing, r, cfg->users_max);
	seeds_init(c != NULL ? &c->seeds : &measured, r, &seeds, bus);
	if (region_measuring(r) || region_failed(r))
		return NULL;
	c->cfg = *cfg;
	c->bus = *bus;
	c->now = now;
	c->random = (cfg->random[0] ^ cfg->random[1]) | 1;
	c->text = text;
	c->reader = reader;
	c->outgoing = outgoing;
	c->unheard_since = c->hello_at = c->beat_at = c->extra_beat_at = MONO_NEVER;
	name(c);
	return c;
}

void cluster_serve(struct cluster *c, struct server *s)
{
	assert(c->server == NULL);
	c->server = s;
	c->engine = server_engine(s);
	seeds_serve(&c->seeds, c->engine, server_log(s));
}

struct str cluster_node_id(const struct cluster *c)
{
	return str_of(c->id, c->id_bytes);
}

/* --- the bus --- */

void cluster_up(struct cluster *c, struct now now)
{
	c->now = now;
	life_join(c);
}

void cluster_down(struct cluster *c, struct now now)
{
	c->now = now;
	life_lose(c);
}

void cluster_renewed(struct cluster *c, bool was_there, struct now now)
{
	c->now = now;
	if (!cluster_is_up(c) || (was_there && (!c->was_refused || mono_before(now.mono, c->rewrite_at))))
		return;
	c->was_refused = false;
	c->rewrite_at = mono_add_ms(now.mono, REWRITE_MS);
	life_assert(c);
	seeds_rewrite(&c->seeds);
}

void cluster_refused(struct cluster *c, struct str code, struct now now)
{
	(void)code;
	c->now = now;
	c->was_refused = true; /* what it was is not known */
}

/* --- hearing --- */

static void misread(struct cluster *c, enum figures_refusal why, const char *what)
{
	uint64_t more;

	c->figures.refused[why]++;
	if (log_limit_pass(&c->misread_limit, c->now.mono, &more))
		LOG(server_log(c->server), c->now.wall, LOG_WARN, "A letter of another node was ignored",
		    LOG_STR("because", str_of(what, strlen(what))), LOG_U64("suppressed", more));
}

static bool belongs(const struct cluster *c, struct str channel, enum letter_type type)
{
	struct post_channel own;

	switch (type) {
	case LETTER_HELLO:
	case LETTER_BEAT:
	case LETTER_BYE:
		return str_eq(channel, POST_NODES);
	case LETTER_GONE:
		return str_eq(channel, POST_NODES) || str_eq(channel, post_node(&own, cluster_node_id(c)));
	case LETTER_USERS:
		return str_eq(channel, POST_USERS);
	case LETTER_SYNC:
	case LETTER_STATE:
		return str_eq(channel, post_node(&own, cluster_node_id(c)));
	case LETTER_SAY:
		return str_eq(channel, POST_ALL) || str_has_prefix(channel, POST_ROOM) ||
		       str_eq(channel, post_node(&own, cluster_node_id(c)));
	case LETTER_COUNT:
		break;
	}
	return false;
}

static bool read(struct cluster *c, struct str channel, char *payload, size_t bytes, struct letter *l)
{
	switch (letter_read(c->reader, payload, bytes, l)) {
	case LETTER_BAD_JSON:
		misread(c, FIGURES_JSON, "it is no JSON");
		return false;
	case LETTER_BAD:
		misread(c, FIGURES_LETTER, "something in it is not what it must be");
		return false;
	case LETTER_OK:
		break;
	}
	if (!belongs(c, channel, l->type)) {
		misread(c, FIGURES_CHANNEL, "it came on a channel where it has no place");
		return false;
	}
	return true;
}

/* Our own, or of another process that has our name. */
static void hear_own(struct cluster *c, const struct letter *l)
{
	if (l->epoch == c->epoch || l->epoch == c->epoch_before) {
		life_echo(c, l);
		return;
	}
	c->figures.refused[FIGURES_NAMESAKE]++;
	if (mono_before(c->now.mono, c->namesake_again))
		return;
	c->namesake_again = mono_add_ms(c->now.mono, NAMESAKE_MS);
	LOG(server_log(c->server), c->now.wall, LOG_ERROR, "Another process uses the node-id of this one",
	    LOG_STR("node", l->node), LOG_U64("epoch", c->epoch), LOG_U64("its_epoch", l->epoch));
}

/* grace_ms: before anybody is offline; another node may have them, and not have told yet. */
static void hear_users(struct cluster *c, struct node *n, int64_t grace_ms)
{
	struct peer_user u;
	uint64_t more;

	while (letter_next_user(c->reader, &u)) {
		c->figures.users_heard++;
		u.grace_ms = grace_ms;
		if (engine_peer_user(c->engine, nodes_peer(c, n), &u, c->now) == ENGINE_OK)
			continue;
		c->figures.refused[FIGURES_FULL]++;
		n->full_until = mono_min(n->full_until, mono_add_ms(c->now.mono, FULL_AGAIN_MS));
		if (log_limit_pass(&c->full_limit, c->now.mono, &more))
			LOG(server_log(c->server), c->now.wall, LOG_ERROR,
			    "There is no room for all users of the other nodes", LOG_STR("node", nodes_id(n)),
			    LOG_U64("suppressed", more));
	}
}

static void hear(struct cluster *c, struct str channel, const struct letter *l)
{
	struct node *n = nodes_hear(c, l);
	uint64_t shown;

	if (n == NULL)
		return;
	c->figures.heard[l->type]++;
	switch (l->type) {
	case LETTER_HELLO:
		sync_greeted(c, n);
		life_greeted(c);
		break;
	case LETTER_BYE:
		nodes_end(c, n);
		break;
	case LETTER_GONE:
		nodes_gone(c, n, l, !str_eq(channel, POST_NODES));
		break;
	case LETTER_USERS:
		if (!sync_will_tell(n))
			hear_users(c, n, 0);
		break;
	case LETTER_STATE:
		shown = c->shown;
		hear_users(c, n, GRACE_MS);
		sync_told(c, n, l, c->shown - shown);
		break;
	case LETTER_SYNC:
		sync_asked(c, n, l);
		break;
	case LETTER_SAY:
		engine_peer_message(c->engine, nodes_peer(c, n), &l->message, c->now);
		break;
	case LETTER_BEAT:
	case LETTER_COUNT:
		break;
	}
}

void cluster_heard(struct cluster *c, struct str channel, char *payload, size_t bytes, struct now now)
{
	struct letter l;

	c->now = now;
	if (c->life == LIFE_DOWN)
		return;
	if (!str_has_prefix(channel, STR("presenced:"))) {
		seeds_heard(&c->seeds, channel, payload, bytes, now);
		return;
	}
	c->figures.heard_bytes += bytes;
	if (str_eq(channel, POST_USERS) && post_is_own_users(c, payload, bytes))
		return;
	if (!read(c, channel, payload, bytes, &l))
		return;
	if (str_eq(l.node, cluster_node_id(c)))
		hear_own(c, &l);
	else if (c->life != LIFE_LEFT)
		hear(c, channel, &l);
	nodes_tell(c);
}

/* --- the turn --- */

void cluster_turn(struct cluster *c, struct now now)
{
	c->now = now;
	if (!cluster_is_up(c))
		return;
	life_late(c);
	nodes_turn(c);
	nodes_tell(c);
	life_turn(c);
	if (!cluster_is_up(c))
		return;
	sync_turn(c);
	life_find(c);
}

mono_t cluster_deadline(const struct cluster *c)
{
	mono_t at;

	if (c->life == LIFE_LEFT)
		return c->bye_heard ? MONO_NEVER : mono_add_ms(c->now.mono, RETRY_MS);
	if (!cluster_is_up(c))
		return MONO_NEVER;
	at = mono_min(life_deadline(c), mono_min(nodes_deadline(c), sync_deadline(c)));
	if (c->outgoing.count > 0) /* before what seeds.h has to say */
		return mono_min(at, c->blocked_until);
	return mono_min(at, seeds_deadline(&c->seeds));
}

/* --- struct peers --- */

static void link_changed(void *ctx, uint32_t user)
{
	struct cluster *c = ctx;

	if (cluster_is_up(c))
		outgoing_add(&c->outgoing, user);
	seeds_changed(&c->seeds, user);
}

/* That a user went, whose number somebody else may have by now, is told by a gap: they ask for everything. */
static void link_forgotten(void *ctx, uint32_t user)
{
	struct cluster *c = ctx;

	if (outgoing_has(&c->outgoing, user))
		c->seq_skips = true;
}

/* For other programs alone. */
static void link_shown(void *ctx, uint32_t user)
{
	struct cluster *c = ctx;

	c->shown++;
	seeds_shown(&c->seeds, user);
}

static void link_roster(void *ctx)
{
	struct cluster *c = ctx;

	seeds_roster(&c->seeds);
}

/* A channel that could not be subscribed to is found again by a walk over all rooms. */
static void link_room(void *ctx, struct str room, bool wanted)
{
	struct cluster *c = ctx;
	struct post_channel to;

	if (!cluster_is_up(c))
		return;
	if (!wanted) {
		c->bus.unsubscribe(c->bus.ctx, post_room(&to, room));
	} else if (!c->bus.subscribe(c->bus.ctx, post_room(&to, room))) {
		c->rooms_done = false;
		c->rooms_cursor = 0;
	}
}

static void link_tell(void *ctx, const struct peer_address *to, const struct peer_message *m)
{
	struct cluster *c = ctx;

	if (cluster_is_up(c))
		post_message(c, to, m);
	if (m->type == PEER_TYPING)
		seeds_typing(&c->seeds, m->room, m->user_id, m->is_typing);
}

static void peers_note(void *ctx, enum engine_note note, struct str user, struct str device, struct now now)
{
	struct cluster *c = ctx;

	seeds_note(&c->seeds, note, user, device, now);
}

/* All of this turn is done: a next one that is late says that the process was stopped. */
static void expect_turn(struct cluster *c)
{
	c->due = cluster_deadline(c);
	if (mono_before(c->due, c->now.mono)) /* at once is not in the past */
		c->due = c->now.mono;
}

static void peers_flush(void *ctx, struct now now)
{
	struct cluster *c = ctx;

	c->now = now;
	if (cluster_is_up(c)) {
		if (!mono_before(now.mono, c->blocked_until))
			post_users(c);
		if (c->outgoing.count == 0)
			seeds_turn(&c->seeds, now);
	}
	if (c->life != LIFE_DOWN)
		c->bus.flush(c->bus.ctx);
	expect_turn(c);
}

static bool peers_leave(void *ctx, struct now now)
{
	struct cluster *c = ctx;

	c->now = now;
	return life_leave(c);
}

static enum peers_health peers_health(void *ctx)
{
	const struct cluster *c = ctx;

	if (c->life == LIFE_READY)
		return PEERS_READY;
	return c->life == LIFE_JOINING ? PEERS_JOINING : PEERS_LOST;
}

static uint32_t peers_nodes(void *ctx)
{
	return nodes_count(ctx) + 1;
}

static void peers_metrics(void *ctx, struct jsonw *out)
{
	const struct cluster *c = ctx;

	figures_write(c, out);
	if (c->bus.metrics != NULL)
		c->bus.metrics(c->bus.ctx, out);
}

struct peers cluster_peers(struct cluster *c)
{
	return (struct peers){
		.link = { .ctx = c, .changed = link_changed, .forgotten = link_forgotten,
			  .shown = link_shown, .roster = link_roster,
			  .room = link_room, .tell = link_tell },
		.note = peers_note, .flush = peers_flush, .leave = peers_leave, .health = peers_health,
		.nodes = peers_nodes, .metrics = peers_metrics,
	};
}

bool cluster_valid(const struct cluster *c)
{
	for (int i = 0; i < PEERS_MAX; i++) {
		const struct node *n = &c->nodes[i];

		if (n->state == NODE_FREE)
			continue;
		if (n->id_bytes == 0 || (uint32_t)i >= c->nodes_high)
			return false;
		if (n->state == NODE_LEAVING &&
		    (n->asking != ASKING_NOTHING || n->asks || n->awaited || n->unheard))
			return false;
		for (int k = 0; k < i; k++)
			if (c->nodes[k].state != NODE_FREE && str_eq(nodes_id(&c->nodes[k]), nodes_id(n)))
				return false;
	}
	return outgoing_valid(&c->outgoing) && (cluster_is_up(c) || c->outgoing.count == 0);
}
