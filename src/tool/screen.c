#include "tool/screen.h"

#include <stdarg.h>

#include "base/utf8.h"

enum { ESCAPED_BYTES_MAX = 8 };

static const char *const colours[] = {
	[SCREEN_PLAIN] = "",       [SCREEN_DIM] = "\x1b[2m",    [SCREEN_BOLD] = "\x1b[1m",
	[SCREEN_RED] = "\x1b[31m", [SCREEN_GREEN] = "\x1b[32m", [SCREEN_CYAN] = "\x1b[36m",
};

static bool is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x200e && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0x061c;
}

/* The next character of `s` as it may be printed. */
static size_t take_safe(struct str *s, char out[ESCAPED_BYTES_MAX])
{
	const char *p = s->p;
	uint32_t cp = utf8_next(s);
	size_t n = (size_t)(s->p - p);

	if (cp == UTF8_REPLACEMENT && n == 1)
		return (size_t)snprintf(out, ESCAPED_BYTES_MAX, "\\x%02x", (unsigned char)*p);
	if (is_control(cp))
		return (size_t)snprintf(out, ESCAPED_BYTES_MAX, "\\u%04x", (unsigned)cp);
	memcpy(out, p, n);
	return n;
}

const char *screen_safe(struct str text, char *out, size_t cap)
{
	char piece[ESCAPED_BYTES_MAX];
	size_t n = 0, bytes;

	while (text.n > 0) {
		bytes = take_safe(&text, piece);
		if (n + bytes >= cap)
			break;
		memcpy(out + n, piece, bytes);
		n += bytes;
	}
	out[n] = '\0';
	return out;
}

static void print_safe(FILE *f, struct str text)
{
	char piece[ESCAPED_BYTES_MAX];

	while (text.n > 0)
		fwrite(piece, 1, take_safe(&text, piece), f);
}

static void paint(const struct screen *s, enum screen_colour colour)
{
	if (s->colours)
		fputs(colours[colour], stdout);
}

static void unpaint(const struct screen *s, enum screen_colour colour)
{
	if (s->colours && colour != SCREEN_PLAIN)
		fputs("\x1b[0m", stdout);
}

void screen_hide(struct screen *s)
{
	if (s->row_is_there)
		fwrite(LINE_EDIT_ERASE.p, 1, LINE_EDIT_ERASE.n, stdout);
	s->row_is_there = false;
}

void screen_draw(struct screen *s)
{
	if (s->edits) {
		fwrite(s->row, 1, line_edit_draw(s->edit, s->row), stdout);
		s->row_is_there = true;
	}
	fflush(stdout);
}

void screen_received(struct screen *s, struct str text, struct str type, enum screen_colour colour)
{
	size_t before = str_absent(type) ? 0 : (size_t)(type.p - text.p);

	screen_hide(s);
	if (s->edits || s->script) {
		paint(s, SCREEN_GREEN);
		fputs(s->script ? "   < " : "< ", stdout);
		unpaint(s, SCREEN_GREEN);
	}
	print_safe(stdout, str_of(text.p, before));
	paint(s, colour);
	print_safe(stdout, type);
	unpaint(s, colour);
	print_safe(stdout, str_of(text.p + before + type.n, text.n - before - type.n));
	putchar('\n');
}

void screen_sent(struct screen *s, struct str text)
{
	if (!s->edits && !s->script)
		return;
	screen_hide(s);
	paint(s, SCREEN_DIM);
	fputs(s->script ? "   > " : "> ", stdout);
	print_safe(stdout, text);
	unpaint(s, SCREEN_DIM);
	putchar('\n');
}

void screen_say(struct screen *s, enum screen_colour colour, const char *format, ...)
{
	bool beside = !s->edits && !s->script;
	FILE *f = beside ? stderr : stdout;
	va_list list;

	screen_hide(s);
	if (beside)
		fputs("presenced: client: ", f);
	else
		paint(s, colour);
	va_start(list, format);
	vfprintf(f, format, list);
	va_end(list);
	if (!beside)
		unpaint(s, colour);
	fputc('\n', f);
}
