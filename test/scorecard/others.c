/*
 * test/scorecard/others.c: those who are there while something happens to the server. One speaks at an even pace, --clients
 * hear it, one pings; --slow more hear it too until they are told to read nothing. `others --help` lists the rest.
 *
 * Slot 0 speaks, 1 to N hear, N + 1 pings, the slow ones follow. The g-th counted frame of a receiver is event g, and its
 * latency runs from when it should have been said; events [done, sent) are under way. That one of the N misses an event,
 * hears too many, or is closed, is a fault. It sleeps until something is due or comes, so that it can share a core with what
 * attacks; it asks for SCHED_FIFO, so that it need not wait for that.
 */
#include "bench/fleet.h"
#include "bench/hist.h"
#include "bench/proc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	LIFE_SECONDS_MAX = 600, RING = 65536, SOURCES = 64, FLIGHT = 256, FILL_SECONDS = 60, SETTLE_MS = 300, DRAIN_MS = 10000,
	BEHIND_MAX = 64, COMMAND_BYTES_MAX = 128, WINDOW = 16, SECOND_NS = 1000000000
};

static const char usage[] =
	"usage: others --port P [options]; reads commands from standard input, says a line of key=value to each\n"
	"  --clients N (100)  --slow N (0)  --rate R events/s (50)  --pings R /s (0)  --dialect D (dotted)\n"
	"  --event-bytes N (160)  --first N identity of the speaker (9000000)  --core N (1)\n"
	"  --tokens FILE its line N for identity N\n"
	"commands:\n"
	"  mark     figures since the last mark\n"
	"  deaf     the slow ones read nothing any more\n"
	"  burst N  says N events, 16 outstanding, before it goes on\n"
	"  hear     they read again\n"
	"  last     how many of them were closed, and how many heard the last event; says nothing meanwhile\n"
	"  reopen   those that were closed connect again\n"
	"  end      waits until all was heard, and ends\n";

struct options {
	uint32_t port, clients, slow, rate, pings, bytes, first, core;
	const char *dialect, *tokens;
};

struct others {
	struct fleet fleet;
	struct script script;
	const struct options *o;
	int epoll_fd, timer_fd;
	bool counting, quiet, over;
	uint64_t sent, done, pinged;
	uint64_t start_ns, said, pings_said; /* since when it speaks, and what was due since */
	uint64_t mark_ns, mark_sent, deliveries;
	uint64_t closed, closed_1013;
	struct hist events, pongs;
	uint32_t left[RING];
	uint64_t intended_ns[RING], ping_ns[RING];
	uint32_t events_now, pongs_now; /* of one read */
	const char *marker;
	uint8_t *heard_last; /* of the slow ones: which variant */
	size_t speech_bytes[2], ask_bytes;
	uint8_t speech[2][SCRIPT_BYTES_MAX], ask[SCRIPT_BYTES_MAX];
	size_t command_bytes;
	char command[COMMAND_BYTES_MAX];
};

static uint32_t pinger(const struct others *x)
{
	return x->o->clients + 1;
}

static uint32_t slow_first(const struct others *x)
{
	return x->o->clients + 2;
}

static uint32_t slow_end(const struct others *x)
{
	return slow_first(x) + x->o->slow;
}

/* What told() has seen in one read. */
static void heard(void *ctx, struct client *c, uint32_t n, uint64_t now)
{
	struct others *x = ctx;

	n = c->slot == pinger(x) ? x->pongs_now : x->events_now;
	x->events_now = x->pongs_now = 0;
	if (!x->counting || c->slot == 0 || c->slot >= slow_first(x))
		return;
	for (; n > 0; n--, c->got++) {
		if (c->slot == pinger(x)) {
			hist_add(&x->pongs, now - x->ping_ns[c->got % RING]);
			continue;
		}
		if (c->got >= x->sent) {
			fleet_fault(&x->fleet, "client %u heard more than was said", c->slot);
			return;
		}
		hist_add(&x->events, now - x->intended_ns[c->got % RING]);
		x->deliveries++;
		if (--x->left[c->got % RING] == 0)
			x->done++;
	}
}

