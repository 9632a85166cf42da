/*
 * Liveness (RELIABILITY L): what comes true when all is well again. The truth is the clients': who is through, and what they set.
 */
#include <stdio.h>
#include <string.h>

#include "presence/call.h"
#include "presence/state.h"
#include "server/state.h"
#include "sim/living.h"

enum {
	TOLD_MS = 3000,
	QUIET_MS = 8000, /* who types has stopped */
	LONG_EVERY = 8, /* seeds: a long quiet time even if nothing rings */
	ANSWER_MS = 1000,
	CALLS_MS = CALL_RING_MS + CALL_GRACE_MS + 2 * CALL_CHECK_MS,
};

static const char *const status_names[STATUS_COUNT] = { "offline", "online", "away", "busy", "dnd", "invisible" };

static const char *describe(const struct presence_view *v, char out[TEXT])
{
	snprintf(out, TEXT, "%s '%.*s' %.*s %u", status_names[v->status], str_absent(v->custom) ? 0 : (int)v->custom.n, v->custom.p,
		 str_absent(v->metadata) ? 0 : (int)v->metadata.n, v->metadata.p, (unsigned)v->device_count);
	return out;
}

static void view_of(struct life *l, uint32_t user, uint32_t node, struct presence_view *v)
{
	const struct sim *sim = &life_crowd(l, node)->sim;
	char id[WORD];

	snprintf(id, sizeof(id), "u%u", user);
	engine_view(sim->server->engine, str_of_text(id), v, sim->now);
}

static uint32_t custom_of(const struct presence_view *v)
{
	uint32_t number = 0;

	for (size_t i = 1; !str_absent(v->custom) && i < v->custom.n && v->custom.p[i] >= '0' && v->custom.p[i] <= '9'; i++)
		number = 10 * number + (uint32_t)(v->custom.p[i] - '0');
	return number;
}

/* By some node's clock that custom status has expired, if only until it was set back. */
static bool may_be_over(struct life *l, uint32_t custom)
{
	int64_t expires_ms = l->captions[custom].expires_ms;

	for (uint32_t n = 1; n <= l->nodes && expires_ms > 0; n++)
		if (witness_wall_ms(l, n, world_now_ms(&l->w)) >= expires_ms || l->latest_ms[n] >= expires_ms)
			return true;
	return false;
}

/* Do these two differ by what each node counts for itself? When a custom status ends, by its own clock; how long the absent are remembered, as
 * which the invisible are shown. */
static void forgive(struct life *l, struct presence_view *a, struct presence_view *b, uint32_t devices)
{
	if (may_be_over(l, custom_of(a)) || may_be_over(l, custom_of(b)))
		a->custom = b->custom = STR_NONE;
	if ((devices == 0 || (a->status == STATUS_OFFLINE && b->status == STATUS_OFFLINE)) && life_has(l, WITH_TTL))
		a->custom = a->metadata = b->custom = b->metadata = STR_NONE;
}

static void check_expired(struct life *l, uint32_t user, uint32_t node, const struct presence_view *v)
{
	int64_t expires_ms = l->captions[custom_of(v)].expires_ms;

	if (expires_ms > 0 && witness_wall_ms(l, node, world_now_ms(&l->w)) >= expires_ms)
		life_fault(l, "(liveness) node %u sees u%u with x%u, which has expired", node, user, custom_of(v));
}

