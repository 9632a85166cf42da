/*
 * option_list.h: the values of options that are lists: text into struct options and back. What
 * option_value.h promises holds here too.
 */
#ifndef OPTION_LIST_H
#define OPTION_LIST_H

#include "option_value.h"

/* Is the option a list, and therefore repeatable? The functions below take no other. */
bool option_list_is(const struct option *row);

bool option_list_set(struct options *o, const struct option *row, struct str value, bool anew,
		     char why[OPTION_WHY_BYTES]);
bool option_list_put(const struct options *o, const struct option *row, uint32_t i,
		     char out[OPTION_VALUE_BYTES_MAX]);

#endif
