/*
 * server/config.h: what the options come to. Filled by options.c, never changed while serving;
 * strings live as long as the program.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "dialect/dialect.h"
#include "presence/command.h"
#include "wire/jwk.h"
#include "wire/redis_url.h"
#include "wire/url.h"

enum {
	LISTENERS_MAX = 16,
	ORIGINS_MAX = 64,
	PROXIES_MAX = 32,
	JWT_NAMES_MAX = 8,        /* issuers, audiences, clients: of each */
	TLS_PAIRS_MAX = 8,
	CPUS_MAX = 1024,          /* that libraries have room for in a set (sched.h) */
};

struct listener_config {
	struct str address;       /* as written, without port and parameters; for unix: the path */
	uint16_t port;            /* 0: any free one */
	bool is_unix;
	bool is_loopback;
	bool admin;
	bool tls;
	bool has_dialect;
	enum dialect_id dialect;  /* counts with has_dialect */
};

/* Who believes what: whoever says who they are, or tokens that were verified. */
enum auth { AUTH_TRUST, AUTH_JWT };

struct name_list {
	struct str v[JWT_NAMES_MAX];
	uint32_t n;
};

/* What is demanded of a token, and where keys are. Counts with AUTH_JWT. */
struct token_config {
	struct jwk_set keys;                    /* from files; they never change while serving */
	bool has_jwks_url;
	struct url jwks_url;
	struct name_list issuers, audiences;    /* empty: not looked at */
	struct name_list clients;               /* Keycloak's: in `aud`, or `azp` */
	int64_t leeway_ms;
};

/* Files, read by net/ and read again at SIGHUP. */
struct tls_config {
	struct {
		struct str cert, key;
	} pairs[TLS_PAIRS_MAX];
	uint32_t pair_count;
	struct str ca;                          /* for outgoing TLS; absent: none is trusted */
};

enum audience { AUDIENCE_ALL, AUDIENCE_ROOMS };
enum slow_consumer { SLOW_DROP, SLOW_CLOSE };

/* CPU number n is bit n % 64 of word n / 64. */
struct cpu_set {
	uint64_t words[CPUS_MAX / 64];
};

struct proxy_network {
	uint8_t address[16];      /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix_bits;      /* of 128 */
};

struct server_config {
	struct listener_config listeners[LISTENERS_MAX];
	uint32_t listener_count;

	int64_t offline_debounce_ms, stale_timeout_ms, cleanup_interval_ms;
	int64_t heartbeat_interval_ms, ping_period_ms, pong_wait_ms, write_wait_ms;
	int64_t presence_ttl_ms, typing_ttl_ms, drain_timeout_ms;

	uint32_t presence_rate;                 /* per user and second; 0: no limit */
	uint32_t message_rate, message_burst;   /* per connection; rate 0: no limit */
	uint32_t user_message_rate;             /* per user; 0: no limit */
	uint32_t command_rate[CMD_COUNT];       /* per connection and command; 0: no limit */
	bool command_rate_any;                  /* any of them is set */

	uint32_t connections_max, connections_per_ip_max, connections_per_user_max, connection_rate;
	uint32_t subscriptions_per_connection_max;
	bool clustered;                         /* there are other nodes (server/peers.h) */
	struct redis_url redis;                 /* where they meet; these two count with clustered */
	bool redis_keys;                        /* seed 002's per-user keys are kept there */
	uint32_t users_max;                     /* known at once, those of all nodes; 0: by connections_max */
	uint64_t message_bytes_max[DIALECT_COUNT];
	uint32_t fragments_max;
	uint32_t client_buffer_messages, client_buffer_bytes;
	enum slow_consumer slow_consumer;
	enum audience audience;

	bool origins_given, origins_any;        /* not given: same host and port;
	                                         * on loopback any loopback origin */
	struct str origins[ORIGINS_MAX];
	uint32_t origin_count;
	struct proxy_network proxies[PROXIES_MAX];
	uint32_t proxy_count;

	enum auth auth;
	struct token_config token;
	int64_t auth_timeout_ms;                /* of a connection that may authenticate in-band */
	bool public_reads;                      /* REST reads need no credential */
	bool has_user_check;
	struct url user_check_url;
	struct tls_config tls;

	struct str api_key;                     /* absent: none */
	struct str service_name, node_id;
	enum log_level log_level;
	enum log_format log_format;

	uint32_t workers;                       /* event loops: 1 */
	uint32_t busy_poll_us;                  /* after something came: no sleep for so long; 0: off */
	bool bound;                             /* all threads stay on `cpus`, which counts with it */
	struct cpu_set cpus;
};

#endif
