/*
 * Invariant: `channels` holds exactly those that hiredis has in sub.channels: it adds one when SUBSCRIBE is
 * said, and deletes it at a confirmed UNSUBSCRIBE unless a SUBSCRIBE is under way (async.c:
 * __redisGetSubscribeCallback).
 */
#include "cluster/redis_vet.h"

#include <assert.h>
#include <string.h>

static struct redis_vet *vet_of(const redisReadTask *t)
{
	return t->privdata;
}

static void *refuse(struct redis_vet *v, struct str why)
{
	v->why = why;
	return NULL;
}

static bool is_subscribed(const struct redis_vet *v)
{
	return (v->ac->c.flags & REDIS_SUBSCRIBED) != 0;
}

static struct str text_of(const redisReply *r)
{
	return str_of(r->str, r->len);
}

/* --- subscriptions --- */

struct channel {
	uint64_t hash;
	int32_t pending;       /* SUBSCRIBEs that are not answered */
};

static struct str key_of(const void *ctx, uint32_t cell)
{
	const struct channel *c = pool_at(&((const struct redis_vet *)ctx)->cells, cell);

	return str_of((const char *)&c->hash, sizeof(c->hash));
}

void redis_vet_init(struct redis_vet *v, struct region *r, uint32_t channels_max, struct siphash_key key)
{
	v->key = key;
	pool_init(&v->cells, r, sizeof(struct channel), channels_max);
	map_init(&v->channels, r, channels_max, key, key_of, v);
}

static uint64_t hash_of(const struct redis_vet *v, struct str name)
{
	return siphash13(v->key, name);
}

static uint32_t cell_of(const struct redis_vet *v, uint64_t hash)
{
	return map_find(&v->channels, str_of((const char *)&hash, sizeof(hash)));
}

static struct channel *find(const struct redis_vet *v, struct str name)
{
	uint32_t cell = cell_of(v, hash_of(v, name));

	return cell == MAP_NONE ? NULL : pool_at(&v->cells, cell);
}

static void forget(struct redis_vet *v, uint32_t cell)
{
	map_remove(&v->channels, key_of(v, cell));
	pool_give(&v->cells, cell);
}

/* A walk that removes may skip some: once more, until there are none. */
static void forget_all(struct redis_vet *v)
{
	while (map_count(&v->channels) > 0) {
		uint32_t cell, cursor = 0;

		while ((cell = map_next(&v->channels, &cursor)) != MAP_NONE)
			forget(v, cell);
	}
}

bool redis_vet_knows(const struct redis_vet *v, struct str channel)
{
	return find(v, channel) != NULL;
}

bool redis_vet_subscribe(struct redis_vet *v, struct str channel)
{
	struct channel *c = find(v, channel);
	uint32_t cell;

	if (channel.n == 0 || channel.n > REDIS_CHANNEL_BYTES_MAX)
		return false;
	if (c == NULL) {
		cell = pool_take(&v->cells);
		if (cell == POOL_NONE)
			return false;
		c = pool_at(&v->cells, cell);
		*c = (struct channel){ .hash = hash_of(v, channel) };
		map_insert(&v->channels, key_of(v, cell), cell);
	}
	c->pending++;
	return true;
}

void redis_vet_subscribed(struct redis_vet *v, struct str channel)
{
	struct channel *c = find(v, channel);

	assert(c != NULL); /* third_may_be() looked */
	c->pending--;
}

void redis_vet_unsubscribed(struct redis_vet *v, struct str channel)
{
	uint32_t cell = cell_of(v, hash_of(v, channel));

	if (cell != MAP_NONE && ((struct channel *)pool_at(&v->cells, cell))->pending == 0)
		forget(v, cell);
}

/* --- what may be --- */

/* The whole answer begins, of this type; an array of so many elements. */
static bool root_may_be(struct redis_vet *v, int type, size_t elements)
{
	if (type == REDIS_REPLY_ERROR)
		return true; /* hiredis ends the connection with it where it answers nothing */
	if (is_subscribed(v))
		return type == REDIS_REPLY_ARRAY && elements == 3;
	return *v->pending > 0;
}

static bool is_kind(struct str s)
{
	return str_eq(s, STR("message")) || str_eq(s, STR("subscribe")) || str_eq(s, STR("unsubscribe"));
}

/* Is the third part of a message what its first says? A text for `message`, a number for the others. */
static bool third_may_be(struct redis_vet *v, const redisReply *root, int type)
{
	struct str kind = text_of(root->element[0]);

	if (str_eq(kind, STR("message")))
		return type == REDIS_REPLY_STRING;
	return type == REDIS_REPLY_INTEGER &&
	       (str_eq(kind, STR("unsubscribe")) || find(v, text_of(root->element[1])) != NULL);
}

static bool part_may_be(struct redis_vet *v, const redisReadTask *t, int type, struct str s)
{
	if (!is_subscribed(v))
		return true;
	if (t->parent->parent != NULL)
		return false;
	switch (t->idx) {
	case 0: return type == REDIS_REPLY_STRING && is_kind(s);
	case 1: return type == REDIS_REPLY_STRING;
	default: return third_may_be(v, t->parent->obj, type);
	}
}

/* A value of this type, and if it is a text, this one. */
static bool may_be(struct redis_vet *v, const redisReadTask *t, int type, struct str s)
{
	if (t->parent == NULL ? root_may_be(v, type, 0) : part_may_be(v, t, type, s))
		return true;
	refuse(v, STR("an answer to nothing that was asked"));
	return false;
}

/* --- the reader's functions --- */

static void *create_string(const redisReadTask *t, char *s, size_t n)
{
	struct redis_vet *v = vet_of(t);

	return may_be(v, t, t->type, str_of(s, n)) ? v->own->createString(t, s, n) : NULL;
}

static void *create_array(const redisReadTask *t, size_t elements)
{
	struct redis_vet *v = vet_of(t);

	if (t->parent == NULL ? !root_may_be(v, t->type, elements) : is_subscribed(v))
		return refuse(v, STR("an answer to nothing that was asked"));
	return v->own->createArray(t, elements);
}

static void *create_integer(const redisReadTask *t, long long n)
{
	struct redis_vet *v = vet_of(t);

	return may_be(v, t, REDIS_REPLY_INTEGER, STR("")) ? v->own->createInteger(t, n) : NULL;
}

static void *create_nil(const redisReadTask *t)
{
	struct redis_vet *v = vet_of(t);

	return may_be(v, t, REDIS_REPLY_NIL, STR("")) ? v->own->createNil(t) : NULL;
}

/* The guard lets none through. */
static void *create_double(const redisReadTask *t, double d, char *s, size_t n)
{
	(void)d;
	(void)s;
	(void)n;
	return refuse(vet_of(t), STR("not RESP2"));
}

static void *create_bool(const redisReadTask *t, int b)
{
	(void)b;
	return refuse(vet_of(t), STR("not RESP2"));
}

void redis_vet_watch(struct redis_vet *v, redisAsyncContext *ac, const uint32_t *pending)
{
	redisReader *reader = ac->c.reader;

	v->own = reader->fn;
	v->fn = (redisReplyObjectFunctions){
		.createString = create_string, .createArray = create_array, .createInteger = create_integer,
		.createDouble = create_double, .createNil = create_nil, .createBool = create_bool,
		.freeObject = v->own->freeObject,
	};
	v->ac = ac;
	v->pending = pending;
	v->why = STR_NONE;
	forget_all(v);
	reader->fn = &v->fn;
	reader->privdata = v;
}
