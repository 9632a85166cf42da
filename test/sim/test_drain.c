/*
 * Drain with more than a thousand connections: told to go one after the other over half of drain-timeout, so that they do not all come
 * back at once elsewhere (CONTRACT 5, RELIABILITY S12); and everybody is gone before the time-out is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"
#include "tap.h"

enum { CLIENTS = 1500, DRAIN_MS = 10000, STEP_MS = 100, STEPS = DRAIN_MS / STEP_MS };

struct world {
	struct sim sim;
	int link[CLIENTS];
	bool told[CLIENTS];
	unsigned gone, open;
};

/* Reads only for the Close, which a Close answers. Everything before it is the handshake and a greeting. */
static bool drink(void *ctx)
{
	static const uint8_t reply[] = { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9 };
	struct world *w = ctx;
	uint8_t bytes[4096];
	bool any = false;
	size_t n;

	for (int i = 0; i < CLIENTS; i++) {
		if (w->link[i] < 0)
			continue;
		while ((n = sim_receive(&w->sim, w->link[i], bytes, sizeof(bytes))) > 0) {
			any = true;
			if (n > 4 && memcmp(bytes, "HTTP", 4) == 0)
				w->open += memcmp(bytes + 9, "101", 3) == 0;
			else if (bytes[0] == 0x88 && n > 3 && bytes[2] == 0x03 && bytes[3] == 0xe9) {
				w->gone++;
				sim_send(&w->sim, w->link[i], reply, sizeof(reply));
			}
		}
		if (sim_at_end(&w->sim, w->link[i])) {
			sim_end(&w->sim, w->link[i]);
			sim_release(&w->sim, w->link[i]);
			w->link[i] = -1;
			any = true;
		}
	}
	return any;
}

static void connect_all(struct world *w)
{
	char request[512];

	for (int i = 0; i < CLIENTS; i++) {
		int n = snprintf(request, sizeof(request),
		                 "GET /ws?user_id=u%d HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", i);

		w->link[i] = sim_connect(&w->sim, 0, NULL);
		sim_send(&w->sim, w->link[i], request, (size_t)n);
		if (i % 100 == 99)
			sim_settle(&w->sim);
	}
	sim_settle(&w->sim);
}

int main(void)
{
	static struct world w;
	unsigned gone_by[STEPS + 1] = { 0 }, most = 0;
	int64_t drained_at = -1;

	sim_config(&w.sim.cfg);
	w.sim.cfg.connections_max = CLIENTS;
	w.sim.cfg.drain_timeout_ms = DRAIN_MS;
	w.sim.cfg.log_level = LOG_ERROR;
	w.sim.drink = drink;
	w.sim.drink_ctx = &w;
	if (!tap_ok(sim_start(&w.sim, 1), "a server for %d", CLIENTS))
		return tap_done();
	connect_all(&w);
	tap_is_u64(w.open, CLIENTS, "all are in");
	server_drain(w.sim.server);
	for (int step = 0; step <= STEPS; step++) {
		sim_advance(&w.sim, (int64_t)step * STEP_MS);
		gone_by[step] = w.gone;
		if (step > 0 && gone_by[step] - gone_by[step - 1] > most)
			most = gone_by[step] - gone_by[step - 1];
		if (drained_at < 0 && server_drained(w.sim.server))
			drained_at = w.sim.now.mono.ms;
	}
	printf("# told to go by 0.1 s: %u, 1 s: %u, 2.5 s: %u, 5.1 s: %u; at most %u in 0.1 s; drained at %lld ms\n", gone_by[1], gone_by[10],
	       gone_by[25], gone_by[51], most, (long long)drained_at);
	tap_ok(gone_by[1] < CLIENTS / 10, "not all at once");
	tap_ok(gone_by[25] > CLIENTS * 4 / 10 && gone_by[25] < CLIENTS * 6 / 10, "half of them after a quarter of the time");
	tap_ok(gone_by[51] == CLIENTS, "all of them after half of it");
	tap_ok(most < CLIENTS / 25, "never many at a time");
	tap_ok(drained_at >= 0 && drained_at < DRAIN_MS, "drained before the time is up");
	sim_leave_all(&w.sim);
	tap_is_str(w.sim.fault, "", "every promise was kept");
	sim_stop(&w.sim);
	return tap_done();
}
