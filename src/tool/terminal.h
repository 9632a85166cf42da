/* tool/terminal.h: the terminal in raw mode, given back whatever ends the process. */
#ifndef TOOL_TERMINAL_H
#define TOOL_TERMINAL_H

#include <stdbool.h>

/* Takes the terminal of standard input byte by byte, without echo and signals of the keyboard. False: it
 * cannot be done, and nothing changed. A crash gives the terminal back; whoever leaves calls
 * terminal_restore(). */
bool terminal_raw(void);

/* As it was before terminal_raw(); may be called at any time, from a signal handler too. */
void terminal_restore(void);

/* Columns of standard output's terminal, 80 when it does not say. */
unsigned terminal_columns(void);

/* Standard output may be coloured: it is a terminal, and neither NO_COLOR nor TERM speaks against it. */
bool terminal_has_colour(void);

/* There is a terminal on both sides that can move its cursor. */
bool terminal_can_edit(void);

#endif
