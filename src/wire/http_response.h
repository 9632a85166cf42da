/*
 * wire/http_response.h: reads one HTTP/1.1 response (RFC 9112) as it comes, from a server that need not mean
 * well. Sans I/O, fed any split of the bytes. Bodies by Content-Length, chunked, or up to the end of the
 * stream.
 */
#ifndef WIRE_HTTP_RESPONSE_H
#define WIRE_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum { HTTP_RESPONSE_HEAD_BYTES_MAX = 8192 };

enum http_response_result {
	HTTP_RESPONSE_MORE, /* not complete yet */
	HTTP_RESPONSE_HEAD, /* the head is complete (told once): status and headers
	                     * can be read; feed on for the body */
	HTTP_RESPONSE_DONE, /* head and body are complete; *used says where what follows begins */
	HTTP_RESPONSE_BAD,  /* malformed, or a head or body over its limit; sticky */
};

struct http_response {
	/* Results. */
	unsigned status;          /* from HTTP_RESPONSE_HEAD on; 100 and 102 to 199
	                           * are skipped, 101 ends with its head */
	size_t body_bytes;        /* in body[] so far */
	/* The caller's memory. */
	char *head;               /* HTTP_RESPONSE_HEAD_BYTES_MAX bytes: the head is gathered here */
	uint8_t *body;            /* body_cap bytes */
	size_t body_cap;          /* more makes it BAD */
	bool drop_body;           /* the body's bytes are counted against body_cap, and kept nowhere */
	/* The parser's. */
	uint8_t state;
	bool chunked, has_length, head_only;
	uint32_t head_bytes;
	uint64_t left;            /* of the body or of the chunk */
	uint64_t body_total;
	uint64_t overhead;        /* bytes of chunk headers and trailers: capped */
};

/* `head` and `body` stay the caller's. `body` may be NULL with drop_body. */
void http_response_init(struct http_response *r, char *head, uint8_t *body, size_t body_cap);

/* Takes bytes in; *used: how many belonged to this response. */
enum http_response_result http_response_feed(struct http_response *r, const uint8_t *bytes, size_t n,
                                             size_t *used);

/* The stream has ended: DONE when that is how the body ends, else BAD. */
enum http_response_result http_response_end(struct http_response *r);

/*
 * The value of a header that stands once, from the head's end on; absent: it is not there, or stands twice.
 */
struct str http_response_header(const struct http_response *r, struct str name);

#endif
