/*
 * test/unit/engines_rig.h: some engines that hear of each other, driven by lines of text, as engine_rig.h drives one.
 *
 *	A c1 connect alice as=dotted      a line for the engine of node A; its answers come as "A -> c1: ..."
 *	+500                              time passes, at all nodes, 500 ms at a time
 *	hold | go                         from here on what nodes tell each other waits; all of it is delivered, and so from here on
 *	flush                             while it waits: users that changed are told, behind what was said so far
 *	step A B | lose A B | twice A B   the first thing that waits from A to B is delivered, lost, delivered and kept
 *	die C | back C                    node C is no more and the others find out; it starts anew and they tell each other all
 *	forget A B | meet A B             A takes B for dead; A is told anew by B
 *	B says A offer bob alice k1 ...   a message that B's engine never sent: type, from, to, call, then key= body= text= count=
 *
 * Calls have no words at connections 32 and above.
 */
#ifndef TEST_ENGINES_RIG_H
#define TEST_ENGINES_RIG_H

#include "engine_rig.h"
#include "presence/peer.h"
#include "tap.h"

enum { ENGINES = 3, ENGINES_USERS = 64, ITEM_TEXT_BYTES = 6144, WORDLESS = 32 };

/* Something that is under way: a copy of a message, or of what is said of a user. */
struct item {
	struct item *next;
	bool is_user;
	struct peer_message m;
	struct peer_user u;
	struct peer_link links[PEER_LINKS_MAX];
	char text[ITEM_TEXT_BYTES];
	size_t text_n;
};

struct engines;

struct node {
	struct rig rig;
	struct peerlink link;
	struct engines *all;
	bool dead, dirty[ENGINES_USERS];
	struct item *to[ENGINES], **to_last[ENGINES];
};

struct engines {
	struct node node[ENGINES];
	bool hold, quiet;
	char out[RIG_TEXT_BYTES];
	size_t out_n;
};

static struct str item_keep(struct item *it, struct str s)
{
	char *at = it->text + it->text_n;

	if (str_absent(s))
		return STR_NONE;
	assert(it->text_n + s.n < sizeof it->text);
	memcpy(at, s.p, s.n);
	it->text_n += s.n + 1;
	return str_of(at, s.n);
}

static struct item *item_push(struct node *from, uint32_t to)
{
	struct item *it = calloc(1, sizeof *it);

	assert(it != NULL);
	*from->to_last[to] = it;
	from->to_last[to] = &it->next;
	return it;
}

static void item_drop(struct node *from, uint32_t to)
{
	struct item *it = from->to[to];

	from->to[to] = it->next;
	if (it->next == NULL)
		from->to_last[to] = &from->to[to];
	free(it);
}

/* --- how they speak --- */

static uint32_t node_number(const struct node *n)
{
	return (uint32_t)(n - n->all->node);
}

static void node_changed(void *ctx, uint32_t user)
{
	struct node *n = ctx;

	assert(user < ENGINES_USERS);
	n->dirty[user] = true;
}

static void node_shown(void *ctx, uint32_t user)
{
	(void)ctx, (void)user;
}

static void node_roster(void *ctx)
{
	(void)ctx;
}

static void node_room(void *ctx, struct str room, bool wanted)
{
	(void)ctx, (void)room, (void)wanted;
}

static void node_say(struct node *n, uint32_t to, const struct peer_message *m)
{
	struct item *it;

	if (to == node_number(n) || n->all->node[to].dead)
		return;
	it = item_push(n, to);
	it->m = *m;
	it->m.user_id = item_keep(it, m->user_id);
	it->m.target = item_keep(it, m->target);
	it->m.device_id = item_keep(it, m->device_id);
	it->m.call_id = item_keep(it, m->call_id);
	it->m.body = item_keep(it, m->body);
	it->m.text = item_keep(it, m->text);
}

static void node_tell(void *ctx, const struct peer_address *to, const struct peer_message *m)
{
	struct node *n = ctx;

	assert(m->type != PEER_BROADCAST && m->users.n == 0 && m->messages.n == 0);
	assert((to->nodes & ~((UINT64_C(1) << ENGINES) - 1)) == 0 && (to->nodes >> node_number(n) & 1) == 0);
	for (uint32_t i = 0; i < ENGINES; i++)
		if (to->all || !str_absent(to->room) || (to->nodes >> i & 1) != 0)
			node_say(n, i, m);
}

