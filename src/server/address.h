/* server/address.h: a peer's address as text: 127.0.0.1:80, [2001:db8::1]:80 (RFC 5952), or `unix`. */
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

/* `is_unix`: the address says nothing. */
struct address_text address_text(const struct peer *, bool is_unix);

static inline struct str address_str(const struct address_text *a)
{
	return str_of(a->text, a->n);
}

#endif
