#include "net/machine.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { NOBODY = 65534 }; /* where there is no /etc/passwd to ask */

static int64_t read_clock(clockid_t id, int64_t per_second)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * per_second + ts.tv_nsec / (1000000000 / per_second);
}

/*
 * Both clocks turn to the next millisecond together: cut off one by one they would differ by a millisecond
 * more or less from reading to reading, and with them each date that is told as "so long ago".
 */
struct now machine_now(void)
{
	int64_t mono_us = read_clock(CLOCK_MONOTONIC, 1000000);
	int64_t ahead_us = read_clock(CLOCK_REALTIME, 1000000) - mono_us;

	return (struct now){ .mono = { mono_us / 1000 }, .wall = { mono_us / 1000 + ahead_us / 1000 } };
}

int64_t machine_us(void)
{
	return read_clock(CLOCK_MONOTONIC, 1000000);
}

bool machine_random(void *out, size_t bytes)
{
	char *p = out;

	while (bytes > 0) {
		ssize_t n = getrandom(p, bytes, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		bytes -= (size_t)n;
	}
	return true;
}

void *machine_memory(size_t bytes)
{
	void *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

void machine_memory_free(void *mem, size_t bytes)
{
	munmap(mem, bytes);
}

void machine_lock(const void *mem, size_t bytes)
{
	enum { ON_FAULT = 1 }; /* MLOCK_ONFAULT: what is never touched costs nothing */

	(void)syscall(SYS_mlock2, mem, bytes, ON_FAULT);
}

bool machine_log(void *ctx, const char *line, size_t n)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	(void)ctx;
	/* A pipe that polls as writable takes PIPE_BUF bytes whole, and a line is shorter. */
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
		return false;
	return write(STDERR_FILENO, line, n) == (ssize_t)n;
}

void machine_complain(struct str what, int error)
{
	const char *why = error == 0 ? "" : strerror(error);
	struct iovec line[] = {
		{ (char *)"presenced: ", 11 }, { (char *)what.p, what.n },
		{ (char *)": ", error == 0 ? 0 : 2 }, { (char *)why, strlen(why) }, { (char *)"\n", 1 },
	};

	if (writev(STDERR_FILENO, line, 5) < 0)
		return;
}

void machine_warn(struct str what)
{
	struct iovec line[] = {
		{ (char *)"presenced: warning: ", 20 }, { (char *)what.p, what.n }, { (char *)"\n", 1 },
	};

	if (writev(STDERR_FILENO, line, 3) < 0)
		return;
}

bool machine_bind(const struct cpu_set *cpus)
{
	cpu_set_t wish, has;

	static_assert(sizeof(wish) == sizeof(cpus->words), "the kernel's words are these");
	memcpy(&wish, cpus->words, sizeof(wish));
	/* It refuses only a set of which it has none. */
	return sched_setaffinity(0, sizeof(wish), &wish) == 0 &&
	       sched_getaffinity(0, sizeof(has), &has) == 0 && memcmp(&wish, &has, sizeof(has)) == 0;
}

bool machine_has_cpus(const struct cpu_set *cpus)
{
	cpu_set_t before;
	bool has;

	if (sched_getaffinity(0, sizeof(before), &before) != 0)
		return false;
	has = machine_bind(cpus);
	return sched_setaffinity(0, sizeof(before), &before) == 0 && has;
}

void machine_log_warning(const struct server_config *cfg, const char *what)
{
	struct log log = {
		.level = cfg->log_level, .format = cfg->log_format, .service = cfg->service_name,
		.sink = machine_log,
	};

	LOG(&log, machine_now().wall, LOG_WARN, what);
}

/* The number in `user`; false if it is not one. */
static bool numeric(struct str user, uid_t *out)
{
	uint64_t n = 0;

	if (user.n == 0 || user.n > 9)
		return false;
	for (size_t i = 0; i < user.n; i++) {
		if (user.p[i] < '0' || user.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(user.p[i] - '0');
	}
	*out = (uid_t)n;
	return true;
}

static bool look_up(struct str user, uid_t *uid, gid_t *gid)
{
	char name[64];
	const struct passwd *pw;

	if (numeric(user, uid)) {
		*gid = (gid_t)*uid;
		return true;
	}
	if (user.n >= sizeof(name))
		return false;
	memcpy(name, user.p, user.n);
	name[user.n] = '\0';
	pw = getpwnam(name);
	if (pw != NULL) {
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
		return true;
	}
	*uid = *gid = NOBODY;
	return str_eq(user, STR("nobody"));
}

bool machine_has_user(struct str user)
{
	uid_t uid;
	gid_t gid;

	return geteuid() != 0 || str_absent(user) || look_up(user, &uid, &gid);
}

bool machine_become(struct str user)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || str_absent(user))
		return true;
	if (!look_up(user, &uid, &gid)) {
		machine_complain(STR("user: no such user"), 0);
		return false;
	}
	if (uid == 0)
		return true;
	if (setgroups(0, NULL) != 0 && errno != EPERM) {
		machine_complain(STR("user: setgroups"), errno);
		return false;
	}
	if (setgid(gid) != 0 || setuid(uid) != 0) {
		machine_complain(STR("user: cannot become that user"), errno);
		return false;
	}
	if (setuid(0) == 0 || seteuid(0) == 0) {
		machine_complain(STR("user: root could be become again"), 0);
		return false;
	}
	return true;
}
