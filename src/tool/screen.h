/*
 * tool/screen.h: what the client prints. On a terminal that can edit: above the line being typed, coloured.
 * In a pipe: a received message a line on standard output, everything else on standard error.
 *
 * No byte of a server's reaches a terminal as a control: C0, DEL, C1, and the characters that turn or break
 * a line (bidirectional controls, U+2028, U+2029) are printed as \uXXXX, bytes that are not UTF-8 as \xXX.
 */
#ifndef TOOL_SCREEN_H
#define TOOL_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "base/str.h"
#include "tool/line_edit.h"

enum screen_colour { SCREEN_PLAIN, SCREEN_DIM, SCREEN_BOLD, SCREEN_RED, SCREEN_GREEN, SCREEN_CYAN };

struct screen {
	bool edits; /* `edit` is shown on the last row */
	bool colours;
	bool script;       /* everything goes to standard output, messages sent too */
	bool row_is_there; /* prompt and line stand on the screen now */
	struct line_edit *edit;
	char row[LINE_EDIT_DRAW_BYTES_MAX];
};

/* Prints the prompt and the line typed so far, if it edits, and flushes. Call it when nothing more is to be
 * printed for now. */
void screen_draw(struct screen *s);

/* Takes the prompt away until the next draw. */
void screen_hide(struct screen *s);

/* A message that came; `type`, if not absent, is a slice of it, and gets the colour. */
void screen_received(struct screen *s, struct str text, struct str type, enum screen_colour colour);

/* A message that was sent: not shown in a pipe, where nobody asked. */
void screen_sent(struct screen *s, struct str text);

/* One line of our own. The arguments are ours, or went through screen_safe(). */
__attribute__((format(printf, 3, 4))) void screen_say(struct screen *s, enum screen_colour colour,
						      const char *format, ...);

/* Text of a server's or a user's made harmless: as much as fits, with its NUL; returns `out`. */
const char *screen_safe(struct str text, char *out, size_t cap);

#endif
