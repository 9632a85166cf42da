/*
 * Invariants: an open frame's writer points into the inline part until that is full, then into the last block
 * of the chain; the blocks before the last are full. A closed frame has len = inline bytes from offset + all
 * block bytes, and refs >= 1.
 */
#include "server/frame.h"

#include <assert.h>
#include <string.h>

struct frame_block {
	uint32_t next; /* POOL_NONE: the last */
	uint32_t used;
	char data[FRAME_BLOCK_DATA_BYTES];
};

static_assert(sizeof(struct frame_block) == FRAME_BLOCK_BYTES, "a block is a page");

static struct frame_block *block_at(const struct frames *fs, uint32_t b)
{
	return pool_at(&fs->blocks, b);
}

void frames_init(struct frames *fs, struct region *r, uint32_t cells, uint32_t blocks)
{
	pool_init(&fs->cells, r, FRAME_CELL_BYTES, cells);
	pool_init(&fs->blocks, r, FRAME_BLOCK_BYTES, blocks);
	for (int chain = 0; chain < FRAME_CHAINS; chain++)
		fs->newest[chain] = FRAME_NONE;
}

/* Notes how far the piece being written got. */
static void settle(struct frame_writer *fw)
{
	struct frame *f = frame_at(fw->frames, fw->frame);

	if (fw->last_block == POOL_NONE)
		f->inline_end = (uint16_t)(fw->json.p - f->data);
	else
		block_at(fw->frames, fw->last_block)->used =
			(uint32_t)(fw->json.p - block_at(fw->frames, fw->last_block)->data);
}

static bool more(struct jsonw *w)
{
	struct frame_writer *fw = w->ctx;
	uint32_t b = pool_take(&fw->frames->blocks);
	struct frame_block *block;

	if (b == POOL_NONE)
		return false;
	settle(fw);
	block = block_at(fw->frames, b);
	block->next = POOL_NONE;
	block->used = 0;
	if (fw->last_block == POOL_NONE)
		frame_at(fw->frames, fw->frame)->first_block = b;
	else
		block_at(fw->frames, fw->last_block)->next = b;
	fw->last_block = b;
	w->p = block->data;
	w->end = block->data + FRAME_BLOCK_DATA_BYTES;
	return true;
}

bool frame_open(struct frames *fs, struct frame_writer *fw, uint16_t headroom)
{
	struct frame *f;

	assert(headroom <= FRAME_INLINE_BYTES / 2);
	fw->frames = fs;
	fs->opened++;
	fw->last_block = POOL_NONE;
	fw->frame = pool_take(&fs->cells);
	if (fw->frame == POOL_NONE)
		return false;
	f = frame_at(fs, fw->frame);
	f->refs = 1;
	f->len = 0;
	f->first_block = POOL_NONE;
	f->subject = 0;
	f->offset = headroom;
	f->inline_end = headroom;
	f->conflation = CONFLATE_NEVER;
	f->close_after = 0;
	f->messages = 0;
	f->chain = 0;
	f->next = FRAME_NONE;
	jsonw_init_chunks(&fw->json, f->data + headroom, FRAME_INLINE_BYTES - headroom, more, fw);
	return true;
}

uint32_t frame_written(const struct frame_writer *fw)
{
	return (uint32_t)jsonw_bytes(&fw->json);
}

void frame_prepend(struct frame_writer *fw, const void *bytes, size_t n)
{
	struct frame *f = frame_at(fw->frames, fw->frame);

	assert(n <= f->offset);
	f->offset = (uint16_t)(f->offset - n);
	memcpy(f->data + f->offset, bytes, n);
}

static uint32_t length(const struct frames *fs, const struct frame *f)
{
	uint32_t len = (uint32_t)(f->inline_end - f->offset);

	for (uint32_t b = f->first_block; b != POOL_NONE; b = block_at(fs, b)->next)
		len += block_at(fs, b)->used;
	return len;
}

