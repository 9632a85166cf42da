/*
 * Contract in letter.h. Invariant: `tokens` counts what json_parse() will find: one for each container, key
 * and value. What stands behind the list of users always fits: letter_add_user() leaves TAIL_BYTES.
 */
#include "cluster/letter_form.h"

#include <assert.h>

#include "base/hex.h"
#include "dialect/dialect.h"
#include "dialect/status.h"

enum {
	TAIL_BYTES = sizeof("],\"c\":4294967295}") - 1,
	/* of the largest user: names, links, rooms, texts; all that can be escaped is */
	ID_WIRE = 2 * ID_BYTES_MAX + 3,
	CUSTOM_WIRE = 6 * CUSTOM_STATUS_BYTES_MAX + 8,
	METADATA_WIRE = 2 * METADATA_BYTES_MAX + 8,
	LINK_WIRE = ID_WIRE + sizeof("[255,false,\"0123456789abcdef\",-9007199254740992],"),
	USER_WIRE = (2 + PEER_ROOMS_MAX) * ID_WIRE + PEER_LINKS_MAX * LINK_WIRE +
		2 * (CUSTOM_WIRE + METADATA_WIRE) + 512,
	LINK_TOKENS = 6,
	USER_TOKENS = PEER_ROOMS_MAX + LINK_TOKENS * PEER_LINKS_MAX + 40,
};

static_assert(USER_WIRE + 256 < LETTER_BYTES_MAX && USER_TOKENS + 32 < JSON_TOKENS_MAX,
	"any user fits into a letter that has none");

static void write_hex(struct jsonw *w, uint64_t v)
{
	char digits[HEX_U64_BYTES];

	hex_put_u64(digits, v);
	jsonw_str(w, str_of(digits, sizeof(digits)));
}

static void write_integer(struct jsonw *w, int64_t v)
{
	assert(v >= -FORM_NUMBER_MAX && v <= FORM_NUMBER_MAX);
	jsonw_i64(w, v);
}

static uint32_t write_ids(struct jsonw *w, const struct strs *ids, uint32_t max)
{
	assert(ids->n <= max);
	jsonw_arr(w);
	for (uint32_t i = 0; i < ids->n; i++)
		jsonw_str(w, ids->v[i]);
	jsonw_end_arr(w);
	return 1 + ids->n;
}

/* Is there something to write? */
static bool is_set(const struct form_row *row, const void *at)
{
	switch (row->kind) {
	case FORM_IDS:       return ((const struct strs *)at)->n > 0;
	case FORM_FLAG:      return *(const bool *)at;
	case FORM_HEX:
	case FORM_SEQ:       return *(const uint64_t *)at != 0;
	case FORM_U32:
	case FORM_CURSOR:    return *(const uint32_t *)at != 0;
	case FORM_SPAN:      return *(const int64_t *)at != 0;
	case FORM_TIME:      return !wall_absent(*(const wall_t *)at);
	case FORM_MARK:
	case FORM_OVERRIDE:  return *(const enum status *)at != STATUS_OFFLINE;
	case FORM_ROOM_KIND: return *(const enum room_kind *)at != ROOM_UNNAMED;
	case FORM_TOPICS:    return *(const uint8_t *)at != 0;
	default:             return !str_absent(*(const struct str *)at);
	}
}

/* Tokens written. */
static uint32_t write_value(struct jsonw *w, const struct form_row *row, const void *at)
{
	switch (row->kind) {
	case FORM_IDS:      return write_ids(w, at, row->max);
	case FORM_FLAG:     jsonw_bool(w, *(const bool *)at); break;
	case FORM_HEX:      write_hex(w, *(const uint64_t *)at); break;
	case FORM_SEQ:
		assert(*(const uint64_t *)at <= FORM_NUMBER_MAX);
		jsonw_u64(w, *(const uint64_t *)at);
		break;
	case FORM_U32:      jsonw_u64(w, *(const uint32_t *)at); break;
	case FORM_SPAN:     write_integer(w, *(const int64_t *)at); break;
	case FORM_TIME:     write_integer(w, ((const wall_t *)at)->ms); break;
	case FORM_MARK:
	case FORM_OVERRIDE: jsonw_str(w, status_word(*(const enum status *)at)); break;
	case FORM_ROOM_KIND: jsonw_bool(w, *(const enum room_kind *)at == ROOM_DM); break;
	case FORM_TOPICS:   jsonw_u64(w, *(const uint8_t *)at); break;
	case FORM_CURSOR:
		if (*(const uint32_t *)at == UINT32_MAX)
			jsonw_null(w);
		else
			jsonw_u64(w, *(const uint32_t *)at);
		break;
	default:
		jsonw_str(w, *(const struct str *)at);
	}
	return 1;
}

/* Into an open object; tokens written. */
static uint32_t write_form(struct jsonw *w, const struct form *f, const void *from)
{
	uint32_t tokens = 0;

	for (uint32_t i = 0; i < f->n; i++) {
		const struct form_row *row = &f->rows[i];
		const void *at = (const char *)from + row->offset;

		if (!row->need && !is_set(row, at))
			continue;
		jsonw_key(w, row->key);
		tokens += 1 + write_value(w, row, at);
	}
	return tokens;
}

