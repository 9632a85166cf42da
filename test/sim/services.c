/*
 * Invariants: every question that was taken stands in asked[] until it is answered, once; two with the same ticket are never there.
 */
#include "sim/services.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/waiting.h"

/* --- words --- */

static struct str word(struct str *rest)
{
	struct str w;
	size_t n = 0;

	while (rest->n > 0 && rest->p[0] == ' ')
		*rest = str_of(rest->p + 1, rest->n - 1);
	while (n < rest->n && rest->p[n] != ' ')
		n++;
	w = str_of(rest->p, n);
	*rest = str_of(rest->p + n, rest->n - n);
	return w;
}

/* Digits, never, refused, garbage. */
static bool reply_of(struct str w, struct service_reply *r)
{
	if (str_eq(w, STR("never"))) {
		r->what = SERVICE_NEVER;
	} else if (str_eq(w, STR("refused"))) {
		r->what = SERVICE_REFUSED;
	} else if (str_eq(w, STR("garbage"))) {
		r->what = SERVICE_GARBAGE;
	} else if (w.n == 3 && w.p[0] >= '1' && w.p[0] <= '9') {
		r->what = SERVICE_STATUS;
		r->status = (unsigned)((w.p[0] - '0') * 100 + (w.p[1] - '0') * 10 + (w.p[2] - '0'));
	} else {
		return false;
	}
	return true;
}

static bool take_after(struct str *words, int64_t *ms)
{
	struct str rest = *words, w = word(&rest), prefix = STR("after=");

	*ms = 0;
	if (!str_has_prefix(w, prefix))
		return true;
	*words = rest;
	return mint_duration(str_of(w.p + prefix.n, w.n - prefix.n), ms);
}

bool services_set_keys(struct services *v, struct str words)
{
	struct service_reply r = { .what = SERVICE_KEYS, .status = 200 };
	struct str rest, w;

	if (!take_after(&words, &r.after_ms) || words.n >= sizeof(v->key_names))
		return false;
	rest = words;
	w = word(&rest);
	memset(v->key_names, 0, sizeof(v->key_names));
	if (!reply_of(w, &r))
		memcpy(v->key_names, words.p, words.n);
	v->keys = r;
	return true;
}

static uint32_t user_at(struct services *v, struct str id)
{
	uint32_t i = 0;

	while (i < v->user_count && !str_eq(id, str_of(v->users[i].id, strlen(v->users[i].id))))
		i++;
	if (i == v->user_count && i < SERVICES_USERS_MAX && id.n < SERVICES_NAME_MAX) {
		v->users[i].reply = v->other_users;
		memcpy(v->users[i].id, id.p, id.n);
		v->user_count++;
	}
	return i;
}

bool services_set_users(struct services *v, struct str words)
{
	int64_t after_ms;

	if (!take_after(&words, &after_ms))
		return false;
	for (struct str w = word(&words); w.n > 0; w = word(&words)) {
		const char *eq = memchr(w.p, '=', w.n);
		struct service_reply r = { .after_ms = after_ms };
		struct str id;
		uint32_t i;

		if (eq == NULL || !reply_of(str_of(eq + 1, w.n - (size_t)(eq + 1 - w.p)), &r))
			return false;
		id = str_of(w.p, (size_t)(eq - w.p));
		if (str_eq(id, STR("*"))) {
			v->other_users = r;
			continue;
		}
		i = user_at(v, id);
		if (i >= SERVICES_USERS_MAX)
			return false;
		v->users[i].reply = r;
	}
	return true;
}

static uint32_t asked_of(const struct services *v, struct str what)
{
	if (str_eq(what, STR("keys")))
		return v->keys_asked;
	if (str_eq(what, STR("users")))
		return v->users_asked;
	if (str_eq(what, STR("refused")))
		return v->refused;
	for (uint32_t i = 0; i < v->user_count; i++)
		if (str_eq(what, str_of(v->users[i].id, strlen(v->users[i].id))))
			return v->users[i].asked;
	return 0;
}

