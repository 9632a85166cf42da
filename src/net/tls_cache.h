/*
 * net/tls_cache.h: sessions that may be resumed (RFC 5246 F.1.4): BearSSL's LRU cache, twice. New ones go
 * into one half; every TLS_CACHE_TURN_MS the other, with all that is in it, is wiped and becomes the new
 * one. So a session can be resumed for one to two such times, and its secret is gone from memory after
 * that.
 */
#ifndef NET_TLS_CACHE_H
#define NET_TLS_CACHE_H

#include <bearssl.h>

#include "base/clock.h"
#include "base/region.h"

enum {
	TLS_CACHE_HALF_BYTES = 2 * 1024 * 1024, /* 100 bytes a session: 20,971 in each */
	TLS_CACHE_ENTRY_BYTES = 100,            /* BearSSL's */
	TLS_CACHE_TURN_MS = 3600 * 1000,
};

struct tls_cache {
	const br_ssl_session_cache_class *vtable; /* first: what the engine is given */
	struct {
		br_ssl_session_cache_lru lru;
		uint8_t *store;
		uint64_t saved;           /* sessions, since it was last wiped */
	} half[2];
	unsigned newer;
	mono_t turned;
};

void tls_cache_init(struct tls_cache *, struct region *, mono_t now);

/* To be called now and then. */
void tls_cache_age(struct tls_cache *, mono_t now);

#endif
