/*
 * test/sim/verdict.h: the first thing that went wrong in a life; what comes after it is mostly its doing. And what lives are compared by:
 * a hash of all that was heard.
 */
#ifndef TEST_SIM_VERDICT_H
#define TEST_SIM_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/client.h"

struct verdict {
	char fault[1024]; /* "": none yet */
};

__attribute__((format(printf, 2, 3))) void verdict_fault(struct verdict *, const char *fmt, ...);

static inline bool verdict_good(const struct verdict *v)
{
	return v->fault[0] == '\0';
}

#define HEARD_HASH UINT64_C(0xcbf29ce484222325) /* of nothing */

/* FNV-1a of what was before, of what is heard and by whom. */
uint64_t heard_hash(uint64_t before, const struct heard *);

bool begins(const char *text, const char *with);

/* The status line of an HTTP answer that refuses or fails: "503 {...". */
bool is_http_error(const char *text);

#endif
