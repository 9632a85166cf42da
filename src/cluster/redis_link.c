/*
 * Invariants: l->ac is hiredis' live context or NULL; on_disconnect() alone learns that hiredis freed it, and
 * whoever has called hiredis looks at l->ac before touching it again. The context is freed by us only from
 * redis_link_close(), never within a callback. ring[] has one entry for each entry of hiredis' list of
 * replies. The descriptor is hiredis' as soon as there is a context. l->state is written by to() alone.
 */
#include "cluster/redis_link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/limits.h"
#include "cluster/redis_memory.h"
#include "net/machine.h"
#include "net/watch.h"

static_assert((int)REDIS_SUBSCRIBE_ROOM_BYTES >= 4 * (int)REDIS_CHANNEL_BYTES_MAX, "a subscription fits");

enum greeting_kind {
	GREETING_FIRST = 0x7fff0000,
	GREETING_AUTH = GREETING_FIRST, GREETING_SELECT, GREETING_NAME, GREETING_ROLE, GREETING_PING,
};

/* --- the state --- */

static void to(struct redis_link *l, enum redis_link_state state)
{
	l->state = state;
	l->deadline = mono_add_ms(l->now, REDIS_CONNECT_MS);
}

static void say_why(struct redis_link *l, struct str why)
{
	if (l->why[0] == '\0')
		snprintf(l->why, sizeof(l->why), "%.*s", (int)(why.n < INT16_MAX ? why.n : INT16_MAX), why.p);
}

static void say_errno(struct redis_link *l, int error)
{
	const char *text = strerror(error);

	say_why(l, str_of(text, strlen(text)));
}

void redis_link_init(struct redis_link *l, struct region *r, const struct redis_link_config *c)
{
	l->number = c->number;
	l->epoll_fd = c->epoll_fd;
	l->anchors = c->anchors;
	l->owner = c->owner;
	l->wire.fd = -1;
	l->wire.tls = c->tls;
	redis_vet_init(&l->vet, r, c->channels_max, c->key);
}

/* --- what is waited for --- */

static void watch(struct redis_link *l, uint32_t events)
{
	struct epoll_event ev = {
		.events = events, .data.u64 = watch_tag(WATCH_COMPANION, l->number, l->generation),
	};

	if (events == l->watched || l->wire.fd < 0)
		return;
	if (epoll_ctl(l->epoll_fd, l->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, l->wire.fd, &ev) == 0) {
		l->watched = events;
		return;
	}
	/* It wants for memory: nobody would tell what becomes of the connection. */
	say_errno(l, errno);
	l->ended = true;
}

/* Is there something to send? */
static bool is_owing(const struct redis_link *l)
{
	return l->state >= REDIS_SECURING && (l->wants_write || redis_wire_is_full(&l->wire));
}

static void watch_anew(struct redis_link *l)
{
	bool full = is_owing(l);

	if (l->state >= REDIS_SECURING)
		watch(l, EPOLLIN | (full && !l->starved ? (uint32_t)EPOLLOUT : 0u));
}

static void want_write(void *ctx)
{
	((struct redis_link *)ctx)->wants_write = true;
}

static void want_no_write(void *ctx)
{
	((struct redis_link *)ctx)->wants_write = false;
}

/* --- the end --- */

static void closed(struct redis_link *l)
{
	l->ended = l->wants_write = l->starved = false;
	l->pending = l->pending_bytes = l->greetings = l->unconfirmed = 0;
	l->watched = 0;
	l->generation++;
	if (l->why[0] == '\0')
		say_why(l, STR("closed"));
	to(l, REDIS_CLOSED);
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
	struct redis_link *l = ac->data;

	assert(l->ac == ac);
	if (!str_absent(l->vet.why))
		say_why(l, l->vet.why);
	else if (status != REDIS_OK && ac->errstr != NULL)
		say_why(l, str_of(ac->errstr, strlen(ac->errstr)));
	l->ac = NULL;
}

void redis_link_close(struct redis_link *l)
{
	if (l->state == REDIS_CLOSED)
		return;
	if (l->ac != NULL)
		redisAsyncFree(l->ac);
	else
		redis_wire_close(&l->wire);
	assert(l->ac == NULL && l->wire.fd < 0);
	closed(l);
}

void redis_link_end(struct redis_link *l, struct str why)
{
	if (l->state == REDIS_CLOSED || l->ended)
		return;
	say_why(l, why);
	l->ended = true;
}

