/*
 * base/map.c: Robin Hood open addressing; see map.h.
 *
 * Invariants:
 * - An entry's distance is how many slots it lies past its home slot, hash & mask, going round.
 * - Between an entry's home and the entry there is no empty slot, and walking a run of entries the distance
 *   grows by at most 1 a step. So a search may stop at the first slot that is empty or nearer to its home
 *   than the sought entry would be.
 * - count <= 7/10 of the slots in use: there is always an empty slot, and every walk ends.
 * - The slots in use are the first mask + 1 of those there are; the rest is zero, never touched.
 */
#include "base/map.h"

#include <assert.h>

enum {
	SLOTS_MIN = 8,
	SLOTS_AT_FIRST = 512, /* a page */
	ENTRIES_MAX_MAX = 1 << 30,
};

/* Whether so many entries are too many for so many slots: longer walks cost more than memory. */
static bool too_full(uint64_t entries, uint64_t slots)
{
	return slots * 7 < entries * 10;
}

static uint32_t distance(const struct map *m, uint32_t i)
{
	assert(m->slots[i].value_plus1 != 0);
	return (i - m->slots[i].hash) & m->mask;
}

void map_init(struct map *m, struct region *r, uint32_t entries_max, struct siphash_key key,
              map_key_fn key_of, const void *ctx)
{
	uint64_t slots = SLOTS_MIN;

	assert(entries_max > 0 && entries_max <= ENTRIES_MAX_MAX);
	while (too_full(entries_max, slots))
		slots *= 2;
	*m = (struct map){ .key = key, .key_of = key_of, .ctx = ctx };
	m->mask = (uint32_t)(slots < SLOTS_AT_FIRST ? slots : (uint64_t)SLOTS_AT_FIRST) - 1;
	m->entries_max = entries_max;
	m->slots = region_take_array(r, slots, sizeof(*m->slots), REGION_ALIGN);
}

uint32_t map_hash(const struct map *m, struct str key)
{
	return (uint32_t)siphash13(m->key, key);
}

uint32_t map_hash_lead(const struct map *m, uint64_t lead, struct str key)
{
	return (uint32_t)siphash13_lead(m->key, lead, key);
}

uint32_t map_hash_pair(const struct map *m, struct str first, struct str key)
{
	return (uint32_t)siphash13_lead(m->key, siphash13(m->key, first), key);
}

struct key_is {
	const struct map *m;
	struct str key;
};

static bool key_is(const void *ctx, uint32_t value)
{
	const struct key_is *k = ctx;

	return str_eq(k->m->key_of(k->m->ctx, value), k->key);
}

uint32_t map_find_hash(const struct map *m, uint32_t hash, map_eq_fn eq, const void *eq_ctx)
{
	uint32_t i = hash & m->mask;

	assert(m->slots != NULL && eq != NULL);
	for (uint32_t d = 0; m->slots[i].value_plus1 != 0 && distance(m, i) >= d; d++) {
		if (m->slots[i].hash == hash && eq(eq_ctx, m->slots[i].value_plus1 - 1))
			return m->slots[i].value_plus1 - 1;
		i = (i + 1) & m->mask;
	}
	return MAP_NONE;
}

uint32_t map_find(const struct map *m, struct str key)
{
	assert(m->key_of != NULL);
	return map_find_hash(m, map_hash(m, key), key_is, &(struct key_is){ m, key });
}

static void place(struct map *m, struct map_slot carried)
{
	uint32_t i = carried.hash & m->mask;

	for (uint32_t d = 0; m->slots[i].value_plus1 != 0; d++) {
		uint32_t here = distance(m, i);

		if (here < d) { /* the richer entry makes room and moves on */
			struct map_slot poorer = carried;

			carried = m->slots[i];
			m->slots[i] = poorer;
			d = here;
		}
		i = (i + 1) & m->mask;
	}
	m->slots[i] = carried;
}

/*
 * Twice the slots, in place. Going round the old ones from an empty one on, each entry is lifted and placed
 * anew: its home stays or moves up by the old size, so in either half the entries stand as before with some
 * gone, and none comes to stand behind where it stood, where those wait that are still to be lifted.
 */
