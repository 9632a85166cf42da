/* base/strpool against copies; RELIABILITY D11 (a full class is an answer, and recovers). */
#include "base/strpool.h"

#include "rng.h"
#include "tap.h"

enum {
	HELD = 120,
	STEPS = 20000,
	MEM_BYTES = 1 << 20,
};

static _Alignas(REGION_ALIGN) char mem[MEM_BYTES];
static char text[2100];

static struct strpool fresh(const uint32_t counts[STRPOOL_CLASSES])
{
	struct strpool sp;
	struct region r;

	region_init(&r, mem, sizeof(mem));
	r.used = sizeof(mem);
	region_end(&r);
	memset(mem, 0, sizeof(mem));
	region_init(&r, mem, sizeof(mem));
	strpool_init(&sp, &r, counts);
	if (region_failed(&r))
		tap_ok(false, "room for the strings");
	return sp;
}

static void test_sizes(void)
{
	static const struct {
		const char *what;
		size_t n;
		uint32_t class, cell_bytes;
	} rows[] = {
		{ "nothing", 0, STRPOOL_14, 16 },
		{ "an id of 14", 14, STRPOOL_14, 16 },
		{ "an id of 15", 15, STRPOOL_22, 24 },
		{ "an id of 16", 16, STRPOOL_22, 24 },
		{ "an id of 22", 22, STRPOOL_22, 24 },
		{ "an id of 23", 23, STRPOOL_38, 40 },
		{ "a UUID", 36, STRPOOL_38, 40 },
		{ "38", 38, STRPOOL_38, 40 },
		{ "39", 39, STRPOOL_70, 72 },
		{ "71", 71, STRPOOL_134, 136 },
		{ "the longest id", ID_BYTES_MAX, STRPOOL_134, 136 },
		{ "135", 135, STRPOOL_262, 264 },
		{ "the longest status", CUSTOM_STATUS_BYTES_MAX, STRPOOL_262, 264 },
		{ "263", 263, STRPOOL_2054, 2056 },
		{ "the longest metadata", METADATA_BYTES_MAX, STRPOOL_2054, 2056 },
		{ "2054", 2054, STRPOOL_2054, 2056 },
		{ "2055", 2055, STRPOOL_CLASSES, 0 },
	};
	static const uint32_t one[STRPOOL_CLASSES] = { 1, 1, 1, 1, 1, 1, 1 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strpool sp = fresh(one);
		strref ref = strpool_put(&sp, str_of(text, rows[i].n));
		bool ok = strpool_class(rows[i].n) == rows[i].class;

		if (rows[i].class == STRPOOL_CLASSES) {
			tap_ok(ok && ref == STRREF_FULL, "no class for %s", rows[i].what);
			continue;
		}
		ok = ok && sp.pools[rows[i].class].cell_bytes == rows[i].cell_bytes && strpool_used(&sp) == 1;
		ok = ok && ref != STRREF_NONE && ref != STRREF_FULL;
		ok = ok && str_eq(strpool_get(&sp, ref), str_of(text, rows[i].n));
		ok = ok && !str_absent(strpool_get(&sp, ref));
		ok = ok && strpool_put(&sp, str_of(text, rows[i].n)) == STRREF_FULL;
		strpool_drop(&sp, ref);
		ok = ok && strpool_used(&sp) == 0 && strpool_put(&sp, str_of(text, rows[i].n)) == ref;
		tap_ok(ok, "D11 %s: its class fills and recovers", rows[i].what);
	}
}

static void test_none(void)
{
	static const uint32_t one[STRPOOL_CLASSES] = { 1 };
	struct strpool sp = fresh(one), zero;

	tap_ok(strpool_put(&sp, STR_NONE) == STRREF_NONE && strpool_used(&sp) == 0,
	       "the absent string costs nothing");
	tap_ok(str_absent(strpool_get(&sp, STRREF_NONE)), "and comes back absent");
	strpool_drop(&sp, STRREF_NONE);
	tap_ok(strpool_used(&sp) == 0, "dropping it does nothing");
	memset(&zero, 0, sizeof(zero));
	tap_ok(strpool_put(&zero, STR("x")) == STRREF_FULL, "a strpool of zeros holds nothing");
}

static void test_model(struct rng *r)
{
	static const uint32_t counts[STRPOOL_CLASSES] = { 30, 30, 20, 15, 10, 10, 5 };
	static const uint32_t spans[] = { 15, 23, 39, 71, 135, 263, 2055 };
	struct strpool sp = fresh(counts);
	struct {
		strref ref;
		uint32_t at, n;
	} held[HELD];
	uint32_t n = 0, in_class[STRPOOL_CLASSES] = { 0 }, full = 0;
	bool ok = true;

	for (unsigned step = 0; ok && step < STEPS; step++) {
		if (rng_below(r, 100) < (step / 1000 % 2 == 0 ? 70U : 30U)) {
			uint32_t bytes = rng_below(r, spans[rng_below(r, STRPOOL_CLASSES)]),
				 at = rng_below(r, 2100 - bytes);
			uint32_t class = strpool_class(bytes);
			strref ref = strpool_put(&sp, str_of(text + at, bytes));

			ok = (ref == STRREF_FULL) == (in_class[class] == counts[class]);
			full += ref == STRREF_FULL;
			if (ref == STRREF_FULL)
				continue;
			in_class[class]++;
			held[n].ref = ref;
			held[n].at = at;
			held[n++].n = bytes;
		} else if (n > 0) {
			uint32_t k = rng_below(r, n);

			in_class[strpool_class(held[k].n)]--;
			strpool_drop(&sp, held[k].ref);
			held[k] = held[--n];
		}
		for (uint32_t c = 0; ok && c < STRPOOL_CLASSES; c++)
			ok = pool_valid(&sp.pools[c]) && pool_used(&sp.pools[c]) == in_class[c];
		for (uint32_t k = 0; ok && k < n; k++)
			ok = str_eq(strpool_get(&sp, held[k].ref), str_of(text + held[k].at, held[k].n));
		ok = ok && strpool_used(&sp) == n;
	}
	tap_ok(ok && full > 0, "model, %d steps, %" PRIu32 " times full", STEPS, full);
}

int main(int argc, char **argv)
{
	struct rng r = rng_seeded(argc, argv);

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)rng_next(&r);
	test_sizes();
	test_none();
	test_model(&r);
	return tap_done();
}
