/*
 * dialect/dialect.h: the seam between JSON and the engine. Five codecs, each one file and one table of
 * message types.
 *
 * A dialect does not know that connections exist: it turns one parsed message into one command, and one
 * event into JSON text.
 */
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "presence/command.h"
#include "presence/event.h"

enum dialect_id {
	DIALECT_SNAKE,
	DIALECT_DOTTED,
	DIALECT_ROOMS,
	DIALECT_ROSTER,
	DIALECT_UPPER,
	DIALECT_ECHO, /* last: it has no messages */
	DIALECT_COUNT
};

enum { DECODE_TEXT_BYTES_MAX = 256 };

/* Room for the lists of one command; one per server, reused by every message. */
struct decode_scratch {
	struct str strs[JSON_TOKENS_MAX];
	uint32_t used;
	char text[DECODE_TEXT_BYTES_MAX]; /* an error text that names what the client sent */
};

/* Why a message was not understood; the session answers EV_ERROR with `code` and `text`,
 * which is static or in the scratch and dies at the next decode. */
struct decode_error {
	int code;              /* 400 */
	struct str text;       /* "payload.status: one of online, away, busy, dnd, invisible, offline", ... */
};

struct dialect {
	struct str name;
	enum dialect_id id;
	uint8_t topics;            /* what its connections hear without asking */
	bool hears_own_arrival;    /* engine.h, struct attachment */
	size_t message_bytes_max;  /* default of max-message-size */

	/* One message (JSON already valid) -> one command. On false, `err` is filled, and out->reply_to
	 * and out->type (CMD_COUNT if not known) as far as they could be read. Slices in `out` borrow
	 * `msg` and `scratch`. */
	bool (*decode)(struct json *msg, struct decode_scratch *scratch, struct command *out,
	               struct decode_error *err);

	/* One event -> one JSON text. False: this dialect has no words for it,
	 * and what was written to `w` is void. */
	bool (*encode)(const struct event *, struct jsonw *w);

	/* True when `type` is one of the protocol's own words. */
	bool (*is_own_type)(struct str type);
};

/* By number; NULL for DIALECT_ECHO, which has no messages. */
const struct dialect *dialect_at(enum dialect_id);
/* By name, "echo" included; false if there is none. */
bool dialect_find(struct str name, enum dialect_id *out);
struct str dialect_name(enum dialect_id);

/* Some dialect says this word itself: in a broadcast from outside it would be a forgery. */
bool dialect_owns_type(struct str type);

#endif
