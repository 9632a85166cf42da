/*
 * `limit POOL N` of table.h: how a world's pools are made small. A test's hook: no option can make one so small, and the rest so large.
 */
#include <stdlib.h>
#include <string.h>

#include "presence/state.h"
#include "server/state.h"
#include "sim/table.h"

static void limit(struct pool *p, const char *n)
{
	pool_limit(p, strcmp(n, "all") == 0 ? POOL_NONE : pool_used(p) + (uint32_t)strtoul(n, NULL, 10));
}

static void limit_all(struct strpool *sp, const char *n)
{
	for (int class = 0; class < STRPOOL_CLASSES; class++)
		limit(&sp->pools[class], n);
}

bool table_limit(struct server *s, const char *name, const char *n)
{
	struct engine *e = s->engine;
	const struct {
		const char *name;
		struct pool *pool;
	} pools[] = {
		{ "frames", &s->frames.cells }, { "blocks", &s->frames.blocks }, { "nodes", &s->nodes },
		{ "small", &s->intake.pools[0] }, { "medium", &s->intake.pools[1] }, { "large", &s->intake.pools[2] },
		{ "loans", &s->intake.loans }, { "addresses", &s->address_cells },
		{ "users", &e->users.cells }, { "devices", &e->devices.cells }, { "rooms", &e->rooms.cells },
		{ "interests", &e->interests.cells }, { "typing", &e->typings.cells }, { "calls", &e->calls.cells },
	};
	const struct {
		const char *name;
		struct strpool *pools;
	} texts[] = { { "grants", &s->grants }, { "texts", &e->users.texts } };

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
		if (strcmp(name, pools[i].name) == 0) {
			limit(pools[i].pool, n);
			return true;
		}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(name, texts[i].name) == 0) {
			limit_all(texts[i].pools, n);
			return true;
		}
	return false;
}
