/*
 * Prometheus text format 0.0.4: for each name one HELP, one TYPE, then its samples, all of one name together.
 * Invariants: numbers are written in decimal, without floating point;
 * label values are words of ours, never a peer's.
 */
#include "server/metrics.h"

#include "dialect/status.h"
#include "server/state.h"

#ifndef PRESENCED_VERSION
#define PRESENCED_VERSION "unknown"
#endif

enum {
	DIGITS_MAX = 20,          /* of a uint64_t */
	US_PER_S = 1000000,
	MS_PER_S = 1000,
};

static const uint64_t size_bounds[METRICS_BUCKETS_MAX] = {
	16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 262144, 1048576,
	4194304, 10485760,
};

static const uint64_t latency_bounds_us[METRICS_BUCKETS_MAX] = {
	25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
	500000, 1000000, 5000000,
};

/* --- counting --- */

static void observe(struct histogram *h, const uint64_t bounds[METRICS_BUCKETS_MAX],
                    uint64_t value, uint64_t n)
{
	int i = 0;

	while (i < METRICS_BUCKETS_MAX && value > bounds[i])
		i++;
	h->buckets[i] += n;
	h->count += n;
	h->sum += value * n;
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

/* --- the format --- */

static void put_u64(struct jsonw *w, uint64_t v, unsigned digits_min)
{
	char digits[DIGITS_MAX];
	size_t at = DIGITS_MAX;

	assert(digits_min <= DIGITS_MAX);
	while (v > 0 || DIGITS_MAX - at < digits_min) {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	}
	jsonw_splice(w, str_of(digits + at, DIGITS_MAX - at));
}

/* value / scale, a power of ten: the fraction without its trailing zeros. */
static void put_decimal(struct jsonw *w, uint64_t value, uint64_t scale)
{
	uint64_t fraction = value % scale;
	unsigned digits = 0;

	assert(scale > 0);
	put_u64(w, value / scale, 1);
	if (fraction == 0)
		return;
	for (uint64_t i = scale; i > 1; i /= 10)
		digits++;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	jsonw_splice(w, STR("."));
	put_u64(w, fraction, digits);
}

static uint64_t not_negative(int64_t v)
{
	return v < 0 ? 0 : (uint64_t)v;
}

enum kind { COUNTER, GAUGE, HISTOGRAM };

static void head(struct jsonw *w, struct str name, enum kind kind, struct str help)
{
	static const struct str words[] = { [COUNTER] = STR(" counter\n"), [GAUGE] = STR(" gauge\n"),
	                                    [HISTOGRAM] = STR(" histogram\n") };

	jsonw_splice(w, STR("# HELP "));
	jsonw_splice(w, name);
	jsonw_splice(w, STR(" "));
	jsonw_splice(w, help);
	jsonw_splice(w, STR("\n# TYPE "));
	jsonw_splice(w, name);
	jsonw_splice(w, words[kind]);
}

/* name{label="value"} with an absent label: name alone. */
static void series(struct jsonw *w, struct str name, struct str suffix, struct str label, struct str value)
{
	jsonw_splice(w, name);
	jsonw_splice(w, suffix);
	if (!str_absent(label)) {
		jsonw_splice(w, STR("{"));
		jsonw_splice(w, label);
		jsonw_splice(w, STR("=\""));
		jsonw_splice(w, value);
		jsonw_splice(w, STR("\"}"));
	}
	jsonw_splice(w, STR(" "));
}

static void sample(struct jsonw *w, struct str name, struct str label, struct str value, uint64_t v)
{
	series(w, name, STR(""), label, value);
	put_u64(w, v, 1);
	jsonw_splice(w, STR("\n"));
}

static void scaled(struct jsonw *w, struct str name, enum kind kind, struct str help,
                   uint64_t v, uint64_t scale)
{
	head(w, name, kind, help);
	series(w, name, STR(""), STR_NONE, STR_NONE);
	put_decimal(w, v, scale);
	jsonw_splice(w, STR("\n"));
}

static void scalar(struct jsonw *w, struct str name, enum kind kind, struct str help, uint64_t v)
{
	scaled(w, name, kind, help, v, 1);
}

/* One sample for each of the words. */
static void labelled(struct jsonw *w, struct str name, struct str label, const struct str *words,
                     const uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sample(w, name, label, words[i], v[i]);
}

static void histogram(struct jsonw *w, struct str name, struct str help, const struct histogram *h,
                      const uint64_t bounds[METRICS_BUCKETS_MAX], uint64_t scale)
{
	uint64_t below = 0;

	head(w, name, HISTOGRAM, help);
	for (int i = 0; i < METRICS_BUCKETS_MAX; i++) {
		below += h->buckets[i];
		jsonw_splice(w, name);
		jsonw_splice(w, STR("_bucket{le=\""));
		put_decimal(w, bounds[i], scale);
		jsonw_splice(w, STR("\"} "));
		put_u64(w, below, 1);
		jsonw_splice(w, STR("\n"));
	}
	assert(below + h->buckets[METRICS_BUCKETS_MAX] == h->count);
	series(w, name, STR("_bucket"), STR("le"), STR("+Inf"));
	put_u64(w, h->count, 1);
	jsonw_splice(w, STR("\n"));
	series(w, name, STR("_sum"), STR_NONE, STR_NONE);
	put_decimal(w, h->sum, scale);
	jsonw_splice(w, STR("\n"));
	series(w, name, STR("_count"), STR_NONE, STR_NONE);
	put_u64(w, h->count, 1);
	jsonw_splice(w, STR("\n"));
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
		scalar(w, counters[i].name, COUNTER, counters[i].help, v);
	}
	scalar(w, STR("ws_messages_total"), COUNTER, STR("WebSocket messages, both ways."),
	       m->messages_received + m->messages_sent);
}

