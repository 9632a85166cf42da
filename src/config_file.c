/* Every call takes at least one line off f->rest, so that reading ends. f->line counts the lines that were
 * taken. */
#include "config_file.h"

#include <assert.h>
#include <stdbool.h>

#include "base/utf8.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_key(char c)
{
	char l = str_ascii_lower(c);

	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static struct str skip_blanks(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_of(s.p + 1, s.n - 1);
	return s;
}

static struct str trim(struct str s)
{
	s = skip_blanks(s);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Takes a line off the front, without its end (LF or CR LF). */
static struct str line_take(struct config_file *f)
{
	const char *end = memchr(f->rest.p, '\n', f->rest.n);
	size_t n = end == NULL ? f->rest.n : (size_t)(end - f->rest.p);
	size_t taken = end == NULL ? n : n + 1;
	struct str line = str_of(f->rest.p, n);

	f->rest = str_of(f->rest.p + taken, f->rest.n - taken);
	f->line++;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool is_text(struct str line)
{
	for (size_t i = 0; i < line.n; i++)
		if (((unsigned char)line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f)
			return false;
	return utf8_valid(line);
}

/* What follows the separator, without its comment. False: a quote that is not closed where the value ends. */
static bool value_of(struct str s, struct str *value)
{
	s = skip_blanks(s);
	if (s.n > 0 && (s.p[0] == '"' || s.p[0] == '\'')) {
		const char *end = memchr(s.p + 1, s.p[0], s.n - 1);
		struct str after;

		if (end == NULL)
			return false;
		*value = str_of(s.p + 1, (size_t)(end - s.p) - 1);
		after = skip_blanks(str_of(end + 1, s.n - value->n - 2));
		return after.n == 0 || (after.p[0] == '#' && after.p != end + 1);
	}
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '#' && (i == 0 || is_blank(s.p[i - 1]))) {
			s.n = i;
			break;
		}
	s = trim(s);
	*value = s.n > 0 ? s : STR_NONE;
	return true;
}

static enum config_file_result line_read(struct str line, struct config_entry *out)
{
	size_t n = 0;
	struct str rest;

	line = trim(line);
	while (n < line.n && is_key(line.p[n]))
		n++;
	rest = skip_blanks(str_of(line.p + n, line.n - n));
	if (n == 0 || rest.n == 0 || (rest.p[0] != '=' && rest.p[0] != ':'))
		return CONFIG_FILE_NO_PAIR;
	out->key = str_of(line.p, n);
	if (!value_of(str_of(rest.p + 1, rest.n - 1), &out->value))
		return CONFIG_FILE_OPEN_QUOTE;
	return str_absent(out->value) ? CONFIG_FILE_EMPTY : CONFIG_FILE_ENTRY;
}

void config_file_init(struct config_file *f, struct str text)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (str_has_prefix(text, str_of(mark, 3)))
		text = str_of(text.p + 3, text.n - 3);
	*f = (struct config_file){ .rest = text, .error = CONFIG_FILE_ENTRY };
}

enum config_file_result config_file_next(struct config_file *f, struct config_entry *out)
{
	while (f->error == CONFIG_FILE_ENTRY && f->rest.n > 0) {
		struct str line = line_take(f), start = skip_blanks(line);
		struct config_entry entry = { .line = f->line };
		enum config_file_result r = CONFIG_FILE_NOT_TEXT;

		if (is_text(line)) {
			if (start.n == 0 || start.p[0] == '#' || str_eq(trim(line), STR("---")))
				continue;
			r = line_read(line, &entry);
		}
		if (r == CONFIG_FILE_ENTRY || r == CONFIG_FILE_EMPTY) {
			assert(entry.key.n > 0);
			*out = entry;
			return r;
		}
		f->error = r;
	}
	return f->error == CONFIG_FILE_ENTRY ? CONFIG_FILE_END : f->error;
}
