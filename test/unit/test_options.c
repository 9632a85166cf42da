/*
 * options: what every source does, which one wins, and one line for everything that is wrong. Rows name CONTRACT 1 or the seed that
 * they come from.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "options_fixture.h"
#include "tap.h"

enum { WORDS_MAX = FIXTURE_WORDS_MAX, GUARD_BYTES = 65536 };

static struct options loaded; /* too large for the stack */

struct row {
	const char *name;
	const char *args[WORDS_MAX], *env[WORDS_MAX];
	const char *bundle;                  /* what SSL_CERT_FILE says */
	const char *file;                    /* c.conf; NULL: there is none */
	const char *error;                   /* the whole line; NULL: it loads */
	const char *option, *value, *origin; /* then the first value of this option is this, and comes from there */
};

static struct str from(const char *s)
{
	return s == NULL ? STR_NONE : str_of(s, strlen(s));
}

static bool load(const char *const *args, const char *const *env, struct fixture *f)
{
	return fixture_load_words(&loaded, f, args, env);
}

#define VALUE(option_, value_, origin_) .option = (option_), .value = (value_), .origin = (origin_)
#define CONF { "--config", "c.conf" }
#define NOBODY "needs ca-file, the certificates to trust: this machine has none (looked for: SSL_CERT_FILE, " \
	"/etc/ssl/certs/ca-certificates.crt, /etc/ssl/cert.pem, /etc/pki/tls/certs/ca-bundle.crt)"
/* seed 002 */
#define KEYCLOAK "KEYCLOAK_URL=http://kc:8080", "KEYCLOAK_REALM=colink", "KEYCLOAK_CLIENT_ID=colink-api"
#define NO_FILE "\"nowhere\": No such file or directory"
#define TOGETHER "Keycloak's URL, realm and client id belong together: missing: "
#define DEMANDED "a set's keys sign for others too, so more is demanded: missing: "
#define NO_CPUS(given) .error = "--cpu-affinity: \"" given "\" is not a list of CPUs (0, 0,2 or 1-3) or off"
#define PROXY "an address or network (192.0.2.1, 10.0.0.0/8, 2001:db8::/32), nor `unix`"

