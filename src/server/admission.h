/*
 * server/admission.h: who may come in, as whom, and in which dialect (CONTRACT 2).
 * Decided before the upgrade is answered.
 */
#ifndef SERVER_ADMISSION_H
#define SERVER_ADMISSION_H

#include "server/conn.h"
#include "server/grant.h"
#include "wire/handshake.h"

struct server;

enum { TOKEN_BYTES_MAX = HTTP_HEAD_BYTES_MAX };

/* Everything a request says about who it is; one per server, reused by every handshake. */
struct claim {
	char user_id_text[2][3 * ID_BYTES_MAX], username_text[3 * ID_BYTES_MAX];
	char device_text[2][3 * ID_BYTES_MAX], dialect_text[64];
	char token_text[TOKEN_BYTES_MAX];
	uint8_t claims_text[TOKEN_BYTES_MAX];
	struct str snake_id;      /* X-User-ID */
	struct str dotted_id;     /* user_id */
	struct str upper_id;      /* userId */
	struct str username, device_id, dialect, token;
	char grant_text[GRANT_BYTES_MAX]; /* of a token: server/token.h */
	bool bad;                 /* a parameter does not decode, stands twice, or is no id */
};

/* Answers a request that asked for an upgrade: 101 and session_start(),
 * or a refusal that ends the connection. */
void admission_upgrade(struct server *, struct conn *, const struct http_request *, const struct handshake *);

/* The connection goes: its address has one less, what its token opened is forgotten. */
void admission_forget(struct server *, struct conn *);

/* May a page of this Origin use the connection or read REST
 * answers? True without an Origin: that is no browser. */
bool admission_origin_allowed(const struct server *, const struct conn *, const struct http_request *);

#endif
