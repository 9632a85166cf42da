/*
 * base/log.h: structured log lines, as logfmt or JSON, built in a bounded buffer and handed to a sink. No
 * clock, no I/O.
 *
 *	LOG(&l, now.wall, LOG_INFO, "User came online", LOG_STR("user_id", id), LOG_U64("connections", n));
 *	level=INFO msg="User came online" service=presence user_id=ann connections=1
 *	    time=2026-01-02T03:04:05.678Z
 *
 * What peers chose cannot break out of its value: controls (C0, DEL, C1), quotes, line and direction marks,
 * and bytes that are not UTF-8 are escaped; other UTF-8 is printed as it is. A line is at most
 * LOG_LINE_BYTES_MAX bytes: a value longer than LOG_VALUE_BYTES_MAX is cut between characters and ends in
 * U+2026; fields that do not fit are left out and `truncated=true` says so.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/clock.h"
#include "base/str.h"

enum {
	LOG_LINE_BYTES_MAX = 1024, /* newline included */
	LOG_VALUE_BYTES_MAX = 256, /* as printed, quotes not counted */
	LOG_LIMIT_MS = 1000,        /* between two lines of one reason */
};

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum log_kind { LOG_KIND_STR, LOG_KIND_U64, LOG_KIND_I64, LOG_KIND_BOOL, LOG_KIND_MS };

struct log_field {
	const char *name; /* a literal of [a-z0-9_] */
	enum log_kind kind;
	union {
		struct str str;
		uint64_t u64;
		int64_t i64;
	} v;
};

/* Takes one line of n bytes, its newline included, which dies on return. False: refused (never wait here). */
typedef bool (*log_sink_fn)(void *ctx, const char *line, size_t n);

struct log {
	enum log_level level;    /* lines below it cost one comparison */
	enum log_format format;
	struct str service;      /* borrowed for the life of the log; cut as any value */
	log_sink_fn sink;
	void *sink_ctx;
	uint64_t dropped;        /* lines that the sink refused */
};

#define LOG_FIELD_(name_, kind_, member_, value_) \
	((struct log_field){ .name = (name_), .kind = (kind_), .v.member_ = (value_) })
#define LOG_STR(name, s) LOG_FIELD_(name, LOG_KIND_STR, str, s)
#define LOG_U64(name, n) LOG_FIELD_(name, LOG_KIND_U64, u64, n)
#define LOG_I64(name, n) LOG_FIELD_(name, LOG_KIND_I64, i64, n)
#define LOG_BOOL(name, b) LOG_FIELD_(name, LOG_KIND_BOOL, u64, (b) ? 1 : 0)
#define LOG_MS(name, ms) LOG_FIELD_(name, LOG_KIND_MS, i64, ms) /* prints 500ms, 5s, 1m30s */

/*
 * Writes one line unless `level` is below the log's. now: wall_t; WALL_NONE for no time. msg: a literal, so
 * that lines can be looked for; at start, a warning's text.
 * Fields are evaluated only if the line is written.
 */
#define LOG(l, now, level_, msg, ...)                                                                  \
	((level_) < (l)->level ? (void)0                                                               \
	                       : log_line((l), (now), (level_), (msg), LOG_FIELDS_(__VA_ARGS__) + 1,   \
	                                  sizeof(LOG_FIELDS_(__VA_ARGS__)) / sizeof(struct log_field) - 1))

/* With a dummy in front, as an array may not be empty. */
#define LOG_FIELDS_(...) ((const struct log_field[]){ { .name = NULL }, __VA_ARGS__ })

/*
 * What LOG() calls; also checks the level. `msg` is escaped and cut like any value; fields and
 * their strings are borrowed for the call.
 */
void log_line(struct log *l, wall_t now, enum log_level level, const char *msg,
              const struct log_field *fields, size_t fields_n);

/* debug, info, warn, warning, error in any case. False: none of these, *level untouched. */
bool log_level_parse(struct str s, enum log_level *level);

/* logfmt or json, in any case. False: neither, *format untouched. */
bool log_format_parse(struct str s, enum log_format *format);

/* One per reason, kept by the caller; zeroed memory is ready. */
struct log_limit {
	int64_t next_ms;     /* mono time from which a line may be written again */
	uint64_t suppressed; /* lines not written since the last one */
};

/*
 * May a line for this reason be written now? At most one a second. True: *suppressed is how many were not
 * written since the last one, and the count starts anew. False: counted, *suppressed untouched.
 */
bool log_limit_pass(struct log_limit *lim, mono_t now, uint64_t *suppressed);

#endif
