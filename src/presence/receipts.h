/* presence/receipts.h: CMD_RECEIPT: somebody read messages, or got them. Passed on, not kept. */
#ifndef PRESENCE_RECEIPTS_H
#define PRESENCE_RECEIPTS_H

#include "presence/state.h"

/*
 * EV_ACK; EV_RECEIPT to the room's TOPIC_CONVERSATION and to the sender's devices, never to the reader's own.
 */
void receipts_command(struct engine *e, uint32_t conn, const struct command *, struct now now);

/* PEER_RECEIPT: of a reader at another node. */
void receipts_hear(struct engine *e, uint32_t reader, const struct peer_message *, struct now now);

#endif
