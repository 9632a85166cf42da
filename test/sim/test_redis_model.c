/*
 * The model Redis itself: that it keeps what Redis keeps, and breaks what it is told to break, the same way each time.
 */
#include <stdio.h>
#include <string.h>

#include "sim/redis_model.h"
#include "tap.h"

struct ear {
	struct redis_model *m;
	uint32_t i;
	char log[4096];
};

__attribute__((format(printf, 2, 3))) static void note(struct ear *e, const char *fmt, ...)
{
	size_t n = strlen(e->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->log + n, sizeof(e->log) - n, fmt, ap);
	va_end(ap);
}

static void up(void *ctx)
{
	note(ctx, "up ");
}

static void down(void *ctx)
{
	note(ctx, "down ");
}

static void heard(void *ctx, struct str channel, char *payload, size_t n)
{
	note(ctx, "%.*s:%.*s ", (int)channel.n, channel.p, (int)n, payload);
}

static void renewed(void *ctx, bool was_there)
{
	note(ctx, was_there ? "there " : "missing ");
}

static void refused(void *ctx, struct str code)
{
	note(ctx, "-%.*s ", (int)code.n, code.p);
}

static struct redis_model m;
static struct ear a, b;
static struct bus abus, bbus;

static void to(int64_t ms)
{
	int64_t next;

	for (;;) {
		bool any = redis_model_run(&m, m.now_ms);

		any |= redis_model_deliver(&m, 0, 8);
		any |= redis_model_deliver(&m, 1, 8);
		if (any)
			continue;
		next = redis_model_due(&m);
		for (uint32_t i = 0; i < 2; i++)
			next = redis_model_client_due(&m, i) < next ? redis_model_client_due(&m, i) : next;
		if (next > ms)
			break;
		m.now_ms = next > m.now_ms ? next : m.now_ms + 1;
	}
	m.now_ms = ms;
}

static void open(struct ear *e, uint32_t i, struct bus *bus)
{
	const struct redis_ears ears = { .ctx = e, .up = up, .down = down, .heard = heard, .renewed = renewed, .refused = refused };

	*e = (struct ear){ .m = &m, .i = i };
	redis_model_open(&m, i, &ears);
	*bus = redis_model_bus(&m, i);
}

static void begin(uint64_t seed, int64_t delay_ms)
{
	redis_model_start(&m, seed);
	m.delay_ms = delay_ms;
	open(&a, 0, &abus);
	open(&b, 1, &bbus);
	to(10);
	abus.subscribe(abus.ctx, STR("c"));
	bbus.subscribe(bbus.ctx, STR("c"));
	to(100);
	a.log[0] = b.log[0] = '\0';
}

/* What was heard since the last time. */
static bool hears(struct ear *e, const char *want)
{
	bool same = strcmp(e->log, want) == 0;

	if (!same)
		printf("# heard: %s\n", e->log);
	e->log[0] = '\0';
	return same;
}

static void say(struct bus *bus, const char *text)
{
	bus->publish(bus->ctx, STR("c"), str_of(text, strlen(text)));
}

static void keeps(void)
{
	begin(1, 3);
	for (int i = 0; i < 4; i++) {
		say(&abus, "a");
		say(&bbus, "b");
	}
	say(&abus, "z");
	to(105);
	tap_ok(hears(&a, "") && hears(&b, ""), "nothing comes before it can");
	to(106);
	tap_ok(strlen(a.log) == 36 && hears(&b, a.log), "both hear all that is said, in one order");
	a.log[0] = '\0';
	bbus.unsubscribe(bbus.ctx, STR("c"));
	to(200);
	say(&abus, "1");
	to(300);
	tap_ok(hears(&a, "c:1 ") && hears(&b, ""), "who does not subscribe does not hear");
	abus.set(abus.ctx, STR("k"), STR("v"), 100);
	to(310);
	abus.renew(abus.ctx, STR("k"), 100);
	abus.renew(abus.ctx, STR("other"), 100);
	to(402);
	tap_ok(hears(&a, "there missing "), "renew says whether there was a key");
	tap_ok(redis_model_get(&m, STR("k")) != NULL, "which lives on");
	to(414);
	tap_ok(redis_model_get(&m, STR("k")) == NULL, "for its TTL");
	abus.set(abus.ctx, STR("k"), STR("v"), 0);
	abus.del(abus.ctx, STR("k"));
	to(500);
	tap_ok(redis_model_get(&m, STR("k")) == NULL, "or until it is deleted");
	m.space_bytes = 100;
	tap_ok(abus.publish(abus.ctx, STR("c"), STR("12345678901234567890")), "there is space for one");
	tap_ok(!abus.publish(abus.ctx, STR("c"), STR("12345678901234567890")), "and not for two");
	redis_model_stop(&m);
}

