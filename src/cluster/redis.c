/*
 * Invariants: r->state is written by to() alone. Whatever becomes of connections is looked at in settle(),
 * which redis_event() and redis_turn() end with and nothing else calls: the ears are called from these two
 * only, and the bus may be used from within the ears. Names are asked for one at a time.
 */
#include "cluster/redis.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "cluster/redis_link.h"
#include "cluster/redis_memory.h"
#include "net/anchors.h"
#include "net/machine.h"
#include "net/watch.h"

enum { COMMANDS, SUBSCRIPTIONS, FINDER, LINKS, RESOLVER = LINKS };

enum state { STATE_WAITING, STATE_ASKING, STATE_RESOLVING, STATE_OPENING, STATE_UP };

/* Kinds of commands. */
enum { ANSWER_WRITE, ANSWER_RENEW, ANSWER_MASTER, ANSWER_AUTH };

enum { COMPLAIN_AGAIN_MS = 60000, HOST_BYTES_MAX = RESOLVER_HOST_BYTES_MAX, SUBSCRIPTIONS_OWN = 16 };

/* Where the next connection goes. */
struct target {
	bool sentinel;             /* to ask for the master */
	uint16_t port;
	uint32_t host_bytes;
	char host[HOST_BYTES_MAX + 1];
};

struct redis {
	const struct redis_url *url;
	struct redis_ears ears;
	struct log *log;
	struct log_limit refusals;
	int epoll_fd;
	struct now now;            /* of this turn */
	enum state state;
	mono_t at;                 /* WAITING, RESOLVING: until then */
	mono_t up_since;
	uint32_t attempts;         /* that failed in a row */
	uint64_t random;
	struct target target;
	bool found, was_asked;     /* ASKING: target is what the Sentinel said; it was asked */
	bool authenticated;        /* ASKING: it wanted a password */
	uint32_t sentinel, asked;  /* the next one to be asked; how many were in this attempt */
	struct resolver resolver;
	bool resolving;            /* the thread has a question */
	uint32_t question;         /* number of the last one */
	struct resolver_answer addresses;
	uint32_t next_address;
	struct redis_address address;
	struct anchors anchors;
	struct tls_client *tls;    /* LINKS of them; NULL: without */
	void *mem;                 /* of the links' tables */
	size_t mem_bytes;
	mono_t complain_again;     /* the same reason is not said before */
	char complaint[REDIS_WHY_BYTES];
	char name[REDIS_NAME_BYTES_MAX];
	uint32_t name_bytes;
	uint64_t ups, losses, refused;
	uint32_t channels_max;
	struct redis_link links[LINKS];
};

/* --- words --- */

static const char *const state_names[] = {
	[STATE_WAITING] = "waiting", [STATE_ASKING] = "asking", [STATE_RESOLVING] = "resolving",
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
		    LOG_STR("from", str_from(state_names[r->state])), LOG_STR("to", str_from(state_names[state])));
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
		r->found = r->was_asked = r->authenticated = false;
		to(r, STATE_ASKING);
		open_link(r, FINDER, &g);
	} else {
		to(r, STATE_OPENING);
		open_link(r, COMMANDS, &g);
		open_link(r, SUBSCRIPTIONS, &g);
	}
}

static void begin_target(struct redis *r);

/* A Sentinel did not help: the next one, unless all were asked. */
static void next_sentinel(struct redis *r, struct str why)
{
	const struct redis_url *u = r->url;

	if (r->asked == u->host_count) {
		fail(r, why);
		return;
	}
	close_links(r);
	r->sentinel = (r->sentinel + 1) % u->host_count;
	r->asked++;
	set_target(r, u->hosts[r->sentinel].name, u->hosts[r->sentinel].port, true);
	begin_target(r);
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

static void resolved(struct redis *r)
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
		begin_target(r);
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

static void master_named(struct redis *r, const redisReply *reply)
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
	set_target(r, host, port, false);
	r->found = true;
}

/* --- answers --- */

