/*
 * Invariants: a connection with a queue (queue.h) is dirty or blocked, never neither.
 * Between outbox_begin and outbox_end nothing here calls the engine:
 * what has to leave it is put down with conn_leave().
 */
#include "server/outbox.h"

#include "base/hex.h"
#include "server/queue.h"
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

enum encoded { ENCODED, NO_WORDS, NO_ROOM };

static enum encoded try_encode(struct server *s, const struct event *ev, const struct dialect *d, uint32_t *f)
{
	struct frame_writer fw;
	struct event named;
	char name[16];

	if (!frame_open(&s->frames, &fw, FRAME_HEADROOM_BYTES))
		return NO_ROOM;
	if (d->id == DIALECT_DOTTED) { /* the one whose messages are numbered */
		named = *ev;
		hex_put_u64(name, server_random(s));
		named.id = str_of(name, sizeof(name));
		ev = &named;
	}
	if (!d->encode(ev, &fw.json)) {
		frame_abandon(&fw);
		return NO_WORDS;
	}
	if (!fw.json.failed)
		add_frame_header(&fw);
	*f = frame_close(&fw);
	return *f == FRAME_NONE ? NO_ROOM : ENCODED;
}

/* How much closing this one gives back; 0: it is not behind. One message alone is what a queue may always
 * hold, so those who have more go first. */
static uint64_t backlog(const struct conn *c)
{
	uint64_t many = c->queued_messages > 1;

	if (!(c->flags & CONN_BLOCKED) || (c->flags & CONN_DOOMED) || c->state == CONN_LINGER)
		return 0;
	return many << 32 | c->queued_bytes;
}

/*
 * Of those who do not read what is queued for them the one with the most goes. A WebSocket with more than
 * the message that has begun is told why; anybody else cannot be, for that stands in the middle of something.
 * O(connections), once for as many frames as it frees. False: nobody is behind.
 */
static bool close_slowest(struct server *s)
{
	struct conn *slowest = NULL;
	uint64_t most = 0;

	for (uint32_t ci = 0; ci < s->conns_high; ci++) {
		struct conn *c = conn_at(s, ci);

		if (c->state != CONN_FREE && backlog(c) > most) {
			most = backlog(c);
			slowest = c;
		}
	}
	if (slowest == NULL)
		return false;
	if (slowest->state == CONN_LIVE && slowest->queued_messages > 1) {
		session_close(s, slowest, WS_CODE_OVERLOAD, STR("too slow"), REFUSED_SLOW_CONSUMER);
		return true;
	}
	server_refused(s, REFUSED_SLOW_CONSUMER, slowest);
	outbox_clear(s, slowest, false);
	slowest->flags &= ~(uint32_t)(CONN_BLOCKED | CONN_STARVED);
	conn_doom(s, slowest);
	return true;
}

bool outbox_write_early(struct server *s, const struct conn *busy)
{
	uint32_t frames = pool_used(&s->frames.cells), blocks = pool_used(&s->frames.blocks);
	uint32_t nodes = pool_used(&s->nodes);

	for (uint32_t i = 0; i < s->dirty.n; i++) {
		struct conn *c = conn_at(s, s->dirty.v[i]);

		/* A streamed answer would ask for its next piece at once. */
		if (c != busy && c != s->acting && c->head != FRAME_NONE &&
		    !(c->flags & (CONN_DOOMED | CONN_BLOCKED | CONN_STREAMING)))
			outbox_write(s, c);
	}
	return pool_used(&s->frames.cells) < frames || pool_used(&s->frames.blocks) < blocks ||
	       pool_used(&s->nodes) < nodes;
}

bool outbox_free_frames(struct server *s, const struct conn *busy)
{
	return outbox_write_early(s, busy) || close_slowest(s);
}

/* The event in one dialect's words, with one reference, into *f; FRAME_NONE if not ENCODED. It may have cost
 * any connection its life to find room. */
