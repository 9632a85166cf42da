#include "tool/client_open.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "net/machine.h"
#include "tool/client_words.h"
#include "tool/screen.h"
#include "wire/handshake.h"
#include "wire/http_response.h"

enum { HOST_BYTES = URL_HOST_BYTES_MAX + 1, SERVICE_BYTES = 8, BODY_BYTES = 16384, SHOWN_BYTES = 256 };

/* What the opening needs beside the link. */
struct opening {
	struct client_link *link;
	const struct client_target *target;
	mono_t deadline;
	char *why;
	bool ended; /* the stream */
	char key[HANDSHAKE_KEY_BYTES];
	struct http_response response;
	char head[HTTP_RESPONSE_HEAD_BYTES_MAX];
	uint8_t body[BODY_BYTES];
};

#define WHY(why, ...) (snprintf(why, CLIENT_WHY_BYTES, __VA_ARGS__), false)

/* ---- what was asked for ---- */

bool client_open_parse(struct client_target *t, struct str url, char why[CLIENT_WHY_BYTES])
{
	const char *mark = memchr(url.p, '?', url.n);
	size_t n = mark != NULL ? (size_t)(mark - url.p) : url.n;
	char shown[SHOWN_BYTES];

	t->query = mark != NULL ? str_of(mark, url.n - n) : STR_NONE;
	for (size_t i = 0; i < t->query.n; i++)
		if (t->query.p[i] <= ' ' || t->query.p[i] > '~' || t->query.p[i] == '#')
			return WHY(why, "the URL's query holds a byte that must be escaped (%%%02X)",
				   (unsigned char)t->query.p[i]);
	if (!url_parse(str_of(url.p, n), &t->url) || !t->url.websocket)
		return WHY(why, "\"%s\" is not ws://HOST[:PORT][/PATH][?QUERY], nor the same with wss://",
			   screen_safe(str_of(url.p, n), shown, sizeof(shown)));
	return true;
}

struct str client_open_has(const struct client_target *t, struct str name)
{
	for (uint32_t i = 0; i < t->header_count; i++)
		if (str_eq_nocase(t->headers[i].name, name))
			return t->headers[i].value;
	return STR_NONE;
}

/* The headers that make the handshake, and those that would end it elsewhere than at its empty line. */
static bool is_ours(struct str name)
{
	static const struct str names[] = { STR("Upgrade"),
					    STR("Connection"),
					    STR("Sec-WebSocket-Key"),
					    STR("Sec-WebSocket-Version"),
					    STR("Sec-WebSocket-Extensions"),
					    STR("Content-Length"),
					    STR("Transfer-Encoding") };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq_nocase(names[i], name))
			return true;
	return false;
}

bool client_open_header(struct client_target *t, struct str line, char why[CLIENT_WHY_BYTES])
{
	const char *colon = memchr(line.p, ':', line.n);
	struct str name = str_of(line.p, colon != NULL ? (size_t)(colon - line.p) : 0), value;
	char shown[SHOWN_BYTES];

	screen_safe(line, shown, 64);
	if (!http_is_token(name))
		return WHY(why, "--header wants \"Name: value\", not \"%s\"", shown);
	if (is_ours(name))
		return WHY(why, "--header: %.*s is the client's own", (int)name.n, name.p);
	if (t->header_count == CLIENT_HEADERS_MAX)
		return WHY(why, "--header: %d at most", CLIENT_HEADERS_MAX);
	value = str_trim(str_of(colon + 1, line.n - name.n - 1));
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
			return WHY(why, "--header %.*s: the value holds a control character", (int)name.n,
				   name.p);
	t->headers[t->header_count++] = (struct http_header){ name, value };
	return true;
}

/* ---- the connection ---- */

static int left_ms(const struct opening *o)
{
	int64_t left = mono_since_ms(o->deadline, machine_now().mono);

	return left > 0 ? (int)left : 0;
}

/* Waits until the stream can go on. False: not before the deadline. */
static bool wait_for(const struct opening *o, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int n = poll(&p, 1, left_ms(o));

		if (n >= 0 || errno != EINTR)
			return n > 0;
	}
}

