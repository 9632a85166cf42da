/*
 * The request path of wire/: whatever arrives, however it is split, the parser says the same, what it accepts
 * holds its promises, and nothing of it can break out of a response. The first two bytes of the input place
 * the split.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/handshake.h"
#include "wire/http_write.h"
#include "wire/origin.h"
#include "wire/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Feeds prefixes of `first`, then `step` more bytes each; stops at the first answer. */
static enum http_result feed(struct http_parser *p, const char *in, size_t n, size_t first, size_t step,
                             struct http_request *req)
{
	enum http_result r = HTTP_MORE;

	http_parser_init(p);
	for (size_t to = first < n ? first : n; r == HTTP_MORE; to = n - to < step ? n : to + step) {
		r = http_parse(p, in, to, req);
		if (to == n)
			break;
	}
	return r;
}

static bool same(struct str a, struct str b)
{
	return a.p == b.p && a.n == b.n;
}

static void check_same(const struct http_request *a, const struct http_request *b)
{
	assert(a->method == b->method && a->minor == b->minor && a->head_bytes == b->head_bytes);
	assert(a->content_length == b->content_length && a->keep_alive == b->keep_alive);
	assert(same(a->path, b->path) && same(a->query, b->query) && same(a->authority, b->authority));
	assert(a->header_count == b->header_count);
	for (size_t i = 0; i < a->header_count; i++)
		assert(same(a->headers[i].name, b->headers[i].name) &&
		       same(a->headers[i].value, b->headers[i].value));
}

