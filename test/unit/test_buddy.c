/* base/buddy: a random life against a list of what is taken, whose bytes nobody else may change. */
#include "base/buddy.h"

#include <stdlib.h>

#include "tap.h"

enum { ORDER = 16, TAKEN_MAX = 512 };

static struct {
	unsigned char *p;
	size_t bytes;
	unsigned char mark;
} taken[TAKEN_MAX];

static uint64_t seed = 1;

static size_t draw(size_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (size_t)(seed >> 33) % below;
}

static void mark(size_t i)
{
	taken[i].mark = (unsigned char)draw(256);
	memset(taken[i].p, taken[i].mark, taken[i].bytes);
}

static bool is_marked(size_t i, size_t bytes)
{
	for (size_t k = 0; k < bytes; k++)
		if (taken[i].p[k] != taken[i].mark)
			return false;
	return true;
}

/* False: somebody wrote where they must not, or the books are wrong. */
static bool live(struct buddy *b, int steps)
{
	for (int step = 0; step < steps; step++) {
		size_t i = draw(TAKEN_MAX), bytes = draw(draw(10) == 0 ? 20000 : 300), had, in_use = 0;
		unsigned char *p;

		if (taken[i].p == NULL) {
			taken[i].p = buddy_take(b, bytes);
			taken[i].bytes = bytes;
			if (taken[i].p == NULL)
				continue;
			if ((uintptr_t)taken[i].p % 32 != 0 || buddy_bytes(b, taken[i].p) < bytes)
				return false;
			mark(i);
		} else if (draw(3) == 0) {
			had = taken[i].bytes;
			p = buddy_resize(b, taken[i].p, bytes);
			if (p != NULL) {
				taken[i].p = p;
				taken[i].bytes = bytes;
			}
			if (!is_marked(i, had < taken[i].bytes ? had : taken[i].bytes))
				return false;
			mark(i);
		} else {
			if (!is_marked(i, taken[i].bytes))
				return false;
			buddy_give(b, taken[i].p);
			taken[i].p = NULL;
		}
		for (size_t k = 0; k < TAKEN_MAX; k++)
			in_use += taken[k].p != NULL ? buddy_bytes(b, taken[k].p) : 0;
		if (in_use != b->in_use || b->high_water < in_use)
			return false;
	}
	return true;
}

int main(void)
{
	struct region r;
	struct buddy b;
	size_t bytes;
	void *mem, *p, *q;

	region_init(&r, NULL, 0);
	buddy_init(&b, &r, ORDER);
	bytes = region_used(&r);
	mem = aligned_alloc(64, (bytes + 63) / 64 * 64);
	memset(mem, 0, bytes);
	region_init(&r, mem, bytes);
	buddy_init(&b, &r, ORDER);
	tap_ok(!region_failed(&r) && buddy_room(&b) == 1 << ORDER, "measured and built");
	p = buddy_take(&b, 1 << ORDER);
	tap_ok(p != NULL && buddy_room(&b) == 0 && buddy_take(&b, 1) == NULL && b.failures == 1, "all of it");
	buddy_give(&b, p);
	tap_ok(buddy_room(&b) == 1 << ORDER && b.in_use == 0, "and back");
	tap_ok(buddy_take(&b, (1 << ORDER) + 1) == NULL && buddy_take(&b, SIZE_MAX) == NULL, "more than there is");
	p = buddy_take(&b, 0);
	tap_ok(p != NULL && buddy_bytes(&b, p) == 32, "nothing is the smallest block");
	memset(p, 0, 0);
	q = buddy_resize(&b, p, 1 << ORDER);
	tap_ok(q == p && buddy_bytes(&b, q) == 1 << ORDER, "grows where it lies");
	q = buddy_resize(&b, q, (1 << ORDER) + 1);
	tap_ok(q == NULL && buddy_bytes(&b, p) == 1 << ORDER, "what cannot grow stays");
	buddy_give(&b, p);
	tap_ok(live(&b, 200000), "a random life: nobody's bytes are changed, the books are right");
	for (size_t i = 0; i < TAKEN_MAX; i++)
		if (taken[i].p != NULL)
			buddy_give(&b, taken[i].p);
	tap_ok(b.in_use == 0 && buddy_room(&b) == 1 << ORDER, "all given back is one block again");
	region_end(&r);
	free(mem);
	return tap_done();
}
