/*
 * dialect/field.c: see field.h.
 *
 * Invariants: every list is a run of scratch->strs; a row that appends continues the run that the row
 * before it ended, so rows of one list stand side by side. A list costs one token an element, so the
 * scratch cannot run out. A value is read either as characters (json_str) or as raw text, never both
 * (json.h). The error text is set before a value is looked at; a reader that knows better replaces it.
 */
#include "dialect/field.h"

#include <assert.h>

#include "base/limits.h"
#include "base/rfc3339.h"

static_assert(ID_BYTES_MAX == 128 && CUSTOM_STATUS_BYTES_MAX == 256 && METADATA_BYTES_MAX == 2048 &&
	BULK_USERS_MAX == 1000, "the texts of FIELD_WANT_* say these numbers");

bool field_refuse(struct field_reader *r, struct str text)
{
	r->err->code = 400;
	r->err->text = text;
	return false;
}

static bool is_none(struct field_reader *r, json_ref v)
{
	enum json_type type = json_type(r->msg, v);

	return type == JSON_TYPE_ABSENT || type == JSON_NULL;
}

static bool read_id(struct field_reader *r, json_ref v, void *out)
{
	return json_str_id(r->msg, v, (struct str *)out);
}

static bool read_id_optional(struct field_reader *r, json_ref v, void *out)
{
	return is_none(r, v) || read_id(r, v, out);
}

/* One place more at the end of the list, which must be the last run of the scratch. */
static struct str *list_grow(struct field_reader *r, struct strs *list)
{
	struct decode_scratch *s = r->scratch;

	if (list->v == NULL)
		list->v = s->strs + s->used;
	assert(list->v + list->n == s->strs + s->used && s->used < JSON_TOKENS_MAX);
	s->used++;
	list->n++;
	return &s->strs[s->used - 1];
}

static bool read_id_append(struct field_reader *r, json_ref v, void *out)
{
	return is_none(r, v) || read_id(r, v, list_grow(r, out));
}

static bool read_ids_append(struct field_reader *r, json_ref v, void *out)
{
	struct strs *list = out;

	if (is_none(r, v))
		return true;
	if (json_type(r->msg, v) != JSON_ARRAY)
		return false;
	if (list->v == NULL)
		list->v = r->scratch->strs + r->scratch->used;
	for (json_ref e = json_first(r->msg, v); e != JSON_ABSENT; e = json_next(r->msg, e))
		if (list->n >= BULK_USERS_MAX || !read_id(r, e, list_grow(r, list)))
			return false;
	return true;
}

static bool read_ids(struct field_reader *r, json_ref v, void *out)
{
	return read_ids_append(r, v, out) && ((struct strs *)out)->v != NULL;
}

static bool read_bool(struct field_reader *r, json_ref v, void *out)
{
	return json_bool(r->msg, v, (bool *)out);
}

static bool read_status(struct field_reader *r, json_ref v, void *out)
{
	struct presence_patch *patch = out;
	struct str word;

	patch->has_status = json_str(r->msg, v, &word) && status_of_word(word, &patch->status);
	return patch->has_status;
}

/* How a member that may be absent or null patches what it is the value of. */
static enum patch patch_of(struct field_reader *r, json_ref v)
{
	if (v == JSON_ABSENT)
		return PATCH_KEEP;
	return json_type(r->msg, v) == JSON_NULL ? PATCH_CLEAR : PATCH_SET;
}

static bool read_custom(struct field_reader *r, json_ref v, void *out)
{
	struct presence_patch *patch = out;

	patch->custom_patch = patch_of(r, v);
	if (patch->custom_patch != PATCH_SET)
		return true;
	return json_str(r->msg, v, &patch->custom) && patch->custom.n <= CUSTOM_STATUS_BYTES_MAX;
}

static bool read_expires(struct field_reader *r, json_ref v, void *out)
{
	struct presence_patch *patch = out;
	struct str text;

	patch->custom_expires = WALL_NONE;
	return is_none(r, v) || (json_str(r->msg, v, &text) && rfc3339_parse(text, &patch->custom_expires));
}

