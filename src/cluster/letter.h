/*
 * cluster/letter.h: what nodes write each other, as JSON (RFC 8259), one letter a message on a channel.
 *
 *	hello {"t":"hello","n":NODE,"e":EPOCH,"s":SEQ}   all nodes: I am new here, or back: show yourselves
 *	beat  {"t":"beat", ...the same}   all nodes: I live; my last letter of users had number SEQ
 *	bye   {"t":"bye",  ...the same}   all nodes: I end; all that I host is gone
 *	gone  {..., "g":NODE, "ge":EPOCH, "gs":SEQ}  all nodes: that epoch of that node is over here, and the
 *	      last letter of users that I heard of it had number SEQ; or to one node that said so of a smaller
 *	      number: the answer, which is not answered
 *	users {..., "u":[USER,...]}       all nodes: these changed
 *	sync  {..., "c":CURSOR}           one node: tell me all you have, from CURSOR on
 *	state {..., "f":FIRST, "u":[USER,...], "c":NEXT}  one node: the answer; NEXT null: that was all
 *	say   {..., "m":MESSAGE}          struct peer_message
 *
 * NODE: 1 to 64 of A-Z a-z 0-9 . _ -. EPOCH, KEY, VERSION: a string of 16 lowercase hex digits. SEQ, TIME
 * (ms since 1970), SPAN (ms): integers to 2^53. Ids: CONTRACT 2. What is absent, none or false is left out; *
 * marks what may not be.
 *
 *	USER     i* user_id  n username  s TIME last_seen  g SPAN left_ago  r [id,...] rooms  l [LINK,...]
 *	         p PROFILE
 *	LINK     [device_id, dialect, away], and of a connection [device_id, dialect, away, KEY, TIME]
 *	PROFILE  v* VERSION, not 0  o "busy", "dnd", "invisible"  b override_by  d "online", "away": mark
 *	         dv VERSION, at most v: the mark's  da SPAN marked_ago  c custom  e TIME of its end  m TEXT
 *	         metadata; of who is invisible also what is shown: sc, se, sm as c, e, m; ss TIME last_seen
 *	         h SPAN hidden_for
 *	MESSAGE  t* type; u user_id  to target  d device_id  k KEY  r room  dm true  on true: is_typing,
 *	         is_read  us [id,...] users  ms [id,...] messages  c call_id  b TEXT body  w text
 *	         q count; of these:
 *	           typing u*, us or r, dm, on    receipt u* r* ms* us dm on to
 *	           close u* k*                   kick u* k                     offer u* to* c* d* b
 *	           rang u* to* c* q              answer u* to* c* k* b         answered u* to* c* k*
 *	           ice u* to* c* b               ended u* to* c* w*
 *	           broadcast: some of all true, us, r, tp topics; x [id,...] exclude  ty type  b* TEXT data
 *
 * TEXT is JSON in a string, which was somebody else's: so its depth does not add to ours. It is parsed too
 * before it is given out.
 *
 * Who reads believes nobody: ids, lengths, UTF-8, numbers and enums are checked as a client's are, before
 * anything of the letter is used; members that are not known are ignored, so that nodes of two versions
 * understand each other; a letter of more than LETTER_BYTES_MAX is none.
 */
#ifndef CLUSTER_LETTER_H
#define CLUSTER_LETTER_H

#include "base/json.h"
#include "base/jsonw.h"
#include "base/region.h"
#include "presence/engine.h"
#include "presence/peer.h"

enum {
	LETTER_BYTES_MAX = 131072,  /* a message's largest body and what surrounds it */
	LETTER_FILL_BYTES = 49152,  /* users are put into one until it has so many */
	/* or so many tokens: the reader has JSON_TOKENS_MAX, and a usual user takes less than the rest */
	LETTER_FILL_TOKENS = JSON_TOKENS_MAX - 32,
};

enum letter_type { LETTER_HELLO, LETTER_BEAT, LETTER_BYE, LETTER_GONE, LETTER_USERS, LETTER_SYNC,
		   LETTER_STATE, LETTER_SAY, LETTER_COUNT };

struct letter {
	enum letter_type type;
	struct str node;
	uint64_t epoch, seq;        /* seq: at most 2^53 */
	struct str gone;            /* LETTER_GONE: who is */
	uint64_t gone_epoch, gone_seq;
	uint32_t cursor;            /* LETTER_SYNC, LETTER_STATE; UINT32_MAX: null */
	bool first;                 /* LETTER_STATE: of the first piece */
	struct peer_message message; /* LETTER_SAY */
};

/* May a node be called so? */
bool letter_is_node(struct str id);

/* --- writing --- */

struct letter_writer {
	struct jsonw *w;
	enum letter_type type;
	uint32_t users;             /* in it so far */
	uint32_t tokens;            /* that the reader will need */
};

/* Opens a letter in `w`, fresh, one buffer, which should have LETTER_BYTES_MAX. */
void letter_open(struct letter_writer *, struct jsonw *w, const struct letter *head);
/* LETTER_USERS, LETTER_STATE. False: it did not fit; the letter is as it was before. Into one without users
 * every user fits, given LETTER_BYTES_MAX. */
bool letter_add_user(struct letter_writer *, const struct peer_user *);
/* Is it so long that the next user should go into another one? */
bool letter_full(const struct letter_writer *);
/* Closes it: what jsonw holds is the letter. False: it was too long, and is none (a message: bodies and lists
 * that clients may send can be). A LETTER_STATE's `cursor` is known only now. */
bool letter_close(struct letter_writer *, uint32_t cursor);

/* --- reading --- */

struct letter_reader;

/* Carves it from `r`, or measures (NULL). `key` seeds the hash that finds doubled members. */
struct letter_reader *letter_reader_new(struct region *r, uint64_t key);

enum letter_result {
	LETTER_OK,
	LETTER_BAD_JSON,   /* no JSON, too deep, too long */
	LETTER_BAD,        /* something in it is missing or is not what it must be */
};

/* Reads a letter in place: `bytes` is changed, and what *out says borrows it and the reader until the next
 * letter_read(). All of it was checked, its users too. But for LETTER_OK *out is untouched, and there are no
 * users. */
enum letter_result letter_read(struct letter_reader *, char *bytes, size_t n, struct letter *out);

/* The next user of a LETTER_USERS or LETTER_STATE; false behind the last. Lives until the next call. */
bool letter_next_user(struct letter_reader *, struct peer_user *out);

#endif
