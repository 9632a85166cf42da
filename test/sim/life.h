/*
 * test/sim/life.h: one random life of a whole world (RELIABILITY L): one to three servers, their Redis if they have one, and their clients,
 * from a seed: chaos, heal, quiesce. What is drawn for a step depends on the seed and the step's number alone, so that a plan may leave
 * any of them out, and faults, clients and options too, without a change to the others: that is what the shrinker (shrink.h) does.
 *
 *	struct plan p = { .seed = 7, .steps = LIFE_STEPS };
 *	struct outcome o = life_run(&p);
 *
 * The files, whose common inside is living.h: life.c (beginning, phases, end), draws.c (what is drawn for a seed), deeds.c (what clients
 * do), tokens.c (what their tokens open), beats.c (devices without a socket), befall.c (what befalls them), hostile.c (what no client should send, and what it must get), witness.c (what clients hear, and what of
 * it may not be), invariants.c (what holds after each step), truth.c (what comes true in the end).
 */
#ifndef TEST_SIM_LIFE_H
#define TEST_SIM_LIFE_H

#include <stdbool.h>
#include <stdint.h>

enum { LIFE_STEPS = 80, LIFE_STEPS_MAX = 1024, LIFE_TEXT = 320 };

enum show {
	SHOW_NOTHING,
	SHOW_STEPS, /* what is done, a line each */
	SHOW_ALL,   /* and all that is heard, logged and published */
};

/* Faults that a life may have. The swarm: each is on or off for a seed, and so is how often they come. */
#define LIFE_FAULTS(F) \
	F(KILL, "kill") F(QUIT, "quit") F(STOP, "stop") F(STALL, "stall") F(DOWN, "redis-down") F(HANG, "redis-hang") F(CUT, "cut-off") \
	F(DEAF, "deaf") F(LOSE, "lose-link") F(NOISE, "noise") F(FLUSH, "flush") F(FAILOVER, "failover") F(REFUSE, "refuse") F(WALL, "wall-clock") \
	F(POOL, "pool") F(ACCEPT, "accept") F(SLOW, "slow-reader") F(SILENCE, "silence") F(RESET, "reset") F(HOSTILE, "hostile") \
	F(INVISIBLE, "invisible")

/* Options and circumstances that are drawn for a seed; left out, each is as in CONTRACT 1, and the node is alone. */
#define LIFE_OPTIONS(O) \
	O(NODES, "nodes") O(DELAY, "delay") O(BYTES_CUT, "cut") O(RATE, "presence-rate") O(DEBOUNCE, "offline-debounce") O(AUDIENCE, "audience") \
	O(USER_CAP, "max-connections-per-user") O(IP_CAP, "max-connections-per-ip") O(BUFFER, "client-buffer") O(SLOW_ENDS, "slow-consumer") \
	O(MESSAGE_RATE, "message-rate") O(SUBSCRIPTIONS, "max-subscriptions") O(KEYS, "redis-keys") O(JWT, "auth") O(SPACE, "redis-space") \
	O(TTL, "presence-ttl")

#define LIFE_ENUM(name, text) name,
#define LIFE_OPTION_ENUM(name, text) WITH_##name,
enum fault { LIFE_FAULTS(LIFE_ENUM) FAULTS };
enum life_option { LIFE_OPTIONS(LIFE_OPTION_ENUM) OPTIONS };
extern const char *const fault_names[FAULTS];
extern const char *const option_names[OPTIONS];

enum { LIFE_CLIENTS = 10 };

struct plan {
	uint64_t seed;
	uint32_t steps;
	uint32_t without_faults, without_clients, without_options; /* a bit of each that is left out */
	uint8_t skip[LIFE_STEPS_MAX / 8];                          /* a bit of each step that is left out */
	enum show show;
};

struct outcome {
	char fault[LIFE_TEXT]; /* "": every promise was kept; else when, the invariant's number, and what */
	uint64_t hash;         /* of all bytes that were sent, with when and to whom */
	uint64_t turns, steps, injected[FAULTS], lost, cuts; /* lost: messages that Redis lost,
	                        * doubled or reordered; cuts: reads and writes that moved only a part, or nothing */
	uint64_t rejected;     /* hostile inputs whose answers were looked at */
	int64_t lived_ms;
};

struct outcome life_run(const struct plan *);

#endif
