/*
 * test/unit/peers_mesh.h: up to MESH_NODES engines (engine_rig.h) that tell each other, through letters
 * (cluster/letter.h), what changes; what is on its way is kept until it is asked to arrive.
 */
#ifndef TEST_PEERS_MESH_H
#define TEST_PEERS_MESH_H

#include "cluster/letter.h"
#include "engine_rig.h"

enum { MESH_NODES = 3, MESH_QUEUE = 4096, MESH_USERS = 256 };

struct mesh_message {
	uint32_t from;
	uint64_t boot;
	size_t bytes;
	char *letter;
};

struct mesh;

struct mesh_node {
	struct mesh *mesh;
	uint32_t number;
	uint64_t boot;               /* what an earlier life said counts for nothing */
	struct rig rig;
	struct peerlink link;
	bool changed[MESH_USERS];
	struct mesh_message queue[MESH_QUEUE]; /* to this node */
	uint32_t queued;
};

struct mesh {
	struct mesh_node node[MESH_NODES];
	uint64_t boots;
	struct letter_reader *reader;
	void *reader_mem;
	size_t reader_bytes;
	char text[LETTER_BYTES_MAX];
};

static void mesh_send(struct mesh *m, uint32_t from, uint64_t to, struct str letter)
{
	for (uint32_t i = 0; i < MESH_NODES; i++) {
		struct mesh_node *n = &m->node[i];

		if (i == from || (to >> i & 1) == 0)
			continue;
		assert(n->queued < MESH_QUEUE);
		n->queue[n->queued] = (struct mesh_message){
			from, m->node[from].boot, letter.n, malloc(letter.n),
		};
		memcpy(n->queue[n->queued++].letter, letter.p, letter.n);
	}
}

static void mesh_changed(void *ctx, uint32_t user)
{
	struct mesh_node *n = ctx;

	assert(user < MESH_USERS);
	n->changed[user] = true;
}

static void mesh_shown(void *ctx, uint32_t user)
{
	(void)ctx, (void)user;
}

static void mesh_roster(void *ctx)
{
	(void)ctx;
}

static void mesh_room(void *ctx, struct str room, bool wanted)
{
	(void)ctx, (void)room, (void)wanted;
}

/* Everybody is in every room here: the engine must know whom to tell. */
static void mesh_tell(void *ctx, const struct peer_address *to, const struct peer_message *message)
{
	struct mesh_node *n = ctx;
	struct letter head = { .type = LETTER_SAY, .node = STR("n"), .epoch = 1, .message = *message };
	struct letter_writer writer;
	struct jsonw w;
	bool fits;

	assert(to->all + !str_absent(to->room) + (to->nodes != 0) == 1);
	jsonw_init(&w, n->mesh->text, sizeof n->mesh->text);
	letter_open(&writer, &w, &head);
	fits = letter_close(&writer, 0);
	assert(fits);
	(void)fits;
	mesh_send(n->mesh, n->number, to->nodes != 0 ? to->nodes : UINT64_MAX, jsonw_text(&w));
}

static uint64_t mesh_key(void *ctx, uint32_t conn)
{
	struct rig *r = ctx;

	return r->key_of[conn];
}

/* A node that has no past. `configure` may change its rig's config. */
static void mesh_boot(struct mesh *m, uint32_t i, void (*configure)(struct engine_config *, void *), void *ctx)
{
	struct mesh_node *n = &m->node[i];
	struct now now = n->rig.now;

	n->mesh = m;
	n->number = i;
	n->boot = ++m->boots;
	memset(n->changed, 0, sizeof n->changed);
	n->link = (struct peerlink){ n, mesh_changed, mesh_shown, mesh_shown, mesh_roster, mesh_room, mesh_tell };
	rig_init(&n->rig);
	if (now.mono.ms != 0)
		n->rig.now = now;
	n->rig.keys = m->boots << 32;
	n->rig.sink.key = mesh_key;
	n->rig.config.peers = &n->link;
	n->rig.config.remotes_max = 128;
	n->rig.config.users_max = 128;
	n->rig.config.node_tag = 1000 + i;
	if (configure != NULL)
		configure(&n->rig.config, ctx);
	rig_start(&n->rig);
}

static void mesh_init(struct mesh *m, void (*configure)(struct engine_config *, void *), void *ctx)
{
	struct region r;

	memset(m, 0, sizeof *m);
	region_init(&r, NULL, 0);
	letter_reader_new(&r, 1);
	m->reader_bytes = region_used(&r);
	m->reader_mem = calloc(1, m->reader_bytes + 64);
	region_init(&r, m->reader_mem, m->reader_bytes + 64);
	m->reader = letter_reader_new(&r, 1);
	assert(m->reader != NULL);
	for (uint32_t i = 0; i < MESH_NODES; i++)
		mesh_boot(m, i, configure, ctx);
}

static void mesh_drop_queue(struct mesh_node *n)
{
	for (uint32_t i = 0; i < n->queued; i++)
		free(n->queue[i].letter);
	n->queued = 0;
}

