/*
 * dialect/protocol.h: what the dialects share: a protocol is two tables, messages in and messages out.
 * Adding a message type is adding a row. A dialect's own file holds its tables, its envelope, and what its
 * payloads look like.
 */
#ifndef DIALECT_PROTOCOL_H
#define DIALECT_PROTOCOL_H

#include "base/jsonw.h"
#include "dialect/dialect.h"
#include "dialect/field.h"

/* The five; dialect.c lists them. */
extern const struct dialect snake_dialect, dotted_dialect, rooms_dialect, roster_dialect, upper_dialect;

/* A message from a client. */
struct incoming {
	struct str type;
	enum command_type command;
	const struct field *fields;
	size_t fields_n;
	/* After the fields: what rows cannot say (which of two keys, constants).
	 * NULL: nothing. False: refused. */
	bool (*finish)(struct field_reader *r, struct command *c);
};

/* fields and fields_n of a row. */
#define FIELDS(rows) (rows), sizeof(rows) / sizeof((rows)[0])
#define NO_FIELDS NULL, 0

/* A message to clients. The first row that fits an event is its message; what no row fits is not told. */
struct outgoing {
	enum event_type event;
	struct str type;
	void (*write)(const struct event *, struct jsonw *); /* what the envelope leaves open; NULL: none */
	bool (*when)(const struct event *);                  /* NULL: always */
	enum command_type acks;                              /* EV_ACK only: of which command */
};

struct protocol {
	const struct incoming *in;
	size_t in_n;
	const struct outgoing *out;
	size_t out_n;
	bool enveloped;          /* fields are in `payload`, not beside `type` */
	bool has_request_ids;    /* `id`: a string or number, said back in reply_to */
	struct str unknown_type; /* the error text */
};

#define INCOMING(rows) .in = (rows), .in_n = sizeof(rows) / sizeof((rows)[0])
#define OUTGOING(rows) .out = (rows), .out_n = sizeof(rows) / sizeof((rows)[0])

/* dialect.h, decode. */
bool protocol_decode(const struct protocol *p, struct json *msg, struct decode_scratch *scratch,
                     struct command *out, struct decode_error *err);

/* The row for an event; NULL: no words for it. */
const struct outgoing *protocol_pick(const struct protocol *p, const struct event *e);

/* The type to write: the row's, or a broadcast's own. Borrows both. */
struct str protocol_type(const struct outgoing *row, const struct event *e);

/* "payload":{...}, what row->write writes inside; a broadcast's data as it is. */
void protocol_write_payload(const struct outgoing *row, const struct event *e, struct jsonw *w);

/* dialect.h, encode, for a protocol of flat objects: row->write writes what follows `type`. */
bool protocol_write_flat(const struct protocol *p, const struct event *e, struct jsonw *w);

/* dialect.h, is_own_type: `type` stands in either table. */
bool protocol_owns(const struct protocol *p, struct str type);

#endif
