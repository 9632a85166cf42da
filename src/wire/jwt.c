/*
 * See wire/jwt.h. Nothing that the token says chooses how it is verified: its `alg` is compared with the
 * key's and then forgotten. Claims are decoded only after the signature was found good.
 */
#include "wire/jwt.h"

#include <assert.h>

#include "base/base64.h"
#include "base/jsonnum.h"
#include "wire/jws.h"

/* The text up to the next dot, taken off `rest`; absent `rest` afterwards when there was no dot. */
static struct str part(struct str *rest)
{
	const char *dot = rest->n == 0 ? NULL : memchr(rest->p, '.', rest->n);
	struct str head = *rest;

	if (dot == NULL) {
		*rest = STR_NONE;
		return head;
	}
	head.n = (size_t)(dot - rest->p);
	*rest = str_of(dot + 1, rest->n - head.n - 1);
	return head;
}

static bool is_base64url(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!base64_is_digit(BASE64_URL, s.p[i]))
			return false;
	return true;
}

/* Three parts of base64url digits, the first two of them not empty. */
static bool split(struct str token, struct str *header, struct str *payload, struct str *signature)
{
	struct str rest = token;

	*header = part(&rest);
	if (str_absent(rest))
		return false;
	*payload = part(&rest);
	if (str_absent(rest))
		return false;
	*signature = part(&rest);
	return str_absent(rest) && header->n > 0 && payload->n > 0 && is_base64url(*header) &&
	       is_base64url(*payload) && is_base64url(*signature);
}

/* Decodes a part and parses it; its root is an object then. */
static bool parse_object(struct json *j, struct str part_, uint8_t *scratch, size_t cap)
{
	size_t n;

	return base64_decode(BASE64_URL, part_, scratch, cap, &n) &&
	       json_parse(j, (char *)scratch, n) == JSON_OK && json_type(j, json_root(j)) == JSON_OBJECT;
}

static json_ref claim(const struct json *j, struct str name)
{
	return json_get(j, json_root(j), name);
}

/* Missing, or a string. */
static bool is_string_if_any(const struct json *j, struct str name)
{
	enum json_type type = json_type(j, claim(j, name));

	return type == JSON_TYPE_ABSENT || type == JSON_STRING;
}

static enum jwt_result read_algorithm(struct json *j, enum jwk_algorithm *algorithm)
{
	json_ref ref = claim(j, STR("alg"));
	struct str alg;

	if (ref == JSON_ABSENT)
		return JWT_ALGORITHM;
	if (!json_str(j, ref, &alg))
		return JWT_MALFORMED;
	if (str_eq(alg, STR("HS256")))
		*algorithm = JWK_HS256;
	else if (str_eq(alg, STR("RS256")))
		*algorithm = JWK_RS256;
	else if (str_eq(alg, STR("ES256")))
		*algorithm = JWK_ES256;
	else
		return JWT_ALGORITHM;
	return JWT_OK;
}

static enum jwt_result read_header(struct jwt *t, struct json *j)
{
	enum jwt_result result;
	struct str kid = STR("");

	if (claim(j, STR("crit")) != JSON_ABSENT || claim(j, STR("b64")) != JSON_ABSENT)
		return JWT_CRITICAL;
	result = read_algorithm(j, &t->algorithm);
	if (result != JWT_OK)
		return result;
	if (!is_string_if_any(j, STR("typ")) || !is_string_if_any(j, STR("kid")))
		return JWT_MALFORMED;
	json_str(j, claim(j, STR("kid")), &kid);
	if (kid.n > JWK_KID_BYTES_MAX)
		return JWT_MALFORMED;
	t->kid_bytes = (uint32_t)kid.n;
	memcpy(t->kid, kid.p, kid.n);
	return JWT_OK;
}

enum jwt_result jwt_open(struct jwt *t, struct str token, struct json *j, uint8_t *scratch, size_t cap)
{
	struct str header, signature;
	enum jwt_result result;
	size_t n;

