/* One target, one request, one status line. The time limit is SIGALRM's: it ends the process wherever it
 * waits. */
#include "tool/healthcheck.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "listener.h"

enum { LIMIT_S = 5, HTTP_PORT = 80, REQUEST_BYTES = 1024, PATH_BYTES_MAX = 512 };

struct target {
	struct listener_config place;
	struct str path;
	char shown[LISTENER_TEXT_BYTES_MAX];
};

static void too_late(int signal_number)
{
	static const char text[] = "presenced: healthcheck: no answer within 5 seconds\n";

	(void)signal_number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(1);
}

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "presenced: healthcheck: %s: %s\n", what, why);
	return 1;
}

/* --- where to ask --- */

/* http://ADDRESS[:PORT][/PATH], the port appended when there is none. */
static bool target_parse(const char *url, char text[LISTENER_TEXT_BYTES_MAX], struct target *t,
		      char why[LISTENER_WHY_BYTES])
{
	struct str place, s = str_of(url, strlen(url));
	const char *slash, *colon;

	if (str_has_prefix(s, STR("unix:")))
		return listener_parse(s, &t->place, why);
	snprintf(why, LISTENER_WHY_BYTES, "is not http://ADDRESS[:PORT][/PATH] or unix:PATH");
	if (s.n < 8 || !str_eq_nocase(str_of(s.p, 7), STR("http://")))
		return false;
	place = str_of(s.p + 7, s.n - 7);
	slash = memchr(place.p, '/', place.n);
	if (slash != NULL) {
		place.n = (size_t)(slash - place.p);
		t->path = str_of(slash, strlen(slash));
	}
	if (place.n == 0 || place.p[0] == ':' || place.n > LISTENER_TEXT_BYTES_MAX - 8 ||
	    memchr(place.p, ',', place.n) != NULL || t->path.n > PATH_BYTES_MAX)
		return false;
	for (size_t i = 0; i < t->path.n; i++)
		if (t->path.p[i] <= ' ' || t->path.p[i] > '~')
			return false;
	colon = memrchr(place.p, ':', place.n);
	if (colon != NULL && memchr(colon, ']', place.n - (size_t)(colon - place.p)) != NULL)
		colon = NULL;
	snprintf(text, LISTENER_TEXT_BYTES_MAX, colon != NULL ? "%.*s" : "%.*s:80", (int)place.n, place.p);
	return listener_parse(str_of(text, strlen(text)), &t->place, why);
}

static struct str variable(char *const *env, struct str name)
{
	for (; *env != NULL; env++) {
		struct str entry = str_of(*env, strlen(*env));

		if (str_has_prefix(entry, name) && entry.n > name.n)
			return str_of(entry.p + name.n, strcspn(entry.p + name.n, " \t"));
	}
	return STR_NONE;
}

/* What the server of the same environment listens on first; a wildcard is reached over loopback. */
static bool from_environment(char *const *env, char text[LISTENER_TEXT_BYTES_MAX], struct target *t,
			     char why[LISTENER_WHY_BYTES])
{
	struct str listen = variable(env, STR("PRESENCED_LISTEN=")),
		   port = variable(env, STR("SERVICE_PORT="));

	if (str_absent(listen)) {
		if (str_absent(port))
			port = STR("8080");
		snprintf(text, LISTENER_TEXT_BYTES_MAX, "127.0.0.1:%.*s", port.n < 16 ? (int)port.n : 16,
			 port.p);
		listen = str_of(text, strlen(text));
	}
	if (!listener_parse(listen, &t->place, why))
		return false;
	if (str_eq(t->place.address, STR("0.0.0.0")))
		t->place.address = STR("127.0.0.1");
	if (str_eq(t->place.address, STR("::")))
		t->place.address = STR("::1");
	return true;
}

/* --- asking --- */

static int connect_to(const struct listener_config *place)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	} a = { .un = { .sun_family = AF_UNIX } };
	socklen_t bytes = sizeof(a.un);
	char text[LISTENER_PATH_BYTES_MAX + 1];
	int fd;

	memcpy(text, place->address.p, place->address.n);
	text[place->address.n] = '\0';
	if (place->is_unix) {
		memcpy(a.un.sun_path, text, place->address.n + 1);
	} else if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons(place->port);
		bytes = sizeof(a.v4);
	} else {
		a.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(place->port) };
		if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) != 1)
			return -1;
		bytes = sizeof(a.v6);
	}
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, &a.any, bytes) != 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static bool send_request(int fd, const struct target *t)
{
	struct listener_config host = { .address = t->place.address, .port = t->place.port };
	char place[LISTENER_TEXT_BYTES_MAX], request[REQUEST_BYTES];
	size_t sent = 0, n;

	if (t->place.is_unix)
		host.address = STR("localhost");
	listener_put(&host, place);
	n = (size_t)snprintf(request, sizeof(request),
			     "GET %.*s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", (int)t->path.n,
			     t->path.p, place);
	while (sent < n) {
		ssize_t wrote = send(fd, request + sent, n - sent, MSG_NOSIGNAL);

		if (wrote < 0)
			return false;
		sent += (size_t)wrote;
	}
	return true;
}

/* The status of the answer, "HTTP/1.1 200"; 0 when it is none, with errno when reading failed. */
static int read_status(int fd)
{
	char head[12];
	size_t n = 0;
	int status = 0;

	errno = 0;
	while (n < sizeof(head)) {
		ssize_t got = read(fd, head + n, sizeof(head) - n);

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
	int fd = connect_to(&t->place), status;
	char text[32];

	if (fd < 0)
		return complain(t->shown, strerror(errno));
	status = send_request(fd, t) ? read_status(fd) : 0;
	if (status == 0)
		complain(t->shown, errno != 0 ? strerror(errno) : "that is no HTTP server");
	close(fd);
	if (status == 0 || status == 200)
		return status == 0;
	snprintf(text, sizeof(text), "answered %d", status);
	return complain(t->shown, text);
}

int healthcheck_run(const char *url, char *const *env)
{
	char text[LISTENER_TEXT_BYTES_MAX], why[LISTENER_WHY_BYTES];
	struct target t = { .path = STR_NONE };
	struct sigaction act = { .sa_handler = too_late };

	if (url != NULL ? !target_parse(url, text, &t, why) : !from_environment(env, text, &t, why)) {
		fprintf(stderr, "presenced: healthcheck: %.200s %s\n",
			url != NULL ? url : "the listener of the environment", why);
		return 2;
	}
	if (t.path.n <= 1)
		t.path = STR("/ready");
	t.place.admin = t.place.has_dialect = false;
	listener_put(&t.place, t.shown);
	sigaction(SIGALRM, &act, NULL);
	alarm(LIMIT_S);
	return ask(&t);
}
