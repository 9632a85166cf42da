/*
 * test/unit/test_presence_soak.c: every operation at random against small tables; engine_valid() after each (by the rig), and a
 * model that watches what each connection is told.
 *
 * Checked on streams (RELIABILITY L): a listener is told online and offline of a user in strict alternation; at rest the last thing told
 * is the truth; an invisible user shows nowhere; nothing is told to who is gone; when all are gone all tables are empty.
 */
#include "engine_rig.h"
#include "tap.h"

enum { SOAK_USERS = 10, SOAK_CONNS = 20, SOAK_STEPS = 3000, SOAK_LISTENER = 40 };

struct soak {
	uint64_t random;
	bool online[SOAK_USERS];        /* as the listener was told */
	enum status status[SOAK_USERS];
	bool broken;
};

static uint32_t soak_random(struct soak *s, uint32_t below)
{
	s->random = s->random * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(s->random >> 33) % below;
}

static int soak_user_number(struct str id)
{
	return id.n == 2 && id.p[0] == 'u' ? id.p[1] - '0' : -1;
}

/* The listener's stream. */
static void soak_observe(void *observer, struct rig *r, const struct event *ev, const bool *got)
{
	struct soak *s = observer;
	int u = soak_user_number(ev->user.user_id);

	(void)r;
	if (ev->type != EV_PRESENCE || !got[SOAK_LISTENER] || u < 0)
		return;
	if (ev->change == CHANGE_ONLINE && (s->online[u] || !ev->user.online))
		s->broken = true;
	if (ev->change == CHANGE_OFFLINE && (!s->online[u] || ev->user.online))
		s->broken = true;
	if (ev->change == CHANGE_UPDATED && ev->user.online != s->online[u])
		s->broken = true;
	if (ev->user.status == STATUS_INVISIBLE)
		s->broken = true;
	s->online[u] = ev->user.online;
	s->status[u] = ev->user.status;
}

static const char *const soak_lines[] = {
	"c%C connect %U dev=%D as=dotted", "c%C connect %U dev=%D", "c%C connect %U as=rooms name=%N", "c%C connect %U as=roster",
	"c%C gone", "c%C gone", "c%C touch", "c%C set online", "c%C set away", "c%C set busy", "c%C set dnd", "c%C set invisible",
	"c%C set %S custom=%T expires=%M", "c%C set %S custom=%T meta=%L", "c%C set - custom=null", "c%C set - meta=null",
	"c%C sub conv rooms=%R,%R", "c%C sub typing rooms=%R dm", "c%C sub presence users=%U,%U,%X", "c%C sub presence",
	"c%C sub conv,presence,calls rooms=%R users=%U", "c%C unsub conv rooms=%R", "c%C unsub typing,conv rooms=%R",
	"c%C unsub presence", "c%C unsub presence users=%U", "c%C query %U,%X,%U", "c%C typing %R", "c%C stop %R",
	"c%C typing %R to=%U,%X,%U", "c%C read %R m1 from=%U", "c%C offer k%D %U SDP", "c%C answer k%D SDP", "c%C ice k%D X",
	"c%C hangup k%D", "put %U %S custom=%T", "put %X %S", "put %U away", "put %U online", "beat %U %D", "beat %U tablet",
	"rest-typing %R %U", "rest-stop %R %X", "cast all exclude=%U", "cast users=%U,%X room=%R topic=calls", "view %U", "online",
	"devices %U", "+%M", "+%M", "+1", "wall %W",
};

static int soak_fill(struct soak *s, char kind, char *out, size_t out_bytes)
{
	static const char *const statuses[] = { "online", "away", "busy", "dnd", "invisible", "-" };
	static const char *const texts[] = { "a", "bb", "null", "some_longer_text_that_does_not_fit_the_small_class" };

	switch (kind) {
	case 'C':
		return snprintf(out, out_bytes, "%u", soak_random(s, SOAK_CONNS));
	case 'U':
		return snprintf(out, out_bytes, "u%u", soak_random(s, SOAK_USERS));
	case 'X':
		return snprintf(out, out_bytes, "x%u", soak_random(s, 30));
	case 'D':
		return snprintf(out, out_bytes, "%u", soak_random(s, 4));
	case 'N':
		return snprintf(out, out_bytes, "name%u", soak_random(s, 4));
	case 'R':
		return snprintf(out, out_bytes, "r%u", soak_random(s, 8));
	case 'S':
		return snprintf(out, out_bytes, "%s", statuses[soak_random(s, 6)]);
	case 'T':
		return snprintf(out, out_bytes, "%s", texts[soak_random(s, 4)]);
	case 'L':
		return snprintf(out, out_bytes, "{%0*d}", soak_random(s, 2) == 0 ? 20 : 300, 0);
	case 'M':
		return snprintf(out, out_bytes, "%u", soak_random(s, soak_random(s, 4) == 0 ? 20000 : 900));
	default:
		return snprintf(out, out_bytes, "%d", (int)soak_random(s, 20000) - 10000);
	}
}

