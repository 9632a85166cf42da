/*
 * Invariants: `knows` is what a client was told last of each user's status; it is dropped when the client comes anew or something may
 * have been kept from it on purpose (a pool was shrunk, or only room mates are told). Tokens are minted at whole MINT_STEP_MS, so that few
 * are signed anew; a stranger is only ever given tokens of the user whom the client stands for.
 */
#include "sim/chaos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/state.h"
#include "sim/promises.h"
#include "sim/table.h"

enum { WORD_MAX = 16, ROOMS = 3, HEAL_MS = 120000, THROW_MAX = 48, BURST_MAX = 24, ECHO_MAX = 700, ECHOES_MAX = 4096, REPEATS_MAX = 128, FEW_USERS = 3, MINT_STEP_MS = 10000 };

struct chaos {
	struct crowd crowd;
	const uint8_t *p, *end;
	bool trace, limited, jwt;
	bool held; /* what is done meanwhile the server sees at once; nothing is judged before */
	uint64_t steps;
	struct promises promises;
	struct {
		uint32_t said[ECHOES_MAX], said_n, heard_n; /* hashes */
	} echoes[CHAOS_CLIENTS];
	char user_of[CHAOS_CLIENTS][WORD_MAX];
	char knows[CHAOS_CLIENTS][CHAOS_USERS][WORD_MAX]; /* "": nothing yet */
};

static unsigned next(struct chaos *c)
{
	return c->p < c->end ? *c->p++ : 0;
}

static struct client *client_at(struct chaos *c, unsigned i)
{
	char name[8];
	int n = snprintf(name, sizeof(name), "c%u", i % CHAOS_CLIENTS);

	return client_named(&c->crowd, name, (size_t)n);
}

static uint32_t number_of(const struct client *cl)
{
	return (uint32_t)strtoul(cl->name + 1, NULL, 10);
}

/* --- echoes --- */

static uint32_t hash_of(const char *text, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)text[i]) * 16777619u;
	return h;
}

/* A whole message, of which an echo is to be heard if its dialect has no other answer. */
static void speak(struct chaos *c, struct client *cl, enum ws_opcode op, const char *text, size_t n)
{
	uint32_t i = number_of(cl);

	client_frame(&c->crowd, cl, op, true, text, n);
	if (cl->dialect == DIALECT_ECHO && c->echoes[i].said_n < ECHOES_MAX)
		c->echoes[i].said[c->echoes[i].said_n++] = hash_of(text, n);
}

/* What an echo says is what was said, each message once and in its turn. */
static void hear_echo(struct chaos *c, const struct client *cl, const char *text)
{
	uint32_t i = number_of(cl), n = c->echoes[i].heard_n;
	const char *payload = strchr(text, ' ');

	if (c->promises.of[i].junk || (strncmp(text, "text ", 5) != 0 && strncmp(text, "binary ", 7) != 0))
		return;
	if (n >= c->echoes[i].said_n ? n < ECHOES_MAX : c->echoes[i].said[n] != hash_of(payload + 1, strlen(payload + 1)))
		sim_fault(&c->crowd.sim, "an echo of what was not said then");
	c->echoes[i].heard_n++;
}

/* --- tokens --- */

/* One for `user`: good, or with some defect, by any key; into out[MINT_TOKEN_MAX]. *expires: when it ends. */
static struct str token_for(struct chaos *c, const char *user, char *out, wall_t *expires)
{
	static const char *const ttls[] = { "1h", "1d", "70s", "30s", "15s", "1h", "-15s", "-1h" };
	static const int64_t ttls_ms[] = { 3600000, 86400000, 70000, 30000, 15000, 3600000, -15000, -3600000 };
	static const char *const keys[] = { "hs", "hs", "hs", "es1", "hs", "es2", "hs", "hs" };
	static const char *const more[] = { "", "", ",rooms:[r0,r1]", ",rooms:[r*]", ",rooms:[]", ",scope:presence:write", ",bad:signature", ",by:other" };
	unsigned a = next(c), b = next(c);
	wall_t at = { c->crowd.sim.now.wall.ms / MINT_STEP_MS * MINT_STEP_MS };
	char spec[128];
	int n = snprintf(spec, sizeof(spec), "sub:%s,ttl:%s,by:%s%s", user, ttls[a % 8], keys[a / 8 % 8], more[b % 8]);

