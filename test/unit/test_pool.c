/* base/region and base/pool and base/list; RELIABILITY D11 (an exhausted pool is an answer, and recovers). */
#include "base/list.h"
#include "base/poison.h"
#include "base/pool.h"

#include "rng.h"
#include "tap.h"

enum {
	CELLS = 50,
	STEPS = 20000,
	MEM_BYTES = 1 << 20,
};

static _Alignas(REGION_ALIGN) char mem[MEM_BYTES];

static struct region fresh_region(size_t bytes)
{
	struct region r;

	region_init(&r, mem, sizeof(mem));
	poison_lift(mem, sizeof(mem));
	memset(mem, 0, sizeof(mem));
	region_init(&r, mem, bytes);
	return r;
}

static void build(struct region *r, struct pool pools[2])
{
	pool_init(&pools[0], r, 20, 100);
	region_take(r, 3, 1);
	region_take(r, 16, 16);
	pool_init(&pools[1], r, 128, 7);
}

static void test_region(void)
{
	struct pool pools[2];
	struct region r;
	size_t budget;
	char *a, *b;

	region_init(&r, NULL, 0);
	build(&r, pools);
	budget = region_used(&r);
	tap_ok(region_measuring(&r) && !region_failed(&r) && budget > 0, "measuring takes no memory");
	tap_ok(pool_take(&pools[0]) == POOL_NONE, "a measured pool has no cells");
	r = fresh_region(budget);
	build(&r, pools);
	tap_ok(!region_failed(&r) && region_used(&r) == budget, "what was measured is enough, to the byte");
	tap_ok(pool_count(&pools[1]) == 7, "and the pools are there");
	r = fresh_region(budget - 1);
	build(&r, pools);
	tap_ok(region_failed(&r) && pool_count(&pools[1]) == 0, "one byte less is not");
	tap_ok(pool_take(&pools[1]) == POOL_NONE && pool_valid(&pools[1]), "and leaves a pool without cells");

	r = fresh_region(1000);
	a = region_take(&r, 1, 1);
	b = region_take(&r, 8, 64);
	tap_ok(a == mem && b == mem + 64 && region_used(&r) == 72, "padding");
	tap_ok(region_take(&r, 929, 1) == NULL && region_failed(&r), "more than there is");
	tap_ok(region_take(&r, 928, 1) == mem + 72 && region_failed(&r), "failure is sticky");
	region_init(&r, NULL, 0);
	region_take_array(&r, SIZE_MAX / 2, 3, 1);
	tap_ok(region_failed(&r), "a product that overflows fails, measuring too");
	region_init(&r, NULL, 0);
	region_take(&r, SIZE_MAX - 10, 1);
	region_take(&r, 64, 64);
	tap_ok(region_failed(&r), "a sum that overflows fails");
}

static void test_lifo(void)
{
	struct region r = fresh_region(MEM_BYTES);
	struct pool p;
	uint32_t a, b;

	pool_init(&p, &r, 20, 3);
	tap_is_u64(p.cell_bytes, 24, "cells are multiples of 8");
	a = pool_take(&p);
	b = pool_take(&p);
	tap_ok(a == 0 && b == 1 && pool_used(&p) == 2, "first takes count up");
	pool_give(&p, a);
	pool_give(&p, b);
	tap_ok(pool_take(&p) == b && pool_take(&p) == a, "last given is first taken");
	tap_ok(pool_take(&p) == 2 && pool_take(&p) == POOL_NONE && pool_used(&p) == 3, "D11 full");
	pool_give(&p, 1);
	tap_ok(pool_take(&p) == 1 && pool_take(&p) == POOL_NONE, "D11 recovers on release");
	tap_ok(pool_index(&p, (char *)pool_at(&p, 2) + 19) == 2, "number of a pointer into a cell");
	pool_limit(&p, 2);
	pool_give(&p, 0);
	tap_ok(pool_take(&p) == POOL_NONE && pool_valid(&p),
	       "a lowered limit: cells in use stay, no new ones");
	pool_give(&p, 2);
	tap_ok(pool_take(&p) == 2 && pool_take(&p) == POOL_NONE, "up to the limit");
	pool_limit(&p, POOL_NONE);
	tap_ok(pool_take(&p) == 0 && pool_count(&p) == 3, "the limit lifted");
}

