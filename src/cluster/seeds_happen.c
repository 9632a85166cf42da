/*
 * cluster/seeds_happen.c: see seeds_happen.h. Invariant: what is in the ring was told to a bus that was up,
 * and its ids are ids (1 to ID_BYTES_MAX bytes), except a device's, which may be absent.
 */
#include "cluster/seeds_happen.h"

#include <assert.h>

#include "cluster/seeds_user.h"
#include "cluster/seeds_write.h"

enum happening { CLIENT_READY, CLIENT_GONE, TYPING_STARTED, TYPING_STOPPED };

static void put(struct seeds *s, enum happening what, struct str user, struct str other, wall_t at)
{
	struct seeds_happening *h;

	if (!s->up || s->happening_count == SEEDS_HAPPENINGS_MAX) {
		s->counts.lost++;
		return;
	}
	assert(user.n <= ID_BYTES_MAX && other.n <= ID_BYTES_MAX);
	h = &s->happenings[(s->happening_first + s->happening_count++) % SEEDS_HAPPENINGS_MAX];
	h->at = at;
	h->what = (uint8_t)what;
	h->user_bytes = (uint8_t)user.n;
	h->other_bytes = (uint8_t)other.n;
	memcpy(h->user, user.p, user.n);
	if (other.n > 0)
		memcpy(h->other, other.p, other.n);
}

void seeds_note(struct seeds *s, enum engine_note note, struct str user_id, struct str device_id,
		struct now now)
{
	assert(s->engine != NULL);
	if (note == NOTE_CONNECTED)
		put(s, CLIENT_READY, user_id, device_id, now.wall);
	else if (note == NOTE_DISCONNECTED)
		put(s, CLIENT_GONE, user_id, device_id, now.wall);
}

void seeds_typing(struct seeds *s, struct str room, struct str user_id, bool is_typing)
{
	assert(!str_absent(user_id));
	if (s->config.keys && !str_absent(room))
		put(s, is_typing ? TYPING_STARTED : TYPING_STOPPED, user_id, room, WALL_NONE);
}

void seeds_happen_drop(struct seeds *s)
{
	assert(s->happening_count <= SEEDS_HAPPENINGS_MAX);
	s->counts.lost += s->happening_count;
	s->happening_count = 0;
}

static bool is_invisible(struct seeds *s, const struct seeds_happening *h, struct now now)
{
	uint32_t user = engine_user_find(s->engine, str_of(h->user, h->user_bytes));

	return user != UINT32_MAX && seeds_user_invisible(s, user, now);
}

static bool tell_client(struct seeds *s, struct str channel, struct str user, struct str device, wall_t at)
{
	char mem[SEEDS_TEXT_BYTES];
	struct jsonw w;

	jsonw_init(&w, mem, sizeof(mem));
	seeds_write_client(&w, user, device, at);
	assert(!w.failed);
	if (!s->bus.publish(s->bus.ctx, channel, jsonw_text(&w)))
		return false;
	s->counts.clients++;
	return true;
}

static bool tell(struct seeds *s, const struct seeds_happening *h, struct now now)
{
	struct str user = str_of(h->user, h->user_bytes);
	struct str other = h->other_bytes == 0 ? STR_NONE : str_of(h->other, h->other_bytes);
	char key[SEEDS_KEY_BYTES_MAX];
	struct presence_view v;

	switch ((enum happening)h->what) {
	case CLIENT_READY:
		return tell_client(s, SEEDS_READY, user, other, h->at);
	case CLIENT_GONE:
		return tell_client(s, SEEDS_DISCONNECTED, user, other, h->at);
	case TYPING_STARTED:
		engine_view(s->engine, user, &v, now);
		return s->bus.set(s->bus.ctx, seeds_write_typing_key(key, other, user),
				  v.known ? v.username : user, s->config.typing_ttl_ms);
	case TYPING_STOPPED:
		return s->bus.del(s->bus.ctx, seeds_write_typing_key(key, other, user));
	}
	return true;
}

bool seeds_happen_turn(struct seeds *s, struct now now)
{
	assert(s->up);
	while (s->happening_count > 0) {
		const struct seeds_happening *h = &s->happenings[s->happening_first];

		if (!is_invisible(s, h, now) && !tell(s, h, now))
			return false;
		s->happening_first = (s->happening_first + 1) % SEEDS_HAPPENINGS_MAX;
		s->happening_count--;
	}
	return true;
}
