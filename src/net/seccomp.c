/*
 * Invariants: rows of one call stand together, and are alternatives; a row without checks takes any
 * arguments. The calls that the loop makes most come first and unchecked, but for sending where sockets can
 * be made that it would connect: the kernel caches that they are allowed, and does not run the program for
 * them.
 *
 * A number is matched exactly, so that x32's, which have bit 30 set beside x86_64's architecture, are none of
 * these.
 */
#include "net/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__GLIBC__)
#define ARCHITECTURE 0 /* a build for tests: sanitizers make calls of their own */
#elif defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0 /* nobody has looked at what musl calls there */
#endif

enum { CHECKS_MAX = 3, PROGRAM_MAX = 512 };

enum { NO_INET = 1 << 8 }; /* a need of this file's own: it is there when SECCOMP_INET is not */

/* Of one argument that the kernel takes 32 bits of, or of whose upper 32 none is known to it (the machines
 * are little-endian): its bits outside `ignored` are `value`. */
struct check {
	uint8_t argument;        /* from 1 on; 0: no more checks */
	bool is_self;            /* `value` is this process' id */
	uint32_t ignored, value;
};

struct row {
	uint32_t number;
	const char *name;
	uint32_t needs;          /* it is for any of these */
	struct check checks[CHECKS_MAX];
};

