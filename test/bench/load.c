/*
 * test/bench/load.c: the load generator's command line. `load --help` lists it; README.md says what each figure means.
 * Loopback only, one thread, and it stops by itself: a scenario has time limits, and an alarm stands behind them.
 */
#include "scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIFE_SECONDS_MAX = 300 };

static const char usage[] =
	"usage: load SCENARIO [options]\n"
	"  fanout   one client speaks to --clients receivers, --window events outstanding\n"
	"  rate     the same, --rate events a second whatever happens; latency from the intended time\n"
	"  flood    rate twice, the second time with --handshakes a second that a full server refuses\n"
	"  echo     --clients connections, --window requests outstanding on each\n"
	"  connect  connect, upgrade, one answer, close; --clients at a time\n"
	"  idle     --clients silent connections; memory of --pid before and after\n"
	"  startup  --runs times: from exec to the first accepted connection; the command follows --\n"
	"options:\n"
	"  --port P            of the server\n"
	"  --host A            its address, in 127.0.0.0/8 (127.0.0.1)\n"
	"  --pid N             the server's process, for CPU and memory\n"
	"  --dialect D         rooms, dotted, snake, echo, floor (rooms)\n"
	"  --clients N         (1000)      --window K   (1, at most 64)   --rate R (50)\n"
	"  --handshakes R      (flood; 10000)   --hello-port P  (flood: hellos of TLS, to there)\n"
	"  --tokens FILE       a token a line: one for each client and one more, the others for the flood to ask with\n"
	"  --seconds S         how long to measure, e.g. 0.5 (3)\n"
	"  --event-bytes N     wished payload of an event (160)\n"
	"  --users N           distinct user ids (one per client)   --rooms N (idle; 100)\n"
	"  --sources N         source addresses (64)   --flight N connections begun at a time (256)\n"
	"  --core N            the core to stay on (1; -1: any)     --runs N (20)\n";

struct scene {
	const char *name;
	bool (*run)(const struct scene_options *o);
};

static const struct scene scenes[] = {
	{ "fanout", scene_fanout }, { "rate", scene_rate }, { "flood", scene_flood }, { "echo", scene_echo },
	{ "connect", scene_connect }, { "idle", scene_idle }, { "startup", scene_startup },
};

enum key { KEY_PORT, KEY_PID, KEY_CLIENTS, KEY_WINDOW, KEY_RATE, KEY_BYTES, KEY_USERS, KEY_ROOMS, KEY_SOURCES, KEY_FLIGHT,
           KEY_RUNS, KEY_HANDSHAKES, KEY_HELLO, KEY_NUMBERS, KEY_HOST, KEY_DIALECT, KEY_SECONDS, KEY_CORE, KEY_TOKENS,
           KEY_HELP };

static const struct option longs[] = {
	{ "port", 1, NULL, KEY_PORT }, { "pid", 1, NULL, KEY_PID }, { "clients", 1, NULL, KEY_CLIENTS },
	{ "window", 1, NULL, KEY_WINDOW }, { "rate", 1, NULL, KEY_RATE }, { "event-bytes", 1, NULL, KEY_BYTES },
	{ "users", 1, NULL, KEY_USERS }, { "rooms", 1, NULL, KEY_ROOMS }, { "sources", 1, NULL, KEY_SOURCES },
	{ "flight", 1, NULL, KEY_FLIGHT }, { "runs", 1, NULL, KEY_RUNS }, { "host", 1, NULL, KEY_HOST },
	{ "dialect", 1, NULL, KEY_DIALECT }, { "seconds", 1, NULL, KEY_SECONDS }, { "core", 1, NULL, KEY_CORE },
	{ "handshakes", 1, NULL, KEY_HANDSHAKES }, { "hello-port", 1, NULL, KEY_HELLO },
	{ "tokens", 1, NULL, KEY_TOKENS }, { "help", 0, NULL, KEY_HELP }, { NULL, 0, NULL, 0 },
};

struct number {
	uint32_t least, most, value;
};

static bool number_of(struct number *n, const char *text)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || v < n->least || v > n->most)
		return false;
	n->value = (uint32_t)v;
	return true;
}

/* "3", "0.25" to milliseconds, at most 60 s. */
static bool seconds_of(const char *text, uint32_t *ms)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end != '\0' || !(s >= 0.01 && s <= 60))
		return false;
	*ms = (uint32_t)(s * 1000);
	return true;
}

