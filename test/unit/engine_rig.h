/*
 * test/unit/engine_rig.h: an engine on a virtual clock, driven by lines of text, that writes down what it
 * tells as lines of text.
 *
 *	c1 connect alice dev=phone as=snake     connection 1 attaches (as: snake, upper, rooms, dotted, roster)
 *	c1 gone | touch | set away custom=x meta={} expires=+500 | sub conv,presence rooms=r1 users=bob | unsub ... | query a,b
 *	c1 typing r1 to=bob,carol | stop r1 | read r1 m1,m2 from=bob | got ... | offer k1 bob SDP | answer k1 SDP | ice k1 X | hangup k1
 *	put alice busy custom=x | beat alice tablet | rest-typing r1 alice | rest-stop r1 alice
 *	cast users=a,b room=r1 topic=calls all exclude=c      a broadcast from outside
 *	view alice | online | devices alice | stats
 *	+500          half a second passes, timers fire           wall -3600000        the wall clock steps
 *	config rate=1 debounce=0 audience=rooms ...               before the first other line
 *	notes                                                     from here on notes are written down too
 *
 * Answers: "-> c1 c2: EVENT", "= ANSWER", "# NOTE", "! close c1 replaced". After every line engine_valid()
 * must hold.
 */
#ifndef TEST_ENGINE_RIG_H
#define TEST_ENGINE_RIG_H

#include "presence/engine.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RIG_CONNS = 80,
	RIG_WALL_START_MS = 1000000000,
	RIG_TEXT_BYTES = 1 << 16,
	RIG_WORDS = 12,
	RIG_LIST = 96
};

struct rig {
	struct engine *e;
	struct wheel wheel;
	struct engine_config config;
	struct engine_sink sink;
	struct now now;
	void *mem;
	size_t mem_bytes, region_used;
	bool started, notes, quiet, valid;
	uint64_t keys, key_of[RIG_CONNS];

	/* the event under way */
	struct event ev;
	bool open, skip[RIG_CONNS], get[RIG_CONNS];
	uint32_t events, deliveries; /* so far */
	void (*observe)(void *observer, struct rig *, const struct event *, const bool *got); /* for checks on whole streams */
	void *observer;

	char out[RIG_TEXT_BYTES];
	size_t out_n;
};

__attribute__((format(printf, 2, 3))) static void rig_say(struct rig *r, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->quiet)
		return;
	va_start(ap, fmt);
	n = vsnprintf(r->out + r->out_n, sizeof r->out - r->out_n, fmt, ap);
	va_end(ap);
	assert(n >= 0 && r->out_n + (size_t)n < sizeof r->out);
	r->out_n += (size_t)n;
}

static void rig_say_str(struct rig *r, const char *label, struct str s)
{
	if (!str_absent(s))
		rig_say(r, " %s%.*s", label, (int)s.n, s.p);
}

static const char *rig_status(enum status s)
{
	static const char *const names[] = { "offline", "online", "away", "busy", "dnd", "invisible" };

	return names[s];
}

static void rig_say_view(struct rig *r, const struct presence_view *v)
{
	rig_say(r, " %.*s", (int)v->user_id.n, v->user_id.p);
	if (!str_eq(v->username, v->user_id))
		rig_say(r, "(%.*s)", (int)v->username.n, v->username.p);
	rig_say(r, " %s", v->known || v->online ? rig_status(v->status) : "unknown");
	if (v->online)
		rig_say(r, " dc=%u", v->device_count);
	rig_say_str(r, "custom=", v->custom);
	rig_say_str(r, "meta=", v->metadata);
	assert(v->online == (v->status != STATUS_OFFLINE));
}

static void rig_say_seen(struct rig *r, wall_t t)
{
	if (wall_absent(t))
		rig_say(r, " seen=never");
	else
		rig_say(r, " seen=%lld", (long long)(t.ms - RIG_WALL_START_MS));
}

