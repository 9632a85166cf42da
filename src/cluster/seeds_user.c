/*
 * cluster/seeds_user.c: see seeds_user.h.
 *
 * Invariants: `told` is the last status on presence:updates as far as this node knows, whoever said it;
 * nothing is said that equals it. A record is as its user's only while the tag is that user's.
 */
#include "cluster/seeds_user.h"

#include <assert.h>

#include "base/hex.h"
#include "cluster/seeds_write.h"

enum { TAG_LEAD = 1 };

static_assert(SEEDS_TEXT_BYTES >= 256 + 2 * 2 * ID_BYTES_MAX, "two ids, escaped, and what is around them");

static bool is_hosted_by(const struct seeds *s, uint32_t user, uint64_t *hosts, bool *local)
{
	*hosts = engine_peer_hosts(s->engine, user) & s->alive;
	*local = engine_peer_is_local(s->engine, user);
	return *hosts != 0 || *local;
}

bool seeds_user_hosted(const struct seeds *s, uint32_t user)
{
	uint64_t hosts;
	bool local;

	assert(user < s->config.users_max);
	return is_hosted_by(s, user, &hosts, &local);
}

static bool speaks(const struct seeds *s, uint32_t user)
{
	uint64_t hosts;
	bool local;

	if (!is_hosted_by(s, user, &hosts, &local))
		return s->smaller == 0;
	return local && (hosts & s->smaller) == 0;
}

bool seeds_user_invisible(struct seeds *s, uint32_t user, struct now now)
{
	struct peer_user said;

	return engine_peer_say(s->engine, user, now, s->scratch, &said) && said.profile.version != 0 &&
	       said.profile.override == STATUS_INVISIBLE;
}

struct seeds_user *seeds_user_meet(struct seeds *s, uint32_t user, struct str user_id)
{
	struct seeds_user *u = &s->users[user];
	uint32_t tag = (uint32_t)siphash13_lead(s->key, TAG_LEAD, user_id);

	assert(user < s->config.users_max);
	if (u->tag != tag) {
		u->tag = tag;
		u->link = 0;
		u->told = STATUS_OFFLINE;
		u->flags &= SEEDS_QUEUED | SEEDS_SAY | SEEDS_KEY;
	}
	return u;
}

bool seeds_user_room(const struct seeds *s, size_t bytes)
{
	return s->bus.space(s->bus.ctx) >= bytes + SEEDS_SPARE_BYTES;
}

/* --- saying --- */

static bool publish(struct seeds *s, struct seeds_user *u, const struct presence_view *v, struct now now)
{
	char mem[SEEDS_TEXT_BYTES + 1];
	struct jsonw w;
	struct str text;

	jsonw_init(&w, mem, SEEDS_TEXT_BYTES);
	seeds_write_update(&w, v, now.wall);
	assert(!w.failed);
	text = jsonw_text(&w);
	mem[text.n] = SEEDS_NODE_MARK;
	if (!s->bus.publish(s->bus.ctx, SEEDS_UPDATES, str_of(mem, text.n + 1)))
		return false;
	u->told = (uint8_t)v->status;
	s->counts.updates++;
	return true;
}

/* The smallest key of the user's connections here; 0: there is none, or the user is shown as offline. */
static uint64_t connection_of(struct seeds *s, uint32_t user, const struct presence_view *v, struct now now)
{
	struct peer_user said;
	uint64_t key = 0;

	if (v->status == STATUS_OFFLINE || !engine_peer_say(s->engine, user, now, s->scratch, &said))
		return 0;
	for (uint32_t i = 0; i < said.link_count; i++)
		if (said.links[i].key != 0 && (key == 0 || said.links[i].key < key))
			key = said.links[i].key;
	return key;
}

static uint16_t fold(uint64_t key)
{
	uint16_t folded = (uint16_t)(key ^ key >> 16 ^ key >> 32 ^ key >> 48);

	return folded == 0 && key != 0 ? 1 : folded;
}

