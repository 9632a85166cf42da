/*
 * Contract in letter.h. Invariants: letter_read() reads every user once, to check it, and letter_next_user()
 * reads them again, so that one user's room is enough for all; what has been read once can only succeed.
 * Every element of a list costs a token, so `strs`, which begins anew with each user, cannot run out.
 */
#include "cluster/letter_form.h"

#include <assert.h>

#include "base/hex.h"
#include "dialect/dialect.h"
#include "dialect/status.h"

struct letter_reader {
	struct json json;
	struct json inner;       /* of a text that is JSON itself */
	json_ref user;           /* the next one; JSON_ABSENT: none */
	bool checked;            /* this is not the first time: texts were parsed */
	uint32_t strs_used;
	struct broadcast broadcast;
	struct peer_link links[PEER_LINKS_MAX];
	struct str strs[JSON_TOKENS_MAX];
	struct json_tok tokens[JSON_TOKENS_MAX];
	struct json_tok inner_tokens[JSON_TOKENS_MAX];
};

struct letter_reader *letter_reader_new(struct region *r, uint64_t key)
{
	struct letter_reader *lr = region_take(r, sizeof(*lr), _Alignof(struct letter_reader));

	if (lr == NULL)
		return NULL;
	json_init(&lr->json, lr->tokens, JSON_TOKENS_MAX);
	json_init(&lr->inner, lr->inner_tokens, JSON_TOKENS_MAX);
	lr->json.seed = lr->inner.seed = key;
	lr->user = JSON_ABSENT;
	return lr;
}

/* --- values --- */

static bool read_integer(struct letter_reader *lr, json_ref v, int64_t min, int64_t max, int64_t *out)
{
	int64_t n;

	if (!json_i64(&lr->json, v, &n) || n < min || n > max)
		return false;
	*out = n;
	return true;
}

static bool read_id(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	(void)row;
	return json_str_id(&lr->json, v, out);
}

static bool read_node(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	(void)row;
	return json_str(&lr->json, v, out) && letter_is_node(*(struct str *)out);
}

static bool read_ids(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	struct strs *ids = out;

	if (json_type(&lr->json, v) != JSON_ARRAY || json_count(&lr->json, v) > row->max)
		return false;
	*ids = (struct strs){ &lr->strs[lr->strs_used], 0 };
	for (json_ref e = json_first(&lr->json, v); e != JSON_ABSENT; e = json_next(&lr->json, e)) {
		assert(lr->strs_used < JSON_TOKENS_MAX);
		if (!json_str_id(&lr->json, e, &lr->strs[lr->strs_used]))
			return false;
		lr->strs_used++;
		ids->n++;
	}
	return ids->n > 0 || !row->need;
}

static bool read_flag(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	(void)row;
	return json_bool(&lr->json, v, out);
}

static bool read_hex(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	struct str digits;

	(void)row;
	return json_str(&lr->json, v, &digits) && hex_get_u64(digits, out);
}

static bool read_u32(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	int64_t n;

	(void)row;
	if (!read_integer(lr, v, 0, UINT32_MAX, &n))
		return false;
	*(uint32_t *)out = (uint32_t)n;
	return true;
}

static bool read_cursor(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	if (json_type(&lr->json, v) == JSON_NULL) {
		*(uint32_t *)out = UINT32_MAX;
		return true;
	}
	return read_u32(lr, v, row, out) && *(uint32_t *)out != UINT32_MAX;
}

static bool read_seq(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	int64_t n;

	(void)row;
	if (!read_integer(lr, v, 0, FORM_NUMBER_MAX, &n))
		return false;
	*(uint64_t *)out = (uint64_t)n;
	return true;
}

static bool read_span(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	(void)row;
	return read_integer(lr, v, 0, FORM_NUMBER_MAX, out);
}

static bool read_time(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	(void)row;
	return read_integer(lr, v, -FORM_NUMBER_MAX, FORM_NUMBER_MAX, &((wall_t *)out)->ms);
}

static bool read_custom(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	(void)row;
	return json_str(&lr->json, v, out) && ((struct str *)out)->n <= CUSTOM_STATUS_BYTES_MAX;
}

/* A string that holds JSON and nothing else, no blanks around it either. The outer parse saw to its UTF-8. */
static bool read_body(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	struct str *text = out;
	char *at;

	(void)row;
	if (!json_str(&lr->json, v, text))
		return false;
	if (lr->checked)
		return true;
	at = lr->json.text + (text->p - lr->json.text);
	return json_parse_utf8(&lr->inner, at, text->n) == JSON_OK &&
	       json_raw(&lr->inner, json_root(&lr->inner)).n == text->n;
}

static bool read_metadata(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	return read_body(lr, v, row, out) && ((struct str *)out)->n <= METADATA_BYTES_MAX &&
	       ((struct str *)out)->p[0] == '{';
}

