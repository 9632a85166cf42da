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

size_t redis_memory_bytes(void)
{
	struct region r;
	struct buddy b;

	region_init(&r, NULL, 0);
	buddy_init(&b, &r, REDIS_MEMORY_ORDER);
	return region_used(&r);
}

bool redis_memory_open(void)
{
	hiredisAllocFuncs funcs = { take, take_zeroed, resize, duplicate, give };
	size_t bytes = redis_memory_bytes();
	struct region r;

	assert(heap.mem == NULL);
	heap.mem = machine_memory(bytes);
	if (heap.mem == NULL)
		return false;
	region_init(&r, heap.mem, bytes);
	buddy_init(&heap.buddy, &r, REDIS_MEMORY_ORDER);
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
	region_init(&r, heap.mem, redis_memory_bytes());
	region_end(&r);
	machine_memory_free(heap.mem, redis_memory_bytes());
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
