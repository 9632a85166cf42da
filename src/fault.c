/* Invariant: o->warnings ends with a NUL, and every line in it with a newline. */
#include "fault.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "option.h"

enum { ORIGIN_BYTES = 256 };

bool fault_say(struct options *o, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(o->error, sizeof(o->error), format, ap);
	va_end(ap);
	return false;
}

bool fault_at(struct options *o, uint32_t row, const char *format, ...)
{
	char origin[ORIGIN_BYTES];
	size_t n;
	va_list ap;

	if (o->state[row].source == OPTION_DEFAULT)
		snprintf(origin, sizeof(origin), "%s", option_at(row)->name);
	else
		options_origin(o, row, origin, sizeof(origin));
	n = (size_t)snprintf(o->error, sizeof(o->error), "%s: ", origin);
	assert(n < sizeof(o->error));
	va_start(ap, format);
	vsnprintf(o->error + n, sizeof(o->error) - n, format, ap);
	va_end(ap);
	return false;
}

void fault_warn(struct options *o, const char *format, ...)
{
	size_t room = sizeof(o->warnings) - o->warning_bytes;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(o->warnings + o->warning_bytes, room, format, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n + 1 < room) {
		o->warning_bytes += (uint32_t)n;
		o->warnings[o->warning_bytes++] = '\n';
	}
	o->warnings[o->warning_bytes] = '\0';
}