	if (!mint_token(str_of(spec, (size_t)n), at, out))
		abort();
	expires->ms = at.ms + ttls_ms[a % 8];
	return str_of(out, strlen(out));
}

/* --- what is said --- */

/* $: a user, #: a room, %: a small number. */
static const struct {
	uint32_t dialects; /* a bit of each that knows it; 0: no matter */
	const char *text;
} messages[] = {
	{ 0, "{\"type\":\"ping\"}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"away\"}}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"online\",\"custom_status\":\"x%\"}}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"invisible\",\"metadata\":{\"a\":%}}}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"dnd\",\"custom_status\":\"y\",\"custom_status_expires_at\":\"2026-01-14T12:0%:00Z\"}}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"r#\",\"is_typing\":true}}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"r#\",\"is_typing\":false,\"recipient_ids\":[\"u$\"]}}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"subscribe\",\"payload\":{\"conversation_id\":\"r#\"}}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"unsubscribe\",\"payload\":{\"conversation_id\":\"r#\"}}" },
	{ 1u << DIALECT_DOTTED, "{\"id\":%,\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"]}}" },
	{ 1u << DIALECT_DOTTED, "{\"id\":%,\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\",\"typing\"],\"filters\":{\"user_ids\":[\"u$\"],\"conversation_id\":\"r#\"}}}" },
	{ 1u << DIALECT_DOTTED, "{\"id\":%,\"type\":\"unsubscribe\",\"payload\":{\"topics\":[\"presence\",\"conversation\"],\"filters\":{\"conversation_ids\":[\"r#\"]}}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"conversation_ids\":[\"r0\",\"r1\",\"r2\"]}}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"presence.update\",\"payload\":{\"status\":\"busy\",\"metadata\":null}}" },
	{ 1u << DIALECT_DOTTED, "{\"id\":\"q\",\"type\":\"presence.update\",\"payload\":{\"status\":\"online\"}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"presence.query\",\"payload\":{\"user_ids\":[\"u$\",\"u0\"]}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"r#\"}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":\"r#\"}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"r#\",\"message_ids\":[\"m\"],\"sender_id\":\"u$\"}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k%\",\"target_user_id\":\"u$\",\"sdp\":\"v\"}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"call.answer\",\"payload\":{\"call_id\":\"k%\",\"sdp\":\"w\"}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"call.ice\",\"payload\":{\"call_id\":\"k%\",\"candidate\":{}}}" },
	{ 1u << DIALECT_DOTTED, "{\"type\":\"call.hangup\",\"payload\":{\"call_id\":\"k%\"}}" },
	{ 1u << DIALECT_ROOMS, "{\"type\":\"subscribe\",\"channel_id\":\"r#\"}" },
	{ 1u << DIALECT_ROOMS, "{\"type\":\"unsubscribe\",\"dm_id\":\"r#\"}" },
	{ 1u << DIALECT_ROOMS, "{\"type\":\"typing\",\"dm_id\":\"r#\"}" },
	{ 1u << DIALECT_ROOMS, "{\"type\":\"status\",\"status\":\"away\",\"custom_status\":\"z\"}" },
	{ 1u << DIALECT_ROOMS, "{\"type\":\"status\",\"status\":\"offline\"}" },
	{ 1u << DIALECT_UPPER, "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"away\",\"metadata\":{}}}" },
	{ 1u << DIALECT_UPPER, "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"busy\"}}" },
	{ 1u << DIALECT_UPPER, "{\"type\":\"HEARTBEAT\"}" },
	{ 1u << DIALECT_UPPER, "{\"type\":\"DISCONNECT\"}" },
	{ 1u << DIALECT_SNAKE, "{\"type\":\"authenticate\",\"payload\":{\"token\":\"x\"}}" },
	{ 0, "{\"type\":" },
};

