/*
 * base/jsonw.h: writes compact JSON (RFC 8259, no blanks) into one buffer or a chain of chunks.
 *
 * Ownership: the writer borrows the memory between `p` and `end`. When it is full to the last byte, `more`
 * is asked for the next piece; it sets w->p and w->end (at least one byte) and returns true. A text may be
 * cut between chunks at any byte.
 * Errors: sticky. With no `more`, or when that returns false, `failed` is set, and every later call does
 * nothing; what was written before is a prefix of a text and must be thrown away. Check `failed` once, at
 * the end. The caller keeps the grammar (a key before each value in an object); the writer sets the commas,
 * and asserts that ends match begins in number.
 */
#ifndef BASE_JSONW_H
#define BASE_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

struct jsonw {
	char *p;                         /* next byte to write */
	char *end;
	char *begin;                     /* of this chunk */
	bool (*more)(struct jsonw *w);   /* NULL: [begin, end) is all there is */
	void *ctx;                       /* for `more` */
	size_t before_bytes;             /* written to earlier chunks */
	uint32_t depth;                  /* open objects and arrays */
	bool comma;                      /* the next key or element needs one before it */
	bool failed;
};

/* Writes to mem[0, bytes) only. */
void jsonw_init(struct jsonw *w, char *mem, size_t bytes);

/* Writes to mem[0, bytes) first (bytes may be 0), then to whatever more(w) supplies. */
void jsonw_init_chunks(struct jsonw *w, char *mem, size_t bytes, bool (*more)(struct jsonw *w), void *ctx);

/* Bytes written since init, over all chunks. */
size_t jsonw_bytes(const struct jsonw *w);

/* What was written, for a writer made by jsonw_init(); absent slice when it failed. */
struct str jsonw_text(const struct jsonw *w);

void jsonw_obj(struct jsonw *w);
void jsonw_end_obj(struct jsonw *w);
void jsonw_arr(struct jsonw *w);
void jsonw_end_arr(struct jsonw *w);

/* `key` is a literal of ours: printable ASCII without quote and backslash (asserted). */
void jsonw_key(struct jsonw *w, struct str key);

/* A key that came from outside: valid UTF-8, escaped like jsonw_str(). */
void jsonw_key_str(struct jsonw *w, struct str key);

/* `s` is valid UTF-8, of any length; escapes quote, backslash and C0. */
void jsonw_str(struct jsonw *w, struct str s);

/* null for the absent slice. */
void jsonw_str_or_null(struct jsonw *w, struct str s);

/*
 * A JSON value that is already text (json_raw()); copied. null for the absent slice; not empty (asserted).
 */
void jsonw_raw(struct jsonw *w, struct str value);

/* Bytes as they are, no comma before or owed after: for a
 * text that is written in pieces, or not JSON as a whole. */
void jsonw_splice(struct jsonw *w, struct str bytes);

void jsonw_i64(struct jsonw *w, int64_t v);
void jsonw_u64(struct jsonw *w, uint64_t v);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);

/* A string "2026-01-14T12:00:00.123Z"; null for WALL_NONE. */
void jsonw_wall(struct jsonw *w, wall_t t);

#endif
