/*
 * test/scorecard/crowd.c: thousands who come at once, are sent away, and come again. `crowd --help` lists what it does.
 *
 * Who is refused, or whose connection fails, comes again after AGAIN_MS: the slot waits in a ring, which holds each slot at
 * most once. Every time is counted from the command that it answers.
 */
#include "bench/fleet.h"
#include "bench/hist.h"
#include "bench/proc.h"
#include "tls_way.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIFE_SECONDS_MAX = 600, SOURCES = 64, AGAIN_MS = 200, TENTHS = 10, NS_PER_MS = 1000000, LINE_BYTES_MAX = 1024 };

static const char usage[] =
	"usage: crowd --port P [options]; reads commands from standard input, says a line of key=value to each\n"
	"  --clients N (10000)  --flight N begun at a time (10000)  --dialect D (rooms)  --rooms N (100)\n"
	"  --first N identity of the first (0)  --tokens FILE its line N for identity N  --tls 1  --resume 1  --core N (1)\n"
	"  --span MS (5000)\n"
	"commands:\n"
	"  fill S   all connect, and come again if refused, until all have joined or S seconds have gone\n"
	"  drop     resets all connections\n"
	"  wait S   reads until all were closed or S seconds have gone; when they were closed, by tenths of --span MS\n"
	"  idle S   reads for so long\n";

struct options {
	uint32_t port, clients, flight, rooms, first, core, tls, resume, span_ms;
	const char *dialect, *tokens;
};

struct again {
	uint32_t slot;
	uint64_t at_ns;
};

struct crowd {
	struct fleet fleet;
	struct script script;
	const struct options *o;
	uint64_t from_ns;
	bool filling;
	struct again *ring;           /* [first, first + waiting) modulo clients */
	uint32_t ring_first, waiting;
	uint32_t refused, failed, ended, ended_1001, tenths[TENTHS + 1];
	uint64_t last_ns;
	struct hist joined, closed;
};

static void ready(void *ctx, struct client *c)
{
	struct crowd *x = ctx;

	(void)c;
	x->last_ns = proc_now_ns();
	hist_add(&x->joined, x->last_ns - x->from_ns);
}

static void ended(void *ctx, struct client *c, unsigned code)
{
	struct crowd *x = ctx;
	uint64_t past_ns = proc_now_ns() - x->from_ns;
	uint64_t tenth = past_ns / NS_PER_MS * TENTHS / x->o->span_ms;

	if (x->filling) {
		x->refused += code > 0;
		x->failed += code == 0;
		x->ring[(x->ring_first + x->waiting++) % x->o->clients] =
			(struct again){ c->slot, x->from_ns + past_ns + AGAIN_MS * UINT64_C(1000000) };
		return;
	}
	x->ended++;
	x->ended_1001 += code == 1001;
	x->tenths[tenth < TENTHS ? tenth : TENTHS]++;
	hist_add(&x->closed, past_ns);
}

static void begin_command(struct crowd *x)
{
	x->from_ns = x->last_ns = proc_now_ns();
	x->waiting = x->refused = x->failed = x->ended = x->ended_1001 = 0;
	memset(x->tenths, 0, sizeof(x->tenths));
	hist_reset(&x->joined);
	hist_reset(&x->closed);
}

/* The next to be begun: one who never was, else one who may come again by now. UINT32_MAX: nobody yet. */
static uint32_t next(struct crowd *x, uint32_t *at)
{
	while (*at < x->o->clients && x->fleet.clients[*at].state != CLIENT_FREE)
		++*at;
	if (*at < x->o->clients)
		return (*at)++;
	if (x->waiting == 0 || x->ring[x->ring_first].at_ns > proc_now_ns())
		return UINT32_MAX;
	x->waiting--;
	x->ring_first = (x->ring_first + 1) % x->o->clients;
	return x->ring[(x->ring_first + x->o->clients - 1) % x->o->clients].slot;
}

static void print_hist(const char *name, const struct hist *h)
{
	(void)printf(" %s_p01_ms=%" PRIu64 " %s_p50_ms=%" PRIu64 " %s_p99_ms=%" PRIu64 " %s_max_ms=%" PRIu64, name,
	             hist_quantile(h, 10) / NS_PER_MS, name, hist_quantile(h, 500) / NS_PER_MS, name,
	             hist_quantile(h, 990) / NS_PER_MS, name, h->max / NS_PER_MS);
}

static void fill(struct crowd *x, uint64_t deadline_ns)
{
	uint32_t at = 0, slot, done = 0, resumed = 0;
	int begun;

	x->filling = true;
	while (x->fleet.ready < x->o->clients && !fleet_failed(&x->fleet) && proc_now_ns() < deadline_ns) {
		for (begun = 0; begun < 64 && x->fleet.open - x->fleet.ready < x->o->flight; begun++) {
			slot = next(x, &at);
			if (slot == UINT32_MAX)
				break;
			fleet_open(&x->fleet, slot, x->o->first + slot);
		}
		fleet_turn(&x->fleet, begun > 0 ? 0 : 10);
	}
	x->filling = false;
	if (x->o->tls)
		tls_way_count(&x->fleet, &done, &resumed);
	(void)printf("ready=%u ms=%" PRIu64 " refused=%u failed=%u handshakes=%u resumed=%u", x->fleet.ready,
	             (x->last_ns - x->from_ns) / NS_PER_MS, x->refused, x->failed, done, resumed);
	print_hist("joined", &x->joined);
}

