/*
 * A step is a run of rows of the table. Invariant: while `waiting` is not 0, that request is the only one
 * among those that the session waits for.
 */
#include "tool/client_script.h"

#include <assert.h>

#include "net/machine.h"

enum { STEPS = 7, CONNECT = 1 };

#define GENERAL STR("channel_general")
#define RANDOM  STR("channel_random")
#define DM      STR("dm_123")

static const char *const titles[STEPS + 1] = {
	NULL,
	"connect",
	"subscribe to channel_general",
	"type in channel_general",
	"three pings",
	"subscribe to channel_random",
	"unsubscribe from channel_general",
	"subscribe to the direct messages dm_123, and unsubscribe",
};

static const struct action {
	uint32_t step;
	enum client_verb verb;
	struct str id;
} actions[] = {
	{ 2, VERB_SUB, GENERAL },
	{ 3, VERB_TYPING, GENERAL },
	{ 3, VERB_PING, { NULL, 0 } },
	{ 4, VERB_PING, { NULL, 0 } },
	{ 4, VERB_PING, { NULL, 0 } },
	{ 4, VERB_PING, { NULL, 0 } },
	{ 5, VERB_SUB, RANDOM },
	{ 6, VERB_UNSUB, GENERAL },
	{ 7, VERB_SUB, DM },
	{ 7, VERB_UNSUB, DM },
};

enum { ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static void begin(struct client_script *c, struct client_session *s, uint32_t step)
{
	assert(c->step == 0 && step >= CONNECT && step <= STEPS);
	c->step = step;
	c->step_failed = c->step_skipped = false;
	c->note = "";
	c->step_us = machine_us();
	screen_say(&s->screen, SCREEN_BOLD, "%u. %s", step, titles[step]);
}

static void end(struct client_script *c, struct client_session *s)
{
	/* a connection in `rooms` may begin in silence, which takes a while to notice */
	int64_t took_us = (c->step == CONNECT ? s->opened_us : machine_us()) - c->step_us;

	assert(c->step != 0);
	c->step = 0;
	if (c->step_failed) {
		screen_say(&s->screen, SCREEN_RED, "   failed%s", c->note);
	} else if (c->step_skipped) {
		c->skipped++;
		screen_say(&s->screen, SCREEN_CYAN, "   skipped%s", c->note);
	} else {
		c->passed++;
		screen_say(&s->screen, SCREEN_GREEN, "   ok%s, %lld.%03lld ms", c->note,
			   (long long)(took_us / 1000), (long long)(took_us % 1000));
	}
}

static void fail(struct client_script *c, const char *note)
{
	c->step_failed = true;
	c->note = note;
}

void client_script_hear(struct client_script *c, const struct client_news *news)
{
	if (c->waiting == 0 || news->answers != c->waiting)
		return;
	c->waiting = 0;
	if (news->is_error)
		fail(c, ": that is an error");
}

void client_script_begin(struct client_script *c, struct client_session *s, int64_t began_us)
{
	begin(c, s, CONNECT);
	c->step_us = began_us;
}

/* The link stands; the dialects that begin with a message have to say it. */
static bool connect_step(struct client_script *c, struct client_session *s, int64_t now_us)
{
	bool may_be_silent = s->dialect == DIALECT_ROOMS;
	struct str name;

	if (!s->greeted && now_us - s->opened_us < (may_be_silent ? CLIENT_GUESS_US : CLIENT_ANSWER_US))
		return false;
	name = dialect_name(s->dialect);
	screen_say(&s->screen, SCREEN_PLAIN, "   %s, dialect %.*s", s->where, (int)name.n, name.p);
	if (!s->greeted && !may_be_silent)
		fail(c, ": the server did not say its first message");
	end(c, s);
	return true;
}

static void ask(struct client_script *c, struct client_session *s, const struct action *a)
{
	struct client_request r = { .verb = a->verb, .id = a->id };

	c->at++;
	if (c->step_failed || c->step_skipped)
		return;
	switch (client_session_ask(s, &r)) {
	case CLIENT_ASKED:
		if (client_words_has_answer(s->dialect, a->verb))
			c->waiting = s->number;
		if (a->verb == VERB_TYPING)
			c->note = ": no error before the pong";
		break;
	case CLIENT_NO_WORDS:
		c->step_skipped = true;
		c->note = ": this dialect has no words for it";
		break;
	case CLIENT_TOO_LONG:
	case CLIENT_NO_ROOM: fail(c, ": it could not be sent"); break;
	}
}

static void sum_up(const struct client_script *c, struct client_session *s)
{
	uint32_t failed = STEPS - c->passed - c->skipped;

	if (client_script_passed(c))
		screen_say(&s->screen, SCREEN_GREEN, "all %d steps passed", STEPS);
	else
		screen_say(&s->screen, SCREEN_RED, "%u of %d steps passed, %u failed, %u skipped", c->passed,
			   STEPS, failed, c->skipped);
}

bool client_script_turn(struct client_script *c, struct client_session *s, int64_t now_us)
{
	if (c->step == CONNECT && !connect_step(c, s, now_us))
		return false;
	while (c->at < ACTIONS || c->step != 0) {
		if (c->waiting != 0) {
			if (s->asked_count > 0)
				return false;
			c->waiting = 0; /* the session gave it up */
			fail(c, ": not answered within 5 seconds");
		} else if (c->step == 0) {
			begin(c, s, actions[c->at].step);
		} else if (c->at < ACTIONS && actions[c->at].step == c->step) {
			ask(c, s, &actions[c->at]);
		} else {
			end(c, s);
		}
	}
	sum_up(c, s);
	return true;
}

void client_script_abandon(struct client_script *c, struct client_session *s)
{
	if (c->step != 0) {
		fail(c, "");
		end(c, s);
	}
	sum_up(c, s);
}

bool client_script_passed(const struct client_script *c)
{
	return c->passed == STEPS;
}
