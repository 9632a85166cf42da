/*
 * server/metrics.c: see metrics.h. Invariant: ids and whatever else comes from a peer are never in a label.
 */
#include "server/metrics.h"

#include "dialect/status.h"
#include "server/state.h"

#ifndef PRESENCED_VERSION
#define PRESENCED_VERSION "unknown"
#endif

enum {
	US_PER_S = 1000000,
	MS_PER_S = 1000,
};

static const uint64_t size_bounds[EXPOSE_BUCKETS_MAX] = {
	16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 262144, 1048576,
	4194304, 10485760,
};

static const uint64_t latency_bounds_us[EXPOSE_BUCKETS_MAX] = {
	25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 5000000,
};

/* --- counting --- */

static void observe(struct histogram *h, const uint64_t bounds[EXPOSE_BUCKETS_MAX],
                    uint64_t value, uint64_t n)
{
	int i = 0;

	while (i < EXPOSE_BUCKETS_MAX && value > bounds[i])
		i++;
	h->buckets[i] += n;
	h->count += n;
	h->sum += value * n;
}

void metrics_close(struct metrics *m, unsigned code)
{
	static const unsigned codes[] = {
#define METRICS_CLOSE_CODE(code) [CLOSED_##code] = code,
		METRICS_CLOSES(METRICS_CLOSE_CODE)
#undef METRICS_CLOSE_CODE
	};
	size_t i = 0;

	while (i < CLOSED_OTHER && codes[i] != code)
		i++;
	m->closes[i]++;
}

void metrics_message_size(struct metrics *m, uint64_t bytes)
{
	observe(&m->message_size_bytes, size_bounds, bytes, 1);
}

void metrics_latency(struct metrics *m, int64_t us, uint64_t n)
{
	observe(&m->latency_us, latency_bounds_us, us < 0 ? 0 : (uint64_t)us, n);
}

bool metrics_pool(const struct server *s, uint32_t i, struct metrics_pool *out)
{
	const struct {
		struct str name;
		const struct pool *pool;
	} pools[] = {
		{ STR("frames"), &s->frames.cells }, { STR("frame_blocks"), &s->frames.blocks },
		{ STR("queue_nodes"), &s->nodes }, { STR("intake_small"), &s->intake.pools[0] },
		{ STR("intake_medium"), &s->intake.pools[1] }, { STR("intake_large"), &s->intake.pools[2] },
		{ STR("loans"), &s->intake.loans }, { STR("addresses"), &s->address_cells },
		{ STR("waiting_tokens"), &s->waiting.tokens },
	};
	enum { POOLS = sizeof(pools) / sizeof(pools[0]) };

	if (i == POOLS) {
		*out = (struct metrics_pool){ STR("connections"), s->conns_high - s->free.n, s->conn_slots };
		return true;
	}
	if (i > POOLS)
		return false;
	*out = (struct metrics_pool){ pools[i].name, pool_used(pools[i].pool), pool_count(pools[i].pool) };
	return true;
}

static uint64_t not_negative(int64_t v)
{
	return v < 0 ? 0 : (uint64_t)v;
}

/* --- what is told: counters by table --- */

static const struct {
	struct str name, help;
	size_t offset;            /* of a uint64_t in struct metrics */
} counters[] = {
#define COUNTER(name, member, help) { STR(name), STR(help), \
	offsetof(struct metrics, member) + 0 * sizeof((uint64_t *)0 == &((struct metrics *)0)->member) }
	COUNTER("ws_connections_total", connections_total, "WebSocket connections since the start."),
	COUNTER("ws_messages_sent", messages_sent, "WebSocket frames handed to the kernel."),
	COUNTER("ws_messages_received", messages_received, "WebSocket messages received."),
	COUNTER("ws_errors_total", errors_total, "Error messages sent and connections closed for cause."),
	COUNTER("presenced_accepted_total", accepted_total, "Network connections accepted."),
	COUNTER("presenced_accept_errors_total", accept_errors, "Failed calls of accept."),
	COUNTER("presenced_http_requests_total", http_requests_total,
	        "HTTP requests read, upgrades included."),
	COUNTER("presenced_bytes_received_total", bytes_received, "Bytes read from connections."),
	COUNTER("presenced_bytes_sent_total", bytes_sent, "Bytes handed to the kernel."),
	COUNTER("presenced_encodings_total", encodings, "Events encoded, once per dialect."),
	COUNTER("presenced_deliveries_total", deliveries, "Events queued for a connection."),
	COUNTER("presenced_conflated_total", conflated,
	        "Messages that newer ones overtook in a slow consumer's queue."),
	COUNTER("presenced_dropped_total", dropped, "Messages that a slow consumer's queue had no room for."),
	COUNTER("presenced_turns_total", turns, "Turns of the event loop."),
