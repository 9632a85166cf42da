/* tool/help.h: the option table as text, on standard output. */
#ifndef TOOL_HELP_H
#define TOOL_HELP_H

void help_print(void);

/* The same as a table for the README. */
void help_print_markdown(void);

#endif
