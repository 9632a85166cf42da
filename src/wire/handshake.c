/* See wire/handshake.h. The first failing check in the order of HANDSHAKE_REASONS is the answer. */
#include "wire/handshake.h"

#include <bearssl_hash.h>

#include "base/base64.h"

enum { KEY_BYTES = HANDSHAKE_KEY_BYTES, KEY_DIGITS = 22 };

static bool is_attempt(const struct http_request *req)
{
	return req->has_upgrade || req->connection_upgrade ||
	       !str_absent(http_header(req, STR("sec-websocket-key"))) ||
	       !str_absent(http_header(req, STR("sec-websocket-version")));
}

/* There is one header of that name; its value, else the absent slice. */
static struct str only(const struct http_request *req, struct str name)
{
	return http_header_count(req, name) == 1 ? http_header(req, name) : STR_NONE;
}

/* 16 bytes of base64. Stray bits in the last digit are let through, as other servers do: the key is a nonce
 * that is hashed as text, and hand-made clients get them wrong. */
static bool is_key(struct str key)
{
	if (key.n != KEY_BYTES || key.p[KEY_DIGITS] != '=' || key.p[KEY_DIGITS + 1] != '=')
		return false;
	for (size_t i = 0; i < KEY_DIGITS; i++)
		if (!base64_is_digit(BASE64_STD, key.p[i]))
			return false;
	return true;
}

static enum handshake_reason judge(const struct http_request *req)
{
	struct str version = only(req, STR("sec-websocket-version"));

	assert(req->header_count <= HTTP_HEADERS_MAX);
	if (req->method != HTTP_GET)
		return HANDSHAKE_BAD_METHOD;
	if (req->minor == 0)
		return HANDSHAKE_BAD_VERSION;
	if (req->has_content_length)
		return HANDSHAKE_BAD_BODY;
	if (!str_eq_nocase(only(req, STR("upgrade")), STR("websocket")))
		return HANDSHAKE_BAD_UPGRADE;
	if (!req->connection_upgrade)
		return HANDSHAKE_BAD_CONNECTION;
	if (!str_eq(version, STR("13")))
		return HANDSHAKE_BAD_WS_VERSION;
	return is_key(only(req, STR("sec-websocket-key"))) ? HANDSHAKE_GOOD : HANDSHAKE_BAD_KEY;
}

void handshake_accept(struct str key, char accept[HANDSHAKE_ACCEPT_BYTES])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	br_sha1_context sha1;
	uint8_t digest[br_sha1_SIZE];
	size_t n;

	assert(key.n == KEY_BYTES);
	br_sha1_init(&sha1);
	br_sha1_update(&sha1, key.p, key.n);
	br_sha1_update(&sha1, guid, sizeof(guid) - 1);
	br_sha1_out(&sha1, digest);
	n = base64_encode(accept, HANDSHAKE_ACCEPT_BYTES, digest, sizeof(digest));
	assert(n == HANDSHAKE_ACCEPT_BYTES);
	(void)n;
}

#define HANDSHAKE_REASON_ROW(name, status, label, text) \
	[HANDSHAKE_BAD_##name] = { status, { label, sizeof(label) - 1 }, { text, sizeof(text) - 1 } },
static const struct {
	unsigned status;
	struct str label, text;
} reasons[HANDSHAKE_REASON_COUNT] = { [HANDSHAKE_GOOD] = { 0, { "none", 4 }, { NULL, 0 } },
	                              HANDSHAKE_REASONS(HANDSHAKE_REASON_ROW) };

void handshake_check(const struct http_request *req, struct handshake *hs)
{
	assert(req->minor <= 1);
	*hs = (struct handshake){ .outcome = HANDSHAKE_NONE };
	if (!is_attempt(req))
		return;
	hs->reason = judge(req);
	hs->status = reasons[hs->reason].status;
	hs->outcome = hs->reason == HANDSHAKE_GOOD ? HANDSHAKE_OK : HANDSHAKE_REFUSED;
	if (hs->outcome == HANDSHAKE_OK)
		handshake_accept(http_header(req, STR("sec-websocket-key")), hs->accept);
}

struct str handshake_reason_name(enum handshake_reason reason)
{
	assert(reason < HANDSHAKE_REASON_COUNT);
	return reasons[reason].label;
}

struct str handshake_reason_text(enum handshake_reason reason)
{
	assert(reason > HANDSHAKE_GOOD && reason < HANDSHAKE_REASON_COUNT);
	return reasons[reason].text;
}

bool handshake_protocol_next(struct handshake_protocols *it, struct str *token)
{
	assert(it->header <= it->req->header_count);
	for (;;) {
		while (http_list_next(&it->rest, token))
			if (http_is_token(*token))
				return true;
		while (it->header < it->req->header_count &&
		       !str_eq_nocase(it->req->headers[it->header].name, STR("sec-websocket-protocol")))
			it->header++;
		if (it->header == it->req->header_count)
			return false;
		it->rest = it->req->headers[it->header++].value;
	}
}

bool handshake_offers(const struct http_request *req, struct str token)
{
	struct handshake_protocols it = { .req = req };
	struct str offered;

	while (handshake_protocol_next(&it, &offered))
		if (str_eq(offered, token))
			return true;
	return false;
}

size_t handshake_write(const struct handshake *hs, struct str protocol, char *buf, size_t cap)
{
	const struct str parts[] = {
		STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		    "Connection: Upgrade\r\nSec-WebSocket-Accept: "),
		str_of(hs->accept, HANDSHAKE_ACCEPT_BYTES),
		str_absent(protocol) ? STR("") : STR("\r\nSec-WebSocket-Protocol: "),
		protocol,
		STR("\r\n\r\n"),
	};
	size_t n = 0;

	assert(hs->outcome == HANDSHAKE_OK);
	if (!str_absent(protocol) && !http_is_token(protocol))
		return 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].n > cap - n)
			return 0;
		if (parts[i].n > 0)
			memcpy(buf + n, parts[i].p, parts[i].n);
		n += parts[i].n;
	}
	return n;
}
