/*
 * Invariants: r->state is written by to() alone. A target is one host; its addresses are tried one after the
 * other, with both connections each time. Names are asked for one at a time.
 */
#include "cluster/redis_way.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cluster/redis_state.h"

enum { COMPLAIN_AGAIN_MS = 60000 };

/* --- words --- */

static const char *const state_names[] = {
	[STATE_WAITING] = "waiting", [STATE_CHOSEN] = "chosen", [STATE_ASKING] = "asking",
	[STATE_RESOLVING] = "resolving",
	[STATE_OPENING] = "opening", [STATE_UP] = "up",
};

static struct str str_from(const char *s)
{
	return str_of(s, strlen(s));
}

static void to(struct redis *r, enum state state)
{
	if (r->log != NULL)
		LOG(r->log, r->now.wall, LOG_DEBUG, "Redis: the state changes",
		    LOG_STR("from", str_from(state_names[r->state])),
		    LOG_STR("to", str_from(state_names[state])));
	r->state = state;
}

/* host:port, or the socket's path: of the target. */
static struct str target_text(const struct redis *r, char *out, size_t cap)
{
	bool ipv6 = memchr(r->target.host, ':', r->target.host_bytes) != NULL;
	int n;

	if (r->url->kind == REDIS_URL_UNIX)
		return str_of(r->url->name, r->url->name_bytes);
	n = snprintf(out, cap, ipv6 ? "[%.*s]:%u" : "%.*s:%u", (int)r->target.host_bytes, r->target.host,
	             (unsigned)r->target.port);
	return str_of(out, n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1);
}

/* One line for each reason, and again each minute while it lasts. */
static void complain(struct redis *r, struct str why, bool was_up)
{
	char at[HOST_BYTES_MAX + 16];
	bool same = str_eq(why, str_from(r->complaint));

	if (r->log == NULL || (same && !was_up && mono_before(r->now.mono, r->complain_again)))
		return;
	snprintf(r->complaint, sizeof(r->complaint), "%.*s", (int)why.n, why.p);
	r->complain_again = mono_add_ms(r->now.mono, COMPLAIN_AGAIN_MS);
	LOG(r->log, r->now.wall, LOG_WARN,
	    was_up ? "Redis is lost" : "Redis cannot be reached, or does not let us in",
	    LOG_STR("address", target_text(r, at, sizeof(at))), LOG_STR("reason", str_from(r->complaint)),
	    LOG_U64("attempts", r->attempts + 1));
}

/* --- waiting --- */