/* All nodes see the same, and as many devices as there are. */
static void check_user(struct life *l, uint32_t user)
{
	struct presence_view first, v;
	char a[TEXT] = "", b[TEXT] = "";
	uint32_t each = beats_devices(l, user), devices;

	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		each |= (uint32_t)(l->guests[i].user == user && life_is_open(l, i)) << (PIN_FIRST_CLIENT + i);
	devices = (uint32_t)__builtin_popcount(each);
	if (devices == 0 && world_now_ms(&l->w) < l->open_ms[user] + life_crowd(l, 1)->sim.cfg.offline_debounce_ms + TOLD_MS)
		return; /* just closed, for being slow: the debounce runs, or its end is not known everywhere */
	view_of(l, user, 1, &first);
	check_expired(l, user, 1, &first);
	for (uint32_t n = 2; n <= l->nodes; n++) {
		struct presence_view one = first;

		view_of(l, user, n, &v);
		check_expired(l, user, n, &v);
		forgive(l, &one, &v, devices);
		if (strcmp(describe(&one, a), describe(&v, b)) != 0)
			life_fault(l, "(liveness) node 1 sees u%u as %s, node %u as %s", user, a, n, b);
	}
	if (beats_doubtful(l, user))
		return;
	if (first.device_count != devices && !(first.status == STATUS_OFFLINE && l->maybe_hidden[user]))
		life_fault(l, "(liveness) u%u has %u devices, and is %s", user, devices, describe(&first, a));
	if ((first.status != STATUS_OFFLINE) != (devices > 0) && !l->maybe_hidden[user])
		life_fault(l, "(liveness) u%u has %u devices, and is %s", user, devices, describe(&first, a));
}

static const char *shown(enum status s, enum dialect_id d)
{
	if (d == DIALECT_ROSTER)
		return s == STATUS_OFFLINE ? "offline" : "online";
	return s == STATUS_DND && d == DIALECT_UPPER ? "busy" : status_names[s];
}

/* With audience=rooms, outside a presence topic, a user is heard of while a room is shared. */
static bool hears_of(struct life *l, uint32_t i, uint32_t user)
{
	enum dialect_id dialect = life_client(l, i)->dialect;

	if (!life_has(l, WITH_AUDIENCE) || dialect == DIALECT_DOTTED)
		return true;
	for (uint32_t k = 0; k < LIFE_CLIENTS && dialect != DIALECT_ROSTER; k++)
		if (l->guests[k].user == user && life_is_open(l, k) && (l->guests[k].rooms & l->guests[i].rooms) != 0)
			return true;
	return false;
}

/* The custom status too, where it is told of. */
static void check_shown(struct life *l, uint32_t i, uint32_t user, const struct presence_view *v)
{
	const struct guest *d = &l->guests[i];
	enum dialect_id dialect = life_client(l, i)->dialect;
	int64_t expires_ms = l->captions[d->shows[user]].expires_ms;
	bool ends_anew = l->injected[WALL] > 0 && l->captions[custom_of(v)].expires_ms > 0; /* it had, until the clock stepped back */

	if ((dialect != DIALECT_SNAKE && dialect != DIALECT_DOTTED) || v->status == STATUS_OFFLINE || d->shows[user] == NOT_SAID || custom_of(v) == d->shows[user] || ends_anew)
		return;
	/* The rate puts off the news; a step of a clock, until when it was to be by the clock as it was. */
	if (custom_of(v) == 0 && expires_ms > 0 &&
	    (l->injected[WALL] > 0 || witness_wall_ms(l, d->node, world_now_ms(&l->w)) < expires_ms + TOLD_MS))
		return;
	life_fault(l, "(liveness) c%u on node %u believes that u%u shows x%u, who shows x%u", i, d->node, user, d->shows[user], custom_of(v));
}

/* What each who watches was told last. */
static void check_watchers(struct life *l, bool all)
{
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		for (uint32_t u = 0; u < USERS; u++) {
			const struct guest *d = &l->guests[i];
			enum dialect_id dialect = life_client(l, i)->dialect;
			struct presence_view v;
			bool never;

			if (!life_is_open(l, i) || d->user == u || !hears_of(l, i, u) || (!all && (life_has(l, WITH_AUDIENCE) || d->short_changed)) ||
			    (dialect == DIALECT_ROSTER && d->short_changed)) /* whom nothing that is set tells anything */
				continue;
			view_of(l, u, d->node, &v);
			never = d->knows[u][0] == '\0';
			if (v.status == STATUS_OFFLINE && d->short_changed)
				continue; /* nothing was there to be told of anew */
			if (never ? all && v.status != STATUS_OFFLINE : strcmp(shown(v.status, dialect), d->knows[u]) != 0)
				life_fault(l, "(liveness) c%u on node %u knows u%u as %s, who is %s", i, d->node, u, never ? "nobody" : d->knows[u],
				           shown(v.status, dialect));
			if (!never)
				check_shown(l, i, u, &v);
		}
}

