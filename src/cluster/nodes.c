/*
 * Invariants: an id stands in the table at most once, free places too; a place is free only when the engine
 * holds nothing of that peer. A node is taken away only once a beat of ours was heard that left after its
 * lease had ended: Redis keeps the order of what it brings us, so whatever the node had published before was
 * heard too, however long Redis, or we, were stuck meanwhile.
 */
#include "cluster/nodes.h"

#include <assert.h>

#include "cluster/post.h"
#include "cluster/sync.h"

static struct node *find(struct cluster *c, struct str id)
{
	for (uint32_t i = 0; i < c->nodes_high; i++)
		if (c->nodes[i].state != NODE_FREE && str_eq(nodes_id(&c->nodes[i]), id))
			return &c->nodes[i];
	return NULL;
}

/* Who was here before has the same place again: what is known of the epoch before stays. */
static struct node *place(struct cluster *c, struct str id)
{
	for (uint32_t i = 0; i < c->nodes_high; i++)
		if (str_eq(nodes_id(&c->nodes[i]), id))
			return &c->nodes[i];
	for (uint32_t i = 0; i < PEERS_MAX; i++) {
		if (c->nodes[i].state != NODE_FREE)
			continue;
		if (i >= c->nodes_high)
			c->nodes_high = i + 1;
		return &c->nodes[i];
	}
	return NULL;
}

static void no_place(struct cluster *c, struct str id)
{
	uint64_t more;

	c->figures.refused[FIGURES_NO_PLACE]++;
	if (log_limit_pass(&c->no_place_limit, c->now.mono, &more))
		LOG(server_log(c->server), c->now.wall, LOG_ERROR, "Too many nodes: one is not listened to",
		    LOG_STR("node", id), LOG_U64("nodes_max", PEERS_MAX + 1), LOG_U64("suppressed", more));
}

static struct node *welcome(struct cluster *c, const struct letter *l)
{
	struct node *n = place(c, l->node);
	bool same;

	if (n == NULL) {
		no_place(c, l->node);
		return NULL;
	}
	assert(n->state == NODE_FREE && l->node.n <= sizeof(n->id));
	assert(engine_peer_users(c->engine, nodes_peer(c, n)) == 0);
	same = str_eq(nodes_id(n), l->node);
	*n = (struct node){
		.id_bytes = (uint8_t)l->node.n, .full_until = MONO_NEVER,
		.epoch = same ? n->epoch : 0, .seq = same ? n->seq : 0,
		.epoch_before = same ? n->epoch_before : 0, .seq_before = same ? n->seq_before : 0,
	};
	memcpy(n->id, l->node.p, l->node.n);
	return n;
}

/*
 * An epoch of a node is over: what it said and we did not hear only the others know, of the absent above all,
 * whom it need not host. Either we know that we missed something, since it was asked and had not told all
 * (nor is what a node says meanwhile looked at). Or we do not: then the others tell us how much they heard,
 * as we tell them.
 */
static void end(struct cluster *c, const struct node *ended)
{
	if (!sync_owes(ended)) {
		post_gone(c, NULL, ended, ended->epoch, ended->seq);
		return;
	}
	for (uint32_t i = 0; i < c->nodes_high; i++)
		if (&c->nodes[i] != ended && c->nodes[i].state == NODE_HERE)
			sync_want(c, &c->nodes[i]);
}

/* All that was heard of it is void, but its users stay until it has told who they are now. */
static void begin(struct cluster *c, struct node *n, const struct letter *l)
{
	if (n->state == NODE_HERE)
		end(c, n);
	if (n->epoch != l->epoch) {
		n->epoch_before = n->epoch;
		n->seq_before = n->seq;
	}
	n->state = NODE_HERE;
	c->nodes_changed = true;
	n->epoch = l->epoch;
	n->seq = l->seq;
	n->asks = false;
	sync_anew(c, n);
	LOG(server_log(c->server), c->now.wall, LOG_INFO, "Node is there", LOG_STR("node", nodes_id(n)),
	    LOG_U64("epoch", n->epoch), LOG_U64("nodes", nodes_count(c) + 1));
}

static bool is_stale(struct cluster *c, const struct node *n, const struct letter *l)
{
	bool stale = l->epoch < n->epoch || (l->type == LETTER_USERS && l->seq <= n->seq);

	c->figures.refused[FIGURES_STALE] += stale;
	return stale;
}

/* The first piece of a state tells everything from here on, whatever was missed before. */
static void count(struct cluster *c, struct node *n, const struct letter *l)
{
	bool all = l->type == LETTER_STATE && l->first;
	uint64_t heard = l->type == LETTER_USERS ? l->seq - 1 : l->seq;

	if (heard > n->seq && !all) {
		c->figures.gaps++;
		sync_want(c, n);
	}
	if (all || l->seq > n->seq)
		n->seq = l->seq;
}

struct node *nodes_hear(struct cluster *c, const struct letter *l)
{
	struct node *n = find(c, l->node);