static bool write_key(struct seeds *s, struct seeds_user *u, const struct presence_view *v,
		      uint64_t connection)
{
	char mem[SEEDS_TEXT_BYTES], key[SEEDS_KEY_BYTES_MAX], digits[HEX_U64_BYTES];
	struct jsonw w;

	hex_put_u64(digits, connection);
	jsonw_init(&w, mem, sizeof(mem));
	seeds_write_user(&w, v, connection == 0 ? STR_NONE : str_of(digits, sizeof(digits)));
	assert(!w.failed);
	if (!s->bus.set(s->bus.ctx, seeds_write_presence_key(key, v->user_id), jsonw_text(&w),
			s->config.presence_ttl_ms))
		return false;
	u->link = fold(connection);
	u->flags &= (uint8_t)~SEEDS_KEY;
	s->counts.keys++;
	return true;
}

/* Keeps the key as things are, if it is to be written or names another connection than there is. */
static bool keep_key(struct seeds *s, uint32_t user, const struct presence_view *v, struct now now)
{
	struct seeds_user *u = &s->users[user];
	uint64_t connection;
	struct presence_view again;

	if (!s->config.keys) {
		u->flags &= (uint8_t)~SEEDS_KEY;
		return true;
	}
	connection = connection_of(s, user, v, now);
	if ((u->flags & SEEDS_KEY) == 0 && u->link == fold(connection))
		return true;
	u->flags |= SEEDS_KEY;
	if (!engine_user_view(s->engine, user, &again, now))
		return true;
	if (s->farewell)
		again.status = STATUS_OFFLINE;
	return write_key(s, u, &again, s->farewell ? 0 : connection);
}

/*
 * Whom another program brought: only that nothing keeps the user here any more is ours to say; of who is
 * invisible here, nothing is.
 */
static bool say_outside(struct seeds *s, uint32_t user, const struct presence_view *v, struct now now)
{
	struct seeds_user *u = &s->users[user];

	if (v->status == STATUS_OFFLINE) {
		if (u->told != STATUS_OFFLINE && speaks(s, user) && !seeds_user_invisible(s, user, now) &&
		    !publish(s, u, v, now))
			return false;
		u->told = STATUS_OFFLINE;
		u->flags &= (uint8_t)~SEEDS_OUTSIDE;
	}
	u->flags &= SEEDS_OUTSIDE | SEEDS_QUEUED;
	return true;
}

/* A node hosts the user now: what another program said counts no more, here and for those it told. */
static void take_over(struct seeds *s, uint32_t user, const struct presence_view *v, struct now now)
{
	char id[ID_BYTES_MAX];
	struct peer_user none = { .user_id = str_of(id, v->user_id.n), .last_seen = WALL_NONE };

	assert(v->user_id.n <= sizeof(id));
	memcpy(id, v->user_id.p, v->user_id.n);
	s->users[user].flags &= (uint8_t)~SEEDS_OUTSIDE;
	s->users[user].flags |= SEEDS_SAY | SEEDS_KEY;
	none.profile.custom_expires = none.profile.shown_expires = none.profile.shown_last_seen = WALL_NONE;
	(void)engine_peer_user(s->engine, PEER_OUTSIDE, &none, now);
}

static bool say_own(struct seeds *s, uint32_t user, const struct presence_view *v, struct now now)
{
	struct seeds_user *u = &s->users[user];

	if ((u->flags & SEEDS_SAY) != 0 && u->told != v->status) {
		if (!publish(s, u, v, now))
			return false;
		u->flags |= SEEDS_KEY;
	}
	u->flags &= (uint8_t)~SEEDS_SAY;
	return keep_key(s, user, v, now);
}

bool seeds_user_say(struct seeds *s, uint32_t user, struct now now)
{
	struct presence_view v;
	struct seeds_user *u;

	assert(s->ready && user < s->config.users_max);
	if (!engine_user_view(s->engine, user, &v, now)) {
		s->users[user] = (struct seeds_user){ .told = STATUS_OFFLINE };
		return true;
	}
	u = seeds_user_meet(s, user, v.user_id);
	if ((u->flags & SEEDS_OUTSIDE) != 0) {
		if (!seeds_user_hosted(s, user))
			return say_outside(s, user, &v, now);
		take_over(s, user, &v, now);
		if (!engine_user_view(s->engine, user, &v, now))
			return true;
	}
	if (speaks(s, user))
		return say_own(s, user, &v, now);
	if ((u->flags & SEEDS_SAY) != 0)
		u->told = (uint8_t)v.status;
	u->flags &= SEEDS_QUEUED;
	u->link = 0; /* whatever the key names by now, this node did not write it */
	return true;
}
