/*
 * server/intake.h: buffers for what came in part: a message whose rest is still to come,
 * a request head, unread input. Borrowed only while something is incomplete.
 *
 * Three sizes; a buffer that grows moves to the next.
 * A full pool is an answer for that connection alone (1013, 503).
 */
#ifndef SERVER_INTAKE_H
#define SERVER_INTAKE_H

#include "base/pool.h"
#include "base/region.h"
#include "server/conn.h"

enum {
	INTAKE_SMALL_BYTES = 4096,
	INTAKE_MEDIUM_BYTES = 81920, /* a whole request: 8 KiB of head, 64 KiB of body;
	                              * also one read of unread input */
	INTAKE_CLASSES = 3,          /* the third: the largest message of any dialect */
	INTAKE_LOAN_BYTES = 160,     /* a control frame's payload, or the cursor of a streamed response */
};

struct intake {
	struct pool pools[INTAKE_CLASSES];
	uint64_t bytes_max[INTAKE_CLASSES];
	struct pool loans;
};

struct intake_counts {
	uint32_t small, medium, large, loans;
};

void intake_init(struct intake *, struct region *, uint64_t large_bytes, const struct intake_counts *);

/*
 * Appends n bytes to what the connection holds. The buffer is chosen for what came, not for what a header
 * announces: large ones are few, and announcing costs a peer nothing. False: no buffer, nothing changed.
 */
bool intake_append(struct intake *, struct conn *, const void *bytes, size_t n);

/* What the connection holds; NULL when nothing. */
uint8_t *intake_bytes(const struct intake *, const struct conn *);

/* Takes n bytes off the front; gives the buffer back when it is empty. */
void intake_consume(struct intake *, struct conn *, uint32_t n);
void intake_release(struct intake *, struct conn *);

/* A small block for as long as it is needed, the same at each call until released;
 * NULL when there is none. */
void *intake_loan(struct intake *, struct conn *);
void intake_loan_release(struct intake *, struct conn *);

#endif
