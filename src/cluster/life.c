/*
 * Invariants: c->life is written in to() alone. In an epoch `bye` is the last letter. At most one beat is on
 * its way to ourselves, so what comes back is the one that was sent.
 */
#include "cluster/life.h"

#include <assert.h>

#include "cluster/nodes.h"
#include "cluster/post.h"
#include "cluster/sync.h"

enum {
	KEY_TTL_MS = 3 * BEAT_MS, BYE_MS = 1000, CHANNELS = 4, EPOCH_DIGITS_MAX = 20,
	LEAVE_BYTES = 1024, /* of the bus: the lease given back, and `bye` */
};

const struct str life_words[LIFE_COUNT] = {
	[LIFE_DOWN] = STR("down"), [LIFE_JOINING] = STR("joining"), [LIFE_READY] = STR("ready"),
	[LIFE_LEFT] = STR("left"),
};

static void to(struct cluster *c, enum life life, const char *why)
{
	LOG(server_log(c->server), c->now.wall, life == LIFE_DOWN ? LOG_WARN : LOG_INFO, "Cluster",
	    LOG_STR("from", life_words[c->life]), LOG_STR("to", life_words[life]),
	    LOG_STR("because", str_of(why, strlen(why))), LOG_STR("node", cluster_node_id(c)),
	    LOG_U64("epoch", c->epoch), LOG_U64("nodes", nodes_count(c) + 1));
	c->life = life;
}

/* --- the lease --- */

static struct str epoch_text(const struct cluster *c, char text[EPOCH_DIGITS_MAX])
{
	struct jsonw w;

	jsonw_init(&w, text, EPOCH_DIGITS_MAX);
	jsonw_u64(&w, c->epoch);
	return jsonw_text(&w);
}

void life_assert(struct cluster *c)
{
	struct post_channel key;
	char text[EPOCH_DIGITS_MAX];

	if (cluster_is_up(c))
		c->bus.set(c->bus.ctx, post_node(&key, cluster_node_id(c)), epoch_text(c, text), KEY_TTL_MS);
}

static void renew(struct cluster *c)
{
	struct post_channel key;

	c->bus.renew(c->bus.ctx, post_node(&key, cluster_node_id(c)), KEY_TTL_MS);
}

/* --- an epoch --- */

static void raise_epoch(struct cluster *c)
{
	uint64_t wall = c->now.wall.ms > 0 ? (uint64_t)c->now.wall.ms : 0;

	c->epoch_before = c->epoch;
	c->epoch = wall > c->epoch ? wall : c->epoch + 1;
	c->seq = 0;
	c->seq_skips = false;
	c->figures.epochs++;
}

static void begin(struct cluster *c, const char *why)
{
	raise_epoch(c);
	c->hello_heard = c->beat_out = false;
	c->hello_again_ms = HELLO_AGAIN_MS;
	c->hello_at = c->joining_since = c->due = c->now.mono;
	c->beat_at = c->extra_beat_at = c->unheard_since = MONO_NEVER;
	to(c, LIFE_JOINING, why);
}

void life_join(struct cluster *c)
{
	if (c->life == LIFE_LEFT)
		return;
	c->subscribed = c->rooms_cursor = 0;
	c->rooms_done = false;
	c->blocked_until = c->now.mono;
	begin(c, "Redis is there");
	seeds_up(&c->seeds, c->now);
	renew(c); /* whether it was there says whether our other keys are */
	life_assert(c);
}

void life_lose(struct cluster *c)
{
	c->unheard_since = MONO_NEVER;
	outgoing_clear(&c->outgoing);
	c->bye_heard = c->life == LIFE_LEFT;
	seeds_down(&c->seeds, c->now);
	if (cluster_is_up(c))
		to(c, LIFE_DOWN, "Redis is not there");
	for (uint32_t i = 0; i < c->nodes_high; i++)
		c->nodes[i].unheard = c->nodes[i].state == NODE_HERE;
	c->lost = true;
	engine_peers_lost(c->engine, true);
}

/* Those who come back to Redis after us know of users what we cannot: where they are now. */
void life_find(struct cluster *c)
{
	bool late = mono_since_ms(c->now.mono, c->joining_since) >= UNHEARD_MS_MAX;

	if (!c->lost || c->life != LIFE_READY)
		return;
	for (uint32_t i = 0; i < c->nodes_high; i++)
		if (c->nodes[i].unheard && !late)
			return;
	c->lost = false;
	engine_peers_lost(c->engine, false);
}