static const struct row sources[] = {
	{ "nothing given", VALUE("typing-ttl", "5s", "default") },
	{ "--flag V", .args = { "--typing-ttl", "7s" }, VALUE("typing-ttl", "7s", "--typing-ttl") },
	{ "--flag=V", .args = { "--typing-ttl=7s" }, VALUE("typing-ttl", "7s", "--typing-ttl") },
	{ "a value with =", .args = { "--service-name=a=b" }, VALUE("service-name", "a=b", "--service-name") },
	{ "a value with two dashes", .args = { "--service-name=--x" }, VALUE("service-name", "--x", "--service-name") },
	{ "the last of two flags", .args = { "--typing-ttl=7s", "--typing-ttl", "8s" }, VALUE("typing-ttl", "8s", "--typing-ttl") },
	{ "environment", .env = { "PRESENCED_TYPING_TTL=7" }, VALUE("typing-ttl", "7s", "PRESENCED_TYPING_TTL") },
	{ "an alias", .env = { "WS_TYPING_TTL=9" }, VALUE("typing-ttl", "9s", "WS_TYPING_TTL") },
	{ "file", .args = CONF, .file = "typing-ttl = 6s\n", VALUE("typing-ttl", "6s", "c.conf:1: typing-ttl") },
	{ "file, named by the environment", .env = { "PRESENCED_CONFIG=c.conf" }, .file = "\n typing_ttl: 6s",
	  VALUE("typing-ttl", "6s", "c.conf:2: typing_ttl") },
	{ "--config wins over PRESENCED_CONFIG", .args = CONF, .env = { "PRESENCED_CONFIG=nowhere" }, .file = "typing-ttl=6s",
	  VALUE("typing-ttl", "6s", "c.conf:1: typing-ttl") },
	{ "flag over environment over alias over file", .args = { "--typing-ttl=1s", "--config=c.conf" },
	  .env = { "PRESENCED_TYPING_TTL=2s", "WS_TYPING_TTL=3s" }, .file = "typing-ttl=4s", VALUE("typing-ttl", "1s", "--typing-ttl") },
	{ "environment over alias, in any order", .args = CONF, .env = { "PRESENCED_TYPING_TTL=2s", "WS_TYPING_TTL=3s" },
	  .file = "typing-ttl=4s", VALUE("typing-ttl", "2s", "PRESENCED_TYPING_TTL") },
	{ "alias over file", .args = CONF, .env = { "WS_TYPING_TTL=3s" }, .file = "typing-ttl=4s", VALUE("typing-ttl", "3s", "WS_TYPING_TTL") },
	{ "an empty variable is not set", .env = { "PRESENCED_TYPING_TTL=", "WS_TYPING_TTL= " }, VALUE("typing-ttl", "5s", "default") },
	{ "blanks around a variable's value", .env = { "WS_TYPING_TTL= 3 " }, VALUE("typing-ttl", "3s", "WS_TYPING_TTL") },
	{ "seed 003", .env = { "PRESENCE_OFFLINE_DEBOUNCE=8s" }, VALUE("offline-debounce", "8s", "PRESENCE_OFFLINE_DEBOUNCE") },
	{ "seed 003: 0 disables", .env = { "PRESENCE_OFFLINE_DEBOUNCE=0" }, VALUE("offline-debounce", "0", "PRESENCE_OFFLINE_DEBOUNCE") },
	{ "seed 002: interval", .env = { "WS_HEARTBEAT_INTERVAL=30" }, VALUE("heartbeat-interval", "30s", "WS_HEARTBEAT_INTERVAL") },
	{ "seed 002: presence", .env = { "WS_PRESENCE_TTL=300" }, VALUE("presence-ttl", "5m", "WS_PRESENCE_TTL") },
	{ "seed 002: name", .env = { "SERVICE_NAME=presence2" }, VALUE("service-name", "presence2", "SERVICE_NAME") },
	{ "seed 002: level", .env = { "LOG_LEVEL=WARNING" }, VALUE("log-level", "warn", "LOG_LEVEL") },
	{ "seed 002: port, on loopback under trust", .env = { "SERVICE_PORT=8006" }, VALUE("listen", "127.0.0.1:8006", "SERVICE_PORT") },
	{ "PRESENCED_LISTEN over SERVICE_PORT", .env = { "SERVICE_PORT=8006", "PRESENCED_LISTEN=[::1]:1" },
	  VALUE("listen", "[::1]:1", "PRESENCED_LISTEN") },
	{ "loopback as mapped IPv4", .args = { "--listen=[::ffff:127.0.0.1]:1" },
	  VALUE("listen", "[::ffff:127.0.0.1]:1", "--listen") },
	{ "listen replaces what a weaker source said", .args = { "--listen=localhost:0" }, .env = { "PRESENCED_LISTEN=[::1]:1" },
	  VALUE("listen", "127.0.0.1:0", "--listen") },
	{ "a size for all dialects", .args = { "--max-message-size=32k" }, VALUE("max-message-size", "32k", "--max-message-size") },
	{ "rates", .args = { "--rate-call-ice", "30" }, VALUE("rate-call-ice", "30", "--rate-call-ice") },
	{ "all addresses, trust written", .args = { "--listen=:8080", "--auth=trust" }, VALUE("listen", "0.0.0.0:8080", "--listen") },
	{ "trust written in the environment", .args = { "--listen=[::]:80" }, .env = { "PRESENCED_AUTH=TRUST" },
	  VALUE("listen", "[::]:80", "--listen") },
	{ "a unix socket needs no trust", .args = { "--listen=unix:/run/p,dialect=echo,admin" },
	  VALUE("listen", "unix:/run/p,dialect=echo,admin", "--listen") },
	{ "any origin", .args = { "--allowed-origins=*" }, VALUE("allowed-origins", "*", "--allowed-origins") },
	{ "origins", .args = { "--allowed-origins=https://a.example, http://b:81" },
	  VALUE("allowed-origins", "https://a.example", "--allowed-origins") },
	{ "the key's path is shown", .args = { "--api-key-file=key" }, VALUE("api-key-file", "key", "--api-key-file") },
	/* tokens */
	{ "auth: trust", VALUE("auth", "trust", "default") },
	{ "auth: written out", .args = { "--auth=JWT", "--jwt-secret-file=secret" }, VALUE("auth", "jwt", "--auth") },
	{ "auth: jwt by a secret", .env = { "PRESENCED_JWT_SECRET_FILE=secret" }, VALUE("auth", "jwt", "PRESENCED_JWT_SECRET_FILE") },
	{ "auth: jwt by a set", .args = { "--config=c.conf" }, .file = "jwks_file: jwks\njwt_issuer: i\njwt_audience: a",
	  VALUE("auth", "jwt", "c.conf:1: jwks_file") },
	{ "auth: jwt by Keycloak", .env = { KEYCLOAK }, VALUE("auth", "jwt", "KEYCLOAK_URL") },
	{ "auth: jwt asks strangers", .args = { "--listen=:80", "--jwt-key-file=both.pem" }, VALUE("listen", "0.0.0.0:80", "--listen") },
	{ "auth: SERVICE_PORT under jwt", .args = { "--jwt-secret-file=crlf" }, .env = { "SERVICE_PORT=8006" },
	  VALUE("listen", "0.0.0.0:8006", "SERVICE_PORT") },
	{ "auth: SERVICE_PORT under trust written out", .args = { "--auth=trust" }, .env = { "SERVICE_PORT=8006" },
	  VALUE("listen", "127.0.0.1:8006", "SERVICE_PORT") },
	{ "auth: trust written out looks at nothing of tokens", .args = { "--auth=trust", "--jwt-secret-file=nowhere" },
	  .env = { "KEYCLOAK_URL=http://kc" }, VALUE("auth", "trust", "--auth") },
	{ "leeway", .args = { "--jwt-leeway=1m", "--jwt-secret-file=secret" }, VALUE("jwt-leeway", "1m", "--jwt-leeway") },
	{ "leeway: none", .args = { "--jwt-leeway=0", "--jwt-secret-file=secret" }, VALUE("jwt-leeway", "0", "--jwt-leeway") },
	{ "in-band", .args = { "--auth-timeout=3" }, VALUE("auth-timeout", "3s", "--auth-timeout") },
	{ "in-band: the default", VALUE("auth-timeout", "10s", "default") },
	{ "a set at a URL", .args = { "--jwks-url=http://h:81/x?y", "--jwt-issuer=i", "--jwt-audience=a" },
	  VALUE("jwks-url", "http://h:81/x?y", "--jwks-url") },
	{ "a set over TLS", .args = { "--jwks-url=https://h/x", "--jwt-issuer=i", "--jwt-audience=a", "--ca-file=cert" },
	  VALUE("ca-file", "cert", "--ca-file") },
	{ "a set over TLS: the machine's certificates", .args = { "--jwks-url=https://h/x", "--jwt-issuer=i", "--jwt-audience=a" }, .bundle = "cert",
	  VALUE("ca-file", "cert", "--jwks-url") },
	{ "a set over TLS: ca-file comes first", .args = { "--jwks-url=https://h/x", "--jwt-issuer=i", "--jwt-audience=a", "--ca-file=a b" },
	  .bundle = "nowhere", VALUE("ca-file", "a b", "--ca-file") },
	{ "Keycloak over TLS: the machine's certificates", .env = { "KEYCLOAK_URL=https://kc", "KEYCLOAK_REALM=r", "KEYCLOAK_CLIENT_ID=c" },
	  .bundle = "cert", VALUE("ca-file", "cert", "KEYCLOAK_URL") },
	{ "user check over TLS: the machine's certificates", .args = { "--user-check-url=https://u" }, .bundle = "cert",
	  VALUE("ca-file", "cert", "--user-check-url") },
	{ "Redis over TLS: the machine's certificates", .env = { "REDIS_URL=rediss://r" }, .bundle = "cert", VALUE("ca-file", "cert", "REDIS_URL") },
	{ "nothing over TLS: nobody to trust", .args = { "--user-check-url=http://u", "--redis-url=redis://r" }, .bundle = "nowhere",
	  VALUE("ca-file", "", "default") },
	{ "Keycloak: keys", .env = { KEYCLOAK }, VALUE("jwks-url", "http://kc:8080/realms/colink/protocol/openid-connect/certs", "KEYCLOAK_URL") },
	{ "Keycloak: issuer", .args = { "--keycloak-url=http://kc/auth/", "--keycloak-realm=r", "--keycloak-client-id=c" },
	  VALUE("jwt-issuer", "http://kc/auth/realms/r", "--keycloak-url") },
	{ "Keycloak: a realm is escaped", .args = { "--keycloak-url=http://kc", "--keycloak-realm=a/b c%?", "--keycloak-client-id=c" },
	  VALUE("jwt-issuer", "http://kc/realms/a%2Fb%20c%25%3F", "--keycloak-url") },
	{ "Keycloak: client", .env = { KEYCLOAK }, VALUE("keycloak-client-id", "colink-api", "KEYCLOAK_CLIENT_ID") },
	{ "Keycloak: another issuer", .args = { "--jwt-issuer=https://public/realms/colink" }, .env = { KEYCLOAK },
	  VALUE("jwt-issuer", "https://public/realms/colink", "--jwt-issuer") },
	{ "Keycloak: other keys", .args = { "--jwks-url=http://other/certs" }, .env = { KEYCLOAK },
	  VALUE("jwks-url", "http://other/certs", "--jwks-url") },
	{ "Keycloak: the rest is given otherwise", .args = { "--jwks-file=jwks", "--jwt-issuer=i" }, .env = { "KEYCLOAK_CLIENT_ID=c" },
	  VALUE("keycloak-client-id", "c", "KEYCLOAK_CLIENT_ID") },
	{ "Keycloak: the client is given otherwise", .args = { "--jwt-audience=a" },
	  .env = { "KEYCLOAK_URL=http://kc", "KEYCLOAK_REALM=r" }, VALUE("jwt-audience", "a", "--jwt-audience") },
	{ "user check", .args = { "--user-check-url=http://u/users/" }, VALUE("user-check-url", "http://u/users/", "--user-check-url") },
	{ "public reads", .env = { "PRESENCED_PUBLIC_READS=Yes" }, VALUE("public-reads", "on", "PRESENCED_PUBLIC_READS") },
	{ "public reads: 1", .args = { "--public-reads=1" }, VALUE("public-reads", "on", "--public-reads") },
	{ "public reads: the last of two", .args = { "--public-reads=true", "--public-reads", "FALSE" },
	  VALUE("public-reads", "off", "--public-reads") },
	{ "public reads: no", .args = CONF, .file = "public_reads: no", VALUE("public-reads", "off", "c.conf:1: public_reads") },
	{ "workers: one", .args = { "--workers=1" }, VALUE("workers", "1", "--workers") },
	{ "busy-poll", .env = { "PRESENCED_BUSY_POLL=50" }, VALUE("busy-poll", "50", "PRESENCED_BUSY_POLL") },
	{ "busy-poll: a second", .args = { "--busy-poll=1000000" }, VALUE("busy-poll", "1000000", "--busy-poll") },
	{ "CPUs: off", .args = { "--cpu-affinity=1", "--cpu-affinity=OFF" }, VALUE("cpu-affinity", "OFF", "--cpu-affinity") },
	{ "CPUs: the default", VALUE("cpu-affinity", "off", "default") },
	{ "CPUs", .args = CONF, .file = "cpu_affinity: 0, 2 # x", VALUE("cpu-affinity", "0, 2", "c.conf:1: cpu_affinity") },
	{ "seed 003: a fraction", .env = { "PRESENCE_OFFLINE_DEBOUNCE=1.5s" }, VALUE("offline-debounce", "1s500ms", "PRESENCE_OFFLINE_DEBOUNCE") },
	{ "the sandbox: off", .args = { "--sandbox=off" }, VALUE("sandbox", "off", "--sandbox") },
	{ "the sandbox: the default", VALUE("sandbox", "on", "default") },
	{ "public reads: the default", VALUE("public-reads", "off", "default") },
	{ "proxies: bits beyond the prefix", .args = { "--trusted-proxies=10.1.2.3/8" }, VALUE("trusted-proxies", "10.0.0.0/8", "--trusted-proxies") },
	{ "proxies: one address", .args = { "--trusted-proxies=10.1.2.3" }, VALUE("trusted-proxies", "10.1.2.3", "--trusted-proxies") },
	{ "proxies: all of its bits", .args = { "--trusted-proxies=10.1.2.3/32" }, VALUE("trusted-proxies", "10.1.2.3", "--trusted-proxies") },
	{ "proxies: all IPv4", .args = { "--trusted-proxies=0.0.0.0/0" }, VALUE("trusted-proxies", "0.0.0.0/0", "--trusted-proxies") },
	{ "proxies: all", .args = { "--trusted-proxies=::/0" }, VALUE("trusted-proxies", "::/0", "--trusted-proxies") },
	{ "proxies: IPv6", .args = { "--trusted-proxies=2001:DB8:ffff::/33" }, VALUE("trusted-proxies", "2001:db8:8000::/33", "--trusted-proxies") },
	{ "proxies: mapped IPv4", .args = { "--trusted-proxies=::ffff:10.0.0.0/104" },
	  VALUE("trusted-proxies", "10.0.0.0/8", "--trusted-proxies") },
	{ "proxies: the prefix of mapped IPv4, cut", .args = { "--trusted-proxies=::ffff:10.0.0.0/88" },
	  VALUE("trusted-proxies", "::ff00:0:0/88", "--trusted-proxies") },
	{ "proxies: unix", .args = CONF, .file = "trusted-proxies: unix, ::1", VALUE("trusted-proxies", "unix", "c.conf:1: trusted-proxies") },
	{ "TLS", .args = { "--listen=:443,admin,tls", "--auth=trust", "--tls-cert=cert", "--tls-key=a b" },
	  VALUE("listen", "0.0.0.0:443,tls,admin", "--listen") },
	{ "TLS: a path with a blank", .args = { "--listen=unix:/x,tls" }, .env = { "PRESENCED_TLS_CERT= a b ,cert", "PRESENCED_TLS_KEY=cert,a b" },
	  VALUE("tls-cert", "a b", "PRESENCED_TLS_CERT") },
	{ "file: quotes", .args = CONF, .file = "service-name: \"a # b\"  # c", VALUE("service-name", "\"a # b\"", "c.conf:1: service-name") },
	{ "file: single quotes", .args = CONF, .file = "service-name='x'", VALUE("service-name", "x", "c.conf:1: service-name") },
	{ "file: a # inside a word", .args = CONF, .file = "service-name = a#b", VALUE("service-name", "a#b", "c.conf:1: service-name") },
	{ "file: mark, CR LF, ---, comments, sections", .args = CONF,
	  .file = "\xef\xbb\xbf---\r\n# c\r\n\r\nwebsocket:\r\n\tother: # c\r\n  typing_ttl:6s \t# c\r\n",
	  VALUE("typing-ttl", "6s", "c.conf:6: typing_ttl") },
	{ "file: listen is repeatable", .args = CONF, .file = "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2",
	  VALUE("listen", "127.0.0.1:1", "c.conf:2: listen") },
	{ "file: empty", .args = CONF, .file = "", VALUE("typing-ttl", "5s", "default") },
};

