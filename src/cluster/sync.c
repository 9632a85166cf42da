/*
 * Invariants: a node that is asked from the start was announced to the engine at that moment
 * (engine_peer_begin), and nothing is taken away before its last piece came with nothing missed meanwhile.
 * Pieces, and letters of changes, reach us in the order in which the node published them, so the later of two
 * is right, whichever of them it is; a piece that nobody waits for is as true as any other.
 */
#include "cluster/sync.h"

#include <assert.h>

#include "cluster/nodes.h"
#include "cluster/post.h"

void sync_want(struct cluster *c, struct node *n)
{
	assert(n->state == NODE_HERE);
	if (c->life == LIFE_JOINING)
		n->awaited |= !c->hello_heard || mono_since_ms(c->now.mono, c->hello_heard_at) <= ANSWERS_MS;
	if (n->asking == ASKING_SOON && n->cursor == 0)
		return;
	n->ask_at = c->now.mono;
	if (n->asking != ASKING_NOTHING)
		n->ask_at = mono_add_ms(n->asked_at, ASK_AGAIN_MS);
	n->asking = ASKING_SOON;
	n->cursor = 0;
}

void sync_anew(struct cluster *c, struct node *n)
{
	n->failures = 0;
	sync_want(c, n);
	n->ask_at = mono_min(n->ask_at, mono_add_ms(n->asked_at, ASK_AGAIN_MS));
}

void sync_greeted(struct cluster *c, struct node *n)
{
	if (n->asking != ASKING_NOW)
		return;
	n->asking = ASKING_SOON;
	n->cursor = 0;
	n->ask_at = c->now.mono;
}

/* It does not answer, or not as it should: later, from the start. */
static void put_off(struct cluster *c, struct node *n)
{
	int64_t ms = ANSWER_MS;

	for (uint32_t i = 0; i < n->failures && ms < ANSWER_MS_MAX; i++)
		ms *= 2;
	if (ms > ANSWER_MS_MAX)
		ms = ANSWER_MS_MAX;
	n->failures++;
	n->asking = ASKING_SOON;
	n->cursor = 0;
	n->ask_at = mono_add_ms(c->now.mono, (int64_t)cluster_random(c, (uint32_t)ms / 2));
	LOG(server_log(c->server), c->now.wall, LOG_WARN, "Node does not tell what it has",
	    LOG_STR("node", nodes_id(n)), LOG_U64("times", n->failures));
}

bool sync_owes(const struct node *n)
{
	return n->asking != ASKING_NOTHING && n->asking != ASKING_SWEEP;
}

bool sync_will_tell(const struct node *n)
{
	return sync_owes(n) && n->cursor == 0 && n->failures < UNANSWERED_MAX;
}

/* When the next piece may come, if the one before it made so many users' presence known. */
static mono_t paced(struct cluster *c, uint64_t shown)
{
	mono_t from = mono_before(c->shown_until, c->now.mono) ? c->now.mono : c->shown_until;

	c->shown_until = mono_add_ms(from, (int64_t)(shown / SHOWN_A_MS));
	return c->shown_until;
}

void sync_told(struct cluster *c, struct node *n, const struct letter *l, uint64_t shown)
{
	assert(l->type == LETTER_STATE);
	if (n->asking != ASKING_NOW || l->first != (n->cursor == 0))
		return;
	if (l->cursor <= n->cursor) {
		c->figures.refused[FIGURES_CURSOR]++;
		put_off(c, n);
		return;
	}
	n->failures = 0;
	if (l->cursor == UINT32_MAX) {
		n->asking = ASKING_SWEEP;
		return;
	}
	n->asking = ASKING_SOON;
	n->cursor = l->cursor;
	n->ask_at = paced(c, shown);
}

void sync_asked(struct cluster *c, struct node *n, const struct letter *l)
{
	assert(l->type == LETTER_SYNC && n->state == NODE_HERE);
	if (l->cursor == UINT32_MAX) {
		c->figures.refused[FIGURES_CURSOR]++;
		return;
	}
	n->asks = true;
	n->asks_from = l->cursor;
}

static void ask(struct cluster *c, struct node *n)
{
	uint32_t peer = nodes_peer(c, n);

	if (!post_question(c, peer, n->cursor)) {
		n->ask_at = mono_add_ms(c->now.mono, RETRY_MS);
		return;
	}
	if (n->cursor == 0) {
		engine_peer_begin(c->engine, peer);
		n->asked_at = c->now.mono;
	}
	n->asking = ASKING_NOW;
	n->ask_at = mono_add_ms(c->now.mono, ANSWER_MS);
}

static void sweep(struct cluster *c, struct node *n)
{
	if (!nodes_sweep(c, n))
		return;
	n->asking = ASKING_NOTHING;
	n->awaited = n->unheard = false;
	c->figures.syncs++;
}

/* Is the node among those that are being asked: from the first question to the last answer? */
static bool is_telling(const struct node *n)
{
	return n->asking == ASKING_NOW || (n->asking == ASKING_SOON && n->cursor > 0);
}

static uint32_t telling(const struct cluster *c)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < c->nodes_high; i++)
		k += is_telling(&c->nodes[i]);
	return k;
}

static void step(struct cluster *c, struct node *n)
{
	bool due = !mono_before(c->now.mono, n->ask_at);

	if (n->asking == ASKING_NOTHING && !mono_before(c->now.mono, n->full_until)) {
		n->full_until = MONO_NEVER;
		sync_want(c, n);
		return;
	}
	if (n->asking == ASKING_NOW && due)
		put_off(c, n);
	else if (n->asking == ASKING_SOON && due && (n->cursor > 0 || telling(c) < ASKED_AT_ONCE))
		ask(c, n);
	else if (n->asking == ASKING_SWEEP)
		sweep(c, n);
}

static void answer(struct cluster *c)
{
	uint32_t pieces = 0;

	for (uint32_t i = 0; i < c->nodes_high && pieces < PIECES_A_TURN; i++) {
		uint32_t peer = (c->answer_next + i) % c->nodes_high;
		struct node *n = &c->nodes[peer];

		if (!n->asks)
			continue;
		if (!post_state(c, peer, n->asks_from))
			return;
		n->asks = false;
		if (++pieces == PIECES_A_TURN)
			c->answer_next = peer + 1;
	}
}

void sync_turn(struct cluster *c)
{
	for (uint32_t i = 0; i < c->nodes_high; i++)
		if (c->nodes[i].state == NODE_HERE)
			step(c, &c->nodes[i]);
	if (!mono_before(c->now.mono, c->blocked_until))
		answer(c);
}

mono_t sync_deadline(const struct cluster *c)
{
	bool full = telling(c) >= ASKED_AT_ONCE;
	mono_t at = MONO_NEVER;

	for (uint32_t i = 0; i < c->nodes_high; i++) {
		const struct node *n = &c->nodes[i];

		if (n->asking == ASKING_SWEEP)
			at = mono_min(at, c->sweep_at);
		if (n->asking == ASKING_NOW || (n->asking == ASKING_SOON && (n->cursor > 0 || !full)))
			at = mono_min(at, n->ask_at);
		if (n->asks)
			at = mono_min(at, c->blocked_until);
	}
	return at;
}
