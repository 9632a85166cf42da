/*
 * test/unit/test_peers.c: three engines that hear of each other (presence/peer.h): tables of what a person with
 * connections on several nodes expects, and random lives, after which all nodes say the same, and the truth.
 */
#include "peers_mesh.h"
#include "tap.h"

/* --- tables --- */

struct step {
	uint32_t node;      /* 0..2; 9: the mesh: "settle", "+MS", "kill N", "lose N", "tell A B", "lost N", "heard N" */
	const char *line;
	const char *want;   /* what that node says since its last line; NULL: whatever */
};

struct row {
	const char *name;
	const char *config; /* for all nodes; NULL: the rig's */
	struct step steps[24];
};

#define MESH(what) { 9, what, NULL }

static const struct row rows[] = {
	{ "CONTRACT 5: a user of one node is online on all", NULL, {
		{ 1, "c9 connect w as=dotted", NULL }, { 1, "c9 sub presence", NULL }, MESH("settle"),
		{ 0, "c1 connect alice name=Al dev=phone", NULL }, MESH("settle"),
		{ 1, "view alice", "-> c9: online alice(Al) online dc=1\n= alice(Al) online dc=1\n" },
		{ 0, "c1 gone", NULL }, MESH("settle"), { 1, "+4999", "" }, { 1, "+1", "-> c9: offline alice(Al) offline\n" },
	} },
	{ "P1: close on one node, open on another within the debounce: nothing is told", NULL, {
		{ 2, "c9 connect w as=dotted", NULL }, { 2, "c9 sub presence", NULL },
		{ 0, "c1 connect alice dev=phone", NULL }, MESH("settle"), { 2, "view alice", NULL },
		{ 0, "c1 gone", NULL }, MESH("settle"), MESH("+3000"),
		{ 1, "c1 connect alice dev=phone", NULL }, MESH("settle"), MESH("+20000"),
		{ 2, "view alice", "= alice online dc=1\n" },
	} },
	{ "P5: on two nodes, one dies: no event; the other too: one", NULL, {
		{ 2, "c9 connect w as=dotted", NULL }, { 2, "c9 sub presence", NULL },
		{ 0, "c1 connect alice dev=phone", NULL }, { 1, "c1 connect alice dev=desk", NULL }, MESH("settle"),
		{ 2, "view alice", "-> c9: online alice online dc=1\n= alice online dc=2\n" },
		MESH("kill 0"), MESH("+20000"), { 2, "view alice", "= alice online dc=1\n" },
		MESH("kill 1"), MESH("+20000"),
		{ 2, "view alice", "-> c9: offline alice offline\n= alice offline\n" },
	} },
	{ "one device id on two nodes is one device", NULL, {
		{ 0, "c1 connect alice dev=phone", NULL }, { 1, "c1 connect alice dev=phone", NULL }, MESH("settle"),
		{ 2, "view alice", "= alice online dc=1\n" }, { 0, "view alice", "= alice online dc=1\n" },
	} },
	{ "the last status set wins everywhere", NULL, {
		{ 0, "c1 connect alice", NULL }, { 1, "c1 connect alice", NULL }, MESH("settle"),
		{ 0, "c1 set busy custom=x", NULL }, MESH("settle"), { 1, "c1 set dnd", NULL }, MESH("settle"),
		{ 0, "view alice", NULL }, { 0, "view alice", "= alice dnd dc=2 custom=x\n" },
		{ 2, "view alice", "= alice dnd dc=2 custom=x\n" }, { 2, "c1 connect alice", NULL }, { 2, "c1 set online", NULL },
		MESH("settle"), { 0, "view alice", NULL }, { 0, "view alice", "= alice online dc=3 custom=x\n" },
	} },
	{ "set at once on two nodes: all agree on one", NULL, {
		{ 0, "c1 connect alice", NULL }, { 1, "c1 connect alice", NULL }, MESH("settle"),
		{ 0, "c1 set busy", NULL }, { 1, "c1 set dnd", NULL }, MESH("settle"),
		{ 0, "view alice", NULL }, { 0, "view alice", "= alice dnd dc=2\n" }, { 2, "view alice", "= alice dnd dc=2\n" },
	} },
	{ "away when all devices are, wherever they are", NULL, {
		{ 0, "c1 connect alice", NULL }, { 1, "c1 connect alice", NULL }, { 0, "c1 set away", NULL }, MESH("settle"),
		{ 2, "view alice", "= alice online dc=2\n" }, { 1, "c1 set away", NULL }, MESH("settle"),
		{ 2, "view alice", "= alice away dc=2\n" },
	} },
	{ "REST on a third node marks all devices", NULL, {
		{ 0, "c1 connect alice", NULL }, { 1, "c1 connect alice", NULL }, MESH("settle"),
		{ 2, "put alice away", NULL }, { 2, "view alice", "= alice away dc=2\n" }, MESH("settle"),
		{ 0, "view alice", NULL }, { 0, "view alice", "= alice away dc=2\n" }, { 2, "view alice", "= alice away dc=2\n" },
		{ 2, "put alice online", NULL }, MESH("settle"), { 1, "view alice", NULL }, { 1, "view alice", "= alice online dc=2\n" },
	} },
	{ "P7: invisible on one node is offline on all, and an offline user on a node that joins", NULL, {
		{ 2, "c9 connect w as=dotted", NULL }, { 2, "c9 sub presence", NULL },
		{ 0, "c1 connect alice", NULL }, { 0, "c1 set - custom=x", NULL }, MESH("settle"), { 2, "view alice", NULL },
		{ 0, "c1 set invisible custom=y", NULL }, MESH("settle"),
		{ 2, "view alice", "-> c9: offline alice offline custom=x\n= alice offline custom=x\n" },
		MESH("kill 1"), { 1, "view alice", "= alice offline custom=x\n" },
		{ 0, "c1 set online", NULL }, MESH("settle"), { 1, "view alice", "= alice online dc=1 custom=y\n" },
	} },
	{ "typing in a room, to recipients, and its end by itself", NULL, {
		{ 1, "c2 connect bob as=dotted", NULL }, { 1, "c2 sub conv rooms=r1", NULL }, { 0, "c1 connect alice", NULL },
		MESH("settle"), { 1, "view x", NULL },
		{ 0, "c1 typing r1", NULL }, MESH("settle"), { 1, "view x", "-> c2: typing r1 by alice\n= x unknown\n" },
		{ 0, "c1 stop r1", NULL }, MESH("settle"), { 1, "view x", "-> c2: stopped r1 by alice\n= x unknown\n" },
		{ 0, "c1 typing r2 to=bob", NULL }, MESH("settle"), { 1, "view x", "-> c2: typing r2 by alice\n= x unknown\n" },
		MESH("+5000"), MESH("settle"), { 1, "view x", "-> c2: stopped r2 by alice\n= x unknown\n" }, MESH("+9000"),
		{ 1, "view x", "= x unknown\n" },
	} },
	{ "the typist's node dies: the stop comes all the same", NULL, {
		{ 1, "c2 connect bob as=dotted", NULL }, { 1, "c2 sub conv rooms=r1", NULL }, { 0, "c1 connect alice", NULL },
		MESH("settle"), { 0, "c1 typing r1", NULL }, MESH("settle"), MESH("kill 0"), { 1, "view x", NULL },
		{ 1, "+7000", "-> c2: stopped r1 by alice\n" },
	} },
	{ "a receipt reaches the room and the sender, each connection once", NULL, {
		{ 1, "c2 connect bob as=dotted", NULL }, { 1, "c2 sub conv rooms=r1", NULL }, { 1, "c3 connect carl as=dotted", NULL },
		{ 1, "c3 sub conv rooms=r1", NULL }, { 2, "c2 connect bob as=dotted", NULL }, { 0, "c1 connect alice", NULL },
		MESH("settle"), { 1, "view x", NULL }, { 2, "view x", NULL },
		{ 0, "c1 read r1 m1 from=bob", NULL }, MESH("settle"),
		{ 1, "view x", "-> c3: read r1 by alice m1\n-> c2: read r1 by alice m1\n= x unknown\n" },
		{ 2, "view x", "-> c2: read r1 by alice m1\n= x unknown\n" },
	} },
	{ "a broadcast to a user, a room, a mixture, but not to the excluded", NULL, {
		{ 1, "c2 connect bob as=dotted", NULL }, { 1, "c2 sub conv rooms=r1", NULL }, { 1, "c3 connect carl as=dotted", NULL },
		MESH("settle"), { 1, "view x", NULL },
		{ 0, "cast users=carl", NULL }, MESH("settle"), { 1, "view x", "-> c3: message {}\n= x unknown\n" },
		{ 0, "cast room=r1", NULL }, MESH("settle"), { 1, "view x", "-> c2: message {}\n= x unknown\n" },
		{ 0, "cast room=r1 users=bob,carl", NULL }, MESH("settle"), { 1, "view x", "-> c2 c3: message {}\n= x unknown\n" },
		{ 0, "cast all exclude=bob", NULL }, MESH("settle"), { 1, "view x", "-> c3: message {}\n= x unknown\n" },
	} },
	{ "the oldest connection makes room, on whatever node", NULL, {
		{ 0, "c1 connect alice", NULL }, MESH("+10"), { 0, "c2 connect alice", NULL }, MESH("+10"),
		{ 1, "c1 connect alice", NULL }, MESH("+10"), { 1, "c2 connect alice", NULL }, MESH("settle"),
		{ 0, "view x", NULL }, { 2, "c1 connect alice", NULL }, MESH("settle"),
		{ 0, "view alice", "! close c1 replaced\n= alice online dc=4\n" },
	} },
	{ "audience=rooms: only room mates hear, and each of them once", "audience=rooms", {
		{ 1, "c2 connect bob as=snake", NULL }, { 1, "c2 sub conv rooms=r1,r2", NULL }, { 1, "c3 connect carl as=snake", NULL },
		MESH("settle"), { 1, "view x", NULL }, { 0, "c1 connect alice as=snake", NULL }, MESH("settle"),
		{ 1, "view x", "= x unknown\n" }, { 1, "c3 sub conv rooms=r2,r3", NULL }, { 1, "view x", NULL },
		{ 0, "c1 sub conv rooms=r1,r2", NULL }, MESH("settle"),
		{ 1, "view x", "-> c2 c3: online alice online dc=1\n= x unknown\n" },
		{ 0, "c1 sub conv rooms=r3", NULL }, MESH("settle"), { 1, "view x", "= x unknown\n" },
		{ 0, "c1 set busy", NULL }, MESH("settle"),
		{ 1, "view x", "-> c2 c3: update alice busy dc=1\n= x unknown\n" },
		{ 0, "c1 gone", NULL }, MESH("settle"),
		{ 1, "+5000", "-> c2 c3: offline alice offline\n" },
	} },
	{ "last_seen never decreases, whatever a clock elsewhere says", NULL, {
		{ 0, "wall 3600000", NULL }, { 0, "c1 connect alice", NULL }, MESH("settle"), { 0, "c1 gone", NULL }, MESH("settle"),
		{ 1, "+5000", NULL }, { 1, "c9 connect w as=dotted", NULL }, { 1, "view alice", NULL },
		{ 1, "c1 connect alice", NULL }, { 1, "c1 gone", NULL }, { 1, "+5000", NULL },
	} },
	{ "a node that joins forgets who left before when the others do", NULL, {
		{ 0, "c1 connect alice dev=phone", NULL }, { 0, "c1 set dnd custom=x", NULL }, MESH("settle"), MESH("+60000"),
		{ 0, "c1 gone", NULL }, MESH("settle"), MESH("+5000"), MESH("kill 1"), MESH("+236000"),
		{ 1, "view alice", "= alice offline custom=x\n" }, { 2, "view alice", "= alice offline custom=x\n" },
		MESH("+63999"), { 1, "view alice", "= alice offline custom=x\n" }, { 2, "view alice", "= alice offline custom=x\n" },
		MESH("+1"), { 1, "view alice", "= alice unknown\n" }, { 2, "view alice", "= alice unknown\n" },
		{ 1, "c1 connect alice dev=phone", NULL }, MESH("settle"), { 1, "view alice", NULL },
		{ 0, "view alice", "= alice online dc=1\n" }, { 2, "view alice", "= alice online dc=1\n" },
	} },
	{ "P2: a node that tells first what was set by one who is with a third: nobody is shown offline", NULL, {
		{ 0, "c9 connect w as=dotted", NULL }, { 0, "c9 sub presence", NULL }, MESH("settle"), { 0, "view x", NULL },
		{ 1, "c1 connect alice", NULL }, { 1, "c1 set busy custom=x", NULL }, MESH("lose 0"), MESH("settle"),
		MESH("tell 2 0"), { 0, "view alice", "= alice offline custom=x\n" }, MESH("tell 1 0"),
		{ 0, "view alice", "-> c9: online alice busy dc=1 custom=x\n-> c9: texts alice busy dc=1 custom=x\n= alice busy dc=1 custom=x\n" },
	} },
	{ "P2: one who came, set something and left a moment ago, none of which was heard: nobody is shown offline", NULL, {
		{ 0, "c9 connect w as=dotted", NULL }, { 0, "c9 sub presence", NULL }, MESH("settle"), { 0, "view x", NULL },
		{ 1, "c1 connect alice", NULL }, { 1, "c1 set busy custom=x", NULL }, { 1, "c1 gone", NULL }, MESH("lose 0"),
		MESH("+2000"), MESH("tell 1 0"), { 0, "view alice", "= alice offline custom=x\n" },
		{ 1, "c1 connect alice", NULL }, MESH("settle"),
		{ 0, "view alice", "-> c9: online alice busy dc=1 custom=x\n-> c9: texts alice busy dc=1 custom=x\n= alice busy dc=1 custom=x\n" },
	} },
	{ "P1: one who leaves, and comes back where the others are not heard: online until they are heard", NULL, {
		{ 0, "c9 connect w as=dotted", NULL }, { 0, "c9 sub presence", NULL }, { 1, "c1 connect alice", NULL },
		{ 1, "c2 connect bob", NULL }, MESH("settle"), { 0, "view x", NULL },
		{ 1, "c1 gone", NULL }, { 1, "c2 gone", NULL }, MESH("settle"), MESH("+3000"), MESH("lost 0"),
		{ 1, "c1 connect alice", NULL }, MESH("lose 0"), MESH("+60000"),
		{ 0, "view alice", "= alice online dc=0\n" }, MESH("tell 1 0"), MESH("heard 0"), MESH("+500"),
		{ 0, "view alice", "-> c9: offline bob offline\n= alice online dc=1\n" },
	} },
	{ "what was set for one who is offline is remembered from then on, on all nodes", NULL, {
		{ 0, "c1 connect alice dev=phone", NULL }, MESH("settle"), { 0, "c1 gone", NULL }, MESH("settle"), MESH("+5000"),
		MESH("+240000"), { 1, "put alice - custom=x", NULL }, MESH("settle"), MESH("+120000"),
		{ 0, "view alice", "= alice offline custom=x\n" }, { 1, "view alice", "= alice offline custom=x\n" },
	} },
	{ "P9: what was set of who was away comes to its host from who heard of it, though who knew it is gone", NULL, {
		{ 2, "put alice busy custom=x", NULL }, MESH("lose 0"), MESH("lose 1"),
		{ 0, "c1 connect alice", NULL }, MESH("lose 2"), MESH("settle"),
		{ 1, "view alice", "= alice online dc=1\n" }, MESH("tell 2 1"), MESH("kill 2"), MESH("settle"),
		{ 0, "view alice", NULL }, { 0, "view alice", "= alice busy dc=1 custom=x\n" },
		{ 1, "view alice", "= alice busy dc=1 custom=x\n" }, { 2, "view alice", "= alice busy dc=1 custom=x\n" },
	} },
};

