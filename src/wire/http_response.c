/*
 * See wire/http_response.h.
 *
 * Invariants: one byte at a time up to the body, so that a verdict falls at the same byte however the stream
 * is cut; inside a header line `line` <= `mark` < `head_bytes` <= HTTP_RESPONSE_HEAD_BYTES_MAX. body_total +
 * left <= body_cap once a body is under way; body_bytes is body_total, or 0 with drop_body. S_DONE and S_BAD
 * are final.
 */
#include "wire/http_response.h"

#include <assert.h>

#include "base/limits.h"
#include "wire/http.h"

static_assert(HTTP_RESPONSE_HEAD_BYTES_MAX <= UINT16_MAX, "offsets are 16 bits");
static_assert(HTTP_HEADERS_MAX < UINT8_MAX, "the count of headers is 8 bits");

enum { LENGTH_DIGITS_MAX = 19, CHUNK_DIGITS_MAX = 16 };

enum state {
	S_VERSION,   /* inside "HTTP/1." */
	S_MINOR,
	S_SPACE,     /* before the status */
	S_STATUS_1, S_STATUS_2, S_STATUS_3,
	S_STATUS_END,
	S_REASON,
	S_LINE_LF,
	S_FIELD,     /* first byte of a header line, or CR of the last, empty one */
	S_NAME,
	S_VALUE,
	S_VALUE_LF,
	S_END_LF,
	S_BODY,      /* `left` bytes of it */
	S_STREAM,    /* a body up to the end of the stream */
	S_SIZE,      /* a chunk's */
	S_EXTENSION,
	S_SIZE_LF,
	S_CHUNK,     /* `left` bytes of it */
	S_CHUNK_CR, S_CHUNK_LF,
	S_TRAILER,   /* as S_FIELD and what follows it; kept nowhere */
	S_TRAILER_NAME,
	S_TRAILER_VALUE,
	S_TRAILER_LF,
	S_LAST_LF,
	S_OVER,      /* the head announced a body over its limit: told after the head */
	S_DONE,
	S_BAD,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_token(char c)
{
	return http_is_token(str_of(&c, 1));
}

/* RFC 9110 5.5: a byte of a value, 9112 4: of a reason. */
static bool is_text(char c)
{
	unsigned char u = (unsigned char)c;

	return u == '\t' || (u >= 0x20 && u != 0x7f);
}

void http_response_init(struct http_response *r, char *head, uint8_t *body, size_t body_cap)
{
	assert(head != NULL);
	*r = (struct http_response){ .head = head, .body = body, .body_cap = body_cap, .state = S_VERSION };
}

/* --- the head --- */

/* Each returns the next state. */

static enum state status_digit(struct http_response *r, char c, unsigned low, unsigned high, enum state next)
{
	unsigned digit = (unsigned)(c - '0');

	if (!is_digit(c) || digit < low || digit > high)
		return S_BAD;
	r->status = r->status * 10 + digit;
	return next;
}

static enum state step_status_line(struct http_response *r, char c)
{
	static const char name[] = "HTTP/1.";

	switch ((enum state)r->state) {
	case S_VERSION:
		if (c != name[r->digits])
			return S_BAD;
		return ++r->digits == sizeof(name) - 1 ? S_MINOR : S_VERSION;
	case S_MINOR:
		r->minor = (uint8_t)(c == '1');
		return c == '0' || c == '1' ? S_SPACE : S_BAD;
	case S_SPACE:
		r->status = 0;
		return c == ' ' ? S_STATUS_1 : S_BAD;
	case S_STATUS_1:
		return status_digit(r, c, 1, 5, S_STATUS_2);
	case S_STATUS_2:
		return status_digit(r, c, 0, 9, S_STATUS_3);
	case S_STATUS_3:
		return status_digit(r, c, 0, 9, S_STATUS_END);
	case S_STATUS_END:
		if (c == ' ')
			return S_REASON;
		return c == '\r' ? S_LINE_LF : S_BAD;
	case S_REASON:
		if (c == '\r')
			return S_LINE_LF;
		return is_text(c) ? S_REASON : S_BAD;
	default:
		break;
	}
	assert(r->state == S_LINE_LF);
	return c == '\n' ? S_FIELD : S_BAD;
}

static enum state end_length(struct http_response *r, struct str value)
{
	if (r->has_length || r->chunked || value.n == 0 || value.n > LENGTH_DIGITS_MAX)
		return S_BAD;
	r->has_length = true;
	r->left = 0;
	for (size_t i = 0; i < value.n; i++) {
		if (!is_digit(value.p[i]))
			return S_BAD;
		r->left = r->left * 10 + (uint64_t)(value.p[i] - '0'); /* 19 digits stay under 2^64 */
	}
	return S_FIELD;
}

static enum state end_header(struct http_response *r)
{
	struct str name = str_of(r->head + r->line, (size_t)(r->mark - r->line));
	struct str value = str_trim(str_of(r->head + r->mark + 1, r->head_bytes - r->mark - 3u));

