/*
 * fuzz/fuzz_dialect.c: any bytes as a client's message, in each dialect. What is refused says 400 and why;
 * what is taken keeps the promises of command.h; and every event that could come of it is JSON again in
 * every dialect that has words for it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "dialect/dialect.h"

#define CHECK(what) ((what) ? (void)0 : abort())

enum { TEXT_MAX = 4096, OUT_MAX = 1 << 20 };

static struct json_tok toks[JSON_TOKENS_MAX];
static struct decode_scratch scratch;
static char out[OUT_MAX];

static void check_strs(struct strs list)
{
	CHECK(list.n <= BULK_USERS_MAX && (list.n == 0 || list.v != NULL));
	for (uint32_t i = 0; i < list.n; i++)
		CHECK(utf8_is_id(list.v[i]));
}

static void check_patch(const struct presence_patch *p)
{
	CHECK(p->has_status && p->status != STATUS_OFFLINE && p->status < STATUS_COUNT);
	CHECK((p->custom_patch == PATCH_SET) == !str_absent(p->custom));
	CHECK((p->metadata_patch == PATCH_SET) == !str_absent(p->metadata));
	CHECK(p->custom.n <= CUSTOM_STATUS_BYTES_MAX && utf8_valid(p->custom));
	CHECK(p->metadata.n <= METADATA_BYTES_MAX && (str_absent(p->metadata) || p->metadata.p[0] == '{'));
}

static void check_call(const struct command *c)
{
	CHECK(utf8_is_id(c->call.id));
	CHECK((c->type == CMD_CALL_OFFER) == !str_absent(c->call.target));
	CHECK((c->type == CMD_CALL_HANGUP) == str_absent(c->call.body));
	CHECK(str_absent(c->call.target) || utf8_is_id(c->call.target));
}

static void check_subscription(const struct command *c)
{
	CHECK(c->subscription.topics != 0);
	CHECK((c->subscription.topics & (TOPIC_ROSTER | TOPIC_ROOM_PRESENCE)) == 0);
	CHECK((c->subscription.topics & TOPIC_OF_ROOM) == 0 || c->subscription.rooms.n > 0);
	CHECK(c->subscription.users.n == 0 || c->subscription.users_given);
	check_strs(c->subscription.rooms);
	check_strs(c->subscription.users);
}

/* What the engine relies on. */
static void check_command(const struct command *c)
{
	CHECK(c->type < CMD_COUNT && c->reply_to.n <= REQUEST_ID_BYTES_MAX);
	if (c->type == CMD_PRESENCE)
		check_patch(&c->presence);
	if (c->type == CMD_QUERY)
		check_strs(c->query);
	if (c->type == CMD_SUBSCRIBE || c->type == CMD_UNSUBSCRIBE)
		check_subscription(c);
	if (c->type == CMD_TYPING) {
		CHECK(utf8_is_id(c->typing.room));
		CHECK(c->typing.recipients.n == 0 || c->typing.recipients_given);
		check_strs(c->typing.recipients);
	}
	if (c->type == CMD_RECEIPT) {
		CHECK(utf8_is_id(c->receipt.room) && c->receipt.messages.n > 0);
		check_strs(c->receipt.messages);
	}
	if (c->type >= CMD_CALL_OFFER)
		check_call(c);
	if (c->type == CMD_AUTHENTICATE)
		CHECK(c->token.n > 0 && utf8_valid(c->token));
}

static bool one_user(struct presence_list *l, struct presence_view *view)
{
	if (l->position++ > 0) {
		l->position = 0;
		return false;
	}
	*view = *(const struct presence_view *)l->ctx;
	return true;
}

/* An event with every field that the command has something for. */
static struct event event_of(const struct command *c, struct presence_list *list)
{
	struct event e = { .command = c->type, .reply_to = c->reply_to, .at = { 1768392000123 }, .list = list };

