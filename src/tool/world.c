#include "tool/world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/units.h"
#include "cluster/companion.h"
#include "net/bundle.h"
#include "net/machine.h"
#include "net/tls.h"
#include "server/server.h"

#define GROUPS "/sys/fs/cgroup"

enum { GROUP_BYTES_MAX = 1024 };

/* All of an open file; what does not fit is a reason to refuse it. */
static const char *read_all(int fd, char *out, size_t cap, size_t *n)
{
	char more;

	*n = 0;
	for (;;) {
		ssize_t got = *n < cap ? read(fd, out + *n, cap - *n) : read(fd, &more, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return strerror(errno);
		if (got == 0)
			return NULL;
		if (*n == cap)
			return "it is too long";
		*n += (size_t)got;
	}
}

static const char *open_file(struct str path, int *fd)
{
	char name[PATH_MAX];

	if (path.n >= sizeof(name))
		return "its path is too long";
	memcpy(name, path.p, path.n);
	name[path.n] = '\0';
	*fd = open(name, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? strerror(errno) : NULL;
}

const char *world_read_file(void *ctx, struct str path, char *out, size_t cap, size_t *n)
{
	const char *reason;
	int fd;

	(void)ctx;
	reason = open_file(path, &fd);
	if (reason != NULL)
		return reason;
	reason = read_all(fd, out, cap, n);
	close(fd);
	return reason;
}

/* Of a directory, only the reading fails. */
static const char *can_read(void *ctx, struct str path)
{
	const char *reason;
	char byte;
	int fd;

	(void)ctx;
	reason = open_file(path, &fd);
	if (reason != NULL)
		return reason;
	if (read(fd, &byte, 1) < 0)
		reason = strerror(errno);
	close(fd);
	return reason;
}

static const char *find_bundle(void *ctx)
{
	(void)ctx;
	return bundle_find();
}

static bool has_user(void *ctx, struct str user)
{
	(void)ctx;
	return machine_has_user(user);
}

static bool has_cpus(void *ctx, const struct cpu_set *cpus)
{
	(void)ctx;
	return machine_has_cpus(cpus);
}

static uint64_t descriptors_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return OPTIONS_DESCRIPTORS_RESERVE;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur;
}

/* The number in a control group's file; UINT64_MAX when there is no such file, or it says "max". */
static uint64_t limit_in(const char *directory, const char *file)
{
	char path[GROUP_BYTES_MAX + 64], text[32];
	uint64_t limit;
	size_t n = 0;
	int bytes = snprintf(path, sizeof(path), "%s/%s", directory, file);

	if (bytes <= 0 || (size_t)bytes >= sizeof(path) ||
	    world_read_file(NULL, str_of(path, (size_t)bytes), text, sizeof(text), &n) != NULL)
		return UINT64_MAX;
	n -= n > 0 && text[n - 1] == '\n';
	return units_count(str_of(text, n), &limit) ? limit : UINT64_MAX;
}

/* Where this process's control group (version 2) is: `0::/PATH` in /proc; without that the container's root
 * has to do. */
static void group_directory(char out[GROUP_BYTES_MAX])
{
	char text[GROUP_BYTES_MAX - sizeof(GROUPS)], *end;
	size_t n = 0;

	snprintf(out, GROUP_BYTES_MAX, GROUPS);
	if (world_read_file(NULL, STR("/proc/self/cgroup"), text, sizeof(text) - 1, &n) != NULL)
		return;
	text[n] = '\0';
	end = strchr(text, '\n');
	if (strncmp(text, "0::/", 4) != 0 || end == NULL)
		return;
	*end = '\0';
	snprintf(out, GROUP_BYTES_MAX, GROUPS "%s", text + 3);
}

/* The smallest limit among that group and those above it, or the container's (version 1). */
static uint64_t memory_max(void)
{
	uint64_t limit = limit_in(GROUPS "/memory", "memory.limit_in_bytes");
	char group[GROUP_BYTES_MAX];

	group_directory(group);
	while (strlen(group) >= sizeof(GROUPS) - 1) {
		uint64_t own = limit_in(group, "memory.max");

		limit = own < limit ? own : limit;
		*strrchr(group, '/') = '\0';
	}
	return limit;
}

static uint64_t memory_of(void *ctx, const struct server_config *config)
{
	void *scratch = machine_memory(server_scratch_bytes());
	uint64_t bytes = 0; /* nothing is known: the start will say what it did not get */
	size_t redis;

	(void)ctx;
	if (scratch != NULL) {
		bytes = server_measure(config, scratch).total + tls_measure(config) +
		        companion_measure(config, &redis);
		machine_memory_free(scratch, server_scratch_bytes());
	}
	return bytes;
}

struct options_world world_open(void)
{
	struct options_world w = {
		.read_file = world_read_file,
		.can_read = can_read,
		.find_bundle = find_bundle,
		.has_user = has_user,
		.has_cpus = has_cpus,
		.descriptors_max = descriptors_max(),
		.memory_max = memory_max(),
		.memory_of = memory_of,
	};

	if (!machine_random(&w.random, sizeof(w.random)))
		w.random = 0;
	return w;
}