	assert(name.n > 0 && r->line < r->mark && r->mark + 3u <= r->head_bytes);
	if (++r->headers > HTTP_HEADERS_MAX)
		return S_BAD;
	if (str_eq_nocase(name, STR("content-length")))
		return end_length(r, value);
	if (!str_eq_nocase(name, STR("transfer-encoding")))
		return S_FIELD;
	if (r->chunked || r->has_length || r->minor == 0 || !str_eq_nocase(value, STR("chunked")))
		return S_BAD;
	r->chunked = true;
	return S_FIELD;
}

/* RFC 9112 6.3: how the body is told from what follows it. */
static enum state body_state(struct http_response *r)
{
	bool bare = r->status < 200 || r->status == 204;

	if (bare && (r->chunked || (r->has_length && r->left > 0)))
		return S_BAD; /* RFC 9110 8.6: must not; what follows would be anybody's guess */
	if (bare || r->status == 304 || r->head_only) {
		r->left = 0;
		return S_BODY;
	}
	if (r->chunked)
		return S_SIZE;
	if (r->has_length)
		return r->left > r->body_cap ? S_OVER : S_BODY;
	return S_STREAM;
}

static enum state end_head(struct http_response *r)
{
	enum state next = body_state(r);

	r->digits = 0;
	if (r->status >= 200 || r->status == 101 || next == S_BAD)
		return next;
	if (++r->interim > HTTP_RESPONSE_INTERIM_MAX)
		return S_BAD;
	r->head_bytes = r->headers = 0;
	r->has_length = false;
	return S_VERSION;
}

static enum state step_field(struct http_response *r, char c)
{
	switch ((enum state)r->state) {
	case S_FIELD:
		r->line = (uint16_t)(r->head_bytes - 1);
		if (c == '\r')
			return S_END_LF;
		return is_token(c) ? S_NAME : S_BAD;
	case S_NAME:
		r->mark = (uint16_t)(r->head_bytes - 1);
		if (c == ':')
			return S_VALUE;
		return is_token(c) ? S_NAME : S_BAD;
	case S_VALUE:
		if (c == '\r')
			return S_VALUE_LF;
		return is_text(c) ? S_VALUE : S_BAD;
	case S_VALUE_LF:
		return c == '\n' ? end_header(r) : S_BAD;
	default:
		break;
	}
	assert(r->state == S_END_LF);
	return c == '\n' ? end_head(r) : S_BAD;
}

/* Takes a byte of the head; true: the head that is told is complete. */
static bool step_head(struct http_response *r, char c)
{
	if (r->head_bytes == HTTP_RESPONSE_HEAD_BYTES_MAX) {
		r->state = S_BAD;
		return false;
	}
	r->head[r->head_bytes++] = c;
	r->state = (uint8_t)(r->state < S_FIELD ? step_status_line(r, c) : step_field(r, c));
	return r->state > S_END_LF && r->state != S_BAD;
}

/* --- the body --- */

/* 0 to 15, or 16 for what is no hex digit. */
static unsigned hex_value(char c)
{
	char l = str_ascii_lower(c);

	if (is_digit(c))
		return (unsigned)(c - '0');
	return l >= 'a' && l <= 'f' ? (unsigned)(l - 'a') + 10 : 16;
}

static enum state step_size(struct http_response *r, char c)
{
	unsigned v = hex_value(c);