static const struct row errors[] = {
	{ "flag", .args = { "--typing-ttl", "5x" },
	  .error = "--typing-ttl: \"5x\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "environment", .env = { "PRESENCED_TYPING_TTL=5x" },
	  .error = "PRESENCED_TYPING_TTL: \"5x\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "alias", .env = { "WS_TYPING_TTL=5x" }, .error = "WS_TYPING_TTL: \"5x\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "file", .args = CONF, .file = "\ntyping_ttl: 5x",
	  .error = "c.conf:2: typing_ttl: \"5x\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "a weaker source is checked too", .args = { "--typing-ttl=1s" }, .env = { "WS_TYPING_TTL=x" },
	  .error = "WS_TYPING_TTL: \"x\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "unknown flag", .args = { "--foo", "1" }, .error = "unknown option \"--foo\" (--help lists them)" },
	{ "unknown flag with a value", .args = { "--foo=1" }, .error = "unknown option \"--foo\" (--help lists them)" },
	{ "a flag is not spelt with _", .args = { "--typing_ttl=1" }, .error = "unknown option \"--typing_ttl\" (--help lists them)" },
	{ "no prefix of a flag", .args = { "--typing=1" }, .error = "unknown option \"--typing\" (--help lists them)" },
	{ "a Redis of no such scheme", .args = { "--redis-url=http://:secret@x" },
	  .error = "--redis-url: not the URL of a Redis: the scheme is none of redis, rediss, redis+sentinel, rediss+sentinel, redis+unix, unix" },
	{ "a Redis without a host", .env = { "REDIS_URL=redis://:secret@/0" },
	  .error = "REDIS_URL: not the URL of a Redis: no host, or a malformed host or port" },
	{ "a name that no node can have", .args = { "--redis-url=redis://x", "--node-id=a b" },
	  .error = "--node-id: \"a b\" cannot name a node among others: with redis-url it is 1 to 64 of A-Z a-z 0-9 . _ -" },
	{ "what the file alone takes", .args = { "--broadcast-buffer=1" }, .error = "unknown option \"--broadcast-buffer\" (--help lists them)" },
	{ "no flag", .args = { "serve" }, .error = "\"serve\" is not an option (--help lists them)" },
	{ "one dash", .args = { "-p", "1" }, .error = "\"-p\" is not an option (--help lists them)" },
	{ "two dashes", .args = { "--" }, .error = "\"--\" is not an option (--help lists them)" },
	{ "an empty argument", .args = { "" }, .error = "\"\" is not an option (--help lists them)" },
	{ "no value", .args = { "--typing-ttl" },
	  .error = "--typing-ttl: no value is given; it takes a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "a flag for a value", .args = { "--slow-consumer", "--user=x" },
	  .error = "--slow-consumer: no value is given; it takes one of drop|close" },
	{ "an empty value", .args = { "--typing-ttl=" },
	  .error = "--typing-ttl: \"\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "out of range below", .args = { "--cleanup-interval=0" }, .error = "--cleanup-interval: \"0\" is out of range (10ms to 8760h)" },
	{ "out of range above", .args = { "--max-connections=4294967297" },
	  .error = "--max-connections: \"4294967297\" is out of range (1 to 1000000)" },
	{ "beyond 64 bits", .args = { "--max-connections=99999999999999999999" },
	  .error = "--max-connections: \"99999999999999999999\" is not a whole number" },
	{ "a size out of range", .args = { "--client-buffer-bytes=4g" }, .error = "--client-buffer-bytes: \"4g\" is out of range (1k to 1g)" },
	{ "not a size", .args = { "--max-message-size=10mb" }, .error = "--max-message-size: \"10mb\" is not a size (bytes, 64k or 10m)" },
	{ "not a count", .args = { "--message-rate=-1" }, .error = "--message-rate: \"-1\" is not a whole number" },
	{ "not a choice", .args = { "--audience=friends" }, .error = "--audience: \"friends\" is not one of all|rooms" },
	{ "log level", .env = { "LOG_LEVEL=loud" }, .error = "LOG_LEVEL: \"loud\" is not one of debug|info|warn|error|warning" },
	{ "not an auth", .args = { "--auth=none" }, .error = "--auth: \"none\" is not one of trust|jwt" },
	{ "control characters stay in their line", .args = { "--typing-ttl=a\nb\x1b\x7f\xc2\x9bz" },
	  .error = "--typing-ttl: \"a?b???z\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "bytes that are no text", .args = { "--typing-ttl=\xff\xfe" },
	  .error = "--typing-ttl: \"\?\?\" is not a duration (500ms, 5s, 1m30s, 1h or seconds)" },
	{ "text", .args = { "--service-name=a\tb" },
	  .error = "--service-name: \"a?b\" is not text of 1 to 64 bytes without control characters and double quotes" },
	{ "listen: name", .args = { "--listen=example.org:80" },
	  .error = "--listen: \"example.org:80\" does not begin with a literal address or localhost (names are not looked up)" },
	{ "listen: no port", .args = { "--listen=127.0.0.1" }, .error = "--listen: \"127.0.0.1\" has no port (ADDR:PORT)" },
	{ "listen: port", .args = { "--listen=127.0.0.1:65536" },
	  .error = "--listen: \"127.0.0.1:65536\" does not end in a port from 0 to 65535" },
	{ "listen: empty port", .args = { "--listen=127.0.0.1:" }, .error = "--listen: \"127.0.0.1:\" does not end in a port from 0 to 65535" },
	{ "listen: IPv6 without brackets", .args = { "--listen=::1:80" },
	  .error = "--listen: \"::1:80\" is not ADDR:PORT (an IPv6 address stands in brackets)" },
	{ "listen: open bracket", .args = { "--listen=[::1:80" }, .error = "--listen: \"[::1:80\" is not [ADDRESS]:PORT" },
	{ "listen: IPv4 in brackets", .args = { "--listen=[127.0.0.1]:80" },
	  .error = "--listen: \"[127.0.0.1]:80\" does not begin with a literal address or localhost (names are not looked up)" },
	{ "listen: octal", .args = { "--listen=0177.0.0.1:80" },
	  .error = "--listen: \"0177.0.0.1:80\" does not begin with a literal address or localhost (names are not looked up)" },
	{ "listen: dialect", .args = { "--listen=:80,dialect=klingon" },
	  .error = "--listen: \":80,dialect=klingon\" names no dialect (snake, dotted, rooms, roster, upper or echo)" },
	{ "listen: a parameter", .args = { "--listen=:80,tls,ssl" },
	  .error = "--listen: \":80,tls,ssl\" has an unknown parameter (there are dialect=NAME, tls and admin)" },
	{ "listen: an empty parameter", .args = { "--listen=:80," },
	  .error = "--listen: \":80,\" has an unknown parameter (there are dialect=NAME, tls and admin)" },
	{ "listen: unix", .args = { "--listen=unix:" }, .error = "--listen: \"unix:\" needs a path of 1 to 107 bytes after unix:" },
	{ "listen: a path that is not UTF-8", .args = { "--listen=unix:/p\xff" },
	  .error = "--listen: \"unix:/p?\" is not an address to listen on (ADDR:PORT or unix:PATH)" },
	{ "listen: a path that has a control character", .args = { "--listen=unix:/p\x01" },
	  .error = "--listen: \"unix:/p?\" is not an address to listen on (ADDR:PORT or unix:PATH)" },
	{ "listen: a path that has a DEL", .args = { "--listen=unix:/p\x7f" },
	  .error = "--listen: \"unix:/p?\" is not an address to listen on (ADDR:PORT or unix:PATH)" },
	{ "listen: a path that has a double quote", .args = { "--listen=unix:/p\"" },
	  .error = "--listen: \"unix:/p\"\" is not an address to listen on (ADDR:PORT or unix:PATH)" },
	{ "listen: a path that has a quote", .args = { "--listen=unix:/p'" },
	  .error = "--listen: \"unix:/p'\" is not an address to listen on (ADDR:PORT or unix:PATH)" },
	{ "listen: a path that has a hash", .args = { "--listen=unix:/p#" },
	  .error = "--listen: \"unix:/p#\" is not an address to listen on (ADDR:PORT or unix:PATH)" },
	{ "listen: twice", .args = { "--listen=127.0.0.1:80", "--listen=localhost:80,admin" },
	  .error = "--listen: \"localhost:80,admin\" is there twice" },
	{ "listen: nothing", .args = { "--listen= " },
	  .error = "--listen: \"\" is not an address to listen on (ADDR:PORT or unix:PATH)" },
	{ "listen: seventeen", .args = { "--listen=:0 :0 :0 :0 :0 :0 :0 :0 :0 :0 :0 :0 :0 :0 :0 :0 :0" },
	  .error = "--listen: \":0\" is one too many: there may be 16" },
	{ "SERVICE_PORT", .env = { "SERVICE_PORT=80 :81" }, .error = "SERVICE_PORT: \"80 :81\" is not a port from 0 to 65535" },
	{ "trust beyond loopback", .args = { "--listen=0.0.0.0:80" },
	  .error = "--listen: 0.0.0.0:80 is not a loopback address, and auth=trust believes whatever id a client gives: "
	           "write --auth trust to want that" },
	{ "trust beyond loopback, any of them", .args = CONF, .file = "listen: 127.0.0.1:80\nlisten: [::ffff:10.0.0.1]:80",
	  .error = "c.conf:2: listen: [::ffff:10.0.0.1]:80 is not a loopback address, and auth=trust believes whatever id a client "
	           "gives: write --auth trust to want that" },
	{ "trust beyond loopback, where only the end looks like it", .args = { "--listen=[1::ffff:7f00:1]:80" },
	  .error = "--listen: [1::ffff:7f00:1]:80 is not a loopback address, and auth=trust believes whatever id a client gives: "
	           "write --auth trust to want that" },
	{ "trust beyond loopback, nor is it mapped", .args = { "--listen=[::ff00:7f00:1]:80" },
	  .error = "--listen: [::ff00:7f00:1]:80 is not a loopback address, and auth=trust believes whatever id a client gives: "
	           "write --auth trust to want that" },
	{ "origin", .args = { "--allowed-origins=https://a.example,example.org" },
	  .error = "--allowed-origins: \"example.org\" is not an origin (https://example.org, or *)" },
	{ "origin with a path", .args = { "--allowed-origins=https://a.example/" },
	  .error = "--allowed-origins: \"https://a.example/\" is not an origin (https://example.org, or *)" },
	{ "workers: two", .args = { "--workers=2" }, .error = "--workers: \"2\" is out of range (1 to 1)" },
	{ "workers: none", .args = { "--workers=0" }, .error = "--workers: \"0\" is out of range (1 to 1)" },
	{ "busy-poll: with a unit", .args = { "--busy-poll=50us" }, .error = "--busy-poll: \"50us\" is not a whole number" },
	{ "busy-poll: too long", .args = { "--busy-poll=1000001" }, .error = "--busy-poll: \"1000001\" is out of range (0 to 1000000)" },
	{ "CPUs: not there", .args = { "--cpu-affinity=0-4" }, .error = "--cpu-affinity: \"0-4\": this process cannot have all of these CPUs here" },
	{ "CPUs: beyond all", .env = { "PRESENCED_CPU_AFFINITY=0,1024" },
	  .error = "PRESENCED_CPU_AFFINITY: \"0,1024\" is out of range (0 to 1023)" },
	{ "CPUs: a word", .args = { "--cpu-affinity=on" }, NO_CPUS("on") },
	{ "CPUs: nothing", .args = { "--cpu-affinity=" }, NO_CPUS("") },
	{ "CPUs: nothing behind a comma", .args = { "--cpu-affinity=1," }, NO_CPUS("1,") },
	{ "CPUs: nothing between commas", .args = { "--cpu-affinity=1,,2" }, NO_CPUS("1,,2") },
	{ "CPUs: backwards", .args = { "--cpu-affinity=2-1" }, NO_CPUS("2-1") },
	{ "CPUs: half a range", .args = { "--cpu-affinity=1-" }, NO_CPUS("1-") },
	{ "CPUs: three ends", .args = { "--cpu-affinity=0-1-2" }, NO_CPUS("0-1-2") },
	{ "CPUs: off and others", .args = { "--cpu-affinity=off,1" }, NO_CPUS("off,1") },
	{ "CPUs: below none", .args = { "--cpu-affinity=-1" }, NO_CPUS("-1") },
	{ "no such user", .args = { "--user=stranger" }, .error = "--user: \"stranger\": no such user" },
	{ "no key file", .args = { "--api-key-file=nowhere" }, .error = "--api-key-file: \"nowhere\": No such file or directory" },
	{ "no config file", .args = { "--config=nowhere" }, .error = "--config: \"nowhere\" cannot be read: No such file or directory" },
	{ "no config file, environment", .env = { "PRESENCED_CONFIG=nowhere" },
	  .error = "PRESENCED_CONFIG: \"nowhere\" cannot be read: No such file or directory" },
	{ "file: unknown", .args = CONF, .file = "typing-ttl = 5s\n\nfoo = 1\n", .error = "c.conf:3: unknown option \"foo\"" },
	{ "file: no value", .args = CONF, .file = "typing_ttl:   # later", .error = "c.conf:1: no value is given for \"typing_ttl\"" },
	{ "file: no value, =", .args = CONF, .file = "typing-ttl =", .error = "c.conf:1: no value is given for \"typing-ttl\"" },
	{ "file: twice", .args = CONF, .file = "stale-timeout = 5s\nstale_connection_timeout: 6s",
	  .error = "c.conf:2: stale-timeout is there twice, first in line 1" },
	{ "file: no pair", .args = CONF, .file = "typing-ttl 5s", .error = "c.conf:1: neither `option = value` nor `option: value`" },
	{ "file: no key", .args = CONF, .file = "= 5s", .error = "c.conf:1: neither `option = value` nor `option: value`" },
	{ "file: open quote", .args = CONF, .file = "user = \"nobody",
	  .error = "c.conf:1: the quotes are not closed where the value ends" },
	{ "file: more after a quote", .args = CONF, .file = "user = \"a\" b",
	  .error = "c.conf:1: the quotes are not closed where the value ends" },
	{ "file: control character", .args = CONF, .file = "#\nuser = a\x01",
	  .error = "c.conf:2: not a line of text (UTF-8 without control characters)" },
	{ "file: not UTF-8", .args = CONF, .file = "# \xff", .error = "c.conf:1: not a line of text (UTF-8 without control characters)" },
	{ "file: another file", .args = CONF, .file = "config = d.conf", .error = "c.conf:1: a file cannot name another \"config\"" },
	/* tokens */
	{ "auth: no keys", .args = { "--auth=jwt" },
	  .error = "--auth: tokens need keys: one of jwt-secret-file, jwt-key-file, jwks-file, jwks-url and keycloak-url is missing" },
	{ "auth: no keys, though jwt is what is meant", .args = CONF, .file = "jwt-issuer: i",
	  .error = "c.conf:1: jwt-issuer: tokens need keys: one of jwt-secret-file, jwt-key-file, jwks-file, jwks-url and keycloak-url is "
	           "missing" },
	{ "leeway: too long", .args = { "--jwt-leeway=61s" }, .error = "--jwt-leeway: \"61s\" is out of range (0 to 1m)" },
	{ "in-band: never", .args = { "--auth-timeout=0" }, .error = "--auth-timeout: \"0\" is out of range (10ms to 8760h)" },
	{ "secret: no file", .args = { "--jwt-secret-file=nowhere" }, .error = "--jwt-secret-file: " NO_FILE },
	{ "secret: empty", .args = { "--jwt-secret-file=newline" }, .error = "--jwt-secret-file: \"newline\" is empty" },
	{ "secret: too long", .args = { "--jwt-secret-file=rsa.pem,", "--jwt-secret-file=jwks" },
	  .error = "--jwt-secret-file: \"jwks\" is longer than 512 bytes" },
	{ "PEM: no file", .args = { "--jwt-key-file=nowhere" }, .error = "--jwt-key-file: " NO_FILE },
	{ "PEM: none", .args = { "--jwt-key-file=secret" }, .error = "--jwt-key-file: \"secret\" has no PEM object, or a broken one" },
	{ "PEM: weak", .args = { "--jwt-key-file=weak.pem" },
	  .error = "--jwt-key-file: \"weak.pem\" has a key that is too weak or broken: RSA wants 2048 to 4096 bits and an exponent from 65537 "
	           "up, EC a point on P-256" },
	{ "set: no file", .args = { "--jwks-file=nowhere", "--jwt-issuer=i", "--jwt-audience=a" }, .error = "--jwks-file: " NO_FILE },
	{ "set: no JSON", .args = { "--jwks-file=rsa.pem", "--jwt-issuer=i", "--jwt-audience=a" },
	  .error = "--jwks-file: \"rsa.pem\" is not JSON: invalid number or literal" },
	{ "set: no set", .args = { "--jwks-file=key", "--jwt-issuer=i", "--jwt-audience=a" },
	  .error = "--jwks-file: \"key\" is no JSON object with an array `keys`" },
	{ "set: no key", .args = { "--jwks-file=none.jwks", "--jwt-issuer=i", "--jwt-audience=a" },
	  .error = "--jwks-file: \"none.jwks\" has no key that can be used" },
	{ "set: nothing else", .args = { "--jwks-file=jwks" },
	  .error = "--jwks-file: " DEMANDED "jwt-issuer, jwt-audience (or keycloak-client-id)" },
	{ "set: no audience", .args = { "--jwks-url=http://h/", "--jwt-issuer=i" },
	  .error = "--jwks-url: " DEMANDED "jwt-audience (or keycloak-client-id)" },
	{ "set: no issuer", .args = { "--jwks-url=http://h/", "--jwt-audience=i" }, .error = "--jwks-url: " DEMANDED "jwt-issuer" },
	{ "set: no issuer, beside a secret", .args = { "--jwks-file=jwks", "--jwt-audience=i", "--jwt-secret-file=secret" },
	  .error = "--jwks-file: " DEMANDED "jwt-issuer" },
	{ "set over TLS without ca-file", .args = { "--jwks-url=https://h/", "--jwt-issuer=i", "--jwt-audience=a" },
	  .error = "--jwks-url: \"https://h/\": an https URL " NOBODY },
	{ "set: no URL", .args = { "--jwks-url=h/x" }, .error = "--jwks-url: \"h/x\" is not an http or https URL without user and fragment" },
	{ "set: a WebSocket's URL", .args = { "--jwks-url=ws://h/x" },
	  .error = "--jwks-url: \"ws://h/x\" is not an http or https URL without user and fragment" },
	{ "set: a user in the URL", .args = { "--jwks-url=http://u:p@h/x" },
	  .error = "--jwks-url: \"http://u:p@h/x\" is not an http or https URL without user and fragment" },
	{ "issuer: nine", .args = { "--jwt-issuer=1,2,3,4,5,6,7,8 9" }, .error = "--jwt-issuer: \"9\" is one too many: there may be 8" },
	{ "issuer: none", .args = { "--jwt-issuer=," },
	  .error = "--jwt-issuer: \",\" is not a name of 1 to 1024 bytes without control characters and double quotes" },
	{ "audience: a quote", .args = { "--jwt-audience=a\"b" },
	  .error = "--jwt-audience: \"a\"b\" is not a name of 1 to 1024 bytes without control characters and double quotes" },
	{ "Keycloak: URL alone", .env = { "KEYCLOAK_URL=http://kc" }, .error = "KEYCLOAK_URL: " TOGETHER "keycloak-realm, keycloak-client-id" },
	{ "Keycloak: no client", .args = { "--keycloak-url=http://kc", "--keycloak-realm=r" }, .error = "--keycloak-url: " TOGETHER "keycloak-client-id" },
	{ "Keycloak: no URL", .args = { "--keycloak-realm=r", "--keycloak-client-id=r" }, .error = "--keycloak-realm: " TOGETHER "keycloak-url" },
	{ "Keycloak: client alone", .args = { "--keycloak-client-id=r" },
	  .error = "--keycloak-client-id: " TOGETHER "keycloak-url, keycloak-realm" },
	{ "Keycloak: keys otherwise, but no issuer", .args = { "--keycloak-client-id=r", "--jwks-file=jwks" },
	  .error = "--keycloak-client-id: " TOGETHER "keycloak-url, keycloak-realm" },
	{ "Keycloak: over TLS without ca-file", .env = { "KEYCLOAK_URL=https://kc", "KEYCLOAK_REALM=r", "KEYCLOAK_CLIENT_ID=c" },
	  .error = "KEYCLOAK_URL: \"https://kc/realms/r/protocol/openid-connect/certs\": an https URL " NOBODY },
	{ "Keycloak: a realm of dots", .args = { "--keycloak-url=http://kc", "--keycloak-realm=..", "--keycloak-client-id=c" },
	  .error = "--keycloak-realm: \"..\" could not be said in a URL" },
	{ "Keycloak: a comma", .args = { "--keycloak-url=http://kc/a,b", "--keycloak-realm=a", "--keycloak-client-id=c" },
	  .error = "--keycloak-url: \"http://kc/a,b\" is no URL that /realms/... can follow" },
	{ "Keycloak: a query", .args = { "--keycloak-url=http://kc?x", "--keycloak-realm=a", "--keycloak-client-id=c" },
	  .error = "--keycloak-url: \"http://kc?x\" is no URL that /realms/... can follow" },
	{ "user check: no URL", .args = { "--user-check-url=users" },
	  .error = "--user-check-url: \"users\" is not an http or https URL without user and fragment" },
	{ "user check: a query", .args = { "--user-check-url=http://u/?id=" },
	  .error = "--user-check-url: \"http://u/?id=\" has a query, and /{user_id} could not follow it" },
	{ "user check: over TLS without ca-file, under trust too", .args = { "--user-check-url=https://u" },
	  .error = "--user-check-url: \"https://u\": an https URL " NOBODY },
	{ "Redis over TLS without ca-file", .args = { "--redis-url=rediss://:secret@r" }, .error = "--redis-url: rediss " NOBODY },
	{ "SSL_CERT_FILE: none", .args = { "--user-check-url=https://u" }, .bundle = "nowhere",
	  .error = "--user-check-url: \"https://u\": an https URL needs ca-file, the certificates to trust: SSL_CERT_FILE says " NO_FILE },
	{ "ca-file: none", .args = { "--ca-file=nowhere" }, .error = "--ca-file: " NO_FILE },
	{ "public reads: neither", .args = { "--public-reads=maybe" },
	  .error = "--public-reads: \"maybe\" is not on or off (true, false, yes, no, 1, 0)" },
	{ "proxies: a name", .args = { "--trusted-proxies=localhost" }, .error = "--trusted-proxies: \"localhost\" is not " PROXY },
	{ "proxies: bits", .args = { "--trusted-proxies=::1 10.0.0.0/33" }, .error = "--trusted-proxies: \"10.0.0.0/33\" is not " PROXY },
	{ "proxies: no bits", .args = { "--trusted-proxies=10.0.0.0/" }, .error = "--trusted-proxies: \"10.0.0.0/\" is not " PROXY },
	{ "proxies: a mask", .args = { "--trusted-proxies=10.0.0.0/255.0.0.0" },
	  .error = "--trusted-proxies: \"10.0.0.0/255.0.0.0\" is not " PROXY },
	{ "proxies: IPv6 bits", .args = { "--trusted-proxies=::1/129" }, .error = "--trusted-proxies: \"::1/129\" is not " PROXY },
	{ "proxies: bits beyond 64 bits", .args = { "--trusted-proxies=::1/18446744073709551617" },
	  .error = "--trusted-proxies: \"::1/18446744073709551617\" is not " PROXY },
	{ "proxies: nobody", .args = { "--trusted-proxies=::" }, .error = "--trusted-proxies: \"::\" is not " PROXY },
	{ "proxies: a port", .args = { "--trusted-proxies=10.0.0.1:80" }, .error = "--trusted-proxies: \"10.0.0.1:80\" is not " PROXY },
	{ "TLS: no certificate", .args = { "--listen=127.0.0.1:0 127.0.0.1:1,tls" },
	  .error = "--listen: 127.0.0.1:1,tls needs tls-cert and tls-key" },
	{ "TLS: no key", .args = { "--tls-cert=cert" },
	  .error = "--tls-cert: tls-cert is given 1 and tls-key 0 times: they are pairs, by their order" },
	{ "TLS: one key too many", .args = { "--tls-cert=cert", "--tls-key=cert,cert" },
	  .error = "--tls-key: tls-cert is given 1 and tls-key 2 times: they are pairs, by their order" },
	{ "TLS: no file", .args = { "--tls-cert=cert,nowhere", "--tls-key=cert,cert" }, .error = "--tls-cert: " NO_FILE },
	{ "TLS: no file of a key", .args = { "--tls-cert=cert", "--tls-key=nowhere" }, .error = "--tls-key: " NO_FILE },
	{ "TLS: nine", .args = { "--tls-cert=1,2,3,4,5,6,7,8,9" }, .error = "--tls-cert: \"9\" is one too many: there may be 8" },
	{ "file: a size without counterpart", .args = CONF, .file = "broadcast_buffer: many",
	  .error = "c.conf:1: broadcast_buffer: \"many\" is not a size (bytes, 64k or 10m)" },
};

