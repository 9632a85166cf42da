/*
 * Linked into build/presenced.faulty alone, with --wrap of every call of calls.def: the one place where a test can fail the N-th call,
 * cut it short or delay it. The rest are the objects that ship. The environment says what:
 *
 *	FAULTY=CALL:N:WHAT[,...]   CALL: a name of calls.def, or * for all of them counted together; N: 7, 7+ (that one and all after
 *	                           it), 7-9; WHAT: an errno's name, `short` (one byte), `delay=MS`
 *	FAULTY=table               prints calls.def, a line for each call, and ends
 *	FAULTY_HEAP=ORDER          hiredis has 2^ORDER bytes
 *	FAULTY_COUNTS=FILE         keeps struct counts in that file, while it runs: test/torture/faulty.py reads it
 *
 * Invariants: nothing here allocates or prints once main() runs; a fault that is given is given instead of the call, but for close(),
 * which closes. Counting is under a lock, because the resolver is a thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "base/buddy.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

enum { WHOLE = 0, CUT = 1 };

enum call {
#define CALL(name, cut, errors) CALL_##name,
#include "calls.def"
#undef CALL
	CALLS,
	CALL_ANY = CALLS,
};

static const struct row {
	const char *name;
	int cut;
	const char *errors;
} rows[CALLS] = {
#define CALL(name, cut, errors) { #name, cut, errors },
#include "calls.def"
#undef CALL
};

static const struct word {
	const char *name;
	int number;
} words[] = {
#define E(name) { #name, name }
	E(EACCES), E(EADDRINUSE), E(EADDRNOTAVAIL), E(EAFNOSUPPORT), E(EAGAIN), E(EBUSY), E(ECONNABORTED), E(ECONNREFUSED),
	E(ECONNRESET), E(EHOSTUNREACH), E(EINTR), E(EINVAL), E(EIO), E(EMFILE), E(ENETUNREACH), E(ENFILE), E(ENOBUFS), E(ENODEV),
	E(ENOENT), E(ENOMEM), E(ENOPROTOOPT), E(ENOSPC), E(ENOSYS), E(ENOTCONN), E(ENOTTY), E(EPERM), E(EPIPE), E(EPROTO), E(EROFS),
	E(ETIMEDOUT), E(EAI_AGAIN), E(EAI_FAIL), E(EAI_MEMORY), E(EAI_NONAME), E(EAI_SYSTEM),
#undef E
};

enum { WORDS = sizeof(words) / sizeof(words[0]), PLANS_MAX = 16, SITES_MAX = 512, COUNTS_VERSION = 0x46415531 };

/* What is to go wrong. */
struct plan {
	uint32_t call; /* CALL_ANY: all of them */
	uint64_t first, last;
	int error;     /* 0: none */
	bool cut;
	int delay_ms;
};

/* What a call was given: a place may see several. Not everything fails in every way. */
enum kind { KIND_SOCKET = 1, KIND_PIPE = 2, KIND_PATIENT_PIPE = 4, KIND_FILE = 8, KIND_DEVICE = 16, KIND_OTHER = 32 };

/* The file of FAULTY_COUNTS: faulty.py knows this layout. */
struct site {
	uint32_t call, kinds;
	uint64_t offset; /* of the return address, from the start of the image */
	uint64_t count;
	uint64_t first, last; /* the number of its first call, and of its last one, among all of that name */
};

struct counts {
	uint32_t version, calls, sites, fired;
	uint64_t of[CALLS + 1];
	struct site site[SITES_MAX];
};

static struct plan plans[PLANS_MAX];
static uint32_t plan_count;
static struct counts own, *counts = &own;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static bool ready;
/* Within a call of libc's that is another one there: send() is sendto(), tcgetattr() is ioctl(). Only the outer one counts. */
static _Thread_local bool inside;

extern const char __executable_start[];

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_fcntl(int fd, int command, ...);
int __real_shutdown(int fd, int how);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_fstat(int fd, struct stat *st);

/* --- what the environment says --- */

static void refuse(const char *spec)
{
	fprintf(stderr, "presenced.faulty: FAULTY=%s is not understood\n", spec);
	_exit(99);
}

static int number_of(const char *name, size_t n)
{
	for (size_t i = 0; i < WORDS; i++)
		if (strlen(words[i].name) == n && memcmp(words[i].name, name, n) == 0)
			return words[i].number;
	return 0;
}

