/*
 * What clients do, by chance, each in its dialect's own words. What a step sets, asks or sends bears the step's number.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/rfc3339.h"
#include "presence/engine.h"
#include "server/state.h"
#include "sim/act.h"
#include "sim/living.h"
#include "sim/mint.h"

enum { ARGS_MAX = MINT_TOKEN_MAX + 256, FLAPS_MAX = 4, SDP_MAX = 9000, SAID_MAX = SDP_MAX + 512, MORE_MAX = 160, LIST_MAX = 64, LASTS_S_MAX = 15, SETS_NULL = LIFE_STEPS_MAX + 63 };

static const char *const status_words[] = { "online", "away", "busy", "dnd", "online", "away", "busy", "invisible" };

/* --- saying --- */

void deeds_say(struct life *l, uint32_t i, const char *text)
{
	client_frame(life_crowd(l, l->guests[i].node), life_client(l, i), WS_TEXT, true, text, strlen(text));
}

/* One thing in the words of each dialect: %N is the number (a request's id), %s the text given, %C what follows of the custom status. */
struct phrase {
	const char *words[DIALECT_COUNT]; /* NULL: it has none */
};

/* False: the dialect has no words for it. */
static bool say(struct life *l, uint32_t i, uint32_t number, const struct phrase *phrase, const char *text, const char *more)
{
	static const char *const names[DIALECT_COUNT] = { "snake", "dotted", "rooms", "roster", "upper", "echo" };
	struct guest *d = &l->guests[i];
	enum dialect_id dialect = life_client(l, i)->dialect;
	const char *p = phrase->words[dialect];
	char out[SAID_MAX];
	size_t n = 0;

	if (p == NULL)
		return false;
	for (; *p != '\0' && n < sizeof(out) - 1; p++) {
		if (*p != '%')
			out[n++] = *p;
		else
			n += (size_t)(*++p == 'N' ? snprintf(out + n, sizeof(out) - n, "%" PRIu32, number) :
			              snprintf(out + n, sizeof(out) - n, "%s", *p == 's' ? text : more));
	}
	out[n] = '\0';
	if (strncmp(out, "{\"id\":", 6) == 0 && d->asked_count < ASKED_MAX)
		d->asked[d->asked_count++] = number;
	life_did(l, "    c%u@%u u%u (%s) says %.300s", i, d->node, d->user, names[dialect], out);
	deeds_say(l, i, out);
	return true;
}

/* --- coming --- */

/* As another user, who may be told less of the one that it was: what of it nobody else sees. */
static void forget_seen(struct crowd *c, const struct client *cl)
{
	for (uint32_t k = 0; k < c->seen_count; k++)
		if (c->seen[k].by == cl)
			c->seen[k].at[0] = '\0';
}

static void come(struct life *l, uint32_t i, uint32_t node, uint32_t user, const char *dialect, bool in_band, const struct permit *permit)
{
	char args[ARGS_MAX], token[MINT_TOKEN_MAX];
	int n = snprintf(args, sizeof(args), "%s device=d%u ip=127.0.0.%u", dialect, i, 1 + i % 3);

	client_drop(life_crowd(l, l->guests[i].node), life_client(l, i));
	l->guests[i].node = node;
	l->guests[i].user = user;
	life_forget(l, i);
	forget_seen(life_crowd(l, node), life_client(l, i));
	l->stir_ms[user] = world_now_ms(&l->w);
	l->guests[i].permit = *permit;
	life_did(l, "    c%u comes to node %u as u%u (%s%s%s)", i, node, user, dialect, tokens_claim(permit), in_band ? ", and will say so later" : "");
	if (!life_has(l, WITH_JWT))
		snprintf(args + n, sizeof(args) - (size_t)n, " user=u%u", user);
	else if (!in_band)
		snprintf(args + n, sizeof(args) - (size_t)n, " token=%s", tokens_mint(l, node, user, permit, token));
	if (!life_has(l, WITH_JWT))
		l->guests[i].opens = tokens_opens(&(struct permit){ 0 });
	else if (!in_band) {
		l->guests[i].opens = tokens_opens(permit);
		l->guests[i].expires_ms = tokens_end_ms(l, node, permit);
	}
	l->guests[i].stranger = life_has(l, WITH_JWT) && in_band;
	act_does(life_crowd(l, node), life_client(l, i), STR("connect"), str_of_text(args));
}

