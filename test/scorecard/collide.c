/*
 * test/scorecard/collide.c: ids that collide in base/map under a key that is known (all zero), as they can be chosen offline,
 * a line each to the file named; and how long the longest walk is in a map of them with that key, and with a key as a server
 * has one, which nobody knows.
 *
 *	collide FILE COUNT BITS   -> ids=COUNT walk_known=... walk_drawn=...
 */
#include "base/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { ID_BYTES = 24, COUNT_MAX = 20000, BITS_MAX = 20 };

static char (*ids)[ID_BYTES];

static struct str id_of(const void *ctx, uint32_t i)
{
	(void)ctx;
	return (struct str){ ids[i], strlen(ids[i]) };
}

static void choose(uint32_t count, uint32_t bits)
{
	const struct siphash_key known = { 0, 0 };
	uint32_t have = 0;
	uint64_t n;

	for (n = 0; have < count; n++) {
		(void)snprintf(ids[have], ID_BYTES, "room-%" PRIu64, n);
		if ((siphash13(known, id_of(NULL, have)) & ((1U << bits) - 1)) == 0)
			have++;
	}
}

static uint32_t longest_walk(uint32_t count, struct siphash_key key)
{
	size_t bytes = (size_t)count * 64 + 65536;
	void *memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	struct region r;
	struct map m;
	uint32_t i;

	if (memory == NULL)
		return 0;
	memset(memory, 0, bytes);
	region_init(&r, memory, bytes);
	map_init(&m, &r, count, key, id_of, NULL);
	for (i = 0; i < count; i++)
		map_insert(&m, id_of(NULL, i), i);
	i = map_probe_max(&m);
	free(memory);
	return i;
}

int main(int argc, char **argv)
{
	uint32_t count = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	uint32_t bits = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	FILE *f = count > 0 && count <= COUNT_MAX && bits <= BITS_MAX ? fopen(argv[1], "w") : NULL;
	struct siphash_key drawn;
	uint32_t i;

	ids = calloc(COUNT_MAX + 1, ID_BYTES);
	if (f == NULL || ids == NULL || getrandom(&drawn, sizeof(drawn), 0) != (ssize_t)sizeof(drawn)) {
		(void)fputs("usage: collide FILE COUNT BITS\n", stderr);
		return 2;
	}
	choose(count, bits);
	for (i = 0; i < count; i++)
		(void)fprintf(f, "%s\n", ids[i]);
	(void)fclose(f);
	(void)printf("ids=%u walk_known=%u walk_drawn=%u\n", count, longest_walk(count, (struct siphash_key){ 0, 0 }),
	             longest_walk(count, drawn));
	return 0;
}
