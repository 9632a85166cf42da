/*
 * server/note.h: what the engine says beside events: connections it wants gone, and what happened to users,
 * for the log (seed 003). Both are members of its sink (presence/engine.h); `ctx` is the struct server.
 */
#ifndef SERVER_NOTE_H
#define SERVER_NOTE_H

#include "presence/engine.h"

/* Closes the connection with the code for `why`; the engine has let go of it already. */
void note_close(void *ctx, uint32_t conn, enum engine_close);

/* One line of the log; slices are read before it returns. */
void note_write(void *ctx, enum engine_note, struct str user, struct str device, int64_t number, struct now);

#endif
