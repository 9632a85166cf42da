/*
 * cluster/resp_guard.h: looks at every byte that Redis sends before hiredis' reader does: RESP2 and nothing
 * else (redis.io, "Redis serialization protocol specification"), within bounds that no honest answer to us
 * reaches. hiredis 1.2.0 overflows on maps and nests without end (RELIABILITY R1, R2).
 *
 * A value is `+text`, `-text`, `:number`, `$length` and so many bytes, or `*count` and so many values; every
 * line ends with CR LF. -1 as a length or count is a value that is not there. Numbers are written in one way
 * only: no plus, no leading zero, no `-0`. The types of RESP3 are refused: nobody asked for them.
 */
#ifndef CLUSTER_RESP_GUARD_H
#define CLUSTER_RESP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	RESP_DEPTH_MAX = 8,             /* arrays in arrays; hiredis has 9 cells before it allocates */
	RESP_ELEMENTS_MAX = 1024,       /* of one array */
	RESP_BULK_BYTES_MAX = 1 << 20,
	RESP_LINE_BYTES_MAX = 1024,     /* a status or an error, CR LF not counted */
	RESP_REPLY_BYTES_MAX = (1 << 20) + 65536, /* a whole answer: what hiredis has to hold at once */
};

enum resp_guard_state {
	RESP_GUARD_TYPE,                /* a value begins */
	RESP_GUARD_TEXT, RESP_GUARD_NUMBER,
	RESP_GUARD_LF,                  /* of the line */
	RESP_GUARD_BULK, RESP_GUARD_BULK_CR, RESP_GUARD_BULK_LF,
	RESP_GUARD_FAULT,
};

struct resp_guard {
	enum resp_guard_state state;
	char type;                      /* of the line that is read */
	bool negative;
	uint32_t line_bytes;
	uint64_t number;
	uint32_t bulk_left;
	uint32_t reply_bytes;
	uint32_t depth;                 /* arrays that are open */
	uint32_t left[RESP_DEPTH_MAX];  /* values that each of them still wants */
	uint64_t replies;               /* whole ones, so far */
	struct str why;                 /* RESP_GUARD_FAULT: for a person; lives as long as the program */
};

void resp_guard_init(struct resp_guard *);

/* More bytes. False, from then on: they must not be given on, and the connection has to end. */
bool resp_guard_feed(struct resp_guard *, const char *bytes, size_t n);

#endif
