#include "tool/help.h"

#include <stdio.h>
#include <string.h>

#include "option.h"

enum { COLUMNS = 92, INDENT = 6, VALUE_NAME_BYTES = 128, HELP_BYTES = 640 };

/* The words of `text` in lines of COLUMNS at most; *column is where the line stands. */
static void print_words(const char *text, int *column)
{
	while (*text != '\0') {
		int n = (int)strcspn(text, " ");

		if (*column + 1 + n > COLUMNS) {
			printf("\n%*s", INDENT, "");
			*column = INDENT;
		} else if (*column > INDENT) {
			putchar(' ');
			(*column)++;
		}
		printf("%.*s", n, text);
		*column += n;
		text += n;
		text += strspn(text, " ");
	}
}

/* A count that says what it counts is one of microseconds. */
static bool is_time(const struct option *row)
{
	return row->kind == OPTION_DURATION || (row->kind == OPTION_COUNT && row->value != NULL);
}

static void print_row(const struct option *row)
{
	bool zero = row->min == 0;
	char text[HELP_BYTES];
	int column = INDENT;

	option_value_name(row, text, sizeof(text));
	printf("\n  --%s %s\n%*s", row->name, text, INDENT, "");
	snprintf(text, sizeof(text), "%s. Default: %s%s.%s%s%s", row->help,
		 row->fallback != NULL ? row->fallback : row->unset,
		 zero && is_time(row)                ? "; 0 disables"
		 : zero && row->kind == OPTION_COUNT ? "; 0: no limit"
						     : "",
		 row->env != NULL ? " Also read from " : "", row->env != NULL ? row->env : "",
		 row->env != NULL ? "." : "");
	print_words(text, &column);
	putchar('\n');
}

void help_print(void)
{
	fputs("presenced " PRESENCED_VERSION ", a WebSocket presence server\n"
	      "\n"
	      "  presenced [serve] [options]   runs the server\n"
	      "  presenced check [options]     validates the options and prints what they come to\n"
	      "  presenced healthcheck [URL] [--ca-file FILE] [--config FILE]\n"
	      "                                exits 0 when URL answers 200: http://HOST[:PORT][/PATH],\n"
	      "                                https://... or unix:PATH; without a path it is /ready.\n"
	      "                                Without URL: the first listener without TLS, else the\n"
	      "                                first, of PRESENCED_LISTEN, else SERVICE_PORT, else of the\n"
	      "                                file of --config or PRESENCED_CONFIG, else port 8080. A\n"
	      "                                certificate is verified only with --ca-file: it seldom\n"
	      "                                names localhost\n"
	      "  presenced token --secret-file FILE --sub ID [--claim NAME=VALUE]... [--ttl 1h]\n"
	      "                                prints a JWT for development (HS256); a VALUE is JSON if it\n"
	      "                                can be, else a string; iat and exp may be claims too\n"
	      "  presenced client URL [--header 'N: V']... [--script auto] [--token T | --token-file FILE]\n"
	      "                       [--ca-file FILE]\n"
	      "                                talks to the server at ws://HOST[:PORT][/PATH][?QUERY], or\n"
	      "                                wss://, in its dialect: sub ID, unsub ID, typing ID, ping,\n"
	      "                                status S [TEXT], send JSON, help, quit; --script auto tries\n"
	      "                                all that in 7 steps, and exits 0 if each was answered\n"
	      "  presenced --version, --help\n"
	      "\n"
	      "A flag `--some-option V` or `--some-option=V` is the environment's PRESENCED_SOME_OPTION=V "
	      "and\n"
	      "the file's `some-option = V`. Flags win over environment, environment over file. A DURATION "
	      "is\n"
	      "500ms, 5s, 1m30s, 1h or bare seconds, a SIZE bytes, 64k or 10m. Exit codes: 0 done, 1 "
	      "failed,\n"
	      "2 wrong options or an address that cannot be listened on.\n",
	      stdout);
	for (uint32_t i = 0; i < option_rows(); i++)
		if (option_at(i)->kind != OPTION_NOTE)
			print_row(option_at(i));
}

/* `|` ends a cell. */
static void print_cell(const char *text)
{
	for (; *text != '\0'; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

void help_print_markdown(void)
{
	char value[VALUE_NAME_BYTES];

	puts("| option | default | also read from | what it does |\n|---|---|---|---|");
	for (uint32_t i = 0; i < option_rows(); i++) {
		const struct option *row = option_at(i);

		if (row->kind == OPTION_NOTE)
			continue;
		option_value_name(row, value, sizeof(value));
		printf("| `%s` `", row->name);
		print_cell(value);
		printf(row->fallback != NULL ? "` | `%s` | " : "` | %s | ",
		       row->fallback != NULL ? row->fallback : row->unset);
		printf(row->env != NULL ? "`%s` | " : "%s| ", row->env != NULL ? row->env : "");
		print_cell(row->help);
		puts(" |");
	}
}