static uint64_t node_key(void *ctx, uint32_t conn)
{
	struct rig *r = ctx;

	assert(conn < RIG_CONNS);
	return r->key_of[conn];
}

static uint32_t node_end(void *ctx)
{
	struct rig *r = ctx;

	if (r->ev.type >= EV_CALL_INCOMING && r->ev.type <= EV_CALL_ENDED)
		memset(r->get + WORDLESS, 0, (RIG_CONNS - WORDLESS) * sizeof *r->get);
	return rig_end(ctx);
}

static void node_tell_user(struct node *n, uint32_t user, uint32_t to)
{
	static struct peer_scratch scratch;
	struct peer_user u;
	struct item *it;

	if (to == node_number(n) || n->all->node[to].dead || !engine_peer_say(n->rig.e, user, n->rig.now, &scratch, &u))
		return;
	it = item_push(n, to);
	it->is_user = true;
	it->u = u;
	it->u.user_id = item_keep(it, u.user_id);
	it->u.username = item_keep(it, u.username);
	it->u.links = it->links;
	assert(u.rooms.n == 0 && str_absent(u.profile.custom) && str_absent(u.profile.metadata));
	for (uint32_t i = 0; i < u.link_count; i++) {
		it->links[i] = u.links[i];
		it->links[i].device_id = item_keep(it, u.links[i].device_id);
	}
}

/* --- how they hear --- */

static void node_check(struct node *n)
{
	if (!engine_valid(n->rig.e)) {
		n->rig.valid = false;
		n->rig.quiet = false;
		rig_say(&n->rig, "? not valid any more\n");
	}
}

static void node_hear(struct node *n, uint32_t from, const struct item *it)
{
	if (n->dead)
		return;
	if (it->is_user)
		engine_peer_user(n->rig.e, from, &it->u, n->rig.now);
	else
		engine_peer_message(n->rig.e, from, &it->m, n->rig.now);
	node_check(n);
}

/* What changed is told behind what was said. */
static void engines_flush(struct engines *es)
{
	for (uint32_t a = 0; a < ENGINES; a++)
		for (uint32_t u = 0; u < ENGINES_USERS; u++)
			if (es->node[a].dirty[u]) {
				es->node[a].dirty[u] = false;
				for (uint32_t b = 0; b < ENGINES && !es->node[a].dead; b++)
					node_tell_user(&es->node[a], u, b);
			}
}

/* The first thing that waits between the two; false: nothing does. */
static bool engines_step(struct engines *es, uint32_t from, uint32_t to, bool hear, bool drop)
{
	struct node *n = &es->node[from];

	if (n->to[to] == NULL)
		return false;
	if (hear)
		node_hear(&es->node[to], from, n->to[to]);
	if (drop)
		item_drop(n, to);
	return true;
}

static void engines_settle(struct engines *es)
{
	uint32_t turns = 0;

	for (bool more = true; more;) {
		more = false;
		engines_flush(es);
		for (uint32_t a = 0; a < ENGINES; a++)
			for (uint32_t b = 0; b < ENGINES; b++)
				more = engines_step(es, a, b, true, true) || more;
		assert(turns++ < 10000); /* they do not answer each other for ever */
	}
}

/* --- life --- */

static void node_start(struct engines *es, uint32_t i)
{
	struct node *n = &es->node[i];
	struct rig *r = &n->rig;
	struct now now = r->now;
	uint64_t keys = r->keys;
	void *observer = r->observer;
	void (*observe)(void *, struct rig *, const struct event *, const bool *) = r->observe;

	rig_init(r);
	if (now.mono.ms != 0) {
		r->now = now;
		r->keys = keys;
	} else {
		r->keys = (uint64_t)(i + 1) << 32;
	}
	r->observe = observe;
	r->observer = observer;
	n->all = es;
	n->dead = false;
	n->link = (struct peerlink){ n, node_changed, node_shown, node_shown, node_roster, node_room, node_tell };
	r->config.peers = &n->link;
	r->config.remotes_max = 64;
	r->config.node_tag = i + 1;
	r->config.users_max = ENGINES_USERS;
	r->config.calls_max = 24;
	r->sink.key = node_key;
	r->sink.end = node_end;
	r->quiet = es->quiet;
	for (uint32_t b = 0; b < ENGINES; b++) {
		n->to[b] = NULL;
		n->to_last[b] = &n->to[b];
	}
	rig_start(r);
}