/* Other words than the event's and the pong may come; the variants of the event differ in one word. */
static void told(void *ctx, struct client *c, const char *text, size_t n)
{
	struct others *x = ctx;

	if (memmem(text, n, "\"pong\"", 6) != NULL)
		x->pongs_now++;
	else if (memmem(text, n, x->marker, strlen(x->marker)) == NULL)
		return;
	else
		x->events_now++;
	if (c->slot >= slow_first(x) && x->counting)
		x->heard_last[c->slot - slow_first(x)] = memmem(text, n, "ev-b", 4) != NULL ? 1 : 0;
}

static void ended(void *ctx, struct client *c, unsigned code)
{
	struct others *x = ctx;

	if (c->slot < slow_first(x)) {
		fleet_fault(&x->fleet, "client %u, which reads, was closed: %u", c->slot, code);
		return;
	}
	x->closed++;
	x->closed_1013 += code == 1013;
}

static void say(struct others *x, uint64_t intended)
{
	size_t which = x->sent % 2;

	if (x->sent - x->done >= RING) {
		fleet_fault(&x->fleet, "the server is %d events behind", RING);
		return;
	}
	x->left[x->sent % RING] = x->o->clients;
	x->intended_ns[x->sent % RING] = intended;
	x->sent++;
	fleet_send(&x->fleet, &x->fleet.clients[0], x->speech[which], x->speech_bytes[which]);
}

static void ping(struct others *x, uint64_t intended)
{
	x->ping_ns[x->pinged++ % RING] = intended;
	fleet_send(&x->fleet, &x->fleet.clients[pinger(x)], x->ask, x->ask_bytes);
}

/* Says what is due. */
static void speak(struct others *x, uint64_t now)
{
	uint64_t due;
	int i;

	for (i = 0; i < BEHIND_MAX && x->o->rate > 0; i++) {
		due = x->start_ns + x->said * SECOND_NS / x->o->rate;
		if (due > now)
			break;
		x->said++;
		say(x, due);
	}
	for (i = 0; i < BEHIND_MAX && x->o->pings > 0; i++) {
		due = x->start_ns + x->pings_said * SECOND_NS / x->o->pings;
		if (due > now)
			break;
		x->pings_said++;
		ping(x, due);
	}
}

static void restart(struct others *x)
{
	x->start_ns = proc_now_ns();
	x->said = x->pings_said = 0;
}

