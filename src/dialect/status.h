/*
 * dialect/status.h: the words for enum status (CONTRACT 2), the same in every dialect and in REST.
 */
#ifndef DIALECT_STATUS_H
#define DIALECT_STATUS_H

#include <stdbool.h>

#include "base/str.h"
#include "presence/command.h"

/* For error texts; a literal, so that it can be joined with a field's path. */
#define STATUS_WORDS "online, away, busy, dnd, invisible, offline"

/* Static storage. */
struct str status_word(enum status status);

/* What a client may set: "offline" is STATUS_INVISIBLE, never STATUS_OFFLINE.
 * Exact, lower case. False and *out untouched for any other word. */
bool status_of_word(struct str word, enum status *out);

#endif
