/*
 * presence/receivers.h: who hears of one thing: a dense array of connection numbers in chunks of 256 bytes.
 *
 * Fan-out walks memory in order; an entry is removed in O(1) by moving the last one into its place. Each
 * entry carries a mask (what it wants to hear) and a back-reference (which record of the owner keeps this
 * entry's position).
 * Ownership: chunks come from a pool given with every call. A struct receivers of zeros is empty.
 */
#ifndef PRESENCE_RECEIVERS_H
#define PRESENCE_RECEIVERS_H

#include "base/pool.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	RECEIVERS_PER_CHUNK = 27, /* (256 - 8) / 9 */
	RECEIVERS_SLOT_BITS = 5,  /* a position is chunk << 5 | slot */
};

struct receivers_chunk {
	uint32_t next_plus1, prev_plus1; /* 0: none */
	uint32_t conn[RECEIVERS_PER_CHUNK];
	uint32_t back[RECEIVERS_PER_CHUNK];
	uint8_t mask[RECEIVERS_PER_CHUNK];
};

static_assert(sizeof(struct receivers_chunk) <= 256, "four cache lines");
static_assert(RECEIVERS_PER_CHUNK <= 1 << RECEIVERS_SLOT_BITS, "a slot fits its bits");

struct receivers {
	uint32_t first_plus1, last_plus1; /* chunks; all but the last are full */
	uint32_t count;                   /* entries */
};

/* Chunks that `entries` entries in at most `lists` lists can need. */
uint64_t receivers_chunks_max(uint64_t entries, uint64_t lists);

/* Appends an entry and returns its position. The pool must have a chunk (size it by receivers_chunks_max). */
uint32_t receivers_add(struct pool *chunks, struct receivers *rs, uint32_t conn, uint32_t back, uint8_t mask);

/*
 * Takes out the entry at `pos`. True when another entry moved to `pos`: *moved_back is its back-reference,
 * whose record must now hold `pos`.
 */
bool receivers_remove(struct pool *chunks, struct receivers *rs, uint32_t pos, uint32_t *moved_back);

/* The entry at `pos`. */
uint8_t *receivers_mask(const struct pool *chunks, uint32_t pos);
uint32_t receivers_conn(const struct pool *chunks, uint32_t pos);
uint32_t receivers_back(const struct pool *chunks, uint32_t pos);

/* Walks chunk by chunk: start with a walk of zeros; NULL ends. *n is the number of entries in the chunk. */
struct receivers_walk {
	uint32_t chunk_plus1;
	bool begun;
};
struct receivers_chunk *receivers_next(const struct pool *chunks, const struct receivers *rs,
				       struct receivers_walk *, uint32_t *n);

/* Links, counts and the number of chunks agree. O(chunks). */
bool receivers_valid(const struct pool *chunks, const struct receivers *rs);

#endif