static void check_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		assert((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

static void check_request(const struct http_request *req, const char *in)
{
	assert(req->head_bytes <= HTTP_HEAD_BYTES_MAX && req->content_length <= HTTP_BODY_BYTES_MAX);
	assert(req->header_count <= HTTP_HEADERS_MAX);
	assert(memcmp(in + req->head_bytes - 4, "\r\n\r\n", 4) == 0);
	assert(req->path.p[0] == '/' || str_eq(req->path, STR("*")));
	assert(req->minor == 0 || !str_absent(req->authority));
	assert(http_header_count(req, STR("transfer-encoding")) == 0);
	assert(http_header_count(req, STR("host")) <= 1 &&
	       http_header_count(req, STR("content-length")) <= 1);
	for (size_t i = 0; i < req->header_count; i++) {
		struct str value = req->headers[i].value;

		assert(http_is_token(req->headers[i].name));
		assert(value.p >= in && value.p + value.n <= in + req->head_bytes);
		for (size_t k = 0; k < value.n; k++)
			assert(value.p[k] == '\t' ||
			       ((unsigned char)value.p[k] >= 0x20 && value.p[k] != 0x7f));
	}
}

/* Everything a handler would ask of the target. */
static void check_target(const struct http_request *req)
{
	char buf[HTTP_HEAD_BYTES_MAX];
	struct uri_path path;
	struct str rest = req->query, name, value, out;
	size_t left = req->query.n;

	if (uri_path_split(req->path, buf, req->path.n, &path) == URI_OK) {
		assert(path.n <= URI_SEGMENTS_MAX);
		for (size_t i = 0; i < path.n; i++)
			check_text(path.segments[i]);
	}
	while (uri_query_next(&rest, &name, &value)) {
		assert(rest.n < left);
		left = rest.n;
		if (uri_decode(value, URI_QUERY, buf, value.n, &out) == URI_OK)
			check_text(out);
	}
	if (uri_query_get(req->query, STR("user_id"), buf, ID_BYTES_MAX, &out) == URI_OK)
		assert(out.n <= ID_BYTES_MAX);
}

/* A response has exactly one empty line, at the end of its head, and only whole lines before it. */
static void check_response(const char *out, size_t n, size_t body_bytes)
{
	assert(n > 4 && memcmp(out + n - body_bytes - 4, "\r\n\r\n", 4) == 0);
	for (size_t i = 0; i < n - body_bytes; i++) {
		assert(out[i] != '\0');
		assert(out[i] != '\n' || out[i - 1] == '\r');
		assert(out[i] != '\r' || out[i + 1] == '\n');
		assert(i + 4 >= n - body_bytes || memcmp(out + i, "\r\n\r\n", 4) != 0);
	}
}

/* Every value, as if it were an Origin. */
static void check_origin(struct str value, struct str host)
{
	struct origin o;

	if (!origin_parse(value, &o))
		return;
	assert(o.scheme.n > 0 && o.where.host.n > 0 && origin_eq(&o, &o));
	assert(!origin_is_loopback(&o) || str_has_prefix(o.scheme, str_of("h", 1)) || str_has_prefix(o.scheme, str_of("H", 1)));
	(void)origin_is_host(&o, host);
}

static void check_handshake(const struct http_request *req)
{
	static char out[2 * HTTP_HEAD_BYTES_MAX];
	struct handshake_protocols it = { .req = req };
	struct handshake hs;
	struct origin o;
	struct str token;

	handshake_check(req, &hs);
	assert((hs.outcome == HANDSHAKE_REFUSED) == (hs.status != 0));
	assert(handshake_reason_name(hs.reason).n > 0);
	assert(hs.reason == HANDSHAKE_GOOD || handshake_reason_text(hs.reason).n > 0);
	assert(hs.outcome != HANDSHAKE_OK ||
	       (req->method == HTTP_GET && req->minor == 1 && req->content_length == 0));
	if (handshake_protocol_next(&it, &token)) {
		assert(handshake_offers(req, token));
		if (hs.outcome == HANDSHAKE_OK)
			check_response(out, handshake_write(&hs, token, out, sizeof(out)), 0);
	}
	while (handshake_protocol_next(&it, &token))
		assert(http_is_token(token));
	if (origin_of(req, &o) == ORIGIN_OK)
		assert(origin_eq(&o, &o) && o.where.host.n > 0);
	for (size_t i = 0; i < req->header_count; i++) {
		struct http_error_answer e = { .status = 400,
					       .message = req->headers[i].value,
					       .extra = &req->headers[i],
					       .extra_count = 1,
					       .head_only = true };
		size_t n = http_write_error(out, sizeof(out), &e);

		if (n > 0)
			check_response(out, n, 0);
		n = hs.outcome == HANDSHAKE_OK ? handshake_write(&hs, req->headers[i].value, out, sizeof(out)) : 0;
		if (n > 0)
			check_response(out, n, 0);
		check_origin(req->headers[i].value, req->authority);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct http_request req[3];
	struct http_parser p[3];
	enum http_result r[3];
	char *in;
	size_t cut;

	if (n < 2)
		return 0;
	n -= 2;
	cut = (size_t)(data[0] | data[1] << 8) % (n + 1);
	in = malloc(n > 0 ? n : 1); /* exact, so that ASan sees one byte too many */
	assert(in != NULL);
	memcpy(in, data + 2, n);
	r[0] = feed(&p[0], in, n, n, n, &req[0]);
	r[1] = feed(&p[1], in, n, 0, 1, &req[1]);
	r[2] = feed(&p[2], in, n, cut, n, &req[2]);
	for (int i = 1; i < 3; i++)
		assert(r[i] == r[0] && p[i].error == p[0].error && p[i].scanned == p[0].scanned);
	assert(r[0] != HTTP_MORE || n < HTTP_HEAD_BYTES_MAX);
	if (r[0] == HTTP_DONE) {
		check_same(&req[0], &req[1]);
		check_same(&req[0], &req[2]);
		check_request(&req[0], in);
		check_target(&req[0]);
		check_handshake(&req[0]);
	}
	if (r[0] == HTTP_BAD)
		assert(http_error_status((enum http_error)p[0].error) >= 400 &&
		       http_error_name((enum http_error)p[0].error).n > 0 && http_error_text((enum http_error)p[0].error).n > 0);
	free(in);
	return 0;
}
