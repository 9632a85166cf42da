/*
 * Contract in json.h. Four passes, each linear: (1) precheck() bounds depth and containers before jsmn,
 * whose own cost is not linear in them, and refuses control characters inside strings; (2) UTF-8; (3) jsmn,
 * not strict (its strict mode refuses numbers at the top); (4) grammar(), which believes jsmn only where a
 * token begins and ends exactly where RFC 8259 would have it.
 *
 * A token is jsmn's during (3). From (4) on its words mean:
 *	start, end   offsets of the value, without the quotes of a string; json_str() may move `end`
 *	type         enum json_type, with the TOK_ flags
 *	size         elements or members of a container; of a key its hash, while its object is being closed
 *	parent       the next element's token, or JSON_ABSENT. A member's link to the next key stands in its
 *	             value, always the token after the key; the key's own word is free to sort keys with.
 * Tokens are in text order, so the inside of a container is the run of tokens after it that start before
 * its end.
 */
#include "base/json.h"

#include <assert.h>

#include "base/jsonesc.h"
#include "base/jsonnum.h"
#include "base/jsonplain.h"
#include "base/utf8.h"

#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include <jsmn.h>
#pragma GCC diagnostic pop

typedef jsmntok_t tok;

/* Callers' token memory is only ever accessed as jsmn's type, from here. */
static_assert(sizeof(struct json_tok) == sizeof(tok) && _Alignof(struct json_tok) == _Alignof(tok),
              "struct json_tok is memory for one token of jsmn with parent links");
static_assert(sizeof(int) == sizeof(json_ref), "jsmn's offsets are references");

enum {
	TOK_TYPE = 0xff,
	TOK_KEY = 0x100,
	TOK_ESCAPED = 0x200,    /* holds a backslash, not yet unescaped */
	TOK_TAKEN = 0x400,      /* handed out by json_str() */
	TOK_RAW = 0x800,        /* inside what json_raw() handed out */
};

/* What the grammar allows next; a set. */
enum {
	WANT_VALUE = 1,
	WANT_KEY = 2,
	WANT_END = 4,
	WANT_COLON = 8,
	WANT_COMMA = 16,
};

struct pass {
	struct json *j;
	const char *text;
	tok *toks;
	size_t pos, len;
	json_ref next;                   /* the token that the next value or key must be */
	json_ref count;
	unsigned want;
	uint32_t depth;
	json_ref open[JSON_DEPTH_MAX];   /* the containers around pos */
	json_ref last[JSON_DEPTH_MAX];   /* their last element or value */
};

static tok *toks_of(const struct json *j)
{
	return (tok *)(void *)j->toks;
}

/* The token of a reference that is not absent. */
static tok *tok_at(const struct json *j, json_ref ref)
{
	assert(ref >= 0 && (uint32_t)ref < j->tok_count);
	return &toks_of(j)[ref];
}

static void tok_set(tok *t, int type_and_flags)
{
	t->type = (jsmntype_t)type_and_flags;
}

static bool tok_has(const tok *t, int flags)
{
	return ((int)t->type & flags) != 0;
}

static enum json_type tok_type(const tok *t)
{
	return (enum json_type)((int)t->type & TOK_TYPE);
}

static size_t tok_bytes(const tok *t)
{
	return (size_t)(t->end - t->start);
}

static struct str tok_str(const char *text, const tok *t)
{
	return str_of(text + t->start, tok_bytes(t));
}

static struct jsonesc chars_of(const char *text, const tok *t)
{
	return jsonesc_of(tok_str(text, t));
}

/* ---- duplicate keys ---- */

__extension__ typedef unsigned __int128 u128;

/*
 * One step of a multiply-and-fold hash. Nobody who does not know the seed can aim at a value; who does
 * gains little (see keys_deal).
 */
