/*
 * Rows stand in the order in which --help prints them. `at` is an offset in struct options, of the type that
 * the kind names.
 */
#include "option.h"

#include <assert.h>
#include <stdio.h>

#include "wire/jwt.h"

static_assert(sizeof(enum log_level) == sizeof(int), "choices are stored as int");
static_assert(sizeof(enum auth) == sizeof(int), "choices are stored as int");
static_assert(sizeof(enum audience) == sizeof(int), "choices are stored as int");

#define AT(member) (uint32_t)offsetof(struct options, member)
#define RATE_MAX   1000000
#define YEAR_MS    INT64_C(31536000000)

#define DURATION(name_, member, default_, min_ms, ...)                                                \
	{ .name = name_, .kind = OPTION_DURATION, .at = AT(config.member), .fallback = default_,       \
	  .min = min_ms, .max = YEAR_MS, __VA_ARGS__ }
#define COUNT(name_, member, default_, min_, max_, ...)                                               \
	{ .name = name_, .kind = OPTION_COUNT, .at = AT(config.member), .fallback = default_,          \
	  .min = min_, .max = max_, __VA_ARGS__ }
#define CHOICE(name_, member, default_, choices_, ...)                                                \
	{ .name = name_, .kind = OPTION_CHOICE, .at = AT(member), .fallback = default_,                \
	  .choices = choices_, __VA_ARGS__ }
#define RATE(command, number)                                                                         \
	COUNT("rate-" command, command_rate[number], "0", 0, RATE_MAX,                                 \
	      .help = "Commands of this kind that a connection may send per second")
#define NOTE(name_, why)                                                                              \
	{ .name = name_, .kind = OPTION_NOTE, .unset = "not given", .max = INT64_C(1) << 40,           \
	  .help = "no counterpart: " why }

#define TEXT(name_, kind_, member, ...)                                                               \
	{ .name = name_, .kind = kind_, .at = AT(member), __VA_ARGS__ }

static const struct option_choice auths[] = {
	{ "trust", AUTH_TRUST },
	{ "jwt", AUTH_JWT },
	{ NULL, 0 },
};
static const struct option_choice slow_consumers[] = {
	{ "drop", SLOW_DROP },
	{ "close", SLOW_CLOSE },
	{ NULL, 0 },
};
static const struct option_choice audiences[] = {
	{ "all", AUDIENCE_ALL },
	{ "rooms", AUDIENCE_ROOMS },
	{ NULL, 0 },
};
static const struct option_choice log_levels[] = {
	{ "debug", LOG_DEBUG }, { "info", LOG_INFO },       { "warn", LOG_WARN },
	{ "error", LOG_ERROR }, { "warning", LOG_WARN }, { NULL, 0 },
};
static const struct option_choice log_formats[] = {
	{ "logfmt", LOG_LOGFMT },
	{ "json", LOG_JSON },
	{ NULL, 0 },
};

