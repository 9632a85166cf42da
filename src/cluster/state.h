/*
 * cluster/state.h: what the files of cluster/ that are one node among others share. Nobody else includes it.
 *
 * Who writes what: nodes.c who is there and what was heard of them; sync.c what is asked and answered; post.c
 * sequence and text of what is published; life.c the epoch and all that comes with it; cluster.c the rest.
 */
#ifndef CLUSTER_STATE_H
#define CLUSTER_STATE_H

#include "base/log.h"
#include "cluster/cluster.h"
#include "cluster/figures.h"
#include "cluster/letter.h"
#include "cluster/outgoing.h"
#include "cluster/seeds.h"

enum {
	DEAF_MS = 2000,          /* what was published must have been heard by then: /ready within 5 s of a
	                          * fault */
	HELLO_AGAIN_MS = 25,     /* our own was not heard: it went out before the subscription stood; doubled
	                          * each time ... */
	HELLO_AGAIN_MS_MAX = 250, /* ... up to this */
	HELLO_JITTER_MS = 50,    /* many do not answer one at once */
	ANSWERS_MS = 500,        /* from our hello on: who shows themselves by then is waited for ... */
	JOINING_MS_MAX = 5000,   /* ... but no longer than this */
	UNHEARD_MS_MAX = 10000,  /* after we came back, nobody is waited for before users are offline */
	RETRY_MS = 10,           /* the bus had no space */
	LATE_MS = 250,           /* a turn that is so late was not ours to time: what waits to be read is
	                          * heard first */
	ANSWER_MS = 2000,        /* a question is asked again after this */
	ANSWER_MS_MAX = 30000,   /* back-off of that */
	FULL_AGAIN_MS = 30000,   /* there was no room for all of a node's users: it is asked again */
	ASK_AGAIN_MS = 250,      /* between two beginnings of one sync, however many gaps there are */
	ASKED_AT_ONCE = 8,       /* nodes: their pieces must not fill the subscription's output buffer */
	PIECES_A_TURN = 4,       /* pieces of state that one turn tells: some 100 users each */
	LETTERS_A_TURN = 8,      /* letters of changes that one turn writes: as many users each */
	SWEEP_USERS = 50,        /* taken away at once, of whatever nodes: each is a message to every watcher,
	                          * whose queue has room for client-buffer of them; ... */
	SWEEP_MS = 10,           /* ... and no more for so long: 5,000 a second */
	OWN_USERS_BYTES_MAX = NODE_ID_BYTES_MAX + 64,
	GRACE_MS = 2000,         /* in which all nodes have told what they have, after an outage */
	SHOWN_A_MS = 5,          /* changes that pieces of state bring are shown no faster */
	UNANSWERED_MAX = 3,      /* times that a node did not tell all: then its letters count again */
	ROOMS_A_TURN = 256,      /* channels that one turn subscribes to */
	SPACE_MIN_BYTES = 2 * LETTER_FILL_BYTES, /* a letter is not written when less can be given */
	NAMESAKE_MS = 60000,     /* between two lines about another process of our name */
	REWRITE_MS = 30000,      /* between two times that all is written anew because a write was refused */
};

enum node_state {
	NODE_FREE,               /* id, epochs and sequences say who was there, until it is taken anew */
	NODE_HERE,
	NODE_LEAVING,            /* gone; what it hosted is being taken away */
};

enum asking {
	ASKING_NOTHING,          /* it has told everything, and we missed nothing since */
	ASKING_SOON,             /* the question `cursor` is to be asked, from ask_at on */
	ASKING_NOW,              /* it was; until ask_at for the answer */
	ASKING_SWEEP,            /* all was told: what was not is being taken away */
};

/* Another node. Its place in the table is the engine's number of the peer. */
struct node {
	enum node_state state;
	char id[NODE_ID_BYTES_MAX];
	uint8_t id_bytes;
	uint64_t epoch, seq;     /* of its last letter of users that we heard, or heard of */
	uint64_t epoch_before, seq_before; /* of the epoch before that */
	mono_t heard_at;

	enum asking asking;
	bool awaited;            /* we are not ready until it has told all */
	bool unheard;            /* what it said while we heard nothing was not made up for yet */
	uint32_t cursor, failures;
	mono_t asked_at;         /* when all was asked for anew */
	mono_t ask_at;
	mono_t full_until;       /* NEVER: there was room for all that it said */

	bool asks;               /* it asked us, and was not answered yet */
	uint32_t asks_from;
};

enum life {
	LIFE_DOWN,               /* no bus */
	LIFE_JOINING,
	LIFE_READY,
	LIFE_LEFT,               /* `bye` was said: nothing else is said after it */
	LIFE_COUNT
};

struct cluster {
	struct cluster_config cfg;
	struct bus bus;
	struct server *server;
	struct engine *engine;
	struct now now;
	uint64_t random;
	char id[NODE_ID_BYTES_MAX];
	uint32_t id_bytes;

	enum life life;
	uint64_t epoch, epoch_before, seq;
	bool seq_skips;          /* something could not be said: the others shall miss a number and ask */
	mono_t due;              /* when the next turn should come */

	uint32_t subscribed;     /* of the channels that every node hears */
	uint32_t rooms_cursor;
	bool rooms_done;         /* all rooms are subscribed to */

	bool hello_heard;        /* in this epoch */
	mono_t hello_at;         /* when the next is due; NEVER: none is */
	int64_t hello_again_ms;  /* from that to the one after it */
	mono_t joining_since, hello_heard_at;

	mono_t beat_at, extra_beat_at;   /* the regular one; one more */
	bool beat_out;           /* one is on its way to ourselves; there is never a second */
	mono_t beat_sent_at;     /* the one on its way, else the last one */
	mono_t proven_at;        /* when the last beat that was heard was sent: all that was published before
	                          * was heard */
	mono_t unheard_since;    /* something of ours should have been heard by now; NEVER: nothing should */

	bool bye_heard;
	mono_t bye_at;

	struct node nodes[PEERS_MAX];
	uint32_t nodes_high;     /* places from there on were never taken: a turn looks at those below */
	bool lost;               /* the engine holds as they are those who left a node: one is `unheard` */
	bool nodes_changed;      /* since seeds.h was told who is there */
	uint32_t answer_next;    /* whose turn it is to be answered */
	mono_t blocked_until;    /* the bus had no space */
	mono_t sweep_at;         /* nobody is taken away before */
	bool was_refused;        /* a write, since all was written last */
	mono_t rewrite_at;       /* before which all is not written anew for that */

	uint64_t shown;          /* users whose presence was broadcast here */
	mono_t shown_until;      /* what pieces brought has its time until then */

	struct outgoing outgoing;
	char *text;              /* [LETTER_BYTES_MAX] */
	char own_users[OWN_USERS_BYTES_MAX]; /* how our letters of users begin in this epoch */
	uint32_t own_users_bytes;
	struct letter_reader *reader;
	struct peer_scratch scratch;
	struct seeds seeds;

	struct figures figures;
	struct log_limit misread_limit, full_limit, no_place_limit;
	mono_t namesake_again;
};

static inline bool cluster_is_up(const struct cluster *c)
{
	return c->life == LIFE_JOINING || c->life == LIFE_READY;
}

/* 0 .. below - 1. */
uint32_t cluster_random(struct cluster *, uint32_t below);

#endif