static void deaf(struct cluster *c)
{
	c->figures.deaf++;
	LOG(server_log(c->server), c->now.wall, LOG_WARN,
	    "This node does not hear itself: connecting to Redis anew");
	life_lose(c);
	c->bus.reset(c->bus.ctx);
}

/* This process was stopped: the others have taken us away, and we have not heard what became of them. */
static void stopped(struct cluster *c, int64_t late_ms)
{
	const struct now then = { c->due, { c->now.wall.ms - late_ms } };

	LOG(server_log(c->server), c->now.wall, LOG_WARN, "This process was stopped: joining anew",
	    LOG_MS("for", late_ms));
	seeds_down(&c->seeds, then);
	seeds_up(&c->seeds, c->now);
	begin(c, "the process was stopped");
	for (uint32_t i = 0; i < c->nodes_high; i++)
		if (c->nodes[i].state == NODE_HERE)
			sync_want(c, &c->nodes[i]);
}

/* --- joining --- */

/* Channels, `presenced:nodes` last: once we hear ourselves on it, the others stand too. */
static void subscribe(struct cluster *c)
{
	struct post_channel own;
	const struct str channels[CHANNELS] = {
		POST_USERS, POST_ALL, post_node(&own, cluster_node_id(c)), POST_NODES,
	};

	while (c->subscribed < CHANNELS && c->bus.subscribe(c->bus.ctx, channels[c->subscribed]))
		c->subscribed++;
}

static void subscribe_rooms(struct cluster *c)
{
	for (int i = 0; i < ROOMS_A_TURN && !c->rooms_done; i++) {
		uint32_t next = c->rooms_cursor;
		struct post_channel name;
		struct str room;

		c->rooms_done = !engine_peer_room_next(c->engine, &next, &room);
		if (!c->rooms_done && !c->bus.subscribe(c->bus.ctx, post_room(&name, room)))
			return;
		c->rooms_cursor = next;
	}
}

/* Since when something of ours must come back. */
static void expect_echo(struct cluster *c)
{
	c->unheard_since = mono_min(c->unheard_since, c->now.mono);
}

static void say_hello(struct cluster *c)
{
	if (mono_before(c->now.mono, c->hello_at))
		return;
	expect_echo(c);
	if (c->subscribed < CHANNELS || !post_short(c, LETTER_HELLO)) {
		c->hello_at = mono_add_ms(c->now.mono, RETRY_MS);
		return;
	}
	c->hello_at = mono_add_ms(c->now.mono, c->hello_again_ms);
	c->hello_again_ms *= 2;
	if (c->hello_again_ms > HELLO_AGAIN_MS_MAX)
		c->hello_again_ms = HELLO_AGAIN_MS_MAX;
}

static bool is_anybody_awaited(const struct cluster *c)
{
	for (uint32_t i = 0; i < c->nodes_high; i++)
		if (c->nodes[i].state == NODE_HERE && c->nodes[i].awaited)
			return true;
	return false;
}

static void ready(struct cluster *c, const char *why)
{
	to(c, LIFE_READY, why);
	nodes_tell(c);
	seeds_ready(&c->seeds, c->now);
}

static void check_joined(struct cluster *c)
{
	if (c->life != LIFE_JOINING || !c->hello_heard || !c->rooms_done)
		return;
	if (mono_since_ms(c->now.mono, c->joining_since) >= JOINING_MS_MAX)
		ready(c, "it was waited long enough");
	else if (mono_since_ms(c->now.mono, c->hello_heard_at) >= ANSWERS_MS && !is_anybody_awaited(c))
		ready(c, "all have told what they know");
}

/* --- living --- */

static void hear_hello(struct cluster *c)
{
	if (c->hello_heard)
		return;
	c->hello_heard = true;
	c->hello_heard_at = c->proven_at = c->now.mono;
	c->hello_at = c->unheard_since = MONO_NEVER;
	c->beat_at = mono_add_ms(c->now.mono, BEAT_MS);
	nodes_renew(c);
}

static void hear_beat(struct cluster *c)
{
	if (!c->beat_out)
		return;
	c->beat_out = false;
	c->unheard_since = MONO_NEVER;
	c->proven_at = c->beat_sent_at;
	c->figures.echo_ms = mono_since_ms(c->now.mono, c->beat_sent_at);
}

