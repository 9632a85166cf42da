/*
 * Invariant: once `refused` is set no reader touches the JSON or its output again.
 */
#include "server/body.h"

#include <assert.h>

#include "base/limits.h"

/* RFC 9110 8.3.1: the type without its parameters, in any case. */
static bool is_json(const struct http_request *req)
{
	struct str value = http_header(req, STR("content-type"));
	const char *semicolon = value.n == 0 ? NULL : memchr(value.p, ';', value.n);

	if (http_header_count(req, STR("content-type")) != 1)
		return false;
	if (semicolon != NULL)
		value.n = (size_t)(semicolon - value.p);
	while (value.n > 0 && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
		value.n--;
	return str_eq_nocase(value, STR("application/json"));
}

enum body_result body_open(struct body *b, struct json *json, struct decode_scratch *scratch,
                           const struct http_request *req, uint8_t *bytes, size_t n)
{
	enum json_err err;

	*b = (struct body){ .json = json, .scratch = scratch, .root = JSON_ABSENT };
	scratch->used = 0;
	if (n == 0)
		return BODY_EMPTY;
	if (!is_json(req))
		return BODY_MEDIA_TYPE;
	err = json_parse(json, (char *)bytes, n);
	if (err != JSON_OK) {
		const char *text = json_err_text(err);

		body_refuse(b, str_of(text, strlen(text)));
		return BODY_JSON;
	}
	if (json_type(json, json_root(json)) != JSON_OBJECT)
		return BODY_OBJECT;
	b->root = json_root(json);
	return BODY_OK;
}

void body_refuse(struct body *b, struct str why)
{
	assert(!str_absent(why));
	if (body_ok(b))
		b->refused = why;
}

/* The member; JSON_ABSENT when it is absent, or something was refused before. */
static json_ref member(const struct body *b, struct str key)
{
	return body_ok(b) && b->root != JSON_ABSENT ? json_get(b->json, b->root, key) : JSON_ABSENT;
}

static bool is_none(const struct body *b, json_ref v)
{
	return v == JSON_ABSENT || json_type(b->json, v) == JSON_NULL;
}

struct str body_id(struct body *b, struct str key, struct str want)
{
	struct str id = STR_NONE;
	json_ref v = member(b, key);

	if (v == JSON_ABSENT || !json_str_id(b->json, v, &id))
		body_refuse(b, want);
	return id;
}

struct str body_id_optional(struct body *b, struct str key, struct str want)
{
	return is_none(b, member(b, key)) ? STR_NONE : body_id(b, key, want);
}

bool body_bool(struct body *b, struct str key, struct str want)
{
	bool is = false;
	json_ref v = member(b, key);

	if (v == JSON_ABSENT || !json_bool(b->json, v, &is))
		body_refuse(b, want);
	return is;
}

bool body_bool_optional(struct body *b, struct str key, struct str want)
{
	return is_none(b, member(b, key)) ? false : body_bool(b, key, want);
}

struct str body_raw(struct body *b, struct str key, struct str want)
{
	json_ref v = member(b, key);

	if (v == JSON_ABSENT) {
		body_refuse(b, want);
		return STR_NONE;
	}
	return json_raw(b->json, v);
}

struct strs body_ids_optional(struct body *b, struct str key, struct str want, bool *given)
{
	json_ref v = member(b, key);
	struct strs ids = { b->scratch->strs + b->scratch->used, 0 };

	*given = !is_none(b, v);
	if (!*given)
		return (struct strs){ NULL, 0 };
	if (json_type(b->json, v) != JSON_ARRAY || json_count(b->json, v) > BULK_USERS_MAX) {
		body_refuse(b, want);
		return ids;
	}
	for (json_ref e = json_first(b->json, v); e != JSON_ABSENT; e = json_next(b->json, e)) {
		assert(b->scratch->used < JSON_TOKENS_MAX); /* an element is a token */
		if (!json_str_id(b->json, e, &b->scratch->strs[b->scratch->used])) {
			body_refuse(b, want);
			return ids;
		}
		b->scratch->used++;
		ids.n++;
	}
	return ids;
}

void body_fields(struct body *b, const struct field *rows, size_t n, struct command *out)
{
	struct decode_error err = { 0 };
	struct field_reader r = { .msg = b->json, .scratch = b->scratch, .err = &err, .obj = b->root };

	if (body_ok(b) && !field_read(&r, rows, n, out))
		body_refuse(b, err.text);
}
