/*
 * test/sim/living.h: the inside of a life, for the files that life.h names.
 *
 * Clients c0 .. c9 come and go as users u0 .. u4 in all dialects, at any node; `http` asks for what REST has; `x` does what no client
 * should, always as the user `ghost`, of whom nobody may ever hear.
 */
#ifndef TEST_SIM_LIVING_H
#define TEST_SIM_LIVING_H

#include "sim/invariants.h"
#include "sim/life.h"
#include "sim/mint.h"
#include "sim/world.h"

enum {
	NOT_SAID = LIFE_STEPS_MAX + 62,
	NODES_MAX = 3, USERS = 5, ROOMS = 3, WORD = 16, TEXT = 256, ASKED_MAX = 64, MESSAGES_MAX = 16, RENEWALS_MAX = 4,
	PIN_FIRST_CLIENT = 2, PIN_DEVICES = PIN_FIRST_CLIENT + LIFE_CLIENTS, /* `rest`, e1, and d0 on */
	RECONNECT_MS_MAX = 1500,
	CALM_MS = 15000,     /* so long after a fault nothing of it may be felt */
	SETTLED_MS = 3000,   /* a connection that old is known to all */
	SKEW_MS_MAX = 60000,
};

#define GHOST "ghost"

/* What a token says (tokens.c). */
struct permit {
	uint8_t kind;                /* of the rooms that it opens */
	uint32_t lasts_s;            /* 0: for long */
};

/* A token that a client has sent over its connection, and that is not answered yet. */
struct renewal {
	struct permit permit;
	bool of_other;               /* user */
	bool late;                   /* it is not read at once: it may have ended by then */
	int64_t end_ms;
};

/* What stands behind the client of that number, since it came. */
struct guest {
	uint32_t node, user;
	int64_t open_ms;             /* -1: it is not */
	bool stranger;               /* has not authenticated yet */
	bool outside;                /* has tried to, and its token found no room */
	bool watches;                /* dotted: it has asked to */
	bool behind;                 /* has not read for a while: it may have missed what newer words overtook */
	bool short_changed;          /* a pool was too small: it may have missed anything */
	bool leaving;                /* has said so */
	int64_t expires_ms;          /* its token does; 0: not soon */
	struct permit permit;          /* what it came with, or will authenticate by */
	uint32_t opens;              /* a bit of each room that its token opens, as it was told */
	struct renewal renewals[RENEWALS_MAX];
	uint32_t renewal_count;
	int64_t silent_ms;           /* nothing was heard of it since; 0: it is not silent */
	uint32_t lists;              /* roster: that it was told */
	char knows[USERS][WORD];     /* the last status it was told; "": none */
	char told[USERS][TEXT];      /* the last words */
	int64_t shown_ms[USERS];     /* when it was last told so of one who was not offline: what the absent set is forgotten presence-ttl after */
	int online[USERS];           /* by presence.online and presence.offline: 1, 0, or -1: neither yet */
	uint32_t newest[USERS][NODES_MAX + 1]; /* of the custom statuses set there, the newest told: the number of its step */
	uint32_t shows[USERS];       /* the one told last; 0: none; NOT_SAID: what was told last does not say */
	uint32_t rooms, joining;     /* a bit of each that it is in, as it was told; that it has asked for */
	uint32_t typing[ROOMS];      /* a bit of each user who types there, as it was told */
	uint32_t asked[ASKED_MAX], asked_count; /* dotted: ids of requests without an answer yet */
	uint32_t messages[MESSAGES_MAX], message_count; /* the last broadcasts that it got */
};

/* The call of the step of that number. */
struct phone {
	uint32_t alive;              /* a bit of each device that was told of it and not of its end */
	uint8_t caller;              /* the device, + 1; 0: there is no such call */
	bool answered;               /* as the caller was told */
	uint32_t sdp_bytes;          /* of the offer */
};

/* The custom status of the step of that number. */
struct caption {
	bool set;
	bool late;                   /* the node did not read it at once: something later may have been read before */
	uint8_t user, node;
	uint64_t boots;              /* of the node, then */
	int64_t expires_ms;          /* by the wall clocks; 0: never */
};

