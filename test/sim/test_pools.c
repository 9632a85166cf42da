/*
 * The server's own pools, full in earnest: nothing is made small here (full_*.txt does), many clients do what they may. RELIABILITY D11:
 * who takes too much, or asks for what is not there, is answered or closed; nobody else is, and hears all.
 */
#include <stdlib.h>
#include <string.h>

#include "server/state.h"
#include "sim/sim.h"
#include "tap.h"

enum { OUT_BYTES = 1 << 20 };

static char out[OUT_BYTES + 1];
static size_t out_n;

static void start(struct sim *sim)
{
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
static void send_frame(struct sim *sim, int link, const char *payload)
{
	uint8_t frame[6 + 125] = { 0x81, (uint8_t)(0x80 | strlen(payload)) };

	memcpy(frame + 6, payload, strlen(payload));
	sim_send(sim, link, frame, 6 + strlen(payload));
}

/* One of 126 to 65535 bytes. */
static void send_long(struct sim *sim, int link, const char *payload, size_t n)
{
	const uint8_t header[8] = { 0x81, 0xfe, (uint8_t)(n >> 8), (uint8_t)n };

	sim_send(sim, link, header, sizeof(header));
	sim_send(sim, link, payload, n);
}

static int upgrade(struct sim *sim, uint32_t listener, const char *target)
{
	char text[512];
	int link = sim_connect(sim, listener, NULL);

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", target);
	send_text(sim, link, text);
	return link;
}

/* What has come down so far, into out[], as text. */
static void drink(struct sim *sim, int link)
{
	out_n = sim_receive(sim, link, out, OUT_BYTES);
	for (size_t i = 0; i < out_n; i++)
		if (out[i] == '\0')
			out[i] = '.';
	out[out_n] = '\0';
}

/* And what comes while it is read. */
static void drink_all(struct sim *sim, int link)
{
	static char before[OUT_BYTES];
	size_t n = 0;

	do {
		sim_settle(sim);
		drink(sim, link);
		memcpy(before + n, out, out_n < OUT_BYTES - n ? out_n : OUT_BYTES - n);
		n += out_n;
	} while (out_n > 0 && n < OUT_BYTES);
	memcpy(out, before, n);
	out[n] = '\0';
	out_n = n;
}

static unsigned occurrences(const char *what)
{
	unsigned n = 0;

	for (const char *p = out; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* Everybody has much to say in one turn, and reads: the answers are more than there are frames and queue nodes for. */
static void burst(const char *dialect)
{
	enum { MANY = 48, EACH = 100 };
	struct sim sim = { 0 };
	int links[MANY];
	unsigned heard = 0, closed = 0;
	char text[128];

	sim_config(&sim.cfg);
	start(&sim);
	sim.pipe_bytes = 1 << 20;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "/ws?user_id=u%u&dialect=%s", i, dialect);
		links[i] = upgrade(&sim, 0, text);
	}
	sim_settle(&sim);
	for (unsigned i = 0; i < MANY; i++) {
		drink(&sim, links[i]);
		for (int k = 0; k < EACH; k++)
			send_frame(&sim, links[i], "{\"type\":\"ping\"}");
	}
	sim_settle(&sim);
	for (unsigned i = 0; i < MANY; i++) {
		drink(&sim, links[i]);
		heard += occurrences("\"pong\"");
		closed += sim.links[links[i]].server_closed || sim.links[links[i]].server_shut;
	}
	snprintf(text, sizeof(text), "a burst of everybody's at once, %s: each has its answer", dialect);
	tap_is_u64(heard, MANY * EACH, text);
	tap_ok(closed == 0 && sim.server->metrics.refused[REFUSED_POOL] == 0, "and nobody is closed or refused");
	finish(&sim, "a burst");
}

enum { HOARDERS = 60, CHANGES = 20 };

/* HTTP clients that ask much and read nothing. */
static void hoard(struct sim *sim, int links[HOARDERS], const char *request)
{
	for (unsigned i = 0; i < HOARDERS; i++) {
		links[i] = sim_connect(sim, 0, NULL);
		for (unsigned k = 0; k < 200; k++)
			send_text(sim, links[i], request);
	}
	sim_settle(sim);
}

/* How many changes of a status, each larger than a frame's cell, do those who read hear of? */
static unsigned changes_heard(struct sim *sim, int actor, int watcher)
{
	unsigned heard = 0;

	drink(sim, watcher);
	for (int i = 0; i < CHANGES; i++) {
		char text[1100];

		send_long(sim, actor, text, (size_t)snprintf(text, sizeof(text), "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"online\","
		                                             "\"metadata\":{\"n\":%d,\"text\":\"%0900d\"}}}", i, i));
		sim_settle(sim);
		drink(sim, watcher);
		snprintf(text, sizeof(text), "{\"n\":%d,", i);
		heard += occurrences(text);
	}
	return heard;
}

/* They keep frames, blocks and nodes from those who read, until they are found out. */
static void hoarders(const char *request, const char *name)
{
	struct sim sim = { 0 };
	int links[HOARDERS], watcher, actor, polite;
	char text[128];

	sim_config(&sim.cfg);
	sim.cfg.presence_rate = 0;
	start(&sim);
	watcher = upgrade(&sim, 0, "/ws?user_id=watcher&dialect=upper");
	actor = upgrade(&sim, 0, "/ws?user_id=actor&dialect=upper");
	sim_settle(&sim);
	sim.pipe_bytes = 4000;
	hoard(&sim, links, request);
	snprintf(text, sizeof(text), "while HTTP clients ask for much and read none of it (%s), WebSockets hear of all", name);
	tap_is_u64(changes_heard(&sim, actor, watcher), CHANGES, text);
	polite = sim_connect(&sim, 0, NULL);
	send_text(&sim, polite, "GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_settle(&sim);
	drink(&sim, polite);
	tap_ok(occurrences("HTTP/1.1 200") == 1, "a short answer is had");
	send_text(&sim, polite, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_settle(&sim);
	drink(&sim, polite);
	tap_ok(occurrences("HTTP/1.1 200") == 1 || (occurrences("HTTP/1.1 503") == 1 && occurrences("Retry-After: ") == 1),
	       "a long one too, or 503 with Retry-After");
	sim_advance(&sim, sim.now.mono.ms + 10100);
	polite = sim_connect(&sim, 0, NULL);
	send_text(&sim, polite, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_settle(&sim);
	drink(&sim, polite);
	tap_ok(occurrences("HTTP/1.1 200") == 1, "write-wait later all is well");
	finish(&sim, "hoarders");
}

/* The one who goes because the frames are used up is the first to hear of the event that needs one: nothing comes behind its Close. */
static void nothing_behind_close(void)
{
	struct sim sim = { 0 };
	int deaf, present, actor;

	sim_config(&sim.cfg);
	sim.cfg.presence_rate = 0;
	sim.cfg.slow_consumer = SLOW_CLOSE;
	start(&sim);
	sim.pipe_bytes = 512;
	deaf = upgrade(&sim, 0, "/ws?user_id=deaf&dialect=upper");
	present = upgrade(&sim, 0, "/ws?user_id=u&dialect=snake");
	actor = sim_connect(&sim, 0, NULL);
	sim_settle(&sim);
	drink(&sim, deaf);
	for (int i = 0; i < 40; i++) {
		send_text(&sim, actor, i % 2 == 0 ? "PUT /api/v1/presence/u HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		                                    "Content-Length: 24\r\n\r\n{\"online_status\":\"away\"}"
		                                  : "PUT /api/v1/presence/u HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
		                                    "Content-Length: 24\r\n\r\n{\"online_status\":\"busy\"}");
		sim_settle(&sim);
		drink(&sim, actor);
			drink(&sim, present);
		if (i == 20)
			pool_limit(&sim.server->frames.cells, pool_used(&sim.server->frames.cells)); /* the next event has none */
	}
	tap_ok(sim.server->metrics.refused[REFUSED_SLOW_CONSUMER] == 1, "frames run out: who does not read is closed for it");
	drink_all(&sim, deaf);
	/* 1013 and "too slow" */
	tap_ok(out_n > 12 && memcmp(out + out_n - 12, "\x88\x0a\x03\xf5too slow", 12) == 0, "and nothing comes behind its Close");
	finish(&sim, "nothing behind Close");
}

/* No frame is left for what somebody should hear: they are closed, since what they know is not so any more. */
static void unheard(void)
{
	struct sim sim = { 0 };
	int listener, leaver;

	sim_config(&sim.cfg);
	start(&sim);
	listener = upgrade(&sim, 0, "/ws?user_id=u&dialect=roster");
	leaver = upgrade(&sim, 0, "/ws?user_id=v&dialect=snake");
	sim_advance(&sim, sim.now.mono.ms + 5000);
	drink(&sim, listener);
	sim_drop(&sim, leaver);
	sim_settle(&sim);
	pool_limit(&sim.server->frames.cells, pool_used(&sim.server->frames.cells));
	sim_advance(&sim, sim.now.mono.ms + sim.cfg.offline_debounce_ms + 2000);
	tap_ok(sim.links[listener].server_closed, "no frame for an event: who should hear it is closed");
	pool_limit(&sim.server->frames.cells, POOL_NONE);
	finish(&sim, "unheard");
}

/* All slots are taken by those who say nothing: who comes then waits, WebSockets live, and room is made. */
static void slots(void)
{
	enum { CONNECTIONS = 8, SLOTS = CONNECTIONS + SPARE_CONNECTIONS };
	struct sim sim = { 0 };
	int links[SLOTS], late;

	sim_config(&sim.cfg);
	sim.cfg.connections_max = CONNECTIONS;
	start(&sim);
	links[0] = upgrade(&sim, 0, "/ws?user_id=u&dialect=snake");
	for (int i = 1; i < SLOTS; i++)
		links[i] = sim_connect(&sim, 0, NULL);
	sim_settle(&sim);
	late = sim_connect(&sim, 0, NULL);
	send_text(&sim, late, "GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_settle(&sim);
	tap_ok(!sim.links[late].accepted, "all slots taken: who comes waits");
	drink(&sim, links[0]);
	send_frame(&sim, links[0], "{\"type\":\"ping\"}");
	sim_settle(&sim);
	drink(&sim, links[0]);
	tap_ok(occurrences("\"pong\"") == 1, "a WebSocket does not notice");
	sim_drop(&sim, links[1]);
	sim_settle(&sim);
	drink(&sim, late);
	tap_ok(occurrences("HTTP/1.1 200") == 1, "one that leaves makes room");
	late = sim_connect(&sim, 0, NULL);
	send_text(&sim, late, "GET /live HTTP/1.1\r\nHost: a\r\n\r\n");
	sim_advance(&sim, sim.now.mono.ms + 1500);
	server_shed(sim.server);
	sim_settle(&sim);
	drink(&sim, late);
	tap_ok(occurrences("HTTP/1.1 200") == 1 && !sim.links[links[0]].server_closed, "and so does who is silent, but no WebSocket");
	finish(&sim, "slots");
}

/* Answers that are produced piece by piece hold a loan each. */
static void streams(void)
{
	enum { ONLINE = 300 };
	static const char get[] = "GET /presence HTTP/1.1\r\nHost: a\r\n\r\n";
	struct sim sim = { 0 };
	int a, b;

	sim_config(&sim.cfg);
	sim.cfg.connections_max = ONLINE;
	start(&sim);
	a = sim_connect(&sim, 0, NULL);
	for (int i = 0; i < ONLINE; i++) {
		char text[200];

		snprintf(text, sizeof(text), "POST /api/v1/presence/user%0100d/heartbeat HTTP/1.1\r\nHost: a\r\n\r\n", i);
		send_text(&sim, a, text);
	}
	sim_settle(&sim);
	drink(&sim, a);
	sim.pipe_bytes = 1000;
	pool_limit(&sim.server->intake.loans, 1);
	send_text(&sim, a, get);
	sim_settle(&sim);
	b = sim_connect(&sim, 0, NULL);
	send_text(&sim, b, get);
	sim_settle(&sim);
	drink(&sim, b);
	tap_ok(occurrences("HTTP/1.1 503") == 1 && occurrences("Retry-After: ") == 1, "too many long answers: 503 with Retry-After");
	drink_all(&sim, a);
	tap_ok(occurrences("count\":300}") == 1, "the one under way comes to its end");
	send_text(&sim, b, get);
	drink_all(&sim, b);
	tap_ok(occurrences("count\":300}") == 1, "and then there is room");
	finish(&sim, "streams");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0); /* a crash keeps what was said before */
	burst("snake");
	burst("dotted");
	hoarders("GET /live HTTP/1.1\r\nHost: a\r\n\r\n", "short answers");
	hoarders("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "long answers");
	nothing_behind_close();
	unheard();
	slots();
	streams();
	return tap_done();
}
