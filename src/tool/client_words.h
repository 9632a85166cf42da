/*
 * tool/client_words.h: what the client's commands are called in each dialect, and which message answers
 * which. Pure. A dialect without words for a command says so.
 */
#ifndef TOOL_CLIENT_WORDS_H
#define TOOL_CLIENT_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/jsonw.h"
#include "base/limits.h"
#include "base/str.h"
#include "dialect/dialect.h"

enum client_verb { VERB_SUB, VERB_UNSUB, VERB_TYPING, VERB_PING, VERB_STATUS, VERB_COUNT };

/* What a command asks for. */
struct client_request {
	enum client_verb verb;
	struct str id;   /* sub, unsub, typing: a room; status: the status. Valid UTF-8 */
	struct str text; /* status: absent, or the custom status; "-" clears it. Valid UTF-8 */
};

/* What was asked and is not answered yet. */
struct client_asked {
	enum client_verb verb;
	uint32_t number; /* in `dotted` the message's id; from 1 */
	uint32_t id_bytes;
	int64_t sent_us;
	char id[ID_BYTES_MAX];
};

/* What a message says at first glance. Slices borrow the message; values are raw JSON, absent when missing.
 */
struct client_heard {
	struct str type; /* without its quotes; absent: that is no message of ours */
	struct str reply_to;
	struct str room;
	struct str user;
	struct str code, text; /* of an error */
	bool is_error;
};

/* False: the dialect has no words for it. True: `w` has the message, if it did not fail. */
bool client_words_write(enum dialect_id dialect, const struct client_request *r, uint32_t number,
			struct jsonw *w);

/* Does anything answer this command at all? */
bool client_words_has_answer(enum dialect_id dialect, enum client_verb verb);

/* Reads as much of a message as the client must know; the message need not be JSON. */
void client_words_hear(struct client_heard *h, struct str message);

/* The raw value of a member of an object that need not be JSON; absent when there is none. */
struct str client_words_get(struct str object, struct str key);

/* What a raw value says if it is a string, its escapes not undone; else absent. */
struct str client_words_unquoted(struct str value);

/* The dialect whose first message this is; false if it is no dialect's. */
bool client_words_greeting(struct str type, enum dialect_id *out);

/* Does the message answer this? An error answers whatever it may be about. `own`: the user's id as raw JSON;
 * absent when it is not known. */
bool client_words_answers(enum dialect_id dialect, const struct client_heard *h,
			  const struct client_asked *asked, struct str own);

/* "sub", ... */
struct str client_words_verb(enum client_verb verb);

#endif
