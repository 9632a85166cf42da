/*
 * base/jsonesc and base/jsonnum by themselves, on what base/json never hands them because the tokenizer refuses it first; and
 * the same key twice in one object, whichever of the two is escaped and however far apart they are. RFC 8259 4, 6, 7.
 */
#include "base/json.h"
#include "base/jsonesc.h"
#include "base/jsonnum.h"
#include "feed.h"

enum { FEW_KEYS = 40, MANY_KEYS = (JSON_TOKENS_MAX - 1) / 2, KEY_BYTES = 18 };

static struct json_tok toks[JSON_TOKENS_MAX];

static const struct {
	const char *name, *text;
	size_t took;
	uint32_t cp; /* what it spells, or with took 0 why not */
} escapes[] = {
	{ "quote", "\\\"", 2, '"' },
	{ "solidus", "\\/x", 2, '/' },
	{ "backspace", "\\b", 2, '\b' },
	{ "form feed", "\\f", 2, '\f' },
	{ "return", "\\r", 2, '\r' },
	{ "tab", "\\t", 2, '\t' },
	{ "digits of both cases", "\\uaFf9", 6, 0xaff9 },
	{ "a pair", "\\ud834\\udd1e", 12, 0x1d11e },
	{ "nothing behind the backslash", "\\", 0, JSONESC_BAD },
	{ "a letter that means nothing", "\\x", 0, JSONESC_BAD },
	{ "u alone", "\\u", 0, JSONESC_BAD },
	{ "three digits", "\\u123", 0, JSONESC_BAD },
	{ "a byte before 0", "\\u/000", 0, JSONESC_BAD },
	{ "a byte behind 9", "\\u00:0", 0, JSONESC_BAD },
	{ "a byte before a", "\\u00`0", 0, JSONESC_BAD },
	{ "a byte behind f", "\\u000g", 0, JSONESC_BAD },
	{ "a high half alone", "\\ud834", 0, JSONESC_SURROGATE },
	{ "a high half, then text", "\\ud834zzzzzz", 0, JSONESC_SURROGATE },
	{ "a high half, then another escape", "\\ud834\\nzzzz", 0, JSONESC_SURROGATE },
	{ "a high half, then no digits", "\\ud834\\uzzzz", 0, JSONESC_SURROGATE },
	{ "two high halves", "\\ud834\\ud834", 0, JSONESC_SURROGATE },
	{ "a high half, then no half", "\\ud834\\ue000", 0, JSONESC_SURROGATE },
	{ "a low half first", "\\udd1e\\ud834", 0, JSONESC_SURROGATE },
};

static void test_escapes(void)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		size_t n = strlen(escapes[i].text), took;
		uint32_t cp = 0;

		took = jsonesc_take(str_of(feed_guarded(escapes[i].text, n), n), &cp);
		tap_ok(took == escapes[i].took && cp == escapes[i].cp, "8259 7: %s", escapes[i].name);
	}
}

static const struct {
	const char *text;
	bool is;
} numbers[] = {
	{ "", false }, { "-", false }, { "0", true }, { "-0", true }, { "00", false }, { "1.", false }, { ".1", false },
	{ "1.0", true }, { "1e", false }, { "1e+", false }, { "1E-01", true }, { "1x", false }, { "+1", false },
};

static void test_numbers(void)
{
	int64_t v = 7;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		size_t n = strlen(numbers[i].text);

		tap_ok(jsonnum_is(str_of(feed_guarded(numbers[i].text, n), n)) == numbers[i].is, "8259 6: `%s`", numbers[i].text);
	}
	tap_ok(jsonnum_i64(STR("12e+2"), &v) && v == 1200 && jsonnum_i64(STR("1200e-2"), &v) && v == 12, "8259 6: an exponent's sign");
	tap_ok(!jsonnum_i64(STR("1e99999999999999999999"), &v) && v == 12, "8259 6: an exponent beyond all");
}

/* An object of so many members, of which `again` repeats the key of `first`; as that, or as the later one, it is escaped. */
static size_t twice(char *out, int keys, int first, int again, bool escape_first, bool escape_again)
{
	size_t n = 0;

	out[n++] = '{';
	for (int i = 0; i < keys; i++) {
		int key = i == again ? first : i;
		bool escaped = (i == first && escape_first) || (i == again && escape_again);

		n += (size_t)snprintf(out + n, KEY_BYTES, "%s\"%s%04d\":0", i > 0 ? "," : "", escaped ? "\\u006b" : "k", key);
	}
	out[n++] = '}';
	return n;
}

static void test_twice(void)
{
	static char text[MANY_KEYS * KEY_BYTES];
	struct json j;
	size_t wrong = 0;

	json_init(&j, toks, JSON_TOKENS_MAX);
	for (int first = 0; first < FEW_KEYS; first++)
		for (int again = first + 1; again < FEW_KEYS; again++)
			for (int how = 0; how < 4; how++) {
				size_t n = twice(text, FEW_KEYS, first, again, how & 1, how & 2);

				wrong += json_parse(&j, feed_guarded(text, n), n) != JSON_ERR_DUPLICATE_KEY;
			}
	tap_is_u64(wrong, 0, "8259 4: any two of 40 keys the same, escaped or not");
	for (int i = 0; i < 300; i++) {
		int first = i * 7919 % (MANY_KEYS - 1), again = first + 1 + i * 104729 % (MANY_KEYS - 1 - first);
		size_t n = twice(text, MANY_KEYS, first, again, i & 1, i & 2);

		wrong += json_parse(&j, feed_guarded(text, n), n) != JSON_ERR_DUPLICATE_KEY;
	}
	tap_is_u64(wrong, 0, "8259 4: any two of as many keys as there may be");
	tap_ok(json_parse(&j, text, (size_t)INT32_MAX + 1) == JSON_ERR_TOO_LONG, "json.h: 2 GiB are too long before a byte is read");
	for (int err = JSON_OK; err <= JSON_ERR_DUPLICATE_KEY; err++)
		wrong += strlen(json_err_text((enum json_err)err)) < 5;
	tap_is_u64(wrong, 0, "json.h: words for every error");
}

int main(void)
{
	test_escapes();
	test_numbers();
	test_twice();
	return tap_done();
}
