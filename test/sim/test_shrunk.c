/*
 * Every pool of the server and of the engine, shrunk to 0 cells beyond what is in use, to 1, 2, 3 ... until nobody notices any more, while
 * a busy life runs: all dialects, rooms, typing, calls, REST (RELIABILITY D11; issue: every pool is shrunk to every small size in turn).
 * Each time: all that must always hold does; who is refused is told 503 (an HTTP answer, an error) or 1013 (a Close); whoever asks for
 * nothing that the pool is for is answered as ever; and when the pool is whole again and all have left, nothing is kept, and the next
 * life is as it would have been.
 *
 *	test_shrunk [POOL [SIZE]]              both: prints what was heard
 */
#include <stdlib.h>
#include <string.h>

#include "presence/state.h"
#include "server/state.h"
#include "sim/act.h"
#include "sim/table.h"
#include "sim/verdict.h"
#include "sim/words.h"
#include "tap.h"

enum { POOLS_MAX = 64, SIZES_MAX = 512, SMALL = 24 };

#define ID_36 "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
#define ID_60 ID_36 "-and-some-more-of-it-all"
#define ID_120 ID_60 ID_60
#define TEXT_40 "forty characters of no great importance "
#define TEXT_200 TEXT_40 TEXT_40 TEXT_40 TEXT_40 TEXT_40
#define TEXT_1000 TEXT_200 TEXT_200 TEXT_200 TEXT_200 TEXT_200

/* WHO VERB...; `+MS`: time passes; `keys ...`: what the JWKS service answers. */
static const char *const busy[] = {
	"an connect snake user=ann device=a",
	"bo connect dotted user=bob device=b",
	"bo watch",
	"bo sub r",
	"cy connect rooms user=cy ip=10.1.1.1",
	"cy sub r",
	"de connect roster user=dee",
	"ev connect upper user=eve",
	"an sub r",
	"an status busy in a meeting",
	"an status away " TEXT_200,
	"fu connect snake user=fay",
	"fu status away " TEXT_40 TEXT_40,
	"an status away nineteen characters",
	"fu status away another twenty of them.",
	"an status away forty characters of no",
	"fu status away thirty-five characters or so....",
	"ev send {\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"dnd\",\"metadata\":{\"k\":\"" TEXT_1000 "\"}}}",
	"bo type r",
	"cy type r",
	"bo stop r",
	"fa connect dotted user=" ID_36 " device=" ID_60,
	"ge connect dotted user=" ID_120 " device=g",
	"hu connect dotted user=a-chosen-name-of-a device=a-chosen-name-of-b",
	"fa sub " ID_60,
	"ge sub " ID_36,
	"ge watch " ID_36 " bob nobody-at-all",
	"hu sub " ID_120,
	"fa send {\"type\":\"call.offer\",\"id\":1,\"payload\":{\"call_id\":\"k\",\"target_user_id\":\"bob\",\"sdp\":\"v=0\"}}",
	"bo send {\"type\":\"call.answer\",\"id\":2,\"payload\":{\"call_id\":\"k\",\"sdp\":\"v=1\"}}",
	"fa send {\"type\":\"call.ice\",\"id\":3,\"payload\":{\"call_id\":\"k\",\"candidate\":\"c\"}}",
	"ge send {\"type\":\"call.offer\",\"id\":4,\"payload\":{\"call_id\":\"" ID_120 "\",\"target_user_id\":\"ann\",\"sdp\":\"v=0\"}}",
	"bo send {\"type\":\"call.hangup\",\"id\":5,\"payload\":{\"call_id\":\"k\"}}",
	"an frame text+ {\"type\":",
	"an frame ping between",
	"an frame cont \"ping\"}",
	"an bytes \\x81\\x8f\\0\\0\\0\\0{\"type\":\"pin",
	"an bytes g\"}",
	"bo big 100000",
	"cy stall",
	"an status online",
	"ev status busy",
	"an status busy",
	"ev status away",
	"cy read",
	"h put /api/v1/presence/zoe {\"online_status\":\"busy\",\"custom_status\":\"" TEXT_40 "\"}",
	"h post /api/v1/presence/zoe/heartbeat {\"device_id\":\"z\"}",
	"h post /api/v1/presence/zed/heartbeat {\"device_id\":\"zed-1\"}",
	"h put /api/v1/presence/zed {\"online_status\":\"away\",\"metadata\":{\"k\":\"" TEXT_200 "\"}}",
	"h post /api/v1/presence/bulk {\"user_ids\":[\"ann\",\"bob\",\"zoe\",\"nobody\"]}",
	"h post /api/v1/typing {\"conversation_id\":\"r\",\"user_id\":\"zoe\",\"is_typing\":true}",
	"h post /api/v1/broadcast {\"room\":\"r\",\"data\":{\"text\":\"" TEXT_1000 TEXT_1000 "\"}}",
	"h get /presence",
	"g tcp",
	"g stall",
	"g get /presence",
	"i tcp",
	"i stall",
	"i get /presence",
	"j get /metrics",
	"g read",
	"i read",
	"+6000",
	"cy drop",
	"ge close",
	"an connect snake user=ann device=a2",
	"de ping",
	"+6000",
	"cy connect rooms user=cy",
	"cy sub r2",
	"an type r",
	"+1000",
	NULL,
};