	e.user = (struct presence_view){ .user_id = STR("u"), .username = STR("n"), .last_seen = WALL_NONE };
	if (c->type == CMD_PRESENCE) {
		e.user.status = c->presence.status;
		e.user.custom = c->presence.custom;
		e.user.metadata = c->presence.metadata;
		e.text = c->presence.custom;
		e.body = c->presence.metadata;
	} else if (c->type == CMD_SUBSCRIBE || c->type == CMD_UNSUBSCRIBE) {
		e.topics = c->subscription.topics;
		e.rooms = c->subscription.rooms;
		e.rooms_listed = c->subscription.rooms_listed;
		e.users = c->subscription.users;
		e.users_given = c->subscription.users_given;
		e.kind = c->subscription.kind;
	} else if (c->type == CMD_TYPING) {
		e.room = e.user.username = c->typing.room;
		e.kind = c->typing.kind;
		e.is_typing = c->typing.is_typing;
	} else if (c->type == CMD_RECEIPT) {
		e.room = e.user.user_id = c->receipt.room;
		e.messages = c->receipt.messages;
		e.is_read = c->receipt.is_read;
	} else if (c->type >= CMD_CALL_OFFER) {
		e.call_id = e.device_id = e.id = c->call.id;
		e.body = c->call.body;
	}
	return e;
}

/* Deeper than our own reader goes is still JSON: metadata of the greatest depth moves down a level or two. */
static bool is_json(size_t n)
{
	struct json j;
	enum json_err err;

	json_init(&j, toks, JSON_TOKENS_MAX);
	err = json_parse(&j, out, n);
	return err == JSON_OK || err == JSON_ERR_DEPTH || err == JSON_ERR_TOKENS;
}

/* A type that a client may send, or is sent, is the dialect's own. */
static void check_type(struct json *j, bool taken)
{
	struct str type;

	if (json_str(j, json_get(j, json_root(j), STR("type")), &type))
		CHECK(dialect_owns_type(type) || !taken);
}

static void check_events(const struct command *c, enum presence_change change)
{
	for (unsigned n = 0; n < (unsigned)EV_COUNT * DIALECT_ECHO; n++) {
		struct presence_view view;
		struct presence_list list = { one_user, &view, 0 };
		struct event e = event_of(c, &list);
		struct jsonw w;

		view = e.user;
		e.type = (enum event_type)(n / DIALECT_ECHO);
		e.change = change;
		e.status_changed = c->type != CMD_PRESENCE || c->presence.custom_patch != PATCH_SET;
		jsonw_init(&w, out, sizeof(out));
		if (!dialect_at((enum dialect_id)(n % DIALECT_ECHO))->encode(&e, &w))
			continue;
		CHECK(!w.failed && w.depth == 0 && is_json(jsonw_bytes(&w)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > TEXT_MAX)
		return 0;
	for (unsigned d = 0; d < DIALECT_ECHO; d++) {
		/* of the exact size, so that the sanitizer sees one byte too many */
		char *text = malloc(size + (size == 0));
		struct command c;
		struct decode_error err = { 0, STR_NONE };
		struct json j;

		CHECK(text != NULL);
		memcpy(text, data, size);
		json_init(&j, toks, JSON_TOKENS_MAX);
		if (json_parse(&j, text, size) != JSON_OK) {
			free(text);
			return 0;
		}
		if (dialect_at((enum dialect_id)d)->decode(&j, &scratch, &c, &err)) {
			check_command(&c);
			check_type(&j, true);
			check_events(&c, CHANGE_ONLINE);
			if (c.type == CMD_PRESENCE) {
				check_events(&c, CHANGE_UPDATED);
				check_events(&c, CHANGE_OFFLINE);
			}
		} else {
			CHECK(err.code == 400 && err.text.n > 0 && utf8_valid(err.text));
			CHECK(c.type <= CMD_COUNT);
			check_type(&j, false);
			CHECK(c.reply_to.n <= REQUEST_ID_BYTES_MAX);
		}
		free(text);
	}
	return 0;
}