static void drop(struct crowd *x)
{
	uint32_t i;

	for (i = 0; i < x->o->clients; i++)
		if (x->fleet.clients[i].state != CLIENT_FREE)
			fleet_reset(&x->fleet, &x->fleet.clients[i]);
	(void)printf("open=%u ms=%" PRIu64, x->fleet.open, (proc_now_ns() - x->from_ns) / NS_PER_MS);
}

static void wait_for_ends(struct crowd *x, uint64_t deadline_ns)
{
	int i;

	while (x->fleet.open > 0 && !fleet_failed(&x->fleet) && proc_now_ns() < deadline_ns)
		fleet_turn(&x->fleet, 10);
	(void)printf("open=%u ended=%u ended_1001=%u", x->fleet.open, x->ended, x->ended_1001);
	print_hist("closed", &x->closed);
	for (i = 0; i <= TENTHS; i++)
		(void)printf(" tenth%d=%u", i, x->tenths[i]);
}

static bool obey(struct crowd *x, const char *command)
{
	const char *number = strchr(command, ' ');
	uint64_t deadline_ns = proc_now_ns() + (number == NULL ? 0 : strtoull(number, NULL, 10)) * UINT64_C(1000000000);

	begin_command(x);
	if (strncmp(command, "fill ", 5) == 0)
		fill(x, deadline_ns);
	else if (strcmp(command, "drop") == 0)
		drop(x);
	else if (strncmp(command, "wait ", 5) == 0)
		wait_for_ends(x, deadline_ns);
	else if (strncmp(command, "idle ", 5) == 0)
		while (proc_now_ns() < deadline_ns && !fleet_failed(&x->fleet))
			fleet_turn(&x->fleet, 10);
	else
		fleet_fault(&x->fleet, "no command '%s'", command);
	(void)printf(" over=1\n");
	(void)fflush(stdout);
	return !fleet_failed(&x->fleet);
}

static bool begin(struct crowd *x)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };

	if (!script_init(&x->script, x->o->dialect, 0, 9999999, x->o->rooms) ||
	    !fleet_init(&x->fleet, &x->script, loopback, (uint16_t)x->o->port, x->o->clients, SOURCES))
		return false;
	if (x->o->tokens != NULL && (x->script.tokens = script_read_tokens(x->o->tokens, &x->script.token_count)) == NULL)
		return false;
	x->fleet.ctx = x;
	x->fleet.on_ready = ready;
	x->fleet.on_end = ended;
	x->ring = calloc(x->o->clients, sizeof(*x->ring));
	return x->ring != NULL && (!x->o->tls || tls_way_begin(&x->fleet, x->o->resume));
}

static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port", 1, NULL, 0 }, { "clients", 1, NULL, 1 }, { "flight", 1, NULL, 2 }, { "rooms", 1, NULL, 3 }, { "first", 1, NULL, 4 },
		{ "core", 1, NULL, 5 }, { "tls", 1, NULL, 6 }, { "resume", 1, NULL, 7 }, { "span", 1, NULL, 8 }, { "dialect", 1, NULL, 9 },
		{ "tokens", 1, NULL, 10 }, { NULL, 0, NULL, 0 },
	};
	uint32_t *const numbers[] = { &o->port, &o->clients, &o->flight, &o->rooms, &o->first, &o->core, &o->tls, &o->resume,
		                      &o->span_ms };
	int key;

	while ((key = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (key == '?')
			return false;
		if (key == 9)
			o->dialect = optarg;
		else if (key == 10)
			o->tokens = optarg;
		else
			*numbers[key] = (uint32_t)strtoul(optarg, NULL, 10);
	}
	return optind == argc && o->port > 0 && o->port < 65536 && o->clients > 0 && o->clients < 19900 && o->span_ms > 0 && o->rooms > 0;
}

int main(int argc, char **argv)
{
	struct options o = { .clients = 10000, .flight = 10000, .rooms = 100, .core = 1, .span_ms = 5000, .dialect = "rooms" };
	struct crowd *x = calloc(1, sizeof(*x));
	char line[LINE_BYTES_MAX];

	if (x == NULL || !parse(&o, argc, argv) || !fleet_prepare((int)o.core, LIFE_SECONDS_MAX)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	x->o = &o;
	if (!begin(x)) {
		(void)fprintf(stderr, "crowd: cannot begin: memory, the dialect, or no tokens\n");
		return 1;
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (!obey(x, line))
			break;
	}
	if (fleet_failed(&x->fleet))
		(void)fprintf(stderr, "crowd: %s\n", x->fleet.fault);
	return fleet_failed(&x->fleet) ? 1 : 0;
}