static void configure_line(struct engine_config *c, void *ctx)
{
	if (ctx != NULL && strcmp(ctx, "audience=rooms") == 0)
		c->audience_rooms = true;
}

static void mesh_line(struct mesh *m, const char *line, const char *config)
{
	if (strcmp(line, "settle") == 0)
		mesh_settle(m);
	else if (line[0] == '+')
		mesh_wait(m, atoi(line + 1));
	else if (strncmp(line, "kill ", 5) == 0)
		mesh_kill(m, (uint32_t)atoi(line + 5), configure_line, (void *)(uintptr_t)config);
	else if (strncmp(line, "lose ", 5) == 0)
		mesh_lose(m, (uint32_t)atoi(line + 5));
	else if (strncmp(line, "lost ", 5) == 0 || strncmp(line, "heard ", 6) == 0)
		engine_peers_lost(m->node[atoi(strchr(line, ' '))].rig.e, line[0] == 'l');
	else if (strncmp(line, "tell ", 5) == 0)
		mesh_sync(m, (uint32_t)(line[5] - '0'), (uint32_t)(line[7] - '0'));
	else
		assert(!"no such line");
}

/* When somebody was seen last is not what these rows are about. */
static void drop_seen(char *out)
{
	for (char *at = strstr(out, " seen="); at != NULL; at = strstr(at, " seen=")) {
		size_t n = strcspn(at, "\n");

		memmove(at, at + n, strlen(at + n) + 1);
	}
}

