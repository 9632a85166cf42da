/*
 * Invariants: head == FRAME_NONE exactly when queued_messages == 0; the nodes behind the head hold the frames 2..n in order; each
 * queued frame has one reference for this queue. A connection with a queue is dirty or blocked, never neither.
 * Between outbox_begin and outbox_end nothing here calls the engine: what has to leave it is put down with conn_leave().
 */
#include "server/outbox.h"

#include "base/hex.h"
#include "server/session.h"
#include "server/state.h"
#include "wire/ws_frame.h"

enum {
	PREFETCH_AHEAD = 8,   /* receivers whose line is fetched while this one is written to */
	WRITES_PER_TURN_MAX = 4, /* of one connection: the rest waits for writable */
};

/* --- encoding --- */

static void add_frame_header(struct frame_writer *fw)
{
	uint8_t header[WS_HEADER_BYTES_MAX];

	frame_prepend(fw, header, ws_frame_header(header, WS_TEXT, true, frame_written(fw)));
}

/* The event in one dialect's words, with one reference; FRAME_NONE when it has none or there is no room. */
static uint32_t encode(struct server *s, const struct event *ev, enum dialect_id id)
{
	const struct dialect *d = dialect_at(id);
	struct frame_writer fw;
	struct event named;
	char name[16];
	uint32_t f;

	if (d == NULL)
		return FRAME_NONE;
	if (!frame_open(&s->frames, &fw, FRAME_HEADROOM_BYTES)) {
		server_refused(s, REFUSED_POOL, NULL);
		return FRAME_NONE;
	}
	if (id == DIALECT_DOTTED) { /* the one whose messages are numbered */
		named = *ev;
		hex_put_u64(name, server_random(s));
		named.id = str_of(name, sizeof(name));
		ev = &named;
	}
	if (!d->encode(ev, &fw.json)) {
		frame_abandon(&fw);
		return FRAME_NONE;
	}
	if (!fw.json.failed)
		add_frame_header(&fw);
	f = frame_close(&fw);
	if (f == FRAME_NONE) {
		server_refused(s, REFUSED_POOL, NULL);
		return FRAME_NONE;
	}
	frame_at(&s->frames, f)->is_message = 1;
	frame_at(&s->frames, f)->conflation = (uint8_t)ev->conflation;
	frame_at(&s->frames, f)->subject = ev->subject;
	s->metrics.encodings++;
	return f;
}

/* --- the queue of one connection --- */

static struct queue_node *node_at(const struct server *s, uint32_t n)
{
	return pool_at(&s->nodes, n);
}

static bool push(struct server *s, struct conn *c, uint32_t f)
{
	if (c->head == FRAME_NONE) {
		c->head = f;
		c->head_sent = 0;
	} else {
		uint32_t n = pool_take(&s->nodes);

		if (n == POOL_NONE)
			return false;
		*node_at(s, n) = (struct queue_node){ f, POOL_NONE };
		if (c->node_first == POOL_NONE)
			c->node_first = n;
		else
			node_at(s, c->node_last)->next = n;
		c->node_last = n;
	}
	c->queued_messages++;
	c->queued_bytes += frame_at(&s->frames, f)->len;
	if (!(c->flags & CONN_BLOCKED))
		conn_list_add(&s->dirty, c, conn_index(s, c), CONN_DIRTY);
	return true;
}

/* Takes the head off; its reference is dropped. */
static void pop(struct server *s, struct conn *c)
{
	uint32_t n = c->node_first;

	assert(c->head != FRAME_NONE && c->queued_messages > 0);
	c->queued_messages--;
	c->queued_bytes -= frame_at(&s->frames, c->head)->len;
	frame_drop(&s->frames, c->head);
	c->head_sent = 0;
	if (n == POOL_NONE) {
		c->head = FRAME_NONE;
		return;
	}
	c->head = node_at(s, n)->frame;
	c->node_first = node_at(s, n)->next;
	pool_give(&s->nodes, n);
}

/* Takes the node behind `prev` (POOL_NONE: the first) out of the queue. */
static void unlink_node(struct server *s, struct conn *c, uint32_t prev, uint32_t n)
{
	struct queue_node *node = node_at(s, n);

	if (prev == POOL_NONE)
		c->node_first = node->next;
	else
		node_at(s, prev)->next = node->next;
	if (c->node_last == n)
		c->node_last = prev;
	c->queued_messages--;
	c->queued_bytes -= frame_at(&s->frames, node->frame)->len;
	frame_drop(&s->frames, node->frame);
	pool_give(&s->nodes, n);
}

