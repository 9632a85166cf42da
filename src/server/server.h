/*
 * server/server.h: connections and their lives, from accept to the last byte.
 * Sans I/O: bytes come and go through a transport, time comes as an argument, memory is given once.
 *
 * Whoever drives it (net/loop, or the simulator) calls, per turn: server_begin_turn(now), any number of
 * accept/input/output calls, then server_end_turn(), which runs due timers, takes away who left, and writes
 * everything that was queued: one write per connection.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/clock.h"
#include "base/log.h"
#include "base/region.h"
#include "server/config.h"
#include "server/conn.h"
#include "server/outside.h"
#include "server/peers.h"
#include "server/transport.h"

struct server;

struct server_seed {
	uint64_t random[4];     /* from getrandom(), or the simulator's */
};

/*
 * Carves a server from `r`; NULL when it does not fit. `cfg` and `r`'s memory must outlive it. The
 * transport, the log's sink, `outside` (NULL when no URL is asked) and `peers` (NULL unless cfg->clustered)
 * are copied.
 */
struct server *server_new(const struct server_config *cfg, struct region *r,
                          const struct transport *transport, const struct outside *outside,
                          const struct peers *peers, log_sink_fn sink, void *sink_ctx,
                          const struct server_seed *seed, struct now now);

void server_begin_turn(struct server *, struct now);

/* A new connection on listener `listener`: its number, with *generation for the readiness calls;
 * CONN_NONE when there is no slot (the caller closes the handle; it was counted). */
uint32_t server_accept(struct server *, int handle, uint32_t listener, const struct peer *,
                       uint32_t *generation);

/* False: accepting more would only refuse them: leave them in the backlog for now. */
bool server_can_accept(const struct server *);

/*
 * All slots are taken: those who connected, or were answered, and have said nothing for a second make room at
 * the end of the turn, so that silent strangers do not keep others out for the ten seconds that a head may
 * take. WebSockets are not touched.
 */
void server_shed(struct server *);

/* Readiness of a handle. Ignored when the generation is not
 * the slot's (a late event of a connection that is gone). */
void server_input(struct server *, uint32_t conn, uint32_t generation);
void server_output(struct server *, uint32_t conn, uint32_t generation);

/* The handle broke, or both directions ended. */
void server_hangup(struct server *, uint32_t conn, uint32_t generation);

/* Nothing will be heard of the handle, not even its end: it is closed when the turn ends. */
void server_broken(struct server *, uint32_t conn, uint32_t generation);

/* Ends the turn. `timers`: all that was readable has been read,
 * so nobody is taken for silent whose bytes are waiting.
 * True: there is work left, so do not wait before the next turn. */
bool server_end_turn(struct server *, bool timers);

/* How many events (at most `max`), beside those that were there at first, can be taken in before this turn
 * ends, at a small part of what its writes will cost, so that these carry more. 0: few are written to, or a
 * write has no room for more. */
uint32_t server_spare_events(const struct server *, uint32_t max);

/* After the turn: how long it took, for the histogram of latencies. */
void server_turn_took(struct server *, int64_t us);

/* When the next timer is due. */
mono_t server_deadline(const struct server *);

/* SIGTERM: no new connections, Close 1001 to all (spread when there are many),
 * `server_drained` once all are gone or time is up. */
void server_drain(struct server *);
bool server_draining(const struct server *);
bool server_drained(const struct server *);

/* Draining, and no client is left: nothing more is acknowledged, since a node that has said farewell to the
 * others tells them nothing. */
bool server_emptied(const struct server *);

struct log *server_log(struct server *);
void server_count_accept_error(struct server *);

enum { SERVER_ALIGNMENT = 64 }; /* of its memory: a cache line */

/* Bytes that the options come to: what server_new() will take from its region.
 * `scratch` is zeroed memory of server_scratch_bytes(), so aligned. */
struct server_budget {
	size_t total, connections, engine, frames, intake, other;
};
size_t server_scratch_bytes(void);
struct server_budget server_measure(const struct server_config *, void *scratch);

/* Every invariant of every layer; O(all). For tests. */
bool server_valid(const struct server *);

#endif