uint32_t frame_close(struct frame_writer *fw)
{
	struct frame *f;

	if (fw->json.failed) {
		frame_abandon(fw);
		return FRAME_NONE;
	}
	settle(fw);
	f = frame_at(fw->frames, fw->frame);
	f->len = length(fw->frames, f);
	return fw->frame;
}

void frame_abandon(struct frame_writer *fw)
{
	frame_drop(fw->frames, fw->frame);
	fw->frame = FRAME_NONE;
}

uint32_t frame_of(struct frames *fs, const void *bytes, size_t n)
{
	struct frame_writer fw;

	if (!frame_open(fs, &fw, 0))
		return FRAME_NONE;
	if (n > 0)
		jsonw_raw(&fw.json, str_of(bytes, n));
	return frame_close(&fw);
}

bool frame_append(struct frames *fs, uint32_t f, struct str head, struct str body)
{
	struct frame *frame = frame_at(fs, f);
	size_t n = head.n + body.n;
	char *to;

	assert(frame->refs == 1 && frame->chain == 0 && frame->next == FRAME_NONE);
	if (n > FRAME_BLOCK_DATA_BYTES)
		return false;
	if (frame->first_block == POOL_NONE && n <= (size_t)(FRAME_INLINE_BYTES - frame->inline_end)) {
		to = frame->data + frame->inline_end;
		frame->inline_end = (uint16_t)(frame->inline_end + n);
	} else {
		struct frame_block *block;

		if (frame->first_block == POOL_NONE) {
			frame->first_block = pool_take(&fs->blocks);
			if (frame->first_block == POOL_NONE)
				return false;
			block_at(fs, frame->first_block)->next = POOL_NONE;
			block_at(fs, frame->first_block)->used = 0;
		}
		block = block_at(fs, frame->first_block);
		if (block->next != POOL_NONE || n > FRAME_BLOCK_DATA_BYTES - block->used)
			return false;
		to = block->data + block->used;
		block->used += (uint32_t)n;
	}
	memcpy(to, head.p, head.n);
	memcpy(to + head.n, body.p, body.n);
	frame->len += (uint32_t)n;
	return true;
}

void frame_chain(struct frames *fs, uint32_t f, uint32_t chain)
{
	uint32_t before = fs->newest[chain];

	assert(chain < FRAME_CHAINS && frame_at(fs, f)->chain == 0);
	if (before != FRAME_NONE) {
		frame_at(fs, before)->next = f;
		frame_at(fs, before)->chain = 0;
	}
	frame_at(fs, f)->chain = (uint8_t)(chain + 1);
	fs->newest[chain] = f;
}

void frame_free(struct frames *fs, uint32_t f)
{
	struct frame *frame = frame_at(fs, f);

	if (frame->chain != 0)
		fs->newest[frame->chain - 1] = FRAME_NONE;
	for (uint32_t b = frame->first_block, next; b != POOL_NONE; b = next) {
		next = block_at(fs, b)->next;
		pool_give(&fs->blocks, b);
	}
	pool_give(&fs->cells, f);
}

uint32_t frame_slices(const struct frames *fs, uint32_t f, uint32_t skip, struct iovec *out,
                      uint32_t max, uint32_t *covers)
{
	struct frame *frame = frame_at(fs, f);
	uint32_t have = (uint32_t)(frame->inline_end - frame->offset), n = 0;
	char *piece = frame->data + frame->offset;

	*covers = 0;
	for (uint32_t b = frame->first_block; n < max; b = block_at(fs, b)->next) {
		if (skip < have) {
			out[n++] = (struct iovec){ piece + skip, have - skip };
			*covers += have - skip;
			skip = 0;
		} else {
			skip -= have;
		}
		if (b == POOL_NONE)
			break;
		piece = block_at(fs, b)->data;
		have = block_at(fs, b)->used;
	}
	return n;
}