static void rig_say_list(struct rig *r, struct presence_list *list)
{
	struct presence_view v;

	for (int pass = 0; pass < 2; pass++) /* a list must rewind itself */
		while (list->next(list, &v))
			if (pass == 1)
				rig_say(r, " %.*s:%s", (int)v.user_id.n, v.user_id.p,
					v.known ? rig_status(v.status) : "unknown");
}

static void rig_say_strs(struct rig *r, const char *label, struct strs ss)
{
	for (uint32_t i = 0; i < ss.n; i++)
		rig_say(r, "%s%.*s", i == 0 ? label : ",", (int)ss.v[i].n, ss.v[i].p);
}

static void rig_say_presence(struct rig *r, const struct event *ev)
{
	static const char *const names[] = { "update", "online", "offline" };

	rig_say(r, "%s", names[ev->change]);
	rig_say_view(r, &ev->user);
	if (ev->change == CHANGE_OFFLINE)
		rig_say_seen(r, ev->user.last_seen);
}

static void rig_say_ack(struct rig *r, const struct event *ev)
{
	static const char *const names[CMD_COUNT] = {
		[CMD_PRESENCE] = "set",       [CMD_TYPING] = "typing",      [CMD_RECEIPT] = "receipt",
		[CMD_CALL_OFFER] = "offer",   [CMD_CALL_ANSWER] = "answer", [CMD_CALL_ICE] = "ice",
		[CMD_CALL_HANGUP] = "hangup",
	};

	rig_say(r, "ack %s", names[ev->command]);
	if (ev->command == CMD_PRESENCE)
		rig_say_view(r, &ev->user);
	if (ev->unchanged)
		rig_say(r, " unchanged");
}

static void rig_say_call(struct rig *r, const struct event *ev)
{
	static const char *const names[EV_COUNT] = {
		[EV_CALL_INCOMING] = "incoming",  [EV_CALL_OFFER] = "call-offer",
		[EV_CALL_ANSWER] = "call-answer", [EV_CALL_ICE] = "call-ice",
		[EV_CALL_ENDED] = "ended",
	};

	rig_say(r, "%s %.*s", names[ev->type], (int)ev->call_id.n, ev->call_id.p);
	if (ev->type == EV_CALL_INCOMING)
		rig_say_str(r, "from=", ev->user.user_id);
	rig_say_str(r, "device=", ev->device_id);
	rig_say_str(r, "", ev->body);
	rig_say_str(r, "", ev->text);
}

static void rig_say_event(struct rig *r, const struct event *ev)
{
	switch (ev->type) {
	case EV_PRESENCE:
		rig_say_presence(r, ev);
		break;
	case EV_PRESENCE_TEXTS:
		rig_say(r, "texts");
		rig_say_view(r, &ev->user);
		break;
	case EV_PRESENCE_LIST:
	case EV_ROSTER:
		rig_say(r, "%s", ev->type == EV_ROSTER ? "roster" : "list");
		rig_say_list(r, ev->list);
		break;
	case EV_SUBSCRIBED:
	case EV_UNSUBSCRIBED:
		rig_say(r, "%s", ev->type == EV_SUBSCRIBED ? "subscribed" : "unsubscribed");
		rig_say_strs(r, " rooms=", ev->rooms);
		rig_say_strs(r, " users=", ev->users);
		break;
	case EV_TYPING:
		rig_say(r, "%s %.*s by %.*s%s", ev->is_typing ? "typing" : "stopped", (int)ev->room.n,
			ev->room.p, (int)ev->user.user_id.n, ev->user.user_id.p,
			ev->kind == ROOM_DM ? " dm" : "");
		break;
	case EV_RECEIPT:
		rig_say(r, "%s %.*s by %.*s", ev->is_read ? "read" : "delivered", (int)ev->room.n, ev->room.p,
			(int)ev->user.user_id.n, ev->user.user_id.p);
		rig_say_strs(r, " ", ev->messages);
		break;
	case EV_CALL_INCOMING:
	case EV_CALL_OFFER:
	case EV_CALL_ANSWER:
	case EV_CALL_ICE:
	case EV_CALL_ENDED:
		rig_say_call(r, ev);
		break;
	case EV_MESSAGE:
		rig_say(r, "message");
		rig_say_str(r, "", ev->body);
		break;
	case EV_ACK:
		rig_say_ack(r, ev);
		break;
	case EV_ERROR:
		rig_say(r, "error %d", ev->code);
		break;
	default:
		rig_say(r, "event %d?", (int)ev->type);
	}
	rig_say_str(r, "re=", ev->reply_to);
}

