/*
 * base/map.h: hash map from strings to numbers, where the key's bytes lie in the owner's record. 8 bytes a
 * slot.
 *
 * Open addressing with Robin Hood probing (Celis 1986) and backward-shift deletion, so there are no
 * tombstones. The memory is sized once; of it the map uses one page at first and twice as much whenever that
 * fills up, so that few entries do not touch the pages of many: an insertion that doubles n slots takes O(n),
 * about 10 ns a slot. Hashes are keyed (siphash.h). Ownership: the map keeps numbers only; a record's key
 * must not change while its number is in the map. Composite keys: map_hash_lead() or map_hash_pair(), then
 * the *_hash calls with an equality of one's own.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/region.h"
#include "base/siphash.h"
#include "base/str.h"

#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map_slot {
	uint32_t hash;
	uint32_t value_plus1; /* 0: empty */
};

typedef struct str (*map_key_fn)(const void *ctx, uint32_t value); /* the key in record `value` */
typedef bool (*map_eq_fn)(const void *ctx, uint32_t value);        /* is record `value` the one sought? */

struct map {
	struct map_slot *slots;
	uint32_t mask;        /* slots in use - 1; a power of two, and at most 7/10 of them hold an entry */
	uint32_t count;
	uint32_t entries_max; /* at most 7/10 of the slots there are */
	struct siphash_key key;
	map_key_fn key_of;    /* NULL when only the *_hash calls are used */
	const void *ctx;      /* for key_of */
};

/*
 * Takes slots for entries_max (1 to 2^30) from the region, or measures. After a failed region the map must
 * not be used.
 */
void map_init(struct map *m, struct region *r, uint32_t entries_max, struct siphash_key key,
              map_key_fn key_of, const void *ctx);

uint32_t map_hash(const struct map *m, struct str key);
uint32_t map_hash_lead(const struct map *m, uint64_t lead, struct str key);    /* key (number, string) */
uint32_t map_hash_pair(const struct map *m, struct str first, struct str key); /* key (string, string) */

/* The value under key; MAP_NONE when absent. */
uint32_t map_find(const struct map *m, struct str key);

/*
 * Adds value (not MAP_NONE), whose record already holds `key`. The key must be absent and the map below
 * entries_max.
 */
void map_insert(struct map *m, struct str key, uint32_t value);

/* Takes the entry away and returns its value; MAP_NONE when absent. The record must still hold its key. */
uint32_t map_remove(struct map *m, struct str key);

/* The same with the hash computed by the caller. */
uint32_t map_find_hash(const struct map *m, uint32_t hash, map_eq_fn eq, const void *eq_ctx);
void map_insert_hash(struct map *m, uint32_t hash, uint32_t value);
bool map_remove_hash(struct map *m, uint32_t hash, uint32_t value); /* false: that value was not there */

/*
 * Walks all values in no order: start with *cursor = 0, ends with MAP_NONE. Inserting or removing meanwhile
 * may skip or repeat.
 */
uint32_t map_next(const struct map *m, uint32_t *cursor);

/* Slots looked at by the worst successful lookup: 1 is perfect, 0 is an empty map. O(slots); for tests. */
uint32_t map_probe_max(const struct map *m);

/* All invariants hold. O(slots); for tests and fuzzers. */
bool map_valid(const struct map *m);

static inline uint32_t map_count(const struct map *m)
{
	return m->count;
}

#endif
