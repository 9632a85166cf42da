/*
 * option.h: the one table that flags, environment, file, --help, `check` and the README's list come from.
 */
#ifndef OPTION_H
#define OPTION_H

#include "options.h"

enum option_kind {
	OPTION_DURATION,     /* int64_t, ms */
	OPTION_SIZE,         /* uint32_t, bytes */
	OPTION_COUNT,        /* uint32_t */
	OPTION_TEXT,         /* struct str */
	OPTION_PATH,         /* struct str; what is in the file is read at the end of options_load() */
	OPTION_URL,          /* struct str, which url_parse() takes: http or https */
	OPTION_REDIS,        /* struct redis_url; its text is in redis_url, and its password in no message */
	OPTION_SWITCH,       /* bool */
	OPTION_CPUS,         /* struct str; config.bound, config.cpus */
	OPTION_CHOICE,       /* an enum */
	OPTION_LISTENERS,    /* config.listeners, separated by blanks; repeatable */
	OPTION_ORIGINS,      /* config.origins, separated by commas or blanks; repeatable */
	OPTION_NAMES,        /* struct name_list, separated by commas or blanks; repeatable */
	OPTION_PATHS,        /* struct name_list, separated by commas; repeatable */
	OPTION_PROXIES,      /* config.proxies, separated by commas or blanks; repeatable */
	OPTION_MESSAGE_SIZE, /* config.message_bytes_max of every dialect */
	OPTION_NOTE,         /* accepted in the file, and corresponds to nothing: `help` says why */
};

struct option_choice {
	const char *name;
	int value;
};

struct option {
	const char *name;     /* as a flag, without its dashes */
	enum option_kind kind;
	const char *fallback; /* the default, as it could be written; NULL: see `unset` */
	const char *unset;    /* what holds when nothing is given, in words; NULL when there is a default */
	const char *value;    /* what --help calls the value; NULL: as its kind says */
	const char *help;
	const char *env;      /* read too, below PRESENCED_...; NULL: none */
	const char *file_key; /* another name in the file; NULL: none */
	uint32_t at;          /* offset in struct options */
	int64_t min, max;     /* of numbers; a minimum of 0 means that 0 disables */
	/* Ends with a NULL name; the first name of a value is the one that is printed. */
	const struct option_choice *choices;
};

uint32_t option_rows(void);
const struct option *option_at(uint32_t row);

enum { OPTION_NONE = OPTIONS_ROWS_MAX };

/* The row of a flag; of a file's key (`_` for `-` too, and the file's other names); of what follows
 * PRESENCED_; or OPTION_NONE. */
uint32_t option_by_flag(struct str name);
uint32_t option_by_key(struct str key);
uint32_t option_by_env(struct str name);

/* "DURATION", "drop|close", "on|off": how --help shows the value. NUL-terminated. */
void option_value_name(const struct option *row, char *out, size_t cap);

#endif