/* --- the sink --- */

static void rig_begin(void *ctx, const struct event *ev)
{
	struct rig *r = ctx;

	assert(!r->open && ev->at.ms == r->now.wall.ms);
	r->open = true;
	r->ev = *ev;
	memset(r->skip, 0, sizeof r->skip);
	memset(r->get, 0, sizeof r->get);
}

static void rig_skip(void *ctx, const uint32_t *conns, uint32_t n)
{
	struct rig *r = ctx;

	assert(r->open);
	for (uint32_t i = 0; i < n; i++)
		r->skip[conns[i]] = true;
}

static void rig_deliver(void *ctx, const uint32_t *conns, uint32_t n)
{
	struct rig *r = ctx;

	assert(r->open && n > 0 && n <= 64);
	for (uint32_t i = 0; i < n; i++) {
		assert(engine_attached(r->e, conns[i])); /* no output to who is gone */
		r->get[conns[i]] = true;
	}
}

static uint32_t rig_end(void *ctx)
{
	struct rig *r = ctx;
	uint32_t n = 0;

	assert(r->open);
	r->open = false;
	r->events++;
	for (uint32_t c = 0; c < RIG_CONNS; c++) {
		r->get[c] = r->get[c] && !r->skip[c];
		if (r->get[c])
			rig_say(r, "%s c%u", n++ == 0 ? "->" : "", c);
	}
	if (n > 0) {
		rig_say(r, ": ");
		rig_say_event(r, &r->ev);
		rig_say(r, "\n");
	}
	r->deliveries += n;
	if (r->observe != NULL)
		r->observe(r->observer, r, &r->ev, r->get);
	return n;
}

static void rig_close(void *ctx, uint32_t conn, enum engine_close why)
{
	rig_say(ctx, "! close c%u %s\n", conn, why == ENGINE_CLOSE_REPLACED ? "replaced" : "stale");
}

static void rig_note(void *ctx, enum engine_note note, struct str user, struct str device, int64_t number,
		     struct now now)
{
	static const char *const names[] = {
		"connected", "came-online", "disconnected", "offline-scheduled", "reconnected", "went-offline", "roster-changed",
		"rate-limited",
	};
	struct rig *r = ctx;

	assert(now.mono.ms == r->now.mono.ms);
	if (!r->notes)
		return;
	rig_say(r, "# %s", names[note]);
	rig_say_str(r, "", user);
	rig_say_str(r, "", device);
	rig_say(r, " %lld\n", (long long)number);
}

/* --- life --- */

static void rig_init(struct rig *r)
{
	memset(r, 0, sizeof *r);
	r->config = (struct engine_config){
		.connections_max = RIG_CONNS, .users_max = 64, .rooms_max = 32, .subscriptions_max = 128,
		.typing_max = 16, .calls_max = 16,
		.metadata_max = 16, .connections_per_user_max = 4, .subscriptions_per_connection_max = 8,
		.offline_debounce_ms = 5000,
		.stale_timeout_ms = 0, .cleanup_interval_ms = 30000, .presence_ttl_ms = 300000,
		.typing_ttl_ms = 5000, .presence_rate = 0,
	};
	memcpy(r->config.hash_key, "0123456789abcdef", 16);
	r->now = (struct now){ { 1000 }, { RIG_WALL_START_MS } };
	r->sink = (struct engine_sink){ r, rig_begin, rig_skip, rig_deliver, rig_end, rig_close, rig_note, NULL };
	r->valid = true;
}