#define TOKEN(members) "token=T{" members ",by:es1}"

static const char *const guarded[] = {
	"keys after=1s es1",
	"an connect snake " TOKEN("sub:ann"),
	"bo connect dotted " TOKEN("sub:bob,rooms:[r,s*]"),
	"cy connect rooms " TOKEN("sub:cy,rooms:[" ID_36 "," ID_60 ",r]"),
	"h with Authorization: Bearer T{sub:h,by:es1}",
	"h get /presence/ann",
	"+1500",
	"bo sub r",
	"bo sub t",
	"cy sub r",
	"cy type r",
	"st connect dotted path=/ws?dialect=dotted&device_id=" ID_36,
	"st auth T{sub:sue,by:es1}",
	"st sub r",
	"de connect roster " TOKEN("sub:dee,rooms:[" ID_120 "," ID_120 "]"),
	"ev connect upper " TOKEN("sub:eve"),
	"ev status busy",
	"bo auth T{sub:bob,by:es1,rooms:[r]}",
	"su connect dotted path=/ws?dialect=dotted",
	"+3000",
	"h get /presence",
	"de drop",
	"+11000",
	"+1000",
	NULL,
};

/* What is lived, and by whom nothing of it is felt. */
static const struct kind {
	const char *name;
	const char *const *life;
	const char *bystander, *question, *answer;
	bool guarded;
} kinds[] = {
	{ "busy", busy, "by connect dotted user=bystander device=by", "by ping", "pong", false },
	{ "guarded", guarded, "by get /live", "by get /live", "200", true },
};

static const struct kind *kind;

/* What a pool is for; it needs nothing of the others. */
struct shrunk {
	char name[24];
	struct pool *pools[3]; /* together; NULL: no more */
	bool speech;           /* to say anything at all */
};

static uint32_t add(struct shrunk *v, uint32_t n, const char *name, struct pool *p, bool speech)
{
	assert(n < POOLS_MAX);
	v[n] = (struct shrunk){ .pools = { p }, .speech = speech };
	snprintf(v[n].name, sizeof(v[n].name), "%s", name);
	return n + 1;
}

static void limit(const struct shrunk *v, uint32_t size)
{
	for (int i = 0; i < 3 && v->pools[i] != NULL; i++)
		pool_limit(v->pools[i], size == POOL_NONE ? POOL_NONE : pool_used(v->pools[i]) + size);
}

static uint32_t add_texts(struct shrunk *v, uint32_t n, const char *name, struct strpool *sp)
{
	static const int bytes[STRPOOL_CLASSES] = { 14, 22, 38, 70, 134, 262, 2054 };

	for (int i = 0; i < STRPOOL_CLASSES; i++) {
		char text[24];

		if (sp->pools[i].count == 0)
			continue;
		snprintf(text, sizeof(text), "%s of %d bytes", name, bytes[i]);
		n = add(v, n, text, &sp->pools[i], false);
	}
	return n;
}

/* Not the ids, the profiles and the receivers' chunks: of these there are enough for all users, devices, rooms, links and interests
 * that there can be (asserted where they are taken). */
static uint32_t pools_of(struct server *s, struct shrunk v[POOLS_MAX])
{
	struct engine *e = s->engine;
	uint32_t n = 0;

	n = add(v, n, "frames", &s->frames.cells, true);
	n = add(v, n, "blocks", &s->frames.blocks, false);
	n = add(v, n, "queue nodes", &s->nodes, kind->guarded); /* an HTTP answer is a head and a body */
	n = add(v, n, "intake, small", &s->intake.pools[0], false);
	n = add(v, n, "intake, medium", &s->intake.pools[1], false);
	n = add(v, n, "intake, large", &s->intake.pools[2], false);
	n = add(v, n, "intake", &s->intake.pools[0], false);
	v[n - 1].pools[1] = &s->intake.pools[1];
	v[n - 1].pools[2] = &s->intake.pools[2];
	n = add(v, n, "loans", &s->intake.loans, false);
	n = add(v, n, "addresses", &s->address_cells, false);
	n = add(v, n, "waiting tokens", &s->waiting.tokens, false);
	n = add(v, n, "users", &e->users.cells, false);
	n = add(v, n, "devices", &e->devices.cells, false);
	n = add(v, n, "rooms", &e->rooms.cells, false);
	n = add(v, n, "interests", &e->interests.cells, false);
	n = add(v, n, "typing", &e->typings.cells, false);
	n = add(v, n, "calls", &e->calls.cells, false);
	n = add(v, n, "shares", &e->shares.cells, false);
	n = add(v, n, "remotes", &e->shares.remotes, false);
	n = add_texts(v, n, "texts", &e->users.texts);
	return add_texts(v, n, "grants", &s->grants);
}