#define CALL(name_, needs_, ...) \
	{ .number = SYS_##name_, .name = #name_, .needs = needs_, .checks = { __VA_ARGS__ } }
#define IS(n, value_)               { .argument = n, .value = (uint32_t)(value_) }
#define IS_SELF(n)                  { .argument = n, .is_self = true }
#define WITHIN(n, bits)             { .argument = n, .ignored = (uint32_t)(bits) }
#define IS_BUT_FOR(n, bits, value_) \
	{ .argument = n, .ignored = (uint32_t)(bits), .value = (uint32_t)(value_) }

#define SOCKETS (SECCOMP_INET | SECCOMP_LOCAL | SECCOMP_RESOLVE)
#define FILES   (SECCOMP_RELOAD | SECCOMP_RESOLVE)
#define READING (O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_LARGEFILE) /* O_RDONLY is 0; nothing is made */
#define DATA    (PROT_READ | PROT_WRITE)
#define FRESH   (MAP_PRIVATE | MAP_ANONYMOUS)
#define WAYS    (SOCK_NONBLOCK | SOCK_CLOEXEC)
#define SENDING MSG_NOSIGNAL /* not MSG_FASTOPEN: it connects, and Landlock is not asked */
#define STREAM(family, needs) \
	CALL(socket, needs, IS(1, family), IS_BUT_FOR(2, WAYS, SOCK_STREAM), IS(3, 0))
#define DATAGRAM(family, protocol) \
	CALL(socket, SECCOMP_RESOLVE, IS(1, family), IS_BUT_FOR(2, WAYS, SOCK_DGRAM), IS(3, protocol))

static const struct row rows[] = {
	/* Every turn. */
	CALL(epoll_pwait, SECCOMP_LOOP),
	CALL(recvfrom, SECCOMP_LOOP),
	CALL(sendto, NO_INET),
	CALL(sendto, SECCOMP_INET, WITHIN(4, SENDING)),
	CALL(sendmsg, NO_INET),
	CALL(sendmsg, SECCOMP_INET, WITHIN(3, SENDING)),
	CALL(clock_gettime, SECCOMP_LOOP),       /* where the vDSO cannot tell */
	/* Connections come and go. */
	CALL(accept4, SECCOMP_LOOP),
	CALL(epoll_ctl, SECCOMP_LOOP),
	CALL(shutdown, SECCOMP_LOOP),
	CALL(close, SECCOMP_LOOP),
	CALL(getrandom, SECCOMP_RANDOM),
	/* Signals come through a descriptor, lines go through one that is asked first whether it takes them,
	 * complaints go without asking. */
	CALL(read, SECCOMP_LOOP),
#ifdef SYS_poll
	CALL(poll, SECCOMP_LOOP),
#else
	CALL(ppoll, SECCOMP_LOOP),
#endif
	CALL(write, SECCOMP_LOOP),
	CALL(writev, SECCOMP_LOOP),
	/* The end; also the one that an assertion makes: raise(SIGABRT). */
	CALL(munmap, SECCOMP_LOOP),
	CALL(exit_group, SECCOMP_LOOP),
	CALL(rt_sigprocmask, SECCOMP_LOOP),
	CALL(tkill, SECCOMP_LOOP, IS_SELF(1), IS(2, SIGABRT)),
#ifdef SYS_unlink
	CALL(unlink, SECCOMP_UNLINK),
#else
	CALL(unlinkat, SECCOMP_UNLINK, IS(1, AT_FDCWD), IS(3, 0)),
#endif
	/* Other services. */
	STREAM(AF_INET, SECCOMP_INET),
	STREAM(AF_INET6, SECCOMP_INET),
	STREAM(AF_UNIX, SECCOMP_LOCAL),
	DATAGRAM(AF_INET, 0),
	DATAGRAM(AF_INET6, 0),
	DATAGRAM(AF_INET, IPPROTO_UDP),          /* never sends: asks for the way to an address */
	DATAGRAM(AF_INET6, IPPROTO_UDP),
	CALL(connect, SOCKETS),
	CALL(getsockopt, SECCOMP_INET | SECCOMP_LOCAL, IS(2, SOL_SOCKET), IS(3, SO_ERROR)),
	CALL(setsockopt, SECCOMP_REDIS, IS(2, SOL_SOCKET), IS(3, SO_KEEPALIVE)),
	CALL(setsockopt, SECCOMP_REDIS, IS(2, IPPROTO_TCP), IS(3, TCP_NODELAY)),
	CALL(setsockopt, SECCOMP_REDIS, IS(2, IPPROTO_TCP), IS(3, TCP_KEEPIDLE)),
	CALL(setsockopt, SECCOMP_REDIS, IS(2, IPPROTO_TCP), IS(3, TCP_KEEPINTVL)),
	CALL(setsockopt, SECCOMP_REDIS, IS(2, IPPROTO_TCP), IS(3, TCP_KEEPCNT)),
	CALL(setsockopt, SECCOMP_RESOLVE, IS(2, IPPROTO_IPV6), IS(3, IPV6_V6ONLY)),
	CALL(bind, SECCOMP_RESOLVE),
	CALL(getsockname, SECCOMP_RESOLVE),
	/* Files, to be read. */
#ifdef SYS_open
	CALL(open, FILES, WITHIN(2, READING)),
#else
	CALL(openat, FILES, IS(1, AT_FDCWD), WITHIN(3, READING)),
#endif
	CALL(fcntl, FILES, IS(2, F_SETFD), IS(3, FD_CLOEXEC)), /* what musl's open() adds */
	CALL(readv, SECCOMP_RESOLVE),
	/* Memory, never to be run: to read a certificate into, and getaddrinfo()'s list. */
	CALL(mmap, FILES, WITHIN(3, DATA), IS_BUT_FOR(4, MAP_NORESERVE, FRESH)),
	CALL(mmap, SECCOMP_RESOLVE, IS(3, PROT_NONE), IS(4, FRESH | MAP_FIXED)), /* malloc's first guard */
	CALL(mprotect, SECCOMP_RESOLVE, WITHIN(3, DATA)),
	CALL(madvise, SECCOMP_RESOLVE, IS(3, MADV_FREE)),
	CALL(brk, SECCOMP_RESOLVE),
	/* Two threads. */
	CALL(futex, SECCOMP_RESOLVE, IS_BUT_FOR(2, FUTEX_PRIVATE_FLAG, FUTEX_WAIT)),
	CALL(futex, SECCOMP_RESOLVE, IS_BUT_FOR(2, FUTEX_PRIVATE_FLAG, FUTEX_WAKE)),
	CALL(restart_syscall, SECCOMP_RESOLVE),  /* poll() of an answer, after SIGSTOP and SIGCONT */
	CALL(exit, SECCOMP_RESOLVE),
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static uint32_t all_needs(uint32_t needs)
{
	return (needs & SECCOMP_INET) != 0 ? needs : needs | NO_INET;
}

/* Is row `i` the first that is in the list for its call? */
static bool opens(uint32_t needs, uint32_t i)
{
	if ((rows[i].needs & needs) == 0)
		return false;
	for (uint32_t j = i; j > 0 && rows[j - 1].number == rows[i].number; j--)
		if ((rows[j - 1].needs & needs) != 0)
			return false;
	return true;
}

uint32_t seccomp_count(uint32_t needs)
{
	uint32_t n = 0;

	needs = all_needs(needs);
	for (uint32_t i = 0; ARCHITECTURE != 0 && i < ROWS; i++)
		n += opens(needs, i);
	return n;
}

const char *seccomp_name(uint32_t needs, uint32_t i)
{
	needs = all_needs(needs);
	for (uint32_t row = 0; row < ROWS; row++)
		if (opens(needs, row) && i-- == 0)
			return rows[row].name;
	return NULL;
}

/* --- the program --- */

struct program {
	uint32_t n;
	struct sock_filter v[PROGRAM_MAX];
};

/* Returns where it stands. */
static uint32_t put(struct program *p, uint16_t code, uint32_t k)
{
	assert(p->n < PROGRAM_MAX);
	p->v[p->n] = (struct sock_filter){ .code = code, .k = k };
	return p->n++;
}

static void put_load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

/* Goes on if what was loaded is `k`; else to where land() is called for it. */
static uint32_t put_is(struct program *p, uint32_t k)
{
	return put(p, BPF_JMP | BPF_JEQ | BPF_K, k);
}

static void land(struct program *p, uint32_t jump)
{
	uint32_t distance = p->n - jump - 1;

	assert(distance <= UINT8_MAX);
	p->v[jump].jf = (uint8_t)distance;
}

static void put_check(struct program *p, const struct check *c, uint32_t self, uint32_t *jump)
{
	put_load(p, offsetof(struct seccomp_data, args) + sizeof(uint64_t) * (c->argument - 1u));
	if (c->ignored != 0)
		put(p, BPF_ALU | BPF_AND | BPF_K, ~c->ignored);
	*jump = put_is(p, c->is_self ? self : c->value);
}

/* Allows the row's arguments, and goes on behind if these are others. */
static void put_row(struct program *p, const struct row *row, uint32_t self)
{
	uint32_t jumps[CHECKS_MAX], n = 0;

	while (n < CHECKS_MAX && row->checks[n].argument != 0) {
		put_check(p, &row->checks[n], self, &jumps[n]);
		n++;
	}
	put(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	while (n > 0)
		land(p, jumps[--n]);
}

static void put_call(struct program *p, uint32_t needs, uint32_t first, uint32_t self)
{
	uint32_t jump = put_is(p, rows[first].number);

	for (uint32_t i = first; i < ROWS && rows[i].number == rows[first].number; i++)
		if ((rows[i].needs & needs) != 0)
			put_row(p, &rows[i], self);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	land(p, jump);
}

static void put_all(struct program *p, uint32_t needs, uint32_t self)
{
	uint32_t jump;

	p->n = 0;
	put_load(p, offsetof(struct seccomp_data, arch));
	jump = put(p, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE);
	p->v[jump].jt = 1;
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	put_load(p, offsetof(struct seccomp_data, nr));
	for (uint32_t i = 0; i < ROWS; i++)
		if (opens(needs, i))
			put_call(p, needs, i, self);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
}

/* TSYNC: the resolver's threads too. SPEC_ALLOW: older kernels slow down all that has a filter, in case that
 * it runs the code of strangers; here is none. */
bool seccomp_enter(uint32_t needs)
{
	struct program p;
	struct sock_fprog program = { .filter = p.v };
	long result;

	if (seccomp_count(needs) == 0) {
		errno = ENOSYS;
		return false;
	}
	put_all(&p, all_needs(needs), (uint32_t)getpid());
	program.len = (uint16_t)p.n;
	result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                 SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
	if (result < 0 && errno == EINVAL) /* Linux before 4.17 knows no SPEC_ALLOW */
		result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (result > 0)
		errno = ESRCH; /* that thread has a filter of its own */
	return result == 0;
}