/* A connected socket, or -1 with errno. */
static int connect_to(const struct opening *o, const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0, on = 1;
	socklen_t bytes = sizeof(error);

	if (fd < 0)
		return -1;
	if (connect(fd, a->ai_addr, a->ai_addrlen) != 0)
		error = errno;
	if (error == EINPROGRESS) {
		error = ETIMEDOUT;
		if (wait_for(o, fd, POLLOUT))
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
	}
	if (error == 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return fd;
	}
	close(fd);
	errno = error;
	return -1;
}

static bool dial(struct opening *o)
{
	const struct url *url = &o->target->url;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list;
	char host[HOST_BYTES], service[SERVICE_BYTES];
	int error;

	snprintf(host, sizeof(host), "%.*s", (int)url->host.n, url->host.p);
	for (char *p = host; *p != '\0'; p++) /* /etc/hosts is compared byte by byte */
		*p = str_ascii_lower(*p);
	snprintf(service, sizeof(service), "%u", url->port);
	if (url->host_is_ipv6)
		hints.ai_flags = AI_NUMERICHOST;
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0)
		return WHY(o->why, "%s: %s", host, gai_strerror(error));
	for (const struct addrinfo *a = list; a != NULL && o->link->fd < 0; a = a->ai_next)
		o->link->fd = connect_to(o, a);
	error = errno;
	freeaddrinfo(list);
	return o->link->fd >= 0 ||
	       WHY(o->why, "%.*s: %s", (int)url->authority.n, url->authority.p, strerror(error));
}

/* ---- the handshake ---- */

static void put(struct client_link *l, struct str s)
{
	size_t room = sizeof(l->out) - l->out_bytes, n = s.n < room ? s.n : room;

	if (n > 0)
		memcpy(l->out + l->out_bytes, s.p, n);
	l->out_bytes += n;
}

static void put_header(struct client_link *l, struct str name, struct str value)
{
	put(l, name);
	put(l, STR(": "));
	put(l, value);
	put(l, STR("\r\n"));
}

static void put_request(struct opening *o)
{
	struct client_link *l = o->link;
	const struct client_target *t = o->target;

	put(l, STR("GET "));
	if (t->url.path.n == 0 || t->url.path.p[0] != '/')
		put(l, STR("/"));
	put(l, t->url.path);
	put(l, t->query);
	put(l, STR(" HTTP/1.1\r\n"));
	if (str_absent(client_open_has(t, STR("host"))))
		put_header(l, STR("Host"), t->url.authority);
	put_header(l, STR("Upgrade"), STR("websocket"));
	put_header(l, STR("Connection"), STR("Upgrade"));
	put_header(l, STR("Sec-WebSocket-Key"), str_of(o->key, sizeof(o->key)));
	put_header(l, STR("Sec-WebSocket-Version"), STR("13"));
	for (uint32_t i = 0; i < t->header_count; i++)
		put_header(l, t->headers[i].name, t->headers[i].value);
	if (!str_absent(t->token)) {
		put(l, STR("Authorization: Bearer "));
		put(l, t->token);
		put(l, STR("\r\n"));
	}
	put(l, STR("\r\n"));
}

/* The answer's head, and its body unless it is a 101; what follows a 101 is the link's input. */
static enum http_response_result read_response(struct opening *o)
{
	struct client_link *l = o->link;
	enum http_response_result result = HTTP_RESPONSE_MORE;

	http_response_init(&o->response, o->head, o->body, sizeof(o->body));
	while (result == HTTP_RESPONSE_MORE || result == HTTP_RESPONSE_HEAD) {
		/* the head of a 101 is all of it, and nothing may follow */
		if (l->in_at == l->in_bytes && result != HTTP_RESPONSE_HEAD) {
			long n = client_link_read(l, l->in, sizeof(l->in));

			client_link_flush(l);
			o->ended = n < 0;
			if (n < 0)
				return http_response_end(&o->response);
			if (n == 0 && !wait_for(o, l->fd, client_link_waits_for(l)))
				return HTTP_RESPONSE_MORE;
			l->in_at = 0;
			l->in_bytes = (size_t)n;
		} else {
			size_t used;

			result = http_response_feed(&o->response, l->in + l->in_at, l->in_bytes - l->in_at,
						    &used);
			l->in_at += used;
		}
	}
	return result;
}