static void run_row(const struct row *row)
{
	static struct mesh m;
	bool ok = true;

	mesh_init(&m, configure_line, (void *)(uintptr_t)row->config);
	for (const struct step *s = row->steps; s->line != NULL && ok; s++) {
		struct rig *r = &m.node[s->node % MESH_NODES].rig;

		if (s->node == 9) {
			mesh_line(&m, s->line, row->config);
			continue;
		}
		rig_line(r, s->line, strlen(s->line));
		r->out[r->out_n] = '\0';
		drop_seen(r->out);
		if (s->want != NULL && strcmp(r->out, s->want) != 0) {
			printf("# node %u, %s:\n# got  %s# want %s", s->node, s->line, r->out, s->want);
			ok = false;
		}
		r->out_n = 0;
		for (uint32_t i = 0; i < MESH_NODES; i++)
			ok = ok && engine_valid(m.node[i].rig.e);
	}
	tap_ok(ok, "%s", row->name);
	mesh_fini(&m);
}

/* --- random lives --- */

enum { LIFE_USERS = 8, LIFE_CONNS = 8, LIFE_STEPS = 400, LIFE_LISTENER = 40 };

struct life {
	uint64_t random;
	bool online[MESH_NODES][LIFE_USERS];  /* as each node's listener was told */
	uint32_t user_of[MESH_NODES][LIFE_CONNS]; /* + 1; 0: not connected */
	bool broken, talk;
	struct mesh *mesh;
};

