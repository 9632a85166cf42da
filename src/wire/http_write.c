/*
 * See wire/http_write.h. One cursor, sticky: once something did not fit or was refused nothing more is
 * written, and the result is 0. Asserted is what only our own code chooses; values may come from peers and
 * are checked byte by byte.
 */
#include "wire/http_write.h"

#include "base/rfc3339.h"

enum { DECIMAL_BYTES_MAX = 20, DAY_MS = 86400000 };

#define YEAR_1_MS (-62135596800000) /* a Monday */

struct cursor {
	char *buf;
	size_t cap;
	size_t n;
	bool failed;
};

static void put(struct cursor *c, struct str s)
{
	assert(c->n <= c->cap);
	if (c->failed || s.n > c->cap - c->n) {
		c->failed = true;
		return;
	}
	if (s.n > 0)
		memcpy(c->buf + c->n, s.p, s.n);
	c->n += s.n;
}

static void put_number(struct cursor *c, uint64_t v, unsigned base)
{
	char digits[DECIMAL_BYTES_MAX];
	size_t i = sizeof(digits);

	assert(base == 10 || base == 16);
	do {
		digits[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v > 0);
	put(c, str_of(digits + i, sizeof(digits) - i));
}

static void put_header(struct cursor *c, struct str name, struct str value)
{
	assert(http_is_token(name));
	for (size_t i = 0; i < value.n; i++) {
		unsigned char b = (unsigned char)value.p[i];

		if ((b < 0x20 && b != '\t') || b == 0x7f)
			c->failed = true;
	}
	put(c, name);
	put(c, STR(": "));
	put(c, value);
	put(c, STR("\r\n"));
}

struct str http_reason(unsigned status)
{
	static const struct {
		unsigned status;
		struct str reason;
	} reasons[] = {
#define REASON(status, text) { status, { text, sizeof(text) - 1 } }
		REASON(100, "Continue"), REASON(101, "Switching Protocols"), REASON(200, "OK"),
		REASON(201, "Created"), REASON(202, "Accepted"), REASON(204, "No Content"),
		REASON(400, "Bad Request"), REASON(401, "Unauthorized"), REASON(403, "Forbidden"),
		REASON(404, "Not Found"), REASON(405, "Method Not Allowed"), REASON(408, "Request Timeout"),
		REASON(409, "Conflict"), REASON(411, "Length Required"), REASON(413, "Content Too Large"),
		REASON(414, "URI Too Long"), REASON(415, "Unsupported Media Type"),
		REASON(417, "Expectation Failed"), REASON(422, "Unprocessable Content"),
		REASON(426, "Upgrade Required"), REASON(429, "Too Many Requests"),
		REASON(431, "Request Header Fields Too Large"), REASON(500, "Internal Server Error"),
		REASON(501, "Not Implemented"), REASON(503, "Service Unavailable"),
		REASON(505, "HTTP Version Not Supported"),
#undef REASON
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return STR("Unknown");
}

void http_date(wall_t t, char *out)
{
	static const char days[] = "MonTueWedThuFriSatSun", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t day = t.ms < YEAR_1_MS ? 0 : (t.ms - YEAR_1_MS) / DAY_MS;
	char at[RFC3339_BYTES]; /* YYYY-MM-DDThh:mm:ss.sssZ */
	int month;

	rfc3339_format(t, at);
	month = (at[5] - '0') * 10 + at[6] - '1';
	memcpy(out, "Mon, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_BYTES);
	memcpy(out, days + day % 7 * 3, 3);
	memcpy(out + 5, at + 8, 2);
	memcpy(out + 8, months + month * 3, 3);
	memcpy(out + 12, at, 4);
	memcpy(out + 17, at + 11, 8);
}

static void put_head(struct cursor *c, const struct http_answer *r)
{
	bool bodiless = r->status < 200 || r->status == 204;

	assert(r->status >= 100 && r->status <= 599 && r->status != 101);
	assert(r->content_length >= HTTP_BODY_NONE);
	/* Without a length only the end of the connection ends the body. */
	assert(bodiless || r->content_length != HTTP_BODY_NONE || !r->keep_alive);
	put(c, STR("HTTP/1.1 "));
	put_number(c, r->status, 10);
	put(c, STR(" "));
	put(c, http_reason(r->status));
	put(c, STR("\r\n"));
	if (!str_absent(r->date))
		put_header(c, STR("Date"), r->date);
	if (!bodiless && !str_absent(r->content_type))
		put_header(c, STR("Content-Type"), r->content_type);
	if (!bodiless && r->content_length == HTTP_BODY_CHUNKED) {
		put_header(c, STR("Transfer-Encoding"), STR("chunked"));
	} else if (!bodiless && r->content_length >= 0) {
		put(c, STR("Content-Length: "));
		put_number(c, (uint64_t)r->content_length, 10);
		put(c, STR("\r\n"));
	}
	if (r->status == 426) /* RFC 9110 7.8: Upgrade is nominated in Connection */
		put_header(c, STR("Connection"), r->keep_alive ? STR("upgrade") : STR("close, upgrade"));
	else
		put_header(c, STR("Connection"), r->keep_alive ? STR("keep-alive") : STR("close"));
	for (size_t i = 0; i < r->extra_count; i++)
		put_header(c, r->extra[i].name, r->extra[i].value);
}

static size_t finish(const struct cursor *c)
{
	assert(c->n <= c->cap);
	return c->failed ? 0 : c->n;
}

size_t http_write_head(char *buf, size_t cap, const struct http_answer *r)
{
	struct cursor c = { .buf = buf, .cap = cap };

	put_head(&c, r);
	put(&c, STR("\r\n"));
	return finish(&c);
}

/* Text inside a JSON string (RFC 8259 7). */
static void put_escaped(struct cursor *c, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char b = (unsigned char)s.p[i];

		if (b == '"' || b == '\\') {
			put(c, STR("\\"));
			put(c, str_of(s.p + i, 1));
		} else if (b < 0x20) {
			put(c, b < 0x10 ? STR("\\u000") : STR("\\u00"));
			put_number(c, b, 16);
		} else {
			put(c, b < 0x7f ? str_of(s.p + i, 1) : STR("?"));
		}
	}
}

static void put_error_body(struct cursor *c, const struct http_error_answer *r)
{
	put(c, STR("{\"error\":{\"code\":"));
	put_number(c, r->status, 10);
	put(c, STR(",\"message\":\""));
	put_escaped(c, str_absent(r->message) ? http_reason(r->status) : r->message);
	put(c, STR("\"}}"));
}

static void put_error_headers(struct cursor *c, const struct http_error_answer *r)
{
	assert((r->status == 405) == !str_absent(r->allow));
	assert(!r->bad_token || r->status == 401);
	if (r->status == 401)
		put_header(c, STR("WWW-Authenticate"),
		           r->bad_token ? STR("Bearer error=\"invalid_token\"") : STR("Bearer"));
	if (r->status == 405)
		put_header(c, STR("Allow"), r->allow);
	if (r->status == 426) {
		put_header(c, STR("Upgrade"), STR("websocket"));
		put_header(c, STR("Sec-WebSocket-Version"), STR("13"));
	}
	if (r->retry_after_s > 0) {
		put(c, STR("Retry-After: "));
		put_number(c, r->retry_after_s, 10);
		put(c, STR("\r\n"));
	}
}

size_t http_write_error(char *buf, size_t cap, const struct http_error_answer *r)
{
	struct cursor c = { .buf = buf, .cap = cap };
	struct cursor body = c;
	struct http_answer head = {
		.status = r->status,
		.date = r->date,
		.content_type = STR("application/json"),
		.keep_alive = r->keep_alive,
		.extra = r->extra,
		.extra_count = r->extra_count,
	};

	assert(r->status >= 400);
	put_error_body(&body, r); /* first, to know its length; the head is written over it */
	if (body.failed)
		return 0;
	head.content_length = (int64_t)body.n;
	put_head(&c, &head);
	put_error_headers(&c, r);
	put(&c, STR("\r\n"));
	if (!r->head_only)
		put_error_body(&c, r);
	return finish(&c);
}

size_t http_write_chunk_size(char *buf, size_t cap, size_t chunk_bytes)
{
	struct cursor c = { .buf = buf, .cap = cap };

	assert(chunk_bytes > 0);
	put_number(&c, chunk_bytes, 16);
	put(&c, STR("\r\n"));
	return finish(&c);
}