/* After hiredis was called: did it end the connection, or did it want for memory? */
static void settle(struct redis_link *l)
{
	uint64_t failures = redis_memory_use().failures;

	if (l->ac != NULL && failures != l->failures)
		redis_link_end(l, STR("the memory for Redis is full"));
	l->failures = failures;
	if (l->ac == NULL && l->state >= REDIS_GREETING)
		closed(l);
	else
		watch_anew(l);
}

/* --- answers --- */

static void pop(struct redis_link *l)
{
	assert(l->pending > 0);
	l->pending_bytes -= l->ring[l->oldest].bytes;
	l->oldest = (l->oldest + 1) % REDIS_PENDING_MAX;
	l->pending--;
}

static struct str text_of(const redisReply *r)
{
	return str_of(r->str, r->len);
}

static bool is_master(const redisReply *r)
{
	return r->type == REDIS_REPLY_ARRAY && r->elements > 0 && r->element[0] != NULL &&
	       r->element[0]->type == REDIS_REPLY_STRING && str_eq(text_of(r->element[0]), STR("master"));
}

/* Is it an answer that does not matter? A name is for people, and a user who may not say PING may do more. */
static bool does_not_matter(uint32_t kind, struct str error)
{
	return kind == GREETING_NAME || (kind == GREETING_PING && str_has_prefix(error, STR("NOPERM")));
}

static void greeted(struct redis_link *l, uint32_t kind, const redisReply *r)
{
	assert(l->greetings > 0);
	if (r->type == REDIS_REPLY_ERROR && !does_not_matter(kind, text_of(r))) {
		l->refused = true;
		redis_link_end(l, text_of(r));
		return;
	}
	if (kind == GREETING_ROLE && !is_master(r)) {
		redis_link_end(l, STR("it is no master"));
		return;
	}
	if (--l->greetings == 0)
		to(l, REDIS_READY);
}

static void on_answer(redisAsyncContext *ac, void *reply, void *data)
{
	struct redis_link *l = data;
	uint32_t kind = l->ring[l->oldest].kind;

	(void)ac;
	pop(l);
	if (reply == NULL || l->ended)
		return;
	l->answers++;
	if (kind >= GREETING_FIRST)
		greeted(l, kind, reply);
	else
		l->owner.answered(l->owner.ctx, kind, reply);
}

static void on_message(redisAsyncContext *ac, void *reply, void *data)
{
	struct redis_link *l = data;
	const redisReply *r = reply;
	struct str kind;

	(void)ac;
	if (r == NULL || r->type != REDIS_REPLY_ARRAY)
		return;
	kind = text_of(r->element[0]);
	if (str_eq(kind, STR("subscribe"))) {
		redis_vet_subscribed(&l->vet, text_of(r->element[1]));
		l->unconfirmed -= l->unconfirmed > 0;
		l->unconfirmed_since = l->now;
	} else if (str_eq(kind, STR("unsubscribe"))) {
		redis_vet_unsubscribed(&l->vet, text_of(r->element[1]));
	} else if (!l->ended) {
		l->owner.heard(l->owner.ctx, text_of(r->element[1]), r->element[2]->str, r->element[2]->len);
	}
}

/* --- commands --- */

size_t redis_link_space(const struct redis_link *l)
{
	size_t used = l->pending_bytes + REDIS_COMMAND_BYTES;

	if (l->ac == NULL || l->ended || l->pending == REDIS_PENDING_MAX || used >= REDIS_PENDING_BYTES_MAX)
		return 0;
	return REDIS_PENDING_BYTES_MAX - used;
}

/* False: hiredis has not got it. If it has, but no memory for what is to be sent, its next step fails. */
static bool say(struct redis_link *l, redisCallbackFn *fn, int n, const struct str *arguments)
{
	const char *texts[REDIS_ARGUMENTS_MAX];
	size_t bytes[REDIS_ARGUMENTS_MAX];
	bool taken;

	assert(n > 0 && n <= REDIS_ARGUMENTS_MAX);
	for (int i = 0; i < n; i++) {
		texts[i] = arguments[i].n > 0 ? arguments[i].p : "";
		bytes[i] = arguments[i].n;
	}
	taken = redisAsyncCommandArgv(l->ac, fn, l, n, texts, bytes) == REDIS_OK;
	if (!taken || l->ac->c.err != 0)
		redis_link_end(l, STR("the memory for Redis is full"));
	l->commands += taken;
	return taken;
}

