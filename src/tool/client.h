/* tool/client.h: `presenced client`: a terminal client for every dialect, over ws:// and wss://. */
#ifndef TOOL_CLIENT_H
#define TOOL_CLIENT_H

/*
 * `args`: what stands behind the command's name, up to NULL. Runs until it is told to leave, standard input
 * ends, the script is through, or the server closes. The exit code: 0; 1 when the link could not be opened,
 * the server ended it, or something was not answered; 2 after one line about wrong arguments; 128 + n after
 * signal n.
 */
int client_run(char *const *args);

#endif