/* --- a life --- */

static struct crowd world;
static struct verdict verdict;
static bool trace;

static void act(const char *line)
{
	static char expanded[16384];
	struct str rest, who, verb;
	struct client *cl;

	if (*line == '+') {
		sim_advance(&world.sim, world.sim.now.mono.ms + strtoll(line + 1, NULL, 10));
		return;
	}
	if (!mint_expand(str_of(line, strlen(line)), world.sim.now.wall, expanded, sizeof(expanded)))
		verdict_fault(&verdict, "no token: %.60s", line);
	rest = str_of(expanded, strlen(expanded));
	who = word(&rest);
	if (is(who, "keys")) {
		services_set_keys(&world.sim.services, rest);
		return;
	}
	verb = word(&rest);
	cl = client_named(&world, who.p, who.n);
	if (cl == NULL || !act_does(&world, cl, verb, rest))
		verdict_fault(&verdict, "nobody can do: %.60s", line);
	sim_settle(&world.sim);
}

/* A hash of everything since `from`. */
static uint64_t hash_since(size_t from)
{
	uint64_t h = HEARD_HASH;

	for (size_t i = from; i < world.heard_count; i++)
		h = heard_hash(h, &world.heard[i]);
	return h;
}

/* May somebody hear this who would not have without the pool being small? */
static bool is_documented(const char *text)
{
	if (begins(text, "error "))
		return strstr(text, " 503") != NULL || begins(text, "error 404 \"no such call\"");
	if (begins(text, "close ")) /* 1008: whose token found no room has not said who he is in time */
		return begins(text, "close 1013") || (kind->guarded && begins(text, "close 1008"));
	if (is_http_error(text))
		return begins(text, "503 {503,") || begins(text, "429 {429,\"too many connections from this address\"}");
	return true;
}

static void judge_heard(const char *usual, size_t from)
{
	for (size_t i = from; i < world.heard_count; i++) {
		const struct heard *x = &world.heard[i];
		char item[256];

		if (trace)
			printf("# %6lld %s %s\n", (long long)x->at_ms, world.clients[x->client].name, x->text);
		snprintf(item, sizeof(item), "\n%s %.200s\n", world.clients[x->client].name, x->text);
		if (!is_documented(x->text) && strstr(usual, item) == NULL)
			verdict_fault(&verdict, "%s heard: %.200s", world.clients[x->client].name, x->text);
	}
}

/* The bystander is answered. */
static void check_bystander(void)
{
	size_t before = world.heard_count;

	act(kind->question);
	for (size_t i = before; i < world.heard_count; i++)
		if (strcmp(world.clients[world.heard[i].client].name, "by") == 0 && begins(world.heard[i].text, kind->answer))
			return;
	verdict_fault(&verdict, "the bystander is not answered");
}

static void fill(void);

static void live(bool bystander_speaks)
{
	if (!kind->guarded)
		fill();
	for (size_t i = 0; kind->life[i] != NULL && verdict_good(&verdict) && world.sim.fault[0] == '\0'; i++) {
		if (trace)
			printf("# %.100s\n", kind->life[i]);
		act(kind->life[i]);
		if (bystander_speaks && i % 8 == 7)
			check_bystander();
	}
	if (bystander_speaks)
		check_bystander();
}

/* Devices without a socket, so many that a list of them is long. */
static void fill(void)
{
	for (int i = 0; i < 40; i++) {
		char line[256];

		snprintf(line, sizeof(line), "h post /api/v1/presence/%d-" ID_60 "/heartbeat {\"device_id\":\"d\"}", i);
		act(line);
	}
}

/* All but the bystander go, and what they leave behind is forgotten. */
static void part(void)
{
	for (uint32_t i = 0; i < world.client_count; i++)
		if (strcmp(world.clients[i].name, "by") != 0 && world.clients[i].link >= 0)
			client_drop(&world, &world.clients[i]);
	sim_advance(&world.sim, world.sim.now.mono.ms + 3600000);
}

