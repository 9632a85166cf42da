/*
 * test/unit/letter_rig.h: a reader of letters, and writing anew what it has read. For test_letter and fuzz_letter.
 */
#ifndef TEST_LETTER_RIG_H
#define TEST_LETTER_RIG_H

#include <stdlib.h>

#include "cluster/letter.h"

/* Lives as long as the program. */
static inline struct letter_reader *rig_reader(uint64_t key)
{
	struct region r;
	size_t bytes;
	void *mem;

	region_init(&r, NULL, 0);
	letter_reader_new(&r, key);
	bytes = (region_used(&r) + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
	mem = aligned_alloc(REGION_ALIGN, bytes);
	if (mem == NULL)
		abort();
	memset(mem, 0, bytes);
	region_init(&r, mem, bytes);
	return letter_reader_new(&r, key);
}

/* What `lr` has read, written to mem[0, bytes). Takes its users. */
static inline struct str rig_again(struct letter_reader *lr, const struct letter *l, char *mem, size_t bytes)
{
	struct letter_writer lw;
	struct peer_user u;
	struct jsonw w;

	jsonw_init(&w, mem, bytes);
	letter_open(&lw, &w, l);
	while (letter_next_user(lr, &u))
		if (!letter_add_user(&lw, &u))
			return STR_NONE;
	return letter_close(&lw, l->cursor) ? jsonw_text(&w) : STR_NONE;
}

#endif
