/*
 * presence/users.h: the users there are records of: online, remembered, or asked after. Who they are, not
 * when they come and go.
 *
 * A record is pinned while something refers to it (devices, watchers, typing, calls, a broadcast not yet
 * told); one that is not waits in the idle list, oldest first, and is evicted from there when a new record
 * needs its place. What others see of a user is kept apart from what the user sees, as far as being invisible
 * makes the two differ.
 */
#ifndef PRESENCE_USERS_H
#define PRESENCE_USERS_H

#include "base/list.h"
#include "base/map.h"
#include "base/strpool.h"
#include "base/wheel.h"
#include "presence/event.h"
#include "presence/receivers.h"

enum user_flag {
	USER_PRESENT = 1 << 0,   /* online: a device, or the debounce runs */
	USER_BASE_AWAY = 1 << 1, /* all devices are away; or were, when the last one went */
	USER_PENDING = 1 << 2,   /* a broadcast waits for the rate window */
	USER_LISTED = 1 << 3,    /* in the roster: present and not invisible */
	USER_IDLE = 1 << 4,      /* in the idle list */
	USER_SEEN = 1 << 5,      /* some watcher was shown the pending state already (announce.h) */
	USER_DESCRIBED = 1 << 6, /* texts were set, or they hid: worth remembering though never seen */
	USER_LEFT_ELSEWHERE = 1 << 7, /* the last device was another node's, where it is noted */
};

struct user {
	strref id;
	strref name;             /* STRREF_NONE: the id */
	uint32_t profile;        /* cell of what most users do not need now; POOL_NONE */
	uint32_t changed;        /* engine's count of snapshots when the state last changed */
	wall_t last_seen;        /* last sign of life; never decreases */
	int64_t offline_ms;      /* mono; in the debounce: ends then; offline: of interest until then */
	int64_t quiet_until_ms;  /* mono; no broadcast before */
	uint32_t pending_from;   /* count of snapshots when it first differed from what was told */
	uint32_t link_plus1;     /* first of the user's links; 0: none */
	uint32_t links;
	uint32_t share_plus1;    /* first of the user's shares (shares.h): elsewhere; 0: none */
	struct list devices;
	uint32_t device_count;
	uint32_t devices_away;
	struct receivers watchers; /* presence subscriptions narrowed to this user */
	struct list_link of_idle;
	uint8_t override;        /* enum status: BUSY, DND, INVISIBLE; OFFLINE: none */
	uint8_t told;            /* status that others were told last */
	uint8_t told_own;        /* status that the user's own connections were told last */
	uint8_t flags;           /* enum user_flag */
};

static_assert(sizeof(struct user) <= 96, "there is one per idle connection");

/*
 * What most users do not need now: something to wait for, typing, calls, texts, and what being invisible
 * changes. It comes with the first of these and goes with the last, at users_settle().
 */
struct profile {
	struct timer timer;                  /* earliest of: debounce, rate window,
	                                      * expiry of texts or a device */
	uint32_t user;                       /* whose */
	uint32_t override_by;                /* hash of the id of the device that set the override;
	                                      * 0: no device did */
	uint32_t pins;                       /* other references: of typing's recipients,
	                                      * devices of REST, a call */
	uint32_t typing_plus1;               /* first of the user's typings; 0: none */
	uint32_t call_leg_plus1;             /* first of the user's calls; 0: none */
	strref custom, metadata;             /* as the user sees them */
	strref shown_custom, shown_metadata; /* as others do: the same unless invisible */
	strref shown_name;                   /* one of the texts: what others knew, once it changed while
	                                      * invisible; none: as the user's */
	wall_t custom_expires, shown_expires; /* WALL_NONE: never */
	wall_t shown_last_seen;              /* frozen while invisible */
	int64_t hidden_ms;                   /* mono; invisible since */
	uint64_t told_texts, told_own_texts; /* hashes of the texts that were told last */
	uint64_t version;                    /* of what the user set (peer.h); 0: nothing, or no peers */
	uint64_t mark_version;               /* of the last mark of all devices (peer.h); 0: none */
	int64_t mark_ms;                     /* mono; when it came; counts with mark_version */
	uint8_t mark;                        /* enum status */
	bool asked;                          /* somebody asked for the state while a broadcast waits */
	struct list haunts;                  /* rooms left by dying connections (interests.h) */
};

struct peerlink;

struct users {
	struct pool cells, profiles;
	struct map by_id;
	struct strpool *ids;
	struct strpool texts; /* custom status and metadata */
	struct wheel *wheel;
	const struct peerlink *peers; /* hears of users that are forgotten; NULL: there are none */
	uint8_t *live;        /* by number: there is such a record */
	uint32_t *roster;     /* users shown as online, sorted by id */
	uint32_t roster_count;
	uint32_t present;     /* users online, invisible ones too */
	struct list idle;
	int64_t remember_ms;  /* a user shown as offline for longer is unknown; 0: no limit */
	uint8_t timer_kind;
};