static bool begin(void)
{
	verdict = (struct verdict){ "" };
	world = (struct crowd){ .heard = NULL };
	sim_config(&world.sim.cfg);
	world.sim.cfg.presence_rate = 0;
	world.sim.cfg.stale_timeout_ms = 0;
	world.sim.cfg.heartbeat_interval_ms = 0;
	world.sim.cfg.pong_wait_ms = 0;
	world.sim.cfg.connections_per_ip_max = 40;
	if (kind->guarded && (!table_option(&world.sim.cfg, "auth", "jwt") || !table_option(&world.sim.cfg, "jwks-url", "on")))
		return false;
	world.sim.pipe_bytes = 3000; /* a stalled client is soon full */
	world.sim.check_turns = true;
	world.sim.print_log = trace;
	if (!crowd_start(&world, 7))
		return false;
	act(kind->bystander);
	return true;
}

/* --- what it is without --- */

static struct {
	uint64_t first, second;
	char *heard; /* "\nwho text\n" of each */
} usual;

static void put_down(size_t from)
{
	size_t n = 2;

	for (size_t i = from; i < world.heard_count; i++)
		n += strlen(world.heard[i].text) + 32;
	usual.heard = calloc(1, n);
	if (usual.heard == NULL)
		abort();
	for (size_t i = from; i < world.heard_count; i++) {
		char item[256];

		snprintf(item, sizeof(item), "\n%s %.200s\n", world.clients[world.heard[i].client].name, world.heard[i].text);
		strcat(usual.heard, item);
	}
}

static uint64_t second_life(void)
{
	size_t from;

	part();
	from = world.heard_count;
	live(true);
	return hash_since(from);
}

static void measure(void)
{
	size_t from;

	if (!begin())
		verdict_fault(&verdict, "the server was not built");
	from = world.heard_count;
	live(true);
	usual.first = hash_since(from);
	put_down(from);
	usual.second = second_life();
	sim_leave_all(&world.sim);
	tap_ok(verdict_good(&verdict) && world.sim.fault[0] == '\0', "%s: a life with all pools whole%s%s%s", kind->name, verdict_good(&verdict) ? "" : ": ", verdict.fault,
	       world.sim.fault);
	crowd_stop(&world);
}

/* --- a pool --- */

/* False: nobody noticed. */
static bool shrink(uint32_t number, uint32_t size, const char **why)
{
	struct shrunk pools[POOLS_MAX];
	bool noticed;
	size_t from;

	if (!begin()) {
		verdict_fault(&verdict, "the server was not built");
		return false;
	}
	pools_of(world.sim.server, pools);
	limit(&pools[number], size);
	from = world.heard_count;
	live(!pools[number].speech);
	noticed = hash_since(from) != usual.first;
	judge_heard(usual.heard, from);
	limit(&pools[number], POOL_NONE);
	if (verdict_good(&verdict) && world.sim.fault[0] == '\0') {
		check_bystander();
		if (second_life() != usual.second)
			verdict_fault(&verdict, "the life after it is another one");
		sim_leave_all(&world.sim);
	}
	*why = verdict.fault;
	if (world.sim.fault[0] != '\0')
		verdict_fault(&verdict, "%s", world.sim.fault);
	crowd_stop(&world);
	return noticed;
}

static uint32_t next_size(uint32_t size)
{
	return size < SMALL ? size + 1 : 2 * size;
}

static unsigned sizes;

static void shrink_to_all(uint32_t number, const char *name)
{
	uint32_t size = 0, noticed = 0;
	const char *why = "";

	while (size < SIZES_MAX && shrink(number, size, &why)) {
		sizes++;
		noticed++;
		if (*why != '\0')
			break;
		size = next_size(size);
	}
	tap_ok(*why == '\0', "%s, %s: %u sizes are too small, from %u on nobody notices%s%s", kind->name, name, noticed, size, *why == '\0' ? "" : ": ", why);
	if (*why != '\0')
		printf("# with %u cells more than were in use: test_shrunk '%s' %u\n", size, name, size);
}

static void live_as(const struct kind *k, const char *only, const char *size)
{
	struct shrunk pools[POOLS_MAX];
	const char *why = "";
	uint32_t count;

	kind = k;
	measure();
	if (!begin())
		return;
	count = pools_of(world.sim.server, pools);
	crowd_stop(&world);
	for (uint32_t i = 0; i < count; i++) {
		if (only != NULL && strcmp(only, pools[i].name) != 0)
			continue;
		trace = size != NULL;
		if (trace) {
			shrink(i, (uint32_t)strtoul(size, NULL, 10), &why);
			tap_ok(*why == '\0', "%s", why);
		} else {
			shrink_to_all(i, pools[i].name);
		}
	}
	free(usual.heard);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		live_as(&kinds[i], argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL);
	printf("# %u lives with a pool too small\n", sizes);
	return tap_done();
}
