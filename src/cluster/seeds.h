/*
 * cluster/seeds.h: what the other programs of seeds 002 and 003 read and write in Redis, in their own words.
 *
 *	presence:{user_id}   string, TTL presence-ttl
 *	                     {"user_id","username","status","connection_id","last_seen"}
 *	typing:{room}:{user} string, TTL typing-ttl     the username
 *	presence:updates     {"type":"presence","user_id","username","status","timestamp"}   said and believed
 *	message:broadcast    {"room_id" or "user_ids","message":{...}}                       heard
 *	ws.client.ready, ws.client.disconnected         {"user_id","client_id","timestamp"}  said
 *	presence.user.online {"type":"presence.user.online","users":[...]}                   said
 *
 * Seed 003 names the two ws.client channels and says what a listener does with them (it keys its map by
 * userID and clientID), not what they carry: hence these two, called as in that seed's log, and when. Of who
 * is invisible nothing is said there, nor as typing.
 *
 * An update that a node says ends with a blank, which says nothing to who reads JSON, and to nodes that it is
 * not another program's: they tell each other of users in letters, and would hold one online for it who has
 * gone meanwhile.
 *
 * One node speaks for a user: of the live nodes that host it the one with the smallest id, for a user that
 * nobody hosts the smallest of all. Nodes that do not speak remember what the one that does says, so that
 * they can go on when it dies. Whom another program brought online stays that program's: no key is written.
 *
 * Nothing is lost for want of room at the bus: a user waits in a queue that holds each once, and what is told
 * is how things are then. While the bus is down this queue waits; what is worth nothing later (typing,
 * clients that come and go) is dropped then, and counted.
 *
 * Sans I/O, all memory from the region. seeds_shown(), seeds_changed(), seeds_roster(), seeds_note() and
 * seeds_typing() may be called from inside the engine: they only note down; seeds_turn() does the rest.
 *
 * The way of a change: seeds_shown() queues the user; seeds_turn() -> seeds_user_say() -> seeds_write_*() ->
 * the bus. What is heard: seeds_heard() -> the engine.
 */
#ifndef CLUSTER_SEEDS_H
#define CLUSTER_SEEDS_H

#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/region.h"
#include "base/siphash.h"
#include "cluster/bus.h"
#include "presence/engine.h"
#include "presence/peer.h"

enum {
	SEEDS_HEARD_BYTES_MAX = 65536,   /* a REST broadcast's body may have as many; above: ignored */
	SEEDS_ROSTER_BYTES_MAX = 1 << 20, /* above: not published */
	SEEDS_ROSTER_GAP_MS = 1000,      /* CONTRACT 3, roster */
	SEEDS_TEXT_BYTES = 2048,         /* one key or update: three ids, escaped, fit */
	SEEDS_TURN_USERS = 512,          /* looked at in one turn: well under a millisecond */
	SEEDS_TURN_ROSTER = 1024,        /* ids put into a roster in one turn */
	SEEDS_NODE_MARK = ' ',           /* behind the JSON of an update */
	SEEDS_HAPPENINGS_MAX = 512,      /* clients and typing that wait for the bus; further ones are lost */
	SEEDS_TURN_WALK = 4096,          /* records looked through in one turn */
	SEEDS_TURN_SWEEP = 256,          /* users from outside taken away in one turn */
	SEEDS_SPARE_BYTES = 65536,       /* of the bus' room are left to others */
	SEEDS_RETRY_MS = 10,             /* the bus had no room */
	SEEDS_TICK_MS_MAX = 1000,        /* keys are kept fresh in batches at most so far apart */
	SEEDS_TIDY_MS = 1000,            /* users that came from outside are looked at so often */
	SEEDS_ABSENT_MS = 4000,          /* away for longer: others may have said that our users are gone */
};

struct seeds_config {
	uint32_t users_max;              /* as the engine's */
	int64_t presence_ttl_ms, typing_ttl_ms; /* 0: keys do not end, and nothing that was believed fades */
	bool keys;                       /* redis-keys */
	uint64_t random[2];              /* keys of hashes */
};

/* Since start. */
struct seeds_counts {
	uint64_t updates, keys, rosters, clients; /* said; keys: of users, written */
	uint64_t believed, delivered;    /* heard: updates that counted, broadcasts passed to the engine */
	uint64_t refused;                /* heard: no JSON, or not what it should be */
	uint64_t lost;                   /* typing and clients: the bus was down, or too many waited */
	uint64_t rosters_too_long;
	uint64_t full;                   /* believed, but the engine had no room for it */
};

/* What is remembered of user number i. */
struct seeds_user {
	uint32_t tag;      /* hash of the id: another one means that the number was given again */
	uint16_t link;     /* hash of the connection that the key names; 0: none */
	uint8_t told;      /* enum status, as presence:updates said last; SEEDS_UNTOLD: not known */
	uint8_t flags;
};

enum { SEEDS_UNTOLD = 0xff };

