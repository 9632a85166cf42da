/*
 * wire/redis_url.h: where Redis is, as the URLs say that its clients have agreed on (the `redis` and `rediss`
 * schemes as registered with IANA; Sentinel and sockets as redis-py, Lettuce and others write them).
 *
 *	redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]            rediss:// with TLS
 *	redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],.../MASTER[/DB]   rediss+sentinel:// with TLS
 *	redis+unix://[[USER]:PASSWORD@]/PATH[?db=DB]          unix:// is the same
 *
 * User, password, master and path are percent-decoded (RFC 3986 2.1); nothing else may hold an escape. Pure.
 */
#ifndef WIRE_REDIS_URL_H
#define WIRE_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	REDIS_URL_BYTES_MAX = 2048,
	REDIS_URL_HOSTS_MAX = 8,        /* Sentinels; a quorum needs 3 */
	REDIS_URL_SECRET_BYTES_MAX = 512, /* user, password; decoded */
	REDIS_URL_NAME_BYTES_MAX = 107, /* a master's name, a socket's path: sun_path less its NUL */
	REDIS_URL_DB_MAX = 99999,
};

enum redis_url_kind { REDIS_URL_TCP, REDIS_URL_UNIX, REDIS_URL_SENTINEL };

struct redis_url_host {
	struct str name;                /* a name or an address, without brackets; borrowed */
	uint16_t port;
};

struct redis_url {
	enum redis_url_kind kind;
	bool tls;
	bool has_password;              /* then AUTH is said; `user_bytes` 0: to the default user */
	uint32_t db;
	uint32_t host_count;            /* 0 for a socket, 1 for TCP */
	struct redis_url_host hosts[REDIS_URL_HOSTS_MAX];
	uint32_t user_bytes, password_bytes, name_bytes;
	char user[REDIS_URL_SECRET_BYTES_MAX];
	char password[REDIS_URL_SECRET_BYTES_MAX];
	char name[REDIS_URL_NAME_BYTES_MAX]; /* the master, or the socket's path */
};

/*
 * Hosts borrow `s`. NULL, or one phrase that says what is wrong, with nothing of the URL in it: it may hold a
 * password; *out is of no use then.
 */
const char *redis_url_parse(struct str s, struct redis_url *out);

/* Where in a URL that redis_url_parse() takes the password stands, as written; absent: there is none. */
struct str redis_url_password(struct str s);

#endif