static const struct str refusals[] = {
#define METRICS_REFUSAL_LABEL(name, label) STR(label),
	METRICS_REFUSALS(METRICS_REFUSAL_LABEL)
#undef METRICS_REFUSAL_LABEL
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
	[EV_PRESENCE] = STR("presence"), [EV_PRESENCE_LIST] = STR("presence_list"),
	[EV_ROSTER] = STR("roster"), [EV_SUBSCRIBED] = STR("subscribed"),
	[EV_UNSUBSCRIBED] = STR("unsubscribed"), [EV_TYPING] = STR("typing"), [EV_RECEIPT] = STR("receipt"),
	[EV_CALL_INCOMING] = STR("call_incoming"), [EV_CALL_OFFER] = STR("call_offer"),
	[EV_CALL_ANSWER] = STR("call_answer"), [EV_CALL_ICE] = STR("call_ice"),
	[EV_CALL_ENDED] = STR("call_ended"), [EV_MESSAGE] = STR("message"), [EV_ACK] = STR("ack"),
	[EV_ERROR] = STR("error"),
};

static_assert(sizeof(refusals) / sizeof(refusals[0]) == REFUSED_COUNT, "a label for each");
static_assert(sizeof(commands) / sizeof(commands[0]) == CMD_COUNT, "a label for each");
static_assert(sizeof(events) / sizeof(events[0]) == EV_COUNT, "a label for each");

static void write_labelled(const struct metrics *m, struct jsonw *w)
{
	static const struct str responses[] = { STR("1xx"), STR("2xx"), STR("3xx"), STR("4xx"), STR("5xx") };
	static const struct str closes[] = { STR("1000"), STR("1001"), STR("1006"), STR("other") };
	const uint64_t closed[] = { m->closes_1000, m->closes_1001, m->closes_abnormal, m->closes_other };

	head(w, STR("presenced_refused_total"), COUNTER, STR("What was turned away, by reason."));
	labelled(w, STR("presenced_refused_total"), STR("reason"), refusals, m->refused, REFUSED_COUNT);
	head(w, STR("presenced_commands_total"), COUNTER, STR("Commands of clients, by kind."));
	labelled(w, STR("presenced_commands_total"), STR("command"), commands, m->commands, CMD_COUNT);
	head(w, STR("presenced_events_total"), COUNTER,
	     STR("Events for clients, by kind, however many received them."));
	labelled(w, STR("presenced_events_total"), STR("event"), events, m->events, EV_COUNT);
	head(w, STR("presenced_http_responses_total"), COUNTER, STR("HTTP answers, by class of status."));
	labelled(w, STR("presenced_http_responses_total"), STR("status"), responses,
	         m->http_responses + 1, 5);
	head(w, STR("presenced_closes_total"), COUNTER,
	     STR("WebSocket connections ended, by close code; 1006: without one."));
	labelled(w, STR("presenced_closes_total"), STR("code"), closes, closed,
	         sizeof(closes) / sizeof(closes[0]));
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

	head(w, STR("presenced_tokens_total"), COUNTER, STR("Tokens looked at, by what was found."));
	for (int i = 0; i < JWT_RESULTS; i++) {
		const char *text = jwt_result_label((enum jwt_result)i);

		sample(w, STR("presenced_tokens_total"), STR("result"), str_of(text, strlen(text)),
		       s->verifier.results[i]);
	}
	scalar(w, STR("presenced_signatures_verified_total"), COUNTER, STR("Signatures of tokens computed."),
	       s->verifier.verifications);
	scalar(w, STR("presenced_signatures_remembered_total"), COUNTER,
	       STR("Tokens whose signature had been found good before."), s->verifier.cache_hits);
	scalar(w, STR("presenced_keys"), GAUGE, STR("Keys that tokens are verified with."), keys);
	scaled(w, STR("presenced_keys_fetched_time_seconds"), GAUGE,
	       STR("When the set in use was fetched, since 1970; 0: never."),
	       k->fetched ? not_negative(k->fetched_at.ms) : 0, MS_PER_S);
	head(w, STR("presenced_key_fetches_total"), COUNTER, STR("Fetches of jwks-url, by outcome."));
	labelled(w, STR("presenced_key_fetches_total"), STR("outcome"), fetches, k->fetches, KEYS_FETCHES);
}

