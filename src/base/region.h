/*
 * base/region.h: carves one big zeroed block, given at start, into tables. Nothing is ever given back.
 *
 * Measure mode: over mem == NULL every take returns NULL and only counts, so that one function computes the
 * budget and, run a second time over real memory, builds the tables:  region_init(&r, NULL, 0); build(x,
 * &r); bytes = region_used(&r); Ownership: the region never owns `mem`. Errors are sticky: once a take did
 * not fit, region_failed() stays true.
 */
#ifndef BASE_REGION_H
#define BASE_REGION_H

#include <stdbool.h>
#include <stddef.h>

enum {
	REGION_ALIGN = 64, /* of `mem`, and the largest that a take may ask for: a cache line */
};

struct region {
	char *mem;
	size_t bytes;
	size_t used;
	bool failed;
};

/* `mem` is zeroed and aligned to REGION_ALIGN, or NULL to measure (`bytes` is then ignored). */
void region_init(struct region *r, void *mem, size_t bytes);

/*
 * Zeroed bytes, aligned to `align` (a power of two up to REGION_ALIGN), that live as long as the region's
 * memory. NULL when measuring, and when it does not fit (also: the sum overflows), which region_failed()
 * tells.
 */
void *region_take(struct region *r, size_t bytes, size_t align);

/* count * bytes, with the multiplication checked; otherwise as region_take(). */
void *region_take_array(struct region *r, size_t count, size_t bytes, size_t align);

/* Bytes taken so far, padding included; the same in both modes for the same takes. */
static inline size_t region_used(const struct region *r)
{
	return r->used;
}

static inline bool region_measuring(const struct region *r)
{
	return r->mem == NULL;
}

static inline bool region_failed(const struct region *r)
{
	return r->failed;
}

/*
 * Ends every use of the memory: lifts the poison that tables laid on it under ASan, so that the caller may
 * reuse or free it.
 */
void region_end(struct region *r);

#endif
