/*
 * test/unit/test_calls_soak.c: calls between three engines at random: what they tell each other is delayed and lost,
 * connections go, nodes die and come back, are taken for dead and met again; engine_valid() after each thing heard.
 *
 * Checked: a connection hears of the end of a call once at most; when nothing was lost and all was heard, nodes agree; at rest, all who heard of a call have heard of its end or are in
 * it, and what two nodes say of a call agrees; when all have left none is there. Every third seed has a few ids for all calls,
 * tells things twice and lies: then only the last of these holds.
 */
#include "engines_rig.h"
#include "presence/state.h"
#include "tap.h"

enum { SOAK_USERS = 3, SOAK_CONNS = 4, SOAK_STEPS = 5000, SOAK_CALLS = 1000, SOAK_KEYS = 1200, SOAK_RECENT = 3, SOAK_FEW_IDS = 3 };

struct soak {
	uint64_t random;
	bool few, broken;
	uint32_t calls; /* ids given so far */
	uint32_t answered, ended;
	struct {
		uint8_t heard, ended;
	} of[ENGINES][SOAK_KEYS][SOAK_CALLS];
};

static struct engines engines;
static struct soak soak;

static uint32_t soak_random(struct soak *s, uint32_t below)
{
	s->random = s->random * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(s->random >> 33) % below;
}

/* The number behind the letter; no zero ends the text. */
static uint32_t soak_number(struct str id)
{
	uint32_t n = 0;

	for (size_t i = 1; i < id.n; i++)
		n = 10 * n + (uint32_t)(id.p[i] - '0');
	assert(n < SOAK_CALLS);
	return n;
}

static void soak_observe(void *observer, struct rig *r, const struct event *ev, const bool *got)
{
	struct soak *s = observer;
	uint32_t id = str_absent(ev->call_id) || s->few ? 0 : soak_number(ev->call_id);
	bool begins = ev->type == EV_CALL_INCOMING || (ev->type == EV_ACK && ev->command == CMD_CALL_OFFER);
	/* who hung up and gave an id is told by the answer alone */
	bool ends = ev->type == EV_CALL_ENDED ||
	            (ev->type == EV_ACK && ev->command == CMD_CALL_HANGUP && !str_absent(ev->reply_to));

	s->answered += ev->type == EV_CALL_ANSWER;
	s->ended += ev->type == EV_CALL_ENDED;
	if (s->few || (!begins && !ends))
		return;
	for (uint32_t c = 0; c < RIG_CONNS; c++) {
		uint32_t key = (uint32_t)r->key_of[c];

		if (!got[c])
			continue;
		assert(key < SOAK_KEYS);
		if (begins)
			s->of[(r->key_of[c] >> 32) - 1][key][id].heard++;
		else if (++s->of[(r->key_of[c] >> 32) - 1][key][id].ended > 1)
			s->broken = true;
	}
}

/* --- steps --- */

static uint32_t soak_id(struct soak *s)
{
	if (s->few)
		return soak_random(s, SOAK_FEW_IDS);
	return s->calls > SOAK_RECENT ? s->calls - 1 - soak_random(s, SOAK_RECENT) : 0;
}

static void soak_line(struct soak *s, struct engines *es)
{
	static const char *const verbs[] = { "answer", "answer", "ice", "hangup" };
	uint32_t n = soak_random(s, ENGINES), c = soak_random(s, SOAK_CONNS), user = soak_random(s, SOAK_USERS);
	struct node *node = &es->node[n];
	char text[64] = "", where = (char)('A' + n);

	if (node->dead)
		return;
	if (c == 0)
		c = WORDLESS;
	if (!engine_attached(node->rig.e, c)) {
		if ((uint32_t)node->rig.keys + 1 < SOAK_KEYS)
			snprintf(text, sizeof text, "%c c%u connect u%u as=dotted", where, c, user);
	} else if (soak_random(s, 25) == 0) {
		snprintf(text, sizeof text, "%c c%u gone", where, c);
	} else if (c == WORDLESS) {
		return;
	} else if (soak_random(s, 40) == 0) {
		snprintf(text, sizeof text, "%c c%u set %s", where, c, soak_random(s, 3) == 0 ? "invisible" : "online");
	} else if (soak_random(s, 3) == 0) {
		if (s->few || s->calls < SOAK_CALLS - 1)
			snprintf(text, sizeof text, "%c c%u offer k%u u%u S", where, c, s->few ? soak_id(s) : s->calls++, user);
	} else {
		snprintf(text, sizeof text, "%c c%u %s k%u X%s", where, c, verbs[soak_random(s, 4)], soak_id(s),
			 soak_random(s, 2) == 0 ? " id=1" : "");
	}
	if (text[0] != '\0')
		engines_line(es, text, strlen(text));
}

