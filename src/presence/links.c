/*
 * presence/links.c: see links.h. Invariant: `count` links have LINK_ATTACHED, and each is in its user's list.
 */
#include "presence/links.h"

void links_init(struct links *ls, struct region *r, uint32_t connections_max)
{
	ls->v = region_take_array(r, connections_max, sizeof *ls->v, REGION_ALIGN);
	ls->max = connections_max;
	ls->count = 0;
}

void links_push(struct links *ls, uint32_t *first_plus1, uint32_t conn)
{
	struct link *l = links_at(ls, conn);

	l->prev_plus1 = 0;
	l->next_plus1 = *first_plus1;
	if (*first_plus1 != 0)
		links_at(ls, *first_plus1 - 1)->prev_plus1 = conn + 1;
	*first_plus1 = conn + 1;
	ls->count++;
}

void links_remove(struct links *ls, uint32_t *first_plus1, uint32_t conn)
{
	struct link *l = links_at(ls, conn);

	assert(ls->count > 0);
	if (l->next_plus1 != 0)
		links_at(ls, l->next_plus1 - 1)->prev_plus1 = l->prev_plus1;
	if (l->prev_plus1 != 0)
		links_at(ls, l->prev_plus1 - 1)->next_plus1 = l->next_plus1;
	else
		*first_plus1 = l->next_plus1;
	ls->count--;
}
