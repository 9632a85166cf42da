/* cluster/redis against a real redis-server, and against one that lies. RELIABILITY H. */
#include <alloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/redis_memory.h"
#include "redis_rig.h"
#include "tap.h"

static struct rig g;

static bool has_messages(const struct rig *r)
{
	return r->messages >= 3;
}

static bool has_renewals(const struct rig *r)
{
	return r->renewals == 2;
}

static bool has_refusal(const struct rig *r)
{
	return r->refusals > 0;
}

static bool is_up_again(const struct rig *r)
{
	return r->ups >= 2 && r->is_up;
}

static bool was_lost(const struct rig *r)
{
	return r->downs > 0;
}

static bool has_complaint(const struct rig *r)
{
	return strstr(r->log_text, "cannot be reached") != NULL;
}

static void tell_all_commands(struct rig_server *s)
{
	char url[128];
	static char large[1 << 20];

	memset(large, 'x', sizeof(large));
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u", (unsigned)s->port);
	tap_ok(rig_open(&g, url, NULL, NULL) && rig_run(&g, 3000, rig_is_up), "it connects");
	tap_ok(g.bus.subscribe(g.bus.ctx, STR("one")) && g.bus.subscribe(g.bus.ctx, STR("two")) &&
	               rig_run(&g, 100, NULL), "subscribes");
	tap_ok(g.bus.publish(g.bus.ctx, STR("one"), STR("hello %s\0 world")) &&
	               g.bus.publish(g.bus.ctx, STR("two"), str_of(large, 700000)) &&
	               g.bus.publish(g.bus.ctx, STR("three"), STR("nobody")) &&
	               g.bus.publish(g.bus.ctx, STR("one"), STR("")), "publishes");
	g.bus.flush(g.bus.ctx);
	tap_ok(rig_run(&g, 3000, has_messages) && g.messages == 3 && strcmp(g.last, "one=") == 0,
	       "hears what was published, whatever is in it, and nothing else");
	tap_ok(!g.bus.publish(g.bus.ctx, STR("one"), str_of(large, sizeof(large))) ||
	               g.bus.space(g.bus.ctx) < sizeof(large), "bounds what is given at once");
	rig_run(&g, 200, NULL);
	g.bus.renew(g.bus.ctx, STR("key"), 1000);
	tap_ok(g.bus.set(g.bus.ctx, STR("key"), STR("v"), 5000) && g.bus.renew(g.bus.ctx, STR("key"), 1000) &&
	               g.bus.set(g.bus.ctx, STR("other"), STR(""), 0) && g.bus.del(g.bus.ctx, STR("other")) &&
	               rig_run(&g, 3000, has_renewals) && g.was_there == 1,
	       "sets, deletes, renews: a key that was there, and one that was not");
	tap_ok(g.bus.unsubscribe(g.bus.ctx, STR("one")) && g.bus.publish(g.bus.ctx, STR("one"), STR("x")) &&
	               g.bus.subscribe(g.bus.ctx, STR("one")) && g.bus.unsubscribe(g.bus.ctx, STR("two")) &&
	               rig_run(&g, 200, NULL) && g.is_up, "subscribes and unsubscribes in any order");
	rig_close(&g);
}

static void lose_and_return(struct rig_server *s)
{
	char url[128], command[256];

	snprintf(url, sizeof(url), "unix://%s?db=3", s->socket);
	tap_ok(rig_open(&g, url, NULL, NULL) && rig_run(&g, 3000, rig_is_up), "R6 a unix socket, a database");
	g.bus.subscribe(g.bus.ctx, STR("c"));
	rig_run(&g, 100, NULL);
	snprintf(command, sizeof(command), "redis-cli -s %s client kill type pubsub >/dev/null", s->socket);
	tap_ok(system(command) == 0 && rig_run(&g, 1000, was_lost) && rig_run(&g, 3000, is_up_again),
	       "R7 CLIENT KILL TYPE pubsub: down, and up again");
	g.ups = g.downs = 0;
	g.ups = 1;
	kill(s->pid, SIGSTOP);
	g.bus.publish(g.bus.ctx, STR("c"), STR("x"));
	tap_ok(rig_run(&g, 2600, was_lost), "R3 SIGSTOP: lost within 2 s of the first command not answered");
	rig_run(&g, 3000, NULL);
	kill(s->pid, SIGCONT);
	tap_ok(rig_run(&g, 5000, is_up_again), "up again when it goes on");
	g.downs = 0;
	g.ups = 1;
	rig_kill(s->pid);
	tap_ok(rig_run(&g, 1000, was_lost), "R12 killed: lost");
	rig_run(&g, 1500, NULL);
	rig_server_again(s, "--unixsocketperm 777");
	tap_ok(rig_run(&g, 5000, is_up_again), "up again after its restart");
	tap_ok(g.stall_ms < 5 && g.wall_ms < 300, "no turn took 5 ms (%d; with others %d)", (int)g.stall_ms,
	       (int)g.wall_ms);
	rig_close(&g);
}