/* Does `old` tell a state that `f` (or, for f == FRAME_NONE, any later typing) has overtaken? */
static bool overtaken(const struct server *s, uint32_t old, uint32_t f)
{
	const struct frame *o = frame_at(&s->frames, old), *n;

	if (f == FRAME_NONE)
		return o->conflation == CONFLATE_TYPING;
	n = frame_at(&s->frames, f);
	return o->conflation != CONFLATE_NEVER && o->conflation == n->conflation && o->subject == n->subject;
}

/* Removes every unsent frame that `f` overtakes. True when any was. */
static bool conflate(struct server *s, struct conn *c, uint32_t f)
{
	uint32_t before = c->queued_messages;

	for (uint32_t n = c->node_first, prev = POOL_NONE, next; n != POOL_NONE; n = next) {
		next = node_at(s, n)->next;
		if (overtaken(s, node_at(s, n)->frame, f))
			unlink_node(s, c, prev, n);
		else
			prev = n;
	}
	if (c->head != FRAME_NONE && c->head_sent == 0 && overtaken(s, c->head, f))
		pop(s, c);
	s->metrics.conflated += before - c->queued_messages;
	return c->queued_messages < before;
}

static bool fits(const struct server *s, const struct conn *c, uint32_t f)
{
	/* HTTP: an answer is whole or not at all; its reader's pace holds back the next request (outbox_is_high), not this answer. */
	if (c->queued_messages == 0 || c->state == CONN_HTTP)
		return true;
	return c->queued_messages < s->cfg->client_buffer_messages &&
	       (uint64_t)c->queued_bytes + frame_at(&s->frames, f)->len <= s->cfg->client_buffer_bytes;
}

/* The queue is full: write if the peer reads; else drop what is overtaken; else false. */
static bool make_room(struct server *s, struct conn *c, uint32_t f)
{
	if (!(c->flags & CONN_BLOCKED)) {
		outbox_write(s, c);
		if (c->state == CONN_FREE || (c->flags & CONN_DOOMED))
			return false;
		if (fits(s, c, f))
			return true;
	}
	if (s->cfg->slow_consumer == SLOW_CLOSE)
		return false;
	return conflate(s, c, FRAME_NONE) && fits(s, c, f);
}

/* A Ping that finds no room is none to close for: the peer is reading, or write-wait ends it. */
static bool can_do_without(const struct server *s, const struct frame *f)
{
	return f->conflation == CONFLATE_PING || (f->conflation == CONFLATE_TYPING && s->cfg->slow_consumer == SLOW_DROP);
}

bool outbox_frame(struct server *s, struct conn *c, uint32_t f)
{
	const struct frame *frame;

	if (f == FRAME_NONE)
		return false;
	frame = frame_at(&s->frames, f);
	if (c->state == CONN_FREE || c->state == CONN_LINGER || (c->flags & CONN_DOOMED)) {
		frame_drop(&s->frames, f);
		return false;
	}
	if ((c->flags & CONN_BLOCKED) && frame->conflation != CONFLATE_NEVER && s->cfg->slow_consumer == SLOW_DROP)
		conflate(s, c, f);
	if ((frame->close_after || fits(s, c, f) || make_room(s, c, f)) && push(s, c, f))
		return true;
	if (can_do_without(s, frame)) {
		s->metrics.dropped += frame->is_message;
		frame_drop(&s->frames, f);
		return false;
	}
	frame_drop(&s->frames, f);
	if (c->state == CONN_LIVE)
		session_close(s, c, WS_CODE_OVERLOAD, STR("too slow"), REFUSED_SLOW_CONSUMER);
	else
		conn_doom(s, c);
	return false;
}

bool outbox_message(struct server *s, struct conn *c, unsigned opcode, const void *payload, size_t n)
{
	uint8_t header[WS_HEADER_BYTES_MAX];
	struct frame_writer fw;

	if (!frame_open(&s->frames, &fw, FRAME_HEADROOM_BYTES)) {
		session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_POOL);
		return false;
	}
	if (n > 0)
		jsonw_raw(&fw.json, str_of(payload, n));
	if (!fw.json.failed)
		frame_prepend(&fw, header, ws_frame_header(header, (enum ws_opcode)opcode, true, n));
	uint32_t f = frame_close(&fw);
	if (f == FRAME_NONE) {
		session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_POOL);
		return false;
	}
	if (opcode == WS_PING || opcode == WS_PONG)
		frame_at(&s->frames, f)->conflation = opcode == WS_PING ? CONFLATE_PING : CONFLATE_PONG;
	frame_at(&s->frames, f)->is_message = opcode <= WS_BINARY;
	return outbox_frame(s, c, f);
}