static enum encoded encode(struct server *s, const struct event *ev, enum dialect_id id, uint32_t *f)
{
	const struct dialect *d = dialect_at(id);
	enum encoded result;

	*f = FRAME_NONE;
	if (d == NULL)
		return NO_WORDS;
	do
		result = try_encode(s, ev, d, f);
	while (result == NO_ROOM && outbox_free_frames(s, NULL));
	if (result == NO_ROOM)
		server_refused(s, REFUSED_POOL, NULL);
	if (result != ENCODED) {
		*f = FRAME_NONE;
		return result;
	}
	frame_at(&s->frames, *f)->messages = 1;
	frame_at(&s->frames, *f)->conflation = (uint8_t)ev->conflation;
	frame_at(&s->frames, *f)->subject = ev->subject;
	s->metrics.encodings++;
	return ENCODED;
}

/* --- queueing --- */

static bool push(struct server *s, struct conn *c, uint32_t f)
{
	if (!queue_push(s, c, f))
		return false;
	if (!(c->flags & CONN_BLOCKED))
		conn_list_add(&s->dirty, c, conn_index(s, c), CONN_DIRTY);
	return true;
}

static bool fits(const struct server *s, const struct conn *c, uint32_t f)
{
	/* HTTP: an answer is whole or not at all; its reader's pace holds back
	 * the next request (outbox_is_high), not this answer. */
	if (c->queued_messages == 0 || c->state == CONN_HTTP)
		return true;
	return c->queued_messages < s->cfg->client_buffer_messages &&
	       (uint64_t)c->queued_bytes + frame_at(&s->frames, f)->len <= s->cfg->client_buffer_bytes;
}

/* The queue is full: write if the peer reads; else do without typing; else false. */
static bool make_room(struct server *s, struct conn *c, uint32_t f)
{
	uint32_t gone;

	if (!(c->flags & CONN_BLOCKED)) {
		outbox_write(s, c);
		if (c->state == CONN_FREE || (c->flags & CONN_DOOMED))
			return false;
		if (fits(s, c, f))
			return true;
	}
	if (s->cfg->slow_consumer == SLOW_CLOSE)
		return false;
	gone = queue_conflate(s, c, FRAME_NONE);
	s->metrics.dropped += gone;
	return gone > 0 && fits(s, c, f);
}

/* A Ping that finds no room is none to close for: the peer is reading, or write-wait ends it. */
static bool can_do_without(const struct server *s, unsigned conflation)
{
	return conflation == CONFLATE_PING ||
	       (conflation == CONFLATE_TYPING && s->cfg->slow_consumer == SLOW_DROP);
}

/* Behind a Close nothing goes out. */
static bool takes(const struct conn *c, const struct frame *frame)
{
	if (c->state == CONN_FREE || c->state == CONN_LINGER || (c->flags & CONN_DOOMED))
		return false;
	return c->state != CONN_CLOSING || frame->close_after;
}

/* An HTTP connection is being worked on: its end may not come now. True: there is room for one now. */
static bool write_own(struct server *s, struct conn *c)
{
	if ((c->flags & CONN_BLOCKED) || c->state == CONN_HTTP)
		return false;
	outbox_write(s, c);
	return c->head == FRAME_NONE;
}

/* push(), with nodes made for it: who reads is not made to pay for those who do not. A Close has to do
 * without: it is what makes room. */
static bool push_somehow(struct server *s, struct conn *c, uint32_t f)
{
	const struct frame *frame = frame_at(&s->frames, f);

	while (!push(s, c, f)) {
		if (c->queued_messages == QUEUE_MESSAGES_MAX || frame->close_after)
			return false;
		if (!write_own(s, c) && !outbox_free_frames(s, c))
			return false;
		if (!takes(c, frame))
			return false;
	}
	return true;
}