static void passwords(void)
{
	struct rig_server s;
	char url[160];

	if (!tap_ok(rig_server_start(&s, "--requirepass 'p@ss/w' --user ann on '>s3' '~*' '&*' +@all -set"),
	            "a server with passwords"))
		return;
	snprintf(url, sizeof(url), "redis://:p%%40ss%%2Fw@127.0.0.1:%u/2", (unsigned)s.port);
	tap_ok(rig_open(&g, url, NULL, NULL) && rig_run(&g, 3000, rig_is_up), "a password with escapes");
	rig_close(&g);
	snprintf(url, sizeof(url), "redis://ann:s3@127.0.0.1:%u", (unsigned)s.port);
	tap_ok(rig_open(&g, url, NULL, NULL) && rig_run(&g, 3000, rig_is_up), "a user of an ACL");
	g.bus.set(g.bus.ctx, STR("k"), STR("v"), 0);
	tap_ok(rig_run(&g, 1000, has_refusal) && strcmp(g.code, "NOPERM") == 0 && g.is_up,
	       "R10 NOPERM is told, and the connection stays");
	rig_close(&g);
	snprintf(url, sizeof(url), "redis://ann:wrong@127.0.0.1:%u", (unsigned)s.port);
	tap_ok(rig_open(&g, url, NULL, NULL) && rig_run(&g, 1000, has_complaint) && !rig_run(&g, 1500, rig_is_up) &&
	               strstr(g.log_text, "WRONGPASS") != NULL && strstr(g.log_text, "wrong@") == NULL,
	       "a wrong password: said, without it");
	tap_ok(strstr(strstr(g.log_text, "cannot be reached") + 1, "cannot be reached") == NULL, "and said once");
	rig_close(&g);
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u", (unsigned)s.port);
	tap_ok(rig_open(&g, url, NULL, NULL) && rig_run(&g, 1000, has_complaint) &&
	               strstr(g.log_text, "NOAUTH") != NULL, "R10 no password: NOAUTH");
	rig_close(&g);
	rig_server_stop(&s);
}

static void look_up_slowly(const char *host, struct resolver_answer *a)
{
	(void)host;
	usleep(700000);
	a->n = 2; /* the first one leads nowhere */
	a->v[0].v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(0x7f000002) } };
	a->v[1].v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static void names(struct rig_server *s)
{
	char url[128];

	snprintf(url, sizeof(url), "redis://redis.example:%u", (unsigned)s->port);
	tap_ok(rig_open(&g, url, NULL, look_up_slowly) && rig_run(&g, 3000, rig_is_up) && g.stall_ms < 5 && g.wall_ms < 300,
	       "R4 a name that resolves slowly, to two addresses: no turn took 5 ms (%d)", (int)g.stall_ms);
	rig_close(&g);
}

#define LIE(text) { text, sizeof(text) - 1, 1, 0, false }
#define LATER(text) { text, sizeof(text) - 1, 1, 0, true }
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"
#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"

static const struct rig_lie lie_rows[] = {
	LIE("+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"),
	LIE("*4294967295\r\n"), LIE("%4611686018427387904\r\n"), LIE("$2147483648\r\n"), LIE("$-2\r\n"),
	LIE(MESSAGE MESSAGE SUBSCRIBED),
	LIE("HTTP/1.1 400 Bad Request\r\n\r\n"), LIE("\x15\x03\x03\0\2\2\x28"),
	LIE("-ERR go away\r\n-ERR go away\r\n-ERR go away\r\n"),
	{ "*1\r\n", 4, 100000, 0, false },
	{ "*1\r\n", 4, 100, 200, false },
	{ "*1024\r\n$0\r\n\r\n", 13, 100000, 0, false },
	{ "$1048576\r\nxxxxxxxxxxxxxxxx", 26, 1, 20000, false },
	/* What hiredis 1.2.0 asserts, on a connection that is subscribed to `c`. */
	LATER("+OK\r\n"), LATER(":1\r\n"), LATER("$-1\r\n"), LATER("*-1\r\n"), LATER("*0\r\n"),
	LATER("-ERR no\r\n"), LATER("*3\r\n:1\r\n:1\r\n:1\r\n"), LATER("*3\r\n$-1\r\n$1\r\nc\r\n:1\r\n"),
	LATER("*3\r\n$9\r\nsubscribe\r\n$1\r\nz\r\n:1\r\n"),
	LATER("*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\nz\r\n:1\r\n"),
	LATER("*3\r\n$10\r\npsubscribe\r\n$1\r\nz\r\n:1\r\n"),
	LATER("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n$1\r\nx\r\n"),
	LATER("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n"),
	LATER("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*1\r\n:1\r\n"),
	LATER("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n"),
	LATER("*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n$1\r\n0\r\n"),
	LATER("*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n-0\r\n"),
	LATER("*3\r\n+subscribe\r\n$1\r\nc\r\n:1\r\n"), LATER("*3\r\n$9\r\nsubscribe\r\n-c\r\n:1\r\n"),
	LATER("*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n"), LATER("*4\r\n" "$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n:1\r\n"),
	LATER(SUBSCRIBED "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n" MESSAGE),
	LATER(SUBSCRIBED "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n" SUBSCRIBED),
	LATER(SUBSCRIBED SUBSCRIBED SUBSCRIBED "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n" MESSAGE "+\r\n"),
	{ MESSAGE, sizeof(MESSAGE) - 1, 100000, 0, true },
};

