/*
 * presence/stay.h: how users come, stay and go: links and devices, the debounce, what expires by itself.
 */
#ifndef PRESENCE_STAY_H
#define PRESENCE_STAY_H

#include "presence/announce.h"
#include "presence/state.h"

/* engine_attach() and engine_detach(). */
enum engine_status stay_attach(struct engine *e, uint32_t conn, const struct attachment *, struct now now);
void stay_detach(struct engine *e, uint32_t conn, struct now now);

/* A sign of life of a link: moves last_seen, never back. */
void stay_touch(struct engine *e, uint32_t conn, struct now now);

/* engine_heartbeat(): a device without a socket, for presence_ttl. */
enum engine_status stay_heartbeat(struct engine *e, struct str user_id, struct str device_id, struct now now);

/*
 * Devices that other nodes host came or went: presence follows, and is announced. debounce_ms: what is left
 * of it, if those were the last; < 0: there were none before either.
 */
void stay_elsewhere(struct engine *e, uint32_t user, int64_t debounce_ms,
		    const struct announce_state *before, struct now now);

/* A user's timer is due. */
void stay_expire(struct engine *e, uint32_t user, struct now now);

/* Every cleanup_interval: closes silent links, forgets old users. */
void stay_sweep(struct engine *e, struct now now);

/* Arms the sweep for one interval from now. */
void stay_sweep_later(struct engine *e, struct now now);

#endif