static const char *const requests[][3] = {
	{ "GET", "/live", NULL },
	{ "GET", "/presence", NULL },
	{ "GET", "/presence/u$", NULL },
	{ "GET", "/metrics", NULL },
	{ "GET", "/api/v1/presence/u$/devices", NULL },
	{ "PUT", "/api/v1/presence/u$", "{\"online_status\":\"away\",\"custom_status\":\"rest\"}" },
	{ "PUT", "/api/v1/presence/u$", "{\"online_status\":\"online\",\"metadata\":{\"r\":%}}" },
	{ "POST", "/api/v1/presence/u$/heartbeat", "{}" },
	{ "POST", "/api/v1/typing", "{\"conversation_id\":\"r#\",\"user_id\":\"u$\",\"is_typing\":true}" },
	{ "POST", "/api/v1/broadcast", "{\"all\":true,\"exclude\":[\"u$\"],\"data\":{\"n\":%}}" },
	{ "POST", "/api/v1/broadcast", "{\"room\":\"r#\",\"data\":{\"n\":%}}" },
	{ "POST", "/api/v1/presence/bulk", "{\"user_ids\":[\"u$\",\"u1\"]}" },
	{ "GET", "/admin/stats", NULL },
};

static struct str filled(const char *pattern, unsigned draw, char *out, size_t cap)
{
	size_t n = 0;

	for (; pattern != NULL && *pattern != '\0' && n + 1 < cap; pattern++) {
		if (*pattern == '$')
			out[n++] = (char)('0' + draw % CHAOS_USERS);
		else if (*pattern == '#')
			out[n++] = (char)('0' + draw / 8 % ROOMS);
		else if (*pattern == '%')
			out[n++] = (char)('0' + draw / 16 % 8);
		else
			out[n++] = *pattern;
	}
	return pattern == NULL ? STR_NONE : str_of(out, n);
}

/* --- what happens --- */

/* With a token, or to authenticate later, or with neither. */
static void identify(struct chaos *c, struct client_call *call, unsigned at, char *token)
{
	unsigned how = next(c);
	wall_t expires;

	if (!c->jwt)
		return;
	if (how % 8 < 5) {
		call->token = token_for(c, call->user.p, token, &expires);
		promises_token(&c->promises, &c->crowd.sim, at, expires);
	} else if (how % 8 < 7) {
		call->dialect = DIALECT_DOTTED;
	}
	if (how % 16 < 8 || (call->dialect == DIALECT_DOTTED && how % 8 >= 5))
		call->user = STR_NONE;
}

static void ask_for_pong(struct chaos *c, struct client *cl)
{
	const char *text = cl->dialect == DIALECT_UPPER ? "{\"type\":\"HEARTBEAT\"}" : "{\"type\":\"ping\"}";

	client_frame(&c->crowd, cl, WS_TEXT, true, text, strlen(text));
}

static void connect(struct chaos *c, unsigned i)
{
	struct client_call call = {
		.user = STR_NONE, .device = STR_NONE, .name = STR_NONE, .proto = STR_NONE, .path = STR_NONE, .header = STR_NONE,
		.token = STR_NONE, .bearer = STR_NONE, .peer = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 }, 4000 },
	};
	unsigned draw = next(c), at = i % CHAOS_CLIENTS;
	char device[8], token[MINT_TOKEN_MAX];

	call.dialect = (enum dialect_id)(draw % DIALECT_COUNT);
	if (call.dialect == DIALECT_ECHO)
		call.listener = 2;
	snprintf(c->user_of[at], WORD_MAX, "u%u", draw / 8 % CHAOS_USERS);
	call.user = str_of(c->user_of[at], strlen(c->user_of[at]));
	if (draw / 64 > 0)
		call.device = str_of(device, (size_t)snprintf(device, sizeof(device), "d%u", draw / 64));
	call.peer.address[15] = (uint8_t)(1 + draw % 2);
	memset(c->knows[at], 0, sizeof(c->knows[at]));
	c->echoes[at].said_n = c->echoes[at].heard_n = 0;
	promises_come(&c->promises, &c->crowd.sim, at, draw / 8 % CHAOS_USERS, c->jwt && call.dialect != DIALECT_ECHO);
	if (call.dialect != DIALECT_ECHO)
		identify(c, &call, at, token);
	client_call(&c->crowd, client_at(c, i), &call);
	if (!c->jwt && call.dialect != DIALECT_ECHO && next(c) % 4 == 0) { /* in one piece with the handshake */
		c->promises.of[at].early = true;
		ask_for_pong(c, client_at(c, i));
	}
}

static void authenticate(struct chaos *c, unsigned i);

