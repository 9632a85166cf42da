/*
 * option_value.h: one option's value: text into struct options and back (lists: option_list.h). Knows kinds,
 * not options; pure.
 */
#ifndef OPTION_VALUE_H
#define OPTION_VALUE_H

#include "option.h"

enum {
	OPTION_WHY_BYTES = 320,
	OPTION_PATH_BYTES_MAX = 4095,
	OPTION_VALUE_BYTES_MAX =
		4352,            /* of what option_value_put() writes: a path, at the longest, and its NUL */
	OPTION_QUOTE_BYTES = 96, /* of what option_value_quote() writes */
};

/*
 * Reads `value` as row `row` demands and stores it; `anew` empties a list first. `o` borrows `value`. False:
 * `why` says in one phrase what is wrong ("\"5x\" is not a duration (...)"), NUL-terminated, and the option
 * holds nothing of use.
 */
bool option_value_set(struct options *o, uint32_t row, struct str value, bool anew,
		      char why[OPTION_WHY_BYTES]);

/*
 * Writes value number `i` of the option (0: the only one, unless it is a list) as it could be written in a
 * file, NUL-terminated. False: there is no such value; for i == 0, the option is unset.
 */
bool option_value_put(const struct options *o, uint32_t row, uint32_t i, char out[OPTION_VALUE_BYTES_MAX]);

/* The value a kind wants, for messages: "a duration (500ms, 5s, 1m30s, 1h or seconds)". NUL-terminated. */
void option_value_wanted(const struct option *row, char out[OPTION_WHY_BYTES]);

/* `s` in double quotes, cut when it is long; what a terminal would obey shows as `?`. NUL-terminated; returns
 * `out`. */
const char *option_value_quote(struct str s, char out[OPTION_QUOTE_BYTES]);

/* --- for option_list.c --- */

/* Text of 1 to `max` bytes that a file can hold in one line, quoted or not. */
bool option_value_is_text(struct str value, size_t max);

/* "VALUE is not " what the kind wants; false. */
bool option_value_malformed(const struct option *row, struct str value, char why[OPTION_WHY_BYTES]);

/* Writes a text as a file takes it: quoted when a comment or a quote seems to begin in it, or blanks surround
 * it. NUL-terminated. */
void option_value_put_text(struct str, char out[OPTION_VALUE_BYTES_MAX]);

#endif