static void grow(struct map *m)
{
	uint32_t old_mask = m->mask, start = 0;

	while (m->slots[start].value_plus1 != 0)
		start++;
	assert(start <= old_mask);
	m->mask = old_mask * 2 + 1;
	for (uint32_t n = 1; n <= old_mask; n++) {
		uint32_t i = (start + n) & old_mask;
		struct map_slot lifted = m->slots[i];

		m->slots[i] = (struct map_slot){ 0, 0 };
		if (lifted.value_plus1 != 0)
			place(m, lifted);
	}
}

void map_insert_hash(struct map *m, uint32_t hash, uint32_t value)
{
	assert(m->slots != NULL && value != MAP_NONE && m->count < m->entries_max);
	/* Never beyond what was taken: that is not too full for entries_max. */
	while (too_full((uint64_t)m->count + 1, (uint64_t)m->mask + 1))
		grow(m);
	place(m, (struct map_slot){ hash, value + 1 });
	m->count++;
}

void map_insert(struct map *m, struct str key, uint32_t value)
{
	uint32_t hash = map_hash(m, key);

	assert(m->key_of != NULL);
	assert(map_find_hash(m, hash, key_is, &(struct key_is){ m, key }) == MAP_NONE);
	map_insert_hash(m, hash, value);
}

/* Closes the gap at slot i: what follows moves back by one, until a slot that is empty or at home. */
static void close_gap(struct map *m, uint32_t i)
{
	uint32_t next = (i + 1) & m->mask;

	assert(m->count > 0);
	while (m->slots[next].value_plus1 != 0 && distance(m, next) > 0) {
		m->slots[i] = m->slots[next];
		i = next;
		next = (i + 1) & m->mask;
	}
	m->slots[i] = (struct map_slot){ 0, 0 };
	m->count--;
}

bool map_remove_hash(struct map *m, uint32_t hash, uint32_t value)
{
	uint32_t i = hash & m->mask;

	assert(m->slots != NULL && value != MAP_NONE);
	for (uint32_t d = 0; m->slots[i].value_plus1 != 0 && distance(m, i) >= d; d++) {
		if (m->slots[i].hash == hash && m->slots[i].value_plus1 == value + 1) {
			close_gap(m, i);
			return true;
		}
		i = (i + 1) & m->mask;
	}
	return false;
}

uint32_t map_remove(struct map *m, struct str key)
{
	uint32_t hash = map_hash(m, key);
	uint32_t value;

	assert(m->key_of != NULL);
	value = map_find_hash(m, hash, key_is, &(struct key_is){ m, key });
	if (value != MAP_NONE)
		map_remove_hash(m, hash, value);
	return value;
}

uint32_t map_next(const struct map *m, uint32_t *cursor)
{
	assert(m->slots != NULL);
	while (*cursor <= m->mask) {
		uint32_t value_plus1 = m->slots[(*cursor)++].value_plus1;

		if (value_plus1 != 0)
			return value_plus1 - 1;
	}
	return MAP_NONE;
}

uint32_t map_probe_max(const struct map *m)
{
	uint32_t worst = 0;

	assert(m->slots != NULL);
	for (uint64_t i = 0; i <= m->mask; i++)
		if (m->slots[i].value_plus1 != 0 && distance(m, (uint32_t)i) + 1 > worst)
			worst = distance(m, (uint32_t)i) + 1;
	return worst;
}

/* Entry i may stand where it stands, given the slot before it. */
static bool slot_valid(const struct map *m, uint32_t i)
{
	uint32_t before = (i - 1) & m->mask;
	uint32_t d = distance(m, i);
	struct map_slot s = m->slots[i];

	if (d > 0 && (m->slots[before].value_plus1 == 0 || distance(m, before) + 1 < d))
		return false;
	return m->key_of == NULL || map_hash(m, m->key_of(m->ctx, s.value_plus1 - 1)) == s.hash;
}

bool map_valid(const struct map *m)
{
	uint32_t count = 0;

	if ((m->mask & (m->mask + 1)) != 0 || m->count > m->entries_max ||
	    too_full(m->count, (uint64_t)m->mask + 1))
		return false;
	for (uint64_t i = 0; i <= m->mask; i++) {
		if (m->slots[i].value_plus1 == 0)
			continue;
		count++;
		if (!slot_valid(m, (uint32_t)i))
			return false;
	}
	return count == m->count;
}
