/*
 * base/utf8 against RFC 3629: rows with the offset of the first bad byte, and every sequence of up to three
 * bytes (and every code point) against a second, slower reading of the RFC's grammar. Rows run whole, at
 * every 2-way split, byte by byte, at every alignment of the word path, and flush against a guard page.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "tap.h"

#define OK SIZE_MAX          /* valid */
#define OPEN (SIZE_MAX - 1)  /* good so far, cut inside a code point */
#define ROW(s) "" s, sizeof(s) - 1

static const struct {
	const char *ref, *in;
	size_t n, want; /* OK, OPEN, or the offset of the first bad byte */
} rows[] = {
	{ "3: empty", ROW(""), OK },
	{ "3: NUL is a character", ROW("a\0b"), OK },
	{ "3: 1 to 4 bytes, lowest", ROW("\x01\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80"), OK },
	{ "3: 1 to 4 bytes, highest", ROW("\x7f\xdf\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf"), OK },
	{ "3: around the surrogates", ROW("\xed\x9f\xbf\xee\x80\x80"), OK },
	{ "7: A not-identical-to alpha", ROW("A\xe2\x89\xa2\xce\x91."), OK },
	{ "7: hangugeo", ROW("\xed\x95\x9c\xea\xb5\xad\xec\x96\xb4"), OK },
	{ "7: BOM and U+233B4", ROW("\xef\xbb\xbf\xf0\xa3\x8e\xb4"), OK },
	{ "3: overlong NUL", ROW("\xc0\x80"), 0 },
	{ "3: overlong, C1", ROW("ab\xc1\xbf"), 2 },
	{ "3: overlong, 3 bytes", ROW("\xe0\x9f\xbf"), 1 },
	{ "3: overlong, 4 bytes", ROW("\xf0\x8f\xbf\xbf"), 1 },
	{ "3: high surrogate", ROW("\xed\xa0\x80"), 1 },
	{ "3: low surrogate", ROW("\xed\xbf\xbf"), 1 },
	{ "3: U+110000", ROW("\xf4\x90\x80\x80"), 1 },
	{ "3: F5", ROW("a\xf5\x80\x80\x80"), 1 },
	{ "3: FE, FF", ROW("\xfe\xff"), 0 },
	{ "3: continuation byte first", ROW("\xce\xb5\x80"), 2 },
	{ "3: too few continuation bytes", ROW("\xe2\x82z"), 2 },
	{ "3: third byte is a lead", ROW("\xf0\x9f\xf0\x9f\x98\x80"), 2 },
	{ "3: cut in 2", ROW("a\xc3"), OPEN },
	{ "3: cut in 3", ROW("a\xe2\x82"), OPEN },
	{ "3: cut in 4", ROW("a\xf0\x9f\x98"), OPEN },
	{ "words: bad byte 0 of a word", ROW("01234567\xff" "9abcdef"), 8 },
	{ "words: bad byte 7 of a word", ROW("0123456789abcde\x80" "ghijklmn"), 15 },
	{ "words: bad byte behind four words", ROW("0123456789abcdef0123456789abcdef\xc0"), 32 },
	{ "words: bad byte in the fourth word", ROW("0123456789abcdef0123456789abcde\xfe" "0123456789"), 31 },
	{ "words: code point over two words",
	  ROW("0123456\xe2\x82\xac" "0123456789abcdef\xf0\x9f\x98\x80"), OK },
	{ "words: long and cut", ROW("0123456789abcdef0123456789abcdef\xe2\x82"), OPEN },
};

