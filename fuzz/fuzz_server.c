/*
 * fuzz/fuzz_server.c: the bytes of several connections into one server, long ones too: requests of any method, path and body, handshakes
 * of all dialects, messages, and bytes as they are, in turns, with time going on between them (fuzz_session.c draws from what clients
 * do; here the input is what they say). The whole happens twice, with reads that give all there is and with reads of one byte: all
 * connections are told the same, byte by byte. server_valid() holds whenever all that was said is answered (with option 64 after every
 * turn), and in the end (128) all that was taken is given back.
 *
 *	input: 2 bytes of options, piece...   piece: kind + 8 * connection, length as 2 bytes, so many bytes
 *
 * No input could sign a token: where the bytes 2 to 7 stand in a request, a handshake or a message, a token is said.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/state.h"
#include "sim/mint.h"
#include "sim/sim.h"
#include "sim/table.h"
#include "wire/ws_frame.h"

#define CHECK(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { CONNECTIONS = 4, OUT_MAX = 1 << 20, IN_MAX = 16384, PIECES_MAX = 64, EXPANDED_MAX = 32768, HEAD_MAX = 2048 };

enum { REQUEST, MESSAGE, BYTES, OPEN, WAIT, END, DROP, FRAME };

struct told {
	size_t n;
	char v[OUT_MAX];
};

struct run {
	struct sim sim;
	int links[CONNECTIONS];
	bool stalls;              /* connection 2 reads only after a wait */
	struct told *told;        /* [CONNECTIONS] */
};

static void hear(struct run *r)
{
	char bytes[4096];
	size_t n;

	for (int i = 0; i < CONNECTIONS; i++) {
		if (r->stalls && i == 2)
			continue;
		while (r->links[i] >= 0 && (n = sim_receive(&r->sim, r->links[i], bytes, sizeof(bytes))) > 0) {
			CHECK(r->told[i].n + n <= OUT_MAX);
			memcpy(r->told[i].v + r->told[i].n, bytes, n);
			r->told[i].n += n;
		}
		if (r->links[i] >= 0 && sim_at_end(&r->sim, r->links[i])) {
			sim_end(&r->sim, r->links[i]);
			sim_release(&r->sim, r->links[i]);
			r->links[i] = -1;
		}
	}
}

/* Connection 3 is not from this machine. */
static void say(struct run *r, unsigned c, const void *bytes, size_t n)
{
	static const struct peer afar = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7 }, 4000 };

	if (r->links[c] < 0)
		r->links[c] = sim_connect(&r->sim, 0, c == 3 ? &afar : NULL);
	sim_send(&r->sim, r->links[c], bytes, n);
}

/* "METHOD PATH", header lines, an empty one and a body, each line with its newline; the rest is said for it. */
static void request(struct run *r, unsigned c, struct str s)
{
	static char head[HEAD_MAX + 2 * EXPANDED_MAX];
	const char *line = s.n == 0 ? NULL : memchr(s.p, '\n', s.n), *blank = s.n < 2 ? NULL : memmem(s.p, s.n, "\n\n", 2);
	struct str first = line == NULL ? s : str_of(s.p, (size_t)(line - s.p));
	struct str more = blank == NULL || blank == line ? STR("") : str_of(line + 1, (size_t)(blank - line) - 1);
	struct str body = blank == NULL ? STR("") : str_of(blank + 2, (size_t)(s.p + s.n - blank) - 2);
	int n = snprintf(head, sizeof(head), "%.*s HTTP/1.1\r\nHost: sim\r\nContent-Length: %zu\r\n", (int)first.n, first.p, body.n);
	size_t at = (size_t)n;

	CHECK(n > 0 && at + 2 * more.n + body.n + 4 <= sizeof(head));
	for (size_t i = 0; i < more.n; i++) {
		if (more.p[i] == '\n')
			head[at++] = '\r';
		head[at++] = more.p[i];
	}
	memcpy(head + at, "\r\n\r\n", 4);
	at += more.n > 0 ? 4 : 2;
	memcpy(head + at, body.p, body.n);
	say(r, c, head, at + body.n);
}

/* A handshake: of a dialect with its own way to say who comes, or with the target that the input has. */
static void handshake(struct run *r, unsigned c, struct str s)
{
	static const char *const targets[] = { "/ws?user_id=u0", "/ws?dialect=roster&user_id=u1", "/ws?token=e30.eyJzdWIiOiJ1MiJ9.c2ln",
		                               "/ws?userId=u3", "/ws" };
	char head[HEAD_MAX + EXPANDED_MAX];
	unsigned draw = s.n == 0 ? 0 : (unsigned char)s.p[0];
	struct str target = s.n > 1 ? str_of(s.p + 1, s.n - 1) : str_of(targets[draw % 5], strlen(targets[draw % 5]));
	int n;

	if (r->links[c] >= 0) {
		sim_drop(&r->sim, r->links[c]);
		sim_release(&r->sim, r->links[c]);
	}
	r->links[c] = sim_connect(&r->sim, draw < 200 ? 0 : draw % 5, NULL);
	n = snprintf(head, sizeof(head),
	             "GET %.*s HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
	             (int)target.n, target.p, draw % 5 == 4 ? "X-User-ID: u4\r\n" : "");
	CHECK(n > 0 && (size_t)n < sizeof(head));
	say(r, c, head, (size_t)n);
}

