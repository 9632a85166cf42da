/*
 * cluster/companion.h: a node among others on the loop: cluster/cluster over cluster/redis, as net/loop.h
 * wants who lives beside it.
 */
#ifndef CLUSTER_COMPANION_H
#define CLUSTER_COMPANION_H

#include <stddef.h>

#include "net/loop.h"
#include "server/config.h"

struct companion;

/* For loop_run(), with cfg->clustered; `cfg` is borrowed for the life of the process. False: no memory. */
bool companion_new(const struct server_config *cfg, struct loop_companion *out);

/* Bytes that it maps beside the server's; 0 without cfg->clustered. Of these, redis's own are *redis. */
size_t companion_measure(const struct server_config *cfg, size_t *redis);

#endif
