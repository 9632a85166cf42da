/*
 * test/unit/letter_rig.h: a reader of letters, writing anew what it has read, and comparing. For
 * test_letter and fuzz_letter.
 */
#ifndef TEST_LETTER_RIG_H
#define TEST_LETTER_RIG_H

#include <stdlib.h>

#include "cluster/letter.h"

/* Lives as long as the program. */
static inline struct letter_reader *rig_reader(uint64_t key)
{
	struct region r;
	size_t bytes;
	void *mem;

	region_init(&r, NULL, 0);
	letter_reader_new(&r, key);
	bytes = (region_used(&r) + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
	mem = aligned_alloc(REGION_ALIGN, bytes);
	if (mem == NULL)
		abort();
	memset(mem, 0, bytes);
	region_init(&r, mem, bytes);
	return letter_reader_new(&r, key);
}

/* What `lr` has read, written to mem[0, bytes). Takes its users. */
static inline struct str rig_again(struct letter_reader *lr, const struct letter *l, char *mem, size_t bytes)
{
	struct letter_writer lw;
	struct peer_user u;
	struct jsonw w;

	jsonw_init(&w, mem, bytes);
	letter_open(&lw, &w, l);
	while (letter_next_user(lr, &u))
		if (!letter_add_user(&lw, &u))
			return STR_NONE;
	return letter_close(&lw, l->cursor) ? jsonw_text(&w) : STR_NONE;
}

static inline bool rig_str_same(struct str a, struct str b)
{
	return str_absent(a) == str_absent(b) && str_eq(a, b);
}

static inline bool rig_strs_same(struct strs a, struct strs b)
{
	for (uint32_t i = 0; i < a.n && a.n == b.n; i++)
		if (!rig_str_same(a.v[i], b.v[i]))
			return false;
	return a.n == b.n;
}

static inline bool rig_link_same(const struct peer_link *a, const struct peer_link *b)
{
	return rig_str_same(a->device_id, b->device_id) && a->key == b->key && a->connected_at.ms == b->connected_at.ms &&
	       a->dialect == b->dialect && a->away == b->away;
}

static inline bool rig_profile_same(const struct peer_profile *a, const struct peer_profile *b)
{
	if (a->version != b->version || a->version == 0)
		return a->version == b->version;
	if (a->override != b->override || a->mark != b->mark || a->override_by != b->override_by || !rig_str_same(a->custom, b->custom) ||
	    a->custom_expires.ms != b->custom_expires.ms || !rig_str_same(a->metadata, b->metadata))
		return false;
	return a->override != STATUS_INVISIBLE ||
	       (rig_str_same(a->shown_custom, b->shown_custom) && rig_str_same(a->shown_metadata, b->shown_metadata) &&
	        a->shown_expires.ms == b->shown_expires.ms && a->shown_last_seen.ms == b->shown_last_seen.ms &&
	        a->hidden_for_ms == b->hidden_for_ms);
}

static inline bool rig_user_same(const struct peer_user *a, const struct peer_user *b)
{
	for (uint32_t i = 0; i < a->link_count && a->link_count == b->link_count; i++)
		if (!rig_link_same(&a->links[i], &b->links[i]))
			return false;
	return a->link_count == b->link_count && rig_str_same(a->user_id, b->user_id) &&
	       rig_str_same(a->username, b->username) && a->last_seen.ms == b->last_seen.ms &&
	       a->left_ago_ms == b->left_ago_ms && rig_strs_same(a->rooms, b->rooms) && rig_profile_same(&a->profile, &b->profile);
}

/* `a` and `b` say the same of what their type has. */
static inline bool rig_broadcast_same(const struct broadcast *a, const struct broadcast *b)
{
	return a->all == b->all && rig_strs_same(a->users, b->users) && a->users_given == b->users_given &&
	       rig_str_same(a->room, b->room) && a->topic == b->topic && rig_strs_same(a->exclude, b->exclude) &&
	       rig_str_same(a->type, b->type) && rig_str_same(a->data, b->data);
}

static inline bool rig_message_same(const struct peer_message *a, const struct peer_message *b)
{
	if (a->type != b->type || (a->broadcast == NULL) != (b->broadcast == NULL))
		return false;
	if (a->broadcast != NULL && !rig_broadcast_same(a->broadcast, b->broadcast))
		return false;
	return rig_str_same(a->user_id, b->user_id) && rig_str_same(a->target, b->target) &&
	       rig_str_same(a->device_id, b->device_id) && a->key == b->key && rig_str_same(a->room, b->room) &&
	       a->kind == b->kind && a->is_typing == b->is_typing && a->is_read == b->is_read &&
	       rig_strs_same(a->users, b->users) &&
	       rig_strs_same(a->messages, b->messages) && rig_str_same(a->call_id, b->call_id) &&
	       rig_str_same(a->body, b->body) && rig_str_same(a->text, b->text) && a->count == b->count;
}

static inline bool rig_letter_same(const struct letter *a, const struct letter *b)
{
	return a->type == b->type && rig_str_same(a->node, b->node) && a->epoch == b->epoch && a->seq == b->seq &&
	       rig_str_same(a->gone, b->gone) && a->gone_epoch == b->gone_epoch && a->gone_seq == b->gone_seq &&
	       a->cursor == b->cursor && a->first == b->first && rig_message_same(&a->message, &b->message);
}

#endif