/* Masked, as a client must; `first` is its first byte. */
static void frame(struct run *r, unsigned c, uint8_t first, struct str s)
{
	static uint8_t whole[WS_HEADER_BYTES_MAX + EXPANDED_MAX];
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	size_t header = ws_frame_header_masked(whole, WS_TEXT, true, s.n, mask);
	uint8_t key[4];

	memcpy(key, mask, sizeof(key));
	whole[0] = first;
	if (s.n > 0)
		memcpy(whole + header, s.p, s.n);
	ws_frame_mask(whole + header, s.n, key);
	say(r, c, whole, header + s.n);
}

/* sim_settle() looks at all tables, which one of two runs need do. */
static void settle(struct run *r)
{
	for (int i = 0; i < 2; i++) {
		if (r->sim.cut == SIM_WHOLE)
			sim_settle(&r->sim);
		while (sim_turn(&r->sim)) {
		}
		hear(r);
	}
}

/* The bytes 2 to 7 are tokens: u0's, u1's with rooms, one that ends soon, one that may write, one not signed well, one of a service's key. */
static struct str with_tokens(struct str s)
{
	static const char *const specs[] = { "sub:u0,ttl:1d,by:hs", "sub:u1,ttl:1d,by:hs,rooms:[r,q*]", "sub:u0,ttl:15s,by:hs",
		                             "sub:u2,ttl:1d,by:hs,scope:presence:write", "sub:u0,ttl:1h,by:hs,bad:signature",
		                             "sub:u3,ttl:1d,by:es1" };
	static char tokens[6][MINT_TOKEN_MAX], out[EXPANDED_MAX];
	size_t n = 0, bytes;

	for (size_t i = 0; i < s.n && n + MINT_TOKEN_MAX < sizeof(out); i++) {
		unsigned which = (unsigned char)s.p[i] - 2u;

		if (which >= 6) {
			out[n++] = s.p[i];
			continue;
		}
		if (tokens[which][0] == '\0')
			CHECK(mint_token(str_of(specs[which], strlen(specs[which])), (wall_t){ INT64_C(1768392000000) }, tokens[which]));
		bytes = strlen(tokens[which]);
		memcpy(out + n, tokens[which], bytes);
		n += bytes;
	}
	return str_of(out, n);
}

static void piece(struct run *r, unsigned op, struct str s)
{
	static const int64_t times_ms[] = { 1, 300, 1000, 5000, 10000, 30000, 60000, 300000 };
	unsigned c = op / 8 % CONNECTIONS;

	if (op % 8 == REQUEST || op % 8 == MESSAGE || op % 8 == OPEN)
		s = with_tokens(s);
	switch (op % 8) {
	case REQUEST: request(r, c, s); break;
	case MESSAGE: frame(r, c, 0x81, s); break;
	case BYTES: say(r, c, s.p, s.n); break;
	case OPEN: handshake(r, c, s); break;
	case FRAME:
		if (s.n > 0)
			frame(r, c, (uint8_t)s.p[0], str_of(s.p + 1, s.n - 1));
		break;
	case WAIT:
		r->stalls = false;
		sim_advance(&r->sim, r->sim.now.mono.ms + times_ms[s.n % 8]);
		break;
	case END:
		if (r->links[c] >= 0)
			sim_end(&r->sim, r->links[c]);
		break;
	case DROP:
		if (r->links[c] >= 0) {
			sim_drop(&r->sim, r->links[c]);
			sim_release(&r->sim, r->links[c]);
			r->links[c] = -1;
		}
		break;
	}
	settle(r);
}

/* Limits that bite at once; and PIPES_SMALL: what a client does not read at once waits in the server. */
enum { PER_USER = 1, PER_COMMAND = 2, PER_SECOND = 4, FEW = 8, PER_MESSAGE = 16, PIPES_SMALL = 32, USERS_ASKED = 64, BUFFERS_SMALL = 128 };

