/* server/address.h: a peer's address as text: 127.0.0.1:80, [2001:db8::1]:80 (RFC 5952), or `unix`. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include "base/str.h"
#include "server/conn.h"

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
