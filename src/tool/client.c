/*
 * One loop over three descriptors: standard input, the link, and signals. Invariant: `leaving` only grows;
 * from LEAVE_CLOSE on nothing is sent any more.
 */
#include "tool/client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "net/anchors.h"
#include "net/bundle.h"
#include "net/machine.h"
#include "tool/args.h"
#include "tool/client_commands.h"
#include "tool/client_script.h"
#include "tool/client_session.h"
#include "tool/terminal.h"
#include "tool/world.h"
#include "wire/jwt.h"

enum client_exit {
	CLIENT_EXIT_OK = 0,
	CLIENT_EXIT_FAILED = 1,
	CLIENT_EXIT_ARGUMENTS = 2,
	CLIENT_EXIT_SIGNAL = 128
};

enum {
	MESSAGES_PER_TURN = 256,
	ANSWERS_US = 2000000, /* for what is asked, when standard input ends */
	CLOSE_US = 2000000,   /* for the server's Close */
	TURN_MS = 100,        /* while something has a deadline */
	SHOWN_BYTES = 512,
};

enum { FLAG_HEADER, FLAG_SCRIPT, FLAG_TOKEN, FLAG_TOKEN_FILE, FLAG_CA_FILE };

static const char *const flags[] = { "header", "script", "token", "token-file", "ca-file", NULL };

enum leaving {
	LEAVE_NOT,
	LEAVE_ANSWERS, /* what was asked is waited for */
	LEAVE_CLOSE,   /* the Close was sent, the server's is waited for */
	LEAVE_NOW,
};

struct client {
	struct args args;
	struct client_target target;
	struct anchors anchors;
	struct str url;
	const char *ca_path; /* NULL: the machine's own */
	bool runs_script, input_ended, failed;
	int signal_fd;
	enum leaving leaving;
	int64_t leaving_us; /* since when */
	int exit_code;      /* after a signal; else 0 */
	struct client_script script;
	struct line_edit edit;
	size_t line_bytes; /* of line[]: read, and not done */
	char token[JWT_BYTES_MAX + 2];
	char line[CLIENT_LINE_BYTES_MAX + 1];
	struct client_session session;
};

/* ---- arguments ---- */

static bool read_token(struct client *c, const char *path)
{
	size_t n = 0;
	const char *reason =
		world_read_file(NULL, str_of(path, strlen(path)), c->token, sizeof(c->token), &n);

	if (reason != NULL)
		return args_say(&c->args, "--token-file: %.200s: %s", path, reason);
	while (n > 0 && (c->token[n - 1] == '\n' || c->token[n - 1] == '\r'))
		n--;
	c->target.token = str_of(c->token, n);
	return true;
}

static bool check_token(const struct client *c)
{
	struct str token = c->target.token;

	for (size_t i = 0; i < token.n; i++)
		if (token.p[i] <= ' ' || token.p[i] > '~')
			return args_say(&c->args, "the token holds a byte that no token has");
	if (!str_absent(token) && token.n == 0)
		return args_say(&c->args, "the token is empty");
	if (!str_absent(token) && !str_absent(client_open_has(&c->target, STR("authorization"))))
		return args_say(&c->args, "a token and an Authorization header are one too many");
	return true;
}

static bool read_flag(struct client *c, int flag, char *value)
{
	char why[CLIENT_WHY_BYTES];
	struct str s = str_of(value, strlen(value));

	switch (flag) {
	case FLAG_HEADER: return client_open_header(&c->target, s, why) || args_say(&c->args, "%s", why);
	case FLAG_SCRIPT:
		c->runs_script = true;
		return str_eq(s, STR("auto")) || args_say(&c->args, "--script: there is one, auto");
	case FLAG_TOKEN:
	case FLAG_TOKEN_FILE:
		if (!str_absent(c->target.token))
			return args_say(&c->args, "one of --token and --token-file is enough");
		c->target.token = s;
		return flag == FLAG_TOKEN || read_token(c, value);
	case FLAG_CA_FILE: c->ca_path = value; return true;
	default:
		if (!str_absent(c->url))
			return args_say(&c->args, "\"%.64s\" is one word too many (see --help)", value);
		c->url = s;
		return client_open_parse(&c->target, s, why) || args_say(&c->args, "%s", why);
	}
}

/* Whom to trust over wss://: --ca-file, else the bundle of the machine. */
static bool load_anchors(struct client *c)
{
	const char *path = c->ca_path != NULL ? c->ca_path : bundle_find();

	if (!c->target.url.tls)
		return true;
	if (path == NULL)
		return args_say(&c->args,
				"wss:// needs --ca-file: this machine has no certificates to trust");
	c->target.anchors = &c->anchors;
	return anchors_load(&c->anchors, str_of(path, strlen(path)));
}