static const struct option rows[] = {
	{ .name = "listen", .kind = OPTION_LISTENERS, .fallback = "127.0.0.1:8080", .env = "SERVICE_PORT",
	  .value = "ADDR:PORT[,dialect=NAME][,tls][,admin]|unix:PATH[,...]",
	  .help = "Where to listen; repeatable, several in one value are separated by blanks. A literal "
	          "address (IPv6 in brackets), localhost (127.0.0.1) or nothing (0.0.0.0); port 0 is any "
	          "free one. NAME is snake, dotted, rooms, roster, upper or echo. SERVICE_PORT holds a port: "
	          "on 127.0.0.1 under auth=trust, on 0.0.0.0 under jwt" },
	{ .name = "config", .kind = OPTION_PATH, .at = AT(config_path), .unset = "none", .value = "FILE",
	  .help = "Read options from FILE: lines of `some-option = V` or `some_option: V`, `#` comments" },
	{ .name = "auth", .kind = OPTION_CHOICE, .at = AT(config.auth), .choices = auths,
	  .unset = "jwt once a jwt-, jwks- or keycloak- option is given, else trust",
	  .help = "jwt verifies tokens; trust believes the id that a client gives, and has to be written "
	          "out to listen beyond loopback" },
	TEXT("jwt-secret-file", OPTION_PATH, jwt_secret_path, .unset = "none",
	     .help = "Holds the secret of HS256 tokens (a newline at its end is none of it)"),
	TEXT("jwt-key-file", OPTION_PATH, jwt_key_path, .unset = "none",
	     .help = "Public keys of RS256 and ES256 tokens, as PEM"),
	TEXT("jwks-file", OPTION_PATH, jwks_path, .unset = "none",
	     .help = "Public keys as a JWK set (RFC 7517); demands jwt-issuer, and jwt-audience or "
	             "keycloak-client-id"),
	TEXT("jwks-url", OPTION_URL, jwks_url, .unset = "none",
	     .help = "Where to fetch such a set, and fetch it again; the same is demanded"),
	TEXT("jwt-issuer", OPTION_NAMES, config.token.issuers, .unset = "none: not looked at",
	     .value = "ISSUER,...", .help = "What a token's `iss` must be: one of these. Repeatable"),
	TEXT("jwt-audience", OPTION_NAMES, config.token.audiences, .unset = "none: not looked at",
	     .value = "AUDIENCE,...",
	     .help = "What must stand in a token's `aud`: one of these. Replaces what keycloak-client-id "
	             "demands. Repeatable"),
	{ .name = "jwt-leeway", .kind = OPTION_DURATION, .at = AT(config.token.leeway_ms), .fallback = "30s",
	  .max = JWT_LEEWAY_MS_MAX, .help = "How far the clocks of who signs and who verifies may differ" },
	TEXT("keycloak-url", OPTION_URL, keycloak_url, .env = "KEYCLOAK_URL", .unset = "none",
	     .help = "With keycloak-realm and keycloak-client-id, sets jwks-url "
	             "(URL/realms/R/protocol/openid-connect/certs) and jwt-issuer (URL/realms/R), unless "
	             "they are given"),
	TEXT("keycloak-realm", OPTION_TEXT, keycloak_realm, .env = "KEYCLOAK_REALM", .unset = "none",
	     .help = "See keycloak-url"),
	TEXT("keycloak-client-id", OPTION_NAMES, keycloak_clients, .env = "KEYCLOAK_CLIENT_ID",
	     .unset = "none", .value = "ID,...",
	     .help = "What must stand in a token's `aud`, or be its `azp`: one of these. Repeatable"),
	DURATION("auth-timeout", auth_timeout_ms, "10s", 10,
	         .help = "A connection that may authenticate in-band has so long to do it"),
	{ .name = "redis-url", .kind = OPTION_REDIS, .at = AT(config.redis), .env = "REDIS_URL",
	  .value = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]|...", .unset = "none: this node is alone",
	  .help = "Where all nodes of one presence, and the programs beside them, meet. rediss:// is TLS "
	          "(with ca-file), redis+sentinel://HOST[:PORT],.../MASTER[/DB] asks Sentinels, "
	          "redis+unix:///PATH[?db=DB] is a socket; user and password may be percent-encoded" },
	{ .name = "redis-keys", .kind = OPTION_SWITCH, .at = AT(config.redis_keys), .fallback = "on",
	  .help = "Keep presence:{user_id} in Redis for other programs; off where none reads it" },
	DURATION("offline-debounce", offline_debounce_ms, "5s", 0, .env = "PRESENCE_OFFLINE_DEBOUNCE",
	         .help = "From a user's last socket closing to the user being offline"),
	DURATION("stale-timeout", stale_timeout_ms, "90s", 0, .file_key = "stale-connection-timeout",
	         .help = "Devices that were silent for so long are swept away"),
	DURATION("cleanup-interval", cleanup_interval_ms, "30s", 10, .help = "Between two sweeps"),
	DURATION("heartbeat-interval", heartbeat_interval_ms, "30s", 0, .env = "WS_HEARTBEAT_INTERVAL",
	         .help = "What clients are told; silence for twice as long closes"),
	DURATION("ping-period", ping_period_ms, "54s", 0,
	         .help = "Between two protocol pings, if heartbeat-interval is not shorter"),
	DURATION("pong-wait", pong_wait_ms, "60s", 0,
	         .help = "Silence for so long closes, whatever the heartbeat"),
	DURATION("write-wait", write_wait_ms, "10s", 0,
	         .help = "A client that takes no byte for so long is closed"),
	DURATION("presence-ttl", presence_ttl_ms, "5m", 0, .env = "WS_PRESENCE_TTL",
	         .help = "How long a device without a socket stays online after its REST heartbeat, and "
	                 "offline users are remembered"),
	DURATION("typing-ttl", typing_ttl_ms, "5s", 0, .env = "WS_TYPING_TTL",
	         .help = "A typing start that is not renewed ends after this"),
	COUNT("presence-rate", presence_rate, "1", 0, RATE_MAX,
	      .help = "Presence broadcasts per user and second; the latest state always goes out"),
	COUNT("message-rate", message_rate, "50", 0, RATE_MAX,
	      .help = "Messages that a connection may send per second"),
	COUNT("message-burst", message_burst, "100", 1, RATE_MAX,
	      .help = "Messages that it may send at once"),
	COUNT("user-message-rate", user_message_rate, "0", 0, RATE_MAX,
	      .help = "Messages that all connections of a user may send per second"),
	RATE("ping", CMD_PING),
	RATE("heartbeat", CMD_HEARTBEAT),
	RATE("authenticate", CMD_AUTHENTICATE),
	RATE("presence", CMD_PRESENCE),
	RATE("query", CMD_QUERY),
	RATE("subscribe", CMD_SUBSCRIBE),
	RATE("unsubscribe", CMD_UNSUBSCRIBE),
	RATE("typing", CMD_TYPING),
	RATE("receipt", CMD_RECEIPT),
	RATE("call-offer", CMD_CALL_OFFER),
	RATE("call-answer", CMD_CALL_ANSWER),
	RATE("call-ice", CMD_CALL_ICE),
	RATE("call-hangup", CMD_CALL_HANGUP),
	COUNT("max-connections", connections_max, "10000", 1, 1000000,
	      .help = "More get 503. The default is lowered to what the descriptor limit allows; a value "
	              "that is given is not"),
	COUNT("max-connections-per-ip", connections_per_ip_max, "0", 0, 1000000,
	      .help = "More from one address (IPv6: one /64) get 429"),
	COUNT("max-connections-per-user", connections_per_user_max, "16", 0, 1000000,
	      .help = "A new one beyond it replaces the user's longest-silent one"),
	COUNT("connection-rate", connection_rate, "0", 0, RATE_MAX,
	      .help = "New connections per second; more get 503"),
	COUNT("max-users", users_max, "0", 0, INT64_C(1) << 28,
	      .help = "Users known at once, those of other nodes too; 0 is twice max-connections and 1024, "
	              "with redis-url eight times as many"),
	COUNT("max-subscriptions", subscriptions_per_connection_max, "128", 1, 10000,
	      .help = "Of one connection"),
	TEXT("user-check-url", OPTION_URL, user_check_url, .unset = "none",
	     .help = "Before an upgrade, GET URL/{user_id} asks whether the user exists: 2xx yes, 4xx no "
	             "(403), no answer within 5 seconds 503; known for 60 seconds"),
	{ .name = "trusted-proxies", .kind = OPTION_PROXIES, .value = "ADDRESS[/BITS],...|unix",
	  .unset = "none",
	  .help = "Whose X-Forwarded-For says where a WebSocket comes from; unix: whoever connects to a unix "
	          "listener. Repeatable" },
	{ .name = "public-reads", .kind = OPTION_SWITCH, .at = AT(config.public_reads), .fallback = "off",
	  .help = "Under auth=jwt, REST reads without a credential" },
	{ .name = "max-message-size", .kind = OPTION_MESSAGE_SIZE, .unset = "10m in dotted, 64k elsewhere",
	  .min = 128, .max = INT64_C(1) << 28,
	  .help = "A larger message closes 1009; given, it holds for every dialect" },
	COUNT("max-fragments", fragments_max, "1024", 1, RATE_MAX, .help = "Of one message; more close 1008"),
	COUNT("client-buffer", client_buffer_messages, "256", 1, 65536, .file_key = "client-buffer-size",
	      .help = "Messages queued for one connection"),
	{ .name = "client-buffer-bytes", .kind = OPTION_SIZE, .at = AT(config.client_buffer_bytes),
	  .fallback = "1m", .min = 1024, .max = INT64_C(1) << 30,
	  .help = "Bytes queued for one connection; a single larger message goes when the queue is empty" },
	CHOICE("slow-consumer", config.slow_consumer, "drop", slow_consumers,
	       .help = "When these are full: drop presence and typing that newer ones replace, then close "
	               "1013; or close at once"),
	{ .name = "allowed-origins", .kind = OPTION_ORIGINS, .value = "ORIGIN,...|*",
	  .unset = "same host and port; on loopback any loopback origin",
	  .help = "Browser origins that are let in (https://example.org), or * for all; others get 403. "
	          "Repeatable" },
	CHOICE("audience", config.audience, "all", audiences,
	       .help = "Who sees presence in dialects without a presence topic: all, or users sharing a "
	               "room"),
	TEXT("tls-cert", OPTION_PATHS, tls_certs, .unset = "none",
	     .help = "Certificate chain of `,tls` listeners, as PEM; several, by order with tls-key, are "
	             "chosen from by the name that a client asks for. Repeatable"),
	TEXT("tls-key", OPTION_PATHS, tls_keys, .unset = "none",
	     .help = "The private keys of these, as PEM. Repeatable"),
	TEXT("ca-file", OPTION_PATH, config.tls.ca,
	     .unset = "what SSL_CERT_FILE names, else the machine's bundle",
	     .help = "Certificates to trust, as PEM, when an https URL is asked, or Redis over TLS"),
	{ .name = "api-key-file", .kind = OPTION_PATH, .at = AT(api_key_path), .value = "FILE",
	  .unset = "none: writes only from loopback, or with a token of the scope presence:write",
	  .help = "Holds the key for REST writes and admin requests (Authorization: Bearer KEY)" },
	{ .name = "user", .kind = OPTION_TEXT, .at = AT(rights.user), .fallback = "nobody",
	  .help = "Name or number to become after binding, when started as root" },
	{ .name = "sandbox", .kind = OPTION_SWITCH, .at = AT(rights.sandbox), .fallback = "on",
	  .help = "Once started, keep no capability, make no system call but those that serving needs, and "
	          "reach no file but those that SIGHUP reads again and, with names to resolve, /etc. "
	          "Off for debuggers" },
	{ .name = "service-name", .kind = OPTION_TEXT, .at = AT(config.service_name), .fallback = "presence",
	  .env = "SERVICE_NAME",
	  .help = "In logs and /health" },
	{ .name = "node-id", .kind = OPTION_TEXT, .at = AT(config.node_id), .fallback = "random",
	  .help = "This node's name among others; `random` draws one at every start" },
	CHOICE("log-level", config.log_level, "info", log_levels, .env = "LOG_LEVEL",
	       .help = "In any case; warning is warn"),
	CHOICE("log-format", config.log_format, "logfmt", log_formats,
	       .help = "Of the lines on standard error"),
	COUNT("workers", workers, "1", 1, 1, .help = "Event loops; this version runs one"),
	COUNT("busy-poll", busy_poll_us, "0", 0, 1000000, .value = "MICROSECONDS",
	      .help = "After something came, look for more without sleeping until nothing came for so long: "
	              "answers are quicker, and a processor is busy meanwhile"),
	{ .name = "cpu-affinity", .kind = OPTION_CPUS, .at = AT(cpu_affinity), .fallback = "off",
	  .max = CPUS_MAX - 1, .value = "CPU,...|off",
	  .help = "The CPUs that this process runs on, by number: 0 or 0,2 or 1-3. This machine must have "
	          "them all" },
	DURATION("drain-timeout", drain_timeout_ms, "10s", 0, .help = "From SIGTERM to the end, at most"),
	NOTE("read-buffer-size", "the loop reads into one buffer that all connections share"),
	NOTE("write-buffer-size", "what is written is queued by reference, client-buffer bounds it"),
	NOTE("register-buffer", "a connection is registered in the turn that accepts it"),
	NOTE("unregister-buffer", "a connection is unregistered in the turn that ends it"),
	NOTE("broadcast-buffer",
	     "a broadcast goes into its receivers' queues at once, client-buffer bounds them"),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static_assert((int)ROWS < (int)OPTIONS_ROWS_MAX, "every row has its state");

