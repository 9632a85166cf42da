/*
 * Commands go out inline or as RESP2 arrays, answers are only as well understood as these few need: INFO is a
 * bulk string, a message on our own channel has a length known beforehand, and so has the answer to its
 * PUBLISH.
 */
#include "redis_talk.h"

#include "proc.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	INFO_BYTES_MAX = 65536, PAYLOAD_BYTES_MAX = 4096,
	PUBLISHED_BYTES = 4    /* :1 and its end */
};

static const char channel[] = "bench:floor";

int redis_talk_open(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { 5, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static bool say(int fd, const char *text, size_t n)
{
	return send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* A bulk string, its header aside, as text; false: it is none, or longer than `cap`. */
static bool read_bulk(int fd, char *out, size_t cap)
{
	unsigned long wanted = 0;
	size_t used = 0;
	char *head_end = NULL;
	ssize_t n;

	while (head_end == NULL || used < (size_t)(head_end + 2 - out) + wanted + 2) {
		n = recv(fd, out + used, cap - 1 - used, 0);
		if (n <= 0)
			return false;
		used += (size_t)n;
		out[used] = '\0';
		if (out[0] != '$')
			return false;
		head_end = strstr(out, "\r\n");
		if (head_end != NULL)
			wanted = strtoul(out + 1, NULL, 10);
	}
	memmove(out, head_end + 2, wanted);
	out[wanted] = '\0';
	return true;
}

bool redis_talk_echo(int fd, const char *word)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "ECHO %s\r\n", word);

	assert(n > 0 && (size_t)n < sizeof(text));
	return say(fd, text, (size_t)n) && read_bulk(fd, text, sizeof(text)) && strcmp(text, word) == 0;
}

bool redis_talk_stats(int fd, struct redis_talk_stats *out)
{
	static const char ask[] = "INFO commandstats\r\n";
	static char text[INFO_BYTES_MAX];
	char *line, *rest = text;

	memset(out, 0, sizeof(*out));
	if (!say(fd, ask, sizeof(ask) - 1) || !read_bulk(fd, text, sizeof(text)))
		return false;
	while ((line = strtok_r(rest, "\r\n", &rest)) != NULL && out->count < REDIS_TALK_COMMANDS_MAX) {
		char *name = out->command[out->count].name;

		if (sscanf(line, "cmdstat_%31[^:]:calls=%" SCNu64, name, &out->command[out->count].calls) ==
		            2 &&
		    strcmp(name, "info") != 0 && strcmp(name, "echo") != 0)
			out->count++;
	}
	return true;
}

static uint64_t calls_of(const struct redis_talk_stats *s, const char *name)
{
	uint32_t i;

	for (i = 0; i < s->count; i++)
		if (strcmp(s->command[i].name, name) == 0)
			return s->command[i].calls;
	return 0;
}

void redis_talk_print(const struct redis_talk_stats *from, const struct redis_talk_stats *to)
{
	uint32_t i;

	for (i = 0; i < to->count; i++) {
		uint64_t calls = to->command[i].calls - calls_of(from, to->command[i].name);

		if (calls > 0)
			(void)printf(" cmd_%s=%" PRIu64, to->command[i].name, calls);
	}
}

/* --- the floor --- */

struct trips {
	int publisher, subscriber;
	char publish[PAYLOAD_BYTES_MAX + 256];
	size_t publish_bytes, message_bytes;
};

static bool make_trips(struct trips *t, uint32_t bytes)
{
	static const char subscribed[] = "*3\r\n$9\r\nsubscribe\r\n$11\r\nbench:floor\r\n:1\r\n";
	char payload[PAYLOAD_BYTES_MAX + 1];
	char text[PAYLOAD_BYTES_MAX + 256];
	int n;

	assert(bytes > 0 && bytes <= PAYLOAD_BYTES_MAX && sizeof(channel) - 1 == 11);
	memset(payload, 'x', bytes);
	payload[bytes] = '\0';
	n = snprintf(t->publish, sizeof(t->publish), "*3\r\n$7\r\nPUBLISH\r\n$11\r\n%s\r\n$%u\r\n%s\r\n",
	             channel, bytes, payload);
	t->publish_bytes = (size_t)n;
	n = snprintf(text, sizeof(text), "*3\r\n$7\r\nmessage\r\n$11\r\n%s\r\n$%u\r\n%s\r\n", channel, bytes,
	             payload);
	t->message_bytes = (size_t)n;
	n = snprintf(text, sizeof(text), "SUBSCRIBE %s\r\n", channel);
	return say(t->subscriber, text, (size_t)n) &&
	       recv(t->subscriber, text, sizeof(subscribed) - 1, MSG_WAITALL) ==
	               (ssize_t)sizeof(subscribed) - 1 &&
	       memcmp(text, subscribed, sizeof(subscribed) - 1) == 0;
}

/* Polls until `n` bytes came; false: the end, or nothing for too long. */
static bool poll_bytes(int fd, size_t n)
{
	uint64_t until = proc_now_ns() + UINT64_C(5000000000);
	char text[PAYLOAD_BYTES_MAX + 256];
	ssize_t got;

	while (n > 0) {
		got = recv(fd, text, n < sizeof(text) ? n : sizeof(text), MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN) || proc_now_ns() > until)
			return false;
		n -= got > 0 ? (size_t)got : 0;
	}
	return true;
}

static bool trip(const struct trips *t, struct hist *out)
{
	uint64_t from = proc_now_ns();

	if (!say(t->publisher, t->publish, t->publish_bytes) || !poll_bytes(t->subscriber, t->message_bytes))
		return false;
	hist_add(out, proc_now_ns() - from);
	return poll_bytes(t->publisher, PUBLISHED_BYTES);
}

bool redis_talk_round_trips(uint16_t port, uint32_t bytes, uint32_t ms, struct hist *out)
{
	struct trips t = { .publisher = redis_talk_open(port), .subscriber = redis_talk_open(port) };
	bool ok = t.publisher >= 0 && t.subscriber >= 0 && make_trips(&t, bytes);
	uint64_t from = proc_now_ns();
	uint64_t until = from + ms * UINT64_C(1000000);
	bool warm = false;

	while (ok && proc_now_ns() < until) {
		ok = trip(&t, out);
		if (warm || proc_now_ns() < from + (until - from) / 8)
			continue;
		hist_reset(out);
		warm = true;
	}
	(void)close(t.publisher);
	(void)close(t.subscriber);
	return ok;
}
