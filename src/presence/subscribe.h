/*
 * presence/subscribe.h: CMD_SUBSCRIBE and CMD_UNSUBSCRIBE: rooms, presence of all or of some, and a link's
 * other topics.
 */
#ifndef PRESENCE_SUBSCRIBE_H
#define PRESENCE_SUBSCRIBE_H

#include "presence/state.h"

/*
 * EV_SUBSCRIBED, then for TOPIC_PRESENCE one EV_PRESENCE_LIST of whom it covers. All or nothing: 400 when a
 * topic needs a room and none is named, 429 over the connection's cap, 503 when a table is full.
 */
void subscribe_command(struct engine *e, uint32_t conn, const struct command *, struct now now);

/* EV_UNSUBSCRIBED, whether it was subscribed or not. */
void subscribe_undo_command(struct engine *e, uint32_t conn, const struct command *, struct now now);

#endif
