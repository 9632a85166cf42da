/*
 * Invariants: from, cursor <= bytes, and both stand where a character with its marks begins or at the end;
 * text[] holds whole code points. `shown` is where a line of history[] begins, or history_bytes.
 */
#include "tool/line_edit.h"

#include <assert.h>
#include <stdio.h>

enum { ST_PLAIN, ST_ESCAPE, ST_CSI, ST_SS3 };

#define CTRL(letter) ((letter)&31)

enum { ESCAPE = 27, DELETE = 127, JOINER = 0x200d, COLUMNS_DEFAULT = 80, COLUMNS_MIN = 8 };

/* ---- columns (Unicode 15: East Asian Width W and F; Mn, Me and Cf that shows nothing) ---- */

static const struct range {
	uint32_t first, last;
} none[] = {
	{ 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a }, { 0x64b, 0x65f },
	{ 0x6d6, 0x6dc }, { 0x93a, 0x93a }, { 0x93c, 0x93c }, { 0x941, 0x948 }, { 0x94d, 0x94d },
	{ 0xe31, 0xe31 }, { 0xe34, 0xe3a }, { 0xe47, 0xe4e }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
	{ 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x2064 }, { 0x20d0, 0x20f0 }, { 0x302a, 0x302d },
	{ 0x3099, 0x309a }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0x1f3fb, 0x1f3ff },
	{ 0xe0001, 0xe01ef },
}, wide[] = {
	{ 0x1100, 0x115f }, { 0x231a, 0x231b }, { 0x23e9, 0x23ec }, { 0x25fd, 0x25fe }, { 0x2614, 0x2615 },
	{ 0x26a1, 0x26a1 }, { 0x26bd, 0x26be }, { 0x26c4, 0x26c5 }, { 0x26d4, 0x26d4 }, { 0x26ea, 0x26ea },
	{ 0x2705, 0x2705 }, { 0x270a, 0x270b }, { 0x2728, 0x2728 }, { 0x274c, 0x274c }, { 0x2753, 0x2757 },
	{ 0x2795, 0x2797 }, { 0x2b50, 0x2b50 }, { 0x2e80, 0x303e }, { 0x3041, 0xa4cf }, { 0xa960, 0xa97c },
	{ 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff01, 0xff60 }, { 0xffe0, 0xffe6 },
	{ 0x16fe0, 0x18cff }, { 0x1b000, 0x1b2fb }, { 0x1f18e, 0x1f18e }, { 0x1f191, 0x1f19a },
	{ 0x1f1e6, 0x1f320 }, { 0x1f32d, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f7e0, 0x1f7eb },
	{ 0x1f90c, 0x1f9ff }, { 0x1fa70, 0x1faff }, { 0x20000, 0x3fffd },
};

static bool is_in(const struct range *ranges, size_t n, uint32_t cp)
{
	for (size_t i = 0; i < n && ranges[i].first <= cp; i++)
		if (cp <= ranges[i].last)
			return true;
	return false;
}

static unsigned columns_of(uint32_t cp)
{
	if (is_in(none, sizeof(none) / sizeof(none[0]), cp))
		return 0;
	return is_in(wide, sizeof(wide) / sizeof(wide[0]), cp) ? 2 : 1;
}

size_t line_edit_columns(struct str text)
{
	size_t n = 0;

	while (text.n > 0)
		n += columns_of(utf8_next(&text));
	return n;
}

/* ---- places in the line ---- */

static uint32_t code_at(const struct line_edit *e, size_t at, size_t *next)
{
	struct str rest = str_of(e->text + at, e->bytes - at);
	uint32_t cp = utf8_next(&rest);

	*next = e->bytes - rest.n;
	return cp;
}

/* Behind the character at `at` and its marks; what a joiner joins is one character. */
static size_t right_of(const struct line_edit *e, size_t at)
{
	size_t next, after;
	uint32_t cp;

	if (at == e->bytes)
		return at;
	cp = code_at(e, at, &next);
	while (next < e->bytes) {
		uint32_t following = code_at(e, next, &after);

		if (cp != JOINER && columns_of(following) > 0)
			break;
		cp = following;
		next = after;
	}
	return next;
}