bool outbox_frame(struct server *s, struct conn *c, uint32_t f)
{
	const struct frame *frame;

	if (f == FRAME_NONE)
		return false;
	frame = frame_at(&s->frames, f);
	if (!takes(c, frame)) {
		frame_drop(&s->frames, f);
		return false;
	}
	if ((c->flags & CONN_BLOCKED) && frame->conflation != CONFLATE_NEVER &&
	    s->cfg->slow_consumer == SLOW_DROP)
		s->metrics.conflated += queue_conflate(s, c, f);
	if ((frame->close_after || fits(s, c, f) || make_room(s, c, f)) &&
	    push_somehow(s, c, f))
		return true;
	if (can_do_without(s, frame->conflation)) {
		s->metrics.dropped += frame->messages;
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

/* Puts a data message behind the one queued last, if that is nobody else's: many answers, one frame. */
static bool append_message(struct server *s, struct conn *c, unsigned opcode, const void *payload, size_t n)
{
	uint8_t header[WS_HEADER_BYTES_MAX];
	size_t header_bytes = ws_frame_header(header, (enum ws_opcode)opcode, true, n);

	if (opcode > WS_BINARY || c->state != CONN_LIVE || (c->flags & (CONN_BLOCKED | CONN_DOOMED)))
		return false;
	if ((uint64_t)c->queued_bytes + header_bytes + n > s->cfg->client_buffer_bytes)
		return false;
	return queue_append(s, c, str_of((const char *)header, header_bytes), str_of(payload, n));
}

static uint32_t try_message(struct server *s, unsigned opcode, const void *payload, size_t n)
{
	uint8_t header[WS_HEADER_BYTES_MAX];
	struct frame_writer fw;

	if (!frame_open(&s->frames, &fw, FRAME_HEADROOM_BYTES))
		return FRAME_NONE;
	if (n > 0)
		jsonw_raw(&fw.json, str_of(payload, n));
	if (!fw.json.failed)
		frame_prepend(&fw, header, ws_frame_header(header, (enum ws_opcode)opcode, true, n));
	return frame_close(&fw);
}

bool outbox_message(struct server *s, struct conn *c, unsigned opcode, const void *payload, size_t n)
{
	uint32_t f;

	if (append_message(s, c, opcode, payload, n))
		return true;
	do
		f = try_message(s, opcode, payload, n);
	while (f == FRAME_NONE && outbox_free_frames(s, c));
	if (f == FRAME_NONE) {
		session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_POOL);
		return false;
	}
	if (opcode == WS_PING || opcode == WS_PONG)
		frame_at(&s->frames, f)->conflation = opcode == WS_PING ? CONFLATE_PING : CONFLATE_PONG;
	frame_at(&s->frames, f)->messages = opcode <= WS_BINARY;
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
		enum encoded encoded;
		uint32_t f;

		if (i + PREFETCH_AHEAD < n)
			__builtin_prefetch(&s->conns[conns[i + PREFETCH_AHEAD]], 1);
		if (c->mark == out->serial || c->state != CONN_LIVE)
			continue;
		c->mark = out->serial;
		if (!out->tried[c->dialect]) {
			out->tried[c->dialect] = true;
			encoded = encode(s, out->event, c->dialect, &f);
			/* Many get it: those who get the next one too keep both as one run. */
			if (encoded == ENCODED)
				frame_chain(&s->frames, f, c->dialect);
			out->no_room[c->dialect] = encoded == NO_ROOM &&
			                           !can_do_without(s, out->event->conflation);
			out->frame[c->dialect] = f;
		}
		if (out->no_room[c->dialect])
			session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_COUNT);
		if (out->frame[c->dialect] == FRAME_NONE || c->state != CONN_LIVE)
			continue;
		f = out->frame[c->dialect];
		frame_hold(&s->frames, f, 1);
		if (!(c->flags & (CONN_BLOCKED | CONN_DOOMED)) && fits(s, c, f) && push(s, c, f))
			out->delivered++;
		else
			out->delivered += outbox_frame(s, c, f);
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
	enum encoded encoded;
	uint32_t f;

	s->metrics.events[ev->type]++;
	encoded = encode(s, ev, c->dialect, &f);
	if (encoded == NO_ROOM)
		session_close(s, c, WS_CODE_OVERLOAD, STR("no room"), REFUSED_COUNT);
	if (encoded != ENCODED || !outbox_frame(s, c, f))
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

/* The queue's next frames as slices, as many as there is room for. */
static void gather(struct server *s, const struct conn *c, struct burst *b)
{
	struct iovec *iov = s->staging.slices;
	struct queue_walk w = queue_front(c);
	uint32_t skip = c->head_sent, covers;

	*b = (struct burst){ .iov = iov };
	for (; w.frame != FRAME_NONE && b->slices < SLICES_MAX; queue_step(s, &w), skip = 0) {
		b->slices += frame_slices(&s->frames, w.frame, skip, iov + b->slices,
		                          SLICES_MAX - b->slices, &covers);
		b->bytes += covers;
	}
}

/* Is this connection's queue what was last put together for another one?
 * One run is the same frames if it begins and counts alike. */
static bool is_staged(const struct server *s, const struct conn *c)
{
	const struct staging *st = &s->staging;

	return st->first == c->head && st->count == c->run_count && st->opened == s->frames.opened &&
	       c->head_sent == 0 && c->node_first == POOL_NONE;
}

/* Several small slices become one: a write of one slice spares the kernel more than the copy costs us. */
static void stage(struct server *s, const struct conn *c, struct burst *b)
{
	struct staging *st = &s->staging;
	bool whole_run = c->head_sent == 0 && c->node_first == POOL_NONE && b->slices == c->run_count;
	uint32_t used = 0;

	for (uint32_t i = 0; i < b->slices; i++) {
		memcpy(st->bytes + used, b->iov[i].iov_base, b->iov[i].iov_len);
		used += (uint32_t)b->iov[i].iov_len;
	}
	assert(used == b->bytes);
	st->first = whole_run ? c->head : FRAME_NONE; /* anything else is nobody else's */
	st->count = c->run_count;
	st->opened = s->frames.opened;
	st->whole = (struct iovec){ st->bytes, used };
	b->iov = &st->whole;
	b->slices = 1;
}

static struct burst next_burst(struct server *s, const struct conn *c)
{
	struct burst b;

	if (c->run_count > 1 && is_staged(s, c))
		return (struct burst){ &s->staging.whole, 1, s->staging.whole.iov_len };
	gather(s, c, &b);
	if (b.slices > 1 && b.bytes <= STAGING_BYTES && b.bytes / b.slices < FRAME_CELL_BYTES)
		stage(s, c, &b);
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
		s->metrics.messages_sent += f->messages;
		queue_pop(s, c);
	}
}

