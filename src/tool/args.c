#include "tool/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool args_say(const struct args *a, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "presenced: %s: ", a->command);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	return false;
}

int args_next(struct args *a, char **value)
{
	char *word = *a->next, *equals;
	size_t n;

	if (word == NULL)
		return ARGS_END;
	a->next++;
	*value = word;
	if (word[0] != '-' || word[1] == '\0')
		return ARGS_WORD;
	equals = strchr(word, '=');
	n = equals != NULL ? (size_t)(equals - word) : strlen(word);
	for (int i = 0; a->flags[i] != NULL && n > 2; i++) {
		if (strlen(a->flags[i]) != n - 2 || memcmp(word, "--", 2) != 0 ||
		    memcmp(word + 2, a->flags[i], n - 2) != 0)
			continue;
		*value = equals != NULL ? equals + 1 : *a->next;
		if (*value == NULL) {
			args_say(a, "--%s wants a value", a->flags[i]);
			return ARGS_BAD;
		}
		a->next += equals == NULL;
		return i;
	}
	args_say(a, "there is no option \"%.*s\" (see --help)", n < 64 ? (int)n : 64, word);
	return ARGS_BAD;
}
