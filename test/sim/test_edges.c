/*
 * Corners of a connection's life that need exact bytes at exact turns: pipelines longer than a read, answers longer than the queue,
 * pools that end at the worst moment, slots used again, the end. Each case is a bug that was there.
 */
#include <stdlib.h>
#include <string.h>

#include "server/state.h"
#include "sim/sim.h"
#include "tap.h"

enum {
	ONLINE = 300,
	PIPELINED = 3000, /* more bytes than one read takes, and than a request's buffer holds */
	OUT_BYTES = 4 << 20,
};

static const char live_request[] = "GET /live HTTP/1.1\r\nHost: a\r\n\r\n";
static char out[OUT_BYTES + 1];
static size_t out_n;

static void start(struct sim *sim)
{
	sim->check_turns = true;
	if (!sim_start(sim, 1))
		tap_ok(false, "the server was built");
}

static void finish(struct sim *sim, const char *name)
{
	if (sim->fault[0] == '\0')
		sim_leave_all(sim);
	if (!tap_ok(sim->fault[0] == '\0', "%s: nothing is left behind", name))
		printf("# %s\n", sim->fault);
	sim_stop(sim);
}

static void send_text(struct sim *sim, int link, const char *text)
{
	sim_send(sim, link, text, strlen(text));
}

/* A short masked frame; the mask is zero, so the payload reads as it is. */
static void send_frame(struct sim *sim, int link, unsigned opcode, const char *payload)
{
	uint8_t frame[6 + 125] = { (uint8_t)(0x80 | opcode), (uint8_t)(0x80 | strlen(payload)) };

	memcpy(frame + 6, payload, strlen(payload));
	sim_send(sim, link, frame, 6 + strlen(payload));
}

static void upgrade(struct sim *sim, int link, const char *target, const char *header)
{
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s"
	         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", target, header);
	send_text(sim, link, text);
}

/* Reads all that comes, turn by turn, into out[]. */
static void drink(struct sim *sim, int link)
{
	size_t n;

	out_n = 0;
	do {
		sim_settle(sim);
		n = sim_receive(sim, link, out + out_n, OUT_BYTES - out_n);
		out_n += n;
	} while (n > 0);
	for (size_t i = 0; i < out_n; i++)
		if (out[i] == '\0')
			out[i] = '.';
	out[out_n] = '\0';
}

