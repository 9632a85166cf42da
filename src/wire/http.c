/*
 * See wire/http.h.
 *
 * Invariants: bytes [0, scanned) have been accepted and are not looked at again until the end of their line
 * (known headers) or of the head (slicing), so that the work is at most three times the bytes. `line` <=
 * `mark` <= `scanned` inside a header line. Every offset is <= HTTP_HEAD_BYTES_MAX. error != 0 is final. The
 * scan alone decides what is legal; slicing relies on it and cannot fail.
 */
#include "wire/http.h"

#include "wire/uri.h"

static_assert(HTTP_HEAD_BYTES_MAX <= UINT16_MAX, "offsets are 16 bits");
static_assert(HTTP_HEADERS_MAX <= UINT8_MAX, "the count of headers is 8 bits");
static_assert(sizeof(struct http_parser) <= 32, "small enough to lie in every connection");

enum { METHOD_BYTES_MAX = 7, CONTENT_LENGTH_DIGITS_MAX = 19 };

enum state {
	S_START,        /* nothing yet: a method, or one empty line before it (RFC 9112 2.2) */
	S_START_LF,     /* CR of that empty line seen */
	S_START_METHOD, /* after it: a method and nothing else */
	S_METHOD,
	S_TARGET_START,
	S_TARGET,
	S_VERSION,      /* inside "HTTP/": mark = how many of its bytes are seen */
	S_MAJOR,
	S_DOT,
	S_MINOR,
	S_LINE_CR,      /* after the version: its CR */
	S_LINE_LF,
	S_FIELD,        /* first byte of a header line, or CR of the last, empty one */
	S_NAME,
	S_VALUE,
	S_VALUE_LF,
	S_END_LF,
	S_DONE,
};

enum {
	SEEN_HOST = 1,
	SEEN_LENGTH = 2,
	SEEN_TRANSFER = 4,
	SEEN_EXPECT = 8,       /* 100-continue */
	SEEN_EXPECT_OTHER = 16,
	SEEN_UPGRADE = 32,
	SEEN_CLOSE = 64,       /* tokens of Connection */
	SEEN_KEEP_ALIVE = 128,
	SEEN_CONN_UPGRADE = 256,
};

/* Byte classes. */
enum { C_TOKEN = 1, C_TARGET = 2, C_VALUE = 4 };

#define TTT (C_TOKEN | C_TARGET | C_VALUE)
#define TGT (C_TARGET | C_VALUE)
#define VAL C_VALUE
#define R8(x) x, x, x, x, x, x, x, x
#define R32(x) R8(x), R8(x), R8(x), R8(x)

/* RFC 9110 5.6.2 tchar; 5.5 field-vchar, SP, HTAB. Targets: every visible ASCII byte but `"`, `#`, `<` and
 * `>`, which no URL parser leaves unencoded; browsers do leave []{}|^`\ in queries. */
static const uint8_t class_of[256] = {
	R8(0),   0, VAL, 0, 0, 0, 0, 0, 0,              R8(0),   R8(0),
	VAL, TTT, VAL, VAL | C_TOKEN, TTT, TTT, TTT, TTT, /* SP ! " # $ % & ' */
	TGT, TGT, TTT, TTT, TGT, TTT, TTT, TGT,           /* ( ) * + , - . / */
	R8(TTT), TTT, TTT, TGT, TGT, VAL, TGT, VAL, TGT,  /* 0-9 : ; < = > ? */
	TGT, TTT, TTT, TTT, TTT, TTT, TTT, TTT,           /* @ A-G */
	R8(TTT), R8(TTT), TTT, TTT, TTT, TGT, TGT, TGT, TTT, TTT, /* H-Z [ \ ] ^ _ */
	R8(TTT), R8(TTT), R8(TTT),                        /* ` a-w */
	TTT, TTT, TTT, TGT, TTT, TGT, TTT, 0,             /* x y z { | } ~ DEL */
	R32(VAL), R32(VAL), R32(VAL), R32(VAL),
};

static bool is(char c, unsigned class)
{
	return (class_of[(unsigned char)c] & class) != 0;
}

bool http_is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is(s.p[i], C_TOKEN))
			return false;
	return s.n > 0;
}

bool http_list_next(struct str *rest, struct str *element)
{
	while (rest->n > 0) {
		const char *comma = memchr(rest->p, ',', rest->n);
		size_t n = comma == NULL ? rest->n : (size_t)(comma - rest->p);
		size_t step = comma == NULL ? n : n + 1;

		*element = str_trim(str_of(rest->p, n));
		*rest = str_of(rest->p + step, rest->n - step);
		if (element->n > 0)
			return true;
	}
	return false;
}