/* SplitMix64 (Steele, Lea, Flood 2014): for jitter alone. */
static uint64_t draw(struct redis *r)
{
	uint64_t z = r->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void close_links(struct redis *r)
{
	for (int i = 0; i < LINKS; i++)
		redis_link_close(&r->links[i]);
}

static void wait_for_next(struct redis *r)
{
	uint64_t max = r->url->kind == REDIS_URL_SENTINEL ? REDIS_RETRY_SENTINEL_MS : REDIS_RETRY_MAX_MS;
	uint64_t ms = (uint64_t)REDIS_RETRY_MIN_MS << (r->attempts < 10 ? r->attempts : 10);

	ms = ms < max ? ms : max;
	r->attempts++;
	r->at = mono_add_ms(r->now.mono, (int64_t)(draw(r) % (ms + 1)));
	to(r, STATE_WAITING);
}

/* Whatever was under way is over. */
static void fail(struct redis *r, struct str why)
{
	bool was_up = r->state == STATE_UP;

	if (was_up && mono_since_ms(r->now.mono, r->up_since) >= REDIS_STEADY_MS)
		r->attempts = 0;
	complain(r, why, was_up);
	r->losses += was_up;
	close_links(r);
	wait_for_next(r);
	if (was_up)
		r->ears.down(r->ears.ctx, r->now);
}

/* --- connecting --- */

static void set_target(struct redis *r, struct str host, uint16_t port, bool sentinel)
{
	assert(host.n <= HOST_BYTES_MAX);
	r->target = (struct target){ .sentinel = sentinel, .port = port, .host_bytes = (uint32_t)host.n };
	memcpy(r->target.host, host.p, host.n);
	to(r, STATE_CHOSEN);
}

static void open_link(struct redis *r, int i, const struct redis_greeting *g)
{
	redis_link_open(&r->links[i], &r->address, g, r->now.mono);
}

static void connect_to(struct redis *r)
{
	struct redis_greeting g = {
		.url = r->target.sentinel ? NULL : r->url, .name = str_of(r->name, r->name_bytes),
		.master = r->url->kind == REDIS_URL_SENTINEL && !r->target.sentinel,
		.host = str_of(r->target.host, r->target.host_bytes), .wall = r->now.wall,
	};

	if (r->target.sentinel) {
		r->was_asked = r->authenticated = false;
		to(r, STATE_ASKING);
		open_link(r, FINDER, &g);
	} else {
		to(r, STATE_OPENING);
		open_link(r, COMMANDS, &g);
		open_link(r, SUBSCRIPTIONS, &g);
	}
}

/* A Sentinel did not help: the next one, unless all were asked. */
static void next_sentinel(struct redis *r, struct str why)
{
	const struct redis_url *u = r->url;

	if (r->asked == u->host_count) {
		fail(r, why);
		return;
	}
	r->sentinel = (r->sentinel + 1) % u->host_count;
	r->asked++;
	set_target(r, u->hosts[r->sentinel].name, u->hosts[r->sentinel].port, true);
}

static void give_up_target(struct redis *r, struct str why)
{
	if (r->target.sentinel)
		next_sentinel(r, why);
	else
		fail(r, why);
}

static void next_address(struct redis *r, struct str why)
{
	if (r->next_address == r->addresses.n) {
		give_up_target(r, why);
		return;
	}
	close_links(r);
	r->address = (struct redis_address){ .port = r->target.port,
		                             .inet = r->addresses.v[r->next_address++] };
	connect_to(r);
}

static void ask_resolver(struct redis *r)
{
	r->resolving = resolver_ask(&r->resolver, ++r->question,
	                            str_of(r->target.host, r->target.host_bytes));
}

static void begin_target(struct redis *r)
{
	struct str host = str_of(r->target.host, r->target.host_bytes);

	close_links(r); /* the Sentinel's, that named it */
	r->next_address = 0;
	r->addresses = (struct resolver_answer){ .n = 1 };
	if (resolver_is_literal(host, &r->addresses.v[0])) {
		next_address(r, STR(""));
		return;
	}
	to(r, STATE_RESOLVING);
	r->at = mono_add_ms(r->now.mono, REDIS_RESOLVE_MS);
	r->question += r->resolving; /* an answer that is still to come is not to this */
	if (!r->resolving)
		ask_resolver(r);
}

void redis_way_resolved(struct redis *r)
{
	struct resolver_answer a;

	while (resolver_take(&r->resolver, &a)) {
		r->resolving = false;
		if (r->state != STATE_RESOLVING)
			continue;
		if (a.question != r->question) {
			ask_resolver(r);
			continue;
		}
		r->addresses = a;
		r->next_address = 0;
		next_address(r, STR("the name has no address"));
	}
}

static void begin_attempt(struct redis *r)
{
	const struct redis_url *u = r->url;

	switch (u->kind) {
	case REDIS_URL_UNIX:
		r->target = (struct target){ .sentinel = false };
		connect_to(r);
		return;
	case REDIS_URL_SENTINEL:
		r->asked = 0;
		next_sentinel(r, STR(""));
		return;
	case REDIS_URL_TCP:
		set_target(r, u->hosts[0].name, u->hosts[0].port, false);
	}
}

/* --- Sentinel --- */

static void ask_for_master(struct redis *r)
{
	const struct str arguments[] = { STR("SENTINEL"), STR("get-master-addr-by-name"),
		                         str_of(r->url->name, r->url->name_bytes) };

	r->was_asked = true;
	redis_link_send(&r->links[FINDER], ANSWER_MASTER, 3, arguments);
}

/* It wants a password: the one that there is. */
static void authenticate(struct redis *r)
{
	const struct redis_url *u = r->url;
	const struct str arguments[] = { STR("AUTH"), str_of(u->user, u->user_bytes),
		                         str_of(u->password, u->password_bytes) };
	const struct str alone[] = { arguments[0], arguments[2] };

	r->authenticated = true;
	redis_link_send(&r->links[FINDER], ANSWER_AUTH, u->user_bytes > 0 ? 3 : 2,
	                u->user_bytes > 0 ? arguments : alone);
	ask_for_master(r);
}

static struct str text_of(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_ERROR ||
	                       reply->type == REDIS_REPLY_STATUS
	               ? str_of(reply->str, reply->len)
	               : STR_NONE;
}

static bool parse_port(struct str s, uint16_t *out)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || (n = n * 10 + (uint32_t)(s.p[i] - '0')) > UINT16_MAX)
			return false;
	}
	*out = (uint16_t)n;
	return n > 0;
}