static void breaks(void)
{
	begin(2, 1);
	redis_model_down(&m, true);
	say(&abus, "lost");
	to(150);
	tap_ok(hears(&a, "down ") && hears(&b, "down "), "down: it is told");
	tap_ok(!abus.publish(abus.ctx, STR("c"), STR("x")), "and nothing can be said");
	redis_model_down(&m, false);
	to(300);
	tap_ok(hears(&a, "up ") && hears(&b, "up "), "up again");
	say(&abus, "x");
	to(310);
	tap_ok(hears(&a, "") && hears(&b, ""), "with no subscription left");
	abus.subscribe(abus.ctx, STR("c"));
	bbus.subscribe(bbus.ctx, STR("c"));
	redis_model_hang(&m, true);
	to(1300);
	redis_model_hang(&m, false);
	say(&abus, "y");
	to(1310);
	tap_ok(hears(&a, "c:y ") && hears(&b, "c:y "), "hung for a second: all comes then");
	redis_model_hang(&m, true);
	say(&abus, "z");
	to(3309);
	tap_ok(hears(&a, "") && hears(&b, ""), "hung");
	to(3310);
	tap_ok(hears(&a, "down ") && hears(&b, ""), "for two seconds: who waits for an answer has no connection");
	redis_model_hang(&m, false);
	to(3500);
	tap_ok(hears(&a, "up "), "but again, after");
	b.log[0] = '\0';
	abus.subscribe(abus.ctx, STR("c"));
	to(3600);
	b.log[0] = '\0';
	redis_model_deafen(&m, 1);
	say(&abus, "1");
	to(3700);
	tap_ok(hears(&a, "c:1 ") && hears(&b, ""), "deaf: nothing comes, and nothing says so");
	bbus.reset(bbus.ctx);
	to(3900);
	tap_ok(hears(&b, "down up "), "a reset connects anew");
	redis_model_refuse(&m, REDIS_REFUSES_WRITES, "READONLY");
	abus.set(abus.ctx, STR("k"), STR("v"), 0);
	say(&abus, "2");
	to(4000);
	tap_ok(hears(&a, "-READONLY c:2 "), "writes refused");
	redis_model_stop(&m);
}

static void loses(void)
{
	begin(3, 1);
	redis_model_set(&m, STR("old"), STR("1"), 0);
	redis_model_set(&m, STR("old"), STR("2"), 0);
	redis_model_set(&m, STR("new"), STR("3"), 0);
	redis_model_fail_over(&m, 2);
	to(150);
	tap_ok(redis_model_get(&m, STR("new")) == NULL && redis_model_get(&m, STR("old"))->value[0] == '1', "a failover loses the last writes");
	tap_ok(hears(&a, "down ") && hears(&b, "down "), "and all connections");
	to(300);
	tap_ok(hears(&a, "up "), "for a while");
	redis_model_flush(&m);
	tap_ok(redis_model_get(&m, STR("old")) == NULL, "FLUSHALL leaves nothing");
	redis_model_stop(&m);

	begin(4, 1);
	m.clients[1].drop_next = 1;
	say(&bbus, "own");
	say(&abus, "1");
	say(&abus, "2");
	to(200);
	tap_ok(hears(&b, "c:2 c:own "), "the next of others is dropped");
	m.double_permille = 1000;
	say(&abus, "3");
	to(300);
	tap_ok(hears(&b, "c:3 c:3 "), "doubled");
	m.double_permille = 0;
	m.swap_permille = 1000;
	say(&abus, "4");
	say(&abus, "5");
	to(400);
	tap_ok(hears(&b, "c:5 c:4 "), "swapped");
	redis_model_cut(&m, 1, true);
	to(900);
	tap_ok(hears(&b, "down "), "one is cut off");
	redis_model_cut(&m, 1, false);
	to(1100);
	tap_ok(hears(&b, "up "), "and not any more");
	redis_model_close(&m, 1, true);
	redis_model_stop(&m);
}

int main(void)
{
	keeps();
	breaks();
	loses();
	return tap_done();
}
