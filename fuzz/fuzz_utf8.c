/*
 * base/utf8: a text is judged the same whole, byte by byte and split in two, at the same byte; and what it
 * accepts reads and writes back to the same bytes.
 */
#include <stdlib.h>

#include "base/utf8.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void round_trip(const uint8_t *data, size_t n)
{
	struct str s = str_of((const char *)data, n);
	uint8_t out[UTF8_BYTES_MAX];
	size_t at = 0;

	while (s.n > 0) {
		size_t bytes = utf8_encode(out, utf8_next(&s));

		REQUIRE(bytes > 0 && at + bytes <= n && memcmp(out, data + at, bytes) == 0);
		at += bytes;
	}
	REQUIRE(at == n);
	for (size_t max = 0; max <= n && max < 16; max++)
		REQUIRE(utf8_prefix(str_of((const char *)data, n), max).n <= max &&
		        utf8_valid(utf8_prefix(str_of((const char *)data, n), max)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct utf8 whole = { 0, 0, 0 }, bytes = whole, halves;
	size_t good = utf8_feed(&whole, data, n), i = 0;
	struct str rest = str_of((const char *)data, n);

	while (i < n && utf8_feed(&bytes, data + i, 1) == 1)
		i++;
	REQUIRE(i == good && utf8_complete(&bytes) == utf8_complete(&whole));
	for (size_t cut = 0; cut <= n && cut < 64; cut++) {
		halves = (struct utf8){ 0, 0, 0 };
		i = utf8_feed(&halves, data, cut);
		if (i == cut)
			i += utf8_feed(&halves, data + cut, n - cut);
		REQUIRE(i == good && utf8_complete(&halves) == utf8_complete(&whole));
	}
	REQUIRE(utf8_valid(rest) == (good == n && utf8_complete(&whole)));
	if (utf8_valid(rest))
		round_trip(data, n);
	while (rest.n > 0)
		(void)utf8_next(&rest);
	(void)utf8_is_id(str_of((const char *)data, n));
	return 0;
}
