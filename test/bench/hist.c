/* Slot s holds values below HIST_SUB exactly; each further row of HIST_SUB slots is twice as coarse as the one before. */
#include "hist.h"

#include <assert.h>
#include <string.h>

static uint32_t slot_of(uint64_t value)
{
	uint32_t shift;

	if (value < HIST_SUB)
		return (uint32_t)value;
	shift = 63U - (uint32_t)__builtin_clzll(value) - HIST_SUB_BITS;
	return (shift + 1) * HIST_SUB + (uint32_t)(value >> shift) - HIST_SUB;
}

/* The largest value that falls into the slot. */
static uint64_t slot_bound(uint32_t slot)
{
	uint32_t row = slot / HIST_SUB;
	uint64_t sub = slot % HIST_SUB;

	if (row == 0)
		return slot;
	return ((HIST_SUB + sub) << (row - 1)) + (UINT64_C(1) << (row - 1)) - 1;
}

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void hist_add(struct hist *h, uint64_t value)
{
	uint32_t slot = slot_of(value);

	assert(slot < HIST_SLOTS);
	h->slot[slot]++;
	h->count++;
	if (value > h->max)
		h->max = value;
}

uint64_t hist_quantile(const struct hist *h, uint32_t permille)
{
	uint64_t rank = (h->count * permille + 999) / 1000; /* counts stay far below 2^54 */
	uint64_t seen = 0;
	uint32_t slot;

	assert(permille <= 1000);
	if (h->count == 0)
		return 0;
	if (rank == 0)
		rank = 1;
	for (slot = 0; slot < HIST_SLOTS; slot++) {
		seen += h->slot[slot];
		if (seen >= rank)
			return slot_bound(slot) < h->max ? slot_bound(slot) : h->max;
	}
	return h->max;
}
