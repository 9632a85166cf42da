/*
 * server/credential.h: what a REST request may do (CONTRACT 4):
 * who presents the API key, and who is trusted without.
 *
 * With auth=trust a JWT proves nothing: one that is well-formed is passed over, and anything else that
 * is presented and not the key is refused, so that a mistyped key is never mistaken for none. With auth=jwt
 * a token that verifies allows reads, and writes if it has the scope presence:write; whoever presents one is
 * judged by it, from this machine too.
 */
#ifndef SERVER_CREDENTIAL_H
#define SERVER_CREDENTIAL_H

#include "server/conn.h"

struct server;

enum access {
	ACCESS_FREE,   /* health and metrics */
	ACCESS_READ,   /* anybody; under auth=jwt whoever has a token or the key, unless public-reads is on */
	ACCESS_WRITE,  /* the API key, or from this machine, not through a proxy,
	                * and not from another site's page */
	ACCESS_ADMIN,  /* the API key, or an admin listener, and not from another site's page */
};

enum verdict {
	VERDICT_ALLOWED,
	VERDICT_BAD,      /* a credential was presented and is none: 401, whatever is asked */
	VERDICT_MISSING,  /* 401 */
	VERDICT_ORIGIN,   /* a page of another origin: 403 */
	VERDICT_FORBIDDEN, /* 403 */
	VERDICT_FLOOD,    /* 429: too many bad tokens from this address */
	VERDICT_WAIT,     /* the token's key, or its turn, has to come first: wait for *what */
};

/* What is allowed to whom. */
struct credential {
	struct str grant;     /* rooms that the token opens (server/grant.h), in the server's claim;
	                       * absent: all */
	uint32_t what;        /* VERDICT_WAIT: server/waiting.h */
};

/*
 * What follows `Bearer` and its blanks (RFC 9110 11.4) in an Authorization; absent: another scheme, or
 * nothing.
 */
struct str credential_bearer(struct str authorization);

/* Uses the server's JSON and its claim as scratch. */
enum verdict credential_check(struct server *, const struct conn *, const struct http_request *, enum access,
                              struct credential *out);

#endif
