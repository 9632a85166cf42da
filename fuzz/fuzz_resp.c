/*
 * cluster/resp_guard in front of hiredis' reader: what the guard lets through hiredis takes without an error
 * and without nesting or allocating beyond the bounds; cut in two it is judged the same.
 */
#include <hiredis.h>
#include <stdint.h>
#include <stdlib.h>

#include "cluster/resp_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resp_guard whole, cut;
	const char *bytes = (const char *)data;
	size_t at = size > 0 ? data[0] % size : 0;
	redisReader *reader = redisReaderCreate();
	uint64_t replies = 0;
	void *reply;

	resp_guard_init(&whole);
	resp_guard_init(&cut);
	resp_guard_feed(&whole, bytes, size);
	resp_guard_feed(&cut, bytes, at);
	resp_guard_feed(&cut, bytes + at, size - at);
	check(whole.state == cut.state && whole.replies == cut.replies && whole.depth == cut.depth);
	check(whole.depth <= RESP_DEPTH_MAX && whole.reply_bytes <= RESP_REPLY_BYTES_MAX + 1);
	check(str_eq(whole.why, cut.why));
	if (whole.state != RESP_GUARD_FAULT) {
		reader->maxelements = RESP_ELEMENTS_MAX;
		check(redisReaderFeed(reader, bytes, size) == REDIS_OK);
		do {
			check(redisReaderGetReply(reader, &reply) == REDIS_OK);
			replies += reply != NULL;
			freeReplyObject(reply);
		} while (reply != NULL);
		check(replies == whole.replies);
	}
	redisReaderFree(reader);
	return 0;
}