/* The first place at or behind `at` that is not inside a character: only a walk from the start can tell. */
static size_t snap(const struct line_edit *e, size_t at)
{
	size_t place = 0;

	while (place < at)
		place = right_of(e, place);
	return place;
}

static size_t left_of(const struct line_edit *e, size_t at)
{
	size_t place = 0, next;

	while ((next = right_of(e, place)) < at)
		place = next;
	return place;
}

static size_t word_left(const struct line_edit *e, size_t at)
{
	while (at > 0 && e->text[at - 1] == ' ')
		at--;
	while (at > 0 && e->text[at - 1] != ' ')
		at--;
	return snap(e, at);
}

static size_t word_right(const struct line_edit *e, size_t at)
{
	while (at < e->bytes && e->text[at] == ' ')
		at++;
	while (at < e->bytes && e->text[at] != ' ')
		at++;
	return snap(e, at);
}

/* ---- changes ---- */

static void cut(struct line_edit *e, size_t begin, size_t end)
{
	assert(begin <= end && end <= e->bytes);
	memmove(e->text + begin, e->text + end, e->bytes - end);
	e->bytes -= end - begin;
	e->cursor = begin;
}

static void insert(struct line_edit *e, const char *p, size_t n)
{
	if (n > sizeof(e->text) - e->bytes)
		return;
	memmove(e->text + e->cursor + n, e->text + e->cursor, e->bytes - e->cursor);
	memcpy(e->text + e->cursor, p, n);
	e->bytes += n;
	e->cursor += n;
}

static void set(struct line_edit *e, const char *p, size_t n)
{
	assert(n <= sizeof(e->text));
	memcpy(e->text, p, n);
	e->bytes = e->cursor = n;
	e->from = 0;
}

static void type(struct line_edit *e, uint8_t byte)
{
	struct str whole;
	uint32_t cp;

	if (utf8_feed(&e->utf8, &byte, 1) == 0) {
		e->utf8 = (struct utf8){ 0 };
		e->held = 0;
		return;
	}
	e->half[e->held++] = (char)byte;
	if (!utf8_complete(&e->utf8))
		return;
	whole = str_of(e->half, e->held);
	e->held = 0;
	cp = utf8_next(&whole);
	if (cp < 0x80 || cp > 0x9f)
		insert(e, e->half, (size_t)(whole.p - e->half));
}

/* ---- history ---- */

static void remember(struct line_edit *e)
{
	size_t last = e->history_bytes;

	while (last > 0 && (last == e->history_bytes || e->history[last - 1] != '\n'))
		last--;
	if (e->bytes == 0 ||
	    (e->history_bytes - last == e->bytes + 1 && memcmp(e->history + last, e->text, e->bytes) == 0))
		return;
	while (e->history_bytes + e->bytes + 1 > sizeof(e->history)) {
		const char *end = memchr(e->history, '\n', e->history_bytes);
		size_t first = (size_t)(end - e->history) + 1;

		assert(end != NULL);
		memmove(e->history, e->history + first, e->history_bytes - first);
		e->history_bytes -= first;
	}
	memcpy(e->history + e->history_bytes, e->text, e->bytes);
	e->history_bytes += e->bytes;
	e->history[e->history_bytes++] = '\n';
}

static void older(struct line_edit *e)
{
	size_t begin = e->shown;

	if (begin == 0)
		return;
	if (e->shown == e->history_bytes) {
		memcpy(e->stash, e->text, e->bytes);
		e->stash_bytes = e->bytes;
	}
	for (begin--; begin > 0 && e->history[begin - 1] != '\n'; begin--)
		;
	set(e, e->history + begin, e->shown - begin - 1);
	e->shown = begin;
}