/* Of typing who reads too slowly misses some (CONTRACT 1, slow-consumer). */
static bool misses_typing(struct life *l, uint32_t i)
{
	return l->guests[i].short_changed || life_crowd(l, l->guests[i].node)->sim.server->metrics.dropped > 0;
}

/* Nobody types any more, and whoever was told that somebody does was told that they stopped. */
static void check_typing(struct life *l)
{
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		for (uint32_t r = 0; r < ROOMS; r++)
			if (life_is_open(l, i) && life_client(l, i)->dialect != DIALECT_ROOMS && l->guests[i].typing[r] != 0 && !misses_typing(l, i))
				life_fault(l, "(liveness) c%u still believes that somebody types in r%u (%#x)", i, r, l->guests[i].typing[r]);
}

/* Every question has its answer. */
static void check_answers(struct life *l)
{
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		if (life_is_open(l, i) && l->guests[i].asked_count > 0 && !l->guests[i].short_changed)
			life_fault(l, "(liveness) c%u has no answer to %u", i, l->guests[i].asked[0]);
}

/* Until all know of who has come or gone just now: a token may end at any time by a clock that has stepped. */
static void wait_for_rest(struct life *l)
{
	int64_t told_ms = life_crowd(l, 1)->sim.cfg.offline_debounce_ms + TOLD_MS;

	for (uint32_t u = 0; u < USERS && !life_is_over(l);)
		if (world_now_ms(&l->w) < l->stir_ms[u] + told_ms) {
			life_wait(l, TOLD_MS);
			u = 0;
		} else {
			u++;
		}
}

void truth_check(struct life *l, bool all)
{
	wait_for_rest(l);
	beats_wait(l);
	if (life_is_over(l))
		return;
	for (uint32_t u = 0; u < USERS; u++)
		check_user(l, u);
	check_watchers(l, all);
	check_typing(l);
	check_answers(l);
}

/* --- what anybody sets now is what all see --- */

static bool may_set(struct life *l, uint32_t i, uint32_t user)
{
	const struct client *cl = life_client(l, i);

	return l->guests[i].user == user && life_is_open(l, i) && cl->dialect != DIALECT_ROSTER && !cl->silent;
}

struct wish {
	enum status status;
	uint32_t by;  /* the guest; LIFE_CLIENTS: REST */
};

static struct wish set_user(struct life *l, uint32_t u)
{
	struct presence_view v;
	uint32_t i = life_draw(l, LIFE_CLIENTS), tries = LIFE_CLIENTS;
	enum status want;

	view_of(l, u, 1, &v);
	want = v.status == STATUS_BUSY ? STATUS_ONLINE : STATUS_BUSY;
	l->maybe_hidden[u] = false;
	for (; tries > 0 && !may_set(l, i, u); tries--)
		i = (i + 1) % LIFE_CLIENTS;
	l->kept[u] = tries > 0 && life_client(l, i)->dialect != DIALECT_UPPER ? l->step + u : 0;
	if (tries > 0)
		deeds_set_status(l, i, status_names[want], l->step + u, 0);
	else
		deeds_put_status(l, u, 1 + life_draw(l, NODES_MAX) % l->nodes, status_names[want], 0, 0);
	return (struct wish){ want, tries > 0 ? i : LIFE_CLIENTS };
}