static void rig_start(struct rig *r)
{
	struct region region;

	wheel_init(&r->wheel, r->now.mono);
	region_init(&region, NULL, 0);
	engine_new(&r->config, &region, &r->wheel, &r->sink, r->now);
	r->mem_bytes = region_used(&region);
	r->mem = aligned_alloc(REGION_ALIGN, (r->mem_bytes + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN);
	assert(r->mem != NULL);
	memset(r->mem, 0, r->mem_bytes);
	region_init(&region, r->mem, r->mem_bytes);
	r->e = engine_new(&r->config, &region, &r->wheel, &r->sink, r->now);
	assert(r->e != NULL && !region_failed(&region));
	r->region_used = region_used(&region);
	r->started = true;
}

static void rig_fini(struct rig *r)
{
	struct region region;

	if (r->started) {
		region_init(&region, r->mem, r->mem_bytes);
		region.used = r->mem_bytes;
		region_end(&region);
		free(r->mem);
	}
}

/* Time passes; every timer fires at its own time. */
static void rig_wait(struct rig *r, int64_t ms)
{
	int64_t end_ms = r->now.mono.ms + ms;

	for (;;) {
		mono_t next = wheel_next(&r->wheel);
		int64_t to_ms = next.ms > end_ms ? end_ms : next.ms;
		struct timer *t;

		if (to_ms > r->now.mono.ms) {
			r->now.wall.ms += to_ms - r->now.mono.ms;
			r->now.mono.ms = to_ms;
		}
		while ((t = wheel_pop(&r->wheel, r->now.mono)) != NULL)
			engine_timer(r->e, t, r->now);
		if (r->now.mono.ms >= end_ms)
			return;
	}
}

/* --- lines --- */

struct rig_line {
	char text[1024];
	char *word[RIG_WORDS];
	int n;
	struct str lists[4][RIG_LIST];
	int lists_used;
};

static struct str rig_str(const char *s)
{
	return s == NULL ? STR_NONE : str_of(s, strlen(s));
}

/* The value of KEY= among the words; NULL if it is not there. */
static const char *rig_value(const struct rig_line *l, const char *key)
{
	size_t n = strlen(key);

	for (int i = 1; i < l->n; i++)
		if (strncmp(l->word[i], key, n) == 0 && l->word[i][n] == '=')
			return l->word[i] + n + 1;
	return NULL;
}

static bool rig_has(const struct rig_line *l, const char *word)
{
	for (int i = 1; i < l->n; i++)
		if (strcmp(l->word[i], word) == 0)
			return true;
	return false;
}

static struct strs rig_strs(struct rig_line *l, const char *s)
{
	struct str *v = l->lists[l->lists_used++];
	uint32_t n = 0;

	while (s != NULL && *s != '\0') {
		size_t len = strcspn(s, ",");

		assert(n < RIG_LIST);
		v[n++] = str_of(s, len);
		s += len + (s[len] == ',');
	}
	return (struct strs){ v, n };
}

static uint8_t rig_topics(const char *s)
{
	unsigned topics = 0;

	topics |= strstr(s, "conv") != NULL ? TOPIC_CONVERSATION : 0;
	topics |= strstr(s, "typing") != NULL ? TOPIC_TYPING : 0;
	topics |= strstr(s, "presence") != NULL ? TOPIC_PRESENCE : 0;
	topics |= strstr(s, "user") != NULL ? TOPIC_USER : 0;
	topics |= strstr(s, "calls") != NULL ? TOPIC_CALLS : 0;
	topics |= strstr(s, "notifications") != NULL ? TOPIC_NOTIFICATIONS : 0;
	return (uint8_t)topics;
}

static struct presence_patch rig_patch(const struct rig *r, const struct rig_line *l)
{
	struct presence_patch p = { .custom_expires = WALL_NONE };
	const char *custom = rig_value(l, "custom"), *meta = rig_value(l, "meta"),
		   *expires = rig_value(l, "expires");

	for (int s = STATUS_ONLINE; s < STATUS_COUNT && l->n > 2; s++)
		if (strcmp(l->word[2], rig_status((enum status)s)) == 0) {
			p.has_status = true;
			p.status = (enum status)s;
		}
	if (custom != NULL) {
		p.custom_patch = strcmp(custom, "null") == 0 ? PATCH_CLEAR : PATCH_SET;
		p.custom = rig_str(custom);
	}
	if (meta != NULL) {
		p.metadata_patch = strcmp(meta, "null") == 0 ? PATCH_CLEAR : PATCH_SET;
		p.metadata = rig_str(meta);
	}
	if (expires != NULL)
		p.custom_expires = (wall_t){ r->now.wall.ms + atoll(expires) };
	return p;
}

static void rig_attach(struct rig *r, uint32_t conn, const struct rig_line *l)
{
	const char *as = rig_value(l, "as");
	bool dotted = as != NULL && strcmp(as, "dotted") == 0,
	     roster = as != NULL && strcmp(as, "roster") == 0;
	struct attachment a = {
		.user_id = rig_str(l->word[2]), .username = rig_str(rig_value(l, "name")),
		.device_id = rig_str(rig_value(l, "dev")),
		.topics = dotted ? 0 : roster ? TOPIC_ROSTER : TOPIC_PRESENCE,
		.hears_own_arrival = as != NULL && strcmp(as, "rooms") == 0,
		.dialect = 1, .key = ++r->keys,
	};

	r->key_of[conn] = a.key;
	if (engine_attach(r->e, conn, &a, r->now) != ENGINE_OK)
		rig_say(r, "= full\n");
}

static void rig_subscription(struct rig_line *l, const char *verb, const char *arg, struct command *c)
{
	c->type = verb[0] == 's' ? CMD_SUBSCRIBE : CMD_UNSUBSCRIBE;
	c->subscription.topics = rig_topics(arg);
	c->subscription.rooms = rig_strs(l, rig_value(l, "rooms"));
	c->subscription.users = rig_strs(l, rig_value(l, "users"));
	c->subscription.users_given = rig_value(l, "users") != NULL;
	c->subscription.kind = rig_has(l, "dm") ? ROOM_DM : rig_has(l, "channel") ? ROOM_CHANNEL : ROOM_UNNAMED;
}

static bool rig_command_of(struct rig *r, struct rig_line *l, struct command *c)
{
	const char *verb = l->word[1], *arg = l->n > 2 ? l->word[2] : "";

	*c = (struct command){ .type = CMD_COUNT, .reply_to = rig_str(rig_value(l, "id")) };
	if (strcmp(verb, "set") == 0) {
		c->type = CMD_PRESENCE;
		c->presence = rig_patch(r, l);
	} else if (strcmp(verb, "query") == 0) {
		c->type = CMD_QUERY;
		c->query = rig_strs(l, arg);
	} else if (strcmp(verb, "sub") == 0 || strcmp(verb, "unsub") == 0) {
		rig_subscription(l, verb, arg, c);
	} else if (strcmp(verb, "typing") == 0 || strcmp(verb, "stop") == 0) {
		c->type = CMD_TYPING;
		c->typing.room = rig_str(arg);
		c->typing.is_typing = verb[0] == 't';
		c->typing.recipients_given = rig_value(l, "to") != NULL;
		c->typing.recipients = rig_strs(l, rig_value(l, "to"));
	} else if (strcmp(verb, "read") == 0 || strcmp(verb, "got") == 0) {
		c->type = CMD_RECEIPT;
		c->receipt.is_read = verb[0] == 'r';
		c->receipt.room = rig_str(arg);
		c->receipt.messages = rig_strs(l, l->word[3]);
		c->receipt.sender = rig_str(rig_value(l, "from"));
	} else if (strcmp(verb, "offer") == 0) {
		c->type = CMD_CALL_OFFER;
		c->call.id = rig_str(arg);
		c->call.target = rig_str(l->word[3]);
		c->call.body = rig_str(l->n > 4 ? l->word[4] : NULL);
	} else if (strcmp(verb, "answer") == 0 || strcmp(verb, "ice") == 0 || strcmp(verb, "hangup") == 0) {
		c->type = verb[0] == 'a' ? CMD_CALL_ANSWER : verb[0] == 'i' ? CMD_CALL_ICE : CMD_CALL_HANGUP;
		c->call.id = rig_str(arg);
		c->call.body = rig_str(l->n > 3 ? l->word[3] : NULL);
	}
	return c->type != CMD_COUNT;
}

static void rig_conn_line(struct rig *r, struct rig_line *l)
{
	uint32_t conn = (uint32_t)atoi(l->word[0] + 1);
	struct command c;

	if (strcmp(l->word[1], "connect") == 0)
		rig_attach(r, conn, l);
	else if (strcmp(l->word[1], "gone") == 0)
		engine_detach(r->e, conn, r->now);
	else if (strcmp(l->word[1], "touch") == 0)
		engine_touch(r->e, conn, r->now);
	else if (rig_command_of(r, l, &c))
		engine_command(r->e, conn, &c, r->now);
	else
		rig_say(r, "? no such verb\n");
}

static void rig_config_line(struct rig *r, const struct rig_line *l)
{
	const struct {
		const char *key;
		int64_t *i64;
		uint32_t *u32;
	} keys[] = {
		{ "debounce", &r->config.offline_debounce_ms, NULL }, { "stale", &r->config.stale_timeout_ms, NULL },
		{ "cleanup", &r->config.cleanup_interval_ms, NULL },  { "ttl", &r->config.presence_ttl_ms, NULL },
		{ "typing-ttl", &r->config.typing_ttl_ms, NULL },     { "rate", NULL, &r->config.presence_rate },
		{ "conns", NULL, &r->config.connections_max },        { "users", NULL, &r->config.users_max },
		{ "rooms", NULL, &r->config.rooms_max },              { "subs", NULL, &r->config.subscriptions_max },
		{ "typings", NULL, &r->config.typing_max },           { "calls", NULL, &r->config.calls_max },
		{ "texts", NULL, &r->config.metadata_max },           { "per-user", NULL, &r->config.connections_per_user_max },
		{ "per-conn", NULL, &r->config.subscriptions_per_connection_max },
	};

	assert(!r->started);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const char *v = rig_value(l, keys[i].key);

		if (v != NULL && keys[i].i64 != NULL)
			*keys[i].i64 = atoll(v);
		else if (v != NULL)
			*keys[i].u32 = (uint32_t)atoi(v);
	}
	r->config.audience_rooms = rig_has(l, "audience=rooms");
}