static void engines_init(struct engines *es)
{
	memset(es, 0, sizeof *es);
	for (uint32_t i = 0; i < ENGINES; i++)
		node_start(es, i);
}

static void node_sweep(struct node *n, uint32_t peer)
{
	while (engine_peer_sweep(n->rig.e, peer, 1, n->rig.now))
		node_check(n);
	node_check(n);
}

/* A takes B for dead. */
static void engines_forget(struct engines *es, uint32_t a, uint32_t b)
{
	if (a == b || es->node[a].dead)
		return;
	engine_peer_begin(es->node[a].rig.e, b);
	node_sweep(&es->node[a], b);
}

/* A is told all by B, behind what waits. */
static void engines_meet(struct engines *es, uint32_t a, uint32_t b)
{
	uint32_t cursor = 0;

	if (a == b || es->node[a].dead || es->node[b].dead)
		return;
	while (es->node[b].to[a] != NULL)
		engines_step(es, b, a, true, true);
	engine_peer_begin(es->node[a].rig.e, b);
	for (uint32_t u = engine_peer_next(es->node[b].rig.e, &cursor); u != UINT32_MAX;
	     u = engine_peer_next(es->node[b].rig.e, &cursor))
		node_tell_user(&es->node[b], u, a);
	while (es->node[b].to[a] != NULL)
		engines_step(es, b, a, true, true);
	node_sweep(&es->node[a], b);
}

/* The process is no more; what it said last may or may not be heard. */
static void engines_die(struct engines *es, uint32_t i, bool heard)
{
	struct node *n = &es->node[i];

	if (n->dead)
		return;
	n->dead = true;
	memset(n->dirty, 0, sizeof n->dirty);
	rig_fini(&n->rig);
	for (uint32_t b = 0; b < ENGINES; b++) {
		while (engines_step(es, i, b, heard, true))
			;
		while (engines_step(es, b, i, false, true))
			;
	}
	for (uint32_t b = 0; b < ENGINES; b++)
		engines_forget(es, b, i);
}

static void engines_back(struct engines *es, uint32_t i)
{
	if (!es->node[i].dead)
		return;
	node_start(es, i);
	for (uint32_t b = 0; b < ENGINES; b++) {
		engines_meet(es, b, i);
		engines_meet(es, i, b);
	}
}

static void engines_fini(struct engines *es)
{
	for (uint32_t i = 0; i < ENGINES; i++) {
		for (uint32_t b = 0; b < ENGINES; b++)
			while (engines_step(es, i, b, false, true))
				;
		if (!es->node[i].dead)
			rig_fini(&es->node[i].rig);
	}
}

static void engines_wait(struct engines *es, int64_t ms)
{
	while (ms > 0) {
		int64_t step = ms < 500 ? ms : 500;

		for (uint32_t i = 0; i < ENGINES; i++) {
			if (es->node[i].dead) {
				es->node[i].rig.now.mono.ms += step;
				es->node[i].rig.now.wall.ms += step;
				continue;
			}
			rig_wait(&es->node[i].rig, step);
			node_check(&es->node[i]);
		}
		if (!es->hold)
			engines_settle(es);
		ms -= step;
	}
}

/* --- lines --- */

static void engines_says(struct engines *es, uint32_t from, char *words[], int n)
{
	static const char *const types[] = { "offer", "rang", "answer", "answered", "ice", "ended" };
	struct peer_message m = {
		.user_id = rig_str(words[4]), .target = rig_str(words[5]), .call_id = rig_str(words[6]),
	};

	for (int t = 0; t < 6; t++)
		if (strcmp(words[3], types[t]) == 0)
			m.type = (enum peer_message_type)(PEER_CALL_OFFER + t);
	assert(n >= 7 && m.type != 0);
	for (int i = 7; i < n; i++) {
		if (strncmp(words[i], "key=", 4) == 0)
			m.key = strtoull(words[i] + 4, NULL, 16);
		else if (strncmp(words[i], "count=", 6) == 0)
			m.count = (uint32_t)strtoul(words[i] + 6, NULL, 10);
		else if (strncmp(words[i], "body=", 5) == 0)
			m.body = rig_str(words[i] + 5);
		else if (strncmp(words[i], "text=", 5) == 0)
			m.text = rig_str(words[i] + 5);
	}
	m.device_id = m.type == PEER_CALL_OFFER ? STR("dev") : STR_NONE;
	node_say(&es->node[from], (uint32_t)(words[2][0] - 'A'), &m);
}

