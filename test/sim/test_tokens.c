/*
 * Tokens in numbers that no table has room for: thousands of handshakes that need a signature verified, that name a key nobody knows, or
 * that are forged; more users than may be asked about at once; more tokens waiting than there are cells; a slot that is used again while
 * its former user still stands among those who wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/state.h"
#include "sim/sim.h"
#include "sim/table.h"
#include "tap.h"

enum {
	CROWD = 2000,
	UNKNOWN = 10000,
	AT_ONCE = 1000,       /* of those: in one turn */
	PIPE_BYTES = 4096,
	PER_TURN_MAX = 1,     /* RS256 verifications: server/token.c */
};

struct guest {
	int link;
	char heard[PIPE_BYTES];
	size_t n;
	uint64_t turn;        /* that answered */
	unsigned status;      /* of its handshake; 0: no answer yet */
};

static struct guest guests[CROWD];

static struct peer address(unsigned a, unsigned b)
{
	return (struct peer){ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, (uint8_t)a, (uint8_t)b }, 4000 };
}

static const char *minted(const struct sim *sim, const char *spec)
{
	static char token[MINT_TOKEN_MAX];

	if (!mint_token(str_of(spec, strlen(spec)), sim->now.wall, token))
		abort();
	return token;
}

static void come(struct sim *sim, struct guest *g, const struct peer *from, const char *query, const char *token)
{
	char text[MINT_TOKEN_MAX + 512];
	int n = snprintf(text, sizeof(text), "GET /ws?%s%s HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", query, token);

	*g = (struct guest){ .link = -1 };
	g->link = sim_connect(sim, 0, from);
	if (g->link < 0)
		abort();
	sim_send(sim, g->link, text, (size_t)n);
}

/* One text message of less than 126 bytes, or of more; the mask is zero. */
static void say(struct sim *sim, struct guest *g, const char *text)
{
	size_t n = strlen(text);
	uint8_t head[8] = { 0x81, (uint8_t)(0x80 | (n < 126 ? n : 126)), (uint8_t)(n >> 8), (uint8_t)n };
	const uint8_t short_head[6] = { 0x81, (uint8_t)(0x80 | n) };

	if (n < 126)
		sim_send(sim, g->link, short_head, sizeof(short_head));
	else
		sim_send(sim, g->link, head, sizeof(head));
	sim_send(sim, g->link, text, n);
}

static void say_token(struct sim *sim, struct guest *g, const char *token)
{
	char text[MINT_TOKEN_MAX + 128];

	snprintf(text, sizeof(text), "{\"type\":\"authenticate\",\"payload\":{\"token\":\"%s\"}}", token);
	say(sim, g, text);
}

/* All read what came; the turn of the first byte is noted. */
static bool drink(void *ctx)
{
	struct sim *sim = ctx;
	bool any = false;

	for (int i = 0; i < CROWD; i++) {
		struct guest *g = &guests[i];
		size_t n;

		while (g->link >= 0 && (n = sim_receive(sim, g->link, g->heard + g->n, sizeof(g->heard) - g->n - 1)) > 0) {
			g->n += n;
			for (size_t k = 0; k < g->n; k++)
				if (g->heard[k] == '\0')
					g->heard[k] = '.';
			g->heard[g->n] = '\0';
			if (g->status == 0 && g->n > 12) {
				g->status = (unsigned)strtoul(g->heard + 9, NULL, 10);
				g->turn = sim->turns;
			}
			if (g->n == sizeof(g->heard) - 1)
				g->n = 0;
			any = true;
		}
	}
	return any;
}

static unsigned count(const char *what, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += guests[i].n > 0 && strstr(guests[i].heard, what) != NULL;
	return n;
}

static unsigned answered(unsigned status, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += guests[i].status == status;
	return n;
}

static void forget(struct sim *sim)
{
	for (int i = 0; i < CROWD; i++) {
		if (guests[i].link >= 0) {
			sim_drop(sim, guests[i].link);
			sim_release(sim, guests[i].link);
		}
		guests[i] = (struct guest){ .link = -1 };
	}
	sim_settle(sim);
}

static void begin(struct sim *sim, uint32_t connections)
{
	for (int i = 0; i < CROWD; i++)
		guests[i] = (struct guest){ .link = -1 };
	sim_config(&sim->cfg);
	sim->cfg.auth = AUTH_JWT;
	sim->cfg.log_level = LOG_ERROR;
	sim->cfg.connections_max = connections;
	sim->cfg.connections_per_user_max = 0;
	sim->cfg.message_rate = 0;
	sim->cfg.token.has_jwks_url = true;
	sim->drink = drink;
	sim->drink_ctx = sim;
	services_set_keys(&sim->services, STR("rs1 es1"));
}