static const struct method {
	struct str name;
	uint8_t method;
	uint8_t error; /* HTTP_ERR_NONE: served */
} methods[] = {
	{ { "GET", 3 }, HTTP_GET, 0 },         { { "HEAD", 4 }, HTTP_HEAD, 0 },
	{ { "POST", 4 }, HTTP_POST, 0 },       { { "PUT", 3 }, HTTP_PUT, 0 },
	{ { "DELETE", 6 }, HTTP_DELETE, 0 },   { { "OPTIONS", 7 }, HTTP_OPTIONS, 0 },
	{ { "PATCH", 5 }, HTTP_PATCH, 0 },
	/* The preface of HTTP/2 (RFC 9113 3.4) is a request in a version that we do not speak. */
	{ { "PRI", 3 }, 0, HTTP_ERR_VERSION },
};

static enum http_error end_method(struct http_parser *p, struct str name)
{
	assert(name.n > 0);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (!str_eq(methods[i].name, name))
			continue;
		p->method = methods[i].method;
		return (enum http_error)methods[i].error;
	}
	return HTTP_ERR_METHOD_UNKNOWN;
}

/* Splits a target that the scan accepted byte by byte. False: none of the forms of RFC 9112 3.2 that we
 * serve. */
static bool split_target(enum http_method method, struct str t, struct http_request *req)
{
	const char *query;
	size_t scheme = 0;

	assert(t.n > 0);
	req->target = t;
	req->authority = STR_NONE;
	req->query = STR_NONE;
	req->path = t;
	if (t.p[0] == '*')
		return t.n == 1 && method == HTTP_OPTIONS;
	if (t.p[0] != '/') { /* absolute-form, RFC 9112 3.2.2: must be accepted */
		size_t n = 0;

		if (t.n > 7 && str_eq_nocase(str_of(t.p, 7), STR("http://")))
			scheme = 7;
		else if (t.n > 8 && str_eq_nocase(str_of(t.p, 8), STR("https://")))
			scheme = 8;
		else
			return false;
		t = str_of(t.p + scheme, t.n - scheme);
		while (n < t.n && t.p[n] != '/' && t.p[n] != '?')
			n++;
		req->authority = str_of(t.p, n);
		if (!uri_authority(req->authority, &(struct uri_authority){ 0 }))
			return false;
		t = str_of(t.p + n, t.n - n);
	}
	query = t.n == 0 ? NULL : memchr(t.p, '?', t.n);
	req->path = query == NULL ? t : str_of(t.p, (size_t)(query - t.p));
	if (query != NULL)
		req->query = str_of(query + 1, t.n - req->path.n - 1);
	if (req->path.n == 0)
		req->path = STR("/");
	return true;
}

static enum http_error end_content_length(struct http_parser *p, struct str value)
{
	uint64_t n = 0;

	if (p->seen & SEEN_LENGTH || value.n == 0 || value.n > CONTENT_LENGTH_DIGITS_MAX)
		return HTTP_ERR_CONTENT_LENGTH;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return HTTP_ERR_CONTENT_LENGTH;
		n = n * 10 + (uint64_t)(value.p[i] - '0'); /* 19 digits stay under 2^64 */
	}
	if (n > INT64_MAX)
		return HTTP_ERR_CONTENT_LENGTH;
	p->content_length = n > HTTP_BODY_BYTES_MAX ? HTTP_BODY_BYTES_MAX + 1 : (uint32_t)n;
	p->seen |= SEEN_LENGTH;
	return HTTP_ERR_NONE;
}

static enum http_error end_host(struct http_parser *p, struct str value)
{
	struct uri_authority a;

	if (p->seen & SEEN_HOST || !uri_authority(value, &a))
		return HTTP_ERR_HOST;
	p->seen |= SEEN_HOST;
	return HTTP_ERR_NONE;
}

/* Only the three tokens that we know have an effect; a name nominated here does not (RELIABILITY U12). */
static void end_connection(struct http_parser *p, struct str value)
{
	struct str token;

	while (http_list_next(&value, &token)) {
		if (str_eq_nocase(token, STR("close")))
			p->seen |= SEEN_CLOSE;
		else if (str_eq_nocase(token, STR("keep-alive")))
			p->seen |= SEEN_KEEP_ALIVE;
		else if (str_eq_nocase(token, STR("upgrade")))
			p->seen |= SEEN_CONN_UPGRADE;
	}
}