static bool engines_verb(struct engines *es, char *words[], int n)
{
	uint32_t a = n > 1 ? (uint32_t)(words[1][0] - 'A') : 0, b = n > 2 ? (uint32_t)(words[2][0] - 'A') : 0;
	const char *verb = words[0];

	if (strcmp(verb, "hold") == 0)
		es->hold = true;
	else if (strcmp(verb, "go") == 0)
		es->hold = false;
	else if (strcmp(verb, "flush") == 0)
		engines_flush(es);
	else if (strcmp(verb, "step") == 0)
		assert(engines_step(es, a, b, true, true));
	else if (strcmp(verb, "lose") == 0)
		assert(engines_step(es, a, b, false, true));
	else if (strcmp(verb, "twice") == 0)
		assert(engines_step(es, a, b, true, false));
	else if (strcmp(verb, "die") == 0)
		engines_die(es, a, false);
	else if (strcmp(verb, "back") == 0)
		engines_back(es, a);
	else if (strcmp(verb, "forget") == 0)
		engines_forget(es, a, b);
	else if (strcmp(verb, "meet") == 0)
		engines_meet(es, a, b);
	else
		return false;
	return true;
}

static void engines_collect(struct engines *es)
{
	for (uint32_t i = 0; i < ENGINES; i++) {
		struct rig *r = &es->node[i].rig;

		for (const char *line = r->out; line < r->out + r->out_n;) {
			size_t n = strcspn(line, "\n");

			es->out_n += (size_t)snprintf(es->out + es->out_n, sizeof es->out - es->out_n, "%c %.*s\n",
						      (char)('A' + (int)i), (int)n, line);
			assert(es->out_n < sizeof es->out);
			line += n + 1;
		}
		r->out_n = 0;
		r->out[0] = '\0';
	}
}

static void engines_line(struct engines *es, const char *line, size_t n)
{
	static char text[1024];
	char *words[16];
	int count = 0;

	assert(n < sizeof text);
	memcpy(text, line, n);
	text[n] = '\0';
	if (text[0] == '+') {
		engines_wait(es, atoll(text + 1));
	} else if (text[1] == ' ' && strncmp(text + 2, "says ", 5) != 0) {
		assert(!es->node[text[0] - 'A'].dead);
		rig_line(&es->node[text[0] - 'A'].rig, line + 2, n - 2);
	} else {
		for (char *w = strtok(text, " "); w != NULL && count < 16; w = strtok(NULL, " "))
			words[count++] = w;
		if (count > 2 && strcmp(words[1], "says") == 0)
			engines_says(es, (uint32_t)(words[0][0] - 'A'), words, count);
		else
			assert(engines_verb(es, words, count));
	}
	if (!es->hold)
		engines_settle(es);
}

/* As rig_transcript(): true when input and output come out the same. */
__attribute__((unused)) static bool engines_transcript(struct engines *es, const char *want)
{
	for (const char *line = want; *line != '\0';) {
		size_t n = strcspn(line, "\n");

		if (!(n > 2 && line[1] == ' ' && rig_is_output(line + 2))) {
			es->out_n += (size_t)snprintf(es->out + es->out_n, sizeof es->out - es->out_n, "%.*s\n", (int)n, line);
			engines_line(es, line, n);
			engines_collect(es);
		}
		line += n + (line[n] == '\n');
	}
	return strcmp(es->out, want) == 0;
}

struct engines_case {
	const char *clause, *name, *transcript;
};

/* Each case with engines of its own; what came is shown where it is not what is wanted. */
__attribute__((unused)) static void engines_cases(const struct engines_case *cases, size_t n)
{
	static struct engines es;

	for (size_t i = 0; i < n; i++) {
		engines_init(&es);
		if (!tap_ok(engines_transcript(&es, cases[i].transcript), "%s: %s", cases[i].clause, cases[i].name))
			printf("# came:\n%s# --- wanted:\n%s", es.out, cases[i].transcript);
		engines_fini(&es);
	}
}

#endif
