#include "net/tls_cache.h"

#include <assert.h>
#include <string.h>

static void save(const br_ssl_session_cache_class **ctx, br_ssl_server_context *server,
                 const br_ssl_session_parameters *params)
{
	struct tls_cache *c = (struct tls_cache *)(void *)ctx;
	br_ssl_session_cache_lru *lru = &c->half[c->newer].lru;

	c->half[c->newer].saved++;
	lru->vtable->save(&lru->vtable, server, params);
}

static int load(const br_ssl_session_cache_class **ctx, br_ssl_server_context *server,
                br_ssl_session_parameters *params)
{
	struct tls_cache *c = (struct tls_cache *)(void *)ctx;
	br_ssl_session_cache_lru *newer = &c->half[c->newer].lru, *older = &c->half[!c->newer].lru;

	return newer->vtable->load(&newer->vtable, server, params) ||
	       older->vtable->load(&older->vtable, server, params);
}

void tls_cache_init(struct tls_cache *c, struct region *r, mono_t now)
{
	static const br_ssl_session_cache_class class = { sizeof(struct tls_cache), save, load };

	*c = (struct tls_cache){ .vtable = &class, .turned = now };
	for (int i = 0; i < 2; i++) {
		c->half[i].store = region_take(r, TLS_CACHE_HALF_BYTES, 64);
		if (c->half[i].store != NULL)
			br_ssl_session_cache_lru_init(&c->half[i].lru, c->half[i].store,
			                              TLS_CACHE_HALF_BYTES);
	}
}

void tls_cache_age(struct tls_cache *c, mono_t now)
{
	unsigned older = !c->newer;
	uint64_t used = c->half[older].saved * TLS_CACHE_ENTRY_BYTES;

	if (mono_since_ms(now, c->turned) < TLS_CACHE_TURN_MS)
		return;
	/* Only what was written: pages that never were stay untouched. */
	explicit_bzero(c->half[older].store, used < TLS_CACHE_HALF_BYTES ? used : TLS_CACHE_HALF_BYTES);
	br_ssl_session_cache_lru_init(&c->half[older].lru, c->half[older].store, TLS_CACHE_HALF_BYTES);
	c->half[older].saved = 0;
	c->newer = older;
	c->turned = now;
}
