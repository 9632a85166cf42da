/*
 * base/json against RFC 8259, in rows that cover every category of JSONTestSuite (RELIABILITY J1: n_
 * refused, y_ accepted, i_ pinned) and J2 to J10. Each row runs flush against a guard page; of each
 * accepted one every true prefix must be refused, and writing it anew must give the same tree.
 *
 * `test_json FILE...` judges files named as JSONTestSuite names its own; test/e2e/json_suite.sh fetches
 * them.
 */
#include <stdlib.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/jsonnum.h"
#include "base/jsonw.h"
#include "base/utf8.h"
#include "tap.h"

#define B(s) s, sizeof(s) - 1
#define OK JSON_OK
#define CONTROL JSON_ERR_CONTROL
#define TRUNCATED JSON_ERR_TRUNCATED
#define SYNTAX JSON_ERR_SYNTAX
#define NUMBER JSON_ERR_NUMBER
#define TRAILING JSON_ERR_TRAILING
#define UTF8 JSON_ERR_UTF8
#define SURROGATE JSON_ERR_SURROGATE
#define DUPLICATE JSON_ERR_DUPLICATE_KEY
#define NUL_IN_KEY JSON_ERR_NUL_IN_KEY
#define DEPTH JSON_ERR_DEPTH

static struct json_tok toks[JSON_TOKENS_MAX];

