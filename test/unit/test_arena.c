/* base/arena: chains, bounds, homes, failures; RELIABILITY D11. */
#include "base/arena.h"
#include "base/poison.h"

#include "rng.h"
#include "tap.h"

enum {
	BLOCK = 128,
	BLOCKS = 40,
	MEM_BYTES = BLOCK * BLOCKS,
};

static _Alignas(REGION_ALIGN) char mem[MEM_BYTES];

static struct pool fresh(void)
{
	struct region r;
	struct pool p;

	poison_lift(mem, sizeof(mem));
	memset(mem, 0, sizeof(mem));
	region_init(&r, mem, sizeof(mem));
	pool_init(&p, &r, BLOCK, BLOCKS);
	return p;
}

static void test_chain(void)
{
	struct pool p = fresh();
	struct arena a;
	char *x, *y;

	arena_init(&a, &p, 2);
	tap_ok(pool_used(&p) == 0 && arena_alloc_max(&a) == BLOCK - ARENA_LINK_BYTES,
	       "a new arena holds no block");
	tap_ok(arena_alloc(&a, BLOCK - ARENA_LINK_BYTES + 1) == NULL && pool_used(&p) == 0,
	       "too large for a block");
	tap_ok(arena_alloc(&a, SIZE_MAX) == NULL, "far too large");
	x = arena_alloc(&a, 1);
	y = arena_alloc(&a, 0);
	tap_ok(x != NULL && y == x + 8 && (uintptr_t)x % 8 == 0, "aligned to 8, each its own");
	tap_ok(arena_alloc(&a, 120) != NULL && pool_used(&p) == 2, "what does not fit chains a block");
	tap_ok(arena_alloc(&a, 1) == NULL && pool_used(&p) == 2, "the bound");
	arena_reset(&a);
	tap_ok(pool_used(&p) == 0 && pool_valid(&p), "reset gives the chain back");
	tap_ok(arena_alloc(&a, 120) != NULL && arena_alloc(&a, 120) != NULL,
	       "and all of it can be had again");
	arena_reset(&a);
	arena_reset(&a);
	tap_ok(pool_used(&p) == 0, "reset is idempotent");
	pool_limit(&p, 1);
	tap_ok(arena_alloc(&a, 100) != NULL && arena_alloc(&a, 100) == NULL, "D11 the pool is empty");
	pool_limit(&p, POOL_NONE);
	tap_ok(arena_alloc(&a, 100) != NULL, "D11 recovers on release");
	arena_init(&a, &p, 0);
	tap_ok(arena_alloc(&a, 1) == NULL, "no home and no blocks: nothing");
}

static void test_home(void)
{
	struct pool p = fresh();
	uint32_t home = pool_take(&p);
	char *mine = pool_at(&p, home), *x;
	struct arena a;

	memset(mine, 'm', 50);
	arena_init_home(&a, &p, 1, home, 50);
	x = arena_alloc(&a, 72);
	tap_ok(x == mine + 56 && pool_used(&p) == 1, "the home's rest serves first");
	tap_ok(arena_alloc(&a, 8) != NULL && pool_used(&p) == 2 && arena_alloc(&a, 120) == NULL,
	       "then the chain, bounded");
	arena_reset(&a);
	tap_ok(pool_used(&p) == 1 && mine[0] == 'm' && mine[49] == 'm', "reset comes back to the home");
	tap_ok(arena_alloc(&a, 72) == x, "and uses it again");
	tap_ok(arena_alloc(&a, 120) != NULL, "a large one skips the home");
	arena_reset(&a);
	pool_give(&p, home);
	tap_ok(pool_used(&p) == 0 && pool_valid(&p), "the owner gives the home back");
	home = pool_take(&p);
	arena_init_home(&a, &p, 1, home, BLOCK);
	tap_ok(arena_alloc(&a, 1) != NULL && pool_used(&p) == 2, "a home without room");
}

static void test_poison(void)
{
#ifdef POISON_ON
	struct pool p = fresh();
	struct arena a;
	char *x;

	arena_init(&a, &p, 3);
	x = arena_alloc(&a, 13);
	tap_ok(!poison_is_laid(x + 12) && poison_is_laid(x + 13) && poison_is_laid(x + 16),
	       "past an allocation is poison");
	arena_reset(&a);
	tap_ok(poison_is_laid(x), "after a reset all is");
#else
	tap_ok(true, "poison # SKIP not an ASan build");
#endif
}

/* Fails allocation 1, 2, 3, ... of the same run until one goes through: each failure leaves the rest working.
 */
static void test_fail_after(void)
{
	struct pool p = fresh();
	uint16_t n = 1;
	bool ok = true;

	for (; ok && n < 100; n++) {
		struct arena a;
		unsigned nulls = 0, first = 0;

		arena_init(&a, &p, 10);
		arena_fail_after(&a, n);
		for (unsigned i = 1; i <= 20; i++) {
			if (arena_alloc(&a, 40) == NULL) {
				nulls++;
				first = first == 0 ? i : first;
			}
		}
		arena_reset(&a);
		ok = pool_used(&p) == 0 && nulls == (n <= 20) && first == (n <= 20 ? n : 0U);
	}
	tap_ok(ok, "the n-th allocation fails, and no other");
}

/* Several arenas over one pool: contents stay, the bound holds, the pool's count agrees. */
static void test_model(struct rng *r)
{
	struct pool p = fresh();
	struct arena arenas[4];
	struct {
		unsigned char *p;
		size_t n;
		unsigned char fill;
	} got[4][200];
	size_t n[4] = { 0 };
	bool ok = true;

	for (int i = 0; i < 4; i++)
		arena_init(&arenas[i], &p, 12);
	for (unsigned step = 0; ok && step < 20000; step++) {
		uint32_t i = rng_below(r, 4), blocks = 0;

		if (rng_below(r, 30) == 0 || n[i] == 200) {
			arena_reset(&arenas[i]);
			n[i] = 0;
		} else {
			size_t bytes = 1 + rng_below(r, rng_below(r, 4) == 0 ? 120 : 20);
			unsigned char *x = arena_alloc(&arenas[i], bytes);

			ok = x != NULL || arenas[i].blocks == 12 || pool_used(&p) == BLOCKS;
			if (x != NULL) {
				got[i][n[i]].p = x;
				got[i][n[i]].n = bytes;
				got[i][n[i]++].fill = (unsigned char)step;
				memset(x, (int)(step & 0xff), bytes);
			}
		}
		for (size_t k = 0; ok && k < n[i]; k++)
			ok = got[i][k].p[0] == got[i][k].fill &&
			     got[i][k].p[got[i][k].n - 1] == got[i][k].fill;
		for (int k = 0; k < 4; k++)
			blocks += arenas[k].blocks;
		ok = ok && pool_valid(&p) && pool_used(&p) == blocks;
	}
	tap_ok(ok, "model of four arenas over one pool");
}

int main(int argc, char **argv)
{
	struct rng r = rng_seeded(argc, argv);

	test_chain();
	test_home();
	test_poison();
	test_fail_after();
	test_model(&r);
	return tap_done();
}
