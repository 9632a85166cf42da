/*
 * Nodes on a model of Redis: who is there, what was missed, what is taken away and what never is. Names say the clause of
 * RELIABILITY H (R...) or CONTRACT 5.
 */
#include "unit/cluster_rig.h"

#include "tap.h"

static void host_some(struct rig_node *n, uint32_t first, uint32_t count)
{
	for (uint32_t u = first; u < first + count; u++)
		rig_say(n, u, true, u);
}

/* Some nodes with 100 users each (but the first has 600: several pieces), that know each other. */
static void open_joined(struct rig *r, uint32_t nodes)
{
	rig_open(r, nodes);
	for (uint32_t i = 0; i < nodes; i++)
		host_some(&r->nodes[i], 0, i == 0 ? 600 : 100);
	rig_run(r, 3000);
	assert(rig_agree(r) && rig_all_are(r, PEERS_READY) && rig_swept(r) == 0);
}

static void test_join(void)
{
	struct rig r;
	struct rig_node *late;

	rig_open(&r, 2);
	host_some(&r.nodes[0], 0, 600);
	host_some(&r.nodes[1], 50, 100);
	rig_run(&r, 100);
	tap_ok(rig_all_are(&r, PEERS_JOINING), "CONTRACT 5: not ready before all had time to answer");
	tap_ok(rig_agree(&r), "CONTRACT 5: two nodes find each other and tell all they have");
	rig_run(&r, 600);
	tap_ok(rig_all_are(&r, PEERS_READY), "CONTRACT 5: ready once all was told");
	rig_say(&r.nodes[0], 0, false, 7);
	rig_say(&r.nodes[1], 699, true, 8);
	rig_run(&r, 2);
	tap_ok(rig_agree(&r), "CONTRACT 5: changes are told in a turn");
	late = rig_add(&r);
	host_some(late, 0, 300);
	rig_run(&r, 700);
	tap_ok(rig_agree(&r) && rig_swept(&r) == 0, "CONTRACT 5: nobody flickers when a node joins");
	tap_ok(late->peers.nodes(late->peers.link.ctx) == 3, "CONTRACT 5: it knows how many they are");
	rig_close(&r);
}

/* What is published goes out before the subscriptions stand. */
static void test_slow_start(void)
{
	struct rig r;

	rig_open(&r, 3);
	for (uint32_t i = 0; i < 3; i++) {
		r.nodes[i].hears_after_ms = 1 + 60 * (int64_t)i;
		host_some(&r.nodes[i], 0, 300);
	}
	rig_run(&r, 350);
	tap_ok(rig_agree(&r), "R8: who was greeted, or asked, before it heard is greeted and asked again");
	rig_run(&r, 500);
	tap_ok(rig_all_are(&r, PEERS_READY), "CONTRACT 5: and all are ready soon");
	rig_close(&r);
}

static void test_lease(void)
{
	struct rig r;

	open_joined(&r, 3);
	rig_kill(&r.nodes[0]);
	rig_run(&r, 3400);
	tap_ok(rig_swept(&r) == 0, "CONTRACT 5: a silent node keeps its users for a lease");
	rig_run(&r, 2700);
	tap_ok(rig_agree(&r), "CONTRACT 5: a killed node is gone within 3 beats");
	rig_start(&r.nodes[0], "n1");
	rig_run(&r, 1000);
	tap_ok(rig_agree(&r), "R13: it comes back under its name");
	rig_close(&r);
}

static void test_bye(void)
{
	struct rig r;
	struct rig_node *n;
	int ms;

	open_joined(&r, 3);
	r.nodes[2].no_space = true;
	tap_ok(!r.nodes[2].peers.leave(r.nodes[2].peers.link.ctx, r.now) && r.lease[2],
		"CONTRACT 5: without room for its bye it gives back no lease either");
	r.nodes[2].no_space = false;
	n = &r.nodes[0];
	rig_say(n, 650, true, 1);
	tap_ok(!n->peers.leave(n->peers.link.ctx, r.now), "CONTRACT 5: who leaves waits until its bye was heard");
	for (ms = 0; ms < 20 && !n->peers.leave(n->peers.link.ctx, r.now); ms++)
		rig_run(&r, 1);
	tap_ok(ms < 5, "CONTRACT 5: then it may end");
	tap_ok(!r.lease[0], "CONTRACT 5: its lease is given back");
	rig_kill(n);
	rig_run(&r, 400); /* of hundreds, at SWEEP_USERS in SWEEP_MS */
	tap_ok(rig_agree(&r) && r.nodes[1].peers.nodes(r.nodes[1].peers.link.ctx) == 2, "CONTRACT 5: a bye is believed at once");
	rig_unlink(&r.nodes[1]);
	tap_ok(r.nodes[1].peers.leave(r.nodes[1].peers.link.ctx, r.now), "without Redis nobody is kept from leaving");
	rig_close(&r);
}