static bool send_command(struct redis_link *l, uint32_t kind, int n, const struct str *arguments)
{
	uint32_t at = (l->oldest + l->pending) % REDIS_PENDING_MAX;
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += arguments[i].n;
	if (bytes > redis_link_space(l))
		return false;
	if (!say(l, on_answer, n, arguments))
		return false;
	l->ring[at] = (struct redis_pending){ kind, (uint32_t)bytes + REDIS_COMMAND_BYTES, l->now };
	l->pending++;
	l->pending_bytes += l->ring[at].bytes;
	return true;
}

bool redis_link_send(struct redis_link *l, uint32_t kind, int n, const struct str *arguments)
{
	assert(kind < GREETING_FIRST);
	return l->state == REDIS_READY && send_command(l, kind, n, arguments);
}

bool redis_link_subscribe(struct redis_link *l, struct str channel)
{
	const struct str arguments[] = { STR("SUBSCRIBE"), channel };

	if (l->state != REDIS_READY || l->ended || l->unconfirmed == REDIS_UNCONFIRMED_MAX ||
	    redis_memory_use().room < REDIS_SUBSCRIBE_ROOM_BYTES || !redis_vet_subscribe(&l->vet, channel))
		return false;
	if (l->unconfirmed++ == 0)
		l->unconfirmed_since = l->now;
	return say(l, on_message, 2, arguments);
}

bool redis_link_unsubscribe(struct redis_link *l, struct str channel)
{
	const struct str arguments[] = { STR("UNSUBSCRIBE"), channel };

	if (l->state != REDIS_READY || l->ended || !redis_vet_knows(&l->vet, channel))
		return false;
	return say(l, NULL, 2, arguments);
}

void redis_link_flush(struct redis_link *l)
{
	if (l->ac == NULL || l->ended || !l->wants_write || (l->ac->c.flags & REDIS_IN_CALLBACK) != 0)
		return;
	/* Epoll says when the socket takes more, or the clock. */
	if ((l->watched & EPOLLOUT) != 0 || l->starved)
		return;
	redisAsyncHandleWrite(l->ac);
	settle(l);
}

/* --- the way to READY --- */

static void greet(struct redis_link *l)
{
	const struct redis_greeting *g = &l->greeting;
	const struct redis_url *u = g->url;
	char db[12];
	bool said = true;

	to(l, REDIS_GREETING);
	l->greetings = 1;
	if (u != NULL && u->has_password) {
		const struct str auth[] = { STR("AUTH"), str_of(u->user, u->user_bytes),
			                    str_of(u->password, u->password_bytes) };
		const struct str alone[] = { auth[0], auth[2] };

		said = u->user_bytes > 0 ? send_command(l, GREETING_AUTH, 3, auth)
		                         : send_command(l, GREETING_AUTH, 2, alone);
		l->greetings++;
	}
	if (said && u != NULL && u->db > 0) {
		int n = snprintf(db, sizeof(db), "%u", (unsigned)u->db);
		const struct str select[] = { STR("SELECT"), str_of(db, (size_t)n) };

		said = send_command(l, GREETING_SELECT, 2, select);
		l->greetings++;
	}
	if (said && g->name.n > 0) {
		const struct str name[] = { STR("CLIENT"), STR("SETNAME"), g->name };

		said = send_command(l, GREETING_NAME, 3, name);
		l->greetings++;
	}
	if (said && g->master) {
		said = send_command(l, GREETING_ROLE, 1, &STR("ROLE"));
		l->greetings++;
	}
	if (said)
		send_command(l, GREETING_PING, 1, &STR("PING"));
	redis_link_flush(l);
}

/* The stream stands: from here on it is hiredis'. */
static void begin(struct redis_link *l)
{
	redisOptions o = { .type = REDIS_CONN_USERFD, .endpoint.fd = REDIS_INVALID_FD, .privdata = &l->wire };
	redisAsyncContext *ac = redisAsyncConnectWithOptions(&o);

	l->failures = redis_memory_use().failures;
	if (ac == NULL) {
		say_why(l, STR("the memory for Redis is full"));
		redis_link_close(l);
		return;
	}
	ac->c.fd = l->wire.fd;
	ac->c.funcs = redis_wire_funcs(&l->wire);
	ac->c.flags |= REDIS_CONNECTED; /* by redis_wire_dial(), and not by what hiredis would do */
	ac->c.reader->maxelements = RESP_ELEMENTS_MAX;
	ac->data = l;
	ac->ev.data = l;
	ac->ev.addWrite = want_write;
	ac->ev.delWrite = want_no_write;
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	l->ac = ac;
	redis_vet_watch(&l->vet, ac, &l->pending);
	watch(l, EPOLLIN);
	greet(l);
}

