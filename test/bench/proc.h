/*
 * test/bench/proc.h: what the kernel says about a process and about the machine, read from outside.
 */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_mem {
	uint64_t rss_bytes;      /* VmRSS */
	uint64_t anon_bytes;     /* RssAnon */
	uint64_t pss_bytes;      /* smaps_rollup; 0 when not readable */
	uint64_t slab_bytes;     /* the whole machine's kernel slab */
};

/* A core's busy time and the asking process' own, to tell how much of a core others took meanwhile. */
struct proc_core {
	uint64_t busy_ns[2];     /* cores 0 and 1, all but idle and iowait; 10 ms steps */
	uint64_t self_ns;        /* CPU time of this process */
	uint64_t wall_ns;
	uint64_t server_ns;      /* CPU time of the measured process */
};

uint64_t proc_now_ns(void);                              /* CLOCK_MONOTONIC */
bool proc_cpu_ns(pid_t pid, uint64_t *ns);               /* user + system, all threads; false: no such process */
bool proc_memory(pid_t pid, struct proc_mem *out);       /* false: no such process */
bool proc_core_sample(pid_t pid, struct proc_core *out); /* false: no such process */

/* Percent of core 0 that was neither idle nor the server's, and of core 1 that was not ours though we never slept. */
uint32_t proc_foreign_server_pct(const struct proc_core *from, const struct proc_core *to);
uint32_t proc_foreign_self_pct(const struct proc_core *from, const struct proc_core *to);

#endif