static uint32_t life_random(struct life *l, uint32_t below)
{
	l->random = l->random * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(l->random >> 33) % below;
}

static void life_observe(void *observer, struct rig *r, const struct event *ev, const bool *got)
{
	struct life *l = observer;
	uint32_t node = 0, u;

	if (ev->type != EV_PRESENCE || !got[LIFE_LISTENER] || ev->user.user_id.p[0] != 'u')
		return;
	while (&l->mesh->node[node].rig != r)
		node++;
	u = (uint32_t)(ev->user.user_id.p[1] - '0');
	if (ev->status_changed && (ev->change == CHANGE_ONLINE) == l->online[node][u] && ev->change != CHANGE_UPDATED)
		l->broken = true;
	if (ev->user.online != l->online[node][u] && ev->change == CHANGE_UPDATED)
		l->broken = true;
	l->online[node][u] = ev->user.online;
}

static void life_listen(struct life *l, uint32_t node)
{
	struct rig *r = &l->mesh->node[node].rig;

	r->quiet = true;
	rig_line(r, "c40 connect listener as=dotted", 30);
	rig_line(r, "c40 sub presence", 16);
	r->observe = life_observe;
	r->observer = l;
	memset(l->online[node], 0, sizeof l->online[node]);
	memset(l->user_of[node], 0, sizeof l->user_of[node]);
}

