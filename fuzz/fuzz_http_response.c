/*
 * wire/http_response, and the URLs that lead to it: whatever a service sends, however it is split, the parser
 * says the same at the same byte, keeps its limits, and reads nothing that is not there. The first three
 * bytes of the input place the split and make the caller's choices.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "wire/http.h"
#include "wire/http_response.h"
#include "wire/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { BODY_CAP = 64 };

struct reading {
	struct http_response r;
	char head[HTTP_RESPONSE_HEAD_BYTES_MAX];
	uint8_t body[BODY_CAP];
	size_t used;
	unsigned heads;
	enum http_response_result result;
};

static bool over(const struct reading *x)
{
	return x->result == HTTP_RESPONSE_DONE || x->result == HTTP_RESPONSE_BAD;
}

static void check_head(const struct http_response *r)
{
	struct str length = http_response_header(r, STR("content-length"));
	struct str none = http_response_header(r, STR("x"));

	assert(r->status == 101 || (r->status >= 200 && r->status < 600));
	assert(r->head_bytes <= HTTP_RESPONSE_HEAD_BYTES_MAX);
	assert(memcmp(r->head, "HTTP/1.", 7) == 0);
	assert(memcmp(r->head + r->head_bytes - 4, "\r\n\r\n", 4) == 0);
	assert(r->headers <= HTTP_HEADERS_MAX);
	assert(r->has_length == !str_absent(length) && !(r->has_length && r->chunked));
	assert(str_absent(none) || memchr(none.p, '\r', none.n) == NULL);
}

static void feed(struct reading *x, const uint8_t *in, size_t n)
{
	while (!over(x)) {
		size_t used;

		x->result = http_response_feed(&x->r, in, n, &used);
		assert(used <= n);
		in += used;
		n -= used;
		x->used += used;
		assert(x->r.body_bytes <= BODY_CAP && x->r.body_total <= BODY_CAP);
		if (x->result == HTTP_RESPONSE_MORE) {
			assert(n == 0);
			return;
		}
		if (x->result == HTTP_RESPONSE_HEAD) {
			x->heads++;
			check_head(&x->r);
		}
	}
}

static void begin(struct reading *x, unsigned choices)
{
	x->used = 0;
	x->heads = 0;
	x->result = HTTP_RESPONSE_MORE;
	http_response_init(&x->r, x->head, choices & 1 ? NULL : x->body, BODY_CAP);
	x->r.drop_body = choices & 1;
	x->r.head_only = choices & 2;
}

static void end(struct reading *x)
{
	if (!over(x))
		x->result = http_response_end(&x->r);
	assert(over(x) && x->heads <= 1);
	assert(x->result != HTTP_RESPONSE_DONE || x->heads == 1);
}

static void check_same(const struct reading *a, const struct reading *b)
{
	assert(a->result == b->result && a->used == b->used && a->heads == b->heads);
	assert(a->r.body_bytes == b->r.body_bytes && a->r.head_bytes == b->r.head_bytes);
	assert(memcmp(a->body, b->body, a->r.body_bytes) == 0);
	assert(memcmp(a->head, b->head, a->r.head_bytes) == 0);
	assert(a->heads == 0 || a->r.status == b->r.status);
}

static void check_url(struct str s)
{
	char out[URL_ESCAPED_BYTES(URL_BYTES_MAX)];
	struct url u;

	if (!url_parse(s, &u))
		return;
	assert(s.n <= URL_BYTES_MAX && u.host.n > 0 && u.host.n <= URL_HOST_BYTES_MAX && u.port > 0);
	assert(u.path.n == 0 || u.path.p[0] == '/' || u.path.p[0] == '?');
	for (size_t i = 0; i < s.n; i++)
		assert(s.p[i] > 0x20 && s.p[i] < 0x7f);
	assert(url_escape(s, out) >= s.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct reading x[3];
	size_t cut;
	uint8_t *in;

	if (n < 3)
		return 0;
	n -= 3;
	cut = (size_t)(data[0] | data[1] << 8) % (n + 1);
	in = malloc(n > 0 ? n : 1); /* exact, so that ASan sees one byte too many */
	assert(in != NULL);
	memcpy(in, data + 3, n);
	for (int i = 0; i < 3; i++)
		begin(&x[i], data[2]);
	feed(&x[0], in, n);
	for (size_t i = 0; i < n; i++)
		feed(&x[1], in + i, 1);
	feed(&x[2], in, cut);
	feed(&x[2], in + cut, n - cut);
	for (int i = 0; i < 3; i++)
		end(&x[i]);
	check_same(&x[0], &x[1]);
	check_same(&x[0], &x[2]);
	check_url(str_of((const char *)in, n));
	free(in);
	return 0;
}
