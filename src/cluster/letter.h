/*
 * cluster/letter.h: what nodes write each other, as JSON (RFC 8259), one letter a message on a channel.
 *
 *	{"t":"hello","n":NODE,"e":EPOCH,"s":SEQ}        all nodes: I am new here, or back: show yourselves
 *	{"t":"beat", "n":NODE,"e":EPOCH,"s":SEQ}        all nodes: I live; my last letter of users had number SEQ
 *	{"t":"bye",  "n":NODE,"e":EPOCH,"s":SEQ}        all nodes: I end; all that I host is gone
 *	{"t":"users","n":NODE,"e":EPOCH,"s":SEQ,"u":[USER,...]}   all nodes: these changed
 *	{"t":"sync", "n":NODE,"e":EPOCH,"s":SEQ,"c":CURSOR}       one node: tell me all you have, from CURSOR on
 *	{"t":"state","n":NODE,"e":EPOCH,"s":SEQ,"c":NEXT,"f":FIRST,"u":[USER,...]} one node: the answer; NEXT
 *	                                                          null: that was all
 *	{"t":"say",  "n":NODE,"e":EPOCH,"s":SEQ,"m":MESSAGE}      struct peer_message
 *
 * Who reads believes nobody: ids, lengths, UTF-8, numbers and enums are checked as a client's are, before
 * anything of the letter is used; members that are not known are ignored, so that nodes of two versions
 * understand each other; a letter of more than LETTER_BYTES_MAX is none.
 */
#ifndef CLUSTER_LETTER_H
#define CLUSTER_LETTER_H

#include "base/json.h"
#include "base/jsonw.h"
#include "presence/engine.h"
#include "presence/peer.h"

enum {
	LETTER_BYTES_MAX = 131072,  /* a message's largest body and what surrounds it */
	LETTER_FILL_BYTES = 49152,  /* users are put into one until it has so many */
};

enum letter_type { LETTER_HELLO, LETTER_BEAT, LETTER_BYE, LETTER_USERS, LETTER_SYNC, LETTER_STATE, LETTER_SAY,
		   LETTER_COUNT };

struct letter {
	enum letter_type type;
	struct str node;
	uint64_t epoch, seq;
	uint32_t cursor;            /* LETTER_SYNC, LETTER_STATE; UINT32_MAX: null */
	bool first;                 /* LETTER_STATE: of the first piece */
	struct peer_message message; /* LETTER_SAY */
};

/* --- writing --- */

struct letter_writer {
	struct jsonw *w;
	uint32_t users;             /* in it so far */
};

/* Opens a letter in `w`, whose buffer should have LETTER_BYTES_MAX. */
void letter_open(struct letter_writer *, struct jsonw *w, const struct letter *head);
/* LETTER_USERS, LETTER_STATE. False: it did not fit; the letter is as it was before. */
bool letter_add_user(struct letter_writer *, const struct peer_user *);
/* Is it so long that the next user should go into another one? */
bool letter_full(const struct letter_writer *);
/* Closes it: what jsonw holds is the letter. False: it was too long for the buffer, and is none. A LETTER_STATE's
 * `cursor` is known only now. */
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
 * letter_read(). All of it was checked, its users too. */
enum letter_result letter_read(struct letter_reader *, char *bytes, size_t n, struct letter *out);

/* The next user of a LETTER_USERS or LETTER_STATE; false behind the last. Lives until the next call. */
bool letter_next_user(struct letter_reader *, struct peer_user *out);

#endif
