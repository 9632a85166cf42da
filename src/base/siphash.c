/*
 * base/siphash.c: the paper's algorithm, with the numbers of rounds as constants of each entry; see
 * siphash.h.
 */
#include "base/siphash.h"

#include <assert.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline uint64_t load_le(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	assert(n <= 8);
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

/* Spelt out so that compilers make it one load. */
static inline uint64_t load8_le(const unsigned char *p)
{
	return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline void rounds(struct sip *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		s->v0 += s->v1;
		s->v1 = rotl(s->v1, 13) ^ s->v0;
		s->v0 = rotl(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotl(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotl(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotl(s->v1, 17) ^ s->v2;
		s->v2 = rotl(s->v2, 32);
	}
}

static inline void word(struct sip *s, uint64_t m, unsigned c)
{
	s->v3 ^= m;
	rounds(s, c);
	s->v0 ^= m;
}

static inline struct sip start(struct siphash_key key)
{
	return (struct sip){
		key.k0 ^ UINT64_C(0x736f6d6570736575),
		key.k1 ^ UINT64_C(0x646f72616e646f6d),
		key.k0 ^ UINT64_C(0x6c7967656e657261),
		key.k1 ^ UINT64_C(0x7465646279746573),
	};
}

/* `total` counts all bytes, those absorbed before s too. */
static inline uint64_t finish(struct sip *v, struct str s, size_t total, unsigned c, unsigned d)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = s.n;

	assert(total >= n);
	for (; n >= 8; n -= 8, p += 8)
		word(v, load8_le(p), c);
	word(v, (uint64_t)(total & 0xff) << 56 | load_le(p, n), c);
	v->v2 ^= 0xff;
	rounds(v, d);
	return v->v0 ^ v->v1 ^ v->v2 ^ v->v3;
}

struct siphash_key siphash_key_of(const uint8_t bytes[16])
{
	return (struct siphash_key){ load_le(bytes, 8), load_le(bytes + 8, 8) };
}

uint64_t siphash13(struct siphash_key key, struct str s)
{
	struct sip v = start(key);

	return finish(&v, s, s.n, 1, 3);
}

uint64_t siphash13_lead(struct siphash_key key, uint64_t lead, struct str s)
{
	struct sip v = start(key);

	word(&v, lead, 1);
	return finish(&v, s, s.n + 8, 1, 3);
}

uint64_t siphash24(struct siphash_key key, struct str s)
{
	struct sip v = start(key);

	return finish(&v, s, s.n, 2, 4);
}
