/*
 * Linked into build/presenced.breakout alone, with --wrap of a call that the loop makes every turn and of one that the resolver's
 * thread makes: the first time, it tries what BREAKOUT names, as somebody would who came to command that thread. If the process lives,
 * one line says what came of it ("breakout: open: errno 13"), and serving goes on. What ships has nothing of this.
 *
 * BREAKOUT=NAME or NAME=ARGUMENT; BREAKOUT_ON=resolver: on that thread, not the loop's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int __real_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);

/* Asked for before the walls: to ask is not allowed behind them, and would end an attempt before it is made. */
static pid_t self, parent;

__attribute__((constructor)) static void remember(void)
{
	self = getpid();
	parent = getppid();
}

/* --- what is tried: below 0 with errno, as the call has it --- */

static long try_open(const char *path)
{
	return open(path, O_RDONLY);
}

static long try_open_write(const char *path)
{
	return open(path, O_WRONLY);
}

static long try_create(const char *path)
{
	return open(path, O_RDONLY | O_CREAT, 0600);
}

static long try_directory(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY);
}

static long try_openat2(const char *path)
{
	struct { unsigned long long flags, mode, resolve; } how = { 0, 0, 0 };

	return syscall(437, AT_FDCWD, path, &how, sizeof(how));
}

static long try_unlink(const char *path)
{
	return unlink(path);
}

static long try_rename(const char *path)
{
	return rename(path, path);
}

static long try_chmod(const char *path)
{
	return syscall(SYS_fchmodat, AT_FDCWD, path, 0777, 0);
}

static long try_exec(const char *path)
{
	char *const nothing[] = { NULL };

	return execve(path, nothing, nothing);
}

static long try_fork(const char *unused)
{
	(void)unused;
	return fork();
}

static void *do_nothing(void *unused)
{
	return unused;
}

static long try_thread(const char *unused)
{
	pthread_t thread;

	(void)unused;
	errno = pthread_create(&thread, NULL, do_nothing, NULL);
	return errno == 0 ? 0 : -1;
}

/* FAMILY,TYPE,PROTOCOL */
static long try_socket(const char *what)
{
	int family = 0, type = 0, protocol = 0;

	if (sscanf(what, "%d,%d,%d", &family, &type, &protocol) != 3)
		abort();
	return socket(family, type, protocol);
}

static long try_socketpair(const char *unused)
{
	int fds[2];

	(void)unused;
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		                     .sin_port = htons((unsigned short)strtoul(port, NULL, 10)) };
}

/* A port of 127.0.0.1, from a socket that may be. */
static long connect_or_bind(const char *port, bool is_bind)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	return is_bind ? bind(fd, (struct sockaddr *)&a, sizeof(a)) : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static long try_connect(const char *port)
{
	return connect_or_bind(port, false);
}

static long try_bind(const char *port)
{
	return connect_or_bind(port, true);
}

/* Connects without connect(). */
static long try_fastopen(const char *port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a));
}

static long try_fastopen_message(const char *port)
{
	struct sockaddr_in a = loopback(port);
	struct iovec piece = { "x", 1 };
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &piece, .msg_iovlen = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : sendmsg(fd, &m, MSG_FASTOPEN | MSG_NOSIGNAL);
}