/* --- fan-out --- */

void outbox_begin(void *ctx, const struct event *ev)
{
	struct server *s = ctx;

	assert(s->out.event == NULL);
	s->out.event = ev;
	s->out.delivered = 0;
	s->out.serial++;
	memset(s->out.tried, 0, sizeof(s->out.tried));
	s->metrics.events[ev->type]++;
}

void outbox_skip(void *ctx, const uint32_t *conns, uint32_t n)
{
	struct server *s = ctx;

	for (uint32_t i = 0; i < n; i++)
		conn_at(s, conns[i])->mark = s->out.serial;
}

void outbox_deliver(void *ctx, const uint32_t *conns, uint32_t n)
{
	struct server *s = ctx;
	struct fanout *out = &s->out;

	for (uint32_t i = 0; i < n; i++) {
		struct conn *c = conn_at(s, conns[i]);

		if (i + PREFETCH_AHEAD < n)
			__builtin_prefetch(&s->conns[conns[i + PREFETCH_AHEAD]], 1);
		if (c->mark == out->serial || c->state != CONN_LIVE)
			continue;
		c->mark = out->serial;
		if (!out->tried[c->dialect]) {
			out->tried[c->dialect] = true;
			out->frame[c->dialect] = encode(s, out->event, c->dialect);
		}
		if (out->frame[c->dialect] == FRAME_NONE)
			continue;
		frame_hold(&s->frames, out->frame[c->dialect], 1);
		out->delivered += outbox_frame(s, c, out->frame[c->dialect]);
	}
}

uint32_t outbox_end(void *ctx)
{
	struct server *s = ctx;
	struct fanout *out = &s->out;

	assert(out->event != NULL);
	for (int d = 0; d < DIALECT_COUNT; d++)
		if (out->tried[d] && out->frame[d] != FRAME_NONE)
			frame_drop(&s->frames, out->frame[d]);
	out->event = NULL;
	s->metrics.deliveries += out->delivered;
	return out->delivered;
}

bool outbox_event(struct server *s, struct conn *c, const struct event *ev)
{
	uint32_t f = encode(s, ev, c->dialect);

	s->metrics.events[ev->type]++;
	if (f == FRAME_NONE || !outbox_frame(s, c, f))
		return false;
	s->metrics.deliveries++;
	return true;
}

/* --- writing --- */

/* What one write takes: slices that live until the next burst is made. */
struct burst {
	const struct iovec *iov;
	uint32_t slices;
	size_t bytes;
};

/* The queue's next frames as slices, as many as there is room for; returns how many frames they are of. */
static uint32_t gather(struct server *s, const struct conn *c, struct burst *b)
{
	struct iovec *iov = s->staging.slices;
	uint32_t f = c->head, n = c->node_first, skip = c->head_sent, covers;

	*b = (struct burst){ .iov = iov };
	for (uint32_t frames = 1;; frames++) {
		b->slices += frame_slices(&s->frames, f, skip, iov + b->slices, STAGED_FRAMES_MAX - b->slices, &covers);
		b->bytes += covers;
		skip = 0;
		if (n == POOL_NONE || b->slices == STAGED_FRAMES_MAX)
			return frames;
		f = node_at(s, n)->frame;
		n = node_at(s, n)->next;
	}
}

/* Is this connection's queue what was last put together for another one? */
static bool is_staged(const struct server *s, const struct conn *c)
{
	const struct staging *st = &s->staging;
	uint32_t n = c->node_first, all = c->queued_messages < STAGED_FRAMES_MAX ? c->queued_messages : STAGED_FRAMES_MAX;

	if (st->opened != s->frames.opened || st->frame_count != all || c->head_sent > 0 || st->frames[0] != c->head)
		return false;
	for (uint32_t i = 1; i < all; i++, n = node_at(s, n)->next)
		if (st->frames[i] != node_at(s, n)->frame)
			return false;
	return true;
}

