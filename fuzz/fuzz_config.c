/*
 * config_file, options: input up to the first NUL is a configuration file, each piece after it an argument, or a variable
 * of the environment if it begins with a capital, the key's file behind `=`, and behind `#` how little the process may have.
 * Reading ends, stays inside the text, and says one printable line about what is wrong; what loads prints as
 * a file that loads to the same.
 */
#include <stdlib.h>

#include "unit/options_fixture.h"

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

enum { ARGS_MAX = 15, INPUT_BYTES_MAX = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_inside(struct str s, struct str text)
{
	return s.p >= text.p && s.p + s.n <= text.p + text.n;
}

static void read_lines(struct str text)
{
	struct config_file f;
	struct config_entry entry;
	enum config_file_result r;
	uint32_t line = 0;

	config_file_init(&f, text);
	while ((r = config_file_next(&f, &entry)) <= CONFIG_FILE_EMPTY) {
		REQUIRE(entry.line > line && entry.key.n > 0 && is_inside(entry.key, text));
		REQUIRE((r == CONFIG_FILE_EMPTY) == str_absent(entry.value));
		REQUIRE(str_absent(entry.value) || is_inside(entry.value, text));
		line = entry.line;
	}
	REQUIRE(config_file_next(&f, &entry) == r);
}

static void check_lines(const char *s, bool one)
{
	REQUIRE(!one || s[0] != '\0');
	for (; *s != '\0'; s++)
		REQUIRE(((unsigned char)*s >= 0x20 && *s != 0x7f) || (!one && *s == '\n'));
}

static void round_trip(struct options *o, struct fixture *f)
{
	static char first[1 << 17], second[1 << 17];
	char *args[] = { (char *)"--config=c.conf", NULL }, *env[] = { NULL };
	size_t bytes = fixture_print(o, first, OPTIONS_FILE_BYTES_MAX);

	f->config = str_of(first, bytes);
	REQUIRE(fixture_load(o, f, args, env));
	REQUIRE(fixture_print(o, second, OPTIONS_FILE_BYTES_MAX) == bytes &&
		memcmp(first, second, bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct options o;
	static char text[INPUT_BYTES_MAX + 1];
	char *args[ARGS_MAX + 2] = { (char *)"--config=c.conf" }, *env[ARGS_MAX + 1] = { NULL };
	struct fixture f = { .descriptors_max = 65536, .key = STR("k3y") };
	size_t at, count = 1, variables = 0;

	if (n > INPUT_BYTES_MAX)
		return 0;
	memcpy(text, data, n);
	text[n] = '\0';
	at = strlen(text);
	f.config = str_of(text, at);
	while (at < n && count + variables <= ARGS_MAX) {
		char *piece = text + at + 1;

		if (*piece == '=') {
			f.key = str_of(piece + 1, strlen(piece + 1));
		} else if (*piece == '#' && piece[1] != '\0') {
			f.descriptors_max = UINT64_C(16) << (piece[1] & 15);
			f.memory_max = UINT64_C(1) << (16 + (piece[2] & 15));
		} else if (*piece >= 'A' && *piece <= 'Z') {
			env[variables++] = piece;
		} else {
			args[count++] = piece;
		}
		at += 1 + strlen(text + at + 1);
	}
	read_lines(f.config);
	if (fixture_load(&o, &f, args, env))
		round_trip(&o, &f);
	else
		check_lines(o.error, true);
	check_lines(o.warnings, false);
	return 0;
}
