/* tool/world.h: the machine's side of options.h: files and limits. */
#ifndef TOOL_WORLD_H
#define TOOL_WORLD_H

#include "options.h"

/* The real world. Raises the soft limit of descriptors to the hard one first; a machine without randomness
 * gives 0. */
struct options_world world_open(void);

#endif
