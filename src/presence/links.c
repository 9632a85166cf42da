/*
 * presence/links.c: see links.h. Invariant: `count` links have LINK_HERE, each in its user's list, of which
 * `users` are not empty; no other has a topic.
 */
#include "presence/links.h"

#include <string.h>

void links_init(struct links *ls, struct region *r, uint32_t connections_max)
{
	ls->v = region_take_array(r, connections_max, sizeof *ls->v, REGION_ALIGN);
	/* Whole words of them can be read. */
	ls->topics = region_take_array(r, ((size_t)connections_max + 7) / 8, 8, REGION_ALIGN);
	ls->max = connections_max;
	ls->count = ls->users = ls->high = ls->hearers = 0;
}

static bool eight_hear(const uint8_t *bytes, uint8_t topics)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return (word & topics * UINT64_C(0x0101010101010101)) != 0;
}

uint32_t links_next_hearing(const struct links *ls, uint8_t topics, uint32_t *cursor,
			    uint32_t conns[LINKS_BATCH])
{
	uint32_t conn = *cursor, n = 0;

	while (conn < ls->high && n < LINKS_BATCH) {
		if (conn % 8 == 0 && !eight_hear(ls->topics + conn, topics)) {
			conn += 8;
			continue;
		}
		conns[n] = conn;
		n += (ls->topics[conn++] & topics) != 0;
	}
	*cursor = conn;
	return n;
}

void links_push(struct links *ls, uint32_t *first_plus1, uint32_t conn)
{
	struct link *l = links_at(ls, conn);

	assert(ls->topics[conn] == 0);
	ls->topics[conn] = LINK_HERE;
	if (conn >= ls->high)
		ls->high = conn + 1;
	l->prev_plus1 = 0;
	l->next_plus1 = *first_plus1;
	if (*first_plus1 != 0)
		links_at(ls, *first_plus1 - 1)->prev_plus1 = conn + 1;
	else
		ls->users++;
	*first_plus1 = conn + 1;
	ls->count++;
}

void links_remove(struct links *ls, uint32_t *first_plus1, uint32_t conn)
{
	struct link *l = links_at(ls, conn);

	assert(ls->count > 0 && ls->topics[conn] == LINK_HERE);
	ls->topics[conn] = 0;
	if (l->next_plus1 != 0)
		links_at(ls, l->next_plus1 - 1)->prev_plus1 = l->prev_plus1;
	if (l->prev_plus1 != 0)
		links_at(ls, l->prev_plus1 - 1)->next_plus1 = l->next_plus1;
	else
		*first_plus1 = l->next_plus1;
	if (*first_plus1 == 0) {
		assert(ls->users > 0);
		ls->users--;
	}
	ls->count--;
}
