/*
 * test/bench/scene.h: the scenarios of load.c. Each connects its clients, warms up, measures, and prints one line of
 * key=value pairs on standard output. CPU time is the server process', from outside. Nothing here fails on a figure.
 */
#ifndef BENCH_SCENE_H
#define BENCH_SCENE_H

#include "fleet.h"
#include "hist.h"
#include "proc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { SCENE_WINDOW_MAX = 64, SCENE_CLIENTS_MAX = 19900 };

struct scene_options {
	const char *scenario;
	const char *dialect;
	struct in_addr addr;
	uint16_t port;
	pid_t pid;             /* the server's; 0: no CPU and memory figures */
	uint32_t clients;      /* receivers, or connections at a time */
	uint32_t window;       /* outstanding events, or requests per connection */
	uint32_t rate;         /* events per second */
	uint32_t handshakes;   /* of flood, per second */
	uint16_t hello_port;   /* of flood: hellos of TLS to there instead; 0 */
	char **tokens;         /* one for each client, then the flood's, which has others look at them; NULL */
	uint32_t token_count;
	uint32_t seconds_ms;   /* how long to measure */
	uint32_t event_bytes;  /* wished payload of an event */
	uint32_t users, rooms;
	uint32_t sources;
	uint32_t flight;       /* connections begun at a time */
	uint32_t runs;         /* of startup */
	char **command;        /* of startup */
};

/* Cost of one measured stretch. */
struct scene_cost {
	struct proc_core from, to;
};

/* All return false after printing what went wrong on standard error. */
bool scene_fanout(const struct scene_options *o);  /* closed loop, `window` outstanding */
bool scene_rate(const struct scene_options *o);    /* open loop, `rate` a second; latency from the intended time */
bool scene_flood(const struct scene_options *o);   /* as rate, without and with refused handshakes beside it */
bool scene_echo(const struct scene_options *o);
bool scene_connect(const struct scene_options *o);
bool scene_idle(const struct scene_options *o);
bool scene_startup(const struct scene_options *o);

/* Shared by them. */
bool scene_begin(struct fleet *f, struct script *s, const struct scene_options *o, uint32_t clients, uint32_t rooms);
bool scene_end(struct fleet *f, const struct scene_options *o);  /* prints the fault, closes; true if there was none */
void scene_pause(struct fleet *f, uint32_t ms);                  /* serves the clients meanwhile */
uint64_t scene_fill_deadline(void);
void scene_cost_from(struct scene_cost *c, pid_t pid);
void scene_cost_to(struct scene_cost *c, pid_t pid);
void scene_print_cost(const struct scene_cost *c, uint64_t operations, const char *name);
void scene_print_latency(const struct hist *h);

#endif
