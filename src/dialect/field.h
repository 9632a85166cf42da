/*
 * dialect/field.h: typed members of a client's message, read by table: one row says the member's name, its
 * kind, where in struct command it goes, and the text of the error when it is missing or of another type.
 *
 * The rules behind the kinds are CONTRACT 2 (ids, statuses, custom status, metadata) and 3 (missing or
 * ill-typed: 400). Ownership: what is read borrows the message and the scratch, as dialect.h says.
 */
#ifndef DIALECT_FIELD_H
#define DIALECT_FIELD_H

#include "base/json.h"
#include "dialect/dialect.h"
#include "dialect/status.h"
#include "dialect/topic.h"
#include "presence/command.h"

enum field_kind {
	FIELD_ID,          /* struct str: required */
	FIELD_ID_OPTIONAL, /* struct str: absent or null leaves the absent slice */
	FIELD_IDS,         /* struct strs: required, and may be empty */
	FIELD_ID_APPEND,   /* struct strs: one id more, if it is there and not null */
	FIELD_IDS_APPEND,  /* struct strs: a list of ids more, if there and not null;
	                    * an empty list sets `v` too */
	FIELD_BOOL,        /* bool: required */
	FIELD_STATUS,      /* struct presence_patch: required */
	FIELD_CUSTOM,      /* struct presence_patch: absent keeps, null clears */
	FIELD_EXPIRES,     /* struct presence_patch: of the custom status; absent or null: never */
	FIELD_METADATA,    /* struct presence_patch: absent keeps, null clears */
	FIELD_SDP,         /* struct str: raw string or object, required */
	FIELD_JSON,        /* struct str: raw JSON of any type, null too, required */
	FIELD_TOKEN,       /* struct str: a string that is not empty, required */
	FIELD_TOPICS,      /* uint8_t: a list of names, at least one */
	FIELD_OBJECT,      /* nothing: an object, null or absent;
	                    * its members have rows of their own (within) */
	FIELD_KINDS
};

struct field {
	struct str key;
	struct str want;      /* the error text, path first */
	enum field_kind kind;
	size_t offset;        /* in struct command */
	struct str within;    /* empty: a member of the object read; else of that member of it */
};

/* What each kind wants, in words, and the type it writes. */
#define FIELD_WANT_EACH        "strings of 1 to 128 bytes without control characters"
#define FIELD_WANT_ID          "an id is required: a string of 1 to 128 bytes without control characters"
#define FIELD_WANT_ID_OPTIONAL "an id: a string of 1 to 128 bytes without control characters"
#define FIELD_WANT_IDS         "a list of at most 1000 ids is required: " FIELD_WANT_EACH
#define FIELD_WANT_ID_APPEND   FIELD_WANT_ID_OPTIONAL
#define FIELD_WANT_IDS_APPEND  "a list of at most 1000 ids: " FIELD_WANT_EACH
#define FIELD_WANT_BOOL        "true or false is required"
#define FIELD_WANT_STATUS      "one of " STATUS_WORDS
#define FIELD_WANT_CUSTOM      "a string of at most 256 bytes, or null"
#define FIELD_WANT_EXPIRES     "an RFC 3339 date and time, or null"
#define FIELD_WANT_METADATA    "an object of at most 2048 bytes, or null"
#define FIELD_WANT_SDP         "a string or an object is required"
#define FIELD_WANT_JSON        "a value is required, null if there is none"
#define FIELD_WANT_TOKEN       "a string is required"
#define FIELD_WANT_TOPICS      "a list of one or more of " TOPIC_WORDS
#define FIELD_WANT_OBJECT      "an object"
#define FIELD_TYPE_ID          struct str
#define FIELD_TYPE_ID_OPTIONAL struct str
#define FIELD_TYPE_IDS         struct strs
#define FIELD_TYPE_ID_APPEND   struct strs
#define FIELD_TYPE_IDS_APPEND  struct strs
#define FIELD_TYPE_BOOL        bool
#define FIELD_TYPE_STATUS      struct presence_patch
#define FIELD_TYPE_CUSTOM      struct presence_patch
#define FIELD_TYPE_EXPIRES     struct presence_patch
#define FIELD_TYPE_METADATA    struct presence_patch
#define FIELD_TYPE_SDP         struct str
#define FIELD_TYPE_JSON        struct str
#define FIELD_TYPE_TOKEN       struct str
#define FIELD_TYPE_TOPICS      uint8_t

/* The offset of a member; compiles only if it has that type:
 * comparing pointers to unlike types is an error. */
#define FIELD_AT(member, type) \
	(offsetof(struct command, member) + 0 * sizeof((type *)0 == &((struct command *)0)->member))

/* FIELD("payload.", "call_id", ID, call.id): a row.
 * FIELD_IN: of the member `inner`, which has a FIELD_INNER row. */
#define FIELD(path, name, KIND, member) { STR(name), STR(path name ": " FIELD_WANT_##KIND), FIELD_##KIND, \
	FIELD_AT(member, FIELD_TYPE_##KIND), STR("") }
#define FIELD_IN(path, inner, name, KIND, member) { STR(name), \
	STR(path inner "." name ": " FIELD_WANT_##KIND), FIELD_##KIND, \
	FIELD_AT(member, FIELD_TYPE_##KIND), STR(inner) }
#define FIELD_INNER(path, name) { STR(name), STR(path name ": " FIELD_WANT_OBJECT), FIELD_OBJECT, 0, STR("") }

/* One message being read. */
struct field_reader {
	struct json *msg;
	struct decode_scratch *scratch;
	struct decode_error *err;
	json_ref obj;         /* where the fields are; JSON_ABSENT reads as an empty object */
};

/* Reads rows[0..n) in order into `out`. At the first that fails:
 * false, with 400 and its text; `out` is half filled. */
bool field_read(struct field_reader *r, const struct field *rows, size_t n, struct command *out);

/* Fills the reader's error with 400 and `text` (static storage) and returns false. */
bool field_refuse(struct field_reader *r, struct str text);

#endif
