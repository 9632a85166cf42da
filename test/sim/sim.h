/*
 * test/sim/sim.h: a world of one server: its transport is memory pipes, its clocks are two numbers, its randomness is a seed. No
 * thread, no socket, no sleep: the whole server runs in here as in net/loop.c, and the same seed gives the same bytes at the same
 * milliseconds.
 *
 * A link is one TCP connection, seen from the client: bytes up, bytes down, an end, a reset. What speaks on it is in client.h.
 *
 *	sim_config(&sim.cfg); ...change options...; sim_start(&sim, seed);
 *	int a = sim_connect(&sim, 0, NULL);
 *	sim_send(&sim, a, request, n);
 *	sim_settle(&sim);               now everything that had to happen at this instant has
 *	sim_advance(&sim, 5000);        and now everything until 5 s after the start
 */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/peers.h"
#include "server/server.h"
#include "sim/services.h"

enum {
	SIM_LINKS_MAX = 4096,
	SIM_PIPE_BYTES = 65536, /* what the kernel would hold for a client that does not read */
	SIM_TINY_BYTES = 7,
	SIM_CALLS_OF_LINK_MAX = 64, /* that move bytes, in one turn */
	SIM_SIZES_MAX = 1024, /* more are not put down */
	SIM_FORGET_MS = 3600000, /* all that a client leaves behind is gone by then */
};

/* How bytes travel. Whatever it is, clients must hear the same. */
enum sim_cut {
	SIM_WHOLE,  /* a read gives all there is */
	SIM_BYTES,  /* a read gives one byte */
	SIM_RANDOM, /* reads and writes take some, or none for now; turns serve the links in any order */
	SIM_TINY,   /* the pipe to a client holds SIM_TINY_BYTES */
	SIM_SPLIT,  /* what is sent at once is cut behind cut_at bytes: what follows comes in a later turn */
	SIM_SHORT,  /* a write of more than cut_at bytes takes just these, and nothing more in this turn; the next one is whole */
	SIM_CUTS,
	SIM_FREE_CUTS = SIM_SPLIT /* those before it need no cut_at */
};

extern const char *const sim_cut_names[SIM_CUTS];

struct sim_bytes {
	uint8_t *v;
	size_t n, off, cap; /* v[off, off + n) */
};

void sim_bytes_put(struct sim_bytes *, const void *bytes, size_t n);
void sim_bytes_take(struct sim_bytes *, size_t n);
void sim_bytes_free(struct sim_bytes *);

static inline uint8_t *sim_bytes_at(const struct sim_bytes *b)
{
	return b->v + b->off;
}

/* How long single writes were: each length once, in no order. */
struct sim_sizes {
	size_t v[SIM_SIZES_MAX];
	uint32_t n;
	size_t longest;
};

struct sim_link {
	bool used, accepted;
	struct sim_bytes up, down;
	struct sim_bytes stops; /* uint64_t each: how many bytes have come up where a read ends (SIM_SPLIT) */
	uint64_t sent, read;    /* bytes up, ever */
	uint64_t cut_turn;      /* the last that cut a read, or a write, of this link */
	bool was_short;         /* so was its last write (SIM_SHORT) */
	bool client_ended;  /* no more comes up: FIN */
	bool client_gone;   /* reset */
	bool server_shut, server_closed;
	bool released;      /* its number may be another link's */
	bool wants_input, wants_output;
	uint32_t listener, conn, generation;
	uint32_t pipe_bytes; /* its own; 0: the world's */
	bool starved;        /* it is writable, and takes nothing: the kernel has no memory for what is written */
	uint64_t work_turn;  /* of `work`: calls for this link in that turn */
	uint32_t work;
	struct peer peer;
};

/* What the server holds of each pool. */
struct sim_levels {
	uint32_t cells, blocks, nodes, intake[3], loans, addresses, connections;
	uint32_t waiting, tokens, grants;
	uint32_t links, users_online, users_known, devices, rooms, subscriptions, watches, typing, calls;
};

/* What one turn of the server came to. */
struct sim_work {
	uint32_t reads, writes;    /* calls */
	uint64_t bytes_in, bytes_out;
	uint32_t most_of_link;     /* calls for one link */
};

/* What makes the server one of several (world.h). */
struct sim_company {
	void *ctx;
	const struct peers *peers;                 /* what the server is given */
	bool (*join)(void *ctx, struct now now);   /* before the server is built; false: it cannot be */
	void (*serve)(void *ctx, struct server *); /* it is built */
	/* In each turn: what others say is heard; true: there was some. At its end: they are told. And when there is some of either. */
	bool (*attend)(void *ctx, struct now now);
	void (*speak)(void *ctx, struct now now);
	mono_t (*due)(void *ctx);
	bool (*valid)(const void *ctx);
};