static void test_untouched(void)
{
	struct region r = fresh_region(MEM_BYTES);
	struct pool p;
	bool zero = true;

	pool_init(&p, &r, 64, 1000);
	pool_take(&p);
	region_end(&r);
	for (size_t i = 0; i < 64 * 1000; i++)
		zero = zero && mem[i] == 0;
	tap_ok(zero, "neither init nor the first take touches memory");
}

static void test_poison(void)
{
#ifdef POISON_ON
	struct region r = fresh_region(MEM_BYTES);
	struct pool p;
	char *cell;

	pool_init(&p, &r, 64, 4);
	tap_ok(poison_is_laid(mem) && poison_is_laid(mem + 255), "cells never taken are poisoned");
	cell = pool_at(&p, pool_take(&p));
	tap_ok(!poison_is_laid(cell) && !poison_is_laid(cell + 63) && poison_is_laid(cell + 64),
	       "a taken cell is not");
	pool_give(&p, 0);
	tap_ok(poison_is_laid(cell) && poison_is_laid(cell + 8), "a given cell is, its link too");
	tap_ok(pool_valid(&p) && poison_is_laid(cell), "validating leaves the poison");
	region_end(&r);
	tap_ok(!poison_is_laid(cell), "region_end() lifts it");
#else
	tap_ok(true, "poison # SKIP not an ASan build");
#endif
}

struct cell {
	uint32_t stamp;
	struct list_link link;
	uint32_t stamp2;
};

/* Cells keep what is written into them, no cell is given twice, and the list through them keeps its order. */
static void test_model(struct rng *rng)
{
	struct region r = fresh_region(MEM_BYTES);
	uint32_t held[CELLS], stamps[CELLS];
	size_t n = 0, link = offsetof(struct cell, link);
	struct list l = { 0, 0 };
	struct pool p;
	bool ok = true;

	pool_init(&p, &r, sizeof(struct cell), CELLS);
	for (uint32_t step = 0; ok && step < STEPS; step++) {
		if (rng_below(rng, 100) < (step / 1000 % 2 == 0 ? 60U : 40U)) {
			uint32_t i = pool_take(&p);
			struct cell *c;

			ok = (i == POOL_NONE) == (n == CELLS);
			if (i == POOL_NONE)
				continue;
			c = pool_at(&p, i);
			*c = (struct cell){ .stamp = step, .stamp2 = ~step };
			list_push(&l, &p, link, i);
			held[n] = i;
			stamps[n++] = step;
		} else if (n > 0) {
			size_t k = rng_below(rng, (uint32_t)n);

			list_remove(&l, &p, link, held[k]);
			pool_give(&p, held[k]);
			n--;
			memmove(&held[k], &held[k + 1], (n - k) * sizeof(held[0]));
			memmove(&stamps[k], &stamps[k + 1], (n - k) * sizeof(stamps[0]));
		}
		ok = ok && pool_valid(&p) && pool_used(&p) == n;
		uint32_t i = list_first(&l);
		for (size_t k = 0; ok && k < n; k++) {
			const struct cell *c = pool_at(&p, held[k]);

			ok = i == held[k] && c->stamp == stamps[k] && c->stamp2 == ~stamps[k];
			i = list_next(&p, link, i);
		}
		ok = ok && i == POOL_NONE;
	}
	tap_ok(ok, "model of %d cells in a list, %d steps", CELLS, STEPS);
}

int main(int argc, char **argv)
{
	struct rng r = rng_seeded(argc, argv);

	test_region();
	test_lifo();
	test_untouched();
	test_poison();
	test_model(&r);
	return tap_done();
}
