/*
 * dialect/status.c: see status.h. Invariant: the table is indexed by enum status and has no gaps.
 */
#include "dialect/status.h"

#include <assert.h>

static const struct str words[STATUS_COUNT] = {
	[STATUS_OFFLINE] = STR("offline"),
	[STATUS_ONLINE] = STR("online"),
	[STATUS_AWAY] = STR("away"),
	[STATUS_BUSY] = STR("busy"),
	[STATUS_DND] = STR("dnd"),
	[STATUS_INVISIBLE] = STR("invisible"),
};

struct str status_word(enum status status)
{
	assert(status < STATUS_COUNT);
	return words[status];
}

bool status_of_word(struct str word, enum status *out)
{
	assert(out != NULL);
	for (unsigned i = 0; i < STATUS_COUNT; i++) {
		if (!str_eq(word, words[i]))
			continue;
		*out = i == STATUS_OFFLINE ? STATUS_INVISIBLE : (enum status)i;
		return true;
	}
	return false;
}
