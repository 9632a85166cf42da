/* tool/line_edit: keys in, line and screen out. The screen is a terminal of one row, small and strict. */
#include "tool/line_edit.h"

#include <stdlib.h>

#include "rng.h"
#include "tap.h"

#define UP "\x1b[A"
#define DOWN "\x1b[B"
#define RIGHT "\x1b[C"
#define LEFT "\x1b[D"
#define CTRL(letter) ((letter) & 31)

static struct line_edit edit;

/* Feeds the keys; a line that ends is taken. The last event that was one. */
static enum line_edit_event type(const char *keys)
{
	static char line[LINE_EDIT_BYTES_MAX];
	enum line_edit_event last = LINE_EDIT_NONE;

	for (; *keys != '\0'; keys++) {
		enum line_edit_event event = line_edit_feed(&edit, (uint8_t)*keys);

		if (event == LINE_EDIT_LINE)
			line_edit_take(&edit, line);
		if (event != LINE_EDIT_NONE)
			last = event;
	}
	return last;
}

/* The line, with `|` where the cursor stands. */
static const char *line(void)
{
	static char out[LINE_EDIT_BYTES_MAX + 2];

	memcpy(out, edit.text, edit.cursor);
	out[edit.cursor] = '|';
	memcpy(out + edit.cursor + 1, edit.text + edit.cursor, edit.bytes - edit.cursor);
	out[edit.bytes + 1] = '\0';
	return out;
}

