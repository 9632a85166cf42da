/* wire/redis_url. CONTRACT 1 (redis-url). */
#include "wire/redis_url.h"

#include "tap.h"

static const struct {
	const char *url, *want; /* kind tls user:password@ hosts name db; NULL: an error */
} rows[] = {
	{ "redis://localhost", "tcp localhost:6379 0" },
	{ "REDIS://h:1/2", "tcp h:1 2" },
	{ "redis://h/", "tcp h:6379 0" },
	{ "redis://:password@host:6379/0", "tcp :password@ host:6379 0" },
	{ "redis://u:p@h", "tcp u:p@ h:6379 0" },
	{ "redis://u%3A:p%40%2f%20@h", "tcp u::p@/ @ h:6379 0" },
	{ "redis://u:a:b@h", "tcp u:a:b@ h:6379 0" },
	{ "redis://u:a@b@h", "tcp u:a@b@ h:6379 0" },
	{ "redis://[::1]:7/3", "tcp ::1:7 3" },
	{ "redis://10.0.0.1", "tcp 10.0.0.1:6379 0" },
	{ "rediss://h", "tcp tls h:6379 0" },
	{ "redis://:@h", "tcp h:6379 0" },
	{ "redis+sentinel://a:1,b,[::2]:3/mymaster", "sentinel a:1 b:26379 ::2:3 mymaster 0" },
	{ "redis+sentinel://:p@a/m/4", "sentinel :p@ a:26379 m 4" },
	{ "rediss+sentinel://a/m%20n/", "sentinel tls a:26379 m n 0" },
	{ "redis+unix:///run/redis.sock", "unix /run/redis.sock 0" },
	{ "unix:///run/r%20s?db=9", "unix /run/r s 9" },
	{ "unix://u:p@/s", "unix u:p@ /s 0" },
	{ "", NULL }, { "redis", NULL }, { "redis:/h", NULL }, { "redis://", NULL }, { "http://h", NULL },
	{ "redis://h:0", NULL }, { "redis://h:65536", NULL }, { "redis://h:", NULL }, { "redis://h:x", NULL },
	{ "redis://u@h", NULL }, { "redis://u:@h", NULL }, { "redis://:p%@h", NULL }, { "redis://:p%4@h", NULL },
	{ "redis://:p%!0@h", NULL }, { "redis://:p%4:@h", NULL },
	{ "redis://:p%g0@h", NULL }, { "redis://:p%7f@h", NULL }, { "redis://u%:p@h", NULL }, { "redis://:p%00@h", NULL }, { "redis://:p%0a@h", NULL }, { "redis://:p@", NULL }, { "redis://:p@/0", NULL },
	{ "redis://h/x", NULL }, { "redis://h/01", NULL }, { "redis://h/100000", NULL }, { "redis://h/-1", NULL },
	{ "redis://h/0/1", NULL }, { "redis://h?db=1", NULL }, { "redis://a,b", NULL }, { "redis://h h", NULL },
	{ "redis+sentinel://a", NULL }, { "redis+sentinel://a/", NULL }, { "redis+sentinel:///m", NULL },
	{ "redis+sentinel://a,,b/m", NULL }, { "redis+sentinel://a,b,/m", NULL },
	{ "redis+sentinel://a,b,c,d,e,f,g,h,i/m", NULL }, { "redis+sentinel://a/m/x", NULL }, { "redis+sentinel://a/m%", NULL },
	{ "unix://", NULL }, { "unix:///", NULL }, { "unix://relative/s", NULL }, { "unix:///s%", NULL }, { "unix:///s?db=", NULL },
	{ "unix:///s?db=x", NULL }, { "unix:///s?virtual_host=1", NULL }, { "redis://\xff@h", NULL },
};

static void say(const struct redis_url *u, char *out, size_t cap)
{
	static const char *const kinds[] = { "tcp", "unix", "sentinel" };
	int n = snprintf(out, cap, "%s%s", kinds[u->kind], u->tls ? " tls" : "");

	if (u->has_password)
		n += snprintf(out + n, cap - (size_t)n, " %.*s:%.*s@", (int)u->user_bytes, u->user,
		              (int)u->password_bytes, u->password);
	for (uint32_t i = 0; i < u->host_count; i++)
		n += snprintf(out + n, cap - (size_t)n, " %.*s:%u", (int)u->hosts[i].name.n, u->hosts[i].name.p,
		              (unsigned)u->hosts[i].port);
	if (u->name_bytes > 0)
		n += snprintf(out + n, cap - (size_t)n, " %.*s", (int)u->name_bytes, u->name);
	snprintf(out + n, cap - (size_t)n, " %u", (unsigned)u->db);
}

int main(void)
{
	static const char *const secret[] = { "redis://u:secret@h", "unix://:secret@/s",
		                              "redis+sentinel://:secret@a,b/m", "redis://:sec%20ret@h" };
	static char text[4096];
	struct redis_url u;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = redis_url_parse(str_of(rows[i].url, strlen(rows[i].url)), &u);

		if (why != NULL)
			tap_ok(rows[i].want == NULL, "%s: %s", rows[i].url, why);
		if (why != NULL)
			continue;
		say(&u, text, sizeof(text));
		tap_is_str(text, rows[i].want == NULL ? "an error" : rows[i].want, rows[i].url);
	}
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		struct str p = redis_url_password(str_of(secret[i], strlen(secret[i])));

		tap_ok(p.n >= 6 && memcmp(p.p, "sec", 3) == 0 && p.p[p.n] == '@', "the password of %s", secret[i]);
	}
	tap_ok(str_absent(redis_url_password(STR("redis://h:1"))), "there is none");
	memset(text, 'p', sizeof(text));
	memcpy(text, "redis://:", 9);
	memcpy(text + 9 + 512, "@h", 2);
	tap_ok(redis_url_parse(str_of(text, 9 + 512 + 2), &u) == NULL && u.password_bytes == 512, "the longest password");
	text[9 + 512] = 'p';
	memcpy(text + 9 + 513, "@h", 2);
	tap_ok(redis_url_parse(str_of(text, 9 + 513 + 2), &u) != NULL, "one byte longer");
	memset(text, 'h', sizeof(text));
	memcpy(text, "redis://", 8);
	tap_ok(redis_url_parse(str_of(text, 8 + 253), &u) == NULL && u.hosts[0].name.n == 253, "1123 2.1: the longest host");
	tap_ok(redis_url_parse(str_of(text, 8 + 254), &u) != NULL, "1123 2.1: one byte longer");
	memset(text + 8, '/', sizeof(text) - 8);
	tap_ok(redis_url_parse(str_of(text, REDIS_URL_BYTES_MAX + 1), &u) != NULL, "an URL of one byte too many");
	return tap_done();
}
