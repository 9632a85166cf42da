/* tool/world.h: the machine's side of options.h: files and limits. */
#ifndef TOOL_WORLD_H
#define TOOL_WORLD_H

#include "options.h"

/* The real world. Raises the soft limit of descriptors to the hard one first; a machine without randomness
 * gives 0. */
struct options_world world_open(void);

/* Reads a whole file into out[0, cap): NULL, or why not, static. For options_world.read_file too: `ctx` is
 * not looked at. */
const char *world_read_file(void *ctx, struct str path, char *out, size_t cap, size_t *n);

#endif
