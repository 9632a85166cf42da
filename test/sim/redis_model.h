/*
 * test/sim/redis_model.h: a Redis in memory behind struct bus (cluster/bus.h), shared by the nodes of a world: keys whose TTL runs on the
 * virtual clock, channels that keep a publisher's order for each subscriber, and what goes wrong with all of it, from a seed.
 *
 * A client of it is what cluster/redis is to the real one: two connections that come and go together. A command arrives delay_ms after it
 * was given, an answer or a message as long after that. Whatever a client is told, it is told in redis_model_deliver(), that is, in a turn
 * of its server; nothing calls back from inside a struct bus.
 *
 *	redis_model_open() -> CONNECTING --up()--> UP --lost (down(); commands under way: some arrive)--> CONNECTING -> ...
 */
#ifndef TEST_SIM_REDIS_MODEL_H
#define TEST_SIM_REDIS_MODEL_H

#include "cluster/bus.h"

enum {
	REDIS_CLIENTS_MAX = 4,
	REDIS_TIMEOUT_MS = 2000,     /* RELIABILITY R3: a command without an answer ends the connection */
	REDIS_CHANNELS_MAX = 256,    /* of one client */
	REDIS_JOURNAL_MAX = 64,      /* writes that a failover may lose */
	REDIS_SPACE_BYTES = 1 << 20,
	REDIS_OUTPUT_BYTES = 8 << 20,
};

/* What a client hears; the names are those of cluster/bus.h. */
struct redis_ears {
	void *ctx;
	void (*up)(void *ctx);
	void (*down)(void *ctx);
	void (*heard)(void *ctx, struct str channel, char *payload, size_t n);
	void (*renewed)(void *ctx, bool was_there);
	void (*refused)(void *ctx, struct str code);
};

struct redis_item;
struct redis_model;

struct redis_list {
	struct redis_item *first, *last;
	size_t n, bytes;
};

struct redis_client {
	struct redis_model *model;
	struct redis_ears ears;
	uint32_t index;
	bool open, connected;
	bool down_due, reset;        /* it is to be told that its connection is gone; it asked for that itself */
	bool cut;                    /* from the machine that Redis is on */
	bool deaf;                   /* no message comes, and nobody says so; until it connects anew */
	int64_t connect_ms;          /* when the next attempt succeeds or fails; counts unless connected */
	int64_t first_unanswered_ms; /* INT64_MAX: all is answered */
	int64_t unconfirmed_ms;      /* given, and refused: the first channel without a confirmation; INT64_MAX: none */
	uint32_t drop_next;          /* messages of others that it does not get */
	struct redis_list commands, inbox;
	char *channels[REDIS_CHANNELS_MAX];
	uint32_t channel_count;
};

struct redis_key {
	char *name, *value;
	size_t value_bytes;
	int64_t expires_ms;          /* INT64_MAX: never */
};

enum redis_refusal { REDIS_ACCEPTS, REDIS_REFUSES_WRITES, REDIS_REFUSES_ALL };

struct redis_stats {
	uint64_t publish, set, del, renew, subscribe, unsubscribe; /* that arrived */
	uint64_t delivered, dropped, doubled, swapped, lost_connections, lost_writes;
};

struct redis_model {
	int64_t now_ms;
	uint64_t random;
	bool is_down, is_hung;
	bool limbo_runs;             /* what hung on lost connections is worked off in the end; or nothing of it is */
	enum redis_refusal refusal;
	const char *refusal_code;
	/* Set by the caller, any time. */
	int64_t delay_ms, delay_spread_ms; /* one way: delay_ms, and up to delay_spread_ms more */
	int64_t reconnect_ms, reconnect_spread_ms;
	uint32_t drop_permille, double_permille, swap_permille; /* of messages */
	size_t space_bytes, output_bytes;
	/* Whoever else listens: every message as it is published. NULL: nobody. */
	void (*tap)(void *ctx, struct str channel, struct str payload);
	void *tap_ctx;

	struct redis_client clients[REDIS_CLIENTS_MAX];
	struct redis_list limbo;     /* given by connections that are gone */
	struct redis_key *keys;
	uint32_t key_count, key_cap;
	struct redis_key journal[REDIS_JOURNAL_MAX]; /* what the last writes replaced; value NULL: nothing */
	uint64_t journal_count;
	struct redis_stats stats;
};

/* Empty, without delay or fault. */
void redis_model_start(struct redis_model *, uint64_t seed);
void redis_model_stop(struct redis_model *);

/* Client `i` begins to connect; or its process is gone: of what it had given some arrives, or all when it went politely. */
void redis_model_open(struct redis_model *, uint32_t i, const struct redis_ears *);
void redis_model_close(struct redis_model *, uint32_t i, bool politely);
struct bus redis_model_bus(struct redis_model *, uint32_t i);

/* Time is now `ms`; what has arrived by then is done. True: something was. */
bool redis_model_run(struct redis_model *, int64_t ms);
/* Tells a client up to `max` things that are due; in a turn of its server. True: there was one. */
bool redis_model_deliver(struct redis_model *, uint32_t i, uint32_t max);
/* When run() or deliver(i) have something to do; INT64_MAX. A time that has come stays. */
int64_t redis_model_due(const struct redis_model *);
int64_t redis_model_client_due(const struct redis_model *, uint32_t i);

/* --- faults --- */

void redis_model_down(struct redis_model *, bool down);    /* gone, with all its keys kept; or there again */
void redis_model_hang(struct redis_model *, bool hung);    /* SIGSTOP, SIGCONT */
void redis_model_cut(struct redis_model *, uint32_t i, bool cut);
void redis_model_deafen(struct redis_model *, uint32_t i); /* its subscriptions end, nothing says so (R8) */
void redis_model_lose(struct redis_model *, uint32_t i);   /* CLIENT KILL: its connections end */
void redis_model_flush(struct redis_model *);              /* FLUSHALL */
void redis_model_fail_over(struct redis_model *, uint32_t writes); /* the last of them are lost, and all connections */
void redis_model_refuse(struct redis_model *, enum redis_refusal, const char *code);

/* --- other programs --- */

void redis_model_publish(struct redis_model *, struct str channel, struct str payload);
void redis_model_set(struct redis_model *, struct str key, struct str value, int64_t ttl_ms);
/* NULL: no such key. */
const struct redis_key *redis_model_get(struct redis_model *, struct str key);

#endif