static bool row_holds(const struct row *r, bool good)
{
	char value[OPTION_VALUE_BYTES_MAX] = "", origin[256];
	uint32_t option;

	if (r->error != NULL || !good) {
		if (!good && r->error != NULL && strcmp(loaded.error, r->error) == 0 && strchr(loaded.error, '\n') == NULL)
			return true;
		printf("# %s\n", good ? "it loaded" : loaded.error);
		return false;
	}
	option = option_by_flag(from(r->option));
	option_value_put(&loaded, option, 0, value);
	options_origin(&loaded, option, origin, sizeof(origin));
	if (strcmp(value, r->value) == 0 && strcmp(origin, r->origin) == 0)
		return true;
	printf("# %s = %s from %s\n", r->option, value, origin);
	return false;
}

static void test_rows(const char *group, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct fixture f = { .config = from(rows[i].file), .key = STR("123\n"), .bundle = rows[i].bundle, .descriptors_max = 65536 };
		bool good = load(rows[i].args, rows[i].env, &f);

		tap_ok(row_holds(&rows[i], good), "%s: %s", group, rows[i].name);
	}
}

static const char *const none[WORDS_MAX];

static void test_defaults(void)
{
	struct fixture f = { .descriptors_max = 65536 };
	const struct server_config *c = &loaded.config;

	tap_ok(load(none, none, &f) && loaded.warning_bytes == 0, "CONTRACT 1: alone, without a word");
	tap_ok(c->listener_count == 1 && c->listeners[0].port == 8080 && c->listeners[0].is_loopback && !c->listeners[0].admin &&
	       str_eq(c->listeners[0].address, STR("127.0.0.1")), "listen");
	tap_ok(c->offline_debounce_ms == 5000 && c->stale_timeout_ms == 90000 && c->cleanup_interval_ms == 30000 &&
	       c->heartbeat_interval_ms == 30000, "debounce, sweep, heartbeat");
	tap_ok(c->ping_period_ms == 54000 && c->pong_wait_ms == 60000 && c->write_wait_ms == 10000, "pings");
	tap_ok(c->presence_ttl_ms == 300000 && c->typing_ttl_ms == 5000 && c->drain_timeout_ms == 10000, "lifetimes");
	tap_ok(c->presence_rate == 1 && c->message_rate == 50 && c->message_burst == 100 && c->user_message_rate == 0 &&
	       !c->command_rate_any, "rates");
	tap_ok(c->connections_max == 10000 && c->connections_per_ip_max == 0 && c->connections_per_user_max == 16 &&
	       c->connection_rate == 0 && c->subscriptions_per_connection_max == 128, "connections");
	tap_ok(c->message_bytes_max[DIALECT_DOTTED] == 10485760 && c->message_bytes_max[DIALECT_SNAKE] == 65536 &&
	       c->message_bytes_max[DIALECT_ECHO] == 65536 && c->message_bytes_max[DIALECT_UPPER] == 65536 && c->fragments_max == 1024,
	       "messages");
	tap_ok(c->client_buffer_messages == 256 && c->client_buffer_bytes == 1048576 && c->slow_consumer == SLOW_DROP, "queues");
	tap_ok(!c->origins_given && c->audience == AUDIENCE_ALL && str_absent(c->api_key), "origins, audience, key");
	tap_ok(c->log_level == LOG_INFO && c->log_format == LOG_LOGFMT && str_eq(c->service_name, STR("presence")) &&
	       str_eq(loaded.rights.user, STR("nobody")), "names and logs");
	tap_ok(c->workers == 1 && c->busy_poll_us == 0 && !c->bound, "CONTRACT 1: workers, busy-poll, cpu-affinity");
	tap_ok(str_eq(c->node_id, STR("0000000000abcdef")) && loaded.node_id_drawn, "node-id is drawn");
}