static void rig_devices(struct rig *r, struct str user)
{
	struct device_view d;
	uint32_t cursor = 0;

	rig_say(r, "=");
	while (engine_devices_next(r->e, user, &cursor, &d, r->now)) {
		rig_say(r, " %.*s/", (int)d.device_id.n, d.device_id.p);
		if (d.conn < RIG_CONNS)
			rig_say(r, "%016llx", (unsigned long long)r->key_of[d.conn]);
	}
	rig_say(r, "\n");
}

static void rig_online(struct rig *r)
{
	struct presence_view v;
	struct str after = STR_NONE;

	rig_say(r, "=");
	while (engine_online_after(r->e, after, &v, r->now)) {
		rig_say(r, " %.*s", (int)v.user_id.n, v.user_id.p);
		after = v.user_id;
	}
	rig_say(r, "\n");
}

static void rig_stats(struct rig *r)
{
	struct engine_stats s;

	engine_stats(r->e, &s);
	rig_say(r,
		"= links=%u online=%u known=%u devices=%u rooms=%u subs=%u watches=%u typing=%u calls=%u\n",
		s.links, s.users_online, s.users_known, s.devices, s.rooms, s.subscriptions, s.watches,
		s.typing, s.calls);
}

static void rig_cast(struct rig *r, struct rig_line *l)
{
	const char *topic = rig_value(l, "topic");
	struct broadcast b = {
		.all = rig_has(l, "all"), .users = rig_strs(l, rig_value(l, "users")),
		.users_given = rig_value(l, "users") != NULL,
		.room = rig_str(rig_value(l, "room")), .topic = topic == NULL ? 0 : rig_topics(topic),
		.exclude = rig_strs(l, rig_value(l, "exclude")), .data = STR("{}"),
	};

	rig_say(r, "= %u\n", engine_broadcast(r->e, &b, r->now));
}

