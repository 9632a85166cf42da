/*
 * cluster/seeds.c: see seeds.h. Who is looked at when; seeds_user.c says what there is to say.
 *
 * Invariants: a user is in the queue once at most (SEEDS_QUEUED), so that it holds all users there may be; a
 * record of zeros is a user of whom nothing was ever told. No turn looks at more than the SEEDS_TURN_* say.
 */
#include "cluster/seeds.h"

#include <assert.h>

#include "cluster/seeds_happen.h"
#include "cluster/seeds_roster.h"
#include "cluster/seeds_user.h"
#include "cluster/seeds_write.h"

/* What a review is for. */
enum {
	REVIEW_OUTSIDE = 1 << 0, /* users that other programs brought: has a node taken them over? */
	REVIEW_ALL = 1 << 1,     /* who speaks for whom has changed */
	REVIEW_ANEW = 1 << 2,    /* nothing that was written or said counts any more */
	REVIEW_LAST = 1 << 3,    /* nobody will write the keys of those who are there again */
};

enum { PROFILE_TEXT_BYTES = CUSTOM_STATUS_BYTES_MAX + METADATA_BYTES_MAX };

static_assert(STATUS_OFFLINE == 0, "a record of zeros is of a user who was never told to be there");

/* --- life --- */

static void set_up(struct seeds *s, const struct seeds_config *config, const struct bus *bus)
{
	*s = (struct seeds){ .config = *config, .bus = *bus };
	s->key = (struct siphash_key){ config->random[0], config->random[1] };
}

void seeds_init(struct seeds *s, struct region *r, const struct seeds_config *config, const struct bus *bus)
{
	size_t most = 64 + (size_t)config->users_max * (2 * ID_BYTES_MAX + 3);
	struct json_tok *toks;

	assert(config->users_max > 0 && config->users_max < UINT32_MAX);
	set_up(s, config, bus);
	s->roster_room_bytes = most < SEEDS_ROSTER_BYTES_MAX ? most : SEEDS_ROSTER_BYTES_MAX;
	s->users = region_take_array(r, config->users_max, sizeof(*s->users), 64);
	s->queue = region_take_array(r, config->users_max, sizeof(*s->queue), 64);
	s->happenings = region_take_array(r, SEEDS_HAPPENINGS_MAX, sizeof(*s->happenings), 64);
	s->roster_text = region_take(r, s->roster_room_bytes, 64);
	toks = region_take_array(r, JSON_TOKENS_MAX, sizeof(*toks), 64);
	s->ids = region_take_array(r, BULK_USERS_MAX, sizeof(*s->ids), 64);
	s->scratch = region_take(r, sizeof(*s->scratch), 64);
	s->profile_text = region_take(r, PROFILE_TEXT_BYTES, 64);
	if (region_measuring(r) || region_failed(r))
		return;
	json_init(&s->json, toks, JSON_TOKENS_MAX);
	s->json.seed = config->random[1];
}

void seeds_serve(struct seeds *s, struct engine *engine, struct log *log)
{
	assert(s->engine == NULL && engine != NULL && log != NULL);
	s->engine = engine;
	s->log = log;
}

const struct seeds_counts *seeds_counts(const struct seeds *s)
{
	return &s->counts;
}

/* --- who is looked at --- */

static void enqueue(struct seeds *s, uint32_t user)
{
	struct seeds_user *u = &s->users[user];

	assert(user < s->config.users_max);
	if ((u->flags & SEEDS_QUEUED) != 0)
		return;
	u->flags |= SEEDS_QUEUED;
	if (user >= s->high)
		s->high = user + 1;
	assert(s->queue_count < s->config.users_max);
	s->queue[(s->queue_first + s->queue_count++) % s->config.users_max] = user;
}

static uint32_t dequeue(struct seeds *s)
{
	uint32_t user = s->queue[s->queue_first];

	assert(s->queue_count > 0);
	s->queue_first = (s->queue_first + 1) % s->config.users_max;
	s->queue_count--;
	s->users[user].flags &= (uint8_t)~SEEDS_QUEUED;
	return user;
}

void seeds_shown(struct seeds *s, uint32_t user)
{
	assert(user < s->config.users_max);
	s->users[user].flags |= SEEDS_SAY;
	enqueue(s, user);
}

void seeds_changed(struct seeds *s, uint32_t user)
{
	enqueue(s, user);
}

static void review(struct seeds *s, unsigned what)
{
	s->review = 0;
	s->review_what |= (uint8_t)what;
}

void seeds_rewrite(struct seeds *s)
{
	assert(s->engine != NULL);
	review(s, REVIEW_ANEW);
	seeds_roster_again(s);
}