static uint32_t draw_node(struct life *l)
{
	return 1 + life_draw(l, NODES_MAX) % l->nodes;
}

static void connect(struct life *l, uint32_t i)
{
	static const char *const dialects[] = { "snake", "dotted", "rooms", "roster", "upper", "dotted", "dotted" };
	uint32_t node = draw_node(l), user = life_draw(l, USERS), which = life_draw(l, 7);
	struct permit permit = tokens_draw(l);

	come(l, i, node, user, dialects[which], which == 6 && life_has(l, WITH_JWT), &permit);
}

/* Comes and goes, some times at the same instant. */
static void flap(struct life *l, uint32_t i)
{
	uint32_t node = draw_node(l), user = life_draw(l, USERS), times = 1 + life_draw(l, FLAPS_MAX), pause_ms = life_draw(l, 3) * 50;

	for (uint32_t k = 0; k < times && !life_is_over(l); k++) {
		come(l, i, node, user, k % 2 == 0 ? "snake" : "upper", false, &(struct permit){ 0 });
		if (k % 2 == 1)
			world_settle(&l->w);
		if (k + 1 == times)
			break;
		client_drop(life_crowd(l, node), life_client(l, i));
		life_forget(l, i);
		if (pause_ms > 0)
			life_wait(l, pause_ms);
	}
}

/* --- going --- */

static void drop(struct life *l, uint32_t i)
{
	life_did(l, "    c%u drops", i);
	client_drop(life_crowd(l, l->guests[i].node), life_client(l, i));
	life_forget(l, i);
}

static void close(struct life *l, uint32_t i)
{
	life_did(l, "    c%u closes", i);
	if (life_client(l, i)->dialect == DIALECT_UPPER && life_draw(l, 2) == 0) {
		deeds_say(l, i, "{\"type\":\"DISCONNECT\"}");
		l->guests[i].leaving = true;
	} else {
		client_close(life_crowd(l, l->guests[i].node), life_client(l, i), 1000);
	}
}

/* --- statuses --- */

