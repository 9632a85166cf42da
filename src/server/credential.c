/*
 * Invariant: nothing here tells by its time how much of a wrong key was right (RELIABILITY H23).
 */
#include "server/credential.h"

#include "server/admission.h"
#include "server/forwarded.h"
#include "server/state.h"
#include "wire/jwt.h"
#include "wire/origin.h"

enum presented {
	PRESENTED_NOTHING,
	PRESENTED_KEY,
	PRESENTED_TOKEN,  /* trust: it has the form, and says nothing */
	PRESENTED_READER, /* jwt: it verifies */
	PRESENTED_WRITER, /* and has the scope presence:write */
	PRESENTED_LATER,  /* it cannot be verified yet */
	PRESENTED_FLOOD,
	PRESENTED_BAD,
};

/* Takes time by the length of what was presented alone. */
static bool is_secret(struct str presented, struct str secret)
{
	size_t diff = presented.n ^ secret.n;

	assert(secret.n > 0);
	for (size_t i = 0; i < presented.n; i++)
		diff |= (size_t)(unsigned char)(presented.p[i] ^ secret.p[i % secret.n]);
	return diff == 0;
}

static bool has_token_form(struct server *s, struct str text)
{
	size_t n;

	return jwt_payload(text, s->claim.claims_text, sizeof(s->claim.claims_text), &n) &&
	       json_parse(&s->json, (char *)s->claim.claims_text, n) == JSON_OK &&
	       json_type(&s->json, json_root(&s->json)) == JSON_OBJECT;
}

static enum presented token(struct server *s, const struct conn *c, const struct http_request *req,
                            struct str text, struct credential *out)
{
	struct peer from = c->peer; /* the proxy's, for as long as the connection lasts */
	enum jwt_result why;
	struct token t;

	if (s->cfg->auth == AUTH_TRUST)
		return has_token_form(s, text) ? PRESENTED_TOKEN : PRESENTED_BAD;
	forwarded_apply(s->cfg, req, &from);
	switch (token_check(s, &from, text, waiting_is_again(s, c), &t, &why)) {
	case TOKEN_VALID:
		out->grant = t.grant;
		return t.may_write ? PRESENTED_WRITER : PRESENTED_READER;
	case TOKEN_WAIT_KEYS:
		out->what = WAIT_KEYS;
		return PRESENTED_LATER;
	case TOKEN_WAIT_TURN:
		out->what = WAIT_TURN;
		return PRESENTED_LATER;
	case TOKEN_FLOOD:
		return PRESENTED_FLOOD;
	case TOKEN_BAD:
		break;
	}
	return PRESENTED_BAD;
}

struct str credential_bearer(struct str value)
{
	struct str scheme = STR("bearer ");

	if (value.n <= scheme.n || !str_eq_nocase(str_of(value.p, scheme.n), scheme))
		return STR_NONE;
	value = str_of(value.p + scheme.n, value.n - scheme.n);
	while (value.n > 0 && value.p[0] == ' ')
		value = str_of(value.p + 1, value.n - 1);
	return value.n == 0 ? STR_NONE : value;
}

static enum presented presented(struct server *s, const struct conn *c, const struct http_request *req,
                                struct credential *out)
{
	struct str value = http_header(req, STR("authorization"));

	if (str_absent(value))
		return PRESENTED_NOTHING;
	value = credential_bearer(value);
	if (http_header_count(req, STR("authorization")) > 1 || str_absent(value))
		return PRESENTED_BAD;
	if (s->cfg->api_key.n > 0 && is_secret(value, s->cfg->api_key))
		return PRESENTED_KEY;
	return token(s, c, req, value, out);
}

static bool is_local(const struct server *s, const struct conn *c)
{
	static const uint8_t ipv6[16] = { [15] = 1 }, ipv4[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 };

	return s->cfg->listeners[c->listener].is_unix || memcmp(c->peer.address, ipv6, sizeof(ipv6)) == 0 ||
	       memcmp(c->peer.address, ipv4, sizeof(ipv4)) == 0;
}

/* Somebody else asks through whoever connected. */
static bool is_forwarded(const struct http_request *req)
{
	static const struct str names[] = { STR("forwarded"), STR("via"), STR("x-real-ip") };
	static const struct str prefix = STR("x-forwarded-");

	for (size_t i = 0; i < req->header_count; i++) {
		struct str name = req->headers[i].name;

		if (name.n > prefix.n && str_eq_nocase(str_of(name.p, prefix.n), prefix))
			return true;
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			if (str_eq_nocase(name, names[k]))
				return true;
	}
	return false;
}

/*
 * Of those whose Origin is allowed: no page, a page of this machine, or one that the operator named. Not
 * enough to be trusted: `*`, and being of the same host as the request: a page whose name was pointed at us
 * (DNS rebinding) is that.
 */
static bool is_own_page(const struct server *s, const struct http_request *req)
{
	struct origin o;

	switch (origin_of(req, &o)) {
	case ORIGIN_ABSENT:
		return true;
	case ORIGIN_BAD:
		return false;
	case ORIGIN_OK:
		break;
	}
	return origin_is_loopback(&o) || (s->cfg->origins_given && !s->cfg->origins_any);
}

/* Without the key, and without a token that says something: what this machine, or an admin listener, may. */
static enum verdict by_place(const struct server *s, const struct conn *c, const struct http_request *req,
                             enum access access, bool has_token)
{
	if (!admission_origin_allowed(s, c, req))
		return VERDICT_ORIGIN;
	if ((access == ACCESS_ADMIN ? s->cfg->listeners[c->listener].admin
	                            : is_local(s, c) && !is_forwarded(req)) &&
	    is_own_page(s, req))
		return VERDICT_ALLOWED;
	/* 401 asks for a credential: not where none would do. */
	if (!has_token && (access != ACCESS_ADMIN || s->cfg->api_key.n > 0))
		return VERDICT_MISSING;
	return VERDICT_FORBIDDEN;
}

enum verdict credential_check(struct server *s, const struct conn *c, const struct http_request *req,
                              enum access access, struct credential *out)
{
	bool reads_are_free = s->cfg->auth == AUTH_TRUST || s->cfg->public_reads;
	enum presented p;

	*out = (struct credential){ .grant = STR_NONE };
	p = presented(s, c, req, out);
	if (p == PRESENTED_BAD)
		return VERDICT_BAD;
	if (p == PRESENTED_FLOOD)
		return VERDICT_FLOOD;
	if (p == PRESENTED_LATER && access == ACCESS_FREE && out->what == WAIT_KEYS)
		return VERDICT_ALLOWED; /* /live does not depend on who issues tokens */
	if (p == PRESENTED_LATER)
		return VERDICT_WAIT;
	if (access == ACCESS_FREE || p == PRESENTED_KEY || (access == ACCESS_READ && reads_are_free))
		return VERDICT_ALLOWED;
	if (access == ACCESS_READ)
		return p == PRESENTED_NOTHING ? VERDICT_MISSING : VERDICT_ALLOWED;
	if (access == ACCESS_WRITE && p == PRESENTED_WRITER)
		return VERDICT_ALLOWED;
	if (access == ACCESS_WRITE && p == PRESENTED_READER)
		return VERDICT_FORBIDDEN;
	return by_place(s, c, req, access, p != PRESENTED_NOTHING);
}