static bool read_metadata(struct field_reader *r, json_ref v, void *out)
{
	struct presence_patch *patch = out;

	patch->metadata_patch = patch_of(r, v);
	if (patch->metadata_patch != PATCH_SET)
		return true;
	if (json_type(r->msg, v) != JSON_OBJECT)
		return false;
	patch->metadata = json_raw(r->msg, v);
	return patch->metadata.n <= METADATA_BYTES_MAX;
}

static bool read_json(struct field_reader *r, json_ref v, void *out)
{
	*(struct str *)out = json_raw(r->msg, v);
	return v != JSON_ABSENT;
}

static bool read_sdp(struct field_reader *r, json_ref v, void *out)
{
	enum json_type type = json_type(r->msg, v);

	return (type == JSON_STRING || type == JSON_OBJECT) && read_json(r, v, out);
}

static bool read_token(struct field_reader *r, json_ref v, void *out)
{
	return json_str(r->msg, v, (struct str *)out) && ((struct str *)out)->n > 0;
}

static char *put(char *p, struct str s)
{
	memcpy(p, s.p, s.n);
	return p + s.n;
}

/* Names the topic that nobody knows, if it is fit to be named. */
static bool refuse_topic(struct field_reader *r, json_ref v)
{
	static const struct str says = STR("payload.topics: unknown topic '");
	static const struct str end = STR("'; there are " TOPIC_WORDS);
	struct str name;
	char *p = r->scratch->text;

	static_assert(sizeof("payload.topics: unknown topic ''; there are " TOPIC_WORDS) + ID_BYTES_MAX <=
		DECODE_TEXT_BYTES_MAX, "the longest name fits");
	if (!json_str_id(r->msg, v, &name))
		return false;
	p = put(put(put(p, says), name), end);
	r->err->text = str_of(r->scratch->text, (size_t)(p - r->scratch->text));
	return false;
}

static bool read_topics(struct field_reader *r, json_ref v, void *out)
{
	uint8_t *bits = out;
	enum topic bit;
	struct str word;

	if (json_type(r->msg, v) != JSON_ARRAY || json_count(r->msg, v) == 0)
		return false;
	for (json_ref e = json_first(r->msg, v); e != JSON_ABSENT; e = json_next(r->msg, e)) {
		if (!json_str(r->msg, e, &word) || !topic_of_word(word, &bit))
			return refuse_topic(r, e);
		*bits = (uint8_t)(*bits | bit);
	}
	return true;
}

static bool read_object(struct field_reader *r, json_ref v, void *out)
{
	(void)out;
	return is_none(r, v) || json_type(r->msg, v) == JSON_OBJECT;
}

static bool (*const readers[FIELD_KINDS])(struct field_reader *, json_ref, void *) = {
	[FIELD_ID] = read_id,
	[FIELD_ID_OPTIONAL] = read_id_optional,
	[FIELD_IDS] = read_ids,
	[FIELD_ID_APPEND] = read_id_append,
	[FIELD_IDS_APPEND] = read_ids_append,
	[FIELD_BOOL] = read_bool,
	[FIELD_STATUS] = read_status,
	[FIELD_CUSTOM] = read_custom,
	[FIELD_EXPIRES] = read_expires,
	[FIELD_METADATA] = read_metadata,
	[FIELD_SDP] = read_sdp,
	[FIELD_JSON] = read_json,
	[FIELD_TOKEN] = read_token,
	[FIELD_TOPICS] = read_topics,
	[FIELD_OBJECT] = read_object,
};

bool field_read(struct field_reader *r, const struct field *rows, size_t n, struct command *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct field *f = &rows[i];
		json_ref obj = f->within.n == 0 ? r->obj : json_get(r->msg, r->obj, f->within);

		assert(f->kind < FIELD_KINDS);
		r->err->text = f->want;
		if (!readers[f->kind](r, json_get(r->msg, obj, f->key), (char *)out + f->offset))
			return field_refuse(r, r->err->text);
	}
	return true;
}
