/*
 * server/message.h: one whole message of a client: from its
 * text to the engine, and the answers that need no engine.
 * Errors are answered to the client here, in its dialect's words;
 * the caller learns of them only by the state.
 */
#ifndef SERVER_MESSAGE_H
#define SERVER_MESSAGE_H

#include "presence/event.h"
#include "server/conn.h"

struct server;

/* A message with all its bytes, which may be changed (JSON is unescaped in place).
 * The connection may be closed for it. */
void message_take(struct server *, struct conn *, unsigned opcode, uint8_t *bytes, size_t n);

/* An event of this turn, to be filled; an answer to `cmd`, unless that is NULL. */
struct event message_event(const struct server *, enum event_type, const struct command *cmd);

#endif