static uint32_t call_of(const char *name, size_t n)
{
	if (n == 1 && *name == '*')
		return CALL_ANY;
	for (uint32_t i = 0; i < CALLS; i++)
		if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
			return i;
	return CALLS + 1;
}

/* One CALL:N:WHAT; where it ends, or NULL. */
static const char *read_plan(struct plan *p, const char *s)
{
	size_t n = strcspn(s, ":");
	char *end;

	p->call = call_of(s, n);
	if (p->call > CALL_ANY || s[n] != ':')
		return NULL;
	p->first = p->last = strtoull(s + n + 1, &end, 10);
	if (*end == '+') {
		p->last = UINT64_MAX;
		end++;
	} else if (*end == '-') {
		p->last = strtoull(end + 1, &end, 10);
	}
	if (*end != ':' || p->first == 0)
		return NULL;
	s = end + 1;
	n = strcspn(s, ",");
	p->cut = n == 5 && memcmp(s, "short", 5) == 0;
	p->delay_ms = n > 6 && memcmp(s, "delay=", 6) == 0 ? (int)strtol(s + 6, NULL, 10) : 0;
	p->error = number_of(s, n);
	return p->cut || p->delay_ms > 0 || p->error != 0 ? s + n : NULL;
}

static void print_table(void)
{
	for (uint32_t i = 0; i < CALLS; i++)
		printf("%s %s %s\n", rows[i].name, rows[i].cut ? "CUT" : "WHOLE", rows[i].errors);
	fflush(stdout);
	_exit(0);
}

/*
 * By descriptor, as it was opened: once the walls are up (net/walls.h), asking the kernel would be a call that nobody expects.
 */
static uint8_t kinds_of[1 << 16];

static uint32_t kind_of(int fd)
{
	return fd >= 0 && fd < (int)sizeof(kinds_of) ? kinds_of[fd] : 0;
}

static int opened(int fd, enum kind kind)
{
	if (fd >= 0 && fd < (int)sizeof(kinds_of))
		kinds_of[fd] = (uint8_t)kind;
	return fd;
}

/* Those that were given. */
static void look_at(int fd)
{
	struct stat st;

	if (__real_fstat(fd, &st) == 0)
		opened(fd, S_ISSOCK(st.st_mode) ? KIND_SOCKET : S_ISREG(st.st_mode) ? KIND_FILE : S_ISCHR(st.st_mode) ? KIND_DEVICE :
		           S_ISFIFO(st.st_mode) ? KIND_PATIENT_PIPE : KIND_OTHER);
}

__attribute__((constructor)) static void begin(void)
{
	const char *spec = getenv("FAULTY"), *path = getenv("FAULTY_COUNTS"), *at = spec;
	struct stat st;
	int fd;

	if (spec != NULL && strcmp(spec, "table") == 0)
		print_table();
	while (at != NULL && *at != '\0') {
		if (plan_count == PLANS_MAX || (at = read_plan(&plans[plan_count++], at)) == NULL)
			refuse(spec);
		else
			at += *at == ',';
	}
	if (path != NULL) {
		fd = __real_open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0 || __real_fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(own))
			refuse(path);
		counts = __real_mmap(NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		__real_close(fd);
		if (counts == MAP_FAILED)
			refuse(path);
		counts->version = COUNTS_VERSION;
		counts->calls = CALLS;
	}
	for (fd = 0; fd <= 2; fd++)
		look_at(fd);
	ready = true;
}

/* --- each call --- */

static uint64_t count(enum call call, uint64_t offset, uint32_t kinds, uint64_t *any)
{
	uint64_t number = ++counts->of[call];
	uint32_t i = 0;

	*any = ++counts->of[CALL_ANY];
	while (i < counts->sites && (counts->site[i].call != call || counts->site[i].offset != offset))
		i++;
	if (i == SITES_MAX)
		return number;
	if (i == counts->sites)
		counts->site[counts->sites++] = (struct site){ .call = call, .offset = offset, .first = number };
	counts->site[i].count++;
	counts->site[i].kinds |= kinds;
	counts->site[i].last = number;
	return number;
}

/* Can that happen to what the call was given? faulty.py knows the same (OF_KIND), but not which call will be the N-th next time. */
static bool applies(const struct plan *p, uint32_t kind)
{
	switch (kind == 0 ? 0 : p->error) {
	case EIO: return kind & (KIND_FILE | KIND_DEVICE);
	case ENOSPC: return kind & KIND_FILE;
	case EAGAIN: return !(kind & (KIND_FILE | KIND_PATIENT_PIPE));
	case EPIPE:
	case ECONNRESET:
	case ECONNREFUSED:
	case ETIMEDOUT: return kind & KIND_SOCKET;
	default: return true;
	}
}

