/*
 * Invariants: nothing of a token is used before its signature was found good and its claims meet the demands;
 * only what one of our keys signed is in the cache, by a digest of all its bytes.
 */
#include "server/token.h"

#include "server/address.h"
#include "server/keys.h"
#include "server/state.h"
#include "server/waiting.h"
#include "wire/digest.h"

enum {
	/* 200 (RS256) to 600 (ES256) microseconds, which everybody else waits: the next in the next turn. */
	SIGNATURES_PER_TURN = 1,
	/* Bad signatures of one address; no honest client makes any. */
	FLOOD_PER_S = 10,
	FLOOD_BURST = 20,
};

static struct token_seen *seen_at(const struct server *s, const uint8_t digest[DIGEST_BYTES])
{
	uint32_t i;

	memcpy(&i, digest, sizeof(i));
	return &s->verifier.seen[i % TOKEN_SEEN_SLOTS];
}

static struct bucket *flood_of(const struct server *s, const struct peer *from)
{
	uint8_t key[ADDRESS_KEY_BYTES];

	address_key(from, key);
	return &s->verifier.floods[map_hash(&s->addresses, str_of((const char *)key, sizeof(key))) %
	                         TOKEN_FLOOD_BUCKETS];
}

static bool is_flooding(const struct server *s, const struct peer *from)
{
	if (address_is_none(from->address))
		return false; /* a unix socket's: all would count as one */
	return bucket_wait_ms(flood_of(s, from), FLOOD_PER_S, FLOOD_BURST, s->now.mono) > 0;
}

/* A signature of a secret's costs three microseconds: nothing is held back for it. */
static bool is_costly(const struct jwk *key)
{
	return key->algorithm != JWK_HS256;
}

/* May this turn verify one more? Who waits already comes first. */
static bool take_work(struct server *s, bool waited)
{
	if (s->verifier.work_left == 0 || (!waited && waiting_for_turn(s)))
		return false;
	s->verifier.work_left--;
	return true;
}

/*
 * `key`, which has no name, did not sign: may one of the name that the token says be in a set still to come?
 * Secrets are in none.
 */
static bool may_be_anothers(const struct jwt *t, const struct jwk *key)
{
	return t->kid_bytes > 0 && key->kid_bytes == 0 && key->algorithm != JWK_HS256;
}

/* Steps one and two: form and signature. */
static enum token_verdict verify(struct server *s, const struct peer *from, struct str text, bool waited,
                                 struct jwt *t, enum jwt_result *why)
{
	bool had_keys = waited && s->waiting.again.what == WAIT_KEYS; /* what it waited for has come */
	uint8_t digest[DIGEST_BYTES];
	struct token_seen *seen;
	const struct jwk *key;

	*why = jwt_open(t, text, &s->json, s->claim.claims_text, sizeof(s->claim.claims_text));
	if (*why != JWT_OK)
		return TOKEN_BAD;
	key = keys_find(s, t, why);
	if (key == NULL)
		return *why == JWT_NO_KEY && !had_keys && keys_may_come(s) ? TOKEN_WAIT_KEYS : TOKEN_BAD;
	digest_sha256(text, digest);
	seen = seen_at(s, digest);
	if (seen->generation_plus1 == s->keys.generation + 1 &&
	    memcmp(seen->digest, digest, sizeof(digest)) == 0) {
		s->verifier.cache_hits++;
		return TOKEN_VALID;
	}
	if (is_costly(key) && is_flooding(s, from))
		return TOKEN_FLOOD;
	if (is_costly(key) && !take_work(s, waited))
		return TOKEN_WAIT_TURN;
	s->verifier.verifications++;
	if (!jwt_signature_is_valid(t, key)) {
		if (!had_keys && may_be_anothers(t, key) && keys_may_come(s))
			return TOKEN_WAIT_KEYS;
		if (is_costly(key))
			bucket_take(flood_of(s, from), FLOOD_PER_S, FLOOD_BURST, s->now.mono);
		*why = JWT_SIGNATURE;
		return TOKEN_BAD;
	}
	memcpy(seen->digest, digest, sizeof(digest));
	seen->generation_plus1 = s->keys.generation + 1;
	return TOKEN_VALID;
}

