/*
 * presence/status.h: what users set about themselves: status, custom status, metadata; and who "themselves"
 * is.
 *
 * online and away belong to a device; busy, dnd and invisible to the user (an override: the last one set
 * wins). `online` from any device ends an override, `away` only from the device that set it, else it only
 * marks the device. REST is any device and all.
 */
#ifndef PRESENCE_STATUS_H
#define PRESENCE_STATUS_H

#include "presence/state.h"

/*
 * CMD_PRESENCE: EV_ACK, and EV_PRESENCE to whom it may concern; 503 when a text finds no room (nothing
 * changed).
 */
void status_command(struct engine *e, uint32_t conn, const struct command *, struct now now);

/* engine_put_presence(): makes nobody online. */
enum engine_status status_put(struct engine *e, struct str user_id, const struct presence_patch *,
			      struct now now);

/*
 * What another node says that the user set: taken over if it is newer than what is known. Part of
 * engine_peer_user(): tells nobody. False: no room for a text; nothing changed.
 */
bool status_hear(struct engine *e, uint32_t user, const struct peer_profile *, struct now now);

/* A custom status, the user's own or what others are shown, has a date that has passed. */
bool status_lapses(const struct engine *e, uint32_t user, struct now now);

/* Clears such. Tells nobody: part of the user's timer, and of what is told for another reason. */
void status_expire(struct engine *e, uint32_t user, struct now now);

#endif