/* The broadcast of the step of that number. */
struct notice {
	bool sent;
	uint32_t room_plus1, users;  /* to whom: a room, or a bit of each user; neither: all */
	uint32_t exclude;            /* a bit of each user who is not to hear it */
};

/* What a node was told by REST of a device of a user (beats.c). */
struct pin {
	uint64_t boots;              /* of the node, then */
	int64_t since_ms, until_ms;
};

/* The word of REST that waits for its answer at a node. */
struct beat {
	bool waits;
	uint64_t boots;
	uint32_t user, device;
};

/* What was last seen of a user at a node (invariants.c). */
struct sight {
	uint64_t boots;              /* of the node, + 1: else it is of another process */
	bool there, present;         /* was a device; was it online */
	int64_t at_ms, gone_ms;      /* when one was seen last; when none was seen first */
};

struct life {
	struct world w;
	const struct plan *plan;
	uint32_t nodes;
	struct guest guests[LIFE_CLIENTS];
	struct client *clients[NODES_MAX + 1][LIFE_CLIENTS]; /* of each at each node; NULL: it was never there */
	uint64_t dice;
	uint32_t step;               /* from 1 on; 0: before the first */
	uint32_t faults, fault_rate; /* a bit of each that may be; in how many steps of a hundred one comes */
	uint32_t options;            /* a bit of each that was drawn */
	bool maybe_hidden[USERS];
	int64_t open_ms[USERS];      /* when a device of theirs was last seen to be open */
	int64_t stir_ms[USERS];      /* when one last came, was let in, was closed or ended */
	bool kicked[USERS];          /* by an operator, ever */
	bool limited;                /* a pool is too small now */
	bool was_limited;            /* or was */
	bool quits[NODES_MAX + 1];   /* since it was started */
	bool halted[NODES_MAX + 1];
	int64_t quit_ms[NODES_MAX + 1]; /* when it was told to, or went on after a halt */
	int64_t latest_ms[NODES_MAX + 1]; /* what its clock on the wall showed when it was stepped, at most */
	int64_t skew_ms[NODES_MAX + 1], thaw_ms[NODES_MAX + 1]; /* thaw_ms: 0: nothing is to be thawed */
	int64_t node_bad_ms[NODES_MAX + 1], redis_bad_ms; /* when something last befell them; INT64_MAX: it does now */
	uint32_t speaks_to[USERS][ROOMS]; /* a bit of each user to whom by name it was said that the user types there */
	uint32_t speaks[USERS];      /* a bit of each room that a device of the user ever spoke in, by a token that opens it */
	uint32_t ever[USERS];        /* a bit of each room that a device of the user ever was in */
	struct phone phones[LIFE_STEPS_MAX + 64];
	struct notice notices[LIFE_STEPS_MAX + 64];
	struct caption captions[LIFE_STEPS_MAX + 64];
	bool lapses[USERS];          /* one that expires was set, ever */
	uint32_t kept[USERS];        /* the custom status that nobody changes any more; 0: not known */
	uint32_t set_step[USERS][NODES_MAX + 1]; /* the last in which something was set of them at that node */
	struct sight sights[NODES_MAX + 1][USERS];
	struct pin pins[NODES_MAX + 1][USERS][PIN_DEVICES];
	struct beat beats[NODES_MAX + 1];
	int64_t doubted_ms[USERS];   /* until then a device of REST may be there */
	uint64_t injected[FAULTS], steps, rejected;
	int64_t heard_ms;            /* when what is looked at was */
	int64_t asked_ms[NODES_MAX + 1][USERS]; /* when a node answered last who asked how the user is */
	int64_t roster_ms;           /* when somebody began to hear the roster last */
	uint64_t turns_seen;         /* (7): so many, by then */
	int64_t turns_ms;
	char fault[LIFE_TEXT];
};

/* --- chance (draws.c) --- */

/* The dice of that number: what is drawn then has nothing to do with what is drawn otherwise. */
void life_roll(struct life *, uint64_t number);
uint32_t life_draw(struct life *, uint32_t below);
/* All that is drawn for the seed before the first step. */
void life_draw_options(struct life *);
void life_say_options(const struct life *);

/* --- telling (life.c) --- */

