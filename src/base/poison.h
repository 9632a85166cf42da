/*
 * base/poison.h: tells AddressSanitizer which bytes of our own tables nobody may touch; nothing in other
 * builds.
 */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON_ON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_ON 1
#endif
#endif

#ifdef POISON_ON

#include <sanitizer/asan_interface.h>

/* From here on an access to these bytes is reported. Exact when p and p + n are multiples of 8. */
static inline void poison_lay(const void *p, size_t n)
{
	__asan_poison_memory_region(p, n);
}

static inline void poison_lift(const void *p, size_t n)
{
	__asan_unpoison_memory_region(p, n);
}

static inline bool poison_is_laid(const void *p)
{
	return __asan_address_is_poisoned(p) != 0;
}

#else

static inline void poison_lay(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

static inline void poison_lift(const void *p, size_t n)
{
	(void)p;
	(void)n;
}

static inline bool poison_is_laid(const void *p)
{
	(void)p;
	return false;
}

#endif

#endif