static uint32_t write_link(struct jsonw *w, const struct peer_link *l)
{
	assert(l->dialect < DIALECT_COUNT);
	jsonw_arr(w);
	jsonw_str(w, l->device_id);
	jsonw_u64(w, l->dialect);
	jsonw_bool(w, l->away);
	if (l->key != 0) {
		write_hex(w, l->key);
		write_integer(w, l->connected_at.ms);
	}
	jsonw_end_arr(w);
	return l->key != 0 ? LINK_TOKENS : LINK_TOKENS - 2;
}

static uint32_t write_links(struct jsonw *w, const struct peer_user *u)
{
	uint32_t tokens = 2;

	assert(u->link_count <= PEER_LINKS_MAX);
	if (u->link_count == 0)
		return 0;
	jsonw_key(w, STR("l"));
	jsonw_arr(w);
	for (uint32_t i = 0; i < u->link_count; i++)
		tokens += write_link(w, &u->links[i]);
	jsonw_end_arr(w);
	return tokens;
}

static uint32_t write_profile(struct jsonw *w, const struct peer_profile *p)
{
	uint32_t tokens = 2;

	if (p->version == 0)
		return 0;
	jsonw_key(w, STR("p"));
	jsonw_obj(w);
	tokens += write_form(w, &letter_form_profile, p);
	if (p->override == STATUS_INVISIBLE)
		tokens += write_form(w, &letter_form_shown, p);
	jsonw_end_obj(w);
	return tokens;
}

static uint32_t write_user(struct jsonw *w, const struct peer_user *u)
{
	uint32_t tokens = 1;

	jsonw_obj(w);
	tokens += write_form(w, &letter_form_user, u);
	tokens += write_links(w, u);
	tokens += write_profile(w, &u->profile);
	jsonw_end_obj(w);
	return tokens;
}

static uint32_t write_broadcast(struct jsonw *w, const struct broadcast *b)
{
	uint32_t tokens = write_form(w, &letter_form_broadcast, b);

	/* to nobody, but not to everybody either */
	if (b->users_given && b->users.n == 0) {
		jsonw_key(w, STR("us"));
		tokens += 1 + write_ids(w, &b->users, BULK_USERS_MAX);
	}
	return tokens;
}

static uint32_t write_message(struct jsonw *w, const struct peer_message *m)
{
	uint32_t tokens = 4;

	assert(m->type < PEER_MESSAGE_COUNT);
	jsonw_key(w, STR("m"));
	jsonw_obj(w);
	jsonw_key(w, STR("t"));
	jsonw_str(w, letter_form_message_types[m->type]);
	tokens += write_form(w, &letter_form_messages[m->type], m);
	if (m->type == PEER_BROADCAST)
		tokens += write_broadcast(w, m->broadcast);
	jsonw_end_obj(w);
	return tokens;
}

static bool has_users(const struct letter_writer *lw)
{
	return lw->type == LETTER_USERS || lw->type == LETTER_STATE;
}

void letter_open(struct letter_writer *lw, struct jsonw *w, const struct letter *head)
{
	assert(w->more == NULL && w->depth == 0 && jsonw_bytes(w) == 0);
	assert(head->type < LETTER_COUNT && letter_is_node(head->node));
	*lw = (struct letter_writer){ .w = w, .type = head->type, .tokens = 3 };
	jsonw_obj(w);
	jsonw_key(w, STR("t"));
	jsonw_str(w, letter_form_types[head->type]);
	lw->tokens += write_form(w, &letter_form_head, head);
	if (head->type == LETTER_GONE)
		lw->tokens += write_form(w, &letter_form_gone, head);
	if (head->type == LETTER_SYNC)
		lw->tokens += write_form(w, &letter_form_cursor, head);
	if (head->type == LETTER_SAY)
		lw->tokens += write_message(w, &head->message);
	if (head->type == LETTER_STATE)
		lw->tokens += 2 + write_form(w, &letter_form_first, head);
	if (has_users(lw)) {
		jsonw_key(w, STR("u"));
		jsonw_arr(w);
		lw->tokens += 2;
	}
}

bool letter_add_user(struct letter_writer *lw, const struct peer_user *u)
{
	struct jsonw before = *lw->w;
	uint32_t tokens = lw->tokens;

	assert(has_users(lw) && lw->w->depth == 2);
	tokens += write_user(lw->w, u);
	if (lw->w->failed || (size_t)(lw->w->end - lw->w->p) < TAIL_BYTES ||
	    jsonw_bytes(lw->w) + TAIL_BYTES > LETTER_BYTES_MAX || tokens > JSON_TOKENS_MAX) {
		*lw->w = before;
		return false;
	}
	lw->tokens = tokens;
	lw->users++;
	return true;
}

bool letter_full(const struct letter_writer *lw)
{
	assert(has_users(lw));
	return jsonw_bytes(lw->w) >= LETTER_FILL_BYTES || lw->tokens >= LETTER_FILL_TOKENS;
}

bool letter_close(struct letter_writer *lw, uint32_t cursor)
{
	struct letter tail = { .cursor = cursor };

	if (has_users(lw))
		jsonw_end_arr(lw->w);
	if (lw->type == LETTER_STATE)
		write_form(lw->w, &letter_form_cursor, &tail); /* letter_open() counted it */
	jsonw_end_obj(lw->w);
	assert(lw->w->depth == 0);
	return !lw->w->failed && jsonw_bytes(lw->w) <= LETTER_BYTES_MAX && lw->tokens <= JSON_TOKENS_MAX;
}
