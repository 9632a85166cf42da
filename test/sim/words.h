/*
 * test/sim/words.h: how a table's lines are taken apart.
 */
#ifndef TEST_SIM_WORDS_H
#define TEST_SIM_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static inline struct str trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_of(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* The first word is taken off. */
static inline struct str word(struct str *rest)
{
	struct str w = trim(*rest);
	size_t n = 0;

	while (n < w.n && w.p[n] != ' ' && w.p[n] != '\t')
		n++;
	*rest = trim(str_of(w.p + n, w.n - n));
	return str_of(w.p, n);
}

static inline bool is(struct str s, const char *text)
{
	return str_eq(s, str_of(text, strlen(text)));
}

static inline int64_t number(struct str s)
{
	char text[32] = "";

	memcpy(text, s.p, s.n < sizeof(text) ? s.n : sizeof(text) - 1);
	return strtoll(text, NULL, 10);
}

/* `x3`, `x*`: taken off. */
#endif
