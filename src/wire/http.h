/*
 * wire/http.h: HTTP/1.1 request heads (RFC 9112, RFC 9110), server side: bytes in, one request out.
 * No I/O, no allocation, no clock, no copying: everything in a request points into the caller's buffer.
 *
 * The caller keeps one contiguous buffer that starts with the request's first byte and calls http_parse()
 * whenever it has grown; it may move between calls. The parser is a few bytes per connection and looks at
 * each byte once, however the bytes arrive. `struct http_request` is the loop's scratch: only the call that
 * returns HTTP_DONE fills it.
 *
 * Strict on purpose, because leniency is what smuggling is made of (RELIABILITY A): CRLF line ends only, no
 * folding, no space around a name, token names, one Host, one decimal Content-Length, no Transfer-Encoding.
 * What is wrong is found as early as it shows: a bad byte at that byte, a bad value of a known header at the
 * end of its line, what depends on the whole head (no Host, framing, Expect, size of the body) at its end,
 * 400 before the others.
 */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/str.h"

enum http_result {
	HTTP_MORE, /* no error so far, and not a whole head: call again with more bytes */
	HTTP_DONE, /* `req` is filled; the body, if any, follows the head */
	HTTP_BAD,  /* for ever; p->error says why. Answer http_error_status(), close, read no further */
};

/* TRACE, CONNECT and what is not here never reach a request: 501. */
enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_PATCH };

/* Why a head was refused: name, status, label of the counter, what the peer is told. */
#define HTTP_ERRORS(X) \
	X(METHOD_BYTES, 400, "method_bytes", "the method is not a token followed by one space") \
	/* RFC 9110 9.1; too long too */ \
	X(METHOD_UNKNOWN, 501, "method_unknown", "this method is not known here") \
	/* no origin-, absolute- or OPTIONS' asterisk-form */ \
	X(TARGET, 400, "target", "the request target is malformed") \
	/* not HTTP/digit.digit */ \
	X(VERSION_BYTES, 400, "version_bytes", "the request line does not end in a version of HTTP") \
	/* the HTTP/2 preface too */ \
	X(VERSION, 505, "version", "only versions 1.0 and 1.1 of HTTP are spoken here") \
	X(LINE_END, 400, "line_end", "a line of the head ends in CR without LF") \
	/* or is folded */ \
	X(HEADER_NAME, 400, "header_name", "a header line does not begin with a name and a colon") \
	X(HEADER_VALUE, 400, "header_value", "a header holds a control character") /* other than tab */ \
	X(HOST, 400, "host", "one Host header is required: host or host:port") \
	/* under 2^63 */ \
	X(CONTENT_LENGTH, 400, "content_length", "Content-Length: one decimal number is required") \
	X(FRAMING, 400, "framing", "Transfer-Encoding beside version 1.0, Content-Length or Upgrade") \
	X(TRANSFER_ENCODING, 411, "transfer_encoding", "a body needs Content-Length, not Transfer-Encoding") \
	X(EXPECT, 417, "expect", "Expect: only 100-continue is known") \
	/* Content-Length over HTTP_BODY_BYTES_MAX */ \
	X(BODY_SIZE, 413, "body_size", "the body is too large") \
	X(HEAD_SIZE, 431, "head_size", "the head is too large") /* no end within HTTP_HEAD_BYTES_MAX */ \
	X(HEADER_COUNT, 431, "header_count", "there are too many headers") /* over HTTP_HEADERS_MAX */

#define HTTP_ERROR_ENUM(name, status, label, text) HTTP_ERR_##name,
enum http_error { HTTP_ERR_NONE, HTTP_ERRORS(HTTP_ERROR_ENUM) HTTP_ERROR_COUNT };
#undef HTTP_ERROR_ENUM

/* One request's progress. All zero is the start. Only `error` is for the caller's eyes. */
struct http_parser {
	uint16_t scanned;        /* bytes looked at, from the request's first */
	uint16_t line;           /* where the current line began */
	uint16_t mark;           /* method's start, later the end of the current header's name */
	uint16_t target;         /* where the target began */
	uint16_t target_end;     /* one past its last byte */
	uint16_t fields;         /* where the first header line began */
	uint16_t seen;           /* HTTP_SEEN_* in http.c */
	uint8_t state;
	uint8_t method;          /* enum http_method */
	uint8_t minor;
	uint8_t headers;         /* complete header lines */
	uint8_t error;           /* enum http_error; sticky */
	uint32_t content_length; /* bytes; HTTP_BODY_BYTES_MAX + 1 stands for all that is larger */
};

struct http_header {
	struct str name;  /* a token as it was sent, never empty */
	struct str value; /* without surrounding spaces and tabs; no CR, LF, NUL or other control but tab */
};

struct http_request {
	enum http_method method;
	uint8_t minor;             /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;           /* the peer can take another answer on this connection */
	bool expect_continue;      /* it waits for 100 before it sends the body (1.1 and a body only) */
	bool has_content_length;   /* the header was there, be it 0 */
	bool has_upgrade;          /* an Upgrade header was there, whatever it says */
	bool connection_upgrade;   /* Connection named the token `upgrade` */
	struct str method_text;
	struct str target;         /* as sent: origin-form, absolute-form or `*` */
	struct str path;           /* raw, begins with `/`, or is `*` */
	struct str query;          /* raw, behind the `?`; absent without one */
	struct str
		authority; /* host[:port], valid: the target's if absolute, else Host; absent in a bare 1.0 */
	size_t head_bytes;         /* from the first byte to the end of the empty line */
	uint32_t content_length;   /* bytes of body behind the head; <= HTTP_BODY_BYTES_MAX */
	size_t header_count;
	struct http_header headers[HTTP_HEADERS_MAX];
};

/* Begins a request; also forgets an error. The parser owns nothing. */
void http_parser_init(struct http_parser *p);

/*
 * Looks at buf[0, bytes), which begins with the request's first byte and must hold at least what earlier
 * calls were given. HTTP_MORE is never returned for HTTP_HEAD_BYTES_MAX bytes or more, so a buffer of that
 * size is enough. After HTTP_DONE a further call with the same head fills `req` again (the body came later,
 * the scratch was lent out); for the next request call http_parser_init(). The slices in `req` live as long
 * as the bytes of `buf` stay in place.
 */
enum http_result http_parse(struct http_parser *p, const char *buf, size_t bytes, struct http_request *req);

/* The status to answer with, 400 to 599; error is not HTTP_ERR_NONE. */
unsigned http_error_status(enum http_error error);

/* A short constant for counters and logs: lower case and `_`. Any value of the enum; "none" for
 * HTTP_ERR_NONE. */
struct str http_error_name(enum http_error error);

/* What is wrong, in words for the peer; error is not HTTP_ERR_NONE. */
struct str http_error_text(enum http_error error);

/* The value of the first header of that name, in any case; absent if there is none (an empty value is not
 * absent). */
struct str http_header(const struct http_request *req, struct str name);

/* How many headers of that name there are. */
size_t http_header_count(const struct http_request *req, struct str name);

/* RFC 9110 5.6.2: is it one or more tchar? */
bool http_is_token(struct str s);

/*
 * Takes the next element of a comma-separated list (RFC 9110 5.6.1) off the front of `rest`, without the
 * spaces and tabs around it; empty elements are skipped. False at the end of the list. Linear over a whole
 * list.
 */
bool http_list_next(struct str *rest, struct str *element);

#endif
