/* cluster/nodes.h: the other nodes: who they are, until when they are there, what was missed of them. */
#ifndef CLUSTER_NODES_H
#define CLUSTER_NODES_H

#include "cluster/state.h"

/*
 * A letter came: who from. One that nobody knew is known from now on; a new epoch begins anew. Sequences are
 * looked at: what was missed is asked for. NULL: the letter counts for nothing (an older epoch, a change
 * heard before, no place for one more node).
 */
struct node *nodes_hear(struct cluster *, const struct letter *);

/* Tells seeds.h who is there, if that has changed. */
void nodes_tell(struct cluster *);

/* The node said bye. */
void nodes_end(struct cluster *, struct node *);

/*
 * Node `from` said LETTER_GONE. What it heard of that node and we did not is asked for; if it is the other
 * way round it is told so, unless that was an `answer`: one letter has one answer of each node at most.
 */
void nodes_gone(struct cluster *, struct node *from, const struct letter *, bool answer);

/* We hear again: everybody has a full lease to show themselves. */
void nodes_renew(struct cluster *);

/* Takes away what the node hosted and has not told of, a slice, if this turn has time for it. True: all is
 * done. */
bool nodes_sweep(struct cluster *, const struct node *);

/* Takes those away whose lease ended, in slices. */
void nodes_turn(struct cluster *);

/* When nodes_turn() has something to do. */
mono_t nodes_deadline(const struct cluster *);

/* Those that are there, this one not counted. */
uint32_t nodes_count(const struct cluster *);

static inline uint32_t nodes_peer(const struct cluster *c, const struct node *n)
{
	return (uint32_t)(n - c->nodes);
}

static inline struct str nodes_id(const struct node *n)
{
	return str_of(n->id, n->id_bytes);
}

#endif
