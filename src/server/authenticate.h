/*
 * server/authenticate.h: tokens that come in a message, and the end of those that a connection came in with.
 *
 * A connection that may authenticate in-band and has not yet is a stranger (CONN_STRANGER): LIVE, unknown to
 * the engine, and closed 1008 after `auth-timeout`. Whoever is in renews with another token of the same
 * user, in any dialect; a minute before a token ends its connection is told, and closed 4001 when it has
 * ended.
 */
#ifndef SERVER_AUTHENTICATE_H
#define SERVER_AUTHENTICATE_H

#include "presence/command.h"
#include "server/session.h"

struct server;

enum { STRANGER_MESSAGE_BYTES_MAX = 8192 }; /* CONTRACT 3 */

/*
 * A stranger came in: keeps what its request said of it. False: no room. `claimed`: the user id in it, or
 * absent.
 */
bool authenticate_expect(struct server *, struct conn *, struct str device_id, struct str claimed);

/* It has auth-timeout from now on. */
void authenticate_within(struct server *, struct conn *);

/* The connection came in with a token that ends at `expires`; WALL_NONE: never. */
void authenticate_until(struct server *, struct conn *, wall_t expires);

/* CMD_AUTHENTICATE. */
void authenticate_command(struct server *, struct conn *, const struct command *);

/* The token that had to wait, looked at again; or what it waited for never came. */
void authenticate_again(struct server *, struct conn *, struct str token, struct str reply_to);
void authenticate_gave_up(struct server *, struct conn *, struct str reply_to);

/* When this connection is to be told or closed; MONO_NEVER: not for its token. */
mono_t authenticate_deadline(const struct server *, const struct conn *);

/* Something of it is due: tells, or closes (and the connection is LIVE no more). */
void authenticate_timer(struct server *, struct conn *);

#endif