static bool read_args(struct client *c)
{
	char *value;
	int flag;

	while ((flag = args_next(&c->args, &value)) != ARGS_END)
		if (flag == ARGS_BAD || !read_flag(c, flag, value))
			return false;
	if (str_absent(c->url))
		return args_say(&c->args, "a URL is required, such as ws://127.0.0.1:8080/ws?user_id=ann");
	return check_token(c) && load_anchors(c);
}

/* ---- leaving ---- */

static void leave(struct client *c, enum leaving leaving)
{
	if (leaving <= c->leaving)
		return;
	c->leaving = leaving;
	c->leaving_us = machine_us();
	if (leaving == LEAVE_CLOSE)
		client_link_close(&c->session.link, WS_CODE_NORMAL);
}

static void leave_turn(struct client *c)
{
	struct client_session *s = &c->session;
	int64_t waited_us = machine_us() - c->leaving_us;

	if (c->leaving == LEAVE_ANSWERS && s->asked_count > 0 && waited_us >= ANSWERS_US) {
		screen_say(&s->screen, SCREEN_RED, "no answer to %u request%s", s->asked_count,
			   s->asked_count == 1 ? "" : "s");
		c->failed = true;
		s->asked_count = 0;
	}
	if (c->leaving == LEAVE_ANSWERS && s->asked_count == 0)
		leave(c, LEAVE_CLOSE);
	else if (c->leaving == LEAVE_CLOSE && waited_us >= CLOSE_US)
		leave(c, LEAVE_NOW);
}

static const char *code_words(unsigned code)
{
	static const struct {
		unsigned code;
		const char *words;
	} codes[] = {
		{ 1000, ", normal" },
		{ 1001, ", going away" },
		{ 1002, ", protocol error" },
		{ 1003, ", unsupported data" },
		{ 1007, ", not UTF-8" },
		{ 1008, ", policy" },
		{ 1009, ", too big" },
		{ 1011, ", internal error" },
		{ 1013, ", overload" },
		{ 4000, ", no sign of life" },
		{ 4001, ", the token has expired" },
		{ 4002, ", ended by an operator" },
		{ 4003, ", replaced by a newer connection" },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].words;
	return "";
}

/* The link is at its end. After our own Close that is what was wanted, once all is answered: the server does
 * that first. */
static void ended(struct client *c, enum client_link_event event, const struct client_message *m)
{
	struct client_session *s = &c->session;
	char shown[SHOWN_BYTES], code[32] = "without a code";
	bool wanted = c->leaving == LEAVE_CLOSE && event != CLIENT_LINK_FAILED && s->asked_count == 0;

	client_link_flush(&s->link);
	screen_safe(m->text, shown, sizeof(shown));
	leave(c, LEAVE_NOW);
	if (wanted)
		return;
	c->failed = true;
	if (m->code != WS_CODE_NONE)
		snprintf(code, sizeof(code), "%u", m->code);
	if (event == CLIENT_LINK_CLOSED)
		screen_say(&s->screen, SCREEN_RED, "closed by the server: %s%s%s%s", code,
			   code_words(m->code), m->text.n > 0 ? ": " : "", shown);
	else if (event == CLIENT_LINK_FAILED)
		screen_say(&s->screen, SCREEN_RED, "the server broke the protocol: %s", shown);
	else
		screen_say(&s->screen, SCREEN_RED, "the connection is gone: %s", shown);
	if (c->runs_script)
		client_script_abandon(&c->script, s);
}

/* ---- the link ---- */

static void heard(struct client *c, struct str message)
{
	struct client_session *s = &c->session;
	struct client_news news = client_session_hear(s, message);
	struct str name = dialect_name(s->dialect);

	if (c->runs_script)
		client_script_hear(&c->script, &news);
	else if (news.greets && !s->screen.edits)
		screen_say(&s->screen, SCREEN_PLAIN, "dialect %.*s", (int)name.n, name.p);
	if (news.greets)
		client_session_prompt(s, &c->edit);
}

/* False: there may be more at once. */
static bool read_link(struct client *c)
{
	struct client_session *s = &c->session;
	struct client_message m;

	for (int i = 0; i < MESSAGES_PER_TURN; i++) {
		enum client_link_event event = client_link_next(&s->link, &m);

		switch (event) {
		case CLIENT_LINK_NONE: return true;
		case CLIENT_LINK_TEXT: heard(c, m.text); break;
		case CLIENT_LINK_BINARY:
			screen_say(&s->screen, SCREEN_CYAN, "a binary message of %zu bytes", m.text.n);
			break;
		case CLIENT_LINK_PONG: break;
		case CLIENT_LINK_CLOSED:
		case CLIENT_LINK_FAILED:
		case CLIENT_LINK_LOST: ended(c, event, &m); return true;
		}
	}
	return false;
}

