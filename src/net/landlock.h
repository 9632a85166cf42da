/*
 * net/landlock.h: what of the file system and of TCP stays within reach (landlock(7)): nothing but what was
 * allowed here. Rights are those that this source knows, ABI 1 to 7, and of them those that the kernel has;
 * what is open already stays open.
 *
 * Order: open, allow, close. The rules hold for the calling thread and those that it starts afterwards.
 */
#ifndef NET_LANDLOCK_H
#define NET_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { LANDLOCK_PLACES_MAX = 128 }; /* that are counted */

struct landlock_place {
	uint64_t device, inode;
};

/* A place that is allowed: all below a directory, or one file; to be read, or to be removed from. */
typedef void landlock_seen(const char *path, bool is_directory, bool is_removal);

struct landlock {
	int fd;                  /* the rules; -1: nothing is made, places are only counted */
	landlock_seen *seen;     /* NULL: the rules are to be made */
	int abi;                 /* 0: the kernel has none, or it is off */
	bool any_port;           /* TCP may be connected to */
	bool failed;             /* a rule was refused */
	uint32_t place_count;    /* files and directories that were allowed, in any way, each once */
	struct landlock_place places[LANDLOCK_PLACES_MAX];
};

/* Begins the rules; with `seen`, makes none and tells each place instead, once. With `any_port` TCP may be
 * connected to any port. Without Landlock nothing is made either. */
void landlock_open(struct landlock *l, landlock_seen *seen, bool any_port);

/*
 * This file may be read, and what takes its place by a renaming or by the turning of a link: whatever lies
 * below the directory that names it, below the one where it is if links lead elsewhere (certbot's live/ and
 * archive/), and beside a directory on the way that is a link (Kubernetes' ..data). A file that is itself
 * mounted cannot be replaced, and one in the root directory would open all: of these the file alone, as it is
 * now. What does not exist is passed over.
 */
void landlock_allow_file(struct landlock *l, struct str path);

/* This file may be removed, and others in its directory. */
void landlock_allow_removal(struct landlock *l, struct str path);

/* TCP may be connected to this port; it may anyway if it may to any. */
void landlock_allow_port(struct landlock *l, uint16_t port);

/* The rules hold from now on and for good, if `enter`, which needs no_new_privs. False: they do not; nor do
 * they when one of them was refused, which would keep from the server what it needs. */
bool landlock_close(struct landlock *l, bool enter);

#endif