/* All bytes of the file but one line's end: what ends in a byte that looks like half of one is a key as it is. */
static void test_secrets(void)
{
	static const char *const files[][2] = { { "--jwt-secret-file=secret" }, { "--jwt-secret-file=crlf" }, { "--jwt-secret-file=cr" } };
	static const uint16_t want[] = { 32, 32, 33 };
	struct fixture f = { .descriptors_max = 65536 };

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const char *args[WORDS_MAX] = { files[i][0] };

		tap_ok(load(args, none, &f) && loaded.config.token.keys.keys[0].material_bytes == want[i], "%s", files[i][0]);
	}
}

/* "so that seed 001's configuration block works as it stands" */
static void test_seed_001(void)
{
	static const char *const args[WORDS_MAX] = { "--config=c.conf" };
	struct fixture f = { .descriptors_max = 65536, .config = STR(
		"websocket:\n  write_wait: 11s\n  pong_wait: 61s\n  ping_period: 55s\n  read_buffer_size: 1024\n"
		"  write_buffer_size: 1024\n  max_message_size: 10485760  # 10MB\n  client_buffer_size: 257\n  cleanup_interval: 31s\n"
		"  stale_connection_timeout: 91s\n  register_buffer: 256\n  unregister_buffer: 256\n  broadcast_buffer: 1024\n") };
	const struct server_config *c = &loaded.config;

	tap_ok(load(args, none, &f), "seed 001: its block loads");
	tap_ok(c->write_wait_ms == 11000 && c->pong_wait_ms == 61000 && c->ping_period_ms == 55000 && c->cleanup_interval_ms == 31000 &&
	       c->stale_timeout_ms == 91000, "seed 001: durations");
	tap_ok(c->message_bytes_max[DIALECT_DOTTED] == 10485760 && c->message_bytes_max[DIALECT_UPPER] == 10485760 &&
	       c->client_buffer_messages == 257, "seed 001: sizes");
	tap_ok(str_eq(loaded.notes[option_by_key(STR("broadcast_buffer"))], STR("1024")), "seed 001: what has no counterpart is noted");
}