static const struct phrase set_status = { {
	[DIALECT_SNAKE] = "{\"type\":\"presence_update\",\"payload\":{\"online_status\":\"%s\"%C}}",
	[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"presence.update\",\"payload\":{\"status\":\"%s\"%C}}",
	[DIALECT_ROOMS] = "{\"type\":\"status\",\"status\":\"%s\"%C}",
	[DIALECT_UPPER] = "{\"type\":\"PRESENCE_UPDATE\",\"payload\":{\"status\":\"%s\"}}",
} };

/* What is said of the custom status, behind a status that is set; SETS_NULL takes it away. */
static void put_custom(struct life *l, uint32_t user, uint32_t node, uint32_t custom, uint32_t lasts_s, char out[MORE_MAX])
{
	const struct sim *sim = &life_crowd(l, node)->sim;
	struct caption *c = &l->captions[custom];
	char until[RFC3339_BYTES + 1] = "";
	int n;

	out[0] = '\0';
	/* What is said to a process that is stopped is set once it goes on. */
	l->set_step[user][node] = life_crowd(l, node)->sim.frozen ? UINT32_MAX : l->step;
	if (custom == SETS_NULL)
		snprintf(out, MORE_MAX, ",\"custom_status\":null");
	if (custom == SETS_NULL || custom == 0)
		return;
	*c = (struct caption){ .set = true, .user = (uint8_t)user, .node = (uint8_t)node, .boots = world_node(&l->w, node)->boots };
	c->late = sim->frozen || sim->failing_accepts > 0 || sim->now.mono.ms < sim->accepts_ms;
	n = snprintf(out, MORE_MAX, ",\"custom_status\":\"x%u%s\"", custom, custom % 4 == 0 ? " \\\"\\u00e9\\\\\\n\\/" : "");
	if (lasts_s == 0)
		return;
	l->lapses[user] = true;
	c->expires_ms = sim->now.wall.ms + 1000 * (int64_t)lasts_s;
	rfc3339_format((wall_t){ c->expires_ms }, until);
	snprintf(out + n, MORE_MAX - (size_t)n, ",\"custom_status_expires_at\":\"%.*s\"", RFC3339_BYTES, until);
}

void deeds_set_status(struct life *l, uint32_t i, const char *status, uint32_t custom, uint32_t lasts_s)
{
	bool of_step = custom == 0 || custom == SETS_NULL;
	char more[MORE_MAX];

	put_custom(l, l->guests[i].user, l->guests[i].node, life_client(l, i)->dialect == DIALECT_UPPER ? 0 : custom, lasts_s, more);
	say(l, i, of_step ? l->step : custom, &set_status, status, more);
}

static uint32_t draw_custom(struct life *l, uint32_t of)
{
	return life_draw(l, of) == 0 ? l->step : life_draw(l, 4) == 0 ? SETS_NULL : 0;
}

static uint32_t draw_lasting(struct life *l)
{
	return life_draw(l, 3) == 0 ? 1 + life_draw(l, LASTS_S_MAX) : 0;
}

static const char *draw_status(struct life *l, uint32_t user)
{
	const char *word = status_words[life_draw(l, life_may(l, INVISIBLE) ? 8 : 7)];

	if (strcmp(word, "invisible") == 0) {
		l->maybe_hidden[user] = true;
		l->injected[INVISIBLE]++;
	}
	return word;
}

static void set_a_status(struct life *l, uint32_t i)
{
	const char *word = draw_status(l, l->guests[i].user);
	uint32_t custom = life_draw(l, 2) > 0 ? l->step : draw_custom(l, 3);

	deeds_set_status(l, i, word, custom, draw_lasting(l));
}

/* --- rooms --- */

static const struct phrase subscribe = { {
	[DIALECT_SNAKE] = "{\"type\":\"subscribe\",\"payload\":{\"conversation_id\":\"%s\"}}",
	[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"subscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"conversation_id\":\"%s\"}}}",
	[DIALECT_ROOMS] = "{\"type\":\"subscribe\",\"channel_id\":\"%s\"}",
} };
static const struct phrase unsubscribe = { {
	[DIALECT_SNAKE] = "{\"type\":\"unsubscribe\",\"payload\":{\"conversation_id\":\"%s\"}}",
	[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"unsubscribe\",\"payload\":{\"topics\":[\"conversation\"],\"filters\":{\"conversation_id\":\"%s\"}}}",
	[DIALECT_ROOMS] = "{\"type\":\"unsubscribe\",\"channel_id\":\"%s\"}",
} };
static const struct phrase type = { {
	[DIALECT_SNAKE] = "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"%s\",\"is_typing\":true}}",
	[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"typing.start\",\"payload\":{\"conversation_id\":\"%s\"}}",
	[DIALECT_ROOMS] = "{\"type\":\"typing\",\"channel_id\":\"%s\"}",
} };
static const struct phrase stop = { {
	[DIALECT_SNAKE] = "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"%s\",\"is_typing\":false}}",
	[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"typing.stop\",\"payload\":{\"conversation_id\":\"%s\"}}",
} };
static const struct phrase mark_read = { {
	[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"mark.read\",\"payload\":{\"conversation_id\":\"%s\",\"message_id\":\"m1\"}}",
} };
static const struct phrase ping = { {
	"{\"type\":\"ping\"}", "{\"id\":%N,\"type\":\"ping\"}", "{\"type\":\"ping\"}", "{\"type\":\"ping\"}", "{\"type\":\"HEARTBEAT\"}", NULL,
} };
static const struct phrase query = { {
	[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"presence.query\",\"payload\":{\"user_ids\":[\"u0\",\"u1\",\"nobody\"]}}",
	[DIALECT_SNAKE] = "{\"type\":\"heartbeat\"}",
} };
/* What is no message of the dialect is answered by an error, and the connection stays. */
static const struct phrase nonsense = { {
	"{\"type\":\"nonsense\"}", "{\"id\":%N,\"type\":\"nonsense\"}", "{\"type\":", "[]", "{\"type\":\"nonsense\"}", NULL,
} };

/* `"u1","u3"` for a bit of each. */
static const char *list_of(uint32_t users, char out[LIST_MAX])
{
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t u = 0; u < USERS; u++)
		if (users >> u & 1)
			n += (size_t)snprintf(out + n, LIST_MAX - n, "%s\"u%u\"", n > 0 ? "," : "", u);
	return out;
}

/* Types, or stops, to some by name, whoever is in the room. */
void deeds_type_to(struct life *l, uint32_t i, uint32_t room, uint32_t users, bool stops)
{
	static const struct phrase phrases[] = {
		{ { "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"%s\",\"is_typing\":true,\"recipient_ids\":[%C]}}" } },
		{ { "{\"type\":\"typing\",\"payload\":{\"conversation_id\":\"%s\",\"is_typing\":false,\"recipient_ids\":[%C]}}" } },
	};
	char list[LIST_MAX], name[8];

	snprintf(name, sizeof(name), "r%u", room);
	say(l, i, l->step, &phrases[stops], name, list_of(users, list));
	if (tokens_may_open(&l->guests[i]) >> room & 1)
		l->speaks_to[l->guests[i].user][room] |= users;
}

static void be_in_rooms(struct life *l, uint32_t i)
{
	static const struct phrase *const phrases[] = {
		&subscribe, &subscribe, &subscribe, &subscribe, &unsubscribe, &type, &type, &type, &stop, &mark_read, &mark_read, &ping, &query, &nonsense,
	};
	uint32_t which = life_draw(l, 14), room = life_draw(l, ROOMS);
	char name[8];

	snprintf(name, sizeof(name), "r%u", room);
	if (phrases[which] == &type && life_client(l, i)->dialect == DIALECT_SNAKE && life_draw(l, 3) > 0) {
		uint32_t users = 1 + life_draw(l, (1 << USERS) - 1);

		deeds_type_to(l, i, room, users, life_draw(l, 4) == 0);
		return;
	}
	if (!say(l, i, l->step, phrases[which], name, "") || !(tokens_may_open(&l->guests[i]) >> room & 1))
		return;
	if (phrases[which] == &subscribe) {
		l->guests[i].joining |= 1u << room;
		l->ever[l->guests[i].user] |= 1u << room;
	} else if (phrases[which] == &type || phrases[which] == &stop || phrases[which] == &mark_read) {
		l->speaks[l->guests[i].user] |= 1u << room;
	}
}

/* --- calls --- */

static void call(struct life *l, uint32_t i)
{
	static const struct phrase offer = { {
		[DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"call.offer\",\"payload\":{\"call_id\":\"k%N\",\"target_user_id\":\"%s\",\"sdp\":\"%C\"}}",
	} };
	uint32_t user = life_draw(l, USERS), n = life_draw(l, 2) == 0 ? 3 : life_draw(l, SDP_MAX);
	char name[8], sdp[SDP_MAX + 1];

	if (life_client(l, i)->dialect != DIALECT_DOTTED)
		return;
	snprintf(name, sizeof(name), "u%u", user);
	memset(sdp, 'v', n);
	sdp[n] = '\0';
	l->phones[l->step].caller = (uint8_t)(i + 1);
	l->phones[l->step].sdp_bytes = n;
	say(l, i, l->step, &offer, name, sdp);
}

/* The newest call that the device knows of: answers it, goes on with it, or ends it. */
static void be_in_call(struct life *l, uint32_t i)
{
	static const struct phrase phrases[] = {
		{ { [DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"call.answer\",\"payload\":{\"call_id\":\"%s\",\"sdp\":\"v=1\"}}" } },
		{ { [DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"call.ice\",\"payload\":{\"call_id\":\"%s\",\"candidate\":{}}}" } },
		{ { [DIALECT_DOTTED] = "{\"id\":%N,\"type\":\"call.hangup\",\"payload\":{\"call_id\":\"%s\"}}" } },
	};
	uint32_t what = life_draw(l, 5), k = l->step;
	char name[16];

	while (k > 0 && !(l->phones[k].alive >> i & 1))
		k--;
	if (k == 0)
		return;
	snprintf(name, sizeof(name), "k%u", k);
	say(l, i, l->step, &phrases[what < 3 ? 0 : what - 2], name, "");
}

/* --- REST --- */

static void request(struct life *l, uint32_t node, const char *method, const char *path, const char *body)
{
	struct client *cl = client_named(life_crowd(l, node), "http", 4);

	life_did(l, "    %s %s %s at node %u", method, path, body == NULL ? "" : body, node);
	snprintf(cl->with, CLIENT_WITH_MAX, "%s", "Authorization: Bearer sesame\r\n");
	client_request(life_crowd(l, node), cl, method, str_of_text(path), body == NULL ? STR_NONE : str_of_text(body));
}

void deeds_get(struct life *l, uint32_t node, const char *path)
{
	request(l, node, "GET", path, NULL);
}

void deeds_put_status(struct life *l, uint32_t user, uint32_t node, const char *status, uint32_t custom, uint32_t lasts_s)
{
	char path[64], body[MORE_MAX + 64], more[MORE_MAX];

	put_custom(l, user, node, custom, lasts_s, more);
	snprintf(path, sizeof(path), "/api/v1/presence/u%u", user);
	snprintf(body, sizeof(body), "{\"online_status\":\"%s\",\"metadata\":{\"n\":%u}%s}", status, l->step, more);
	request(l, node, "PUT", path, body);
}

void deeds_broadcast(struct life *l, uint32_t number, uint32_t node, const struct notice *to)
{
	char body[256], list[LIST_MAX], without[LIST_MAX + 16] = "";

	if (to->exclude != 0)
		snprintf(without, sizeof(without), ",\"exclude\":[%s]", list_of(to->exclude, list));
	if (to->room_plus1 > 0)
		snprintf(body, sizeof(body), "{\"room\":\"r%u\",\"data\":{\"n\":%u}%s}", to->room_plus1 - 1, number, without);
	else if (to->users != 0)
		snprintf(body, sizeof(body), "{\"users\":[%s],\"data\":{\"n\":%u}%s}", list_of(to->users, list), number, without);
	else
		snprintf(body, sizeof(body), "{\"all\":true,\"data\":{\"n\":%u}%s}", number, without);
	l->notices[number] = *to;
	l->notices[number].sent = true;
	request(l, node, "POST", "/api/v1/broadcast", body);
}

/* Where there is one node, they are gone at once. */
static void kick(struct life *l, uint32_t node, uint32_t user)
{
	const struct sim *sim = &life_crowd(l, node)->sim;
	bool heard = !sim->frozen && sim->failing_accepts == 0 && sim->now.mono.ms >= sim->accepts_ms;
	char path[64];

	snprintf(path, sizeof(path), "/admin/users/u%u", user);
	l->kicked[user] = true;
	request(l, node, "DELETE", path, NULL);
	world_settle(&l->w);
	if (l->nodes > 1 || sim->server == NULL || l->limited || !heard)
		return;
	for (uint32_t i = 0; i < LIFE_CLIENTS; i++) {
		struct device_view device;
		struct str id;

		if (life_is_open(l, i) && l->guests[i].user == user && !life_client(l, i)->stalled &&
		    engine_whois(sim->server->engine, sim->links[life_client(l, i)->link].conn, &id, &device, sim->now) && id.p[1] == (char)('0' + user))
			life_fault(l, "(8) c%u was sent away, and is in", i);
	}
}

static void rest(struct life *l)
{
	static const char *const reads[] = { "/presence", "/presence/u1", "/api/v1/presence/u2", "/api/v1/presence/u3/devices", "/health", "/ready", "/metrics" };
	uint32_t what = life_draw(l, 14), node = draw_node(l), user = life_draw(l, USERS), more = life_draw(l, 64);
	char path[64], body[128];

	if (what >= 10) {
		beats_send(l, node, user, more % 2 == 0 ? more / 2 % PIN_FIRST_CLIENT : PIN_FIRST_CLIENT + more / 2 % LIFE_CLIENTS);
	} else if (what < 4) {
		const char *word = draw_status(l, user);
		uint32_t custom = draw_custom(l, 3);

		deeds_put_status(l, user, node, word, custom, draw_lasting(l));
	} else if (what < 7) {
		struct notice to = { .room_plus1 = more % 3 == 0 ? 1 + more / 3 % ROOMS : 0, .users = more % 3 == 1 ? more >> 1 & 31 : 0 };

		to.exclude = life_draw(l, 3) == 0 ? life_draw(l, 1 << USERS) : 0;
		deeds_broadcast(l, l->step, node, &to);
	} else if (what < 8 && more < 8) {
		kick(l, node, user);
	} else if (what < 8) {
		snprintf(path, sizeof(path), "/api/v1/typing");
		snprintf(body, sizeof(body), "{\"conversation_id\":\"r%u\",\"user_id\":\"u%u\",\"is_typing\":%s}", more % ROOMS, user, more & 32 ? "true" : "false");
		l->speaks[user] |= 1u << more % ROOMS;
		request(l, node, "POST", path, body);
	} else {
		request(l, node, "GET", reads[more % 7], NULL);
	}
}

/* --- tokens --- */

/* One who is in a room, if there is one: they have something to lose. */
static uint32_t in_a_room(struct life *l, uint32_t i)
{
	for (uint32_t k = 0; k < LIFE_CLIENTS; k++)
		if (life_is_open(l, (i + k) % LIFE_CLIENTS) && !life_client(l, (i + k) % LIFE_CLIENTS)->silent && l->guests[(i + k) % LIFE_CLIENTS].rooms != 0)
			return (i + k) % LIFE_CLIENTS;
	return i;
}

/* Another token on a connection that is in: of its user, or of somebody else, which changes nothing. */
static void renew(struct life *l, uint32_t i)
{
	static const struct phrase phrase = { {
		"{\"type\":\"authenticate\",\"payload\":{\"token\":\"%s\"}}", "{\"id\":%N,\"type\":\"authenticate\",\"payload\":{\"token\":\"%s\"}}",
		"{\"type\":\"authenticate\",\"token\":\"%s\"}", "{\"type\":\"authenticate\",\"token\":\"%s\"}",
		"{\"type\":\"authenticate\",\"payload\":{\"token\":\"%s\"}}", NULL,
	} };
	struct guest *d = &l->guests[i];
	struct permit permit = tokens_draw(l);
	char token[MINT_TOKEN_MAX];
	bool of_other = life_draw(l, 6) == 0;

	if (!life_has(l, WITH_JWT) || life_has(l, WITH_MESSAGE_RATE) || !tokens_expect(l, i, &permit, of_other))
		return;
	life_did(l, "    c%u renews its token%s%s", i, tokens_claim(&permit), of_other ? " by one of somebody else" : "");
	say(l, i, l->step, &phrase, tokens_mint(l, d->node, of_other ? (d->user + 1) % USERS : d->user, &permit, token), "");
}

/* --- what they do by themselves --- */

static void authenticate(struct life *l, uint32_t i)
{
	char text[MINT_TOKEN_MAX + 128], token[MINT_TOKEN_MAX];
	struct guest *d = &l->guests[i];

	snprintf(text, sizeof(text), "{\"type\":\"authenticate\",\"payload\":{\"token\":\"%s\"}}", tokens_mint(l, d->node, d->user, &d->permit, token));
	d->stranger = false; /* answered at once, or it is no connection */
	tokens_expect(l, i, &d->permit, false);
	deeds_say(l, i, text);
}

bool deeds_answer(struct life *l)
{
	bool any = false;

	for (uint32_t i = 0; i < LIFE_CLIENTS; i++) {
		struct guest *d = &l->guests[i];
		struct client *cl = life_client(l, i);

		if (d->stranger && d->open_ms >= 0 && cl->link >= 0 && !cl->close_heard && !cl->at_end) {
			authenticate(l, i);
			any = true;
		}
		if (!life_is_open(l, i) || cl->dialect != DIALECT_DOTTED || d->watches)
			continue;
		d->watches = true;
		deeds_say(l, i, "{\"type\":\"subscribe\",\"payload\":{\"topics\":[\"presence\"]}}");
		any = true;
	}
	return any;
}

void deeds_do(struct life *l)
{
	uint32_t what = life_draw(l, 100), i = life_draw(l, LIFE_CLIENTS);
	bool open = life_is_open(l, i);

	if (what >= 85) {
		rest(l);
		return;
	}
	for (uint32_t tries = LIFE_CLIENTS; what >= 50 && !open && tries > 0; tries--) { /* one who can, if there is one */
		i = (i + 1) % LIFE_CLIENTS;
		open = life_is_open(l, i);
	}
	if (l->plan->without_clients >> i & 1)
		return;
	if (what < 30 || (!open && what < 50))
		connect(l, i);
	else if (what < 34)
		flap(l, i);
	else if (what < 39)
		drop(l, i);
	else if (!open || life_client(l, i)->silent)
		return;
	else if (what < 43)
		close(l, i);
	else if (what < 60)
		set_a_status(l, i);
	else if (what < 77)
		be_in_rooms(l, i);
	else if (what < 79)
		call(l, i);
	else if (what < 82)
		renew(l, in_a_room(l, i));
	else
		be_in_call(l, i);
}
