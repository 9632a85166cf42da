/*
 * Invariants: no pattern is empty, and each is followed by its NUL, so a walk always ends with the string.
 * A `*` is special only as the last byte; alone it opens every room.
 */
#include "server/grant.h"

static bool append(char out[GRANT_BYTES_MAX], size_t *n, struct str pattern)
{
	if (pattern.n == 0 || pattern.n > GRANT_BYTES_MAX - *n - 1 ||
	    memchr(pattern.p, '\0', pattern.n) != NULL)
		return false;
	memcpy(out + *n, pattern.p, pattern.n);
	*n += pattern.n;
	out[(*n)++] = '\0';
	return true;
}

enum grant_result grant_read(struct json *claims, char out[GRANT_BYTES_MAX], size_t *n)
{
	json_ref rooms = json_get(claims, json_root(claims), STR("rooms"));
	struct str pattern;

	*n = 0;
	if (rooms == JSON_ABSENT)
		return GRANT_ALL;
	if (json_type(claims, rooms) != JSON_ARRAY)
		return GRANT_BAD;
	for (json_ref e = json_first(claims, rooms); e != JSON_ABSENT; e = json_next(claims, e))
		if (!json_str(claims, e, &pattern) || !append(out, n, pattern))
			return GRANT_BAD;
	return GRANT_SOME;
}

bool grant_covers(struct str patterns, struct str room)
{
	while (patterns.n > 0) {
		const char *end = memchr(patterns.p, '\0', patterns.n);
		struct str one = str_of(patterns.p, (size_t)(end - patterns.p));

		if (str_eq(one, room))
			return true;
		if (one.p[one.n - 1] == '*' && str_has_prefix(room, str_of(one.p, one.n - 1)))
			return true;
		patterns = str_of(end + 1, patterns.n - one.n - 1);
	}
	return false;
}

bool grant_allows(struct str patterns, const struct command *cmd)
{
	switch (cmd->type) {
	case CMD_SUBSCRIBE:
		for (uint32_t i = 0; i < cmd->subscription.rooms.n; i++)
			if (!grant_covers(patterns, cmd->subscription.rooms.v[i]))
				return false;
		return true;
	case CMD_TYPING:
		return grant_covers(patterns, cmd->typing.room);
	case CMD_RECEIPT:
		return grant_covers(patterns, cmd->receipt.room);
	case CMD_PING:
	case CMD_HEARTBEAT:
	case CMD_AUTHENTICATE:
	case CMD_LEAVE:
	case CMD_PRESENCE:
	case CMD_QUERY:
	case CMD_UNSUBSCRIBE:
	case CMD_CALL_OFFER:
	case CMD_CALL_ANSWER:
	case CMD_CALL_ICE:
	case CMD_CALL_HANGUP:
	case CMD_COUNT:
		break;
	}
	return true;
}
