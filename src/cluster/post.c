/*
 * Invariants: c->seq is the number of the last letter of users that the bus took in this epoch, so a letter
 * that it did not take leaves no gap, and its users stay in c->outgoing. c->text is written and published
 * within one call.
 */
#include "cluster/post.h"

#include <assert.h>

#include "base/hex.h"
#include "base/limits.h"

static_assert(sizeof(((struct post_channel *)0)->text) >= 16 + ID_BYTES_MAX, "every room has a channel");

static struct str channel(struct post_channel *to, struct str prefix, struct str id)
{
	assert(prefix.n + id.n <= sizeof(to->text));
	memcpy(to->text, prefix.p, prefix.n);
	if (id.n > 0)
		memcpy(to->text + prefix.n, id.p, id.n);
	to->n = prefix.n + id.n;
	return str_of(to->text, to->n);
}

struct str post_room(struct post_channel *to, struct str room)
{
	return channel(to, POST_ROOM, room);
}

struct str post_node(struct post_channel *to, struct str id)
{
	return channel(to, POST_NODE, id);
}

static struct str channel_of(const struct cluster *c, struct post_channel *to, uint32_t peer)
{
	assert(peer < PEERS_MAX && c->nodes[peer].state != NODE_FREE);
	return post_node(to, str_of(c->nodes[peer].id, c->nodes[peer].id_bytes));
}

/* --- one letter --- */

static void begin(struct cluster *c, struct letter_writer *lw, struct jsonw *w, struct letter *head)
{
	head->node = cluster_node_id(c);
	head->epoch = c->epoch;
	jsonw_init(w, c->text, LETTER_BYTES_MAX);
	letter_open(lw, w, head);
}

/* {"t":"users","n":NODE,"e":EPOCH */
static void note_own_users(struct cluster *c, struct str text)
{
	size_t n = sizeof("{\"t\":\"users\",\"n\":\"\",\"e\":\"\"") - 1 + c->id_bytes + HEX_U64_BYTES;

	assert(n <= sizeof(c->own_users) && n < text.n && text.p[n - 1] == '"');
	memcpy(c->own_users, text.p, n);
	c->own_users_bytes = (uint32_t)n;
}

bool post_is_own_users(const struct cluster *c, const char *payload, size_t bytes)
{
	return c->own_users_bytes > 0 && bytes > c->own_users_bytes &&
	       memcmp(payload, c->own_users, c->own_users_bytes) == 0;
}

static bool publish(struct cluster *c, enum letter_type type, struct str to, const struct jsonw *w)
{
	struct str text = jsonw_text(w);

	assert(!str_absent(text));
	if (!c->bus.publish(c->bus.ctx, to, text)) {
		c->figures.unsent++;
		return false;
	}
	if (type == LETTER_USERS)
		note_own_users(c, text);
	c->figures.sent[type]++;
	c->figures.sent_bytes += text.n;
	return true;
}

static bool post(struct cluster *c, struct letter *head, struct str to)
{
	struct letter_writer lw;
	struct jsonw w;

	head->seq = c->seq;
	begin(c, &lw, &w, head);
	return letter_close(&lw, 0) && publish(c, head->type, to, &w);
}

bool post_short(struct cluster *c, enum letter_type type)
{
	assert(type == LETTER_HELLO || type == LETTER_BEAT || type == LETTER_BYE);
	return post(c, &(struct letter){ .type = type }, POST_NODES);
}

void post_gone(struct cluster *c, const struct node *to, const struct node *of, uint64_t epoch,
	       uint64_t seq)
{
	struct letter head = {
		.type = LETTER_GONE, .gone = str_of(of->id, of->id_bytes),
		.gone_epoch = epoch, .gone_seq = seq,
	};
	struct post_channel name;

	assert(cluster_is_up(c));
	post(c, &head, to == NULL ? POST_NODES : channel_of(c, &name, (uint32_t)(to - c->nodes)));
}

bool post_question(struct cluster *c, uint32_t peer, uint32_t cursor)
{
	struct post_channel to;

	return post(c, &(struct letter){ .type = LETTER_SYNC, .cursor = cursor }, channel_of(c, &to, peer));
}

