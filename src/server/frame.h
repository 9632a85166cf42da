/*
 * server/frame.h: outgoing bytes, written once, shared by all who receive them:
 * a WebSocket frame, or a piece of an HTTP response.
 *
 * A frame is a cell of FRAME_CELL_BYTES whose inline part holds the first bytes, followed by a chain of
 * blocks when it is longer. Almost every event fits the inline part, so it is one contiguous slice.
 * Ownership: reference counted. frame_close() gives the writer one reference;
 * every queue that holds the frame has its own. Immutable once closed.
 * Errors: a full pool makes frame_open() or the writer fail; nothing leaks.
 */
#ifndef SERVER_FRAME_H
#define SERVER_FRAME_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/jsonw.h"
#include "base/pool.h"
#include "base/region.h"
#include "presence/event.h"

enum {
	FRAME_CELL_BYTES = 512,
	FRAME_BLOCK_BYTES = 4096,
	FRAME_INLINE_BYTES = FRAME_CELL_BYTES - 32,
	FRAME_BLOCK_DATA_BYTES = FRAME_BLOCK_BYTES - 8,
	FRAME_CHAINS = 8,
	FRAME_HEADROOM_BYTES = 10, /* the longest header of a frame from a server: 2 + 8, RFC 6455 5.2 */
};

#define FRAME_NONE POOL_NONE

struct frame {
	uint32_t refs;
	uint32_t len;         /* bytes from `offset` on, inline and blocks */
	uint32_t first_block; /* POOL_NONE: inline only */
	uint32_t subject;     /* with conflation: whose state it tells */
	uint16_t offset;      /* of the first byte in the inline part: what a shorter header left free */
	uint16_t inline_end;
	uint8_t conflation;   /* enum conflation */
	uint8_t close_after;  /* a Close frame, or the end of a response that ends the connection */
	uint8_t messages;     /* WebSocket data messages in it: counted when it has been written */
	uint8_t chain;        /* 1 + the chain whose newest it is; 0: of none, or not the newest */
	uint32_t next;        /* the frame made after it in its chain;
	                       * FRAME_NONE. Once set it never changes */
	uint8_t reserved[4];
	char data[FRAME_INLINE_BYTES];
};

static_assert(sizeof(struct frame) == FRAME_CELL_BYTES, "the cell is filled");

struct frames {
	struct pool cells, blocks;
	uint32_t newest[FRAME_CHAINS]; /* FRAME_NONE: gone, or none yet */
	uint32_t opened;        /* frames ever opened, modulo 2^32 */
};

struct frame_writer {
	struct frames *frames;
	struct jsonw json;      /* write through this */
	uint32_t frame;         /* FRAME_NONE: open failed */
	uint32_t last_block;
};

void frames_init(struct frames *, struct region *, uint32_t cells, uint32_t blocks);

/* Starts a frame with `headroom` bytes kept free in front. False: no cell; nothing to undo. */
bool frame_open(struct frames *, struct frame_writer *, uint16_t headroom);

/* Bytes written so far, headroom not counted. */
uint32_t frame_written(const struct frame_writer *);

/* Puts `n` bytes (<= headroom left) in front. */
void frame_prepend(struct frame_writer *, const void *bytes, size_t n);

/* Ends the frame: FRAME_NONE if the writer failed (all given back),
 * else its number with one reference for the caller. */
uint32_t frame_close(struct frame_writer *);

/* Throws an open frame away. */
void frame_abandon(struct frame_writer *);

/* One frame of given bytes; FRAME_NONE when the pools are full. */
uint32_t frame_of(struct frames *, const void *bytes, size_t n);

static inline struct frame *frame_at(const struct frames *fs, uint32_t f)
{
	return pool_at(&fs->cells, f);
}

/* Adds bytes behind a closed frame that only one queue holds. False: no room, no block; nothing changed. */
bool frame_append(struct frames *, uint32_t f, struct str head, struct str body);

/* f, just closed, follows the newest frame of `chain`: that one's `next` says so from now on. */
void frame_chain(struct frames *, uint32_t f, uint32_t chain);

static inline void frame_hold(struct frames *fs, uint32_t f, uint32_t references)
{
	struct frame *frame = frame_at(fs, f);

	assert(frame->refs > 0 && references <= UINT32_MAX - frame->refs);
	frame->refs += references;
}

/* The last reference went: the frame's memory goes back. For frame_drop(). */
void frame_free(struct frames *, uint32_t f);

static inline void frame_drop(struct frames *fs, uint32_t f)
{
	assert(frame_at(fs, f)->refs > 0);
	if (--frame_at(fs, f)->refs == 0)
		frame_free(fs, f);
}

/* Slices of the frame from byte `skip` on: fills at most `max`, returns how many;
 * *covers is the bytes they hold. */
uint32_t frame_slices(const struct frames *, uint32_t f, uint32_t skip, struct iovec *out, uint32_t max,
                      uint32_t *covers);

#endif