static void shake(struct redis_link *l)
{
	struct str why = STR_NONE;

	switch (redis_wire_shake(&l->wire, &why)) {
	case REDIS_WIRE_DONE: begin(l); break;
	case REDIS_WIRE_WAIT: watch_anew(l); break;
	case REDIS_WIRE_FAILED:
		say_why(l, why);
		redis_link_close(l);
	}
}

static void secure(struct redis_link *l)
{
	unsigned char seed[TLS_CLIENT_SEED_BYTES];

	to(l, REDIS_SECURING);
	if (machine_random(seed, sizeof(seed)) &&
	    tls_client_init_bare(l->wire.tls, l->anchors, l->greeting.host, l->greeting.wall, seed)) {
		shake(l);
		return;
	}
	say_why(l, STR("TLS cannot begin"));
	redis_link_close(l);
}

static void connected(struct redis_link *l)
{
	int error = redis_wire_dialled(&l->wire);

	if (error != 0) {
		say_errno(l, error);
		redis_link_close(l);
		return;
	}
	l->reached = true;
	if (l->wire.tls != NULL)
		secure(l);
	else
		begin(l);
}

void redis_link_open(struct redis_link *l, const struct redis_address *a, const struct redis_greeting *g,
                     mono_t now)
{
	assert(l->state == REDIS_CLOSED && l->ac == NULL);
	l->now = now;
	l->greeting = *g;
	l->why[0] = '\0';
	l->reached = l->refused = false;
	if (!redis_wire_dial(&l->wire, a)) {
		say_errno(l, errno);
		return;
	}
	to(l, REDIS_CONNECTING);
	watch(l, EPOLLOUT);
}

/* --- turns --- */

void redis_link_begin(struct redis_link *l, mono_t now)
{
	l->now = now;
	l->was_read = false;
}

static void read_once(struct redis_link *l)
{
	if (l->ac == NULL || l->ended || l->was_read)
		return;
	l->was_read = true;
	redisAsyncHandleRead(l->ac);
	settle(l);
}

/* What waits goes on, into a socket that ought to take some of it. */
static void write_on(struct redis_link *l)
{
	uint64_t before = l->wire.put;

	if (l->state == REDIS_SECURING) {
		shake(l);
	} else {
		if (!redis_wire_push(&l->wire))
			redis_link_end(l, STR("the connection broke"));
		else if (l->wants_write)
			redisAsyncHandleWrite(l->ac);
		settle(l);
	}
	l->starved = is_owing(l) && l->wire.put == before;
	l->retry_at = mono_add_ms(l->now, WRITE_RETRY_MS);
	watch_anew(l);
}

void redis_link_event(struct redis_link *l, uint32_t events)
{
	if (l->state == REDIS_CONNECTING) {
		connected(l);
		return;
	}
	if ((events & EPOLLOUT) != 0 && l->state != REDIS_CLOSED && !l->ended)
		write_on(l);
	else if (l->state == REDIS_SECURING)
		shake(l);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		read_once(l);
}

/* When patience ends with what is not answered; never, if nothing is waited for. */
static mono_t patience(const struct redis_link *l)
{
	mono_t at = MONO_NEVER;

	if (l->state == REDIS_CLOSED)
		return at;
	if (l->state != REDIS_READY)
		return l->deadline;
	if (l->pending > 0)
		at = mono_add_ms(l->ring[l->oldest].given, REDIS_ANSWER_MS);
	if (l->unconfirmed > 0)
		at = mono_min(at, mono_add_ms(l->unconfirmed_since, REDIS_ANSWER_MS));
	return at;
}

void redis_link_turn(struct redis_link *l)
{
	if (l->wire.more)
		read_once(l);
	/* What came in this turn was read first, and there may be more of it: whoever was stopped for long
	 * must not take Redis for silent. */
	if (!l->was_read && !mono_before(l->now, patience(l)))
		redis_link_end(l, l->state == REDIS_CONNECTING ? STR("no connection in time")
		                                               : STR("no answer in time"));
	if (l->ended)
		redis_link_close(l);
	else if (l->starved && !mono_before(l->now, l->retry_at))
		write_on(l);
	else
		redis_link_flush(l);
}

mono_t redis_link_deadline(const struct redis_link *l)
{
	bool unsent = l->wants_write && (l->watched & EPOLLOUT) == 0 && !l->starved;

	if (l->state != REDIS_CLOSED && (l->ended || l->wire.more || unsent))
		return (mono_t){ 0 };
	return l->starved ? mono_min(patience(l), l->retry_at) : patience(l);
}
