#include "redis_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "net/machine.h"
#include "net/watch.h"

static bool log_line_to(void *ctx, const char *line, size_t n)
{
	struct rig *g = ctx;
	size_t had = strlen(g->log_text);

	if (had + n + 1 > sizeof(g->log_text)) {
		had = 0;
		g->log_text[0] = '\0';
	}
	memcpy(g->log_text + had, line, n);
	g->log_text[had + n] = '\0';
	return true;
}

static void up(void *ctx, struct now now)
{
	struct rig *g = ctx;

	(void)now;
	g->is_up = true;
	g->ups++;
}

static void down(void *ctx, struct now now)
{
	struct rig *g = ctx;

	(void)now;
	g->is_up = false;
	g->downs++;
}

static void heard(void *ctx, struct str channel, char *payload, size_t bytes, struct now now)
{
	struct rig *g = ctx;

	(void)now;
	g->messages++;
	g->last_bytes = bytes;
	snprintf(g->last, sizeof(g->last), "%.*s=%.*s", (int)channel.n, channel.p, bytes > 64 ? 64 : (int)bytes,
	         payload);
	if (bytes > 0)
		payload[0] ^= 1; /* it is ours */
}

static void renewed(void *ctx, bool was_there, struct now now)
{
	struct rig *g = ctx;

	(void)now;
	g->renewals++;
	g->was_there += was_there;
}

static void refused(void *ctx, struct str code, struct now now)
{
	struct rig *g = ctx;

	(void)now;
	g->refusals++;
	snprintf(g->code, sizeof(g->code), "%.*s", (int)code.n, code.p);
}

bool rig_open(struct rig *g, const char *url, const char *ca, resolver_lookup *lookup)
{
	struct redis_config c = { .url = &g->url, .node_id = STR("rig node"), .lookup = lookup,
		                  .channels_max = 100 };
	const struct redis_ears ears = { g, up, down, heard, renewed, refused };

	memset(g, 0, sizeof(*g));
	snprintf(g->url_text, sizeof(g->url_text), "%s", url);
	g->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c.epoll_fd = g->epoll_fd;
	if (ca != NULL)
		c.ca_file = str_of(ca, strlen(ca));
	g->log = (struct log){ .level = LOG_INFO, .format = LOG_LOGFMT, .service = STR("rig"),
		               .sink = log_line_to, .sink_ctx = g };
	if (redis_url_parse(str_of(g->url_text, strlen(g->url_text)), &g->url) != NULL ||
	    redis_open(&g->redis, &c, machine_now()) != REDIS_OPENED || !redis_start(g->redis))
		return false;
	redis_listen(g->redis, &ears);
	redis_set_log(g->redis, &g->log);
	g->bus = redis_bus(g->redis);
	return true;
}

void rig_close(struct rig *g)
{
	if (g->redis != NULL)
		redis_close(g->redis);
	close(g->epoll_fd);
}

static int64_t worked_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void turn(struct rig *g, int64_t until_ms)
{
	struct epoll_event events[16];
	int64_t now_ms = machine_now().mono.ms, at = redis_deadline(g->redis).ms, began, worked, wait;
	int n;

	at = at < until_ms ? at : until_ms;
	wait = at > now_ms ? at - now_ms : 0;
	n = epoll_wait(g->epoll_fd, events, 16, wait > 1000 ? 1000 : (int)wait);
	began = machine_us();
	worked = worked_us();
	redis_begin(g->redis, machine_now());
	for (int i = 0; i < n; i++)
		redis_event(g->redis, watch_number(events[i].data.u64),
		            watch_generation(events[i].data.u64), events[i].events);
	redis_turn(g->redis);
	g->wall_ms = larger(g->wall_ms, (machine_us() - began) / 1000);
	g->stall_ms = larger(g->stall_ms, (worked_us() - worked) / 1000);
}

bool rig_run(struct rig *g, int ms, bool (*done)(const struct rig *))
{
	int64_t until = machine_now().mono.ms + ms;

	while (done == NULL || !done(g)) {
		if (machine_now().mono.ms >= until)
			return done == NULL;
		turn(g, until);
	}
	return true;
}

bool rig_is_up(const struct rig *g)
{
	return g->is_up;
}

bool rig_is_down(const struct rig *g)
{
	return !g->is_up;
}

/* --- servers --- */

static int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t bytes = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 16) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &bytes) != 0)
		return -1;
	*port = ntohs(a.sin_port);
	return fd;
}

static bool answers(const struct rig_server *s)
{
	for (int i = 0; i < 500; i++) {
		struct stat st;

		if (stat(s->socket, &st) == 0)
			return true;
		usleep(10000);
	}
	return false;
}

bool rig_server_again(struct rig_server *s, const char *options)
{
	char command[1024];

	unlink(s->socket);
	snprintf(command, sizeof(command),
	         "cd %s && exec redis-server --bind 127.0.0.1 --port %u --unixsocket %s --save '' "
	         "--appendonly no --dir %s --logfile %s/log %s",
	         s->dir, (unsigned)s->port, s->socket, s->dir, s->dir, options);
	s->pid = fork();
	if (s->pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	return s->pid > 0 && answers(s);
}

bool rig_server_start(struct rig_server *s, const char *options)
{
	int fd = listen_on_loopback(&s->port);

	close(fd);
	snprintf(s->dir, sizeof(s->dir), "/tmp/presenced-rig-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		return false;
	snprintf(s->socket, sizeof(s->socket), "%s/socket", s->dir);
	return rig_server_again(s, options);
}

void rig_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	kill(pid, SIGCONT);
	waitpid(pid, NULL, 0);
}

void rig_server_stop(struct rig_server *s)
{
	char command[128];

	rig_kill(s->pid);
	snprintf(command, sizeof(command), "rm -rf %s", s->dir);
	if (system(command) != 0)
		fprintf(stderr, "# %s is left\n", s->dir);
}

static void serve_fake(int fd, const struct rig_lie *lie)
{
	static const char greeting[] = "+OK\r\n+PONG\r\n";
	char said[4096];
	ssize_t n = recv(fd, said, sizeof(said), 0);

	if (lie->later && n > 0) {
		send(fd, greeting, sizeof(greeting) - 1, MSG_NOSIGNAL);
		n = recv(fd, said, sizeof(said), 0);
	}
	for (int i = 0; i < lie->repeat && n > 0; i++)
		for (size_t at = 0; at < lie->n; at += lie->drip_us > 0 ? 1 : lie->n) {
			if (send(fd, lie->bytes + at, lie->drip_us > 0 ? 1 : lie->n, MSG_NOSIGNAL) < 0)
				_exit(0);
			if (lie->drip_us > 0)
				usleep((useconds_t)lie->drip_us);
		}
	while (n > 0)
		n = recv(fd, said, sizeof(said), 0);
	_exit(0);
}

pid_t rig_fake(uint16_t *port, const struct rig_lie *lie)
{
	int fd = listen_on_loopback(port);
	pid_t pid = fd < 0 ? -1 : fork();

	if (pid != 0) {
		close(fd);
		return pid;
	}
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client >= 0 && fork() == 0)
			serve_fake(client, lie);
		close(client);
	}
}
