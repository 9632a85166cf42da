/*
 * fault.h: what options_load() has to say: one error, and any number of warnings. Lines without a newline, of
 * printable bytes: what came from outside is quoted with option_value_quote().
 */
#ifndef FAULT_H
#define FAULT_H

#include "options.h"

/* o->error: the text. False, for `return`. */
__attribute__((format(printf, 2, 3))) bool fault_say(struct options *o, const char *format, ...);

/* o->error: where row `row` has its value from, then the text. False. */
__attribute__((format(printf, 3, 4))) bool fault_at(struct options *o, uint32_t row, const char *format, ...);

/* Adds a line to o->warnings, or nothing if it does not fit. */
__attribute__((format(printf, 2, 3))) void fault_warn(struct options *o, const char *format, ...);

#endif
