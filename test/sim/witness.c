/*
 * What clients hear, as they put it down (client.h), and what of it may not be. The judgements are (4) of invariants.h: nobody is told
 * twice, states alternate, what is told was so, and in that order; messages reach whom they are for, once; every answer is to a question.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/living.h"

enum { ROSTER_MS = 1000, RATE_MS = 1000 };

/* --- presence --- */

static bool calm_since(int64_t bad_ms, int64_t now_ms)
{
	return bad_ms != INT64_MAX && now_ms - bad_ms > CALM_MS;
}

/* Is the user connected for long through a node that nothing befell for long, and hears the watcher's node of it? */
bool witness_must_be_online(struct life *l, uint32_t user, uint32_t watcher)
{
	int64_t now = world_now_ms(&l->w);

	if (l->maybe_hidden[user] || l->limited || !calm_since(l->redis_bad_ms, now) || !calm_since(l->node_bad_ms[l->guests[watcher].node], now))
		return false;
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++)
		if (l->guests[i].user == user && life_is_open(l, i) && now - l->guests[i].open_ms > SETTLED_MS &&
		    calm_since(l->node_bad_ms[l->guests[i].node], now) && !life_client(l, i)->silent && !life_client(l, i)->stalled)
			return true;
	for (uint32_t node = 1; node <= l->nodes; node++)
		if (calm_since(l->node_bad_ms[node], now) && beats_keep(l, node, user, SETTLED_MS))
			return true;
	return false;
}

/* The custom status in what is told of one user: the number of the step that set it; 0: none. */
static uint32_t custom_in(const char *words)
{
	uint32_t number = 0;

	for (const char *x = words; (x = strchr(x, 'x')) != NULL; x++)
		if (x > words && strchr(" \",", x[-1]) != NULL && sscanf(x, "x%" SCNu32, &number) == 1)
			return number;
	return 0;
}

int64_t witness_wall_ms(struct life *l, uint32_t node, int64_t at_ms)
{
	const struct sim *sim = &life_crowd(l, node)->sim;

	return sim->now.wall.ms - (sim->now.mono.ms - at_ms);
}

/*
 * Was `number` set before what the guest was told last of that node, and is the order known? What is set is one with all that was set before:
 * who sets something at another node, not having heard of the newest yet, may bring an older one back.
 */
static bool is_older(const struct life *l, const struct guest *d, uint32_t user, uint32_t number)
{
	const struct caption *is = &l->captions[number], *was = &l->captions[d->newest[user][is->node]];

	if (number >= d->newest[user][is->node] || is->late || was->late || is->boots != was->boots)
		return false;
	for (uint32_t node = 1; node <= l->nodes; node++)
		if (node != is->node && l->set_step[user][node] >= number)
			return false;
	return true;
}

/* Since the guest was told that the user went, what was set is forgotten where nobody else knows the user. */
static bool is_forgotten(struct life *l, uint32_t i, uint32_t user)
{
	const struct guest *d = &l->guests[i];

	return strcmp(d->knows[user], "offline") == 0 && world_now_ms(&l->w) >= d->shown_ms[user] + life_crowd(l, d->node)->sim.cfg.presence_ttl_ms;
}

/*
 * What was set later is told later, and nothing that has expired. A node that was cut off meanwhile brings back what the others have forgotten,
 * as it was when it heard of it last.
 */
static void learn_custom(struct life *l, uint32_t i, uint32_t user, uint32_t number, const char *words)
{
	const struct caption *c = &l->captions[number];
	struct guest *d = &l->guests[i];

	d->shows[user] = number;
	if (number == 0)
		return;
	if (number > l->step + USERS || !c->set || c->user != user) {
		life_fault(l, "(4) c%u is told of u%u what they have not set: %s", i, user, words);
		return;
	}
	if (c->expires_ms > 0 && witness_wall_ms(l, d->node, l->heard_ms) >= c->expires_ms && !d->behind)
		life_fault(l, "(4) c%u is told what has expired: %s", i, words);
	if (is_older(l, d, user, number) && !is_forgotten(l, i, user))
		life_fault(l, "(4) c%u is told an older state after x%u: %s", i, d->newest[user][c->node], words);
	else
		d->newest[user][c->node] = number;
}

/* Who may hear of whom: with audience=rooms, outside a presence topic, only those who were in a room together. */
static bool may_hear(const struct life *l, uint32_t i, uint32_t user, enum dialect_id dialect)
{
	return !life_has(l, WITH_AUDIENCE) || dialect == DIALECT_DOTTED || l->guests[i].user == user || (l->ever[l->guests[i].user] & l->ever[user]) != 0;
}

