/*
 * wire/pem: RFC 7468. Every text runs against a guard page, with its last newline and without, with LF and with
 * CR LF.
 */
#include "feed.h"
#include "wire/pem.h"

#define B(x) "-----BEGIN " x "-----\n"
#define E(x) "-----END " x "-----\n"
#define SIXTY_FOUR "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct pem_case {
	const char *clause, *name, *text, *want;
} cases[] = {
	{ "RFC 7468 2", "one object", B("X") "AQID\n" E("X"), "X(010203) end" },
	{ "RFC 7468 2", "two objects", B("X") "AQID\n" E("X") B("Y Z") "/+8=\n" E("Y Z"),
	  "X(010203) Y Z(ffef) end" },
	{ "RFC 7468 2", "text before, between and behind",
	  "Subject: me\n\n" B("X") "AQ==\n" E("X") "--- a - b\n" B("X") "AQ==\n" E("X") "bye\n",
	  "X(01) X(01) end" },
	{ "RFC 7468 2", "nothing", "", "end" },
	{ "RFC 7468 2", "only text", "hello\n\n-----\n", "end" },
	{ "RFC 7468 2", "blanks at line ends", "-----BEGIN X-----  \nAQID \t\n-----END X-----\t\n", "X(010203) end" },
	{ "RFC 7468 3", "blanks inside, empty lines, lines of any length",
	  B("X") "\n  A QI\nDA\n\nQ\n  I\nD\n" E("X"), "X(010203010203) end" },
	{ "RFC 7468 3", "label with dash and digits", B("X-5 1") "AQID\n" E("X-5 1"), "X-5 1(010203) end" },
	{ "RFC 7468 3", "label of 64 bytes", B(SIXTY_FOUR) "AQID\n" E(SIXTY_FOUR), SIXTY_FOUR "(010203) end" },
	{ "RFC 7468 3", "label of 65 bytes", B(SIXTY_FOUR "a") "AQID\n" E(SIXTY_FOUR "a"), "bad" },
	{ "RFC 7468 3", "no label", B("") "AQID\n" E(""), "bad" },
	{ "RFC 7468 3", "label is blanks", B(" ") "AQID\n" E(" "), "bad" },
	{ "RFC 7468 3", "label with a control character", B("X\001") "AQID\n" E("X\001"), "bad" },
	{ "RFC 7468 3", "label with DEL", B("X\177") "AQID\n" E("X\177"), "bad" },
	{ "RFC 7468 3", "label that begins with a dash", B("-X") "AQID\n" E("-X"), "bad" },
	{ "RFC 7468 3", "label that ends in a blank", B("X ") "AQID\n" E("X "), "bad" },
	{ "RFC 7468 3", "BEGIN without its dashes", "-----BEGIN X\nAQID\n" E("X"), "bad" },
	{ "RFC 7468 3", "BEGIN with six dashes", "-----BEGIN X------\nAQID\n-----END X------\n", "bad" },
	{ "RFC 7468 3", "six dashes before BEGIN", "-" B("X") "AQID\n" E("X"), "bad" },
	{ "RFC 7468 3", "text behind BEGIN", "-----BEGIN X----- y\nAQID\n" E("X"), "bad" },
	{ "RFC 7468 3", "indented", "  " B("X") "AQID\n  " E("X"), "bad" },
	{ "RFC 7468 3", "byte order mark", "\xef\xbb\xbf" B("X") "AQID\n" E("X"), "bad" },
	{ "RFC 7468 3", "indented, no END", " " B("X") "AQID\n", "bad" },
	{ "RFC 7468 3", "lower case is text", "-----begin X-----\nAQID\n-----end X-----\n", "end" },
	{ "RFC 7468 3", "all on one line", "-----BEGIN X-----AQID-----END X-----\n", "bad" },
	{ "RFC 7468 3", "END line behind the digits", B("X") "AQID-----END X-----\n", "bad" },
	{ "B7", "no END", B("X") "AQID\n", "bad" },
	{ "B7", "nothing behind BEGIN", B("X"), "bad" },
	{ "B7", "END cut", B("X") "AQID\n-----END X----\n", "bad" },
	{ "B7", "END of another", B("X") "AQID\n" E("Y"), "bad" },
	{ "B7", "END in lower case", B("X") "AQID\n" E("x"), "bad" },
	{ "B7", "BEGIN inside", B("X") "AQID\n" B("X") "AQID\n" E("X"), "bad" },
	{ "B7", "END alone", E("X") B("X") "AQID\n" E("X"), "bad" },
	{ "B7", "good, then cut", B("X") "AQID\n" E("X") B("X") "AQ", "X(010203) bad" },
	{ "RFC 1421 4.6", "encrypted", B("X") "Proc-Type: 4,ENCRYPTED\n\nAQID\n" E("X"), "bad" },
	{ "RFC 1421 4.6", "header without a dash", B("X") "Type: 4\n\nAQID\n" E("X"), "bad" },
	{ "RFC 4648 3.2", "no padding", B("X") "AQ\n" E("X"), "bad" },
	{ "RFC 4648 3.2", "no padding behind three bytes", B("X") "AQIDAQ\n" E("X"), "bad" },
	{ "RFC 4648 3.2", "one of two", B("X") "AQ=\n" E("X"), "bad" },
	{ "RFC 4648 3.2", "three", B("X") "A===\n" E("X"), "bad" },
	{ "RFC 4648 3.2", "padding alone", B("X") "====\n" E("X"), "bad" },
	{ "RFC 4648 3.2", "too much", B("X") "AQID====\n" E("X"), "bad" },
	{ "RFC 4648 3.3", "digits behind padding", B("X") "AQ==AQID\n" E("X"), "bad" },
	{ "RFC 4648 3.3", "a character that is none", B("X") "AQ*D\n" E("X"), "bad" },
	{ "RFC 4648 5", "URL alphabet", B("X") "__8=\n" E("X"), "bad" },
	{ "RFC 4648 3.5", "bits left over", B("X") "AR==\n" E("X"), "bad" },
	{ "RFC 4648 3.5", "bits left over, two bytes", B("X") "AQJ=\n" E("X"), "bad" },
	{ "pem.h", "empty object", B("X") "\n" E("X"), "bad" },
	{ "pem.h", "as long as fits", B("X") "AQIDBAUGBwg=\n" E("X"), "X(0102030405060708) end" },
	{ "pem.h", "one byte too many", B("X") "AQIDBAUGBwgJ\n" E("X"), "long" },
	{ "pem.h", "too long, then good", B("X") "AQIDBAUGBwgJ\n" E("X") B("Y") "AQID\n" E("Y"), "long" },
};

