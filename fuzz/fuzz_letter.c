/*
 * fuzz/fuzz_letter.c: any bytes on our channels. What is taken keeps the promises of letter.h and peer.h, and
 * says the same after it was written and read again; what is not gives nothing out; no true prefix is taken.
 */
#include <stdint.h>

#include "../test/unit/letter_rig.h"
#include "base/utf8.h"
#include "dialect/dialect.h"

#define CHECK(what) ((what) ? (void)0 : abort())

enum { IN_MAX = 16384 };

static struct letter_reader *one, *other;
static char text[LETTER_BYTES_MAX];

/* A copy of exactly n bytes, so that the sanitizer sees the first byte too many. */
static char *copy_of(const void *p, size_t n)
{
	char *mem = malloc(n + !n);

	CHECK(mem != NULL);
	if (n > 0)
		memcpy(mem, p, n);
	return mem;
}

static void check_id(struct str s)
{
	CHECK(str_absent(s) || utf8_is_id(s));
}

static void check_ids(struct strs ids, uint32_t max)
{
	CHECK(ids.n <= max);
	for (uint32_t i = 0; i < ids.n; i++)
		CHECK(utf8_is_id(ids.v[i]));
}

static void check_json(struct str s, size_t bytes_max)
{
	static struct json_tok toks[JSON_TOKENS_MAX];
	struct json j;
	char *copy;

	if (str_absent(s))
		return;
	CHECK(s.n <= bytes_max);
	json_init(&j, toks, JSON_TOKENS_MAX);
	copy = copy_of(s.p, s.n);
	CHECK(json_parse(&j, copy, s.n) == JSON_OK);
	CHECK(bytes_max > METADATA_BYTES_MAX || json_type(&j, json_root(&j)) == JSON_OBJECT);
	free(copy);
}

static void check_profile(const struct peer_profile *p)
{
	CHECK(p->override == STATUS_OFFLINE || (p->override >= STATUS_BUSY && p->override < STATUS_COUNT));
	CHECK(p->custom.n <= CUSTOM_STATUS_BYTES_MAX && utf8_valid(p->custom));
	CHECK(p->shown_custom.n <= CUSTOM_STATUS_BYTES_MAX && utf8_valid(p->shown_custom));
	CHECK(p->hidden_for_ms >= 0);
	check_json(p->metadata, METADATA_BYTES_MAX);
	check_json(p->shown_metadata, METADATA_BYTES_MAX);
}

static void check_user(const struct peer_user *u)
{
	CHECK(utf8_is_id(u->user_id) && u->link_count <= PEER_LINKS_MAX);
	check_id(u->username);
	check_ids(u->rooms, PEER_ROOMS_MAX);
	for (uint32_t i = 0; i < u->link_count; i++) {
		CHECK(utf8_is_id(u->links[i].device_id) && u->links[i].dialect < DIALECT_COUNT);
		CHECK((u->links[i].key == 0) == wall_absent(u->links[i].connected_at));
	}
	check_profile(&u->profile);
}

static void check_message(const struct peer_message *m)
{
	const struct broadcast *b = m->broadcast;

	CHECK(m->type < PEER_MESSAGE_COUNT && (m->type == PEER_BROADCAST) == (b != NULL));
	CHECK(b != NULL || utf8_is_id(m->user_id));
	check_id(m->target);
	check_id(m->device_id);
	check_id(m->room);
	check_id(m->call_id);
	check_id(m->text);
	check_ids(m->users, BULK_USERS_MAX);
	check_ids(m->messages, BULK_USERS_MAX);
	check_json(m->body, LETTER_BYTES_MAX);
	if (b == NULL)
		return;
	CHECK(!str_absent(b->data) && (b->users.n == 0 || b->users_given));
	check_id(b->room);
	check_id(b->type);
	check_ids(b->users, BULK_USERS_MAX);
	check_ids(b->exclude, BULK_USERS_MAX);
	check_json(b->data, LETTER_BYTES_MAX);
}

/* `one` has read `l`: written, and read by `other`, it is the same. */
static void check_again(const struct letter *l, char *in, const uint8_t *data, size_t n)
{
	struct letter same, first;
	struct peer_user a, b;
	struct str s = rig_again(one, l, text, sizeof(text));
	char *out;

	CHECK(!str_absent(s));
	out = copy_of(s.p, s.n);
	memcpy(in, data, n);
	CHECK(letter_read(one, in, n, &first) == LETTER_OK);
	CHECK(letter_read(other, out, s.n, &same) == LETTER_OK);
	CHECK(l->type == LETTER_SAY || same.message.broadcast == NULL);
	CHECK(rig_letter_same(&first, &same));
	while (letter_next_user(one, &a)) {
		check_user(&a);
		CHECK(letter_next_user(other, &b) && rig_user_same(&a, &b));
	}
	CHECK(!letter_next_user(other, &b));
	free(out);
}

static void check_prefixes(const uint8_t *data, size_t n)
{
	struct letter l;

	while (n > 0 && data[n - 1] != '}')
		n--;
	for (size_t i = n > 64 ? n - 64 : 0; i < n; i++) {
		char *in = copy_of(data, i);

		CHECK(letter_read(one, in, i, &l) == LETTER_BAD_JSON);
		free(in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct letter l = { .type = LETTER_COUNT };
	struct peer_user none;
	char *in;

	if (n > IN_MAX)
		return 0;
	if (one == NULL) {
		one = rig_reader(1);
		other = rig_reader(2);
	}
	in = copy_of(data, n);
	if (letter_read(one, in, n, &l) != LETTER_OK) {
		CHECK(l.type == LETTER_COUNT && !letter_next_user(one, &none));
	} else {
		CHECK(l.type < LETTER_COUNT && letter_is_node(l.node));
		if (l.type == LETTER_SAY)
			check_message(&l.message);
		check_again(&l, in, data, n);
		check_prefixes(data, n);
	}
	free(in);
	return 0;
}