static void test_lost(void)
{
	struct rig r;
	struct rig_node *n;

	open_joined(&r, 3);
	n = &r.nodes[1];
	n->lose_users = 1;
	rig_say(&r.nodes[0], 3, false, 9);
	rig_run(&r, 5);
	tap_ok(!rig_holds(n, &r.nodes[0]), "(a letter is lost)");
	rig_say(&r.nodes[0], 4, false, 9);
	rig_run(&r, 50);
	tap_ok(rig_agree(&r) && n->c->figures.gaps == 1, "R9: the next letter shows the gap, and all is asked for");
	n->lose_users = 1;
	rig_say(&r.nodes[0], 5, false, 9);
	rig_run(&r, 2100);
	tap_ok(rig_agree(&r) && n->c->figures.gaps == 2, "R9: so does the next beat");
	n->double_users = 1;
	rig_say(&r.nodes[0], 6, false, 10);
	rig_run(&r, 5);
	tap_ok(rig_agree(&r) && n->c->figures.refused[FIGURES_STALE] == 1, "R9: a letter that comes twice counts once");
	rig_say(&r.nodes[0], 7, false, 11);
	rig_turn(&r.nodes[0]);
	n->swap_users = 1;
	rig_say(&r.nodes[0], 7, true, 12);
	rig_turn(&r.nodes[0]);
	rig_run(&r, 400);
	tap_ok(rig_agree(&r) && n->c->figures.gaps == 3 && n->c->figures.refused[FIGURES_STALE] == 2,
	       "R9: an older letter behind a newer one is ignored, and all is asked for");
	tap_ok(rig_swept(&r) == 0, "R9: nobody was taken away for it");
	n->lose_users = 1;
	n->lose_state = 2;
	rig_say(&r.nodes[0], 8, false, 9);
	rig_run(&r, 5);
	rig_say(&r.nodes[0], 9, false, 9);
	rig_run(&r, 9000);
	tap_ok(rig_agree(&r) && n->c->figures.gaps == 4, "R9: a piece that is lost is asked for again, from the start");
	rig_close(&r);
}

/* What node a asked, and what it said of who is gone. */
static uint64_t asked(const struct rig_node *n)
{
	return n->c->figures.sent[LETTER_SYNC];
}

static uint64_t said_gone(const struct rig_node *n)
{
	return n->c->figures.sent[LETTER_GONE];
}

/* The last that the first node says is lost for the second, and then it dies. */
static void test_untold(void)
{
	struct rig r;
	struct rig_node *b, *c;
	uint64_t before;

	open_joined(&r, 3);
	b = &r.nodes[1];
	c = &r.nodes[2];
	before = asked(b) + asked(c);
	rig_say(&r.nodes[0], 3, false, 9);
	rig_run(&r, 5);
	rig_kill(&r.nodes[0]);
	rig_run(&r, 6500);
	tap_ok(said_gone(b) == 1 && said_gone(c) == 1 && asked(b) + asked(c) == before,
	       "R9: everybody says once what they heard of who is gone, and nobody asks who heard as much");
	rig_start(&r.nodes[0], "n1");
	rig_run(&r, 1000);
	before = asked(c);
	tap_ok(rig_agree(&r) && said_gone(b) == 1 && said_gone(c) == 1, "R9: nor is it said when it is there again");
	b->lose_users = 1;
	rig_say(&r.nodes[0], 3, true, 10);
	rig_run(&r, 5);
	rig_kill(&r.nodes[0]);
	rig_run(&r, 6500);
	tap_ok(b->c->figures.gaps == 1 && rig_agree(&r), "R9: who heard less finds the gap");
	tap_ok(said_gone(c) == 2 && asked(c) == before && c->c->figures.gaps == 0, "R9: who heard more does not ask");
	rig_close(&r);
}