/* Is there no use in this connection any more? */
static bool is_final(struct str code)
{
	static const struct str codes[] = {
		{ "NOAUTH", 6 },     { "WRONGPASS", 9 },    { "READONLY", 8 }, { "LOADING", 7 },
		{ "MASTERDOWN", 10 }, { "CLUSTERDOWN", 11 }, { "MOVED", 5 },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (str_eq(code, codes[i]))
			return true;
	return false;
}

static void command_refused(struct redis *r, struct str error)
{
	const char *blank = memchr(error.p, ' ', error.n);
	struct str code = blank == NULL ? error : str_of(error.p, (size_t)(blank - error.p));
	uint64_t suppressed;

	r->refused++;
	if (is_final(code))
		redis_link_end(&r->links[COMMANDS], error);
	if (r->log != NULL && log_limit_pass(&r->refusals, r->now.mono, &suppressed))
		LOG(r->log, r->now.wall, LOG_WARN, "Redis refused a command", LOG_STR("reason", error),
		    LOG_U64("suppressed", suppressed));
	r->ears.refused(r->ears.ctx, code, r->now);
}

static void answered(void *ctx, uint32_t kind, const redisReply *reply)
{
	struct redis *r = ctx;

	if (kind == ANSWER_MASTER)
		master_named(r, reply);
	else if (kind == ANSWER_AUTH || r->state != STATE_UP)
		return; /* what a password is good for the next answer says */
	else if (reply->type == REDIS_REPLY_ERROR)
		command_refused(r, text_of(reply));
	else if (kind == ANSWER_RENEW)
		r->ears.renewed(r->ears.ctx, reply->type == REDIS_REPLY_INTEGER && reply->integer == 1,
		                r->now);
}

static void heard(void *ctx, struct str channel, char *payload, size_t bytes)
{
	struct redis *r = ctx;

	if (r->state == STATE_UP)
		r->ears.heard(r->ears.ctx, channel, payload, bytes, r->now);
}

/* --- what became of it --- */

static struct str why_of(const struct redis_link *l)
{
	return str_from(l->why);
}

static void settle_asking(struct redis *r)
{
	struct redis_link *l = &r->links[FINDER];

	if (r->found) {
		redis_link_close(l);
		begin_target(r);
	} else if (l->state == REDIS_CLOSED) {
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
static void settle(struct redis *r)
{
	enum { STEPS_MAX = REDIS_URL_HOSTS_MAX * (RESOLVER_ADDRESSES_MAX + 2) };

	for (int step = 0; step < STEPS_MAX; step++) {
		enum state before = r->state;
		uint32_t address = r->next_address, sentinel = r->asked;

		switch (r->state) {
		case STATE_WAITING:
		case STATE_RESOLVING: return;
		case STATE_ASKING: settle_asking(r); break;
		case STATE_OPENING: settle_opening(r); break;
		case STATE_UP: settle_up(r); break;
		}
		if (before == r->state && address == r->next_address && sentinel == r->asked)
			return;
	}
}

/* --- turns --- */

void redis_begin(struct redis *r, struct now now)
{
	r->now = now;
	for (int i = 0; i < LINKS; i++)
		redis_link_begin(&r->links[i], now.mono);
}

void redis_event(struct redis *r, uint32_t number, uint32_t generation, uint32_t events)
{
	if (number == RESOLVER) {
		resolved(r);
	} else {
		assert(number < LINKS);
		if (r->links[number].generation != generation)
			return;
		redis_link_event(&r->links[number], events);
	}
	settle(r);
}

void redis_turn(struct redis *r)
{
	bool due = (r->state == STATE_WAITING || r->state == STATE_RESOLVING) &&
	           !mono_before(r->now.mono, r->at);

	for (int i = 0; i < LINKS; i++)
		redis_link_turn(&r->links[i]);
	if (due && r->state == STATE_WAITING)
		begin_attempt(r);
	else if (due)
		give_up_target(r, STR("the name was not resolved in time"));
	settle(r);
	/* What the ears said meanwhile. */
	for (int i = 0; i < LINKS; i++)
		redis_link_flush(&r->links[i]);
}

mono_t redis_deadline(const struct redis *r)
{
	mono_t at = MONO_NEVER;

	if (r->state == STATE_WAITING || r->state == STATE_RESOLVING)
		at = r->at;
	for (int i = 0; i < LINKS; i++)
		at = mono_min(at, redis_link_deadline(&r->links[i]));
	return at;
}

/* --- the bus --- */

static bool give(struct redis *r, uint32_t kind, int n, const struct str *arguments)
{
	return r->state == STATE_UP && redis_link_send(&r->links[COMMANDS], kind, n, arguments);
}

static bool bus_publish(void *ctx, struct str channel, struct str payload)
{
	const struct str arguments[] = { STR("PUBLISH"), channel, payload };

	return give(ctx, ANSWER_WRITE, 3, arguments);
}

static bool bus_subscribe(void *ctx, struct str channel)
{
	struct redis *r = ctx;

	return r->state == STATE_UP && redis_link_subscribe(&r->links[SUBSCRIPTIONS], channel);
}

static bool bus_unsubscribe(void *ctx, struct str channel)
{
	struct redis *r = ctx;

	return r->state == STATE_UP && redis_link_unsubscribe(&r->links[SUBSCRIPTIONS], channel);
}

static struct str put_ms(char out[24], int64_t ms)
{
	int n = snprintf(out, 24, "%lld", (long long)(ms > 0 ? ms : 1));

	return str_of(out, (size_t)n);
}

static bool bus_set(void *ctx, struct str key, struct str value, int64_t ttl_ms)
{
	char ttl[24];
	const struct str arguments[] = { STR("SET"), key, value, STR("PX"), put_ms(ttl, ttl_ms) };

	return give(ctx, ANSWER_WRITE, ttl_ms > 0 ? 5 : 3, arguments);
}

static bool bus_del(void *ctx, struct str key)
{
	const struct str arguments[] = { STR("DEL"), key };

	return give(ctx, ANSWER_WRITE, 2, arguments);
}

static bool bus_renew(void *ctx, struct str key, int64_t ttl_ms)
{
	char ttl[24];
	const struct str arguments[] = { STR("PEXPIRE"), key, put_ms(ttl, ttl_ms) };

	return give(ctx, ANSWER_RENEW, 3, arguments);
}

static size_t bus_space(void *ctx)
{
	const struct redis *r = ctx;

	return r->state == STATE_UP ? redis_link_space(&r->links[COMMANDS]) : 0;
}

static void bus_flush(void *ctx)
{
	struct redis *r = ctx;

	redis_link_flush(&r->links[COMMANDS]);
	redis_link_flush(&r->links[SUBSCRIPTIONS]);
}

static void bus_reset(void *ctx)
{
	struct redis *r = ctx;

	if (r->state == STATE_UP)
		redis_link_end(&r->links[SUBSCRIPTIONS], STR("this node does not hear itself"));
}

/* --- start and end --- */

/* CLIENT SETNAME takes no blanks, no line ends. */
static void make_name(struct redis *r, struct str node_id)
{
	int n = snprintf(r->name, sizeof(r->name), "presenced-%.*s", (int)node_id.n, node_id.p);

	r->name_bytes = n < 0 ? 0 : (size_t)n < sizeof(r->name) ? (uint32_t)n : sizeof(r->name) - 1;
	for (uint32_t i = 0; i < r->name_bytes; i++)
		if (r->name[i] <= ' ' || r->name[i] > '~')
			r->name[i] = '_';
}

static void make_links(struct redis *r, struct region *region, const struct siphash_key *key)
{
	for (uint32_t i = 0; i < LINKS; i++)
		redis_link_init(&r->links[i], region, &(struct redis_link_config){
			.number = i, .epoll_fd = r->epoll_fd, .tls = r->tls != NULL ? &r->tls[i] : NULL,
			.anchors = &r->anchors,
			.channels_max = i == SUBSCRIPTIONS ? r->channels_max : 1, .key = *key,
			.owner = { r, answered, heard },
		});
}

static bool open_tables(struct redis *r)
{
	struct siphash_key key = { 0 };
	struct region region;

	region_init(&region, NULL, 0);
	make_links(r, &region, &key);
	r->mem_bytes = region_used(&region);
	r->mem = machine_memory(r->mem_bytes);
	if (r->mem == NULL || !machine_random(&key, sizeof(key)) || !machine_random(&r->random, sizeof(r->random)))
		return false;
	region_init(&region, r->mem, r->mem_bytes);
	make_links(r, &region, &key);
	return !region_failed(&region);
}

static enum redis_result open_tls(struct redis *r, struct str ca_file)
{
	if (!r->url->tls)
		return REDIS_OPENED;
	if (str_absent(ca_file)) {
		machine_complain(STR("redis-url: rediss needs ca-file: the certificates to trust"), 0);
		return REDIS_BAD_CA;
	}
	if (!anchors_load(&r->anchors, ca_file))
		return REDIS_BAD_CA;
	r->tls = machine_memory(sizeof(*r->tls) * LINKS);
	return r->tls == NULL ? REDIS_DENIED : REDIS_OPENED;
}

/* May a host turn out to be a name? A Sentinel can be made to say names. */
static bool may_be_named(const struct redis_url *u)
{
	struct resolver_address a;

	return u->kind == REDIS_URL_SENTINEL ||
	       (u->kind == REDIS_URL_TCP && !resolver_is_literal(u->hosts[0].name, &a));
}

static bool open_resolver(struct redis *r, resolver_lookup *lookup)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = watch_tag(WATCH_COMPANION, RESOLVER, 0) };

	return !may_be_named(r->url) ||
	       (resolver_open(&r->resolver, lookup) &&
	        epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->resolver.answer_fd, &ev) == 0);
}

