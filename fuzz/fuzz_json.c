/*
 * Fuzzes base/json and base/jsonw: whatever is accepted says the same after being written anew, each of its
 * values is a JSON text of its own, no true prefix of a container is accepted, and knowing the UTF-8
 * beforehand changes nothing.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/jsonesc.h"
#include "base/jsonnum.h"
#include "base/jsonw.h"
#include "base/utf8.h"

static struct json_tok toks_a[JSON_TOKENS_MAX], toks_b[JSON_TOKENS_MAX];

/* A copy of exactly n bytes, so that ASan sees the first byte too many. */
static char *copy_of(const void *p, size_t n)
{
	char *mem = malloc(n + !n);

	if (n > 0)
		memcpy(mem, p, n);
	return mem;
}

static bool is_container(const struct json *j, json_ref v)
{
	return json_type(j, v) == JSON_OBJECT || json_type(j, v) == JSON_ARRAY;
}

static json_ref emit_one(struct json *j, json_ref at, struct jsonw *w)
{
	json_ref v = at;
	struct str s;
	bool b = false;

	if (json_value(j, at) != JSON_ABSENT) {
		assert(json_str(j, at, &s));
		jsonw_key_str(w, s);
		v = json_value(j, at);
	}
	switch (json_type(j, v)) {
	case JSON_OBJECT: jsonw_obj(w); break;
	case JSON_ARRAY:  jsonw_arr(w); break;
	case JSON_STRING: assert(json_str(j, v, &s)); jsonw_str(w, s); break;
	case JSON_NUMBER: jsonw_raw(w, json_raw(j, v)); break;
	case JSON_NULL:   jsonw_null(w); break;
	default:          assert(json_bool(j, v, &b)); jsonw_bool(w, b); break;
	}
	return v;
}

static void emit(struct json *j, struct jsonw *w)
{
	json_ref trail[JSON_DEPTH_MAX];
	uint32_t depth = 0;
	json_ref at = json_root(j);

	do {
		json_ref v = emit_one(j, at, w);

		if (is_container(j, v)) {
			trail[depth++] = v;
			at = json_first(j, v);
		} else {
			at = json_next(j, at);
		}
		while (at == JSON_ABSENT && depth > 0) {
			json_ref up = trail[--depth];

			if (json_type(j, up) == JSON_OBJECT)
				jsonw_end_obj(w);
			else
				jsonw_end_arr(w);
			at = depth > 0 ? json_next(j, up) : JSON_ABSENT;
		}
	} while (at != JSON_ABSENT);
}

/* Two documents are the same tree: token by token, strings by what they spell, numbers by their text. */
static void same(struct json *a, struct json *b)
{
	assert(a->tok_count == b->tok_count);
	for (json_ref i = 0; (uint32_t)i < a->tok_count; i++) {
		struct str x, y;

		assert(json_type(a, i) == json_type(b, i) && json_count(a, i) == json_count(b, i));
		assert(json_next(a, i) == json_next(b, i) && json_first(a, i) == json_first(b, i));
		if (json_type(a, i) == JSON_STRING) {
			assert(json_str(a, i, &x) && json_str(b, i, &y) && str_eq(x, y));
		} else if (json_type(a, i) == JSON_NUMBER) {
			int64_t v = 0, u = 0;

			assert(json_i64(a, i, &v) == json_i64(b, i, &u) && u == v);
			assert(str_eq(json_raw(a, i), json_raw(b, i)));
		}
	}
}

/* Each value's raw slice parses to a document of its own; each member is found by its key. */
static void raws(struct json *j, struct json *k)
{
	for (json_ref i = 0; (uint32_t)i < j->tok_count && i < 64; i++) {
		struct str s = json_raw(j, i);
		char *copy = copy_of(s.p, s.n);

		assert(json_parse(k, copy, s.n) == JSON_OK);
		assert(json_type(k, 0) == json_type(j, i) && json_count(k, 0) == json_count(j, i));
		free(copy);
	}
}

