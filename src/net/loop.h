/*
 * net/loop.h: the event loop: one thread, one epoll.
 * Everything the server knows of the machine comes through here.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/clock.h"
#include "base/str.h"
#include "net/walls.h"
#include "server/config.h"
#include "server/peers.h"

enum loop_result {
	LOOP_OK,           /* drained after SIGTERM or SIGINT */
	LOOP_BAD_LISTENER, /* an address cannot be listened on: one line said which and why */
	LOOP_BAD_USER,     /* `user` is nobody this machine knows */
	LOOP_BAD_TLS,      /* a certificate or key, or ca-file, cannot be used: one line said why */
	LOOP_FAILED,       /* the machine refused something else (memory, epoll): one line said what */
};

/* Who else lives on the loop: cluster/, which net/ does not know. Its epoll events bear WATCH_COMPANION. */
struct loop_companion {
	void *ctx;
	/* Once, as the user that the process began as; fills what server_new() is given. Anything but LOOP_OK
	 * ends the start; one line said why. close() is called only after LOOP_OK. */
	enum loop_result (*open)(void *ctx, int epoll_fd, struct peers *peers, struct now now);
	/* The server that it belongs to; once, before the first turn, with the rights that the process keeps:
	 * threads start here. False with errno: the machine refused one. */
	bool (*serve)(void *ctx, struct server *);
	/* A turn: it begins, its events, and what is to be done behind these; all of it between
	 * server_begin_turn() and server_end_turn(). */
	void (*begin)(void *ctx, struct now now);
	void (*event)(void *ctx, uint32_t number, uint32_t generation, uint32_t events);
	void (*turn)(void *ctx);
	/* When turn() has something to do; before now when at once. */
	mono_t (*deadline)(void *ctx);
	void (*close)(void *ctx);
};

/* Binds, allocates, gives up rights (net/walls.h), and serves until told to stop. `companion` is NULL unless
 * cfg->clustered. */
enum loop_result loop_run(const struct server_config *cfg, const struct walls_config *rights,
                          const struct loop_companion *companion);

#endif