/* As who is there says: of n9, which was there in epoch 2 and then in 3, and is gone. */
static void say_of_n9(struct rig *r, const char *to, const char *epoch, unsigned seq)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "{\"t\":\"gone\",\"n\":\"n2\",\"e\":\"%016llx\",\"s\":%llu,\"g\":\"n9\",\"ge\":\"000000000000000%s\","
	                 "\"gs\":%u}", (unsigned long long)r->nodes[1].c->epoch, (unsigned long long)r->nodes[1].c->seq, epoch, seq);

	rig_publish(r, str_of(to, strlen(to)), str_of(text, (size_t)n));
	rig_run(r, 5);
}

static void test_gone(void)
{
	static const struct { const char *what, *to, *epoch; unsigned seq; bool asks, answers, no_space; } rows[] = {
		{ "as much", "presenced:nodes", "3", 7, false, false, false },
		{ "less: it is told so", "presenced:nodes", "3", 6, false, true, false },
		{ "less, without space: it is not told so", "presenced:nodes", "3", 6, false, false, true },
		{ "less, as an answer: no more words", "presenced:node:n1", "3", 6, false, false, false },
		{ "more: it is asked", "presenced:nodes", "3", 8, true, false, false },
		{ "as much as that: once is enough", "presenced:nodes", "3", 8, false, false, false },
		{ "more, as an answer", "presenced:node:n1", "3", 9, true, false, false },
		{ "of the epoch before, as much", "presenced:nodes", "2", 5, false, false, false },
		{ "of the epoch before, less", "presenced:nodes", "2", 4, false, true, false },
		{ "of the epoch before, more", "presenced:nodes", "2", 6, true, false, false },
		{ "of an epoch that nobody knows, more", "presenced:nodes", "4", 99, false, false, false },
		{ "of an epoch that nobody knows, less", "presenced:nodes", "1", 0, false, false, false },
	};
	static const struct str letters[] = {
		STR("{\"t\":\"hello\",\"n\":\"n9\",\"e\":\"0000000000000002\",\"s\":5}"),
		STR("{\"t\":\"bye\",\"n\":\"n9\",\"e\":\"0000000000000002\",\"s\":5}"),
		STR("{\"t\":\"hello\",\"n\":\"n9\",\"e\":\"0000000000000003\",\"s\":7}"),
		STR("{\"t\":\"bye\",\"n\":\"n9\",\"e\":\"0000000000000003\",\"s\":7}"),
	};
	struct rig r;
	struct rig_node *n;

	open_joined(&r, 2);
	n = &r.nodes[0];
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		rig_publish(&r, STR("presenced:nodes"), letters[i]);
		rig_run(&r, 500);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t asks = asked(n), answers = said_gone(n);

		n->no_space = rows[i].no_space;
		say_of_n9(&r, rows[i].to, rows[i].epoch, rows[i].seq);
		n->no_space = false;
		rig_run(&r, 1000);
		tap_ok((asked(n) > asks) == rows[i].asks && said_gone(n) == answers + rows[i].answers,
		       "R9: another says what it heard of who is gone: %s", rows[i].what);
	}
	tap_ok(rig_agree(&r) && rig_swept(&r) == 0, "R9: nobody was taken away for it");
	rig_close(&r);
}

/* While one is told everything, letters are missed, and those of whom it was told already change. */
static void test_forgotten(void)
{
	struct rig r;
	struct peerlink *link;

	open_joined(&r, 2);
	link = &r.nodes[0].peers.link;
	link->forgotten(link->ctx, 3);
	rig_run(&r, 2100);
	tap_ok(r.nodes[1].c->figures.gaps == 0, "who was told is forgotten without a word");
	rig_say(&r.nodes[0], 3, true, 9);
	link->forgotten(link->ctx, 3);
	rig_run(&r, 2100);
	tap_ok(r.nodes[1].c->figures.gaps == 1 && rig_agree(&r),
	       "a number that goes to somebody else before its change is told: the others ask for everything");
	rig_close(&r);
}

