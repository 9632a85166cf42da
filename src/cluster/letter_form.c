/*
 * cluster/letter_form.c: see letter_form.h. Invariant: the keys of the forms that share an object differ.
 */
#include "cluster/letter_form.h"

#include <assert.h>

#include "base/limits.h"
#include "cluster/cluster.h"

#define COUNT(rows) ((uint32_t)(sizeof(rows) / sizeof((rows)[0])))
#define FORM(rows) { rows, COUNT(rows) }
#define ROW(type, key, KIND, need, member) \
	{ STR(key), FORM_##KIND, need, BULK_USERS_MAX, offsetof(type, member) }

#define HEAD(key, KIND, need, member) ROW(struct letter, key, KIND, need, member)
#define USER(key, KIND, need, member) ROW(struct peer_user, key, KIND, need, member)
#define PROFILE(key, KIND, need, member) ROW(struct peer_profile, key, KIND, need, member)
#define SAY(key, KIND, need, member) ROW(struct peer_message, key, KIND, need, member)
#define CAST(key, KIND, need, member) ROW(struct broadcast, key, KIND, need, member)

const struct str letter_form_types[LETTER_COUNT] = {
	[LETTER_HELLO] = STR("hello"),
	[LETTER_BEAT] = STR("beat"),
	[LETTER_BYE] = STR("bye"),
	[LETTER_GONE] = STR("gone"),
	[LETTER_USERS] = STR("users"),
	[LETTER_SYNC] = STR("sync"),
	[LETTER_STATE] = STR("state"),
	[LETTER_SAY] = STR("say"),
};

const struct str letter_form_message_types[PEER_MESSAGE_COUNT] = {
	[PEER_TYPING] = STR("typing"),
	[PEER_RECEIPT] = STR("receipt"),
	[PEER_BROADCAST] = STR("broadcast"),
	[PEER_CLOSE] = STR("close"),
	[PEER_KICK] = STR("kick"),
	[PEER_CALL_OFFER] = STR("offer"),
	[PEER_CALL_RANG] = STR("rang"),
	[PEER_CALL_ANSWER] = STR("answer"),
	[PEER_CALL_ANSWERED] = STR("answered"),
	[PEER_CALL_ICE] = STR("ice"),
	[PEER_CALL_ENDED] = STR("ended"),
};

static const struct form_row head_rows[] = {
	HEAD("n", NODE, true, node),
	HEAD("e", HEX, true, epoch),
	HEAD("s", SEQ, true, seq),
};
static const struct form_row gone_rows[] = {
	HEAD("g", NODE, true, gone),
	HEAD("ge", HEX, true, gone_epoch),
	HEAD("gs", SEQ, true, gone_seq),
};
static const struct form_row cursor_rows[] = { HEAD("c", CURSOR, true, cursor) };
static const struct form_row first_rows[] = { HEAD("f", FLAG, false, first) };

static const struct form_row user_rows[] = {
	USER("i", ID, true, user_id),
	USER("n", ID, false, username),
	USER("s", TIME, false, last_seen),
	USER("g", SPAN, false, left_ago_ms),
	{ STR("r"), FORM_IDS, false, PEER_ROOMS_MAX, offsetof(struct peer_user, rooms) },
};

static const struct form_row profile_rows[] = {
	PROFILE("v", HEX, true, version),
	PROFILE("o", OVERRIDE, false, override),
	PROFILE("d", MARK, false, mark),
	PROFILE("dv", HEX, false, mark_version),
	PROFILE("da", SPAN, false, marked_ago_ms),
	PROFILE("b", U32, false, override_by),
	PROFILE("c", CUSTOM, false, custom),
	PROFILE("e", TIME, false, custom_expires),
	PROFILE("m", METADATA, false, metadata),
};

static const struct form_row shown_rows[] = {
	PROFILE("sc", CUSTOM, false, shown_custom),
	PROFILE("se", TIME, false, shown_expires),
	PROFILE("sm", METADATA, false, shown_metadata),
	PROFILE("ss", TIME, false, shown_last_seen),
	PROFILE("h", SPAN, false, hidden_for_ms),
};

#define SAY_USER SAY("u", ID, true, user_id)
#define SAY_CALL SAY_USER, SAY("to", ID, true, target), SAY("c", ID, true, call_id)
#define SAY_KEY SAY("k", HEX, true, key)
#define SAY_BODY SAY("b", BODY, false, body)
#define SAY_DM SAY("dm", ROOM_KIND, false, kind)

static const struct form_row typing_rows[] = {
	SAY_USER,
	SAY("r", ID, false, room),
	SAY_DM,
	SAY("on", FLAG, false, is_typing),
	SAY("us", IDS, false, users),
};
static const struct form_row receipt_rows[] = {
	SAY_USER,
	SAY("r", ID, true, room),
	SAY_DM,
	SAY("on", FLAG, false, is_read),
	SAY("ms", IDS, true, messages),
	SAY("us", IDS, false, users),
	SAY("to", ID, false, target),
};
static const struct form_row close_rows[] = { SAY_USER, SAY_KEY };
static const struct form_row kick_rows[] = { SAY_USER, SAY("k", HEX, false, key) };
static const struct form_row offer_rows[] = { SAY_CALL, SAY("d", ID, true, device_id), SAY_BODY };
static const struct form_row rang_rows[] = { SAY_CALL, SAY("q", U32, false, count) };
static const struct form_row answer_rows[] = { SAY_CALL, SAY_KEY, SAY_BODY };
static const struct form_row answered_rows[] = { SAY_CALL, SAY_KEY };
static const struct form_row ice_rows[] = { SAY_CALL, SAY_BODY };
static const struct form_row ended_rows[] = { SAY_CALL, SAY("w", ID, true, text) };

static const struct form_row broadcast_rows[] = {
	CAST("all", FLAG, false, all),
	CAST("us", IDS, false, users),
	CAST("r", ID, false, room),
	CAST("tp", TOPICS, false, topic),
	CAST("x", IDS, false, exclude),
	CAST("ty", ID, false, type),
	CAST("b", BODY, true, data),
};

const struct form letter_form_head = FORM(head_rows);
const struct form letter_form_gone = FORM(gone_rows);
const struct form letter_form_cursor = FORM(cursor_rows);
const struct form letter_form_first = FORM(first_rows);
const struct form letter_form_user = FORM(user_rows);
const struct form letter_form_profile = FORM(profile_rows);
const struct form letter_form_shown = FORM(shown_rows);
const struct form letter_form_broadcast = FORM(broadcast_rows);

const struct form letter_form_messages[PEER_MESSAGE_COUNT] = {
	[PEER_TYPING] = FORM(typing_rows),
	[PEER_RECEIPT] = FORM(receipt_rows),
	[PEER_BROADCAST] = { NULL, 0 },      /* all of it is in letter_form_broadcast */
	[PEER_CLOSE] = FORM(close_rows),
	[PEER_KICK] = FORM(kick_rows),
	[PEER_CALL_OFFER] = FORM(offer_rows),
	[PEER_CALL_RANG] = FORM(rang_rows),
	[PEER_CALL_ANSWER] = FORM(answer_rows),
	[PEER_CALL_ANSWERED] = FORM(answered_rows),
	[PEER_CALL_ICE] = FORM(ice_rows),
	[PEER_CALL_ENDED] = FORM(ended_rows),
};

static bool is_node_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '_' || c == '-';
}

bool letter_is_node(struct str id)
{
	if (id.n == 0 || id.n > NODE_ID_BYTES_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!is_node_char(id.p[i]))
			return false;
	return true;
}