static void newer(struct line_edit *e)
{
	const char *end;

	if (e->shown == e->history_bytes)
		return;
	end = memchr(e->history + e->shown, '\n', e->history_bytes - e->shown);
	assert(end != NULL);
	e->shown = (size_t)(end - e->history) + 1;
	if (e->shown == e->history_bytes) {
		set(e, e->stash, e->stash_bytes);
		return;
	}
	end = memchr(e->history + e->shown, '\n', e->history_bytes - e->shown);
	assert(end != NULL);
	set(e, e->history + e->shown, (size_t)(end - e->history) - e->shown);
}

/* ---- keys ---- */

static void control(struct line_edit *e, uint8_t key)
{
	switch (key) {
	case CTRL('A'): e->cursor = 0; break;
	case CTRL('E'): e->cursor = e->bytes; break;
	case CTRL('B'): e->cursor = left_of(e, e->cursor); break;
	case CTRL('F'): e->cursor = right_of(e, e->cursor); break;
	case CTRL('D'): cut(e, e->cursor, right_of(e, e->cursor)); break;
	case CTRL('H'):
	case DELETE: cut(e, left_of(e, e->cursor), e->cursor); break;
	case CTRL('K'): cut(e, e->cursor, e->bytes); break;
	case CTRL('U'): cut(e, 0, e->cursor); break;
	case CTRL('W'): cut(e, word_left(e, e->cursor), e->cursor); break;
	case CTRL('N'): newer(e); break;
	case CTRL('P'): older(e); break;
	case '\t': type(e, ' '); break;
	default: break;
	}
}

/* The last byte of an escape sequence: ESC [ n ~, ESC [ X, ESC O X. */
static void sequence(struct line_edit *e, uint8_t last)
{
	switch (last) {
	case 'A': older(e); break;
	case 'B': newer(e); break;
	case 'C': e->cursor = (e->modified ? word_right : right_of)(e, e->cursor); break;
	case 'D': e->cursor = (e->modified ? word_left : left_of)(e, e->cursor); break;
	case 'H': e->cursor = 0; break;
	case 'F': e->cursor = e->bytes; break;
	case '~':
		if (e->parameter == 1 || e->parameter == 7)
			e->cursor = 0;
		else if (e->parameter == 4 || e->parameter == 8)
			e->cursor = e->bytes;
		else if (e->parameter == 3)
			cut(e, e->cursor, right_of(e, e->cursor));
		break;
	default: break;
	}
}

static void escaped(struct line_edit *e, uint8_t byte)
{
	if (e->state == ST_ESCAPE) {
		e->parameter = 0;
		e->modified = false;
		e->state = byte == '['      ? ST_CSI
			   : byte == 'O'    ? ST_SS3
			   : byte == ESCAPE ? ST_ESCAPE
					    : ST_PLAIN;
		if (byte == 'b')
			e->cursor = word_left(e, e->cursor);
		else if (byte == 'f')
			e->cursor = word_right(e, e->cursor);
		return;
	}
	if (byte == ';') {
		e->modified = true;
	} else if (byte >= '0' && byte <= '9') {
		if (!e->modified && e->parameter < 1000)
			e->parameter = e->parameter * 10 + (byte - '0');
	} else if (byte == ESCAPE) {
		e->state = ST_ESCAPE;
	} else if (byte >= 0x40) {
		e->state = ST_PLAIN;
		sequence(e, byte);
	}
}

/* A key that is no part of an escape sequence. */
static enum line_edit_event plain(struct line_edit *e, uint8_t byte)
{
	switch (byte) {
	case '\r':
	case '\n': return LINE_EDIT_LINE;
	case CTRL('C'): return LINE_EDIT_INTERRUPT;
	case CTRL('L'): return LINE_EDIT_CLEAR;
	case CTRL('Z'): return LINE_EDIT_SUSPEND;
	case ESCAPE: e->state = ST_ESCAPE; return LINE_EDIT_NONE;
	default: break;
	}
	if (byte == CTRL('D') && e->bytes == 0)
		return LINE_EDIT_END;
	if (byte < ' ' || byte == DELETE)
		control(e, byte);
	else
		type(e, byte);
	return LINE_EDIT_NONE;
}

