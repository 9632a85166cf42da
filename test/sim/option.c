/*
 * The options that a table may set, by the names and with the values of CONTRACT 1.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/table.h"

enum kind { MS, U32, BYTES };

#define ROW(name, kind, member) { name, kind, offsetof(struct server_config, member) }

static const struct row {
	const char *name;
	enum kind kind;
	size_t at;
} rows[] = {
	ROW("offline-debounce", MS, offline_debounce_ms),
	ROW("stale-timeout", MS, stale_timeout_ms),
	ROW("cleanup-interval", MS, cleanup_interval_ms),
	ROW("heartbeat-interval", MS, heartbeat_interval_ms),
	ROW("ping-period", MS, ping_period_ms),
	ROW("pong-wait", MS, pong_wait_ms),
	ROW("write-wait", MS, write_wait_ms),
	ROW("presence-ttl", MS, presence_ttl_ms),
	ROW("typing-ttl", MS, typing_ttl_ms),
	ROW("drain-timeout", MS, drain_timeout_ms),
	ROW("presence-rate", U32, presence_rate),
	ROW("message-rate", U32, message_rate),
	ROW("message-burst", U32, message_burst),
	ROW("user-message-rate", U32, user_message_rate),
	ROW("auth-timeout", MS, auth_timeout_ms),
	ROW("jwt-leeway", MS, token.leeway_ms),
	ROW("rate-typing", U32, command_rate[CMD_TYPING]),
	ROW("rate-presence", U32, command_rate[CMD_PRESENCE]),
	ROW("max-connections", U32, connections_max),
	ROW("max-connections-per-ip", U32, connections_per_ip_max),
	ROW("max-connections-per-user", U32, connections_per_user_max),
	ROW("connection-rate", U32, connection_rate),
	ROW("max-subscriptions", U32, subscriptions_per_connection_max),
	ROW("max-fragments", U32, fragments_max),
	ROW("client-buffer", U32, client_buffer_messages),
	ROW("client-buffer-bytes", BYTES, client_buffer_bytes),
};

static bool duration(const char *text, int64_t *ms)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	*ms = n;
	if (end == text)
		return false;
	if (strcmp(end, "ms") == 0)
		return true;
	*ms = n * 1000;
	if (*end == '\0' || strcmp(end, "s") == 0)
		return true;
	*ms *= 60;
	if (strcmp(end, "m") == 0)
		return true;
	*ms *= 60;
	if (strcmp(end, "h") == 0)
		return true;
	*ms *= 24;
	return strcmp(end, "d") == 0;
}

static bool put(struct server_config *cfg, const struct row *row, const char *value)
{
	void *at = (char *)cfg + row->at;
	int64_t ms;
	uint32_t n;
	char *end;

	if (row->kind == MS) {
		if (!duration(value, &ms))
			return false;
		memcpy(at, &ms, sizeof(ms));
		return true;
	}
	n = (uint32_t)strtoul(value, &end, 10);
	if (row->kind == BYTES && *end == 'k') {
		n *= 1024;
		end++;
	}
	memcpy(at, &n, sizeof(n));
	return end != value && *end == '\0';
}

/* Words of options live as long as the program. */
static struct str kept(const char *text)
{
	static char memory[64][64];
	static uint32_t n;

	for (uint32_t i = 0; i < n; i++)
		if (strcmp(memory[i], text) == 0)
			return str_of(memory[i], strlen(text));
	if (n == 64 || strlen(text) >= sizeof(memory[0]))
		abort();
	memcpy(memory[n], text, strlen(text) + 1);
	return str_of(memory[n++], strlen(text));
}

static bool add_name(struct name_list *list, const char *value)
{
	if (list->n == JWT_NAMES_MAX)
		return false;
	list->v[list->n++] = kept(value);
	return true;
}

/* The set of these names, as from a file. */
static bool read_keys(struct jwk_set *set, const char *names)
{
	static struct json_tok toks[JSON_TOKENS_MAX];
	static char text[MINT_SET_MAX];
	static struct jwk_set more;
	size_t n = mint_jwks(str_of(names, strlen(names)), text, sizeof(text));
	struct json j;

	json_init(&j, toks, JSON_TOKENS_MAX);
	if (json_parse(&j, text, n) != JSON_OK || jwk_set_read(&more, &j) != JWK_OK || set->count + more.count > JWK_KEYS_MAX)
		return false;
	for (uint32_t i = 0; i < more.count; i++)
		set->keys[set->count++] = more.keys[i];
	return true;
}

static bool add_secret(struct jwk_set *set, const char *name)
{
	uint8_t secret[MINT_SECRET_BYTES];

	mint_secret(str_of(name, strlen(name)), secret);
	return jwk_set_add_secret(set, str_of((const char *)secret, sizeof(secret))) == JWK_OK;
}

/* That key alone, as from a PEM file: without a name. */
static bool add_pem(struct jwk_set *set, const char *name)
{
	uint32_t before = set->count;

	if (!read_keys(set, name) || set->count != before + 1)
		return false;
	set->keys[before].kid_bytes = 0;
	return true;
}

/* The options of who may come in. False: none of these, or malformed. */
static bool auth_option(struct server_config *cfg, const char *name, const char *value)
{
	struct token_config *t = &cfg->token;

	if (strcmp(name, "auth") == 0)
		cfg->auth = strcmp(value, "jwt") == 0 ? AUTH_JWT : AUTH_TRUST;
	else if (strcmp(name, "public-reads") == 0)
		cfg->public_reads = true;
	else if (strcmp(name, "jwks-url") == 0)
		t->has_jwks_url = true;
	else if (strcmp(name, "user-check-url") == 0)
		cfg->has_user_check = true;
	else if (strcmp(name, "api-key") == 0)
		cfg->api_key = kept(value);
	else if (strcmp(name, "jwt-secret") == 0)
		return add_secret(&t->keys, value);
	else if (strcmp(name, "jwt-key") == 0)
		return add_pem(&t->keys, value);
	else if (strcmp(name, "jwks-file") == 0)
		return read_keys(&t->keys, value);
	else if (strcmp(name, "jwt-issuer") == 0)
		return add_name(&t->issuers, value);
	else if (strcmp(name, "jwt-audience") == 0)
		return add_name(&t->audiences, value);
	else if (strcmp(name, "keycloak-client-id") == 0)
		return add_name(&t->clients, value);
	else
		return false;
	return true;
}

bool table_option(struct server_config *cfg, const char *name, const char *value)
{
	cfg->command_rate_any |= strncmp(name, "rate-", 5) == 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return put(cfg, &rows[i], value);
	if (auth_option(cfg, name, value))
		return true;
	if (strcmp(name, "slow-consumer") == 0)
		cfg->slow_consumer = strcmp(value, "close") == 0 ? SLOW_CLOSE : SLOW_DROP;
	else if (strcmp(name, "audience") == 0)
		cfg->audience = strcmp(value, "rooms") == 0 ? AUDIENCE_ROOMS : AUDIENCE_ALL;
	else if (strcmp(name, "max-message-size") == 0)
		for (int d = 0; d < DIALECT_COUNT; d++)
			cfg->message_bytes_max[d] = strtoull(value, NULL, 10);
	else
		return false;
	return true;
}
