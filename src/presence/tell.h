/*
 * presence/tell.h: how an event leaves the engine: begin, skip, deliver, end, as the sink of engine.h wants
 * them.
 */
#ifndef PRESENCE_TELL_H
#define PRESENCE_TELL_H

#include "presence/state.h"

/* Stamps the event and opens it. Then skips, then deliveries, then tell_end(). */
void tell_begin(const struct engine *e, struct event *ev, struct now now);
void tell_skip(const struct engine *e, uint32_t conn);
void tell_skip_links_of(const struct engine *e, uint32_t user);
void tell_link(const struct engine *e, uint32_t conn);
void tell_links_of(const struct engine *e, uint32_t user);
void tell_skip_receivers(const struct engine *e, const struct receivers *rs, uint8_t mask);
/* Links with one of `topics`, which are of no room; LINK_HERE: all there are. */
void tell_hearing(const struct engine *e, uint8_t topics);
/* Those of the list that want a bit of mask. */
void tell_receivers(const struct engine *e, const struct receivers *rs, uint8_t mask);
uint32_t tell_end(const struct engine *e); /* connections it was queued for */

/* A whole event to one link. */
void tell_only(const struct engine *e, uint32_t conn, struct event *ev, struct now now);

/* Answers to a command: the error of `code`; EV_ACK with who did it filled in. */
void tell_error(const struct engine *e, uint32_t conn, const struct command *, int code, struct str text,
		struct now now);
void tell_ack(const struct engine *e, uint32_t conn, const struct command *, struct event *ev,
	      struct now now);

/* A note for logs and back ends; device POOL_NONE: none. */
void tell_note(const struct engine *e, enum engine_note, uint32_t user, uint32_t device, int64_t number,
	       struct now now);

/* A number that names a user, or a user in a room, for conflation. */
uint32_t tell_subject(const struct engine *e, struct str user, struct str room);

#endif