	assert(token.p != NULL || token.n == 0);
	if (token.n > JWT_BYTES_MAX || !split(token, &header, &t->payload, &signature) ||
	    !parse_object(j, header, scratch, cap))
		return JWT_MALFORMED;
	result = read_header(t, j);
	if (result != JWT_OK)
		return result;
	if (!base64_decode(BASE64_URL, signature, t->signature, sizeof(t->signature), &n) || n == 0)
		return JWT_MALFORMED;
	t->signature_bytes = (uint32_t)n;
	t->signing_input = str_of(token.p, header.n + 1 + t->payload.n);
	return JWT_OK;
}

static const struct jwk *key_by_name(struct str kid, const struct jwk_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		const struct jwk *key = &set->keys[i];

		if (key->kid_bytes > 0 && str_eq(kid, str_of(key->kid, key->kid_bytes)))
			return key;
	}
	return NULL;
}

const struct jwk *jwt_key(const struct jwt *t, const struct jwk_set *set, enum jwt_result *why)
{
	const struct jwk *key = NULL;
	uint32_t possible = 0, of_algorithm = 0;

	assert(set->count <= JWK_KEYS_MAX && t->kid_bytes <= JWK_KID_BYTES_MAX);
	if (t->kid_bytes > 0)
		key = key_by_name(str_of(t->kid, t->kid_bytes), set);
	if (key != NULL) {
		*why = key->algorithm == t->algorithm ? JWT_OK : JWT_ALGORITHM;
		return *why == JWT_OK ? key : NULL;
	}
	for (uint32_t i = 0; i < set->count; i++) {
		if (t->kid_bytes > 0 && set->keys[i].kid_bytes > 0)
			continue;
		possible++;
		if (set->keys[i].algorithm == t->algorithm) {
			of_algorithm++;
			key = &set->keys[i];
		}
	}
	*why = of_algorithm == 1 ? JWT_OK : possible > 0 && of_algorithm == 0 ? JWT_ALGORITHM : JWT_NO_KEY;
	return *why == JWT_OK ? key : NULL;
}

bool jwt_signature_is_valid(const struct jwt *t, const struct jwk *key)
{
	assert(t->signature_bytes <= JWT_SIGNATURE_BYTES_MAX);
	return t->algorithm == (enum jwk_algorithm)key->algorithm &&
	       jws_is_valid(key, t->signing_input, t->signature, t->signature_bytes);
}

/* A date of the claims: WALL_NONE when it is missing; false when it is no date. */
static bool read_date(struct json *j, struct str name, wall_t *out)
{
	json_ref ref = claim(j, name);
	int64_t ms = INT64_MIN;

	if (ref != JSON_ABSENT &&
	    (json_type(j, ref) != JSON_NUMBER || !jsonnum_thousandths(json_raw(j, ref), &ms) || ms < 0 ||
	     ms > JWT_DATE_MS_MAX))
		return false;
	*out = (wall_t){ ms };
	return true;
}

static bool is_after(wall_t date, wall_t now, int64_t leeway_ms)
{
	return !wall_absent(date) && date.ms > now.ms + leeway_ms;
}

static enum jwt_result check_dates(struct json *j, int64_t leeway_ms, wall_t now, wall_t *expires)
{
	wall_t not_before, issued;

	if (!read_date(j, STR("exp"), expires) || !read_date(j, STR("nbf"), &not_before) ||
	    !read_date(j, STR("iat"), &issued))
		return JWT_MALFORMED;
	if (wall_absent(*expires))
		return JWT_NO_EXPIRY;
	if (!is_after(*expires, now, -leeway_ms))
		return JWT_EXPIRED;
	if (is_after(not_before, now, leeway_ms) || is_after(issued, now, leeway_ms))
		return JWT_NOT_YET;
	return JWT_OK;
}

static bool is_one_of(struct json *j, json_ref ref, const struct str *list, uint32_t count)
{
	struct str s;

	if (!json_str(j, ref, &s))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (str_eq(s, list[i]))
			return true;
	return false;
}

/* RFC 7519 4.1.3: missing, a string, or an array of strings. */
static bool is_audience(struct json *j, json_ref aud)
{
	if (json_type(j, aud) != JSON_ARRAY)
		return aud == JSON_ABSENT || json_type(j, aud) == JSON_STRING;
	for (json_ref i = json_first(j, aud); i != JSON_ABSENT; i = json_next(j, i))
		if (json_type(j, i) != JSON_STRING)
			return false;
	return true;
}

