/* tool/check.h: `presenced check`: what the options come to, and the memory that they cost. */
#ifndef TOOL_CHECK_H
#define TOOL_CHECK_H

#include "options.h"

/*
 * Prints the configuration, as lines that a file may hold (notes are comments), then the memory budget as
 * comments, with what the kernel may add for each connection. `o` was loaded. The exit code: 0, 1 when there
 * is no memory to measure in, or 2 when a certificate cannot be used.
 */
int check_run(const struct options *o);

#endif