static void limit(struct server_config *cfg, unsigned draw)
{
	if (draw & PER_USER)
		cfg->user_message_rate = 2;
	for (int i = 0; i < CMD_COUNT && (draw & PER_COMMAND) != 0; i++)
		cfg->command_rate[i] = 1, cfg->command_rate_any = true;
	if (draw & PER_SECOND)
		cfg->connection_rate = 1;
	if (draw & FEW)
		cfg->connections_max = 2;
	if (draw & PER_MESSAGE)
		cfg->message_rate = cfg->message_burst = 2;
	cfg->has_user_check = draw & USERS_ASKED;
	if (draw & BUFFERS_SMALL) {
		cfg->client_buffer_messages = 4;
		cfg->client_buffer_bytes = 600;
	}
}

static void configure(struct server_config *cfg, unsigned draw)
{
	sim_config(cfg);
	cfg->connections_max = 10;
	cfg->connections_per_user_max = 3;
	cfg->message_bytes_max[DIALECT_DOTTED] = 65536;
	cfg->offline_debounce_ms = draw & 1 ? 0 : 5000;
	cfg->public_reads = draw & 2;
	if (draw & 4) {
		table_option(cfg, "auth", "jwt");
		table_option(cfg, "jwt-secret", "hs");
	}
	if (draw & 8)
		cfg->api_key = STR("k3y");
	if ((draw & 12) == 12)
		table_option(cfg, "jwks-url", "on");
	cfg->connections_per_ip_max = draw & 16 ? 3 : 0;
	if ((draw & 48) == 48)
		cfg->origins_given = cfg->origins_any = true;
	else if (draw & 48)
		cfg->origins_given = true, cfg->origins[0] = STR("http://ok.example"), cfg->origin_count = 1;
	if (draw & 16)
		cfg->audience = AUDIENCE_ROOMS;
	cfg->slow_consumer = draw & 32 ? SLOW_CLOSE : SLOW_DROP;
}

static void run(struct run *r, struct told *told, enum sim_cut cut, const uint8_t *data, size_t n)
{
	uint8_t options = data[0];

	*r = (struct run){ .told = told };
	configure(&r->sim.cfg, options);
	limit(&r->sim.cfg, data[1]);
	r->sim.pipe_bytes = data[1] & PIPES_SMALL ? 100 : 0;
	r->stalls = data[1] & PIPES_SMALL;
	r->sim.cut = cut;
	r->sim.check_turns = cut == SIM_WHOLE && (options & 64) != 0;
	for (int i = 0; i < CONNECTIONS; i++) {
		r->links[i] = -1;
		told[i].n = 0;
	}
	CHECK(sim_start(&r->sim, 7) && services_set_keys(&r->sim.services, STR("after=1s es1")));
	data += 2, n -= 2;
	for (int pieces = 0; n >= 3 && pieces < PIECES_MAX && r->sim.fault[0] == '\0'; pieces++) {
		size_t bytes = (size_t)(data[1] | data[2] << 8);

		bytes = bytes < n - 3 ? bytes : n - 3;
		piece(r, data[0], str_of((const char *)data + 3, bytes));
		data += 3 + bytes;
		n -= 3 + bytes;
	}
	for (int i = 0; i < CONNECTIONS; i++)
		if (r->links[i] >= 0)
			sim_release(&r->sim, r->links[i]);
	if (r->sim.fault[0] == '\0' && cut == SIM_WHOLE && (options & 128) != 0)
		sim_leave_all(&r->sim);
	if (r->sim.fault[0] != '\0') {
		fprintf(stderr, "%s\n", r->sim.fault);
		abort();
	}
	sim_stop(&r->sim);
}

static void check_same(const struct told *a, const struct told *b, int connection)
{
	size_t n = a->n < b->n ? a->n : b->n, at = 0;

	if ((a->n == b->n && memcmp(a->v, b->v, n) == 0) || memmem(a->v, a->n, "\n# HELP ", 8) != NULL ||
	    memmem(a->v, a->n, "\"intake_small\"", 14) != NULL)
		return; /* /metrics and /admin/stats tell of reads and what they hold */
	while (at < n && a->v[at] == b->v[at])
		at++;
	at -= at < 100 ? at : 100;
	fprintf(stderr, "connection %d was told\n%.*s\nand in reads of one byte\n%.*s\n", connection, a->n - at < 300 ? (int)(a->n - at) : 300,
	        a->v + at, b->n - at < 300 ? (int)(b->n - at) : 300, b->v + at);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct told whole[CONNECTIONS], bytes[CONNECTIONS];
	static struct run r;

	if (n < 2 || n > IN_MAX)
		return 0;
	run(&r, whole, SIM_WHOLE, data, n);
	run(&r, bytes, SIM_BYTES, data, n);
	for (int i = 0; i < CONNECTIONS; i++) {
		if (!(data[1] & (PIPES_SMALL | BUFFERS_SMALL))) /* what is dropped depends on when it is read */
			check_same(&whole[i], &bytes[i], i);
		CHECK(whole[i].n < 5 || memcmp(whole[i].v, "HTTP/", 5) == 0);
	}
	return 0;
}
