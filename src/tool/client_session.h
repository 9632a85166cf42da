/*
 * tool/client_session.h: one conversation with a server: which dialect it is in, who we are in it, what was
 * asked and is not answered yet.
 *
 * The dialect is what the server's first message shows; until that comes, what the request suggests
 * (CONTRACT 2).
 */
#ifndef TOOL_CLIENT_SESSION_H
#define TOOL_CLIENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "tool/client_link.h"
#include "tool/client_open.h"
#include "tool/client_words.h"
#include "tool/screen.h"

enum {
	CLIENT_ASKED_MAX = 64,
	CLIENT_ANSWER_US = 5000000,   /* later is no answer */
	CLIENT_GREETING_US = 2000000, /* for the first message, in dialects that begin with one */
	CLIENT_GUESS_US = 250000,     /* the same where that may not come */
	CLIENT_USER_BYTES = 2 * ID_BYTES_MAX,
};

struct client_session {
	enum dialect_id dialect;
	bool greeted; /* the first message came: `dialect` is certain */
	int64_t opened_us;
	uint32_t number; /* of the last request */
	uint32_t asked_count;
	struct client_asked asked[CLIENT_ASKED_MAX]; /* oldest first */
	uint32_t user_bytes;                         /* 0: who we are is not known */
	char user[CLIENT_USER_BYTES];                /* raw JSON, with its quotes */
	char where[128];                             /* host and port, fit for a terminal */
	struct screen screen;
	struct client_link link;
	char out[CLIENT_LINE_BYTES_MAX];
};

/* What became of a request. */
enum client_ask { CLIENT_ASKED, CLIENT_NO_WORDS, CLIENT_TOO_LONG, CLIENT_NO_ROOM };

/* What a message was. */
struct client_news {
	uint32_t answers; /* the number of the request that it answers; 0: none */
	bool is_error;
	bool greets;
	int64_t took_us; /* from request to answer */
};

/* The link is open, *t is what was asked for. `protocol`: the subprotocol chosen, or "". */
void client_session_begin(struct client_session *s, const struct client_target *t, const char *protocol);

/* May commands be sent now? Not before the dialect is known, or as well as it will be. */
bool client_session_is_ready(const struct client_session *s, int64_t now_us);

/* Sends it in the dialect's words; nothing but what is sent is said. */
enum client_ask client_session_ask(struct client_session *s, const struct client_request *r);

/* Sends text as it is; false, and said, when it is not UTF-8 or does not fit. */
bool client_session_send(struct client_session *s, struct str text);

/* Prints a message that came, and finds what it means. */
struct client_news client_session_hear(struct client_session *s, struct str message);

/* Gives up what has waited longer than CLIENT_ANSWER_US, and says so unless a script does; how many. */
uint32_t client_session_expire(struct client_session *s, int64_t now_us);

/* The prompt: who, where, in which dialect. */
void client_session_prompt(const struct client_session *s, struct line_edit *edit);

#endif
