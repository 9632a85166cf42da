/*
 * presence/engine.h: the one place where presence is decided. Sans I/O, sans JSON, sans clock, sans malloc.
 *
 * Input: connections that come and go, their commands, writes from REST, and due timers;
 * each call takes `now`.
 * Output: events, handed to `struct engine_sink` before the call returns. Connections are the server's dense
 * numbers (0 .. connections_max-1); the engine keeps one link per number and knows nothing else of them.
 *
 * Rules (CONTRACT 2):
 *  - a user is online while any link lives and for offline_debounce after the
 *    last one went; reconnecting within it changes nothing. `online`/`away`
 *    belong to devices; busy, dnd, invisible to the user, last set wins.
 *  - the same state set again makes no event;
 *    at most presence_rate broadcasts per user and second, the last state never lost.
 *  - an invisible user is offline in every output but their own.
 * Memory: everything comes from the region given at start, sized by the config; a full table is an error
 * event (429 or 503), never a crash. Records of offline users are remembered for presence_ttl and evicted
 * oldest first when space is needed.
 */
#ifndef PRESENCE_ENGINE_H
#define PRESENCE_ENGINE_H

#include "base/region.h"
#include "base/wheel.h"
#include "presence/command.h"
#include "presence/event.h"

struct engine;

struct peerlink;

struct engine_config {
	uint32_t connections_max;
	uint32_t users_max;               /* online, remembered and watched */
	uint32_t rooms_max, subscriptions_max, typing_max, calls_max;
	uint32_t metadata_max;            /* users that may have metadata or a custom
	                                   * status over the small string classes */
	uint32_t connections_per_user_max; /* 0: no cap */
	uint32_t subscriptions_per_connection_max;
	int64_t offline_debounce_ms, stale_timeout_ms, cleanup_interval_ms, presence_ttl_ms, typing_ttl_ms;
	uint32_t presence_rate;           /* broadcasts per user and second; 0: no limit */
	bool audience_rooms;              /* presence only among users who share a room,
	                                   * where the dialect has no topic */
	uint8_t hash_key[16];
	/* Other engines (peer.h); NULL: there are none. */
	const struct peerlink *peers;     /* must outlive the engine */
	uint32_t remotes_max;             /* connections and devices at other nodes that are known of */
	uint32_t rooms_here_max;          /* of rooms_max: with members here; 0: all */
	uint32_t node_tag;                /* random; tells this node's versions from others' */
};

/* Why the engine wants a connection gone. */
enum engine_close { ENGINE_CLOSE_REPLACED, ENGINE_CLOSE_STALE, ENGINE_CLOSE_KICKED };

/* What happened to users and connections, for the log, back ends and metrics. */
enum engine_note {
	NOTE_CONNECTED,        /* user, device; number: connections of the user now */
	NOTE_CAME_ONLINE,      /* user, device */
	NOTE_DISCONNECTED,     /* user, device; number: remaining connections */
	NOTE_OFFLINE_SCHEDULED, /* user; number: debounce in ms */
	NOTE_RECONNECTED,      /* user; number: connections: within the debounce */
	NOTE_WENT_OFFLINE,     /* user */
	NOTE_ROSTER_CHANGED,   /* the set of visible online users, at most once a second; number: how many */
	NOTE_RATE_LIMITED,     /* user: a presence broadcast is put off */
};

struct engine_sink {
	void *ctx;
	/* One event: begin, then skip and deliver any number of times, then end.
	 * skip: these do not get it. A connection that is delivered to twice gets it once.
	 * end returns how many connections it was queued for. */
	void (*begin)(void *ctx, const struct event *);
	void (*skip)(void *ctx, const uint32_t *conns, uint32_t n);
	void (*deliver)(void *ctx, const uint32_t *conns, uint32_t n);
	uint32_t (*end)(void *ctx);
	/* Close this connection soon: must not call back into the engine from here. It is detached
	 * already: nothing more is delivered to it, and what the server still says of it (touch, command,
	 * detach) is ignored. */
	void (*close)(void *ctx, uint32_t conn, enum engine_close why);
	void (*note)(void *ctx, enum engine_note, struct str user, struct str device,
		     int64_t number, struct now);
	/* What the connection was attached with as `key`. Counts with peers. */
	uint64_t (*key)(void *ctx, uint32_t conn);
};

/* Timer kinds 0 .. ENGINE_TIMER_KINDS-1 of the shared wheel are the engine's. */
enum { ENGINE_TIMER_KINDS = 16 };

enum engine_status {
	ENGINE_OK,
	ENGINE_FULL,      /* a table is full: nothing changed */
	ENGINE_UNKNOWN,   /* no such user, device, connection */
};

/* Carves the engine from `r` (measuring when the region does).
 * `wheel` and `sink` must outlive it. NULL while measuring. */
struct engine *engine_new(const struct engine_config *, struct region *r, struct wheel *wheel,
			  const struct engine_sink *sink, struct now);