static void life_kill(struct life *l, uint32_t node)
{
	struct mesh *m = l->mesh;

	mesh_kill(m, node, NULL, NULL);
	life_listen(l, node);
	for (uint32_t u = 0; u < LIFE_USERS; u++) { /* whom it was told of before the listener came */
		struct presence_view v;
		char id[] = "u0";

		id[1] = (char)('0' + u);
		engine_view(m->node[node].rig.e, rig_str(id), &v, m->node[node].rig.now);
		l->online[node][u] = v.online;
	}
}

static void life_step(struct life *l)
{
	static const char *const sets[] = { "online", "away", "busy", "dnd", "invisible", "- custom=a", "- meta={}" };
	uint32_t node = life_random(l, MESH_NODES), c = life_random(l, LIFE_CONNS), u = life_random(l, LIFE_USERS);
	struct rig *r = &l->mesh->node[node].rig;
	uint32_t *user = &l->user_of[node][c];
	char line[100];

	switch (life_random(l, 12)) {
	case 0: case 1: case 2:
		if (*user == 0)
			snprintf(line, sizeof line, "c%u connect u%u dev=%u", c, u, life_random(l, 3));
		else
			snprintf(line, sizeof line, "c%u gone", c);
		*user = *user == 0 ? u + 1 : 0;
		break;
	case 3: case 4:
		if (*user == 0)
			return;
		snprintf(line, sizeof line, "c%u set %s", c, sets[life_random(l, 7)]);
		break;
	case 5:
		snprintf(line, sizeof line, "put u%u %s", u, sets[life_random(l, 7)]);
		break;
	case 6:
		snprintf(line, sizeof line, "beat u%u rest%u", u, life_random(l, 2));
		break;
	case 7:
		mesh_wait(l->mesh, life_random(l, 3000));
		return;
	case 8:
		mesh_flush(l->mesh, node);
		return;
	case 9:
		if (life_random(l, 20) == 0)
			life_kill(l, node);
		return;
	default:
		mesh_arrive(l->mesh, node);
		return;
	}
	if (l->talk)
		printf("# node %u: %s\n", node, line);
	rig_line(r, line, strlen(line));
}

