/*
 * presence/event.h: what the engine tells connections, in no dialect's words.
 *
 * An event lives for one begin/deliver/end of the sink (engine.h). All slices
 * borrow the engine or the command that caused it. A dialect that has no words
 * for an event says so and nothing is sent to its connections.
 */
#ifndef PRESENCE_EVENT_H
#define PRESENCE_EVENT_H

#include "base/clock.h"
#include "base/str.h"
#include "presence/command.h"

/* A user as somebody may see them. */
struct presence_view {
	struct str user_id;
	struct str username;        /* the user id when none was given */
	enum status status;         /* STATUS_OFFLINE for an invisible user unless the viewer is the user */
	struct str custom;          /* absent: null */
	wall_t custom_expires;      /* WALL_NONE: null */
	struct str metadata;        /* raw JSON object; absent: null */
	wall_t last_seen;           /* WALL_NONE: never seen */
	uint32_t device_count;      /* device ids, not connections */
	bool online;                /* as shown: status != STATUS_OFFLINE */
	bool known;                 /* false: no record of this id;
	                             * everything else says "offline, never seen" */
};

/* Pulls views one by one while an event is encoded; rewinds by itself when `next` returned false. */
struct presence_list {
	bool (*next)(struct presence_list *, struct presence_view *out);
	void *ctx;
	uint32_t position;
};

enum event_type {
	EV_CONNECTED,     /* to one connection: who it is */
	EV_PONG,
	EV_HEARTBEAT_ACK,
	EV_AUTHENTICATED, /* user.user_id, expires */
	EV_AUTH_FAILED,   /* text */
	EV_AUTH_EXPIRING, /* expires: the token ends then */
	EV_PRESENCE,      /* user, change */
	EV_PRESENCE_TEXTS, /* user: behind a change whose words may lack the custom status and metadata */
	EV_PRESENCE_LIST, /* list */
	EV_ROSTER,        /* list: the users online, sorted by id */
	EV_SUBSCRIBED,    /* subscription */
	EV_UNSUBSCRIBED,
	EV_TYPING,        /* room, kind, user, is_typing */
	EV_RECEIPT,       /* room, messages, is_read, user, at */
	EV_CALL_INCOMING, /* call, from user/device */
	EV_CALL_OFFER,    /* call, body */
	EV_CALL_ANSWER,
	EV_CALL_ICE,
	EV_CALL_ENDED,    /* call, text: reason */
	EV_MESSAGE,       /* a broadcast from outside: kind, text (its
	                   * type or absent), body (raw JSON data) */
	EV_ACK,           /* to the sender: `command` was done; carries the fields its own event would */
	EV_ERROR,         /* code, text */
	EV_COUNT
};

enum presence_change {
	CHANGE_UPDATED,
	CHANGE_ONLINE,    /* came online, as shown to these receivers */
	CHANGE_OFFLINE,
};

/* Which state an undelivered event would have told;
 * a slow reader may miss all but the newest of one kind and subject. */
enum conflation { CONFLATE_NEVER, CONFLATE_PRESENCE, CONFLATE_TYPING, CONFLATE_ROSTER };

struct event {
	enum event_type type;
	struct str id;                  /* of this message, where the dialect has a place for one;
	                                 * absent: none */
	enum command_type command;      /* EV_ACK, EV_ERROR: what is answered (CMD_COUNT: not known) */
	struct str reply_to;            /* raw JSON id of the request; absent:
	                                 * not an answer, or none was given */
	wall_t at;                      /* when: the `timestamp` of every dialect */
	enum conflation conflation;
	uint32_t subject;               /* with conflation: a number that names the user, or user and room */

	struct presence_view user;      /* the one it is about; from whom */
	enum presence_change change;
	bool unchanged;                 /* EV_ACK of CMD_PRESENCE: no EV_PRESENCE for it reaches this
	                                 * connection, now or when the rate allows, since all know the
	                                 * state: a dialect that answers by broadcast answers now */
	bool status_changed;            /* EV_PRESENCE: false when only custom status or metadata did */
	struct presence_list *list;

	struct str connection_id;       /* EV_CONNECTED */
	struct str device_id;           /* EV_CONNECTED; EV_CALL_INCOMING: the caller's */
	struct str session;             /* EV_CONNECTED */
	uint32_t heartbeat_interval_s;  /* EV_CONNECTED */
	bool anonymous;                 /* EV_CONNECTED before authentication: user_id is null */

	uint8_t topics;                 /* EV_SUBSCRIBED, EV_UNSUBSCRIBED */
	struct strs rooms, users;       /* the same, as asked */
	bool rooms_listed, users_given;

	struct str room;                /* EV_TYPING, EV_RECEIPT; absent in typing to recipients of no room */
	enum room_kind kind;
	bool is_typing;
	bool is_read;
	struct strs messages;

	struct str call_id;
	struct str body;                /* raw JSON: sdp, candidate, data of a broadcast */
	wall_t expires;                 /* EV_AUTHENTICATED (WALL_NONE: null), EV_AUTH_EXPIRING */
	int code;                       /* EV_ERROR: 400, 401, 403, 404, 429, ... */
	struct str text;                /* EV_ERROR message, EV_CALL_ENDED reason,
	                                 * EV_AUTH_FAILED reason, EV_MESSAGE type */
};

#endif
