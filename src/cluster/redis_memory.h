/*
 * cluster/redis_memory.h: all that hiredis allocates, in one region that is mapped at start and never grows.
 * When it is full hiredis is given NULL, says that it is out of memory, and the connection is made anew.
 */
#ifndef CLUSTER_REDIS_MEMORY_H
#define CLUSTER_REDIS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* The two connections' buffers at their worst: what is sent doubles up to 4 MiB and is built beside
	 * it, what is received the same, and a value is copied out of it. Pages count when first touched. */
	REDIS_MEMORY_BUFFERS = 10 << 20,
	REDIS_MEMORY_CHANNEL = 384, /* a subscription: its name, an entry, a callback, a place in a table */
};

struct redis_memory_use {
	size_t bytes;          /* of the region */
	size_t in_use, high_water;
	uint64_t failures;     /* times that hiredis was given NULL */
	size_t room;           /* the largest block that is free */
};

/* Maps the region, for so many subscriptions, and makes hiredis use it; once, before anything of hiredis.
 * False: refused, errno. */
bool redis_memory_open(uint32_t channels_max);

/* Nothing of hiredis may be left. */
void redis_memory_close(void);

struct redis_memory_use redis_memory_use(void);

/* Bytes that redis_memory_open() maps. */
size_t redis_memory_bytes(uint32_t channels_max);

#endif
