/*
 * config_file.h: the configuration file, line by line: `key = value` or `key: value`, `#` comments,
 * indentation and section lines (`websocket:`) as YAML has them. Which keys there are is not known here.
 * Pure: bytes in, entries out.
 *
 * A value ends at the end of the line or at a `#` after a blank; in "..." or '...' it may hold anything but
 * that quote. Borrowed: keys and values are slices of the text. Errors are sticky: after one, every call
 * gives it again.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdint.h>

#include "base/str.h"

enum config_file_result {
	CONFIG_FILE_ENTRY, /* key and value, which is not empty unless quoted */
	CONFIG_FILE_EMPTY, /* a key without a value: a section line, or an option whose value was forgotten */
	CONFIG_FILE_END,
	CONFIG_FILE_NO_PAIR,    /* neither `key = value` nor `key: value` */
	CONFIG_FILE_OPEN_QUOTE, /* a quoted value that does not end, or goes on after its end */
	CONFIG_FILE_NOT_TEXT,   /* a control character, or bytes that are not UTF-8 */
};

struct config_file {
	struct str rest;
	uint32_t line;                 /* of the last entry or error, from 1 */
	enum config_file_result error; /* CONFIG_FILE_ENTRY: none yet */
};

struct config_entry {
	struct str key, value; /* value is absent with CONFIG_FILE_EMPTY */
	uint32_t line;
};

/* Begins at the first line of `text`, a byte order mark skipped. */
void config_file_init(struct config_file *f, struct str text);

/* The next entry. `out` is written for CONFIG_FILE_ENTRY and CONFIG_FILE_EMPTY; else only f->line tells
 * where. */
enum config_file_result config_file_next(struct config_file *f, struct config_entry *out);

#endif
