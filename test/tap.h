/*
 * test/tap.h: the smallest test frame: one line of TAP (testanything.org, version 13) per case, one exit code.
 *
 *	int main(void) { tap_ok(2 + 2 == 4, "addition"); tap_is_u64(f(), 7, "f of %s", "x"); return tap_done(); }
 */
#ifndef TEST_TAP_H
#define TEST_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned tap_run, tap_failed;

__attribute__((format(printf, 2, 3))) static bool tap_ok(bool ok, const char *fmt, ...)
{
	va_list ap;

	tap_run++;
	tap_failed += !ok;
	printf("%s %u - ", ok ? "ok" : "not ok", tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return ok;
}

/* Prints both values when they differ. */
__attribute__((unused)) static bool tap_is_u64(uint64_t got, uint64_t want, const char *name)
{
	bool ok = tap_ok(got == want, "%s", name);

	if (!ok)
		printf("# got %" PRIu64 ", want %" PRIu64 "\n", got, want);
	return ok;
}

__attribute__((unused)) static bool tap_is_str(const char *got, const char *want, const char *name)
{
	bool ok = tap_ok(strcmp(got, want) == 0, "%s", name);

	if (!ok)
		printf("# got  %s\n# want %s\n", got, want);
	return ok;
}

/* Prints the plan; the exit code of the program. A program that ran no case fails. */
static int tap_done(void)
{
	printf("1..%u\n", tap_run);
	fflush(stdout);
	return tap_run == 0 || tap_failed != 0;
}

#endif
