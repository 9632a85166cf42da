/*
 * hiredis' allocators take no context, so where they allocate has to be static: `heap` is the one writable
 * thing at file level in this program beside what main() holds (scripts/tidy names it). It is set by
 * redis_memory_open() and cleared by redis_memory_close(), and only the loop's thread calls hiredis.
 */
#include "cluster/redis_memory.h"

#include <assert.h>
#include <hiredis.h>
#include <string.h>

#include "base/buddy.h"
#include "base/region.h"
#include "net/machine.h"

static struct heap {
	void *mem;             /* NULL: not open */
	size_t bytes;
	struct buddy buddy;
} heap;

static void *take(size_t bytes)
{
	return buddy_take(&heap.buddy, bytes);
}

static void *take_zeroed(size_t count, size_t bytes)
{
	void *p;

	if (bytes != 0 && count > SIZE_MAX / bytes)
		return NULL;
	p = take(count * bytes);
	if (p != NULL)
		memset(p, 0, count * bytes);
	return p;
}

static void give(void *p)
{
	if (p != NULL)
		buddy_give(&heap.buddy, p);
}

static void *resize(void *p, size_t bytes)
{
	return p == NULL ? take(bytes) : buddy_resize(&heap.buddy, p, bytes);
}

static char *duplicate(const char *s)
{
	size_t bytes = strlen(s) + 1;
	char *p = take(bytes);

	if (p != NULL)
		memcpy(p, s, bytes);
	return p;
}

static unsigned order_of(uint32_t channels_max)
{
	uint64_t bytes = REDIS_MEMORY_BUFFERS + (uint64_t)channels_max * REDIS_MEMORY_CHANNEL;
	unsigned order = BUDDY_ORDER_MIN;

	while (order < BUDDY_ORDER_MAX && UINT64_C(1) << order < bytes)
		order++;
	return order;
}

size_t redis_memory_bytes(uint32_t channels_max)
{
	struct region r;
	struct buddy b;

	region_init(&r, NULL, 0);
	buddy_init(&b, &r, order_of(channels_max));
	return region_used(&r);
}

bool redis_memory_open(uint32_t channels_max)
{
	hiredisAllocFuncs funcs = { take, take_zeroed, resize, duplicate, give };
	struct region r;

	assert(heap.mem == NULL);
	heap.bytes = redis_memory_bytes(channels_max);
	heap.mem = machine_memory(heap.bytes);
	if (heap.mem == NULL)
		return false;
	region_init(&r, heap.mem, heap.bytes);
	buddy_init(&heap.buddy, &r, order_of(channels_max));
	assert(!region_failed(&r));
	hiredisSetAllocators(&funcs);
	return true;
}

void redis_memory_close(void)
{
	struct region r;

	if (heap.mem == NULL)
		return;
	assert(heap.buddy.in_use == 0);
	region_init(&r, heap.mem, heap.bytes);
	r.used = heap.bytes;
	region_end(&r);
	machine_memory_free(heap.mem, heap.bytes);
	hiredisResetAllocators();
	heap = (struct heap){ .mem = NULL };
}

struct redis_memory_use redis_memory_use(void)
{
	const struct buddy *b = &heap.buddy;

	assert(heap.mem != NULL);
	return (struct redis_memory_use){ (size_t)1 << b->order, b->in_use, b->high_water, b->failures,
		                          buddy_room(b) };
}
