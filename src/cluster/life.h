/* cluster/life.h: how a node joins the others, shows that it lives, and finds out that it does not hear. */
#ifndef CLUSTER_LIFE_H
#define CLUSTER_LIFE_H

#include "cluster/state.h"

extern const struct str life_words[LIFE_COUNT];

/* The bus stands: a new epoch, and everything is said from the start. */
void life_join(struct cluster *);

/* It does not, or we cannot trust it: what the others said stays as it is. */
void life_lose(struct cluster *);

/* One of our own letters came back, of this epoch or the one before. */
void life_echo(struct cluster *, const struct letter *);

/* `hello` of another node was heard. */
void life_greeted(struct cluster *);

/* Before anything of a turn: one that comes late was not ours to time, one that comes very late finds that
 * the others have taken us away. */
void life_late(struct cluster *);

/* All that is due of it. */
void life_turn(struct cluster *);
mono_t life_deadline(const struct cluster *);

/* Once Redis is there again and all others are heard again (or were waited for long enough): says so to the
 * engine. Last in a turn. */
void life_find(struct cluster *);

/* Says bye, once. True: it was heard, or cannot be. */
bool life_leave(struct cluster *);

/* The key of the lease is not there. */
void life_assert(struct cluster *);

#endif