static long try_ptrace(const char *unused)
{
	(void)unused;
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long try_process_vm_readv(const char *unused)
{
	(void)unused;
	return syscall(SYS_process_vm_readv, parent, NULL, 0, NULL, 0, 0);
}

static long try_kill(const char *signal_number)
{
	return kill(self, (int)strtol(signal_number, NULL, 10));
}

/* SIGNAL, to its own thread; or "SIGNAL of init" */
static long try_tkill(const char *what)
{
	pid_t tid = strstr(what, "of init") != NULL ? 1 : self;

	return syscall(SYS_tkill, tid, (int)strtol(what, NULL, 10));
}

/* raise(), which an assertion ends in: what may be done. */
static long try_abort(const char *unused)
{
	(void)unused;
	abort();
}

static long try_mmap(const char *prot)
{
	return mmap(NULL, 4096, (int)strtol(prot, NULL, 10), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long try_mmap_over(const char *unused)
{
	(void)unused;
	return mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       MAP_FAILED ? -1 : 0;
}

static long try_mprotect(const char *prot)
{
	static _Alignas(4096) char page[4096];

	return mprotect(page, sizeof(page), (int)strtol(prot, NULL, 10));
}

static long try_setuid(const char *uid)
{
	return syscall(SYS_setuid, strtol(uid, NULL, 10));
}

static long try_capset(const char *unused)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	(void)unused;
	return syscall(SYS_capset, &header, data);
}

static long try_prctl(const char *option)
{
	return prctl((int)strtol(option, NULL, 10), 1, 0, 0, 0);
}

static long try_rlimit(const char *unused)
{
	struct rlimit core = { 0, 0 };

	(void)unused;
	return setrlimit(RLIMIT_CORE, &core);
}

/* The numbers of another ABI of the same processor; close(-1), or what has its number. */
static long try_x32(const char *unused)
{
	(void)unused;
	return syscall(0x40000000 + SYS_close, -1);
}

static long try_int80(const char *unused)
{
	long got = -1;

	(void)unused;
#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "=a"(got) : "a"(SYS_close), "b"(-1L) : "memory");
#endif
	return got;
}

/* Any call by its number and without arguments. */
static long try_call(const char *number)
{
	return syscall(strtol(number, NULL, 10), 0, 0, 0, 0, 0, 0);
}

static const struct attempt {
	const char *name;
	long (*make)(const char *argument);
} attempts[] = {
	{ "open", try_open }, { "open-write", try_open_write }, { "create", try_create },
	{ "directory", try_directory }, { "openat2", try_openat2 }, { "unlink", try_unlink },
	{ "rename", try_rename }, { "chmod", try_chmod }, { "exec", try_exec }, { "fork", try_fork },
	{ "thread", try_thread }, { "socket", try_socket }, { "socketpair", try_socketpair },
	{ "connect", try_connect }, { "bind", try_bind }, { "fastopen", try_fastopen },
	{ "fastopen-message", try_fastopen_message }, { "ptrace", try_ptrace },
	{ "process_vm_readv", try_process_vm_readv }, { "kill", try_kill }, { "tkill", try_tkill },
	{ "abort", try_abort }, { "mmap", try_mmap }, { "mmap-over", try_mmap_over }, { "mprotect", try_mprotect },
	{ "setuid", try_setuid }, { "capset", try_capset }, { "prctl", try_prctl }, { "rlimit", try_rlimit },
	{ "x32", try_x32 }, { "int80", try_int80 }, { "call", try_call },
};

/* --- when --- */

static void break_out(const char *thread)
{
	static bool tried;
	const char *what = getenv("BREAKOUT"), *on = getenv("BREAKOUT_ON");
	const char *argument = what == NULL ? NULL : strchr(what, '=');
	size_t n = argument != NULL ? (size_t)(argument - what) : what == NULL ? 0 : strlen(what);
	char line[128];

	if (what == NULL || strcmp(on == NULL ? "loop" : on, thread) != 0 || tried)
		return;
	tried = true;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		long got;

		if (strlen(attempts[i].name) != n || memcmp(attempts[i].name, what, n) != 0)
			continue;
		errno = 0;
		got = attempts[i].make(argument == NULL ? "" : argument + 1);
		if (got < 0)
			snprintf(line, sizeof(line), "breakout: %.60s: errno %d\n", what, errno);
		else
			snprintf(line, sizeof(line), "breakout: %.60s: done\n", what);
		if (write(STDERR_FILENO, line, strlen(line)) < 0)
			abort();
		return;
	}
	abort(); /* no such attempt */
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	break_out("loop");
	return __real_epoll_wait(fd, events, max, timeout_ms);
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	break_out("resolver");
	return __real_getaddrinfo(host, service, hints, out);
}