void life_echo(struct cluster *c, const struct letter *l)
{
	if (l->epoch != c->epoch)
		return;
	if (l->type == LETTER_HELLO)
		hear_hello(c);
	if (l->type == LETTER_BEAT)
		hear_beat(c);
	if (l->type == LETTER_BYE)
		c->bye_heard = true;
}

void life_greeted(struct cluster *c)
{
	if (c->hello_heard)
		c->extra_beat_at = mono_min(c->extra_beat_at,
					    mono_add_ms(c->now.mono, cluster_random(c, HELLO_JITTER_MS)));
}

/* What could not be said is made a gap: whoever hears of the number asks for everything. */
static void skip(struct cluster *c)
{
	c->seq += c->seq_skips;
	c->seq_skips = false;
}

static mono_t next_beat(const struct cluster *c)
{
	return c->beat_out ? MONO_NEVER : mono_min(c->beat_at, c->extra_beat_at);
}

static mono_t not_before(mono_t t, mono_t at)
{
	return mono_before(t, at) ? at : t;
}

static void beat(struct cluster *c)
{
	if (mono_before(c->now.mono, next_beat(c)))
		return;
	expect_echo(c);
	skip(c);
	if (!post_short(c, LETTER_BEAT)) {
		c->extra_beat_at = not_before(c->extra_beat_at, mono_add_ms(c->now.mono, RETRY_MS));
		c->beat_at = not_before(c->beat_at, mono_add_ms(c->now.mono, RETRY_MS));
		return;
	}
	c->beat_out = true;
	c->beat_sent_at = c->now.mono;
	c->extra_beat_at = MONO_NEVER;
	if (mono_before(c->now.mono, c->beat_at))
		return;
	renew(c);
	c->beat_at = mono_add_ms(c->now.mono, BEAT_MS);
}

/* --- the turn --- */

static mono_t deaf_at(const struct cluster *c)
{
	return mono_add_ms(c->unheard_since, DEAF_MS);
}

void life_late(struct cluster *c)
{
	int64_t late_ms = mono_since_ms(c->now.mono, c->due);

	assert(cluster_is_up(c));
	if (late_ms > LEASE_MS)
		stopped(c, late_ms);
	else if (late_ms > LATE_MS && c->unheard_since.ms != MONO_NEVER.ms)
		c->unheard_since = c->now.mono;
}

void life_turn(struct cluster *c)
{
	assert(cluster_is_up(c));
	if (!mono_before(c->now.mono, deaf_at(c))) {
		deaf(c);
		return;
	}
	subscribe(c);
	say_hello(c);
	if (c->subscribed == CHANNELS)
		subscribe_rooms(c);
	beat(c);
	check_joined(c);
}

static mono_t joined_deadline(const struct cluster *c)
{
	mono_t at;

	if (c->life != LIFE_JOINING || !c->hello_heard || !c->rooms_done)
		return MONO_NEVER;
	at = mono_add_ms(c->joining_since, JOINING_MS_MAX);
	if (!is_anybody_awaited(c))
		at = mono_min(at, mono_add_ms(c->hello_heard_at, ANSWERS_MS));
	return at;
}

mono_t life_deadline(const struct cluster *c)
{
	mono_t at = mono_min(deaf_at(c), mono_min(c->hello_at, next_beat(c)));

	assert(cluster_is_up(c));
	if (!c->rooms_done && c->subscribed == CHANNELS)
		at = mono_min(at, mono_add_ms(c->now.mono, 1));
	return mono_min(at, joined_deadline(c));
}

/* --- the end --- */

bool life_leave(struct cluster *c)
{
	struct post_channel key;

	if (c->life == LIFE_DOWN)
		return true;
	if (c->life == LIFE_LEFT)
		return c->bye_heard || mono_since_ms(c->now.mono, c->bye_at) >= BYE_MS;
	if (nodes_count(c) == 0)
		seeds_farewell(&c->seeds);
	post_users(c);
	if (c->outgoing.count > 0 || !seeds_idle(&c->seeds))
		return false;
	if (c->bus.space(c->bus.ctx) < LEAVE_BYTES) /* both or neither: it is asked again in each turn */
		return false;
	if (!c->bus.del(c->bus.ctx, post_node(&key, cluster_node_id(c))) || !post_short(c, LETTER_BYE))
		return false;
	c->bus.flush(c->bus.ctx);
	c->bye_at = c->now.mono;
	to(c, LIFE_LEFT, "this node ends");
	return false;
}