static void mesh_fini(struct mesh *m)
{
	for (uint32_t i = 0; i < MESH_NODES; i++) {
		mesh_drop_queue(&m->node[i]);
		rig_fini(&m->node[i].rig);
	}
	free(m->reader_mem);
}

static void mesh_put(struct mesh *m, uint32_t from, uint32_t user, struct letter_writer *writer)
{
	static struct peer_scratch scratch;
	struct peer_user said;
	bool fits;

	if (!engine_peer_say(m->node[from].rig.e, user, m->node[from].rig.now, &scratch, &said))
		return;
	fits = letter_add_user(writer, &said);
	assert(fits);
	(void)fits;
}

/* What changed about users of the node is on its way to the others. */
static void mesh_flush(struct mesh *m, uint32_t from)
{
	struct letter head = { .type = LETTER_USERS, .node = STR("n"), .epoch = 1 };
	bool *changed = m->node[from].changed;

	for (uint32_t user = 0; user < MESH_USERS; user++) {
		struct letter_writer writer;
		struct jsonw w;

		if (!changed[user])
			continue;
		changed[user] = false;
		jsonw_init(&w, m->text, sizeof m->text);
		letter_open(&writer, &w, &head);
		mesh_put(m, from, user, &writer);
		letter_close(&writer, 0);
		mesh_send(m, from, UINT64_MAX, jsonw_text(&w));
	}
}

/* The oldest that is on its way to the node arrives; false: there was none. */
static bool mesh_arrive(struct mesh *m, uint32_t to)
{
	struct mesh_node *n = &m->node[to];
	struct mesh_message got;
	struct letter letter;
	struct peer_user user;

	if (n->queued == 0)
		return false;
	got = n->queue[0];
	memmove(n->queue, n->queue + 1, --n->queued * sizeof *n->queue);
	if (got.boot == m->node[got.from].boot) {
		enum letter_result result = letter_read(m->reader, got.letter, got.bytes, &letter);

		if (result != LETTER_OK)
			fprintf(stderr, "# refused: %.*s\n", (int)got.bytes, got.letter);
		assert(result == LETTER_OK);
		(void)result;
		if (letter.type == LETTER_SAY)
			engine_peer_message(n->rig.e, got.from, &letter.message, n->rig.now);
		while (letter.type == LETTER_USERS && letter_next_user(m->reader, &user))
			engine_peer_user(n->rig.e, got.from, &user, n->rig.now);
	}
	free(got.letter);
	return true;
}

/* All that is on its way arrives, and what that causes. */
static void mesh_settle(struct mesh *m)
{
	for (bool some = true; some;) {
		some = false;
		for (uint32_t i = 0; i < MESH_NODES; i++)
			mesh_flush(m, i);
		for (uint32_t i = 0; i < MESH_NODES; i++)
			while (mesh_arrive(m, i))
				some = true;
	}
}

/* What changed until now never reaches the node. */
static void mesh_lose(struct mesh *m, uint32_t i)
{
	for (uint32_t from = 0; from < MESH_NODES; from++)
		mesh_flush(m, from);
	mesh_drop_queue(&m->node[i]);
}

/* `to` asks `from` for everything: at once, in one piece. What was on its way before is older: it arrives first. */
static void mesh_sync(struct mesh *m, uint32_t from, uint32_t to)
{
	struct mesh_node *n = &m->node[to];
	static struct peer_scratch scratch;
	struct peer_user said;
	uint32_t cursor = 0, user;

	mesh_flush(m, from);
	while (mesh_arrive(m, to))
		;
	engine_peer_begin(n->rig.e, from);
	while ((user = engine_peer_next(m->node[from].rig.e, &cursor)) != UINT32_MAX)
		if (engine_peer_say(m->node[from].rig.e, user, m->node[from].rig.now, &scratch, &said))
			engine_peer_user(n->rig.e, from, &said, n->rig.now);
	while (engine_peer_sweep(n->rig.e, from, 2, n->rig.now))
		;
}

static void mesh_wait(struct mesh *m, int64_t ms)
{
	for (uint32_t i = 0; i < MESH_NODES; i++)
		rig_wait(&m->node[i].rig, ms);
}

/*
 * The node dies with all its connections; what it said before reaches the others, who then find out; it starts
 * again and is told of everything.
 */
static void mesh_kill(struct mesh *m, uint32_t i, void (*configure)(struct engine_config *, void *), void *ctx)
{
	for (uint32_t other = 0; other < MESH_NODES; other++)
		while (other != i && mesh_arrive(m, other))
			;
	mesh_drop_queue(&m->node[i]);
	rig_fini(&m->node[i].rig);
	mesh_boot(m, i, configure, ctx);
	for (uint32_t other = 0; other < MESH_NODES; other++) {
		if (other == i)
			continue;
		engine_peer_begin(m->node[other].rig.e, i);
		while (engine_peer_sweep(m->node[other].rig.e, i, 3, m->node[other].rig.now))
			;
		mesh_sync(m, other, i);
	}
}

#endif
