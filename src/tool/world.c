#include "tool/world.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/machine.h"

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

static const char *read_file(void *ctx, struct str path, char *out, size_t cap, size_t *n)
{
	char name[PATH_MAX];
	const char *reason;
	int fd;

	(void)ctx;
	if (path.n >= sizeof(name))
		return "its path is too long";
	memcpy(name, path.p, path.n);
	name[path.n] = '\0';
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return strerror(errno);
	reason = read_all(fd, out, cap, n);
	close(fd);
	return reason;
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

struct options_world world_open(void)
{
	struct options_world w = { .read_file = read_file, .descriptors_max = descriptors_max() };

	if (!machine_random(&w.random, sizeof(w.random)))
		w.random = 0;
	return w;
}
