/*
 * presence/announce.h: who is told of a user's presence, when, and that nobody is told twice.
 *
 * Others are told when what they see differs from what they were told last, at most presence_rate times a
 * second per user; in between the broadcast is pending and then tells the last state, or nothing when that is
 * what they know already.
 * Snapshots: a link that was shown the state of users (a list after subscribing, its own greeting) while a
 * broadcast was pending knows what that broadcast would say. Snapshots are numbered; a user's `changed` is
 * the number of the last one before the state changed. A link whose `snapshot` is above a user's `changed`,
 * or whose watch bears WATCH_SEEN, is passed over.
 */
#ifndef PRESENCE_ANNOUNCE_H
#define PRESENCE_ANNOUNCE_H

#include "presence/state.h"

/* What can change about a user. Take it before a change, and give it to announce_changed() after. */
struct announce_state {
	enum status status;
	uint64_t texts, shown_texts;
};
struct announce_state announce_state_of(const struct engine *e, uint32_t user);

/* Brings what follows from the change up to date (roster, snapshots), and tells nobody yet. */
void announce_changed(struct engine *e, uint32_t user, const struct announce_state *before);

/* Somebody does not know the user's state as it is: announce() will tell, now or later. */
bool announce_due(const struct engine *e, uint32_t user);

/* That broadcast, or the one that just went out, reaches this link of the user. */
bool announce_reaches_own(const struct engine *e, uint32_t conn);

/*
 * Tells, or notes that it is to be told when the rate allows, and arms the user's timer. Call after every
 * change of a user.
 */
void announce(struct engine *e, uint32_t user, struct now now);

/* The texts of one who was told to be offline count as told: they are with what is told next. */
void announce_hush(const struct engine *e, uint32_t user);

/*
 * The user is about to enter rooms: has interests or haunts that are not interests_entered() yet. Those who
 * hear of room mates alone, and did not hear of the user through a room so far, are told how things stand.
 * Nothing when the user is shown as offline, or when a broadcast waits, which will reach them too.
 */
void announce_entering(const struct engine *e, uint32_t user, struct now now);

/* The link was shown all users' state, or its own: it needs no broadcast of what is pending now. */
void announce_snapshot(struct engine *e, uint32_t conn);

/* A watch (interest) was shown its user's state. */
void announce_seen(struct engine *e, uint32_t interest);

/* Somebody who may hear of the user was shown the state by an answer. */
void announce_asked(struct engine *e, uint32_t user);

/* Tells the roster's listeners if it changed since, at most once a second. */
void announce_roster(struct engine *e, struct now now);

/* The roster to one link. */
void announce_roster_to(struct engine *e, uint32_t conn, struct now now);

/*
 * Arms the user's timer for the earliest of all that waits: debounce, rate window, expiry of custom status or
 * of a device.
 */
void announce_arm(struct engine *e, uint32_t user, struct now now);

#endif
