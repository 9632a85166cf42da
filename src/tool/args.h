/* tool/args.h: the arguments of a command that is no server: words, and flags that take one value each. */
#ifndef TOOL_ARGS_H
#define TOOL_ARGS_H

#include <stdbool.h>

/* What args_next() found, unless it was a flag. */
enum { ARGS_END = -1, ARGS_WORD = -2, ARGS_BAD = -3 };

/* A walk over the arguments behind the command's name; all are borrowed. */
struct args {
	char *const *next;
	const char *command;      /* for messages */
	const char *const *flags; /* without `--`, up to NULL */
};

/*
 * Takes `--flag V`, `--flag=V` or a word. The flag's index in `flags`, with its value in *value; ARGS_WORD,
 * with the word; ARGS_END; ARGS_BAD after one line on standard error (an unknown flag, or one without its
 * value).
 */
int args_next(struct args *a, char **value);

/* One line on standard error: "presenced: COMMAND: ...". Always false, so that a check can return it. */
__attribute__((format(printf, 2, 3))) bool args_say(const struct args *a, const char *format, ...);

#endif
