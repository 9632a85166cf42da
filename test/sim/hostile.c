/*
 * (9) What no client should send, and the documented answer to each (RELIABILITY A to F; CONTRACT 3 and 4). One row a go, over a connection
 * of its own; whoever is not let in calls itself `ghost`, of whom nothing may ever be known (8).
 *
 * Invariants: `x` is gone again before the step ends.
 */
#include <stdio.h>
#include <string.h>

#include "presence/engine.h"
#include "server/state.h"
#include "sim/act.h"
#include "sim/living.h"
#include "sim/mint.h"

enum kind {
	RAW,      /* bytes on a new connection; answered, and ended */
	KEPT,     /* the same, but the connection may stay */
	FRAME,    /* bytes behind a handshake in `snake` */
	TEXT_OF,  /* a message in `snake` */
	TWENTY,   /* the same, twenty times */
	DOTTED,   /* one in `dotted` */
	STRANGER, /* one in `dotted` of who has not authenticated; only with auth=jwt */
	TOKEN,    /* a token that lets nobody in; only with auth=jwt */
};

struct row {
	const char *id;       /* of RELIABILITY, or the section of CONTRACT */
	enum kind kind;
	const char *bytes;
	size_t n;
	const char *want;     /* what is heard begins like that; between bars: one of these */
};

#define B(text) text, sizeof(text) - 1
#define GET "GET /ghost HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /api/v1/broadcast HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
#define UPGRADE "GET /ws?user_id=" GHOST " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define TEN "xxxxxxxxxx"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
#define TEN_HEADERS "a: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\na: b\r\n"

