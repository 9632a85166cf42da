/* One target, one request, one status line. The time limit is SIGALRM's: it ends the process wherever it
 * waits. */
#include "tool/healthcheck.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config_file.h"
#include "listener.h"
#include "net/anchors.h"
#include "net/machine.h"
#include "net/tls_client.h"
#include "option.h"
#include "tool/args.h"
#include "tool/world.h"
#include "wire/url.h"

enum { LIMIT_S = 5, REQUEST_BYTES = 2 * URL_BYTES_MAX, SERVICE_BYTES = 8, SAID = -2 };

struct target {
	bool is_unix, tls;
	bool verified;        /* against `anchors` */
	uint16_t port;
	struct str host;      /* or a path */
	struct str path;      /* of the URL */
	struct str authority; /* the Host header */
	char shown[URL_BYTES_MAX + 1];
	char port_text[LISTENER_TEXT_BYTES_MAX]; /* the listener of SERVICE_PORT */
	struct anchors anchors;
};

static struct target target;
static struct tls_client tls;

static void too_late(int signal_number)
{
	static const char text[] = "presenced: healthcheck: no answer within 5 seconds\n";

	(void)signal_number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

static int complain(const char *what, struct str why)
{
	fprintf(stderr, "presenced: healthcheck: %s: %.*s\n", what, (int)why.n, why.p);
	return 1;
}

static struct str error_text(void)
{
	const char *text = errno != 0 ? strerror(errno) : "that is no HTTP server";

	return str_of(text, strlen(text));
}

/* --- where to ask --- */

/* A wildcard is reached over loopback. */
static void take_listener(struct target *t, const struct listener_config *l)
{
	struct listener_config place = { .address = l->address, .port = l->port, .is_unix = l->is_unix };

	if (str_eq(place.address, STR("0.0.0.0")))
		place.address = STR("127.0.0.1");
	if (str_eq(place.address, STR("::")))
		place.address = STR("::1");
	t->is_unix = place.is_unix;
	t->tls = l->tls;
	t->port = place.port;
	t->host = place.address;
	t->authority = str_of(t->shown, listener_put(&place, t->shown));
	if (t->is_unix)
		t->authority = STR("localhost");
}

static bool take_url(struct target *t, struct str s, char why[LISTENER_WHY_BYTES])
{
	struct listener_config place;
	struct url url;

	if (str_has_prefix(s, STR("unix:"))) {
		if (!listener_parse(s, &place, why))
			return false;
		take_listener(t, &place);
		return true;
	}
	snprintf(why, LISTENER_WHY_BYTES, "is not http://HOST[:PORT][/PATH], https://... or unix:PATH");
	if (!url_parse(s, &url) || url.websocket || (url.path.n > 0 && url.path.p[0] != '/'))
		return false;
	t->tls = url.tls;
	t->port = url.port;
	t->host = url.host;
	t->path = url.path;
	t->authority = url.authority;
	snprintf(t->shown, sizeof(t->shown), "%.*s", (int)url.authority.n, url.authority.p);
	return true;
}

static struct str variable(char *const *env, struct str name)
{
	for (; *env != NULL; env++) {
		struct str entry = str_of(*env, strlen(*env));

		if (str_has_prefix(entry, name) && entry.n > name.n)
			return str_of(entry.p + name.n, entry.n - name.n);
	}
	return STR_NONE;
}

/* What a server listens on: of all that is offered, the first without TLS, else the first. */
struct choice {
	struct listener_config listener;
	bool any;
};

/* `rest`: listeners, separated by blanks. */
static bool offer(struct choice *c, struct str rest, char why[LISTENER_WHY_BYTES])
{
	struct listener_config l;

	while (rest.n > 0 && (!c->any || c->listener.tls)) {
		size_t n = 0;

		while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\t')
			n++;
		if (n > 0) {
			if (!listener_parse(str_of(rest.p, n), &l, why))
				return false;
			if (!c->any || !l.tls)
				c->listener = l;
			c->any = true;
		}
		n += n < rest.n;
		rest = str_of(rest.p + n, rest.n - n);
	}
	return true;
}

/* The listeners of a configuration file; what else is in it, the server looks at. */
static bool offer_file(struct choice *c, struct str path, char why[LISTENER_WHY_BYTES])
{
	static char text[OPTIONS_FILE_BYTES_MAX];
	uint32_t listen = option_by_flag(STR("listen"));
	enum config_file_result r;
	struct config_entry entry;
	struct config_file file;
	size_t n = 0;
	const char *reason = world_read_file(NULL, path, text, sizeof(text), &n);

	if (reason != NULL) {
		snprintf(why, LISTENER_WHY_BYTES, "cannot be told: %.*s: %s",
			 path.n < 64 ? (int)path.n : 64, path.p, reason);
		return false;
	}
	config_file_init(&file, str_of(text, n));
	while ((r = config_file_next(&file, &entry)) == CONFIG_FILE_ENTRY || r == CONFIG_FILE_EMPTY)
		if (r == CONFIG_FILE_ENTRY && option_by_key(entry.key) == listen &&
		    !offer(c, entry.value, why))
			return false;
	return true;
}

/* What the server of the same environment and configuration file listens on. */
static bool take_own(struct target *t, struct str config, char *const *env, char why[LISTENER_WHY_BYTES])
{
	struct str listen = variable(env, STR("PRESENCED_LISTEN="));
	struct str port = variable(env, STR("SERVICE_PORT="));
	struct choice c = { .any = false };

	if (str_absent(listen) && str_absent(port) && config.n > 0 && !offer_file(&c, config, why))
		return false;
	if (str_absent(listen) && !c.any) {
		if (str_absent(port))
			port = STR("8080");
		snprintf(t->port_text, sizeof(t->port_text), "127.0.0.1:%.*s", port.n < 16 ? (int)port.n : 16,
			 port.p);
		listen = str_of(t->port_text, strlen(t->port_text));
	}
	if (!c.any && !offer(&c, listen, why))
		return false;
	snprintf(why, LISTENER_WHY_BYTES, "is none");
	if (c.any)
		take_listener(t, &c.listener);
	return c.any;
}

/* --- asking --- */

static int connect_to_path(struct str path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(a.sun_path, path.p, path.n);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_to_any(const struct addrinfo *list)
{
	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), error;

		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			return fd;
		error = errno;
		if (fd >= 0)
			close(fd);
		errno = error;
	}
	return -1;
}

