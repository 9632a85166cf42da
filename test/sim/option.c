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

bool table_option(struct server_config *cfg, const char *name, const char *value)
{
	cfg->command_rate_any |= strncmp(name, "rate-", 5) == 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return put(cfg, &rows[i], value);
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
