/*
 * See wire/pem.h. Lines are looked for with memchr(), bytes are decoded four digits at a time by base/base64,
 * which knows no table and no early end: private keys pass here. BearSSL's decoder is not used because it
 * takes an END line of any label, labels in any case, and an object that the next BEGIN cuts.
 */
#include "wire/pem.h"

#include <assert.h>

#include "base/base64.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the first line off `text`, without its newline and the blanks before that. */
static struct str take_line(struct str *text)
{
	const char *newline = memchr(text->p, '\n', text->n);
	struct str line = str_of(text->p, newline == NULL ? text->n : (size_t)(newline - text->p));
	size_t taken = line.n + (newline != NULL);

	*text = str_of(text->p + taken, text->n - taken);
	while (line.n > 0 && is_blank(line.p[line.n - 1]))
		line.n--;
	return line;
}

/* Whether `mark` stands anywhere in the line: behind a byte order mark or an indent it is a broken object. */
static bool holds(struct str line, struct str mark)
{
	for (; line.n >= mark.n; line = str_of(line.p + 1, line.n - 1)) {
		const char *dash = memchr(line.p, '-', line.n);

		if (dash == NULL)
			return false;
		line = str_of(dash, line.n - (size_t)(dash - line.p));
		if (str_has_prefix(line, mark))
			return true;
	}
	return false;
}

/* The label of a boundary line, `mark` label `-----` (RFC 7468 3); false if it is none. */
static bool boundary(struct str line, struct str mark, struct str *label)
{
	const struct str dashes = STR("-----");
	struct str s;

	if (!str_has_prefix(line, mark) || line.n < mark.n + dashes.n)
		return false;
	s = str_of(line.p + mark.n, line.n - mark.n - dashes.n);
	if (!str_eq(str_of(s.p + s.n, dashes.n), dashes) || s.n == 0 || s.n > PEM_LABEL_BYTES_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	if (s.p[0] == ' ' || s.p[0] == '-' || s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '-')
		return false;
	*label = s;
	return true;
}

/* Decodes digits, blanks and newlines between them left out. */
static enum pem_result decode(struct str body, uint8_t *out, size_t cap, size_t *bytes)
{
	char quad[4];
	uint8_t three[3];
	size_t held = 0, last = 3, n = 0;

	for (size_t i = 0; i < body.n; i++) {
		if (is_blank(body.p[i]) || body.p[i] == '\n')
			continue;
		if (last < 3)
			return PEM_BAD;
		quad[held++] = body.p[i];
		if (held < 4)
			continue;
		held = 0;
		if (!base64_decode(BASE64_STD, str_of(quad, 4), three, sizeof(three), &last))
			return PEM_BAD;
		if (last > cap - n)
			return PEM_TOO_LONG;
		memcpy(out + n, three, last);
		n += last;
	}
	*bytes = n;
	return held == 0 && n > 0 ? PEM_OBJECT : PEM_BAD;
}

/* Reads the rest of an object, whose BEGIN line was taken off p->rest. */
static enum pem_result object(struct pem *p, uint8_t *out, size_t cap)
{
	struct str body = p->rest, line, label;

	do {
		if (p->rest.n == 0)
			return PEM_BAD;
		line = take_line(&p->rest);
	} while (memchr(line.p, '-', line.n) == NULL);
	body.n = (size_t)(line.p - body.p);
	if (!boundary(line, STR("-----END "), &label) || !str_eq(label, p->name))
		return PEM_BAD;
	return decode(body, out, cap, &p->bytes);
}

enum pem_result pem_next(struct pem *p, uint8_t *out, size_t cap)
{
	const struct str begin = STR("-----BEGIN "), end = STR("-----END ");
	struct str label;

	assert(p->rest.p != NULL || p->rest.n == 0);
	assert(out != NULL || cap == 0);
	while (p->rest.n > 0) {
		struct str line = take_line(&p->rest);
		enum pem_result result = PEM_BAD;

		if (boundary(line, begin, &label)) {
			memcpy(p->label, label.p, label.n);
			p->name = str_of(p->label, label.n);
			result = object(p, out, cap);
		} else if (!holds(line, begin) && !holds(line, end)) {
			continue;
		}
		if (result != PEM_OBJECT)
			p->rest.n = 0;
		return result;
	}
	return PEM_END;
}
