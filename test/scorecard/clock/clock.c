/*
 * Linked into build/presenced.clock alone, with --wrap of clock_gettime: the wall clock is ahead of the machine's by as many
 * seconds as the file says that CLOCK_AHEAD_FILE names, 8 bytes of an integer in the machine's order; the test changes them while
 * the server runs. Monotonic time is not touched: no step ever does.
 *
 * Invariant: `ahead` is set before main() and never again; it stays mapped, so nothing is opened later.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);

static const volatile int64_t *ahead;

__attribute__((constructor)) static void map(void)
{
	const char *path = getenv("CLOCK_AHEAD_FILE");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		_exit(99);
	ahead = at;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int result = __real_clock_gettime(id, ts);

	if (result == 0 && id == CLOCK_REALTIME)
		ts->tv_sec += *ahead;
	return result;
}