/* RFC 3629 section 4, as its ABNF: bytes of the code point at `p`, or 0. */
static size_t abnf(const uint8_t *p, size_t n)
{
	static const struct {
		uint8_t lo[4], hi[4], n;
	} forms[] = {
		{ { 0x00 }, { 0x7f }, 1 },
		{ { 0xc2, 0x80 }, { 0xdf, 0xbf }, 2 },
		{ { 0xe0, 0xa0, 0x80 }, { 0xe0, 0xbf, 0xbf }, 3 },
		{ { 0xe1, 0x80, 0x80 }, { 0xec, 0xbf, 0xbf }, 3 },
		{ { 0xed, 0x80, 0x80 }, { 0xed, 0x9f, 0xbf }, 3 },
		{ { 0xee, 0x80, 0x80 }, { 0xef, 0xbf, 0xbf }, 3 },
		{ { 0xf0, 0x90, 0x80, 0x80 }, { 0xf0, 0xbf, 0xbf, 0xbf }, 4 },
		{ { 0xf1, 0x80, 0x80, 0x80 }, { 0xf3, 0xbf, 0xbf, 0xbf }, 4 },
		{ { 0xf4, 0x80, 0x80, 0x80 }, { 0xf4, 0x8f, 0xbf, 0xbf }, 4 },
	};

	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		size_t i = 0;

		while (i < forms[f].n && i < n && p[i] >= forms[f].lo[i] && p[i] <= forms[f].hi[i])
			i++;
		if (i == forms[f].n)
			return i;
	}
	return 0;
}

static bool abnf_valid(const uint8_t *p, size_t n)
{
	size_t i = 0, step = 1;

	while (i < n && step > 0)
		i += step = abnf(p + i, n - i);
	return i == n;
}

static uint8_t *guard_end;

static bool guard_init(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + page, page, PROT_NONE) != 0)
		return false;
	guard_end = p + page;
	return true;
}

/* Feeds `p` in two pieces, each against the guard page: OK, OPEN or the offset of the first bad byte. */
static size_t feed_split(const char *p, size_t n, size_t at)
{
	struct utf8 u = { 0, 0, 0 };
	size_t good;

	memcpy(guard_end - at, p, at);
	good = utf8_feed(&u, guard_end - at, at);
	if (good == at) {
		memcpy(guard_end - (n - at), p + at, n - at);
		good += utf8_feed(&u, guard_end - (n - at), n - at);
	}
	if (good == n)
		return utf8_complete(&u) ? OK : OPEN;
	/* sticky */
	if (utf8_complete(&u) || utf8_feed(&u, (const uint8_t *)"a", 1) != 0)
		return OPEN;
	return good;
}

static size_t feed_bytes(const char *p, size_t n)
{
	struct utf8 u = { 0, 0, 0 };

	for (size_t i = 0; i < n; i++)
		if (utf8_feed(&u, (const uint8_t *)p + i, 1) == 0)
			return i;
	return utf8_complete(&u) ? OK : OPEN;
}

static void test_rows(void)
{
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		bool ok = feed_bytes(rows[r].in, rows[r].n) == rows[r].want;
		char shifted[80];

		for (size_t at = 0; at <= rows[r].n; at++)
			ok = ok && feed_split(rows[r].in, rows[r].n, at) == rows[r].want;
		for (size_t lead = 0; lead < 16; lead++) {
			size_t want = rows[r].want >= OPEN ? rows[r].want : rows[r].want + lead;

			memset(shifted, 'a', lead);
			memcpy(shifted + lead, rows[r].in, rows[r].n);
			ok = ok && feed_split(shifted, rows[r].n + lead, 0) == want;
		}
		ok = ok && utf8_valid(str_of(rows[r].in, rows[r].n)) == (rows[r].want == OK);
		tap_ok(ok, "3629 %s", rows[r].ref);
	}
}

/* All sequences of 1, 2 and 3 bytes, and 4 bytes with the fourth at the edges. */
static void test_exhaustive(void)
{
	static const uint8_t edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0xbf, 0xc0, 0xff };
	unsigned wrong = 0;
	uint8_t b[4];

	for (uint32_t v = 0; v < 1u << 24; v++) {
		b[0] = (uint8_t)(v >> 16), b[1] = (uint8_t)(v >> 8), b[2] = (uint8_t)v;
		wrong += utf8_valid(str_of((char *)b, 3)) != abnf_valid(b, 3);
		if ((v & 0xff) == 0)
			wrong += utf8_valid(str_of((char *)b, 2)) != abnf_valid(b, 2);
		if ((v & 0xffff) == 0)
			wrong += utf8_valid(str_of((char *)b, 1)) != abnf_valid(b, 1);
		for (size_t e = 0; b[0] >= 0xee && e < sizeof(edges); e++) {
			b[3] = edges[e];
			wrong += utf8_valid(str_of((char *)b, 4)) != abnf_valid(b, 4);
		}
	}
	tap_is_u64(wrong, 0, "3629 4: all sequences of up to 3 bytes, and of 4 with the last at the edges");
}