enum line_edit_event line_edit_feed(struct line_edit *e, uint8_t byte)
{
	enum line_edit_event event = LINE_EDIT_NONE;

	assert(e->cursor <= e->bytes && e->bytes <= sizeof(e->text));
	if (e->state != ST_PLAIN && (byte >= ' ' || byte == ESCAPE)) {
		escaped(e, byte);
	} else {
		e->state = ST_PLAIN;
		event = plain(e, byte);
	}
	e->cursor = snap(e, e->cursor);
	return event;
}

size_t line_edit_take(struct line_edit *e, char out[LINE_EDIT_BYTES_MAX])
{
	size_t n = e->bytes;

	memcpy(out, e->text, n);
	remember(e);
	e->shown = e->history_bytes;
	e->bytes = e->cursor = e->from = 0;
	return n;
}

/* ---- the screen ---- */

/* Moves the window so that the cursor is in it, and no room is wasted left of it. */
static void scroll(struct line_edit *e, size_t room)
{
	size_t to_cursor, to_end;

	e->from = e->from > e->cursor ? e->cursor : snap(e, e->from);
	to_cursor = line_edit_columns(str_of(e->text + e->from, e->cursor - e->from));
	while (to_cursor > room) {
		size_t next = right_of(e, e->from);

		to_cursor -= line_edit_columns(str_of(e->text + e->from, next - e->from));
		e->from = next;
	}
	to_end = line_edit_columns(str_of(e->text + e->from, e->bytes - e->from));
	while (e->from > 0 && to_end < room) {
		size_t before = left_of(e, e->from);

		to_end += line_edit_columns(str_of(e->text + before, e->from - before));
		if (to_end > room)
			break;
		e->from = before;
	}
}

static size_t put(char *out, struct str s)
{
	memcpy(out, s.p, s.n);
	return s.n;
}

size_t line_edit_draw(struct line_edit *e, char out[LINE_EDIT_DRAW_BYTES_MAX])
{
	unsigned columns = e->columns < COLUMNS_MIN ? COLUMNS_MIN : e->columns;
	struct str prompt = str_of(e->prompt, e->prompt_bytes);
	size_t n = 0, prompt_columns = line_edit_columns(prompt), room, end, shown = 0, column;

	if (prompt_columns > columns / 2) {
		prompt = STR("> ");
		prompt_columns = 2;
	}
	room = columns - prompt_columns - 1; /* the last column wraps on some terminals */
	scroll(e, room);
	for (end = e->from; end < e->bytes;) {
		size_t next = right_of(e, end);

		shown += line_edit_columns(str_of(e->text + end, next - end));
		if (shown > room)
			break;
		end = next;
	}
	n += put(out + n, LINE_EDIT_ERASE);
	n += put(out + n, str_of(e->prompt_on, strlen(e->prompt_on)));
	n += put(out + n, prompt);
	n += put(out + n, str_of(e->prompt_off, strlen(e->prompt_off)));
	n += put(out + n, str_of(e->text + e->from, end - e->from));
	column = prompt_columns + line_edit_columns(str_of(e->text + e->from, e->cursor - e->from));
	n += (size_t)snprintf(out + n, LINE_EDIT_DRAW_BYTES_MAX - n, "\r\x1b[%zuC", column);
	assert(column > 0 && n <= LINE_EDIT_DRAW_BYTES_MAX);
	return n;
}

void line_edit_set_prompt(struct line_edit *e, struct str prompt)
{
	struct str kept = utf8_prefix(prompt, sizeof(e->prompt));

	memcpy(e->prompt, kept.p, kept.n);
	e->prompt_bytes = kept.n;
}

void line_edit_init(struct line_edit *e)
{
	memset(e, 0, sizeof(*e));
	e->columns = COLUMNS_DEFAULT;
	e->prompt_on = e->prompt_off = "";
	line_edit_set_prompt(e, STR("> "));
}
