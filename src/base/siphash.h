/*
 * base/siphash.h: SipHash (Aumasson & Bernstein 2012), a keyed hash that peers who do not know the key
 * cannot make collide. 1-3 is the strength that Rust's and Python's tables use; 2-4 is the paper's.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/str.h"

#include <stdint.h>

/* 128 bits of randomness, drawn once at start. */
struct siphash_key {
	uint64_t k0, k1;
};

/* 16 bytes, as getrandom() gives them; k0 is the first eight, little endian. */
struct siphash_key siphash_key_of(const uint8_t bytes[16]);

/* SipHash-1-3 of s. */
uint64_t siphash13(struct siphash_key key, struct str s);

/* SipHash-1-3 of the eight bytes of `lead`, little endian, followed by s. */
uint64_t siphash13_lead(struct siphash_key key, uint64_t lead, struct str s);

/* SipHash-2-4 of s. */
uint64_t siphash24(struct siphash_key key, struct str s);

#endif