/* Status, and what the answer says for itself: the server's JSON error, another place, or its first words. */
static bool refused(struct opening *o)
{
	const struct http_response *r = &o->response;
	struct str body = str_of((const char *)o->body, r->body_bytes), place, text;
	char shown[SHOWN_BYTES];

	text = client_words_unquoted(client_words_get(client_words_get(body, STR("error")), STR("message")));
	if (str_absent(text))
		text = body;
	while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
		text.n--;
	place = http_response_header(r, STR("location"));
	if (r->status / 100 == 3 && !str_absent(place))
		return WHY(o->why, "refused with status %u, which sends elsewhere: %s", r->status,
			   screen_safe(place, shown, sizeof(shown)));
	return WHY(o->why, "refused with status %u%s%s", r->status, text.n > 0 ? ": " : "",
		   screen_safe(text, shown, sizeof(shown)));
}

/* RFC 6455 4.1: what must be in a 101. */
static bool check_101(struct opening *o, char protocol[64])
{
	const struct http_response *r = &o->response;
	struct str chosen = http_response_header(r, STR("sec-websocket-protocol"));
	struct str offered = client_open_has(o->target, STR("sec-websocket-protocol")), element;
	struct str connection = http_response_header(r, STR("connection"));
	char accept[HANDSHAKE_ACCEPT_BYTES];
	bool upgrades = false, was_offered = str_absent(chosen);

	while (http_list_next(&connection, &element))
		upgrades |= str_eq_nocase(element, STR("upgrade"));
	if (!upgrades || !str_eq_nocase(http_response_header(r, STR("upgrade")), STR("websocket")))
		return WHY(o->why, "the server's 101 does not upgrade to websocket");
	handshake_accept(str_of(o->key, sizeof(o->key)), accept);
	if (!str_eq(http_response_header(r, STR("sec-websocket-accept")), str_of(accept, sizeof(accept))))
		return WHY(o->why, "the server's 101 does not answer this handshake (Sec-WebSocket-Accept)");
	if (!str_absent(http_response_header(r, STR("sec-websocket-extensions"))))
		return WHY(o->why, "the server's 101 names an extension that was not offered");
	while (http_list_next(&offered, &element))
		was_offered |= str_eq(element, chosen);
	if (!was_offered || chosen.n > 63)
		return WHY(o->why, "the server's 101 names a subprotocol that was not offered");
	snprintf(protocol, 64, "%.*s", (int)chosen.n, str_absent(chosen) ? "" : chosen.p);
	return true;
}

static bool begin_tls(struct opening *o)
{
	const struct client_target *t = o->target;
	unsigned char seed[TLS_CLIENT_SEED_BYTES];

	o->link->has_tls = t->url.tls;
	if (!t->url.tls)
		return true;
	if (!machine_random(seed, sizeof(seed)))
		return WHY(o->why, "the kernel has no randomness to give");
	return tls_client_init(&o->link->tls, t->anchors, t->url.host, machine_now().wall, seed) ||
	       WHY(o->why, "the name of the host is too long");
}

static bool upgrade(struct opening *o, char protocol[64])
{
	uint8_t nonce[16];
	enum http_response_result result;

	if (!machine_random(nonce, sizeof(nonce)))
		return WHY(o->why, "the kernel has no randomness to give");
	base64_encode(o->key, sizeof(o->key), nonce, sizeof(nonce));
	put_request(o);
	result = read_response(o);
	if (o->response.status != 0 && o->response.status != 101)
		return refused(o);
	if (result == HTTP_RESPONSE_DONE)
		return check_101(o, protocol);
	if (result == HTTP_RESPONSE_MORE)
		return WHY(o->why, "no answer within %d seconds", CLIENT_OPEN_MS / 1000);
	if (o->ended) {
		struct str why = client_link_why(o->link);

		return WHY(o->why, "%s: %.*s",
			   o->link->has_tls ? "TLS" : "the connection was lost before an answer", (int)why.n,
			   why.p);
	}
	return WHY(o->why, "that is no HTTP server");
}

bool client_open(struct client_link *l, const struct client_target *t, char protocol[64],
		 char why[CLIENT_WHY_BYTES])
{
	struct opening *o = machine_memory(sizeof(*o));
	bool open;

	if (o == NULL)
		return WHY(why, "no memory");
	o->link = l;
	o->target = t;
	o->why = why;
	o->deadline = mono_add_ms(machine_now().mono, CLIENT_OPEN_MS);
	l->fd = -1;
	ws_dec_init(&l->dec);
	open = dial(o) && begin_tls(o) && upgrade(o, protocol);
	machine_memory_free(o, sizeof(*o));
	if (!open)
		client_link_end(l);
	return open;
}