static bool is_continue(struct str value)
{
	return str_eq_nocase(value, STR("100-continue"));
}

static enum http_error end_header(struct http_parser *p, struct str name, struct str value)
{
	assert(name.n > 0);
	p->headers++;
	switch (name.n) { /* a length decides before any comparison */
	case 4:
		if (str_eq_nocase(name, STR("host")))
			return end_host(p, value);
		break;
	case 6:
		if (str_eq_nocase(name, STR("expect")))
			p->seen |= is_continue(value) ? SEEN_EXPECT : SEEN_EXPECT_OTHER;
		break;
	case 7:
		if (str_eq_nocase(name, STR("upgrade")))
			p->seen |= SEEN_UPGRADE;
		break;
	case 10:
		if (str_eq_nocase(name, STR("connection")))
			end_connection(p, value);
		break;
	case 14:
		if (str_eq_nocase(name, STR("content-length")))
			return end_content_length(p, value);
		break;
	case 17:
		if (str_eq_nocase(name, STR("transfer-encoding")))
			p->seen |= SEEN_TRANSFER;
		break;
	default:
		break;
	}
	return HTTP_ERR_NONE;
}

/* What only the whole head shows; 400 before the others. */
static enum http_error end_head(const struct http_parser *p)
{
	if (p->minor == 1 && !(p->seen & SEEN_HOST))
		return HTTP_ERR_HOST;
	if (p->seen & SEEN_TRANSFER) {
		bool smuggles = p->minor == 0 || p->seen & (SEEN_LENGTH | SEEN_UPGRADE | SEEN_CONN_UPGRADE);

		return smuggles ? HTTP_ERR_FRAMING : HTTP_ERR_TRANSFER_ENCODING;
	}
	if (p->seen & SEEN_EXPECT_OTHER)
		return HTTP_ERR_EXPECT;
	if (p->content_length > HTTP_BODY_BYTES_MAX)
		return HTTP_ERR_BODY_SIZE;
	return HTTP_ERR_NONE;
}

/* A byte before or in the method. */
static enum http_error step_method(struct http_parser *p, const char *buf, char c)
{
	switch ((enum state)p->state) {
	case S_START:
		if (c == '\r') {
			p->state = S_START_LF;
			return HTTP_ERR_NONE;
		}
		/* fall through */
	case S_START_METHOD:
		p->mark = p->scanned;
		p->state = S_METHOD;
		return is(c, C_TOKEN) ? HTTP_ERR_NONE : HTTP_ERR_METHOD_BYTES;
	case S_START_LF:
		p->state = S_START_METHOD;
		return c == '\n' ? HTTP_ERR_NONE : HTTP_ERR_LINE_END;
	default:
		break;
	}
	assert(p->state == S_METHOD);
	if (c == ' ') {
		p->state = S_TARGET_START;
		return end_method(p, str_of(buf + p->mark, (size_t)(p->scanned - p->mark)));
	}
	if (!is(c, C_TOKEN))
		return HTTP_ERR_METHOD_BYTES;
	return p->scanned - p->mark < METHOD_BYTES_MAX ? HTTP_ERR_NONE : HTTP_ERR_METHOD_UNKNOWN;
}

static enum http_error step_target(struct http_parser *p, const char *buf, char c, struct http_request *req)
{
	if (p->state == S_TARGET_START) {
		bool letter = str_ascii_lower(c) >= 'a' && str_ascii_lower(c) <= 'z';

		p->target = p->scanned;
		p->state = S_TARGET;
		return c == '/' || c == '*' || letter ? HTTP_ERR_NONE : HTTP_ERR_TARGET;
	}
	assert(p->state == S_TARGET);
	if (is(c, C_TARGET))
		return HTTP_ERR_NONE;
	if (c != ' ')
		return HTTP_ERR_TARGET;
	p->target_end = p->scanned;
	p->mark = 0;
	p->state = S_VERSION;
	return split_target((enum http_method)p->method,
			    str_of(buf + p->target, (size_t)(p->scanned - p->target)), req)
		       ? HTTP_ERR_NONE
		       : HTTP_ERR_TARGET;
}

/* A byte of " HTTP/1.x CRLF". */
static enum http_error step_version(struct http_parser *p, char c)
{
	static const char name[] = "HTTP/";
	bool digit = c >= '0' && c <= '9';