/* The device that is online went at once, which nobody may forbid it; those that are left are away. */
static bool is_left_away(struct life *l, const struct wish *want, enum status is)
{
	return want->status == STATUS_ONLINE && is == STATUS_AWAY && want->by < LIFE_CLIENTS && !life_is_open(l, want->by);
}

/* And it stays. */
static void check_kept(struct life *l)
{
	for (uint32_t u = 0; u < USERS; u++) {
		struct presence_view v;

		view_of(l, u, 1, &v);
		if (l->kept[u] != 0 && v.status != STATUS_OFFLINE && custom_of(&v) != l->kept[u])
			life_fault(l, "(liveness) u%u set x%u, and shows x%u", u, l->kept[u], custom_of(&v));
	}
}

void truth_check_sets(struct life *l)
{
	struct wish want[USERS];

	life_did(l, "=== all set something");
	for (uint32_t u = 0; u < USERS && !life_is_over(l); u++) {
		want[u] = set_user(l, u);
		life_settle(l);
		life_wait(l, 10);
	}
	life_wait(l, TOLD_MS);
	if (life_is_over(l))
		return;
	truth_check(l, true);
	for (uint32_t u = 0; u < USERS; u++) {
		struct presence_view v;
		char text[TEXT];

		view_of(l, u, 1, &v);
		if (v.status != STATUS_OFFLINE && v.status != want[u].status && !is_left_away(l, &want[u], v.status))
			life_fault(l, "(liveness) u%u set %s, and is %s", u, status_names[want[u].status], describe(&v, text));
	}
	check_kept(l);
}

/* --- rooms --- */

static uint32_t rooms_at_server(struct life *l, uint32_t i)
{
	const struct sim *sim = &life_crowd(l, l->guests[i].node)->sim;
	uint32_t conn = sim->links[life_client(l, i)->link].conn, rooms = 0;
	enum room_kind kind;
	struct str room;

	for (uint32_t n = 0; engine_room_of(sim->server->engine, conn, n, &room, &kind); n++)
		if (room.n == 2 && room.p[0] == 'r')
			rooms |= 1u << (room.p[1] - '0');
	return rooms;
}

/* What one types to all by name all see, wherever they are. */
static void check_typing_to(struct life *l)
{
	uint32_t i = 0, room = 0;

	while (i < LIFE_CLIENTS && !(life_is_open(l, i) && life_client(l, i)->dialect == DIALECT_SNAKE && (l->guests[i].opens >> room & 1)))
		i++;
	if (i == LIFE_CLIENTS || life_client(l, i)->silent || life_has(l, WITH_MESSAGE_RATE))
		return;
	deeds_type_to(l, i, room, (1 << USERS) - 1, false);
	life_settle(l);
	life_wait(l, ANSWER_MS);
	for (uint32_t k = 0; k < LIFE_CLIENTS; k++) {
		enum dialect_id dialect = life_client(l, k)->dialect;

		if (life_is_open(l, k) && l->guests[k].user != l->guests[i].user && (dialect == DIALECT_SNAKE || dialect == DIALECT_DOTTED) &&
		    !misses_typing(l, k) && !(l->guests[k].typing[room] >> l->guests[i].user & 1))
			life_fault(l, "(liveness) c%u on node %u does not hear that c%u types to it", k, l->guests[k].node, i);
	}
}