static void start(struct sim *sim)
{
	if (!sim_start(sim, 1))
		tap_ok(false, "the server was built");
	sim_advance(sim, 10);
}

static void finish(struct sim *sim, const char *name)
{
	forget(sim);
	if (sim->fault[0] == '\0')
		sim_leave_all(sim);
	if (!tap_ok(sim->fault[0] == '\0', "%s: nothing is left behind", name))
		printf("# %s\n", sim->fault);
	sim_stop(sim);
}

/* --- work in shares --- */

static void many_at_once(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	uint64_t first = 0, last = 0, before;
	unsigned late = 0, pongs = 0, overtaken = 0;
	char spec[64];

	begin(&sim, CROWD + 10);
	start(&sim);
	come(&sim, &guests[0], &from, "dialect=dotted&token=", minted(&sim, "by:rs1,sub:old"));
	sim_settle(&sim);
	for (unsigned i = 1; i < CROWD; i++) {
		snprintf(spec, sizeof(spec), i % 10 == 3 ? "by:es1,sub:u%u" : "by:rs1,sub:u%u", i);
		come(&sim, &guests[i], &from, "dialect=roster&token=", minted(&sim, spec));
	}
	before = sim.turns;
	guests[0].n = 0;
	say(&sim, &guests[0], "{\"type\":\"ping\"}");
	sim.drink = NULL; /* turn by turn, by hand */
	for (int turn = 0; turn < CROWD; turn++) {
		uint64_t done = sim.server->verifier.verifications;

		sim_turn(&sim);
		drink(&sim);
		late += sim.server->verifier.verifications - done > PER_TURN_MAX;
		if (turn % 10 == 9) {
			pongs += strstr(guests[0].heard, "\"pong\"") != NULL;
			guests[0].n = 0;
			guests[0].heard[0] = '\0';
			say(&sim, &guests[0], "{\"type\":\"ping\"}");
		}
	}
	sim.drink = drink;
	sim_settle(&sim);
	tap_is_u64(answered(101, 1, CROWD), CROWD - 1, "2,000 handshakes that need a signature verified in one turn: all come in");
	tap_is_u64(late, 0, "in shares of a turn");
	tap_is_u64(pongs, CROWD / 10, "and who is there is answered in the turns between");
	for (unsigned i = 1; i < CROWD; i++) {
		first = first == 0 || guests[i].turn < first ? guests[i].turn : first;
		overtaken += guests[i].turn < last;
		last = guests[i].turn > last ? guests[i].turn : last;
	}
	tap_is_u64(overtaken, 0, "in the order in which they came, whatever their algorithm");
	tap_ok(last - before >= (CROWD - 1) / PER_TURN_MAX && last - before <= CROWD, "which takes many turns (%u)", (unsigned)(last - before));
	finish(&sim, "many at once");
}

/* --- a key that nobody knows --- */

static void unknown_keys(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	unsigned refused = 0;
	char token[MINT_TOKEN_MAX], spec[64];

	begin(&sim, CROWD);
	start(&sim);
	services_set_keys(&sim.services, STR("after=100ms 500"));
	snprintf(token, sizeof(token), "%s", minted(&sim, "by:es1,kid:stranger,sub:u"));
	for (unsigned i = 0; i < UNKNOWN; i++) {
		if (i % 100 == 0) {
			snprintf(spec, sizeof(spec), "by:es1,kid:k%u,sub:u", i);
			snprintf(token, sizeof(token), "%s", minted(&sim, spec));
		}
		come(&sim, &guests[i % AT_ONCE], &from, "dialect=snake&token=", token);
		if (i % AT_ONCE == AT_ONCE - 1) {
			sim_settle(&sim);
			sim_advance(&sim, sim.now.mono.ms + 1000);
			refused += answered(401, 0, AT_ONCE);
			forget(&sim);
		}
	}
	tap_is_u64(refused, UNKNOWN, "10,000 handshakes with keys that nobody knows are refused");
	tap_is_u64(sim.services.keys_asked, 2, "and the endpoint is asked once for all of them");
	finish(&sim, "unknown keys");
}

/* --- forged signatures --- */