	switch ((enum state)p->state) {
	case S_VERSION:
		if (c != name[p->mark])
			return HTTP_ERR_VERSION_BYTES;
		if (++p->mark == sizeof(name) - 1)
			p->state = S_MAJOR;
		return HTTP_ERR_NONE;
	case S_MAJOR:
		p->state = S_DOT;
		if (!digit)
			return HTTP_ERR_VERSION_BYTES;
		return c == '1' ? HTTP_ERR_NONE : HTTP_ERR_VERSION;
	case S_DOT:
		p->state = S_MINOR;
		return c == '.' ? HTTP_ERR_NONE : HTTP_ERR_VERSION_BYTES;
	case S_MINOR:
		p->state = S_LINE_CR;
		p->minor = (uint8_t)(c == '1');
		if (!digit)
			return HTTP_ERR_VERSION_BYTES;
		return c <= '1' ? HTTP_ERR_NONE : HTTP_ERR_VERSION;
	case S_LINE_CR:
		p->state = S_LINE_LF;
		return c == '\r' ? HTTP_ERR_NONE : HTTP_ERR_VERSION_BYTES;
	default:
		break;
	}
	assert(p->state == S_LINE_LF);
	p->state = S_FIELD;
	p->fields = (uint16_t)(p->scanned + 1);
	return c == '\n' ? HTTP_ERR_NONE : HTTP_ERR_LINE_END;
}

static enum http_error step_field(struct http_parser *p, const char *buf, char c)
{
	switch ((enum state)p->state) {
	case S_FIELD:
		p->line = p->scanned;
		if (c == '\r') {
			p->state = S_END_LF;
			return HTTP_ERR_NONE;
		}
		p->state = S_NAME;
		if (!is(c, C_TOKEN))
			return HTTP_ERR_HEADER_NAME;
		return p->headers < HTTP_HEADERS_MAX ? HTTP_ERR_NONE : HTTP_ERR_HEADER_COUNT;
	case S_NAME:
		if (is(c, C_TOKEN))
			return HTTP_ERR_NONE;
		p->mark = p->scanned;
		p->state = S_VALUE;
		return c == ':' ? HTTP_ERR_NONE : HTTP_ERR_HEADER_NAME;
	case S_VALUE:
		if (is(c, C_VALUE))
			return HTTP_ERR_NONE;
		p->state = S_VALUE_LF;
		return c == '\r' ? HTTP_ERR_NONE : HTTP_ERR_HEADER_VALUE;
	case S_VALUE_LF:
		if (c != '\n')
			return HTTP_ERR_LINE_END;
		p->state = S_FIELD;
		assert(p->line < p->mark && p->mark < p->scanned);
		return end_header(p, str_of(buf + p->line, (size_t)(p->mark - p->line)),
		                  str_trim(str_of(buf + p->mark + 1, (size_t)(p->scanned - p->mark - 2))));
	default:
		break;
	}
	assert(p->state == S_END_LF);
	p->state = S_DONE;
	return c == '\n' ? end_head(p) : HTTP_ERR_LINE_END;
}

/* Most bytes of a head only continue what they are in: passes over them without a step each. */
static void pass_run(struct http_parser *p, const char *buf, size_t end)
{
	unsigned class = p->state == S_VALUE    ? C_VALUE
			 : p->state == S_NAME   ? C_TOKEN
			 : p->state == S_TARGET ? C_TARGET
						: 0;
	size_t i = p->scanned;

	assert(i <= end);
	while (i < end && is(buf[i], class))
		i++;
	p->scanned = (uint16_t)i;
}

/* Looks at the bytes not yet looked at, up to the end of the head. */
static void scan(struct http_parser *p, const char *buf, size_t bytes, struct http_request *req)
{
	size_t end = bytes < HTTP_HEAD_BYTES_MAX ? bytes : HTTP_HEAD_BYTES_MAX;

	while (p->scanned < end && p->state != S_DONE && p->error == HTTP_ERR_NONE) {
		char c = buf[p->scanned];
		enum http_error error;

		if (p->state >= S_FIELD)
			error = step_field(p, buf, c);
		else if (p->state >= S_VERSION)
			error = step_version(p, c);
		else if (p->state >= S_TARGET_START)
			error = step_target(p, buf, c, req);
		else
			error = step_method(p, buf, c);
		p->error = (uint8_t)error;
		p->scanned++;
		if (error == HTTP_ERR_NONE)
			pass_run(p, buf, end);
	}
	if (p->scanned == HTTP_HEAD_BYTES_MAX && p->state != S_DONE && p->error == HTTP_ERR_NONE)
		p->error = HTTP_ERR_HEAD_SIZE;
}