static void lies(void)
{
	for (size_t i = 0; i < sizeof(lie_rows) / sizeof(lie_rows[0]); i++) {
		const struct rig_lie *lie = &lie_rows[i];
		bool endless = lie->drip_us > 0 || lie->repeat > 1;
		char url[64];
		uint16_t port;
		pid_t pid = rig_fake(&port, lie);

		snprintf(url, sizeof(url), "redis://127.0.0.1:%u", (unsigned)port);
		rig_open(&g, url, NULL, NULL);
		if (lie->later && rig_run(&g, 500, rig_is_up)) {
			g.bus.subscribe(g.bus.ctx, STR("c"));
			g.bus.flush(g.bus.ctx);
		}
		if (lie->later && !endless)
			rig_run(&g, 500, was_lost);
		else
			rig_run(&g, 700, NULL);
		tap_ok((g.downs > 0 || has_complaint(&g) || endless) && g.stall_ms < 1000 &&
		               redis_memory_use().high_water < 1 << 20,
		       "R2 lie %zu: no harm (longest turn %d ms, %zu bytes, %u messages)", i, (int)g.stall_ms,
		       redis_memory_use().high_water, g.messages);
		rig_close(&g);
		rig_kill(pid);
	}
}

/* Memory for hiredis runs out: nothing aborts, the connection is made anew, and stands once there is some. */
static void *held[4096];

static unsigned fill(size_t leave)
{
	unsigned n = 0;
	size_t room;

	while ((room = redis_memory_use().room) > leave && n < 4096)
		held[n++] = hi_malloc(room);
	return n;
}

static void full(struct rig_server *s)
{
	char url[128];
	static char large[100000];

	memset(large, 'x', sizeof(large));
	snprintf(url, sizeof(url), "redis://127.0.0.1:%u", (unsigned)s->port);
	for (int before = 0; before < 2; before++)
		for (size_t leave = 16; leave <= 1 << 17; leave *= 2) {
			unsigned n;

			rig_open(&g, url, NULL, NULL);
			if (!before)
				rig_run(&g, 1000, rig_is_up);
			n = fill(leave);
			for (int i = 0; i < 5; i++) {
				rig_run(&g, 20, NULL);
				g.bus.subscribe(g.bus.ctx, STR("c"));
				g.bus.publish(g.bus.ctx, STR("c"), str_of(large, leave * 2 < sizeof(large) ? leave * 2 : 10));
				g.bus.publish(g.bus.ctx, STR("c"), STR("x"));
				g.bus.renew(g.bus.ctx, STR("c"), 1);
				g.bus.flush(g.bus.ctx);
			}
			rig_run(&g, 50, NULL);
			while (n > 0)
				hi_free(held[--n]);
			tap_ok(rig_run(&g, 5000, rig_is_up) && g.bus.subscribe(g.bus.ctx, STR("d")),
			       "O11 %zu bytes left %s: no abort, and up when there is more (%u times down)", leave,
			       before ? "from the start" : "once up", g.downs);
			rig_close(&g);
		}
}

int main(void)
{
	struct rig_server s;

	signal(SIGPIPE, SIG_IGN);
	if (!tap_ok(rig_server_start(&s, "--unixsocketperm 777"), "redis-server starts"))
		return tap_done();
	tell_all_commands(&s);
	lose_and_return(&s);
	names(&s);
	full(&s);
	rig_server_stop(&s);
	passwords();
	lies();
	return tap_done();
}