/* Several small slices become one: a write of one slice spares the kernel more than the copy costs us. */
static void stage(struct server *s, const struct conn *c, struct burst *b, uint32_t frames)
{
	struct staging *st = &s->staging;
	uint32_t n = c->node_first, used = 0;

	for (uint32_t i = 0; i < b->slices; i++) {
		memcpy(st->bytes + used, b->iov[i].iov_base, b->iov[i].iov_len);
		used += (uint32_t)b->iov[i].iov_len;
	}
	assert(used == b->bytes);
	st->opened = s->frames.opened;
	st->frame_count = c->head_sent > 0 ? 0 : frames; /* half a frame is nobody else's */
	st->frames[0] = c->head;
	for (uint32_t i = 1; i < frames; i++, n = node_at(s, n)->next)
		st->frames[i] = node_at(s, n)->frame;
	st->whole = (struct iovec){ st->bytes, used };
	b->iov = &st->whole;
	b->slices = 1;
}

static struct burst next_burst(struct server *s, const struct conn *c)
{
	struct burst b;
	uint32_t frames;

	if (c->node_first != POOL_NONE && is_staged(s, c))
		return (struct burst){ &s->staging.whole, 1, s->staging.whole.iov_len };
	frames = gather(s, c, &b);
	if (b.slices > 1 && b.bytes <= STAGING_BYTES && b.bytes / b.slices < FRAME_CELL_BYTES)
		stage(s, c, &b, frames);
	return b;
}

/* Takes `bytes` that were written off the queue. */
static void advance(struct server *s, struct conn *c, size_t bytes)
{
	s->metrics.bytes_sent += bytes;
	while (bytes > 0) {
		const struct frame *f = frame_at(&s->frames, c->head);
		size_t left = f->len - c->head_sent;

		if (bytes < left) {
			c->head_sent += (uint32_t)bytes;
			return;
		}
		bytes -= left;
		if (f->close_after)
			c->flags |= CONN_CLOSE_SENT;
		s->metrics.messages_sent += f->is_message;
		pop(s, c);
	}
}

static void blocked(struct server *s, struct conn *c, bool progress)
{
	bool was = (c->flags & CONN_BLOCKED) != 0;

	if (progress || !was)
		c->blocked_since = s->now.mono;
	c->flags |= CONN_BLOCKED;
	if (!was) {
		conn_want(s, c);
		conn_arm(s, c);
	}
}

void outbox_write(struct server *s, struct conn *c)
{
	for (int round = 0; c->head != FRAME_NONE; round++) {
		struct burst b;
		ptrdiff_t r;

		if (round == WRITES_PER_TURN_MAX) {
			blocked(s, c, true);
			return;
		}
		b = next_burst(s, c);
		r = s->transport.writev(s->transport.ctx, c->handle, b.iov, b.slices);
		if (r == TRANSPORT_GONE) {
			if (c->state == CONN_LIVE)
				s->metrics.closes_abnormal++;
			conn_doom(s, c);
			return;
		}
		if (r > 0)
			advance(s, c, (size_t)r);
		if (r < 0 || (size_t)r < b.bytes) {
			blocked(s, c, r > 0);
			return;
		}
	}
	if (c->flags & CONN_BLOCKED) {
		c->flags &= ~(uint32_t)CONN_BLOCKED;
		conn_want(s, c);
	}
	session_written(s, c);
}

void outbox_flush(struct server *s)
{
	uint32_t n = s->dirty.n;

	for (uint32_t i = 0; i < n; i++) {
		struct conn *c = conn_at(s, s->dirty.v[i]);

		if (i + PREFETCH_AHEAD < n)
			__builtin_prefetch(&s->conns[s->dirty.v[i + PREFETCH_AHEAD]], 1);
		c->flags &= ~(uint32_t)CONN_DIRTY;
		if (c->head != FRAME_NONE && !(c->flags & (CONN_DOOMED | CONN_BLOCKED)))
			outbox_write(s, c);
	}
	/* What was queued meanwhile (the next piece of a streamed response) waits for the next turn. */
	s->dirty.n -= n;
	memmove(s->dirty.v, s->dirty.v + n, s->dirty.n * sizeof(*s->dirty.v));
}

void outbox_clear(struct server *s, struct conn *c, bool keep_started)
{
	bool kept = keep_started && c->head != FRAME_NONE && c->head_sent > 0;

	while (c->node_first != POOL_NONE)
		unlink_node(s, c, POOL_NONE, c->node_first);
	if (c->head != FRAME_NONE && !kept)
		pop(s, c);
}

bool outbox_is_high(const struct server *s, const struct conn *c)
{
	return c->queued_messages >= s->cfg->client_buffer_messages / 2 + 1 || c->queued_bytes > s->cfg->client_buffer_bytes / 2;
}

bool outbox_is_low(const struct server *s, const struct conn *c)
{
	return c->queued_messages <= s->cfg->client_buffer_messages / 4 && c->queued_bytes <= s->cfg->client_buffer_bytes / 4;
}