static void test_interrupted(void)
{
	struct rig r;
	struct rig_node *n;
	int i;

	open_joined(&r, 2);
	n = &r.nodes[1];
	sync_want(n->c, &n->c->nodes[0]);
	for (i = 0; i < 300; i++) {
		n->lose_users = i % 3 == 0;
		rig_say(&r.nodes[0], (uint32_t)(i * 7) % 600, i % 5 != 0, (uint64_t)i + 1000);
		rig_run(&r, 1);
	}
	n->lose_users = 0;
	rig_run(&r, 2600);
	tap_ok(rig_agree(&r) && rig_swept(&r) == 0, "R9: gaps within gaps end well");
	tap_ok(n->engine.begins < 10, "R9: and do not make the others tell all the time");
	rig_close(&r);
}

static void test_freeze(void)
{
	struct rig r;

	open_joined(&r, 3);
	for (uint32_t i = 0; i < 3; i++) {
		rig_unlink(&r.nodes[i]);
		r.nodes[i].up_at = r.now.mono.ms + 60500 + 100 * i;
	}
	for (int i = 0; i < 60; i++) {
		rig_say(&r.nodes[0], (uint32_t)i, i % 2 == 0, (uint64_t)i + 50);
		rig_run(&r, 1000);
	}
	tap_ok(rig_all_are(&r, PEERS_LOST), "CONTRACT 5: without Redis, not ready");
	tap_ok(rig_swept(&r) == 0 && r.nodes[1].peers.nodes(r.nodes[1].peers.link.ctx) == 3, "CONTRACT 5: what was known stays as it was");
	rig_run(&r, 1500);
	tap_ok(rig_agree(&r) && rig_swept(&r) == 0, "R12: all agree soon after its return");
	rig_run(&r, 5000);
	tap_ok(rig_agree(&r) && rig_swept(&r) == 0 && rig_all_are(&r, PEERS_READY), "R12: and go on to");
	rig_close(&r);
}

static void test_one_lost_redis(void)
{
	struct rig r;

	open_joined(&r, 3);
	rig_unlink(&r.nodes[1]);
	r.nodes[1].up_at = r.now.mono.ms + 30000;
	rig_run(&r, 29000);
	tap_ok(r.nodes[1].engine.swept == 0, "R15: who lost Redis takes nobody away");
	tap_ok(r.nodes[0].engine.swept == 100 && r.nodes[2].engine.swept == 100, "R15: the others take its users away");
	rig_run(&r, 2000);
	tap_ok(rig_agree(&r) && r.nodes[1].engine.swept == 0, "R15: and have them back when it returns");
	rig_close(&r);
}

static void test_deaf(void)
{
	struct rig r;
	struct rig_node *n;
	int64_t ms = 0;

	open_joined(&r, 3);
	n = &r.nodes[1];
	n->deaf = true;
	while (n->peers.health(n->peers.link.ctx) == PEERS_READY && ms < 20000) {
		rig_run(&r, 10);
		ms += 10;
	}
	tap_ok(ms <= 4100, "R8: who does not hear itself is not ready within 5 s (%lld ms)", (long long)ms);
	tap_ok(n->resets == 1, "R8: and connects anew");
	rig_run(&r, 10000);
	tap_ok(n->resets >= 3 && n->engine.swept == 0, "R8: again and again, and takes nobody away");
	n->deaf = false;
	rig_run(&r, 5000);
	tap_ok(rig_agree(&r) && rig_all_are(&r, PEERS_READY), "R8: until it hears");
	rig_close(&r);
}

/* Redis is stopped: it takes what is published, and brings it when it goes on. */
static void test_hung(void)
{
	struct rig r;

	open_joined(&r, 3);
	r.hung = true;
	rig_run(&r, 1500);
	r.hung = false;
	rig_run(&r, 3000);
	tap_ok(rig_agree(&r) && rig_swept(&r) == 0 && r.nodes[0].resets == 0, "R3: a short stop is nothing");
	r.hung = true;
	rig_run(&r, 5000);
	tap_ok(!rig_all_are(&r, PEERS_READY), "R3: a longer one is told within 5 s");
	rig_run(&r, 15000);
	tap_ok(rig_swept(&r) == 0, "R3: and takes nobody away");
	r.hung = false;
	rig_run(&r, 5000);
	tap_ok(rig_agree(&r) && rig_swept(&r) == 0 && rig_all_are(&r, PEERS_READY), "R3: all agree within 5 s of its return");
	rig_close(&r);
}

