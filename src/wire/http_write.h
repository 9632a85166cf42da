/*
 * wire/http_write.h: heads of responses, and the JSON error answer (CONTRACT 4), into a buffer of the
 * caller's.
 *
 * Everything returns the bytes written, or 0: it did not fit, or a value holds a byte that could end a line
 * (CR, LF, NUL, any control but tab). A 0 leaves the buffer's content undefined and sends nothing: whatever a
 * peer said cannot split a response (RELIABILITY H22). Nothing is kept, nothing allocated.
 */
#ifndef WIRE_HTTP_WRITE_H
#define WIRE_HTTP_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"
#include "wire/http.h"

enum {
	HTTP_BODY_CHUNKED = -1, /* Transfer-Encoding: chunked; only to HTTP/1.1 */
	HTTP_BODY_NONE = -2,    /* neither header: 1xx and 204, or a body that ends with the connection */
	HTTP_DATE_BYTES = 29,   /* Sun, 06 Nov 1994 08:49:37 GMT */
	HTTP_ERROR_BYTES_MAX = 1024, /* holds http_write_error() with 128 bytes of message, short headers */
};

struct http_answer {
	unsigned status;                /* 100 to 599 */
	struct str date;                /* of http_date(); absent: no header */
	struct str content_type;        /* absent: no header */
	int64_t content_length;         /* bytes >= 0, or one of HTTP_BODY_* */
	bool keep_alive;                /* else `Connection: close` */
	const struct http_header *extra;
	size_t extra_count;             /* names are ours: tokens */
};

struct http_error_answer {
	unsigned status;
	struct str date;         /* as above */
	struct str message;      /* for people; absent: the reason phrase. Escaped; beyond ASCII as `?` */
	struct str allow;        /* 405 only, and there a must: "GET, HEAD" */
	unsigned retry_after_s;  /* 0: no Retry-After */
	bool bad_token;          /* 401 only: a credential was presented, and is none (RFC 6750 3.1) */
	bool head_only;          /* the request was HEAD: the head that GET had got, no body */
	bool keep_alive;
	const struct http_header *extra;
	size_t extra_count;
};

/*
 * IMF-fixdate (RFC 9110 5.6.7) into exactly HTTP_DATE_BYTES, no NUL. Times outside years 1 to 9999 become the
 * first or last second of those. `t` is not absent.
 */
void http_date(wall_t t, char *out);

/* Status line, headers, empty line. 1xx and 204 get no body headers whatever is asked (RFC 9110 8.6). 101 is
 * not for here: handshake_write() knows how. */
size_t http_write_head(char *buf, size_t cap, const struct http_answer *r);

/*
 * Head and body of an error answer: {"error":{"code":N,"message":TEXT}}. 401 carries WWW-Authenticate:
 * Bearer, with error="invalid_token" when there was a token; 426 carries Upgrade: websocket and
 * Sec-WebSocket-Version: 13, 405 its Allow.
 */
size_t http_write_error(char *buf, size_t cap, const struct http_error_answer *r);

/* The line in front of a chunk of `chunk_bytes` > 0 bytes; CRLF follows the chunk. */
size_t http_write_chunk_size(char *buf, size_t cap, size_t chunk_bytes);

/* What ends a chunked body. */
#define HTTP_LAST_CHUNK STR("0\r\n\r\n")

/* The interim answer to a request with expect_continue (RFC 9110 15.2.1). */
#define HTTP_CONTINUE STR("HTTP/1.1 100 Continue\r\n\r\n")

/* The phrase of RFC 9110 15 and 6585; "Unknown" for a status that we never send. */
struct str http_reason(unsigned status);

#endif
