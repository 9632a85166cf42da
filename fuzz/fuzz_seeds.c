/*
 * fuzz/fuzz_seeds.c: any bytes on the channels of other programs. Each is counted once, as believed, delivered, of
 * no account or refused; the engine stays valid; users that this node hosts are as they were; what is published of
 * it, and every broadcast's data, is JSON.
 */
#include <stdint.h>

#include "../test/unit/seeds_rig.h"
#include "base/utf8.h"

#define CHECK(what) ((what) ? (void)0 : abort())

static void check_json(const char *p, size_t n)
{
	static struct json_tok toks[JSON_TOKENS_MAX];
	struct json j;
	char *copy = malloc(n + 1);

	CHECK(copy != NULL);
	memcpy(copy, p, n);
	json_init(&j, toks, JSON_TOKENS_MAX);
	CHECK(json_parse(&j, copy, n) == JSON_OK);
	free(copy);
}

/* "< c1: type data" */
static void check_heard(const struct seeds_rig *t)
{
	const char *at = t->heard, *end = t->heard + t->heard_n;

	if (t->heard_n == 0)
		return;
	CHECK(t->rig.ev.type == EV_MESSAGE && at < end);
}

/* While it is told: what it says is borrowed. */
static void check_type(void *ctx, struct rig *r, const struct event *ev, const bool *got)
{
	(void)ctx, (void)r, (void)got;
	CHECK(ev->type != EV_MESSAGE || str_absent(ev->text) || utf8_is_id(ev->text));
}

static void join(struct seeds_rig *t)
{
	static const char *const lines[] = { "nodes a", "up", "ready", "c1 connect own dev=d", "c1 sub conv rooms=r", "peer a hosts far",
					     "c2 connect left dev=d", "c2 gone", "+1000" };

	sr_init(t);
	t->rig.quiet = true;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		sr_line(t, lines[i]);
}

/* Everything that one message can be, counted. */
static uint64_t counted(const struct seeds_rig *t)
{
	const struct seeds_counts *n = seeds_counts(&t->seeds);

	return n->believed + n->full + n->delivered + n->refused;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct seeds_rig t;
	struct presence_view v;
	uint64_t before;

	if (n < 1 || n > 8192)
		return 0;
	join(&t);
	before = counted(&t);
	t.rig.observe = check_type;
	sr_forget(&t);
	sr_hear(&t, (data[0] & 1) != 0 ? SEEDS_UPDATES : SEEDS_BROADCAST, str_of((const char *)data + 1, n - 1));
	check_heard(&t);
	CHECK(counted(&t) - before <= 1 && (counted(&t) > before || (data[0] & 1) != 0));
	sr_turn(&t);
	for (uint32_t i = 0; i < t.updates_n; i++)
		check_json(t.updates[i].p, t.updates[i].n);
	CHECK(engine_valid(t.rig.e));
	engine_view(t.rig.e, STR("own"), &v, t.rig.now);
	CHECK(v.status == STATUS_ONLINE && v.device_count == 1);
	engine_view(t.rig.e, STR("far"), &v, t.rig.now);
	CHECK(v.status == STATUS_ONLINE && v.device_count == 1);
	sr_wait(&t, 2000);
	CHECK(engine_valid(t.rig.e) && t.seeds.queue_count == 0);
	sr_fini(&t);
	return 0;
}
