/*
 * server/peers.h: the seam to what makes several nodes one. cluster/ fills it over Redis; a test as it likes.
 * A server that was given none is alone.
 */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include "base/jsonw.h"
#include "presence/engine.h"
#include "presence/peer.h"
#include "server/config.h"

enum peers_health {
	PEERS_READY,
	PEERS_JOINING,  /* connected, but not told yet what the others know */
	PEERS_LOST,     /* nothing goes out, or nothing comes in */
};

struct peers {
	struct peerlink link;    /* the engine's part; link.ctx is everybody's */
	/* What happened to users and connections of this node: the sink's note, once it is logged. */
	void (*note)(void *ctx, enum engine_note, struct str user, struct str device, struct now now);
	/* All that is to be told in this turn is known: before this node's own clients are written to. */
	void (*flush)(void *ctx, struct now now);
	/* May the process end? False while something that was promised has not left; asked until the drain's
	 * time is up. */
	bool (*leave)(void *ctx, struct now now);
	enum peers_health (*health)(void *ctx);
	uint32_t (*nodes)(void *ctx);             /* that are there, this one included */
	void (*metrics)(void *ctx, struct jsonw *out); /* lines of /metrics */
};

struct server;

/* The engine, for who hears others: between server_begin_turn() and server_end_turn(). */
struct engine *server_engine(struct server *);

/* Users that the engine of this configuration has records for at most. */
uint32_t server_users_max(const struct server_config *);

#endif
