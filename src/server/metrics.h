/*
 * server/metrics.h: what is counted. Plain numbers in one struct,
 * written where things happen, printed by metrics_write().
 *
 * Names are those of seeds 002 and 004 and presenced_* (CONTRACT 6). Ids are never labels.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdint.h>

#include "base/jsonw.h"
#include "dialect/dialect.h"
#include "presence/command.h"
#include "server/expose.h"

/* Why somebody or something was turned away: the label `reason` of presenced_refused_total. */
#define METRICS_REFUSALS(X) \
	X(HTTP_MALFORMED, "http_malformed") X(HTTP_TIMEOUT, "http_timeout") X(HANDSHAKE, "handshake") \
	X(NOT_FOUND, "not_found") X(METHOD, "method") X(MEDIA_TYPE, "media_type") X(BODY, "body") \
	X(IDENTITY_MISSING, "identity_missing") X(IDENTITY_BAD, "identity_bad") \
	X(IDENTITY_CONFLICT, "identity_conflict") X(DIALECT, "dialect") X(ORIGIN, "origin") \
	X(CREDENTIAL, "credential") X(FORBIDDEN, "forbidden") X(ADDRESS_CAP, "address_cap") \
	X(SERVER_FULL, "server_full") X(CONNECTION_RATE, "connection_rate") X(DRAINING, "draining") \
	X(POOL, "pool") X(JSON, "json") X(MESSAGE, "message") X(MESSAGE_RATE, "message_rate") \
	X(FRAME, "frame") X(BINARY, "binary") X(SLOW_CONSUMER, "slow_consumer") X(SILENT, "silent") \
	X(STALE, "stale") X(REPLACED, "replaced") X(KICKED, "kicked") X(STALLED, "stalled") \
	X(ENGINE, "engine") X(OUTSIDE, "outside") X(USER_UNKNOWN, "user_unknown") \
	X(TOKEN_FLOOD, "token_flood") X(UNAUTHENTICATED, "unauthenticated") X(EXPIRED, "expired")

/* The label `code` of presenced_closes_total; all others are its "other". */
#define METRICS_CLOSES(X) \
	X(1000) X(1001) X(1002) X(1003) X(1006) X(1007) X(1008) X(1009) X(1011) X(1013) \
	X(4000) X(4001) X(4002) X(4003)

#define METRICS_CLOSE_ENUM(code) CLOSED_##code,
enum { METRICS_CLOSES(METRICS_CLOSE_ENUM) CLOSED_OTHER, CLOSED_COUNT };
#undef METRICS_CLOSE_ENUM

#define METRICS_REFUSAL_ENUM(name, label) REFUSED_##name,
enum refusal { METRICS_REFUSALS(METRICS_REFUSAL_ENUM) REFUSED_COUNT };
#undef METRICS_REFUSAL_ENUM

struct metrics {
	uint64_t connections_total;      /* WebSocket connections ever */
	uint64_t connections_by_dialect[DIALECT_COUNT]; /* now */
	uint32_t connections;            /* WebSocket connections now */
	uint64_t accepted_total, http_requests_total, http_responses[6]; /* by status / 100 */
	uint64_t messages_received, messages_sent;
	uint64_t bytes_received, bytes_sent;
	uint64_t errors_total;           /* error messages sent and connections closed for cause */
	uint64_t refused[REFUSED_COUNT];
	uint64_t commands[CMD_COUNT];
	uint64_t events[EV_COUNT], encodings, deliveries;
	uint64_t conflated, dropped;     /* messages taken out of slow consumers' queues */
	uint64_t closes[CLOSED_COUNT];   /* of WebSocket connections, by the first Close; 1006: without one */
	uint64_t accept_errors;
	uint64_t turns;
	int64_t turn_us_max;             /* longest turn of the loop since start */
	struct histogram message_size_bytes, latency_us;
};

void metrics_close(struct metrics *, unsigned code);
void metrics_message_size(struct metrics *, uint64_t bytes);
/* `n` messages whose last delivery was handed to the kernel `us` after they were read. */
void metrics_latency(struct metrics *, int64_t us, uint64_t n);

struct server;

/* A bounded table: how much of it is in use. */
struct metrics_pool {
	struct str name;
	uint64_t used, size;
};
/* Table number `i`, from 0 on; false behind the last. */
bool metrics_pool(const struct server *, uint32_t i, struct metrics_pool *out);

/* The whole /metrics document, Prometheus text format 0.0.4.
 * Touches nothing of `out` but its bytes: it is no JSON. */
void metrics_write(const struct server *, struct jsonw *out);

#endif