struct attachment {
	struct str user_id;        /* a valid id (CONTRACT 2) */
	struct str username;       /* absent: the user id */
	struct str device_id;      /* absent: generated from `key` */
	uint8_t topics;            /* what it hears without asking: TOPIC_PRESENCE, TOPIC_ROSTER or 0 */
	bool hears_own_arrival;    /* its dialect has no greeting: the arrival itself is one (rooms) */
	uint8_t dialect;           /* opaque here; told back by engine_devices_next */
	uint64_t key;              /* random, unique: the connection id is its 16 hex digits */
};

/* A connection is identified. Emits nothing to `conn` itself (the session greets, before this call) unless
 * hears_own_arrival; tells others when the user came online; a roster listener gets the roster. May close
 * the user's longest-silent connection. */
enum engine_status engine_attach(struct engine *, uint32_t conn, const struct attachment *, struct now);

/* The connection is gone, or its close was decided.
 * Its subscriptions, typing and calls end; the debounce starts. */
void engine_detach(struct engine *, uint32_t conn, struct now);
bool engine_attached(const struct engine *, uint32_t conn);
/* The number of its user, below users_max, the same for all of the user's connections;
 * for per-user limits. */
uint32_t engine_user_number(const struct engine *, uint32_t conn);

/* A sign of life: any frame. */
void engine_touch(struct engine *, uint32_t conn, struct now);

/* CMD_PRESENCE .. CMD_CALL_HANGUP from an attached connection:
 * emits the answer (EV_ACK, EV_ERROR, ...) and the events. */
void engine_command(struct engine *, uint32_t conn, const struct command *, struct now);

/* The process stood still until now: nobody could show that they are there, nor was asked. */
void engine_stalled(struct engine *, struct now);

/* A due timer of one of the engine's kinds, popped from the wheel. */
void engine_timer(struct engine *, struct timer *, struct now);

/* --- REST --- */
enum engine_status engine_put_presence(struct engine *, struct str user_id,
				       const struct presence_patch *, struct now);
/* A sign of life from a device without a socket. */
enum engine_status engine_heartbeat(struct engine *, struct str user_id, struct str device_id, struct now);
enum engine_status engine_typing(struct engine *, struct str room, struct str user_id,
				 bool is_typing, struct now);

struct broadcast {
	bool all;
	struct strs users;
	bool users_given;
	struct str room;           /* absent: not to a room */
	uint8_t topic;             /* 0: not by topic */
	struct strs exclude;       /* user ids */
	struct str type;           /* absent: the dialect's own */
	struct str data;           /* raw JSON */
};
/* Number of connections it was queued for: of this engine, though others pass it on to theirs. */
uint32_t engine_broadcast(struct engine *, const struct broadcast *, struct now);
/* The same for what every engine hears by itself: it is not passed on. */
uint32_t engine_broadcast_local(struct engine *, const struct broadcast *, struct now);

/* --- queries: views borrow the engine until its next call --- */
/* As everybody else sees the user; an unknown id gives known=false. */
void engine_view(const struct engine *, struct str user_id, struct presence_view *out, struct now);
/* Users shown as online in id order: the first whose id is > `after` (absent: the first of all). */
bool engine_online_after(const struct engine *, struct str after, struct presence_view *out, struct now);

struct device_view {
	struct str device_id;
	uint32_t conn;            /* UINT32_MAX: none here */
	uint64_t key;             /* of a connection elsewhere; 0: none, a device without a socket */
	uint8_t dialect;
	wall_t connected_at, last_seen;
	char device_id_text[16];
};
/* Connections of one user (none for an invisible one). *cursor starts at 0; false when done. */
bool engine_devices_next(const struct engine *, struct str user_id, uint32_t *cursor,
			 struct device_view *out, struct now);

/* Who a connection is: the user's id, name and device; false if not attached. */
bool engine_whois(const struct engine *, uint32_t conn, struct str *user_id,
		  struct device_view *out, struct now);
/*
 * The room of number `n` (from 0 on, in no order) that the connection is subscribed to; false: it has no
 * more. The id lives until the engine's next call. O(n).
 */
bool engine_room_of(const struct engine *, uint32_t conn, uint32_t n, struct str *room, enum room_kind *kind);

/* Connections of a user, invisible ones too, for admin's DELETE:
 * fills at most `max`, returns how many there are. */
uint32_t engine_connections_of(const struct engine *, struct str user_id, uint32_t *out, uint32_t max);
/* Asks the other nodes to close theirs; returns how many there are. */
uint32_t engine_kick_elsewhere(struct engine *, struct str user_id);
/* Asks the node that has the connection of this key to close it; false: no other node has it. O(users). */
bool engine_kick_one_elsewhere(struct engine *, uint64_t key);

struct engine_stats {
	uint32_t links, users_linked; /* connections to this node, and the users who have one */
	uint32_t users_online, users_by_status[STATUS_COUNT], users_known, devices;
	uint32_t rooms, subscriptions, watches, typing, calls;
};
void engine_stats(const struct engine *, struct engine_stats *out);

/* Walks everything and checks every invariant; O(all). For tests, fuzzers and the simulator. */
bool engine_valid(const struct engine *);

#endif