static bool same(const struct presence_view *a, const struct presence_view *b)
{
	return a->status == b->status && a->device_count == b->device_count && str_eq(a->custom, b->custom) &&
	       str_absent(a->custom) == str_absent(b->custom) && str_eq(a->metadata, b->metadata);
}

/* All nodes see every user alike; who has a connection is online, unless invisible. */
static const char *life_check(struct life *l)
{
	for (uint32_t u = 0; u < LIFE_USERS; u++) {
		struct presence_view v[MESH_NODES];
		bool connected = false;
		char id[] = "u0";

		id[1] = (char)('0' + u);
		for (uint32_t i = 0; i < MESH_NODES; i++) {
			struct rig *r = &l->mesh->node[i].rig;

			engine_view(r->e, rig_str(id), &v[i], r->now);
			for (uint32_t c = 0; c < LIFE_CONNS; c++)
				connected = connected || l->user_of[i][c] == u + 1;
			if (!same(&v[0], &v[i])) {
				printf("# u%u on 0: %u %u %.*s, on %u: %u %u %.*s\n", u, v[0].status,
				       v[0].device_count, (int)v[0].custom.n, v[0].custom.p, i, v[i].status,
				       v[i].device_count, (int)v[i].custom.n, v[i].custom.p);
				return "nodes differ";
			}
			if (l->online[i][u] != v[i].online)
				return "what a listener was told is not the truth";
		}
		if (v[0].online && !connected)
			return "a ghost";
	}
	return NULL;
}

static void run_life(uint64_t seed, bool talk)
{
	static struct mesh m;
	struct life l = { .random = seed * 0x9e3779b97f4a7c15U + 1, .talk = talk, .mesh = &m };
	const char *why = NULL;

	mesh_init(&m, NULL, NULL);
	for (uint32_t i = 0; i < MESH_NODES; i++)
		life_listen(&l, i);
	for (int step = 0; step < LIFE_STEPS && why == NULL; step++) {
		life_step(&l);
		for (uint32_t i = 0; i < MESH_NODES; i++)
			if (!engine_valid(m.node[i].rig.e))
				why = "not valid";
		if (l.broken)
			why = "a listener's stream does not alternate";
	}
	mesh_settle(&m);
	for (uint32_t i = 0; i < MESH_NODES && why == NULL; i++) /* devices of REST go by themselves */
		mesh_wait(&m, 310000), mesh_settle(&m);
	if (why == NULL)
		why = life_check(&l);
	tap_ok(why == NULL, "life %" PRIu64 "%s%s", seed, why != NULL ? ": " : "", why != NULL ? why : "");
	mesh_fini(&m);
}

/* --- a walk over rooms while some of them go --- */

enum { WALK_ROOMS = 30 };

static void connect_to_room(struct rig *r, uint32_t i)
{
	char line[64];

	snprintf(line, sizeof line, "c%u connect m%u as=dotted", i, i);
	rig_line(r, line, strlen(line));
	snprintf(line, sizeof line, "c%u sub conv rooms=r%u", i, i);
	rig_line(r, line, strlen(line));
}