/* Cuts the lines of a head that the scan accepted into names and values. */
static void slice_headers(const struct http_parser *p, const char *buf, struct http_request *req)
{
	const char *line = buf + p->fields;

	req->header_count = p->headers;
	for (size_t i = 0; i < req->header_count; i++) {
		const char *limit = buf + p->scanned;
		const char *colon = memchr(line, ':', (size_t)(limit - line));
		const char *cr = memchr(colon, '\r', (size_t)(limit - colon));

		assert(colon != NULL && cr != NULL);
		req->headers[i].name = str_of(line, (size_t)(colon - line));
		req->headers[i].value = str_trim(str_of(colon + 1, (size_t)(cr - colon - 1)));
		line = cr + 2;
	}
	assert(line + 2 == buf + p->scanned);
}

static void fill(const struct http_parser *p, const char *buf, struct http_request *req)
{
	struct str target = str_of(buf + p->target, (size_t)(p->target_end - p->target));
	bool fits = split_target((enum http_method)p->method, target, req);

	assert(fits);
	(void)fits;
	slice_headers(p, buf, req);
	req->method = (enum http_method)p->method;
	req->method_text = methods[p->method].name;
	req->minor = p->minor;
	req->keep_alive = !(p->seen & SEEN_CLOSE) && (p->minor == 1 || p->seen & SEEN_KEEP_ALIVE);
	/* RFC 9110 10.1.1: ignored in 1.0; without a body there is nothing to wait for. */
	req->expect_continue = p->seen & SEEN_EXPECT && p->minor == 1 && p->content_length > 0;
	req->has_content_length = p->seen & SEEN_LENGTH;
	req->has_upgrade = p->seen & SEEN_UPGRADE;
	req->connection_upgrade = p->seen & SEEN_CONN_UPGRADE;
	req->head_bytes = p->scanned;
	req->content_length = p->content_length;
	if (str_absent(req->authority))
		req->authority = http_header(req, STR("host"));
}

void http_parser_init(struct http_parser *p)
{
	assert(p != NULL);
	*p = (struct http_parser){ 0 };
}

enum http_result http_parse(struct http_parser *p, const char *buf, size_t bytes, struct http_request *req)
{
	assert(bytes >= p->scanned || p->error != HTTP_ERR_NONE);
	assert(p->scanned <= HTTP_HEAD_BYTES_MAX);
	scan(p, buf, bytes, req);
	if (p->error != HTTP_ERR_NONE)
		return HTTP_BAD;
	if (p->state != S_DONE)
		return HTTP_MORE;
	fill(p, buf, req);
	return HTTP_DONE;
}

#define HTTP_ERROR_ROW(name, status, label, text) \
	[HTTP_ERR_##name] = { status, { label, sizeof(label) - 1 }, { text, sizeof(text) - 1 } },
static const struct {
	unsigned status;
	struct str label, text;
} errors[HTTP_ERROR_COUNT] = {
	[HTTP_ERR_NONE] = { 0, { "none", 4 }, { NULL, 0 } },
	HTTP_ERRORS(HTTP_ERROR_ROW)
};

unsigned http_error_status(enum http_error error)
{
	assert(error > HTTP_ERR_NONE && error < HTTP_ERROR_COUNT);
	return errors[error].status;
}

struct str http_error_name(enum http_error error)
{
	assert(error < HTTP_ERROR_COUNT);
	return errors[error].label;
}

struct str http_error_text(enum http_error error)
{
	assert(error > HTTP_ERR_NONE && error < HTTP_ERROR_COUNT);
	return errors[error].text;
}

struct str http_header(const struct http_request *req, struct str name)
{
	assert(req->header_count <= HTTP_HEADERS_MAX);
	for (size_t i = 0; i < req->header_count; i++)
		if (str_eq_nocase(req->headers[i].name, name))
			return req->headers[i].value;
	return STR_NONE;
}

size_t http_header_count(const struct http_request *req, struct str name)
{
	size_t n = 0;

	assert(req->header_count <= HTTP_HEADERS_MAX);
	for (size_t i = 0; i < req->header_count; i++)
		n += str_eq_nocase(req->headers[i].name, name);
	return n;
}
