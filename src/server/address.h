/*
 * server/address.h: addresses as text, both ways: a peer's as 127.0.0.1:80, [2001:db8::1]:80 (RFC 5952) or
 * `unix`, and literals back to the 16 bytes of struct peer (IPv4 as ::ffff:a.b.c.d).
 */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include "base/str.h"
#include "server/conn.h"

enum { ADDRESS_KEY_BYTES = 16 };

/* Whose caps count for the peer: its address, of IPv6 the /64 that a customer has. */
void address_key(const struct peer *, uint8_t out[ADDRESS_KEY_BYTES]);

struct address_text {
	size_t n;
	char text[48];            /* [ 8 groups of 4 with colons ] : 5 digits = 47 */
};

/* Nobody's: what a unix socket's peer has, and nobody on a network. */
bool address_is_none(const uint8_t address[16]);

struct address_text address_text(const struct peer *);

/*
 * Reads an IPv4 literal (four decimals without leading zeros) or an IPv6 one (RFC 4291 2.2; neither brackets
 * nor a zone). False: it is neither, and `out` is untouched.
 */
bool address_parse(struct str s, uint8_t out[16]);

static inline struct str address_str(const struct address_text *a)
{
	return str_of(a->text, a->n);
}

#endif
