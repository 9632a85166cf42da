/*
 * Tokens (auth=jwt): the rooms that they open, how long they last, and others in their place on a connection that is in.
 *
 * Invariants: what a client waits for is answered in the order in which it was asked; until then the token before it holds, and from then on
 * the new one alone.
 */
#include <stdio.h>
#include <string.h>

#include "sim/living.h"

enum { ALL_ROOMS = (1 << ROOMS) - 1 };

/* The claim `rooms` as mint.h has it, and a bit of each room that it opens. The first is none at all. */
static const struct {
	const char *rooms;
	uint32_t opens;
} kinds[] = {
	{ "", ALL_ROOMS }, { ",rooms:[r0]", 1 }, { ",rooms:[r1,r2]", 6 }, { ",rooms:[q,r*]", ALL_ROOMS }, { ",rooms:[]", 0 }, { ",rooms:[r2*,r]", 4 },
	{ ",rooms:[r0,r1*,s]", 3 },
};

struct permit tokens_draw(struct life *l)
{
	uint32_t kind = life_draw(l, 2) == 0 ? 0 : life_draw(l, sizeof(kinds) / sizeof(kinds[0])), lasts_s = life_draw(l, 4 * TOKEN_SHORT_S_MAX);

	return (struct permit){ .kind = (uint8_t)kind, .lasts_s = lasts_s <= TOKEN_SHORT_S_MAX ? lasts_s : 0 };
}

const char *tokens_claim(const struct permit *c)
{
	return kinds[c->kind].rooms;
}

uint32_t tokens_opens(const struct permit *c)
{
	return kinds[c->kind].opens;
}

const char *tokens_mint(struct life *l, uint32_t node, uint32_t user, const struct permit *c, char out[MINT_TOKEN_MAX])
{
	wall_t now = { c->lasts_s > 0 ? life_crowd(l, node)->sim.now.wall.ms : INT64_C(1768392000000) };
	char spec[96];
	int n = snprintf(spec, sizeof(spec), "sub:u%u,ttl:%us%s", user, c->lasts_s > 0 ? c->lasts_s : 77760000, kinds[c->kind].rooms);

	if (!mint_token(str_of(spec, (size_t)n), now, out))
		life_fault(l, "no token");
	return out;
}

/* By the clock of when it is read; the leeway is for those who are late. */
int64_t tokens_end_ms(struct life *l, uint32_t node, const struct permit *c)
{
	const struct sim *sim = &life_crowd(l, node)->sim;
	bool late = sim->failing_accepts > 0 || sim->now.mono.ms < sim->accepts_ms;

	if (c->lasts_s == 0)
		return 0;
	return sim->frozen ? INT64_MAX / 2 : sim->now.mono.ms + 1000 * (int64_t)c->lasts_s + (late ? TOKEN_LEEWAY_MS : 0);
}

bool tokens_expect(struct life *l, uint32_t i, const struct permit *c, bool of_other)
{
	struct guest *d = &l->guests[i];

	if (d->renewal_count == RENEWALS_MAX)
		return false;
	d->renewals[d->renewal_count++] = (struct renewal){
		.permit = *c, .of_other = of_other, .end_ms = tokens_end_ms(l, d->node, c), .late = life_crowd(l, d->node)->sim.frozen,
	};
	return true;
}

uint32_t tokens_may_open(const struct guest *d)
{
	uint32_t opens = d->opens;

	for (uint32_t k = 0; k < d->renewal_count; k++)
		opens |= d->renewals[k].of_other ? 0 : tokens_opens(&d->renewals[k].permit);
	return opens;
}

/* What the new token does not open is left. */
static void take(struct guest *d, const struct renewal *r)
{
	d->opens = tokens_opens(&r->permit);
	d->expires_ms = r->end_ms;
	d->rooms &= d->opens;
	for (uint32_t room = 0; room < ROOMS; room++)
		if (!(d->opens >> room & 1))
			d->typing[room] = 0;
}

void tokens_hear(struct life *l, uint32_t i, const char *text)
{
	struct guest *d = &l->guests[i];
	bool good = strncmp(text, "auth.success", 12) == 0;
	struct renewal r = d->renewals[0];

	if (strstr(text, "authenticate first") != NULL) {
		d->outside = true;
		d->watches = false; /* it asks again, once it is in */
	}
	if (good)
		d->outside = false;
	if (!good && strncmp(text, "auth.failed", 11) != 0)
		return;
	if (d->renewal_count == 0) {
		life_fault(l, "(8) c%u has sent no token, and hears: %s", i, text);
		return;
	}
	memmove(d->renewals, d->renewals + 1, --d->renewal_count * sizeof(r));
	if (good && r.of_other)
		life_fault(l, "(8) c%u is let in by the token of another: %s", i, text);
	else if (good)
		take(d, &r);
	else if (!r.of_other && !r.late && !d->short_changed)
		life_fault(l, "(8) c%u's token is good, and it hears: %s", i, text);
}

/* Who has a token for a room is not sent away from it. Whose token has ended hears nothing more but of its end; not while its node was standing still, or its own reading. */
void tokens_judge(struct life *l, uint32_t i, const char *text)
{
	const struct guest *d = &l->guests[i];

	if (d->expires_ms > 0 && l->heard_ms > d->expires_ms && !d->behind && l->node_bad_ms[d->node] < l->heard_ms - 1000 &&
	    strncmp(text, "close ", 6) != 0 && strcmp(text, "end") != 0 && strcmp(text, "cut short") != 0)
		life_fault(l, "(8) c%u's token has ended, and it hears: %s", i, text);
	if (d->opens == ALL_ROOMS && d->renewal_count == 0 && strstr(text, "your token does not open this room") != NULL)
		life_fault(l, "(9) c%u's token opens every room, and it hears: %s", i, text);
}
