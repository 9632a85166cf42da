/*
 * server/body.h: the JSON body of a request, read member by member, typed strictly.
 *
 * Errors are sticky: the first member that is missing or of another type leaves
 * its text in `refused`, later reads give nothing. So a handler reads all it
 * needs and checks once: if (!body_ok(&b)) answer 400 with b.refused.
 * Ownership: what is read borrows the request's bytes and the server's scratch: it dies with the request.
 * `want` is the error text, the member's name first: "room: an id is ...". Unknown members are ignored.
 */
#ifndef SERVER_BODY_H
#define SERVER_BODY_H

#include "base/json.h"
#include "dialect/dialect.h"
#include "dialect/field.h"
#include "wire/http.h"

struct body {
	struct json *json;
	struct decode_scratch *scratch;
	json_ref root;           /* the object; JSON_ABSENT: there was no body */
	struct str refused;      /* absent: all well so far */
};

enum body_result {
	BODY_OK,
	BODY_EMPTY,        /* there is none */
	BODY_MEDIA_TYPE,   /* it is not application/json */
	BODY_JSON,         /* it is not JSON: `refused` says why */
	BODY_OBJECT,       /* JSON, but no object */
};

/* Parses the body in place. After anything but BODY_OK every read finds nothing. */
enum body_result body_open(struct body *, struct json *, struct decode_scratch *, const struct http_request *,
                           uint8_t *bytes, size_t n);

static inline bool body_ok(const struct body *b)
{
	return str_absent(b->refused);
}

/* Refuses the whole, unless something did before. */
void body_refuse(struct body *, struct str why);

/* Required. */
struct str body_id(struct body *, struct str key, struct str want);
bool body_bool(struct body *, struct str key, struct str want);
/* Raw JSON of any type, null too. */
struct str body_raw(struct body *, struct str key, struct str want);

/* Absent or null: the absent slice, an empty list with *given false, false. */
struct str body_id_optional(struct body *, struct str key, struct str want);
struct strs body_ids_optional(struct body *, struct str key, struct str want, bool *given);
bool body_bool_optional(struct body *, struct str key, struct str want);

/* Members by table, into a command, as the dialects do it. */
void body_fields(struct body *, const struct field *rows, size_t n, struct command *out);

#endif
