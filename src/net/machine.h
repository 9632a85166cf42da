/*
 * net/machine.h: clocks, randomness, memory and rights: the machine's side of what the server is given.
 */
#ifndef NET_MACHINE_H
#define NET_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/config.h"

struct now machine_now(void);

/* Microseconds on the monotonic clock. */
int64_t machine_us(void);

/* Fills from getrandom(2); false when the kernel has none to give. */
bool machine_random(void *out, size_t bytes);

/* Zeroed memory whose pages cost nothing until they are touched;
 * NULL when refused. Lives until the process ends. */
void *machine_memory(size_t bytes);
void machine_memory_free(void *mem, size_t bytes);

/* Secrets lie here: the pages that are touched stay out of swap, as far as this process may lock any. */
void machine_lock(const void *mem, size_t bytes);

/* Writes one log line to standard error unless that would block. */
bool machine_log(void *ctx, const char *line, size_t n);

/* One line for the operator on standard error: "presenced: WHAT: WHY". `error` is an errno value; 0: none. */
void machine_complain(struct str what, int error);

/* The same, of something that can be lived with: "presenced: warning: WHAT". */
void machine_warn(struct str what);

/* That, of who serves: a line of the log that `cfg` asks for, while there is no server yet to write it. */
void machine_log_warning(const struct server_config *cfg, const char *what);

/* Can this process run on all of these? It stays where it is. */
bool machine_has_cpus(const struct cpu_set *);

/* Keeps this thread, and those that it will start, on these. False: it cannot have all of them; it may be on
 * some of them now. */
bool machine_bind(const struct cpu_set *);

/* There is such a user, or this process is not root and stays what it is. */
bool machine_has_user(struct str user);

/* Becomes `user` (a name or a number) for good; true at once when not root. */
bool machine_become(struct str user);

#endif