void redis_way_master(struct redis *r, const redisReply *reply)
{
	struct str error = text_of(reply), host;
	uint16_t port;

	if (reply->type == REDIS_REPLY_ERROR && str_has_prefix(error, STR("NOAUTH")) && !r->authenticated &&
	    r->url->has_password) {
		authenticate(r);
		return;
	}
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
		redis_link_end(&r->links[FINDER],
		               str_absent(error) ? STR("Sentinel knows no master of that name") : error);
		return;
	}
	host = text_of(reply->element[0]);
	if (host.n == 0 || host.n > HOST_BYTES_MAX || memchr(host.p, '\0', host.n) != NULL ||
	    !parse_port(text_of(reply->element[1]), &port)) {
		redis_link_end(&r->links[FINDER], STR("Sentinel named something that is no address"));
		return;
	}
	/* Within a callback of hiredis: what comes of it is settle's. */
	set_target(r, host, port, false);
}

/* --- what became of it --- */

static struct str why_of(const struct redis_link *l)
{
	return str_from(l->why);
}

static void settle_asking(struct redis *r)
{
	struct redis_link *l = &r->links[FINDER];

	if (l->state == REDIS_CLOSED) {
		if (l->reached)
			next_sentinel(r, why_of(l));
		else
			next_address(r, why_of(l));
	} else if (l->state == REDIS_READY && !r->was_asked) {
		ask_for_master(r);
	}
}

static void up(struct redis *r)
{
	char at[HOST_BYTES_MAX + 16];

	r->ups++;
	r->up_since = r->now.mono;
	r->complaint[0] = '\0';
	to(r, STATE_UP);
	if (r->log != NULL)
		LOG(r->log, r->now.wall, LOG_INFO, "Redis is connected",
		    LOG_STR("address", target_text(r, at, sizeof(at))), LOG_U64("attempts", r->attempts + 1));
	r->ears.up(r->ears.ctx, r->now);
}

static void settle_opening(struct redis *r)
{
	struct redis_link *c = &r->links[COMMANDS], *s = &r->links[SUBSCRIPTIONS];
	struct redis_link *closed = c->state == REDIS_CLOSED ? c : s;

	if (closed->state == REDIS_CLOSED) {
		if (closed->reached || r->url->kind == REDIS_URL_UNIX)
			fail(r, why_of(closed));
		else
			next_address(r, why_of(closed));
	} else if (c->state == REDIS_READY && s->state == REDIS_READY) {
		up(r);
	}
}

static void settle_up(struct redis *r)
{
	for (int i = COMMANDS; i <= SUBSCRIPTIONS; i++)
		if (r->links[i].state == REDIS_CLOSED) {
			fail(r, why_of(&r->links[i]));
			return;
		}
}

/* One step may make the next one due: there are fewer of them than addresses of all Sentinels. */
void redis_way_settle(struct redis *r)
{
	enum { STEPS_MAX = REDIS_URL_HOSTS_MAX * (RESOLVER_ADDRESSES_MAX + 3) };

	for (int step = 0; step < STEPS_MAX; step++) {
		enum state before = r->state;
		uint32_t address = r->next_address, sentinel = r->asked;

		switch (r->state) {
		case STATE_WAITING:
		case STATE_RESOLVING: return;
		case STATE_CHOSEN: begin_target(r); break;
		case STATE_ASKING: settle_asking(r); break;
		case STATE_OPENING: settle_opening(r); break;
		case STATE_UP: settle_up(r); break;
		}
		if (before == r->state && address == r->next_address && sentinel == r->asked)
			return;
	}
}

void redis_way_late(struct redis *r)
{
	if (r->state == STATE_WAITING)
		begin_attempt(r);
	else
		give_up_target(r, STR("the name was not resolved in time"));
}
