/*
 * base/region.c: a bump pointer; see region.h.
 *
 * Invariant: used <= bytes unless measuring; what lies at and after `used` was never handed out.
 */
#include "base/region.h"

#include <assert.h>
#include <stdint.h>

#include "base/poison.h"

void region_init(struct region *r, void *mem, size_t bytes)
{
	assert((uintptr_t)mem % REGION_ALIGN == 0);
	*r = (struct region){ .mem = mem, .bytes = mem == NULL ? SIZE_MAX : bytes };
}

void *region_take(struct region *r, size_t bytes, size_t align)
{
	size_t pad = (0 - r->used) & (align - 1);

	assert(align > 0 && (align & (align - 1)) == 0 && align <= REGION_ALIGN);
	assert(r->used <= r->bytes);
	if (pad > r->bytes - r->used || bytes > r->bytes - r->used - pad) {
		r->failed = true;
		return NULL;
	}
	r->used += pad + bytes;
	return r->mem == NULL ? NULL : r->mem + r->used - bytes;
}

void *region_take_array(struct region *r, size_t count, size_t bytes, size_t align)
{
	assert(align > 0);
	if (bytes != 0 && count > SIZE_MAX / bytes) {
		r->failed = true;
		return NULL;
	}
	return region_take(r, count * bytes, align);
}

void region_end(struct region *r)
{
	if (r->mem != NULL)
		poison_lift(r->mem, r->used);
	*r = (struct region){ .failed = true };
}
