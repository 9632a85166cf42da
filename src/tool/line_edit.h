/*
 * tool/line_edit.h: one line being typed on a terminal, with its history: bytes of the keyboard in, bytes for
 * the screen out. Pure: no terminal is touched here.
 *
 * The line takes one row of the screen and scrolls sideways in it, so that whoever prints something above it
 * needs LINE_EDIT_ERASE before and line_edit_draw() after, whatever is being typed. Keys: arrows, home, end,
 * delete, backspace; Ctrl with A B D E F H K L N P U W; Ctrl or Alt with arrows, B and F by words. The line
 * is always valid UTF-8 without control characters; the cursor never stands between a character and its
 * marks.
 */
#ifndef TOOL_LINE_EDIT_H
#define TOOL_LINE_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/utf8.h"

enum {
	LINE_EDIT_BYTES_MAX = 8192,      /* of a line; more is not taken */
	LINE_EDIT_HISTORY_BYTES = 32768, /* the oldest lines go first */
	LINE_EDIT_PROMPT_BYTES_MAX = 256,
	LINE_EDIT_DRAW_BYTES_MAX = LINE_EDIT_BYTES_MAX + LINE_EDIT_PROMPT_BYTES_MAX + 128,
};

/* Takes the row away; the cursor is then at its start. */
#define LINE_EDIT_ERASE STR("\r\x1b[K")

enum line_edit_event {
	LINE_EDIT_NONE,      /* perhaps something to draw */
	LINE_EDIT_LINE,      /* line_edit_take() has it */
	LINE_EDIT_INTERRUPT, /* Ctrl-C */
	LINE_EDIT_END,       /* Ctrl-D on an empty line */
	LINE_EDIT_CLEAR,     /* Ctrl-L: clear the screen, then draw */
	LINE_EDIT_SUSPEND,   /* Ctrl-Z */
};

struct line_edit {
	size_t bytes, cursor; /* of text[]; the cursor stands before text[cursor] */
	size_t from;          /* first byte that is shown */
	size_t held;          /* of half[]: a code point that is not complete yet */
	size_t history_bytes;
	size_t shown; /* where in history[] the line shown begins; history_bytes: it is none */
	size_t stash_bytes;
	uint32_t parameter; /* of an escape sequence: its first number */
	unsigned columns;   /* of the screen */
	uint8_t state;
	bool modified; /* an escape sequence has a second number: Ctrl or Alt is held */
	struct utf8 utf8;
	char half[UTF8_BYTES_MAX];
	size_t prompt_bytes;
	const char *prompt_on, *prompt_off; /* how it is coloured */
	char prompt[LINE_EDIT_PROMPT_BYTES_MAX];
	char text[LINE_EDIT_BYTES_MAX];
	char stash[LINE_EDIT_BYTES_MAX];       /* what was being typed before the history was looked at */
	char history[LINE_EDIT_HISTORY_BYTES]; /* lines, each with its newline */
};

/* An empty line on a screen of 80 columns, no prompt, no history. */
void line_edit_init(struct line_edit *e);

/* Copied; cut when it is too long. Valid UTF-8 without control characters. */
void line_edit_set_prompt(struct line_edit *e, struct str prompt);

/* One byte of the keyboard. After LINE_EDIT_LINE call line_edit_take() before the next. */
enum line_edit_event line_edit_feed(struct line_edit *e, uint8_t byte);

/* The line that was ended: remembered in the history, copied to out[] as it is and then no longer being
 * edited. Its bytes. */
size_t line_edit_take(struct line_edit *e, char out[LINE_EDIT_BYTES_MAX]);

/* Writes what shows prompt, line and cursor on the row that the screen's cursor stands in; its bytes. */
size_t line_edit_draw(struct line_edit *e, char out[LINE_EDIT_DRAW_BYTES_MAX]);

/* The columns that valid text without control characters takes on a terminal. */
size_t line_edit_columns(struct str text);

#endif
