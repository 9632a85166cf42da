/*
 * test/feed.h: feeds a parser the same bytes in every way they may arrive, and compares what it said.
 *
 * A subject is a parser under test: `begin` resets it, `step` gives it bytes and writes what it says into the
 * trace. The bytes of each step end at a PROT_NONE page, so that reading one too many dies at once. Ways:
 * whole, byte by byte, and every split in two (above FEED_EVERY_SPLIT_BYTES_MAX: those near both ends, and
 * every 61st between).
 *
 *	feed_check(&subject, in, n, "done(GET /)", "H1 bare LF");   -> one TAP line
 */
#ifndef TEST_FEED_H
#define TEST_FEED_H

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"

enum {
	FEED_BYTES_MAX = 1 << 20,
	FEED_TRACE_BYTES = 16384,
	FEED_EVERY_SPLIT_BYTES_MAX = 1024,
	FEED_SPLIT_STRIDE = 61,
	FEED_SPLIT_ENDS = 128,
};

struct feed_trace {
	size_t n;
	char text[FEED_TRACE_BYTES];
};

/* Appends to the trace; what does not fit is cut. */
__attribute__((format(printf, 2, 3), unused)) static void feed_say(struct feed_trace *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->text + t->n, sizeof(t->text) - t->n, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	t->n += (size_t)n;
	if (t->n >= sizeof(t->text))
		t->n = sizeof(t->text) - 1;
}

/* A copy of in[0, n) whose last byte is the last readable one; writable; valid until the next call. n <=
 * FEED_BYTES_MAX. */
static char *feed_guarded(const void *in, size_t n)
{
	static char *map; /* test code: one page range for the program */
	char *copy;

	if (map == NULL) {
		map = mmap(NULL, FEED_BYTES_MAX + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
		if (map == MAP_FAILED || mprotect(map + FEED_BYTES_MAX, 65536, PROT_NONE) != 0)
			abort();
	}
	if (n > FEED_BYTES_MAX)
		abort();
	copy = map + FEED_BYTES_MAX - n;
	if (n > 0)
		memcpy(copy, in, n);
	return copy;
}

struct feed_subject {
	void *ctx;
	void (*begin)(void *ctx);
	/* More bytes: with `prefix` in[0, n) is all that came so far, else only what is new. May write into
	 * them. */
	void (*step)(void *ctx, char *in, size_t n, struct feed_trace *t);
	/* The input is over: say what the parser waits for. May be NULL. */
	void (*end)(void *ctx, struct feed_trace *t);
	bool prefix;
};

/* The trace of feeding in[0, n) cut after every `first`, then every `step` bytes; step 0: the rest. */
static void feed_run(const struct feed_subject *s, const char *in, size_t n, size_t first, size_t step,
		     struct feed_trace *t)
{
	size_t from = 0, to = first;

	t->n = 0;
	t->text[0] = '\0';
	s->begin(s->ctx);
	for (;;) {
		if (s->prefix)
			s->step(s->ctx, feed_guarded(in, to), to, t);
		else
			s->step(s->ctx, feed_guarded(in + from, to - from), to - from, t);
		if (to == n)
			break;
		from = to;
		to = step == 0 || n - to < step ? n : to + step;
	}
	if (s->end != NULL)
		s->end(s->ctx, t);
}

/* One TAP line: does every way of feeding give `want`? With want == NULL: what the whole gives. */
__attribute__((unused)) static bool feed_check(const struct feed_subject *s, const void *bytes, size_t n,
					       const char *want, const char *name)
{
	static struct feed_trace t, whole;
	const char *in = bytes, *way = "whole";
	size_t cut = n;
	bool ok;

	feed_run(s, in, n, n, 0, &whole);
	want = want == NULL ? whole.text : want;
	t = whole;
	ok = strcmp(t.text, want) == 0;
	if (ok && n > 1) {
		way = "byte by byte";
		feed_run(s, in, n, 1, 1, &t);
		ok = strcmp(t.text, want) == 0;
	}
	for (size_t i = 0; ok && i < n; i++) {
		bool near_end = i < FEED_SPLIT_ENDS || n - i < FEED_SPLIT_ENDS;

		if (n > FEED_EVERY_SPLIT_BYTES_MAX && !near_end && i % FEED_SPLIT_STRIDE != 0)
			continue;
		way = "split";
		cut = i;
		feed_run(s, in, n, i, 0, &t);
		ok = strcmp(t.text, want) == 0;
	}
	tap_ok(ok, "%s", name);
	if (!ok)
		printf("# %s, cut at %zu of %zu\n# got  %s\n# want %s\n", way, cut, n, t.text, want);
	return ok;
}

#endif