static void test_keys(void)
{
	static const struct {
		const char *name, *keys, *want;
	} rows[] = {
		{ "typing", "sub a", "sub a|" },
		{ "left and right", "abc" LEFT LEFT "x" RIGHT "y", "axby|c" },
		{ "left at the start, right at the end", "a" LEFT LEFT LEFT "b" RIGHT RIGHT RIGHT "c", "bac|" },
		{ "application cursor keys", "ab\x1bOD\x1bODx\x1bOCy", "xay|b" },
		{ "home and end", "ab\x1b[Hx\x1b[Fy", "xaby|" },
		{ "home and end of a VT220", "ab\x1b[1~x\x1b[4~y", "xaby|" },
		{ "home and end of rxvt", "ab\x1b[7~x\x1b[8~y", "xaby|" },
		{ "Ctrl-A, Ctrl-E", "ab\001x\005y", "xaby|" },
		{ "Ctrl-B, Ctrl-F", "ab\002\002x\006y", "xay|b" },
		{ "backspace", "abc" LEFT "\x7f", "a|c" },
		{ "backspace at the start", "a\001\x7f", "|a" },
		{ "Ctrl-H", "ab\010", "a|" },
		{ "delete", "abc\001\x1b[3~", "|bc" },
		{ "delete at the end", "ab\x1b[3~", "ab|" },
		{ "Ctrl-D inside a line deletes", "ab\001\004", "|b" },
		{ "Ctrl-K", "abcd" LEFT LEFT "\013", "ab|" },
		{ "Ctrl-U", "abcd" LEFT LEFT "\025", "|cd" },
		{ "Ctrl-W", "one two  \027", "one |" },
		{ "Ctrl-W twice", "one two\027\027", "|" },
		{ "Ctrl-W inside a word", "one two" LEFT "\027", "one |o" },
		{ "Ctrl-left, Ctrl-right", "one two\x1b[1;5D\x1b[1;5Dx\x1b[1;5Cy", "xoney| two" },
		{ "Alt-B, Alt-F", "one two\x1b" "b\x1b" "bx\x1b" "fy", "xoney| two" },
		{ "unknown sequences do nothing", "a\x1b[5~\x1b[200~\x1b[15;2~\x1bx\x1b[?1;2cb", "ab|" },
		{ "a sequence cut by another", "ab\x1b[1\x1b[Dx", "ax|b" },
		{ "other control keys do nothing", "a\007\016\020\x0f\x1c" "b", "ab|" },
		{ "tab is a space", "a\tb", "a b|" },
		{ "two bytes", "\xc3\xbc" LEFT "x", "x|\xc3\xbc" },
		{ "backspace over three bytes", "a\xe2\x82\xac\x7f", "a|" },
		{ "a wide character", "a\xe6\x97\xa5" LEFT "x", "ax|\xe6\x97\xa5" },
		{ "a mark goes with its letter", "ae\xcc\x81" LEFT "x", "ax|e\xcc\x81" },
		{ "and is deleted with it", "ae\xcc\x81\x7f", "a|" },
		{ "two marks", "e\xcc\x81\xcc\xa3" LEFT "\x1b[3~", "|" },
		{ "a joined emoji is one", "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb" LEFT "x",
		  "x|\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb" },
		{ "a mark in front of all joins what is put before it", "\xcc\x81\001x", "x\xcc\x81|" },
		{ "a mark on a space", "a \xcc\x81" "b\027", "a \xcc\x81|" },
		{ "what is not UTF-8 is not taken", "a\xff\xc3(b\xed\xa0\x80" "c", "abc|" },
		{ "C1 controls are not taken", "a\xc2\x9b" "31mb", "a31mb|" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		line_edit_init(&edit);
		type(rows[i].keys);
		tap_is_str(line(), rows[i].want, rows[i].name);
	}
}

static void test_history(void)
{
	line_edit_init(&edit);
	type(UP);
	tap_is_str(line(), "|", "no history");
	type("one\rtwo\rtwo\r\rthree\r");
	type("new" UP);
	tap_is_str(line(), "three|", "the last line");
	type(UP);
	tap_is_str(line(), "two|", "the one before");
	type(UP);
	tap_is_str(line(), "one|", "a line twice in a row, and an empty one, are not remembered");
	type(UP UP);
	tap_is_str(line(), "one|", "nothing before the first");
	type(DOWN DOWN);
	tap_is_str(line(), "three|", "down again");
	type(DOWN);
	tap_is_str(line(), "new|", "what was being typed is still there");
	type(DOWN);
	tap_is_str(line(), "new|", "nothing behind it");
	type("\025" UP UP "x\r" UP);
	tap_is_str(line(), "twox|", "a line of the history, changed and sent, is a new one");
	type(UP UP);
	tap_is_str(line(), "two|", "and the old one is as it was");
	type("\020\016");
	tap_is_str(line(), "two|", "Ctrl-P, Ctrl-N");
	for (int i = 0; i < 20000; i++)
		type("a line of the history\r" "another one\r");
	tap_ok(edit.history_bytes <= LINE_EDIT_HISTORY_BYTES, "the history is bounded");
	type(UP UP);
	tap_is_str(line(), "a line of the history|", "and has the newest lines");
	for (int i = 0; i < 3000; i++)
		type(UP);
	tap_ok(edit.shown == 0 && strcmp(line() + strlen(line()) - 1, "|") == 0, "its oldest line is whole");
}

static void test_events(void)
{
	static char long_line[LINE_EDIT_BYTES_MAX + 8], taken[LINE_EDIT_BYTES_MAX];

	line_edit_init(&edit);
	tap_ok(type("a\003") == LINE_EDIT_INTERRUPT, "Ctrl-C");
	tap_ok(type("\004") == LINE_EDIT_NONE, "Ctrl-D with something typed");
	tap_ok(type("\025\004") == LINE_EDIT_END, "Ctrl-D with nothing typed");
	tap_ok(type("a\014") == LINE_EDIT_CLEAR, "Ctrl-L");
	tap_is_str(line(), "a|", "Ctrl-L keeps the line");
	tap_ok(type("\032") == LINE_EDIT_SUSPEND, "Ctrl-Z");
	tap_ok(type("\x1b[1\003") == LINE_EDIT_INTERRUPT, "Ctrl-C inside a sequence");
	tap_ok(type("\x1b[\r") == LINE_EDIT_LINE, "return inside a sequence");
	memset(long_line, 'x', sizeof(long_line) - 1);
	line_edit_init(&edit);
	type(long_line);
	tap_ok(edit.bytes == LINE_EDIT_BYTES_MAX, "a line that is full takes no more");
	type("\xe2\x82\xac");
	tap_ok(edit.bytes == LINE_EDIT_BYTES_MAX, "nor half a character");
	tap_ok(line_edit_feed(&edit, '\r') == LINE_EDIT_LINE && line_edit_take(&edit, taken) == LINE_EDIT_BYTES_MAX &&
		       memcmp(taken, long_line, LINE_EDIT_BYTES_MAX) == 0 && edit.bytes == 0,
	       "it is taken whole");
}

/* ---- the screen ---- */

/* A row of cells; a wide character takes two, the second empty. Prints as text, with the cursor's column. */
struct row {
	char cells[64][8];
	unsigned columns, cursor;
	bool overflown;
};

static void row_put(struct row *r, struct str character)
{
	size_t width = line_edit_columns(character);

	if (r->cursor + width >= r->columns + (width == 0)) { /* the last column would wrap */
		r->overflown = true;
		return;
	}
	if (width == 0) {
		char *cell = r->cells[r->cursor - 1];
		size_t n = strlen(cell);

		if (n + character.n < sizeof(r->cells[0])) {
			memcpy(cell + n, character.p, character.n);
			cell[n + character.n] = '\0';
		}
		return;
	}
	memcpy(r->cells[r->cursor], character.p, character.n);
	r->cells[r->cursor][character.n] = '\0';
	for (size_t i = 1; i < width; i++)
		r->cells[r->cursor + i][0] = '\0';
	r->cursor += (unsigned)width;
}

/* ESC [ n C, ESC [ K, ESC [ ... m */
static void row_escape(struct row *r, struct str *s)
{
	char *end;
	unsigned long n = strtoul(s->p + 2, &end, 10);
	char last = *end;

	if (last == 'C')
		r->cursor += (unsigned)n;
	else if (last == 'K')
		for (unsigned i = r->cursor; i < r->columns; i++)
			memcpy(r->cells[i], " ", 2);
	s->n -= (size_t)(end + 1 - s->p);
	s->p = end + 1;
}

static const char *screen(unsigned columns)
{
	static char drawn[LINE_EDIT_DRAW_BYTES_MAX + 1], out[64 * 8 + 32];
	struct row r = { .columns = columns };
	struct str s;
	size_t n = 0;

	edit.columns = columns;
	s = str_of(drawn, line_edit_draw(&edit, drawn));
	drawn[s.n] = '\0';
	for (unsigned i = 0; i < columns; i++)
		memcpy(r.cells[i], " ", 2);
	while (s.n > 0) {
		const char *p = s.p;

		if (*p == '\x1b') {
			row_escape(&r, &s);
		} else {
			utf8_next(&s);
			if (*p == '\r')
				r.cursor = 0;
			else
				row_put(&r, str_of(p, (size_t)(s.p - p)));
		}
	}
	for (unsigned i = 0; i < columns; i++) {
		memcpy(out + n, r.cells[i], strlen(r.cells[i]));
		n += strlen(r.cells[i]);
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	snprintf(out + n, 32, " @%u%s", r.cursor, r.overflown ? " OVERFLOWN" : "");
	return out;
}


static void test_drawing(void)
{
	static const struct {
		const char *name, *prompt, *keys;
		unsigned columns;
		const char *want;
	} rows[] = {
		{ "a line", "ann> ", "sub a", 20, "ann> sub a @10" },
		{ "the cursor in it", "ann> ", "sub a" LEFT LEFT, 20, "ann> sub a @8" },
		{ "wide characters", "> ", "\xe6\x97\xa5\xe6\x9c\xac" LEFT, 20, "> \xe6\x97\xa5\xe6\x9c\xac @4" },
		{ "a mark", "> ", "e\xcc\x81x", 20, "> e\xcc\x81x @4" },
		{ "a full row", "> ", "abcdefg", 10, "> abcdefg @9" },
		{ "a longer line shows its end", "> ", "abcdefghi", 10, "> cdefghi @9" },
		{ "home shows its start", "> ", "abcdefghi\001", 10, "> abcdefg @2" },
		{ "a wide character that does not fit", "> ", "abcdef\xe6\x97\xa5\001", 10, "> abcdef @2" },
		{ "half a window is not wasted", "> ", "abcdefghijk\x7f\x7f\x7f\x7f", 10, "> abcdefg @9" },
		{ "a prompt that takes half the row is left out", "ann@example.org> ", "abc", 20, "> abc @5" },
		{ "a prompt beyond ASCII", "\xc3\xbc> ", "a", 20, "\xc3\xbc> a @4" },
		{ "a terminal of no width", "> ", "abcdefghijk", 0, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		line_edit_init(&edit);
		line_edit_set_prompt(&edit, str_of(rows[i].prompt, strlen(rows[i].prompt)));
		type(rows[i].keys);
		if (rows[i].want != NULL)
			tap_is_str(screen(rows[i].columns), rows[i].want, rows[i].name);
		else
			tap_ok(screen(rows[i].columns) != NULL, "%s", rows[i].name);
	}
	line_edit_init(&edit);
	edit.prompt_on = "\x1b[1m";
	edit.prompt_off = "\x1b[0m";
	tap_is_str(screen(20), "> @2", "colour takes no room");
}

/* Any keys at all: the invariants hold, and the row never overflows. */
static void test_anything(void)
{
	static const char *const keys[] = { LEFT, RIGHT, UP, DOWN, "\x7f", "\027", "\001", "\005", "\x1b[1;5D", "\r", "\x1b[3~",
		"a", " ", "\xc3\xbc", "\xe6\x97\xa5", "\xcc\x81", "\xe2\x80\x8d", "\xf0\x9f\x91\xa9", "\xff", "word ", "\x1b" };
	struct rng rng = { .s = 11 };
	const char *shown;
	int wrong = 0;

	line_edit_init(&edit);
	for (int i = 0; i < 60000 && wrong == 0; i++) {
		unsigned columns = 8 + (unsigned)rng_below(&rng, 50);

		if (rng_below(&rng, 20) == 0)
			line_edit_feed(&edit, (uint8_t)rng_below(&rng, 256));
		else
			type(keys[rng_below(&rng, sizeof(keys) / sizeof(keys[0]))]);
		if (edit.bytes > 200)
			type("\025\013");
		wrong += !utf8_valid(str_of(edit.text, edit.bytes)) || edit.cursor > edit.bytes ||
			 (edit.cursor < edit.bytes && ((uint8_t)edit.text[edit.cursor] & 0xc0) == 0x80);
		shown = screen(columns);
		wrong += strstr(shown, "OVERFLOWN") != NULL || edit.from > edit.cursor;
		if (wrong > 0)
			printf("# %u columns: %s: %s\n", columns, line(), shown);
	}
	tap_ok(wrong == 0, "any keys: valid text, the cursor between characters, one row");
}

int main(void)
{
	test_keys();
	test_history();
	test_events();
	test_drawing();
	test_anything();
	return tap_done();
}