static void test_restart(void)
{
	struct rig r;
	uint64_t epoch;

	open_joined(&r, 3);
	epoch = r.nodes[0].c->epoch;
	rig_kill(&r.nodes[0]);
	rig_run(&r, 300);
	for (uint32_t u = 500; u < 600; u++)
		r.nodes[0].engine.known[u] = r.nodes[0].engine.hosted[u] = false;
	rig_start(&r.nodes[0], "n1");
	rig_run(&r, 1000);
	tap_ok(r.nodes[0].c->epoch > epoch && rig_agree(&r), "R13: a new boot replaces the one before");
	tap_ok(rig_swept(&r) == 2 * 100, "R13: only those are taken away who did not come back");
	rig_kill(&r.nodes[0]);
	r.now.wall.ms -= 3600000;
	rig_start(&r.nodes[0], "n1");
	rig_run(&r, 2000);
	tap_ok(r.nodes[0].c->epoch < r.nodes[1].c->nodes[0].epoch, "R13: (the clock was put back)");
	rig_run(&r, 6500);
	tap_ok(rig_agree(&r), "R13: an older epoch is believed once the newer one is silent for a lease");
	rig_close(&r);
}

static void test_stopped(void)
{
	struct rig r;
	struct rig_node *n;
	uint64_t epoch;

	open_joined(&r, 3);
	n = &r.nodes[1];
	epoch = n->c->epoch;
	n->stopped = true;
	rig_run(&r, 20000);
	tap_ok(r.nodes[0].engine.swept == 100, "R14: a stopped node is gone");
	rig_kill(&r.nodes[2]);
	n->stopped = false;
	rig_run(&r, 200);
	tap_ok(n->c->epoch > epoch && rig_holds(n, &r.nodes[0]) && rig_holds(&r.nodes[0], n), "R14: back, it tells and asks for everything");
	tap_ok(n->engine.swept == 0, "R14: before it takes anybody away");
	rig_run(&r, 7000);
	tap_ok(rig_agree(&r), "R14: and then it does");
	n->stopped = true;
	rig_run(&r, 4000);
	n->stopped = false;
	rig_run(&r, 3000);
	tap_ok(rig_agree(&r) && n->resets == 0 && n->engine.swept == 100, "R14: a stop shorter than a lease is no fault of Redis");
	rig_close(&r);
}

/* A turn that comes late, before what waits in the socket was read. */
static void test_late(void)
{
	struct rig r;
	struct rig_node *n;

	open_joined(&r, 3);
	n = &r.nodes[1];
	while (!n->c->beat_out)
		rig_run(&r, 1);
	n->stopped = true;
	rig_run(&r, 7000);
	n->stopped = false;
	rig_turn_deaf(n);
	tap_ok(n->c->life == LIFE_READY && n->resets == 0, "R14: who was stopped does not take its own stop for Redis' silence");
	rig_turn_deaf(n);
	tap_ok(n->peers.nodes(n->peers.link.ctx) == 3, "R14: and asks for a proof before anybody is taken away");
	rig_run(&r, 1000);
	tap_ok(n->engine.swept == 0 && rig_agree(&r) && n->resets == 0, "R14: which shows that all are there");
	rig_close(&r);
}

/* The outage began just before a lease ended: what passed meanwhile does not count. */
static void test_full_lease(void)
{
	struct rig r;
	struct rig_node *n;

	open_joined(&r, 2);
	n = &r.nodes[1];
	r.nodes[0].stopped = true; /* 4 s: less than a lease */
	rig_run(&r, 2000);
	rig_unlink(n);
	n->up_at = r.now.mono.ms + 3900;
	rig_run(&r, 4500);
	r.nodes[0].stopped = false;
	rig_run(&r, 1000);
	tap_ok(n->engine.swept == 0 && rig_holds(n, &r.nodes[0]), "R12: on return everybody has a full lease");
	rig_close(&r);
}

