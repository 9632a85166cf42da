/*
 * test/sim/client.h: those who live in the world of sim.h: real WebSocket clients with handshakes, masks and a decoder, of all
 * dialects, and HTTP clients. What they hear is put down as short lines that a table can say.
 *
 * A client is polite unless told otherwise: it answers Ping and Close and reads at once, and of that nothing is put down but
 * `close CODE`. A silent one answers nothing, and its Pings and its end are put down.
 *
 * A JSON message is put down as its values in order: `presence_update bob away 2`. Left out are names (but of booleans: is_typing=true),
 * nulls, timestamps, and the ids that the server draws; `reply_to` is `re:7`, `dm_id` `dm r1`; objects other than `payload` are {a,b}, arrays
 * [a,b], and metadata, data, sdp, candidate stay as they are. Of /metrics: `200 clients 2 online 3`, ws_clients_current and
 * presenced_users_online.
 */
#ifndef TEST_SIM_CLIENT_H
#define TEST_SIM_CLIENT_H

#include "dialect/dialect.h"
#include "sim/sim.h"
#include "wire/websocket.h"

enum {
	CLIENT_NAME_MAX = 16,
	CLIENT_WITH_MAX = 2048,
	CLIENTS_MAX = 64,
	SEEN_MAX = 512,
};

struct heard {
	uint32_t client;
	int64_t at_ms;
	char *text;  /* what a table says */
	char *json;  /* the message itself; NULL when it is none */
	bool taken;
};

struct client {
	char name[CLIENT_NAME_MAX];
	int link;               /* -1: none */
	bool websocket;
	enum dialect_id dialect;
	bool silent;
	bool stalled;           /* does not read */
	bool was_stalled;       /* what it heard may have been told long before */
	bool at_end, close_heard, close_sent;
	char with[CLIENT_WITH_MAX]; /* a header line of its requests, with its end; "": none */
	uint32_t heads;         /* bit i: the i-th answer to come is to a HEAD */
	struct sim_bytes in;    /* HTTP: what came of a head and body; WebSocket: of a message */
	struct ws_dec dec;
	uint8_t control[WS_CONTROL_BYTES_MAX];
};

/* The newest last_seen of a user that a client was told: it never goes back (RELIABILITY P8), unless it was told so long ago that the user
 * may have been forgotten since. */
struct seen {
	const struct client *by;
	char user[64], at[32];
	int64_t told_ms;
};

struct crowd {
	struct sim sim;
	struct client clients[CLIENTS_MAX];
	uint32_t client_count;
	struct heard *heard;
	size_t heard_count, heard_cap;
	struct seen seen[SEEN_MAX];
	uint32_t seen_count;
};

/* sim_start() with the crowd reading. False as there. */
bool crowd_start(struct crowd *, uint64_t seed);
void crowd_stop(struct crowd *);
/* Forgets what was heard. */
void crowd_forget(struct crowd *);

/* By name, made when new; NULL when there are too many. */
struct client *client_named(struct crowd *, const char *name, size_t n);

struct client_call {
	enum dialect_id dialect;
	struct str user, device, name, proto, path, header; /* absent: none; path: instead of the dialect's own */
	struct str token, bearer;
	uint32_t listener;
	struct peer peer;
};

/* Connects and sends the dialect's own handshake. */
void client_call(struct crowd *, struct client *, const struct client_call *);
/* Connects and says nothing. */
void client_tcp(struct crowd *, struct client *, uint32_t listener, const struct peer *);
/* A request over a connection that is made if there is none. */
void client_request(struct crowd *, struct client *, const char *method, struct str path, struct str body);
void client_frame(struct crowd *, struct client *, enum ws_opcode op, bool fin, const void *payload, size_t n);
void client_close(struct crowd *, struct client *, unsigned code);
void client_bytes(struct crowd *, struct client *, const void *bytes, size_t n);
void client_end(struct crowd *, struct client *);
void client_drop(struct crowd *, struct client *);
/* A client that does not read takes up to n bytes now. */
void client_take(struct crowd *, struct client *, size_t n);

/* Puts down that the client hears this: `text` as a table says it, and the JSON that it comes from, or NULL. Both are copied. */
void client_heard(struct crowd *, const struct client *, const char *text, const char *json, size_t n);

/* One JSON text, heard by a client, as a short line into out[0, cap); false when it is no JSON. */
bool client_reduce(struct crowd *, const struct client *, char *out, size_t cap, const char *json, size_t n);

#endif
