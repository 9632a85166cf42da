/* Invariant: what is in *out was checked: no NUL and no control character can come out of an escape. */
#include "wire/redis_url.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/uri.h"

enum { PORT_REDIS = 6379, PORT_SENTINEL = 26379, HOST_BYTES_MAX = 253 };

static const struct scheme {
	struct str prefix;
	enum redis_url_kind kind;
	bool tls;
} schemes[] = {
	{ { "redis://", 8 }, REDIS_URL_TCP, false },
	{ { "rediss://", 9 }, REDIS_URL_TCP, true },
	{ { "redis+sentinel://", 17 }, REDIS_URL_SENTINEL, false },
	{ { "rediss+sentinel://", 18 }, REDIS_URL_SENTINEL, true },
	{ { "redis+unix://", 13 }, REDIS_URL_UNIX, false },
	{ { "unix://", 7 }, REDIS_URL_UNIX, false },
};

static const struct scheme *scheme_of(struct str s)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (s.n >= schemes[i].prefix.n &&
		    str_eq_nocase(str_of(s.p, schemes[i].prefix.n), schemes[i].prefix))
			return &schemes[i];
	return NULL;
}

/* What is before the first `c`, and in *rest what is behind it; without one all of it, and absent. */
static struct str cut(struct str s, char c, struct str *rest)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	*rest = STR_NONE;
	if (at == NULL)
		return s;
	*rest = str_of(at + 1, s.n - (size_t)(at - s.p) - 1);
	return str_of(s.p, (size_t)(at - s.p));
}

static bool decode(struct str in, char *out, uint32_t cap, uint32_t *n)
{
	size_t used = 0;

	for (size_t i = 0; i < in.n; i++) {
		unsigned value = (unsigned char)in.p[i];

		if (in.p[i] == '%') {
			value = 0;
			if (in.n - i < 3)
				return false;
			for (int digit = 0; digit < 2; digit++) {
				char c = str_ascii_lower(in.p[++i]);

				if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
					return false;
				value = value * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
			}
		}
		if (value < 0x20 || value == 0x7f || used == cap)
			return false;
		out[used++] = (char)value;
	}
	*n = (uint32_t)used;
	return true;
}

static bool parse_db(struct str s, uint32_t *out)
{
	uint32_t n = 0;

	if (s.n == 0 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(s.p[i] - '0');
		if (n > REDIS_URL_DB_MAX)
			return false;
	}
	*out = n;
	return true;
}

/* --- user and password --- */

/* The part of `s`, which is behind the scheme, that stands before the last `@` of its authority. */
static struct str credentials(struct str s)
{
	struct str found = STR_NONE;

	for (size_t i = 0; i < s.n && s.p[i] != '/' && s.p[i] != '?'; i++)
		if (s.p[i] == '@')
			found = str_of(s.p, i);
	return found;
}

static const char *parse_credentials(struct str s, struct redis_url *u)
{
	struct str password, user = cut(s, ':', &password);

	if (str_absent(s))
		return NULL;
	if (str_absent(password))
		return "before the @ there is no password (write :PASSWORD@ or USER:PASSWORD@)";
	if (!decode(user, u->user, sizeof(u->user), &u->user_bytes) ||
	    !decode(password, u->password, sizeof(u->password), &u->password_bytes))
		return "user or password is too long, or holds a control character or a broken % escape";
	u->has_password = u->password_bytes > 0;
	return !u->has_password && u->user_bytes > 0 ? "the user has no password" : NULL;
}

struct str redis_url_password(struct str s)
{
	const struct scheme *scheme = scheme_of(s);
	struct str found;

	if (scheme == NULL)
		return STR_NONE;
	cut(credentials(str_of(s.p + scheme->prefix.n, s.n - scheme->prefix.n)), ':', &found);
	return found;
}

/* --- the rest --- */

static bool add_host(struct redis_url *u, struct str s)
{
	struct redis_url_host *h = &u->hosts[u->host_count];
	struct uri_authority a;
	bool ipv6;

	if (u->host_count == REDIS_URL_HOSTS_MAX || !uri_authority(s, &a) || a.host.n > HOST_BYTES_MAX ||
	    (a.has_port ? a.port == 0 : a.host.n != s.n))
		return false;
	ipv6 = a.host.p[0] == '[';
	h->name = ipv6 ? str_of(a.host.p + 1, a.host.n - 2) : a.host;
	h->port = a.has_port ? a.port : u->kind == REDIS_URL_SENTINEL ? PORT_SENTINEL : PORT_REDIS;
	u->host_count++;
	return h->name.n > 0;
}

static const char *parse_tcp(struct str s, struct redis_url *u)
{
	struct str db, host = cut(s, '/', &db);

	if (!add_host(u, host))
		return "no host, or a malformed host or port";
	if (db.n > 0 && !parse_db(db, &u->db))
		return "behind the host only the number of a database may stand";
	return NULL;
}

static const char *parse_sentinel(struct str s, struct redis_url *u)
{
	struct str path, hosts = cut(s, '/', &path), db, master = cut(path, '/', &db), host;

	do {
		host = cut(hosts, ',', &hosts);
		if (!add_host(u, host))
			return "too many hosts, none, or a malformed host or port";
	} while (!str_absent(hosts));
	if (master.n == 0 || !decode(master, u->name, sizeof(u->name), &u->name_bytes))
		return "behind the hosts the name of the master is missing or malformed";
	if (db.n > 0 && !parse_db(db, &u->db))
		return "behind the master only the number of a database may stand";
	return NULL;
}

static const char *parse_unix(struct str s, struct redis_url *u)
{
	struct str query, path = cut(s, '?', &query);

	if (path.n < 2 || path.p[0] != '/' || !decode(path, u->name, sizeof(u->name), &u->name_bytes))
		return "the path of the socket is missing, relative, malformed or longer than 107 bytes";
	if (!str_absent(query) &&
	    (!str_has_prefix(query, STR("db=")) || !parse_db(str_of(query.p + 3, query.n - 3), &u->db)))
		return "behind the path only ?db=NUMBER may stand";
	return NULL;
}

const char *redis_url_parse(struct str s, struct redis_url *out)
{
	const struct scheme *scheme = scheme_of(s);
	struct str before;
	const char *why;

	*out = (struct redis_url){ .kind = REDIS_URL_TCP };
	if (scheme == NULL)
		return "the scheme is none of redis, rediss, redis+sentinel, rediss+sentinel, redis+unix, "
		       "unix";
	if (s.n > REDIS_URL_BYTES_MAX)
		return "it is longer than 2048 bytes";
	if (!utf8_valid(s))
		return "it is not UTF-8";
	out->kind = scheme->kind;
	out->tls = scheme->tls;
	s = str_of(s.p + scheme->prefix.n, s.n - scheme->prefix.n);
	before = credentials(s);
	why = parse_credentials(before, out);
	if (why != NULL)
		return why;
	if (!str_absent(before))
		s = str_of(s.p + before.n + 1, s.n - before.n - 1);
	switch (out->kind) {
	case REDIS_URL_TCP:
		return parse_tcp(s, out);
	case REDIS_URL_UNIX:
		return parse_unix(s, out);
	default:
		assert(out->kind == REDIS_URL_SENTINEL);
		return parse_sentinel(s, out);
	}
}