/* Of four, three are of its own dialect, or of any. */
static const char *choose_message(enum dialect_id dialect, unsigned which)
{
	enum { MESSAGES = sizeof(messages) / sizeof(messages[0]) };
	unsigned own = 0, at[MESSAGES];

	for (unsigned k = 0; k < MESSAGES; k++)
		if (messages[k].dialects == 0 || (messages[k].dialects >> dialect & 1))
			at[own++] = k;
	return messages[which % 4 > 0 ? at[which / 4 % own] : which % MESSAGES].text;
}

static void say(struct chaos *c, unsigned i)
{
	unsigned which = next(c), draw = next(c);
	char text[512];
	struct str s;

	if (client_at(c, i)->link < 0) {
		connect(c, i);
		return;
	}
	if (c->jwt && which % 6 == 0) {
		authenticate(c, i);
		return;
	}
	s = filled(choose_message(client_at(c, i)->dialect, which), draw, text, sizeof(text));
	if (client_at(c, i)->websocket)
		speak(c, client_at(c, i), WS_TEXT, s.p, s.n);
}

/* In-band: to come in, to renew, or with somebody else's token. */
static void authenticate(struct chaos *c, unsigned i)
{
	struct client *cl = client_at(c, i);
	bool flat = cl->dialect == DIALECT_ROOMS || cl->dialect == DIALECT_ROSTER, other = next(c) % 8 == 0 && cl->dialect != DIALECT_DOTTED;
	char token[MINT_TOKEN_MAX], text[MINT_TOKEN_MAX + 128];
	wall_t expires;
	int n;

	if (!c->jwt || !cl->websocket || c->user_of[i % CHAOS_CLIENTS][0] == '\0')
		return;
	token_for(c, other ? "u0" : c->user_of[i % CHAOS_CLIENTS], token, &expires);
	if (!other || strcmp(c->user_of[i % CHAOS_CLIENTS], "u0") == 0)
		promises_token(&c->promises, &c->crowd.sim, i % CHAOS_CLIENTS, expires);
	n = snprintf(text, sizeof(text), flat ? "{\"type\":\"authenticate\",\"token\":\"%s\"}" :
	             "{\"id\":\"a\",\"type\":\"authenticate\",\"payload\":{\"token\":\"%s\"}}", token);
	speak(c, cl, WS_TEXT, text, (size_t)n);
}

/* What the services answer from now on. */
static void script(struct chaos *c)
{
	static const char *const keys[] = { "es1", "es1 es2", "es2", "after=1s es1", "after=4s es2", "500", "garbage", "never", "refused" };
	static const char *const users[] = { "*=200", "u1=404", "u2=503", "u3=never", "after=2s *=200 u1=200", "*=404", "*=refused", "u0=200 u1=200 u2=200" };
	unsigned draw = next(c);
	const char *k = keys[draw % 9], *u = users[draw / 32];

	if (!services_set_keys(&c->crowd.sim.services, str_of(k, strlen(k))) || !services_set_users(&c->crowd.sim.services, str_of(u, strlen(u))))
		abort();
}

static void ask(struct chaos *c, unsigned i)
{
	unsigned which = next(c) % (sizeof(requests) / sizeof(requests[0])), draw = next(c);
	char path[256], body[256], token[MINT_TOKEN_MAX];
	wall_t expires;

	client_at(c, i)->with[0] = '\0';
	if (c->jwt && draw % 4 > 0)
		snprintf(client_at(c, i)->with, CLIENT_WITH_MAX, "Authorization: Bearer %s\r\n", token_for(c, "u1", token, &expires).p);
	if (client_at(c, i)->link < 0 || !client_at(c, i)->websocket)
		client_request(&c->crowd, client_at(c, i), requests[which][0], filled(requests[which][1], draw, path, sizeof(path)),
		               filled(requests[which][2], draw, body, sizeof(body)));
}

/* Bytes of the input itself: as they are, or as a frame's payload. */
static void throw(struct chaos *c, unsigned i, bool framed)
{
	unsigned kind = next(c), n = next(c) % THROW_MAX;
	static const enum ws_opcode ops[] = { WS_TEXT, WS_TEXT, WS_CONTINUATION, WS_BINARY, WS_PING, WS_PONG, WS_TEXT, WS_CONTINUATION };

	if (n > (size_t)(c->end - c->p))
		n = (unsigned)(c->end - c->p);
	if (!framed)
		client_bytes(&c->crowd, client_at(c, i), c->p, n);
	else if (client_at(c, i)->websocket)
		client_frame(&c->crowd, client_at(c, i), ops[kind % 8], kind % 16 < 8 || ops[kind % 8] == WS_PING || ops[kind % 8] == WS_PONG, c->p,
		             n > WS_CONTROL_BYTES_MAX ? WS_CONTROL_BYTES_MAX : n);
	c->p += n;
}