/* The first broken promise: what is said begins with the number of the invariant, "(4) ...". */
__attribute__((format(printf, 2, 3))) void life_fault(struct life *, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void life_did(const struct life *, const char *fmt, ...);
bool life_is_over(const struct life *);

/* --- who is where (life.c) --- */

struct crowd *life_crowd(struct life *, uint32_t node);
struct client *life_client(struct life *, uint32_t i);
/* The client is through, known as its user, and not on its way out. */
bool life_is_open(struct life *, uint32_t i);
/* The device begins anew. */
void life_forget(struct life *, uint32_t i);
bool life_has(const struct life *, enum life_option);
bool life_may(const struct life *, enum fault);

/* --- time (life.c) --- */

/* All that has to happen now; what is heard is judged; what always holds is looked at. */
void life_settle(struct life *);
void life_wait(struct life *, int64_t ms);

/* --- the rest --- */

enum { TOKEN_LEEWAY_MS = 2000, TOKEN_SHORT_S_MAX = 10 };

void deeds_do(struct life *);                       /* one, by chance */
/* `custom` 0: none; else it is the custom status. lasts_s 0: for ever. */
void deeds_set_status(struct life *, uint32_t i, const char *status, uint32_t custom, uint32_t lasts_s);
void deeds_put_status(struct life *, uint32_t user, uint32_t node, const char *status, uint32_t custom, uint32_t lasts_s);
void deeds_broadcast(struct life *, uint32_t number, uint32_t node, const struct notice *);
void deeds_type_to(struct life *, uint32_t i, uint32_t room, uint32_t users, bool stops); /* one who speaks snake */
void deeds_get(struct life *, uint32_t node, const char *path);
void deeds_say(struct life *, uint32_t i, const char *text);
bool deeds_answer(struct life *);                   /* what clients do by themselves: begin to watch, authenticate; false: nothing */

struct permit tokens_draw(struct life *);
const char *tokens_claim(const struct permit *);
uint32_t tokens_opens(const struct permit *);
const char *tokens_mint(struct life *, uint32_t node, uint32_t user, const struct permit *, char out[MINT_TOKEN_MAX]);
int64_t tokens_end_ms(struct life *, uint32_t node, const struct permit *); /* 0: not soon */
bool tokens_expect(struct life *, uint32_t i, const struct permit *, bool of_other); /* an answer to it; false: too many are awaited */
uint32_t tokens_may_open(const struct guest *);     /* rooms, by the token that holds or one that is not answered yet */
void tokens_hear(struct life *, uint32_t i, const char *text);
void tokens_judge(struct life *, uint32_t i, const char *text);

void beats_send(struct life *, uint32_t node, uint32_t user, uint32_t device);
void beats_hear(struct life *, uint32_t node, const struct heard *);
/* Keeps the node, by what REST told it at least so long ago, this device, or any of the user's; and all of theirs anywhere, a bit each. */
bool beats_pins(struct life *, uint32_t node, uint32_t user, uint32_t device, int64_t age_ms);
bool beats_keep(struct life *, uint32_t node, uint32_t user, int64_t age_ms);
uint32_t beats_devices(struct life *, uint32_t user);
bool beats_doubtful(const struct life *, uint32_t user); /* more than these may keep the user */
void beats_wait(struct life *);                     /* until all know that what has just ended has */

void befall(struct life *);                         /* one fault, by chance */
void befall_heal(struct life *);                    /* none is left */
bool befall_thaw(struct life *);                    /* those whose time has come; false: none */

void hostile_act(struct life *);
void hostile_check(struct life *);                  /* (8) */

void witness_listen(struct life *);
int64_t witness_wall_ms(struct life *, uint32_t node, int64_t at_ms); /* what its clock on the wall showed then */
bool witness_must_be_online(struct life *, uint32_t user, uint32_t watcher);

void truth_check(struct life *, bool all);          /* all: everybody had something to be told of */
void truth_check_sets(struct life *);
void truth_check_rooms(struct life *);
void truth_check_rest(struct life *);
void truth_check_calls(struct life *);

static inline struct str str_of_text(const char *text)
{
	return str_of(text, strlen(text));
}

#endif