bool services_were_asked(const struct services *v, struct str words, char *got, size_t cap)
{
	got[0] = '\0';
	for (struct str w = word(&words); w.n > 0; w = word(&words)) {
		const char *eq = memchr(w.p, '=', w.n);
		char digits[16] = "";
		uint32_t n;

		if (eq == NULL || w.n - (size_t)(eq + 1 - w.p) >= sizeof(digits))
			return false;
		memcpy(digits, eq + 1, w.n - (size_t)(eq + 1 - w.p));
		n = asked_of(v, str_of(w.p, (size_t)(eq - w.p)));
		if (n != strtoul(digits, NULL, 10))
			snprintf(got, cap, "asked %.*s %u times, not %s", (int)(eq - w.p), w.p, n, digits);
	}
	return got[0] == '\0';
}

/* --- asking and answering --- */

static bool ask(void *ctx, uint32_t ticket, enum outside_service service, struct str user_id)
{
	struct services *v = ctx;
	struct service_question *q = &v->asked[v->asked_count];
	uint32_t i;

	for (uint32_t k = 0; k < v->asked_count; k++)
		if (v->asked[k].ticket == ticket)
			abort(); /* two answers would come for one ticket */
	if (v->asked_count == OUTSIDE_ASKED_MAX) {
		v->refused++;
		return false;
	}
	*q = (struct service_question){ .ticket = ticket, .service = service, .reply = v->keys };
	if (service == OUTSIDE_KEYS) {
		v->keys_asked++;
		memcpy(q->key_names, v->key_names, sizeof(q->key_names));
	} else {
		assert(ticket != WAIT_KEYS);
		v->users_asked++;
		i = user_at(v, user_id);
		q->reply = i < SERVICES_USERS_MAX ? v->users[i].reply : v->other_users;
		if (i < SERVICES_USERS_MAX)
			v->users[i].asked++;
	}
	q->due = mono_add_ms(v->now, q->reply.what == SERVICE_NEVER ? OUTSIDE_DEADLINE_MS : q->reply.after_ms);
	v->asked_count++;
	return true;
}

struct outside services_outside(struct services *v)
{
	return (struct outside){ .ctx = v, .ask = ask };
}

mono_t services_due(const struct services *v)
{
	mono_t at = MONO_NEVER;

	for (uint32_t i = 0; i < v->asked_count; i++)
		at = mono_min(at, v->asked[i].due);
	return at;
}

static void answer(struct server *s, const struct service_question *q)
{
	char body[MINT_SET_MAX] = "";
	size_t n = 0;

	switch (q->reply.what) {
	case SERVICE_KEYS:
		n = mint_jwks(str_of(q->key_names, strlen(q->key_names)), body, sizeof(body));
		break;
	case SERVICE_GARBAGE:
		n = (size_t)snprintf(body, sizeof(body), "<html>{\"keys\":[]}</html>");
		break;
	case SERVICE_STATUS:
		n = (size_t)snprintf(body, sizeof(body), "{\"keys\":[]}");
		break;
	case SERVICE_NEVER:
	case SERVICE_REFUSED:
		server_answered(s, q->ticket, OUTSIDE_FAILED, 0, NULL, 0);
		return;
	}
	server_answered(s, q->ticket, OUTSIDE_ANSWERED, q->reply.status == 0 ? 200 : q->reply.status, body, (uint32_t)n);
}

bool services_answer(struct services *v, struct server *s, mono_t now)
{
	bool any = false;
	uint32_t i = 0;

	while (i < v->asked_count) {
		struct service_question q = v->asked[i];

		if (mono_before(now, q.due)) {
			i++;
			continue;
		}
		v->asked_count--;
		memmove(&v->asked[i], &v->asked[i + 1], (v->asked_count - i) * sizeof(q));
		answer(s, &q);
		any = true;
		i = 0;
	}
	return any;
}