/* A blocked connection is written to when it is writable, or when its timer tries whether it is again. */
static void blocked(struct server *s, struct conn *c, bool progress)
{
	uint32_t before = c->flags, was = before & CONN_BLOCKED;

	if (progress || !was)
		c->blocked_since = s->now.mono;
	c->flags |= CONN_BLOCKED;
	if (was && !progress)
		c->flags |= CONN_STARVED;
	else
		c->flags &= ~(uint32_t)CONN_STARVED;
	if (c->flags == before)
		return;
	conn_want(s, c);
	conn_arm(s, c);
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
				metrics_close(&s->metrics, WS_CODE_ABNORMAL);
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
		c->flags &= ~(uint32_t)(CONN_BLOCKED | CONN_STARVED);
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
	queue_clear(s, c, keep_started);
}

bool outbox_is_high(const struct server *s, const struct conn *c)
{
	return c->queued_messages >= s->cfg->client_buffer_messages / 2 + 1 ||
	       c->queued_bytes > s->cfg->client_buffer_bytes / 2;
}

bool outbox_is_low(const struct server *s, const struct conn *c)
{
	return c->queued_messages <= s->cfg->client_buffer_messages / 4 &&
	       c->queued_bytes <= s->cfg->client_buffer_bytes / 4;
}