enum redis_result redis_open(struct redis **out, const struct redis_config *c, struct now now)
{
	struct redis *r = machine_memory(sizeof(*r));
	enum redis_result result;

	*out = NULL;
	if (r == NULL)
		return REDIS_DENIED;
	r->url = c->url;
	r->epoll_fd = c->epoll_fd;
	r->channels_max = c->channels_max + SUBSCRIPTIONS_OWN;
	r->resolver = (struct resolver){ -1, -1 };
	r->now = now;
	r->at = now.mono;
	make_name(r, c->node_id);
	if (r->url->kind == REDIS_URL_UNIX) {
		r->address.is_unix = true;
		r->address.local.sun_family = AF_UNIX;
		memcpy(r->address.local.sun_path, r->url->name, r->url->name_bytes);
	}
	for (int i = 0; i < LINKS; i++)
		r->links[i].wire.fd = -1;
	result = open_tls(r, c->ca_file);
	if (result == REDIS_OPENED &&
	    (!redis_memory_open(r->channels_max) || !open_tables(r) || !open_resolver(r, c->lookup)))
		result = REDIS_DENIED;
	if (result == REDIS_OPENED)
		*out = r;
	else
		redis_close(r);
	return result;
}

static void figure(struct jsonw *w, struct str name, struct str kind, struct str help, uint64_t v)
{
	const struct str parts[] = { STR("# HELP presenced_redis_"), name, STR(" "), help,
		                     STR("\n# TYPE presenced_redis_"), name, STR(" "), kind,
		                     STR("\npresenced_redis_"), name, STR(" ") };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		jsonw_splice(w, parts[i]);
	jsonw_u64(w, v);
	jsonw_splice(w, STR("\n"));
}