/* A word of a status, as it is written. */
static bool read_status(struct letter_reader *lr, json_ref v, enum status *out)
{
	struct str word;

	return json_str(&lr->json, v, &word) && status_of_word(word, out) && str_eq(word, status_word(*out));
}

/* Those that a user sets over all devices. */
static bool read_override(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	enum status is;

	(void)row;
	if (!read_status(lr, v, &is))
		return false;
	*(enum status *)out = is;
	return is == STATUS_BUSY || is == STATUS_DND || is == STATUS_INVISIBLE;
}

/* Those of a device. */
static bool read_mark(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	enum status is;

	(void)row;
	if (!read_status(lr, v, &is))
		return false;
	*(enum status *)out = is;
	return is == STATUS_ONLINE || is == STATUS_AWAY;
}

static bool read_room_kind(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	bool is_dm;

	(void)row;
	if (!json_bool(&lr->json, v, &is_dm))
		return false;
	*(enum room_kind *)out = is_dm ? ROOM_DM : ROOM_CHANNEL;
	return true;
}

static bool read_topics(struct letter_reader *lr, json_ref v, const struct form_row *row, void *out)
{
	int64_t bits;

	(void)row;
	if (!read_integer(lr, v, 1, TOPIC_ROSTER - 1, &bits))
		return false;
	*(uint8_t *)out = (uint8_t)bits;
	return true;
}

static bool (*const readers[FORM_KINDS])(struct letter_reader *, json_ref, const struct form_row *,
					 void *) = {
	[FORM_ID] = read_id,
	[FORM_NODE] = read_node,
	[FORM_IDS] = read_ids,
	[FORM_FLAG] = read_flag,
	[FORM_HEX] = read_hex,
	[FORM_U32] = read_u32,
	[FORM_CURSOR] = read_cursor,
	[FORM_SEQ] = read_seq,
	[FORM_SPAN] = read_span,
	[FORM_TIME] = read_time,
	[FORM_CUSTOM] = read_custom,
	[FORM_METADATA] = read_metadata,
	[FORM_BODY] = read_body,
	[FORM_OVERRIDE] = read_override,
	[FORM_MARK] = read_mark,
	[FORM_ROOM_KIND] = read_room_kind,
	[FORM_TOPICS] = read_topics,
};

/* --- objects --- */

static bool read_form(struct letter_reader *lr, json_ref obj, const struct form *f, void *out)
{
	for (uint32_t i = 0; i < f->n; i++) {
		const struct form_row *row = &f->rows[i];
		json_ref v = json_get(&lr->json, obj, row->key);

		assert(row->kind < FORM_KINDS);
		if (v == JSON_ABSENT ? row->need : !readers[row->kind](lr, v, row, (char *)out + row->offset))
			return false;
	}
	return true;
}

/* Which of the words is it? `n`: none of them. */
static uint32_t read_word(struct letter_reader *lr, json_ref v, const struct str *words, uint32_t n)
{
	struct str word;
	uint32_t i = 0;

	if (!json_str(&lr->json, v, &word))
		return n;
	while (i < n && !str_eq(word, words[i]))
		i++;
	return i;
}

static bool read_link(struct letter_reader *lr, json_ref v, struct peer_link *out)
{
	json_ref device = json_first(&lr->json, v);
	json_ref dialect = json_next(&lr->json, device);
	json_ref away = json_next(&lr->json, dialect);
	json_ref key = json_next(&lr->json, away);
	json_ref at = json_next(&lr->json, key);
	int64_t number;

	*out = (struct peer_link){ .connected_at = WALL_NONE };
	if (json_type(&lr->json, v) != JSON_ARRAY || !json_str_id(&lr->json, device, &out->device_id) ||
	    !read_integer(lr, dialect, 0, DIALECT_COUNT - 1, &number) ||
	    !json_bool(&lr->json, away, &out->away))
		return false;
	out->dialect = (uint8_t)number;
	return key == JSON_ABSENT || (read_hex(lr, key, NULL, &out->key) && out->key != 0 &&
				      read_time(lr, at, NULL, &out->connected_at));
}

static bool read_links(struct letter_reader *lr, json_ref v, struct peer_user *out)
{
	if (v == JSON_ABSENT)
		return true;
	if (json_type(&lr->json, v) != JSON_ARRAY || json_count(&lr->json, v) > PEER_LINKS_MAX)
		return false;
	for (json_ref e = json_first(&lr->json, v); e != JSON_ABSENT; e = json_next(&lr->json, e))
		if (!read_link(lr, e, &lr->links[out->link_count++]))
			return false;
	return true;
}