static bool host_of(const char *text, struct in_addr *addr)
{
	return inet_pton(AF_INET, text, addr) == 1 && ntohl(addr->s_addr) >> 24 == 127;
}

static bool option_is(struct scene_options *o, struct number *numbers, int *core, int key, const char *text)
{
	switch (key) {
	case KEY_HOST:    return host_of(text, &o->addr);
	case KEY_SECONDS: return seconds_of(text, &o->seconds_ms);
	case KEY_DIALECT: o->dialect = text; return true;
	case KEY_TOKENS:  return (o->tokens = script_read_tokens(text, &o->token_count)) != NULL;
	case KEY_CORE:    *core = strcmp(text, "-1") == 0 ? -1 : (int)strtoul(text, NULL, 10); return true;
	default:          return key >= 0 && key < KEY_NUMBERS && number_of(&numbers[key], text);
	}
}

static void take_numbers(struct scene_options *o, const struct number *n)
{
	o->port = (uint16_t)n[KEY_PORT].value;
	o->pid = (pid_t)n[KEY_PID].value;
	o->clients = n[KEY_CLIENTS].value;
	o->window = n[KEY_WINDOW].value;
	o->rate = n[KEY_RATE].value;
	o->event_bytes = n[KEY_BYTES].value;
	o->users = n[KEY_USERS].value;
	o->rooms = n[KEY_ROOMS].value;
	o->sources = n[KEY_SOURCES].value;
	o->flight = n[KEY_FLIGHT].value;
	o->runs = n[KEY_RUNS].value;
	o->handshakes = n[KEY_HANDSHAKES].value;
	o->hello_port = (uint16_t)n[KEY_HELLO].value;
}

/* 0: go on; else the exit code plus one. */
static int parse(struct scene_options *o, int *core, int argc, char **argv)
{
	struct number numbers[KEY_NUMBERS] = {
		[KEY_PORT] = { 1, 65535, 8080 }, [KEY_PID] = { 0, 0x7fffffff, 0 },
		[KEY_CLIENTS] = { 1, SCENE_CLIENTS_MAX, 1000 }, [KEY_WINDOW] = { 1, SCENE_WINDOW_MAX, 1 },
		[KEY_RATE] = { 1, 1000000, 50 }, [KEY_BYTES] = { 0, 1000, 160 }, [KEY_USERS] = { 1, 9999999, 9999999 },
		[KEY_ROOMS] = { 1, 1000000, 100 }, [KEY_SOURCES] = { 1, 200, 64 }, [KEY_FLIGHT] = { 1, 4096, 256 },
		[KEY_RUNS] = { 1, 1000, 20 }, [KEY_HANDSHAKES] = { 1, 1000000, 10000 },
		[KEY_HELLO] = { 0, 65535, 0 },
	};
	int which = 0;
	int key;

	while ((key = getopt_long(argc, argv, "", longs, &which)) != -1) {
		if (key == KEY_HELP) {
			(void)fputs(usage, stdout);
			return 1;
		}
		if (!option_is(o, numbers, core, key, optarg)) {
			if (key != '?')
				(void)fprintf(stderr, "load: --%s: bad value '%s'\n", longs[which].name, optarg);
			return 3;
		}
	}
	take_numbers(o, numbers);
	o->command = argv + optind;
	return 0;
}

int main(int argc, char **argv)
{
	struct scene_options o = { .dialect = "rooms", .seconds_ms = 3000 };
	const struct scene *scene = NULL;
	int core = 1;
	int done;
	size_t i;

	o.addr.s_addr = htonl(INADDR_LOOPBACK);
	done = parse(&o, &core, argc, argv);
	if (done != 0)
		return done - 1;
	for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (o.command[0] != NULL && strcmp(scenes[i].name, o.command[0]) == 0)
			scene = &scenes[i];
	if (scene == NULL) {
		(void)fputs(usage, stderr);
		return 2;
	}
	o.scenario = scene->name;
	o.command++;
	if (scene->run == scene_startup && o.command[0] == NULL) {
		(void)fprintf(stderr, "load: startup needs a command after --\n");
		return 2;
	}
	if (!fleet_prepare(core, LIFE_SECONDS_MAX)) {
		(void)fprintf(stderr, "load: cannot stay on core %d (--core -1: any)\n", core);
		return 1;
	}
	return scene->run(&o) ? 0 : 1;
}