#undef COUNTER
};

static void write_counters(const struct metrics *m, struct jsonw *w)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		uint64_t v;

		memcpy(&v, (const char *)m + counters[i].offset, sizeof(v));
		expose_scalar(w, counters[i].name, EXPOSE_COUNTER, counters[i].help, v);
	}
	expose_scalar(w, STR("ws_messages_total"), EXPOSE_COUNTER, STR("WebSocket messages, both ways."),
	       m->messages_received + m->messages_sent);
}

static const struct str refusals[] = {
#define METRICS_REFUSAL_LABEL(name, label) STR(label),
	METRICS_REFUSALS(METRICS_REFUSAL_LABEL)
#undef METRICS_REFUSAL_LABEL
};

static const struct str closes[] = {
#define METRICS_CLOSE_LABEL(code) STR(#code),
	METRICS_CLOSES(METRICS_CLOSE_LABEL)
#undef METRICS_CLOSE_LABEL
	STR("other"),
};

static const struct str commands[] = {
	[CMD_PING] = STR("ping"), [CMD_HEARTBEAT] = STR("heartbeat"),
	[CMD_AUTHENTICATE] = STR("authenticate"), [CMD_LEAVE] = STR("leave"),
	[CMD_PRESENCE] = STR("presence"), [CMD_QUERY] = STR("query"), [CMD_SUBSCRIBE] = STR("subscribe"),
	[CMD_UNSUBSCRIBE] = STR("unsubscribe"), [CMD_TYPING] = STR("typing"), [CMD_RECEIPT] = STR("receipt"),
	[CMD_CALL_OFFER] = STR("call_offer"), [CMD_CALL_ANSWER] = STR("call_answer"),
	[CMD_CALL_ICE] = STR("call_ice"), [CMD_CALL_HANGUP] = STR("call_hangup"),
};

static const struct str events[] = {
	[EV_CONNECTED] = STR("connected"), [EV_PONG] = STR("pong"), [EV_HEARTBEAT_ACK] = STR("heartbeat_ack"),
	[EV_AUTHENTICATED] = STR("authenticated"), [EV_AUTH_FAILED] = STR("auth_failed"),
	[EV_AUTH_EXPIRING] = STR("auth_expiring"),
	[EV_PRESENCE] = STR("presence"), [EV_PRESENCE_TEXTS] = STR("presence_texts"),
	[EV_PRESENCE_LIST] = STR("presence_list"),
	[EV_ROSTER] = STR("roster"), [EV_SUBSCRIBED] = STR("subscribed"),
	[EV_UNSUBSCRIBED] = STR("unsubscribed"), [EV_TYPING] = STR("typing"), [EV_RECEIPT] = STR("receipt"),
	[EV_CALL_INCOMING] = STR("call_incoming"), [EV_CALL_OFFER] = STR("call_offer"),
	[EV_CALL_ANSWER] = STR("call_answer"), [EV_CALL_ICE] = STR("call_ice"),
	[EV_CALL_ENDED] = STR("call_ended"), [EV_MESSAGE] = STR("message"), [EV_ACK] = STR("ack"),
	[EV_ERROR] = STR("error"),
};

static_assert(sizeof(refusals) / sizeof(refusals[0]) == REFUSED_COUNT, "a label for each");
static_assert(sizeof(closes) / sizeof(closes[0]) == CLOSED_COUNT, "a label for each");
static_assert(sizeof(commands) / sizeof(commands[0]) == CMD_COUNT, "a label for each");
static_assert(sizeof(events) / sizeof(events[0]) == EV_COUNT, "a label for each");

static void write_labelled(const struct metrics *m, struct jsonw *w)
{
	static const struct str responses[] = { STR("1xx"), STR("2xx"), STR("3xx"), STR("4xx"), STR("5xx") };

	expose_head(w, STR("presenced_refused_total"), EXPOSE_COUNTER,
	            STR("What was turned away, by reason."));
	expose_labelled(w, STR("presenced_refused_total"), STR("reason"), refusals, m->refused,
	                REFUSED_COUNT);
	expose_head(w, STR("presenced_commands_total"), EXPOSE_COUNTER, STR("Commands of clients, by kind."));
	expose_labelled(w, STR("presenced_commands_total"), STR("command"), commands, m->commands, CMD_COUNT);
	expose_head(w, STR("presenced_events_total"), EXPOSE_COUNTER,
	     STR("Events for clients, by kind, however many received them."));
	expose_labelled(w, STR("presenced_events_total"), STR("event"), events, m->events, EV_COUNT);
	expose_head(w, STR("presenced_http_responses_total"), EXPOSE_COUNTER,
	            STR("HTTP answers, by class of status."));
	expose_labelled(w, STR("presenced_http_responses_total"), STR("status"), responses,
	         m->http_responses + 1, 5);
	expose_head(w, STR("presenced_closes_total"), EXPOSE_COUNTER,
	     STR("WebSocket connections ended, by close code; 1006: without one."));
	expose_labelled(w, STR("presenced_closes_total"), STR("code"), closes, m->closes,
	                CLOSED_COUNT);
}