void seeds_farewell(struct seeds *s)
{
	if (!s->ready || s->farewell)
		return;
	s->farewell = true;
	review(s, REVIEW_LAST);
}

/* --- the bus, and who is there --- */

void seeds_up(struct seeds *s, struct now now)
{
	assert(s->engine != NULL && !s->up);
	s->up = true;
	s->retry_ms = now.mono.ms;
	s->heard_updates = s->heard_broadcasts = false;
}

void seeds_ready(struct seeds *s, struct now now)
{
	assert(s->up && !s->ready);
	s->ready = true;
	if (s->was_ready && now.mono.ms - s->away_ms >= SEEDS_ABSENT_MS)
		seeds_rewrite(s);
	review(s, REVIEW_ALL);
	seeds_roster_again(s);
	s->fresh = 0;
	s->fresh_ms = s->tick_ms = s->tidy_ms = now.mono.ms;
	s->fade_ms = mono_add_ms(now.mono, s->config.presence_ttl_ms).ms;
}

void seeds_down(struct seeds *s, struct now now)
{
	assert(s->engine != NULL);
	if (s->ready) {
		s->was_ready = true;
		s->away_ms = now.mono.ms;
	}
	s->up = s->ready = false;
	seeds_happen_drop(s);
	seeds_roster_stop(s);
}

void seeds_nodes(struct seeds *s, struct str self, uint64_t alive, const struct str ids[PEERS_MAX])
{
	bool was_smallest = s->smaller == 0;

	assert(s->engine != NULL);
	s->gone = (s->gone | s->alive) & ~alive;
	s->alive = alive;
	s->smaller = 0;
	for (uint32_t n = 0; n < PEERS_MAX; n++)
		if ((alive >> n & 1) != 0 && str_cmp(ids[n], self) < 0)
			s->smaller |= UINT64_C(1) << n;
	review(s, REVIEW_ALL);
	if (s->smaller == 0 && !was_smallest)
		seeds_roster_again(s);
}

/* --- walks --- */

static void review_user(struct seeds *s, uint32_t user)
{
	struct seeds_user *u = &s->users[user];
	bool told = u->told != STATUS_OFFLINE, outside = (u->flags & SEEDS_OUTSIDE) != 0;

	if ((s->review_what & REVIEW_ANEW) != 0 && told && !outside) {
		u->told = SEEDS_UNTOLD;
		u->flags |= SEEDS_SAY | SEEDS_KEY;
	}
	/* A key may name a connection that died with its node. */
	if (told && (engine_peer_hosts(s->engine, user) & s->gone) != 0)
		u->flags |= SEEDS_KEY;
	if ((s->review_what & REVIEW_LAST) != 0 && told && !outside)
		u->flags |= SEEDS_KEY;
	if (outside || ((s->review_what & (REVIEW_ALL | REVIEW_ANEW | REVIEW_LAST)) != 0 && told))
		enqueue(s, user);
}

static bool reviews(const struct seeds *s)
{
	return s->review_what != 0;
}

static void walk_review(struct seeds *s)
{
	for (uint32_t n = 0; n < SEEDS_TURN_WALK && s->review < s->high && reviews(s); n++)
		review_user(s, s->review++);
	if (s->review < s->high)
		return;
	s->review_what = 0;
	s->gone = 0;
}

static int64_t cycle_ms(const struct seeds *s)
{
	return s->config.presence_ttl_ms / 2;
}

static bool keeps_fresh(const struct seeds *s)
{
	return s->config.keys && cycle_ms(s) > 0;
}

/* Between two batches: a hundred in a cycle, but not more than one a second is worth waking up for. */
static int64_t tick_ms(const struct seeds *s)
{
	int64_t ms = cycle_ms(s) / 100;

	return ms < 1 ? 1 : ms > SEEDS_TICK_MS_MAX ? SEEDS_TICK_MS_MAX : ms;
}

/*
 * Marks the keys whose turn it is, so that each comes once in a cycle, and all evenly spread over it. That
 * more users come makes it go faster, never slower: no key waits for longer than a cycle. A walk that was
 * late goes on from where it was, a slice at a time.
 */
static void walk_fresh(struct seeds *s, struct now now)
{
	int64_t passed_ms = now.mono.ms - s->fresh_ms, cycle = cycle_ms(s);
	uint32_t end = s->high;

	if (!keeps_fresh(s) || now.mono.ms < s->tick_ms)
		return;
	if (passed_ms < cycle)
		end = (uint32_t)((uint64_t)end * (uint64_t)passed_ms / (uint64_t)cycle);
	for (uint32_t n = 0; s->fresh < end && n < SEEDS_TURN_WALK; n++, s->fresh++) {
		struct seeds_user *u = &s->users[s->fresh];

		if (u->told == STATUS_OFFLINE || (u->flags & SEEDS_OUTSIDE) != 0)
			continue;
		u->flags |= SEEDS_KEY;
		enqueue(s, s->fresh);
	}
	if (s->fresh < end)
		return;
	s->tick_ms = now.mono.ms + tick_ms(s);
	if (passed_ms >= cycle) {
		s->fresh = 0;
		s->fresh_ms = now.mono.ms;
	}
}

