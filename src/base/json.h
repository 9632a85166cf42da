/*
 * base/json.h: JSON texts (RFC 8259), read whole, without copies and without recursion.
 *
 * jsmn finds the tokens; a grammar pass of our own over the tokens and the bytes between them then decides
 * whether the text is JSON (jsmn does not). What is refused on purpose although RFC 8259 lets a parser take
 * it (CONTRACT 3, RELIABILITY J1-J8): nesting beyond JSON_DEPTH_MAX, more tokens than the caller has room
 * for, duplicate keys (compared after unescaping), lone surrogates, escaped NUL in a key, a byte order
 * mark, invalid UTF-8. Numbers of any size are grammar; their range is checked where they are used
 * (json_i64).
 *
 * Ownership: the caller owns the token memory (given once) and the text. The text is borrowed from
 * json_parse() until the next json_parse(), and json_str() shortens escaped strings inside it, in place.
 * Slices handed out live as long as the text. Token references die at the next json_parse().
 * Errors: after an error the document is empty: json_root() is JSON_ABSENT, and every getter takes
 * JSON_ABSENT and says "absent", so chains such as json_str(j, json_get(j, json_root(j), STR("id")), &id)
 * need one check, at the end.
 * Cost: O(bytes) to parse, plus O(bytes x log keys) at worst for one object's keys; no call recurses or
 * allocates.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/str.h"

enum json_err {
	JSON_OK = 0,
	JSON_ERR_TOO_LONG,      /* beyond INT32_MAX bytes */
	JSON_ERR_DEPTH,         /* nested deeper than JSON_DEPTH_MAX */
	JSON_ERR_TOKENS,        /* more tokens than tok_max */
	JSON_ERR_UTF8,
	JSON_ERR_CONTROL,       /* a raw control character inside a string */
	JSON_ERR_TRUNCATED,     /* the text ends inside a value; empty and blank texts too */
	JSON_ERR_SYNTAX,        /* any other breach of the grammar */
	JSON_ERR_NUMBER,        /* a number or literal that RFC 8259 does not know */
	JSON_ERR_TRAILING,      /* something follows the value */
	JSON_ERR_SURROGATE,     /* \ud800-\udfff without its other half */
	JSON_ERR_NUL_IN_KEY,
	JSON_ERR_DUPLICATE_KEY,
};

enum json_type {
	JSON_TYPE_ABSENT = 0,
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

/* A value, or a member's key, of the text last parsed. */
typedef int32_t json_ref;

enum { JSON_ABSENT = -1 };

/* Memory for one token. Only json.c looks inside. */
struct json_tok {
	int32_t word[5];
};

struct json {
	char *text;             /* borrowed; NULL before the first parse */
	size_t len;             /* bytes */
	struct json_tok *toks;  /* borrowed for the life of the struct */
	uint32_t tok_count;     /* 0 after an error */
	uint32_t tok_max;
	uint32_t err_at;        /* offset of the byte at fault, after an error */
	uint64_t seed;          /* of the key hash, never of a verdict;
	                         * json_init() sets 0, a server a secret */
};

/* Prepares an empty document over `toks`, which must outlive `j`. tok_max is 1..JSON_TOKENS_MAX. */
void json_init(struct json *j, struct json_tok *toks, uint32_t tok_max);

/*
 * Parses text[0, len), which may hold any bytes and needs no NUL. JSON_OK, or the first reason found, with
 * j->err_at (0 for JSON_ERR_UTF8).
 */
enum json_err json_parse(struct json *j, char *text, size_t len);

/*
 * The same for text that the caller knows to be valid UTF-8 (a WebSocket text message): that check is left
 * out.
 */
enum json_err json_parse_utf8(struct json *j, char *text, size_t len);

/* A short English clause for messages to the peer, static: "nested too deep". */
const char *json_err_text(enum json_err err);

/* The top value; JSON_ABSENT before a parse and after an error. */
json_ref json_root(const struct json *j);

/* JSON_TYPE_ABSENT for JSON_ABSENT; JSON_STRING for a key. */
enum json_type json_type(const struct json *j, json_ref ref);

/*
 * The value of the member `key` (unescaped form) of `obj`; JSON_ABSENT without it, or when `obj` is no
 * object. O(members).
 */
json_ref json_get(const struct json *j, json_ref obj, struct str key);

/*
 * Iteration, in text order: for (e = json_first(j, x); e != JSON_ABSENT; e = json_next(j, e)). In an array
 * `e` is an element, in an object a key, whose value is json_value(j, e). First is JSON_ABSENT for anything
 * but a filled container; next of a member's value is the next key; next of the root is JSON_ABSENT.
 */
json_ref json_first(const struct json *j, json_ref ref);
json_ref json_next(const struct json *j, json_ref ref);

/* The value of a key; JSON_ABSENT for whatever is no key. */
json_ref json_value(const struct json *j, json_ref key);

/* Elements of an array, members of an object, else 0. */
uint32_t json_count(const struct json *j, json_ref ref);

/*
 * The characters of a string or key, unescaped in place at the first call; later calls give the same slice.
 * May hold U+0000. False and *out untouched when `ref` is no string. Asserts that the string does not lie
 * inside what json_raw() handed out.
 */
bool json_str(struct json *j, json_ref ref, struct str *out);

/*
 * As json_str(), and false too unless it is an id: 1..ID_BYTES_MAX bytes, no control character (C0, DEL,
 * C1).
 */
bool json_str_id(struct json *j, json_ref ref, struct str *out);

/*
 * The number's exact value when that is an integer in range, however it is written (1e2 and 100.0 are 100,
 * -0 is 0; 1.5, 1e19 are refused). False and *out untouched otherwise.
 */
bool json_i64(const struct json *j, json_ref ref, int64_t *out);

/* False and *out untouched unless true or false. */
bool json_bool(const struct json *j, json_ref ref, bool *out);

/*
 * The value exactly as the peer wrote it: a JSON text of its own, without surrounding blanks; absent slice
 * for JSON_ABSENT. Strings inside may not have been through json_str() before, nor go through it after:
 * both assert, whether the string had escapes or not, so that the mistake shows at the first test and not
 * at the first hostile message. O(tokens inside).
 */
struct str json_raw(struct json *j, json_ref ref);

#endif
