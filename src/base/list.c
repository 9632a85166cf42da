/*
 * base/list.c: see list.h.
 *
 * Invariant: first's prev and last's next are 0, and neighbours name each other.
 */
#include "base/list.h"

static struct list_link *link_at(const struct pool *p, size_t link_offset, uint32_t i)
{
	assert(link_offset + sizeof(struct list_link) <= p->cell_bytes && link_offset % 4 == 0);
	return (struct list_link *)(void *)((char *)pool_at(p, i) + link_offset);
}

uint32_t list_next(const struct pool *p, size_t link_offset, uint32_t i)
{
	return link_at(p, link_offset, i)->next_plus1 - 1;
}

void list_push(struct list *l, const struct pool *p, size_t link_offset, uint32_t i)
{
	struct list_link *link = link_at(p, link_offset, i);

	*link = (struct list_link){ .prev_plus1 = l->last_plus1 };
	if (l->last_plus1 != 0)
		link_at(p, link_offset, l->last_plus1 - 1)->next_plus1 = i + 1;
	else
		l->first_plus1 = i + 1;
	l->last_plus1 = i + 1;
}

void list_remove(struct list *l, const struct pool *p, size_t link_offset, uint32_t i)
{
	struct list_link *link = link_at(p, link_offset, i);
	uint32_t *to_me = &l->first_plus1;
	uint32_t *back_to_me = &l->last_plus1;

	if (link->prev_plus1 != 0)
		to_me = &link_at(p, link_offset, link->prev_plus1 - 1)->next_plus1;
	if (link->next_plus1 != 0)
		back_to_me = &link_at(p, link_offset, link->next_plus1 - 1)->prev_plus1;
	assert(*to_me == i + 1 && *back_to_me == i + 1);
	*to_me = link->next_plus1;
	*back_to_me = link->prev_plus1;
	*link = (struct list_link){ 0, 0 };
}