void post_message(struct cluster *c, const struct peer_address *to, const struct peer_message *m)
{
	struct letter head = { .type = LETTER_SAY, .seq = c->seq, .message = *m };
	struct post_channel name;
	struct letter_writer lw;
	struct jsonw w;

	begin(c, &lw, &w, &head);
	if (!letter_close(&lw, 0)) {
		c->figures.unsent++;
		return;
	}
	if (to->all)
		publish(c, LETTER_SAY, POST_ALL, &w);
	else if (!str_absent(to->room))
		publish(c, LETTER_SAY, post_room(&name, to->room), &w);
	else
		for (uint32_t peer = 0; peer < PEERS_MAX; peer++)
			if ((to->nodes >> peer & 1) != 0 && c->nodes[peer].state != NODE_FREE)
				publish(c, LETTER_SAY, channel_of(c, &name, peer), &w);
}

/* --- users --- */

/* False: no more space now. */
static bool may_write(struct cluster *c)
{
	if (c->bus.space(c->bus.ctx) >= SPACE_MIN_BYTES)
		return true;
	c->blocked_until = mono_add_ms(c->now.mono, RETRY_MS);
	return false;
}

/* One too long for a letter of their own is not told of. False: they go into the next letter. */
static bool add(struct cluster *c, struct letter_writer *lw, const struct peer_user *u)
{
	if (letter_add_user(lw, u))
		return true;
	if (lw->users > 0)
		return false;
	c->figures.unsent++;
	return true;
}

/* Fills one letter. How many of those that wait are in it, or need not be. */
static uint32_t fill(struct cluster *c, struct letter_writer *lw)
{
	struct peer_user u;
	uint32_t n = 0;

	while (n < c->outgoing.count && !letter_full(lw)) {
		if (!engine_peer_say(c->engine, outgoing_at(&c->outgoing, n), c->now, &c->scratch, &u))
			c->seq_skips = true;
		else if (!add(c, lw, &u))
			break;
		n++;
	}
	return n;
}

/* False: no more for now. */
static bool post_some(struct cluster *c)
{
	struct letter head = { .type = LETTER_USERS, .seq = c->seq + 1 };
	struct letter_writer lw;
	struct jsonw w;
	uint32_t n;

	if (c->outgoing.count == 0 || !may_write(c))
		return false;
	begin(c, &lw, &w, &head);
	n = fill(c, &lw);
	assert(n > 0);
	if (lw.users > 0) {
		if (!letter_close(&lw, 0) || !publish(c, LETTER_USERS, POST_USERS, &w)) {
			c->blocked_until = mono_add_ms(c->now.mono, RETRY_MS);
			return false;
		}
		c->seq++;
		c->figures.users_told += lw.users;
	}
	outgoing_drop(&c->outgoing, n);
	return true;
}

void post_users(struct cluster *c)
{
	for (int i = 0; i < LETTERS_A_TURN && post_some(c); i++)
		;
}

bool post_state(struct cluster *c, uint32_t peer, uint32_t cursor)
{
	struct letter head = { .type = LETTER_STATE, .seq = c->seq, .first = cursor == 0 };
	struct post_channel to;
	struct letter_writer lw;
	struct jsonw w;
	struct peer_user u;
	uint32_t next = cursor;

	if (!may_write(c))
		return false;
	begin(c, &lw, &w, &head);
	while (!letter_full(&lw)) {
		uint32_t before = next, user = engine_peer_next(c->engine, &next);

		if (user == UINT32_MAX) {
			next = UINT32_MAX;
			break;
		}
		if (engine_peer_say(c->engine, user, c->now, &c->scratch, &u) && !add(c, &lw, &u)) {
			next = before;
			break;
		}
	}
	if (!letter_close(&lw, next) || !publish(c, LETTER_STATE, channel_of(c, &to, peer), &w)) {
		c->blocked_until = mono_add_ms(c->now.mono, RETRY_MS);
		return false;
	}
	c->figures.users_told += lw.users;
	return true;
}