/* `scope` (RFC 8693 4.2, RFC 9068): words between blanks; a list of words is taken too. */
static bool has_scope(struct json *claims, struct str wanted)
{
	json_ref scope = json_get(claims, json_root(claims), STR("scope"));
	struct str words;

	for (json_ref e = json_first(claims, scope); e != JSON_ABSENT; e = json_next(claims, e))
		if (json_type(claims, scope) == JSON_ARRAY && json_str(claims, e, &words) &&
		    str_eq(words, wanted))
			return true;
	if (!json_str(claims, scope, &words))
		return false;
	while (words.n > 0) {
		const char *blank = memchr(words.p, ' ', words.n);
		size_t n = blank == NULL ? words.n : (size_t)(blank - words.p);

		if (str_eq(str_of(words.p, n), wanted))
			return true;
		words = blank == NULL ? STR_NONE : str_of(blank + 1, words.n - n - 1);
	}
	return false;
}

/* The claims of presenced's own, of the token whose payload was just parsed. */
static bool read_own_claims(struct server *s, struct token *out)
{
	size_t n;

	out->may_write = has_scope(&s->json, STR("presence:write"));
	out->grant = STR_NONE;
	switch (grant_read(&s->json, s->claim.grant_text, &n)) {
	case GRANT_BAD:
		return false;
	case GRANT_SOME:
		out->grant = str_of(s->claim.grant_text, n);
		break;
	case GRANT_ALL:
		break;
	}
	return true;
}

/* auth=trust believes a token without looking at its signature. */
static bool believe(struct server *s, struct str text, struct token *out)
{
	size_t n;

	if (!jwt_payload(text, s->claim.claims_text, sizeof(s->claim.claims_text), &n))
		return false;
	if (json_parse(&s->json, (char *)s->claim.claims_text, n) != JSON_OK)
		return false;
	out->expires = WALL_NONE;
	out->username = STR_NONE;
	if (!json_str_id(&s->json, json_get(&s->json, json_root(&s->json), STR("sub")), &out->subject))
		return false;
	json_str_id(&s->json, json_get(&s->json, json_root(&s->json), STR("preferred_username")),
	            &out->username);
	if (!read_own_claims(s, out))
		return false;
	if (!s->warned_trust_token) {
		s->warned_trust_token = true;
		LOG(&s->log, s->now.wall, LOG_WARN, "Tokens are believed unverified (auth=trust)");
	}
	return true;
}

static enum token_verdict check(struct server *s, const struct peer *from, struct str text, bool waited,
                                struct token *out, enum jwt_result *why)
{
	const struct token_config *cfg = &s->cfg->token;
	struct jwt_policy policy = {
		.issuers = cfg->issuers.v, .issuer_count = cfg->issuers.n,
		.audiences = cfg->audiences.v, .audience_count = cfg->audiences.n,
		.clients = cfg->clients.v, .client_count = cfg->clients.n,
		.leeway_ms = cfg->leeway_ms,
	};
	struct jwt_claims claims;
	enum token_verdict v;
	struct jwt t;

	v = verify(s, from, text, waited, &t, why);
	if (v != TOKEN_VALID)
		return v;
	*why = jwt_read(&t, &s->json, s->claim.claims_text, sizeof(s->claim.claims_text), &policy,
	                s->now.wall, &claims);
	if (*why != JWT_OK)
		return TOKEN_BAD;
	out->subject = claims.subject;
	out->username = claims.username;
	out->expires = claims.expires;
	if (read_own_claims(s, out))
		return TOKEN_VALID;
	*why = JWT_MALFORMED;
	return TOKEN_BAD;
}

enum token_verdict token_check(struct server *s, const struct peer *from, struct str text, bool waited,
                               struct token *out, enum jwt_result *why)
{
	enum token_verdict v;

	*why = JWT_MALFORMED;
	if (s->cfg->auth == AUTH_TRUST)
		return believe(s, text, out) ? TOKEN_VALID : TOKEN_BAD;
	v = check(s, from, text, waited, out, why);
	if (v == TOKEN_VALID || v == TOKEN_BAD)
		s->verifier.results[v == TOKEN_VALID ? JWT_OK : *why]++;
	return v;
}

void token_begin_turn(struct server *s)
{
	s->verifier.work_left = SIGNATURES_PER_TURN;
}