/* --- tokens, keys, users: what auth=jwt and user-check-url add --- */

static void write_tokens(const struct server *s, struct jsonw *w)
{
	static const struct str fetches[KEYS_FETCHES] = {
		[KEYS_FETCHED] = STR("ok"), [KEYS_UNREACHABLE] = STR("unreachable"),
		[KEYS_STATUS] = STR("status"), [KEYS_GARBAGE] = STR("garbage"),
	};
	const struct keys *k = &s->keys;
	uint32_t keys = s->cfg->token.keys.count + (k->fetched ? k->sets[k->current].count : 0);

	expose_head(w, STR("presenced_tokens_total"), EXPOSE_COUNTER,
	            STR("Tokens looked at, by what was found."));
	for (int i = 0; i < JWT_RESULTS; i++) {
		const char *text = jwt_result_label((enum jwt_result)i);

		expose_sample(w, STR("presenced_tokens_total"), STR("result"), str_of(text, strlen(text)),
		       s->verifier.results[i]);
	}
	expose_scalar(w, STR("presenced_signatures_verified_total"), EXPOSE_COUNTER,
	              STR("Signatures of tokens computed."),
	       s->verifier.verifications);
	expose_scalar(w, STR("presenced_signatures_remembered_total"), EXPOSE_COUNTER,
	       STR("Tokens whose signature had been found good before."), s->verifier.cache_hits);
	expose_scalar(w, STR("presenced_keys"), EXPOSE_GAUGE, STR("Keys that tokens are verified with."),
	              keys);
	expose_scaled(w, STR("presenced_keys_fetched_time_seconds"), EXPOSE_GAUGE,
	       STR("When the set in use was fetched, since 1970; 0: never."),
	       k->fetched ? not_negative(k->fetched_at.ms) : 0, MS_PER_S);
	expose_head(w, STR("presenced_key_fetches_total"), EXPOSE_COUNTER,
	            STR("Fetches of jwks-url, by outcome."));
	expose_labelled(w, STR("presenced_key_fetches_total"), STR("outcome"), fetches, k->fetches,
	                KEYS_FETCHES);
}

static void write_user_checks(const struct server *s, struct jsonw *w)
{
	static const struct str answers[] = { STR("known"), STR("unknown"), STR("none") };

	static_assert(USER_KNOWN == 0 && USER_UNKNOWN == 1 && USER_UNANSWERED == 2, "in this order");
	expose_head(w, STR("presenced_user_checks_total"), EXPOSE_COUNTER,
	            STR("Questions to user-check-url, by answer."));
	expose_labelled(w, STR("presenced_user_checks_total"), STR("answer"), answers, s->user_checks.answers,
	         sizeof(answers) / sizeof(answers[0]));
}

/* --- gauges --- */

static void write_connections(const struct metrics *m, struct jsonw *w)
{
	expose_scalar(w, STR("ws_connections_active"), EXPOSE_GAUGE, STR("WebSocket connections."),
	              m->connections);
	expose_scalar(w, STR("ws_connections_current"), EXPOSE_GAUGE, STR("WebSocket connections."),
	              m->connections);
	expose_head(w, STR("presenced_connections"), EXPOSE_GAUGE, STR("WebSocket connections, by dialect."));
	for (int d = 0; d < DIALECT_COUNT; d++)
		expose_sample(w, STR("presenced_connections"), STR("dialect"),
		              dialect_name((enum dialect_id)d),
		       m->connections_by_dialect[d]);
}

