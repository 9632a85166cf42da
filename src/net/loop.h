/*
 * net/loop.h: the event loop: one thread, one epoll.
 * Everything the server knows of the machine comes through here.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/str.h"
#include "server/config.h"

enum loop_result {
	LOOP_OK,           /* drained after SIGTERM or SIGINT */
	LOOP_BAD_LISTENER, /* an address cannot be listened on: one line said which and why */
	LOOP_BAD_USER,     /* `user` is nobody this machine knows */
	LOOP_BAD_TLS,      /* a certificate or key, or ca-file, cannot be used: one line said why */
	LOOP_FAILED,       /* the machine refused something else (memory, epoll): one line said what */
};

/* Binds, allocates, becomes `user` when started as root, and serves until told to stop. */
enum loop_result loop_run(const struct server_config *cfg, struct str user);

#endif
