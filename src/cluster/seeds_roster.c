/*
 * cluster/seeds_roster.c: see seeds_roster.h.
 *
 * Invariants: while it is written, every id in it was online when its slice was; who comes or goes meanwhile
 * is news (roster_due) and makes another one. `roster_ms` has passed whenever one is begun.
 */
#include "cluster/seeds_roster.h"

#include <assert.h>

#include "cluster/seeds_user.h"
#include "cluster/seeds_write.h"
#include "dialect/member.h"

enum { ROSTER_NONE, ROSTER_WRITTEN_IN_PART, ROSTER_WHOLE };
enum { ROSTER_LEAD = 3 }; /* tells its hash from others */

void seeds_roster(struct seeds *s)
{
	assert(s->engine != NULL);
	s->roster_due = true;
}

void seeds_roster_again(struct seeds *s)
{
	assert(s->engine != NULL);
	s->roster_due = true;
	s->roster_told = 0;
}

void seeds_roster_stop(struct seeds *s)
{
	s->roster_due = s->roster_due || s->roster_state != ROSTER_NONE;
	s->roster_state = ROSTER_NONE;
}

static void begin(struct seeds *s, struct now now)
{
	struct jsonw *w = &s->roster_json;

	s->roster_due = false;
	s->roster_ms = mono_add_ms(now.mono, SEEDS_ROSTER_GAP_MS).ms;
	s->roster_after_bytes = 0;
	s->roster_state = ROSTER_WRITTEN_IN_PART;
	jsonw_init(w, s->roster_text, s->roster_room_bytes);
	jsonw_obj(w);
	member_str(w, STR("type"), STR("presence.user.online"));
	jsonw_key(w, STR("users"));
	jsonw_arr(w);
}

static void write_on(struct seeds *s, struct now now)
{
	struct presence_view v;

	for (uint32_t i = 0; i < SEEDS_TURN_ROSTER && !s->roster_json.failed; i++) {
		struct str after = STR_NONE;

		if (s->roster_after_bytes > 0)
			after = str_of(s->roster_after, s->roster_after_bytes);
		if (!engine_online_after(s->engine, after, &v, now)) {
			jsonw_end_arr(&s->roster_json);
			jsonw_end_obj(&s->roster_json);
			s->roster_state = ROSTER_WHOLE;
			return;
		}
		jsonw_str(&s->roster_json, v.user_id);
		assert(v.user_id.n <= sizeof(s->roster_after));
		memcpy(s->roster_after, v.user_id.p, v.user_id.n);
		s->roster_after_bytes = v.user_id.n;
	}
}

static void give_up(struct seeds *s, struct now now)
{
	s->roster_state = ROSTER_NONE;
	s->counts.rosters_too_long++;
	if (s->roster_logged)
		return;
	s->roster_logged = true;
	LOG(s->log, now.wall, LOG_WARN, "Online users not published to Redis: the list is too long",
	    LOG_U64("bytes_max", s->roster_room_bytes));
}

static void publish(struct seeds *s, struct now now)
{
	struct str text = jsonw_text(&s->roster_json);
	uint64_t hash = siphash13_lead(s->key, ROSTER_LEAD, text);

	if (hash != s->roster_told) {
		if (!seeds_user_room(s, text.n) || !s->bus.publish(s->bus.ctx, SEEDS_ROSTER, text)) {
			s->retry_ms = now.mono.ms + SEEDS_RETRY_MS;
			return;
		}
		s->roster_told = hash;
		s->counts.rosters++;
	}
	s->roster_state = ROSTER_NONE;
}

void seeds_roster_turn(struct seeds *s, struct now now)
{
	assert(s->ready);
	if (s->smaller != 0) {
		s->roster_due = false;
		s->roster_state = ROSTER_NONE;
		return;
	}
	if (s->roster_state == ROSTER_NONE && s->roster_due && now.mono.ms >= s->roster_ms)
		begin(s, now);
	if (s->roster_state == ROSTER_WRITTEN_IN_PART)
		write_on(s, now);
	if (s->roster_json.failed && s->roster_state != ROSTER_NONE)
		give_up(s, now);
	else if (s->roster_state == ROSTER_WHOLE)
		publish(s, now);
}

mono_t seeds_roster_deadline(const struct seeds *s)
{
	assert(s->ready);
	if (s->roster_state == ROSTER_WRITTEN_IN_PART)
		return (mono_t){ 0 };
	if (s->roster_state == ROSTER_WHOLE)
		return (mono_t){ s->retry_ms };
	return s->roster_due ? (mono_t){ s->roster_ms } : MONO_NEVER;
}
