/*
 * Invariants: head == FRAME_NONE exactly when queued_messages == 0. The first run is head .. run_last,
 * run_count frames, in the connection itself; the others are nodes. Within a run each frame's `next` is the
 * one behind it: that was so when the second was appended, and `next` never changes once it is set, nor can
 * the second be reused while this queue holds it.
 */
#include "server/queue.h"

bool queue_push_run(struct server *s, struct conn *c, uint32_t f)
{
	uint32_t n;

	if (c->node_first != POOL_NONE) {
		struct queue_run *last = queue_node(s, c->node_last);

		if (frame_at(&s->frames, last->last)->next == f) {
			last->last = f;
			last->count++;
			return true;
		}
	}
	n = pool_take(&s->nodes);
	if (n == POOL_NONE)
		return false;
	*queue_node(s, n) = (struct queue_run){ f, f, 1, POOL_NONE };
	if (c->node_first == POOL_NONE)
		c->node_first = n;
	else
		queue_node(s, c->node_last)->next = n;
	c->node_last = n;
	return true;
}

bool queue_append(struct server *s, struct conn *c, struct str head, struct str body)
{
	uint32_t f = c->node_first == POOL_NONE ? c->run_last : queue_node(s, c->node_last)->last;
	struct frame *last;

	if (c->head == FRAME_NONE)
		return false;
	last = frame_at(&s->frames, f);
	if (last->refs > 1 || last->chain != 0 || last->next != FRAME_NONE || last->close_after)
		return false;
	if (last->conflation != CONFLATE_NEVER || last->messages == 0 || last->messages == UINT8_MAX)
		return false;
	if (!frame_append(&s->frames, f, head, body))
		return false;
	last->messages++;
	c->queued_bytes += (uint32_t)(head.n + body.n);
	return true;
}

/* The first node's run becomes the connection's own; without one the queue is empty. */
static void next_run(struct server *s, struct conn *c)
{
	uint32_t n = c->node_first;

	if (n == POOL_NONE) {
		c->head = c->run_last = FRAME_NONE;
		c->run_count = 0;
		return;
	}
	c->head = queue_node(s, n)->first;
	c->run_last = queue_node(s, n)->last;
	c->run_count = (uint16_t)queue_node(s, n)->count;
	c->node_first = queue_node(s, n)->next;
	pool_give(&s->nodes, n);
}

void queue_pop(struct server *s, struct conn *c)
{
	uint32_t f = c->head, next = frame_at(&s->frames, f)->next;

	assert(f != FRAME_NONE && c->queued_messages > 0 && c->run_count > 0);
	c->queued_messages--;
	c->queued_bytes -= frame_at(&s->frames, f)->len;
	c->head_sent = 0;
	if (--c->run_count > 0)
		c->head = next;
	else
		next_run(s, c);
	frame_drop(&s->frames, f);
}

/* Does `old` tell a state that f has overtaken? */
static bool overtaken(const struct server *s, uint32_t old, uint32_t f)
{
	const struct frame *o = frame_at(&s->frames, old), *n;

	if (f == FRAME_NONE)
		return o->conflation == CONFLATE_TYPING;
	n = frame_at(&s->frames, f);
	return o->conflation != CONFLATE_NEVER && o->conflation == n->conflation && o->subject == n->subject;
}

static bool any_overtaken(const struct server *s, const struct conn *c, uint32_t f)
{
	struct queue_walk w = queue_front(c);

	if (w.frame != FRAME_NONE && c->head_sent > 0)
		queue_step(s, &w);
	for (; w.frame != FRAME_NONE; queue_step(s, &w))
		if (overtaken(s, w.frame, f))
			return true;
	return false;
}

/* A queue like c's, but without what f has overtaken, into *to.
 * False: not enough nodes; *to is empty again. */
static bool copy_without(struct server *s, const struct conn *c, uint32_t f, struct conn *to)
{
	struct queue_walk w = queue_front(c);

	for (; w.frame != FRAME_NONE; queue_step(s, &w)) {
		bool started = w.frame == c->head && to->queued_messages == 0 && c->head_sent > 0;

		if (!started && overtaken(s, w.frame, f))
			continue;
		frame_hold(&s->frames, w.frame, 1);
		if (queue_push(s, to, w.frame))
			continue;
		frame_drop(&s->frames, w.frame);
		queue_clear(s, to, false);
		return false;
	}
	return true;
}

uint32_t queue_conflate(struct server *s, struct conn *c, uint32_t f)
{
	struct conn *to = &s->conflated;
	uint32_t before = c->queued_messages, sent = c->head_sent;

	if (!any_overtaken(s, c, f))
		return 0;
	assert(to->queued_messages == 0);
	to->head = to->run_last = FRAME_NONE;
	to->node_first = to->node_last = POOL_NONE;
	if (!copy_without(s, c, f, to))
		return 0;
	queue_clear(s, c, false);
	c->head = to->head;
	c->head_sent = sent;
	c->run_last = to->run_last;
	c->run_count = to->run_count;
	c->node_first = to->node_first;
	c->node_last = to->node_last;
	c->queued_messages = to->queued_messages;
	c->queued_bytes = to->queued_bytes;
	to->queued_messages = 0;
	to->queued_bytes = 0;
	to->run_count = 0;
	return before - c->queued_messages;
}

void queue_clear(struct server *s, struct conn *c, bool keep_started)
{
	uint32_t kept = FRAME_NONE, sent = c->head_sent;

	if (keep_started && c->head != FRAME_NONE && sent > 0) {
		kept = c->head;
		frame_hold(&s->frames, kept, 1);
	}
	while (c->head != FRAME_NONE)
		queue_pop(s, c);
	if (kept == FRAME_NONE)
		return;
	queue_push(s, c, kept); /* an empty queue takes one frame without a node */
	c->head_sent = sent;
}

bool queue_valid(const struct server *s, const struct conn *c, uint32_t *nodes)
{
	struct queue_walk w = queue_front(c);
	uint32_t messages = 0, runs = 0, last = POOL_NONE;
	uint64_t bytes = 0;

	if (c->head == FRAME_NONE)
		return c->node_first == POOL_NONE && c->head_sent == 0 && c->queued_messages == 0 &&
		       c->queued_bytes == 0 && c->run_count == 0;
	if (c->head_sent >= frame_at(&s->frames, c->head)->len || c->run_count == 0)
		return false;
	for (uint32_t n = c->node_first; n != POOL_NONE; n = queue_node(s, n)->next, runs++)
		last = n;
	for (; w.frame != FRAME_NONE; queue_step(s, &w), messages++) {
		bytes += frame_at(&s->frames, w.frame)->len;
		if (messages + 1u == c->run_count && w.frame != c->run_last)
			return false;
	}
	*nodes += runs;
	return (runs == 0 || last == c->node_last) && messages == c->queued_messages &&
	       bytes == c->queued_bytes;
}