/* `fd`: what the call reads or writes; -1: nothing. */
static const struct plan *next_call_of(enum call call, int fd, const void *from)
{
	uint32_t kinds = kind_of(fd);
	const struct plan *found = NULL;
	uint64_t number, any;

	if (!ready || inside)
		return NULL;
	while (atomic_flag_test_and_set(&busy))
		continue;
	number = count(call, (uint64_t)((uintptr_t)from - (uintptr_t)__executable_start), kinds, &any);
	for (uint32_t i = 0; i < plan_count && found == NULL; i++) {
		uint64_t n = plans[i].call == CALL_ANY ? any : number;

		if ((plans[i].call == CALL_ANY || plans[i].call == call) && n >= plans[i].first && n <= plans[i].last &&
		    applies(&plans[i], kinds))
			found = &plans[i];
	}
	counts->fired += found != NULL;
	atomic_flag_clear(&busy);
	if (found != NULL && found->delay_ms > 0)
		__real_poll(NULL, 0, found->delay_ms); /* a call that the program makes anyhow */
	return found;
}

static const struct plan *next_call(enum call call, const void *from)
{
	return next_call_of(call, -1, from);
}

static int error_of(const struct plan *p)
{
	return p == NULL ? 0 : p->error;
}

/* After these a connection is no more, whatever is tried next. */
static int stream_error(const struct plan *p, int fd)
{
	int error = error_of(p);

	if (error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ECONNREFUSED)
		__real_shutdown(fd, SHUT_RDWR);
	errno = error;
	return error;
}

/*
 * How many bytes of `n` the call may have. A pipe takes and gives whole what has PIPE_BUF bytes at most, and what is no file and no
 * socket (a signalfd) knows no parts: such a call is not cut.
 */
static size_t cut(const struct plan *p, int fd, size_t n)
{
	if (p == NULL || !p->cut || n < 2)
		return n;
	return fd < 0 || kind_of(fd) & (KIND_SOCKET | KIND_FILE | KIND_DEVICE) ? 1 : n;
}

#define FROM __builtin_return_address(0)

/* A call that gives `bad` and sets errno. */
#define WRAP(type, bad, name, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		int error = error_of(next_call(CALL_##name, FROM)); \
 \
		if (error != 0) { \
			errno = error; \
			return bad; \
		} \
		return __real_##name args; \
	}

