/*
 * fuzz/fuzz_client.c: `presenced client` between a person and a server that says what it likes. What is printed of it is valid UTF-8
 * without any control character but the newline, whatever the server said.
 *
 *	input: options, piece...   piece: kind, length, so many bytes: of the stream, of a line that is typed, a text message, a frame
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/utf8.h"
#include "net/machine.h"
#include "tool/client_commands.h"
#include "tool/client_open.h"
#include "tool/client_script.h"
#include "tool/client_session.h"
#include "wire/ws_frame.h"

#define CHECK(what) ((what) ? (void)0 : abort())

enum { STREAM, LINE, MESSAGE, FRAME };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct client_session s;
static struct client_script script;
static struct line_edit edit;
static FILE *page;      /* standard output, while the client is at work */
static char *printed;
static size_t printed_bytes;
static int peer;

/* Of the client's own: colours, the row's beginning and end, and where the cursor stands. */
static void take_own(struct str *out, uint32_t cp)
{
	if (cp == '\r')
		return;
	CHECK(utf8_next(out) == '[');
	do
		cp = utf8_next(out);
	while (cp >= '0' && cp <= ';');
	CHECK(cp == 'm' || cp == 'K' || cp == 'C' || cp == 'G' || cp == 'D');
}

static void check_printed(void)
{
	struct str out;

	fflush(stdout);
	out = str_of(printed, (size_t)ftell(stdout));
	CHECK(utf8_valid(out));
	while (out.n > 0) {
		uint32_t cp = utf8_next(&out);

		if (s.screen.colours && (cp == '\r' || cp == '\x1b')) {
			take_own(&out, cp);
			continue;
		}
		CHECK(cp == '\n' || (cp >= 0x20 && cp != 0x7f && (cp < 0x80 || cp >= 0xa0) && (cp < 0x2028 || cp > 0x202e)));
	}
	rewind(stdout);
}

static void begin(unsigned options)
{
	static const char *const urls[] = { "ws://h.example/ws?user_id=u0", "ws://h/ws?dialect=snake", "ws://[::1]:80/", "ws://h/ws?userId=a%20b&x",
		                            "ws://h/ws?token=e30.eyJzdWIiOiJ1MSJ9.c2ln", "ws://h/ws", "ws://h/?user_id=%00", "ws://h/x?dialect=none" };
	static const char *const protocols[] = { "", "presenced.roster", "presenced.echo", "other" };
	const char *url = urls[options % 8];
	struct client_target t = { .header_count = 0 };
	char why[CLIENT_WHY_BYTES];
	int pair[2];

	memset(&s, 0, offsetof(struct client_session, link));
	memset(&s.link, 0, offsetof(struct client_link, in));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	s.link.fd = pair[0];
	peer = pair[1];
	CHECK(client_open_parse(&t, str_of(url, strlen(url)), why));
	if (options & 32)
		CHECK(client_open_header(&t, STR("X-User-ID: u9"), why));
	CHECK(!client_open_header(&t, STR("nothing"), why));
	ws_dec_init(&s.link.dec);
	client_session_begin(&s, &t, protocols[options / 8 % 4]);
	line_edit_init(&edit);
	s.screen.edit = &edit;
	s.screen.script = options & 64;
	s.screen.edits = !s.screen.script;
	s.screen.colours = options & 128;
	(void)client_session_is_ready(&s, s.opened_us + 300000);
	script = (struct client_script){ 0 };
	if (s.screen.script)
		client_script_begin(&script, &s, s.opened_us);
	client_session_prompt(&s, &edit);
}

static void hear(void)
{
	enum client_link_event event;
	struct client_message m;
	struct client_news news;
	char safe[256];

	while (!s.link.ended && (event = client_link_next(&s.link, &m)) != CLIENT_LINK_NONE) {
		if (event == CLIENT_LINK_TEXT) {
			news = client_session_hear(&s, m.text);
			if (s.screen.script)
				client_script_hear(&script, &news);
			client_session_prompt(&s, &edit);
		} else {
			CHECK(strlen(screen_safe(m.text, safe, sizeof(safe))) < sizeof(safe));
			CHECK(event != CLIENT_LINK_CLOSED || m.code == 1005 || ws_frame_code_valid(m.code));
		}
	}
	if (s.screen.script && !s.link.ended)
		client_script_turn(&script, &s, s.opened_us + 3000000);
}

static void frame(uint8_t first, const uint8_t *p, size_t n)
{
	uint8_t out[WS_HEADER_BYTES_MAX + 256];
	size_t header = ws_frame_header(out, WS_TEXT, true, n);

	out[0] = first;
	memcpy(out + header, p, n);
	CHECK(send(peer, out, header + n, MSG_NOSIGNAL) >= 0 || s.link.ended);
}

static void piece(unsigned kind, const uint8_t *p, size_t n)
{
	char taken[4096];

	switch (kind % 4) {
	case STREAM: CHECK(send(peer, p, n, MSG_NOSIGNAL) >= 0 || s.link.ended); break;
	case LINE: (void)client_commands_do(&s, str_of((const char *)p, n)); break;
	case MESSAGE: frame(0x81, p, n); break;
	case FRAME: n == 0 ? (void)0 : frame(p[0], p + 1, n - 1); break;
	}
	hear();
	if (s.screen.colours && s.screen.edits)
		screen_draw(&s.screen);
	if (kind & 64)
		(void)client_session_expire(&s, s.opened_us + 10000000);
	while (recv(peer, taken, sizeof(taken), 0) > 0) {
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	FILE *real = stdout;

	if (page == NULL)
		page = open_memstream(&printed, &printed_bytes);
	if (n == 0 || n > 8192)
		return 0;
	CHECK(page != NULL);
	stdout = page;
	begin(data[0]);
	data++, n--;
	while (n >= 2) {
		size_t bytes = data[1] < n - 2 ? data[1] : n - 2;

		piece(data[0], data + 2, bytes);
		data += 2 + bytes;
		n -= 2 + bytes;
	}
	close(peer);
	hear();
	CHECK(s.link.ended);
	if (s.screen.script)
		client_script_abandon(&script, &s);
	client_link_end(&s.link);
	check_printed();
	stdout = real;
	return 0;
}