static void bus_metrics(const void *ctx, struct jsonw *w)
{
	const struct redis *r = ctx;
	const struct redis_link *c = &r->links[COMMANDS], *s = &r->links[SUBSCRIPTIONS];
	struct redis_memory_use use = redis_memory_use();
	const struct str counter = STR("counter"), gauge = STR("gauge");

	figure(w, STR("up"), gauge, STR("Both connections to Redis stand"), r->state == STATE_UP);
	figure(w, STR("connects_total"), counter, STR("Times that both came to stand"), r->ups);
	figure(w, STR("losses_total"), counter, STR("Times that one was lost"), r->losses);
	figure(w, STR("attempts"), gauge, STR("Attempts in a row that failed"), r->attempts);
	figure(w, STR("commands_total"), counter, STR("Commands given to Redis"), c->commands + s->commands);
	figure(w, STR("unanswered"), gauge, STR("Commands given and not answered"), c->pending + s->pending);
	figure(w, STR("refused_total"), counter, STR("Commands that Redis refused"), r->refused);
	figure(w, STR("sent_bytes_total"), counter, STR("Bytes sent to Redis"), c->wire.sent + s->wire.sent);
	figure(w, STR("received_bytes_total"), counter, STR("Bytes that Redis sent"),
	       c->wire.received + s->wire.received);
	figure(w, STR("malformed_total"), counter, STR("Connections ended because of what Redis sent"),
	       c->wire.faults + s->wire.faults);
	figure(w, STR("memory_bytes"), gauge, STR("What hiredis may use"), use.bytes);
	figure(w, STR("memory_used_bytes"), gauge, STR("What hiredis uses"), use.in_use);
	figure(w, STR("memory_high_bytes"), gauge, STR("The most that hiredis used"), use.high_water);
	figure(w, STR("memory_failures_total"), counter, STR("Times that it wanted more"), use.failures);
}

struct bus redis_bus(struct redis *r)
{
	return (struct bus){
		.ctx = r, .publish = bus_publish, .subscribe = bus_subscribe, .unsubscribe = bus_unsubscribe,
		.set = bus_set, .del = bus_del, .renew = bus_renew, .space = bus_space, .flush = bus_flush,
		.reset = bus_reset, .metrics = bus_metrics,
	};
}

void redis_listen(struct redis *r, const struct redis_ears *ears)
{
	r->ears = *ears;
}

void redis_set_log(struct redis *r, struct log *log)
{
	r->log = log;
}

void redis_close(struct redis *r)
{
	struct region region;

	close_links(r);
	resolver_close(&r->resolver);
	anchors_free(&r->anchors);
	redis_memory_close();
	if (r->tls != NULL)
		machine_memory_free(r->tls, sizeof(*r->tls) * LINKS);
	if (r->mem != NULL) {
		region_init(&region, r->mem, r->mem_bytes);
		region.used = r->mem_bytes;
		region_end(&region);
		machine_memory_free(r->mem, r->mem_bytes);
	}
	machine_memory_free(r, sizeof(*r));
}

size_t redis_measure(const struct redis_url *u, uint32_t channels_max)
{
	struct region region;

	region_init(&region, NULL, 0);
	pool_init(&(struct pool){ 0 }, &region, 16, channels_max + SUBSCRIPTIONS_OWN);
	return redis_memory_bytes(channels_max + SUBSCRIPTIONS_OWN) + sizeof(struct redis) +
	       (u->tls ? sizeof(struct tls_client) * LINKS : 0) + region_used(&region);
}