static uint64_t mix(uint64_t a, uint64_t b)
{
	u128 m = (u128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t absorb(uint64_t seed, uint64_t h, uint64_t word)
{
	return mix(word ^ seed ^ 0x9e3779b97f4a7c15u, h ^ 0xe7037ed1a0b428dbu);
}

/* Little-endian wherever this runs, so that it agrees with the byte-wise way of an escaped key. */
static uint64_t load_le(const char *p, size_t n)
{
	uint64_t v = 0;

	assert(n <= 8);
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

static uint32_t hash_plain(uint64_t seed, struct str s)
{
	uint64_t h = seed;
	size_t i = 0;

	for (; s.n - i >= 8; i += 8)
		h = absorb(seed, h, load_le(s.p + i, 8));
	h = absorb(seed, h, load_le(s.p + i, s.n - i));
	h = absorb(seed, h, s.n);
	return (uint32_t)(h ^ (h >> 32));
}

static uint32_t hash_escaped(uint64_t seed, struct jsonesc c)
{
	uint64_t h = seed;
	uint64_t word = 0;
	uint64_t n = 0;

	for (int x = jsonesc_next(&c); x >= 0; x = jsonesc_next(&c)) {
		word |= (uint64_t)x << (8 * (n % 8));
		if (++n % 8 == 0) {
			h = absorb(seed, h, word);
			word = 0;
		}
	}
	h = absorb(seed, h, word);
	h = absorb(seed, h, n);
	return (uint32_t)(h ^ (h >> 32));
}

static bool key_equal(const struct pass *p, json_ref a, json_ref b)
{
	const tok *x = &p->toks[a];
	const tok *y = &p->toks[b];

	if (tok_has(x, TOK_ESCAPED) || tok_has(y, TOK_ESCAPED))
		return jsonesc_cmp(chars_of(p->text, x), chars_of(p->text, y)) == 0;
	return str_eq(tok_str(p->text, x), tok_str(p->text, y));
}

/* Order of two keys: by hash, then by what they spell. */
static int key_cmp(const struct pass *p, json_ref a, json_ref b)
{
	const tok *x = &p->toks[a];
	const tok *y = &p->toks[b];

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	if (tok_has(x, TOK_ESCAPED) || tok_has(y, TOK_ESCAPED))
		return jsonesc_cmp(chars_of(p->text, x), chars_of(p->text, y));
	return str_cmp(tok_str(p->text, x), tok_str(p->text, y));
}

/* Merges two sorted lists linked through `parent`, all of `a` behind all of `b` in the text. JSON_ABSENT and
 * *dup set when they share a key. */
static json_ref keys_merge(struct pass *p, json_ref a, json_ref b, json_ref *dup)
{
	json_ref head = JSON_ABSENT;
	json_ref *tail = &head;

	while (a != JSON_ABSENT && b != JSON_ABSENT) {
		int c = key_cmp(p, a, b);
		json_ref *take = c < 0 ? &a : &b;

		if (c == 0) {
			assert(a > b); /* hands are dealt front to back, and taken up from the last */
			*dup = a;
			return JSON_ABSENT;
		}
		*tail = *take;
		tail = &p->toks[*take].parent;
		*take = *tail;
	}
	*tail = a != JSON_ABSENT ? a : b;
	return head;
}

/*
 * Sorts the keys of a list and gives the later of two equal ones, or JSON_ABSENT. A merge sort from the
 * bottom up: whatever the keys are, each byte is compared at most once per level. Equal keys are neighbours
 * in the order, and no sort gets by without comparing those.
 */
static json_ref keys_sort(struct pass *p, json_ref list)
{
	enum { LEVELS = 12 };
	json_ref bin[LEVELS];           /* sorted lists of 2^i keys each, the first `used` of them */
	json_ref dup = JSON_ABSENT;
	json_ref rest = JSON_ABSENT;
	int used = 0;

	static_assert(1 << LEVELS > JSON_TOKENS_MAX, "every key of a text finds a bin");
	while (list != JSON_ABSENT) {
		json_ref run = list;
		int i = 0;

		list = p->toks[run].parent;
		p->toks[run].parent = JSON_ABSENT;
		for (; i < used && bin[i] != JSON_ABSENT; bin[i++] = JSON_ABSENT) {
			run = keys_merge(p, bin[i], run, &dup);
			if (dup != JSON_ABSENT)
				return dup;
		}
		assert(i < LEVELS);
		bin[i] = run;
		used = i == used ? used + 1 : used;
	}
	for (int i = 0; i < used && dup == JSON_ABSENT; i++)
		rest = keys_merge(p, bin[i], rest, &dup);
	return dup;
}

static json_ref key_after(const struct pass *p, json_ref key)
{
	return p->toks[key + 1].parent;
}

/* For few keys: each against each. */
static json_ref keys_pairs(const struct pass *p, json_ref obj)
{
	for (json_ref b = key_after(p, obj + 1); b != JSON_ABSENT; b = key_after(p, b))
		for (json_ref a = obj + 1; a != b; a = key_after(p, a))
			if (key_equal(p, a, b))
				return b;
	return JSON_ABSENT;
}

/* For many keys: dealt out by hash, then sorted: keys chosen to collide cost no more than a sort. */
static json_ref keys_deal(struct pass *p, json_ref obj)
{
	enum { HANDS = 256 };
	json_ref hand[HANDS];
	json_ref dup = JSON_ABSENT;

	for (int i = 0; i < HANDS; i++)
		hand[i] = JSON_ABSENT;
	for (json_ref key = obj + 1; key != JSON_ABSENT; key = key_after(p, key)) {
		tok *t = &p->toks[key];
		uint32_t h = tok_has(t, TOK_ESCAPED) ? hash_escaped(p->j->seed, chars_of(p->text, t)) :
		                                       hash_plain(p->j->seed, tok_str(p->text, t));

		t->size = (int)(h >> 1);
		t->parent = hand[t->size % HANDS];
		hand[t->size % HANDS] = key;
	}
	for (int i = 0; i < HANDS && dup == JSON_ABSENT; i++)
		dup = keys_sort(p, hand[i]);
	return dup;
}

/* The later of two equal keys of the closed object `obj`, or JSON_ABSENT. */
static json_ref keys_dup(struct pass *p, json_ref obj)
{
	enum { FEW = 8 };
	int keys = p->toks[obj].size;

	assert(keys >= 0);
	if (keys < 2)
		return JSON_ABSENT;
	return keys <= FEW ? keys_pairs(p, obj) : keys_deal(p, obj);
}

/* ---- grammar ---- */

/* The token that must begin at `start`, of jsmn's type; NULL when jsmn saw something else there. */
static tok *expect_tok(struct pass *p, jsmntype_t type, size_t start)
{
	tok *t = &p->toks[p->next];

	if (p->next >= p->count || t->type != type || t->start < 0 || (size_t)t->start != start)
		return NULL;
	if (t->end < t->start || (size_t)t->end > p->len)
		return NULL;
	return t;
}

/* Enters the token `p->next` as what stands at pos: a value, or a key when `flags` say so. */
static void enter(struct pass *p, enum json_type type, int flags)
{
	json_ref ref = p->next++;
	tok *t = &p->toks[ref];
	bool in_object = p->depth > 0 && tok_type(&p->toks[p->open[p->depth - 1]]) == JSON_OBJECT;

	tok_set(t, (int)type | flags);
	t->size = 0;
	t->parent = JSON_ABSENT;
	if (p->depth == 0) {
		p->want = 0;
		return;
	}
	if (!in_object || (flags & TOK_KEY)) {
		json_ref last = p->last[p->depth - 1];

		p->toks[p->open[p->depth - 1]].size++;
		if (last != JSON_ABSENT)
			p->toks[last].parent = ref;
	}
	p->last[p->depth - 1] = ref;
	p->want = flags & TOK_KEY ? WANT_COLON : WANT_COMMA | WANT_END;
}

static enum json_err grammar_open(struct pass *p, bool object)
{
	tok *t = expect_tok(p, object ? JSMN_OBJECT : JSMN_ARRAY, p->pos);

	if (!(p->want & WANT_VALUE) || t == NULL)
		return JSON_ERR_SYNTAX;
	enter(p, object ? JSON_OBJECT : JSON_ARRAY, 0);
	assert(p->depth < JSON_DEPTH_MAX);
	p->open[p->depth] = p->next - 1;
	p->last[p->depth] = JSON_ABSENT;
	p->depth++;
	p->want = WANT_END | (object ? WANT_KEY : WANT_VALUE);
	p->pos++;
	return JSON_OK;
}

static enum json_err grammar_close(struct pass *p, bool object)
{
	json_ref top;
	tok *t;

	if (!(p->want & WANT_END))
		return JSON_ERR_SYNTAX;
	assert(p->depth > 0);
	top = p->open[p->depth - 1];
	t = &p->toks[top];
	if ((tok_type(t) == JSON_OBJECT) != object || (size_t)t->end != p->pos + 1)
		return JSON_ERR_SYNTAX;
	if (object) {
		json_ref dup = keys_dup(p, top);

		if (dup != JSON_ABSENT) {
			p->pos = (size_t)p->toks[dup].start;
			return JSON_ERR_DUPLICATE_KEY;
		}
	}
	p->depth--;
	p->want = p->depth > 0 ? WANT_COMMA | WANT_END : 0;
	p->pos++;
	return JSON_OK;
}

/* precheck() has refused control characters; here the escapes. */
static enum json_err grammar_string(struct pass *p)
{
	bool key = (p->want & WANT_KEY) != 0;
	tok *t = expect_tok(p, JSMN_STRING, p->pos + 1);
	const char *at, *end;
	int flags = key ? TOK_KEY : 0;

	if (!(p->want & (WANT_VALUE | WANT_KEY)) || t == NULL)
		return JSON_ERR_SYNTAX;
	at = p->text + t->start;
	end = p->text + t->end;
	while (at < end && (*at == '\\' || (at = memchr(at, '\\', (size_t)(end - at))) != NULL)) {
		enum json_err err = JSON_OK;
		uint32_t cp = 0;
		size_t n = jsonesc_take(str_of(at, (size_t)(end - at)), &cp);

		if (n == 0)
			err = cp == JSONESC_SURROGATE ? JSON_ERR_SURROGATE : JSON_ERR_SYNTAX;
		else if (key && cp == 0)
			err = JSON_ERR_NUL_IN_KEY;
		if (err != JSON_OK) {
			p->pos = (size_t)(at - p->text);
			return err;
		}
		flags |= TOK_ESCAPED;
		at += n;
	}
	enter(p, JSON_STRING, flags);
	p->pos = (size_t)t->end + 1;
	return JSON_OK;
}

static enum json_type primitive_type(struct str s)
{
	if (str_eq(s, STR("true")))
		return JSON_TRUE;
	if (str_eq(s, STR("false")))
		return JSON_FALSE;
	if (str_eq(s, STR("null")))
		return JSON_NULL;
	return jsonnum_is(s) ? JSON_NUMBER : JSON_TYPE_ABSENT;
}

static enum json_err grammar_primitive(struct pass *p)
{
	tok *t = expect_tok(p, JSMN_PRIMITIVE, p->pos);
	enum json_type type;

	if (!(p->want & WANT_VALUE) || t == NULL)
		return JSON_ERR_SYNTAX;
	type = primitive_type(tok_str(p->text, t));
	if (type == JSON_TYPE_ABSENT)
		return JSON_ERR_NUMBER;
	enter(p, type, 0);
	p->pos = (size_t)t->end;
	return JSON_OK;
}

static enum json_err grammar_mark(struct pass *p, unsigned mark)
{
	if (!(p->want & mark))
		return JSON_ERR_SYNTAX;
	if (mark == WANT_COMMA && tok_type(&p->toks[p->open[p->depth - 1]]) == JSON_OBJECT)
		p->want = WANT_KEY;
	else
		p->want = WANT_VALUE;
	p->pos++;
	return JSON_OK;
}

static enum json_err grammar_step(struct pass *p)
{
	switch (p->text[p->pos]) {
	case '{':  return grammar_open(p, true);
	case '[':  return grammar_open(p, false);
	case '}':  return grammar_close(p, true);
	case ']':  return grammar_close(p, false);
	case '"':  return grammar_string(p);
	case ':':  return grammar_mark(p, WANT_COLON);
	case ',':  return grammar_mark(p, WANT_COMMA);
	default:   return grammar_primitive(p);
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static enum json_err grammar(struct pass *p)
{
	for (;;) {
		enum json_err err;

		while (p->pos < p->len && is_blank(p->text[p->pos]))
			p->pos++;
		if (p->pos == p->len)
			break;
		if (p->want == 0)
			return JSON_ERR_TRAILING;
		err = grammar_step(p);
		if (err != JSON_OK)
			return err;
	}
	if (p->want != 0)
		return JSON_ERR_TRUNCATED;
	assert(p->depth == 0);
	return p->next == p->count ? JSON_OK : JSON_ERR_SYNTAX;
}

/* ---- before jsmn ---- */

/* Skips the string whose opening quote is at *pos. */
static enum json_err precheck_string(const char *text, size_t len, size_t *pos)
{
	size_t at = *pos + 1;

	for (;;) {
		if (at < len && text[at] != '\\') /* escapes often come in runs */
			at += jsonplain_run(text + at, len - at);
		*pos = at;
		if (at == len)
			return JSON_ERR_TRUNCATED;
		if (text[at] == '"')
			return JSON_OK;
		if (text[at] != '\\')
			return JSON_ERR_CONTROL;
		if (len - at < 2)
			return JSON_ERR_TRUNCATED;
		at += 2;
	}
}

/* Bounds depth and tokens (but for numbers and literals: they are left to jsmn).
 * *pos is left at the fault. */
static enum json_err precheck(const char *text, size_t len, uint32_t tok_max, size_t *pos)
{
	uint32_t depth = 0;
	uint32_t toks = 0;

	for (*pos = 0; *pos < len; ++*pos) {
		char c = text[*pos];
		enum json_err err;

		if (c == '{' || c == '[') {
			if (depth++ == JSON_DEPTH_MAX)
				return JSON_ERR_DEPTH;
		} else if (c == '}' || c == ']') {
			if (depth-- == 0)
				return JSON_ERR_SYNTAX;
			continue;
		} else if (c != '"') {
			continue;
		}
		if (toks++ == tok_max)
			return JSON_ERR_TOKENS;
		if (c == '"' && (err = precheck_string(text, len, pos)) != JSON_OK)
			return err;
	}
	return JSON_OK;
}

static enum json_err tokenise(struct json *j, size_t *pos, json_ref *count)
{
	jsmn_parser parser;
	int n;

	jsmn_init(&parser);
	n = jsmn_parse(&parser, j->text, j->len, toks_of(j), j->tok_max);
	*pos = parser.pos;
	*count = n;
	switch (n) {
	case JSMN_ERROR_NOMEM: return JSON_ERR_TOKENS;
	case JSMN_ERROR_PART:  return JSON_ERR_TRUNCATED;
	case JSMN_ERROR_INVAL: return JSON_ERR_SYNTAX;
	default:
		assert(n >= 0 && (uint32_t)n <= j->tok_max);
		return JSON_OK;
	}
}

/* Everything after UTF-8; *pos is left at the fault. */
static enum json_err parse(struct json *j, bool utf8_known, size_t *pos)
{
	enum json_err err = precheck(j->text, j->len, j->tok_max, pos);
	struct pass p;

	if (err != JSON_OK)
		return err;
	*pos = 0;
	if (!utf8_known && !utf8_valid(str_of(j->text, j->len)))
		return JSON_ERR_UTF8;
	p.count = 0;
	err = tokenise(j, pos, &p.count);
	if (err != JSON_OK)
		return err;
	p.j = j;
	p.text = j->text;
	p.toks = toks_of(j);
	p.pos = 0;
	p.len = j->len;
	p.next = 0;
	p.want = WANT_VALUE;
	p.depth = 0;
	err = grammar(&p);
	*pos = p.pos;
	j->tok_count = err == JSON_OK ? (uint32_t)p.count : 0;
	return err;
}

static enum json_err start(struct json *j, char *text, size_t len, bool utf8_known)
{
	size_t pos = 0;
	enum json_err err;

	assert(j->toks != NULL && (text != NULL || len == 0));
	j->text = text;
	j->len = len;
	j->tok_count = 0;
	j->err_at = 0;
	if (len > INT32_MAX)
		return JSON_ERR_TOO_LONG;
	err = len == 0 ? JSON_ERR_TRUNCATED : parse(j, utf8_known, &pos);
	j->err_at = err == JSON_OK ? 0 : (uint32_t)pos;
	return err;
}

/* ---- public ---- */

void json_init(struct json *j, struct json_tok *toks, uint32_t tok_max)
{
	assert(toks != NULL && tok_max >= 1 && tok_max <= JSON_TOKENS_MAX);
	*j = (struct json){ .toks = toks, .tok_max = tok_max };
}

enum json_err json_parse(struct json *j, char *text, size_t len)
{
	return start(j, text, len, false);
}

enum json_err json_parse_utf8(struct json *j, char *text, size_t len)
{
	return start(j, text, len, true);
}

const char *json_err_text(enum json_err err)
{
	switch (err) {
	case JSON_OK:                return "valid";
	case JSON_ERR_TOO_LONG:      return "too long";
	case JSON_ERR_DEPTH:         return "nested too deep";
	case JSON_ERR_TOKENS:        return "too many values";
	case JSON_ERR_UTF8:          return "invalid UTF-8";
	case JSON_ERR_CONTROL:       return "control character in a string";
	case JSON_ERR_TRUNCATED:     return "unexpected end";
	case JSON_ERR_SYNTAX:        return "syntax error";
	case JSON_ERR_NUMBER:        return "invalid number or literal";
	case JSON_ERR_TRAILING:      return "something follows the value";
	case JSON_ERR_SURROGATE:     return "lone surrogate";
	case JSON_ERR_NUL_IN_KEY:    return "NUL in a key";
	default:                     break;
	}
	assert(err == JSON_ERR_DUPLICATE_KEY);
	return "duplicate key";
}

json_ref json_root(const struct json *j)
{
	return j->tok_count > 0 ? 0 : JSON_ABSENT;
}

enum json_type json_type(const struct json *j, json_ref ref)
{
	return ref == JSON_ABSENT ? JSON_TYPE_ABSENT : tok_type(tok_at(j, ref));
}

json_ref json_get(const struct json *j, json_ref obj, struct str key)
{
	if (json_type(j, obj) != JSON_OBJECT)
		return JSON_ABSENT;
	for (json_ref k = json_first(j, obj); k != JSON_ABSENT; k = json_next(j, k)) {
		const tok *t = tok_at(j, k);

		bool found = tok_has(t, TOK_ESCAPED) ? jsonesc_spells(chars_of(j->text, t), key) :
		                                       str_eq(tok_str(j->text, t), key);

		if (found)
			return k + 1;
	}
	return JSON_ABSENT;
}

json_ref json_first(const struct json *j, json_ref ref)
{
	return json_count(j, ref) > 0 ? ref + 1 : JSON_ABSENT;
}

json_ref json_next(const struct json *j, json_ref ref)
{
	if (ref == JSON_ABSENT)
		return JSON_ABSENT;
	return tok_at(j, tok_has(tok_at(j, ref), TOK_KEY) ? ref + 1 : ref)->parent;
}

json_ref json_value(const struct json *j, json_ref key)
{
	return key != JSON_ABSENT && tok_has(tok_at(j, key), TOK_KEY) ? key + 1 : JSON_ABSENT;
}

uint32_t json_count(const struct json *j, json_ref ref)
{
	enum json_type type = json_type(j, ref);

	return type == JSON_OBJECT || type == JSON_ARRAY ? (uint32_t)tok_at(j, ref)->size : 0;
}

bool json_str(struct json *j, json_ref ref, struct str *out)
{
	tok *t;

	if (json_type(j, ref) != JSON_STRING)
		return false;
	t = tok_at(j, ref);
	assert(!tok_has(t, TOK_RAW));
	if (tok_has(t, TOK_ESCAPED))
		t->end = t->start + (int)jsonesc_undo(j->text + t->start, tok_bytes(t));
	tok_set(t, ((int)t->type & ~TOK_ESCAPED) | TOK_TAKEN);
	*out = tok_str(j->text, t);
	return true;
}

bool json_str_id(struct json *j, json_ref ref, struct str *out)
{
	struct str s;

	if (!json_str(j, ref, &s) || !utf8_is_id(s))
		return false;
	*out = s;
	return true;
}

bool json_i64(const struct json *j, json_ref ref, int64_t *out)
{
	return json_type(j, ref) == JSON_NUMBER && jsonnum_i64(tok_str(j->text, tok_at(j, ref)), out);
}

bool json_bool(const struct json *j, json_ref ref, bool *out)
{
	enum json_type type = json_type(j, ref);

	if (type != JSON_TRUE && type != JSON_FALSE)
		return false;
	*out = type == JSON_TRUE;
	return true;
}

struct str json_raw(struct json *j, json_ref ref)
{
	tok *t;
	int quote, end;

	if (ref == JSON_ABSENT)
		return STR_NONE;
	t = tok_at(j, ref);
	quote = tok_type(t) == JSON_STRING;
	end = t->end;
	for (json_ref i = ref; (uint32_t)i < j->tok_count; i++) {
		tok *inside = tok_at(j, i);

		if (i > ref && inside->start >= end)
			break;
		assert(!tok_has(inside, TOK_TAKEN));
		tok_set(inside, (int)inside->type | TOK_RAW);
	}
	return str_of(j->text + t->start - quote, tok_bytes(t) + 2 * (size_t)quote);
}
