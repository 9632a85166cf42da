/*
 * Invariants: a list's items are in the order in which they were put there, and fall due in it: nothing overtakes on a connection but by
 * a fault that says so. What stands in `inbox` was decided: a command is carried out once, when it arrives, whatever becomes of its answer.
 */
#include "sim/redis_model.h"

#include <stdlib.h>
#include <string.h>

enum item_type { PUBLISH, SUBSCRIBE, UNSUBSCRIBE, SET, DEL, RENEW, MESSAGE, RENEWED, REFUSED, ANSWERED };

struct redis_item {
	struct redis_item *next;
	enum item_type type;
	int64_t due_ms, given_ms, ttl_ms;
	uint32_t from;               /* the client; REDIS_CLIENTS_MAX: another program */
	bool was_there;
	size_t key_bytes, value_bytes;
	char *key, *value;           /* behind it; each with a NUL */
};

/* --- lists --- */

static struct redis_item *item_new(enum item_type type, uint32_t from, struct str key, struct str value)
{
	struct redis_item *it = malloc(sizeof(*it) + key.n + value.n + 2);

	if (it == NULL)
		abort();
	*it = (struct redis_item){
		.type = type, .from = from, .key_bytes = key.n, .value_bytes = value.n, .key = (char *)(it + 1),
	};
	it->value = it->key + key.n + 1;
	if (key.n > 0)
		memcpy(it->key, key.p, key.n);
	if (value.n > 0)
		memcpy(it->value, value.p, value.n);
	it->key[key.n] = it->value[value.n] = '\0';
	return it;
}

static struct str key_of(const struct redis_item *it)
{
	return str_of(it->key, it->key_bytes);
}

static struct str value_of(const struct redis_item *it)
{
	return str_of(it->value, it->value_bytes);
}

static size_t size_of(const struct redis_item *it)
{
	return it->key_bytes + it->value_bytes + 32; /* and what RESP adds */
}

static void put(struct redis_list *list, struct redis_item *it)
{
	it->next = NULL;
	if (list->first == NULL)
		list->first = it;
	else
		list->last->next = it;
	list->last = it;
	list->n++;
	list->bytes += size_of(it);
}

static struct redis_item *take(struct redis_list *list)
{
	struct redis_item *it = list->first;

	list->first = it->next;
	list->n--;
	list->bytes -= size_of(it);
	return it;
}

static void clear(struct redis_list *list)
{
	while (list->first != NULL)
		free(take(list));
}

/* --- chance --- */

static uint64_t draw(struct redis_model *m)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return m->random * UINT64_C(0x2545f4914f6cdd1d);
}

static bool chance(struct redis_model *m, uint32_t permille)
{
	return permille > 0 && (draw(m) >> 32) % 1000 < permille;
}

static int64_t spread(struct redis_model *m, int64_t ms, int64_t more_ms)
{
	return more_ms > 0 ? ms + (int64_t)((draw(m) >> 32) % (uint64_t)(more_ms + 1)) : ms;
}

/* When what is put behind `list` falls due: never before what stands there. */
static int64_t due_behind(struct redis_model *m, const struct redis_list *list)
{
	int64_t due = m->now_ms + spread(m, m->delay_ms, m->delay_spread_ms);

	return list->first != NULL && list->last->due_ms > due ? list->last->due_ms : due;
}

/* --- keys --- */

