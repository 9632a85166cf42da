/*
 * net/seccomp.h: which system calls the process may make from some moment on: a list, by what the
 * configuration needs (seccomp(2), a classic BPF program). Any other call, any other argument where arguments
 * are looked at, and any call by another architecture's numbers ends the process with SIGSYS.
 *
 * The list is for musl 1.2.3, which ships, on x86_64 and aarch64: what another asks the kernel for is to be
 * looked at again (its resolver above all).
 */
#ifndef NET_SECCOMP_H
#define NET_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>

/* What there is to do. A set of them. */
enum seccomp_need {
	SECCOMP_LOOP = 1 << 0,    /* wait, accept, read, write, close, log, end: always */
	SECCOMP_RANDOM = 1 << 1,  /* TLS, of either side */
	SECCOMP_RELOAD = 1 << 2,  /* files that SIGHUP reads again */
	SECCOMP_UNLINK = 1 << 3,  /* a unix listener's socket, at the end */
	SECCOMP_INET = 1 << 4,    /* connect to other services */
	SECCOMP_LOCAL = 1 << 5,   /* connect to a unix socket */
	SECCOMP_REDIS = 1 << 6,   /* over TCP: what connections for long are set to */
	SECCOMP_RESOLVE = 1 << 7, /* musl's getaddrinfo(), on a thread that is there already */
};

/* How many calls there are in the list for these needs; 0: there is no list, here or for this libc. */
uint32_t seccomp_count(uint32_t needs);

/* The name of call number `i` of it; NULL: there are no more. */
const char *seccomp_name(uint32_t needs, uint32_t i);

/*
 * From now on, for all threads and for good, these calls and no others. Needs no_new_privs. False with errno:
 * the kernel refused, or there is no list (ENOSYS), and nothing has changed.
 */
bool seccomp_enter(uint32_t needs);

#endif