static void wait(struct chaos *c)
{
	static const int64_t times_ms[] = { 1, 20, 300, 999, 1000, 1001, 2000, 4999, 5000, 10000, 30000, 31000, 60000, 90000, 300000, 7 };

	c->held = false;
	sim_advance(&c->crowd.sim, c->crowd.sim.now.mono.ms + times_ms[next(c) % 16]);
}

static void shrink(struct chaos *c)
{
	struct server *s = c->crowd.sim.server;
	struct pool *const pools[] = { &s->frames.cells, &s->frames.blocks, &s->nodes, &s->intake.loans, &s->intake.pools[0],
		                       &s->intake.pools[1], &s->intake.pools[2], &s->address_cells, &s->waiting.tokens, &s->grants.pools[0] };
	unsigned draw = next(c);
	struct pool *p = pools[draw % 10];

	pool_limit(p, draw / 8 % 4 == 0 ? POOL_NONE : pool_used(p) + draw / 32);
	c->limited = true;
}

static void lift(struct chaos *c)
{
	struct server *s = c->crowd.sim.server;

	pool_limit(&s->frames.cells, POOL_NONE);
	pool_limit(&s->frames.blocks, POOL_NONE);
	pool_limit(&s->nodes, POOL_NONE);
	pool_limit(&s->intake.loans, POOL_NONE);
	pool_limit(&s->address_cells, POOL_NONE);
	pool_limit(&s->waiting.tokens, POOL_NONE);
	pool_limit(&s->grants.pools[0], POOL_NONE);
	for (int i = 0; i < INTAKE_CLASSES; i++)
		pool_limit(&s->intake.pools[i], POOL_NONE);
}

/* One thing after another: a status that is not the one before. */
static void set_status(struct chaos *c, struct client *cl, unsigned n)
{
	static const char *const words[DIALECT_COUNT][2] = {
		[DIALECT_SNAKE] = { "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"busy\"}}",
		                    "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"online\"}}" },
		[DIALECT_ROOMS] = { "{\"type\":\"status\",\"status\":\"dnd\"}", "{\"type\":\"status\",\"status\":\"online\"}" },
	};
	const char *text = words[cl->dialect][n % 2];

	if (text != NULL)
		client_frame(&c->crowd, cl, WS_TEXT, true, text, strlen(text));
}

/* To be heard again: short, or longer than a frame's cell. */
static void ask_for_echo(struct chaos *c, struct client *cl, bool is_short)
{
	char text[ECHO_MAX];

	memset(text, 'a' + (int)(c->echoes[number_of(cl)].said_n % 26), sizeof(text));
	speak(c, cl, is_short ? WS_TEXT : WS_BINARY, text, is_short ? 7 : sizeof(text));
}

/* Many questions, or statuses, in one piece. */
static void burst(struct chaos *c, unsigned i)
{
	unsigned how = next(c);
	struct client *cl = client_at(c, i);

	if (!cl->websocket)
		return;
	for (unsigned n = 1 + how / 2 % BURST_MAX; n > 0; n--)
		if (cl->dialect == DIALECT_ECHO)
			ask_for_echo(c, cl, how % 2 == 0);
		else if (how % 2 == 0)
			ask_for_pong(c, cl);
		else
			set_status(c, cl, n);
}

/* Users whom only REST knows, so many that they are not told of in one piece; in one pipeline. */
static void populate(struct chaos *c, unsigned i)
{
	unsigned n = next(c);
	char path[64];

	for (unsigned u = 0; u < n && (client_at(c, i)->link < 0 || !client_at(c, i)->websocket); u++) {
		snprintf(path, sizeof(path), "/api/v1/presence/m%u/heartbeat", u);
		client_request(&c->crowd, client_at(c, i), "POST", str_of(path, strlen(path)), STR("{}"));
	}
}

static void act(struct chaos *c, unsigned op);