/* With each room that is met another one goes, by `order` other ones: those that stay must be met. */
static bool walk_rooms(uint32_t order)
{
	static struct mesh m;
	bool met[WALK_ROOMS] = { false }, gone[WALK_ROOMS] = { false }, ok = true;
	uint32_t cursor = 0, n = 0;
	struct str room;
	char line[32];

	mesh_init(&m, NULL, NULL);
	m.node[0].rig.quiet = true;
	for (uint32_t i = 0; i < WALK_ROOMS; i++)
		connect_to_room(&m.node[0].rig, i);
	while (engine_peer_room_next(m.node[0].rig.e, &cursor, &room)) {
		uint32_t goes = (order * 7 + n++ * 5) % WALK_ROOMS;

		met[room.n == 2 ? room.p[1] - '0' : (room.p[1] - '0') * 10 + room.p[2] - '0'] = true;
		if (gone[goes])
			continue;
		gone[goes] = true;
		snprintf(line, sizeof line, "c%u gone", goes);
		rig_line(&m.node[0].rig, line, strlen(line));
	}
	for (uint32_t i = 0; i < WALK_ROOMS; i++)
		ok = ok && (met[i] || gone[i]);
	mesh_fini(&m);
	return ok;
}

/* --- a version out of this world --- */

static void run_versions(void)
{
	static struct mesh m;
	struct peer_user mad = {
		.user_id = STR("alice"), .last_seen = WALL_NONE,
		.profile = { .version = UINT64_MAX, .override = STATUS_BUSY, .custom_expires = WALL_NONE,
			     .shown_expires = WALL_NONE, .shown_last_seen = WALL_NONE },
	};
	struct presence_view v;

	mesh_init(&m, NULL, NULL);
	rig_line(&m.node[0].rig, "c1 connect alice", 16);
	mesh_settle(&m);
	engine_peer_user(m.node[0].rig.e, 2, &mad, m.node[0].rig.now);
	engine_peer_user(m.node[1].rig.e, 2, &mad, m.node[1].rig.now);
	rig_line(&m.node[0].rig, "c1 set dnd", 10);
	mesh_settle(&m);
	engine_view(m.node[1].rig.e, STR("alice"), &v, m.node[1].rig.now);
	tap_ok(v.status == STATUS_DND, "what is set still counts everywhere after a version that nobody can top");
	mesh_fini(&m);
}

static void configure_crowd(struct engine_config *c, void *ctx)
{
	(void)ctx;
	c->connections_per_user_max = 0;
}

/* More connections of one user than are told of: the others are there all the same. */
static void run_crowd(void)
{
	static struct mesh m;
	char line[64], want[64];

	mesh_init(&m, configure_crowd, NULL);
	for (uint32_t c = 0; c < PEER_LINKS_MAX + 6; c++) {
		snprintf(line, sizeof line, "c%u connect alice dev=d%u", c, c);
		rig_line(&m.node[0].rig, line, strlen(line));
		mesh_settle(&m);
	}
	for (uint32_t i = 0; i < 2; i++) {
		struct rig *r = &m.node[i].rig;

		r->out_n = 0;
		rig_line(r, "view alice", 10);
		r->out[r->out_n] = '\0';
		drop_seen(r->out);
		snprintf(want, sizeof want, "= alice online dc=%d\n", i == 0 ? PEER_LINKS_MAX + 6 : PEER_LINKS_MAX);
		tap_ok(strcmp(r->out, want) == 0, "%d connections of one user at node 0, seen at node %u: %s", PEER_LINKS_MAX + 6, i,
		       strcmp(r->out, want) == 0 ? "online" : r->out);
	}
	mesh_fini(&m);
}

static void run_walks(void)
{
	bool ok = true;

	for (uint32_t order = 0; order < WALK_ROOMS; order++)
		ok = ok && walk_rooms(order);
	tap_ok(ok, "a walk over rooms meets all that stay, whichever go meanwhile");
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		run_life(strtoull(argv[1], NULL, 0), true);
		return tap_done();
	}
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		run_row(&rows[i]);
	run_versions();
	run_crowd();
	run_walks();
	for (uint64_t seed = 1; seed <= 60; seed++)
		run_life(seed, false);
	return tap_done();
}
