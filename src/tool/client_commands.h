/* tool/client_commands.h: what a person types, or a pipe says, line by line. */
#ifndef TOOL_CLIENT_COMMANDS_H
#define TOOL_CLIENT_COMMANDS_H

#include "tool/client_session.h"

enum client_did {
	CLIENT_DONE,
	CLIENT_QUIT,
	CLIENT_WRONG, /* said why */
	CLIENT_LATER, /* there is no room for it now: the same again later */
};

/*
 * Does what one line says: sub ID, unsub ID, typing ID, ping, status S [TEXT], send JSON, help, quit; a line
 * that begins with `{` is sent as it is; an empty one, and one that begins with `#`, does nothing.
 */
enum client_did client_commands_do(struct client_session *s, struct str line);

#endif