uint32_t option_rows(void)
{
	return ROWS;
}

const struct option *option_at(uint32_t row)
{
	assert(row < ROWS);
	return &rows[row];
}

/* Is `s` the option's name, once `fold` stands for each of its dashes too,
and letters are lowered when `lower` says so? */
static bool is_name(struct str s, const char *name, char fold, bool lower)
{
	if (name == NULL || strlen(name) != s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = lower ? str_ascii_lower(s.p[i]) : s.p[i];

		if (c != name[i] && !(name[i] == '-' && c == fold))
			return false;
	}
	return true;
}

uint32_t option_by_flag(struct str name)
{
	for (uint32_t i = 0; i < ROWS; i++)
		if (rows[i].kind != OPTION_NOTE && is_name(name, rows[i].name, '-', false))
			return i;
	return OPTION_NONE;
}

uint32_t option_by_key(struct str key)
{
	for (uint32_t i = 0; i < ROWS; i++)
		if (is_name(key, rows[i].name, '_', false) || is_name(key, rows[i].file_key, '_', false))
			return i;
	return OPTION_NONE;
}

uint32_t option_by_env(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '-' || (name.p[i] >= 'a' && name.p[i] <= 'z'))
			return OPTION_NONE;
	for (uint32_t i = 0; i < ROWS; i++)
		if (rows[i].kind != OPTION_NOTE && is_name(name, rows[i].name, '_', true))
			return i;
	return OPTION_NONE;
}

static void choice_names(const struct option_choice *choices, char *out, size_t cap)
{
	size_t n = 0;

	for (; choices->name != NULL && n < cap; choices++) {
		int wrote = snprintf(out + n, cap - n, "%s%s", n > 0 ? "|" : "", choices->name);

		assert(wrote > 0);
		n += (size_t)wrote;
	}
}

void option_value_name(const struct option *row, char *out, size_t cap)
{
	static const char *const names[] = {
		[OPTION_DURATION] = "DURATION", [OPTION_SIZE] = "SIZE", [OPTION_COUNT] = "N",
		[OPTION_TEXT] = "TEXT",
		[OPTION_PATH] = "FILE", [OPTION_URL] = "URL", [OPTION_SWITCH] = "on|off",
		[OPTION_REDIS] = "URL",
		[OPTION_PATHS] = "FILE,...", [OPTION_MESSAGE_SIZE] = "SIZE", [OPTION_NOTE] = "N",
	};

	if (row->kind == OPTION_CHOICE)
		choice_names(row->choices, out, cap);
	else
		snprintf(out, cap, "%s", row->value != NULL ? row->value : names[row->kind]);
}