/* Something to be told once, unless the user is invisible. */
struct seeds_happening {
	wall_t at;
	uint8_t what;      /* enum in seeds_happen.c */
	uint8_t user_bytes, other_bytes;
	char user[ID_BYTES_MAX], other[ID_BYTES_MAX]; /* other: the room or the device */
};

/* For seeds*.c only. */
struct seeds {
	struct seeds_config config;
	struct bus bus;
	struct engine *engine;
	struct log *log;
	struct seeds_counts counts;
	struct siphash_key key;

	bool up, ready, was_ready;
	int64_t away_ms;                 /* mono; since when not ready, after it was */
	uint64_t alive, smaller;         /* live peers; those of them with a smaller id */
	uint64_t gone;                   /* peers that died since the last review was over */
	bool heard_updates, heard_broadcasts; /* subscribed to */

	struct seeds_user *users;
	uint32_t *queue;                 /* user numbers, a ring */
	uint32_t queue_first, queue_count;
	int64_t retry_ms;                /* mono; the bus had no room: not before */

	uint32_t high;                   /* above the numbers of all users that were ever looked at */
	uint32_t review;                 /* the next user to be looked at again; from `high` on: none */
	uint8_t review_what;             /* enum in seeds.c */
	bool farewell;                   /* keys say `offline` from now on, of everybody */
	int64_t tidy_ms;                 /* mono; users from outside are looked at again */
	uint32_t fresh;                  /* the next user whose key is kept fresh */
	int64_t fresh_ms;                /* mono; when that walk began with the first */
	int64_t tick_ms;                 /* mono; when it goes on */
	int64_t fade_ms;                 /* mono; what was not repeated by then goes */

	struct seeds_happening *happenings; /* a ring */
	uint32_t happening_first, happening_count;

	uint8_t roster_state;            /* enum in seeds_roster.c */
	bool roster_due, roster_logged;
	int64_t roster_ms;               /* mono; none before */
	uint64_t roster_told;            /* hash of what was published last */
	struct jsonw roster_json;
	char *roster_text;
	size_t roster_room_bytes;
	char roster_after[ID_BYTES_MAX]; /* the last id in it */
	size_t roster_after_bytes;

	struct json json;
	struct json_tok *toks;
	struct str *ids;                 /* of one broadcast */
	struct peer_scratch *scratch;
	char *profile_text;              /* what a user set, while it is set anew */
};

/* Carves all tables from `r`, or measures (then *s is void). The bus is copied. */
void seeds_init(struct seeds *s, struct region *r, const struct seeds_config *, const struct bus *);

/* Whose presence it is; before anything else. Both are borrowed. */
void seeds_serve(struct seeds *, struct engine *, struct log *);

/* --- the bus, and who is there --- */

/* Both connections stand: what other programs broadcast is heard. */
void seeds_up(struct seeds *, struct now);
/* All nodes have told what they know: from now on this one speaks, and believes. After seeds_up(). */
void seeds_ready(struct seeds *, struct now);
/* Neither any more. */
void seeds_down(struct seeds *, struct now);

/* Who lives beside `self`: bit n of `alive` is peer n, whose id is ids[n]. At every change, and before
 * seeds_ready(), and when one has died before what it hosted is taken away. Ids are not kept. */
void seeds_nodes(struct seeds *, struct str self, uint64_t alive, const struct str ids[PEERS_MAX]);

/* The lease key was gone (FLUSHALL, failover): all that this node speaks for is written and said anew. */
void seeds_rewrite(struct seeds *);

/* This node ends, and is the only one: its users' keys say `offline`, once seeds_idle() again. On the
 * channels nothing is said: who comes back within the debounce, to the next process, was never gone. */
void seeds_farewell(struct seeds *);

/* --- what happens here --- */

/* struct peerlink, shown and changed. */
void seeds_shown(struct seeds *, uint32_t user);
void seeds_changed(struct seeds *, uint32_t user);
/* struct peerlink, roster. */
void seeds_roster(struct seeds *);
/* struct peers, note: NOTE_CONNECTED and NOTE_DISCONNECTED are told, the others ignored. */
void seeds_note(struct seeds *, enum engine_note, struct str user_id, struct str device_id, struct now);
/* Of PEER_TYPING that this node's engine tells: somebody here types, or stopped. Absent room: nothing. */
void seeds_typing(struct seeds *, struct str room, struct str user_id, bool is_typing);

/* --- what is heard --- */

/* True: the channel is one of these. `payload` is changed. */
bool seeds_heard(struct seeds *, struct str channel, char *payload, size_t bytes, struct now);

/* --- time --- */

/*
 * Says what there is to say. Once a turn, after this turn's letters about users were given to the bus.
 */
void seeds_turn(struct seeds *, struct now);
/* When seeds_turn() has something to do: a time that has passed: at once. */
mono_t seeds_deadline(const struct seeds *);

/* Has everything been said that can be? For who wants to leave. */
bool seeds_idle(const struct seeds *);

const struct seeds_counts *seeds_counts(const struct seeds *);

#endif