/* Who asked was told what had to wait, and then was over: then all are told how things stand. */
static bool was_asked(const struct life *l, uint32_t node, uint32_t user)
{
	int64_t asked_ms = l->asked_ms[node][user];

	return asked_ms > 0 && (l->heard_ms - asked_ms <= RATE_MS || !calm_since(l->node_bad_ms[node], l->heard_ms));
}

/*
 * What it was told was forgotten in between, which is told to nobody; or a clock passed the end of a custom status by a step, before its time;
 * or another node brought one with the news of who is not there, which is not told, and its end is.
 */
static bool may_say_again(struct life *l, uint32_t i, uint32_t user, const char *status)
{
	bool brought = l->nodes > 1 && strcmp(status, "offline") == 0;

	return (l->lapses[user] && (l->injected[WALL] > 0 || brought)) || is_forgotten(l, i, user) || was_asked(l, l->guests[i].node, user);
}

static void learn_one(struct life *l, uint32_t i, const char *status, uint32_t user, const char *words, int online)
{
	struct guest *d = &l->guests[i];
	enum dialect_id dialect = life_client(l, i)->dialect;
	bool whole = dialect == DIALECT_SNAKE || dialect == DIALECT_DOTTED; /* the others' words do not say all that may be new */

	if (is_forgotten(l, i, user))
		memset(d->newest[user], 0, sizeof(d->newest[user]));
	/* Whose socket is full hears the last of several changes, and that may be what they knew. */
	if (words != NULL && whole && !d->behind && !d->short_changed && !life_has(l, WITH_BYTES_CUT) && strcmp(words, d->told[user]) == 0 &&
	    !may_say_again(l, i, user, status))
		life_fault(l, "(4) c%u is told twice: %s", i, words);
	if (online >= 0 && online == d->online[user] && !d->behind && !d->short_changed && !life_has(l, WITH_BYTES_CUT))
		life_fault(l, "(4) c%u is told twice that u%u comes or goes: %s", i, user, words);
	if (strcmp(status, "offline") == 0 && words != NULL && !d->behind && witness_must_be_online(l, user, i))
		life_fault(l, "(4) c%u on node %u is told: %s, who is connected", i, d->node, words);
	if (words != NULL && !may_hear(l, i, user, dialect))
		life_fault(l, "(4) c%u is told: %s, and shares no room with them", i, words);
	if (online == 1)
		d->shows[user] = 0; /* what is shown is told in the next words */
	else if (online == 0)
		d->shows[user] = NOT_SAID;
	else if (words != NULL && whole)
		learn_custom(l, i, user, custom_in(words), words);
	snprintf(d->knows[user], WORD, "%s", status);
	snprintf(d->told[user], TEXT, "%s", words == NULL ? "" : words);
	if (strcmp(status, "offline") != 0)
		d->shown_ms[user] = l->heard_ms;
	if (online >= 0)
		d->online[user] = online;
}

/* `[{u0,online,1},{u1,offline,0}]`: what one who begins to watch is told. */
static void learn_snapshot(struct life *l, uint32_t i, const char *p)
{
	bool asked = strstr(p, " re:") != NULL;
	char status[WORD];
	unsigned user;

	while ((p = strstr(p, "{u")) != NULL) {
		if (sscanf(p, "{u%u,%15[a-z]", &user, status) == 2 && user < USERS) {
			const char *more = p + 4 + strlen(status);

			learn_custom(l, i, user, more[0] == ',' && strchr("x\"", more[1]) != NULL ? custom_in(more) : 0, p);
			learn_one(l, i, status, user, NULL, -1);
			if (asked)
				l->asked_ms[l->guests[i].node][user] = l->heard_ms;
			l->guests[i].online[user] = -1; /* what it shows may be a broadcast that the rate has put off */
		}
		p++;
	}
}

/* The roster is whole: who is not in it is offline. */
static void learn_roster(struct life *l, uint32_t i, const char *list)
{
	struct guest *d = &l->guests[i];
	char name[WORD];

	d->lists++;
	/* Who began to hear it in between was given a list of their own, and then all are told again; and who came and went. */
	if (strcmp(list, d->told[0]) == 0 && world_now_ms(&l->w) - l->roster_ms > 2 * ROSTER_MS && !d->behind && !d->short_changed && !life_may(l, INVISIBLE) &&
	    life_crowd(l, d->node)->sim.cfg.offline_debounce_ms >= ROSTER_MS)
		life_fault(l, "(4) c%u is told twice: %s", i, list);
	for (uint32_t u = 0; u < USERS; u++) {
		const char *was = d->knows[u], *is;

		snprintf(name, sizeof(name), "u%u", u);
		is = strstr(list, name) != NULL ? "online" : "offline";
		if (strcmp(is, "offline") == 0 && strcmp(was, "online") == 0 && !d->behind && witness_must_be_online(l, u, i))
			life_fault(l, "(4) c%u on node %u is told: %s, without u%u, who is connected", i, d->node, list, u);
		snprintf(d->knows[u], WORD, "%s", is);
	}
	snprintf(d->told[0], TEXT, "%s", list);
}