static void test_no_space(void)
{
	struct rig r;
	struct rig_node *n;
	uint64_t before;

	open_joined(&r, 2);
	n = &r.nodes[0];
	n->no_space = true;
	for (int i = 0; i < 1000; i++) {
		rig_say(n, 5, i % 2 != 0, (uint64_t)i + 100);
		rig_say(n, (uint32_t)i % 3, true, (uint64_t)i + 100);
	}
	tap_ok(n->c->outgoing.count == 4, "R12: each user waits once");
	rig_run(&r, 100);
	tap_ok(n->turns < 300, "R12: who waits for room does not spin");
	before = n->c->figures.sent[LETTER_USERS];
	n->no_space = false;
	rig_run(&r, 15);
	tap_ok(rig_agree(&r) && n->c->figures.sent[LETTER_USERS] == before + 1, "R12: and is told in one letter");
	n->no_space = true;
	rig_run(&r, 4500);
	tap_ok(!rig_all_are(&r, PEERS_READY), "R12: who cannot speak is not ready within 5 s");
	n->no_space = false;
	rig_run(&r, 2000);
	tap_ok(rig_agree(&r), "R12: until it can");
	/* One whom the engine does not know any more when they could be told of. */
	n->no_space = true;
	rig_say(n, 5, false, 7);
	n->engine.known[5] = false;
	rig_run(&r, 100);
	n->no_space = false;
	rig_run(&r, 3000);
	tap_ok(rig_agree(&r), "R12: who could not be told of is missed by the others");
	rig_close(&r);
}

static void test_flushed(void)
{
	struct rig r;
	uint32_t sets;

	open_joined(&r, 2);
	sets = r.nodes[0].sets;
	rig_run(&r, 3000);
	tap_ok(r.nodes[0].sets == sets, "a lease that is there is renewed");
	r.lease[0] = r.lease[1] = false;
	rig_run(&r, 2100);
	tap_ok(r.lease[0] && r.lease[1] && r.nodes[0].sets == sets + 1, "R11: one that is not is set again within a beat");
	rig_close(&r);
}

static void test_many(void)
{
	struct rig r;
	uint32_t full = 0, ready = 0;

	rig_open(&r, 65);
	for (uint32_t i = 0; i < 65; i++)
		host_some(&r.nodes[i], i * 10, 30);
	rig_run(&r, 5500);
	tap_ok(rig_agree(&r) && rig_all_are(&r, PEERS_READY), "65 nodes, started at once, know each other");
	rig_add(&r);
	rig_run(&r, 6000);
	for (uint32_t i = 0; i < 65; i++) {
		full += r.nodes[i].c->figures.refused[FIGURES_NO_PLACE] > 0;
		ready += rig_peer(&r.nodes[i], &r.nodes[0]) >= 0 || i == 0;
	}
	tap_ok(full == 65 && ready == 65 && rig_swept(&r) == 0, "one more is counted, logged, and harms nobody");
	rig_close(&r);
}

static void test_full(void)
{
	struct rig r;
	uint32_t begins;

	open_joined(&r, 2);
	r.nodes[0].engine.full = true;
	host_some(&r.nodes[1], 500, 10);
	rig_run(&r, 40000);
	tap_ok(!rig_agree(&r), "(there is no room for some of them)");
	begins = r.nodes[0].engine.begins;
	rig_run(&r, 60000);
	tap_ok(r.nodes[0].engine.begins <= begins + 2, "R12: who has no room does not make the others tell all the time");
	r.nodes[0].engine.full = false;
	rig_run(&r, 35000);
	tap_ok(rig_agree(&r), "R12: once there is room, all agree");
	begins = r.nodes[0].engine.begins;
	rig_run(&r, 60000);
	tap_ok(r.nodes[0].engine.begins == begins, "R12: and nothing is asked for any more");
	rig_close(&r);
}

static void test_namesake(void)
{
	struct rig r;

	open_joined(&r, 2);
	rig_add(&r);
	rig_kill(&r.nodes[2]);
	rig_start(&r.nodes[2], "n1");
	rig_run(&r, 30000);
	tap_ok(r.nodes[0].namesakes == 1 && r.nodes[2].namesakes == 1, "R13: two processes of one name say so, once a minute");
	tap_ok(rig_holds(&r.nodes[1], &r.nodes[2]), "R13: the younger one counts");
	rig_close(&r);
}