/* What is not there is nowhere, and an array has no keys. */
static void absent(struct json *j)
{
	bool b;
	struct str s;

	assert(json_get(j, JSON_ABSENT, STR("a")) == JSON_ABSENT && json_next(j, JSON_ABSENT) == JSON_ABSENT);
	assert(!json_str(j, JSON_ABSENT, &s) && !json_bool(j, JSON_ABSENT, &b) && str_absent(json_raw(j, JSON_ABSENT)));
	assert(json_type(j, 0) == JSON_OBJECT || json_get(j, 0, STR("a")) == JSON_ABSENT);
}

/* Keys are found as they are spelt, before anything is decoded; an id is a string, a number in range an integer. */
static void lookup(struct json *j)
{
	for (json_ref i = 0; (uint32_t)i < j->tok_count && i < 64; i++) {
		struct str s, id;
		int64_t ms, v;

		if (json_type(j, i) == JSON_OBJECT)
			(void)json_get(j, i, STR("a"));
		if (json_type(j, i) == JSON_STRING && json_str_id(j, i, &id))
			assert(json_str(j, i, &s) && str_eq(s, id));
		if (json_type(j, i) == JSON_NUMBER && jsonnum_thousandths(json_raw(j, i), &ms) && json_i64(j, i, &v))
			assert(ms / 1000 == v && ms % 1000 == 0);
	}
}

/* Every escape by itself, also where the tokenizer would not have let it pass: no longer than there is, and never growing. */
static void escapes(const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n && i < 64; i++) {
		char *copy = copy_of(data + i, n - i);
		uint8_t utf8[UTF8_BYTES_MAX];
		uint32_t cp;
		size_t took = data[i] == '\\' ? jsonesc_take(str_of(copy, n - i), &cp) : 0;

		assert(took <= n - i && (took == 0 || utf8_encode(utf8, cp) < took));
		free(copy);
	}
}

static void found(struct json *j)
{
	for (json_ref i = 0; (uint32_t)i < j->tok_count && i < 64; i++) {
		json_ref k = json_type(j, i) == JSON_OBJECT ? json_first(j, i) : JSON_ABSENT;

		for (; k != JSON_ABSENT; k = json_next(j, k)) {
			struct str key;

			assert(json_str(j, k, &key) && json_get(j, i, key) == json_value(j, k));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = copy_of(data, n);
	char *again = copy_of(data, n);
	size_t out_bytes = 6 * n + 16;
	char *out = malloc(out_bytes);
	struct json a, b;
	struct jsonw w;
	enum json_err err;

	json_init(&a, toks_a, JSON_TOKENS_MAX);
	json_init(&b, toks_b, n % 2 ? JSON_TOKENS_MAX : 1 + n % 64);
	b.seed = n * 0x9e3779b97f4a7c15u;
	escapes(data, n);
	err = json_parse(&a, text, n);
	assert((err == JSON_OK) == (json_root(&a) == 0) && a.err_at <= n && json_err_text(err)[0] != '\0');
	if (err != JSON_OK)
		goto done;
	assert(json_parse_utf8(&b, again, n) == JSON_OK || a.tok_count > b.tok_max);
	b.tok_max = JSON_TOKENS_MAX;
	raws(&a, &b);
	if (is_container(&a, 0) && n < 512)
		for (size_t i = (size_t)(json_raw(&a, 0).p - text) + json_raw(&a, 0).n; i-- > 0;)
			assert(json_parse(&b, again, i) != JSON_OK);
	json_parse(&a, text, n);
	jsonw_init(&w, out, out_bytes);
	emit(&a, &w);
	assert(!w.failed && w.depth == 0);
	assert(json_parse(&b, out, jsonw_bytes(&w)) == JSON_OK);
	same(&a, &b);
	absent(&a);
	found(&a);
	assert(json_parse(&b, again, n) == JSON_OK);
	lookup(&b);
done:
	free(text);
	free(again);
	free(out);
	return 0;
}