/* One thing many times, in one piece. */
static void repeat(struct chaos *c)
{
	unsigned times = 1 + next(c) % REPEATS_MAX, op = next(c);
	const uint8_t *from = c->p;

	for (; op % 16 <= 6 && times > 0; times--) {
		c->p = from;
		act(c, op);
	}
}

static void act_together(struct chaos *c, unsigned i)
{
	switch (i) {
	case 4: repeat(c); break;
	case 8: c->held = !c->held; break;
	case 12: populate(c, next(c)); break;
	case 0: c->crowd.sim.cut = (enum sim_cut)(next(c) % SIM_FREE_CUTS); break;
	default: burst(c, next(c)); break;
	}
}

/* What befalls the server, or one of them. */
static void befall(struct chaos *c, unsigned i)
{
	struct sim *sim = &c->crowd.sim;

	switch (i) {
	case 0: shrink(c); break;
	case 1: lift(c); break;
	case 2: sim->frozen = !sim->frozen; break;
	case 3:
		promises_wall(&c->promises);
		sim_step_wall(sim, ((int64_t)next(c) - 128) * 86400000);
		break;
	case 4:
		if (next(c) % 8 == 0)
			server_drain(sim->server);
		break;
	case 5:
	case 6: script(c); break;
	case 7:
	case 8:
	case 9:
	case 10:
	case 11: authenticate(c, next(c)); break;
	default:
		promises_weak(&c->promises, i % CHAOS_CLIENTS, false);
		client_at(c, i)->silent = !client_at(c, i)->silent;
		break;
	}
}

static void act(struct chaos *c, unsigned op)
{
	unsigned i = op / 16;
	struct client *cl = client_at(c, i);

	if (op % 16 >= 5 && op % 16 <= 11)
		promises_weak(&c->promises, i % CHAOS_CLIENTS, op % 16 < 10);
	switch (op % 16) {
	case 0: connect(c, i); break;
	case 1:
	case 2:
	case 3: say(c, i); break;
	case 4: ask(c, i); break;
	case 5: throw(c, i, true); break;
	case 6: throw(c, i, false); break;
	case 7: client_drop(&c->crowd, cl); break;
	case 8: client_end(&c->crowd, cl); break;
	case 9: client_close(&c->crowd, cl, cl->websocket ? 1000 : 0); break;
	case 10: cl->stalled = !cl->stalled; break;
	case 11: client_take(&c->crowd, cl, next(c)); break;
	case 12:
	case 13: wait(c); break;
	case 14: act_together(c, i); break;
	case 15: befall(c, i); break;
	}
}

static void step(struct chaos *c)
{
	unsigned op = next(c);
	struct sim *sim = &c->crowd.sim;

	if (c->trace)
		printf("# %8lld step %u of %s (%s)\n", (long long)sim->now.mono.ms, op % 16, client_at(c, op / 16)->name, sim_cut_names[sim->cut]);
	act(c, op);
	if (!c->held)
		sim_settle(sim);
}

/* --- what they know --- */

static void learn(struct chaos *c, const struct heard *h)
{
	const struct client *cl = &c->crowd.clients[h->client];
	const char *rest = h->text, *status;
	char user[WORD_MAX] = "", word[WORD_MAX] = "";
	unsigned at = (unsigned)strtoul(cl->name + 1, NULL, 10);

	if (cl->dialect == DIALECT_SNAKE && strncmp(rest, "presence_update u", 17) == 0)
		rest += 16;
	else if (cl->dialect == DIALECT_UPPER && strncmp(rest, "PRESENCE_UPDATE u", 17) == 0)
		rest += 16;
	else if (cl->dialect == DIALECT_ROOMS && strncmp(rest, "presence u", 10) == 0)
		rest += 9;
	else
		return;
	status = cl->dialect == DIALECT_ROOMS ? "%15s %*s %15s" : "%15s %15s";
	if (sscanf(rest, status, user, word) == 2 && user[1] >= '0' && user[1] < '0' + CHAOS_USERS)
		memcpy(c->knows[at][user[1] - '0'], word, sizeof(word));
}

/* Whom the server has forgotten, presence-ttl after they went, it may show as seen at any time again. */
static void forget_forgotten(struct chaos *c)
{
	for (uint32_t i = 0; i < c->crowd.seen_count; i++) {
		struct seen *seen = &c->crowd.seen[i];
		struct presence_view v;

		if (seen->user[0] == '\0')
			continue;
		engine_view(c->crowd.sim.server->engine, str_of(seen->user, strlen(seen->user)), &v, c->crowd.sim.now);
		if (wall_absent(v.last_seen))
			seen->at[0] = '\0'; /* earlier than any */
	}
}

