/*
 * A handshake is read record by record, never further: what a client sends right behind its Finished (TLS
 * False Start, RFC 7918) stays in the socket until our own Finished has been made, since BearSSL takes no
 * application data before.
 */
#include <string.h>

#include "net/machine.h"
#include "net/tls_state.h"

enum {
	STEP_READS_MAX = 64, /* more than a handshake has records: who sends on waits for its next turn */
};

static bool begin(struct tls *t, struct tls_session *s)
{
	br_ssl_server_context *server = &t->contexts[tls_number(t, s)];
	uint8_t random[32];
	bool good = machine_random(random, sizeof(random)) &&
	            tls_engine_begin(server, t->template, t->in, t->out, random, sizeof(random));

	explicit_bzero(random, sizeof(random));
	if (!good)
		return false;
	tls_policy_init(&s->policy, &t->sets[t->set]);
	br_ssl_server_set_policy(server, &s->policy.vtable);
	s->set = t->set;
	t->users[s->set]++;
	s->flags |= TLS_BEGUN | TLS_COUNTED;
	return true;
}

/* Somebody speaks HTTP to the port: words are more use than an alert. */
static void answer_http(struct tls *t, struct tls_session *s)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
		"Content-Length: 27\r\nConnection: close\r\n\r\nThis port speaks TLS only.\n";
	static const char *const methods[] = { "GET /", "HEAD ", "POST ", "PUT /", "DELET", "OPTIO" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (memcmp(t->in, methods[i], TLS_HEADER_BYTES) == 0)
			tls_out_last(t, s, answer, sizeof(answer) - 1);
}

static void closed(struct tls *t, struct tls_session *s)
{
	if (br_ssl_engine_last_error(tls_engine(t, s)) == BR_ERR_UNSUPPORTED_VERSION)
		answer_http(t, s);
	tls_engine_closed(t, s);
}

static void established(struct tls *t, struct tls_session *s)
{
	t->handshakes++;
	t->resumed += s->policy.chosen == NULL;
	tls_grown(t, s);
	s->phase = TLS_OPEN;
	tls_rewatch(t, s);
}

/* Takes what the next record still lacks from the socket. False: there is nothing now, or no more. */
static bool take_some(struct tls *t, struct tls_session *s)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	size_t room;
	unsigned char *at = br_ssl_engine_recvrec_buf(e, &room);
	ptrdiff_t n;

	if (at == NULL) { /* the engine has something that it does not want */
		tls_fail(t, s, TLS_FAULT_BAD_RECORD);
		return false;
	}
	n = t->plain.read(t->plain.ctx, s->fd, at, room);
	if (n == TRANSPORT_AGAIN)
		return false;
	if (n <= 0) {
		tls_fail(t, s, TLS_FAULT_GONE);
		return false;
	}
	br_ssl_engine_recvrec_ack(e, (size_t)n);
	return true;
}

void tls_handshake_step(struct tls *t, struct tls_session *s)
{
	br_ssl_engine_context *e = tls_engine(t, s);
	int reads = 0;

	assert(s->phase == TLS_HANDSHAKE);
	if (!(s->flags & TLS_BEGUN) && !begin(t, s)) {
		tls_fail(t, s, TLS_FAULT_POOL);
		return;
	}
	(void)tls_out_resume(t, s);
	tls_in_open(t, s);
	while (s->phase == TLS_HANDSHAKE) {
		tls_out_drain(t, s);
		if (s->phase == TLS_DEAD)
			break;
		if (br_ssl_engine_current_state(e) & BR_SSL_CLOSED)
			closed(t, s);
		else if (br_ssl_engine_current_state(e) & BR_SSL_SENDAPP)
			established(t, s);
		else if (reads++ == STEP_READS_MAX)
			break;
		else if (!take_some(t, s))
			break;
	}
	if (reads > STEP_READS_MAX && s->phase == TLS_HANDSHAKE)
		tls_list(t, s, TLS_GOING); /* watched edge-triggered: epoll will not tell again */
	if (tls_owes(s) && s->phase == TLS_HANDSHAKE)
		tls_starved(t, s); /* nor will it, if there was no memory for what is owed */
	tls_in_close(t, s);
}