/* ---- the keyboard ---- */

static void draw_anew(struct client *c)
{
	c->edit.columns = terminal_columns();
	screen_draw(&c->session.screen);
}

static void suspend(struct client *c)
{
	screen_hide(&c->session.screen);
	fflush(stdout);
	terminal_restore();
	raise(SIGSTOP);
	terminal_raw();
	draw_anew(c);
}

/* The row that was typed stays on the screen, and the command's own lines come under it. */
static void entered(struct client *c)
{
	struct client_session *s = &c->session;
	size_t n;

	screen_draw(&s->screen);
	putchar('\n');
	s->screen.row_is_there = false;
	n = line_edit_take(&c->edit, c->line);
	switch (client_commands_do(s, str_of(c->line, n))) {
	case CLIENT_DONE:
	case CLIENT_WRONG: break;
	case CLIENT_QUIT: leave(c, LEAVE_CLOSE); break;
	case CLIENT_LATER:
		c->failed = true;
		screen_say(&s->screen, SCREEN_RED, "it could not be sent: try again");
		break;
	}
}

static void key(struct client *c, uint8_t byte)
{
	switch (line_edit_feed(&c->edit, byte)) {
	case LINE_EDIT_NONE: break;
	case LINE_EDIT_LINE: entered(c); break;
	case LINE_EDIT_INTERRUPT:
	case LINE_EDIT_END: leave(c, c->leaving == LEAVE_CLOSE ? LEAVE_NOW : LEAVE_CLOSE); break;
	case LINE_EDIT_CLEAR: fputs("\x1b[H\x1b[2J", stdout); break;
	case LINE_EDIT_SUSPEND: suspend(c); break;
	}
}

/* Not all that was to be done is known, let alone done. */
static void input_failed(struct client *c)
{
	screen_say(&c->session.screen, SCREEN_RED, "standard input: %s", strerror(errno));
	c->failed = true;
}

static void read_keys(struct client *c)
{
	uint8_t bytes[256];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		input_failed(c);
	if (n <= 0)
		leave(c, LEAVE_CLOSE);
	for (ssize_t i = 0; i < n; i++)
		key(c, bytes[i]);
}

/* ---- a pipe ---- */

/* Does the lines that are there, as long as there is room for what they ask. */
static void do_lines(struct client *c)
{
	size_t done = 0;

	while (c->leaving == LEAVE_NOT && client_session_is_ready(&c->session, machine_us())) {
		const char *begin = c->line + done, *end = memchr(begin, '\n', c->line_bytes - done);
		size_t n = end != NULL ? (size_t)(end - begin) : c->line_bytes - done;
		enum client_did did = CLIENT_DONE;

		if (end == NULL && (!c->input_ended || n == 0))
			break;
		did = client_commands_do(&c->session, str_of(begin, n));
		if (did == CLIENT_LATER)
			break;
		c->failed |= did == CLIENT_WRONG;
		done += n + (end != NULL);
		if (did == CLIENT_QUIT)
			leave(c, LEAVE_ANSWERS);
	}
	c->line_bytes -= done;
	memmove(c->line, c->line + done, c->line_bytes);
	if (c->input_ended && c->line_bytes == 0)
		leave(c, LEAVE_ANSWERS);
}

static void read_lines(struct client *c)
{
	ssize_t n;

	if (c->line_bytes == sizeof(c->line)) {
		if (memchr(c->line, '\n', c->line_bytes) != NULL)
			return;
		screen_say(&c->session.screen, SCREEN_RED, "a line of over %d bytes", CLIENT_LINE_BYTES_MAX);
		c->failed = c->input_ended = true;
		c->line_bytes = 0;
		return;
	}
	n = read(STDIN_FILENO, c->line + c->line_bytes, sizeof(c->line) - c->line_bytes);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		input_failed(c);
	if (n <= 0)
		c->input_ended = true;
	else
		c->line_bytes += (size_t)n;
}

/* ---- the loop ---- */