static void rig_view(struct rig *r, struct str user)
{
	struct presence_view v;

	engine_view(r->e, user, &v, r->now);
	rig_say(r, "=");
	rig_say_view(r, &v);
	rig_say_seen(r, v.last_seen);
	rig_say(r, "\n");
}

static void rig_rest_line(struct rig *r, struct rig_line *l)
{
	const char *verb = l->word[0];
	struct str arg = rig_str(l->n > 1 ? l->word[1] : NULL), arg2 = rig_str(l->n > 2 ? l->word[2] : NULL);
	struct presence_patch p = rig_patch(r, l);
	enum engine_status status = ENGINE_OK;

	if (strcmp(verb, "view") == 0)
		rig_view(r, arg);
	else if (strcmp(verb, "online") == 0)
		rig_online(r);
	else if (strcmp(verb, "devices") == 0)
		rig_devices(r, arg);
	else if (strcmp(verb, "stats") == 0)
		rig_stats(r);
	else if (strcmp(verb, "cast") == 0)
		rig_cast(r, l);
	else if (strcmp(verb, "put") == 0)
		status = engine_put_presence(r->e, arg, &p, r->now);
	else if (strcmp(verb, "beat") == 0)
		status = engine_heartbeat(r->e, arg, arg2, r->now);
	else if (strcmp(verb, "rest-typing") == 0 || strcmp(verb, "rest-stop") == 0)
		status = engine_typing(r->e, arg, arg2, verb[5] == 't', r->now);
	else
		rig_say(r, "? no such line\n");
	if (status != ENGINE_OK)
		rig_say(r, "= full\n");
}

