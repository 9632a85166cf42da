/*
 * net/walls.h: what the process gives up once it has read its configuration and keys, bound its sockets and
 * taken its memory, so that whoever came to command it would hold little (RELIABILITY Z2).
 *
 * It becomes `user`, when started as root; and, unless `sandbox` is off: no capability, no_new_privs, no core
 * file, no ptrace by who has the same user id; no file but those that SIGHUP reads again and, when a host is
 * a name, the resolver's (net/landlock.h); no system call but those that serving needs (net/seccomp.h). What
 * the kernel does not have is one line in the log.
 */
#ifndef NET_WALLS_H
#define NET_WALLS_H

#include "net/landlock.h"
#include "server/config.h"

enum { WALLS_TEXT_BYTES = 160 };

struct walls_config {
	struct str user;
	bool sandbox;
};

struct walls {
	const struct server_config *cfg;
	const struct walls_config *wish;
	uint32_t needs;          /* enum seccomp_need's */
	bool bounded;            /* no_new_privs */
	bool incapable;          /* no capability is left */
	bool fenced;             /* Landlock holds */
	bool closed;             /* seccomp does */
	struct landlock landlock;
};

/*
 * All but the system calls, which are still needed to start. Before other threads are there. False: `user`
 * could not be become; one line said why. Both arguments are borrowed.
 */
bool walls_raise(struct walls *w, const struct server_config *cfg, const struct walls_config *wish);

/* The last wall: once all threads are there. */
void walls_close(struct walls *w);

/* Is there a wall that was wished for and is not there? */
bool walls_gap(const struct walls *w);

/*
 * "no_new_privs no_capabilities seccomp(24 calls) landlock(abi 7, 2 paths)": what stands; or, when nothing
 * was raised (`presenced check`), what would. NUL-terminated.
 */
void walls_text(const struct walls *w, char out[WALLS_TEXT_BYTES]);

/* For `check`: fills *w as far as it can be told beforehand, and raises nothing. `seen` is told what files
 * will be within reach. */
void walls_foresee(struct walls *w, const struct server_config *cfg, const struct walls_config *wish,
                   landlock_seen *seen);

/* Memory holds keys, tokens and messages: none of it goes into a core file, nor to another process of the
 * same user. For every command, before it reads a key. */
void walls_keep_memory_private(void);

#endif