static void write_user_checks(const struct server *s, struct jsonw *w)
{
	static const struct str answers[] = { STR("known"), STR("unknown"), STR("none") };

	static_assert(USER_KNOWN == 0 && USER_UNKNOWN == 1 && USER_UNANSWERED == 2, "in this order");
	head(w, STR("presenced_user_checks_total"), COUNTER, STR("Questions to user-check-url, by answer."));
	labelled(w, STR("presenced_user_checks_total"), STR("answer"), answers, s->user_checks.answers,
	         sizeof(answers) / sizeof(answers[0]));
}

/* --- gauges --- */

static void write_connections(const struct metrics *m, struct jsonw *w)
{
	scalar(w, STR("ws_connections_active"), GAUGE, STR("WebSocket connections."), m->connections);
	scalar(w, STR("ws_connections_current"), GAUGE, STR("WebSocket connections."), m->connections);
	head(w, STR("presenced_connections"), GAUGE, STR("WebSocket connections, by dialect."));
	for (int d = 0; d < DIALECT_COUNT; d++)
		sample(w, STR("presenced_connections"), STR("dialect"), dialect_name((enum dialect_id)d),
		       m->connections_by_dialect[d]);
}

static void write_engine(const struct server *s, struct jsonw *w)
{
	struct engine_stats st;

	engine_stats(s->engine, &st);
	scalar(w, STR("ws_clients_current"), GAUGE, STR("Users online."), st.users_online);
	head(w, STR("presenced_users"), GAUGE, STR("Users, by the status that they set."));
	for (int i = 0; i < STATUS_COUNT; i++)
		sample(w, STR("presenced_users"), STR("status"), status_word((enum status)i),
		       st.users_by_status[i]);
	scalar(w, STR("presenced_users_known"), GAUGE,
	       STR("Users online, remembered or watched."), st.users_known);
	scalar(w, STR("presenced_devices"), GAUGE, STR("Devices of users online."), st.devices);
	scalar(w, STR("presenced_rooms"), GAUGE, STR("Rooms with subscribers."), st.rooms);
	scalar(w, STR("presenced_subscriptions"), GAUGE, STR("Subscriptions to rooms."), st.subscriptions);
	scalar(w, STR("presenced_watches"), GAUGE,
	       STR("Subscriptions to single users' presence."), st.watches);
	scalar(w, STR("presenced_typing"), GAUGE, STR("Users typing."), st.typing);
	scalar(w, STR("presenced_calls"), GAUGE, STR("Calls ringing or under way."), st.calls);
}

static void write_pools(const struct server *s, struct jsonw *w)
{
	struct metrics_pool p;

	head(w, STR("presenced_pool_used"), GAUGE, STR("Cells in use, by table."));
	for (uint32_t i = 0; metrics_pool(s, i, &p); i++)
		sample(w, STR("presenced_pool_used"), STR("pool"), p.name, p.used);
	head(w, STR("presenced_pool_size"), GAUGE, STR("Cells there are, by table."));
	for (uint32_t i = 0; metrics_pool(s, i, &p); i++)
		sample(w, STR("presenced_pool_size"), STR("pool"), p.name, p.size);
	scalar(w, STR("presenced_memory_reserved_bytes"), GAUGE,
	       STR("Memory of all tables, taken at the start."), s->memory_bytes);
}

static void write_process(const struct server *s, struct jsonw *w)
{
	head(w, STR("presenced_build_info"), GAUGE, STR("The version that runs; always 1."));
	sample(w, STR("presenced_build_info"), STR("version"), STR(PRESENCED_VERSION), 1);
	scaled(w, STR("presenced_start_time_seconds"), GAUGE, STR("When it started, since 1970."),
	       not_negative(s->started.ms), MS_PER_S);
	scaled(w, STR("presenced_uptime_seconds"), GAUGE, STR("Since the start."),
	       not_negative(mono_since_ms(s->now.mono, s->started_mono)), MS_PER_S);
	scaled(w, STR("presenced_turn_seconds_max"), GAUGE,
	       STR("The longest turn of the event loop since the start."),
	       not_negative(s->metrics.turn_us_max), US_PER_S);
	scalar(w, STR("presenced_draining"), GAUGE, STR("1 from SIGTERM on."), s->draining);
	scalar(w, STR("presenced_log_dropped_total"), COUNTER,
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
			head(w, st.name, st.gauge ? GAUGE : COUNTER, st.help);
		sample(w, st.name, st.label, st.value, st.number);
		before = st.name;
	}
}

void metrics_write(const struct server *s, struct jsonw *w)
{
	write_connections(&s->metrics, w);
	write_engine(s, w);
	write_counters(&s->metrics, w);
	histogram(w, STR("ws_message_size_bytes"), STR("Sizes of the messages received."),
	          &s->metrics.message_size_bytes, size_bounds, 1);
	histogram(w, STR("ws_latency_seconds"),
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
