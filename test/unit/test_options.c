/*
 * options: what every source does, which one wins, and one line for everything that is wrong. Rows name CONTRACT 1 or the seed that
 * they come from.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "options_fixture.h"
#include "tap.h"

enum { WORDS_MAX = 8, GUARD_BYTES = 65536 };

static struct options loaded; /* too large for the stack */

struct row {
	const char *name;
	const char *args[WORDS_MAX], *env[WORDS_MAX];
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
	char *argv[WORDS_MAX + 1] = { NULL }, *envp[WORDS_MAX + 1] = { NULL };

	for (int i = 0; i < WORDS_MAX && args[i] != NULL; i++)
		argv[i] = (char *)args[i];
	for (int i = 0; i < WORDS_MAX && env[i] != NULL; i++)
		envp[i] = (char *)env[i];
	return fixture_load(&loaded, f, argv, envp);
}

#define VALUE(option_, value_, origin_) .option = (option_), .value = (value_), .origin = (origin_)
#define CONF { "--config", "c.conf" }

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
	{ "not offered yet", .args = { "--redis-url=redis://x" }, .error = "unknown option \"--redis-url\" (--help lists them)" },
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
	{ "origin", .args = { "--allowed-origins=https://a.example,example.org" },
	  .error = "--allowed-origins: \"example.org\" is not an origin (https://example.org, or *)" },
	{ "origin with a path", .args = { "--allowed-origins=https://a.example/" },
	  .error = "--allowed-origins: \"https://a.example/\" is not an origin (https://example.org, or *)" },
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
		struct fixture f = { .config = from(rows[i].file), .key = STR("k3y\n"), .descriptors_max = 65536 };
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
	       str_eq(loaded.user, STR("nobody")), "names and logs");
	tap_ok(str_eq(c->node_id, STR("0000000000abcdef")) && loaded.node_id_drawn, "node-id is drawn");
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

static void test_descriptors(void)
{
	static const char *const written[WORDS_MAX] = { "--max-connections=1000" };
	struct fixture f = { .descriptors_max = 1024 };

	tap_ok(load(none, none, &f) && loaded.config.connections_max == 924 && loaded.connections_lowered &&
	       strstr(loaded.warnings, "max-connections is 924, not 10000") != NULL, "O12: a default is lowered, with a warning");
	tap_ok(!load(written, none, &f) && strcmp(loaded.error, "--max-connections: 1000 cannot be met: a process may open 1024 files "
	       "here (ulimit -n), 100 of which are kept back") == 0, "O12: a written value is refused");
	f.descriptors_max = 100;
	tap_ok(!load(none, none, &f) && strstr(loaded.error, "max-connections: 10000 cannot be met") == loaded.error,
	       "O12: no room for any");
	f.descriptors_max = 1100;
	tap_ok(load(written, none, &f) && loaded.config.connections_max == 1000 && !loaded.connections_lowered, "O12: it just fits");
	f.descriptors_max = UINT64_MAX;
	tap_ok(load(none, none, &f) && loaded.config.connections_max == 10000, "no limit");
}

static void test_memory(void)
{
	static const char *const written[WORDS_MAX] = { "--max-connections=2000" };
	struct fixture f = { .descriptors_max = 65536, .memory_max = 2 * 1048576 };

	tap_ok(load(none, none, &f) && loaded.config.connections_max == 1024 && loaded.connections_lowered &&
	       strstr(loaded.warnings, "max-connections is 1024, not 10000: more could need more than the 2 MiB") != NULL,
	       "O12: a default is lowered to the memory limit");
	tap_ok(!load(written, none, &f) && strcmp(loaded.error, "--max-connections: 2000 could need 3 MiB of memory, and this process may "
	       "use 2 MiB; a smaller max-message-size or client-buffer needs less") == 0, "O12: a written value is refused");
	f.memory_max = 1048576;
	tap_ok(!load(none, none, &f) && strstr(loaded.error, "max-connections: 10000 could need") == loaded.error, "O12: no room for any");
	f.memory_max = 1048576 + 1024;
	tap_ok(load(none, none, &f) && loaded.config.connections_max == 1, "O12: room for one");
	f.memory_max = 1048576 + 10000 * 1024;
	tap_ok(load(none, none, &f) && loaded.config.connections_max == 10000 && !loaded.connections_lowered, "O12: it just fits");
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
	tap_ok(strstr(loaded.warnings, "REDIS_URL is set") != NULL && strstr(loaded.warnings, "secret") == NULL,
	       "seed 002: what this build does not use is said");
	tap_ok(strstr(loaded.warnings, "PRESENCEDX") == NULL, "other variables are not ours");
	tap_ok(load(pings, none, &f) && strstr(loaded.warnings, "pong-wait") != NULL, "pings that come too late are said");
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
static void test_round_trip(void)
{
	static char first[65536], second[65536];
	static const char *const args[WORDS_MAX] = { "--listen=[::]:8080,dialect=rooms,admin unix:/tmp/x :0", "--auth=trust",
		                                     "--allowed-origins=https://a.example,*", "--service-name= 'x' # y",
		                                     "--max-message-size=1000", "--offline-debounce=1500ms", "--rate-typing=3" };
	static const char *const again[WORDS_MAX] = { "--config=c.conf" };
	struct fixture f = { .descriptors_max = 65536 };
	size_t n = 0, m = 0;

	if (tap_ok(load(args, none, &f), "round trip: flags load"))
		n = fixture_print(&loaded, first, sizeof(first));
	f.config = str_of(first, n);
	if (tap_ok(load(again, none, &f), "round trip: what they come to loads as a file"))
		m = fixture_print(&loaded, second, sizeof(second));
	else
		printf("# %s\n", loaded.error);
	tap_ok(n == m && memcmp(first, second, n) == 0, "round trip: and comes to the same");
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
	test_seed_001();
	test_lists();
	test_descriptors();
	test_memory();
	test_keys();
	test_warnings();
	test_many_warnings();
	test_round_trip();
	test_guarded();
	test_file_end();
	return tap_done();
}