static void test_messages(void)
{
	struct peer_message typing = { .type = PEER_TYPING, .user_id = STR("u001"), .room = STR("room0"), .is_typing = true };
	struct rig r;
	struct rig_node *n;

	rig_open(&r, 3);
	r.nodes[1].engine.rooms = RIG_ROOMS;
	rig_run(&r, 2000);
	n = &r.nodes[0];
	n->peers.link.tell(n->peers.link.ctx, &(struct peer_address){ .room = STR("room0") }, &typing);
	rig_run(&r, 1);
	tap_ok(r.nodes[1].engine.messages == 1 && r.nodes[2].engine.messages == 0, "R9: a room's message goes where the room is");
	n->peers.link.room(n->peers.link.ctx, STR("room0"), true);
	n->peers.link.tell(n->peers.link.ctx, &(struct peer_address){ .all = true }, &typing);
	n->peers.link.tell(n->peers.link.ctx, &(struct peer_address){ .room = STR("room0") }, &typing);
	n->peers.link.tell(n->peers.link.ctx, &(struct peer_address){ .nodes = UINT64_C(1) << rig_peer(n, &r.nodes[2]) }, &typing);
	rig_run(&r, 1);
	tap_ok(r.nodes[1].engine.messages == 3 && r.nodes[2].engine.messages == 2 && n->engine.messages == 0,
	       "all, a room, a node: each hears what it should, and nobody themselves");
	n->peers.link.room(n->peers.link.ctx, STR("room0"), false);
	r.nodes[1].peers.link.tell(r.nodes[1].peers.link.ctx, &(struct peer_address){ .room = STR("room0") }, &typing);
	rig_run(&r, 1);
	tap_ok(n->engine.messages == 0, "a room that was left is not heard");
	n->no_space = true;
	n->peers.link.room(n->peers.link.ctx, STR("room9"), true);
	n->engine.rooms = 10;
	n->no_space = false;
	rig_run(&r, 50);
	tap_ok(rig_hears(n, STR("presenced:room:room9")), "a room for which there was no room is subscribed to later");
	rig_close(&r);
}

static void test_hostile(void)
{
	static const char *const letters[][2] = {
		{ "presenced:nodes", "" }, { "presenced:nodes", "[" }, { "presenced:users", "{\"t\":\"users\"}" },
		{ "presenced:users", "{\"t\":\"beat\",\"n\":\"x\",\"e\":\"0000000000000001\",\"s\":0}" },
		{ "presenced:nodes", "{\"t\":\"users\",\"n\":\"x\",\"e\":\"0000000000000001\",\"s\":0,\"u\":[]}" },
		{ "presenced:node:n1", "{\"t\":\"hello\",\"n\":\"x\",\"e\":\"0000000000000001\",\"s\":0}" },
		{ "presenced:nodes", "{\"t\":\"bye\",\"n\":\"x\",\"e\":\"0000000000000001\",\"s\":0}" },
	};
	static const struct str wild[] = {
		STR("{\"t\":\"sync\",\"n\":\"n2\",\"e\":\"ffffffffffffffff\",\"s\":0,\"c\":null}"),
		STR("{\"t\":\"state\",\"n\":\"n2\",\"e\":\"ffffffffffffffff\",\"s\":9007199254740992,\"f\":true,\"u\":[],\"c\":0}"),
		STR("{\"t\":\"state\",\"n\":\"n2\",\"e\":\"ffffffffffffffff\",\"s\":0,\"u\":[],\"c\":null}"),
	};
	struct rig r;
	uint64_t refused = 0;

	open_joined(&r, 2);
	r.nodes[0].log[0] = '\0';
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		rig_publish(&r, str_of(letters[i][0], strlen(letters[i][0])), str_of(letters[i][1], strlen(letters[i][1])));
	rig_run(&r, 5);
	for (int i = 0; i < FIGURES_REFUSAL_COUNT; i++)
		refused += r.nodes[0].c->figures.refused[i];
	tap_ok(refused == 6 && r.nodes[0].peers.nodes(r.nodes[0].peers.link.ctx) == 2, "R16: what is no letter, or not there, is counted");
	tap_ok(strstr(r.nodes[0].log, "ignored") != NULL && strstr(strstr(r.nodes[0].log, "ignored") + 1, "ignored") == NULL,
	       "R16: and logged once a second");
	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
		rig_publish(&r, STR("presenced:node:n1"), wild[i]);
	rig_publish(&r, STR("presenced:users"), STR("{\"t\":\"users\",\"n\":\"n2\",\"e\":\"ffffffffffffffff\",\"s\":9007199254740992,\"u\":[]}"));
	rig_run(&r, 20000);
	tap_ok(rig_agree(&r), "R16: numbers out of this world do no lasting harm");
	rig_close(&r);
}