static void soak_lie(struct soak *s, struct engines *es)
{
	static const char *const types[] = { "offer", "rang", "answer", "answered", "ice", "ended" };
	uint32_t from = soak_random(s, ENGINES);
	char text[96];
	int n;

	if (es->node[from].dead)
		return;
	n = snprintf(text, sizeof text, "%c says %c %s u%u u%u k%u count=%u key=%x text=%s", (char)('A' + from),
			 (char)('A' + soak_random(s, ENGINES)), types[soak_random(s, 6)], soak_random(s, SOAK_USERS + 1),
			 soak_random(s, SOAK_USERS + 1), soak_id(s), soak_random(s, 2), soak_random(s, 3),
			 soak_random(s, 2) == 0 ? "busy" : "hangup");

	engines_line(es, text, (size_t)n);
}

/* Something that is rare: nodes come and go. */
static void soak_upset(struct soak *s, struct engines *es)
{
	uint32_t a = soak_random(s, ENGINES), b = soak_random(s, ENGINES);

	switch (soak_random(s, 4)) {
	case 0:
		engines_die(es, a, soak_random(s, 2) == 0);
		break;
	case 1:
		engines_back(es, a);
		break;
	case 2:
		engines_forget(es, a, b);
		break;
	default:
		engines_meet(es, a, b);
	}
}

static void soak_step(struct soak *s, struct engines *es, bool lossy)
{
	uint32_t a = soak_random(s, ENGINES), b = soak_random(s, ENGINES);
	const struct item *first = es->node[a].to[b];

	switch (soak_random(s, 10)) {
	case 0:
	case 1:
	case 2:
		soak_line(s, es);
		break;
	case 3:
		if (soak_random(s, 50) == 0)
			soak_upset(s, es);
		break;
	case 4:
		engines_flush(es);
		break;
	case 5:
		if (soak_random(s, 6) == 0)
			engines_wait(es, soak_random(s, 20) == 0 ? 30000 : 700);
		break;
	case 6:
		if (lossy && first != NULL && !first->is_user && soak_random(s, 3) == 0)
			engines_step(es, a, b, false, true);
		if (s->few && soak_random(s, 3) == 0)
			soak_lie(s, es);
		break;
	default:
		engines_step(es, a, b, true, !s->few || soak_random(s, 8) != 0);
	}
}

/* --- at rest --- */

/* What the peer has of the call; NULL: nothing, or there is no such peer. */
static const struct call *soak_twin(const struct engines *es, const struct engine *e, const struct call *c, uint32_t peer)
{
	const struct engine *o = es->node[peer].rig.e;
	uint32_t user, count, leg;

	if (es->node[peer].dead)
		return NULL;
	user = users_find(&o->users, users_id(&e->users, c->user[CALLER]));
	leg = user == MAP_NONE ? UINT32_MAX : call_find_leg(o, user, strpool_get(&e->ids, c->id), &count);
	if (leg == UINT32_MAX || (leg & 1) != CALLER)
		return NULL;
	user = call_at(o, leg >> 1)->user[CALLEE];
	return str_eq(users_id(&o->users, user), users_id(&e->users, c->user[CALLEE])) ? call_at(o, leg >> 1) : NULL;
}

/* Who is in it is not to hear of its end yet. */
static void soak_count(struct soak *s, const struct engines *es, uint32_t node, const struct call *c)
{
	for (int role = CALLER; role < CALL_ROLES; role++)
		if (c->conn[role] < RIG_CONNS)
			s->of[node][(uint32_t)es->node[node].rig.key_of[c->conn[role]]]
			     [soak_number(strpool_get(&es->node[node].rig.e->ids, c->id))].ended++;
}

/* The owner's call, and what a node has of it. */
static bool soak_pair(const struct engines *es, uint32_t owner, const struct call *c, uint32_t node, const struct call *record)
{
	if (c == NULL || record == NULL || !call_is_ours(c) || call_is_ours(record) || record->peer != owner)
		return false;
	if (call_rings(c))
		return call_rings(record) && (c->asked >> node & 1) != 0 && (c->flags & CALL_RANG) != 0;
	return c->conn[CALLEE] == CALL_AFAR && c->peer == node && (record->flags & CALL_TAKEN) != 0 &&
	       c->key == call_key(es->node[node].rig.e, record);
}

/* Of each call that this node has a part of. A record whose owner went before it told of the caller ends by its timer. */
static bool soak_agree(const struct engines *es, uint32_t node, const struct call *c)
{
	const struct engine *e = es->node[node].rig.e;
	uint64_t nodes;

	if (!call_is_ours(c))
		return soak_pair(es, c->peer, soak_twin(es, e, c, c->peer), node, c) || (c->flags & CALL_KNOWN) == 0;
	nodes = call_nodes(c);
	for (uint32_t n = 0; n < ENGINES; n++)
		if ((nodes >> n & 1) != 0 && !soak_pair(es, node, c, n, soak_twin(es, e, c, n)))
			return false;
	return true;
}