static bool read_profile(struct letter_reader *lr, json_ref v, struct peer_profile *out)
{
	if (v == JSON_ABSENT)
		return true;
	return json_type(&lr->json, v) == JSON_OBJECT && read_form(lr, v, &letter_form_profile, out) &&
	       out->version != 0 && out->mark_version <= out->version &&
	       (out->mark_version == 0) == (out->mark == STATUS_OFFLINE) &&
	       (out->override != STATUS_INVISIBLE || read_form(lr, v, &letter_form_shown, out));
}

static bool read_user(struct letter_reader *lr, json_ref v, struct peer_user *out)
{
	lr->strs_used = 0;
	*out = (struct peer_user){ .last_seen = WALL_NONE, .links = lr->links };
	out->profile.custom_expires = out->profile.shown_expires = out->profile.shown_last_seen = WALL_NONE;
	return json_type(&lr->json, v) == JSON_OBJECT && read_form(lr, v, &letter_form_user, out) &&
	       read_links(lr, json_get(&lr->json, v, STR("l")), out) &&
	       read_profile(lr, json_get(&lr->json, v, STR("p")), &out->profile);
}

static bool read_broadcast(struct letter_reader *lr, json_ref v, struct broadcast *out)
{
	int ways;

	*out = (struct broadcast){ 0 };
	if (!read_form(lr, v, &letter_form_broadcast, out))
		return false;
	out->users_given = json_get(&lr->json, v, STR("us")) != JSON_ABSENT;
	ways = (int)out->all + (int)out->users_given + (int)!str_absent(out->room) + (int)(out->topic != 0);
	return ways > 0 && (str_absent(out->type) || !dialect_owns_type(out->type));
}

static bool read_message(struct letter_reader *lr, json_ref v, struct peer_message *out)
{
	uint32_t type = read_word(lr, json_get(&lr->json, v, STR("t")), letter_form_message_types,
	                          PEER_MESSAGE_COUNT);

	if (type == PEER_MESSAGE_COUNT)
		return false;
	lr->strs_used = 0;
	out->type = (enum peer_message_type)type;
	if (out->type == PEER_BROADCAST) {
		out->broadcast = &lr->broadcast;
		return read_broadcast(lr, v, &lr->broadcast);
	}
	return read_form(lr, v, &letter_form_messages[type], out) &&
	       (out->type != PEER_TYPING || !str_absent(out->room) || out->users.n > 0);
}

/* --- letters --- */

static bool check_users(struct letter_reader *lr, json_ref list)
{
	struct peer_user unused;

	if (json_type(&lr->json, list) != JSON_ARRAY)
		return false;
	for (json_ref e = json_first(&lr->json, list); e != JSON_ABSENT; e = json_next(&lr->json, e))
		if (!read_user(lr, e, &unused))
			return false;
	return true;
}

static bool read_letter(struct letter_reader *lr, struct letter *out)
{
	json_ref root = json_root(&lr->json);
	uint32_t type = read_word(lr, json_get(&lr->json, root, STR("t")), letter_form_types, LETTER_COUNT);
	json_ref users = json_get(&lr->json, root, STR("u"));

	if (type == LETTER_COUNT || !read_form(lr, root, &letter_form_head, out))
		return false;
	out->type = (enum letter_type)type;
	switch (out->type) {
	case LETTER_GONE:  return read_form(lr, root, &letter_form_gone, out);
	case LETTER_USERS: return check_users(lr, users);
	case LETTER_SYNC:  return read_form(lr, root, &letter_form_cursor, out);
	case LETTER_SAY:   return read_message(lr, json_get(&lr->json, root, STR("m")), &out->message);
	case LETTER_STATE:
		return read_form(lr, root, &letter_form_cursor, out) &&
		       read_form(lr, root, &letter_form_first, out) && check_users(lr, users);
	default:           return true;
	}
}

enum letter_result letter_read(struct letter_reader *lr, char *bytes, size_t n, struct letter *out)
{
	struct letter letter = { 0 };

	lr->user = JSON_ABSENT;
	lr->checked = false;
	if (n > LETTER_BYTES_MAX || json_parse(&lr->json, bytes, n) != JSON_OK)
		return LETTER_BAD_JSON;
	if (!read_letter(lr, &letter))
		return LETTER_BAD;
	lr->checked = true;
	if (letter.type == LETTER_USERS || letter.type == LETTER_STATE)
		lr->user = json_first(&lr->json, json_get(&lr->json, json_root(&lr->json), STR("u")));
	*out = letter;
	return LETTER_OK;
}

bool letter_next_user(struct letter_reader *lr, struct peer_user *out)
{
	bool read;

	if (lr->user == JSON_ABSENT)
		return false;
	read = read_user(lr, lr->user, out);
	assert(lr->checked && read); /* it did once */
	lr->user = json_next(&lr->json, lr->user);
	return true;
}
