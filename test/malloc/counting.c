/*
 * Linked into build/presenced.counting alone, with --wrap of every allocator and of epoll_wait: from the loop's first wait on, the
 * first allocation of its thread ends the process with one line. What the program prints before (options, complaints) may allocate as
 * it likes; so may the resolver's thread at any time, because getaddrinfo() returns a list that it allocates: what it holds is bounded
 * by one question, and the loop never waits for it nor frees what it made.
 *
 * Invariant: `armed` changes once, on the loop's thread, which is `loop` from then on. Nothing here allocates.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
int __real_posix_memalign(void **out, size_t align, size_t bytes);
void __real_free(void *p);
int __real_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
int __wrap_posix_memalign(void **out, size_t align, size_t bytes);
void __wrap_free(void *p);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms);

static pthread_t loop;
static atomic_bool armed; /* after `loop` is written: other threads read both */

static void check(const char *line)
{
	ssize_t written;

	if (!armed || !pthread_equal(pthread_self(), loop))
		return;
	written = write(STDERR_FILENO, line, strlen(line));
	(void)written;
	abort();
}

void *__wrap_malloc(size_t bytes)
{
	check("presenced.counting: malloc after start-up\n");
	return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	check("presenced.counting: calloc after start-up\n");
	return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
	check("presenced.counting: realloc after start-up\n");
	return __real_realloc(p, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
	check("presenced.counting: aligned_alloc after start-up\n");
	return __real_aligned_alloc(align, bytes);
}

int __wrap_posix_memalign(void **out, size_t align, size_t bytes)
{
	check("presenced.counting: posix_memalign after start-up\n");
	return __real_posix_memalign(out, align, bytes);
}

void __wrap_free(void *p)
{
	if (p != NULL)
		check("presenced.counting: free after start-up\n");
	__real_free(p);
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	if (!armed) {
		loop = pthread_self();
		armed = true;
	}
	return __real_epoll_wait(fd, events, max, timeout_ms);
}