/* True: it was of presence. */
static bool learn_presence(struct life *l, uint32_t i, enum dialect_id dialect, const char *text)
{
	const char *words = strchr(text, ' ');
	char status[WORD];
	unsigned user;
	int online = -1;

	if (words == NULL)
		return false;
	words++;
	if (dialect == DIALECT_ROSTER && strncmp(text, "presence.user.online ", 21) == 0) {
		learn_roster(l, i, words);
		return true;
	}
	if (strncmp(text, "presence.update [", 17) == 0) {
		learn_snapshot(l, i, words);
		return true;
	}
	if (strncmp(text, "presence.online ", 16) == 0)
		online = 1;
	else if (strncmp(text, "presence.offline ", 17) == 0)
		online = 0;
	else if (strncmp(text, "presence_update ", 16) != 0 && strncmp(text, "PRESENCE_UPDATE ", 16) != 0 &&
		 strncmp(text, "presence ", 9) != 0 && strncmp(text, "presence.update ", 16) != 0)
		return false;
	if (sscanf(words, dialect == DIALECT_ROOMS ? "u%u %*s %15s" : "u%u %15s", &user, status) == 2 && user < USERS)
		learn_one(l, i, status, user, text, online); /* presence.offline says less than presence.update: not the same */
	return true;
}

/* --- rooms --- */

/* The room that is named first behind the first word. */
static bool room_in(const char *text, uint32_t *room)
{
	const char *r = text;

	while ((r = strchr(r, 'r')) != NULL) {
		if (r > text && (r[-1] == ' ' || r[-1] == '{') && sscanf(r, "r%" SCNu32, room) == 1 && *room < ROOMS)
			return true;
		r++;
	}
	return false;
}

/* Who is told by name need not be in the room. */
static void judge_typing(struct life *l, uint32_t i, uint32_t room, uint32_t user, const char *text)
{
	const struct guest *d = &l->guests[i];

	if (user == d->user)
		life_fault(l, "(4) c%u hears its own user: %s", i, text);
	if (l->speaks_to[user][room] >> d->user & 1)
		return;
	if (!((d->rooms | d->joining) >> room & 1))
		life_fault(l, "(4) c%u is not in the room, and hears: %s", i, text);
	if (!(d->opens >> room & 1))
		life_fault(l, "(8) c%u has no token for that room, and hears: %s", i, text);
	if (!(l->speaks[user] >> room & 1))
		life_fault(l, "(8) c%u hears of who has no token for that room, or did not: %s", i, text);
}

static void learn_typing(struct life *l, uint32_t i, const char *text)
{
	struct guest *d = &l->guests[i];
	bool stops = strncmp(text, "typing.stop ", 12) == 0 || strstr(text, "is_typing=false") != NULL;
	uint32_t room, user;
	const char *u = strstr(text, " u");

	if (!room_in(text, &room) || u == NULL || sscanf(u, " u%" SCNu32, &user) != 1 || user >= USERS)
		return;
	if (strstr(text, " re:") != NULL) { /* its own, answered */
		if (!(d->opens >> room & 1))
			life_fault(l, "(8) c%u has no token for that room, and hears: %s", i, text);
		return;
	}
	judge_typing(l, i, room, user, text);
	d->typing[room] = stops ? d->typing[room] & ~(1u << user) : d->typing[room] | 1u << user;
}

/* Whom it does not hear of through any room any more it is told of anew; and so are those who heard of it. */
static void part(struct life *l, uint32_t i)
{
	for (uint32_t k = 0; k < LIFE_CLIENTS; k++)
		if (k != i && life_client(l, k)->dialect != DIALECT_ROSTER)
			l->guests[k].told[l->guests[i].user][0] = '\0';
	for (uint32_t u = 0; u < USERS; u++)
		l->guests[i].told[u][0] = '\0';
}

