/*
 * What Redis says, as cluster/redis_link lets hiredis 1.2.0 have it: guard, reader, vet, callbacks. Whatever it
 * is, hiredis asserts nothing. The first byte says what was asked before: commands in its low two bits, then
 * two channels subscribed to, and one of them unsubscribed from.
 */
#include <async.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/redis_vet.h"
#include "cluster/resp_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANNELS = 2, TABLE_BYTES = 65536 };

static struct peer {
	const char *bytes;
	size_t n, step;
	uint32_t pending;
	redisAsyncContext *ac;  /* NULL: hiredis freed it */
	struct resp_guard guard;
	struct redis_vet vet;
	_Alignas(64) char table[TABLE_BYTES];
} peer;

static ssize_t give(redisContext *c, char *out, size_t cap)
{
	size_t n = peer.n < peer.step ? peer.n : peer.step;

	n = n < cap ? n : cap;
	memcpy(out, peer.bytes, n);
	peer.bytes += n;
	peer.n -= n;
	if (resp_guard_feed(&peer.guard, out, n))
		return (ssize_t)n;
	c->err = REDIS_ERR_PROTOCOL;
	return -1;
}

static ssize_t take(redisContext *c)
{
	return (ssize_t)strlen(c->obuf);
}

static void end(redisContext *c)
{
	(void)c;
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	(void)ac;
	(void)status;
	peer.ac = NULL;
}

static void on_answer(redisAsyncContext *ac, void *reply, void *data)
{
	(void)ac;
	(void)reply;
	(void)data;
	peer.pending--;
}

/* As redis_link.c does it. */
static void on_message(redisAsyncContext *ac, void *reply, void *data)
{
	const redisReply *r = reply;
	struct str kind, channel;

	(void)ac;
	(void)data;
	if (r == NULL || r->type != REDIS_REPLY_ARRAY)
		return;
	kind = str_of(r->element[0]->str, r->element[0]->len);
	channel = str_of(r->element[1]->str, r->element[1]->len);
	if (str_eq(kind, STR("subscribe")))
		redis_vet_subscribed(&peer.vet, channel);
	else if (str_eq(kind, STR("unsubscribe")))
		redis_vet_unsubscribed(&peer.vet, channel);
	else if (r->element[2]->type != REDIS_REPLY_STRING)
		abort();
}

static void say(redisCallbackFn *fn, const char *command, const char *argument)
{
	const char *argv[] = { command, argument };
	const size_t bytes[] = { strlen(command), strlen(argument) };

	if (redisAsyncCommandArgv(peer.ac, fn, NULL, 2, argv, bytes) != REDIS_OK)
		abort();
}

static void begin(uint8_t how)
{
	static const redisContextFuncs funcs = { end, NULL, redisAsyncRead, redisAsyncWrite, give, take };
	static const char *const channels[CHANNELS] = { "c", "d" };
	redisOptions o = { .type = REDIS_CONN_USERFD, .endpoint.fd = REDIS_INVALID_FD };
	struct region r;

	peer.ac = redisAsyncConnectWithOptions(&o);
	peer.ac->c.funcs = &funcs;
	peer.ac->c.flags |= REDIS_CONNECTED;
	peer.ac->c.reader->maxelements = RESP_ELEMENTS_MAX;
	redisAsyncSetDisconnectCallback(peer.ac, on_disconnect);
	resp_guard_init(&peer.guard);
	memset(peer.table, 0, sizeof(peer.table));
	region_init(&r, peer.table, sizeof(peer.table));
	redis_vet_init(&peer.vet, &r, 8, (struct siphash_key){ 0 });
	/* what an earlier connection had asked for is forgotten */
	if (!redis_vet_subscribe(&peer.vet, STR("d")) || redis_vet_subscribe(&peer.vet, STR("")))
		abort();
	redis_vet_watch(&peer.vet, peer.ac, &peer.pending);
	if (redis_vet_knows(&peer.vet, STR("d")))
		abort();
	for (peer.pending = 0; peer.pending < (how & 3u); peer.pending++)
		say(on_answer, "GET", "x");
	for (int i = 0; i < CHANNELS; i++)
		if ((how >> (2 + i) & 1) != 0) {
			redis_vet_subscribe(&peer.vet, str_of(channels[i], 1));
			say(on_message, "SUBSCRIBE", channels[i]);
		}
	if ((how >> 4 & 1) != 0 && redis_vet_knows(&peer.vet, STR("c")))
		say(NULL, "UNSUBSCRIBE", "c");
	peer.step = (how >> 5) == 0 ? SIZE_MAX : how >> 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct region r;

	if (size == 0)
		return 0;
	begin(data[0]);
	peer.bytes = (const char *)data + 1;
	peer.n = size - 1;
	while (peer.ac != NULL && peer.n > 0)
		redisAsyncHandleRead(peer.ac);
	if (peer.ac != NULL)
		redisAsyncFree(peer.ac);
	region_init(&r, peer.table, sizeof(peer.table));
	r.used = sizeof(peer.table);
	region_end(&r);
	return 0;
}
