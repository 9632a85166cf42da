/* Everything is text in /proc but the CPU time: the process CPU clock has nanoseconds where /proc/PID/stat has 10 ms. */
#include "proc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES_MAX = 4096, TICK_NS = 10000000 };

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts = { 0, 0 };

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t proc_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

bool proc_cpu_ns(pid_t pid, uint64_t *ns)
{
	clockid_t id;

	*ns = 0;
	if (pid <= 0 || clock_getcpuclockid(pid, &id) != 0)
		return false;
	*ns = clock_ns(id);
	return true;
}

/* The first "`key` N kB" of the file, in bytes. */
static bool kilobytes_of(const char *path, const char *key, uint64_t *bytes)
{
	char line[LINE_BYTES_MAX];
	FILE *file = fopen(path, "re");
	bool found = false;
	uint64_t kb = 0;

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		found = sscanf(line + strlen(key), " %" SCNu64, &kb) == 1;
	}
	(void)fclose(file);
	*bytes = kb * 1024;
	return found;
}

bool proc_memory(pid_t pid, struct proc_mem *out)
{
	char path[64];

	memset(out, 0, sizeof(*out));
	(void)kilobytes_of("/proc/meminfo", "Slab:", &out->slab_bytes);
	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	(void)kilobytes_of(path, "Pss:", &out->pss_bytes);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return kilobytes_of(path, "VmRSS:", &out->rss_bytes) && kilobytes_of(path, "RssAnon:", &out->anon_bytes);
}

static void core_busy(uint64_t busy_ns[2])
{
	char line[LINE_BYTES_MAX];
	FILE *file = fopen("/proc/stat", "re");
	unsigned core;
	uint64_t t[8];

	busy_ns[0] = busy_ns[1] = 0;
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		           " %" SCNu64, &core, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 9 || core > 1)
			continue;
		busy_ns[core] = (t[0] + t[1] + t[2] + t[5] + t[6] + t[7]) * TICK_NS; /* not idle, not iowait */
	}
	(void)fclose(file);
}

bool proc_core_sample(pid_t pid, struct proc_core *out)
{
	core_busy(out->busy_ns);
	out->self_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	out->wall_ns = proc_now_ns();
	return proc_cpu_ns(pid, &out->server_ns);
}

static uint32_t excess_pct(uint64_t all, uint64_t own, uint64_t wall)
{
	if (all <= own || wall == 0)
		return 0;
	return (uint32_t)((all - own) * 100 / wall);
}

uint32_t proc_foreign_server_pct(const struct proc_core *from, const struct proc_core *to)
{
	assert(to->wall_ns >= from->wall_ns);
	return excess_pct(to->busy_ns[0] - from->busy_ns[0], to->server_ns - from->server_ns,
	                  to->wall_ns - from->wall_ns);
}

uint32_t proc_foreign_self_pct(const struct proc_core *from, const struct proc_core *to)
{
	uint64_t wall_ns = to->wall_ns - from->wall_ns;

	assert(to->wall_ns >= from->wall_ns);
	return excess_pct(wall_ns, to->self_ns - from->self_ns, wall_ns);
}