static void arm(struct others *x)
{
	uint64_t at = UINT64_MAX, due;
	struct itimerspec when = { { 0, 0 }, { 0, 0 } };

	if (x->o->rate > 0)
		at = x->start_ns + x->said * SECOND_NS / x->o->rate;
	due = x->o->pings > 0 ? x->start_ns + x->pings_said * SECOND_NS / x->o->pings : UINT64_MAX;
	at = due < at ? due : at;
	if (at == UINT64_MAX)
		return;
	when.it_value.tv_sec = (time_t)(at / SECOND_NS);
	when.it_value.tv_nsec = (long)(at % SECOND_NS);
	(void)timerfd_settime(x->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Serves the clients until `what` is true of x, or for so long. False: time is up, or a fault. */
static bool until(struct others *x, bool (*what)(const struct others *), uint32_t ms)
{
	uint64_t end = proc_now_ns() + ms * UINT64_C(1000000);

	while (!fleet_failed(&x->fleet)) {
		if (what != NULL && what(x))
			return true;
		if (proc_now_ns() > end)
			return false;
		fleet_turn(&x->fleet, 5);
	}
	return false;
}

static bool all_heard(const struct others *x)
{
	return x->done == x->sent;
}

static bool few_under_way(const struct others *x)
{
	return x->sent - x->done < WINDOW;
}

static bool must_hear(struct others *x)
{
	if (!until(x, all_heard, DRAIN_MS))
		fleet_fault(&x->fleet, "%" PRIu64 " of %" PRIu64 " events were not heard by all within %d ms", x->sent - x->done, x->sent,
		            DRAIN_MS);
	return !fleet_failed(&x->fleet);
}

/* --- commands --- */

static void print_hist(const char *name, const struct hist *h)
{
	(void)printf(" %s=%" PRIu64 " %s_p50_ns=%" PRIu64 " %s_p99_ns=%" PRIu64 " %s_max_ns=%" PRIu64, name, h->count, name,
	             hist_quantile(h, 500), name, hist_quantile(h, 990), name, h->max);
}

static void mark(struct others *x)
{
	uint64_t now = proc_now_ns();

	(void)printf("ms=%" PRIu64 " said=%" PRIu64 " under_way=%" PRIu64, (now - x->mark_ns) / 1000000, x->sent - x->mark_sent,
	             x->sent - x->done);
	print_hist("heard", &x->events);
	print_hist("pongs", &x->pongs);
	(void)printf("\n");
	hist_reset(&x->events);
	hist_reset(&x->pongs);
	x->mark_ns = now;
	x->mark_sent = x->sent;
}

static void deafen(struct others *x, bool deaf)
{
	uint32_t i, n = 0;

	for (i = slow_first(x); i < slow_end(x); i++) {
		struct client *c = &x->fleet.clients[i];

		if (c->state == CLIENT_READY && c->deaf != deaf)
			fleet_deafen(&x->fleet, c, deaf);
		n += c->state == CLIENT_READY;
	}
	(void)printf("open=%u\n", n);
}

static void burst(struct others *x, uint64_t n)
{
	uint64_t from = proc_now_ns();

	for (; n > 0 && !fleet_failed(&x->fleet); n--) {
		say(x, proc_now_ns());
		(void)until(x, few_under_way, DRAIN_MS);
	}
	(void)must_hear(x);
	(void)printf("burst_ms=%" PRIu64 "\n", (proc_now_ns() - from) / 1000000);
	restart(x);
}

/* Variants alternate, so half of those that lost it would pass by luck; all of them would not. */
static void last(struct others *x)
{
	uint32_t i, open = 0, deaf = 0, right = 0;

	(void)must_hear(x);
	(void)until(x, NULL, 1000);
	for (i = slow_first(x); i < slow_end(x); i++) {
		if (x->fleet.clients[i].state != CLIENT_READY)
			continue;
		open++;
		deaf += x->fleet.clients[i].deaf;
		right += x->heard_last[i - slow_first(x)] == (x->sent + 1) % 2;
	}
	(void)printf("slow_open=%u slow_deaf=%u slow_right=%u slow_closed=%" PRIu64 " slow_closed_1013=%" PRIu64 "\n", open, deaf, right,
	             x->closed, x->closed_1013);
	restart(x);
}

static void reopen(struct others *x)
{
	uint64_t deadline = proc_now_ns() + FILL_SECONDS * (uint64_t)SECOND_NS;
	uint32_t i;

	for (i = slow_first(x); i < slow_end(x) && !fleet_failed(&x->fleet); i++) {
		if (x->fleet.clients[i].state != CLIENT_FREE)
			continue;
		fleet_open(&x->fleet, i, x->o->first + i);
		while (x->fleet.open - x->fleet.ready > FLIGHT && !fleet_failed(&x->fleet) && proc_now_ns() < deadline)
			fleet_turn(&x->fleet, 5);
	}
	while (x->fleet.ready < slow_end(x) && !fleet_failed(&x->fleet) && proc_now_ns() < deadline)
		fleet_turn(&x->fleet, 5);
	(void)printf("ready=%u\n", x->fleet.ready);
	x->closed = x->closed_1013 = 0;
	restart(x);
}

static void obey(struct others *x, const char *command)
{
	if (strcmp(command, "mark") == 0)
		mark(x);
	else if (strcmp(command, "deaf") == 0 || strcmp(command, "hear") == 0)
		deafen(x, command[0] == 'd');
	else if (strncmp(command, "burst ", 6) == 0)
		burst(x, strtoul(command + 6, NULL, 10));
	else if (strcmp(command, "last") == 0)
		last(x);
	else if (strcmp(command, "reopen") == 0)
		reopen(x);
	else if (strcmp(command, "end") == 0)
		x->over = true;
	else
		fleet_fault(&x->fleet, "no command '%s'", command);
	(void)fflush(stdout);
}

static void take_commands(struct others *x)
{
	ssize_t n = read(STDIN_FILENO, x->command + x->command_bytes, sizeof(x->command) - 1 - x->command_bytes);
	char *end;

	if (n <= 0) {
		x->over = true;
		return;
	}
	x->command_bytes += (size_t)n;
	x->command[x->command_bytes] = '\0';
	while ((end = strchr(x->command, '\n')) != NULL && !fleet_failed(&x->fleet)) {
		*end = '\0';
		obey(x, x->command);
		x->command_bytes -= (size_t)(end + 1 - x->command);
		memmove(x->command, end + 1, x->command_bytes + 1);
	}
}

/* --- its life --- */

static bool watch(struct others *x, int fd, uint32_t number)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = number };

	return fd >= 0 && epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static bool begin(struct others *x)
{
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	unsigned i;

	if (!script_init(&x->script, x->o->dialect, x->o->bytes, 9999999, 1) ||
	    !fleet_init(&x->fleet, &x->script, loopback, (uint16_t)x->o->port, slow_end(x), SOURCES))
		return false;
	if (x->o->tokens != NULL && (x->script.tokens = script_read_tokens(x->o->tokens, &x->script.token_count)) == NULL)
		return false;
	x->fleet.ctx = x;
	x->fleet.identity_first = x->o->first;
	x->fleet.small_from = slow_first(x);
	x->fleet.on_end = ended;
	x->fleet.on_frames = heard;
	x->fleet.on_text = told;
	x->marker = script_event_marker(&x->script);
	x->heard_last = calloc(x->o->slow + 1, 1);
	x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	x->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	for (i = 0; i < 2; i++)
		x->speech_bytes[i] = script_event(&x->script, x->o->first, i, x->speech[i], sizeof(x->speech[i]));
	x->ask_bytes = script_ask(&x->script, x->ask, sizeof(x->ask));
	if (x->heard_last == NULL || !watch(x, x->fleet.epoll_fd, 0) || !watch(x, x->timer_fd, 1) || !watch(x, STDIN_FILENO, 2))
		return false;
	fleet_fill(&x->fleet, 0, slow_end(x), FLIGHT, proc_now_ns() + FILL_SECONDS * (uint64_t)SECOND_NS);
	(void)until(x, NULL, SETTLE_MS);
	x->counting = true;
	x->mark_ns = proc_now_ns();
	restart(x);
	return !fleet_failed(&x->fleet);
}

static void live(struct others *x)
{
	struct epoll_event events[3];
	uint64_t expirations;
	int i, n;

	while (!x->over && !fleet_failed(&x->fleet)) {
		arm(x);
		n = epoll_wait(x->epoll_fd, events, 3, 1000);
		for (i = 0; i < n; i++)
			if (events[i].data.u32 == 2)
				take_commands(x);
			else if (events[i].data.u32 == 1)
				(void)!read(x->timer_fd, &expirations, sizeof(expirations));
		speak(x, proc_now_ns());
		fleet_turn(&x->fleet, 0);
	}
	if (!fleet_failed(&x->fleet) && must_hear(x))
		(void)printf("lost=0\n");
}

static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port", 1, NULL, 0 }, { "clients", 1, NULL, 1 }, { "slow", 1, NULL, 2 }, { "rate", 1, NULL, 3 }, { "pings", 1, NULL, 4 },
		{ "event-bytes", 1, NULL, 5 }, { "first", 1, NULL, 6 }, { "core", 1, NULL, 7 }, { "dialect", 1, NULL, 8 },
		{ "tokens", 1, NULL, 9 },
		{ NULL, 0, NULL, 0 },
	};
	uint32_t *const numbers[] = { &o->port, &o->clients, &o->slow, &o->rate, &o->pings, &o->bytes, &o->first, &o->core };
	int key;

	while ((key = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (key == '?')
			return false;
		if (key == 8)
			o->dialect = optarg;
		else if (key == 9)
			o->tokens = optarg;
		else
			*numbers[key] = (uint32_t)strtoul(optarg, NULL, 10);
	}
	return optind == argc && o->port > 0 && o->port < 65536 && o->clients > 0 && o->clients + o->slow < 19900;
}

int main(int argc, char **argv)
{
	struct options o = { .clients = 100, .rate = 50, .bytes = 160, .first = 9000000, .core = 1, .dialect = "dotted" };
	struct sched_param first = { .sched_priority = 2 };
	struct others *x = calloc(1, sizeof(*x));

	if (x == NULL || !parse(&o, argc, argv) || !fleet_prepare((int)o.core, LIFE_SECONDS_MAX)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	x->o = &o;
	(void)sched_setscheduler(0, SCHED_FIFO, &first);
	if (begin(x)) {
		(void)printf("ready=%u\n", x->fleet.ready);
		(void)fflush(stdout);
		live(x);
	}
	if (fleet_failed(&x->fleet))
		(void)fprintf(stderr, "others: %s\n", x->fleet.fault);
	return fleet_failed(&x->fleet) || x->counting == false;
}