static void listen(struct chaos *c)
{
	for (size_t i = 0; i < c->crowd.heard_count; i++) {
		const struct heard *h = &c->crowd.heard[i];

		if (c->trace)
			printf("# %8lld %s %s\n", (long long)h->at_ms, c->crowd.clients[h->client].name, h->text);
		learn(c, h);
		if (c->crowd.clients[h->client].dialect == DIALECT_ECHO)
			hear_echo(c, &c->crowd.clients[h->client], h->text);
		promises_hear(&c->promises, &c->crowd.sim, &c->crowd.clients[h->client], number_of(&c->crowd.clients[h->client]), h, c->limited);
	}
	for (unsigned i = 0; i < CHAOS_CLIENTS; i++)
		promises_heard(&c->promises, &c->crowd.sim, client_at(c, i), i, c->limited);
	crowd_forget(&c->crowd);
}

static const char *shown(enum status s, enum dialect_id d)
{
	static const char *const names[STATUS_COUNT] = { "offline", "online", "away", "busy", "dnd", "invisible" };

	return s == STATUS_DND && d == DIALECT_UPPER ? "busy" : names[s];
}

/* Everybody who watches all and is still here was told the last of each user, if anything. */
static void check_truth(struct chaos *c)
{
	char text[128];

	for (unsigned i = 0; i < CHAOS_CLIENTS; i++)
		for (unsigned u = 0; u < CHAOS_USERS; u++) {
			const struct client *cl = client_at(c, i);
			char user[WORD_MAX];
			struct presence_view v;

			snprintf(user, sizeof(user), "u%u", u);
			if (cl->link < 0 || !cl->websocket || cl->close_heard || cl->at_end || strcmp(user, c->user_of[i]) == 0 || c->knows[i][u][0] == '\0')
				continue;
			engine_view(c->crowd.sim.server->engine, str_of(user, strlen(user)), &v, c->crowd.sim.now);
			if (strcmp(shown(v.status, cl->dialect), c->knows[i][u]) == 0)
				continue;
			snprintf(text, sizeof(text), "%s knows %s as %s, who is %s", cl->name, user, c->knows[i][u], shown(v.status, cl->dialect));
			sim_fault(&c->crowd.sim, text);
		}
}

/* --- a life --- */

static void configure_auth(struct chaos *c)
{
	struct server_config *cfg = &c->crowd.sim.cfg;
	unsigned draw = next(c);

	cfg->has_user_check = draw % 4 == 3;
	cfg->users_max = draw & 4 ? FEW_USERS : 0;
	if (draw & 8 && cfg->client_buffer_messages > 4)
		cfg->client_buffer_messages = 256;
	cfg->connections_max = draw & 16 ? 220 : 10;
	cfg->auth_timeout_ms = draw & 32 ? 0 : 10000;
	c->jwt = draw & 64;
	if (!c->jwt)
		return;
	table_option(cfg, "auth", "jwt");
	table_option(cfg, "jwt-secret", "hs");
	if (draw & 128)
		table_option(cfg, "jwks-url", "on");
	services_set_keys(&c->crowd.sim.services, STR("after=1s es1"));
}

static void configure(struct chaos *c)
{
	struct server_config *cfg = &c->crowd.sim.cfg;
	unsigned a = next(c), b = next(c);

	sim_config(cfg);
	cfg->connections_per_user_max = 4;
	cfg->connections_per_ip_max = a & 1 ? 6 : 0;
	cfg->presence_rate = a & 2 ? 1 : 0;
	cfg->slow_consumer = a & 4 ? SLOW_CLOSE : SLOW_DROP;
	cfg->audience = a & 8 ? AUDIENCE_ROOMS : AUDIENCE_ALL;
	cfg->client_buffer_messages = a & 16 ? 4 : 64;
	cfg->client_buffer_bytes = a & 32 ? 500 : 65536;
	cfg->subscriptions_per_connection_max = a & 64 ? 2 : 32;
	cfg->offline_debounce_ms = a & 128 ? 0 : 5000;
	cfg->message_bytes_max[DIALECT_DOTTED] = 65536;
	c->crowd.sim.cut = (enum sim_cut)(b % SIM_FREE_CUTS);
	c->crowd.sim.pipe_bytes = b & 4 ? 200 : 0;
	cfg->message_rate = b & 8 ? 2 : 50;
	cfg->message_burst = b & 8 ? 4 : 100;
	cfg->write_wait_ms = b & 16 ? 0 : 10000;
	cfg->heartbeat_interval_ms = b & 32 ? 0 : 30000;
	cfg->pong_wait_ms = cfg->heartbeat_interval_ms * 2;
	c->crowd.sim.check_turns = b & 64;
	configure_auth(c);
}

