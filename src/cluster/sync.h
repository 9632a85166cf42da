/* cluster/sync.h: asking other nodes for all they have, and answering those who ask. */
#ifndef CLUSTER_SYNC_H
#define CLUSTER_SYNC_H

#include "cluster/state.h"

/* Something of the node was missed: it shall tell everything, from the start. */
void sync_want(struct cluster *, struct node *);

/* Its epoch is another: the same, and soon, whatever it did not tell in the one before. */
void sync_anew(struct cluster *, struct node *);

/* A LETTER_HELLO: until now it may not have heard what it was asked. */
void sync_greeted(struct cluster *, struct node *);

/* It was to tell everything, and has not told all of it. */
bool sync_owes(const struct node *);

/* All that the node has is on its way, and newer than what it says of users until it comes. */
bool sync_will_tell(const struct node *);

/* A LETTER_STATE; its users were heard, which made so many of them known here. */
void sync_told(struct cluster *, struct node *, const struct letter *, uint64_t shown);

/* A LETTER_SYNC. */
void sync_asked(struct cluster *, struct node *, const struct letter *);

/* Asks, answers and takes away what was not told, in slices. */
void sync_turn(struct cluster *);

/* When sync_turn() has something to do. */
mono_t sync_deadline(const struct cluster *);

#endif