/* Who was told so is in the room, and nobody else; and what is said to the room, at any node, reaches them all. */
void truth_check_rooms(struct life *l)
{
	uint32_t first = l->step + USERS + 1;

	life_did(l, "=== something is said in each room");
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		if (life_is_open(l, i) && !l->guests[i].short_changed && rooms_at_server(l, i) != l->guests[i].rooms)
			life_fault(l, "(liveness) c%u believes to be in rooms %#x, and is in %#x", i, l->guests[i].rooms, rooms_at_server(l, i));
	for (uint32_t r = 0; r <= ROOMS && !life_is_over(l); r++) {
		deeds_broadcast(l, first + r, 1 + life_draw(l, NODES_MAX) % l->nodes, &(struct notice){ .room_plus1 = r < ROOMS ? r + 1 : 0 });
		life_settle(l);
		life_wait(l, ANSWER_MS);
		for (uint32_t i = 0; i < LIFE_CLIENTS; i++) {
			const struct guest *d = &l->guests[i];
			bool meant = life_is_open(l, i) && (r == ROOMS ? life_client(l, i)->dialect != DIALECT_ROSTER : d->rooms >> r & 1);
			bool heard = false;

			for (uint32_t k = 0; k < MESSAGES_MAX && k < d->message_count; k++)
				heard |= d->messages[k] == first + r;
			if (meant && !heard)
				life_fault(l, "(liveness) c%u on node %u does not hear what is said to %s%u", i, d->node, r < ROOMS ? "room r" : "all, ", r);
		}
	}
	if (!life_is_over(l))
		check_typing_to(l);
}

/* --- REST --- */

/* What `http` heard last at that node; "": nothing. */
static const char *answer_at(struct life *l, uint32_t node)
{
	const struct crowd *c = life_crowd(l, node);
	const char *last = "";

	for (size_t k = 0; k < c->heard_count; k++)
		if (strcmp(c->clients[c->heard[k].client].name, "http") == 0)
			last = c->heard[k].text;
	return last;
}

/* The list of who is online is the same as what everybody is told, at every node. */
void truth_check_rest(struct life *l)
{
	for (uint32_t n = 1; n <= l->nodes; n++) {
		const char *answer;

		deeds_get(l, n, "/presence");
		world_settle(&l->w);
		answer = answer_at(l, n);
		if (strncmp(answer, "200 ", 4) != 0)
			life_fault(l, "(liveness) node %u answers: %s", n, answer);
		for (uint32_t u = 0; u < USERS; u++) {
			struct presence_view v;
			char want[TEXT];

			view_of(l, u, n, &v);
			snprintf(want, sizeof(want), "{u%u,u%u,%s", u, u, v.status == STATUS_OFFLINE ? "" : status_names[v.status]);
			if ((strstr(answer, want) != NULL) != (v.status != STATUS_OFFLINE))
				life_fault(l, "(liveness) node %u lists %s, and u%u is %s", n, answer, u, status_names[v.status]);
		}
		life_settle(l);
	}
}

/* --- calls --- */

static bool any_rings(const struct life *l)
{
	for (uint32_t k = 1; k < LIFE_STEPS_MAX; k++)
		if (l->phones[k].caller != 0 && l->phones[k].alive != 0)
			return true;
	return false;
}

/* A call is over for all, or for none of the two who are in it. */
void truth_check_calls(struct life *l)
{
	life_did(l, "=== calls ring out");
	life_wait(l, any_rings(l) || l->plan->seed % LONG_EVERY == 0 ? CALLS_MS : QUIET_MS);
	for (uint32_t k = 1; k < LIFE_STEPS_MAX && !life_is_over(l); k++) {
		uint32_t alive = 0, caller = l->phones[k].caller;

		for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
			if (l->phones[k].alive >> i & 1 && life_is_open(l, i) && !l->guests[i].short_changed)
				alive |= 1u << i;
			else if (l->phones[k].alive >> i & 1 && life_is_open(l, i))
				caller = 0;
		if (caller == 0 || alive == 0)
			continue;
		if (!l->phones[k].answered || !(alive >> (caller - 1) & 1) || __builtin_popcount(alive) != 2)
			life_fault(l, "(liveness) call k%u of c%u is %sanswered, and %#x believe to be in it", k, caller - 1, l->phones[k].answered ? "" : "not ", alive);
	}
	if (!life_is_over(l)) {
		truth_check(l, true);
		check_kept(l);
	}
}