static void forged(void)
{
	struct sim sim = { 0 };
	struct peer bad = address(6, 6), good = address(1, 1);
	uint64_t work;
	char spec[64];

	begin(&sim, CROWD);
	start(&sim);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(spec, sizeof(spec), "by:rs1,sub:u,bad:signature,jti:%u", i % 8);
		come(&sim, &guests[i], &bad, "dialect=snake&token=", minted(&sim, spec));
	}
	come(&sim, &guests[500], &good, "dialect=snake&token=", minted(&sim, "by:rs1,sub:honest"));
	work = sim.server->verifier.verifications;
	sim_settle(&sim);
	work = sim.server->verifier.verifications - work;
	tap_ok(work >= 20 && work <= 22, "of 500 forged tokens of one address 20 are looked at (%u)", (unsigned)work);
	tap_is_u64(answered(401, 0, 500), work - 1, "which are 401");
	tap_is_u64(answered(429, 0, 500), 500 - (work - 1), "the others 429");
	tap_ok(guests[500].status == 101, "another address comes in meanwhile");
	forget(&sim);
	come(&sim, &guests[0], &bad, "dialect=snake&token=", minted(&sim, "by:rs1,sub:honest"));
	come(&sim, &guests[1], &bad, "dialect=snake&token=", minted(&sim, "by:rs1,sub:another"));
	sim_settle(&sim);
	tap_ok(guests[0].status == 101, "and from that address whoever's token is known already");
	tap_ok(guests[1].status == 429, "and nobody else");
	sim_advance(&sim, sim.now.mono.ms + 200);
	come(&sim, &guests[2], &bad, "dialect=snake&token=", minted(&sim, "by:rs1,sub:another"));
	sim_settle(&sim);
	tap_ok(guests[2].status == 101, "till some time has passed");
	finish(&sim, "forged");
}

/* --- questions about users --- */

static void many_users(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	char query[64];

	begin(&sim, CROWD);
	sim.cfg.auth = AUTH_TRUST;
	sim.cfg.token.has_jwks_url = false;
	sim.cfg.has_user_check = true;
	services_set_users(&sim.services, STR("after=1s *=200"));
	start(&sim);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(query, sizeof(query), "dialect=snake&user_id=u%u", i / 2);
		come(&sim, &guests[i], &from, query, "");
	}
	sim_settle(&sim);
	tap_is_u64(sim.services.users_asked, 63, "100 users at once: 63 are asked about");
	sim_advance(&sim, sim.now.mono.ms + 1001);
	tap_is_u64(answered(101, 0, 126), 126, "who come in, both connections of each user");
	tap_is_u64(answered(101, 126, 200), 0, "before the others");
	tap_is_u64(sim.services.users_asked, 100, "about whom is asked then");
	sim_advance(&sim, sim.now.mono.ms + 1001);
	tap_is_u64(answered(101, 0, 200), 200, "and all come in");
	tap_is_u64(sim.services.users_asked, 100, "nobody is asked about twice");
	for (unsigned i = 0; i < 800; i++) {
		snprintf(query, sizeof(query), "dialect=snake&user_id=v%u", i);
		come(&sim, &guests[200 + i], &from, query, "");
	}
	services_set_users(&sim.services, STR("*=200"));
	sim_advance(&sim, sim.now.mono.ms + 100);
	tap_is_u64(answered(101, 200, 1000), 800, "800 users and a service that is quick: nobody is refused");
	services_set_users(&sim.services, STR("after=2s *=200"));
	for (unsigned i = 0; i < 300; i++) {
		snprintf(query, sizeof(query), "dialect=snake&user_id=w%u", i);
		come(&sim, &guests[1000 + i], &from, query, "");
	}
	sim_advance(&sim, sim.now.mono.ms + 9000);
	tap_is_u64(answered(101, 1000, 1300), 189, "300 and one that takes two seconds: three times as many as it takes at once,");
	tap_is_u64(answered(503, 1000, 1300), 111, "and after five seconds the rest hear 503");
	finish(&sim, "many users");
}

/* --- waiting in cells, and in slots --- */

/* Tokens of one key for as many users as may be asked about, and nobody answers: keys are asked for all the same. */
static void hogged(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	char spec[64];

	begin(&sim, CROWD);
	sim.cfg.has_user_check = true;
	services_set_users(&sim.services, STR("eve=200 *=never"));
	services_set_keys(&sim.services, STR("rs1"));
	start(&sim);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(spec, sizeof(spec), "by:rs1,sub:u%u", i);
		come(&sim, &guests[i], &from, "dialect=snake&token=", minted(&sim, spec));
	}
	sim_settle(&sim);
	services_set_keys(&sim.services, STR("rs1 rs2"));
	come(&sim, &guests[100], &from, "dialect=snake&token=", minted(&sim, "by:rs2,sub:zoe"));
	sim_advance(&sim, sim.now.mono.ms + 10);
	tap_is_u64(sim.services.keys_asked, 2, "a service that knows no end leaves one question for keys");
	sim_advance(&sim, sim.now.mono.ms + 6000);
	come(&sim, &guests[101], &from, "dialect=snake&token=", minted(&sim, "by:rs2,sub:eve"));
	sim_advance(&sim, sim.now.mono.ms + 10);
	tap_is_u64(answered(101, 101, 102), 1, "and when it is over, the next is asked about");
	finish(&sim, "hogged");
}

