/*
 * Invariants: map[u] is not 0 exactly where a block begins; every block lies at a multiple of its size; two
 * free halves of one block do not exist; a list by order holds the free blocks of that order and no others.
 * Under ASan free blocks are poisoned but for their links, and taken ones behind what was asked for.
 */
#include "base/buddy.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/poison.h"

enum { FREE = 0x80 };

/* In the first bytes of a free block: units + 1, 0 for none. */
struct link {
	uint32_t next, previous;
};

static size_t block_bytes(unsigned order)
{
	return (size_t)1 << order;
}

static uint32_t block_units(unsigned order)
{
	return UINT32_C(1) << (order - BUDDY_ORDER_MIN);
}

static char *block_at(const struct buddy *b, uint32_t unit)
{
	return b->mem + ((size_t)unit << BUDDY_ORDER_MIN);
}

static uint32_t unit_of(const struct buddy *b, const void *p)
{
	size_t at = (size_t)((const char *)p - b->mem);

	assert((const char *)p >= b->mem && at < block_bytes(b->order));
	assert(at % block_bytes(BUDDY_ORDER_MIN) == 0);
	return (uint32_t)(at >> BUDDY_ORDER_MIN);
}

static unsigned order_for(size_t bytes)
{
	unsigned order = BUDDY_ORDER_MIN;

	while (order <= BUDDY_ORDER_MAX && block_bytes(order) < bytes)
		order++;
	return order;
}

/* --- lists --- */

static struct link *link_of(const struct buddy *b, uint32_t unit)
{
	return (struct link *)(void *)block_at(b, unit);
}

static void put(struct buddy *b, uint32_t unit, unsigned order)
{
	struct link *l = link_of(b, unit);

	poison_lay(block_at(b, unit), block_bytes(order));
	poison_lift(l, sizeof(*l));
	*l = (struct link){ .next = b->free[order] };
	if (l->next != 0)
		link_of(b, l->next - 1)->previous = unit + 1;
	b->free[order] = unit + 1;
	b->map[unit] = (uint8_t)(order | FREE);
}

static void pull(struct buddy *b, uint32_t unit, unsigned order)
{
	const struct link *l = link_of(b, unit);

	assert(b->map[unit] == (order | FREE));
	if (l->previous != 0)
		link_of(b, l->previous - 1)->next = l->next;
	else
		b->free[order] = l->next;
	if (l->next != 0)
		link_of(b, l->next - 1)->previous = l->previous;
	b->map[unit] = 0;
}

/* --- taking and giving --- */

void buddy_init(struct buddy *b, struct region *r, unsigned order)
{
	assert(order >= BUDDY_ORDER_MIN && order <= BUDDY_ORDER_MAX);
	*b = (struct buddy){ .order = order };
	b->map = region_take(r, block_units(order), REGION_ALIGN);
	b->mem = region_take(r, block_bytes(order), REGION_ALIGN);
	if (b->mem != NULL)
		put(b, 0, order);
}

static void count(struct buddy *b, size_t more, size_t less)
{
	b->in_use = b->in_use + more - less;
	if (b->in_use > b->high_water)
		b->high_water = b->in_use;
}

/* Marks [0, bytes) of the block as the caller's, and the rest as nobody's. */
static void open_block(char *p, unsigned order, size_t bytes)
{
	poison_lift(p, block_bytes(order));
	poison_lay(p + (bytes + 7) / 8 * 8, block_bytes(order) - (bytes + 7) / 8 * 8);
}

void *buddy_take(struct buddy *b, size_t bytes)
{
	unsigned wanted = order_for(bytes), order = wanted;
	uint32_t unit;

	while (order <= b->order && b->free[order] == 0)
		order++;
	if (order > b->order) {
		b->failures++;
		return NULL;
	}
	unit = b->free[order] - 1;
	pull(b, unit, order);
	while (order > wanted) {
		order--;
		put(b, unit + block_units(order), order);
	}
	b->map[unit] = (uint8_t)wanted;
	count(b, block_bytes(wanted), 0);
	open_block(block_at(b, unit), wanted, bytes);
	return block_at(b, unit);
}

static unsigned taken_order(const struct buddy *b, uint32_t unit)
{
	unsigned order = b->map[unit];

	assert(order >= BUDDY_ORDER_MIN && order <= b->order); /* else it is no block, or was given twice */
	return order;
}

void buddy_give(struct buddy *b, void *p)
{
	uint32_t unit = unit_of(b, p);
	unsigned order = taken_order(b, unit);

	count(b, 0, block_bytes(order));
	b->map[unit] = 0;
	for (; order < b->order; order++) {
		uint32_t other = unit ^ block_units(order);

		if (b->map[other] != (order | FREE))
			break;
		pull(b, other, order);
		unit = other < unit ? other : unit;
	}
	put(b, unit, order);
}

size_t buddy_bytes(const struct buddy *b, const void *p)
{
	return block_bytes(taken_order(b, unit_of(b, p)));
}

/* Can the block grow to `wanted` where it lies: it begins there, and all behind it is free? */
static bool can_grow(const struct buddy *b, uint32_t unit, unsigned order, unsigned wanted)
{
	if (wanted > b->order)
		return false;
	for (; order < wanted; order++)
		if ((unit & block_units(order)) != 0 ||
		    b->map[unit + block_units(order)] != (order | FREE))
			return false;
	return true;
}

void *buddy_resize(struct buddy *b, void *p, size_t bytes)
{
	uint32_t unit = unit_of(b, p);
	unsigned order = taken_order(b, unit), wanted = order_for(bytes);
	size_t had = block_bytes(order);
	void *moved;

	if (wanted > order && can_grow(b, unit, order, wanted)) {
		count(b, block_bytes(wanted), had);
		for (; order < wanted; order++)
			pull(b, unit + block_units(order), order);
		b->map[unit] = (uint8_t)wanted;
	}
	if (wanted <= order) {
		open_block(p, order, bytes);
		return p;
	}
	moved = buddy_take(b, bytes);
	if (moved == NULL)
		return NULL;
	poison_lift(p, had);
	memcpy(moved, p, had < bytes ? had : bytes);
	buddy_give(b, p);
	return moved;
}

size_t buddy_room(const struct buddy *b)
{
	for (unsigned order = b->order; order >= BUDDY_ORDER_MIN; order--)
		if (b->free[order] != 0)
			return block_bytes(order);
	return 0;
}