	if (l->type == LETTER_BYE && (n == NULL || n->state == NODE_LEAVING))
		return NULL;
	if (n == NULL) {
		n = welcome(c, l);
		if (n == NULL)
			return NULL;
		begin(c, n, l);
	} else if (n->state == NODE_LEAVING || l->epoch > n->epoch) {
		begin(c, n, l);
	} else if (is_stale(c, n, l)) {
		return NULL;
	}
	count(c, n, l);
	if (n->asking == ASKING_NOTHING)
		n->unheard = false;
	n->heard_at = c->now.mono;
	return n;
}

static void leave(struct cluster *c, struct node *n, struct str why)
{
	assert(n->state == NODE_HERE);
	end(c, n);
	n->state = NODE_LEAVING;
	c->nodes_changed = true;
	n->asking = ASKING_NOTHING;
	n->awaited = n->unheard = n->asks = false;
	LOG(server_log(c->server), c->now.wall, LOG_INFO, "Node is gone", LOG_STR("node", nodes_id(n)),
	    LOG_STR("reason", why), LOG_U64("users", engine_peer_users(c->engine, nodes_peer(c, n))),
	    LOG_U64("nodes", nodes_count(c) + 1));
	engine_peer_begin(c->engine, nodes_peer(c, n));
}

void nodes_tell(struct cluster *c)
{
	struct str ids[PEERS_MAX];
	uint64_t alive = 0;

	if (!c->nodes_changed)
		return;
	for (int i = 0; i < PEERS_MAX; i++) {
		ids[i] = nodes_id(&c->nodes[i]);
		if (c->nodes[i].state == NODE_HERE)
			alive |= UINT64_C(1) << i;
	}
	seeds_nodes(&c->seeds, cluster_node_id(c), alive, ids);
	c->nodes_changed = false;
}

void nodes_end(struct cluster *c, struct node *n)
{
	leave(c, n, STR("bye"));
}

/* Also of who is gone, as long as nobody else has the place. */
static struct node *whose(struct cluster *c, const struct letter *l)
{
	for (uint32_t i = 0; i < c->nodes_high; i++) {
		struct node *n = &c->nodes[i];

		if (str_eq(nodes_id(n), l->gone) &&
		    (n->epoch == l->gone_epoch || n->epoch_before == l->gone_epoch))
			return n;
	}
	return NULL;
}

void nodes_gone(struct cluster *c, struct node *from, const struct letter *l, bool answer)
{
	struct node *n = whose(c, l);
	uint64_t *heard;

	assert(l->type == LETTER_GONE && from->state == NODE_HERE);
	if (n == NULL)
		return;
	heard = n->epoch == l->gone_epoch ? &n->seq : &n->seq_before;
	if (n->epoch == l->gone_epoch && n->state == NODE_HERE) { /* a gap; it, or end(), does the rest */
		if (l->gone_seq > *heard && !sync_will_tell(n)) {
			c->figures.gaps++;
			sync_want(c, n);
		}
	} else if (l->gone_seq > *heard) {
		*heard = l->gone_seq;
		c->figures.gaps++;
		sync_want(c, from);
	} else if (l->gone_seq < *heard && !answer) {
		post_gone(c, from, n, l->gone_epoch, *heard);
	}
}

void nodes_renew(struct cluster *c)
{
	for (int i = 0; i < PEERS_MAX; i++)
		c->nodes[i].heard_at = c->now.mono;
}

static mono_t lease_end(const struct node *n)
{
	return mono_add_ms(n->heard_at, LEASE_MS);
}

/* Without a beat that proves it, one is asked for. */
static void check_lease(struct cluster *c, struct node *n)
{
	if (!c->hello_heard || mono_before(c->now.mono, lease_end(n)))
		return;
	if (!mono_before(c->proven_at, lease_end(n)))
		leave(c, n, STR("silent"));
	else if (!c->beat_out || mono_before(c->beat_sent_at, lease_end(n)))
		c->extra_beat_at = mono_min(c->extra_beat_at, c->now.mono);
}

bool nodes_sweep(struct cluster *c, const struct node *n)
{
	if (mono_before(c->now.mono, c->sweep_at))
		return false;
	c->sweep_at = mono_add_ms(c->now.mono, SWEEP_MS);
	return !engine_peer_sweep(c->engine, nodes_peer(c, n), SWEEP_USERS, c->now);
}

void nodes_turn(struct cluster *c)
{
	for (uint32_t i = 0; i < c->nodes_high; i++) {
		struct node *n = &c->nodes[i];

		if (n->state == NODE_HERE)
			check_lease(c, n);
		if (n->state == NODE_LEAVING && nodes_sweep(c, n))
			n->state = NODE_FREE;
	}
}

mono_t nodes_deadline(const struct cluster *c)
{
	mono_t at = MONO_NEVER;

	for (uint32_t i = 0; i < c->nodes_high; i++) {
		const struct node *n = &c->nodes[i];

		if (n->state == NODE_LEAVING)
			at = mono_min(at, c->sweep_at);
		if (n->state == NODE_HERE && c->hello_heard && !mono_before(c->proven_at, lease_end(n)))
			return c->now.mono;
		if (n->state == NODE_HERE && c->hello_heard && mono_before(c->now.mono, lease_end(n)))
			at = mono_min(at, lease_end(n));
	}
	return at;
}

uint32_t nodes_count(const struct cluster *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nodes_high; i++)
		n += c->nodes[i].state == NODE_HERE;
	return n;
}
