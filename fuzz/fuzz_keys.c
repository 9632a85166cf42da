/*
 * fuzz/fuzz_keys.c: any bytes of a keyboard into tool/line_edit, on a screen as wide as the first byte says. The line is always valid UTF-8
 * without control characters, the cursor stands in it, and what is drawn fits into one row.
 */
#include <stdlib.h>
#include <string.h>

#include "tool/line_edit.h"

#define CHECK(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_text(struct str s)
{
	CHECK(utf8_valid(s));
	while (s.n > 0) {
		uint32_t cp = utf8_next(&s);

		CHECK(cp >= 0x20 && cp != 0x7f && (cp < 0x80 || cp >= 0xa0));
	}
}

/* What is drawn: text, and of controls only the line's start, columns, colours and the two erasures. */
static void check_row(const struct line_edit *e, struct str row)
{
	char shown[LINE_EDIT_DRAW_BYTES_MAX];
	size_t n = 0;

	CHECK(row.n <= LINE_EDIT_DRAW_BYTES_MAX);
	for (size_t i = 0; i < row.n; i++) {
		if (row.p[i] == '\r')
			continue;
		if (row.p[i] != '\x1b') {
			shown[n++] = row.p[i];
			continue;
		}
		CHECK(i + 2 < row.n && row.p[i + 1] == '[');
		for (i += 2; i < row.n && ((row.p[i] >= '0' && row.p[i] <= '9') || row.p[i] == ';'); i++) {
		}
		CHECK(i < row.n && (row.p[i] == 'K' || row.p[i] == 'C' || row.p[i] == 'm' || row.p[i] == 'G' || row.p[i] == 'D'));
	}
	check_text(str_of(shown, n));
	CHECK(line_edit_columns(str_of(shown, n)) <= (e->columns < 8 ? 80 : e->columns));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char line[LINE_EDIT_BYTES_MAX], row[LINE_EDIT_DRAW_BYTES_MAX];
	static struct line_edit e;

	if (n < 2 || n > 20000)
		return 0;
	line_edit_init(&e);
	e.columns = data[0];
	if (data[1] & 1) {
		e.prompt_on = "\x1b[1m";
		e.prompt_off = "\x1b[0m";
	}
	line_edit_set_prompt(&e, data[1] & 2 ? STR("u@h:8080 dotted> ") : STR("\xe6\x97\xa5 "));
	for (size_t i = 2; i < n; i++) {
		if (line_edit_feed(&e, data[i]) == LINE_EDIT_LINE) {
			size_t bytes = line_edit_take(&e, line);

			check_text(str_of(line, bytes));
			CHECK(e.bytes == 0 && e.cursor == 0);
		}
		CHECK(e.cursor <= e.bytes && e.bytes <= LINE_EDIT_BYTES_MAX && e.history_bytes <= LINE_EDIT_HISTORY_BYTES);
		if (n < 64 || i % 16 == 0 || i + 8 > n) {
			check_text(str_of(e.text, e.bytes));
			check_text(str_of(e.text, e.cursor));
			check_row(&e, str_of(row, line_edit_draw(&e, row)));
		}
	}
	return 0;
}
