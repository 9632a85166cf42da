/*
 * dialect/topic.h: the names of topics that a client may subscribe to (seed 001, Subscription Topics).
 */
#ifndef DIALECT_TOPIC_H
#define DIALECT_TOPIC_H

#include <stdbool.h>

#include "base/jsonw.h"
#include "base/str.h"
#include "presence/command.h"

/* For error texts; a literal, so that it can be joined with a field's path. */
#define TOPIC_WORDS "user, conversation, presence, typing, calls, notifications"

/* Exact, lower case. False and *out untouched for any other word. */
bool topic_of_word(struct str word, enum topic *out);

/* Writes an array of the names of the bits set, in the document's order; bits without a name are left out. */
void topic_write(struct jsonw *w, uint8_t topics);

#endif
