/*
 * base/jsonplain.h: what may stand unescaped in a JSON string (RFC 8259 7), one word at a time. Shared by
 * reader and writer.
 */
#ifndef BASE_JSONPLAIN_H
#define BASE_JSONPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Every byte of a word set to `b`. */
#define JSONPLAIN_ALL(b) (UINT64_MAX / 255 * (b))

/* Quote, backslash and C0 do not stand for themselves. */
static inline bool jsonplain_is(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

/*
 * Whether all eight bytes do; for each of the three tests the lowest byte that breaks it carries into bit
 * 7 of its own.
 */
static inline bool jsonplain_word(uint64_t v)
{
	uint64_t quote = v ^ JSONPLAIN_ALL('"');
	uint64_t back = v ^ JSONPLAIN_ALL('\\');
	uint64_t hit = ((quote - JSONPLAIN_ALL(1)) & ~quote) | ((back - JSONPLAIN_ALL(1)) & ~back) |
	               ((v - JSONPLAIN_ALL(0x20)) & ~v);

	return (hit & JSONPLAIN_ALL(0x80)) == 0;
}

/* How many bytes at the front of p[0, n) are plain. Reads nothing beyond n. */
static inline size_t jsonplain_run(const char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		uint64_t v;

		memcpy(&v, p + i, 8);
		if (!jsonplain_word(v))
			break;
	}
	while (i < n && jsonplain_is((unsigned char)p[i]))
		i++;
	return i;
}

#endif