/* True: it was of rooms. */
static bool learn_rooms(struct life *l, uint32_t i, const char *text)
{
	struct guest *d = &l->guests[i];
	bool leaves = strncmp(text, "unsubscribed ", 13) == 0;
	uint32_t room;

	if (strncmp(text, "typing", 6) == 0) {
		learn_typing(l, i, text);
		return true;
	}
	if (!leaves && strncmp(text, "subscribed ", 11) != 0)
		return false;
	if (strstr(text, "[presence]") != NULL || !room_in(text, &room))
		return true;
	if (!leaves && !(d->opens >> room & 1))
		life_fault(l, "(8) c%u has no token for that room, and hears: %s", i, text);
	d->rooms = leaves ? d->rooms & ~(1u << room) : d->rooms | 1u << room;
	d->joining &= ~(1u << room);
	if (leaves)
		d->typing[room] = 0;
	if (leaves && life_has(l, WITH_AUDIENCE))
		part(l, i);
	return true;
}

/* True: it was a receipt: of somebody else, in a room that the client is in. */
static bool learn_receipt(struct life *l, uint32_t i, const char *text)
{
	struct guest *d = &l->guests[i];
	const char *u = strstr(text, "] u");
	uint32_t room, user;

	if (strncmp(text, "message.read ", 13) != 0)
		return false;
	if (strstr(text, " re:") != NULL) { /* its own, answered */
		if (room_in(text, &room) && !(d->opens >> room & 1))
			life_fault(l, "(8) c%u has no token for that room, and hears: %s", i, text);
		return true;
	}
	if (!room_in(text, &room) || u == NULL || sscanf(u, "] u%" SCNu32, &user) != 1)
		life_fault(l, "(4) c%u hears of no receipt that was sent: %s", i, text);
	else if (user == d->user)
		life_fault(l, "(4) c%u hears its own user: %s", i, text);
	else if (!((d->rooms | d->joining) >> room & 1))
		life_fault(l, "(4) c%u is not in the room, and hears: %s", i, text);
	else if (!(d->opens >> room & 1) || !(l->speaks[user] >> room & 1))
		life_fault(l, "(8) c%u hears what a token does not open: %s", i, text);
	return true;
}

/* --- messages --- */

static bool had_before(struct guest *d, uint32_t number)
{
	uint32_t n = d->message_count < MESSAGES_MAX ? d->message_count : MESSAGES_MAX;

	for (uint32_t k = 0; k < n; k++)
		if (d->messages[k] == number)
			return true;
	d->messages[d->message_count++ % MESSAGES_MAX] = number;
	return false;
}

/* `message 7`, `message.new 7`, `message {"n":7}`, `MESSAGE 7`: the number is the step's. */
static bool learn_message(struct life *l, uint32_t i, const char *text)
{
	struct guest *d = &l->guests[i];
	const struct notice *n;
	const char *digits;
	uint32_t number;

	if (strncmp(text, "message ", 8) != 0 && strncmp(text, "message.new ", 12) != 0 && strncmp(text, "MESSAGE ", 8) != 0)
		return false;
	digits = text + strcspn(text, "0123456789");
	number = (uint32_t)strtoul(digits, NULL, 10);
	n = number < LIFE_STEPS_MAX + 64 ? &l->notices[number] : NULL;
	if (n == NULL || !n->sent)
		life_fault(l, "(4) c%u hears what nobody has said: %s", i, text);
	else if (had_before(d, number) && l->w.redis.stats.doubled == 0) /* what Redis doubles is heard twice */
		life_fault(l, "(4) c%u hears twice: %s", i, text);
	else if (n->room_plus1 > 0 ? !((d->rooms | d->joining) >> (n->room_plus1 - 1) & 1) : n->users != 0 && !(n->users >> d->user & 1))
		life_fault(l, "(4) c%u hears what is not for it: %s", i, text);
	else if (n->exclude >> d->user & 1)
		life_fault(l, "(4) c%u is not to hear it, and does: %s", i, text);
	else if (n->room_plus1 > 0 && !(d->opens >> (n->room_plus1 - 1) & 1))
		life_fault(l, "(8) c%u has no token for that room, and hears: %s", i, text);
	return true;
}

/* --- calls --- */

static bool learn_call(struct life *l, uint32_t i, const char *text)
{
	const char *k = strstr(text, " k");
	uint32_t number;
	struct phone *p;

	if (strncmp(text, "call.", 5) != 0 || k == NULL || sscanf(k, " k%" SCNu32, &number) != 1 || number >= LIFE_STEPS_MAX + 64)
		return false;
	p = &l->phones[number];
	if (p->caller == 0)
		life_fault(l, "(4) c%u hears of a call that nobody made: %s", i, text);
	if (strncmp(text, "call.offer ", 11) == 0 && strstr(text, " re:") == NULL && strspn(k + strcspn(k + 1, " ") + 2, "v") != p->sdp_bytes)
		life_fault(l, "(4) c%u is not told what was offered: %s", i, text);
	if (strncmp(text, "call.ended ", 11) == 0)
		p->alive &= ~(1u << i);
	else if (strncmp(text, "call.incoming ", 14) == 0 || (strncmp(text, "call.offer ", 11) == 0 && strstr(text, " re:") != NULL))
		p->alive |= 1u << i;
	else if (strncmp(text, "call.answer ", 12) == 0 && p->caller == i + 1)
		p->answered = true;
	return true;
}