static char *copy_of(const char *p, size_t n)
{
	char *copy = malloc(n + 1);

	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

static struct redis_key *find(struct redis_model *m, struct str name)
{
	for (uint32_t i = 0; i < m->key_count; i++) {
		struct redis_key *k = &m->keys[i];

		if (strlen(k->name) != name.n || memcmp(k->name, name.p, name.n) != 0)
			continue;
		if (k->expires_ms > m->now_ms)
			return k;
		free(k->name);
		free(k->value);
		*k = m->keys[--m->key_count];
		return NULL;
	}
	return NULL;
}

/* Puts down what a write is about to replace. */
static void journal(struct redis_model *m, struct str name)
{
	struct redis_key *slot = &m->journal[m->journal_count++ % REDIS_JOURNAL_MAX], *k = find(m, name);

	free(slot->name);
	free(slot->value);
	*slot = (struct redis_key){ .name = copy_of(name.p, name.n) };
	if (k == NULL)
		return;
	slot->value = copy_of(k->value, k->value_bytes);
	slot->value_bytes = k->value_bytes;
	slot->expires_ms = k->expires_ms;
}

static void write_key(struct redis_model *m, struct str name, struct str value, int64_t expires_ms)
{
	struct redis_key *k = find(m, name);

	if (k == NULL) {
		if (m->key_count == m->key_cap) {
			m->key_cap = 2 * m->key_cap + 16;
			m->keys = realloc(m->keys, m->key_cap * sizeof(*m->keys));
			if (m->keys == NULL)
				abort();
		}
		k = &m->keys[m->key_count++];
		*k = (struct redis_key){ .name = copy_of(name.p, name.n) };
	}
	free(k->value);
	k->value = copy_of(value.p, value.n);
	k->value_bytes = value.n;
	k->expires_ms = expires_ms;
}

static void remove_key(struct redis_model *m, struct str name)
{
	struct redis_key *k = find(m, name);

	if (k == NULL)
		return;
	free(k->name);
	free(k->value);
	*k = m->keys[--m->key_count];
}

void redis_model_set(struct redis_model *m, struct str key, struct str value, int64_t ttl_ms)
{
	journal(m, key);
	write_key(m, key, value, ttl_ms > 0 ? m->now_ms + ttl_ms : INT64_MAX);
}

const struct redis_key *redis_model_get(struct redis_model *m, struct str key)
{
	return find(m, key);
}

/* --- channels --- */

static uint32_t channel_index(const struct redis_client *c, struct str channel)
{
	for (uint32_t i = 0; i < c->channel_count; i++)
		if (strlen(c->channels[i]) == channel.n && memcmp(c->channels[i], channel.p, channel.n) == 0)
			return i;
	return UINT32_MAX;
}

static void unsubscribe_all(struct redis_client *c)
{
	while (c->channel_count > 0)
		free(c->channels[--c->channel_count]);
}

static void lose(struct redis_model *m, struct redis_client *c);

static void put_inbox(struct redis_model *m, struct redis_client *c, struct redis_item *it)
{
	it->due_ms = due_behind(m, &c->inbox);
	put(&c->inbox, it);
}

/* The last two change places. */
static void swap_last(struct redis_model *m, struct redis_client *c)
{
	struct redis_item **at = &c->inbox.first, *a, *b;

	if (c->inbox.n < 2)
		return;
	while ((*at)->next->next != NULL)
		at = &(*at)->next;
	a = *at;
	b = a->next;
	if (a->type != MESSAGE || b->type != MESSAGE)
		return;
	*at = b;
	b->next = a;
	a->next = NULL;
	c->inbox.last = a;
	b->due_ms = a->due_ms;
	m->stats.swapped++;
}

static void push(struct redis_model *m, struct redis_client *c, uint32_t from, struct str channel, struct str payload)
{
	bool doubled = chance(m, m->double_permille);

	if (from != c->index && c->drop_next > 0) {
		c->drop_next--;
		m->stats.dropped++;
		return;
	}
	if (chance(m, m->drop_permille)) {
		m->stats.dropped++;
		return;
	}
	for (int copies = 0; copies < 1 + doubled; copies++)
		put_inbox(m, c, item_new(MESSAGE, from, channel, payload));
	m->stats.doubled += doubled;
	if (chance(m, m->swap_permille))
		swap_last(m, c);
	if (c->inbox.bytes > m->output_bytes)
		lose(m, c);
}

static void publish(struct redis_model *m, uint32_t from, struct str channel, struct str payload)
{
	if (m->tap != NULL)
		m->tap(m->tap_ctx, channel, payload);
	for (uint32_t i = 0; i < REDIS_CLIENTS_MAX; i++) {
		struct redis_client *c = &m->clients[i];

		if (c->open && c->connected && !c->deaf && channel_index(c, channel) != UINT32_MAX)
			push(m, c, from, channel, payload);
	}
}

void redis_model_publish(struct redis_model *m, struct str channel, struct str payload)
{
	publish(m, REDIS_CLIENTS_MAX, channel, payload);
}

/* --- commands that arrive --- */

static bool refuses(const struct redis_model *m, enum item_type type)
{
	bool writes = type == SET || type == DEL || type == RENEW;

	return m->refusal == REDIS_REFUSES_ALL || (m->refusal == REDIS_REFUSES_WRITES && writes);
}

static void subscribe(struct redis_client *c, struct str channel)
{
	if (channel_index(c, channel) != UINT32_MAX)
		return;
	if (c->channel_count == REDIS_CHANNELS_MAX)
		abort();
	c->channels[c->channel_count++] = copy_of(channel.p, channel.n);
}

static void unsubscribe(struct redis_client *c, struct str channel)
{
	uint32_t i = channel_index(c, channel);

	if (i == UINT32_MAX)
		return;
	free(c->channels[i]);
	c->channels[i] = c->channels[--c->channel_count];
}

static bool renew(struct redis_model *m, const struct redis_item *it)
{
	struct redis_key *k;

	journal(m, key_of(it));
	k = find(m, key_of(it));
	if (k != NULL)
		k->expires_ms = m->now_ms + it->ttl_ms;
	m->stats.renew++;
	return k != NULL;
}

/* `c` NULL: its connection is gone, and nobody is answered. */
static void carry_out(struct redis_model *m, struct redis_client *c, const struct redis_item *it)
{
	struct redis_item *answer = item_new(ANSWERED, it->from, STR(""), STR(""));

	answer->given_ms = it->given_ms;
	if (refuses(m, it->type)) {
		free(answer);
		answer = item_new(REFUSED, it->from, str_of(m->refusal_code, strlen(m->refusal_code)), STR(""));
		answer->given_ms = it->given_ms;
		if (it->type == SUBSCRIBE && c != NULL && c->unconfirmed_ms == INT64_MAX)
			c->unconfirmed_ms = it->given_ms;
	} else if (it->type == PUBLISH) {
		m->stats.publish++;
		publish(m, it->from, key_of(it), value_of(it));
	} else if (it->type == SET) {
		m->stats.set++;
		redis_model_set(m, key_of(it), value_of(it), it->ttl_ms);
	} else if (it->type == DEL) {
		m->stats.del++;
		journal(m, key_of(it));
		remove_key(m, key_of(it));
	} else if (it->type == RENEW) {
		answer->type = RENEWED;
		answer->was_there = renew(m, it);
	} else if (it->type == SUBSCRIBE && c != NULL) {
		m->stats.subscribe++;
		if (!c->deaf)
			subscribe(c, key_of(it));
	} else if (it->type == UNSUBSCRIBE && c != NULL) {
		m->stats.unsubscribe++;
		unsubscribe(c, key_of(it));
	}
	if (c != NULL && c->connected) /* publishing may have cost it its connection */
		put_inbox(m, c, answer);
	else
		free(answer);
}

/* --- connections --- */

static void connect_later(struct redis_model *m, struct redis_client *c)
{
	c->connect_ms = m->now_ms + spread(m, m->reconnect_ms, m->reconnect_spread_ms);
}

/* Of what was given a part has arrived, some hangs where Redis hangs, and nobody hears of the rest. */
static void give_up_commands(struct redis_model *m, struct redis_client *c, bool all)
{
	size_t keep = all ? c->commands.n : c->commands.n > 0 ? (size_t)(draw(m) >> 32) % (c->commands.n + 1) : 0;

	while (c->commands.first != NULL) {
		struct redis_item *it = take(&c->commands);

		if (keep == 0 || m->is_down || c->cut) {
			free(it);
		} else if (it->type == SUBSCRIBE || it->type == UNSUBSCRIBE) {
			keep--;
			free(it);
		} else {
			keep--;
			it->due_ms = m->now_ms;
			put(&m->limbo, it);
		}
	}
}

static void lose(struct redis_model *m, struct redis_client *c)
{
	if (!c->open || !c->connected)
		return;
	c->connected = c->deaf = false;
	c->down_due = true;
	c->first_unanswered_ms = c->unconfirmed_ms = INT64_MAX;
	give_up_commands(m, c, false);
	clear(&c->inbox);
	unsubscribe_all(c);
	connect_later(m, c);
	m->stats.lost_connections++;
}

static bool try_connect(struct redis_model *m, struct redis_client *c)
{
	if (c->connected || c->connect_ms > m->now_ms)
		return false;
	if (m->is_down || m->is_hung || c->cut) {
		connect_later(m, c);
		if (c->connect_ms <= m->now_ms)
			c->connect_ms = m->now_ms + 1;
		return false;
	}
	c->connected = true;
	c->ears.up(c->ears.ctx);
	return true;
}

/* When it gives the connection up: a command has no answer, or a channel no confirmation, for too long. */
static int64_t gives_up_ms(const struct redis_client *c)
{
	int64_t since = c->unconfirmed_ms < c->first_unanswered_ms ? c->unconfirmed_ms : c->first_unanswered_ms;

	return since == INT64_MAX ? INT64_MAX : since + REDIS_TIMEOUT_MS;
}

static bool timed_out(const struct redis_model *m, const struct redis_client *c)
{
	return c->connected && gives_up_ms(c) <= m->now_ms;
}

void redis_model_open(struct redis_model *m, uint32_t i, const struct redis_ears *ears)
{
	struct redis_client *c = &m->clients[i];

	redis_model_close(m, i, false);
	*c = (struct redis_client){
		.model = m, .index = i, .ears = *ears, .open = true, .cut = c->cut, .first_unanswered_ms = INT64_MAX,
		.unconfirmed_ms = INT64_MAX,
		.connect_ms = m->now_ms + spread(m, m->delay_ms, m->delay_spread_ms),
	};
}

void redis_model_close(struct redis_model *m, uint32_t i, bool politely)
{
	struct redis_client *c = &m->clients[i];

	if (!c->open)
		return;
	give_up_commands(m, c, politely);
	clear(&c->inbox);
	unsubscribe_all(c);
	c->open = c->connected = false;
}

/* --- the bus --- */

static bool give(struct redis_client *c, enum item_type type, struct str key, struct str value, int64_t ttl_ms)
{
	struct redis_model *m = c->model;
	struct redis_item *it;

	if (!c->open || !c->connected)
		return c->open && c->down_due && !c->reset; /* it is gone, and nobody knows yet: nothing says that this is too */
	it = item_new(type, c->index, key, value);
	if (c->commands.bytes + size_of(it) > m->space_bytes) {
		free(it);
		return false;
	}
	it->ttl_ms = ttl_ms;
	it->given_ms = m->now_ms;
	it->due_ms = due_behind(m, &c->commands);
	put(&c->commands, it);
	if (c->first_unanswered_ms == INT64_MAX)
		c->first_unanswered_ms = m->now_ms;
	return true;
}

static bool bus_publish(void *ctx, struct str channel, struct str payload)
{
	return give(ctx, PUBLISH, channel, payload, 0);
}

static bool bus_subscribe(void *ctx, struct str channel)
{
	return give(ctx, SUBSCRIBE, channel, STR(""), 0);
}

static bool bus_unsubscribe(void *ctx, struct str channel)
{
	return give(ctx, UNSUBSCRIBE, channel, STR(""), 0);
}

static bool bus_set(void *ctx, struct str key, struct str value, int64_t ttl_ms)
{
	return give(ctx, SET, key, value, ttl_ms);
}

static bool bus_del(void *ctx, struct str key)
{
	return give(ctx, DEL, key, STR(""), 0);
}

static bool bus_renew(void *ctx, struct str key, int64_t ttl_ms)
{
	return give(ctx, RENEW, key, STR(""), ttl_ms);
}

static size_t bus_space(void *ctx)
{
	const struct redis_client *c = ctx;

	if (!c->open || !c->connected || c->commands.bytes >= c->model->space_bytes)
		return 0;
	return c->model->space_bytes - c->commands.bytes;
}

static void bus_flush(void *ctx)
{
	(void)ctx; /* all went out when it was given */
}

static void bus_reset(void *ctx)
{
	struct redis_client *c = ctx;

	lose(c->model, c);
	c->reset = c->down_due;
}

struct bus redis_model_bus(struct redis_model *m, uint32_t i)
{
	return (struct bus){
		.ctx = &m->clients[i], .publish = bus_publish, .subscribe = bus_subscribe, .unsubscribe = bus_unsubscribe, .set = bus_set,
		.del = bus_del, .renew = bus_renew, .space = bus_space, .flush = bus_flush, .reset = bus_reset,
	};
}

/* --- time --- */

/* The client whose next command has arrived first; NULL: none has. */
static struct redis_client *next_to_serve(struct redis_model *m)
{
	struct redis_client *first = NULL;

	for (uint32_t i = 0; i < REDIS_CLIENTS_MAX; i++) {
		struct redis_client *c = &m->clients[i];

		if (c->open && c->commands.first != NULL && c->commands.first->due_ms <= m->now_ms &&
		    (first == NULL || c->commands.first->due_ms < first->commands.first->due_ms))
			first = c;
	}
	return first;
}

static bool work_off_limbo(struct redis_model *m)
{
	bool any = m->limbo.first != NULL;

	if (m->is_hung || m->is_down)
		return false;
	while (m->limbo.first != NULL) {
		struct redis_item *it = take(&m->limbo);

		if (m->limbo_runs)
			carry_out(m, NULL, it);
		free(it);
	}
	return any;
}

bool redis_model_run(struct redis_model *m, int64_t ms)
{
	struct redis_client *c;
	bool any;

	m->now_ms = ms;
	any = work_off_limbo(m);
	while (!m->is_hung && !m->is_down && (c = next_to_serve(m)) != NULL) {
		struct redis_item *it = take(&c->commands);

		carry_out(m, c, it);
		free(it);
		any = true;
	}
	return any;
}

static void answered(struct redis_client *c)
{
	c->first_unanswered_ms = c->commands.first == NULL ? INT64_MAX : c->commands.first->given_ms;
	for (const struct redis_item *it = c->inbox.first; it != NULL; it = it->next)
		if (it->type != MESSAGE) {
			c->first_unanswered_ms = it->given_ms;
			return;
		}
}

static void tell(struct redis_model *m, struct redis_client *c, struct redis_item *it)
{
	switch (it->type) {
	case MESSAGE:
		m->stats.delivered++;
		c->ears.heard(c->ears.ctx, key_of(it), it->value, it->value_bytes);
		return;
	case RENEWED:
		c->ears.renewed(c->ears.ctx, it->was_there);
		break;
	case REFUSED:
		c->ears.refused(c->ears.ctx, key_of(it));
		break;
	default:
		break;
	}
	answered(c);
}

static bool tell_down(struct redis_client *c)
{
	if (!c->down_due)
		return false;
	c->down_due = c->reset = false;
	c->ears.down(c->ears.ctx);
	return true;
}

bool redis_model_deliver(struct redis_model *m, uint32_t i, uint32_t max)
{
	struct redis_client *c = &m->clients[i];
	bool any;

	if (!c->open)
		return false;
	any = tell_down(c);
	any |= try_connect(m, c);
	for (; max > 0 && !m->is_hung && c->inbox.first != NULL && c->inbox.first->due_ms <= m->now_ms; max--) {
		struct redis_item *it = take(&c->inbox);

		tell(m, c, it);
		free(it);
		any = true;
	}
	if (timed_out(m, c)) /* after what came meanwhile was read */
		lose(m, c);
	return any | tell_down(c);
}

int64_t redis_model_due(const struct redis_model *m)
{
	int64_t due = m->limbo.first != NULL && !m->is_hung && !m->is_down ? m->now_ms : INT64_MAX;

	for (uint32_t i = 0; i < REDIS_CLIENTS_MAX && !m->is_hung && !m->is_down; i++) {
		const struct redis_client *c = &m->clients[i];

		if (c->open && c->commands.first != NULL && c->commands.first->due_ms < due)
			due = c->commands.first->due_ms;
	}
	return due;
}

int64_t redis_model_client_due(const struct redis_model *m, uint32_t i)
{
	const struct redis_client *c = &m->clients[i];
	int64_t due = c->connect_ms;

	if (!c->open)
		return INT64_MAX;
	if (c->down_due)
		return m->now_ms;
	if (c->connected)
		due = gives_up_ms(c);
	if (!m->is_hung && c->inbox.first != NULL && c->inbox.first->due_ms < due)
		due = c->inbox.first->due_ms;
	return due;
}

/* --- faults --- */

void redis_model_down(struct redis_model *m, bool down)
{
	m->is_down = down;
	if (down)
		m->is_hung = false;
	for (uint32_t i = 0; down && i < REDIS_CLIENTS_MAX; i++)
		lose(m, &m->clients[i]);
	if (down)
		clear(&m->limbo);
}

void redis_model_hang(struct redis_model *m, bool hung)
{
	m->is_hung = hung;
}

void redis_model_cut(struct redis_model *m, uint32_t i, bool cut)
{
	m->clients[i].cut = cut;
	if (cut)
		lose(m, &m->clients[i]);
}

void redis_model_deafen(struct redis_model *m, uint32_t i)
{
	if (!m->clients[i].connected)
		return;
	m->clients[i].deaf = true;
	unsubscribe_all(&m->clients[i]);
}

void redis_model_lose(struct redis_model *m, uint32_t i)
{
	lose(m, &m->clients[i]);
}

void redis_model_flush(struct redis_model *m)
{
	while (m->key_count > 0) {
		struct redis_key *k = &m->keys[--m->key_count];

		free(k->name);
		free(k->value);
	}
}

void redis_model_fail_over(struct redis_model *m, uint32_t writes)
{
	for (; writes > 0 && m->journal_count > 0; writes--) {
		struct redis_key *old = &m->journal[--m->journal_count % REDIS_JOURNAL_MAX];
		struct str name;

		if (old->name == NULL)
			break;
		name = str_of(old->name, strlen(old->name));
		remove_key(m, name);
		if (old->value != NULL)
			write_key(m, name, str_of(old->value, old->value_bytes), old->expires_ms);
		free(old->name);
		free(old->value);
		*old = (struct redis_key){ .name = NULL };
		m->stats.lost_writes++;
	}
	for (uint32_t i = 0; i < REDIS_CLIENTS_MAX; i++)
		lose(m, &m->clients[i]);
}

void redis_model_refuse(struct redis_model *m, enum redis_refusal refusal, const char *code)
{
	m->refusal = refusal;
	m->refusal_code = code;
}

/* --- beginning and end --- */

void redis_model_start(struct redis_model *m, uint64_t seed)
{
	*m = (struct redis_model){
		.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1, .limbo_runs = true, .refusal_code = "", .reconnect_ms = 100,
		.space_bytes = REDIS_SPACE_BYTES, .output_bytes = REDIS_OUTPUT_BYTES,
	};
	for (uint32_t i = 0; i < REDIS_CLIENTS_MAX; i++)
		m->clients[i] = (struct redis_client){ .model = m, .index = i, .first_unanswered_ms = INT64_MAX, .unconfirmed_ms = INT64_MAX };
}

void redis_model_stop(struct redis_model *m)
{
	for (uint32_t i = 0; i < REDIS_CLIENTS_MAX; i++)
		redis_model_close(m, i, false);
	clear(&m->limbo);
	redis_model_flush(m);
	free(m->keys);
	for (uint32_t i = 0; i < REDIS_JOURNAL_MAX; i++) {
		free(m->journal[i].name);
		free(m->journal[i].value);
	}
	*m = (struct redis_model){ .random = 1 };
}
