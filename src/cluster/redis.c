/*
 * Invariant: whatever becomes of connections is looked at in redis_way_settle(), which redis_event() and
 * redis_turn() end with and nothing else calls: the ears are called from within these two only, and the bus
 * may be used from within the ears.
 */
#include "cluster/redis.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "cluster/redis_memory.h"
#include "cluster/redis_state.h"
#include "cluster/redis_way.h"
#include "net/machine.h"
#include "net/watch.h"
#include "server/expose.h"

enum { SUBSCRIPTIONS_OWN = 16 }; /* beside those of rooms */

/* --- answers --- */

static struct str text_of(const redisReply *reply)
{
	return str_of(reply->str, reply->len);
}

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
		redis_way_master(r, reply);
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
		redis_way_resolved(r);
	} else {
		assert(number < LINKS);
		if (r->links[number].generation != generation)
			return;
		redis_link_event(&r->links[number], events);
	}
	redis_way_settle(r);
}

void redis_turn(struct redis *r)
{
	bool due = (r->state == STATE_WAITING || r->state == STATE_RESOLVING) &&
	           !mono_before(r->now.mono, r->at);

	for (int i = 0; i < LINKS; i++)
		redis_link_turn(&r->links[i]);
	if (due)
		redis_way_late(r);
	redis_way_settle(r);
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

static uint32_t channels_of(uint32_t i, uint32_t channels_max)
{
	return i == SUBSCRIPTIONS ? channels_max + SUBSCRIPTIONS_OWN : 1;
}

static size_t tables_bytes(uint32_t channels_max)
{
	struct region region;
	struct redis_vet vet;

	region_init(&region, NULL, 0);
	for (uint32_t i = 0; i < LINKS; i++)
		redis_vet_init(&vet, &region, channels_of(i, channels_max), (struct siphash_key){ 0 });
	return region_used(&region);
}

static void make_links(struct redis *r, struct region *region, const struct siphash_key *key)
{
	for (uint32_t i = 0; i < LINKS; i++)
		redis_link_init(&r->links[i], region, &(struct redis_link_config){
			.number = i, .epoll_fd = r->epoll_fd, .tls = r->tls != NULL ? &r->tls[i] : NULL,
			.anchors = &r->anchors,
			.channels_max = channels_of(i, r->channels_max), .key = *key,
			.owner = { r, answered, heard },
		});
}

static bool open_tables(struct redis *r)
{
	struct siphash_key key = { 0 };
	struct region region;

	r->mem_bytes = tables_bytes(r->channels_max);
	r->mem = machine_memory(r->mem_bytes);
	if (r->mem == NULL || !machine_random(&key, sizeof(key)) ||
	    !machine_random(&r->random, sizeof(r->random)))
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
	r->channels_max = c->channels_max;
	r->resolver = RESOLVER_NONE;
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
	    (!redis_memory_open(r->channels_max + SUBSCRIPTIONS_OWN) || !open_tables(r) ||
	     !open_resolver(r, c->lookup)))
		result = REDIS_DENIED;
	if (result == REDIS_OPENED)
		*out = r;
	else
		redis_close(r);
	return result;
}

bool redis_start(struct redis *r)
{
	return resolver_start(&r->resolver);
}

static void bus_metrics(const void *ctx, struct jsonw *w)
{
	const struct redis *r = ctx;
	const struct redis_link *c = &r->links[COMMANDS], *s = &r->links[SUBSCRIPTIONS];
	struct redis_memory_use use = redis_memory_use();

	expose_scalar(w, STR("presenced_redis_up"), EXPOSE_GAUGE, STR("Both connections to Redis stand."),
	              r->state == STATE_UP);
	expose_scalar(w, STR("presenced_redis_connects_total"), EXPOSE_COUNTER,
	              STR("Times that both came to stand."), r->ups);
	expose_scalar(w, STR("presenced_redis_losses_total"), EXPOSE_COUNTER,
	              STR("Times that one was lost."), r->losses);
	expose_scalar(w, STR("presenced_redis_attempts"), EXPOSE_GAUGE,
	              STR("Attempts in a row that failed."), r->attempts);
	expose_scalar(w, STR("presenced_redis_commands_total"), EXPOSE_COUNTER,
	              STR("Commands given to Redis."), c->commands + s->commands);
	expose_scalar(w, STR("presenced_redis_unanswered"), EXPOSE_GAUGE,
	              STR("Commands given and not answered."), c->pending + s->pending);
	expose_scalar(w, STR("presenced_redis_refused_total"), EXPOSE_COUNTER,
	              STR("Commands that Redis refused."), r->refused);
	expose_scalar(w, STR("presenced_redis_sent_bytes_total"), EXPOSE_COUNTER,
	              STR("Bytes sent to Redis."), c->wire.sent + s->wire.sent);
	expose_scalar(w, STR("presenced_redis_received_bytes_total"), EXPOSE_COUNTER,
	              STR("Bytes that Redis sent."),
	       c->wire.received + s->wire.received);
	expose_scalar(w, STR("presenced_redis_malformed_total"), EXPOSE_COUNTER,
	              STR("Connections ended because of what Redis sent."),
	       c->wire.faults + s->wire.faults);
	expose_scalar(w, STR("presenced_redis_memory_bytes"), EXPOSE_GAUGE, STR("What hiredis may use."),
	              use.bytes);
	expose_scalar(w, STR("presenced_redis_memory_used_bytes"), EXPOSE_GAUGE, STR("What hiredis uses."),
	              use.in_use);
	expose_scalar(w, STR("presenced_redis_memory_high_bytes"), EXPOSE_GAUGE,
	              STR("The most that hiredis used."), use.high_water);
	expose_scalar(w, STR("presenced_redis_memory_failures_total"), EXPOSE_COUNTER,
	              STR("Times that it wanted more."), use.failures);
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

	for (int i = 0; i < LINKS; i++)
		redis_link_close(&r->links[i]);
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
	return redis_memory_bytes(channels_max + SUBSCRIPTIONS_OWN) + sizeof(struct redis) +
	       (u->tls ? sizeof(struct tls_client) * LINKS : 0) + tables_bytes(channels_max);
}
