/*
 * Standing still, and being busy: only the first puts the sweep of the silent off (RELIABILITY O7, O13). Time passes in turns; the loop lets
 * timers run in some of them only while there is much to read.
 */
#include "serving.h"
#include "tap.h"

enum { TURN_MS = 10, STALE_MS = 90000, SWEEP_MS = 30000 };

static struct serving world;

static int silent_client(void)
{
	static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: a\r\nX-User-ID: ann\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	int h;

	memset(&world, 0, sizeof(world));
	serving_defaults(&world.cfg);
	world.cfg.heartbeat_interval_ms = world.cfg.ping_period_ms = world.cfg.pong_wait_ms = 0;
	world.cfg.stale_timeout_ms = STALE_MS;
	world.cfg.cleanup_interval_ms = SWEEP_MS;
	serving_start(&world);
	h = serving_connect(&world, ON_LOOPBACK, &(struct peer){ .port = 1 });
	serving_say(&world, h, upgrade, strlen(upgrade));
	assert(strstr(world.ends[h].out, "HTTP/1.1 101") != NULL);
	serving_forget(&world, h);
	return h;
}

/* When it is told to go (close 4000), after so long at most; timers run in one turn of `rarely`. */
static int64_t told_after_ms(int h, int64_t max_ms, int rarely)
{
	int64_t began = world.now.mono.ms;

	for (int i = 1; world.now.mono.ms - began < max_ms; i++) {
		world.now.mono.ms += TURN_MS;
		world.now.wall.ms += TURN_MS;
		server_begin_turn(world.s, world.now);
		server_end_turn(world.s, i % rarely == 0);
		if (world.ends[h].out_n > 0)
			return world.now.mono.ms - began;
	}
	return max_ms;
}

int main(void)
{
	int64_t took;
	int h = silent_client();

	took = told_after_ms(h, 5 * STALE_MS, 1);
	tap_ok(took > STALE_MS && took <= STALE_MS + SWEEP_MS + TURN_MS, "who is silent is told at the next sweep (%lld ms)",
	       (long long)took);
	serving_stop(&world);

	h = silent_client();
	took = told_after_ms(h, 5 * STALE_MS, 156); /* so each sweep is 1,200 ms late */
	tap_ok(took > STALE_MS && took <= STALE_MS + SWEEP_MS + 8000, "by a server that is too busy for its timers too (%lld ms)",
	       (long long)took);
	serving_stop(&world);

	h = silent_client();
	told_after_ms(h, STALE_MS - 1000, 1);
	world.now.mono.ms += STALE_MS;
	took = told_after_ms(h, STALE_MS, 1);
	tap_ok(took > SWEEP_MS - 1000 && took <= SWEEP_MS + TURN_MS, "but one that stood still waits for the next sweep (%lld ms)",
	       (long long)took);
	serving_stop(&world);
	return tap_done();
}