	if (r->digits == 0)
		r->left = 0;
	if (v == 16) {
		if (r->digits == 0)
			return S_BAD;
		r->digits = 0;
		if (c == ';')
			return S_EXTENSION;
		return c == '\r' ? S_SIZE_LF : S_BAD;
	}
	if (r->digits++ == CHUNK_DIGITS_MAX)
		return S_BAD;
	r->left = r->left << 4 | v;
	return S_SIZE;
}

static enum state end_size(const struct http_response *r)
{
	if (r->left == 0)
		return S_TRAILER;
	return r->left > r->body_cap - r->body_total ? S_BAD : S_CHUNK;
}

static enum state step_trailer(const struct http_response *r, char c)
{
	switch ((enum state)r->state) {
	case S_TRAILER:
		if (c == '\r')
			return S_LAST_LF;
		return is_token(c) ? S_TRAILER_NAME : S_BAD;
	case S_TRAILER_NAME:
		if (c == ':')
			return S_TRAILER_VALUE;
		return is_token(c) ? S_TRAILER_NAME : S_BAD;
	case S_TRAILER_VALUE:
		if (c == '\r')
			return S_TRAILER_LF;
		return is_text(c) ? S_TRAILER_VALUE : S_BAD;
	case S_TRAILER_LF:
		return c == '\n' ? S_TRAILER : S_BAD;
	default:
		break;
	}
	assert(r->state == S_LAST_LF);
	return c == '\n' ? S_DONE : S_BAD;
}

/* A byte between chunks. */
static enum state step_between(struct http_response *r, char c)
{
	if (++r->overhead > HTTP_RESPONSE_OVERHEAD_BYTES_MAX + 2 * r->body_total)
		return S_BAD;
	switch ((enum state)r->state) {
	case S_SIZE:
		return step_size(r, c);
	case S_EXTENSION:
		if (c == '\r')
			return S_SIZE_LF;
		return is_text(c) ? S_EXTENSION : S_BAD;
	case S_SIZE_LF:
		return c == '\n' ? end_size(r) : S_BAD;
	case S_CHUNK_CR:
		return c == '\r' ? S_CHUNK_LF : S_BAD;
	case S_CHUNK_LF:
		return c == '\n' ? S_SIZE : S_BAD;
	default:
		return step_trailer(r, c);
	}
}

static void keep(struct http_response *r, const uint8_t *bytes, size_t n)
{
	assert(n <= r->body_cap - r->body_total);
	r->body_total += n;
	if (r->drop_body || n == 0)
		return;
	memcpy(r->body + r->body_bytes, bytes, n);
	r->body_bytes += n;
}

/* Takes bytes of the body, `left` at most; how many. */
static size_t take_body(struct http_response *r, const uint8_t *bytes, size_t n)
{
	size_t take = n < r->left ? n : (size_t)r->left;

	keep(r, bytes, take);
	r->left -= take;
	if (r->left == 0)
		r->state = r->state == S_BODY ? S_DONE : S_CHUNK_CR;
	return take;
}

static size_t take_stream(struct http_response *r, const uint8_t *bytes, size_t n)
{
	uint64_t room = r->body_cap - r->body_total;
	size_t take = n < room ? n : (size_t)room;

	keep(r, bytes, take);
	if (take < n)
		r->state = S_BAD;
	return take;
}

/* What needs no further byte. */
static void settle(struct http_response *r)
{
	if (r->state == S_OVER)
		r->state = S_BAD;
	else if (r->state == S_BODY && r->left == 0)
		r->state = S_DONE;
}

enum http_response_result http_response_feed(struct http_response *r, const uint8_t *bytes, size_t n,
                                             size_t *used)
{
	size_t i = 0;

	settle(r);
	while (i < n && r->state < S_DONE) {
		if (r->state <= S_END_LF) {
			if (step_head(r, (char)bytes[i++])) {
				*used = i;
				return HTTP_RESPONSE_HEAD;
			}
		} else if (r->state == S_BODY || r->state == S_CHUNK) {
			i += take_body(r, bytes + i, n - i);
		} else if (r->state == S_STREAM) {
			i += take_stream(r, bytes + i, n - i);
		} else {
			r->state = (uint8_t)step_between(r, (char)bytes[i++]);
		}
	}
	*used = i;
	if (r->state == S_DONE)
		return HTTP_RESPONSE_DONE;
	return r->state == S_BAD ? HTTP_RESPONSE_BAD : HTTP_RESPONSE_MORE;
}

enum http_response_result http_response_end(struct http_response *r)
{
	bool complete;

	settle(r);
	complete = r->state == S_STREAM || r->state == S_DONE;
	r->state = complete ? S_DONE : S_BAD;
	return complete ? HTTP_RESPONSE_DONE : HTTP_RESPONSE_BAD;
}

struct str http_response_header(const struct http_response *r, struct str name)
{
	struct str found = STR_NONE, rest = str_of(r->head, r->head_bytes);

	assert(r->state > S_END_LF);
	while (rest.n > 0) {
		const char *cr = memchr(rest.p, '\r', rest.n);
		struct str line = str_of(rest.p, cr == NULL ? 0 : (size_t)(cr - rest.p));
		bool is_it = line.n > name.n && line.p[name.n] == ':' &&
		             str_eq_nocase(str_of(line.p, name.n), name);

		if (is_it && !str_absent(found))
			return STR_NONE;
		if (is_it)
			found = str_trim(str_of(line.p + name.n + 1, line.n - name.n - 1));
		if (rest.n < line.n + 2)
			break;
		rest = str_of(rest.p + line.n + 2, rest.n - line.n - 2);
	}
	return found;
}
