/*
 * test/bench/redis_talk.h: what relay.c itself has to say to the Redis between the nodes: how many commands
 * it had so far, where a stretch begins, and how long a bare PUBLISH takes to arrive. Blocking, but for the
 * latter; loopback only.
 */
#ifndef BENCH_REDIS_TALK_H
#define BENCH_REDIS_TALK_H

#include "hist.h"

#include <stdbool.h>
#include <stdint.h>

enum { REDIS_TALK_COMMANDS_MAX = 64, REDIS_TALK_NAME_BYTES = 32 };

/* Calls by command name, INFO and ECHO aside, which are ours. */
struct redis_talk_stats {
	uint32_t count;
	struct {
		char name[REDIS_TALK_NAME_BYTES];
		uint64_t calls;
	} command[REDIS_TALK_COMMANDS_MAX];
};

int redis_talk_open(uint16_t port); /* a descriptor; negative: it is not there */

bool redis_talk_stats(int fd, struct redis_talk_stats *out);

/* Leaves a word for MONITOR to show; none of blanks or quotes. */
bool redis_talk_echo(int fd, const char *word);

/* Prints ` cmd_NAME=CALLS` for each command that was called between the two. */
void redis_talk_print(const struct redis_talk_stats *from, const struct redis_talk_stats *to);

/*
 * PUBLISH of `bytes` on one connection until the message was read on another, one at a time, both polled
 * without sleeping, for `ms`. False: Redis answered something else, or ended.
 */
bool redis_talk_round_trips(uint16_t port, uint32_t bytes, uint32_t ms, struct hist *out);

#endif