/* --- answers --- */

static void learn_answer(struct life *l, uint32_t i, const char *text)
{
	struct guest *d = &l->guests[i];
	const char *re = strstr(text, " re:");
	uint32_t number, k = 0;

	if (re == NULL || sscanf(re, " re:%" SCNu32, &number) != 1)
		return;
	while (k < d->asked_count && d->asked[k] != number)
		k++;
	if (k == d->asked_count)
		life_fault(l, "(4) c%u gets an answer that it has not asked for, or twice: %s", i, text);
	else
		d->asked[k] = d->asked[--d->asked_count];
}

/* Who is polite is closed only for what is written down. */
static void judge_close(struct life *l, uint32_t i, const struct client *cl, const char *text)
{
	const struct guest *d = &l->guests[i];
	unsigned code = (unsigned)strtoul(text + 6, NULL, 10);
	bool told = code == 1000 || (code == 1001 && l->quits[d->node]) || (code == 4003 && life_has(l, WITH_USER_CAP)) ||
	            (code == 4001 && d->expires_ms > 0) || (code == 4002 && l->kicked[d->user]);
	bool weak = d->behind || d->short_changed || d->leaving || cl->silent || life_has(l, WITH_BUFFER) || life_has(l, WITH_BYTES_CUT);

	if (!told && !weak && !(code == 1008 && life_has(l, WITH_MESSAGE_RATE)))
		life_fault(l, "(9) c%u has done nothing wrong, and hears: %s", i, text);
}

/* --- all --- */

static void learn(struct life *l, uint32_t i, const struct client *cl, const char *text)
{
	struct guest *d = &l->guests[i];

	if (strstr(text, GHOST) != NULL)
		life_fault(l, "(8) c%u hears of somebody who never came in: %s", i, text);
	/* "end" alone: it may have been in for a moment, unheard. */
	if (strcmp(text, "open") == 0 || strncmp(text, "close ", 6) == 0 || strcmp(text, "end") == 0)
		l->stir_ms[d->user] = world_now_ms(&l->w);
	if (strcmp(text, "not JSON") == 0)
		life_fault(l, "(4) c%u hears what is no JSON", i);
	if (strcmp(text, "open") == 0) {
		memset(d->knows, 0, sizeof(d->knows)); /* what was told before was told to the one before */
		memset(d->told, 0, sizeof(d->told));
		memset(d->shows, 0, sizeof(d->shows));
		memset(d->newest, 0, sizeof(d->newest));
		d->open_ms = world_now_ms(&l->w);
		l->roster_ms = cl->dialect == DIALECT_ROSTER ? d->open_ms : l->roster_ms;
		return;
	}
	tokens_judge(l, i, text);
	tokens_hear(l, i, text);
	if (strncmp(text, "close ", 6) == 0) {
		judge_close(l, i, cl, text);
		return;
	}
	if (cl->dialect == DIALECT_DOTTED)
		learn_answer(l, i, text);
	if (!learn_presence(l, i, cl->dialect, text) && !learn_rooms(l, i, text) && !learn_receipt(l, i, text) && !learn_message(l, i, text))
		learn_call(l, i, text);
}

void witness_listen(struct life *l)
{
	for (uint32_t node = 1; node <= l->nodes; node++) {
		struct crowd *c = life_crowd(l, node);

		for (size_t k = 0; k < c->heard_count; k++) {
			const struct heard *h = &c->heard[k];
			const struct client *cl = &c->clients[h->client];
			uint32_t i = (uint32_t)strtoul(cl->name + 1, NULL, 10);

			l->heard_ms = h->at_ms;
			if (l->plan->show == SHOW_ALL)
				life_did(l, "   %s@%u %s @%lld %s", cl->name, node, h->text, (long long)h->at_ms, h->json == NULL ? "" : h->json);
			if (cl->name[0] == 'c' && l->guests[i].node == node)
				learn(l, i, cl, h->text);
			else if (cl->name[0] == 'b')
				beats_hear(l, node, h);
		}
		crowd_forget(c);
	}
}
