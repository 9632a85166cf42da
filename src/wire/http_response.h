/*
 * wire/http_response.h: reads one HTTP/1.1 response (RFC 9112) as it comes, from a server that need not mean
 * well. Sans I/O, fed any split of the bytes. Bodies by Content-Length, chunked, or up to the end of the
 * stream.
 *
 * Strict, as wire/http.h is: bare LF, folded lines, a blank before a colon, Content-Length that is no number
 * or stands twice, Transfer-Encoding that is not `chunked` alone, that stands beside a Content-Length or in
 * HTTP/1.0, and blanks around a chunk's size are malformed. Only the reason phrase is nobody's business: it
 * and the blank before it may be missing.
 */
#ifndef WIRE_HTTP_RESPONSE_H
#define WIRE_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
	HTTP_RESPONSE_HEAD_BYTES_MAX = 8192,
	HTTP_RESPONSE_INTERIM_MAX = 8,        /* responses of 1xx before the real one */
	HTTP_RESPONSE_OVERHEAD_BYTES_MAX = 8192, /* of chunk heads and trailers, beyond
	                                          * twice the body's bytes */
};

enum http_response_result {
	HTTP_RESPONSE_MORE, /* not complete yet: everything was used */
	HTTP_RESPONSE_HEAD, /* the head is complete (told once): status and headers can be read;
	                     * feed on, be it with nothing, for the body or DONE */
	HTTP_RESPONSE_DONE, /* head and body are complete; *used says where what follows begins; sticky */
	HTTP_RESPONSE_BAD,  /* malformed, or a head or body over its limit; sticky */
};

struct http_response {
	/* Results. */
	unsigned status;          /* 100 to 599 from HTTP_RESPONSE_HEAD on; of 1xx only 101 is told, and
	                           * ends with its head: the others are skipped */
	size_t body_bytes;        /* in body[] so far */
	/* The caller's memory. */
	char *head;               /* HTTP_RESPONSE_HEAD_BYTES_MAX bytes: the head is gathered here */
	uint8_t *body;            /* body_cap bytes */
	size_t body_cap;          /* more makes it BAD, as soon as that is announced */
	/* The caller's choices: false after init, set before the first feed. */
	bool drop_body;           /* the body's bytes are counted against body_cap, and kept nowhere */
	bool head_only;           /* the answer to HEAD: no body follows, whatever the head says */
	/* The parser's. */
	uint8_t state;
	uint8_t interim;          /* heads of 1xx skipped */
	uint8_t headers;          /* of this head */
	uint8_t minor;
	bool chunked, has_length;
	uint16_t line, mark;      /* where the header line began, where its colon is */
	uint32_t head_bytes;
	uint64_t left;            /* of the body or of the chunk */
	uint64_t body_total;
	uint64_t overhead;        /* bytes of chunk heads and trailers */
	uint8_t digits;           /* of a chunk's size; bytes of "HTTP/1." */
};

/* `head` and `body` stay the caller's. `body` may be NULL with drop_body, or with body_cap 0. */
void http_response_init(struct http_response *r, char *head, uint8_t *body, size_t body_cap);

/* Takes bytes in; *used: how many belonged to this response. */
enum http_response_result http_response_feed(struct http_response *r, const uint8_t *bytes, size_t n,
                                             size_t *used);

/* The stream has ended, as its sender meant it to: DONE when the body is complete so, else BAD. */
enum http_response_result http_response_end(struct http_response *r);

/*
 * The value of a header that stands once, without the blanks around it, from the head's end on; absent: it is
 * not there, or stands twice. Borrows from the head's memory.
 */
struct str http_response_header(const struct http_response *r, struct str name);

#endif
