/*
 * base/strpool.c: size classes over pools; see strpool.h.
 *
 * Invariant: a reference names a taken cell of its class, and the cell's length fits the class. No class is
 * 7, so that STRREF_FULL is no reference; cells are numbered from 1, so that 0 is none.
 */
#include "base/strpool.h"

enum {
	CLASS_SHIFT = 29,
	LENGTH_BYTES = 2,
};

#define CELL_MASK ((UINT32_C(1) << CLASS_SHIFT) - 1)

static const uint16_t class_bytes_max[STRPOOL_CLASSES] = { 14, 22, 38, 70, 134, 262, 2054 };

static_assert(STRPOOL_CLASSES <= 7, "class 7 is STRREF_FULL");

/* The cell's memory; *p is its pool. */
static char *cell_of(const struct strpool *sp, strref ref, const struct pool **p)
{
	uint32_t class = ref >> CLASS_SHIFT;

	assert(ref != STRREF_NONE && class < STRPOOL_CLASSES && (ref & CELL_MASK) != 0);
	*p = &sp->pools[class];
	return pool_at(*p, (ref & CELL_MASK) - 1);
}

void strpool_init(struct strpool *sp, struct region *r, const uint32_t counts[STRPOOL_CLASSES])
{
	for (uint32_t c = 0; c < STRPOOL_CLASSES; c++) {
		assert(counts[c] < CELL_MASK);
		pool_init(&sp->pools[c], r, class_bytes_max[c] + (uint32_t)LENGTH_BYTES, counts[c]);
	}
}

uint32_t strpool_class(size_t n)
{
	uint32_t c = 0;

	static_assert(sizeof(class_bytes_max) / sizeof(class_bytes_max[0]) == STRPOOL_CLASSES, "one each");
	while (c < STRPOOL_CLASSES && n > class_bytes_max[c])
		c++;
	return c;
}

strref strpool_put(struct strpool *sp, struct str s)
{
	uint32_t class = strpool_class(s.n);
	uint16_t n = (uint16_t)s.n;
	uint32_t i;
	char *cell;

	if (str_absent(s))
		return STRREF_NONE;
	if (class == STRPOOL_CLASSES)
		return STRREF_FULL;
	i = pool_take(&sp->pools[class]);
	if (i == POOL_NONE)
		return STRREF_FULL;
	assert(i < CELL_MASK);
	cell = pool_at(&sp->pools[class], i);
	memcpy(cell, &n, LENGTH_BYTES);
	memcpy(cell + LENGTH_BYTES, s.p, s.n);
	return class << CLASS_SHIFT | (i + 1);
}

struct str strpool_get(const struct strpool *sp, strref ref)
{
	const struct pool *p;
	const char *cell;
	uint16_t n;

	if (ref == STRREF_NONE)
		return STR_NONE;
	cell = cell_of(sp, ref, &p);
	memcpy(&n, cell, LENGTH_BYTES);
	assert(n + (uint32_t)LENGTH_BYTES <= p->cell_bytes);
	return str_of(cell + LENGTH_BYTES, n);
}

void strpool_drop(struct strpool *sp, strref ref)
{
	uint32_t class = ref >> CLASS_SHIFT;

	if (ref == STRREF_NONE)
		return;
	assert(class < STRPOOL_CLASSES && (ref & CELL_MASK) != 0);
	pool_give(&sp->pools[class], (ref & CELL_MASK) - 1);
}

uint32_t strpool_used(const struct strpool *sp)
{
	uint32_t used = 0;

	for (uint32_t c = 0; c < STRPOOL_CLASSES; c++) {
		assert(pool_used(&sp->pools[c]) <= CELL_MASK);
		used += pool_used(&sp->pools[c]);
	}
	return used;
}