static const struct row { const char *clause, *name, *text; size_t n; enum json_err want; } rows[] = {
	/* y_array, y_structure */
	{ "8259 5", "empty array", B("[]"), OK },
	{ "8259 5", "blanks in and around an array", B(" [\t1 ,\r\n2 ]  \n"), OK },
	{ "8259 5", "mixed elements", B("[null,1,\"1\",{},[]]"), OK },
	{ "8259 5", "empty arrays in an array", B("[[],[],[[]]]"), OK },
	{ "8259 5", "empty string element", B("[\"\"]"), OK },
	{ "8259 2", "lonely true", B("true"), OK },
	{ "8259 2", "lonely false", B("false"), OK },
	{ "8259 2", "lonely null", B("null"), OK },
	{ "8259 2", "lonely integer", B("42"), OK },
	{ "8259 2", "lonely negative fraction, newline after", B("-0.1\n"), OK },
	{ "8259 2", "lonely string", B("\"asd\""), OK },
	{ "8259 2", "lonely empty string", B("\"\""), OK },
	/* y_number */
	{ "8259 6", "zero with exponent", B("[0e1,0e+1,0E-1]"), OK },
	{ "8259 6", "minus zero", B("[-0]"), OK },
	{ "8259 6", "fraction", B("[123.456789]"), OK },
	{ "8259 6", "all kinds of exponent", B("[1e2,1E2,1e+2,1E-2,1.5e2,123.456e78]"), OK },
	{ "8259 6", "many zeros", B("[-0.000000000000000000000000000000000000000000000000000000000001]"), OK },
	{ "8259 6", "number at the end of a member", B("{\"a\":1.5}"), OK },
	/* y_object */
	{ "8259 4", "empty object", B("{}"), OK },
	{ "8259 4", "empty key", B("{\"\":0}"), OK },
	{ "8259 4", "two members, newlines", B("{\n\"a\":\n\"b\",\n\"c\" : 1\n}"), OK },
	{ "8259 4", "same key in different objects", B("{\"id\":1,\"in\":{\"id\":2,\"in\":[{\"id\":3}]}}"), OK },
	{ "8259 4", "key that differs in case", B("{\"id\":1,\"ID\":2}"), OK },
	{ "8259 4", "key that is a prefix", B("{\"user\":1,\"user_\":2,\"use\":3}"), OK },
	/* y_string */
	{ "8259 7", "every short escape", B("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), OK },
	{ "8259 7", "hex in both cases", B("[\"\\u00e9\\u00E9\\uaBcD\"]"), OK },
	{ "8259 7", "surrogate pair", B("[\"\\uD834\\udd1e\"]"), OK },
	{ "8259 7", "last and first pair", B("[\"\\udbff\\udfff\\ud800\\udc00\"]"), OK },
	{ "8259 7", "escaped NUL in a value", B("[\"\\u0000\"]"), OK },
	{ "8259 7", "escaped backslash before u", B("[\"\\\\u0000\"]"), OK },
	{ "8259 7", "escaped quote then end", B("[\"\\\\\\\"\"]"), OK },
	{ "8259 7", "brackets, comments, commas in a string", B("[\"a]}/*b*/,c//d{[\"]"), OK },
	{ "8259 7", "DEL raw", B("[\"a\x7f\"]"), OK },
	{ "8259 7", "two, three and four bytes raw", B("[\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"]"), OK },
	{ "8259 7", "noncharacters raw and escaped", B("[\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\\uFFFF\\uFDD0\"]"), OK },
	{ "8259 7", "U+2028 and U+2029 raw", B("[\"\xe2\x80\xa8\xe2\x80\xa9\"]"), OK },
	/* n_array */
	{ "8259 5", "literal without comma", B("[1 true]"), SYNTAX },
	{ "8259 5", "no comma between arrays", B("[3[4]]"), SYNTAX },
	{ "8259 5", "no comma between strings", B("[\"a\" \"b\"]"), SYNTAX },
	{ "8259 5", "no comma, no blank", B("[\"a\"\"b\"]"), SYNTAX },
	{ "8259 5", "colon for comma", B("[\"\":1]"), SYNTAX },
	{ "8259 5", "semicolon for comma", B("[1;2]"), NUMBER },
	{ "8259 5", "comma first", B("[,1]"), SYNTAX },
	{ "8259 5", "only a comma", B("[,]"), SYNTAX },
	{ "8259 5", "double comma", B("[1,,2]"), SYNTAX },
	{ "8259 5", "number and several commas", B("[1,,]"), SYNTAX },
	{ "8259 5", "string and comma, then end", B("[\"\",]"), SYNTAX },
	{ "8259 5", "star inside", B("[*]"), NUMBER },
	{ "8259 5", "only a minus", B("[-]"), NUMBER },
	{ "8259 5", "unfinished literal", B("[x"), TRUNCATED },
	{ "8259 5", "open after element", B("[\"x\""), TRUNCATED },
	{ "8259 5", "open after comma", B("[1,"), TRUNCATED },
	{ "8259 5", "open over lines", B("[\"a\",\n4\n,1,"), TRUNCATED },
	{ "8259 5", "open with an object inside", B("[{}"), TRUNCATED },
	{ "8259 2", "vertical tab in a string, form feed behind", B("[\"a\v\"\f]"), CONTROL },
	{ "8259 2", "form feed between", B("[\f]"), SYNTAX },
	{ "8259 2", "vertical tab between", B("[1,\v2]"), SYNTAX },
	/* n_number, n_incomplete, literals of n_structure */
	{ "8259 3", "half a literal", B("[tru]"), NUMBER },
	{ "8259 3", "half a literal, lonely", B("nul"), NUMBER },
	{ "8259 3", "capital letters", B("[True,NULL]"), NUMBER },
	{ "8259 3", "literal with a tail", B("[nullx]"), NUMBER },
	{ "8259 3", "identifier", B("asd"), NUMBER },
	{ "8259 3", "identifier beyond ASCII", B("a\xc3\xa5"), SYNTAX },
	{ "8259 6", "NaN", B("[NaN]"), NUMBER },
	{ "8259 6", "minus NaN", B("[-NaN]"), NUMBER },
	{ "8259 6", "Infinity", B("[-Infinity]"), NUMBER },
	{ "8259 6", "plus sign", B("[+1]"), NUMBER },
	{ "8259 6", "two plus signs", B("[++1]"), NUMBER },
	{ "8259 6", "leading zero", B("[012]"), NUMBER },
	{ "8259 6", "leading zero after minus", B("[-01]"), NUMBER },
	{ "8259 6", "lonely double zero", B("00"), NUMBER },
	{ "8259 6", "no digit before the dot", B("[.5]"), NUMBER },
	{ "8259 6", "no digit before the dot, minus", B("[-.5]"), NUMBER },
	{ "8259 6", "no digit after the dot", B("[1.]"), NUMBER },
	{ "8259 6", "no digit between dot and exponent", B("[2.e3]"), NUMBER },
	{ "8259 6", "two dots", B("[0.1.2]"), NUMBER },
	{ "8259 6", "empty exponent", B("[1e]"), NUMBER },
	{ "8259 6", "sign alone in exponent", B("[1.0E+]"), NUMBER },
	{ "8259 6", "two signs in exponent", B("[0e+-1]"), NUMBER },
	{ "8259 6", "two exponents", B("[1eE2]"), NUMBER },
	{ "8259 6", "hexadecimal", B("[0x1F]"), NUMBER },
	{ "8259 6", "expression", B("[1+2]"), NUMBER },
	{ "8259 6", "thousands with blank", B("[1 000.0]"), SYNTAX },
	{ "8259 6", "minus, blank, digit", B("[- 1]"), NUMBER },
	{ "8259 6", "letter in it", B("[1.2a-3]"), NUMBER },
	{ "8259 6", "full-width digit", B("[\xef\xbc\x91]"), SYNTAX },
	{ "8259 6", "0xe5 in it", B("[0\xe5]"), UTF8 },
	{ "8259 6", "0xe5 in the exponent", B("[1e1\xe5]"), UTF8 },
	{ "J4", "dates of dashes", B("[1-2-3e]"), NUMBER },
	{ "J4", "literals run together", B("[truefoo]"), NUMBER },
	/* n_object */
	{ "8259 4", "no value", B("{\"a\":}"), SYNTAX },
	{ "8259 4", "key only", B("{\"a\"}"), SYNTAX },
	{ "8259 4", "no colon", B("{\"a\" \"b\"}"), SYNTAX },
	{ "8259 4", "no colon, number", B("{\"a\" 1}"), SYNTAX },
	{ "8259 4", "comma for colon", B("{\"x\",null}"), SYNTAX },
	{ "8259 4", "double colon", B("{\"x\"::\"b\"}"), SYNTAX },
	{ "8259 4", "value colon value", B("{\"a\":\"b\":\"c\"}"), SYNTAX },
	{ "8259 4", "no key", B("{:\"b\"}"), SYNTAX },
	{ "8259 4", "number as key", B("{1:1}"), SYNTAX },
	{ "8259 4", "literal as key", B("{null:1}"), SYNTAX },
	{ "8259 4", "bare word as key", B("{a:\"b\"}"), SYNTAX },
	{ "8259 4", "quotes of another kind", B("{'a':0}"), SYNTAX },
	{ "8259 4", "array as key", B("{[]:1}"), SYNTAX },
	{ "8259 4", "object as key", B("{{}:1}"), SYNTAX },
	{ "8259 4", "brace closed by a bracket", B("[{]"), SYNTAX },
	{ "8259 4", "comma last", B("{\"id\":0,}"), SYNTAX },
	{ "8259 4", "commas last", B("{\"id\":0,,,}"), SYNTAX },
	{ "8259 4", "comma first", B("{,\"a\":1}"), SYNTAX },
	{ "8259 4", "two commas", B("{\"a\":\"b\",,\"c\":\"d\"}"), SYNTAX },
	{ "8259 4", "no comma", B("{\"a\":1 \"b\":2}"), SYNTAX },
	{ "8259 4", "no comma after an object", B("{\"a\":{}\"b\":2}"), SYNTAX },
	{ "8259 4", "open in the value", B("{\"a\":\"a"), TRUNCATED },
	{ "8259 4", "open after the colon", B("{\"a\":"), TRUNCATED },
	{ "8259 4", "open after the key", B("{\"a\""), TRUNCATED },
	{ "8259 4", "emoji as key", B("{\xf0\x9f\x87\xa8}"), SYNTAX },
	{ "8259 4", "continuation byte in the key", B("{\"\xb9\":\"0\",}"), UTF8 },
	/* n_string */
	{ "8259 7", "unknown escape x", B("[\"\\x00\"]"), SYNTAX },
	{ "8259 7", "unknown escape a", B("[\"\\a\"]"), SYNTAX },
	{ "8259 7", "capital U", B("\"\\UA66D\""), SYNTAX },
	{ "8259 7", "no hex digit", B("[\"\\uqqqq\"]"), SYNTAX },
	{ "8259 7", "three hex digits", B("[\"\\u00A\"]"), SYNTAX },
	{ "8259 7", "backslash before a tab", B("[\"\\\t\"]"), SYNTAX },
	{ "8259 7", "backslash before NUL", B("[\"\\\0\"]"), SYNTAX },
	{ "8259 7", "backslash before an emoji", B("[\"\\\xf0\x9f\x8c\x80\"]"), SYNTAX },
	{ "8259 7", "backslash before 0xe5", B("[\"\\\xe5\"]"), UTF8 },
	{ "8259 7", "backslash last", B("\"\\"), TRUNCATED },
	{ "8259 7", "escaped quote last", B("[\"\\\"]"), TRUNCATED },
	{ "8259 7", "escape begun", B("[\"\\u00"), TRUNCATED },
	{ "8259 7", "one quote", B("\""), TRUNCATED },
	{ "8259 7", "apostrophes", B("['a']"), NUMBER },
	{ "8259 7", "escape outside", B("[\\n]"), NUMBER },
	{ "8259 7", "escaped line feed before a string", B("\\u000A\"\""), NUMBER },
	{ "8259 7", "letter beyond ASCII outside", B("[\xc3\xa9]"), SYNTAX },
	{ "8259 7", "raw line feed", B("[\"a\nb\"]"), CONTROL },
	{ "8259 7", "raw tab", B("[\"\t\"]"), CONTROL },
	{ "8259 7", "raw US, in a key, far in", B("{\"0123456789abcdef\x1f\":1}"), CONTROL },
	{ "J2", "raw NUL in a string", B("[\"a\0a\"]"), CONTROL },
	/* n_structure */
	{ "8259 2", "empty", B(""), TRUNCATED },
	{ "8259 2", "one blank", B(" "), TRUNCATED },
	{ "8259 2", "tail after a string", B("\"\"x"), TRAILING },
	{ "8259 2", "tail after a literal", B("true x"), TRAILING },
	{ "8259 2", "tail after an array", B("[1]x"), TRAILING },
	{ "8259 2", "two arrays", B("[][]"), TRAILING },
	{ "8259 2", "two objects", B("{\"a\":1}{\"b\":2}"), TRAILING },
	{ "8259 2", "two numbers", B("1 2"), TRAILING },
	{ "8259 2", "comma after", B("[\"\"],"), TRAILING },
	{ "8259 2", "colon after", B("1:"), TRAILING },
	{ "8259 2", "comment after", B("{\"a\":\"b\"}/**/"), TRAILING },
	{ "8259 2", "comment inside", B("{\"a\":/*c*/\"b\"}"), NUMBER },
	{ "8259 2", "hash after", B("{\"a\":\"b\"}#{}"), SYNTAX },
	{ "8259 2", "array closed twice", B("[1]]"), SYNTAX },
	{ "8259 2", "object closed twice", B("{\"a\":true}}"), SYNTAX },
	{ "8259 2", "close only", B("]"), SYNTAX },
	{ "8259 2", "colon only", B(":"), SYNTAX },
	{ "8259 2", "wrong close", B("[}"), SYNTAX },
	{ "8259 2", "wrong close, crossed", B("{\"a\":[1}]"), SYNTAX },
	{ "8259 2", "open only", B("["), TRUNCATED },
	{ "8259 2", "object open only", B("{"), TRUNCATED },
	{ "8259 2", "open both", B("[{"), TRUNCATED },
	{ "8259 2", "angle brackets", B("<.>"), NUMBER },
	{ "8259 2", "star", B("*"), NUMBER },
	{ "8259 2", "word joiner", B("\xe2\x81\xa0[]"), SYNTAX },
	{ "8259 2", "invalid byte alone", B("\xe5"), UTF8 },
	{ "8259 2", "byte order mark alone", B("\xef\xbb\xbf"), SYNTAX },
	{ "8259 2", "byte order mark begun", B("\xef\xbb{}"), UTF8 },
	{ "J2", "NUL outside", B("[\0]"), TRUNCATED },
	{ "J2", "NUL and garbage after", B("{\"a\":1}\0}}}garbage"), SYNTAX },
	{ "J2", "NUL after", B("{\"a\":1}\0"), TRAILING },
	/* i_: where RFC 8259 leaves it open */
	{ "J1 i_number", "huge exponents", B("[0.4e006699999999999999999999999999,1e999,-1e+9999,123e-10000000]"), OK },
	{ "J1 i_number", "huge integers", B("[-123123123123123123123123123123,100000000000000000000]"), OK },
	{ "J1 i_string", "first surrogate alone", B("[\"\\ud800\"]"), SURROGATE },
	{ "J1 i_string", "first surrogate, then text", B("[\"\\uDADAxxxxxx\"]"), SURROGATE },
	{ "J1 i_string", "first surrogate, then another escape", B("[\"\\ud800\\n\"]"), SURROGATE },
	{ "J1 i_string", "first surrogate, then a plain \\u", B("[\"\\uD888\\u1234\"]"), SURROGATE },
	{ "J1 i_string", "first surrogate twice", B("[\"\\uD800\\uD800\\n\"]"), SURROGATE },
	{ "J1 i_string", "second surrogate alone", B("[\"\\uDFAA\"]"), SURROGATE },
	{ "J1 i_string", "pair the wrong way round", B("[\"\\uDd1e\\uD834\"]"), SURROGATE },
	{ "J1 i_object", "second surrogate in a key", B("{\"\\uDFAA\":0}"), SURROGATE },
	{ "J1 n_string", "first surrogate, half an escape", B("[\"\\uD800\\u1\"]"), SYNTAX },
	{ "J1 n_string", "first surrogate, x in the second", B("[\"\\uD834\\uDd1x\"]"), SYNTAX },
	{ "J1 i_string", "surrogate raw", B("[\"\xed\xa0\x80\"]"), UTF8 },
	{ "J1 i_string", "Latin-1", B("[\"\xe9\"]"), UTF8 },
	{ "J1 i_string", "continuation byte alone", B("[\"\x81\"]"), UTF8 },
	{ "J1 i_string", "cut sequence", B("[\"\xe0\xff\"]"), UTF8 },
	{ "J5", "overlong two bytes", B("[\"\xc0\xaf\"]"), UTF8 },
	{ "J5", "overlong six bytes", B("[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"), UTF8 },
	{ "J5", "beyond U+10FFFF", B("[\"\xf4\xbf\xbf\xbf\"]"), UTF8 },
	{ "J5", "0xff 0xfe", B("[\"\xff\xfe\"]"), UTF8 },
	{ "J1 i_string", "UTF-16LE with BOM", B("\xff\xfe[\0\"\0\xe9\0\"\0]\0"), CONTROL },
	{ "J1 i_string", "UTF-16BE", B("\0[\0\"\0\xe9\0\"\0]"), CONTROL },
	{ "J1 i_structure", "byte order mark, object", B("\xef\xbb\xbf{}"), SYNTAX },
	{ "J1 i_structure", "17 deep", B("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), DEPTH },
	{ "J8", "16 deep", B("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"), OK },
	{ "J8", "16 deep, mixed, and again", B("[{\"a\":[[[[[[[[[[[[[[]]]]]]]]]]]]]]},[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), OK },
	{ "J8", "brackets in a string are not depth", B("[\"[[[[[[[[[[[[[[[[[[[[[[\"]"), OK },
	/* what RFC 8259 only advises against */
	{ "J6", "escaped NUL in a key", B("{\"a\\u0000b\":0}"), NUL_IN_KEY },
	{ "J7", "duplicate key", B("{\"sub\":1,\"sub\":1}"), DUPLICATE },
	{ "J7", "duplicate key, escaped", B("{\"sub\":1,\"s\\u0075b\":2}"), DUPLICATE },
	{ "J7", "duplicate key, both escaped", B("{\"\\u0073ub\":1,\"x\":0,\"su\\u0062\":2}"), DUPLICATE },
	{ "J7", "duplicate empty key", B("{\"\":1,\"\":2}"), DUPLICATE },
	{ "J7", "duplicate key inside", B("[{\"a\":{\"b\":[],\"c\":{},\"b\":[]}}]"), DUPLICATE },
	{ "J7", "duplicate after a pair", B("{\"\xf0\x9d\x84\x9e\":1,\"\\ud834\\udd1e\":2}"), DUPLICATE },
	{ "J7", "duplicate of 8 bytes, escaped", B("{\"12345678\":1,\"1234567\\u0038\":2}"), DUPLICATE },
	{ "J7", "duplicate of 9 bytes, escaped", B("{\"123456789\":1,\"\\u003123456789\":2}"), DUPLICATE },
	{ "J7", "duplicate of 17 bytes, escaped", B("{\"0123456789abcdefg\":1,\"0123456789abcde\\u0066g\":2}"), DUPLICATE },
	{ "J7", "escaped keys that differ", B("{\"s\\u0075b\":1,\"s\\u0075c\":2,\"\\n\":3,\"n\":4,\"\\\\n\":5}"), OK },
	{ "J7", "first and last of many",
	  B("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"a\":1}"), DUPLICATE },
};

/* ---- input against a guard page ---- */

static char *guard;             /* the byte behind the last that may be read */
static size_t guard_bytes;

static void guard_map(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *mem;

	guard_bytes = 16 * page;
	mem = mmap(NULL, guard_bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED || mprotect(mem + guard_bytes, page, PROT_NONE) != 0)
		abort();
	guard = mem + guard_bytes;
}

static char *flush(const char *text, size_t n)
{
	if (n > guard_bytes)
		abort();
	memcpy(guard - n, text, n);
	return guard - n;
}

/* ---- walks ---- */

static bool is_container(struct json *j, json_ref v)
{
	return json_type(j, v) == JSON_OBJECT || json_type(j, v) == JSON_ARRAY;
}

/* Writes one value or the opening of a container, after its key if `at` is one. Returns the value. */
static json_ref emit_one(struct json *j, json_ref at, struct jsonw *w)
{
	json_ref v = at;
	struct str s;
	bool b = false;

	if (json_value(j, at) != JSON_ABSENT) {
		json_str(j, at, &s);
		jsonw_key_str(w, s);
		v = json_value(j, at);
	}
	switch (json_type(j, v)) {
	case JSON_OBJECT: jsonw_obj(w); break;
	case JSON_ARRAY:  jsonw_arr(w); break;
	case JSON_STRING: json_str(j, v, &s); jsonw_str(w, s); break;
	case JSON_NUMBER: jsonw_raw(w, json_raw(j, v)); break;
	case JSON_NULL:   jsonw_null(w); break;
	default:          json_bool(j, v, &b); jsonw_bool(w, b); break;
	}
	return v;
}

/* Writes the document anew through every getter, unescaping all of it. */
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

/* ---- rows ---- */

/* Every true prefix of an accepted row that is no number is refused. Blanks behind it do not count. */
static bool prefixes_fail(const struct row *r)
{
	size_t from = 0;
	size_t n = r->n;
	struct json j;

	json_init(&j, toks, JSON_TOKENS_MAX);
	while (from < n && strchr(" \t\r\n", r->text[from]) != NULL)
		from++;
	while (n > from && strchr(" \t\r\n", r->text[n - 1]) != NULL)
		n--;
	if (strchr("[{\"tfn", r->text[from]) == NULL)
		return true;
	while (n-- > 0)
		if (json_parse(&j, flush(r->text, n), n) == JSON_OK || json_root(&j) != JSON_ABSENT)
			return false;
	return true;
}

static bool round_trips(const struct row *r)
{
	char once[1024], twice[1024];
	struct jsonw a, b;
	struct json j;

	jsonw_init(&a, once, sizeof(once));
	jsonw_init(&b, twice, sizeof(twice));
	json_init(&j, toks, JSON_TOKENS_MAX);
	json_parse(&j, flush(r->text, r->n), r->n);
	emit(&j, &a);
	if (a.failed || json_parse(&j, flush(once, jsonw_bytes(&a)), jsonw_bytes(&a)) != JSON_OK)
		return false;
	emit(&j, &b);
	return str_eq(jsonw_text(&a), jsonw_text(&b));
}

static void test_rows(void)
{
	struct json j;

	json_init(&j, toks, JSON_TOKENS_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		enum json_err got = json_parse(&j, flush(r->text, r->n), r->n);
		bool ok = got == r->want && (json_root(&j) == JSON_ABSENT) == (got != JSON_OK) && j.err_at <= r->n;

		if (r->want != JSON_ERR_UTF8)
			ok = ok && json_parse_utf8(&j, flush(r->text, r->n), r->n) == r->want;
		if (got == JSON_OK)
			ok = ok && prefixes_fail(r) && round_trips(r);
		if (!tap_ok(ok, "%s: %s: %s", r->clause, r->name, json_err_text(r->want)))
			printf("# got %s at %u\n", json_err_text(got), j.err_at);
	}
}

/* ---- getters ---- */

static enum json_err parse_into(struct json *j, const char *text)
{
	json_init(j, toks, JSON_TOKENS_MAX);
	return json_parse(j, flush(text, strlen(text)), strlen(text));
}

static bool is_str(struct json *j, json_ref ref, struct str want)
{
	struct str s = STR_NONE;

	return json_str(j, ref, &s) && str_eq(s, want) && json_str(j, ref, &s) && str_eq(s, want);
}

static void test_getters(void)
{
	struct json j;
	json_ref root, list, e;
	bool b = false;
	int64_t v = 7;

	tap_ok(parse_into(&j, "{\"type\":\"t\\n\\u00e9\\ud834\\udd1e\", \"n\\u0061me\" : [1, {\"deep\":[2]}, \"x\", null],"
	                      "\"yes\":true,\"no\":false, \"meta\": { \"k\\n\" : [ 1 ] } }") == JSON_OK, "getters: a text");
	root = json_root(&j);
	tap_ok(json_type(&j, root) == JSON_OBJECT && json_count(&j, root) == 5, "root is an object of five");
	tap_ok(is_str(&j, json_get(&j, root, STR("type")), STR("t\n\xc3\xa9\xf0\x9d\x84\x9e")), "unescaped, twice the same");
	list = json_get(&j, root, STR("name"));
	tap_ok(json_type(&j, list) == JSON_ARRAY && json_count(&j, list) == 4, "key found by what it spells");
	e = json_first(&j, list);
	tap_ok(json_i64(&j, e, &v) && v == 1, "first element");
	e = json_next(&j, e);
	tap_ok(json_type(&j, json_get(&j, e, STR("deep"))) == JSON_ARRAY, "second element");
	e = json_next(&j, e);
	tap_ok(is_str(&j, e, STR("x")), "third element, past the nested ones");
	e = json_next(&j, e);
	tap_ok(json_type(&j, e) == JSON_NULL && json_next(&j, e) == JSON_ABSENT, "fourth and last");
	tap_ok(json_bool(&j, json_get(&j, root, STR("yes")), &b) && b, "true");
	tap_ok(json_bool(&j, json_get(&j, root, STR("no")), &b) && !b, "false");
	tap_ok(json_get(&j, root, STR("deep")) == JSON_ABSENT, "a nested key is not the object's");
	tap_ok(json_get(&j, root, STR("typ")) == JSON_ABSENT && json_get(&j, root, STR("types")) == JSON_ABSENT &&
	       json_get(&j, root, STR("nam")) == JSON_ABSENT && json_get(&j, root, STR("names")) == JSON_ABSENT, "near misses");
	tap_ok(str_eq(json_raw(&j, json_get(&j, root, STR("meta"))), STR("{ \"k\\n\" : [ 1 ] }")), "raw is the source");
	e = json_first(&j, root);
	tap_ok(json_type(&j, e) == JSON_STRING && is_str(&j, e, STR("type")) && json_value(&j, e) == e + 1, "first key");
	e = json_next(&j, e);
	tap_ok(is_str(&j, e, STR("name")) && json_get(&j, root, STR("name")) == json_value(&j, e), "second key, unescaped");
	tap_ok(is_str(&j, json_next(&j, json_value(&j, e)), STR("yes")), "next of a value is the next key");
	tap_ok(json_next(&j, root) == JSON_ABSENT && json_value(&j, root) == JSON_ABSENT, "the root has no sibling");
}

static void test_absent(void)
{
	struct str s = STR("untouched");
	struct json j;
	int64_t v = 7;
	bool b;

	tap_ok(parse_into(&j, "[[\"a\"]]") == JSON_OK, "absent: a text");
	tap_ok(!json_str(&j, 0, &s) && !json_str(&j, JSON_ABSENT, &s) && str_eq(s, STR("untouched")), "no string: untouched");
	tap_ok(!json_i64(&j, 0, &v) && !json_i64(&j, JSON_ABSENT, &v) && v == 7, "no number: untouched");
	tap_ok(!json_bool(&j, 0, &b) && !json_bool(&j, JSON_ABSENT, &b), "no boolean");
	tap_ok(json_get(&j, 0, STR("a")) == JSON_ABSENT && json_get(&j, JSON_ABSENT, STR("a")) == JSON_ABSENT, "no object");
	tap_ok(str_absent(json_raw(&j, JSON_ABSENT)) && json_type(&j, JSON_ABSENT) == JSON_TYPE_ABSENT &&
	       json_count(&j, JSON_ABSENT) == 0 && json_first(&j, JSON_ABSENT) == JSON_ABSENT &&
	       json_next(&j, JSON_ABSENT) == JSON_ABSENT && json_value(&j, JSON_ABSENT) == JSON_ABSENT, "absent taken everywhere");
	tap_ok(parse_into(&j, "{\"a\":[") != JSON_OK && json_root(&j) == JSON_ABSENT, "after an error the document is empty");
	tap_ok(parse_into(&j, "[\"a\\\"b\",\"\"]") == JSON_OK && str_eq(json_raw(&j, 1), STR("\"a\\\"b\"")) &&
	       str_eq(json_raw(&j, 2), STR("\"\"")), "raw of a string has its quotes and escapes");
}

/* Whether taking the string in {"a":["x"]} and its raw text in that order stops the program. */
static bool stops(bool raw_first)
{
	struct str s;
	struct json j;
	int status = 0;
	pid_t pid;

	parse_into(&j, "{\"a\":[\"x\"]}");
	pid = fork();
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		fclose(stderr);
		if (raw_first)
			json_raw(&j, json_get(&j, 0, STR("a")));
		json_str(&j, 3, &s);
		json_raw(&j, json_get(&j, 0, STR("a")));
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

static void test_misuse(void)
{
#ifdef SRC_NDEBUG
	tap_ok(true, "misuse asserts # SKIP built without asserts");
	(void)stops;
#else
	fflush(stdout);
	tap_ok(stops(false), "raw text around a string already taken: asserts, escapes or not");
	tap_ok(stops(true), "a string inside raw text handed out: asserts");
#endif
}

static void test_ids(void)
{
	static const struct { const char *name, *text; bool ok; } ids[] = {
		{ "plain", "\"u1\"", true }, { "empty", "\"\"", false }, { "NUL", "\"a\\u0000b\"", false },
		{ "line feed", "\"a\\nb\"", false }, { "DEL", "\"a\x7f\"", false }, { "C1", "\"\\u0085\"", false },
		{ "no-break space", "\"\\u00a0\"", true }, { "number", "12", false }, { "null", "null", false },
		{ "two bytes", "\"\xc3\xa9\"", true },
	};
	char text[ID_BYTES_MAX + 4];
	struct json j;
	struct str s;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		tap_ok(parse_into(&j, ids[i].text) == JSON_OK && json_str_id(&j, json_root(&j), &s) == ids[i].ok,
		       "J6: id, %s: %s", ids[i].name, ids[i].ok ? "taken" : "refused");
	memset(text, 'x', sizeof(text));
	text[0] = text[ID_BYTES_MAX + 1] = '"';
	text[ID_BYTES_MAX + 2] = '\0';
	tap_ok(parse_into(&j, text) == JSON_OK && json_str_id(&j, 0, &s) && s.n == ID_BYTES_MAX, "id of the longest length");
	text[ID_BYTES_MAX + 1] = 'x';
	text[ID_BYTES_MAX + 2] = '"';
	text[ID_BYTES_MAX + 3] = '\0';
	tap_ok(parse_into(&j, text) == JSON_OK && !json_str_id(&j, 0, &s), "id one byte longer");
}

static void test_numbers(void)
{
	static const struct { const char *text; bool ok; int64_t v; } nums[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "-0.0e5", true, 0 }, { "7", true, 7 }, { "-12", true, -12 },
		{ "1e2", true, 100 }, { "1.5e1", true, 15 }, { "100.000", true, 100 }, { "1200e-2", true, 12 },
		{ "0.0012E+4", true, 12 }, { "1.5", false, 0 }, { "1e-1", false, 0 }, { "12e-2", false, 0 },
		{ "9223372036854775807", true, INT64_MAX }, { "9223372036854775808", false, 0 },
		{ "-9223372036854775808", true, INT64_MIN }, { "-9223372036854775809", false, 0 },
		{ "9999999999999999999", false, 0 }, { "18446744073709551616", false, 0 },
		{ "1e18", true, INT64_C(1000000000000000000) }, { "1e19", false, 0 }, { "0e99999999999999999999", true, 0 },
		{ "1e99999999999999999999", false, 0 }, { "1e-99999999999999999999", false, 0 },
		{ "1E00000000000000000000002", true, 100 }, { "0.000000000000000000000000000001e30", true, 1 },
		{ "1000000000000000000000000000000e-30", true, 1 },
	};
	struct json j;

	for (size_t i = 0; i < sizeof(nums) / sizeof(nums[0]); i++) {
		int64_t v = 0;
		bool ok = parse_into(&j, nums[i].text) == JSON_OK;

		ok = ok && json_i64(&j, json_root(&j), &v) == nums[i].ok && v == nums[i].v;
		tap_ok(ok, "J4: json_i64 %s", nums[i].text);
	}
}

static void test_thousandths(void)
{
	static const struct { const char *text; bool ok; int64_t v; } nums[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "1", true, 1000 }, { "-1.5", true, -1500 }, { "1.0009", true, 1000 },
		{ "1000.9e-3", true, 1000 }, { "1.5e9", true, INT64_C(1500000000000) }, { "1e-3", true, 1 },
		{ "0.00099999", true, 0 }, { "1e-400", true, 0 }, { "1e-99999999999999999999", true, 0 },
		{ "9223372036854775.807", true, INT64_MAX }, { "9223372036854775.8079", true, INT64_MAX },
		{ "9223372036854775.808", false, 7 }, { "-9223372036854775.808", true, INT64_MIN },
		{ "1e15", true, INT64_C(1000000000000000000) }, { "1e16", false, 7 }, { "1e400", false, 7 },
		{ "0e400", true, 0 }, { "1e99999999999999999999", false, 7 }, { "0.0000000000000000000000017e24", true, 1700 },
	};

	for (size_t i = 0; i < sizeof(nums) / sizeof(nums[0]); i++) {
		int64_t v = 7;
		bool ok = jsonnum_thousandths(str_of(nums[i].text, strlen(nums[i].text)), &v);

		tap_ok(ok == nums[i].ok && v == nums[i].v, "T10: jsonnum_thousandths %s", nums[i].text);
	}
}

/* ---- limits; times are printed, not judged ---- */

static void limit(const char *name, enum json_err want, char *text, size_t n)
{
	struct timespec a, b;
	struct json j;
	enum json_err got;

	json_init(&j, toks, JSON_TOKENS_MAX);
	clock_gettime(CLOCK_MONOTONIC, &a);
	got = json_parse(&j, text, n);
	clock_gettime(CLOCK_MONOTONIC, &b);
	tap_ok(got == want, "%s: %s", name, json_err_text(want));
	printf("# %zu bytes in %.1f us\n", n,
	       (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3);
}

/* `open`, then `count` times `unit`, the last without its comma, then `close`. Returns the bytes. */
static size_t repeat(char *out, const char *open, const char *unit, size_t count, const char *close)
{
	size_t n = strlen(open);

	memcpy(out, open, n);
	for (size_t i = 0; i < count; i++, n += strlen(unit))
		memcpy(out + n, unit, strlen(unit));
	n -= unit[strlen(unit) - 1] == ',';
	memcpy(out + n, close, strlen(close));
	return n + strlen(close);
}

/* An object of `keys` keys, each `lead` and a number; the last one is the first again if `twice`. */
static size_t object_of(char *out, unsigned keys, const char *lead, bool twice)
{
	size_t n = 1;

	out[0] = '{';
	for (unsigned i = 0; i < keys; i++)
		n += (size_t)sprintf(out + n, "\"%s%04u\":%u,", lead, twice && i + 1 == keys ? 0 : i, i);
	out[n - 1] = '}';
	return n;
}

static void test_limits(void)
{
	static const char a56[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char esc[] = "\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061";
	static char text[1 << 20];

	limit("J8: 200k open brackets", DEPTH, text, repeat(text, "", "[", 200000, ""));
	limit("J8: 100k open objects", DEPTH, text, repeat(text, "", "{\"a\":", 100000, ""));
	limit("J9: 300 KB of empty arrays", JSON_ERR_TOKENS, text, repeat(text, "[", "[],", 100000, "]"));
	limit("J9: 300 KB of strings", JSON_ERR_TOKENS, text, repeat(text, "[", "\"\",", 100000, "]"));
	limit("J9: 300 KB of numbers", JSON_ERR_TOKENS, text, repeat(text, "[", "1,", 150000, "]"));
	limit("J9: 2048 tokens", OK, text, repeat(text, "[", "[],", JSON_TOKENS_MAX - 1, "]"));
	limit("J9: 2049 tokens, arrays", JSON_ERR_TOKENS, text, repeat(text, "[", "[],", JSON_TOKENS_MAX, "]"));
	limit("J9: 2049 tokens, numbers", JSON_ERR_TOKENS, text, repeat(text, "[", "1,", JSON_TOKENS_MAX, "]"));
	limit("64 KiB of one string", OK, text, repeat(text, "\"", "abcdefgh", 8191, "\""));
	limit("64 KiB of blanks", TRUNCATED, text, repeat(text, "", " ", 65536, ""));
	limit("64 KiB of escapes", OK, text, repeat(text, "\"", "\\u0041", 10922, "\""));
	limit("J7: 1000 keys", OK, text, object_of(text, 1000, "key", false));
	limit("J7: 1000 keys, the last is the first", DUPLICATE, text, object_of(text, 1000, "key", true));
	limit("J7: 1000 keys of 64 bytes, alike but at the end", OK, text, object_of(text, 1000, a56, false));
	limit("J7: 1000 keys of escapes", OK, text, object_of(text, 1000, esc, false));
	limit("J7: 1000 keys of escapes, the last is the first", DUPLICATE, text, object_of(text, 1000, esc, true));
}

/*
 * Among many keys a hash deals them out: two spellings of one key of every length, any of its characters escaped, must meet
 * there too. `other` replaces that character in the second spelling.
 */
static enum json_err parse_twice(size_t key_bytes, size_t escaped, char other)
{
	static const char key[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char text[512];
	size_t n = (size_t)sprintf(text, "{\"%.*s\":0,", (int)key_bytes, key);

	for (unsigned i = 0; i < 20; i++)
		n += (size_t)sprintf(text + n, "\"filler %u\":%u,", i, i);
	n += (size_t)sprintf(text + n, "\"%.*s\\u%04x%.*s\":1}", (int)escaped, key,
	                     (unsigned)(other != 0 ? other : key[escaped]), (int)(key_bytes - escaped - 1), key + escaped + 1);
	return parse_into(&(struct json){ 0 }, text);
}

static void test_many_keys(void)
{
	uint32_t bad = 0;

	for (size_t n = 1; n <= 30; n++)
		for (size_t at = 0; at < n; at++) {
			bad += parse_twice(n, at, 0) != JSON_ERR_DUPLICATE_KEY;
			bad += parse_twice(n, at, '~') != JSON_OK;
		}
	tap_is_u64(bad, 0, "J7: among many keys, every length, any character escaped");
}

/* ---- J10 ---- */

/* Whether `x` comes back from our writer as a value and as a key. */
static bool survives(struct str x)
{
	char out[64];
	struct jsonw w;
	struct json j;

	json_init(&j, toks, 8);
	jsonw_init(&w, out, sizeof(out));
	jsonw_arr(&w);
	jsonw_str(&w, x);
	jsonw_end_arr(&w);
	if (json_parse(&j, out, jsonw_bytes(&w)) != JSON_OK || !is_str(&j, 1, x))
		return false;
	if (x.p[0] == '\0')
		return true;
	jsonw_init(&w, out, sizeof(out));
	jsonw_obj(&w);
	jsonw_key_str(&w, x);
	jsonw_null(&w);
	jsonw_end_obj(&w);
	return json_parse(&j, out, jsonw_bytes(&w)) == JSON_OK && json_get(&j, 0, x) == 2;
}

/* Whether the \u spelling of `cp` gives `x`. */
static bool spelled(uint32_t cp, struct str x)
{
	char out[48];
	struct json j;

	json_init(&j, toks, 8);
	if (cp < 0x10000)
		sprintf(out, "[\"\\u%04x\"]", cp);
	else
		sprintf(out, "[\"\\u%04X\\u%04x\"]", 0xd800 + ((cp - 0x10000) >> 10), 0xdc00 + (cp & 0x3ff));
	return json_parse(&j, out, strlen(out)) == JSON_OK && is_str(&j, 1, x);
}

static void test_code_points(void)
{
	uint32_t bad = 0;

	for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
		uint8_t utf8[UTF8_BYTES_MAX];
		struct str x = str_of((char *)utf8, utf8_encode(utf8, cp));

		if (cp < 0xd800 || cp > 0xdfff)
			bad += !survives(x) || !spelled(cp, x);
	}
	tap_is_u64(bad, 0, "J10: every code point survives emit and parse, and its \\u spelling gives it");
}

/* ---- JSONTestSuite ---- */

/* The must-accept files that CONTRACT 3 forbids on purpose. */
static const char *const refused_on_purpose[] = {
	"y_object_duplicated_key.json",                 /* J7 */
	"y_object_duplicated_key_and_value.json",       /* J7 */
	"y_object_escaped_null_in_key.json",            /* J6 */
};

/* Of the files that RFC 8259 leaves open: numbers of any size are grammar, all else is refused. */
static bool file_accepted(const char *name)
{
	if (name[0] != 'y')
		return strncmp(name, "i_number", 8) == 0;
	for (size_t i = 0; i < sizeof(refused_on_purpose) / sizeof(refused_on_purpose[0]); i++)
		if (strcmp(name, refused_on_purpose[i]) == 0)
			return false;
	return true;
}

static void test_file(const char *path)
{
	static char text[1 << 20];
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	FILE *f = fopen(path, "rb");
	enum json_err got;
	struct json j;
	size_t n;

	if (f == NULL) {
		tap_ok(false, "%s: cannot be opened", name);
		return;
	}
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	json_init(&j, toks, JSON_TOKENS_MAX);
	got = json_parse(&j, text, n);
	tap_ok((got == JSON_OK) == file_accepted(name), "%s: %s", name, json_err_text(got));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		test_file(argv[i]);
	if (argc > 1)
		return tap_done();
	guard_map();
	test_rows();
	test_getters();
	test_absent();
	test_misuse();
	test_ids();
	test_numbers();
	test_thousandths();
	test_limits();
	test_many_keys();
	test_code_points();
	return tap_done();
}
