/*
 * presence/command.h: what a client can ask of the engine, in no dialect's words.
 *
 * A dialect fills one `struct command` from one message; the engine reads it once. All slices borrow the
 * decoded message and the decoder's scratch, and die when the call that received them returns. Lengths and
 * UTF-8 of ids, the cap of texts and the shape of raw JSON were checked by the dialect: the engine asserts
 * what it relies on.
 */
#ifndef PRESENCE_COMMAND_H
#define PRESENCE_COMMAND_H

#include "base/clock.h"
#include "base/str.h"

enum status {
	STATUS_OFFLINE, /* never set by a client: "offline" from a client is STATUS_INVISIBLE */
	STATUS_ONLINE,
	STATUS_AWAY,
	STATUS_BUSY,
	STATUS_DND,
	STATUS_INVISIBLE, /* shown as offline to everybody but the user */
	STATUS_COUNT
};

/* What a connection wants to hear. Bits, so that a subscription is one mask. */
enum topic {
	TOPIC_USER = 1 << 0,          /* events addressed to the user */
	TOPIC_CONVERSATION = 1 << 1,  /* of a room: messages, receipts, typing */
	TOPIC_PRESENCE = 1 << 2,      /* other users' presence */
	TOPIC_TYPING = 1 << 3,        /* of a room: typing alone */
	TOPIC_CALLS = 1 << 4,
	TOPIC_NOTIFICATIONS = 1 << 5,
	TOPIC_ROSTER = 1 << 6,        /* the set of online users (seed 003); no client names it */
	TOPIC_ROOM_PRESENCE = 1 << 7, /* of a room: its users' presence, with audience=rooms;
	                               * no client names it */
	TOPIC_OF_ROOM = TOPIC_CONVERSATION | TOPIC_TYPING | TOPIC_ROOM_PRESENCE,
};

/*
 * How a room was first named; dialect `rooms` says it back (channel_id or dm_id). One id space for both. The
 * others name neither, which settles nothing; where it has to be said it is a channel.
 */
enum room_kind { ROOM_UNNAMED, ROOM_CHANNEL, ROOM_DM };

enum command_type {
	CMD_PING,         /* answered by the session: EV_PONG */
	CMD_HEARTBEAT,    /* answered by the session: EV_HEARTBEAT_ACK */
	CMD_AUTHENTICATE, /* answered by the session */
	CMD_LEAVE,        /* answered by the session: close 1000 */
	CMD_PRESENCE,     /* set status, custom status, metadata */
	CMD_QUERY,        /* presence of some users */
	CMD_SUBSCRIBE,
	CMD_UNSUBSCRIBE,
	CMD_TYPING,
	CMD_RECEIPT,      /* mark.read, mark.delivered */
	CMD_CALL_OFFER,
	CMD_CALL_ANSWER,
	CMD_CALL_ICE,
	CMD_CALL_HANGUP,
	CMD_COUNT
};

/* Some strings; `v` borrows the decoder's scratch. */
struct strs {
	const struct str *v;
	uint32_t n;
};

/* A field that may be absent (keep), null (clear) or given. */
enum patch { PATCH_KEEP, PATCH_CLEAR, PATCH_SET };

struct presence_patch {
	bool has_status;               /* false: keep the status */
	enum status status;            /* never STATUS_OFFLINE */
	enum patch custom_patch;
	struct str custom;             /* <= CUSTOM_STATUS_BYTES_MAX, valid UTF-8 */
	wall_t custom_expires;         /* WALL_NONE: never; counts only with PATCH_SET */
	enum patch metadata_patch;
	struct str metadata;           /* raw JSON object, <= METADATA_BYTES_MAX */
};

struct command {
	enum command_type type;
	struct str reply_to;           /* raw JSON of the request's id (string or number);
	                                * absent: none was given */
	union {
		struct presence_patch presence;
		struct strs query;         /* user ids, at most BULK_USERS_MAX */
		struct {
			uint8_t topics;        /* enum topic bits; TOPIC_OF_ROOM bits need `rooms` */
			enum room_kind kind;
			struct strs rooms;     /* room ids */
			bool rooms_listed;     /* asked for as a list;
			                        * says only how the answer names a single room */
			struct strs users;     /* narrows TOPIC_PRESENCE */
			bool users_given;      /* false: TOPIC_PRESENCE covers all one may see */
		} subscription;            /* CMD_SUBSCRIBE, CMD_UNSUBSCRIBE */
		struct {
			struct str room;
			enum room_kind kind;
			bool is_typing;
			struct strs recipients; /* user ids; if n > 0 it goes to them and not to the room */
			bool recipients_given;
		} typing;
		struct {
			bool is_read;          /* else delivered */
			struct str room;
			struct strs messages;  /* >= 1 */
			struct str sender;     /* user id whose devices hear of it too; absent: none */
		} receipt;
		struct {
			struct str id;
			struct str target;     /* CMD_CALL_OFFER: callee's user id */
			struct str body;       /* raw JSON value: sdp or candidate; absent: null */
		} call;
		struct str token;          /* CMD_AUTHENTICATE */
	};
};

#endif
