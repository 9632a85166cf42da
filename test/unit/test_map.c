/* base/map, base/siphash, base/hex; RELIABILITY D8 (colliding ids: keyed hash, worst probe length). */
#include "base/hex.h"
#include "base/map.h"

#include "rng.h"
#include "tap.h"

enum {
	RECORDS = 300,
	STEPS = 20000,
	GROWN = 3000,
	BIG = 20000,
	MEM_BYTES = 1 << 20,
};

static _Alignas(REGION_ALIGN) char mem[MEM_BYTES];

struct record {
	uint32_t room;
	char id[24];
	size_t id_n;
};

static struct record records[BIG];

static struct str key_of(const void *ctx, uint32_t value)
{
	const struct record *r = ctx;

	return str_of(r[value].id, r[value].id_n);
}

static void name(uint32_t i, const char *fmt)
{
	records[i].id_n = (size_t)snprintf(records[i].id, sizeof(records[i].id), fmt, (unsigned)i);
}

static struct map fresh(uint32_t entries_max, map_key_fn fn)
{
	struct region r;
	struct map m;

	memset(mem, 0, sizeof(mem));
	region_init(&r, mem, sizeof(mem));
	map_init(&m, &r, entries_max, (struct siphash_key){ 1, 2 }, fn, records);
	if (region_failed(&r))
		tap_ok(false, "room for the map");
	return m;
}

static void test_siphash(void)
{
	/* SipHash paper, appendix A, and the authors' vectors.h for 2-4; CPython 3.11 with a zero key for
	 * 1-3. */
	uint8_t key[16];
	char in[16], hex[17] = "", got[32];
	struct siphash_key k, zero = { 0, 0 };

	for (uint8_t i = 0; i < 16; i++) {
		key[i] = i;
		in[i] = (char)i;
	}
	k = siphash_key_of(key);
	hex_put_u64(hex, siphash24(k, str_of(in, 15)));
	tap_is_str(hex, "a129ca6149be45e5", "SipHash-2-4 of 15 bytes");
	hex_put_u64(hex, siphash24(k, str_of(in, 0)));
	tap_is_str(hex, "726fdb47dd0e0e31", "SipHash-2-4 of nothing");
	hex_put_u64(hex, siphash24(k, str_of(in, 8)));
	tap_is_str(hex, "93f5f5799a932462", "SipHash-2-4 of 8 bytes");
	hex_put_u64(hex, siphash13(zero, STR("presence")));
	tap_is_str(hex, "ed9b06b5ee264ad3", "SipHash-1-3 of 8 bytes, zero key");
	hex_put_u64(hex, siphash13(zero, STR("user@example.com/phone")));
	tap_is_str(hex, "dd6f7828e4840ddb", "SipHash-1-3 of 22 bytes, zero key");
	memcpy(got, "\1\0\0\0\0\0\0\0abc", 11);
	tap_ok(siphash13_lead(k, 1, STR("abc")) == siphash13(k, str_of(got, 11)),
	       "a lead is eight bytes in front");
}

static void test_hex(void)
{
	static const char *const bad[] = { "",
					   "0123456789abcde",
					   "0123456789abcdef0",
					   "0123456789ABCDEF",
					   "0x23456789abcdef",
					   "0123456789abcdeg",
					   " 123456789abcdef" };
	uint64_t v = 7;

	tap_ok(hex_get_u64(STR("0123456789abcdef"), &v) && v == UINT64_C(0x0123456789abcdef), "hex is read");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		tap_ok(!hex_get_u64(str_of(bad[i], strlen(bad[i])), &v), "hex refuses '%s'", bad[i]);
	tap_is_u64(v, UINT64_C(0x0123456789abcdef), "and leaves the number alone");
}

static void test_basics(void)
{
	struct map m = fresh(5, key_of);
	uint32_t cursor = 0, sum = 0, v;

	tap_ok(map_valid(&m) && map_count(&m) == 0 && map_probe_max(&m) == 0,
	       "zeroed memory is an empty map");
	tap_ok(map_find(&m, STR("x")) == MAP_NONE && map_remove(&m, STR("x")) == MAP_NONE, "absent");
	for (uint32_t i = 0; i < 5; i++) {
		name(i, "u%u");
		map_insert(&m, key_of(records, i), i);
	}
	tap_ok(map_valid(&m) && map_count(&m) == 5 && map_find(&m, STR("u3")) == 3, "full, and found");
	tap_ok(map_find(&m, STR("u")) == MAP_NONE && map_find(&m, STR("")) == MAP_NONE,
	       "a prefix is not the key");
	tap_ok(map_remove(&m, STR("u3")) == 3 && map_find(&m, STR("u3")) == MAP_NONE && map_count(&m) == 4,
	       "removed");
	while ((v = map_next(&m, &cursor)) != MAP_NONE)
		sum += v;
	tap_is_u64(sum, 0 + 1 + 2 + 4, "a walk meets all");
	records[9].id_n = 0;
	map_insert(&m, STR(""), 9);
	tap_ok(map_find(&m, STR("")) == 9 && map_valid(&m), "the empty string is a key");
}

