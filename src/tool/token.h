/* tool/token.h: `presenced token`: tokens for development, as an identity provider would sign them. */
#ifndef TOOL_TOKEN_H
#define TOOL_TOKEN_H

/*
 * `args`: what stands behind the command's name, up to NULL; their texts may be written to. Prints one JWT
 * (HS256) and a newline on standard output. The exit code: 0; 2 after one line on standard error; 1 when
 * standard output takes nothing.
 */
int token_run(char *const *args);

#endif