/* A socket, or -1 with errno, or SAID: the name is none. */
static int connect_to(const struct target *t)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list;
	char host[URL_HOST_BYTES_MAX + 1], service[SERVICE_BYTES];
	/* an empty root has no /etc/hosts that would know it */
	struct str name = str_eq_nocase(t->host, STR("localhost")) ? STR("127.0.0.1") : t->host;
	int fd, error;

	if (t->is_unix)
		return connect_to_path(t->host);
	snprintf(host, sizeof(host), "%.*s", (int)name.n, name.p);
	snprintf(service, sizeof(service), "%u", t->port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0) {
		complain(t->shown, str_of(gai_strerror(error), strlen(gai_strerror(error))));
		return SAID;
	}
	fd = connect_to_any(list);
	error = errno;
	freeaddrinfo(list);
	errno = error;
	return fd;
}

static bool send_all(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* Sends what TLS has to say, else waits for what the server says. False: no more of either. */
static bool move_records(int fd)
{
	unsigned char *p;
	size_t n = tls_client_output(&tls, &p);
	ssize_t got;

	if (n > 0) {
		if (!send_all(fd, p, n))
			return false;
		tls_client_sent(&tls, n);
		return true;
	}
	n = tls_client_room(&tls, &p);
	got = n > 0 ? read(fd, p, n) : 0;
	if (got > 0)
		tls_client_received(&tls, (size_t)got);
	else if (got == 0)
		tls_client_end(&tls);
	return got > 0;
}

/* The handshake, and the request behind it. */
static bool send_over_tls(const struct target *t, int fd, const char *request, size_t n)
{
	unsigned char seed[TLS_CLIENT_SEED_BYTES], *p;

	if (!machine_random(seed, sizeof(seed)))
		return false;
	if (!t->verified)
		tls_client_init_unverified(&tls, seed);
	else if (!tls_client_init(&tls, &t->anchors, t->host, machine_now().wall, seed))
		return false;
	while (tls_client_state(&tls) == TLS_CLIENT_HANDSHAKE)
		if (!move_records(fd))
			return false;
	if (tls_client_space(&tls, &p) < n)
		return false;
	memcpy(p, request, n);
	tls_client_written(&tls, n);
	tls_client_flush(&tls);
	return true;
}

static bool send_request(const struct target *t, int fd)
{
	char request[REQUEST_BYTES + 64];
	int n = snprintf(request, sizeof(request),
			 "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n\r\n", (int)t->path.n,
			 t->path.p, (int)t->authority.n, t->authority.p);

	return t->tls ? send_over_tls(t, fd, request, (size_t)n) : send_all(fd, request, (size_t)n);
}

/* As read(2). */
static ssize_t read_some(const struct target *t, int fd, char *out, size_t cap)
{
	unsigned char *p;
	size_t n;

	if (!t->tls)
		return read(fd, out, cap);
	while ((n = tls_client_plain(&tls, &p)) == 0)
		if (!move_records(fd))
			return -1;
	n = n < cap ? n : cap;
	memcpy(out, p, n);
	tls_client_taken(&tls, n);
	return (ssize_t)n;
}

/* The status of the answer, "HTTP/1.1 200"; 0 when it is none, with errno when reading failed. */
static int read_status(const struct target *t, int fd)
{
	char head[12];
	size_t n = 0;
	int status = 0;

	while (n < sizeof(head)) {
		ssize_t got = read_some(t, fd, head + n, sizeof(head) - n);

		if (got <= 0)
			return 0;
		n += (size_t)got;
	}
	if (memcmp(head, "HTTP/1.", 7) != 0 || head[8] != ' ')
		return 0;
	for (size_t i = 9; i < sizeof(head); i++) {
		if (head[i] < '0' || head[i] > '9')
			return 0;
		status = status * 10 + (head[i] - '0');
	}
	return status;
}

static int ask(const struct target *t)
{
	int fd = connect_to(t), status;
	char text[32];

	if (fd < 0)
		return fd == SAID ? 1 : complain(t->shown, error_text());
	errno = 0;
	status = send_request(t, fd) ? read_status(t, fd) : 0;
	if (status == 200)
		return 0;
	if (status == 0 && errno == 0 && t->tls && tls_client_state(&tls) == TLS_CLIENT_FAILED)
		return complain(t->shown, tls_client_why(&tls));
	if (status == 0)
		return complain(t->shown, error_text());
	snprintf(text, sizeof(text), "answered %d", status);
	return complain(t->shown, str_of(text, strlen(text)));
}

/* --- what was asked for --- */

/* False: one line said why. */
static bool take_arguments(struct target *t, char *const *arguments, char *const *env)
{
	enum { CA_FILE, CONFIG };
	static const char *const flags[] = { [CA_FILE] = "ca-file", [CONFIG] = "config", NULL };
	struct args a = { arguments, "healthcheck", flags };
	char why[LISTENER_WHY_BYTES], *value, *url = NULL, *ca = NULL;
	struct str config = str_trim(variable(env, STR("PRESENCED_CONFIG=")));
	int found;

	while ((found = args_next(&a, &value)) != ARGS_END) {
		if (found == ARGS_BAD)
			return false;
		if (found == ARGS_WORD && url != NULL)
			return args_say(&a, "\"%.64s\" is one word too many", value);
		if (found == CONFIG)
			config = str_of(value, strlen(value));
		else
			*(found == ARGS_WORD ? &url : &ca) = value;
	}
	if (url != NULL ? !take_url(t, str_of(url, strlen(url)), why) : !take_own(t, config, env, why))
		return args_say(&a, "%.200s %s", url != NULL ? url : "the server's listener", why);
	if (ca != NULL && (url == NULL || !t->tls))
		return args_say(&a, "--ca-file is for an https URL");
	t->verified = ca != NULL;
	return ca == NULL || anchors_load(&t->anchors, str_of(ca, strlen(ca)));
}

int healthcheck_run(char *const *arguments, char *const *env)
{
	struct sigaction act = { .sa_handler = too_late };

	if (!take_arguments(&target, arguments, env))
		return 2;
	if (target.path.n <= 1)
		target.path = STR("/ready");
	sigaction(SIGALRM, &act, NULL);
	alarm(LIMIT_S);
	return ask(&target);
}