/* Do all nodes say the same of all calls? At rest: and none rings; then who is in one is counted. */
static bool soak_all_agree(struct soak *s, const struct engines *es, bool rest)
{
	for (uint32_t n = 0; n < ENGINES; n++) {
		const struct engine *e = es->node[n].rig.e;
		uint32_t cursor = 0;

		if (es->node[n].dead)
			continue;
		for (uint32_t u = map_next(&e->users.by_id, &cursor); u != MAP_NONE; u = map_next(&e->users.by_id, &cursor))
			for (uint32_t leg = users_call_leg_plus1(&e->users, u) - 1; leg != UINT32_MAX; leg = call_next_leg(e, leg)) {
				const struct call *c = call_at(e, leg >> 1);

				if ((leg & 1) != CALLER)
					continue;
				if (!soak_agree(es, n, c) || (rest && call_rings(c)))
					return false;
				if (rest && !s->few)
					soak_count(s, es, n, c);
			}
	}
	return true;
}

/* Who is there has heard of each end, or is in the call (as soak_count() counted). */
static bool soak_heard_all(const struct soak *s, const struct engines *es)
{
	for (uint32_t n = 0; n < ENGINES; n++)
		for (uint32_t c = 0; c < RIG_CONNS; c++)
			for (uint32_t id = 0; id < SOAK_CALLS && engine_attached(es->node[n].rig.e, c); id++) {
				uint32_t key = (uint32_t)es->node[n].rig.key_of[c];

				if (s->of[n][key][id].heard > 0 && s->of[n][key][id].ended != 1)
					return false;
			}
	return true;
}

static uint32_t soak_calls(const struct engines *es)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ENGINES; i++)
		n += pool_used(&es->node[i].rig.e->calls.cells);
	return n;
}

static bool soak_valid(const struct engines *es)
{
	bool valid = true;

	for (uint32_t i = 0; i < ENGINES; i++)
		valid = valid && es->node[i].rig.valid;
	return valid;
}

static const char *soak_end(struct soak *s, struct engines *es)
{
	es->hold = false;
	for (uint32_t a = 0; a < ENGINES; a++)
		engines_back(es, a);
	engines_settle(es);
	for (uint32_t a = 0; a < ENGINES; a++)
		for (uint32_t b = 0; b < ENGINES; b++)
			engines_meet(es, a, b);
	engines_wait(es, CALL_RING_MS + CALL_GRACE_MS + 2 * CALL_CHECK_MS);
	if (!soak_all_agree(s, es, true))
		return "two nodes differ about a call";
	if (!s->few && !soak_heard_all(s, es))
		return "somebody waits for the end of a call";
	for (uint32_t a = 0; a < ENGINES; a++)
		for (uint32_t c = 0; c < RIG_CONNS; c++)
			engine_detach(es->node[a].rig.e, c, es->node[a].rig.now);
	engines_settle(es);
	engines_wait(es, 1000);
	if (soak_calls(es) != 0)
		return "a call is left when all are gone";
	return soak_valid(es) ? NULL : "not valid";
}

/* Where nothing is lost all agree as soon as all has been heard: no timer is needed. */
static const char *soak_pause(struct soak *s, struct engines *es)
{
	engines_settle(es);
	return soak_all_agree(s, es, false) ? NULL : "two nodes differ about a call, though nothing was lost";
}

static const char *soak_run(uint64_t seed)
{
	struct soak *s = &soak;
	const char *why = NULL;
	bool lossy = seed % 2 == 0;

	memset(s, 0, sizeof *s);
	s->random = seed * 0x9e3779b97f4a7c15U + 1;
	s->few = seed % 3 == 0;
	engines_init(&engines);
	engines.hold = engines.quiet = true;
	for (uint32_t i = 0; i < ENGINES; i++) {
		engines.node[i].rig.quiet = true;
		engines.node[i].rig.observe = soak_observe;
		engines.node[i].rig.observer = s;
	}
	for (int step = 0; step < SOAK_STEPS && why == NULL; step++) {
		soak_step(s, &engines, lossy);
		if (!soak_valid(&engines))
			why = "not valid";
		else if (s->broken)
			why = "somebody heard twice of an end";
		else if (step % 200 == 0 && !lossy && !s->few)
			why = soak_pause(s, &engines);
	}
	if (why == NULL)
		why = soak_end(s, &engines);
	engines_fini(&engines);
	return why;
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, last = argc > 2 ? strtoull(argv[2], NULL, 0) : first + 29;

	for (uint64_t seed = first; seed <= last; seed++) {
		const char *why = soak_run(seed);

		if (!tap_ok(why == NULL, "calls between nodes, seed %llu: %u answers, %u ends", (unsigned long long)seed,
			    soak.answered, soak.ended))
			printf("# %s\n", why);
	}
	return tap_done();
}