static void test_lists(void)
{
	static const char *const args[WORDS_MAX] = { "--listen=127.0.0.1:1 unix:/x,admin", "--listen", "[::1]:2,dialect=upper",
		                                     "--allowed-origins=https://a,https://b", "--allowed-origins=*" };
	static const char *const env[WORDS_MAX] = { "PRESENCED_ALLOWED_ORIGINS=https://c" };
	struct fixture f = { .descriptors_max = 65536 };
	const struct server_config *c = &loaded.config;

	tap_ok(load(args, env, &f) && c->listener_count == 3 && c->listeners[1].is_unix && c->listeners[1].admin &&
	       !c->listeners[1].is_loopback && str_eq(c->listeners[1].address, STR("/x")), "three listeners");
	tap_ok(c->listeners[2].has_dialect && c->listeners[2].dialect == DIALECT_UPPER && c->listeners[2].is_loopback &&
	       c->listeners[2].port == 2 && str_eq(c->listeners[2].address, STR("::1")), "IPv6, a dialect");
	tap_ok(c->origin_count == 2 && c->origins_any && c->origins_given, "a stronger source replaces the list");
}

static void test_keys(void)
{
	static const char *const args[WORDS_MAX] = { "--api-key-file=key" };
	static const struct {
		struct str key, want;
		const char *error;
	} rows[] = {
		{ STR("secret\n"), STR("secret"), NULL },
		{ STR("secret"), STR("secret"), NULL },
		{ STR("secret\r\n"), STR("secret"), NULL },
		{ STR(""), STR_NONE, "--api-key-file: \"key\": it is empty" },
		{ STR("\n"), STR_NONE, "--api-key-file: \"key\": it is empty" },
		{ STR("a\n\n"), STR_NONE, "--api-key-file: \"key\": the key holds a byte that is not visible ASCII, and could not be sent in a "
		                          "header" },
	};
	char longest[OPTIONS_KEY_BYTES_MAX + 2];
	struct fixture f = { .descriptors_max = 65536, .key = str_of(longest, OPTIONS_KEY_BYTES_MAX) };

	memset(longest, 'k', sizeof(longest));
	tap_ok(load(args, none, &f) && loaded.config.api_key.n == OPTIONS_KEY_BYTES_MAX, "the longest key");
	f.key.n++;
	tap_ok(!load(args, none, &f) && strstr(loaded.error, "longer than 1024") != NULL, "one byte more");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool good;

		f.key = rows[i].key;
		good = load(args, none, &f);
		tap_ok(good ? str_eq(loaded.config.api_key, rows[i].want) : rows[i].error != NULL && strcmp(loaded.error, rows[i].error) == 0,
		       "key %zu%s%s", i, good ? "" : ": ", good ? "" : loaded.error);
	}
}