static bool audience_has(struct json *j, json_ref aud, const struct str *list, uint32_t count)
{
	if (json_type(j, aud) != JSON_ARRAY)
		return is_one_of(j, aud, list, count);
	for (json_ref i = json_first(j, aud); i != JSON_ABSENT; i = json_next(j, i))
		if (is_one_of(j, i, list, count))
			return true;
	return false;
}

static enum jwt_result check_parties(struct json *j, const struct jwt_policy *policy)
{
	json_ref aud = claim(j, STR("aud"));

	if (!is_string_if_any(j, STR("iss")) || !is_string_if_any(j, STR("azp")) || !is_audience(j, aud))
		return JWT_MALFORMED;
	if (policy->issuer_count > 0 &&
	    !is_one_of(j, claim(j, STR("iss")), policy->issuers, policy->issuer_count))
		return JWT_ISSUER;
	if (policy->audience_count > 0 && !audience_has(j, aud, policy->audiences, policy->audience_count))
		return JWT_AUDIENCE;
	if (policy->client_count > 0 && !audience_has(j, aud, policy->clients, policy->client_count) &&
	    !is_one_of(j, claim(j, STR("azp")), policy->clients, policy->client_count))
		return JWT_AUDIENCE;
	return JWT_OK;
}

enum jwt_result jwt_read(const struct jwt *t, struct json *j, uint8_t *scratch, size_t cap,
                         const struct jwt_policy *policy, wall_t now, struct jwt_claims *out)
{
	struct jwt_claims claims = { STR_NONE, STR_NONE, WALL_NONE };
	enum jwt_result result;

	assert(policy->leeway_ms >= 0 && policy->leeway_ms <= JWT_LEEWAY_MS_MAX);
	assert(now.ms >= 0 && now.ms <= JWT_DATE_MS_MAX);
	if (!parse_object(j, t->payload, scratch, cap))
		return JWT_MALFORMED;
	result = check_dates(j, policy->leeway_ms, now, &claims.expires);
	if (result == JWT_OK)
		result = check_parties(j, policy);
	if (result != JWT_OK)
		return result;
	if (!json_str_id(j, claim(j, STR("sub")), &claims.subject))
		return JWT_SUBJECT;
	json_str_id(j, claim(j, STR("preferred_username")), &claims.username);
	*out = claims;
	return JWT_OK;
}

static const struct {
	const char *label, *text;
} results[JWT_RESULTS] = {
	[JWT_OK] = { "ok", "the token is good" },
	[JWT_MALFORMED] = { "malformed", "the token is malformed" },
	[JWT_ALGORITHM] = { "algorithm", "the token's algorithm is not taken" },
	[JWT_CRITICAL] = { "critical", "the token demands an extension that is not known here" },
	[JWT_NO_KEY] = { "no_key", "the token's key is not known" },
	[JWT_SIGNATURE] = { "signature", "the token's signature is not valid" },
	[JWT_EXPIRED] = { "expired", "the token has expired" },
	[JWT_NO_EXPIRY] = { "no_expiry", "the token does not expire" },
	[JWT_NOT_YET] = { "not_yet", "the token is not valid yet" },
	[JWT_ISSUER] = { "issuer", "the token is another issuer's" },
	[JWT_AUDIENCE] = { "audience", "the token is for another audience" },
	[JWT_SUBJECT] = { "subject", "the token names no user" },
};

const char *jwt_result_text(enum jwt_result result)
{
	assert((unsigned)result < JWT_RESULTS);
	return results[result].text;
}

const char *jwt_result_label(enum jwt_result result)
{
	assert((unsigned)result < JWT_RESULTS);
	return results[result].label;
}

bool jwt_payload(struct str token, uint8_t *out, size_t cap, size_t *n)
{
	struct str header, payload, signature;

	return split(token, &header, &payload, &signature) &&
	       base64_decode(BASE64_URL, payload, out, cap, n);
}