struct sim {
	struct server_config cfg;
	struct server *server;
	char *mem;
	size_t mem_bytes, mapped_bytes;
	struct now now;
	uint64_t random;
	enum sim_cut cut;
	size_t cut_at;          /* SIM_SPLIT, SIM_SHORT */
	size_t pipe_bytes;
	struct sim_sizes up_sizes, down_sizes; /* what there was to cut */
	bool frozen;            /* the process is stopped: nothing is read, no timer runs */
	bool check_turns;       /* server_valid() after every turn, not only when sim_settle() and sim_advance() are done */
	struct sim_link *links; /* [SIM_LINKS_MAX] */
	uint32_t links_high;
	uint64_t turns, hash;   /* of all that was taken from the links, where and when */
	uint64_t sent_hash;     /* of all that was written into them */
	uint32_t failing_accepts; /* so many of the next end before they are accepted */
	int64_t accepts_ms;     /* none is accepted before */
	struct sim_work work;   /* in this turn */
	uint64_t cuts;          /* reads and writes that moved less than there was */
	char fault[160];        /* the first broken promise; "" */
	/* The clients read what came, and answer. True: something was done. */
	bool (*drink)(void *ctx);
	void *drink_ctx;
	bool print_log;
	struct services services; /* those that the options name */
	struct sim_company company; /* zeroed: it is alone */
};

/* Small tables and the contract's defaults. Listeners: 0 plain on loopback, 1 admin, 2 echo, 3 upper, 4 plain on another address. */
void sim_config(struct server_config *);

/* Builds the server from sim->cfg at mono 0, wall 2026-01-14T12:00:00Z. False: it does not fit or does not build. */
bool sim_start(struct sim *, uint64_t seed);

/*
 * The process is gone: its memory is thrown away, its clients see a reset, and who comes now is refused. sim_boot() is its next start, at
 * the instant that it is; sim_start() begins with it.
 */
void sim_kill(struct sim *);
bool sim_boot(struct sim *, uint64_t seed);

/* Frees everything; the struct may be started again after sim_config(). */
void sim_stop(struct sim *);

uint64_t sim_random(struct sim *);
void sim_fault(struct sim *, const char *what);

/* A new connection: the number of its link, -1 when there are too many. It is accepted in the next turn. `peer` NULL: 127.0.0.1. */
int sim_connect(struct sim *, uint32_t listener, const struct peer *peer);
/* One write of the client's. */
void sim_send(struct sim *, int link, const void *bytes, size_t n);
void sim_end(struct sim *, int link);  /* half-close */
void sim_drop(struct sim *, int link); /* reset: what was under way is lost */
/* The client is done with the number. */
void sim_release(struct sim *, int link);

/* Up to n bytes that came down; 0: none. */
size_t sim_receive(struct sim *, int link, void *buf, size_t n);
/* All that came was read, and no more will come. */
bool sim_at_end(const struct sim *, int link);

/* One turn, as in net/loop.c. True: there is, or may be, more to do at once. */
bool sim_turn(struct sim *);

/* For who steps several worlds on one clock: is there more to do at this instant; when is there next; the clocks go on; and when all that
 * had to happen has, all that must always hold is looked at. A server that is frozen or killed has nothing to do. */
bool sim_pending(const struct sim *);
int64_t sim_due_ms(const struct sim *);
void sim_clock(struct sim *, int64_t ms);
void sim_check(struct sim *); /* all invariants */
void sim_tidy(struct sim *);  /* links that are over are used again */

/* Turns until nothing is left to do at this instant. */
void sim_settle(struct sim *);

/* Lets time pass up to `ms` after the start, from deadline to deadline, and settles at each. */
void sim_advance(struct sim *, int64_t ms);

/* The next `n` connections end before they are accepted (ECONNABORTED), and for `ms` none is (EMFILE). */
void sim_fail_accepts(struct sim *, uint32_t n, int64_t ms);
/* The pipe to this client holds so much from now on; 0: what the world's do. */
void sim_pipe(struct sim *, int link, uint32_t bytes);
/* The pipe to this client is writable and takes nothing from now on; or takes it again. */
void sim_starve(struct sim *, int link, bool starved);

/* Steps the wall clock alone. */
void sim_step_wall(struct sim *, int64_t ms);

struct sim_levels sim_levels(const struct sim *);

/* All links dropped and time passed: sim->fault says what was not given back. */
void sim_leave_all(struct sim *);
/* Its first step and its last. */
void sim_drop_all(struct sim *);
void sim_check_left(struct sim *);

#endif