static bool has_outside(const struct seeds *s)
{
	return engine_peer_users(s->engine, PEER_OUTSIDE) > 0;
}

/* Who came from outside goes when that was not repeated, or stays as a node's. */
static void tidy_outside(struct seeds *s, struct now now)
{
	if (!has_outside(s))
		return;
	if (now.mono.ms >= s->tidy_ms) {
		s->tidy_ms = now.mono.ms + SEEDS_TIDY_MS;
		review(s, REVIEW_OUTSIDE);
	}
	if (s->config.presence_ttl_ms <= 0 || now.mono.ms < s->fade_ms ||
	    engine_peer_sweep(s->engine, PEER_OUTSIDE, SEEDS_TURN_SWEEP, now))
		return;
	engine_peer_begin(s->engine, PEER_OUTSIDE);
	s->fade_ms = mono_add_ms(now.mono, s->config.presence_ttl_ms).ms;
}

/* --- the turn --- */

static bool say(struct seeds *s, struct now now)
{
	uint32_t user = dequeue(s);

	if (seeds_user_say(s, user, now))
		return true;
	if ((s->users[user].flags & SEEDS_QUEUED) == 0) {
		s->users[user].flags |= SEEDS_QUEUED;
		s->queue_first = (s->queue_first + s->config.users_max - 1) % s->config.users_max;
		s->queue[s->queue_first] = user;
		s->queue_count++;
	}
	return false;
}

static bool say_some(struct seeds *s, struct now now)
{
	for (uint32_t n = 0; n < SEEDS_TURN_USERS && s->queue_count > 0; n++)
		if (!seeds_user_room(s, 2 * SEEDS_TEXT_BYTES) || !say(s, now))
			return false;
	return true;
}

static bool subscribe(struct seeds *s)
{
	if (!s->heard_broadcasts)
		s->heard_broadcasts = s->bus.subscribe(s->bus.ctx, SEEDS_BROADCAST);
	if (!s->heard_updates && s->ready)
		s->heard_updates = s->bus.subscribe(s->bus.ctx, SEEDS_UPDATES);
	return s->heard_broadcasts && (s->heard_updates || !s->ready);
}

void seeds_turn(struct seeds *s, struct now now)
{
	bool room;

	assert(s->engine != NULL && s->queue_count <= s->config.users_max);
	if (!s->up)
		return;
	if (s->ready) {
		tidy_outside(s, now);
		walk_review(s);
		walk_fresh(s, now);
	}
	if (now.mono.ms < s->retry_ms)
		return;
	room = subscribe(s) && seeds_happen_turn(s, now);
	if (s->ready) {
		room = room && say_some(s, now);
		seeds_roster_turn(s, now);
	}
	if (!room)
		s->retry_ms = now.mono.ms + SEEDS_RETRY_MS;
}

static mono_t outside_deadline(const struct seeds *s)
{
	int64_t fade_ms = s->config.presence_ttl_ms > 0 ? s->fade_ms : INT64_MAX;

	if (!has_outside(s))
		return MONO_NEVER;
	return (mono_t){ fade_ms < s->tidy_ms ? fade_ms : s->tidy_ms };
}

/* What seeds_turn() does only once there may be room again. */
static mono_t not_before(mono_t t, int64_t ms)
{
	return t.ms < ms ? (mono_t){ ms } : t;
}

mono_t seeds_deadline(const struct seeds *s)
{
	bool subscribed = s->heard_broadcasts && (s->heard_updates || !s->ready);
	mono_t at = MONO_NEVER;

	if (!s->up)
		return MONO_NEVER;
	if (!subscribed || s->happening_count > 0)
		at = (mono_t){ s->retry_ms };
	if (!s->ready)
		return at;
	if (reviews(s))
		return (mono_t){ 0 };
	if (s->queue_count > 0)
		at = mono_min(at, (mono_t){ s->retry_ms });
	if (keeps_fresh(s))
		at = mono_min(at, (mono_t){ s->tick_ms });
	at = mono_min(at, outside_deadline(s));
	return mono_min(at, not_before(seeds_roster_deadline(s), s->retry_ms));
}

bool seeds_idle(const struct seeds *s)
{
	return !s->up || (s->queue_count == 0 && s->happening_count == 0 && !s->roster_due &&
			  !(s->ready && reviews(s)));
}