/* All faults end; then time passes. */
static void heal(struct chaos *c)
{
	lift(c);
	services_set_keys(&c->crowd.sim.services, STR("es1"));
	services_set_users(&c->crowd.sim.services, STR("*=200 u0=200 u1=200 u2=200 u3=200 u4=200"));
	c->crowd.sim.frozen = false;
	for (unsigned i = 0; i < CHAOS_CLIENTS; i++) {
		client_at(c, i)->stalled = false;
		client_at(c, i)->silent = false;
	}
	sim_settle(&c->crowd.sim);
	sim_advance(&c->crowd.sim, c->crowd.sim.now.mono.ms + HEAL_MS);
	listen(c);
	promises_check(&c->promises, &c->crowd.sim);
}

static void check_echoes(struct chaos *c)
{
	for (unsigned i = 0; i < CHAOS_CLIENTS; i++) {
		const struct client *cl = client_at(c, i);

		if (cl->websocket && cl->dialect == DIALECT_ECHO && cl->link >= 0 && !cl->at_end && !cl->close_heard && !cl->close_sent &&
		    !c->promises.of[i].junk && c->echoes[i].said_n < ECHOES_MAX && c->echoes[i].heard_n != c->echoes[i].said_n)
			sim_fault(&c->crowd.sim, "an echo that never came");
	}
}

/* Whoever is through, whatever was before, is answered. */
static void check_answers(struct chaos *c)
{
	for (unsigned i = 0; i < CHAOS_CLIENTS; i++) {
		struct client *cl = client_at(c, i);
		struct promised *d = &c->promises.of[i];

		if (!cl->websocket || cl->link < 0 || cl->close_heard || cl->close_sent || cl->at_end || cl->dialect == DIALECT_ECHO || d->junk)
			continue;
		d->early = true;
		d->weak = d->answered = false;
		ask_for_pong(c, cl);
	}
	sim_settle(&c->crowd.sim);
	listen(c);
}

struct chaos_result chaos_run(const uint8_t *bytes, size_t n, uint64_t seed, bool trace)
{
	static struct chaos c;
	struct chaos_result r = { .steps = 0 };

	c = (struct chaos){ .p = bytes, .end = bytes + n, .trace = trace };
	promises_begin(&c.promises);
	configure(&c);
	c.crowd.sim.print_log = trace;
	if (!crowd_start(&c.crowd, seed)) {
		snprintf(r.fault, sizeof(r.fault), "the server does not start");
		return r;
	}
	for (unsigned i = 0; i < CHAOS_CLIENTS && next(&c) % 4 > 0; i++)
		connect(&c, i);
	while (c.p < c.end && c.crowd.sim.fault[0] == '\0') {
		c.steps++;
		step(&c);
		listen(&c);
		if (!c.held) /* else the server has had no turn to keep them */
			promises_check(&c.promises, &c.crowd.sim);
		promises_late(&c.crowd.sim);
		forget_forgotten(&c);
	}
	heal(&c);
	check_answers(&c);
	check_echoes(&c);
	if (!c.limited && c.crowd.sim.cfg.audience == AUDIENCE_ALL)
		check_truth(&c);
	if (c.crowd.sim.fault[0] == '\0')
		sim_leave_all(&c.crowd.sim);
	memcpy(r.fault, c.crowd.sim.fault, sizeof(c.crowd.sim.fault));
	r.hash = c.crowd.sim.hash;
	r.turns = c.crowd.sim.turns;
	r.steps = c.steps;
	r.lived_ms = c.crowd.sim.now.mono.ms;
	crowd_stop(&c.crowd);
	return r;
}