static void soak_step(struct soak *s, struct rig *r)
{
	const char *t = soak_lines[soak_random(s, sizeof soak_lines / sizeof *soak_lines)];
	char line[900];
	size_t n = 0;

	for (; *t != '\0'; t++) {
		if (*t == '%')
			n += (size_t)soak_fill(s, *++t, line + n, sizeof line - n);
		else
			line[n++] = *t;
	}
	line[n] = '\0';
	if (line[0] == 'c' && line[1] != 'a') {
		bool connect = strstr(line, " connect ") != NULL;

		if (connect == engine_attached(r->e, (uint32_t)atoi(line + 1)))
			return;
	}
	rig_line(r, line, n);
}

/* At rest, what the listener was told is the truth. */
static bool soak_truth(struct soak *s, struct rig *r)
{
	struct presence_view v;
	char id[3] = "u0";

	for (int u = 0; u < SOAK_USERS; u++) {
		id[1] = (char)('0' + u);
		engine_view(r->e, rig_str(id), &v, r->now);
		if (v.online != s->online[u] || (v.online && v.status != s->status[u]))
			return false;
	}
	return true;
}

/* A second after the last change no broadcast waits any more; a debounce that ends meanwhile is one more change. */
static bool soak_rest(struct soak *s, struct rig *r)
{
	for (int tries = 0; tries < 2 * SOAK_USERS; tries++) {
		rig_line(r, "c40 touch", 9);
		if (soak_truth(s, r))
			return true;
		rig_wait(r, 1000);
	}
	return false;
}

static bool soak_empty(struct rig *r)
{
	struct engine_stats st;

	for (uint32_t c = 0; c < RIG_CONNS; c++)
		engine_detach(r->e, c, r->now);
	rig_wait(r, 3600000);
	engine_stats(r->e, &st);
	return engine_valid(r->e) && st.links + st.users_known + st.devices + st.rooms + st.subscriptions + st.watches + st.typing +
	           st.calls == 0;
}

/* One seed; odd ones with a rate, every third among room mates (the listener is subscribed to all), tables small enough to fill. */
static bool soak_run(uint64_t seed, char *why, size_t why_bytes)
{
	static struct rig r;
	static struct soak s;
	bool ok = true;

	rig_init(&r);
	s = (struct soak){ .random = seed * 0x9e3779b97f4a7c15U + 1 };
	r.config.users_max = 22;
	r.config.rooms_max = 8;
	r.config.subscriptions_max = 24;
	r.config.typing_max = 5;
	r.config.calls_max = 3;
	r.config.metadata_max = 3;
	r.config.connections_per_user_max = 3;
	r.config.subscriptions_per_connection_max = seed % 2 == 0 ? 20 : 4;
	r.config.stale_timeout_ms = seed % 5 == 0 ? 90000 : 0;
	r.config.offline_debounce_ms = seed % 4 == 0 ? 0 : 5000;
	r.config.presence_rate = seed % 2;
	r.config.audience_rooms = seed % 3 == 0;
	r.config.presence_ttl_ms = 60000;
	rig_start(&r);
	r.quiet = true;
	rig_line(&r, "c40 connect listener as=dotted", 30);
	rig_line(&r, "c40 sub presence", 16);
	r.observe = soak_observe;
	r.observer = &s;
	for (int step = 0; step < SOAK_STEPS && ok; step++) {
		rig_line(&r, "c40 touch", 9);
		soak_step(&s, &r);
		ok = r.valid && !s.broken;
		if (!ok)
			snprintf(why, why_bytes, "step %d: %s", step, r.valid ? "a stream is broken" : "not valid");
		if (ok && step % 50 == 0) {
			ok = soak_rest(&s, &r);
			if (!ok)
				snprintf(why, why_bytes, "step %d: what was told is not the truth", step);
		}
	}
	if (ok && !soak_empty(&r)) {
		snprintf(why, why_bytes, "something is left when all are gone");
		ok = false;
	}
	rig_fini(&r);
	return ok;
}

/* The budget that measuring gives is what building uses, for any shape of tables. */
static void measured_is_used(void)
{
	static struct rig r;
	static const uint32_t shapes[][3] = { { 1, 1, 1 }, { 64, 200, 1000 }, { 63, 1, 77 } };

	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		rig_init(&r);
		r.config.connections_max = shapes[i][0];
		r.config.users_max = shapes[i][1];
		r.config.subscriptions_max = shapes[i][2];
		r.config.typing_max = r.config.calls_max = (uint32_t)i;
		rig_start(&r);
		tap_is_u64(r.region_used, r.mem_bytes, "O12: measured bytes are the bytes used");
		rig_fini(&r);
	}
}

int main(int argc, char **argv)
{
	uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, last = argc > 2 ? strtoull(argv[2], NULL, 0) : first + 29;
	char why[128] = "";

	measured_is_used();
	for (uint64_t seed = first; seed <= last; seed++)
		if (!tap_ok(soak_run(seed, why, sizeof why), "L: soak, seed %llu", (unsigned long long)seed))
			printf("# %s\n", why);
	return tap_done();
}
