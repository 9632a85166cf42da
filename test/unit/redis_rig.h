/*
 * test/unit/redis_rig.h: cluster/redis on a loop of its own, with ears that write down what they hear, and
 * servers as children: a real redis-server, or one that says what a test wants.
 */
#ifndef TEST_UNIT_REDIS_RIG_H
#define TEST_UNIT_REDIS_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cluster/redis.h"

enum { RIG_TEXT_BYTES = 4096 };

struct rig {
	int epoll_fd;
	struct redis_url url;
	char url_text[512];
	struct redis *redis;
	struct bus bus;
	struct log log;
	bool is_up;
	unsigned ups, downs, messages, renewals, was_there, refusals;
	char last[256];           /* CHANNEL=PAYLOAD; of a long payload the beginning */
	size_t last_bytes;        /* of the payload */
	char code[32];            /* of the last refusal */
	char log_text[RIG_TEXT_BYTES];
	/* Of the longest turn: what it worked, and all of it: it may have waited for others that use the
	 * machine, but not as long as for a name or a Redis that hangs. */
	int64_t stall_ms, wall_ms;
};

/* Connects to `url`; `ca` NULL: none. */
bool rig_open(struct rig *, const char *url, const char *ca, resolver_lookup *);
void rig_close(struct rig *);

/* Turns until `done` says so, or so many ms have gone by (false). `done` NULL: until then (true). */
bool rig_run(struct rig *, int ms, bool (*done)(const struct rig *));

bool rig_is_up(const struct rig *);
bool rig_is_down(const struct rig *);

/* redis-server as a child, in a directory of its own; ports[] gets TCP and TLS ports (0: not wanted). */
struct rig_server {
	pid_t pid;
	uint16_t port;
	char dir[64], socket[96];
};
bool rig_server_start(struct rig_server *, const char *options);
void rig_server_stop(struct rig_server *);
/* Starts it again: the same port, the same directory. */
bool rig_server_again(struct rig_server *, const char *options);

/* What a false server says, to whoever has said something: so many times, byte by byte if there is a pause. */
struct rig_lie {
	const char *bytes;
	size_t n;
	int repeat, drip_us;
	bool later;               /* only once it was greeted well, and something more was said */
};

/* A child that listens on a loopback port and lies. */
pid_t rig_fake(uint16_t *port, const struct rig_lie *);

void rig_kill(pid_t);

#endif