static unsigned occurrences(const char *what)
{
	unsigned n = 0;

	for (const char *p = out; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* Is the last answer in out[] as long as its Content-Length says? */
static bool body_is_whole(void)
{
	const char *length = NULL, *body;

	for (const char *p = out; (p = strstr(p, "Content-Length: ")) != NULL; p++)
		length = p + 16;
	body = length == NULL ? NULL : strstr(length, "\r\n\r\n");
	return body != NULL && strlen(body + 4) == strtoul(length, NULL, 10);
}

/* --- HTTP --- */

static void long_answers(void)
{
	struct sim sim = { 0 };
	int a, b;

	sim_config(&sim.cfg);
	sim.cfg.client_buffer_bytes = 1000;
	start(&sim);
	a = sim_connect(&sim, 0, NULL);
	send_text(&sim, a, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	drink(&sim, a);
	tap_ok(out_n > 4000 && body_is_whole(), "an answer longer than client-buffer-bytes arrives whole before the connection closes");
	sim.pipe_bytes = 100;
	b = sim_connect(&sim, 0, NULL);
	send_text(&sim, b, live_request);
	send_text(&sim, b, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	send_text(&sim, b, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	drink(&sim, b);
	tap_ok(occurrences("HTTP/1.1 200") == 3 && body_is_whole(), "and behind other answers, to a slow reader");
	finish(&sim, "long answers");
}

static void pipeline(bool ends)
{
	struct sim sim = { 0 };
	int a;

	sim_config(&sim.cfg);
	start(&sim);
	sim.check_turns = false;
	sim.pipe_bytes = SIM_PIPE_BYTES * 64;
	a = sim_connect(&sim, 0, NULL);
	for (int i = 0; i < PIPELINED; i++)
		send_text(&sim, a, live_request);
	if (ends)
		sim_end(&sim, a);
	drink(&sim, a);
	if (!tap_is_u64(occurrences("HTTP/1.1 200"), PIPELINED, ends ? "a long pipeline is answered to its end of stream" : "a long pipeline is answered"))
		printf("# %.200s\n", out_n > 200 ? out + out_n - 200 : out);
	finish(&sim, "pipeline");
}

/* Large bodies behind each other: no read takes more than the request's buffer has room for. */
static void large_bodies(void)
{
	struct sim sim = { 0 };
	static char body[60001];
	char head[200];
	int a;

	sim_config(&sim.cfg);
	start(&sim);
	memset(body, ' ', 60000);
	memcpy(body, "{}", 2);
	snprintf(head, sizeof(head), "PUT /api/v1/presence/u HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n");
	a = sim_connect(&sim, 0, NULL);
	for (int i = 0; i < 6; i++) {
		send_text(&sim, a, head);
		send_text(&sim, a, body);
	}
	drink(&sim, a);
	tap_ok(occurrences("HTTP/1.1 ") == 6 && occurrences("HTTP/1.1 431") == 0, "six pipelined bodies of 60 kB are each answered");
	finish(&sim, "large bodies");
}

/* The last requests of a pipeline are worked off while the upgrade and half a message are there already. */
static void pipelined_upgrade(void)
{
	struct sim sim = { 0 };
	int a;

	sim_config(&sim.cfg);
	start(&sim);
	sim.check_turns = false;
	sim.pipe_bytes = SIM_PIPE_BYTES * 64;
	sim.cfg.client_buffer_messages = 4096; /* so that only the turn's share of requests makes it wait */
	for (unsigned before = 2100; before < 2400; before += 37) {
		a = sim_connect(&sim, 2, NULL);
		for (unsigned i = 0; i < before; i++)
			send_text(&sim, a, live_request);
		upgrade(&sim, a, "/ws", "");
		sim_send(&sim, a, "\x81\x8b\0\0\0\0hello", 11);
		drink(&sim, a);
		if (occurrences("HTTP/1.1 200") != before || occurrences("HTTP/1.1 101") != 1) {
			tap_ok(false, "an upgrade behind %u requests", before);
			break;
		}
		send_text(&sim, a, " world");
		drink(&sim, a);
		if (out_n != 13 || memcmp(out, "\x81\x0bhello world", 13) != 0) {
			tap_ok(false, "half a message behind an upgrade behind %u requests", before);
			break;
		}
		sim_drop(&sim, a);
		sim_settle(&sim);
	}
	tap_ok(true, "an upgrade and half a message behind a long pipeline");
	finish(&sim, "pipelined upgrade");
}

static void slow_second_request(void)
{
	struct sim sim = { 0 };
	int a;

	sim_config(&sim.cfg);
	start(&sim);
	a = sim_connect(&sim, 0, NULL);
	send_text(&sim, a, "HEAD /live HTTP/1.1\r\nHost: a\r\n\r\n");
	drink(&sim, a);
	tap_ok(occurrences("HTTP/1.1 200") == 1, "HEAD is answered");
	sim_advance(&sim, 12000);
	send_text(&sim, a, "GET / HT");
	sim_settle(&sim);
	sim_advance(&sim, 21000);
	drink(&sim, a);
	tap_ok(out_n == 0, "a second request has its ten seconds");
	sim_advance(&sim, 22100);
	drink(&sim, a);
	tap_ok(occurrences("HTTP/1.1 408") == 1, "and no more");
	tap_ok(body_is_whole(), "and the answer has its body, whatever HEAD went before");
	finish(&sim, "slow second request");
}

/* So many that GET /presence is produced piece by piece. */
static void many_online(struct sim *sim)
{
	int a = sim_connect(sim, 0, NULL);

	sim->check_turns = false;
	for (int i = 0; i < ONLINE; i++) {
		char text[200];

		snprintf(text, sizeof(text), "POST /api/v1/presence/user%03d-%0100d/heartbeat HTTP/1.1\r\nHost: a\r\n\r\n", i, i);
		send_text(sim, a, text);
	}
	drink(sim, a);
	if (occurrences("HTTP/1.1 204") != ONLINE)
		tap_ok(false, "%u users came online, then %.300s", occurrences("HTTP/1.1 204"), strstr(out, "HTTP/1.1 5"));
	sim_drop(sim, a);
	sim_settle(sim);
}

static void streams(void)
{
	static const char get[] = "GET /presence HTTP/1.1\r\nHost: a\r\n\r\n";
	struct sim sim = { 0 };
	int a;

	sim_config(&sim.cfg);
	sim.cfg.connections_max = ONLINE;
	start(&sim);
	many_online(&sim);
	for (int i = 0; i < 2; i++) {
		sim.pipe_bytes = i == 0 ? SIM_PIPE_BYTES * 64 : 1000;
		a = sim_connect(&sim, 0, NULL);
		send_text(&sim, a, get);
		send_text(&sim, a, "HEAD /presence HTTP/1.1\r\nHost: a\r\n\r\n");
		send_text(&sim, a, get);
		send_text(&sim, a, live_request);
		sim_end(&sim, a);
		drink(&sim, a);
		tap_ok(occurrences("HTTP/1.1 200") == 4 && occurrences("count\":300}") == 2 && occurrences("\r\n0\r\n\r\n") == 2 &&
		       body_is_whole() && sim_at_end(&sim, a), "streams in a pipeline, then the end, %s", i == 0 ? "read at once" : "read slowly");
		a = sim_connect(&sim, 0, NULL);
		send_text(&sim, a, "GET /presence HTTP/1.0\r\nHost: a\r\n\r\n");
		drink(&sim, a);
		tap_ok(occurrences("count\":300}") == 1 && occurrences("\r\n0\r\n") == 0 && sim_at_end(&sim, a),
		       "a stream to HTTP/1.0 ends with the connection");
		sim_end(&sim, a);
	}
	a = sim_connect(&sim, 0, NULL);
	send_text(&sim, a, get);
	sim_settle(&sim);
	sim_drop(&sim, a);
	a = sim_connect(&sim, 0, NULL);
	send_text(&sim, a, get);
	sim_settle(&sim);
	sim_advance(&sim, sim.now.mono.ms + 10100);
	tap_ok(sim.links[a].server_closed, "a stream that nobody reads ends after write-wait");
	finish(&sim, "streams");
}

/* --- the handshake --- */

static void nameless_in_two_pieces(void)
{
	struct sim sim = { 0 };
	int a;

	sim_config(&sim.cfg);
	start(&sim);
	a = sim_connect(&sim, 0, NULL);
	send_text(&sim, a, "GET / HTT");
	sim_settle(&sim);
	send_text(&sim, a, "P/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
	send_frame(&sim, a, 1, "{\"type\":\"ping\"}");
	drink(&sim, a);
	tap_ok(occurrences("HTTP/1.1 101") == 1 && strstr(out, "\x03\xea") != NULL, "no identity at /: 101, then 1002, what follows is not read");
	finish(&sim, "nameless");
}

/* Whichever queue node is the last one, a new user finds an answer or an end. */
static void nodes_run_out(void)
{
	struct sim sim = { 0 };

	for (uint32_t i = 0; i < 6 * 5; i++) {
		static const char *const dialects[] = { "snake", "dotted", "rooms", "roster", "upper" };
		uint32_t spare = i / 5;
		char target[64];

		sim_config(&sim.cfg);
		start(&sim);
		for (int k = 0; k < 3; k++) {
			snprintf(target, sizeof(target), "/ws?user_id=user%d&dialect=%s", k, dialects[k]);
			upgrade(&sim, sim_connect(&sim, 0, NULL), target, "");
		}
		sim_settle(&sim);
		pool_limit(&sim.server->nodes, pool_used(&sim.server->nodes) + spare);
		snprintf(target, sizeof(target), "/ws?user_id=new&dialect=%s", dialects[i % 5]);
		upgrade(&sim, sim_connect(&sim, 0, NULL), target, "");
		sim_settle(&sim);
		pool_limit(&sim.server->nodes, UINT32_MAX);
		finish(&sim, dialects[i % 5]);
	}
}

/* Frames that readers who do not read keep from everybody: the one who keeps most goes, and all others hear of everything. */
static void frames_run_out(void)
{
	struct sim sim = { 0 };
	int deaf, watcher, actor;
	char text[128];

	sim_config(&sim.cfg);
	sim.cfg.presence_rate = 0;
	sim.cfg.slow_consumer = SLOW_CLOSE; /* nothing is conflated: every change is kept for who is deaf */
	start(&sim);
	sim.pipe_bytes = 512;
	deaf = sim_connect(&sim, 0, NULL);
	upgrade(&sim, deaf, "/ws?user_id=deaf&dialect=upper", "");
	watcher = sim_connect(&sim, 0, NULL);
	upgrade(&sim, watcher, "/ws?user_id=watcher&dialect=upper", "");
	actor = sim_connect(&sim, 0, NULL);
	upgrade(&sim, actor, "/ws?user_id=actor&dialect=upper", "");
	sim_settle(&sim);
	for (int i = 0; i < 60; i++) {
		if (i == 20)
			pool_limit(&sim.server->frames.cells, pool_used(&sim.server->frames.cells) + 4);
		snprintf(text, sizeof(text), "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"online\",\"metadata\":{\"n\":%d}}}", i);
		send_frame(&sim, actor, 1, text);
		drink(&sim, actor);
		drink(&sim, watcher);
		snprintf(text, sizeof(text), "{\"n\":%d}", i);
		if (strstr(out, text) == NULL)
			tap_ok(false, "frames run out: the one who reads hears of change %d", i);
	}
	tap_ok(sim.server->metrics.refused[REFUSED_SLOW_CONSUMER] == 1, "frames run out: who does not read is closed for it");
	pool_limit(&sim.server->frames.cells, UINT32_MAX);
	finish(&sim, "frames run out");
}

/* Announcing much takes no buffer from those who send it. */
static void announced_only(void)
{
	struct sim sim = { 0 };
	static char long_ping[5000];
	uint8_t frame[8] = { 0x81, 0xfe, 0x13, 0x88 };
	int a;

	sim_config(&sim.cfg);
	start(&sim);
	pool_limit(&sim.server->intake.pools[1], 2);
	pool_limit(&sim.server->intake.pools[2], 1);
	for (int i = 0; i < 4; i++) {
		a = sim_connect(&sim, 0, NULL);
		upgrade(&sim, a, "/ws?user_id=many", "");
		sim_send(&sim, a, "\x81\xfe\xea\x60\0\0\0\0x", 9);
		a = sim_connect(&sim, 0, NULL);
		send_text(&sim, a, "PUT /api/v1/presence/u HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\nx");
	}
	sim_settle(&sim);
	a = sim_connect(&sim, 0, NULL);
	upgrade(&sim, a, "/ws", "X-User-ID: one\r\n");
	memset(long_ping, ' ', sizeof(long_ping));
	memcpy(long_ping, "{\"type\":\"ping\"}", 15);
	sim_send(&sim, a, frame, 8);
	sim_send(&sim, a, long_ping, 4500);
	sim_settle(&sim);
	sim_send(&sim, a, long_ping + 4500, 500);
	drink(&sim, a);
	tap_ok(strstr(out, "\"pong\"") != NULL, "a message in two pieces finds a buffer, whatever others have announced");
	finish(&sim, "announced only");
}

static void same_slot_new_limits(void)
{
	struct sim sim = { 0 };

	sim_config(&sim.cfg);
	sim.cfg.command_rate_any = true;
	sim.cfg.command_rate[CMD_PING] = 1;
	start(&sim);
	for (int i = 0; i < 2; i++) {
		int a = sim_connect(&sim, 0, NULL);

		upgrade(&sim, a, "/ws", i == 0 ? "X-User-ID: first\r\n" : "X-User-ID: second\r\n");
		send_frame(&sim, a, 1, "{\"type\":\"ping\"}");
		drink(&sim, a);
		tap_ok(strstr(out, "\"pong\"") != NULL, i == 0 ? "a ping within rate-ping" : "the slot's next owner has a rate-ping of its own");
		sim_drop(&sim, a);
		sim_settle(&sim);
	}
	finish(&sim, "same slot");
}

static void unix_peers_have_no_address(void)
{
	struct sim sim = { 0 };
	struct peer nobody = { .port = 0 };

	sim_config(&sim.cfg);
	sim.cfg.connections_per_ip_max = 1;
	sim.cfg.listeners[0].is_unix = true;
	start(&sim);
	for (int i = 0; i < 2; i++) {
		int a = sim_connect(&sim, 0, &nobody);

		upgrade(&sim, a, "/ws?user_id=u", "");
		drink(&sim, a);
		tap_ok(occurrences("HTTP/1.1 101") == 1, "connection %d over a unix socket is not counted to an address", i + 1);
	}
	finish(&sim, "unix peers");
}

/* --- the end --- */

static bool drained(struct sim *sim)
{
	sim_settle(sim);
	return server_drained(sim->server);
}

/* A probe that connects while the server leaves does not keep it. */
static void drain_with_newcomers(void)
{
	struct sim sim = { 0 };

	sim_config(&sim.cfg);
	start(&sim);
	upgrade(&sim, sim_connect(&sim, 0, NULL), "/ws?user_id=u", "");
	sim_settle(&sim);
	server_drain(sim.server);
	sim_settle(&sim);
	sim_connect(&sim, 0, NULL);
	sim_connect(&sim, 0, NULL);
	sim_settle(&sim);
	tap_ok(!drained(&sim), "draining waits for the peer's Close");
	sim_advance(&sim, 2100);
	tap_ok(drained(&sim), "drained two seconds later, though somebody connected meanwhile");
	finish(&sim, "drain with newcomers");
}

/* An answer under way is finished; one that is not read ends with the drain. */
static void drain_with_answers(void)
{
	struct sim sim = { 0 };
	int a, b;

	sim_config(&sim.cfg);
	sim.cfg.drain_timeout_ms = 5000;
	sim.cfg.connections_max = ONLINE;
	start(&sim);
	many_online(&sim);
	sim.pipe_bytes = 100;
	a = sim_connect(&sim, 0, NULL);
	b = sim_connect(&sim, 0, NULL);
	send_text(&sim, a, "GET /presence HTTP/1.1\r\nHost: a\r\n\r\n");
	send_text(&sim, b, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_settle(&sim);
	server_drain(sim.server);
	tap_ok(!drained(&sim), "draining waits for answers under way");
	drink(&sim, a);
	tap_ok(occurrences("count\":300}") == 1 && occurrences("\r\n0\r\n\r\n") == 1, "a stream ends as it should while the server leaves");
	tap_ok(!drained(&sim), "and for the other");
	tap_ok(server_deadline(sim.server).ms <= 5000, "but wakes up when the time is over");
	sim_advance(&sim, 5000);
	tap_ok(drained(&sim), "and then goes");
	finish(&sim, "drain with answers");
}

/* Reads what has come from one link, as another look of net/loop.c does before the turn's end. */
static void look(struct sim *sim, int link)
{
	server_input(sim->server, sim->links[link].conn, sim->links[link].generation);
}

/* Before many are written to there is time for a few events more; not when a write is full, nor for few. */
static void spare_events(void)
{
	struct sim sim = { 0 };
	int actor, pings = 0;
	char target[64];

	sim_config(&sim.cfg);
	sim.cfg.message_rate = sim.cfg.presence_rate = 0;
	sim.cfg.connections_max = ONLINE;
	start(&sim);
	for (int i = 0; i < 100; i++) {
		snprintf(target, sizeof(target), "/ws?user_id=hears%d&dialect=upper", i);
		upgrade(&sim, sim_connect(&sim, 0, NULL), target, "");
	}
	actor = sim_connect(&sim, 0, NULL);
	upgrade(&sim, actor, "/ws?user_id=actor&dialect=upper", "");
	sim_settle(&sim);
	server_begin_turn(sim.server, sim.now);
	send_frame(&sim, actor, 1, "{\"type\":\"HEARTBEAT\"}");
	look(&sim, actor);
	tap_ok(server_spare_events(sim.server, 9) == 0, "one is written to: no time for another look");
	send_frame(&sim, actor, 1, "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"online\",\"metadata\":{\"n\":1}}}");
	look(&sim, actor);
	tap_ok(server_spare_events(sim.server, 9) == 3 && server_spare_events(sim.server, 2) == 2,
	       "a hundred are written to: time for three events, or as many as are wanted");
	while (pings++ < SLICES_MAX)
		send_frame(&sim, actor, 1, "{\"type\":\"HEARTBEAT\"}");
	look(&sim, actor);
	tap_ok(server_spare_events(sim.server, 9) == 0, "a write has no room for more: no other look");
	server_end_turn(sim.server, true);
	server_begin_turn(sim.server, sim.now);
	tap_ok(server_spare_events(sim.server, 9) == 0, "all is written: nothing to wait for");
	server_end_turn(sim.server, true);
	sim_settle(&sim);
	finish(&sim, "spare events");
}

/* Many users' time is over at once: what that tells is told in shares, and all of it. */
static void timers_in_shares(void)
{
	enum { HEARERS = 250, GONE = 200, SHARE = 20000 + 17 * (HEARERS + 1) };
	struct sim sim = { 0 };
	uint64_t began, most = 0;
	char text[64];

	sim_config(&sim.cfg);
	sim.cfg.message_rate = 0;
	sim.cfg.connections_max = ONLINE;
	sim.cfg.offline_debounce_ms = 0;
	sim.cfg.presence_ttl_ms = 5000;
	start(&sim);
	for (int i = 0; i < HEARERS; i++) {
		snprintf(text, sizeof(text), "/ws?user_id=hears%d&dialect=upper", i);
		upgrade(&sim, sim_connect(&sim, 0, NULL), text, "");
	}
	sim_settle(&sim);
	for (int i = 0; i < GONE; i++) {
		snprintf(text, sizeof(text), "rest%d", i);
		server_begin_turn(sim.server, sim.now);
		engine_heartbeat(server_engine(sim.server), str_of(text, strlen(text)), STR("d"), sim.now);
		server_end_turn(sim.server, true);
	}
	sim_settle(&sim);
	sim_clock(&sim, sim.now.mono.ms + sim.cfg.presence_ttl_ms);
	began = sim.server->metrics.deliveries;
	for (int turn = 0; turn < GONE; turn++) {
		uint64_t before = sim.server->metrics.deliveries;

		server_begin_turn(sim.server, sim.now);
		if (!server_end_turn(sim.server, true))
			break;
		if (sim.server->metrics.deliveries - before > most)
			most = sim.server->metrics.deliveries - before;
	}
	tap_ok(most > 0 && most <= SHARE, "no turn tells more than its share: %d", (int)most);
	tap_ok(sim.server->metrics.deliveries - began >= (uint64_t)HEARERS * GONE, "and all is told without a pause: %d",
	       (int)(sim.server->metrics.deliveries - began));
	finish(&sim, "timers in shares");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0); /* a crash keeps what was said before */
	long_answers();
	pipeline(false);
	pipeline(true);
	large_bodies();
	streams();
	pipelined_upgrade();
	slow_second_request();
	nameless_in_two_pieces();
	announced_only();
	same_slot_new_limits();
	unix_peers_have_no_address();
	drain_with_newcomers();
	drain_with_answers();
	nodes_run_out();
	frames_run_out();
	spare_events();
	timers_in_shares();
	return tap_done();
}