static void rig_run_line(struct rig *r, struct rig_line *l)
{
	if (strcmp(l->word[0], "config") == 0) {
		rig_config_line(r, l);
		return;
	}
	if (!r->started)
		rig_start(r);
	if (strcmp(l->word[0], "notes") == 0)
		r->notes = true;
	else if (l->word[0][0] == '+')
		rig_wait(r, atoll(l->word[0] + 1));
	else if (strcmp(l->word[0], "wall") == 0)
		r->now.wall.ms += atoll(l->word[1]);
	else if (l->word[0][0] == 'c' && l->word[0][1] >= '0' && l->word[0][1] <= '9')
		rig_conn_line(r, l);
	else
		rig_rest_line(r, l);
	if (!engine_valid(r->e) || !wheel_valid(&r->wheel)) {
		r->valid = false;
		rig_say(r, "? not valid any more\n");
	}
}

/* Runs one line, shorter than its buffer. */
static void rig_line(struct rig *r, const char *text, size_t n)
{
	static struct rig_line l;

	l.n = 0;
	l.lists_used = 0;
	assert(n < sizeof l.text);
	memcpy(l.text, text, n);
	l.text[n] = '\0';
	for (char *w = strtok(l.text, " "); w != NULL; w = strtok(NULL, " ")) {
		assert(l.n < RIG_WORDS);
		l.word[l.n++] = w;
	}
	if (l.n > 0)
		rig_run_line(r, &l);
}

/* A line that the engine writes, not one for it. */
static bool rig_is_output(const char *line)
{
	return (line[0] == '-' && line[1] == '>') || line[0] == '=' || line[0] == '#' || line[0] == '!' ||
	       line[0] == '?';
}

/*
 * Runs the input lines of a transcript. True when the whole of it, input and output, comes out the same;
 * r->out has what came.
 */
__attribute__((unused)) static bool rig_transcript(struct rig *r, const char *want)
{
	for (const char *line = want; *line != '\0';) {
		size_t n = strcspn(line, "\n");

		if (!rig_is_output(line)) {
			rig_say(r, "%.*s\n", (int)n, line);
			rig_line(r, line, n);
		}
		line += n + (line[n] == '\n');
	}
	return strcmp(r->out, want) == 0;
}

#endif