/* A call that gives a descriptor. */
#define WRAP_OPEN(kind, name, params, args) \
	int __real_##name params; \
	int __wrap_##name params; \
	int __wrap_##name params \
	{ \
		int error = error_of(next_call(CALL_##name, FROM)); \
 \
		if (error == 0) \
			return opened(__real_##name args, kind); \
		errno = error; \
		return -1; \
	}

/* A call that sets errno, of which libc makes another of these calls. */
#define WRAP_NESTED(name, params, args) \
	int __real_##name params; \
	int __wrap_##name params; \
	int __wrap_##name params \
	{ \
		int error = error_of(next_call(CALL_##name, FROM)), done; \
 \
		if (error != 0) { \
			errno = error; \
			return -1; \
		} \
		inside = true; \
		done = __real_##name args; \
		inside = false; \
		return done; \
	}

/* A call that gives the error itself. */
#define WRAP_CODE(name, params, args) \
	int __real_##name params; \
	int __wrap_##name params; \
	int __wrap_##name params \
	{ \
		int error = error_of(next_call(CALL_##name, FROM)); \
 \
		return error != 0 ? error : __real_##name args; \
	}

/* A call that may do a part of `bytes`. */
#define WRAP_CUT(name, of_fd, bytes, params, args) \
	ssize_t __real_##name params; \
	ssize_t __wrap_##name params; \
	ssize_t __wrap_##name params \
	{ \
		const struct plan *plan = next_call_of(CALL_##name, of_fd, FROM); \
		ssize_t done; \
 \
		if (stream_error(plan, of_fd) != 0) \
			return -1; \
		bytes = cut(plan, of_fd, bytes); \
		inside = CALL_##name == CALL_send || CALL_##name == CALL_recv; \
		done = __real_##name args; \
		inside = false; \
		return done; \
	}

WRAP_CUT(read, fd, n, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP_CUT(write, fd, n, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP_CUT(recv, fd, n, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags))
WRAP_CUT(send, fd, n, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags))
WRAP_CUT(getrandom, -1, n, (void *buf, size_t n, unsigned flags), (buf, n, flags))

WRAP(int, -1, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg))
WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, lstat, (const char *path, struct stat *st), (path, st))
WRAP(int, -1, access, (const char *path, int mode), (path, mode))
WRAP(int, -1, unlink, (const char *path), (path))
WRAP(int, -1, poll, (struct pollfd *fds, nfds_t n, int timeout_ms), (fds, n, timeout_ms))
WRAP_OPEN(KIND_SOCKET, socket, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog))
WRAP_OPEN(KIND_SOCKET, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
WRAP(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, -1, shutdown, (int fd, int how), (fd, how))
WRAP(int, -1, setsockopt, (int fd, int level, int name, const void *v, socklen_t n), (fd, level, name, v, n))
WRAP(int, -1, getsockopt, (int fd, int level, int name, void *v, socklen_t *n), (fd, level, name, v, n))
WRAP(int, -1, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))
WRAP_OPEN(KIND_OTHER, epoll_create1, (int flags), (flags))
WRAP(int, -1, epoll_ctl, (int epoll, int op, int fd, struct epoll_event *ev), (epoll, op, fd, ev))
WRAP(int, -1, epoll_wait, (int epoll, struct epoll_event *v, int n, int timeout_ms), (epoll, v, n, timeout_ms))
WRAP_OPEN(KIND_OTHER, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags))
WRAP(void *, MAP_FAILED, mmap, (void *at, size_t n, int protection, int flags, int fd, off_t offset),
     (at, n, protection, flags, fd, offset))
WRAP(int, -1, munmap, (void *at, size_t n), (at, n))
WRAP(void *, NULL, malloc, (size_t n), (n))
WRAP(void *, NULL, calloc, (size_t count, size_t n), (count, n))
WRAP(void *, NULL, realloc, (void *p, size_t n), (p, n))
WRAP(int, -1, getrlimit, (int which, struct rlimit *limit), (which, limit))
WRAP(int, -1, setrlimit, (int which, const struct rlimit *limit), (which, limit))
WRAP(struct passwd *, NULL, getpwnam, (const char *name), (name))
WRAP(int, -1, sched_getaffinity, (pid_t pid, size_t bytes, cpu_set_t *set), (pid, bytes, set))
WRAP(int, -1, sched_setaffinity, (pid_t pid, size_t bytes, const cpu_set_t *set), (pid, bytes, set))
WRAP(int, -1, setgroups, (size_t n, const gid_t *groups), (n, groups))
WRAP(int, -1, setgid, (gid_t id), (id))
WRAP(int, -1, seteuid, (uid_t id), (id))
WRAP(char *, NULL, realpath, (const char *path, char *out), (path, out))
WRAP(ssize_t, -1, readlink, (const char *path, char *out, size_t n), (path, out, n))
WRAP(int, -1, setuid, (uid_t id), (id))
WRAP_NESTED(tcgetattr, (int fd, struct termios *t), (fd, t))
WRAP_NESTED(tcsetattr, (int fd, int when, const struct termios *t), (fd, when, t))

WRAP_CODE(pthread_create, (pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg), (t, a, run, arg))
WRAP_CODE(pthread_attr_init, (pthread_attr_t *a), (a))
WRAP_CODE(getaddrinfo, (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out),
          (host, service, hints, out))

int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int error = error_of(next_call(CALL_close, FROM)), result = __real_close(fd);

	if (error == 0)
		return result;
	errno = error;
	return -1;
}

/* --- hiredis' memory --- */

/* No call, and nothing fails here: it is only small. */
void __real_buddy_init(struct buddy *b, struct region *r, unsigned order);
void __wrap_buddy_init(struct buddy *b, struct region *r, unsigned order);
void __wrap_buddy_init(struct buddy *b, struct region *r, unsigned order)
{
	const char *heap = getenv("FAULTY_HEAP");

	__real_buddy_init(b, r, heap == NULL ? order : (unsigned)strtoul(heap, NULL, 10));
}

/* --- slices --- */

/* One byte of the first slice that has one. */
static struct iovec first_byte(const struct iovec *v, int n)
{
	int i = 0;

	while (i < n - 1 && v[i].iov_len == 0)
		i++;
	return (struct iovec){ v[i].iov_base, v[i].iov_len > 0 };
}

static size_t total(const struct iovec *v, int n)
{
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += v[i].iov_len;
	return bytes;
}

ssize_t __real_writev(int fd, const struct iovec *v, int n);
ssize_t __wrap_writev(int fd, const struct iovec *v, int n);
ssize_t __wrap_writev(int fd, const struct iovec *v, int n)
{
	const struct plan *plan = next_call_of(CALL_writev, fd, FROM);
	struct iovec one;

	if (error_of(plan) != 0) {
		errno = plan->error;
		return -1;
	}
	if (cut(plan, fd, total(v, n)) == total(v, n))
		return __real_writev(fd, v, n);
	one = first_byte(v, n);
	return __real_writev(fd, &one, 1);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const struct plan *plan = next_call_of(CALL_sendmsg, fd, FROM);
	size_t bytes = total(msg->msg_iov, (int)msg->msg_iovlen);
	struct iovec one;
	struct msghdr part = *msg;

	if (stream_error(plan, fd) != 0)
		return -1;
	if (cut(plan, fd, bytes) == bytes)
		return __real_sendmsg(fd, msg, flags);
	one = first_byte(msg->msg_iov, (int)msg->msg_iovlen);
	part.msg_iov = &one;
	part.msg_iovlen = 1;
	return __real_sendmsg(fd, &part, flags);
}

/* --- those that take what they take --- */

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags)
{
	int error = error_of(next_call(CALL_pipe2, FROM)), result;

	if (error != 0) {
		errno = error;
		return -1;
	}
	result = __real_pipe2(fds, flags);
	for (int i = 0; i < 2 && result == 0; i++)
		opened(fds[i], flags & O_NONBLOCK ? KIND_PIPE : KIND_PATIENT_PIPE);
	return result;
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	int error = error_of(next_call(CALL_open, FROM));
	mode_t mode = 0;
	va_list list;

	va_start(list, flags);
	if (flags & O_CREAT)
		mode = va_arg(list, mode_t);
	va_end(list);
	if (error == 0)
		return opened(__real_open(path, flags, mode), KIND_FILE);
	errno = error;
	return -1;
}

int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	int error = error_of(next_call(CALL_fcntl, FROM));
	va_list list;
	void *arg;

	va_start(list, command);
	arg = va_arg(list, void *);
	va_end(list);
	if (error == 0 && command == F_SETFL && kind_of(fd) == KIND_PATIENT_PIPE && (uintptr_t)arg & O_NONBLOCK)
		opened(fd, KIND_PIPE);
	if (error == 0)
		return __real_fcntl(fd, command, arg);
	errno = error;
	return -1;
}

int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);
int __wrap_prctl(int option, ...)
{
	int error = error_of(next_call(CALL_prctl, FROM));
	unsigned long v[4];
	va_list list;

	va_start(list, option);
	for (int i = 0; i < 4; i++)
		v[i] = va_arg(list, unsigned long);
	va_end(list);
	if (error == 0)
		return __real_prctl(option, v[0], v[1], v[2], v[3]);
	errno = error;
	return -1;
}

