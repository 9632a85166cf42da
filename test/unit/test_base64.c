/* base/base64: RFC 4648 section 10 and everything that a strict decoder must refuse. */
#include "base/base64.h"
#include "feed.h"

#define S(literal) literal, sizeof(literal) - 1

static const struct row {
	const char *name;
	enum base64_form form;
	const char *text;
	size_t text_n;
	const char *bytes; /* NULL: refused */
	size_t bytes_n;
} rows[] = {
	{ "4648 10 empty", BASE64_STD, S(""), S("") },
	{ "4648 10 f", BASE64_STD, S("Zg=="), S("f") },
	{ "4648 10 fo", BASE64_STD, S("Zm8="), S("fo") },
	{ "4648 10 foo", BASE64_STD, S("Zm9v"), S("foo") },
	{ "4648 10 foob", BASE64_STD, S("Zm9vYg=="), S("foob") },
	{ "4648 10 fooba", BASE64_STD, S("Zm9vYmE="), S("fooba") },
	{ "4648 10 foobar", BASE64_STD, S("Zm9vYmFy"), S("foobar") },
	{ "4648 4 digits 62 and 63", BASE64_STD, S("+/+/"), S("\xfb\xff\xbf") },
	{ "4648 5 digits 62 and 63", BASE64_URL, S("-_-_"), S("\xfb\xff\xbf") },
	{ "4648 5 two digits", BASE64_URL, S("Zg"), S("f") },
	{ "4648 5 three digits", BASE64_URL, S("Zm8"), S("fo") },
	{ "4648 5 URL digits in the standard form", BASE64_STD, S("-_-_"), NULL, 0 },
	{ "4648 4 standard digits in the URL form", BASE64_URL, S("+/+/"), NULL, 0 },
	{ "4648 3.2 padding missing", BASE64_STD, S("Zg"), NULL, 0 },
	{ "4648 3.2 padding cut", BASE64_STD, S("Zg="), NULL, 0 },
	{ "4648 3.2 padding in the URL form", BASE64_URL, S("Zg=="), NULL, 0 },
	{ "4648 3.3 padding alone", BASE64_STD, S("===="), NULL, 0 },
	{ "4648 3.3 three pads", BASE64_STD, S("Z==="), NULL, 0 },
	{ "4648 3.3 three pads, no stray bit", BASE64_STD, S("A==="), NULL, 0 },
	{ "4648 3.3 padding inside", BASE64_STD, S("Zg==Zg=="), NULL, 0 },
	{ "4648 3.3 one digit", BASE64_URL, S("Z"), NULL, 0 },
	{ "4648 3.3 five digits", BASE64_URL, S("Zm9vY"), NULL, 0 },
	{ "4648 3.3 a space", BASE64_STD, S("Zm 9"), NULL, 0 },
	{ "4648 3.3 a line break", BASE64_STD, S("Zm9v\nZm9"), NULL, 0 },
	{ "4648 3.3 NUL", BASE64_STD, S("Zm9\0"), NULL, 0 },
	{ "4648 3.5 stray bits, one byte", BASE64_STD, S("Zh=="), NULL, 0 },
	{ "4648 3.5 stray bits, two bytes", BASE64_STD, S("Zm9="), NULL, 0 },
	{ "4648 3.5 stray bits, URL form", BASE64_URL, S("Zh"), NULL, 0 },
};

static void test_row(const struct row *r)
{
	uint8_t out[16];
	char text[32];
	size_t n = 99;
	bool ok = base64_decode(r->form, str_of(feed_guarded(r->text, r->text_n), r->text_n), out,
				sizeof(out), &n);
	bool want = r->bytes != NULL;

	tap_ok(ok == want && n == r->bytes_n && (!want || memcmp(out, r->bytes, n) == 0), "%s", r->name);
	if (!want)
		return;
	n = (r->form == BASE64_STD ? base64_encode : base64_encode_url)(text, sizeof(text),
									(const uint8_t *)r->bytes, r->bytes_n);
	tap_ok(n == r->text_n && memcmp(text, r->text, n) == 0, "%s, the way back", r->name);
	if (r->bytes_n > 0)
		tap_ok(!base64_decode(r->form, str_of(r->text, r->text_n), out, r->bytes_n - 1, &n) && n == 0,
		       "%s, no room", r->name);
}

/* Every byte in every place, against the plain definition. */
static void test_digits(enum base64_form form, const char *digits, const char *name)
{
	size_t wrong = 0;

	for (int c = 0; c < 256; c++) {
		const char *at = c == 0 ? NULL : strchr(digits, c);

		wrong += base64_is_digit(form, (char)c) != (at != NULL);
		for (size_t i = 0; i < 4; i++) {
			char text[4] = { 'A', 'A', 'A', 'A' };
			uint8_t out[3];
			size_t n;
			bool ok;

			text[i] = (char)c;
			ok = base64_decode(form, str_of(text, 4), out, sizeof(out), &n);
			if (form == BASE64_STD && c == '=' && i == 3) {
				wrong += !ok || n != 2;
				continue;
			}
			wrong += ok != (at != NULL);
			if (ok)
				wrong += (unsigned)(out[0] << 16 | out[1] << 8 | out[2]) !=
					 (unsigned)(at - digits) << (18 - 6 * i);
		}
	}
	tap_is_u64(wrong, 0, name);
}

/* Round trip of all lengths to 64 and a text of every byte; the buffers end at their last byte. */
static void test_round_trip(void)
{
	uint8_t in[256], back[256];
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 167);
	for (size_t n = 0; n <= sizeof(in); n++) {
		size_t text_n = BASE64_ENCODED_BYTES(n), got;
		char *text = feed_guarded(in, 0) - text_n;

		wrong += base64_encode(text, text_n, in, n) != text_n;
		wrong += !base64_decode(BASE64_STD, str_of(text, text_n), back, n, &got) || got != n ||
			 memcmp(in, back, n) != 0;
	}
	tap_is_u64(wrong, 0, "encode, decode, 0 to 256 bytes");
}

int main(void)
{
	static const char std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		test_row(&rows[i]);
	test_digits(BASE64_STD, std, "4648 4 every byte in every place");
	test_digits(BASE64_URL, url, "4648 5 every byte in every place");
	test_round_trip();
	return tap_done();
}
