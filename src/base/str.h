/*
 * base/str.h: a borrowed slice of bytes. Never owns, never NUL-terminated by contract, may hold any byte.
 *
 * A `struct str` lives as long as what it points into; whoever hands one out says how long that is.
 * The null slice (p == NULL, n == 0) means "absent" wherever absent and empty differ.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct str {
	const char *p; /* first byte; NULL only when absent */
	size_t n;      /* bytes */
};

/* A slice of a string literal, without its NUL. */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })

/* The absent slice. */
#define STR_NONE ((struct str){ NULL, 0 })

static inline struct str str_of(const char *p, size_t n)
{
	return (struct str){ p, n };
}

static inline bool str_absent(struct str s)
{
	return s.p == NULL;
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Bytewise order, shorter first among equals: <0, 0, >0 as memcmp. */
static inline int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (d != 0)
		return d;
	return a.n < b.n ? -1 : a.n > b.n;
}

static inline bool str_has_prefix(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline char str_ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Equal when ASCII letters are folded; for tokens that a protocol calls case-insensitive (RFC 9110 5.1). */
static inline bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (str_ascii_lower(a.p[i]) != str_ascii_lower(b.p[i]))
			return false;
	return true;
}

/* Without the spaces and tabs around it (RFC 9110 5.6.3: OWS). */
static inline struct str str_trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_of(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

#endif
