#include "sim/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void verdict_fault(struct verdict *v, const char *fmt, ...)
{
	va_list ap;

	if (!verdict_good(v))
		return;
	va_start(ap, fmt);
	vsnprintf(v->fault, sizeof(v->fault), fmt, ap);
	va_end(ap);
}

uint64_t heard_hash(uint64_t before, const struct heard *x)
{
	uint64_t h = before;

	for (const char *p = x->text; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	return (h ^ x->client) * UINT64_C(0x100000001b3);
}

bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

bool is_http_error(const char *text)
{
	return text[0] >= '4' && text[0] <= '5' && text[1] >= '0' && text[1] <= '9' && text[3] == ' ';
}