static void walk(struct str text, size_t cap, struct feed_trace *t)
{
	struct pem p = { .rest = text };
	enum pem_result r;
	uint8_t *out = malloc(cap + !cap); /* of that size, so that ASan sees one too many */

	t->n = 0;
	while ((r = pem_next(&p, out, cap)) == PEM_OBJECT) {
		feed_say(t, "%.*s(", (int)p.name.n, p.name.p);
		for (size_t i = 0; i < p.bytes; i++)
			feed_say(t, "%02x", out[i]);
		feed_say(t, ") ");
	}
	feed_say(t, "%s", r == PEM_BAD ? "bad" : r == PEM_TOO_LONG ? "long" : "end");
	if (pem_next(&p, out, cap) != PEM_END)
		feed_say(t, ", and on");
	free(out);
}

static size_t with_cr(char *out, const char *in)
{
	size_t n = 0;

	for (; *in != '\0'; in++) {
		if (*in == '\n')
			out[n++] = '\r';
		out[n++] = *in;
	}
	return n;
}

static void check(const struct pem_case *c)
{
	static struct feed_trace t;
	char copy[2048];
	size_t n = strlen(c->text);
	bool ok;

	walk(str_of(feed_guarded(c->text, n), n), 8, &t);
	ok = strcmp(t.text, c->want) == 0;
	if (ok && n > 0) {
		walk(str_of(feed_guarded(c->text, n - 1), n - 1), 8, &t);
		ok = strcmp(t.text, c->want) == 0;
	}
	if (ok) {
		n = with_cr(copy, c->text);
		walk(str_of(feed_guarded(copy, n), n), 8, &t);
		ok = strcmp(t.text, c->want) == 0;
	}
	tap_ok(ok, "%s: %s", c->clause, c->name);
	if (!ok)
		printf("# got  %s\n# want %s\n", t.text, c->want);
}

int main(void)
{
	static struct feed_trace t;
	const struct str nul = STR("\0\n" B("X") "AQ\0ID\n" E("X"));

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i]);
	walk(nul, 8, &t);
	tap_is_str(t.text, "bad", "RFC 7468 3: NUL among the digits");
	walk(str_of(nul.p, 2), 8, &t);
	tap_is_str(t.text, "end", "pem.h: NUL outside is text");
	walk(STR_NONE, 0, &t);
	tap_is_str(t.text, "end", "pem.h: no text, no room");
	walk(STR(B("X") "AQ==\n" E("X")), 0, &t);
	tap_is_str(t.text, "long", "pem.h: no room");
	return tap_done();
}