static void read_signal(struct client *c)
{
	struct signalfd_siginfo info;

	if (read(c->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGWINCH:
		if (c->session.screen.edits)
			draw_anew(c);
		break;
	case SIGTSTP: suspend(c); break;
	case SIGCONT:
		terminal_raw();
		draw_anew(c);
		break;
	default:
		c->exit_code = CLIENT_EXIT_SIGNAL + (int)info.ssi_signo;
		leave(c, c->leaving == LEAVE_CLOSE ? LEAVE_NOW : LEAVE_CLOSE);
	}
}

static bool open_signals(struct client *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (c->session.screen.edits) {
		sigaddset(&set, SIGWINCH);
		sigaddset(&set, SIGTSTP);
		sigaddset(&set, SIGCONT);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	c->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return c->signal_fd >= 0;
}

static bool reads_input(const struct client *c)
{
	return c->leaving < LEAVE_CLOSE && !c->runs_script && !c->input_ended &&
	       (c->session.screen.edits || c->line_bytes == 0 ||
		memchr(c->line, '\n', c->line_bytes) == NULL);
}

/* What has to be done without waiting for anything. */
static bool work(struct client *c)
{
	struct client_session *s = &c->session;
	bool idle = read_link(c);

	if (client_session_expire(s, machine_us()) > 0 && !s->screen.edits)
		c->failed = true;
	if (c->leaving != LEAVE_NOT) {
		leave_turn(c);
	} else if (c->runs_script) {
		if (client_script_turn(&c->script, s, machine_us()))
			leave(c, LEAVE_CLOSE);
	} else if (!s->screen.edits) {
		do_lines(c);
	}
	return idle;
}

static void run(struct client *c)
{
	struct client_session *s = &c->session;

	while (c->leaving != LEAVE_NOW) {
		struct pollfd p[] = { { .fd = c->signal_fd, .events = POLLIN },
				      { .fd = -1 },
				      { .fd = -1, .events = POLLIN } };
		bool idle = work(c);
		bool patient = c->leaving == LEAVE_NOT && !c->runs_script && s->asked_count == 0 &&
			       (s->screen.edits || c->line_bytes == 0);

		if (c->leaving == LEAVE_NOW)
			break;
		screen_draw(&s->screen);
		p[1].fd = s->link.fd;
		p[1].events = client_link_waits_for(&s->link);
		if (reads_input(c))
			p[2].fd = STDIN_FILENO;
		poll(p, 3, !idle ? 0 : patient ? -1 : TURN_MS);
		if (p[0].revents != 0)
			read_signal(c);
		if (p[2].revents != 0 && s->screen.edits)
			read_keys(c);
		else if (p[2].revents != 0)
			read_lines(c);
	}
}

static int connect_and_run(struct client *c)
{
	struct client_session *s = &c->session;
	char why[CLIENT_WHY_BYTES], protocol[64];
	int64_t began_us = machine_us();

	if (!client_open(&s->link, &c->target, protocol, why)) {
		args_say(&c->args, "%s", why);
		return CLIENT_EXIT_FAILED;
	}
	s->screen.script = c->runs_script;
	s->screen.colours = terminal_has_colour();
	s->screen.edits = !c->runs_script && terminal_can_edit();
	s->screen.edit = &c->edit;
	client_session_begin(s, &c->target, protocol);
	if (!open_signals(c) || (s->screen.edits && !terminal_raw())) {
		args_say(&c->args, "%s", strerror(errno));
		return CLIENT_EXIT_FAILED;
	}
	client_session_prompt(s, &c->edit);
	c->edit.columns = terminal_columns();
	if (c->runs_script)
		client_script_begin(&c->script, s, began_us);
	else
		screen_say(&s->screen, SCREEN_DIM, "connected to %s%s", s->where,
			   s->screen.edits ? "; help lists the commands" : "");
	run(c);
	screen_hide(&s->screen);
	fflush(stdout);
	terminal_restore();
	client_link_end(&s->link);
	if (c->exit_code != 0)
		return c->exit_code;
	return c->failed || (c->runs_script && !client_script_passed(&c->script)) ? CLIENT_EXIT_FAILED
										  : CLIENT_EXIT_OK;
}

int client_run(char *const *args)
{
	struct client *c = machine_memory(sizeof(*c));
	struct args a = { .next = args, .command = "client", .flags = flags };

	if (c == NULL) {
		args_say(&a, "no memory");
		return CLIENT_EXIT_FAILED;
	}
	c->args = a;
	line_edit_init(&c->edit);
	if (!read_args(c))
		return CLIENT_EXIT_ARGUMENTS;
	if (terminal_has_colour()) {
		c->edit.prompt_on = "\x1b[1;36m";
		c->edit.prompt_off = "\x1b[0m";
	}
	return connect_and_run(c);
}