static void test_code_points(void)
{
	unsigned wrong = 0, encoded = 0;

	for (uint32_t cp = 0; cp < 0x120000; cp++) {
		uint8_t out[UTF8_BYTES_MAX];
		size_t n = utf8_encode(out, cp);
		struct str s = str_of((char *)out, n);

		if (n == 0) {
			wrong += !((cp >= 0xd800 && cp < 0xe000) || cp > 0x10ffff);
			continue;
		}
		encoded++;
		wrong += abnf(out, n) != n || !utf8_valid(s) || utf8_next(&s) != cp || s.n != 0;
		wrong += utf8_is_id(str_of((char *)out, n)) != !(cp < 0x20 || (cp >= 0x7f && cp < 0xa0));
	}
	tap_is_u64(wrong, 0, "3629 3: every code point is written and read back, controls are no ids");
	tap_is_u64(encoded, 0x110000 - 0x800, "... all scalar values, and no others");
}

/* utf8_next() over text that nobody validated. */
static void test_next_lenient(void)
{
	struct str s = STR("a\xe2\x82" "b\xff\xed\xa0\x80\xf0\x9f");
	static const uint32_t want[] = { 'a', 0xfffd, 0xfffd, 'b',
	                                 0xfffd, 0xfffd, 0xfffd, 0xfffd, 0xfffd, 0xfffd };
	size_t i = 0;

	for (; s.n > 0 && i < sizeof(want) / sizeof(want[0]); i++)
		if (utf8_next(&s) != want[i])
			break;
	tap_ok(s.n == 0 && i == 10, "ill-formed bytes read as U+FFFD, one each");
}

static void test_ids(void)
{
	char long_id[ID_BYTES_MAX + 1];

	memset(long_id, 'x', sizeof(long_id));
	tap_ok(!utf8_is_id(STR("")) && !utf8_is_id(STR_NONE), "id: not empty");
	tap_ok(utf8_is_id(STR("u")) && utf8_is_id(str_of(long_id, ID_BYTES_MAX)), "id: 1 to 128 bytes");
	tap_ok(!utf8_is_id(str_of(long_id, ID_BYTES_MAX + 1)), "id: not 129");
	memcpy(long_id + 126, "\xe2\x82\xac", 3);
	tap_ok(!utf8_is_id(str_of(long_id, ID_BYTES_MAX)), "id: not cut inside a code point");
	tap_ok(utf8_is_id(STR("J\xc3\xb6rg \xf0\x9f\x98\x80/%00\"'")),
	       "id: any character that is no control");
	tap_ok(!utf8_is_id(STR("a\0b")) && !utf8_is_id(STR("a\x1f")) && !utf8_is_id(STR("a\x7f")),
	       "id: no C0, no DEL");
	tap_ok(!utf8_is_id(STR("\xc2\x80")) && !utf8_is_id(STR("a\xc2\x9f")) && utf8_is_id(STR("\xc2\xa0")),
	       "id: no C1");
	tap_ok(!utf8_is_id(STR("\xff")), "id: valid UTF-8");
}

static void test_prefix(void)
{
	struct str s = STR("a\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80");
	static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
	unsigned wrong = 0;

	for (size_t max = 0; max < sizeof(want) / sizeof(want[0]); max++)
		wrong += utf8_prefix(s, max).n != want[max] || utf8_prefix(s, max).p != s.p;
	tap_is_u64(wrong, 0, "prefix: never cuts a code point");
}

int main(void)
{
	if (!tap_ok(guard_init(), "guard page"))
		return tap_done();
	test_rows();
	test_exhaustive();
	test_code_points();
	test_next_lenient();
	test_ids();
	test_prefix();
	return tap_done();
}
