/*
 * server/note.h: what the engine says beside events: connections it wants gone, and what happened to users, for the log (seed 003).
 * Both are members of its sink (presence/engine.h); `ctx` is the struct server.
 */
#ifndef SERVER_NOTE_H
#define SERVER_NOTE_H

#include "presence/engine.h"

void note_close(void *ctx, uint32_t conn, enum engine_close);
void note_write(void *ctx, enum engine_note, struct str user, struct str device, int64_t number, struct now);

#endif
