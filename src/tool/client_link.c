/*
 * Invariants: what is in out[out_at, out_bytes) is whole frames but for what was already written of the
 * first; nothing is queued behind a Close.
 */
#include "tool/client_link.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/machine.h"

enum { FRAGMENTS_MAX = 1 << 20 };

static const struct ws_limits limits = {
	.message_bytes_max = CLIENT_MESSAGE_BYTES_MAX,
	.fragments_max = FRAGMENTS_MAX,
	.peer_is_server = true,
};

/* ---- the stream ---- */

static long settle(struct client_link *l, ssize_t n)
{
	if (n >= 0)
		return n;
	/* No memory for it now is no end of the connection. */
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM)
		return 0;
	l->error = errno;
	return -1;
}

/* Bytes off the socket; -1 at its end too. */
static long receive(struct client_link *l, void *out, size_t cap)
{
	ssize_t n = recv(l->fd, out, cap, 0);

	return n == 0 ? -1 : settle(l, n);
}

static void push_records(struct client_link *l)
{
	unsigned char *p;
	size_t n;

	while ((n = tls_client_output(&l->tls, &p)) > 0) {
		long sent = settle(l, send(l->fd, p, n, MSG_NOSIGNAL));

		if (sent < 0) /* reading finds out why, after what the server said before */
			sent = (long)n;
		if (sent == 0)
			return;
		tls_client_sent(&l->tls, (size_t)sent);
	}
}

static long read_tls(struct client_link *l, void *out, size_t cap)
{
	unsigned char *p;
	size_t n;

	for (;;) {
		long got;

		push_records(l);
		n = tls_client_plain(&l->tls, &p);
		if (n > 0) {
			n = n < cap ? n : cap;
			memcpy(out, p, n);
			tls_client_taken(&l->tls, n);
			return (long)n;
		}
		if (tls_client_state(&l->tls) >= TLS_CLIENT_CLOSED)
			return -1;
		n = tls_client_room(&l->tls, &p);
		got = n > 0 ? receive(l, p, n) : 0;
		if (got == 0)
			return 0;
		if (got < 0)
			tls_client_end(&l->tls);
		else
			tls_client_received(&l->tls, (size_t)got);
	}
}

long client_link_read(struct client_link *l, void *out, size_t cap)
{
	assert(cap > 0);
	return l->has_tls ? read_tls(l, out, cap) : receive(l, out, cap);
}

struct str client_link_why(const struct client_link *l)
{
	const char *text;

	if (l->error == 0 && l->has_tls && tls_client_state(&l->tls) == TLS_CLIENT_FAILED)
		return tls_client_why(&l->tls);
	if (l->error == 0)
		return STR("it was ended by the server");
	text = strerror(l->error);
	return str_of(text, strlen(text));
}

/* Bytes that the stream took. */
static size_t write_some(struct client_link *l, const uint8_t *bytes, size_t n)
{
	unsigned char *p;
	size_t room;
	long sent;

	if (l->has_tls) {
		room = tls_client_space(&l->tls, &p);
		n = n < room ? n : room;
		if (n == 0)
			return 0;
		memcpy(p, bytes, n);
		tls_client_written(&l->tls, n);
		tls_client_flush(&l->tls);
		push_records(l);
		return n;
	}
	sent = settle(l, send(l->fd, bytes, n, MSG_NOSIGNAL));
	return sent < 0 ? n : (size_t)sent; /* as in push_records() */
}

short client_link_waits_for(const struct client_link *l)
{
	unsigned char *p;
	bool writes = l->has_tls ? tls_client_output(&l->tls, &p) > 0 : l->out_at < l->out_bytes;

	return (short)(POLLIN | (writes ? POLLOUT : 0));
}