static void write_engine(const struct server *s, struct jsonw *w)
{
	struct engine_stats st;

	engine_stats(s->engine, &st);
	expose_scalar(w, STR("ws_clients_current"), EXPOSE_GAUGE,
	       STR("Users with a WebSocket connection to this node."), st.users_linked);
	expose_scalar(w, STR("presenced_users_online"), EXPOSE_GAUGE,
	       STR("Users online, wherever they are connected, those whose debounce runs too."),
	       st.users_online);
	expose_head(w, STR("presenced_users"), EXPOSE_GAUGE, STR("Users, by the status that they set."));
	for (int i = 0; i < STATUS_COUNT; i++)
		expose_sample(w, STR("presenced_users"), STR("status"), status_word((enum status)i),
		       st.users_by_status[i]);
	expose_scalar(w, STR("presenced_users_known"), EXPOSE_GAUGE,
	       STR("Users online, remembered or watched."), st.users_known);
	expose_scalar(w, STR("presenced_devices"), EXPOSE_GAUGE, STR("Devices of users online."), st.devices);
	expose_scalar(w, STR("presenced_rooms"), EXPOSE_GAUGE, STR("Rooms with subscribers."), st.rooms);
	expose_scalar(w, STR("presenced_subscriptions"), EXPOSE_GAUGE, STR("Subscriptions to rooms."),
	              st.subscriptions);
	expose_scalar(w, STR("presenced_watches"), EXPOSE_GAUGE,
	       STR("Subscriptions to single users' presence."), st.watches);
	expose_scalar(w, STR("presenced_typing"), EXPOSE_GAUGE, STR("Users typing."), st.typing);
	expose_scalar(w, STR("presenced_calls"), EXPOSE_GAUGE, STR("Calls ringing or under way."), st.calls);
}

static void write_pools(const struct server *s, struct jsonw *w)
{
	struct metrics_pool p;

	expose_head(w, STR("presenced_pool_used"), EXPOSE_GAUGE, STR("Cells in use, by table."));
	for (uint32_t i = 0; metrics_pool(s, i, &p); i++)
		expose_sample(w, STR("presenced_pool_used"), STR("pool"), p.name, p.used);
	expose_head(w, STR("presenced_pool_size"), EXPOSE_GAUGE, STR("Cells there are, by table."));
	for (uint32_t i = 0; metrics_pool(s, i, &p); i++)
		expose_sample(w, STR("presenced_pool_size"), STR("pool"), p.name, p.size);
	expose_scalar(w, STR("presenced_memory_reserved_bytes"), EXPOSE_GAUGE,
	       STR("Memory of all tables, taken at the start."), s->memory_bytes);
}

static void write_process(const struct server *s, struct jsonw *w)
{
	expose_head(w, STR("presenced_build_info"), EXPOSE_GAUGE, STR("The version that runs; always 1."));
	expose_sample(w, STR("presenced_build_info"), STR("version"), STR(PRESENCED_VERSION), 1);
	expose_scaled(w, STR("presenced_start_time_seconds"), EXPOSE_GAUGE,
	              STR("When it started, since 1970."),
	       not_negative(s->started.ms), MS_PER_S);
	expose_scaled(w, STR("presenced_uptime_seconds"), EXPOSE_GAUGE, STR("Since the start."),
	       not_negative(mono_since_ms(s->now.mono, s->started_mono)), MS_PER_S);
	expose_scaled(w, STR("presenced_turn_seconds_max"), EXPOSE_GAUGE,
	       STR("The longest turn of the event loop since the start."),
	       not_negative(s->metrics.turn_us_max), US_PER_S);
	expose_scalar(w, STR("presenced_draining"), EXPOSE_GAUGE, STR("1 from SIGTERM on."), s->draining);
	expose_scalar(w, STR("presenced_log_dropped_total"), EXPOSE_COUNTER,
	       STR("Log lines that standard error did not take."), s->log.dropped);
}

static void write_transport(const struct transport *t, struct jsonw *w)
{
	struct transport_stat st;
	struct str before = STR_NONE;

	if (t->stat == NULL)
		return;
	for (uint32_t i = 0; t->stat(t->ctx, i, &st); i++) {
		if (!str_eq(st.name, before))
			expose_head(w, st.name, st.gauge ? EXPOSE_GAUGE : EXPOSE_COUNTER, st.help);
		expose_sample(w, st.name, st.label, st.value, st.number);
		before = st.name;
	}
}

void metrics_write(const struct server *s, struct jsonw *w)
{
	write_connections(&s->metrics, w);
	write_engine(s, w);
	write_counters(&s->metrics, w);
	expose_histogram(w, STR("ws_message_size_bytes"), STR("Sizes of the messages received."),
	          &s->metrics.message_size_bytes, size_bounds, 1);
	expose_histogram(w, STR("ws_latency_seconds"),
	          STR("From a message fully read to its last delivery handed to the kernel."),
	          &s->metrics.latency_us, latency_bounds_us, US_PER_S);
	write_labelled(&s->metrics, w);
	if (s->cfg->auth == AUTH_JWT)
		write_tokens(s, w);
	if (s->cfg->has_user_check)
		write_user_checks(s, w);
	write_pools(s, w);
	write_transport(&s->transport, w);
	if (s->cfg->clustered)
		s->peers.metrics(s->peers.link.ctx, w);
	write_process(s, w);
}