static const struct row rows[] = {
	{ "H1", RAW, B("GET / HTTP/1.1\nHost: a\n\n"), "400" },
	{ "H2", RAW, B(GET "v: a\rb\r\n\r\n"), "400" },
	{ "H2", RAW, B(GET "v: a\0b\r\n\r\n"), "400" },
	{ "H3", RAW, B(POST "Content-Length : 2\r\n\r\n{}"), "400" },
	{ "H3", RAW, B("GET /live HTTP/1.1\r\n Host: a\r\n\r\n"), "400" },
	{ "H3", RAW, B(GET "v: a\r\n b\r\n\r\n"), "400" },
	{ "H4", RAW, B(GET ": x\r\n\r\n"), "400" },
	{ "H4", RAW, B(GET "nothing\r\n\r\n"), "400" },
	{ "H5", RAW, B(GET "a\x80" "b: x\r\n\r\n"), "400" },
	{ "H5", RAW, B(GET "a(b: x\r\n\r\n"), "400" },
	{ "H7", RAW, B(POST "Content-Length: +2\r\n\r\n{}"), "400" },
	{ "H7", RAW, B(POST "Content-Length: -48\r\n\r\n{}"), "400" },
	{ "H7", RAW, B(POST "Content-Length: 0x2\r\n\r\n{}"), "400" },
	{ "H7", RAW, B(POST "Content-Length: 1Z\r\n\r\n{}"), "400" },
	{ "H7", RAW, B(POST "Content-Length:\r\n\r\n{}"), "400" },
	{ "H7", RAW, B(POST "Content-Length: 2,2\r\n\r\n{}"), "400" },
	{ "H7", RAW, B(POST "Content-Length: 18446744073709551616\r\n\r\n{}"), "400|413" },
	{ "H8", RAW, B(POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"), "400" },
	{ "H9", RAW, B(POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"), "400" },
	{ "H10", RAW, B(POST "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), "411" },
	{ "H10", RAW, B(POST "Transfer-Encoding: blegh\r\n\r\n"), "411" },
	{ "H12", RAW, B("G=\":<> /live HTTP/1.1\r\nHost: a\r\n\r\n"), "400" },
	{ "H12", RAW, B("GET  /live HTTP/1.1\r\nHost: a\r\n\r\n"), "400" },
	{ "H12", RAW, B("GET /li\x81ve HTTP/1.1\r\nHost: a\r\n\r\n"), "400" },
	{ "H13", RAW, B("GET /live HTTP/1.32\r\nHost: a\r\n\r\n"), "505|400" },
	{ "H13", RAW, B("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "505|400" },
	{ "H14", RAW, B("GET /live HTTP/1.1\r\n\r\n"), "400" },
	{ "H14", RAW, B(GET "Host: a\r\n\r\n"), "400" },
	{ "H15", KEPT, B("GET /api/v1/presence/%GG HTTP/1.1\r\nHost: a\r\n\r\n"), "400|401" },
	{ "H15", KEPT, B("GET /api/v1/presence/a%00b HTTP/1.1\r\nHost: a\r\n\r\n"), "400|401" },
	{ "H15", KEPT, B("GET /api/v1/presence/" HUNDRED HUNDRED HUNDRED " HTTP/1.1\r\nHost: a\r\n\r\n"), "400|401" },
	{ "H16", RAW, B(GET "v: " THOUSAND THOUSAND THOUSAND THOUSAND THOUSAND THOUSAND THOUSAND THOUSAND THOUSAND "\r\n\r\n"), "431" },
	{ "H16", RAW, B(GET TEN_HEADERS TEN_HEADERS TEN_HEADERS TEN_HEADERS TEN_HEADERS TEN_HEADERS TEN_HEADERS TEN_HEADERS TEN_HEADERS TEN_HEADERS "\r\n"), "431" },
	{ "H18", RAW, B(POST "Content-Length: 65537\r\n\r\n"), "413" },
	{ "H20", RAW, B(POST "Expect: else\r\nContent-Length: 2\r\n\r\n{}"), "417" },
	{ "H21", KEPT, B("PATCH /live HTTP/1.1\r\nHost: a\r\n\r\n"), "405" },
	{ "H21", KEPT, B("DELETE /api/v1/broadcast HTTP/1.1\r\nHost: a\r\n\r\n"), "405|401" },
	{ "H21", KEPT, B("TRACE /live HTTP/1.1\r\nHost: a\r\n\r\n"), "405|501" },
	{ "4", KEPT, B("POST /api/v1/broadcast HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"), "415|401" },
	{ "4", KEPT, B(POST "Content-Length: 7\r\n\r\n{\"a\":1 "), "400|401" },
	{ "4", KEPT, B(POST "Content-Length: 8\r\n\r\n{\"a\":01}"), "400|401" },
	{ "4", KEPT, B("PUT /api/v1/presence/" GHOST " HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n{\"online_status\":\"asleep\"}"), "400|401" },
	{ "4", KEPT, B("PUT /api/v1/presence/" GHOST " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\nContent-Type: application/json\r\n"
	               "Content-Length: 23\r\n\r\n{\"online_status\":\"busy\"}"), "401|400" },
	{ "U1", KEPT, B("POST /ws?user_id=" GHOST " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"), "405|400" },
	{ "U1", RAW, B("GET /ws?user_id=" GHOST " HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"), "400|505" },
	{ "U2", RAW, B("GET /ws?user_id=" GHOST " HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"), "426|400" },
	{ "U2", RAW, B("GET /ws?user_id=" GHOST " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n" KEY VERSION "\r\n"), "426|400" },
	{ "U3", RAW, B(UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"), "426" },
	{ "U3", RAW, B(UPGRADE KEY "\r\n"), "426" },
	{ "U4", RAW, B(UPGRADE VERSION "\r\n"), "400" },
	{ "U4", RAW, B(UPGRADE VERSION "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n"), "400" },
	{ "U4", RAW, B(UPGRADE VERSION KEY KEY "\r\n"), "400" },
	{ "U7", RAW, B(UPGRADE VERSION KEY "Origin: http://evil.example\r\n\r\n"), "403" },
	{ "U7", RAW, B(UPGRADE VERSION KEY "Origin: null\r\n\r\n"), "403" },
	{ "U8", RAW, B(UPGRADE VERSION "\r\nGET /" GHOST " HTTP/1.1\r\nHost: a\r\n\r\n"), "400" },
	{ "U9", RAW, B(UPGRADE VERSION KEY "Content-Length: 2\r\n\r\n{}"), "400" },
	{ "U9", RAW, B(UPGRADE VERSION KEY "Transfer-Encoding: chunked\r\n\r\n"), "411|400" },

	{ "F1", FRAME, B("\x81\x02hi"), "close 1002" },
	{ "F1", FRAME, B("\x89\x00"), "close 1002" },
	{ "F2", FRAME, B("\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0"), "close 1002" },
	{ "F3", FRAME, B("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), "close 1009" },
	{ "F4", FRAME, B("\x81\xff\0\0\0\0\0\x01\0\x01\0\0\0\0"), "close 1009" },
	{ "F5", FRAME, B("\x01\x81\0\0\0\0{\x80\xff\0\0\0\0\0\x01\0\0\0\0\0\0"), "close 1009" },
	{ "F6", FRAME, B("\x81\xfe\0\x05\0\0\0\0"), "close 1002" },
	{ "F6", FRAME, B("\x81\xff\0\0\0\0\0\0\0\xff\0\0\0\0"), "close 1002" },
	{ "F7", FRAME, B("\xc1\x80\0\0\0\0"), "close 1002" },
	{ "F7", FRAME, B("\xa1\x80\0\0\0\0"), "close 1002" },
	{ "F7", FRAME, B("\x91\x80\0\0\0\0"), "close 1002" },
	{ "F8", FRAME, B("\x83\x80\0\0\0\0"), "close 1002" },
	{ "F8", FRAME, B("\x8f\x80\0\0\0\0"), "close 1002" },
	{ "F9", FRAME, B("\x09\x80\0\0\0\0"), "close 1002" },
	{ "F9", FRAME, B("\x89\xfe\0\x7e\0\0\0\0"), "close 1002" },
	{ "F10", FRAME, B("\x80\x80\0\0\0\0"), "close 1002" },
	{ "F10", FRAME, B("\x01\x81\0\0\0\0{\x81\x81\0\0\0\0{"), "close 1002" },
	{ "F12", FRAME, B("\x81\x81\0\0\0\0\xff"), "close 1007" },
	{ "F12", FRAME, B("\x81\x83\0\0\0\0\xed\xa0\x80"), "close 1007" },
	{ "F12", FRAME, B("\x01\x82\0\0\0\0\xe2\x82\x80\x81\0\0\0\0("), "close 1007" },
	{ "F13", FRAME, B("\x82\x81\0\0\0\0x"), "close 1003" },
	{ "F14", FRAME, B("\x88\x81\0\0\0\0\x03"), "close 1002" },
	{ "F14", FRAME, B("\x88\x82\0\0\0\0\x03\xe7"), "close 1002" },
	{ "F14", FRAME, B("\x88\x82\0\0\0\0\x03\xed"), "close 1002" },
	{ "F14", FRAME, B("\x88\x82\0\0\0\0\x13\x88"), "close 1002" },
	{ "F15", FRAME, B("\x88\x83\0\0\0\0\x03\xe8\xff"), "close 1007" },
	{ "F22", FRAME, B("\x81\x80\0\0\0\0"), "error 400" },

	{ "J2", TEXT_OF, B("{\"type\":\"ping\"}\0}}}"), "error 400|close 1007" },
	{ "J3", TEXT_OF, B("{\"type\" \"ping\"}"), "error 400" },
	{ "J3", TEXT_OF, B("{\"type\":\"ping\"}{\"a\":2}"), "error 400" },
	{ "J3", TEXT_OF, B("[1,]"), "error 400" },
	{ "J4", TEXT_OF, B("{\"type\":\"ping\",\"a\":01}"), "error 400" },
	{ "J4", TEXT_OF, B("{\"type\":\"ping\",\"a\":truefoo}"), "error 400" },
	{ "J5", TEXT_OF, B("{\"type\":\"ping\",\"a\":\"\n\"}"), "error 400" },
	{ "J6", TEXT_OF, B("{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"\\ud800\",\"is_typing\":true}}"), "error 400" },
	{ "J6", TEXT_OF, B("{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"\\u0000\",\"is_typing\":true}}"), "error 400" },
	{ "J7", TEXT_OF, B("{\"type\":\"ping\",\"\\u0074ype\":\"ping\"}"), "error 400" },
	{ "J8", TEXT_OF, B("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"), "error 400" },
	{ "3", TEXT_OF, B("{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"asleep\"}}"), "error 400" },
	{ "3", TEXT_OF, B("{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"busy\",\"metadata\":[]}}"), "error 400" },
	{ "3", TEXT_OF, B("{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"" HUNDRED TEN TEN TEN "\",\"is_typing\":true}}"), "error 400" },
	{ "3", TWENTY, B("{\"type\":\"nonsense\"}"), "close 1008" },
	{ "3", TWENTY, B("{\"type\":"), "close 1008" },
	{ "3", DOTTED, B("{\"type\":\"subscribe\",\"id\":1,\"payload\":{\"topics\":[\"conversation\"]}}"), "error 400" },
	{ "3", DOTTED, B("{\"type\":\"call.ice\",\"id\":4,\"payload\":{\"call_id\":\"nobody's\",\"candidate\":\"evil\"}}"), "error 404" },
	{ "3", DOTTED, B("{\"type\":\"call.hangup\",\"id\":4,\"payload\":{\"call_id\":\"nobody's\"}}"), "error 404" },
	{ "3", DOTTED, B("{\"type\":\"mark.read\",\"id\":9,\"payload\":{\"message_id\":\"m1\"}}"), "error 400" },

	{ "U14", STRANGER, B("{\"id\":1,\"type\":\"presence.update\",\"payload\":{\"status\":\"busy\",\"custom_status\":\"" GHOST "\"}}"), "error 401" },
	{ "U14", STRANGER, B("{\"id\":1,\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"]}}"), "error 401" },
	{ "U14", STRANGER, B("{\"id\":1,\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"r1\"}}"), "error 401" },
	{ "U14", STRANGER, B("{\"id\":1,\"type\":\"authenticate\",\"payload\":{\"token\":\"" GHOST "\"}}"), "auth.failed" },
	{ "T2", TOKEN, B("sub:" GHOST ",alg:none"), "401" },
	{ "T2", TOKEN, B("sub:" GHOST ",alg:RS256"), "401" },
	{ "T7", TOKEN, B("sub:" GHOST ",bad:signature"), "401" },
	{ "T7", TOKEN, B("sub:" GHOST ",by:other"), "401" },
	{ "T10", TOKEN, B("sub:" GHOST ",ttl:-10s"), "401" },
	{ "T10", TOKEN, B("sub:" GHOST ",nbf:1d"), "401" },
	{ "T11", TOKEN, B("ttl:1h"), "401" },
	{ "U13", TOKEN, B(""), "401" },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* --- doing it --- */

static void connect(struct life *l, uint32_t node, struct client *x, const char *args)
{
	act_does(life_crowd(l, node), x, STR("connect"), str_of_text(args));
	world_settle(&l->w);
}

static void come_as_user(struct life *l, uint32_t node, struct client *x, const char *dialect)
{
	char args[MINT_TOKEN_MAX + 64], token[MINT_TOKEN_MAX] = "";

	if (life_has(l, WITH_JWT) && mint_token(STR("sub:v0,ttl:900d"), (wall_t){ INT64_C(1768392000000) }, token))
		snprintf(args, sizeof(args), "%s ip=127.0.0.9 token=%s", dialect, token);
	else
		snprintf(args, sizeof(args), "%s ip=127.0.0.9 user=v0", dialect);
	connect(l, node, x, args);
}

static void come_with_token(struct life *l, uint32_t node, struct client *x, const struct row *r)
{
	char args[MINT_TOKEN_MAX + 64], token[MINT_TOKEN_MAX];
	wall_t now = { life_crowd(l, node)->sim.now.wall.ms / 1000 * 1000 };

	if (r->n == 0 || !mint_token(str_of(r->bytes, r->n), now, token))
		snprintf(args, sizeof(args), "snake ip=127.0.0.9 user=" GHOST);
	else
		snprintf(args, sizeof(args), "snake ip=127.0.0.9 token=%s", token);
	connect(l, node, x, args);
}

/* False: there was no getting so far. */
static bool send_row(struct life *l, uint32_t node, struct client *x, const struct row *r)
{
	struct crowd *c = life_crowd(l, node);
	static const struct peer peer = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 9 }, 4000 };

	if (r->kind == TOKEN) {
		come_with_token(l, node, x, r);
		return true;
	}
	if (r->kind == RAW || r->kind == KEPT) {
		client_tcp(c, x, 0, &peer);
		client_bytes(c, x, r->bytes, r->n);
		world_settle(&l->w);
		return true;
	}
	if (r->kind == STRANGER)
		connect(l, node, x, "dotted ip=127.0.0.9");
	else
		come_as_user(l, node, x, r->kind == DOTTED ? "dotted" : "snake");
	if (!x->websocket || x->close_heard || x->link < 0)
		return false;
	if (r->kind == FRAME)
		client_bytes(c, x, r->bytes, r->n);
	for (int n = r->kind == FRAME ? 0 : r->kind == TWENTY ? 20 : 1; n > 0; n--)
		client_frame(c, x, WS_TEXT, true, r->bytes, r->n);
	world_settle(&l->w);
	return true;
}

/* --- judging it --- */

static bool begins(const char *text, const char *want)
{
	for (const char *w = want; w != NULL; w = strchr(w, '|') == NULL ? NULL : strchr(w, '|') + 1)
		if (strncmp(text, w, strcspn(w, "|")) == 0)
			return true;
	return false;
}

/* May the node not answer as is written down, for some other reason? */
static bool is_excused(struct life *l, uint32_t node)
{
	const struct sim *sim = &life_crowd(l, node)->sim;

	return !world_is_alive(&l->w, node) || sim->frozen || world_node(&l->w, node)->quitting || l->limited || sim->failing_accepts > 0 ||
	       sim->now.mono.ms < sim->accepts_ms || server_draining(sim->server) || !server_can_accept(sim->server);
}

static void judge(struct life *l, uint32_t node, const struct client *x, const struct row *r)
{
	const struct crowd *c = life_crowd(l, node);
	bool answered = false, ended = false;
	unsigned errors = 0;
	const char *last = "nothing";

	for (size_t k = 0; k < c->heard_count; k++)
		if (&c->clients[c->heard[k].client] == x) {
			answered |= begins(c->heard[k].text, r->want);
			ended |= strcmp(c->heard[k].text, "end") == 0;
			errors += begins(c->heard[k].text, "error 400");
			last = c->heard[k].text;
		}
	l->rejected++;
	if (!answered)
		life_fault(l, "(9) %s, row %d: wanted %s, and last heard: %s", r->id, (int)(r - rows), r->want, last);
	else if (r->kind == RAW && !ended)
		life_fault(l, "(9) %s, row %d: the connection stays", r->id, (int)(r - rows));
	else if (r->kind == TWENTY && errors != 20 && !life_has(l, WITH_BYTES_CUT) && !life_has(l, WITH_BUFFER)) /* else a Close may overtake some */
		life_fault(l, "(9) %s, row %d: %u of 20 are answered", r->id, (int)(r - rows), errors);
}

void hostile_act(struct life *l)
{
	uint32_t node = 1 + life_draw(l, NODES_MAX) % l->nodes;
	const struct row *r = &rows[life_draw(l, ROWS)];
	struct client *x = client_named(life_crowd(l, node), "x", 1);
	bool excused;

	if ((r->kind == STRANGER || r->kind == TOKEN) && !life_has(l, WITH_JWT))
		return;
	if (r->kind == TWENTY && life_has(l, WITH_MESSAGE_RATE)) /* some of them are too many, which is another row of its own */
		return;
	life_did(l, "    x sends what is refused by %s (row %d) to node %u", r->id, (int)(r - rows), node);
	l->injected[HOSTILE]++;
	excused = is_excused(l, node);
	if (send_row(l, node, x, r) && !excused && !is_excused(l, node))
		judge(l, node, x, r);
	client_drop(life_crowd(l, node), x);
}

void hostile_check(struct life *l)
{
	for (uint32_t n = 1; n <= l->nodes; n++) {
		const struct sim *sim = &life_crowd(l, n)->sim;
		struct presence_view v;

		if (!world_is_alive(&l->w, n))
			continue;
		engine_view(sim->server->engine, STR(GHOST), &v, sim->now);
		if (v.known)
			life_fault(l, "(8) node %u knows of a user who never came in", n);
	}
}
