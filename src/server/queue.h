/*
 * server/queue.h: the frames that wait for one connection, in order, as runs.
 *
 * Frames of one dialect that were made one after the other are linked (frame.next), so a connection that gets
 * all of them keeps only the first, the last and how many: a fan-out to ten thousand connections takes no
 * memory but their own first line. Another frame in between begins a new run, in a node from the pool.
 * Ownership: a queue holds one reference to each of its frames.
 * Errors: a full pool of nodes: nothing changes.
 */
#ifndef SERVER_QUEUE_H
#define SERVER_QUEUE_H

#include "server/state.h"

/* A position in a queue, from the front. */
struct queue_walk {
	uint32_t frame;   /* FRAME_NONE: at the end */
	uint32_t left;    /* frames behind it in its run */
	uint32_t node;    /* the next run; POOL_NONE: none */
};

static inline struct queue_run *queue_node(const struct server *s, uint32_t n)
{
	return pool_at(&s->nodes, n);
}

static inline struct queue_walk queue_front(const struct conn *c)
{
	return (struct queue_walk){ c->head, c->head == FRAME_NONE ? 0 : c->run_count - 1u, c->node_first };
}

static inline void queue_step(const struct server *s, struct queue_walk *w)
{
	const struct queue_run *r;

	if (w->left > 0) {
		w->left--;
		w->frame = frame_at(&s->frames, w->frame)->next;
	} else if (w->node == POOL_NONE) {
		w->frame = FRAME_NONE;
	} else {
		r = queue_node(s, w->node);
		w->frame = r->first;
		w->left = r->count - 1;
		w->node = r->next;
	}
}

/* A run of its own behind all others; false: no node. For queue_push(). */
bool queue_push_run(struct server *s, struct conn *c, uint32_t f);

/* Appends f, with the caller's reference if true. False: no node, or QUEUE_MESSAGES_MAX are waiting. */
static inline bool queue_push(struct server *s, struct conn *c, uint32_t f)
{
	if (c->queued_messages == QUEUE_MESSAGES_MAX)
		return false;
	if (c->head == FRAME_NONE) {
		c->head = c->run_last = f;
		c->head_sent = 0;
		c->run_count = 1;
	} else if (c->node_first == POOL_NONE && frame_at(&s->frames, c->run_last)->next == f) {
		c->run_last = f;
		c->run_count++;
	} else if (!queue_push_run(s, c, f)) {
		return false;
	}
	c->queued_messages++;
	c->queued_bytes += frame_at(&s->frames, f)->len;
	return true;
}

/* Adds a message to the last frame, if only this queue holds it and it has room. False: push it instead. */
bool queue_append(struct server *s, struct conn *c, struct str head, struct str body);

/* Takes the head off and drops its reference. The queue is not empty. */
void queue_pop(struct server *s, struct conn *c);

/* Removes every unsent frame that `f` (FRAME_NONE: any later typing) has overtaken; returns how many. */
uint32_t queue_conflate(struct server *s, struct conn *c, uint32_t f);

/* Empties it; with `keep_started`, but for a frame whose first bytes are already out. */
void queue_clear(struct server *s, struct conn *c, bool keep_started);

/* Counts, bytes, runs and links agree; *nodes grows by the nodes it holds. For tests. */
bool queue_valid(const struct server *s, const struct conn *c, uint32_t *nodes);

#endif
