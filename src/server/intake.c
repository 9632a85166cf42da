/*
 * Invariants: conn->intake is POOL_NONE exactly when conn->intake_bytes is 0;
 * intake_class is the pool that the buffer came from.
 */
#include "server/intake.h"

#include <assert.h>
#include <string.h>

void intake_init(struct intake *in, struct region *r, uint64_t large_bytes,
                 const struct intake_counts *counts)
{
	assert(large_bytes < UINT32_MAX - 8);
	in->bytes_max[0] = INTAKE_SMALL_BYTES;
	in->bytes_max[1] = INTAKE_MEDIUM_BYTES;
	in->bytes_max[2] = large_bytes > INTAKE_MEDIUM_BYTES ? large_bytes : INTAKE_MEDIUM_BYTES;
	pool_init(&in->pools[0], r, INTAKE_SMALL_BYTES, counts->small);
	pool_init(&in->pools[1], r, INTAKE_MEDIUM_BYTES, counts->medium);
	pool_init(&in->pools[2], r, (uint32_t)in->bytes_max[2], counts->large);
	pool_init(&in->loans, r, INTAKE_LOAN_BYTES, counts->loans);
}

uint8_t *intake_bytes(const struct intake *in, const struct conn *c)
{
	return c->intake == POOL_NONE ? NULL : pool_at(&in->pools[c->intake_class], c->intake);
}

/* Would one more leave a quarter of the cells? */
static bool leaves_a_quarter(const struct pool *p)
{
	uint32_t count = pool_count(p);

	return pool_used(p) < count - count / 4;
}

/*
 * May the connection have one more buffer of that class? Whoever is not in yet needs none of the largest,
 * and leaves a quarter of the medium ones: what strangers begin and do not end is not for others to miss.
 */
static bool may_take(const struct intake *in, const struct conn *c, uint8_t class)
{
	if (class == 0 || (c->state == CONN_LIVE && !(c->flags & CONN_STRANGER)))
		return true;
	return class == 1 && leaves_a_quarter(&in->pools[class]);
}

/* Moves what is held into a buffer for `need` bytes, the smallest there is. */
static bool grow(struct intake *in, struct conn *c, uint64_t need)
{
	for (uint8_t class = 0; class < INTAKE_CLASSES; class++) {
		uint32_t buffer;

		if (in->bytes_max[class] < need || !may_take(in, c, class))
			continue;
		buffer = pool_take(&in->pools[class]);
		if (buffer == POOL_NONE)
			continue;
		if (c->intake != POOL_NONE) {
			memcpy(pool_at(&in->pools[class], buffer), intake_bytes(in, c), c->intake_bytes);
			pool_give(&in->pools[c->intake_class], c->intake);
		}
		c->intake = buffer;
		c->intake_class = class;
		return true;
	}
	return false;
}

bool intake_append(struct intake *in, struct conn *c, const void *bytes, size_t n)
{
	uint64_t now = (uint64_t)c->intake_bytes + n;

	if (n == 0)
		return true;
	if ((c->intake == POOL_NONE || in->bytes_max[c->intake_class] < now) && !grow(in, c, now))
		return false;
	memcpy(intake_bytes(in, c) + c->intake_bytes, bytes, n);
	c->intake_bytes = (uint32_t)now;
	return true;
}

void intake_release(struct intake *in, struct conn *c)
{
	if (c->intake != POOL_NONE)
		pool_give(&in->pools[c->intake_class], c->intake);
	c->intake = POOL_NONE;
	c->intake_bytes = 0;
}

void intake_consume(struct intake *in, struct conn *c, uint32_t n)
{
	uint8_t *held = intake_bytes(in, c);

	assert(n <= c->intake_bytes);
	if (n == c->intake_bytes) {
		intake_release(in, c);
		return;
	}
	memmove(held, held + n, c->intake_bytes - n);
	c->intake_bytes -= n;
}

void *intake_loan(struct intake *in, struct conn *c)
{
	if (c->loan == POOL_NONE && (!(c->flags & CONN_STRANGER) || leaves_a_quarter(&in->loans)))
		c->loan = pool_take(&in->loans);
	return c->loan == POOL_NONE ? NULL : pool_at(&in->loans, c->loan);
}

void intake_loan_release(struct intake *in, struct conn *c)
{
	if (c->loan != POOL_NONE)
		pool_give(&in->loans, c->loan);
	c->loan = POOL_NONE;
}
