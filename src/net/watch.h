/*
 * net/watch.h: what an epoll event is about: its kind, the number of the thing in its table, and the thing's
 * generation, so that an event which comes late finds nobody.
 */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include <assert.h>
#include <stdint.h>

enum watch_kind {
	WATCH_CONN,     /* a connection of the server, by its number there */
	WATCH_LISTENER,
	WATCH_SIGNAL,
	WATCH_TLS,      /* a TLS session, by its number in net/tls */
	WATCH_FETCH,    /* a question to another service, by its slot in net/fetch */
	WATCH_RESOLVER,
	WATCH_COMPANION, /* of struct loop_companion, by its number there */
};

enum { WATCH_NUMBER_BITS = 28 };

static inline uint64_t watch_tag(enum watch_kind kind, uint32_t number, uint32_t generation)
{
	assert(number >> WATCH_NUMBER_BITS == 0);
	return (uint64_t)generation << 32 | (uint64_t)kind << WATCH_NUMBER_BITS | number;
}

static inline enum watch_kind watch_kind(uint64_t tag)
{
	return (enum watch_kind)((uint32_t)tag >> WATCH_NUMBER_BITS);
}

static inline uint32_t watch_number(uint64_t tag)
{
	return (uint32_t)tag & ((UINT32_C(1) << WATCH_NUMBER_BITS) - 1);
}

static inline uint32_t watch_generation(uint64_t tag)
{
	return (uint32_t)(tag >> 32);
}

#endif