/* All hashes equal: slow, but right. */
static void test_collisions(void)
{
	struct map m = fresh(100, NULL);
	bool ok = true;

	for (uint32_t i = 0; i < 100; i++)
		map_insert_hash(&m, 0xfffffff0, i);
	ok = map_valid(&m) && map_probe_max(&m) == 100;
	for (uint32_t i = 0; i < 100; i += 2)
		ok = ok && map_remove_hash(&m, 0xfffffff0, i) && !map_remove_hash(&m, 0xfffffff0, i) &&
		     map_valid(&m);
	tap_ok(ok && map_count(&m) == 50 && map_probe_max(&m) == 50,
	       "one hash for all, round the end of the table");
}

struct composite {
	uint32_t room;
	struct str id;
};

static bool composite_eq(const void *ctx, uint32_t value)
{
	const struct composite *c = ctx;

	return records[value].room == c->room && str_eq(key_of(records, value), c->id);
}

static void test_composite(void)
{
	struct map m = fresh(100, NULL);
	bool ok = true;

	for (uint32_t i = 0; i < 100; i++) {
		records[i].room = i / 10;
		records[i].id_n =
			(size_t)snprintf(records[i].id, sizeof(records[i].id), "d%u", (unsigned)i % 10);
		map_insert_hash(&m, map_hash_lead(&m, records[i].room, key_of(records, i)), i);
	}
	for (uint32_t i = 0; i < 100; i++) {
		struct composite c = { i / 10, key_of(records, i) };

		ok = ok && map_find_hash(&m, map_hash_lead(&m, c.room, c.id), composite_eq, &c) == i;
	}
	tap_ok(ok && map_valid(&m) && map_probe_max(&m) < 20, "keys of a number and a string");
	tap_ok(map_hash_pair(&m, STR("ab"), STR("c")) != map_hash_pair(&m, STR("a"), STR("bc")),
	       "a pair is not its sum");
}

static void test_model(struct rng *r)
{
	struct map m = fresh(RECORDS, key_of);
	static bool in[RECORDS];
	uint32_t n = 0;
	bool ok = true;

	for (uint32_t i = 0; i < RECORDS; i++)
		name(i, "user-%u@example.com");
	for (unsigned step = 0; ok && step < STEPS; step++) {
		uint32_t i = rng_below(r, RECORDS);
		bool grow = rng_below(r, 100) < (step / 2000 % 2 == 0 ? 80U : 20U);

		if (grow && !in[i]) {
			map_insert(&m, key_of(records, i), i);
			n++;
		} else if (!grow && in[i]) {
			ok = map_remove(&m, key_of(records, i)) == i;
			n--;
		} else {
			continue;
		}
		in[i] = grow;
		ok = ok && map_count(&m) == n;
		ok = ok && map_valid(&m);
		for (uint32_t k = 0; ok && k < RECORDS; k += 1 + step % 7)
			ok = map_find(&m, key_of(records, k)) == (in[k] ? k : MAP_NONE);
	}
	tap_ok(ok, "model of %d records, %d steps", RECORDS, STEPS);
}

/* value's hash, of a kind: spread; crowded round the end of every table's slots; a few for all. */
static uint32_t growth_hash(unsigned kind, uint32_t value)
{
	uint32_t spread = value * 0x9e3779b1U;

	if (kind == 0)
		return spread;
	return kind == 1 ? (spread & ~0x3fffU) | (0x3ff8 + (spread >> 28)) : (value % 8) * 0x20000000U - 3;
}

static bool is_value(const void *ctx, uint32_t value)
{
	return *(const uint32_t *)ctx == value;
}

static void test_growth(unsigned kind)
{
	struct map m = fresh(GROWN, NULL);
	uint32_t mask = m.mask, grown = 0;
	bool ok = true;

	for (uint32_t i = 0; ok && i < GROWN; i++) {
		map_insert_hash(&m, growth_hash(kind, i), i);
		if (m.mask == mask)
			continue;
		grown++;
		mask = m.mask;
		ok = map_valid(&m) && map_count(&m) == i + 1;
		for (uint32_t k = 0; ok && k <= i; k++)
			ok = map_find_hash(&m, growth_hash(kind, k), is_value, &k) == k;
	}
	tap_ok(ok && map_valid(&m) && grown > 0, "hashes of kind %u: all stay in %u doublings", kind, (unsigned)grown);
}

static void test_probes(void)
{
	struct map m = fresh(BIG, key_of);

	for (uint32_t i = 0; i < BIG; i++) {
		name(i, "%u");
		map_insert(&m, key_of(records, i), i);
	}
	tap_ok(map_valid(&m) && map_probe_max(&m) <= 24, "D8 %d similar ids at load %.2f: worst probe %u",
	       BIG, (double)BIG / (m.mask + 1.0), (unsigned)map_probe_max(&m));
	m.slots[77].hash ^= 1;
	tap_ok(m.slots[77].value_plus1 == 0 || !map_valid(&m), "map_valid() sees a wrong hash");
}

int main(int argc, char **argv)
{
	struct rng r = rng_seeded(argc, argv);

	test_siphash();
	test_hex();
	test_basics();
	test_collisions();
	test_composite();
	test_model(&r);
	for (unsigned kind = 0; kind < 3; kind++)
		test_growth(kind);
	test_probes();
	return tap_done();
}