static void test_warnings(void)
{
	static const char *const env[WORDS_MAX] = { "PRESENCED_PORT_80_TCP=x", "PRESENCED_typing_ttl=1", "PRESENCED_BROADCAST_BUFFER=1",
		                                    "REDIS_URL=redis://:secret@h", "PRESENCEDX=1", "PRESENCED_" };
	static const char *const pings[WORDS_MAX] = { "--pong-wait=20s" };
	struct fixture f = { .descriptors_max = 65536 };

	tap_ok(load(none, env, &f) && strstr(loaded.warnings, "\"PRESENCED_PORT_80_TCP\" in the environment is no option; ignored\n") != NULL,
	       "CONTRACT 1: an unknown variable only warns");
	tap_ok(strstr(loaded.warnings, "PRESENCED_typing_ttl") != NULL && loaded.config.typing_ttl_ms == 5000, "variables are capitals");
	tap_ok(strstr(loaded.warnings, "REDIS_URL") == NULL && loaded.config.clustered && loaded.config.redis_keys &&
	               loaded.config.redis.password_bytes == 6, "seed 002: REDIS_URL is redis-url");
	tap_ok(strstr(loaded.warnings, "PRESENCEDX") == NULL, "other variables are not ours");
	tap_ok(load(pings, none, &f) && strstr(loaded.warnings, "pong-wait") != NULL, "pings that come too late are said");
}

/* What tokens are verified with and asked for. */
static void test_tokens(void)
{
	static const char *const all[WORDS_MAX] = { "--jwks-file=jwks", "--jwt-key-file=both.pem", "--jwt-secret-file=crlf", "--jwt-issuer=a,b",
		                                    "--jwt-issuer=c", "--jwt-audience", "x y" };
	static const char *const again[WORDS_MAX] = { "--keycloak-client-id=only, two", "--jwt-leeway=5s" };
	static const char *const audience[WORDS_MAX] = { "--jwt-audience=x" };
	static const char *const env[WORDS_MAX] = { KEYCLOAK };
	struct fixture f = { .descriptors_max = 65536 };
	const struct token_config *t = &loaded.config.token;
	const struct jwk_set *keys = &t->keys;

	tap_ok(load(all, none, &f) && loaded.warning_bytes == 0 && keys->count == 5 && keys->passed_over == 1 && loaded.jwks_key_count == 2 &&
	       loaded.pem_key_count == 2, "keys of all three files");
	tap_ok(keys->keys[0].algorithm == JWK_RS256 && str_eq(str_of(keys->keys[0].kid, keys->keys[0].kid_bytes), STR("r 1")) &&
	       keys->keys[1].algorithm == JWK_ES256 && keys->keys[2].algorithm == JWK_RS256 && keys->keys[2].kid_bytes == 0 &&
	       keys->keys[4].algorithm == JWK_HS256, "in their order");
	tap_ok(keys->keys[4].material_bytes == 32 && memcmp(keys->keys[4].material, "0123456789abcdef0123456789abcdef", 32) == 0,
	       "a secret's newline is none of it");
	tap_ok(t->issuers.n == 3 && str_eq(t->issuers.v[2], STR("c")) && t->audiences.n == 2 && t->clients.n == 0 && t->leeway_ms == 30000 &&
	       !t->has_jwks_url, "issuers and audiences");
	tap_ok(memchr(loaded.material, '0', sizeof(loaded.material)) == NULL && memchr(loaded.material, 'A', sizeof(loaded.material)) == NULL,
	       "what was read is wiped");
	tap_ok(load(none, env, &f) && loaded.config.auth == AUTH_JWT && t->has_jwks_url && str_eq(t->jwks_url.host, STR("kc")) &&
	       t->jwks_url.port == 8080 && str_eq(t->jwks_url.path, STR("/realms/colink/protocol/openid-connect/certs")) && t->issuers.n == 1 &&
	       str_eq(t->issuers.v[0], STR("http://kc:8080/realms/colink")) && t->clients.n == 1 && str_eq(t->clients.v[0], STR("colink-api")),
	       "seed 002: Keycloak");
	tap_ok(load(again, env, &f) && t->clients.n == 2 && str_eq(t->clients.v[1], STR("two")) && t->leeway_ms == 5000, "other clients");
	tap_ok(load(audience, env, &f) && t->clients.n == 0 && t->audiences.n == 1 && t->issuers.n == 1, "jwt-audience replaces the client");
}