static void cells(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	char spec[64];

	begin(&sim, 600);
	services_set_keys(&sim.services, STR("after=1s rs1"));
	start(&sim);
	for (unsigned i = 0; i < 300; i++)
		come(&sim, &guests[i], &from, "dialect=dotted", "");
	sim_settle(&sim);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(spec, sizeof(spec), "by:rs1,sub:u%u", i);
		say_token(&sim, &guests[i], minted(&sim, spec));
	}
	sim_settle(&sim);
	tap_is_u64(count("busy, try again", 0, 300), 300 - WAITING_TOKENS_MAX, "who finds no cell to wait in is told");
	sim_advance(&sim, sim.now.mono.ms + 1000);
	tap_is_u64(count("auth.success", 0, 300), WAITING_TOKENS_MAX, "all the others come in, though they wait for their turn as well");
	tap_is_u64(pool_used(&sim.server->waiting.tokens), 0, "and the cells are free again");
	finish(&sim, "cells");
}

static void user_cells(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	char spec[64];

	begin(&sim, 600);
	sim.cfg.has_user_check = true;
	services_set_keys(&sim.services, STR("after=1s rs1"));
	services_set_users(&sim.services, STR("after=1s *=200"));
	start(&sim);
	for (unsigned i = 0; i < WAITING_TOKENS_MAX; i++)
		come(&sim, &guests[i], &from, "dialect=dotted", "");
	sim_settle(&sim);
	for (unsigned i = 0; i < WAITING_TOKENS_MAX; i++) {
		snprintf(spec, sizeof(spec), "by:rs1,sub:u%u", i % 60);
		say_token(&sim, &guests[i], minted(&sim, spec));
	}
	sim_advance(&sim, sim.now.mono.ms + 2100);
	tap_is_u64(count("auth.success", 0, WAITING_TOKENS_MAX), WAITING_TOKENS_MAX,
	           "who waits for a key, then for the word of the service, waits in one cell");
	finish(&sim, "user cells");
}

static void slots(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	const char *token;

	begin(&sim, 10);
	services_set_keys(&sim.services, STR("after=2s rs1"));
	start(&sim);
	token = minted(&sim, "by:rs1,sub:ann");
	for (int round = 0; round < 300; round++) { /* more than there are places to wait: the gone ones are taken out */
		for (unsigned i = 0; i < 10; i++)
			come(&sim, &guests[i], &from, round % 2 == 0 ? "dialect=snake&token=" : "dialect=dotted&x=", token);
		sim_settle(&sim);
		for (unsigned i = 0; i < 10 && round % 2 == 1; i++)
			say_token(&sim, &guests[i], token);
		sim_settle(&sim);
		if (round < 299)
			forget(&sim);
	}
	tap_is_u64(count("auth.failed", 0, 10), 0, "slots that are used again while their former users still stand among those who wait");
	sim_advance(&sim, sim.now.mono.ms + 2000);
	tap_is_u64(count("auth.success", 0, 10), 10, "wait for themselves");
	finish(&sim, "slots");
}

/* A key without a name might have signed, and did not: the set may still bring the one that did, also to those who waited for their turn. */
static void nameless(void)
{
	struct sim sim = { 0 };
	struct peer from = address(1, 1);
	char spec[64];

	begin(&sim, CROWD);
	if (!table_option(&sim.cfg, "jwt-key", "rs3"))
		abort();
	services_set_keys(&sim.services, STR("after=1s rs1"));
	start(&sim);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(spec, sizeof(spec), "by:rs1,sub:u%u", i);
		come(&sim, &guests[i], &from, "dialect=roster&token=", minted(&sim, spec));
	}
	sim_settle(&sim);
	tap_is_u64(answered(0, 0, 50), 50, "many whom the key without a name did not sign for wait for the set");
	sim_advance(&sim, sim.now.mono.ms + 1000);
	tap_is_u64(answered(101, 0, 50), 50, "and all come in with it");
	finish(&sim, "nameless");
}

int main(void)
{
	many_at_once();
	unknown_keys();
	forged();
	many_users();
	hogged();
	cells();
	user_cells();
	slots();
	nameless();
	return tap_done();
}
