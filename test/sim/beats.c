/*
 * Devices without a socket: REST says now and then that they are there (CONTRACT 4), to any node, and each word of it lasts presence-ttl.
 *
 * Invariants: a word counts once its 204 was heard, and from when it was; it ends with the process that was told it. At each node one word at
 * a time waits for its answer, over a connection of its own.
 */
#include <stdio.h>
#include <string.h>

#include "sim/living.h"

enum { UNSURE_MS = 3000 /* as long after its end somebody may not know of it */ };

/* Those of REST alone, and those that are clients' too. */
static const char *name_of(uint32_t device, char out[WORD])
{
	if (device == 0)
		return "rest"; /* what it is called when it gives no name */
	if (device < PIN_FIRST_CLIENT)
		snprintf(out, WORD, "e%u", device);
	else
		snprintf(out, WORD, "d%u", device - PIN_FIRST_CLIENT);
	return out;
}

static struct client *beater(struct life *l, uint32_t node)
{
	return client_named(life_crowd(l, node), "beat", 4);
}

void beats_send(struct life *l, uint32_t node, uint32_t user, uint32_t device)
{
	struct beat *b = &l->beats[node];
	struct client *cl = beater(l, node);
	char path[64], body[64], name[WORD];

	if (b->waits && b->boots == world_node(&l->w, node)->boots) /* it may be read yet */
		return;
	*b = (struct beat){ .waits = true, .boots = world_node(&l->w, node)->boots, .user = user, .device = device };
	snprintf(path, sizeof(path), "/api/v1/presence/u%u/heartbeat", user);
	snprintf(body, sizeof(body), "{\"%s\":\"%s\"}", device % 2 == 0 ? "client_id" : "device_id", name_of(device, name));
	life_did(l, "    %s of u%u says at node %u that it is there", name_of(device, name), user, node);
	client_tcp(life_crowd(l, node), cl, 0, NULL);
	snprintf(cl->with, CLIENT_WITH_MAX, "%s", "Authorization: Bearer sesame\r\n");
	client_request(life_crowd(l, node), cl, "POST", str_of_text(path), device == 0 ? STR_NONE : str_of_text(body));
}

void beats_hear(struct life *l, uint32_t node, const struct heard *h)
{
	struct beat *b = &l->beats[node];
	struct pin *p = &l->pins[node][b->user][b->device];

	if (!b->waits)
		return;
	b->waits = false;
	if (h->text[0] < '0' || h->text[0] > '9') /* ended without an answer: for which there may have been no room */
		l->doubted_ms[b->user] = h->at_ms + life_crowd(l, node)->sim.cfg.presence_ttl_ms + UNSURE_MS;
	if (strcmp(h->text, "204") != 0)
		return;
	if (p->boots != b->boots || p->until_ms <= h->at_ms)
		p->since_ms = h->at_ms;
	p->boots = b->boots;
	p->until_ms = h->at_ms + life_crowd(l, node)->sim.cfg.presence_ttl_ms;
}

bool beats_pins(struct life *l, uint32_t node, uint32_t user, uint32_t device, int64_t age_ms)
{
	const struct pin *p = &l->pins[node][user][device];
	int64_t now = world_now_ms(&l->w);

	return world_is_alive(&l->w, node) && p->boots == world_node(&l->w, node)->boots && p->until_ms > now && p->since_ms <= now - age_ms;
}

bool beats_doubtful(const struct life *l, uint32_t user)
{
	return world_now_ms(&l->w) < l->doubted_ms[user];
}

bool beats_keep(struct life *l, uint32_t node, uint32_t user, int64_t age_ms)
{
	for (uint32_t device = 0; device < PIN_DEVICES; device++)
		if (beats_pins(l, node, user, device, age_ms))
			return true;
	return false;
}

uint32_t beats_devices(struct life *l, uint32_t user)
{
	uint32_t devices = 0;

	for (uint32_t node = 1; node <= l->nodes; node++)
		for (uint32_t device = 0; device < PIN_DEVICES; device++)
			devices |= (uint32_t)beats_pins(l, node, user, device, 0) << device;
	return devices;
}

/* Some word has just ended; when all know of it. 0: none has. Two that end at two nodes at once may be taken for a device that changes nodes. */
static int64_t unsure_until_ms(struct life *l)
{
	int64_t now = world_now_ms(&l->w), until = 0, unsure_ms = UNSURE_MS + (l->nodes > 1 ? life_crowd(l, 1)->sim.cfg.offline_debounce_ms : 0);

	for (uint32_t node = 1; node <= l->nodes; node++)
		for (uint32_t user = 0; user < USERS; user++)
			for (uint32_t device = 0; device < PIN_DEVICES; device++) {
				int64_t end = l->pins[node][user][device].until_ms;

				if (end > 0 && end <= now && end > now - unsure_ms && end + unsure_ms > until)
					until = end + unsure_ms;
			}
	return until;
}

void beats_wait(struct life *l)
{
	for (int64_t until = unsure_until_ms(l); until > 0 && !life_is_over(l); until = unsure_until_ms(l))
		life_wait(l, until - world_now_ms(&l->w));
}
