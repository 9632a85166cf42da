/*
 * base/jsonesc.h: the escapes of JSON strings (RFC 8259 7), one at a time, as a stream of bytes, or undone
 * in place. For json.c.
 *
 * Strings are given without their quotes. Only jsonesc_take() judges; the others want text in which it
 * found nothing wrong. Nothing here allocates or keeps a pointer beyond the iterator.
 */
#ifndef BASE_JSONESC_H
#define BASE_JSONESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/utf8.h"

/* Why jsonesc_take() refused. */
enum { JSONESC_BAD, JSONESC_SURROGATE };

/*
 * Reads the escape, or the surrogate pair of two, at s.p[0], which is a backslash. Returns the bytes it
 * takes, its code point in *cp; or 0 with the reason in *cp: no escape of JSON's, or half a surrogate pair.
 */
size_t jsonesc_take(struct str s, uint32_t *cp);

/* A reader of what a checked string spells. Borrows the text. */
struct jsonesc {
	const char *p, *end;
	uint8_t held[UTF8_BYTES_MAX];   /* of the escape last read */
	size_t held_at, held_bytes;
};

static inline struct jsonesc jsonesc_of(struct str s)
{
	return (struct jsonesc){ .p = s.p, .end = s.p + s.n };
}

/* The next byte; -1 after the last, and ever after. */
int jsonesc_next(struct jsonesc *c);

/* The order of what two strings spell: bytewise, shorter first, as str_cmp(). */
int jsonesc_cmp(struct jsonesc a, struct jsonesc b);

/* Whether a string spells `s`, whose bytes stand for themselves. */
bool jsonesc_spells(struct jsonesc c, struct str s);

/* Undoes the escapes of text[0, n) in place. Returns the bytes left, <= n; those behind are garbage. */
size_t jsonesc_undo(char *text, size_t n);

#endif
