/*
 * Invariants: a cell whose answer is under way is not reused; a cell that is not empty stands in the map
 * once. The ticket of a question is its cell's number.
 */
#include "server/user_check.h"

#include "server/state.h"
#include "server/waiting.h"

enum {
	ANSWER_MS = 60000,
	NO_ANSWER_MS = 1000,
	UNDER_WAY_MAX = OUTSIDE_ASKED_MAX - 1, /* however slow the service: one is left to ask for keys */
	CELLS_TRIED_MAX = UNDER_WAY_MAX + 1,
};

static_assert((uint32_t)USER_CHECKS_MAX < (uint32_t)WAIT_USERS, "a ticket is nothing else to wait for");

static struct str id_of(const void *ctx, uint32_t i)
{
	const struct user_checks *u = ctx;

	return str_of(u->cells[i].user_id, u->cells[i].bytes);
}

void user_checks_init(struct user_checks *u, struct region *r, uint32_t count, struct siphash_key key)
{
	u->count = count;
	u->cells = region_take_array(r, count, sizeof(struct user_check), 64);
	map_init(&u->by_id, r, count, key, id_of, u);
}

/* The next cell of the circle that nobody waits for, emptied. */
static uint32_t take_cell(struct server *s)
{
	struct user_checks *u = &s->user_checks;

	for (uint32_t tried = 0; tried < CELLS_TRIED_MAX; tried++) {
		uint32_t i = u->next;
		struct user_check *cell = &u->cells[i];

		u->next = (i + 1) % u->count;
		if (cell->bytes > 0 && cell->verdict == USER_ASKED)
			continue;
		if (cell->bytes > 0)
			map_remove(&u->by_id, id_of(u, i));
		cell->bytes = 0;
		return i;
	}
	return MAP_NONE;
}

static enum user_check_verdict ask(struct server *s, uint32_t i)
{
	struct user_check *cell = &s->user_checks.cells[i];

	if (s->outside.ask(s->outside.ctx, i, OUTSIDE_USER, str_of(cell->user_id, cell->bytes))) {
		cell->verdict = USER_ASKED;
		s->user_checks.under_way++;
	} else {
		cell->verdict = USER_UNANSWERED;
		cell->until = s->now.mono;
	}
	return (enum user_check_verdict)cell->verdict;
}

/* As many are under way as may be. */
static enum user_check_verdict wait_for_others(struct server *s, uint32_t *ticket)
{
	s->user_checks.crowded = true;
	*ticket = WAIT_USERS;
	return USER_ASKED;
}

enum user_check_verdict user_check(struct server *s, struct str user_id, uint32_t *ticket)
{
	struct user_checks *u = &s->user_checks;
	struct user_check *cell;
	uint32_t i;

	if (!s->cfg->has_user_check)
		return USER_KNOWN;
	assert(user_id.n > 0 && user_id.n <= ID_BYTES_MAX);
	i = map_find(&u->by_id, user_id);
	if (i != MAP_NONE) {
		cell = &u->cells[i];
		*ticket = i;
		if (cell->verdict == USER_ASKED || mono_before(s->now.mono, cell->until))
			return (enum user_check_verdict)cell->verdict;
		return u->under_way < UNDER_WAY_MAX ? ask(s, i) : wait_for_others(s, ticket);
	}
	if (u->under_way == UNDER_WAY_MAX)
		return wait_for_others(s, ticket);
	i = take_cell(s);
	if (i == MAP_NONE)
		return USER_UNANSWERED;
	cell = &u->cells[i];
	memcpy(cell->user_id, user_id.p, user_id.n);
	cell->bytes = (uint8_t)user_id.n;
	map_insert(&u->by_id, user_id, i);
	*ticket = i;
	return ask(s, i);
}

bool user_checks_may_go_on(const struct server *s)
{
	return s->user_checks.crowded && s->user_checks.under_way < UNDER_WAY_MAX;
}

void user_checks_go_on(struct server *s)
{
	struct user_checks *u = &s->user_checks;

	if (user_checks_may_go_on(s))
		u->crowded = waiting_some(s, WAIT_USERS, UNDER_WAY_MAX - u->under_way) > 0;
}

void user_check_answered(struct server *s, uint32_t ticket, enum outside_result result, unsigned status)
{
	struct user_checks *u = &s->user_checks;
	struct user_check *cell;

	assert(ticket < u->count);
	cell = &u->cells[ticket];
	assert(cell->bytes > 0 && cell->verdict == USER_ASKED && u->under_way > 0);
	u->under_way--;
	cell->verdict = USER_UNANSWERED;
	if (result == OUTSIDE_ANSWERED && status / 100 == 2)
		cell->verdict = USER_KNOWN;
	else if (result == OUTSIDE_ANSWERED && status / 100 == 4)
		cell->verdict = USER_UNKNOWN;
	cell->until = mono_add_ms(s->now.mono, cell->verdict == USER_UNANSWERED ? NO_ANSWER_MS : ANSWER_MS);
	u->answers[cell->verdict]++;
	waiting_answered(s, ticket);
}
