/*
 * Invariants: at most one fetch is under way; the timer is set whenever none is and there is a URL.
 * sets[current] changes only by a swap with a set that was read to its end.
 */
#include "server/keys.h"

#include "server/state.h"
#include "server/waiting.h"

enum {
	REFRESH_MS = 3600000,
	REFRESH_JITTER_MS = 360000,   /* not all nodes of a cluster at once */
	UNKNOWN_PAUSE_MS = 30000,
	RETRY_MIN_MS = 1000,          /* doubled with every failure in a row, unless somebody waits */
	RETRY_MAX_MS = 30000,
	RETRY_DOUBLINGS_MAX = 5,
};

static void set_timer(struct server *s, int64_t after_ms)
{
	s->keys.next_at = mono_add_ms(s->now.mono, after_ms);
	wheel_set(&s->wheel, &s->keys.timer, s->keys.next_at);
}

static int64_t retry_ms(struct server *s)
{
	uint32_t doublings = s->keys.failures < RETRY_DOUBLINGS_MAX ? s->keys.failures : RETRY_DOUBLINGS_MAX;
	int64_t ms = (int64_t)RETRY_MIN_MS << doublings;

	if (!s->keys.fetched && mono_before(s->now.mono, s->keys.wanted_until))
		return RETRY_MIN_MS;
	if (s->keys.fetched || ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return ms / 2 + (int64_t)(server_random(s) % (uint64_t)(ms / 2 + 1));
}

static void ask(struct server *s)
{
	struct keys *k = &s->keys;

	assert(!k->asked && s->cfg->token.has_jwks_url);
	wheel_unset(&s->wheel, &k->timer);
	k->asked = s->outside.ask(s->outside.ctx, WAIT_KEYS, OUTSIDE_KEYS, STR_NONE);
	if (!k->asked)
		set_timer(s, retry_ms(s));
}

void keys_start(struct server *s)
{
	timer_init(&s->keys.timer, TIMER_KEYS);
	s->keys.unknown_again = s->keys.wanted_until = s->now.mono;
	if (s->cfg->token.has_jwks_url)
		set_timer(s, 0);
}

bool keys_ready(const struct server *s)
{
	return !s->cfg->token.has_jwks_url || s->keys.fetched || s->cfg->token.keys.count > 0;
}

const struct jwk *keys_find(const struct server *s, const struct jwt *t, enum jwt_result *why)
{
	enum jwt_result by_file = JWT_NO_KEY, by_url = JWT_NO_KEY;
	const struct jwk *key = jwt_key(t, &s->cfg->token.keys, &by_file);

	/* A key without a name comes after the one of that name. */
	if (s->keys.fetched && (key == NULL || (t->kid_bytes > 0 && key->kid_bytes == 0))) {
		const struct jwk *of_url = jwt_key(t, &s->keys.sets[s->keys.current], &by_url);

		key = of_url != NULL ? of_url : key;
	}
	/* That no key of the files can be meant says nothing of the next set. */
	*why = s->cfg->token.has_jwks_url ? by_url : by_file;
	return key;
}

/* Who waits for the first set does not wait for longer than need be when its endpoint comes back. */
static void hasten(struct server *s)
{
	struct keys *k = &s->keys;

	k->wanted_until = mono_add_ms(s->now.mono, WAITING_MS);
	if (!k->asked && mono_since_ms(k->next_at, s->now.mono) > RETRY_MIN_MS)
		set_timer(s, RETRY_MIN_MS);
}

bool keys_may_come(struct server *s)
{
	struct keys *k = &s->keys;

	if (!s->cfg->token.has_jwks_url)
		return false;
	if (!k->fetched)
		hasten(s); /* without any set, the timer asks and asks again */
	if (k->asked || !k->fetched)
		return true;
	if (mono_before(s->now.mono, k->unknown_again))
		return false;
	k->unknown_again = mono_add_ms(s->now.mono, UNKNOWN_PAUSE_MS);
	ask(s);
	return k->asked;
}

void keys_timer(struct server *s)
{
	if (!s->keys.asked)
		ask(s);
}

/* Reads the body as the next set and puts it to use. */
static enum keys_fetch take(struct server *s, unsigned status, char *body, uint32_t body_bytes)
{
	struct keys *k = &s->keys;
	struct jwk_set *next = &k->sets[1 - k->current];

	if (status != 200)
		return KEYS_STATUS;
	if (json_parse(&s->json, body, body_bytes) != JSON_OK || jwk_set_read(next, &s->json) != JWK_OK)
		return KEYS_GARBAGE;
	k->current = (uint8_t)(1 - k->current);
	k->fetched = true;
	k->fetched_at = s->now.wall;
	k->generation++;
	return KEYS_FETCHED;
}

static void say_failed(struct server *s, enum keys_fetch why, unsigned status)
{
	static const struct str words[KEYS_FETCHES] = {
		[KEYS_UNREACHABLE] = STR("no answer"), [KEYS_STATUS] = STR("status"),
		[KEYS_GARBAGE] = STR("no key set that can be used"),
	};

	LOG(&s->log, s->now.wall, LOG_WARN, "Keys could not be fetched", LOG_STR("reason", words[why]),
	    LOG_U64("status", status), LOG_U64("failures", s->keys.failures));
}

void keys_answered(struct server *s, enum outside_result result, unsigned status, char *body,
                   uint32_t body_bytes)
{
	struct keys *k = &s->keys;
	enum keys_fetch outcome = KEYS_UNREACHABLE;

	assert(k->asked);
	k->asked = false;
	if (result == OUTSIDE_ANSWERED)
		outcome = take(s, status, body, body_bytes);
	k->fetches[outcome]++;
	if (outcome == KEYS_FETCHED) {
		const struct jwk_set *set = &k->sets[k->current];

		k->failures = 0;
		LOG(&s->log, s->now.wall, LOG_INFO, "Keys fetched", LOG_U64("keys", set->count),
		    LOG_U64("passed_over", set->passed_over));
		set_timer(s, REFRESH_MS + (int64_t)(server_random(s) % REFRESH_JITTER_MS));
	} else {
		k->failures++;
		say_failed(s, outcome, result == OUTSIDE_ANSWERED ? status : 0);
		set_timer(s, retry_ms(s));
	}
	if (k->fetched) /* else the next try may bring them, within the time that they wait */
		waiting_answered(s, WAIT_KEYS);
}