/* recvfrom() and sendto() as functions are libc's own, of its resolver. */
ssize_t __real_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *a, socklen_t *an);
ssize_t __wrap_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *a, socklen_t *an);
ssize_t __wrap_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *a, socklen_t *an)
{
	int error = error_of(next_call(CALL_recvfrom, FROM));

	if (error == 0)
		return __real_recvfrom(fd, buf, n, flags, a, an);
	errno = error;
	return -1;
}

ssize_t __real_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *a, socklen_t an);
ssize_t __wrap_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *a, socklen_t an);
ssize_t __wrap_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *a, socklen_t an)
{
	int error = error_of(next_call(CALL_sendto, FROM));

	if (error == 0)
		return __real_sendto(fd, buf, n, flags, a, an);
	errno = error;
	return -1;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
	enum call call = number == SYS_recvfrom ? CALL_recvfrom : number == SYS_sendto ? CALL_sendto : CALL_syscall;
	const struct plan *plan;
	long v[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		v[i] = va_arg(list, long);
	va_end(list);
	plan = next_call_of(call, call == CALL_syscall ? -1 : (int)v[0], FROM);
	if (call != CALL_syscall && stream_error(plan, (int)v[0]) != 0)
		return -1;
	if (call == CALL_syscall && error_of(plan) != 0) {
		errno = plan->error;
		return -1;
	}
	if (call != CALL_syscall)
		v[2] = (long)cut(plan, (int)v[0], (size_t)v[2]);
	return __real_syscall(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}