static bool has(const char *text, const char *what)
{
	const char *at = strstr(text, what);

	return at != NULL && strstr(at + 1, what) == NULL;
}

static void test_metrics(void)
{
	static char text[65536];
	struct jsonw w;
	struct rig r;

	open_joined(&r, 3);
	jsonw_init(&w, text, sizeof(text) - 1);
	r.nodes[1].peers.metrics(r.nodes[1].peers.link.ctx, &w);
	text[jsonw_bytes(&w)] = '\0';
	tap_ok(!w.failed && has(text, "\npresenced_nodes 3\n") && has(text, "\npresenced_cluster_state{state=\"ready\"} 1\n") &&
	       has(text, "\npresenced_letters_sent_total{type=\"hello\"} 1\n") && has(text, "# TYPE presenced_cluster_syncs_total counter\n") &&
	       has(text, "\npresenced_cluster_syncs_total 2\n"), "CONTRACT 6: the lines of /metrics");
	rig_close(&r);
}

static void test_refused(void)
{
	struct rig r;
	struct rig_node *n;
	uint32_t sets;

	open_joined(&r, 2);
	n = &r.nodes[0];
	rig_run(&r, 30000);
	sets = n->sets;
	cluster_refused(n->c, STR("OOM"), r.now);
	rig_run(&r, 2100);
	tap_ok(n->sets == sets + 1, "R10: what was refused is written anew");
	for (int i = 0; i < 20; i++) {
		cluster_refused(n->c, STR("OOM"), r.now);
		rig_run(&r, 1000);
	}
	tap_ok(n->sets == sets + 1, "R10: but not all the time");
	rig_close(&r);
}

/* Anything may happen to anybody; then nothing more does, and all agree. */
static void stir(struct rig *r)
{
	struct rig_node *n = &r->nodes[rig_random(r) % r->count];

	switch (rig_random(r) % 40) {
	case 0: rig_unlink(n); n->up_at = r->now.mono.ms + (int64_t)(rig_random(r) % 9000); break;
	case 1: n->stopped = !n->stopped; break;
	case 2: n->deaf = !n->deaf; break;
	case 3: n->no_space = !n->no_space; break;
	case 4: r->hung = rig_random(r) % 8 == 0; break;
	case 5: n->lose_state = 1; break;
	case 6: n->double_users = 1; break;
	case 7: r->lease[rig_index(n)] = false; break;
	case 8:
		if (n->runs)
			rig_kill(n);
		else
			rig_start(n, n->id);
		break;
	case 9: r->now.wall.ms += (int64_t)(rig_random(r) % 4000) - 2000; break;
	case 10: n->swap_users = 1; break;
	case 11: case 12: case 13: n->lose_users = 1; break;
	default:
		for (uint64_t i = rig_random(r) % 4; i > 0; i--)
			rig_say(n, (uint32_t)(rig_random(r) % RIG_USERS), rig_random(r) % 4 > 0, rig_random(r) % 1000);
	}
	rig_run(r, (int64_t)(rig_random(r) % 200));
}

static void test_chaos(void)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct rig r;

		open_joined(&r, 4);
		r.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
		for (int i = 0; i < 400; i++)
			stir(&r);
		r.hung = false;
		for (uint32_t i = 0; i < r.count; i++) {
			struct rig_node *n = &r.nodes[i];

			n->stopped = n->deaf = n->no_space = false;
			n->lose_users = n->lose_state = n->double_users = n->swap_users = 0;
			if (!n->runs)
				rig_start(n, n->id);
		}
		rig_run(&r, 20000);
		tap_ok(rig_agree(&r) && rig_all_are(&r, PEERS_READY), "R9, R12, R15: whatever happened, all agree in the end (seed %u)", (unsigned)seed);
		rig_close(&r);
	}
}

int main(void)
{
	test_join();
	test_slow_start();
	test_lease();
	test_bye();
	test_lost();
	test_untold();
	test_gone();
	test_forgotten();
	test_interrupted();
	test_freeze();
	test_one_lost_redis();
	test_deaf();
	test_hung();
	test_restart();
	test_stopped();
	test_late();
	test_full_lease();
	test_no_space();
	test_flushed();
	test_many();
	test_full();
	test_namesake();
	test_messages();
	test_hostile();
	test_metrics();
	test_refused();
	test_chaos();
	return tap_done();
}