void client_link_end(struct client_link *l)
{
	if (l->fd >= 0 && l->has_tls) {
		tls_client_close(&l->tls);
		push_records(l);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->ended = true;
}

/* ---- out ---- */

void client_link_flush(struct client_link *l)
{
	while (l->out_at < l->out_bytes && !l->ended) {
		size_t n = write_some(l, l->out + l->out_at, l->out_bytes - l->out_at);

		if (n == 0)
			break;
		l->out_at += n;
	}
	if (l->out_at == l->out_bytes)
		l->out_at = l->out_bytes = 0;
}

bool client_link_has_room(const struct client_link *l, size_t bytes)
{
	return bytes <= sizeof(l->out) - WS_HEADER_BYTES_MAX - (l->out_bytes - l->out_at);
}

bool client_link_send(struct client_link *l, enum ws_opcode op, struct str payload)
{
	uint8_t key[4];

	assert(payload.n <= CLIENT_LINE_BYTES_MAX);
	if (l->close_sent || l->ended || !client_link_has_room(l, payload.n) ||
	    !machine_random(key, sizeof(key)))
		return false;
	memmove(l->out, l->out + l->out_at, l->out_bytes - l->out_at);
	l->out_bytes -= l->out_at;
	l->out_at = 0;
	l->out_bytes += ws_frame_header_masked(l->out + l->out_bytes, op, true, payload.n, key);
	if (payload.n > 0)
		memcpy(l->out + l->out_bytes, payload.p, payload.n);
	ws_frame_mask(l->out + l->out_bytes, payload.n, key);
	l->out_bytes += payload.n;
	l->close_sent = op == WS_CLOSE;
	client_link_flush(l);
	return true;
}

void client_link_close(struct client_link *l, unsigned code)
{
	char payload[] = { (char)(code >> 8), (char)code };

	client_link_send(l, WS_CLOSE, str_of(payload, ws_frame_code_valid(code) ? sizeof(payload) : 0));
}

/* ---- in ---- */

static enum client_link_event lost(struct client_link *l, struct client_message *m)
{
	*m = (struct client_message){ .text = client_link_why(l), .code = WS_CODE_NONE };
	l->ended = true;
	return CLIENT_LINK_LOST;
}

/* A piece of a message: the whole of it is put together, at its end it is told. */
static enum client_link_event gather(struct client_link *l, const struct ws_event *ev,
				     struct client_message *m)
{
	if (ev->first)
		l->message_bytes = 0;
	assert(l->message_bytes + ev->n <= sizeof(l->message));
	if (ev->n > 0)
		memcpy(l->message + l->message_bytes, ev->p, ev->n);
	l->message_bytes += ev->n;
	if (!ev->last)
		return CLIENT_LINK_NONE;
	m->text = str_of((char *)l->message, l->message_bytes);
	return ev->opcode == WS_TEXT ? CLIENT_LINK_TEXT : CLIENT_LINK_BINARY;
}

static enum client_link_event take(struct client_link *l, const struct ws_event *ev, struct client_message *m)
{
	struct str payload = str_of((const char *)ev->p, ev->n);

	*m = (struct client_message){ .text = payload, .code = ev->code };
	switch (ev->type) {
	case WS_EV_DATA: return gather(l, ev, m);
	case WS_EV_PING: client_link_send(l, WS_PONG, payload); return CLIENT_LINK_NONE;
	case WS_EV_PONG: return CLIENT_LINK_PONG;
	case WS_EV_CLOSE:
		client_link_close(l, ev->code);
		l->ended = true;
		return CLIENT_LINK_CLOSED;
	case WS_EV_FAIL:
		m->text = str_of(ws_err_name(ev->err), strlen(ws_err_name(ev->err)));
		client_link_close(l, ev->code);
		l->ended = true;
		return CLIENT_LINK_FAILED;
	case WS_EV_NONE:
	case WS_EV_NEED_CONTROL: break;
	}
	return CLIENT_LINK_NONE;
}

enum client_link_event client_link_next(struct client_link *l, struct client_message *m)
{
	enum client_link_event event = CLIENT_LINK_NONE;
	struct ws_event ev;

	client_link_flush(l);
	while (event == CLIENT_LINK_NONE && !l->ended) {
		if (l->in_at == l->in_bytes) {
			long n = client_link_read(l, l->in, sizeof(l->in));

			if (n < 0)
				return lost(l, m);
			if (n == 0)
				return CLIENT_LINK_NONE;
			l->in_at = 0;
			l->in_bytes = (size_t)n;
		}
		l->in_at += ws_dec_feed(&l->dec, &limits, l->control, l->in + l->in_at,
					l->in_bytes - l->in_at, &ev);
		event = take(l, &ev, m);
	}
	return event;
}