static void test_token_warnings(void)
{
	static const char *const trust[WORDS_MAX] = { "--auth=trust", "--jwt-secret-file=short", "--jwks-url=http://h" };
	static const char *const brief[WORDS_MAX] = { "--jwt-secret-file=short" };
	static const char *const idle[WORDS_MAX] = { "--tls-cert=cert", "--tls-key=cert" };
	static const char *const env[WORDS_MAX] = { KEYCLOAK };
	struct fixture f = { .descriptors_max = 65536 };

	tap_ok(load(trust, none, &f) && loaded.config.token.keys.count == 0 && !loaded.config.token.has_jwks_url &&
	       strcmp(loaded.warnings, "auth=trust believes whatever id a client gives: not used: jwt-secret-file, jwks-url\n") == 0,
	       "tokens beside auth=trust are said not to count");
	tap_ok(load(brief, none, &f) && loaded.config.token.keys.count == 1 &&
	       strcmp(loaded.warnings, "jwt-secret-file: \"short\": the secret has 6 bytes; fewer than 32 can be guessed\n") == 0,
	       "a short secret is said, and not shown");
	tap_ok(load(idle, none, &f) && strstr(loaded.warnings, "nobody is served over TLS") != NULL, "a certificate that nobody uses is said");
	tap_ok(load(none, env, &f) && loaded.warning_bytes == 0, "seed 002: KEYCLOAK_URL is used, without a word");
}

static void test_services(void)
{
	static const char *const args[WORDS_MAX] = { "--user-check-url=https://u.example/users/", "--ca-file=cert", "--tls-cert=cert",
		                                     "--tls-cert=a b", "--tls-key=a b , cert", "--listen=:0,tls :0,tls,dialect=upper",
		                                     "--auth=trust", "--trusted-proxies=10.0.0.0/8,unix" };
	struct fixture f = { .descriptors_max = 65536 };
	const struct server_config *c = &loaded.config;

	tap_ok(load(args, none, &f) && loaded.warning_bytes == 0 && c->has_user_check && c->user_check_url.tls &&
	       c->user_check_url.port == 443 && str_eq(c->user_check_url.path, STR("/users")), "user check: a slash at the end is dropped");
	tap_ok(c->tls.pair_count == 2 && str_eq(c->tls.pairs[1].cert, STR("a b")) && str_eq(c->tls.pairs[1].key, STR("cert")) &&
	       str_eq(c->tls.ca, STR("cert")) && c->listeners[1].tls && !c->listeners[0].admin, "TLS: pairs by their order");
	tap_ok(c->proxy_count == 2 && c->proxies[0].prefix_bits == 104 && c->proxies[0].address[11] == 0xff &&
	       c->proxies[0].address[12] == 10 && c->proxies[1].prefix_bits == 128, "proxies");
}

/* A URL as long as it may be leaves no room for what Keycloak's is followed by. */
static void test_long_keycloak(void)
{
	static char url[URL_BYTES_MAX + 32];
	const char *args[WORDS_MAX] = { url, "--keycloak-realm=r", "--keycloak-client-id=c" };
	struct fixture f = { .descriptors_max = 65536 };
	int n = snprintf(url, sizeof(url), "--keycloak-url=http://h/");

	memset(url + n, 'a', URL_BYTES_MAX - 9);
	tap_ok(!load(args, none, &f) && strstr(loaded.error, "is no URL that /realms/... can follow") != NULL, "Keycloak: too long a URL");
	url[n + URL_BYTES_MAX - 47] = '\0'; /* http://h/ and /realms/r/protocol/openid-connect/certs are 48 */
	tap_ok(!load(args, none, &f), "Keycloak: one byte too long");
	url[n + URL_BYTES_MAX - 48] = '\0';
	tap_ok(load(args, none, &f) && loaded.config.token.jwks_url.path.n > URL_BYTES_MAX - 10, "Keycloak: the longest");
}

/* Many unknown variables fill the warnings and nothing else. */
static void test_many_warnings(void)
{
	static char names[256][64];
	char *env[257] = { NULL }, *args[1] = { NULL };
	struct fixture f = { .descriptors_max = 65536 };

	for (int i = 0; i < 256; i++) {
		snprintf(names[i], sizeof(names[i]), "PRESENCED_UNKNOWN_%d_AND_A_LONG_TAIL_OF_LETTERS=1", i);
		env[i] = names[i];
	}
	tap_ok(fixture_load(&loaded, &f, args, env) && loaded.warning_bytes < sizeof(loaded.warnings) &&
	       loaded.warnings[loaded.warning_bytes] == '\0' && loaded.warnings[loaded.warning_bytes - 1] == '\n', "more warnings than room");
}

/* What `check` prints is a file that comes to the same. */
static void round_trip(const char *const *args, const char *const *env)
{
	static char first[65536], second[65536];
	static const char *const again[WORDS_MAX] = { "--config=c.conf" };
	struct fixture f = { .descriptors_max = 65536 };
	size_t n = 0, m = 0;

	if (tap_ok(load(args, env, &f), "round trip: flags load"))
		n = fixture_print(&loaded, first, sizeof(first));
	f.config = str_of(first, n);
	if (tap_ok(load(again, none, &f), "round trip: what they come to loads as a file"))
		m = fixture_print(&loaded, second, sizeof(second));
	else
		printf("# %s\n", loaded.error);
	tap_ok(n == m && memcmp(first, second, n) == 0, "round trip: and comes to the same");
}

static void test_round_trip(void)
{
	static const char *const flags[WORDS_MAX] = { "--listen=[::]:8080,dialect=rooms,admin unix:/tmp/x :0", "--auth=trust",
		                                      "--allowed-origins=https://a.example,*", "--service-name= 'x' # y",
		                                      "--max-message-size=1000", "--cpu-affinity=0,2-3", "--offline-debounce=1500ms", "--rate-typing=3",
		                                      "--trusted-proxies=unix,::/0,::/127,10.0.0.0/8,2001:db8::/33" };
	static const char *const tokens[WORDS_MAX] = { "--jwks-file=jwks", "--jwt-issuer='i', #x", "--jwt-secret-file=secret",
		                                       "--tls-cert=a b,cert", "--tls-key=cert,a b", "--listen=:0,tls", "--public-reads=1" };
	static const char *const derived[WORDS_MAX] = { KEYCLOAK, "SERVICE_PORT=8006" };

	round_trip(flags, none);
	round_trip(tokens, derived);
	round_trip(none, derived);
}

/* Every start of a file, against a page that must not be touched. */
static void test_guarded(void)
{
	static const char text[] = "\xef\xbb\xbf# c\r\nlisten: '[::1]:80' # x\n\tuser = \"a\" \nwebsocket:\n k=\xc3\xa9\n--- \n x 1";
	char *map = mmap(NULL, 2 * GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool good = map != MAP_FAILED && mprotect(map + GUARD_BYTES, GUARD_BYTES, PROT_NONE) == 0;

	for (size_t n = 0; good && n < sizeof(text); n++) {
		struct config_file f;
		struct config_entry entry;
		uint32_t lines = 0;

		memcpy(map + GUARD_BYTES - n, text, n);
		config_file_init(&f, str_of(map + GUARD_BYTES - n, n));
		while (config_file_next(&f, &entry) <= CONFIG_FILE_EMPTY) {
			good &= entry.line > lines;
			lines = entry.line;
		}
	}
	tap_ok(good, "config_file: every start of a text, against a guard page");
}

static void test_file_end(void)
{
	struct config_file f;
	struct config_entry entry;

	config_file_init(&f, STR("a=1\nb\nc=2"));
	tap_ok(config_file_next(&f, &entry) == CONFIG_FILE_ENTRY && config_file_next(&f, &entry) == CONFIG_FILE_NO_PAIR && f.line == 2 &&
	       config_file_next(&f, &entry) == CONFIG_FILE_NO_PAIR && f.line == 2, "config_file: errors are sticky");
	config_file_init(&f, STR_NONE);
	tap_ok(config_file_next(&f, &entry) == CONFIG_FILE_END && config_file_next(&f, &entry) == CONFIG_FILE_END, "config_file: an end stays");
	config_file_init(&f, str_of("a=1\0", 4));
	tap_ok(config_file_next(&f, &entry) == CONFIG_FILE_NOT_TEXT, "config_file: NUL");
}

int main(void)
{
	test_defaults();
	test_rows("source", sources, sizeof(sources) / sizeof(sources[0]));
	test_rows("error", errors, sizeof(errors) / sizeof(errors[0]));
	test_secrets();
	test_seed_001();
	test_lists();
	test_keys();
	test_warnings();
	test_tokens();
	test_token_warnings();
	test_services();
	test_long_keycloak();
	test_many_warnings();
	test_round_trip();
	test_guarded();
	test_file_end();
	return tap_done();
}
