/*
 * idle: what N silent, joined connections cost in memory. startup: from exec to the first accepted connection.
 * Memory is compared with a first sample taken before anyone connected, after the server had a moment to come to rest.
 */
#include "scene.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REST_MS = 300, SETTLE_MS = 1500, START_MS_MAX = 5000, STOP_MS_MAX = 3000, RUNS_MAX = 1000 };

static int64_t each(uint64_t before, uint64_t after, uint32_t clients)
{
	return ((int64_t)after - (int64_t)before) / (int64_t)clients;
}

bool scene_idle(const struct scene_options *o)
{
	struct script script;
	struct fleet fleet;
	struct proc_mem before, after;
	struct proc_core from, to;
	bool known;

	if (!scene_begin(&fleet, &script, o, o->clients, o->rooms))
		return false;
	scene_pause(&fleet, REST_MS);
	known = proc_memory(o->pid, &before) && proc_core_sample(o->pid, &from);
	fleet_fill(&fleet, 0, o->clients, o->flight, scene_fill_deadline());
	known = known && proc_core_sample(o->pid, &to);
	scene_pause(&fleet, SETTLE_MS);
	known = known && proc_memory(o->pid, &after);
	if (!known)
		fleet_fault(&fleet, "no process %d to look at (--pid)", (int)o->pid);
	if (!fleet_failed(&fleet))
		(void)printf("scenario=idle dialect=%s clients=%u rooms=%u rss_before=%" PRIu64 " rss_after=%" PRIu64
		             " rss_each=%" PRId64 " anon_each=%" PRId64 " pss_each=%" PRId64 " slab_each=%" PRId64
		             " join_cpu_ns=%" PRIu64 " join_per_second=%" PRIu64 "\n",
		             o->dialect, o->clients, o->rooms, before.rss_bytes, after.rss_bytes,
		             each(before.rss_bytes, after.rss_bytes, o->clients),
		             each(before.anon_bytes, after.anon_bytes, o->clients),
		             each(before.pss_bytes, after.pss_bytes, o->clients),
		             each(before.slab_bytes, after.slab_bytes, o->clients),
		             (to.server_ns - from.server_ns) / o->clients,
		             o->clients * UINT64_C(1000000000) / (to.wall_ns - from.wall_ns));
	return scene_end(&fleet, o);
}

static bool answers(const struct scene_options *o)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = o->addr, .sin_port = htons(o->port) };
	struct linger reset = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;

	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		(void)close(fd);
	}
	return up;
}

static void stay_on(unsigned core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* In the child, already on core 0: the clock starts when all but the exec is done. */
static void start(const struct scene_options *o, uint64_t *from_ns)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	*from_ns = proc_now_ns();
	(void)execvp(o->command[0], o->command);
	(void)fprintf(stderr, "load: exec %s: %s\n", o->command[0], strerror(errno));
	_exit(127);
}

/* SIGTERM, and SIGKILL when that is not heard in time. Returns the wait status. */
static int stop(pid_t child)
{
	struct timespec pause = { 0, 1000000 };
	int status = 0;
	int i;

	(void)kill(child, SIGTERM);
	for (i = 0; i < STOP_MS_MAX; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		(void)nanosleep(&pause, NULL);
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, &status, 0);
	return status;
}

/*
 * One start; 0 when it did not answer in time. The child is born on core 0, where it stays, and we leave for core 1 to ask
 * without taking its time. from_ns is shared with the child.
 */
static uint64_t start_once(const struct scene_options *o, uint64_t *from_ns, int *status)
{
	uint64_t until = proc_now_ns() + START_MS_MAX * UINT64_C(1000000);
	uint64_t took = 0;
	pid_t child;

	stay_on(0);
	child = fork();
	if (child == 0)
		start(o, from_ns);
	stay_on(1);
	while (child > 0 && took == 0 && proc_now_ns() < until) {
		if (answers(o))
			took = proc_now_ns() - *from_ns;
		else if (waitpid(child, status, WNOHANG) == child)
			return 0;
	}
	if (child > 0)
		*status = stop(child);
	return took;
}

bool scene_startup(const struct scene_options *o)
{
	struct hist *h = calloc(1, sizeof(*h));
	uint64_t *from_ns = mmap(NULL, sizeof(*from_ns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t least = UINT64_MAX;
	uint64_t took = 1;
	int status = 0;
	uint32_t i;

	assert(o->command != NULL && o->runs <= RUNS_MAX);
	if (h == NULL || from_ns == MAP_FAILED)
		return false;
	if (answers(o)) {
		(void)fprintf(stderr, "load: startup: port %u is taken\n", o->port);
		took = 0;
	}
	for (i = 0; i < o->runs && took != 0; i++) {
		took = start_once(o, from_ns, &status);
		hist_add(h, took);
		least = took < least ? took : least;
	}
	if (took == 0) {
		(void)fprintf(stderr, "load: startup: no answer on port %u (status %d)\n", o->port, status);
	} else {
		(void)printf("scenario=startup runs=%u min_ns=%" PRIu64 " exit_status=%d", o->runs, least, status);
		scene_print_latency(h);
		(void)printf("\n");
	}
	free(h);
	return took != 0;
}