struct users_config {
	const struct peerlink *peers;
	uint32_t users_max;
	uint32_t large_texts_max; /* texts over the small string classes, of each large class */
	int64_t remember_ms;
	uint8_t timer_kind;
	struct siphash_key key;
};

void users_init(struct users *us, struct region *r, const struct users_config *, struct strpool *ids,
		struct wheel *wheel);

static inline struct user *users_at(const struct users *us, uint32_t i)
{
	return (struct user *)pool_at(&us->cells, i);
}

/* Is there a record of that number? Any number below users_max may be asked for. */
static inline bool users_live(const struct users *us, uint32_t i)
{
	return i < us->cells.high && us->live[i] != 0;
}

static inline struct profile *users_profile(const struct users *us, const struct user *u)
{
	return u->profile == POOL_NONE ? NULL : (struct profile *)pool_at(&us->profiles, u->profile);
}

static inline uint32_t users_pins(const struct users *us, uint32_t i)
{
	const struct profile *p = users_profile(us, users_at(us, i));

	return p == NULL ? 0 : p->pins;
}

/* First of the user's typings, and of their calls; 0: none. */
static inline uint32_t users_typing_plus1(const struct users *us, uint32_t i)
{
	const struct profile *p = users_profile(us, users_at(us, i));

	return p == NULL ? 0 : p->typing_plus1;
}

static inline uint32_t users_call_leg_plus1(const struct users *us, uint32_t i)
{
	const struct profile *p = users_profile(us, users_at(us, i));

	return p == NULL ? 0 : p->call_leg_plus1;
}

static inline struct str users_id(const struct users *us, uint32_t i)
{
	return strpool_get(us->ids, users_at(us, i)->id);
}

/* The user's record; MAP_NONE when there is none. */
uint32_t users_find(const struct users *us, struct str id);

/*
 * The user's record, made when there was none, evicting the longest idle one if need be; MAP_NONE when all
 * are pinned. A new record is not in the idle list: call users_settle() when done with it.
 */
uint32_t users_make(struct users *us, struct str id);

/*
 * Puts the record into the idle list or takes it out, as its pins say; call after anything that pinned or
 * unpinned it. One that is not pinned and remembers nothing is freed: `i` is dead then.
 * So is a profile of which nothing is needed.
 */
void users_settle(struct users *us, uint32_t i);

/* Forgets idle users whose time is over. Records that stay for a watcher only are blanked. */
void users_forget_old(struct users *us, mono_t now);

/* The user was offline for so long that what is remembered does not count any more. */
bool users_old(const struct users *us, uint32_t i, mono_t now);

/* If so, it is forgotten. */
void users_blank_if_old(struct users *us, uint32_t i, mono_t now);

/* The name a user gave; absent: keeps what there is, and so does an invisible one's when there is no room for
 * what the others go on seeing. False when there is no room; nothing changed. */
bool users_rename(struct users *us, uint32_t i, struct str name);

/* The name that others know; absent: the id. */
struct str users_name_shown(const struct users *us, const struct user *u);

/* Who was invisible is seen again, by the name they have now. */
void users_show_name(struct users *us, struct profile *);

/*
 * A custom status or metadata for a profile; may evict idle users, so pin those in use. STRREF_FULL when
 * there is no room.
 */
strref users_put_text(struct users *us, struct str text);

/* The profile, made (empty) when there was none. One per user is there. */
struct profile *users_need_profile(struct users *us, uint32_t i);

/* One reference more, or less, to the record; users_settle() is then due. */
void users_pin(struct users *us, uint32_t i);
void users_unpin(struct users *us, uint32_t i);

/* The user's timer is to fire then; MONO_NEVER: not at all. */
void users_wake_at(struct users *us, uint32_t i, mono_t at);
bool users_waits(const struct users *us, const struct user *u);

/*
 * The devices changed, or which of them are away: a user is away when all are. Without devices the last state
 * holds.
 */
void users_weigh_devices(struct user *u);

/* Statuses: the user's own, and as shown to others. */
enum status users_status_own(const struct user *u);
enum status users_status_shown(const struct user *u);

/* A hash of custom status and metadata; 0 when there are none. */
uint64_t users_texts_own(const struct users *us, const struct user *u);
uint64_t users_texts_shown(const struct users *us, const struct user *u);

/* As the user (own) or everybody else sees the record. Slices live until the user's next change. */
void users_view(const struct users *us, uint32_t i, bool own, struct now, struct presence_view *out);

/* The view of an id without a record. */
void users_view_unknown(struct str id, struct presence_view *out);

/* Puts the user into the roster or takes it out, as its status says. True when that changed the roster. */
bool users_list(struct users *us, uint32_t i);

/* Place in the roster of the first user whose id is > after (absent: 0); roster_count when there is none. */
uint32_t users_roster_after(const struct users *us, struct str after);

bool users_valid(const struct users *us);

#endif
