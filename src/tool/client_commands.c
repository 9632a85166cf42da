#include "tool/client_commands.h"

#include "base/utf8.h"

enum { SHOWN_BYTES = 128 };

static const char help[] =
	"  sub ID            subscribe to a room (rooms: an ID dm_... is a direct message;\n"
	"                    dotted: also presence, user, calls, notifications)\n"
	"  unsub ID          end that subscription\n"
	"  typing ID         tell the room that you are typing\n"
	"  ping              ask for a sign of life\n"
	"  status S [TEXT]   online, away, busy, dnd or invisible, with a custom status (- clears it)\n"
	"  send JSON         send a message as it is; a line that begins with { is one too\n"
	"  quit              leave";

static struct str trim(struct str s)
{
	while (s.n > 0 && (*s.p == ' ' || *s.p == '\t'))
		s = str_of(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static struct str take_word(struct str *s)
{
	size_t n = 0;
	struct str word;

	while (n < s->n && s->p[n] != ' ' && s->p[n] != '\t')
		n++;
	word = str_of(s->p, n);
	*s = trim(str_of(s->p + n, s->n - n));
	return word;
}

/* The verb's arguments. Everything behind an id belongs to it: ids may hold spaces. */
static enum client_did ask(struct client_session *s, enum client_verb verb, struct str rest)
{
	struct client_request r = { .verb = verb, .id = rest, .text = STR_NONE };
	struct str name = client_words_verb(verb), dialect = dialect_name(s->dialect);

	if (verb == VERB_STATUS) {
		r.id = take_word(&rest);
		if (rest.n > 0)
			r.text = rest;
	}
	if ((r.id.n == 0) != (verb == VERB_PING)) {
		screen_say(&s->screen, SCREEN_RED, "%.*s %s", (int)name.n, name.p,
			   verb == VERB_PING     ? "wants nothing behind it"
			   : verb == VERB_STATUS ? "wants a status: online, away, busy, dnd, invisible"
						 : "wants the ID of a room");
		return CLIENT_WRONG;
	}
	if (!utf8_valid(rest) || !utf8_valid(r.id)) {
		screen_say(&s->screen, SCREEN_RED, "%.*s: that is not UTF-8", (int)name.n, name.p);
		return CLIENT_WRONG;
	}
	switch (client_session_ask(s, &r)) {
	case CLIENT_ASKED: return CLIENT_DONE;
	case CLIENT_NO_ROOM: return CLIENT_LATER;
	case CLIENT_NO_WORDS:
		screen_say(&s->screen, SCREEN_RED, "%.*s has no words for %.*s%s", (int)dialect.n, dialect.p,
			   (int)name.n, name.p, str_absent(r.text) ? "" : " with a text");
		break;
	case CLIENT_TOO_LONG:
		screen_say(&s->screen, SCREEN_RED, "%.*s: too long", (int)name.n, name.p);
		break;
	}
	return CLIENT_WRONG;
}

static enum client_did send_text(struct client_session *s, struct str text)
{
	if (text.n == 0) {
		screen_say(&s->screen, SCREEN_RED, "send wants a message");
		return CLIENT_WRONG;
	}
	if (!client_link_has_room(&s->link, text.n))
		return CLIENT_LATER;
	return client_session_send(s, text) ? CLIENT_DONE : CLIENT_WRONG;
}

enum client_did client_commands_do(struct client_session *s, struct str line)
{
	struct str rest = trim(line), word;
	char shown[SHOWN_BYTES];

	if (rest.n == 0 || *rest.p == '#')
		return CLIENT_DONE;
	if (*rest.p == '{')
		return send_text(s, rest);
	word = take_word(&rest);
	for (enum client_verb verb = 0; verb < VERB_COUNT; verb++)
		if (str_eq(word, client_words_verb(verb)))
			return ask(s, verb, rest);
	if (str_eq(word, STR("send")))
		return send_text(s, rest);
	if (str_eq(word, STR("quit")) || str_eq(word, STR("exit")))
		return CLIENT_QUIT;
	if (str_eq(word, STR("help"))) {
		screen_say(&s->screen, SCREEN_PLAIN, "commands:\n%s", help);
		return CLIENT_DONE;
	}
	screen_say(&s->screen, SCREEN_RED, "there is no command \"%s\" (help lists them)",
		   screen_safe(word, shown, sizeof(shown)));
	return CLIENT_WRONG;
}
